/* files_codec.h — payloads of own files, 3010 to 3016 with their answers (protocol.md §10). Pure functions on
 * bytes: no I/O, no allocation; any thread.
 *
 * Parsers: KS_OK, and the payload had exactly this; KS_INVALID, also for a flag that there is not. Names that
 * were parsed point into the payload, are not NUL-terminated, and are not judged: see ks_file_name_is_valid.
 * Encoders write to the first bytes of `bytes`.
 */
#ifndef KS_WIRE_FILES_CODEC_H
#define KS_WIRE_FILES_CODEC_H

#include "wire/accounts_codec.h"

#include <stdbool.h>

enum {
    KS_FILE_NAME_LIMIT = KS_TEXT_FIELD_SIZE - 1, /* bytes */
    KS_PUT_ID_SIZE = 16,
    KS_FILE_SHA256_SIZE = 32,
    KS_FILE_PIECE_LIMIT = 1024 * 1024, /* bytes of a 3014 and a 4017 */

    KS_PUT_REPLACE = 1, /* flags of a 3013 */
    KS_PUT_ANEW = 2,
    KS_PUT_IS_KEPT = 1,  /* flag of a 4013 */
    KS_PUT_REPLACED = 1, /* flags of a 4015 */
    KS_PUT_WAS_KEPT = 2,
    KS_FILE_HAS_CKSUM = 1, /* flags of a file */
    KS_FILE_HAS_SHA256 = 2,

    KS_GET_FILE_FIXED_SIZE = 8 + 4 + 8 + 2,                            /* 3011 without its name */
    KS_PUT_FILE_FIXED_SIZE = KS_PUT_ID_SIZE + 1 + 8 + 2,               /* 3013 without its name */
    KS_FILE_FACTS_SIZE = 8 + 8 + 1 + 4 + KS_FILE_SHA256_SIZE,          /* a file without its name */
    KS_FILE_ENTRY_LIMIT = KS_FILE_FACTS_SIZE + 2 + KS_FILE_NAME_LIMIT, /* a file in a 4010 */
    KS_GOT_FILE_SIZE = 8 + 8 + KS_FILE_FACTS_SIZE,                     /* 4011 */
    KS_PUT_OPEN_SIZE = 1 + 8 + 4,                                      /* 4013 */
};

/* The largest size, offset or position. */
#define KS_FILE_LARGEST ((UINT64_C(1) << 63) - 1)

/* Whether an own file may have this name: parts with '/' between them, none of them empty, "." or "..", no
 * control byte, no '\', 1 to KS_FILE_NAME_LIMIT bytes. */
bool ks_file_name_is_valid(const char *name, size_t size);

/* ---- requests ---- */

/* 3010, 3012, 3016 are a text that is all of the payload: ks_wire_text_parse. */

struct ks_get_file {
    uint64_t offset;
    uint32_t cksum;
    uint64_t length; /* anything: more than there is means all */
    struct ks_wire_text name;
};

struct ks_put_file {
    uint8_t put_id[KS_PUT_ID_SIZE];
    uint8_t flags; /* KS_PUT_REPLACE, KS_PUT_ANEW */
    uint64_t size;
    struct ks_wire_text name;
};

/* An offset, or a size, over KS_FILE_LARGEST is KS_INVALID. */
enum ks_result ks_get_file_parse(const uint8_t *bytes, size_t size, struct ks_get_file *get);
enum ks_result ks_get_file_encode(const struct ks_get_file *get, uint8_t *bytes, size_t capacity,
                                  size_t *size);
enum ks_result ks_put_file_parse(const uint8_t *bytes, size_t size, struct ks_put_file *put);
enum ks_result ks_put_file_encode(const struct ks_put_file *put, uint8_t *bytes, size_t capacity,
                                  size_t *size);

/* ---- answers ---- */

struct ks_file_facts {
    uint64_t size;
    uint64_t time; /* nanoseconds since 1970; 0: unknown */
    bool has_cksum;
    uint32_t cksum; /* 0 unless it is known, as the next one */
    bool has_sha256;
    uint8_t sha256[KS_FILE_SHA256_SIZE];
};

/* The next file of a 4010, behind its first byte: *offset moves behind it. KS_OK; KS_NOT_FOUND at the end;
 * KS_INVALID. */
enum ks_result ks_file_entry_next(const uint8_t *bytes, size_t size, size_t *offset,
                                  struct ks_file_facts *facts, struct ks_wire_text *name);

/* Appends a file at *size. KS_OK; KS_TOO_LARGE, and nothing was appended. */
enum ks_result ks_file_entry_add(uint8_t *bytes, size_t capacity, size_t *size,
                                 const struct ks_file_facts *facts, const struct ks_wire_text *name);

/* 4011. */
struct ks_got_file {
    uint64_t offset;
    uint64_t length;
    struct ks_file_facts facts;
};

enum ks_result ks_got_file_parse(const uint8_t *bytes, size_t size, struct ks_got_file *got);
void ks_got_file_encode(const struct ks_got_file *got, uint8_t bytes[static KS_GOT_FILE_SIZE]);

/* 4013. */
struct ks_put_open {
    uint64_t offset;
    uint32_t cksum;
    uint8_t flags; /* KS_PUT_IS_KEPT */
};

enum ks_result ks_put_open_parse(const uint8_t *bytes, size_t size, struct ks_put_open *open);
void ks_put_open_encode(const struct ks_put_open *open, uint8_t bytes[static KS_PUT_OPEN_SIZE]);

/* 4014 is a position u64; 3015 and 4018 a cksum u32; 4015 flags u8; 4016 the digest: base/bytes.h does. */

#endif
