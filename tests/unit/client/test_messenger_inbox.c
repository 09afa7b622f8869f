/* Unit tests of receiving: what was pulled comes once and in order, whatever crashes when. A crash is a
 * messenger that is closed without a word, and the files that it may leave behind. */
#include "unit/client/messenger_fixture.h"

#include "client/inbound/arrival.h"
#include "client/inbound/kept.h"
#include "client/inbound/seen.h"

#include <signal.h>
#include <sys/resource.h>

static unsigned files_with(const struct person *person, const char *suffix)
{
    char last[INBOX_PATH_SIZE];
    return inbox_files(person, suffix, last);
}

enum {
    FOREIGN_TYPE = 7,      /* comes without a content */
    RECEIVED = 1700000000, /* when what a crash left behind had come */
};

/* A message with one byte, so that messages can be told apart. */
static void put(struct world *world, char letter)
{
    server_put(&world->server, &world->alice.id, FOREIGN_TYPE, &letter, 1);
}

static void put_letters(struct world *world, const char *letters)
{
    for (; *letters != '\0'; letters++)
        put(world, *letters);
}

/* The ids of all messages that come, as digits. */
static const char *take_all(const struct person *person)
{
    static char ids[100];
    size_t count = 0;
    struct kesher_message message;
    while (kesher_messenger_next(person->messenger, &message, &last_error) == KESHER_OK) {
        assert_true(count < sizeof ids - 1);
        ids[count++] = (char)('0' + message.message_id);
        done(person);
    }
    ids[count] = '\0';
    return ids;
}

/* ---- once ---- */

static void messages_come_in_order_over_several_pulls(void **state)
{
    struct world *world = *state;
    put_letters(world, "abc");
    pull(&world->bob, true);
    put_letters(world, "de");
    pull(&world->bob, true);
    assert_int_equal(files_with(&world->bob, ".messages"), 2);
    assert_string_equal(take_all(&world->bob), "12345");
    assert_int_equal(files_with(&world->bob, ".messages"), 0);
    put(world, 'f');
    pull(&world->bob, true);
    assert_string_equal(take_all(&world->bob), "6");
}

static void message_comes_until_it_is_done_with(void **state)
{
    struct world *world = *state;
    put_letters(world, "abcd");
    pull(&world->bob, true);
    for (unsigned expected = 1; expected <= 4; expected++) {
        assert_int_equal(next(&world->bob).message_id, expected);
        assert_int_equal(next(&world->bob).message_id, expected);
        person_restart(world, &world->bob);
        assert_int_equal(next(&world->bob).message_id, expected);
        done(&world->bob);
        if (expected % 2 == 0)
            person_restart(world, &world->bob);
    }
    assert_nothing_next(&world->bob);
    ASSERT_FAILS(kesher_messenger_done(world->bob.messenger, &last_error), KESHER_INVALID);
}

static void messages_that_were_received_before_are_dropped(void **state)
{
    struct world *world = *state;
    bool more = false;
    world->server.keeps_queue = true;
    put_letters(world, "abc");
    pull(&world->bob, true);
    pull(&world->bob, true);
    assert_int_equal(files_with(&world->bob, ".messages"), 1);
    assert_string_equal(take_all(&world->bob), "123");
    person_restart(world, &world->bob);
    put(world, 'd');
    ASSERT_DONE(kesher_messenger_pull(world->bob.messenger, &more, &last_error));
    assert_string_equal(take_all(&world->bob), "4");
    assert_int_equal(files_with(&world->bob, ".tmp"), 0);
    assert_int_equal(files_with(&world->bob, ".incoming"), 0);
}

/* Its content is nothing and servers count from 1 again: the second one may be another than the first. */
static void request_for_a_key_that_comes_again_is_not_dropped(void **state)
{
    struct world *world = *state;
    bool more = false;
    world->server.keeps_queue = true;
    put(world, 'a');
    server_put(&world->server, &world->alice.id, KS_MESSAGE_KEY_REQUEST, NULL, 0);
    put(world, 'b');
    pull(&world->bob, true);
    pull(&world->bob, true);
    assert_string_equal(take_all(&world->bob), "1232");
    /* A server that deletes nothing is not asked for ever all the same. */
    ASSERT_DONE(kesher_messenger_pull(world->bob.messenger, &more, &last_error));
    assert_false(more);
    assert_string_equal(take_all(&world->bob), "2");
}

