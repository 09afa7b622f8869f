/* operator.c — see operator.h. */
#include "server/operator.h"

#include "base/text.h"
#include "server/data_directory.h"
#include "server/operator_access.h"
#include "server/operator_commands.h"
#include "server/operator_show.h"
#include "wire/json.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

struct request {
    const struct ks_operator_command *command;
    const struct ks_server_options *options;
    const char *name; /* "" where the command takes none */
};

static int complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The exit status of a command line that makes no sense, for whoever returns it. */
static int complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("kesherd: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return EXIT_USAGE;
}

/* ---- the command line ---- */

static void print_help(void)
{
    printf("usage: kesherd user list | show NAME | reset-key NAME | remove NAME [--OPTION]...\n"
           "       kesherd group list [--OPTION]...\n"
           "       kesherd check [--repair] [--OPTION]...\n\n"
           "Asks the server that runs on the data directory or, when none does, works on the directory "
           "itself.\n\n");
    char left[64];
    for (size_t i = 0; i < ks_operator_command_count(); i++) {
        const struct ks_operator_command *command = ks_operator_command_at(i);
        snprintf(left, sizeof left, "%s%s%s%s", command->noun, command->verb[0] != '\0' ? " " : "",
                 command->verb, command->takes_name ? " NAME" : "");
        printf("  %-20s  %s\n", left, command->help);
    }
    putchar('\n');
    ks_option_print(stdout, &ks_server_options_table,
                    KS_SERVER_OPTIONS_OPERATOR | KS_SERVER_OPTIONS_REMOVE | KS_SERVER_OPTIONS_CHECK, NULL);
}

static const struct ks_operator_command *find_command(const char *noun, const char *verb)
{
    for (size_t i = 0; i < ks_operator_command_count(); i++) {
        const struct ks_operator_command *command = ks_operator_command_at(i);
        if (strcmp(noun, command->noun) == 0 && strcmp(verb, command->verb) == 0)
            return command;
    }
    return NULL;
}

static bool is_noun(const char *word)
{
    for (size_t i = 0; i < ks_operator_command_count(); i++)
        if (strcmp(word, ks_operator_command_at(i)->noun) == 0)
            return true;
    return false;
}

/* 0 when the words make a command. */
static int read_words(struct request *request, const char *const *words, size_t count)
{
    const char *noun = words[0];
    request->command = find_command(noun, "");
    if (request->command != NULL && count == 1)
        return 0;
    if (request->command != NULL)
        return complain("%s takes nothing more; see kesherd %s --help", noun, noun);
    if (!is_noun(noun))
        return complain("there is no command \"%s\"; see kesherd --help", noun);
    if (count == 1)
        return complain("%s what? see kesherd %s --help", noun, noun);
    request->command = find_command(noun, words[1]);
    if (request->command == NULL)
        return complain("there is no command \"%s %s\"; see kesherd %s --help", noun, words[1], noun);
    size_t wanted = request->command->takes_name ? 3 : 2;
    if (count != wanted)
        return complain("%s %s takes %s; see kesherd %s --help", noun, words[1],
                        wanted == 3 ? "one name" : "nothing more", noun);
    request->name = wanted == 3 ? words[2] : "";
    if (wanted == 3 && !ks_text_is_user_name(request->name, strlen(request->name)))
        return complain("a name has 1 to 254 printable characters of ASCII, not all blank");
    return 0;
}

/* 0 when all that was given makes sense. */
static int read_request(struct request *request)
{
    const struct ks_server_options *options = request->options;
    int status = read_words(request, options->operands, options->operand_count);
    if (status != 0)
        return status;
    const struct ks_operator_command *command = request->command;
    const char *blank = command->verb[0] != '\0' ? " " : "";
    const struct ks_option *unwelcome = ks_option_unwelcome(&options->reader, command->options);
    if (unwelcome != NULL)
        return complain("%s%s%s does not take --%s; see kesherd %s --help", command->noun, blank,
                        command->verb, unwelcome->name, command->noun);
    if (command->asks_first && !options->yes && isatty(STDIN_FILENO) == 0)
        return complain("%s%s%s needs --yes where stdin is no terminal", command->noun, blank, command->verb);
    return 0;
}

