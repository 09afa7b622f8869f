/* log_repeats.c — see log_repeats.h. A table of fixed size; a cause may stand in any of the places of its
 * row, and the last place of a row is for whoever finds no other. What is about nobody has rows of its own,
 * which nobody can fill: there are as many of it as the program has lines.
 */
#include "base/limits/log_repeats.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PEER_ROWS = 120, /* the first ones */
    OWN_ROWS = 8,
    ROWS = PEER_ROWS + OWN_ROWS,
    PLACES = 8,
    SUFFIX_SIZE = 64,
};

static const uint64_t hour_ms = UINT64_C(3600) * 1000;

struct counted_lines {
    struct ks_log_cause cause;
    uint64_t
        full_at_ms; /* when an hour's worth may come at once again: one number for a bucket (allowance.c) */
    uint64_t share_ms; /* how much of the hour one line takes */
    unsigned count;    /* lines that were not written yet */
    enum ks_log_level level;
    bool is_shared;
    char text[KS_LOG_REPEAT_SIZE]; /* of the first of them */
};

struct ks_log_repeats {
    pthread_mutex_t lock;
    struct ks_hash_key key;
    const struct ks_clock *clock;
    _Atomic unsigned counting; /* places with a count */
    struct counted_lines rows[ROWS][PLACES];
};

struct ks_log_cause ks_log_cause(const char *kind, const uint8_t *address, const uint8_t *user)
{
    struct ks_log_cause cause;
    memset(&cause, 0, sizeof cause);
    cause.kind = kind;
    if (address != NULL) {
        const struct ks_network_levels levels = ks_networks_levels(address);
        memcpy(cause.network, levels.keys[0], sizeof cause.network);
    }
    if (user != NULL)
        memcpy(cause.user, user, sizeof cause.user);
    return cause;
}

enum ks_result ks_log_repeats_new(const struct ks_hash_key *key, const struct ks_clock *clock,
                                  struct ks_log_repeats **repeats)
{
    struct ks_log_repeats *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    pthread_mutex_init(&created->lock, NULL);
    created->key = *key;
    created->clock = clock;
    for (size_t row = 0; row < ROWS; row++)
        created->rows[row][PLACES - 1].is_shared = true;
    *repeats = created;
    return KS_OK;
}

void ks_log_repeats_free(struct ks_log_repeats *repeats)
{
    if (repeats == NULL)
        return;
    pthread_mutex_destroy(&repeats->lock);
    free(repeats);
}

static bool is_about_nobody(const struct ks_log_cause *cause)
{
    const struct ks_log_cause nobody = {.kind = cause->kind};
    return memcmp(cause, &nobody, sizeof nobody) == 0;
}

static struct counted_lines *row_of(struct ks_log_repeats *repeats, const struct ks_log_cause *cause)
{
    uint64_t hash = ks_keyed_hash(&repeats->key, cause, sizeof *cause);
    return repeats->rows[is_about_nobody(cause) ? PEER_ROWS + hash % OWN_ROWS : hash % PEER_ROWS];
}

/* Under the lock. The cause's place, or one that owes nothing, or the shared one. */
static struct counted_lines *place_of(struct ks_log_repeats *repeats, const struct ks_log_cause *cause,
                                      uint64_t now_ms)
{
    struct counted_lines *row = row_of(repeats, cause);
    struct counted_lines *place = &row[PLACES - 1];
    for (size_t i = 0; i < PLACES - 1; i++) {
        if (memcmp(&row[i].cause, cause, sizeof *cause) == 0)
            return &row[i];
        if (row[i].count == 0 && row[i].full_at_ms <= now_ms)
            place = &row[i];
    }
    return place;
}

/* Under the lock: whether the place may have a line written; that is then taken from its bucket. */
static bool take_turn(struct counted_lines *place, uint64_t now_ms)
{
    uint64_t full_at_ms = place->full_at_ms > now_ms ? place->full_at_ms : now_ms;
    if (full_at_ms + place->share_ms > now_ms + hour_ms)
        return false;
    place->full_at_ms = full_at_ms + place->share_ms;
    return true;
}

