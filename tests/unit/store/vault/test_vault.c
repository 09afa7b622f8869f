/* Unit tests of src/store/embedded/vault: names, and uploads from their first chunk to the row. */
#include "unit/store/vault/vault_fixture.h"

#include "base/limits/budget.h"

#include "store/embedded/vault/vault_internal.h"

#include <dirent.h>
#include <errno.h>

/* ---- what the file system refuses: calls of the vault come here by the linker's --wrap ---- */

static enum { REFUSED_NOTHING, REFUSED_FLAG, REFUSED_WRITE } refused;

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_fcntl64(int fd, int command, ...);
ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off_t offset);
int __wrap_fcntl64(int fd, int command, int flags);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset);

int __wrap_fcntl64(int fd, int command, int flags)
{
    if (refused == REFUSED_FLAG && command == F_SETFL && (flags & O_DIRECT) != 0) {
        errno = EINVAL;
        return -1;
    }
    return __real_fcntl64(fd, command, flags);
}

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t offset)
{
    if (refused == REFUSED_WRITE && (__real_fcntl64(fd, F_GETFL) & O_DIRECT) != 0) {
        errno = EINVAL;
        return -1;
    }
    return __real_pwrite64(fd, bytes, size, offset);
}
/* NOLINTEND(bugprone-reserved-identifier) */

enum { MANY = 1000, CROWD = 3 * KS_VAULT_OPEN_FILES };

/* ---- names ---- */

/* The stored name: what follows "files/<hex>/". */
static const char *stored_name(const char *kept, char path[static KS_NAMES_PATH_SIZE])
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    assert_int_equal(ks_names_path(fixture_aliases, &somebody, kept, strlen(kept), path), KS_OK);
    assert_memory_equal(path, fixture_directory_of(&somebody, directory), 38);
    assert_null(strstr(path, "ab010203"));
    return path + 39;
}

static void names_that_fit_are_stored_as_they_are(void **state)
{
    (void)state;
    char path[KS_NAMES_PATH_SIZE];
    char name[KS_NAMES_STORED_LIMIT + 1];
    assert_string_equal(stored_name("letter.txt", path), "letter.txt");
    assert_string_equal(stored_name("~0123456789abcde", path), "~0123456789abcde");
    assert_string_equal(stored_name("x~0123456789ABCDEF", path), "x~0123456789ABCDEF");
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_string_equal(stored_name(name, path), name);
    assert_int_equal(strlen(path), 159);
}

static void long_names_are_cut_at_a_character_and_marked(void **state)
{
    (void)state;
    char path[KS_NAMES_PATH_SIZE];
    char name[255];
    memset(name, 'x', 121);
    name[121] = '\0';
    /* printf 'x%.0s' {1..121} | sha256sum */
    assert_string_equal(stored_name(name, path) + 103, "~79072a47bfaa54e6");
    assert_int_equal(strlen(path), 159);
    /* Two bytes for each character, and an odd limit: the cut falls before the character. */
    for (size_t i = 0; i < 127; i++)
        memcpy(name + 2 * i, "ש", 2);
    name[254] = '\0';
    assert_int_equal(strlen(stored_name(name, path)), 102 + 17);
    assert_int_equal(path[39 + 102], '~');
}

static void no_two_kept_names_share_a_file(void **state)
{
    (void)state;
    char first[KS_NAMES_PATH_SIZE];
    char second[KS_NAMES_PATH_SIZE];
    char name[255];
    char rival[255];
    memset(name, 'y', 200);
    name[200] = '\0';
    /* A short name that is exactly what a long one becomes. */
    snprintf(rival, sizeof rival, "%s", stored_name(name, first));
    assert_string_not_equal(stored_name(rival, second), rival);
    /* Two long names with one beginning. */
    memcpy(rival, name, sizeof name);
    rival[199] = 'z';
    assert_string_not_equal(stored_name(rival, second), stored_name(name, first));
}

/* ---- uploads ---- */

static void chunks_arrive_in_order_and_a_confirm_puts_the_file_in_place(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = stage_open(house, &somebody, "path/to/poem.txt", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, "roses are red, ", false), KS_OK);
    assert_int_equal(stage_write(house, stage, "", false), KS_OK);
    assert_int_equal(stage_write(house, stage, "violets are blue", true), KS_OK);
    assert_staged(house, 1);
    assert_false(has_file(house, "poem.txt", "roses are red, violets are blue"));
    unsigned answers = atomic_load(&house->waiter.answers);
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_true(has_file(house, "poem.txt", "roses are red, violets are blue"));
    assert_staged(house, 0);
    assert_int_equal(house->rows, 1);
    assert_int_equal(house->rows_without_file, 0); /* renamed before its row */
    assert_int_equal(house->answers_before_commit, answers);
    assert_string_equal(house->last_file_name, "path/to/poem.txt");
}

