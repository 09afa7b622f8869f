/* command_register.c — `kesher register NAME`. Main thread. */
#include "cli/commands/context.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress.h"

#include "base/text.h"

#include <string.h>

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

enum ks_exit ks_command_register(struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_error error;
    struct kesher_identity *identity = NULL;
    if (context->options->moved && !context->options->again) {
        ks_output_usage(
            "--moved is for a home that is registered, so with --again; see kesher register --help");
        return KS_EXIT_USAGE;
    }
    if (!ks_context_server(context, address) || !ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    if (register_name(context, address, &identity, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    enum ks_exit status = print_identity(context, identity, address);
    kesher_identity_free(identity);
    return status;
}
