/* option_values.c — the typed values of options.h: texts into members, and back. */
#include "base/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct unit {
    const char *name;
    uint64_t size;
};

/* In ascending order; of two names for one unit the second is shown. */
static const struct unit size_units[] = {
    {"B", 1},
    {"KiB", KS_OPTION_KIB},
    {"K", KS_OPTION_KIB},
    {"MiB", KS_OPTION_MIB},
    {"M", KS_OPTION_MIB},
    {"GiB", KS_OPTION_MIB * 1024},
    {"G", KS_OPTION_MIB * 1024},
    {"TiB", KS_OPTION_MIB *KS_OPTION_MIB},
    {"T", KS_OPTION_MIB *KS_OPTION_MIB},
};

static const struct unit time_units[] = {
    {"ms", 1},
    {"s", KS_OPTION_SECOND},
    {"min", 60 * KS_OPTION_SECOND},
    {"m", 60 * KS_OPTION_SECOND},
    {"h", 3600 * KS_OPTION_SECOND},
    {"d", 86400 * KS_OPTION_SECOND},
};

/* What numbers of an option may have behind them; none: a whole number alone. */
static size_t units_of(const struct ks_option *option, const struct unit **units)
{
    *units = option->kind == KS_OPTION_SIZE ? size_units : time_units;
    if (option->kind == KS_OPTION_SIZE)
        return sizeof size_units / sizeof size_units[0];
    return option->kind == KS_OPTION_DURATION ? sizeof time_units / sizeof time_units[0] : 0;
}

/* ---- reading ---- */

static bool read_unit(const struct ks_option *option, const char *name, uint64_t *unit)
{
    const struct unit *units = NULL;
    size_t count = units_of(option, &units);
    *unit = option->unit > 0 ? option->unit : 1;
    if (*name == '\0')
        return true;
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(units[i].name, name) == 0) {
            *unit = units[i].size;
            return true;
        }
    }
    return false;
}

/* "64", "1.5G", "90 s". At most six decimals, so that no product of them overflows. */
static bool read_number(const struct ks_option *option, const char *text, uint64_t *number)
{
    char *end = NULL;
    uint64_t fraction = 0;
    uint64_t scale = 1;
    uint64_t unit = 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    uint64_t whole = strtoull(text, &end, 10);
    if (errno != 0 || (*end == '.' && option->kind == KS_OPTION_COUNT))
        return false;
    if (*end == '.') {
        for (end++; *end >= '0' && *end <= '9' && scale < 1000000; end++, scale *= 10)
            fraction = fraction * 10 + (uint64_t)(*end - '0');
        if (scale == 1)
            return false;
    }
    end += option->kind == KS_OPTION_COUNT ? 0 : strspn(end, " ");
    if (!read_unit(option, end, &unit) || __builtin_mul_overflow(whole, unit, &whole) ||
        __builtin_add_overflow(whole, fraction * unit / scale, &whole))
        return false;
    *number = whole;
    return whole >= option->least && whole <= option->most;
}

static void store_number(const struct ks_option *option, uint64_t number, void *member)
{
    uint32_t narrow = (uint32_t)number;
    if (option->size == sizeof narrow)
        memcpy(member, &narrow, sizeof narrow);
    else
        memcpy(member, &number, sizeof number);
}

static uint64_t load_number(const struct ks_option *option, const void *member)
{
    uint32_t narrow = 0;
    uint64_t number = 0;
    if (option->size == sizeof narrow) {
        memcpy(&narrow, member, sizeof narrow);
        return narrow;
    }
    memcpy(&number, member, sizeof number);
    return number;
}

