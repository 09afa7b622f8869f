/* The contract of store.h, kept by the store in memory that other unit tests build on: once with answers
 * inside the call, and once with posted ones. */
#include "unit/store/contract/contract.h"

#include "support/fake_store.h"

static void *new_store(const struct ks_clock *clock, const struct ks_store_limits *limits)
{
    struct fake_store *store = malloc(sizeof *store);
    assert_non_null(store);
    fake_store_init(store);
    store->clock = clock;
    store->limits = limits;
    return store;
}

static void *new_store_that_posts(const struct ks_clock *clock, const struct ks_store_limits *limits)
{
    struct fake_store *store = new_store(clock, limits);
    store->later = true;
    return store;
}

static struct ks_store *open_store(void *place)
{
    struct fake_store *store = place;
    return &store->store;
}

static void free_store(void *place)
{
    fake_store_destroy(place);
    free(place);
}

int main(void)
{
    static const struct contract_harness at_once = {.name = "in memory, at once",
                                                    .lacks = CONTRACT_THREADS | CONTRACT_DROPS_USERS,
                                                    .set_up = new_store,
                                                    .open = open_store,
                                                    .tear_down = free_store};
    static const struct contract_harness later = {.name = "in memory, later",
                                                  .lacks = CONTRACT_THREADS | CONTRACT_DROPS_USERS,
                                                  .set_up = new_store_that_posts,
                                                  .open = open_store,
                                                  .tear_down = free_store};
    return contract_run(&at_once) | contract_run(&later);
}
