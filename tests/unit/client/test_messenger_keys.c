/* Unit tests of <kesher/messages.h>: whose symmetric keys encrypt and which texts are marked, whatever the
 * other side, or whoever holds its id, sends. */
#include "unit/client/messenger_fixture.h"

#include "client/messenger/messenger_internal.h"
#include "crypto/content.h"

/* ---- what the other side may do ---- */

/* A type 2 in the name of alice, which anyone holding her id can have sent. */
static void send_key_as_alice(struct world *world, const char key[static 17])
{
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    encrypt_for(&world->bob, key, 16, encrypted);
    server_put(&world->server, &world->alice.id, KS_MESSAGE_KEY, encrypted, sizeof encrypted);
}

static void send_text_as_alice(struct world *world, const char key[static 17], const char *text)
{
    uint8_t content[64];
    size_t size = 0;
    struct ks_content_cipher *cipher = NULL;
    assert_int_equal(ks_content_encryptor_new((const uint8_t *)key, &cipher), KS_OK);
    assert_int_equal(ks_content_encrypt_last(cipher, (const uint8_t *)text, strlen(text), content, &size),
                     KS_OK);
    ks_content_cipher_free(cipher);
    server_put(&world->server, &world->alice.id, KS_MESSAGE_TEXT, content, size);
}

/* The last message of the queue is a text, and this key does not open it: its padding is wrong, or the text
 * is another. */
static void assert_unreadable_under(const struct world *world, const char key[static 17], const char *text)
{
    const uint8_t *content = world->server.queue + world->server.queue_size - 16;
    uint8_t plain[16];
    struct ks_content_cipher *cipher = NULL;
    assert_int_equal(ks_content_decryptor_new((const uint8_t *)key, &cipher), KS_OK);
    assert_int_equal(ks_content_cipher_blocks(cipher, content, plain, sizeof plain), KS_OK);
    ks_content_cipher_free(cipher);
    assert_true(strlen(text) < sizeof plain);
    assert_memory_not_equal(plain, text, strlen(text));
}

static const char foreign_key[] = "0123456789abcdef";
static const char other_key[] = "fedcba9876543210";

/* Takes in everything that waits; how many of it were keys. */
static unsigned take_in(const struct person *person)
{
    bool more = true;
    unsigned keys = 0;
    struct kesher_message message;
    while (more) {
        ASSERT_DONE(kesher_messenger_pull(person->messenger, &more, &last_error));
        while (kesher_messenger_next(person->messenger, &message, &last_error) == KESHER_OK) {
            assert_int_not_equal(message.content, KESHER_CONTENT_UNREADABLE);
            keys += message.type == KESHER_MESSAGE_KEY ? 1 : 0;
            done(person);
        }
    }
    return keys;
}

/* One of the two sends a text, which the other can read; how many keys went with it. */
static unsigned say(const struct person *from, const struct person *to)
{
    ASSERT_DONE(send_text(from, to, "something"));
    return take_in(to);
}

/* ---- sending ---- */

static void text_goes_under_a_key_of_ones_own_whatever_was_received(void **state)
{
    struct world *world = *state;
    send_key_as_alice(world, foreign_key);
    (void)take_in(&world->bob);
    ASSERT_DONE(send_text(&world->bob, &world->alice, "a secret"));
    assert_unreadable_under(world, foreign_key, "a secret");
    assert_int_equal(take_in(&world->alice), 1);
}

static void key_that_comes_later_does_not_become_the_one_for_sending(void **state)
{
    struct world *world = *state;
    (void)say(&world->bob, &world->alice);
    (void)say(&world->alice, &world->bob);
    for (int i = 0; i < 3; i++) {
        send_key_as_alice(world, i == 1 ? other_key : foreign_key);
        (void)take_in(&world->bob);
        ASSERT_DONE(send_text(&world->bob, &world->alice, "a secret"));
        assert_unreadable_under(world, foreign_key, "a secret");
        assert_unreadable_under(world, other_key, "a secret");
        (void)take_in(&world->alice);
        person_restart(world, &world->bob);
    }
}

static void accepted_key_does_not_become_the_one_for_sending(void **state)
{
    struct world *world = *state;
    send_key_as_alice(world, foreign_key);
    (void)take_in(&world->bob);
    ASSERT_DONE(kesher_messenger_accept_key(world->bob.messenger, "alice", &last_error));
    ASSERT_DONE(send_text(&world->bob, &world->alice, "a secret"));
    assert_unreadable_under(world, foreign_key, "a secret");
}

