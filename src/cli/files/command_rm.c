/* command_rm.c — `kesher rm NAME…`. Main thread. */
#include "cli/files/file_report.h"
#include "cli/files/file_selection.h"
#include "cli/files/files_session.h"
#include "cli/terminal/output.h"

#include <signal.h>
#include <stdlib.h>

static const struct ks_file_words words = {.done = "removed", .left_out = "removed"};

static const char *name_of(void *context, size_t index)
{
    const struct ks_file_selection *selection = context;
    return selection->files[index].name;
}

static void file_done(void *context, size_t index, enum kesher_status status,
                      const struct kesher_error *error)
{
    struct ks_file_report *report = context;
    report->outcomes[index].status = status;
    ks_file_report_settle(report, index, error);
}

static enum ks_exit remove_selected(struct kesher_files *files, struct ks_file_report *report)
{
    const struct ks_file_selection *selection = report->context;
    const char **names = calloc(selection->count + 1, sizeof *names);
    if (names == NULL || !ks_file_report_open(report, selection->count)) {
        free(names);
        return KS_EXIT_FAILED;
    }
    for (size_t i = 0; i < selection->count; i++)
        names[i] = selection->files[i].name;
    (void)kesher_files_remove(files, names, selection->count, file_done, report, NULL);
    ks_file_report_leave_out(report, report->next_told);
    ks_file_report_close(report);
    free(names);
    return report->failed || selection->missed ? KS_EXIT_FAILED : KS_EXIT_DONE;
}

enum ks_exit ks_command_rm(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    struct ks_file_selection selection;
    enum ks_exit status = KS_EXIT_FAILED;
    (void)signal(SIGPIPE, SIG_IGN); /* that nobody reads what is told leaves nothing half done */
    struct kesher_files *files = ks_files_session_ask(context);
    if (files == NULL)
        return KS_EXIT_FAILED;
    struct ks_file_report report = {
        .options = options, .words = &words, .stream = stdout, .context = &selection, .name = name_of};
    if (ks_file_selection_make(files, options->operands, options->operand_count, options->recursive,
                               &selection)) {
        status = remove_selected(files, &report);
        ks_file_selection_free(&selection);
    }
    kesher_files_close(files);
    return status;
}
