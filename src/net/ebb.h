/* ebb.h — when a crowd of connections has gone, and what they used can go back to the system. Private to
 * src/net.
 *
 * malloc keeps what was freed for whoever asks next. Behind ten thousand connections that may be tens of MiB,
 * which nobody asks for until the next such crowd comes.
 */
#ifndef KS_NET_EBB_H
#define KS_NET_EBB_H

#include <stdbool.h>
#include <stdint.h>

enum {
    KS_EBB_CROWD = 1000,    /* connections; fewer leave nothing worth the effort */
    KS_EBB_LOOK_MS = 1000,  /* how often to look */
    KS_EBB_PAUSE_MS = 5000, /* between two times: giving back stops everybody who needs memory meanwhile */
};

/* Zeroed at first. */
struct ks_ebb {
    unsigned most;   /* connections since memory was given back last */
    unsigned before; /* connections at the last look */
    uint64_t next_ms;
};

/* Takes a look: `connections` are there now. True when memory should be given back now: KS_EBB_CROWD or more
 * were there, fewer than half of them are left, these no longer become fewer from one look to the next, and
 * the last time is KS_EBB_PAUSE_MS ago. `now_ms` of any clock that does not go backwards. One thread. */
bool ks_ebb_look(struct ks_ebb *ebb, unsigned connections, uint64_t now_ms);

#endif
