/* signers.c — see signers.h. */
#include "bench/traffic/signers.h"

#include "base/text.h"
#include "crypto/account_key.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "wire/accounts_codec.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TAG_SIZE = 9,
    NAME_SIZE = 32,
    REQUEST_LIMIT = KS_REQUEST_HEADER_SIZE + KS_SECURE_PAYLOAD_LIMIT,
};

struct signer {
    uint8_t secret[KS_ED25519_SECRET_SIZE];
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
};

struct ks_signers {
    char tag[TAG_SIZE]; /* that only this run has */
    uint32_t count;
    struct signer signers[];
};

/* ---- keys ---- */

static bool make_keys(struct ks_signers *signers)
{
    uint8_t tag[4];
    if (ks_random_fill(ks_random_system(), tag, sizeof tag) != KS_OK)
        return false;
    (void)snprintf(signers->tag, sizeof signers->tag, "%02x%02x%02x%02x", tag[0], tag[1], tag[2], tag[3]);
    for (uint32_t i = 0; i < signers->count; i++) {
        struct signer *signer = &signers->signers[i];
        if (ks_random_fill(ks_random_system(), signer->secret, sizeof signer->secret) != KS_OK ||
            ks_account_key_public(signer->secret, signer->key) != KS_OK)
            return false;
    }
    return true;
}

static struct ks_signers *signers_new(uint32_t connections)
{
    uint32_t count = (connections - 1) / KS_SIGNERS_CONNECTIONS + 1;
    struct ks_signers *signers = calloc(1, sizeof *signers + count * sizeof signers->signers[0]);
    if (signers == NULL)
        return NULL;
    signers->count = count;
    if (make_keys(signers))
        return signers;
    ks_signers_free(signers);
    return NULL;
}

void ks_signers_free(struct ks_signers *signers)
{
    if (signers == NULL)
        return;
    ks_secret_wipe(signers->signers, signers->count * sizeof signers->signers[0]);
    free(signers);
}

/* ---- requests ---- */

/* A frame around the payload, which stands behind the room for its header. */
static bool write_request(struct ks_run *run, struct ks_load_link *link, uint16_t code,
                          uint8_t request[static KS_REQUEST_HEADER_SIZE], size_t payload_size)
{
    const struct ks_request_header header = {
        .version = KS_VERSION_SECURE, .code = code, .payload_size = (uint32_t)payload_size};
    ks_request_header_encode(&header, request);
    if (ks_load_link_write(link, request, KS_REQUEST_HEADER_SIZE + payload_size) == KS_OK)
        return true;
    ks_run_fail(run, "no memory");
    return false;
}

bool ks_signers_ask(struct ks_run *run, struct ks_load_link *link, uint16_t code)
{
    uint8_t request[KS_REQUEST_HEADER_SIZE];
    return write_request(run, link, code, request, 0);
}

/* What a signature on this connection is bound to. */
static bool find_channel(struct ks_run *run, const struct ks_load_link *link,
                         uint8_t channel[static KS_TLS_CHANNEL_SIZE])
{
    if (ks_tls_protocol_of(link->sealing->tls) != KS_TLS_PROTOCOL_KESHER) {
        ks_run_fail(run, "the server speaks TLS, but not " KS_TLS_ALPN);
        return false;
    }
    if (ks_tls_channel(link->sealing->tls, channel) == KS_OK)
        return true;
    ks_run_fail(run, "no channel to sign for");
    return false;
}

bool ks_signers_sign_in(const struct ks_signers *signers, struct ks_run *run, uint32_t index,
                        struct ks_load_link *link)
{
    const struct signer *signer = &signers->signers[index % signers->count];
    struct ks_sign_in sign_in = {.kind = KS_SIGNATURE_KIND_CHANNEL};
    uint8_t channel[KS_TLS_CHANNEL_SIZE];
    uint8_t text[KS_SIGNED_LIMIT];
    uint8_t request[REQUEST_LIMIT];
    size_t size = 0;
    if (!find_channel(run, link, channel))
        return false;
    memcpy(sign_in.key, signer->key, sizeof sign_in.key);
    enum ks_result result = ks_sign_in_signed(signer->key, channel, text, sizeof text, &size);
    if (result == KS_OK)
        result = ks_account_key_sign(signer->secret, text, size, sign_in.signature);
    if (result == KS_OK)
        result =
            ks_sign_in_encode(&sign_in, request + KS_REQUEST_HEADER_SIZE, KS_SECURE_PAYLOAD_LIMIT, &size);
    if (result == KS_OK)
        return write_request(run, link, KS_REQUEST_SIGN_IN, request, size);
    ks_run_fail(run, "signing in: %s", ks_result_text(result));
    return false;
}

