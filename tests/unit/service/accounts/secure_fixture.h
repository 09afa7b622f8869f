/* secure_fixture.h — the secure port without sockets, TLS and disks, for unit tests: the real services behind
 * fake connections, a fake store and a set clock; people with keys, and what they ask and are told.
 *
 * A peer is named by its number. Each has a channel of its own, as behind TLS.
 */
#ifndef KS_TESTS_UNIT_SERVICE_ACCOUNTS_SECURE_FIXTURE_H
#define KS_TESTS_UNIT_SERVICE_ACCOUNTS_SECURE_FIXTURE_H

#include "unit/unit.h"

#include "base/base64url.h"
#include "base/limits/allowance.h"
#include "crypto/account_key.h"
#include "crypto/alias.h"
#include "crypto/digest.h"
#include "service/accounts/account_names.h"
#include "service/accounts/accounts_environment.h"
#include "service/accounts/presence.h"
#include "service/accounts/visitor.h"
#include "service/binary_port.h"
#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "service/core/frames.h"
#include "service/core/next_key.h"
#include "service/drop/staged.h"
#include "service/secure_port.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"
#include "support/service_settings.h"
#include "wire/accounts_codec.h"

#include <stdio.h>

enum {
    GATE_LOOPS = 2,
    GATE_PEERS = 80,
    GATE_BUFFER = 1024 * 1024,
    GATE_SIGN_IN_MS = 30 * 1000,
};

struct gate {
    struct fake_loop loops[GATE_LOOPS];
    struct fake_store store;
    struct ks_store_limits limits;
    struct ks_service_environment environment;
    struct ks_frames_port secure_port;
    struct ks_frames_port classic_port;
    struct ks_accounts_environment accounts;
    struct ks_account_names *names;
    struct ks_alias_key *alias_key;
    struct ks_next_key next_key;
    struct ks_groups *groups;
    struct ks_turnstile *turnstile;
    struct ks_chat_service_environment chat;
    struct fake_connection peers[GATE_PEERS];
    size_t read[GATE_PEERS]; /* of each one's output */
};

/* Somebody with a key. */
struct person {
    uint8_t secret[KS_ED25519_SECRET_SIZE];
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
};

/* ---- set up, tear down ---- */

static inline void gate_open_services(struct gate *gate)
{
    static const uint8_t alias_key[KS_ALIAS_KEY_SIZE] = "an alias key 16";
    static const struct ks_hash_key hash_key = {{0}};
    static const struct ks_groups_limits limits = {
        .groups = 8, .members = 64, .member_queue = 1024 * 1024, .queues = 16 * 1024 * 1024};
    assert_int_equal(ks_alias_key_new(alias_key, &gate->alias_key), KS_OK);
    assert_int_equal(ks_account_names_new(&gate->names), KS_OK);
    assert_int_equal(ks_staged_new(&gate->environment.staged), KS_OK);
    assert_int_equal(ks_presence_new(&gate->accounts.presence), KS_OK);
    assert_int_equal(ks_allowance_new(&hash_key, &gate->accounts.failures), KS_OK);
    assert_int_equal(ks_allowance_new(&hash_key, &gate->environment.registrations), KS_OK);
    assert_int_equal(ks_allowance_new(&hash_key, &gate->environment.keys), KS_OK);
    assert_int_equal(ks_groups_new(&limits, &gate->loops[0].log, &gate->groups), KS_OK);
    assert_int_equal(ks_turnstile_new(&hash_key, &gate->turnstile), KS_OK);
    pthread_mutex_init(&gate->next_key.lock, NULL);
}

static inline int gate_set_up(void **state)
{
    struct gate *gate = calloc(1, sizeof *gate);
    assert_non_null(gate);
    for (unsigned i = 0; i < GATE_LOOPS; i++) {
        fake_loop_init(&gate->loops[i], GATE_BUFFER);
        fake_loop_keep_log(&gate->loops[i]);
        gate->loops[i].loop.number = i;
    }
    fake_store_init(&gate->store);
    gate->store.limits = &gate->limits;
    gate_open_services(gate);
    gate->environment.store = &gate->store.store;
    gate->environment.random = ks_random_system();
    gate->environment.clock = &gate->loops[0].time.clock;
    gate->environment.log = &gate->loops[0].log;
    gate->environment.alias_key = gate->alias_key;
    gate->environment.names = gate->names;
    gate->environment.store_limits = &gate->limits;
    gate->environment.settings = usual_settings;
    gate->environment.settings.sign_in_timeout_ms = GATE_SIGN_IN_MS;
    gate->accounts.next_key = &gate->next_key;
    gate->accounts.chat = &gate->chat;
    gate->accounts.verify = ks_account_key_verify;
    gate->chat = (struct ks_chat_service_environment){.clock = gate->environment.clock,
                                                      .log = gate->environment.log,
                                                      .groups = gate->groups,
                                                      .turnstile = gate->turnstile,
                                                      .store = &gate->store.store,
                                                      .names = gate->names,
                                                      .prompt_timeout_ms = 600000,
                                                      .wrong_passwords = 10};
    gate->secure_port = (struct ks_frames_port){.rules = &ks_secure_port_rules,
                                                .environment = &gate->environment,
                                                .access = &ks_visitor_access,
                                                .accounts = &gate->accounts};
    gate->classic_port =
        (struct ks_frames_port){.rules = &ks_binary_port_rules, .environment = &gate->environment};
    *state = gate;
    return 0;
}

