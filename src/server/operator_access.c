/* operator_access.c — see operator_access.h. */
#include "server/operator_access.h"

#include "base/buffer.h"
#include "base/local.h"
#include "base/mailbox.h"
#include "crypto/alias.h"
#include "service/accounts/account_names.h"
#include "service/operators/operations.h"
#include "store/embedded/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    WAIT_MS = 10 * 1000, /* for a server that starts or stops */
    LOOK_AGAIN_MS = 50,
    READ_SIZE = 64 * 1024,
};

/* The main thread as an executor: tasks wait until it comes for them. */
struct main_executor {
    struct ks_executor executor;
    struct ks_mailbox mailbox;
    sem_t wake;
};

struct ks_operator_access {
    int fd; /* of a server's control socket; -1: the store is ours */
    struct ks_buffer input;
    size_t taken; /* of `input` */
    struct ks_log log;
    struct ks_store *store;
    struct ks_alias_key *alias_key;
    struct ks_operations_environment environment;
    struct main_executor executor;
};

static enum ks_result failed(char why[static KS_OPERATOR_WHY_SIZE], const char *what, const char *path)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the main thread alone
    snprintf(why, KS_OPERATOR_WHY_SIZE, "cannot %s %s: %s", what, path, strerror(errno));
    return KS_IO;
}

/* ---- a store of our own ---- */

static void executor_post(struct ks_executor *executor, struct ks_task *task)
{
    struct main_executor *main_executor = KS_CONTAINER_OF(executor, struct main_executor, executor);
    if (ks_mailbox_put(&main_executor->mailbox, task))
        sem_post(&main_executor->wake);
}

static void executor_run(struct main_executor *executor)
{
    while (sem_wait(&executor->wake) != 0)
        ;
    struct ks_task *task = ks_mailbox_take(&executor->mailbox);
    while (task != NULL) {
        struct ks_task *next = task->next;
        task->run(task);
        task = next;
    }
}

/* One answer on its way from an operation. */
struct local_answer {
    ks_operator_line *line;
    void *context;
    struct ks_control_end *end;
    bool ended;
    bool stopped;
    bool strange; /* our own operation said what we do not understand */
};

static bool take_lines(void *context, const char *lines, size_t size)
{
    struct local_answer *answer = context;
    while (size > 0 && !answer->stopped) {
        const char *newline = memchr(lines, '\n', size);
        size_t line_size = newline != NULL ? (size_t)(newline - lines) + 1 : size;
        switch (ks_control_end_parse(lines, line_size, answer->end)) {
        case KS_OK:
            break;
        case KS_NOT_FOUND:
            answer->stopped = !answer->line(answer->context, lines, line_size);
            break;
        default:
            answer->strange = true;
        }
        lines += line_size;
        size -= line_size;
    }
    return !answer->stopped;
}

static void answer_ended(void *context)
{
    struct local_answer *answer = context;
    answer->ended = true;
}

static enum ks_result ask_store(struct ks_operator_access *access, const struct ks_control_request *request,
                                ks_operator_line *line, void *context, struct ks_control_end *end,
                                char why[static KS_OPERATOR_WHY_SIZE])
{
    static const struct ks_operation_events events = {.lines = take_lines, .ended = answer_ended};
    struct local_answer answer = {.line = line, .context = context, .end = end};
    struct ks_operation *operation = NULL;
    enum ks_result result = ks_operation_begin(&access->environment, request, &access->executor.executor,
                                               &events, &answer, &operation);
    while (result == KS_OK && !answer.ended && !answer.stopped)
        executor_run(&access->executor);
    if (result == KS_OK && !answer.ended) {
        ks_operation_abandon(operation); /* it waits for us, and for nothing else */
        return KS_CLOSED;
    }
    if (result == KS_OK && answer.strange)
        result = KS_INVALID;
    if (result != KS_OK)
        snprintf(why, KS_OPERATOR_WHY_SIZE, "%s", ks_result_text(result));
    return answer.stopped ? KS_CLOSED : result;
}

/* What root makes here would be root's, and closed to the server. Whose the data is, is clear only when the
 * directory and the database in it agree. */
