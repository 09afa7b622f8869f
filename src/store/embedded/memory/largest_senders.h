/* largest_senders.h — who has how much in an inbox: the largest of its senders. Memory: about 110 bytes each,
 * of KS_LARGEST_SENDERS_LIMIT at most; then the one with least makes room, and if it comes back it counts
 * from nought. The caller sees to the threads.
 */
#ifndef KS_STORE_EMBEDDED_MEMORY_LARGEST_SENDERS_H
#define KS_STORE_EMBEDDED_MEMORY_LARGEST_SENDERS_H

#include "wire/frame.h"

#include <stdint.h>

enum { KS_LARGEST_SENDERS_LIMIT = 1024 };

struct ks_largest_senders;

struct ks_largest_senders_share {
    uint64_t messages;
    uint64_t bytes; /* of their contents */
};

struct ks_largest_senders *ks_largest_senders_new(void);          /* NULL when out of memory */
void ks_largest_senders_free(struct ks_largest_senders *senders); /* NULL is allowed */

/* One message more; without memory it does not count. And one less. */
void ks_largest_senders_add(struct ks_largest_senders *senders, const struct ks_client_id *sender,
                            uint64_t content_size);
void ks_largest_senders_take(struct ks_largest_senders *senders, const struct ks_client_id *sender,
                             uint64_t content_size);

struct ks_largest_senders_share ks_largest_senders_share_of(const struct ks_largest_senders *senders,
                                                            const struct ks_client_id *sender);

#endif
