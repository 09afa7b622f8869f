/* Unit tests of src/store/embedded/vault/removing.c: files that are removed, and what becomes of them when
 * the disk or the index refuses. */
#include "unit/store/vault/puts_fixture.h"

#include <errno.h>

/* ---- what the disk refuses: calls of the vault come here by the linker's --wrap ---- */

static _Atomic unsigned syncs_to_failure; /* of directories: this one fails; 0: none */
static _Atomic bool renames_fail;
static _Atomic bool somebody_waits; /* for the ends of removals */
static sem_t waits;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_fsync(int fd);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_syncfs(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);

int __wrap_syncfs(int fd)
{
    (void)fd;
    errno = EIO;
    return -1; /* each by itself */
}

int __wrap_fsync(int fd)
{
    unsigned left = atomic_load(&syncs_to_failure);
    if (left > 0)
        atomic_store(&syncs_to_failure, left - 1);
    errno = EIO;
    return left == 1 ? -1 : __real_fsync(fd);
}

int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    errno = EIO;
    return atomic_load(&renames_fail) ? -1 : __real_renameat(from_fd, from, to_fd, to);
}

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    atomic_store(&somebody_waits, true);
    sem_post(&waits);
    return __real_pthread_cond_wait(condition, lock);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- an index with rows, which commits when it is told to ---- */

enum { ROWS = 8, COMMITS = 8 };

struct shelf {
    struct house *house;
    char rows[ROWS][KS_NAMES_PATH_SIZE]; /* "" where there is none */
    struct ks_vault_rows *waiting[COMMITS];
    unsigned first;
    unsigned count;
    bool waits; /* nothing is committed before shelf_commit */
    sem_t came;
};

static struct shelf shelf;

static char *row_of(const char *path)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (strcmp(shelf.rows[i], path) == 0)
            return shelf.rows[i];
    return NULL;
}

static enum ks_result apply_row(const struct ks_vault_row *row)
{
    char *there = row_of(row->path_name);
    if (!row->is_removal) {
        snprintf(there != NULL ? there : row_of(""), KS_NAMES_PATH_SIZE, "%s", row->path_name);
        return KS_OK;
    }
    if (there != NULL)
        there[0] = '\0';
    return there != NULL || row->had_file ? KS_OK : KS_NOT_FOUND;
}

static void finish_commit(struct ks_vault_rows *rows, enum ks_result result)
{
    for (struct ks_vault_row *row = rows->first; row != NULL; row = row->next)
        row->result = result == KS_OK ? apply_row(row) : result;
    rows->done(rows);
}

static void shelf_take(struct ks_vault_index *index, struct ks_vault_rows *rows)
{
    (void)index;
    if (!shelf.waits) {
        finish_commit(rows, shelf.house->answer);
        return;
    }
    assert_true(shelf.count < COMMITS);
    shelf.waiting[shelf.count++] = rows;
    sem_post(&shelf.came);
}

/* The next group that came, or comes, gets this result. */
static void shelf_commit(enum ks_result result)
{
    fixture_hold(&shelf.came);
    finish_commit(shelf.waiting[shelf.first++], result);
}

/* Waits until the next group has come. */
static void shelf_await(void)
{
    fixture_hold(&shelf.came);
    sem_post(&shelf.came);
}

static int set_up(void **state)
{
    atomic_store(&syncs_to_failure, 0);
    atomic_store(&renames_fail, false);
    house_set_up(state);
    shelf = (struct shelf){.house = *state};
    assert_int_equal(sem_init(&shelf.came, 0, 0), 0);
    shelf.house->index.commit = shelf_take;
    return 0;
}

/* ---- in one line ---- */

