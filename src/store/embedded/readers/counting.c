/* counting.c — see counting.h. */
#include "store/embedded/readers/counting.h"

#include "store/embedded/memory/largest_senders.h"
#include "store/embedded/memory/table.h"
#include "store/embedded/readers/pull_reader.h"
#include "store/reply.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE = 10 * 1000, /* rows in a go: some milliseconds */
    TRIES = 4,         /* a receiver who takes messages meanwhile has it begin again */
};

static const char count_text[] = "SELECT w.ID, m.FromClient, w.ContentSize"
                                 " FROM waiting AS w CROSS JOIN messages AS m ON m.ID=w.ID"
                                 " WHERE w.ToClient=? AND w.ID>? AND w.ID<=? ORDER BY w.ID";
enum { COUNT_ID, COUNT_SENDER, COUNT_SIZE };

struct ks_count {
    struct ks_task task;
    struct ks_count *next;
    struct ks_counting *counting;
    struct ks_client_id receiver;
    struct ks_store_append_message *first; /* that wait for it, in their order */
    struct ks_store_append_message *last;
    struct ks_largest_senders *senders;
    uint64_t era;     /* of the inbox when it began (inboxes.h) */
    uint64_t counted; /* up to this id */
    uint64_t up_to;
    unsigned tries;
    enum ks_result result;
};

void ks_counting_init(struct ks_counting *counting)
{
    pthread_mutex_init(&counting->lock, NULL);
}

void ks_counting_destroy(struct ks_counting *counting)
{
    pthread_mutex_destroy(&counting->lock);
}

static void count_free(struct ks_count *count)
{
    ks_largest_senders_free(count->senders);
    free(count);
}

static void answer_all(struct ks_count *count, enum ks_result result)
{
    struct ks_store_append_message *next = NULL;
    for (struct ks_store_append_message *request = count->first; request != NULL; request = next) {
        next = request->next;
        ks_reply_post(&request->request, result);
    }
    count_free(count);
}

/* ---- the end, on the writer's thread ---- */

static void start(struct ks_count *count);

static void let_go_on(struct ks_count *count)
{
    struct ks_store_append_message *next = NULL;
    struct ks_store_append_message *request = count->first;
    for (count->first = NULL; request != NULL; request = next) {
        next = request->next;
        count->counting->apply(request);
    }
}

static void apply_counted(struct ks_task *task)
{
    struct ks_count *count = KS_CONTAINER_OF(task, struct ks_count, task);
    struct ks_counting *counting = count->counting;
    if (count->result == KS_OK &&
        !ks_inboxes_counted(counting->inboxes, &count->receiver, count->era, &count->senders) &&
        ++count->tries < TRIES) {
        start(count);
        return;
    }
    LL_DELETE(counting->counts, count);
    let_go_on(count);
    count_free(count);
}

/* ---- on the pull thread ---- */

static void count_row(struct ks_count *count, sqlite3_stmt *row)
{
    struct ks_client_id sender;
    count->counted = (uint64_t)sqlite3_column_int64(row, COUNT_ID);
    if (sqlite3_column_bytes(row, COUNT_SENDER) != KS_CLIENT_ID_SIZE)
        return; /* damaged: whoever takes it is told */
    memcpy(sender.bytes, sqlite3_column_blob(row, COUNT_SENDER), sizeof sender.bytes);
    ks_largest_senders_add(count->senders, &sender, (uint64_t)sqlite3_column_int64(row, COUNT_SIZE));
}

/* KS_MORE when there are more rows. */
static enum ks_result count_piece(struct ks_count *count)
{
    struct ks_counting *counting = count->counting;
    enum ks_result result = KS_NO_MEMORY;
    if (count->senders != NULL)
        result = ks_database_reader_prepare(counting->reader, KS_PULL_COUNT_SENDERS, count_text);
    if (result != KS_OK)
        return result;
    struct ks_query query = ks_query_start(counting->reader->statements[KS_PULL_COUNT_SENDERS]);
    ks_query_blob(&query, count->receiver.bytes, sizeof count->receiver.bytes);
    ks_query_integer(&query, (int64_t)count->counted);
    ks_query_integer(&query, (int64_t)count->up_to);
    size_t rows = 0;
    while (rows < PIECE && ks_query_next(&query)) {
        count_row(count, query.statement);
        rows++;
    }
    result = ks_query_end(&query);
    if (result != KS_OK)
        return ks_database_reader_failed(counting->reader, result);
    return rows == PIECE ? KS_MORE : KS_OK;
}