static enum ks_result become_owner(const char *directory, char why[static KS_OPERATOR_WHY_SIZE])
{
    char path[PATH_MAX + 16];
    struct stat status;
    struct stat database;
    if (geteuid() != 0)
        return KS_OK;
    snprintf(path, sizeof path, "%s/kesher.db", directory);
    if (stat(directory, &status) != 0)
        return failed(why, "look into", directory);
    if (stat(path, &database) != 0)
        return failed(why, "look at", path);
    if (status.st_uid != database.st_uid) {
        snprintf(
            why, KS_OPERATOR_WHY_SIZE,
            "%s belongs to user %u, but the kesher.db in it to user %u: make it one user's with chown -R",
            directory, status.st_uid, database.st_uid);
        return KS_INVALID;
    }
    if (status.st_uid == 0)
        return KS_OK;
    if (setgroups(0, NULL) != 0 || setgid(status.st_gid) != 0 || setuid(status.st_uid) != 0)
        return failed(why, "become the owner of", directory);
    return KS_OK;
}

static enum ks_result open_store(struct ks_operator_access *access, const struct ks_server_options *options,
                                 char why[static KS_OPERATOR_WHY_SIZE])
{
    const struct ks_embedded_options embedded = {.data_directory = options->data,
                                                 .clock = ks_clock_system(),
                                                 .random = ks_random_system(),
                                                 .log = &access->log,
                                                 .skeleton = ks_account_name_skeleton_once,
                                                 .vault_threads = 1};
    enum ks_result result = become_owner(options->data, why);
    if (result == KS_OK)
        result = ks_embedded_open(&embedded, &access->store, why, KS_OPERATOR_WHY_SIZE);
    if (result != KS_OK)
        return result;
    result = ks_alias_key_new(ks_embedded_alias_key(access->store), &access->alias_key);
    if (result != KS_OK)
        snprintf(why, KS_OPERATOR_WHY_SIZE, "%s", ks_result_text(result));
    access->environment.store = access->store;
    access->environment.random = ks_random_system();
    access->environment.clock = ks_clock_system();
    access->environment.alias_key = access->alias_key;
    access->environment.random = ks_random_system();
    access->environment.clock = ks_clock_system();
    access->environment.plain_public_ids = options->public_ids == KS_PUBLIC_IDS_PLAIN;
    access->environment.log = &access->log;
    return result;
}

/* ---- a server ---- */

static enum ks_result send_request(struct ks_operator_access *access,
                                   const struct ks_control_request *request)
{
    char line[KS_CONTROL_REQUEST_LIMIT];
    size_t size = ks_control_request_encode(request, line);
    size_t sent = 0;
    while (sent < size) {
        ssize_t count = send(access->fd, line + sent, size - sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EINTR)
            return KS_CLOSED;
        sent += count > 0 ? (size_t)count : 0;
    }
    return KS_OK;
}

/* The next line with its LF, in place until the next call. KS_OK; KS_CLOSED; KS_TOO_LARGE; KS_NO_MEMORY. */
static enum ks_result receive_line(struct ks_operator_access *access, const char **line, size_t *size)
{
    struct ks_buffer *input = &access->input;
    for (;;) {
        size_t left = input->size - access->taken;
        const char *start = (const char *)input->bytes + access->taken;
        const char *end = left > 0 ? memchr(start, '\n', left) : NULL;
        if (end != NULL) {
            *line = start;
            *size = (size_t)(end - start) + 1;
            access->taken += *size;
            return KS_OK;
        }
        if (left >= KS_CONTROL_LINE_LIMIT)
            return KS_TOO_LARGE;
        ks_buffer_drop_front(input, access->taken);
        access->taken = 0;
        enum ks_result result = ks_buffer_reserve(input, READ_SIZE);
        if (result != KS_OK)
            return result;
        ssize_t count = recv(access->fd, input->bytes + input->size, READ_SIZE, 0);
        if (count == 0 || (count < 0 && errno != EINTR))
            return KS_CLOSED;
        input->size += count > 0 ? (size_t)count : 0;
    }
}

static enum ks_result ask_server(struct ks_operator_access *access, const struct ks_control_request *request,
                                 ks_operator_line *line, void *context, struct ks_control_end *end,
                                 char why[static KS_OPERATOR_WHY_SIZE])
{
    enum ks_result result = send_request(access, request);
    while (result == KS_OK) {
        const char *text = NULL;
        size_t size = 0;
        result = receive_line(access, &text, &size);
        if (result != KS_OK)
            break;
        enum ks_result kind = ks_control_end_parse(text, size, end);
        if (kind == KS_OK)
            return KS_OK;
        if (kind != KS_NOT_FOUND)
            result = KS_INVALID;
        else if (!line(context, text, size))
            return KS_CLOSED;
    }
    snprintf(why, KS_OPERATOR_WHY_SIZE, "%s",
             result == KS_CLOSED ? "the server ended the connection" : "the server said something strange");
    return KS_IO;
}

