/* Unit tests of wire/accounts_codec.h: what accounts ask and are answered on the secure port, and the bytes
 * that they sign.
 */
#include "unit/unit.h"

#include "wire/accounts_codec.h"

enum { BYTES_LIMIT = 2048, FIRST_TEXT = KS_SIGN_IN_SIZE };

/* ---- bytes by hand ---- */

struct bytes {
    uint8_t bytes[BYTES_LIMIT];
    size_t size;
};

static void add(struct bytes *bytes, const void *more, size_t size)
{
    assert_true(size <= sizeof bytes->bytes - bytes->size);
    memcpy(bytes->bytes + bytes->size, more, size);
    bytes->size += size;
}

/* `count` bytes that rise from `first`. */
static void add_rising(struct bytes *bytes, uint8_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)(first + i);
        add(bytes, &byte, 1);
    }
}

static void fill_rising(uint8_t *bytes, uint8_t first, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(first + i);
}

/* The key from 0x00 on, kind 1, the signature from 0x40 on. */
static void add_sign_in(struct bytes *bytes)
{
    add_rising(bytes, 0, 32);
    add(bytes, "\x01", 1);
    add_rising(bytes, 0x40, 64);
}

static struct bytes a_registration(void)
{
    struct bytes bytes = {.size = 0};
    add_sign_in(&bytes);
    add(&bytes, "\x05\0alice", 7);
    add(&bytes, "\x16\0AAECAwQFBgcICQoLDA0ODw", 24);
    return bytes;
}

static struct bytes an_adoption(void)
{
    struct bytes bytes = {.size = 0};
    add_sign_in(&bytes);
    add_rising(&bytes, 0xc0, 16);
    add(&bytes, "\x03\0bob", 5);
    return bytes;
}

static void the_sign_in_is_read(const struct ks_sign_in *sign_in)
{
    uint8_t key[32];
    uint8_t signature[64];
    fill_rising(key, 0, sizeof key);
    fill_rising(signature, 0x40, sizeof signature);
    assert_memory_equal(sign_in->key, key, sizeof key);
    assert_int_equal(sign_in->kind, KS_SIGNATURE_KIND_CHANNEL);
    assert_memory_equal(sign_in->signature, signature, sizeof signature);
}

static void the_text_is(const struct ks_wire_text *text, const char *expected)
{
    assert_int_equal(text->size, strlen(expected));
    assert_memory_equal(text->bytes, expected, text->size);
}

/* ---- whole, cut short at every byte, too long, too little room ---- */

typedef enum ks_result (*parser)(const uint8_t *bytes, size_t size);
typedef enum ks_result (*rewriter)(const uint8_t *bytes, size_t size, uint8_t *again, size_t capacity,
                                   size_t *again_size);

static void only_the_whole_is_read(const struct bytes *whole, parser parse)
{
    for (size_t size = 0; size <= whole->size + 1; size++) {
        uint8_t *copy = unit_exact_copy(whole->bytes, size);
        assert_int_equal(parse(copy, size), size == whole->size ? KS_OK : KS_INVALID);
        free(copy);
    }
}

/* In every smaller room it is too large, and nothing is written behind that room. */
static void it_comes_back(const struct bytes *whole, rewriter rewrite)
{
    size_t size = 0;
    for (size_t room = 0; room <= whole->size; room++) {
        uint8_t *again = malloc(room + 1);
        assert_non_null(again);
        again[room] = 0xa5;
        enum ks_result result = rewrite(whole->bytes, whole->size, again, room, &size);
        assert_int_equal(result, room == whole->size ? KS_OK : KS_TOO_LARGE);
        assert_int_equal(again[room], 0xa5);
        if (result == KS_OK) {
            assert_int_equal(size, whole->size);
            assert_memory_equal(again, whole->bytes, size);
        }
        free(again);
    }
}

static enum ks_result parse_sign_in(const uint8_t *bytes, size_t size)
{
    struct ks_sign_in sign_in;
    return ks_sign_in_parse(bytes, size, &sign_in);
}

