/* fuzz_messages.c — whatever a server may send to a messenger: the first byte of the input chooses what the
 * client asks, the rest is all that the server ever says; then it ends its side.
 *
 * The messenger runs as it is, but its socket is one by hand, and its home is in memory. The properties:
 * every call ends, every failure has a sentence, an answer that fails leaves nothing in the inbox, and what
 * was pulled comes to an end.
 */
#include "client/home/home_files.h"
#include "client/home/identity.h"
#include "client/messenger/messenger_internal.h"
#include "hand_socket.h"
#include "quick_keys.h"
#include "scratch.h"

#include <kesher/kesher.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    INPUT_LIMIT = 100 * 1024, /* fits the socket's buffer, so that one write takes it */
    SILENCE_MS = 200,
};

enum { DOING = 63, IN_CRUMBS = 64, CLASSIC = 128 }; /* of the first byte */

static const char *const directories[] = {"contacts", "inbox", "files"};
enum { DIRECTORIES = sizeof directories / sizeof directories[0] };

enum { PATH_SIZE = SCRATCH_FOLDER_SIZE + 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* A fuzzer's inputs come one after the other on one thread; what costs time is made once. */
static struct kesher_home *home(void)
{
    static struct kesher_home *made;
    struct kesher_identity *identity = NULL;
    char files[PATH_SIZE];
    if (made != NULL)
        return made;
    require(snprintf(files, sizeof files, "%s/files", scratch_folder()) > 0 && mkdir(files, 0700) == 0);
    require(kesher_home_open(scratch_folder(), &made, NULL) == KESHER_OK);
    require(ks_identity_prepare(made, "alice", &identity, NULL) == KESHER_OK);
    require(ks_identity_save(made, identity, NULL) == KESHER_OK);
    kesher_identity_free(identity);
    quick_keys_odds = 0; /* there is only this one, which is remembered */
    return made;
}

/* Nothing of an input is there for the next one. */
static void forget(int directory)
{
    static DIR *opened[DIRECTORIES];
    char path[PATH_SIZE];
    const struct dirent *entry = NULL;
    require(snprintf(path, sizeof path, "%s/%s", scratch_folder(), directories[directory]) > 0);
    if (opened[directory] == NULL)
        opened[directory] = opendir(path);
    if (opened[directory] == NULL)
        return;
    rewinddir(opened[directory]);
    /* There is one thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
    while ((entry = readdir(opened[directory])) != NULL)
        if (entry->d_name[0] != '.' || (entry->d_name[1] != '\0' && entry->d_name[1] != '.'))
            require(unlinkat(dirfd(opened[directory]), entry->d_name, 0) == 0);
}

/* The client's end of the connection. */
static struct ks_channel *channel_to(struct hand_socket *server)
{
    struct ks_channel *channel = NULL;
    require(ks_channel_adopt(hand_socket_open(server), "fuzz", SILENCE_MS, &channel, NULL) == KESHER_OK);
    return channel;
}

static void judge(enum kesher_status status, const struct kesher_error *error)
{
    require(status == KESHER_OK || (error->status == status && error->sentence[0] != '\0'));
}

/* ---- what the client asks ---- */

static bool visit(void *context, const struct kesher_user *user)
{
    unsigned *left = context;
    require(memchr(user->name, '\0', sizeof user->name) != NULL);
    return --*left > 0;
}

static void list(struct kesher_messenger *messenger, struct kesher_error *error)
{
    unsigned all = 1000;
    unsigned one = 1;
    judge(kesher_messenger_users(messenger, visit, &all, error), error);
    judge(kesher_messenger_users(messenger, visit, &one, error), error);
}

static void key(struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct kesher_user_key found;
    judge(kesher_messenger_key(messenger, "bob", &found, error), error);
    judge(kesher_messenger_key(messenger, "bob", &found, error), error);
}

static void talk(struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct kesher_receipt receipt;
    judge(kesher_messenger_request_key(messenger, "bob", error), error);
    judge(kesher_messenger_send(messenger, "bob", KESHER_MESSAGE_TEXT, scratch_file(), SCRATCH_FILE_SIZE,
                                true, &receipt, error),
          error);
    judge(kesher_messenger_share_key(messenger, "bob", error), error);
}

/* Takes out what was pulled; every message has at least 25 bytes. */
static void take_all(struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct kesher_message message;
    unsigned left = INPUT_LIMIT / 25 * 2; /* each of them twice, when a key came */
    enum kesher_status status = KESHER_OK;
    while ((status = kesher_messenger_next(messenger, &message, error)) == KESHER_OK) {
        uint8_t bytes[100];
        size_t size = message.content == KESHER_CONTENT_TEXT ? 1 : 0;
        require(left-- > 0);
        while (size > 0)
            require(kesher_messenger_read(messenger, bytes, sizeof bytes, &size, error) == KESHER_OK);
        require(kesher_messenger_done(messenger, error) == KESHER_OK);
    }
    require(status == KESHER_NOT_FOUND);
}

/* Gives up what cannot be read; there are no more of those than came. */
static void discard_all(struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct kesher_message message;
    unsigned left = INPUT_LIMIT / 25;
    enum kesher_status status = KESHER_OK;
    while ((status = kesher_messenger_discard(messenger, &message, error)) == KESHER_OK) {
        require(left-- > 0);
        require(message.content == KESHER_CONTENT_UNREADABLE);
    }
    require(status == KESHER_NOT_FOUND || status == KESHER_CONNECTION);
}

static void receive(struct kesher_messenger *messenger, struct kesher_error *error)
{
    struct kesher_message message;
    bool more = false;
    enum kesher_status status = kesher_messenger_pull(messenger, &more, error);
    judge(status, error);
    if (status != KESHER_OK)
        require(kesher_messenger_next(messenger, &message, error) == KESHER_NOT_FOUND);
    judge(kesher_messenger_pull(messenger, &more, error), error);
    take_all(messenger, error);
    discard_all(messenger, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static void (*const doings[])(struct kesher_messenger *, struct kesher_error *) = {list, key, talk,
                                                                                       receive};
    /* A client that waits at this server waits in vain. */
    const struct kesher_options options = {
        .reconnects = 1, .backoff_ms = 1, .answer_ms = SILENCE_MS, .progress_ms = SILENCE_MS};
    struct kesher_messenger_settings settings = {.classic = false};
    struct kesher_messenger *messenger = NULL;
    struct kesher_error error = {.sentence = ""};
    char files[PATH_SIZE];
    struct hand_socket server;
    if (size < 1 || size > INPUT_LIMIT)
        return 0;
    server =
        (struct hand_socket){.bytes = bytes + 1, .size = size - 1, .in_crumbs = (bytes[0] & IN_CRUMBS) != 0};
    const struct kesher_home *used = home();
    for (int i = 0; i < DIRECTORIES; i++)
        forget(i);
    require(snprintf(files, sizeof files, "%s/files", scratch_folder()) > 0);
    settings.file_directory = files;
    settings.classic = (bytes[0] & CLASSIC) != 0;
    /* The empty address cannot be reached: what the server says is all there is. */
    require(kesher_messenger_open(used, "", &settings, &options, &messenger, NULL) == KESHER_OK);
    messenger->session.channel = channel_to(&server);
    doings[(bytes[0] & DOING) % (sizeof doings / sizeof doings[0])](messenger, &error);
    kesher_messenger_close(messenger);
    return 0;
}
