/* test_report.c — what the log tells of requests on the binary port (report.h): who asked, for whom, from
 * where, by which setting it was refused; and what it never tells.
 */
#include "unit/service/people_fixture.h"

#include "base/limits/allowance.h"
#include "base/limits/log_repeats.h"
#include "base/text.h"

#define PEER "192.0.2.1:40000: "

static const uint8_t key[KS_CONTENT_KEY_SIZE] = "0123456789abcdef";

enum { CONTENT_SIZE = 32, TEXT_LIMIT = 64 };

static const char *log_of(struct people *people)
{
    return fake_loop_log(&people->fixture->loop);
}

static void assert_says(struct people *people, const char *line)
{
    if (strstr(log_of(people), line) == NULL)
        fail_msg("\"%s\" is not in the log:\n%s", line, log_of(people));
}

static void assert_says_not(struct people *people, const char *text)
{
    if (strstr(log_of(people), text) != NULL)
        fail_msg("\"%s\" is in the log:\n%s", text, log_of(people));
}

static void give_key(struct people *people)
{
    struct fake_user *user = &people->fixture->store.users[0];
    user->content_key = ks_content_key_new(key, people->fixture->loop.time.wall_seconds);
    assert_non_null(user->content_key);
}

static void upload(struct people *people, const char *name, bool right)
{
    uint8_t content[CONTENT_SIZE];
    struct ks_buffer bytes = ks_buffer_empty(0);
    fill_content(key, content, sizeof content, right);
    add_upload(&bytes, &people->alice, name, content, sizeof content, 0);
    send_and_free(people->fixture, &bytes, 0);
}

static void say_of_file(struct people *people, uint16_t code, const char *name)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name_request(&bytes, &people->alice, code, name);
    send_and_free(people->fixture, &bytes, 0);
}

/* ---- refusals ---- */

static void a_refused_upload_is_told_with_its_user_and_its_setting(void **state)
{
    struct people *people = *state;
    give_key(people);
    people->fixture->environment.settings.uploads_per_user = 1;
    upload(people, "a", true);
    upload(people, "b", true);
    assert_says(people, "<4>" PEER "\"alice\": an upload is refused: there are too many that wait "
                        "(uploads-per-user)\n");
}

static void an_upload_that_makes_room_is_told_with_whose_it_was(void **state)
{
    struct people *people = *state;
    give_key(people);
    people->fixture->environment.settings.uploads = 1;
    upload(people, "a", true);
    upload(people, "b", true);
    assert_says(people, "<4>\"alice\": an unconfirmed upload is discarded: whoever has most makes room "
                        "(uploads)\n");
}

static void a_file_is_told_by_the_name_that_is_kept_and_escaped(void **state)
{
    struct people *people = *state;
    give_key(people);
    upload(people, "/home/alice/secret plans\\re\xc2\x85port.txt", true);
    say_of_file(people, KS_REQUEST_CRC_OK, "/home/alice/secret plans\\re\xc2\x85port.txt");
    assert_says(people, "<6>" PEER "\"alice\": kept \"re\\xc2\\x85port.txt\"\n");
    assert_says_not(people, "secret plans");
}

/* Or a line about mallory's files would tell of alice's. */
static void a_quotation_mark_in_a_name_does_not_end_it(void **state)
{
    struct people *people = *state;
    give_key(people);
    upload(people, "x\": \"bob\": y", true);
    say_of_file(people, KS_REQUEST_CRC_OK, "x\": \"bob\": y");
    assert_says(people, "<6>" PEER "\"alice\": kept \"x\\x22: \\x22bob\\x22: y\"\n");
}

static void a_content_that_the_store_refuses_is_told_by_the_kept_name(void **state)
{
    struct people *people = *state;
    give_key(people);
    people->fixture->store.next_failure = KS_NO_SPACE;
    upload(people, "../up/report.txt", true);
    assert_says(people, "<4>" PEER "\"alice\": cannot take \"report.txt\": ");
    assert_says_not(people, "../up");
}

