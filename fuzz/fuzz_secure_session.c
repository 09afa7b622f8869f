/* fuzz_secure_session.c — the secure port as a state machine: the real services behind a fake connection and
 * a fake store, before and after sign-in, and in the chat behind it.
 *
 * The first byte of the input says how the rest reaches the session: in which steps, whether the store
 * answers at once, and whether it fails; the second who may register, and what becomes of the connection.
 * Then the input is what a stranger sends. A fuzzer cannot sign, so marks of seven bytes stand for what is
 * signed: "[SIGN", "[ENRL", "[ADPT", "[GONE", each with a byte for the key, and for the name, or whether it
 * is signed for another connection; "[PROV" is the proof of an adoption; "[KILL" has an operator remove an
 * account; at "[WAIT" so many seconds pass; at "[FAIL" the store's disk fails once; "[FILE" is a request for
 * own files (secure_files.h), which needs no mark, but is shorter so. Signatures are judged by a function of
 * the target's own: EdDSA takes a hundred times as long as all the rest.
 *
 * Whatever comes: the output is whole answers, and then lines; without a signature for this connection nobody
 * is signed in, and who is not is told nothing; three signatures are judged and no more; of a removed account
 * nothing is left; files come whole, or end with a reason; and in the end nobody is signed in, no put and no
 * file is open, and no buffer taken.
 */
#include "secure_files.h"

#include "crypto/alias.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/rsa.h"
#include "service/accounts/account_names.h"
#include "service/accounts/accounts_environment.h"
#include "service/accounts/presence.h"
#include "service/accounts/visitor.h"
#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "service/core/frames.h"
#include "service/drop/staged.h"
#include "service/secure_port.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"
#include "support/service_settings.h"
#include "wire/accounts_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    MARK_NAME_SIZE = 5,
    MARK_SIZE = 7,
    KEYS = 4,
    SIGNATURES = 3,
    WRONG_CHANNEL = 0x80,
    RANDOM_BYTE = 0x2A
};

/* Of the first byte. */
enum { STEPS = 7, LATER = 8, FAILS = 16, HAS_NO_CHANNEL = 32, ENDS = 64, CUT = 128 };
/* Of the second; the lowest two bits are the policy of registration. */
enum { POLICY = 3, TAKES_NOTHING = 4, FEW_CONNECTIONS = 8, FEW_FAILURES = 16 };

static void must(bool holds)
{
    if (!holds)
        abort();
}

struct gate {
    struct fake_loop loop;
    struct fake_store store;
    struct ks_service_environment environment;
    struct ks_accounts_environment accounts;
    struct ks_frames_port port;
    struct ks_chat_service_environment chat;
    struct ks_groups *groups;
    struct ks_turnstile *turnstile;
    struct ks_alias_key *alias_key;
    struct fake_connection connection;
    size_t step;
    bool is_cut;        /* completions are left where they are */
    bool signed_for_us; /* something was, for this connection */
};

static unsigned judged; /* signatures of the input */

/* ---- what stands for crypto ---- */

static enum ks_result counted_fill(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    memset(bytes, RANDOM_BYTE, size);
    return KS_OK;
}

/* FNV-1a over the key and what is signed, over and over. */
static void make_signature(const uint8_t *key, const void *bytes, size_t size, uint8_t *signature)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    const uint8_t *next = bytes;
    for (size_t i = 0; i < KS_ACCOUNT_KEY_SIZE; i++)
        hash = (hash ^ key[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ next[i]) * UINT64_C(1099511628211);
    for (size_t i = 0; i < KS_SIGNATURE_SIZE; i += sizeof hash)
        memcpy(signature + i, &hash, sizeof hash);
}

static enum ks_result verify(const uint8_t *key, const void *bytes, size_t size, const uint8_t *signature)
{
    uint8_t expected[KS_SIGNATURE_SIZE];
    judged++;
    make_signature(key, bytes, size, expected);
    return memcmp(expected, signature, sizeof expected) == 0 ? KS_OK : KS_REFUSED;
}

