/* Unit tests of client/transport/request.h: which outcome of a request leads to another try, by its policy.
 * The server is a socket that listens, so that connections can be made; what happens on them is the script's.
 */
#include "unit/unit.h"

#include "client/failure.h"
#include "client/transport/request.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STEP_COUNT = 16 };

/* What one try does. */
struct step {
    enum kesher_status status;
    bool spends;
    bool answers; /* an answer has begun */
    uint16_t code;
    bool progresses;
    bool is_for_later;
};

struct play {
    struct ks_client_session session;
    struct kesher_identity identity;
    int listener;
    int holder; /* of the port: nobody else gets it when the listener has gone */
    struct step steps[STEP_COUNT];
    const struct ks_channel *channels[STEP_COUNT]; /* over which each was tried */
    size_t tries;
    unsigned notices;
    bool spent;
    bool progressed;
    bool later;
    uint16_t code;
};

static void count_notice(void *context, const char *line)
{
    struct play *play = context;
    assert_true(line[0] != '\0');
    play->notices++;
}

/* A socket at the address, whose port others of the kind may share; from then on, the address tells which. */
static int bound_socket(struct sockaddr_in *address)
{
    const int on = 1;
    socklen_t size = sizeof *address;
    int made = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(made >= 0);
    assert_int_equal(setsockopt(made, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    assert_int_equal(bind(made, (struct sockaddr *)address, size), 0);
    assert_int_equal(getsockname(made, (struct sockaddr *)address, &size), 0);
    return made;
}

static void setup(struct play *play, const struct kesher_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char text[32];
    struct kesher_options quick = *options;
    quick.backoff_ms = 1;
    quick.observer = (struct kesher_observer){.context = play, .notice = count_notice};
    play->holder = bound_socket(&address);
    play->listener = bound_socket(&address);
    assert_int_equal(listen(play->listener, 64), 0);
    assert_true(snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port)) > 0);
    assert_int_equal(ks_client_session_init(&play->session, NULL, text, &quick, NULL), KESHER_OK);
}

static void server_goes(struct play *play)
{
    close(play->listener);
    play->listener = -1;
}

static void teardown(struct play *play)
{
    play->session.identity = NULL;
    ks_client_session_destroy(&play->session);
    if (play->listener >= 0)
        close(play->listener);
    close(play->holder);
}

static enum kesher_status perform(struct ks_client_session *session, void *context,
                                  struct kesher_error *error)
{
    struct play *play = context;
    assert_true(play->tries < STEP_COUNT);
    const struct step *step = &play->steps[play->tries];
    play->channels[play->tries++] = session->channel;
    assert_non_null(session->channel);
    assert_false(play->progressed || play->later);
    play->spent = step->spends;
    play->progressed = step->progresses;
    play->later = step->is_for_later;
    play->code = step->code;
    if (step->answers) {
        session->answers++;
        session->keeps_open |= session->answers > 1;
    }
    return step->status == KESHER_OK ? KESHER_OK : ks_failure(error, step->status, "a sentence");
}

static enum kesher_status run(struct play *play, enum ks_request_repeat repeat, bool after_errors)
{
    const struct ks_request request = {.repeat = repeat,
                                       .after_errors = after_errors,
                                       .doing = "do this",
                                       .perform = perform,
                                       .context = play,
                                       .spent = &play->spent,
                                       .answer_code = &play->code,
                                       .progressed = &play->progressed,
                                       .later = &play->later};
    return ks_request_run(&play->session, &request, NULL, NULL);
}

#define LOST                                                                                                 \
    {                                                                                                        \
        .status = KESHER_CONNECTION                                                                          \
    }
#define LOST_FURTHER_ON                                                                                      \
    {                                                                                                        \
        .status = KESHER_CONNECTION, .progresses = true                                                      \
    }
#define NOT_NOW                                                                                              \
    {                                                                                                        \
        .status = KESHER_REFUSED, .is_for_later = true                                                       \
    }
#define DONE                                                                                                 \
    {                                                                                                        \
        .status = KESHER_OK, .answers = true                                                                 \
    }
#define REFUSE                                                                                               \
    {                                                                                                        \
        .status = KESHER_REFUSED, .answers = true, .code = 2107                                              \
    }

static const struct kesher_options two_losses = {.reconnects = 2, .retry_ms = 1000};

