/* command_register.c — `kesher register NAME`, at a classic server or a secure one. Main thread. */
#include "cli/commands/registering.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress.h"

#include "base/text.h"
#include "crypto/secret.h"

#include <string.h>

enum { INVITATION_SIZE = 128 };

/* ---- at a classic server ---- */

static enum ks_exit print_identity(const struct ks_context *context, const struct kesher_identity *identity,
                                   const char *address)
{
    char fingerprint[KESHER_FINGERPRINT_SIZE];
    char shown[KESHER_ADDRESS_SIZE];
    struct kesher_error error;
    const char *name = kesher_identity_name(identity);
    if (kesher_identity_fingerprint(identity, fingerprint, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    if (context->options->json) {
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, name);
        (void)fputs(", \"server\": ", stdout);
        ks_output_json_string(stdout, address);
        (void)fputs(", \"home\": ", stdout);
        ks_output_json_string(stdout, kesher_home_path(context->home));
        (void)printf(", \"fingerprint\": \"%s\"}\n", fingerprint);
    } else {
        ks_text_escape(address, strlen(address), shown, sizeof shown);
        (void)printf("registered %s at %s\nkey fingerprint %s\n", name, shown, fingerprint);
    }
    return KS_EXIT_DONE;
}

static enum kesher_status register_name(const struct ks_context *context, const char *address,
                                        struct kesher_identity **identity, struct kesher_error *error)
{
    const char *name = context->options->operands[0];
    struct kesher_options options = context->limits;
    options.observer.notice = ks_progress_notice;
    if (context->options->again)
        return kesher_register_again(context->home, address, name, &options, identity, error);
    return kesher_register(context->home, address, name, &options, identity, error);
}

static enum ks_exit register_classic(const struct ks_context *context, const char *address)
{
    struct kesher_error error;
    struct kesher_identity *identity = NULL;
    if (register_name(context, address, &identity, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    enum ks_exit status = print_identity(context, identity, address);
    kesher_identity_free(identity);
    return status;
}

/* ---- at a secure one ---- */

static enum ks_exit usage_error(const char *reason)
{
    ks_output_usage("%s; see kesher register --help", reason);
    return KS_EXIT_USAGE;
}

/* The name of the identity is kept; another one would not be what was meant. */
static bool is_own_name(const struct ks_context *context, const char *name)
{
    struct kesher_identity *identity = NULL;
    struct kesher_error error;
    if (kesher_identity_load(context->home, &identity, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    bool same = strcmp(kesher_identity_name(identity), name) == 0;
    kesher_identity_free(identity);
    if (!same)
        ks_output_usage(
            "--adopt keeps the name of the home's identity, and that is another one; see kesher key");
    return same;
}

static enum ks_exit register_secure(const struct ks_context *context, const char *address)
{
    char invitation[INVITATION_SIZE] = "";
    const struct ks_cli_options *options = context->options;
    /* A link may have an invitation in it. */
    bool is_given = options->server != NULL && ks_context_is_secure(options->server);
    const struct ks_registering registering = {.link = is_given ? options->server : address,
                                               .name = options->operands[0],
                                               .invitation = options->invitation != NULL ? invitation : NULL,
                                               .adopt = options->adopt};
    if (options->adopt && options->invitation != NULL)
        return usage_error("an identity that is adopted needs no invitation");
    if (options->adopt && !is_own_name(context, options->operands[0]))
        return KS_EXIT_USAGE;
    if (options->invitation != NULL &&
        !ks_registering_secret(options->invitation, "the invitation", invitation, sizeof invitation))
        return KS_EXIT_USAGE;
    enum ks_exit status = ks_registering_run(context, &registering);
    ks_secret_wipe(invitation, sizeof invitation);
    return status;
}

static bool is_for_secure(const struct ks_context *context)
{
    bool belongs = false;
    const char *given = context->options->server;
    return (given != NULL && ks_context_is_secure(given)) ||
           (kesher_home_is_secure(context->home, &belongs, NULL) == KESHER_OK && belongs);
}

enum ks_exit ks_command_register(struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    const struct ks_cli_options *options = context->options;
    if (options->moved && !options->again && !options->adopt)
        return usage_error("--moved is for a home that is registered, so with --again");
    if (options->again && is_for_secure(context))
        return usage_error(
            "--again is for classic servers: at a secure one the same command as before is safe");
    bool found = options->again ? ks_context_server(context, "identities", address)
                                : ks_context_any_server(context, options->adopt, address);
    if (!found || !ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    if (ks_context_is_secure(address))
        return register_secure(context, address);
    if (options->invitation != NULL || options->passphrase || options->passphrase_file != NULL)
        return usage_error("invitations and passphrases are for secure servers, and this is a classic one");
    return register_classic(context, address);
}
