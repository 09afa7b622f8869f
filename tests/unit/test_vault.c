/* Unit tests of src/store/vault: uploads from their first chunk to the row, with an index of files that is
 * the test's own, so that it can look at the disk at the moment of the commit, or refuse.
 */
#include "store_fixture.h"

#include "store/vault/internal.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

enum { LIFETIME = 3600, MANY = 1000 };

/* ---- the house: a vault over a directory, and an index that writes down what it is told ---- */

struct house {
    char directory[64];
    int directory_fd;
    struct fixture_clock clock;
    struct ks_log log;
    struct fixture_waiter waiter;
    struct ks_vault_index index;
    struct ks_vault *vault;
    /* What the index saw; on the confirm thread. */
    unsigned commits;
    unsigned rows;
    unsigned rows_without_file;
    unsigned answers_before_commit;
    char last_file_name[KS_TEXT_FIELD_SIZE + 1];
    enum ks_result answer; /* what it says */
};

static void index_commit(struct ks_vault_index *index, struct ks_vault_rows *rows)
{
    struct house *house = KS_CONTAINER_OF(index, struct house, index);
    house->commits++;
    house->answers_before_commit = atomic_load(&house->waiter.answers);
    for (const struct ks_vault_row *row = rows->first; row != NULL; row = row->next) {
        house->rows++;
        if (faccessat(house->directory_fd, row->path_name, R_OK, 0) != 0)
            house->rows_without_file++;
        snprintf(house->last_file_name, sizeof house->last_file_name, "%s", row->file_name);
    }
    rows->result = house->answer;
    rows->done(rows);
}

