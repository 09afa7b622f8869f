/* put_server.h — the files of one account behind a secure server of a test (secure_server.h): 3012 to 3016,
 * as protocol.md §10 has them, and a fixture with a session. What a test changes it changes while no call of
 * the library is on its way. */
#ifndef KS_TESTS_UNIT_CLIENT_FILES_PUT_SERVER_H
#define KS_TESTS_UNIT_CLIENT_FILES_PUT_SERVER_H

#include "unit/client/account_fixture.h"

#include "crypto/checksum.h"
#include "wire/files_codec.h"

#include <fcntl.h>
#include <sys/mman.h>

enum { PUT_SERVER_FILES = 1100, PUT_SERVER_PUTS = 128, PUT_SERVER_REFUSALS = 8 };

struct put_server_file {
    char name[KS_TEXT_FIELD_SIZE];
    uint8_t *bytes;
    size_t size;
};

/* What has come under a put id. */
struct put_server_put {
    uint8_t put_id[KS_PUT_ID_SIZE];
    struct put_server_file file;
    size_t declared;
    bool replaces;
    bool is_kept;
};

struct put_server {
    struct secure_server *secure;
    struct put_server_file files[PUT_SERVER_FILES];
    size_t file_count;
    struct put_server_put puts[PUT_SERVER_PUTS];
    size_t put_count;
    int current;                 /* the put that is open on the connection; -1 for none */
    unsigned current_connection; /* which one that is */

    bool cuts_always; /* each connection is cut, so many bytes behind its 4013 */
    size_t cut_behind;
    bool forgets_always; /* what came under a put id, with the connection */
    struct {
        uint16_t code;
        uint16_t reason;
    } refusals[PUT_SERVER_REFUSALS]; /* of the next requests with such a code */
    size_t refusal_count;
    const char *refused_prefix; /* of names that are refused */
    uint16_t refused_reason;
    size_t opens; /* requests that came */
    size_t anews;
    size_t ends;
    size_t removals;
    uint64_t piece_bytes;
};

static inline struct put_server *put_server_of(const struct secure_connection *connection)
{
    return connection->server->more;
}

static inline struct put_server_file *put_server_find(struct put_server *server, const char *name)
{
    for (size_t i = 0; i < server->file_count; i++)
        if (strcmp(server->files[i].name, name) == 0)
            return &server->files[i];
    return NULL;
}

static inline void put_server_forget_put(struct put_server *server, int index)
{
    free(server->puts[index].file.bytes);
    server->puts[index] = server->puts[--server->put_count];
    server->current = -1;
}

static inline int put_server_find_put(const struct put_server *server, const uint8_t *put_id)
{
    for (size_t i = 0; i < server->put_count; i++)
        if (memcmp(server->puts[i].put_id, put_id, KS_PUT_ID_SIZE) == 0)
            return (int)i;
    return -1;
}

static inline uint32_t put_server_sum(const uint8_t *bytes, size_t size)
{
    struct ks_cksum sum = ks_cksum_start();
    if (size > 0)
        ks_cksum_add(&sum, bytes, size);
    return ks_cksum_value(&sum);
}

/* ---- 3013 ---- */

static inline bool put_server_answer_open(struct secure_connection *connection,
                                          const struct put_server_file *file, bool is_kept)
{
    uint8_t bytes[KS_PUT_OPEN_SIZE];
    const struct ks_put_open open = {.flags = is_kept ? KS_PUT_IS_KEPT : 0,
                                     .offset = file->size,
                                     .cksum = put_server_sum(file->bytes, file->size)};
    ks_put_open_encode(&open, bytes);
    return secure_answer(connection, KS_RESPONSE_PUT_OPEN, sizeof bytes, bytes, sizeof bytes);
}

static inline void put_server_begin(struct put_server *server, const struct ks_put_file *request,
                                    const char *name, bool is_kept)
{
    if (server->put_count == PUT_SERVER_PUTS)
        abort(); /* an assertion of cmocka is for the test's own thread */
    struct put_server_put *put = &server->puts[server->put_count];
    *put = (struct put_server_put){.declared = (size_t)request->size, .is_kept = is_kept};
    memcpy(put->put_id, request->put_id, sizeof put->put_id);
    strcpy(put->file.name, name);
    put->file.bytes = malloc(put->declared + 1);
    if (put->file.bytes == NULL)
        abort();
    server->current = (int)server->put_count++;
}

