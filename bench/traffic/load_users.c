/* load_users.c — see load_users.h. */
#include "bench/traffic/load_users.h"

#include "bench/traffic/replies.h"
#include "crypto/random.h"
#include "crypto/rsa.h"
#include "crypto/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CONNECTIONS = 16, /* that register */
    DEPTH = 64,       /* registrations on their way on each */
    TAG_SIZE = 9,
    NAME_SIZE = 32,
    REQUEST_LIMIT = KS_REQUEST_HEADER_SIZE + KS_NAME_AND_KEY_PAYLOAD_SIZE,
};

struct user {
    struct ks_client_id id;
    struct ks_client_id alias;
    bool has_alias;
};

struct ks_load_users {
    char tag[TAG_SIZE];
    struct ks_private_key *private_key;
    uint8_t public_key[KS_RSA_PUBLIC_SIZE];
    uint32_t count;
    uint32_t place_mask;
    uint32_t *places; /* a hash table of aliases: index + 1, or 0; place_mask + 1 of them */
    struct user users[];
};

/* ---- names and keys ---- */

static size_t name_of(const struct ks_load_users *users, uint32_t index, char name[static NAME_SIZE])
{
    int size = snprintf(name, NAME_SIZE, "bench-%s-%" PRIu32, users->tag, index);
    return (size_t)size;
}

static bool make_tag(struct ks_load_users *users)
{
    uint8_t bytes[4];
    if (ks_random_fill(ks_random_system(), bytes, sizeof bytes) != KS_OK)
        return false;
    (void)snprintf(users->tag, sizeof users->tag, "%02x%02x%02x%02x", bytes[0], bytes[1], bytes[2], bytes[3]);
    return true;
}

static struct ks_load_users *new_users(uint32_t count)
{
    struct ks_load_users *users = calloc(1, sizeof *users + count * sizeof users->users[0]);
    if (users == NULL)
        return NULL;
    users->count = count;
    if (make_tag(users) && ks_private_key_generate(&users->private_key) == KS_OK &&
        ks_private_key_public(users->private_key, users->public_key) == KS_OK)
        return users;
    ks_load_users_free(users);
    return NULL;
}

void ks_load_users_free(struct ks_load_users *users)
{
    if (users == NULL)
        return;
    ks_private_key_free(users->private_key);
    ks_secret_wipe(users->users, users->count * sizeof users->users[0]);
    free(users->places);
    free(users);
}

const struct ks_client_id *ks_load_users_id(const struct ks_load_users *users, uint32_t index)
{
    return &users->users[index].id;
}

const char *ks_load_users_tag(const struct ks_load_users *users)
{
    return users->tag;
}

/* A request whose payload is the name of user `index` and the public key. Names are short: nothing fails. */
static void encode_name_and_key(const struct ks_load_users *users, uint32_t index, uint16_t code,
                                uint8_t version, uint8_t request[static REQUEST_LIMIT])
{
    char name[NAME_SIZE];
    const struct ks_request_header header = {.client_id = users->users[index].id,
                                             .version = version,
                                             .code = code,
                                             .payload_size = KS_NAME_AND_KEY_PAYLOAD_SIZE};
    ks_request_header_encode(&header, request);
    (void)ks_name_and_key_payload_encode(name, name_of(users, index, name), users->public_key,
                                         request + KS_REQUEST_HEADER_SIZE);
}

void ks_load_users_ask_for_key(const struct ks_load_users *users, uint32_t index,
                               uint8_t request[static KS_LOAD_USERS_KEY_REQUEST_SIZE])
{
    encode_name_and_key(users, index, KS_REQUEST_PUBLIC_KEY, KS_VERSION_DROP, request);
}

