/* command_get.c — `kesher get NAME…`, into files or to the standard output. Main thread. */
#include "cli/commands/messaging.h"
#include "cli/commands/same_names.h"
#include "cli/files/file_names.h"
#include "cli/files/file_report.h"
#include "cli/files/file_selection.h"
#include "cli/files/files_session.h"
#include "cli/terminal/farewell.h"
#include "cli/terminal/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHOWN_SIZE = 300 };

struct get_run {
    struct ks_context *context;
    bool to_stdout;
    char directory[KESHER_PATH_SIZE]; /* in which targets are; "" for the working directory */
    int directory_fd;
    const char *single; /* the target of the only file (--as), or NULL */
    struct ks_file_selection selection;
    struct ks_file_report report;
    struct ks_progress progress;
    size_t next;                           /* the first file that had no turn yet */
    struct ks_file_outcome *in_hand;       /* of the file whose progress is told; NULL for none */
    char shown[4 * KESHER_FILE_NAME_SIZE]; /* its name */
    char path[2 * KESHER_PATH_SIZE];       /* the one that was asked for last */
};

static const struct ks_file_words saved_words = {
    .done = "saved", .left_out = "fetched", .has_numbers = true, .has_path = true};
static const struct ks_file_words written_words = {
    .done = "written", .left_out = "fetched", .has_numbers = true};

/* ---- names and targets ---- */

static const char *name_of(void *context, size_t index)
{
    const struct get_run *run = context;
    return run->selection.files[index].name;
}

/* Below the directory. */
static const char *target_of(const struct get_run *run, size_t index)
{
    const char *name = run->selection.files[index].name;
    if (run->single != NULL)
        return run->single;
    return run->context->options->recursive ? name : ks_file_names_last_part(name);
}

/* NULL where nothing was saved. */
static const char *path_of(void *context, size_t index)
{
    struct get_run *run = context;
    size_t size = strlen(run->directory);
    if (run->report.outcomes[index].status != KESHER_OK)
        return NULL;
    const char *slash = size == 0 || run->directory[size - 1] == '/' ? "" : "/";
    (void)snprintf(run->path, sizeof run->path, "%s%s%s", run->directory, slash, target_of(run, index));
    return run->path;
}

static void tell_both(const struct get_run *run, size_t first, size_t second)
{
    char one[SHOWN_SIZE];
    char other[SHOWN_SIZE];
    char target[SHOWN_SIZE];
    ks_output_usage("'%s' and '%s' would both be saved as '%s'; --recursive keeps their directories, or get "
                    "one of them by itself, with another name after --as",
                    ks_shown_path(run->selection.files[first].name, false, one, sizeof one),
                    ks_shown_path(run->selection.files[second].name, false, other, sizeof other),
                    ks_shown_path(target_of(run, first), false, target, sizeof target));
}

/* KS_EXIT_DONE when all targets differ. */
static enum ks_exit check_targets(const struct get_run *run)
{
    const struct ks_named *first = NULL;
    const struct ks_named *second = NULL;
    size_t count = run->selection.count;
    if (run->to_stdout)
        return KS_EXIT_DONE;
    if (run->single != NULL && count > 1) {
        ks_output_usage("--as names one file, and %zu are meant; see kesher get --help", count);
        return KS_EXIT_USAGE;
    }
    struct ks_named *targets = calloc(count + 1, sizeof *targets);
    if (targets == NULL) {
        ks_output_failed(KESHER_NO_MEMORY, "out of memory; close other programs and try again");
        return KS_EXIT_FAILED;
    }
    for (size_t i = 0; i < count; i++)
        targets[i] = (struct ks_named){.name = target_of(run, i), .index = i};
    bool clash = ks_same_names_find(targets, count, &first, &second);
    if (clash)
        tell_both(run, first->index, second->index);
    free(targets);
    return clash ? KS_EXIT_USAGE : KS_EXIT_DONE;
}

/* ---- where they go ---- */

