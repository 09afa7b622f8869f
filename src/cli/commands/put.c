/* put.c — see put.h. Files are opened one by one as their turn comes, so that thousands of them need no more
 * descriptors than the pipelining window has places. What becomes of them may be known in another order than
 * that of the command line, in which it is told. */
#include "cli/commands/put.h"

#include "base/text.h"
#include "cli/commands/spool.h"
#include "cli/terminal/output.h"
#include "cli/terminal/progress.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_SIZE = 200, COURSE_REPEATS = 3 };

/* What became of one path. */
struct put_outcome {
    bool settled;
    bool replaced; /* an older file that this home has put */
    bool has_size;
    uint64_t size;
    uint32_t cksum;
    enum kesher_status status;
    struct kesher_error *error; /* what is still to be told of a failure, or NULL; owned */
};

struct put_run {
    struct ks_context *context;
    const struct ks_put *put;
    struct ks_progress progress;
    struct kesher_drop *drop;     /* NULL while there is none */
    struct put_outcome *outcomes; /* one for each path */
    size_t next_path;             /* the first that had no turn yet */
    size_t next_told;             /* the first whose outcome was not told */
    const char *ended_by;         /* the name of the file after which nothing more was sent, or NULL */
    bool failed;
};

/* What the server calls the file. */
static const char *kept_name_of(const struct ks_put *put, const char *path)
{
    const char *name = ks_put_name(put, path);
    const char *kept = NULL;
    return kesher_kept_name(name, &kept, NULL) == KESHER_OK ? kept : name;
}

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* ---- what is told ---- */

static void tell_as_json(const char *name, const struct put_outcome *outcome)
{
    (void)fputs("{\"name\": ", stdout);
    ks_output_json_string(stdout, name);
    if (outcome->has_size)
        (void)printf(", \"size\": %llu", (unsigned long long)outcome->size);
    else
        (void)fputs(", \"size\": null", stdout);
    if (outcome->status == KESHER_OK)
        (void)printf(", \"cksum\": %lu, \"result\": \"confirmed\"", (unsigned long)outcome->cksum);
    else
        (void)printf(", \"cksum\": null, \"result\": \"%s\"", kesher_status_text(outcome->status));
    (void)fputs(outcome->replaced ? ", \"replaced\": true}\n" : "}\n", stdout);
}

static void tell_failure(const struct put_run *run, const struct kesher_error *error)
{
    (run->put->course ? ks_output_fatal : ks_output_failure)(error);
}

/* `error` is NULL where there was none, or all was said of it. */
static void tell(const struct put_run *run, const char *name, const struct put_outcome *outcome,
                 const struct kesher_error *error)
{
    char shown[SHOWN_SIZE];
    if (error != NULL)
        tell_failure(run, error);
    if (run->context->options->json) {
        tell_as_json(name, outcome);
    } else if (outcome->status == KESHER_OK && !run->context->options->quiet) {
        (void)printf("%s: %llu bytes, cksum %lu, confirmed%s\n",
                     ks_text_escape(name, strlen(name), shown, sizeof shown),
                     (unsigned long long)outcome->size, (unsigned long)outcome->cksum,
                     outcome->replaced ? ", replaced" : "");
    }
    (void)fflush(stdout); /* whatever ends us; how that went is judged at the end */
}

/* Tells the outcome of the next path, whose failure is `error` or NULL, and what is known of those behind it.
 */
static void tell_settled(struct put_run *run, const struct kesher_error *error)
{
    const struct ks_put *put = run->put;
    struct put_outcome *outcome = &run->outcomes[run->next_told];
    ks_progress_clear(&run->progress);
    tell(run, kept_name_of(put, put->paths[run->next_told]), outcome, error);
    while (++run->next_told < put->path_count && (++outcome)->settled) {
        tell(run, kept_name_of(put, put->paths[run->next_told]), outcome, outcome->error);
        free(outcome->error);
        outcome->error = NULL;
    }
}

static void keep_error(const struct put_run *run, struct put_outcome *outcome,
                       const struct kesher_error *error)
{
    outcome->error = malloc(sizeof *error);
    if (outcome->error == NULL)
        tell_failure(run, error); /* too early is better than never */
    else
        *outcome->error = *error;
}

