/* contract_asking.c — see contract_asking.h. */
#include "unit/store/contract/contract_asking.h"

/* ---- users and keys ---- */

struct ks_store_register register_request(struct party *me, const char *name)
{
    struct ks_store_register request = {.request = party_request(me)};
    snprintf(request.name, sizeof request.name, "%s", name);
    return request;
}

static enum ks_result ask_to_register(struct party *me, struct ks_store_register *request,
                                      struct ks_client_id *id)
{
    ks_store_register_user(me->store, request);
    enum ks_result result = party_wait(me, &request->request);
    if (id != NULL)
        *id = request->id;
    return result;
}

enum ks_result register_user(struct party *me, const char *name, struct ks_client_id *id)
{
    struct ks_store_register request = register_request(me, name);
    return ask_to_register(me, &request, id);
}

enum ks_result register_with_key(struct party *me, const char *name, uint8_t byte, struct ks_client_id *id)
{
    struct ks_store_register request = register_request(me, name);
    request.has_public_key = true;
    memset(request.public_key, byte, sizeof request.public_key);
    return ask_to_register(me, &request, id);
}

struct ks_client_id new_user(struct party *me, const char *name)
{
    struct ks_client_id id;
    assert_int_equal(register_user(me, name, &id), KS_OK);
    return id;
}

