/* contract_puts.c — own files on their way in: puts that break off and go on, and how they end. */
#include "unit/store/contract/contract_file_asking.h"

#define FIVE_GIB (UINT64_C(5) << 30)

/* ---- from the opening to the end ---- */

static void a_put_is_a_file_when_it_was_confirmed(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_put(me, &id, 1, "letter.txt", 8, "");
    assert_int_equal(write_chunk(me, stage, "dear ", false), KS_OK);
    assert_int_equal(write_chunk(me, stage, "all", false), KS_OK);
    assert_files(me, "alice", 0, 0);
    assert_int_equal(try_to_get(me, &id, "letter.txt"), KS_NOT_FOUND);
    assert_int_equal(end_put(me, stage, "dear all"), KS_OK);
    assert_content(me, &id, "letter.txt", "dear all");
    assert_files(me, "alice", 1, 8);
    struct ks_file_facts facts = facts_of(me, &id, "letter.txt");
    assert_true(facts.has_cksum && facts.time > 0);
}

static void an_empty_put_is_a_file(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    assert_int_equal(end_put(me, open_put(me, &id, 1, "empty", 0, ""), ""), KS_OK);
    assert_content(me, &id, "empty", "");
    assert_files(me, "alice", 1, 0);
}

static void an_end_may_be_asked_while_pieces_are_on_their_way(struct party *me)
{
    enum { PIECES = 20 };
    struct ks_client_id id = new_user(me, "alice");
    struct ks_store_stage_write pieces[PIECES];
    uint8_t bytes[PIECES];
    struct ks_stage *stage = open_put(me, &id, 1, "name", PIECES, "");
    for (unsigned i = 0; i < PIECES; i++) {
        bytes[i] = (uint8_t)('a' + i);
        pieces[i] = write_request(me, stage, &bytes[i], 1, false);
        ks_store_stage_write(me->store, &pieces[i]);
    }
    assert_int_equal(end_put(me, stage, "abcdefghijklmnopqrst"), KS_OK);
    for (unsigned i = 0; i < PIECES; i++)
        assert_int_equal(party_wait(me, &pieces[i].request), KS_OK);
    assert_content(me, &id, "name", "abcdefghijklmnopqrst");
}

static void a_put_of_an_unknown_user_is_not_opened(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    id.bytes[2] ^= 1;
    assert_int_equal(try_to_put(me, &id, 1, "name", 4, NULL), KS_NOT_FOUND);
}

static void a_discarded_put_is_forgotten(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 8, "");
    assert_int_equal(write_chunk(me, stage, "half", false), KS_OK);
    assert_int_equal(discard(me, stage), KS_OK);
    assert_puts(me, "alice", 0, 0);
    assert_int_equal(discard(me, open_put(me, &id, 1, "name", 8, "")), KS_OK);
}

static void puts_grow_beside_each_other(struct party *me)
{
    enum { PUTS = 8 };
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stages[PUTS];
    for (unsigned i = 0; i < PUTS; i++) {
        char name[] = {(char)('a' + i), '\0'};
        stages[i] = open_put(me, &id, (uint8_t)i, name, 10, "");
    }
    for (unsigned i = 0; i < PUTS; i++)
        assert_int_equal(write_chunk(me, stages[i], "first ", false), KS_OK);
    assert_puts(me, "alice", PUTS, (uint64_t)PUTS * 6);
    for (unsigned i = 0; i < PUTS; i++)
        assert_int_equal(write_chunk(me, stages[i], "last", false), KS_OK);
    for (unsigned i = 0; i < PUTS; i++)
        assert_int_equal(end_put(me, stages[i], "first last"), KS_OK);
    assert_names(me, &id, "", 100, "a b c d e f g h");
    assert_puts(me, "alice", 0, 0);
}

/* ---- breaking off, and going on ---- */

static void what_broke_off_goes_on_where_it_was(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "name", 13, "one ");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 13, "one ");
    assert_int_equal(write_chunk(me, stage, "two ", false), KS_OK);
    ks_store_put_park(me->store, stage);
    stage = open_put(me, &id, 1, "name", 13, "one two ");
    assert_int_equal(write_chunk(me, stage, "three", false), KS_OK);
    assert_int_equal(end_put(me, stage, "one two three"), KS_OK);
    assert_content(me, &id, "name", "one two three");
    assert_puts(me, "alice", 0, 0);
}

static void what_was_all_there_when_it_broke_off_only_ends(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "name", 4, "text");
    assert_int_equal(end_put(me, open_put(me, &id, 1, "name", 4, "text"), "text"), KS_OK);
    assert_content(me, &id, "name", "text");
}

