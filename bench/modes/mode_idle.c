/* mode_idle.c — connections that do nothing, to see what each costs a server.
 *
 * All are opened and held; in the end each is asked for something small (a plain one only the kernel), for a
 * connection that nobody serves any more, or that waits in a backlog, is none. With --secure each has shaken
 * hands, and, where it is kesher, signed in.
 */
#include "base/clock.h"
#include "bench/load/footprint.h"
#include "bench/modes/modes.h"
#include "bench/traffic/question.h"
#include "bench/traffic/signers.h"
#include "wire/chat_codec.h"
#include "wire/frame.h"

#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    const void *bytes;
    size_t size;
};

#define BYTES(text)                                                                                          \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

static const struct visit {
    const char *protocol;
    struct bytes greeting; /* sent when the connection stands */
    struct bytes welcome;  /* what the server says then */
    struct bytes probe;    /* sent in the end */
    struct bytes answer;   /* to it; empty for an answer of ask */
} visits[] = {
    /* A request of code 0, which is unknown: 9000 of version 2. */
    {"kesher",
     BYTES(""),
     BYTES(""),
     {"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0", KS_REQUEST_HEADER_SIZE},
     {"\2\x28\x23\0\0\0\0", KS_RESPONSE_HEADER_SIZE}},
    {"ask", BYTES("Hi"), BYTES(KS_ASK_BANNER), BYTES("NAME"), BYTES("")},
    /* Without a newline, as the course's clients write. */
    {"chat", BYTES(""), BYTES(KS_CHAT_MENU), BYTES("no"), BYTES(KS_CHAT_INVALID_OPTION KS_CHAT_MENU)},
    /* CONNECT of MQTT 3.1.1, without keep-alive; its name is numbered. PINGREQ. */
    {"mqtt", BYTES("\x10\x16\0\4MQTT\4\2\0\0\0\x0Akb00000000"), BYTES("\x20\2\0\0"), BYTES("\xC0\0"),
     BYTES("\xD0\0")},
    {"plain", BYTES(""), BYTES(""), BYTES(""), BYTES("")},
};

enum idle_state {
    CONNECTING, /* or being signed in */
    WELCOMED,   /* and silent */
    PROBED,
    ANSWERED,
};

struct idling {
    struct ks_run *run;
    struct ks_fleet *fleet;
    const struct visit *visit;
    struct ks_question question; /* of ask */
    struct ks_signers *signers;  /* NULL: nobody signs in */
    uint32_t connections;
    uint32_t welcomed;
    uint32_t answered;
    bool probing;
    uint8_t *states; /* enum state of each connection */
    uint64_t began_ns;
    double connect_seconds;
    struct ks_process before, held_from, held_until, after;
};

static bool is_plain(const struct idling *idling)
{
    return strcmp(idling->visit->protocol, "plain") == 0;
}

/* ---- opening ---- */

static void welcome(struct idling *idling, uint32_t index)
{
    idling->states[index] = WELCOMED;
    idling->welcomed++;
    ks_run_phase(idling->run, "connecting", idling->welcomed, idling->connections);
    if (idling->welcomed < idling->connections)
        return;
    idling->connect_seconds = (double)(ks_clock_stopwatch_ns() - idling->began_ns) / 1e9;
    ks_reactor_stop(idling->run->reactor);
}

static void greet(struct idling *idling, uint32_t index, struct ks_load_link *link)
{
    struct bytes greeting = idling->visit->greeting;
    uint8_t *place = ks_load_link_reserve(link, greeting.size);
    if (place == NULL) {
        ks_run_fail(idling->run, "no memory");
        return;
    }
    memcpy(place, greeting.bytes, greeting.size);
    if (strcmp(idling->visit->protocol, "mqtt") != 0)
        return;
    for (uint8_t *digit = place + greeting.size; index > 0; index /= 10)
        *--digit = (uint8_t)('0' + index % 10);
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct idling *idling = context;
    if (idling->signers != NULL)
        (void)ks_signers_sign_in(idling->signers, idling->run, index, link);
    else if (idling->visit->greeting.size > 0)
        greet(idling, index, link);
    else if (idling->visit->welcome.size == 0)
        welcome(idling, index);
}