/* DIR of --save-to, and what stands before the last slash of --as behind it. False when that is too long. */
static bool write_directory(struct get_run *run)
{
    const struct ks_cli_options *options = run->context->options;
    const char *save_to = options->save_to != NULL ? options->save_to : "";
    const char *as = options->as != NULL ? options->as : "";
    size_t before = (size_t)(ks_file_names_last_part(as) - as);
    const char *slash = save_to[0] != '\0' && before > 0 ? "/" : "";
    if (before > 0 && as[0] == '/')
        save_to = slash = "";
    int size = snprintf(run->directory, sizeof run->directory, "%s%s%.*s", save_to, slash, (int)before, as);
    return size >= 0 && (size_t)size < sizeof run->directory;
}

/* False after printing why nothing can be saved there. */
static bool open_directory(struct get_run *run)
{
    char shown[SHOWN_SIZE];
    char reason[128];
    if (!ks_messaging_prepare_directory(run->context))
        return false;
    errno = ENAMETOOLONG;
    if (write_directory(run))
        run->directory_fd =
            open(run->directory[0] != '\0' ? run->directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run->directory_fd >= 0)
        return true;
    int failure = errno;
    ks_output_failed(KESHER_FILE, "cannot save files in '%s': %s",
                     ks_shown_path(run->directory, false, shown, sizeof shown),
                     strerror_r(failure, reason, sizeof reason));
    return false;
}

/* ---- one file after the other ---- */

static bool next_file(void *context, struct kesher_get *get)
{
    struct get_run *run = context;
    if (run->next == run->selection.count)
        return false;
    size_t index = run->next++;
    const char *name = run->selection.files[index].name;
    *get = (struct kesher_get){.name = name,
                               .directory = run->directory_fd,
                               .target = target_of(run, index),
                               .replace = run->context->options->replace,
                               .to_descriptor = run->to_stdout,
                               .fd = STDOUT_FILENO,
                               .tag = &run->report.outcomes[index]};
    return true;
}

/* The total grows by a file that was not listed, once its size is known. */
static void note_size(struct get_run *run, size_t index, uint64_t size)
{
    struct ks_selected *file = &run->selection.files[index];
    if (file->has_size)
        return;
    file->has_size = true;
    file->size = size;
    run->progress.total += size;
}

static size_t index_of(const struct get_run *run, const struct ks_file_outcome *outcome)
{
    return (size_t)(outcome - run->report.outcomes);
}

static void observe_file(void *context, void *tag)
{
    struct get_run *run = context;
    if (tag == run->in_hand)
        return;
    run->in_hand = tag;
    run->progress.name =
        ks_shown_path(name_of(run, index_of(run, run->in_hand)), false, run->shown, sizeof run->shown);
}

static void observe_progress(void *context, uint64_t come, uint64_t size)
{
    struct get_run *run = context;
    if (run->in_hand == NULL)
        return;
    note_size(run, index_of(run, run->in_hand), size);
    ks_progress_move(&run->progress, &run->in_hand->moved, come);
}

static void observe_notice(void *context, const char *line)
{
    struct get_run *run = context;
    ks_progress_notice(&run->progress, line);
}

static void file_done(void *context, const struct kesher_get *get, const struct kesher_get_result *result,
                      const struct kesher_error *error)
{
    struct get_run *run = context;
    struct ks_file_outcome *outcome = get->tag;
    size_t index = index_of(run, outcome);
    note_size(run, index, result->size);
    ks_progress_done(&run->progress, &outcome->moved, run->selection.files[index].size);
    outcome->status = result->status;
    outcome->size = result->size;
    outcome->has_size = result->status == KESHER_OK;
    outcome->resumed_at = result->resumed_at;
    outcome->cksum = result->cksum;
    outcome->replaced = result->replaced;
    outcome->unchanged = result->unchanged;
    ks_file_report_settle(&run->report, index, error);
}

/* ---- all of them ---- */

