/* quick_keys.h — OpenSSL's reader of private keys, for targets that are not about it. For a key it takes a
 * third of a millisecond, and for what it refuses a whole one, of which there would be a thousand in a second
 * and no more.
 *
 * So what no reader of DER takes is refused at once, the keys that were read last are remembered, and of all
 * the rest some are really read, which their bytes decide. fuzz_keys is about the reader, and leaves out only
 * what is no DER.
 */
#ifndef KS_FUZZ_QUICK_KEYS_H
#define KS_FUZZ_QUICK_KEYS_H

/* One in so many is really read, and 64 at first; 0: whatever it is. */
extern unsigned quick_keys_odds;

#endif