/* Runs what is posted on all loops until nothing is, and whatever peers can go on with. */
static inline void gate_run(struct gate *gate)
{
    bool more = true;
    while (more) {
        more = false;
        for (unsigned i = 0; i < GATE_PEERS; i++)
            if (gate->peers[i].open)
                fake_connection_run(&gate->peers[i]);
        for (unsigned i = 0; i < GATE_LOOPS; i++)
            more = fake_loop_run(&gate->loops[i]) > 0 || more;
    }
}

static inline void gate_close(struct gate *gate, unsigned peer)
{
    fake_connection_close(&gate->peers[peer]);
    gate->peers[peer] = (struct fake_connection){0};
    gate->read[peer] = 0;
    gate_run(gate);
}

/* Closes who is left; nothing may be left then: nobody signed in, no group, no buffer, and (by the sanitizer)
 * no memory. */
static inline int gate_tear_down(void **state)
{
    struct gate *gate = *state;
    for (unsigned i = 0; i < GATE_PEERS; i++)
        if (gate->peers[i].loop != NULL)
            gate_close(gate, i);
    gate_run(gate);
    assert_int_equal(ks_presence_count(gate->accounts.presence), 0);
    assert_int_equal(ks_groups_count(gate->groups), 0);
    ks_groups_free(gate->groups);
    ks_turnstile_free(gate->turnstile);
    ks_presence_free(gate->accounts.presence);
    ks_allowance_free(gate->accounts.failures);
    ks_allowance_free(gate->environment.registrations);
    ks_allowance_free(gate->environment.keys);
    ks_staged_free(gate->environment.staged);
    ks_account_names_free(gate->names);
    ks_alias_key_free(gate->alias_key);
    pthread_mutex_destroy(&gate->next_key.lock);
    fake_store_destroy(&gate->store);
    for (unsigned i = 0; i < GATE_LOOPS; i++) {
        assert_int_equal(atomic_load(&gate->loops[i].contents.used), 0);
        assert_int_equal(atomic_load(&gate->loops[i].answers.used), 0);
        fake_loop_destroy(&gate->loops[i]);
    }
    free(gate);
    return 0;
}

#define GATE_TEST(name) cmocka_unit_test_setup_teardown(name, gate_set_up, gate_tear_down)

/* ---- people and peers ---- */

static inline struct person person_of(uint8_t seed)
{
    struct person person;
    memset(person.secret, seed, sizeof person.secret);
    assert_int_equal(ks_account_key_public(person.secret, person.key), KS_OK);
    return person;
}

static inline void gate_open_on(struct gate *gate, unsigned peer, unsigned loop)
{
    struct fake_connection *connection = &gate->peers[peer];
    assert_null(connection->loop);
    assert_true(fake_connection_open(connection, &gate->loops[loop], &ks_frames_events, &gate->secure_port));
    memset(connection->channel, (int)peer + 1, sizeof connection->channel);
    connection->has_channel = true;
    connection->address[KS_PEER_ADDRESS_SIZE - 1] = (uint8_t)(peer + 1);
    connection->address[11] = 0xff;
    connection->address[10] = 0xff;
}

static inline void gate_open(struct gate *gate, unsigned peer)
{
    gate_open_on(gate, peer, 0);
}

/* Somebody from the network of the first peer. */
static inline void gate_move_to_first_network(struct gate *gate, unsigned peer)
{
    gate->peers[peer].address[KS_PEER_ADDRESS_SIZE - 1] = 1;
}

/* A peer of the classic port. */
static inline void gate_open_classic(struct gate *gate, unsigned peer)
{
    assert_null(gate->peers[peer].loop);
    assert_true(
        fake_connection_open(&gate->peers[peer], &gate->loops[0], &ks_frames_events, &gate->classic_port));
}

/* ---- requests ---- */

/* A request as it goes over the wire. */
struct sent {
    uint8_t bytes[KS_REQUEST_HEADER_SIZE + 4096];
    size_t size;
};