static bool find_word(const char *const *words, const char *word, uint64_t *index)
{
    for (size_t i = 0; words[i] != NULL; i++) {
        if (strcasecmp(words[i], word) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

bool ks_option_set(const struct ks_option *option, const char *text, void *member)
{
    static const char *const answers[] = {"no", "yes", "off", "on", "false", "true", "0", "1", NULL};
    uint64_t number = 0;
    bool is_text = option->kind == KS_OPTION_TEXT || option->kind == KS_OPTION_LIST;
    if (option->kind == KS_OPTION_FLAG) {
        bool fits = find_word(answers, text, &number);
        if (fits)
            *(bool *)member = number % 2 == 1;
        return fits;
    }
    if (is_text && (text[0] == '\0' || (option->judge != NULL && option->judge(text) != NULL)))
        return false;
    if (option->kind == KS_OPTION_TEXT) {
        memcpy(member, (const void *)&text, sizeof text);
        return true;
    }
    if (option->kind == KS_OPTION_LIST) {
        size_t size = strlen(text) + 1;
        if (size > option->size)
            return false;
        memcpy(member, text, size);
        return true;
    }
    bool fits = option->kind == KS_OPTION_WORD ? find_word(option->words, text, &number)
                                               : read_number(option, text, &number);
    if (fits)
        store_number(option, number, member);
    return fits;
}

/* ---- writing ---- */

void ks_option_format(const struct ks_option *option, uint64_t number, char text[static KS_OPTION_VALUE_SIZE])
{
    const struct unit *units = NULL;
    size_t i = units_of(option, &units);
    while (i > 1 && (number < units[i - 1].size || number % units[i - 1].size != 0))
        i--;
    /* A number alone is one of the option's own unit, which is worth a word unless it is bytes. */
    bool is_bare = i == 0 || number == 0 || (option->kind == KS_OPTION_SIZE && i == 1 && option->unit <= 1);
    (void)snprintf(text, KS_OPTION_VALUE_SIZE, "%llu%s",
                   (unsigned long long)(i == 0 ? number : number / units[i - 1].size),
                   is_bare ? "" : units[i - 1].name);
}

static void expect_word(const struct ks_option *option, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s", "one of:");
    for (size_t i = 0; option->words[i] != NULL && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s %s", i > 0 ? "," : "", option->words[i]);
}

static const char *unit_name(const struct ks_option *option)
{
    if (option->kind == KS_OPTION_DURATION)
        return option->unit == KS_OPTION_SECOND ? "seconds" : "milliseconds";
    if (option->kind != KS_OPTION_SIZE)
        return "";
    return option->unit == KS_OPTION_MIB ? "MiB" : option->unit == KS_OPTION_KIB ? "KiB" : "bytes";
}

void ks_option_expect(const struct ks_option *option, const char *value, char *text, size_t size)
{
    char least[KS_OPTION_VALUE_SIZE];
    char most[KS_OPTION_VALUE_SIZE];
    const char *what = option->judge != NULL ? option->judge(value) : NULL;
    if (what == NULL)
        what = option->judge != NULL ? option->judge("") : "a value that is not empty";
    ks_option_format(option, option->least, least);
    ks_option_format(option, option->most, most);
    switch (option->kind) {
    case KS_OPTION_FLAG:
        (void)snprintf(text, size, "yes or no");
        break;
    case KS_OPTION_TEXT:
        (void)snprintf(text, size, "%s", what);
        break;
    case KS_OPTION_LIST:
        (void)snprintf(text, size, "%s; at most %zu bytes in all", what, option->size - 1);
        break;
    case KS_OPTION_WORD:
        expect_word(option, text, size);
        break;
    case KS_OPTION_COUNT:
        (void)snprintf(text, size, "a number from %s to %s", least, most);
        break;
    case KS_OPTION_SIZE:
        (void)snprintf(text, size, "a size from %s to %s, as in 512K, 64M or 1G; a number alone counts %s",
                       least, most, unit_name(option));
        break;
    case KS_OPTION_DURATION:
        (void)snprintf(text, size, "a time from %s to %s, as in 90s, 10m or 1h; a number alone counts %s",
                       least, most, unit_name(option));
        break;
    }
}

const char *ks_option_show(const struct ks_option *option, const void *structure,
                           char text[static KS_OPTION_VALUE_SIZE])
{
    const char *member = (const char *)structure + option->offset;
    const char *set = NULL;
    switch (option->kind) {
    case KS_OPTION_FLAG:
        break;
    case KS_OPTION_TEXT:
        memcpy((void *)&set, member, sizeof set);
        break;
    case KS_OPTION_LIST:
        return member[0] != '\0' ? member : NULL;
    case KS_OPTION_WORD:
        return option->words[load_number(option, member)];
    default:
        ks_option_format(option, load_number(option, member), text);
        return text;
    }
    return set;
}

bool ks_option_is_same(const struct ks_option *option, const void *left, const void *right)
{
    char left_text[KS_OPTION_VALUE_SIZE];
    char right_text[KS_OPTION_VALUE_SIZE];
    const char *one = ks_option_show(option, left, left_text);
    const char *other = ks_option_show(option, right, right_text);
    if (option->kind == KS_OPTION_FLAG)
        return memcmp((const char *)left + option->offset, (const char *)right + option->offset,
                      option->size) == 0;
    return one == other || (one != NULL && other != NULL && strcmp(one, other) == 0);
}

/* ---- describing ---- */

void ks_option_describe(FILE *stream, const char *record, const struct ks_option_table *table, unsigned uses,
                        const void *defaults)
{
    static const char *const kinds[] = {"flag", "text", "list", "word", "number", "number", "number"};
    for (size_t i = 0; i < table->count; i++) {
        const struct ks_option *option = &table->options[i];
        char least[KS_OPTION_VALUE_SIZE] = "";
        char most[KS_OPTION_VALUE_SIZE] = "";
        char number[KS_OPTION_VALUE_SIZE];
        if ((option->uses & uses) == 0)
            continue;
        if (option->kind >= KS_OPTION_COUNT) {
            ks_option_format(option, option->least, least);
            ks_option_format(option, option->most, most);
        }
        const char *standard = defaults != NULL ? ks_option_show(option, defaults, number) : NULL;
        (void)fprintf(stream, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t", record, option->name,
                      option->value != NULL ? option->value : "", kinds[option->kind], least, most,
                      unit_name(option), standard != NULL ? standard : "");
        for (size_t word = 0; option->words != NULL && option->words[word] != NULL; word++)
            (void)fprintf(stream, "%s%s", word > 0 ? " " : "", option->words[word]);
        (void)fprintf(stream, "\t%.1s\t%s\n", &option->letter, option->help);
    }
}
