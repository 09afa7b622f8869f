/* contact.c — see contact.h. */
#include "client/people/contact.h"

#include "base/text.h"
#include "client/lines.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <string.h>

static const char first_line[] = "kesher contact 2";
static const char first_line_of_old[] = "kesher contact 1";
static const char suffix[] = ".contact";

enum { SHOWN_PART = 32, DIGEST_PART = 8 };

void ks_contact_wipe(struct ks_contact *contact)
{
    ks_secret_wipe(contact, sizeof *contact);
}

bool ks_contact_has_pinned(const struct ks_contact *contact,
                           const uint8_t public_key[static KS_PUBLIC_KEY_SIZE])
{
    return contact->has_public_key && memcmp(contact->public_key, public_key, KS_PUBLIC_KEY_SIZE) == 0;
}

/* ---- reading ---- */

/* One value of a line; false when it is none. */
typedef bool (*take_value)(struct ks_contact *contact, const char *value, size_t size);

static bool take_name(struct ks_contact *contact, const char *value, size_t size)
{
    if (contact->name[0] != '\0' || !ks_text_is_user_name(value, size))
        return false;
    memcpy(contact->name, value, size);
    contact->name[size] = '\0';
    return true;
}

static bool take_id(struct ks_contact *contact, const char *value, size_t size)
{
    if (contact->has_id)
        return false;
    contact->has_id = ks_text_from_hex(value, size, contact->id.bytes, sizeof contact->id.bytes);
    return contact->has_id;
}

static bool take_public_key(struct ks_contact *contact, const char *value, size_t size)
{
    struct ks_buffer der = ks_buffer_empty(KS_PUBLIC_KEY_SIZE);
    bool taken = !contact->has_public_key && ks_base64_decode(value, size, &der) == KS_OK &&
                 der.size == KS_PUBLIC_KEY_SIZE;
    if (taken)
        memcpy(contact->public_key, der.bytes, KS_PUBLIC_KEY_SIZE);
    contact->has_public_key = contact->has_public_key || taken;
    ks_buffer_free(&der);
    return taken;
}

static bool take_key(struct ks_symmetric_key *key, const char *value, size_t size)
{
    return ks_text_from_hex(value, size, key->bytes, sizeof key->bytes);
}

static bool take_sending(struct ks_contact *contact, const char *value, size_t size)
{
    if (contact->ring.has_sending)
        return false;
    contact->ring.has_sending = take_key(&contact->ring.sending, value, size);
    return contact->ring.has_sending;
}

static bool take_ours(struct ks_contact *contact, const char *value, size_t size)
{
    struct ks_key_ring *ring = &contact->ring;
    if (ring->ours_count == KS_KEY_RING_OURS || !take_key(&ring->ours[ring->ours_count], value, size))
        return false;
    ring->ours_count++;
    return true;
}

/* What is over the limit is left out: older homes had room for two more. */
static bool take_with_standing(struct ks_contact *contact, const char *value, size_t size,
                               enum ks_key_standing standing)
{
    struct ks_key_ring *ring = &contact->ring;
    struct ks_received_key received = {.standing = standing};
    bool taken = take_key(&received.key, value, size);
    if (taken && ring->received_count < KS_KEY_RING_RECEIVED)
        ring->received[ring->received_count++] = received;
    ks_secret_wipe(&received, sizeof received);
    return taken;
}

static bool take_received(struct ks_contact *contact, const char *value, size_t size)
{
    return take_with_standing(contact, value, size, KS_KEY_STANDING_NEW);
}

static bool take_told(struct ks_contact *contact, const char *value, size_t size)
{
    return take_with_standing(contact, value, size, KS_KEY_STANDING_TOLD);
}

static bool take_accepted(struct ks_contact *contact, const char *value, size_t size)
{
    return take_with_standing(contact, value, size, KS_KEY_STANDING_ACCEPTED);
}

/* Of an older home: newer than the key for sending, which stands before it. */
static bool take_waiting(struct ks_contact *contact, const char *value, size_t size)
{
    struct ks_key_ring *ring = &contact->ring;
    struct ks_received_key before = ring->received[0];
    bool taken = ring->received_count == 1 && take_received(contact, value, size);
    if (taken) {
        ring->received[0] = ring->received[1];
        ring->received[1] = before;
    }
    ks_secret_wipe(&before, sizeof before);
    return taken;
}

/* Takes a line whose value can only be this one, and only once. */
static bool take_flag(bool *flag, const char *value, size_t size, const char *expected)
{
    bool taken = !*flag && size == strlen(expected) && memcmp(value, expected, size) == 0;
    *flag = *flag || taken;
    return taken;
}

static bool take_share(struct ks_contact *contact, const char *value, size_t size)
{
    return take_flag(&contact->ring.share_again, value, size, "again");
}

static bool take_reads(struct ks_contact *contact, const char *value, size_t size)
{
    return take_flag(&contact->ring.reads_ours, value, size, "ours");
}

struct word {
    const char *word;
    take_value take;
};

static const struct word words[] = {
    {"name ", take_name},         {"id ", take_id},       {"public-key ", take_public_key},
    {"sending ", take_sending},   {"share ", take_share}, {"ours ", take_ours},
    {"received ", take_received}, {"told ", take_told},   {"accepted ", take_accepted},
    {"reads ", take_reads},       {NULL, NULL},
};

static const struct word words_of_old[] = {
    {"name ", take_name},
    {"id ", take_id},
    {"public-key ", take_public_key},
    {"sending ", take_received},
    {"waiting ", take_waiting},
    {"old ", take_received},
    {NULL, NULL},
};

