/* contract_own_files.c — files that are kept: listed, read, removed, summed. */
#include "unit/store/contract/contract_file_asking.h"

/* ---- the list ---- */

static void files_are_listed_in_the_order_of_their_bytes(struct party *me)
{
    static const char *const names[] = {"b", "a", "B", "a/b", "a.b", "\xc3\xa9", "ab", "~", "a/b/c"};
    static const char all[] = "B a a.b a/b a/b/c ab b ~ \xc3\xa9";
    struct ks_client_id id = new_user(me, "alice");
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        put_file(me, &id, names[i], "text", false);
    for (size_t limit = 1; limit <= KS_COUNT_OF(names) + 1; limit++)
        assert_names(me, &id, "", limit, all);
}

static void a_list_goes_on_behind_a_name_that_is_no_files(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "a", "text", false);
    put_file(me, &id, "c", "text", false);
    assert_names(me, &id, "b", 10, "c");
    assert_names(me, &id, "a", 10, "c");
    assert_names(me, &id, "c", 10, "");
    assert_names(me, &id, "\xff", 10, "");
}

static void many_files_are_listed_page_by_page(struct party *me)
{
    enum { FILES = 70 };
    char all[FILES * 4 + 1] = "";
    struct ks_client_id id = new_user(me, "alice");
    for (unsigned i = 0; i < FILES; i++) {
        char name[8];
        snprintf(name, sizeof name, "%03u", i * 11 % FILES);
        put_file(me, &id, name, "text", false);
        snprintf(all + (size_t)4 * i, 5, "%03u%s", i, i + 1 < FILES ? " " : "");
    }
    assert_names(me, &id, "", 16, all);
    assert_names(me, &id, "", FILES, all);
}

static void a_list_has_the_files_of_its_user_alone(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    put_file(me, &alice, "hers", "text", false);
    put_file(me, &bob, "his", "text", false);
    assert_names(me, &alice, "", 10, "hers");
    assert_int_equal(try_to_get(me, &alice, "his"), KS_NOT_FOUND);
    assert_int_equal(remove_file(me, &alice, "his"), KS_NOT_FOUND);
    assert_names(me, &bob, "", 10, "his");
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    struct ks_kept_file file;
    struct ks_store_list_files request = list_request(me, &alice, "", &file, 1);
    ks_store_list_files(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_NOT_FOUND);
}

static void what_is_on_its_way_is_in_no_list(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "kept", "older", false);
    park_put(me, &id, 1, "parked", 8, "half");
    struct ks_stage *stage = open_replacing(me, &id, 2, "kept", 4, "");
    assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
    assert_names(me, &id, "", 10, "kept");
    assert_content(me, &id, "kept", "older");
    assert_int_equal(try_to_get(me, &id, "parked"), KS_NOT_FOUND);
    assert_int_equal(discard(me, stage), KS_OK);
}

static void files_of_classic_clients_are_the_same_files(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = stage_file(me, &id, "C:\\folder\\with a cksum", "one");
    struct ks_store_confirm end = end_request(me, stage, "one");
    ks_store_confirm(me->store, &end);
    assert_int_equal(party_wait(me, &end.request), KS_OK);
    keep_file(me, &id, "folder/without", "two");
    put_file(me, &id, "folder/put", "three", false);
    assert_names(me, &id, "", 10, "folder/put with a cksum without");
    assert_content(me, &id, "with a cksum", "one");
    assert_content(me, &id, "without", "two");
    assert_true(facts_of(me, &id, "with a cksum").has_cksum);
    assert_true(facts_of(me, &id, "without").time > 0);
    assert_int_equal(try_to_get(me, &id, "folder/without"), KS_NOT_FOUND);
    assert_int_equal(remove_file(me, &id, "without"), KS_OK);
    assert_files(me, "alice", 2, 8);
}

/* ---- reading ---- */

