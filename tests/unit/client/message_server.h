/* message_server.h — a small server of 601–604 in a thread of the test: users, one queue of messages, and
 * lies to be told instead of the next answers. */
#ifndef KS_TESTS_UNIT_CLIENT_MESSAGE_SERVER_H
#define KS_TESTS_UNIT_CLIENT_MESSAGE_SERVER_H

#include "unit/client/home_fixture.h"

#include "base/file.h"
#include "wire/drop_codec.h"
#include "wire/messages_codec.h"

#include <kesher/kesher.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>

enum {
    SERVER_USERS = 8,
    SERVER_CONNECTIONS = 16,
    SERVER_QUEUE = 4 * 1024 * 1024,
    SERVER_LIES = 8,
    SERVER_TRAIL = 256,
    SERVER_REQUEST = 2 * 1024 * 1024,
};

struct server_user {
    char name[KESHER_NAME_SIZE];
    struct ks_client_id id; /* public and secret in one */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
};

/* Said instead of the true answer to a request with that code. */
struct server_lie {
    uint16_t request;
    uint16_t code;      /* 0: no answer, the connection ends */
    uint32_t told_size; /* in the header */
    uint8_t payload[1024];
    size_t size; /* what is sent of it; less than told ends the connection */
};

/* Everything but the thread's own is set while the thread waits for a request, which is whenever no call of
 * the library is on its way. */
struct server {
    int listener;
    pthread_t thread;
    pthread_mutex_t settling;
    char address[KESHER_ADDRESS_SIZE];
    struct server_user users[SERVER_USERS];
    size_t user_count;
    struct server_lie lies[SERVER_LIES];
    size_t lie_count;
    uint8_t *queue; /* waiting messages for whoever pulls first, as in a 2104 */
    size_t queue_size;
    uint32_t next_id;
    bool keeps_queue;  /* a crash of the server: delivers again */
    size_t pull_limit; /* of bytes sent of a 2104 before the connection ends; 0 for none */
    uint16_t trail[SERVER_TRAIL];
    size_t trail_size;
    struct ks_client_id last_target;
    uint8_t request[SERVER_REQUEST];
};

static inline bool server_read(int fd, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t got = read(fd, bytes, size);
        if (got <= 0)
            return false;
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}

/* The last thing that the thread does for a request: from then on the test may look at the server and change
 * it. */
static inline bool server_answer(int fd, uint16_t code, uint32_t told_size, const uint8_t *payload,
                                 size_t size)
{
    const struct ks_response_header told = {.version = 2, .code = code, .payload_size = told_size};
    bool going_on = told_size == size;
    uint8_t *frame = malloc(KS_RESPONSE_HEADER_SIZE + size);
    assert_non_null(frame);
    ks_response_header_encode(&told, frame);
    if (size > 0)
        memcpy(frame + KS_RESPONSE_HEADER_SIZE, payload, size);
    going_on = ks_file_write_all(fd, frame, KS_RESPONSE_HEADER_SIZE + size) == KS_OK && going_on;
    free(frame);
    return going_on;
}

static inline struct server_user *server_find(struct server *server, const uint8_t *id)
{
    for (size_t i = 0; i < server->user_count; i++)
        if (memcmp(server->users[i].id.bytes, id, KS_CLIENT_ID_SIZE) == 0)
            return &server->users[i];
    return NULL;
}

static inline bool server_list(struct server *server, int fd, const struct ks_request_header *header)
{
    uint8_t list[SERVER_USERS * KS_LISTED_USER_SIZE];
    size_t size = 0;
    for (size_t i = 0; i < server->user_count; i++) {
        const struct server_user *user = &server->users[i];
        const struct ks_listed_user entry = {
            .alias = user->id, .name = user->name, .name_size = strlen(user->name)};
        if (memcmp(&user->id, &header->client_id, sizeof user->id) == 0)
            continue;
        assert_int_equal(ks_listed_user_encode(&entry, list + size), KS_OK);
        size += KS_LISTED_USER_SIZE;
    }
    return server_answer(fd, KS_RESPONSE_USERS, (uint32_t)size, list, size);
}

