/* Unit tests of <kesher/messages.h>: conversations between two users over a small server. */
#include "unit/client/messenger_fixture.h"

#include "client/home/home_server.h"

#include "crypto/content.h"

static void assert_state(const struct person *person, const struct person *with,
                         enum kesher_key_state expected)
{
    enum kesher_key_state state = KESHER_KEY_NONE;
    ASSERT_DONE(kesher_messenger_key_state(person->messenger, with->name, &state, &last_error));
    assert_int_equal(state, expected);
}

/* ---- keys ---- */

static void texts_go_both_ways(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "hello"));
    ASSERT_DONE(send_text(&world->alice, &world->bob, ""));
    pull(&world->bob, true);
    pull(&world->bob, false);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    expect_text(&world->bob, &world->alice, "hello");
    expect_text(&world->bob, &world->alice, "");
    assert_nothing_next(&world->bob);
    ASSERT_DONE(send_text(&world->bob, &world->alice, "hello yourself"));
    pull(&world->alice, true);
    (void)expect(&world->alice, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    expect_text(&world->alice, &world->bob, "hello yourself");
    assert_nothing_next(&world->alice);
}

static void ids_and_keys_are_asked_for_once(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "one"));
    ASSERT_TRAIL(&world->server, 601, 602, 603, 603);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "two"));
    person_restart(world, &world->alice);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "three"));
    ASSERT_TRAIL(&world->server, 603, 603);
    pull(&world->bob, true);
    for (int i = 0; i < 4; i++) {
        (void)next(&world->bob);
        done(&world->bob);
    }
    ASSERT_TRAIL(&world->server, 604, 601, 602); /* who it is, and the pin */
}

static void request_for_a_key_arrives(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
    pull(&world->bob, true);
    struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_KEY_REQUEST, KESHER_CONTENT_NONE);
    assert_string_equal(message.sender.name, "alice");
    assert_int_equal(message.message_id, 1);
    assert_false(message.again);
    assert_state(&world->bob, &world->alice, KESHER_KEY_NONE);
}

static void nothing_is_sent_without_a_key(void **state)
{
    struct world *world = *state;
    ASSERT_FAILS(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_TEXT, "x", 1, false), KESHER_NO_KEY);
    assert_int_equal(world->server.queue_size, 0);
    share_key(&world->alice, &world->bob);
    ASSERT_DONE(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_TEXT, "x", 1, false));
}

static void forged_keys_are_unreadable_and_change_nothing(void **state)
{
    struct world *world = *state;
    const struct ks_client_id *alice = &world->alice.id;
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE + 1] = {0};
    server_put(&world->server, alice, KS_MESSAGE_KEY, NULL, 0);
    server_put(&world->server, alice, KS_MESSAGE_KEY, "0123456789abcdef", 16);
    server_put(&world->server, alice, KS_MESSAGE_KEY, encrypted, KS_RSA_ENCRYPTED_SIZE);
    encrypt_for(&world->bob, "0123456789abcde", 15, encrypted);
    server_put(&world->server, alice, KS_MESSAGE_KEY, encrypted, KS_RSA_ENCRYPTED_SIZE);
    encrypt_for(&world->bob, "0123456789abcdefg", 17, encrypted);
    server_put(&world->server, alice, KS_MESSAGE_KEY, encrypted, KS_RSA_ENCRYPTED_SIZE);
    encrypt_for(&world->bob, "0123456789abcdef", 16, encrypted);
    server_put(&world->server, alice, KS_MESSAGE_KEY, encrypted, KS_RSA_ENCRYPTED_SIZE + 1);
    server_put(&world->server, alice, KS_MESSAGE_KEY, encrypted, KS_RSA_ENCRYPTED_SIZE - 1);
    encrypt_for(&world->alice, "0123456789abcdef", 16, encrypted);
    server_put(&world->server, alice, KS_MESSAGE_KEY, encrypted, KS_RSA_ENCRYPTED_SIZE);
    pull(&world->bob, true);
    for (int i = 0; i < 8; i++)
        (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_UNREADABLE);
    assert_nothing_next(&world->bob);
    assert_state(&world->bob, &world->alice, KESHER_KEY_NONE);
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1); /* and none of the others again */
}

