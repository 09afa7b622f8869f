/* operator_links.h — `kesherd address` and `kesherd invite`: what an operator hands out (public_link.h). Main
 * thread. Private to operator*.c.
 *
 * The data directory is found. Root becomes its owner for good, before anything in it is read. They return
 * the exit status; what HOST of a link may be wrong about is said on stderr.
 */
#ifndef KS_SERVER_OPERATOR_LINKS_H
#define KS_SERVER_OPERATOR_LINKS_H

#include "server/server_options.h"

int ks_operator_print_address(const struct ks_server_options *options);
int ks_operator_print_invitation(const struct ks_server_options *options);

#endif
