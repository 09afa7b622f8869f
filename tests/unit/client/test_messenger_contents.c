/* Unit tests of <kesher/messages.h>: what comes unreadable and comes again, and contents of all sizes, sent
 * and received. */
#include "unit/client/messenger_fixture.h"

/* ---- unreadable messages ---- */

/* Takes the waiting messages out of the server. */
static uint8_t *take_queue(struct server *server, size_t *size)
{
    *size = server->queue_size;
    server->queue_size = 0;
    return unit_exact_copy(server->queue, *size);
}

static void put_queue(struct server *server, uint8_t *bytes, size_t size)
{
    assert_true(server->queue_size + size <= SERVER_QUEUE);
    memcpy(server->queue + server->queue_size, bytes, size);
    server->queue_size += size;
    free(bytes);
}

static void unreadable_texts_come_again_in_order_when_the_key_does(void **state)
{
    struct world *world = *state;
    size_t size = 0;
    share_key(&world->alice, &world->bob);
    uint8_t *key = take_queue(&world->server, &size);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "one"));
    ASSERT_DONE(send_text(&world->alice, &world->bob, "two"));
    pull(&world->bob, true);
    struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_false(message.again);
    assert_int_equal(message.content_size, 16);
    assert_string_equal(message.sender.name, "alice");
    person_restart(world, &world->bob);
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_nothing_next(&world->bob);
    person_restart(world, &world->bob);
    assert_nothing_next(&world->bob);

    put_queue(&world->server, key, size);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "three"));
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    message = next(&world->bob);
    assert_true(message.again);
    assert_text(&world->bob, "one");
    message = next(&world->bob); /* not done with */
    assert_true(message.again);
    assert_text(&world->bob, "one");
    person_restart(world, &world->bob);
    expect_text(&world->bob, &world->alice, "one");
    expect_text(&world->bob, &world->alice, "two");
    message = next(&world->bob);
    assert_false(message.again);
    assert_text(&world->bob, "three");
    done(&world->bob);
    assert_nothing_next(&world->bob);
    person_restart(world, &world->bob);
    assert_nothing_next(&world->bob);
}

static void contents_that_can_never_be_read_do_not_come_again(void **state)
{
    struct world *world = *state;
    server_put(&world->server, &world->alice.id, KS_MESSAGE_TEXT, NULL, 0);
    server_put(&world->server, &world->alice.id, KS_MESSAGE_FILE, "fifteen bytes..", 15);
    server_put(&world->server, &world->alice.id, 5, "sixteen bytes...", 16);
    server_put(&world->server, &world->alice.id, 0, NULL, 0);
    share_key(&world->alice, &world->bob);
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    (void)expect(&world->bob, KESHER_MESSAGE_FILE, KESHER_CONTENT_UNREADABLE);
    (void)expect(&world->bob, 5, KESHER_CONTENT_UNREADABLE);
    (void)expect(&world->bob, 0, KESHER_CONTENT_UNREADABLE);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_nothing_next(&world->bob);
}

static void strangers_have_no_name_and_one_list_serves_a_pull(void **state)
{
    struct world *world = *state;
    struct ks_client_id stranger;
    for (int letter = 'p'; letter <= 'z'; letter++) {
        memset(stranger.bytes, letter, sizeof stranger.bytes);
        server_put(&world->server, &stranger, KS_MESSAGE_KEY_REQUEST, NULL, 0);
        server_put(&world->server, &world->alice.id, KS_MESSAGE_KEY_REQUEST, NULL, 0);
    }
    pull(&world->bob, true);
    for (int letter = 'p'; letter <= 'z'; letter++) {
        struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_KEY_REQUEST, KESHER_CONTENT_NONE);
        assert_string_equal(message.sender.name, "");
        assert_int_equal(message.sender.id[15], letter);
        message = expect(&world->bob, KESHER_MESSAGE_KEY_REQUEST, KESHER_CONTENT_NONE);
        assert_string_equal(message.sender.name, "alice");
    }
    ASSERT_TRAIL(&world->server, 604, 601);
}

static void messages_come_without_names_when_there_is_no_list(void **state)
{
    struct world *world = *state;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "hello"));
    pull(&world->bob, true);
    server_lie(&world->server, 601, 9000);
    struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_UNREADABLE);
    assert_string_equal(message.sender.name, "");
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_nothing_next(&world->bob);
    person_restart(world, &world->bob); /* with a list, both can be read */
    message = expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_true(message.again);
    expect_text(&world->bob, &world->alice, "hello");
}

/* ---- contents ---- */

static void assert_saved(const struct kesher_message *message, const char *path, const uint8_t *bytes,
                         size_t size)
{
    struct stat status;
    assert_string_equal(message->path, path);
    assert_int_equal(message->content_size, size);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, size);
    uint8_t *saved = malloc(size + 1);
    assert_non_null(saved);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_true(server_read(fd, saved, size));
    assert_memory_equal(saved, bytes, size);
    close(fd);
    free(saved);
}

