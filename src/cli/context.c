/* context.c — see context.h. */
#include "cli/context.h"

#include "base/text.h"
#include "cli/output.h"

#include <errno.h>
#include <ini.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The environment is read before there is a second thread, and never written. */
const char *ks_context_variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): see above */
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool default_home(char *path, size_t capacity)
{
    const char *directory = ks_context_variable("KESHER_HOME");
    const char *suffix = "";
    struct passwd entry;
    struct passwd *found = NULL;
    char strings[4096];
    if (directory == NULL && (directory = ks_context_variable("XDG_CONFIG_HOME")) != NULL)
        suffix = "/kesher";
    if (directory == NULL) {
        suffix = "/.config/kesher";
        directory = ks_context_variable("HOME");
    }
    if (directory == NULL && getpwuid_r(getuid(), &entry, strings, sizeof strings, &found) == 0 &&
        found != NULL)
        directory = entry.pw_dir;
    if (directory == NULL)
        return false;
    int length = snprintf(path, capacity, "%s%s", directory, suffix);
    return length >= 0 && (size_t)length < capacity;
}

static bool is_word(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

/* inih's callback: 0 for an error. */
static int take_setting(void *user, const char *section, const char *name, const char *value)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    struct ks_context *context = user;
    if (section[0] != '\0' || strcmp(name, "pipeline") != 0)
        return 0;
    if (is_word(value, yes, sizeof yes / sizeof yes[0])) {
        context->pipeline = true;
        return 1;
    }
    return is_word(value, no, sizeof no / sizeof no[0]);
}

static bool read_settings(struct ks_context *context)
{
    char path[KESHER_PATH_SIZE];
    char shown[300];
    const char *home = kesher_home_path(context->home);
    int length = snprintf(path, sizeof path, "%s/kesher.conf", home);
    if (length < 0 || (size_t)length >= sizeof path)
        return true; /* longer than any path that can be opened */
    errno = 0;
    int line = ini_parse(path, take_setting, context);
    if (line == 0 || (line < 0 && errno == ENOENT))
        return true;
    ks_text_escape(home, strlen(home), shown, sizeof shown);
    if (line > 0)
        ks_output_error("line %d of kesher.conf in '%s' is wrong; the only setting is pipeline = yes or no",
                        line, shown);
    else
        ks_output_error("cannot read kesher.conf in '%s'; make it readable or remove it", shown);
    return false;
}

bool ks_context_open(struct ks_context *context, const struct ks_options *options)
{
    char path[KESHER_PATH_SIZE];
    struct kesher_error error;
    *context = (struct ks_context){.options = options};
    const char *home = options->home;
    if (home == NULL && default_home(path, sizeof path))
        home = path;
    if (home == NULL) {
        ks_output_error("there is no home directory in the environment; give one with --home");
        return false;
    }
    if (kesher_home_open(home, &context->home, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    if (!read_settings(context)) {
        ks_context_close(context);
        return false;
    }
    context->pipeline |= options->pipeline;
    return true;
}

void ks_context_close(struct ks_context *context)
{
    kesher_home_close(context->home);
    context->home = NULL;
}

/* What was given with --server, or nothing (then *given is false). False after printing what is wrong. */
static bool take_given(const struct ks_context *context, char address[KESHER_ADDRESS_SIZE], bool *given)
{
    const char *server = context->options->server;
    *given = server != NULL;
    if (server == NULL)
        return true;
    size_t size = strlen(server);
    if (size >= KESHER_ADDRESS_SIZE) {
        ks_output_error("the address after --server is too long; give it as address:port");
        return false;
    }
    memcpy(address, server, size + 1);
    return true;
}

bool ks_context_server(const struct ks_context *context, char address[KESHER_ADDRESS_SIZE])
{
    struct kesher_error error;
    bool given = false;
    if (!take_given(context, address, &given))
        return false;
    if (given || kesher_home_server(context->home, address, &error) == KESHER_OK)
        return true;
    ks_output_failure(&error);
    return false;
}

bool ks_context_service(const struct ks_context *context, uint16_t port, char address[KESHER_ADDRESS_SIZE])
{
    struct kesher_error error;
    bool given = false;
    if (!take_given(context, address, &given))
        return false;
    if (given || kesher_home_service(context->home, port, address, &error) == KESHER_OK)
        return true;
    ks_output_message_failure(&error);
    return false;
}