/* ---- what comes ---- */

static enum ks_result expect(struct bytes expected, const uint8_t *bytes, size_t size)
{
    if (size > expected.size || memcmp(bytes, expected.bytes, size) != 0)
        return KS_INVALID;
    return size == expected.size ? KS_OK : KS_MORE;
}

static enum ks_result expect_answer(struct idling *idling, const uint8_t *bytes, size_t size)
{
    uint32_t count = 0;
    size_t taken = 0;
    if (idling->visit->answer.size > 0)
        return expect(idling->visit->answer, bytes, size);
    if (ks_question_judge(&idling->question, bytes, size, 1, &count, &taken) != KS_OK ||
        (count == 1 && taken < size))
        return KS_INVALID;
    return count == 1 ? KS_OK : KS_MORE;
}

static void answer(struct idling *idling, uint32_t index)
{
    idling->states[index] = ANSWERED;
    idling->answered++;
    ks_run_phase(idling->run, "asking each", idling->answered, idling->connections);
    if (idling->answered == idling->connections)
        ks_reactor_stop(idling->run->reactor);
}

/* Of a connection that signed in: the answer to that, or, in the end, what the server knows of its account.
 */
static size_t received_signed(struct idling *idling, uint32_t index, enum idle_state state,
                              const uint8_t *bytes, size_t size)
{
    uint16_t code = state == PROBED ? KS_RESPONSE_MY_ACCOUNT : KS_RESPONSE_SIGNED_IN;
    size_t taken = ks_signers_expect(idling->run, index, code, bytes, size);
    if (taken == 0)
        return 0;
    if (state == PROBED)
        answer(idling, index);
    else
        welcome(idling, index);
    return taken;
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct idling *idling = context;
    enum idle_state state = idling->states[index];
    enum ks_result result = KS_INVALID;
    (void)link;
    if (is_plain(idling))
        return size;
    if (idling->signers != NULL && (state == CONNECTING || state == PROBED))
        return received_signed(idling, index, state, bytes, size);
    if (state == CONNECTING)
        result = expect(idling->visit->welcome, bytes, size);
    else if (state == PROBED)
        result = expect_answer(idling, bytes, size);
    if (result == KS_MORE)
        return 0;
    if (result != KS_OK)
        ks_run_fail(idling->run, "connection %" PRIu32 ": the server says %s", index,
                    state == CONNECTING || state == PROBED ? "something that is no answer"
                                                           : "what nobody asked for");
    else if (state == CONNECTING)
        welcome(idling, index);
    else
        answer(idling, index);
    return size;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    static const char *const doing[] = {
        [CONNECTING] = "connecting",
        [WELCOMED] = "a silent connection",
        [PROBED] = "a silent connection that was asked in the end",
        [ANSWERED] = "a silent connection that had answered in the end",
    };
    struct idling *idling = context;
    (void)link;
    ks_run_lost(idling->run, doing[idling->states[index]], error);
}

/* ---- the end of the silence ---- */

