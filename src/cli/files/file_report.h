/* file_report.h — what became of each file of a command, told in the order in which they were named, whatever
 * the order in which it is known. Main thread.
 *
 * A line for each on stdout, or an object with --json; before it, on stderr, why a file failed.
 */
#ifndef KS_CLI_FILES_FILE_REPORT_H
#define KS_CLI_FILES_FILE_REPORT_H

#include "cli/commands/context.h"
#include "cli/terminal/progress.h"

#include <stdio.h>

/* What became of one file. */
struct ks_file_outcome {
    enum kesher_status status;
    bool settled;
    bool has_size;
    bool has_sha256;
    bool replaced;
    bool unchanged;
    uint32_t cksum; /* with KESHER_OK */
    uint64_t size;
    uint64_t resumed_at;
    uint64_t moved; /* bytes of it that are in the progress */
    uint8_t sha256[KESHER_SHA256_SIZE];
    struct kesher_error *error; /* what is still to be told of a failure, or NULL; owned */
};

/* The words in which a command tells it. */
struct ks_file_words {
    const char *done;     /* "confirmed" */
    const char *left_out; /* "sent", in "'x' was not sent" */
    bool has_numbers;     /* size, cksum and the rest belong to it */
    bool can_have_sha256;
    bool has_path; /* where a file was saved */
};

struct ks_file_report {
    const struct ks_cli_options *options;
    const struct ks_file_words *words;
    struct ks_progress *progress; /* that must not stand in the way; or NULL */
    FILE *stream;                 /* of the lines */
    void *context;                /* of the functions below */
    const char *(*name)(void *context, size_t index);
    const char *(*path)(void *context, size_t index); /* with has_path: NULL where it is none */
    size_t count;
    struct ks_file_outcome *outcomes;
    size_t next_told; /* the first whose outcome was not told */
    bool has_ended;   /* nothing is done any more */
    size_t ended_by;  /* because of this file */
    bool failed;      /* one of them did */
};

/* Makes room for the outcomes of `count` files. False after printing that there is no memory. */
bool ks_file_report_open(struct ks_file_report *report, size_t count);
void ks_file_report_close(struct ks_file_report *report);

/* All is known of the outcome at `index`, but for a failure's `error`, which is NULL for one of which
 * everything was said. Tells it, and what waits behind it, when its turn has come. */
void ks_file_report_settle(struct ks_file_report *report, size_t index, const struct kesher_error *error);

/* The file at `index` failed with that before anything was done with it. */
void ks_file_report_fail(struct ks_file_report *report, size_t index, const struct kesher_error *error);

/* Settles the files from `index` on, for which there was no turn any more: because of the one that ended it
 * (has_ended), or of what was said already. */
void ks_file_report_leave_out(struct ks_file_report *report, size_t index);

#endif
