/* operator_check.c — see operator_check.h. */
#include "server/operator_check.h"

#include "server/host_key_shown.h"

#include <stdio.h>
#include <string.h>

#define LOCKED_OUT "every client that knows this server by its key refuses another one"

static void tell_missing(const struct ks_host_key_place *place, struct ks_control_finding *finding)
{
    (void)snprintf(finding->what, sizeof finding->what, "%.500s is not there, or empty", place->directory);
    (void)snprintf(finding->meaning, sizeof finding->meaning,
                   "the next start makes a new host key; if there was one, bring it back from a backup "
                   "before: " LOCKED_OUT);
}

bool ks_operator_check_host_key(const struct ks_server_options *options, struct ks_control_finding *finding)
{
    struct ks_host_key_place place;
    struct ks_host_key_shown shown;
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    char ignored[KS_HOST_KEY_WHY_SIZE] = "";
    struct ks_tls_identity *identity = NULL;
    *finding = (struct ks_control_finding){.is_wrong = true};
    if (strcmp(options->secure, "off") == 0)
        return false;
    enum ks_result result = ks_operator_enter(options->data, why);
    if (result == KS_OK)
        result = ks_host_key_find(options->data, options->certificate, options->private_key, &place, why);
    /* What it was given may be closed to us, and is looked at whenever the server reads it. */
    if (result == KS_OK &&
        (place.is_given || (ks_host_key_shown_read(&place, &shown, ignored) == KS_OK && shown.is_given)))
        return false;
    if (result == KS_OK)
        result = ks_host_key_read(&place, &identity, why);
    ks_tls_identity_free(identity);
    if (result == KS_OK)
        return false;
    finding->is_wrong = result != KS_NOT_FOUND;
    if (result == KS_NOT_FOUND) {
        tell_missing(&place, finding);
    } else {
        (void)snprintf(finding->what, sizeof finding->what, "%.639s", why);
        (void)snprintf(finding->meaning, sizeof finding->meaning,
                       "the secure port does not start with it; and " LOCKED_OUT);
    }
    return true;
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
