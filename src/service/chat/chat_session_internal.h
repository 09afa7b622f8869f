/* chat_session_internal.h — the state of one chat session, shared by the files that serve it: chat_service.c
 * takes input apart and handles events, chat_prompts.c asks until the peer is a member, chat_names.c
 * finds out whether somebody with an account may have a name, chat_words.c says what a member says. Private
 * to these four, which call each other in this order. Everything runs on the connection's loop.
 */
#ifndef KS_SERVICE_CHAT_CHAT_SESSION_INTERNAL_H
#define KS_SERVICE_CHAT_CHAT_SESSION_INTERNAL_H

#include "service/chat/chat_service.h"
#include "service/chat/groups.h"
#include "service/chat/turnstile.h"
#include "wire/chat_codec.h"

enum {
    KS_CHAT_PART_LIMIT =
        KS_CHAT_MESSAGE_LIMIT, /* a longer line is taken in pieces; of an answer no more counts */
    KS_CHAT_TEXT_SIZE = 384,   /* of what we say ourselves */
    KS_CHAT_WHO_SIZE = 4096,   /* of names that a member is told, at most */
};

enum ks_chat_state {
    KS_CHAT_STATE_MENU,
    KS_CHAT_STATE_NAME_TO_JOIN,
    KS_CHAT_STATE_NAME_TO_CREATE,
    KS_CHAT_STATE_GROUP,
    KS_CHAT_STATE_PASSWORD,
    KS_CHAT_STATE_NEW_PASSWORD,
    KS_CHAT_STATE_JUDGING, /* a password waits for its turn */
    KS_CHAT_STATE_NAMING,  /* the store is asked whose a name is */
    KS_CHAT_STATE_MEMBER,
    KS_CHAT_STATE_LEAVING, /* a member that says no more, and hears what was said before */
    KS_CHAT_STATE_ENDING,
    KS_CHAT_STATES,
};

struct ks_chat_question;

/* Who talks on the secure port. */
struct ks_chat_talker {
    struct ks_attendance *attendance;
    struct ks_client_id id;
    char account_name[KS_TEXT_FIELD_SIZE];
    char skeleton[KS_SKELETON_SIZE];   /* of the name that the session has, or asks for */
    bool name_is_own;                  /* it is the account's */
    uint8_t asked_in;                  /* enum ks_chat_state, while naming: to go on from */
    struct ks_chat_question *question; /* on its way; NULL for none */
};

struct ks_chat_session {
    struct ks_member member;
    const struct ks_chat_service_environment *environment;
    struct ks_chat_talker *talker; /* NULL: on the classic port */
    void (*name_is_judged)(struct ks_chat_session *session, enum ks_result result); /* of chat_names.c */
    uint8_t *part; /* KS_CHAT_PART_LIMIT bytes while there are any */
    size_t part_size;
    struct ks_shared *lines; /* said in this read */
    uint8_t *password;       /* while judging, and while naming behind one */
    size_t password_size;
    struct ks_turn turn; /* likewise */
    uint64_t serial;     /* of the group whose password is asked for */
    unsigned number;
    unsigned wrong_passwords;
    uint8_t state;  /* enum ks_chat_state; ks_chat_session_become changes it */
    bool after_cr;  /* an LF would belong to the CR before it */
    bool continued; /* the beginning of this line was taken already */
    bool dropping;  /* and the rest of it counts for nothing */
    bool said_exit;
    bool asked_who;                /* in this read */
    char name[KS_TEXT_FIELD_SIZE]; /* one of KS_CHAT_NAME_LIMIT, or the account's */
};

/* ---- chat_words.c ---- */

/* To a peer in line mode as a line, else in sends of their own, none longer than the peer reads at once. */
void ks_chat_session_tell(struct ks_chat_session *session, const char *text);

/* Ends it, when all that was told is sent. */
void ks_chat_session_end(struct ks_chat_session *session);

/* Out of memory: what the peer said is lost, and it must know. */
void ks_chat_session_give_up(struct ks_chat_session *session);

/* "ADDRESS: chat: "name" what": something that went well. `what` as of printf, and a literal: lines of one
 * literal from one address are alike (base/limits/log_repeats.h). */
void ks_chat_session_log(const struct ks_chat_session *session, const char *what, ...)
    __attribute__((format(printf, 2, 3)));

/* The same of something that was refused, or was ended for a limit, which it names: "(groups)". Without a
 * name while the peer has given none. */
void ks_chat_session_report(const struct ks_chat_session *session, enum ks_log_level level, const char *what,
                            ...) __attribute__((format(printf, 3, 4)));

/* The only way to another state. */
void ks_chat_session_become(struct ks_chat_session *session, enum ks_chat_state state);

/* It is in its group now. */
void ks_chat_session_became_member(struct ks_chat_session *session);

/* Says no more, and leaves its group and ends when it has heard what was said before. */
void ks_chat_session_leave(struct ks_chat_session *session);

/* It is in no group any more. In none is fine. */
void ks_chat_session_leave_group(struct ks_chat_session *session);

/* Takes words of a member; they are said with all others of this read. */
void ks_chat_session_take_words(struct ks_chat_session *session, const uint8_t *input, size_t size);

/* Gives what was said in this read to the group; tells who is there, if that was asked. */
void ks_chat_session_say_lines(struct ks_chat_session *session);

/* Tells the others that it has joined. */
void ks_chat_session_say_joined(struct ks_chat_session *session);

/* ---- chat_names.c, for who has an account ---- */

/* Takes the account's own name. KS_OK, and the session has it; KS_NO_MEMORY, KS_IO. */
enum ks_result ks_chat_names_take_own(struct ks_chat_session *session);

/* Takes a clean name, which the session has for the moment, and finds out whether it may have it; without
 * one, whether it still may. name_is_judged comes, in the call or later: KS_OK; KS_EXISTS when it may not;
 * KS_NO_MEMORY, KS_IO. */
void ks_chat_names_ask(struct ks_chat_session *session, const uint8_t *name, size_t size);
void ks_chat_names_ask_again(struct ks_chat_session *session);

/* The answer is not wanted any more. */
void ks_chat_names_forget_question(struct ks_chat_session *session);

/* ---- chat_prompts.c ---- */

/* Takes what a peer that is no member answers to the menu or a prompt. */
void ks_chat_session_take_answer(struct ks_chat_session *session, const uint8_t *input, size_t size);

/* It is the turn of the password that waits. */
void ks_chat_session_judge(struct ks_chat_session *session);

/* The answer to who has the name. */
void ks_chat_session_take_name(struct ks_chat_session *session, enum ks_result result);

/* The session ends, and a guess that waits is never looked at. */
void ks_chat_session_give_turn_back(const struct ks_chat_session *session);
void ks_chat_session_forget_password(struct ks_chat_session *session);

#endif
