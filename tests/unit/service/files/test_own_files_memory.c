/* test_own_files_memory.c — own files without memory: each scenario runs again and again, and in the n-th run
 * the n-th allocation fails. Whoever is not answered is cut off, or told of trouble; what is said to be kept,
 * is; nothing leaks, and no stage and no file stays open.
 */
#include "unit/service/files/own_files_fixture.h"

#include "unit/base/failing_memory.h"

enum { SIZE = 300000, PIECE = 150000 };

static bool is_there(const struct gate *gate)
{
    const struct fake_connection *peer = &gate->peers[0];
    return peer->open && !peer->aborted && !peer->finished;
}

/* What is heard until nothing is left: the last code, and its payload. -1 for none. */
static int hear_last(struct gate *gate, const uint8_t **last, size_t *last_size)
{
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    int code = -1;
    int heard = 0;
    while (gate->read[0] < gate->peers[0].output.size && (heard = hear(gate, 0, &payload, &size)) != -1) {
        code = heard;
        *last = payload;
        *last_size = size;
    }
    return code;
}

/* Sends with failing memory; returns the last code that is heard. A refusal is one for trouble, or one of the
 * pieces behind it. */
static int try_all(struct gate *gate, struct ks_buffer *bytes, size_t *nth)
{
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    if (is_there(gate)) {
        allocations_until_failure = *nth;
        fake_connection_send(&gate->peers[0], bytes->bytes, bytes->size, 100000);
        gate_run(gate);
        *nth = allocations_until_failure;
        allocations_until_failure = 0;
    }
    ks_buffer_free(bytes);
    *bytes = ks_buffer_empty(0);
    int code = hear_last(gate, &payload, &size);
    if (code == KS_RESPONSE_REFUSED)
        assert_true(payload[0] == KS_REFUSAL_TROUBLE || payload[0] == KS_REFUSAL_NO_PUT);
    if (code == -1)
        assert_false(is_there(gate));
    return code;
}

static void run_put(struct gate *gate, size_t nth)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_open(&bytes, "a", 1, NO_FLAGS, SIZE);
    int code = try_all(gate, &bytes, &nth);
    if (code != KS_RESPONSE_PUT_OPEN)
        return;
    add_piece(&bytes, 0, PIECE);
    add_piece(&bytes, PIECE, SIZE);
    add_end(&bytes, cksum_of_first(SIZE));
    if (try_all(gate, &bytes, &nth) == KS_RESPONSE_PUT_END)
        assert_kept(gate, "a", SIZE);
    else
        assert_null(kept(gate, "a"));
}

static void run_others(struct gate *gate, size_t nth)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    keep(gate, "a", SIZE, true);
    add_name(&bytes, KS_REQUEST_LIST_FILES, "");
    int code = try_all(gate, &bytes, &nth);
    assert_true(code == KS_RESPONSE_FILES || code == KS_RESPONSE_REFUSED || code == -1);
    add_get(&bytes, "a", 0, 0, UINT64_MAX);
    code = try_all(gate, &bytes, &nth);
    if (is_there(gate)) /* an answer that cannot go on ends the connection */
        assert_true(code == KS_RESPONSE_FILE_END || code == KS_RESPONSE_REFUSED);
    add_name(&bytes, KS_REQUEST_FILE_DIGEST, "a");
    code = try_all(gate, &bytes, &nth);
    assert_true(code == KS_RESPONSE_FILE_DIGEST || code == KS_RESPONSE_REFUSED || code == -1);
    add_name(&bytes, KS_REQUEST_REMOVE_FILE, "a");
    code = try_all(gate, &bytes, &nth);
    assert_int_equal(code == KS_RESPONSE_FILE_REMOVED, kept(gate, "a") == NULL);
}

static void run_all(void (*run)(struct gate *gate, size_t nth), size_t least)
{
    size_t nth = 1;
    for (failed = true; failed && nth < 1000; nth++) {
        void *fresh = NULL;
        files_set_up(&fresh);
        failed = false;
        run(fresh, nth);
        files_tear_down(&fresh);
    }
    assert_in_range(nth, least, 999);
}

static void a_file_is_put_as_far_as_memory_allows(void **state)
{
    (void)state;
    run_all(run_put, 10);
}

static void files_are_listed_got_and_removed_as_far_as_memory_allows(void **state)
{
    (void)state;
    run_all(run_others, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_put_as_far_as_memory_allows),
        cmocka_unit_test(files_are_listed_got_and_removed_as_far_as_memory_allows),
    };
    return cmocka_run_group_tests_name("own_files_memory", tests, NULL, NULL);
}