/* A contact as an older home has it, whose key for sending may have come from anybody. */
static void key_of_an_older_home_is_not_used_for_sending_and_decrypts_still(void **state)
{
    struct world *world = *state;
    char path[200];
    char text[600];
    char public_key[400];
    struct ks_buffer base64 = ks_buffer_empty(sizeof public_key);
    assert_int_equal(ks_base64_encode(world->alice.public_key, KS_PUBLIC_KEY_SIZE, &base64), KS_OK);
    memcpy(public_key, base64.bytes, base64.size);
    public_key[base64.size] = '\0';
    ks_buffer_free(&base64);
    (void)say(&world->alice, &world->bob); /* makes the file */
    assert_true(snprintf(path, sizeof path, "%s/contacts", world->bob.path) > 0);
    struct kesher_home *contacts = NULL;
    assert_int_equal(kesher_home_open(path, &contacts, NULL), KESHER_OK);
    int size = snprintf(text, sizeof text,
                        "kesher contact 1\nname alice\nid 61616161616161616161616161616161\npublic-key %s\n"
                        "sending 30313233343536373839616263646566\nend\n",
                        public_key);
    assert_true(size > 0 && (size_t)size < sizeof text);
    const struct ks_buffer bytes = {.bytes = (uint8_t *)text, .size = (size_t)size};
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    assert_int_equal(ks_contact_file_name("alice", file_name), KS_OK);
    assert_int_equal(ks_home_files_write(contacts, file_name, &bytes, NULL), KESHER_OK);
    kesher_home_close(contacts);

    person_restart(world, &world->bob);
    ASSERT_DONE(send_text(&world->bob, &world->alice, "a secret"));
    assert_unreadable_under(world, foreign_key, "a secret");
    assert_int_equal(take_in(&world->alice), 1);
    send_text_as_alice(world, foreign_key, "an old text");
    pull(&world->bob, true);
    assert_int_equal(expect_text(&world->bob, &world->alice, "an old text"), KESHER_KEY_MARK_NEW);
}

/* ---- sharing again ---- */

/* However often both look and write, no key goes out any more. */
static void two_of_us_come_to_rest_after_one_exchange(void **state)
{
    struct world *world = *state;
    assert_int_equal(say(&world->alice, &world->bob), 1);
    assert_int_equal(say(&world->bob, &world->alice), 1);
    assert_int_equal(say(&world->alice, &world->bob), 1); /* bob's key was new: he may have lost hers */
    for (int i = 0; i < 5; i++) {
        assert_int_equal(say(&world->bob, &world->alice), 0);
        assert_int_equal(say(&world->alice, &world->bob), 0);
    }
}

static void two_of_us_come_to_rest_when_both_begin_at_once(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "from alice"));
    uint8_t *first = unit_exact_copy(world->server.queue, world->server.queue_size);
    size_t first_size = world->server.queue_size;
    world->server.queue_size = 0;
    ASSERT_DONE(send_text(&world->bob, &world->alice, "from bob"));
    assert_int_equal(take_in(&world->alice), 1);
    memcpy(world->server.queue, first, first_size);
    world->server.queue_size = first_size;
    free(first);
    assert_int_equal(take_in(&world->bob), 1);
    assert_int_equal(say(&world->alice, &world->bob), 1);
    assert_int_equal(say(&world->bob, &world->alice), 1);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(say(&world->alice, &world->bob), 0);
        assert_int_equal(say(&world->bob, &world->alice), 0);
    }
}

static void same_key_is_shared_again_after_a_request_and_after_a_new_key(void **state)
{
    struct world *world = *state;
    (void)say(&world->bob, &world->alice);
    assert_int_equal(say(&world->bob, &world->alice), 0);
    ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
    (void)take_in(&world->bob);
    person_restart(world, &world->bob); /* it is remembered */
    assert_int_equal(say(&world->bob, &world->alice), 1);
    assert_int_equal(say(&world->bob, &world->alice), 0);
    send_key_as_alice(world, foreign_key);
    (void)take_in(&world->bob);
    person_restart(world, &world->bob);
    assert_int_equal(say(&world->bob, &world->alice), 1);
    send_key_as_alice(world, foreign_key); /* seen before */
    (void)take_in(&world->bob);
    assert_int_equal(say(&world->bob, &world->alice), 0);
    /* All of that was one key, since alice has read everything under the first one that she was given. */
    struct ks_contact contact;
    assert_int_equal(ks_contacts_load(&world->alice.messenger->contacts, "bob", &contact, NULL), KESHER_OK);
    assert_int_equal(contact.ring.received_count, 1);
    ks_contact_wipe(&contact);
}

