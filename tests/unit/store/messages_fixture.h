/* messages_fixture.h — what the tests of waiting messages share: asking in one line, and taking apart the
 * bytes of a part.
 */
#ifndef KS_TESTS_UNIT_STORE_MESSAGES_FIXTURE_H
#define KS_TESTS_UNIT_STORE_MESSAGES_FIXTURE_H

#include "unit/store/engine_fixture.h"

enum {
    HEAD_SIZE = 32,
    NO_LIMIT = 256 * 1024 * 1024,
    SEEN_LIMIT = 64,
    TEXT_LIMIT = 128,
    LEASE_SECONDS = KS_LEASE_LIFETIME_MS / 1000,
};

/* Two users that everybody knows. */
struct pair {
    struct ks_client_id alice;
    struct ks_client_id bob;
};

static inline struct pair two_users(struct house *house)
{
    struct pair pair;
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    fill_public_key(key, 1);
    assert_int_equal(register_user(house, "alice", key, &pair.alice), KS_OK);
    assert_int_equal(register_user(house, "bob", key, &pair.bob), KS_OK);
    return pair;
}

/* ---- append ---- */

static inline struct ks_store_append_message append_request(struct house *house,
                                                            const struct ks_client_id *receiver,
                                                            const struct ks_client_id *sender,
                                                            const char *text)
{
    return (struct ks_store_append_message){.request = fixture_request(&house->waiter),
                                            .receiver = *receiver,
                                            .sender = *sender,
                                            .type = 3,
                                            .content_size = (uint32_t)strlen(text),
                                            .content = (const uint8_t *)text};
}

