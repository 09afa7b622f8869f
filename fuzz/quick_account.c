/* quick_account.c — see quick_account.h. */
#include "quick_account.h"

#include "client/account/account_internal.h"
#include "client/home/trust.h"
#include "client/transport/secure_dial.h"
#include "crypto/account_key.h"
#include "scratch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CALLS_LIMIT = 8, CUT_SIZE = 5 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- what the server says, in one call after the other ---- */

static struct {
    const uint8_t *bytes; /* what has not been said */
    size_t size;
    bool is_over;
    bool lingers;
    unsigned calls;
    int peers[CALLS_LIMIT];
} said;

void quick_account_prepare(const uint8_t *bytes, size_t size, bool lingers)
{
    said.bytes = bytes;
    said.size = size;
    said.lingers = lingers;
    said.is_over = false;
    said.calls = 0;
}

/* How much is said until the connection is cut; *next is where the next one goes on. */
static size_t until_cut(size_t *next)
{
    for (size_t i = 0; i + CUT_SIZE <= said.size; i++) {
        if (memcmp(said.bytes + i, "[CUT]", CUT_SIZE) == 0) {
            *next = i + CUT_SIZE;
            return i;
        }
    }
    said.is_over = true;
    *next = said.size;
    return said.size;
}

struct ks_carrier *quick_account_call(void)
{
    struct ks_carrier *carrier = NULL;
    int fds[2];
    size_t next = 0;
    if (said.is_over || said.calls == CALLS_LIMIT)
        return NULL;
    size_t size = until_cut(&next);
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    require(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    require(write(fds[1], said.bytes, size) == (ssize_t)size);
    require(said.lingers || shutdown(fds[1], SHUT_WR) == 0);
    require(ks_carrier_new(fds[0], &carrier, NULL) == KESHER_OK);
    said.peers[said.calls++] = fds[1];
    said.bytes += next;
    said.size -= next;
    return carrier;
}

bool quick_account_hang_up(void)
{
    return said.calls > 0 && shutdown(said.peers[said.calls - 1], SHUT_WR) == 0;
}

void quick_account_end(void)
{
    for (unsigned i = 0; i < said.calls; i++)
        close(said.peers[i]);
    quick_account_prepare(NULL, 0, false);
    said.is_over = true;
}

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */

/* ---- in place of TLS ---- */

enum kesher_status __wrap_ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                         struct ks_carrier **carrier, struct kesher_error *error);
struct ks_tls *__wrap_ks_carrier_tls(struct ks_carrier *carrier);
enum kesher_status __wrap_ks_secure_context(const struct ks_trust *trust, struct ks_tls_context **context,
                                            struct kesher_error *error);
enum ks_result __wrap_ks_tls_channel(struct ks_tls *tls, uint8_t channel[static KS_TLS_CHANNEL_SIZE]);

enum kesher_status __wrap_ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                         struct ks_carrier **carrier, struct kesher_error *error)
{
    (void)call;
    (void)trust;
    *carrier = quick_account_call();
    return *carrier != NULL ? KESHER_OK : ks_carrier_failure(NULL, 0, "fuzz", error);
}

enum kesher_status __wrap_ks_secure_context(const struct ks_trust *trust, struct ks_tls_context **context,
                                            struct kesher_error *error)
{
    (void)trust;
    (void)error;
    *context = NULL; /* of which nothing is asked */
    return KESHER_OK;
}

struct ks_tls *__wrap_ks_carrier_tls(struct ks_carrier *carrier)
{
    return (struct ks_tls *)carrier; /* there is one, and nobody looks into it */
}

enum ks_result __wrap_ks_tls_channel(struct ks_tls *tls, uint8_t channel[static KS_TLS_CHANNEL_SIZE])
{
    (void)tls;
    memset(channel, 'c', KS_TLS_CHANNEL_SIZE);
    return KS_OK;
}

/* ---- in place of the home's files, which would take a millisecond for each input ---- */

static struct ks_own_account own = {.name = "Alice", .has_public_id = true, .public_id = {'i'}};

