/* account_making.c — see <kesher/account.h>: an account that is new, or that takes a classic identity's
 * place.
 *
 * The order is what makes both safe to repeat: who the server is, then the key on disk, then the server, then
 * what it confirmed. Whatever is lost in between is asked for again with the same key.
 */
#include "base/base64url.h"
#include "base/text.h"
#include "client/account/account_internal.h"
#include "client/failure.h"
#include "client/transport/request.h"
#include "crypto/secret.h"

#include <string.h>

/* What is made, and from what. */
struct making {
    struct kesher_account *account;
    struct kesher_home *home;
    const char *name;                   /* of a new account */
    char code[KS_INVITATION_TEXT_SIZE]; /* a secret; empty for none */
    struct kesher_identity *identity;   /* that is adopted; NULL for a new account */
    bool sealed;
    struct ks_account_facts facts;
};

/* ---- before the server hears of anything ---- */

static enum kesher_status take_invitation(struct making *making, const char *link, const char *invitation,
                                          struct kesher_error *error)
{
    struct ks_link parsed;
    const char *why = "";
    uint8_t code[KS_INVITATION_SIZE];
    if (ks_link_parse(link, strlen(link), &parsed, &why) != KS_OK)
        return ks_failure(error, KESHER_INVALID, "this is no link to a server: %s", why);
    if (parsed.has_code)
        ks_base64url_encode(parsed.code, sizeof parsed.code, making->code);
    ks_secret_wipe(&parsed, sizeof parsed);
    if (invitation == NULL)
        return KESHER_OK;
    enum ks_result result = ks_base64url_decode(invitation, strlen(invitation), code, sizeof code);
    if (result == KS_OK)
        ks_base64url_encode(code, sizeof code, making->code);
    ks_secret_wipe(code, sizeof code);
    return result == KS_OK
               ? KESHER_OK
               : ks_failure(error, KESHER_INVALID,
                            "this is no invitation; one has %d characters, as kesherd invite prints "
                            "them",
                            KS_INVITATION_TEXT_SIZE - 1);
}

static enum kesher_status check_name(const char *name, struct kesher_error *error)
{
    size_t size = strlen(name);
    if (size <= KS_ACCOUNT_NAME_LIMIT && ks_account_text_is_name(name, size))
        return KESHER_OK;
    return ks_failure(error, KESHER_INVALID,
                      "the name of an account has 1 to %d bytes of letters, digits and signs; choose another",
                      KS_ACCOUNT_NAME_LIMIT);
}

/* Another account, or a classic identity, is not lost by accident. */
static enum kesher_status check_home(const struct making *making, struct kesher_error *error)
{
    struct kesher_account_card card;
    if (making->identity == NULL && kesher_identity_exists(making->home))
        return ks_failure(error, KESHER_EXISTS,
                          "this home holds a classic identity (me.info or my.info); kesher register --adopt "
                          "makes it an account, and for another user there is another home");
    if (!ks_account_file_exists(making->home))
        return KESHER_OK;
    enum kesher_status status = kesher_account_card(making->home, &card, error);
    if (status != KESHER_OK || !card.has_id || strcmp(card.name, making->name) == 0)
        return status;
    return ks_failure(error, KESHER_EXISTS,
                      "this home holds the account of another name already (kesher account shows it); use "
                      "another home for another user");
}

/* The server is called before a key is made: one that cannot be reached, or is not meant, leaves no home. The
 * passphrase may take its time, more than the server gives to whoever has not signed in: then it is called
 * again. */
static enum kesher_status prepare(struct making *making, struct kesher_error *error)
{
    struct ks_client_session *session = &making->account->session;
    struct ks_access *access = session->access;
    enum kesher_status status = ks_client_session_connect(session, error);
    if (status == KESHER_OK)
        status = ks_account_file_prepare(making->home, ks_access_passphrase(&session->options),
                                         making->sealed, &access->account, error);
    if (status != KESHER_OK)
        return status;
    access->has_account = true;
    if (access->account.is_sealed)
        ks_client_session_disconnect(session);
    return KESHER_OK;
}

/* ---- the server ---- */

static enum kesher_status perform_registration(struct ks_client_session *session, void *context,
                                               struct kesher_error *error)
{
    struct making *making = context;
    const struct ks_signer signer = ks_access_signer(session->access);
    if (making->identity == NULL)
        return ks_sign_in_register(session->channel, &signer, making->name, making->code, &making->facts,
                                   error);
    return ks_sign_in_adopt(session->channel, &signer, making->identity, &making->facts, error);
}

