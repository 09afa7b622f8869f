/* journalled_fixture.h — messages that go through the journal of a store: a batch that is journalled and not
 * filed yet, a filer that is held or in the middle of it, a crash.
 */
#ifndef KS_TESTS_UNIT_STORE_JOURNAL_JOURNALLED_FIXTURE_H
#define KS_TESTS_UNIT_STORE_JOURNAL_JOURNALLED_FIXTURE_H

#include "unit/store/journal/journal_fixture.h"
#include "unit/store/messages_fixture.h"

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

static inline void hold_again(void *context)
{
    struct batch *batch = context;
    writer_hold_later(batch->house, &batch->after);
}

/* They are answered, and the writer is held: nothing happens any more to what they have left. */
static inline void append_requests(struct house *house, struct batch *batch, int count,
                                   enum ks_result expected)
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

static inline void append_together(struct house *house, const struct pair *users, struct batch *batch,
                                   int first, int count, enum ks_result expected)
{
    for (int i = 0; i < count; i++) {
        snprintf(batch->texts[i], sizeof batch->texts[i], "%d", first + i);
        batch->requests[i] = append_request(house, &users->bob, &users->alice, batch->texts[i]);
    }
    append_requests(house, batch, count, expected);
}

/* The filer does nothing until it is let go. */
static inline void filer_hold(struct house *house, struct held_writer *held)
{
    assert_int_equal(sem_init(&held->reached, 0, 0), 0);
    assert_int_equal(sem_init(&held->gate, 0, 0), 0);
    held->call =
        (struct fixture_call){.task.run = fixture_call_run, .function = writer_stay_here, .context = held};
    assert_int_equal(sem_init(&held->call.done, 0, 0), 0);
    ks_filing_post(&ks_engine_of(house->store)->filing, &held->call.task);
    fixture_hold(&held->reached);
}

static inline void go_on(struct batch *batch)
{
    writer_let_go(&batch->after);
}

static inline struct ks_filing *filing_of(struct house *house)
{
    return &ks_engine_of(house->store)->filing;
}

/* The filer has filed all that is journalled. */
static inline void file_now(struct house *house)
{
    ks_filing_ask(filing_of(house));
    ks_thread_reach(filing_of(house)->thread);
}

/* All that is journalled, in a transaction that is not committed, as the filer does it. The filer itself has
 * nothing to do. */
static inline void begin_to_file(struct house *house)
{
    struct ks_filing *filing = filing_of(house);
    assert_int_equal(ks_database_writer_begin(&filing->connection), KS_OK);
    assert_int_equal(ks_filing_file(filing, &filing->connection), KS_OK);
}

static inline void end_filing(struct house *house)
{
    assert_int_equal(ks_database_writer_finish(&filing_of(house)->connection), KS_OK);
}

/* The directory as it is now, in another place. */
static inline void copy_directory(const struct house *house, char copy[static 64])
{
    char command[256];
    fixture_directory_make(copy);
    snprintf(command, sizeof command, "rmdir %s && cp -a %s %s", copy, house->directory, copy);
    assert_int_equal(system(command), 0);
}

/* What the next server will find. */
static inline void go_down(struct house *house, struct batch *batch, const char *copy)
{
    if (batch != NULL)
        go_on(batch);
    house_close(house);
    fixture_directory_remove(house->directory);
    snprintf(house->directory, sizeof house->directory, "%s", copy);
}

static inline void crash_and_stay_down(struct house *house, struct batch *batch)
{
    char copy[64];
    copy_directory(house, copy);
    go_down(house, batch, copy);
}

static inline void crash(struct house *house, struct batch *batch)
{
    crash_and_stay_down(house, batch);
    house_open(house);
}

/* All of them wait for bob, each once, in their order; and are delivered. */
static inline void assert_delivered(struct house *house, const struct pair *users, int first, int last)
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

static inline struct batch *batch_new(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    assert_non_null(batch);
    return batch;
}

#endif
