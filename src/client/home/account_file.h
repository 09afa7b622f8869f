/* account_file.h — the account of a home: the file account.key, whose bytes are in account_text.h.
 *
 * It is written durably, mode 0600, before a server hears of the key, and refused when others can read it, or
 * can put another in its place. Who changes it holds account.lock: so two programs never make two keys, and
 * none brings a passphrase back that another has taken away. The key is replaced as a whole: at every moment,
 * also of a crash within a crash, there is one that can be read.
 *
 * Whatever private keys come later are sealed under the same home key, in files of their own. So a passphrase
 * is changed here alone. When one is put on, the others are sealed after this file; when it is taken away
 * they are opened before it: the home key is here as long as anybody needs it. One thread at a time.
 */
#ifndef KS_CLIENT_HOME_ACCOUNT_FILE_H
#define KS_CLIENT_HOME_ACCOUNT_FILE_H

#include "client/home/account_text.h"
#include "client/home/home_files.h"
#include "crypto/passphrase.h"

#include <kesher/passphrase.h>

/* An account whose key was opened. Its public half is no secret; the whole is to be wiped. */
struct ks_own_account {
    char name[KS_TEXT_FIELD_SIZE]; /* as in struct ks_account_text */
    bool has_public_id;
    uint8_t public_id[KS_CLIENT_ID_SIZE];
    uint8_t key[KS_ED25519_PUBLIC_SIZE];
    uint8_t secret[KS_ED25519_SECRET_SIZE];
    bool is_sealed;                     /* under a passphrase */
    uint8_t home_key[KS_HOME_KEY_SIZE]; /* then; else zeros */
};

void ks_own_account_wipe(struct ks_own_account *account);

bool ks_account_file_exists(const struct kesher_home *home);

/* What stands there and is no secret: name, public id, account key, whether it is sealed. Asks for no
 * passphrase. KESHER_OK; KESHER_NOT_FOUND; KESHER_INVALID when it makes no sense, or others can read it, with
 * the command that mends it; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_account_file_look(const struct kesher_home *home, struct ks_own_account *account,
                                        struct kesher_error *error);

/* The same with the secret; the passphrase is asked where there is one, up to three times. `passphrase` may
 * be NULL: then there is none to be had. KESHER_OK with *account, to be wiped in any case; KESHER_PASSPHRASE
 * when the right one was not given; errors as above; KESHER_CRYPTO; what `ask` says. */
enum kesher_status ks_account_file_open(const struct kesher_home *home,
                                        const struct kesher_passphrase *passphrase,
                                        struct ks_own_account *account, struct kesher_error *error);

/* The home's account; where there is none, a new key, which is on disk when this returns, and the home made
 * first. `seal`: a new one is never written without a passphrase. Results as above; KESHER_TIMEOUT. */
enum kesher_status ks_account_file_prepare(struct kesher_home *home,
                                           const struct kesher_passphrase *passphrase, bool seal,
                                           struct ks_own_account *account, struct kesher_error *error);

/* Writes down what the server confirmed for the account key `key`, unless it stands there already. No
 * passphrase is needed. KESHER_OK; KESHER_INVALID also for a name that is none, and when the home has another
 * key by now; other errors as ks_account_file_look; KESHER_TIMEOUT. */
enum kesher_status ks_account_file_confirm(const struct kesher_home *home,
                                           const uint8_t key[static KS_ED25519_PUBLIC_SIZE], const char *name,
                                           const uint8_t public_id[static KS_CLIENT_ID_SIZE],
                                           struct kesher_error *error);

/* The account is no more: its key goes to account.key.old.1, or the next number that is free, and the home
 * has none. KESHER_OK; KESHER_NOT_FOUND; KESHER_FILE; KESHER_TIMEOUT. */
enum kesher_status ks_account_file_retire(const struct kesher_home *home, struct kesher_error *error);

#endif
