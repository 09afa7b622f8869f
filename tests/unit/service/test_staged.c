/* test_staged.c — the registry of staged uploads: whose oldest goes when all places are taken, who waits how
 * long; and the ranking below it. */
#include "unit/unit.h"

#include "base/executor.h"
#include "base/limits/ranking.h"
#include "service/drop/staged.h"

#include <stdio.h>
#include <string.h>

enum { ALL = 6, PER_USER = 100, LIFETIME_MS = 3600 * 1000 };

static struct ks_client_id user(unsigned number)
{
    struct ks_client_id id = {{0}};
    memcpy(id.bytes, &number, sizeof number);
    return id;
}

static void fill_address(unsigned network, unsigned host, uint8_t address[static KS_NETWORK_ADDRESS_SIZE])
{
    memset(address, 0, KS_NETWORK_ADDRESS_SIZE);
    address[0] = 0x20;
    memcpy(address + 4, &network, sizeof network); /* of an IPv6 /64 */
    memcpy(address + 12, &host, sizeof host);
}

static enum ks_staged_entry enter(struct ks_staged *staged, unsigned number, unsigned network,
                                  struct ks_staged_upload *evicted)
{
    const struct ks_client_id id = user(number);
    uint8_t address[KS_NETWORK_ADDRESS_SIZE];
    fill_address(network, number, address);
    return ks_staged_enter(staged, &id, address, PER_USER, ALL, evicted);
}

static void put(struct ks_staged *staged, unsigned number, const char *name, uint64_t at_ms, bool has_files)
{
    struct ks_staged_upload upload = {.id = user(number),
                                      .name = name,
                                      .name_size = strlen(name),
                                      .owner = number,
                                      .content_size = number,
                                      .has_files = has_files,
                                      .completed_ms = at_ms};
    struct ks_staged_upload replaced;
    bool has_replaced = false;
    assert_int_equal(ks_staged_put(staged, &upload, &replaced, &has_replaced), KS_OK);
    assert_false(has_replaced);
}

/* Uploads of one user, with names and times that count up; at the end all places must not be taken. */
static void stage(struct ks_staged *staged, unsigned number, unsigned network, unsigned count)
{
    static unsigned names;
    for (unsigned i = 0; i < count; i++) {
        struct ks_staged_upload evicted;
        char name[16];
        snprintf(name, sizeof name, "%u", names++);
        assert_int_equal(enter(staged, number, network, &evicted), KS_STAGED_ENTERED);
        put(staged, number, name, names, false);
    }
}

/* Whose upload goes for one more of `number`. */
static unsigned goes_for(struct ks_staged *staged, unsigned number, unsigned network)
{
    struct ks_staged_upload evicted = {.content_size = 0};
    assert_int_equal(enter(staged, number, network, &evicted), KS_STAGED_ENTERED_FOR_ANOTHER);
    assert_int_equal(ks_staged_count(staged), ALL);
    put(staged, number, "new", 1000, false);
    return evicted.content_size;
}

static int set_up_staged(void **state)
{
    struct ks_staged *staged = NULL;
    assert_int_equal(ks_staged_new(&staged), KS_OK);
    *state = staged;
    return 0;
}

static int tear_down_staged(void **state)
{
    ks_staged_free(*state);
    return 0;
}

static void of_one_network_the_user_with_most_makes_room(void **state)
{
    stage(*state, 1, 1, 1);
    stage(*state, 2, 1, 3);
    stage(*state, 3, 1, 2);
    assert_int_equal(goes_for(*state, 4, 1), 2);
}

static void of_all_networks_the_one_with_most_makes_room_though_no_user_has_many(void **state)
{
    stage(*state, 1, 1, 2);
    for (unsigned i = 0; i < 4; i++)
        stage(*state, 10 + i, 2, 1);
    assert_in_range(goes_for(*state, 2, 3), 10, 13);
    assert_in_range(goes_for(*state, 3, 4), 10, 13);
}

static void a_larger_network_counts_as_one_whatever_its_parts(void **state)
{
    const unsigned part = 1U << 24; /* another /64 of the same /48 */
    stage(*state, 1, 1, 2);
    for (unsigned i = 0; i < 4; i++)
        stage(*state, 10 + i, 2 + i * part, 1);
    assert_in_range(goes_for(*state, 2, 3), 10, 13);
}

static void of_the_largest_the_oldest_goes(void **state)
{
    struct ks_staged *staged = *state;
    struct ks_staged_upload evicted;
    stage(staged, 1, 1, ALL);
    const uint64_t before = 0;
    assert_int_equal(enter(staged, 2, 2, &evicted), KS_STAGED_ENTERED_FOR_ANOTHER);
    uint64_t first = evicted.completed_ms;
    assert_true(first > before);
    put(staged, 2, "new", 1000, false);
    assert_int_equal(enter(staged, 3, 2, &evicted), KS_STAGED_ENTERED_FOR_ANOTHER);
    assert_int_equal(evicted.completed_ms, first + 1);
    ks_staged_leave(staged, &(struct ks_client_id){.bytes = {3}});
}

