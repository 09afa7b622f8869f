/* Unit tests of what stays in the inbox after it was shown: files that cannot be saved, which hold nothing
 * up, messages that nobody can read, and when all of them came. */
#include "unit/client/messenger_fixture.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "client/messenger/messenger_internal.h"

#include <errno.h>
#include <sys/syscall.h>

enum { FOREIGN_TYPE = 7 };

static bool has_links = true; /* there are file systems without hard links */

/* Takes the place of the system's, whose parameters have the C library's reserved names.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int linkat(int from, const char *old_path, int to, const char *new_path, int flags)
{
    if (has_links)
        return (int)syscall(SYS_linkat, from, old_path, to, new_path, flags);
    errno = EPERM;
    return -1;
}

/* The path of the one file of the inbox that ends in `suffix`; "" when there is none. */
static const char *path_with(const struct person *person, const char *suffix)
{
    static char found[INBOX_PATH_SIZE];
    assert_true(inbox_files(person, suffix, found) <= 1);
    return found;
}

static void send_file(const struct world *world, const char *content)
{
    ASSERT_DONE(send_bytes(&world->alice, &world->bob, KESHER_MESSAGE_FILE, content, strlen(content), true));
}

/* The next message is a file with this content, saved. */
static struct kesher_message expect_file(const struct person *person, const char *content)
{
    char bytes[100] = "";
    struct kesher_message message = expect(person, KESHER_MESSAGE_FILE, KESHER_CONTENT_FILE);
    int fd = open(message.path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, sizeof bytes), strlen(content));
    assert_string_equal(bytes, content);
    close(fd);
    return message;
}

static struct kesher_message expect_unsaved(const struct person *person)
{
    struct kesher_message message = expect(person, KESHER_MESSAGE_FILE, KESHER_CONTENT_UNSAVED);
    assert_non_null(strstr(message.reason, person->files));
    return message;
}

/* bob has a key of alice's, and nowhere to put files. */
static void take_key_without_directory(struct world *world)
{
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1);
    assert_int_equal(rmdir(world->bob.files), 0);
}

static void make_directory(const struct world *world)
{
    assert_int_equal(mkdir(world->bob.files, 0700), 0);
}

/* bob is shown a file that cannot be saved, and what came before and after it. */
static void expect_unsaved_between_texts(struct world *world)
{
    take_key_without_directory(world);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "before"));
    send_file(world, "content");
    ASSERT_DONE(send_text(&world->alice, &world->bob, "after"));
    pull(&world->bob, true);
    (void)expect_text(&world->bob, &world->alice, "before");
    (void)expect_unsaved(&world->bob);
    (void)expect_text(&world->bob, &world->alice, "after");
    assert_nothing_next(&world->bob);
}

/* ---- files that cannot be saved ---- */

static void file_that_cannot_be_saved_holds_up_nothing(void **state)
{
    struct world *world = *state;
    expect_unsaved_between_texts(world);
    assert_int_equal(kesher_messenger_unsaved(world->bob.messenger, &last_error), 1);
    assert_non_null(strstr(last_error.sentence, world->bob.files));
}

static void such_a_file_comes_again_when_it_can_be_saved(void **state)
{
    struct world *world = *state;
    take_key_without_directory(world);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "before"));
    send_file(world, "content");
    pull(&world->bob, true);
    (void)expect_text(&world->bob, &world->alice, "before");
    struct kesher_message first = expect_unsaved(&world->bob);
    assert_false(first.again);
    assert_nothing_next(&world->bob);
    make_directory(world);
    struct kesher_message again = expect_file(&world->bob, "content");
    assert_true(again.again);
    assert_int_equal(again.message_id, first.message_id);
    assert_int_equal(again.received, first.received);
    assert_int_equal(kesher_messenger_unsaved(world->bob.messenger, &last_error), 0);
    assert_nothing_next(&world->bob);
    assert_string_equal(path_with(&world->bob, ".unsaved"), "");
    assert_string_equal(path_with(&world->bob, ".messages"), "");
}

static void such_a_file_is_not_shown_again_while_it_cannot_be_saved(void **state)
{
    struct world *world = *state;
    take_key_without_directory(world);
    send_file(world, "content");
    pull(&world->bob, true);
    (void)expect_unsaved(&world->bob);
    for (int i = 0; i < 3; i++) {
        assert_nothing_next(&world->bob);
        person_restart(world, &world->bob);
        assert_nothing_next(&world->bob);
        assert_int_equal(kesher_messenger_unsaved(world->bob.messenger, &last_error), 1);
        assert_non_null(strstr(last_error.sentence, world->bob.files));
    }
    make_directory(world);
    (void)expect_file(&world->bob, "content");
}

