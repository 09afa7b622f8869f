/* menu.c — see menu.h: what the console reads and prints. */
#include "cli/menu/menu.h"

#include "cli/terminal/output.h"

void ks_menu_flush(struct ks_menu *menu)
{
    if (menu->failed || ks_output_flush())
        return;
    menu->failed = true;
    menu->over = true;
}

bool ks_menu_line(struct ks_menu *menu, char **line, size_t *size)
{
    ks_menu_flush(menu);
    if (menu->over)
        return false;
    switch (ks_input_line(&menu->input, line, size)) {
    case KS_INPUT_LINE:
        return true;
    case KS_INPUT_TOO_LONG:
        (void)printf("a line has at most %d bytes; send more as a file (153)\n", (int)KS_INPUT_LINE_LIMIT);
        return false;
    case KS_INPUT_END:
        break;
    }
    menu->over = true;
    return false;
}