static void messages_among_known_ones_are_kept_in_order(void **state)
{
    struct world *world = *state;
    put_letters(world, "bdeg");
    pull(&world->bob, true);
    (void)take_all(&world->bob);
    world->server.next_id = 1;
    static const struct {
        uint32_t id;
        char letter;
    } again[] = {{9, 'a'}, {1, 'b'}, {5, 'c'}, {2, 'd'}, {3, 'e'}, {6, 'f'}, {4, 'g'}, {6, 'f'}, {7, 'h'}};
    for (size_t i = 0; i < KS_COUNT_OF(again); i++) {
        world->server.next_id = again[i].id;
        put(world, again[i].letter);
    }
    pull(&world->bob, true);
    assert_string_equal(take_all(&world->bob), "9567");
}

/* A server that counts from 1 again after its restart. */
static void same_id_with_other_content_type_or_sender_is_another_message(void **state)
{
    struct world *world = *state;
    put(world, 'a');
    world->server.next_id = 1;
    put(world, 'b');
    world->server.next_id = 1;
    server_put(&world->server, &world->bob.id, KS_MESSAGE_KEY_REQUEST, "a", 1);
    world->server.next_id = 1;
    server_put(&world->server, &world->alice.id, 5, "a", 1);
    world->server.next_id = 1;
    put(world, 'a'); /* this is the first one again */
    pull(&world->bob, true);
    assert_string_equal(take_all(&world->bob), "1111");
}

static void everything_of_a_large_pull_is_remembered(void **state)
{
    struct world *world = *state;
    enum { MESSAGES = KS_SEEN_MESSAGES + 5000 };
    world->server.keeps_queue = true;
    for (int i = 0; i < MESSAGES; i++)
        server_put(&world->server, &world->alice.id, FOREIGN_TYPE, NULL, 0);
    pull(&world->bob, true);
    for (int i = 1; i <= MESSAGES; i++) {
        assert_int_equal(next(&world->bob).message_id, i);
        done(&world->bob);
    }
    pull(&world->bob, true);
    assert_nothing_next(&world->bob);
    person_restart(world, &world->bob);
    put(world, 'x');
    pull(&world->bob, true);
    assert_int_equal(next(&world->bob).message_id, MESSAGES + 1);
    done(&world->bob);
    assert_nothing_next(&world->bob);
}

/* ---- crashes of the pull ---- */

static void pull_that_breaks_anywhere_leaves_nothing_and_comes_whole_later(void **state)
{
    struct world *world = *state;
    bool more = true;
    put_letters(world, "abc");
    for (size_t limit = 1; limit < world->server.queue_size; limit += 7) {
        world->server.pull_limit = limit;
        ASSERT_FAILS(kesher_messenger_pull(world->bob.messenger, &more, &last_error), KESHER_CONNECTION);
        assert_nothing_next(&world->bob);
        assert_int_equal(files_with(&world->bob, ".incoming"), 0);
        assert_int_equal(files_with(&world->bob, ".messages"), 0);
    }
    world->server.pull_limit = 0;
    pull(&world->bob, true);
    assert_string_equal(take_all(&world->bob), "123");
}

