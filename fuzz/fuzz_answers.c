/* fuzz_answers.c — whatever a server may send, against the client: the first byte of the input chooses what
 * the client is doing, the rest is all that the server ever says; then it ends its side.
 *
 * The client runs as it is, over a socket pair, without reconnects. The properties: it ends, it reads nothing
 * beyond its buffers, every failure has a sentence, and a success has a connection that has served it.
 */
#include "client/drop/upload.h"
#include "client/home/home_files.h"
#include "client/transport/login.h"
#include "crypto/rsa.h"
#include "scratch.h"

#include <kesher/kesher.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { INPUT_LIMIT = 100 * 1024 }; /* fits the socket's buffer, so that one write takes it */

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A fuzzer's inputs come one after the other on one thread; what costs time is made once. */
static struct kesher_home *home(void)
{
    static struct kesher_home *made;
    if (made == NULL)
        require(kesher_home_open(scratch_folder(), &made, NULL) == KESHER_OK);
    return made;
}

static struct kesher_identity *identity_new(void)
{
    struct kesher_identity *identity = calloc(1, sizeof *identity);
    require(identity != NULL);
    memcpy(identity->name, "Alice", 6);
    require(ks_private_key_generate(&identity->key) == KS_OK);
    return identity;
}

/* The client's end of a connection whose other end has said its all. *peer is to be closed after it. */
static struct ks_channel *channel_with(const uint8_t *bytes, size_t size, int *peer)
{
    struct ks_channel *channel = NULL;
    int fds[2];
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    require(fcntl(fds[0], F_SETFL, O_NONBLOCK) == 0);
    require(write(fds[1], bytes, size) == (ssize_t)size);
    require(shutdown(fds[1], SHUT_WR) == 0);
    require(ks_channel_adopt(fds[0], "fuzz", 1000, &channel, NULL) == KESHER_OK);
    *peer = fds[1];
    return channel;
}

static void receive_all(struct kesher_drop *drop)
{
    struct ks_answer answer;
    struct kesher_error error = {.sentence = ""};
    while (ks_request_take_answer(&drop->session, &answer, &error) == KESHER_OK) {
        struct ks_key_answer key_answer;
        struct ks_file_answer file_answer;
        struct ks_client_id id;
        if (answer.payload_size > sizeof answer.payload)
            continue;
        (void)ks_key_answer_parse(answer.payload, answer.payload_size, &key_answer);
        (void)ks_file_answer_parse(answer.payload, answer.payload_size, &file_answer);
        (void)ks_client_id_answer_parse(answer.payload, answer.payload_size, &id);
    }
    require(error.sentence[0] != '\0' && ks_channel_is_broken(drop->session.channel));
}

static void judge(const struct kesher_drop *drop, enum kesher_status status, const struct kesher_error *error)
{
    if (status == KESHER_OK)
        require(drop->session.channel != NULL);
    else
        require(error->status == status && error->sentence[0] != '\0');
}

static void put(struct kesher_drop *drop)
{
    const struct kesher_upload upload = {.fd = scratch_file(), .size = SCRATCH_FILE_SIZE, .name = "file"};
    struct ks_upload_counts counts = {0};
    struct kesher_error error = {.sentence = ""};
    uint32_t cksum = 0;
    drop->session.has_key = true;
    judge(drop, ks_upload_put(drop, &upload, &counts, &cksum, &error), &error);
}

struct pipelined {
    unsigned given;
    unsigned done;
};

static bool next_upload(void *context, struct kesher_upload *upload)
{
    static const char *const names[] = {"a", "b", "c", "a", "d/a", "e"};
    struct pipelined *pipelined = context;
    if (pipelined->given == sizeof names / sizeof names[0])
        return false;
    *upload = (struct kesher_upload){
        .fd = scratch_file(), .size = SCRATCH_FILE_SIZE, .name = names[pipelined->given++]};
    return true;
}

static void upload_done(void *context, const struct kesher_upload *upload,
                        const struct kesher_upload_result *result, const struct kesher_error *error)
{
    struct pipelined *pipelined = context;
    pipelined->done++;
    require(upload->fd == scratch_file());
    require((result->status == KESHER_OK) == (error == NULL));
}

static void put_pipelined(struct kesher_drop *drop)
{
    struct pipelined pipelined = {0};
    const struct kesher_upload_list list = {.context = &pipelined, .next = next_upload, .done = upload_done};
    struct kesher_error error = {.sentence = ""};
    drop->session.has_key = true;
    judge(drop, kesher_drop_put_pipelined(drop, &list, &error), &error);
    require(pipelined.given == pipelined.done);
}

static void log_in(struct kesher_drop *drop)
{
    struct kesher_error error = {.sentence = ""};
    judge(drop, ks_login_ensure(&drop->session, &error), &error);
    /* Else every input that registers anew would leave one more old copy. */
    (void)unlinkat(home()->directory_fd, "me.info", 0);
    (void)unlinkat(home()->directory_fd, "priv.key", 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const doings[])(struct kesher_drop *) = {receive_all, put, put_pipelined, log_in};
    static struct kesher_identity *identity;
    static struct kesher_drop drop; /* too large for a stack */
    int peer = -1;
    if (size < 1 || size > INPUT_LIMIT)
        return 0;
    if (identity == NULL)
        identity = identity_new();
    require(ks_client_session_init(&drop.session, home(), "", NULL, NULL) == KESHER_OK);
    drop.pipeline = NULL;
    drop.session.identity = identity;
    drop.session.options.reconnects = 0; /* the empty address could not be reached either */
    drop.session.channel = channel_with(bytes + 1, size - 1, &peer);
    doings[bytes[0] % (sizeof doings / sizeof doings[0])](&drop);
    drop.session.identity = NULL; /* kept for the next input */
    ks_client_session_destroy(&drop.session);
    close(peer);
    return 0;
}
