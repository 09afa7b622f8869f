/* Unit tests of src/store/embedded/vault: own files that break off and go on, and what a disk that cannot
 * write tells of them. */
#include "unit/store/vault/forgetful_disk.h"
#include "unit/store/vault/puts_fixture.h"

enum {
    MEBIBYTE = 1024 * 1024,
    CROWD = 2 * KS_VAULT_OPEN_FILES,
    GROUP = 3,
};

/* ---- fixtures ---- */

/* What has come of a put is not on disk. */
static void lose(const struct house *house, uint8_t number, bool and_tell)
{
    struct stat status;
    assert_int_equal(stat(put_path(house, number), &status), 0);
    atomic_store(&told, and_tell);
    atomic_store(&dropped, false);
    atomic_store(&lost, status.st_ino);
}

static int set_up(void **state)
{
    atomic_store(&lost, 0);
    atomic_store(&syncs_fail, false);
    atomic_store(&sync_failure, 0);
    atomic_store(&write_failure, 0);
    atomic_store(&write_limit, 0);
    return house_set_up(state);
}

/* ---- going on ---- */

static void a_put_goes_on_wherever_it_broke_off(void **state)
{
    static const char whole[] = "whatever has come of it, the rest is added";
    struct house *house = *state;
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        char first[sizeof whole] = "";
        char name[16];
        snprintf(name, sizeof name, "cut at %zu", cut);
        memcpy(first, whole, cut);
        put_broken(house, 1, name, sizeof whole - 1, first);
        struct ks_stage *stage = put_open(house, 1, name, sizeof whole - 1, first);
        assert_int_equal(stage_write(house, stage, whole + cut, false), KS_OK);
        assert_int_equal(put_end(house, stage, whole), KS_OK);
        assert_true(has_file(house, name, whole));
        assert_staged(house, 0);
        assert_puts(house, 0, 0);
    }
}

/* Byte `offset` of a large file: no two pages alike. */
static uint8_t pattern(size_t offset)
{
    return (uint8_t)(offset * 31 + offset / 4096);
}

static void write_pattern(struct house *house, struct ks_stage *stage, uint8_t *block, size_t offset,
                          size_t size)
{
    for (size_t i = 0; i < size; i++)
        block[i] = pattern(offset + i);
    struct ks_store_stage_write request = {
        .request = fixture_request(&house->waiter), .stage = stage, .bytes = block, .size = size};
    ks_vault_stage_write(house->vault, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
}

/* Of pieces that bypass the cache, and others, which begin anywhere. */
static void a_large_put_goes_on_at_any_offset(void **state)
{
    static const size_t cuts[] = {0, 3, 4096, MEBIBYTE + 4096, 2 * MEBIBYTE + 4097, 12 * MEBIBYTE};
    enum { SIZE = 13 * MEBIBYTE };
    struct house *house = *state;
    static _Alignas(4096) uint8_t block[MEBIBYTE];
    static uint8_t whole[SIZE];
    for (size_t i = 0; i < SIZE; i++)
        whole[i] = pattern(i);
    for (size_t i = 0; i < KS_COUNT_OF(cuts); i++) {
        struct ks_store_put_open opening = put_request(house, 1, "large", SIZE);
        assert_int_equal(ask_to_put(house, &opening), KS_OK);
        assert_int_equal(opening.offset, cuts[i]);
        assert_int_equal(opening.cksum, cksum_of_bytes(whole, cuts[i]));
        size_t end = i + 1 < KS_COUNT_OF(cuts) ? cuts[i + 1] : SIZE;
        for (size_t at = cuts[i]; at < end; at += MEBIBYTE)
            write_pattern(house, opening.stage, block, at, end - at < MEBIBYTE ? end - at : MEBIBYTE);
        if (end < SIZE) {
            put_park(house, opening.stage);
            continue;
        }
        struct ks_store_confirm request = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .has_cksum = true,
                                           .cksum = cksum_of_bytes(whole, SIZE)};
        ks_vault_confirm(house->vault, &request);
        assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    }
    char path[256];
    int fd = open(in_house(house, path_of(&somebody, "large", path)), O_RDONLY);
    assert_true(fd >= 0);
    for (size_t at = 0; at < SIZE; at += MEBIBYTE) {
        assert_int_equal(read(fd, block, MEBIBYTE), MEBIBYTE);
        assert_memory_equal(block, whole + at, MEBIBYTE);
    }
    close(fd);
}