static void full_disk_leaves_everything_with_the_server(void **state)
{
    struct world *world = *state;
    struct rlimit before;
    bool more = false;
    static const uint8_t content[100000];
    world->server.keeps_queue = true;
    put(world, 'a');
    server_put(&world->server, &world->alice.id, KS_MESSAGE_KEY_REQUEST, content, sizeof content);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit small = {.rlim_cur = 50000, .rlim_max = before.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum kesher_status status = kesher_messenger_pull(world->bob.messenger, &more, &last_error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, KESHER_FILE);
    assert_non_null(strstr(last_error.sentence, world->bob.path));
    assert_int_equal(files_with(&world->bob, ".incoming"), 0);
    assert_nothing_next(&world->bob);
    pull(&world->bob, true);
    assert_string_equal(take_all(&world->bob), "12");
}

/* Leaves an .incoming of the number, with the first `size` bytes of the file that the server's queue makes.
 */
static void leave_incoming(const struct world *world, const struct person *person, unsigned number,
                           size_t size)
{
    char path[200];
    assert_true(snprintf(path, sizeof path, "%s/inbox/%016x.incoming", person->path, number) > 0);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ks_message_file_write_header(fd, (uint32_t)world->server.queue_size, RECEIVED), KS_OK);
    assert_int_equal(pwrite(fd, world->server.queue, world->server.queue_size, KS_MESSAGE_FILE_HEADER_SIZE),
                     world->server.queue_size);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

static void answer_that_was_whole_at_the_crash_is_taken_in(void **state)
{
    struct world *world = *state;
    put_letters(world, "abc");
    size_t whole = KS_MESSAGE_FILE_HEADER_SIZE + world->server.queue_size;
    for (size_t size = 0; size < whole; size++) {
        person_close(&world->bob);
        leave_incoming(world, &world->bob, 1, size);
        person_open(world, &world->bob);
        assert_nothing_next(&world->bob);
        assert_int_equal(files_with(&world->bob, ".incoming"), 0);
    }
    person_close(&world->bob);
    leave_incoming(world, &world->bob, 1, whole);
    person_open(world, &world->bob);
    assert_int_equal(files_with(&world->bob, ".incoming"), 0);
    pull(&world->bob, true); /* the server sends it again all the same */
    assert_string_equal(take_all(&world->bob), "123");
}

/* Its digests were written down, then came the crash: they must not make it look received before. */
static void answer_whose_digests_were_remembered_before_the_crash_is_not_lost(void **state)
{
    struct world *world = *state;
    char name[300];
    char crashed[300];
    put_letters(world, "abcb");
    pull(&world->bob, true);
    person_close(&world->bob);
    assert_true(snprintf(name, sizeof name, "%s/inbox/%016x.messages", world->bob.path, 1) > 0);
    assert_true(snprintf(crashed, sizeof crashed, "%s/inbox/%016x.incoming", world->bob.path, 1) > 0);
    assert_int_equal(rename(name, crashed), 0);
    person_open(world, &world->bob);
    assert_string_equal(take_all(&world->bob), "1234");
}

static void answer_that_was_visible_at_the_crash_is_not_taken_in_twice(void **state)
{
    struct world *world = *state;
    put_letters(world, "abc");
    size_t whole = KS_MESSAGE_FILE_HEADER_SIZE + world->server.queue_size;
    world->server.keeps_queue = true;
    pull(&world->bob, true);
    person_close(&world->bob);
    leave_incoming(world, &world->bob, 1, whole);
    person_open(world, &world->bob);
    assert_string_equal(take_all(&world->bob), "123");
    person_close(&world->bob);
    leave_incoming(world, &world->bob, 1, whole);
    person_open(world, &world->bob);
    assert_nothing_next(&world->bob);
    assert_int_equal(files_with(&world->bob, ".incoming"), 0);
}

static void left_over_answer_that_does_not_add_up_is_removed(void **state)
{
    struct world *world = *state;
    put(world, 'a');
    world->server.queue[21]++; /* content size */
    person_close(&world->bob);
    leave_incoming(world, &world->bob, 1, KS_MESSAGE_FILE_HEADER_SIZE + world->server.queue_size);
    person_open(world, &world->bob);
    assert_nothing_next(&world->bob);
    assert_int_equal(files_with(&world->bob, ".incoming"), 0);
}

/* ---- crashes of next and done ---- */

static void lost_progress_shows_again_and_loses_nothing(void **state)
{
    struct world *world = *state;
    static const char *const contents[] = {"", "garbage", "0000000000000001 0000000000000042 00000000\n"};
    put_letters(world, "abc");
    pull(&world->bob, true);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++) {
        assert_int_equal(next(&world->bob).message_id, 1);
        done(&world->bob);
        assert_int_equal(next(&world->bob).message_id, 2);
        person_close(&world->bob);
        char path[200];
        assert_true(snprintf(path, sizeof path, "%s/inbox/progress", world->bob.path) > 0);
        int fd = open(path, O_WRONLY | O_TRUNC);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, contents[i], strlen(contents[i])), strlen(contents[i]));
        close(fd);
        person_open(world, &world->bob);
    }
    assert_string_equal(take_all(&world->bob), "123");
}

