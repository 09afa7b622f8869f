/* Unit tests of src/store/embedded/writer/write_turn.h: one at a time, and who is in a hurry first. */
#include "unit/unit.h"

#include "store/embedded/writer/write_turn.h"

enum { EACH = 20000 };

struct table {
    struct ks_write_turn turn;
    unsigned long changes; /* of whose turn it is */
    bool filer_is_first;
};

static void *change_often(struct table *table, bool in_a_hurry)
{
    for (int i = 0; i < EACH; i++) {
        ks_write_turn_take(&table->turn, in_a_hurry);
        table->changes++;
        ks_write_turn_give(&table->turn);
    }
    return NULL;
}

static void *be_writer(void *table)
{
    return change_often(table, true);
}

static void *be_filer(void *table)
{
    return change_often(table, false);
}

static void one_at_a_time_has_the_turn(void **state)
{
    (void)state;
    struct table table = {.changes = 0};
    pthread_t writer;
    pthread_t filer;
    ks_write_turn_init(&table.turn);
    assert_int_equal(pthread_create(&writer, NULL, be_writer, &table), 0);
    assert_int_equal(pthread_create(&filer, NULL, be_filer, &table), 0);
    pthread_join(writer, NULL);
    pthread_join(filer, NULL);
    assert_int_equal(table.changes, 2 * EACH);
    ks_write_turn_destroy(&table.turn);
}

static void *take_in_a_hurry(void *context)
{
    struct table *table = context;
    ks_write_turn_take(&table->turn, true);
    table->changes++;
    ks_write_turn_give(&table->turn);
    return NULL;
}

/* Was it here before who is in a hurry? */
static void *take_patiently(void *context)
{
    struct table *table = context;
    ks_write_turn_take(&table->turn, false);
    table->filer_is_first = table->changes == 0;
    ks_write_turn_give(&table->turn);
    return NULL;
}

static void the_turn_is_wanted_when_somebody_in_a_hurry_waits(void **state)
{
    (void)state;
    struct table table = {.changes = 0};
    pthread_t writer;
    ks_write_turn_init(&table.turn);
    ks_write_turn_take(&table.turn, false);
    assert_false(ks_write_turn_is_wanted(&table.turn));
    assert_int_equal(pthread_create(&writer, NULL, take_in_a_hurry, &table), 0);
    while (!ks_write_turn_is_wanted(&table.turn))
        ;
    assert_int_equal(table.changes, 0);
    ks_write_turn_give(&table.turn);
    pthread_join(writer, NULL);
    assert_false(ks_write_turn_is_wanted(&table.turn));
    ks_write_turn_destroy(&table.turn);
}

static void who_is_in_a_hurry_goes_before_who_is_not(void **state)
{
    (void)state;
    struct table table = {.changes = 0};
    pthread_t writer;
    pthread_t filer;
    ks_write_turn_init(&table.turn);
    ks_write_turn_take(&table.turn, true);
    assert_int_equal(pthread_create(&writer, NULL, take_in_a_hurry, &table), 0);
    while (!ks_write_turn_is_wanted(&table.turn))
        ;
    assert_int_equal(pthread_create(&filer, NULL, take_patiently, &table), 0);
    ks_write_turn_give(&table.turn);
    pthread_join(writer, NULL);
    pthread_join(filer, NULL);
    assert_false(table.filer_is_first);
    ks_write_turn_destroy(&table.turn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time_has_the_turn),
        cmocka_unit_test(the_turn_is_wanted_when_somebody_in_a_hurry_waits),
        cmocka_unit_test(who_is_in_a_hurry_goes_before_who_is_not),
    };
    return cmocka_run_group_tests_name("store_write_turn", tests, NULL, NULL);
}
