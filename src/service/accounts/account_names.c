/* account_names.c — see account_names.h.
 *
 * UTS 39 says what looks alike *as it stands*, and nothing about case; names that differ in case only are
 * alike, too. Folding case alone before the skeleton loses what only capitals look like: `paypaI` with a
 * capital I would be "paypai", and ТОМ in Cyrillic capitals would not be TOM, for т and м look like no small
 * Latin letters. And what the skeleton makes may have another case: that of a zero is a capital O. So a
 * skeleton here is what no longer changes when all of this is done, in turn:
 *
 *   fold       NFKC_Casefold: case, and forms for compatibility as those of full width
 *   capitals   i counts as l, as I looks like l; a small letter that looks like nothing in ASCII counts as
 * what its capital looks like there (Cyrillic т, м, н, в; Greek η, κ, τ, χ) skeleton   UTS 39
 *
 * Three letters of Greek (β, ν, υ) look like one letter of ASCII when small, and like another when capital;
 * they count as the small one. A name in which that would hide what it looks like is no account's name:
 * looks_other.
 */
#include "service/accounts/account_names.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/uset.h>
#include <unicode/uspoof.h>
#include <unicode/ustring.h>

enum {
    UNITS = KS_SKELETON_SIZE,
    ROUNDS = 8, /* two or three are enough for all that we know */
    MARKS_LIMIT = 4,
    ASCII_LIMIT = 0x80,
    CHECKS = USPOOF_RESTRICTION_LEVEL | USPOOF_MIXED_NUMBERS | USPOOF_INVISIBLE | USPOOF_HIDDEN_OVERLAY,
};

struct ks_account_names {
    USpoofChecker *checker;
    USet *allowed;              /* that names are made of */
    const UNormalizer2 *folder; /* of the library, as those below */
    const UNormalizer2 *composer;
    const UNormalizer2 *decomposer;
};

struct text {
    UChar units[UNITS];
    int32_t size;
};

static enum ks_result result_of(UErrorCode error)
{
    if (U_SUCCESS(error))
        return KS_OK;
    switch (error) {
    case U_INVALID_CHAR_FOUND:
    case U_TRUNCATED_CHAR_FOUND:
    case U_ILLEGAL_CHAR_FOUND:
        return KS_INVALID;
    case U_BUFFER_OVERFLOW_ERROR:
        return KS_TOO_LARGE;
    case U_MEMORY_ALLOCATION_ERROR:
    case U_ILLEGAL_ARGUMENT_ERROR: /* a text of the library's for which there was no memory */
        return KS_NO_MEMORY;
    default:
        return KS_IO;
    }
}

/* ---- texts ---- */

static enum ks_result text_read(const char *name, size_t size, struct text *text)
{
    UErrorCode error = U_ZERO_ERROR;
    if (size >= UNITS)
        return KS_TOO_LARGE;
    if (size == 0 || memchr(name, '\0', size) != NULL)
        return KS_INVALID;
    u_strFromUTF8(text->units, UNITS, &text->size, name, (int32_t)size, &error);
    return result_of(error);
}

static enum ks_result text_write(const struct text *text, char skeleton[static KS_SKELETON_SIZE])
{
    UErrorCode error = U_ZERO_ERROR;
    int32_t size = 0;
    u_strToUTF8(skeleton, KS_SKELETON_SIZE, &size, text->units, text->size, &error);
    if (error == U_STRING_NOT_TERMINATED_WARNING)
        return KS_TOO_LARGE;
    return result_of(error);
}

static bool is_same(const struct text *one, const struct text *other)
{
    return one->size == other->size && u_memcmp(one->units, other->units, one->size) == 0;
}

static bool append(struct text *text, const struct text *more)
{
    if (more->size > UNITS - text->size)
        return false;
    u_memcpy(text->units + text->size, more->units, more->size);
    text->size += more->size;
    return true;
}

static void text_set(struct text *text, UChar32 character)
{
    text->size = 0;
    U16_APPEND_UNSAFE(text->units, text->size, character);
}

