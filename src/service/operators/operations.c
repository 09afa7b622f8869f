/* operations.c — see operations.h. An operation is a loop of steps: a step asks for something, or makes lines
 * of what was answered. It stops while an answer is on its way and while nobody wants lines. */
#include "service/operators/operations.h"

#include "base/text.h"
#include "crypto/account_key.h"
#include "crypto/alias.h"
#include "crypto/digest.h"
#include "crypto/secret.h"
#include "service/accounts/presence.h"
#include "service/chat/groups.h"
#include "service/drop/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    USERS_PER_PAGE = 32,
    GROUPS_PER_PAGE = 32,
    FINDINGS_PER_PAGE = 16,
};

struct ks_operation {
    const struct ks_operations_environment *environment;
    struct ks_executor *reply_to;
    const struct ks_operation_events *events;
    void *context;
    struct ks_control_request request;
    union { /* one at a time */
        struct ks_store_describe_user user;
        struct ks_store_describe_users users;
        struct ks_store_reset_key reset;
        struct ks_store_remove_user removal;
        struct ks_store_check check;
        struct ks_store_invite invite;
    } asked;
    struct ks_control_invitation invitation;
    struct ks_check_cursor check;
    union { /* likewise */
        struct ks_user_details details[USERS_PER_PAGE];
        struct ks_check_finding findings[FINDINGS_PER_PAGE];
    };
    uint64_t cursor;
    unsigned group;
    bool in_secure_groups; /* those of the classic port were told */
    bool asking;           /* an answer is on its way */
    bool waiting;          /* nobody wants lines for the moment */
    bool running;          /* the loop is on the stack */
    bool complete;         /* the ending line was given */
    bool abandoned;
    size_t size; /* of `lines` */
    char lines[KS_OPERATION_LINES_LIMIT];
};

_Static_assert((int)KS_SHORT_FINGERPRINT_SIZE <= (int)KS_CONTROL_SHORT_FINGERPRINT_SIZE,
               "a short fingerprint has room in an answer");

/* ---- lines ---- */

/* Gives away what there is. */
static void flush(struct ks_operation *operation)
{
    if (operation->size > 0 && !operation->abandoned)
        operation->waiting = !operation->events->lines(operation->context, operation->lines, operation->size);
    operation->size = 0;
}

/* Room for one more line. */
static char *line_room(struct ks_operation *operation)
{
    if (sizeof operation->lines - operation->size < KS_CONTROL_LINE_LIMIT)
        flush(operation);
    return operation->lines + operation->size;
}

static void end_with(struct ks_operation *operation, enum ks_result result, const char *message)
{
    struct ks_control_end end = {.result = result};
    snprintf(end.message, sizeof end.message, "%s", message);
    operation->size += ks_control_end_encode(&end, line_room(operation));
    flush(operation);
    operation->complete = true;
}

static void end_with_failure(struct ks_operation *operation, const char *what, enum ks_result why)
{
    char message[KS_CONTROL_MESSAGE_SIZE];
    if (why == KS_NOT_FOUND)
        snprintf(message, sizeof message, "there is no user \"%s\"", operation->request.name);
    else
        snprintf(message, sizeof message, "cannot %s: %s", what, ks_result_text(why));
    end_with(operation, why == KS_NOT_FOUND ? KS_NOT_FOUND : KS_IO, message);
}

/* ---- users ---- */

static struct ks_control_user plain_user(const struct ks_user_details *details)
{
    struct ks_control_user user = {.registered = details->registered,
                                   .last_seen = details->last_seen,
                                   .has_key = details->user.has_public_key,
                                   .is_account = details->user.is_account,
                                   .is_classic = details->user.has_classic_id,
                                   .files = details->files,
                                   .file_bytes = details->file_bytes,
                                   .messages = details->messages,
                                   .message_bytes = details->message_bytes,
                                   .puts = details->puts,
                                   .put_bytes = details->put_bytes};
    memcpy(user.name, details->user.name, sizeof user.name);
    return user;
}

/* As the users themselves see it: four digits, a blank, and so on. */
static enum ks_result describe_key(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                   char fingerprint[static KS_CONTROL_FINGERPRINT_SIZE])
{
    uint8_t digest[KS_SHA256_SIZE];
    enum ks_result result = ks_sha256(public_key, KS_PUBLIC_KEY_SIZE, digest);
    if (result != KS_OK)
        return result;
    for (size_t i = 0; i < sizeof digest; i += 2) {
        ks_text_to_hex(digest + i, 2, fingerprint + i / 2 * 5);
        fingerprint[i / 2 * 5 + 4] = i + 2 < sizeof digest ? ' ' : '\0';
    }
    return KS_OK;
}

