/* command_menu.h — `kesher menu`: the console of the classic course. Main thread. */
#ifndef KS_CLI_MENU_COMMAND_MENU_H
#define KS_CLI_MENU_COMMAND_MENU_H

#include "cli/commands/context.h"

/* Offers the choices, until the input ends or stdout cannot be written to. */
enum ks_exit ks_command_menu(struct ks_context *context);

#endif