static inline struct sent request_by(const struct ks_client_id *id, uint16_t code, const void *payload,
                                     size_t size)
{
    struct sent sent = {.size = KS_REQUEST_HEADER_SIZE + size};
    struct ks_request_header header = {
        .version = KS_VERSION_SECURE, .code = code, .payload_size = (uint32_t)size};
    if (id != NULL)
        header.client_id = *id;
    assert_in_range(size, 0, sizeof sent.bytes - KS_REQUEST_HEADER_SIZE);
    ks_request_header_encode(&header, sent.bytes);
    if (size > 0)
        memcpy(sent.bytes + KS_REQUEST_HEADER_SIZE, payload, size);
    return sent;
}

static inline struct sent request(uint16_t code, const void *payload, size_t size)
{
    return request_by(NULL, code, payload, size);
}

static inline void send_it(struct gate *gate, unsigned peer, const struct sent *sent)
{
    fake_connection_send(&gate->peers[peer], sent->bytes, sent->size, 0);
    gate_run(gate);
}

static inline void send_only(struct gate *gate, unsigned peer, const struct sent *sent)
{
    fake_connection_send_only(&gate->peers[peer], sent->bytes, sent->size);
}

static inline void ask(struct gate *gate, unsigned peer, uint16_t code, const void *payload, size_t size)
{
    const struct sent sent = request(code, payload, size);
    send_it(gate, peer, &sent);
}

static inline void sign(const struct person *person, const uint8_t *bytes, size_t size, uint8_t *signature)
{
    assert_int_equal(ks_account_key_sign(person->secret, bytes, size, signature), KS_OK);
}

static inline struct ks_wire_text text_of(const char *text)
{
    return (struct ks_wire_text){.bytes = text, .size = (uint16_t)strlen(text)};
}

/* A 3001 that is signed for the channel of `bound_to`. */
static inline struct sent sign_in_for(const struct gate *gate, unsigned bound_to, const struct person *person)
{
    struct ks_sign_in sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL};
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t payload[KS_SIGN_IN_SIZE];
    size_t size = 0;
    memcpy(sign_in.key, person->key, sizeof sign_in.key);
    assert_int_equal(
        ks_sign_in_signed(person->key, gate->peers[bound_to].channel, bytes, sizeof bytes, &size), KS_OK);
    sign(person, bytes, size, sign_in.signature);
    assert_int_equal(ks_sign_in_encode(&sign_in, payload, sizeof payload, &size), KS_OK);
    return request(KS_REQUEST_SIGN_IN, payload, size);
}

static inline void sign_in(struct gate *gate, unsigned peer, const struct person *person)
{
    const struct sent sent = sign_in_for(gate, peer, person);
    send_it(gate, peer, &sent);
}

static inline struct sent registration_for(const struct gate *gate, unsigned bound_to,
                                           const struct person *person, const char *name,
                                           const char *invitation)
{
    struct ks_register_account payload = {.sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL},
                                          .name = text_of(name),
                                          .invitation = text_of(invitation)};
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    memcpy(payload.sign_in.key, person->key, sizeof payload.sign_in.key);
    assert_int_equal(
        ks_register_account_signed(&payload, gate->peers[bound_to].channel, bytes, sizeof bytes, &size),
        KS_OK);
    sign(person, bytes, size, payload.sign_in.signature);
    assert_int_equal(ks_register_account_encode(&payload, bytes, sizeof bytes, &size), KS_OK);
    return request(KS_REQUEST_REGISTER_ACCOUNT, bytes, size);
}

static inline void enrol(struct gate *gate, unsigned peer, const struct person *person, const char *name,
                         const char *invitation)
{
    const struct sent sent = registration_for(gate, peer, person, name, invitation);
    send_it(gate, peer, &sent);
}

static inline struct sent removal_for(const struct gate *gate, unsigned bound_to, const struct person *person)
{
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t signature[KS_SIGNATURE_SIZE];
    size_t size = 0;
    assert_int_equal(
        ks_remove_account_signed(person->key, gate->peers[bound_to].channel, bytes, sizeof bytes, &size),
        KS_OK);
    sign(person, bytes, size, signature);
    return request(KS_REQUEST_REMOVE_ACCOUNT, signature, sizeof signature);
}

/* ---- answers ---- */

/* The next answer's code; its payload at *payload. -1 when there is none. */
static inline int hear(struct gate *gate, unsigned peer, const uint8_t **payload, size_t *size)
{
    struct ks_response_header header;
    const struct ks_buffer *output = &gate->peers[peer].output;
    size_t *read = &gate->read[peer];
    if (*read == output->size ||
        ks_response_header_parse(output->bytes + *read, output->size - *read, &header) != KS_OK)
        return -1;
    *read += KS_RESPONSE_HEADER_SIZE;
    assert_in_range(header.payload_size, 0, output->size - *read);
    *payload = output->bytes + *read;
    *size = header.payload_size;
    *read += header.payload_size;
    return header.code;
}

