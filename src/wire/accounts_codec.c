/* accounts_codec.c — see accounts_codec.h. */
#include "wire/accounts_codec.h"

#include "base/bytes.h"

#include <string.h>

enum { LIST_ENTRY_HEADER_SIZE = 4 };

/* Labels with their zero, which a literal ends in. */
static const char sign_in_label[] = "kesher sign-in 1";
static const char register_label[] = "kesher register 1";
static const char adopt_label[] = "kesher adopt 1";
static const char remove_label[] = "kesher remove 1";

/* ---- parts ---- */

struct ks_wire_text ks_wire_text_take(struct ks_reader *reader)
{
    uint16_t size = ks_reader_u16(reader);
    const uint8_t *bytes = ks_reader_take(reader, size);
    return (struct ks_wire_text){.bytes = (const char *)bytes, .size = bytes == NULL ? 0 : size};
}

void ks_wire_text_put(struct ks_writer *writer, const struct ks_wire_text *text)
{
    ks_writer_u16(writer, text->size);
    ks_writer_put(writer, text->bytes, text->size);
}

static void take_sign_in(struct ks_reader *reader, struct ks_sign_in *sign_in)
{
    ks_reader_copy(reader, sign_in->key, sizeof sign_in->key);
    sign_in->kind = ks_reader_u8(reader);
    ks_reader_copy(reader, sign_in->signature, sizeof sign_in->signature);
}

static void put_sign_in(struct ks_writer *writer, const struct ks_sign_in *sign_in)
{
    ks_writer_put(writer, sign_in->key, sizeof sign_in->key);
    ks_writer_u8(writer, sign_in->kind);
    ks_writer_put(writer, sign_in->signature, sizeof sign_in->signature);
}

static enum ks_result whole(const struct ks_reader *reader)
{
    return reader->failed || reader->size > 0 ? KS_INVALID : KS_OK;
}

static enum ks_result written(const struct ks_writer *writer, size_t *size)
{
    *size = writer->failed ? 0 : writer->size;
    return writer->failed ? KS_TOO_LARGE : KS_OK;
}

/* ---- requests ---- */

enum ks_result ks_sign_in_parse(const uint8_t *bytes, size_t size, struct ks_sign_in *sign_in)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    memset(sign_in, 0, sizeof *sign_in);
    take_sign_in(&reader, sign_in);
    return whole(&reader);
}

enum ks_result ks_sign_in_encode(const struct ks_sign_in *sign_in, uint8_t *bytes, size_t capacity,
                                 size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_sign_in(&writer, sign_in);
    return written(&writer, size);
}

enum ks_result ks_register_account_parse(const uint8_t *bytes, size_t size,
                                         struct ks_register_account *registration)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    memset(registration, 0, sizeof *registration);
    take_sign_in(&reader, &registration->sign_in);
    registration->name = ks_wire_text_take(&reader);
    registration->invitation = ks_wire_text_take(&reader);
    return whole(&reader);
}

enum ks_result ks_register_account_encode(const struct ks_register_account *registration, uint8_t *bytes,
                                          size_t capacity, size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_sign_in(&writer, &registration->sign_in);
    ks_wire_text_put(&writer, &registration->name);
    ks_wire_text_put(&writer, &registration->invitation);
    return written(&writer, size);
}

enum ks_result ks_adopt_parse(const uint8_t *bytes, size_t size, struct ks_adopt *adopt)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    memset(adopt, 0, sizeof *adopt);
    take_sign_in(&reader, &adopt->sign_in);
    ks_reader_copy(&reader, adopt->classic_id.bytes, sizeof adopt->classic_id.bytes);
    adopt->name = ks_wire_text_take(&reader);
    return whole(&reader);
}

enum ks_result ks_adopt_encode(const struct ks_adopt *adopt, uint8_t *bytes, size_t capacity, size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_sign_in(&writer, &adopt->sign_in);
    ks_writer_put(&writer, adopt->classic_id.bytes, sizeof adopt->classic_id.bytes);
    ks_wire_text_put(&writer, &adopt->name);
    return written(&writer, size);
}

/* ---- what is signed ---- */

/* label ‖ channel ‖ account key, which everything signed begins with. */
static void put_beginning(struct ks_writer *writer, const char *label, size_t label_size,
                          const uint8_t channel[static KS_CHANNEL_SIZE],
                          const uint8_t key[static KS_ACCOUNT_KEY_SIZE])
{
    ks_writer_put(writer, label, label_size);
    ks_writer_put(writer, channel, KS_CHANNEL_SIZE);
    ks_writer_put(writer, key, KS_ACCOUNT_KEY_SIZE);
}

enum ks_result ks_sign_in_signed(const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                 const uint8_t channel[static KS_CHANNEL_SIZE], uint8_t *bytes,
                                 size_t capacity, size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_beginning(&writer, sign_in_label, sizeof sign_in_label, channel, key);
    return written(&writer, size);
}