static inline bool server_key(struct server *server, int fd)
{
    uint8_t bytes[KS_USER_KEY_ANSWER_SIZE];
    struct ks_user_key_answer answer;
    const struct server_user *user = server_find(server, server->request);
    if (user == NULL)
        return server_answer(fd, KS_RESPONSE_ERROR, 0, NULL, 0);
    answer.target = user->id;
    memcpy(answer.public_key, user->public_key, KS_PUBLIC_KEY_SIZE);
    ks_user_key_answer_encode(&answer, bytes);
    return server_answer(fd, KS_RESPONSE_USER_KEY, sizeof bytes, bytes, sizeof bytes);
}

/* Appends a message to the queue; returns its id. */
static inline uint32_t server_put(struct server *server, const struct ks_client_id *sender, uint8_t type,
                                  const void *content, size_t size)
{
    struct ks_waiting_message message = {
        .sender = *sender, .message_id = server->next_id++, .type = type, .content_size = (uint32_t)size};
    assert_true(server->queue_size + KS_WAITING_MESSAGE_FIXED_SIZE + size <= SERVER_QUEUE);
    ks_waiting_message_encode(&message, server->queue + server->queue_size);
    if (size > 0)
        memcpy(server->queue + server->queue_size + KS_WAITING_MESSAGE_FIXED_SIZE, content, size);
    server->queue_size += KS_WAITING_MESSAGE_FIXED_SIZE + size;
    return message.message_id;
}

static inline bool server_store(struct server *server, int fd, const struct ks_request_header *header)
{
    uint8_t bytes[KS_MESSAGE_STORED_ANSWER_SIZE];
    struct ks_send_message_payload payload;
    if (ks_send_message_payload_parse(server->request, header->payload_size, &payload) != KS_OK ||
        payload.content_size != header->payload_size - KS_SEND_MESSAGE_FIXED_SIZE ||
        server_find(server, payload.target.bytes) == NULL)
        return server_answer(fd, KS_RESPONSE_ERROR, 0, NULL, 0);
    server->last_target = payload.target;
    const struct ks_message_stored_answer answer = {
        .target = payload.target,
        .message_id = server_put(server, &header->client_id, payload.type,
                                 server->request + KS_SEND_MESSAGE_FIXED_SIZE, payload.content_size)};
    ks_message_stored_answer_encode(&answer, bytes);
    return server_answer(fd, KS_RESPONSE_MESSAGE_STORED, sizeof bytes, bytes, sizeof bytes);
}

static inline bool server_deliver(struct server *server, int fd)
{
    size_t size = server->queue_size;
    bool cut = server->pull_limit > 0 && server->pull_limit < size;
    if (!cut && !server->keeps_queue)
        server->queue_size = 0;
    return server_answer(fd, KS_RESPONSE_WAITING_MESSAGES, (uint32_t)size, server->queue,
                         cut ? server->pull_limit : size);
}

/* An answer tells the test that the thread is done with a request; where there is none, both call this: the
 * thread before it ends the connection, the test after it has seen the end. */
static inline void server_settle(struct server *server)
{
    assert_int_equal(pthread_mutex_lock(&server->settling), 0);
    assert_int_equal(pthread_mutex_unlock(&server->settling), 0);
}

/* The lie for a request with that code, taken out of the list. */
static inline bool server_take_lie(struct server *server, uint16_t code, struct server_lie *lie)
{
    for (size_t i = 0; i < server->lie_count; i++) {
        if (server->lies[i].request != code)
            continue;
        *lie = server->lies[i];
        server->lie_count--;
        memmove(&server->lies[i], &server->lies[i + 1], (server->lie_count - i) * sizeof server->lies[0]);
        return true;
    }
    return false;
}

