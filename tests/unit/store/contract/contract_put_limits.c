/* contract_put_limits.c — how many own files may be on their way, and what of them makes room. */
#include "unit/store/contract/contract_file_asking.h"

static void limit_to(_Atomic uint64_t *limit, uint64_t value)
{
    atomic_store(limit, value);
}

static void assert_put_refused(struct party *me, const struct ks_client_id *id, const char *name,
                               uint64_t size, enum ks_store_limit expected)
{
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    assert_int_equal(try_to_put(me, id, 99, name, size, &limit), KS_REFUSED);
    assert_int_equal(limit, expected);
}

static void a_put_over_a_limit_is_refused_before_it_comes(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    limit_to(&me->world->limits.user_files, 1);
    limit_to(&me->world->limits.user_bytes, 10);
    put_file(me, &id, "six", "123456", false);
    assert_put_refused(me, &id, "other", 1, KS_STORE_LIMIT_USER_FILES);
    limit_to(&me->world->limits.user_files, 2);
    assert_put_refused(me, &id, "other", 5, KS_STORE_LIMIT_USER_BYTES);
    assert_put_refused(me, &id, "other", KS_FILE_LARGEST, KS_STORE_LIMIT_USER_BYTES);
    assert_int_equal(try_to_put(me, &id, 1, "other", 4, NULL), KS_OK);
    put_file(me, &id, "six", "1234567890", true);
    assert_int_equal(remove_file(me, &id, "six"), KS_OK);
    put_file(me, &id, "other", "1234567890", false);
}

static void an_end_over_a_limit_is_refused_and_the_put_stays(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    limit_to(&me->world->limits.user_files, 1);
    struct ks_stage *stage = open_put(me, &id, 1, "name", 4, "");
    assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
    keep_file(me, &id, "meanwhile", "text");
    struct ks_store_confirm end = end_request(me, stage, "text");
    ks_store_confirm(me->store, &end);
    assert_int_equal(party_wait(me, &end.request), KS_REFUSED);
    assert_int_equal(end.limit, KS_STORE_LIMIT_USER_FILES);
    assert_names(me, &id, "", 10, "meanwhile");
    assert_int_equal(remove_file(me, &id, "meanwhile"), KS_OK);
    assert_int_equal(end_put(me, open_put(me, &id, 1, "name", 4, "text"), "text"), KS_OK);
}

static void a_put_too_many_is_refused(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    limit_to(&me->world->limits.user_puts, 2);
    struct ks_stage *first = open_put(me, &alice, 1, "one", 4, "");
    struct ks_stage *second = open_put(me, &alice, 2, "two", 4, "");
    assert_put_refused(me, &alice, "three", 4, KS_STORE_LIMIT_USER_PUTS);
    assert_int_equal(try_to_put(me, &bob, 1, "one", 4, NULL), KS_OK);
    assert_int_equal(discard(me, first), KS_OK);
    assert_int_equal(try_to_put(me, &alice, 3, "three", 4, NULL), KS_OK);
    assert_int_equal(discard(me, second), KS_OK);
}

static void the_oldest_put_that_broke_off_makes_room(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    park_put(me, &bob, 1, "name", 4, "b");
    limit_to(&me->world->limits.user_puts, 2);
    park_put(me, &alice, 1, "one", 4, "1");
    park_put(me, &alice, 2, "two", 4, "12");
    park_put(me, &alice, 3, "three", 4, "123");
    assert_puts(me, "alice", 2, 5);
    assert_puts(me, "bob", 1, 1);
    struct ks_stage *stage = open_put(me, &alice, 2, "two", 4, "12");
    ks_store_put_park(me->store, stage);
    park_put(me, &alice, 1, "one", 4, "1"); /* its first try has made room */
    ks_store_put_park(me->store, open_put(me, &alice, 2, "two", 4, "12"));
}

