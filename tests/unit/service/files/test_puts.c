/* test_puts.c — own files that come in pieces (3013 to 3015): what is kept, and what breaks off and goes on.
 */
#include "unit/service/files/puts_fixture.h"

#include "service/core/store_door.h"

/* ---- what is kept ---- */

static void a_file_is_put(void **state)
{
    struct gate *gate = *state;
    ask_open(gate, 0, "dir/a", PUT_ID, NO_FLAGS, SIZE);
    assert_opened(gate, 0, 0, false);
    ask_piece(gate, 0, 0, SIZE);
    assert_position(gate, 0, SIZE);
    assert_null(kept(gate, "dir/a"));
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_put(gate, 0, NO_FLAGS);
    assert_kept(gate, "dir/a", SIZE);
    assert_true(logged(gate, "kept \"dir/a\""));
    assert_int_equal(atomic_load(&gate->loops[0].contents.used), 0);
}

static void an_empty_file_has_no_pieces(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_put(&bytes, "a", PUT_ID, NO_FLAGS, 0);
    send_all(gate, 0, &bytes, 0);
    assert_opened(gate, 0, 0, false);
    assert_put(gate, 0, NO_FLAGS);
    assert_kept(gate, "a", 0);
}

static void pieces_may_be_split_anywhere(void **state)
{
    struct gate *gate = *state;
    enum { SMALL = 40 };
    for (size_t split = 1; split < SMALL; split++)
        for (size_t step = 0; step < 3; step++) {
            struct ks_buffer bytes = ks_buffer_empty(0);
            add_open(&bytes, "a", PUT_ID, KS_PUT_REPLACE | KS_PUT_ANEW, SMALL);
            add_piece(&bytes, 0, split);
            add_piece(&bytes, split, SMALL);
            add_end(&bytes, cksum_of_first(SMALL));
            send_all(gate, 0, &bytes, step);
            assert_opened(gate, 0, 0, false);
            assert_position(gate, 0, split);
            assert_position(gate, 0, SMALL);
            assert_put(gate, 0, split == 1 && step == 0 ? NO_FLAGS : KS_PUT_REPLACED);
            assert_kept(gate, "a", SMALL);
        }
}

static void a_large_file_comes_in_many_pieces(void **state)
{
    struct gate *gate = *state;
    enum { LARGE = 3 * 1024 * 1024 + 17, PIECE = 300001 };
    for (unsigned later = 0; later < 2; later++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        gate->store.later = later == 1;
        add_open(&bytes, "a", PUT_ID, KS_PUT_REPLACE | KS_PUT_ANEW, LARGE);
        for (size_t offset = 0; offset < LARGE; offset += PIECE)
            add_piece(&bytes, offset, offset + PIECE < LARGE ? offset + PIECE : LARGE);
        add_end(&bytes, cksum_of_first(LARGE));
        send_all(gate, 0, &bytes, 65536);
        assert_opened(gate, 0, 0, false);
        for (size_t offset = PIECE; offset < LARGE; offset += PIECE)
            assert_position(gate, 0, offset);
        assert_position(gate, 0, LARGE);
        assert_put(gate, 0, later == 1 ? KS_PUT_REPLACED : NO_FLAGS);
        assert_kept(gate, "a", LARGE);
        assert_int_equal(atomic_load(&gate->loops[0].contents.used), 0);
    }
}

static void the_largest_piece_is_taken(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", KS_FILE_PIECE_LIMIT, KS_FILE_PIECE_LIMIT);
    ask_end(gate, 0, cksum_of_first(KS_FILE_PIECE_LIMIT));
    assert_put(gate, 0, NO_FLAGS);
    assert_kept(gate, "a", KS_FILE_PIECE_LIMIT);
}

