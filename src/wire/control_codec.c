/* control_codec.c — see control_codec.h. */
#include "wire/control_codec.h"

#include "base/base64url.h"
#include "base/clock.h"
#include "base/text.h"
#include "wire/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define VERSION "1"

static const struct {
    const char *word;
    bool has_name;
} verbs[] = {
    [KS_CONTROL_USERS] = {"users", false},        [KS_CONTROL_USER] = {"user", true},
    [KS_CONTROL_RESET_KEY] = {"reset-key", true}, [KS_CONTROL_REMOVE] = {"remove", true},
    [KS_CONTROL_GROUPS] = {"groups", false},      [KS_CONTROL_CHECK] = {"check", false},
    [KS_CONTROL_REPAIR] = {"repair", false},      [KS_CONTROL_INVITE] = {"invite", true},
};

/* ---- requests ---- */

/* The size of what stands before the next blank. */
static size_t word_size(const char *line, size_t size)
{
    const char *blank = memchr(line, ' ', size);
    return blank != NULL ? (size_t)(blank - line) : size;
}

static bool is_word(const char *line, size_t size, const char *word)
{
    return size == strlen(word) && memcmp(line, word, size) == 0;
}

/* Names of accounts are of any letters; whatever else is wrong with one, nobody has it. */
static bool is_name(const char *text, size_t size)
{
    size_t used = 0;
    bool is_blank = true;
    if (size >= KS_TEXT_FIELD_SIZE)
        return false;
    while (used < size) {
        const uint8_t *next = (const uint8_t *)text + used;
        size_t length = ks_text_utf8_length(next, size - used);
        if (length == 0 || !ks_text_is_harmless(next, length))
            return false;
        is_blank = is_blank && *next == ' ';
        used += length;
    }
    return !is_blank;
}

static enum ks_result parse_name(const char *line, size_t size, char name[static KS_TEXT_FIELD_SIZE])
{
    if (!is_name(line, size))
        return KS_INVALID;
    memcpy(name, line, size);
    return KS_OK;
}

/* Digits up to the next blank, which is taken, or the end. False for anything else. */
static bool take_number(const char **line, size_t *size, uint64_t most, uint64_t *number)
{
    size_t digits = word_size(*line, *size);
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(unsigned char)(*line)[i] - '0';
        if (digit > 9 || *number > (most - digit) / 10)
            return false;
        *number = *number * 10 + digit;
    }
    bool is_last = digits == *size;
    *line += digits + (is_last ? 0 : 1);
    *size -= digits + (is_last ? 0 : 1);
    return digits > 0 && (is_last || *size > 0);
}

static enum ks_result parse_invite(const char *line, size_t size, struct ks_control_request *request)
{
    uint64_t uses = 0;
    uint64_t until = 0;
    if (!take_number(&line, &size, UINT32_MAX, &uses) || uses == 0 || size == 0 ||
        !take_number(&line, &size, INT64_MAX, &until))
        return KS_INVALID;
    request->invite = (struct ks_control_invite){.uses = (uint32_t)uses, .until = (int64_t)until};
    return size > 0 ? parse_name(line, size, request->name) : KS_OK;
}

enum ks_result ks_control_request_parse(const char *line, size_t size, struct ks_control_request *request)
{
    memset(request, 0, sizeof *request);
    if (size == 0)
        return KS_REFUSED;
    size_t version = word_size(line, size);
    if (!is_word(line, version, VERSION))
        return KS_REFUSED;
    if (version == size)
        return KS_INVALID;
    line += version + 1;
    size -= version + 1;
    size_t verb = word_size(line, size);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (!is_word(line, verb, verbs[i].word) || verbs[i].has_name != (verb < size))
            continue;
        request->verb = (enum ks_control_verb)i;
        if (request->verb == KS_CONTROL_INVITE)
            return parse_invite(line + verb + 1, size - verb - 1, request);
        return verbs[i].has_name ? parse_name(line + verb + 1, size - verb - 1, request->name) : KS_OK;
    }
    return KS_INVALID;
}

static size_t encode_invite(const struct ks_control_request *request,
                            char line[static KS_CONTROL_REQUEST_LIMIT])
{
    int size = snprintf(line, KS_CONTROL_REQUEST_LIMIT, VERSION " invite %" PRIu32 " %" PRId64 "%s%s\n",
                        request->invite.uses, request->invite.until, request->name[0] != '\0' ? " " : "",
                        request->name);
    return size > 0 ? (size_t)size : 0;
}

