/* fuzz_identity.c — the files of a home as somebody else wrote them: me.info, my.info, priv.key, addresses,
 * lines.
 *
 * The properties: what is read as an identity is written strictly and read back as the same; what is taken
 * for an address formats to text that is taken for the same address; lines lie inside the text.
 */
#include "base/address.h"
#include "base/buffer.h"
#include "base/text.h"
#include "client/home/identity_text.h"
#include "client/lines.h"
#include "quick_keys.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void written_comes_back(const struct ks_identity_text *identity)
{
    struct ks_buffer text = ks_buffer_empty(KS_IDENTITY_TEXT_LIMIT);
    struct ks_identity_text again;
    require(ks_identity_text_format(identity->name, &identity->id, identity->key, &text) == KS_OK);
    unsigned odds = quick_keys_odds;
    quick_keys_odds = 0;
    require(ks_identity_text_parse(text.bytes, text.size, &again) == KS_OK);
    quick_keys_odds = odds;
    require(again.key != NULL && strcmp(again.name, identity->name) == 0);
    require(memcmp(again.id.bytes, identity->id.bytes, sizeof again.id.bytes) == 0);
    ks_private_key_free(again.key);
    ks_buffer_free(&text);
}

static void info(const uint8_t *bytes, size_t size)
{
    struct ks_identity_text identity;
    if (ks_identity_text_parse(bytes, size, &identity) != KS_OK)
        return;
    require(ks_text_is_user_name(identity.name, strlen(identity.name)));
    if (identity.key != NULL)
        written_comes_back(&identity);
    ks_private_key_free(identity.key);
}

static void key(const uint8_t *bytes, size_t size)
{
    struct ks_private_key *parsed = NULL;
    if (ks_identity_text_parse_key(bytes, size, &parsed) == KS_OK)
        ks_private_key_free(parsed);
    else
        require(parsed == NULL);
}

static void address(const uint8_t *bytes, size_t size)
{
    struct ks_address first;
    struct ks_address second;
    char text[300];
    if (ks_address_parse((const char *)bytes, size, &first) != KS_OK)
        return;
    ks_address_format(&first, text, sizeof text);
    require(ks_address_parse(text, strlen(text), &second) == KS_OK);
    require(strcmp(first.host, second.host) == 0 && strcmp(first.port, second.port) == 0);
    require(ks_address_is_same(&first, &second));
}

/* What stands before and behind the first line are two addresses. */
static void two_addresses(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(bytes, '\n', size) : NULL;
    struct ks_address one;
    struct ks_address other;
    if (end == NULL)
        return;
    size_t first = (size_t)(end - bytes);
    if (ks_address_parse((const char *)bytes, first, &one) != KS_OK ||
        ks_address_parse((const char *)end + 1, size - first - 1, &other) != KS_OK)
        return;
    require(ks_address_is_same(&one, &other) == ks_address_is_same(&other, &one));
}

static void listener(const uint8_t *bytes, size_t size)
{
    char text[KS_ADDRESS_HOST_SIZE + 40];
    struct ks_address first;
    struct ks_address second;
    if (size >= sizeof text)
        return;
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    if (ks_address_parse_listener(text, &first) != KS_OK)
        return;
    ks_address_format(&first, text, sizeof text);
    require(ks_address_parse_listener(text, &second) == KS_OK);
    require(strcmp(first.host, second.host) == 0 && strcmp(first.port, second.port) == 0);
}

static void lines(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    struct ks_lines left = {.text = text, .size = size};
    const char *line = NULL;
    size_t line_size = 0;
    while (ks_lines_next(&left, &line, &line_size)) {
        require(line >= text && line_size > 0 && line_size <= size - (size_t)(line - text));
        require(memchr(line, '\n', line_size) == NULL && memchr(line, '\0', line_size) == NULL);
    }
    require(left.size == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    info(bytes, size);
    key(bytes, size);
    address(bytes, size);
    two_addresses(bytes, size);
    listener(bytes, size);
    lines(bytes, size);
    return 0;
}
