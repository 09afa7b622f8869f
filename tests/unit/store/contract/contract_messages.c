/* contract_messages.c — messages: what is appended, under which ids, and how a part is read. */
#include "unit/store/contract/contract_asking.h"

/* Two users that everybody knows. */
struct pair {
    struct ks_client_id alice;
    struct ks_client_id bob;
};

static struct pair two_users(struct party *me)
{
    return (struct pair){.alice = new_user(me, "alice"), .bob = new_user(me, "bob")};
}

/* ---- append ---- */

static void a_message_waits_as_it_was_sent(struct party *me)
{
    struct pair users = two_users(me);
    uint64_t id = append(me, &users.bob, &users.alice, "hello");
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    uint8_t *bytes = read_part(me, &users.bob, &part, 4096);
    size_t at = 0;
    struct heard heard = hear(bytes, &at);
    assert_int_equal(part.count, 1);
    assert_int_equal(heard.id, id);
    assert_memory_equal(&heard.sender, &users.alice, sizeof users.alice);
    assert_int_equal(heard.type, 3);
    assert_int_equal(heard.size, 5);
    assert_memory_equal(heard.content, "hello", 5);
    free(bytes);
}

static void every_type_is_kept(struct party *me)
{
    struct pair users = two_users(me);
    static const uint8_t types[] = {0, 1, 4, 127, 128, 255};
    for (size_t i = 0; i < KS_COUNT_OF(types); i++) {
        struct ks_store_append_message request = append_request(me, &users.bob, &users.alice, "x");
        request.type = types[i];
        ks_store_append_message(me->store, &request);
        assert_int_equal(party_wait(me, &request.request), KS_OK);
    }
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    uint8_t *bytes = read_part(me, &users.bob, &part, 4096);
    size_t at = 0;
    for (size_t i = 0; i < KS_COUNT_OF(types); i++)
        assert_int_equal(hear(bytes, &at).type, types[i]);
    free(bytes);
}

static void an_empty_message_is_a_message(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_store_append_message request = append_request(me, &users.bob, &users.alice, "");
    request.content = NULL;
    ks_store_append_message(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    struct ks_stage *stage = stage_message(me, &users.alice, "");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, stage, 0, NULL), KS_OK);
    append(me, &users.bob, &users.alice, "three");
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    assert_int_equal(part.count, 3);
    assert_int_equal(part.size, 3 * HEAD_SIZE + 5);
    assert_part(me, &users.bob, &part, "  three");
}

static void only_the_receiver_gets_a_message(struct party *me)
{
    struct pair users = two_users(me);
    append(me, &users.bob, &users.alice, "to bob");
    append(me, &users.alice, &users.bob, "to alice");
    assert_waiting(me, &users.bob, "to bob");
    assert_waiting(me, &users.alice, "to alice");
}

static void one_may_write_to_oneself(struct party *me)
{
    struct pair users = two_users(me);
    append(me, &users.bob, &users.bob, "note");
    assert_waiting(me, &users.bob, "note");
}

static void nothing_is_stored_for_an_unknown_receiver(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_client_id nobody = users.bob;
    nobody.bytes[5] ^= 1;
    assert_int_equal(try_append(me, &nobody, &users.alice, "text", NULL), KS_NOT_FOUND);
    struct ks_stage *stage = stage_message(me, &users.alice, "text");
    assert_int_equal(append_stage(me, &nobody, &users.alice, stage, 4, NULL), KS_NOT_FOUND);
    assert_int_equal(lease(me, &nobody, 7).count, 0);
}

static void ids_count_up_from_one_over_all_receivers(struct party *me)
{
    struct pair users = two_users(me);
    for (uint64_t i = 1; i <= 6; i++)
        assert_int_equal(append(me, i % 2 == 0 ? &users.alice : &users.bob, &users.alice, "text"), i);
}

static void no_id_is_used_again_after_deletion(struct party *me)
{
    struct pair users = two_users(me);
    uint64_t id = append(me, &users.bob, &users.alice, "one");
    assert_int_equal(deliver(me, &users.bob, 7, lease(me, &users.bob, 7).last), KS_OK);
    assert_true(append(me, &users.bob, &users.alice, "two") > id);
}

static void no_id_is_used_again_after_a_restart(struct party *me)
{
    struct pair users = two_users(me);
    uint64_t id = append(me, &users.bob, &users.alice, "one");
    assert_int_equal(deliver(me, &users.bob, 7, lease(me, &users.bob, 7).last), KS_OK);
    world_reopen(me);
    assert_true(append(me, &users.bob, &users.alice, "two") > id);
}