static inline bool server_serve_one(struct server *server, int fd)
{
    uint8_t bytes[KS_REQUEST_HEADER_SIZE];
    struct ks_request_header header;
    struct server_lie lie;
    if (!server_read(fd, bytes, sizeof bytes))
        return false;
    assert_int_equal(ks_request_header_parse(bytes, sizeof bytes, &header), KS_OK);
    assert_int_equal(header.version, 2);
    assert_true(header.payload_size <= SERVER_REQUEST);
    if (!server_read(fd, server->request, header.payload_size))
        return false;
    server->trail[server->trail_size++ % SERVER_TRAIL] = header.code;
    bool lies = server_take_lie(server, header.code, &lie);
    if (lies && lie.code == 0) {
        server_settle(server);
        return false;
    }
    if (lies)
        return server_answer(fd, lie.code, lie.told_size, lie.payload, lie.size);
    switch (header.code) {
    case KS_REQUEST_LIST_USERS:
        return server_list(server, fd, &header);
    case KS_REQUEST_USER_KEY:
        return server_key(server, fd);
    case KS_REQUEST_SEND_MESSAGE:
        return server_store(server, fd, &header);
    case KS_REQUEST_WAITING_MESSAGES:
        return server_deliver(server, fd);
    default:
        return server_answer(fd, KS_RESPONSE_ERROR, 0, NULL, 0);
    }
}

/* Serves all connections from one thread, request by request. */
static inline void *server_run(void *argument)
{
    struct server *server = argument;
    struct pollfd fds[1 + SERVER_CONNECTIONS] = {{.fd = server->listener, .events = POLLIN}};
    for (size_t i = 1; i <= SERVER_CONNECTIONS; i++)
        fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    while (poll(fds, KS_COUNT_OF(fds), -1) > 0) {
        for (size_t i = 1; i <= SERVER_CONNECTIONS; i++) {
            if (fds[i].fd < 0 || fds[i].revents == 0 || server_serve_one(server, fds[i].fd))
                continue;
            close(fds[i].fd);
            fds[i].fd = -1;
        }
        if (fds[0].revents == 0)
            continue;
        int fd = accept(server->listener, NULL, NULL);
        size_t slot = 1;
        while (slot <= SERVER_CONNECTIONS && fds[slot].fd >= 0)
            slot++;
        if (fd < 0 || slot > SERVER_CONNECTIONS)
            break;
        fds[slot].fd = fd;
        fds[slot].revents = 0;
    }
    for (size_t i = 1; i <= SERVER_CONNECTIONS; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    return NULL;
}

static inline void server_start(struct server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    server->next_id = 1;
    assert_int_equal(pthread_mutex_init(&server->settling, NULL), 0);
    server->queue = malloc(SERVER_QUEUE);
    assert_non_null(server->queue);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server->listener >= 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server->listener, 8), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&address, &size), 0);
    assert_true(snprintf(server->address, sizeof server->address, "127.0.0.1:%u", ntohs(address.sin_port)) >
                0);
    assert_int_equal(pthread_create(&server->thread, NULL, server_run, server), 0);
}

static inline void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR); /* accept fails */
    pthread_join(server->thread, NULL);
    pthread_mutex_destroy(&server->settling);
    close(server->listener);
    free(server->queue);
}

/* Adds a user with an id made of `letter`, and returns it. */
static inline struct server_user *server_add(struct server *server, const char *name, char letter,
                                             const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    assert_true(server->user_count < SERVER_USERS);
    struct server_user *user = &server->users[server->user_count++];
    strcpy(user->name, name);
    memset(user->id.bytes, letter, sizeof user->id.bytes);
    memcpy(user->public_key, public_key, KS_PUBLIC_KEY_SIZE);
    return user;
}

static inline struct server_lie *server_lie(struct server *server, uint16_t request, uint16_t code)
{
    assert_true(server->lie_count < SERVER_LIES);
    struct server_lie *lie = &server->lies[server->lie_count++];
    *lie = (struct server_lie){.request = request, .code = code};
    return lie;
}

#endif