static void an_empty_file_is_a_file(void **state)
{
    struct house *house = *state;
    assert_int_equal(confirm(house, upload(house, "empty", "")), KS_OK);
    assert_true(has_file(house, "empty", ""));
}

static void everything_may_be_asked_for_without_waiting(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = stage_open(house, &somebody, "queued", (struct ks_stage_transform){0});
    struct ks_store_stage_write writes[20];
    uint8_t bytes[20];
    for (size_t i = 0; i < KS_COUNT_OF(writes); i++) {
        bytes[i] = (uint8_t)('a' + i);
        writes[i] = (struct ks_store_stage_write){.request = fixture_request(&house->waiter),
                                                  .stage = stage,
                                                  .bytes = &bytes[i],
                                                  .size = 1,
                                                  .last = i + 1 == KS_COUNT_OF(writes)};
        ks_vault_stage_write(house->vault, &writes[i]);
    }
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_vault_confirm(house->vault, &request);
    for (size_t i = 0; i < KS_COUNT_OF(writes) + 1; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(request.request.result, KS_OK);
    assert_true(has_file(house, "queued", "abcdefghijklmnopqrst"));
}

static void a_large_file_is_written_whole(void **state)
{
    struct house *house = *state;
    enum { CHUNK = 1024 * 1024 + 1, CHUNKS = 40 };
    uint8_t *bytes = malloc(CHUNK);
    struct stat status;
    char path[256];
    assert_non_null(bytes);
    memset(bytes, 'L', CHUNK);
    struct ks_stage *stage = stage_open(house, &somebody, "large", (struct ks_stage_transform){0});
    for (int i = 0; i < CHUNKS; i++) {
        struct ks_store_stage_write request = {.request = fixture_request(&house->waiter),
                                               .stage = stage,
                                               .bytes = bytes,
                                               .size = CHUNK,
                                               .last = i + 1 == CHUNKS};
        ks_vault_stage_write(house->vault, &request);
        assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    }
    free(bytes);
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_int_equal(fstatat(house->directory_fd, path_of(&somebody, "large", path), &status, 0), 0);
    assert_int_equal(status.st_size, (off_t)CHUNK * CHUNKS);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* Byte `offset` of the file below: no two pages alike. */
static uint8_t pattern(size_t offset)
{
    return (uint8_t)(offset * 31 + offset / 4096);
}

static void write_pattern(struct house *house, struct ks_stage *stage, uint8_t *block, size_t offset,
                          size_t size, bool last)
{
    for (size_t i = 0; i < size; i++)
        block[i] = pattern(offset + i);
    struct ks_store_stage_write request = {.request = fixture_request(&house->waiter),
                                           .stage = stage,
                                           .bytes = block,
                                           .size = size,
                                           .last = last};
    ks_vault_stage_write(house->vault, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
}

static void assert_pattern(struct house *house, const char *name, size_t size)
{
    char path[256];
    uint8_t *bytes = malloc(size + 1);
    int fd = openat(house->directory_fd, path_of(&somebody, name, path), O_RDONLY | O_CLOEXEC);
    assert_non_null(bytes);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, bytes, size + 1), (ssize_t)size);
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != pattern(i))
            fail_msg("byte %zu of '%s' is wrong", i, name);
    close(fd);
    free(bytes);
}

/* Large aligned chunks bypass the page cache, others do not; in between the file's end is aligned, or is not.
 */
static void chunks_that_bypass_the_page_cache_and_others_make_one_file(void **state)
{
    struct house *house = *state;
    enum { BLOCK = KS_BUDGET_BLOCK_SIZE };
    static const size_t sizes[] = {16384, BLOCK, BLOCK, 4096, BLOCK / 2, 100, BLOCK, 4096 - 100, BLOCK, 1};
    struct ks_budget budget;
    size_t offset = 0;
    ks_budget_init(&budget, BLOCK);
    uint8_t *block = ks_budget_block_new(&budget);
    assert_non_null(block);
    struct ks_stage *stage = stage_open(house, &somebody, "mixed", (struct ks_stage_transform){0});
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        write_pattern(house, stage, block, offset, sizes[i], i + 1 == KS_COUNT_OF(sizes));
        offset += sizes[i];
    }
    ks_budget_block_free(&budget, block);
    ks_budget_destroy(&budget);
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_pattern(house, "mixed", offset);
}

