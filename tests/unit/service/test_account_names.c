/* Unit tests of service/accounts/account_names.h: which names accounts may have, and which are alike.
 */
#include "unit/unit.h"

#include "base/text.h"
#include "service/accounts/account_names.h"
#include "vectors_secure.h"

#include <pthread.h>
#include <unicode/uchar.h>
#include <unicode/uclean.h>
#include <unicode/utf8.h>

enum { LONGEST_CLASSIC_NAME = 254, PLANES_END = 0x20000, THREADS = 4 };

static struct ks_account_names *names;

static int make_names(void **state)
{
    (void)state;
    return ks_account_names_new(&names) == KS_OK ? 0 : -1;
}

static int free_names(void **state)
{
    (void)state;
    ks_account_names_free(names);
    return 0;
}

/* ---- memory that runs out ---- */

static unsigned allocations_left = UINT32_MAX;

static bool may_allocate(void)
{
    if (allocations_left == 0)
        return false;
    allocations_left -= allocations_left != UINT32_MAX;
    return true;
}

static void *allocate(const void *context, size_t size)
{
    (void)context;
    return may_allocate() ? malloc(size) : NULL;
}

static void *reallocate(const void *context, void *memory, size_t size)
{
    (void)context;
    return may_allocate() ? realloc(memory, size) : NULL;
}

static void release(const void *context, void *memory)
{
    (void)context;
    free(memory);
}

/* The names are the linker's. NOLINTBEGIN(bugprone-reserved-identifier) */
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
/* NOLINTEND(bugprone-reserved-identifier) */

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

/* ---- judgement ---- */

static enum ks_result judge(const char *name, size_t size, const char **why)
{
    char *copy = (char *)unit_exact_copy(name, size);
    enum ks_result result = ks_account_name_judge(names, copy, size, why);
    free(copy);
    return result;
}

static void names_of_all_the_world_are_taken(void **state)
{
    static const char *const good[] = {
        "a",
        "7",
        "alice",
        "Alice B. O'Brien-Smith (2)",
        "Jörg Müller",
        "Łukasz Żak",
        "Nguyễn Thị Ánh",
        "Вера",
        "Том",
        "Ελένη Παπαδάκη",
        "אברהם",
        "محمد",
        "محمد ٤٢",
        "田中太郎",
        "田中 Taro",
        "さくら Sakura 桜",
        "サクラ",
        "김민준",
        "김 Minjun 金",
        "ㄅㄆㄇ Bopomofo 注音",
        "अनिता",
        "தமிழ்",
        "ไพลิน",
        "Հայկ",
        "გიორგი",
        "0123456789012345678901234567890123456789012345678901234567890123",
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(good); i++) {
        const char *why = NULL;
        if (judge(good[i], strlen(good[i]), &why) != KS_OK)
            fail_msg("%s: %s", good[i], why);
    }
}

struct complaint {
    const char *name;
    const char *words; /* of the complaint */
};

