/* pacing.h — how fast lists of users leave, by user and network: 23 bytes of a request bring an answer of 271
 * for each user there is, and menus ask for one before every send.
 *
 * Each user has a budget of bytes an hour, and each customer's network eight of these (wider ones more, as
 * ks_network_shares says). A list that begins while there is
 * some left of both goes at any speed, and is charged. Others are not refused but *paced*: before each page
 * they take a turn, and the turns of a user, over all its connections, together make a rate; those of a
 * network as much more.
 *
 * Memory: some 120 bytes for each user and network that has asked within about an hour. Any thread.
 */
#ifndef KS_SERVICE_USERS_PACING_H
#define KS_SERVICE_USERS_PACING_H

#include "base/limits/networks.h"
#include "wire/frame.h"

struct ks_pacing;

enum { KS_PACING_NETWORK_SHARE = 8 };

/* Whose answer it is, and how fast it may go. */
struct ks_pacing_terms {
    struct ks_client_id id;
    struct ks_network_levels networks; /* none of them: its network does not count */
    uint64_t budget;                   /* bytes an hour; 0: no limit */
    uint64_t rate;                     /* bytes a second, at least 1 */
};

/* KS_OK with *pacing for ks_pacing_free; KS_NO_MEMORY. */
enum ks_result ks_pacing_new(struct ks_pacing **pacing);
void ks_pacing_free(struct ks_pacing *pacing); /* NULL is allowed */

/* An answer of `size` bytes begins. True: at any speed, and it is charged. False: paced; so it is without
 * memory for counting. */
bool ks_pacing_begin(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, uint64_t size,
                     uint64_t now_ms);

/* Takes the turn for the next `size` bytes of a paced answer: returns in how many milliseconds it comes. */
uint64_t ks_pacing_turn(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, uint64_t size,
                        uint64_t now_ms);

/* A turn for `size` bytes will not be used: others come earlier. */
void ks_pacing_give_back(struct ks_pacing *pacing, const struct ks_pacing_terms *terms, uint64_t size);

#endif
