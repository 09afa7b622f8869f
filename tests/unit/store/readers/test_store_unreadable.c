/* Unit tests of src/store/embedded/readers/damage.c and src/store/embedded/vault/contents.c at a disk that
 * does not give what it has: a message that cannot be read is not damaged, and waits. */
#include "unit/store/messages_fixture.h"

#include <errno.h>
#include <stdatomic.h>

/* ---- a disk with a sector that cannot be read, wherever a copy of it is: our calls come here by the
 * linker's
 * --wrap, those of SQLite by its table of system calls ---- */

enum { MANY = 5 };

static const char bad_sector[] = "a bad sector";
static const char bad_folder[] = "messages/";

static _Atomic int failure; /* errno; 0: none */
static _Atomic unsigned failed;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
ssize_t __real_pread64(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset);
int __real_fstatat64(int directory_fd, const char *path, struct stat *status, int flags);
int __wrap_fstatat64(int directory_fd, const char *path, struct stat *status, int flags);

static bool fails(void)
{
    int error_number = atomic_load(&failure);
    if (error_number == 0)
        return false;
    atomic_fetch_add(&failed, 1);
    errno = error_number;
    return true;
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t size, off_t offset)
{
    ssize_t count = __real_pread64(fd, bytes, size, offset);
    if (count <= 0 || memmem(bytes, (size_t)count, bad_sector, sizeof bad_sector - 1) == NULL || !fails())
        return count;
    memset(bytes, 0, (size_t)count);
    return -1;
}

int __wrap_fstatat64(int directory_fd, const char *path, struct stat *status, int flags)
{
    if (strncmp(path, bad_folder, sizeof bad_folder - 1) == 0 && fails())
        return -1;
    return __real_fstatat64(directory_fd, path, status, flags);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int set_up(void **state)
{
    sqlite3_vfs *system = sqlite3_vfs_find(NULL);
    atomic_store(&failure, 0);
    atomic_store(&failed, 0);
    if (system->xSetSystemCall(system, "pread64", (sqlite3_syscall_ptr)__wrap_pread64) != SQLITE_OK)
        return -1;
    return house_set_up(state);
}

static int tear_down(void **state)
{
    atomic_store(&failure, 0);
    return house_tear_down(state);
}

/* As often as it is asked: refused, and nothing is lost. Then the disk is well again. */
static void assert_only_refused(struct house *house, const struct ks_client_id *receiver, int error_number)
{
    atomic_store(&failure, error_number);
    for (int i = 0; i < MANY; i++) {
        struct ks_store_lease_waiting part = lease(house, receiver, 7);
        assert_int_equal(part.count, 3);
        assert_int_equal(try_to_read(house, receiver, &part), KS_IO);
        ks_store_lease_release(house->store, receiver, 7);
    }
    assert_true(atomic_load(&failed) >= MANY);
    atomic_store(&failure, 0);
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 0);
    assert_int_equal(atomic_load(&ks_engine_of(house->store)->damage.count), 0);
    assert_waiting(house, receiver, "one a bad sector three");
}

static void a_row_that_cannot_be_read_is_not_damaged(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, bad_sector);
    append(house, &users.bob, &users.alice, "three");
    house_restart(house); /* with empty caches */
    assert_only_refused(house, &users.bob, EIO);
    house_restart(house);
    assert_only_refused(house, &users.bob, ENOMEM);
}

static struct pair message_in_a_file(struct house *house)
{
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append_spooled(house, &users.bob, &users.alice, bad_sector);
    append(house, &users.bob, &users.alice, "three");
    return users;
}

static void a_file_that_cannot_be_read_is_not_damaged(void **state)
{
    struct house *house = *state;
    struct pair users = message_in_a_file(house);
    assert_only_refused(house, &users.bob, EIO);
}

static void a_file_that_cannot_be_looked_at_when_it_starts_is_not_damaged(void **state)
{
    struct house *house = *state;
    struct pair users = message_in_a_file(house);
    house_close(house);
    atomic_store(&failure, EIO);
    house_open(house);
    assert_true(atomic_load(&failed) > 0);
    atomic_store(&failure, 0);
    assert_waiting(house, &users.bob, "one a bad sector three");
}

static void what_the_check_cannot_read_it_tells_and_leaves(void **state)
{
    struct house *house = *state;
    struct pair users = message_in_a_file(house);
    struct ks_check_finding findings[16];
    struct ks_store_check request = {
        .repair = true, .is_alone = true, .findings = findings, .limit = KS_COUNT_OF(findings)};
    atomic_store(&failure, EIO);
    do {
        request.request = fixture_request(&house->waiter);
        ks_store_check(house->store, &request);
        assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
        if (request.count > 0)
            assert_string_equal(findings[0].what, "the file of message 2 cannot be read");
    } while (!request.is_complete);
    atomic_store(&failure, 0);
    assert_int_equal(request.cursor.wrong, 1);
    assert_waiting(house, &users.bob, "one a bad sector three");
}

#define DISK_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DISK_TEST(a_row_that_cannot_be_read_is_not_damaged),
        DISK_TEST(a_file_that_cannot_be_read_is_not_damaged),
        DISK_TEST(a_file_that_cannot_be_looked_at_when_it_starts_is_not_damaged),
        DISK_TEST(what_the_check_cannot_read_it_tells_and_leaves),
    };
    return cmocka_run_group_tests_name("store_unreadable", tests, NULL, NULL);
}