size_t ks_control_request_encode(const struct ks_control_request *request,
                                 char line[static KS_CONTROL_REQUEST_LIMIT])
{
    if (request->verb == KS_CONTROL_INVITE)
        return encode_invite(request, line);
    bool has_name = verbs[request->verb].has_name;
    int size = snprintf(line, KS_CONTROL_REQUEST_LIMIT, VERSION " %s%s%s\n", verbs[request->verb].word,
                        has_name ? " " : "", has_name ? request->name : "");
    return size > 0 ? (size_t)size : 0;
}

/* ---- times ---- */

static void put_time(struct ks_json_writer *writer, const char *name, int64_t seconds)
{
    char text[KS_CLOCK_SHOWN_SIZE];
    ks_clock_show(seconds, text);
    ks_json_text(writer, name, text, sizeof text - 1);
}

static bool read_time(const struct ks_json_member *member, int64_t *seconds)
{
    struct tm parts = {0};
    if (member->kind != KS_JSON_TEXT)
        return false;
    const char *end = strptime(member->text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    if (end == NULL || *end != '\0')
        return false;
    *seconds = timegm(&parts);
    return true;
}

static bool read_number(const struct ks_json_member *member, uint64_t *number)
{
    *number = member->number;
    return member->kind == KS_JSON_NUMBER;
}

/* Text that fits `capacity` with a NUL; null is no text. */
static bool read_text(const struct ks_json_member *member, char *text, size_t capacity)
{
    text[0] = '\0';
    if (member->kind == KS_JSON_NULL)
        return true;
    if (member->kind != KS_JSON_TEXT || member->text_size >= capacity)
        return false;
    memcpy(text, member->text, member->text_size + 1);
    return true;
}

/* ---- users ---- */

size_t ks_control_user_encode(const struct ks_control_user *user, char line[static KS_CONTROL_LINE_LIMIT])
{
    struct ks_json_writer writer = ks_json_begin(line, KS_CONTROL_LINE_LIMIT);
    ks_json_text(&writer, "name", user->name, strnlen(user->name, sizeof user->name));
    put_time(&writer, "registered", user->registered);
    put_time(&writer, "last_seen", user->last_seen);
    ks_json_flag(&writer, "has_key", user->has_key);
    ks_json_number(&writer, "files", user->files);
    ks_json_number(&writer, "file_bytes", user->file_bytes);
    ks_json_number(&writer, "messages", user->messages);
    ks_json_number(&writer, "message_bytes", user->message_bytes);
    if (user->is_account) {
        ks_json_flag(&writer, "account", true);
        ks_json_flag(&writer, "classic", user->is_classic);
    }
    if (!user->is_detailed)
        return ks_json_end(&writer);
    if (user->puts > 0) {
        ks_json_number(&writer, "puts", user->puts);
        ks_json_number(&writer, "put_bytes", user->put_bytes);
    }
    ks_json_text(&writer, "public_id", user->public_id, strlen(user->public_id));
    if (user->key_fingerprint[0] != '\0')
        ks_json_text(&writer, "key_fingerprint", user->key_fingerprint, strlen(user->key_fingerprint));
    else
        ks_json_null(&writer, "key_fingerprint");
    if (user->is_account)
        ks_json_text(&writer, "short_fingerprint", user->short_fingerprint, strlen(user->short_fingerprint));
    return ks_json_end(&writer);
}

static bool read_user_number(const struct ks_json_member *member, struct ks_control_user *user)
{
    const struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {{"files", &user->files},       {"file_bytes", &user->file_bytes},
                   {"messages", &user->messages}, {"message_bytes", &user->message_bytes},
                   {"puts", &user->puts},         {"put_bytes", &user->put_bytes}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (strcmp(member->name, numbers[i].name) == 0)
            return read_number(member, numbers[i].number);
    return true; /* a member of a newer kesher */
}

static bool read_flag(const struct ks_json_member *member, bool *flag)
{
    *flag = member->kind == KS_JSON_TRUE;
    return member->kind == KS_JSON_TRUE || member->kind == KS_JSON_FALSE;
}

static bool read_user_flag(const struct ks_json_member *member, struct ks_control_user *user)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"has_key", &user->has_key}, {"account", &user->is_account}, {"classic", &user->is_classic}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (strcmp(member->name, flags[i].name) == 0)
            return read_flag(member, flags[i].flag);
    return read_user_number(member, user);
}

static bool read_user_member(const struct ks_json_member *member, struct ks_control_user *user)
{
    if (strcmp(member->name, "name") == 0)
        return read_text(member, user->name, sizeof user->name) && user->name[0] != '\0';
    if (strcmp(member->name, "registered") == 0)
        return read_time(member, &user->registered);
    if (strcmp(member->name, "last_seen") == 0)
        return read_time(member, &user->last_seen);
    if (strcmp(member->name, "public_id") == 0) {
        user->is_detailed = true;
        return read_text(member, user->public_id, sizeof user->public_id);
    }
    if (strcmp(member->name, "key_fingerprint") == 0)
        return read_text(member, user->key_fingerprint, sizeof user->key_fingerprint);
    if (strcmp(member->name, "short_fingerprint") == 0)
        return read_text(member, user->short_fingerprint, sizeof user->short_fingerprint);
    return read_user_flag(member, user);
}

