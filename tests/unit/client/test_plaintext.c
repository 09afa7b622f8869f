/* Unit tests of client/inbound/plaintext.h: which key fits a content, also among wrong ones that look right,
 * and the content in pieces. */
#include "unit/unit.h"

#include "client/inbound/plaintext.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static struct ks_symmetric_key numbered_key(uint32_t number)
{
    struct ks_symmetric_key key = {.bytes = {0}};
    memcpy(key.bytes, &number, sizeof number);
    return key;
}

/* A file of one message with `size` bytes under `key`. */
static struct ks_entry entry_of(const struct ks_symmetric_key *key, const void *plain, size_t size)
{
    struct ks_content_cipher *cipher = NULL;
    uint8_t *content = malloc(size + KS_CONTENT_BLOCK_SIZE);
    size_t content_size = 0;
    struct ks_entry entry = {.fd = memfd_create("test", MFD_CLOEXEC), .offset = 3};
    assert_non_null(content);
    assert_true(entry.fd >= 0);
    assert_int_equal(ks_content_encryptor_new(key->bytes, &cipher), KS_OK);
    assert_int_equal(ks_content_encrypt_last(cipher, plain, size, content, &content_size), KS_OK);
    ks_content_cipher_free(cipher);
    entry.fixed.content_size = (uint32_t)content_size;
    assert_int_equal(pwrite(entry.fd, content, content_size, (off_t)ks_entry_content_offset(&entry)),
                     content_size);
    free(content);
    return entry;
}

/* True when the padding is right under that key alone. */
static bool fits(const struct ks_entry *entry, const struct ks_symmetric_key *key)
{
    struct ks_key_ring ring = {.has_sending = true, .sending = *key};
    struct ks_symmetric_key chosen;
    uint64_t size = 0;
    enum ks_result result = ks_plaintext_choose(entry, &ring, true, &chosen, &size);
    assert_true(result == KS_OK || result == KS_NOT_FOUND);
    return result == KS_OK;
}

/* A wrong key that has a right padding all the same. */
static struct ks_symmetric_key misleading_key(const struct ks_entry *entry)
{
    struct ks_symmetric_key key = numbered_key(1000);
    for (uint32_t number = 1001; !fits(entry, &key); number++)
        key = numbered_key(number);
    return key;
}

static void assert_chosen(const struct ks_entry *entry, const struct ks_key_ring *ring, bool is_text,
                          const struct ks_symmetric_key *expected)
{
    struct ks_symmetric_key chosen;
    uint64_t size = 0;
    assert_int_equal(ks_plaintext_choose(entry, ring, is_text, &chosen, &size), KS_OK);
    assert_memory_equal(chosen.bytes, expected->bytes, sizeof chosen.bytes);
    assert_true(size < entry->fixed.content_size);
}

static const char hebrew[] =
    "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xd7\xa2\xd7\x95\xd7\x9c\xd7\x9d, a text of some length";

/* The next key that does not fit, behind the one with `number`. */
static struct ks_symmetric_key wrong_key(const struct ks_entry *entry, uint32_t *number)
{
    struct ks_symmetric_key key = numbered_key(++*number);
    while (fits(entry, &key))
        key = numbered_key(++*number);
    return key;
}

/* A ring whose first candidate is the received one. */
static struct ks_key_ring ring_of(const struct ks_symmetric_key *received,
                                  const struct ks_symmetric_key *sending)
{
    return (struct ks_key_ring){
        .has_sending = true, .sending = *sending, .received_count = 1, .received = {{.key = *received}}};
}

static void key_is_found_wherever_it_is(void **state)
{
    (void)state;
    const struct ks_symmetric_key right = numbered_key(1);
    struct ks_entry entry = entry_of(&right, hebrew, sizeof hebrew - 1);
    struct ks_key_ring ring = {
        .has_sending = true, .ours_count = KS_KEY_RING_OURS, .received_count = KS_KEY_RING_RECEIVED};
    struct ks_symmetric_key *places[] = {&ring.sending, &ring.ours[0], &ring.ours[KS_KEY_RING_OURS - 1],
                                         &ring.received[0].key, &ring.received[KS_KEY_RING_RECEIVED - 1].key};
    for (size_t p = 0; p < KS_COUNT_OF(places); p++) {
        uint32_t number = 1;
        ring.sending = wrong_key(&entry, &number);
        for (size_t i = 0; i < KS_KEY_RING_OURS; i++)
            ring.ours[i] = wrong_key(&entry, &number);
        for (size_t i = 0; i < KS_KEY_RING_RECEIVED; i++)
            ring.received[i].key = wrong_key(&entry, &number);
        *places[p] = right;
        assert_chosen(&entry, &ring, true, &right);
        assert_chosen(&entry, &ring, false, &right);
    }
    close(entry.fd);
}

static void text_prefers_the_key_that_makes_it_utf8(void **state)
{
    (void)state;
    const struct ks_symmetric_key right = numbered_key(1);
    struct ks_entry entry = entry_of(&right, hebrew, sizeof hebrew - 1);
    const struct ks_symmetric_key wrong = misleading_key(&entry);
    struct ks_key_ring ring = ring_of(&wrong, &right);
    assert_chosen(&entry, &ring, true, &right);
    ring = ring_of(&right, &wrong);
    assert_chosen(&entry, &ring, true, &right);
    close(entry.fd);
}

