/* options.c — see options.h: command lines, configuration files and help. */
#include "base/options.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

enum { SHOWN_SIZE = 200, WHERE_SIZE = 600, EXPECTED_SIZE = 200 };

static bool complain(struct ks_option_reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* False, for whoever returns it. */
static bool complain(struct ks_option_reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->why, sizeof reader->why, format, arguments);
    va_end(arguments);
    return false;
}

static bool complain_of_value(struct ks_option_reader *reader, const char *where,
                              const struct ks_option *option, const char *value)
{
    char shown[SHOWN_SIZE];
    char expected[EXPECTED_SIZE];
    ks_text_escape(value, strlen(value), shown, sizeof shown);
    ks_option_expect(option, value, expected, sizeof expected);
    return complain(reader, "%s: \"%s\" does not fit; write %s", where, shown, expected);
}

static const struct ks_option *find_option(const struct ks_option_table *table, const char *name, size_t size)
{
    for (size_t i = 0; i < table->count; i++)
        if (strlen(table->options[i].name) == size && memcmp(table->options[i].name, name, size) == 0)
            return &table->options[i];
    return NULL;
}

static uint64_t bit_of(const struct ks_option_reader *reader, const struct ks_option *option)
{
    return UINT64_C(1) << (option - reader->table->options);
}

static void *member_of(const struct ks_option_reader *reader, const struct ks_option *option)
{
    return (char *)reader->target + option->offset;
}

/* Behind what the list has already. False when there is no room, or what is added makes no sense. */
static bool add_to_list(const struct ks_option *option, const char *value, char *member)
{
    size_t size = strlen(member);
    size_t added = strlen(value);
    if (added == 0 || size + 2 + added >= option->size)
        return false;
    memcpy(member + size, ", ", 2);
    memcpy(member + size + 2, value, added + 1);
    if (option->judge == NULL || option->judge(member) == NULL)
        return true;
    member[size] = '\0';
    return false;
}

/* `again`: it was set before, by the same line or file. */
static bool set_value(const struct ks_option_reader *reader, const struct ks_option *option,
                      const char *value, bool again)
{
    if (again && option->kind == KS_OPTION_LIST)
        return add_to_list(option, value, member_of(reader, option));
    return ks_option_set(option, value, member_of(reader, option));
}

/* ---- the command line ---- */

struct ks_option_reader ks_option_reader_on(const struct ks_option_table *table, void *target, int argc,
                                            char **argv)
{
    return (struct ks_option_reader){.table = table, .target = target, .argc = argc, .argv = argv, .next = 1};
}

static bool take_flag(struct ks_option_reader *reader, const struct ks_option *option, const char *value)
{
    if (value != NULL)
        return complain(reader, "--%s takes no value", option->name);
    return ks_option_set(option, "yes", member_of(reader, option));
}

static bool take_value(struct ks_option_reader *reader, const struct ks_option *option, const char *value)
{
    char where[WHERE_SIZE];
    bool again = ks_option_was_given(reader, member_of(reader, option));
    if (value == NULL && reader->next < reader->argc)
        value = reader->argv[reader->next++];
    if (value == NULL)
        return complain(reader, "--%s needs a value: --%s %s", option->name, option->name, option->value);
    (void)snprintf(where, sizeof where, "--%s", option->name);
    return set_value(reader, option, value, again) || complain_of_value(reader, where, option, value);
}

/* The name of the option that "-x" stands for; "" for none. */
static const char *name_of_letter(const struct ks_option_table *table, char letter)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->options[i].letter == letter)
            return table->options[i].name;
    return letter == 'h' ? "help" : "";
}

static const char *name_in(const struct ks_option_table *table, const char *text)
{
    if (text[1] == '-')
        return text + 2;
    return text[2] == '\0' ? name_of_letter(table, text[1]) : "";
}

static bool take_option(struct ks_option_reader *reader, const char *text)
{
    const char *name = name_in(reader->table, text);
    size_t size = strcspn(name, "=");
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    const struct ks_option *option = find_option(reader->table, name, size);
    char shown[SHOWN_SIZE];
    if (option == NULL) {
        ks_text_escape(text, strcspn(text, "="), shown, sizeof shown);
        return complain(reader, "there is no option %s; see %s", shown, reader->table->manual);
    }
    bool taken =
        option->kind == KS_OPTION_FLAG ? take_flag(reader, option, value) : take_value(reader, option, value);
    reader->given |= bit_of(reader, option);
    return taken;
}

bool ks_option_next_operand(struct ks_option_reader *reader, const char **operand)
{
    while (reader->next < reader->argc) {
        const char *text = reader->argv[reader->next++];
        bool is_option = !reader->only_operands && text[0] == '-' && text[1] != '\0';
        if (!is_option) {
            *operand = text;
            return true;
        }
        if (strcmp(text, "--") == 0)
            reader->only_operands = true;
        else if (!take_option(reader, text))
            return false;
    }
    return false;
}

bool ks_option_was_given(const struct ks_option_reader *reader, const void *member)
{
    for (size_t i = 0; i < reader->table->count; i++)
        if (member_of(reader, &reader->table->options[i]) == member)
            return (reader->given >> i & 1) != 0;
    return false;
}

const struct ks_option *ks_option_unwelcome(const struct ks_option_reader *reader, unsigned uses)
{
    for (size_t i = 0; i < reader->table->count; i++)
        if ((reader->given >> i & 1) != 0 && (reader->table->options[i].uses & uses) == 0)
            return &reader->table->options[i];
    return NULL;
}

/* ---- the configuration file ---- */