enum ks_result ks_load_users_open_key(const struct ks_load_users *users, uint32_t index,
                                      const uint8_t *payload, size_t size,
                                      uint8_t key[static KS_CONTENT_KEY_SIZE])
{
    struct ks_key_answer answer;
    uint8_t plaintext[KS_RSA_PLAINTEXT_LIMIT];
    size_t plaintext_size = 0;
    if (ks_key_answer_parse(payload, size, &answer) != KS_OK ||
        memcmp(&answer.client_id, &users->users[index].id, sizeof answer.client_id) != 0)
        return KS_INVALID;
    enum ks_result result =
        ks_private_key_decrypt(users->private_key, answer.encrypted_key, plaintext, &plaintext_size);
    if (result == KS_OK && plaintext_size != KS_CONTENT_KEY_SIZE)
        result = KS_INVALID;
    if (result == KS_OK)
        memcpy(key, plaintext, KS_CONTENT_KEY_SIZE);
    ks_secret_wipe(plaintext, sizeof plaintext);
    return result;
}

/* ---- registering ---- */

/* Connection c registers users c, c + connections, and so on. */
struct registrar {
    struct ks_replies replies;
    uint32_t asked;
    uint32_t answered;
};

struct user_registration {
    struct ks_run *run;
    struct ks_load_users *users;
    enum ks_load_users_service service;
    struct ks_fleet *fleet;
    uint32_t connections;
    uint32_t done;
    struct registrar registrars[CONNECTIONS];
};

static uint32_t user_of(const struct user_registration *registration, uint32_t connection, uint32_t turn)
{
    return connection + registration->connections * turn;
}

static size_t encode_registration(const struct user_registration *registration, uint32_t index,
                                  uint8_t request[static REQUEST_LIMIT])
{
    if (registration->service == KS_LOAD_USERS_MESSAGES) {
        encode_name_and_key(registration->users, index, KS_REQUEST_REGISTER_MESSAGES, KS_VERSION_MESSAGES,
                            request);
        return REQUEST_LIMIT;
    }
    char name[NAME_SIZE];
    const struct ks_request_header header = {
        .version = KS_VERSION_DROP, .code = KS_REQUEST_REGISTER_DROP, .payload_size = KS_NAME_PAYLOAD_SIZE};
    ks_request_header_encode(&header, request);
    (void)ks_name_payload_encode(name, name_of(registration->users, index, name),
                                 request + KS_REQUEST_HEADER_SIZE);
    return KS_REQUEST_HEADER_SIZE + KS_NAME_PAYLOAD_SIZE;
}

static void ask_more(struct user_registration *registration, uint32_t connection, struct ks_load_link *link)
{
    struct registrar *registrar = &registration->registrars[connection];
    while (registrar->asked - registrar->answered < DEPTH) {
        uint8_t request[REQUEST_LIMIT];
        uint32_t index = user_of(registration, connection, registrar->asked);
        if (index >= registration->users->count)
            return;
        size_t size = encode_registration(registration, index, request);
        if (ks_load_link_write(link, request, size) != KS_OK) {
            ks_run_fail(registration->run, "registering: no memory");
            return;
        }
        registrar->asked++;
    }
}

static void registrar_opened(void *context, uint32_t index, struct ks_load_link *link)
{
    ask_more(context, index, link);
}

static bool take_registration(struct user_registration *registration, uint32_t connection,
                              const struct ks_reply *reply)
{
    struct registrar *registrar = &registration->registrars[connection];
    struct ks_run *run = registration->run;
    if (registrar->answered == registrar->asked) {
        ks_run_fail(run, "registering: an answer %u that nobody asked for", reply->code);
        return false;
    }
    uint32_t index = user_of(registration, connection, registrar->answered);
    if (reply->code == KS_RESPONSE_REGISTRATION_FAILED || reply->code == KS_RESPONSE_ERROR) {
        ks_run_fail(run,
                    "the server refused to register user %" PRIu32 " of %" PRIu32
                    " (%u); of kesherd, see --registrations-per-hour and --unlimited-networks",
                    index + 1, registration->users->count, reply->code);
        return false;
    }
    if (reply->code != KS_RESPONSE_REGISTERED ||
        ks_client_id_answer_parse(reply->bytes, reply->size, &registration->users->users[index].id) !=
            KS_OK) {
        ks_run_fail(run, "registering: the answer is %u with %" PRIu32 " bytes, and not 2100 with 16",
                    reply->code, reply->payload_size);
        return false;
    }
    registrar->answered++;
    registration->done++;
    return true;
}