static enum ks_result rewrite_sign_in(const uint8_t *bytes, size_t size, uint8_t *again, size_t capacity,
                                      size_t *again_size)
{
    struct ks_sign_in sign_in;
    assert_int_equal(ks_sign_in_parse(bytes, size, &sign_in), KS_OK);
    return ks_sign_in_encode(&sign_in, again, capacity, again_size);
}

static void a_sign_in_is_exactly_97_bytes_and_comes_back(void **state)
{
    struct bytes bytes = {.size = 0};
    struct ks_sign_in sign_in;
    (void)state;
    add_sign_in(&bytes);
    assert_int_equal(bytes.size, KS_SIGN_IN_SIZE);
    assert_int_equal(ks_sign_in_parse(bytes.bytes, bytes.size, &sign_in), KS_OK);
    the_sign_in_is_read(&sign_in);
    only_the_whole_is_read(&bytes, parse_sign_in);
    it_comes_back(&bytes, rewrite_sign_in);
}

static enum ks_result parse_registration(const uint8_t *bytes, size_t size)
{
    struct ks_register_account registration;
    return ks_register_account_parse(bytes, size, &registration);
}

static enum ks_result rewrite_registration(const uint8_t *bytes, size_t size, uint8_t *again, size_t capacity,
                                           size_t *again_size)
{
    struct ks_register_account registration;
    assert_int_equal(ks_register_account_parse(bytes, size, &registration), KS_OK);
    return ks_register_account_encode(&registration, again, capacity, again_size);
}

static void a_registration_is_read_whole_only_and_comes_back(void **state)
{
    struct bytes bytes = a_registration();
    struct ks_register_account registration;
    (void)state;
    assert_int_equal(ks_register_account_parse(bytes.bytes, bytes.size, &registration), KS_OK);
    the_sign_in_is_read(&registration.sign_in);
    the_text_is(&registration.name, "alice");
    the_text_is(&registration.invitation, "AAECAwQFBgcICQoLDA0ODw");
    only_the_whole_is_read(&bytes, parse_registration);
    it_comes_back(&bytes, rewrite_registration);
}

static void a_registration_may_have_no_invitation(void **state)
{
    struct bytes bytes = {.size = 0};
    struct ks_register_account registration;
    (void)state;
    add_sign_in(&bytes);
    add(&bytes, "\x01\0a\0\0", 5);
    assert_int_equal(ks_register_account_parse(bytes.bytes, bytes.size, &registration), KS_OK);
    the_text_is(&registration.name, "a");
    assert_int_equal(registration.invitation.size, 0);
    it_comes_back(&bytes, rewrite_registration);
}

static void a_text_that_claims_more_than_there_is_is_invalid(void **state)
{
    static const uint16_t claims[] = {6, 30, 31, 0x00ff, 0x0100, 0x7fff, 0xffff};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(claims); i++) {
        struct bytes bytes = a_registration();
        bytes.bytes[FIRST_TEXT] = (uint8_t)claims[i];
        bytes.bytes[FIRST_TEXT + 1] = (uint8_t)(claims[i] >> 8);
        uint8_t *copy = unit_exact_copy(bytes.bytes, bytes.size);
        assert_int_equal(parse_registration(copy, bytes.size), KS_INVALID);
        free(copy);
    }
}

static enum ks_result parse_adoption(const uint8_t *bytes, size_t size)
{
    struct ks_adopt adopt;
    return ks_adopt_parse(bytes, size, &adopt);
}

static enum ks_result rewrite_adoption(const uint8_t *bytes, size_t size, uint8_t *again, size_t capacity,
                                       size_t *again_size)
{
    struct ks_adopt adopt;
    assert_int_equal(ks_adopt_parse(bytes, size, &adopt), KS_OK);
    return ks_adopt_encode(&adopt, again, capacity, again_size);
}

