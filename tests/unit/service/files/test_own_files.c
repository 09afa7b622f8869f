/* test_own_files.c — own files over the secure port: the list, what is got of them, removals and digests. */
#include "unit/service/files/own_files_fixture.h"

#include "crypto/digest.h"
#include "service/core/store_door.h"

/* ---- the list ---- */

/* Hears a 4010 whose names follow `*next`, as file_name makes them. Returns whether others follow. */
static void file_name(unsigned number, char name[static 16])
{
    snprintf(name, 16, "f%05u", number);
}

static bool hear_list(struct gate *gate, unsigned *next, unsigned count)
{
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    size_t offset = 1;
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_FILES);
    for (unsigned i = 0; i < count; i++) {
        struct ks_file_facts facts;
        struct ks_wire_text name;
        char expected[16];
        file_name(*next, expected);
        assert_int_equal(ks_file_entry_next(payload, size, &offset, &facts, &name), KS_OK);
        assert_int_equal(name.size, strlen(expected));
        assert_memory_equal(name.bytes, expected, name.size);
        assert_int_equal(facts.size, *next);
        assert_int_equal(facts.has_cksum, *next % 2 == 0);
        if (facts.has_cksum)
            assert_int_equal(facts.cksum, cksum_of_first(*next));
        ++*next;
    }
    assert_int_equal(offset, size);
    return payload[0] == 1;
}

static void files_are_listed_page_by_page_in_the_order_of_their_names(void **state)
{
    struct gate *gate = *state;
    unsigned next = 0;
    for (unsigned i = 300; i > 0; i--) {
        char name[16];
        file_name(i - 1, name);
        keep(gate, name, i - 1, (i - 1) % 2 == 0);
    }
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "");
    assert_true(hear_list(gate, &next, 128));
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "f00127");
    assert_true(hear_list(gate, &next, 128));
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "f00255");
    assert_false(hear_list(gate, &next, 44));
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "f00299");
    assert_false(hear_list(gate, &next, 0));
}

static void a_list_begins_behind_any_name(void **state)
{
    struct gate *gate = *state;
    unsigned next = 1;
    keep(gate, "f00000", 0, true);
    keep(gate, "f00001", 1, false);
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "f00000/../x");
    assert_false(hear_list(gate, &next, 1));
}

static void entries_of_the_longest_names_are_listed_whole(void **state)
{
    struct gate *gate = *state;
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    size_t offset = 1;
    char name[KS_TEXT_FIELD_SIZE];
    for (unsigned i = 0; i < 128; i++) {
        memset(name, 'a', sizeof name);
        snprintf(name + KS_FILE_NAME_LIMIT - 5, 6, "%05u", i);
        keep(gate, name, i, true);
    }
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "");
    assert_int_equal(hear(gate, 0, &payload, &size), KS_RESPONSE_FILES);
    assert_int_equal(size, 1 + 128 * KS_FILE_ENTRY_LIMIT);
    for (unsigned i = 0; i < 128; i++) {
        struct ks_file_facts facts;
        struct ks_wire_text text;
        assert_int_equal(ks_file_entry_next(payload, size, &offset, &facts, &text), KS_OK);
        assert_int_equal(facts.size, i);
        assert_int_equal(facts.cksum, cksum_of_first(i));
    }
}

static void a_list_that_the_store_cannot_give_is_refused(void **state)
{
    struct gate *gate = *state;
    gate->store.next_failure = KS_IO;
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "");
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE);
    gate->store.users[0].user.id.bytes[0] ^= 1; /* she was removed, and nobody has cut her yet */
    ask_name(gate, 0, KS_REQUEST_LIST_FILES, "");
    assert_refused(gate, 0, KS_REFUSAL_UNKNOWN_ACCOUNT);
    gate->store.users[0].user.id.bytes[0] ^= 1;
    ask(gate, 0, KS_REQUEST_LIST_FILES, "\1\0\0", 3); /* a NUL */
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_LIST_FILES, "\2\0a", 3); /* shorter than it says */
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
}

