/* account.h — an account at a secure server: a key of one's own instead of an id that the server made up.
 *
 * Part of the public interface of libkesher; include <kesher/kesher.h>.
 *
 * A secure server is named by a link, kesher://HOST[:PORT]/[#FINGERPRINT], wherever an address is wanted;
 * HOST:PORT alone is a classic server, and nothing ever falls back from one to the other. Before a byte of
 * ours goes out, the server that answered is judged by what the home keeps of it (<kesher/server.h>).
 *
 * The account's key is in the home (account.key, 0600), if wanted under a passphrase (<kesher/passphrase.h>).
 * Who has it is the account; the server knows its public half only. Blocking; one account object is used by
 * one thread at a time.
 */
#ifndef KESHER_ACCOUNT_H
#define KESHER_ACCOUNT_H

#include <kesher/home.h>
#include <kesher/options.h>

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    KESHER_ACCOUNT_ID_SIZE = 16,
    KESHER_SHORT_FINGERPRINT_SIZE = 25, /* five groups of four, and a NUL */
};

/* What a home knows of its account, and is no secret. */
struct kesher_account_card {
    char name[KESHER_NAME_SIZE];                           /* as the server confirmed it; empty until then */
    bool has_id;                                           /* then, and only then, it has a name */
    uint8_t id[KESHER_ACCOUNT_ID_SIZE];                    /* public: what others see */
    char short_fingerprint[KESHER_SHORT_FINGERPRINT_SIZE]; /* of the account key: what people compare */
    bool has_passphrase;
};

/* Reads the card of the home's account, without a passphrase and without the server. KESHER_OK;
 * KESHER_NOT_FOUND when there is none; KESHER_INVALID when account.key makes no sense, or others may read it;
 * KESHER_FILE; KESHER_CRYPTO; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_account_card(const struct kesher_home *home,
                                                  struct kesher_account_card *card,
                                                  struct kesher_error *error);

struct kesher_account;

/* How to make an account. All zero is a good start. */
struct kesher_registration {
    const char *invitation; /* 22 characters; NULL: that of the link, if it has one */
    bool sealed;            /* a new key is put under a new passphrase, which is asked for (options) */
};

/* Registers `name` at the server of `link`. The key is on disk before the server hears of the name, and the
 * home is made once the server was accepted. The same again is safe where the answer was lost. `options` may
 * be NULL. KESHER_OK with *account for kesher_account_close; KESHER_EXISTS when the home has another account,
 * or a classic identity, or the server knows its key under another name; KESHER_INVALID for a name or a link
 * that is none; KESHER_REFUSED when the server said no, or is not the one that is meant: then nothing was
 * sent; KESHER_FULL; KESHER_PASSPHRASE; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL; KESHER_FILE;
 * KESHER_CRYPTO; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_account_register(struct kesher_home *home, const char *link,
                                                      const char *name,
                                                      const struct kesher_registration *registration,
                                                      const struct kesher_options *options,
                                                      struct kesher_account **account,
                                                      struct kesher_error *error);

/* Makes the home's classic identity an account, which keeps its name, files and messages: its classic id is
 * void from then on, and its files go to other names (me.info.old.1 and so on). The link must be of the host
 * that the identity belongs to, unless options->moved. The same again is safe. Results as above;
 * KESHER_NOT_FOUND when the home has no identity. */
KESHER_API enum kesher_status kesher_account_adopt(struct kesher_home *home, const char *link,
                                                   const struct kesher_registration *registration,
                                                   const struct kesher_options *options,
                                                   struct kesher_account **account,
                                                   struct kesher_error *error);

/* Opens the home's account, for which a passphrase may be asked; does not connect. `home` must outlive it.
 * KESHER_OK with *account for kesher_account_close; KESHER_NOT_FOUND; KESHER_INVALID also when the home
 * belongs to another server, unless options->moved; KESHER_PASSPHRASE; KESHER_FILE; KESHER_CRYPTO;
 * KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_account_open(const struct kesher_home *home, const char *link,
                                                  const struct kesher_options *options,
                                                  struct kesher_account **account,
                                                  struct kesher_error *error);
KESHER_API void kesher_account_close(struct kesher_account *account); /* wipes; NULL is allowed */

/* The user's name. Owned by the account. */
KESHER_API const char *kesher_account_name(const struct kesher_account *account);

/* What the server says. A limit of 0 is none. */
struct kesher_account_state {
    char name[KESHER_NAME_SIZE];
    uint64_t message_limit; /* bytes */
    uint64_t files_limit;
    uint64_t bytes_limit;
    uint64_t files;
    uint64_t bytes;
    uint64_t waiting; /* messages */
    uint64_t waiting_bytes;
    uint64_t puts;      /* own files that are coming, or were broken off and can go on */
    uint64_t put_bytes; /* that have come of them */
    int64_t registered; /* seconds since 1970, UTC; 0 when it is not told */
    bool is_classic;    /* the classic ports know it */
};

/* Errors that the following have in common: KESHER_UNKNOWN when the server does not know the account;
 * KESHER_REFUSED; KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL; KESHER_NO_MEMORY. */
KESHER_API enum kesher_status kesher_account_ask(struct kesher_account *account,
                                                 struct kesher_account_state *state,
                                                 struct kesher_error *error);

/* Lets the classic ports know the account, or not: with a key pair and an id of their own, which are in the
 * home as me.info and priv.key; switched off, they go to other names and are void. KESHER_OK, also when it
 * was so; KESHER_INVALID when the classic ports could not carry the name; KESHER_FILE; KESHER_CRYPTO. */
KESHER_API enum kesher_status kesher_account_set_classic(struct kesher_account *account, bool on,
                                                         struct kesher_error *error);

/* Removes the account, and all that the server has of it. The home has none then: its key goes to another
 * name. KESHER_OK, also when the server had removed it already and only the answer was lost; KESHER_FILE. */
KESHER_API enum kesher_status kesher_account_remove(struct kesher_account *account,
                                                    struct kesher_error *error);

#ifdef __cplusplus
}
#endif

#endif
