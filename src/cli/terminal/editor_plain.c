/* editor_plain.c — see editor.h: without a library, with the line editing of the terminal itself. */
#include "cli/terminal/editor.h"

#include "cli/terminal/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    ks_editor_taken *taken;
    void *context;
    const char *prompt;
    struct ks_input input;
    bool is_open;
    bool hidden;
} editor;

static void show_prompt(void)
{
    (void)fputs(editor.prompt, stdout);
    (void)fflush(stdout);
}

void ks_editor_open(const char *prompt, ks_editor_taken *taken, void *context)
{
    editor.taken = taken;
    editor.context = context;
    editor.prompt = prompt;
    editor.is_open = true;
    editor.hidden = false;
    ks_input_init(&editor.input, STDIN_FILENO, KS_INPUT_LINE_LIMIT);
    show_prompt();
}

void ks_editor_close(void)
{
    if (!editor.is_open)
        return;
    ks_editor_hide();
    editor.is_open = false;
    ks_input_destroy(&editor.input);
}

void ks_editor_abandon(void)
{
    ks_editor_close();
}

/* A terminal gives a line at once, or several; a pasted one that does not fit its buffer comes in pieces, and
 * the rest is waited for. */
void ks_editor_read(void)
{
    char *line = NULL;
    size_t size = 0;
    do {
        editor.hidden = true;
        switch (ks_input_line(&editor.input, &line, &size)) {
        case KS_INPUT_LINE:
            editor.taken(editor.context, line, size);
            break;
        case KS_INPUT_TOO_LONG:
            break;
        case KS_INPUT_END:
            editor.taken(editor.context, NULL, 0);
            return;
        }
    } while (editor.is_open && editor.input.begin < editor.input.end);
    ks_editor_show();
}

void ks_editor_hide(void)
{
    if (!editor.is_open || editor.hidden)
        return;
    (void)fputc('\n', stdout);
    editor.hidden = true;
}

void ks_editor_show(void)
{
    if (!editor.is_open || !editor.hidden)
        return;
    editor.hidden = false;
    show_prompt();
}

void ks_editor_resize(void)
{
}

void ks_editor_suspend(void)
{
    ks_editor_hide();
}

void ks_editor_resume(void)
{
    ks_editor_show();
}
