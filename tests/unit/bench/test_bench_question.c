/* Unit tests of bench/traffic/question.h: which answers the mode ask takes for right. */
#include "unit/unit.h"

#include "bench/traffic/question.h"

struct judged {
    enum ks_result result;
    uint32_t count;
    size_t taken;
};

/* Judges a copy of the text, behind whose end nothing may be read. */
static struct judged judge(struct ks_question *question, const char *text, uint32_t limit)
{
    struct judged judged = {0};
    uint8_t *copy = unit_exact_copy(text, strlen(text));
    judged.result = ks_question_judge(question, copy, strlen(text), limit, &judged.count, &judged.taken);
    free(copy);
    return judged;
}

static void assert_judged(struct judged judged, enum ks_result result, uint32_t count, size_t taken)
{
    assert_int_equal(judged.result, result);
    assert_int_equal(judged.count, count);
    assert_int_equal(judged.taken, taken);
}

static void choose(struct ks_question *question, const char *protocol, const char *request)
{
    assert_int_equal(ks_question_choose(question, protocol, request), KS_OK);
}

static void only_what_is_known_can_be_chosen(void **state)
{
    (void)state;
    struct ks_question question;
    assert_int_equal(ks_question_choose(&question, "mqtt", "NAME"), KS_NOT_FOUND);
    assert_int_equal(ks_question_choose(&question, "kesher", "EXIT"), KS_NOT_FOUND);
    choose(&question, "kesher", "STAT");
    assert_string_equal(question.greeting, "Hi");
    assert_string_equal(question.request, "STAT");
    choose(&question, "redis", "NAME");
    assert_string_equal(question.greeting, "");
    assert_string_equal(question.request, "*1\r\n$4\r\nPING\r\n");
    assert_int_equal(question.request_size, 14);
}

static void every_name_equals_the_first(void **state)
{
    (void)state;
    struct ks_question question;
    choose(&question, "kesher", "NAME");
    assert_judged(judge(&question, "000", 9), KS_OK, 0, 0);
    assert_judged(judge(&question, "0003ab", 9), KS_OK, 0, 0);
    assert_judged(judge(&question, "0003abc0003abc0003", 9), KS_OK, 2, 14);
    assert_judged(judge(&question, "0003abc", 9), KS_OK, 1, 7);
    assert_judged(judge(&question, "0003abd", 9), KS_INVALID, 0, 0);
    assert_judged(judge(&question, "0002ab", 9), KS_INVALID, 0, 0);
    assert_judged(judge(&question, "0003abc0003abc0004abcd", 9), KS_INVALID, 2, 14);
    assert_judged(judge(&question, "0003abc1", 9), KS_INVALID, 1, 7);
}

static void a_wrong_one_among_the_first_is_seen(void **state)
{
    (void)state;
    struct ks_question question;
    choose(&question, "kesher", "NAME");
    assert_judged(judge(&question, "0003abc0003abx", 9), KS_INVALID, 1, 7);
}

static void there_are_no_more_answers_than_requests(void **state)
{
    (void)state;
    struct ks_question question;
    choose(&question, "echo", "NAME");
    assert_judged(judge(&question, "PINGPING", 2), KS_OK, 2, 8);
    assert_judged(judge(&question, "PINGPINGP", 2), KS_INVALID, 2, 8);
    assert_judged(judge(&question, "PING", 0), KS_INVALID, 0, 0);
    choose(&question, "kesher", "NAME");
    assert_judged(judge(&question, "0001x", 0), KS_INVALID, 0, 0);
    choose(&question, "kesher", "RAND");
    assert_judged(judge(&question, "00011000120001", 2), KS_INVALID, 2, 10);
}

