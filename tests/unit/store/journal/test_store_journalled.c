/* Unit tests of src/store/embedded/writer/filing.h: messages that go through the journal into the database.
 */
#include "unit/store/journal/journal_fixture.h"
#include "unit/store/messages_fixture.h"

#include <signal.h>

enum { MANY = 100, LIMIT = 2000 };

/* Messages that are appended together, in one batch, by alice to bob; each is its number. */
struct batch {
    struct house *house;
    struct held_writer before;
    struct held_writer after;
    struct fixture_call hold_again;
    char texts[LIMIT][8];
    struct ks_store_append_message requests[LIMIT];
};

static void hold_again(void *context)
{
    struct batch *batch = context;
    writer_hold_later(batch->house, &batch->after);
}

/* They are answered, and the writer is held: nothing happens any more to what they have left. */
static void append_requests(struct house *house, struct batch *batch, int count, enum ks_result expected)
{
    batch->house = house;
    writer_hold(house, &batch->before);
    for (int i = 0; i < count; i++)
        ks_store_append_message(house->store, &batch->requests[i]);
    batch->hold_again =
        (struct fixture_call){.task.run = fixture_call_run, .function = hold_again, .context = batch};
    assert_int_equal(sem_init(&batch->hold_again.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(ks_engine_of(house->store)->writer.thread), &batch->hold_again.task);
    writer_let_go(&batch->before);
    for (int i = 0; i < count; i++)
        fixture_wait_for_answer(&house->waiter);
    for (int i = 0; i < count; i++)
        assert_int_equal(batch->requests[i].request.result, expected);
    fixture_hold(&batch->after.reached);
}

static void append_together(struct house *house, const struct pair *users, struct batch *batch, int first,
                            int count, enum ks_result expected)
{
    for (int i = 0; i < count; i++) {
        snprintf(batch->texts[i], sizeof batch->texts[i], "%d", first + i);
        batch->requests[i] = append_request(house, &users->bob, &users->alice, batch->texts[i]);
    }
    append_requests(house, batch, count, expected);
}

/* The filer does nothing until it is let go. */
static void filer_hold(struct house *house, struct held_writer *held)
{
    assert_int_equal(sem_init(&held->reached, 0, 0), 0);
    assert_int_equal(sem_init(&held->gate, 0, 0), 0);
    held->call =
        (struct fixture_call){.task.run = fixture_call_run, .function = writer_stay_here, .context = held};
    assert_int_equal(sem_init(&held->call.done, 0, 0), 0);
    ks_filing_post(&ks_engine_of(house->store)->filing, &held->call.task);
    fixture_hold(&held->reached);
}

static void go_on(struct batch *batch)
{
    writer_let_go(&batch->after);
}

static struct ks_filing *filing_of(struct house *house)
{
    return &ks_engine_of(house->store)->filing;
}

/* The filer has filed all that is journalled. */
static void file_now(struct house *house)
{
    ks_filing_ask(filing_of(house));
    ks_thread_reach(filing_of(house)->thread);
}

/* All that is journalled, in a transaction that is not committed, as the filer does it. The filer itself has
 * nothing to do. */
static void begin_to_file(struct house *house)
{
    struct ks_filing *filing = filing_of(house);
    assert_int_equal(ks_database_writer_begin(&filing->connection), KS_OK);
    assert_int_equal(ks_filing_file(filing, &filing->connection), KS_OK);
}

static void end_filing(struct house *house)
{
    assert_int_equal(ks_database_writer_finish(&filing_of(house)->connection), KS_OK);
}

/* The directory as it is now, in another place. */
static void copy_directory(const struct house *house, char copy[static 64])
{
    char command[256];
    fixture_directory_make(copy);
    snprintf(command, sizeof command, "rmdir %s && cp -a %s %s", copy, house->directory, copy);
    assert_int_equal(system(command), 0);
}

/* What the next server will find. */
static void go_down(struct house *house, struct batch *batch, const char *copy)
{
    if (batch != NULL)
        go_on(batch);
    house_close(house);
    fixture_directory_remove(house->directory);
    snprintf(house->directory, sizeof house->directory, "%s", copy);
}

static void crash_and_stay_down(struct house *house, struct batch *batch)
{
    char copy[64];
    copy_directory(house, copy);
    go_down(house, batch, copy);
}

static void crash(struct house *house, struct batch *batch)
{
    crash_and_stay_down(house, batch);
    house_open(house);
}

/* All of them wait for bob, each once, in their order; and are delivered. */
static void assert_delivered(struct house *house, const struct pair *users, int first, int last)
{
    struct ks_store_lease_waiting part = lease(house, &users->bob, 7);
    assert_int_equal(part.count, last - first + 1);
    ks_store_lease_release(house->store, &users->bob, 7);
    for (int i = first; i <= last; i++) {
        char text[8];
        struct ks_store_lease_waiting one = lease_request(house, &users->bob, 7, 1);
        ks_store_lease_waiting(house->store, &one);
        assert_int_equal(fixture_wait(&house->waiter, &one.request), KS_OK);
        assert_int_equal(one.count, 1);
        snprintf(text, sizeof text, "%d", i);
        assert_string_equal(read_all(house, &users->bob, &one).messages[0].text, text);
        assert_int_equal(delivered(house, &users->bob, 7, one.last), KS_OK);
    }
    assert_int_equal(lease(house, &users->bob, 7).count, 0);
}

static struct batch *batch_new(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    return batch;
}

/* ---- the way ---- */

static void a_batch_of_messages_is_in_the_journal_first(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    go_on(batch);
    file_now(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    assert_database(house, "SELECT count(*) FROM waiting", "100");
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void the_database_has_it_when_it_is_quiet(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    char count[256] = "0";
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    while (strcmp(count, "100") != 0)
        ask_database(house, "SELECT count(*) FROM messages", count);
    free(batch);
}

static void few_messages_are_in_the_database_at_once(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, 3, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "3");
    go_on(batch);
    free(batch);
}

static void the_first_messages_after_a_quiet_moment_are_no_load(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, 40, KS_OK);
    go_on(batch);
    append_together(house, &users, batch, 41, 40, KS_OK); /* in the same moment */
    assert_database(house, "SELECT count(*) FROM messages", "40");
    go_on(batch);
    file_now(house); /* behind what is journalled, nothing becomes a row at once */
    fixture_clock_forward(&house->clock, 1);
    append_together(house, &users, batch, 81, 40, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "120");
    go_on(batch);
    assert_delivered(house, &users, 1, 120);
    free(batch);
}

static void few_messages_behind_many_keep_their_order(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    for (int i = 1; i <= 3; i++) {
        append_together(house, &users, batch, MANY + i, 1, KS_OK);
        go_on(batch);
    }
    assert_delivered(house, &users, 1, MANY + 3);
    free(batch);
}

static void journalled_messages_can_be_leased(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    struct ks_store_lease_waiting part = lease_request(house, &users.bob, 7, NO_LIMIT);
    ks_store_lease_waiting(house->store, &part);
    go_on(batch);
    assert_int_equal(fixture_wait(&house->waiter, &part.request), KS_OK);
    assert_int_equal(part.count, MANY);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* Nobody else sees what an open transaction has filed. */
static void messages_that_were_taken_and_not_committed_can_be_leased(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    begin_to_file(house);
    struct ks_store_lease_waiting part = lease_request(house, &users.bob, 7, 1);
    ks_store_lease_waiting(house->store, &part);
    go_on(batch);
    end_filing(house);
    assert_int_equal(fixture_wait(&house->waiter, &part.request), KS_OK);
    assert_int_equal(part.count, 1);
    assert_string_equal(read_all(house, &users.bob, &part).messages[0].text, "1");
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* The writer does not wait for who files. */
static void messages_are_journalled_while_others_are_filed(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    begin_to_file(house);
    go_on(batch);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    end_filing(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    go_on(batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

/* Together more than the journal has room for. */
static void a_full_journal_gets_room_though_the_filer_does_nothing(void **state)
{
    enum { BATCHES = KS_JOURNAL_SEGMENTS + 4, EACH = 500, SIZE = 1900 };
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    struct held_writer filer;
    char text[SIZE + 1] = {0};
    memset(text, 'x', SIZE);
    filer_hold(house, &filer);
    for (int i = 0; i < BATCHES; i++) {
        for (int k = 0; k < EACH; k++)
            batch->requests[k] = append_request(house, &users.bob, &users.alice, text);
        append_requests(house, batch, EACH, KS_OK);
        go_on(batch);
    }
    writer_let_go(&filer);
    assert_int_equal(lease(house, &users.bob, 7).count, BATCHES * EACH);
    free(batch);
}

static void other_changes_do_not_keep_the_journal_from_being_taken(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    char count[256] = "0";
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    for (int i = 0; strcmp(count, "100") != 0; i++) { /* never quiet for 20 milliseconds */
        char name[32];
        snprintf(name, sizeof name, "user %d", i);
        assert_int_equal(register_user(house, name, NULL, NULL), KS_OK);
        ask_database(house, "SELECT count(*) FROM messages", count);
        assert_true(i < 10000);
    }
    free(batch);
}

static void much_goes_round_and_round(void **state)
{
    enum { ROUNDS = 40, EACH = 1000 };
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    for (int i = 0; i < ROUNDS; i++) {
        append_together(house, &users, batch, i * EACH, EACH, KS_OK);
        go_on(batch);
    }
    assert_int_equal(lease(house, &users.bob, 7).count, ROUNDS * EACH);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_database(house,
                    "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY ID) - 1 AS n,"
                    " CAST(Content AS TEXT) AS c FROM messages) WHERE c = CAST(n AS TEXT)",
                    "40000");
    house_restart(house);
    assert_int_equal(lease(house, &users.bob, 7).count, ROUNDS * EACH);
    free(batch);
}

static void a_closed_store_has_everything_in_the_database(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    house_close(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    house_open(house);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* ---- crashes ---- */

static void what_is_in_the_journal_waits_after_a_crash(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append(house, &users.bob, &users.alice, "1");
    append_together(house, &users, batch, 2, MANY, KS_OK);
    crash(house, batch);
    assert_database(house, "SELECT count(*) FROM messages", "101");
    append(house, &users.bob, &users.alice, "102");
    assert_delivered(house, &users, 1, 102);
    free(batch);
}

static void a_second_crash_changes_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    crash(house, batch);
    crash(house, NULL);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void what_was_delivered_does_not_come_back_after_a_crash(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    crash(house, NULL);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    append_together(house, &users, batch, 1, 5, KS_OK);
    assert_true(batch->requests[0].message_id > part.last);
    crash(house, batch);
    assert_delivered(house, &users, 1, 5);
    free(batch);
}

static void a_crash_while_the_journal_is_taken_loses_and_doubles_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    char copy[64];
    append_together(house, &users, batch, 1, MANY, KS_OK);
    begin_to_file(house);
    copy_directory(house, copy);
    end_filing(house);
    go_down(house, batch, copy);
    house_open(house);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void what_was_filed_before_a_crash_is_not_doubled(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    file_now(house);
    crash(house, batch); /* the journal still has them */
    assert_database(house, "SELECT count(*) FROM messages", "100");
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

/* ---- damage ---- */

/* From now on the log can be looked at. */
static void log_to_file(struct house *house)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_true(dup3(fileno(file), house->log.fd, O_CLOEXEC) == house->log.fd);
    fclose(file);
}

static bool log_tells(const struct house *house, const char *text)
{
    char found[4096];
    ssize_t size = pread(house->log.fd, found, sizeof found - 1, 0);
    assert_true(size >= 0);
    found[size] = '\0';
    return strstr(found, text) != NULL;
}

static int open_journal_file(const struct house *house)
{
    char path[128];
    snprintf(path, sizeof path, "%s/journal", house->directory);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* In the content of the first message of the first segment. */
static void flip_a_byte(const struct house *house)
{
    uint8_t byte = 0;
    off_t offset = KS_JOURNAL_HEAD_SIZE + KS_JOURNAL_RECORD_SMALLEST;
    int fd = open_journal_file(house);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

static void a_flipped_byte_loses_one_message_and_is_told(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *first = batch_new();
    struct batch *second = batch_new();
    append_together(house, &users, first, 1, MANY, KS_OK);
    go_on(first);
    append_together(house, &users, second, MANY + 1, MANY, KS_OK);
    crash_and_stay_down(house, second);
    flip_a_byte(house);
    log_to_file(house);
    house_open(house);
    assert_true(log_tells(house, "the journal was damaged: 80 bytes"));
    assert_int_equal(fixture_count_entries(house->directory, "damaged"), 1);
    assert_delivered(house, &users, 2, 2 * MANY);
    free(first);
    free(second);
}

static void what_a_torn_write_leaves_out_is_told(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    crash_and_stay_down(house, batch);
    flip_a_byte(house);
    log_to_file(house);
    house_open(house);
    assert_true(log_tells(house, "99 messages behind the gap"));
    assert_int_equal(lease(house, &users.bob, 7).count, 0);
    free(batch);
}

static void ids_go_on_behind_all_that_a_journal_could_hold(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    uint64_t last = batch->requests[MANY - 1].message_id;
    crash(house, batch);
    crash(house, NULL); /* the second one finds nothing, and remembers */
    append_together(house, &users, batch, 1, 1, KS_OK);
    go_on(batch);
    assert_true(batch->requests[0].message_id > last + KS_JOURNAL_RECORD_LIMIT);
    free(batch);
}

/* As a kesher with journals of version 1 leaves it when it is killed. */
static void the_journal_of_an_earlier_kesher_is_delivered(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    uint8_t image[KS_JOURNAL_HEAD_SIZE + 8192] = {0};
    append(house, &users.bob, &users.alice, "1");
    house_close(house);
    fixture_journal_1_head(image);
    uint8_t *next = image + KS_JOURNAL_HEAD_SIZE;
    for (uint64_t i = 1; i <= MANY; i++) { /* the first one is in the database, too */
        int size = snprintf(batch->texts[i], sizeof batch->texts[i], "%d", (int)i);
        const struct ks_journal_record record = {.message_id = i,
                                                 .receiver = users.bob,
                                                 .sender = users.alice,
                                                 .type = 3,
                                                 .content_size = (uint32_t)size,
                                                 .content = (const uint8_t *)batch->texts[i]};
        next += fixture_journal_1_record(next, &record);
    }
    int fd = open_journal_file(house);
    assert_int_equal(pwrite(fd, image, sizeof image, 0), sizeof image);
    close(fd);
    house_open(house);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    crash(house, batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

/* ---- failures ---- */

/* As if it had been opened for reading only: every write fails. */
static void break_journal(struct house *house)
{
    struct ks_journal *journal = &ks_engine_of(house->store)->filing.journal;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(dup3(fd, journal->fd, O_CLOEXEC) == journal->fd);
    close(fd);
}

static void without_a_journal_messages_go_straight_to_the_database(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    break_journal(house);
    go_on(batch);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "200");
    go_on(batch);
    append_together(house, &users, batch, 2 * MANY + 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "300");
    crash(house, batch);
    assert_delivered(house, &users, 1, 3 * MANY);
    free(batch);
}

static void a_broken_journal_is_opened_again(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    break_journal(house);
    append_together(house, &users, batch, 1, MANY, KS_OK);
    go_on(batch);
    fixture_clock_forward(&house->clock, 61);
    house_tick(house);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    crash(house, batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

static void what_nothing_could_take_is_refused_and_does_not_come_back(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    rlim_t before = limit_files_to(KS_JOURNAL_HEAD_SIZE + (MANY + 10) * 64);
    go_on(batch);
    append_together(house, &users, batch, MANY + 1, MANY, KS_IO);
    limit_files_to(before);
    go_on(batch);
    fixture_clock_forward(&house->clock, 61);
    house_tick(house);
    append_together(house, &users, batch, MANY + 1, MANY, KS_OK);
    go_on(batch);
    assert_delivered(house, &users, 1, 2 * MANY);
    free(batch);
}

static void what_the_filer_cannot_file_stays_in_the_journal_and_is_filed_later(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    append_together(house, &users, batch, 1, MANY, KS_OK);
    rlim_t before = limit_files_to(1024);
    file_now(house);
    limit_files_to(before);
    assert_database(house, "SELECT count(*) FROM messages", "0");
    assert_true(ks_journal_is_pending(&filing_of(house)->journal));
    fixture_clock_forward(&house->clock, 61);
    file_now(house);
    assert_database(house, "SELECT count(*) FROM messages", "100");
    go_on(batch);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void a_start_that_cannot_take_the_journal_fails_and_loses_nothing(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    struct batch *batch = batch_new();
    struct ks_store *store = NULL;
    char why[256];
    append_together(house, &users, batch, 1, MANY, KS_OK);
    crash_and_stay_down(house, batch);
    rlim_t before = limit_files_to(1024);
    enum ks_result result = house_try_open(house, &store, why, sizeof why);
    limit_files_to(before);
    assert_int_not_equal(result, KS_OK);
    assert_true(why[0] != '\0');
    house_open(house);
    assert_delivered(house, &users, 1, MANY);
    free(batch);
}

static void a_foreign_journal_stops_the_start(void **state)
{
    struct house *house = *state;
    struct ks_store *store = NULL;
    char path[128];
    char why[256];
    house_close(house);
    snprintf(path, sizeof path, "%s/journal", house->directory);
    assert_int_equal(truncate(path, 10000), 0);
    assert_int_equal(house_try_open(house, &store, why, sizeof why), KS_INVALID);
    assert_non_null(strstr(why, "journal"));
}

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_batch_of_messages_is_in_the_journal_first),
        HOUSE_TEST(the_database_has_it_when_it_is_quiet),
        HOUSE_TEST(few_messages_are_in_the_database_at_once),
        HOUSE_TEST(the_first_messages_after_a_quiet_moment_are_no_load),
        HOUSE_TEST(few_messages_behind_many_keep_their_order),
        HOUSE_TEST(journalled_messages_can_be_leased),
        HOUSE_TEST(messages_that_were_taken_and_not_committed_can_be_leased),
        HOUSE_TEST(messages_are_journalled_while_others_are_filed),
        HOUSE_TEST(a_full_journal_gets_room_though_the_filer_does_nothing),
        HOUSE_TEST(other_changes_do_not_keep_the_journal_from_being_taken),
        HOUSE_TEST(much_goes_round_and_round),
        HOUSE_TEST(a_closed_store_has_everything_in_the_database),
        HOUSE_TEST(what_is_in_the_journal_waits_after_a_crash),
        HOUSE_TEST(a_second_crash_changes_nothing),
        HOUSE_TEST(what_was_delivered_does_not_come_back_after_a_crash),
        HOUSE_TEST(a_crash_while_the_journal_is_taken_loses_and_doubles_nothing),
        HOUSE_TEST(what_was_filed_before_a_crash_is_not_doubled),
        HOUSE_TEST(a_flipped_byte_loses_one_message_and_is_told),
        HOUSE_TEST(what_a_torn_write_leaves_out_is_told),
        HOUSE_TEST(ids_go_on_behind_all_that_a_journal_could_hold),
        HOUSE_TEST(the_journal_of_an_earlier_kesher_is_delivered),
        HOUSE_TEST(without_a_journal_messages_go_straight_to_the_database),
        HOUSE_TEST(a_broken_journal_is_opened_again),
        HOUSE_TEST(what_nothing_could_take_is_refused_and_does_not_come_back),
        HOUSE_TEST(what_the_filer_cannot_file_stays_in_the_journal_and_is_filed_later),
        HOUSE_TEST(a_start_that_cannot_take_the_journal_fails_and_loses_nothing),
        HOUSE_TEST(a_foreign_journal_stops_the_start),
    };
    return cmocka_run_group_tests_name("store_journalled", tests, NULL, NULL);
}
