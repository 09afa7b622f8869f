/* passphrase.h — a passphrase over the private keys of a home's account.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * Without one, whoever can read the home's files is the account. With one, the keys are sealed under it
 * (scrypt with N = 2^17, r = 8, p = 1; AES-256-GCM), and every call that needs a key asks for it. The classic
 * files (me.info, priv.key) have none. The library keeps no passphrase, and wipes what it was given.
 */
#ifndef KESHER_PASSPHRASE_H
#define KESHER_PASSPHRASE_H

#include <kesher/home.h>

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { KESHER_PASSPHRASE_SIZE = 1024 }; /* bytes of a passphrase at most */

enum kesher_passphrase_question {
    KESHER_PASSPHRASE_OPEN,  /* the home's */
    KESHER_PASSPHRASE_AGAIN, /* what was given last is not the home's; asked twice, then the call fails */
    KESHER_PASSPHRASE_NEW,   /* one to come; whether it was typed as it was meant is the caller's business */
};

/* Where passphrases come from: a terminal, a file. */
struct kesher_passphrase {
    void *context;
    /* Called on the thread that made the call, inside it. Writes the bytes of the passphrase, which are taken
     * as they are, and how many (1 to KESHER_PASSPHRASE_SIZE). KESHER_OK; anything else ends the call with
     * that status and *error, which may be NULL. */
    enum kesher_status (*ask)(void *context, enum kesher_passphrase_question question,
                              char bytes[KESHER_PASSPHRASE_SIZE], size_t *size, struct kesher_error *error);
};

/* Whether the home's account is under a passphrase. KESHER_OK with *has; KESHER_NOT_FOUND when it has no
 * account; KESHER_INVALID when account.key makes no sense, or others may read it; KESHER_FILE;
 * KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_home_has_passphrase(const struct kesher_home *home, bool *has,
                                                         struct kesher_error *error);

/* Puts the account under a new passphrase, or under another than it has; the old one is asked first. At every
 * moment, also of a crash, the home's key can be read under one of the two. What a disk keeps of a key that
 * was written without a passphrase is beyond this, and a copy of the file from before opens as before. Errors
 * as above; KESHER_PASSPHRASE when the old one was not given; KESHER_TIMEOUT when another program is changing
 * the account; KESHER_CRYPTO; what `ask` says. */
KESHER_API enum kesher_status kesher_home_set_passphrase(const struct kesher_home *home,
                                                         const struct kesher_passphrase *passphrase,
                                                         struct kesher_error *error);

/* Takes it away: whoever can read the home's files is the account from then on. KESHER_OK, also when there is
 * none; errors as above. */
KESHER_API enum kesher_status kesher_home_remove_passphrase(const struct kesher_home *home,
                                                            const struct kesher_passphrase *passphrase,
                                                            struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