/* The character at *place, which moves behind it. Whatever came from UTF-8 has its surrogates in pairs. */
static UChar32 next_character(const struct text *text, int32_t *place)
{
    uint32_t unit = text->units[(*place)++];
    if (!U16_IS_LEAD(unit) || *place == text->size)
        return (UChar32)unit;
    return (UChar32)U16_GET_SUPPLEMENTARY(unit, text->units[(*place)++]);
}

static bool is_ascii(const struct text *text)
{
    for (int32_t i = 0; i < text->size; i++)
        if (text->units[i] >= ASCII_LIMIT)
            return false;
    return true;
}

static enum ks_result normalize(const UNormalizer2 *form, const struct text *from, struct text *to)
{
    UErrorCode error = U_ZERO_ERROR;
    to->size = unorm2_normalize(form, from->units, from->size, to->units, UNITS, &error);
    return result_of(error);
}

/* What it looks like as it stands. */
static enum ks_result look(const struct ks_account_names *names, const struct text *from, struct text *to)
{
    UErrorCode error = U_ZERO_ERROR;
    to->size = uspoof_getSkeleton(names->checker, 0, from->units, from->size, to->units, UNITS, &error);
    return result_of(error);
}

/* ---- skeletons ---- */

/* What a folded character counts as before the skeleton. */
static enum ks_result count_as(const struct ks_account_names *names, UChar32 character, struct text *counted)
{
    struct text own_look;
    struct text capital_text;
    struct text capital_look;
    text_set(counted, character == 'i' ? 'l' : character);
    UChar32 capital = u_toupper(character);
    if (character < ASCII_LIMIT || capital == character)
        return KS_OK;
    text_set(&capital_text, capital);
    enum ks_result result = look(names, counted, &own_look);
    if (result != KS_OK || is_ascii(&own_look))
        return result;
    result = look(names, &capital_text, &capital_look);
    if (result == KS_OK && is_ascii(&capital_look))
        *counted = capital_look;
    return result;
}

/* Blanks that one cannot see, at the ends and doubled, are left out: classic names may have them. */
static enum ks_result count_all(const struct ks_account_names *names, const struct text *from,
                                struct text *to)
{
    to->size = 0;
    for (int32_t i = 0; i < from->size;) {
        struct text counted;
        UChar32 character = next_character(from, &i);
        if (character == ' ' && (to->size == 0 || to->units[to->size - 1] == ' '))
            continue;
        enum ks_result result = count_as(names, character, &counted);
        if (result != KS_OK)
            return result;
        if (!append(to, &counted))
            return KS_TOO_LARGE;
    }
    if (to->size > 0 && to->units[to->size - 1] == ' ')
        to->size--;
    return KS_OK;
}

static enum ks_result step(const struct ks_account_names *names, const struct text *from, struct text *to)
{
    struct text folded;
    struct text decomposed;
    enum ks_result result = normalize(names->folder, from, &folded);
    if (result == KS_OK)
        result = normalize(names->decomposer, &folded, &decomposed);
    if (result == KS_OK)
        result = count_all(names, &decomposed, &folded);
    if (result == KS_OK && folded.size == 0)
        result = KS_INVALID;
    if (result == KS_OK)
        result = look(names, &folded, to);
    return result == KS_OK && to->size == 0 ? KS_NO_MEMORY : result;
}

/* KS_INVALID for what never settles, of which nothing is known. */
static enum ks_result settle(const struct ks_account_names *names, const struct text *text,
                             struct text *skeleton)
{
    struct text last = *text;
    for (unsigned i = 0; i < ROUNDS; i++) {
        enum ks_result result = step(names, &last, skeleton);
        if (result != KS_OK)
            return result;
        if (is_same(&last, skeleton))
            return KS_OK;
        last = *skeleton;
    }
    return KS_INVALID;
}

