/* get_server.h — what secure_server.h lacks to list and give files: some that it keeps, and a way to answer
 * otherwise. On the server's thread; what a test changes it changes while that waits.
 */
#ifndef KS_TESTS_UNIT_CLIENT_FILES_GET_SERVER_H
#define KS_TESTS_UNIT_CLIENT_FILES_GET_SERVER_H

#include "unit/client/account_fixture.h"
#include "unit/client/files/target_fixture.h"

#include "crypto/checksum.h"
#include "wire/files_codec.h"

#include <kesher/files.h>

#include <netinet/tcp.h>

enum { GET_FILES = 64, GET_TRAIL = 256, GET_CONTENT = 512 * 1024 };

struct get_file {
    char name[KESHER_FILE_NAME_SIZE];
    const uint8_t *bytes; /* the test's */
    size_t size;
    bool is_unsummed; /* the server does not know its cksum */
};

struct get_server {
    struct get_file files[GET_FILES]; /* in the order of their names */
    size_t count;
    size_t piece; /* bytes in a 4017 */
    size_t page;  /* files in a 4010 */
    size_t crowd; /* so many files "%06zu" instead of those, in lists */
    /* What was asked. */
    uint64_t offsets[GET_TRAIL]; /* of the gets */
    uint64_t lengths[GET_TRAIL];
    size_t gets;
    size_t lists;
    size_t listed; /* files that were told */
    /* Answers instead of an honest server; false ends the connection. */
    bool (*answer)(struct secure_connection *connection, const struct ks_get_file *get);
    unsigned answers; /* that it gave */
    uint8_t content[GET_CONTENT];
};

static inline struct get_server *get_server_of(const struct secure_connection *connection)
{
    return connection->server->more;
}

/* ---- getting ---- */

static inline uint32_t get_cksum(const void *bytes, size_t size)
{
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, bytes, size);
    return ks_cksum_value(&cksum);
}

static inline struct get_file *get_server_find(struct get_server *server, const char *name, size_t size)
{
    for (size_t i = 0; i < server->count; i++)
        if (strlen(server->files[i].name) == size && memcmp(server->files[i].name, name, size) == 0)
            return &server->files[i];
    return NULL;
}

static inline struct ks_file_facts get_facts(const struct get_file *file)
{
    return (struct ks_file_facts){.size = file->size,
                                  .time = 1000,
                                  .has_cksum = !file->is_unsummed,
                                  .cksum = file->is_unsummed ? 0 : get_cksum(file->bytes, file->size)};
}

static inline bool get_say_facts(struct secure_connection *connection, const struct ks_got_file *got)
{
    uint8_t bytes[KS_GOT_FILE_SIZE];
    ks_got_file_encode(got, bytes);
    return secure_answer(connection, KS_RESPONSE_FILE, sizeof bytes, bytes, sizeof bytes);
}

static inline bool get_say_piece(struct secure_connection *connection, const uint8_t *bytes, size_t size)
{
    uint8_t header[KS_RESPONSE_HEADER_SIZE];
    const struct ks_response_header piece = {
        .version = KS_VERSION_SECURE, .code = KS_RESPONSE_FILE_PIECE, .payload_size = (uint32_t)size};
    ks_response_header_encode(&piece, header);
    return secure_write(connection, header, sizeof header) && secure_write(connection, bytes, size);
}

static inline bool get_say_end(struct secure_connection *connection, uint32_t cksum)
{
    uint8_t bytes[4];
    ks_store_u32(bytes, cksum);
    return secure_answer(connection, KS_RESPONSE_FILE_END, sizeof bytes, bytes, sizeof bytes);
}

/* Where an honest server begins, and how much it gives. */
static inline struct ks_got_file get_judge(const struct get_file *file, const struct ks_get_file *get)
{
    struct ks_got_file got = {.facts = get_facts(file)};
    if (get->offset <= file->size && get_cksum(file->bytes, get->offset) == get->cksum)
        got.offset = get->offset;
    uint64_t left = file->size - got.offset;
    got.length = get->length < left ? get->length : left;
    return got;
}

static inline bool get_say_content(struct secure_connection *connection, const uint8_t *bytes, size_t size)
{
    size_t piece = get_server_of(connection)->piece;
    for (size_t at = 0; at < size; at += piece)
        if (!get_say_piece(connection, bytes + at, size - at < piece ? size - at : piece))
            return false;
    return true;
}

static inline bool get_serve_honestly(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct get_file *file = get_server_find(server, get->name.bytes, get->name.size);
    if (file == NULL)
        return secure_refuse(connection, KS_REFUSAL_NO_FILE, "none");
    struct ks_got_file got = get_judge(file, get);
    return get_say_facts(connection, &got) &&
           get_say_content(connection, file->bytes + got.offset, (size_t)got.length) &&
           get_say_end(connection, get_cksum(file->bytes, (size_t)(got.offset + got.length)));
}