/* ---- get ---- */

static void files_of_all_sizes_are_got_whole(void **state)
{
    struct gate *gate = *state;
    static const size_t sizes[] = {0, 1, 64 * 1024, 256 * 1024 - 1, 262144, 262144 + 1, 2 * 262144, 700000};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        char name[16];
        file_name((unsigned)i, name);
        keep(gate, name, sizes[i], i % 2 == 0);
        ask_get(gate, 0, name, 0, 77, UINT64_MAX);
        const struct ks_got_file got = assert_got(gate, 0, 0, sizes[i]);
        assert_int_equal(got.facts.size, sizes[i]);
        assert_int_equal(got.facts.time, 1700000000000000000U);
        assert_int_equal(got.facts.has_cksum, i % 2 == 0);
        assert_content(gate, 0, 0, sizes[i]);
        assert_hears_nothing(gate, 0);
    }
}

static void a_get_goes_on_behind_what_the_client_has(void **state)
{
    struct gate *gate = *state;
    enum { SIZE = 300000 };
    static const size_t offsets[] = {1, 4096, 262144, SIZE - 1, SIZE};
    keep(gate, "a", SIZE, true);
    for (size_t i = 0; i < KS_COUNT_OF(offsets); i++) {
        ask_get(gate, 0, "a", offsets[i], cksum_of_first(offsets[i]), UINT64_MAX);
        assert_got(gate, 0, offsets[i], SIZE - offsets[i]);
        assert_content(gate, 0, offsets[i], SIZE - offsets[i]);
    }
}

static void a_get_begins_anew_where_the_client_has_something_else(void **state)
{
    struct gate *gate = *state;
    enum { SIZE = 1000 };
    keep(gate, "a", SIZE, false);
    ask_get(gate, 0, "a", 500, cksum_of_first(500) + 1, UINT64_MAX);
    assert_got(gate, 0, 0, SIZE);
    assert_content(gate, 0, 0, SIZE);
    ask_get(gate, 0, "a", SIZE + 1, cksum_of_first(SIZE), UINT64_MAX); /* more than there is */
    assert_got(gate, 0, 0, SIZE);
    assert_content(gate, 0, 0, SIZE);
    ask_get(gate, 0, "a", KS_FILE_LARGEST, 0, UINT64_MAX);
    assert_got(gate, 0, 0, SIZE);
    assert_content(gate, 0, 0, SIZE);
}

static void no_more_is_got_than_was_wanted(void **state)
{
    struct gate *gate = *state;
    keep(gate, "a", 300000, true);
    ask_get(gate, 0, "a", 0, 0, 0);
    assert_got(gate, 0, 0, 0);
    assert_content(gate, 0, 0, 0);
    ask_get(gate, 0, "a", 10, cksum_of_first(10), 270000);
    assert_got(gate, 0, 10, 270000);
    assert_content(gate, 0, 10, 270000);
}

static void what_cannot_be_got_is_refused_for_its_reason(void **state)
{
    struct gate *gate = *state;
    static const char *const names[] = {"", "/", "a//b", "../a", "a/.", "a\\b", "a\nb", "\x7f"};
    keep(gate, "damaged", 10, true)->is_damaged = true;
    ask_get(gate, 0, "nothing", 0, 0, 1);
    assert_refused(gate, 0, KS_REFUSAL_NO_FILE);
    ask_get(gate, 0, "damaged", 0, 0, 1);
    assert_refused(gate, 0, KS_REFUSAL_DAMAGED);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        ask_get(gate, 0, names[i], 0, 0, 1);
        assert_refused(gate, 0, KS_REFUSAL_FILE_NAME);
    }
    gate->store.next_failure = KS_TOO_LARGE; /* too many are open */
    ask_get(gate, 0, "a", 0, 0, 1);
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE);
    ask(gate, 0, KS_REQUEST_GET_FILE, "0123456789012345678901", 22); /* its text is longer than that */
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    ask(gate, 0, KS_REQUEST_GET_FILE, "", 0);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
    assert_hears_nothing(gate, 0);
}