static void an_adoption_is_read_whole_only_and_comes_back(void **state)
{
    struct bytes bytes = an_adoption();
    uint8_t classic_id[16];
    struct ks_adopt adopt;
    (void)state;
    fill_rising(classic_id, 0xc0, sizeof classic_id);
    assert_int_equal(ks_adopt_parse(bytes.bytes, bytes.size, &adopt), KS_OK);
    the_sign_in_is_read(&adopt.sign_in);
    assert_memory_equal(adopt.classic_id.bytes, classic_id, sizeof classic_id);
    the_text_is(&adopt.name, "bob");
    only_the_whole_is_read(&bytes, parse_adoption);
    it_comes_back(&bytes, rewrite_adoption);
}

static enum ks_result parse_refusal(const uint8_t *bytes, size_t size)
{
    struct ks_refusal refusal;
    return ks_refusal_parse(bytes, size, &refusal);
}

static enum ks_result rewrite_refusal(const uint8_t *bytes, size_t size, uint8_t *again, size_t capacity,
                                      size_t *again_size)
{
    struct ks_refusal refusal;
    assert_int_equal(ks_refusal_parse(bytes, size, &refusal), KS_OK);
    return ks_refusal_encode(&refusal, again, capacity, again_size);
}

static void a_refusal_has_its_reason_and_a_sentence_and_comes_back(void **state)
{
    struct bytes bytes = {.size = 0};
    struct ks_refusal refusal;
    (void)state;
    add(&bytes, "\x08\0\x12\0the name is taken.", 22);
    assert_int_equal(ks_refusal_parse(bytes.bytes, bytes.size, &refusal), KS_OK);
    assert_int_equal(refusal.reason, KS_REFUSAL_NAME_TAKEN);
    the_text_is(&refusal.sentence, "the name is taken.");
    only_the_whole_is_read(&bytes, parse_refusal);
    it_comes_back(&bytes, rewrite_refusal);
}

static enum ks_result parse_text(const uint8_t *bytes, size_t size)
{
    struct ks_wire_text text;
    return ks_wire_text_parse(bytes, size, &text);
}

static enum ks_result rewrite_text(const uint8_t *bytes, size_t size, uint8_t *again, size_t capacity,
                                   size_t *again_size)
{
    struct ks_wire_text text;
    assert_int_equal(ks_wire_text_parse(bytes, size, &text), KS_OK);
    return ks_wire_text_encode(&text, again, capacity, again_size);
}

static void a_text_is_all_of_its_payload_and_comes_back(void **state)
{
    struct bytes bytes = {.size = 0};
    struct ks_wire_text text;
    (void)state;
    add(&bytes, "\x06\0J\xc3\xb6rg!", 8);
    assert_int_equal(ks_wire_text_parse(bytes.bytes, bytes.size, &text), KS_OK);
    the_text_is(&text, "J\xc3\xb6rg!");
    only_the_whole_is_read(&bytes, parse_text);
    it_comes_back(&bytes, rewrite_text);
}

/* ---- what is signed ---- */

static void a_channel(uint8_t channel[static KS_CHANNEL_SIZE])
{
    fill_rising(channel, 0x80, KS_CHANNEL_SIZE);
}

/* label, channel, account key, and then what follows. */
static struct bytes signed_by_hand(const char *label, size_t label_size, const char *rest, size_t rest_size)
{
    struct bytes bytes = {.size = 0};
    add(&bytes, label, label_size);
    add_rising(&bytes, 0x80, 64);
    add_rising(&bytes, 0, 32);
    add(&bytes, rest, rest_size);
    return bytes;
}

static void are_these(const struct bytes *expected, enum ks_result result, const uint8_t *bytes, size_t size)
{
    assert_int_equal(result, KS_OK);
    assert_int_equal(size, expected->size);
    assert_memory_equal(bytes, expected->bytes, size);
}

