/* account_file.c — see account_file.h and <kesher/passphrase.h>. */
#include "client/home/account_file.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/home/home_lock.h"
#include "client/home/home_modes.h"
#include "crypto/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 30 * 1000, ATTEMPTS = 3, KEPT_COPIES = 10000 };

static const char file_name[] = "account.key";
static const char lock_name[] = "account.lock";
static const char purpose[] = "account.key";

void ks_own_account_wipe(struct ks_own_account *account)
{
    ks_secret_wipe(account, sizeof *account);
}

bool ks_account_file_exists(const struct kesher_home *home)
{
    return ks_home_files_exists(home, file_name);
}

static enum kesher_status fail_file(const struct kesher_home *home, const char *what,
                                    struct kesher_error *error)
{
    char shown[300];
    return ks_failure(error, KESHER_INVALID,
                      "%s in '%s' %s; restore it from a copy: without it nobody can be this account",
                      file_name, ks_text_escape(home->path, strlen(home->path), shown, sizeof shown), what);
}

/* ---- reading ---- */

/* *text is to be wiped in any case. */
static enum kesher_status read_text(const struct kesher_home *home, struct ks_account_text *text,
                                    struct kesher_error *error)
{
    struct ks_buffer bytes = ks_buffer_empty(KS_ACCOUNT_TEXT_LIMIT);
    memset(text, 0, sizeof *text);
    if (!ks_account_file_exists(home))
        return ks_failure(error, KESHER_NOT_FOUND,
                          "this home has no account; register a name, or join by an invitation, first");
    enum kesher_status status = ks_home_modes_check_secret(home, file_name, error);
    if (status == KESHER_OK)
        status = ks_home_files_read(home, file_name, &bytes, error);
    if (status == KESHER_OK) {
        enum ks_result result = ks_account_text_parse(bytes.bytes, bytes.size, text);
        if (result == KS_NO_MEMORY)
            status = ks_failure_no_memory(error);
        else if (result != KS_OK)
            status = fail_file(home, "is damaged", error);
    }
    ks_buffer_wipe(&bytes);
    return status;
}

/* All but the secrets. */
static void copy_public(const struct ks_account_text *text, struct ks_own_account *account)
{
    memset(account, 0, sizeof *account);
    memcpy(account->name, text->name, sizeof account->name);
    account->has_public_id = text->has_public_id;
    memcpy(account->public_id, text->public_id, sizeof account->public_id);
    memcpy(account->key, text->key, sizeof account->key);
    account->is_sealed = text->is_sealed;
}

enum kesher_status ks_account_file_look(const struct kesher_home *home, struct ks_own_account *account,
                                        struct kesher_error *error)
{
    struct ks_account_text text;
    enum kesher_status status = read_text(home, &text, error);
    copy_public(&text, account);
    ks_secret_wipe(&text, sizeof text);
    return status;
}

/* ---- the passphrase ---- */

/* One that was given, to be wiped. */
struct given {
    char bytes[KESHER_PASSPHRASE_SIZE];
    size_t size;
};

static enum kesher_status ask(const struct kesher_passphrase *passphrase,
                              enum kesher_passphrase_question question, struct given *given,
                              struct kesher_error *error)
{
    given->size = 0;
    if (passphrase == NULL)
        return ks_failure(error, KESHER_PASSPHRASE,
                          "a passphrase is needed, and there is no terminal to ask for it at; give it with "
                          "--passphrase-file");
    enum kesher_status status =
        passphrase->ask(passphrase->context, question, given->bytes, &given->size, error);
    if (status != KESHER_OK)
        return status;
    if (given->size >= 1 && given->size <= KESHER_PASSPHRASE_SIZE)
        return KESHER_OK;
    given->size = 0;
    if (question != KESHER_PASSPHRASE_NEW)
        return KESHER_OK; /* and it is the wrong one */
    return ks_failure(error, KESHER_INVALID, "a passphrase has 1 to %d bytes", KESHER_PASSPHRASE_SIZE);
}

static enum kesher_status fail_wrapped(const struct kesher_home *home, enum ks_result result,
                                       struct kesher_error *error)
{
    if (result == KS_REFUSED)
        return ks_failure(error, KESHER_PASSPHRASE, "this is not the passphrase of the home");
    if (result == KS_INVALID)
        return fail_file(home, "is damaged", error);
    if (result == KS_TOO_LARGE)
        return fail_file(home, "asks for more work than any passphrase of ours", error);
    return ks_failure_from_result(error, result, "cannot open the account's key");
}

