/* Unit tests of 3030 and of the chat behind it: who has an account, under which names, and what the classic
 * chat does not have. */
#include "unit/service/accounts/secure_fixture.h"

#include "wire/chat_codec.h"

#define LINE_MENU      KS_CHAT_MENU "\n"
#define LINE_NEW_GROUP "The id of the group is:1\nYou're connected to group chat #1\nYou can start to talk!\n"
#define LINE_JOINED    "You're connected to group chat #1\n"

/* ---- what peers do, and hear ---- */

/* All that a talker heard since it was last asked. */
static void assert_hears(struct gate *gate, unsigned peer, const char *expected)
{
    const struct ks_buffer *output = &gate->peers[peer].output;
    size_t size = output->size - gate->read[peer];
    const char *heard = (const char *)output->bytes + gate->read[peer];
    if (size != strlen(expected) || memcmp(heard, expected, size) != 0)
        fail_msg("peer %u heard \"%.*s\" instead of \"%s\"", peer, (int)size, heard, expected);
    gate->read[peer] = output->size;
}

static void forget_heard(struct gate *gate, unsigned peer)
{
    gate->read[peer] = gate->peers[peer].output.size;
}

static void say(struct gate *gate, unsigned peer, const char *text)
{
    fake_connection_send(&gate->peers[peer], text, strlen(text), 0);
    gate_run(gate);
}

static void assert_talks(struct gate *gate, unsigned peer, const char *name)
{
    struct ks_wire_text text;
    const uint8_t *payload = NULL;
    size_t size = 0;
    ask(gate, peer, KS_REQUEST_TALK, NULL, 0);
    assert_int_equal(hear(gate, peer, &payload, &size), KS_RESPONSE_TALK);
    assert_int_equal(ks_wire_text_parse(payload, size, &text), KS_OK);
    assert_int_equal(text.size, strlen(name));
    assert_memory_equal(text.bytes, name, text.size);
    assert_hears(gate, peer, LINE_MENU);
}

/* With an account of this name, at the menu. */
static void come_to_talk(struct gate *gate, unsigned peer, const char *name)
{
    const struct person person = person_of((uint8_t)(peer + 1));
    gate_open_on(gate, peer, peer % GATE_LOOPS);
    assert_enrolled(gate, peer, &person, name);
    assert_talks(gate, peer, name);
}

/* Creates group 1 under its own name. */
static void create_group(struct gate *gate, unsigned peer, const char *name)
{
    come_to_talk(gate, peer, name);
    say(gate, peer, "2\n\nsecret\n");
    assert_hears(gate, peer, KS_CHAT_ASK_NAME KS_CHAT_ASK_NEW_PASSWORD LINE_NEW_GROUP);
}

static void join_group(struct gate *gate, unsigned peer, const char *name)
{
    come_to_talk(gate, peer, name);
    say(gate, peer, "1\n\n1\nsecret\n");
    assert_hears(gate, peer, KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD LINE_JOINED);
}

/* ---- going over ---- */

static void a_group_of_the_secure_port_hears_who_comes_speaks_and_goes(void **state)
{
    struct gate *gate = *state;
    create_group(gate, 0, "dana");
    join_group(gate, 1, "omer");
    assert_hears(gate, 0, "omer has joined the group \n");
    say(gate, 1, "shalom\n");
    assert_hears(gate, 0, "omer: shalom\n");
    say(gate, 0, "welcome\n");
    assert_hears(gate, 1, "dana: welcome\n");
    say(gate, 1, "Exit\n");
    assert_hears(gate, 1, KS_CHAT_LEFT);
    assert_hears(gate, 0, "omer has removed from the group \n");
    assert_int_equal(gate->peers[0].standing, KS_STANDING_KNOWN);
}

