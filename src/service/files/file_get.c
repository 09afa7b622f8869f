/* file_get.c — see file_get.h. The store opens the file, and sums what the client has; then a stream of
 * frames, in whose pages the store puts the content where it goes over the wire, summing it on its thread.
 * While the peer takes one page the next is read. */
#include "service/files/file_get.h"

#include "base/bytes.h"
#include "service/core/report.h"
#include "service/core/session.h"
#include "service/core/store_door.h"
#include "service/core/stream.h"
#include "service/core/tally.h"
#include "service/files/file_refusals.h"

#include <stdlib.h>
#include <string.h>

enum {
    PIECE_LARGEST = 256 * 1024,
    HEAD = KS_RESPONSE_HEADER_SIZE,
    BEGIN_SIZE = HEAD + KS_GOT_FILE_SIZE,                      /* 4011 */
    END_SIZE = HEAD + sizeof(uint32_t),                        /* 4018 */
    AROUND_PIECE = BEGIN_SIZE + HEAD + KS_REFUSAL_FRAME_LIMIT, /* in a page, at most; a refusal is longer than
                                                                * an end */
};
_Static_assert(END_SIZE <= (size_t)KS_REFUSAL_FRAME_LIMIT, "whichever ends the answer fits");

struct file_get {
    struct ks_stream stream;
    struct ks_store_file_open open;
    struct ks_store_file_read read;
    uint32_t offered_cksum; /* of what the client has */
    uint64_t offset;        /* of what comes next */
    uint64_t left;          /* bytes of the content that are not in a page yet */
    size_t used;            /* bytes of the page before its piece */
    bool has_begun;         /* 4011 is in a page */
};

static struct file_get *get_of(struct ks_stream *stream)
{
    return KS_CONTAINER_OF(stream, struct file_get, stream);
}

/* ---- frames ---- */

static void put_header(const struct file_get *get, uint8_t *bytes, uint16_t code, size_t payload_size)
{
    const struct ks_response_header header = {
        .version = get->stream.exchange->rule->version, .code = code, .payload_size = (uint32_t)payload_size};
    ks_response_header_encode(&header, bytes);
}

/* The 4011, once. */
static void begin_page(struct file_get *get)
{
    const struct ks_got_file got = {
        .offset = get->offset, .length = get->left, .facts = get->open.kept.facts};
    get->used = 0;
    if (get->has_begun)
        return;
    get->has_begun = true;
    put_header(get, get->stream.page, KS_RESPONSE_FILE, KS_GOT_FILE_SIZE);
    ks_got_file_encode(&got, get->stream.page + HEAD);
    get->used = BEGIN_SIZE;
    ks_exchange_count(get->stream.exchange, KS_RESPONSE_FILE);
}

/* The last frame: 4018, or, in its place or that of a piece, why there is none. */
static void end_page(struct file_get *get, enum ks_result result)
{
    uint8_t *bytes = get->stream.page + get->used;
    char shown[KS_TEXT_FIELD_SIZE];
    if (result == KS_OK) {
        put_header(get, bytes, KS_RESPONSE_FILE_END, sizeof(uint32_t));
        ks_store_u32(bytes + HEAD, ks_cksum_value(&get->read.sum));
        ks_stream_last_page(&get->stream, get->used + END_SIZE);
        return;
    }
    ks_report(get->stream.exchange, KS_LOG_WARNING, "cannot give \"%s\": %s",
              ks_file_shown(get->open.name, shown),
              result == KS_INVALID ? "it is damaged on the disk" : ks_result_text(result));
    size_t size = ks_refusal_frame(get->stream.exchange, ks_file_reason(result), bytes);
    ks_stream_last_page(&get->stream, get->used + size);
}

/* All of the file was read, and it is what it was when it was kept, as far as that is known. */
static enum ks_result judge_sum(const struct file_get *get)
{
    const struct ks_file_facts *facts = &get->open.kept.facts;
    bool is_whole = get->offset == facts->size;
    return is_whole && facts->has_cksum && ks_cksum_value(&get->read.sum) != facts->cksum ? KS_INVALID
                                                                                          : KS_OK;
}

/* ---- reading ---- */

