/* vault_fixture.h — a house for the tests of src/store/embedded/vault: a vault over a directory of its own,
 * and an index of files that is the test's, so that it can look at the disk at the moment of the commit, or
 * refuse.
 */
#ifndef KS_TESTS_UNIT_STORE_VAULT_VAULT_FIXTURE_H
#define KS_TESTS_UNIT_STORE_VAULT_VAULT_FIXTURE_H

#include "unit/store/store_fixture.h"

#include "store/embedded/vault/vault_internal.h"

#include <errno.h>

enum { LIFETIME = 3600 };

/* ---- the house: a vault over a directory, and an index that writes down what it is told ---- */

struct house {
    char directory[64];
    int directory_fd;
    struct fixture_clock clock;
    struct ks_log log;
    struct fixture_waiter waiter;
    struct ks_vault_index index;
    struct ks_store_limits limits; /* of puts; none at first */
    struct ks_puts *puts;
    struct ks_vault *vault;
    /* What the index saw; on the confirm thread. */
    unsigned commits;
    unsigned rows;
    unsigned rows_without_file;
    unsigned answers_before_commit;
    char last_file_name[KS_TEXT_FIELD_SIZE + 1];
    enum ks_result answer; /* what it says */
};

static inline void index_commit(struct ks_vault_index *index, struct ks_vault_rows *rows)
{
    struct house *house = KS_CONTAINER_OF(index, struct house, index);
    house->commits++;
    house->answers_before_commit = atomic_load(&house->waiter.answers);
    for (struct ks_vault_row *row = rows->first; row != NULL; row = row->next) {
        house->rows++;
        row->result = house->answer;
        if (faccessat(house->directory_fd, row->path_name, R_OK, 0) != 0)
            house->rows_without_file++;
        snprintf(house->last_file_name, sizeof house->last_file_name, "%s",
                 row->file_name != NULL ? row->file_name : "");
    }
    rows->done(rows);
}

/* Unless it is there. */
static inline void make_directory(const struct house *house, const char *name)
{
    assert_true(mkdirat(house->directory_fd, name, 0700) == 0 || errno == EEXIST);
}

static inline void house_open(struct house *house)
{
    house->directory_fd = open(house->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(house->directory_fd >= 0);
    make_directory(house, "staging");
    make_directory(house, "files");
    make_directory(house, "messages");
    house->puts = ks_puts_new(&house->limits, &house->log);
    assert_non_null(house->puts);
    fixture_use_aliases((const uint8_t[KS_ALIAS_KEY_SIZE]){1, 2, 3});
    const struct ks_vault_options options = {
        .directory_fd = house->directory_fd,
        .aliases = fixture_aliases,
        .clock = &house->clock.clock,
        .random = ks_random_system(),
        .log = &house->log,
        .index = &house->index,
        .puts = house->puts,
        .threads = 2,
        .stage_lifetime = LIFETIME,
    };
    assert_int_equal(ks_vault_open(&options, &house->vault), KS_OK);
}

/* A path below the directory; until the next call. */
static inline const char *in_house(const struct house *house, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", house->directory, name);
    return path;
}

static inline int house_set_up(void **state)
{
    struct house *house = calloc(1, sizeof *house);
    assert_non_null(house);
    fixture_directory_make(house->directory);
    fixture_clock_init(&house->clock);
    fixture_waiter_init(&house->waiter);
    house->log = fixture_log();
    house->index.commit = index_commit;
    house_open(house);
    *state = house;
    return 0;
}

static inline void house_close(struct house *house)
{
    ks_vault_stop(house->vault);
    ks_vault_free(house->vault);
    ks_puts_free(house->puts);
    close(house->directory_fd);
}

static inline int house_tear_down(void **state)
{
    struct house *house = *state;
    house_close(house);
    fixture_forget_aliases();
    close(house->log.fd);
    fixture_directory_remove(house->directory);
    free(house);
    return 0;
}

static const struct ks_client_id somebody = {.bytes = {0xab, 1, 2, 3}};

/* ---- requests in one line ---- */

static inline struct ks_stage *stage_open(struct house *house, const struct ks_client_id *id,
                                          const char *name, struct ks_stage_transform transform)
{
    struct ks_store_stage_open request = {
        .request = fixture_request(&house->waiter), .id = *id, .transform = transform};
    snprintf(request.file_name, sizeof request.file_name, "%s", name);
    ks_vault_stage_open(house->vault, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    return request.stage;
}

static inline enum ks_result stage_write(struct house *house, struct ks_stage *stage, const char *text,
                                         bool last)
{
    char bytes[256];
    size_t size = strlen(text);
    memcpy(bytes, text, size);
    struct ks_store_stage_write request = {.request = fixture_request(&house->waiter),
                                           .stage = stage,
                                           .bytes = (uint8_t *)bytes,
                                           .size = size,
                                           .last = last};
    ks_vault_stage_write(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static inline struct ks_stage *upload(struct house *house, const char *name, const char *text)
{
    struct ks_stage *stage = stage_open(house, &somebody, name, (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, text, true), KS_OK);
    return stage;
}

static inline enum ks_result confirm(struct house *house, struct ks_stage *stage)
{
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_vault_confirm(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static inline enum ks_result discard(struct house *house, struct ks_stage *stage)
{
    struct ks_store_request request = fixture_request(&house->waiter);
    ks_vault_discard(house->vault, stage, &request);
    return fixture_wait(&house->waiter, &request);
}

static inline bool has_file(struct house *house, const char *name, const char *text)
{
    char path[256];
    return fixture_file_is(house->directory, path_of(&somebody, name, path), text);
}

static inline void assert_staged(struct house *house, int count)
{
    assert_int_equal(fixture_count_entries(house->directory, "staging"), count);
}

/* As if a second had passed on every stage thread. */
static inline void house_tick(struct house *house)
{
    for (unsigned i = 0; i < house->vault->thread_count; i++)
        fixture_call_on(ks_thread_executor(house->vault->threads[i].thread), ks_stage_tick,
                        &house->vault->threads[i]);
}

#define HOUSE_TEST(function) cmocka_unit_test_setup_teardown(function, house_set_up, house_tear_down)

#endif
