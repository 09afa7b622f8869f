/* puts_fixture.h — what the tests of puts share, beside own_files_fixture.h: one that is open, and one that
 * goes on.
 */
#ifndef KS_TESTS_UNIT_SERVICE_FILES_PUTS_FIXTURE_H
#define KS_TESTS_UNIT_SERVICE_FILES_PUTS_FIXTURE_H

#include "unit/service/files/own_files_fixture.h"

#include "support/fake_store_internal.h"

enum { PUT_ID = 1, OTHER_PUT_ID = 2, SIZE = 1000 };

static inline unsigned parked(const struct gate *gate)
{
    unsigned count = 0;
    for (const struct ks_stage *stage = gate->store.parked; stage != NULL; stage = stage->next)
        count++;
    return count;
}

/* A put of `size` bytes is open on the peer, and its first `came` have come. */
static inline void begin_put(struct gate *gate, unsigned peer, const char *name, size_t came, size_t size)
{
    ask_open(gate, peer, name, PUT_ID, NO_FLAGS, size);
    assert_opened(gate, peer, 0, false);
    if (came == 0)
        return;
    ask_piece(gate, peer, 0, came);
    assert_position(gate, peer, came);
}

/* All of another one has come. */
static inline void begin_put_of(struct gate *gate, unsigned peer, const char *name, uint8_t put_id,
                                size_t size)
{
    ask_open(gate, peer, name, put_id, NO_FLAGS, size);
    assert_opened(gate, peer, 0, false);
    ask_piece(gate, peer, 0, size);
    assert_position(gate, peer, size);
}

/* What came is still there, up to `came`, and goes on. */
static inline void assert_goes_on(struct gate *gate, unsigned peer, const char *name, size_t came,
                                  size_t size)
{
    ask_open(gate, peer, name, PUT_ID, NO_FLAGS, size);
    assert_opened(gate, peer, came, false);
    if (came < size) {
        ask_piece(gate, peer, came, size);
        assert_position(gate, peer, size);
    }
    ask_end(gate, peer, cksum_of_first(size));
    assert_put(gate, peer, NO_FLAGS);
    assert_kept(gate, name, size);
}

#endif
