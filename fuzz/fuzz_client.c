/* fuzz_client.c — a client and its home against a server with keys that fit, and with every freedom to lie:
 * the input is what the client does, one byte for each call, and between those what the server answers
 * (lying_server.h).
 *
 * The client runs as it is, with a home of files in memory. The properties: every call ends; every failure
 * has a sentence; texts are as long as they are said to be, and say what was sent where nothing was damaged;
 * what was pulled comes to an end; nothing is written but what belongs into a home, and received files have
 * names of harmless characters.
 */
#include "client/home/home_files.h"
#include "client/home/identity.h"
#include "crypto/rsa.h"
#include "lying_server.h"
#include "scratch.h"

#include <kesher/kesher.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum {
    INPUT_LIMIT = 16 * 1024,
    CALL_LIMIT = 40,
    MESSAGE_LIMIT = 40000, /* more than fit into all answers of an input, twice */
};

static const char address[] = "server:1";
static char home_path[SCRATCH_FOLDER_SIZE + 8];

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* ---- the home ---- */

static struct kesher_identity *alice;

/* Reading the one key pair takes OpenSSL longer than everything else: it is read once (--wrap). */
enum ks_result real_key_parse(const uint8_t *der, size_t size,
                              struct ks_private_key **key) __asm__("__real_ks_private_key_parse");
enum ks_result read_key(const uint8_t *der, size_t size,
                        struct ks_private_key **key) __asm__("__wrap_ks_private_key_parse");
void real_key_free(struct ks_private_key *key) __asm__("__real_ks_private_key_free");
void free_key(struct ks_private_key *key) __asm__("__wrap_ks_private_key_free");

enum ks_result read_key(const uint8_t *der, size_t size, struct ks_private_key **key)
{
    if (alice == NULL)
        return real_key_parse(der, size, key);
    *key = alice->key; /* the home never has another one */
    return KS_OK;
}

void free_key(struct ks_private_key *key)
{
    if (alice == NULL || key != alice->key)
        real_key_free(key);
}

/* A fuzzer's inputs come one after the other on one thread; what costs time is made once. */
static struct kesher_home *home(void)
{
    static struct kesher_home *made;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    if (made != NULL)
        return made;
    require(snprintf(home_path, sizeof home_path, "%s/home", scratch_folder()) > 0);
    require(mkdir(home_path, 0700) == 0);
    require(kesher_home_open(home_path, &made, NULL) == KESHER_OK);
    require(ks_identity_prepare(made, "alice", &alice, NULL) == KESHER_OK);
    alice->id = lying_server_id(2);
    require(ks_identity_save(made, alice, NULL) == KESHER_OK);
    require(ks_private_key_public(alice->key, public_key) == KS_OK);
    lying_server_meet(public_key);
    return made;
}

static bool is_harmless(const char *name)
{
    return name[0] != '.' && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == strlen(name);
}

static bool is_expected(const char *name)
{
    static const char *const names[] = {"me.info", "priv.key", "server.info", "contacts",
                                        "inbox",   "put",      "received"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return strncmp(name, "me.info.old.", 12) == 0 || strncmp(name, "priv.key.old.", 13) == 0;
}

static void check_names(const char *path, bool (*is_right)(const char *name))
{
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) /* NOLINT(concurrency-mt-unsafe): one thread */
        require(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
                is_right(entry->d_name));
    closedir(directory);
}

static bool is_home(const char *name)
{
    return strcmp(name, "home") == 0;
}

static void below_home(const char *name, char path[static sizeof home_path + 300])
{
    require(snprintf(path, sizeof home_path + 300, "%s/%s", home_path, name) > 0);
}

static void check_files(void)
{
    char received[sizeof home_path + 300];
    below_home("received", received);
    check_names(scratch_folder(), is_home);
    check_names(home_path, is_expected);
    check_names(received, is_harmless);
}

static bool was_put; /* then the home may have another id, or keep old files */

/* Nothing of an input is there for the next one. */
static void forget_everything(const struct kesher_home *used)
{
    char path[sizeof home_path + 300];
    DIR *directory = opendir(home_path);
    const struct dirent *entry = NULL;
    require(directory != NULL);
    while ((entry = readdir(directory)) != NULL) { /* NOLINT(concurrency-mt-unsafe): one thread */
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            (!was_put && (strcmp(entry->d_name, "me.info") == 0 || strcmp(entry->d_name, "priv.key") == 0)))
            continue;
        below_home(entry->d_name, path);
        scratch_remove(path);
    }
    closedir(directory);
    if (was_put)
        require(ks_identity_save(used, alice, NULL) == KESHER_OK);
    was_put = false;
}

