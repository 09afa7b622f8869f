/* file_refusals.h — what requests for own files (protocol.md §10) share: names, and why something is refused.
 * Private to src/service/files; the connection's loop.
 */
#ifndef KS_SERVICE_FILES_FILE_REFUSALS_H
#define KS_SERVICE_FILES_FILE_REFUSALS_H

#include "service/accounts/refusals.h"
#include "store/store.h"
#include "wire/files_codec.h"

/* The payload is the name of a file, and nothing else. KS_OK with `name`, NUL-terminated; else the exchange
 * was refused. */
enum ks_result ks_file_take_name(struct ks_exchange *exchange, const uint8_t *payload,
                                 char name[static KS_TEXT_FIELD_SIZE]);

/* KS_OK with `name`, NUL-terminated; KS_INVALID for one that no file may have. */
enum ks_result ks_file_judge_name(const struct ks_wire_text *text, char name[static KS_TEXT_FIELD_SIZE]);

/* A name for a line of the log, escaped. Returns `shown`. */
const char *ks_file_shown(const char *name, char shown[static KS_TEXT_FIELD_SIZE]);

/* The reason for what a store says of a file that is kept. */
enum ks_refusal_reason ks_file_reason(enum ks_result result);

/* Of a put: what its opening (3013), its pieces (3014) and its end (3015) may be refused for. */
enum ks_refusal_reason ks_file_opening_reason(enum ks_result result, enum ks_store_limit limit);
enum ks_refusal_reason ks_file_piece_reason(enum ks_result result);
enum ks_refusal_reason ks_file_end_reason(enum ks_result result);

/* Whether the server could not take a file, for a limit or for trouble of its own: that is a warning in the
 * log. */
bool ks_file_is_a_warning(enum ks_result result);

#endif
