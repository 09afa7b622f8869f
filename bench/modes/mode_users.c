/* mode_users.c — registrations (1025), as many on their way on each connection as there may be, and then the
 * list of users (601): every name of the run is in it once, but for the one that asks, which is not.
 */
#include "base/clock.h"
#include "bench/load/footprint.h"
#include "bench/load/stamps.h"
#include "bench/modes/modes.h"
#include "bench/traffic/id_set.h"
#include "bench/traffic/roll.h"
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum {
    REQUEST_SIZE = KS_REQUEST_HEADER_SIZE + KS_NAME_PAYLOAD_SIZE,
    ANSWER_SIZE = KS_RESPONSE_HEADER_SIZE + KS_CLIENT_ID_ANSWER_SIZE,
    ASKER = 0, /* the first user, whom the first connection registers, asks for the list there */
};

struct users {
    struct ks_run *run;
    struct ks_fleet *fleet;
    uint32_t connections;
    uint32_t depth;
    uint32_t count;
    uint32_t opened;     /* connections */
    uint32_t written;    /* registrations */
    uint32_t registered; /* answered */
    bool listing;
    struct ks_stamps stamps;
    struct ks_id_set ids;
    struct ks_roll roll;
    struct ks_client_id asker; /* zeros until it is registered */
    bool has_asker;
    uint8_t request[REQUEST_SIZE]; /* without its name */
    bool has_header;               /* of the list */
    uint32_t list_left;            /* bytes of it that have not come */
    uint32_t list_size;
    uint64_t list_began_ns;
    uint64_t list_ns;
    struct ks_process before, after, list_before, list_after;
};

/* ---- registering ---- */

/* Writes up to `limit` registrations. */
static void write_some(struct users *users, uint32_t index, struct ks_load_link *link, uint32_t limit,
                       uint64_t now_ns)
{
    uint32_t left = users->count - users->written;
    uint32_t count = left < limit ? left : limit;
    if (count == 0)
        return;
    uint8_t *place = ks_load_link_reserve(link, (size_t)count * REQUEST_SIZE);
    if (place == NULL) {
        ks_run_fail(users->run, "no memory");
        return;
    }
    for (uint32_t i = 0; i < count; i++, place += REQUEST_SIZE) {
        memcpy(place, users->request, REQUEST_SIZE);
        ks_roll_name(&users->roll, users->written++, place + KS_REQUEST_HEADER_SIZE);
    }
    ks_stamps_put(&users->stamps, index, count, now_ns);
}

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct users *users = context;
    (void)index;
    (void)link;
    users->opened++;
    ks_run_phase(users->run, "connecting", users->opened, users->connections);
    if (users->opened < users->connections)
        return;
    ks_run_phase(users->run, "registering", 0, 0);
    ks_run_measure(users->run, true);
    uint64_t now = ks_clock_stopwatch_ns();
    for (uint32_t i = 0; i < users->connections; i++)
        write_some(users, i, ks_fleet_link(users->fleet, i), users->depth, now);
}

/* False, and the run has failed, when the answer is not right. */
static bool judge_answer(struct users *users, const uint8_t answer[static ANSWER_SIZE])
{
    struct ks_response_header header;
    const uint8_t *id = answer + KS_RESPONSE_HEADER_SIZE;
    if (ks_response_header_parse(answer, ANSWER_SIZE, &header) != KS_OK ||
        header.code != KS_RESPONSE_REGISTERED || header.payload_size != KS_CLIENT_ID_ANSWER_SIZE)
        ks_run_fail(users->run, "registering: an answer %u of %" PRIu32 " bytes is not 2100 with an id",
                    header.code, header.payload_size);
    else if (!ks_id_set_add(&users->ids, id))
        ks_run_fail(users->run, "registering: the server has given one id to two users, or no id at all");
    return !users->run->failed;
}

/* A refusal is shorter than an answer, so it is looked for as soon as its header is there. */
static bool is_refused(struct users *users, const uint8_t *bytes, size_t size)
{
    struct ks_response_header header;
    if (ks_response_header_parse(bytes, size, &header) != KS_OK ||
        (header.code != KS_RESPONSE_REGISTRATION_FAILED && header.code != KS_RESPONSE_ERROR))
        return false;
    ks_run_fail(users->run,
                "registering: refused (%u) after %" PRIu32 " users; of kesherd, see its log, "
                "--registrations-per-hour and --unlimited-networks",
                header.code, users->registered);
    return true;
}

