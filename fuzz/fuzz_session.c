/* fuzz_session.c — the binary port as a state machine: the real services behind a fake connection and a fake
 * store.
 *
 * The first byte of the input says how the rest reaches the session: in which steps, whether the store
 * answers at once, how much buffer there is, and whether it fails. Then the input is what a stranger sends.
 * Ids of registered users are known to the stranger, so that deep states can be reached. Afterwards nothing
 * may be left: no buffer taken from the budget, no stage that nobody can find.
 */
#include "crypto/random.h"
#include "fake_connection.h"
#include "fake_store.h"
#include "service/frames.h"
#include "service/staged.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Keys are as good as any other bytes here, and the same ones every time. */
static enum ks_result counted_fill(const struct ks_random *random, void *bytes, size_t size)
{
    (void)random;
    memset(bytes, 0x2A, size);
    return KS_OK;
}

static void add_user_with_key(struct fake_store *store, struct ks_loop *loop)
{
    static const uint8_t key[KS_CONTENT_KEY_SIZE] = "0123456789abcdef";
    struct fake_user *user = &store->users[store->user_count++];
    memset(user->user.id.bytes, 0xA0, KS_CLIENT_ID_SIZE);
    user->user.id.bytes[0] = 1;
    memcpy(user->user.name, "a", 2);
    user->content_key = ks_content_key_new(key, ks_clock_wall_seconds(loop->clock));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ks_random random = {.fill = counted_fill};
    static const size_t steps[] = {0, 1, 7, 64, 1000, 16384, 40000, 100000};
    if (size < 1)
        return 0;
    struct fake_loop loop;
    struct fake_store store;
    struct fake_connection connection;
    uint8_t mode = data[0];
    fake_loop_init(&loop, (mode & 8) != 0 ? 20000 : 1024 * 1024);
    fake_store_init(&store);
    store.later = (mode & 16) != 0;
    if ((mode & 32) != 0)
        store.next_failure = KS_NO_SPACE;
    add_user_with_key(&store, &loop.loop);
    struct ks_service_environment environment = {.store = &store.store,
                                                 .random = &random,
                                                 .clock = &loop.time.clock,
                                                 .log = &loop.log,
                                                 .settings = ks_service_settings_default()};
    if (ks_staged_new(&environment.staged) != KS_OK ||
        !fake_connection_open(&connection, &loop, &ks_frames_events, &environment))
        abort();
    fake_connection_send(&connection, data + 1, size - 1, steps[mode & 7]);
    if ((mode & 64) != 0)
        fake_connection_wait(&connection, 5000);
    if ((mode & 128) != 0)
        fake_connection_end(&connection);
    fake_connection_close(&connection);
    if (atomic_load(&loop.budget.used) != 0)
        abort();
    struct ks_staged_upload upload;
    while (ks_staged_take_older(environment.staged, INT64_MAX, &upload)) {
        ks_content_key_release(upload.key);
        store.open_stages--;
    }
    if (store.open_stages != 0)
        abort();
    ks_staged_free(environment.staged);
    fake_store_destroy(&store);
    fake_loop_destroy(&loop);
    return 0;
}