static void house_open(struct house *house)
{
    house->directory_fd = open(house->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(house->directory_fd >= 0);
    assert_int_equal(mkdirat(house->directory_fd, "staging", 0700), 0);
    assert_int_equal(mkdirat(house->directory_fd, "files", 0700), 0);
    const struct ks_vault_options options = {
        .directory_fd = house->directory_fd,
        .clock = &house->clock.clock,
        .log = &house->log,
        .index = &house->index,
        .threads = 2,
        .stage_lifetime = LIFETIME,
    };
    assert_int_equal(ks_vault_open(&options, &house->vault), KS_OK);
}

static int house_set_up(void **state)
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

static void house_close(struct house *house)
{
    ks_vault_stop(house->vault);
    ks_vault_free(house->vault);
    close(house->directory_fd);
}

static int house_tear_down(void **state)
{
    struct house *house = *state;
    house_close(house);
    close(house->log.fd);
    fixture_directory_remove(house->directory);
    free(house);
    return 0;
}

static const struct ks_client_id somebody = {.bytes = {0xab, 1, 2, 3}};

/* ---- requests in one line ---- */

static struct ks_stage *stage_open(struct house *house, const struct ks_client_id *id, const char *name,
                                   struct ks_stage_transform transform)
{
    struct ks_store_stage_open request = {
        .request = fixture_request(&house->waiter), .id = *id, .transform = transform};
    snprintf(request.file_name, sizeof request.file_name, "%s", name);
    ks_vault_stage_open(house->vault, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    return request.stage;
}

static enum ks_result stage_write(struct house *house, struct ks_stage *stage, const char *text, bool last)
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

static struct ks_stage *upload(struct house *house, const char *name, const char *text)
{
    struct ks_stage *stage = stage_open(house, &somebody, name, (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, text, true), KS_OK);
    return stage;
}

static enum ks_result confirm(struct house *house, struct ks_stage *stage)
{
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_vault_confirm(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static enum ks_result discard(struct house *house, struct ks_stage *stage)
{
    struct ks_store_discard request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_vault_discard(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static const char *path_of(const struct ks_client_id *id, const char *name, char path[static 256])
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    ks_names_directory(id, directory);
    snprintf(path, 256, "%s/%s", directory, name);
    return path;
}

static bool has_file(struct house *house, const char *name, const char *text)
{
    char path[256];
    return fixture_file_is(house->directory, path_of(&somebody, name, path), text);
}

static void assert_staged(struct house *house, int count)
{
    assert_int_equal(fixture_count_entries(house->directory, "staging"), count);
}

/* As if a second had passed on every stage thread. */
static void house_tick(struct house *house)
{
    for (unsigned i = 0; i < house->vault->thread_count; i++)
        fixture_call_on(ks_thread_executor(house->vault->threads[i].thread), ks_stage_tick,
                        &house->vault->threads[i]);
}

/* ---- names ---- */

static void kept_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *kept; /* NULL: refused */
    } cases[] = {
        {"letter.txt", "letter.txt"},
        {"/etc/passwd", "passwd"},
        {"C:\\Users\\me\\a b.doc", "a b.doc"},
        {"a/b\\c", "c"},
        {"a\\b/c", "c"},
        {"../../up", "up"},
        {"...", "..."},
        {".hidden", ".hidden"},
        {"-rf", "-rf"},
        {"~", "~"},
        {"שלום.txt", "שלום.txt"},
        {"\xff\xfe", "\xff\xfe"},
        {" ", " "},
        {"", NULL},
        {"/", NULL},
        {"a/", NULL},
        {"a\\", NULL},
        {".", NULL},
        {"..", NULL},
        {"a/..", NULL},
        {"a\\.", NULL},
        {"a\nb", NULL},
        {"a\tb", NULL},
        {"a\x7f", NULL},
        {"\x1f/plain", NULL},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        const char *kept = NULL;
        size_t size = 0;
        enum ks_result result = ks_kept_name(cases[i].name, strlen(cases[i].name), &kept, &size);
        assert_int_equal(result, cases[i].kept == NULL ? KS_INVALID : KS_OK);
        if (cases[i].kept == NULL)
            continue;
        assert_int_equal(size, strlen(cases[i].kept));
        assert_memory_equal(kept, cases[i].kept, size);
    }
    const char *kept = NULL;
    size_t size = 0;
    assert_int_equal(ks_kept_name("nul\0inside", 10, &kept, &size), KS_INVALID);
}

/* The stored name: what follows "files/<hex>/". */
static const char *stored_name(const char *kept, char path[static KS_NAMES_PATH_SIZE])
{
    assert_int_equal(ks_names_path(&somebody, kept, strlen(kept), path), KS_OK);
    assert_memory_equal(path, "files/ab010203000000000000000000000000/", 39);
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
        fixture_wait(&house->waiter, &request.request);
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
    fixture_wait(&house->waiter, &confirms[0].request);
    fixture_wait(&house->waiter, &confirms[1].request);
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
        fixture_wait(&house->waiter, &confirms[i].request);
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
    struct ks_stage *stages[MANY];
    unsigned before = count_open_files();
    for (int i = 0; i < MANY; i++) {
        struct ks_client_id id = {.bytes = {(uint8_t)i, (uint8_t)(i >> 8)}};
        char name[32];
        snprintf(name, sizeof name, "file %d", i);
        stages[i] = stage_open(house, &id, name, (struct ks_stage_transform){0});
        assert_int_equal(stage_write(house, stages[i], "one ", false), KS_OK);
    }
    assert_in_range(count_open_files(), before, before + KS_VAULT_OPEN_FILES);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(stage_write(house, stages[i], "two", true), KS_OK);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(confirm(house, stages[i]), KS_OK);
    assert_int_equal(count_open_files(), before);
    for (int i = 0; i < MANY; i++) {
        struct ks_client_id id = {.bytes = {(uint8_t)i, (uint8_t)(i >> 8)}};
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

/* ---- ends that are none ---- */

static void a_stage_without_its_last_chunk_is_not_confirmed(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = stage_open(house, &somebody, "half", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, "half", false), KS_OK);
    assert_int_equal(confirm(house, stage), KS_INVALID);
    assert_staged(house, 0);
    assert_int_equal(house->commits, 0);
}

static void nothing_may_follow_the_last_chunk(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = upload(house, "done", "done");
    assert_int_equal(stage_write(house, stage, "more", true), KS_INVALID);
    assert_int_equal(confirm(house, stage), KS_INVALID);
    assert_staged(house, 0);
}

static void a_stage_is_discarded_at_any_time(void **state)
{
    struct house *house = *state;
    struct ks_stage *untouched = stage_open(house, &somebody, "none", (struct ks_stage_transform){0});
    struct ks_stage *growing = stage_open(house, &somebody, "some", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, growing, "some", false), KS_OK);
    assert_int_equal(discard(house, untouched), KS_OK);
    assert_int_equal(discard(house, growing), KS_OK);
    assert_int_equal(discard(house, upload(house, "all", "all")), KS_OK);
    assert_staged(house, 0);
}

static void a_stage_is_swept_an_hour_after_its_last_byte(void **state)
{
    struct house *house = *state;
    struct ks_stage *confirmed = upload(house, "confirmed", "bytes");
    struct ks_stage *discarded = upload(house, "discarded", "bytes");
    struct ks_stage *growing = stage_open(house, &somebody, "growing", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, growing, "one", false), KS_OK);
    fixture_clock_forward(&house->clock, LIFETIME - 1);
    struct ks_stage *young = upload(house, "young", "bytes");
    house_tick(house);
    assert_staged(house, 4);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_staged(house, 1);
    /* Who holds them may go on holding them. */
    assert_int_equal(confirm(house, confirmed), KS_NOT_FOUND);
    assert_int_equal(discard(house, discarded), KS_OK);
    assert_int_equal(stage_write(house, growing, "two", true), KS_NOT_FOUND);
    assert_int_equal(confirm(house, growing), KS_NOT_FOUND);
    assert_int_equal(confirm(house, young), KS_OK);
    assert_int_equal(house->rows, 1);
}

static void a_byte_puts_the_sweep_off(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = stage_open(house, &somebody, "slow", (struct ks_stage_transform){0});
    for (int i = 0; i < 5; i++) {
        assert_int_equal(stage_write(house, stage, "x", false), KS_OK);
        fixture_clock_forward(&house->clock, LIFETIME - 1);
        house_tick(house);
    }
    assert_int_equal(stage_write(house, stage, "!", true), KS_OK);
    assert_int_equal(confirm(house, stage), KS_OK);
    assert_true(has_file(house, "slow", "xxxxx!"));
}

/* ---- failures of the disk and of the index ---- */

static void a_refused_row_is_told(void **state)
{
    struct house *house = *state;
    house->answer = KS_NO_SPACE;
    assert_int_equal(confirm(house, upload(house, "x", "bytes")), KS_NO_SPACE);
    house->answer = KS_OK;
    assert_int_equal(confirm(house, upload(house, "x", "again")), KS_OK);
    assert_true(has_file(house, "x", "again"));
}

static void limit_files_to(rlim_t size)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = size;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_failed_write_is_told_and_its_bytes_removed(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = stage_open(house, &somebody, "big", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, "12345678", false), KS_OK);
    limit_files_to(10);
    enum ks_result result = stage_write(house, stage, "12345678", true);
    limit_files_to(RLIM_INFINITY);
    assert_int_equal(result, KS_IO);
    assert_staged(house, 0);
    assert_int_equal(stage_write(house, stage, "", true), KS_IO);
    assert_int_equal(confirm(house, stage), KS_IO);
    assert_int_equal(confirm(house, upload(house, "next", "fine")), KS_OK);
}

static void a_file_that_vanished_from_staging_is_not_confirmed(void **state)
{
    struct house *house = *state;
    char command[128];
    struct ks_stage *stage = upload(house, "gone", "bytes");
    snprintf(command, sizeof command, "rm %s/staging/*", house->directory);
    assert_int_equal(system(command), 0);
    assert_int_equal(confirm(house, stage), KS_IO);
    assert_int_equal(house->commits, 0);
    assert_int_equal(confirm(house, upload(house, "next", "fine")), KS_OK);
}

static void a_vanished_staging_directory_fails_uploads_only(void **state)
{
    struct house *house = *state;
    assert_int_equal(unlinkat(house->directory_fd, "staging", AT_REMOVEDIR), 0);
    struct ks_stage *stage = stage_open(house, &somebody, "nowhere", (struct ks_stage_transform){0});
    assert_int_equal(stage_write(house, stage, "bytes", true), KS_IO);
    assert_int_equal(discard(house, stage), KS_OK);
}

static void of_a_group_only_those_fail_that_must(void **state)
{
    struct house *house = *state;
    const struct ks_client_id blocked = {.bytes = {0xcd}};
    char directory[KS_NAMES_DIRECTORY_SIZE];
    struct ks_store_confirm confirms[12];
    ks_names_directory(&blocked, directory);
    fixture_write_file(house->directory, directory, "where a directory should be");
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++) {
        struct ks_stage *stage =
            stage_open(house, i % 3 == 0 ? &blocked : &somebody, "same name", (struct ks_stage_transform){0});
        assert_int_equal(stage_write(house, stage, "bytes", true), KS_OK);
        confirms[i] = (struct ks_store_confirm){.request = fixture_request(&house->waiter), .stage = stage};
    }
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++)
        ks_vault_confirm(house->vault, &confirms[i]);
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++)
        fixture_wait(&house->waiter, &confirms[i].request);
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++)
        assert_int_equal(confirms[i].request.result, i % 3 == 0 ? KS_IO : KS_OK);
    assert_staged(house, 0);
    assert_int_equal(house->rows, 8);
}

