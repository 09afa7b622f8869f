/* command_users.c — `kesher users`. Main thread. */
#include "cli/commands/messaging.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown_name.h"

#include "base/text.h"

/* One user; false when nobody reads any more. */
static bool print_user(void *context, const struct kesher_user *user)
{
    const struct ks_cli_options *options = context;
    char id[2 * KESHER_ID_SIZE + 1];
    char shown[KS_SHOWN_NAME_SIZE];
    if (options->json) {
        ks_text_to_hex(user->id, sizeof user->id, id);
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, user->name);
        (void)printf(", \"id\": \"%s\"}\n", id);
    } else {
        (void)puts(ks_output_name(user->name, shown));
    }
    return ferror(stdout) == 0;
}

enum ks_exit ks_command_users(struct ks_context *context)
{
    struct kesher_error error;
    struct ks_cli_options options = *context->options;
    struct kesher_messenger *messenger = ks_messaging_open(context, NULL, NULL);
    if (messenger == NULL)
        return KS_EXIT_FAILED;
    enum kesher_status status = kesher_messenger_users(messenger, print_user, &options, &error);
    kesher_messenger_close(messenger);
    if (status == KESHER_OK)
        return KS_EXIT_DONE;
    ks_output_failure(&error);
    return KS_EXIT_FAILED;
}
