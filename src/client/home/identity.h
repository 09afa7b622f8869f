/* identity.h — the inside of an identity, for the rest of libkesher. One thread at a time. */
#ifndef KS_CLIENT_HOME_IDENTITY_H
#define KS_CLIENT_HOME_IDENTITY_H

#include "crypto/rsa.h"
#include "wire/frame.h"

#include <kesher/identity.h>

struct kesher_identity {
    char name[KS_TEXT_FIELD_SIZE]; /* NUL-terminated */
    struct ks_client_id id;        /* zeros until the server has issued it */
    struct ks_private_key *key;
};

/* KESHER_OK when `name` can be registered, else KESHER_INVALID. */
enum kesher_status ks_identity_check_name(const char *name, struct kesher_error *error);

/* Makes it one that is not registered yet: `name`, which can be registered, no id, the same key. */
void ks_identity_rename(struct kesher_identity *identity, const char *name);

/* An identity that is not registered yet: `name`, and the key of the home's priv.key; without such a file a
 * new key, which is on disk (priv.key) when this returns. KESHER_OK with *identity for kesher_identity_free;
 * KESHER_INVALID; KESHER_FILE; KESHER_CRYPTO; KESHER_NO_MEMORY. */
enum kesher_status ks_identity_prepare(const struct kesher_home *home, const char *name,
                                       struct kesher_identity **identity, struct kesher_error *error);

/* Writes priv.key, then me.info. KESHER_OK; KESHER_FILE; KESHER_CRYPTO; KESHER_NO_MEMORY. */
enum kesher_status ks_identity_save(const struct kesher_home *home, const struct kesher_identity *identity,
                                    struct kesher_error *error);

/* Makes sure that the home takes files, before a server issues an id that could not be written down: writes
 * as much as an identity and its old files can need, and removes it. KESHER_OK; KESHER_FILE;
 * KESHER_NO_MEMORY. */
enum kesher_status ks_identity_try_room(const struct kesher_home *home, struct kesher_error *error);

/* Copies me.info, my.info and priv.key, as far as they are there, to free names (me.info.old.1 and so on). */
enum kesher_status ks_identity_keep_old(const struct kesher_home *home, struct kesher_error *error);

/* The identity is no more: its files go to free names (me.info.old.1 and so on), and the home has none.
 * KESHER_OK, also when there was none; KESHER_FILE. */
enum kesher_status ks_identity_retire(const struct kesher_home *home, struct kesher_error *error);

/* The public half, for 1026 and 600. KESHER_OK; KESHER_CRYPTO when it does not fit the protocol. */
enum kesher_status ks_identity_public_key(const struct kesher_identity *identity,
                                          uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                          struct kesher_error *error);

/* Any public key as kesher_identity_fingerprint shows it. KESHER_OK or KESHER_CRYPTO. */
enum kesher_status ks_identity_fingerprint_of(const uint8_t public_key[static KS_PUBLIC_KEY_SIZE],
                                              char fingerprint[static KESHER_FINGERPRINT_SIZE],
                                              struct kesher_error *error);

#endif