enum ks_result ks_account_name_skeleton(const struct ks_account_names *names, const char *name, size_t size,
                                        char skeleton[static KS_SKELETON_SIZE])
{
    struct text text;
    struct text settled;
    enum ks_result result = text_read(name, size, &text);
    if (result == KS_OK)
        result = settle(names, &text, &settled);
    return result == KS_OK ? text_write(&settled, skeleton) : result;
}

enum ks_result ks_account_name_skeleton_once(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE])
{
    struct ks_account_names *names = NULL;
    enum ks_result result = ks_account_names_new(&names);
    if (result == KS_OK)
        result = ks_account_name_skeleton(names, name, size, skeleton);
    ks_account_names_free(names);
    return result;
}

/* ---- judgement ---- */

static enum ks_result complain(const char **why, const char *sentence)
{
    *why = sentence;
    return KS_INVALID;
}

/* NULL for a character that names have. */
static const char *wrong_with(const struct ks_account_names *names, UChar32 character)
{
    switch (u_charType(character)) {
    case U_CONTROL_CHAR:
        return "a name has no control characters";
    case U_PRIVATE_USE_CHAR:
    case U_UNASSIGNED: /* and what will never be a character */
        return "the name has a character that Unicode does not know";
    case U_SPACE_SEPARATOR:
    case U_LINE_SEPARATOR:
    case U_PARAGRAPH_SEPARATOR:
        return character == ' ' ? NULL : "the only blank in a name is the usual one (U+0020)";
    default:
        break;
    }
    if (u_charType(character) == U_FORMAT_CHAR ||
        u_hasBinaryProperty(character, UCHAR_DEFAULT_IGNORABLE_CODE_POINT))
        return "the name has a character that nobody sees";
    if (!uset_contains(names->allowed, character))
        return "the name has a character that names do not have: they have letters and digits of scripts "
               "that "
               "are in use, and the signs of ASCII";
    return NULL;
}

static bool is_mark(UChar32 character)
{
    int8_t type = u_charType(character);
    return type == U_NON_SPACING_MARK || type == U_ENCLOSING_MARK;
}

static enum ks_result judge_characters(const struct ks_account_names *names, const struct text *text,
                                       const char **why)
{
    UChar32 last = 0;
    unsigned marks = 0;
    for (int32_t i = 0; i < text->size;) {
        bool is_first = i == 0;
        UChar32 character = next_character(text, &i);
        const char *wrong = wrong_with(names, character);
        if (wrong != NULL)
            return complain(why, wrong);
        if (is_first && !u_isalnum(character))
            return complain(why, "a name begins with a letter or a digit");
        if (character == ' ' && (last == ' ' || i == text->size))
            return complain(why, "a name has no blank at its end, nor two in a row");
        marks = is_mark(character) ? marks + 1 : 0;
        if (marks > MARKS_LIMIT)
            return complain(why, "the name has too many marks over one letter");
        last = character;
    }
    return KS_OK;
}

static enum ks_result judge_form(const struct ks_account_names *names, const struct text *text,
                                 const char **why)
{
    UErrorCode error = U_ZERO_ERROR;
    UBool is_composed = unorm2_isNormalized(names->composer, text->units, text->size, &error);
    if (U_FAILURE(error))
        return result_of(error);
    return is_composed ? KS_OK : complain(why, "the name is not in Unicode's form NFC");
}

static enum ks_result judge_scripts(const struct ks_account_names *names, const struct text *text,
                                    const char **why)
{
    UErrorCode error = U_ZERO_ERROR;
    int32_t found = uspoof_check(names->checker, text->units, text->size, NULL, &error);
    if (U_FAILURE(error))
        return result_of(error);
    if ((found & USPOOF_RESTRICTION_LEVEL) != 0)
        return complain(why, "the letters of a name are of one script: the name mixes two");
    if ((found & USPOOF_MIXED_NUMBERS) != 0)
        return complain(why, "the digits of a name are of one script: the name mixes two");
    return found == 0 ? KS_OK : complain(why, "the name has a mark that nobody sees");
}

