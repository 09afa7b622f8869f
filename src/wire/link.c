/* link.c — see link.h. */
#include "wire/link.h"

#include "base/base64url.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum {
    CODE_LENGTH = KS_BASE64URL_LENGTH(KS_INVITATION_SIZE),
    FINGERPRINT_LENGTH = KS_BASE64URL_LENGTH(KS_SERVER_FINGERPRINT_SIZE),
    LABEL_LIMIT = 63,
    PORT_DIGITS = 5,
    PORT_LIMIT = 65535,
};

#define SCHEME_END "://"
#define JOIN_PATH  "/join"

struct scheme {
    const char *name;
    uint16_t port;
};

static const struct scheme schemes[] = {
    [KS_LINK_KESHER] = {"kesher", KS_LINK_KESHER_PORT},
    [KS_LINK_HTTPS] = {"https", KS_LINK_HTTPS_PORT},
};

struct link_part {
    const char *text;
    size_t size;
};

static enum ks_result complain(const char **why, const char *sentence)
{
    *why = sentence;
    return KS_INVALID;
}

/* ---- spans ---- */

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

static struct link_part trimmed(const char *text, size_t size)
{
    while (size > 0 && is_blank(text[0])) {
        text++;
        size--;
    }
    while (size > 0 && is_blank(text[size - 1]))
        size--;
    return (struct link_part){.text = text, .size = size};
}

/* Where the first of these characters stands; the end where none does. */
static size_t find_any(struct link_part span, const char *characters)
{
    size_t place = 0;
    while (place < span.size && (span.text[place] == '\0' || strchr(characters, span.text[place]) == NULL))
        place++;
    return place;
}

static struct link_part behind(struct link_part span, size_t place)
{
    return (struct link_part){.text = span.text + place, .size = span.size - place};
}

static struct link_part before(struct link_part span, size_t place)
{
    return (struct link_part){.text = span.text, .size = place};
}

static bool is_text(struct link_part span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.text, text, span.size) == 0;
}

/* ---- hosts ---- */

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static bool is_of_name(char character)
{
    return is_digit(character) || is_letter(character) || character == '-' || character == '_';
}

static enum ks_result parse_ipv6(struct link_part text, char host[static KS_LINK_HOST_SIZE], const char **why)
{
    char copy[INET6_ADDRSTRLEN];
    struct in6_addr address;
    if (text.size < sizeof copy && memchr(text.text, '\0', text.size) == NULL) {
        memcpy(copy, text.text, text.size);
        copy[text.size] = '\0';
        if (inet_pton(AF_INET6, copy, &address) == 1 &&
            inet_ntop(AF_INET6, &address, host, KS_LINK_HOST_SIZE) != NULL)
            return KS_OK;
    }
    return complain(why, "what stands in brackets is no IPv6 address");
}

/* Systems take "127.1" and "0x7f000001" for IPv4 addresses, too, and browsers do for whatever ends in a
 * number. So that nobody reads another host than is dialled, only the usual form is one here, and the others
 * are none. */
static bool ends_in_a_number(struct link_part text)
{
    size_t begin = text.size;
    while (begin > 0 && text.text[begin - 1] != '.')
        begin--;
    struct link_part last = behind(text, begin);
    bool is_hex = last.size >= 2 && last.text[0] == '0' && (last.text[1] == 'x' || last.text[1] == 'X');
    if (is_hex)
        last = behind(last, 2);
    for (size_t i = 0; i < last.size; i++) {
        char character = last.text[i];
        bool is_hex_letter = (character >= 'a' && character <= 'f') || (character >= 'A' && character <= 'F');
        if (!is_digit(character) && !(is_hex && is_hex_letter))
            return false;
    }
    return last.size > 0 || is_hex;
}

static enum ks_result judge_labels(struct link_part text, const char **why)
{
    while (true) {
        size_t end = find_any(text, ".");
        struct link_part label = before(text, end);
        if (label.size < 1 || label.size > LABEL_LIMIT)
            return complain(why, "between the dots of a host's name stand 1 to 63 characters");
        if (label.text[0] == '-' || label.text[label.size - 1] == '-')
            return complain(why, "no part of a host's name begins or ends with -");
        if (end == text.size)
            return KS_OK;
        text = behind(text, end + 1);
    }
}

