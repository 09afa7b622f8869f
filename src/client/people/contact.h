/* contact.h — what a home remembers of another user, and its bytes: a text file of lines "word value".
 *
 *     kesher contact 2
 *     name alice
 *     id 00112233445566778899aabbccddeeff          (left out while unknown)
 *     public-key MIGd…                             (pinned; left out while unknown)
 *     sending 000102030405060708090a0b0c0d0e0f     (of ours; symmetric keys, see key_ring.h)
 *     share again                                  (only when the sending key is to be shared again)
 *     ours 101112131415161718191a1b1c1d1e1f        (any number, the newest first)
 *     received 202122232425262728292a2b2c2d2e2f    (not shown to the user yet; any number, and in one order
 *     told 303132333435363738393a3b3c3d3e3f         with the two words that follow: the newest first)
 *     accepted 404142434445464748494a4b4c4d4e4f
 *     reads ours                                   (only when what was read last was under one of ours)
 *     end
 *
 * Files of older homes begin with "kesher contact 1" and have the words sending, waiting and old. They do not
 * say who made a key: so all of them are received ones, and nothing is sent under them any more.
 *
 * Anything else, and a file that was cut short, is refused as a whole: a pin must not get lost by being
 * misread. No I/O; any thread.
 */
#ifndef KS_CLIENT_PEOPLE_CONTACT_H
#define KS_CLIENT_PEOPLE_CONTACT_H

#include "base/buffer.h"
#include "client/people/key_ring.h"

enum {
    KS_CONTACT_TEXT_LIMIT = 64 * 1024,
    KS_CONTACT_FILE_NAME_SIZE = 64, /* with its NUL */
};

struct ks_contact {
    char name[KS_TEXT_FIELD_SIZE]; /* a user name, NUL-terminated */
    bool has_id;
    bool has_public_key;
    struct ks_client_id id; /* as the server's list gave it */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_key_ring ring;
};

void ks_contact_wipe(struct ks_contact *contact);

/* True for a contact whose pinned key is `public_key`. */
bool ks_contact_has_pinned(const struct ks_contact *contact,
                           const uint8_t public_key[static KS_PUBLIC_KEY_SIZE]);

/* Reads the bytes of a contact file. KS_OK; KS_INVALID; KS_NO_MEMORY. *contact is to be wiped in any case. */
enum ks_result ks_contact_parse(const uint8_t *bytes, size_t size, struct ks_contact *contact);

/* Appends the bytes of a contact file to `text`, which is to be wiped. KS_OK; KS_INVALID for a name that is
 * none; KS_NO_MEMORY; KS_TOO_LARGE. */
enum ks_result ks_contact_format(const struct ks_contact *contact, struct ks_buffer *text);

/* The name of the file for the user `name`: what is safe of it for people, and a digest that makes it unique.
 * KS_OK or KS_CRYPTO. */
enum ks_result ks_contact_file_name(const char *name, char file_name[static KS_CONTACT_FILE_NAME_SIZE]);

/* True for names that ks_contact_file_name makes. */
bool ks_contact_is_file_name(const char *file_name);

#endif