static inline bool put_server_open(struct secure_connection *connection)
{
    struct put_server *server = put_server_of(connection);
    struct ks_put_file request;
    char name[KS_TEXT_FIELD_SIZE] = "";
    server->opens++;
    server->current = -1;
    server->current_connection = connection->server->connections;
    if (ks_put_file_parse(connection->request, connection->request_size, &request) != KS_OK)
        return secure_refuse(connection, KS_REFUSAL_MALFORMED, "?");
    if (!ks_file_name_is_valid(request.name.bytes, request.name.size))
        return secure_refuse(connection, KS_REFUSAL_FILE_NAME, "no such names");
    memcpy(name, request.name.bytes, request.name.size);
    if (server->refused_prefix != NULL &&
        strncmp(name, server->refused_prefix, strlen(server->refused_prefix)) == 0)
        return secure_refuse(connection, server->refused_reason, "not this one");
    bool anew = (request.flags & KS_PUT_ANEW) != 0;
    bool replaces = (request.flags & KS_PUT_REPLACE) != 0;
    const struct put_server_file *kept = put_server_find(server, name);
    int found = put_server_find_put(server, request.put_id);
    server->anews += anew;
    if (found >= 0 && (anew || server->puts[found].is_kept || server->forgets_always))
        put_server_forget_put(server, found);
    found = put_server_find_put(server, request.put_id);
    bool is_kept = found < 0 && kept != NULL && kept->size == request.size && !anew;
    if (found < 0 && kept != NULL && !is_kept && !replaces)
        return secure_refuse(connection, KS_REFUSAL_FILE_EXISTS, "there is one");
    if (found < 0)
        put_server_begin(server, &request, name, is_kept);
    else
        server->current = found;
    server->puts[server->current].replaces = replaces;
    if (server->cuts_always) {
        connection->server->reading = (struct secure_cut){.is_set = true, .left = server->cut_behind};
    }
    return put_server_answer_open(connection, is_kept ? kept : &server->puts[server->current].file, is_kept);
}

/* ---- 3014, 3015 ---- */

static inline struct put_server_put *put_server_current(const struct secure_connection *connection)
{
    struct put_server *server = put_server_of(connection);
    if (server->current < 0 || server->current_connection != connection->server->connections)
        return NULL;
    return &server->puts[server->current];
}

static inline bool put_server_piece(struct secure_connection *connection)
{
    struct put_server *server = put_server_of(connection);
    struct put_server_put *put = put_server_current(connection);
    uint8_t position[8];
    size_t size = connection->header.payload_size;
    size_t got = 0;
    if (put == NULL || put->is_kept)
        return secure_drop_piece(connection) && secure_refuse(connection, KS_REFUSAL_NO_PUT, "what put?");
    if (size == 0 || size > KS_FILE_PIECE_LIMIT || size > put->declared - put->file.size)
        return secure_drop_piece(connection) && secure_refuse(connection, KS_REFUSAL_MALFORMED, "too much");
    bool is_whole = secure_read_some(connection, put->file.bytes + put->file.size, size, &got);
    put->file.size += got;
    server->piece_bytes += got;
    if (!is_whole)
        return false;
    ks_store_u64(position, put->file.size);
    return secure_answer(connection, KS_RESPONSE_PUT_PIECE, sizeof position, position, sizeof position);
}

static inline void put_server_keep(struct put_server *server, struct put_server_put *put, uint8_t *flags)
{
    struct put_server_file *kept = put_server_find(server, put->file.name);
    if (put->is_kept) {
        *flags = KS_PUT_WAS_KEPT;
        return;
    }
    *flags = kept != NULL ? KS_PUT_REPLACED : 0;
    if (kept == NULL && server->file_count == PUT_SERVER_FILES)
        abort();
    if (kept == NULL)
        kept = &server->files[server->file_count++];
    free(kept->bytes);
    *kept = put->file;
    put->file.bytes = NULL;
}