static void what_came_behind_the_request_reaches_the_chat_however_it_was_cut(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    const struct sent talk = request(KS_REQUEST_TALK, NULL, 0);
    make_account(gate, 0, &alice, "alice");
    for (size_t step = 0; step < 4; step++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        gate_open(gate, 0);
        const struct sent signing_in = sign_in_for(gate, 0, &alice);
        gate->store.later = step % 2 == 1;
        assert_int_equal(ks_buffer_append(&bytes, signing_in.bytes, signing_in.size), KS_OK);
        assert_int_equal(ks_buffer_append(&bytes, talk.bytes, talk.size), KS_OK);
        assert_int_equal(ks_buffer_append(&bytes, "2\n\nsecret\n", 10), KS_OK);
        fake_connection_send(&gate->peers[0], bytes.bytes, bytes.size, step);
        gate_run(gate);
        assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
        assert_told(gate, 0, KS_RESPONSE_TALK);
        assert_hears(gate, 0, LINE_MENU KS_CHAT_ASK_NAME KS_CHAT_ASK_NEW_PASSWORD LINE_NEW_GROUP);
        ks_buffer_free(&bytes);
        gate_close(gate, 0);
    }
}

/* All in one read, and the store is slow: the request waits, collected, and goes over from a task. */
static void a_request_to_talk_waits_for_what_is_before_it(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    gate->store.later = true;
    const struct sent settings = request(KS_REQUEST_MY_ACCOUNT, NULL, 0);
    const struct sent talk = request(KS_REQUEST_TALK, NULL, 0);
    send_only(gate, 0, &settings);
    fake_connection_send_only(&gate->peers[0], talk.bytes, 10);
    fake_connection_send_only(&gate->peers[0], talk.bytes + 10, talk.size - 10);
    fake_connection_send_only(&gate->peers[0], "3\n", 2);
    assert_hears_nothing(gate, 0);
    gate_run(gate);
    assert_told(gate, 0, KS_RESPONSE_MY_ACCOUNT);
    assert_told(gate, 0, KS_RESPONSE_TALK);
    assert_hears(gate, 0, LINE_MENU KS_CHAT_EXIT);
    assert_true(gate->peers[0].finished);
}

static struct sent prepare_talk(struct gate *gate)
{
    static uint8_t seed;
    char name[16];
    seed++;
    const struct person person = person_of(seed);
    snprintf(name, sizeof name, "person%u", (unsigned)seed);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &person, name);
    gate->store.later = true;
    const struct sent settings = request(KS_REQUEST_MY_ACCOUNT, NULL, 0);
    send_only(gate, 0, &settings); /* so that it has to wait, collected in two parts */
    gate->store.later = false;
    const struct sent talk = request(KS_REQUEST_TALK, NULL, 0);
    fake_connection_send_only(&gate->peers[0], talk.bytes, 10);
    struct sent rest = {.size = talk.size - 10};
    memcpy(rest.bytes, talk.bytes + 10, rest.size);
    return rest;
}

static struct sent prepare_name(struct gate *gate)
{
    static uint8_t seed = 100;
    char name[16];
    seed++;
    const struct person person = person_of(seed);
    snprintf(name, sizeof name, "person%u", (unsigned)seed);
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &person, name);
    assert_talks(gate, 0, name);
    return (struct sent){.bytes = "2\nnobody's\nsecret\nhello\n", .size = 24};
}

static void judge_nothing(struct gate *gate)
{
    assert_int_equal(ks_groups_count(gate->groups), 0);
}

static void a_connection_may_go_at_every_step_of_going_over(void **state)
{
    gate_cut_at_every_step(*state, prepare_talk, judge_nothing);
    gate_cut_at_every_step(*state, prepare_name, judge_nothing);
}

static void without_a_chat_there_is_no_such_request(void **state)
{
    struct gate *gate = *state;
    const struct person alice = person_of('a');
    gate->accounts.chat = NULL;
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &alice, "alice");
    ask(gate, 0, KS_REQUEST_TALK, NULL, 0);
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_REQUEST);
}

static void a_talker_counts_as_a_connection_of_its_account(void **state)
{
    struct gate *gate = *state;
    const struct person dana = person_of(1);
    create_group(gate, 0, "dana");
    gate->environment.settings.connections_per_account = 1;
    gate_open(gate, 1);
    sign_in(gate, 1, &dana);
    assert_refused(gate, 1, KS_REFUSAL_TOO_MANY);
}

/* ---- names ---- */

