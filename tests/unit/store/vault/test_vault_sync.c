/* Unit tests of src/store/embedded/vault: what a disk that cannot write tells, and to whom. The kernel of
 * these tests forgets as Linux does: syncfs is told an error once, of whatever file; a descriptor is told
 * those of its own file since it was opened. */
#include "unit/store/vault/vault_fixture.h"

#include "store/embedded/vault/vault_internal.h"

#include <errno.h>

enum { GROUP = 3, CROWD = 2 * KS_VAULT_OPEN_FILES };

/* ---- a disk that cannot write: calls of the vault come here by the linker's --wrap ---- */

static _Atomic bool file_system_failed; /* and nobody was told */
static _Atomic ino_t lost;              /* the file that could not be written; 0: none */
static _Atomic unsigned syncs;          /* of single files */

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_fdatasync(int fd);
int __real_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int __wrap_syncfs(int fd);
int __wrap_fdatasync(int fd);
int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags);

/* Told once: the number of a removed file may be another's. */
static bool is_lost(int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return true;
    ino_t number = status.st_ino;
    errno = EIO;
    return number != 0 && atomic_compare_exchange_strong(&lost, &number, 0);
}

int __wrap_syncfs(int fd)
{
    (void)fd;
    errno = EIO;
    return atomic_exchange(&file_system_failed, false) ? -1 : 0;
}

int __wrap_fdatasync(int fd)
{
    atomic_fetch_add(&syncs, 1);
    return is_lost(fd) ? -1 : __real_fdatasync(fd);
}

int __wrap_sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    return is_lost(fd) ? -1 : __real_sync_file_range(fd, offset, size, flags);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* The only file in staging/ is the one that cannot be written. */
static void lose_what_is_staged(struct house *house)
{
    char path[512];
    struct stat status;
    snprintf(path, sizeof path, "%s/staging/%016x", house->directory, 1U);
    assert_int_equal(stat(path, &status), 0);
    atomic_store(&lost, status.st_ino);
    atomic_store(&file_system_failed, true);
}

/* The inode was forgotten with its error, as that of a file that nobody has open may be. */
static void forget_the_error(void)
{
    atomic_store(&lost, 0);
}

static int set_up(void **state)
{
    atomic_store(&file_system_failed, false);
    atomic_store(&lost, 0);
    return house_set_up(state);
}

/* ---- groups ---- */

/* Keeps a thread busy from when it says so until it is told to go on. */
struct gate {
    sem_t begun;
    sem_t open;
};

static void wait_at_gate(void *context)
{
    struct gate *gate = context;
    sem_post(&gate->begun);
    fixture_hold(&gate->open);
}

/* Confirms these in one group: while the confirm thread is busy, all of them arrive. */
static void confirm_together(struct house *house, struct ks_stage *const *stages, enum ks_result *results)
{
    struct ks_store_confirm confirms[GROUP];
    struct gate gate;
    struct fixture_call busy = {.task.run = fixture_call_run, .function = wait_at_gate, .context = &gate};
    assert_int_equal(sem_init(&gate.begun, 0, 0), 0);
    assert_int_equal(sem_init(&gate.open, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(house->vault->confirm_thread), &busy.task);
    fixture_hold(&gate.begun); /* or the first of them would be in one batch with it */
    for (size_t i = 0; i < GROUP; i++) {
        confirms[i] =
            (struct ks_store_confirm){.request = fixture_request(&house->waiter), .stage = stages[i]};
        ks_vault_confirm(house->vault, &confirms[i]);
    }
    house_tick(house); /* behind them on their thread: all are handed over */
    sem_post(&gate.open);
    fixture_hold(&busy.done);
    for (size_t i = 0; i < GROUP; i++)
        fixture_wait_for_answer(&house->waiter);
    for (size_t i = 0; i < GROUP; i++)
        results[i] = confirms[i].request.result;
}

/* A group of new files, all of which are confirmed. */
static void confirm_others(struct house *house)
{
    enum ks_result results[GROUP];
    struct ks_stage *const stages[GROUP] = {upload(house, "a", "a"), upload(house, "b", "b"),
                                            upload(house, "c", "c")};
    confirm_together(house, stages, results);
    for (size_t i = 0; i < GROUP; i++)
        assert_int_equal(results[i], KS_OK);
}

/* Confirms this one with two new files. */
static enum ks_result confirm_among_others(struct house *house, struct ks_stage *stage)
{
    enum ks_result results[GROUP];
    struct ks_stage *const stages[GROUP] = {upload(house, "d", "d"), stage, upload(house, "e", "e")};
    confirm_together(house, stages, results);
    assert_int_equal(results[0], KS_OK);
    assert_int_equal(results[2], KS_OK);
    return results[1];
}

static void an_error_that_another_group_was_told_still_fails_its_file(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = upload(house, "x", "zeros, soon");
    lose_what_is_staged(house);
    confirm_others(house);
    assert_false(atomic_load(&file_system_failed));
    assert_int_equal(confirm_among_others(house, stage), KS_IO);
    assert_false(has_file(house, "x", "zeros, soon"));
}

static void a_file_that_was_still_arriving_is_judged_by_itself(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = stage_open(house, &somebody, "x", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, "zeros, ", false), KS_OK);
    lose_what_is_staged(house);
    confirm_others(house);
    assert_int_equal(stage_write(house, stage, "soon", true), KS_OK);
    assert_int_equal(confirm_among_others(house, stage), KS_IO);
}

static void files_that_came_later_are_synced_together_again(void **state)
{
    struct house *house = *state;
    atomic_store(&file_system_failed, true);
    confirm_others(house);
    unsigned before = atomic_load(&syncs);
    confirm_others(house);
    assert_int_equal(atomic_load(&syncs), before);
}

/* The error is told to the descriptor that wrote, when it is closed to make room for others'. */
static void a_file_that_was_closed_meanwhile_is_judged_before(void **state)
{
    struct house *house = *state;
    struct ks_stage *crowd[CROWD];
    struct ks_stage *stage = upload(house, "x", "zeros, soon");
    lose_what_is_staged(house);
    for (int i = 0; i < CROWD; i++) {
        char name[32];
        snprintf(name, sizeof name, "file %d", i);
        crowd[i] = upload(house, name, name);
    }
    forget_the_error();
    confirm_others(house);
    assert_int_equal(confirm_among_others(house, stage), KS_IO);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(confirm(house, crowd[i]), KS_OK);
}

#define SYNC_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SYNC_TEST(an_error_that_another_group_was_told_still_fails_its_file),
        SYNC_TEST(a_file_that_was_still_arriving_is_judged_by_itself),
        SYNC_TEST(files_that_came_later_are_synced_together_again),
        SYNC_TEST(a_file_that_was_closed_meanwhile_is_judged_before),
    };
    return cmocka_run_group_tests_name("vault_sync", tests, NULL, NULL);
}