static void refused_key_is_not_used(void **state)
{
    struct world *world = *state;
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1);
    server_lie(&world->server, 603, 9000);
    ASSERT_FAILS(kesher_messenger_share_key(world->alice.messenger, "bob", &last_error), KESHER_REFUSED);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "under the first key"));
    pull(&world->bob, true);
    expect_text(&world->bob, &world->alice, "under the first key");
}

/* The server has the key and its receipt was lost: bob sends under it, as clients of the course do, and alice
 * can read that. */
static void key_whose_receipt_was_lost_decrypts(void **state)
{
    struct world *world = *state;
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    world->bob.is_classic = true;
    person_restart(world, &world->bob);
    server_lie(&world->server, 603, 0);
    ASSERT_FAILS(kesher_messenger_share_key(world->alice.messenger, "bob", &last_error), KESHER_CONNECTION);
    assert_state(&world->alice, &world->bob, KESHER_KEY_NONE);
    server_settle(&world->server);
    memcpy(encrypted, world->server.request + KS_SEND_MESSAGE_FIXED_SIZE, sizeof encrypted);
    server_put(&world->server, &world->alice.id, KS_MESSAGE_KEY, encrypted, sizeof encrypted);
    take_keys(&world->bob, 1);
    ASSERT_DONE(send_text(&world->bob, &world->alice, "got it"));
    person_restart(world, &world->alice);
    pull(&world->alice, true);
    assert_int_equal(expect_text(&world->alice, &world->bob, "got it"), KESHER_KEY_MARK_NONE);
}

static void keys_of_the_console_end_with_it(void **state)
{
    struct world *world = *state;
    world->bob.is_classic = true;
    person_restart(world, &world->bob);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "now"));
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    expect_text(&world->bob, &world->alice, "now");
    assert_state(&world->bob, &world->alice, KESHER_KEY_IN_USE);
    person_restart(world, &world->bob);
    assert_state(&world->bob, &world->alice, KESHER_KEY_NONE);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "later"));
    pull(&world->bob, true);
    struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_string_equal(message.sender.name, "alice");
    memcpy(world->server.users[0].public_key, world->bob.public_key, KS_PUBLIC_KEY_SIZE);
    struct kesher_user_key key;
    ASSERT_FAILS(kesher_messenger_key(world->bob.messenger, "alice", &key, &last_error), KESHER_CHANGED);
}

/* ---- pins ---- */

static void key_is_pinned_at_first_sight_and_a_changed_one_refused(void **state)
{
    struct world *world = *state;
    struct kesher_user_key key;
    struct kesher_identity *identity = NULL;
    char fingerprint[KESHER_FINGERPRINT_SIZE];
    ASSERT_DONE(kesher_identity_load(world->bob.home, &identity, &last_error));
    ASSERT_DONE(kesher_identity_fingerprint(identity, fingerprint, &last_error));
    kesher_identity_free(identity);
    ASSERT_DONE(kesher_messenger_key(world->alice.messenger, "bob", &key, &last_error));
    assert_true(key.is_new);
    assert_string_equal(key.user.name, "bob");
    assert_memory_equal(key.user.id, world->bob.id.bytes, KESHER_ID_SIZE);
    assert_string_equal(key.fingerprint, fingerprint);
    person_restart(world, &world->alice);
    ASSERT_DONE(kesher_messenger_key(world->alice.messenger, "bob", &key, &last_error));
    assert_false(key.is_new);

    memcpy(world->server.users[1].public_key, world->alice.public_key, KS_PUBLIC_KEY_SIZE);
    ASSERT_FAILS(kesher_messenger_key(world->alice.messenger, "bob", &key, &last_error), KESHER_CHANGED);
    assert_non_null(strstr(last_error.sentence, fingerprint));
    assert_non_null(strstr(last_error.sentence, "--forget"));
    ASSERT_FAILS(kesher_messenger_share_key(world->alice.messenger, "bob", &last_error), KESHER_CHANGED);
    ASSERT_FAILS(send_text(&world->alice, &world->bob, "x"), KESHER_CHANGED);
    assert_int_equal(world->server.queue_size, 0);

    ASSERT_DONE(kesher_messenger_forget(world->alice.messenger, "bob", &last_error));
    ASSERT_FAILS(kesher_messenger_forget(world->alice.messenger, "bob", &last_error), KESHER_NOT_FOUND);
    ASSERT_DONE(kesher_messenger_key(world->alice.messenger, "bob", &key, &last_error));
    assert_true(key.is_new);
}