/* The peer takes nothing more, so all that comes then is what the server prepares. */
static void stall(struct gate *gate, unsigned peer)
{
    gate->peers[peer].window = gate->peers[peer].taken;
}

static void let_flow(struct gate *gate, unsigned peer)
{
    gate->peers[peer].window = SIZE_MAX;
    gate_run(gate);
}

static void the_next_page_is_read_while_the_peer_takes_the_last(void **state)
{
    struct gate *gate = *state;
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    uint64_t position = 0;
    struct fake_file *file = keep(gate, "a", 1000000, true);
    stall(gate, 0);
    ask_get(gate, 0, "a", 0, 0, UINT64_MAX);
    assert_got(gate, 0, 0, 1000000);
    file->is_damaged = true;
    let_flow(gate, 0);
    assert_int_equal(hear_pieces(gate, 0, &position, &payload, &size), KS_RESPONSE_REFUSED);
    assert_int_equal(position, 2 * 262144); /* one is out, one was read */
    assert_int_equal(payload[0], KS_REFUSAL_DAMAGED);
}

static void trouble_in_the_middle_ends_the_answer_and_not_the_connection(void **state)
{
    struct gate *gate = *state;
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    uint64_t position = 0;
    keep(gate, "a", 1000000, true);
    stall(gate, 0);
    ask_get(gate, 0, "a", 0, 0, UINT64_MAX);
    assert_got(gate, 0, 0, 1000000);
    gate->store.next_failure = KS_IO;
    let_flow(gate, 0);
    assert_int_equal(hear_pieces(gate, 0, &position, &payload, &size), KS_RESPONSE_REFUSED);
    assert_int_equal(payload[0], KS_REFUSAL_TROUBLE);
    assert_true(logged(gate, "cannot give \"a\""));
    ask_get(gate, 0, "a", position, cksum_of_first((size_t)position), UINT64_MAX);
    assert_got(gate, 0, position, 1000000 - position);
    assert_content(gate, 0, position, 1000000 - position);
}

static void trouble_at_the_first_piece_ends_the_answer_too(void **state)
{
    struct gate *gate = *state;
    keep(gate, "a", 1000, true);
    gate->store.later = true;
    struct ks_buffer bytes = ks_buffer_empty(0);
    add_get(&bytes, "a", 0, 0, UINT64_MAX);
    fake_connection_send_only(&gate->peers[0], bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    gate->store.next_failure = KS_IO; /* of the read: the file is open, its answer on the way */
    gate_run(gate);
    assert_got(gate, 0, 0, 1000);
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE);
}

static void a_file_that_is_not_what_it_was_is_damaged(void **state)
{
    struct gate *gate = *state;
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    uint64_t position = 0;
    struct fake_file *file = keep(gate, "a", 1000, true);
    file->facts.cksum++;
    ask_get(gate, 0, "a", 0, 0, UINT64_MAX);
    assert_got(gate, 0, 0, 1000);
    assert_int_equal(hear_pieces(gate, 0, &position, &payload, &size), KS_RESPONSE_REFUSED);
    assert_int_equal(payload[0], KS_REFUSAL_DAMAGED);
    ask_get(gate, 0, "a", 0, 0, 999); /* of a part nobody can say */
    assert_got(gate, 0, 0, 999);
    assert_content(gate, 0, 0, 999);
    ask_get(gate, 0, "a", 1000, cksum_of_first(1000),
            UINT64_MAX); /* the client has all of it, but is it right? */
    assert_got(gate, 0, 1000, 0);
    assert_refused(gate, 0, KS_REFUSAL_DAMAGED);
}

