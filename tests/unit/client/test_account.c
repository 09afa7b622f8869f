/* Unit tests of <kesher/account.h>: making an account, whatever is lost on the way, and what is asked of it.
 */
#include "unit/client/account_fixture.h"

#include "client/home/account_file.h"
#include "client/home/identity.h"
#include "client/home/trust.h"
#include "wire/link.h"

#include <sys/stat.h>

/* ---- registering ---- */

static void registration_brings_key_trust_and_what_was_confirmed_into_the_home(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account_card card;
    struct kesher_trust trust;
    char fingerprint[KS_TLS_FINGERPRINT_TEXT_SIZE];
    struct kesher_account *account = fixture_account(fixture);
    assert_string_equal(kesher_account_name(account), "Alice");
    kesher_account_close(account);
    assert_int_equal(kesher_account_card(fixture->home, &card, NULL), KESHER_OK);
    assert_string_equal(card.name, "Alice");
    assert_true(card.has_id);
    assert_memory_equal(card.id, fixture->server->public_id, sizeof card.id);
    assert_false(card.has_passphrase);
    char expected[KS_SHORT_FINGERPRINT_SIZE];
    assert_int_equal(ks_account_key_short_fingerprint(fixture->server->account_key, expected), KS_OK);
    assert_string_equal(card.short_fingerprint, expected);
    assert_int_equal(kesher_home_trust(fixture->home, &trust, NULL), KESHER_OK);
    assert_int_equal(trust.mode, KESHER_TRUST_KEY);
    ks_tls_fingerprint_text(fixture->server->fingerprint, fingerprint);
    assert_string_equal(trust.fingerprint, fingerprint);
    assert_string_equal(trust.address, fixture->server->address);
    assert_false(fixture_has_file(fixture, "me.info"));
}

static void invitation_of_the_link_is_given_and_so_is_one_beside_it(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    static const char code[] = "AAECAwQFBgcICQoLDA0ODw";
    static const char other[] = "DwAOAQ0CDAMLBAoFCQYIBw";
    const struct kesher_registration registration = {.invitation = other};
    char link[KS_LINK_SIZE];
    assert_true(snprintf(link, sizeof link, "kesher://%s/join#%s", fixture->server->address, code) > 0);
    assert_int_equal(
        kesher_account_register(fixture->home, link, "Alice", NULL, &fixture->options, &account, NULL),
        KESHER_OK);
    kesher_account_close(account);
    assert_string_equal(fixture->server->invitation, code);
    assert_int_equal(kesher_account_register(fixture->home, fixture->server->link, "Alice", &registration,
                                             &fixture->options, &account, NULL),
                     KESHER_OK);
    kesher_account_close(account);
    assert_string_equal(fixture->server->invitation, other);
}

static void text_that_is_no_invitation_never_reaches_the_server(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    const struct kesher_registration registration = {.invitation = "please"};
    assert_int_equal(kesher_account_register(fixture->home, fixture->server->link, "Alice", &registration,
                                             &fixture->options, &account, NULL),
                     KESHER_INVALID);
    assert_int_equal(fixture->server->connections, 0);
}

static void name_that_cannot_be_one_never_reaches_the_server(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    char name[KS_ACCOUNT_NAME_LIMIT + 2];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_int_equal(fixture_register(fixture, name, &account, NULL), KESHER_INVALID);
    assert_int_equal(fixture_register(fixture, "", &account, NULL), KESHER_INVALID);
    assert_int_equal(fixture_register(fixture, "two\nlines", &account, NULL), KESHER_INVALID);
    assert_int_equal(fixture->server->connections, 0);
    assert_false(ks_account_file_exists(fixture->home));
}

static void server_that_is_not_there_leaves_no_key(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    assert_int_equal(kesher_account_register(fixture->home, "kesher://127.0.0.1:1/", "Alice", NULL,
                                             &fixture->options, &account, NULL),
                     KESHER_CONNECTION);
    assert_false(ks_account_file_exists(fixture->home));
}

static void classic_address_has_no_accounts(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    assert_int_equal(kesher_account_register(fixture->home, fixture->server->address, "Alice", NULL,
                                             &fixture->options, &account, NULL),
                     KESHER_INVALID);
    assert_int_equal(fixture->server->connections, 0);
}