static void finished_file_that_a_crash_left_is_removed(void **state)
{
    struct world *world = *state;
    char path[200];
    put_letters(world, "ab");
    pull(&world->bob, true);
    assert_true(snprintf(path, sizeof path, "%s/inbox/%016x.messages", world->bob.path, 1) > 0);
    char copy[220];
    assert_true(snprintf(copy, sizeof copy, "%s.copy", path) > 0);
    assert_int_equal(link(path, copy), 0);
    assert_string_equal(take_all(&world->bob), "12");
    assert_int_equal(rename(copy, path), 0);
    person_restart(world, &world->bob);
    assert_nothing_next(&world->bob);
    assert_int_equal(files_with(&world->bob, ".messages"), 0);
}

static void damaged_file_is_set_aside_and_the_others_come(void **state)
{
    struct world *world = *state;
    char path[200];
    put_letters(world, "ab");
    pull(&world->bob, true);
    put_letters(world, "cd");
    pull(&world->bob, true);
    assert_true(snprintf(path, sizeof path, "%s/inbox/%016x.messages", world->bob.path, 1) > 0);
    assert_int_equal(truncate(path, 30), 0);
    assert_string_equal(take_all(&world->bob), "34");
    assert_int_equal(files_with(&world->bob, ".damaged"), 1);
    assert_non_null(strstr(world->bob.notice, "damaged"));
}

/* The message was kept, but not done with yet. */
static void unreadable_message_comes_once_after_a_crash_in_done(void **state)
{
    struct world *world = *state;
    char progress[200];
    char saved[200];
    assert_true(snprintf(progress, sizeof progress, "%s/inbox/progress", world->bob.path) > 0);
    assert_true(snprintf(saved, sizeof saved, "%s/saved", world->bob.path) > 0);
    server_put(&world->server, &world->alice.id, KS_MESSAGE_TEXT, "sixteen bytes...", 16);
    put(world, 'a');
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_int_equal(files_with(&world->bob, ".kept"), 1);
    person_close(&world->bob);
    assert_int_equal(truncate(progress, 0), 0); /* as before done */
    person_open(world, &world->bob);
    assert_false(expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE).again);
    assert_int_equal(files_with(&world->bob, ".kept"), 1);
    (void)expect(&world->bob, FOREIGN_TYPE, KESHER_CONTENT_UNREADABLE);
    assert_nothing_next(&world->bob);
}