static void a_file_that_becomes_shorter_is_damaged(void **state)
{
    struct gate *gate = *state;
    const uint8_t *payload = nothing_heard;
    size_t size = 0;
    uint64_t position = 0;
    struct fake_file *file = keep(gate, "a", 1000000, false);
    stall(gate, 0);
    ask_get(gate, 0, "a", 0, 0, UINT64_MAX);
    assert_got(gate, 0, 0, 1000000);
    file->content.size = 600000;
    let_flow(gate, 0);
    assert_int_equal(hear_pieces(gate, 0, &position, &payload, &size), KS_RESPONSE_REFUSED);
    assert_int_equal(payload[0], KS_REFUSAL_DAMAGED);
}

static void what_is_got_is_one_file_whatever_takes_its_place(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    join(gate, 1);
    keep(gate, "a", 1000000, true);
    stall(gate, 0);
    ask_get(gate, 0, "a", 0, 0, UINT64_MAX);
    ask_name(gate, 1, KS_REQUEST_REMOVE_FILE, "a");
    assert_told(gate, 1, KS_RESPONSE_FILE_REMOVED);
    add_put(&bytes, "a", 1, NO_FLAGS, 5);
    send_all(gate, 1, &bytes, 0);
    assert_kept(gate, "a", 5);
    let_flow(gate, 0);
    assert_got(gate, 0, 0, 1000000);
    assert_content(gate, 0, 0, 1000000);
}

static void a_peer_that_takes_nothing_is_cut_off_and_its_file_closed(void **state)
{
    struct gate *gate = *state;
    keep(gate, "a", 1000000, true);
    stall(gate, 0);
    ask_get(gate, 0, "a", 0, 0, UINT64_MAX);
    assert_int_equal(gate->store.open_files, 1);
    fake_connection_wait(&gate->peers[0], gate->environment.settings.stall_timeout_ms + 200);
    assert_true(gate->peers[0].aborted);
    gate_close(gate, 0);
    assert_int_equal(gate->store.open_files, 0);
}

static struct sent prepare_get(struct gate *gate)
{
    const struct ks_get_file get = {.length = UINT64_MAX, .name = text_of("a")};
    uint8_t payload[64];
    size_t size = 0;
    if (gate->store.file_count == 0)
        keep(gate, "a", 600000, true);
    if (gate->peers[0].loop != NULL)
        gate_close(gate, 0);
    join(gate, 0);
    assert_int_equal(ks_get_file_encode(&get, payload, sizeof payload, &size), KS_OK);
    return request(KS_REQUEST_GET_FILE, payload, size);
}

static void judge_files(struct gate *gate)
{
    assert_int_equal(gate->store.open_files, 0);
    assert_int_equal(gate->store.open_stages, 0);
}

static void a_file_is_closed_whenever_the_connection_goes(void **state)
{
    gate_cut_at_every_step(*state, prepare_get, judge_files);
}

static struct ks_stored_file *left_open;
static struct ks_store_operations opening_store;
static void (*open_it)(struct ks_store *store, struct ks_store_file_open *request);

static void note_open(struct ks_store *store, struct ks_store_file_open *request)
{
    open_it(store, request);
    left_open = request->file;
}

