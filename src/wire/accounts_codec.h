/* accounts_codec.h — payloads of the secure port: accounts, and how they sign in (protocol.md §8).
 *
 * A *text* is a u16 length and UTF-8, a *list* is entries of key u16, length u16, value. What is signed is
 * made here, too, so that both sides make the same bytes. Pure functions on bytes: no I/O, no allocation; any
 * thread. Texts that were parsed point into the payload, are not NUL-terminated, and are not judged.
 */
#ifndef KS_WIRE_ACCOUNTS_CODEC_H
#define KS_WIRE_ACCOUNTS_CODEC_H

#include "base/bytes.h"
#include "wire/frame.h"

#include <stdbool.h>

enum {
    KS_ACCOUNT_KEY_SIZE = 32, /* Ed25519, public */
    KS_SIGNATURE_SIZE = 64,
    KS_CHANNEL_SIZE = 64, /* fingerprint of the certificate, then exporter */
    KS_SERVER_FINGERPRINT_SIZE = 32,
    KS_EXPORTER_SIZE = 32,
    KS_ADOPTION_SECRET_SIZE = 32,
    KS_ADOPTION_PROOF_SIZE = 32,
    KS_NONCE_SIZE = 32,
    KS_INVITATION_SIZE = 16,
    KS_INVITATION_TEXT_SIZE = 23,   /* base64url of it, with a NUL */
    KS_ACCOUNT_NAME_LIMIT = 64,     /* bytes, of one that registers here; adopted ones may be longer */
    KS_SIGNATURE_KIND_CHANNEL = 1,  /* bound to the TLS channel */
    KS_SIGNATURE_KIND_BROWSER = 2,  /* over WebSocket */
    KS_SIGNED_LIMIT = 1024,         /* of what is signed */
    KS_SECURE_PAYLOAD_LIMIT = 1024, /* of a request before sign-in */
    KS_SIGN_IN_SIZE = KS_ACCOUNT_KEY_SIZE + 1 + KS_SIGNATURE_SIZE,
    KS_REFUSAL_LIMIT = 256, /* of the payload of a 4999 that we send */
};

/* The reasons of a 4999. */
enum ks_refusal_reason {
    KS_REFUSAL_MALFORMED = 1,
    KS_REFUSAL_SIGN_IN_FIRST = 2,
    KS_REFUSAL_UNKNOWN_ACCOUNT = 3,
    KS_REFUSAL_SIGNATURE = 4,
    KS_REFUSAL_SIGNED_IN = 5,
    KS_REFUSAL_SIGNATURES = 6, /* too many */
    KS_REFUSAL_NAME = 7,
    KS_REFUSAL_NAME_TAKEN = 8,
    KS_REFUSAL_KEY_TAKEN = 9,
    KS_REFUSAL_CLOSED = 10,
    KS_REFUSAL_INVITATION_NEEDED = 11,
    KS_REFUSAL_INVITATION = 12,
    KS_REFUSAL_TOO_MANY = 13,
    KS_REFUSAL_FULL = 14,
    KS_REFUSAL_NO_IDENTITY = 15,
    KS_REFUSAL_PROOF = 16,
    KS_REFUSAL_TROUBLE = 17,
    KS_REFUSAL_CARRIER = 18,
    KS_REFUSAL_UNKNOWN_REQUEST = 19,
    KS_REFUSAL_NO_SPACE = 20,
    KS_REFUSAL_NO_FILE = 21,
    KS_REFUSAL_FILE_EXISTS = 22,
    KS_REFUSAL_PUT_IN_USE = 23,
    KS_REFUSAL_CKSUM = 24,
    KS_REFUSAL_FILE_NAME = 25,
    KS_REFUSAL_NO_PUT = 26,
    KS_REFUSAL_DAMAGED = 27,
    KS_REFUSAL_QUOTA = 28,
};

/* Keys of the lists in 4001, 3007 and 4007. */
enum ks_account_entry_key {
    KS_ACCOUNT_ENTRY_PUBLIC_ID = 1,
    KS_ACCOUNT_ENTRY_NAME = 2,
    KS_ACCOUNT_ENTRY_NEXT_KEY = 3,
    KS_ACCOUNT_ENTRY_MESSAGE_LIMIT = 4,
    KS_ACCOUNT_ENTRY_FILES_LIMIT = 5,
    KS_ACCOUNT_ENTRY_BYTES_LIMIT = 6,
    KS_ACCOUNT_ENTRY_FILES = 7,
    KS_ACCOUNT_ENTRY_BYTES = 8,
    KS_ACCOUNT_ENTRY_WAITING = 9,
    KS_ACCOUNT_ENTRY_WAITING_BYTES = 10,
    KS_ACCOUNT_ENTRY_REGISTERED = 11,
    KS_ACCOUNT_ENTRY_CLASSIC = 12,
    KS_ACCOUNT_ENTRY_CLASSIC_KEY = 13,
    KS_ACCOUNT_ENTRY_CLASSIC_ID = 14,
    KS_ACCOUNT_ENTRY_PUTS = 15,
    KS_ACCOUNT_ENTRY_PUT_BYTES = 16,
};

