/* get.c — see <kesher/files.h>. Files are asked for ahead of the answers, in a window; those that have come
 * wait for others, to be synced together (landing.h).
 *
 * A fetch is free, asked (or to be asked) and in `queue`, or complete and in `complete`. */
#include "client/files/fetch.h"

#include "base/clock.h"
#include "client/failure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    WINDOW = 16,                 /* requests ahead of their answers */
    FETCHES = 78,                /* at most, with two descriptors each */
    FETCHES_FEWEST = WINDOW + 4, /* however few descriptors there may be */
    DESCRIPTORS_PART = 4,    /* of the descriptors that the program may have, fetches use one in so many */
    PATIENCE_MS = 1000,      /* how long a complete file waits for another */
    SMALL = 1024 * 1024,     /* from there on a file is synced by itself */
    LONG = 16 * 1024 * 1024, /* of a partial file: nothing is asked for behind it, while it has to be read */
};

_Static_assert(FETCHES - WINDOW <= (int)KS_LANDINGS_LIMIT, "all that are complete are settled together");

struct window {
    const struct kesher_get_list *list;
    struct ks_files_request request;
    struct ks_fetch fetches[FETCHES];
    struct ks_fetch *free[FETCHES];
    size_t free_count;
    struct ks_fetch *queue[FETCHES]; /* in the order in which they are asked */
    size_t queue_count;
    size_t asked; /* of the queue, on this connection */
    struct ks_fetch *complete[FETCHES];
    size_t complete_count;
    size_t settled;             /* so many of them are synced together, at most */
    uint64_t complete_since_ms; /* the first of them */
    bool is_over;               /* there are no more */
    bool is_blamed;             /* a file that could not be begun ends the call */
    enum kesher_status failure; /* of the last file that failed */
    struct kesher_error why;    /* its sentence */
    struct ks_fetch_buffer buffer;
};

/* ---- results ---- */

/* After these others go on. */
static bool is_of_file(enum kesher_status status)
{
    return status != KESHER_OK &&
           (ks_files_others_go_on(status) || status == KESHER_NOT_FOUND || status == KESHER_MISMATCH);
}

/* The fetch is free again. */
static void end_fetch(struct window *window, struct ks_fetch *fetch, enum kesher_status status,
                      const struct kesher_error *error)
{
    /* What came is wrong. What a server says is damaged may be mended, and go on. */
    bool forget = status == KESHER_MISMATCH && fetch->request.reason == 0;
    ks_fetch_end(fetch, forget);
    fetch->result.status = status;
    if (status != KESHER_OK && status != KESHER_NOT_SENT) {
        window->failure = status;
        window->why = *error;
    }
    window->list->done(window->list->context, &fetch->get, &fetch->result,
                       status == KESHER_OK ? NULL : error);
    window->free[window->free_count++] = fetch;
}

/* ---- complete files ---- */

static void settle(struct window *window)
{
    struct ks_landing *landings[FETCHES] = {NULL};
    size_t count = window->complete_count;
    for (size_t i = 0; i < count; i++)
        landings[i] = &window->complete[i]->landing;
    ks_landings_settle(landings, count);
    window->complete_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct ks_fetch *fetch = window->complete[i];
        fetch->result.replaced = landings[i]->replaced;
        end_fetch(window, fetch, landings[i]->status, &landings[i]->error);
    }
}

static void complete(struct window *window, struct ks_fetch *fetch)
{
    uint64_t now_ms = ks_clock_monotonic_ms(ks_clock_system());
    if (window->complete_count == 0)
        window->complete_since_ms = now_ms;
    window->complete[window->complete_count++] = fetch;
    if (window->complete_count >= window->settled || fetch->result.size >= SMALL ||
        now_ms - window->complete_since_ms >= PATIENCE_MS)
        settle(window);
}

/* ---- the queue ---- */

/* The first of the queue, which has its answer, is taken out. */
static struct ks_fetch *take_first(struct window *window)
{
    struct ks_fetch *fetch = window->queue[0];
    window->queue_count--;
    window->asked -= window->asked > 0 ? 1 : 0;
    memmove(window->queue, window->queue + 1, window->queue_count * sizeof(struct ks_fetch *));
    return fetch;
}

static bool may_open(const struct window *window)
{
    if (window->is_over || window->free_count == 0 || window->queue_count >= WINDOW)
        return false;
    return window->queue_count == 0 || ks_fetch_size(window->queue[window->queue_count - 1]) < LONG;
}

/* Opens the next files. KESHER_OK; what ends the call. */
static enum kesher_status open_next(struct window *window, struct kesher_error *error)
{
    struct kesher_get get;
    while (may_open(window)) {
        if (!window->list->next(window->list->context, &get)) {
            window->is_over = true;
            return KESHER_OK;
        }
        struct ks_fetch *fetch = window->free[--window->free_count];
        enum kesher_status status = ks_fetch_begin(fetch, &get, error);
        if (status == KESHER_OK)
            window->queue[window->queue_count++] = fetch;
        else
            end_fetch(window, fetch, status, error);
        window->is_blamed = status != KESHER_OK && !is_of_file(status);
        if (window->is_blamed)
            return status;
    }
    return KESHER_OK;
}

