/* fuzz_control.c — the control service behind a fake connection, and the lines of its answers.
 *
 * The first byte of the input says when the store answers and whether the peer takes what it gets; then come
 * pieces: a byte with a size, then so many bytes. Whatever is sent, each line gets its answer, every line of
 * an answer is one that the other side understands, and how the input was cut makes no difference. Then the
 * same comes once more to a connection that is cut off, not ended in time, one too many, or has to tell of
 * many users, as the first byte says. The input is also read as a line of an answer: what is understood comes
 * back as it was.
 */
#include "crypto/alias.h"
#include "service/chat/groups.h"
#include "service/operators/control.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    ANSWERS_LATER = 1,
    TAKES_NOTHING = 2,
    CUT_OFF = 4,
    LATE = 8,
    ONE_TOO_MANY = 16,
    MANY_USERS = 0xE0, /* all three bits, and a short input: that takes its time */
};

enum { USERS = 140, LONG_NAME = 220, TWO_REQUESTS = 16, LONG_MS = 600000 };

struct office {
    struct fake_loop loop;
    struct fake_store store;
    struct ks_groups *groups;
    struct ks_alias_key *alias_key;
    struct ks_control_environment environment;
    struct fake_connection connection;
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void registered(struct ks_store_request *request)
{
    must(request->result == KS_OK);
}

static void register_user(struct office *office, const char *name)
{
    struct ks_store_register request = {
        .request = {.reply_to = &office->loop.loop.executor, .done = registered}};
    snprintf(request.name, sizeof request.name, "%s", name);
    ks_store_register_user(&office->store.store, &request);
}

static void prepare_office(struct office *office, uint8_t flags)
{
    static const struct ks_groups_limits limits = {.groups = 1, .members = 1};
    static const uint8_t key[KS_ALIAS_KEY_SIZE] = {7};
    memset(office, 0, sizeof *office);
    fake_loop_init(&office->loop, 1024);
    office->loop.without_traces = true;
    fake_store_init(&office->store);
    must(ks_groups_new(&limits, &office->loop.log, &office->groups) == KS_OK);
    must(ks_alias_key_new(key, &office->alias_key) == KS_OK);
    office->environment.operations = (struct ks_operations_environment){.store = &office->store.store,
                                                                        .groups = office->groups,
                                                                        .alias_key = office->alias_key,
                                                                        .log = &office->loop.log};
    register_user(office, "a");
    register_user(office, "b \"\\ c");
    office->store.later = (flags & ANSWERS_LATER) != 0;
}

static void open_office(struct office *office, uint8_t flags)
{
    prepare_office(office, flags);
    must(fake_connection_open(&office->connection, &office->loop, &ks_control_events, &office->environment));
    if ((flags & TAKES_NOTHING) != 0)
        office->connection.window = 0;
}

static void close_office(struct office *office)
{
    fake_connection_close(&office->connection);
    must(atomic_load(&office->environment.sessions) == 0);
    ks_groups_free(office->groups);
    ks_alias_key_free(office->alias_key);
    fake_store_destroy(&office->store);
    fake_loop_destroy(&office->loop);
}

/* ---- answers ---- */

/* A line of an answer before its end: one of the four kinds. */
static bool is_record(const char *line, size_t size)
{
    struct ks_control_user user;
    struct ks_control_group group;
    struct ks_control_finding finding;
    struct ks_control_sums sums;
    return ks_control_user_parse(line, size, &user) == KS_OK ||
           ks_control_group_parse(line, size, &group) == KS_OK ||
           ks_control_finding_parse(line, size, &finding) == KS_OK ||
           ks_control_sums_parse(line, size, &sums) == KS_OK;
}

/* How many answers end in the output, all lines of which must be sound. */
static size_t count_ends(const struct fake_connection *connection)
{
    const char *next = (const char *)connection->output.bytes;
    size_t left = connection->output.size;
    size_t ends = 0;
    while (left > 0) {
        struct ks_control_end end;
        const char *newline = memchr(next, '\n', left);
        must(newline != NULL);
        size_t size = (size_t)(newline - next) + 1;
        enum ks_result result = ks_control_end_parse(next, size, &end);
        must(result == KS_OK || is_record(next, size));
        ends += result == KS_OK;
        next += size;
        left -= size;
    }
    return ends;
}

/* How many answers there must be: one for each line, up to one that is too long. */
static size_t count_requests(const struct ks_buffer *input)
{
    size_t count = 0;
    size_t line = 0;
    for (size_t i = 0; i < input->size; i++) {
        if (input->bytes[i] == '\n') {
            count++;
            line = 0;
        } else if (++line > KS_CONTROL_REQUEST_LIMIT - 1) {
            return count + 1;
        }
    }
    return count;
}

/* ---- a line of an answer ---- */

static void user_must_come_back(const char *data, size_t size)
{
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_user user;
    struct ks_control_user again;
    if (ks_control_user_parse(data, size, &user) != KS_OK)
        return;
    size_t written = ks_control_user_encode(&user, line);
    must(written == 0 || ks_control_user_parse(line, written, &again) != KS_OK ||
         strcmp(user.name, again.name) == 0);
}

static void group_must_come_back(const char *data, size_t size)
{
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_group group;
    struct ks_control_group again;
    if (ks_control_group_parse(data, size, &group) != KS_OK)
        return;
    size_t written = ks_control_group_encode(&group, line);
    must(ks_control_group_parse(line, written, &again) == KS_OK);
    must(group.number == again.number && group.messages == again.messages);
}

/* Its texts may come back shorter. */
static void finding_must_come_back(const char *data, size_t size)
{
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_finding finding;
    struct ks_control_finding again;
    if (ks_control_finding_parse(data, size, &finding) != KS_OK)
        return;
    size_t written = ks_control_finding_encode(&finding, line);
    must(written > 0 && ks_control_finding_parse(line, written, &again) == KS_OK);
    must(finding.is_wrong == again.is_wrong);
    must(strncmp(finding.what, again.what, strlen(again.what)) == 0);
}

static void sums_must_come_back(const char *data, size_t size)
{
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_sums sums;
    struct ks_control_sums again;
    if (ks_control_sums_parse(data, size, &sums) != KS_OK)
        return;
    size_t written = ks_control_sums_encode(&sums, line);
    must(ks_control_sums_parse(line, written, &again) == KS_OK);
    must(sums.files == again.files && sums.messages == again.messages && sums.wrong == again.wrong);
}

/* Put there by hand, since the store would compare each name with all the others. */
static void add_many_users(struct fake_store *store)
{
    for (unsigned i = 0; i < USERS; i++) {
        struct fake_user *user = &store->users[store->user_count++];
        user->user.id.bytes[0] = (uint8_t)i;
        user->user.id.bytes[1] = (uint8_t)(i >> 8);
        user->place = ++store->registered;
        memset(user->user.name, '"', LONG_NAME); /* each is two characters of a line */
        snprintf(user->user.name + LONG_NAME, sizeof user->user.name - LONG_NAME, " %u", i);
    }
}

/* All of the input at once, and then nothing runs before the end, or a long time. */
static void end_otherwise(const struct ks_buffer *input, uint8_t flags)
{
    struct office office;
    prepare_office(&office, flags);
    if ((flags & ONE_TOO_MANY) != 0)
        atomic_store(&office.environment.sessions, KS_CONTROL_SESSIONS_LIMIT);
    if ((flags & MANY_USERS) == MANY_USERS && input->size <= TWO_REQUESTS)
        add_many_users(&office.store);
    must(fake_connection_open(&office.connection, &office.loop, &ks_control_events, &office.environment));
    if ((flags & TAKES_NOTHING) != 0)
        office.connection.window = 0;
    if (input->size > 0)
        fake_connection_send_only(&office.connection, input->bytes, input->size);
    if ((flags & LATE) != 0)
        fake_connection_wait(&office.connection, LONG_MS);
    if ((flags & CUT_OFF) == 0) {
        fake_connection_take(&office.connection, SIZE_MAX / 2);
        fake_connection_end(&office.connection);
        must(office.connection.finished || office.connection.aborted);
        (void)count_ends(&office.connection);
    }
    if ((flags & ONE_TOO_MANY) != 0)
        atomic_fetch_sub(&office.environment.sessions, KS_CONTROL_SESSIONS_LIMIT);
    close_office(&office);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ks_buffer whole = ks_buffer_empty(0);
    struct office cut;
    struct office uncut;
    if (size == 0)
        return 0;
    user_must_come_back((const char *)data, size);
    group_must_come_back((const char *)data, size);
    finding_must_come_back((const char *)data, size);
    sums_must_come_back((const char *)data, size);
    open_office(&cut, data[0]);
    open_office(&uncut, data[0]);
    for (size_t next = 1; next < size;) {
        size_t piece = data[next++];
        if (piece > size - next)
            piece = size - next;
        if (piece == 0)
            continue;
        fake_connection_send(&cut.connection, data + next, piece, 0);
        must(ks_buffer_append(&whole, data + next, piece) == KS_OK);
        next += piece;
    }
    if (whole.size > 0)
        fake_connection_send(&uncut.connection, whole.bytes, whole.size, 0);
    for (int i = 0; i < 2; i++) {
        struct fake_connection *connection = i == 0 ? &cut.connection : &uncut.connection;
        while (ks_connection_output_waiting(&connection->connection) > 0)
            fake_connection_take(connection, ks_connection_output_waiting(&connection->connection));
        fake_connection_end(connection);
        must(connection->finished);
        must(count_ends(connection) == count_requests(&whole));
    }
    must(cut.connection.output.size == uncut.connection.output.size);
    must(cut.connection.output.size == 0 ||
         memcmp(cut.connection.output.bytes, uncut.connection.output.bytes, cut.connection.output.size) == 0);
    end_otherwise(&whole, data[0]);
    ks_buffer_free(&whole);
    close_office(&uncut);
    close_office(&cut);
    return 0;
}