static void a_full_disk_says_no_space_and_is_survived(void **state)
{
    struct house *house = *state;
    uint8_t bytes[64 * 1024] = {0};
    house_close(house);
    bool mounted = mount("kesher-unit", house->directory, "tmpfs", 0, "size=1m") == 0;
    if (!mounted)
        fixture_directory_remove(house->directory), assert_int_equal(mkdir(house->directory, 0700), 0);
    house_open(house);
    if (!mounted)
        skip();
    struct ks_stage *stage = stage_open(house, &somebody, "flood", (struct ks_stage_transform){0});
    enum ks_result result = KS_OK;
    for (int i = 0; i < 100 && result == KS_OK; i++) {
        struct ks_store_stage_write request = {
            .request = fixture_request(&house->waiter), .stage = stage, .bytes = bytes, .size = sizeof bytes};
        ks_vault_stage_write(house->vault, &request);
        result = fixture_wait(&house->waiter, &request.request);
    }
    int staged = fixture_count_entries(house->directory, "staging");
    enum ks_result discarded = discard(house, stage);
    enum ks_result after = confirm(house, upload(house, "small", "fits again"));
    assert_int_equal(umount2(house->directory, MNT_DETACH), 0);
    assert_int_equal(result, KS_NO_SPACE);
    assert_int_equal(staged, 0);
    assert_int_equal(discarded, KS_OK);
    assert_int_equal(after, KS_OK);
}