static void bytes_of_puts_are_limited_and_the_oldest_make_room(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    limit_to(&me->world->limits.user_bytes, 10);
    park_put(me, &id, 1, "one", 6, "12345");
    park_put(me, &id, 2, "two", 5, "1234");
    assert_puts(me, "alice", 2, 9);
    park_put(me, &id, 3, "three", 6, "123456");
    assert_puts(me, "alice", 2, 10);
    assert_int_equal(discard(me, open_put(me, &id, 2, "two", 5, "1234")), KS_OK);
}

static void over_the_limit_of_all_who_has_most_makes_room(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_client_id carol = new_user(me, "carol");
    park_put(me, &bob, 1, "name", 4, "b");
    park_put(me, &alice, 1, "one", 4, "1");
    park_put(me, &alice, 2, "two", 4, "12");
    /* Nobody is told when a put is parked; but what the same user opens then is opened behind it. */
    assert_int_equal(try_to_put(me, &bob, 9, "behind", 4, NULL), KS_OK);
    assert_int_equal(try_to_put(me, &alice, 9, "behind", 4, NULL), KS_OK);
    limit_to(&me->world->limits.puts, 3);
    struct ks_stage *stage = open_put(me, &carol, 1, "name", 4, "");
    assert_puts(me, "bob", 1, 1);
    assert_puts(me, "alice", 1, 2);
    limit_to(&me->world->limits.puts, 1);
    assert_put_refused(me, &alice, "three", 4, KS_STORE_LIMIT_PUTS);
    assert_int_equal(write_chunk(me, stage, "text", false), KS_OK);
    assert_int_equal(end_put(me, stage, "text"), KS_OK);
}

static void puts_of_a_removed_user_count_no_more(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_client_id carol = new_user(me, "carol");
    limit_to(&me->world->limits.puts, 3);
    park_put(me, &alice, 1, "name", 4, "a");
    park_put(me, &bob, 1, "one", 4, "1");
    park_put(me, &bob, 2, "two", 4, "12");
    assert_int_equal(remove_user(me, "alice"), KS_OK);
    park_put(me, &carol, 1, "name", 4, "c");
    assert_puts(me, "bob", 2, 3);
}

static void without_free_space_no_put_is_opened(struct party *me)
{
    struct ks_client_id id = new_user(me, "alice");
    enum ks_store_limit limit = KS_STORE_LIMIT_NONE;
    put_file(me, &id, "kept", "text", false);
    limit_to(&me->world->limits.free_space, UINT64_MAX - 1);
    assert_int_equal(try_to_put(me, &id, 1, "name", 4, &limit), KS_NO_SPACE);
    assert_int_equal(limit, KS_STORE_LIMIT_FREE_SPACE);
    assert_content(me, &id, "kept", "text");
    assert_int_equal(remove_file(me, &id, "kept"), KS_OK);
}

static const struct contract_case cases[] = {
    CASE_NEEDS(a_put_over_a_limit_is_refused_before_it_comes, CONTRACT_LIMITS),
    CASE_NEEDS(an_end_over_a_limit_is_refused_and_the_put_stays, CONTRACT_LIMITS),
    CASE_NEEDS(a_put_too_many_is_refused, CONTRACT_LIMITS),
    CASE_NEEDS(the_oldest_put_that_broke_off_makes_room, CONTRACT_LIMITS),
    CASE_NEEDS(bytes_of_puts_are_limited_and_the_oldest_make_room, CONTRACT_LIMITS),
    CASE_NEEDS(over_the_limit_of_all_who_has_most_makes_room, CONTRACT_LIMITS),
    CASE_NEEDS(puts_of_a_removed_user_count_no_more, CONTRACT_LIMITS),
    CASE_NEEDS(without_free_space_no_put_is_opened, CONTRACT_LIMITS),
};

const struct contract_subject contract_put_limits = {"limits of puts", cases, KS_COUNT_OF(cases)};