enum ks_result ks_register_account_signed(const struct ks_register_account *registration,
                                          const uint8_t channel[static KS_CHANNEL_SIZE], uint8_t *bytes,
                                          size_t capacity, size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_beginning(&writer, register_label, sizeof register_label, channel, registration->sign_in.key);
    ks_wire_text_put(&writer, &registration->name);
    ks_wire_text_put(&writer, &registration->invitation);
    return written(&writer, size);
}

enum ks_result ks_adopt_signed(const struct ks_adopt *adopt, const uint8_t channel[static KS_CHANNEL_SIZE],
                               uint8_t *bytes, size_t capacity, size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_beginning(&writer, adopt_label, sizeof adopt_label, channel, adopt->sign_in.key);
    ks_writer_put(&writer, adopt->classic_id.bytes, sizeof adopt->classic_id.bytes);
    ks_wire_text_put(&writer, &adopt->name);
    return written(&writer, size);
}

enum ks_result ks_remove_account_signed(const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                        const uint8_t channel[static KS_CHANNEL_SIZE], uint8_t *bytes,
                                        size_t capacity, size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    put_beginning(&writer, remove_label, sizeof remove_label, channel, key);
    return written(&writer, size);
}

/* The bytes of the signature are those of the HMAC (protocol.md §8.3). Neither can stand for the other: one
 * is made with the account key, the other with a secret that a single connection knows. */
enum ks_result ks_adoption_proven(const struct ks_adopt *adopt, const uint8_t channel[static KS_CHANNEL_SIZE],
                                  uint8_t *bytes, size_t capacity, size_t *size)
{
    return ks_adopt_signed(adopt, channel, bytes, capacity, size);
}

/* ---- lists ---- */

enum ks_result ks_list_next(const uint8_t *bytes, size_t size, size_t *offset, struct ks_list_entry *entry)
{
    if (*offset == size)
        return KS_NOT_FOUND;
    if (*offset > size)
        return KS_INVALID;
    struct ks_reader reader = ks_reader_over(bytes + *offset, size - *offset);
    entry->key = ks_reader_u16(&reader);
    entry->size = ks_reader_u16(&reader);
    entry->value = ks_reader_take(&reader, entry->size);
    if (reader.failed)
        return KS_INVALID;
    *offset = size - reader.size;
    return KS_OK;
}

enum ks_result ks_list_add(uint8_t *bytes, size_t capacity, size_t *size, uint16_t key, const void *value,
                           size_t value_size)
{
    if (*size > capacity || capacity - *size < LIST_ENTRY_HEADER_SIZE || value_size > UINT16_MAX ||
        value_size > capacity - *size - LIST_ENTRY_HEADER_SIZE)
        return KS_TOO_LARGE;
    struct ks_writer writer = ks_writer_over(bytes + *size, capacity - *size);
    ks_writer_u16(&writer, key);
    ks_writer_u16(&writer, (uint16_t)value_size);
    ks_writer_put(&writer, value, value_size);
    *size += writer.size;
    return KS_OK;
}

enum ks_result ks_list_add_number(uint8_t *bytes, size_t capacity, size_t *size, uint16_t key,
                                  uint64_t number)
{
    uint8_t value[sizeof number];
    ks_store_u64(value, number);
    return ks_list_add(bytes, capacity, size, key, value, sizeof value);
}

enum ks_result ks_list_number(const struct ks_list_entry *entry, uint64_t *number)
{
    if (entry->size != 1 && entry->size != sizeof *number)
        return KS_INVALID;
    *number = entry->size == 1 ? entry->value[0] : ks_load_u64(entry->value);
    return KS_OK;
}

/* ---- 4999 and 4030 ---- */

enum ks_result ks_refusal_parse(const uint8_t *bytes, size_t size, struct ks_refusal *refusal)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    refusal->reason = ks_reader_u16(&reader);
    refusal->sentence = ks_wire_text_take(&reader);
    return whole(&reader);
}

enum ks_result ks_refusal_encode(const struct ks_refusal *refusal, uint8_t *bytes, size_t capacity,
                                 size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    ks_writer_u16(&writer, refusal->reason);
    ks_wire_text_put(&writer, &refusal->sentence);
    return written(&writer, size);
}

enum ks_result ks_wire_text_parse(const uint8_t *bytes, size_t size, struct ks_wire_text *text)
{
    struct ks_reader reader = ks_reader_over(bytes, size);
    *text = ks_wire_text_take(&reader);
    return whole(&reader);
}

enum ks_result ks_wire_text_encode(const struct ks_wire_text *text, uint8_t *bytes, size_t capacity,
                                   size_t *size)
{
    struct ks_writer writer = ks_writer_over(bytes, capacity);
    ks_wire_text_put(&writer, text);
    return written(&writer, size);
}