static void forgetting_ends_the_symmetric_keys_too(void **state)
{
    struct world *world = *state;
    share_key(&world->alice, &world->bob);
    ASSERT_DONE(kesher_messenger_forget(world->alice.messenger, "bob", &last_error));
    assert_state(&world->alice, &world->bob, KESHER_KEY_NONE);
}

static void user_with_a_new_id_and_the_old_key_is_found_again(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "before"));
    world->server.trail_size = 0;
    memset(world->server.users[1].id.bytes, 'n', KS_CLIENT_ID_SIZE);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "after"));
    ASSERT_TRAIL(&world->server, 603, 601, 602, 603, 603); /* the key, which may be lost, and the text */
    assert_int_equal(world->server.last_target.bytes[0], 'n');
    ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
    ASSERT_TRAIL(&world->server, 603);
    memset(world->server.users[1].id.bytes, 'm', KS_CLIENT_ID_SIZE);
    ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
    assert_int_equal(world->server.last_target.bytes[0], 'm');
    memset(world->server.users[1].id.bytes, 'o', KS_CLIENT_ID_SIZE);
    share_key(&world->alice, &world->bob);
    assert_int_equal(world->server.last_target.bytes[0], 'o');
}

static void user_with_a_new_id_and_another_key_gets_nothing(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "before"));
    size_t before = world->server.queue_size;
    memset(world->server.users[1].id.bytes, 'n', KS_CLIENT_ID_SIZE);
    memcpy(world->server.users[1].public_key, world->alice.public_key, KS_PUBLIC_KEY_SIZE);
    ASSERT_FAILS(send_text(&world->alice, &world->bob, "after"), KESHER_CHANGED);
    ASSERT_FAILS(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error), KESHER_CHANGED);
    ASSERT_FAILS(kesher_messenger_share_key(world->alice.messenger, "bob", &last_error), KESHER_CHANGED);
    assert_int_equal(world->server.queue_size, before);
}

static void refusal_of_a_known_user_is_looked_into_once(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "before"));
    world->server.trail_size = 0;
    server_lie(&world->server, 603, 9000);
    ASSERT_FAILS(send_text(&world->alice, &world->bob, "x"), KESHER_REFUSED);
    ASSERT_TRAIL(&world->server, 603, 601);
    world->server.user_count = 1;
    ASSERT_FAILS(send_text(&world->alice, &world->bob, "x"), KESHER_NOT_FOUND);
    ASSERT_TRAIL(&world->server, 603, 601);
}

/* Somebody else has the name now, and sends a key of his: it is not taken, and the old ones stay in use. */
static void key_of_an_impostor_is_not_taken(void **state)
{
    struct world *world = *state;
    struct server_user *alice = &world->server.users[0];
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1);
    memset(alice->id.bytes, 'x', sizeof alice->id.bytes);
    memcpy(alice->public_key, world->bob.public_key, KS_PUBLIC_KEY_SIZE);
    encrypt_for(&world->bob, "0123456789abcdef", 16, encrypted);
    server_put(&world->server, &alice->id, KS_MESSAGE_KEY, encrypted, sizeof encrypted);
    pull(&world->bob, true);
    struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_UNREADABLE);
    assert_string_equal(message.sender.name, "alice");
    assert_non_null(strstr(world->bob.notice, "CHANGED"));
    assert_state(&world->bob, &world->alice, KESHER_KEY_NONE);
    /* Unless bob knows better. */
    ASSERT_DONE(kesher_messenger_forget(world->bob.messenger, "alice", &last_error));
    pull(&world->bob, false);
    message = expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_true(message.again);
}

/* ---- users ---- */