/* ---- asking ---- */

static struct ks_control_request request_for(const struct request *request, enum ks_control_verb verb)
{
    struct ks_control_request wire = {.verb = verb};
    snprintf(wire.name, sizeof wire.name, "%s", request->name);
    return wire;
}

/* What a command says that has no answer of its own. */
static bool print_done(const struct request *request)
{
    char line[KS_CONTROL_LINE_LIMIT];
    if (request->command->done == NULL)
        return true;
    if (!request->options->json)
        return printf("%s: %s\n", request->command->done, request->name) > 0 &&
               (request->command->next == NULL || puts(request->command->next) >= 0);
    struct ks_json_writer writer = ks_json_begin(line, sizeof line);
    ks_json_text(&writer, request->command->request == KS_CONTROL_REMOVE ? "removed" : "key_reset",
                 request->name, strlen(request->name));
    size_t size = ks_json_end(&writer);
    return fwrite(line, 1, size, stdout) == size;
}

/* Runs one request; 0 when all is well. */
static int ask(struct ks_operator_access *access, const struct ks_control_request *wire,
               struct ks_operator_show *show)
{
    char why[KS_OPERATOR_WHY_SIZE] = "";
    struct ks_control_end end = {.result = KS_IO};
    enum ks_result result = ks_operator_ask(access, wire, ks_operator_show_line, show, &end, why);
    bool printed = ks_operator_show_end(show);
    if (result == KS_CLOSED || (result == KS_OK && !printed))
        complain("cannot print the answer");
    else if (result != KS_OK)
        complain("%s", why);
    else if (end.message[0] != '\0')
        complain("%s", end.message);
    return result == KS_OK && printed && end.result == KS_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Shows the user and asks. 0: go on. */
static int confirm(const struct request *request, struct ks_operator_access *access)
{
    char answer[16] = "";
    const struct ks_control_request wire = request_for(request, KS_CONTROL_USER);
    struct ks_operator_show show = ks_operator_show_begin(KS_CONTROL_USER, request->options->json);
    int status = ask(access, &wire, &show);
    if (status != 0)
        return status;
    fprintf(stderr, "Remove this user and all that is kept for it? [y/N] ");
    if (fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    complain("nothing was removed");
    return EXIT_FAILURE;
}

static int carry_out(const struct request *request, struct ks_operator_access *access)
{
    if (request->command->asks_first && !request->options->yes) {
        int status = confirm(request, access);
        if (status != 0)
            return status;
    }
    enum ks_control_verb verb = request->options->repair ? KS_CONTROL_REPAIR : request->command->request;
    const struct ks_control_request wire = request_for(request, verb);
    struct ks_operator_show show = ks_operator_show_begin(verb, request->options->json);
    int status = ask(access, &wire, &show);
    if (status == 0 && (!print_done(request) || fflush(stdout) != 0)) {
        complain("cannot print the answer");
        return EXIT_FAILURE;
    }
    return status;
}

int ks_operator_run(struct ks_server_options *options)
{
    struct request request = {.options = options, .name = ""};
    char why[KS_OPERATOR_WHY_SIZE] = "";
    struct ks_operator_access *access = NULL;
    if (options->help) {
        print_help();
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    int status = read_request(&request);
    if (status != 0)
        return status;
    enum ks_result result = ks_data_directory_find(options, &ks_data_directory_installed);
    if (result != KS_OK) {
        complain("%s", options->reader.why);
        return result == KS_INVALID ? EXIT_USAGE : EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    if (ks_operator_open(options, &access, why) != KS_OK) {
        complain("%s", why);
        return EXIT_FAILURE;
    }
    status = carry_out(&request, access);
    ks_operator_close(access);
    return status;
}
