/* own_files_fixture.h — requests for own files and their answers, over the secure port of
 * accounts/secure_fixture.h. Alice has an account; peers 0 to 3 are hers when they have signed in.
 */
#ifndef KS_TESTS_UNIT_SERVICE_FILES_OWN_FILES_FIXTURE_H
#define KS_TESTS_UNIT_SERVICE_FILES_OWN_FILES_FIXTURE_H

#include "unit/service/accounts/secure_fixture.h"

#include "base/bytes.h"
#include "crypto/checksum.h"
#include "wire/files_codec.h"

enum { NO_FLAGS = 0 };

static const uint8_t nothing_heard[KS_GOT_FILE_SIZE]; /* what a payload is where there is none */

static inline struct person alice(void)
{
    return person_of('a');
}

/* Bytes that no two places of a content share with another offset. */
static inline uint8_t byte_at(size_t i)
{
    return (uint8_t)(i ^ (i >> 8) * 7 ^ (i >> 16) * 31);
}

static inline uint8_t *content_of(size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = byte_at(i);
    return bytes;
}

static inline uint32_t cksum_of(const void *bytes, size_t size)
{
    struct ks_cksum sum = ks_cksum_start();
    ks_cksum_add(&sum, bytes, size);
    return ks_cksum_value(&sum);
}

static inline uint32_t cksum_of_first(size_t size)
{
    uint8_t *bytes = content_of(size);
    uint32_t cksum = cksum_of(bytes, size);
    free(bytes);
    return cksum;
}

/* ---- who asks ---- */

static inline int files_set_up(void **state)
{
    gate_set_up(state);
    struct gate *gate = *state;
    const struct person person = alice();
    gate_open(gate, 0);
    assert_enrolled(gate, 0, &person, "alice");
    return 0;
}

/* Whatever a test has done, no stage and no file stays open behind it. */
static inline int files_tear_down(void **state)
{
    struct gate *gate = *state;
    for (unsigned i = 0; i < GATE_PEERS; i++)
        if (gate->peers[i].loop != NULL)
            gate_close(gate, i);
    gate_run(gate);
    assert_int_equal(gate->store.open_stages, 0);
    assert_int_equal(gate->store.open_files, 0);
    return gate_tear_down(state);
}

#define FILES_TEST(name) cmocka_unit_test_setup_teardown(name, files_set_up, files_tear_down)

/* One more connection of hers. */
static inline void join(struct gate *gate, unsigned peer)
{
    const struct person person = alice();
    gate_open(gate, peer);
    sign_in(gate, peer, &person);
    assert_told(gate, peer, KS_RESPONSE_SIGNED_IN);
}

static inline struct ks_client_id alice_id(const struct gate *gate)
{
    return gate->store.users[0].user.id;
}

/* NULL when she has none of this name. */
static inline const struct fake_file *kept(struct gate *gate, const char *name)
{
    struct ks_client_id id = alice_id(gate);
    return fake_store_find_file(&gate->store, &id, name);
}

static inline void assert_kept(struct gate *gate, const char *name, size_t size)
{
    const struct fake_file *file = kept(gate, name);
    uint8_t *bytes = content_of(size);
    assert_non_null(file);
    assert_int_equal(file->content.size, size);
    if (size > 0)
        assert_memory_equal(file->content.bytes, bytes, size);
    free(bytes);
}

/* A file that is there already. */
static inline struct fake_file *keep(struct gate *gate, const char *name, size_t size, bool has_cksum)
{
    struct fake_file *file = &gate->store.files[gate->store.file_count++];
    uint8_t *bytes = content_of(size);
    memset(file, 0, sizeof *file);
    file->id = alice_id(gate);
    memcpy(file->name, name, strlen(name));
    file->content = ks_buffer_empty(0);
    assert_int_equal(ks_buffer_append(&file->content, bytes, size), KS_OK);
    file->facts.time = 1700000000000000000U;
    file->facts.has_cksum = has_cksum;
    file->facts.cksum = has_cksum ? cksum_of(bytes, size) : 0;
    free(bytes);
    return file;
}