static void a_store_that_is_closed_closes_its_files_itself(void **state)
{
    struct gate *gate = *state;
    struct ks_store_door door = {.is_closed = false};
    struct ks_buffer bytes = ks_buffer_empty(0);
    keep(gate, "a", 1000, true);
    gate->environment.store_door = &door;
    opening_store = *gate->store.store.operations;
    open_it = opening_store.file_open;
    opening_store.file_open = note_open;
    gate->store.store.operations = &opening_store;
    gate->store.later = true;
    add_get(&bytes, "a", 0, 0, UINT64_MAX);
    fake_connection_send_only(&gate->peers[0], bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_true(ks_store_door_close(&door));
    gate_close(gate, 0); /* the file is open, and nobody is there any more */
    assert_int_equal(gate->store.open_files, 1);
    ks_store_file_close(&gate->store.store, left_open);
}

/* ---- removals ---- */

static void files_are_removed(void **state)
{
    struct gate *gate = *state;
    keep(gate, "dir/\"a\"", 10, true);
    ask_name(gate, 0, KS_REQUEST_REMOVE_FILE, "dir/\"a\"");
    hear_code(gate, 0, KS_RESPONSE_FILE_REMOVED, 0);
    assert_null(kept(gate, "dir/\"a\""));
    assert_true(logged(gate, "removed \"dir/\\x22a\\x22\""));
    ask_name(gate, 0, KS_REQUEST_REMOVE_FILE, "dir/\"a\"");
    assert_refused(gate, 0, KS_REFUSAL_NO_FILE);
    ask_name(gate, 0, KS_REQUEST_REMOVE_FILE, "");
    assert_refused(gate, 0, KS_REFUSAL_FILE_NAME);
    ask(gate, 0, KS_REQUEST_REMOVE_FILE, "\5\0a", 3);
    assert_refused(gate, 0, KS_REFUSAL_MALFORMED);
}

static void a_removal_that_fails_leaves_the_file(void **state)
{
    struct gate *gate = *state;
    keep(gate, "a", 10, true);
    gate->store.next_failure = KS_NO_SPACE;
    ask_name(gate, 0, KS_REQUEST_REMOVE_FILE, "a");
    assert_refused(gate, 0, KS_REFUSAL_NO_SPACE);
    assert_true(logged(gate, "cannot remove \"a\""));
    assert_kept(gate, "a", 10);
}

static void removals_do_not_wait_for_each_other_and_are_answered_in_order(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    keep(gate, "a", 10, true);
    keep(gate, "b", 10, true);
    gate->store.later_ends = true;
    add_name(&bytes, KS_REQUEST_REMOVE_FILE, "a");
    add_name(&bytes, KS_REQUEST_REMOVE_FILE, "nothing");
    add_name(&bytes, KS_REQUEST_REMOVE_FILE, "b");
    add_name(&bytes, KS_REQUEST_LIST_FILES, "");
    fake_connection_send_only(&gate->peers[0], bytes.bytes, bytes.size);
    ks_buffer_free(&bytes);
    assert_null(kept(gate, "a"));
    assert_null(kept(gate, "b"));
    assert_hears_nothing(gate, 0);
    gate_run(gate);
    hear_code(gate, 0, KS_RESPONSE_FILE_REMOVED, 0);
    assert_refused(gate, 0, KS_REFUSAL_NO_FILE);
    hear_code(gate, 0, KS_RESPONSE_FILE_REMOVED, 0);
    hear_code(gate, 0, KS_RESPONSE_FILES, 1); /* it has waited for all of them */
}

/* ---- digests ---- */

static void a_digest_is_waited_for_as_long_as_it_takes(void **state)
{
    struct gate *gate = *state;
    uint8_t expected[KS_FILE_SHA256_SIZE];
    uint8_t *bytes = content_of(10000);
    keep(gate, "a", 10000, true);
    assert_int_equal(ks_sha256(bytes, 10000, expected), KS_OK);
    free(bytes);
    gate->store.later = true;
    struct ks_buffer sent = ks_buffer_empty(0);
    add_name(&sent, KS_REQUEST_FILE_DIGEST, "a");
    fake_connection_send_only(&gate->peers[0], sent.bytes, sent.size);
    ks_buffer_free(&sent);
    gate->loops[0].time.monotonic_ms += 3600 * UINT64_C(1000);
    assert_int_equal(gate->peers[0].deadline_ms, 0);
    assert_false(gate->peers[0].idle);
    gate_run(gate);
    assert_memory_equal(hear_code(gate, 0, KS_RESPONSE_FILE_DIGEST, sizeof expected), expected,
                        sizeof expected);
}

static void what_has_no_digest_is_refused_for_its_reason(void **state)
{
    struct gate *gate = *state;
    ask_name(gate, 0, KS_REQUEST_FILE_DIGEST, "a");
    assert_refused(gate, 0, KS_REFUSAL_NO_FILE);
    ask_name(gate, 0, KS_REQUEST_FILE_DIGEST, "a/");
    assert_refused(gate, 0, KS_REFUSAL_FILE_NAME);
    keep(gate, "a", 10, true)->is_damaged = true;
    ask_name(gate, 0, KS_REQUEST_FILE_DIGEST, "a");
    assert_refused(gate, 0, KS_REFUSAL_DAMAGED);
    gate->store.next_failure = KS_REFUSED; /* too many wait */
    ask_name(gate, 0, KS_REQUEST_FILE_DIGEST, "a");
    assert_refused(gate, 0, KS_REFUSAL_TOO_MANY);
    gate->store.next_failure = KS_CLOSED; /* the server stops */
    ask_name(gate, 0, KS_REQUEST_FILE_DIGEST, "a");
    assert_refused(gate, 0, KS_REFUSAL_TROUBLE);
}

/* ---- strangers ---- */

static void strangers_may_ask_none_of_it(void **state)
{
    struct gate *gate = *state;
    static const uint8_t zeros[64];
    for (unsigned code = KS_REQUEST_LIST_FILES; code <= KS_REQUEST_FILE_DIGEST; code++) {
        gate_open(gate, 1);
        ask(gate, 1, (uint16_t)code, zeros, code == KS_REQUEST_PUT_END ? sizeof(uint32_t) : sizeof zeros);
        assert_refused(gate, 1, KS_REFUSAL_SIGN_IN_FIRST);
        assert_false(gate->peers[1].finished);
        gate_close(gate, 1);
    }
    assert_int_equal(gate->store.file_count, 0);
}

static void a_stranger_cannot_have_a_long_piece_skipped(void **state)
{
    struct gate *gate = *state;
    struct ks_buffer bytes = ks_buffer_empty(0);
    gate_open(gate, 1);
    add_piece(&bytes, 0, 1025);
    send_all(gate, 1, &bytes, 0);
    assert_refused(gate, 1, KS_REFUSAL_SIGN_IN_FIRST);
    assert_true(gate->peers[1].finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILES_TEST(files_are_listed_page_by_page_in_the_order_of_their_names),
        FILES_TEST(a_list_begins_behind_any_name),
        FILES_TEST(entries_of_the_longest_names_are_listed_whole),
        FILES_TEST(a_list_that_the_store_cannot_give_is_refused),
        FILES_TEST(files_of_all_sizes_are_got_whole),
        FILES_TEST(a_get_goes_on_behind_what_the_client_has),
        FILES_TEST(a_get_begins_anew_where_the_client_has_something_else),
        FILES_TEST(no_more_is_got_than_was_wanted),
        FILES_TEST(what_cannot_be_got_is_refused_for_its_reason),
        FILES_TEST(the_next_page_is_read_while_the_peer_takes_the_last),
        FILES_TEST(trouble_in_the_middle_ends_the_answer_and_not_the_connection),
        FILES_TEST(trouble_at_the_first_piece_ends_the_answer_too),
        FILES_TEST(a_file_that_is_not_what_it_was_is_damaged),
        FILES_TEST(a_file_that_becomes_shorter_is_damaged),
        FILES_TEST(what_is_got_is_one_file_whatever_takes_its_place),
        FILES_TEST(a_peer_that_takes_nothing_is_cut_off_and_its_file_closed),
        FILES_TEST(a_file_is_closed_whenever_the_connection_goes),
        FILES_TEST(a_store_that_is_closed_closes_its_files_itself),
        FILES_TEST(files_are_removed),
        FILES_TEST(a_removal_that_fails_leaves_the_file),
        FILES_TEST(removals_do_not_wait_for_each_other_and_are_answered_in_order),
        FILES_TEST(a_digest_is_waited_for_as_long_as_it_takes),
        FILES_TEST(what_has_no_digest_is_refused_for_its_reason),
        FILES_TEST(strangers_may_ask_none_of_it),
        FILES_TEST(a_stranger_cannot_have_a_long_piece_skipped),
    };
    return cmocka_run_group_tests_name("own_files", tests, NULL, NULL);
}