/* The id of the message; fails the test when it is not stored. */
static inline uint64_t append(struct house *house, const struct ks_client_id *receiver,
                              const struct ks_client_id *sender, const char *text)
{
    struct ks_store_append_message request = append_request(house, receiver, sender, text);
    ks_store_append_message(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    return request.message_id;
}

static inline enum ks_result try_append(struct house *house, const struct ks_client_id *receiver,
                                        const struct ks_client_id *sender, const char *text)
{
    struct ks_store_append_message request = append_request(house, receiver, sender, text);
    ks_store_append_message(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* A complete stage of purpose KS_STAGE_MESSAGE. */
static inline struct ks_stage *message_stage(struct house *house, const struct ks_client_id *sender,
                                             const char *text)
{
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = *sender, .purpose = KS_STAGE_MESSAGE};
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    uint8_t *bytes = malloc(strlen(text) + 1);
    assert_non_null(bytes);
    memcpy(bytes, text, strlen(text));
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = bytes,
                                           .size = strlen(text),
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    free(bytes);
    return opening.stage;
}

static inline enum ks_result append_stage(struct house *house, const struct ks_client_id *receiver,
                                          const struct ks_client_id *sender, struct ks_stage *stage,
                                          uint32_t size, uint64_t *message_id)
{
    struct ks_store_append_message request = append_request(house, receiver, sender, "");
    request.content_size = size;
    request.stage = stage;
    ks_store_append_message(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    if (message_id != NULL)
        *message_id = request.message_id;
    return result;
}

/* A message whose content lies in messages/. */
static inline uint64_t append_spooled(struct house *house, const struct ks_client_id *receiver,
                                      const struct ks_client_id *sender, const char *text)
{
    uint64_t id = 0;
    struct ks_stage *stage = message_stage(house, sender, text);
    assert_int_equal(append_stage(house, receiver, sender, stage, (uint32_t)strlen(text), &id), KS_OK);
    return id;
}

/* ---- leases ---- */

static inline struct ks_store_lease_waiting lease_request(struct house *house,
                                                          const struct ks_client_id *receiver, uint64_t owner,
                                                          uint64_t limit)
{
    return (struct ks_store_lease_waiting){.request = fixture_request(&house->waiter),
                                           .receiver = *receiver,
                                           .owner = owner,
                                           .size_limit = limit,
                                           .overhead = HEAD_SIZE};
}

static inline struct ks_store_lease_waiting lease_within(struct house *house,
                                                         const struct ks_client_id *receiver, uint64_t owner,
                                                         uint64_t limit)
{
    struct ks_store_lease_waiting request = lease_request(house, receiver, owner, limit);
    ks_store_lease_waiting(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    return request;
}

static inline struct ks_store_lease_waiting lease(struct house *house, const struct ks_client_id *receiver,
                                                  uint64_t owner)
{
    return lease_within(house, receiver, owner, NO_LIMIT);
}

static inline enum ks_result settle(struct house *house, const struct ks_client_id *receiver, uint64_t owner,
                                    uint64_t last)
{
    bool joins = false;
    return ks_store_lease_settle(house->store, receiver, owner, last, &joins);
}

/* The part settles, if it does not yet, and was delivered. */
static inline enum ks_result delivered(struct house *house, const struct ks_client_id *receiver,
                                       uint64_t owner, uint64_t last)
{
    (void)settle(house, receiver, owner, last);
    struct ks_store_lease_delivered request = {
        .request = fixture_request(&house->waiter), .receiver = *receiver, .owner = owner, .last = last};
    ks_store_lease_delivered(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* ---- what a part says ---- */

struct seen_message {
    uint64_t id;
    struct ks_client_id sender;
    uint8_t type;
    uint32_t size;
    char text[TEXT_LIMIT];
};

struct seen {
    struct seen_message messages[SEEN_LIMIT];
    size_t count;
    unsigned calls;
};

static inline void encode_head(const void *context, const struct ks_stored_message *message, uint8_t *bytes)
{
    assert_ptr_equal(context, "context");
    memset(bytes, 0, HEAD_SIZE);
    memcpy(bytes, &message->message_id, 8);
    memcpy(bytes + 8, message->sender.bytes, 16);
    memcpy(bytes + 24, &message->content_size, 4);
    bytes[28] = message->type;
}

static inline struct ks_store_lease_read read_request(struct house *house,
                                                      const struct ks_client_id *receiver,
                                                      const struct ks_store_lease_waiting *part,
                                                      uint8_t *bytes, size_t capacity)
{
    return (struct ks_store_lease_read){.request = fixture_request(&house->waiter),
                                        .receiver = *receiver,
                                        .owner = part->owner,
                                        .last = part->last,
                                        .cursor = {.message_id = part->after},
                                        .encode = encode_head,
                                        .context = "context",
                                        .overhead = HEAD_SIZE,
                                        .bytes = bytes,
                                        .capacity = capacity};
}

/* Reads a part to its end, or to the first error, into exactly part->size bytes at most. */
static inline enum ks_result read_bytes(struct house *house, const struct ks_client_id *receiver,
                                        const struct ks_store_lease_waiting *part, size_t capacity,
                                        uint8_t *bytes, size_t *size, unsigned *calls)
{
    uint8_t *chunk = malloc(capacity);
    assert_non_null(chunk);
    struct ks_store_lease_read request = read_request(house, receiver, part, chunk, capacity);
    *size = 0;
    *calls = 0;
    do {
        ks_store_lease_read(house->store, &request);
        fixture_wait_for_answer(&house->waiter);
        if (request.request.result != KS_OK)
            break;
        assert_true(request.size <= capacity && *size + request.size <= part->size);
        memcpy(bytes + *size, chunk, request.size);
        *size += request.size;
        ++*calls;
        request.request = fixture_request(&house->waiter);
    } while (request.size > 0);
    free(chunk);
    return request.request.result;
}

static inline void take_apart(const uint8_t *bytes, size_t size, struct seen *seen)
{
    size_t at = 0;
    while (at < size) {
        struct seen_message *message = &seen->messages[seen->count++];
        assert_true(size - at >= HEAD_SIZE && seen->count <= SEEN_LIMIT);
        memcpy(&message->id, bytes + at, 8);
        memcpy(message->sender.bytes, bytes + at + 8, 16);
        memcpy(&message->size, bytes + at + 24, 4);
        message->type = bytes[at + 28];
        at += HEAD_SIZE;
        assert_true(message->size <= size - at && message->size < TEXT_LIMIT);
        memcpy(message->text, bytes + at, message->size);
        at += message->size;
    }
}

/* Reads a part of small messages as a whole. */
static inline struct seen read_in_pieces(struct house *house, const struct ks_client_id *receiver,
                                         const struct ks_store_lease_waiting *part, size_t capacity)
{
    struct seen seen = {.count = 0};
    size_t size = 0;
    uint8_t *bytes = malloc(part->size + 1);
    assert_non_null(bytes);
    assert_int_equal(read_bytes(house, receiver, part, capacity, bytes, &size, &seen.calls), KS_OK);
    assert_int_equal(size, part->size);
    take_apart(bytes, size, &seen);
    assert_int_equal(seen.count, part->count);
    free(bytes);
    return seen;
}

static inline struct seen read_all(struct house *house, const struct ks_client_id *receiver,
                                   const struct ks_store_lease_waiting *part)
{
    return read_in_pieces(house, receiver, part, 64 * 1024);
}

/* One call, for its result. */
static inline enum ks_result try_to_read(struct house *house, const struct ks_client_id *receiver,
                                         const struct ks_store_lease_waiting *part)
{
    uint8_t bytes[4096];
    struct ks_store_lease_read request = read_request(house, receiver, part, bytes, sizeof bytes);
    ks_store_lease_read(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* What waits, as "one two three"; the lease is given back. */
static inline void assert_waiting(struct house *house, const struct ks_client_id *receiver,
                                  const char *expected)
{
    enum { LOOKER = 999999 };
    char found[SEEN_LIMIT * TEXT_LIMIT] = "";
    struct ks_store_lease_waiting part = lease(house, receiver, LOOKER);
    struct seen seen = {.count = 0};
    if (part.count > 0)
        seen = read_all(house, receiver, &part);
    for (size_t i = 0; i < seen.count; i++) {
        if (i > 0)
            strcat(found, " ");
        strncat(found, seen.messages[i].text, seen.messages[i].size);
    }
    ks_store_lease_release(house->store, receiver, LOOKER);
    assert_string_equal(found, expected);
}

/* Behind everything that the writer and the reaper were given so far. */
static inline void wait_for_removal(struct house *house)
{
    struct ks_engine *engine = ks_engine_of(house->store);
    fixture_call_on(ks_thread_executor(engine->writer.thread), NULL, NULL);
    fixture_call_on(ks_thread_executor(engine->reaper), NULL, NULL);
}

static inline void assert_spooled(struct house *house, int count)
{
    wait_for_removal(house);
    assert_int_equal(fixture_count_entries(house->directory, "messages"), count);
}

#endif
