/* pinned_accounts.h — the accounts that a home knows: one file each in accounts/ (pinned_account.h).
 *
 * A key is pinned when it is first seen. Another one that the server gives for the name later is *changed*:
 * it is written down as offered, told, and refused, until a person accepts just this one. That it was
 * compared (verified) holds for a key: an accepted one was not compared, unless it was for that.
 *
 * Accounts are apart from contacts/: their names are of UTF-8, their keys of another kind, and older programs
 * would take the lines of the one for a broken file of the other. Several programs may share the home: every
 * change is made to what is on disk at that moment, under a lock. One thread at a time.
 *
 * Errors in common: KESHER_INVALID for a name that is none, or a file that is broken, with what to do;
 * KESHER_TIMEOUT when another program holds the lock too long; KESHER_FILE; KESHER_CRYPTO; KESHER_NO_MEMORY.
 */
#ifndef KS_CLIENT_PEOPLE_PINNED_ACCOUNTS_H
#define KS_CLIENT_PEOPLE_PINNED_ACCOUNTS_H

#include "client/home/home_lock.h"
#include "client/people/pinned_account.h"

/* Whoever knows our name can be seen: at this many, no more are pinned. */
enum { KS_PINNED_ACCOUNTS_LIMIT = 65536 };

struct ks_pinned_accounts {
    struct kesher_home *directory; /* accounts/ */
    struct ks_home_lock lock;
};

/* KESHER_OK, and ks_pinned_accounts_close is due; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_pinned_accounts_open(struct ks_pinned_accounts *accounts,
                                           const struct kesher_home *home, struct kesher_error *error);
void ks_pinned_accounts_close(struct ks_pinned_accounts *accounts); /* a zeroed one is allowed */

/* What is known of the account. KESHER_OK; KESHER_NOT_FOUND, and *account has only the name. */
enum kesher_status ks_pinned_accounts_load(const struct ks_pinned_accounts *accounts, const char *name,
                                           struct ks_pinned_account *account, struct kesher_error *error);

/* The server, or a message of the account, says that it has this key. KESHER_OK with *account, and *is_new
 * (may be NULL) when it was pinned now; KESHER_CHANGED when another one is pinned, with both short
 * fingerprints: then this one is offered, and *account says so. The pinned key again takes an offer back. */
enum kesher_status ks_pinned_accounts_see(struct ks_pinned_accounts *accounts, const char *name,
                                          const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                          struct ks_pinned_account *account, bool *is_new,
                                          struct kesher_error *error);

/* A person has compared this key with its owner: it is verified. KESHER_OK; KESHER_NOT_FOUND when nothing is
 * pinned; KESHER_CHANGED when it is not the pinned key, or another one is offered. */
enum kesher_status ks_pinned_accounts_verify(struct ks_pinned_accounts *accounts, const char *name,
                                             const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                             struct kesher_error *error);

/* A person takes this offered key, which was shown, for the account's from now on; `is_verified`: after
 * comparing it. KESHER_OK, also when it is pinned already; KESHER_NOT_FOUND; KESHER_CHANGED when it is not
 * what is offered by now. */
enum kesher_status ks_pinned_accounts_accept(struct ks_pinned_accounts *accounts, const char *name,
                                             const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                             bool is_verified, struct kesher_error *error);

/* Removes what is known of the account, broken or not. KESHER_NOT_FOUND when nothing is. */
enum kesher_status ks_pinned_accounts_forget(struct ks_pinned_accounts *accounts, const char *name,
                                             struct kesher_error *error);

#endif