static void key_of(uint8_t which, uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    memset(key, 'A' + which % KEYS, KS_ACCOUNT_KEY_SIZE);
}

/* ---- the gate ---- */

/* "a", an account with the first key, and "b", who could become one. */
static void add_users(struct fake_store *store)
{
    static uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    static bool is_made;
    if (!is_made) {
        struct ks_private_key *key = NULL;
        must(ks_private_key_generate(&key) == KS_OK && ks_private_key_public(key, public_key) == KS_OK);
        ks_private_key_free(key);
        is_made = true;
    }
    struct fake_user *user = &store->users[store->user_count++];
    memset(user->user.id.bytes, 0xA0, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = 1;
    memcpy(user->user.name, "a", 2);
    user->user.is_account = true;
    key_of(0, user->account_key);
    struct fake_user *other = &store->users[store->user_count++];
    *other = (struct fake_user){.user = {.id = user->user.id, .name = "b", .has_public_key = true}};
    other->user.id.bytes[0] = 2;
    memcpy(other->public_key, public_key, sizeof public_key);
}

static const struct ks_account_names *names(void)
{
    static struct ks_account_names *made;
    if (made == NULL)
        must(ks_account_names_new(&made) == KS_OK);
    return made;
}

static void open_gate(struct gate *gate, uint8_t mode, uint8_t rules)
{
    static const struct ks_random random = {.fill = counted_fill};
    static const struct ks_hash_key hash_key = {{0}};
    static const uint8_t alias_key[KS_ALIAS_KEY_SIZE] = "an alias key 16";
    static const struct ks_groups_limits limits = {
        .groups = 2, .members = 2, .member_queue = 10000, .queues = 100000};
    static const enum ks_registration_policy policies[] = {KS_REGISTRATION_OPEN, KS_REGISTRATION_OPEN,
                                                           KS_REGISTRATION_INVITED, KS_REGISTRATION_CLOSED};
    static const size_t steps[] = {0, 1, 7, 23, 64, 100, 1000, 3};
    gate->accounts = (struct ks_accounts_environment){.verify = verify, .chat = &gate->chat};
    gate->signed_for_us = false;
    fake_loop_init(&gate->loop, (size_t)1024 * 1024);
    gate->loop.without_traces = true;
    fake_store_init(&gate->store);
    gate->store.later = (mode & LATER) != 0;
    gate->store.next_failure = (mode & FAILS) != 0 ? KS_NO_SPACE : KS_OK;
    add_users(&gate->store);
    must(ks_alias_key_new(alias_key, &gate->alias_key) == KS_OK);
    must(ks_presence_new(&gate->accounts.presence) == KS_OK);
    must(ks_groups_new(&limits, &gate->loop.log, &gate->groups) == KS_OK);
    must(ks_turnstile_new(&hash_key, &gate->turnstile) == KS_OK);
    gate->environment = (struct ks_service_environment){.store = &gate->store.store,
                                                        .random = &random,
                                                        .clock = &gate->loop.time.clock,
                                                        .log = &gate->loop.log,
                                                        .alias_key = gate->alias_key,
                                                        .names = names(),
                                                        .settings = usual_settings};
    must(ks_staged_new(&gate->environment.staged) == KS_OK);
    gate->environment.settings.sign_in_timeout_ms = 30000;
    gate->environment.settings.registration = policies[rules & POLICY];
    gate->environment.settings.connections_per_account = (rules & FEW_CONNECTIONS) != 0 ? 1 : 0;
    gate->environment.settings.failed_sign_ins_per_hour = (rules & FEW_FAILURES) != 0 ? 1 : 0;
    gate->chat = (struct ks_chat_service_environment){.clock = &gate->loop.time.clock,
                                                      .log = &gate->loop.log,
                                                      .groups = gate->groups,
                                                      .turnstile = gate->turnstile,
                                                      .store = &gate->store.store,
                                                      .names = names(),
                                                      .prompt_timeout_ms = 60000,
                                                      .wrong_passwords = 3};
    gate->port = (struct ks_frames_port){.rules = &ks_secure_port_rules,
                                         .environment = &gate->environment,
                                         .access = &ks_visitor_access,
                                         .accounts = &gate->accounts};
    gate->step = steps[mode & STEPS];
    gate->is_cut = (mode & CUT) != 0;
    must(fake_connection_open(&gate->connection, &gate->loop, &ks_frames_events, &gate->port));
    memset(gate->connection.channel, 'c', sizeof gate->connection.channel);
    gate->connection.has_channel = (mode & HAS_NO_CHANNEL) == 0;
    if ((rules & TAKES_NOTHING) != 0)
        gate->connection.window = 0;
}

static void close_gate(struct gate *gate)
{
    fake_connection_close(&gate->connection);
    fake_loop_run(&gate->loop);
    must(ks_presence_count(gate->accounts.presence) == 0);
    must(ks_groups_count(gate->groups) == 0);
    must(gate->store.open_stages == 0 && gate->store.open_files == 0);
    must(atomic_load(&gate->loop.contents.used) == 0 && atomic_load(&gate->loop.answers.used) == 0);
    ks_groups_free(gate->groups);
    ks_turnstile_free(gate->turnstile);
    ks_presence_free(gate->accounts.presence);
    ks_staged_free(gate->environment.staged);
    ks_alias_key_free(gate->alias_key);
    fake_store_destroy(&gate->store);
    fake_loop_destroy(&gate->loop);
}

/* ---- marks ---- */

static void send_part(struct gate *gate, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return;
    if (gate->is_cut)
        fake_connection_send_only(&gate->connection, bytes, size);
    else
        fake_connection_send(&gate->connection, bytes, size, gate->step);
}

static void send_request(struct gate *gate, uint16_t code, const uint8_t *payload, size_t size)
{
    uint8_t bytes[KS_REQUEST_HEADER_SIZE + KS_SECURE_PAYLOAD_LIMIT];
    const struct ks_request_header header = {
        .version = KS_VERSION_SECURE, .code = code, .payload_size = (uint32_t)size};
    ks_request_header_encode(&header, bytes);
    memcpy(bytes + KS_REQUEST_HEADER_SIZE, payload, size);
    send_part(gate, bytes, KS_REQUEST_HEADER_SIZE + size);
}

static const char *name_of(uint8_t which)
{
    static const char *const all[] = {"a", "A", "b", "\xd0\xb0", "carol", "dana", "0mer", "x\x01"};
    return all[which % (sizeof all / sizeof all[0])];
}

static void channel_for(struct gate *gate, uint8_t how, uint8_t channel[static KS_CHANNEL_SIZE])
{
    bool is_wrong = (how & WRONG_CHANNEL) != 0;
    memset(channel, is_wrong ? 'w' : 'c', KS_CHANNEL_SIZE);
    gate->signed_for_us = gate->signed_for_us || !is_wrong;
}

static void send_sign_in(struct gate *gate, uint8_t which, uint8_t how)
{
    struct ks_sign_in sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL};
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    channel_for(gate, how, channel);
    key_of(which, sign_in.key);
    must(ks_sign_in_signed(sign_in.key, channel, bytes, sizeof bytes, &size) == KS_OK);
    make_signature(sign_in.key, bytes, size, sign_in.signature);
    must(ks_sign_in_encode(&sign_in, bytes, sizeof bytes, &size) == KS_OK);
    send_request(gate, KS_REQUEST_SIGN_IN, bytes, size);
}

