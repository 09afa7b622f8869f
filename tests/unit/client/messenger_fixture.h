/* messenger_fixture.h — two users, alice and bob, each with a home and a messenger, at one small server. */
#ifndef KS_TESTS_UNIT_CLIENT_MESSENGER_FIXTURE_H
#define KS_TESTS_UNIT_CLIENT_MESSENGER_FIXTURE_H

#include "unit/client/message_server.h"

#include "base/text.h"
#include "client/home/identity.h"
#include "crypto/base64.h"
#include "crypto/rsa.h"

#include "vectors.h"

#include <dirent.h>
#include <fcntl.h>

struct person {
    const char *name;
    struct kesher_home *home;
    char path[64];
    char files[80];
    struct kesher_messenger *messenger;
    struct ks_client_id id;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    bool is_classic;
    char notice[KESHER_SENTENCE_SIZE]; /* the last one */
};

struct world {
    struct server server;
    struct person alice;
    struct person bob;
};

static inline void note(void *context, const char *line)
{
    struct person *person = context;
    assert_true(strlen(line) < sizeof person->notice);
    strcpy(person->notice, line);
}

static inline void person_open(struct world *world, struct person *person)
{
    const struct kesher_messenger_settings settings = {.classic = person->is_classic,
                                                       .file_directory = person->files};
    const struct kesher_options options = {
        .backoff_ms = 1, .reconnects = 2, .observer = {.context = person, .notice = note}};
    struct kesher_error error = {.sentence = ""};
    assert_null(person->messenger);
    if (kesher_messenger_open(person->home, world->server.address, &settings, &options, &person->messenger,
                              &error) != KESHER_OK)
        fail_msg("%s", error.sentence);
}

static inline void person_close(struct person *person)
{
    kesher_messenger_close(person->messenger);
    person->messenger = NULL;
}

/* As after a crash: another program, nothing of the old one but its files. */
static inline void person_restart(struct world *world, struct person *person)
{
    person_close(person);
    person_open(world, person);
}

static inline void person_write(const struct person *person, const char *name, const char *text)
{
    const struct ks_buffer bytes = {.bytes = (uint8_t *)text, .size = strlen(text)};
    assert_int_equal(ks_home_files_write(person->home, name, &bytes, NULL), KESHER_OK);
}

enum { INBOX_PATH_SIZE = 300 };

