/* host_key_shown.c — see host_key_shown.h. */
#include "server/host_key_shown.h"

#include "base/file.h"
#include "server/host_key_directory.h"
#include "wire/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SHOWN_FILE "shown"

enum { SHOWN_LIMIT = 4096 };

void ks_host_key_shown_of(const struct ks_tls_identity *identity, bool is_given,
                          struct ks_host_key_shown *shown)
{
    *shown = (struct ks_host_key_shown){.is_given = is_given,
                                        .is_self_signed = ks_tls_identity_is_self_signed(identity)};
    ks_tls_identity_fingerprint(identity, shown->fingerprint);
    if (!ks_tls_identity_name(identity, shown->name, sizeof shown->name))
        shown->name[0] = '\0';
}

/* False when a member is not what it should be; unknown ones are passed over. */
static bool take_member(const struct ks_json_member *member, struct ks_host_key_shown *shown, bool *known)
{
    bool is_text = member->kind == KS_JSON_TEXT;
    bool is_flag = member->kind == KS_JSON_TRUE || member->kind == KS_JSON_FALSE;
    if (strcmp(member->name, "fingerprint") == 0) {
        *known =
            is_text && ks_tls_fingerprint_parse(member->text, member->text_size, shown->fingerprint) == KS_OK;
        return *known;
    }
    if (strcmp(member->name, "self_signed") == 0) {
        shown->is_self_signed = member->kind == KS_JSON_TRUE;
        return is_flag;
    }
    if (strcmp(member->name, "given") == 0) {
        shown->is_given = member->kind == KS_JSON_TRUE;
        return is_flag;
    }
    bool is_name = strcmp(member->name, "name") == 0;
    if (!is_name && strcmp(member->name, "address") != 0)
        return true;
    char *text = is_name ? shown->name : shown->address;
    size_t room = is_name ? sizeof shown->name : sizeof shown->address;
    if (!is_text || member->text_size >= room)
        return false;
    memcpy(text, member->text, member->text_size + 1);
    return true;
}

static enum ks_result parse(const struct ks_buffer *bytes, struct ks_host_key_shown *shown)
{
    struct ks_json_member member;
    bool known = false;
    enum ks_result result = KS_OK;
    struct ks_json_reader reader = ks_json_read((const char *)bytes->bytes, bytes->size);
    *shown = (struct ks_host_key_shown){.is_self_signed = true};
    while ((result = ks_json_next(&reader, &member)) == KS_OK)
        if (!take_member(&member, shown, &known))
            return KS_INVALID;
    return result == KS_NOT_FOUND && known ? KS_OK : KS_INVALID;
}

enum ks_result ks_host_key_shown_read(const struct ks_host_key_place *place, struct ks_host_key_shown *shown,
                                      char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    struct ks_buffer bytes = ks_buffer_empty(KS_HOST_KEY_FILE_LIMIT);
    enum ks_result result = ks_host_key_directory_open(place, false, &fd, why);
    if (result != KS_OK)
        return result;
    result = ks_host_key_file_read(fd, place->directory, SHOWN_FILE, KS_HOST_KEY_RULE_OWN, &bytes, why);
    close(fd);
    if (result == KS_OK) {
        result = parse(&bytes, shown);
        if (result != KS_OK)
            (void)snprintf(why, KS_HOST_KEY_WHY_SIZE,
                           "%s/" SHOWN_FILE " makes no sense: a start of the server writes it anew",
                           place->directory);
    }
    ks_buffer_free(&bytes);
    return result;
}

enum ks_result ks_host_key_shown_write(const struct ks_host_key_place *place,
                                       const struct ks_host_key_shown *shown,
                                       char why[static KS_HOST_KEY_WHY_SIZE])
{
    int fd = -1;
    char line[SHOWN_LIMIT];
    char fingerprint[KS_TLS_FINGERPRINT_TEXT_SIZE];
    struct ks_json_writer writer = ks_json_begin(line, sizeof line);
    ks_tls_fingerprint_text(shown->fingerprint, fingerprint);
    ks_json_text(&writer, "fingerprint", fingerprint, strlen(fingerprint));
    ks_json_flag(&writer, "self_signed", shown->is_self_signed);
    ks_json_flag(&writer, "given", shown->is_given);
    ks_json_text(&writer, "name", shown->name, strlen(shown->name));
    ks_json_text(&writer, "address", shown->address, strlen(shown->address));
    size_t size = ks_json_end(&writer);
    enum ks_result result = ks_host_key_directory_open(place, true, &fd, why);
    if (result != KS_OK)
        return result;
    result = ks_file_replace(fd, SHOWN_FILE, line, size, 0600);
    if (result == KS_IO || result == KS_NOT_FOUND)
        result = ks_host_key_fail(why, "write", place->directory, SHOWN_FILE);
    else if (result != KS_OK)
        (void)snprintf(why, KS_HOST_KEY_WHY_SIZE, "cannot write %s/" SHOWN_FILE ": %s", place->directory,
                       ks_result_text(result));
    close(fd);
    return result;
}