static void messages_of_one_thread_go_in_the_order_of_asking(struct party *me)
{
    enum { MESSAGES = 200 };
    struct pair users = two_users(me);
    struct ks_store_append_message requests[MESSAGES];
    uint8_t contents[MESSAGES];
    for (unsigned i = 0; i < MESSAGES; i++) {
        contents[i] = (uint8_t)i;
        requests[i] = append_request(me, &users.bob, &users.alice, "");
        requests[i].content = &contents[i];
        requests[i].content_size = 1;
        ks_store_append_message(me->store, &requests[i]);
    }
    for (unsigned i = 0; i < MESSAGES; i++) {
        assert_int_equal(party_wait(me, &requests[i].request), KS_OK);
        assert_true(i == 0 || requests[i].message_id > requests[i - 1].message_id);
    }
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    uint8_t *bytes = read_part(me, &users.bob, &part, 4096);
    size_t at = 0;
    assert_int_equal(part.count, MESSAGES);
    for (unsigned i = 0; i < MESSAGES; i++)
        assert_int_equal(*hear(bytes, &at).content, (uint8_t)i);
    free(bytes);
}

static void messages_wait_after_a_restart_under_the_same_ids(struct party *me)
{
    struct pair users = two_users(me);
    uint64_t first = append(me, &users.bob, &users.alice, "one");
    struct ks_stage *stage = stage_message(me, &users.alice, "staged");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, stage, 6, NULL), KS_OK);
    uint64_t last = append(me, &users.bob, &users.alice, "three");
    world_reopen(me);
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    uint8_t *bytes = read_part(me, &users.bob, &part, 4096);
    size_t at = 0;
    assert_int_equal(part.last, last);
    assert_int_equal(hear(bytes, &at).id, first);
    assert_part(me, &users.bob, &part, "one staged three");
    free(bytes);
}

/* ---- large ones ---- */

static void a_content_over_the_limit_needs_a_stage(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_store_append_message request = append_request(me, &users.bob, &users.alice, "");
    request.content_size = KS_MESSAGE_IN_MEMORY_LIMIT + 1; /* looked at before the content is */
    ks_store_append_message(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_TOO_LARGE);
    assert_waiting(me, &users.bob, "");
}

static void a_content_up_to_the_limit_needs_none(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_store_append_message request = append_request(me, &users.bob, &users.alice, "");
    uint8_t *content = malloc(KS_MESSAGE_IN_MEMORY_LIMIT);
    size_t at = 0;
    assert_non_null(content);
    for (size_t i = 0; i < KS_MESSAGE_IN_MEMORY_LIMIT; i++)
        content[i] = (uint8_t)(i ^ (i >> 8) ^ (i >> 16));
    request.content_size = KS_MESSAGE_IN_MEMORY_LIMIT;
    request.content = content;
    ks_store_append_message(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    uint8_t *bytes = read_part(me, &users.bob, &part, 1024 * 1024);
    struct heard heard = hear(bytes, &at);
    assert_int_equal(heard.size, KS_MESSAGE_IN_MEMORY_LIMIT);
    assert_int_equal(memcmp(heard.content, content, KS_MESSAGE_IN_MEMORY_LIMIT), 0);
    free(bytes);
    free(content);
}

static void a_staged_content_is_a_message(struct party *me)
{
    struct pair users = two_users(me);
    append(me, &users.bob, &users.alice, "before");
    struct ks_stage *stage = stage_message(me, &users.alice, "staged");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, stage, 6, NULL), KS_OK);
    append(me, &users.bob, &users.alice, "behind");
    assert_waiting(me, &users.bob, "before staged behind");
}

static void a_message_may_be_appended_while_its_chunks_are_on_their_way(struct party *me)
{
    struct pair users = two_users(me);
    uint8_t bytes[2][4] = {"on i", "ts w"};
    struct ks_store_stage_open opening = stage_request(me, &users.alice, "");
    struct ks_store_stage_write chunks[2];
    opening.purpose = KS_STAGE_MESSAGE;
    ks_store_stage_open(me->store, &opening);
    assert_int_equal(party_wait(me, &opening.request), KS_OK);
    for (unsigned i = 0; i < 2; i++) {
        chunks[i] = write_request(me, opening.stage, bytes[i], 4, i == 1);
        ks_store_stage_write(me->store, &chunks[i]);
    }
    assert_int_equal(append_stage(me, &users.bob, &users.alice, opening.stage, 8, NULL), KS_OK);
    assert_int_equal(party_wait(me, &chunks[0].request), KS_OK);
    assert_int_equal(party_wait(me, &chunks[1].request), KS_OK);
    assert_waiting(me, &users.bob, "on its w");
}

static void a_stage_of_another_size_is_refused(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_stage *stage = stage_message(me, &users.alice, "staged");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, stage, 7, NULL), KS_INVALID);
    assert_waiting(me, &users.bob, "");
}

static void an_incomplete_stage_is_refused(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_store_stage_open opening = stage_request(me, &users.alice, "");
    opening.purpose = KS_STAGE_MESSAGE;
    ks_store_stage_open(me->store, &opening);
    assert_int_equal(party_wait(me, &opening.request), KS_OK);
    assert_int_equal(write_chunk(me, opening.stage, "half", false), KS_OK);
    assert_int_equal(append_stage(me, &users.bob, &users.alice, opening.stage, 4, NULL), KS_INVALID);
    assert_waiting(me, &users.bob, "");
}

static enum ks_result refuse_chunk(void *context, uint8_t *bytes, size_t size, bool last, size_t *output_size)
{
    (void)context;
    (void)bytes;
    (void)last;
    *output_size = size;
    return KS_CRYPTO;
}

