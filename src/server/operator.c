/* operator.c — see operator.h. */
#include "server/operator.h"

#include "base/text.h"
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

/* What was given; texts point into argv. */
struct request {
    const struct ks_operator_command *command;
    const char *name;
    char *data;
    char *config;
    bool json;
    bool yes;
    bool repair;
    bool help;
};

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("kesherd: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ---- the command line ---- */

bool ks_operator_is_meant(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < ks_operator_command_count(); i++)
        if (strcmp(argv[1], ks_operator_command_at(i)->noun) == 0)
            return true;
    return false;
}

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
    for (size_t i = 0; i < ks_operator_option_count(); i++) {
        struct ks_option_row row = ks_operator_option_row(i);
        snprintf(left, sizeof left, "--%s%s%s", row.name, row.value != NULL ? " " : "",
                 row.value != NULL ? row.value : "");
        printf("  %-20s  %s\n", left, row.help);
    }
}

/* The value of an option, from "--name=value" or the next argument; NULL when there is none. */
static char *value_of(char **argv, int *index)
{
    char *equals = strchr(argv[*index], '=');
    return equals != NULL ? equals + 1 : argv[++*index];
}

/* 0 when it was understood. */
static int read_option(struct request *request, char **argv, int *index)
{
    const char *name = argv[*index] + 2;
    size_t size = strcspn(name, "=");
    char **text = NULL;
    bool *flag = NULL;
    if (size == 4 && strncmp(name, "data", size) == 0)
        text = &request->data;
    else if (size == 6 && strncmp(name, "config", size) == 0)
        text = &request->config;
    else if (strcmp(name, "json") == 0)
        flag = &request->json;
    else if (strcmp(name, "yes") == 0)
        flag = &request->yes;
    else if (strcmp(name, "repair") == 0)
        flag = &request->repair;
    else if (strcmp(name, "help") == 0)
        flag = &request->help;
    if (flag != NULL) {
        *flag = true;
        return 0;
    }
    if (text == NULL) {
        complain("there is no option %s, see kesherd user --help", argv[*index]);
        return EXIT_USAGE;
    }
    *text = value_of(argv, index);
    if (*text != NULL)
        return 0;
    complain("--%.*s needs a value, see kesherd user --help", (int)size, name);
    return EXIT_USAGE;
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

/* 0 when the words make a command. */
static int read_words(struct request *request, const char *noun, const char *const *words, size_t count)
{
    request->command = find_command(noun, "");
    if (request->command != NULL && count == 0)
        return 0;
    if (request->command != NULL) {
        complain("%s takes nothing more, see kesherd %s --help", noun, noun);
        return EXIT_USAGE;
    }
    if (count == 0) {
        complain("%s what? see kesherd %s --help", noun, noun);
        return EXIT_USAGE;
    }
    request->command = find_command(noun, words[0]);
    if (request->command == NULL) {
        complain("there is no command \"%s %s\", see kesherd %s --help", noun, words[0], noun);
        return EXIT_USAGE;
    }
    size_t wanted = request->command->takes_name ? 2 : 1;
    if (count != wanted) {
        complain("%s %s takes %s, see kesherd %s --help", noun, words[0],
                 wanted == 2 ? "one name" : "nothing more", noun);
        return EXIT_USAGE;
    }
    request->name = wanted == 2 ? words[1] : "";
    if (wanted == 2 && !ks_text_is_user_name(request->name, strlen(request->name))) {
        complain("a name has 1 to 254 printable characters of ASCII, not all blank");
        return EXIT_USAGE;
    }
    return 0;
}

static int read_arguments(struct request *request, int argc, char **argv)
{
    const char *words[3]; /* one more than any command has */
    size_t count = 0;
    bool options_end = false;
    for (int i = 2; i < argc; i++) {
        if (!options_end && strcmp(argv[i], "--") == 0) {
            options_end = true;
        } else if (!options_end && strncmp(argv[i], "--", 2) == 0) {
            int status = read_option(request, argv, &i);
            if (status != 0)
                return status;
        } else if (count < sizeof words / sizeof words[0]) {
            words[count++] = argv[i];
        }
    }
    request->name = "";
    int status = request->help ? 0 : read_words(request, argv[1], words, count);
    if (status == 0 && request->repair && !request->help && request->command->request != KS_CONTROL_CHECK) {
        complain("--repair goes with kesherd check");
        return EXIT_USAGE;
    }
    return status;
}

/* The options that say where the data is, judged as the server would. 0 when they are sound. */
static int read_settings(const struct request *request, struct ks_options *options)
{
    char why[KS_OPTIONS_WHY_SIZE] = "";
    char program[] = "kesherd";
    char data[] = "--data";
    char config[] = "--config";
    char *argv[6] = {program};
    int argc = 1;
    if (request->data != NULL) {
        argv[argc++] = data;
        argv[argc++] = request->data;
    }
    if (request->config != NULL) {
        argv[argc++] = config;
        argv[argc++] = request->config;
    }
    if (ks_options_read(options, argc, argv, why) != KS_OPTIONS_RUN) {
        complain("%s", why);
        return EXIT_USAGE;
    }
    ks_options_choose_data(options);
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
    if (!request->json)
        return printf("%s: %s\n", request->command->done, request->name) > 0;
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
    struct ks_operator_show show = ks_operator_show_begin(KS_CONTROL_USER, request->json);
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
    if (request->command->asks_first && !request->yes) {
        int status = confirm(request, access);
        if (status != 0)
            return status;
    }
    enum ks_control_verb verb = request->repair ? KS_CONTROL_REPAIR : request->command->request;
    const struct ks_control_request wire = request_for(request, verb);
    struct ks_operator_show show = ks_operator_show_begin(verb, request->json);
    int status = ask(access, &wire, &show);
    if (status == 0 && (!print_done(request) || fflush(stdout) != 0)) {
        complain("cannot print the answer");
        return EXIT_FAILURE;
    }
    return status;
}

int ks_operator_run(int argc, char **argv)
{
    static struct ks_options options; /* large, and alone */
    struct request request = {.help = false};
    char why[KS_OPERATOR_WHY_SIZE] = "";
    struct ks_operator_access *access = NULL;
    int status = read_arguments(&request, argc, argv);
    if (status != 0)
        return status;
    if (request.help) {
        print_help();
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (request.command->asks_first && !request.yes && isatty(STDIN_FILENO) == 0) {
        complain("%s %s needs --yes where stdin is no terminal", request.command->noun,
                 request.command->verb);
        return EXIT_USAGE;
    }
    status = read_settings(&request, &options);
    if (status != 0)
        return status;
    signal(SIGPIPE, SIG_IGN);
    if (ks_operator_open(&options, &access, why) != KS_OK) {
        complain("%s", why);
        return EXIT_FAILURE;
    }
    status = carry_out(&request, access);
    ks_operator_close(access);
    return status;
}