static inline bool put_server_end(struct secure_connection *connection)
{
    struct put_server *server = put_server_of(connection);
    struct put_server_put *put = put_server_current(connection);
    uint8_t flags = 0;
    server->ends++;
    if (put == NULL || connection->request_size != 4 || (!put->is_kept && put->file.size != put->declared))
        return secure_refuse(connection, KS_REFUSAL_NO_PUT, "not all of it is there");
    const struct put_server_file *kept = put_server_find(server, put->file.name);
    const struct put_server_file *whole = put->is_kept ? kept : &put->file;
    if (whole == NULL || (kept != NULL && !put->is_kept && !put->replaces))
        return secure_refuse(connection, KS_REFUSAL_FILE_EXISTS, "not as it was");
    bool is_right = ks_load_u32(connection->request) == put_server_sum(whole->bytes, whole->size);
    if (is_right)
        put_server_keep(server, put, &flags);
    put_server_forget_put(server, server->current);
    return is_right ? secure_answer(connection, KS_RESPONSE_PUT_END, 1, &flags, 1)
                    : secure_refuse(connection, KS_REFUSAL_CKSUM, "another cksum");
}

/* ---- 3012, 3016 ---- */

static inline struct put_server_file *put_server_named(const struct secure_connection *connection)
{
    struct ks_wire_text text;
    char name[KS_TEXT_FIELD_SIZE] = "";
    if (ks_wire_text_parse(connection->request, connection->request_size, &text) != KS_OK ||
        text.size > KS_FILE_NAME_LIMIT)
        return NULL;
    memcpy(name, text.bytes, text.size);
    return put_server_find(put_server_of(connection), name);
}

static inline bool put_server_remove(struct secure_connection *connection)
{
    struct put_server *server = put_server_of(connection);
    struct put_server_file *file = put_server_named(connection);
    server->removals++;
    if (file == NULL)
        return secure_refuse(connection, KS_REFUSAL_NO_FILE, "no such file");
    free(file->bytes);
    *file = server->files[--server->file_count];
    server->files[server->file_count].bytes = NULL;
    return secure_answer(connection, KS_RESPONSE_FILE_REMOVED, 0, NULL, 0);
}

static inline bool put_server_digest(struct secure_connection *connection)
{
    const struct put_server_file *file = put_server_named(connection);
    uint8_t digest[KS_SHA256_SIZE];
    if (file == NULL)
        return secure_refuse(connection, KS_REFUSAL_NO_FILE, "no such file");
    if (ks_sha256(file->bytes, file->size, digest) != KS_OK)
        return false;
    return secure_answer(connection, KS_RESPONSE_FILE_DIGEST, sizeof digest, digest, sizeof digest);
}

static inline uint16_t put_server_take_refusal(struct put_server *server, uint16_t code)
{
    for (size_t i = 0; i < server->refusal_count; i++) {
        uint16_t reason = server->refusals[i].reason;
        if (server->refusals[i].code != code)
            continue;
        server->refusal_count--;
        memmove(&server->refusals[i], &server->refusals[i + 1],
                (server->refusal_count - i) * sizeof server->refusals[0]);
        return reason;
    }
    return 0;
}

/* A put that is refused is over on this connection. */
static inline bool put_server_say_no(struct secure_connection *connection, uint16_t reason)
{
    struct put_server *server = put_server_of(connection);
    uint16_t code = connection->header.code;
    if (!secure_drop_piece(connection))
        return false;
    if (reason == KS_REFUSAL_CKSUM && server->current >= 0)
        put_server_forget_put(server, server->current);
    if (code == KS_REQUEST_PUT_FILE || code == KS_REQUEST_PUT_PIECE || code == KS_REQUEST_PUT_END)
        server->current = -1;
    return secure_refuse(connection, reason, "no");
}

static inline bool put_server_serve(struct secure_connection *connection)
{
    uint16_t refused = put_server_take_refusal(put_server_of(connection), connection->header.code);
    if (refused != 0)
        return put_server_say_no(connection, refused);
    switch (connection->header.code) {
    case KS_REQUEST_REMOVE_FILE:
        return put_server_remove(connection);
    case KS_REQUEST_PUT_FILE:
        return put_server_open(connection);
    case KS_REQUEST_PUT_PIECE:
        return put_server_piece(connection);
    case KS_REQUEST_PUT_END:
        return put_server_end(connection);
    case KS_REQUEST_FILE_DIGEST:
        return put_server_digest(connection);
    default:
        return secure_refuse(connection, KS_REFUSAL_UNKNOWN_REQUEST, "what?");
    }
}

