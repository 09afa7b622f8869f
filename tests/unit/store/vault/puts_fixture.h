/* puts_fixture.h — own files that are put into the vault of vault_fixture.h, in one line each. */
#ifndef KS_TESTS_UNIT_STORE_VAULT_PUTS_FIXTURE_H
#define KS_TESTS_UNIT_STORE_VAULT_PUTS_FIXTURE_H

#include "unit/store/vault/vault_fixture.h"

static inline uint32_t cksum_of_bytes(const void *bytes, size_t size)
{
    struct ks_cksum cksum = ks_cksum_start();
    ks_cksum_add(&cksum, bytes, size);
    return ks_cksum_value(&cksum);
}

static inline uint32_t cksum_of(const char *text)
{
    return cksum_of_bytes(text, strlen(text));
}

/* Its put id is made of the number. */
static inline struct ks_store_put_open put_request(struct house *house, uint8_t number, const char *name,
                                                   uint64_t size)
{
    struct ks_store_put_open request = {
        .request = fixture_request(&house->waiter), .id = somebody, .size = size};
    memset(request.put_id, number, sizeof request.put_id);
    snprintf(request.file_name, sizeof request.file_name, "%s", name);
    return request;
}

static inline enum ks_result ask_to_put(struct house *house, struct ks_store_put_open *request)
{
    ks_vault_put_open(house->vault, request);
    return fixture_wait(&house->waiter, &request->request);
}

/* Opens a put of which so much is there. */
static inline struct ks_stage *put_open(struct house *house, uint8_t number, const char *name, uint64_t size,
                                        const char *there)
{
    struct ks_store_put_open request = put_request(house, number, name, size);
    assert_int_equal(ask_to_put(house, &request), KS_OK);
    assert_false(request.is_kept);
    assert_int_equal(request.offset, strlen(there));
    assert_int_equal(request.cksum, cksum_of(there));
    return request.stage;
}

static inline struct ks_stage *put_kept(struct house *house, uint8_t number, const char *name,
                                        const char *text)
{
    struct ks_store_put_open request = put_request(house, number, name, strlen(text));
    assert_int_equal(ask_to_put(house, &request), KS_OK);
    assert_true(request.is_kept);
    assert_int_equal(request.offset, strlen(text));
    assert_int_equal(request.cksum, cksum_of(text));
    return request.stage;
}

static inline void put_park(struct house *house, struct ks_stage *stage)
{
    ks_vault_put_park(house->vault, stage);
}

/* A put of which so much came before it broke off. */
static inline void put_broken(struct house *house, uint8_t number, const char *name, uint64_t size,
                              const char *text)
{
    struct ks_stage *stage = put_open(house, number, name, size, "");
    assert_int_equal(stage_write(house, stage, text, false), KS_OK);
    put_park(house, stage);
}

static inline struct ks_store_confirm put_end_request(struct house *house, struct ks_stage *stage,
                                                      const char *text)
{
    return (struct ks_store_confirm){.request = fixture_request(&house->waiter),
                                     .stage = stage,
                                     .has_cksum = true,
                                     .cksum = cksum_of(text)};
}

static inline enum ks_result put_end(struct house *house, struct ks_stage *stage, const char *text)
{
    struct ks_store_confirm request = put_end_request(house, stage, text);
    ks_vault_confirm(house->vault, &request);
    return fixture_wait(&house->waiter, &request.request);
}

/* A file that was put whole. */
static inline void put_file(struct house *house, const char *name, const char *text)
{
    struct ks_store_put_open request = put_request(house, 200, name, strlen(text));
    request.replace = true;
    request.anew = true;
    assert_int_equal(ask_to_put(house, &request), KS_OK);
    assert_int_equal(stage_write(house, request.stage, text, false), KS_OK);
    assert_int_equal(put_end(house, request.stage, text), KS_OK);
}

/* What is on its way: how many, and how many bytes have come. */
static inline void assert_puts(struct house *house, uint64_t count, uint64_t bytes)
{
    uint64_t found = 0;
    uint64_t found_bytes = 0;
    ks_puts_sums(house->puts, &somebody, &found, &found_bytes);
    assert_int_equal(found, count);
    assert_int_equal(found_bytes, bytes);
}

/* The path of what has come of a put; until the next call. */
static inline const char *put_path(const struct house *house, uint8_t number)
{
    char name[sizeof "staging/" + KS_NAMES_PUT_SIZE] = "staging/";
    uint8_t put_id[KS_PUT_ID_SIZE];
    memset(put_id, number, sizeof put_id);
    ks_names_put(fixture_aliases, &somebody, put_id, name + sizeof "staging/" - 1);
    return in_house(house, name);
}

/* Everything that was asked of the stage threads has run. */
static inline void house_settle(struct house *house)
{
    for (unsigned i = 0; i < house->vault->thread_count; i++)
        ks_thread_reach(house->vault->threads[i].thread);
}

/* ---- threads that are kept busy ---- */

/* From when it says so until it is told to go on. */
struct gate {
    sem_t begun;
    sem_t open;
    struct fixture_call busy;
};

static inline void wait_at_gate(void *context)
{
    struct gate *gate = context;
    sem_post(&gate->begun);
    fixture_hold(&gate->open);
}

static inline void gate_close(struct gate *gate, struct ks_thread *thread)
{
    *gate = (struct gate){.busy = {.task.run = fixture_call_run, .function = wait_at_gate, .context = gate}};
    assert_int_equal(sem_init(&gate->begun, 0, 0), 0);
    assert_int_equal(sem_init(&gate->open, 0, 0), 0);
    assert_int_equal(sem_init(&gate->busy.done, 0, 0), 0);
    ks_executor_post(ks_thread_executor(thread), &gate->busy.task);
    fixture_hold(&gate->begun);
}

static inline void gate_open(struct gate *gate)
{
    sem_post(&gate->open);
    fixture_hold(&gate->busy.done);
}

#endif