static void a_sign_in_signs_label_channel_and_key(void **state)
{
    struct bytes expected = signed_by_hand("kesher sign-in 1\0", 17, "", 0);
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    (void)state;
    a_channel(channel);
    fill_rising(key, 0, sizeof key);
    enum ks_result result = ks_sign_in_signed(key, channel, bytes, sizeof bytes, &size);
    are_these(&expected, result, bytes, size);
    assert_int_equal(ks_sign_in_signed(key, channel, bytes, expected.size - 1, &size), KS_TOO_LARGE);
}

static void a_removal_signs_label_channel_and_key(void **state)
{
    struct bytes expected = signed_by_hand("kesher remove 1\0", 16, "", 0);
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    (void)state;
    a_channel(channel);
    fill_rising(key, 0, sizeof key);
    enum ks_result result = ks_remove_account_signed(key, channel, bytes, sizeof bytes, &size);
    are_these(&expected, result, bytes, size);
    assert_int_equal(ks_remove_account_signed(key, channel, bytes, expected.size - 1, &size), KS_TOO_LARGE);
}

static void a_registration_signs_its_name_and_invitation_too(void **state)
{
    struct bytes expected =
        signed_by_hand("kesher register 1\0", 18, "\x05\0alice\x16\0AAECAwQFBgcICQoLDA0ODw", 31);
    struct bytes payload = a_registration();
    struct ks_register_account registration;
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    (void)state;
    a_channel(channel);
    assert_int_equal(ks_register_account_parse(payload.bytes, payload.size, &registration), KS_OK);
    enum ks_result result = ks_register_account_signed(&registration, channel, bytes, sizeof bytes, &size);
    are_these(&expected, result, bytes, size);
    for (size_t room = 0; room < expected.size; room++)
        assert_int_equal(ks_register_account_signed(&registration, channel, bytes, room, &size),
                         KS_TOO_LARGE);
}

/* Or a signature for one name could stand for another with a part of the invitation in it. */
static void a_boundary_that_moves_between_two_texts_changes_what_is_signed(void **state)
{
    struct ks_register_account one = {.name = {"ab", 2}, .invitation = {"c", 1}};
    struct ks_register_account other = {.name = {"a", 1}, .invitation = {"bc", 2}};
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t of_one[KS_SIGNED_LIMIT];
    uint8_t of_other[KS_SIGNED_LIMIT];
    size_t one_size = 0;
    size_t other_size = 0;
    (void)state;
    a_channel(channel);
    assert_int_equal(ks_register_account_signed(&one, channel, of_one, sizeof of_one, &one_size), KS_OK);
    assert_int_equal(ks_register_account_signed(&other, channel, of_other, sizeof of_other, &other_size),
                     KS_OK);
    assert_int_equal(one_size, other_size);
    assert_memory_not_equal(of_one, of_other, one_size);
}

static void an_adoption_signs_and_proves_its_classic_id_and_name_too(void **state)
{
    struct bytes expected =
        signed_by_hand("kesher adopt 1\0", 15,
                       "\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xcb\xcc\xcd\xce\xcf\x03\0bob", 21);
    struct bytes payload = an_adoption();
    struct ks_adopt adopt;
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    (void)state;
    a_channel(channel);
    assert_int_equal(ks_adopt_parse(payload.bytes, payload.size, &adopt), KS_OK);
    enum ks_result result = ks_adopt_signed(&adopt, channel, bytes, sizeof bytes, &size);
    are_these(&expected, result, bytes, size);
    memset(bytes, 0, sizeof bytes);
    result = ks_adoption_proven(&adopt, channel, bytes, sizeof bytes, &size);
    are_these(&expected, result, bytes, size);
    for (size_t room = 0; room < expected.size; room++)
        assert_int_equal(ks_adoption_proven(&adopt, channel, bytes, room, &size), KS_TOO_LARGE);
}

static void what_is_signed_of_a_long_request_fits_the_limit(void **state)
{
    char long_name[KS_SECURE_PAYLOAD_LIMIT - KS_CHANNEL_SIZE - KS_SIGN_IN_SIZE - 4];
    struct ks_register_account registration = {.name = {long_name, sizeof long_name}};
    uint8_t channel[KS_CHANNEL_SIZE];
    uint8_t bytes[KS_SIGNED_LIMIT];
    size_t size = 0;
    (void)state;
    memset(long_name, 'a', sizeof long_name);
    a_channel(channel);
    assert_int_equal(ks_register_account_signed(&registration, channel, bytes, sizeof bytes, &size), KS_OK);
}

