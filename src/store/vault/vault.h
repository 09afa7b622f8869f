/* vault.h — files on disk: chunks of uploads into staging/, confirmed ones into files/, durably. Knows no
 * database: rows go through `struct ks_vault_index`.
 *
 * Threads: a few *stage threads*, on which chunks are transformed and written; every stage of one user is
 * pinned to one of them, so that what is asked for in an order happens in that order. One *confirm thread*
 * takes all confirms that wait as one group: data of all synced, all renamed, directories synced, rows handed
 * to the index in one piece. While those are on their way, it syncs the next group.
 *
 * Files are named in names.h. The number of files that stages keep open is bounded, whatever their number.
 */
#ifndef KS_STORE_VAULT_VAULT_H
#define KS_STORE_VAULT_VAULT_H

#include "base/clock.h"
#include "base/log.h"
#include "store/store.h"
#include "store/vault/names.h"

struct ks_vault;

/* What the index should know of one verified file. The texts live until `done`. */
struct ks_vault_row {
    struct ks_vault_row *next;
    struct ks_client_id id;
    const char *file_name; /* as the client sent it */
    const char *kept_name;
    char path_name[KS_NAMES_PATH_SIZE]; /* relative to the data directory */
};

struct ks_vault_rows {
    struct ks_task task; /* the index's until `done` */
    struct ks_vault_index *index;
    struct ks_vault_row *first;
    enum ks_result result; /* out */
    void (*done)(struct ks_vault_rows *rows);
};

struct ks_vault_index {
    /* Makes all rows durable in one commit, then sets `result` and calls rows->done, on any thread, once.
     * In the order of asking. */
    void (*commit)(struct ks_vault_index *index, struct ks_vault_rows *rows);
};

struct ks_vault_options {
    int directory_fd; /* of the data directory, with staging/ and files/ in it; outlives the vault */
    const struct ks_clock *clock;
    const struct ks_log *log;
    struct ks_vault_index *index;
    unsigned threads;       /* 0: one per core, at most 4 */
    int64_t stage_lifetime; /* seconds */
};

/* KS_OK with *vault for ks_vault_stop and ks_vault_free; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_vault_open(const struct ks_vault_options *options, struct ks_vault **vault);

/* Runs what was asked for and ends the threads. Rows may still be with the index. */
void ks_vault_stop(struct ks_vault *vault);

/* Frees, with every stage that nobody confirmed or discarded. The index has no more rows of this vault. */
void ks_vault_free(struct ks_vault *vault); /* NULL is allowed */

/* Contracts as in store.h; any thread. */
void ks_vault_stage_open(struct ks_vault *vault, struct ks_store_stage_open *request);
void ks_vault_stage_write(struct ks_vault *vault, struct ks_store_stage_write *request);
void ks_vault_confirm(struct ks_vault *vault, struct ks_store_confirm *request);
void ks_vault_discard(struct ks_vault *vault, struct ks_store_discard *request);

#endif
