/* newcomers.c — see newcomers.h. */
#include "store/embedded/newcomers.h"

#include "base/text.h"
#include "store/embedded/engine.h"
#include "store/embedded/memory/identities.h"

#include <string.h>

enum { DRAWS = 8 }; /* one is enough, unless the random generator is broken */

void ks_newcomer_skeleton(const char name[static KS_TEXT_FIELD_SIZE],
                          const char given[static KS_SKELETON_SIZE], char skeleton[static KS_SKELETON_SIZE])
{
    size_t size = strnlen(given, KS_SKELETON_SIZE - 1);
    memset(skeleton, 0, KS_SKELETON_SIZE);
    if (size > 0)
        memcpy(skeleton, given, size);
    else
        ks_text_to_lower(name, strnlen(name, KS_TEXT_FIELD_SIZE - 1), skeleton);
}

enum ks_result ks_newcomer_judge_number(struct ks_engine *engine)
{
    uint64_t limit = atomic_load_explicit(&engine->limits->users, memory_order_relaxed);
    return limit != 0 && ks_users_count(engine->users) >= limit ? KS_TOO_LARGE : KS_OK;
}

/* One family of public clients prints each half of its id in hex without leading zeros, and cannot read a
 * shorter one back: so no half begins or ends with a byte below 0x10. 124 of the 128 bits are random. */
enum ks_result ks_newcomer_draw_id(const struct ks_random *random, struct ks_client_id *id)
{
    static const uint8_t ends[] = {0, 7, 8, 15};
    enum ks_result result = ks_random_fill(random, id->bytes, sizeof id->bytes);
    for (size_t i = 0; result == KS_OK && i < sizeof ends; i++)
        id->bytes[ends[i]] |= 0x10;
    return result;
}

enum ks_result ks_newcomer_draw_fresh_id(struct ks_engine *engine, struct ks_client_id *id)
{
    for (int i = 0; i < DRAWS; i++) {
        enum ks_result result = ks_newcomer_draw_id(engine->random, id);
        if (result != KS_OK)
            return result;
        if (ks_users_find(engine->users, id) == NULL && !ks_identities_has_classic_id(engine->users, id))
            return KS_OK;
    }
    return KS_CRYPTO;
}

enum ks_result ks_newcomer_add(struct ks_engine *engine, const struct ks_client_id *id,
                               const char name[static KS_TEXT_FIELD_SIZE], struct ks_user_entry **entry)
{
    enum ks_result result =
        ks_users_add_new(engine->users, id, name, strnlen(name, KS_TEXT_FIELD_SIZE), entry);
    if (result == KS_OK)
        (*entry)->since = ks_clock_steady_seconds(engine->clock);
    return result;
}

enum ks_result ks_newcomer_insert(struct ks_engine *engine, struct ks_user_entry *entry, const char *skeleton,
                                  const uint8_t *public_key)
{
    const int64_t now = ks_clock_wall_seconds(engine->clock);
    char last_seen[KS_CLOCK_TEXT_SIZE];
    ks_clock_format_utc(now, last_seen);
    struct ks_query query = ks_database_writer_query(&engine->writer, KS_STATEMENT_INSERT_CLIENT);
    ks_query_blob(&query, entry->id.bytes, sizeof entry->id.bytes);
    ks_query_text(&query, entry->name, entry->name_size);
    if (public_key != NULL)
        ks_query_blob(&query, public_key, KS_PUBLIC_KEY_SIZE);
    else
        ks_query_null(&query);
    ks_query_text(&query, last_seen, sizeof last_seen - 1);
    ks_query_integer(&query, now);
    ks_query_integer(&query, ks_age_to_stored(&engine->age, entry->since));
    ks_query_text(&query, skeleton, strlen(skeleton));
    enum ks_result result = ks_database_writer_check(&engine->writer, ks_query_run(&query));
    if (result == KS_OK)
        entry->number = sqlite3_last_insert_rowid(engine->writer.database);
    return result;
}