/* The answer is cut off: the same key and name are asked for again, on another connection, at once. */
static void lost_answer_to_a_registration_is_asked_for_again(void **state)
{
    struct account_fixture *fixture = *state;
    const struct secure_lie lie = {.request = KS_REQUEST_REGISTER_ACCOUNT, .end = SECURE_CUTS};
    secure_tell_lie(fixture->server, &lie);
    kesher_account_close(fixture_account(fixture));
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_REGISTER_ACCOUNT), 2);
}

/* The program died before it knew: the home has a key, and the server an account. */
static void registration_is_repeated_with_the_key_that_the_home_has(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    struct kesher_error error;
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    const struct secure_lie lie = {.request = KS_REQUEST_REGISTER_ACCOUNT, .end = SECURE_CUTS};
    secure_tell_lie(fixture->server, &lie);
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(fixture_register(fixture, "Alice", &account, &error), KESHER_CONNECTION);
    assert_true(ks_account_file_exists(fixture->home));
    struct ks_own_account kept;
    assert_int_equal(ks_account_file_look(fixture->home, &kept, NULL), KESHER_OK);
    memcpy(key, kept.key, sizeof key);
    kesher_account_close(fixture_account(fixture));
    assert_memory_equal(fixture->server->account_key, key, sizeof key);
    kesher_account_close(fixture_account(fixture)); /* and once more, although nothing was lost */
    assert_memory_equal(fixture->server->account_key, key, sizeof key);
}

static void home_with_an_account_is_not_registered_under_another_name(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    struct kesher_error error;
    kesher_account_close(fixture_account(fixture));
    size_t heard = fixture->server->trail_size;
    assert_int_equal(fixture_register(fixture, "Bob", &account, &error), KESHER_EXISTS);
    assert_int_equal(fixture->server->trail_size, heard);
}

static void refusals_say_what_to_do(void **state)
{
    struct account_fixture *fixture = *state;
    static const struct {
        uint16_t reason;
        enum kesher_status status;
        const char *advice;
    } rows[] = {
        {KS_REFUSAL_NAME, KESHER_REFUSED, "choose another"},
        {KS_REFUSAL_NAME_TAKEN, KESHER_REFUSED, "choose another"},
        {KS_REFUSAL_KEY_TAKEN, KESHER_EXISTS, "another name"},
        {KS_REFUSAL_CLOSED, KESHER_REFUSED, "closed"},
        {KS_REFUSAL_INVITATION_NEEDED, KESHER_REFUSED, "--invitation"},
        {KS_REFUSAL_INVITATION, KESHER_REFUSED, "another one"},
        {KS_REFUSAL_TOO_MANY, KESHER_REFUSED, "later"},
        {KS_REFUSAL_FULL, KESHER_FULL, "later"},
        {KS_REFUSAL_TROUBLE, KESHER_REFUSED, "later"},
        {KS_REFUSAL_NO_SPACE, KESHER_REFUSED, "later"},
        {4711, KESHER_REFUSED, "newer"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct secure_lie lie = {.request = KS_REQUEST_REGISTER_ACCOUNT, .code = KS_RESPONSE_REFUSED};
        struct kesher_account *account = NULL;
        struct kesher_error error;
        const struct ks_refusal refusal = {.reason = rows[i].reason,
                                           .sentence = {.bytes = "because \x1b[31m\"I\" say so", .size = 23}};
        assert_int_equal(ks_refusal_encode(&refusal, lie.payload, sizeof lie.payload, &lie.size), KS_OK);
        lie.told_size = (uint32_t)lie.size;
        secure_tell_lie(fixture->server, &lie);
        assert_int_equal(fixture_register(fixture, "Alice", &account, &error), rows[i].status);
        assert_non_null(strstr(error.sentence, rows[i].advice));
        assert_non_null(strstr(error.sentence, "say so"));
        assert_null(strchr(error.sentence, '\x1b'));
    }
    kesher_account_close(fixture_account(fixture));
}

/* ---- signing in ---- */

static void server_that_answers_with_another_name_is_not_believed(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    struct kesher_account_card card;
    struct kesher_error error;
    struct secure_lie lie = {.request = KS_REQUEST_REGISTER_ACCOUNT, .code = KS_RESPONSE_SIGNED_IN};
    assert_int_equal(
        ks_list_add(lie.payload, sizeof lie.payload, &lie.size, KS_ACCOUNT_ENTRY_NAME, "Mallory", 7), KS_OK);
    assert_int_equal(ks_list_add(lie.payload, sizeof lie.payload, &lie.size, KS_ACCOUNT_ENTRY_PUBLIC_ID,
                                 fixture->server->public_id, sizeof fixture->server->public_id),
                     KS_OK);
    lie.told_size = (uint32_t)lie.size;
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(kesher_account_register(fixture->home, fixture->server->link, "Alice", NULL,
                                             &fixture->options, &account, &error),
                     KESHER_PROTOCOL);
    assert_non_null(strstr(error.sentence, "'Mallory'"));
    assert_int_equal(kesher_account_card(fixture->home, &card, NULL), KESHER_OK);
    assert_string_equal(card.name, ""); /* nothing of it was written down */
}

static void account_is_asked_for_and_told(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    struct kesher_account_state told;
    kesher_account_close(fixture_account(fixture));
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, NULL), KESHER_OK);
    assert_string_equal(told.name, "Alice");
    assert_int_equal(told.message_limit, SECURE_NUMBER * KS_ACCOUNT_ENTRY_MESSAGE_LIMIT);
    assert_int_equal(told.waiting_bytes, SECURE_NUMBER * KS_ACCOUNT_ENTRY_WAITING_BYTES);
    assert_int_equal(told.registered, SECURE_NUMBER * KS_ACCOUNT_ENTRY_REGISTERED);
    assert_false(told.is_classic);
    assert_int_equal(kesher_account_ask(account, &told, NULL), KESHER_OK);
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_SIGN_IN), 1);
    kesher_account_close(account);
}

