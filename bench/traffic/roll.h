/* roll.h — the names of a run's users, which no other run has, and a roll-call of them: each is called once.
 * One owner; any thread.
 */
#ifndef KS_BENCH_TRAFFIC_ROLL_H
#define KS_BENCH_TRAFFIC_ROLL_H

#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_ROLL_PREFIX_SIZE = 23, /* "bench-", 16 hexadecimal digits, "-" */
    KS_ROLL_DIGITS = 8,
    KS_ROLL_NAME_SIZE = KS_ROLL_PREFIX_SIZE + KS_ROLL_DIGITS,
    KS_ROLL_LIMIT = 100 * 1000 * 1000, /* names */
};

/* Private but for what is said to be read. */
struct ks_roll {
    char prefix[KS_ROLL_PREFIX_SIZE + 1];
    uint64_t *called; /* a bit for each */
    uint32_t count;
    uint32_t called_count; /* to be read */
};

enum ks_roll_call {
    KS_ROLL_CALLED,   /* for the first time */
    KS_ROLL_TWICE,    /* it was called before */
    KS_ROLL_UNKNOWN,  /* begins as ours do, but is none of them */
    KS_ROLL_STRANGER, /* somebody else */
};

/* Names 0 to count - 1; `tag` is the run's own number. False without memory; then there is nothing to free.
 */
bool ks_roll_init(struct ks_roll *roll, uint64_t tag, uint32_t count);
void ks_roll_free(struct ks_roll *roll); /* zeros are allowed */

/* Writes a name into a field that is filled with zeros. */
void ks_roll_name(const struct ks_roll *roll, uint32_t index, uint8_t field[static KS_TEXT_FIELD_SIZE]);

/* Calls whoever a field of a list names. */
enum ks_roll_call ks_roll_call(struct ks_roll *roll, const uint8_t field[static KS_TEXT_FIELD_SIZE]);

/* The first who was not called, `but` aside; `count` when all were. */
uint32_t ks_roll_first_missing(const struct ks_roll *roll, uint32_t but);

#endif
