/* quick_keys.c — see quick_keys.h. What is defined here takes the place of OpenSSL's in the whole program. */
#include "quick_keys.h"

#include <dlfcn.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { REMEMBERED = 4, DER_LIMIT = 1024, SEQUENCE = 0x30, LONG_FORM = 0x80 };

unsigned quick_keys_odds = 64;

static struct {
    EVP_PKEY *key;
    size_t size;
    unsigned char der[DER_LIMIT];
} remembered[REMEMBERED];

typedef EVP_PKEY *key_reader(EVP_PKEY **key, const unsigned char **der, long size);

/* A sequence that ends where the bytes do, or before. */
static bool may_be_der(const unsigned char *der, size_t size)
{
    if (size < 2 || der[0] != SEQUENCE)
        return false;
    if (der[1] < LONG_FORM)
        return der[1] <= size - 2;
    size_t count = der[1] - (size_t)LONG_FORM;
    size_t length = 0;
    if (count == 0 || count > 2 || count > size - 2)
        return false;
    for (size_t i = 0; i < count; i++)
        length = length << 8 | der[2 + i];
    return length <= size - 2 - count;
}

static bool is_chosen(const unsigned char *der, size_t size)
{
    uint32_t hash = 2166136261;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ der[i]) * 16777619;
    return (hash >> 8) % quick_keys_odds == 0;
}

static EVP_PKEY *find(const unsigned char **der, size_t size)
{
    for (size_t i = 0; i < REMEMBERED; i++) {
        if (remembered[i].key == NULL || remembered[i].size != size ||
            memcmp(remembered[i].der, *der, size) != 0)
            continue;
        if (EVP_PKEY_up_ref(remembered[i].key) != 1)
            abort();
        *der += size;
        return remembered[i].key;
    }
    return NULL;
}

static void remember(EVP_PKEY *key, const unsigned char *der, size_t size)
{
    static size_t next;
    if (size > DER_LIMIT)
        return;
    EVP_PKEY_free(remembered[next].key);
    if (EVP_PKEY_up_ref(key) != 1)
        abort();
    remembered[next].key = key;
    remembered[next].size = size;
    memcpy(remembered[next].der, der, size);
    next = (next + 1) % REMEMBERED;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): those of OpenSSL say nothing. */
EVP_PKEY *d2i_AutoPrivateKey(EVP_PKEY **key, const unsigned char **der, long size)
{
    static key_reader *reader;
    const unsigned char *begin = *der;
    EVP_PKEY *known = find(der, (size_t)size);
    if (known != NULL)
        return known;
    if (quick_keys_odds > 0 && (!may_be_der(begin, (size_t)size) || !is_chosen(begin, (size_t)size)))
        return NULL;
    if (reader == NULL) {
        void *symbol = dlsym(RTLD_NEXT, "d2i_AutoPrivateKey");
        memcpy(&reader, &symbol, sizeof reader);
    }
    EVP_PKEY *read = reader(key, der, size);
    if (read != NULL)
        remember(read, begin, (size_t)size);
    return read;
}
