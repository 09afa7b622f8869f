/* contract_uploads.c — stages: chunks, transforms, and how an upload ends. What a stage holds is read back as
 * a message; of files, the seam tells how many there are and how large. */
#include "unit/store/contract/contract_asking.h"

/* ---- files ---- */

static void a_file_is_there_when_it_was_confirmed(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = stage_file(me, &id, "letter.txt", "dear all");
    assert_files(me, "alice", 0, 0);
    assert_int_equal(confirm(me, stage, NULL), KS_OK);
    assert_files(me, "alice", 1, 8);
}

static void an_empty_file_is_a_file(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "empty", "");
    assert_files(me, "alice", 1, 0);
}

static void a_file_of_several_chunks_has_all_of_them(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_file(me, &id, "file");
    assert_int_equal(write_chunk(me, stage, "one ", false), KS_OK);
    assert_int_equal(write_chunk(me, stage, "two ", false), KS_OK);
    assert_int_equal(write_chunk(me, stage, "three", true), KS_OK);
    assert_int_equal(confirm(me, stage, NULL), KS_OK);
    assert_files(me, "alice", 1, 13);
}

static void a_file_of_the_same_name_replaces_the_older_one(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "name", "first");
    struct ks_stage *stage = stage_file(me, &id, "name", "the second");
    assert_files(me, "alice", 1, 5);
    assert_int_equal(confirm(me, stage, NULL), KS_OK);
    assert_files(me, "alice", 1, 10);
}

static void one_kept_name_is_one_file_whatever_stands_before_it(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "a/name", "first");
    keep_file(me, &id, "C:\\b\\name", "the second");
    keep_file(me, &id, "name", "3");
    assert_files(me, "alice", 1, 1);
    keep_file(me, &id, "another name", "four");
    assert_files(me, "alice", 2, 5);
}

static void one_name_of_two_users_is_two_files(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    keep_file(me, &alice, "name", "1");
    keep_file(me, &bob, "name", "22");
    assert_files(me, "alice", 1, 1);
    assert_files(me, "bob", 1, 2);
}

static void of_two_stages_of_one_name_the_one_confirmed_last_stays(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *first = stage_file(me, &id, "name", "1");
    struct ks_stage *second = stage_file(me, &id, "name", "22");
    assert_int_equal(confirm(me, second, NULL), KS_OK);
    assert_int_equal(confirm(me, first, NULL), KS_OK);
    assert_files(me, "alice", 1, 1);
}

static void who_opens_a_stage_learns_whether_the_user_has_files(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    for (unsigned i = 0; i < 2; i++) {
        struct ks_store_stage_open request = stage_request(me, &id, "name");
        ks_store_stage_open(me->store, &request);
        assert_int_equal(party_wait(me, &request.request), KS_OK);
        assert_int_equal(request.has_files, i > 0);
        assert_int_equal(write_chunk(me, request.stage, "text", true), KS_OK);
        assert_int_equal(confirm(me, request.stage, NULL), KS_OK);
    }
}

static void nobody_opens_a_stage_for_an_unknown_user(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    id.bytes[2] ^= 1;
    assert_int_equal(try_to_open(me, &id, "name", 1, NULL), KS_NOT_FOUND);
}

static void a_name_that_cannot_be_kept_opens_no_stage(struct party *me)
{
    static const char *const names[] = {"", ".", "a/..", "folder/"};
    struct ks_client_id id = new_user(me, "alice");
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_int_equal(try_to_open(me, &id, names[i], 1, NULL), KS_INVALID);
}

/* ---- the end of a stage ---- */

static void a_discarded_stage_leaves_nothing(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    assert_int_equal(discard(me, open_file(me, &id, "never begun")), KS_OK);
    assert_int_equal(discard(me, stage_file(me, &id, "complete", "text")), KS_OK);
    assert_files(me, "alice", 0, 0);
}

