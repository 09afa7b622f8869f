/* people_fixture.h — what the tests of the message service share: some users on a connection, their requests,
 * and what they are told.
 */
#ifndef KS_TESTS_UNIT_SERVICE_PEOPLE_FIXTURE_H
#define KS_TESTS_UNIT_SERVICE_PEOPLE_FIXTURE_H

#include "unit/service/session_fixture.h"

#include "crypto/alias.h"
#include "wire/messages_codec.h"

static const uint8_t alias_key_bytes[KS_ALIAS_KEY_SIZE] = "an alias key 16";

struct people {
    struct fixture *fixture;
    struct ks_alias_key *alias_key;
    struct ks_client_id alice, bob, carol; /* carol has no key */
};

static inline struct ks_client_id add_user(struct fixture *fixture, const char *name, bool has_key)
{
    struct fake_user *user = &fixture->store.users[fixture->store.user_count++];
    memset(user->user.id.bytes, 0x50, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = (uint8_t)fixture->store.user_count;
    strcpy(user->user.name, name);
    user->user.has_public_key = has_key;
    memset(user->public_key, name[0], KS_PUBLIC_KEY_SIZE);
    return user->user.id;
}

static inline int set_up_people(void **state)
{
    struct people *people = calloc(1, sizeof *people);
    assert_non_null(people);
    void *fixture = NULL;
    set_up(&fixture);
    people->fixture = fixture;
    assert_int_equal(ks_alias_key_new(alias_key_bytes, &people->alias_key), KS_OK);
    people->fixture->environment.alias_key = people->alias_key;
    people->alice = add_user(fixture, "alice", true);
    people->bob = add_user(fixture, "bob", true);
    people->carol = add_user(fixture, "carol", false);
    *state = people;
    return 0;
}

static inline int tear_down_people(void **state)
{
    struct people *people = *state;
    void *fixture = people->fixture;
    tear_down(&fixture);
    ks_alias_key_free(people->alias_key);
    free(people);
    return 0;
}

static inline struct ks_client_id alias_of(const struct people *people, const struct ks_client_id *id)
{
    struct ks_client_id alias = {{0}};
    ks_alias_of_id(people->alias_key, id->bytes, alias.bytes);
    return alias;
}

/* ---- requests and answers ---- */

static inline void add_message(struct ks_buffer *bytes, const struct ks_client_id *sender,
                               const struct ks_client_id *target, uint8_t type, const void *content,
                               uint32_t size)
{
    struct ks_send_message_payload payload = {.target = *target, .type = type, .content_size = size};
    struct ks_buffer whole = ks_buffer_empty(0);
    uint8_t fixed[KS_SEND_MESSAGE_FIXED_SIZE];
    ks_send_message_payload_encode(&payload, fixed);
    assert_int_equal(ks_buffer_append(&whole, fixed, sizeof fixed), KS_OK);
    if (size > 0)
        assert_int_equal(ks_buffer_append(&whole, content, size), KS_OK);
    add_request(bytes, sender, KS_REQUEST_SEND_MESSAGE, whole.bytes, whole.size);
    ks_buffer_free(&whole);
}

static inline void send_message(struct people *people, const struct ks_client_id *target, const char *text)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_message(&bytes, &people->alice, target, KS_MESSAGE_TEXT, text, (uint32_t)strlen(text));
    send_and_free(people->fixture, &bytes, 0);
    assert_int_equal(next_answer(people->fixture, NULL, NULL), KS_RESPONSE_MESSAGE_STORED);
}

static inline void ask(struct people *people, const struct ks_client_id *id, uint16_t code,
                       const void *payload, size_t size)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_request(&bytes, id, code, payload, size);
    send_and_free(people->fixture, &bytes, 0);
}

static inline void pull(struct people *people)
{
    ask(people, &people->bob, KS_REQUEST_WAITING_MESSAGES, NULL, 0);
}

/* Reads the texts of a 2104 into one string, with a space behind each. */
static inline void read_texts(const uint8_t *payload, size_t size, char *texts, size_t capacity)
{
    size_t used = 0;
    while (size > 0) {
        struct ks_waiting_message head;
        assert_int_equal(ks_waiting_message_parse(payload, size, &head), KS_OK);
        payload += KS_WAITING_MESSAGE_FIXED_SIZE;
        size -= KS_WAITING_MESSAGE_FIXED_SIZE;
        assert_in_range(head.content_size, 0, size);
        assert_in_range(used + head.content_size + 2, 0, capacity);
        memcpy(texts + used, payload, head.content_size);
        used += head.content_size;
        texts[used++] = ' ';
        payload += head.content_size;
        size -= head.content_size;
    }
    texts[used] = '\0';
}

static inline void assert_pulled(struct people *people, const char *expected)
{
    const uint8_t *payload = NULL;
    size_t size = 0;
    char texts[256];
    assert_int_equal(next_answer(people->fixture, &payload, &size), KS_RESPONSE_WAITING_MESSAGES);
    read_texts(payload, size, texts, sizeof texts);
    assert_string_equal(texts, expected);
}

static inline unsigned waiting(const struct people *people)
{
    return fake_store_waiting(&people->fixture->store, &people->bob);
}

static inline unsigned on_lease(const struct people *people)
{
    return fake_store_leased(&people->fixture->store, &people->bob);
}

static inline unsigned settling(const struct people *people)
{
    return fake_store_settling(&people->fixture->store, &people->bob);
}

/* Until what was acknowledged just now has settled. */
static inline void let_settle(struct people *people)
{
    fake_connection_wait(&people->fixture->connection, people->fixture->environment.settings.settle_time_ms);
}

/* The peer takes nothing more of what comes. */
static inline void stall(struct people *people)
{
    people->fixture->connection.window = people->fixture->connection.taken;
}

#define PEOPLE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_people, tear_down_people)

#endif
