/* command_server.c — `kesher server`: which server the home speaks to, and how it is trusted. Main thread. */
#include "cli/commands/context.h"
#include "cli/terminal/output.h"

#include "base/text.h"

#include <string.h>

static const char *mode_word(enum kesher_trust_mode mode)
{
    switch (mode) {
    case KESHER_TRUST_KEY:
        return "key";
    case KESHER_TRUST_AUTHORITY:
        return "authority";
    case KESHER_TRUST_NONE:
        break;
    }
    return "none";
}

static void print_json(const char *address, const struct kesher_trust *trust)
{
    bool is_secure = ks_context_is_secure(address);
    (void)fputs("{\"server\": ", stdout);
    ks_output_json_string(stdout, address);
    (void)printf(", \"secure\": %s", is_secure ? "true" : "false");
    if (is_secure)
        (void)printf(", \"trusted_by\": \"%s\"", mode_word(trust->mode));
    if (is_secure && trust->mode == KESHER_TRUST_KEY)
        (void)printf(", \"fingerprint\": \"%s\"", trust->fingerprint);
    if (is_secure && trust->next_fingerprint[0] != '\0')
        (void)printf(", \"next_fingerprint\": \"%s\"", trust->next_fingerprint);
    (void)fputs("}\n", stdout);
}

static void print_trust(const struct kesher_trust *trust)
{
    switch (trust->mode) {
    case KESHER_TRUST_NONE:
        (void)puts("not spoken to yet: its key is judged at the first contact");
        break;
    case KESHER_TRUST_KEY:
        (void)printf("trusted by its key, whatever an authority says\nfingerprint %s\n", trust->fingerprint);
        if (trust->next_fingerprint[0] != '\0')
            (void)printf("announced for later: %s\n", trust->next_fingerprint);
        break;
    case KESHER_TRUST_AUTHORITY:
        (void)puts("trusted by any certificate for its name that this system's authorities vouch for");
        break;
    }
}

static enum ks_exit show(const struct ks_context *context)
{
    char address[KESHER_ADDRESS_SIZE];
    char shown[KESHER_ADDRESS_SIZE];
    struct kesher_trust trust;
    struct kesher_error error;
    if (!ks_context_any_server(context, false, address))
        return KS_EXIT_FAILED;
    if (kesher_home_trust(context->home, &trust, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    if (context->options->json) {
        print_json(address, &trust);
        return KS_EXIT_DONE;
    }
    (void)puts(ks_text_escape(address, strlen(address), shown, sizeof shown));
    if (ks_context_is_secure(address))
        print_trust(&trust);
    else
        (void)puts("a classic server: for networks that one trusts");
    return KS_EXIT_DONE;
}

static enum ks_exit forget(const struct ks_context *context)
{
    struct kesher_error error;
    if (kesher_home_forget_trust(context->home, &error) != KESHER_OK) {
        ks_output_failure(&error);
        return KS_EXIT_FAILED;
    }
    if (context->options->json)
        (void)puts("{\"forgotten\": true}");
    else
        (void)puts("forgot how the server is trusted: the next contact is the first one");
    return KS_EXIT_DONE;
}

enum ks_exit ks_command_server(struct ks_context *context)
{
    return context->options->forget ? forget(context) : show(context);
}
