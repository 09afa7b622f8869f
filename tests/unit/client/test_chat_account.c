/* Unit tests of kesher_chat_open_account (<kesher/chat.h>): a chat over the secure port, from the 3030 to its
 * end, be it a good one or not. */
#include "unit/client/account_fixture.h"

#include "wire/chat_codec.h"

#include <poll.h>

#define TO_CREATED                                                                                           \
    KS_CHAT_MENU KS_CHAT_ASK_NAME KS_CHAT_ASK_NEW_PASSWORD                                                   \
        "The id of the group is:7\nYou're connected to group chat #7\nYou can start to talk!\n"

enum { WAIT_MS = 60 * 1000 };

/* An account that has no connection: the test's server serves one at a time. */
static struct kesher_account *open_account(struct account_fixture *fixture)
{
    struct kesher_account *account = NULL;
    kesher_account_close(fixture_account(fixture));
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    return account;
}

static struct kesher_chat *open_chat(struct account_fixture *fixture)
{
    struct kesher_chat *chat = NULL;
    struct kesher_account *account = open_account(fixture);
    assert_int_equal(kesher_chat_open_account(account, &fixture->options, &chat, NULL), KESHER_OK);
    kesher_account_close(account); /* the chat needs it no more */
    return chat;
}

/* The next line, or the end; waits for it. */
static enum kesher_status hear(struct kesher_chat *chat, struct kesher_chat_line *line,
                               struct kesher_error *error)
{
    for (;;) {
        struct pollfd watched;
        enum kesher_status status = kesher_chat_receive(chat, line, error);
        if (status != KESHER_OK || line->kind != KESHER_CHAT_NOTHING)
            return status;
        int limit = kesher_chat_watch(chat, &watched);
        int ready = poll(&watched, 1, limit < 0 ? WAIT_MS : limit);
        assert_true(limit >= 0 || ready > 0); /* with a limit it is to be asked again when that is over */
    }
}

static void assert_says(struct kesher_chat *chat, const char *name, const char *text)
{
    struct kesher_chat_line line;
    assert_int_equal(hear(chat, &line, NULL), KESHER_OK);
    assert_int_equal(line.kind, name != NULL ? KESHER_CHAT_MESSAGE : KESHER_CHAT_TEXT);
    if (name != NULL) {
        assert_int_equal(line.name_size, strlen(name));
        assert_memory_equal(line.name, name, line.name_size);
    }
    assert_int_equal(line.text_size, strlen(text));
    assert_memory_equal(line.text, text, line.text_size);
}

static void member_hears_what_is_said_after_signing_in(void **state)
{
    struct account_fixture *fixture = *state;
    unsigned group = 0;
    fixture->server->chat = TO_CREATED "bob: hello\nbob has joined the group \n";
    struct kesher_chat *chat = open_chat(fixture);
    assert_string_equal(kesher_chat_proposed_name(chat), "Alice");
    assert_int_equal(kesher_chat_create(chat, "Alice", "secret", 6, &group, NULL), KESHER_OK);
    assert_int_equal(group, 7);
    assert_says(chat, "bob", "hello");
    assert_says(chat, NULL, "bob has joined the group ");
    /* What was said on the way comes back from this server: one line for each, and in order. */
    assert_says(chat, NULL, "2");
    assert_says(chat, NULL, "Alice");
    assert_says(chat, NULL, "secret");
    assert_int_equal(kesher_chat_say(chat, "bob: round", 10, NULL), KESHER_OK);
    assert_says(chat, "bob", "round");
    kesher_chat_close(chat);
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_TALK), 1);
}

/* More than a socket and a record hold. */
static void much_that_is_said_goes_out_and_comes_in(void **state)
{
    enum { LINES = 3000, LINE_SIZE = 1000 };
    struct account_fixture *fixture = *state;
    char text[LINE_SIZE + 1];
    unsigned group = 0;
    fixture->server->chat = TO_CREATED;
    struct kesher_chat *chat = open_chat(fixture);
    assert_int_equal(kesher_chat_create(chat, "Alice", "secret", 6, &group, NULL), KESHER_OK);
    assert_says(chat, NULL, "2");
    assert_says(chat, NULL, "Alice");
    assert_says(chat, NULL, "secret");
    memset(text, 'x', sizeof text);
    text[LINE_SIZE] = '\0';
    memcpy(text, "a: ", 3);
    for (unsigned i = 0; i < LINES; i++)
        assert_int_equal(kesher_chat_say(chat, text, LINE_SIZE, NULL), KESHER_OK);
    for (unsigned i = 0; i < LINES; i++)
        assert_says(chat, "a", text + 3);
    assert_int_equal(kesher_chat_backlog(chat), 0);
    kesher_chat_close(chat);
}

