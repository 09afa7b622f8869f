/* test_ask.c — the ask service without sockets: the codec, then the service behind a fake connection
 * (protocol.md §3). */
#include "service/ask/ask_service.h"
#include "support/fake_connection.h"
#include "wire/ask_codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A source of bytes by hand. */
struct source {
    struct ks_random random;
    unsigned draws;
    uint8_t next;
};

struct desk {
    struct fake_loop loop;
    struct source source;
    struct ks_ask_service_environment environment;
    struct fake_connection connection;
};

/* 0xff is no fair draw from ten, 13 stands for 4. */
static enum ks_result drawn(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    memset(bytes, 0xff, size);
    ((uint8_t *)bytes)[size - 1] = 13;
    return KS_OK;
}

static struct source *source_of(const struct ks_random *random)
{
    return (struct source *)(uintptr_t)random; /* its first member */
}

/* 0, 1, 2 and so on, to 255 and again. */
static enum ks_result count_up(const struct ks_random *random, void *bytes, size_t size)
{
    struct source *source = source_of(random);
    source->draws++;
    for (size_t i = 0; i < size; i++)
        ((uint8_t *)bytes)[i] = source->next++;
    return KS_OK;
}

/* Every other time. */
static enum ks_result fail_at_times(const struct ks_random *random, void *bytes, size_t size)
{
    struct source *source = source_of(random);
    memset(bytes, 0xff, size);
    ((uint8_t *)bytes)[size - 1] = 13;
    return source->draws++ % 2 == 0 ? KS_CRYPTO : KS_OK;
}

static void status(void *context, char text[static KS_ASK_SERVICE_STATUS_SIZE])
{
    (void)context;
    snprintf(text, KS_ASK_SERVICE_STATUS_SIZE, "all is well");
}

static int set_up(void **state)
{
    static const struct ks_random random = {.fill = drawn};
    struct desk *desk = calloc(1, sizeof *desk);
    assert_non_null(desk);
    setenv("TZ", "UTC", 1);
    fake_loop_init(&desk->loop, 1024);
    fake_loop_keep_log(&desk->loop);
    desk->environment = (struct ks_ask_service_environment){.clock = &desk->loop.time.clock,
                                                            .random = &random,
                                                            .log = &desk->loop.log,
                                                            .name = "desk",
                                                            .status = status};
    assert_true(
        fake_connection_open(&desk->connection, &desk->loop, &ks_ask_service_events, &desk->environment));
    *state = desk;
    return 0;
}

static int tear_down(void **state)
{
    struct desk *desk = *state;
    fake_connection_close(&desk->connection);
    fake_loop_destroy(&desk->loop);
    free(desk);
    return 0;
}

static void say(struct desk *desk, const char *text)
{
    fake_connection_send(&desk->connection, text, strlen(text), 0);
}

/* All that was written so far, behind the banner. */
static void assert_answers(struct desk *desk, const char *answers)
{
    size_t size = strlen(answers);
    assert_int_equal(desk->connection.output.size, KS_ASK_BANNER_SIZE + size);
    assert_memory_equal(desk->connection.output.bytes, KS_ASK_BANNER, KS_ASK_BANNER_SIZE);
    assert_memory_equal(desk->connection.output.bytes + KS_ASK_BANNER_SIZE, answers, size);
}

#define UNKNOWN "0058unknown request: there are TIME, NAME, RAND, STAT and EXIT"

/* ---- the codec ---- */

static void a_greeting_is_all_that_came_unless_hi_stands_alone_or_before_a_request(void **state)
{
    static const struct {
        const char *bytes;
        size_t greeting; /* 0: more is needed */
    } cases[] = {{"H", 0},       {"Hi", 2},       {"Hi\n", 2},  {"Hi\r\nTIME", 2}, {"HiTIME", 2},
                 {"HiexitX", 2}, {"Hi there", 8}, {"hello", 5}, {"HELO", 4},       {"x", 1},
                 {"\n", 1},      {"HiTI", 4},     {"Hit", 3},   {"HiX", 3},        {"HiTIMX", 6}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t greeting = 0;
        enum ks_result result =
            ks_ask_greeting((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), &greeting);
        assert_int_equal(result, cases[i].greeting == 0 ? KS_MORE : KS_OK);
        assert_int_equal(greeting, cases[i].greeting);
    }
}

