/* menu.h — the console of the classic course. menu.c reads and prints, menu_choices.c does what was chosen,
 * and command_menu.c offers the choices. Main thread.
 *
 * Everything is printed to stdout, each outcome in one line. Symmetric keys live as long as the console.
 */
#ifndef KS_CLI_MENU_MENU_H
#define KS_CLI_MENU_MENU_H

#include "cli/commands/context.h"
#include "cli/terminal/input.h"

struct ks_menu {
    const struct ks_context *context;
    char address[KESHER_ADDRESS_SIZE];
    struct kesher_messenger *messenger; /* NULL until a choice needs it */
    struct ks_input input;
    bool over;   /* the input has ended, or 0 was chosen */
    bool failed; /* stdout cannot be written to; then it is over, too */
};

/* Flushes stdout; when that fails the menu is over. */
void ks_menu_flush(struct ks_menu *menu);

/* The next line of the input. False after saying that it is too long, and when the menu is over. */
bool ks_menu_line(struct ks_menu *menu, char **line, size_t *size);

/* The choices: menu_choices.c. */
void ks_menu_register(struct ks_menu *menu);
void ks_menu_users(struct ks_menu *menu);
void ks_menu_key(struct ks_menu *menu);
void ks_menu_inbox(struct ks_menu *menu);
void ks_menu_text(struct ks_menu *menu);
void ks_menu_request_key(struct ks_menu *menu);
void ks_menu_share_key(struct ks_menu *menu);
void ks_menu_file(struct ks_menu *menu);

#endif
