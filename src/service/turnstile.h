/* turnstile.h — slows down who guesses: passwords that are wrong, counted by address. Private to src/service.
 *
 * After a few wrong ones, an address must wait for its turn before its next guess is looked at, and turns
 * come the slower the more there were; however many connections it guesses on, they share its turns. IPv6
 * addresses count by their /64, which is what one customer gets. Constant memory: when there are too many
 * addresses, the one that is easiest to forget makes room. Any thread.
 */
#ifndef KS_SERVICE_TURNSTILE_H
#define KS_SERVICE_TURNSTILE_H

#include "net/connection.h"

struct ks_turnstile;

/* KS_OK with *turnstile for ks_turnstile_free; KS_NO_MEMORY. */
enum ks_result ks_turnstile_new(struct ks_turnstile **turnstile);
void ks_turnstile_free(struct ks_turnstile *turnstile); /* NULL is allowed */

/* How many milliseconds from `now_ms` (monotonic) a guess from this address must wait; its turn is then
 * taken. */
uint64_t ks_turnstile_wait(struct ks_turnstile *turnstile, const uint8_t address[static KS_PEER_ADDRESS_SIZE],
                           uint64_t now_ms);

/* A guess from this address was wrong. */
void ks_turnstile_wrong(struct ks_turnstile *turnstile, const uint8_t address[static KS_PEER_ADDRESS_SIZE],
                        uint64_t now_ms);

#endif