/* ---- many at once ---- */

enum { UPLOADERS = 8, UPLOADS_OF_EACH = 30 };

struct uploader {
    struct house *house;
    struct fixture_waiter waiter;
    struct ks_client_id id;
    unsigned failures;
};

static enum ks_result ask(struct uploader *uploader, struct ks_store_request *request)
{
    return fixture_wait(&uploader->waiter, request);
}

static void upload_one(struct uploader *uploader, int number)
{
    struct ks_vault *vault = uploader->house->vault;
    struct ks_store_stage_open opening = {.request = fixture_request(&uploader->waiter), .id = uploader->id};
    snprintf(opening.file_name, sizeof opening.file_name, "file %d", number % 7);
    ks_vault_stage_open(vault, &opening);
    uploader->failures += ask(uploader, &opening.request) != KS_OK;
    for (int i = 0; i < 3; i++) {
        uint8_t bytes[1000] = {0};
        struct ks_store_stage_write writing = {.request = fixture_request(&uploader->waiter),
                                               .stage = opening.stage,
                                               .bytes = bytes,
                                               .size = sizeof bytes,
                                               .last = i == 2};
        ks_vault_stage_write(vault, &writing);
        uploader->failures += ask(uploader, &writing.request) != KS_OK;
    }
    struct ks_store_confirm confirming = {.request = fixture_request(&uploader->waiter),
                                          .stage = opening.stage};
    struct ks_store_discard discarding = {.request = fixture_request(&uploader->waiter),
                                          .stage = opening.stage};
    if (number % 5 == 4) {
        ks_vault_discard(vault, &discarding);
        uploader->failures += ask(uploader, &discarding.request) != KS_OK;
    } else {
        ks_vault_confirm(vault, &confirming);
        uploader->failures += ask(uploader, &confirming.request) != KS_OK;
    }
}

