/* tls_port.c — see tls_port.h and tls_port_internal.h. */
#include "net/tls/tls_port.h"

#include "base/limits/known_networks.h"
#include "crypto/secret.h"
#include "net/tls/tls_port_internal.h"

#include <stdlib.h>

enum ks_result ks_tls_port_new(const struct ks_tls_port_options *options, struct ks_tls_port **port)
{
    struct ks_tls_port *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->options = *options;
    enum ks_result result = ks_known_networks_new(&options->hash_key, &created->known);
    if (result != KS_OK) {
        free(created);
        return result;
    }
    pthread_mutex_init(&created->lock, NULL);
    *port = created;
    return KS_OK;
}

void ks_tls_port_free(struct ks_tls_port *port)
{
    if (port == NULL)
        return;
    for (size_t i = 0; i < KS_LOOPS_LIMIT; i++) {
        if (port->scratch[i] != NULL)
            ks_secret_wipe(port->scratch[i], KS_TLS_SCRATCH_SIZE);
        free(port->scratch[i]);
    }
    ks_tls_context_release(port->context);
    ks_known_networks_free(port->known);
    pthread_mutex_destroy(&port->lock);
    free(port);
}

enum ks_result ks_tls_port_set_identity(struct ks_tls_port *port, const struct ks_tls_identity *identity)
{
    struct ks_tls_context *context = NULL;
    enum ks_result result = ks_tls_server_context_new(identity, &context);
    if (result != KS_OK)
        return result;
    pthread_mutex_lock(&port->lock);
    struct ks_tls_context *before = port->context;
    port->context = context;
    pthread_mutex_unlock(&port->lock);
    ks_tls_context_release(before);
    return KS_OK;
}

struct ks_tls_context *ks_tls_port_context(struct ks_tls_port *port)
{
    pthread_mutex_lock(&port->lock);
    struct ks_tls_context *context = port->context != NULL ? ks_tls_context_retain(port->context) : NULL;
    pthread_mutex_unlock(&port->lock);
    return context;
}

uint8_t *ks_tls_port_scratch(struct ks_tls_port *port, unsigned loop)
{
    if (port->scratch[loop] == NULL)
        port->scratch[loop] = malloc(KS_TLS_SCRATCH_SIZE);
    return port->scratch[loop];
}

/* ---- how many ---- */

static bool has_chance(struct ks_tls_port *port, unsigned one_of, unsigned at_most)
{
    uint32_t number = 0;
    if (ks_random_fill(port->options.random, &number, sizeof number) != KS_OK)
        return false;
    return number % one_of >= at_most;
}

/* Of `count` that there are, with the new one. Strangers of known networks have the last quarter to
 * themselves, and are dropped by chance in it only: whatever the others do, they come in. */
static bool admits(struct ks_tls_port *port, unsigned count, unsigned all,
                   const uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    if (count <= all / 2)
        return true;
    uint64_t now_ms = ks_clock_monotonic_ms(port->options.clock);
    bool is_known = ks_known_networks_contain(port->known, address, now_ms);
    unsigned first = is_known ? all - all / 4 : all / 2;
    unsigned limit = is_known ? all : all - all / 4;
    return count <= first || (count <= limit && has_chance(port, limit - first, count - first - 1));
}

static bool admit(struct ks_tls_port *port, _Atomic unsigned *counter, unsigned all,
                  const uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    if (admits(port, atomic_fetch_add(counter, 1) + 1, all, address))
        return true;
    atomic_fetch_sub(counter, 1);
    atomic_fetch_add_explicit(&port->counts.dropped, 1, memory_order_relaxed);
    return false;
}

bool ks_tls_port_admit_stranger(struct ks_tls_port *port, const uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    return admit(port, &port->unsigned_count, KS_TLS_UNSIGNED_LIMIT, address);
}

bool ks_tls_port_admit_handshake(struct ks_tls_port *port, const uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    return admit(port, &port->handshakes, KS_TLS_HANDSHAKES_LIMIT, address);
}

void ks_tls_port_count_out_stranger(struct ks_tls_port *port)
{
    atomic_fetch_sub(&port->unsigned_count, 1);
}

void ks_tls_port_count_out_handshake(struct ks_tls_port *port)
{
    atomic_fetch_sub(&port->handshakes, 1);
}

void ks_tls_port_note_user(struct ks_tls_port *port, const uint8_t address[static KS_PEER_ADDRESS_SIZE])
{
    ks_known_networks_add(port->known, address, ks_clock_monotonic_ms(port->options.clock));
}

const struct ks_tls_counts *ks_tls_port_counts(const struct ks_tls_port *port)
{
    return &port->counts;
}

unsigned ks_tls_port_handshakes(const struct ks_tls_port *port)
{
    return atomic_load(&port->handshakes);
}

unsigned ks_tls_port_unsigned(const struct ks_tls_port *port)
{
    return atomic_load(&port->unsigned_count);
}