/* ---- requests, appended to what is to be sent ---- */

static inline void add(struct ks_buffer *bytes, uint16_t code, const void *payload, size_t size)
{
    const struct ks_request_header header = {
        .version = KS_VERSION_SECURE, .code = code, .payload_size = (uint32_t)size};
    uint8_t head[KS_REQUEST_HEADER_SIZE];
    ks_request_header_encode(&header, head);
    assert_int_equal(ks_buffer_append(bytes, head, sizeof head), KS_OK);
    if (size > 0)
        assert_int_equal(ks_buffer_append(bytes, payload, size), KS_OK);
}

static inline void add_name(struct ks_buffer *bytes, uint16_t code, const char *name)
{
    const struct ks_wire_text text = text_of(name);
    uint8_t payload[512];
    size_t size = 0;
    assert_int_equal(ks_wire_text_encode(&text, payload, sizeof payload, &size), KS_OK);
    add(bytes, code, payload, size);
}

static inline void add_get(struct ks_buffer *bytes, const char *name, uint64_t offset, uint32_t cksum,
                           uint64_t length)
{
    const struct ks_get_file get = {
        .offset = offset, .cksum = cksum, .length = length, .name = text_of(name)};
    uint8_t payload[512];
    size_t size = 0;
    assert_int_equal(ks_get_file_encode(&get, payload, sizeof payload, &size), KS_OK);
    add(bytes, KS_REQUEST_GET_FILE, payload, size);
}

static inline void add_open(struct ks_buffer *bytes, const char *name, uint8_t put_id, uint8_t flags,
                            uint64_t content_size)
{
    struct ks_put_file put = {.flags = flags, .size = content_size, .name = text_of(name)};
    uint8_t payload[512];
    size_t size = 0;
    memset(put.put_id, put_id, sizeof put.put_id);
    assert_int_equal(ks_put_file_encode(&put, payload, sizeof payload, &size), KS_OK);
    add(bytes, KS_REQUEST_PUT_FILE, payload, size);
}

/* Of the content, from `offset` to before `end`. */
static inline void add_piece(struct ks_buffer *bytes, size_t offset, size_t end)
{
    uint8_t *content = content_of(end);
    add(bytes, KS_REQUEST_PUT_PIECE, content + offset, end - offset);
    free(content);
}

static inline void add_end(struct ks_buffer *bytes, uint32_t cksum)
{
    uint8_t payload[sizeof(uint32_t)];
    ks_store_u32(payload, cksum);
    add(bytes, KS_REQUEST_PUT_END, payload, sizeof payload);
}

/* A whole put, in one piece but for an empty one. */
static inline void add_put(struct ks_buffer *bytes, const char *name, uint8_t put_id, uint8_t flags,
                           size_t size)
{
    add_open(bytes, name, put_id, flags, size);
    if (size > 0)
        add_piece(bytes, 0, size);
    add_end(bytes, cksum_of_first(size));
}

/* Sends all of it, `step` bytes at a time (0: at once), and empties it. */
static inline void send_all(struct gate *gate, unsigned peer, struct ks_buffer *bytes, size_t step)
{
    fake_connection_send(&gate->peers[peer], bytes->bytes, bytes->size, step);
    gate_run(gate);
    ks_buffer_free(bytes);
    *bytes = ks_buffer_empty(0);
}

static inline void ask_name(struct gate *gate, unsigned peer, uint16_t code, const char *name)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_name(&bytes, code, name);
    send_all(gate, peer, &bytes, 0);
}

static inline void ask_get(struct gate *gate, unsigned peer, const char *name, uint64_t offset,
                           uint32_t cksum, uint64_t length)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_get(&bytes, name, offset, cksum, length);
    send_all(gate, peer, &bytes, 0);
}

