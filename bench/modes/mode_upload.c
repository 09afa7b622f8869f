/* mode_upload.c — files: encrypted, sent (1028), their checksums compared, confirmed (1029).
 *
 * Answers come in the order of the requests. A file has at most one request out: its 1028, or its 1029, which
 * is sent as soon as its 2103 was right. So four counters tell where all files of a connection are.
 */
#include "base/clock.h"
#include "bench/modes/modes.h"
#include "bench/traffic/load_users.h"
#include "bench/traffic/replies.h"
#include "bench/traffic/upload_content.h"
#include "crypto/content.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    COPIED_SIZE = 16 * 1024, /* a larger content is not copied into the link's queue but lent to it */
    QUEUE_LIMIT = 64 * 1024, /* bytes in it, then no more files are begun */
    /* 1028s that no 1029 of theirs was sent behind: a server drops a key after 16 contents without one
     * (protocol.md §1.1). */
    UNCONFIRMED_LIMIT = 14,
    /* Contents are kept whole up to this size, as long as all connections together keep no more than that. */
    KEPT_LIMIT = 4 * 1024 * 1024,
    KEPT_TOGETHER_LIMIT = 512 * 1024 * 1024,
    BLOCK_LIMIT = 256 * 1024, /* of other contents, at a time */
    BLOCK_LEAST = 16 * 1024,
    BLOCKS_TOGETHER_LIMIT = 64 * 1024 * 1024,
    NAME_SIZE = 40,
};

/* A file that is on its way. */
struct sent_file {
    uint64_t begun_ns;
    uint32_t cksum;
};

struct uploader {
    struct ks_replies replies;
    struct ks_upload_content *content; /* NULL until it has a key */
    struct sent_file *files;           /* depth of them: file f is f % depth */
    bool *confirming;                  /* the same, of the requests that are out: a 1029, else a 1028 */
    uint64_t asked;                    /* requests, */
    uint64_t answered;                 /* and answers to them */
    uint32_t sent;                     /* files whose 1028 was begun, */
    uint32_t summed;                   /* those whose 2103 was right, */
    uint32_t told;                     /* those whose 1029 was sent, */
    uint32_t confirmed;                /* and those whose 2104 has come */
    bool is_lending;                   /* the content of the file begun last: nothing may be written */
};

struct upload_load {
    struct ks_run *run;
    struct ks_load_users *users;
    struct ks_fleet *fleet;
    struct uploader *uploaders;
    struct sent_file *files;
    bool *confirming;
    uint32_t connections;
    uint32_t depth;
    uint32_t content_size;
    size_t block;
    bool kept;
    uint32_t ready;
    uint64_t confirmed;
    uint64_t lent; /* pieces: a sign of life while large files are sent */
};

static uint32_t account_of(const struct upload_load *upload, uint32_t index)
{
    return upload->run->settings->one_user ? 0 : index;
}

static size_t name_of(uint32_t index, uint32_t file, char name[static NAME_SIZE])
{
    int size = snprintf(name, NAME_SIZE, "bench-%" PRIu32 "-%" PRIu32 ".bin", index, file);
    return (size_t)size;
}

/* ---- writing ---- */

/* The next piece of the content that a connection is sending; *size is 0 when there is no more, and then its
 * checksum is known. False when the run has failed. */
static bool next_piece(struct upload_load *upload, uint32_t index, const uint8_t **bytes, size_t *size)
{
    struct uploader *uploader = &upload->uploaders[index];
    if (ks_upload_content_next(uploader->content, bytes, size) != KS_OK) {
        ks_run_fail(upload->run, "cannot encrypt");
        return false;
    }
    uploader->is_lending = *size > 0;
    if (*size == 0)
        uploader->files[(uploader->sent - 1) % upload->depth].cksum =
            ks_upload_content_cksum(uploader->content);
    return true;
}

static void lend_more(struct upload_load *upload, uint32_t index, struct ks_load_link *link)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;
    if (!next_piece(upload, index, &bytes, &size) || size == 0)
        return;
    upload->lent++;
    if (!upload->kept)
        ks_run_phase(upload->run, "uploading", upload->lent, 0);
    ks_load_link_lend(link, bytes, size);
}

/* A small content goes to where there is room for all of it. */
static void copy_all(struct upload_load *upload, uint32_t index, uint8_t *place)
{
    const uint8_t *bytes = NULL;
    size_t size = 0;
    while (next_piece(upload, index, &bytes, &size) && size > 0) {
        memcpy(place, bytes, size);
        place += size;
    }
}

/* Where a request of this size goes; NULL when the run has failed. */
static uint8_t *reserve(struct upload_load *upload, struct ks_load_link *link, size_t size)
{
    uint8_t *place = ks_load_link_reserve(link, size);
    if (place == NULL)
        ks_run_fail(upload->run, "uploading: no memory");
    return place;
}

