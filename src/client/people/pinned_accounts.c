/* pinned_accounts.c — see pinned_accounts.h. */
#include "client/people/pinned_accounts.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/home/account_text.h"
#include "client/people/contact.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LOCK_WAIT_MS = 30 * 1000, NAME_SHOWN = 200 };

/* What programs left that died, unless somebody is writing just now. */
static void sweep(struct ks_pinned_accounts *accounts)
{
    if (ks_home_lock_take(&accounts->lock, 0, "changing what is known of an account", NULL) != KESHER_OK)
        return;
    ks_home_files_sweep(accounts->directory, 0);
    ks_home_lock_release(&accounts->lock);
}

enum kesher_status ks_pinned_accounts_open(struct ks_pinned_accounts *accounts,
                                           const struct kesher_home *home, struct kesher_error *error)
{
    *accounts = (struct ks_pinned_accounts){.lock = KS_HOME_LOCK_NONE};
    enum kesher_status status = ks_home_files_directory(home, "accounts", &accounts->directory, error);
    if (status == KESHER_OK)
        status = ks_home_lock_open(&accounts->lock, accounts->directory, "lock", error);
    if (status == KESHER_OK)
        sweep(accounts);
    else
        ks_pinned_accounts_close(accounts);
    return status;
}

void ks_pinned_accounts_close(struct ks_pinned_accounts *accounts)
{
    if (accounts->directory == NULL)
        return;
    ks_home_lock_close(&accounts->lock);
    kesher_home_close(accounts->directory);
    *accounts = (struct ks_pinned_accounts){.lock = KS_HOME_LOCK_NONE};
}

/* ---- one file ---- */

static enum kesher_status file_name_of(const char *name, char file_name[static KS_CONTACT_FILE_NAME_SIZE],
                                       struct kesher_error *error)
{
    if (!ks_account_text_is_name(name, strlen(name)))
        return ks_failure(error, KESHER_INVALID, "this is no name of an account");
    if (ks_contact_file_name(name, file_name) != KS_OK)
        return ks_failure(error, KESHER_CRYPTO, "cannot compute the digest of a name");
    return KESHER_OK;
}

static enum kesher_status fail_broken(const struct ks_pinned_accounts *accounts, const char *file_name,
                                      struct kesher_error *error)
{
    char shown[300];
    const char *path = accounts->directory->path;
    return ks_failure(
        error, KESHER_INVALID,
        "%s in '%s' is broken; restore it from a copy, or remove it to forget this account's key", file_name,
        ks_text_escape(path, strlen(path), shown, sizeof shown));
}

enum kesher_status ks_pinned_accounts_load(const struct ks_pinned_accounts *accounts, const char *name,
                                           struct ks_pinned_account *account, struct kesher_error *error)
{
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    struct ks_buffer text = ks_buffer_empty(KS_PINNED_ACCOUNT_TEXT_LIMIT);
    memset(account, 0, sizeof *account);
    enum kesher_status status = file_name_of(name, file_name, error);
    if (status == KESHER_OK)
        status = ks_home_files_read(accounts->directory, file_name, &text, error);
    if (status == KESHER_OK) {
        enum ks_result result = ks_pinned_account_parse(text.bytes, text.size, account);
        if (result == KS_NO_MEMORY)
            status = ks_failure_no_memory(error);
        else if (result != KS_OK || strcmp(account->name, name) != 0)
            status = fail_broken(accounts, file_name, error);
    }
    ks_buffer_free(&text);
    if (status != KESHER_OK)
        memset(account, 0, sizeof *account);
    if (status == KESHER_NOT_FOUND) /* so the name is one */
        memcpy(account->name, name, strlen(name));
    return status;
}

static enum kesher_status write_file(const struct ks_pinned_accounts *accounts,
                                     const struct ks_pinned_account *account, struct kesher_error *error)
{
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    struct ks_buffer text = ks_buffer_empty(KS_PINNED_ACCOUNT_TEXT_LIMIT);
    enum kesher_status status = file_name_of(account->name, file_name, error);
    enum ks_result result = ks_pinned_account_format(account, &text);
    if (status == KESHER_OK && result != KS_OK)
        status = ks_failure_from_result(error, result, "cannot remember this account");
    if (status == KESHER_OK)
        status = ks_home_files_write(accounts->directory, file_name, &text, error);
    ks_buffer_free(&text);
    return status;
}