/* ---- what the client does ---- */

struct client {
    const struct kesher_home *home;
    struct kesher_options options;
    struct kesher_messenger_settings settings;
    struct kesher_messenger *messenger;
    struct kesher_error error;
};

static void judge(const struct client *client, enum kesher_status status)
{
    require(status == KESHER_OK || (client->error.status == status && client->error.sentence[0] != '\0'));
}

static const char *somebody(void)
{
    static const char *const names[] = {"bob", "carol", "alice", "dave"};
    return names[lying_server_byte() % 4];
}

static void read_text(struct client *client, const struct kesher_message *message)
{
    uint8_t bytes[5000];
    const uint8_t *wanted = NULL;
    uint64_t done = 0;
    size_t wanted_size = 0;
    size_t size = 1;
    bool is_known = lying_server_sent(message->message_id, &wanted, &wanted_size);
    while (size > 0) {
        require(kesher_messenger_read(client->messenger, bytes, sizeof bytes, &size, &client->error) ==
                KESHER_OK);
        if (is_known)
            require(done + size <= wanted_size && (size == 0 || memcmp(bytes, wanted + done, size) == 0));
        done += size;
    }
    require(done == message->content_size && (!is_known || done == wanted_size));
}

static void check_saved(const struct kesher_message *message)
{
    struct stat status;
    require(strncmp(message->path, home_path, strlen(home_path)) == 0);
    require(stat(message->path, &status) == 0 && S_ISREG(status.st_mode) &&
            (uint64_t)status.st_size == message->content_size && (status.st_mode & 07777) == 0600);
}

/* False when there is none. */
static bool take_one(struct client *client, bool is_done)
{
    struct kesher_message message;
    enum kesher_status status = kesher_messenger_next(client->messenger, &message, &client->error);
    if (status != KESHER_OK) {
        require(status == KESHER_NOT_FOUND);
        return false;
    }
    require(memchr(message.sender.name, '\0', sizeof message.sender.name) != NULL);
    if (message.content == KESHER_CONTENT_TEXT)
        read_text(client, &message);
    if (message.content == KESHER_CONTENT_FILE)
        check_saved(&message);
    if (is_done)
        require(kesher_messenger_done(client->messenger, &client->error) == KESHER_OK);
    return true;
}

static void take_all(struct client *client)
{
    unsigned left = MESSAGE_LIMIT;
    while (take_one(client, true))
        require(left-- > 0);
}

static void discard_all(struct client *client)
{
    struct kesher_message message;
    unsigned left = MESSAGE_LIMIT;
    enum kesher_status status = KESHER_OK;
    while ((status = kesher_messenger_discard(client->messenger, &message, &client->error)) == KESHER_OK)
        require(left-- > 0 && message.content == KESHER_CONTENT_UNREADABLE);
    require(status == KESHER_NOT_FOUND || status == KESHER_CONNECTION || status == KESHER_TIMEOUT);
}

static bool visit(void *context, const struct kesher_user *user)
{
    unsigned *left = context;
    require(memchr(user->name, '\0', sizeof user->name) != NULL);
    return --*left > 0;
}

static void list(struct client *client)
{
    unsigned left = 1 + lying_server_byte();
    judge(client, kesher_messenger_users(client->messenger, visit, &left, &client->error));
}

static void pull(struct client *client)
{
    bool more = false;
    judge(client, kesher_messenger_pull(client->messenger, &more, &client->error));
}

static void send_something(struct client *client)
{
    struct kesher_receipt receipt;
    uint8_t choice = lying_server_byte();
    judge(client, kesher_messenger_send(
                      client->messenger, somebody(), choice < 128 ? KESHER_MESSAGE_TEXT : KESHER_MESSAGE_FILE,
                      scratch_file(), SCRATCH_FILE_SIZE, choice % 8 != 7, &receipt, &client->error));
}

static void look_at_key(struct client *client)
{
    struct kesher_user_key key;
    judge(client, kesher_messenger_key(client->messenger, somebody(), &key, &client->error));
}