static void what_is_wrong_with_a_name_is_told(void **state)
{
    static const struct complaint complaints[] = {
        {"", "1 to 64 bytes"},
        {"01234567890123456789012345678901234567890123456789012345678901234", "1 to 64 bytes"},
        {"абвгдежзийклмнопрстуфхцчшщъыьэюяа", "1 to 64 bytes"},
        {"a\x80", "no UTF-8"},
        {"\xc3", "no UTF-8"},
        {"a\xed\xa0\x80", "no UTF-8"},     /* a surrogate */
        {"\xc1\xa1lice", "no UTF-8"},      /* an overlong a */
        {"a\xf4\x90\x80\x80", "no UTF-8"}, /* U+110000 */
        {" alice", "begins with a letter or a digit"},
        {".alice", "begins with a letter or a digit"},
        {"-", "begins with a letter or a digit"},
        {"\u0301e", "begins with a letter or a digit"}, /* a mark over nothing */
        {"alice ", "no blank at its end"},
        {"alice  b", "nor two in a row"},
        {"alice\u00a0b", "usual one"},
        {"alice\u2003b", "usual one"},
        {"alice\u3000b", "usual one"},
        {"alice\u2028b", "usual one"},
        {"alice\tb", "control"},
        {"alice\n", "control"},
        {"alice\x7f", "control"},
        {"alice\xc2\x85", "control"},
        {"\u202ealice", "nobody sees"}, /* turns what follows */
        {"alice\u202c", "nobody sees"},
        {"a\u2066lice", "nobody sees"},
        {"a\u200flice", "nobody sees"},
        {"אב\u200eג", "nobody sees"},
        {"al\u200dice", "nobody sees"}, /* ZWJ */
        {"al\u200cice", "nobody sees"}, /* ZWNJ */
        {"al\u00adice", "nobody sees"},
        {"alice\ufeff", "nobody sees"},
        {"alice\ufe0f", "nobody sees"},
        {"al\u034fice", "nobody sees"},
        {"\u3164", "nobody sees"},          /* Hangul filler, a letter by its category */
        {"alice\U000e0041", "nobody sees"}, /* a tag */
        {"alice\ue000", "does not know"},   /* private use */
        {"alice\uffff", "does not know"},   /* never a character */
        {"alice\ufdd0", "does not know"},   /* nor this */
        {"alice\u0378", "does not know"},   /* not assigned */
        {"alice\U0003fffe", "does not know"},
        {"alice \U0001f600", "do not have"}, /* emoji */
        {"\U0001f600", "do not have"},
        {"alice\u2665", "do not have"},
        {"\uff30\uff21\uff39", "do not have"}, /* full width */
        {"\U0001d4d0lice", "do not have"},     /* mathematical */
        {"\u2170", "do not have"},             /* the roman numeral i */
        {"\u16a0\u16a1", "do not have"},       /* runes: no script in use */
        {"alice\u2044", "do not have"},
        {"e\u0301va", "NFC"},
        {"\u1112\u1161\u11ab", "do not have"}, /* Hangul in parts */
        {"q\u0300\u0301\u0302\u0303\u0304", "too many marks"},
        {"раypal", "mixes two"}, /* Cyrillic and Latin */
        {"pаypal", "mixes two"},
        {"alicε", "mixes two"},
        {"Αлиса", "mixes two"},
        {"田中Таро", "mixes two"},
        {"김さくら", "mixes two"},
        {"aא", "mixes two"},
        {"अनिதா", "mixes two"},
        {"١٢۳", "mixes two"},          /* Arabic and Persian digits */
        {"i\u0307van", "nobody sees"}, /* a dot on the dot */
        {"ΝΙΝΑ", "looks like Latin letters"},
        {"ΥΒΟΝΝΕ", "looks like Latin letters"},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(complaints); i++) {
        const char *why = NULL;
        if (judge(complaints[i].name, strlen(complaints[i].name), &why) != KS_INVALID)
            fail_msg("%s is taken, or no complaint", complaints[i].name);
        if (strstr(why, complaints[i].words) == NULL)
            fail_msg("%s: %s", complaints[i].name, why);
    }
}

static void a_nul_is_in_no_name(void **state)
{
    const char *why = NULL;
    char skeleton[KS_SKELETON_SIZE];
    (void)state;
    assert_int_equal(judge("a\0b", 3, &why), KS_INVALID);
    assert_non_null(strstr(why, "control"));
    assert_int_equal(judge("a\0", 2, &why), KS_INVALID);
    assert_int_equal(ks_account_name_skeleton(names, "a\0b", 3, skeleton), KS_INVALID);
}

static void a_name_that_is_cut_inside_a_character_is_none(void **state)
{
    static const char name[] = "aé田𠮷"; /* 1, 2, 3 and 4 bytes */
    static const size_t ends[] = {1, 3, 6, 10};
    (void)state;
    for (size_t size = 1, end = 0; size < sizeof name; size++) {
        const char *why = NULL;
        enum ks_result result = judge(name, size, &why);
        if (size < ends[end])
            assert_non_null(strstr(why, "no UTF-8"));
        else
            end++;
        assert_true(size == 10 || (result == KS_OK) == (size == 1 || size == 3 || size == 6));
    }
}

/* ---- skeletons ---- */

static enum ks_result make_skeleton(const char *name, size_t size, char skeleton[static KS_SKELETON_SIZE])
{
    char *copy = (char *)unit_exact_copy(name, size);
    enum ks_result result = ks_account_name_skeleton(names, copy, size, skeleton);
    free(copy);
    return result;
}