enum ks_result look_up(struct party *me, const struct ks_client_id *id, struct ks_user *user)
{
    struct ks_store_look_up request = {.request = party_request(me), .id = *id};
    ks_store_look_up(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (user != NULL)
        *user = request.user;
    return result;
}

enum ks_result public_key_of(struct party *me, const struct ks_client_id *id, uint8_t *byte)
{
    struct ks_store_public_key request = {.request = party_request(me), .id = *id};
    ks_store_public_key(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    for (size_t i = 1; i < sizeof request.public_key && result == KS_OK; i++)
        assert_int_equal(request.public_key[i], request.public_key[0]);
    if (result == KS_OK)
        *byte = request.public_key[0];
    return result;
}

struct ks_content_key *new_key(struct party *me, uint8_t byte)
{
    uint8_t bytes[KS_CONTENT_KEY_SIZE];
    memset(bytes, byte, sizeof bytes);
    struct ks_content_key *key = ks_content_key_new(bytes, ks_clock_steady_seconds(&me->world->clock.clock));
    assert_non_null(key);
    return key;
}

enum ks_result set_keys(struct party *me, const struct ks_client_id *id, uint8_t public_byte,
                        uint8_t content_byte)
{
    struct ks_store_set_keys request = {
        .request = party_request(me), .id = *id, .has_public_key = public_byte != 0};
    memset(request.public_key, public_byte, sizeof request.public_key);
    request.content_key = new_key(me, content_byte);
    ks_store_set_keys(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    ks_content_key_release(request.content_key);
    return result;
}

static enum ks_result ask_for_key(struct party *me, const struct ks_client_id *id,
                                  struct ks_content_key **key)
{
    struct ks_store_content_key request = {.request = party_request(me), .id = *id};
    ks_store_content_key(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    *key = result == KS_OK ? request.content_key : NULL;
    return result;
}

enum ks_result content_key_of(struct party *me, const struct ks_client_id *id, uint8_t *byte)
{
    struct ks_content_key *key = NULL;
    enum ks_result result = ask_for_key(me, id, &key);
    for (size_t i = 1; key != NULL && i < sizeof key->bytes; i++)
        assert_int_equal(key->bytes[i], key->bytes[0]);
    if (key != NULL && byte != NULL)
        *byte = key->bytes[0];
    ks_content_key_release(key);
    return result;
}

struct ks_content_key *current_key(struct party *me, const struct ks_client_id *id)
{
    struct ks_content_key *key = NULL;
    assert_int_equal(ask_for_key(me, id, &key), KS_OK);
    return key;
}

/* ---- uploads ---- */

struct ks_store_stage_open stage_request(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_store_stage_open request = {.request = party_request(me), .id = *id, .purpose = KS_STAGE_FILE};
    snprintf(request.file_name, sizeof request.file_name, "%s", name);
    return request;
}

struct ks_stage *open_file(struct party *me, const struct ks_client_id *id, const char *name)
{
    struct ks_store_stage_open request = stage_request(me, id, name);
    ks_store_stage_open(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    return request.stage;
}

enum ks_result try_to_open(struct party *me, const struct ks_client_id *id, const char *name, uint64_t size,
                           enum ks_store_limit *limit)
{
    struct ks_store_stage_open request = stage_request(me, id, name);
    request.content_size = size;
    ks_store_stage_open(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (limit != NULL)
        *limit = request.limit;
    if (result == KS_OK)
        assert_int_equal(discard(me, request.stage), KS_OK);
    return result;
}

struct ks_store_stage_write write_request(struct party *me, struct ks_stage *stage, uint8_t *bytes,
                                          size_t size, bool last)
{
    return (struct ks_store_stage_write){
        .request = party_request(me), .stage = stage, .bytes = bytes, .size = size, .last = last};
}

enum ks_result write_chunk(struct party *me, struct ks_stage *stage, const char *text, bool last)
{
    uint8_t *bytes = malloc(strlen(text) + 1); /* exactly as long as it is used */
    assert_non_null(bytes);
    memcpy(bytes, text, strlen(text));
    struct ks_store_stage_write request = write_request(me, stage, bytes, strlen(text), last);
    ks_store_stage_write(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    free(bytes);
    return result;
}

enum ks_result confirm(struct party *me, struct ks_stage *stage, enum ks_store_limit *limit)
{
    struct ks_store_confirm request = {.request = party_request(me), .stage = stage};
    ks_store_confirm(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (limit != NULL)
        *limit = request.limit;
    return result;
}

enum ks_result discard(struct party *me, struct ks_stage *stage)
{
    struct ks_store_request request = party_request(me);
    ks_store_discard(me->store, stage, &request);
    return party_wait(me, &request);
}

struct ks_stage *stage_file(struct party *me, const struct ks_client_id *id, const char *name,
                            const char *text)
{
    struct ks_stage *stage = open_file(me, id, name);
    assert_int_equal(write_chunk(me, stage, text, true), KS_OK);
    return stage;
}

void keep_file(struct party *me, const struct ks_client_id *id, const char *name, const char *text)
{
    assert_int_equal(confirm(me, stage_file(me, id, name, text), NULL), KS_OK);
}

void assert_files(struct party *me, const char *user, uint64_t files, uint64_t bytes)
{
    struct ks_user_details details;
    assert_int_equal(describe(me, user, &details, NULL), KS_OK);
    assert_int_equal(details.files, files);
    assert_int_equal(details.file_bytes, bytes);
}

/* ---- messages ---- */

struct ks_store_append_message append_request(struct party *me, const struct ks_client_id *receiver,
                                              const struct ks_client_id *sender, const char *text)
{
    return (struct ks_store_append_message){.request = party_request(me),
                                            .receiver = *receiver,
                                            .sender = *sender,
                                            .type = 3,
                                            .content_size = (uint32_t)strlen(text),
                                            .content = (const uint8_t *)text};
}

enum ks_result try_append(struct party *me, const struct ks_client_id *receiver,
                          const struct ks_client_id *sender, const char *text, enum ks_store_limit *limit)
{
    struct ks_store_append_message request = append_request(me, receiver, sender, text);
    ks_store_append_message(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (limit != NULL)
        *limit = request.limit;
    return result;
}

uint64_t append(struct party *me, const struct ks_client_id *receiver, const struct ks_client_id *sender,
                const char *text)
{
    struct ks_store_append_message request = append_request(me, receiver, sender, text);
    ks_store_append_message(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    return request.message_id;
}

struct ks_stage *stage_message(struct party *me, const struct ks_client_id *sender, const char *text)
{
    struct ks_store_stage_open request = {
        .request = party_request(me), .id = *sender, .purpose = KS_STAGE_MESSAGE};
    ks_store_stage_open(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_int_equal(write_chunk(me, request.stage, text, true), KS_OK);
    return request.stage;
}

enum ks_result append_stage(struct party *me, const struct ks_client_id *receiver,
                            const struct ks_client_id *sender, struct ks_stage *stage, uint32_t size,
                            enum ks_store_limit *limit)
{
    struct ks_store_append_message request = append_request(me, receiver, sender, "");
    request.content_size = size;
    request.content = NULL;
    request.stage = stage;
    ks_store_append_message(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    if (limit != NULL)
        *limit = request.limit;
    return result;
}

/* ---- leases ---- */

struct ks_store_lease_waiting lease_request(struct party *me, const struct ks_client_id *receiver,
                                            uint64_t owner, uint64_t limit)
{
    return (struct ks_store_lease_waiting){.request = party_request(me),
                                           .receiver = *receiver,
                                           .owner = owner,
                                           .size_limit = limit,
                                           .overhead = HEAD_SIZE};
}

struct ks_store_lease_waiting lease_within(struct party *me, const struct ks_client_id *receiver,
                                           uint64_t owner, uint64_t limit)
{
    struct ks_store_lease_waiting request = lease_request(me, receiver, owner, limit);
    ks_store_lease_waiting(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    return request;
}

struct ks_store_lease_waiting lease(struct party *me, const struct ks_client_id *receiver, uint64_t owner)
{
    return lease_within(me, receiver, owner, NO_LIMIT);
}

enum ks_result settle(struct party *me, const struct ks_client_id *receiver, uint64_t owner, uint64_t last)
{
    bool joins = false;
    enum ks_result result = ks_store_lease_settle(me->store, receiver, owner, last, &joins);
    assert_false(joins);
    return result;
}

enum ks_result say_delivered(struct party *me, const struct ks_client_id *receiver, uint64_t owner,
                             uint64_t last)
{
    struct ks_store_lease_delivered request = {
        .request = party_request(me), .receiver = *receiver, .owner = owner, .last = last};
    ks_store_lease_delivered(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result deliver(struct party *me, const struct ks_client_id *receiver, uint64_t owner, uint64_t last)
{
    enum ks_result result = settle(me, receiver, owner, last);
    return result == KS_OK ? say_delivered(me, receiver, owner, last) : result;
}

/* ---- what a part says ---- */

static void encode_head(const void *context, const struct ks_stored_message *message, uint8_t *bytes)
{
    memset(bytes, 0, HEAD_SIZE);
    memcpy(bytes, &message->message_id, 8);
    memcpy(bytes + 8, message->sender.bytes, 16);
    memcpy(bytes + 24, &message->content_size, 4);
    bytes[28] = message->type;
    bytes[29] = (uint8_t)strlen(context);
}

struct ks_store_lease_read read_request(const struct ks_client_id *receiver,
                                        const struct ks_store_lease_waiting *part, uint8_t *bytes,
                                        size_t capacity)
{
    return (struct ks_store_lease_read){.receiver = *receiver,
                                        .owner = part->owner,
                                        .last = part->last,
                                        .cursor = {.message_id = part->after},
                                        .encode = encode_head,
                                        .context = "context",
                                        .overhead = HEAD_SIZE,
                                        .bytes = bytes,
                                        .capacity = capacity};
}

enum ks_result read_next(struct party *me, struct ks_store_lease_read *request)
{
    request->request = party_request(me);
    ks_store_lease_read(me->store, request);
    return party_wait(me, &request->request);
}

enum ks_result try_to_read(struct party *me, const struct ks_client_id *receiver,
                           const struct ks_store_lease_waiting *part)
{
    uint8_t bytes[4096];
    struct ks_store_lease_read request = read_request(receiver, part, bytes, sizeof bytes);
    return read_next(me, &request);
}

uint8_t *read_part(struct party *me, const struct ks_client_id *receiver,
                   const struct ks_store_lease_waiting *part, size_t capacity)
{
    uint8_t *page = malloc(capacity);
    uint8_t *bytes = malloc(part->size + 1);
    size_t size = 0;
    assert_non_null(page);
    assert_non_null(bytes);
    struct ks_store_lease_read request = read_request(receiver, part, page, capacity);
    do {
        assert_int_equal(read_next(me, &request), KS_OK);
        assert_true(request.size <= capacity && request.size <= part->size - size);
        memcpy(bytes + size, page, request.size);
        size += request.size;
    } while (request.size > 0);
    assert_int_equal(size, part->size);
    free(page);
    return bytes;
}

struct heard hear(const uint8_t *bytes, size_t *at)
{
    struct heard heard = {.type = bytes[*at + 28], .content = bytes + *at + HEAD_SIZE};
    memcpy(&heard.id, bytes + *at, 8);
    memcpy(heard.sender.bytes, bytes + *at + 8, 16);
    memcpy(&heard.size, bytes + *at + 24, 4);
    assert_int_equal(bytes[*at + 29], strlen("context"));
    *at += HEAD_SIZE + heard.size;
    return heard;
}

void assert_part(struct party *me, const struct ks_client_id *receiver,
                 const struct ks_store_lease_waiting *part, const char *expected)
{
    char found[1024] = "";
    size_t at = 0;
    if (part->count == 0) {
        assert_string_equal(expected, "");
        return;
    }
    uint8_t *bytes = read_part(me, receiver, part, 4096);
    for (uint64_t i = 0; i < part->count; i++) {
        struct heard heard = hear(bytes, &at);
        assert_true(heard.size + strlen(found) + 2 < sizeof found);
        strcat(found, i > 0 ? " " : "");
        strncat(found, (const char *)heard.content, heard.size);
    }
    free(bytes);
    assert_string_equal(found, expected);
}

void assert_waiting(struct party *me, const struct ks_client_id *receiver, const char *expected)
{
    enum { LOOKER = 999999 };
    struct ks_store_lease_waiting part = lease(me, receiver, LOOKER);
    assert_part(me, receiver, &part, expected);
    ks_store_lease_release(me->store, receiver, LOOKER);
}

/* ---- operators ---- */

enum ks_result describe(struct party *me, const char *name, struct ks_user_details *details,
                        uint8_t *key_byte)
{
    struct ks_store_describe_user request = {.request = party_request(me)};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_describe_user(me->store, &request);
    enum ks_result result = party_wait(me, &request.request);
    *details = request.details;
    if (key_byte != NULL)
        *key_byte = request.public_key[KS_PUBLIC_KEY_SIZE - 1];
    return result;
}

enum ks_result reset_key(struct party *me, const char *name)
{
    struct ks_store_reset_key request = {.request = party_request(me)};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_reset_key(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result remove_user(struct party *me, const char *name)
{
    struct ks_store_remove_user request = {.request = party_request(me)};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_remove_user(me->store, &request);
    return party_wait(me, &request.request);
}

enum ks_result probe(struct party *me)
{
    struct ks_store_probe request = {.request = party_request(me)};
    ks_store_probe(me->store, &request);
    return party_wait(me, &request.request);
}