static struct ks_store_remove_file remove_request(struct house *house, const char *name)
{
    struct ks_store_remove_file request = {.request = fixture_request(&house->waiter), .id = somebody};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static enum ks_result remove_file(struct house *house, const char *name)
{
    struct ks_store_remove_file request = remove_request(house, name);
    ks_vault_remove(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static bool is_there(struct house *house, const char *name)
{
    char path[256];
    return access(in_house(house, path_of(&somebody, name, path)), F_OK) == 0;
}

static bool has_row(const char *name)
{
    char path[256];
    return row_of(path_of(&somebody, name, path)) != NULL;
}

/* As if the row had been lost. */
static void lose_row(const char *name)
{
    char path[256];
    row_of(path_of(&somebody, name, path))[0] = '\0';
}

static struct ks_stage *put_whole(struct house *house, uint8_t number, const char *name, const char *text)
{
    struct ks_store_put_open opening = put_request(house, number, name, strlen(text));
    opening.replace = true;
    opening.anew = true;
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(stage_write(house, opening.stage, text, false), KS_OK);
    return opening.stage;
}

/* What was asked while the confirm thread was kept busy is one group. */
static void go_on_together(struct house *house, struct gate *gate)
{
    house_settle(house);
    gate_open(gate);
}

/* So many files are being removed. */
static void assert_removed(struct house *house, int count)
{
    assert_int_equal(fixture_count_removed(house->directory), count);
}

/* So many are left, when the ends of removals are over: they come behind the answers. */
static void assert_left(struct house *house, int count)
{
    ks_vault_settle(house->vault);
    assert_removed(house, count);
    assert_staged(house, 0);
}

/* ---- removals ---- */

static void a_removed_file_and_its_row_are_gone(void **state)
{
    struct house *house = *state;
    put_file(house, "a/b", "text");
    put_file(house, "b", "other");
    assert_true(has_file(house, "a\\b", "text"));
    assert_int_equal(remove_file(house, "a/b"), KS_OK);
    assert_false(is_there(house, "a\\b"));
    assert_false(has_row("a\\b"));
    assert_true(is_there(house, "b"));
    assert_left(house, 0);
    assert_int_equal(remove_file(house, "a/b"), KS_NOT_FOUND);
    assert_int_equal(remove_file(house, "a"), KS_NOT_FOUND);
    assert_int_equal(remove_file(house, "../b"), KS_NOT_FOUND);
    assert_int_equal(remove_file(house, ""), KS_NOT_FOUND);
}

static void what_is_half_there_is_removed(void **state)
{
    struct house *house = *state;
    char path[256];
    put_file(house, "no row", "text");
    lose_row("no row");
    assert_int_equal(remove_file(house, "no row"), KS_OK);
    assert_false(is_there(house, "no row"));
    put_file(house, "no file", "text");
    assert_int_equal(unlink(in_house(house, path_of(&somebody, "no file", path))), 0);
    assert_int_equal(remove_file(house, "no file"), KS_OK);
    assert_false(has_row("no file"));
}

static void what_is_no_file_is_not_taken_away(void **state)
{
    struct house *house = *state;
    char path[256];
    put_file(house, "x", "text");
    assert_int_equal(mkdir(in_house(house, path_of(&somebody, "folder", path)), 0700), 0);
    assert_int_equal(remove_file(house, "folder"), KS_NOT_FOUND);
    assert_true(is_there(house, "folder"));
}

static void the_file_is_gone_before_the_commit_and_freed_after_it(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    struct ks_store_remove_file removal = remove_request(house, "x");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    assert_false(is_there(house, "x"));
    assert_removed(house, 1);
    assert_true(has_row("x"));
    unsigned answers = atomic_load(&house->waiter.answers);
    shelf_commit(KS_OK);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_OK);
    assert_int_equal(atomic_load(&house->waiter.answers), answers + 1);
    assert_left(house, 0);
}

static void a_removal_and_a_put_of_one_name_may_be_in_one_group(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removal = remove_request(house, "x");
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    gate_close(&gate, house->vault->confirm_thread);
    ks_vault_remove(house->vault, &removal);
    ks_vault_confirm(house->vault, &end);
    go_on_together(house, &gate);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_OK);
    assert_int_equal(end.request.result, KS_OK);
    assert_false(end.replaced);
    assert_true(has_file(house, "x", "newer"));
    assert_true(has_row("x"));
    assert_left(house, 0);
}

static void a_put_and_a_removal_of_one_name_may_be_in_one_group(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    gate_close(&gate, house->vault->confirm_thread);
    ks_vault_confirm(house->vault, &end);
    ks_vault_remove(house->vault, &removals[0]);
    ks_vault_remove(house->vault, &removals[1]);
    go_on_together(house, &gate);
    for (unsigned i = 0; i < 3; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(end.request.result, KS_OK);
    assert_true(end.replaced);
    assert_int_equal(removals[0].request.result, KS_OK);
    assert_int_equal(removals[1].request.result, KS_NOT_FOUND);
    assert_false(is_there(house, "x"));
    assert_false(has_row("x"));
    assert_left(house, 0);
}

/* ---- commits that fail ---- */

static void a_removal_that_cannot_be_committed_brings_the_file_back(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    house->answer = KS_NO_SPACE;
    assert_int_equal(remove_file(house, "x"), KS_NO_SPACE);
    assert_true(has_file(house, "x", "text"));
    assert_true(has_row("x"));
    assert_left(house, 0);
    house->answer = KS_OK;
    assert_int_equal(remove_file(house, "x"), KS_OK);
    assert_false(is_there(house, "x"));
}

static void two_removals_that_cannot_be_committed_bring_the_file_back(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "text");
    for (unsigned together = 0; together < 2; together++) {
        struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
        shelf.waits = true;
        gate_close(&gate, house->vault->confirm_thread);
        ks_vault_remove(house->vault, &removals[0]);
        if (!together) {
            go_on_together(house, &gate);
            shelf_await();
            gate_close(&gate, house->vault->confirm_thread);
        }
        ks_vault_remove(house->vault, &removals[1]);
        go_on_together(house, &gate);
        for (unsigned i = together; i < 2; i++)
            shelf_commit(KS_IO);
        fixture_wait_for_answer(&house->waiter);
        fixture_wait_for_answer(&house->waiter);
        assert_int_equal(removals[0].request.result, KS_IO);
        assert_int_equal(removals[1].request.result, KS_IO);
        assert_true(has_file(house, "x", "text"));
        assert_left(house, 0);
    }
}

/* The second finds no file, and takes its row: it must not come back for the sake of the first. */
static void a_second_removal_that_is_committed_is_for_good(void **state)
{
    struct house *house = *state;
    struct gate gate;
    for (unsigned late = 0; late < 2; late++) {
        struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
        shelf.waits = false;
        put_file(house, "x", "text");
        shelf.waits = true;
        ks_vault_remove(house->vault, &removals[0]);
        shelf_await();
        ks_vault_remove(house->vault, &removals[1]);
        house_settle(house);
        ks_vault_settle(house->vault);
        /* So that the end of the second comes before the first has given up, or after it. */
        gate_close(&gate, house->vault->confirm_thread);
        shelf_commit(KS_IO);
        if (late) {
            gate_open(&gate);
            ks_vault_settle(house->vault);
        }
        shelf_commit(KS_OK);
        if (!late)
            gate_open(&gate);
        fixture_wait_for_answer(&house->waiter);
        fixture_wait_for_answer(&house->waiter);
        assert_int_equal(removals[0].request.result, KS_IO);
        assert_int_equal(removals[1].request.result, KS_OK);
        assert_false(is_there(house, "x"));
        assert_false(has_row("x"));
        assert_left(house, 0);
    }
}

static void of_three_removals_the_last_brings_the_file_back(void **state)
{
    struct house *house = *state;
    struct ks_store_remove_file removals[3];
    put_file(house, "x", "text");
    shelf.waits = true;
    for (unsigned i = 0; i < 3; i++) {
        removals[i] = remove_request(house, "x");
        ks_vault_remove(house->vault, &removals[i]);
        house_settle(house);
        ks_vault_settle(house->vault);
    }
    for (unsigned i = 0; i < 3; i++) {
        assert_false(is_there(house, "x"));
        shelf_commit(KS_IO);
        fixture_wait_for_answer(&house->waiter);
        ks_vault_settle(house->vault);
    }
    assert_true(has_file(house, "x", "text"));
    assert_left(house, 0);
}

static void an_older_file_does_not_come_back_over_a_newer(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removal = remove_request(house, "x");
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    ks_vault_confirm(house->vault, &end);
    house_settle(house);
    ks_vault_settle(house->vault);
    shelf_commit(KS_IO);
    shelf_commit(KS_OK);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_IO);
    assert_int_equal(end.request.result, KS_OK);
    ks_vault_settle(house->vault);
    assert_true(has_file(house, "x", "newer"));
    assert_left(house, 0);
}

