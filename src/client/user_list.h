/* user_list.h — the server's list of users: 601, entry by entry, in constant memory. One thread at a time. */
#ifndef KS_CLIENT_USER_LIST_H
#define KS_CLIENT_USER_LIST_H

#include "client/request.h"

#include <kesher/messages.h>

/* Calls `visit` for every entry until it returns false; nobody is visited twice: a list that breaks off is
 * not asked for again once its first entry was visited. `repeat` as in request.h. KESHER_OK; KESHER_REFUSED;
 * KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL; KESHER_NO_MEMORY. */
enum kesher_status ks_user_list_each(struct ks_session *session, enum ks_request_repeat repeat,
                                     bool (*visit)(void *context, const struct kesher_user *user),
                                     void *context, struct kesher_error *error);

/* The id of `name`. KESHER_NOT_FOUND when the list does not have it; else as above. */
enum kesher_status ks_user_list_find(struct ks_session *session, const char *name, struct ks_client_id *id,
                                     struct kesher_error *error);

#endif