static enum ks_result add_details(const struct ks_operations_environment *environment,
                                  const struct ks_store_describe_user *described,
                                  struct ks_control_user *user)
{
    struct ks_client_id public_id = described->details.user.id;
    if (!environment->plain_public_ids || described->details.user.is_account)
        ks_alias_of_id(environment->alias_key, described->details.user.id.bytes, public_id.bytes);
    ks_text_to_hex(public_id.bytes, sizeof public_id.bytes, user->public_id);
    user->is_detailed = true;
    enum ks_result result =
        user->is_account
            ? ks_account_key_short_fingerprint(described->details.account_key, user->short_fingerprint)
            : KS_OK;
    return result == KS_OK && user->has_key ? describe_key(described->public_key, user->key_fingerprint)
                                            : result;
}

/* ---- steps ---- */

static void run(struct ks_operation *operation);

static void ask(struct ks_operation *operation, struct ks_store_request *request,
                void (*done)(struct ks_store_request *request))
{
    memset(&operation->asked, 0, sizeof operation->asked);
    request->reply_to = operation->reply_to;
    request->done = done;
    operation->asking = true;
}

static void user_described(struct ks_store_request *request)
{
    struct ks_operation *operation = KS_CONTAINER_OF(request, struct ks_operation, asked.user.request);
    const struct ks_store_describe_user *described = &operation->asked.user;
    enum ks_result result = request->result;
    operation->asking = false;
    if (result == KS_OK) {
        struct ks_control_user user = plain_user(&described->details);
        result = add_details(operation->environment, described, &user);
        if (result == KS_OK)
            operation->size += ks_control_user_encode(&user, line_room(operation));
    }
    if (result == KS_OK)
        end_with(operation, KS_OK, "");
    else
        end_with_failure(operation, "describe the user", result);
    run(operation);
}

static void ask_for_user(struct ks_operation *operation)
{
    struct ks_store_describe_user *request = &operation->asked.user;
    ask(operation, &request->request, user_described);
    memcpy(request->name, operation->request.name, sizeof request->name);
    ks_store_describe_user(operation->environment->store, request);
}

static void users_described(struct ks_store_request *request)
{
    struct ks_operation *operation = KS_CONTAINER_OF(request, struct ks_operation, asked.users.request);
    size_t count = operation->asked.users.count;
    operation->asking = false;
    operation->cursor = operation->asked.users.cursor;
    if (request->result != KS_OK) {
        end_with_failure(operation, "list the users", KS_IO);
    } else if (count == 0) {
        end_with(operation, KS_OK, "");
    } else {
        for (size_t i = 0; i < count; i++) {
            const struct ks_control_user user = plain_user(&operation->details[i]);
            operation->size += ks_control_user_encode(&user, line_room(operation));
        }
        flush(operation);
    }
    run(operation);
}

static void ask_for_users(struct ks_operation *operation)
{
    struct ks_store_describe_users *request = &operation->asked.users;
    ask(operation, &request->request, users_described);
    request->cursor = operation->cursor;
    request->details = operation->details;
    request->limit = USERS_PER_PAGE;
    ks_store_describe_users(operation->environment->store, request);
}

static void end_change(struct ks_operation *operation, const char *what, const char *done,
                       enum ks_result result)
{
    const char *name = operation->request.name;
    char shown[KS_TEXT_FIELD_SIZE];
    operation->asking = false;
    if (result == KS_OK) {
        ks_text_escape_quoted(name, strlen(name), shown, sizeof shown);
        ks_log_notice(operation->environment->log, "an operator has %s \"%s\"", done, shown);
        end_with(operation, KS_OK, "");
    } else {
        end_with_failure(operation, what, result);
    }
    run(operation);
}

static void key_reset(struct ks_store_request *request)
{
    end_change(KS_CONTAINER_OF(request, struct ks_operation, asked.reset.request), "reset the key",
               "reset the key of", request->result);
}

static void ask_for_reset(struct ks_operation *operation)
{
    struct ks_store_reset_key *request = &operation->asked.reset;
    ask(operation, &request->request, key_reset);
    memcpy(request->name, operation->request.name, sizeof request->name);
    ks_store_reset_key(operation->environment->store, request);
}

