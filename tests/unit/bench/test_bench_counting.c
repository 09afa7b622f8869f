/* Unit tests of what kesher-bench counts with: bench/load/stamps.h, bench/traffic/id_set.h and
 * bench/traffic/roll.h. */
#include "unit/unit.h"

#include "bench/load/stamps.h"
#include "bench/traffic/id_set.h"
#include "bench/traffic/roll.h"

/* ---- stamps ---- */

static void assert_taken(struct ks_stamps *stamps, uint32_t queue, uint32_t limit, uint32_t count,
                         uint64_t time_ns)
{
    uint64_t found = 0;
    assert_int_equal(ks_stamps_take(stamps, queue, limit, &found), count);
    assert_int_equal(found, time_ns);
}

static void stamps_come_back_in_order(void **state)
{
    (void)state;
    struct ks_stamps stamps;
    assert_true(ks_stamps_init(&stamps, 2, 10));
    ks_stamps_put(&stamps, 1, 3, 100);
    ks_stamps_put(&stamps, 0, 1, 200);
    ks_stamps_put(&stamps, 1, 7, 300);
    assert_int_equal(ks_stamps_count(&stamps, 1), 10);
    assert_taken(&stamps, 1, 2, 2, 100);
    assert_taken(&stamps, 1, 5, 1, 100);
    assert_taken(&stamps, 1, 5, 5, 300);
    assert_taken(&stamps, 0, 1, 1, 200);
    assert_int_equal(ks_stamps_count(&stamps, 0), 0);
    assert_int_equal(ks_stamps_count(&stamps, 1), 2);
    ks_stamps_free(&stamps);
    ks_stamps_free(&stamps);
}

/* As many runs as fit, again and again, so that every place is used in every order. */
static void stamps_go_round(void **state)
{
    (void)state;
    enum { DEPTH = 5 };
    struct ks_stamps stamps;
    uint64_t written = 0;
    uint64_t read = 0;
    assert_true(ks_stamps_init(&stamps, 3, DEPTH));
    for (unsigned round = 0; round < 50; round++) {
        while (ks_stamps_count(&stamps, 2) < DEPTH)
            ks_stamps_put(&stamps, 2, 1, ++written);
        for (unsigned i = 0; i <= round % DEPTH; i++)
            assert_taken(&stamps, 2, 1, 1, ++read);
    }
    ks_stamps_free(&stamps);
}

/* ---- ids ---- */

static void an_id_is_new_only_once(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct ks_id_set set;
    assert_true(ks_id_set_init(&set, COUNT));
    for (unsigned again = 0; again < 2; again++)
        for (unsigned i = 0; i < COUNT; i++) {
            uint8_t id[KS_CLIENT_ID_SIZE] = {0};
            id[i % 2 == 0 ? 0 : 15] = 1;
            memcpy(id + 6, &i, sizeof i);
            assert_int_equal(ks_id_set_add(&set, id), again == 0);
        }
    ks_id_set_free(&set);
    ks_id_set_free(&set);
}

static void zeros_are_no_id(void **state)
{
    (void)state;
    const uint8_t zeros[KS_CLIENT_ID_SIZE] = {0};
    struct ks_id_set set;
    assert_true(ks_id_set_init(&set, 1));
    assert_false(ks_id_set_add(&set, zeros));
    ks_id_set_free(&set);
}

/* ---- names ---- */

static enum ks_roll_call call(struct ks_roll *roll, uint32_t index)
{
    uint8_t field[KS_TEXT_FIELD_SIZE] = {0};
    ks_roll_name(roll, index, field);
    return ks_roll_call(roll, field);
}

static void names_tell_run_and_number(void **state)
{
    (void)state;
    struct ks_roll roll;
    uint8_t field[KS_TEXT_FIELD_SIZE] = {0};
    assert_true(ks_roll_init(&roll, 0xABC, 100));
    ks_roll_name(&roll, 42, field);
    assert_string_equal((const char *)field, "bench-0000000000000abc-00000042");
    ks_roll_free(&roll);
    ks_roll_free(&roll);
}

static void each_is_called_once(void **state)
{
    (void)state;
    enum { COUNT = 200 };
    struct ks_roll roll;
    assert_true(ks_roll_init(&roll, 7, COUNT));
    for (uint32_t i = COUNT; i-- > 0;)
        assert_int_equal(call(&roll, i), KS_ROLL_CALLED);
    assert_int_equal(roll.called_count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(call(&roll, i), KS_ROLL_TWICE);
    assert_int_equal(roll.called_count, COUNT);
    ks_roll_free(&roll);
}

static void the_missing_are_found(void **state)
{
    (void)state;
    struct ks_roll roll;
    assert_true(ks_roll_init(&roll, 7, 130));
    assert_int_equal(ks_roll_first_missing(&roll, 0), 1);
    for (uint32_t i = 0; i < 130; i++)
        if (i != 3 && i != 128)
            assert_int_equal(call(&roll, i), KS_ROLL_CALLED);
    assert_int_equal(ks_roll_first_missing(&roll, 0), 3);
    assert_int_equal(ks_roll_first_missing(&roll, 3), 128);
    assert_int_equal(call(&roll, 128), KS_ROLL_CALLED);
    assert_int_equal(ks_roll_first_missing(&roll, 3), 130);
    ks_roll_free(&roll);
}

static const struct {
    const char *name;
    enum ks_roll_call result;
} others[] = {
    {"alice", KS_ROLL_STRANGER},
    {"", KS_ROLL_STRANGER},
    {"bench-0000000000000008-00000001", KS_ROLL_STRANGER},
    {"bench-0000000000000007", KS_ROLL_STRANGER},
    {"bench-0000000000000007-00000010", KS_ROLL_UNKNOWN},
    {"bench-0000000000000007-99999999", KS_ROLL_UNKNOWN},
    {"bench-0000000000000007-0000000", KS_ROLL_UNKNOWN},
    {"bench-0000000000000007-000000011", KS_ROLL_UNKNOWN},
    {"bench-0000000000000007-0000000x", KS_ROLL_UNKNOWN},
    {"bench-0000000000000007-", KS_ROLL_UNKNOWN},
};

static void others_are_told_apart(void **state)
{
    (void)state;
    struct ks_roll roll;
    assert_true(ks_roll_init(&roll, 7, 10));
    for (size_t i = 0; i < KS_COUNT_OF(others); i++) {
        uint8_t field[KS_TEXT_FIELD_SIZE] = {0};
        memcpy(field, others[i].name, strlen(others[i].name));
        assert_int_equal(ks_roll_call(&roll, field), others[i].result);
    }
    assert_int_equal(roll.called_count, 0);
    ks_roll_free(&roll);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps_come_back_in_order), cmocka_unit_test(stamps_go_round),
        cmocka_unit_test(an_id_is_new_only_once),    cmocka_unit_test(zeros_are_no_id),
        cmocka_unit_test(names_tell_run_and_number), cmocka_unit_test(each_is_called_once),
        cmocka_unit_test(the_missing_are_found),     cmocka_unit_test(others_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