static void put(struct client *client)
{
    const struct kesher_upload upload = {.fd = scratch_file(), .size = SCRATCH_FILE_SIZE, .name = "dir/file"};
    struct kesher_drop *drop = NULL;
    uint32_t cksum = 0;
    was_put = true;
    enum kesher_status status =
        kesher_drop_open(client->home, address, &client->options, &drop, &client->error);
    judge(client, status);
    if (status != KESHER_OK)
        return;
    judge(client, kesher_drop_put(drop, &upload, &cksum, &client->error));
    (void)kesher_drop_note_confirmed(drop, upload.name);
    kesher_drop_close(drop);
}

static void open_messenger(struct client *client)
{
    judge(client, kesher_messenger_open(client->home, address, &client->settings, &client->options,
                                        &client->messenger, &client->error));
}

static void reopen(struct client *client)
{
    kesher_messenger_close(client->messenger);
    client->messenger = NULL;
    open_messenger(client);
}

static void publish(struct client *client)
{
    bool published = false;
    judge(client, kesher_messenger_publish_key(client->messenger, &published, &client->error));
}

/* Nothing can be saved as long as a file has the directory's name. */
static void obstruct(void)
{
    char path[sizeof home_path + 300];
    struct stat status;
    below_home("received", path);
    bool is_there = lstat(path, &status) == 0;
    if (is_there && S_ISREG(status.st_mode))
        require(unlink(path) == 0);
    int fd = is_there ? -1 : open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
}

/* As if the client had been killed when an answer had come and was not judged yet. */
static void undo_arrival(struct client *client)
{
    char path[sizeof home_path + 300];
    char messages[sizeof path + 32];
    char incoming[sizeof path + 32];
    below_home("inbox", path);
    for (unsigned number = 1; number < 8; number++) {
        require(snprintf(messages, sizeof messages, "%s/%016x.messages", path, number) > 0);
        require(snprintf(incoming, sizeof incoming, "%s/%016x.incoming", path, number) > 0);
        if (rename(messages, incoming) == 0)
            break;
    }
    reopen(client);
}

static void register_again(struct client *client)
{
    struct kesher_identity *identity = NULL;
    was_put = true;
    enum kesher_status status =
        kesher_register_again(client->home, address, "alice", &client->options, &identity, &client->error);
    judge(client, status);
    if (status == KESHER_OK)
        kesher_identity_free(identity);
    reopen(client);
}

static void act(struct client *client, uint8_t what)
{
    switch (what % 19) {
    case 0:
    case 1:
        pull(client);
        break;
    case 2:
    case 3:
        take_all(client);
        break;
    case 4:
        (void)take_one(client, lying_server_byte() < 128);
        break;
    case 5:
        discard_all(client);
        break;
    case 6:
        send_something(client);
        break;
    case 7:
        look_at_key(client);
        break;
    case 8:
        judge(client, kesher_messenger_share_key(client->messenger, somebody(), &client->error));
        break;
    case 9:
        judge(client, kesher_messenger_request_key(client->messenger, somebody(), &client->error));
        break;
    case 10:
        judge(client, kesher_messenger_forget(client->messenger, somebody(), &client->error));
        break;
    case 11:
        judge(client, kesher_messenger_accept_key(client->messenger, somebody(), &client->error));
        break;
    case 12:
        list(client);
        break;
    case 13:
        reopen(client);
        break;
    case 14:
        publish(client);
        break;
    case 15:
        put(client);
        reopen(client); /* it may have a new id */
        break;
    case 16:
        obstruct();
        break;
    case 17:
        undo_arrival(client);
        break;
    default:
        register_again(client);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct client client = {
        .home = home(),
        .options = {.reconnects = 1, .backoff_ms = 1, .retry_ms = 1, .answer_ms = 1000, .progress_ms = 1000},
    };
    if (size < 1 || size > INPUT_LIMIT)
        return 0;
    forget_everything(client.home);
    lying_server_begin(bytes + 1, size - 1);
    client.settings.classic = bytes[0] >= 240;
    client.settings.file_directory = client.settings.classic ? home_path : NULL;
    client.options.error_repeats = bytes[0] >= 200 ? 1 : 0;
    open_messenger(&client);
    for (unsigned calls = 0; client.messenger != NULL && lying_server_has_more() && calls < CALL_LIMIT;
         calls++)
        act(&client, lying_server_byte());
    if (client.messenger != NULL)
        take_all(&client);
    kesher_messenger_close(client.messenger);
    lying_server_end();
    if (!client.settings.classic)
        check_files();
    return 0;
}