static void a_request_is_four_letters_or_a_shorter_line(void **state)
{
    static const struct {
        const char *bytes;
        enum ks_result result;
        enum ks_ask_request request;
        size_t taken;
    } cases[] = {{"TIME", KS_OK, KS_ASK_TIME, 4},      {"nAmE", KS_OK, KS_ASK_NAME, 4},
                 {"RANDSTAT", KS_OK, KS_ASK_RAND, 4},  {"\r\n\nSTAT\n", KS_OK, KS_ASK_STAT, 7},
                 {"exit", KS_OK, KS_ASK_EXIT, 4},      {"TIM", KS_MORE, KS_ASK_UNKNOWN, 0},
                 {"TI\nME", KS_OK, KS_ASK_UNKNOWN, 2}, {"\n\nT", KS_MORE, KS_ASK_UNKNOWN, 2},
                 {"", KS_MORE, KS_ASK_UNKNOWN, 0},     {"ABCDE", KS_OK, KS_ASK_UNKNOWN, 4}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        enum ks_ask_request request = KS_ASK_UNKNOWN;
        size_t taken = 99;
        assert_int_equal(
            ks_ask_request_parse((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), &request, &taken),
            cases[i].result);
        assert_int_equal(request, cases[i].request);
        assert_int_equal(taken, cases[i].taken);
    }
}

static void a_length_is_four_digits_with_zeros(void **state)
{
    uint8_t digits[KS_ASK_LENGTH_SIZE];
    size_t size = 0;
    (void)state;
    for (size_t i = 0; i <= KS_ASK_ANSWER_LIMIT; i++) {
        char expected[24];
        snprintf(expected, sizeof expected, "%04zu", i);
        ks_ask_length_encode(i, digits);
        assert_memory_equal(digits, expected, 4);
        assert_int_equal(ks_ask_length_parse(digits, &size), KS_OK);
        assert_int_equal(size, i);
    }
    assert_int_equal(ks_ask_length_parse((const uint8_t *)"00 1", &size), KS_INVALID);
}

/* ---- the service ---- */

static void every_request_gets_its_answer(void **state)
{
    struct desk *desk = *state;
    say(desk, "Hi");
    assert_answers(desk, "");
    say(desk, "TIME");
    say(desk, "name");
    say(desk, "RaNd");
    say(desk, "STAT");
    say(desk, "WHAT");
    assert_answers(desk, "00192023-11-14 22:13:200004desk000140011all is well" UNKNOWN);
}

static void use_source(struct desk *desk,
                       enum ks_result (*fill)(const struct ks_random *random, void *bytes, size_t size))
{
    desk->source.random.fill = fill;
    desk->environment.random = &desk->source.random;
}

/* Sends RAND so often at once, and counts the answers of each number. */
static void say_rand(struct desk *desk, unsigned count, unsigned answers[11])
{
    char *requests = calloc(count, 4);
    assert_non_null(requests);
    for (size_t i = 0; i < count; i++)
        memcpy(requests + i * 4, "RAND", 4);
    size_t next = desk->connection.output.size;
    fake_connection_send(&desk->connection, requests, (size_t)count * 4, 0);
    free(requests);
    memset(answers, 0, 11 * sizeof answers[0]);
    while (next < desk->connection.output.size) {
        size_t size = 0;
        char digits[3] = "";
        const uint8_t *answer = desk->connection.output.bytes + next;
        assert_int_equal(ks_ask_length_parse(answer, &size), KS_OK);
        assert_in_range(size, 1, 2);
        memcpy(digits, answer + KS_ASK_LENGTH_SIZE, size);
        int number = atoi(digits);
        assert_in_range(number, 1, 10);
        answers[number]++;
        next += KS_ASK_LENGTH_SIZE + size;
    }
}