static void account_that_the_server_does_not_know_is_unknown(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account_state told;
    struct kesher_account *account = NULL;
    struct kesher_error error;
    kesher_account_close(fixture_account(fixture));
    fixture->server->has_account = false;
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, &error), KESHER_UNKNOWN);
    assert_non_null(strstr(error.sentence, "kesher register"));
    kesher_account_close(account);
}

static void home_without_an_account_cannot_be_opened(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    struct kesher_error error;
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->link, &fixture->options, &account, &error),
        KESHER_NOT_FOUND);
    assert_non_null(strstr(error.sentence, "kesher register"));
    assert_int_equal(fixture->server->connections, 0);
}

/* The server behind the address is another one: it hears of no account. */
static void server_with_another_key_hears_nothing_of_the_account(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account_state told;
    struct kesher_account *account = NULL;
    struct kesher_error error;
    kesher_account_close(fixture_account(fixture));
    size_t heard = fixture->server->trail_size;
    secure_server_new_key(fixture->server);
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, &error), KESHER_REFUSED);
    kesher_account_close(account);
    assert_int_equal(fixture->server->trail_size, heard);
    assert_int_equal(kesher_home_forget_trust(fixture->home, NULL), KESHER_OK);
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, NULL), KESHER_OK);
    kesher_account_close(account);
}

static void next_key_that_was_announced_is_accepted_when_it_is_shown(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account_state told;
    struct kesher_trust trust;
    struct kesher_account *account = fixture_account(fixture);
    SSL_CTX *before = fixture->server->context;
    assert_int_equal(SSL_CTX_up_ref(before), 1);
    kesher_account_close(account);
    uint8_t first[KS_TLS_FINGERPRINT_SIZE];
    memcpy(first, fixture->server->fingerprint, sizeof first);
    secure_server_new_key(fixture->server); /* made, announced, not shown yet */
    SSL_CTX *after = fixture->server->context;
    memcpy(fixture->server->next_key, fixture->server->fingerprint, sizeof first);
    fixture->server->has_next_key = true;
    fixture->server->context = before;
    memcpy(fixture->server->fingerprint, first, sizeof first);
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, NULL), KESHER_OK);
    kesher_account_close(account);
    assert_int_equal(kesher_home_trust(fixture->home, &trust, NULL), KESHER_OK);
    char next[KS_TLS_FINGERPRINT_TEXT_SIZE];
    ks_tls_fingerprint_text(fixture->server->next_key, next);
    assert_string_equal(trust.next_fingerprint, next);
    SSL_CTX_free(before);
    fixture->server->context = after;
    memcpy(fixture->server->fingerprint, fixture->server->next_key, sizeof first);
    fixture->server->has_next_key = false;
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->plain_link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, NULL), KESHER_OK);
    kesher_account_close(account);
    assert_int_equal(kesher_home_trust(fixture->home, &trust, NULL), KESHER_OK);
    assert_string_equal(trust.fingerprint, next);
    assert_string_equal(trust.next_fingerprint, "");
}

