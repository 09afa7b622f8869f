/* account.c — see <kesher/account.h>. */
#include "client/account/account_internal.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/transport/request.h"
#include "client/transport/secure_request.h"
#include "crypto/account_key.h"
#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

/* ---- the card ---- */

enum kesher_status kesher_account_card(const struct kesher_home *home, struct kesher_account_card *card,
                                       struct kesher_error *error)
{
    struct ks_own_account account;
    *card = (struct kesher_account_card){.has_id = false};
    enum kesher_status status = ks_account_file_look(home, &account, error);
    if (status != KESHER_OK)
        return status;
    memcpy(card->name, account.name, sizeof card->name);
    card->has_id = account.has_public_id;
    memcpy(card->id, account.public_id, sizeof card->id);
    card->has_passphrase = account.is_sealed;
    enum ks_result result = ks_account_key_short_fingerprint(account.key, card->short_fingerprint);
    ks_own_account_wipe(&account);
    return result == KS_OK ? KESHER_OK : ks_failure_from_result(error, result, "cannot sum the account key");
}

/* ---- opening and closing ---- */

enum kesher_status ks_account_new(const struct kesher_home *home, const char *link,
                                  const struct kesher_options *options, struct kesher_account **account,
                                  struct kesher_error *error)
{
    char shown[KESHER_ADDRESS_SIZE];
    if (!ks_link_is_meant(link, strlen(link)))
        return ks_failure(
            error, KESHER_INVALID,
            "'%s' is the address of a classic server, which has no accounts; a secure one has a "
            "link, such as kesher://127.0.0.1/",
            ks_text_escape(link, strlen(link), shown, sizeof shown));
    struct kesher_account *created = calloc(1, sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    enum kesher_status status = ks_client_session_init(&created->session, home, link, options, error);
    if (status == KESHER_OK)
        *account = created;
    else
        free(created);
    return status;
}

enum kesher_status kesher_account_open(const struct kesher_home *home, const char *link,
                                       const struct kesher_options *options, struct kesher_account **account,
                                       struct kesher_error *error)
{
    struct kesher_account *created = NULL;
    enum kesher_status status = ks_account_new(home, link, options, &created, error);
    if (status != KESHER_OK)
        return status;
    status = ks_client_session_load(&created->session, error);
    if (status == KESHER_OK)
        *account = created;
    else
        kesher_account_close(created);
    return status;
}

void kesher_account_close(struct kesher_account *account)
{
    if (account == NULL)
        return;
    ks_client_session_destroy(&account->session);
    ks_secret_wipe(account, sizeof *account);
    free(account);
}

const char *kesher_account_name(const struct kesher_account *account)
{
    return ks_client_session_name(&account->session);
}

/* ---- 3007 ---- */

struct settings_run {
    const uint8_t *settings;
    size_t size;
    struct ks_account_facts *facts;
};

static enum kesher_status perform_settings(struct ks_client_session *session, void *context,
                                           struct kesher_error *error)
{
    const struct settings_run *run = context;
    uint8_t answer[KS_ACCOUNT_FACTS_LIMIT];
    struct ks_secure_request request = {.doing = run->size > 0 ? "change the account" : "show the account",
                                        .shown = session->shown,
                                        .code = KS_REQUEST_MY_ACCOUNT,
                                        .payload = run->settings,
                                        .payload_size = run->size,
                                        .expected = KS_RESPONSE_MY_ACCOUNT,
                                        .answer = answer,
                                        .capacity = sizeof answer};
    enum kesher_status status = ks_secure_request_run(session->channel, &request, error);
    if (status == KESHER_OK && ks_account_facts_parse(answer, request.answer_size, run->facts) != KS_OK)
        status = ks_channel_fail_protocol(session->channel, error, "an account that makes no sense");
    ks_secret_wipe(answer, sizeof answer); /* a classic id */
    return status;
}

enum kesher_status ks_account_change(struct kesher_account *account, const uint8_t *settings, size_t size,
                                     struct ks_account_facts *facts, struct kesher_error *error)
{
    struct settings_run run = {.settings = settings, .size = size, .facts = facts};
    const struct ks_request request = {.repeat = KS_REQUEST_UNTIL_ANSWERED,
                                       .doing = "ask for the account",
                                       .perform = perform_settings,
                                       .context = &run};
    return ks_request_run(&account->session, &request, NULL, error);
}

enum kesher_status kesher_account_ask(struct kesher_account *account, struct kesher_account_state *state,
                                      struct kesher_error *error)
{
    struct ks_account_facts facts;
    enum kesher_status status = ks_account_change(account, NULL, 0, &facts, error);
    if (status != KESHER_OK)
        return status;
    const uint64_t *numbers = facts.numbers;
    *state = (struct kesher_account_state){
        .message_limit = numbers[KS_ACCOUNT_ENTRY_MESSAGE_LIMIT],
        .files_limit = numbers[KS_ACCOUNT_ENTRY_FILES_LIMIT],
        .bytes_limit = numbers[KS_ACCOUNT_ENTRY_BYTES_LIMIT],
        .files = numbers[KS_ACCOUNT_ENTRY_FILES],
        .bytes = numbers[KS_ACCOUNT_ENTRY_BYTES],
        .puts = numbers[KS_ACCOUNT_ENTRY_PUTS],
        .put_bytes = numbers[KS_ACCOUNT_ENTRY_PUT_BYTES],
        .waiting = numbers[KS_ACCOUNT_ENTRY_WAITING],
        .waiting_bytes = numbers[KS_ACCOUNT_ENTRY_WAITING_BYTES],
        .registered = numbers[KS_ACCOUNT_ENTRY_REGISTERED] <= INT64_MAX
                          ? (int64_t)numbers[KS_ACCOUNT_ENTRY_REGISTERED]
                          : 0,
        .is_classic = numbers[KS_ACCOUNT_ENTRY_CLASSIC] == 1,
    };
    memcpy(state->name, facts.name[0] != '\0' ? facts.name : kesher_account_name(account),
           sizeof state->name);
    ks_secret_wipe(&facts, sizeof facts);
    return KESHER_OK;
}

/* ---- 3008 ---- */

static enum kesher_status perform_removal(struct ks_client_session *session, void *context,
                                          struct kesher_error *error)
{
    bool *asked = context;
    const struct ks_signer signer = ks_access_signer(session->access);
    *asked = true;
    return ks_sign_in_remove(session->channel, &signer, error);
}

enum kesher_status kesher_account_remove(struct kesher_account *account, struct kesher_error *error)
{
    bool asked = false;
    const struct ks_request request = {.repeat = KS_REQUEST_UNTIL_ANSWERED,
                                       .doing = "remove the account",
                                       .perform = perform_removal,
                                       .context = &asked};
    const struct kesher_home *home = account->session.home;
    enum kesher_status status = ks_request_run(&account->session, &request, NULL, error);
    if (status == KESHER_UNKNOWN && asked)
        status = KESHER_OK; /* the answer was lost, and this is what it would have said */
    if (status == KESHER_OK)
        status = ks_identity_retire(home, error);
    return status == KESHER_OK ? ks_account_file_retire(home, error) : status;
}