/* Chance makes a padding of one byte in 256 keys, and longer ones hardly ever. */
static void file_prefers_the_key_with_the_longest_padding(void **state)
{
    (void)state;
    for (size_t size = 16; size <= 31; size++) {
        const struct ks_symmetric_key right = numbered_key(1);
        struct ks_entry entry = entry_of(&right, hebrew, size);
        const struct ks_symmetric_key wrong = misleading_key(&entry);
        struct ks_key_ring ring = ring_of(&wrong, &right);
        assert_chosen(&entry, &ring, false, size == 31 ? &wrong : &right); /* 31: nothing tells them apart */
        ring.reads_ours = true; /* but that the other side used that kind of key before */
        assert_chosen(&entry, &ring, false, &right);
        close(entry.fd);
    }
}

static void text_in_another_encoding_is_read_with_the_newest_key_that_fits(void **state)
{
    (void)state;
    static const char latin[] = "d\xe9j\xe0 vu, and more than one block of it";
    const struct ks_symmetric_key right = numbered_key(1);
    struct ks_entry entry = entry_of(&right, latin, sizeof latin - 1);
    const struct ks_symmetric_key wrong = misleading_key(&entry);
    struct ks_key_ring ring = {.has_sending = true, .sending = right, .ours_count = 1, .ours = {wrong}};
    assert_chosen(&entry, &ring, true, &right);
    close(entry.fd);
}

/* Characters that the buffers of the look cut in two. */
static void long_text_is_looked_at_as_a_whole(void **state)
{
    (void)state;
    enum { SIZE = 300001 };
    const struct ks_symmetric_key right = numbered_key(1);
    char *text = malloc(SIZE);
    assert_non_null(text);
    text[0] = 'x';
    for (size_t i = 1; i < SIZE; i += 2)
        memcpy(text + i, "\xd7\xa9", 2);
    struct ks_entry entry = entry_of(&right, text, SIZE);
    const struct ks_symmetric_key wrong = misleading_key(&entry);
    struct ks_key_ring ring = ring_of(&wrong, &right);
    assert_chosen(&entry, &ring, true, &right);
    close(entry.fd);
    text[SIZE - 1] = 'x'; /* half a character at the end: no UTF-8 */
    text[SIZE - 2] = (char)0xd7;
    entry = entry_of(&right, text, SIZE);
    const struct ks_symmetric_key other = misleading_key(&entry);
    ring = ring_of(&other, &right);
    assert_chosen(&entry, &ring, true, &right); /* has the longer padding */
    close(entry.fd);
    free(text);
}

static void impossible_contents_have_no_key(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 15, 17, 31};
    const struct ks_symmetric_key right = numbered_key(1);
    struct ks_key_ring ring = {.has_sending = true, .sending = right};
    struct ks_key_ring none = {.ours_count = 0};
    struct ks_symmetric_key chosen;
    uint64_t size = 0;
    struct ks_entry entry = entry_of(&right, "0123456789abcdef", 16);
    assert_int_equal(ks_plaintext_choose(&entry, &none, true, &chosen, &size), KS_NOT_FOUND);
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        entry.fixed.content_size = sizes[i];
        assert_int_equal(ks_plaintext_choose(&entry, &ring, true, &chosen, &size), KS_NOT_FOUND);
    }
    entry.fixed.content_size = 48; /* beyond the end of the file */
    assert_int_equal(ks_plaintext_choose(&entry, &ring, true, &chosen, &size), KS_INVALID);
    close(entry.fd);
}

static void contents_come_back_in_pieces_of_any_size(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,
                                   1,
                                   15,
                                   16,
                                   17,
                                   KS_PLAINTEXT_BUFFER_SIZE - 1,
                                   KS_PLAINTEXT_BUFFER_SIZE,
                                   KS_PLAINTEXT_BUFFER_SIZE + 1,
                                   3 * KS_PLAINTEXT_BUFFER_SIZE + 5};
    static const size_t capacities[] = {1, 7, 4096, 65536};
    const struct ks_symmetric_key key = numbered_key(1);
    struct ks_key_ring ring = {.has_sending = true, .sending = key};
    static uint8_t plain[3 * KS_PLAINTEXT_BUFFER_SIZE + 5];
    static uint8_t got[65536];
    static struct ks_plaintext plaintext;
    for (size_t i = 0; i < sizeof plain; i++)
        plain[i] = (uint8_t)(i * 31 + (i >> 8));
    for (size_t s = 0; s < KS_COUNT_OF(sizes); s++) {
        struct ks_entry entry = entry_of(&key, plain, sizes[s]);
        for (size_t c = 0; c < KS_COUNT_OF(capacities); c++) {
            struct ks_symmetric_key chosen;
            uint64_t plain_size = 0;
            size_t total = 0;
            assert_int_equal(ks_plaintext_choose(&entry, &ring, false, &chosen, &plain_size), KS_OK);
            assert_int_equal(plain_size, sizes[s]);
            assert_int_equal(ks_plaintext_open(&plaintext, &entry, &chosen, plain_size), KS_OK);
            for (size_t size = 1; size > 0; total += size) {
                assert_int_equal(ks_plaintext_read(&plaintext, got, capacities[c], &size), KS_OK);
                assert_true(size <= capacities[c] && total + size <= sizes[s]);
                if (size > 0)
                    assert_memory_equal(got, plain + total, size);
            }
            assert_int_equal(total, sizes[s]);
            ks_plaintext_close(&plaintext);
        }
        close(entry.fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_is_found_wherever_it_is),
        cmocka_unit_test(text_prefers_the_key_that_makes_it_utf8),
        cmocka_unit_test(file_prefers_the_key_with_the_longest_padding),
        cmocka_unit_test(text_in_another_encoding_is_read_with_the_newest_key_that_fits),
        cmocka_unit_test(long_text_is_looked_at_as_a_whole),
        cmocka_unit_test(impossible_contents_have_no_key),
        cmocka_unit_test(contents_come_back_in_pieces_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