static struct ks_wire_text text_of(const char *text)
{
    return (struct ks_wire_text){.bytes = text, .size = (uint16_t)strlen(text)};
}

static void send_registration(struct gate *gate, uint8_t which, uint8_t how)
{
    struct ks_register_account payload = {.sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL},
                                          .name = text_of(name_of(how)),
                                          .invitation =
                                              text_of((how & 16) != 0 ? "AAAAAAAAAAAAAAAAAAAAAA" : "")};
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    channel_for(gate, how, channel);
    key_of(which, payload.sign_in.key);
    must(ks_register_account_signed(&payload, channel, bytes, sizeof bytes, &size) == KS_OK);
    make_signature(payload.sign_in.key, bytes, size, payload.sign_in.signature);
    must(ks_register_account_encode(&payload, bytes, sizeof bytes, &size) == KS_OK);
    send_request(gate, KS_REQUEST_REGISTER_ACCOUNT, bytes, size);
}

static struct ks_adopt claim_of(uint8_t which, uint8_t how)
{
    struct ks_adopt adopt = {.sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL}, .name = text_of(name_of(how))};
    memset(adopt.classic_id.bytes, 0xA0, sizeof adopt.classic_id.bytes);
    adopt.classic_id.bytes[0] = (how & 16) != 0 ? 1 : 2;
    key_of(which, adopt.sign_in.key);
    return adopt;
}

