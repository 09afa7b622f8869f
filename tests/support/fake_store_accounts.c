/* fake_store_accounts.c — see fake_store.h: accounts, invitations, and names of removed accounts. */
#include "support/fake_store_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static void to_lower(const char *text, char lower[static KS_SKELETON_SIZE])
{
    memset(lower, 0, KS_SKELETON_SIZE);
    for (size_t i = 0; text[i] != '\0' && i < KS_SKELETON_SIZE - 1; i++)
        lower[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
}

/* ---- skeletons ---- */

/* NULL stands for the name in lower case. */
static bool has_skeleton(const char *name, const char *given, const char *skeleton)
{
    char lower[KS_SKELETON_SIZE];
    if (given != NULL)
        return strcmp(given, skeleton) == 0;
    to_lower(name, lower);
    return strcmp(lower, skeleton) == 0;
}

static char *copy_skeleton(const char *skeleton)
{
    return skeleton != NULL && skeleton[0] != '\0' ? strdup(skeleton) : NULL;
}

static const struct fake_retired *find_retired_skeleton(const struct fake_store *fake, const char *skeleton)
{
    for (unsigned i = 0; i < fake->retired_count; i++)
        if (has_skeleton(fake->retired[i].name, fake->retired[i].skeleton, skeleton))
            return &fake->retired[i];
    return NULL;
}

static const struct fake_user *find_skeleton(const struct fake_store *fake, const char *skeleton,
                                             bool accounts_only)
{
    for (unsigned i = 0; i < fake->user_count; i++)
        if ((fake->users[i].user.is_account || !accounts_only) &&
            has_skeleton(fake->users[i].user.name, fake->users[i].skeleton, skeleton))
            return &fake->users[i];
    return NULL;
}

bool fake_store_is_like(const struct fake_store *fake, const char *name, const char *given,
                        bool accounts_only)
{
    char skeleton[KS_SKELETON_SIZE];
    if (given[0] != '\0')
        snprintf(skeleton, sizeof skeleton, "%s", given);
    else
        to_lower(name, skeleton);
    return find_skeleton(fake, skeleton, accounts_only) != NULL ||
           find_retired_skeleton(fake, skeleton) != NULL;
}

void fake_store_name_holder(struct ks_store *store, struct ks_store_name_holder *request)
{
    const struct fake_store *fake = fake_store_of(store);
    const struct fake_user *user = find_skeleton(fake, request->skeleton, true);
    if (user == NULL)
        user = find_skeleton(fake, request->skeleton, false);
    bool is_retired = user == NULL && find_retired_skeleton(fake, request->skeleton) != NULL;
    memset(&request->id, 0, sizeof request->id);
    if (user != NULL)
        request->id = user->user.id;
    fake_store_complete(store, &request->request, user != NULL || is_retired ? KS_OK : KS_NOT_FOUND);
}

/* ---- who it is ---- */

static struct fake_user *find_key(struct fake_store *fake, const uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    for (unsigned i = 0; i < fake->user_count; i++)
        if (fake->users[i].user.is_account &&
            memcmp(fake->users[i].account_key, key, KS_ACCOUNT_KEY_SIZE) == 0)
            return &fake->users[i];
    return NULL;
}

static void describe(const struct fake_user *user, struct ks_account *account)
{
    *account = (struct ks_account){.id = user->user.id,
                                   .has_classic_id = user->user.has_classic_id,
                                   .registered = user->account_registered};
    memcpy(account->key, user->account_key, sizeof account->key);
    memcpy(account->name, user->user.name, sizeof account->name);
}

enum ks_result fake_store_classic_id(struct ks_store *store, const struct ks_client_id *shown,
                                     struct ks_client_id *id)
{
    const struct fake_store *fake = fake_store_of(store);
    const struct fake_user *user = fake_store_find(store, shown);
    if (user != NULL && user->user.is_account) {
        memset(id, 0, sizeof *id);
        return KS_NOT_FOUND;
    }
    struct ks_client_id found = *shown;
    for (unsigned i = 0; i < fake->user_count && user == NULL; i++)
        if (fake->users[i].user.has_classic_id && fake_store_same(&fake->users[i].classic_id, shown))
            found = fake->users[i].user.id;
    *id = found;
    return KS_OK;
}

void fake_store_sign_in(struct ks_store *store, struct ks_store_sign_in *request)
{
    const struct fake_user *user = find_key(fake_store_of(store), request->key);
    if (user != NULL)
        describe(user, &request->account);
    fake_store_complete(store, &request->request, user != NULL ? KS_OK : KS_NOT_FOUND);
}

/* ---- changes of an account ---- */

static bool is_hidden(const struct fake_user *user)
{
    return user->user.is_account && !user->user.has_classic_id;
}

/* The classic side of a user: nothing of before is left. */
static void set_classic(struct fake_store *fake, struct fake_user *user, bool was_hidden,
                        const struct ks_client_id *classic_id, const uint8_t *public_key)
{
    user->user.has_classic_id = classic_id != NULL;
    user->user.has_public_key = public_key != NULL;
    if (classic_id != NULL)
        user->classic_id = *classic_id;
    if (public_key != NULL)
        memcpy(user->public_key, public_key, sizeof user->public_key);
    ks_content_key_release(user->content_key);
    user->content_key = NULL;
    fake->list_changes += is_hidden(user) != was_hidden ? 1 : 0;
}

static void set_key(struct fake_store *fake, struct fake_user *user,
                    const uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    bool was_hidden = is_hidden(user);
    if (!user->user.is_account)
        user->account_registered = fake_store_wall_seconds(fake);
    user->user.is_account = true;
    // NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): a member of a request
    memcpy(user->account_key, key, sizeof user->account_key);
    set_classic(fake, user, was_hidden, NULL, NULL);
}

static enum ks_result adopt(struct fake_store *fake, struct fake_user *user,
                            const struct ks_store_adopt *request)
{
    if (user == NULL)
        return KS_NOT_FOUND;
    if (user->user.is_account)
        return memcmp(user->account_key, request->key, sizeof request->key) == 0 ? KS_OK : KS_NOT_FOUND;
    if (find_key(fake, request->key) != NULL)
        return KS_EXISTS;
    set_key(fake, user, request->key);
    return KS_OK;
}

void fake_store_adopt(struct ks_store *store, struct ks_store_adopt *request)
{
    struct fake_user *user = fake_store_find(store, &request->id);
    enum ks_result result = fake_store_take_failure(store);
    if (result == KS_OK)
        result = adopt(fake_store_of(store), user, request);
    if (result == KS_OK)
        describe(user, &request->account);
    fake_store_complete(store, &request->request, result);
}

void fake_store_set_classic(struct ks_store *store, struct ks_store_set_classic *request)
{
    struct fake_store *fake = fake_store_of(store);
    struct fake_user *user = fake_store_find(store, &request->id);
    enum ks_result result = fake_store_take_failure(store);
    if (result == KS_OK && (user == NULL || !user->user.is_account))
        result = KS_NOT_FOUND;
    if (result == KS_OK && request->on) {
        request->classic_id = fake_store_next_id(fake);
        set_classic(fake, user, is_hidden(user), &request->classic_id, request->public_key);
    } else if (result == KS_OK) {
        set_classic(fake, user, is_hidden(user), NULL, NULL);
    }
    fake_store_complete(store, &request->request, result);
}

/* ---- names of removed accounts ---- */

void fake_store_retire(struct fake_store *fake, struct fake_user *user)
{
    if (user->user.is_account && fake->retired_count < FAKE_RETIRED_LIMIT) {
        struct fake_retired *retired = &fake->retired[fake->retired_count++];
        retired->id = user->user.id;
        memcpy(retired->name, user->user.name, sizeof retired->name);
        retired->skeleton = user->skeleton;
        user->skeleton = NULL;
    }
    free(user->skeleton);
    user->skeleton = NULL;
}

void fake_store_forget_names(struct fake_store *fake)
{
    for (unsigned i = 0; i < fake->retired_count; i++)
        free(fake->retired[i].skeleton);
    for (unsigned i = 0; i < fake->user_count; i++)
        free(fake->users[i].skeleton);
    fake->retired_count = 0;
}

/* True, and its id, when there is one of this name, which comes back. */
static bool take_retired(struct fake_store *fake, const char *name, struct ks_client_id *id)
{
    for (unsigned i = 0; i < fake->retired_count; i++) {
        if (strcmp(fake->retired[i].name, name) != 0)
            continue;
        *id = fake->retired[i].id;
        free(fake->retired[i].skeleton);
        fake->retired[i] = fake->retired[--fake->retired_count];
        return true;
    }
    return false;
}

/* ---- invitations ---- */

static struct fake_invitation *find_invitation(struct fake_store *fake,
                                               const uint8_t hash[static KS_INVITATION_HASH_SIZE])
{
    for (unsigned i = 0; i < fake->invitation_count; i++)
        if (memcmp(fake->invitations[i].hash, hash, KS_INVITATION_HASH_SIZE) == 0)
            return &fake->invitations[i];
    return NULL;
}

static enum ks_result invite(struct fake_store *fake, const struct ks_store_invite *request)
{
    if (find_invitation(fake, request->invitation) != NULL)
        return KS_EXISTS;
    if (fake->invitation_count == FAKE_INVITATIONS_LIMIT)
        return KS_TOO_LARGE;
    struct fake_invitation *invitation = &fake->invitations[fake->invitation_count++];
    *invitation = (struct fake_invitation){.uses = request->uses, .until = request->until};
    memcpy(invitation->hash, request->invitation, sizeof invitation->hash);
    memcpy(invitation->name, request->name, sizeof invitation->name);
    return KS_OK;
}

void fake_store_invite(struct ks_store *store, struct ks_store_invite *request)
{
    enum ks_result failure = fake_store_take_failure(store);
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure : invite(fake_store_of(store), request));
}

