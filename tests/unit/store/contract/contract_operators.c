/* contract_operators.c — what operators ask: details, keys that are reset, users who are removed, checks. */
#include "unit/store/contract/contract_asking.h"

/* ---- details ---- */

static void details_tell_what_is_stored_of_a_user(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob;
    struct ks_user_details details;
    uint8_t byte = 0;
    pass_time(me, 5);
    assert_int_equal(register_with_key(me, "bob", 9, &bob), KS_OK);
    keep_file(me, &bob, "one", "12345");
    keep_file(me, &bob, "two", "1234567");
    keep_file(me, &alice, "another's", "1");
    append(me, &bob, &alice, "message");
    append(me, &alice, &bob, "another's");
    assert_int_equal(describe(me, "bob", &details, &byte), KS_OK);
    assert_memory_equal(&details.user.id, &bob, sizeof bob);
    assert_string_equal(details.user.name, "bob");
    assert_true(details.user.has_public_key);
    assert_int_equal(byte, 9);
    assert_int_equal(details.registered, FIXTURE_WALL_START + 5);
    assert_int_equal(details.files, 2);
    assert_int_equal(details.file_bytes, 12);
    assert_int_equal(details.messages, 1);
    assert_int_equal(details.message_bytes, 7);
}

static void details_of_who_has_nothing_are_zeros(struct party *me)
{
    struct ks_user_details details;
    (void)new_user(me, "carol");
    assert_int_equal(describe(me, "carol", &details, NULL), KS_OK);
    assert_false(details.user.has_public_key);
    assert_int_equal(details.files + details.file_bytes + details.messages + details.message_bytes, 0);
}

static void nobody_is_described_by_half_a_name(struct party *me)
{
    struct ks_user_details details;
    (void)new_user(me, "carol");
    assert_int_equal(describe(me, "caro", &details, NULL), KS_NOT_FOUND);
    assert_int_equal(describe(me, "carol ", &details, NULL), KS_NOT_FOUND);
}

static void a_name_means_who_has_exactly_its_letters(struct party *me)
{
    struct ks_user_details details;
    (void)new_user(me, "carol");
    assert_int_equal(describe(me, "Carol", &details, NULL), KS_NOT_FOUND);
    assert_int_equal(reset_key(me, "Carol"), KS_NOT_FOUND);
    assert_int_equal(remove_user(me, "Carol"), KS_NOT_FOUND);
    assert_int_equal(describe(me, "carol", &details, NULL), KS_OK);
}

static void details_are_the_same_after_a_restart(struct party *me)
{
    struct ks_client_id bob;
    struct ks_user_details details;
    uint8_t byte = 0;
    assert_int_equal(register_with_key(me, "bob", 9, &bob), KS_OK);
    keep_file(me, &bob, "one", "12345");
    append(me, &bob, &bob, "message");
    world_reopen(me);
    assert_int_equal(describe(me, "bob", &details, &byte), KS_OK);
    assert_int_equal(byte, 9);
    assert_int_equal(details.registered, FIXTURE_WALL_START);
    assert_int_equal(details.file_bytes, 5);
    assert_int_equal(details.message_bytes, 7);
}

/* ---- pages ---- */

static size_t next_page(struct party *me, uint64_t *cursor, struct ks_user_details *details, size_t limit)
{
    struct ks_store_describe_users request = {
        .request = party_request(me), .cursor = *cursor, .details = details, .limit = limit};
    ks_store_describe_users(me->store, &request);
    assert_int_equal(party_wait(me, &request.request), KS_OK);
    assert_true(request.count <= limit);
    *cursor = request.cursor;
    return request.count;
}

static void register_numbers(struct party *me, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "user %u", i);
        (void)new_user(me, name);
    }
}

static void pages_have_all_users_in_the_order_of_registration(struct party *me)
{
    enum { USERS = 7 };
    struct ks_user_details page[3];
    uint64_t cursor = 0;
    size_t count = 0;
    unsigned seen = 0;
    register_numbers(me, USERS);
    while ((count = next_page(me, &cursor, page, KS_COUNT_OF(page))) > 0)
        for (size_t i = 0; i < count; i++, seen++) {
            char name[32];
            snprintf(name, sizeof name, "user %u", seen);
            assert_string_equal(page[i].user.name, name);
        }
    assert_int_equal(seen, USERS);
}