static void a_file_is_read_from_any_offset(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "0123456789", false);
    struct ks_stored_file *file = open_stored(me, &id, "name");
    assert_reads(me, file, 0, "0123456789");
    assert_reads(me, file, 7, "789");
    assert_reads(me, file, 10, "");
    assert_reads(me, file, UINT64_C(1) << 40, "");
    assert_reads(me, file, 1, "123456789");
    ks_store_file_close(me->store, file);
}

/* What opening a file with a prefix of so many bytes tells of it. */
static void assert_prefix(struct party *me, const struct ks_client_id *id, uint64_t prefix, const char *text)
{
    struct ks_store_file_open request = reading_request(me, id, "name");
    request.prefix = prefix;
    ks_store_file_open(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_string_equal(request.kept.name, "name");
    assert_int_equal(request.kept.facts.size, 10);
    assert_int_equal(request.sum.length, strlen(text));
    assert_int_equal(ks_cksum_value(&request.sum), cksum_of_text(text));
    ks_store_file_close(me->store, request.file);
}

static void the_sum_of_a_prefix_is_told(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "0123456789", false);
    assert_prefix(me, &id, 0, "");
    assert_prefix(me, &id, 4, "0123");
    assert_prefix(me, &id, 10, "0123456789");
    assert_prefix(me, &id, 11, "0123456789");
    assert_prefix(me, &id, KS_FILE_LARGEST, "0123456789");
}

static void a_sum_goes_on_over_reads(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "0123456789", false);
    struct ks_store_file_open opened = reading_request(me, &id, "name");
    opened.prefix = 4;
    ks_store_file_open(me->store, &opened);
    assert_int_equal(party_wait(me, &opened.request), KS_OK);
    uint8_t bytes[6];
    struct ks_store_file_read request = {.request = party_request(me),
                                         .file = opened.file,
                                         .offset = 4,
                                         .bytes = bytes,
                                         .capacity = sizeof bytes,
                                         .sum = opened.sum};
    ks_store_file_read(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_int_equal(ks_cksum_value(&request.sum), cksum_of_text("0123456789"));
    ks_store_file_close(me->store, opened.file);
}

static void a_file_that_is_read_stays_what_it_was(struct party *me)
{
    static const char *const names[] = {"replaced by a put", "by an upload", "removed", "with its user"};
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stored_file *files[KS_COUNT_OF(names)];
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        put_file(me, &id, names[i], names[i], false);
        files[i] = open_stored(me, &id, names[i]);
    }
    put_file(me, &id, names[0], "another", true);
    keep_file(me, &id, names[1], "another");
    assert_int_equal(remove_file(me, &id, names[2]), KS_OK);
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        assert_reads(me, files[i], 0, names[i]);
        ks_store_file_close(me->store, files[i]);
    }
    assert_int_equal(try_to_get(me, &id, names[3]), KS_NOT_FOUND);
}

static void several_may_read_a_file(struct party *me)
{
    enum { READERS = 8 };
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stored_file *files[READERS];
    put_file(me, &id, "name", "text", false);
    for (unsigned i = 0; i < READERS; i++)
        files[i] = open_stored(me, &id, "name");
    for (unsigned i = 0; i < READERS; i++) {
        assert_reads(me, files[i], 0, "text");
        ks_store_file_close(me->store, files[i]);
    }
}

static void what_is_not_there_is_not_opened(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "text", false);
    assert_int_equal(try_to_get(me, &id, "nam"), KS_NOT_FOUND);
    assert_int_equal(try_to_get(me, &id, "name/"), KS_NOT_FOUND);
    assert_int_equal(try_to_get(me, &id, "../name"), KS_NOT_FOUND);
    assert_int_equal(try_to_get(me, &id, ""), KS_NOT_FOUND);
    id.bytes[2] ^= 1;
    assert_int_equal(try_to_get(me, &id, "name"), KS_NOT_FOUND);
}

/* ---- removals ---- */

