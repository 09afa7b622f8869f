/* command_put.c — `kesher put FILE…`. Main thread. */
#include "cli/commands/put.h"
#include "cli/terminal/output.h"

#include <string.h>

enum ks_exit ks_command_put(struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    const struct ks_cli_options *options = context->options;
    const struct ks_put put = {
        .paths = options->operands, .path_count = options->operand_count, .as = options->as};
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
    enum ks_exit status = ks_put_check_names(&put);
    if (status != KS_EXIT_DONE)
        return status;
    if (!ks_context_server(context, "files", address) || !ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    return ks_put_files(context, address, &put);
}
