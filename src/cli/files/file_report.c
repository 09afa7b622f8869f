/* file_report.c — see file_report.h. */
#include "cli/files/file_report.h"

#include "base/text.h"
#include "cli/terminal/output.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_SIZE = 300, HEX_SIZE = 2 * KESHER_SHA256_SIZE + 1 };

bool ks_file_report_open(struct ks_file_report *report, size_t count)
{
    report->count = count;
    report->outcomes = calloc(count > 0 ? count : 1, sizeof *report->outcomes);
    if (report->outcomes == NULL)
        ks_output_failed(KESHER_NO_MEMORY, "out of memory; close other programs and try again");
    return report->outcomes != NULL;
}

void ks_file_report_close(struct ks_file_report *report)
{
    for (size_t i = report->next_told; report->outcomes != NULL && i < report->count; i++)
        free(report->outcomes[i].error);
    free(report->outcomes);
    report->outcomes = NULL;
}

/* As <kesher/files.h> has it. */
static bool ends_all(enum kesher_status status)
{
    return status != KESHER_OK && status != KESHER_FILE && status != KESHER_INVALID &&
           status != KESHER_EXISTS && status != KESHER_REFUSED && status != KESHER_NOT_FOUND &&
           status != KESHER_MISMATCH;
}

/* ---- as an object ---- */

static void tell_json_flag(FILE *stream, const char *key, bool value)
{
    (void)fprintf(stream, ", \"%s\": %s", key, value ? "true" : "false");
}

static void tell_json_path(const struct ks_file_report *report, size_t index)
{
    const char *path = report->path(report->context, index);
    (void)fputs(", \"path\": ", report->stream);
    if (path != NULL)
        ks_output_json_string(report->stream, path);
    else
        (void)fputs("null", report->stream);
}

static void tell_json_sha256(FILE *stream, const struct ks_file_outcome *outcome)
{
    char hex[HEX_SIZE];
    ks_text_to_hex(outcome->sha256, sizeof outcome->sha256, hex);
    (void)fprintf(stream, outcome->has_sha256 ? ", \"sha256\": \"%s\"" : ", \"sha256\": null", hex);
}

static void tell_json_numbers(const struct ks_file_report *report, const struct ks_file_outcome *outcome)
{
    FILE *stream = report->stream;
    bool done = outcome->status == KESHER_OK;
    if (outcome->has_size)
        (void)fprintf(stream, ", \"size\": %" PRIu64, outcome->size);
    else
        (void)fputs(", \"size\": null", stream);
    (void)fprintf(stream, done ? ", \"cksum\": %" PRIu32 : ", \"cksum\": null", outcome->cksum);
    if (report->words->can_have_sha256)
        tell_json_sha256(stream, outcome);
    (void)fprintf(stream, ", \"resumed_at\": %" PRIu64, outcome->resumed_at);
    tell_json_flag(stream, "replaced", outcome->replaced);
    tell_json_flag(stream, "unchanged", outcome->unchanged);
}

static void tell_as_json(const struct ks_file_report *report, size_t index)
{
    const struct ks_file_outcome *outcome = &report->outcomes[index];
    (void)fputs("{\"name\": ", report->stream);
    ks_output_json_string(report->stream, report->name(report->context, index));
    if (report->words->has_path)
        tell_json_path(report, index);
    if (report->words->has_numbers)
        tell_json_numbers(report, outcome);
    (void)fprintf(report->stream, ", \"result\": \"%s\"}\n",
                  outcome->status == KESHER_OK ? report->words->done : kesher_status_text(outcome->status));
}

/* ---- as a line ---- */

static void tell_done(const struct ks_file_report *report, size_t index, const char *name)
{
    char shown[KS_SHOWN_PATH_SIZE];
    const char *path = report->words->has_path ? report->path(report->context, index) : NULL;
    (void)fputs(report->words->done, report->stream);
    if (path != NULL && strcmp(path, name) != 0)
        (void)fprintf(report->stream, " as %s", ks_output_path(path, shown, sizeof shown));
}

