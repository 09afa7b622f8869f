/* host_identity.c — see host_identity.h. */
#include "server/host_identity.h"

#include "base/clock.h"
#include "server/public_link.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SOON_SECONDS = 7 * 86400 };

/* ---- the key ---- */

/* A certificate that is over is shown all the same: clients that trust the key do not look at its time. */
static void warn_of_end(const struct ks_tls_identity *identity, const struct ks_log *log)
{
    char end[KS_CLOCK_SHOWN_SIZE];
    int64_t ends = ks_tls_identity_ends(identity);
    int64_t now = ks_clock_wall_seconds(ks_clock_system());
    if (ends > now + SOON_SECONDS)
        return;
    ks_clock_show(ends, end);
    ks_log_warning(log, "the certificate of the secure port %s %s: renew it, and reload",
                   ends <= now ? "has ended at" : "ends at", end);
}

static void tell_made(const struct ks_host_key_place *place, const struct ks_tls_identity *identity,
                      const struct ks_log *log)
{
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    ks_tls_identity_fingerprint(identity, fingerprint);
    ks_tls_fingerprint_text(fingerprint, text);
    ks_log_notice(log, "made a host key in %s: %s; keep a copy of it, for clients accept no other",
                  place->directory, text);
}

/* That none is prepared is the rule; that one cannot be read keeps nobody from signing in. */
static void read_next(struct ks_host_identity *host, const struct ks_log *log)
{
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    enum ks_result result = ks_host_key_next(&host->place, fingerprint, why);
    if (result != KS_OK && result != KS_NOT_FOUND)
        ks_log_warning(log, "clients are told of no next host key: %s", why);
    ks_next_key_set(&host->next, result == KS_OK ? fingerprint : NULL);
}

/* Either all of it counts, or nothing. */
static enum ks_result load(struct ks_host_identity *host, const struct ks_server_options *options,
                           ks_host_identity_show *show, const struct ks_log *log,
                           char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct ks_host_key_place place;
    struct ks_tls_identity *identity = NULL;
    bool made = false;
    enum ks_result result =
        ks_host_key_find(options->data, options->certificate, options->private_key, &place, why);
    if (result == KS_OK)
        result = ks_host_key_open(&place, &identity, &made, why);
    if (result != KS_OK)
        return result;
    if (made)
        tell_made(&place, identity, log);
    result = show(host->port, identity);
    if (result == KS_OK) {
        char address[sizeof host->shown.address];
        memcpy(address, host->shown.address, sizeof address);
        host->place = place;
        ks_host_key_shown_of(identity, place.is_given, &host->shown);
        memcpy(host->shown.address, address, sizeof address);
        warn_of_end(identity, log);
        read_next(host, log);
    } else {
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot use the certificate: %s", ks_result_text(result));
    }
    ks_tls_identity_free(identity);
    return result;
}

/* Commands find out in other ways then, if they can. */
static void keep_shown(const struct ks_host_identity *host, const struct ks_log *log)
{
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    if (ks_host_key_shown_write(&host->place, &host->shown, why) != KS_OK)
        ks_log_warning(log, "kesherd address may tell something old: %s", why);
}

enum ks_result ks_host_identity_open(struct ks_host_identity *host, const struct ks_server_options *options,
                                     ks_host_identity_show *show, const struct ks_log *log)
{
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    enum ks_result result = load(host, options, show, log, why);
    if (result != KS_OK)
        ks_log_error(log, "secure port: %s", why);
    return result;
}

void ks_host_identity_reload(struct ks_host_identity *host, const struct ks_server_options *options,
                             ks_host_identity_show *show, const struct ks_log *log)
{
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    if (load(host, options, show, log, why) != KS_OK)
        ks_log_error(log, "the certificate of the secure port stays as it was: %s", why);
    else
        keep_shown(host, log);
}

/* ---- what is told about it ---- */

void ks_host_identity_bound(struct ks_host_identity *host, const char *address, const struct ks_log *log)
{
    /* Behind a blank stands which families it takes. */
    (void)snprintf(host->shown.address, sizeof host->shown.address, "%.*s", (int)strcspn(address, " "),
                   address);
    keep_shown(host, log);
}

static void describe_link(const struct ks_host_identity *host, const char *secure, char *text, size_t size)
{
    struct ks_public_link made;
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    char link[KS_LINK_SIZE];
    char machine[KS_LINK_HOST_SIZE] = "";
    if (ks_server_options_is_loopback(host->shown.address))
        return;
    bool is_named = gethostname(machine, sizeof machine - 1) == 0 && machine[0] != '\0';
    if (ks_public_link_make(&host->shown, secure, NULL, is_named ? machine : NULL, &made, why) != KS_OK)
        return; /* a host that nobody could type: kesherd address --host tells */
    ks_link_format(&made.link, link);
    (void)snprintf(text, size, " as %s", link);
}

void ks_host_identity_describe(const struct ks_host_identity *host, enum ks_registration_setting registration,
                               const char *secure, char *text, size_t size)
{
    char link[KS_LINK_SIZE + 8] = "";
    const struct ks_server_admission admission = ks_server_options_admission(registration, secure);
    const char *policy = ks_server_options_registration_word(admission.secure);
    if (host->port != NULL)
        describe_link(host, secure, link, sizeof link);
    if (admission.classic == admission.secure)
        (void)snprintf(text, size, "%s, registration %s", link, policy);
    else
        (void)snprintf(text, size, "%s, registration %s, on classic ports %s", link, policy,
                       ks_server_options_registration_word(admission.classic));
}
