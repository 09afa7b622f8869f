/* context.c — see context.h. */
#include "cli/commands/context.h"

#include "cli/commands/passphrases.h"
#include "cli/terminal/output.h"

#include "base/address.h"
#include "base/text.h"
#include "crypto/secret.h"
#include "crypto/tls_identity.h"
#include "wire/link.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The environment is read before there is a second thread, and written, for readline's sake, only then. */
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

/* All that kesher.conf may say. */
static const struct ks_option settings[] = {
    {"pipeline", "yes|no", KS_OPTION_FLAG, KS_CLI_OPTIONS_ANY, KS_OPTION_MEMBER(struct ks_context, pipeline),
     .help = ""},
};

static bool read_settings(struct ks_context *context)
{
    static const struct ks_option_table table = {
        .manual = "man kesher", .options = settings, .count = sizeof settings / sizeof settings[0]};
    char path[KESHER_PATH_SIZE];
    struct ks_option_reader reader = ks_option_reader_on(&table, context, 0, NULL);
    struct ks_buffer text = ks_buffer_empty(0);
    int length = snprintf(path, sizeof path, "%s/kesher.conf", kesher_home_path(context->home));
    if (length < 0 || (size_t)length >= sizeof path)
        return true; /* longer than any path that can be opened */
    enum ks_result result = ks_option_read_file(&reader, path, KS_CLI_OPTIONS_ANY, &text);
    ks_buffer_free(&text);
    if (result == KS_OK || result == KS_NOT_FOUND)
        return true;
    ks_output_error("%s", reader.why);
    return false;
}

bool ks_context_open(struct ks_context *context, const struct ks_cli_options *options)
{
    char path[KESHER_PATH_SIZE];
    struct kesher_error error;
    *context = (struct ks_context){
        .options = options,
        .limits = {.answer_ms = options->answer_timeout,
                   .progress_ms = options->silence,
                   .retry_ms = options->retry > 0 ? options->retry : 1 /* 0 is the library's default */,
                   .moved = options->moved,
                   .questions = ks_passphrases_questions(),
                   .passphrase = ks_passphrases(options)},
    };
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

/* As server.info has it; what is no address is left to whoever connects. */
static void write_in_one_form(char address[KESHER_ADDRESS_SIZE])
{
    struct ks_address parsed;
    if (ks_address_parse(address, strlen(address), &parsed) == KS_OK)
        ks_address_format(&parsed, address, KESHER_ADDRESS_SIZE);
}

bool ks_context_is_secure(const char *address)
{
    return ks_link_is_meant(address, strlen(address));
}

/* A link to the server, as the library wants it. An invitation stays where it was given. */
static void write_link(const struct kesher_server *server, char address[KESHER_ADDRESS_SIZE])
{
    char fingerprint[KS_TLS_FINGERPRINT_TEXT_SIZE] = "";
    if (server->has_fingerprint)
        ks_tls_fingerprint_text(server->fingerprint, fingerprint);
    if (snprintf(address, KESHER_ADDRESS_SIZE, "kesher://%s/%s%s", server->address,
                 server->has_fingerprint ? "#" : "", fingerprint) < 0)
        address[0] = '\0';
}

bool ks_context_any_server(const struct ks_context *context, bool adopt, char address[KESHER_ADDRESS_SIZE])
{
    struct kesher_error error;
    struct kesher_server server;
    if (kesher_home_choose_server(context->home, context->options->server, adopt, context->options->moved,
                                  &server, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    if (server.kind == KESHER_SERVER_SECURE)
        write_link(&server, address);
    else
        memcpy(address, server.address, sizeof server.address);
    ks_secret_wipe(&server, sizeof server);
    return true;
}

static bool is_given_a_link(const struct ks_context *context)
{
    const char *given = context->options->server;
    return given != NULL && ks_context_is_secure(given);
}

bool ks_context_wants_secure(const struct ks_context *context, bool *secure)
{
    struct kesher_error error;
    bool belongs = false;
    if (kesher_home_is_secure(context->home, &belongs, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    *secure = belongs || is_given_a_link(context);
    return true;
}

/* Nothing falls back to the classic ports: what a secure server does not have yet, it does not have. */
static bool is_classic(const struct ks_context *context, const char *what)
{
    char shown[KESHER_ADDRESS_SIZE];
    struct kesher_trust trust;
    bool secure = false;
    if (!ks_context_wants_secure(context, &secure))
        return false;
    if (!secure)
        return true;
    if (kesher_home_trust(context->home, &trust, NULL) != KESHER_OK)
        trust.address[0] = '\0';
    ks_text_escape(trust.address, strlen(trust.address), shown, sizeof shown);
    if (is_given_a_link(context))
        ks_output_failed(
            KESHER_INVALID,
            "%s over the secure port come with the next release, and the server that was given is "
            "a secure one",
            what);
    else
        ks_output_failed(
            KESHER_INVALID,
            "%s over the secure port come with the next release; this home's server%s%s is secure, "
            "and nothing falls back to a classic one",
            what, shown[0] != '\0' ? " " : "", shown);
    return false;
}

bool ks_context_server(const struct ks_context *context, const char *what, char address[KESHER_ADDRESS_SIZE])
{
    struct kesher_error error;
    bool given = false;
    if (!is_classic(context, what) || !take_given(context, address, &given))
        return false;
    if (!given && kesher_home_server(context->home, address, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return false;
    }
    write_in_one_form(address);
    return true;
}

bool ks_context_service(const struct ks_context *context, uint16_t port, char address[KESHER_ADDRESS_SIZE])
{
    struct kesher_error error;
    bool given = false;
    bool belongs = false;
    if (!take_given(context, address, &given))
        return false;
    if (!given && kesher_home_is_secure(context->home, &belongs, NULL) == KESHER_OK && belongs) {
        ks_output_failed(KESHER_INVALID, "only classic servers have this, and this home's server is a secure "
                                         "one; name a classic one with --server ADDR:PORT");
        return false;
    }
    if (given || kesher_home_service(context->home, port, address, &error) == KESHER_OK)
        return true;
    ks_output_failure(&error);
    return false;
}

bool ks_context_secrets_are_kept(const struct ks_context *context)
{
    struct kesher_error error;
    if (kesher_home_check_modes(context->home, &error) == KESHER_OK)
        return true;
    ks_output_failure(&error);
    return false;
}

void ks_context_warn_of_secrets(const struct ks_context *context)
{
    struct kesher_error error;
    if (kesher_home_check_modes(context->home, &error) != KESHER_OK)
        ks_output_warning(&error);
}