/* ---- who holds the directory ---- */

static enum ks_result look_for_data(const char *directory, char why[static KS_OPERATOR_WHY_SIZE])
{
    char path[PATH_MAX + 16];
    struct stat status;
    snprintf(path, sizeof path, "%s/kesher.db", directory);
    if (stat(path, &status) == 0)
        return KS_OK;
    if (errno == EACCES) {
        snprintf(why, KS_OPERATOR_WHY_SIZE,
                 "cannot look into %s: only root and the user that the server runs as may", directory);
        return KS_IO;
    }
    if (errno != ENOENT)
        return failed(why, "look into", directory);
    snprintf(why, KS_OPERATOR_WHY_SIZE, "there is no data of kesherd in %s", directory);
    return KS_NOT_FOUND;
}

/* The server first: whoever takes the lock, if only for a moment, may be in the way of one that starts.
 * KS_PENDING: nobody to ask yet, but that may change in a moment. */
static enum ks_result try_to_open(struct ks_operator_access *access, const struct ks_server_options *options,
                                  char why[static KS_OPERATOR_WHY_SIZE])
{
    char path[PATH_MAX + 16];
    enum ks_result result = look_for_data(options->data, why);
    if (result != KS_OK)
        return result;
    snprintf(path, sizeof path, "%s/control", options->data);
    result = ks_local_connect(path, &access->fd);
    if (result == KS_OK)
        return KS_OK;
    if (result != KS_NOT_FOUND)
        return failed(why, "connect to", path);
    result = open_store(access, options, why);
    if (result != KS_EXISTS)
        return result;
    snprintf(why, KS_OPERATOR_WHY_SIZE, "a server uses %s, but its control socket is not there",
             options->data);
    return KS_PENDING;
}

enum ks_result ks_operator_enter(const char *directory, char why[static KS_OPERATOR_WHY_SIZE])
{
    enum ks_result result = look_for_data(directory, why);
    return result == KS_OK ? become_owner(directory, why) : result;
}

enum ks_result ks_operator_open(const struct ks_server_options *options, struct ks_operator_access **access,
                                char why[static KS_OPERATOR_WHY_SIZE])
{
    const struct timespec pause = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
    struct ks_operator_access *created = calloc(1, sizeof *created);
    if (created == NULL) {
        snprintf(why, KS_OPERATOR_WHY_SIZE, "%s", ks_result_text(KS_NO_MEMORY));
        return KS_NO_MEMORY;
    }
    created->fd = -1;
    created->input = ks_buffer_empty(KS_CONTROL_LINE_LIMIT + 2 * READ_SIZE);
    created->log = ks_log_to_stderr(KS_LOG_ERROR);
    created->executor.executor.post = executor_post;
    ks_mailbox_init(&created->executor.mailbox);
    sem_init(&created->executor.wake, 0, 0); /* cannot fail with these */
    enum ks_result result = KS_PENDING;
    for (int waited = 0; result == KS_PENDING && waited <= WAIT_MS; waited += LOOK_AGAIN_MS) {
        if (waited > 0)
            nanosleep(&pause, NULL);
        result = try_to_open(created, options, why);
    }
    if (result == KS_OK)
        *access = created;
    else
        ks_operator_close(created);
    return result == KS_PENDING ? KS_IO : result;
}

void ks_operator_close(struct ks_operator_access *access)
{
    if (access == NULL)
        return;
    if (access->fd >= 0)
        close(access->fd);
    if (access->store != NULL)
        ks_store_close(access->store);
    ks_alias_key_free(access->alias_key);
    ks_buffer_wipe(&access->input); /* an invitation may have come */
    sem_destroy(&access->executor.wake);
    free(access);
}

enum ks_result ks_operator_ask(struct ks_operator_access *access, const struct ks_control_request *request,
                               ks_operator_line *line, void *context, struct ks_control_end *end,
                               char why[static KS_OPERATOR_WHY_SIZE])
{
    return access->fd >= 0 ? ask_server(access, request, line, context, end, why)
                           : ask_store(access, request, line, context, end, why);
}
