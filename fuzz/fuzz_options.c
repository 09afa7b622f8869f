/* fuzz_options.c — the command line and the configuration file of kesherd, as an operator, or whoever writes
 * his files, may have them. The input is the words of the line, each up to an LF, and behind a NUL the file.
 *
 * The properties: what is refused is refused in one line without anything harmful in it; what was read and is
 * shown, is read as the same again; and a server's options are judged without a fault.
 */
#include "base/text.h"
#include "server/server_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LARGEST_INPUT = 4096, WORDS = 40, FILE_NAME_SIZE = 40 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void must_be_a_line(const char *text)
{
    const uint8_t *next = (const uint8_t *)text;
    size_t left = strlen(text);
    require(left > 0);
    while (left > 0) {
        size_t length = ks_text_utf8_length(next, left);
        require(length > 0 && ks_text_is_harmless(next, length));
        next += length;
        left -= length;
    }
}

/* What a default is need not be one that can be written. */
static void shown_comes_back(const struct ks_server_options *options)
{
    static struct ks_server_options again;
    char number[KS_OPTION_VALUE_SIZE];
    for (size_t i = 0; i < ks_server_options_table.count; i++) {
        const struct ks_option *row = &ks_server_options_table.options[i];
        const char *shown = ks_option_show(row, options, number);
        if (shown == NULL || ks_option_is_same(row, options, &ks_server_options_defaults))
            continue;
        memset((uint8_t *)&again + row->offset, 0, row->size);
        require(ks_option_set(row, shown, (uint8_t *)&again + row->offset));
        require(ks_option_is_same(row, options, &again));
    }
}

static void listeners(const struct ks_server_options *options)
{
    char address[KS_LISTENER_ADDRESS_SIZE];
    const char *const values[] = {options->listen, options->chat, options->ask, options->metrics};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        if (values[i] != NULL)
            ks_server_options_listener(values[i], address);
}

/* What --help prints, and the tables of the build. */
static void print(void)
{
    static FILE *nowhere;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "we");
    require(nowhere != NULL);
    ks_option_print(nowhere, &ks_server_options_table, KS_SERVER_OPTIONS_SETTING,
                    &ks_server_options_defaults);
    ks_option_describe(nowhere, "option", &ks_server_options_table, KS_SERVER_OPTIONS_SETTING,
                       &ks_server_options_defaults);
}

static void judge(int argc, char **argv)
{
    struct ks_server_options options;
    if (ks_server_options_read(&options, argc, argv)) {
        shown_comes_back(&options);
        if (options.help)
            print();
        listeners(&options);
        const char *wrong = ks_server_options_judge(&options);
        if (wrong != NULL)
            must_be_a_line(wrong);
        (void)ks_server_options_first_change(&options, &ks_server_options_defaults);
        (void)ks_option_unwelcome(&options.reader, KS_SERVER_OPTIONS_OPERATOR);
        (void)ks_option_was_given(&options.reader, &options.name);
    } else {
        must_be_a_line(options.reader.why);
    }
    ks_server_options_free(&options);
}

/* The words of `text`, which is changed. */
static int cut_words(char *text, char *words[static WORDS])
{
    int count = 0;
    for (char *next = text; next != NULL && *next != '\0' && count < WORDS;) {
        char *end = strchr(next, '\n');
        words[count++] = next;
        if (end != NULL)
            *end++ = '\0';
        next = end;
    }
    return count;
}

static int file_with(const char *text, size_t size, char path[static FILE_NAME_SIZE])
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("fuzz", MFD_CLOEXEC);
    require(fd >= 0 && ftruncate(fd, 0) == 0 && pwrite(fd, text, size, 0) == (ssize_t)size);
    require(snprintf(path, FILE_NAME_SIZE, "/proc/self/fd/%d", fd) > 0);
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static char program[] = "kesherd";
    static char config[] = "--config";
    char line[LARGEST_INPUT + 1];
    char path[FILE_NAME_SIZE];
    char *words[3 + WORDS + 1] = {program, config, path};
    /* No other file is read: there are some that do not end. */
    if (size > LARGEST_INPUT || (size > 0 && memmem(bytes, size, config, strlen(config)) != NULL))
        return 0;
    if (size > 0)
        memcpy(line, bytes, size);
    line[size] = '\0';
    size_t line_size = strlen(line);
    size_t file = line_size < size ? line_size + 1 : size;
    (void)file_with(line + file, size - file, path);
    judge(3 + cut_words(line, words + 3), words);
    return 0;
}