static void pages_go_on_over_users_who_are_removed_meanwhile(struct party *me)
{
    struct ks_user_details page[2];
    uint64_t cursor = 0;
    register_numbers(me, 5);
    assert_int_equal(next_page(me, &cursor, page, 2), 2);
    assert_int_equal(remove_user(me, "user 1"), KS_OK);
    assert_int_equal(remove_user(me, "user 2"), KS_OK);
    assert_int_equal(next_page(me, &cursor, page, 2), 2);
    assert_string_equal(page[0].user.name, "user 3");
    assert_string_equal(page[1].user.name, "user 4");
    assert_int_equal(next_page(me, &cursor, page, 2), 0);
}

/* ---- keys that are reset ---- */

static void a_reset_forgets_both_keys(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_user user;
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &bob, 1, 2), KS_OK);
    assert_int_equal(reset_key(me, "bob"), KS_OK);
    assert_int_equal(public_key_of(me, &bob, &byte), KS_REFUSED);
    assert_int_equal(content_key_of(me, &bob, &byte), KS_REFUSED);
    assert_int_equal(look_up(me, &bob, &user), KS_OK);
    assert_false(user.has_public_key);
}

static void after_a_reset_the_next_public_key_is_stored(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &bob, 1, 2), KS_OK);
    assert_int_equal(reset_key(me, "bob"), KS_OK);
    assert_int_equal(set_keys(me, &bob, 3, 4), KS_OK);
    assert_int_equal(public_key_of(me, &bob, &byte), KS_OK);
    assert_int_equal(byte, 3);
    assert_int_equal(set_keys(me, &bob, 1, 5), KS_REFUSED);
}

static void a_reset_holds_after_a_restart(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &bob, 1, 2), KS_OK);
    assert_int_equal(reset_key(me, "bob"), KS_OK);
    world_reopen(me);
    assert_int_equal(public_key_of(me, &bob, &byte), KS_REFUSED);
    assert_int_equal(content_key_of(me, &bob, &byte), KS_REFUSED);
}

static void a_session_keeps_its_key_over_a_reset(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    assert_int_equal(set_keys(me, &bob, 1, 2), KS_OK);
    struct ks_content_key *key = current_key(me, &bob);
    assert_int_equal(reset_key(me, "bob"), KS_OK);
    assert_int_equal(key->bytes[0], 2);
    assert_true(ks_content_key_count(key, true));
    ks_content_key_release(key);
}

/* The engine looks once in a while; it has looked when somebody else is gone. */
static void who_was_reset_is_not_dropped_for_having_no_key(struct party *me)
{
    struct ks_client_id bob;
    assert_int_equal(register_with_key(me, "bob", 1, &bob), KS_OK);
    assert_int_equal(reset_key(me, "bob"), KS_OK);
    struct ks_client_id witness = new_user(me, "keyless");
    pass_time(me, 2 * 24 * 3600);
    while (look_up(me, &witness, NULL) == KS_OK)
        assert_int_equal(probe(me), KS_OK);
    assert_int_equal(look_up(me, &bob, NULL), KS_OK);
}

/* ---- users who are removed ---- */

static void a_removed_user_is_known_nowhere(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    struct ks_user_details details;
    char name[KS_TEXT_FIELD_SIZE];
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &bob, 1, 2), KS_OK);
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_int_equal(look_up(me, &bob, NULL), KS_NOT_FOUND);
    assert_int_equal(ks_store_name_at_hand(me->store, &bob, name), KS_NOT_FOUND);
    assert_int_equal(public_key_of(me, &bob, &byte), KS_NOT_FOUND);
    assert_int_equal(content_key_of(me, &bob, &byte), KS_NOT_FOUND);
    assert_int_equal(set_keys(me, &bob, 1, 3), KS_NOT_FOUND);
    assert_int_equal(try_to_open(me, &bob, "file", 1, NULL), KS_NOT_FOUND);
    assert_int_equal(try_append(me, &bob, &bob, "text", NULL), KS_NOT_FOUND);
    assert_int_equal(describe(me, "bob", &details, NULL), KS_NOT_FOUND);
    assert_int_equal(remove_user(me, "bob"), KS_NOT_FOUND);
}

static void a_removed_user_takes_its_messages_along(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    append(me, &bob, &bob, "leased");
    struct ks_store_lease_waiting leased = lease(me, &bob, 7);
    append(me, &bob, &bob, "waits");
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_int_equal(try_to_read(me, &bob, &leased), KS_NOT_FOUND);
    assert_int_equal(deliver(me, &bob, 7, leased.last), KS_NOT_FOUND);
    assert_int_equal(lease(me, &bob, 7).count, 0);
}