static void more_puts_may_be_open_than_files(void **state)
{
    struct house *house = *state;
    struct ks_stage *stages[CROWD];
    for (unsigned round = 0; round < 2; round++)
        for (unsigned i = 0; i < CROWD; i++) {
            struct ks_store_put_open opening = put_request(house, 0, "", 8);
            opening.put_id[0] = (uint8_t)(i / 256);
            opening.put_id[1] = (uint8_t)(i % 256);
            snprintf(opening.file_name, sizeof opening.file_name, "%u", i);
            if (round == 0)
                assert_int_equal(ask_to_put(house, &opening), KS_OK);
            stages[i] = round == 0 ? opening.stage : stages[i];
            assert_int_equal(stage_write(house, stages[i], round == 0 ? "half" : "life", false), KS_OK);
        }
    for (unsigned i = 0; i < CROWD; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        assert_int_equal(put_end(house, stages[i], "halflife"), KS_OK);
        assert_true(has_file(house, name, "halflife"));
    }
    assert_puts(house, 0, 0);
}

static void an_empty_put_has_a_file(void **state)
{
    struct house *house = *state;
    assert_int_equal(put_end(house, put_open(house, 1, "empty", 0, ""), ""), KS_OK);
    assert_true(has_file(house, "empty", ""));
    assert_int_equal(house->rows_without_file, 0);
    put_park(house, put_open(house, 2, "another", 0, ""));
    house_settle(house);
    assert_staged(house, 0);
    assert_puts(house, 0, 0);
}

static void what_somebody_took_away_begins_again(void **state)
{
    struct house *house = *state;
    put_broken(house, 1, "x", 8, "half");
    house_settle(house);
    assert_int_equal(unlink(put_path(house, 1)), 0);
    struct ks_stage *stage = put_open(house, 1, "x", 8, "");
    assert_int_equal(stage_write(house, stage, "halflife", false), KS_OK);
    assert_int_equal(put_end(house, stage, "halflife"), KS_OK);
}

static void what_is_longer_than_the_content_is_forgotten(void **state)
{
    struct house *house = *state;
    put_broken(house, 1, "x", 8, "longer");
    struct ks_stage *stage = put_open(house, 1, "x", 5, "");
    assert_puts(house, 1, 0);
    assert_int_equal(stage_write(house, stage, "short", false), KS_OK);
    assert_int_equal(put_end(house, stage, "short"), KS_OK);
    assert_true(has_file(house, "x", "short"));
    put_file(house, "y", "text");
    struct ks_store_put_open opening = put_request(house, 2, "y", 8);
    opening.replace = true;
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(stage_write(house, opening.stage, "longer", false), KS_OK);
    put_park(house, opening.stage);
    discard(house, put_kept(house, 2, "y", "text"));
    house_settle(house);
    assert_staged(house, 0);
}

static void what_came_meanwhile_is_not_replaced(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 4, "");
    assert_int_equal(stage_write(house, stage, "text", false), KS_OK);
    put_file(house, "x", "meanwhile");
    assert_int_equal(put_end(house, stage, "text"), KS_EXISTS);
    assert_true(has_file(house, "x", "meanwhile"));
    struct ks_store_put_open opening = put_request(house, 1, "x", 4);
    opening.replace = true;
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(opening.offset, 4);
    assert_int_equal(put_end(house, opening.stage, "text"), KS_OK);
    assert_true(has_file(house, "x", "text"));
}

static void what_was_refused_beyond_the_size_leaves_what_came_before(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 6, "");
    assert_int_equal(stage_write(house, stage, "four", false), KS_OK);
    assert_int_equal(stage_write(house, stage, "more", false), KS_INVALID);
    put_park(house, stage);
    stage = put_open(house, 1, "x", 6, "four");
    assert_int_equal(stage_write(house, stage, "ty", false), KS_OK);
    assert_int_equal(stage_write(house, stage, "", false), KS_OK);
    assert_int_equal(put_end(house, stage, "fourty"), KS_OK);
}

/* ---- reading takes its time ---- */

/* The first of several requests that was answered. */
static const struct ks_store_request *_Atomic first_answered;

static void answered_in_order(struct ks_store_request *request)
{
    const struct ks_store_request *nobody = NULL;
    atomic_compare_exchange_strong(&first_answered, &nobody, request);
    fixture_answered(request);
}