static void a_put_may_break_off_while_pieces_are_on_their_way(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    uint8_t bytes[2][4] = {"one ", "two "};
    struct ks_store_stage_write pieces[2];
    struct ks_stage *stage = open_put(me, &id, 1, "name", 12, "");
    for (unsigned i = 0; i < 2; i++) {
        pieces[i] = write_request(me, stage, bytes[i], sizeof bytes[i], false);
        ks_store_stage_write(me->store, &pieces[i]);
    }
    ks_store_put_park(me->store, stage);
    stage = open_put(me, &id, 1, "name", 12, "one two ");
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(party_wait(me, &pieces[i].request), KS_OK);
    assert_int_equal(discard(me, stage), KS_OK);
}

static void what_broke_off_is_there_after_a_restart(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "parked", 8, "half");
    struct ks_stage *open = open_put(me, &id, 2, "open", 8, "");
    assert_int_equal(write_chunk(me, open, "hal", false), KS_OK);
    world_reopen(me);
    assert_puts(me, "alice", 2, 7);
    struct ks_stage *stage = open_put(me, &id, 1, "parked", 8, "half");
    assert_int_equal(write_chunk(me, stage, "half", false), KS_OK);
    assert_int_equal(end_put(me, stage, "halfhalf"), KS_OK);
    assert_content(me, &id, "parked", "halfhalf");
    stage = open_put(me, &id, 2, "open", 8, "hal");
    assert_int_equal(write_chunk(me, stage, "fhalf", false), KS_OK);
    assert_int_equal(end_put(me, stage, "halfhalf"), KS_OK);
}

static void anew_forgets_what_broke_off(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "name", 8, "half");
    struct ks_store_put_open request = put_request(me, &id, 1, "name", 8);
    request.anew = true;
    assert_int_equal(ask_to_put(me, &request), KS_OK);
    assert_int_equal(request.offset, 0);
    assert_int_equal(request.cksum, cksum_of_text(""));
    assert_int_equal(write_chunk(me, request.stage, "ab", false), KS_OK);
    ks_store_put_park(me->store, request.stage);
    assert_int_equal(discard(me, open_put(me, &id, 1, "name", 8, "ab")), KS_OK);
}

static void what_came_of_a_longer_content_is_forgotten(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "name", 8, "longer");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 5, "");
    assert_int_equal(write_chunk(me, stage, "short", false), KS_OK);
    assert_int_equal(end_put(me, stage, "short"), KS_OK);
    assert_content(me, &id, "name", "short");
    assert_puts(me, "alice", 0, 0);
}

static void a_put_id_that_is_open_is_closed(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_stage *stage = open_put(me, &alice, 1, "name", 8, "");
    assert_int_equal(write_chunk(me, stage, "half", false), KS_OK);
    assert_int_equal(try_to_put(me, &alice, 1, "name", 8, NULL), KS_CLOSED);
    struct ks_store_put_open request = put_request(me, &alice, 1, "another name", 8);
    request.anew = true;
    assert_int_equal(ask_to_put(me, &request), KS_CLOSED);
    assert_int_equal(try_to_put(me, &bob, 1, "name", 8, NULL), KS_OK);
    assert_int_equal(try_to_put(me, &alice, 2, "name", 8, NULL), KS_OK);
    assert_int_equal(write_chunk(me, stage, "half", false), KS_OK);
    assert_int_equal(end_put(me, stage, "halfhalf"), KS_OK);
    assert_int_equal(try_to_put(me, &alice, 1, "another name", 8, NULL), KS_OK);
}

static void what_broke_off_is_its_users_alone(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    park_put(me, &alice, 1, "name", 8, "half");
    assert_int_equal(discard(me, open_put(me, &bob, 1, "name", 8, "")), KS_OK);
    assert_int_equal(discard(me, open_put(me, &alice, 1, "name", 8, "half")), KS_OK);
}

/* ---- ends that are refused ---- */

static void a_wrong_cksum_leaves_nothing(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "name", "older");
    struct ks_stage *stage = open_replacing(me, &id, 1, "name", 4, "");
    assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
    assert_int_equal(end_put(me, stage, "tent"), KS_CRYPTO);
    assert_content(me, &id, "name", "older");
    assert_puts(me, "alice", 0, 0);
    assert_int_equal(discard(me, open_replacing(me, &id, 1, "name", 4, "")), KS_OK);
}

static void the_cksum_is_that_of_all_tries_together(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "name", 8, "half");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 8, "half");
    assert_int_equal(write_chunk(me, stage, "life", false), KS_OK);
    assert_int_equal(end_put(me, stage, "life"), KS_CRYPTO);
    assert_files(me, "alice", 0, 0);
}

