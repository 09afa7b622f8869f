/* quick_keys.h — OpenSSL's reader of private keys, for targets that are not about it. For a key it takes a
 * third of a millisecond, and for what it refuses a whole one, of which there would be a thousand in a second
 * and no more.
 *
 * So what no reader of DER takes is refused at once, the keys that were read last are remembered, and of all
 * the rest one in KEYS_ODDS is really read, which its bytes decide. fuzz_keys is about the reader.
 */
#ifndef KS_FUZZ_QUICK_KEYS_H
#define KS_FUZZ_QUICK_KEYS_H

#include <stdbool.h>

/* While it is set every key is really read. */
extern bool quick_keys_are_exact;

#endif
