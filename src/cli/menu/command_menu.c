/* command_menu.c — see command_menu.h: the loop that offers the choices. */
#include "cli/menu/command_menu.h"

#include "cli/menu/menu.h"
#include "cli/terminal/output.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void leave(struct ks_menu *menu)
{
    menu->over = true;
}

static const struct choice {
    const char *number;
    const char *text;
    void (*run)(struct ks_menu *menu);
} choices[] = {
    {"110", "Register", ks_menu_register},
    {"120", "Request for clients list", ks_menu_users},
    {"130", "Request for public key", ks_menu_key},
    {"140", "Request for waiting messages", ks_menu_inbox},
    {"150", "Send a text message", ks_menu_text},
    {"151", "Send a request for symmetric key", ks_menu_request_key},
    {"152", "Send your symmetric key", ks_menu_share_key},
    {"153", "Send a file", ks_menu_file},
    {"0", "Exit client", leave},
};

enum { CHOICE_COUNT = sizeof choices / sizeof choices[0] };

static void print_choices(void)
{
    (void)puts("MessageU client at your service.\n");
    for (size_t i = 0; i < CHOICE_COUNT; i++)
        (void)printf("%2s) %s\n", choices[i].number, choices[i].text);
    (void)puts("?");
}

static void run_choice(struct ks_menu *menu, const char *number, size_t size)
{
    for (size_t i = 0; i < CHOICE_COUNT; i++) {
        if (strlen(choices[i].number) == size && memcmp(choices[i].number, number, size) == 0) {
            choices[i].run(menu);
            return;
        }
    }
    (void)puts("invalid choice");
}

static void run_menu(struct ks_menu *menu)
{
    while (!menu->over) {
        char *line = NULL;
        size_t size = 0;
        print_choices();
        if (!ks_menu_line(menu, &line, &size))
            continue;
        const char *number = ks_input_trim(line, &size);
        run_choice(menu, number, size);
    }
    ks_menu_flush(menu);
}

enum ks_exit ks_command_menu(struct ks_context *context)
{
    struct ks_menu *menu = calloc(1, sizeof *menu);
    if (menu == NULL) {
        ks_output_error("out of memory; close other programs and try again");
        return KS_EXIT_FAILED;
    }
    menu->context = context;
    enum ks_exit status = KS_EXIT_FAILED;
    if (ks_context_server(context, "messages", menu->address)) {
        ks_context_warn_of_secrets(context);
        (void)signal(SIGPIPE, SIG_IGN);
        ks_input_init(&menu->input, STDIN_FILENO, KS_INPUT_LINE_LIMIT);
        run_menu(menu);
        status = menu->failed ? KS_EXIT_FAILED : KS_EXIT_DONE;
        ks_input_destroy(&menu->input);
        kesher_messenger_close(menu->messenger);
    }
    free(menu);
    return status;
}