static void a_removed_file_is_gone(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "a/b", "text", false);
    put_file(me, &id, "b", "other", false);
    assert_int_equal(remove_file(me, &id, "a/b"), KS_OK);
    assert_int_equal(try_to_get(me, &id, "a/b"), KS_NOT_FOUND);
    assert_names(me, &id, "", 10, "b");
    assert_files(me, "alice", 1, 5);
    assert_int_equal(remove_file(me, &id, "a/b"), KS_NOT_FOUND);
    assert_int_equal(remove_file(me, &id, "a"), KS_NOT_FOUND);
    struct ks_stage *stage = open_put(me, &id, 1, "a/b", 3, "");
    assert_int_equal(write_chunk(me, stage, "new", false), KS_OK);
    assert_int_equal(end_put(me, stage, "new"), KS_OK);
    assert_content(me, &id, "a/b", "new");
}

static void a_removed_file_is_gone_after_a_restart(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "removed", "text", false);
    put_file(me, &id, "put again", "text", false);
    put_file(me, &id, "kept", "text", false);
    assert_int_equal(remove_file(me, &id, "removed"), KS_OK);
    assert_int_equal(remove_file(me, &id, "put again"), KS_OK);
    put_file(me, &id, "put again", "newer", false);
    world_reopen(me);
    assert_names(me, &id, "", 10, "kept put again");
    assert_content(me, &id, "put again", "newer");
    assert_int_equal(remove_file(me, &id, "removed"), KS_NOT_FOUND);
}

static void removals_and_ends_of_one_name_go_in_the_order_of_asking(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    for (unsigned round = 0; round < 10; round++) {
        struct ks_stage *stage = open_replacing(me, &id, 1, "name", 4, "");
        assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
        struct ks_store_confirm end = end_request(me, stage, "text");
        struct ks_store_remove_file removals[2] = {removal_request(me, &id, "name"),
                                                   removal_request(me, &id, "name")};
        ks_store_confirm(me->store, &end);
        ks_store_remove_file(me->store, &removals[0]);
        ks_store_remove_file(me->store, &removals[1]);
        assert_int_equal(party_wait(me, &end.request), KS_OK);
        assert_int_equal(party_wait(me, &removals[0].request), KS_OK);
        assert_int_equal(party_wait(me, &removals[1].request), KS_NOT_FOUND);
        assert_files(me, "alice", 0, 0);
    }
}

static void an_end_behind_a_removal_of_its_name_is_kept(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "name", "older", false);
    for (unsigned round = 0; round < 10; round++) {
        struct ks_stage *stage = open_replacing(me, &id, 1, "name", 4, "");
        assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
        struct ks_store_remove_file removal = removal_request(me, &id, "name");
        struct ks_store_confirm end = end_request(me, stage, "text");
        ks_store_remove_file(me->store, &removal);
        ks_store_confirm(me->store, &end);
        assert_int_equal(party_wait(me, &removal.request), KS_OK);
        assert_int_equal(party_wait(me, &end.request), KS_OK);
        assert_false(end.replaced);
        assert_content(me, &id, "name", "text");
        put_file(me, &id, "name", "older", true);
    }
}

static void many_ends_and_removals_may_be_asked_at_once(struct party *me)
{
    enum { FILES = 30 };
    struct ks_client_id id = new_user(me, "alice");
    struct ks_store_confirm ends[FILES];
    struct ks_store_remove_file removals[FILES];
    struct ks_stage *stages[FILES];
    char names[FILES][8];
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(names[i], sizeof names[i], "%02u", i);
        stages[i] = open_put(me, &id, (uint8_t)i, names[i], 4, "");
        assert_int_equal(write_chunk(me, stages[i], "text", false), KS_OK);
    }
    for (unsigned i = 0; i < FILES; i++) {
        ends[i] = end_request(me, stages[i], "text");
        removals[i] = removal_request(me, &id, names[i / 2]);
        ks_store_confirm(me->store, &ends[i]);
        ks_store_remove_file(me->store, &removals[i]);
    }
    for (unsigned i = 0; i < FILES; i++) {
        assert_int_equal(party_wait(me, &ends[i].request), KS_OK);
        assert_int_equal(party_wait(me, &removals[i].request), i % 2 == 0 ? KS_OK : KS_NOT_FOUND);
    }
    assert_names(me, &id, "", 10, "15 16 17 18 19 20 21 22 23 24 25 26 27 28 29");
}

