/* trust_judgement.c — see trust_judgement.h. */
#include "client/home/trust_judgement.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Of an address: two must leave room for what to do. */
enum { ADDRESS_SHOWN = 150, WHY_SHOWN = 160 };

static void say(struct ks_trust_judgement *judgement, enum ks_trust_verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(struct ks_trust_judgement *judgement, enum ks_trust_verdict verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    judgement->verdict = verdict;
    if (vsnprintf(judgement->sentence, sizeof judgement->sentence, format, arguments) < 0)
        judgement->sentence[0] = '\0';
    va_end(arguments);
}

/* What the sentences are made of. */
struct shown {
    char address[ADDRESS_SHOWN];
    char kept_address[ADDRESS_SHOWN];
    char peer[KS_TLS_FINGERPRINT_TEXT_SIZE];
    char kept[KS_TLS_FINGERPRINT_TEXT_SIZE];
    char linked[KS_TLS_FINGERPRINT_TEXT_SIZE];
    char why_not[WHY_SHOWN];
};

static void show_address(const struct ks_address *address, char shown[static ADDRESS_SHOWN])
{
    char whole[KESHER_ADDRESS_SIZE];
    ks_address_format(address, whole, sizeof whole);
    ks_text_escape(whole, strlen(whole), shown, ADDRESS_SHOWN);
}

static void show(const struct ks_trust_question *question, struct shown *shown)
{
    const char *why_not = question->peer->why_not;
    memset(shown, 0, sizeof *shown);
    show_address(question->server, shown->address);
    show_address(&question->trust->server, shown->kept_address);
    ks_tls_fingerprint_text(question->peer->fingerprint, shown->peer);
    ks_tls_fingerprint_text(question->trust->key, shown->kept);
    if (question->linked != NULL)
        ks_tls_fingerprint_text(question->linked, shown->linked);
    ks_text_escape(why_not, strnlen(why_not, KS_TLS_WHY_SIZE), shown->why_not, sizeof shown->why_not);
}

static bool is_same_key(const uint8_t *one, const uint8_t *other)
{
    return memcmp(one, other, KS_TLS_FINGERPRINT_SIZE) == 0;
}

static bool peer_is_linked(const struct ks_trust_question *question)
{
    return question->linked == NULL || is_same_key(question->linked, question->peer->fingerprint);
}

static void keep_key(struct ks_trust_judgement *judgement, const struct ks_trust_question *question)
{
    judgement->trust = (struct ks_trust){.mode = KS_TRUST_KEY, .server = *question->server};
    memcpy(judgement->trust.key, question->peer->fingerprint, KS_TLS_FINGERPRINT_SIZE);
}

static void refuse_linked(struct ks_trust_judgement *judgement, const struct shown *shown)
{
    say(judgement, KS_TRUST_REFUSE,
        "%s shows the key %s, and the link says %s: this is another server, or the link is an old one, or "
        "somebody is in between; nothing was sent; ask the server's operator for the link",
        shown->address, shown->peer, shown->linked);
}

/* ---- a key is kept ---- */

static void refuse_changed(struct ks_trust_judgement *judgement, const struct ks_trust_question *question,
                           const struct shown *shown)
{
    say(judgement, KS_TRUST_REFUSE,
        "%s shows the key %s, and this home trusts %s%s: somebody may be in between, and nothing was sent; "
        "if the server's operator confirms the new key, forget the old one: kesher server --forget",
        shown->address, shown->peer, shown->kept,
        question->peer->is_vouched_for ? " and no other, although an authority vouches for this one" : "");
}

static void refuse_linked_against_kept(struct ks_trust_judgement *judgement, const struct shown *shown)
{
    say(judgement, KS_TRUST_REFUSE,
        "the link says %s, and this home trusts the key %s of %s (which shows %s now); nothing was sent; if "
        "the link is the right one, forget the old key: kesher server --forget",
        shown->linked, shown->kept, shown->kept_address, shown->peer);
}

static void judge_by_key(const struct ks_trust_question *question, const struct shown *shown,
                         struct ks_trust_judgement *judgement)
{
    const struct ks_trust *trust = question->trust;
    const uint8_t *linked = question->linked;
    const bool shows_key = is_same_key(question->peer->fingerprint, trust->key);
    const bool shows_next = trust->has_next && is_same_key(question->peer->fingerprint, trust->next);
    const bool link_is_kept =
        linked == NULL || is_same_key(linked, trust->key) || (shows_next && is_same_key(linked, trust->next));
    if (!link_is_kept) {
        refuse_linked_against_kept(judgement, shown);
    } else if (shows_next) {
        keep_key(judgement, question);
        say(judgement, KS_TRUST_ACCEPT_AND_TELL,
            "%s has changed its key from %s to %s, as it had announced; the old one is trusted no more",
            shown->address, shown->kept, shown->peer);
    } else if (!shows_key) {
        refuse_changed(judgement, question, shown);
    }
}

/* ---- an authority is trusted ---- */

static void judge_by_authority(const struct ks_trust_question *question, const struct shown *shown,
                               struct ks_trust_judgement *judgement)
{
    if (!peer_is_linked(question))
        refuse_linked(judgement, shown);
    else if (!question->peer->is_vouched_for)
        say(judgement, KS_TRUST_REFUSE,
            "this home trusts %s by the certificate authorities of this system, and none vouches for the key "
            "%s that it shows now (%s): somebody may be in between, and nothing was sent; if the server's "
            "operator confirms that key, forget the old way: kesher server --forget",
            shown->address, shown->peer, shown->why_not);
}

/* ---- first contact ---- */

static void judge_first_by_link(const struct ks_trust_question *question, const struct shown *shown,
                                struct ks_trust_judgement *judgement)
{
    if (peer_is_linked(question))
        keep_key(judgement, question);
    else
        refuse_linked(judgement, shown);
}

static void judge_stranger(const struct ks_trust_question *question, const struct shown *shown,
                           struct ks_trust_judgement *judgement)
{
    keep_key(judgement, question);
    if (question->is_loopback)
        say(judgement, KS_TRUST_ACCEPT_AND_TELL,
            "%s is on this machine, and its key is trusted from now on: %s", shown->address, shown->peer);
    else if (question->can_ask)
        say(judgement, KS_TRUST_ASK,
            "%s shows the key %s, which this home does not know and no authority vouches for (%s); "
            "compare it with what the server's operator says (kesherd address). Trust it from now on?",
            shown->address, shown->peer, shown->why_not);
    else
        say(judgement, KS_TRUST_REFUSE,
            "%s shows the key %s, which this home does not know and no authority vouches for (%s), and "
            "there is no terminal to ask at; nothing was sent; give the link with the fingerprint that the "
            "server's operator hands out (kesherd address)",
            shown->address, shown->peer, shown->why_not);
}

static void judge_first(const struct ks_trust_question *question, const struct shown *shown,
                        struct ks_trust_judgement *judgement)
{
    if (question->linked != NULL) {
        judge_first_by_link(question, shown, judgement);
    } else if (question->peer->is_vouched_for) {
        judgement->trust = (struct ks_trust){.mode = KS_TRUST_CA, .server = *question->server};
        say(judgement, KS_TRUST_ACCEPT_AND_TELL,
            "%s has a certificate that the authorities of this system vouch for, and is trusted by that from "
            "now on",
            shown->address);
    } else {
        judge_stranger(question, shown, judgement);
    }
}

/* ---- another address ---- */

/* Whether what the home keeps can be asked of the server that was called. */
static bool is_for(const struct ks_trust *trust, const struct ks_address *server, bool moved)
{
    struct ks_address elsewhere = *server;
    if (ks_address_is_same(&trust->server, server))
        return true;
    memcpy(elsewhere.port, trust->server.port, sizeof elsewhere.port);
    return moved && (trust->mode == KS_TRUST_KEY || ks_address_is_same(&trust->server, &elsewhere));
}

static void refuse_foreign(const struct ks_trust_question *question, const struct shown *shown,
                           struct ks_trust_judgement *judgement)
{
    if (question->moved)
        say(judgement, KS_TRUST_REFUSE,
            "this home trusts %s by the certificate authorities of this system, so they cannot tell that it "
            "has moved to %s (which shows the key %s); if it has, forget the old name: kesher server "
            "--forget",
            shown->kept_address, shown->address, shown->peer);
    else if (question->trust->mode == KS_TRUST_CA)
        say(judgement, KS_TRUST_REFUSE,
            "this home belongs to %s, and %s (which shows the key %s) is another server; nothing was sent; "
            "to leave the old one: kesher server --forget",
            shown->kept_address, shown->address, shown->peer);
    else
        say(judgement, KS_TRUST_REFUSE,
            "this home belongs to %s (key %s), and %s (which shows the key %s) is another server; nothing "
            "was "
            "sent; if the server has moved there, add --moved; to leave the old one: kesher server --forget",
            shown->kept_address, shown->kept, shown->address, shown->peer);
}

void ks_trust_judge(const struct ks_trust_question *question, struct ks_trust_judgement *judgement)
{
    const struct ks_trust *trust = question->trust;
    struct shown shown;
    *judgement = (struct ks_trust_judgement){.verdict = KS_TRUST_ACCEPT, .trust = *trust};
    show(question, &shown);
    if (trust->mode == KS_TRUST_NONE) {
        judge_first(question, &shown, judgement);
    } else if (!is_for(trust, question->server, question->moved)) {
        refuse_foreign(question, &shown, judgement);
    } else {
        judgement->trust.server = *question->server;
        if (trust->mode == KS_TRUST_KEY)
            judge_by_key(question, &shown, judgement);
        else
            judge_by_authority(question, &shown, judgement);
    }
    if (judgement->verdict == KS_TRUST_REFUSE)
        judgement->trust = *trust;
}