static inline void ask_open(struct gate *gate, unsigned peer, const char *name, uint8_t put_id, uint8_t flags,
                            uint64_t size)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_open(&bytes, name, put_id, flags, size);
    send_all(gate, peer, &bytes, 0);
}

static inline void ask_piece(struct gate *gate, unsigned peer, size_t offset, size_t end)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_piece(&bytes, offset, end);
    send_all(gate, peer, &bytes, 0);
}

static inline void ask_end(struct gate *gate, unsigned peer, uint32_t cksum)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_end(&bytes, cksum);
    send_all(gate, peer, &bytes, 0);
}

/* ---- answers ---- */

static inline const uint8_t *hear_code(struct gate *gate, unsigned peer, int code, size_t size)
{
    const uint8_t *payload = nothing_heard;
    size_t heard = 0;
    int got = hear(gate, peer, &payload, &heard);
    if (got == KS_RESPONSE_REFUSED && code != got)
        fail_msg("peer %u is refused for reason %u, and not told %d", peer, (unsigned)payload[0], code);
    assert_int_equal(got, code);
    assert_int_equal(heard, size);
    return payload;
}

static inline void assert_opened(struct gate *gate, unsigned peer, uint64_t offset, bool is_kept)
{
    struct ks_put_open open;
    const uint8_t *payload = hear_code(gate, peer, KS_RESPONSE_PUT_OPEN, KS_PUT_OPEN_SIZE);
    assert_int_equal(ks_put_open_parse(payload, KS_PUT_OPEN_SIZE, &open), KS_OK);
    assert_int_equal(open.offset, offset);
    assert_int_equal(open.cksum, cksum_of_first((size_t)offset));
    assert_int_equal(open.flags, is_kept ? KS_PUT_IS_KEPT : 0);
}

static inline void assert_position(struct gate *gate, unsigned peer, uint64_t position)
{
    assert_int_equal(ks_load_u64(hear_code(gate, peer, KS_RESPONSE_PUT_PIECE, sizeof position)), position);
}

static inline void assert_put(struct gate *gate, unsigned peer, uint8_t flags)
{
    assert_int_equal(hear_code(gate, peer, KS_RESPONSE_PUT_END, 1)[0], flags);
}

/* 4011; what comes then, up to 4018, is the content from there on. */
static inline struct ks_got_file assert_got(struct gate *gate, unsigned peer, uint64_t offset,
                                            uint64_t length)
{
    struct ks_got_file got;
    const uint8_t *payload = hear_code(gate, peer, KS_RESPONSE_FILE, KS_GOT_FILE_SIZE);
    assert_int_equal(ks_got_file_parse(payload, KS_GOT_FILE_SIZE, &got), KS_OK);
    assert_int_equal(got.offset, offset);
    assert_int_equal(got.length, length);
    return got;
}

/* The pieces until something else comes; returns its code. */
static inline int hear_pieces(struct gate *gate, unsigned peer, uint64_t *position, const uint8_t **payload,
                              size_t *size)
{
    int code = 0;
    while ((code = hear(gate, peer, payload, size)) == KS_RESPONSE_FILE_PIECE) {
        assert_in_range(*size, 1, KS_FILE_PIECE_LIMIT);
        for (size_t i = 0; i < *size; i++)
            if ((*payload)[i] != byte_at((size_t)*position + i))
                fail_msg("byte %zu is another one", (size_t)*position + i);
        *position += *size;
    }
    return code;
}

static inline void assert_content(struct gate *gate, unsigned peer, uint64_t offset, uint64_t length)
{
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    uint64_t position = offset;
    assert_int_equal(hear_pieces(gate, peer, &position, &payload, &size), KS_RESPONSE_FILE_END);
    assert_int_equal(size, sizeof(uint32_t));
    assert_int_equal(position, offset + length);
    assert_int_equal(ks_load_u32(payload), cksum_of_first((size_t)position));
}

#endif
