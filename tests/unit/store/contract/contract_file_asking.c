/* contract_file_asking.c — see contract_file_asking.h. */
#include "unit/store/contract/contract_file_asking.h"

static struct ks_cksum sum_of_text(const char *text, size_t size)
{
    struct ks_cksum sum = ks_cksum_start();
    ks_cksum_add(&sum, (const uint8_t *)text, size);
    return sum;
}

uint32_t cksum_of_text(const char *text)
{
    struct ks_cksum sum = sum_of_text(text, strlen(text));
    return ks_cksum_value(&sum);
}

/* ---- puts ---- */

struct ks_store_put_open put_request(struct party *me, const struct ks_client_id *id, uint8_t byte,
                                     const char *name, uint64_t size)
{
    struct ks_store_put_open request = {.request = party_request(me), .id = *id, .size = size};
    memset(request.put_id, byte, sizeof request.put_id);
    snprintf(request.file_name, sizeof request.file_name, "%s", name);
    return request;
}

enum ks_result ask_to_put(struct party *me, struct ks_store_put_open *request)
{
    ks_store_put_open(me->store, request);
    return party_wait(me, &request->request);
}

static struct ks_stage *open_checked(struct party *me, struct ks_store_put_open *request,
                                     const char *expected)
{
    assert_int_equal(ask_to_put(me, request), KS_OK);
    assert_non_null(request->stage);
    assert_false(request->is_kept);
    assert_int_equal(request->offset, strlen(expected));
    assert_int_equal(request->cksum, cksum_of_text(expected));
    return request->stage;
}

struct ks_stage *open_put(struct party *me, const struct ks_client_id *id, uint8_t byte, const char *name,
                          uint64_t size, const char *expected)
{
    struct ks_store_put_open request = put_request(me, id, byte, name, size);
    return open_checked(me, &request, expected);
}

struct ks_stage *open_replacing(struct party *me, const struct ks_client_id *id, uint8_t byte,
                                const char *name, uint64_t size, const char *expected)
{
    struct ks_store_put_open request = put_request(me, id, byte, name, size);
    request.replace = true;
    return open_checked(me, &request, expected);
}

enum ks_result try_to_put(struct party *me, const struct ks_client_id *id, uint8_t byte, const char *name,
                          uint64_t size, enum ks_store_limit *limit)
{
    struct ks_store_put_open request = put_request(me, id, byte, name, size);
    enum ks_result result = ask_to_put(me, &request);
    if (limit != NULL)
        *limit = request.limit;
    if (result == KS_OK)
        assert_int_equal(discard(me, request.stage), KS_OK);
    return result;
}

void park_put(struct party *me, const struct ks_client_id *id, uint8_t byte, const char *name, uint64_t size,
              const char *text)
{
    struct ks_stage *stage = open_put(me, id, byte, name, size, "");
    assert_int_equal(write_chunk(me, stage, text, false), KS_OK);
    ks_store_put_park(me->store, stage);
}

struct ks_store_confirm end_request(struct party *me, struct ks_stage *stage, const char *text)
{
    return (struct ks_store_confirm){
        .request = party_request(me), .stage = stage, .has_cksum = true, .cksum = cksum_of_text(text)};
}

enum ks_result end_put(struct party *me, struct ks_stage *stage, const char *text)
{
    struct ks_store_confirm request = end_request(me, stage, text);
    ks_store_confirm(me->store, &request);
    return party_wait(me, &request.request);
}

void put_file(struct party *me, const struct ks_client_id *id, const char *name, const char *text,
              bool replaces)
{
    struct ks_store_put_open request = put_request(me, id, 0xEE, name, strlen(text));
    request.replace = true;
    request.anew = true;
    assert_int_equal(ask_to_put(me, &request), KS_OK);
    assert_int_equal(request.offset, 0);
    if (text[0] != '\0')
        assert_int_equal(write_chunk(me, request.stage, text, true), KS_OK);
    struct ks_store_confirm end = end_request(me, request.stage, text);
    ks_store_confirm(me->store, &end);
    assert_int_equal(party_wait(me, &end.request), KS_OK);
    assert_int_equal(end.replaced, replaces);
}

void assert_puts(struct party *me, const char *user, uint64_t puts, uint64_t bytes)
{
    struct ks_user_details details;
    assert_int_equal(describe(me, user, &details, NULL), KS_OK);
    assert_int_equal(details.puts, puts);
    assert_int_equal(details.put_bytes, bytes);
}

/* ---- the list ---- */

struct ks_store_list_files list_request(struct party *me, const struct ks_client_id *id, const char *after,
                                        struct ks_kept_file *files, size_t limit)
{
    struct ks_store_list_files request = {
        .request = party_request(me), .id = *id, .files = files, .limit = limit};
    snprintf(request.after, sizeof request.after, "%s", after);
    return request;
}