static size_t registrar_received(void *context, uint32_t index, struct ks_load_link *link,
                                 const uint8_t *bytes, size_t size)
{
    struct user_registration *registration = context;
    size_t all_taken = 0;
    size_t taken = 0;
    struct ks_reply reply;
    while (ks_replies_next(&registration->registrars[index].replies, bytes + all_taken, size - all_taken,
                           &reply, &taken) == KS_OK) {
        all_taken += taken;
        if (!take_registration(registration, index, &reply))
            return size;
    }
    ks_run_phase(registration->run, "registering users", registration->done, registration->users->count);
    if (registration->done == registration->users->count)
        ks_reactor_stop(registration->run->reactor);
    ask_more(registration, index, link);
    return all_taken;
}

static void registrar_ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct user_registration *registration = context;
    (void)index;
    (void)link;
    ks_run_lost(registration->run, "registering", error);
}

bool ks_load_users_register(struct ks_run *run, enum ks_load_users_service service, uint32_t count,
                            struct ks_load_users **users)
{
    static const struct ks_fleet_events events = {registrar_opened, registrar_received, NULL,
                                                  registrar_ended};
    char reason[KS_RUN_REASON_SIZE];
    *users = new_users(count);
    if (*users == NULL) {
        ks_run_fail(run, "no memory for %" PRIu32 " users, or no keys", count);
        return false;
    }
    struct user_registration registration = {.run = run, .users = *users, .service = service};
    registration.connections = count < CONNECTIONS ? count : CONNECTIONS;
    const struct ks_fleet_plan plan = {.count = registration.connections, .source = run->settings->source};
    ks_run_phase(run, "registering users", 0, count);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, &registration, &registration.fleet,
                      reason, sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    bool is_done = ks_run_loop(run);
    ks_fleet_free(registration.fleet);
    ks_run_phase(run, NULL, 0, 0);
    return is_done;
}

/* ---- aliases ---- */

static uint32_t hash_of(const struct ks_client_id *alias)
{
    uint32_t hash = 2166136261u; /* FNV-1a: a fake server's aliases may differ in one byte only */
    for (size_t i = 0; i < sizeof alias->bytes; i++)
        hash = (hash ^ alias->bytes[i]) * 16777619u;
    return hash;
}

static bool is_alias_of(const struct user *user, const struct ks_client_id *alias)
{
    return user->has_alias && memcmp(&user->alias, alias, sizeof *alias) == 0;
}

bool ks_load_users_find(const struct ks_load_users *users, const struct ks_client_id *alias, uint32_t hint,
                        uint32_t *index)
{
    if (hint < users->count && is_alias_of(&users->users[hint], alias)) {
        *index = hint;
        return true;
    }
    for (uint32_t place = hash_of(alias);; place++) {
        uint32_t found = users->places[place & users->place_mask];
        if (found == 0)
            return false;
        if (is_alias_of(&users->users[found - 1], alias)) {
            *index = found - 1;
            return true;
        }
    }
}

static bool make_places(struct ks_load_users *users)
{
    uint32_t places = 2;
    while (places < 2 * users->count)
        places *= 2;
    users->places = calloc(places, sizeof *users->places);
    users->place_mask = places - 1;
    return users->places != NULL;
}

struct lesson {
    struct ks_run *run;
    struct ks_load_users *users;
    uint32_t asker;
    uint32_t learnt;
    struct ks_replies replies;
    size_t kept_size;
    uint8_t kept[KS_LISTED_USER_SIZE]; /* the beginning of an entry */
};

/* Which of our users has this name. */
static bool user_named(const struct ks_load_users *users, const struct ks_listed_user *entry, uint32_t *index)
{
    char name[KS_TEXT_FIELD_SIZE];
    char again[NAME_SIZE];
    memcpy(name, entry->name, entry->name_size);
    name[entry->name_size] = '\0';
    const char *dash = strrchr(name, '-');
    if (dash == NULL)
        return false;
    unsigned long number = strtoul(dash + 1, NULL, 10);
    if (number >= users->count)
        return false;
    *index = (uint32_t)number;
    (void)name_of(users, *index, again);
    return strcmp(name, again) == 0;
}

