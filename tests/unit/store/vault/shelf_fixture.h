/* shelf_fixture.h — a house whose index has rows, and commits when it is told to; and a disk that refuses:
 * calls of the vault come here by the linker's --wrap. For changes in files/, and what becomes of them when
 * they fail.
 */
#ifndef KS_TESTS_UNIT_STORE_VAULT_SHELF_FIXTURE_H
#define KS_TESTS_UNIT_STORE_VAULT_SHELF_FIXTURE_H

#include "unit/store/vault/puts_fixture.h"

#include <errno.h>

/* ---- what the disk refuses ---- */

static _Atomic unsigned syncs_to_failure; /* of directories: this one fails; 0: none */
static _Atomic bool renames_fail;
static _Atomic int links_failure; /* an error number; 0: none */
static _Atomic bool looks_fail;
static _Atomic bool somebody_waits; /* for the ends of removals */
static sem_t waits;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_fsync(int fd);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __real_fstatat64(int fd, const char *path, struct stat *status, int flags);
int __wrap_syncfs(int fd);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_fstatat64(int fd, const char *path, struct stat *status, int flags);

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

int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    int failure = atomic_load(&links_failure);
    errno = failure;
    return failure != 0 ? -1 : __real_linkat(from_fd, from, to_fd, to, flags);
}

int __wrap_fstatat64(int fd, const char *path, struct stat *status, int flags)
{
    errno = EIO;
    return atomic_load(&looks_fail) ? -1 : __real_fstatat64(fd, path, status, flags);
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
    uint32_t cksums[ROWS];
    struct ks_vault_rows *waiting[COMMITS];
    unsigned first;
    unsigned count;
    bool waits; /* nothing is committed before shelf_commit */
    sem_t came;
};

static struct shelf shelf;

static inline char *row_of(const char *path)
{
    for (unsigned i = 0; i < ROWS; i++)
        if (strcmp(shelf.rows[i], path) == 0)
            return shelf.rows[i];
    return NULL;
}

static inline enum ks_result apply_row(const struct ks_vault_row *row)
{
    char *there = row_of(row->path_name);
    if (!row->is_removal) {
        char(*entry)[KS_NAMES_PATH_SIZE] = (void *)(there != NULL ? there : row_of(""));
        snprintf(*entry, KS_NAMES_PATH_SIZE, "%s", row->path_name);
        shelf.cksums[entry - shelf.rows] = row->cksum;
        return KS_OK;
    }
    if (there != NULL)
        there[0] = '\0';
    return there != NULL || row->had_file ? KS_OK : KS_NOT_FOUND;
}

static inline void finish_commit(struct ks_vault_rows *rows, enum ks_result result)
{
    for (struct ks_vault_row *row = rows->first; row != NULL; row = row->next)
        row->result = result == KS_OK ? apply_row(row) : result;
    rows->done(rows);
}

static inline void shelf_take(struct ks_vault_index *index, struct ks_vault_rows *rows)
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
static inline void shelf_commit(enum ks_result result)
{
    fixture_hold(&shelf.came);
    finish_commit(shelf.waiting[shelf.first++], result);
}

/* Waits until the next group has come. */
static inline void shelf_await(void)
{
    fixture_hold(&shelf.came);
    sem_post(&shelf.came);
}

static inline int set_up(void **state)
{
    atomic_store(&syncs_to_failure, 0);
    atomic_store(&renames_fail, false);
    atomic_store(&links_failure, 0);
    atomic_store(&looks_fail, false);
    house_set_up(state);
    shelf = (struct shelf){.house = *state};
    assert_int_equal(sem_init(&shelf.came, 0, 0), 0);
    shelf.house->index.commit = shelf_take;
    return 0;
}

/* ---- in one line ---- */

static inline struct ks_store_remove_file remove_request(struct house *house, const char *name)
{
    struct ks_store_remove_file request = {.request = fixture_request(&house->waiter), .id = somebody};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static inline enum ks_result remove_file(struct house *house, const char *name)
{
    struct ks_store_remove_file request = remove_request(house, name);
    ks_vault_remove(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static inline bool is_there(struct house *house, const char *name)
{
    char path[256];
    return access(in_house(house, path_of(&somebody, name, path)), F_OK) == 0;
}

static inline bool has_row(const char *name)
{
    char path[256];
    return row_of(path_of(&somebody, name, path)) != NULL;
}

/* The file and its row are of this text. */
static inline void assert_kept(struct house *house, const char *name, const char *text)
{
    char path[256];
    char(*row)[KS_NAMES_PATH_SIZE] = (void *)row_of(path_of(&somebody, name, path));
    assert_true(has_file(house, name, text));
    assert_non_null(row);
    assert_int_equal(shelf.cksums[row - shelf.rows], cksum_of(text));
}

static inline struct ks_stage *put_whole(struct house *house, uint8_t number, const char *name,
                                         const char *text)
{
    struct ks_store_put_open opening = put_request(house, number, name, strlen(text));
    opening.replace = true;
    opening.anew = true;
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(stage_write(house, opening.stage, text, false), KS_OK);
    return opening.stage;
}

/* A put of this text that replaces, up to its end. */
static inline enum ks_result put_over(struct house *house, uint8_t number, const char *name, const char *text)
{
    return put_end(house, put_whole(house, number, name, text), text);
}

/* What was asked while the confirm thread was kept busy is one group. */
static inline void go_on_together(struct house *house, struct gate *gate)
{
    house_settle(house);
    gate_open(gate);
}

/* What was asked of the vault has come to the index, or has failed. */
static inline void reach_index(struct house *house)
{
    house_settle(house);
    ks_vault_settle(house->vault);
}

/* So many files are being removed, or replaced. */
static inline void assert_removed(struct house *house, int count)
{
    assert_int_equal(fixture_count_removed(house->directory), count);
}

/* So many are left, when the ends of removals are over: they come behind the answers. */
static inline void assert_left(struct house *house, int count)
{
    ks_vault_settle(house->vault);
    assert_removed(house, count);
    assert_staged(house, 0);
}

#endif