/* Letters of ASCII, with marks perhaps. */
static bool looks_latin(const struct text *text)
{
    for (int32_t i = 0; i < text->size;) {
        UChar32 character = next_character(text, &i);
        if (character >= ASCII_LIMIT && !is_mark(character))
            return false;
    }
    return true;
}

/* A name may look like one in Latin letters and have another skeleton, because its capitals look like other
 * letters than its small ones: ΝΙΝΑ in Greek. */
static enum ks_result judge_look(const struct ks_account_names *names, const struct text *text,
                                 const char **why)
{
    struct text looking;
    struct text seen;
    struct text skeleton;
    enum ks_result result = settle(names, text, &skeleton);
    if (result == KS_OK)
        result = look(names, text, &looking);
    if (result == KS_OK)
        result = settle(names, &looking, &seen);
    if (result == KS_INVALID)
        return complain(why, "the name has nothing that makes it different from others");
    if (result == KS_OK && looks_latin(&seen) && !is_same(&seen, &skeleton))
        return complain(why, "the name looks like Latin letters: write it in small letters");
    return result;
}

enum ks_result ks_account_name_judge(const struct ks_account_names *names, const char *name, size_t size,
                                     const char **why)
{
    struct text text;
    *why = "";
    if (size < 1 || size > KS_ACCOUNT_NAME_LIMIT)
        return complain(why,
                        "a name has 1 to 64 bytes: letters of other alphabets than the Latin one take more "
                        "than one");
    if (memchr(name, '\0', size) != NULL)
        return complain(why, "a name has no control characters");
    enum ks_result result = text_read(name, size, &text);
    if (result == KS_INVALID)
        return complain(why, "the name is no UTF-8");
    if (result == KS_OK)
        result = judge_characters(names, &text, why);
    if (result == KS_OK)
        result = judge_form(names, &text, why);
    if (result == KS_OK)
        result = judge_scripts(names, &text, why);
    return result == KS_OK ? judge_look(names, &text, why) : result;
}

/* ---- the object ---- */

/* UTS 39's General Security Profile, without which there is no restriction level, and ASCII's signs and
 * blank. */
static void allow(struct ks_account_names *names, UErrorCode *error)
{
    const USet *recommended = uspoof_getRecommendedSet(error);
    const USet *inclusion = uspoof_getInclusionSet(error);
    if (U_FAILURE(*error))
        return;
    names->allowed = uset_open(' ', '~');
    if (names->allowed == NULL) {
        *error = U_MEMORY_ALLOCATION_ERROR;
        return;
    }
    uset_addAll(names->allowed, recommended);
    uset_addAll(names->allowed, inclusion);
    uset_freeze(names->allowed);
    if (!uset_containsAll(names->allowed, recommended)) /* which is how one hears that there was no memory */
        *error = U_MEMORY_ALLOCATION_ERROR;
}

static enum ks_result prepare(struct ks_account_names *names)
{
    UErrorCode error = U_ZERO_ERROR;
    names->checker = uspoof_open(&error);
    names->folder = unorm2_getNFKCCasefoldInstance(&error);
    names->composer = unorm2_getNFCInstance(&error);
    names->decomposer = unorm2_getNFDInstance(&error);
    allow(names, &error);
    if (U_FAILURE(error))
        return result_of(error);
    uspoof_setRestrictionLevel(names->checker, USPOOF_HIGHLY_RESTRICTIVE);
    uspoof_setChecks(names->checker, CHECKS, &error);
    return result_of(error);
}

enum ks_result ks_account_names_new(struct ks_account_names **names)
{
    struct ks_account_names *made = calloc(1, sizeof *made);
    if (made == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = prepare(made);
    if (result == KS_OK)
        *names = made;
    else
        ks_account_names_free(made);
    return result;
}

void ks_account_names_free(struct ks_account_names *names)
{
    if (names == NULL)
        return;
    uspoof_close(names->checker);
    uset_close(names->allowed);
    free(names);
}
