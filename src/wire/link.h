/* link.h — links to a server, and invitations to one (protocol.md §7).
 *
 *   kesher://HOST[:PORT]/[#FP]            a server
 *   kesher://HOST[:PORT]/join#CODE[.FP]   a server, and an invitation to it
 *
 * and the same with https. HOST is a name, an IPv4 address, or an IPv6 address in brackets; FP the
 * fingerprint of the server, which is left out where a certificate authority vouches for HOST. A link with an
 * invitation is a secret: whoever holds a parsed one, or its text, wipes it. Complaints never hold a part of
 * the link.
 *
 * Pure functions on text: no I/O, no allocation; nobody is asked what a name stands for. Any thread.
 */
#ifndef KS_WIRE_LINK_H
#define KS_WIRE_LINK_H

#include "base/address.h"
#include "wire/accounts_codec.h"

#include <stdbool.h>

enum {
    KS_LINK_HOST_SIZE = 254, /* a name of 253 characters, and a NUL */
    KS_LINK_SIZE = 360,      /* enough for the longest link, and a NUL */
    KS_LINK_KESHER_PORT = 1358,
    KS_LINK_HTTPS_PORT = 443,
};

enum ks_link_scheme {
    KS_LINK_KESHER,
    KS_LINK_HTTPS,
};

struct ks_link {
    enum ks_link_scheme scheme;
    char host[KS_LINK_HOST_SIZE]; /* in lower case; an IPv6 address in its shortest form, without brackets */
    uint16_t port;
    bool has_code;
    uint8_t code[KS_INVITATION_SIZE];
    bool has_fingerprint;
    uint8_t fingerprint[KS_SERVER_FINGERPRINT_SIZE];
};

/* Whether a text means a link: it has "://" in it. Anything else is the address of a classic server
 * (base/address.h). It may still be no sound one. */
bool ks_link_is_meant(const char *text, size_t size);

/* Reads a link; blanks around it are ignored, a missing port is that of its scheme, and "/" may be missing
 * where nothing else stands behind HOST[:PORT]. KS_OK; KS_INVALID, and *why is a sentence for people, of
 * static storage. */
enum ks_result ks_link_parse(const char *text, size_t size, struct ks_link *link, const char **why);

/* Reads HOST alone, with or without brackets around an IPv6 address, into the form that a link has it in. The
 * same results. */
enum ks_result ks_link_host_parse(const char *text, size_t size, char host[static KS_LINK_HOST_SIZE],
                                  const char **why);

/* Writes a link with a NUL; the scheme's own port is left out. The host is in the form of ks_link_host_parse.
 */
void ks_link_format(const struct ks_link *link, char text[static KS_LINK_SIZE]);

/* Where to connect to. */
void ks_link_address(const struct ks_link *link, struct ks_address *address);

#endif
