/* contract_file_asking.h — requests for own files in one line, as contract_asking.h has the others. */
#ifndef KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_FILE_ASKING_H
#define KS_TESTS_UNIT_STORE_CONTRACT_CONTRACT_FILE_ASKING_H

#include "unit/store/contract/contract_asking.h"

/* The cksum of a text. */
uint32_t cksum_of_text(const char *text);

/* ---- puts ---- */

/* A put whose id is filled with `byte`, of a file that is not there yet. */
struct ks_store_put_open put_request(struct party *me, const struct ks_client_id *id, uint8_t byte,
                                     const char *name, uint64_t size);
enum ks_result ask_to_put(struct party *me, struct ks_store_put_open *request);
/* The stage of a put of which the store has just the beginning `expected`, with the right cksum; fails the
 * test when it cannot be opened, or is something else. */
struct ks_stage *open_put(struct party *me, const struct ks_client_id *id, uint8_t byte, const char *name,
                          uint64_t size, const char *expected);
/* The same, with `replace`. */
struct ks_stage *open_replacing(struct party *me, const struct ks_client_id *id, uint8_t byte,
                                const char *name, uint64_t size, const char *expected);
/* What asking for such a put comes to; a stage is discarded. */
enum ks_result try_to_put(struct party *me, const struct ks_client_id *id, uint8_t byte, const char *name,
                          uint64_t size, enum ks_store_limit *limit);
/* A put of `size` bytes of which so much has come, and which is parked. */
void park_put(struct party *me, const struct ks_client_id *id, uint8_t byte, const char *name, uint64_t size,
              const char *text);

struct ks_store_confirm end_request(struct party *me, struct ks_stage *stage, const char *text);
/* Confirms with the cksum of this text. */
enum ks_result end_put(struct party *me, struct ks_stage *stage, const char *text);
/* From the opening to the end; fails the test unless *replaced comes out as this. */
void put_file(struct party *me, const struct ks_client_id *id, const char *name, const char *text,
              bool replaces);

/* What storage says of a user's puts. */
void assert_puts(struct party *me, const char *user, uint64_t puts, uint64_t bytes);

/* ---- files ---- */

struct ks_store_list_files list_request(struct party *me, const struct ks_client_id *id, const char *after,
                                        struct ks_kept_file *files, size_t limit);
/* The names behind `after`, in pages of `limit`, as "one two three"; `more` is right on each. */
void assert_names(struct party *me, const struct ks_client_id *id, const char *after, size_t limit,
                  const char *expected);
/* What the list says of one file; fails the test when it is not in it. */
struct ks_file_facts facts_of(struct party *me, const struct ks_client_id *id, const char *name);

struct ks_store_file_open reading_request(struct party *me, const struct ks_client_id *id, const char *name);
/* A file for reading; fails the test when there is none. */
struct ks_stored_file *open_stored(struct party *me, const struct ks_client_id *id, const char *name);
enum ks_result try_to_get(struct party *me, const struct ks_client_id *id, const char *name);
/* From `offset` on the file says this and nothing else; read in pieces of 3 bytes. */
void assert_reads(struct party *me, struct ks_stored_file *file, uint64_t offset, const char *text);
/* A file says this, and its facts are those of it. */
void assert_content(struct party *me, const struct ks_client_id *id, const char *name, const char *text);

struct ks_store_remove_file removal_request(struct party *me, const struct ks_client_id *id,
                                            const char *name);
enum ks_result remove_file(struct party *me, const struct ks_client_id *id, const char *name);
/* The SHA-256, in hex. */
enum ks_result digest_of(struct party *me, const struct ks_client_id *id, const char *name,
                         char hex[static 2 * KS_FILE_SHA256_SIZE + 1]);

#endif
