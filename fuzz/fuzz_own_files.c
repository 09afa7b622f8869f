/* fuzz_own_files.c — every payload of files_codec.h, by the same bytes.
 *
 * The property: whatever parses, encodes to the bytes that it came from; names lie inside them; no size,
 * offset or length is over the largest; a name that files may have is what protocol.md says, by another way
 * of looking at it. A broken one ends in a trap.
 */
#include "wire/files_codec.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void is_the_same(const uint8_t *again, size_t again_size, const uint8_t *bytes, size_t size)
{
    require(again_size == size && memcmp(again, bytes, size) == 0);
}

static void lies_inside(const struct ks_wire_text *text, const uint8_t *bytes, size_t size)
{
    const uint8_t *begin = (const uint8_t *)text->bytes;
    require(begin >= bytes && begin <= bytes + size && text->size <= (size_t)(bytes + size - begin));
}

/* With a '/' at both ends no part is "", "." or "..", if none of these is in it. */
static void name(const uint8_t *bytes, size_t size)
{
    static const char *const wrong[] = {"//", "/./", "/../"};
    char between[KS_FILE_NAME_LIMIT + 3] = "/";
    bool valid = size >= 1 && size <= KS_FILE_NAME_LIMIT;
    for (size_t i = 0; i < size && valid; i++)
        valid = bytes[i] >= 0x20 && bytes[i] != 0x7f && bytes[i] != '\\';
    if (valid) {
        memcpy(between + 1, bytes, size);
        memcpy(between + 1 + size, "/", 2);
        for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
            valid = valid && strstr(between, wrong[i]) == NULL;
    }
    require(ks_file_name_is_valid((const char *)bytes, size) == valid);
}

static void requests(const uint8_t *bytes, size_t size)
{
    uint8_t again[ROOM];
    size_t again_size = 0;
    struct ks_get_file get;
    struct ks_put_file put;
    if (ks_get_file_parse(bytes, size, &get) == KS_OK) {
        require(get.offset <= KS_FILE_LARGEST);
        lies_inside(&get.name, bytes, size);
        require(ks_get_file_encode(&get, again, ROOM, &again_size) == KS_OK);
        is_the_same(again, again_size, bytes, size);
        require(ks_get_file_encode(&get, again, size - 1, &again_size) == KS_TOO_LARGE);
    }
    if (ks_put_file_parse(bytes, size, &put) == KS_OK) {
        require(put.size <= KS_FILE_LARGEST);
        lies_inside(&put.name, bytes, size);
        require(ks_put_file_encode(&put, again, ROOM, &again_size) == KS_OK);
        is_the_same(again, again_size, bytes, size);
        require(ks_put_file_encode(&put, again, size - 1, &again_size) == KS_TOO_LARGE);
    }
}

static void page(const uint8_t *bytes, size_t size)
{
    uint8_t again[ROOM];
    size_t again_size = size > 0 ? 1 : 0; /* as much of a 4010 is no file */
    size_t offset = 1;
    struct ks_file_facts facts;
    struct ks_wire_text text;
    enum ks_result result = KS_OK;
    if (size > 0)
        again[0] = bytes[0];
    while ((result = ks_file_entry_next(bytes, size, &offset, &facts, &text)) == KS_OK) {
        require(facts.size <= KS_FILE_LARGEST);
        lies_inside(&text, bytes, size);
        require(ks_file_entry_add(again, offset - 1, &again_size, &facts, &text) == KS_TOO_LARGE);
        require(ks_file_entry_add(again, offset, &again_size, &facts, &text) == KS_OK);
        is_the_same(again, again_size, bytes, offset);
    }
    require((result == KS_NOT_FOUND) == (offset == size));
}

static void answers(const uint8_t *bytes, size_t size)
{
    uint8_t again[KS_GOT_FILE_SIZE];
    struct ks_got_file got;
    struct ks_put_open open;
    if (ks_got_file_parse(bytes, size, &got) == KS_OK) {
        require(got.facts.size <= KS_FILE_LARGEST && got.offset <= got.facts.size &&
                got.length <= got.facts.size - got.offset);
        ks_got_file_encode(&got, again);
        is_the_same(again, KS_GOT_FILE_SIZE, bytes, size);
    }
    if (ks_put_open_parse(bytes, size, &open) == KS_OK) {
        require(open.offset <= KS_FILE_LARGEST);
        ks_put_open_encode(&open, again);
        is_the_same(again, KS_PUT_OPEN_SIZE, bytes, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > ROOM / 2)
        return 0;
    name(bytes, size);
    requests(bytes, size);
    page(bytes, size);
    answers(bytes, size);
    return 0;
}
