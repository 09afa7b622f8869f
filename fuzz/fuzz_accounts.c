/* fuzz_accounts.c — every payload of accounts_codec.h, by the same bytes.
 *
 * The property: whatever parses, encodes to the bytes that it came from; texts and values lie inside them;
 * what is signed of it ends in them and fits its limit. A broken one ends in a trap.
 */
#include "wire/accounts_codec.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const uint8_t channel[KS_CHANNEL_SIZE] = {1};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void is_the_same(enum ks_result result, const uint8_t *again, size_t again_size, const uint8_t *bytes,
                        size_t size)
{
    require(result == KS_OK && again_size == size && memcmp(again, bytes, size) == 0);
}

static void lies_inside(const struct ks_wire_text *text, const uint8_t *bytes, size_t size)
{
    const uint8_t *begin = (const uint8_t *)text->bytes;
    require(begin >= bytes && begin <= bytes + size && text->size <= (size_t)(bytes + size - begin));
}

/* What a request says after its signature stands at the end of what is signed, too. */
static void is_signed(enum ks_result result, const uint8_t *signed_bytes, size_t signed_size,
                      const uint8_t *bytes, size_t size)
{
    size_t rest = size - KS_SIGN_IN_SIZE;
    require(result == KS_OK || (result == KS_TOO_LARGE && size > KS_SECURE_PAYLOAD_LIMIT - KS_CHANNEL_SIZE));
    if (result == KS_OK)
        require(signed_size > rest + KS_CHANNEL_SIZE + KS_ACCOUNT_KEY_SIZE &&
                memcmp(signed_bytes + signed_size - rest, bytes + KS_SIGN_IN_SIZE, rest) == 0);
}

static void requests(const uint8_t *bytes, size_t size)
{
    uint8_t again[ROOM];
    size_t again_size = 0;
    struct ks_sign_in sign_in;
    struct ks_register_account registration;
    struct ks_adopt adopt;
    enum ks_result result = ks_sign_in_parse(bytes, size, &sign_in);
    require((result == KS_OK) == (size == KS_SIGN_IN_SIZE));
    if (result == KS_OK) {
        result = ks_sign_in_encode(&sign_in, again, ROOM, &again_size);
        is_the_same(result, again, again_size, bytes, size);
        require(ks_sign_in_signed(sign_in.key, channel, again, KS_SIGNED_LIMIT, &again_size) == KS_OK);
        require(ks_remove_account_signed(sign_in.key, channel, again, KS_SIGNED_LIMIT, &again_size) == KS_OK);
    }
    if (ks_register_account_parse(bytes, size, &registration) == KS_OK) {
        lies_inside(&registration.name, bytes, size);
        lies_inside(&registration.invitation, bytes, size);
        result = ks_register_account_encode(&registration, again, ROOM, &again_size);
        is_the_same(result, again, again_size, bytes, size);
        result = ks_register_account_signed(&registration, channel, again, KS_SIGNED_LIMIT, &again_size);
        is_signed(result, again, again_size, bytes, size);
    }
    if (ks_adopt_parse(bytes, size, &adopt) == KS_OK) {
        lies_inside(&adopt.name, bytes, size);
        result = ks_adopt_encode(&adopt, again, ROOM, &again_size);
        is_the_same(result, again, again_size, bytes, size);
        result = ks_adoption_proven(&adopt, channel, again, KS_SIGNED_LIMIT, &again_size);
        is_signed(result, again, again_size, bytes, size);
    }
}

static void list(const uint8_t *bytes, size_t size)
{
    uint8_t again[ROOM];
    size_t again_size = 0;
    size_t offset = 0;
    struct ks_list_entry entry;
    enum ks_result result = KS_OK;
    while ((result = ks_list_next(bytes, size, &offset, &entry)) == KS_OK) {
        require(entry.value + entry.size == bytes + offset);
        uint64_t number = 0;
        if (ks_list_number(&entry, &number) == KS_OK && entry.size != 1)
            require(ks_list_add_number(again, ROOM, &again_size, entry.key, number) == KS_OK);
        else
            require(ks_list_add(again, ROOM, &again_size, entry.key, entry.value, entry.size) == KS_OK);
        require(again_size == offset && memcmp(again, bytes, offset) == 0);
    }
    require((result == KS_NOT_FOUND) == (offset == size));
    size_t whole = again_size;
    require(ks_list_add(again, again_size, &again_size, 1, bytes, size) == KS_TOO_LARGE);
    require(again_size == whole);
}

static void answers(const uint8_t *bytes, size_t size)
{
    uint8_t again[ROOM];
    size_t again_size = 0;
    struct ks_refusal refusal;
    struct ks_wire_text text;
    if (ks_refusal_parse(bytes, size, &refusal) == KS_OK) {
        lies_inside(&refusal.sentence, bytes, size);
        enum ks_result result = ks_refusal_encode(&refusal, again, ROOM, &again_size);
        is_the_same(result, again, again_size, bytes, size);
        require(ks_refusal_encode(&refusal, again, size - 1, &again_size) == KS_TOO_LARGE);
    }
    if (ks_wire_text_parse(bytes, size, &text) == KS_OK) {
        lies_inside(&text, bytes, size);
        enum ks_result result = ks_wire_text_encode(&text, again, ROOM, &again_size);
        is_the_same(result, again, again_size, bytes, size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > ROOM / 2)
        return 0;
    requests(bytes, size);
    list(bytes, size);
    answers(bytes, size);
    return 0;
}
