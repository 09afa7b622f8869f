/* command_ask.c — `kesher ask`. Main thread. */
#include "cli/commands/context.h"
#include "cli/terminal/input.h"
#include "cli/terminal/output.h"

#include "base/text.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What came of a request. */
enum ask_outcome {
    GO_ON,
    ENDED,  /* the server has closed, as it does after EXIT */
    FAILED, /* and that was said */
};

static void print_text(const void *bytes, size_t size)
{
    struct ks_text_stream text = ks_text_stream_begin(KS_TEXT_FOR_TERMINAL);
    (void)ks_output_text(&text, bytes, size);
    (void)ks_output_text_end(&text);
    if (!text.at_line_start)
        (void)fputc('\n', stdout);
}

static void print_reply(const struct kesher_ask_reply *reply, bool json)
{
    if (!json) {
        print_text(reply->bytes, reply->size);
        return;
    }
    (void)fputs("{\"request\": ", stdout);
    ks_output_json_string(stdout, reply->request);
    (void)fputs(", \"reply\": ", stdout);
    ks_output_json_bytes(stdout, reply->bytes, reply->size);
    (void)fputs("}\n", stdout);
}

static enum ask_outcome request(struct kesher_ask *ask, const char *text, size_t size, bool json,
                                struct kesher_ask_reply *reply)
{
    struct kesher_error error;
    if (kesher_ask_request(ask, text, size, reply, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return FAILED;
    }
    if (reply->ended)
        return ENDED;
    print_reply(reply, json);
    return ks_output_flush() ? GO_ON : FAILED;
}

/* ---- requests as arguments ---- */

/* What came of a request that did not end in a reply. */
static enum ks_exit judge_end(enum ask_outcome outcome, const struct kesher_ask_reply *reply)
{
    if (outcome == FAILED)
        return KS_EXIT_FAILED;
    if (strcmp(reply->request, "EXIT") == 0)
        return KS_EXIT_DONE;
    ks_output_failed(KESHER_CONNECTION, "the server closed the connection instead of replying");
    return KS_EXIT_FAILED;
}

static void print_unknown(const char *text)
{
    char shown[100];
    ks_output_error("the server does not know the request '%s'",
                    ks_text_escape(text, strlen(text), shown, sizeof shown));
}

static enum ks_exit ask_for_all(struct kesher_ask *ask, const struct ks_cli_options *options)
{
    enum ks_exit status = KS_EXIT_DONE;
    for (size_t i = 0; i < options->operand_count; i++) {
        struct kesher_ask_reply reply;
        const char *text = options->operands[i];
        enum ask_outcome outcome = request(ask, text, strlen(text), options->json, &reply);
        if (outcome != GO_ON) {
            enum ks_exit end = judge_end(outcome, &reply);
            return end == KS_EXIT_DONE ? status : end;
        }
        if (!reply.unknown)
            continue;
        print_unknown(text);
        status = KS_EXIT_FAILED;
    }
    return status;
}

/* ---- requests from the input ---- */

/* False when the server has closed while nothing was asked. */
static bool wait_for_input(struct kesher_ask *ask, const struct ks_input *input)
{
    struct pollfd watched[] = {{.fd = input->fd, .events = POLLIN},
                               {.fd = kesher_ask_descriptor(ask), .events = POLLIN}};
    if (input->begin < input->end)
        return true;
    while (poll(watched, 2, -1) < 0)
        ; /* interrupted */
    return watched[0].revents != 0 || watched[1].revents == 0;
}

/* One request; ENDED also at the end of the input. */
static enum ask_outcome take_request(struct kesher_ask *ask, struct ks_input *input, bool json, bool prompts)
{
    struct kesher_ask_reply reply;
    char *line = NULL;
    size_t size = 0;
    if (prompts)
        (void)fputs("> ", stdout);
    if (!ks_output_flush())
        return FAILED;
    enum ks_input_result got = KS_INPUT_END;
    if (wait_for_input(ask, input))
        got = ks_input_line(input, &line, &size);
    if (got == KS_INPUT_LINE && size > 0)
        return request(ask, line, size, json, &reply);
    if (got != KS_INPUT_END)
        return GO_ON;
    if (prompts)
        (void)fputc('\n', stdout);
    return ENDED;
}

static enum ks_exit converse(struct kesher_ask *ask, struct ks_input *input, bool json)
{
    bool prompts = !json && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1;
    enum ask_outcome outcome = GO_ON;
    if (!json)
        print_text(kesher_ask_banner(ask), KESHER_ASK_BANNER_SIZE);
    while (outcome == GO_ON)
        outcome = take_request(ask, input, json, prompts);
    return outcome == FAILED ? KS_EXIT_FAILED : KS_EXIT_DONE;
}

static enum ks_exit converse_with(struct kesher_ask *ask, bool json)
{
    struct ks_input *input = malloc(sizeof *input);
    if (input == NULL) {
        ks_output_error("out of memory; close other programs and try again");
        return KS_EXIT_FAILED;
    }
    ks_input_init(input, STDIN_FILENO, KS_INPUT_LINE_LIMIT);
    enum ks_exit status = converse(ask, input, json);
    ks_input_destroy(input);
    free(input);
    return status;
}

enum ks_exit ks_command_ask(struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_error error;
    struct kesher_ask *ask = NULL;
    const struct ks_cli_options *options = context->options;
    if (!ks_context_service(context, KESHER_ASK_PORT, address))
        return KS_EXIT_FAILED;
    (void)signal(SIGPIPE, SIG_IGN);
    if (kesher_ask_open(address, &context->limits, &ask, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    enum ks_exit status =
        options->operand_count > 0 ? ask_for_all(ask, options) : converse_with(ask, options->json);
    kesher_ask_close(ask);
    return status;
}