/* What is posted to the writer under the lock it runs before it stops; the rest is ks_counting_finish's. */
static void hand_back(struct ks_count *count)
{
    struct ks_counting *counting = count->counting;
    pthread_mutex_lock(&counting->lock);
    if (!counting->closing) {
        count->task.run = apply_counted;
        ks_database_writer_post(counting->writer, &count->task);
    }
    pthread_mutex_unlock(&counting->lock);
}

static void run_count(struct ks_task *task)
{
    struct ks_count *count = KS_CONTAINER_OF(task, struct ks_count, task);
    count->result = count_piece(count);
    if (count->result == KS_MORE)
        ks_database_reader_post(count->counting->reader, task);
    else
        hand_back(count);
}

/* ---- the beginning, on the writer's thread ---- */

/* All that waited when it began is committed as rows now, so the pull thread sees it. */
static void settle_begin(struct ks_task *task)
{
    struct ks_count *count = KS_CONTAINER_OF(task, struct ks_count, task);
    struct ks_counting *counting = count->counting;
    if (counting->writer->failure != KS_OK) {
        LL_DELETE(counting->counts, count);
        answer_all(count, counting->writer->failure);
        return;
    }
    ks_inboxes_count_from(counting->inboxes, &count->receiver, &count->counted, &count->era);
    task->run = run_count;
    ks_database_reader_post(counting->reader, task);
}

static void start(struct ks_count *count)
{
    struct ks_counting *counting = count->counting;
    ks_largest_senders_free(count->senders); /* of an earlier try */
    count->senders = ks_largest_senders_new();
    count->up_to = counting->filing->last_message_id;
    /* A failure fails the batch, which settle_begin sees. */
    (void)ks_appending_reach(counting->appending, count->up_to);
    ks_database_writer_settle_later(counting->writer, &count->task, settle_begin);
}

static struct ks_count *find(struct ks_counting *counting, const struct ks_client_id *receiver)
{
    struct ks_count *count = counting->counts;
    while (count != NULL && memcmp(&count->receiver, receiver, sizeof *receiver) != 0)
        count = count->next;
    return count;
}

static struct ks_count *find_or_start(struct ks_counting *counting, const struct ks_client_id *receiver)
{
    struct ks_count *count = find(counting, receiver);
    if (count != NULL)
        return count;
    count = calloc(1, sizeof *count);
    if (count == NULL)
        return NULL;
    count->counting = counting;
    count->receiver = *receiver;
    LL_PREPEND(counting->counts, count);
    start(count);
    return count;
}

bool ks_counting_is_awaited(struct ks_counting *counting, const struct ks_client_id *receiver)
{
    const struct ks_count *count = find(counting, receiver);
    return count != NULL && count->first != NULL;
}

void ks_counting_go_on(struct ks_counting *counting, const struct ks_client_id *receiver)
{
    struct ks_count *count = find(counting, receiver);
    if (count != NULL)
        let_go_on(count);
}

enum ks_result ks_counting_begin(struct ks_counting *counting, const struct ks_client_id *receiver,
                                 struct ks_store_append_message *request)
{
    struct ks_count *count = find_or_start(counting, receiver);
    if (count == NULL)
        return KS_NO_MEMORY;
    if (request == NULL)
        return KS_OK;
    request->next = NULL;
    if (count->first == NULL)
        count->first = request;
    else
        count->last->next = request;
    count->last = request;
    return KS_OK;
}

void ks_counting_close(struct ks_counting *counting)
{
    pthread_mutex_lock(&counting->lock);
    counting->closing = true;
    pthread_mutex_unlock(&counting->lock);
}

void ks_counting_finish(struct ks_counting *counting)
{
    struct ks_count *next = NULL;
    for (struct ks_count *count = counting->counts; count != NULL; count = next) {
        next = count->next;
        answer_all(count, KS_IO);
    }
    counting->counts = NULL;
}
