/* command_account.c — `kesher account` and what belongs to it. Main thread. */
#include "cli/commands/context.h"
#include "cli/commands/passphrases.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress.h"
#include "cli/terminal/shown_name.h"
#include "cli/terminal/shown_time.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

/* The account at the home's secure server, for kesher_account_close; NULL after printing why not. */
static struct kesher_account *open_account(const struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_account *account = NULL;
    struct kesher_error error;
    struct kesher_options options = context->limits;
    options.observer.notice = ks_progress_notice;
    if (!ks_context_any_server(context, false, address) || !ks_context_secrets_are_kept(context))
        return NULL;
    if (kesher_account_open(context->home, address, &options, &account, &error) == KESHER_OK)
        return account;
    ks_output_failure(&error);
    return NULL;
}

static enum ks_exit fail(const struct kesher_error *error)
{
    ks_output_failure(error);
    return KS_EXIT_FAILED;
}

/* ---- showing it ---- */

static void print_limited(const char *what, uint64_t used, uint64_t limit)
{
    (void)printf("%s %" PRIu64, what, used);
    if (limit > 0)
        (void)printf(" of %" PRIu64, limit);
    (void)fputc('\n', stdout);
}

static void print_state(const struct kesher_account_card *card, const struct kesher_account_state *state)
{
    char id[2 * KESHER_ACCOUNT_ID_SIZE + 1];
    char shown[KS_SHOWN_NAME_SIZE];
    char when[KS_SHOWN_TIME_SIZE];
    ks_text_to_hex(card->id, sizeof card->id, id);
    (void)printf("%s\nid %s\nshort fingerprint %s\n", ks_output_name(state->name, shown), id,
                 card->short_fingerprint);
    if (state->registered > 0)
        (void)printf("registered %s\n", ks_shown_time(state->registered, when));
    print_limited("files", state->files, state->files_limit);
    print_limited("bytes of files", state->bytes, state->bytes_limit);
    if (state->puts > 0)
        (void)printf("files on their way, or broken off %" PRIu64 ", with %" PRIu64 " bytes\n", state->puts,
                     state->put_bytes);
    (void)printf("waiting messages %" PRIu64 ", of %" PRIu64 " bytes\n", state->waiting,
                 state->waiting_bytes);
    if (state->message_limit > 0)
        (void)printf("bytes of a message at most %" PRIu64 "\n", state->message_limit);
    (void)printf("classic ports %s\npassphrase %s\n", state->is_classic ? "on" : "off",
                 card->has_passphrase ? "yes" : "no");
}

static void print_number(const char *key, uint64_t number)
{
    (void)printf(", \"%s\": %" PRIu64, key, number);
}

static void print_json(const struct kesher_account_card *card, const struct kesher_account_state *state)
{
    char id[2 * KESHER_ACCOUNT_ID_SIZE + 1];
    char when[KS_SHOWN_TIME_SIZE];
    ks_text_to_hex(card->id, sizeof card->id, id);
    (void)fputs("{\"name\": ", stdout);
    ks_output_json_string(stdout, state->name);
    (void)printf(", \"id\": \"%s\", \"short_fingerprint\": \"%s\"", id, card->short_fingerprint);
    if (state->registered > 0)
        (void)printf(", \"registered\": \"%s\"", ks_shown_time_rfc3339(state->registered, when));
    print_number("files", state->files);
    print_number("files_limit", state->files_limit);
    print_number("bytes", state->bytes);
    print_number("bytes_limit", state->bytes_limit);
    print_number("puts", state->puts);
    print_number("put_bytes", state->put_bytes);
    print_number("waiting", state->waiting);
    print_number("waiting_bytes", state->waiting_bytes);
    print_number("message_limit", state->message_limit);
    (void)printf(", \"classic\": %s, \"passphrase\": %s}\n", state->is_classic ? "true" : "false",
                 card->has_passphrase ? "true" : "false");
}

static enum ks_exit show(const struct ks_context *context)
{
    struct kesher_account_card card;
    struct kesher_account_state state;
    struct kesher_error error;
    struct kesher_account *account = open_account(context);
    if (account == NULL)
        return KS_EXIT_FAILED;
    enum kesher_status status = kesher_account_ask(account, &state, &error);
    if (status == KESHER_OK)
        status = kesher_account_card(context->home, &card, &error);
    kesher_account_close(account);
    if (status != KESHER_OK)
        return fail(&error);
    if (context->options->json)
        print_json(&card, &state);
    else
        print_state(&card, &state);
    return KS_EXIT_DONE;
}

