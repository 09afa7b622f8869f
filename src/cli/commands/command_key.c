/* command_key.c — `kesher key [USER]`, `request-key USER`, `share-key USER`. Main thread. */
#include "cli/commands/messaging.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown_name.h"

#include "base/text.h"

/* What each of these commands does once there is a messenger. */
typedef enum kesher_status key_action(struct kesher_messenger *messenger,
                                      const struct ks_cli_options *options, const char *user,
                                      struct kesher_error *error);

/* `what`: see ks_messaging_open. */
static enum ks_exit run(struct ks_context *context, const char *what, key_action *action)
{
    struct kesher_error error;
    struct kesher_messenger *messenger = ks_messaging_open(context, what, NULL);
    if (messenger == NULL)
        return KS_EXIT_FAILED;
    enum kesher_status status = action(messenger, context->options, context->options->operands[0], &error);
    kesher_messenger_close(messenger);
    if (status == KESHER_OK)
        return KS_EXIT_DONE;
    ks_output_failure(&error);
    return KS_EXIT_FAILED;
}

/* The name between two words, or as the member `name_key` of an object, and the `rest` of that. */
static void print_outcome(const struct ks_cli_options *options, const char *user, const char *before,
                          const char *after, const char *name_key, const char *rest)
{
    char shown[KS_SHOWN_NAME_SIZE];
    if (options->json) {
        (void)printf("{\"%s\": ", name_key);
        ks_output_json_string(stdout, user);
        (void)printf(", %s}\n", rest);
    } else {
        (void)printf("%s%s%s\n", before, ks_output_name(user, shown), after);
    }
}

static void print_key(const struct ks_cli_options *options, const struct kesher_user_key *key)
{
    char id[2 * KESHER_ID_SIZE + 1];
    char shown[KS_SHOWN_NAME_SIZE];
    ks_text_to_hex(key->user.id, sizeof key->user.id, id);
    if (options->json) {
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, key->user.name);
        (void)printf(", \"id\": \"%s\", \"fingerprint\": \"%s\", \"new\": %s}\n", id, key->fingerprint,
                     key->is_new ? "true" : "false");
    } else {
        (void)printf("%s\nid %s\nkey fingerprint %s\n", ks_output_name(key->user.name, shown), id,
                     key->fingerprint);
    }
}

static enum kesher_status show_key(struct kesher_messenger *messenger, const struct ks_cli_options *options,
                                   const char *user, struct kesher_error *error)
{
    struct kesher_user_key key;
    enum kesher_status status = kesher_messenger_key(messenger, user, &key, error);
    if (status == KESHER_OK)
        print_key(options, &key);
    return status;
}

static enum kesher_status forget_key(struct kesher_messenger *messenger, const struct ks_cli_options *options,
                                     const char *user, struct kesher_error *error)
{
    enum kesher_status status = kesher_messenger_forget(messenger, user, error);
    if (status == KESHER_OK)
        print_outcome(options, user, "forgot the key of ", "", "name", "\"forgotten\": true");
    return status;
}

static enum kesher_status accept_key(struct kesher_messenger *messenger, const struct ks_cli_options *options,
                                     const char *user, struct kesher_error *error)
{
    enum kesher_status status = kesher_messenger_accept_key(messenger, user, error);
    if (status == KESHER_OK)
        print_outcome(options, user, "accepted the newest key of ", "", "name", "\"accepted\": true");
    return status;
}

static enum kesher_status request_key(struct kesher_messenger *messenger,
                                      const struct ks_cli_options *options, const char *user,
                                      struct kesher_error *error)
{
    enum kesher_status status = kesher_messenger_request_key(messenger, user, error);
    if (status == KESHER_OK)
        print_outcome(options, user, "asked ", " for a key", "to", "\"type\": \"key-request\"");
    return status;
}

static enum kesher_status share_key(struct kesher_messenger *messenger, const struct ks_cli_options *options,
                                    const char *user, struct kesher_error *error)
{
    enum kesher_status status = kesher_messenger_share_key(messenger, user, error);
    if (status == KESHER_OK)
        print_outcome(options, user, "sent ", " a new key", "to", "\"type\": \"key\"");
    return status;
}

/* Without USER: one's own, for whoever wants to compare. The id stays in the home: who has it is this user.
 */
static enum ks_exit show_own_key(const struct ks_context *context)
{
    char fingerprint[KESHER_FINGERPRINT_SIZE];
    char shown[KS_SHOWN_NAME_SIZE];
    struct kesher_error error;
    struct kesher_identity *identity = NULL;
    if (!ks_context_secrets_are_kept(context))
        return KS_EXIT_FAILED;
    enum kesher_status status = kesher_identity_load(context->home, &identity, &error);
    if (status == KESHER_OK)
        status = kesher_identity_fingerprint(identity, fingerprint, &error);
    if (status != KESHER_OK) {
        kesher_identity_free(identity);
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    const char *name = kesher_identity_name(identity);
    if (context->options->json) {
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, name);
        (void)printf(", \"fingerprint\": \"%s\"}\n", fingerprint);
    } else {
        (void)printf("%s\nkey fingerprint %s\n", ks_output_name(name, shown), fingerprint);
    }
    kesher_identity_free(identity);
    return KS_EXIT_DONE;
}

enum ks_exit ks_command_key(struct ks_context *context)
{
    if (context->options->forget && context->options->accept_key) {
        ks_output_usage("--forget and --accept-key exclude each other; see kesher key --help");
        return KS_EXIT_USAGE;
    }
    if (context->options->operand_count == 0) {
        if (!context->options->forget && !context->options->accept_key)
            return show_own_key(context);
        ks_output_usage("whose key? see kesher key --help");
        return KS_EXIT_USAGE;
    }
    if (context->options->forget)
        return run(context, NULL, forget_key);
    return run(context, NULL, context->options->accept_key ? accept_key : show_key);
}

enum ks_exit ks_command_request_key(struct ks_context *context)
{
    return run(context, "keys of messages", request_key);
}

enum ks_exit ks_command_share_key(struct ks_context *context)
{
    return run(context, "keys of messages", share_key);
}
