/* vault_internal.h — the vault from within: what its files share. Calls go in this order: requests (vault.c)
 * to the stage threads (stage.c; putting.c, where own files are opened), from there to the confirm thread
 * (confirm.c, with displaced.c), and all of them to what they do with stages (stage_files.c, staging.c).
 */
#ifndef KS_STORE_EMBEDDED_VAULT_VAULT_INTERNAL_H
#define KS_STORE_EMBEDDED_VAULT_VAULT_INTERNAL_H

#include "base/thread.h"
#include "store/embedded/disk/sums.h"
#include "store/embedded/memory/table.h"
#include "store/embedded/vault/vault.h"

#include <pthread.h>
#include <sys/types.h>

enum {
    KS_VAULT_THREAD_LIMIT = 4,
    KS_VAULT_OPEN_FILES = 128,      /* stages with an open file, of all stage threads together */
    KS_VAULT_CONFIRMING_FILES = 64, /* confirms and appends that wait with an open file; the others are opened
                                     * again */
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
    uint8_t *scratch;         /* what was read, of any of them; NULL until the first is */
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

/* Which file lies at a path, and that it was not touched since. */
struct ks_vault_identity {
    dev_t device;
    ino_t inode;
    uint64_t size;
    int64_t written; /* st_mtim and st_ctim, in nanoseconds */
    int64_t changed;
};

enum stage_state {
    STAGE_GROWING,
    STAGE_COMPLETE,
    STAGE_FAILED, /* for `failure`; a stage discarded for its age has KS_NOT_FOUND */
    STAGE_STATES,
};

/* What lay at the path of a change, while it has another name: one of what is being removed (names.h). */
struct ks_displaced {
    bool is_held;  /* there is one */
    uint64_t size; /* bytes; that of what was there */
    char name[KS_NAMES_REMOVED_SIZE];
};

struct ks_stage {
    /* Fixed at opening. */
    struct ks_vault *vault;
    struct ks_vault_owner *owner;
    struct ks_stage_transform transform;
    char name[KS_NAMES_PUT_SIZE];           /* in staging/ */
    char file_name[KS_TEXT_FIELD_SIZE + 1]; /* as the client sent it */
    enum ks_stage_purpose purpose;
    struct ks_vault_row row; /* its `next` links the confirms that wait, then a group's rows */
    struct ks_stage *all_previous, *all_next; /* under vault->lock: every stage there is */
    uint64_t declared;                        /* of a put: the size of all of it */
    struct ks_put_entry *put;                 /* the same, from when it was opened until its end */
    bool replace;                             /* the same */

    /* The stage thread's until a confirm hands it over, then the confirm thread's. */
    uint8_t state;      /* enum stage_state; stage_files.c changes it */
    bool on_disk;       /* there is a file in staging/ */
    bool fd_is_counted; /* in vault->confirming_files */
    bool is_direct;     /* it bypasses the page cache */
    bool is_dated;      /* row.written is known */
    bool is_lost;       /* some of it may not be on disk, and that was told */
    bool in_place;      /* there is a file where row.path_name says */
    bool replaced;      /* another one has gone for it */
    enum ks_result failure;
    enum ks_store_limit limit; /* with KS_REFUSED */
    int fd;                    /* -1 when closed, by ks_vault_close_written */
    unsigned failed_syncs;     /* of vault->failed_syncs, when the first byte was about to be written */
    uint64_t size;
    struct ks_sums sums;           /* of a message's content */
    struct ks_cksum cksum;         /* of a put: of what has come, or has been read of that */
    struct ks_vault_identity kept; /* of a put with row.is_kept: the file that is kept */
    uint64_t write_back;           /* up to here the kernel was asked to write */
    uint64_t last_byte_ms;
    struct ks_stage *age_previous, *age_next;
    struct ks_stage *use_previous, *use_next;
    struct ks_store_request *request; /* the confirm, append, removal or opening, or the discard's, which may
                                       * have none */
    struct ks_task discarding;
    struct ks_vault_rows rows; /* of the group whose first row is this stage's */

    /* Of a change in files/: displaced.c tells what they are. */
    struct ks_displaced displaced; /* the confirm thread's, until its end */
    struct ks_vault_place *place;  /* this and what follows: under vault->lock */
    struct ks_stage *earlier, *later;
    bool is_final;
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
    _Atomic bool is_stopping;      /* nothing more is read than has to be */