static void count_registered(struct users *users, uint32_t index, uint32_t count, uint64_t now_ns)
{
    users->registered += count;
    users->run->operations += count;
    while (count > 0) {
        uint64_t written_ns = 0;
        uint32_t taken = ks_stamps_take(&users->stamps, index, count, &written_ns);
        ks_percentiles_add_many(&users->run->latency, now_ns - written_ns, taken);
        count -= taken;
    }
}

/* The first answer on the first connection is the asker's. */
static void remember_asker(struct users *users, uint32_t index, const uint8_t *answer)
{
    if (index != 0 || users->has_asker)
        return;
    memcpy(users->asker.bytes, answer + KS_RESPONSE_HEADER_SIZE, sizeof users->asker.bytes);
    users->has_asker = true;
}

static size_t receive_registered(struct users *users, uint32_t index, struct ks_load_link *link,
                                 const uint8_t *bytes, size_t size)
{
    uint64_t now = ks_clock_stopwatch_ns();
    uint32_t count = 0;
    size_t taken = 0;
    for (; size - taken >= ANSWER_SIZE; taken += ANSWER_SIZE, count++) {
        if (is_refused(users, bytes + taken, size - taken) || !judge_answer(users, bytes + taken))
            return size;
        remember_asker(users, index, bytes + taken);
    }
    if (is_refused(users, bytes + taken, size - taken))
        return size;
    if (count > ks_stamps_count(&users->stamps, index) ||
        (taken < size && count == ks_stamps_count(&users->stamps, index))) {
        ks_run_fail(users->run, "registering: there are more answers than requests");
        return size;
    }
    count_registered(users, index, count, now);
    write_some(users, index, link, count, now);
    if (users->registered == users->count) {
        ks_run_measured(users->run);
        ks_reactor_stop(users->run->reactor);
    }
    return taken;
}

/* ---- the list ---- */

static bool begin_list(struct users *users, const uint8_t *bytes, size_t size)
{
    struct ks_response_header header;
    if (ks_response_header_parse(bytes, size, &header) != KS_OK)
        return false;
    if (header.code != KS_RESPONSE_USERS || header.payload_size % KS_LISTED_USER_SIZE != 0)
        ks_run_fail(users->run, "listing: an answer %u of %" PRIu32 " bytes is no list of users", header.code,
                    header.payload_size);
    users->has_header = true;
    users->list_left = users->list_size = header.payload_size;
    return true;
}

static void fail_listed(struct users *users, const uint8_t *field, const char *what)
{
    ks_run_fail(users->run, "listing: user %.*s %s", (int)KS_ROLL_NAME_SIZE, (const char *)field, what);
}

static void call(struct users *users, const uint8_t *field)
{
    switch (ks_roll_call(&users->roll, field)) {
    case KS_ROLL_TWICE:
        fail_listed(users, field, "is in the list twice");
        break;
    case KS_ROLL_UNKNOWN:
        ks_run_fail(users->run, "listing: a name of this run is not as it was registered");
        break;
    case KS_ROLL_CALLED:
    case KS_ROLL_STRANGER:
        break;
    }
}

static void end_list(struct users *users)
{
    uint8_t field[KS_TEXT_FIELD_SIZE] = {0};
    uint32_t missing = ks_roll_first_missing(&users->roll, ASKER);
    users->list_ns = ks_clock_stopwatch_ns() - users->list_began_ns;
    ks_roll_name(&users->roll, missing < users->count ? missing : ASKER, field);
    if (missing < users->count)
        fail_listed(users, field, "is registered, and not in the list");
    else if (users->roll.called_count == users->count)
        fail_listed(users, field, "has asked for the list, and is in it");
    ks_reactor_stop(users->run->reactor);
}

static size_t receive_list(struct users *users, const uint8_t *bytes, size_t size)
{
    size_t taken = 0;
    if (!users->has_header) {
        if (!begin_list(users, bytes, size))
            return 0;
        taken = KS_RESPONSE_HEADER_SIZE;
    }
    while (users->list_left > 0 && size - taken >= KS_LISTED_USER_SIZE && !users->run->failed) {
        call(users, bytes + taken + KS_CLIENT_ID_SIZE);
        taken += KS_LISTED_USER_SIZE;
        users->list_left -= (uint32_t)KS_LISTED_USER_SIZE;
    }
    ks_run_phase(users->run, "listing", users->list_size - users->list_left, users->list_size);
    if (users->list_left == 0 && taken < size)
        ks_run_fail(users->run, "listing: there is more than the list");
    else if (users->list_left == 0 && !users->run->failed)
        end_list(users);
    return taken;
}

