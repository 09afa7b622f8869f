/* file_list.c — see file_list.h. The answer is a stream of one page, for its memory and its slow peers: the
 * store lists into the page, and what goes over the wire is made of that in place. */
#include "service/files/file_list.h"

#include "service/core/stream.h"
#include "service/files/file_refusals.h"

#include <stdlib.h>
#include <string.h>

enum {
    FILES_PER_ANSWER = 128,
    MORE_SIZE = 1,
    HEAD_SIZE = KS_RESPONSE_HEADER_SIZE + MORE_SIZE,
    LISTED_AT = 16, /* in the page */
    PAGE_SIZE = LISTED_AT + FILES_PER_ANSWER * sizeof(struct ks_kept_file),
};
_Static_assert((int)HEAD_SIZE <= (int)LISTED_AT && KS_FILE_ENTRY_LIMIT <= sizeof(struct ks_kept_file),
               "no entry reaches what is not coded yet");
_Static_assert(LISTED_AT % _Alignof(struct ks_kept_file) == 0 &&
                   offsetof(struct ks_shared, bytes) % _Alignof(struct ks_kept_file) == 0,
               "so that files may stand in a page");
_Static_assert((int)PAGE_SIZE >= (int)KS_REFUSAL_FRAME_LIMIT, "a refusal fits");

struct file_list {
    struct ks_stream stream;
    struct ks_store_list_files question;
};

static struct file_list *list_of(struct ks_stream *stream)
{
    return KS_CONTAINER_OF(stream, struct file_list, stream);
}

/* The store gives names that the codec takes, and no more files than were asked for; else it is at fault. */
static enum ks_result encode(const struct ks_store_list_files *listed, uint8_t *page, size_t *size)
{
    enum ks_result result = KS_OK;
    size_t used = HEAD_SIZE;
    for (size_t i = 0; i < listed->count && result == KS_OK; i++) {
        struct ks_kept_file file;
        memcpy(&file, page + LISTED_AT + i * sizeof file, sizeof file);
        const struct ks_wire_text name = {.bytes = file.name,
                                          .size = (uint16_t)strnlen(file.name, KS_FILE_NAME_LIMIT)};
        result = ks_file_entry_add(page, PAGE_SIZE, &used, &file.facts, &name);
    }
    page[KS_RESPONSE_HEADER_SIZE] = listed->more ? 1 : 0;
    *size = used;
    return result;
}

static void listed(struct ks_store_request *request)
{
    struct file_list *list = KS_CONTAINER_OF(request, struct file_list, question.request);
    struct ks_exchange *exchange = list->stream.exchange;
    uint8_t *page = list->stream.page;
    struct ks_response_header header = {.version = exchange->rule->version, .code = KS_RESPONSE_FILES};
    enum ks_result result = request->result;
    size_t size = 0;
    if (result == KS_OK)
        result = encode(&list->question, page, &size);
    if (result == KS_OK) {
        header.payload_size = (uint32_t)(size - KS_RESPONSE_HEADER_SIZE);
        ks_response_header_encode(&header, page);
        ks_exchange_count(exchange, KS_RESPONSE_FILES);
    } else {
        size = ks_refusal_frame(
            exchange, result == KS_NOT_FOUND ? KS_REFUSAL_UNKNOWN_ACCOUNT : ks_refusal_of(result), page);
        ks_exchange_count(exchange, KS_RESPONSE_REFUSED);
    }
    ks_stream_last_page(&list->stream, size);
}

static void list_fill(struct ks_stream *stream)
{
    struct ks_store_list_files *question = &list_of(stream)->question;
    question->files = (struct ks_kept_file *)(void *)(stream->page + LISTED_AT);
    ks_store_list_files(stream->exchange->environment->store, question);
}

static void list_ended(struct ks_stream *stream)
{
    free(list_of(stream));
}

static const struct ks_stream_source list_source = {.fill = list_fill, .ended = list_ended};

/* The name behind which the list begins need not be that of a file: any text will do that has no NUL. */
static bool take_start(const struct ks_exchange *exchange, const uint8_t *payload,
                       char after[static KS_TEXT_FIELD_SIZE])
{
    struct ks_wire_text text;
    if (ks_wire_text_parse(payload, exchange->header.payload_size, &text) != KS_OK ||
        text.size > KS_FILE_NAME_LIMIT || memchr(text.bytes, '\0', text.size) != NULL)
        return false;
    memcpy(after, text.bytes, text.size);
    after[text.size] = '\0';
    return true;
}

void ks_file_list_begin(struct ks_exchange *exchange, const uint8_t *payload)
{
    struct file_list *list = calloc(1, sizeof *list);
    if (list == NULL) {
        ks_refuse(exchange, KS_REFUSAL_TROUBLE);
        return;
    }
    struct ks_store_list_files *question = &list->question;
    if (!take_start(exchange, payload, question->after)) {
        free(list);
        ks_refuse(exchange, KS_REFUSAL_MALFORMED);
        return;
    }
    question->request.reply_to = &exchange->loop->executor;
    question->request.done = listed;
    question->id = exchange->header.client_id;
    question->limit = FILES_PER_ANSWER;
    ks_store_touch(exchange->environment->store, &exchange->header.client_id);
    ks_stream_begin_frames(&list->stream, &list_source, exchange, PAGE_SIZE, PAGE_SIZE);
}
