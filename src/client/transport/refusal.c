/* refusal.c — see refusal.h. */
#include "client/transport/refusal.h"

#include "base/text.h"
#include "client/failure.h"

#include <stdio.h>
#include <string.h>

enum { SAID_SIZE = 260, SAID_LIMIT = 200 };

/* What a reason is, and what to do. */
static const struct row {
    uint16_t reason;
    enum kesher_status status;
    const char *what;
    const char *advice;
} rows[] = {
    {KS_REFUSAL_MALFORMED, KESHER_REFUSED, "the request makes no sense to it",
     "one of the two may be too old for the other"},
    {KS_REFUSAL_SIGN_IN_FIRST, KESHER_REFUSED, "it wants a sign-in first",
     "one of the two may be too old for the other"},
    {KS_REFUSAL_UNKNOWN_ACCOUNT, KESHER_UNKNOWN, "no account there has this home's key",
     "register with kesher register NAME, or ask its operator when there was one"},
    {KS_REFUSAL_SIGNATURE, KESHER_REFUSED, "it does not take the signature",
     "somebody may sit in between: tell its operator"},
    {KS_REFUSAL_SIGNED_IN, KESHER_REFUSED, "this connection has signed in already", "try again"},
    {KS_REFUSAL_SIGNATURES, KESHER_REFUSED, "there were too many signatures on this connection", "try again"},
    {KS_REFUSAL_NAME, KESHER_REFUSED, "the name may not be an account's there", "choose another"},
    {KS_REFUSAL_NAME_TAKEN, KESHER_REFUSED, "the name is taken there, or too like one that is",
     "choose another"},
    {KS_REFUSAL_KEY_TAKEN, KESHER_EXISTS, "this home's key is that of an account with another name",
     "kesher account shows which; for another account use another home"},
    {KS_REFUSAL_CLOSED, KESHER_REFUSED, "registration is closed there", "ask its operator"},
    {KS_REFUSAL_INVITATION_NEEDED, KESHER_REFUSED, "registration is by invitation there",
     "ask its operator for one, and give it with --invitation, or its link to kesher join"},
    {KS_REFUSAL_INVITATION, KESHER_REFUSED, "the invitation is unknown, used up, over, or for another name",
     "ask for another one"},
    {KS_REFUSAL_TOO_MANY, KESHER_REFUSED, "there were too many such requests of this network or account",
     "try again later"},
    {KS_REFUSAL_FULL, KESHER_FULL, "it takes no more users now", "try again later, or ask its operator"},
    {KS_REFUSAL_NO_IDENTITY, KESHER_REFUSED,
     "it has no such classic identity, or none with a public key, or it is an account already",
     "register a new account with kesher register NAME in another home"},
    {KS_REFUSAL_PROOF, KESHER_REFUSED, "the proof of the classic identity does not hold",
     "check that me.info and priv.key belong together"},
    {KS_REFUSAL_TROUBLE, KESHER_REFUSED, "it has trouble of its own", "try again later"},
    {KS_REFUSAL_CARRIER, KESHER_REFUSED, "it does not take signatures of this kind here",
     "one of the two may be too old for the other"},
    {KS_REFUSAL_UNKNOWN_REQUEST, KESHER_REFUSED, "it does not know this request",
     "the server may be older than this kesher"},
    {KS_REFUSAL_NO_SPACE, KESHER_REFUSED, "its disk, or a quota, has no room", "try again later"},
    {KS_REFUSAL_NO_FILE, KESHER_NOT_FOUND, "there is no file of this name",
     "kesher files lists those that there are"},
    {KS_REFUSAL_FILE_EXISTS, KESHER_EXISTS, "there is another file of this name",
     "replace it with --replace, or choose another name"},
    {KS_REFUSAL_PUT_IN_USE, KESHER_REFUSED, "the same file is being put over another connection",
     "try again when that has ended"},
    {KS_REFUSAL_CKSUM, KESHER_MISMATCH, "what came is not what was sent", "try again"},
    {KS_REFUSAL_FILE_NAME, KESHER_INVALID, "no file there may have this name", "choose another"},
    {KS_REFUSAL_NO_PUT, KESHER_REFUSED, "it has nothing of the file any more, or not all of it", "try again"},
    {KS_REFUSAL_DAMAGED, KESHER_MISMATCH, "the file is damaged on its disk",
     "put it again if you have it, or ask its operator"},
    {KS_REFUSAL_QUOTA, KESHER_FULL, "the account may keep no more there",
     "remove something with kesher rm, or ask its operator"},
};

static const struct row *find(uint16_t reason)
{
    static const struct row other = {.status = KESHER_REFUSED,
                                     .what = "it gives a reason that this kesher does not know",
                                     .advice = "a newer kesher may know it"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].reason == reason)
            return &rows[i];
    return &other;
}

/* " (it says: …)", or nothing. */
static void quote(const struct ks_wire_text *sentence, char said[static SAID_SIZE])
{
    char escaped[SAID_LIMIT];
    said[0] = '\0';
    if (sentence->size == 0)
        return;
    ks_text_escape_quoted(sentence->bytes, sentence->size, escaped, sizeof escaped);
    if (snprintf(said, SAID_SIZE, " (it says: \"%s\")", escaped) < 0)
        said[0] = '\0';
}

enum kesher_status ks_refusal_tell(const struct ks_refusal *refusal, const struct ks_refused *refused,
                                   struct kesher_error *error)
{
    char said[SAID_SIZE];
    const struct row *row = find(refusal->reason);
    quote(&refusal->sentence, said);
    if (refused->name != NULL)
        return ks_failure(error, row->status, "%.100s refused to %s as '%.100s': %s%s; %s", refused->server,
                          refused->doing, refused->name, row->what, said, row->advice);
    return ks_failure(error, row->status, "%.100s refused to %s: %s%s; %s", refused->server, refused->doing,
                      row->what, said, row->advice);
}