/* ---- for tests ---- */

/* All files and puts, and what was counted; while the server is at rest, as it is when a put or a removal has
 * succeeded. */
static inline void put_server_clear(struct put_server *server)
{
    struct secure_server *secure = server->secure;
    for (size_t i = 0; i < server->file_count; i++)
        free(server->files[i].bytes);
    for (size_t i = 0; i < server->put_count; i++)
        free(server->puts[i].file.bytes);
    memset(server, 0, sizeof *server);
    server->secure = secure;
    server->current = -1;
}

static inline void put_server_add(struct put_server *server, const char *name, const uint8_t *bytes,
                                  size_t size)
{
    assert_true(server->file_count < PUT_SERVER_FILES);
    struct put_server_file *file = &server->files[server->file_count++];
    strcpy(file->name, name);
    file->bytes = malloc(size + 1);
    assert_non_null(file->bytes);
    if (size > 0)
        memcpy(file->bytes, bytes, size);
    file->size = size;
}

/* The next request with that code is refused. */
static inline void put_server_refuse(struct put_server *server, uint16_t code, uint16_t reason)
{
    assert_true(server->refusal_count < PUT_SERVER_REFUSALS);
    server->refusals[server->refusal_count].code = code;
    server->refusals[server->refusal_count++].reason = reason;
}

/* The next request with that code is answered so. */
static inline void put_server_answer(struct put_server *server, uint16_t request, uint16_t code,
                                     const void *payload, size_t size)
{
    struct secure_lie lie = {.request = request, .code = code, .told_size = (uint32_t)size, .size = size};
    assert_true(size <= sizeof lie.payload);
    if (size > 0)
        memcpy(lie.payload, payload, size);
    secure_tell_lie(server->secure, &lie);
}

struct put_fixture {
    struct account_fixture *account;
    struct put_server server;
    struct kesher_files *files;
    void (*on_progress)(struct put_fixture *fixture, uint64_t sent, uint64_t size);
    int fd;        /* of the file that on_progress spoils */
    uint64_t sent; /* what the observer heard last */
    uint64_t size;
    void *tag;
};

static inline void put_fixture_progress(void *context, uint64_t sent, uint64_t size)
{
    struct put_fixture *fixture = context;
    fixture->sent = sent;
    fixture->size = size;
    if (fixture->on_progress != NULL)
        fixture->on_progress(fixture, sent, size);
}

static inline void put_fixture_file(void *context, void *tag)
{
    struct put_fixture *fixture = context;
    fixture->tag = tag;
}

static inline void put_fixture_notice(void *context, const char *line)
{
    struct put_fixture *fixture = context;
    account_fixture_notice(fixture->account, line);
}

/* No session: the server is at rest, and what it has seen is all there. */
static inline void put_fixture_close(struct put_fixture *fixture)
{
    kesher_files_close(fixture->files);
    fixture->files = NULL;
    secure_server_settle(fixture->account->server);
}

/* A new session, with the fixture's options as they are now. */
static inline void put_fixture_reopen(struct put_fixture *fixture)
{
    put_fixture_close(fixture);
    assert_int_equal(kesher_files_open(fixture->account->home, fixture->account->server->link,
                                       &fixture->account->options, &fixture->files, NULL),
                     KESHER_OK);
}

/* A new session at a server that has nothing: after calls that have failed, too. */
static inline void put_fixture_clear(struct put_fixture *fixture)
{
    put_fixture_close(fixture);
    put_server_clear(&fixture->server);
    put_fixture_reopen(fixture);
}

