/* roll.c — see roll.h. */
#include "bench/traffic/roll.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ks_roll_init(struct ks_roll *roll, uint64_t tag, uint32_t count)
{
    *roll = (struct ks_roll){.count = count};
    (void)snprintf(roll->prefix, sizeof roll->prefix, "bench-%016" PRIx64 "-", tag);
    roll->called = calloc(count / 64 + 1, sizeof *roll->called);
    return roll->called != NULL;
}

void ks_roll_free(struct ks_roll *roll)
{
    free(roll->called);
    *roll = (struct ks_roll){0};
}

void ks_roll_name(const struct ks_roll *roll, uint32_t index, uint8_t field[static KS_TEXT_FIELD_SIZE])
{
    memcpy(field, roll->prefix, KS_ROLL_PREFIX_SIZE);
    for (size_t i = KS_ROLL_NAME_SIZE; i > KS_ROLL_PREFIX_SIZE; i--) {
        field[i - 1] = (uint8_t)('0' + index % 10);
        index /= 10;
    }
}

/* The number that the digits at `field` are, with a NUL behind them; KS_ROLL_LIMIT when they are none. */
static uint32_t number_of(const uint8_t *digits)
{
    uint32_t number = 0;
    for (size_t i = 0; i < KS_ROLL_DIGITS; i++) {
        if (digits[i] < '0' || digits[i] > '9')
            return KS_ROLL_LIMIT;
        number = number * 10 + (uint32_t)(digits[i] - '0');
    }
    return digits[KS_ROLL_DIGITS] == '\0' ? number : KS_ROLL_LIMIT;
}

enum ks_roll_call ks_roll_call(struct ks_roll *roll, const uint8_t field[static KS_TEXT_FIELD_SIZE])
{
    if (memcmp(field, roll->prefix, KS_ROLL_PREFIX_SIZE) != 0)
        return KS_ROLL_STRANGER;
    uint32_t index = number_of(field + KS_ROLL_PREFIX_SIZE);
    if (index >= roll->count)
        return KS_ROLL_UNKNOWN;
    uint64_t bit = UINT64_C(1) << (index % 64);
    if ((roll->called[index / 64] & bit) != 0)
        return KS_ROLL_TWICE;
    roll->called[index / 64] |= bit;
    roll->called_count++;
    return KS_ROLL_CALLED;
}

uint32_t ks_roll_first_missing(const struct ks_roll *roll, uint32_t but)
{
    for (uint32_t i = 0; i < roll->count; i++)
        if (i != but && (roll->called[i / 64] >> (i % 64) & 1) == 0)
            return i;
    return roll->count;
}