static void of_a_removed_receiver_nothing_settles_any_more(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    append(me, &bob, &bob, "settles");
    uint64_t last = lease(me, &bob, 7).last;
    assert_int_equal(settle(me, &bob, 7, last), KS_OK);
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_int_equal(say_delivered(me, &bob, 7, last), KS_NOT_FOUND);
}

static void what_a_removed_user_has_sent_stays(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    size_t at = 0;
    append(me, &alice, &bob, "farewell");
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    struct ks_store_lease_waiting part = lease(me, &alice, 7);
    assert_part(me, &alice, &part, "farewell");
    uint8_t *bytes = read_part(me, &alice, &part, 4096);
    struct heard heard = hear(bytes, &at);
    assert_memory_equal(&heard.sender, &bob, sizeof bob);
    free(bytes);
}

static void the_name_of_a_removed_user_is_free_and_has_nothing(struct party *me)
{
    struct ks_client_id before = new_user(me, "bob");
    struct ks_user_details details;
    keep_file(me, &before, "file", "text");
    append(me, &before, &before, "text");
    assert_int_equal(set_keys(me, &before, 1, 2), KS_OK);
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    struct ks_client_id after = new_user(me, "bob");
    assert_memory_not_equal(&after, &before, sizeof after);
    assert_int_equal(describe(me, "bob", &details, NULL), KS_OK);
    assert_int_equal(details.files + details.file_bytes + details.messages + details.message_bytes, 0);
    assert_false(details.user.has_public_key);
    assert_waiting(me, &after, "");
}

static void others_keep_what_is_theirs(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t byte = 0;
    assert_int_equal(set_keys(me, &alice, 1, 2), KS_OK);
    keep_file(me, &alice, "file", "text");
    append(me, &alice, &alice, "note");
    keep_file(me, &bob, "file", "text");
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    assert_files(me, "alice", 1, 4);
    assert_waiting(me, &alice, "note");
    assert_int_equal(content_key_of(me, &alice, &byte), KS_OK);
    assert_int_equal(byte, 2);
}

static void a_removed_user_is_gone_after_a_restart(struct party *me)
{
    struct ks_client_id alice = new_user(me, "alice");
    struct ks_client_id bob = new_user(me, "bob");
    keep_file(me, &bob, "file", "text");
    append(me, &bob, &alice, "text");
    append(me, &alice, &bob, "farewell");
    assert_int_equal(remove_user(me, "bob"), KS_OK);
    world_reopen(me);
    assert_int_equal(look_up(me, &bob, NULL), KS_NOT_FOUND);
    assert_int_equal(lease(me, &bob, 7).count, 0);
    assert_waiting(me, &alice, "farewell");
    (void)new_user(me, "bob");
    assert_files(me, "bob", 0, 0);
}

/* Who asks around a removal may be before it or behind it, and is answered. */
static void whatever_is_asked_around_a_removal_is_answered(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    uint8_t chunk[4] = "text";
    struct ks_stage *stage = open_file(me, &bob, "file");
    struct ks_store_remove_user removal = {.request = party_request(me), .name = "bob"};
    struct ks_store_append_message message = append_request(me, &bob, &bob, "text");
    struct ks_store_stage_write writing = write_request(me, stage, chunk, sizeof chunk, true);
    struct ks_store_confirm confirmation = {.request = party_request(me), .stage = stage};
    struct ks_store_set_keys change = {
        .request = party_request(me), .id = bob, .content_key = new_key(me, 1)};
    struct ks_store_look_up look = {.request = party_request(me), .id = bob};
    ks_store_stage_write(me->store, &writing);
    ks_store_remove_user(me->store, &removal);
    ks_store_append_message(me->store, &message);
    ks_store_set_keys(me->store, &change);
    ks_store_confirm(me->store, &confirmation);
    ks_store_look_up(me->store, &look);
    const struct ks_store_request *const others[] = {&message.request, &writing.request,
                                                     &confirmation.request, &change.request, &look.request};
    assert_int_equal(party_wait(me, &removal.request), KS_OK);
    for (size_t i = 0; i < KS_COUNT_OF(others); i++) {
        enum ks_result result = party_wait(me, others[i]);
        assert_true(result == KS_OK || result == KS_NOT_FOUND);
    }
    ks_content_key_release(change.content_key);
    assert_int_equal(look_up(me, &bob, NULL), KS_NOT_FOUND);
    assert_int_equal(lease(me, &bob, 7).count, 0);
    (void)new_user(me, "bob");
    assert_files(me, "bob", 0, 0);
}