/* `error` may be NULL for a failure of which everything was said. */
static void settle(struct put_run *run, struct put_outcome *outcome, enum kesher_status status,
                   const struct kesher_error *error)
{
    const struct kesher_error *untold = status != KESHER_OK ? error : NULL;
    outcome->settled = true;
    outcome->status = status;
    run->failed |= status != KESHER_OK;
    if (outcome == &run->outcomes[run->next_told])
        tell_settled(run, untold);
    else if (untold != NULL)
        keep_error(run, outcome, untold);
}

/* Files that had no turn any more. */
static void settle_rest(struct put_run *run)
{
    char shown[SHOWN_SIZE];
    char shown_end[SHOWN_SIZE];
    struct kesher_error error = {.status = KESHER_NOT_SENT, .sentence = "nothing was sent"};
    if (run->next_path == run->put->path_count)
        return;
    if (run->ended_by == NULL)
        ks_output_failure(&error);
    else
        ks_text_escape(run->ended_by, strlen(run->ended_by), shown_end, sizeof shown_end);
    for (; run->next_path < run->put->path_count; run->next_path++) {
        const char *name = ks_put_name(run->put, run->put->paths[run->next_path]);
        if (run->ended_by != NULL)
            (void)snprintf(error.sentence, sizeof error.sentence, "'%s' was not sent, because '%s' failed",
                           ks_text_escape(name, strlen(name), shown, sizeof shown), shown_end);
        settle(run, &run->outcomes[run->next_path], KESHER_NOT_SENT, run->ended_by != NULL ? &error : NULL);
    }
}

static void tell_registration(const struct ks_context *context, const char *name, const char *address)
{
    char shown[KESHER_ADDRESS_SIZE];
    if (context->options->json) {
        (void)fputs("{\"registered\": ", stdout);
        ks_output_json_string(stdout, name);
        (void)fputs(", \"server\": ", stdout);
        ks_output_json_string(stdout, address);
        (void)fputs("}\n", stdout);
    } else if (!context->options->quiet) {
        ks_text_escape(address, strlen(address), shown, sizeof shown);
        (void)printf("registered %s at %s\n", name, shown);
    }
}

/* ---- one file after the other ---- */

/* Opens what a path names. Below 0 after the outcome was settled. */
static int open_path(struct put_run *run, const char *path, struct put_outcome *outcome)
{
    struct kesher_error error;
    const struct kesher_error *untold = &error;
    int fd = -1;
    if (is_stdin(path)) {
        fd = ks_spool(STDIN_FILENO, KESHER_FILE_SIZE_LIMIT, &outcome->size);
        untold = NULL; /* it has printed why not */
    } else {
        fd = ks_spool_open(path, false, &outcome->size, &error);
    }
    outcome->has_size = fd >= 0;
    if (fd < 0)
        settle(run, outcome, KESHER_FILE, untold);
    else if (is_stdin(path))
        run->progress.total += outcome->size;
    return fd;
}

/* For kesher_upload_list: the next file that can be opened. */
static bool next_file(void *context, struct kesher_upload *upload)
{
    struct put_run *run = context;
    while (run->next_path < run->put->path_count) {
        struct put_outcome *outcome = &run->outcomes[run->next_path];
        const char *path = run->put->paths[run->next_path++];
        int fd = open_path(run, path, outcome);
        if (fd < 0)
            continue;
        *upload = (struct kesher_upload){
            .fd = fd, .size = outcome->size, .name = ks_put_name(run->put, path), .tag = outcome};
        return true;
    }
    return false;
}

static bool ends_all(enum kesher_status status)
{
    return status != KESHER_OK && status != KESHER_FILE && status != KESHER_INVALID;
}

static void file_done(void *context, const struct kesher_upload *upload,
                      const struct kesher_upload_result *result, const struct kesher_error *error)
{
    struct put_run *run = context;
    struct put_outcome *outcome = upload->tag;
    close(upload->fd);
    ks_progress_file_done(&run->progress, upload->size);
    outcome->cksum = result->cksum;
    outcome->replaced = result->status == KESHER_OK && kesher_drop_note_confirmed(run->drop, upload->name);
    if (run->ended_by == NULL && ends_all(result->status))
        run->ended_by = upload->name;
    settle(run, outcome, result->status, error);
}