/* Nor when the newer one is removed, too, before the first has given up. */
static void an_older_file_does_not_come_back_for_a_newer_that_was_removed(void **state)
{
    struct house *house = *state;
    struct gate gate;
    put_file(house, "x", "older");
    struct ks_stage *stage = put_whole(house, 1, "x", "newer");
    struct ks_store_remove_file removals[2] = {remove_request(house, "x"), remove_request(house, "x")};
    struct ks_store_confirm end = put_end_request(house, stage, "newer");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removals[0]);
    house_settle(house);
    ks_vault_settle(house->vault);
    ks_vault_confirm(house->vault, &end);
    house_settle(house);
    ks_vault_settle(house->vault);
    ks_vault_remove(house->vault, &removals[1]);
    house_settle(house);
    ks_vault_settle(house->vault);
    gate_close(&gate, house->vault->confirm_thread);
    shelf_commit(KS_IO);
    shelf_commit(KS_OK);
    shelf_commit(KS_OK);
    gate_open(&gate);
    for (unsigned i = 0; i < 3; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removals[0].request.result, KS_IO);
    assert_int_equal(removals[1].request.result, KS_OK);
    assert_false(is_there(house, "x"));
    assert_false(has_row("x"));
    assert_left(house, 0);
}

static void *commit_when_somebody_waits(void *nothing)
{
    fixture_hold(&waits);
    shelf_commit(KS_IO);
    return nothing;
}