/* Whether the account is there already: the answer to an adoption was lost, now or in an earlier life of the
 * program. */
static enum kesher_status perform_sign_in(struct ks_client_session *session, void *context,
                                          struct kesher_error *error)
{
    struct making *making = context;
    const struct ks_signer signer = ks_access_signer(session->access);
    return ks_sign_in(session->channel, &signer, &making->facts, error);
}

static enum kesher_status run(struct making *making,
                              enum kesher_status (*perform)(struct ks_client_session *session, void *context,
                                                            struct kesher_error *error),
                              struct kesher_error *error)
{
    const struct ks_request request = {.repeat = KS_REQUEST_UNTIL_ANSWERED,
                                       .doing = "register the account",
                                       .perform = perform,
                                       .context = making};
    return ks_request_run(&making->account->session, &request, NULL, error);
}

static enum kesher_status ask_server(struct making *making, struct kesher_error *error)
{
    enum kesher_status status = run(making, perform_registration, error);
    if (making->identity == NULL || status != KESHER_REFUSED)
        return status;
    return run(making, perform_sign_in, NULL) == KESHER_OK ? KESHER_OK : status;
}

/* ---- what it confirmed ---- */

/* A server that names somebody else would have its user known, and written down here, by that name. */
static enum kesher_status judge_name(const struct making *making, struct kesher_error *error)
{
    char told[KS_TEXT_FIELD_SIZE];
    const char *name = making->facts.name;
    if (name[0] == '\0' || strcmp(name, making->name) == 0)
        return KESHER_OK;
    ks_text_escape_quoted(name, strlen(name), told, sizeof told);
    return ks_failure(error, KESHER_PROTOCOL,
                      "%s answered that this account is '%s', which is not the name that was asked for",
                      making->account->session.shown, told);
}

static enum kesher_status keep(struct making *making, struct kesher_error *error)
{
    struct ks_client_session *session = &making->account->session;
    enum kesher_status status = ks_access_keep(session->access, &making->facts, error);
    if (status == KESHER_OK && making->identity != NULL)
        status = ks_identity_retire(making->home, error);
    session->access->registers = false;
    return status;
}

static enum kesher_status make(struct making *making, struct kesher_error *error)
{
    struct ks_access *access = making->account->session.access;
    access->registers = true;
    access->new_home = making->home;
    enum kesher_status status = check_home(making, error);
    if (status == KESHER_OK)
        status = prepare(making, error);
    if (status == KESHER_OK)
        status = ask_server(making, error);
    if (status == KESHER_OK)
        status = judge_name(making, error);
    return status == KESHER_OK ? keep(making, error) : status;
}

static enum kesher_status make_at(struct making *making, const char *link,
                                  const struct kesher_registration *registration,
                                  const struct kesher_options *options, struct kesher_account **account,
                                  struct kesher_error *error)
{
    making->sealed = registration != NULL && registration->sealed;
    enum kesher_status status =
        take_invitation(making, link, registration != NULL ? registration->invitation : NULL, error);
    if (status == KESHER_OK)
        status = ks_account_new(making->home, link, options, &making->account, error);
    if (status == KESHER_OK)
        status = make(making, error);
    if (status == KESHER_OK)
        *account = making->account;
    else
        kesher_account_close(making->account);
    kesher_identity_free(making->identity);
    ks_secret_wipe(making, sizeof *making);
    return status;
}

/* ---- the calls ---- */

enum kesher_status kesher_account_register(struct kesher_home *home, const char *link, const char *name,
                                           const struct kesher_registration *registration,
                                           const struct kesher_options *options,
                                           struct kesher_account **account, struct kesher_error *error)
{
    struct making making = {.home = home, .name = name};
    enum kesher_status status = check_name(name, error);
    return status == KESHER_OK ? make_at(&making, link, registration, options, account, error) : status;
}

enum kesher_status kesher_account_adopt(struct kesher_home *home, const char *link,
                                        const struct kesher_registration *registration,
                                        const struct kesher_options *options, struct kesher_account **account,
                                        struct kesher_error *error)
{
    struct making making = {.home = home};
    enum kesher_status status = kesher_identity_load(home, &making.identity, error);
    if (status != KESHER_OK)
        return status;
    making.name = making.identity->name;
    return make_at(&making, link, registration, options, account, error);
}