/* Of a source that is even, which is to say, no byte is used twice and none is preferred. */
static void random_numbers_are_even_and_asked_for_together_cost_few_draws(void **state)
{
    struct desk *desk = *state;
    unsigned answers[11];
    use_source(desk, count_up);
    say(desk, "Hi");
    say_rand(desk, 250, answers); /* of 256 values six are no fair draws */
    for (size_t i = 1; i <= 10; i++)
        assert_int_equal(answers[i], 25);
    assert_in_range(desk->source.draws, 1, 25);
}

static void random_numbers_asked_for_one_by_one_are_fresh_each(void **state)
{
    struct desk *desk = *state;
    use_source(desk, count_up);
    say(desk, "Hi");
    for (unsigned i = 1; i <= 20; i++) {
        unsigned answers[11];
        say_rand(desk, 1, answers);
        assert_int_equal(desk->source.draws, i);
    }
}

static void without_randomness_there_is_no_number(void **state)
{
    struct desk *desk = *state;
    use_source(desk, fail_at_times);
    say(desk, "Hi");
    say(desk, "RANDRANDRAND");
    assert_answers(desk, "0023no randomness to be had"
                         "00014"
                         "0023no randomness to be had");
}

static void time_goes_on(void **state)
{
    struct desk *desk = *state;
    say(desk, "HiTIME");
    fake_connection_wait(&desk->connection, 61000);
    say(desk, "TIME");
    assert_answers(desk, "00192023-11-14 22:13:2000192023-11-14 22:14:21");
}

static void requests_may_come_at_any_cut(void **state)
{
    static const char all[] = "HiNAME\r\nname\nNAMEname";
    (void)state;
    for (size_t cut = 1; cut < sizeof all - 1; cut++) {
        void *fresh = NULL;
        set_up(&fresh);
        struct desk *desk = fresh;
        size_t first = cut > 2 && cut < 6 ? 2 : cut; /* else part of a request is part of the greeting */
        fake_connection_send(&desk->connection, all, first, 0);
        fake_connection_send(&desk->connection, all + first, cut - first, 0);
        fake_connection_send(&desk->connection, all + cut, sizeof all - 1 - cut, 0);
        assert_answers(desk, "0004desk0004desk0004desk0004desk");
        tear_down(&fresh);
    }
}

static void requests_may_come_one_byte_at_a_time(void **state)
{
    struct desk *desk = *state;
    fake_connection_send(&desk->connection, "Hi\r\nNAME\r\nRAND", 14, 1);
    assert_answers(desk, "0004desk00014");
}

static void a_lone_h_and_what_follows_are_one_greeting(void **state)
{
    struct desk *desk = *state;
    say(desk, "H");
    assert_int_equal(desk->connection.output.size, 0);
    say(desk, "ello NAME");
    say(desk, "NAME");
    assert_answers(desk, "0004desk");
}

static void a_line_ends_a_shorter_request(void **state)
{
    struct desk *desk = *state;
    say(desk, "Hi\nab\nNAME");
    assert_answers(desk, UNKNOWN "0004desk");
}

static void a_part_is_complete_after_a_second_of_silence(void **state)
{
    struct desk *desk = *state;
    say(desk, "HiNA");
    fake_connection_wait(&desk->connection, 999);
    say(desk, "M");
    fake_connection_wait(&desk->connection, 999);
    assert_answers(desk, "");
    fake_connection_wait(&desk->connection, 1);
    assert_answers(desk, UNKNOWN);
    say(desk, "NAME");
    assert_answers(desk, UNKNOWN "0004desk");
}