/* What `expected` begins with; NULL when it does not. */
static const char *take_name(const char *expected, const char *name)
{
    size_t size = strlen(name);
    if (strncmp(expected, name, size) != 0)
        return NULL;
    return expected[size] == ' ' ? expected + size + 1 : expected + size;
}

void assert_names(struct party *me, const struct ks_client_id *id, const char *after, size_t limit,
                  const char *expected)
{
    struct ks_kept_file *files = calloc(limit, sizeof *files); /* exactly as many as there is room for */
    char last[KS_TEXT_FIELD_SIZE];
    bool more = true;
    assert_non_null(files);
    snprintf(last, sizeof last, "%s", after);
    while (more) {
        struct ks_store_list_files request = list_request(me, id, last, files, limit);
        ks_store_list_files(me->store, &request);
        assert_int_equal(party_wait(me, &request.request), KS_OK);
        more = request.more;
        assert_true(request.count <= limit && (request.count > 0 || !more));
        for (size_t i = 0; i < request.count; i++) {
            expected = take_name(expected, files[i].name);
            assert_non_null(expected);
            memcpy(last, files[i].name, sizeof last);
        }
        assert_int_equal(more, expected[0] != '\0');
    }
    free(files);
}

struct ks_file_facts facts_of(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_kept_file file = {.name = ""};
    bool more = true;
    while (more && strcmp(file.name, name) != 0) {
        struct ks_store_list_files request = list_request(me, id, file.name, &file, 1);
        ks_store_list_files(me->store, &request);
        assert_int_equal(party_wait(me, &request.request), KS_OK);
        more = request.more;
    }
    assert_string_equal(file.name, name);
    return file.facts;
}

/* ---- reading ---- */

struct ks_store_file_open reading_request(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_store_file_open request = {.request = party_request(me), .id = *id};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static enum ks_result ask_to_read(struct party *me, const struct ks_client_id *id, const char *name,
                                  struct ks_stored_file **file)
{
    struct ks_store_file_open request = reading_request(me, id, name);
    ks_store_file_open(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    *file = result == KS_OK ? request.file : NULL;
    return result;
}

struct ks_stored_file *open_stored(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_stored_file *file = NULL;
    assert_int_equal(ask_to_read(me, id, name, &file), KS_OK);
    assert_non_null(file);
    return file;
}

enum ks_result try_to_get(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_stored_file *file = NULL;
    enum ks_result result = ask_to_read(me, id, name, &file);
    if (file != NULL)
        ks_store_file_close(me->store, file);
    return result;
}

/* The next bytes, at most as many as `bytes` has. */
static size_t read_piece(struct party *me, struct ks_stored_file *file, uint64_t offset, uint8_t bytes[3],
                         struct ks_cksum *sum)
{
    struct ks_store_file_read request = {.request = party_request(me),
                                         .file = file,
                                         .offset = offset,
                                         .bytes = bytes,
                                         .capacity = 3,
                                         .sum = *sum};
    ks_store_file_read(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    *sum = request.sum;
    return request.size;
}

void assert_reads(struct party *me, struct ks_stored_file *file, uint64_t offset, const char *text)
{
    struct ks_cksum sum = ks_cksum_start();
    size_t at = 0;
    size_t size = 3;
    while (size == 3) {
        uint8_t bytes[3];
        size = read_piece(me, file, offset + at, bytes, &sum);
        assert_true(size <= strlen(text) - at && (size == 3 || at + size == strlen(text)));
        assert_memory_equal(bytes, text + at, size);
        at += size;
    }
    assert_int_equal(at, strlen(text));
    assert_int_equal(ks_cksum_value(&sum), cksum_of_text(text));
}

void assert_content(struct party *me, const struct ks_client_id *id, const char *name, const char *text)
{
    struct ks_stored_file *file = open_stored(me, id, name);
    assert_reads(me, file, 0, text);
    ks_store_file_close(me->store, file);
    struct ks_file_facts facts = facts_of(me, id, name);
    assert_int_equal(facts.size, strlen(text));
    if (facts.has_cksum)
        assert_int_equal(facts.cksum, cksum_of_text(text));
}

/* ---- removals and digests ---- */

struct ks_store_remove_file removal_request(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_store_remove_file request = {.request = party_request(me), .id = *id};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

enum ks_result remove_file(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_store_remove_file request = removal_request(me, id, name);
    ks_store_remove_file(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result digest_of(struct party *me, const struct ks_client_id *id, const char *name,
                         char hex[static 2 * KS_FILE_SHA256_SIZE + 1])
{
    struct ks_store_digest_file request = {.request = party_request(me), .id = *id};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_digest_file(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    hex[0] = '\0';
    for (size_t i = 0; i < sizeof request.sha256 && result == KS_OK; i++)
        snprintf(hex + 2 * i, 3, "%02x", request.sha256[i]);
    return result;
}