static enum kesher_status unwrap(const struct kesher_home *home, const struct ks_account_text *text,
                                 const struct kesher_passphrase *passphrase,
                                 uint8_t home_key[static KS_HOME_KEY_SIZE], struct kesher_error *error)
{
    struct given given;
    enum ks_result result = KS_REFUSED;
    enum kesher_status status = KESHER_OK;
    for (int i = 0; i < ATTEMPTS && result == KS_REFUSED && status == KESHER_OK; i++) {
        status = ask(passphrase, i == 0 ? KESHER_PASSPHRASE_OPEN : KESHER_PASSPHRASE_AGAIN, &given, error);
        if (status == KESHER_OK)
            result =
                ks_home_key_unwrap(text->wrapped, strlen(text->wrapped), given.bytes, given.size, home_key);
    }
    ks_secret_wipe(&given, sizeof given);
    if (status != KESHER_OK)
        return status;
    return result == KS_OK ? KESHER_OK : fail_wrapped(home, result, error);
}

static enum kesher_status unseal(const struct kesher_home *home, const struct ks_account_text *text,
                                 struct ks_own_account *account, struct kesher_error *error)
{
    struct ks_buffer secret = ks_buffer_empty(KS_SEALED_SECRET_LIMIT);
    enum kesher_status status = KESHER_OK;
    enum ks_result result =
        ks_home_key_open(account->home_key, purpose, text->sealed, strlen(text->sealed), &secret);
    if (result == KS_OK && secret.size == sizeof account->secret)
        memcpy(account->secret, secret.bytes, sizeof account->secret);
    else if (result == KS_NO_MEMORY || result == KS_CRYPTO)
        status = ks_failure_from_result(error, result, "cannot open the account's key");
    else
        status = fail_file(home, "is damaged", error);
    ks_buffer_wipe(&secret);
    return status;
}

/* Whether the two halves belong together: else this would be a stranger. */
static enum kesher_status check_halves(const struct kesher_home *home, const struct ks_own_account *account,
                                       struct kesher_error *error)
{
    uint8_t key[KS_ED25519_PUBLIC_SIZE];
    enum ks_result result = ks_account_key_public(account->secret, key);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "cannot open the account's key");
    if (memcmp(key, account->key, sizeof key) != 0)
        return fail_file(home, "has two halves that do not belong together", error);
    return KESHER_OK;
}

static enum kesher_status open_text(const struct kesher_home *home, const struct ks_account_text *text,
                                    const struct kesher_passphrase *passphrase,
                                    struct ks_own_account *account, struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    copy_public(text, account);
    if (text->is_sealed) {
        status = unwrap(home, text, passphrase, account->home_key, error);
        if (status == KESHER_OK)
            status = unseal(home, text, account, error);
    } else {
        memcpy(account->secret, text->secret, sizeof account->secret);
    }
    return status == KESHER_OK ? check_halves(home, account, error) : status;
}

enum kesher_status ks_account_file_open(const struct kesher_home *home,
                                        const struct kesher_passphrase *passphrase,
                                        struct ks_own_account *account, struct kesher_error *error)
{
    struct ks_account_text text;
    memset(account, 0, sizeof *account);
    enum kesher_status status = read_text(home, &text, error);
    if (status == KESHER_OK)
        status = open_text(home, &text, passphrase, account, error);
    if (status != KESHER_OK)
        ks_own_account_wipe(account);
    ks_secret_wipe(&text, sizeof text);
    return status;
}

/* ---- writing, under the lock ---- */

/* Temporary files that a dead program left have the key in them, perhaps without a passphrase. */
static enum kesher_status lock_file(const struct kesher_home *home, struct ks_home_lock *lock,
                                    struct kesher_error *error)
{
    *lock = KS_HOME_LOCK_NONE;
    enum kesher_status status = ks_home_lock_open(lock, home, lock_name, error);
    if (status == KESHER_OK)
        status = ks_home_lock_take(lock, LOCK_WAIT_MS, "changing the home's account", error);
    if (status == KESHER_OK)
        ks_home_files_sweep_of(home, file_name);
    else
        ks_home_lock_close(lock);
    return status;
}

static enum kesher_status write_text(const struct kesher_home *home, const struct ks_account_text *text,
                                     struct kesher_error *error)
{
    struct ks_buffer bytes = ks_buffer_empty(KS_ACCOUNT_TEXT_LIMIT);
    enum ks_result result = ks_account_text_format(text, &bytes);
    enum kesher_status status =
        result == KS_OK ? ks_home_files_write(home, file_name, &bytes, error)
                        : ks_failure_from_result(error, result, "cannot write down the account's key");
    ks_buffer_wipe(&bytes);
    return status;
}

/* A line that a buffer holds, into one of the text's. */
static enum ks_result take_line(const struct ks_buffer *line, char text[static KS_ACCOUNT_LINE_SIZE])
{
    if (line->size >= KS_ACCOUNT_LINE_SIZE)
        return KS_TOO_LARGE;
    memset(text, 0, KS_ACCOUNT_LINE_SIZE);
    memcpy(text, line->bytes, line->size);
    return KS_OK;
}

