/* Unit tests of an account at a server that lies after it let us in: answers that are cut, of wrong sizes, or
 * without an end, and bytes that are none of its. Whatever it does, a call comes to an end with a sentence,
 * and takes no more memory than an honest answer does.
 */
#include "unit/client/account_fixture.h"

#include <kesher/messages.h>

enum { PATIENT_MS = 60 * 1000, SHORT_MS = 100 };

static struct secure_lie lie_about(uint16_t request, uint16_t code, uint32_t told_size, size_t size,
                                   enum secure_end end)
{
    struct secure_lie lie = {
        .request = request, .code = code, .told_size = told_size, .size = size, .end = end};
    memset(lie.payload, 0, sizeof lie.payload);
    return lie;
}

/* Asks for the account, while the server lies as often as it may be asked again. */
static enum kesher_status ask(struct account_fixture *fixture, const struct secure_lie *lie,
                              struct kesher_error *error)
{
    struct kesher_account_state told;
    struct kesher_account *account = fixture_account(fixture);
    kesher_account_close(account);
    secure_tell_lie(fixture->server, lie);
    secure_tell_lie(fixture->server, lie);
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    enum kesher_status status = kesher_account_ask(account, &told, error);
    kesher_account_close(account);
    secure_server_settle(fixture->server);
    fixture->server->lie_count = 0;
    if (status != KESHER_OK)
        assert_int_equal(error->status, status);
    return status;
}

/* ---- ends ---- */

static void answer_that_is_cut_is_a_lost_connection(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie =
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_MY_ACCOUNT, 100, 10, SECURE_CUTS);
    assert_int_equal(ask(fixture, &lie, &error), KESHER_CONNECTION);
    assert_non_null(strstr(error.sentence, "cut"));
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_MY_ACCOUNT), 2); /* it was asked again, once */
}

/* Before a byte of it: an end that TLS does not know of is nothing that the server said. */
static void end_without_a_word_is_a_lost_connection(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie = lie_about(KS_REQUEST_MY_ACCOUNT, 0, 0, 0, SECURE_CUTS);
    assert_int_equal(ask(fixture, &lie, &error), KESHER_CONNECTION);
}

static void server_that_ends_in_the_middle_has_closed(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie =
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_MY_ACCOUNT, 100, 10, SECURE_ENDS);
    assert_int_equal(ask(fixture, &lie, &error), KESHER_CONNECTION);
    assert_non_null(strstr(error.sentence, "closed"));
}

static void bytes_that_nobody_encrypted_end_the_connection(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie =
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_MY_ACCOUNT, 100, 10, SECURE_GARBAGE);
    assert_int_equal(ask(fixture, &lie, &error), KESHER_CONNECTION);
    assert_non_null(strstr(error.sentence, "not as a server had sent it"));
}

static void silence_is_given_up(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie = lie_about(KS_REQUEST_MY_ACCOUNT, 0, 0, 0, SECURE_STAYS_MUTE);
    fixture->options.progress_ms = SHORT_MS;
    assert_int_equal(ask(fixture, &lie, &error), KESHER_TIMEOUT);
}

/* What TLS says to itself is no progress. */
static void tickets_without_an_end_are_silence(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie = lie_about(KS_REQUEST_MY_ACCOUNT, 0, 0, 0, SECURE_TICKETS);
    fixture->options.progress_ms = SHORT_MS;
    assert_int_equal(ask(fixture, &lie, &error), KESHER_TIMEOUT);
}

static void new_keys_without_an_end_come_to_one(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    const struct secure_lie lie = lie_about(KS_REQUEST_MY_ACCOUNT, 0, 0, 0, SECURE_REKEYS);
    fixture->options.progress_ms = SHORT_MS;
    enum kesher_status status = ask(fixture, &lie, &error);
    assert_true(status == KESHER_TIMEOUT || status == KESHER_CONNECTION);
}

/* ---- answers ---- */

static void answers_that_make_no_sense_end_the_connection(void **state)
{
    struct account_fixture *fixture = *state;
    const struct secure_lie lies[] = {
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_MY_ACCOUNT, UINT32_MAX, 100, SECURE_STAYS_MUTE),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_MY_ACCOUNT, 5000, 100, SECURE_STAYS_MUTE),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_MY_ACCOUNT, 3, 3, SECURE_GOES_ON),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_SIGNED_IN, 0, 0, SECURE_GOES_ON),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_ERROR, 0, 0, SECURE_GOES_ON),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_REFUSED, 1, 1, SECURE_GOES_ON),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_REFUSED, UINT32_MAX, 100, SECURE_STAYS_MUTE),
        lie_about(KS_REQUEST_MY_ACCOUNT, KS_RESPONSE_REFUSED, 100, 100, SECURE_GOES_ON),
        lie_about(KS_REQUEST_SIGN_IN, KS_RESPONSE_SIGNED_IN, 0, 0, SECURE_GOES_ON),
        lie_about(KS_REQUEST_SIGN_IN, KS_RESPONSE_SIGNED_IN, UINT32_MAX, 0, SECURE_STAYS_MUTE),
        lie_about(KS_REQUEST_SIGN_IN, KS_RESPONSE_ADOPTION_CHALLENGE, 128, 128, SECURE_GOES_ON),
    };
    fixture->options.progress_ms = PATIENT_MS;
    for (size_t i = 0; i < KS_COUNT_OF(lies); i++) {
        struct kesher_error error;
        assert_int_equal(ask(fixture, &lies[i], &error), KESHER_PROTOCOL);
    }
}

