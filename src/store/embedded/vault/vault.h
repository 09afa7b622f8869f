/* vault.h — files on disk: chunks of uploads into staging/, confirmed ones into files/, contents of messages
 * into messages/, durably; and what is removed from files/. Knows no database: rows go through `struct
 * ks_vault_index`.
 *
 * Threads: a few *stage threads*, on which chunks are transformed and written; every stage of one user is
 * pinned to one of them, so that what is asked for in an order happens in that order. One *confirm thread*
 * takes all confirms, appends and removals that wait as one group: data of all synced, all renamed,
 * directories synced, rows handed to the index in one piece. While those are on their way, it syncs the next
 * group.
 *
 * Files are named in names.h. The number of files that stages keep open is bounded, whatever their number.
 */
#ifndef KS_STORE_EMBEDDED_VAULT_VAULT_H
#define KS_STORE_EMBEDDED_VAULT_VAULT_H

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/embedded/memory/puts.h"
#include "store/embedded/memory/quotas.h"
#include "store/embedded/vault/names.h"
#include "store/store.h"

#include <semaphore.h>

struct ks_vault;

/* What the index should know of one file: a verified one of the user `id`, or that it is one no more, or the
 * content of a message that the user sends. The texts live until `done`. */
struct ks_vault_row {
    struct ks_vault_row *next;
    struct ks_client_id id;
    struct ks_store_append_message *message; /* NULL for a file of the user; else without the two names */
    const char *file_name;                   /* as the client sent it */
    const char *kept_name;
    char path_name[KS_NAMES_PATH_SIZE]; /* relative to the data directory */
    bool is_kept;                       /* it was there before, so perhaps with just this row */
    bool is_removal;                    /* nothing is there any more, so no row … */
    bool had_file;                      /* … and this says whether there was a file */
    uint64_t size;                      /* bytes */
    bool has_cksum;                     /* of a file … */
    uint32_t cksum;                     /* … as its 2103 told … */
    int64_t written;                    /* … and when it was last written (st_mtim), in nanoseconds */
    enum ks_result result;              /* out; KS_NOT_FOUND: the file is nobody's; of a removal, there was
                                         * neither file nor row */
};

struct ks_vault_rows {
    struct ks_task task; /* the index's until `done` */
    struct ks_vault_index *index;
    struct ks_vault_row *first;
    void (*done)(struct ks_vault_rows *rows);
};

struct ks_vault_index {
    /* Makes the rows durable in one commit, then sets each row's `result`, and calls rows->done, on
     * any thread, once. In the order of asking. */
    void (*commit)(struct ks_vault_index *index, struct ks_vault_rows *rows);
};

struct ks_vault_options {
    int directory_fd; /* of the data directory, with staging/, files/ and messages/; outlives the vault */
    const struct ks_alias_key *aliases; /* outlives the vault: files lie under their users' aliases */
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    struct ks_vault_index *index;
    struct ks_quotas *quotas; /* outlive the vault; NULL: no limits */
    struct ks_puts *puts;     /* outlive the vault; NULL: nobody puts own files */
    struct ks_thread *reaper; /* outlives the vault; NULL: what is replaced is freed at once */
    unsigned threads;         /* 0: one per core, at most 4 */
    int64_t stage_lifetime;   /* seconds */
};

/* KS_OK with *vault for ks_vault_stop and ks_vault_free; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_vault_open(const struct ks_vault_options *options, struct ks_vault **vault);

/* Runs what was asked for, waits until the index has done with removals, and ends the threads. Other rows may
 * still be with the index. */
void ks_vault_stop(struct ks_vault *vault);

/* Frees, with every stage that nobody confirmed or discarded; what has come of own files stays. The index has
 * no more rows of this vault, and the reaper nothing more to do. */
void ks_vault_free(struct ks_vault *vault); /* NULL is allowed */

/* A user is about to be removed: its stages that have begun fail with KS_NOT_FOUND, and their files leave
 * staging/, as does what is parked there. What has not begun, or is being confirmed, goes on; the index
 * refuses its rows, and nothing of it is parked any more. */
struct ks_vault_expulsion {
    struct ks_task task;                                /* the vault's until `done` */
    struct ks_vault_thread *thread;                     /* likewise */
    struct ks_client_id id;                             /* in */
    void (*done)(struct ks_vault_expulsion *expulsion); /* runs on a stage thread, once */
};
void ks_vault_expel(struct ks_vault *vault, struct ks_vault_expulsion *expulsion);

/* Returns when all that was confirmed or appended before is with the index. Any other thread. */
void ks_vault_settle(struct ks_vault *vault);

/* Any thread, before the vault stops: has the task run on the confirm thread, behind what was confirmed,
 * appended or removed before. That is with the index, or has failed, when a second task runs that was posted
 * by the first. */
void ks_vault_post(struct ks_vault *vault, struct ks_task *task);

/* Between these two nothing is put into files/ or messages/: the confirm thread waits. Any other thread, one
 * at a time; not for long. */
struct ks_vault_pause {
    struct ks_task task;
    sem_t reached;
    sem_t over;
};
void ks_vault_hold(struct ks_vault *vault, struct ks_vault_pause *pause);
void ks_vault_let_go(struct ks_vault_pause *pause);

/* How many tasks wait for the stage threads, and for the confirm thread. Any thread. */
void ks_vault_waiting(const struct ks_vault *vault, uint64_t *stages, uint64_t *confirms);

/* Contracts as in store.h; any thread. */
void ks_vault_stage_open(struct ks_vault *vault, struct ks_store_stage_open *request);
void ks_vault_stage_write(struct ks_vault *vault, struct ks_store_stage_write *request);
void ks_vault_confirm(struct ks_vault *vault, struct ks_store_confirm *request);
void ks_vault_append(struct ks_vault *vault, struct ks_store_append_message *request); /* with a stage */
void ks_vault_discard(struct ks_vault *vault, struct ks_stage *stage, struct ks_store_request *request);
void ks_vault_put_open(struct ks_vault *vault, struct ks_store_put_open *request);
void ks_vault_put_park(struct ks_vault *vault, struct ks_stage *stage);
void ks_vault_remove(struct ks_vault *vault, struct ks_store_remove_file *request);

#endif
