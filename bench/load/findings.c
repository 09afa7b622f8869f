/* findings.c — see findings.h. */
#include "bench/load/findings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct ks_findings_row *new_row(struct ks_findings *findings, const char *name)
{
    if (findings->count == KS_FINDINGS_ROWS)
        abort();
    struct ks_findings_row *row = &findings->rows[findings->count++];
    *row = (struct ks_findings_row){.name = name};
    return row;
}

void ks_findings_text(struct ks_findings *findings, const char *name, const char *text)
{
    struct ks_findings_row *row = new_row(findings, name);
    row->is_text = true;
    (void)snprintf(row->text, sizeof row->text, "%s", text);
}

void ks_findings_number(struct ks_findings *findings, const char *name, double number)
{
    new_row(findings, name)->number = isfinite(number) ? number : 0;
}

void ks_findings_latency(struct ks_findings *findings, const struct ks_percentiles *percentiles)
{
    double mean = percentiles->count > 0 ? (double)percentiles->sum / (double)percentiles->count : 0;
    ks_findings_number(findings, "latency_mean_us", mean / 1e3);
    ks_findings_number(findings, "latency_p50_us", (double)ks_percentiles_at(percentiles, 0.5) / 1e3);
    ks_findings_number(findings, "latency_p99_us", (double)ks_percentiles_at(percentiles, 0.99) / 1e3);
    ks_findings_number(findings, "latency_p999_us", (double)ks_percentiles_at(percentiles, 0.999) / 1e3);
    ks_findings_number(findings, "latency_max_us", (double)percentiles->greatest / 1e3);
}

/* Whole numbers as they are, others with as many decimals as four digits need. */
static int decimals_of(double number)
{
    double size = fabs(number);
    if (number == rint(number) || size >= 1000)
        return 0;
    if (size >= 100)
        return 1;
    return size >= 10 ? 2 : 3;
}

/* The number with a blank between groups of three digits. */
static void print_number(FILE *stream, double number)
{
    char plain[64];
    (void)snprintf(plain, sizeof plain, "%.*f", decimals_of(number), number);
    size_t whole = strcspn(plain, ".");
    for (size_t i = 0; plain[i] != '\0'; i++) {
        bool between = i > 0 && i < whole && (whole - i) % 3 == 0 && plain[i - 1] != '-';
        (void)fprintf(stream, "%s%c", between ? " " : "", plain[i]);
    }
}

static void print_name(FILE *stream, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < size; i++)
        (void)fputc(name[i] == '_' ? ' ' : name[i], stream);
    (void)fprintf(stream, "%*s", size < 34 ? (int)(34 - size) : 1, "");
}

static void print_json_text(FILE *stream, const char *text)
{
    (void)fputc('"', stream);
    for (const unsigned char *next = (const unsigned char *)text; *next != '\0'; next++) {
        if (*next == '"' || *next == '\\')
            (void)fprintf(stream, "\\%c", *next);
        else if (*next < 0x20 || *next == 0x7F)
            (void)fprintf(stream, "\\u%04x", *next);
        else
            (void)fputc(*next, stream);
    }
    (void)fputc('"', stream);
}

static void print_json_row(FILE *stream, const struct ks_findings_row *row)
{
    print_json_text(stream, row->name);
    (void)fputs(": ", stream);
    if (row->is_text)
        print_json_text(stream, row->text);
    else if (row->number == rint(row->number) && fabs(row->number) < 9e15)
        (void)fprintf(stream, "%.0f", row->number);
    else
        (void)fprintf(stream, "%.9g", row->number);
}

bool ks_findings_print(const struct ks_findings *findings, bool json, FILE *stream)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct ks_findings_row *row = &findings->rows[i];
        if (json) {
            (void)fputs(i == 0 ? "{" : ", ", stream);
            print_json_row(stream, row);
            continue;
        }
        print_name(stream, row->name);
        if (row->is_text)
            (void)fputs(row->text, stream);
        else
            print_number(stream, row->number);
        (void)fputc('\n', stream);
    }
    if (json)
        (void)fputs(findings->count == 0 ? "{}\n" : "}\n", stream);
    return fflush(stream) == 0 && ferror(stream) == 0;
}
