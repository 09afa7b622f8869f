/* operator.c — see operator.h. */
#include "server/operator.h"

#include "base/text.h"
#include "server/data_directory.h"
#include "server/operator_access.h"
#include "server/operator_commands.h"
#include "server/operator_complain.h"
#include "server/operator_key.h"
#include "server/operator_links.h"
#include "server/operator_show.h"
#include "wire/json.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct request {
    const struct ks_operator_command *command;
    const struct ks_server_options *options;
    const char *name; /* "" where the command takes none */
};

/* ---- the command line ---- */

static void print_help(void)
{
    printf("usage: kesherd user list | show NAME | reset-key NAME | remove NAME [--OPTION]...\n"
           "       kesherd group list [--OPTION]...\n"
           "       kesherd check [--repair] [--OPTION]...\n"
           "       kesherd address [--host NAME] [--curl] [--OPTION]...\n"
           "       kesherd invite [--uses N] [--days N] [--for NAME] [--host NAME] [--OPTION]...\n"
           "       kesherd key next | use [--OPTION]...\n\n"
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
    ks_option_print(stdout, &ks_server_options_table, KS_SERVER_OPTIONS_COMMANDS,
                    &ks_server_options_defaults);
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
        return ks_operator_complain("%s takes nothing more; see kesherd %s --help", noun, noun);
    if (!is_noun(noun))
        return ks_operator_complain("there is no command \"%s\"; see kesherd --help", noun);
    if (count == 1)
        return ks_operator_complain("%s what? see kesherd %s --help", noun, noun);
    request->command = find_command(noun, words[1]);
    if (request->command == NULL)
        return ks_operator_complain("there is no command \"%s %s\"; see kesherd %s --help", noun, words[1],
                                    noun);
    size_t wanted = request->command->takes_name ? 3 : 2;
    if (count != wanted)
        return ks_operator_complain("%s %s takes %s; see kesherd %s --help", noun, words[1],
                                    wanted == 3 ? "one name" : "nothing more", noun);
    request->name = wanted == 3 ? words[2] : "";
    if (wanted == 3 && !ks_server_options_is_name(request->name, KS_TEXT_FIELD_SIZE - 1))
        return ks_operator_complain("a name has 1 to 254 bytes of printable characters, not all blank");
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
        return ks_operator_complain("%s%s%s does not take --%s; see kesherd %s --help", command->noun, blank,
                                    command->verb, unwelcome->name, command->noun);
    if (command->asks_first && !options->yes && isatty(STDIN_FILENO) == 0)
        return ks_operator_complain("%s%s%s needs --yes where stdin is no terminal", command->noun, blank,
                                    command->verb);
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

/* Runs one request; 0 when all is well. `finding`: of a check, something beside what the store says; or NULL.
 */
static int ask(struct ks_operator_access *access, const struct ks_control_request *wire,
               struct ks_operator_show *show, const struct ks_control_finding *finding)
{
    char why[KS_OPERATOR_WHY_SIZE] = "";
    struct ks_control_end end = {.result = KS_IO};
    struct ks_operator_check check = {.finding = finding, .line = ks_operator_show_line, .context = show};
    enum ks_result result = ks_operator_ask(access, wire, ks_operator_check_line, &check, &end, why);
    bool printed = ks_operator_show_end(show);
    if (result == KS_CLOSED || (result == KS_OK && !printed))
        ks_operator_complain("cannot print the answer");
    else if (result != KS_OK)
        ks_operator_complain("%s", why);
    else if (end.message[0] != '\0')
        ks_operator_complain("%s", end.message);
    bool is_well = result == KS_OK && printed && end.result == KS_OK && !check.was_wrong;
    return is_well ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* Shows the user and asks. 0: go on. */
static int confirm(const struct request *request, struct ks_operator_access *access)
{
    char answer[16] = "";
    const struct ks_control_request wire = request_for(request, KS_CONTROL_USER);
    struct ks_operator_show show = ks_operator_show_begin(KS_CONTROL_USER, request->options->json);
    int status = ask(access, &wire, &show, NULL);
    if (status != 0)
        return status;
    fprintf(stderr, "Remove this user and all that is kept for it? [y/N] ");
    if (fgets(answer, sizeof answer, stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    ks_operator_complain("nothing was removed");
    return EXIT_FAILURE;
}

static int carry_out(const struct request *request, struct ks_operator_access *access,
                     const struct ks_control_finding *finding)
{
    if (request->command->asks_first && !request->options->yes) {
        int status = confirm(request, access);
        if (status != 0)
            return status;
    }
    enum ks_control_verb verb = request->options->repair ? KS_CONTROL_REPAIR : request->command->request;
    const struct ks_control_request wire = request_for(request, verb);
    struct ks_operator_show show = ks_operator_show_begin(verb, request->options->json);
    int status = ask(access, &wire, &show, finding);
    if (status == 0 && (!print_done(request) || fflush(stdout) != 0)) {
        ks_operator_complain("cannot print the answer");
        return EXIT_FAILURE;
    }
    return status;
}

/* A command that asks a server, or the store. */
static int run_request(const struct request *request)
{
    char why[KS_OPERATOR_WHY_SIZE] = "";
    struct ks_operator_access *access = NULL;
    struct ks_control_finding finding;
    bool is_check = request->command->request == KS_CONTROL_CHECK;
    bool is_found = is_check && ks_operator_check_host_key(request->options, &finding);
    if (ks_operator_open(request->options, &access, why) != KS_OK)
        return ks_operator_fail("%s", why);
    int status = carry_out(request, access, is_found ? &finding : NULL);
    ks_operator_close(access);
    return status;
}

static int run_command(const struct request *request)
{
    switch (request->command->kind) {
    case KS_OPERATOR_ADDRESS:
        return ks_operator_print_address(request->options);
    case KS_OPERATOR_INVITE:
        return ks_operator_print_invitation(request->options);
    case KS_OPERATOR_KEY_NEXT:
        return ks_operator_key_next(request->options);
    case KS_OPERATOR_KEY_USE:
        return ks_operator_key_use(request->options);
    case KS_OPERATOR_ASKS:
        break;
    }
    return run_request(request);
}

int ks_operator_run(struct ks_server_options *options)
{
    struct request request = {.options = options, .name = ""};
    if (options->help) {
        print_help();
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    int status = read_request(&request);
    if (status != 0)
        return status;
    enum ks_result result = ks_data_directory_find(options, &ks_data_directory_installed);
    if (result != KS_OK) {
        ks_operator_complain("%s", options->reader.why);
        return result == KS_INVALID ? KS_OPERATOR_EXIT_USAGE : EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    return run_command(&request);
}