/* A file system may refuse to bypass its cache when it is asked to, or only at the first write. */
static void without_direct_writes_the_file_is_the_same(struct house *house, const char *name)
{
    enum { BLOCK = KS_BUDGET_BLOCK_SIZE };
    struct ks_budget budget;
    ks_budget_init(&budget, BLOCK);
    uint8_t *block = ks_budget_block_new(&budget);
    assert_non_null(block);
    struct ks_stage *stage = stage_open(house, &somebody, name, (struct ks_stage_transform){0});
    write_pattern(house, stage, block, 0, BLOCK, false);
    assert_true(atomic_load(&house->vault->no_direct));
    write_pattern(house, stage, block, BLOCK, BLOCK, false);
    write_pattern(house, stage, block, (size_t)2 * BLOCK, 100, true);
    ks_budget_block_free(&budget, block);
    ks_budget_destroy(&budget);
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_pattern(house, name, (size_t)2 * BLOCK + 100);
}

static void a_file_system_that_refuses_direct_writes_at_once_gets_others(void **state)
{
    refused = REFUSED_FLAG;
    without_direct_writes_the_file_is_the_same(*state, "flag");
    refused = REFUSED_NOTHING;
}

static void a_file_system_that_refuses_the_first_direct_write_gets_others(void **state)
{
    refused = REFUSED_WRITE;
    without_direct_writes_the_file_is_the_same(*state, "write");
    refused = REFUSED_NOTHING;
}

static void the_last_confirmed_of_one_name_wins(void **state)
{
    struct house *house = *state;
    struct ks_stage *first = upload(house, "a/x", "first");
    struct ks_stage *second = upload(house, "b/x", "second");
    struct ks_store_confirm confirms[2] = {
        {.request = fixture_request(&house->waiter), .stage = second},
        {.request = fixture_request(&house->waiter), .stage = first},
    };
    ks_vault_confirm(house->vault, &confirms[0]);
    ks_vault_confirm(house->vault, &confirms[1]);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_int_equal(confirms[0].request.result, KS_OK);
    assert_int_equal(confirms[1].request.result, KS_OK);
    assert_true(has_file(house, "x", "first"));
    assert_string_equal(house->last_file_name, "a/x"); /* file and row agree */
}

static void an_older_file_stays_until_it_is_replaced(void **state)
{
    struct house *house = *state;
    assert_int_equal(confirm(house, upload(house, "x", "old")), KS_OK);
    struct ks_stage *stage = upload(house, "x", "new");
    assert_true(has_file(house, "x", "old"));
    assert_int_equal(discard(house, stage), KS_OK);
    assert_true(has_file(house, "x", "old"));
    assert_staged(house, 0);
    assert_int_equal(confirm(house, upload(house, "x", "new")), KS_OK);
    assert_true(has_file(house, "x", "new"));
}

static void a_thousand_small_files_are_confirmed_in_one_group(void **state)
{
    struct house *house = *state;
    struct ks_store_confirm *confirms = calloc(MANY, sizeof *confirms);
    sem_t gate;
    char name[32];
    assert_non_null(confirms);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "file %d", i);
        confirms[i] = (struct ks_store_confirm){.request = fixture_request(&house->waiter),
                                                .stage = upload(house, name, name)};
    }
    /* While the confirm thread is busy, all of them arrive. */
    struct fixture_call busy = {.task.run = fixture_call_run, .function = fixture_hold, .context = &gate};
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(sem_init(&busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(house->vault->confirm_thread), &busy.task);
    for (int i = 0; i < MANY; i++)
        ks_vault_confirm(house->vault, &confirms[i]);
    house_tick(house); /* behind them on their thread: all are handed over */
    sem_post(&gate);
    for (int i = 0; i < MANY; i++)
        fixture_wait_for_answer(&house->waiter);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(confirms[i].request.result, KS_OK);
    assert_int_equal(house->rows, MANY);
    assert_int_equal(house->rows_without_file, 0);
    assert_in_range(house->commits, 1, 2); /* the first may have been taken with the call itself */
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "file %d", i);
        assert_true(has_file(house, name, name));
    }
    free(confirms);
}

static unsigned count_open_files(void)
{
    DIR *listing = opendir("/proc/self/fd");
    unsigned count = 0;
    assert_non_null(listing);
    while (readdir(listing) != NULL)
        count++;
    closedir(listing);
    return count;
}