static enum ks_result parse_name(struct link_part text, char host[static KS_LINK_HOST_SIZE], const char **why)
{
    struct in_addr address;
    if (text.size < 1)
        return complain(why, "the host is missing");
    if (text.size >= KS_LINK_HOST_SIZE)
        return complain(why, "the host's name is too long: it has 253 characters at most");
    for (size_t i = 0; i < text.size; i++) {
        if ((unsigned char)text.text[i] > 0x7e)
            return complain(why, "a host's name with other letters than a to z is written as xn--...");
        if (!is_of_name(text.text[i]) && text.text[i] != '.')
            return complain(why, "a host's name has letters, digits, dots, - and _ only");
    }
    if (judge_labels(text, why) != KS_OK)
        return KS_INVALID;
    ks_text_to_lower(text.text, text.size, host);
    host[text.size] = '\0';
    if (ends_in_a_number(text) && inet_pton(AF_INET, host, &address) != 1)
        return complain(why, "the host is no IPv4 address: that is four numbers of 0 to 255");
    return KS_OK;
}

enum ks_result ks_link_host_parse(const char *text, size_t size, char host[static KS_LINK_HOST_SIZE],
                                  const char **why)
{
    struct link_part span = {.text = text, .size = size};
    if (size >= 2 && text[0] == '[' && text[size - 1] == ']')
        return parse_ipv6((struct link_part){.text = text + 1, .size = size - 2}, host, why);
    if (size > 0 && memchr(text, ':', size) != NULL)
        return parse_ipv6(span, host, why);
    return parse_name(span, host, why);
}

/* ---- HOST[:PORT] ---- */

static enum ks_result parse_port(struct link_part text, uint16_t *port, const char **why)
{
    unsigned value = 0;
    bool is_sound = text.size >= 1 && text.size <= PORT_DIGITS;
    for (size_t i = 0; is_sound && i < text.size; i++) {
        is_sound = is_digit(text.text[i]);
        value = value * 10 + (unsigned)(text.text[i] - '0');
    }
    if (!is_sound || value < 1 || value > PORT_LIMIT)
        return complain(why, "the port is a number from 1 to 65535");
    *port = (uint16_t)value;
    return KS_OK;
}

static enum ks_result parse_authority(struct link_part text, struct ks_link *link, const char **why)
{
    if (find_any(text, "@") < text.size)
        return complain(why, "no user's name and no password stand before the host (@)");
    size_t end = find_any(text, ":");
    if (text.size > 0 && text.text[0] == '[') {
        end = find_any(text, "]") + 1;
        if (end > text.size)
            return complain(why, "the ] behind the IPv6 address is missing");
        if (end < text.size && text.text[end] != ':')
            return complain(why, "behind the ] of an IPv6 address stands :PORT or /");
    } else if (end < text.size && find_any(behind(text, end + 1), ":") < text.size - end - 1) {
        return complain(why, "an IPv6 address stands in brackets");
    }
    struct link_part host = before(text, end);
    if (ks_link_host_parse(host.text, host.size, link->host, why) != KS_OK)
        return KS_INVALID;
    return end == text.size ? KS_OK : parse_port(behind(text, end + 1), &link->port, why);
}

/* ---- what stands behind # ---- */

static enum ks_result parse_fingerprint(struct link_part text, struct ks_link *link, const char **why)
{
    if (find_any(text, ".") < text.size)
        return complain(why, "more stands behind the fingerprint than belongs there");
    if (text.size != FINGERPRINT_LENGTH)
        return complain(why, "the fingerprint has 43 characters: was a part of the link lost?");
    if (ks_base64url_decode(text.text, text.size, link->fingerprint, sizeof link->fingerprint) != KS_OK)
        return complain(why, "the fingerprint has a wrong character");
    link->has_fingerprint = true;
    return KS_OK;
}