/* What broke off is so large that it is read in several turns. */
static void leave_much(struct house *house, uint8_t number, const char *name)
{
    put_broken(house, number, name, 30 * MEBIBYTE, "begun");
    house_settle(house);
    assert_int_equal(truncate(put_path(house, number), 25 * MEBIBYTE), 0);
}

static void others_have_their_turns_while_much_is_read(void **state)
{
    struct house *house = *state;
    struct gate gate;
    uint8_t byte = 'x';
    struct ks_stage *other = put_open(house, 1, "other", 1, "");
    leave_much(house, 2, "much");
    struct ks_store_put_open opening = put_request(house, 2, "much", 30 * MEBIBYTE);
    struct ks_store_stage_write writing = {
        .request = fixture_request(&house->waiter), .stage = other, .bytes = &byte, .size = 1};
    opening.request.done = answered_in_order;
    writing.request.done = answered_in_order;
    atomic_store(&first_answered, NULL);
    gate_close(&gate, other->owner->thread->thread);
    ks_vault_put_open(house->vault, &opening);
    ks_vault_stage_write(house->vault, &writing);
    gate_open(&gate);
    fixture_wait_for_answer(&house->waiter);
    fixture_wait_for_answer(&house->waiter);
    assert_ptr_equal(atomic_load(&first_answered), &writing.request);
    assert_int_equal(opening.offset, 25 * MEBIBYTE);
    assert_int_equal(discard(house, opening.stage), KS_OK);
    assert_int_equal(put_end(house, other, "x"), KS_OK);
}

static void expelled(struct ks_vault_expulsion *expulsion)
{
    (void)expulsion;
}

static void a_user_may_go_while_much_is_read(void **state)
{
    struct house *house = *state;
    struct gate gate;
    struct ks_stage *other = put_open(house, 1, "other", 1, "");
    leave_much(house, 2, "much");
    put_broken(house, 3, "parked", 8, "half");
    struct ks_store_put_open opening = put_request(house, 2, "much", 30 * MEBIBYTE);
    struct ks_vault_expulsion expulsion = {.id = somebody, .done = expelled};
    gate_close(&gate, other->owner->thread->thread);
    ks_vault_put_open(house->vault, &opening);
    ks_vault_expel(house->vault, &expulsion);
    gate_open(&gate);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_NOT_FOUND);
    assert_null(opening.stage);
    assert_staged(house, 0);
    assert_int_equal(stage_write(house, other, "x", false), KS_NOT_FOUND);
    put_park(house, other);
    house_settle(house);
    assert_puts(house, 0, 0);
}

/* ---- disks that cannot write ---- */

static void what_could_not_be_written_is_gone_when_that_is_told_at_last(void **state)
{
    struct house *house = *state;
    put_broken(house, 1, "x", 8, "half");
    house_settle(house);
    lose(house, 1, false);
    struct ks_stage *stage = put_open(house, 1, "x", 8, "");
    assert_int_equal(stage_write(house, stage, "halflife", false), KS_OK);
    assert_int_equal(put_end(house, stage, "halflife"), KS_OK);
    assert_true(has_file(house, "x", "halflife"));
}

/* Whoever was told has died before it could remove the file. */
static void what_is_lost_is_not_taken_from_the_cache(void **state)
{
    struct house *house = *state;
    struct ks_store_put_open opening = put_request(house, 1, "x", 8);
    put_broken(house, 1, "x", 8, "half");
    house_settle(house);
    lose(house, 1, true);
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(opening.offset, 4);
    assert_int_equal(opening.cksum, cksum_of_bytes("\0\0\0", 4));
    assert_int_equal(discard(house, opening.stage), KS_OK);
}

static void what_cannot_be_written_is_not_parked(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 8, "");
    assert_int_equal(stage_write(house, stage, "half", false), KS_OK);
    lose(house, 1, false);
    put_park(house, stage);
    house_settle(house);
    assert_staged(house, 0);
    assert_puts(house, 0, 0);
}

/* Confirms this one with two new files, as one group. */
static enum ks_result end_among_others(struct house *house, struct ks_stage *stage, const char *text)
{
    struct gate gate;
    struct ks_store_confirm ends[GROUP] = {
        {.request = fixture_request(&house->waiter), .stage = upload(house, "a", "a")},
        put_end_request(house, stage, text),
        {.request = fixture_request(&house->waiter), .stage = upload(house, "b", "b")},
    };
    gate_close(&gate, house->vault->confirm_thread);
    for (unsigned i = 0; i < GROUP; i++)
        ks_vault_confirm(house->vault, &ends[i]);
    house_settle(house);
    gate_open(&gate);
    for (unsigned i = 0; i < GROUP; i++)
        fixture_wait_for_answer(&house->waiter);
    assert_int_equal(ends[0].request.result, KS_OK);
    assert_int_equal(ends[2].request.result, KS_OK);
    return ends[1].request.result;
}

