/* operator_key.c — see operator_key.h. */
#include "server/operator_key.h"

#include "server/host_key_shown.h"
#include "server/operator_access.h"
#include "server/operator_complain.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the key is, for whoever changes it. KS_REFUSED where a server shows one that it did not make. */
static enum ks_result find_place(const struct ks_server_options *options, struct ks_host_key_place *place,
                                 char why[static KS_HOST_KEY_WHY_SIZE])
{
    char ignored[KS_HOST_KEY_WHY_SIZE] = "";
    struct ks_host_key_shown shown;
    enum ks_result result = ks_operator_enter(options->data, why);
    if (result == KS_OK)
        result = ks_host_key_find(options->data, options->certificate, options->private_key, place, why);
    if (result != KS_OK || place->is_given)
        return result;
    if (ks_host_key_shown_read(place, &shown, ignored) != KS_OK || !shown.is_given)
        return KS_OK;
    (void)snprintf(
        why, KS_HOST_KEY_WHY_SIZE,
        "the server shows a certificate that it was given: put another one in its place, and restart "
        "it; clients that trust the key, not an authority, refuse the new one");
    return KS_REFUSED;
}

static int print(const struct ks_server_options *options, const char *what, const char *member,
                 const uint8_t fingerprint[static KS_TLS_FINGERPRINT_SIZE], const char *then)
{
    char line[256];
    char text[KS_TLS_FINGERPRINT_TEXT_SIZE];
    bool printed = false;
    ks_tls_fingerprint_text(fingerprint, text);
    if (options->json) {
        struct ks_json_writer writer = ks_json_begin(line, sizeof line);
        ks_json_text(&writer, member, text, strlen(text));
        size_t size = ks_json_end(&writer);
        printed = fwrite(line, 1, size, stdout) == size;
    } else {
        printed = printf("%s: %s\n%s\n", what, text, then) > 0;
    }
    return printed && fflush(stdout) == 0 ? EXIT_SUCCESS : ks_operator_fail("cannot print the answer");
}

int ks_operator_key_next(const struct ks_server_options *options)
{
    struct ks_host_key_place place;
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    bool made = false;
    enum ks_result result = find_place(options, &place, why);
    if (result == KS_OK)
        result = ks_host_key_prepare_next(&place, &made, fingerprint, why);
    if (result != KS_OK)
        return ks_operator_fail("%s", why);
    return print(options, made ? "the next key is prepared" : "the next key was prepared before", "next",
                 fingerprint,
                 "reload the server: from then on clients learn it when they sign in. Give them time, then: "
                 "kesherd key use");
}

int ks_operator_key_use(const struct ks_server_options *options)
{
    struct ks_host_key_place place;
    uint8_t fingerprint[KS_TLS_FINGERPRINT_SIZE];
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    enum ks_result result = find_place(options, &place, why);
    if (result == KS_OK)
        result = ks_host_key_use_next(&place, fingerprint, why);
    if (result != KS_OK)
        return ks_operator_fail("%s", why);
    return print(
        options, "the host key is now", "key", fingerprint,
        "reload the server: from then on it shows this key. Links with the old fingerprint are void: "
        "kesherd address");
}