static void such_a_file_is_shown_as_such_until_it_is_done_with(void **state)
{
    struct world *world = *state;
    take_key_without_directory(world);
    send_file(world, "content");
    pull(&world->bob, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(next(&world->bob).content, KESHER_CONTENT_UNSAVED);
        person_restart(world, &world->bob);
    }
    assert_string_equal(path_with(&world->bob, ".unsaved"), "");
    make_directory(world);
    assert_false(expect_file(&world->bob, "content").again);
}

static void several_in_one_answer_keep_their_contents(void **state)
{
    struct world *world = *state;
    static const char *const contents[] = {"one", "", "three", "four"};
    take_key_without_directory(world);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++)
        send_file(world, contents[i]);
    pull(&world->bob, true);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++)
        (void)expect_unsaved(&world->bob);
    assert_nothing_next(&world->bob);
    make_directory(world);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++)
        (void)expect_file(&world->bob, contents[i]);
    assert_nothing_next(&world->bob);
}

/* The crash comes between keeping it and being done with it: it is kept, and among the others, too. */
static void file_that_was_kept_at_a_crash_comes_once(void **state)
{
    struct world *world = *state;
    take_key_without_directory(world);
    send_file(world, "content");
    ASSERT_DONE(send_text(&world->alice, &world->bob, "after"));
    pull(&world->bob, true);
    const struct ks_client_inbox *inbox = &world->bob.messenger->inbox;
    uint64_t sequence = 0;
    uint64_t offset = 0;
    assert_int_equal(ks_client_inbox_progress(inbox, &sequence, &offset, NULL), KESHER_OK);
    char frame[KS_CLIENT_INBOX_NAME_SIZE];
    char link_name[KS_CLIENT_INBOX_NAME_SIZE];
    char sender[2 * KS_CLIENT_ID_SIZE + 1];
    ks_text_to_hex(world->alice.id.bytes, KS_CLIENT_ID_SIZE, sender);
    ks_client_inbox_name(sequence + 1, "messages", frame);
    assert_true(snprintf(link_name, sizeof link_name, "%016llx-%016x-%s.unsaved",
                         (unsigned long long)sequence + 1, KS_MESSAGE_FILE_HEADER_SIZE, sender) > 0);
    int directory_fd = inbox->directory->directory_fd;
    assert_int_equal(linkat(directory_fd, frame, directory_fd, link_name, 0), 0);
    (void)expect_unsaved(&world->bob);
    (void)expect_text(&world->bob, &world->alice, "after");
    assert_nothing_next(&world->bob);
    make_directory(world);
    (void)expect_file(&world->bob, "content");
    assert_nothing_next(&world->bob);
}

/* Else everything would be shown again. */
static void progress_that_the_disk_does_not_give_is_a_failure(void **state)
{
    struct world *world = *state;
    struct kesher_message message;
    struct kesher_error error;
    take_key_without_directory(world);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "once"));
    pull(&world->bob, true);
    const struct ks_client_inbox *inbox = &world->bob.messenger->inbox;
    int progress_fd = dup(inbox->progress_fd);
    assert_true(progress_fd >= 0);
    assert_int_equal(dup2(inbox->directory->directory_fd, inbox->progress_fd), inbox->progress_fd);
    assert_int_equal(kesher_messenger_next(world->bob.messenger, &message, &error), KESHER_FILE);
    assert_int_equal(dup2(progress_fd, inbox->progress_fd), inbox->progress_fd);
    close(progress_fd);
    (void)expect_text(&world->bob, &world->alice, "once");
    assert_nothing_next(&world->bob);
}

/* The file that waits is a copy there. */
/* A power cut takes the progress: what was saved comes again, behind what came after it and was kept. */
static void files_come_in_order_and_once_after_a_power_cut(void **state)
{
    struct world *world = *state;
    static const char *const contents[] = {"one", "two", "three", "four"};
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++)
        send_file(world, contents[i]);
    ASSERT_DONE(send_text(&world->alice, &world->bob, "after"));
    pull(&world->bob, true);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(unlink(expect_file(&world->bob, contents[i]).path), 0);
    assert_int_equal(rmdir(world->bob.files), 0);
    for (size_t i = 2; i < KS_COUNT_OF(contents); i++)
        (void)expect_unsaved(&world->bob);
    assert_int_equal(ftruncate(world->bob.messenger->inbox.progress_fd, 0), 0);
    person_restart(world, &world->bob);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++)
        (void)expect_unsaved(&world->bob);
    (void)expect_text(&world->bob, &world->alice, "after");
    assert_nothing_next(&world->bob);
    make_directory(world);
    for (size_t i = 0; i < KS_COUNT_OF(contents); i++)
        (void)expect_file(&world->bob, contents[i]);
    assert_nothing_next(&world->bob);
}