static void *uploader_run(void *argument)
{
    struct uploader *uploader = argument;
    for (int i = 0; i < UPLOADS_OF_EACH; i++)
        upload_one(uploader, i);
    return NULL;
}

static void many_threads_upload_at_once(void **state)
{
    struct house *house = *state;
    struct uploader uploaders[UPLOADERS];
    pthread_t threads[UPLOADERS];
    for (size_t i = 0; i < UPLOADERS; i++) {
        /* Two threads for each user: they write the same files. */
        uploaders[i] = (struct uploader){.house = house, .id = {.bytes = {(uint8_t)(i / 2)}}};
        fixture_waiter_init(&uploaders[i].waiter);
        assert_int_equal(pthread_create(&threads[i], NULL, uploader_run, &uploaders[i]), 0);
    }
    for (size_t i = 0; i < UPLOADERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(uploaders[i].failures, 0);
    }
    assert_int_equal(house->rows, UPLOADERS * UPLOADS_OF_EACH * 4 / 5);
    assert_staged(house, 0);
    assert_int_equal(fixture_count_entries(house->directory, "files"), UPLOADERS / 2);
}

#define HOUSE_TEST(function) cmocka_unit_test_setup_teardown(function, house_set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_names),
        cmocka_unit_test(names_that_fit_are_stored_as_they_are),
        cmocka_unit_test(long_names_are_cut_at_a_character_and_marked),
        cmocka_unit_test(no_two_kept_names_share_a_file),
        HOUSE_TEST(chunks_arrive_in_order_and_a_confirm_puts_the_file_in_place),
        HOUSE_TEST(an_empty_file_is_a_file),
        HOUSE_TEST(everything_may_be_asked_for_without_waiting),
        HOUSE_TEST(a_large_file_is_written_whole),
        HOUSE_TEST(the_last_confirmed_of_one_name_wins),
        HOUSE_TEST(an_older_file_stays_until_it_is_replaced),
        HOUSE_TEST(a_thousand_small_files_are_confirmed_in_one_group),
        HOUSE_TEST(stages_keep_a_bounded_number_of_files_open),
        HOUSE_TEST(what_the_transform_gives_is_what_is_written),
        HOUSE_TEST(a_transform_that_fails_fails_the_stage),
        HOUSE_TEST(a_stage_without_its_last_chunk_is_not_confirmed),
        HOUSE_TEST(nothing_may_follow_the_last_chunk),
        HOUSE_TEST(a_stage_is_discarded_at_any_time),
        HOUSE_TEST(a_stage_is_swept_an_hour_after_its_last_byte),
        HOUSE_TEST(a_byte_puts_the_sweep_off),
        HOUSE_TEST(a_refused_row_is_told),
        HOUSE_TEST(a_failed_write_is_told_and_its_bytes_removed),
        HOUSE_TEST(a_file_that_vanished_from_staging_is_not_confirmed),
        HOUSE_TEST(a_vanished_staging_directory_fails_uploads_only),
        HOUSE_TEST(of_a_group_only_those_fail_that_must),
        HOUSE_TEST(a_full_disk_says_no_space_and_is_survived),
        HOUSE_TEST(many_threads_upload_at_once),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("vault", tests, NULL, NULL);
}
