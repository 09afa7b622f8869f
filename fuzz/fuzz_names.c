/* fuzz_names.c — names of accounts, and of anybody.
 *
 * The input is a name, and once more the characters of one, two bytes each: most bytes are no UTF-8.
 * After a '*' it is repeated until it is as long as a name may be, and asked without an object.
 *
 * The property: what is refused has a complaint, what is taken has a skeleton. A skeleton is its own, is that
 * of the name in capitals of ASCII and in small letters, and fits.
 */
#include "service/accounts/account_names.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 254 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Made once, and held to the end. */
static const struct ks_account_names *the_names(void)
{
    static struct ks_account_names *names;
    if (names == NULL)
        require(ks_account_names_new(&names) == KS_OK);
    return names;
}

/* The case of every other letter of ASCII is changed. */
static void change_case(const char *name, size_t size, char *changed)
{
    for (size_t i = 0; i < size; i++) {
        bool is_letter = (name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z');
        changed[i] = is_letter && i % 2 == 0 ? (char)(name[i] ^ 0x20) : name[i];
    }
}

static void a_skeleton(const char *name, size_t size, const char *skeleton)
{
    char again[KS_SKELETON_SIZE];
    char changed[NAME_LIMIT];
    size_t length = strnlen(skeleton, KS_SKELETON_SIZE);
    require(length > 0 && length < KS_SKELETON_SIZE);
    require(ks_account_name_skeleton(the_names(), skeleton, length, again) == KS_OK);
    require(strcmp(skeleton, again) == 0);
    change_case(name, size, changed);
    require(ks_account_name_skeleton(the_names(), changed, size, again) == KS_OK);
    require(strcmp(skeleton, again) == 0);
}

static void a_name(const char *name, size_t size)
{
    char skeleton[KS_SKELETON_SIZE];
    const char *why = NULL;
    enum ks_result judged = ks_account_name_judge(the_names(), name, size, &why);
    require(judged == KS_OK || (judged == KS_INVALID && why != NULL && why[0] != '\0'));
    enum ks_result result = ks_account_name_skeleton(the_names(), name, size, skeleton);
    require(result == KS_OK || result == KS_INVALID || result == KS_TOO_LARGE);
    require(judged != KS_OK || result == KS_OK);
    if (result == KS_OK)
        a_skeleton(name, size, skeleton);
}

/* UTF-8 of U+0000 to U+FFFF. */
static size_t write_character(unsigned character, char *text)
{
    if (character < 0x80) {
        text[0] = (char)character;
        return 1;
    }
    if (character < 0x800) {
        text[0] = (char)(0xc0 | character >> 6);
        text[1] = (char)(0x80 | (character & 0x3f));
        return 2;
    }
    text[0] = (char)(0xe0 | character >> 12);
    text[1] = (char)(0x80 | (character >> 6 & 0x3f));
    text[2] = (char)(0x80 | (character & 0x3f));
    return 3;
}

static void a_name_of_characters(const uint8_t *bytes, size_t size)
{
    char name[NAME_LIMIT];
    size_t name_size = 0;
    for (size_t i = 0; i + 1 < size && name_size + 3 <= sizeof name; i += 2)
        name_size += write_character((unsigned)(bytes[i] << 8 | bytes[i + 1]), name + name_size);
    a_name(name, name_size);
}

/* As long as a text of a skeleton may be, and a byte more. */
static void a_long_name(const char *part, size_t part_size)
{
    char name[KS_SKELETON_SIZE];
    char skeleton[KS_SKELETON_SIZE];
    char again[KS_SKELETON_SIZE];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = part[i % part_size];
    size_t size = sizeof name - sizeof name % part_size;
    size -= size == sizeof name ? part_size : 0;
    require(ks_account_name_skeleton(the_names(), name, sizeof name, skeleton) == KS_TOO_LARGE);
    enum ks_result result = ks_account_name_skeleton(the_names(), name, size, skeleton);
    require(ks_account_name_skeleton_once(name, size, again) == result);
    require(result != KS_OK || strcmp(skeleton, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > NAME_LIMIT)
        return 0;
    if (size > 1 && bytes[0] == '*') {
        a_long_name((const char *)bytes + 1, size - 1);
        return 0;
    }
    a_name((const char *)bytes, size);
    a_name_of_characters(bytes, size);
    return 0;
}
