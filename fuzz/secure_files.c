/* secure_files.c — see secure_files.h. */
#include "secure_files.h"

#include "base/bytes.h"
#include "crypto/checksum.h"
#include "wire/files_codec.h"

#include <string.h>

enum { LETTER = 'x', OTHER_LETTER = 'y', KINDS = 8 };

static const uint64_t sizes[] = {0, 1, 2, 5, 40, 300, UINT64_C(5) << 30, KS_FILE_LARGEST};

static uint64_t size_of(unsigned which)
{
    return sizes[which % (sizeof sizes / sizeof sizes[0])];
}

static uint32_t cksum_of(uint64_t size)
{
    uint8_t letters[300];
    struct ks_cksum sum = ks_cksum_start();
    memset(letters, LETTER, sizeof letters);
    ks_cksum_add(&sum, letters, size < sizeof letters ? (size_t)size : sizeof letters);
    return ks_cksum_value(&sum);
}

static struct ks_wire_text name_of(unsigned which)
{
    static const char *const names[] = {"a", "b", "a/b", "", "..", "\xff", "a b", "b/c\n"};
    const char *name = names[which % (sizeof names / sizeof names[0])];
    return (struct ks_wire_text){.bytes = name, .size = (uint16_t)strlen(name)};
}

/* ---- requests ---- */

static void make_name(uint16_t code, uint8_t how, struct secure_files_request *request)
{
    const struct ks_wire_text name = name_of(how);
    request->code = code;
    (void)ks_wire_text_encode(&name, request->payload, sizeof request->payload, &request->size);
}

static void make_get(unsigned variant, uint8_t how, struct secure_files_request *request)
{
    static const uint64_t lengths[] = {UINT64_MAX, 0, 1, 5};
    const struct ks_get_file get = {.offset = size_of(variant),
                                    .cksum = cksum_of(size_of(variant)) ^ ((how & 0x80U) != 0 ? 1U : 0U),
                                    .length = lengths[variant >> 3 & 3],
                                    .name = name_of(how)};
    request->code = KS_REQUEST_GET_FILE;
    (void)ks_get_file_encode(&get, request->payload, sizeof request->payload, &request->size);
}

static void make_put(unsigned variant, uint8_t how, struct secure_files_request *request)
{
    struct ks_put_file put = {
        .flags = (uint8_t)(how >> 3 & 3), .size = size_of(how >> 5), .name = name_of(how)};
    memset(put.put_id, (int)(variant & 3), sizeof put.put_id);
    request->code = KS_REQUEST_PUT_FILE;
    (void)ks_put_file_encode(&put, request->payload, sizeof request->payload, &request->size);
}

static void make_piece(unsigned variant, uint8_t how, struct secure_files_request *request)
{
    request->code = KS_REQUEST_PUT_PIECE;
    request->size = (how & 0x40U) != 0 ? (size_t)size_of(variant % 6) : variant;
    memset(request->payload, (how & 0x80U) != 0 ? OTHER_LETTER : LETTER, request->size);
}

static void make_end(unsigned variant, uint8_t how, struct secure_files_request *request)
{
    request->code = KS_REQUEST_PUT_END;
    request->size = sizeof(uint32_t);
    ks_store_u32(request->payload, cksum_of(size_of(variant)) ^ ((how & 0x80U) != 0 ? 1U : 0U));
}

void secure_files_make(uint8_t which, uint8_t how, struct secure_files_request *request)
{
    unsigned variant = which / KINDS;
    switch (which % KINDS) {
    case 0:
        make_name(KS_REQUEST_LIST_FILES, how, request);
        break;
    case 1:
        make_get(variant, how, request);
        break;
    case 2:
        make_name(KS_REQUEST_REMOVE_FILE, how, request);
        break;
    case 3:
        make_name(KS_REQUEST_FILE_DIGEST, how, request);
        break;
    case 4:
        make_piece(variant, how, request);
        break;
    case 5:
        make_end(variant, how, request);
        break;
    default:
        make_put(variant, how, request);
        break;
    }
}

/* ---- answers ---- */

static bool is_page(const uint8_t *payload, size_t size)
{
    struct ks_file_facts facts;
    struct ks_wire_text name, last = {.size = 0};
    size_t offset = 1;
    enum ks_result result = KS_OK;
    if (size == 0 || payload[0] > 1)
        return false;
    while ((result = ks_file_entry_next(payload, size, &offset, &facts, &name)) == KS_OK) {
        size_t common = last.size < name.size ? last.size : name.size;
        int order = common == 0 ? 0 : memcmp(last.bytes, name.bytes, common);
        if (!ks_file_name_is_valid(name.bytes, name.size) || order > 0 ||
            (order == 0 && last.size >= name.size))
            return false;
        last = name;
    }
    return result == KS_NOT_FOUND && (payload[0] == 0 || size > 1);
}

static bool begins(struct secure_files_judge *judge, const uint8_t *payload, size_t size)
{
    struct ks_got_file got;
    if (ks_got_file_parse(payload, size, &got) != KS_OK)
        return false;
    judge->comes = true;
    judge->left = got.length;
    return true;
}

/* What may stand between a 4011 and its end. */
static bool goes_on(struct secure_files_judge *judge, uint16_t code, size_t size)
{
    if (code == KS_RESPONSE_FILE_PIECE) {
        bool fits = size > 0 && size <= KS_FILE_PIECE_LIMIT && size <= judge->left;
        judge->left -= fits ? size : 0;
        return fits;
    }
    judge->comes = false;
    return code == KS_RESPONSE_REFUSED ||
           (code == KS_RESPONSE_FILE_END && size == sizeof(uint32_t) && judge->left == 0);
}

static bool is_open(const uint8_t *payload, size_t size)
{
    struct ks_put_open open;
    return ks_put_open_parse(payload, size, &open) == KS_OK;
}

bool secure_files_judge(struct secure_files_judge *judge, uint16_t code, const uint8_t *payload, size_t size)
{
    if (judge->comes)
        return goes_on(judge, code, size);
    switch (code) {
    case KS_RESPONSE_FILES:
        return is_page(payload, size);
    case KS_RESPONSE_FILE:
        return begins(judge, payload, size);
    case KS_RESPONSE_FILE_REMOVED:
        return size == 0;
    case KS_RESPONSE_PUT_OPEN:
        return is_open(payload, size);
    case KS_RESPONSE_PUT_PIECE:
        return size == sizeof(uint64_t) && ks_load_u64(payload) <= KS_FILE_LARGEST;
    case KS_RESPONSE_PUT_END:
        return size == 1 && payload[0] <= (KS_PUT_REPLACED | KS_PUT_WAS_KEPT);
    case KS_RESPONSE_FILE_DIGEST:
        return size == KS_FILE_SHA256_SIZE;
    default:
        return code != KS_RESPONSE_FILE_PIECE && code != KS_RESPONSE_FILE_END;
    }
}

bool secure_files_is_one(uint16_t code)
{
    return code >= KS_RESPONSE_FILES && code <= KS_RESPONSE_FILE_END;
}