struct configuration_file {
    struct ks_option_reader *reader;
    const char *path; /* as it is shown */
    unsigned uses;
    unsigned line;                          /* that is being read */
    unsigned set_at[KS_OPTION_TABLE_LIMIT]; /* the line that set each option first; 0: none yet */
};

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

/* Without blanks around, and without a comment, which begins with ; behind a blank. In place. */
static char *trimmed(char *text)
{
    while (is_blank(*text))
        text++;
    size_t size = 0;
    while (text[size] != '\0' && (text[size] != ';' || (size > 0 && !is_blank(text[size - 1]))))
        size++;
    text[size] = '\0';
    while (size > 0 && is_blank(text[size - 1]))
        text[--size] = '\0';
    return text;
}

/* What stands on the command line wins; then the file's is only judged. */
static bool fits(const struct ks_option_reader *reader, const struct ks_option *option, const char *value,
                 bool again)
{
    char list[KS_OPTION_LIST_SIZE];
    uint64_t anything = 0;
    if ((reader->given & bit_of(reader, option)) == 0)
        return set_value(reader, option, value, again);
    return ks_option_set(option, value, option->kind == KS_OPTION_LIST ? (void *)list : &anything);
}

static bool take_setting(struct configuration_file *file, const char *name, const char *value)
{
    struct ks_option_reader *reader = file->reader;
    char shown[SHOWN_SIZE];
    char where[WHERE_SIZE];
    const struct ks_option *option = find_option(reader->table, name, strlen(name));
    if (option == NULL || (option->uses & file->uses) == 0) {
        ks_text_escape(name, strlen(name), shown, sizeof shown);
        return complain(reader, "%s:%u: there is no setting \"%s\"; see %s", file->path, file->line, shown,
                        reader->table->manual);
    }
    unsigned *first = &file->set_at[option - reader->table->options];
    (void)snprintf(where, sizeof where, "%s:%u: %s", file->path, file->line, name);
    if (!fits(reader, option, value, *first != 0))
        return complain_of_value(reader, where, option, value);
    if (*first != 0 && option->kind != KS_OPTION_LIST)
        return complain(reader, "%s was set in line %u already; keep one of the two", where, *first);
    if (*first == 0)
        *first = file->line;
    return true;
}

static bool take_line(struct configuration_file *file, char *line)
{
    char *text = line + strspn(line, " \t\r");
    if (*text == '#')
        return true;
    if (*text == '[')
        return complain(file->reader, "%s:%u: there are no sections; write name = value", file->path,
                        file->line);
    char *equals = strchr(text, '=');
    char *comment = strchr(text, ';');
    if (equals == NULL || (comment != NULL && comment < equals)) {
        text = trimmed(text);
        return *text == '\0' ||
               complain(file->reader, "%s:%u: not of the form name = value", file->path, file->line);
    }
    *equals = '\0';
    return take_setting(file, trimmed(text), trimmed(equals + 1));
}

static bool take_lines(struct configuration_file *file, char *text, size_t size)
{
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    char *end = text + size;
    if (strncmp(text, byte_order_mark, sizeof byte_order_mark - 1) == 0)
        text += sizeof byte_order_mark - 1;
    for (char *next = text; next < end; text = next) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        char *line_end = newline != NULL ? newline : end;
        *line_end = '\0';
        next = line_end + 1;
        file->line++;
        if (strlen(text) != (size_t)(line_end - text))
            return complain(file->reader, "%s:%u: has a byte in it that is 0", file->path, file->line);
        if (!take_line(file, text))
            return false;
    }
    return true;
}

enum ks_result ks_option_read_file(struct ks_option_reader *reader, const char *path, unsigned uses,
                                   struct ks_buffer *text)
{
    char shown[SHOWN_SIZE];
    struct configuration_file file = {.reader = reader, .path = shown, .uses = uses};
    ks_text_escape(path, strlen(path), shown, sizeof shown);
    *text = ks_buffer_empty(KS_OPTION_FILE_LIMIT);
    char failure[128];
    enum ks_result result = ks_file_read(AT_FDCWD, path, text);
    int error_number = errno;
    if (result == KS_OK)
        result = ks_buffer_append(text, "", 1);
    if (result != KS_OK) {
        complain(reader, "cannot read the configuration %s: %s", shown,
                 result == KS_IO ? strerror_r(error_number, failure, sizeof failure)
                                 : ks_result_text(result));
        return result == KS_NOT_FOUND ? result : KS_IO;
    }
    return take_lines(&file, (char *)text->bytes, text->size - 1) ? KS_OK : KS_INVALID;
}

/* ---- help ---- */

static int form_of(const struct ks_option *option, char *form, size_t size)
{
    if (option->letter != '\0')
        return snprintf(form, size, "--%s, -%c", option->name, option->letter);
    return snprintf(form, size, "--%s%s%s", option->name, option->value != NULL ? " " : "",
                    option->value != NULL ? option->value : "");
}

void ks_option_print(FILE *stream, const struct ks_option_table *table, unsigned uses, const void *defaults)
{
    char form[80];
    int width = 0;
    for (size_t i = 0; i < table->count; i++)
        if ((table->options[i].uses & uses) != 0 && form_of(&table->options[i], form, sizeof form) > width)
            width = form_of(&table->options[i], form, sizeof form);
    for (size_t i = 0; i < table->count; i++) {
        const struct ks_option *option = &table->options[i];
        char number[KS_OPTION_VALUE_SIZE];
        if ((option->uses & uses) == 0)
            continue;
        (void)form_of(option, form, sizeof form);
        (void)fprintf(stream, "  %-*s  %s", width, form, option->help);
        const char *standard = defaults != NULL ? ks_option_show(option, defaults, number) : NULL;
        (void)fprintf(stream, standard != NULL ? " (default: %s)\n" : "\n", standard);
    }
}