static void user_removed(struct ks_store_request *request)
{
    struct ks_operation *operation = KS_CONTAINER_OF(request, struct ks_operation, asked.removal.request);
    const struct ks_operations_environment *environment = operation->environment;
    if (request->result == KS_OK && environment->staged != NULL)
        ks_places_forget_user(environment->staged, environment->store, &operation->asked.removal.id);
    if (request->result == KS_OK && environment->presence != NULL)
        ks_presence_cut(environment->presence, &operation->asked.removal.id, NULL);
    end_change(operation, "remove the user", "removed the user", request->result);
}

static void ask_for_removal(struct ks_operation *operation)
{
    struct ks_store_remove_user *request = &operation->asked.removal;
    ask(operation, &request->request, user_removed);
    memcpy(request->name, operation->request.name, sizeof request->name);
    ks_store_remove_user(operation->environment->store, request);
}

/* Each with a line of its own: an operator may watch them come. */
static void tell_finding(struct ks_operation *operation, const struct ks_check_finding *found)
{
    struct ks_control_finding finding = {.is_wrong = found->is_wrong};
    snprintf(finding.what, sizeof finding.what, "%s", found->what);
    snprintf(finding.meaning, sizeof finding.meaning, "%s", found->meaning);
    snprintf(finding.done, sizeof finding.done, "%s", found->done);
    if (found->is_wrong && operation->environment->groups != NULL) /* else stderr has it already */
        ks_log_error(operation->environment->log, "a check has found: %s: %s%s%s", found->what,
                     found->meaning, found->done[0] != '\0' ? "; " : "", found->done);
    operation->size += ks_control_finding_encode(&finding, line_room(operation));
}

static void end_check(struct ks_operation *operation)
{
    const struct ks_check_cursor *cursor = &operation->check;
    const struct ks_control_sums sums = {
        .files = cursor->files, .messages = cursor->messages, .wrong = cursor->wrong};
    operation->size += ks_control_sums_encode(&sums, line_room(operation));
    if (cursor->wrong == 0)
        end_with(operation, KS_OK, "");
    else
        end_with(operation, KS_IO, "not all is as it should be");
}

static void checked(struct ks_store_request *request)
{
    struct ks_operation *operation = KS_CONTAINER_OF(request, struct ks_operation, asked.check.request);
    operation->asking = false;
    operation->check = operation->asked.check.cursor;
    for (size_t i = 0; i < operation->asked.check.count && request->result == KS_OK; i++)
        tell_finding(operation, &operation->findings[i]);
    if (request->result != KS_OK)
        end_with_failure(operation, "check what is stored", KS_IO);
    else if (operation->asked.check.is_complete)
        end_check(operation);
    else
        flush(operation);
    run(operation);
}

static void ask_for_check(struct ks_operation *operation)
{
    struct ks_store_check *request = &operation->asked.check;
    ask(operation, &request->request, checked);
    request->repair = operation->request.verb == KS_CONTROL_REPAIR;
    request->is_alone = operation->environment->groups == NULL;
    request->cursor = operation->check;
    request->findings = operation->findings;
    request->limit = FINDINGS_PER_PAGE;
    ks_store_check(operation->environment->store, request);
}

/* The next ones of either port; returns how many. */
static size_t tell_page_of_groups(struct ks_operation *operation)
{
    const struct ks_operations_environment *environment = operation->environment;
    struct ks_group_details details[GROUPS_PER_PAGE];
    struct ks_groups *groups = operation->in_secure_groups ? environment->secure_groups : environment->groups;
    size_t count = ks_groups_describe(groups, &operation->group, details, GROUPS_PER_PAGE);
    for (size_t i = 0; i < count; i++) {
        const struct ks_control_group group = {.number = details[i].number,
                                               .members = details[i].members,
                                               .since = details[i].since,
                                               .messages = details[i].messages,
                                               .is_secure = operation->in_secure_groups};
        operation->size += ks_control_group_encode(&group, line_room(operation));
    }
    return count;
}

static void tell_groups(struct ks_operation *operation)
{
    if (operation->environment->groups == NULL) {
        end_with(operation, KS_OK, "no server runs here, and groups live only as long as one does");
        return;
    }
    size_t count = tell_page_of_groups(operation);
    flush(operation);
    if (count > 0)
        return;
    if (operation->in_secure_groups || operation->environment->secure_groups == NULL) {
        end_with(operation, KS_OK, "");
        return;
    }
    operation->in_secure_groups = true;
    operation->group = 0;
}

/* ---- invitations ---- */