static inline void assert_hears_nothing(struct gate *gate, unsigned peer)
{
    assert_int_equal(gate->read[peer], gate->peers[peer].output.size);
}

static inline void assert_told(struct gate *gate, unsigned peer, int code)
{
    const uint8_t *payload = NULL;
    size_t size = 0;
    int heard = hear(gate, peer, &payload, &size);
    if (heard == KS_RESPONSE_REFUSED && code != heard)
        fail_msg("peer %u is refused for reason %u, and not told %d", peer, (unsigned)payload[0], code);
    assert_int_equal(heard, code);
}

/* With a sentence for people. */
static inline void assert_refused(struct gate *gate, unsigned peer, enum ks_refusal_reason reason)
{
    struct ks_refusal refusal;
    const uint8_t *payload = NULL;
    size_t size = 0;
    assert_int_equal(hear(gate, peer, &payload, &size), KS_RESPONSE_REFUSED);
    assert_int_equal(ks_refusal_parse(payload, size, &refusal), KS_OK);
    assert_int_equal(refusal.reason, reason);
    assert_in_range(refusal.sentence.size, 10, KS_REFUSAL_LIMIT);
}

/* An entry of a list; NULL when it is not there. */
static inline const uint8_t *entry_of(const uint8_t *list, size_t size, uint16_t key, size_t *value_size)
{
    struct ks_list_entry entry;
    size_t offset = 0;
    while (ks_list_next(list, size, &offset, &entry) == KS_OK)
        if (entry.key == key) {
            *value_size = entry.size;
            return entry.value;
        }
    return NULL;
}

static inline uint64_t number_of(const uint8_t *list, size_t size, uint16_t key)
{
    struct ks_list_entry entry;
    size_t offset = 0;
    uint64_t number = 0;
    while (ks_list_next(list, size, &offset, &entry) == KS_OK)
        if (entry.key == key) {
            assert_int_equal(ks_list_number(&entry, &number), KS_OK);
            return number;
        }
    fail_msg("the list has no entry %u", (unsigned)key);
    return 0;
}

/* Registers, and is signed in. */
static inline void assert_enrolled(struct gate *gate, unsigned peer, const struct person *person,
                                   const char *name)
{
    enrol(gate, peer, person, name, "");
    assert_told(gate, peer, KS_RESPONSE_SIGNED_IN);
}

/* On a connection that goes again. */
static inline void make_account(struct gate *gate, unsigned peer, const struct person *person,
                                const char *name)
{
    gate_open(gate, peer);
    assert_enrolled(gate, peer, person, name);
    gate_close(gate, peer);
}

static inline bool logged(struct gate *gate, const char *text)
{
    return strstr(fake_loop_log(&gate->loops[0]), text) != NULL;
}

/* ---- steps ---- */

/* Runs exactly `steps` of what is posted on the first loop, and what that posts; false when there were fewer.
 * What is left waits. */
static inline bool gate_step(struct gate *gate, unsigned steps)
{
    struct ks_mailbox *mailbox = &gate->loops[0].mailbox;
    struct ks_task *rest = NULL;
    bool all = true;
    while (steps > 0 && all) {
        if (rest == NULL)
            rest = ks_mailbox_take(mailbox);
        struct ks_task *task = rest;
        all = task != NULL;
        if (!all)
            break;
        rest = task->next;
        task->run(task);
        steps--;
    }
    while (rest != NULL) { /* back, behind what those have posted */
        struct ks_task *task = rest;
        rest = task->next;
        ks_mailbox_put(mailbox, task);
    }
    return all;
}

/* What begins with a request of the first peer, with its connection gone after every number of steps that
 * there are, on a store that answers later. `prepare` opens the peer and says what it sends; `judge` says
 * what must be true when all is over. */
static inline void gate_cut_at_every_step(struct gate *gate, struct sent (*prepare)(struct gate *gate),
                                          void (*judge)(struct gate *gate))
{
    bool all = true;
    for (unsigned steps = 0; all; steps++) {
        assert_in_range(steps, 0, 50);
        gate->store.later = false;
        const struct sent sent = prepare(gate);
        gate->store.later = true;
        send_only(gate, 0, &sent);
        all = gate_step(gate, steps);
        gate_close(gate, 0);
        gate->store.later = false;
        judge(gate);
        assert_int_equal(ks_presence_count(gate->accounts.presence), 0);
    }
}

#endif