static void files_of_any_size_are_saved_under_new_names(void **state)
{
    struct world *world = *state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 16 * 1024 - 1, 16 * 1024, 65536 - 44, 65536, 1000003};
    uint8_t *bytes = malloc(1000003);
    assert_non_null(bytes);
    for (size_t i = 0; i < 1000003; i++)
        bytes[i] = (uint8_t)(i * 31 + (i >> 9));
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1);
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        char path[200];
        world->server.next_id = 7; /* of the same number, so that the names meet */
        ASSERT_DONE(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_FILE, bytes, sizes[i], false));
        pull(&world->bob, true);
        assert_true(snprintf(path, sizeof path, i == 0 ? "%s/alice-7" : "%s/alice-7-%zu", world->bob.files,
                             i + 1) > 0);
        struct kesher_message message = expect(&world->bob, KESHER_MESSAGE_FILE, KESHER_CONTENT_FILE);
        assert_saved(&message, path, bytes, sizes[i]);
    }
    free(bytes);
}

static void long_texts_are_read_in_pieces(void **state)
{
    struct world *world = *state;
    enum { SIZE = 300000 };
    char *text = malloc(SIZE);
    assert_non_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (char)('a' + i % 26);
    ASSERT_DONE(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_TEXT, text, SIZE, true));
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_int_equal(next(&world->bob).content_size, SIZE);
    size_t total = 0;
    for (size_t size = 1; size > 0; total += size) {
        char piece[777];
        ASSERT_DONE(kesher_messenger_read(world->bob.messenger, piece, sizeof piece, &size, &last_error));
        assert_true(total + size <= SIZE);
        assert_memory_equal(piece, text + total, size);
    }
    assert_int_equal(total, SIZE);
    done(&world->bob);
    free(text);
}

static void what_cannot_be_sent_is_told_before_anything_is(void **state)
{
    struct world *world = *state;
    struct kesher_receipt receipt;
    int fd = text_file("short", 5);
    struct kesher_messenger *alice = world->alice.messenger;
    share_key(&world->alice, &world->bob);
    size_t before = world->server.queue_size;
    ASSERT_FAILS(kesher_messenger_send(alice, "bob", KESHER_MESSAGE_TEXT, fd, 6, true, &receipt, &last_error),
                 KESHER_FILE);
    ASSERT_FAILS(kesher_messenger_send(alice, "bob", KESHER_MESSAGE_FILE, -1, 6, true, &receipt, &last_error),
                 KESHER_FILE);
    ASSERT_FAILS(
        kesher_messenger_send(alice, "bob", KESHER_MESSAGE_FILE, fd, UINT32_MAX, true, &receipt, &last_error),
        KESHER_FILE);
    ASSERT_FAILS(kesher_messenger_send(alice, "bob", KESHER_MESSAGE_KEY, fd, 5, true, &receipt, &last_error),
                 KESHER_INVALID);
    assert_int_equal(world->server.queue_size, before);
    close(fd);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "still there"));
}

/* In the middle of the frame: the connection has to go, and the next call gets a new one. */
static void file_that_becomes_shorter_while_it_is_sent(void **state)
{
    struct world *world = *state;
    char *bytes = calloc(1, 300000);
    assert_non_null(bytes);
    int fd = text_file(bytes, 300000);
    free(bytes);
    share_key(&world->alice, &world->bob);
    ASSERT_FAILS(kesher_messenger_send(world->alice.messenger, "bob", KESHER_MESSAGE_FILE, fd, 400000, true,
                                       NULL, &last_error),
                 KESHER_FILE);
    close(fd);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "still there"));
}

static void message_is_not_sent_twice_when_its_receipt_is_lost(void **state)
{
    struct world *world = *state;
    share_key(&world->alice, &world->bob);
    world->server.trail_size = 0;
    server_lie(&world->server, 603, 0);
    ASSERT_FAILS(send_text(&world->alice, &world->bob, "x"), KESHER_CONNECTION);
    ASSERT_TRAIL(&world->server, 603);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(unreadable_texts_come_again_in_order_when_the_key_does),
        WORLD_TEST(contents_that_can_never_be_read_do_not_come_again),
        WORLD_TEST(strangers_have_no_name_and_one_list_serves_a_pull),
        WORLD_TEST(messages_come_without_names_when_there_is_no_list),
        WORLD_TEST(files_of_any_size_are_saved_under_new_names),
        WORLD_TEST(long_texts_are_read_in_pieces),
        WORLD_TEST(what_cannot_be_sent_is_told_before_anything_is),
        WORLD_TEST(file_that_becomes_shorter_while_it_is_sent),
        WORLD_TEST(message_is_not_sent_twice_when_its_receipt_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
