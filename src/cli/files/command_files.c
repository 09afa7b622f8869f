/* command_files.c — `kesher files [PATTERN…]`. Files are printed as they come, however many there are. Main
 * thread. */
#include "cli/files/file_selection.h"
#include "cli/files/files_session.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown_size.h"
#include "cli/terminal/shown_time.h"

#include "base/text.h"

#include <inttypes.h>
#include <unistd.h>

enum { NANOSECONDS = 1000000000 };

struct printed_list {
    const struct ks_cli_options *options;
    struct ks_file_patterns patterns;
    uint64_t count;
    uint64_t bytes;
};

static void print_json(const struct kesher_file *file)
{
    char time[KS_SHOWN_TIME_SIZE];
    char hex[2 * KESHER_SHA256_SIZE + 1];
    ks_shown_time_rfc3339((int64_t)(file->time_ns / NANOSECONDS), time);
    ks_text_to_hex(file->sha256, sizeof file->sha256, hex);
    (void)fputs("{\"name\": ", stdout);
    ks_output_json_string(stdout, file->name);
    (void)printf(", \"size\": %" PRIu64, file->size);
    (void)printf(file->time_ns != 0 ? ", \"time\": \"%s\"" : ", \"time\": null", time);
    (void)printf(file->has_cksum ? ", \"cksum\": %" PRIu32 : ", \"cksum\": null", file->cksum);
    (void)printf(file->has_sha256 ? ", \"sha256\": \"%s\"}\n" : ", \"sha256\": null}\n", hex);
}

static void print_line(const struct kesher_file *file)
{
    char size[KS_SHOWN_SIZE_SIZE];
    char time[KS_SHOWN_TIME_SIZE] = "-";
    char shown[KS_SHOWN_NAME_SIZE];
    if (file->time_ns != 0)
        ks_shown_time_short((int64_t)(file->time_ns / NANOSECONDS), time);
    (void)printf("%8s  %-16s  %s\n", ks_shown_size((double)file->size, size), time,
                 ks_output_path(file->name, shown, sizeof shown));
}

/* One file; false when nobody reads any more. */
static bool print_file(void *context, const struct kesher_file *file)
{
    struct printed_list *list = context;
    if (list->patterns.count > 0 && !ks_file_patterns_mean(&list->patterns, file->name))
        return true;
    list->count++;
    list->bytes += file->size;
    (list->options->json ? print_json : print_line)(file);
    return ferror(stdout) == 0;
}

/* For people, who count badly. */
static void print_sum(const struct printed_list *list)
{
    char size[KS_SHOWN_SIZE_SIZE];
    if (list->options->json || isatty(STDOUT_FILENO) != 1)
        return;
    (void)printf("%" PRIu64 " file%s, %s\n", list->count, list->count == 1 ? "" : "s",
                 ks_shown_size((double)list->bytes, size));
}

static enum ks_exit list_files(const struct ks_context *context, struct printed_list *list)
{
    char prefix[KESHER_FILE_NAME_SIZE];
    struct kesher_error error;
    struct kesher_files *files = ks_files_session_ask(context);
    if (files == NULL)
        return KS_EXIT_FAILED;
    ks_file_patterns_prefix(&list->patterns, prefix, sizeof prefix);
    enum kesher_status status = kesher_files_list(files, prefix, print_file, list, &error);
    kesher_files_close(files);
    if (status != KESHER_OK) {
        (void)fflush(stdout);
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    print_sum(list);
    (void)fflush(stdout);
    if (ferror(stdout) != 0)
        return KS_EXIT_DONE; /* main says why nobody could read it */
    return ks_file_selection_tell_missing(&list->patterns) ? KS_EXIT_FAILED : KS_EXIT_DONE;
}

enum ks_exit ks_command_files(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    struct printed_list list = {.options = options};
    if (!ks_file_patterns_open(options->operands, options->operand_count, true, &list.patterns)) {
        ks_output_failed(KESHER_NO_MEMORY, "out of memory; close other programs and try again");
        return KS_EXIT_FAILED;
    }
    enum ks_exit status = list_files(context, &list);
    ks_file_patterns_close(&list.patterns);
    return status;
}
