/* remove.c — kesher_files_remove: 3012s ahead of their answers, which come in their order.
 *
 * After a lost connection those without an answer are asked again. Then "there is no such file" is what it
 * says to one that was removed already.
 */
#include "client/failure.h"
#include "client/files/files_internal.h"

#include <string.h>

enum { WINDOW = 64 };

struct removal_run {
    const char *const *names;
    size_t count;
    void (*done)(void *context, size_t index, enum kesher_status status, const struct kesher_error *error);
    void *context;
    struct ks_files_request request; /* all of it */
    size_t told;                     /* of the first so many the caller has heard */
    size_t sent;                     /* the first so many were sent on this connection */
    size_t sent_before;              /* and so many on those that were lost */
    bool given_up;                   /* nothing is sent any more */
    enum kesher_status status;       /* of the last that failed */
    struct kesher_error error;
};

static void tell(struct removal_run *run, enum kesher_status status, const struct kesher_error *error)
{
    if (status != KESHER_OK && !run->given_up) {
        run->status = status;
        run->error = *error;
        run->given_up = status != KESHER_NOT_FOUND && !ks_files_others_go_on(status);
    }
    run->done(run->context, run->told++, status, status == KESHER_OK ? NULL : error);
    run->request.progressed = true;
}

static bool is_askable(const char *name)
{
    return kesher_file_name_check(name, NULL) == KESHER_OK;
}

static enum kesher_status send_ahead(struct removal_run *run, struct ks_client_session *session,
                                     struct kesher_error *error)
{
    enum kesher_status status = KESHER_OK;
    while (status == KESHER_OK && !run->given_up && run->sent < run->count &&
           run->sent - run->told < WINDOW) {
        const char *name = run->names[run->sent++];
        if (is_askable(name))
            status = ks_files_send_name(session, KS_REQUEST_REMOVE_FILE, name, error);
    }
    return status;
}

/* The answer to the first name that the caller has not heard of. Errors only of the channel. */
static enum kesher_status take_answer(struct removal_run *run, struct ks_client_session *session,
                                      struct kesher_error *error)
{
    const char *name = run->names[run->told];
    struct ks_files_request asked = ks_files_request("remove", name);
    enum kesher_status status = kesher_file_name_check(name, error);
    if (status == KESHER_OK)
        status = ks_files_take_answer(session, &asked, KS_RESPONSE_FILE_REMOVED, NULL, 0, error);
    if (status != KESHER_OK && status != KESHER_INVALID && asked.reason == 0)
        return status;
    bool was_asked_before = run->told < run->sent_before;
    if (asked.reason == KS_REFUSAL_NO_FILE && was_asked_before)
        status = KESHER_OK;
    tell(run, status, error);
    return KESHER_OK;
}

static enum kesher_status perform(struct ks_client_session *session, void *context,
                                  struct kesher_error *error)
{
    struct removal_run *run = context;
    enum kesher_status status = KESHER_OK;
    if (run->sent > run->sent_before)
        run->sent_before = run->sent;
    run->sent = run->told;
    while (status == KESHER_OK) {
        status = send_ahead(run, session, error);
        if (status != KESHER_OK || run->told == run->sent)
            break;
        status = take_answer(run, session, error);
    }
    return status;
}

/* What has no turn any more. */
static void tell_rest(struct removal_run *run)
{
    char shown[KS_FILES_SHOWN_SIZE];
    struct kesher_error error;
    while (run->told < run->count) {
        bool was_asked = run->told < run->sent || run->told < run->sent_before;
        enum kesher_status status =
            ks_failure(&error, KESHER_NOT_SENT, "'%s' was not removed%s, because an earlier one failed",
                       ks_files_show(run->names[run->told], shown), was_asked ? ", as far as is known" : "");
        tell(run, status, &error);
    }
}

static void tell_failure(struct removal_run *run, enum kesher_status status, const struct kesher_error *cause)
{
    char shown[KS_FILES_SHOWN_SIZE];
    struct kesher_error error;
    status = ks_failure(&error, status, "cannot remove '%s': %.500s",
                        ks_files_show(run->names[run->told], shown), cause->sentence);
    tell(run, status, &error);
    run->given_up = true;
}

enum kesher_status kesher_files_remove(struct kesher_files *files, const char *const *names, size_t count,
                                       void (*done)(void *context, size_t index, enum kesher_status status,
                                                    const struct kesher_error *error),
                                       void *context, struct kesher_error *error)
{
    struct kesher_error cause;
    struct removal_run run = {.names = names,
                              .count = count,
                              .done = done,
                              .context = context,
                              .request = ks_files_request("remove files", NULL)};
    if (count == 0)
        return KESHER_OK;
    enum kesher_status status = ks_files_run(files, &run.request, perform, &run, &cause);
    if (status != KESHER_OK)
        tell_failure(&run, status, &cause);
    tell_rest(&run);
    if (run.status != KESHER_OK && error != NULL)
        *error = run.error;
    return run.status;
}