static bool are_alike(const char *one, const char *other)
{
    char of_one[KS_SKELETON_SIZE];
    char of_other[KS_SKELETON_SIZE];
    assert_int_equal(make_skeleton(one, strlen(one), of_one), KS_OK);
    assert_int_equal(make_skeleton(other, strlen(other), of_other), KS_OK);
    return strcmp(of_one, of_other) == 0;
}

struct pair {
    const char *one;
    const char *other;
};

static void names_that_look_alike_have_one_skeleton(void **state)
{
    static const struct pair pairs[] = {
        {"paypal", "PayPal"},
        {"paypal", "PAYPAL"},
        {"paypal", "paypa1"},
        {"paypal", "paypaI"}, /* a capital I */
        {"paypal", "PAYPAI"},
        {"paypal", "pаypаl"},                               /* Cyrillic а */
        {"paypal", "раураl"},                               /* all Cyrillic but l */
        {"paypal", "раураӏ"},                               /* and with a palochka */
        {"PAYPAL", "\uff30\uff41\uff59\uff30\uff41\uff4c"}, /* full width */
        {"paypal", "\U0001d4c5\U0001d4b6\U0001d4ce\U0001d4c5\U0001d4b6\U0001d4c1"},
        {"tom", "ТОМ"}, /* Cyrillic capitals */
        {"Tom", "том"},
        {"torn", "ТОМ"},
        {"home", "НОМЕ"},
        {"Bepa", "Вера"},
        {"anna", "АNNА"},
        {"ANNA", "annа"},
        {"kate", "ΚΑΤΕ"}, /* Greek capitals */
        {"Bob", "B0b"},
        {"bob", "b0B"},
        {"Irene", "irene"},
        {"Irene", "lrene"},
        {"İrene", "i̇rene"},
        {"modern", "modem"},
        {"MODEM", "modern"},
        {"Straße", "STRASSE"},
        {"ΣΟΦΟΣ", "σοφος"},
        {"éva", "e\u0301va"},
        {"Éva", "Έva"}, /* Latin É, Greek Έ */
        {"ﬁona", "fiona"},
        {"al\u200bice", "alice"},
        {"al\u00adice", "alice"},
        {"o'brien", "o’brien"},
        {"alice  b", "alice b"}, /* as classic names may be */
        {" alice", "alice"},
        {"alice ", "alice"},
        {"alice\u00a0b", "alice b"},
        {"l", "|"},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(pairs); i++)
        if (!are_alike(pairs[i].one, pairs[i].other))
            fail_msg("%s and %s are not alike", pairs[i].one, pairs[i].other);
}

static void names_of_the_vectors_have_their_skeletons(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_names); i++) {
        char name[KS_SKELETON_SIZE] = "", wanted[KS_SKELETON_SIZE] = "", skeleton[KS_SKELETON_SIZE];
        size_t size = strlen(vector_names[i].name_hex) / 2;
        size_t wanted_size = strlen(vector_names[i].skeleton_hex) / 2;
        assert_true(ks_text_from_hex(vector_names[i].name_hex, 2 * size, (uint8_t *)name, size));
        assert_true(
            ks_text_from_hex(vector_names[i].skeleton_hex, 2 * wanted_size, (uint8_t *)wanted, wanted_size));
        assert_int_equal(ks_account_name_skeleton(names, name, size, skeleton), KS_OK);
        assert_string_equal(skeleton, wanted);
    }
}

static void names_that_look_different_have_not(void **state)
{
    static const struct pair pairs[] = {
        {"alice", "alicia"}, {"Jörg", "Jorg"},   {"bob", "bob2"},   {"a b", "ab"},    {"a-b", "a_b"},
        {"Том", "Тим"},      {"田中", "中田"},   {"van", "nan"},    {"ray", "yay"},   {"run", "yun"},
        {"éva", "èva"},      {"user5", "users"}, {"a.b", "a,b"},    {"Анна", "Инна"}, {"alice", "a1ice0"},
        {"김", "금"},        {"אב", "אג"},       {"محمد", "محمود"}, {"c++", "c--"},   {"x8", "xB"},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(pairs); i++)
        if (are_alike(pairs[i].one, pairs[i].other))
            fail_msg("%s and %s are alike", pairs[i].one, pairs[i].other);
}