    pthread_mutex_t lock; /* of the next four, and what they hold as marked */
    struct ks_vault_owner *owners;
    struct ks_stage *stages;
    struct ks_vault_place *places; /* of the changes in files/ that are not over, by path */
    unsigned changes;              /* how many of them were handed to the confirm thread */
    pthread_cond_t changes_over;   /* there are none any more */

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

/* The same for an own file: KS_INVALID for a name that ks_file_name_is_valid refuses. */
enum ks_result ks_vault_put_new(struct ks_vault *vault, const struct ks_store_put_open *request,
                                struct ks_stage **stage);

/* The same for a removal, which goes the way of a stage: KS_NOT_FOUND for a name that no file can have. */
enum ks_result ks_vault_removal_new(struct ks_vault *vault, const struct ks_store_remove_file *request,
                                    struct ks_stage **stage);

/* Frees a stage that is in no list of a thread; the file is the caller's business, and the put, too. Any
 * thread. */
void ks_vault_release(struct ks_stage *stage);

/* Closes the stage's file and removes it from staging/, as far as it is open and there. */
void ks_vault_remove_file(struct ks_stage *stage);

/* Closes it, as far as it is open, and leaves it there. */
void ks_vault_leave_file(struct ks_stage *stage);

/* Of a stage that is in no list of a thread: removes its file from staging/; but what has come of a put is
 * parked, if it may be and is worth it. Whoever asks for the put id from now on finds it. Any thread. */
void ks_vault_put_away(struct ks_stage *stage, bool may_be_parked);

/* The same, and frees the stage. */
void ks_vault_end(struct ks_stage *stage, bool may_be_parked);

/* Whether a put that ended with this may be parked (store_files.h). */
bool ks_vault_stays_after(enum ks_result result);

/* Removes a parked put, which the caller has taken, and forgets it. Any thread. */
void ks_vault_remove_parked(struct ks_vault *vault, struct ks_put_entry *put);

/* True with *identity when there is a regular file of this path in the data directory; that of an open one.
 */
bool ks_vault_identify(const struct ks_vault *vault, const char *path, struct ks_vault_identity *identity);
bool ks_vault_identify_open(int fd, struct ks_vault_identity *identity);
bool ks_vault_is_same(const struct ks_vault_identity *left, const struct ks_vault_identity *right);

/* Closes the stage's file, which is open, and will be needed again. All that was written to it is handed to
 * the disk first: an error of that is told to this descriptor, and perhaps to none that is opened later.
 * KS_OK, or why the file is worth nothing. */
enum ks_result ks_vault_close_written(struct ks_stage *stage);

/* Opens the stage's file, which is on disk, for reading, writing and syncing. KS_OK with *fd; errno. */
enum ks_result ks_vault_reopen(const struct ks_stage *stage, int *fd);

/* What putting the stage's file in place would change, `size` being its own. 0 with *change, or the
 * error number: then nobody knows whether it would replace another. */
int ks_vault_change(const struct ks_stage *stage, uint64_t size, struct ks_quota_change *change);

/* ---- stage_files.c: on the thread that the stage is pinned to ---- */

/* The door of its states. */
void ks_stage_become(struct ks_stage *stage, enum stage_state state);

/* Takes the stage out of the thread's lists; its file stays open. */
void ks_stage_delist(struct ks_stage *stage);

/* The stage was used just now: it is the last to be swept, and to be closed. Its file is open. */
void ks_stage_mark_used(struct ks_stage *stage);

/* The stage fails, and its file goes. */
void ks_stage_fail(struct ks_stage *stage, enum ks_result failure);

/* Opens the stage's file, unless it is open, and makes it, unless it is there: then the stage is in the
 * thread's lists. */
enum ks_result ks_stage_open_file(struct ks_stage *stage);

/* The same for one that a put has left. KS_NOT_FOUND when it is not there. */
enum ks_result ks_stage_resume_file(struct ks_stage *stage);

/* Of a file that is whole, and open; it is not written again. */
void ks_stage_date(struct ks_stage *stage);

/* ---- putting.c ---- */

/* Tasks of stage threads: an own file is opened, or parked. */
void ks_putting_run_open(struct ks_task *task);
void ks_putting_run_park(struct ks_task *task);

/* ---- stage.c ---- */

/* Tasks of stage threads: an opening that is over a limit unless it replaces a file, a chunk, a confirm, an
 * append, a discard, a removal, the stages of a user who goes; and the thread's tick. */
void ks_stage_run_judge(struct ks_task *task);
void ks_stage_run_write(struct ks_task *task);
void ks_stage_run_confirm(struct ks_task *task);
void ks_stage_run_append(struct ks_task *task);
void ks_stage_run_discard(struct ks_task *task);
void ks_stage_run_remove(struct ks_task *task);
void ks_stage_run_expel(struct ks_task *task);
void ks_stage_tick(void *vault_thread);

/* ---- confirm.c ---- */

/* Tasks and end of batch of the confirm thread, whose context is the vault. */
void ks_confirm_run(struct ks_task *task);
void ks_confirm_run_append(struct ks_task *task);
void ks_confirm_run_remove(struct ks_task *task);
void ks_confirm_batch_done(void *context);

/* ---- displaced.c ---- */

/* A change in files/, a removal or a confirmation, is about to be handed to the confirm thread. Stage thread.
 */
void ks_displaced_expect(struct ks_stage *stage);

/* The confirm thread is about to make the change: from now on what is there is kept until the end. Takes the
 * file of a removal away, as far as there is one; keeps the file that a rename will replace, if `change` says
 * that there is one; or nothing changes but the row. 0, or the error number: then the change must not be
 * made. */
int ks_displaced_take(struct ks_stage *stage);
int ks_displaced_keep(struct ks_stage *stage, const struct ks_quota_change *change);
int ks_displaced_stay(struct ks_stage *stage);

/* The end of a change, whether it has been made or not: what was displaced goes to the reaper, or is brought
 * back; answers, and frees the stage. */
void ks_displaced_end(struct ks_stage *stage, enum ks_result result);     /* the index's thread */
void ks_displaced_give_up(struct ks_stage *stage, enum ks_result result); /* the confirm thread; not made */

/* Returns when no change is with the index or the confirm thread. Any other thread; nobody asks any more. */
void ks_displaced_wait(struct ks_vault *vault);

#endif