static bool take_line(struct ks_contact *contact, const struct word *known, const char *line, size_t size)
{
    for (; known->word != NULL; known++) {
        size_t word_size = strlen(known->word);
        if (size >= word_size && memcmp(line, known->word, word_size) == 0)
            return known->take(contact, line + word_size, size - word_size);
    }
    return false;
}

static bool is_line(const char *line, size_t size, const char *expected)
{
    return size == strlen(expected) && memcmp(line, expected, size) == 0;
}

/* Which words follow the first line; NULL when it is none. */
static const struct word *words_after(const char *line, size_t size)
{
    if (is_line(line, size, first_line))
        return words;
    return is_line(line, size, first_line_of_old) ? words_of_old : NULL;
}

enum ks_result ks_contact_parse(const uint8_t *bytes, size_t size, struct ks_contact *contact)
{
    struct ks_lines lines = {.text = (const char *)bytes, .size = size};
    const char *line = NULL;
    size_t line_size = 0;
    memset(contact, 0, sizeof *contact);
    /* The last byte is that of "end": without its newline a shorter word could not be told from a cut one. */
    if (size == 0 || bytes[size - 1] != '\n' || !ks_lines_next(&lines, &line, &line_size))
        return KS_INVALID;
    const struct word *known = words_after(line, line_size);
    bool ended = false;
    while (known != NULL && !ended && ks_lines_next(&lines, &line, &line_size)) {
        ended = is_line(line, line_size, "end");
        if (!ended && !take_line(contact, known, line, line_size))
            return KS_INVALID;
    }
    bool sound = ended && contact->name[0] != '\0' && !ks_lines_next(&lines, &line, &line_size) &&
                 (contact->ring.has_sending || !contact->ring.share_again);
    return sound ? KS_OK : KS_INVALID;
}

/* ---- writing ---- */

static enum ks_result put(struct ks_buffer *text, const char *part)
{
    return ks_buffer_append(text, part, strlen(part));
}

static enum ks_result put_line(struct ks_buffer *text, const char *word, const char *value)
{
    enum ks_result result = put(text, word);
    if (result == KS_OK)
        result = put(text, value);
    return result == KS_OK ? put(text, "\n") : result;
}

static enum ks_result put_hex(struct ks_buffer *text, const char *word, const uint8_t bytes[static 16])
{
    char hex[33];
    ks_text_to_hex(bytes, 16, hex);
    enum ks_result result = put_line(text, word, hex);
    ks_secret_wipe(hex, sizeof hex);
    return result;
}

static enum ks_result put_public_key(struct ks_buffer *text, const uint8_t *public_key)
{
    enum ks_result result = put(text, "public-key ");
    if (result == KS_OK)
        result = ks_base64_encode(public_key, KS_PUBLIC_KEY_SIZE, text);
    return result == KS_OK ? put(text, "\n") : result;
}

static enum ks_result put_received(struct ks_buffer *text, const struct ks_received_key *received)
{
    switch (received->standing) {
    case KS_KEY_STANDING_TOLD:
        return put_hex(text, "told ", received->key.bytes);
    case KS_KEY_STANDING_ACCEPTED:
        return put_hex(text, "accepted ", received->key.bytes);
    default:
        return put_hex(text, "received ", received->key.bytes);
    }
}

static enum ks_result put_ring(struct ks_buffer *text, const struct ks_key_ring *ring)
{
    enum ks_result result = ring->has_sending ? put_hex(text, "sending ", ring->sending.bytes) : KS_OK;
    if (result == KS_OK && ring->share_again)
        result = put_line(text, "share ", "again");
    for (size_t i = 0; i < ring->ours_count && result == KS_OK; i++)
        result = put_hex(text, "ours ", ring->ours[i].bytes);
    for (size_t i = 0; i < ring->received_count && result == KS_OK; i++)
        result = put_received(text, &ring->received[i]);
    if (result == KS_OK && ring->reads_ours)
        result = put_line(text, "reads ", "ours");
    return result;
}

enum ks_result ks_contact_format(const struct ks_contact *contact, struct ks_buffer *text)
{
    if (!ks_text_is_user_name(contact->name, strlen(contact->name)))
        return KS_INVALID;
    enum ks_result result = put_line(text, first_line, "");
    if (result == KS_OK)
        result = put_line(text, "name ", contact->name);
    if (result == KS_OK && contact->has_id)
        result = put_hex(text, "id ", contact->id.bytes);
    if (result == KS_OK && contact->has_public_key)
        result = put_public_key(text, contact->public_key);
    if (result == KS_OK)
        result = put_ring(text, &contact->ring);
    return result == KS_OK ? put(text, "end\n") : result;
}

/* ---- the file's name ---- */

static bool is_safe(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
           byte == '_';
}

enum ks_result ks_contact_file_name(const char *name, char file_name[static KS_CONTACT_FILE_NAME_SIZE])
{
    uint8_t digest[KS_SHA256_SIZE];
    size_t size = 0;
    if (ks_sha256(name, strlen(name), digest) != KS_OK)
        return KS_CRYPTO;
    for (; size < SHOWN_PART && name[size] != '\0'; size++)
        file_name[size] = is_safe(name[size]) ? name[size] : '_';
    file_name[size++] = '-';
    ks_text_to_hex(digest, DIGEST_PART, file_name + size);
    memcpy(file_name + size + (size_t)2 * DIGEST_PART, suffix, sizeof suffix);
    return KS_OK;
}

bool ks_contact_is_file_name(const char *file_name)
{
    size_t size = strlen(file_name);
    size_t suffix_size = sizeof suffix - 1;
    return file_name[0] != '.' && size > suffix_size && size < KS_CONTACT_FILE_NAME_SIZE &&
           strcmp(file_name + size - suffix_size, suffix) == 0;
}
