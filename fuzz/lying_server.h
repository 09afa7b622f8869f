/* lying_server.h — a server that a fuzzer plays, in the thread of the client: whenever the client waits for
 * it, it takes the next bytes of the input for what it answers. Zeros, and the end of the input, are honest.
 *
 * It has keys that fit: it encrypts symmetric keys under the client's public one, and contents under those,
 * so that what it sends can be decrypted, as it is or with a little damage. It stands behind the client's
 * calls of ks_dial, poll and clock_nanosleep, which the linker leads here (--wrap), so no time passes. One
 * thread.
 */
#ifndef KS_FUZZ_LYING_SERVER_H
#define KS_FUZZ_LYING_SERVER_H

#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LYING_SERVER_USERS = 4 }; /* whose ids it knows: bytes of 1, of 2, … */

/* Once: whose requests these will be. */
void lying_server_meet(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);

/* For each input; nobody is connected. */
void lying_server_begin(const uint8_t *bytes, size_t size);
void lying_server_end(void);

/* The next byte of the input, which the client's side takes its decisions from, too; 0 behind the end. */
uint8_t lying_server_byte(void);
bool lying_server_has_more(void);

struct ks_client_id lying_server_id(unsigned user);

/* What a text or file with that id has to say, where that is certain: one such message was sent, whole, there
 * is one key only, none of the client's own seems to fit, and no answer was damaged. False where it is not.
 */
bool lying_server_sent(uint32_t message_id, const uint8_t **plain, size_t *size);

#endif
