/* operator_links.c — see operator_links.h. */
#include "server/operator_links.h"

#include "base/clock.h"
#include "crypto/base64.h"
#include "crypto/secret.h"
#include "server/operator_access.h"
#include "server/operator_complain.h"
#include "server/public_link.h"
#include "wire/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DAY_SECONDS = 86400, LINE_SIZE = 2048 };

/* ---- who the server is ---- */

/* What the operator gives may be closed to us, and systemd's credentials are: then counts what the server
 * said when it last read them. What is its own is read where it lies, which a change just now may have
 * changed. */
static enum ks_result find_shown(const struct ks_host_key_place *place, struct ks_host_key_shown *shown,
                                 char why[static KS_HOST_KEY_WHY_SIZE])
{
    char ignored[KS_HOST_KEY_WHY_SIZE] = "";
    struct ks_tls_identity *identity = NULL;
    struct ks_host_key_shown recorded;
    bool has_record = ks_host_key_shown_read(place, &recorded, ignored) == KS_OK;
    bool is_credential = has_record && recorded.is_given && !place->is_given;
    enum ks_result result = is_credential ? KS_IO : ks_host_key_read(place, &identity, why);
    if (result == KS_OK) {
        ks_host_key_shown_of(identity, place->is_given, shown);
        if (has_record)
            memcpy(shown->address, recorded.address, sizeof shown->address);
    } else if (has_record && recorded.is_given) {
        *shown = recorded;
        result = KS_OK;
    } else if (result == KS_NOT_FOUND && !place->is_given) {
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE,
                       "there is no host key in %s yet: the first start of the server makes it",
                       place->directory);
    }
    ks_tls_identity_free(identity);
    return result;
}

/* KS_OK; else `why` holds a sentence. */
static enum ks_result find_link(const struct ks_server_options *options, struct ks_public_link *found,
                                char why[static KS_HOST_KEY_WHY_SIZE])
{
    struct ks_host_key_place place;
    struct ks_host_key_shown shown;
    char machine[KS_LINK_HOST_SIZE] = "";
    if (strcmp(options->secure, "off") == 0) {
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "secure is off: there is no secure port to hand out");
        return KS_REFUSED;
    }
    enum ks_result result = ks_operator_enter(options->data, why);
    if (result == KS_OK)
        result = ks_host_key_find(options->data, options->certificate, options->private_key, &place, why);
    if (result == KS_OK)
        result = find_shown(&place, &shown, why);
    if (result != KS_OK)
        return result;
    bool is_named = gethostname(machine, sizeof machine - 1) == 0 && machine[0] != '\0';
    return ks_public_link_make(&shown, options->secure, options->host, is_named ? machine : NULL, found, why);
}

/* ---- address ---- */

static bool print_curl(const struct ks_public_link *found)
{
    struct ks_link page = found->link;
    char text[KS_LINK_SIZE];
    struct ks_buffer pin = ks_buffer_empty(LINE_SIZE);
    page.scheme = KS_LINK_HTTPS;
    page.has_fingerprint = false;
    ks_link_format(&page, text);
    bool printed =
        ks_base64_encode(found->fingerprint, sizeof found->fingerprint, &pin) == KS_OK &&
        printf("curl %s--pinnedpubkey sha256//%.*s %s\n", found->link.has_fingerprint ? "--insecure " : "",
               (int)pin.size, (const char *)pin.bytes, text) > 0;
    ks_buffer_free(&pin);
    return printed;
}

static bool print_object(const struct ks_public_link *found, const char *link)
{
    char line[LINE_SIZE];
    char fingerprint[KS_TLS_FINGERPRINT_TEXT_SIZE];
    struct ks_json_writer writer = ks_json_begin(line, sizeof line);
    ks_tls_fingerprint_text(found->fingerprint, fingerprint);
    ks_json_text(&writer, "link", link, strlen(link));
    ks_json_text(&writer, "host", found->link.host, strlen(found->link.host));
    ks_json_number(&writer, "port", found->link.port);
    ks_json_text(&writer, "fingerprint", fingerprint, strlen(fingerprint));
    ks_json_flag(&writer, "self_signed", found->link.has_fingerprint);
    size_t size = ks_json_end(&writer);
    return fwrite(line, 1, size, stdout) == size;
}