static void a_discard_leaves_the_older_file(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "name", "older");
    assert_int_equal(discard(me, stage_file(me, &id, "name", "newer one")), KS_OK);
    assert_files(me, "alice", 1, 5);
}

static void an_incomplete_stage_is_not_confirmed(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = open_file(me, &id, "name");
    keep_file(me, &id, "name", "older");
    assert_int_equal(write_chunk(me, stage, "half of it", false), KS_OK);
    assert_int_equal(confirm(me, stage, NULL), KS_INVALID);
    assert_files(me, "alice", 1, 5);
}

static void a_content_of_a_message_is_not_confirmed(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    assert_int_equal(confirm(me, stage_message(me, &id, "text"), NULL), KS_INVALID);
    assert_files(me, "alice", 0, 0);
}

static void a_file_is_not_appended(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    assert_int_equal(append_stage(me, &id, &id, stage_file(me, &id, "name", "text"), 4, NULL), KS_INVALID);
    assert_waiting(me, &id, "");
}

static void a_chunk_behind_the_last_one_fails_the_stage(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = stage_file(me, &id, "name", "text");
    assert_int_equal(write_chunk(me, stage, "more", false), KS_INVALID);
    assert_int_equal(confirm(me, stage, NULL), KS_INVALID);
    assert_files(me, "alice", 0, 0);
}

static void a_confirmation_may_be_asked_while_chunks_are_on_their_way(struct party *me)
{
    enum { CHUNKS = 20 };
    struct ks_client_id id = new_user(me, "alice");
    struct ks_store_stage_write chunks[CHUNKS];
    uint8_t bytes[CHUNKS][3];
    struct ks_stage *stage = open_file(me, &id, "name");
    for (unsigned i = 0; i < CHUNKS; i++) {
        memset(bytes[i], (int)i, sizeof bytes[i]);
        chunks[i] = write_request(me, stage, bytes[i], sizeof bytes[i], i + 1 == CHUNKS);
        ks_store_stage_write(me->store, &chunks[i]);
    }
    assert_int_equal(confirm(me, stage, NULL), KS_OK);
    assert_files(me, "alice", 1, sizeof bytes);
    for (unsigned i = 0; i < CHUNKS; i++)
        assert_int_equal(party_wait(me, &chunks[i].request), KS_OK);
}

static void a_discard_may_be_asked_while_chunks_are_on_their_way(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    uint8_t bytes[4] = "text";
    struct ks_stage *stage = open_file(me, &id, "name");
    struct ks_store_stage_write chunk = write_request(me, stage, bytes, sizeof bytes, true);
    ks_store_stage_write(me->store, &chunk);
    assert_int_equal(discard(me, stage), KS_OK);
    assert_int_equal(party_wait(me, &chunk.request), KS_OK);
    assert_files(me, "alice", 0, 0);
}

static void stages_of_one_user_grow_beside_each_other(struct party *me)
{
    enum { STAGES = 8 };
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stages[STAGES];
    for (unsigned i = 0; i < STAGES; i++) {
        char name[32];
        snprintf(name, sizeof name, "file %u", i);
        stages[i] = open_file(me, &id, name);
    }
    for (unsigned i = 0; i < STAGES; i++)
        assert_int_equal(write_chunk(me, stages[i], "first ", false), KS_OK);
    for (unsigned i = 0; i < STAGES; i++)
        assert_int_equal(write_chunk(me, stages[i], "last", true), KS_OK);
    for (unsigned i = 0; i < STAGES; i++)
        assert_int_equal(confirm(me, stages[i], NULL), KS_OK);
    assert_files(me, "alice", STAGES, (uint64_t)STAGES * 10);
}

static void files_are_there_after_a_restart_and_stages_are_not(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    keep_file(me, &id, "kept", "12345");
    keep_file(me, &id, "kept", "123456");
    (void)stage_file(me, &id, "never confirmed", "text");
    (void)stage_file(me, &id, "kept", "never confirmed");
    world_reopen(me);
    assert_files(me, "alice", 1, 6);
    keep_file(me, &id, "kept", "12");
    assert_files(me, "alice", 1, 2);
}