/* ---- lists ---- */

/* Public id (16), an unknown key without a value, bytes that it keeps (u64), whether it is classic (1). */
static struct bytes a_list(void)
{
    struct bytes bytes = {.size = 0};
    add(&bytes, "\x01\0\x10\0", 4);
    add_rising(&bytes, 0x20, 16);
    add(&bytes, "\xff\xfe\0\0", 4);
    add(&bytes, "\x08\0\x08\0\xef\xcd\xab\x89\x67\x45\x23\x01", 12);
    add(&bytes, "\x0c\0\x01\0\x01", 5);
    return bytes;
}

static void a_list_is_written_entry_by_entry(void **state)
{
    struct bytes expected = a_list();
    uint8_t public_id[16];
    uint8_t bytes[BYTES_LIMIT];
    size_t size = 0;
    (void)state;
    fill_rising(public_id, 0x20, sizeof public_id);
    assert_int_equal(ks_list_add(bytes, sizeof bytes, &size, KS_ACCOUNT_ENTRY_PUBLIC_ID, public_id, 16),
                     KS_OK);
    assert_int_equal(ks_list_add(bytes, sizeof bytes, &size, 0xfeff, NULL, 0), KS_OK);
    assert_int_equal(
        ks_list_add_number(bytes, sizeof bytes, &size, KS_ACCOUNT_ENTRY_BYTES, 0x0123456789abcdef), KS_OK);
    assert_int_equal(ks_list_add(bytes, sizeof bytes, &size, KS_ACCOUNT_ENTRY_CLASSIC, "\x01", 1), KS_OK);
    assert_int_equal(size, expected.size);
    assert_memory_equal(bytes, expected.bytes, size);
}

static void a_list_is_read_entry_by_entry(void **state)
{
    struct bytes bytes = a_list();
    struct ks_list_entry entry;
    uint64_t number = 0;
    size_t offset = 0;
    (void)state;
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_OK);
    assert_int_equal(entry.key, KS_ACCOUNT_ENTRY_PUBLIC_ID);
    assert_int_equal(entry.size, 16);
    assert_memory_equal(entry.value, bytes.bytes + 4, 16);
    assert_int_equal(ks_list_number(&entry, &number), KS_INVALID);
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_OK);
    assert_int_equal(entry.key, 0xfeff);
    assert_int_equal(entry.size, 0);
    assert_int_equal(ks_list_number(&entry, &number), KS_INVALID);
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_OK);
    assert_int_equal(entry.key, KS_ACCOUNT_ENTRY_BYTES);
    assert_int_equal(ks_list_number(&entry, &number), KS_OK);
    assert_true(number == 0x0123456789abcdef);
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_OK);
    assert_int_equal(entry.key, KS_ACCOUNT_ENTRY_CLASSIC);
    assert_int_equal(ks_list_number(&entry, &number), KS_OK);
    assert_true(number == 1);
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_NOT_FOUND);
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_NOT_FOUND);
}

static enum ks_result read_list(const uint8_t *bytes, size_t size, unsigned *entries)
{
    struct ks_list_entry entry;
    size_t offset = 0;
    enum ks_result result = KS_OK;
    *entries = 0;
    while ((result = ks_list_next(bytes, size, &offset, &entry)) == KS_OK)
        ++*entries;
    return result;
}

static void a_list_that_is_cut_inside_an_entry_is_none(void **state)
{
    static const size_t ends[] = {0, 20, 24, 36, 41};
    struct bytes bytes = a_list();
    unsigned entries = 0;
    (void)state;
    for (size_t size = 0, end = 0; size <= bytes.size; size++) {
        uint8_t *copy = unit_exact_copy(bytes.bytes, size);
        enum ks_result result = read_list(copy, size, &entries);
        assert_int_equal(result, size == ends[end] ? KS_NOT_FOUND : KS_INVALID);
        assert_int_equal(entries, size == ends[end] ? end : end - 1);
        end += size == ends[end];
        free(copy);
    }
}