static void a_skeleton_is_what_it_is_for_good(void **state)
{
    char skeleton[KS_SKELETON_SIZE];
    (void)state;
    assert_int_equal(make_skeleton("PayPal", 6, skeleton), KS_OK);
    assert_string_equal(skeleton, "paypal");
    assert_int_equal(make_skeleton("Modem 10", 8, skeleton), KS_OK);
    assert_string_equal(skeleton, "rnodern lo");
    assert_int_equal(make_skeleton("Irene", 5, skeleton), KS_OK);
    assert_string_equal(skeleton, "lrene");
    assert_int_equal(ks_account_name_skeleton_once("ТОМ", 6, skeleton), KS_OK);
    assert_string_equal(skeleton, "torn");
}

static void every_classic_name_has_a_skeleton_that_is_its_own(void **state)
{
    (void)state;
    for (int character = '!'; character <= '~'; character++) {
        char name[LONGEST_CLASSIC_NAME];
        char skeleton[KS_SKELETON_SIZE];
        char again[KS_SKELETON_SIZE];
        memset(name, character, sizeof name);
        for (size_t size = 1; size <= sizeof name; size += sizeof name - 1) {
            assert_int_equal(make_skeleton(name, size, skeleton), KS_OK);
            assert_int_equal(make_skeleton(skeleton, strlen(skeleton), again), KS_OK);
            assert_string_equal(skeleton, again);
        }
    }
}

static void what_nobody_sees_has_no_skeleton(void **state)
{
    char skeleton[KS_SKELETON_SIZE];
    (void)state;
    assert_int_equal(ks_account_name_skeleton(names, NULL, 0, skeleton), KS_INVALID);
    assert_int_equal(make_skeleton("   ", 3, skeleton), KS_INVALID);
    assert_int_equal(make_skeleton("\u200b\u00ad", 5, skeleton), KS_INVALID);
    assert_int_equal(make_skeleton("a\xff", 2, skeleton), KS_INVALID);
}

static void a_skeleton_that_is_too_long_is_refused(void **state)
{
    char name[KS_SKELETON_SIZE];
    char skeleton[KS_SKELETON_SIZE];
    (void)state;
    memset(name, 'a', sizeof name);
    assert_int_equal(make_skeleton(name, sizeof name - 1, skeleton), KS_OK);
    assert_int_equal(strlen(skeleton), sizeof name - 1);
    assert_int_equal(make_skeleton(name, sizeof name, skeleton), KS_TOO_LARGE);
    memset(name, 'm', sizeof name);
    assert_int_equal(make_skeleton(name, sizeof name / 2 - 1, skeleton), KS_OK);
    assert_int_equal(make_skeleton(name, sizeof name / 2, skeleton), KS_TOO_LARGE);
}

/* ---- every character ---- */

static size_t write_character(uint32_t character, char text[static U8_MAX_LENGTH])
{
    uint8_t bytes[U8_MAX_LENGTH];
    size_t size = 0;
    U8_APPEND_UNSAFE(bytes, size, character);
    memcpy(text, bytes, size);
    return size;
}

/* Is the skeleton of a name its own, and the same in capitals? Nor is there one that looks Latin and is not.
 */
static void whatever_may_be_in_a_name_is_folded_for_good(void **state)
{
    unsigned taken = 0;
    (void)state;
    for (UChar32 character = ' '; character < PLANES_END; character++) {
        char text[U8_MAX_LENGTH];
        char skeleton[KS_SKELETON_SIZE];
        char again[KS_SKELETON_SIZE];
        const char *why = NULL;
        size_t size = write_character((uint32_t)character, text); /* a surrogate is refused */
        if (ks_account_name_judge(names, text, size, &why) != KS_OK)
            continue;
        taken++;
        assert_int_equal(ks_account_name_skeleton(names, text, size, skeleton), KS_OK);
        assert_int_equal(ks_account_name_skeleton(names, skeleton, strlen(skeleton), again), KS_OK);
        assert_string_equal(skeleton, again);
        UChar32 capital = u_toupper(character);
        if (u_foldCase(capital, U_FOLD_CASE_DEFAULT) != u_foldCase(character, U_FOLD_CASE_DEFAULT))
            continue;
        size = write_character((uint32_t)capital, text);
        assert_int_equal(ks_account_name_skeleton(names, text, size, again), KS_OK);
        assert_string_equal(skeleton, again);
    }
    assert_true(taken > 30000);
}