static inline int open_put_fixture(void **state)
{
    struct put_fixture *fixture = calloc(1, sizeof *fixture);
    void *account = NULL;
    assert_non_null(fixture);
    assert_int_equal(open_account_fixture(&account), 0);
    fixture->account = account;
    fixture->server.secure = fixture->account->server;
    fixture->server.current = -1;
    fixture->account->server->more = &fixture->server;
    fixture->account->server->serve_more = put_server_serve;
    kesher_account_close(fixture_account(fixture->account));
    fixture->account->options.observer = (struct kesher_observer){.context = fixture,
                                                                  .notice = put_fixture_notice,
                                                                  .progress = put_fixture_progress,
                                                                  .file = put_fixture_file};
    put_fixture_reopen(fixture);
    *state = fixture;
    return 0;
}

static inline int close_put_fixture(void **state)
{
    struct put_fixture *fixture = *state;
    void *account = fixture->account;
    kesher_files_close(fixture->files);
    assert_int_equal(close_account_fixture(&account), 0); /* the server's thread has ended */
    put_server_clear(&fixture->server);
    free(fixture);
    return 0;
}

#define PUT_TEST(function) cmocka_unit_test_setup_teardown(function, open_put_fixture, close_put_fixture)

/* ---- files ---- */

/* Bytes that differ everywhere, and between seeds. The test's to free. */
static inline uint8_t *put_content(size_t size, unsigned seed)
{
    uint8_t *bytes = malloc(size + 1);
    uint32_t value = seed * 2654435761U + 1;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        value = value * 1664525U + 1013904223U;
        bytes[i] = (uint8_t)(value >> 24);
    }
    return bytes;
}

/* A file in memory. */
static inline int put_file_of(const uint8_t *bytes, size_t size)
{
    int fd = memfd_create("put", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(size == 0 ? 0 : pwrite(fd, bytes, size, 0), (ssize_t)size);
    return fd;
}

/* ---- puts ---- */

enum { PUT_PLANS = 1100 };

/* What is to be put, and what was told of it. */
struct put_plan {
    const struct kesher_put *puts;
    size_t count;
    size_t given;
    size_t told;
    size_t out_limit; /* the most that were out at a time */
    struct kesher_put_result results[PUT_PLANS];
    struct kesher_error errors[PUT_PLANS];
};

static inline bool put_plan_next(void *context, struct kesher_put *put)
{
    struct put_plan *plan = context;
    if (plan->given == plan->count)
        return false;
    *put = plan->puts[plan->given++];
    put->tag = &plan->results[plan->given - 1];
    if (plan->given - plan->told > plan->out_limit)
        plan->out_limit = plan->given - plan->told;
    return true;
}

static inline void put_plan_done(void *context, const struct kesher_put *put,
                                 const struct kesher_put_result *result, const struct kesher_error *error)
{
    struct put_plan *plan = context;
    struct kesher_put_result *at = put->tag;
    assert_int_equal((result->status == KESHER_OK), (error == NULL));
    *at = *result;
    if (error != NULL)
        plan->errors[at - plan->results] = *error;
    if (error != NULL)
        assert_int_equal(error->status, result->status);
    plan->told++;
}

/* Puts one file; its content is `bytes`. */
static inline enum kesher_status put_bytes(struct put_fixture *fixture, struct kesher_put *put,
                                           const uint8_t *bytes, size_t size,
                                           struct kesher_put_result *result, struct kesher_error *error)
{
    struct put_plan *plan = calloc(1, sizeof *plan);
    const struct kesher_put_list list = {plan, put_plan_next, put_plan_done};
    assert_non_null(plan);
    bool makes_file = put->fd <= 0;
    if (makes_file)
        put->fd = put_file_of(bytes, size);
    plan->puts = put;
    plan->count = 1;
    enum kesher_status status = kesher_files_put(fixture->files, &list, error);
    assert_int_equal(plan->told, 1);
    assert_int_equal(plan->results[0].status, status);
    *result = plan->results[0];
    if (makes_file) {
        close(put->fd);
        put->fd = -1;
    }
    free(plan);
    return status;
}

static inline void assert_kept(struct put_fixture *fixture, const char *name, const uint8_t *bytes,
                               size_t size)
{
    const struct put_server_file *file = put_server_find(&fixture->server, name);
    assert_non_null(file);
    assert_int_equal(file->size, size);
    if (size > 0)
        assert_memory_equal(file->bytes, bytes, size);
}

#endif