static bool ask_to_register(const struct ks_signers *signers, struct ks_run *run, uint32_t index,
                            struct ks_load_link *link)
{
    const struct signer *signer = &signers->signers[index];
    struct ks_register_account registration = {.sign_in.kind = KS_SIGNATURE_KIND_CHANNEL};
    char name[NAME_SIZE];
    uint8_t channel[KS_TLS_CHANNEL_SIZE];
    uint8_t text[KS_SIGNED_LIMIT];
    uint8_t request[REQUEST_LIMIT];
    size_t size = 0;
    if (!find_channel(run, link, channel))
        return false;
    memcpy(registration.sign_in.key, signer->key, sizeof registration.sign_in.key);
    registration.name.size = (uint16_t)snprintf(name, sizeof name, "bench-%s-%" PRIu32, signers->tag, index);
    registration.name.bytes = name;
    enum ks_result result = ks_register_account_signed(&registration, channel, text, sizeof text, &size);
    if (result == KS_OK)
        result = ks_account_key_sign(signer->secret, text, size, registration.sign_in.signature);
    if (result == KS_OK)
        result = ks_register_account_encode(&registration, request + KS_REQUEST_HEADER_SIZE,
                                            KS_SECURE_PAYLOAD_LIMIT, &size);
    if (result == KS_OK)
        return write_request(run, link, KS_REQUEST_REGISTER_ACCOUNT, request, size);
    ks_run_fail(run, "registering: %s", ks_result_text(result));
    return false;
}

/* ---- answers ---- */

static void explain(struct ks_run *run, uint32_t index, const struct ks_response_header *header,
                    const uint8_t *payload)
{
    struct ks_refusal refusal;
    char shown[KS_RUN_REASON_SIZE / 2];
    if (header->code != KS_RESPONSE_REFUSED ||
        ks_refusal_parse(payload, header->payload_size, &refusal) != KS_OK) {
        ks_run_fail(run, "connection %" PRIu32 ": the server answers %" PRIu16, index, header->code);
        return;
    }
    ks_text_escape(refusal.sentence.bytes, refusal.sentence.size, shown, sizeof shown);
    ks_run_fail(run, "connection %" PRIu32 ": the server refuses (%" PRIu16 "): %s", index, refusal.reason,
                shown);
}

size_t ks_signers_expect(struct ks_run *run, uint32_t index, uint16_t code, const uint8_t *bytes, size_t size)
{
    struct ks_response_header header;
    if (ks_response_header_parse(bytes, size, &header) != KS_OK)
        return 0;
    if (header.version != KS_VERSION_SECURE || header.payload_size > KS_SECURE_PAYLOAD_LIMIT) {
        ks_run_fail(run, "connection %" PRIu32 ": the server says something that is no answer", index);
        return 0;
    }
    if (size - KS_RESPONSE_HEADER_SIZE < header.payload_size)
        return 0;
    if (header.code == code)
        return KS_RESPONSE_HEADER_SIZE + header.payload_size;
    explain(run, index, &header, bytes + KS_RESPONSE_HEADER_SIZE);
    return 0;
}

/* ---- registering ---- */

struct registering {
    struct ks_run *run;
    const struct ks_signers *signers;
    uint32_t registered;
};

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    const struct registering *registering = context;
    (void)ask_to_register(registering->signers, registering->run, index, link);
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct registering *registering = context;
    struct ks_run *run = registering->run;
    size_t taken = ks_signers_expect(run, index, KS_RESPONSE_SIGNED_IN, bytes, size);
    if (taken == 0)
        return 0;
    ks_load_link_close(link);
    registering->registered++;
    ks_run_phase(run, "registering", registering->registered, registering->signers->count);
    if (registering->registered == registering->signers->count)
        ks_reactor_stop(run->reactor);
    return taken;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    const struct registering *registering = context;
    (void)index;
    (void)link;
    ks_run_lost(registering->run, "registering", error);
}

bool ks_signers_register(struct ks_run *run, uint32_t connections, struct ks_signers **signers)
{
    static const struct ks_fleet_events events = {.opened = opened, .received = received, .ended = ended};
    struct registering registering = {.run = run};
    struct ks_fleet *fleet = NULL;
    char reason[KS_RUN_REASON_SIZE];
    *signers = signers_new(connections);
    if (*signers == NULL) {
        ks_run_fail(run, "cannot make keys for accounts");
        return false;
    }
    registering.signers = *signers;
    const struct ks_fleet_plan plan = {
        .count = (*signers)->count, .source = run->settings->source, .tls = run->tls};
    ks_run_phase(run, "registering", 0, plan.count);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, &registering, &fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    bool right = ks_run_loop(run);
    ks_fleet_free(fleet);
    return right;
}