static void encode_header(const struct upload_load *upload, uint32_t index, uint16_t code,
                          uint32_t payload_size, uint8_t *bytes)
{
    const struct ks_request_header header = {.client_id =
                                                 *ks_load_users_id(upload->users, account_of(upload, index)),
                                             .version = KS_VERSION_DROP,
                                             .code = code,
                                             .payload_size = payload_size};
    ks_request_header_encode(&header, bytes);
}

static void begin_file(struct upload_load *upload, uint32_t index, struct ks_load_link *link, uint64_t now_ns)
{
    struct uploader *uploader = &upload->uploaders[index];
    char name[NAME_SIZE];
    bool is_copied = upload->kept && upload->content_size <= COPIED_SIZE;
    size_t fixed = KS_REQUEST_HEADER_SIZE + KS_SEND_FILE_FIXED_SIZE;
    size_t name_size = name_of(index, uploader->sent, name);
    uint8_t *place = reserve(upload, link, fixed + (is_copied ? upload->content_size : 0));
    if (place == NULL)
        return;
    if (ks_upload_content_begin(uploader->content) != KS_OK) {
        ks_run_fail(upload->run, "cannot encrypt");
        return;
    }
    encode_header(upload, index, KS_REQUEST_SEND_FILE, KS_SEND_FILE_FIXED_SIZE + upload->content_size, place);
    (void)ks_send_file_payload_encode(upload->content_size, name, name_size, place + KS_REQUEST_HEADER_SIZE);
    uploader->files[uploader->sent % upload->depth].begun_ns = now_ns;
    uploader->confirming[uploader->asked++ % upload->depth] = false;
    uploader->sent++;
    if (is_copied)
        copy_all(upload, index, place + fixed);
    else
        lend_more(upload, index, link);
}

static void confirm_file(struct upload_load *upload, uint32_t index, struct ks_load_link *link)
{
    struct uploader *uploader = &upload->uploaders[index];
    char name[NAME_SIZE];
    size_t name_size = name_of(index, uploader->told, name);
    uint8_t *place = reserve(upload, link, KS_REQUEST_HEADER_SIZE + KS_NAME_PAYLOAD_SIZE);
    if (place == NULL)
        return;
    encode_header(upload, index, KS_REQUEST_CRC_OK, KS_NAME_PAYLOAD_SIZE, place);
    (void)ks_name_payload_encode(name, name_size, place + KS_REQUEST_HEADER_SIZE);
    uploader->confirming[uploader->asked++ % upload->depth] = true;
    uploader->told++;
}

static bool may_begin(const struct upload_load *upload, const struct uploader *uploader,
                      const struct ks_load_link *link)
{
    return uploader->sent < upload->run->settings->files &&
           uploader->sent - uploader->confirmed < upload->depth &&
           uploader->sent - uploader->told < UNCONFIRMED_LIMIT && ks_load_link_waiting(link) < QUEUE_LIMIT;
}

/* `now_ns` is 0 when nobody has looked at the clock in this turn. */
static void write_more(struct upload_load *upload, uint32_t index, struct ks_load_link *link, uint64_t now_ns)
{
    struct uploader *uploader = &upload->uploaders[index];
    while (!uploader->is_lending && !upload->run->failed) {
        if (uploader->told < uploader->summed) {
            confirm_file(upload, index, link);
            continue;
        }
        if (!may_begin(upload, uploader, link))
            return;
        if (now_ns == 0)
            now_ns = ks_clock_stopwatch_ns();
        begin_file(upload, index, link, now_ns);
    }
}

static void drained(void *context, uint32_t index, struct ks_load_link *link)
{
    struct upload_load *upload = context;
    if (upload->ready < upload->connections)
        return;
    if (upload->uploaders[index].is_lending)
        lend_more(upload, index, link);
    write_more(upload, index, link, 0);
}

/* ---- keys ---- */

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct upload_load *upload = context;
    uint8_t request[KS_LOAD_USERS_KEY_REQUEST_SIZE];
    ks_load_users_ask_for_key(upload->users, account_of(upload, index), request);
    if (ks_load_link_write(link, request, sizeof request) != KS_OK)
        ks_run_fail(upload->run, "asking for a key: no memory");
}

static void begin_all(struct upload_load *upload)
{
    ks_run_phase(upload->run, "uploading", 0, 0);
    ks_run_measure(upload->run, true);
    for (uint32_t i = 0; i < upload->connections; i++)
        write_more(upload, i, ks_fleet_link(upload->fleet, i), 0);
}

/* A key of its own for each connection, even of one user: so the contents without a 1029 are counted by
 * connection. */
