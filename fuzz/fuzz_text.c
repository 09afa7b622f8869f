/* fuzz_text.c — what is done to the text of strangers before it is shown, kept or compared (base/text.h).
 *
 * The properties: an escaped text fits, ends, and has nothing harmful in it, and between quotation marks none
 * of them; a cut splits no character; a name that can be registered is a name; hex comes back.
 */
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LARGEST_INPUT = 600, SMALLEST_CAPACITY = 16 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_harmless(const char *text)
{
    const uint8_t *next = (const uint8_t *)text;
    size_t left = strlen(text);
    while (left > 0) {
        size_t length = ks_text_utf8_length(next, left);
        require(length > 0 && ks_text_is_harmless(next, length));
        next += length;
        left -= length;
    }
}

/* Into memory of exactly the size, so that the sanitizer sees a byte behind it. */
static void escapes(const uint8_t *bytes, size_t size, size_t capacity)
{
    char *escaped = malloc(capacity);
    require(escaped != NULL);
    require(ks_text_escape(bytes, size, escaped, capacity) == escaped);
    require(strnlen(escaped, capacity) < capacity);
    must_be_harmless(escaped);
    require(ks_text_escape_quoted(bytes, size, escaped, capacity) == escaped);
    require(strnlen(escaped, capacity) < capacity && strchr(escaped, '"') == NULL);
    must_be_harmless(escaped);
    free(escaped);
}

static void shell_words(const uint8_t *bytes, size_t size, size_t capacity)
{
    char *text = malloc(size + 1);
    char *word = malloc(capacity);
    require(text != NULL && word != NULL);
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    require(ks_text_shell_word(text, word, capacity) == word);
    require(strnlen(word, capacity) < capacity);
    must_be_harmless(word);
    free(word);
    free(text);
}

/* How many characters there are up to `end`; malformed bytes are one each. False when one lies across it. */
static bool ends_between_characters(const uint8_t *bytes, size_t size, size_t end)
{
    size_t at = 0;
    while (at < end) {
        size_t length = ks_text_utf8_length(bytes + at, size - at);
        at += length > 0 ? length : 1;
    }
    return at == end;
}

static void cuts(const uint8_t *bytes, size_t size, size_t limit)
{
    size_t cut = ks_text_cut(bytes, size, limit);
    require(cut <= limit && cut <= size && (size > limit || cut == size) &&
            cut + 3 >= (size < limit ? size : limit));
    require(ends_between_characters(bytes, size, cut));
}

static void names(const uint8_t *bytes, size_t size)
{
    const char *text = (const char *)bytes;
    char lower[LARGEST_INPUT];
    ks_text_to_lower(text, size, lower);
    require(ks_text_equals_in_any_case(text, lower, size));
    require(!ks_text_is_new_user_name(text, size) || ks_text_is_user_name(text, size));
    require(ks_text_is_user_name(text, size) == ks_text_is_user_name(lower, size));
}

static void hex(const uint8_t *bytes, size_t size)
{
    char text[2 * LARGEST_INPUT + 1];
    uint8_t again[LARGEST_INPUT];
    ks_text_to_hex(bytes, size, text);
    require(strlen(text) == 2 * size && ks_text_from_hex(text, strlen(text), again, size));
    require(size == 0 || memcmp(again, bytes, size) == 0);
    for (size_t count = 0; count <= size / 2; count += 1 + size / 8)
        (void)ks_text_from_hex((const char *)bytes, size, again, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 1 || size > LARGEST_INPUT)
        return 0;
    size_t limit = bytes[0];
    bytes++;
    size--;
    escapes(bytes, size, limit + SMALLEST_CAPACITY);
    shell_words(bytes, size, limit + SMALLEST_CAPACITY);
    cuts(bytes, size, limit);
    names(bytes, size);
    hex(bytes, size);
    for (size_t i = 0; i < size; i++)
        if (ks_text_is_direction_mark(bytes + i, size - i < 3 ? size - i : 3))
            require(!ks_text_is_harmless(bytes + i, ks_text_utf8_length(bytes + i, size - i)));
    return 0;
}
