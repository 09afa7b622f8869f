/* editor_readline.c — see editor.h: with GNU readline, through its callback interface.
 *
 * Readline would change the terminal's settings back and forth around each line; a burst of pasted lines
 * would be echoed in between. So they are changed once, here, and readline's own functions for it do nothing.
 */
#include "cli/terminal/editor.h"

#include "cli/terminal/terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

enum { HISTORY_LINES = 500 };

/* As global as readline is. */
static struct {
    ks_editor_taken *taken;
    void *context;
    bool is_open;
    bool hidden; /* the line is not on the screen: readline will draw it, or ks_editor_show */
} editor;

static void leave_settings(int meta)
{
    (void)meta;
}

static void leave_settings_again(void)
{
}

static void take_line(char *line)
{
    editor.hidden = line != NULL; /* at the end of the input the prompt stays where it is */
    if (line != NULL && line[0] != '\0') {
        const HIST_ENTRY *last = history_length > 0 ? history_get(history_base + history_length - 1) : NULL;
        if (last == NULL || strcmp(last->line, line) != 0)
            add_history(line);
    }
    editor.taken(editor.context, line, line != NULL ? strlen(line) : 0);
    editor.hidden = false;
    free(line);
}

/* What is typed is UTF-8, whatever the locale is called. Readline asks the environment, not the program, for
 * the locale, so it is told there. Before readline begins; there is no second thread. */
static void choose_characters(void)
{
    static const char *const locales[] = {"C.UTF-8", "C.utf8", "en_US.UTF-8"}; /* not every system has each */
    const char *locale = setlocale(LC_CTYPE, ""); /* NOLINT(concurrency-mt-unsafe): see above */
    const char *codes = nl_langinfo(CODESET);     /* NOLINT(concurrency-mt-unsafe): see above */
    if (locale != NULL && strcmp(codes, "UTF-8") == 0)
        return;
    for (size_t i = 0; i < sizeof locales / sizeof locales[0]; i++) {
        locale = setlocale(LC_CTYPE, locales[i]); /* NOLINT(concurrency-mt-unsafe): see above */
        if (locale == NULL)
            continue;
        (void)setenv("LC_ALL", locales[i], 1); /* NOLINT(concurrency-mt-unsafe): see above */
        return;
    }
}

/* Where there is no locale for it, bytes with the eighth bit are characters all the same, and no commands. */
static void let_all_bytes_through(void)
{
    (void)rl_variable_bind("convert-meta", "off");
    (void)rl_variable_bind("input-meta", "on");
    (void)rl_variable_bind("output-meta", "on");
}

void ks_editor_open(const char *prompt, ks_editor_taken *taken, void *context)
{
    choose_characters();
    editor.taken = taken;
    editor.context = context;
    editor.is_open = true;
    editor.hidden = false;
    rl_readline_name = "kesher";
    rl_catch_signals = 0;
    rl_catch_sigwinch = 0;
    rl_change_environment = 0;
    rl_prep_term_function = leave_settings;
    rl_deprep_term_function = leave_settings_again;
    (void)rl_initialize();
    let_all_bytes_through();
    (void)rl_variable_bind("enable-bracketed-paste", "off"); /* what is pasted are lines like any other */
    (void)rl_bind_key('\t', rl_insert);                      /* there is nothing to complete */
    using_history();
    stifle_history(HISTORY_LINES);
    ks_terminal_remember(STDIN_FILENO);
    rl_prep_terminal(1);
    rl_callback_handler_install(prompt, take_line);
}

void ks_editor_close(void)
{
    if (!editor.is_open)
        return;
    ks_editor_hide();
    editor.is_open = false;
    rl_callback_handler_remove();
    rl_deprep_terminal();
    clear_history();
    ks_terminal_forget();
}

void ks_editor_abandon(void)
{
    ks_editor_show();
    if (editor.is_open && rl_end > 0) {
        rl_point = rl_end;
        rl_redisplay();
        (void)fputc('\n', rl_outstream);
        (void)fflush(rl_outstream);
        editor.hidden = true;
    }
    ks_editor_close();
}

void ks_editor_read(void)
{
    if (editor.is_open)
        rl_callback_read_char();
}

void ks_editor_hide(void)
{
    if (!editor.is_open || editor.hidden)
        return;
    (void)rl_clear_visible_line();
    (void)fflush(rl_outstream);
    editor.hidden = true;
}

void ks_editor_show(void)
{
    if (!editor.is_open || !editor.hidden)
        return;
    (void)rl_on_new_line();
    rl_redisplay();
    editor.hidden = false;
}

void ks_editor_resize(void)
{
    if (editor.is_open)
        rl_resize_terminal();
}

void ks_editor_suspend(void)
{
    if (!editor.is_open)
        return;
    ks_editor_hide();
    rl_deprep_terminal();
    ks_terminal_forget();
}

void ks_editor_resume(void)
{
    if (!editor.is_open)
        return;
    ks_terminal_remember(STDIN_FILENO);
    rl_prep_terminal(1);
    rl_resize_terminal();
    ks_editor_show();
}