static bool take_key(struct upload_load *upload, uint32_t index, const struct ks_reply *reply)
{
    uint8_t key[KS_CONTENT_KEY_SIZE];
    if (reply->code != KS_RESPONSE_KEY_ACCEPTED ||
        ks_load_users_open_key(upload->users, account_of(upload, index), reply->bytes, reply->size, key) !=
            KS_OK) {
        ks_run_fail(upload->run,
                    "the server answered a public key with %u%s; of kesherd, see --keys-per-hour and "
                    "--unlimited-networks",
                    reply->code,
                    reply->code == KS_RESPONSE_KEY_ACCEPTED ? ", in which there is no key for us" : "");
        return false;
    }
    if (ks_upload_content_new(upload->run->settings->size, key, index, upload->kept, upload->block,
                              &upload->uploaders[index].content) != KS_OK) {
        ks_run_fail(upload->run, "no memory for contents of %" PRIu32 " connections", upload->connections);
        return false;
    }
    upload->ready++;
    ks_run_phase(upload->run, "exchanging keys", upload->ready, upload->connections);
    if (upload->ready == upload->connections)
        begin_all(upload);
    return true;
}

/* ---- answers ---- */

static bool refuse(struct upload_load *upload, uint32_t index, uint32_t file, const struct ks_reply *reply,
                   const char *to)
{
    bool is_error = reply->code == KS_RESPONSE_DROP_ERROR || reply->code == KS_RESPONSE_ERROR;
    ks_run_fail(upload->run, "the %s of file %" PRIu32 " of connection %" PRIu32 " was answered with %u%s",
                to, file, index, reply->code,
                is_error ? "; of kesherd, see --user-files, --user-bytes, --uploads-per-user and --free-space"
                         : "");
    return false;
}

static bool has_name(const struct ks_file_answer *answer, uint32_t index, uint32_t file)
{
    char name[NAME_SIZE];
    uint8_t field[KS_TEXT_FIELD_SIZE];
    size_t size = name_of(index, file, name);
    return ks_text_field_encode(name, size, field) == KS_OK &&
           memcmp(field, answer->name_field, sizeof field) == 0;
}

static bool take_sum(struct upload_load *upload, uint32_t index, const struct ks_reply *reply)
{
    struct uploader *uploader = &upload->uploaders[index];
    const struct ks_client_id *id = ks_load_users_id(upload->users, account_of(upload, index));
    uint32_t file = uploader->summed;
    uint32_t cksum = uploader->files[file % upload->depth].cksum;
    struct ks_file_answer answer;
    const char *wrong = NULL;
    if (reply->code != KS_RESPONSE_FILE_RECEIVED ||
        ks_file_answer_parse(reply->bytes, reply->size, &answer) != KS_OK)
        return refuse(upload, index, file, reply, "content");
    if (uploader->is_lending && file + 1 == uploader->sent)
        wrong = "comes before all of it was sent";
    else if (memcmp(&answer.client_id, id, sizeof *id) != 0)
        wrong = "names another user";
    else if (!has_name(&answer, index, file))
        wrong = "names another file";
    else if (answer.content_size != upload->content_size)
        wrong = "names another size";
    if (wrong != NULL) {
        ks_run_fail(upload->run, "the answer to file %" PRIu32 " of connection %" PRIu32 " %s", file, index,
                    wrong);
        return false;
    }
    if (answer.cksum != cksum) {
        ks_run_fail(upload->run,
                    "the checksum of file %" PRIu32 " of connection %" PRIu32 " is %" PRIu32
                    ", the server says %" PRIu32,
                    file, index, cksum, answer.cksum);
        return false;
    }
    uploader->summed++;
    return true;
}

static bool take_confirmation(struct upload_load *upload, uint32_t index, const struct ks_reply *reply,
                              uint64_t now_ns)
{
    struct uploader *uploader = &upload->uploaders[index];
    const struct ks_client_id *id = ks_load_users_id(upload->users, account_of(upload, index));
    struct ks_client_id answer;
    uint32_t file = uploader->confirmed;
    if (reply->code != KS_RESPONSE_CONFIRMED ||
        ks_client_id_answer_parse(reply->bytes, reply->size, &answer) != KS_OK ||
        memcmp(&answer, id, sizeof answer) != 0)
        return refuse(upload, index, file, reply, "confirmation");
    uploader->confirmed++;
    upload->confirmed++;
    upload->run->operations++;
    ks_percentiles_add(&upload->run->latency, now_ns - uploader->files[file % upload->depth].begun_ns);
    if (upload->confirmed < upload->connections * upload->run->settings->files)
        return true;
    ks_run_measured(upload->run);
    ks_reactor_stop(upload->run->reactor);
    return true;
}