static void a_mismatch_is_info_and_giving_up_a_warning(void **state)
{
    struct people *people = *state;
    give_key(people);
    upload(people, "up/report.txt", true);
    say_of_file(people, KS_REQUEST_CRC_WRONG, "up/report.txt");
    upload(people, "up/report.txt", true);
    say_of_file(people, KS_REQUEST_CRC_GIVE_UP, "up/report.txt");
    assert_says(people, "<6>" PEER "\"alice\": \"report.txt\" has another cksum at the client; ");
    assert_says(people, "<4>" PEER "\"alice\": \"report.txt\" is given up: ");
    assert_says_not(people, "up/");
}

static void a_confirmation_of_nothing_is_told(void **state)
{
    struct people *people = *state;
    say_of_file(people, KS_REQUEST_CRC_OK, "up/report.txt");
    assert_says(people, "<6>" PEER "\"alice\": cannot keep \"report.txt\": no upload of this name waits");
}

static void wrong_paddings_beyond_the_limit_are_told(void **state)
{
    struct people *people = *state;
    give_key(people);
    for (unsigned i = 0; i < KS_CONTENT_KEY_WRONG_PADDINGS; i++)
        upload(people, "a", false);
    assert_says_not(people, "wrong padding");
    upload(people, "a", false);
    assert_says(people, "<4>" PEER "\"alice\": cannot take \"a\": too many contents came under its AES key "
                        "with a wrong padding\n");
}

static void many_contents_without_a_confirmation_are_told(void **state)
{
    struct people *people = *state;
    give_key(people);
    for (unsigned i = 0; i <= KS_CONTENT_KEY_USES; i++)
        upload(people, "a", true);
    assert_says(people, "under its AES key without a confirmation\n");
}

static void a_message_that_is_too_large_is_told_with_its_receiver(void **state)
{
    struct people *people = *state;
    const struct ks_client_id alias = alias_of(people, &people->bob);
    const struct ks_client_id nobody = {{1, 2, 3}};
    struct ks_buffer bytes = ks_buffer_empty(0);
    people->fixture->environment.settings.message_limit = 4;
    add_message(&bytes, &people->alice, &alias, KS_MESSAGE_TEXT, "hello", 5);
    add_message(&bytes, &people->alice, &nobody, KS_MESSAGE_TEXT, "hello!", 6);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR, KS_RESPONSE_ERROR);
    assert_says(people, "<4>" PEER "\"alice\" to \"bob\": cannot take a message: it has 5 bytes "
                        "(message-limit)\n");
    assert_says(people, "<4>" PEER "\"alice\": cannot take a message: it has 6 bytes (message-limit)\n");
}

static void a_message_that_the_store_refuses_is_told_with_its_receiver(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    people->fixture->store.next_failure = KS_NO_SPACE;
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, "hello", 5);
    send_and_free(people->fixture, &bytes, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR);
    assert_says(people, "<4>" PEER "\"alice\" to \"bob\": cannot take a message: ");
}

static void too_many_registrations_are_told_with_the_name_and_keys_with_the_user(void **state)
{
    const struct ks_hash_key hash_key = {{1}};
    struct people *people = *state;
    struct ks_service_environment *environment = &people->fixture->environment;
    uint8_t name_and_key[KS_NAME_AND_KEY_PAYLOAD_SIZE] = "alice";
    struct ks_buffer bytes = ks_buffer_empty(0);
    assert_int_equal(ks_allowance_new(&hash_key, &environment->registrations), KS_OK);
    assert_int_equal(ks_allowance_new(&hash_key, &environment->keys), KS_OK);
    environment->settings.registrations_per_hour = 1;
    environment->settings.keys_per_hour = 1;
    for (unsigned i = 0; i < 2; i++)
        add_name_request(&bytes, NULL, KS_REQUEST_REGISTER_DROP, i == 0 ? "dora" : "emil");
    for (unsigned i = 0; i < 2; i++)
        add_request(&bytes, &people->alice, KS_REQUEST_PUBLIC_KEY, name_and_key, sizeof name_and_key);
    send_and_free(people->fixture, &bytes, 0);
    assert_says(people, "<6>" PEER "registered \"dora\"\n");
    assert_says(people, "<4>" PEER "refused: too many registrations from this address in an hour "
                        "(registrations-per-hour): \"emil\"\n");
    assert_says(people, "<4>" PEER "\"alice\": refused: too many keys from this address in an hour "
                        "(keys-per-hour)\n");
    ks_allowance_free(environment->registrations);
    ks_allowance_free(environment->keys);
}