static void end_invitation(struct ks_operation *operation, enum ks_result result)
{
    const struct ks_control_request *request = &operation->request;
    char shown[KS_TEXT_FIELD_SIZE];
    if (result == KS_OK) {
        ks_text_escape_quoted(request->name, strlen(request->name), shown, sizeof shown);
        ks_log_notice(operation->environment->log, "an operator has made an invitation for %u uses%s%s%s",
                      (unsigned)request->invite.uses, shown[0] != '\0' ? " by \"" : "", shown,
                      shown[0] != '\0' ? "\"" : "");
        operation->size += ks_control_invitation_encode(&operation->invitation, line_room(operation));
        end_with(operation, KS_OK, "");
    } else if (result == KS_TOO_LARGE) {
        end_with(operation, KS_IO, "there are as many open invitations as there may be");
    } else {
        end_with_failure(operation, "make an invitation", result == KS_NOT_FOUND ? KS_IO : result);
    }
    ks_secret_wipe(&operation->invitation, sizeof operation->invitation);
}

static void invited(struct ks_store_request *request)
{
    struct ks_operation *operation = KS_CONTAINER_OF(request, struct ks_operation, asked.invite.request);
    operation->asking = false;
    end_invitation(operation, request->result);
    run(operation);
}

/* Whether the store could know of it. */
static bool judge_invitation(struct ks_operation *operation)
{
    const struct ks_control_invite *invite = &operation->request.invite;
    if (invite->uses > KS_INVITATION_USES_LIMIT)
        end_with(operation, KS_INVALID, "an invitation has 100000 uses at most");
    else if (invite->until != 0 && invite->until <= ks_clock_wall_seconds(operation->environment->clock))
        end_with(operation, KS_INVALID, "this invitation would be over already");
    else
        return true;
    return false;
}

/* The store gets its hash alone: who reads the disk cannot register. */
static void ask_for_invitation(struct ks_operation *operation)
{
    struct ks_store_invite *request = &operation->asked.invite;
    if (!judge_invitation(operation))
        return;
    ask(operation, &request->request, invited);
    enum ks_result result = ks_random_fill(operation->environment->random, operation->invitation.code,
                                           sizeof operation->invitation.code);
    if (result == KS_OK)
        result =
            ks_sha256(operation->invitation.code, sizeof operation->invitation.code, request->invitation);
    if (result != KS_OK) {
        operation->asking = false;
        end_invitation(operation, result);
        return;
    }
    request->uses = operation->request.invite.uses;
    request->until = operation->request.invite.until;
    memcpy(request->name, operation->request.name, sizeof request->name);
    ks_store_invite(operation->environment->store, request);
}

static void step(struct ks_operation *operation)
{
    switch (operation->request.verb) {
    case KS_CONTROL_USERS:
        ask_for_users(operation);
        return;
    case KS_CONTROL_USER:
        ask_for_user(operation);
        return;
    case KS_CONTROL_RESET_KEY:
        ask_for_reset(operation);
        return;
    case KS_CONTROL_REMOVE:
        ask_for_removal(operation);
        return;
    case KS_CONTROL_GROUPS:
        tell_groups(operation);
        return;
    case KS_CONTROL_CHECK:
    case KS_CONTROL_REPAIR:
        ask_for_check(operation);
        return;
    case KS_CONTROL_INVITE:
        ask_for_invitation(operation);
        return;
    }
}

/* Steps until there is something to wait for, or nothing more to do. */
static void run(struct ks_operation *operation)
{
    if (operation->running)
        return;
    operation->running = true;
    while (!operation->asking && !operation->complete && !operation->abandoned && !operation->waiting)
        step(operation);
    operation->running = false;
    bool over = !operation->asking && (operation->complete || operation->abandoned);
    if (!over)
        return;
    const struct ks_operation_events *events = operation->abandoned ? NULL : operation->events;
    void *context = operation->context;
    if (operation->request.verb == KS_CONTROL_INVITE) /* its line stands there yet */
        ks_secret_wipe(operation, sizeof *operation);
    free(operation);
    if (events != NULL)
        events->ended(context);
}

enum ks_result ks_operation_begin(const struct ks_operations_environment *environment,
                                  const struct ks_control_request *request, struct ks_executor *reply_to,
                                  const struct ks_operation_events *events, void *context,
                                  struct ks_operation **operation)
{
    struct ks_operation *created = calloc(1, sizeof *created);
    if (created == NULL)
        return KS_NO_MEMORY;
    created->environment = environment;
    created->request = *request;
    created->reply_to = reply_to;
    created->events = events;
    created->context = context;
    *operation = created;
    run(created);
    return KS_OK;
}

void ks_operation_go_on(struct ks_operation *operation)
{
    operation->waiting = false;
    run(operation);
}

void ks_operation_abandon(struct ks_operation *operation)
{
    operation->abandoned = true;
    run(operation);
}