/* On the classic ports zeros before an answer may be padding. */
static void zeros_before_an_answer_are_no_padding(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    struct secure_lie lie = lie_about(KS_REQUEST_MY_ACCOUNT, 0, 0, 1024, SECURE_FLOODS);
    lie.is_raw = true;
    assert_int_equal(ask(fixture, &lie, &error), KESHER_PROTOCOL);
}

static void refusal_is_taken_once_and_nothing_is_asked_again(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    struct secure_lie lie = lie_about(KS_REQUEST_SIGN_IN, KS_RESPONSE_REFUSED, 4, 4, SECURE_FLOODS);
    lie.payload[0] = KS_REFUSAL_SIGNATURES;
    assert_int_equal(ask(fixture, &lie, &error), KESHER_REFUSED);
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_SIGN_IN), 1);
}

/* ---- lists ---- */

static bool count_user(void *context, const struct kesher_user *user)
{
    unsigned *count = context;
    (void)user;
    ++*count;
    return true;
}

static enum kesher_status list(struct account_fixture *fixture, unsigned *count, struct kesher_error *error)
{
    struct kesher_messenger *messenger = NULL;
    const struct kesher_messenger_settings settings = {.classic = false};
    *count = 0;
    assert_int_equal(kesher_messenger_open(fixture->home, fixture->server->plain_link, &settings,
                                           &fixture->options, &messenger, NULL),
                     KESHER_OK);
    enum kesher_status status = kesher_messenger_users(messenger, count_user, count, error);
    kesher_messenger_close(messenger);
    return status;
}

static void add_user(struct secure_server *server, const char *name, uint8_t id)
{
    struct secure_user *user = &server->users[server->user_count++];
    strcpy(user->name, name);
    memset(user->id.bytes, id, sizeof user->id.bytes);
}

static void users_are_listed_over_the_secure_port(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    unsigned count = 0;
    kesher_account_close(fixture_account(fixture));
    assert_int_equal(list(fixture, &count, &error), KESHER_OK);
    assert_int_equal(count, 0);
    add_user(fixture->server, "bob", 1);
    add_user(fixture->server, "carol", 2);
    assert_int_equal(list(fixture, &count, &error), KESHER_OK);
    assert_int_equal(count, 2);
}

static void list_without_an_end_is_broken_off(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    unsigned count = 0;
    struct secure_lie lie =
        lie_about(KS_REQUEST_LIST_USERS, KS_RESPONSE_USERS,
                  UINT32_MAX / KS_LISTED_USER_SIZE * KS_LISTED_USER_SIZE, 2000, SECURE_FLOODS);
    kesher_account_close(fixture_account(fixture));
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(list(fixture, &count, &error), KESHER_PROTOCOL);
    assert_int_equal(count, 0);
    lie.told_size = KS_LISTED_USER_SIZE + 1;
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(list(fixture, &count, &error), KESHER_PROTOCOL);
}

static void list_that_is_refused_says_why(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    unsigned count = 0;
    struct secure_lie lie = lie_about(KS_REQUEST_LIST_USERS, KS_RESPONSE_REFUSED, 4, 4, SECURE_GOES_ON);
    lie.payload[0] = KS_REFUSAL_TOO_MANY;
    kesher_account_close(fixture_account(fixture));
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(list(fixture, &count, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, "later"));
}

/* ---- nothing falls back ---- */

static void what_the_secure_port_does_not_have_yet_is_not_sent_at_all(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_messenger *messenger = NULL;
    struct kesher_drop *drop = NULL;
    struct kesher_error error;
    const struct kesher_messenger_settings settings = {.classic = false};
    kesher_account_close(fixture_account(fixture));
    size_t heard = fixture->server->trail_size;
    assert_int_equal(kesher_messenger_open(fixture->home, fixture->server->plain_link, &settings,
                                           &fixture->options, &messenger, NULL),
                     KESHER_OK);
    assert_int_equal(kesher_messenger_pull(messenger, NULL, &error), KESHER_INVALID);
    assert_non_null(strstr(error.sentence, "secure"));
    assert_int_equal(kesher_messenger_send(messenger, "bob", KESHER_MESSAGE_TEXT, 0, 1, true, NULL, &error),
                     KESHER_INVALID);
    assert_int_equal(kesher_messenger_request_key(messenger, "bob", &error), KESHER_INVALID);
    assert_int_equal(kesher_messenger_share_key(messenger, "bob", &error), KESHER_INVALID);
    assert_int_equal(kesher_messenger_publish_key(messenger, NULL, &error), KESHER_INVALID);
    kesher_messenger_close(messenger);
    assert_int_equal(
        kesher_drop_open(fixture->home, fixture->server->plain_link, &fixture->options, &drop, &error),
        KESHER_INVALID);
    assert_int_equal(fixture->server->trail_size, heard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCOUNT_TEST(answer_that_is_cut_is_a_lost_connection),
        ACCOUNT_TEST(end_without_a_word_is_a_lost_connection),
        ACCOUNT_TEST(server_that_ends_in_the_middle_has_closed),
        ACCOUNT_TEST(bytes_that_nobody_encrypted_end_the_connection),
        ACCOUNT_TEST(silence_is_given_up),
        ACCOUNT_TEST(tickets_without_an_end_are_silence),
        ACCOUNT_TEST(new_keys_without_an_end_come_to_one),
        ACCOUNT_TEST(answers_that_make_no_sense_end_the_connection),
        ACCOUNT_TEST(zeros_before_an_answer_are_no_padding),
        ACCOUNT_TEST(refusal_is_taken_once_and_nothing_is_asked_again),
        ACCOUNT_TEST(users_are_listed_over_the_secure_port),
        ACCOUNT_TEST(list_without_an_end_is_broken_off),
        ACCOUNT_TEST(list_that_is_refused_says_why),
        ACCOUNT_TEST(what_the_secure_port_does_not_have_yet_is_not_sent_at_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