static void who_is_closed_for_its_slowness_is_told_with_the_setting(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_message(&bytes, &people->alice, &people->bob, KS_MESSAGE_TEXT, "hello", 5);
    fake_connection_send(&people->fixture->connection, bytes.bytes, bytes.size - 1, 0);
    ks_buffer_free(&bytes);
    fake_connection_wait(&people->fixture->connection,
                         people->fixture->environment.settings.payload_timeout_ms);
    assert_says(people, "<6>" PEER "\"alice\": closed: the rest of a payload did not come in time "
                        "(payload-timeout)\n");
}

static void who_would_send_much_behind_a_refusal_is_told(void **state)
{
    struct people *people = *state;
    struct ks_request_header header = {
        .client_id = people->alice, .version = 2, .code = 4711, .payload_size = 1024 * 1024};
    uint8_t head[KS_REQUEST_HEADER_SIZE];
    ks_request_header_encode(&header, head);
    fake_connection_send(&people->fixture->connection, head, sizeof head, 0);
    ASSERT_ANSWERS(people->fixture, KS_RESPONSE_ERROR);
    assert_says(people, "<6>" PEER "\"alice\": closed: of a request that is refused more than 64 KiB would "
                        "still come\n");
}

static void half_a_header_is_told_with_the_user_of_the_request_before(void **state)
{
    struct people *people = *state;
    ask(people, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    fake_connection_send(&people->fixture->connection, &people->alice, sizeof people->alice, 0);
    fake_connection_wait(&people->fixture->connection,
                         people->fixture->environment.settings.header_timeout_ms);
    assert_says(people, "<6>" PEER "\"bob\": closed: the rest of a request header did not come in time "
                        "(header-timeout)\n");
}

static void who_is_no_user_has_no_name(void **state)
{
    struct people *people = *state;
    const struct ks_client_id stranger = {{9}};
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_request(&bytes, &stranger, KS_REQUEST_LIST_USERS, NULL, 0);
    send_and_free(people->fixture, &bytes, 0);
    assert_says(people, "<7>" PEER "request 601 (the list of users), payload of 0 bytes\n");
}

static void a_flood_of_refusals_is_summed_up(void **state)
{
    const struct ks_hash_key hash_key = {{1}};
    struct people *people = *state;
    struct fake_loop *loop = &people->fixture->loop;
    assert_int_equal(ks_log_repeats_new(&hash_key, &loop->time.clock, &loop->log.repeats), KS_OK);
    loop->log.level = KS_LOG_INFO;
    for (unsigned i = 0; i < 500; i++)
        say_of_file(people, KS_REQUEST_CRC_OK, "report.txt");
    size_t size = strlen(log_of(people));
    assert_in_range(size, 1, 20 * 120);
    ks_log_tell_repeats(&loop->log, true);
    assert_says(people, "cannot keep \"report.txt\": no upload of this name waits for its confirmation; "
                        "480 times since the last such line\n");
    ks_log_repeats_free(loop->log.repeats);
}

/* ---- when the store's answers come later, or too late ---- */

/* Or lines would pile up behind a store that stands still. */
static void nothing_is_waited_for(void **state)
{
    struct people *people = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    give_key(people);
    people->fixture->store.later = true;
    add_name_request(&bytes, &people->alice, KS_REQUEST_CRC_OK, "a");
    fake_connection_send_only(&people->fixture->connection, bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_says(people, "<6>" PEER "\"alice\": cannot keep \"a\": no upload of this name waits");
}

static enum ks_result asked_too_late(struct ks_store *store, const struct ks_client_id *id,
                                     char name[static KS_TEXT_FIELD_SIZE])
{
    (void)store;
    (void)id;
    (void)name;
    fail_msg("%s", "the store is asked for a name when it may be closed");
    return KS_NOT_FOUND;
}

/* As it stops, a server closes the store behind the last connection, and then runs what was posted. */
static void what_ends_behind_its_connection_is_told_with_the_address_alone(void **state)
{
    struct people *people = *state;
    struct ks_store *store = &people->fixture->store.store;
    const struct ks_store_operations *open = store->operations;
    struct ks_store_operations closed = *open;
    struct ks_buffer bytes = ks_buffer_empty(0);
    give_key(people);
    upload(people, "a", true);
    people->fixture->store.later = true;
    add_name_request(&bytes, &people->alice, KS_REQUEST_CRC_OK, "a");
    fake_connection_send_only(&people->fixture->connection, bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    fake_connection_close(&people->fixture->connection);
    closed.name_at_hand = asked_too_late;
    store->operations = &closed;
    fake_loop_run(&people->fixture->loop);
    store->operations = open;
    assert_says(people, "<6>" PEER "kept \"a\"\n");
}

/* ---- at debug ---- */

static void every_request_and_the_code_of_its_answer_are_told(void **state)
{
    struct people *people = *state;
    const struct ks_client_id stranger = {{9}};
    struct ks_buffer bytes = ks_buffer_empty(0);
    send_message(people, &people->bob, "hello");
    add_request(&bytes, &people->alice, 4711, "abc", 3);
    add_request(&bytes, &people->alice, KS_REQUEST_CRC_OK, "abc", 3);
    add_request(&bytes, &stranger, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
    send_and_free(people->fixture, &bytes, 0);
    assert_says(people, "<7>" PEER "\"alice\": request 603 (a message), payload of 26 bytes\n");
    assert_says(people, "<7>" PEER "\"alice\": answer 2103 to request 603\n");
    assert_says(people,
                "<7>" PEER "\"alice\": request 4711 (unknown), payload of 3 bytes, which does not fit\n");
    assert_says(people, "<7>" PEER "\"alice\": answer 9000 to request 4711\n");
    assert_says(people,
                "<7>" PEER
                "\"alice\": request 1029 (the cksum is right), payload of 3 bytes, which does not fit\n");
    assert_says(people, "<7>" PEER "request 604 (the waiting messages), payload of 0 bytes\n");
}

static void a_1030_that_is_not_answered_is_told_as_such(void **state)
{
    struct people *people = *state;
    give_key(people);
    upload(people, "a", true);
    say_of_file(people, KS_REQUEST_CRC_WRONG, "a");
    upload(people, "a", true); /* before the silence in which it would have been answered */
    assert_says(people, "<7>" PEER "\"alice\": no answer to request 1030\n");
}

static void states_are_told_by_name(void **state)
{
    struct people *people = *state;
    give_key(people);
    upload(people, "a", true);
    assert_says(people, "<7>" PEER "session: head -> payload\n");
    assert_says(people, "<7>" PEER "upload: preparing -> coming\n");
    assert_says(people, "<7>" PEER "upload: coming -> handed over\n");
    assert_says(people, "<7>" PEER "session: payload -> head\n");
    fake_connection_end(&people->fixture->connection);
    fake_connection_run(&people->fixture->connection);
    assert_says(people, "<7>" PEER "session: head -> ending\n");
}

static void at_info_no_request_is_told(void **state)
{
    struct people *people = *state;
    people->fixture->loop.log.level = KS_LOG_INFO;
    send_message(people, &people->bob, "hello");
    assert_string_equal(log_of(people), "");
}

/* ---- what is never told ---- */

static void assert_hides(struct people *people, const void *secret, size_t size)
{
    char hex[2 * TEXT_LIMIT + 1];
    assert_in_range(size, 4, TEXT_LIMIT);
    ks_text_to_hex(secret, size, hex);
    assert_says_not(people, hex);
    hex[8] = '\0'; /* nor the beginning of it */
    assert_says_not(people, hex);
    assert_null(memmem(log_of(people), strlen(log_of(people)), secret, size));
}

static void ids_aliases_keys_and_contents_are_never_told(void **state)
{
    struct people *people = *state;
    const struct ks_client_id alias = alias_of(people, &people->bob);
    give_key(people);
    upload(people, "a", true);
    say_of_file(people, KS_REQUEST_CRC_WRONG, "a");
    upload(people, "a", true);
    say_of_file(people, KS_REQUEST_CRC_OK, "a");
    while (next_answer(people->fixture, NULL, NULL) >= 0)
        ;
    send_message(people, &alias, "the text of a message");
    pull(people);
    ask(people, &people->alice, KS_REQUEST_LIST_USERS, NULL, 0);
    ask(people, &people->alice, KS_REQUEST_USER_KEY, &alias, sizeof alias);
    people->fixture->environment.settings.message_limit = 4;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_message(&bytes, &people->alice, &alias, KS_MESSAGE_TEXT, "another text", 12);
    send_and_free(people->fixture, &bytes, 0);
    assert_says(people, "(message-limit)");
    assert_hides(people, &people->alice, sizeof people->alice);
    assert_hides(people, &people->bob, sizeof people->bob);
    assert_hides(people, &alias, sizeof alias);
    assert_hides(people, key, sizeof key);
    assert_hides(people, people->fixture->store.users[1].public_key, 32);
    assert_says_not(people, "text of a message");
    assert_says_not(people, "another text");
}

#define REPORT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_people, tear_down_people)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REPORT_TEST(a_refused_upload_is_told_with_its_user_and_its_setting),
        REPORT_TEST(an_upload_that_makes_room_is_told_with_whose_it_was),
        REPORT_TEST(a_file_is_told_by_the_name_that_is_kept_and_escaped),
        REPORT_TEST(a_quotation_mark_in_a_name_does_not_end_it),
        REPORT_TEST(a_content_that_the_store_refuses_is_told_by_the_kept_name),
        REPORT_TEST(a_mismatch_is_info_and_giving_up_a_warning),
        REPORT_TEST(a_confirmation_of_nothing_is_told),
        REPORT_TEST(wrong_paddings_beyond_the_limit_are_told),
        REPORT_TEST(many_contents_without_a_confirmation_are_told),
        REPORT_TEST(a_message_that_is_too_large_is_told_with_its_receiver),
        REPORT_TEST(a_message_that_the_store_refuses_is_told_with_its_receiver),
        REPORT_TEST(too_many_registrations_are_told_with_the_name_and_keys_with_the_user),
        REPORT_TEST(who_is_closed_for_its_slowness_is_told_with_the_setting),
        REPORT_TEST(who_would_send_much_behind_a_refusal_is_told),
        REPORT_TEST(half_a_header_is_told_with_the_user_of_the_request_before),
        REPORT_TEST(who_is_no_user_has_no_name),
        REPORT_TEST(a_flood_of_refusals_is_summed_up),
        REPORT_TEST(nothing_is_waited_for),
        REPORT_TEST(what_ends_behind_its_connection_is_told_with_the_address_alone),
        REPORT_TEST(every_request_and_the_code_of_its_answer_are_told),
        REPORT_TEST(a_1030_that_is_not_answered_is_told_as_such),
        REPORT_TEST(states_are_told_by_name),
        REPORT_TEST(at_info_no_request_is_told),
        REPORT_TEST(ids_aliases_keys_and_contents_are_never_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
