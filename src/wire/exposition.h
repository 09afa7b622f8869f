/* exposition.h — the text in which Prometheus reads metrics (version 0.0.4): a family has a line of help and
 * one of its type, then its samples. Pure functions on bytes: no I/O, no allocation; any thread.
 */
#ifndef KS_WIRE_EXPOSITION_H
#define KS_WIRE_EXPOSITION_H

#include "base/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KS_EXPOSITION_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Writes into `text`, which must outlive it. The first call that finds no room makes all of it fail. */
struct ks_exposition {
    char *text;
    size_t capacity;
    size_t size;
    bool failed;
};

/* A label and its value; texts of ours: neither quotes nor backslashes nor newlines. */
struct ks_label {
    const char *name;
    const char *value;
};

enum { KS_LABELS_LIMIT = 2 };

/* Begins a family: what follows is its. `type` is "counter", "gauge" or "histogram". */
void ks_exposition_family(struct ks_exposition *exposition, const char *name, const char *type,
                          const char *help);

/* A sample with up to KS_LABELS_LIMIT labels; those without a name are left out. */
void ks_exposition_sample(struct ks_exposition *exposition, const char *name,
                          const struct ks_label labels[KS_LABELS_LIMIT], uint64_t value);

enum { KS_EXPOSITION_DIGITS_LIMIT = 9 };

/* The same without labels; the last `digits` digits of the value, at most KS_EXPOSITION_DIGITS_LIMIT, are its
 * fraction: "1.5" for 1500 with 3. */
void ks_exposition_fraction(struct ks_exposition *exposition, const char *name, uint64_t value,
                            unsigned digits);

/* A family of one sample without labels. */
void ks_exposition_single(struct ks_exposition *exposition, const char *name, const char *type,
                          const char *help, uint64_t value);

/* The samples of a histogram: `counts` has one more element than `bounds`, which ascend and, like `sum`, have
 * `digits` digits of a fraction. */
void ks_exposition_histogram(struct ks_exposition *exposition, const char *name, const uint64_t *bounds,
                             const uint64_t *counts, size_t bound_count, uint64_t sum, unsigned digits);

#endif