static void end_that_the_server_says_is_the_end_of_the_chat(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_chat_line line;
    fixture->server->chat = "The server stops.\n";
    fixture->server->chat_end = SECURE_ENDS;
    struct kesher_chat *chat = open_chat(fixture);
    assert_says(chat, NULL, "The server stops.");
    assert_int_equal(hear(chat, &line, NULL), KESHER_OK);
    assert_int_equal(line.kind, KESHER_CHAT_END);
    kesher_chat_close(chat);
}

/* Whoever sits in between can cut it, and that is not what the server said. */
static void cut_is_no_end_of_the_chat(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_chat_line line;
    struct kesher_error error;
    fixture->server->chat = "Hello.\n";
    fixture->server->chat_end = SECURE_CUTS;
    struct kesher_chat *chat = open_chat(fixture);
    assert_says(chat, NULL, "Hello.");
    assert_int_equal(hear(chat, &line, &error), KESHER_CONNECTION);
    kesher_chat_close(chat);
}

static void name_that_somebody_has_is_told(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    unsigned group = 0;
    fixture->server->chat = KS_CHAT_MENU KS_CHAT_ASK_NAME KS_CHAT_NAME_TAKEN KS_CHAT_ASK_NAME;
    struct kesher_chat *chat = open_chat(fixture);
    assert_int_equal(kesher_chat_create(chat, "bob", "secret", 6, &group, &error), KESHER_EXISTS);
    assert_non_null(strstr(error.sentence, "--as"));
    kesher_chat_close(chat);
}

static void wish_to_talk_is_refused_or_answered_in_full(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_chat *chat = NULL;
    struct kesher_error error;
    struct secure_lie refused = {.request = KS_REQUEST_TALK,
                                 .code = KS_RESPONSE_REFUSED,
                                 .told_size = 4,
                                 .size = 4,
                                 .payload = {KS_REFUSAL_TOO_MANY}};
    const struct secure_lie lies[] = {
        {.request = KS_REQUEST_TALK, .code = KS_RESPONSE_TALK, .told_size = 2, .size = 2},
        {.request = KS_REQUEST_TALK, .code = KS_RESPONSE_TALK, .told_size = 9, .size = 9, .payload = {9}},
        {.request = KS_REQUEST_TALK,
         .code = KS_RESPONSE_TALK,
         .told_size = 3,
         .size = 3,
         .payload = {1, 0, 0}},
        {.request = KS_REQUEST_TALK,
         .code = KS_RESPONSE_TALK,
         .told_size = UINT32_MAX,
         .end = SECURE_STAYS_MUTE},
        {.request = KS_REQUEST_TALK, .code = KS_RESPONSE_SIGNED_IN},
    };
    struct kesher_account *account = open_account(fixture);
    secure_tell_lie(fixture->server, &refused);
    assert_int_equal(kesher_chat_open_account(account, &fixture->options, &chat, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, "later"));
    for (size_t i = 0; i < KS_COUNT_OF(lies); i++) {
        secure_tell_lie(fixture->server, &lies[i]);
        assert_int_equal(kesher_chat_open_account(account, &fixture->options, &chat, &error),
                         KESHER_PROTOCOL);
    }
    kesher_account_close(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCOUNT_TEST(member_hears_what_is_said_after_signing_in),
        ACCOUNT_TEST(much_that_is_said_goes_out_and_comes_in),
        ACCOUNT_TEST(end_that_the_server_says_is_the_end_of_the_chat),
        ACCOUNT_TEST(cut_is_no_end_of_the_chat),
        ACCOUNT_TEST(name_that_somebody_has_is_told),
        ACCOUNT_TEST(wish_to_talk_is_refused_or_answered_in_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