static void tell_as_line(const struct ks_file_report *report, size_t index)
{
    const struct ks_file_outcome *outcome = &report->outcomes[index];
    const char *name = report->name(report->context, index);
    FILE *stream = report->stream;
    char shown[KS_SHOWN_PATH_SIZE];
    char hex[HEX_SIZE];
    (void)fprintf(stream, "%s: ", ks_output_path(name, shown, sizeof shown));
    if (report->words->has_numbers)
        (void)fprintf(stream, "%" PRIu64 " bytes, cksum %" PRIu32 ", ", outcome->size, outcome->cksum);
    ks_text_to_hex(outcome->sha256, sizeof outcome->sha256, hex);
    if (outcome->has_sha256)
        (void)fprintf(stream, "sha256 %s, ", hex);
    tell_done(report, index, name);
    if (outcome->replaced)
        (void)fputs(", replaced", stream);
    if (outcome->unchanged)
        (void)fputs(", unchanged", stream);
    else if (outcome->resumed_at > 0)
        (void)fprintf(stream, ", went on at %" PRIu64 " bytes", outcome->resumed_at);
    (void)fputc('\n', stream);
}

/* ---- in order ---- */

/* `error` is NULL where there was none, or all was said of it. */
static void tell(const struct ks_file_report *report, size_t index, const struct kesher_error *error)
{
    if (error != NULL)
        ks_output_failure(error);
    if (report->options->json)
        tell_as_json(report, index);
    else if (report->outcomes[index].status == KESHER_OK && !report->options->quiet)
        tell_as_line(report, index);
    (void)fflush(report->stream); /* whatever ends us; how that went is judged at the end */
}

/* Tells the next outcome, whose failure is `error` or NULL, and what is known of those behind it. */
static void tell_settled(struct ks_file_report *report, const struct kesher_error *error)
{
    if (report->progress != NULL)
        ks_progress_clear(report->progress);
    tell(report, report->next_told, error);
    while (++report->next_told < report->count && report->outcomes[report->next_told].settled) {
        struct ks_file_outcome *outcome = &report->outcomes[report->next_told];
        tell(report, report->next_told, outcome->error);
        free(outcome->error);
        outcome->error = NULL;
    }
    if (report->progress != NULL && report->next_told < report->count)
        ks_progress_restore(report->progress);
}

void ks_file_report_settle(struct ks_file_report *report, size_t index, const struct kesher_error *error)
{
    struct ks_file_outcome *outcome = &report->outcomes[index];
    const struct kesher_error *untold = outcome->status != KESHER_OK ? error : NULL;
    outcome->settled = true;
    report->failed |= outcome->status != KESHER_OK;
    if (!report->has_ended && outcome->status != KESHER_NOT_SENT && ends_all(outcome->status)) {
        report->has_ended = true;
        report->ended_by = index;
    }
    if (index == report->next_told) {
        tell_settled(report, untold);
        return;
    }
    outcome->error = untold != NULL ? malloc(sizeof *untold) : NULL;
    if (outcome->error != NULL)
        *outcome->error = *untold;
    else if (untold != NULL)
        ks_output_failure(untold); /* too early is better than never */
}

void ks_file_report_fail(struct ks_file_report *report, size_t index, const struct kesher_error *error)
{
    report->outcomes[index].status = error->status;
    ks_file_report_settle(report, index, error);
}

void ks_file_report_leave_out(struct ks_file_report *report, size_t index)
{
    char shown[SHOWN_SIZE];
    char shown_end[SHOWN_SIZE];
    struct kesher_error error = {.status = KESHER_NOT_SENT};
    const char *end = report->has_ended ? report->name(report->context, report->ended_by) : "";
    ks_shown_path(end, false, shown_end, sizeof shown_end);
    for (; index < report->count; index++) {
        if (report->outcomes[index].settled)
            continue;
        report->outcomes[index].status = KESHER_NOT_SENT;
        (void)snprintf(error.sentence, sizeof error.sentence, "'%s' was not %s, because '%s' failed",
                       ks_shown_path(report->name(report->context, index), false, shown, sizeof shown),
                       report->words->left_out, shown_end);
        ks_file_report_settle(report, index, report->has_ended ? &error : NULL);
    }
}
