/* fuzz_link.c — links, and what base64url has in them.
 *
 * The property: what is a link, is written as a link that says the same, and that one is written as itself;
 * what is none has a complaint. A text that a value is read from is the text of that value.
 */
#include "base/base64url.h"
#include "wire/link.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void says_the_same(const struct ks_link *one, const struct ks_link *other)
{
    require(one->scheme == other->scheme && one->port == other->port && strcmp(one->host, other->host) == 0);
    require(one->has_code == other->has_code && one->has_fingerprint == other->has_fingerprint);
    require(memcmp(one->code, other->code, sizeof one->code) == 0);
    require(memcmp(one->fingerprint, other->fingerprint, sizeof one->fingerprint) == 0);
}

static void a_link(const char *text, size_t size)
{
    struct ks_link link;
    struct ks_link again;
    struct ks_address address;
    char written[KS_LINK_SIZE];
    char rewritten[KS_LINK_SIZE];
    const char *why = NULL;
    bool is_meant = ks_link_is_meant(text, size);
    if (ks_link_parse(text, size, &link, &why) != KS_OK) {
        require(why != NULL && why[0] != '\0');
        return;
    }
    require(is_meant && link.port != 0 && link.host[0] != '\0');
    ks_link_format(&link, written);
    require(ks_link_parse(written, strlen(written), &again, &why) == KS_OK);
    says_the_same(&link, &again);
    ks_link_format(&again, rewritten);
    require(strcmp(written, rewritten) == 0);
    ks_link_address(&link, &address);
    require(strcmp(address.host, link.host) == 0);
}

static void base64url(const char *text, size_t size)
{
    uint8_t value[256];
    char again[512];
    size_t value_size = size * 6 / 8;
    if (value_size > sizeof value || ks_base64url_decode(text, size, value, value_size) != KS_OK)
        return;
    ks_base64url_encode(value, value_size, again);
    require(strlen(again) == size && memcmp(again, text, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    a_link((const char *)bytes, size);
    base64url((const char *)bytes, size);
    return 0;
}
