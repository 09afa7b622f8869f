/* Unit tests of src/store/embedded/vault: uploads that end otherwise than by a confirm, disks and rows that
 * fail, and many threads at once. */
#include "unit/store/vault/vault_fixture.h"

#include "base/limits/log_repeats.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>

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
    fixture_write_file(house->directory, fixture_directory_of(&blocked, directory),
                       "where a directory should be");
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++) {
        struct ks_stage *stage =
            stage_open(house, i % 3 == 0 ? &blocked : &somebody, "same name", (struct ks_stage_transform){0});
        assert_int_equal(stage_write(house, stage, "bytes", true), KS_OK);
        confirms[i] = (struct ks_store_confirm){.request = fixture_request(&house->waiter), .stage = stage};
    }
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++)
        ks_vault_confirm(house->vault, &confirms[i]);
    for (size_t i = 0; i < KS_COUNT_OF(confirms); i++)
        fixture_wait_for_answer(&house->waiter);
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
    struct ks_store_request discarding = fixture_request(&uploader->waiter);
    if (number % 5 == 4) {
        ks_vault_discard(vault, opening.stage, &discarding);
        uploader->failures += ask(uploader, &discarding) != KS_OK;
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

static unsigned lines_of(int log_fd)
{
    static char text[64 * 1024];
    unsigned count = 0;
    ssize_t size = pread(log_fd, text, sizeof text, 0);
    for (ssize_t i = 0; i < size; i++)
        count += text[i] == '\n';
    return count;
}

/* Errors are no matter of log-rate, and whoever uploads can go on and on. */
static void a_disk_that_fails_every_confirm_does_not_fill_the_log(void **state)
{
    struct house *house = *state;
    const struct ks_hash_key key = {{1}};
    close(house->log.fd);
    house->log.fd = memfd_create("log", MFD_CLOEXEC);
    house->log.level = KS_LOG_INFO;
    assert_int_equal(ks_log_repeats_new(&key, &house->clock.clock, &house->log.repeats), KS_OK);
    assert_int_equal(unlinkat(house->directory_fd, "files", AT_REMOVEDIR), 0);
    int in_its_place = openat(house->directory_fd, "files", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(in_its_place >= 0);
    close(in_its_place);
    for (unsigned i = 0; i < 3 * KS_LOG_REFUSALS; i++)
        assert_int_not_equal(confirm(house, upload(house, "a", "a")), KS_OK);
    assert_in_range(lines_of(house->log.fd), 1, 2 * KS_LOG_REFUSALS);
    ks_log_repeats_free(house->log.repeats);
    house->log.repeats = NULL;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
        HOUSE_TEST(a_disk_that_fails_every_confirm_does_not_fill_the_log),
        HOUSE_TEST(many_threads_upload_at_once),
    };
    signal(SIGXFSZ, SIG_IGN);
    return cmocka_run_group_tests_name("vault_ends", tests, NULL, NULL);
}
