/* secure_put.c — see secure_put.h. Files are opened one by one as their turn comes: no more descriptors are
 * open than the library has files in hand. */
#include "cli/files/secure_put.h"

#include "cli/commands/spool.h"
#include "cli/files/file_report.h"
#include "cli/files/files_session.h"
#include "cli/files/put_plan.h"
#include "cli/terminal/farewell.h"
#include "cli/terminal/output.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

struct secure_put {
    struct ks_context *context;
    struct ks_put_plan plan;
    struct ks_file_report report;
    struct ks_progress progress;
    size_t next;                           /* the first entry that had no turn yet */
    struct ks_file_outcome *in_hand;       /* of the file whose progress is told; NULL for none */
    char shown[4 * KESHER_FILE_NAME_SIZE]; /* its name */
};

static const struct ks_file_words words = {
    .done = "confirmed", .left_out = "sent", .has_numbers = true, .can_have_sha256 = true};

static const char *name_of(void *context, size_t index)
{
    const struct ks_put_plan *plan = context;
    return plan->entries[index].name;
}

/* Below 0 after the outcome was settled. */
static int open_entry(struct secure_put *run, size_t index)
{
    struct kesher_error error;
    struct ks_planned_put *entry = &run->plan.entries[index];
    struct ks_file_outcome *outcome = &run->report.outcomes[index];
    int fd = entry->fd;
    outcome->size = entry->size;
    entry->fd = -1;
    if (entry->error != NULL) {
        outcome->status = entry->error->status;
        ks_file_report_settle(&run->report, index, entry->error->sentence[0] != '\0' ? entry->error : NULL);
        return -1;
    }
    if (fd < 0)
        fd = ks_spool_open(entry->path, entry->was_found, &outcome->size, &error);
    outcome->has_size = fd >= 0;
    if (fd < 0)
        ks_file_report_fail(&run->report, index, &error);
    return fd;
}

/* For kesher_put_list: the next file that can be opened. */
static bool next_file(void *context, struct kesher_put *put)
{
    struct secure_put *run = context;
    const struct ks_cli_options *options = run->context->options;
    while (run->next < run->plan.count) {
        size_t index = run->next++;
        int fd = open_entry(run, index);
        if (fd < 0)
            continue;
        const char *name = run->plan.entries[index].name;
        *put = (struct kesher_put){.fd = fd,
                                   .name = name,
                                   .replace = options->replace,
                                   .digest = options->sha256,
                                   .tag = &run->report.outcomes[index]};
        return true;
    }
    return false;
}

static void file_done(void *context, const struct kesher_put *put, const struct kesher_put_result *result,
                      const struct kesher_error *error)
{
    struct secure_put *run = context;
    struct ks_file_outcome *outcome = put->tag;
    size_t index = (size_t)(outcome - run->report.outcomes);
    close(put->fd);
    ks_progress_done(&run->progress, &outcome->moved, run->plan.entries[index].size);
    outcome->status = result->status;
    if (result->status == KESHER_OK)
        outcome->size = result->size;
    outcome->resumed_at = result->resumed_at;
    outcome->cksum = result->cksum;
    outcome->replaced = result->replaced;
    outcome->unchanged = result->unchanged;
    outcome->has_sha256 = result->status == KESHER_OK && put->digest;
    memcpy(outcome->sha256, result->sha256, sizeof outcome->sha256);
    ks_file_report_settle(&run->report, index, error);
}

static void observe_file(void *context, void *tag)
{
    struct secure_put *run = context;
    if (tag == run->in_hand)
        return;
    run->in_hand = tag;
    run->progress.name = ks_shown_path(name_of(&run->plan, (size_t)(run->in_hand - run->report.outcomes)),
                                       false, run->shown, sizeof run->shown);
}

static void observe_progress(void *context, uint64_t sent, uint64_t size)
{
    struct secure_put *run = context;
    (void)size;
    if (run->in_hand != NULL)
        ks_progress_move(&run->progress, &run->in_hand->moved, sent);
}

static void observe_notice(void *context, const char *line)
{
    struct secure_put *run = context;
    ks_progress_notice(&run->progress, line);
}

static bool has_something_to_send(const struct ks_put_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        if (plan->entries[i].error == NULL)
            return true;
    return false;
}

static bool is_from_stdin(const struct ks_put_plan *plan)
{
    return plan->count == 1 && plan->entries[0].fd >= 0;
}

/* False when there was no session, and that was said. */
static bool send_all(struct secure_put *run)
{
    const struct kesher_observer observer = {
        .context = run, .notice = observe_notice, .progress = observe_progress, .file = observe_file};
    const struct kesher_put_list list = {.context = run, .next = next_file, .done = file_done};
    struct kesher_files *files = ks_files_session_open(run->context, &observer);
    if (files == NULL)
        return false;
    ks_farewell_prepare(is_from_stdin(&run->plan)
                            ? NULL
                            : "stopped; the same command again goes on where this one was stopped");
    (void)kesher_files_put(files, &list, NULL); /* each file's failure is told by itself */
    kesher_files_close(files);
    return true;
}

static enum ks_exit put_plan(struct secure_put *run)
{
    struct kesher_put none;
    if (has_something_to_send(&run->plan))
        (void)send_all(run);
    else
        (void)next_file(run, &none); /* tells of each why not */
    ks_progress_clear(&run->progress);
    ks_file_report_leave_out(&run->report, run->next);
    return run->report.failed ? KS_EXIT_FAILED : KS_EXIT_DONE;
}

enum ks_exit ks_secure_put(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    struct secure_put run = {.context = context};
    enum ks_exit status = ks_put_plan_make(options, &run.plan);
    if (status != KS_EXIT_DONE)
        return status;
    (void)signal(SIGPIPE, SIG_IGN); /* that nobody reads what is told ends no put */
    ks_progress_start(&run.progress, run.plan.total, options->quiet);
    run.progress.files = run.plan.count;
    run.report = (struct ks_file_report){.options = options,
                                         .words = &words,
                                         .progress = &run.progress,
                                         .stream = stdout,
                                         .context = &run.plan,
                                         .name = name_of};
    status = KS_EXIT_FAILED;
    if (ks_file_report_open(&run.report, run.plan.count))
        status = put_plan(&run);
    ks_file_report_close(&run.report);
    ks_put_plan_free(&run.plan);
    return status;
}
