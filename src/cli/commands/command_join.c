/* command_join.c — `kesher join LINK NAME`. Main thread. */
#include "cli/commands/registering.h"
#include "cli/terminal/output.h"

#include "crypto/secret.h"
#include "wire/link.h"

#include <string.h>

static enum ks_exit join(const struct ks_context *context, const char *link, const char *name)
{
    char address[KESHER_ADDRESS_SIZE];
    struct ks_cli_options options = *context->options;
    struct ks_context with_server = *context;
    const struct ks_registering registering = {.link = link, .name = name};
    options.server = link;
    with_server.options = &options;
    if (!ks_context_is_secure(link)) {
        ks_output_usage(
            "what to join is a link, such as kesher://example.org/join#CODE.FINGERPRINT; see kesher "
            "join --help");
        return KS_EXIT_USAGE;
    }
    /* Whether the home may go there; where to is in the link. */
    if (!ks_context_any_server(&with_server, false, address) || !ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    return ks_registering_run(context, &registering);
}

enum ks_exit ks_command_join(struct ks_context *context)
{
    char link[KS_LINK_SIZE];
    const struct ks_cli_options *options = context->options;
    if (options->server != NULL) {
        ks_output_usage("the link says which server it is; leave --server out");
        return KS_EXIT_USAGE;
    }
    if (!ks_registering_secret(options->operands[0], "the link", link, sizeof link))
        return KS_EXIT_USAGE;
    enum ks_exit status = join(context, link, options->operands[1]);
    ks_secret_wipe(link, sizeof link);
    return status;
}