/* ---- SHA-256 ---- */

static void assert_digest(struct party *me, const struct ks_client_id *id, const char *name,
                          const char *expected)
{
    char hex[2 * KS_FILE_SHA256_SIZE + 1];
    assert_int_equal(digest_of(me, id, name, hex), KS_OK);
    assert_string_equal(hex, expected);
    assert_int_equal(digest_of(me, id, name, hex), KS_OK); /* now it is known */
    assert_string_equal(hex, expected);
    struct ks_file_facts facts = facts_of(me, id, name);
    assert_true(facts.has_sha256);
}

static void the_sha_256_of_a_file_is_told(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    put_file(me, &id, "a/b", "abc", false);
    keep_file(me, &id, "empty", "");
    assert_digest(me, &id, "a/b", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(me, &id, "empty", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_file_that_replaces_another_has_a_sha_256_of_its_own(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    char hex[2][2 * KS_FILE_SHA256_SIZE + 1];
    put_file(me, &id, "name", "abcd", false);
    assert_int_equal(digest_of(me, &id, "name", hex[0]), KS_OK);
    put_file(me, &id, "name", "abce", true);
    assert_int_equal(digest_of(me, &id, "name", hex[1]), KS_OK);
    assert_string_not_equal(hex[0], hex[1]);
}

static void of_what_is_not_there_there_is_no_sha_256(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    char hex[2 * KS_FILE_SHA256_SIZE + 1];
    assert_int_equal(digest_of(me, &id, "name", hex), KS_NOT_FOUND);
    put_file(me, &id, "name", "abc", false);
    assert_int_equal(digest_of(me, &id, "name", hex), KS_OK);
    assert_int_equal(remove_file(me, &id, "name"), KS_OK);
    assert_int_equal(digest_of(me, &id, "name", hex), KS_NOT_FOUND);
    id.bytes[2] ^= 1;
    assert_int_equal(digest_of(me, &id, "name", hex), KS_NOT_FOUND);
}

static const struct contract_case cases[] = {
    CASE(files_are_listed_in_the_order_of_their_bytes),
    CASE(a_list_goes_on_behind_a_name_that_is_no_files),
    CASE(many_files_are_listed_page_by_page),
    CASE(a_list_has_the_files_of_its_user_alone),
    CASE(what_is_on_its_way_is_in_no_list),
    CASE(files_of_classic_clients_are_the_same_files),
    CASE(a_file_is_read_from_any_offset),
    CASE(the_sum_of_a_prefix_is_told),
    CASE(a_sum_goes_on_over_reads),
    CASE(a_file_that_is_read_stays_what_it_was),
    CASE(several_may_read_a_file),
    CASE(what_is_not_there_is_not_opened),
    CASE(a_removed_file_is_gone),
    CASE_NEEDS(a_removed_file_is_gone_after_a_restart, CONTRACT_REOPENS),
    CASE(removals_and_ends_of_one_name_go_in_the_order_of_asking),
    CASE(an_end_behind_a_removal_of_its_name_is_kept),
    CASE(many_ends_and_removals_may_be_asked_at_once),
    CASE(the_sha_256_of_a_file_is_told),
    CASE(a_file_that_replaces_another_has_a_sha_256_of_its_own),
    CASE(of_what_is_not_there_there_is_no_sha_256),
};

const struct contract_subject contract_own_files = {"own files", cases, KS_COUNT_OF(cases)};