/* ---- under a passphrase ---- */

static enum kesher_status give_passphrase(void *context, enum kesher_passphrase_question question,
                                          char bytes[KESHER_PASSPHRASE_SIZE], size_t *size,
                                          struct kesher_error *error)
{
    struct account_fixture *fixture = context;
    (void)question;
    (void)error;
    fixture->passphrases++;
    memcpy(bytes, "correct horse", 13);
    *size = 13;
    return KESHER_OK;
}

static void key_under_a_passphrase_is_made_and_used(void **state)
{
    struct account_fixture *fixture = *state;
    const struct kesher_registration registration = {.sealed = true};
    struct kesher_account *account = NULL;
    struct kesher_account_card card;
    struct kesher_account_state told;
    fixture->options.passphrase = (struct kesher_passphrase){fixture, give_passphrase};
    assert_int_equal(kesher_account_register(fixture->home, fixture->server->link, "Alice", &registration,
                                             &fixture->options, &account, NULL),
                     KESHER_OK);
    kesher_account_close(account);
    assert_int_equal(fixture->passphrases, 1);
    assert_int_equal(kesher_account_card(fixture->home, &card, NULL), KESHER_OK);
    assert_true(card.has_passphrase);
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_ask(account, &told, NULL), KESHER_OK);
    kesher_account_close(account);
    assert_int_equal(fixture->passphrases, 2);
    fixture->options.passphrase.ask = NULL;
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->link, &fixture->options, &account, NULL),
        KESHER_PASSPHRASE);
}

/* ---- adopting ---- */

/* A classic identity in the home, which the server knows. */
static void make_identity(struct account_fixture *fixture)
{
    struct kesher_identity *identity = NULL;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    assert_int_equal(ks_identity_prepare(fixture->home, "Anna", &identity, NULL), KESHER_OK);
    identity->id = fixture->server->classic_id;
    assert_int_equal(ks_identity_save(fixture->home, identity, NULL), KESHER_OK);
    assert_int_equal(ks_identity_public_key(identity, public_key, NULL), KESHER_OK);
    assert_int_equal(ks_public_key_parse(public_key, &fixture->server->adoptable), KS_OK);
    kesher_identity_free(identity);
}

static int rename_in_home(const struct account_fixture *fixture, const char *from, const char *to)
{
    return renameat(fixture->home->directory_fd, from, fixture->home->directory_fd, to);
}

static enum kesher_status adopt(struct account_fixture *fixture, struct kesher_error *error)
{
    struct kesher_account *account = NULL;
    enum kesher_status status =
        kesher_account_adopt(fixture->home, fixture->server->link, NULL, &fixture->options, &account, error);
    if (status == KESHER_OK)
        assert_string_equal(kesher_account_name(account), "Anna");
    kesher_account_close(account);
    return status;
}

static void classic_identity_becomes_an_account(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account_card card;
    make_identity(fixture);
    assert_int_equal(adopt(fixture, NULL), KESHER_OK);
    assert_int_equal(kesher_account_card(fixture->home, &card, NULL), KESHER_OK);
    assert_string_equal(card.name, "Anna");
    assert_false(kesher_identity_exists(fixture->home));
    assert_false(fixture_has_file(fixture, "priv.key"));
    assert_true(fixture_has_file(fixture, "me.info.old.1"));
    assert_true(fixture_has_file(fixture, "priv.key.old.1"));
}

static void registration_does_not_push_a_classic_identity_aside(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    struct kesher_error error;
    make_identity(fixture);
    assert_int_equal(fixture_register(fixture, "Anna", &account, &error), KESHER_EXISTS);
    assert_non_null(strstr(error.sentence, "--adopt"));
    assert_true(fixture_has_file(fixture, "me.info"));
    assert_int_equal(fixture->server->connections, 0);
}