static void send_claim(struct gate *gate, uint8_t which, uint8_t how)
{
    struct ks_adopt adopt = claim_of(which, how);
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    channel_for(gate, how, channel);
    must(ks_adopt_signed(&adopt, channel, bytes, sizeof bytes, &size) == KS_OK);
    make_signature(adopt.sign_in.key, bytes, size, adopt.sign_in.signature);
    must(ks_adopt_encode(&adopt, bytes, sizeof bytes, &size) == KS_OK);
    send_request(gate, KS_REQUEST_ADOPT, bytes, size);
}

/* What was encrypted to the identity is what randomness gives here. */
static void send_proof(struct gate *gate, uint8_t which, uint8_t how)
{
    const struct ks_adopt adopt = claim_of(which, how);
    uint8_t secret[KS_ADOPTION_SECRET_SIZE];
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t proof[KS_SHA256_SIZE];
    size_t size = 0;
    channel_for(gate, how, channel);
    memset(secret, RANDOM_BYTE, sizeof secret);
    must(ks_adoption_proven(&adopt, channel, bytes, sizeof bytes, &size) == KS_OK);
    must(ks_hmac_sha256(secret, sizeof secret, bytes, size, proof) == KS_OK);
    send_request(gate, KS_REQUEST_ADOPTION_PROOF, proof, sizeof proof);
}

static void send_removal(struct gate *gate, uint8_t which, uint8_t how)
{
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    uint8_t signature[KS_SIGNATURE_SIZE];
    size_t size = 0;
    channel_for(gate, how, channel);
    key_of(which, key);
    must(ks_remove_account_signed(key, channel, bytes, sizeof bytes, &size) == KS_OK);
    make_signature(key, bytes, size, signature);
    send_request(gate, KS_REQUEST_REMOVE_ACCOUNT, signature, sizeof signature);
}

struct killing {
    struct ks_store_remove_user request;
    struct gate *gate;
};

static void was_killed(struct ks_store_request *request)
{
    struct killing *killing = KS_CONTAINER_OF(request, struct killing, request.request);
    if (request->result == KS_OK)
        ks_presence_cut(killing->gate->accounts.presence, &killing->request.id, NULL);
}

static void kill_user(struct gate *gate, uint8_t which, uint8_t how)
{
    struct killing killing = {.gate = gate};
    bool later = gate->store.later;
    (void)which;
    gate->store.later = false;
    killing.request.request.done = was_killed;
    killing.request.request.reply_to = &gate->loop.loop.executor;
    snprintf(killing.request.name, sizeof killing.request.name, "%s", name_of(how));
    ks_store_remove_user(&gate->store.store, &killing.request);
    gate->store.later = later;
    if (!gate->is_cut)
        fake_connection_run(&gate->connection);
}

static void wait(struct gate *gate, uint8_t which, uint8_t how)
{
    (void)how;
    if (!gate->is_cut)
        fake_connection_wait(&gate->connection, which * UINT64_C(1000));
}

/* The next thing that the store does on its disk. */
static void fail(struct gate *gate, uint8_t which, uint8_t how)
{
    static const enum ks_result failures[] = {KS_NO_SPACE, KS_IO, KS_NO_MEMORY};
    (void)how;
    gate->store.next_failure = failures[which % (sizeof failures / sizeof failures[0])];
}

