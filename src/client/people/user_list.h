/* user_list.h — the server's list of users: 601. Nothing of it is used before all of it has come and makes
 * sense. One thread at a time. */
#ifndef KS_CLIENT_PEOPLE_USER_LIST_H
#define KS_CLIENT_PEOPLE_USER_LIST_H

#include "client/transport/request.h"

#include <kesher/messages.h>

/* Calls `visit` for every entry until it returns false. `repeat` as in request.h. KESHER_OK; KESHER_UNKNOWN;
 * KESHER_CONNECTION; KESHER_TIMEOUT; KESHER_PROTOCOL, also for a list that makes no sense (names without an
 * end or that are no text, one id for several users); KESHER_NO_MEMORY, also for a list of more than some
 * million users. */
enum kesher_status ks_user_list_each(struct ks_client_session *session, enum ks_request_repeat repeat,
                                     bool (*visit)(void *context, const struct kesher_user *user),
                                     void *context, struct kesher_error *error);

/* The id of `name`. KESHER_NOT_FOUND when the list does not have it; else as above. */
enum kesher_status ks_user_list_find(struct ks_client_session *session, const char *name,
                                     struct ks_client_id *id, struct kesher_error *error);

/* After a request of this user was refused: whether because the server does not know the user, which the list
 * tells. KESHER_UNKNOWN with its sentence, else KESHER_REFUSED with `error` as it is. */
enum kesher_status ks_user_list_explain_refusal(struct ks_client_session *session,
                                                struct kesher_error *error);

#endif