static void ends_of_puts_do_not_wait_for_each_other(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    char name[16];
    gate->store.later_ends = true;
    keep(gate, "gone", 5, true);
    for (unsigned i = 0; i < 64; i++) {
        snprintf(name, sizeof name, "f%u", i);
        add_put(&bytes, name, (uint8_t)(i + 1), KS_PUT_ANEW, i);
    }
    add_name(&bytes, KS_REQUEST_REMOVE_FILE, "gone");
    fake_connection_send_only(&gate->peers[0], bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_opened(gate, 0, 0, false); /* of the first, whose end is on its way */
    assert_hears_nothing(gate, 0);
    assert_kept(gate, "f63", 63);
    assert_null(kept(gate, "gone"));
    gate_run(gate);
    for (unsigned i = 0; i < 64; i++) {
        if (i > 0)
            assert_opened(gate, 0, 0, false);
        if (i > 0)
            assert_position(gate, 0, i);
        assert_put(gate, 0, NO_FLAGS);
    }
    hear_code(gate, 0, KS_RESPONSE_FILE_REMOVED, 0);
    assert_hears_nothing(gate, 0);
}

static void what_is_kept_already_is_not_sent_again(void **state)
{
    struct gate *gate = *state;
    keep(gate, "a", SIZE, false);
    ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
    assert_opened(gate, 0, SIZE, true);
    ask_end(gate, 0, cksum_of_first(SIZE));
    assert_put(gate, 0, KS_PUT_WAS_KEPT);
    assert_int_equal(gate->store.file_count, 1);
    ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
    assert_opened(gate, 0, SIZE, true);
    ask_end(gate, 0, cksum_of_first(SIZE) + 1);
    assert_refused(gate, 0, KS_REFUSAL_CKSUM);
    assert_kept(gate, "a", SIZE);
}

static void another_file_is_replaced_by_who_wants_that(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    keep(gate, "a", 10, true);
    ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
    assert_refused(gate, 0, KS_REFUSAL_FILE_EXISTS);
    ask_open(gate, 0, "a", PUT_ID, KS_PUT_ANEW, 10);
    assert_refused(gate, 0, KS_REFUSAL_FILE_EXISTS);
    add_put(&bytes, "a", PUT_ID, KS_PUT_REPLACE, SIZE);
    send_all(gate, 0, &bytes, 0);
    assert_opened(gate, 0, 0, false);
    assert_position(gate, 0, SIZE);
    assert_put(gate, 0, KS_PUT_REPLACED);
    assert_kept(gate, "a", SIZE);
}

/* ---- what breaks off and goes on ---- */

static void a_put_that_is_cut_anywhere_goes_on(void **state)
{
    struct gate *gate = *state;
    enum { SMALL = 60, SPLIT = 25 };
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_open(&bytes, "a", PUT_ID, NO_FLAGS, SMALL);
    size_t head = bytes.size + KS_REQUEST_HEADER_SIZE;
    add_piece(&bytes, 0, SPLIT);
    add_piece(&bytes, SPLIT, SMALL);
    size_t before_end = bytes.size;
    for (size_t cut = 1; cut <= before_end; cut++) {
        gate->store.later = cut % 2 == 1;
        join(gate, 1);
        fake_connection_send(&gate->peers[1], bytes.bytes, cut, 0);
        gate_close(gate, 1);
        gate->store.later = false;
        size_t came = cut <= head ? 0 : cut - head;
        if (came > SPLIT)
            came = came > SPLIT + KS_REQUEST_HEADER_SIZE ? came - KS_REQUEST_HEADER_SIZE : SPLIT;
        assert_int_equal(gate->store.open_stages, 0);
        assert_goes_on(gate, 0, "a", came, SMALL);
        ask_name(gate, 0, KS_REQUEST_REMOVE_FILE, "a");
        assert_told(gate, 0, KS_RESPONSE_FILE_REMOVED);
    }
    ks_buffer_free(&bytes);
}

static void a_peer_that_ends_its_side_in_the_middle_leaves_what_it_sent(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    join(gate, 1);
    add_open(&bytes, "a", PUT_ID, NO_FLAGS, SIZE);
    add_piece(&bytes, 0, SIZE);
    bytes.size -= 400;
    send_all(gate, 1, &bytes, 0);
    fake_connection_end(&gate->peers[1]);
    gate_run(gate);
    assert_int_equal(gate->store.open_stages, 0);
    assert_goes_on(gate, 0, "a", SIZE - 400, SIZE);
}

static void another_put_parks_the_one_that_is_open(void **state)
{
    struct gate *gate = *state;
    begin_put(gate, 0, "a", 300, SIZE);
    ask_open(gate, 0, "b", OTHER_PUT_ID, NO_FLAGS, 7);
    assert_opened(gate, 0, 0, false);
    assert_int_equal(gate->store.open_stages, 1);
    ask_piece(gate, 0, 0, 7);
    assert_position(gate, 0, 7);
    ask_end(gate, 0, cksum_of_first(7));
    assert_put(gate, 0, NO_FLAGS);
    assert_kept(gate, "b", 7);
    assert_goes_on(gate, 0, "a", 300, SIZE);
}

static void a_put_that_is_refused_parks_the_one_that_is_open(void **state)
{
    struct gate *gate = *state;
    static const struct {
        const char *payload;
        size_t size;
    } wrong[] = {{"", 0}, {"0123456789abcdef\4\0\0\0\0\0\0\0\0\1\0b", 28}, {"0123456789abcdef", 16}};
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, SIZE);
        assert_opened(gate, 0, i == 0 ? 0 : 300, false);
        if (i == 0) {
            ask_piece(gate, 0, 0, 300);
            assert_position(gate, 0, 300);
        }
        add(&bytes, KS_REQUEST_PUT_FILE, wrong[i].payload, wrong[i].size);
        add_piece(&bytes, 300, SIZE); /* is for that one, not for the first */
        add_end(&bytes, cksum_of_first(SIZE));
        send_all(gate, 0, &bytes, 0);
        assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_refused(gate, 0, KS_REFUSAL_NO_PUT);
        assert_int_equal(gate->store.open_stages, 0);
    }
    assert_null(kept(gate, "a"));
    assert_goes_on(gate, 0, "a", 300, SIZE);
}

