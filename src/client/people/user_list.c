/* user_list.c — see user_list.h. */
#include "client/people/user_list.h"

#include "base/buffer.h"
#include "base/text.h"
#include "client/failure.h"
#include "wire/messages_codec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A list is in memory as long as it is judged and walked: names at their length, not 255 bytes each. A
 * million users with names of ten letters take 28 MB. */
enum { LIST_LIMIT = 256 * 1024 * 1024 };

/* The entries one after the other: id, size of the name, name. */
enum { ID_SIZE = KS_CLIENT_ID_SIZE, NAME_AT = ID_SIZE + 1 };

struct list {
    struct ks_buffer entries;
    size_t count;
};

static enum kesher_status fail_senseless(struct ks_client_session *session, const char *why,
                                         struct kesher_error *error)
{
    char what[120];
    if (snprintf(what, sizeof what, "a list of users that makes no sense: %s", why) < 0)
        what[0] = '\0';
    return ks_channel_fail_protocol(session->channel, error, what);
}

/* ---- an entry ---- */

/* Bytes that were never meant to be a name. A user may have chosen a strange one, and others wrote Latin-1:
 * what is either text or free of control bytes is a name. */
static bool is_rubbish(const char *name, size_t size)
{
    bool has_control = false;
    bool is_text = true;
    for (size_t i = 0; i < size;) {
        size_t length = ks_text_utf8_length((const uint8_t *)name + i, size - i);
        has_control = has_control || (uint8_t)name[i] < 0x20 || name[i] == 0x7f;
        is_text = is_text && length > 0;
        i += length > 0 ? length : 1;
    }
    return has_control && !is_text;
}

/* What is wrong with it, or NULL. */
static const char *judge_entry(const struct ks_listed_user *entry)
{
    static const struct ks_client_id none = {.bytes = {0}};
    if (entry->name_size == 0 && memcmp(&entry->alias, &none, sizeof none) == 0)
        return "it has users without name and id";
    return is_rubbish(entry->name, entry->name_size) ? "it has names that are no text" : NULL;
}

static enum kesher_status keep_entry(struct list *list, const struct ks_listed_user *entry,
                                     struct kesher_error *error)
{
    const uint8_t name_size = (uint8_t)entry->name_size;
    if (ks_buffer_reserve(&list->entries, NAME_AT + entry->name_size) != KS_OK)
        return ks_failure(error, KESHER_NO_MEMORY, "the list of users does not fit the memory");
    (void)ks_buffer_append(&list->entries, entry->alias.bytes, ID_SIZE);
    (void)ks_buffer_append(&list->entries, &name_size, 1);
    (void)ks_buffer_append(&list->entries, entry->name, entry->name_size);
    list->count++;
    return KESHER_OK;
}

static enum kesher_status take_entry(struct ks_client_session *session, struct list *list,
                                     struct kesher_error *error)
{
    uint8_t bytes[KS_LISTED_USER_SIZE];
    struct ks_listed_user entry;
    enum kesher_status status = ks_channel_receive(session->channel, bytes, sizeof bytes, error);
    if (status != KESHER_OK)
        return status;
    const char *why = ks_listed_user_parse(bytes, sizeof bytes, &entry) == KS_OK
                          ? judge_entry(&entry)
                          : "it has names without an end";
    return why == NULL ? keep_entry(list, &entry, error) : fail_senseless(session, why, error);
}

/* ---- the whole ---- */

/* The entry behind `entry`. */
static const uint8_t *next_entry(const uint8_t *entry)
{
    return entry + NAME_AT + entry[ID_SIZE];
}

static int compare_ids(const void *left, const void *right)
{
    const uint8_t *const *a = left;
    const uint8_t *const *b = right;
    return memcmp(*a, *b, ID_SIZE);
}

static enum kesher_status judge_ids(struct ks_client_session *session, const struct list *list,
                                    struct kesher_error *error)
{
    const uint8_t *entry = list->entries.bytes;
    enum kesher_status status = KESHER_OK;
    if (list->count < 2)
        return KESHER_OK;
    const uint8_t **sorted = reallocarray(NULL, list->count, sizeof *sorted);
    if (sorted == NULL)
        return ks_failure_no_memory(error);
    for (size_t i = 0; i < list->count; i++, entry = next_entry(entry))
        sorted[i] = entry;
    qsort((void *)sorted, list->count, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < list->count && status == KESHER_OK; i++)
        if (memcmp(sorted[i - 1], sorted[i], ID_SIZE) == 0)
            status = fail_senseless(session, "several users have one id", error);
    free((void *)sorted);
    return status;
}

static enum kesher_status fetch(struct ks_client_session *session, void *context, struct kesher_error *error)
{
    struct list *list = context;
    uint32_t left = 0;
    ks_buffer_free(&list->entries);
    list->count = 0;
    enum kesher_status status =
        ks_request_begin(session, KS_REQUEST_LIST_USERS, KS_RESPONSE_USERS, &left, error);
    if (status == KESHER_OK && left % KS_LISTED_USER_SIZE != 0)
        status = fail_senseless(session, "its size is no multiple of an entry's", error);
    for (; status == KESHER_OK && left > 0; left -= KS_LISTED_USER_SIZE)
        status = take_entry(session, list, error);
    if (status == KESHER_OK)
        status = judge_ids(session, list, error);
    if (status == KESHER_NO_MEMORY)
        ks_client_session_disconnect(session); /* in the middle of an answer */
    return status;
}

enum kesher_status ks_user_list_each(struct ks_client_session *session, enum ks_request_repeat repeat,
                                     bool (*visit)(void *context, const struct kesher_user *user),
                                     void *context, struct kesher_error *error)
{
    struct list list = {.entries = ks_buffer_empty(LIST_LIMIT)};
    const struct ks_request request = {.repeat = repeat, .perform = fetch, .context = &list};
    enum kesher_status status = ks_request_run(session, &request, NULL, error);
    const uint8_t *entry = list.entries.bytes;
    bool goes_on = status == KESHER_OK;
    for (size_t i = 0; i < list.count && goes_on; i++, entry = next_entry(entry)) {
        struct kesher_user user = {.name = ""};
        memcpy(user.id, entry, sizeof user.id);
        memcpy(user.name, entry + NAME_AT, entry[ID_SIZE]);
        goes_on = visit(context, &user);
    }
    ks_buffer_free(&list.entries);
    return status;
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

enum kesher_status ks_user_list_find(struct ks_client_session *session, const char *name,
                                     struct ks_client_id *id, struct kesher_error *error)
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

static bool visit_nobody(void *context, const struct kesher_user *user)
{
    (void)context;
    (void)user;
    return false;
}

enum kesher_status ks_user_list_explain_refusal(struct ks_client_session *session, struct kesher_error *error)
{
    struct kesher_error why;
    if (ks_user_list_each(session, KS_REQUEST_UNTIL_LOST, visit_nobody, NULL, &why) != KESHER_UNKNOWN)
        return KESHER_REFUSED;
    if (error != NULL)
        *error = why;
    return KESHER_UNKNOWN;
}
