/* engine.h — the embedded engine from within: all of its parts. Known to the files beside it alone, which
 * drive several parts at once; every part below (disk, memory, database, journal, vault, writer, readers) is
 * given what it works with. Opened, put together and closed by engine.c.
 */
#ifndef KS_STORE_EMBEDDED_ENGINE_H
#define KS_STORE_EMBEDDED_ENGINE_H

#include "base/clock.h"
#include "base/log.h"
#include "crypto/alias.h"
#include "crypto/random.h"
#include "store/embedded/departures.h"
#include "store/embedded/disk/reserve.h"
#include "store/embedded/disk/space.h"
#include "store/embedded/memory/inboxes.h"
#include "store/embedded/memory/keys.h"
#include "store/embedded/memory/puts.h"
#include "store/embedded/memory/quotas.h"
#include "store/embedded/memory/users.h"
#include "store/embedded/readers/check.h"
#include "store/embedded/readers/counting.h"
#include "store/embedded/readers/damage.h"
#include "store/embedded/readers/details.h"
#include "store/embedded/readers/digests.h"
#include "store/embedded/readers/file_reader.h"
#include "store/embedded/readers/key_reader.h"
#include "store/embedded/readers/pull_reader.h"
#include "store/embedded/readers/stored_files.h"
#include "store/embedded/upkeep.h"
#include "store/embedded/vault/vault.h"
#include "store/embedded/writer/age.h"
#include "store/embedded/writer/appending.h"
#include "store/embedded/writer/filing.h"
#include "store/embedded/writer/removal.h"
#include "store/embedded/writer/writer.h"
#include "store/store.h"

struct ks_engine {
    struct ks_store store;
    /* Set at opening, read by every thread. */
    const struct ks_clock *clock;
    const struct ks_random *random;
    const struct ks_log *log;
    const struct ks_store_limits *limits;
    int64_t stage_lifetime;        /* seconds */
    int64_t keyless_user_lifetime; /* seconds */
    int64_t content_key_lifetime;  /* seconds */
    char *database_path;
    int directory_fd;
    int lock_fd; /* closed last: until then no other server comes in */
    uint8_t alias_key[KS_ALIAS_KEY_SIZE];
    struct ks_alias_key *aliases; /* made of it */
    /* Each guards itself. */
    struct ks_users *users;
    struct ks_key_cache *keys;
    struct ks_inboxes *inboxes;
    struct ks_quotas *quotas;
    struct ks_puts *puts;
    struct ks_age age;
    struct ks_reserve reserve; /* the writer's thread gives it up */
    struct ks_space space;     /* set at opening; the writer's tick looks */
    struct ks_write_turn turn;
    struct ks_database_writer writer;
    struct ks_filing filing;
    struct ks_appending appending; /* the writer's thread's */
    struct ks_counting counting;
    struct ks_damage damage;
    struct ks_check check;
    struct ks_removal removal; /* the writer's thread's */
    struct ks_upkeep upkeep;   /* likewise */
    struct ks_departures departures;
    struct ks_key_reader key_reader;
    struct ks_pull_reader pull_reader;
    struct ks_details details;
    struct ks_file_reader file_reader;
    struct ks_stored_files stored_files;
    struct ks_digests digests;
    struct ks_thread *reaper;
    struct ks_vault_index index; /* what the vault knows of the database */
    struct ks_vault *vault;
};

static inline struct ks_engine *ks_engine_of(struct ks_store *store)
{
    return KS_CONTAINER_OF(store, struct ks_engine, store);
}

/* Has the writer apply a request, behind all that was asked for before. Any thread. */
static inline void ks_engine_ask_writer(struct ks_engine *engine, struct ks_store_request *request,
                                        void (*apply)(struct ks_task *task))
{
    request->store = &engine->store;
    request->task.run = apply;
    ks_database_writer_post(&engine->writer, &request->task);
}

/* The request that a task of the writer belongs to. */
#define KS_REQUEST_OF(task, type)                                                                            \
    KS_CONTAINER_OF(KS_CONTAINER_OF(task, struct ks_store_request, task), type, request)

/* The user as a change finds it while it is applied: NULL when it was removed meanwhile, or is in this batch.
 */
static inline struct ks_user_entry *ks_engine_find_staying(struct ks_engine *engine,
                                                           const struct ks_client_id *id)
{
    struct ks_user_entry *entry = ks_users_find(engine->users, id);
    return entry != NULL && !entry->leaving ? entry : NULL;
}

/* What a request that was applied has come to: its own result, unless its batch has failed. */
static inline enum ks_result ks_engine_settled_result(const struct ks_engine *engine,
                                                      const struct ks_store_request *request)
{
    return engine->writer.failure != KS_OK ? engine->writer.failure : request->result;
}

/* Whether nothing new may be taken in. Any thread. */
static inline bool ks_engine_is_short(struct ks_engine *engine)
{
    return ks_space_is_short(&engine->space) || ks_reserve_refuses(&engine->reserve);
}

#endif
