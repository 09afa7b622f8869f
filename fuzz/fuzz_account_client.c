/* fuzz_account_client.c — whatever a secure server may send once it was accepted, against the client: the
 * first byte of the input chooses what the client is doing, the rest is all that the server ever says; then
 * it ends.
 *
 * The client runs as it is, from signing in on, over a socket pair: TLS is left out, for no fuzzer gets
 * through it. The properties: it ends, it reads nothing beyond its buffers, every failure has a sentence, and
 * what it keeps of an account is a name and an id.
 */
#include "client/account/account_internal.h"
#include "client/people/correspondent.h"
#include "client/people/user_list.h"
#include "crypto/rsa.h"
#include "quick_account.h"

#include <kesher/kesher.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- in place of the home's identity, which would take a millisecond for each input ---- */

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */

enum kesher_status __wrap_ks_identity_prepare(const struct kesher_home *home, const char *name,
                                              struct kesher_identity **made, struct kesher_error *error);
enum kesher_status __wrap_ks_identity_save(const struct kesher_home *home,
                                           const struct kesher_identity *saved, struct kesher_error *error);

enum kesher_status __wrap_ks_identity_try_room(const struct kesher_home *home, struct kesher_error *error);

/* A key pair for the classic ports: the one that there is. */
static const struct kesher_identity *identity(void);

enum kesher_status __wrap_ks_identity_prepare(const struct kesher_home *home, const char *name,
                                              struct kesher_identity **made, struct kesher_error *error)
{
    struct ks_buffer der = ks_buffer_empty(0);
    (void)home;
    (void)error;
    *made = calloc(1, sizeof **made);
    require(*made != NULL && strlen(name) < sizeof(*made)->name);
    memcpy((*made)->name, name, strlen(name) + 1);
    require(ks_private_key_encode(identity()->key, &der) == KS_OK);
    require(ks_private_key_parse(der.bytes, der.size, &(*made)->key) == KS_OK);
    ks_buffer_wipe(&der);
    return KESHER_OK;
}

enum kesher_status __wrap_ks_identity_try_room(const struct kesher_home *home, struct kesher_error *error)
{
    (void)home;
    (void)error;
    return KESHER_OK;
}

enum kesher_status __wrap_ks_identity_save(const struct kesher_home *home,
                                           const struct kesher_identity *saved, struct kesher_error *error)
{
    (void)home;
    (void)error;
    require(saved->key != NULL);
    return KESHER_OK;
}

/* NOLINTEND(bugprone-reserved-identifier) */

static const struct kesher_identity *identity(void)
{
    static struct kesher_identity *made;
    if (made == NULL) {
        made = calloc(1, sizeof *made);
        require(made != NULL);
        memcpy(made->name, "Alice", 6);
        require(ks_private_key_generate(&made->key) == KS_OK);
    }
    return made;
}

/* ---- what the client is doing ---- */

static const struct kesher_options options = {.retry_ms = 1}; /* who is not there is not waited for */

static void judge(enum kesher_status status, const struct kesher_error *error)
{
    if (status != KESHER_OK)
        require(error->status == status && error->sentence[0] != '\0');
}

static void ask(struct kesher_account *account)
{
    struct kesher_account_state state;
    struct kesher_error error = {.sentence = ""};
    judge(kesher_account_ask(account, &state, &error), &error);
}

static void register_again(struct kesher_account *account)
{
    struct kesher_account *other = NULL;
    struct kesher_error error = {.sentence = ""};
    judge(kesher_account_register(quick_account_home(), QUICK_ACCOUNT_LINK, kesher_account_name(account),
                                  NULL, &options, &other, &error),
          &error);
    kesher_account_close(other);
}

/* Over a channel of its own: what is behind it changes files. */
static void adopt(struct kesher_account *account)
{
    struct ks_account_facts facts;
    struct ks_channel *channel = NULL;
    struct kesher_error error = {.sentence = ""};
    const struct ks_signer signer = ks_access_signer(account->session.access);
    require(ks_channel_over(quick_account_call(), "fuzz", 1000, &channel, NULL) == KESHER_OK);
    judge(ks_sign_in_adopt(channel, &signer, identity(), &facts, &error), &error);
    ks_channel_close(channel);
}

static void remove_account(struct kesher_account *account)
{
    struct ks_channel *channel = NULL;
    struct kesher_error error = {.sentence = ""};
    const struct ks_signer signer = ks_access_signer(account->session.access);
    require(ks_channel_over(quick_account_call(), "fuzz", 1000, &channel, NULL) == KESHER_OK);
    judge(ks_sign_in_remove(channel, &signer, &error), &error);
    ks_channel_close(channel);
}

static void switch_classic(struct kesher_account *account)
{
    struct kesher_error error = {.sentence = ""};
    judge(kesher_account_set_classic(account, true, &error), &error);
}

static bool visit(void *context, const struct kesher_user *user)
{
    (void)context;
    require(strnlen(user->name, sizeof user->name) < sizeof user->name);
    return true;
}

static void list(struct kesher_account *account)
{
    struct kesher_error error = {.sentence = ""};
    judge(ks_user_list_each(&account->session, KS_REQUEST_UNTIL_ANSWERED, visit, NULL, &error), &error);
}

static void ask_key(struct kesher_account *account)
{
    static const struct ks_client_id id = {.bytes = {'i'}};
    uint8_t key[KS_PUBLIC_KEY_SIZE];
    struct kesher_error error = {.sentence = ""};
    judge(ks_correspondent_ask_key(&account->session, &id, KS_REQUEST_UNTIL_ANSWERED, key, &error), &error);
}

/* To the end of what is said; nothing comes later, so nothing is waited for. */
static void hear(struct kesher_chat *chat)
{
    struct kesher_chat_line line = {.kind = KESHER_CHAT_TEXT};
    struct kesher_error error = {.sentence = ""};
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && line.kind != KESHER_CHAT_END && line.kind != KESHER_CHAT_NOTHING)
        status = kesher_chat_receive(chat, &line, &error);
    judge(status, &error);
}

static void talk(struct kesher_account *account)
{
    struct kesher_chat *chat = NULL;
    struct kesher_error error = {.sentence = ""};
    unsigned group = 0;
    enum kesher_status status = kesher_chat_open_account(account, &options, &chat, &error);
    if (status == KESHER_OK) {
        require(kesher_chat_proposed_name(chat)[0] != '\0');
        status = kesher_chat_create(chat, "Alice", "secret", 6, &group, &error);
    }
    judge(status, &error);
    if (chat != NULL)
        hear(chat);
    kesher_chat_close(chat);
}

/* ---- an input ---- */

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const doings[])(struct kesher_account *) = {
        ask, register_again, adopt, remove_account, switch_classic, list, ask_key, talk};
    struct kesher_account *account = NULL;
    if (size < 1 || size > QUICK_ACCOUNT_INPUT_LIMIT)
        return 0;
    require(kesher_account_open(quick_account_home(), QUICK_ACCOUNT_LINK, &options, &account, NULL) ==
            KESHER_OK);
    quick_account_prepare(bytes + 1, size - 1, false);
    doings[bytes[0] % (sizeof doings / sizeof doings[0])](account);
    kesher_account_close(account);
    quick_account_end();
    return 0;
}
