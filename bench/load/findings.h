/* findings.h — what a run found, for people or as one JSON object on one line. One owner; any thread. */
#ifndef KS_BENCH_LOAD_FINDINGS_H
#define KS_BENCH_LOAD_FINDINGS_H

#include "bench/load/percentiles.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    KS_FINDINGS_ROWS = 64,
    KS_FINDINGS_TEXT_SIZE = 128,
};

struct ks_findings_row {
    const char *name; /* as in JSON: "messages_per_second"; people see blanks for the underscores */
    bool is_text;
    double number;
    char text[KS_FINDINGS_TEXT_SIZE];
};

/* Begins as zeros. Rows beyond KS_FINDINGS_ROWS are an error of the program, and abort. Names are static. */
struct ks_findings {
    size_t count;
    struct ks_findings_row rows[KS_FINDINGS_ROWS];
};

void ks_findings_text(struct ks_findings *findings, const char *name, const char *text);
void ks_findings_number(struct ks_findings *findings, const char *name, double number);

/* Rows latency_p50_us, latency_p99_us, latency_p999_us, latency_max_us, latency_mean_us from nanoseconds. */
void ks_findings_latency(struct ks_findings *findings, const struct ks_percentiles *percentiles);

/* Writes it: for people one row a line, numbers with the digits that matter; as JSON, one object, one line.
 * False when the stream failed. */
bool ks_findings_print(const struct ks_findings *findings, bool json, FILE *stream);

#endif
