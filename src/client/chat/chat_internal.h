/* chat_internal.h — the inside of a kesher_chat, for the files that make it up: chat.c (the connection, and
 * what goes over it), chat_account.c (a connection to a secure server) and chat_entry.c (the way into a
 * group). One thread at a time.
 */
#ifndef KS_CLIENT_CHAT_CHAT_INTERNAL_H
#define KS_CLIENT_CHAT_CHAT_INTERNAL_H

#include "base/buffer.h"
#include "client/chat/chat_reader.h"
#include "client/transport/carrier.h"

#include <kesher/chat.h>

#include <stdint.h>

/* How far kesher_chat_find and its like have come. */
enum ks_chat_step {
    KS_CHAT_STEP_MENU,
    KS_CHAT_STEP_GROUP,    /* the server asks for a group */
    KS_CHAT_STEP_PASSWORD, /* the server asks for its password */
    KS_CHAT_STEP_DONE,
};

struct kesher_chat {
    struct ks_carrier *carrier;    /* owned; NULL while there is none */
    struct kesher_options options; /* defaults filled in */
    enum ks_chat_step step;
    unsigned group;     /* that was looked for last */
    bool mode_is_known; /* else the first valid choice of the menu is still to be answered */
    bool answered;      /* since the last input went out */
    bool skip_menu;     /* it comes again after connecting anew */
    bool mid_line;      /* what was handed over last has no line end yet */
    bool leaving;       /* and KS_CHAT_LEAVE is not in the queue yet */
    bool says_exit;     /* it is, alone, or was sent */
    bool output_ended;  /* we have said that nothing follows, or could not send any more */
    bool ended;
    char choice;            /* the valid one that waits for the first answer, else 0 */
    int output_errno;       /* why nothing can be sent any more; what has come is still taken */
    uint64_t due_ms;        /* when the next message may go out in chunk mode */
    struct ks_buffer queue; /* lines that are to go out */
    size_t sent;            /* of the first one, which is kept until all of it has gone out */
    struct ks_chat_reader reader;
    char address[KESHER_ADDRESS_SIZE];
    char shown[KESHER_ADDRESS_SIZE]; /* safe for sentences */
    char proposed_name[KESHER_NAME_SIZE];
};

/* A chat without a connection, for kesher_chat_close; NULL without memory. */
struct kesher_chat *ks_chat_new(const struct kesher_options *options);

/* A server that is gone without a word is noticed by a member who only listens. */
void ks_chat_keep_alive(const struct kesher_chat *chat);

/* The next thing that was said, without waiting; *any is false when there is nothing. KESHER_OK, also with
 * nothing and chat->ended; errors as kesher_chat_receive. */
enum kesher_status ks_chat_next(struct kesher_chat *chat, struct ks_chat_said *said, bool *any,
                                struct kesher_error *error);

/* KESHER_CONNECTION: `error_number` is an errno, 0 when the server closed. */
enum kesher_status ks_chat_fail_lost(const struct kesher_chat *chat, int error_number,
                                     struct kesher_error *error);

#endif