static bool list(struct users *users)
{
    uint8_t bytes[KS_REQUEST_HEADER_SIZE];
    const struct ks_request_header header = {
        .client_id = users->asker, .version = KS_VERSION_MESSAGES, .code = KS_REQUEST_LIST_USERS};
    ks_request_header_encode(&header, bytes);
    if (!ks_footprint_measure(users->run, &users->list_before))
        return false;
    users->listing = true;
    users->list_began_ns = ks_clock_stopwatch_ns();
    ks_run_phase(users->run, "listing", 0, 1);
    if (ks_load_link_write(ks_fleet_link(users->fleet, 0), bytes, sizeof bytes) != KS_OK) {
        ks_run_fail(users->run, "no memory");
        return false;
    }
    return ks_run_loop(users->run) && ks_footprint_measure(users->run, &users->list_after);
}

/* ---- events ---- */

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct users *users = context;
    if (!users->listing)
        return receive_registered(users, index, link, bytes, size);
    if (index == 0)
        return receive_list(users, bytes, size);
    ks_run_fail(users->run, "listing: connection %" PRIu32 ": the server says what nobody asked for", index);
    return size;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct users *users = context;
    (void)index;
    (void)link;
    ks_run_lost(users->run,
                users->listing                       ? "listing"
                : users->opened < users->connections ? "connecting"
                                                     : "registering",
                error);
}

/* ---- the mode ---- */

static bool prepare(struct users *users)
{
    const struct ks_request_header header = {
        .version = KS_VERSION_DROP, .code = KS_REQUEST_REGISTER_DROP, .payload_size = KS_NAME_PAYLOAD_SIZE};
    uint64_t tag = 0;
    ks_request_header_encode(&header, users->request);
    if (getrandom(&tag, sizeof tag, 0) != sizeof tag) {
        ks_run_fail(users->run, "no randomness for names");
        return false;
    }
    if (!ks_stamps_init(&users->stamps, users->connections, users->depth) ||
        !ks_id_set_init(&users->ids, users->count) || !ks_roll_init(&users->roll, tag, users->count)) {
        ks_run_fail(users->run, "no memory");
        return false;
    }
    return true;
}

static bool register_all(struct users *users)
{
    static const struct ks_fleet_events events = {.opened = opened, .received = received, .ended = ended};
    struct ks_run *run = users->run;
    const struct ks_fleet_plan plan = {.count = users->connections,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    char reason[KS_RUN_REASON_SIZE];
    ks_run_phase(run, "connecting", 0, users->connections);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, users, &users->fleet, reason,
                      sizeof reason) != KS_OK) {
        ks_run_fail(run, "%s", reason);
        return false;
    }
    return ks_run_loop(run);
}

static void report(const struct users *users)
{
    struct ks_run *run = users->run;
    struct ks_findings *rows = &run->findings;
    double seconds = (double)users->list_ns / 1e9;
    double listed = (double)users->list_size / KS_LISTED_USER_SIZE;
    ks_findings_number(rows, "connections", users->connections);
    ks_findings_number(rows, "depth", users->depth);
    ks_run_add_findings(run, "users");
    ks_findings_number(rows, "list_seconds", seconds);
    ks_findings_number(rows, "list_users", listed);
    ks_findings_number(rows, "list_users_per_second", listed / seconds);
    ks_findings_number(rows, "list_bytes_per_second", users->list_size / seconds);
    if (run->settings->pid == 0)
        return;
    double list_cpu = (double)(users->list_after.cpu_ns - users->list_before.cpu_ns);
    ks_findings_number(rows, "server_cpu_us_per_listed_user", listed > 0 ? list_cpu / 1e3 / listed : 0);
    ks_findings_number(
        rows, "server_resident_bytes_per_user",
        ks_footprint_growth(users->before.resident_bytes, users->after.resident_bytes, users->count));
    ks_findings_number(
        rows, "server_private_bytes_per_user",
        ks_footprint_growth(users->before.private_bytes, users->after.private_bytes, users->count));
}

bool ks_mode_users(struct ks_run *run)
{
    const struct ks_settings *settings = run->settings;
    uint64_t connections = settings->connections < settings->count ? settings->connections : settings->count;
    struct users users = {.run = run,
                          .connections = (uint32_t)connections,
                          .depth = (uint32_t)settings->depth,
                          .count = (uint32_t)settings->count};
    bool right = prepare(&users) && ks_footprint_settle(run, &users.before) && register_all(&users) &&
                 ks_footprint_settle(run, &users.after) && list(&users);
    if (right)
        report(&users);
    ks_fleet_free(users.fleet);
    ks_stamps_free(&users.stamps);
    ks_id_set_free(&users.ids);
    ks_roll_free(&users.roll);
    return right;
}
