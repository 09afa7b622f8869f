/* shared.h — bytes that many readers hold: written once, counted, freed with the last reference.
 *
 * Whoever makes them fills them before the second reference is taken; afterwards they never change. Any
 * thread.
 */
#ifndef KS_BASE_SHARED_H
#define KS_BASE_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct ks_shared {
    _Atomic unsigned references;
    size_t size; /* bytes in use */
    size_t capacity;
    uint8_t bytes[];
};

/* Empty, with room for `capacity` bytes and one reference; NULL when out of memory. */
struct ks_shared *ks_shared_new(size_t capacity);

struct ks_shared *ks_shared_retain(struct ks_shared *shared);
void ks_shared_release(struct ks_shared *shared); /* NULL is allowed */

#endif
