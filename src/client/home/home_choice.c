/* home_choice.c — the table of kesher_home_choose_server (<kesher/home.h>). */
#include "client/failure.h"
#include "client/home/home_standing.h"
#include "crypto/secret.h"
#include "wire/link.h"

#include <string.h>

static const struct ks_address default_secure = {.host = KS_ADDRESS_DEFAULT_HOST,
                                                 .port = KS_TRUST_DEFAULT_PORT};

/* What is asked, and what the home is. */
struct server_choice {
    const struct kesher_home *home;
    const char *given; /* NULL for nothing */
    bool adopt;
    bool moved;
    enum ks_home_standing standing;
    struct ks_trust trust;
};

static enum kesher_status choose_address(const struct ks_address *address, enum kesher_server_kind kind,
                                         struct kesher_server *server)
{
    server->kind = kind;
    ks_address_format(address, server->address, sizeof server->address);
    return KESHER_OK;
}

/* ---- nothing was given ---- */

static enum kesher_status choose_own_secure(const struct server_choice *choice, struct kesher_server *server,
                                            struct kesher_error *error)
{
    if (choice->trust.mode != KS_TRUST_NONE)
        return choose_address(&choice->trust.server, KESHER_SERVER_SECURE, server);
    if (choice->standing == KS_HOME_CLASSIC)
        return ks_failure(error, KESHER_INVALID,
                          "to take this home's identity to a secure server, its link is needed: kesher "
                          "register --adopt --server kesher://HOST:PORT/");
    return ks_failure(error, KESHER_INVALID,
                      "this home has an account, and how its server was trusted is forgotten; give the "
                      "server's link: --server kesher://HOST:PORT/");
}

static enum kesher_status choose_own(const struct server_choice *choice, struct kesher_server *server,
                                     struct kesher_error *error)
{
    if (choice->standing == KS_HOME_NEW)
        return choose_address(&default_secure, KESHER_SERVER_SECURE, server);
    if (choice->standing == KS_HOME_SECURE || (choice->standing == KS_HOME_CLASSIC && choice->adopt))
        return choose_own_secure(choice, server, error);
    server->kind = KESHER_SERVER_CLASSIC;
    return kesher_home_server(choice->home, server->address, error);
}

/* ---- a link ---- */

static enum kesher_status refuse_link(const struct server_choice *choice, const struct ks_address *address,
                                      struct kesher_error *error)
{
    char own[KESHER_ADDRESS_SIZE];
    char shown[KESHER_ADDRESS_SIZE];
    ks_address_format(address, shown, sizeof shown);
    if (choice->standing == KS_HOME_CLASSIC && !choice->adopt)
        return ks_failure(error, KESHER_INVALID,
                          "this home has a classic identity; to take its name, files and messages to the "
                          "secure server: kesher register --adopt --server LINK; else use another home");
    ks_address_format(&choice->trust.server, own, sizeof own);
    return ks_failure(
        error, KESHER_INVALID,
        "this home belongs to the secure server %.150s, and %.150s is another one; if the server "
        "has moved there, add --moved; to leave it: kesher server --forget",
        own, shown);
}

static bool link_is_allowed(const struct server_choice *choice, const struct ks_address *address)
{
    if (choice->standing == KS_HOME_CLASSIC && !choice->adopt)
        return false;
    return choice->trust.mode == KS_TRUST_NONE || choice->moved ||
           ks_address_is_same(&choice->trust.server, address);
}

static enum kesher_status refuse_given(const char *why, struct kesher_error *error)
{
    return ks_failure(error, KESHER_INVALID,
                      "the server that was given is neither a link nor an address (%s); it is like "
                      "kesher://HOST:PORT/, or HOST:PORT for a classic one",
                      why);
}

static enum kesher_status choose_link(const struct server_choice *choice, struct kesher_server *server,
                                      struct kesher_error *error)
{
    struct ks_link link;
    struct ks_address address;
    const char *why = NULL;
    if (ks_link_parse(choice->given, strlen(choice->given), &link, &why) != KS_OK)
        return refuse_given(why, error);
    ks_link_address(&link, &address);
    const bool allowed = link_is_allowed(choice, &address);
    if (allowed) {
        choose_address(&address, KESHER_SERVER_SECURE, server);
        server->has_fingerprint = link.has_fingerprint;
        memcpy(server->fingerprint, link.fingerprint, sizeof server->fingerprint);
        server->has_invitation = link.has_code;
        memcpy(server->invitation, link.code, sizeof server->invitation);
    }
    ks_secret_wipe(&link, sizeof link);
    return allowed ? KESHER_OK : refuse_link(choice, &address, error);
}

/* ---- a classic address ---- */

static enum kesher_status choose_classic(const struct server_choice *choice, struct kesher_server *server,
                                         struct kesher_error *error)
{
    struct ks_address address;
    if (choice->standing == KS_HOME_SECURE)
        return ks_home_standing_refuse_classic(&choice->trust, error);
    if (choice->adopt)
        return ks_failure(error, KESHER_INVALID,
                          "accounts are on a secure port, and HOST:PORT is a classic address; give the "
                          "server's link: kesher register --adopt --server kesher://HOST:PORT/");
    if (ks_address_parse(choice->given, strlen(choice->given), &address) != KS_OK)
        return refuse_given("its host or port makes no sense", error);
    return choose_address(&address, KESHER_SERVER_CLASSIC, server);
}

enum kesher_status kesher_home_choose_server(const struct kesher_home *home, const char *given, bool adopt,
                                             bool moved, struct kesher_server *server,
                                             struct kesher_error *error)
{
    struct server_choice choice = {.home = home, .given = given, .adopt = adopt, .moved = moved};
    memset(server, 0, sizeof *server);
    enum kesher_status status = ks_home_standing_of(home, &choice.standing, &choice.trust, error);
    if (status != KESHER_OK)
        return status;
    if (given == NULL)
        return choose_own(&choice, server, error);
    if (ks_link_is_meant(given, strlen(given)))
        return choose_link(&choice, server, error);
    return choose_classic(&choice, server, error);
}