static enum kesher_status ask(struct ks_client_session *session, struct window *window,
                              struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && window->asked < window->queue_count) {
        status = ks_fetch_ask(session, window->queue[window->asked], error);
        window->asked += status == KESHER_OK ? 1 : 0;
    }
    return status;
}

/* ---- answers ---- */

/* A file has failed, and the others go on: over this connection, or a new one where too much would come of
 * what nobody wants. */
static enum kesher_status give_up_first(struct ks_client_session *session, struct window *window,
                                        enum kesher_status status, const struct kesher_error *why,
                                        struct kesher_error *error)
{
    struct ks_fetch *fetch = take_first(window);
    enum kesher_status dropped = ks_fetch_drop_rest(session, fetch, error);
    end_fetch(window, fetch, status, why);
    return dropped;
}

static enum kesher_status take_answer(struct ks_client_session *session, struct window *window,
                                      struct kesher_error *error)
{
    struct ks_fetch *fetch = window->queue[0];
    struct ks_got_file got;
    enum ks_fetch_outcome outcome = KS_FETCH_COMPLETE;
    fetch->request.progressed = false;
    enum kesher_status status = ks_fetch_take_facts(session, fetch, &got, error);
    if (status == KESHER_OK && fetch->result.size >= SMALL)
        settle(window); /* they have waited for long enough */
    if (status == KESHER_OK)
        status = ks_fetch_take_content(session, fetch, &got, &window->buffer, &outcome, error);
    window->request.progressed |= fetch->request.progressed || status == KESHER_OK;
    if (is_of_file(status)) {
        const struct kesher_error why = *error;
        return give_up_first(session, window, status, &why, error);
    }
    if (status != KESHER_OK)
        return status;
    (void)take_first(window);
    if (outcome == KS_FETCH_AGAIN)
        window->queue[window->queue_count++] = fetch;
    else if (outcome == KS_FETCH_UNCHANGED || fetch->get.to_descriptor)
        end_fetch(window, fetch, KESHER_OK, NULL);
    else
        complete(window, fetch);
    return KESHER_OK;
}

/* Until all has come; again on a new connection, for what has not. */
static enum kesher_status fetch_all(struct ks_client_session *session, void *context,
                                    struct kesher_error *error)
{
    struct window *window = context;
    window->asked = 0;
    for (;;) {
        enum kesher_status status = open_next(window, error);
        if (status != KESHER_OK || window->queue_count == 0)
            return status;
        if (session->channel == NULL || ks_channel_is_broken(session->channel)) {
            status = ks_client_session_connect(session, error);
            window->asked = 0;
        }
        if (status == KESHER_OK)
            status = ask(session, window, error);
        if (status == KESHER_OK)
            status = take_answer(session, window, error);
        if (status != KESHER_OK)
            return status;
    }
}

/* ---- the call ---- */

/* How many there may be at a time: the program needs descriptors for other things, too. */
static size_t count_fetches(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return FETCHES_FEWEST;
    rlim_t count = limit.rlim_cur / DESCRIPTORS_PART / KS_LANDING_DESCRIPTORS;
    if (count > FETCHES)
        return FETCHES;
    return count < FETCHES_FEWEST ? FETCHES_FEWEST : (size_t)count;
}

static void init(struct window *window, const struct kesher_get_list *list)
{
    size_t count = count_fetches();
    window->list = list;
    window->request = ks_files_request("get files", NULL);
    window->settled = count - WINDOW;
    for (size_t i = 0; i < count; i++)
        window->free[window->free_count++] = &window->fetches[i];
}

/* What has come is made safe, whatever ended the call; what has not is told. */
static enum kesher_status end(struct window *window, enum kesher_status status, struct kesher_error *error)
{
    struct kesher_error left_out;
    settle(window);
    if (status == KESHER_OK) {
        if (window->failure != KESHER_OK)
            *error = window->why;
        return window->failure;
    }
    const struct kesher_error why = *error;
    if (window->queue_count > 0 && !window->is_blamed)
        end_fetch(window, take_first(window), status, &why);
    while (window->queue_count > 0) {
        (void)ks_failure(&left_out, KESHER_NOT_SENT, "it was left out, because an earlier file was given up");
        end_fetch(window, take_first(window), KESHER_NOT_SENT, &left_out);
    }
    return status;
}

enum kesher_status kesher_files_get(struct kesher_files *files, const struct kesher_get_list *list,
                                    struct kesher_error *error)
{
    struct kesher_error local;
    if (error == NULL)
        error = &local;
    struct window *window = calloc(1, sizeof *window);
    if (window == NULL)
        return ks_failure_no_memory(error);
    init(window, list);
    enum kesher_status status = ks_files_run(files, &window->request, fetch_all, window, error);
    if (window->asked > 0) /* answers are on their way that nobody waits for */
        ks_client_session_disconnect(&files->session);
    status = end(window, status, error);
    free(window);
    return status;
}