static void an_error_that_another_group_was_told_fails_what_went_on(void **state)
{
    struct house *house = *state;
    put_broken(house, 1, "x", 8, "half");
    struct ks_stage *stage = put_open(house, 1, "x", 8, "half");
    assert_int_equal(stage_write(house, stage, "life", false), KS_OK);
    lose(house, 1, false);
    atomic_store(&syncs_fail, true);
    assert_int_equal(end_among_others(house, put_open(house, 2, "y", 0, ""), ""), KS_OK);
    assert_false(atomic_load(&syncs_fail));
    assert_int_equal(end_among_others(house, stage, "halflife"), KS_IO);
    assert_false(has_file(house, "x", "halflife"));
    assert_puts(house, 0, 0);
}

/* Before it was opened again, an error was told to a group: what is there now is synced, and read, after it.
 */
static void what_went_on_after_an_error_may_be_synced_with_others(void **state)
{
    struct house *house = *state;
    put_broken(house, 1, "x", 8, "half");
    house_settle(house);
    atomic_store(&syncs_fail, true);
    assert_int_equal(end_among_others(house, put_open(house, 2, "y", 0, ""), ""), KS_OK);
    struct ks_stage *stage = put_open(house, 1, "x", 8, "half");
    assert_int_equal(stage_write(house, stage, "life", false), KS_OK);
    atomic_store(&sync_failure, EIO); /* of nobody: none is synced by itself */
    assert_int_equal(end_among_others(house, stage, "halflife"), KS_OK);
    assert_int_equal(atomic_exchange(&sync_failure, 0), EIO);
    assert_true(has_file(house, "x", "halflife"));
}

static void what_cannot_be_synced_is_gone(void **state)
{
    static const int failures[] = {EIO, ENOSPC};
    static const enum ks_result results[] = {KS_IO, KS_NO_SPACE};
    struct house *house = *state;
    for (size_t i = 0; i < KS_COUNT_OF(failures); i++) {
        struct ks_stage *stage = put_open(house, 1, "x", 4, "");
        assert_int_equal(stage_write(house, stage, "text", false), KS_OK);
        atomic_store(&sync_failure, failures[i]);
        assert_int_equal(put_end(house, stage, "text"), results[i]);
        assert_puts(house, 0, 0);
        assert_staged(house, 0);
    }
}

static void a_full_disk_leaves_what_came_before(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 12, "");
    assert_int_equal(stage_write(house, stage, "one ", false), KS_OK);
    atomic_store(&write_failure, ENOSPC);
    assert_int_equal(stage_write(house, stage, "two ", false), KS_NO_SPACE);
    assert_int_equal(stage_write(house, stage, "three", false), KS_NO_SPACE);
    put_park(house, stage);
    stage = put_open(house, 1, "x", 12, "one ");
    /* Half of a piece has been written. */
    atomic_store(&write_limit, 2);
    atomic_store(&write_failure, ENOSPC);
    assert_int_equal(stage_write(house, stage, "two ", false), KS_NO_SPACE);
    assert_int_equal(put_end(house, stage, "one tw"), KS_NO_SPACE);
    stage = put_open(house, 1, "x", 12, "one tw");
    assert_int_equal(stage_write(house, stage, "o tree", false), KS_OK);
    assert_int_equal(put_end(house, stage, "one two tree"), KS_OK);
    assert_true(has_file(house, "x", "one two tree"));
}

static void a_disk_that_fails_leaves_nothing(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 8, "");
    assert_int_equal(stage_write(house, stage, "half", false), KS_OK);
    atomic_store(&write_failure, EIO);
    assert_int_equal(stage_write(house, stage, "life", false), KS_IO);
    put_park(house, stage);
    house_settle(house);
    assert_staged(house, 0);
    assert_puts(house, 0, 0);
    assert_int_equal(discard(house, put_open(house, 1, "x", 8, "")), KS_OK);
}

/* ---- what is kept already ---- */

