/* command_put.c — `kesher put FILE…`, at a secure server or at a classic one. Main thread. */
#include "cli/commands/put.h"
#include "cli/files/files_session.h"
#include "cli/files/secure_put.h"
#include "cli/terminal/output.h"

#include <string.h>

static enum ks_exit usage_error(const char *reason)
{
    ks_output_usage("%s; see kesher put --help", reason);
    return KS_EXIT_USAGE;
}

/* What no server could make sense of. */
static enum ks_exit check_operands(const struct ks_cli_options *options)
{
    if (options->as != NULL && options->operand_count != 1) {
        ks_output_usage("--as names one file, and there are %zu; see kesher put --help",
                        options->operand_count);
        return KS_EXIT_USAGE;
    }
    for (size_t i = 0; i < options->operand_count; i++) {
        if (strcmp(options->operands[i], "-") == 0 && options->as == NULL) {
            ks_output_usage("the standard input has no name; give it one with --as");
            return KS_EXIT_USAGE;
        }
    }
    return KS_EXIT_DONE;
}

static enum ks_exit put_at_classic(struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    const struct ks_cli_options *options = context->options;
    const struct ks_put put = {
        .paths = options->operands, .path_count = options->operand_count, .as = options->as};
    if (options->recursive)
        return usage_error("--recursive goes with secure servers only, and this one is classic");
    if (options->replace)
        return usage_error("--replace goes with secure servers only; a classic one always replaces");
    if (options->sha256)
        return usage_error("--sha256 goes with secure servers only, and this one is classic");
    enum ks_exit status = ks_put_check_names(&put);
    if (status != KS_EXIT_DONE)
        return status;
    if (!ks_context_server(context, "files", address) || !ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    return ks_put_files(context, address, &put);
}

enum ks_exit ks_command_put(struct ks_context *context)
{
    bool secure = false;
    enum ks_exit status = check_operands(context->options);
    if (status != KS_EXIT_DONE)
        return status;
    if (!ks_context_wants_secure(context, &secure))
        return KS_EXIT_FAILED;
    return secure ? ks_secure_put(context) : put_at_classic(context);
}