static void whoever_goes_to_talk_leaves_the_put_parked(void **state)
{
    struct gate *gate = *state;
    join(gate, 1);
    begin_put(gate, 0, "a", 300, SIZE);
    ask(gate, 0, KS_REQUEST_TALK, NULL, 0);
    assert_told(gate, 0, KS_RESPONSE_TALK);
    assert_int_equal(gate->store.open_stages, 0);
    assert_goes_on(gate, 1, "a", 300, SIZE);
}

static struct sent prepare_put(struct gate *gate)
{
    struct ks_buffer bytes = ks_buffer_empty(0);
    struct sent sent;
    if (gate->peers[0].loop != NULL)
        gate_close(gate, 0);
    join(gate, 0);
    add_put(&bytes, "a", PUT_ID, KS_PUT_REPLACE, SIZE);
    assert_in_range(bytes.size, 1, sizeof sent.bytes);
    memcpy(sent.bytes, bytes.bytes, bytes.size);
    sent.size = bytes.size;
    ks_buffer_free(&bytes);
    return sent;
}

/* Whatever came is parked, or kept: nothing is open, and nothing lost. */
static void judge_put(struct gate *gate)
{
    assert_int_equal(gate->store.open_stages, 0);
    assert_int_equal(atomic_load(&gate->loops[0].contents.used), 0);
}

static void a_stage_is_given_back_whenever_the_connection_goes(void **state)
{
    gate_cut_at_every_step(*state, prepare_put, judge_put);
}

/* ---- where chunks end ---- */

/* A store that notes where what it was given ends. */
struct noting_store {
    struct ks_store_operations operations;
    void (*write)(struct ks_store *store, struct ks_store_stage_write *request);
    uint64_t position;
    unsigned odd; /* chunks that end within a page of the disk, but for the last one */
    unsigned count;
    size_t largest;
};

static struct noting_store noting;

static void note_write(struct ks_store *store, struct ks_store_stage_write *request)
{
    noting.position += request->size;
    noting.odd += noting.position % 4096 != 0 && !request->last;
    noting.count++;
    if (request->size > noting.largest)
        noting.largest = request->size;
    noting.write(store, request);
}

static void note_writes(struct gate *gate, uint64_t position)
{
    noting = (struct noting_store){.operations = *gate->store.store.operations, .position = position};
    noting.write = noting.operations.stage_write;
    noting.operations.stage_write = note_write;
    gate->store.store.operations = &noting.operations;
}

