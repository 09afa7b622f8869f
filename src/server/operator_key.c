/* operator_key.c — see operator_key.h. */
#include "server/operator_key.h"

#include "server/host_key_shown.h"
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

/* ---- check ---- */

#define LOCKED_OUT "every client that knows this server by its key refuses another one"

/* A ks_operator_line that stops at the first account. */
static bool is_no_account(void *found, const char *line, size_t size)
{
    struct ks_control_user user;
    bool *is_found = found;
    *is_found = ks_control_user_parse(line, size, &user) == KS_OK && user.is_account;
    return !*is_found;
}

/* Also when that cannot be found out: the check itself tells why. */
static bool has_accounts(const struct ks_server_options *options)
{
    const struct ks_control_request request = {.verb = KS_CONTROL_USERS};
    struct ks_operator_access *access = NULL;
    struct ks_control_end end;
    char why[KS_OPERATOR_WHY_SIZE] = "";
    bool is_found = false;
    if (ks_operator_open(options, &access, why) == KS_OK)
        (void)ks_operator_ask(access, &request, is_no_account, &is_found, &end, why);
    ks_operator_close(access);
    return is_found;
}

/* What there is to say of a key that was looked for. */
static bool tell(const struct ks_server_options *options, enum ks_result result,
                 const struct ks_host_key_place *place, const char *why, struct ks_control_finding *finding)
{
    *finding = (struct ks_control_finding){.is_wrong = true};
    if (result == KS_OK || (result == KS_NOT_FOUND && !has_accounts(options)))
        return false;
    if (result == KS_NOT_FOUND) {
        (void)snprintf(finding->what, sizeof finding->what, "%.500s is not there, or empty",
                       place->directory);
        (void)snprintf(
            finding->meaning, sizeof finding->meaning,
            "the host key is lost, and the next start makes a new one: bring it back from a backup "
            "before; " LOCKED_OUT);
    } else {
        (void)snprintf(finding->what, sizeof finding->what, "%.639s", why);
        (void)snprintf(finding->meaning, sizeof finding->meaning,
                       "the secure port does not start with it; and " LOCKED_OUT);
    }
    return true;
}

bool ks_operator_check_host_key(const struct ks_server_options *options, struct ks_control_finding *finding)
{
    struct ks_host_key_place place;
    struct ks_host_key_shown shown;
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    char ignored[KS_HOST_KEY_WHY_SIZE] = "";
    struct ks_tls_identity *identity = NULL;
    if (strcmp(options->secure, "off") == 0 || ks_operator_enter(options->data, why) != KS_OK)
        return false; /* what keeps us out keeps the check out, too */
    enum ks_result result =
        ks_host_key_find(options->data, options->certificate, options->private_key, &place, why);
    /* What it was given may be closed to us, and is looked at whenever the server reads it. */
    if (result == KS_OK &&
        (place.is_given || (ks_host_key_shown_read(&place, &shown, ignored) == KS_OK && shown.is_given)))
        return false;
    if (result == KS_OK)
        result = ks_host_key_read(&place, &identity, why);
    ks_tls_identity_free(identity);
    return tell(options, result, &place, why, finding);
}

bool ks_operator_check_line(void *context, const char *line, size_t size)
{
    struct ks_operator_check *check = context;
    struct ks_control_sums sums;
    char changed[KS_CONTROL_LINE_LIMIT];
    if (check->finding == NULL || ks_control_sums_parse(line, size, &sums) != KS_OK)
        return check->line(check->context, line, size);
    size_t used = ks_control_finding_encode(check->finding, changed);
    if (!check->line(check->context, changed, used))
        return false;
    check->was_wrong = check->finding->is_wrong;
    sums.wrong += check->was_wrong ? 1 : 0;
    used = ks_control_sums_encode(&sums, changed);
    return check->line(check->context, changed, used);
}
