/* home_server.h — whose classic server a home's is: its id is a secret of that server alone (protocol.md
 * §1.2).
 *
 * The home's server stands in server.info, else in line 1 of transfer.info. Two addresses are the same server
 * when their hosts and ports are: a missing port is 1357, the case of names, a dot at their end and the way
 * in which an address of IPv6 is written do not count. Names are not looked up: what they stand for may
 * change, and whoever changes it would learn the id. One thread at a time.
 */
#ifndef KS_CLIENT_HOME_HOME_SERVER_H
#define KS_CLIENT_HOME_HOME_SERVER_H

#include "base/address.h"
#include "client/home/home_files.h"

#include <stdbool.h>

/* How a server stands to a home that has an identity. */
struct ks_home_server {
    bool is_own;     /* what the home says, be it the default */
    bool is_unknown; /* not what is written in the home: to be written once the server knows the identity */
};

/* To be asked before any byte goes to `address`. A home that says nothing may speak to any server; another
 * than the home's only when the caller says that the server has `moved`. KESHER_OK with *server, also for an
 * address that is none, to which nobody can connect; KESHER_INVALID when it is another server, a file of
 * the home makes no sense, or the home belongs to a secure server; KESHER_FILE; KESHER_NO_MEMORY. */
enum kesher_status ks_home_server_check(const struct kesher_home *home, const char *address, bool moved,
                                        struct ks_home_server *server, struct kesher_error *error);

/* Writes `address` to server.info, unless the home says the same already. KESHER_OK; KESHER_INVALID for an
 * address that is none; KESHER_FILE. */
enum kesher_status ks_home_server_record(const struct kesher_home *home, const char *address,
                                         struct kesher_error *error);

/* KESHER_UNKNOWN with its sentence: the server `shown` does not know the user `name`, and what to do. */
enum kesher_status ks_home_server_forgot(const struct ks_home_server *server, const char *shown,
                                         const char *name, struct kesher_error *error);

#endif