static void a_put_that_goes_on_comes_to_the_disk_in_whole_pages(void **state)
{
    struct gate *gate = *state;
    enum { LARGE = 1000000, PIECE = 77777 };
    static const size_t starts[] = {1, 4095, 4096, 5000, 12345};
    for (size_t i = 0; i < KS_COUNT_OF(starts); i++) {
        struct ks_buffer bytes = ks_buffer_empty(0);
        begin_put(gate, 0, "a", starts[i], LARGE);
        ask_open(gate, 0, "a", PUT_ID, NO_FLAGS, LARGE);
        assert_opened(gate, 0, starts[i], false);
        const struct ks_store_operations *before = gate->store.store.operations;
        note_writes(gate, starts[i]);
        for (size_t offset = starts[i]; offset < LARGE; offset += PIECE)
            add_piece(&bytes, offset, offset + PIECE < LARGE ? offset + PIECE : LARGE);
        send_all(gate, 0, &bytes, 1000);
        for (size_t offset = starts[i] + PIECE; offset < LARGE; offset += PIECE)
            assert_position(gate, 0, offset);
        assert_position(gate, 0, LARGE);
        gate->store.store.operations = before;
        assert_int_equal(noting.position, LARGE);
        assert_int_equal(noting.odd, 0);
        assert_in_range(noting.count, 3, LARGE / (16 * 1024) + 5);
        ask_end(gate, 0, cksum_of_first(LARGE) + 1);
        assert_refused(gate, 0, KS_REFUSAL_CKSUM);
    }
}

/* ---- the server stops ---- */

static void a_store_that_is_closed_is_asked_nothing_more(void **state)
{
    struct gate *gate = *state;
    struct ks_store_door door = {.is_closed = false};
    gate->environment.store_door = &door;
    begin_put(gate, 0, "a", 300, SIZE);
    assert_true(ks_store_door_close(&door));
    gate_close(gate, 0);
    assert_int_equal(gate->store.open_stages, 1);
    assert_int_equal(parked(gate), 0);
    fake_store_sweep(&gate->store); /* it is the store's own */
}

static void nobody_closes_the_store_while_it_is_asked(void **state)
{
    struct ks_store_door door = {.is_closed = false};
    (void)state;
    assert_true(ks_store_door_enter(&door));
    assert_false(ks_store_door_close(&door));
    assert_false(ks_store_door_enter(&door));
    assert_false(ks_store_door_close(&door));
    ks_store_door_leave(&door);
    assert_true(ks_store_door_close(&door));
}

/* ---- what is told ---- */

static void an_account_is_told_what_it_has_on_its_way(void **state)
{
    struct gate *gate = *state;
    const uint8_t *list = nothing_heard;
    size_t size = 0;
    begin_put(gate, 0, "a", 300, SIZE);
    join(gate, 1);
    begin_put_of(gate, 1, "b", OTHER_PUT_ID, SIZE);
    gate_close(gate, 1);
    ask(gate, 0, KS_REQUEST_MY_ACCOUNT, NULL, 0);
    assert_int_equal(hear(gate, 0, &list, &size), KS_RESPONSE_MY_ACCOUNT);
    assert_int_equal(number_of(list, size, KS_ACCOUNT_ENTRY_PUTS), 2);
    assert_in_range(number_of(list, size, KS_ACCOUNT_ENTRY_PUT_BYTES), SIZE, SIZE + 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(a_file_is_put),
        FILES_TEST(an_empty_file_has_no_pieces),
        FILES_TEST(pieces_may_be_split_anywhere),
        FILES_TEST(a_large_file_comes_in_many_pieces),
        FILES_TEST(the_largest_piece_is_taken),
        FILES_TEST(ends_of_puts_do_not_wait_for_each_other),
        FILES_TEST(what_is_kept_already_is_not_sent_again),
        FILES_TEST(another_file_is_replaced_by_who_wants_that),
        FILES_TEST(a_put_that_is_cut_anywhere_goes_on),
        FILES_TEST(a_peer_that_ends_its_side_in_the_middle_leaves_what_it_sent),
        FILES_TEST(another_put_parks_the_one_that_is_open),
        FILES_TEST(a_put_that_is_refused_parks_the_one_that_is_open),
        FILES_TEST(whoever_goes_to_talk_leaves_the_put_parked),
        FILES_TEST(a_stage_is_given_back_whenever_the_connection_goes),
        FILES_TEST(a_put_that_goes_on_comes_to_the_disk_in_whole_pages),
        FILES_TEST(a_store_that_is_closed_is_asked_nothing_more),
        FILES_TEST(nobody_closes_the_store_while_it_is_asked),
        FILES_TEST(an_account_is_told_what_it_has_on_its_way),
    };
    return cmocka_run_group_tests_name("puts", tests, NULL, NULL);
}
