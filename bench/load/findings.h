/* findings.h — what a run found, for people or as one JSON object on one line. One owner; any thread. */
#ifndef KS_BENCH_REPORT_H
#define KS_BENCH_REPORT_H

#include "bench/load/percentiles.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    KS_REPORT_ROWS = 64,
    KS_REPORT_TEXT_SIZE = 128,
};

struct ks_report_row {
    const char *name; /* as in JSON: "messages_per_second"; people see blanks for the underscores */
    bool is_text;
    double number;
    char text[KS_REPORT_TEXT_SIZE];
};

/* Begins as zeros. Rows beyond KS_REPORT_ROWS are an error of the program, and abort. Names are static. */
struct ks_report {
    size_t count;
    struct ks_report_row rows[KS_REPORT_ROWS];
};

void ks_report_text(struct ks_report *report, const char *name, const char *text);
void ks_report_number(struct ks_report *report, const char *name, double number);

/* Rows latency_p50_us, latency_p99_us, latency_p999_us, latency_max_us, latency_mean_us from nanoseconds. */
void ks_report_latency(struct ks_report *report, const struct ks_percentiles *percentiles);

/* Writes it: for people one row a line, numbers with the digits that matter; as JSON, one object, one line.
 * False when the stream failed. */
bool ks_report_print(const struct ks_report *report, bool json, FILE *stream);

#endif