static void an_offset_behind_the_end_reads_nothing(void **state)
{
    struct bytes bytes = a_list();
    struct ks_list_entry entry;
    size_t offset = bytes.size + 1;
    (void)state;
    assert_int_equal(ks_list_next(bytes.bytes, bytes.size, &offset, &entry), KS_INVALID);
}

static void an_entry_for_which_there_is_no_room_leaves_the_list_as_it_is(void **state)
{
    uint8_t bytes[16 + 1];
    size_t size = 0;
    (void)state;
    memset(bytes, 0xa5, sizeof bytes);
    assert_int_equal(ks_list_add(bytes, 16, &size, 1, "ab", 2), KS_OK);
    assert_int_equal(ks_list_add_number(bytes, 16, &size, 4, 7), KS_TOO_LARGE);
    assert_int_equal(ks_list_add(bytes, 16, &size, 2, "abcdefg", 7), KS_TOO_LARGE);
    assert_int_equal(size, 6);
    assert_int_equal(bytes[6], 0xa5);
    assert_int_equal(ks_list_add(bytes, 16, &size, 2, "abcdef", 6), KS_OK);
    assert_int_equal(size, 16);
    assert_int_equal(ks_list_add(bytes, 16, &size, 3, NULL, 0), KS_TOO_LARGE);
    assert_int_equal(bytes[16], 0xa5);
}

static void a_value_of_more_than_a_length_can_say_is_refused(void **state)
{
    enum { TOO_LONG = UINT16_MAX + 1, ROOM = 2 * TOO_LONG };
    uint8_t *value = calloc(1, TOO_LONG);
    uint8_t *bytes = malloc(ROOM);
    size_t size = 0;
    (void)state;
    assert_non_null(value);
    assert_non_null(bytes);
    assert_int_equal(ks_list_add(bytes, ROOM, &size, 1, value, TOO_LONG), KS_TOO_LARGE);
    assert_int_equal(size, 0);
    assert_int_equal(ks_list_add(bytes, ROOM, &size, 1, value, TOO_LONG - 1), KS_OK);
    free(bytes);
    free(value);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sign_in_is_exactly_97_bytes_and_comes_back),
        cmocka_unit_test(a_registration_is_read_whole_only_and_comes_back),
        cmocka_unit_test(a_registration_may_have_no_invitation),
        cmocka_unit_test(a_text_that_claims_more_than_there_is_is_invalid),
        cmocka_unit_test(an_adoption_is_read_whole_only_and_comes_back),
        cmocka_unit_test(a_refusal_has_its_reason_and_a_sentence_and_comes_back),
        cmocka_unit_test(a_text_is_all_of_its_payload_and_comes_back),
        cmocka_unit_test(a_sign_in_signs_label_channel_and_key),
        cmocka_unit_test(a_removal_signs_label_channel_and_key),
        cmocka_unit_test(a_registration_signs_its_name_and_invitation_too),
        cmocka_unit_test(a_boundary_that_moves_between_two_texts_changes_what_is_signed),
        cmocka_unit_test(an_adoption_signs_and_proves_its_classic_id_and_name_too),
        cmocka_unit_test(what_is_signed_of_a_long_request_fits_the_limit),
        cmocka_unit_test(a_list_is_written_entry_by_entry),
        cmocka_unit_test(a_list_is_read_entry_by_entry),
        cmocka_unit_test(a_list_that_is_cut_inside_an_entry_is_none),
        cmocka_unit_test(an_offset_behind_the_end_reads_nothing),
        cmocka_unit_test(an_entry_for_which_there_is_no_room_leaves_the_list_as_it_is),
        cmocka_unit_test(a_value_of_more_than_a_length_can_say_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