/* Under the lock: what is told of `count` lines of a place behind the one that is written. */
static void describe_count(const struct counted_lines *place, char suffix[static SUFFIX_SIZE])
{
    suffix[0] = '\0';
    if (place->count > 1 && place->is_shared)
        snprintf(suffix, SUFFIX_SIZE, "; %u lines of others were left out", place->count - 1);
    else if (place->count > 1)
        snprintf(suffix, SUFFIX_SIZE, "; %u times since the last such line", place->count);
}

/* Under the lock. */
static void forget_count(struct ks_log_repeats *repeats, struct counted_lines *place)
{
    place->count = 0;
    atomic_fetch_sub_explicit(&repeats->counting, 1, memory_order_relaxed);
}

/* Under the lock. */
static void count_line(struct ks_log_repeats *repeats, struct counted_lines *place, enum ks_log_level level,
                       const char *text)
{
    if (place->count++ > 0)
        return;
    atomic_fetch_add_explicit(&repeats->counting, 1, memory_order_relaxed);
    place->level = level;
    snprintf(place->text, sizeof place->text, "%s", text);
}

/* Whether the line may be written, and what is told behind it; else it is counted. */
static bool may_write(struct ks_log_repeats *repeats, enum ks_log_level level,
                      const struct ks_log_cause *cause, unsigned per_hour, const char *text,
                      char suffix[static SUFFIX_SIZE])
{
    uint64_t now_ms = ks_clock_monotonic_ms(repeats->clock);
    pthread_mutex_lock(&repeats->lock);
    struct counted_lines *place = place_of(repeats, cause, now_ms);
    place->cause = *cause;
    place->share_ms = hour_ms / per_hour;
    bool may = take_turn(place, now_ms);
    count_line(repeats, place, level, text);
    if (may) {
        describe_count(place, suffix);
        forget_count(repeats, place);
    }
    pthread_mutex_unlock(&repeats->lock);
    return may;
}

void ks_log_repeatable(const struct ks_log *log, enum ks_log_level level, const struct ks_log_cause *cause,
                       unsigned per_hour, const char *format, ...)
{
    char text[KS_LOG_REPEAT_SIZE];
    char suffix[SUFFIX_SIZE] = "";
    va_list arguments;
    if (!ks_log_shows(log, level))
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (log->repeats == NULL || may_write(log->repeats, level, cause, per_hour, text, suffix))
        ks_log_write(log, level, "%s%s", text, suffix);
    else if (log->rate != NULL)
        atomic_fetch_add_explicit(&log->rate->suppressed_in_all, 1, memory_order_relaxed);
}

static void tell_place(const struct ks_log *log, struct counted_lines *place, bool all)
{
    struct ks_log_repeats *repeats = log->repeats;
    char text[KS_LOG_REPEAT_SIZE];
    char suffix[SUFFIX_SIZE];
    pthread_mutex_lock(&repeats->lock);
    bool tells = place->count > 0 && (all || take_turn(place, ks_clock_monotonic_ms(repeats->clock)));
    enum ks_log_level level = place->level;
    if (tells) {
        memcpy(text, place->text, sizeof text);
        describe_count(place, suffix);
        forget_count(repeats, place);
    }
    pthread_mutex_unlock(&repeats->lock);
    if (tells)
        ks_log_write(log, level, "%s%s", text, suffix);
}

void ks_log_tell_repeats(const struct ks_log *log, bool all)
{
    struct ks_log_repeats *repeats = log->repeats;
    if (repeats == NULL || atomic_load_explicit(&repeats->counting, memory_order_relaxed) == 0)
        return;
    for (size_t row = 0; row < ROWS; row++)
        for (size_t i = 0; i < PLACES; i++)
            tell_place(log, &repeats->rows[row][i], all);
}
