/* command_send.c — `kesher send USER [TEXT]`, `kesher send USER --file FILE`. Main thread. */
#include "cli/commands/messaging.h"
#include "cli/commands/spool.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown_name.h"

#include <string.h>
#include <unistd.h>

/* The most that fits 603: its payload is below 4 GiB and has 21 bytes before the content, which is padded to
 * whole blocks of 16. */
static const uint64_t message_size_limit = ((uint64_t)UINT32_MAX - 21) / 16 * 16 - 1;

enum { SIZE_WITH_PROGRESS = 1024 * 1024 }; /* what is smaller is sent before a bar could be read */

struct message {
    const char *user;
    enum kesher_message_type type;
    int fd;
    uint64_t size;
    struct kesher_receipt receipt;
};

static enum ks_exit fail(const struct kesher_error *error)
{
    ks_output_failure(error);
    return KS_EXIT_FAILED;
}

/* Whoever types a text learns beforehand that it can be sent, and how to end it. */
static enum kesher_status prepare_typing(struct kesher_messenger *messenger, const char *user,
                                         struct kesher_error *error)
{
    struct kesher_user_key key;
    enum kesher_status status = kesher_messenger_key(messenger, user, &key, error);
    if (status == KESHER_OK)
        ks_progress_notice(NULL, "type the text; Ctrl-D in a line of its own ends it");
    return status;
}

/* An empty text is a variable that was not set, or a program that failed: nobody means it. False after saying
 * so, and closing it. */
static bool has_something(struct message *message)
{
    if (message->size > 0 || message->type == KESHER_MESSAGE_FILE)
        return true;
    ks_output_error("the standard input is empty, and nothing was sent");
    close(message->fd);
    message->fd = -1;
    return false;
}

/* Opens what is to be sent. False after printing why not. */
static bool open_content(const struct ks_cli_options *options, struct kesher_messenger *messenger,
                         struct message *message)
{
    struct kesher_error error = {.status = KESHER_OK};
    const char *text = options->operand_count > 1 ? options->operands[1] : NULL;
    if (text != NULL) {
        message->size = strlen(text);
        message->fd = ks_spool_bytes(text, strlen(text), &error);
    } else if (options->file != NULL && strcmp(options->file, "-") != 0) {
        message->fd = ks_spool_open(options->file, false, &message->size, &error);
    } else if (options->file != NULL || isatty(STDIN_FILENO) != 1 ||
               prepare_typing(messenger, message->user, &error) == KESHER_OK) {
        message->fd = ks_spool(STDIN_FILENO, message_size_limit, &message->size); /* it prints why not */
        return message->fd >= 0 && has_something(message);
    }
    if (message->fd < 0)
        ks_output_failure(&error);
    return message->fd >= 0;
}

static void print_sent(const struct ks_cli_options *options, const struct message *message)
{
    char shown[KS_SHOWN_NAME_SIZE];
    if (options->json) {
        (void)fputs("{\"to\": ", stdout);
        ks_output_json_string(stdout, message->user);
        (void)printf(", \"type\": \"%s\"", message->type == KESHER_MESSAGE_FILE ? "file" : "text");
        if (message->receipt.has_id)
            (void)printf(", \"id\": %lu", (unsigned long)message->receipt.message_id);
        (void)puts("}");
    } else {
        (void)printf("sent to %s", ks_output_name(message->user, shown));
        if (message->receipt.has_id)
            (void)printf(", message %lu", (unsigned long)message->receipt.message_id);
        (void)putchar('\n');
    }
}

static enum ks_exit send_message(struct kesher_messenger *messenger, const struct ks_cli_options *options,
                                 struct ks_progress *progress, struct message *message)
{
    struct kesher_error error;
    ks_progress_start(progress, message->size, message->size < SIZE_WITH_PROGRESS);
    enum kesher_status status = kesher_messenger_send(messenger, message->user, message->type, message->fd,
                                                      message->size, true, &message->receipt, &error);
    ks_progress_clear(progress);
    if (status != KESHER_OK)
        return fail(&error);
    print_sent(options, message);
    return KS_EXIT_DONE;
}

enum ks_exit ks_command_send(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    struct ks_progress progress = {.drawing = false, .name = ""};
    struct kesher_options settings = context->limits;
    settings.observer = ks_messaging_observer(&progress);
    struct message message = {
        .user = options->operands[0],
        .type = options->file != NULL ? KESHER_MESSAGE_FILE : KESHER_MESSAGE_TEXT,
        .fd = -1,
    };
    if (options->file != NULL && options->operand_count > 1) {
        ks_output_usage("a message is a text or a file, not both; see kesher send --help");
        return KS_EXIT_USAGE;
    }
    if (options->operand_count > 1 && options->operands[1][0] == '\0') {
        ks_output_usage("TEXT is empty, and nothing was sent; see kesher send --help");
        return KS_EXIT_USAGE;
    }
    struct kesher_messenger *messenger = ks_messaging_open(context, "messages", &settings);
    if (messenger == NULL)
        return KS_EXIT_FAILED;
    enum ks_exit status = KS_EXIT_FAILED;
    if (open_content(options, messenger, &message)) {
        status = send_message(messenger, options, &progress, &message);
        close(message.fd);
    }
    if (status == KS_EXIT_DONE)
        ks_messaging_publish_key(messenger);
    kesher_messenger_close(messenger);
    return status;
}