/* More answers than are compared at a time. */
static void long_rows_are_compared(void **state)
{
    (void)state;
    enum { COUNT = 3 * KS_QUESTION_ROW_SIZE / 4 + 5 };
    struct ks_question question;
    char *text = malloc(4 * COUNT + 1);
    assert_non_null(text);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(text + 4 * i, "PING", 5);
    choose(&question, "echo", "NAME");
    assert_judged(judge(&question, text, COUNT), KS_OK, COUNT, 4 * COUNT);
    for (size_t wrong = 0; wrong < 4 * COUNT; wrong += 997) {
        char right = text[wrong];
        text[wrong] = 'x';
        assert_judged(judge(&question, text, COUNT), KS_INVALID, (uint32_t)(wrong / 4), wrong / 4 * 4);
        text[wrong] = right;
    }
    free(text);
}

static const struct {
    const char *request;
    const char *answer;
    enum ks_result result;
} forms[] = {
    {"TIME", "00192026-02-28 23:59:60", KS_OK},
    {"TIME", "00192026-12-01 00:00:00", KS_OK},
    {"TIME", "00192026-13-01 00:00:00", KS_INVALID},
    {"TIME", "00192026-00-01 00:00:00", KS_INVALID},
    {"TIME", "00192026-01-32 00:00:00", KS_INVALID},
    {"TIME", "00192026-01-01 24:00:00", KS_INVALID},
    {"TIME", "00192026-01-01 00:60:00", KS_INVALID},
    {"TIME", "00192026-01-01T00:00:00", KS_INVALID},
    {"TIME", "0007unknown", KS_INVALID},
    {"TIME", "00182026-02-28 23:59:5", KS_INVALID},
    {"RAND", "00011", KS_OK},
    {"RAND", "00019", KS_OK},
    {"RAND", "000210", KS_OK},
    {"RAND", "00010", KS_INVALID},
    {"RAND", "000211", KS_INVALID},
    {"RAND", "000201", KS_INVALID},
    {"RAND", "0000", KS_INVALID},
    {"RAND", "x0011", KS_INVALID},
    {"STAT", "0006all ok", KS_OK},
    {"STAT", "0006all\nok", KS_INVALID},
    {"STAT", "0000", KS_INVALID},
    {"NAME", "0000", KS_INVALID},
    {"NAME", "+OK\r\n", KS_INVALID},
};

static void other_answers_have_a_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(forms); i++) {
        struct ks_question question;
        bool right = forms[i].result == KS_OK;
        choose(&question, "kesher", forms[i].request);
        struct judged judged = judge(&question, forms[i].answer, 1);
        assert_judged(judged, forms[i].result, right, right ? strlen(forms[i].answer) : 0);
    }
}

static void a_version_is_a_line(void **state)
{
    (void)state;
    struct ks_question question;
    choose(&question, "memcached", "NAME");
    assert_judged(judge(&question, "VERS", 9), KS_OK, 0, 0);
    assert_judged(judge(&question, "VERSION 1.6", 9), KS_OK, 0, 0);
    assert_judged(judge(&question, "ERROR\r\n", 9), KS_INVALID, 0, 0);
    assert_judged(judge(&question, "VERSION 1\n", 9), KS_INVALID, 0, 0);
    assert_judged(judge(&question, "VERSION \r\n", 9), KS_INVALID, 0, 0);
    assert_judged(judge(&question, "VERSION 1.6\r\nVERSION 1.6\r\nVE", 9), KS_OK, 2, 26);
    assert_judged(judge(&question, "VERSION 1.7\r\n", 9), KS_INVALID, 0, 0);
}

static void a_version_has_an_end(void **state)
{
    (void)state;
    char text[400] = "VERSION ";
    struct ks_question question;
    memset(text + 8, '1', sizeof text - 9);
    choose(&question, "memcached", "NAME");
    assert_judged(judge(&question, text, 9), KS_INVALID, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_known_can_be_chosen),
        cmocka_unit_test(every_name_equals_the_first),
        cmocka_unit_test(a_wrong_one_among_the_first_is_seen),
        cmocka_unit_test(there_are_no_more_answers_than_requests),
        cmocka_unit_test(long_rows_are_compared),
        cmocka_unit_test(other_answers_have_a_form),
        cmocka_unit_test(a_version_is_a_line),
        cmocka_unit_test(a_version_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
