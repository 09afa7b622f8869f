/* access.c — see access.h. */
#include "client/transport/access.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/transport/secure_dial.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

/* ---- making one ---- */

static enum kesher_status take_link(struct ks_access *access, const char *link, struct kesher_error *error)
{
    char address[KESHER_ADDRESS_SIZE];
    const char *why = "";
    if (ks_link_parse(link, strlen(link), &access->link, &why) != KS_OK)
        return ks_failure(error, KESHER_INVALID, "%s; a link is like kesher://example.org/#FINGERPRINT", why);
    ks_secret_wipe(access->link.code, sizeof access->link.code);
    access->link.has_code = false;
    ks_link_address(&access->link, &access->server);
    ks_address_format(&access->server, address, sizeof address);
    ks_text_escape(address, strlen(address), access->shown, sizeof access->shown);
    return KESHER_OK;
}

enum kesher_status ks_access_new(const struct kesher_home *home, const char *link, struct ks_access **access,
                                 struct kesher_error *error)
{
    struct ks_access *created = calloc(1, sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    created->home = home;
    enum kesher_status status = take_link(created, link, error);
    if (status == KESHER_OK)
        status = ks_trust_load(home, &created->trust, error);
    if (status == KESHER_OK)
        *access = created;
    else
        ks_access_free(created);
    return status;
}

void ks_access_free(struct ks_access *access)
{
    if (access == NULL)
        return;
    ks_tls_context_release(access->tls);
    ks_own_account_wipe(&access->account);
    ks_secret_wipe(access, sizeof *access);
    free(access);
}

static enum kesher_status fail_without_account(const struct ks_access *access, struct kesher_error *error)
{
    char shown[300];
    const char *path = kesher_home_path(access->home);
    if (!kesher_home_exists(access->home))
        return ks_failure(error, KESHER_NOT_FOUND,
                          "there is no home '%s'; look at the path, or register a name, which makes it",
                          ks_text_escape(path, strlen(path), shown, sizeof shown));
    return ks_failure(
        error, KESHER_NOT_FOUND,
        "this home has no account at %s; make one with kesher register NAME, or with kesher join "
        "LINK NAME if you were sent a link",
        access->shown);
}

const struct kesher_passphrase *ks_access_passphrase(const struct kesher_options *options)
{
    return options->passphrase.ask != NULL ? &options->passphrase : NULL;
}

enum kesher_status ks_access_load(struct ks_access *access, const struct kesher_options *options,
                                  struct kesher_error *error)
{
    if (!ks_account_file_exists(access->home))
        return fail_without_account(access, error);
    enum kesher_status status =
        ks_account_file_open(access->home, ks_access_passphrase(options), &access->account, error);
    if (status != KESHER_OK)
        return status;
    access->has_account = true;
    return access->account.has_public_id ? KESHER_OK : fail_without_account(access, error);
}

/* ---- connections ---- */

/* Before anything is said: else a crash would make the next contact the first one again. */
static enum kesher_status keep_trust(struct ks_access *access, const struct ks_trust *after,
                                     struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    if (access->new_home != NULL)
        status = ks_home_files_make(access->new_home, error);
    if (status == KESHER_OK)
        status = ks_trust_save(access->home, &access->trust, after, error);
    if (status == KESHER_OK)
        access->trust = *after;
    return status;
}

/* Calls the server, by what the home keeps now: another program may have changed it since the last call. */
static enum kesher_status call(struct ks_access *access, const struct kesher_options *options,
                               struct ks_carrier **carrier, struct kesher_error *error)
{
    enum kesher_status status = ks_trust_load(access->home, &access->trust, error);
    if (status == KESHER_OK && access->tls == NULL)
        status = ks_secure_context(&access->trust, &access->tls, error);
    if (status != KESHER_OK)
        return status;
    struct ks_trust after = access->trust;
    const struct ks_secure_call secure = {.server = &access->server,
                                          .linked =
                                              access->link.has_fingerprint ? access->link.fingerprint : NULL,
                                          .tls = access->tls,
                                          .options = options};
    status = ks_secure_dial(&secure, &after, carrier, error);
    return status == KESHER_OK ? keep_trust(access, &after, error) : status;
}

enum kesher_status ks_access_connect(struct ks_access *access, const struct kesher_options *options,
                                     struct ks_channel **channel, struct kesher_error *error)
{
    struct ks_carrier *carrier = NULL;
    enum kesher_status status = call(access, options, &carrier, error);
    if (status == KESHER_OK)
        return ks_channel_over(carrier, access->shown, options->progress_ms, channel, error);
    ks_carrier_free(carrier);
    return status;
}

struct ks_signer ks_access_signer(const struct ks_access *access)
{
    return (struct ks_signer){
        .secret = access->account.secret, .key = access->account.key, .shown = access->shown};
}

/* ---- what a server says ---- */

enum kesher_status ks_access_keep(struct ks_access *access, const struct ks_account_facts *facts,
                                  struct kesher_error *error)
{
    access->facts = *facts;
    enum kesher_status status =
        ks_account_file_confirm(access->home, access->account.key, facts->name, facts->public_id, error);
    if (status != KESHER_OK)
        return status;
    memcpy(access->account.name, facts->name, sizeof access->account.name);
    memcpy(access->account.public_id, facts->public_id, sizeof access->account.public_id);
    access->account.has_public_id = true;
    struct ks_trust after = access->trust;
    if (!ks_trust_note_next(&after, facts->has_next_key ? facts->next_key : NULL))
        return KESHER_OK;
    return keep_trust(access, &after, error);
}

/* Who has an account goes on, whether this can be written now or not. */
static void note(struct ks_access *access, const struct kesher_options *options,
                 const struct ks_account_facts *facts)
{
    struct kesher_error error;
    if (ks_access_keep(access, facts, &error) != KESHER_OK && options->observer.notice != NULL)
        options->observer.notice(options->observer.context, error.sentence);
}

static enum kesher_status sign_in(struct ks_access *access, const struct kesher_options *options,
                                  struct ks_channel *channel, struct kesher_error *error)
{
    struct ks_account_facts facts;
    const struct ks_signer signer = ks_access_signer(access);
    ks_channel_limit(channel, options->answer_ms);
    enum kesher_status status = ks_sign_in(channel, &signer, &facts, error);
    ks_channel_limit(channel, options->progress_ms);
    if (status == KESHER_OK)
        note(access, options, &facts);
    return status;
}

enum kesher_status ks_access_sign_in(struct ks_access *access, const struct kesher_options *options,
                                     struct ks_channel **channel, struct kesher_error *error)
{
    struct ks_channel *opened = NULL;
    enum kesher_status status = ks_access_connect(access, options, &opened, error);
    if (status == KESHER_OK && !access->registers)
        status = sign_in(access, options, opened, error);
    if (status == KESHER_OK)
        *channel = opened;
    else
        ks_channel_close(opened);
    return status;
}