/* How many files of the inbox end in `suffix`; `last` is the path of the last of them, "" for none. */
static inline unsigned inbox_files(const struct person *person, const char *suffix,
                                   char last[static INBOX_PATH_SIZE])
{
    char path[100];
    unsigned count = 0;
    last[0] = '\0';
    assert_true(snprintf(path, sizeof path, "%s/inbox", person->path) > 0);
    DIR *entries = opendir(path);
    assert_non_null(entries);
    const struct dirent *entry = NULL;
    while ((entry = readdir(entries)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (size < strlen(suffix) || strcmp(entry->d_name + size - strlen(suffix), suffix) != 0)
            continue;
        assert_true(snprintf(last, INBOX_PATH_SIZE, "%s/%s", path, entry->d_name) > 0);
        count++;
    }
    closedir(entries);
    return count;
}

static inline void person_init(struct world *world, struct person *person, const char *name, size_t key)
{
    char info[100];
    char hex[2 * KS_CLIENT_ID_SIZE + 1];
    person->name = name;
    strcpy(person->path, "/tmp/kesher-test-XXXXXX");
    assert_non_null(mkdtemp(person->path));
    assert_true(snprintf(person->files, sizeof person->files, "%s/files", person->path) > 0);
    assert_int_equal(mkdir(person->files, 0700), 0);
    assert_int_equal(kesher_home_open(person->path, &person->home, NULL), KESHER_OK);
    assert_true(ks_text_from_hex(vector_keys[key].public_hex, strlen(vector_keys[key].public_hex),
                                 person->public_key, sizeof person->public_key));
    person->id = server_add(&world->server, name, name[0], person->public_key)->id;
    ks_text_to_hex(person->id.bytes, sizeof person->id.bytes, hex);
    assert_true(snprintf(info, sizeof info, "%s\n%s\n", name, hex) > 0);
    person_write(person, "me.info", info);
    person_write(person, "priv.key", vector_keys[key].private_base64);
    person_open(world, person);
}

static inline void person_destroy(struct person *person)
{
    person_close(person);
    kesher_home_close(person->home);
    assert_int_equal(nftw(person->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
}

static inline int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    server_start(&world->server);
    person_init(world, &world->alice, "alice", 0);
    person_init(world, &world->bob, "bob", 1);
    *state = world;
    return 0;
}

static inline int close_world(void **state)
{
    struct world *world = *state;
    person_destroy(&world->alice);
    person_destroy(&world->bob);
    server_stop(&world->server);
    free(world);
    return 0;
}

#define WORLD_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

/* ---- what people do ---- */

#define ASSERT_DONE(call) assert_status((call), KESHER_OK, &last_error, #call)
#define ASSERT_FAILS(call, expected)                                                                         \
    do {                                                                                                     \
        last_error.sentence[0] = '\0';                                                                       \
        assert_status((call), (expected), &last_error, #call);                                               \
        assert_true(last_error.sentence[0] != '\0' && last_error.status == (expected));                      \
    } while (0)

static struct kesher_error last_error;

static inline void assert_status(enum kesher_status status, enum kesher_status expected,
                                 const struct kesher_error *error, const char *call)
{
    if (status != expected)
        fail_msg("%s: %s instead of %s: %s", call, kesher_status_text(status), kesher_status_text(expected),
                 error->sentence);
}

static inline int text_file(const void *text, size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    return fd;
}

static inline enum kesher_status send_bytes(const struct person *from, const struct person *to,
                                            enum kesher_message_type type, const void *bytes, size_t size,
                                            bool make_key)
{
    int fd = text_file(bytes, size);
    struct kesher_receipt receipt = {.has_id = false};
    enum kesher_status status =
        kesher_messenger_send(from->messenger, to->name, type, fd, size, make_key, &receipt, &last_error);
    assert_true(receipt.has_id == (status == KESHER_OK));
    assert_true((receipt.message_id != 0) == receipt.has_id);
    close(fd);
    return status;
}

static inline enum kesher_status send_text(const struct person *from, const struct person *to,
                                           const char *text)
{
    return send_bytes(from, to, KESHER_MESSAGE_TEXT, text, strlen(text), true);
}

static inline void pull(const struct person *person, bool expect_more)
{
    bool more = !expect_more;
    ASSERT_DONE(kesher_messenger_pull(person->messenger, &more, &last_error));
    assert_int_equal(more, expect_more);
}

static inline struct kesher_message next(const struct person *person)
{
    struct kesher_message message;
    memset(&message, 0xAA, sizeof message);
    ASSERT_DONE(kesher_messenger_next(person->messenger, &message, &last_error));
    return message;
}

static inline void done(const struct person *person)
{
    ASSERT_DONE(kesher_messenger_done(person->messenger, &last_error));
}

static inline void assert_nothing_next(const struct person *person)
{
    struct kesher_message message;
    assert_int_equal(kesher_messenger_next(person->messenger, &message, &last_error), KESHER_NOT_FOUND);
}

/* The text in hand, which must be this one. */
static inline void assert_text(const struct person *person, const char *expected)
{
    char text[1000] = "";
    size_t used = 0;
    size_t size = 1;
    while (size > 0) {
        assert_true(used < sizeof text);
        ASSERT_DONE(
            kesher_messenger_read(person->messenger, text + used, sizeof text - used, &size, &last_error));
        used += size;
    }
    assert_int_equal(used, strlen(expected));
    assert_memory_equal(text, expected, used);
}

/* The next message is this text, and is done with. Returns its mark. */
static inline enum kesher_key_mark expect_text(const struct person *person, const struct person *from,
                                               const char *text)
{
    struct kesher_message message = next(person);
    assert_int_equal(message.type, KESHER_MESSAGE_TEXT);
    assert_int_equal(message.content, KESHER_CONTENT_TEXT);
    assert_int_equal(message.content_size, strlen(text));
    assert_string_equal(message.sender.name, from->name);
    assert_memory_equal(message.sender.id, from->id.bytes, KS_CLIENT_ID_SIZE);
    assert_text(person, text);
    done(person);
    return message.mark;
}

static inline struct kesher_message expect(const struct person *person, uint8_t type,
                                           enum kesher_content content)
{
    struct kesher_message message = next(person);
    assert_int_equal(message.type, type);
    assert_int_equal(message.content, content);
    done(person);
    return message;
}

/* The content of a type 2 for `person`. */
static inline void encrypt_for(const struct person *person, const void *bytes, size_t size,
                               uint8_t encrypted[static KS_RSA_ENCRYPTED_SIZE])
{
    struct ks_public_key *key = NULL;
    assert_int_equal(ks_public_key_parse(person->public_key, &key), KS_OK);
    assert_int_equal(ks_public_key_encrypt(key, bytes, size, encrypted), KS_OK);
    ks_public_key_free(key);
}

static inline void share_key(const struct person *from, const struct person *to)
{
    ASSERT_DONE(kesher_messenger_share_key(from->messenger, to->name, &last_error));
}

/* `to` takes in everything that waits; it must be this many keys. */
static inline void take_keys(const struct person *to, unsigned count)
{
    pull(to, true);
    while (count-- > 0)
        (void)expect(to, KESHER_MESSAGE_KEY, KESHER_CONTENT_NONE);
    assert_nothing_next(to);
}

static inline void assert_trail(struct server *server, const uint16_t *expected, size_t count)
{
    server_settle(server);
    assert_int_equal(server->trail_size, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(server->trail[i], expected[i]);
    server->trail_size = 0;
}

#define ASSERT_TRAIL(server, ...)                                                                            \
    assert_trail((server), (const uint16_t[]){__VA_ARGS__},                                                  \
                 sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

#endif
