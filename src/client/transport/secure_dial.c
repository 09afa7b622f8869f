/* secure_dial.c — see secure_dial.h. */
#include "client/transport/secure_dial.h"

#include "base/text.h"
#include "client/failure.h"
#include "client/home/trust_judgement.h"
#include "client/transport/dial.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

enum kesher_status ks_secure_context(const struct ks_trust *trust, struct ks_tls_context **context,
                                     struct kesher_error *error)
{
    enum ks_result result = ks_tls_client_context_new(trust->mode != KS_TRUST_KEY, context);
    return result == KS_OK ? KESHER_OK : ks_failure_from_result(error, result, "cannot begin with TLS");
}

static bool is_loopback(int fd)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return false;
    if (peer.ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)&peer;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (peer.ss_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)&peer)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

/* ---- who answered ---- */

static void tell(const struct kesher_options *options, const char *sentence)
{
    if (options->observer.notice != NULL)
        options->observer.notice(options->observer.context, sentence);
}

static bool says_yes(const struct kesher_options *options, const char *question)
{
    return options->questions.trust != NULL && options->questions.trust(options->questions.context, question);
}

static enum kesher_status obey(const struct ks_secure_call *call, const struct ks_trust_judgement *judgement,
                               const char *shown, struct kesher_error *error)
{
    switch (judgement->verdict) {
    case KS_TRUST_ACCEPT:
        return KESHER_OK;
    case KS_TRUST_ACCEPT_AND_TELL:
        tell(call->options, judgement->sentence);
        return KESHER_OK;
    case KS_TRUST_ASK:
        if (says_yes(call->options, judgement->sentence))
            return KESHER_OK;
        return ks_failure(error, KESHER_REFUSED, "the key of %s was not accepted, and nothing was sent",
                          shown);
    case KS_TRUST_REFUSE:
        break;
    }
    return ks_failure(error, KESHER_REFUSED, "%s", judgement->sentence);
}

static enum kesher_status judge(const struct ks_secure_call *call, struct ks_carrier *carrier,
                                const char *shown, struct ks_trust *trust, struct kesher_error *error)
{
    struct ks_tls_peer peer;
    struct ks_trust_judgement judgement;
    enum ks_result result = ks_tls_peer_of(ks_carrier_tls(carrier), &peer);
    if (result != KS_OK)
        return ks_failure_from_result(error, result, "cannot read the server's certificate");
    const struct ks_trust_question question = {.trust = trust,
                                               .server = call->server,
                                               .linked = call->linked,
                                               .peer = &peer,
                                               .moved = call->options->moved,
                                               .is_loopback = is_loopback(ks_carrier_descriptor(carrier)),
                                               .can_ask = call->options->questions.trust != NULL};
    ks_trust_judge(&question, &judgement);
    enum kesher_status status = obey(call, &judgement, shown, error);
    if (status == KESHER_OK)
        *trust = judgement.trust;
    return status;
}

/* First what is no question of trust: what speaks something else is not asked about. */
static enum kesher_status check_protocol(struct ks_carrier *carrier, const char *shown,
                                         struct kesher_error *error)
{
    if (ks_tls_protocol_of(ks_carrier_tls(carrier)) == KS_TLS_PROTOCOL_KESHER)
        return KESHER_OK;
    return ks_failure(
        error, KESHER_REFUSED,
        "%s speaks TLS and is no kesher server (it did not choose kesher/1), so nothing was sent; "
        "check the address and the port",
        shown);
}

/* ---- the call ---- */

static enum kesher_status make_sure(const struct ks_secure_call *call, struct ks_carrier *carrier,
                                    struct ks_trust *trust, struct kesher_error *error)
{
    char address[KESHER_ADDRESS_SIZE];
    char shown[KESHER_ADDRESS_SIZE];
    ks_address_format(call->server, address, sizeof address);
    ks_text_escape(address, strlen(address), shown, sizeof shown);
    enum kesher_status status =
        ks_carrier_secure(carrier, call->tls, call->server->host, shown, call->options->connect_ms, error);
    if (status == KESHER_OK)
        status = check_protocol(carrier, shown, error);
    return status == KESHER_OK ? judge(call, carrier, shown, trust, error) : status;
}

enum kesher_status ks_secure_dial_over(int fd, const struct ks_secure_call *call, struct ks_trust *trust,
                                       struct ks_carrier **carrier, struct kesher_error *error)
{
    struct ks_carrier *created = NULL;
    enum kesher_status status = ks_carrier_new(fd, &created, error);
    if (status == KESHER_OK)
        status = make_sure(call, created, trust, error);
    if (status == KESHER_OK)
        *carrier = created;
    else
        ks_carrier_free(created);
    return status;
}

enum kesher_status ks_secure_dial(const struct ks_secure_call *call, struct ks_trust *trust,
                                  struct ks_carrier **carrier, struct kesher_error *error)
{
    char address[KESHER_ADDRESS_SIZE];
    int fd = -1;
    ks_address_format(call->server, address, sizeof address);
    enum kesher_status status = ks_dial(address, call->options->connect_ms, &fd, error);
    return status == KESHER_OK ? ks_secure_dial_over(fd, call, trust, carrier, error) : status;
}