static void an_incomplete_put_does_not_end_and_stays(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 8, "");
    assert_int_equal(write_chunk(me, stage, "half", true), KS_OK);
    assert_int_equal(end_put(me, stage, "half"), KS_INVALID);
    assert_files(me, "alice", 0, 0);
    stage = open_put(me, &id, 1, "name", 8, "half");
    assert_int_equal(write_chunk(me, stage, "half", false), KS_OK);
    assert_int_equal(end_put(me, stage, "halfhalf"), KS_OK);
}

static void bytes_beyond_the_size_fail_the_put(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 6, "");
    assert_int_equal(write_chunk(me, stage, "four", false), KS_OK);
    assert_int_equal(write_chunk(me, stage, "for", false), KS_INVALID);
    assert_int_equal(write_chunk(me, stage, "ty", false), KS_INVALID);
    assert_int_equal(end_put(me, stage, "fourty"), KS_INVALID);
    assert_files(me, "alice", 0, 0);
    struct ks_stage *empty = open_put(me, &id, 2, "empty", 0, "");
    assert_int_equal(write_chunk(me, empty, "x", true), KS_INVALID);
    assert_int_equal(discard(me, empty), KS_OK);
}

static void what_came_before_a_refused_piece_stays(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 6, "");
    assert_int_equal(write_chunk(me, stage, "four", false), KS_OK);
    assert_int_equal(write_chunk(me, stage, "for", false), KS_INVALID);
    ks_store_put_park(me->store, stage);
    stage = open_put(me, &id, 1, "name", 6, "four");
    assert_int_equal(write_chunk(me, stage, "for", false), KS_INVALID);
    assert_int_equal(end_put(me, stage, "fourfor"), KS_INVALID);
    stage = open_put(me, &id, 1, "name", 6, "four");
    assert_int_equal(write_chunk(me, stage, "ty", false), KS_OK);
    assert_int_equal(end_put(me, stage, "fourty"), KS_OK);
    assert_content(me, &id, "name", "fourty");
}

/* ---- what is there already ---- */

/* A put that the store says is kept already. */
static struct ks_stage *open_kept(struct party *me, const struct ks_client_id *id, const char *name,
                                  const char *text)
{
    struct ks_store_put_open request = put_request(me, id, 1, name, strlen(text));
    assert_int_equal(ask_to_put(me, &request), KS_OK);
    assert_true(request.is_kept);
    assert_int_equal(request.offset, strlen(text));
    assert_int_equal(request.cksum, cksum_of_text(text));
    return request.stage;
}

static void what_is_kept_already_is_told_and_ends_at_once(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "name", "text");
    struct ks_store_confirm end = end_request(me, open_kept(me, &id, "name", "text"), "text");
    ks_store_confirm(me->store, &end);
    assert_int_equal(party_wait(me, &end.request), KS_OK);
    assert_false(end.replaced);
    assert_content(me, &id, "name", "text");
    assert_files(me, "alice", 1, 4);
    keep_file(me, &id, "empty", "");
    assert_int_equal(end_put(me, open_kept(me, &id, "empty", ""), ""), KS_OK);
}

static void a_wrong_cksum_takes_nothing_of_what_is_kept(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "text", false);
    assert_int_equal(end_put(me, open_kept(me, &id, "name", "text"), "tent"), KS_CRYPTO);
    assert_content(me, &id, "name", "text");
    assert_files(me, "alice", 1, 4);
}

static void nothing_is_written_to_what_is_kept(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "text", false);
    struct ks_stage *stage = open_kept(me, &id, "name", "text");
    assert_int_equal(write_chunk(me, stage, "more", false), KS_INVALID);
    ks_store_put_park(me->store, stage);
    assert_int_equal(discard(me, open_kept(me, &id, "name", "text")), KS_OK);
    assert_content(me, &id, "name", "text");
    assert_puts(me, "alice", 0, 0);
}

static void what_was_kept_is_not_confirmed_when_it_has_gone(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "text", false);
    struct ks_stage *stage = open_kept(me, &id, "name", "text");
    assert_int_equal(remove_file(me, &id, "name"), KS_OK);
    assert_int_equal(end_put(me, stage, "text"), KS_EXISTS);
    assert_files(me, "alice", 0, 0);
    put_file(me, &id, "name", "text", false);
    stage = open_kept(me, &id, "name", "text");
    put_file(me, &id, "name", "tent", true);
    assert_int_equal(end_put(me, stage, "text"), KS_EXISTS);
    assert_content(me, &id, "name", "tent");
}