/* ---- checks ---- */

enum { FINDINGS = 16 };

/* A whole check, after which all is as it was. */
static struct ks_check_cursor check_all(struct party *me, bool repair)
{
    struct ks_check_finding *findings = calloc(FINDINGS, sizeof *findings);
    struct ks_store_check request = {.repair = repair, .findings = findings, .limit = FINDINGS};
    assert_non_null(findings);
    do {
        request.request = party_request(me);
        ks_store_check(me->store, &request);
        assert_int_equal(party_wait(me, &request.request), KS_OK);
        assert_true(request.count <= FINDINGS);
        for (size_t i = 0; i < request.count; i++)
            assert_false(findings[i].is_wrong);
    } while (!request.is_complete);
    free(findings);
    return request.cursor;
}

static void a_check_finds_nothing_wrong_with_what_is_sound(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    keep_file(me, &bob, "one", "text");
    keep_file(me, &bob, "two", "text");
    append(me, &bob, &bob, "small");
    struct ks_stage *stage = stage_message(me, &bob, "large");
    assert_int_equal(append_stage(me, &bob, &bob, stage, 5, NULL), KS_OK);
    append(me, &bob, &bob, "last");
    struct ks_check_cursor checked = check_all(me, false);
    assert_int_equal(checked.wrong, 0);
    assert_int_equal(checked.files, 2);
    assert_int_equal(checked.messages, 3);
}

static void a_check_deletes_nothing(struct party *me)
{
    struct ks_client_id bob = new_user(me, "bob");
    keep_file(me, &bob, "one", "text");
    append(me, &bob, &bob, "small");
    struct ks_stage *stage = stage_file(me, &bob, "in motion", "text");
    check_all(me, true);
    assert_waiting(me, &bob, "small");
    assert_int_equal(confirm(me, stage, NULL), KS_OK);
    assert_files(me, "bob", 2, 8);
}

static void an_empty_store_is_checked_soon(struct party *me)
{
    struct ks_check_cursor checked = check_all(me, false);
    assert_int_equal(checked.files + checked.messages + checked.wrong, 0);
}

static void a_probe_is_answered(struct party *me)
{
    assert_int_equal(probe(me), KS_OK);
}

static const struct contract_case cases[] = {
    CASE(details_tell_what_is_stored_of_a_user),
    CASE(details_of_who_has_nothing_are_zeros),
    CASE(nobody_is_described_by_half_a_name),
    CASE(a_name_means_who_has_exactly_its_letters),
    CASE_NEEDS(details_are_the_same_after_a_restart, CONTRACT_REOPENS),
    CASE(pages_have_all_users_in_the_order_of_registration),
    CASE(pages_go_on_over_users_who_are_removed_meanwhile),
    CASE(a_reset_forgets_both_keys),
    CASE(after_a_reset_the_next_public_key_is_stored),
    CASE_NEEDS(a_reset_holds_after_a_restart, CONTRACT_REOPENS),
    CASE(a_session_keeps_its_key_over_a_reset),
    CASE_NEEDS(who_was_reset_is_not_dropped_for_having_no_key, CONTRACT_DROPS_USERS),
    CASE(a_removed_user_is_known_nowhere),
    CASE(a_removed_user_takes_its_messages_along),
    CASE(of_a_removed_receiver_nothing_settles_any_more),
    CASE(what_a_removed_user_has_sent_stays),
    CASE(the_name_of_a_removed_user_is_free_and_has_nothing),
    CASE(others_keep_what_is_theirs),
    CASE_NEEDS(a_removed_user_is_gone_after_a_restart, CONTRACT_REOPENS),
    CASE(whatever_is_asked_around_a_removal_is_answered),
    CASE(a_check_finds_nothing_wrong_with_what_is_sound),
    CASE(a_check_deletes_nothing),
    CASE(an_empty_store_is_checked_soon),
    CASE(a_probe_is_answered),
};

const struct contract_subject contract_operators = {"operators", cases, KS_COUNT_OF(cases)};
