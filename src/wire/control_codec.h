/* control_codec.h — what goes through the control socket of a server: `control` in its data directory, for
 * programs of its own user and of root. Pure functions on bytes: no I/O, no allocation; any thread.
 *
 * Version 1. A request is one line of at most KS_CONTROL_REQUEST_LIMIT bytes with its LF:
 *
 *   1 users             every user
 *   1 user NAME         one, with public id and fingerprint
 *   1 reset-key NAME    the next public key that the user sends is stored
 *   1 remove NAME       the user and all that is kept for it go
 *   1 groups            every group of the chat
 *   1 check             all that is stored is looked at: a line for each thing that is worth telling, then
 *                     one with the sums
 *   1 repair            the same, and what is damaged is put aside
 *   1 invite USES UNTIL NAME    a new invitation to register USES accounts until UNTIL, seconds since 1970, 0
 *                     for ever; " NAME" is left out where it is for anybody
 *
 * NAME is the rest of the line. The answer is any number of lines, each a flat JSON object, and one more that
 * ends it, which alone has the member "result": "ok", "not found", "invalid" (what the server does not
 * understand, or a version that it does not speak), "busy" or "failed"; and unless all is well, "message".
 * Any number of requests may follow each other on a connection; each is answered before the next is looked
 * at. The secret id of a user is in no answer; an invitation, which is a secret, is in the one that made it.
 */
#ifndef KS_WIRE_CONTROL_CODEC_H
#define KS_WIRE_CONTROL_CODEC_H

#include "base/result.h"
#include "wire/accounts_codec.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_CONTROL_REQUEST_LIMIT = 512,
    KS_CONTROL_LINE_LIMIT = 2048, /* of an answer, with its LF */
    KS_CONTROL_FINGERPRINT_SIZE = 80,
    KS_CONTROL_SHORT_FINGERPRINT_SIZE = 32,
    KS_CONTROL_MESSAGE_SIZE = 512,
};

enum ks_control_verb {
    KS_CONTROL_USERS,
    KS_CONTROL_USER,
    KS_CONTROL_RESET_KEY,
    KS_CONTROL_REMOVE,
    KS_CONTROL_GROUPS,
    KS_CONTROL_CHECK,
    KS_CONTROL_REPAIR,
    KS_CONTROL_INVITE,
};

/* A new invitation: for whom, if not for anybody, is the name of the request. */
struct ks_control_invite {
    uint32_t uses; /* at least 1 */
    int64_t until; /* wall seconds, 0 for ever */
};

struct ks_control_request {
    enum ks_control_verb verb;
    char name[KS_TEXT_FIELD_SIZE];   /* "" for verbs without one */
    struct ks_control_invite invite; /* of KS_CONTROL_INVITE */
};

/* Parses a line without its LF. KS_OK; KS_REFUSED for another version; KS_INVALID. */
enum ks_result ks_control_request_parse(const char *line, size_t size, struct ks_control_request *request);

/* Writes a line with its LF; returns its size. The name is one of ks_text_is_user_name, or of well-formed
 * UTF-8 without controls, or "". */
size_t ks_control_request_encode(const struct ks_control_request *request,
                                 char line[static KS_CONTROL_REQUEST_LIMIT]);

/* ---- lines of answers: each encode writes one with its LF and returns its size ---- */

struct ks_control_user {
    char name[KS_TEXT_FIELD_SIZE];
    int64_t registered; /* wall seconds */
    int64_t last_seen;  /* likewise */
    bool has_key;
    uint64_t files;
    uint64_t file_bytes;
    uint64_t messages;
    uint64_t message_bytes;
    bool is_account;
    bool is_classic;    /* of an account: the classic ports know it, too */
    bool is_detailed;   /* the next five are known */
    uint64_t puts;      /* own files that are coming, or broke off … */
    uint64_t put_bytes; /* … and what has come of them */
    char public_id[2 * KS_CLIENT_ID_SIZE + 1];
    char key_fingerprint[KS_CONTROL_FINGERPRINT_SIZE];         /* "" without a key */
    char short_fingerprint[KS_CONTROL_SHORT_FINGERPRINT_SIZE]; /* of an account (protocol.md §8.5) */
};

struct ks_control_group {
    uint64_t number;
    uint64_t members;
    int64_t since; /* wall seconds */
    uint64_t messages;
    bool is_secure; /* of the secure port, which has groups, and numbers, of its own */
};

enum { KS_CONTROL_TEXT_SIZE = 640 };

/* Something that a check has found. */
struct ks_control_finding {
    bool is_wrong; /* else it is only told */
    char what[KS_CONTROL_TEXT_SIZE];
    char meaning[KS_CONTROL_TEXT_SIZE];
    char done[KS_CONTROL_TEXT_SIZE]; /* "" for nothing */
};

/* The last line of a check. */
struct ks_control_sums {
    uint64_t files;
    uint64_t messages;
    uint64_t wrong;
};

/* What was made by KS_CONTROL_INVITE. A secret: wipe it. */
struct ks_control_invitation {
    uint8_t code[KS_INVITATION_SIZE]; /* on the wire as its text (protocol.md §8.2) */
};

struct ks_control_end {
    enum ks_result result; /* KS_OK, KS_NOT_FOUND, KS_INVALID, KS_REFUSED (busy); anything else is "failed" */
    char message[KS_CONTROL_MESSAGE_SIZE];
};

size_t ks_control_user_encode(const struct ks_control_user *user, char line[static KS_CONTROL_LINE_LIMIT]);
size_t ks_control_group_encode(const struct ks_control_group *group, char line[static KS_CONTROL_LINE_LIMIT]);
size_t ks_control_finding_encode(const struct ks_control_finding *finding,
                                 char line[static KS_CONTROL_LINE_LIMIT]);
size_t ks_control_sums_encode(const struct ks_control_sums *sums, char line[static KS_CONTROL_LINE_LIMIT]);
size_t ks_control_invitation_encode(const struct ks_control_invitation *invitation,
                                    char line[static KS_CONTROL_LINE_LIMIT]);
size_t ks_control_end_encode(const struct ks_control_end *end, char line[static KS_CONTROL_LINE_LIMIT]);

/* Each parses a line, with or without LF. KS_OK; KS_INVALID for any other line. Members that they do not know
 * are passed over. ks_control_end_parse answers KS_NOT_FOUND for a line that is sound and does not end an
 * answer. */
enum ks_result ks_control_user_parse(const char *line, size_t size, struct ks_control_user *user);
enum ks_result ks_control_group_parse(const char *line, size_t size, struct ks_control_group *group);
enum ks_result ks_control_finding_parse(const char *line, size_t size, struct ks_control_finding *finding);
enum ks_result ks_control_sums_parse(const char *line, size_t size, struct ks_control_sums *sums);
enum ks_result ks_control_invitation_parse(const char *line, size_t size,
                                           struct ks_control_invitation *invitation);
enum ks_result ks_control_end_parse(const char *line, size_t size, struct ks_control_end *end);

#endif