static enum ks_result parse_code(struct link_part text, struct ks_link *link, const char **why)
{
    size_t end = find_any(text, ".");
    if (end != CODE_LENGTH)
        return complain(why, "the invitation has 22 characters: was a part of the link lost?");
    if (ks_base64url_decode(text.text, end, link->code, sizeof link->code) != KS_OK)
        return complain(why, "the invitation has a wrong character");
    link->has_code = true;
    return end == text.size ? KS_OK : parse_fingerprint(behind(text, end + 1), link, why);
}

/* `text` begins with the first of "/", "?" and "#" behind the host, or is empty. */
static enum ks_result parse_place(struct link_part text, struct ks_link *link, const char **why)
{
    size_t hash = find_any(text, "#");
    bool has_hash = hash < text.size;
    struct link_part path = before(text, hash);
    struct link_part parts = behind(text, has_hash ? hash + 1 : hash);
    if (is_text(path, JOIN_PATH))
        return has_hash ? parse_code(parts, link, why)
                        : complain(why, "the invitation is missing, which stands behind /join#");
    if (path.size > 0 && !is_text(path, "/"))
        return complain(why, "behind the host stands / or /join# and an invitation");
    return has_hash ? parse_fingerprint(parts, link, why) : KS_OK;
}

/* ---- links ---- */

static size_t scheme_end(struct link_part text)
{
    const char *end = text.size > 0 ? memmem(text.text, text.size, SCHEME_END, strlen(SCHEME_END)) : NULL;
    return end == NULL ? text.size : (size_t)(end - text.text);
}

bool ks_link_is_meant(const char *text, size_t size)
{
    struct link_part span = {.text = text, .size = size};
    return scheme_end(span) < size;
}

static bool find_scheme(struct link_part name, struct ks_link *link)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        if (name.size != strlen(schemes[i].name) ||
            !ks_text_equals_in_any_case(name.text, schemes[i].name, name.size))
            continue;
        link->scheme = (enum ks_link_scheme)i;
        link->port = schemes[i].port;
        return true;
    }
    return false;
}

enum ks_result ks_link_parse(const char *text, size_t size, struct ks_link *link, const char **why)
{
    struct link_part span = trimmed(text, size);
    size_t end = scheme_end(span);
    memset(link, 0, sizeof *link);
    *why = "";
    if (end == span.size || !find_scheme(before(span, end), link))
        return complain(why, "a link begins with kesher:// or https://");
    span = behind(span, end + strlen(SCHEME_END));
    end = find_any(span, "/?#");
    enum ks_result result = parse_authority(before(span, end), link, why);
    return result == KS_OK ? parse_place(behind(span, end), link, why) : result;
}

void ks_link_format(const struct ks_link *link, char text[static KS_LINK_SIZE])
{
    const struct scheme *scheme = &schemes[link->scheme];
    bool is_ipv6 = strchr(link->host, ':') != NULL;
    char port[PORT_DIGITS + 2] = "";
    char code[CODE_LENGTH + 1] = "";
    char fingerprint[FINGERPRINT_LENGTH + 1] = "";
    if (link->port != scheme->port)
        snprintf(port, sizeof port, ":%u", (unsigned)link->port);
    if (link->has_code)
        ks_base64url_encode(link->code, sizeof link->code, code);
    if (link->has_fingerprint)
        ks_base64url_encode(link->fingerprint, sizeof link->fingerprint, fingerprint);
    snprintf(text, KS_LINK_SIZE, "%s" SCHEME_END "%s%s%s%s%s%s%s%s%s", scheme->name, is_ipv6 ? "[" : "",
             link->host, is_ipv6 ? "]" : "", port, link->has_code ? JOIN_PATH : "/",
             link->has_code || link->has_fingerprint ? "#" : "", code,
             link->has_code && link->has_fingerprint ? "." : "", fingerprint);
}

void ks_link_address(const struct ks_link *link, struct ks_address *address)
{
    snprintf(address->host, sizeof address->host, "%s", link->host);
    snprintf(address->port, sizeof address->port, "%u", (unsigned)link->port);
}