/* The account's home key under the passphrase, and its secret under the home key. */
static enum ks_result seal_text(const struct ks_own_account *account, const struct given *given,
                                struct ks_account_text *text)
{
    const struct ks_random *random = ks_random_system();
    const struct ks_scrypt_cost cost = ks_scrypt_cost_usual();
    struct ks_buffer wrapped = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
    struct ks_buffer sealed = ks_buffer_empty(KS_SEALED_LINE_LIMIT);
    enum ks_result result =
        ks_home_key_wrap(account->home_key, given->bytes, given->size, &cost, random, &wrapped);
    if (result == KS_OK)
        result = ks_home_key_seal(account->home_key, purpose, account->secret, sizeof account->secret, random,
                                  &sealed);
    if (result == KS_OK)
        result = take_line(&wrapped, text->wrapped);
    if (result == KS_OK)
        result = take_line(&sealed, text->sealed);
    ks_buffer_free(&wrapped);
    ks_buffer_free(&sealed);
    text->is_sealed = true;
    ks_secret_wipe(text->secret, sizeof text->secret);
    return result;
}

/* Writes the opened account, under a passphrase that is asked when it is to be sealed. The home key stays
 * what it is where there is one. */
static enum kesher_status write_account(const struct kesher_home *home,
                                        const struct kesher_passphrase *passphrase,
                                        struct ks_own_account *account, struct kesher_error *error)
{
    struct given given = {.size = 0};
    struct ks_account_text text = {.has_public_id = account->has_public_id, .is_sealed = account->is_sealed};
    enum ks_result result = KS_OK;
    enum kesher_status status = KESHER_OK;
    memcpy(text.name, account->name, sizeof text.name);
    memcpy(text.public_id, account->public_id, sizeof text.public_id);
    memcpy(text.key, account->key, sizeof text.key);
    if (account->is_sealed)
        status = ask(passphrase, KESHER_PASSPHRASE_NEW, &given, error);
    else
        memcpy(text.secret, account->secret, sizeof text.secret);
    if (status == KESHER_OK && account->is_sealed)
        result = seal_text(account, &given, &text);
    if (result != KS_OK)
        status = ks_failure_from_result(error, result, "cannot seal the account's key");
    if (status == KESHER_OK)
        status = write_text(home, &text, error);
    ks_secret_wipe(&given, sizeof given);
    ks_secret_wipe(&text, sizeof text);
    return status;
}

static enum ks_result generate(bool seal, struct ks_own_account *account)
{
    const struct ks_random *random = ks_random_system();
    memset(account, 0, sizeof *account);
    account->is_sealed = seal;
    enum ks_result result = ks_random_fill(random, account->secret, sizeof account->secret);
    if (result == KS_OK && seal)
        result = ks_random_fill(random, account->home_key, sizeof account->home_key);
    return result == KS_OK ? ks_account_key_public(account->secret, account->key) : result;
}

static enum kesher_status create(const struct kesher_home *home, const struct kesher_passphrase *passphrase,
                                 bool seal, struct ks_own_account *account, struct kesher_error *error)
{
    enum ks_result result = generate(seal, account);
    enum kesher_status status =
        result == KS_OK ? write_account(home, passphrase, account, error)
                        : ks_failure_from_result(error, result, "cannot make a key for the account");
    if (status == KESHER_OK) /* that nobody else can write into the directory */
        status = ks_home_modes_check_secret(home, file_name, error);
    if (status != KESHER_OK)
        ks_own_account_wipe(account);
    return status;
}

enum kesher_status ks_account_file_prepare(struct kesher_home *home,
                                           const struct kesher_passphrase *passphrase, bool seal,
                                           struct ks_own_account *account, struct kesher_error *error)
{
    struct ks_home_lock lock;
    memset(account, 0, sizeof *account);
    enum kesher_status status = ks_home_files_make(home, error);
    if (status == KESHER_OK)
        status = lock_file(home, &lock, error);
    if (status != KESHER_OK)
        return status;
    status = ks_account_file_exists(home) ? ks_account_file_open(home, passphrase, account, error)
                                          : create(home, passphrase, seal, account, error);
    ks_home_lock_close(&lock);
    return status;
}

/* ---- what the server confirmed ---- */

static enum kesher_status confirm(const struct kesher_home *home, const struct ks_own_account *confirmed,
                                  struct kesher_error *error)
{
    struct ks_account_text text;
    enum kesher_status status = read_text(home, &text, error);
    if (status == KESHER_OK && memcmp(text.key, confirmed->key, sizeof text.key) != 0)
        status = ks_failure(error, KESHER_INVALID,
                            "another program has given this home another account meanwhile; try again");
    if (status == KESHER_OK &&
        (!text.has_public_id || memcmp(text.public_id, confirmed->public_id, sizeof text.public_id) != 0 ||
         strcmp(text.name, confirmed->name) != 0)) {
        text.has_public_id = true;
        memcpy(text.public_id, confirmed->public_id, sizeof text.public_id);
        memcpy(text.name, confirmed->name, sizeof text.name);
        status = write_text(home, &text, error);
    }
    ks_secret_wipe(&text, sizeof text);
    return status;
}