static void assert_run(const struct kesher_options *options, const struct step *steps, size_t count,
                       enum ks_request_repeat repeat, enum kesher_status expected, size_t tries)
{
    struct play play = {.tries = 0};
    memcpy(play.steps, steps, count * sizeof *steps);
    setup(&play, options);
    assert_int_equal(run(&play, repeat, false), expected);
    assert_int_equal(play.tries, tries);
    teardown(&play);
}

#define ASSERT_RUN(repeat, expected, tries, ...)                                                             \
    assert_run(&two_losses, (const struct step[]){__VA_ARGS__},                                              \
               sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step), (repeat), (expected),       \
               (tries))

static void loss_is_repeated_as_often_as_the_options_say(void **state)
{
    (void)state;
    ASSERT_RUN(KS_REQUEST_UNTIL_ANSWERED, KESHER_OK, 3, LOST, LOST, DONE);
    ASSERT_RUN(KS_REQUEST_UNTIL_ANSWERED, KESHER_CONNECTION, 3, LOST, LOST, LOST);
}

static void losses_count_from_the_last_progress_on(void **state)
{
    (void)state;
    ASSERT_RUN(KS_REQUEST_UNTIL_ANSWERED, KESHER_OK, 7, LOST, LOST, LOST_FURTHER_ON, LOST, LOST_FURTHER_ON,
               LOST, DONE);
    ASSERT_RUN(KS_REQUEST_UNTIL_ANSWERED, KESHER_CONNECTION, 4, LOST, LOST_FURTHER_ON, LOST, LOST);
    ASSERT_RUN(KS_REQUEST_ONCE, KESHER_CONNECTION, 1, LOST_FURTHER_ON);
}

/* It is asked again over the same connection, which is not lost. */
static void refusal_for_now_is_asked_again_while_there_is_time(void **state)
{
    (void)state;
    const struct kesher_options patient = {.reconnects = 1, .retry_ms = 60 * 1000};
    struct play play = {.steps = {NOT_NOW, NOT_NOW, NOT_NOW, DONE}};
    setup(&play, &patient);
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_OK);
    assert_int_equal(play.tries, 4);
    assert_int_equal(play.notices, 1); /* that it is asked again is said once */
    assert_int_equal(play.session.connections, 1);
    teardown(&play);
}

static void refusal_for_now_is_one_for_good_when_the_time_is_over(void **state)
{
    (void)state;
    const struct kesher_options brief = {.retry_ms = 4};
    struct play play = {.steps = {NOT_NOW, NOT_NOW, NOT_NOW, NOT_NOW, NOT_NOW, NOT_NOW, NOT_NOW}};
    setup(&play, &brief);
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_REFUSED);
    assert_in_range(play.tries, 2, 5); /* pauses of 1, 2 and 4 ms, and more where the machine is slow */
    teardown(&play);
    const struct kesher_options hasty = {.retry_ms = 1};
    struct play other = {.steps = {NOT_NOW}};
    setup(&other, &hasty);
    other.session.options.backoff_ms = 2;
    assert_int_equal(run(&other, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_REFUSED);
    assert_int_equal(other.tries, 1);
    assert_int_equal(other.notices, 0);
    teardown(&other);
}

static void what_is_done_once_or_on_the_side_is_not_repeated_after_a_loss(void **state)
{
    (void)state;
    ASSERT_RUN(KS_REQUEST_ONCE, KESHER_CONNECTION, 1, LOST);
    ASSERT_RUN(KS_REQUEST_UNTIL_LOST, KESHER_CONNECTION, 1, LOST);
}

static void what_is_spent_is_never_repeated(void **state)
{
    (void)state;
    static const enum ks_request_repeat policies[] = {KS_REQUEST_ONCE, KS_REQUEST_UNTIL_LOST,
                                                      KS_REQUEST_UNTIL_ANSWERED};
    for (size_t i = 0; i < KS_COUNT_OF(policies); i++)
        ASSERT_RUN(policies[i], KESHER_CONNECTION, 1, {.status = KESHER_CONNECTION, .spends = true});
}

static void silence_lies_and_refusals_are_not_repeated(void **state)
{
    (void)state;
    static const enum kesher_status outcomes[] = {KESHER_TIMEOUT, KESHER_PROTOCOL, KESHER_REFUSED,
                                                  KESHER_FILE, KESHER_NO_MEMORY};
    for (size_t i = 0; i < KS_COUNT_OF(outcomes); i++)
        ASSERT_RUN(KS_REQUEST_UNTIL_ANSWERED, outcomes[i], 1, {.status = outcomes[i]});
}