static inline bool get_serve(struct secure_connection *connection)
{
    struct get_server *server = get_server_of(connection);
    struct ks_get_file get;
    if (ks_get_file_parse(connection->request, connection->request_size, &get) != KS_OK)
        return secure_refuse(connection, KS_REFUSAL_MALFORMED, "?");
    if (server->gets < GET_TRAIL) {
        server->offsets[server->gets] = get.offset;
        server->lengths[server->gets] = get.length;
    }
    server->gets++;
    if (server->answer == NULL)
        return get_serve_honestly(connection, &get);
    server->answers++;
    return server->answer(connection, &get);
}

/* ---- listing ---- */

/* The file with that index, of all that there are. False behind the last. */
static inline bool get_list_file(const struct get_server *server, size_t index, struct ks_file_facts *facts,
                                 char name[static KESHER_FILE_NAME_SIZE])
{
    if (index >= (server->crowd > 0 ? server->crowd : server->count))
        return false;
    *facts = (struct ks_file_facts){.size = index};
    if (server->crowd == 0) {
        *facts = get_facts(&server->files[index]);
        strcpy(name, server->files[index].name);
    } else if (snprintf(name, KESHER_FILE_NAME_SIZE, "%06zu", index) < 0) {
        return false;
    }
    return true;
}

static inline bool get_serve_list(struct secure_connection *connection)
{
    static uint8_t page[1024 * 1024];
    struct get_server *server = get_server_of(connection);
    struct ks_wire_text after;
    struct ks_file_facts facts;
    char last[KESHER_FILE_NAME_SIZE];
    char name[KESHER_FILE_NAME_SIZE];
    size_t size = 1;
    size_t told = 0;
    size_t index = 0;
    if (ks_wire_text_parse(connection->request, connection->request_size, &after) != KS_OK ||
        after.size >= sizeof last)
        return secure_refuse(connection, KS_REFUSAL_MALFORMED, "?");
    memcpy(last, after.bytes, after.size);
    last[after.size] = '\0';
    server->lists++;
    if (server->crowd > 0 && after.size == 6)
        index = strtoul(last, NULL, 10);
    for (; told < server->page && get_list_file(server, index, &facts, name); index++) {
        const struct ks_wire_text text = {.bytes = name, .size = (uint16_t)strlen(name)};
        if (strcmp(name, last) <= 0)
            continue;
        (void)ks_file_entry_add(page, sizeof page, &size, &facts, &text);
        told++;
    }
    page[0] = get_list_file(server, index, &facts, name) ? 1 : 0;
    server->listed += told;
    uint8_t header[KS_RESPONSE_HEADER_SIZE];
    const struct ks_response_header answer = {
        .version = KS_VERSION_SECURE, .code = KS_RESPONSE_FILES, .payload_size = (uint32_t)size};
    ks_response_header_encode(&answer, header);
    return secure_write(connection, header, sizeof header) && secure_write(connection, page, size);
}