static void unknown_users_and_names_that_are_none(void **state)
{
    struct world *world = *state;
    struct kesher_user_key key;
    ASSERT_FAILS(send_text(&world->alice, &(struct person){.name = "carol"}, "x"), KESHER_NOT_FOUND);
    ASSERT_FAILS(kesher_messenger_key(world->alice.messenger, "BOB", &key, &last_error), KESHER_NOT_FOUND);
    ASSERT_FAILS(kesher_messenger_key(world->alice.messenger, "alice", &key, &last_error), KESHER_NOT_FOUND);
    ASSERT_FAILS(kesher_messenger_share_key(world->alice.messenger, "", &last_error), KESHER_INVALID);
    ASSERT_FAILS(kesher_messenger_request_key(world->alice.messenger, "a\nb", &last_error), KESHER_INVALID);
    ASSERT_FAILS(kesher_messenger_accept_key(world->alice.messenger, "carol", &last_error), KESHER_NOT_FOUND);
    assert_int_equal(world->server.queue_size, 0);
}

struct visited {
    char names[200];
    unsigned limit;
};

static bool visit(void *context, const struct kesher_user *user)
{
    struct visited *visited = context;
    strcat(visited->names, user->name);
    strcat(visited->names, " ");
    return --visited->limit > 0;
}

static void list_of_users_is_visited_in_order_and_ended_early(void **state)
{
    struct world *world = *state;
    server_add(&world->server, "carol", 'c', world->bob.public_key);
    server_add(&world->server, "", 'd', world->bob.public_key); /* a foreign server may list that */
    struct visited all = {.limit = 100};
    ASSERT_DONE(kesher_messenger_users(world->alice.messenger, visit, &all, &last_error));
    assert_string_equal(all.names, "bob carol  ");
    struct visited one = {.limit = 1};
    ASSERT_DONE(kesher_messenger_users(world->alice.messenger, visit, &one, &last_error));
    assert_string_equal(one.names, "bob ");
    pull(&world->alice, false); /* the connection serves on */
}

static void connection_that_was_closed_meanwhile_is_made_again(void **state)
{
    struct world *world = *state;
    pull(&world->bob, false);
    server_lie(&world->server, 604, 0);
    pull(&world->bob, false); /* tried again at once */
    server_lie(&world->server, 602, 0);
    ASSERT_DONE(send_text(&world->bob, &world->alice, "hello"));
    ASSERT_TRAIL(&world->server, 604, 604, 604, 601, 602, 602, 603, 603);
}

static void server_whose_name_does_not_resolve_is_no_unknown_user(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "one"));
    /* Longer than any label of DNS may be: no name server is asked for it. */
    strcpy(world->server.address, "a-name-that-is-longer-than-the-sixty-three-bytes-of-a-label-in-dns:1357");
    assert_int_equal(ks_home_server_record(world->alice.home, world->server.address, NULL), KESHER_OK);
    person_restart(world, &world->alice);
    ASSERT_FAILS(kesher_messenger_request_key(world->alice.messenger, "carol", &last_error),
                 KESHER_CONNECTION);
    ASSERT_FAILS(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error), KESHER_CONNECTION);
    ASSERT_FAILS(kesher_messenger_pull(world->alice.messenger, NULL, &last_error), KESHER_CONNECTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(texts_go_both_ways),
        WORLD_TEST(ids_and_keys_are_asked_for_once),
        WORLD_TEST(request_for_a_key_arrives),
        WORLD_TEST(nothing_is_sent_without_a_key),
        WORLD_TEST(forged_keys_are_unreadable_and_change_nothing),
        WORLD_TEST(refused_key_is_not_used),
        WORLD_TEST(key_whose_receipt_was_lost_decrypts),
        WORLD_TEST(keys_of_the_console_end_with_it),
        WORLD_TEST(key_is_pinned_at_first_sight_and_a_changed_one_refused),
        WORLD_TEST(forgetting_ends_the_symmetric_keys_too),
        WORLD_TEST(user_with_a_new_id_and_the_old_key_is_found_again),
        WORLD_TEST(user_with_a_new_id_and_another_key_gets_nothing),
        WORLD_TEST(refusal_of_a_known_user_is_looked_into_once),
        WORLD_TEST(key_of_an_impostor_is_not_taken),
        WORLD_TEST(unknown_users_and_names_that_are_none),
        WORLD_TEST(list_of_users_is_visited_in_order_and_ended_early),
        WORLD_TEST(connection_that_was_closed_meanwhile_is_made_again),
        WORLD_TEST(server_whose_name_does_not_resolve_is_no_unknown_user),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
