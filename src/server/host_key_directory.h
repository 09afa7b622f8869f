/* host_key_directory.h — the directory with the host key, and the files of keys: opened, judged, read,
 * written. Private to host_key*.c.
 */
#ifndef KS_SERVER_HOST_KEY_DIRECTORY_H
#define KS_SERVER_HOST_KEY_DIRECTORY_H

#include "server/host_key.h"

#include <stdbool.h>

#define KS_HOST_KEY_FILE        "key.pem"
#define KS_HOST_KEY_CERTIFICATE "certificate.pem"
#define KS_HOST_KEY_NEXT        "next.pem"
#define KS_HOST_KEY_PREVIOUS    "previous.pem"
enum { KS_HOST_KEY_FILE_LIMIT = 256 * 1024 };

/* Who may own a private key, and who may read it. */
enum ks_host_key_rule {
    KS_HOST_KEY_RULE_PUBLIC, /* it is none: anybody */
    KS_HOST_KEY_RULE_GIVEN,  /* ours, and nobody else reads it; or root's, and perhaps a group's */
    KS_HOST_KEY_RULE_OWN,    /* ours, and nobody else reads it */
};

/* Opens the directory, which it makes if `create`, and waits for whoever else has it open, some seconds at
 * most. KS_OK with *fd for close; KS_NOT_FOUND; KS_REFUSED when others can look into it, or it is somebody
 * else's; KS_NO_SPACE, KS_IO. */
enum ks_result ks_host_key_directory_open(const struct ks_host_key_place *place, bool create, int *fd,
                                          char why[static KS_HOST_KEY_WHY_SIZE]);

/* Removes what a crash left of files that were being written. */
void ks_host_key_directory_tidy(int fd);

/* Whether there is a file of this name; true, too, when that cannot be told. */
bool ks_host_key_directory_has(int fd, const char *name);

/* Reads a file that may be secret. `directory` is what stands before the name for people; "" for a path.
 * KS_OK with `bytes` for ks_buffer_wipe, in any case; KS_NOT_FOUND, KS_REFUSED, KS_TOO_LARGE, KS_NO_MEMORY,
 * KS_IO.
 */
enum ks_result ks_host_key_file_read(int fd, const char *directory, const char *name,
                                     enum ks_host_key_rule rule, struct ks_buffer *bytes,
                                     char why[static KS_HOST_KEY_WHY_SIZE]);

/* Reads a file with key and certificate in the directory. The results of ks_host_key_read. */
enum ks_result ks_host_key_file_read_identity(const struct ks_host_key_place *place, int fd, const char *name,
                                              struct ks_tls_identity **identity,
                                              char why[static KS_HOST_KEY_WHY_SIZE]);

/* Writes one, durably; with `is_secret` the key first. */
enum ks_result ks_host_key_file_write_identity(const struct ks_host_key_place *place, int fd,
                                               const char *name, const struct ks_tls_identity *identity,
                                               bool is_secret, char why[static KS_HOST_KEY_WHY_SIZE]);

/* Brings the copy of the certificate up to date. Nobody needs it: where that fails, the next start tries
 * again. */
void ks_host_key_file_copy_certificate(const struct ks_host_key_place *place, int fd,
                                       const struct ks_tls_identity *identity);

/* A sentence about what the system has refused (errno); KS_IO. */
enum ks_result ks_host_key_fail(char why[static KS_HOST_KEY_WHY_SIZE], const char *what,
                                const char *directory, const char *name);

#endif