/* The proof arrived, and its answer did not: what is refused the second time is signed in to. */
static void adoption_whose_answer_was_lost_is_completed(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    make_identity(fixture);
    fixture->options.reconnects = 5;
    assert_int_equal(adopt(fixture, NULL), KESHER_OK);
    /* As if the home had never heard of it: the identity is back, the key is not confirmed. */
    assert_int_equal(rename_in_home(fixture, "me.info.old.1", "me.info"), 0);
    assert_int_equal(rename_in_home(fixture, "priv.key.old.1", "priv.key"), 0);
    assert_int_equal(adopt(fixture, &error), KESHER_OK);
    assert_false(kesher_identity_exists(fixture->home));
}

static void identity_that_the_server_does_not_know_stays_as_it_is(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_error error;
    make_identity(fixture);
    ks_public_key_free(fixture->server->adoptable);
    fixture->server->adoptable = NULL;
    assert_int_equal(adopt(fixture, &error), KESHER_REFUSED);
    assert_true(fixture_has_file(fixture, "me.info"));
    assert_true(fixture_has_file(fixture, "priv.key"));
}

/* A relay that hands on what it got elsewhere: a content key, a symmetric key of a message. Its client is no
 * oracle for that. */
static void challenge_that_was_encrypted_for_something_else_is_not_answered(void **state)
{
    struct account_fixture *fixture = *state;
    struct secure_lie lie = {.request = KS_REQUEST_ADOPT,
                             .code = KS_RESPONSE_ADOPTION_CHALLENGE,
                             .told_size = KS_RSA_ENCRYPTED_SIZE,
                             .size = KS_RSA_ENCRYPTED_SIZE};
    static const uint8_t stolen[32] = "a content key, or any other key";
    struct kesher_error error;
    make_identity(fixture);
    assert_int_equal(ks_public_key_encrypt(fixture->server->adoptable, stolen, sizeof stolen, lie.payload),
                     KS_OK);
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(adopt(fixture, &error), KESHER_CRYPTO);
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_ADOPTION_PROOF), 0);
    assert_true(fixture_has_file(fixture, "me.info"));
}

/* What the label allows has the size of a challenge, or is none. */
static void challenge_of_another_size_is_not_answered(void **state)
{
    struct account_fixture *fixture = *state;
    struct secure_lie lie = {.request = KS_REQUEST_ADOPT,
                             .code = KS_RESPONSE_ADOPTION_CHALLENGE,
                             .told_size = KS_RSA_ENCRYPTED_SIZE,
                             .size = KS_RSA_ENCRYPTED_SIZE};
    static const uint8_t secret[31] = {1};
    make_identity(fixture);
    assert_int_equal(ks_public_key_encrypt_labelled(fixture->server->adoptable, "kesher adopt 1", secret,
                                                    sizeof secret, lie.payload),
                     KS_OK);
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(adopt(fixture, NULL), KESHER_CRYPTO);
    lie.told_size = KS_RSA_ENCRYPTED_SIZE - 1;
    lie.size = KS_RSA_ENCRYPTED_SIZE - 1;
    secure_tell_lie(fixture->server, &lie);
    assert_int_equal(adopt(fixture, NULL), KESHER_PROTOCOL);
    assert_int_equal(fixture_heard(fixture, KS_REQUEST_ADOPTION_PROOF), 0);
}

/* ---- the classic ports ---- */

static void classic_side_gets_a_key_and_an_id_and_loses_them_again(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_identity *identity = NULL;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct kesher_account *account = fixture_account(fixture);
    assert_int_equal(kesher_account_set_classic(account, true, NULL), KESHER_OK);
    assert_int_equal(kesher_identity_load(fixture->home, &identity, NULL), KESHER_OK);
    assert_string_equal(identity->name, "Alice");
    assert_memory_equal(identity->id.bytes, fixture->server->classic_id.bytes, KS_CLIENT_ID_SIZE);
    assert_int_equal(ks_identity_public_key(identity, public_key, NULL), KESHER_OK);
    assert_memory_equal(public_key, fixture->server->classic_key, sizeof public_key);
    kesher_identity_free(identity);
    size_t heard = fixture->server->trail_size;
    assert_int_equal(kesher_account_set_classic(account, true, NULL), KESHER_OK); /* is on already */
    assert_int_equal(fixture->server->trail_size, heard + 1);
    assert_int_equal(kesher_account_set_classic(account, false, NULL), KESHER_OK);
    assert_false(kesher_identity_exists(fixture->home));
    assert_false(fixture->server->is_classic);
    kesher_account_close(account);
}