enum kesher_status ks_account_file_confirm(const struct kesher_home *home,
                                           const uint8_t key[static KS_ED25519_PUBLIC_SIZE], const char *name,
                                           const uint8_t public_id[static KS_CLIENT_ID_SIZE],
                                           struct kesher_error *error)
{
    struct ks_home_lock lock;
    struct ks_own_account confirmed = {.has_public_id = true};
    if (!ks_account_text_is_name(name, strlen(name)))
        return ks_failure(error, KESHER_INVALID, "the server gave the account a name that is none");
    memcpy(confirmed.name, name, strlen(name));
    memcpy(confirmed.key, key, sizeof confirmed.key);
    memcpy(confirmed.public_id, public_id, sizeof confirmed.public_id);
    enum kesher_status status = lock_file(home, &lock, error);
    if (status != KESHER_OK)
        return status;
    status = confirm(home, &confirmed, error);
    ks_home_lock_close(&lock);
    return status;
}

/* ---- the end ---- */

static enum kesher_status move_away(const struct kesher_home *home, struct kesher_error *error)
{
    char kept[64] = "";
    unsigned number = 0;
    if (!ks_account_file_exists(home))
        return ks_failure(error, KESHER_NOT_FOUND, "this home has no account");
    do {
        if (++number > KEPT_COPIES || snprintf(kept, sizeof kept, "%s.old.%u", file_name, number) < 0)
            return ks_failure(error, KESHER_FILE, "there are too many old copies of %s; remove some",
                              file_name);
    } while (ks_home_files_exists(home, kept));
    if (renameat(home->directory_fd, file_name, home->directory_fd, kept) != 0 ||
        fsync(home->directory_fd) != 0)
        return ks_home_files_failure(home, errno, "rename", file_name, error);
    return KESHER_OK;
}

enum kesher_status ks_account_file_retire(const struct kesher_home *home, struct kesher_error *error)
{
    struct ks_home_lock lock;
    if (!ks_account_file_exists(home))
        return move_away(home, error);
    enum kesher_status status = lock_file(home, &lock, error);
    if (status != KESHER_OK)
        return status;
    status = move_away(home, error);
    ks_home_lock_close(&lock);
    return status;
}

/* ---- <kesher/passphrase.h> ---- */

enum kesher_status kesher_home_has_passphrase(const struct kesher_home *home, bool *has,
                                              struct kesher_error *error)
{
    struct ks_own_account account;
    enum kesher_status status = ks_account_file_look(home, &account, error);
    *has = status == KESHER_OK && account.is_sealed;
    return status;
}

/* Under the lock also while somebody is asked: so nobody else's change gets lost. */
static enum kesher_status change_passphrase(const struct kesher_home *home,
                                            const struct kesher_passphrase *passphrase, bool seal,
                                            struct kesher_error *error)
{
    struct ks_own_account account;
    enum ks_result result = KS_OK;
    enum kesher_status status = ks_account_file_open(home, passphrase, &account, error);
    if (status == KESHER_OK && seal && !account.is_sealed)
        result = ks_random_fill(ks_random_system(), account.home_key, sizeof account.home_key);
    if (result != KS_OK)
        status = ks_failure_from_result(error, result, "cannot make a key for the home");
    if (status == KESHER_OK && (seal || account.is_sealed)) {
        account.is_sealed = seal;
        status = write_account(home, passphrase, &account, error);
    }
    ks_own_account_wipe(&account);
    return status;
}

static enum kesher_status change_under_lock(const struct kesher_home *home,
                                            const struct kesher_passphrase *passphrase, bool seal,
                                            struct kesher_error *error)
{
    struct ks_home_lock lock;
    if (!ks_account_file_exists(home))
        return change_passphrase(home, passphrase, seal, error); /* which says so */
    enum kesher_status status = lock_file(home, &lock, error);
    if (status != KESHER_OK)
        return status;
    status = change_passphrase(home, passphrase, seal, error);
    ks_home_lock_close(&lock);
    return status;
}

enum kesher_status kesher_home_set_passphrase(const struct kesher_home *home,
                                              const struct kesher_passphrase *passphrase,
                                              struct kesher_error *error)
{
    return change_under_lock(home, passphrase, true, error);
}

enum kesher_status kesher_home_remove_passphrase(const struct kesher_home *home,
                                                 const struct kesher_passphrase *passphrase,
                                                 struct kesher_error *error)
{
    return change_under_lock(home, passphrase, false, error);
}