static void ask_of_files(struct gate *gate, uint8_t which, uint8_t how)
{
    struct secure_files_request request = {.size = 0};
    secure_files_make(which, how, &request);
    send_request(gate, request.code, request.payload, request.size);
}

static const struct {
    char name[MARK_NAME_SIZE + 1];
    void (*act)(struct gate *gate, uint8_t which, uint8_t how);
} marks[] = {{"[SIGN", send_sign_in}, {"[ENRL", send_registration}, {"[ADPT", send_claim},
             {"[PROV", send_proof},   {"[GONE", send_removal},      {"[KILL", kill_user},
             {"[WAIT", wait},         {"[FILE", ask_of_files},      {"[FAIL", fail}};

enum { MARKS = sizeof marks / sizeof marks[0] };

/* The place of the mark at `bytes`; MARKS for none. */
static size_t mark_at(const uint8_t *bytes)
{
    size_t mark = 0;
    while (mark < MARKS && memcmp(bytes, marks[mark].name, MARK_NAME_SIZE) != 0)
        mark++;
    return mark;
}

static void send_input(struct gate *gate, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    const uint8_t *begin = bytes;
    for (const uint8_t *next = bytes; end - next >= MARK_SIZE;) {
        size_t mark = next[0] == '[' ? mark_at(next) : (size_t)MARKS;
        if (mark == MARKS) {
            next++;
            continue;
        }
        send_part(gate, begin, (size_t)(next - begin));
        marks[mark].act(gate, next[MARK_NAME_SIZE], next[MARK_NAME_SIZE + 1]);
        next += MARK_SIZE;
        begin = next;
    }
    send_part(gate, begin, (size_t)(end - begin));
}

/* ---- what must hold ---- */

static bool is_for_users(uint16_t code)
{
    return secure_files_is_one(code) || code == KS_RESPONSE_MY_ACCOUNT ||
           code == KS_RESPONSE_ACCOUNT_REMOVED || code == KS_RESPONSE_TALK || code == KS_RESPONSE_USERS ||
           code == KS_RESPONSE_USER_KEY;
}

static void judge_output(const struct gate *gate)
{
    const struct fake_connection *connection = &gate->connection;
    const uint8_t *bytes = connection->output.bytes;
    size_t size = connection->output.size;
    struct secure_files_judge files = {.comes = false};
    bool is_known = false;
    while (size > 0) {
        struct ks_response_header header;
        if (ks_response_header_parse(bytes, size, &header) != KS_OK ||
            size - KS_RESPONSE_HEADER_SIZE < header.payload_size) {
            must(connection->aborted); /* in the middle of an answer */
            return;
        }
        must(header.version == KS_VERSION_SECURE);
        must(is_known || !is_for_users(header.code));
        must(secure_files_judge(&files, header.code, bytes + KS_RESPONSE_HEADER_SIZE, header.payload_size));
        if (header.code == KS_RESPONSE_SIGNED_IN) {
            must(!is_known && gate->signed_for_us && connection->has_channel);
            is_known = true;
        }
        bytes += KS_RESPONSE_HEADER_SIZE + (size_t)header.payload_size;
        size -= KS_RESPONSE_HEADER_SIZE + (size_t)header.payload_size;
        if (header.code == KS_RESPONSE_TALK) {
            must(size == 0 || memchr(bytes, 0, size) == NULL); /* lines from here on */
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gate gate; /* most of it is the store, which is made zeros once */
    if (size < 2)
        return 0;
    judged = 0;
    open_gate(&gate, data[0], data[1]);
    send_input(&gate, data + 2, size - 2);
    if (!gate.is_cut) {
        fake_connection_run(&gate.connection);
        if ((data[0] & ENDS) != 0)
            fake_connection_end(&gate.connection);
        fake_connection_take(&gate.connection, SIZE_MAX / 2);
        fake_connection_run(&gate.connection);
    }
    must(judged <= SIGNATURES);
    judge_output(&gate);
    close_gate(&gate);
    return 0;
}