/* The id is told once, and the answer was lost. */
static void classic_id_that_was_lost_is_made_anew(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = fixture_account(fixture);
    fixture->server->is_classic = true;
    assert_int_equal(kesher_account_set_classic(account, true, NULL), KESHER_OK);
    assert_true(kesher_identity_exists(fixture->home));
    assert_true(fixture->server->is_classic);
    kesher_account_close(account);
}

/* ---- removing ---- */

static void removed_account_is_gone_from_server_and_home(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = fixture_account(fixture);
    assert_int_equal(kesher_account_remove(account, NULL), KESHER_OK);
    kesher_account_close(account);
    assert_false(fixture->server->has_account);
    assert_false(ks_account_file_exists(fixture->home));
    assert_true(fixture_has_file(fixture, "account.key.old.1"));
}

static void removal_whose_answer_was_lost_is_one(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = fixture_account(fixture);
    const struct secure_lie lie = {.request = KS_REQUEST_REMOVE_ACCOUNT, .end = SECURE_CUTS};
    secure_tell_lie(fixture->server, &lie);
    fixture->server->forgets_at_cut = true;
    assert_int_equal(kesher_account_remove(account, NULL), KESHER_OK);
    kesher_account_close(account);
    assert_false(ks_account_file_exists(fixture->home));
}

static void account_that_was_never_there_is_not_removed_from_the_home(void **state)
{
    struct account_fixture *fixture = *state;
    struct kesher_account *account = NULL;
    kesher_account_close(fixture_account(fixture));
    fixture->server->has_account = false;
    assert_int_equal(
        kesher_account_open(fixture->home, fixture->server->link, &fixture->options, &account, NULL),
        KESHER_OK);
    assert_int_equal(kesher_account_remove(account, NULL), KESHER_UNKNOWN);
    kesher_account_close(account);
    assert_true(ks_account_file_exists(fixture->home));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ACCOUNT_TEST(registration_brings_key_trust_and_what_was_confirmed_into_the_home),
        ACCOUNT_TEST(invitation_of_the_link_is_given_and_so_is_one_beside_it),
        ACCOUNT_TEST(text_that_is_no_invitation_never_reaches_the_server),
        ACCOUNT_TEST(name_that_cannot_be_one_never_reaches_the_server),
        ACCOUNT_TEST(server_that_is_not_there_leaves_no_key),
        ACCOUNT_TEST(classic_address_has_no_accounts),
        ACCOUNT_TEST(lost_answer_to_a_registration_is_asked_for_again),
        ACCOUNT_TEST(registration_is_repeated_with_the_key_that_the_home_has),
        ACCOUNT_TEST(home_with_an_account_is_not_registered_under_another_name),
        ACCOUNT_TEST(refusals_say_what_to_do),
        ACCOUNT_TEST(server_that_answers_with_another_name_is_not_believed),
        ACCOUNT_TEST(account_is_asked_for_and_told),
        ACCOUNT_TEST(account_that_the_server_does_not_know_is_unknown),
        ACCOUNT_TEST(home_without_an_account_cannot_be_opened),
        ACCOUNT_TEST(server_with_another_key_hears_nothing_of_the_account),
        ACCOUNT_TEST(next_key_that_was_announced_is_accepted_when_it_is_shown),
        ACCOUNT_TEST(key_under_a_passphrase_is_made_and_used),
        ACCOUNT_TEST(classic_identity_becomes_an_account),
        ACCOUNT_TEST(registration_does_not_push_a_classic_identity_aside),
        ACCOUNT_TEST(adoption_whose_answer_was_lost_is_completed),
        ACCOUNT_TEST(identity_that_the_server_does_not_know_stays_as_it_is),
        ACCOUNT_TEST(challenge_that_was_encrypted_for_something_else_is_not_answered),
        ACCOUNT_TEST(challenge_of_another_size_is_not_answered),
        ACCOUNT_TEST(classic_side_gets_a_key_and_an_id_and_loses_them_again),
        ACCOUNT_TEST(classic_id_that_was_lost_is_made_anew),
        ACCOUNT_TEST(removed_account_is_gone_from_server_and_home),
        ACCOUNT_TEST(removal_whose_answer_was_lost_is_one),
        ACCOUNT_TEST(account_that_was_never_there_is_not_removed_from_the_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
