/* fuzz_names.c — names of accounts, and of anybody.
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const char *name = (const char *)bytes;
    char skeleton[KS_SKELETON_SIZE];
    const char *why = NULL;
    if (size > NAME_LIMIT)
        return 0;
    enum ks_result judged = ks_account_name_judge(the_names(), name, size, &why);
    require(judged == KS_OK || (judged == KS_INVALID && why != NULL && why[0] != '\0'));
    enum ks_result result = ks_account_name_skeleton(the_names(), name, size, skeleton);
    require(result == KS_OK || result == KS_INVALID || result == KS_TOO_LARGE);
    require(judged != KS_OK || result == KS_OK);
    if (result == KS_OK)
        a_skeleton(name, size, skeleton);
    return 0;
}