static void what_broke_off_comes_before_what_is_kept(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "name", 8, "half");
    keep_file(me, &id, "name", "the old1");
    struct ks_stage *stage = open_replacing(me, &id, 1, "name", 8, "half");
    assert_int_equal(write_chunk(me, stage, "half", false), KS_OK);
    assert_int_equal(end_put(me, stage, "halfhalf"), KS_OK);
    assert_content(me, &id, "name", "halfhalf");
}

static void another_file_of_that_name_has_to_be_replaced(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "name", "older");
    assert_int_equal(try_to_put(me, &id, 1, "name", 4, NULL), KS_EXISTS);
    struct ks_store_put_open anew = put_request(me, &id, 1, "name", 5);
    anew.anew = true;
    assert_int_equal(ask_to_put(me, &anew), KS_EXISTS);
    put_file(me, &id, "name", "newer", true);
    put_file(me, &id, "name", "the newest", true);
    assert_content(me, &id, "name", "the newest");
    assert_files(me, "alice", 1, 10);
}

static void a_file_that_came_meanwhile_is_not_replaced_unasked(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_put(me, &id, 1, "name", 4, "");
    assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
    keep_file(me, &id, "name", "meanwhile");
    assert_int_equal(end_put(me, stage, "text"), KS_EXISTS);
    assert_content(me, &id, "name", "meanwhile");
    assert_puts(me, "alice", 1, 4);
    struct ks_store_confirm end = end_request(me, open_replacing(me, &id, 1, "name", 4, "text"), "text");
    ks_store_confirm(me->store, &end);
    assert_int_equal(party_wait(me, &end.request), KS_OK);
    assert_true(end.replaced);
    assert_content(me, &id, "name", "text");
}

static void of_two_puts_of_one_name_the_first_to_end_is_kept(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_store_confirm ends[2];
    struct ks_stage *stages[2];
    for (uint8_t i = 0; i < 2; i++) {
        stages[i] = open_put(me, &id, i, "name", 1, "");
        assert_int_equal(write_chunk(me, stages[i], i == 0 ? "0" : "1", false), KS_OK);
    }
    ends[1] = end_request(me, stages[1], "1");
    ends[0] = end_request(me, stages[0], "0");
    ks_store_confirm(me->store, &ends[1]);
    ks_store_confirm(me->store, &ends[0]);
    assert_int_equal(party_wait(me, &ends[1].request), KS_OK);
    assert_int_equal(party_wait(me, &ends[0].request), KS_EXISTS);
    assert_content(me, &id, "name", "1");
}

static void an_upload_replaces_a_put_as_any_file(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "first", false);
    keep_file(me, &id, "folder/name", "the second");
    assert_content(me, &id, "name", "the second");
    assert_files(me, "alice", 1, 10);
}

/* ---- names ---- */

static void names_have_parts(struct party *me)
{
    static const char *const names[] = {"a/b",    "b",     "a/b/c",     "a",
                                        ".a/...", "put-1", "a b/c%2Fd", "\xc3\xa9/x"};
    struct ks_client_id id = new_user(me, "alice");
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        put_file(me, &id, names[i], names[i], false);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_content(me, &id, names[i], names[i]);
    assert_names(me, &id, "", 3, ".a/... a a b/c%2Fd a/b a/b/c b put-1 \xc3\xa9/x");
}

static void names_of_the_longest_kind_are_told_apart(struct party *me)
{
    char names[4][KS_TEXT_FIELD_SIZE];
    struct ks_client_id id = new_user(me, "alice");
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        memset(names[i], 'x', KS_FILE_NAME_LIMIT);
        names[i][KS_FILE_NAME_LIMIT] = '\0';
        names[i][KS_FILE_NAME_LIMIT - 1] = i % 2 == 0 ? '0' : '1';
        names[i][100] = i < 2 ? '/' : 'x';
        put_file(me, &id, names[i], names[i] + 90, false);
    }
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_content(me, &id, names[i], names[i] + 90);
}

static void names_are_there_after_a_restart(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "a/b/c", "1", false);
    put_file(me, &id, "c", "22", false);
    world_reopen(me);
    assert_names(me, &id, "", 10, "a/b/c c");
    assert_content(me, &id, "a/b/c", "1");
    assert_content(me, &id, "c", "22");
}

static void names_that_break_a_rule_open_no_put(struct party *me)
{
    static const char *const names[] = {"",     ".",    "..",     "/a",   "a/",    "a//b",  "a/.",
                                        "../a", "a/..", "a/../b", "a\\b", "a\x01", "a\x7f", "a\nb"};
    struct ks_client_id id = new_user(me, "alice");
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_int_equal(try_to_put(me, &id, 1, names[i], 1, NULL), KS_INVALID);
}