struct ks_wire_text {
    const char *bytes;
    uint16_t size;
};

/* 3001, and the first part of 3002 and 3003. */
struct ks_sign_in {
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    uint8_t kind;
    uint8_t signature[KS_SIGNATURE_SIZE];
};

struct ks_register_account {
    struct ks_sign_in sign_in;
    struct ks_wire_text name;
    struct ks_wire_text invitation;
};

struct ks_adopt {
    struct ks_sign_in sign_in;
    struct ks_client_id classic_id;
    struct ks_wire_text name;
};

/* Parsers: KS_OK, and the payload had exactly this; KS_INVALID. */
enum ks_result ks_sign_in_parse(const uint8_t *bytes, size_t size, struct ks_sign_in *sign_in);
enum ks_result ks_register_account_parse(const uint8_t *bytes, size_t size,
                                         struct ks_register_account *registration);
enum ks_result ks_adopt_parse(const uint8_t *bytes, size_t size, struct ks_adopt *adopt);

/* Encoders: write to the first bytes of `bytes`, which has `capacity`. KS_OK with *size; KS_TOO_LARGE. */
enum ks_result ks_sign_in_encode(const struct ks_sign_in *sign_in, uint8_t *bytes, size_t capacity,
                                 size_t *size);
enum ks_result ks_register_account_encode(const struct ks_register_account *registration, uint8_t *bytes,
                                          size_t capacity, size_t *size);
enum ks_result ks_adopt_encode(const struct ks_adopt *adopt, uint8_t *bytes, size_t capacity, size_t *size);

/* ---- what is signed ---- */

/* The bytes that the signature of a 3001, 3002, 3003 or 3008 is over: made from what the payload says, the
 * channel, and the account key. KS_OK with *size; KS_TOO_LARGE over `capacity`, which KS_SIGNED_LIMIT is
 * enough for where the payload is at most KS_SECURE_PAYLOAD_LIMIT less KS_CHANNEL_SIZE. */
enum ks_result ks_sign_in_signed(const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                 const uint8_t channel[static KS_CHANNEL_SIZE], uint8_t *bytes,
                                 size_t capacity, size_t *size);
enum ks_result ks_register_account_signed(const struct ks_register_account *registration,
                                          const uint8_t channel[static KS_CHANNEL_SIZE], uint8_t *bytes,
                                          size_t capacity, size_t *size);
enum ks_result ks_adopt_signed(const struct ks_adopt *adopt, const uint8_t channel[static KS_CHANNEL_SIZE],
                               uint8_t *bytes, size_t capacity, size_t *size);
enum ks_result ks_remove_account_signed(const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                        const uint8_t channel[static KS_CHANNEL_SIZE], uint8_t *bytes,
                                        size_t capacity, size_t *size);

/* What the HMAC of a 3004 is over. The same results. */
enum ks_result ks_adoption_proven(const struct ks_adopt *adopt, const uint8_t channel[static KS_CHANNEL_SIZE],
                                  uint8_t *bytes, size_t capacity, size_t *size);

/* ---- lists ---- */

struct ks_list_entry {
    uint16_t key;
    uint16_t size;
    const uint8_t *value;
};

/* The next entry: *offset moves behind it. KS_OK; KS_NOT_FOUND at the end; KS_INVALID for what is no list. */
enum ks_result ks_list_next(const uint8_t *bytes, size_t size, size_t *offset, struct ks_list_entry *entry);

/* Appends an entry at *size. KS_OK; KS_TOO_LARGE, and nothing was appended. */
enum ks_result ks_list_add(uint8_t *bytes, size_t capacity, size_t *size, uint16_t key, const void *value,
                           size_t value_size);
enum ks_result ks_list_add_number(uint8_t *bytes, size_t capacity, size_t *size, uint16_t key,
                                  uint64_t number);

/* A number of 8 bytes, or of one. KS_OK; KS_INVALID for another size. */
enum ks_result ks_list_number(const struct ks_list_entry *entry, uint64_t *number);

/* ---- 4999 and 4030 ---- */

struct ks_refusal {
    uint16_t reason; /* enum ks_refusal_reason, or anything a server sends */
    struct ks_wire_text sentence;
};

enum ks_result ks_refusal_parse(const uint8_t *bytes, size_t size, struct ks_refusal *refusal);
enum ks_result ks_refusal_encode(const struct ks_refusal *refusal, uint8_t *bytes, size_t capacity,
                                 size_t *size);

/* A text inside a payload, for other codecs. One that does not fit has no bytes, and the cursor has failed.
 */
struct ks_wire_text ks_wire_text_take(struct ks_reader *reader);
void ks_wire_text_put(struct ks_writer *writer, const struct ks_wire_text *text);

/* A text that is all of a payload. */
enum ks_result ks_wire_text_parse(const uint8_t *bytes, size_t size, struct ks_wire_text *text);
enum ks_result ks_wire_text_encode(const struct ks_wire_text *text, uint8_t *bytes, size_t capacity,
                                   size_t *size);

#endif
