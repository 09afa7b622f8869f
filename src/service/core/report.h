/* report.h — lines of the log about what a peer of a port of frames asked for: from which address, by which
 * user, and for whom. Private to src/service; the connection's loop.
 *
 * A line is `ADDRESS: "user" to "receiver": text`. Names are what the store has at hand, so that nobody has
 * to carry them around, and nothing waits for them; who is no user has none, and neither has a request whose
 * connection is gone (the store may be closed by then). Lines that are alike, of one text, address and user,
 * are bounded (base/limits/log_repeats.h). Nothing is looked up, and nothing formatted, for a line that the
 * log does not show.
 */
#ifndef KS_SERVICE_CORE_REPORT_H
#define KS_SERVICE_CORE_REPORT_H

#include "service/core/exchange.h"

/* Something was refused, or went wrong. The text is the format's, as of printf, and tells by which setting:
 * "(uploads)". The format must be a literal: lines of one literal are alike. */
void ks_report(const struct ks_exchange *exchange, enum ks_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of what concerns another user, too: `receiver` is that one's id, or the alias. */
void ks_report_to(const struct ks_exchange *exchange, const struct ks_client_id *receiver,
                  enum ks_log_level level, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* The same of the connection; its user is who has asked for something last. */
void ks_report_session(const struct ks_session *session, enum ks_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same of a peer that has said nothing yet. `what` is a literal. */
void ks_report_silence(const struct ks_service_environment *environment,
                       const struct ks_connection *connection, const char *what);

/* The same of something that the user `id` has left here: no address. While a request is served. */
void ks_report_user(const struct ks_service_environment *environment, const struct ks_client_id *id,
                    enum ks_log_level level, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Something went well: there may be more of it. */
void ks_report_event(const struct ks_exchange *exchange, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* At debug: the request, and the code of its answer, 0 for none. Never bounded. Inline but for the line. */
void ks_report_write_request(const struct ks_exchange *exchange, bool fits);
void ks_report_write_answer(const struct ks_exchange *exchange, uint16_t code);

static inline void ks_report_request(const struct ks_exchange *exchange, bool fits)
{
    if (ks_log_shows(exchange->environment->log, KS_LOG_DEBUG))
        ks_report_write_request(exchange, fits);
}

static inline void ks_report_answer(const struct ks_exchange *exchange, uint16_t code)
{
    if (ks_log_shows(exchange->environment->log, KS_LOG_DEBUG))
        ks_report_write_answer(exchange, code);
}

/* What follows a reason in a line: " (user-files)", or nothing for KS_STORE_LIMIT_NONE. Static. */
const char *ks_report_limit(enum ks_store_limit limit);

/* A file's name for a line, from the field of a request: what is kept of it (ks_kept_name), escaped. Returns
 * `shown`. */
enum { KS_REPORT_NAME_SIZE = KS_TEXT_FIELD_SIZE };
const char *ks_report_file_name(const void *name_field, char shown[static KS_REPORT_NAME_SIZE]);

#endif
