/* exposition.c — see exposition.h. */
#include "wire/exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { NUMBER_SIZE = 48 };

static void put(struct ks_exposition *exposition, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put(struct ks_exposition *exposition, const char *format, ...)
{
    size_t room = exposition->capacity - exposition->size;
    va_list arguments;
    if (exposition->failed)
        return;
    va_start(arguments, format);
    int size = vsnprintf(exposition->text + exposition->size, room, format, arguments);
    va_end(arguments);
    if (size < 0 || (size_t)size >= room)
        exposition->failed = true;
    else
        exposition->size += (size_t)size;
}

/* "1.5" for 1500 with 3 digits. */
static const char *number_text(uint64_t value, unsigned digits, char text[static NUMBER_SIZE])
{
    char reversed[NUMBER_SIZE];
    unsigned size = 0;
    unsigned used = 0;
    /* Zeros at the end of the fraction are left out. */
    for (; digits > 0 && value % 10 == 0; digits--)
        value /= 10;
    for (unsigned place = 0; place <= digits || value > 0; place++, value /= 10) {
        if (place == digits && digits > 0)
            reversed[size++] = '.';
        reversed[size++] = (char)('0' + value % 10);
    }
    while (size > 0)
        text[used++] = reversed[--size];
    text[used] = '\0';
    return text;
}

void ks_exposition_family(struct ks_exposition *exposition, const char *name, const char *type,
                          const char *help)
{
    put(exposition, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

void ks_exposition_sample(struct ks_exposition *exposition, const char *name,
                          const struct ks_label labels[KS_LABELS_LIMIT], uint64_t value)
{
    bool any = false;
    put(exposition, "%s", name);
    for (size_t i = 0; i < KS_LABELS_LIMIT && labels[i].name != NULL; i++) {
        put(exposition, "%s%s=\"%s\"", any ? "," : "{", labels[i].name, labels[i].value);
        any = true;
    }
    put(exposition, "%s %" PRIu64 "\n", any ? "}" : "", value);
}

void ks_exposition_fraction(struct ks_exposition *exposition, const char *name, uint64_t value,
                            unsigned digits)
{
    char number[NUMBER_SIZE];
    put(exposition, "%s %s\n", name, number_text(value, digits, number));
}

void ks_exposition_single(struct ks_exposition *exposition, const char *name, const char *type,
                          const char *help, uint64_t value)
{
    ks_exposition_family(exposition, name, type, help);
    ks_exposition_fraction(exposition, name, value, 0);
}

void ks_exposition_histogram(struct ks_exposition *exposition, const char *name, const uint64_t *bounds,
                             const uint64_t *counts, size_t bound_count, uint64_t sum, unsigned digits)
{
    char number[NUMBER_SIZE];
    uint64_t count = 0;
    for (size_t i = 0; i < bound_count; i++) {
        count += counts[i];
        put(exposition, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", name, number_text(bounds[i], digits, number),
            count);
    }
    count += counts[bound_count];
    put(exposition, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %s\n%s_count %" PRIu64 "\n", name, count,
        name, number_text(sum, digits, number), name, count);
}