static void unreadable_messages_are_bounded_and_the_oldest_go(void **state)
{
    struct world *world = *state;
    enum { SURPLUS = 3 };
    for (int i = 0; i < KS_KEPT_MESSAGES + SURPLUS; i++)
        server_put(&world->server, &world->alice.id, KS_MESSAGE_TEXT, "sixteen bytes...", 16);
    pull(&world->bob, true);
    for (int i = 0; i < KS_KEPT_MESSAGES + SURPLUS; i++)
        (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_int_equal(files_with(&world->bob, ".kept"), KS_KEPT_MESSAGES);
    char path[200];
    assert_true(snprintf(path, sizeof path, "%s/inbox/%016x-%016x-%s.kept", world->bob.path, 1,
                         KS_MESSAGE_FILE_HEADER_SIZE + SURPLUS * 41, "61616161616161616161616161616161") > 0);
    assert_int_equal(access(path, F_OK), 0); /* the first of those that stay */
    person_restart(world, &world->bob);
    assert_nothing_next(&world->bob);
}

/* ---- several programs ---- */

static void two_programs_share_the_messages(void **state)
{
    struct world *world = *state;
    struct person other = {.name = "bob", .home = world->bob.home};
    strcpy(other.path, world->bob.path);
    strcpy(other.files, world->bob.files);
    person_open(world, &other);
    put_letters(world, "abcdef");
    pull(&other, true);
    for (unsigned expected = 1; expected <= 6; expected++) {
        const struct person *person = expected % 2 == 0 ? &world->bob : &other;
        assert_int_equal(next(person).message_id, expected);
        done(person);
    }
    assert_nothing_next(&world->bob);
    assert_nothing_next(&other);
    put_letters(world, "gh");
    pull(&world->bob, true);
    assert_int_equal(next(&other).message_id, 7);
    assert_nothing_next(&world->bob); /* as long as the other has one in hand */
    person_close(&other);
    assert_string_equal(take_all(&world->bob), "78");
}

static void key_that_another_program_took_in_makes_messages_readable(void **state)
{
    struct world *world = *state;
    struct person other = {.name = "bob", .home = world->bob.home};
    strcpy(other.path, world->bob.path);
    strcpy(other.files, world->bob.files);
    ASSERT_DONE(kesher_messenger_share_key(world->alice.messenger, "bob", &last_error));
    size_t key_size = world->server.queue_size;
    uint8_t *key = unit_exact_copy(world->server.queue, key_size);
    world->server.queue_size = 0;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "one"));
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_nothing_next(&world->bob);
    person_open(world, &other);
    memcpy(world->server.queue, key, key_size);
    world->server.queue_size = key_size;
    free(key);
    pull(&other, true);
    (void)expect(&other, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    expect_text(&world->bob, &world->alice, "one");
    assert_nothing_next(&other);
    person_close(&other);
}

static void received_messages_are_private(void **state)
{
    struct world *world = *state;
    char path[200];
    struct stat status;
    put(world, 'a');
    pull(&world->bob, true);
    assert_true(snprintf(path, sizeof path, "%s/inbox", world->bob.path) > 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(snprintf(path, sizeof path, "%s/inbox/%016x.messages", world->bob.path, 1) > 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(status.st_size, KS_MESSAGE_FILE_HEADER_SIZE + KS_WAITING_MESSAGE_FIXED_SIZE + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(messages_come_in_order_over_several_pulls),
        WORLD_TEST(message_comes_until_it_is_done_with),
        WORLD_TEST(messages_that_were_received_before_are_dropped),
        WORLD_TEST(request_for_a_key_that_comes_again_is_not_dropped),
        WORLD_TEST(messages_among_known_ones_are_kept_in_order),
        WORLD_TEST(same_id_with_other_content_type_or_sender_is_another_message),
        WORLD_TEST(everything_of_a_large_pull_is_remembered),
        WORLD_TEST(pull_that_breaks_anywhere_leaves_nothing_and_comes_whole_later),
        WORLD_TEST(full_disk_leaves_everything_with_the_server),
        WORLD_TEST(answer_that_was_whole_at_the_crash_is_taken_in),
        WORLD_TEST(answer_whose_digests_were_remembered_before_the_crash_is_not_lost),
        WORLD_TEST(answer_that_was_visible_at_the_crash_is_not_taken_in_twice),
        WORLD_TEST(left_over_answer_that_does_not_add_up_is_removed),
        WORLD_TEST(lost_progress_shows_again_and_loses_nothing),
        WORLD_TEST(finished_file_that_a_crash_left_is_removed),
        WORLD_TEST(damaged_file_is_set_aside_and_the_others_come),
        WORLD_TEST(unreadable_message_comes_once_after_a_crash_in_done),
        WORLD_TEST(unreadable_messages_are_bounded_and_the_oldest_go),
        WORLD_TEST(two_programs_share_the_messages),
        WORLD_TEST(key_that_another_program_took_in_makes_messages_readable),
        WORLD_TEST(received_messages_are_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
