/* vault_internal.h — the vault from within: what vault.c, stage.c, confirm.c and staging.c share. Calls go in
 * this order: requests (vault.c) to the stage threads (stage.c), from there to the confirm thread
 * (confirm.c), and all of them to what they do with stages (staging.c).
 */
#ifndef KS_STORE_EMBEDDED_VAULT_VAULT_INTERNAL_H
#define KS_STORE_EMBEDDED_VAULT_VAULT_INTERNAL_H

#include "base/thread.h"
#include "store/embedded/disk/sums.h"
#include "store/embedded/memory/table.h"
#include "store/embedded/vault/vault.h"

#include <pthread.h>

enum {
    KS_VAULT_THREAD_LIMIT = 4,
    KS_VAULT_OPEN_FILES = 128,      /* stages with an open file, of all stage threads together */
    KS_VAULT_CONFIRMING_FILES = 64, /* confirms and appends that wait with an open file; the others are opened
                                     * again */
    KS_VAULT_STAGE_NAME_SIZE = 17,
};

/* One stage thread. The lists are its own. */
struct ks_vault_thread {
    struct ks_vault *vault;
    struct ks_thread *thread;
    struct ks_stage *by_age;  /* stages with a file in staging/, longest untouched first */
    struct ks_stage *by_use;  /* those of them whose file is open, likewise */
    unsigned open_files;      /* in by_use */
    unsigned open_file_limit; /* beyond, the first of by_use is closed until it is needed */
    unsigned owners;          /* under vault->lock: users pinned here */
};

/* A user with stages. Made and freed under vault->lock. */
struct ks_vault_owner {
    UT_hash_handle hh;
    struct ks_client_id id;
    struct ks_vault_thread *thread;
    unsigned stages;            /* under vault->lock */
    uint64_t synced_in_group;   /* the confirm thread's: the group that last synced this user's directory */
    uint64_t renamed_in_group;  /* the same: the group that last put a file there */
    enum ks_result sync_result; /* the same: of synced_in_group */
};

enum stage_state {
    STAGE_GROWING,
    STAGE_COMPLETE,
    STAGE_FAILED, /* for `failure`; a stage discarded for its age has KS_NOT_FOUND */
    STAGE_STATES,
};

struct ks_stage {
    /* Fixed at opening. */
    struct ks_vault *vault;
    struct ks_vault_owner *owner;
    struct ks_stage_transform transform;
    char name[KS_VAULT_STAGE_NAME_SIZE];    /* in staging/ */
    char file_name[KS_TEXT_FIELD_SIZE + 1]; /* as the client sent it */
    enum ks_stage_purpose purpose;
    struct ks_vault_row row; /* its `next` links the confirms that wait, then a group's rows */
    struct ks_stage *all_previous, *all_next; /* under vault->lock: every stage there is */

    /* The stage thread's until a confirm hands it over, then the confirm thread's. */
    uint8_t state; /* enum stage_state; stage.c changes it */
    enum ks_result failure;
    enum ks_store_limit limit; /* with KS_REFUSED */
    bool on_disk;              /* there is a file in staging/ */
    bool fd_is_counted;        /* in vault->confirming_files */
    int fd;                    /* -1 when closed, by ks_vault_close_written */
    unsigned failed_syncs;     /* of vault->failed_syncs, when the first byte was about to be written */
    bool is_direct;            /* it bypasses the page cache */
    uint64_t size;
    bool is_dated;       /* row.written is known */
    struct ks_sums sums; /* of a message's content */
    uint64_t write_back; /* up to here the kernel was asked to write */
    uint64_t last_byte_ms;
    struct ks_stage *age_previous, *age_next;
    struct ks_stage *use_previous, *use_next;
    bool in_place;                    /* there is a file where row.path_name says */
    struct ks_store_request *request; /* the confirm or append, or the discard's, which may have none */
    struct ks_task discarding;
    struct ks_vault_rows rows; /* of the group whose first row is this stage's */
};

struct ks_vault {
    struct ks_vault_options options;
    int staging_fd;
    uint64_t stage_lifetime_ms;
    struct ks_vault_thread threads[KS_VAULT_THREAD_LIMIT];
    unsigned thread_count;
    _Atomic uint64_t last_stage_number;
    _Atomic unsigned confirming_files;
    _Atomic bool no_direct;        /* the file system cannot do direct I/O */
    _Atomic unsigned failed_syncs; /* of the whole file system: confirm.c */

    pthread_mutex_t lock; /* of the next two, and what they hold as marked */
    struct ks_vault_owner *owners;
    struct ks_stage *stages;

    struct ks_thread *confirm_thread;
    /* The confirm thread's. */
    struct ks_vault_row *first_waiting;
    struct ks_vault_row *last_waiting;
    uint64_t group;
    uint64_t logged_group;  /* the last one with a failure in the log */
    bool files_is_dirty;    /* a directory was made in files/ and that is not synced yet */
    bool messages_is_dirty; /* a file was put into messages/ and that is not synced yet */
};

/* ---- staging.c ---- */

/* What the operating system said about a file of ours. Never KS_NOT_FOUND or KS_EXISTS: those mean something
 * else to who asked. */
enum ks_result ks_vault_failure(int error_number);

/* The thread that the stages of this user are pinned to. Any thread. */
struct ks_vault_thread *ks_vault_thread_of(struct ks_vault *vault, const struct ks_client_id *id);

/* A new stage, in no list of a thread. KS_OK with *stage; KS_INVALID for a file name that ks_kept_name
 * refuses; KS_NO_MEMORY, KS_CRYPTO. Any thread. */
enum ks_result ks_vault_stage_new(struct ks_vault *vault, const struct ks_store_stage_open *request,
                                  struct ks_stage **stage);

/* Frees a stage that is in no list of a thread; the file is the caller's business. Any thread. */
void ks_vault_release(struct ks_stage *stage);

/* Closes the stage's file and removes it from staging/, as far as it is open and there. */
void ks_vault_remove_file(struct ks_stage *stage);

/* Closes the stage's file, which is open, and will be needed again. All that was written to it is handed to
 * the disk first: an error of that is told to this descriptor, and perhaps to none that is opened later.
 * KS_OK, or why the file is worth nothing. */
enum ks_result ks_vault_close_written(struct ks_stage *stage);

/* Opens the stage's file, which is on disk, for writing and syncing. KS_OK with *fd. */
enum ks_result ks_vault_reopen(const struct ks_stage *stage, int *fd);

/* What putting the stage's file in place would change, `size` being its own. Asks the disk. */
struct ks_quota_change ks_vault_change(const struct ks_stage *stage, uint64_t size);

/* ---- stage.c ---- */

/* Tasks of stage threads: an opening that is over a limit unless it replaces a file, a chunk, a confirm, an
 * append, a discard, the stages of a user who goes; and the thread's tick. */
void ks_stage_run_judge(struct ks_task *task);
void ks_stage_run_write(struct ks_task *task);
void ks_stage_run_confirm(struct ks_task *task);
void ks_stage_run_append(struct ks_task *task);
void ks_stage_run_discard(struct ks_task *task);
void ks_stage_run_expel(struct ks_task *task);
void ks_stage_tick(void *vault_thread);

/* ---- confirm.c ---- */

/* Tasks and end of batch of the confirm thread, whose context is the vault. */
void ks_confirm_run(struct ks_task *task);
void ks_confirm_run_append(struct ks_task *task);
void ks_confirm_batch_done(void *context);

#endif