/* The kernel's word for it that the connection stands. */
static bool stands(const struct ks_load_link *link)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    return link->open && getsockopt(link->fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

static void probe(struct idling *idling, uint32_t index)
{
    struct ks_load_link *link = ks_fleet_link(idling->fleet, index);
    if (!stands(link)) {
        ks_run_fail(idling->run, "connection %" PRIu32 ": the server has ended it", index);
        return;
    }
    idling->states[index] = PROBED;
    if (idling->signers != NULL)
        (void)ks_signers_ask(idling->run, link, KS_REQUEST_MY_ACCOUNT);
    else if (idling->visit->probe.size == 0)
        answer(idling, index);
    else if (ks_load_link_write(link, idling->visit->probe.bytes, idling->visit->probe.size) != KS_OK)
        ks_run_fail(idling->run, "no memory");
}

static void finish(void *context)
{
    struct idling *idling = context;
    if (!ks_footprint_measure(idling->run, &idling->held_until))
        return;
    ks_run_phase(idling->run, "asking each", 0, idling->connections);
    for (uint32_t i = 0; i < idling->connections && !idling->run->failed; i++)
        probe(idling, i);
}

/* ---- the mode ---- */

static bool prepare(struct idling *idling)
{
    const struct ks_settings *settings = idling->run->settings;
    for (size_t i = 0; i < sizeof visits / sizeof visits[0]; i++)
        if (strcmp(visits[i].protocol, settings->protocol) == 0)
            idling->visit = &visits[i];
    idling->states = calloc(idling->connections, sizeof *idling->states);
    if (idling->visit == NULL || ks_question_choose(&idling->question, "kesher", "NAME") != KS_OK)
        ks_run_fail(idling->run, "there is no protocol '%s' here", settings->protocol);
    else if (idling->states == NULL)
        ks_run_fail(idling->run, "no memory");
    return !idling->run->failed;
}

/* Over the secure port whoever stays signs in. */
static bool prepare_signers(struct idling *idling)
{
    if (idling->run->tls == NULL || strcmp(idling->visit->protocol, "kesher") != 0)
        return true;
    return ks_signers_register(idling->run, idling->connections, &idling->signers);
}

static bool open_all(struct idling *idling)
{
    static const struct ks_fleet_events events = {.opened = opened, .received = received, .ended = ended};
    struct ks_run *run = idling->run;
    const struct ks_fleet_plan plan = {.count = idling->connections,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources,
                                       .tls = run->tls};
    char reason[KS_RUN_REASON_SIZE];
    ks_run_phase(run, "connecting", 0, idling->connections);
    idling->began_ns = ks_clock_stopwatch_ns();
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, idling, &idling->fleet, reason,
                      sizeof reason) != KS_OK) {
        ks_run_fail(run, "%s", reason);
        return false;
    }
    return ks_run_loop(run);
}

static bool hold(struct idling *idling)
{
    struct ks_run *run = idling->run;
    run->context = idling;
    run->finish = finish;
    ks_run_measure(run, false);
    return ks_run_loop(run);
}

static void report(const struct idling *idling)
{
    struct ks_findings *rows = &idling->run->findings;
    uint32_t count = idling->connections;
    double seconds = ks_run_seconds(idling->run);
    double cpu = (double)(idling->held_until.cpu_ns - idling->held_from.cpu_ns) / 1e9;
    ks_findings_number(rows, "connections", count);
    ks_findings_number(rows, "connect_seconds", idling->connect_seconds);
    ks_findings_number(rows, "connections_per_second", count / idling->connect_seconds);
    ks_findings_number(rows, "seconds", seconds);
    if (idling->run->settings->pid == 0)
        return;
    ks_findings_number(
        rows, "server_resident_bytes_per_connection",
        ks_footprint_growth(idling->before.resident_bytes, idling->held_from.resident_bytes, count));
    ks_findings_number(
        rows, "server_private_bytes_per_connection",
        ks_footprint_growth(idling->before.private_bytes, idling->held_from.private_bytes, count));
    ks_findings_number(rows, "server_resident_bytes_before", (double)idling->before.resident_bytes);
    ks_findings_number(rows, "server_resident_bytes", (double)idling->held_from.resident_bytes);
    ks_findings_number(rows, "server_resident_bytes_after", (double)idling->after.resident_bytes);
    ks_findings_number(rows, "server_cpu_seconds", cpu);
    ks_findings_number(rows, "server_cores_used", seconds > 0 ? cpu / seconds : 0);
}

bool ks_mode_idle(struct ks_run *run)
{
    struct idling idling = {.run = run, .connections = (uint32_t)run->settings->connections};
    bool right = prepare(&idling) && prepare_signers(&idling) && ks_footprint_settle(run, &idling.before) &&
                 open_all(&idling) && ks_footprint_settle(run, &idling.held_from) && hold(&idling);
    ks_fleet_free(idling.fleet);
    right = right && ks_footprint_settle(run, &idling.after);
    if (right)
        report(&idling);
    ks_signers_free(idling.signers);
    free(idling.states);
    return right;
}
