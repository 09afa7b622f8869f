/* fuzz_session.c — the binary port as a state machine: the real services behind a fake connection and a fake
 * store.
 *
 * The first byte of the input says how the rest reaches the session: in which steps, whether the store
 * answers at once, how much buffer there is, and whether it fails; the second how the peer takes what it
 * gets, or that it is cut off before the store has answered. Then the input is what a stranger sends. Ids of
 * registered users are known to the stranger, so that deep states can be reached; "[MUCH", a byte n and a
 * byte c in the input are n times 500 bytes c of his, so that small inputs have large contents; at "[WAIT", a
 * byte n and another n seconds pass. What it gets
 * must be whole answers, padded to blocks or not. Afterwards nothing may be left: no buffer taken from the
 * budget, no stage that nobody can find, no message on lease.
 */
#include "crypto/alias.h"
#include "crypto/random.h"
#include "service/binary_port.h"
#include "service/core/frames.h"
#include "service/drop/staged.h"
#include "support/fake_connection.h"
#include "support/fake_store.h"
#include "support/service_settings.h"
#include "wire/blocks.h"

#include <stdlib.h>
#include <string.h>

enum { CUT = 2 }; /* of the lowest two bits of the second byte */
enum { MARK_NAME_SIZE = 5, MARK_SIZE = 7 };
enum { MUCH_UNIT = 500, MUCH_LIMIT = 100000, MUCH_STEP = 1000, SMALL_PART = 2000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keys are as good as any other bytes here, and the same ones every time. */
static enum ks_result counted_fill(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    memset(bytes, 0x2A, size);
    return KS_OK;
}

/* "a" with a content key, and "b" with nothing. */
static void add_users(struct fake_store *store, struct ks_loop *loop)
{
    static const uint8_t key[KS_CONTENT_KEY_SIZE] = "0123456789abcdef";
    struct fake_user *user = &store->users[store->user_count++];
    memset(user->user.id.bytes, 0xA0, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = 1;
    memcpy(user->user.name, "a", 2);
    user->content_key = ks_content_key_new(key, ks_clock_wall_seconds(loop->clock));
    struct fake_user *other = &store->users[store->user_count++];
    *other = (struct fake_user){.user = {.id = user->user.id, .name = "b", .has_public_key = true}};
    other->user.id.bytes[0] = 2;
}

/* Small limits, so that small inputs reach what large ones do in life. */
static struct ks_service_settings small_settings(void)
{
    struct ks_service_settings settings = usual_settings;
    settings.message_limit = 100000;
    settings.spool_threshold = 100;
    settings.pull_limit = 1000;
    settings.payload_rate = 1000;
    settings.list_budget = 2000;
    settings.list_rate = 500;
    return settings;
}

static void take_answers(struct fake_connection *connection, uint8_t mode)
{
    if ((mode & 4) != 0)
        fake_connection_wait(connection, KS_LEASE_LIFETIME_MS);
    for (unsigned i = 0; i < 20 && (mode & 3) != 0; i++)
        fake_connection_take(connection, (size_t)(mode >> 3) * 100 + 1);
}

/* The output is answers, each with the padding of blocks behind it or without; only a connection that was
 * aborted may end inside one. */
static void assert_whole_answers(const struct fake_connection *connection)
{
    const uint8_t *bytes = connection->output.bytes;
    size_t size = connection->output.size;
    size_t rest = 0;
    while (size > 0) {
        struct ks_response_header header;
        if (rest > 0 && bytes[0] == 0) {
            if (size < rest || ks_blocks_count_zeros(bytes, rest) < rest)
                abort();
            bytes += rest;
            size -= rest;
            rest = 0;
            continue;
        }
        if (ks_response_header_parse(bytes, size, &header) != KS_OK ||
            header.payload_size > size - KS_RESPONSE_HEADER_SIZE) {
            if (!connection->aborted && connection->taken == connection->output.size)
                abort();
            return;
        }
        rest = ks_blocks_rest(KS_RESPONSE_HEADER_SIZE + (uint64_t)header.payload_size);
        bytes += KS_RESPONSE_HEADER_SIZE + (size_t)header.payload_size;
        size -= KS_RESPONSE_HEADER_SIZE + (size_t)header.payload_size;
    }
}

static void assert_nothing_on_lease(const struct fake_store *store)
{
    for (const struct fake_message *message = store->messages; message != NULL; message = message->next)
        if (message->owner != 0)
            abort();
}

/* ---- input ---- */

struct stranger {
    struct fake_connection *connection;
    size_t step;
    bool cut;
    size_t much; /* that it has sent */
};

static void send_part(const struct stranger *stranger, const uint8_t *bytes, size_t size)
{
    /* What is many bytes would be as many events. */
    bool leaps = size > SMALL_PART && stranger->step < MUCH_STEP && stranger->step != 0;
    if (size == 0)
        return;
    if (stranger->cut)
        fake_connection_send_only(stranger->connection, bytes, size);
    else
        fake_connection_send(stranger->connection, bytes, size, leaps ? MUCH_STEP : stranger->step);
}

static void send_much(struct stranger *stranger, size_t units, uint8_t byte)
{
    static uint8_t much[UINT8_MAX * MUCH_UNIT];
    size_t size = units * MUCH_UNIT;
    if (size > MUCH_LIMIT - stranger->much)
        size = MUCH_LIMIT - stranger->much;
    stranger->much += size;
    memset(much, byte, size);
    send_part(stranger, much, size);
}

/* Where the input has a mark, or NULL. */
static const uint8_t *find_mark(const uint8_t *bytes, const uint8_t *end)
{
    while (bytes < end && (bytes = memchr(bytes, '[', (size_t)(end - bytes))) != NULL &&
           end - bytes >= MARK_SIZE) {
        if (memcmp(bytes, "[MUCH", MARK_NAME_SIZE) == 0 || memcmp(bytes, "[WAIT", MARK_NAME_SIZE) == 0)
            return bytes;
        bytes++;
    }
    return NULL;
}

static void send_input(struct stranger *stranger, const uint8_t *bytes, size_t size)
{
    const uint8_t *end = bytes + size;
    const uint8_t *mark = NULL;
    while ((mark = find_mark(bytes, end)) != NULL) {
        send_part(stranger, bytes, (size_t)(mark - bytes));
        if (mark[1] == 'M')
            send_much(stranger, mark[MARK_NAME_SIZE], mark[MARK_NAME_SIZE + 1]);
        else if (!stranger->cut)
            fake_connection_wait(stranger->connection, mark[MARK_NAME_SIZE] * UINT64_C(1000));
        bytes = mark + MARK_SIZE;
    }
    send_part(stranger, bytes, (size_t)(end - bytes));
}

/* What happens behind the input, until the connection is gone. */
static void go_on(struct fake_connection *connection, uint8_t mode, uint8_t taking)
{
    take_answers(connection, taking);
    if ((mode & 64) != 0)
        fake_connection_wait(connection, (taking & 128) != 0 ? KS_BLOCKS_QUIET_MS : 5000);
    if ((mode & 128) != 0)
        fake_connection_end(connection);
    take_answers(connection, taking);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_random random = {.fill = counted_fill};
    static const uint8_t alias_key_bytes[KS_ALIAS_KEY_SIZE] = "an alias key 16";
    static const size_t steps[] = {0, 1, 7, 64, 1000, 16384, 40000, 100000};
    if (size < 2)
        return 0;
    struct fake_loop loop;
    struct fake_store store;
    struct fake_connection connection;
    uint8_t mode = data[0];
    uint8_t taking = data[1];
    fake_loop_init(&loop, (mode & 8) != 0 ? 20000 : 1024 * 1024);
    loop.without_traces = true;
    fake_store_init(&store);
    store.later = (mode & 16) != 0;
    if ((mode & 32) != 0)
        store.next_failure = KS_NO_SPACE;
    add_users(&store, &loop.loop);
    struct ks_service_environment environment = {.store = &store.store,
                                                 .random = &random,
                                                 .clock = &loop.time.clock,
                                                 .log = &loop.log,
                                                 .settings = small_settings()};
    struct ks_frames_port port = {.rules = &ks_binary_port_rules, .environment = &environment};
    struct ks_alias_key *alias_key = NULL;
    if (ks_alias_key_new(alias_key_bytes, &alias_key) != KS_OK)
        abort();
    environment.alias_key = alias_key;
    if (ks_staged_new(&environment.staged) != KS_OK ||
        !fake_connection_open(&connection, &loop, &ks_frames_events, &port))
        abort();
    struct stranger stranger = {
        .connection = &connection, .step = steps[mode & 7], .cut = (taking & 3) == CUT};
    if (!stranger.cut && (taking & 3) != 0)
        connection.window = 0;
    send_input(&stranger, data + 2, size - 2);
    if (!stranger.cut) {
        fake_connection_run(&connection); /* also of an input without bytes */
        go_on(&connection, mode, taking);
    }
    assert_whole_answers(&connection);
    fake_connection_close(&connection);
    assert_nothing_on_lease(&store);
    if (atomic_load(&loop.contents.used) != 0 || atomic_load(&loop.answers.used) != 0)
        abort();
    struct ks_staged_upload upload;
    while (ks_staged_take_stale(environment.staged, UINT64_MAX, 0, 0, &upload)) {
        ks_content_key_release(upload.key);
        store.open_stages--;
    }
    if (store.open_stages != 0)
        abort();
    ks_staged_free(environment.staged);
    ks_alias_key_free(alias_key);
    fake_store_destroy(&store);
    fake_loop_destroy(&loop);
    return 0;
}