/* ---- transforms ---- */

/* Takes bytes from upper to lower case, and leaves the last one of a stage out. */
struct lowering {
    _Atomic unsigned inside; /* at once */
    _Atomic bool collided;
    unsigned calls;
    bool saw_last;
    unsigned fails_at; /* the call, from 1 */
    bool grows;        /* says that there is more than there was */
};

static enum ks_result lower(void *context, uint8_t *bytes, size_t size, bool last, size_t *output_size)
{
    struct lowering *lowering = context;
    if (atomic_fetch_add(&lowering->inside, 1) != 0)
        atomic_store(&lowering->collided, true);
    lowering->calls++;
    for (size_t i = 0; i < size; i++)
        bytes[i] |= 0x20;
    *output_size = lowering->grows ? size + 1 : last ? size - 1 : size;
    lowering->saw_last = last;
    atomic_fetch_sub(&lowering->inside, 1);
    return lowering->calls == lowering->fails_at ? KS_CRYPTO : KS_OK;
}

static struct ks_stage *open_lowered(struct party *me, const struct ks_client_id *id,
                                     enum ks_stage_purpose purpose, struct lowering *lowering)
{
    struct ks_store_stage_open request = stage_request(me, id, "name");
    request.purpose = purpose;
    request.transform = (struct ks_stage_transform){.apply = lower, .context = lowering};
    ks_store_stage_open(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    return request.stage;
}

static void chunks_are_transformed_in_their_order_one_at_a_time(struct party *me)
{
    static const char *const texts[] = {"ONE ", "TWO ", "THREE ", "FOUR", "!"};
    struct ks_client_id id = new_user(me, "alice");
    struct ks_store_stage_write chunks[KS_COUNT_OF(texts)];
    uint8_t bytes[KS_COUNT_OF(texts)][8];
    struct lowering lowering = {0};
    struct ks_stage *stage = open_lowered(me, &id, KS_STAGE_MESSAGE, &lowering);
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        memcpy(bytes[i], texts[i], strlen(texts[i]));
        chunks[i] = write_request(me, stage, bytes[i], strlen(texts[i]), i + 1 == KS_COUNT_OF(texts));
        ks_store_stage_write(me->store, &chunks[i]);
    }
    assert_int_equal(append_stage(me, &id, &id, stage, 18, NULL), KS_OK);
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++)
        assert_int_equal(party_wait(me, &chunks[i].request), KS_OK);
    assert_waiting(me, &id, "one two three four");
    assert_int_equal(lowering.calls, KS_COUNT_OF(texts));
    assert_true(lowering.saw_last);
    assert_false(atomic_load(&lowering.collided));
}

static void a_transform_says_how_much_of_a_chunk_is_written(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct lowering lowering = {0};
    struct ks_stage *stage = open_lowered(me, &id, KS_STAGE_FILE, &lowering);
    assert_int_equal(write_chunk(me, stage, "four", false), KS_OK);
    assert_false(lowering.saw_last);
    assert_int_equal(write_chunk(me, stage, "four", true), KS_OK);
    assert_int_equal(confirm(me, stage, NULL), KS_OK);
    assert_files(me, "alice", 1, 7);
}

static void without_a_transform_bytes_are_written_as_they_are(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct ks_stage *stage = stage_message(me, &id, "As They ARE");
    assert_int_equal(append_stage(me, &id, &id, stage, 11, NULL), KS_OK);
    assert_waiting(me, &id, "As They ARE");
}

static void what_fails_a_chunk_fails_all_that_follow(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct lowering lowering = {.fails_at = 2};
    struct ks_stage *stage = open_lowered(me, &id, KS_STAGE_FILE, &lowering);
    assert_int_equal(write_chunk(me, stage, "one", false), KS_OK);
    assert_int_equal(write_chunk(me, stage, "two", false), KS_CRYPTO);
    assert_int_equal(write_chunk(me, stage, "three", false), KS_CRYPTO);
    assert_int_equal(write_chunk(me, stage, "four", true), KS_CRYPTO);
    assert_int_equal(lowering.calls, 2);
    assert_int_equal(discard(me, stage), KS_OK);
}