/* ---- threads, and no memory ---- */

static void *ask_many_times(void *argument)
{
    static const char *const alike[] = {"PayPal", "раураl", "paypa1"};
    const char *why = NULL;
    char skeleton[KS_SKELETON_SIZE];
    for (unsigned i = 0; i < 300; i++) {
        const char *name = alike[i % KS_COUNT_OF(alike)];
        if (ks_account_name_skeleton(names, name, strlen(name), skeleton) != KS_OK ||
            strcmp(skeleton, "paypal") != 0 ||
            (ks_account_name_judge(names, name, strlen(name), &why) == KS_OK) != (i % 3 != 1))
            return argument;
    }
    return NULL;
}

static void many_threads_ask_one_object(void **state)
{
    pthread_t threads[THREADS];
    (void)state;
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, names), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
}

/* One after the other; what is needed until it works. */
static void a_name_without_memory_is_neither_taken_nor_complained_about(void **state)
{
    static const char name[] = "Οι μεγάλες εξετάσεις των νέων";
    char expected[KS_SKELETON_SIZE];
    char skeleton[KS_SKELETON_SIZE];
    const char *why = NULL;
    unsigned refused = 0;
    (void)state;
    assert_int_equal(ks_account_name_skeleton(names, name, sizeof name - 1, expected), KS_OK);
    for (enum ks_result result = KS_NO_MEMORY; result != KS_OK; refused++) {
        allocations_left = refused;
        result = ks_account_name_skeleton(names, name, sizeof name - 1, skeleton);
        allocations_left = UINT32_MAX;
        assert_true(result == KS_OK || result == KS_NO_MEMORY);
    }
    assert_string_equal(skeleton, expected);
    assert_true(refused > 1);
    refused = 0;
    for (enum ks_result result = KS_NO_MEMORY; result != KS_OK; refused++) {
        allocations_left = refused;
        result = ks_account_name_judge(names, name, sizeof name - 1, &why);
        allocations_left = UINT32_MAX;
        assert_true(result == KS_OK || result == KS_NO_MEMORY);
    }
    assert_true(refused > 1);
}

static void an_object_without_memory_is_none(void **state)
{
    unsigned refused = 0;
    (void)state;
    for (enum ks_result result = KS_NO_MEMORY; result != KS_OK; refused++) {
        struct ks_account_names *made = NULL;
        const char *why = NULL;
        allocations_left = refused;
        result = ks_account_names_new(&made);
        allocations_left = UINT32_MAX;
        assert_true(result == KS_OK || result == KS_NO_MEMORY);
        assert_true((made != NULL) == (result == KS_OK));
        if (made != NULL)
            assert_int_equal(ks_account_name_judge(made, "田中 Taro", strlen("田中 Taro"), &why), KS_OK);
        ks_account_names_free(made);
    }
    assert_true(refused > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_all_the_world_are_taken),
        cmocka_unit_test(what_is_wrong_with_a_name_is_told),
        cmocka_unit_test(a_nul_is_in_no_name),
        cmocka_unit_test(a_name_that_is_cut_inside_a_character_is_none),
        cmocka_unit_test(names_that_look_alike_have_one_skeleton),
        cmocka_unit_test(names_of_the_vectors_have_their_skeletons),
        cmocka_unit_test(names_that_look_different_have_not),
        cmocka_unit_test(a_skeleton_is_what_it_is_for_good),
        cmocka_unit_test(every_classic_name_has_a_skeleton_that_is_its_own),
        cmocka_unit_test(what_nobody_sees_has_no_skeleton),
        cmocka_unit_test(a_skeleton_that_is_too_long_is_refused),
        cmocka_unit_test(whatever_may_be_in_a_name_is_folded_for_good),
        cmocka_unit_test(many_threads_ask_one_object),
        cmocka_unit_test(a_name_without_memory_is_neither_taken_nor_complained_about),
        cmocka_unit_test(an_object_without_memory_is_none),
    };
    /* Before anything else of the library is asked; what it makes once, it makes with memory. */
    UErrorCode error = U_ZERO_ERROR;
    u_setMemoryFunctions(NULL, allocate, reallocate, release, &error);
    return U_FAILURE(error) ? 1 : cmocka_run_group_tests(tests, make_names, free_names);
}
