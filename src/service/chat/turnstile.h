/* turnstile.h — slows down who guesses: passwords that are wrong, counted by address. Private to src/service
 * and src/server.
 *
 * After a few wrong ones, an address must wait for its turn before its next guess is looked at, and turns
 * come the slower the more there were; however many connections it guesses on, they share its turns. Who goes
 * before its turn gives it back. Nobody waits for longer than KS_TURNSTILE_WAIT_LARGEST_MS: behind so many
 * guesses a turn is shared, for others of that address would wait as long as a guesser likes. IPv6 addresses
 * count by their /64, and by their /56 and /48, which have four and sixteen times as many guesses and turns
 * (networks.h). Constant memory, and nobody is forgotten for others: in a row of the table that has no place
 * left, those who come share one; which ones meet there, nobody can choose (keyed_hash.h). Any thread.
 */
#ifndef KS_SERVICE_CHAT_TURNSTILE_H
#define KS_SERVICE_CHAT_TURNSTILE_H

#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"
#include "net/connection.h"

enum { KS_TURNSTILE_WAIT_LARGEST_MS = 20 * 1000 };

struct ks_turnstile;

/* A turn that was taken. */
struct ks_turn {
    uint64_t wait_ms;                     /* from when it was taken */
    uint64_t later_ms[KS_NETWORK_LEVELS]; /* by how much those who come after it wait longer for it */
};

/* `key` is copied; random, and nobody else's. KS_OK with *turnstile for ks_turnstile_free; KS_NO_MEMORY. */
enum ks_result ks_turnstile_new(const struct ks_hash_key *key, struct ks_turnstile **turnstile);
void ks_turnstile_free(struct ks_turnstile *turnstile); /* NULL is allowed */

/* Takes the next turn of this address for a guess, which must wait until then; `now_ms` is monotonic. */
struct ks_turn ks_turnstile_take(struct ks_turnstile *turnstile,
                                 const uint8_t address[static KS_PEER_ADDRESS_SIZE], uint64_t now_ms);

/* The guess will not be looked at: those who come from now on need not wait for it. Once for a turn. */
void ks_turnstile_give_back(struct ks_turnstile *turnstile,
                            const uint8_t address[static KS_PEER_ADDRESS_SIZE], struct ks_turn turn,
                            uint64_t now_ms);

/* A guess from this address was wrong. */
void ks_turnstile_wrong(struct ks_turnstile *turnstile, const uint8_t address[static KS_PEER_ADDRESS_SIZE],
                        uint64_t now_ms);

#endif