static void without_hard_links_it_holds_up_nothing_either(void **state)
{
    struct world *world = *state;
    has_links = false;
    expect_unsaved_between_texts(world);
    has_links = true;
    person_restart(world, &world->bob);
    make_directory(world);
    (void)expect_file(&world->bob, "content");
    assert_nothing_next(&world->bob);
    assert_string_equal(path_with(&world->bob, ".unsaved"), "");
}

/* ---- the home's own directory ---- */

static void without_a_directory_files_go_to_the_home(void **state)
{
    struct world *world = *state;
    struct stat status;
    char expected[200];
    char *real = realpath(world->bob.path, NULL);
    assert_non_null(real);
    person_close(&world->bob);
    const struct kesher_messenger_settings settings = {.classic = false};
    ASSERT_DONE(kesher_messenger_open(world->bob.home, world->server.address, &settings, NULL,
                                      &world->bob.messenger, &last_error));
    share_key(&world->alice, &world->bob);
    take_keys(&world->bob, 1);
    assert_true(snprintf(expected, sizeof expected, "%s/received", world->bob.path) > 0);
    assert_int_equal(stat(expected, &status), -1);
    send_file(world, "content");
    pull(&world->bob, true);
    struct kesher_message message = expect_file(&world->bob, "content");
    assert_int_equal(stat(expected, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_true(snprintf(expected, sizeof expected, "%s/received/alice-2", real) > 0);
    assert_string_equal(message.path, expected);
    free(real);
}

/* ---- discarding ---- */

/* A text of alice's under a key that bob never gets. */
static uint32_t put_unreadable(struct world *world)
{
    static const uint8_t content[16] = {0x5a};
    return server_put(&world->server, &world->alice.id, KESHER_MESSAGE_TEXT, content, sizeof content);
}

static void what_was_shown_as_unreadable_is_discarded_in_order(void **state)
{
    struct world *world = *state;
    struct kesher_message message;
    uint32_t ids[] = {put_unreadable(world), put_unreadable(world)};
    pull(&world->bob, true);
    assert_int_equal(kesher_messenger_discard(world->bob.messenger, &message, &last_error), KESHER_NOT_FOUND);
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++)
        (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    for (size_t i = 0; i < KS_COUNT_OF(ids); i++) {
        ASSERT_DONE(kesher_messenger_discard(world->bob.messenger, &message, &last_error));
        assert_int_equal(message.message_id, ids[i]);
        assert_string_equal(message.sender.name, "alice");
    }
    assert_int_equal(kesher_messenger_discard(world->bob.messenger, &message, &last_error), KESHER_NOT_FOUND);
    person_restart(world, &world->bob);
    assert_nothing_next(&world->bob);
}

/* Its key has come meanwhile, and nobody has asked for the next message since. */
static void what_has_become_readable_is_not_discarded(void **state)
{
    struct world *world = *state;
    struct kesher_message message;
    share_key(&world->alice, &world->bob);
    world->server.queue_size = 0;
    ASSERT_DONE(send_text(&world->alice, &world->bob, "hello"));
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    struct ks_symmetric_key key;
    struct ks_contact contact;
    assert_int_equal(ks_contacts_load(&world->alice.messenger->contacts, "bob", &contact, NULL), KESHER_OK);
    key = contact.ring.sending;
    uint8_t encrypted[KS_RSA_ENCRYPTED_SIZE];
    encrypt_for(&world->bob, key.bytes, sizeof key.bytes, encrypted);
    server_put(&world->server, &world->alice.id, KESHER_MESSAGE_KEY, encrypted, sizeof encrypted);
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_int_equal(kesher_messenger_discard(world->bob.messenger, &message, &last_error), KESHER_NOT_FOUND);
    (void)expect_text(&world->bob, &world->alice, "hello");
}

/* Another program has pulled what was not shown yet. */
static void nothing_is_discarded_while_messages_wait_to_be_shown(void **state)
{
    struct world *world = *state;
    struct kesher_message message;
    (void)put_unreadable(world);
    pull(&world->bob, true);
    (void)expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    share_key(&world->alice, &world->bob);
    pull(&world->bob, true);
    ASSERT_FAILS(kesher_messenger_discard(world->bob.messenger, &message, &last_error), KESHER_TIMEOUT);
    (void)expect(&world->bob, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    ASSERT_DONE(kesher_messenger_discard(world->bob.messenger, &message, &last_error));
}

static void file_that_waits_to_be_saved_is_not_discarded(void **state)
{
    struct world *world = *state;
    struct kesher_message message;
    take_key_without_directory(world);
    send_file(world, "content");
    pull(&world->bob, true);
    (void)expect_unsaved(&world->bob);
    assert_int_equal(kesher_messenger_discard(world->bob.messenger, &message, &last_error), KESHER_NOT_FOUND);
    make_directory(world);
    (void)expect_file(&world->bob, "content");
}

/* ---- when it came ---- */

static void message_says_when_it_was_pulled(void **state)
{
    struct world *world = *state;
    int64_t before = ks_clock_wall_seconds(ks_clock_system());
    server_put(&world->server, &world->alice.id, FOREIGN_TYPE, "", 0);
    pull(&world->bob, true);
    int64_t received = next(&world->bob).received;
    assert_in_range(received, before, ks_clock_wall_seconds(ks_clock_system()));
    person_restart(world, &world->bob);
    assert_int_equal(next(&world->bob).received, received);
}

/* Writes another time into the header of a file of messages. */
static void set_received(const char *path, int64_t received)
{
    uint8_t header[KS_MESSAGE_FILE_HEADER_SIZE];
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_true(server_read(fd, header, sizeof header));
    assert_int_equal(ks_message_file_write_header(fd, ks_load_u32(header + 4), received), KS_OK);
    close(fd);
}

static void time_of_what_is_kept_is_that_of_its_pull(void **state)
{
    struct world *world = *state;
    enum { SOME_TIME = 1700000000 };
    struct kesher_message message;
    (void)put_unreadable(world);
    pull(&world->bob, true);
    set_received(path_with(&world->bob, ".messages"), SOME_TIME);
    message = expect(&world->bob, KESHER_MESSAGE_TEXT, KESHER_CONTENT_UNREADABLE);
    assert_int_equal(message.received, SOME_TIME);
    ASSERT_DONE(kesher_messenger_discard(world->bob.messenger, &message, &last_error));
    assert_int_equal(message.received, SOME_TIME);
}

static void file_of_an_older_version_came_when_it_was_written(void **state)
{
    struct world *world = *state;
    const struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
    (void)put_unreadable(world);
    pull(&world->bob, true);
    const char *path = path_with(&world->bob, ".messages");
    uint8_t header[KS_MESSAGE_FILE_HEADER_SIZE];
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_true(server_read(fd, header, sizeof header));
    memmove(header + 8, header + 4, 4);
    memset(header + 12, 0, 4);
    memcpy(header, "kshrmsg1", 8);
    assert_int_equal(pwrite(fd, header, sizeof header, 0), sizeof header);
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    assert_int_equal(next(&world->bob).received, 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(file_that_cannot_be_saved_holds_up_nothing),
        WORLD_TEST(such_a_file_comes_again_when_it_can_be_saved),
        WORLD_TEST(such_a_file_is_not_shown_again_while_it_cannot_be_saved),
        WORLD_TEST(such_a_file_is_shown_as_such_until_it_is_done_with),
        WORLD_TEST(several_in_one_answer_keep_their_contents),
        WORLD_TEST(file_that_was_kept_at_a_crash_comes_once),
        WORLD_TEST(progress_that_the_disk_does_not_give_is_a_failure),
        WORLD_TEST(files_come_in_order_and_once_after_a_power_cut),
        WORLD_TEST(without_hard_links_it_holds_up_nothing_either),
        WORLD_TEST(without_a_directory_files_go_to_the_home),
        WORLD_TEST(what_was_shown_as_unreadable_is_discarded_in_order),
        WORLD_TEST(what_has_become_readable_is_not_discarded),
        WORLD_TEST(nothing_is_discarded_while_messages_wait_to_be_shown),
        WORLD_TEST(file_that_waits_to_be_saved_is_not_discarded),
        WORLD_TEST(message_says_when_it_was_pulled),
        WORLD_TEST(time_of_what_is_kept_is_that_of_its_pull),
        WORLD_TEST(file_of_an_older_version_came_when_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