static void who_has_most_makes_room_for_itself_and_can_push_out_nobody(void **state)
{
    stage(*state, 1, 1, 1);
    stage(*state, 2, 2, ALL - 1);
    assert_int_equal(goes_for(*state, 2, 2), 2);
}

static void what_is_on_its_way_makes_no_room(void **state)
{
    struct ks_staged_upload evicted;
    for (unsigned i = 0; i < ALL; i++)
        assert_int_equal(enter(*state, i, i, &evicted), KS_STAGED_ENTERED);
    assert_int_equal(enter(*state, ALL, 1, &evicted), KS_STAGED_IS_FULL);
    assert_int_equal(ks_staged_count(*state), ALL);
    for (unsigned i = 0; i < ALL; i++) {
        const struct ks_client_id id = user(i);
        ks_staged_leave(*state, &id);
    }
    assert_int_equal(ks_staged_count(*state), 0);
}

static void five_minutes_end_the_wait_of_who_never_confirmed_only_when_half_is_taken(void **state)
{
    struct ks_staged *staged = *state;
    struct ks_staged_upload evicted;
    struct ks_staged_upload stale;
    for (unsigned i = 0; i < ALL / 2; i++) {
        assert_int_equal(enter(staged, i, i, &evicted), KS_STAGED_ENTERED);
        put(staged, i, "x", i, i == 0);
    }
    const uint64_t now_ms = KS_STAGED_UNPROVEN_MS + 1000;
    assert_false(ks_staged_take_stale(staged, now_ms, LIFETIME_MS, ALL, &stale));
    assert_int_equal(enter(staged, 9, 9, &evicted), KS_STAGED_ENTERED);
    put(staged, 9, "x", now_ms, false);
    assert_true(ks_staged_take_stale(staged, now_ms, LIFETIME_MS, ALL, &stale));
    assert_int_equal(stale.content_size, 1);
    assert_false(ks_staged_take_stale(staged, now_ms, LIFETIME_MS, ALL, &stale)); /* half is free again */
    assert_true(ks_staged_take_stale(staged, LIFETIME_MS + 1, LIFETIME_MS, ALL, &stale));
    assert_int_equal(stale.content_size, 0);
}

static void a_confirmation_ends_the_haste_for_what_waits_already(void **state)
{
    struct ks_staged *staged = *state;
    struct ks_staged_upload stale;
    const struct ks_client_id first = user(1);
    stage(staged, 1, 1, 2);
    stage(staged, 2, 2, 2);
    ks_staged_confirmed(staged, &first);
    const uint64_t now_ms = KS_STAGED_UNPROVEN_MS + 1000;
    assert_true(ks_staged_take_stale(staged, now_ms, LIFETIME_MS, 1, &stale));
    assert_true(ks_staged_take_stale(staged, now_ms, LIFETIME_MS, 1, &stale));
    assert_int_equal(stale.content_size, 2);
    assert_false(ks_staged_take_stale(staged, now_ms, LIFETIME_MS, 1, &stale));
}

/* ---- the ranking ---- */

static void the_first_of_a_ranking_is_the_heaviest_whatever_changes(void **state)
{
    (void)state;
    enum { THINGS = 100, STEPS = 5000 };
    struct ks_ranking ranking = {0};
    struct ks_ranked things[THINGS] = {{0}};
    bool is_in[THINGS] = {false};
    unsigned random = 1;
    for (unsigned step = 0; step < STEPS; step++) {
        random = random * 1103515245U + 12345U;
        unsigned at = (random >> 16) % THINGS;
        if (!is_in[at]) {
            assert_int_equal(ks_ranking_add(&ranking, &things[at]), KS_OK);
            is_in[at] = true;
        } else if (step % 7 == 0) {
            ks_ranking_remove(&ranking, &things[at]);
            is_in[at] = false;
        }
        if (is_in[at])
            ks_ranking_set_weight(&ranking, &things[at], random % 1000);
        uint64_t heaviest = 0;
        for (unsigned i = 0; i < THINGS; i++)
            if (is_in[i] && things[i].weight > heaviest)
                heaviest = things[i].weight;
        const struct ks_ranked *first = ks_ranking_first(&ranking);
        assert_int_equal(first == NULL ? 0 : first->weight, heaviest);
    }
    ks_ranking_free(&ranking);
    assert_null(ks_ranking_first(&ranking));
}

#define STAGED_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_staged, tear_down_staged)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STAGED_TEST(of_one_network_the_user_with_most_makes_room),
        STAGED_TEST(of_all_networks_the_one_with_most_makes_room_though_no_user_has_many),
        STAGED_TEST(a_larger_network_counts_as_one_whatever_its_parts),
        STAGED_TEST(of_the_largest_the_oldest_goes),
        STAGED_TEST(who_has_most_makes_room_for_itself_and_can_push_out_nobody),
        STAGED_TEST(what_is_on_its_way_makes_no_room),
        STAGED_TEST(five_minutes_end_the_wait_of_who_never_confirmed_only_when_half_is_taken),
        STAGED_TEST(a_confirmation_ends_the_haste_for_what_waits_already),
        cmocka_unit_test(the_first_of_a_ranking_is_the_heaviest_whatever_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
