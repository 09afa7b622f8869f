/* sender_names.h — the names of those who sent messages: from the contacts, else from one list of users per
 * pull. One thread at a time.
 */
#ifndef KS_CLIENT_MESSENGER_SENDER_NAMES_H
#define KS_CLIENT_MESSENGER_SENDER_NAMES_H

#include "wire/frame.h"

#include <kesher/error.h>

#include <stdbool.h>

enum { KS_SENDER_NAMES_LIMIT = 1024 };

struct kesher_messenger;

struct ks_sender_name {
    struct ks_client_id id;
    bool is_listed;
    char name[KS_TEXT_FIELD_SIZE];
};

/* Whom the list was asked for since the last reset, in the order of their ids. */
struct ks_sender_names {
    size_t count;
    uint64_t answers; /* how often names came: a number that changes with them */
    struct ks_sender_name senders[KS_SENDER_NAMES_LIMIT];
};

/* Whoever was not in the list may be in the next. */
void ks_sender_names_reset(struct ks_sender_names *senders);

/* The name of the sender `id`; empty when neither a contact nor the list has it, or there is no list to be
 * had. Together with it the list is asked for those whose messages come next. KESHER_OK; KESHER_FILE;
 * KESHER_NO_MEMORY. */
enum kesher_status ks_sender_names_find(struct kesher_messenger *messenger, const struct ks_client_id *id,
                                        char name[static KS_TEXT_FIELD_SIZE], struct kesher_error *error);

#endif