bool __wrap_ks_account_file_exists(const struct kesher_home *home);
enum kesher_status __wrap_ks_account_file_look(const struct kesher_home *home, struct ks_own_account *account,
                                               struct kesher_error *error);
enum kesher_status __wrap_ks_account_file_open(const struct kesher_home *home,
                                               const struct kesher_passphrase *passphrase,
                                               struct ks_own_account *account, struct kesher_error *error);
enum kesher_status __wrap_ks_account_file_prepare(struct kesher_home *home,
                                                  const struct kesher_passphrase *passphrase, bool seal,
                                                  struct ks_own_account *account, struct kesher_error *error);
enum kesher_status __wrap_ks_account_file_confirm(const struct kesher_home *home,
                                                  const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                                  const char *name,
                                                  const uint8_t public_id[static KS_CLIENT_ID_SIZE],
                                                  struct kesher_error *error);
enum kesher_status __wrap_ks_trust_load(const struct kesher_home *home, struct ks_trust *trust,
                                        struct kesher_error *error);
enum kesher_status __wrap_ks_trust_save(const struct kesher_home *home, const struct ks_trust *before,
                                        const struct ks_trust *after, struct kesher_error *error);

bool __wrap_ks_account_file_exists(const struct kesher_home *home)
{
    (void)home;
    return true;
}

enum kesher_status __wrap_ks_account_file_look(const struct kesher_home *home, struct ks_own_account *account,
                                               struct kesher_error *error)
{
    (void)home;
    (void)error;
    *account = own;
    return KESHER_OK;
}

enum kesher_status __wrap_ks_account_file_open(const struct kesher_home *home,
                                               const struct kesher_passphrase *passphrase,
                                               struct ks_own_account *account, struct kesher_error *error)
{
    (void)passphrase;
    return __wrap_ks_account_file_look(home, account, error);
}

enum kesher_status __wrap_ks_account_file_prepare(struct kesher_home *home,
                                                  const struct kesher_passphrase *passphrase, bool seal,
                                                  struct ks_own_account *account, struct kesher_error *error)
{
    (void)passphrase;
    (void)seal;
    return __wrap_ks_account_file_look(home, account, error);
}

enum kesher_status __wrap_ks_account_file_confirm(const struct kesher_home *home,
                                                  const uint8_t key[static KS_ED25519_PUBLIC_SIZE],
                                                  const char *name,
                                                  const uint8_t public_id[static KS_CLIENT_ID_SIZE],
                                                  struct kesher_error *error)
{
    (void)home;
    (void)public_id;
    require(memcmp(key, own.key, sizeof own.key) == 0 && name[0] != '\0');
    if (ks_account_text_is_name(name, strlen(name)))
        return KESHER_OK;
    return ks_carrier_failure(NULL, 0, "fuzz", error);
}

enum kesher_status __wrap_ks_trust_load(const struct kesher_home *home, struct ks_trust *trust,
                                        struct kesher_error *error)
{
    (void)home;
    (void)error;
    *trust = (struct ks_trust){.mode = KS_TRUST_KEY, .server = {.host = "fuzz.example", .port = "1358"}};
    return KESHER_OK;
}

enum kesher_status __wrap_ks_trust_save(const struct kesher_home *home, const struct ks_trust *before,
                                        const struct ks_trust *after, struct kesher_error *error)
{
    (void)home;
    (void)error;
    require(before->mode == KS_TRUST_KEY && after->mode == KS_TRUST_KEY);
    require(memcmp(before->key, after->key, sizeof after->key) == 0); /* only `next` is the server's to say */
    return KESHER_OK;
}

/* NOLINTEND(bugprone-reserved-identifier) */

struct kesher_home *quick_account_home(void)
{
    static struct kesher_home *made;
    if (made == NULL) {
        require(kesher_home_open(scratch_folder(), &made, NULL) == KESHER_OK);
        memset(own.secret, 's', sizeof own.secret);
        require(ks_account_key_public(own.secret, own.key) == KS_OK);
    }
    return made;
}
