/* trust_judgement.h — whether the server that answered is the one that the home means: a pure function of
 * what the home keeps, what a link said, and what the server showed.
 *
 *     home keeps    link said     server showed                        verdict, and what is kept then
 *     ------------  ------------  -----------------------------------  --------------------------------
 *     key K         – or K        K                                    accept
 *     key K next N  –, K or N     N                                    accept and tell: key N, no next
 *     key K next N  N             K                                    refuse
 *     key K         another       anything                             refuse
 *     key K         –             another, whoever vouches for it      refuse
 *     ca NAME       – or shown    what an authority vouches for        accept
 *     ca NAME       another       anything                             refuse
 *     ca NAME       anything      what no authority vouches for        refuse
 *     nothing       what shown    anything, whoever vouches or not     accept: key
 *     nothing       another       anything                             refuse
 *     nothing       –             what an authority vouches for        accept and tell: ca
 *     nothing       –             another, on a loopback address       accept and tell: key
 *     nothing       –             another, and somebody can be asked   ask; on yes: key
 *     nothing       –             another, and nobody can              refuse
 *
 * A link with a fingerprint means that key or one that it announced itself (K may announce N, and N not K).
 * What the home keeps is for the server at its address; another address is refused, unless the server has
 * `moved`: then it must show the key that is kept. By ca it can move to another port only: another name
 * proves nothing.
 */
#ifndef KS_CLIENT_HOME_TRUST_JUDGEMENT_H
#define KS_CLIENT_HOME_TRUST_JUDGEMENT_H

#include "client/home/trust.h"
#include "crypto/tls.h"

#include <kesher/error.h>

struct ks_trust_question {
    const struct ks_trust *trust;    /* what the home keeps */
    const struct ks_address *server; /* who was called */
    const uint8_t *linked;           /* the fingerprint of the link; NULL for none */
    const struct ks_tls_peer *peer;  /* who answered */
    bool moved;                      /* the caller says so: --moved */
    bool is_loopback;                /* the address that the connection was made to */
    bool can_ask;                    /* there is a terminal, and somebody at it */
};

enum ks_trust_verdict {
    KS_TRUST_ACCEPT,
    KS_TRUST_ACCEPT_AND_TELL,
    KS_TRUST_ASK, /* a yes accepts */
    KS_TRUST_REFUSE,
};

struct ks_trust_judgement {
    enum ks_trust_verdict verdict;
    struct ks_trust trust; /* what to keep once accepted: to be saved before anything is said to the server */
    /* What to tell, to ask or why not, safe for a terminal, without a newline; "" for KS_TRUST_ACCEPT. A
     * question ends with its question mark. */
    char sentence[KESHER_SENTENCE_SIZE];
};

void ks_trust_judge(const struct ks_trust_question *question, struct ks_trust_judgement *judgement);

#endif