enum ks_result ks_control_user_parse(const char *line, size_t size, struct ks_control_user *user)
{
    struct ks_json_reader reader = ks_json_read(line, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    memset(user, 0, sizeof *user);
    while ((result = ks_json_next(&reader, &member)) == KS_OK)
        if (!read_user_member(&member, user))
            return KS_INVALID;
    return result == KS_NOT_FOUND && user->name[0] != '\0' ? KS_OK : KS_INVALID;
}

/* ---- groups ---- */

size_t ks_control_group_encode(const struct ks_control_group *group, char line[static KS_CONTROL_LINE_LIMIT])
{
    struct ks_json_writer writer = ks_json_begin(line, KS_CONTROL_LINE_LIMIT);
    ks_json_number(&writer, "group", group->number);
    ks_json_number(&writer, "members", group->members);
    put_time(&writer, "since", group->since);
    ks_json_number(&writer, "messages", group->messages);
    ks_json_flag(&writer, "secure", group->is_secure);
    return ks_json_end(&writer);
}

static bool read_group_member(const struct ks_json_member *member, struct ks_control_group *group)
{
    if (strcmp(member->name, "group") == 0)
        return read_number(member, &group->number) && group->number > 0;
    if (strcmp(member->name, "members") == 0)
        return read_number(member, &group->members);
    if (strcmp(member->name, "since") == 0)
        return read_time(member, &group->since);
    if (strcmp(member->name, "messages") == 0)
        return read_number(member, &group->messages);
    if (strcmp(member->name, "secure") == 0) {
        group->is_secure = member->kind == KS_JSON_TRUE;
        return member->kind == KS_JSON_TRUE || member->kind == KS_JSON_FALSE;
    }
    return true;
}

enum ks_result ks_control_group_parse(const char *line, size_t size, struct ks_control_group *group)
{
    struct ks_json_reader reader = ks_json_read(line, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    memset(group, 0, sizeof *group);
    while ((result = ks_json_next(&reader, &member)) == KS_OK)
        if (!read_group_member(&member, group))
            return KS_INVALID;
    return result == KS_NOT_FOUND && group->number > 0 ? KS_OK : KS_INVALID;
}

/* ---- checks ---- */

/* What does not fit a line is cut: half of it is enough for all three texts, whatever is escaped in them. */
static void put_cut(struct ks_json_writer *writer, const char *name, const char *text, size_t limit)
{
    ks_json_text(writer, name, text, strnlen(text, limit));
}

size_t ks_control_finding_encode(const struct ks_control_finding *finding,
                                 char line[static KS_CONTROL_LINE_LIMIT])
{
    enum { WHAT_LIMIT = 560, MEANING_LIMIT = 200, DONE_LIMIT = 200 };
    struct ks_json_writer writer = ks_json_begin(line, KS_CONTROL_LINE_LIMIT);
    ks_json_flag(&writer, "wrong", finding->is_wrong);
    put_cut(&writer, "what", finding->what, WHAT_LIMIT);
    put_cut(&writer, "means", finding->meaning, MEANING_LIMIT);
    if (finding->done[0] != '\0')
        put_cut(&writer, "done", finding->done, DONE_LIMIT);
    else
        ks_json_null(&writer, "done");
    return ks_json_end(&writer);
}

static bool read_finding_member(const struct ks_json_member *member, struct ks_control_finding *finding)
{
    if (strcmp(member->name, "what") == 0)
        return read_text(member, finding->what, sizeof finding->what);
    if (strcmp(member->name, "means") == 0)
        return read_text(member, finding->meaning, sizeof finding->meaning);
    if (strcmp(member->name, "done") == 0)
        return read_text(member, finding->done, sizeof finding->done);
    if (strcmp(member->name, "wrong") != 0)
        return true; /* a member of a newer kesher */
    finding->is_wrong = member->kind == KS_JSON_TRUE;
    return member->kind == KS_JSON_TRUE || member->kind == KS_JSON_FALSE;
}

enum ks_result ks_control_finding_parse(const char *line, size_t size, struct ks_control_finding *finding)
{
    struct ks_json_reader reader = ks_json_read(line, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    memset(finding, 0, sizeof *finding);
    while ((result = ks_json_next(&reader, &member)) == KS_OK)
        if (!read_finding_member(&member, finding))
            return KS_INVALID;
    return result == KS_NOT_FOUND && finding->what[0] != '\0' ? KS_OK : KS_INVALID;
}

size_t ks_control_sums_encode(const struct ks_control_sums *sums, char line[static KS_CONTROL_LINE_LIMIT])
{
    struct ks_json_writer writer = ks_json_begin(line, KS_CONTROL_LINE_LIMIT);
    ks_json_number(&writer, "files", sums->files);
    ks_json_number(&writer, "messages", sums->messages);
    ks_json_number(&writer, "wrong_things", sums->wrong);
    return ks_json_end(&writer);
}

enum ks_result ks_control_sums_parse(const char *line, size_t size, struct ks_control_sums *sums)
{
    struct ks_json_reader reader = ks_json_read(line, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    bool is_whole = false;
    memset(sums, 0, sizeof *sums);
    while ((result = ks_json_next(&reader, &member)) == KS_OK) {
        bool sound = true;
        if (strcmp(member.name, "files") == 0)
            sound = read_number(&member, &sums->files);
        else if (strcmp(member.name, "messages") == 0)
            sound = read_number(&member, &sums->messages);
        else if (strcmp(member.name, "wrong_things") == 0)
            sound = is_whole = read_number(&member, &sums->wrong);
        if (!sound)
            return KS_INVALID;
    }
    return result == KS_NOT_FOUND && is_whole ? KS_OK : KS_INVALID;
}

/* ---- invitations ---- */

size_t ks_control_invitation_encode(const struct ks_control_invitation *invitation,
                                    char line[static KS_CONTROL_LINE_LIMIT])
{
    struct ks_json_writer writer = ks_json_begin(line, KS_CONTROL_LINE_LIMIT);
    char text[KS_INVITATION_TEXT_SIZE];
    ks_base64url_encode(invitation->code, sizeof invitation->code, text);
    ks_json_text(&writer, "invitation", text, sizeof text - 1);
    return ks_json_end(&writer);
}

enum ks_result ks_control_invitation_parse(const char *line, size_t size,
                                           struct ks_control_invitation *invitation)
{
    struct ks_json_reader reader = ks_json_read(line, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    bool is_whole = false;
    while ((result = ks_json_next(&reader, &member)) == KS_OK) {
        if (strcmp(member.name, "invitation") != 0)
            continue;
        if (member.kind != KS_JSON_TEXT ||
            ks_base64url_decode(member.text, member.text_size, invitation->code, sizeof invitation->code) !=
                KS_OK)
            return KS_INVALID;
        is_whole = true;
    }
    return result == KS_NOT_FOUND && is_whole ? KS_OK : KS_INVALID;
}

/* ---- the end ---- */

static const struct {
    const char *word;
    enum ks_result result;
} endings[] = {
    {"failed", KS_IO}, /* the first one stands for all others */
    {"ok", KS_OK},     {"not found", KS_NOT_FOUND}, {"invalid", KS_INVALID}, {"busy", KS_REFUSED},
};

enum { ENDINGS = sizeof endings / sizeof endings[0] };

size_t ks_control_end_encode(const struct ks_control_end *end, char line[static KS_CONTROL_LINE_LIMIT])
{
    struct ks_json_writer writer = ks_json_begin(line, KS_CONTROL_LINE_LIMIT);
    const char *word = endings[0].word;
    for (size_t i = 1; i < ENDINGS; i++)
        if (endings[i].result == end->result)
            word = endings[i].word;
    ks_json_text(&writer, "result", word, strlen(word));
    if (end->message[0] != '\0')
        ks_json_text(&writer, "message", end->message, strnlen(end->message, sizeof end->message));
    return ks_json_end(&writer);
}

static bool read_result(const struct ks_json_member *member, struct ks_control_end *end)
{
    for (size_t i = 0; i < ENDINGS; i++) {
        if (member->kind != KS_JSON_TEXT || strcmp(member->text, endings[i].word) != 0)
            continue;
        end->result = endings[i].result;
        return true;
    }
    return false;
}

enum ks_result ks_control_end_parse(const char *line, size_t size, struct ks_control_end *end)
{
    struct ks_json_reader reader = ks_json_read(line, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    bool ends = false;
    memset(end, 0, sizeof *end);
    while ((result = ks_json_next(&reader, &member)) == KS_OK) {
        bool sound = true;
        if (strcmp(member.name, "result") == 0) {
            sound = read_result(&member, end);
            ends = true;
        } else if (strcmp(member.name, "message") == 0) {
            sound = read_text(&member, end->message, sizeof end->message);
        }
        if (!sound)
            return KS_INVALID;
    }
    if (result != KS_NOT_FOUND)
        return KS_INVALID;
    return ends ? KS_OK : KS_NOT_FOUND;
}
