/* operators_fixture.h — what the tests of operators' requests share: files of users in one line, and asking
 * for details and removals.
 */
#ifndef KS_TESTS_UNIT_STORE_OPERATORS_FIXTURE_H
#define KS_TESTS_UNIT_STORE_OPERATORS_FIXTURE_H

#include "unit/store/messages_fixture.h"

#include "store/embedded/vault/vault_internal.h"

#include <signal.h>

/* How many files of the user there are; 0 without its directory, too. */
static inline int files_of(const struct house *house, const struct ks_client_id *id)
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    return fixture_count_entries(house->directory, fixture_directory_of(id, directory));
}

static inline bool has_directory(const struct house *house, const struct ks_client_id *id)
{
    char directory[KS_NAMES_DIRECTORY_SIZE];
    char path[256];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", house->directory, fixture_directory_of(id, directory));
    return stat(path, &status) == 0;
}

static inline enum ks_result open_stage(struct house *house, const struct ks_client_id *id, const char *name,
                                        struct ks_stage **stage)
{
    struct ks_store_stage_open opening = {.request = fixture_request(&house->waiter), .id = *id};
    snprintf(opening.file_name, sizeof opening.file_name, "%s", name);
    ks_store_stage_open(house->store, &opening);
    enum ks_result result = fixture_wait(&house->waiter, &opening.request);
    *stage = opening.stage;
    return result;
}

static inline enum ks_result write_chunk(struct house *house, struct ks_stage *stage, const char *text,
                                         bool last)
{
    char bytes[256];
    memcpy(bytes, text, strlen(text));
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = stage,
                                           .bytes = (uint8_t *)bytes,
                                           .size = strlen(text),
                                           .last = last};
    ks_store_stage_write(house->store, &writing);
    return fixture_wait(&house->waiter, &writing.request);
}

static inline enum ks_result confirm_stage(struct house *house, struct ks_stage *stage)
{
    struct ks_store_confirm request = {.request = fixture_request(&house->waiter), .stage = stage};
    ks_store_confirm(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static inline enum ks_result open_declared(struct house *house, const struct ks_client_id *id,
                                           const char *name, uint64_t size, struct ks_stage **stage)
{
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = *id, .content_size = size};
    snprintf(opening.file_name, sizeof opening.file_name, "%s", name);
    ks_store_stage_open(house->store, &opening);
    enum ks_result result = fixture_wait(&house->waiter, &opening.request);
    *stage = opening.stage;
    return result;
}

static inline enum ks_result try_declared(struct house *house, const struct ks_client_id *id,
                                          const char *name, uint64_t size)
{
    struct ks_stage *stage = NULL;
    enum ks_result result = open_declared(house, id, name, size, &stage);
    struct ks_store_request discard = fixture_request(&house->waiter);
    if (result != KS_OK) {
        assert_null(stage);
        return result;
    }
    ks_store_discard(house->store, stage, &discard);
    assert_int_equal(fixture_wait(&house->waiter, &discard), KS_OK);
    return KS_OK;
}

/* A complete upload whose size nobody has declared. */
static inline struct ks_stage *stage_file(struct house *house, const struct ks_client_id *id,
                                          const char *name, const char *text)
{
    struct ks_stage *stage = NULL;
    assert_int_equal(open_stage(house, id, name, &stage), KS_OK);
    assert_int_equal(write_chunk(house, stage, text, true), KS_OK);
    return stage;
}

/* A verified file. */
static inline void keep_file(struct house *house, const struct ks_client_id *id, const char *name,
                             const char *text)
{
    struct ks_stage *stage = NULL;
    assert_int_equal(open_stage(house, id, name, &stage), KS_OK);
    assert_int_equal(write_chunk(house, stage, text, true), KS_OK);
    assert_int_equal(confirm_stage(house, stage), KS_OK);
}

static inline enum ks_result describe(struct house *house, const char *name, struct ks_user_details *details,
                                      uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    struct ks_store_describe_user request = {.request = fixture_request(&house->waiter)};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_describe_user(house->store, &request);
    enum ks_result result = fixture_wait(&house->waiter, &request.request);
    *details = request.details;
    memcpy(public_key, request.public_key, KS_PUBLIC_KEY_SIZE);
    return result;
}

static inline size_t describe_page(struct house *house, uint64_t *cursor, struct ks_user_details *page,
                                   size_t limit)
{
    struct ks_store_describe_users request = {
        .request = fixture_request(&house->waiter), .cursor = *cursor, .details = page, .limit = limit};
    ks_store_describe_users(house->store, &request);
    assert_int_equal(fixture_wait(&house->waiter, &request.request), KS_OK);
    *cursor = request.cursor;
    return request.count;
}

static inline enum ks_result reset_key(struct house *house, const char *name)
{
    struct ks_store_reset_key request = {.request = fixture_request(&house->waiter)};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_reset_key(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

static inline enum ks_result remove_user(struct house *house, const char *name)
{
    struct ks_store_remove_user request = {.request = fixture_request(&house->waiter)};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_remove_user(house->store, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* The removal waits at the writer, which must be held, and whoever is asked now comes behind it. */
static inline void begin_removal(struct house *house, struct ks_store_remove_user *request)
{
    struct ks_vault *vault = ks_engine_of(house->store)->vault;
    ks_store_remove_user(house->store, request);
    for (unsigned i = 0; i < vault->thread_count; i++)
        fixture_call_on(ks_thread_executor(vault->threads[i].thread), NULL, NULL);
}

#endif