int ks_operator_print_address(const struct ks_server_options *options)
{
    struct ks_public_link found;
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    char link[KS_LINK_SIZE];
    if (find_link(options, &found, why) != KS_OK)
        return ks_operator_fail("%s", why);
    if (found.doubt[0] != '\0')
        (void)ks_operator_complain("%s", found.doubt);
    ks_link_format(&found.link, link);
    bool printed = options->json   ? print_object(&found, link)
                   : options->curl ? print_curl(&found)
                                   : puts(link) >= 0;
    return printed && fflush(stdout) == 0 ? EXIT_SUCCESS : ks_operator_fail("cannot print the answer");
}

/* ---- invite ---- */

/* Takes the one line of an answer to an invitation. */
static bool take_invitation(void *context, const char *line, size_t size)
{
    return ks_control_invitation_parse(line, size, context) == KS_OK;
}

static enum ks_result ask_for_invitation(const struct ks_server_options *options, int64_t until,
                                         struct ks_control_invitation *invitation,
                                         char why[static KS_OPERATOR_WHY_SIZE])
{
    struct ks_operator_access *access = NULL;
    struct ks_control_end end = {.result = KS_IO};
    struct ks_control_request request = {.verb = KS_CONTROL_INVITE,
                                         .invite = {.uses = options->uses, .until = until}};
    if (options->for_name != NULL)
        (void)snprintf(request.name, sizeof request.name, "%s", options->for_name);
    enum ks_result result = ks_operator_open(options, &access, why);
    if (result == KS_OK)
        result = ks_operator_ask(access, &request, take_invitation, invitation, &end, why);
    ks_operator_close(access);
    if (result == KS_CLOSED)
        (void)snprintf(why, KS_OPERATOR_WHY_SIZE, "the server said something strange");
    if (result == KS_OK && end.result != KS_OK) {
        (void)snprintf(why, KS_OPERATOR_WHY_SIZE, "%s", end.message);
        result = end.result;
    }
    return result;
}

static bool print_invitation_object(const struct ks_server_options *options, const char *link, int64_t until)
{
    char line[LINE_SIZE];
    struct ks_json_writer writer = ks_json_begin(line, sizeof line);
    ks_json_text(&writer, "link", link, strlen(link));
    ks_json_number(&writer, "uses", options->uses);
    if (until != 0)
        ks_json_number(&writer, "until", (uint64_t)until);
    else
        ks_json_null(&writer, "until");
    if (options->for_name != NULL)
        ks_json_text(&writer, "for", options->for_name, strlen(options->for_name));
    else
        ks_json_null(&writer, "for");
    size_t size = ks_json_end(&writer);
    bool printed = fwrite(line, 1, size, stdout) == size;
    ks_secret_wipe(line, sizeof line);
    return printed;
}

static bool print_invitation(const struct ks_server_options *options, struct ks_public_link *found,
                             int64_t until, const struct ks_control_invitation *invitation)
{
    char link[KS_LINK_SIZE];
    found->link.scheme = KS_LINK_HTTPS; /* that browsers open: they tell what to do with it */
    found->link.has_code = true;
    memcpy(found->link.code, invitation->code, sizeof found->link.code);
    ks_link_format(&found->link, link);
    bool printed = options->json ? print_invitation_object(options, link, until) : puts(link) >= 0;
    ks_secret_wipe(link, sizeof link);
    ks_secret_wipe(&found->link, sizeof found->link);
    return printed && fflush(stdout) == 0;
}

/* The link is sound before an invitation is made: one that nobody can hand out is of no use. */
int ks_operator_print_invitation(const struct ks_server_options *options)
{
    struct ks_public_link found;
    struct ks_control_invitation invitation;
    char host_why[KS_HOST_KEY_WHY_SIZE] = "";
    char why[KS_OPERATOR_WHY_SIZE] = "";
    int64_t until = options->days == 0
                        ? 0
                        : ks_clock_wall_seconds(ks_clock_system()) + (int64_t)options->days * DAY_SECONDS;
    if (find_link(options, &found, host_why) != KS_OK)
        return ks_operator_fail("%s", host_why);
    if (ask_for_invitation(options, until, &invitation, why) != KS_OK)
        return ks_operator_fail("%s", why);
    if (found.doubt[0] != '\0')
        (void)ks_operator_complain("%s", found.doubt);
    bool printed = print_invitation(options, &found, until, &invitation);
    ks_secret_wipe(&invitation, sizeof invitation);
    return printed ? EXIT_SUCCESS : ks_operator_fail("cannot print the answer");
}