/* Runs a request over a connection that has `answers` answers behind it; `first` is the connection. */
static enum kesher_status run_behind(struct play *play, unsigned answers, enum ks_request_repeat repeat,
                                     const struct ks_channel **first)
{
    assert_int_equal(ks_client_session_connect(&play->session, NULL), KESHER_OK);
    play->session.answers = answers;
    play->session.keeps_open = answers > 1;
    play->session.has_key = true;
    *first = play->session.channel;
    return run(play, repeat, false);
}

static void connection_closed_behind_an_answer_is_no_loss(void **state)
{
    (void)state;
    static const enum ks_request_repeat policies[] = {KS_REQUEST_UNTIL_LOST, KS_REQUEST_UNTIL_ANSWERED};
    for (size_t i = 0; i < KS_COUNT_OF(policies); i++) {
        struct play play = {.steps = {LOST, DONE}};
        const struct ks_channel *first = NULL;
        setup(&play, &two_losses);
        assert_int_equal(run_behind(&play, 1, policies[i], &first), KESHER_OK);
        assert_int_equal(play.tries, 2);
        assert_int_equal(play.notices, 0);
        assert_true(play.session.closes);
        assert_true(play.session.has_key && play.session.key_moved);
        teardown(&play);
    }
}

static void second_close_in_a_row_is_a_loss(void **state)
{
    (void)state;
    struct play play = {.steps = {LOST, LOST, DONE}};
    const struct ks_channel *first = NULL;
    setup(&play, &two_losses);
    assert_int_equal(run_behind(&play, 3, KS_REQUEST_UNTIL_ANSWERED, &first), KESHER_OK);
    assert_int_equal(play.tries, 3);
    assert_int_equal(play.notices, 1);
    assert_false(play.session.has_key);
    teardown(&play);
}

static void server_that_closes_gets_a_connection_for_each_request(void **state)
{
    (void)state;
    struct play play = {.steps = {DONE, DONE, DONE}};
    setup(&play, &two_losses);
    play.session.closes = true;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(run(&play, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_OK);
        assert_int_equal(play.session.answers, 1);
    }
    teardown(&play);
}

/* The descriptors tell: a channel may be made where the old one lay. */
static void message_goes_over_a_fresh_connection_until_the_server_has_answered_twice_on_one(void **state)
{
    (void)state;
    for (unsigned answers = 0; answers < 3; answers++) {
        struct play play = {.steps = {DONE}};
        const struct ks_channel *first = NULL;
        setup(&play, &two_losses);
        assert_int_equal(run_behind(&play, answers, KS_REQUEST_ONCE, &first), KESHER_OK);
        assert_int_equal(play.session.answers, answers == 1 ? 1 : answers + 1);
        teardown(&play);
    }
}

static void message_that_may_have_arrived_is_not_repeated_behind_an_answer_either(void **state)
{
    (void)state;
    struct play play = {.steps = {{.status = KESHER_CONNECTION, .spends = true}}};
    const struct ks_channel *first = NULL;
    setup(&play, &two_losses);
    assert_int_equal(run_behind(&play, 2, KS_REQUEST_ONCE, &first), KESHER_CONNECTION);
    assert_int_equal(play.tries, 1);
    teardown(&play);
}

static void message_that_cannot_have_arrived_is_repeated_once_behind_an_answer(void **state)
{
    (void)state;
    struct play play = {.steps = {LOST, LOST}};
    const struct ks_channel *first = NULL;
    setup(&play, &two_losses);
    assert_int_equal(run_behind(&play, 2, KS_REQUEST_ONCE, &first), KESHER_CONNECTION);
    assert_int_equal(play.tries, 2);
    teardown(&play);
}

static void errors_are_repeated_only_as_the_course_does_it(void **state)
{
    (void)state;
    const struct kesher_options course = {.reconnects = 2, .retry_ms = 1000, .error_repeats = 3};
    struct play play = {.steps = {REFUSE, REFUSE, REFUSE, REFUSE}};
    setup(&play, &course);
    assert_int_equal(run(&play, KS_REQUEST_ONCE, true), KESHER_REFUSED);
    assert_int_equal(play.tries, 4);
    assert_int_equal(play.notices, 4);
    teardown(&play);
    struct play other = {.steps = {REFUSE}};
    setup(&other, &course);
    assert_int_equal(run(&other, KS_REQUEST_ONCE, false), KESHER_REFUSED);
    assert_int_equal(other.tries, 1);
    teardown(&other);
}

