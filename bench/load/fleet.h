/* fleet.h — many links to one server, opened with no more than some at a time so that no backlog overflows,
 * from several source addresses where one address has too few ports. On its loop's thread.
 */
#ifndef KS_BENCH_LOAD_FLEET_H
#define KS_BENCH_LOAD_FLEET_H

#include "bench/load/load_link.h"

#include <stdio.h>

enum {
    KS_FLEET_CONNECTING_LIMIT = 128, /* links that are being opened at a time, unless asked for less */
    KS_FLEET_LINKS_OF_A_SOURCE =
        25 * 1000, /* then comes the next source; below the usual 28,232 ephemeral ports */
    KS_FLEET_LINKS_LIMIT = 1000 * 1000,
};

struct ks_fleet;

struct ks_fleet_events {
    /* Link `index` stands, with its TLS handshake done. All links that one fleet opened come here, in any
     * order. */
    void (*opened)(void *context, uint32_t index, struct ks_load_link *link);
    size_t (*received)(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size);
    void (*drained)(void *context, uint32_t index, struct ks_load_link *link); /* or NULL */
    /* It could not be opened, or is over. */
    void (*ended)(void *context, uint32_t index, struct ks_load_link *link, int error);
};

struct ks_fleet_plan {
    uint32_t count;
    /* The first source address (numeric), or NULL for the system's choice. Link i comes from the source plus
     * i / KS_FLEET_LINKS_OF_A_SOURCE, or, when `sources` is above 0, plus i % sources. A loopback server gets
     * 127.0.0.1 by itself when it takes more than one source. */
    const char *source;
    uint32_t sources;
    uint32_t at_a_time;         /* links that are being opened; 0: KS_FLEET_CONNECTING_LIMIT */
    struct ks_tls_context *tls; /* of links that speak TLS from the first byte; NULL: they do not */
    size_t record_limit;        /* of theirs (load_link.h) */
};

/* Resolves `server` ("HOST:PORT", "[::1]:PORT") and begins to open the links; the limit of open files is
 * raised as far as it goes. KS_OK with *fleet; else one line for people is in `reason`: KS_NOT_FOUND (no such
 * host), KS_INVALID (no address), KS_TOO_LARGE (not enough descriptors), KS_NO_MEMORY, KS_IO. */
enum ks_result ks_fleet_open(struct ks_reactor *reactor, const char *server, const struct ks_fleet_plan *plan,
                             const struct ks_fleet_events *events, void *context, struct ks_fleet **fleet,
                             char *reason, size_t reason_capacity);

/* Link `index`, whatever its state. */
struct ks_load_link *ks_fleet_link(struct ks_fleet *fleet, uint32_t index);

/* Opens link `index` again after it ended or was closed. */
enum ks_result ks_fleet_reopen(struct ks_fleet *fleet, uint32_t index);

/* How many have opened since the beginning. */
uint32_t ks_fleet_opened(const struct ks_fleet *fleet);

/* Closes all links and frees; NULL is allowed. Not from a callback of a link. */
void ks_fleet_free(struct ks_fleet *fleet);

#endif