static void a_vault_that_stops_waits_for_what_it_may_have_to_bring_back(void **state)
{
    struct house *house = *state;
    pthread_t committer;
    put_file(house, "x", "text");
    struct ks_store_remove_file removal = remove_request(house, "x");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    assert_int_equal(sem_init(&waits, 0, 0), 0);
    assert_int_equal(pthread_create(&committer, NULL, commit_when_somebody_waits, NULL), 0);
    atomic_store(&somebody_waits, false);
    house_close(house);
    assert_true(atomic_load(&somebody_waits));
    assert_int_equal(pthread_join(committer, NULL), 0);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(removal.request.result, KS_IO);
    assert_true(has_file(house, "x", "text"));
    assert_staged(house, 0);
    house_open(house);
}

/* ---- disks that fail ---- */

static void a_directory_that_cannot_be_synced_keeps_the_file(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    atomic_store(&syncs_to_failure, 1);
    assert_int_equal(remove_file(house, "x"), KS_IO);
    assert_true(has_file(house, "x", "text"));
    assert_true(has_row("x"));
    assert_left(house, 0);
    assert_int_equal(remove_file(house, "x"), KS_OK);
}

static void a_file_that_cannot_be_renamed_stays(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    atomic_store(&renames_fail, true);
    assert_int_equal(remove_file(house, "x"), KS_IO);
    atomic_store(&renames_fail, false);
    assert_true(has_file(house, "x", "text"));
    assert_int_equal(remove_file(house, "x"), KS_OK);
}

/* Then it waits where it is, and the next start completes the removal. */
static void what_cannot_be_brought_back_is_not_deleted(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    struct ks_store_remove_file removal = remove_request(house, "x");
    shelf.waits = true;
    ks_vault_remove(house->vault, &removal);
    shelf_await();
    atomic_store(&renames_fail, true);
    shelf_commit(KS_IO);
    assert_int_equal(fixture_wait(&house->waiter, &removal.request), KS_IO);
    ks_vault_settle(house->vault);
    atomic_store(&renames_fail, false);
    assert_false(is_there(house, "x"));
    assert_left(house, 1);
}

#define REMOVAL_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REMOVAL_TEST(a_removed_file_and_its_row_are_gone),
        REMOVAL_TEST(what_is_half_there_is_removed),
        REMOVAL_TEST(what_is_no_file_is_not_taken_away),
        REMOVAL_TEST(the_file_is_gone_before_the_commit_and_freed_after_it),
        REMOVAL_TEST(a_removal_and_a_put_of_one_name_may_be_in_one_group),
        REMOVAL_TEST(a_put_and_a_removal_of_one_name_may_be_in_one_group),
        REMOVAL_TEST(a_removal_that_cannot_be_committed_brings_the_file_back),
        REMOVAL_TEST(two_removals_that_cannot_be_committed_bring_the_file_back),
        REMOVAL_TEST(a_second_removal_that_is_committed_is_for_good),
        REMOVAL_TEST(of_three_removals_the_last_brings_the_file_back),
        REMOVAL_TEST(an_older_file_does_not_come_back_over_a_newer),
        REMOVAL_TEST(an_older_file_does_not_come_back_for_a_newer_that_was_removed),
        REMOVAL_TEST(a_vault_that_stops_waits_for_what_it_may_have_to_bring_back),
        REMOVAL_TEST(a_directory_that_cannot_be_synced_keeps_the_file),
        REMOVAL_TEST(a_file_that_cannot_be_renamed_stays),
        REMOVAL_TEST(what_cannot_be_brought_back_is_not_deleted),
    };
    return cmocka_run_group_tests_name("vault_removals", tests, NULL, NULL);
}
