/* passphrases.c — see passphrases.h. */
#include "cli/commands/passphrases.h"

#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"

#include "base/text.h"
#include "client/failure.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_SIZE = 64, SHOWN_SIZE = 300 };

/* ---- from a file ---- */

/* Up to `capacity` bytes; -1 with errno. */
static ssize_t read_whole(int fd, char *bytes, size_t capacity)
{
    size_t size = 0;
    while (size < capacity) {
        ssize_t got = read(fd, bytes + size, capacity - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        size += (size_t)got;
    }
    return (ssize_t)size;
}

/* The first line of what was read. */
static size_t first_line(const char *bytes, size_t size)
{
    const char *newline = memchr(bytes, '\n', size);
    size_t length = newline == NULL ? size : (size_t)(newline - bytes);
    return length > 0 && bytes[length - 1] == '\r' ? length - 1 : length;
}

static enum kesher_status take_from_file(const char *path, char bytes[KESHER_PASSPHRASE_SIZE], size_t *size,
                                         struct kesher_error *error)
{
    char shown[SHOWN_SIZE];
    char reason[128];
    char whole[KESHER_PASSPHRASE_SIZE + 3]; /* with CR LF, and one byte more than there may be */
    ks_text_escape(path, strlen(path), shown, sizeof shown);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read_whole(fd, whole, sizeof whole);
    int failure = errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return ks_failure(error, KESHER_FILE, "cannot read the passphrase in '%s': %s", shown,
                          strerror_r(failure, reason, sizeof reason));
    *size = first_line(whole, (size_t)got);
    bool fits = *size >= 1 && *size <= KESHER_PASSPHRASE_SIZE;
    if (fits)
        memcpy(bytes, whole, *size);
    ks_secret_wipe(whole, sizeof whole);
    return fits
               ? KESHER_OK
               : ks_failure(error, KESHER_INVALID, "the first line of '%s' is no passphrase of 1 to %d bytes",
                            shown, KESHER_PASSPHRASE_SIZE);
}

/* ---- on the terminal ---- */

static enum kesher_status ask_once(const char *question, char bytes[KESHER_PASSPHRASE_SIZE], size_t *size,
                                   struct kesher_error *error)
{
    char line[KESHER_PASSPHRASE_SIZE + 1];
    do {
        if (!ks_terminal_ask(question, true, line, sizeof line, size)) {
            ks_secret_wipe(line, sizeof line);
            return ks_failure(error, KESHER_PASSPHRASE, "no passphrase was typed on the terminal");
        }
    } while (*size == 0);
    memcpy(bytes, line, *size);
    ks_secret_wipe(line, sizeof line);
    return KESHER_OK;
}

/* Twice, since nobody sees it. */
static enum kesher_status ask_new(char bytes[KESHER_PASSPHRASE_SIZE], size_t *size,
                                  struct kesher_error *error)
{
    char again[KESHER_PASSPHRASE_SIZE];
    size_t again_size = 0;
    for (;;) {
        enum kesher_status status = ask_once("New passphrase for this home: ", bytes, size, error);
        if (status == KESHER_OK)
            status = ask_once("The same again: ", again, &again_size, error);
        bool same = status == KESHER_OK && *size == again_size && memcmp(bytes, again, again_size) == 0;
        ks_secret_wipe(again, sizeof again);
        if (status != KESHER_OK || same)
            return status;
        ks_output_error("the two passphrases differ; try again");
    }
}

static enum kesher_status ask(void *context, enum kesher_passphrase_question question,
                              char bytes[KESHER_PASSPHRASE_SIZE], size_t *size, struct kesher_error *error)
{
    const struct ks_cli_options *options = context;
    if (options->passphrase_file != NULL && question != KESHER_PASSPHRASE_AGAIN)
        return take_from_file(options->passphrase_file, bytes, size, error);
    if (options->passphrase_file != NULL)
        return ks_failure(error, KESHER_PASSPHRASE,
                          "what --passphrase-file names is not the passphrase of this home");
    if (!ks_terminal_is_there())
        return ks_failure(
            error, KESHER_PASSPHRASE,
            "the keys of this home are under a passphrase, and there is no terminal to ask for it; put "
            "it into a file, and give that with --passphrase-file");
    if (question == KESHER_PASSPHRASE_NEW)
        return ask_new(bytes, size, error);
    return ask_once(question == KESHER_PASSPHRASE_OPEN ? "Passphrase of this home: "
                                                       : "Wrong. Passphrase of this home: ",
                    bytes, size, error);
}

struct kesher_passphrase ks_passphrases(const struct ks_cli_options *options)
{
    return (struct kesher_passphrase){.context = (void *)(uintptr_t)options, .ask = ask};
}

/* ---- yes or no ---- */

bool ks_passphrases_confirm(const char *question)
{
    char whole[KESHER_SENTENCE_SIZE + 32];
    char answer[ANSWER_SIZE];
    size_t size = 0;
    if (snprintf(whole, sizeof whole, "%s (yes/no) ", question) < 0)
        return false;
    for (;;) {
        if (!ks_terminal_ask(whole, false, answer, sizeof answer, &size) || strcmp(answer, "no") == 0)
            return false;
        if (strcmp(answer, "yes") == 0)
            return true;
        strcpy(whole, "Type yes or no: ");
    }
}

static bool ask_to_trust(void *context, const char *question)
{
    (void)context;
    return ks_passphrases_confirm(question);
}

struct kesher_questions ks_passphrases_questions(void)
{
    return (struct kesher_questions){.trust = ks_terminal_is_there() ? ask_to_trust : NULL};
}