static void what_is_kept_is_synced_and_gets_its_row(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    unsigned rows = house->rows;
    struct ks_stage *stage = put_kept(house, 1, "x", "text");
    assert_puts(house, 1, 0);
    assert_staged(house, 0);
    assert_int_equal(put_end(house, stage, "text"), KS_OK);
    assert_int_equal(house->rows, rows + 1);
    assert_int_equal(house->rows_without_file, 0);
    stage = put_kept(house, 1, "x", "text");
    atomic_store(&sync_failure, EIO);
    assert_int_equal(put_end(house, stage, "text"), KS_IO);
    assert_true(has_file(house, "x", "text"));
    assert_puts(house, 0, 0);
}

static void what_is_kept_is_told_as_the_disk_has_it(void **state)
{
    struct house *house = *state;
    struct ks_store_put_open opening = put_request(house, 1, "x", 4);
    struct stat status;
    char path[256];
    put_file(house, "x", "text");
    assert_int_equal(stat(in_house(house, path_of(&somebody, "x", path)), &status), 0);
    atomic_store(&told, true);
    atomic_store(&dropped, false);
    atomic_store(&lost, status.st_ino);
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(opening.cksum, cksum_of_bytes("\0\0\0", 4));
    assert_int_equal(put_end(house, opening.stage, "text"), KS_CRYPTO);
    assert_true(has_file(house, "x", "text"));
}

static void what_is_kept_has_to_be_what_it_was(void **state)
{
    struct house *house = *state;
    char path[256];
    put_file(house, "x", "text");
    struct ks_stage *stage = put_kept(house, 1, "x", "text");
    put_file(house, "x", "text"); /* the same, but another file */
    assert_int_equal(put_end(house, stage, "text"), KS_EXISTS);
    assert_true(has_file(house, "x", "text"));
    stage = put_kept(house, 1, "x", "text");
    assert_int_equal(unlink(in_house(house, path_of(&somebody, "x", path))), 0);
    assert_int_equal(put_end(house, stage, "text"), KS_EXISTS);
    assert_puts(house, 0, 0);
}

static void nothing_that_is_kept_is_removed_with_a_put(void **state)
{
    struct house *house = *state;
    put_file(house, "x", "text");
    assert_int_equal(discard(house, put_kept(house, 1, "x", "text")), KS_OK);
    put_park(house, put_kept(house, 1, "x", "text"));
    struct ks_stage *stage = put_kept(house, 1, "x", "text");
    assert_int_equal(stage_write(house, stage, "more", false), KS_INVALID);
    assert_int_equal(put_end(house, stage, "text"), KS_INVALID);
    assert_true(has_file(house, "x", "text"));
    assert_puts(house, 0, 0);
}

/* ---- ends ---- */

static void who_puts_is_told_what_was_replaced(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 4, "");
    assert_int_equal(stage_write(house, stage, "text", false), KS_OK);
    struct ks_store_confirm end = put_end_request(house, stage, "text");
    end.replaced = true;
    ks_vault_confirm(house->vault, &end);
    assert_int_equal(fixture_wait(&house->waiter, &end.request), KS_OK);
    assert_false(end.replaced);
    struct ks_store_put_open opening = put_request(house, 1, "x", 5);
    opening.replace = true;
    assert_int_equal(ask_to_put(house, &opening), KS_OK);
    assert_int_equal(stage_write(house, opening.stage, "newer", false), KS_OK);
    end = put_end_request(house, opening.stage, "newer");
    ks_vault_confirm(house->vault, &end);
    assert_int_equal(fixture_wait(&house->waiter, &end.request), KS_OK);
    assert_true(end.replaced);
}

static void a_row_that_cannot_be_had_leaves_what_is_kept_already(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 4, "");
    assert_int_equal(stage_write(house, stage, "text", false), KS_OK);
    house->answer = KS_NO_SPACE;
    assert_int_equal(put_end(house, stage, "text"), KS_NO_SPACE);
    assert_puts(house, 0, 0);
    house->answer = KS_OK;
    assert_int_equal(put_end(house, put_kept(house, 1, "x", "text"), "text"), KS_OK);
}

static void a_file_whose_user_has_gone_is_not_parked(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 4, "");
    assert_int_equal(stage_write(house, stage, "text", false), KS_OK);
    house->answer = KS_NOT_FOUND;
    assert_int_equal(put_end(house, stage, "text"), KS_NOT_FOUND);
    assert_false(has_file(house, "x", "text"));
    assert_staged(house, 0);
    assert_puts(house, 0, 0);
}

/* ---- age ---- */