static bool take_reply(struct upload_load *upload, uint32_t index, const struct ks_reply *reply,
                       uint64_t now_ns)
{
    struct uploader *uploader = &upload->uploaders[index];
    if (uploader->content == NULL)
        return take_key(upload, index, reply);
    if (uploader->answered == uploader->asked) {
        ks_run_fail(upload->run, "connection %" PRIu32 " has an answer %u that nobody asked for", index,
                    reply->code);
        return false;
    }
    bool is_confirmation = uploader->confirming[uploader->answered++ % upload->depth];
    return is_confirmation ? take_confirmation(upload, index, reply, now_ns) : take_sum(upload, index, reply);
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct upload_load *upload = context;
    uint64_t now_ns = ks_clock_stopwatch_ns();
    size_t all_taken = 0;
    size_t taken = 0;
    struct ks_reply reply;
    while (ks_replies_next(&upload->uploaders[index].replies, bytes + all_taken, size - all_taken, &reply,
                           &taken) == KS_OK) {
        all_taken += taken;
        if (!take_reply(upload, index, &reply, now_ns))
            return size;
    }
    if (upload->ready == upload->connections)
        write_more(upload, index, link, now_ns);
    return all_taken;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct upload_load *upload = context;
    (void)index;
    (void)link;
    ks_run_lost(upload->run, "uploading", error);
}

/* ---- a run ---- */

static bool allocate(struct upload_load *upload)
{
    size_t slots = (size_t)upload->connections * upload->depth;
    upload->uploaders = calloc(upload->connections, sizeof *upload->uploaders);
    upload->files = calloc(slots, sizeof *upload->files);
    upload->confirming = calloc(slots, sizeof *upload->confirming);
    if (upload->uploaders == NULL || upload->files == NULL || upload->confirming == NULL) {
        ks_run_fail(upload->run, "no memory for %" PRIu32 " connections", upload->connections);
        return false;
    }
    for (uint32_t i = 0; i < upload->connections; i++) {
        upload->uploaders[i].files = upload->files + (size_t)i * upload->depth;
        upload->uploaders[i].confirming = upload->confirming + (size_t)i * upload->depth;
    }
    return true;
}

static void release(struct upload_load *upload)
{
    ks_fleet_free(upload->fleet);
    for (uint32_t i = 0; upload->uploaders != NULL && i < upload->connections; i++)
        ks_upload_content_free(upload->uploaders[i].content);
    ks_load_users_free(upload->users);
    free(upload->uploaders);
    free(upload->files);
    free(upload->confirming);
}

static bool run_loop(struct upload_load *upload)
{
    static const struct ks_fleet_events events = {opened, received, drained, ended};
    struct ks_run *run = upload->run;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = upload->connections,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    ks_run_phase(run, "exchanging keys", 0, upload->connections);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, upload, &upload->fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    return ks_run_loop(run);
}

static void report(const struct upload_load *upload)
{
    struct ks_run *run = upload->run;
    double seconds = ks_run_seconds(run);
    ks_findings_number(&run->findings, "connections", upload->connections);
    ks_findings_number(&run->findings, "users", run->settings->one_user ? 1 : upload->connections);
    ks_findings_number(&run->findings, "depth", upload->depth);
    ks_findings_number(&run->findings, "file_bytes", (double)run->settings->size);
    ks_findings_text(&run->findings, "contents",
                     upload->kept ? "encrypted once per connection" : "encrypted while they are sent");
    ks_run_add_findings(run, "files");
    ks_findings_number(
        &run->findings, "mebibytes_per_second",
        seconds > 0 ? (double)run->operations * (double)run->settings->size / seconds / (1 << 20) : 0);
    ks_findings_text(&run->findings, "verified", "each checksum, name and confirmation");
}

/* Blocks as large as they may be when all connections have one. */
static size_t block_for(uint32_t connections)
{
    size_t share = BLOCKS_TOGETHER_LIMIT / connections;
    size_t block = share - share % KS_CONTENT_BLOCK_SIZE;
    if (block > BLOCK_LIMIT)
        return BLOCK_LIMIT;
    return block < BLOCK_LEAST ? BLOCK_LEAST : block;
}

bool ks_mode_upload(struct ks_run *run)
{
    const struct ks_settings *settings = run->settings;
    uint64_t content_size = ks_content_size_of_file(settings->size);
    struct upload_load upload = {.run = run,
                                 .connections = (uint32_t)settings->connections,
                                 .depth = (uint32_t)settings->depth,
                                 .content_size = (uint32_t)content_size,
                                 .block = block_for((uint32_t)settings->connections)};
    upload.kept = content_size <= KEPT_LIMIT && content_size * settings->connections <= KEPT_TOGETHER_LIMIT;
    bool is_done = allocate(&upload) &&
                   ks_load_users_register(run, KS_LOAD_USERS_DROP,
                                          settings->one_user ? 1 : upload.connections, &upload.users) &&
                   run_loop(&upload);
    if (is_done)
        report(&upload);
    release(&upload);
    return is_done;
}