static void request_before_anything_was_sent_shares_once(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
    (void)take_in(&world->bob);
    assert_int_equal(say(&world->bob, &world->alice), 1);
    assert_int_equal(say(&world->bob, &world->alice), 0);
}

static void key_that_could_not_be_shared_again_is_shared_before_the_next_text(void **state)
{
    struct world *world = *state;
    (void)say(&world->bob, &world->alice);
    ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
    (void)take_in(&world->bob);
    server_lie(&world->server, 603, 9000);
    ASSERT_FAILS(send_text(&world->bob, &world->alice, "x"), KESHER_REFUSED);
    server_lie(&world->server, 603, 0);
    ASSERT_FAILS(send_text(&world->bob, &world->alice, "x"), KESHER_CONNECTION);
    assert_int_equal(say(&world->bob, &world->alice), 1);
    assert_int_equal(say(&world->bob, &world->alice), 0);
}

static void shared_anew_is_used_from_then_on_and_not_shared_again(void **state)
{
    struct world *world = *state;
    (void)say(&world->alice, &world->bob);
    share_key(&world->alice, &world->bob);
    assert_int_equal(say(&world->alice, &world->bob), 1); /* the one of share_key */
    assert_int_equal(say(&world->alice, &world->bob), 0);
}

/* It has lost its keys, and makes a new one, as clients of the course do after each start. */
static void client_that_lost_its_keys_can_read_us_again(void **state)
{
    struct world *world = *state;
    world->alice.is_classic = true;
    person_restart(world, &world->alice);
    share_key(&world->alice, &world->bob);
    (void)take_in(&world->bob);
    assert_int_equal(say(&world->bob, &world->alice), 1);
    assert_int_equal(say(&world->alice, &world->bob), 0); /* under bob's, the newest that she has */
    for (int i = 0; i < 2; i++) {
        person_restart(world, &world->alice);
        share_key(&world->alice, &world->bob);
        (void)take_in(&world->bob);
        assert_int_equal(say(&world->bob, &world->alice), 1);
        person_restart(world, &world->alice);
        ASSERT_DONE(kesher_messenger_request_key(world->alice.messenger, "bob", &last_error));
        (void)take_in(&world->bob);
        assert_int_equal(say(&world->bob, &world->alice), 1);
        assert_int_equal(say(&world->alice, &world->bob), 0);
        assert_int_equal(say(&world->bob, &world->alice), 0);
    }
}

/* ---- marks ---- */

static void texts_under_a_key_that_nobody_accepted_are_marked(void **state)
{
    struct world *world = *state;
    send_key_as_alice(world, foreign_key);
    send_text_as_alice(world, foreign_key, "one");
    send_text_as_alice(world, foreign_key, "two");
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_int_equal(next(&world->bob).mark, KESHER_KEY_MARK_NEW);
    person_restart(world, &world->bob); /* it was not shown yet */
    assert_int_equal(expect_text(&world->bob, &world->alice, "one"), KESHER_KEY_MARK_NEW);
    assert_int_equal(next(&world->bob).mark, KESHER_KEY_MARK_UNACCEPTED);
    person_restart(world, &world->bob);
    assert_int_equal(expect_text(&world->bob, &world->alice, "two"), KESHER_KEY_MARK_UNACCEPTED);

    ASSERT_DONE(kesher_messenger_accept_key(world->bob.messenger, "alice", &last_error));
    ASSERT_FAILS(kesher_messenger_accept_key(world->bob.messenger, "alice", &last_error), KESHER_NOT_FOUND);
    send_text_as_alice(world, foreign_key, "three");
    send_key_as_alice(world, other_key);
    send_text_as_alice(world, other_key, "four");
    send_text_as_alice(world, foreign_key, "five");
    pull(&world->bob, true);
    assert_int_equal(expect_text(&world->bob, &world->alice, "three"), KESHER_KEY_MARK_NONE);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_int_equal(expect_text(&world->bob, &world->alice, "four"), KESHER_KEY_MARK_NEW);
    assert_int_equal(expect_text(&world->bob, &world->alice, "five"), KESHER_KEY_MARK_NONE);
}

