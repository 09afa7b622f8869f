/* put.c — see put.h. Files are opened one by one as their turn comes, so that thousands of them need no more
 * descriptors than the pipelining window has places. */
#include "cli/put.h"

#include "base/text.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/spool.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SHOWN_SIZE = 300, COURSE_REPEATS = 3 };

struct run {
    struct ks_context *context;
    const struct ks_put *put;
    struct ks_progress progress;
    size_t next_path;
    bool failed;
};

static const char *name_of(const struct ks_put *put, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (put->as != NULL)
        return put->as;
    return slash == NULL ? path : slash + 1;
}

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

/* One file's outcome as JSON or as a line; `error` is NULL when it went well. */
static void report(struct run *run, const char *name, uint64_t size, uint32_t cksum,
                   const struct kesher_error *error)
{
    char shown[SHOWN_SIZE];
    ks_progress_clear(&run->progress);
    if (error != NULL) {
        run->failed = true;
        (run->put->course ? ks_output_fatal : ks_output_failure)(error);
    }
    if (run->context->options->json) {
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, name);
        (void)printf(", \"size\": %llu, ", (unsigned long long)size);
        if (error == NULL)
            (void)printf("\"cksum\": %lu, \"result\": \"confirmed\"}\n", (unsigned long)cksum);
        else
            (void)printf("\"cksum\": null, \"result\": \"%s\"}\n", kesher_status_text(error->status));
    } else if (error == NULL && !run->context->options->quiet) {
        ks_text_escape(name, strlen(name), shown, sizeof shown);
        (void)printf("%s: %llu bytes, cksum %lu, confirmed\n", shown, (unsigned long long)size,
                     (unsigned long)cksum);
    }
}

static int open_file(struct run *run, const char *path, uint64_t *size)
{
    struct kesher_error error;
    int fd = ks_spool_open(path, size, &error);
    if (fd < 0)
        report(run, name_of(run->put, path), 0, 0, &error);
    return fd;
}

/* For kesher_upload_list: the next file that can be opened. */
static bool next_file(void *context, struct kesher_upload *upload)
{
    struct run *run = context;
    while (run->next_path < run->put->path_count) {
        const char *path = run->put->paths[run->next_path++];
        uint64_t size = 0;
        int fd = is_stdin(path) ? ks_spool(STDIN_FILENO, KESHER_FILE_SIZE_LIMIT, &size)
                                : open_file(run, path, &size);
        if (fd < 0) {
            run->failed = true;
            continue;
        }
        if (is_stdin(path))
            run->progress.total += size;
        *upload = (struct kesher_upload){.fd = fd, .size = size, .name = name_of(run->put, path)};
        return true;
    }
    return false;
}

static void file_done(void *context, const struct kesher_upload *upload,
                      const struct kesher_upload_result *result, const struct kesher_error *error)
{
    struct run *run = context;
    close(upload->fd);
    ks_progress_file_done(&run->progress, upload->size);
    report(run, upload->name, upload->size, result->cksum, error);
}

/* Files that had no turn any more. */
static void report_rest(struct run *run)
{
    while (run->next_path < run->put->path_count) {
        const char *path = run->put->paths[run->next_path++];
        if (!run->context->options->json)
            continue;
        (void)fputs("{\"name\": ", stdout);
        ks_output_json_string(stdout, name_of(run->put, path));
        (void)fputs(", \"size\": null, \"cksum\": null, \"result\": \"not sent\"}\n", stdout);
    }
}

static bool ends_all(enum kesher_status status)
{
    return status != KESHER_OK && status != KESHER_FILE && status != KESHER_INVALID;
}

static void put_one_by_one(struct run *run, struct kesher_drop *drop, struct kesher_upload *upload)
{
    char shown[SHOWN_SIZE];
    do {
        struct kesher_error error;
        struct kesher_upload_result result = {.cksum = 0};
        run->progress.name = ks_text_escape(upload->name, strlen(upload->name), shown, sizeof shown);
        result.status = kesher_drop_put(drop, upload, &result.cksum, &error);
        run->progress.name = "";
        file_done(run, upload, &result, result.status == KESHER_OK ? NULL : &error);
        if (ends_all(result.status))
            return;
    } while (next_file(run, upload));
}

/* The list for pipelining begins with the file that was opened before the connection was. */
struct pipelined {
    struct run *run;
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

static void put_pipelined(struct run *run, struct kesher_drop *drop, const struct kesher_upload *first)
{
    struct kesher_error error;
    struct pipelined pipelined = {.run = run, .first = *first};
    const struct kesher_upload_list list = {
        .context = &pipelined, .next = pipelined_next, .done = pipelined_done};
    if (kesher_drop_put_pipelined(drop, &list, &error) != KESHER_OK)
        run->failed = true; /* each file's failure was reported by itself */
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

enum ks_exit ks_put_files(struct ks_context *context, const char *address, const struct ks_put *put)
{
    struct run run = {.context = context, .put = put};
    struct kesher_options options = context->limits;
    options.error_repeats = put->course ? COURSE_REPEATS : 0;
    options.observer = (struct kesher_observer){
        .context = &run.progress, .notice = ks_progress_notice, .progress = observe_progress};
    struct kesher_drop *drop = NULL;
    struct kesher_upload first;
    struct kesher_error error;
    ks_progress_start(&run.progress, total_size(put), context->options->quiet);
    if (!next_file(&run, &first))
        return KS_EXIT_FAILED; /* nothing that could be sent, and that was said */
    if (open_drop(context, address, put, &options, &drop, &error) != KESHER_OK) {
        close(first.fd);
        report(&run, first.name, first.size, 0, &error);
    } else if (context->pipeline) {
        put_pipelined(&run, drop, &first);
    } else {
        put_one_by_one(&run, drop, &first);
    }
    kesher_drop_close(drop);
    ks_progress_clear(&run.progress);
    report_rest(&run);
    return run.failed ? KS_EXIT_FAILED : KS_EXIT_DONE;
}