static void what_broke_off_goes_when_its_time_is_up(void **state)
{
    struct house *house = *state;
    put_broken(house, 1, "older", 8, "half");
    fixture_clock_forward(&house->clock, LIFETIME / 2);
    put_broken(house, 2, "newer", 8, "half");
    house_settle(house);
    fixture_clock_forward(&house->clock, LIFETIME / 2 - 1);
    house_tick(house);
    assert_puts(house, 2, 8);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_puts(house, 1, 4);
    assert_staged(house, 1);
    put_park(house, put_open(house, 2, "newer", 8, "half")); /* that it was opened makes it young */
    house_settle(house);
    fixture_clock_forward(&house->clock, LIFETIME - 1);
    house_tick(house);
    assert_puts(house, 1, 4);
    fixture_clock_forward(&house->clock, 1);
    house_tick(house);
    assert_staged(house, 0);
}

static void an_open_put_that_nobody_writes_is_dropped(void **state)
{
    struct house *house = *state;
    struct ks_stage *stage = put_open(house, 1, "x", 8, "");
    assert_int_equal(stage_write(house, stage, "half", false), KS_OK);
    fixture_clock_forward(&house->clock, LIFETIME);
    house_tick(house);
    assert_staged(house, 0);
    assert_int_equal(stage_write(house, stage, "life", false), KS_NOT_FOUND);
    assert_puts(house, 1, 0);
    assert_int_equal(put_end(house, stage, "halflife"), KS_NOT_FOUND);
    assert_puts(house, 0, 0);
}

/* ---- room ---- */

static void the_file_of_one_that_makes_room_is_removed(void **state)
{
    struct house *house = *state;
    atomic_store(&house->limits.user_puts, 2);
    put_broken(house, 1, "one", 8, "half");
    put_broken(house, 2, "two", 8, "half");
    put_broken(house, 3, "three", 8, "half");
    house_settle(house);
    assert_puts(house, 2, 8);
    assert_staged(house, 2);
    assert_int_equal(access(put_path(house, 1), F_OK), -1);
    struct ks_stage *stage = put_open(house, 1, "one", 8, "");
    assert_int_equal(discard(house, stage), KS_OK);
}

#define PUT_TEST(function) cmocka_unit_test_setup_teardown(function, set_up, house_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(a_put_goes_on_wherever_it_broke_off),
        PUT_TEST(a_large_put_goes_on_at_any_offset),
        PUT_TEST(more_puts_may_be_open_than_files),
        PUT_TEST(an_empty_put_has_a_file),
        PUT_TEST(what_somebody_took_away_begins_again),
        PUT_TEST(what_is_longer_than_the_content_is_forgotten),
        PUT_TEST(what_came_meanwhile_is_not_replaced),
        PUT_TEST(what_was_refused_beyond_the_size_leaves_what_came_before),
        PUT_TEST(others_have_their_turns_while_much_is_read),
        PUT_TEST(a_user_may_go_while_much_is_read),
        PUT_TEST(what_could_not_be_written_is_gone_when_that_is_told_at_last),
        PUT_TEST(what_is_lost_is_not_taken_from_the_cache),
        PUT_TEST(what_cannot_be_written_is_not_parked),
        PUT_TEST(an_error_that_another_group_was_told_fails_what_went_on),
        PUT_TEST(what_went_on_after_an_error_may_be_synced_with_others),
        PUT_TEST(what_cannot_be_synced_is_gone),
        PUT_TEST(a_full_disk_leaves_what_came_before),
        PUT_TEST(a_disk_that_fails_leaves_nothing),
        PUT_TEST(what_is_kept_is_synced_and_gets_its_row),
        PUT_TEST(what_is_kept_is_told_as_the_disk_has_it),
        PUT_TEST(what_is_kept_has_to_be_what_it_was),
        PUT_TEST(nothing_that_is_kept_is_removed_with_a_put),
        PUT_TEST(who_puts_is_told_what_was_replaced),
        PUT_TEST(a_row_that_cannot_be_had_leaves_what_is_kept_already),
        PUT_TEST(a_file_whose_user_has_gone_is_not_parked),
        PUT_TEST(what_broke_off_goes_when_its_time_is_up),
        PUT_TEST(an_open_put_that_nobody_writes_is_dropped),
        PUT_TEST(the_file_of_one_that_makes_room_is_removed),
    };
    return cmocka_run_group_tests_name("vault_puts", tests, NULL, NULL);
}
