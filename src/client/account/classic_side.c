/* classic_side.c — see kesher_account_set_classic in <kesher/account.h>: an account on the classic ports. */
#include "base/text.h"
#include "client/account/account_internal.h"
#include "client/failure.h"
#include "crypto/secret.h"

#include <string.h>

/* The entries of a 3007 that switches it on, with the key that classic users are told, or off. */
static enum kesher_status switch_to(struct kesher_account *account, const struct kesher_identity *identity,
                                    struct ks_account_facts *facts, struct kesher_error *error)
{
    uint8_t list[KS_SECURE_PAYLOAD_LIMIT];
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    const uint8_t on = identity != NULL ? 1 : 0;
    size_t size = 0;
    enum kesher_status status =
        identity != NULL ? ks_identity_public_key(identity, public_key, error) : KESHER_OK;
    if (status != KESHER_OK)
        return status;
    enum ks_result result = ks_list_add(list, sizeof list, &size, KS_ACCOUNT_ENTRY_CLASSIC, &on, sizeof on);
    if (result == KS_OK && identity != NULL)
        result = ks_list_add(list, sizeof list, &size, KS_ACCOUNT_ENTRY_CLASSIC_KEY, public_key,
                             sizeof public_key);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "cannot write the settings of the account");
    return ks_account_change(account, list, size, facts, error);
}

/* The id is told once. Where the home does not have it, for the answer was lost, or the home is another's
 * copy, another one is made. */
static enum kesher_status ask_for_id(struct kesher_account *account, const struct kesher_identity *identity,
                                     struct ks_account_facts *facts, struct kesher_error *error)
{
    enum kesher_status status = switch_to(account, identity, facts, error);
    if (status != KESHER_OK || facts->has_classic_id)
        return status;
    status = switch_to(account, NULL, facts, error);
    if (status == KESHER_OK)
        status = switch_to(account, identity, facts, error);
    if (status != KESHER_OK || facts->has_classic_id)
        return status;
    return ks_channel_fail_protocol(account->session.channel, error, "no classic id");
}

static enum kesher_status switch_on(struct kesher_account *account, struct kesher_error *error)
{
    const struct kesher_home *home = account->session.home;
    struct kesher_identity *identity = NULL;
    struct ks_account_facts facts = {.known = 0};
    enum kesher_status status = ks_identity_check_name(kesher_account_name(account), error);
    if (status == KESHER_OK)
        status = ks_identity_prepare(home, kesher_account_name(account), &identity, error);
    if (status == KESHER_OK)
        status = ks_identity_try_room(home, error);
    if (status == KESHER_OK)
        status = ask_for_id(account, identity, &facts, error);
    if (status == KESHER_OK) {
        identity->id = facts.classic_id;
        status = ks_identity_save(home, identity, error);
    }
    ks_secret_wipe(&facts, sizeof facts);
    kesher_identity_free(identity);
    return status;
}

static enum kesher_status switch_off(struct kesher_account *account, struct kesher_error *error)
{
    struct ks_account_facts facts = {.known = 0};
    enum kesher_status status = switch_to(account, NULL, &facts, error);
    ks_secret_wipe(&facts, sizeof facts);
    return status == KESHER_OK ? ks_identity_retire(account->session.home, error) : status;
}

enum kesher_status kesher_account_set_classic(struct kesher_account *account, bool on,
                                              struct kesher_error *error)
{
    struct kesher_account_state state;
    if (!on)
        return switch_off(account, error);
    enum kesher_status status = kesher_account_ask(account, &state, error);
    if (status != KESHER_OK)
        return status;
    if (state.is_classic && kesher_identity_exists(account->session.home))
        return KESHER_OK;
    return switch_on(account, error);
}