/* ---- changing it ---- */

static void print_done(const struct ks_context *context, const char *key, const char *value, const char *line)
{
    if (context->options->json)
        (void)printf("{\"%s\": %s}\n", key, value);
    else
        (void)puts(line);
}

static enum ks_exit set_classic(const struct ks_context *context, bool on)
{
    struct kesher_error error;
    struct kesher_account *account = open_account(context);
    if (account == NULL)
        return KS_EXIT_FAILED;
    enum kesher_status status = kesher_account_set_classic(account, on, &error);
    kesher_account_close(account);
    if (status != KESHER_OK)
        return fail(&error);
    if (on)
        print_done(
            context, "classic", "true",
            "the classic ports know this account now; its id there is a secret, and with its key in the "
            "home, in me.info and priv.key, for classic clients");
    else
        print_done(
            context, "classic", "false",
            "the classic ports know this account no more; its id there is void, and me.info and priv.key "
            "have other names now");
    return KS_EXIT_DONE;
}

static bool is_meant(const struct ks_context *context)
{
    if (context->options->yes)
        return true;
    if (!context->limits.questions.trust) {
        ks_output_usage("there is no terminal to ask whether it is meant; add --yes if it is");
        return false;
    }
    if (ks_passphrases_confirm(
            "This removes the account with all its files and messages from the server, and "
            "nobody can bring them back. Remove it?"))
        return true;
    ks_output_error("nothing was removed");
    return false;
}

static enum ks_exit remove_account(const struct ks_context *context)
{
    struct kesher_error error;
    if (!is_meant(context))
        return context->limits.questions.trust == NULL ? KS_EXIT_USAGE : KS_EXIT_FAILED;
    struct kesher_account *account = open_account(context);
    if (account == NULL)
        return KS_EXIT_FAILED;
    enum kesher_status status = kesher_account_remove(account, &error);
    kesher_account_close(account);
    if (status != KESHER_OK)
        return fail(&error);
    print_done(context, "removed", "true",
               "the account is removed; its key is in the home as account.key.old.1, or a higher number");
    return KS_EXIT_DONE;
}

static enum ks_exit set_passphrase(const struct ks_context *context, bool on)
{
    struct kesher_error error;
    const struct kesher_passphrase *passphrase = &context->limits.passphrase;
    if (!ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    enum kesher_status status = on ? kesher_home_set_passphrase(context->home, passphrase, &error)
                                   : kesher_home_remove_passphrase(context->home, passphrase, &error);
    if (status != KESHER_OK)
        return fail(&error);
    if (on)
        print_done(context, "passphrase", "true", "the keys of this home are under the new passphrase");
    else
        print_done(
            context, "passphrase", "false",
            "the keys of this home are under no passphrase: whoever can read its files is this account");
    return KS_EXIT_DONE;
}

/* ---- the words behind the command ---- */

static enum ks_exit usage_error(const char *reason)
{
    ks_output_usage("%s; see kesher account --help", reason);
    return KS_EXIT_USAGE;
}

enum ks_exit ks_command_account(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    const char *what = options->operand_count > 0 ? options->operands[0] : NULL;
    const char *how = options->operand_count > 1 ? options->operands[1] : NULL;
    if (options->yes && (what == NULL || strcmp(what, "remove") != 0))
        return usage_error("--yes goes with 'account remove'");
    if (what == NULL)
        return show(context);
    if (strcmp(what, "remove") == 0 && how == NULL)
        return remove_account(context);
    if (strcmp(what, "classic") == 0 && how != NULL && (strcmp(how, "on") == 0 || strcmp(how, "off") == 0))
        return set_classic(context, strcmp(how, "on") == 0);
    if (strcmp(what, "passphrase") == 0 && (how == NULL || strcmp(how, "off") == 0))
        return set_passphrase(context, how == NULL);
    return usage_error(
        "'account' takes nothing, or 'classic on', 'classic off', 'passphrase', 'passphrase off', "
        "or 'remove'");
}