static enum kesher_status check_room(const struct ks_pinned_accounts *accounts, struct kesher_error *error)
{
    unsigned count = 0;
    DIR *entries = NULL;
    const struct dirent *entry = NULL;
    enum kesher_status status = ks_home_files_list(accounts->directory, &entries, error);
    if (status != KESHER_OK)
        return status;
    while ((entry = readdir(entries)) != NULL) /* NOLINT(concurrency-mt-unsafe): a stream of our own */
        count += ks_contact_is_file_name(entry->d_name) ? 1 : 0;
    closedir(entries);
    if (count < KS_PINNED_ACCOUNTS_LIMIT)
        return KESHER_OK;
    return ks_failure(error, KESHER_INVALID,
                      "this home knows %d accounts, and that is its limit; forget some of them",
                      KS_PINNED_ACCOUNTS_LIMIT);
}

/* ---- changes ---- */

static bool is_same(const uint8_t *one, const uint8_t *other)
{
    return memcmp(one, other, KS_ED25519_PUBLIC_SIZE) == 0;
}

static enum kesher_status fail_changed(const char *name, const uint8_t *pinned, const uint8_t *given,
                                       struct kesher_error *error)
{
    char shown[NAME_SHOWN];
    char pinned_shown[KS_SHORT_FINGERPRINT_SIZE];
    char given_shown[KS_SHORT_FINGERPRINT_SIZE];
    if (ks_account_key_short_fingerprint(pinned, pinned_shown) != KS_OK ||
        ks_account_key_short_fingerprint(given, given_shown) != KS_OK)
        return ks_failure(error, KESHER_CRYPTO, "cannot compute the fingerprint of an account");
    return ks_failure(
        error, KESHER_CHANGED,
        "the key of \"%s\" has CHANGED: it is given as %s now, and %s is the pinned one; this may "
        "be an attack: compare it with the user in another way, and accept it only if it is "
        "really new (kesher verify USER)",
        ks_text_escape_quoted(name, strlen(name), shown, sizeof shown), given_shown, pinned_shown);
}

/* What a change does to an account that is loaded, and pinned unless `exists` is false. Sets *is_written when
 * it is to be written, also with an error. */
typedef enum kesher_status change_account(struct ks_pinned_account *account, bool exists, const uint8_t *key,
                                          bool *is_written, struct kesher_error *error);

static enum kesher_status write_change(const struct ks_pinned_accounts *accounts,
                                       const struct ks_pinned_account *account, bool exists,
                                       struct kesher_error *error)
{
    enum kesher_status status = exists ? KESHER_OK : check_room(accounts, error);
    return status == KESHER_OK ? write_file(accounts, account, error) : status;
}

static enum kesher_status change(struct ks_pinned_accounts *accounts, const char *name, const uint8_t *key,
                                 change_account *change_it, struct ks_pinned_account *account,
                                 struct kesher_error *error)
{
    bool is_written = false;
    enum kesher_status status =
        ks_home_lock_take(&accounts->lock, LOCK_WAIT_MS, "changing what is known of an account", error);
    if (status != KESHER_OK)
        return status;
    status = ks_pinned_accounts_load(accounts, name, account, error);
    const bool exists = status == KESHER_OK;
    if (exists || status == KESHER_NOT_FOUND)
        status = change_it(account, exists, key, &is_written, error);
    /* That a key has changed is the news, also when it cannot be written down. */
    if (is_written && status != KESHER_OK)
        (void)write_change(accounts, account, exists, NULL);
    else if (is_written)
        status = write_change(accounts, account, exists, error);
    ks_home_lock_release(&accounts->lock);
    return status;
}

static enum kesher_status see(struct ks_pinned_account *account, bool exists, const uint8_t *key,
                              bool *is_written, struct kesher_error *error)
{
    if (!exists) {
        memcpy(account->key, key, sizeof account->key);
        *is_written = true;
        return KESHER_OK;
    }
    if (is_same(account->key, key)) {
        *is_written = account->has_offered;
        account->has_offered = false;
        memset(account->offered, 0, sizeof account->offered);
        return KESHER_OK;
    }
    *is_written = !account->has_offered || !is_same(account->offered, key);
    account->has_offered = true;
    memcpy(account->offered, key, sizeof account->offered);
    return fail_changed(account->name, account->key, key, error);
}