static void start_progress(struct get_run *run)
{
    uint64_t total = 0;
    const struct ks_cli_options *options = run->context->options;
    for (size_t i = 0; i < run->selection.count; i++)
        total += run->selection.files[i].size;
    bool in_the_way = run->to_stdout && isatty(STDOUT_FILENO) == 1;
    ks_progress_start(&run->progress, total, options->quiet || in_the_way);
    run->progress.files = run->selection.count;
}

static enum ks_exit get_selected(struct kesher_files *files, struct get_run *run)
{
    const struct kesher_get_list list = {.context = run, .next = next_file, .done = file_done};
    enum ks_exit status = check_targets(run);
    if (status != KS_EXIT_DONE)
        return status;
    if (!ks_file_report_open(&run->report, run->selection.count))
        return KS_EXIT_FAILED;
    start_progress(run);
    ks_farewell_prepare(
        run->to_stdout ? NULL : "stopped; the same command again goes on where this one was stopped");
    (void)kesher_files_get(files, &list, NULL); /* each file's failure is told by itself */
    ks_progress_clear(&run->progress);
    ks_file_report_leave_out(&run->report, run->next);
    ks_file_report_close(&run->report);
    return run->report.failed || run->selection.missed ? KS_EXIT_FAILED : KS_EXIT_DONE;
}

static enum ks_exit get_files(struct get_run *run, const char *const *operands, size_t count)
{
    const struct kesher_observer observer = {
        .context = run, .notice = observe_notice, .progress = observe_progress, .file = observe_file};
    enum ks_exit status = KS_EXIT_FAILED;
    if (!run->to_stdout && !open_directory(run))
        return KS_EXIT_FAILED;
    struct kesher_files *files = ks_files_session_open(run->context, &observer);
    if (files != NULL &&
        ks_file_selection_make(files, operands, count, run->context->options->recursive, &run->selection)) {
        status = get_selected(files, run);
        ks_file_selection_free(&run->selection);
    }
    kesher_files_close(files);
    if (run->directory_fd >= 0)
        close(run->directory_fd);
    return status;
}

/* ---- the command line ---- */

static enum ks_exit usage_error(const char *reason)
{
    ks_output_usage("%s; see kesher get --help", reason);
    return KS_EXIT_USAGE;
}

static bool is_directory_name(const char *as)
{
    const char *last = ks_file_names_last_part(as);
    return last[0] == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0;
}

static enum ks_exit check_options(const struct ks_cli_options *options, bool to_stdout)
{
    if (to_stdout && options->operand_count == 1)
        return usage_error("'get -' needs the names of what is to be written to the standard output");
    if (to_stdout && (options->as != NULL || options->save_to != NULL || options->replace))
        return usage_error("'get -' writes to the standard output, and saves nothing");
    if (options->as != NULL && strcmp(options->as, "-") == 0)
        return usage_error("the standard output is no name for a file; 'kesher get - NAME' writes to it");
    if (options->as != NULL && is_directory_name(options->as))
        return usage_error("--as needs the name of a file; --save-to takes that of a directory");
    if (options->as != NULL && options->operand_count > 1)
        return usage_error("--as names one file, and there are several");
    return KS_EXIT_DONE;
}

enum ks_exit ks_command_get(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    size_t first = strcmp(options->operands[0], "-") == 0 ? 1 : 0;
    struct get_run run = {.context = context, .to_stdout = first == 1, .directory_fd = -1};
    enum ks_exit status = check_options(options, run.to_stdout);
    if (status != KS_EXIT_DONE)
        return status;
    if (options->as != NULL)
        run.single = ks_file_names_last_part(options->as);
    if (!run.to_stdout)
        (void)signal(SIGPIPE, SIG_IGN); /* that nobody reads what is told ends no get */
    run.progress.name = "";
    run.report = (struct ks_file_report){.options = options,
                                         .words = run.to_stdout ? &written_words : &saved_words,
                                         .progress = &run.progress,
                                         .stream = run.to_stdout ? stderr : stdout,
                                         .context = &run,
                                         .name = name_of,
                                         .path = path_of};
    return get_files(&run, options->operands + first, options->operand_count - first);
}