static void stages_keep_a_bounded_number_of_files_open(void **state)
{
    struct house *house = *state;
    struct ks_stage *stages[CROWD];
    unsigned before = count_open_files();
    for (int i = 0; i < CROWD; i++) {
        struct ks_client_id id = {.bytes = {(uint8_t)(i % 8)}};
        char name[32];
        snprintf(name, sizeof name, "file %d", i);
        stages[i] = stage_open(house, &id, name, (struct ks_stage_transform){0});
        assert_int_equal(stage_write(house, stages[i], "one ", false), KS_OK);
    }
    assert_in_range(count_open_files(), before, before + KS_VAULT_OPEN_FILES);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(stage_write(house, stages[i], "two", true), KS_OK);
    struct ks_store_confirm *confirms = calloc(CROWD, sizeof *confirms);
    assert_non_null(confirms);
    for (int i = 0; i < CROWD; i++) {
        confirms[i] =
            (struct ks_store_confirm){.request = fixture_request(&house->waiter), .stage = stages[i]};
        ks_vault_confirm(house->vault, &confirms[i]);
    }
    for (int i = 0; i < CROWD; i++)
        fixture_wait_for_answer(&house->waiter);
    for (int i = 0; i < CROWD; i++)
        assert_int_equal(confirms[i].request.result, KS_OK);
    free(confirms);
    assert_int_equal(count_open_files(), before);
    for (int i = 0; i < CROWD; i++) {
        struct ks_client_id id = {.bytes = {(uint8_t)(i % 8)}};
        char name[32];
        char path[256];
        snprintf(name, sizeof name, "file %d", i);
        assert_true(fixture_file_is(house->directory, path_of(&id, name, path), "one two"));
    }
}

/* ---- the transform ---- */

struct stirring {
    char seen[64]; /* first byte of each chunk, "!" behind the last */
    int fail_at;   /* the call that fails; 0 for none */
    int calls;
};

/* Upper-cases, and keeps all but the first byte. */
static enum ks_result stir(void *context, uint8_t *bytes, size_t size, bool last, size_t *output_size)
{
    struct stirring *stirring = context;
    size_t used = strlen(stirring->seen);
    if (++stirring->calls == stirring->fail_at)
        return KS_CRYPTO;
    snprintf(stirring->seen + used, sizeof stirring->seen - used, "%c%s", bytes[0], last ? "!" : "");
    for (size_t i = 1; i < size; i++)
        bytes[i - 1] = (uint8_t)(bytes[i] - 'a' + 'A');
    *output_size = size - 1;
    return KS_OK;
}

static void what_the_transform_gives_is_what_is_written(void **state)
{
    struct house *house = *state;
    struct stirring stirring = {0};
    struct ks_stage *stage = stage_open(house, &somebody, "stirred",
                                        (struct ks_stage_transform){.apply = stir, .context = &stirring});
    assert_int_equal(stage_write(house, stage, "abc", false), KS_OK);
    assert_int_equal(stage_write(house, stage, "d", false), KS_OK);
    assert_int_equal(stage_write(house, stage, "efg", true), KS_OK);
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_string_equal(stirring.seen, "ade!");
    assert_true(has_file(house, "stirred", "BCFG"));
}

static void a_transform_that_fails_fails_the_stage(void **state)
{
    struct house *house = *state;
    struct stirring stirring = {.fail_at = 2};
    struct ks_stage *stage = stage_open(house, &somebody, "spoilt",
                                        (struct ks_stage_transform){.apply = stir, .context = &stirring});
    assert_int_equal(stage_write(house, stage, "abc", false), KS_OK);
    assert_staged(house, 1);
    assert_int_equal(stage_write(house, stage, "def", false), KS_CRYPTO);
    assert_staged(house, 0);
    assert_int_equal(stage_write(house, stage, "ghi", true), KS_CRYPTO);
    assert_int_equal(stirring.calls, 2);
    assert_int_equal(confirm(house, stage), KS_CRYPTO);
    assert_int_equal(house->commits, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(names_that_fit_are_stored_as_they_are),
        HOUSE_TEST(long_names_are_cut_at_a_character_and_marked),
        HOUSE_TEST(no_two_kept_names_share_a_file),
        HOUSE_TEST(chunks_arrive_in_order_and_a_confirm_puts_the_file_in_place),
        HOUSE_TEST(an_empty_file_is_a_file),
        HOUSE_TEST(everything_may_be_asked_for_without_waiting),
        HOUSE_TEST(a_large_file_is_written_whole),
        HOUSE_TEST(chunks_that_bypass_the_page_cache_and_others_make_one_file),
        HOUSE_TEST(a_file_system_that_refuses_direct_writes_at_once_gets_others),
        HOUSE_TEST(a_file_system_that_refuses_the_first_direct_write_gets_others),
        HOUSE_TEST(the_last_confirmed_of_one_name_wins),
        HOUSE_TEST(an_older_file_stays_until_it_is_replaced),
        HOUSE_TEST(a_thousand_small_files_are_confirmed_in_one_group),
        HOUSE_TEST(stages_keep_a_bounded_number_of_files_open),
        HOUSE_TEST(what_the_transform_gives_is_what_is_written),
        HOUSE_TEST(a_transform_that_fails_fails_the_stage),
    };
    return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