static void piece_read(struct ks_store_request *request)
{
    struct file_get *get = KS_CONTAINER_OF(request, struct file_get, read.request);
    const struct ks_exchange *exchange = get->stream.exchange;
    size_t size = get->read.size;
    enum ks_result result = request->result;
    if (result == KS_OK && size != get->read.capacity)
        result = KS_INVALID; /* it is shorter than it was */
    if (result != KS_OK) {
        end_page(get, result);
        return;
    }
    put_header(get, get->stream.page + get->used, KS_RESPONSE_FILE_PIECE, size);
    get->used += HEAD + size;
    get->offset += size;
    get->left -= size;
    ks_tally_got(ks_tally_shard_of(exchange->environment->tally, exchange->loop), size);
    if (get->left == 0)
        end_page(get, judge_sum(get));
    else
        ks_stream_page(&get->stream, KS_OK, get->used);
}

static void get_fill(struct ks_stream *stream)
{
    struct file_get *get = get_of(stream);
    struct ks_store_file_read *read = &get->read;
    begin_page(get);
    if (get->left == 0) {
        end_page(get, judge_sum(get));
        return;
    }
    read->offset = get->offset;
    read->bytes = stream->page + get->used + HEAD;
    read->capacity = get->left < PIECE_LARGEST ? (size_t)get->left : PIECE_LARGEST;
    read->size = 0;
    ks_store_file_read(stream->exchange->environment->store, read);
}

static void get_ended(struct ks_stream *stream)
{
    struct file_get *get = get_of(stream);
    const struct ks_service_environment *environment = stream->exchange->environment;
    if (ks_store_door_enter(environment->store_door)) {
        ks_store_file_close(environment->store, get->open.file);
        ks_store_door_leave(environment->store_door);
    }
    free(get);
}

static const struct ks_stream_source get_source = {.fill = get_fill, .ended = get_ended, .reads_ahead = true};

/* ---- 3011 ---- */

/* Where the client has what the file begins with, behind that; else all of it. */
static void choose_start(struct file_get *get, uint64_t wanted)
{
    const struct ks_cksum *sum = &get->open.sum;
    uint64_t size = get->open.kept.facts.size;
    bool goes_on = get->open.prefix <= size && sum->length == get->open.prefix &&
                   (sum->length == 0 || ks_cksum_value(sum) == get->offered_cksum);
    get->offset = goes_on ? get->open.prefix : 0;
    get->read.sum = goes_on ? *sum : ks_cksum_start();
    get->left = wanted < size - get->offset ? wanted : size - get->offset;
}

/* Of all frames. */
static uint64_t size_of_answer(const struct file_get *get)
{
    uint64_t pieces = get->left / PIECE_LARGEST + (get->left % PIECE_LARGEST > 0);
    return BEGIN_SIZE + get->left + pieces * HEAD + KS_REFUSAL_FRAME_LIMIT;
}

static void opened(struct ks_store_request *request)
{
    struct file_get *get = KS_CONTAINER_OF(request, struct file_get, open.request);
    struct ks_exchange *exchange = get->stream.exchange;
    if (request->result != KS_OK) {
        enum ks_result result = request->result;
        free(get);
        ks_refuse(exchange, ks_file_reason(result));
        return;
    }
    choose_start(get, get->left);
    get->read.request.reply_to = &exchange->loop->executor;
    get->read.request.done = piece_read;
    get->read.file = get->open.file;
    size_t piece = get->left < PIECE_LARGEST ? (size_t)get->left : PIECE_LARGEST;
    ks_stream_begin_frames(&get->stream, &get_source, exchange, size_of_answer(get), AROUND_PIECE + piece);
}

void ks_file_get_begin(struct ks_exchange *exchange, const uint8_t *payload)
{
    struct ks_get_file wish;
    if (ks_get_file_parse(payload, exchange->header.payload_size, &wish) != KS_OK) {
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    struct file_get *get = calloc(1, sizeof *get);
    if (get == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    if (ks_file_judge_name(&wish.name, get->open.name) != KS_OK) {
        free(get);
        ks_refuse(exchange, KS_REFUSAL_FILE_NAME);
        return;
    }
    get->stream.exchange = exchange;
    get->offered_cksum = wish.cksum;
    get->left = wish.length;
    get->open.request.reply_to = &exchange->loop->executor;
    get->open.request.done = opened;
    get->open.id = exchange->header.client_id;
    get->open.prefix = wish.offset;
    ks_store_touch(exchange->environment->store, &exchange->header.client_id);
    ks_store_file_open(exchange->environment->store, &get->open);
}