static void texts_under_ones_own_key_are_not_marked(void **state)
{
    struct world *world = *state;
    world->alice.is_classic = true;
    person_restart(world, &world->alice);
    (void)say(&world->bob, &world->alice);
    for (int i = 0; i < 2; i++) {
        ASSERT_DONE(send_text(&world->alice, &world->bob, "an answer"));
        pull(&world->bob, true);
        assert_int_equal(expect_text(&world->bob, &world->alice, "an answer"), KESHER_KEY_MARK_NONE);
        share_key(&world->bob, &world->alice);
        world->server.queue_size = 0; /* alice goes on under the one before, which is still one's own */
    }
}

static void files_are_marked_as_texts_are(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_FILE, "content", 7, true));
    ASSERT_DONE(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_FILE, "content", 7, true));
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_int_equal(expect(&world->bob, KESHER_MESSAGE_FILE, KESHER_CONTENT_FILE).mark, KESHER_KEY_MARK_NEW);
    assert_int_equal(expect(&world->bob, KESHER_MESSAGE_FILE, KESHER_CONTENT_FILE).mark,
                     KESHER_KEY_MARK_UNACCEPTED);
}

static void flood_of_keys_leaves_what_we_have(void **state)
{
    struct world *world = *state;
    world->alice.is_classic = true;
    person_restart(world, &world->alice);
    (void)say(&world->bob, &world->alice);
    (void)say(&world->alice, &world->bob);
    for (int i = 0; i < KS_KEY_RING_RECEIVED + 10; i++) {
        char key[17];
        assert_int_equal(snprintf(key, sizeof key, "flood %010d", i), 16);
        send_key_as_alice(world, key);
    }
    (void)take_in(&world->bob);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "under bob's own"));
    pull(&world->bob, true);
    assert_int_equal(expect_text(&world->bob, &world->alice, "under bob's own"), KESHER_KEY_MARK_NONE);
}

/* ---- the console ---- */

static void console_uses_the_newest_key_and_marks_nothing(void **state)
{
    struct world *world = *state;
    world->bob.is_classic = true;
    person_restart(world, &world->bob);
    share_key(&world->bob, &world->alice);
    (void)take_in(&world->alice);
    send_key_as_alice(world, foreign_key);
    send_text_as_alice(world, foreign_key, "hello");
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_int_equal(expect_text(&world->bob, &world->alice, "hello"), KESHER_KEY_MARK_NONE);
    ASSERT_DONE(send_text(&world->bob, &world->alice, "hello"));
    pull(&world->alice, true);
    (void)expect(&world->alice, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE); /* it was not her key */
    share_key(&world->bob, &world->alice);
    world->server.queue_size = 0;
    send_key_as_alice(world, foreign_key); /* known, and the newest all the same */
    (void)take_in(&world->bob);
    struct ks_contact contact;
    assert_int_equal(ks_contacts_load(&world->bob.messenger->contacts, "alice", &contact, NULL), KESHER_OK);
    assert_memory_equal(contact.ring.sending.bytes, foreign_key, 16);
    ks_contact_wipe(&contact);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(text_goes_under_a_key_of_ones_own_whatever_was_received),
        WORLD_TEST(key_that_comes_later_does_not_become_the_one_for_sending),
        WORLD_TEST(accepted_key_does_not_become_the_one_for_sending),
        WORLD_TEST(key_of_an_older_home_is_not_used_for_sending_and_decrypts_still),
        WORLD_TEST(two_of_us_come_to_rest_after_one_exchange),
        WORLD_TEST(two_of_us_come_to_rest_when_both_begin_at_once),
        WORLD_TEST(same_key_is_shared_again_after_a_request_and_after_a_new_key),
        WORLD_TEST(request_before_anything_was_sent_shares_once),
        WORLD_TEST(key_that_could_not_be_shared_again_is_shared_before_the_next_text),
        WORLD_TEST(shared_anew_is_used_from_then_on_and_not_shared_again),
        WORLD_TEST(client_that_lost_its_keys_can_read_us_again),
        WORLD_TEST(texts_under_a_key_that_nobody_accepted_are_marked),
        WORLD_TEST(texts_under_ones_own_key_are_not_marked),
        WORLD_TEST(files_are_marked_as_texts_are),
        WORLD_TEST(flood_of_keys_leaves_what_we_have),
        WORLD_TEST(console_uses_the_newest_key_and_marks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