static bool may_use(const struct fake_store *fake, const struct fake_invitation *invitation, const char *name)
{
    if (invitation == NULL)
        return false;
    bool is_over = invitation->until != 0 && fake_store_wall_seconds(fake) >= invitation->until;
    return !is_over && (invitation->name[0] == '\0' || strcmp(invitation->name, name) == 0);
}

static void use_up(struct fake_store *fake, struct fake_invitation *invitation)
{
    if (--invitation->uses == 0)
        *invitation = fake->invitations[--fake->invitation_count];
}

/* ---- registering ---- */

/* A new user, with this id, or a fresh one for NULL. */
static enum ks_result add_account(struct fake_store *fake, struct ks_store_register_account *request,
                                  const struct ks_client_id *id)
{
    struct fake_user *user = NULL;
    enum ks_result result = fake_store_add(fake, request->name, &user);
    if (result != KS_OK)
        return result;
    user->user.id = id != NULL ? *id : user->user.id;
    user->skeleton = copy_skeleton(request->skeleton);
    user->user.is_account = true; /* nobody has seen it otherwise */
    user->account_registered = user->registered;
    set_key(fake, user, request->key);
    describe(user, &request->account);
    return KS_OK;
}

/* With an invitation for this very name. */
static enum ks_result give_name(struct fake_store *fake, struct ks_store_register_account *request)
{
    struct ks_client_id id;
    struct fake_user *user = fake_store_find_name(&fake->store, request->name);
    if (user != NULL && !user->user.is_account)
        return KS_EXISTS;
    if (user != NULL) {
        set_key(fake, user, request->key);
        describe(user, &request->account);
        request->replaced = true;
        return KS_OK;
    }
    if (fake_store_is_full(fake))
        return KS_TOO_LARGE;
    if (take_retired(fake, request->name, &id))
        return add_account(fake, request, &id);
    if (fake_store_is_like(fake, request->name, request->skeleton, false))
        return KS_EXISTS;
    return add_account(fake, request, NULL);
}

static enum ks_result register_account(struct fake_store *fake, struct ks_store_register_account *request)
{
    const struct fake_user *user = find_key(fake, request->key);
    if (user != NULL) {
        describe(user, &request->account);
        return strcmp(user->user.name, request->name) == 0 ? KS_OK : KS_INVALID;
    }
    struct fake_invitation *invitation =
        request->has_invitation ? find_invitation(fake, request->invitation) : NULL;
    if (request->has_invitation && !may_use(fake, invitation, request->name))
        return KS_REFUSED;
    enum ks_result result = KS_OK;
    if (invitation != NULL && invitation->name[0] != '\0')
        result = give_name(fake, request);
    else if (fake_store_is_like(fake, request->name, request->skeleton, false))
        result = KS_EXISTS;
    else
        result = add_account(fake, request, NULL);
    if (result == KS_OK && invitation != NULL)
        use_up(fake, invitation);
    return result;
}

void fake_store_register_account(struct ks_store *store, struct ks_store_register_account *request)
{
    enum ks_result failure = fake_store_take_failure(store);
    request->replaced = false;
    fake_store_complete(store, &request->request,
                        failure != KS_OK ? failure : register_account(fake_store_of(store), request));
}