static void server_that_is_gone_is_waited_for_only_when_it_was_there(void **state)
{
    (void)state;
    const struct kesher_options brief = {.reconnects = 2, .retry_ms = 50};
    struct play play = {.steps = {LOST}};
    setup(&play, &brief);
    server_goes(&play);
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_CONNECTION);
    assert_int_equal(play.notices, 0);
    play.session.connections = 1;
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_LOST, false), KESHER_CONNECTION);
    assert_int_equal(play.notices, 0);
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_CONNECTION);
    assert_int_equal(play.notices, 1); /* that it is waited for is said once */
    assert_int_equal(play.tries, 0);
    teardown(&play);
}

/* A 1028 and its 1029 are such: the server goes between the two. */
static enum kesher_status perform_inner(struct ks_client_session *session, void *context,
                                        struct kesher_error *error)
{
    struct play *play = context;
    (void)error;
    play->tries++;
    ks_client_session_disconnect(session);
    server_goes(play);
    return run(play, KS_REQUEST_ONCE, false);
}

static void server_that_is_gone_is_waited_for_once_also_by_a_request_within_another(void **state)
{
    (void)state;
    const struct kesher_options brief = {.reconnects = 2, .retry_ms = 50};
    struct play play = {.tries = 0};
    const struct ks_request outer = {.repeat = KS_REQUEST_UNTIL_ANSWERED,
                                     .doing = "do this",
                                     .perform = perform_inner,
                                     .context = &play,
                                     .answer_code = &play.code};
    setup(&play, &brief);
    assert_int_equal(ks_request_run(&play.session, &outer, NULL, NULL), KESHER_CONNECTION);
    assert_int_equal(play.notices, 1);
    assert_int_equal(play.tries, 1);
    teardown(&play);
}

static void without_time_for_a_pause_nothing_is_made_again(void **state)
{
    (void)state;
    struct play play = {.steps = {LOST}};
    const struct kesher_options hasty = {.reconnects = 2, .retry_ms = 1};
    setup(&play, &hasty);
    play.session.options.backoff_ms = 2;
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_ANSWERED, false), KESHER_CONNECTION);
    assert_int_equal(play.tries, 1);
    assert_int_equal(play.notices, 0);
    teardown(&play);
}

static void what_is_asked_on_the_side_leaves_the_time_of_others_as_it_was(void **state)
{
    (void)state;
    struct play play = {.steps = {DONE}};
    setup(&play, &two_losses);
    assert_int_equal(run(&play, KS_REQUEST_UNTIL_LOST, false), KESHER_OK);
    assert_false(play.session.is_aside);
    teardown(&play);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loss_is_repeated_as_often_as_the_options_say),
        cmocka_unit_test(losses_count_from_the_last_progress_on),
        cmocka_unit_test(refusal_for_now_is_asked_again_while_there_is_time),
        cmocka_unit_test(refusal_for_now_is_one_for_good_when_the_time_is_over),
        cmocka_unit_test(what_is_done_once_or_on_the_side_is_not_repeated_after_a_loss),
        cmocka_unit_test(what_is_spent_is_never_repeated),
        cmocka_unit_test(silence_lies_and_refusals_are_not_repeated),
        cmocka_unit_test(connection_closed_behind_an_answer_is_no_loss),
        cmocka_unit_test(second_close_in_a_row_is_a_loss),
        cmocka_unit_test(server_that_closes_gets_a_connection_for_each_request),
        cmocka_unit_test(message_goes_over_a_fresh_connection_until_the_server_has_answered_twice_on_one),
        cmocka_unit_test(message_that_may_have_arrived_is_not_repeated_behind_an_answer_either),
        cmocka_unit_test(message_that_cannot_have_arrived_is_repeated_once_behind_an_answer),
        cmocka_unit_test(errors_are_repeated_only_as_the_course_does_it),
        cmocka_unit_test(server_that_is_gone_is_waited_for_only_when_it_was_there),
        cmocka_unit_test(server_that_is_gone_is_waited_for_once_also_by_a_request_within_another),
        cmocka_unit_test(without_time_for_a_pause_nothing_is_made_again),
        cmocka_unit_test(what_is_asked_on_the_side_leaves_the_time_of_others_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