static void a_name_is_the_accounts_own_or_nobodys(void **state)
{
    static const char *const taken[] = {"omer",    "OMER",    "0mer", "omer ",
                                        "an0ther", "Another", "-x",   "a\xe2\x80\x8b"};
    struct gate *gate = *state;
    const struct person other = person_of('o');
    const struct person omer = person_of('m');
    char line[64];
    make_account(gate, 5, &other, "another");
    make_account(gate, 5, &omer, "omer");
    come_to_talk(gate, 0, "dana");
    say(gate, 0, "2\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NAME);
    for (size_t i = 0; i < KS_COUNT_OF(taken); i++) {
        snprintf(line, sizeof line, "%s\n", taken[i]);
        say(gate, 0, line);
        assert_hears(gate, 0, KS_CHAT_NAME_TAKEN KS_CHAT_ASK_NAME);
    }
    say(gate, 0, "nobody at all\nsecret\n/who\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NEW_PASSWORD LINE_NEW_GROUP "In the group: nobody at all \n");
}

/* Whoever sees it shall see what the account is called. */
static void a_name_like_the_accounts_own_becomes_its_own(void **state)
{
    struct gate *gate = *state;
    come_to_talk(gate, 0, "Dana");
    say(gate, 0, "2\nDANA\nsecret\n/who\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NAME KS_CHAT_ASK_NEW_PASSWORD LINE_NEW_GROUP "In the group: Dana \n");
}

static void the_name_of_a_removed_account_stays_taken(void **state)
{
    struct gate *gate = *state;
    const struct person gone = person_of('g');
    gate_open(gate, 5);
    assert_enrolled(gate, 5, &gone, "gone");
    const struct sent removal = removal_for(gate, 5, &gone);
    send_it(gate, 5, &removal);
    gate_close(gate, 5);
    come_to_talk(gate, 0, "dana");
    say(gate, 0, "2\ngone\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NAME KS_CHAT_NAME_TAKEN KS_CHAT_ASK_NAME);
}

static void a_name_is_unique_in_its_group_by_its_looks(void **state)
{
    struct gate *gate = *state;
    come_to_talk(gate, 0, "dana");
    say(gate, 0, "2\nPilot\nsecret\n");
    forget_heard(gate, 0);
    come_to_talk(gate, 1, "omer");
    say(gate, 1, "1\npi1ot\n1\nwrong\n"); /* whose it is, nobody learns without the password */
    assert_hears(gate, 1,
                 KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD KS_CHAT_WRONG_PASSWORD
                 "\n" KS_CHAT_ASK_PASSWORD);
    say(gate, 1, "secret\n");
    assert_hears(gate, 1, KS_CHAT_NAME_TAKEN KS_CHAT_ASK_NAME);
    say(gate, 1, "\n1\nsecret\n");
    assert_hears(gate, 1, KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD LINE_JOINED);
    assert_hears(gate, 0, "omer has joined the group \n");
    say(gate, 0, "Exit\n");
    gate_close(gate, 0);
    come_to_talk(gate, 2, "noa");
    say(gate, 2, "1\npilot\n1\nsecret\n"); /* it is free again */
    assert_hears(gate, 2, KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD LINE_JOINED);
}

static void an_account_is_in_a_group_once_under_its_name(void **state)
{
    struct gate *gate = *state;
    const struct person dana = person_of(1);
    create_group(gate, 0, "dana");
    gate_open(gate, 1);
    sign_in(gate, 1, &dana);
    assert_told(gate, 1, KS_RESPONSE_SIGNED_IN);
    assert_talks(gate, 1, "dana");
    say(gate, 1, "1\n\n1\nsecret\n");
    assert_hears(gate, 1,
                 KS_CHAT_ASK_NAME KS_CHAT_ASK_GROUP KS_CHAT_ASK_PASSWORD KS_CHAT_NAME_TAKEN KS_CHAT_ASK_NAME);
}

/* Somebody registers it between the prompt and the password. */
static void a_name_that_becomes_somebodys_meanwhile_is_taken(void **state)
{
    struct gate *gate = *state;
    const struct person late = person_of('l');
    come_to_talk(gate, 0, "dana");
    say(gate, 0, "2\nlate\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NAME KS_CHAT_ASK_NEW_PASSWORD);
    make_account(gate, 5, &late, "late");
    say(gate, 0, "secret\n");
    assert_hears(gate, 0, KS_CHAT_NAME_TAKEN KS_CHAT_ASK_NAME);
    assert_int_equal(ks_groups_count(gate->groups), 0);
    say(gate, 0, "\nsecret\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NEW_PASSWORD LINE_NEW_GROUP);
}

static void while_the_store_is_asked_what_comes_waits(void **state)
{
    struct gate *gate = *state;
    come_to_talk(gate, 0, "dana");
    gate->store.later = true;
    fake_connection_send_only(&gate->peers[0], "2\nsomeone\nsecret\nhello\n/who\n", 28);
    assert_hears(gate, 0, KS_CHAT_ASK_NAME);
    gate_run(gate);
    assert_hears(gate, 0, KS_CHAT_ASK_NEW_PASSWORD LINE_NEW_GROUP "In the group: someone \n");
}

static void the_longest_name_of_a_classic_user_is_whole(void **state)
{
    struct gate *gate = *state;
    const struct person dana = person_of(1);
    char name[KS_TEXT_FIELD_SIZE];
    char expected[KS_TEXT_FIELD_SIZE + 64];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    make_account(gate, 0, &dana, "dana");
    memcpy(gate->store.users[0].user.name, name, sizeof name);
    create_group(gate, 3, "omer");
    gate_open(gate, 0);
    sign_in(gate, 0, &dana);
    assert_told(gate, 0, KS_RESPONSE_SIGNED_IN);
    assert_talks(gate, 0, name);
    say(gate, 0, "1\n\n1\nsecret\n");
    forget_heard(gate, 0);
    snprintf(expected, sizeof expected, "%s has joined the group \n", name);
    assert_hears(gate, 3, expected);
    gate_close(gate, 0);
    snprintf(expected, sizeof expected, "%s has removed from the group \n", name);
    assert_hears(gate, 3, expected);
}

static void cannot_tell(struct ks_store *store, struct ks_store_name_holder *asked)
{
    (void)store;
    asked->request.result = KS_IO;
    asked->request.done(&asked->request);
}

static void a_store_that_cannot_tell_ends_the_session_politely(void **state)
{
    struct gate *gate = *state;
    struct ks_store_operations operations = *gate->store.store.operations;
    come_to_talk(gate, 0, "dana");
    operations.name_holder = cannot_tell;
    gate->store.store.operations = &operations;
    say(gate, 0, "2\nsomeone\n");
    assert_hears(gate, 0, KS_CHAT_ASK_NAME KS_CHAT_FULL);
    assert_true(gate->peers[0].finished);
    gate_close(gate, 0);
}

/* ---- who ---- */

static void who_is_there_is_told_to_who_asks_and_nobody_else(void **state)
{
    struct gate *gate = *state;
    create_group(gate, 0, "dana");
    join_group(gate, 1, "omer");
    forget_heard(gate, 0);
    say(gate, 1, "/who\n");
    assert_hears(gate, 1, "In the group: dana, omer \n");
    say(gate, 1, "a /who\n/whoami\n /who\n");
    assert_hears(gate, 0, "omer: a /who\nomer: /whoami\nomer:  /who\n");
    assert_hears(gate, 1, "");
}

static void who_asks_again_and_again_in_one_read_is_told_once(void **state)
{
    struct gate *gate = *state;
    create_group(gate, 0, "dana");
    say(gate, 0, "/who\n/who\n/who\n");
    assert_hears(gate, 0, "In the group: dana \n");
}

static void of_many_names_as_many_as_fit_are_told(void **state)
{
    struct gate *gate = *state;
    char name[KS_CHAT_NAME_LIMIT + 1];
    create_group(gate, 0, "dana");
    for (unsigned i = 1; i < 64; i++) {
        snprintf(name, sizeof name, "%02u%0*d", i, KS_CHAT_NAME_LIMIT - 2, 0);
        join_group(gate, i, name);
    }
    forget_heard(gate, 0);
    say(gate, 0, "/who\n");
    const struct ks_buffer *output = &gate->peers[0].output;
    size_t size = output->size - gate->read[0];
    const char *text = (const char *)output->bytes + gate->read[0];
    assert_in_range(size, 3500, 4200);
    assert_memory_equal(text, "In the group: dana, 01", 22);
    assert_memory_equal(text + size - strlen(" and 2 more \n"), " and 2 more \n", strlen(" and 2 more \n"));
}

/* ---- cutting ---- */

static void when_an_account_is_removed_its_groups_hear_that_it_left(void **state)
{
    struct gate *gate = *state;
    const struct person omer = person_of(2);
    create_group(gate, 0, "dana");
    join_group(gate, 1, "omer");
    forget_heard(gate, 0);
    gate_open(gate, 2);
    sign_in(gate, 2, &omer);
    assert_told(gate, 2, KS_RESPONSE_SIGNED_IN);
    const struct sent removal = removal_for(gate, 2, &omer);
    send_it(gate, 2, &removal);
    assert_told(gate, 2, KS_RESPONSE_ACCOUNT_REMOVED);
    assert_true(gate->peers[1].aborted);
    gate_close(gate, 1);
    assert_hears(gate, 0, "omer has removed from the group \n");
}

/* Between 3030 and the chat, where nobody is on the stack. */
static void who_is_cut_while_going_over_is_gone(void **state)
{
    struct gate *gate = *state;
    for (unsigned steps = 0; steps < 8; steps++) {
        char name[16];
        const struct person person = person_of((uint8_t)(50 + steps));
        snprintf(name, sizeof name, "person%u", steps);
        gate->store.later = false;
        gate_open(gate, 0);
        assert_enrolled(gate, 0, &person, name);
        const struct ks_client_id id = gate->store.users[gate->store.user_count - 1].user.id;
        gate->store.later = true;
        const struct sent settings = request(KS_REQUEST_MY_ACCOUNT, NULL, 0);
        const struct sent talk = request(KS_REQUEST_TALK, NULL, 0);
        send_only(gate, 0, &settings);
        fake_connection_send_only(&gate->peers[0], talk.bytes, 10);
        fake_connection_send_only(&gate->peers[0], talk.bytes + 10, talk.size - 10);
        gate_step(gate, steps);
        ks_presence_cut(gate->accounts.presence, &id, NULL);
        gate_run(gate);
        assert_true(gate->peers[0].aborted);
        gate_close(gate, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GATE_TEST(a_group_of_the_secure_port_hears_who_comes_speaks_and_goes),
        GATE_TEST(what_came_behind_the_request_reaches_the_chat_however_it_was_cut),
        GATE_TEST(a_request_to_talk_waits_for_what_is_before_it),
        GATE_TEST(a_connection_may_go_at_every_step_of_going_over),
        GATE_TEST(without_a_chat_there_is_no_such_request),
        GATE_TEST(a_talker_counts_as_a_connection_of_its_account),
        GATE_TEST(a_name_is_the_accounts_own_or_nobodys),
        GATE_TEST(a_name_like_the_accounts_own_becomes_its_own),
        GATE_TEST(the_name_of_a_removed_account_stays_taken),
        GATE_TEST(a_name_is_unique_in_its_group_by_its_looks),
        GATE_TEST(an_account_is_in_a_group_once_under_its_name),
        GATE_TEST(a_name_that_becomes_somebodys_meanwhile_is_taken),
        GATE_TEST(while_the_store_is_asked_what_comes_waits),
        GATE_TEST(the_longest_name_of_a_classic_user_is_whole),
        GATE_TEST(a_store_that_cannot_tell_ends_the_session_politely),
        GATE_TEST(who_is_there_is_told_to_who_asks_and_nobody_else),
        GATE_TEST(who_asks_again_and_again_in_one_read_is_told_once),
        GATE_TEST(of_many_names_as_many_as_fit_are_told),
        GATE_TEST(when_an_account_is_removed_its_groups_hear_that_it_left),
        GATE_TEST(who_is_cut_while_going_over_is_gone),
    };
    return cmocka_run_group_tests_name("talk", tests, NULL, NULL);
}