/* ---- sizes, and users who go ---- */

static void more_than_four_gigabytes_may_be_declared(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    park_put(me, &id, 1, "large", FIVE_GIB, "begun");
    struct ks_stage *stage = open_put(me, &id, 1, "large", FIVE_GIB, "begun");
    assert_int_equal(end_put(me, stage, "begun"), KS_INVALID);
    /* What 32 bits would take for the size, or for more of it. */
    stage = open_put(me, &id, 2, "large", FIVE_GIB - (UINT64_C(1) << 30) + 4, "");
    assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
    assert_int_equal(end_put(me, stage, "text"), KS_INVALID);
    keep_file(me, &id, "large", "text");
    assert_int_equal(try_to_put(me, &id, 3, "large", (UINT64_C(1) << 32) + 4, NULL), KS_EXISTS);
    assert_int_equal(discard(me, open_replacing(me, &id, 3, "large", (UINT64_C(1) << 32) + 4, "")), KS_OK);
}

static void puts_of_a_removed_user_are_gone(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    park_put(me, &alice, 1, "parked", 8, "half");
    struct ks_stage *complete = open_put(me, &alice, 2, "complete", 4, "");
    struct ks_stage *growing = open_put(me, &alice, 3, "growing", 8, "");
    struct ks_stage *others = open_put(me, &bob, 2, "another's", 4, "");
    assert_int_equal(write_chunk(me, complete, "text", false), KS_OK);
    assert_int_equal(write_chunk(me, others, "text", false), KS_OK);
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    assert_int_equal(end_put(me, complete, "text"), KS_NOT_FOUND);
    assert_int_equal(write_chunk(me, growing, "text", false), KS_NOT_FOUND);
    ks_store_put_park(me->store, growing);
    assert_int_equal(end_put(me, others, "text"), KS_OK);
    assert_int_equal(try_to_put(me, &alice, 1, "parked", 8, NULL), KS_NOT_FOUND);
    struct ks_client_id heir = new_user(me, "alice");
    assert_puts(me, "alice", 0, 0);
    assert_int_equal(discard(me, open_put(me, &heir, 1, "parked", 8, "")), KS_OK);
}

static const struct contract_case cases[] = {
    CASE(a_put_is_a_file_when_it_was_confirmed),
    CASE(an_empty_put_is_a_file),
    CASE(an_end_may_be_asked_while_pieces_are_on_their_way),
    CASE(a_put_of_an_unknown_user_is_not_opened),
    CASE(a_discarded_put_is_forgotten),
    CASE(puts_grow_beside_each_other),
    CASE(what_broke_off_goes_on_where_it_was),
    CASE(what_was_all_there_when_it_broke_off_only_ends),
    CASE(a_put_may_break_off_while_pieces_are_on_their_way),
    CASE_NEEDS(what_broke_off_is_there_after_a_restart, CONTRACT_REOPENS),
    CASE(anew_forgets_what_broke_off),
    CASE(what_came_of_a_longer_content_is_forgotten),
    CASE(a_put_id_that_is_open_is_closed),
    CASE(what_broke_off_is_its_users_alone),
    CASE(a_wrong_cksum_leaves_nothing),
    CASE(the_cksum_is_that_of_all_tries_together),
    CASE(an_incomplete_put_does_not_end_and_stays),
    CASE(bytes_beyond_the_size_fail_the_put),
    CASE(what_came_before_a_refused_piece_stays),
    CASE(what_is_kept_already_is_told_and_ends_at_once),
    CASE(a_wrong_cksum_takes_nothing_of_what_is_kept),
    CASE(nothing_is_written_to_what_is_kept),
    CASE(what_was_kept_is_not_confirmed_when_it_has_gone),
    CASE(what_broke_off_comes_before_what_is_kept),
    CASE(another_file_of_that_name_has_to_be_replaced),
    CASE(a_file_that_came_meanwhile_is_not_replaced_unasked),
    CASE(of_two_puts_of_one_name_the_first_to_end_is_kept),
    CASE(an_upload_replaces_a_put_as_any_file),
    CASE(names_have_parts),
    CASE(names_of_the_longest_kind_are_told_apart),
    CASE_NEEDS(names_are_there_after_a_restart, CONTRACT_REOPENS),
    CASE(names_that_break_a_rule_open_no_put),
    CASE(more_than_four_gigabytes_may_be_declared),
    CASE(puts_of_a_removed_user_are_gone),
};

const struct contract_subject contract_puts = {"puts", cases, KS_COUNT_OF(cases)};