static inline bool get_serve_more(struct secure_connection *connection)
{
    const int at_once = 1; /* many small writes */
    (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    switch (connection->header.code) {
    case KS_REQUEST_LIST_FILES:
        return get_serve_list(connection);
    case KS_REQUEST_GET_FILE:
        return get_serve(connection);
    default:
        return secure_refuse(connection, KS_REFUSAL_UNKNOWN_REQUEST, "what?");
    }
}

/* ---- the fixture ---- */

enum { GET_WANTED = 64 };

/* What became of a file. */
struct get_told {
    const char *name;
    struct kesher_get_result result;
    char sentence[KESHER_SENTENCE_SIZE];
};

struct get_fixture {
    struct account_fixture *account;
    struct target_fixture *target;
    struct get_server *server;
    struct kesher_files *files;
    struct kesher_get wanted[GET_WANTED];
    size_t wanted_count;
    size_t given;
    struct get_told told[GET_WANTED];
    size_t told_count;
    uint64_t progress; /* the last */
    uint64_t progress_size;
    void *progress_tag;
    struct kesher_error error; /* of the call */
};

static inline void get_fixture_progress(void *context, uint64_t sent, uint64_t size)
{
    struct get_fixture *fixture = context;
    fixture->progress = sent;
    fixture->progress_size = size;
}

static inline void get_fixture_file(void *context, void *tag)
{
    struct get_fixture *fixture = context;
    fixture->progress_tag = tag;
}

static inline void get_fixture_open(struct get_fixture *fixture)
{
    struct kesher_error error;
    enum kesher_status status =
        kesher_files_open(fixture->account->home, fixture->account->server->plain_link,
                          &fixture->account->options, &fixture->files, &error);
    if (status != KESHER_OK)
        fail_msg("%s", error.sentence);
}

/* As another program would come. */
static inline void get_fixture_reopen(struct get_fixture *fixture)
{
    kesher_files_close(fixture->files);
    fixture->files = NULL;
    get_fixture_open(fixture);
}

static inline int open_get_fixture(void **state)
{
    struct get_fixture *fixture = calloc(1, sizeof *fixture);
    void *part = NULL;
    assert_non_null(fixture);
    assert_int_equal(open_target_fixture(&part), 0);
    fixture->target = part;
    assert_int_equal(open_account_fixture(&part), 0);
    fixture->account = part;
    fixture->server = calloc(1, sizeof *fixture->server);
    assert_non_null(fixture->server);
    for (size_t i = 0; i < GET_CONTENT; i++)
        fixture->server->content[i] = (uint8_t)(i * 31 + i / 256);
    fixture->server->piece = 1000;
    fixture->server->page = 3;
    fixture->account->server->serve_more = get_serve_more;
    fixture->account->server->more = fixture->server;
    kesher_account_close(fixture_account(fixture->account));
    fixture->account->options.observer.progress = NULL;
    get_fixture_open(fixture);
    *state = fixture;
    return 0;
}

static inline int close_get_fixture(void **state)
{
    struct get_fixture *fixture = *state;
    void *part = fixture->target;
    kesher_files_close(fixture->files);
    assert_int_equal(close_target_fixture(&part), 0);
    part = fixture->account;
    assert_int_equal(close_account_fixture(&part), 0);
    free(fixture->server);
    free(fixture);
    return 0;
}

/* A file that the server keeps; names in their order. */
static inline void get_keep(struct get_fixture *fixture, const char *name, const void *bytes, size_t size)
{
    struct get_server *server = fixture->server;
    assert_true(server->count < GET_FILES);
    struct get_file *file = &server->files[server->count++];
    strcpy(file->name, name);
    file->bytes = bytes;
    file->size = size;
}

static inline struct kesher_get *get_want(struct get_fixture *fixture, const char *name, const char *target)
{
    assert_true(fixture->wanted_count < GET_WANTED);
    struct kesher_get *get = &fixture->wanted[fixture->wanted_count++];
    *get = (struct kesher_get){
        .name = name, .directory = fixture->target->directory, .target = target, .tag = get};
    return get;
}

static inline bool get_fixture_next(void *context, struct kesher_get *get)
{
    struct get_fixture *fixture = context;
    if (fixture->given == fixture->wanted_count)
        return false;
    *get = fixture->wanted[fixture->given++];
    return true;
}

static inline void get_fixture_done(void *context, const struct kesher_get *get,
                                    const struct kesher_get_result *result, const struct kesher_error *error)
{
    struct get_fixture *fixture = context;
    struct get_told *told = &fixture->told[fixture->told_count++];
    assert_true(get->tag >= (void *)fixture->wanted && get->tag < (void *)(fixture->wanted + GET_WANTED));
    told->name = get->name;
    told->result = *result;
    assert_int_equal(error == NULL, result->status == KESHER_OK);
    if (error != NULL) {
        assert_int_equal(error->status, result->status);
        strcpy(told->sentence, error->sentence);
    }
}

/* Gets all that is wanted; each is told once. */
static inline enum kesher_status get_run(struct get_fixture *fixture)
{
    const struct kesher_get_list list = {fixture, get_fixture_next, get_fixture_done};
    fixture->given = 0;
    fixture->told_count = 0;
    enum kesher_status status = kesher_files_get(fixture->files, &list, &fixture->error);
    assert_int_equal(fixture->told_count, fixture->given);
    return status;
}

/* What was told of the file. */
static inline const struct get_told *get_told_of(const struct get_fixture *fixture, const char *name)
{
    for (size_t i = 0; i < fixture->told_count; i++)
        if (strcmp(fixture->told[i].name, name) == 0)
            return &fixture->told[i];
    fail_msg("nothing was told of %s", name);
    return NULL;
}

static inline const struct kesher_get_result *get_result_of(const struct get_fixture *fixture,
                                                            const char *name)
{
    return &get_told_of(fixture, name)->result;
}

static inline bool get_has(const struct get_fixture *fixture, const char *name)
{
    return directory_has(fixture->target->directory, name);
}

/* A partial file that broke off earlier. */
static inline void get_leave_part(struct get_fixture *fixture, const char *name, const void *bytes,
                                  size_t size)
{
    int fd = openat(fixture->target->directory, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    assert_int_equal(fchmod(fd, 01644), 0);
    close(fd);
}

static inline const uint8_t *content_of(const struct get_fixture *fixture)
{
    return fixture->server->content;
}

static inline void expect_content(const struct get_fixture *fixture, const char *target, size_t size)
{
    assert_true(directory_holds(fixture->target->directory, target, fixture->server->content, size));
}

#define GET_TEST(function) cmocka_unit_test_setup_teardown(function, open_get_fixture, close_get_fixture)

#endif