static void put_one_by_one(struct put_run *run, struct kesher_upload *upload)
{
    char shown[SHOWN_SIZE];
    do {
        struct kesher_error error;
        struct kesher_upload_result result = {.cksum = 0};
        run->progress.name = ks_text_escape(upload->name, strlen(upload->name), shown, sizeof shown);
        result.status = kesher_drop_put(run->drop, upload, &result.cksum, &error);
        run->progress.name = "";
        file_done(run, upload, &result, result.status == KESHER_OK ? NULL : &error);
    } while (run->ended_by == NULL && next_file(run, upload));
}

/* The list for pipelining begins with the file that was opened before the connection was. */
struct pipelined {
    struct put_run *run;
    struct kesher_upload first;
    bool first_given;
};

static bool pipelined_next(void *context, struct kesher_upload *upload)
{
    struct pipelined *pipelined = context;
    if (pipelined->first_given)
        return next_file(pipelined->run, upload);
    pipelined->first_given = true;
    *upload = pipelined->first;
    return true;
}

static void pipelined_done(void *context, const struct kesher_upload *upload,
                           const struct kesher_upload_result *result, const struct kesher_error *error)
{
    const struct pipelined *pipelined = context;
    file_done(pipelined->run, upload, result, error);
}

static void put_pipelined(struct put_run *run, const struct kesher_upload *first)
{
    struct pipelined pipelined = {.run = run, .first = *first};
    const struct kesher_upload_list list = {
        .context = &pipelined, .next = pipelined_next, .done = pipelined_done};
    (void)kesher_drop_put_pipelined(run->drop, &list, NULL); /* each file's failure is told by itself */
}

static void observe_progress(void *context, uint64_t sent, uint64_t size)
{
    (void)size;
    ks_progress_update(context, sent);
}

/* What can be known of the total beforehand; a file that cannot be opened later only makes the bar end early.
 */
static uint64_t total_size(const struct ks_put *put)
{
    uint64_t total = 0;
    for (size_t i = 0; i < put->path_count; i++) {
        struct stat status;
        if (!is_stdin(put->paths[i]) && stat(put->paths[i], &status) == 0 && S_ISREG(status.st_mode))
            total += (uint64_t)status.st_size;
    }
    return total;
}

static enum kesher_status open_drop(const struct ks_context *context, const char *address,
                                    const struct ks_put *put, const struct kesher_options *options,
                                    struct kesher_drop **drop, struct kesher_error *error)
{
    if (put->register_as != NULL)
        return kesher_drop_register(context->home, address, put->register_as, options, drop, error);
    return kesher_drop_open(context->home, address, options, drop, error);
}

static enum ks_exit put_files(struct put_run *run, const char *address)
{
    const struct ks_put *put = run->put;
    struct kesher_options options = run->context->limits;
    options.error_repeats = put->course ? COURSE_REPEATS : 0;
    options.observer = (struct kesher_observer){
        .context = &run->progress, .notice = ks_progress_notice, .progress = observe_progress};
    struct kesher_upload first;
    struct kesher_error error;
    if (!next_file(run, &first))
        return KS_EXIT_FAILED; /* nothing that could be sent, and that was said */
    enum kesher_status status = open_drop(run->context, address, put, &options, &run->drop, &error);
    if (put->register_as != NULL && kesher_identity_exists(run->context->home))
        tell_registration(run->context, put->register_as, address);
    if (status != KESHER_OK) {
        close(first.fd);
        settle(run, first.tag, status, &error);
    } else if (run->context->pipeline) {
        put_pipelined(run, &first);
    } else {
        put_one_by_one(run, &first);
    }
    kesher_drop_close(run->drop);
    ks_progress_clear(&run->progress);
    settle_rest(run);
    return run->failed ? KS_EXIT_FAILED : KS_EXIT_DONE;
}

enum ks_exit ks_put_files(struct ks_context *context, const char *address, const struct ks_put *put)
{
    struct put_run run = {.context = context, .put = put};
    (void)signal(SIGPIPE, SIG_IGN); /* that nobody reads what is told ends no upload */
    run.outcomes = calloc(put->path_count, sizeof *run.outcomes);
    if (run.outcomes == NULL) {
        ks_output_error("out of memory; close other programs and try again");
        return KS_EXIT_FAILED;
    }
    ks_progress_start(&run.progress, total_size(put), context->options->quiet);
    enum ks_exit status = put_files(&run, address);
    free(run.outcomes); /* all were told, so none holds an error */
    return status;
}
