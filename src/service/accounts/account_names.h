/* account_names.h — which names accounts may have, and which are alike (protocol.md §8.2): the only place
 * that knows ICU.
 *
 * One object for all, made at the start and freed at the end; it never changes, and any thread may use it,
 * many at a time. A name of 19 Cyrillic letters costs 17 µs to judge, and 10 µs for its skeleton (one of
 * ASCII 8 and 3); the worst name that can be judged costs 54 µs, the worst skeleton of a classic name 170 µs,
 * of any text 230 µs. So a loop may ask, about as often as it may have a signature verified.
 *
 * What is assigned, and what looks alike, is what the installed ICU knows. A skeleton that was stored under
 * an older one stays as it is; few change from one to the next.
 */
#ifndef KS_SERVICE_ACCOUNTS_ACCOUNT_NAMES_H
#define KS_SERVICE_ACCOUNTS_ACCOUNT_NAMES_H

#include "base/result.h"
#include "store/store_accounts.h"

#include <stddef.h>

struct ks_account_names;

/* KS_OK with *names for ks_account_names_free; KS_NO_MEMORY; KS_IO when the library does not find its data.
 */
enum ks_result ks_account_names_new(struct ks_account_names **names);
void ks_account_names_free(struct ks_account_names *names); /* NULL is allowed */

/* Whether an account may register under a name, whoever else has it. KS_OK; KS_INVALID, and *why is a
 * sentence for people, of static storage; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_account_name_judge(const struct ks_account_names *names, const char *name, size_t size,
                                     const char **why);

/* What makes names alike: two of them are, when they have the same skeleton. Of any name, also a classic one,
 * in UTF-8 of at most KS_SKELETON_SIZE - 1 bytes. It is a text with a NUL and its own skeleton. KS_OK;
 * KS_INVALID for no UTF-8, or nothing that one could see; KS_TOO_LARGE; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_account_name_skeleton(const struct ks_account_names *names, const char *name, size_t size,
                                        char skeleton[static KS_SKELETON_SIZE]);

/* The same for whoever has no object, at the price of making one: for embedded.h, which asks once in the life
 * of a database. */
enum ks_result ks_account_name_skeleton_once(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE]);

#endif