static void a_message_fails_as_its_stage_did(struct party *me)
{
    struct pair users = two_users(me);
    struct ks_store_stage_open opening = stage_request(me, &users.alice, "");
    opening.purpose = KS_STAGE_MESSAGE;
    opening.transform.apply = refuse_chunk;
    ks_store_stage_open(me->store, &opening);
    assert_int_equal(party_wait(me, &opening.request), KS_OK);
    assert_int_equal(write_chunk(me, opening.stage, "text", true), KS_CRYPTO);
    assert_int_equal(append_stage(me, &users.bob, &users.alice, opening.stage, 4, NULL), KS_CRYPTO);
    assert_waiting(me, &users.bob, "");
}

/* ---- reading ---- */

static void a_part_is_read_in_pages_of_any_size(struct party *me)
{
    struct pair users = two_users(me);
    append(me, &users.bob, &users.alice, "one");
    append(me, &users.bob, &users.alice, "");
    struct ks_stage *stage = stage_message(me, &users.alice, "a staged one");
    assert_int_equal(append_stage(me, &users.bob, &users.alice, stage, 12, NULL), KS_OK);
    append(me, &users.bob, &users.alice, "four");
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    uint8_t *whole = read_part(me, &users.bob, &part, part.size);
    for (size_t capacity = HEAD_SIZE + 1; capacity < part.size; capacity++) {
        uint8_t *bytes = read_part(me, &users.bob, &part, capacity);
        assert_memory_equal(bytes, whole, part.size);
        free(bytes);
    }
    free(whole);
}

static void what_encode_makes_is_never_split(struct party *me)
{
    struct pair users = two_users(me);
    uint8_t bytes[HEAD_SIZE + 10];
    append(me, &users.bob, &users.alice, "one");
    append(me, &users.bob, &users.alice, "two");
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    struct ks_store_lease_read request = read_request(&users.bob, &part, bytes, sizeof bytes);
    assert_int_equal(read_next(me, &request), KS_OK);
    assert_int_equal(request.size, HEAD_SIZE + 3);
    assert_int_equal(read_next(me, &request), KS_OK);
    assert_int_equal(request.size, HEAD_SIZE + 3);
    assert_int_equal(read_next(me, &request), KS_OK);
    assert_int_equal(request.size, 0);
}

static void a_cursor_counts_what_was_given(struct party *me)
{
    struct pair users = two_users(me);
    uint8_t bytes[1024];
    append(me, &users.bob, &users.alice, "one");
    uint64_t last = append(me, &users.bob, &users.alice, "three");
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    struct ks_store_lease_read request = read_request(&users.bob, &part, bytes, sizeof bytes);
    assert_int_equal(read_next(me, &request), KS_OK);
    assert_int_equal(request.size, part.size);
    assert_int_equal(request.cursor.message_id, last);
    assert_int_equal(request.cursor.next, 0);
    assert_int_equal(request.cursor.given, 2);
    assert_int_equal(request.cursor.given_size, 8);
}

static void a_page_without_room_for_a_byte_of_content_is_invalid(struct party *me)
{
    struct pair users = two_users(me);
    uint8_t bytes[HEAD_SIZE];
    append(me, &users.bob, &users.alice, "one");
    struct ks_store_lease_waiting part = lease(me, &users.bob, 7);
    struct ks_store_lease_read request = read_request(&users.bob, &part, bytes, sizeof bytes);
    assert_int_equal(read_next(me, &request), KS_INVALID);
}

static const struct contract_case cases[] = {
    CASE(a_message_waits_as_it_was_sent),
    CASE(every_type_is_kept),
    CASE(an_empty_message_is_a_message),
    CASE(only_the_receiver_gets_a_message),
    CASE(one_may_write_to_oneself),
    CASE(nothing_is_stored_for_an_unknown_receiver),
    CASE(ids_count_up_from_one_over_all_receivers),
    CASE(no_id_is_used_again_after_deletion),
    CASE_NEEDS(no_id_is_used_again_after_a_restart, CONTRACT_REOPENS),
    CASE(messages_of_one_thread_go_in_the_order_of_asking),
    CASE_NEEDS(messages_wait_after_a_restart_under_the_same_ids, CONTRACT_REOPENS),
    CASE(a_content_over_the_limit_needs_a_stage),
    CASE(a_content_up_to_the_limit_needs_none),
    CASE(a_staged_content_is_a_message),
    CASE(a_message_may_be_appended_while_its_chunks_are_on_their_way),
    CASE(a_stage_of_another_size_is_refused),
    CASE(an_incomplete_stage_is_refused),
    CASE(a_message_fails_as_its_stage_did),
    CASE(a_part_is_read_in_pages_of_any_size),
    CASE(what_encode_makes_is_never_split),
    CASE(a_cursor_counts_what_was_given),
    CASE(a_page_without_room_for_a_byte_of_content_is_invalid),
};

const struct contract_subject contract_messages = {"messages", cases, KS_COUNT_OF(cases)};