static bool learn(struct lesson *lesson, const uint8_t *bytes)
{
    struct ks_load_users *users = lesson->users;
    struct ks_listed_user entry;
    uint32_t index = 0;
    uint32_t other = 0;
    if (ks_listed_user_parse(bytes, KS_LISTED_USER_SIZE, &entry) != KS_OK) {
        ks_run_fail(lesson->run, "the list of users has an entry that is none");
        return false;
    }
    if (!user_named(users, &entry, &index))
        return true;
    if (index == lesson->asker || users->users[index].has_alias ||
        ks_load_users_find(users, &entry.alias, index, &other)) {
        ks_run_fail(lesson->run, "the list of users has user %" PRIu32 " twice, or its alias", index);
        return false;
    }
    users->users[index].alias = entry.alias;
    users->users[index].has_alias = true;
    uint32_t place = hash_of(&entry.alias);
    while (users->places[place & users->place_mask] != 0)
        place++;
    users->places[place & users->place_mask] = index + 1;
    lesson->learnt++;
    return true;
}

static bool take_entries(struct lesson *lesson, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        size_t taken = KS_LISTED_USER_SIZE - lesson->kept_size;
        if (taken > size)
            taken = size;
        memcpy(lesson->kept + lesson->kept_size, bytes, taken);
        lesson->kept_size += taken;
        bytes += taken;
        size -= taken;
        if (lesson->kept_size < KS_LISTED_USER_SIZE)
            return true;
        lesson->kept_size = 0;
        if (!learn(lesson, lesson->kept))
            return false;
    }
    return true;
}

static void lesson_opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct lesson *lesson = context;
    uint8_t request[KS_REQUEST_HEADER_SIZE];
    const struct ks_request_header header = {.client_id = lesson->users->users[lesson->asker].id,
                                             .version = KS_VERSION_MESSAGES,
                                             .code = KS_REQUEST_LIST_USERS};
    (void)index;
    ks_request_header_encode(&header, request);
    if (ks_load_link_write(link, request, sizeof request) != KS_OK)
        ks_run_fail(lesson->run, "asking for the users: no memory");
}

static void end_lesson(struct lesson *lesson)
{
    if (lesson->learnt + 1 != lesson->users->count || lesson->kept_size > 0)
        ks_run_fail(lesson->run, "the list of users has %" PRIu32 " of our %" PRIu32 " users", lesson->learnt,
                    lesson->users->count - 1);
    ks_reactor_stop(lesson->run->reactor);
}

static size_t lesson_received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                              size_t size)
{
    struct lesson *lesson = context;
    size_t all_taken = 0;
    size_t taken = 0;
    struct ks_reply reply;
    (void)index;
    (void)link;
    while (ks_replies_next(&lesson->replies, bytes + all_taken, size - all_taken, &reply, &taken) == KS_OK) {
        all_taken += taken;
        if (reply.code != KS_RESPONSE_USERS) {
            ks_run_fail(lesson->run, "the server answered the request for its users with %u", reply.code);
            return size;
        }
        if (!take_entries(lesson, reply.bytes, reply.size))
            return size;
        ks_run_phase(lesson->run, "reading the list of users", reply.offset + reply.size, reply.payload_size);
        if (ks_reply_is_last(&reply)) {
            end_lesson(lesson);
            return size;
        }
    }
    return all_taken;
}

static void lesson_ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct lesson *lesson = context;
    (void)index;
    (void)link;
    ks_run_lost(lesson->run, "reading the list of users", error);
}

bool ks_load_users_learn_aliases(struct ks_load_users *users, struct ks_run *run, uint32_t asker)
{
    static const struct ks_fleet_events events = {lesson_opened, lesson_received, NULL, lesson_ended};
    char reason[KS_RUN_REASON_SIZE];
    struct ks_fleet *fleet = NULL;
    struct lesson lesson = {.run = run, .users = users, .asker = asker};
    const struct ks_fleet_plan plan = {.count = 1, .source = run->settings->source};
    if (!make_places(users)) {
        ks_run_fail(run, "no memory for %" PRIu32 " aliases", users->count);
        return false;
    }
    ks_run_phase(run, "reading the list of users", 0, 1);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, &lesson, &fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    bool is_done = ks_run_loop(run);
    ks_fleet_free(fleet);
    ks_run_phase(run, NULL, 0, 0);
    return is_done;
}
