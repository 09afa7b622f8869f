/* log_repeats.h — lines that somebody can cause again and again: some are written, the rest is counted, and a
 * line now and then tells how many there were. So no stranger fills the log, and nothing is passed over.
 *
 * Lines are *alike* when they are of one kind and come from one address and one user. Of those that are
 * alike, so many are written in an hour: an hour's worth at once, and it comes back over the hour (a token
 * bucket, as in allowance.h). What is beyond is counted; the next one that may be written tells how many
 * there were since the one before, and so does ks_log_tell_repeats when no other one comes.
 *
 * Constant memory: some hundreds of kinds and causes. Where too many of them have lines in one hour, those
 * that find no place share one; lines about nobody, without an address and a user, have places of their own,
 * so no crowd of peers hides trouble of ours. Any thread.
 */
#ifndef KS_BASE_LIMITS_LOG_REPEATS_H
#define KS_BASE_LIMITS_LOG_REPEATS_H

#include "base/clock.h"
#include "base/limits/keyed_hash.h"
#include "base/limits/networks.h"
#include "base/log.h"
#include "base/result.h"

enum { KS_LOG_USER_SIZE = 16 };

/* Lines of one kind in an hour, from one address and one user. */
enum {
    KS_LOG_REFUSALS = 20, /* of what was refused, and of connections that were ended */
    KS_LOG_EVENTS = 1000, /* of what went as it should */
};

/* What makes lines alike. Zeros where there is no address, or no user. */
struct ks_log_cause {
    const char *kind; /* which one: compared as an address in memory, and never read */
    uint8_t network[KS_NETWORK_ADDRESS_SIZE]; /* the address, of IPv6 its /64 */
    uint8_t user[KS_LOG_USER_SIZE];
};

/* `address` and `user` of 16 bytes; NULL for none. */
struct ks_log_cause ks_log_cause(const char *kind, const uint8_t *address, const uint8_t *user);

/* `key` is copied; random, and nobody else's. KS_OK with *repeats for ks_log_repeats_free; KS_NO_MEMORY. */
enum ks_result ks_log_repeats_new(const struct ks_hash_key *key, const struct ks_clock *clock,
                                  struct ks_log_repeats **repeats);
void ks_log_repeats_free(struct ks_log_repeats *repeats); /* NULL is allowed */

/* As ks_log_write, for one of `per_hour` lines that are alike (KS_LOG_REFUSALS, KS_LOG_EVENTS). What is
 * longer than KS_LOG_REPEAT_SIZE is cut. With a log that has no `repeats` every line is written. */
void ks_log_repeatable(const struct ks_log *log, enum ks_log_level level, const struct ks_log_cause *cause,
                       unsigned per_hour, const char *format, ...) __attribute__((format(printf, 5, 6)));

enum { KS_LOG_REPEAT_SIZE = 900 };

/* The same for trouble of ours that requests bring to light, whoever asks: alike are those of one format,
 * which is a literal. */
#define ks_log_trouble(log, level, format, ...)                                                              \
    ks_log_repeatable((log), (level), &(const struct ks_log_cause){.kind = (format)}, KS_LOG_REFUSALS,       \
                      format, ##__VA_ARGS__)

/* Tells what was counted and may be told by now; with `all`, what was counted. Costs nothing while nothing
 * was. */
void ks_log_tell_repeats(const struct ks_log *log, bool all);

#endif