static void what_fails_a_chunk_fails_the_confirmation(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct lowering lowering = {.fails_at = 1};
    keep_file(me, &id, "name", "older");
    struct ks_stage *stage = open_lowered(me, &id, KS_STAGE_FILE, &lowering);
    assert_int_equal(write_chunk(me, stage, "newer one", true), KS_CRYPTO);
    assert_int_equal(confirm(me, stage, NULL), KS_CRYPTO);
    assert_files(me, "alice", 1, 5);
}

static void more_than_a_chunk_had_fails_the_stage(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    struct lowering lowering = {.grows = true};
    struct ks_stage *stage = open_lowered(me, &id, KS_STAGE_FILE, &lowering);
    assert_int_equal(write_chunk(me, stage, "text", true), KS_INVALID);
    assert_int_equal(confirm(me, stage, NULL), KS_INVALID);
    assert_files(me, "alice", 0, 0);
}

/* ---- users who go ---- */

static void stages_of_a_removed_user_fail(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_stage *complete = stage_file(me, &alice, "complete", "text");
    struct ks_stage *growing = open_file(me, &alice, "growing");
    struct ks_stage *others = stage_file(me, &bob, "another's", "text");
    assert_int_equal(write_chunk(me, growing, "text", false), KS_OK);
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    assert_int_equal(confirm(me, complete, NULL), KS_NOT_FOUND);
    assert_int_equal(write_chunk(me, growing, "text", true), KS_NOT_FOUND);
    assert_int_equal(discard(me, growing), KS_OK);
    assert_int_equal(confirm(me, others, NULL), KS_OK);
}

static const struct contract_case cases[] = {
    CASE(a_file_is_there_when_it_was_confirmed),
    CASE(an_empty_file_is_a_file),
    CASE(a_file_of_several_chunks_has_all_of_them),
    CASE(a_file_of_the_same_name_replaces_the_older_one),
    CASE(one_kept_name_is_one_file_whatever_stands_before_it),
    CASE(one_name_of_two_users_is_two_files),
    CASE(of_two_stages_of_one_name_the_one_confirmed_last_stays),
    CASE(who_opens_a_stage_learns_whether_the_user_has_files),
    CASE(nobody_opens_a_stage_for_an_unknown_user),
    CASE(a_name_that_cannot_be_kept_opens_no_stage),
    CASE(a_discarded_stage_leaves_nothing),
    CASE(a_discard_leaves_the_older_file),
    CASE(an_incomplete_stage_is_not_confirmed),
    CASE(a_content_of_a_message_is_not_confirmed),
    CASE(a_file_is_not_appended),
    CASE(a_chunk_behind_the_last_one_fails_the_stage),
    CASE(a_confirmation_may_be_asked_while_chunks_are_on_their_way),
    CASE(a_discard_may_be_asked_while_chunks_are_on_their_way),
    CASE(stages_of_one_user_grow_beside_each_other),
    CASE_NEEDS(files_are_there_after_a_restart_and_stages_are_not, CONTRACT_REOPENS),
    CASE(chunks_are_transformed_in_their_order_one_at_a_time),
    CASE(a_transform_says_how_much_of_a_chunk_is_written),
    CASE(without_a_transform_bytes_are_written_as_they_are),
    CASE(what_fails_a_chunk_fails_all_that_follow),
    CASE(what_fails_a_chunk_fails_the_confirmation),
    CASE(more_than_a_chunk_had_fails_the_stage),
    CASE(stages_of_a_removed_user_fail),
};

const struct contract_subject contract_uploads = {"uploads", cases, KS_COUNT_OF(cases)};
