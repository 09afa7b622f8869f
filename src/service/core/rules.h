/* rules.h — the table of requests on the binary port: what each looks like and who serves it. Private to
 * src/service; read-only, any thread.
 */
#ifndef KS_SERVICE_RULES_H
#define KS_SERVICE_RULES_H

#include "service/core/session.h"

/* The rule of a code; NULL for an unknown one. */
const struct ks_rule *ks_rules_find(uint16_t code);

/* Which of the rules it is, from 0; ks_rules_unknown is the last. For counting. */
size_t ks_rules_index(const struct ks_rule *rule);

/* The code of that rule as text, "other" for ks_rules_unknown, NULL beyond. Static. */
const char *ks_rules_name(size_t index);

/* What an unknown code gets: 9000, version 2, whatever its payload (protocol.md §1). */
extern const struct ks_rule ks_rules_unknown;

#endif