static void a_greeting_may_take_its_time(void **state)
{
    struct desk *desk = *state;
    fake_connection_wait(&desk->connection, 3600000);
    say(desk, "H");
    fake_connection_wait(&desk->connection, 3600000);
    assert_true(desk->connection.idle); /* it makes room for others */
    say(desk, "i");
    fake_connection_wait(&desk->connection, 3600000);
    say(desk, "NAME");
    assert_answers(desk, "0004desk");
}

static void exit_ends_the_connection_behind_the_answers_and_without_one(void **state)
{
    struct desk *desk = *state;
    say(desk, "HiNAMENAMEEXITNAME");
    assert_answers(desk, "0004desk0004desk");
    assert_true(desk->connection.finished);
}

static void who_ends_his_side_gets_his_answers(void **state)
{
    struct desk *desk = *state;
    say(desk, "HiNAMEab");
    fake_connection_end(&desk->connection);
    assert_answers(desk, "0004desk" UNKNOWN);
    assert_true(desk->connection.finished);
}

/* More of them than go into the output at once, of all sizes. */
static void answers_to_what_came_together_are_those_to_each(void **state)
{
    enum { COUNT = 200 };
    static const char requests[] = "STATNAMEbad\nTIME";
    struct desk *desk = *state;
    char together[COUNT * sizeof requests] = "";
    say(desk, "Hi");
    size_t start = desk->connection.output.size;
    say(desk, requests);
    size_t size = desk->connection.output.size - start;
    assert_true(size > 0);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(together + i * (sizeof requests - 1), requests, sizeof requests);
    say(desk, together);
    assert_int_equal(desk->connection.output.size, start + (COUNT + 1) * size);
    for (size_t i = 1; i <= COUNT; i++)
        assert_memory_equal(desk->connection.output.bytes + start + i * size,
                            desk->connection.output.bytes + start, size);
}

static void a_flood_waits_for_its_answers_to_go_out(void **state)
{
    struct desk *desk = *state;
    enum { COUNT = 100000 };
    char *flood = malloc(COUNT * 4);
    assert_non_null(flood);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(flood + i * 4, "NAME", 4);
    say(desk, "Hi");
    desk->connection.window = desk->connection.taken;
    fake_connection_send(&desk->connection, flood, COUNT * 4, 1000);
    assert_in_range(desk->connection.output.size, KS_OUTPUT_HIGH_WATER, KS_OUTPUT_HIGH_WATER + 1000);
    fake_connection_take(&desk->connection, SIZE_MAX / 2);
    assert_int_equal(desk->connection.output.size, KS_ASK_BANNER_SIZE + COUNT * 8);
    free(flood);
}

#define DESK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_greeting_is_all_that_came_unless_hi_stands_alone_or_before_a_request),
        cmocka_unit_test(a_request_is_four_letters_or_a_shorter_line),
        cmocka_unit_test(a_length_is_four_digits_with_zeros),
        DESK_TEST(every_request_gets_its_answer),
        DESK_TEST(random_numbers_are_even_and_asked_for_together_cost_few_draws),
        DESK_TEST(random_numbers_asked_for_one_by_one_are_fresh_each),
        DESK_TEST(without_randomness_there_is_no_number),
        DESK_TEST(time_goes_on),
        cmocka_unit_test(requests_may_come_at_any_cut),
        DESK_TEST(requests_may_come_one_byte_at_a_time),
        DESK_TEST(a_lone_h_and_what_follows_are_one_greeting),
        DESK_TEST(a_line_ends_a_shorter_request),
        DESK_TEST(a_part_is_complete_after_a_second_of_silence),
        DESK_TEST(a_greeting_may_take_its_time),
        DESK_TEST(exit_ends_the_connection_behind_the_answers_and_without_one),
        DESK_TEST(who_ends_his_side_gets_his_answers),
        DESK_TEST(answers_to_what_came_together_are_those_to_each),
        DESK_TEST(a_flood_waits_for_its_answers_to_go_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
