/* user_list.c — see user_list.h. */
#include "client/user_list.h"

#include "base/text.h"
#include "client/failure.h"
#include "wire/messages.h"

#include <string.h>

/* What is left of a list that nobody wants to hear to its end: up to this size it is read away, a longer rest
 * costs the connection. */
enum { REST_LIMIT = 1024 * 1024 };

struct walk {
    bool (*visit)(void *context, const struct kesher_user *user);
    void *context;
    bool visited;
};

static enum kesher_status drop_rest(struct ks_session *session, uint32_t left, struct kesher_error *error)
{
    if (left <= REST_LIMIT)
        return ks_channel_skip(session->channel, left, error);
    ks_session_disconnect(session);
    return KESHER_OK;
}

static enum kesher_status take_user(struct ks_session *session, struct kesher_user *user,
                                    struct kesher_error *error)
{
    uint8_t bytes[KS_LISTED_USER_SIZE];
    struct ks_listed_user entry;
    enum kesher_status status = ks_channel_receive(session->channel, bytes, sizeof bytes, error);
    if (status != KESHER_OK)
        return status;
    if (ks_listed_user_parse(bytes, sizeof bytes, &entry) != KS_OK)
        return ks_channel_fail_protocol(session->channel, error, "a list with a name that has no end");
    memcpy(user->id, entry.alias.bytes, sizeof user->id);
    memcpy(user->name, entry.name, entry.name_size);
    user->name[entry.name_size] = '\0';
    return KESHER_OK;
}

static enum kesher_status walk_once(struct ks_session *session, struct walk *walk, struct kesher_error *error)
{
    uint32_t left = 0;
    enum kesher_status status =
        ks_request_begin(session, KS_REQUEST_LIST_USERS, KS_RESPONSE_USERS, &left, error);
    if (status != KESHER_OK)
        return status;
    if (left % KS_LISTED_USER_SIZE != 0)
        return ks_channel_fail_protocol(session->channel, error,
                                        "a list of users whose size is no multiple of an entry's");
    while (left > 0) {
        struct kesher_user user = {.name = ""};
        status = take_user(session, &user, error);
        if (status != KESHER_OK)
            return status;
        left -= KS_LISTED_USER_SIZE;
        walk->visited = true;
        if (!walk->visit(walk->context, &user))
            return drop_rest(session, left, error);
    }
    return KESHER_OK;
}

static enum kesher_status perform(struct ks_session *session, void *context, struct kesher_error *error)
{
    return walk_once(session, context, error);
}

enum kesher_status ks_user_list_each(struct ks_session *session, enum ks_request_repeat repeat,
                                     bool (*visit)(void *context, const struct kesher_user *user),
                                     void *context, struct kesher_error *error)
{
    struct walk walk = {.visit = visit, .context = context};
    const struct ks_request request = {
        .repeat = repeat, .perform = perform, .context = &walk, .spent = &walk.visited};
    return ks_request_run(session, &request, NULL, error);
}

struct search {
    const char *name;
    struct ks_client_id *id;
    bool found;
};

static bool compare_name(void *context, const struct kesher_user *user)
{
    struct search *search = context;
    search->found = strcmp(user->name, search->name) == 0;
    if (search->found)
        memcpy(search->id->bytes, user->id, sizeof user->id);
    return !search->found;
}

enum kesher_status ks_user_list_find(struct ks_session *session, const char *name, struct ks_client_id *id,
                                     struct kesher_error *error)
{
    char shown[300];
    struct search search = {.name = name, .id = id};
    enum kesher_status status =
        ks_user_list_each(session, KS_REQUEST_UNTIL_ANSWERED, compare_name, &search, error);
    if (status != KESHER_OK || search.found)
        return status;
    return ks_failure(error, KESHER_NOT_FOUND, "there is no user '%s' at %s; the list of users has the names",
                      ks_text_escape(name, strlen(name), shown, sizeof shown), session->shown);
}
