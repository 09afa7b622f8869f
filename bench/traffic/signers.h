/* signers.h — accounts of the secure port for a run (protocol.md §8): their Ed25519 keys, which are
 * registered before the load begins, and how each of many connections signs in with one of them. Main thread.
 *
 * A server lets an account have a few connections only, so there are as many accounts as the connections
 * need.
 */
#ifndef KS_BENCH_TRAFFIC_SIGNERS_H
#define KS_BENCH_TRAFFIC_SIGNERS_H

#include "bench/load/run.h"
#include "wire/frame.h"

enum { KS_SIGNERS_CONNECTIONS = 50 }; /* of an account, at most; kesherd allows 64 */

struct ks_signers;

/* Registers as many accounts as so many connections need, and runs the loop meanwhile. False when the run has
 * failed: then run->reason says why. *signers is for ks_signers_free, whatever is returned. */
bool ks_signers_register(struct ks_run *run, uint32_t connections, struct ks_signers **signers);
void ks_signers_free(struct ks_signers *signers); /* wipes; NULL is allowed */

/* Writes the 3001 of connection `index`, whose TLS handshake is done. False when the run has failed. */
bool ks_signers_sign_in(const struct ks_signers *signers, struct ks_run *run, uint32_t index,
                        struct ks_load_link *link);

/* Writes a request without a payload, such as a 3030. The same result. */
bool ks_signers_ask(struct ks_run *run, struct ks_load_link *link, uint16_t code);

/* Size of the answer that `bytes` begin with, header and payload, when its code is `code`. 0 when more has to
 * come first, or when it is another one, by which the run has failed. */
size_t ks_signers_expect(struct ks_run *run, uint32_t index, uint16_t code, const uint8_t *bytes,
                         size_t size);

#endif