enum kesher_status ks_pinned_accounts_see(struct ks_pinned_accounts *accounts, const char *name,
                                          const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                          struct ks_pinned_account *account, bool *is_new,
                                          struct kesher_error *error)
{
    struct ks_pinned_account before;
    const bool was_known = ks_pinned_accounts_load(accounts, name, &before, NULL) == KESHER_OK;
    /* The usual case needs neither lock nor write. */
    if (was_known && is_same(before.key, key) && !before.has_offered) {
        *account = before;
        if (is_new != NULL)
            *is_new = false;
        return KESHER_OK;
    }
    enum kesher_status status = change(accounts, name, key, see, account, error);
    if (is_new != NULL)
        *is_new = status == KESHER_OK && !was_known;
    return status;
}

static enum kesher_status fail_unknown(const char *name, struct kesher_error *error)
{
    char shown[NAME_SHOWN];
    return ks_failure(error, KESHER_NOT_FOUND, "nothing is known of an account \"%s\" in this home",
                      ks_text_escape_quoted(name, strlen(name), shown, sizeof shown));
}

static enum kesher_status verify(struct ks_pinned_account *account, bool exists, const uint8_t *key,
                                 bool *is_written, struct kesher_error *error)
{
    if (!exists)
        return fail_unknown(account->name, error);
    if (account->has_offered)
        return fail_changed(account->name, account->key, account->offered, error);
    if (!is_same(account->key, key))
        return fail_changed(account->name, account->key, key, error);
    *is_written = !account->is_verified;
    account->is_verified = true;
    return KESHER_OK;
}

enum kesher_status ks_pinned_accounts_verify(struct ks_pinned_accounts *accounts, const char *name,
                                             const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                             struct kesher_error *error)
{
    struct ks_pinned_account account;
    return change(accounts, name, key, verify, &account, error);
}

static enum kesher_status accept_key(struct ks_pinned_account *account, bool exists, const uint8_t *key,
                                     bool *is_written, struct kesher_error *error)
{
    if (!exists)
        return fail_unknown(account->name, error);
    if (!account->has_offered)
        return is_same(account->key, key) ? KESHER_OK : fail_changed(account->name, account->key, key, error);
    if (!is_same(account->offered, key))
        return fail_changed(account->name, account->key, account->offered, error);
    memcpy(account->key, key, sizeof account->key);
    memset(account->offered, 0, sizeof account->offered);
    account->has_offered = false;
    account->is_verified = false;
    *is_written = true;
    return KESHER_OK;
}

static enum kesher_status accept_compared(struct ks_pinned_account *account, bool exists, const uint8_t *key,
                                          bool *is_written, struct kesher_error *error)
{
    enum kesher_status status = accept_key(account, exists, key, is_written, error);
    if (status != KESHER_OK)
        return status;
    *is_written = *is_written || !account->is_verified;
    account->is_verified = true;
    return KESHER_OK;
}

enum kesher_status ks_pinned_accounts_accept(struct ks_pinned_accounts *accounts, const char *name,
                                             const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                             bool is_verified, struct kesher_error *error)
{
    struct ks_pinned_account account;
    return change(accounts, name, key, is_verified ? accept_compared : accept_key, &account, error);
}

enum kesher_status ks_pinned_accounts_forget(struct ks_pinned_accounts *accounts, const char *name,
                                             struct kesher_error *error)
{
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    enum kesher_status status = file_name_of(name, file_name, error);
    if (status == KESHER_OK)
        status =
            ks_home_lock_take(&accounts->lock, LOCK_WAIT_MS, "changing what is known of an account", error);
    if (status != KESHER_OK)
        return status;
    const int directory_fd = accounts->directory->directory_fd;
    if (!ks_home_files_exists(accounts->directory, file_name))
        status = fail_unknown(name, error);
    else if (unlinkat(directory_fd, file_name, 0) != 0 || fsync(directory_fd) != 0)
        status = ks_home_files_failure(accounts->directory, errno, "remove", file_name, error);
    ks_home_lock_release(&accounts->lock);
    return status;
}
