/* Unit tests of wire/files_codec.h: own files on the secure port, as tests/vectors-secure.json has them,
 * which somebody else's reading of protocol.md made; and what vectors do not show: ends, limits, room.
 */
#include "unit/unit.h"

#include "vectors_secure.h"

#include "unit/wire/pieces.h"
#include "wire/files_codec.h"

static void assert_name(const struct ks_wire_text *name, const char *hex)
{
    struct piece wanted = from_hex(hex);
    assert_int_equal(name->size, wanted.size);
    assert_memory_equal(name->bytes, wanted.bytes, wanted.size);
}

/* ---- names ---- */

/* A copy without a NUL, whose ends are guarded. */
static bool is_valid(const char *bytes, size_t size)
{
    uint8_t *copy = unit_exact_copy(bytes, size);
    bool valid = ks_file_name_is_valid((const char *)copy, size);
    free(copy);
    return valid;
}

static void names_that_files_may_have_are_valid_and_no_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_file_names); i++) {
        struct piece name = from_hex(vector_file_names[i].name_hex);
        if (!is_valid((const char *)name.bytes, name.size))
            fail_msg("no name: %s", vector_file_names[i].name_hex);
    }
    for (size_t i = 0; i < KS_COUNT_OF(vector_no_file_names); i++) {
        struct piece name = from_hex(vector_no_file_names[i].name_hex);
        if (is_valid((const char *)name.bytes, name.size))
            fail_msg("it passed for a name: %s", vector_no_file_names[i].name_hex);
    }
}

/* At the beginning, within, and at the end: each byte that there is. */
static void no_control_byte_and_no_backslash_is_in_a_name(void **state)
{
    (void)state;
    for (unsigned byte = 0; byte <= UINT8_MAX; byte++) {
        bool may = byte >= 0x20 && byte != 0x7f && byte != '\\';
        for (size_t place = 0; place < 3; place++) {
            char name[] = {'a', 'a', 'a'};
            name[place] = (char)byte;
            assert_int_equal(is_valid(name, sizeof name), may && (byte != '/' || place == 1));
        }
    }
}

static void a_name_has_1_to_254_bytes(void **state)
{
    char name[KS_FILE_NAME_LIMIT + 2];
    (void)state;
    assert_int_equal(KS_FILE_NAME_LIMIT, 254);
    memset(name, 'n', sizeof name);
    for (size_t size = 0; size <= sizeof name; size++)
        assert_int_equal(is_valid(name, size), size >= 1 && size <= 254);
}

/* ---- requests ---- */

static void a_name_alone_is_read_and_written_as_the_peer_writes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_names_alone); i++) {
        struct piece payload = from_hex(vector_names_alone[i].payload_hex), again = {.size = 0};
        struct ks_wire_text name;
        assert_int_equal(ks_wire_text_parse(payload.bytes, payload.size, &name), KS_OK);
        assert_name(&name, vector_names_alone[i].name_hex);
        assert_int_equal(ks_wire_text_encode(&name, again.bytes, BYTES_LIMIT, &again.size), KS_OK);
        assert_piece(&again, vector_names_alone[i].payload_hex);
    }
}

static void a_get_is_read_and_written_as_the_peer_writes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_gets); i++) {
        struct piece payload = from_hex(vector_gets[i].payload_hex), again = {.size = 0};
        struct ks_get_file get;
        assert_int_equal(ks_get_file_parse(payload.bytes, payload.size, &get), KS_OK);
        assert_true(get.offset == vector_gets[i].offset && get.length == vector_gets[i].length);
        assert_int_equal(get.cksum, vector_gets[i].cksum);
        assert_name(&get.name, vector_gets[i].name_hex);
        assert_int_equal(ks_get_file_encode(&get, again.bytes, BYTES_LIMIT, &again.size), KS_OK);
        assert_piece(&again, vector_gets[i].payload_hex);
        assert_int_equal(again.size, KS_GET_FILE_FIXED_SIZE + get.name.size);
    }
}

static void a_put_is_read_and_written_as_the_peer_writes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_puts); i++) {
        struct piece payload = from_hex(vector_puts[i].payload_hex), again = {.size = 0};
        struct piece put_id = from_hex(vector_puts[i].put_id_hex);
        struct ks_put_file put;
        assert_int_equal(ks_put_file_parse(payload.bytes, payload.size, &put), KS_OK);
        assert_memory_equal(put.put_id, put_id.bytes, KS_PUT_ID_SIZE);
        assert_int_equal(put.flags, vector_puts[i].flags);
        assert_true(put.size == vector_puts[i].size);
        assert_name(&put.name, vector_puts[i].name_hex);
        assert_int_equal(ks_put_file_encode(&put, again.bytes, BYTES_LIMIT, &again.size), KS_OK);
        assert_piece(&again, vector_puts[i].payload_hex);
        assert_int_equal(again.size, KS_PUT_FILE_FIXED_SIZE + put.name.size);
    }
}

/* ---- answers ---- */

static void assert_facts(const struct ks_file_facts *facts, uint64_t size, uint64_t time, const int known[2],
                         uint32_t cksum, const char *sha256_hex)
{
    assert_true(facts->size == size && facts->time == time);
    assert_int_equal(facts->has_cksum, known[0]);
    assert_int_equal(facts->has_sha256, known[1]);
    assert_int_equal(facts->cksum, cksum);
    if (known[1])
        assert_memory_equal(facts->sha256, from_hex(sha256_hex).bytes, KS_FILE_SHA256_SIZE);
}

/* One page of the vectors from its file `first` on. */
static void read_and_write_page(size_t page, size_t first)
{
    struct piece payload = from_hex(vector_pages[page].payload_hex), again = {.size = 1};
    struct ks_file_facts facts;
    struct ks_wire_text name;
    size_t offset = 1;
    again.bytes[0] = (uint8_t)vector_pages[page].more;
    for (size_t i = first; i < first + vector_pages[page].files; i++) {
        const int known[] = {vector_page_files[i].has_cksum, vector_page_files[i].has_sha256};
        assert_int_equal(ks_file_entry_next(payload.bytes, payload.size, &offset, &facts, &name), KS_OK);
        assert_facts(&facts, vector_page_files[i].size, vector_page_files[i].time, known,
                     vector_page_files[i].cksum, vector_page_files[i].sha256_hex);
        assert_name(&name, vector_page_files[i].name_hex);
        assert_int_equal(ks_file_entry_add(again.bytes, BYTES_LIMIT, &again.size, &facts, &name), KS_OK);
        assert_int_equal(again.size, offset);
    }
    assert_int_equal(ks_file_entry_next(payload.bytes, payload.size, &offset, &facts, &name), KS_NOT_FOUND);
    assert_piece(&again, vector_pages[page].payload_hex);
}

static void pages_of_a_list_are_read_and_written_as_the_peer_writes_them(void **state)
{
    size_t first = 0;
    (void)state;
    for (size_t page = 0; page < KS_COUNT_OF(vector_pages); page++) {
        read_and_write_page(page, first);
        first += vector_pages[page].files;
    }
    assert_int_equal(first, KS_COUNT_OF(vector_page_files));
}

static void what_comes_is_read_and_written_as_the_peer_writes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_coming); i++) {
        struct piece payload = from_hex(vector_coming[i].payload_hex), again = {.size = KS_GOT_FILE_SIZE};
        const int known[] = {vector_coming[i].has_cksum, vector_coming[i].has_sha256};
        struct ks_got_file got;
        assert_int_equal(ks_got_file_parse(payload.bytes, payload.size, &got), KS_OK);
        assert_true(got.offset == vector_coming[i].offset && got.length == vector_coming[i].length);
        assert_facts(&got.facts, vector_coming[i].size, vector_coming[i].time, known, vector_coming[i].cksum,
                     vector_coming[i].sha256_hex);
        ks_got_file_encode(&got, again.bytes);
        assert_piece(&again, vector_coming[i].payload_hex);
    }
}

static void what_the_server_has_is_read_and_written_as_the_peer_writes_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_opened); i++) {
        struct piece payload = from_hex(vector_opened[i].payload_hex), again = {.size = KS_PUT_OPEN_SIZE};
        struct ks_put_open open;
        assert_int_equal(ks_put_open_parse(payload.bytes, payload.size, &open), KS_OK);
        assert_int_equal(open.flags, vector_opened[i].is_kept ? KS_PUT_IS_KEPT : 0);
        assert_true(open.offset == vector_opened[i].offset);
        assert_int_equal(open.cksum, vector_opened[i].cksum);
        ks_put_open_encode(&open, again.bytes);
        assert_piece(&again, vector_opened[i].payload_hex);
    }
}

/* What cannot be known is zeros, whatever stands in the structure. */
static void what_is_not_known_is_written_as_zeros(void **state)
{
    struct ks_got_file got = {.facts = {.cksum = 7, .sha256 = {1, 2, 3}}};
    static const uint8_t zeros[KS_FILE_FACTS_SIZE];
    uint8_t bytes[KS_GOT_FILE_SIZE];
    struct piece entry = {.size = 0};
    const struct ks_wire_text name = {.bytes = "x", .size = 1};
    (void)state;
    ks_got_file_encode(&got, bytes);
    assert_memory_equal(bytes + 16, zeros, KS_FILE_FACTS_SIZE);
    assert_int_equal(ks_file_entry_add(entry.bytes, BYTES_LIMIT, &entry.size, &got.facts, &name), KS_OK);
    assert_memory_equal(entry.bytes, zeros, KS_FILE_FACTS_SIZE);
}

/* ---- what is none ---- */

static enum ks_result parse_get(const uint8_t *bytes, size_t size)
{
    struct ks_get_file get;
    return ks_get_file_parse(bytes, size, &get);
}

static enum ks_result parse_put(const uint8_t *bytes, size_t size)
{
    struct ks_put_file put;
    return ks_put_file_parse(bytes, size, &put);
}

static enum ks_result parse_got(const uint8_t *bytes, size_t size)
{
    struct ks_got_file got;
    return ks_got_file_parse(bytes, size, &got);
}

static enum ks_result parse_open(const uint8_t *bytes, size_t size)
{
    struct ks_put_open open;
    return ks_put_open_parse(bytes, size, &open);
}

static enum ks_result parse_name(const uint8_t *bytes, size_t size)
{
    struct ks_wire_text name;
    return ks_wire_text_parse(bytes, size, &name);
}

/* KS_OK for a page that is one all through. */
static enum ks_result parse_page(const uint8_t *bytes, size_t size)
{
    struct ks_file_facts facts;
    struct ks_wire_text name;
    size_t offset = 1;
    enum ks_result result = KS_OK;
    while ((result = ks_file_entry_next(bytes, size, &offset, &facts, &name)) == KS_OK)
        continue;
    return result == KS_NOT_FOUND ? KS_OK : result;
}

static const struct {
    unsigned code;
    enum ks_result (*parse)(const uint8_t *bytes, size_t size);
} parsers[] = {{3010, parse_name}, {3011, parse_get}, {3013, parse_put},
               {4010, parse_page}, {4011, parse_got}, {4013, parse_open}};

static enum ks_result parse(unsigned code, const struct piece *payload)
{
    enum ks_result result = KS_OK;
    size_t which = 0;
    while (parsers[which].code != code)
        assert_true(++which < KS_COUNT_OF(parsers));
    uint8_t *copy = unit_exact_copy(payload->bytes, payload->size);
    result = parsers[which].parse(copy, payload->size);
    free(copy);
    return result;
}

static void what_is_malformed_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_malformed); i++) {
        struct piece payload = from_hex(vector_malformed[i].payload_hex);
        if (parse(vector_malformed[i].code, &payload) != KS_INVALID)
            fail_msg("it passed for a %u: %s, %s", vector_malformed[i].code, vector_malformed[i].why,
                     vector_malformed[i].payload_hex);
    }
}

/* Every beginning of it, and it with a byte behind. */
static void is_read_whole_only(unsigned code, const char *hex)
{
    struct piece payload = from_hex(hex);
    size_t whole = payload.size;
    assert_int_equal(parse(code, &payload), KS_OK);
    for (payload.size = 0; payload.size < whole; payload.size++)
        assert_int_equal(parse(code, &payload), KS_INVALID);
    payload.bytes[whole] = 0;
    payload.size = whole + 1;
    assert_int_equal(parse(code, &payload), KS_INVALID);
}

static void all_but_pages_are_read_whole_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(vector_names_alone); i++)
        is_read_whole_only(3010, vector_names_alone[i].payload_hex);
    for (size_t i = 0; i < KS_COUNT_OF(vector_gets); i++)
        is_read_whole_only(3011, vector_gets[i].payload_hex);
    for (size_t i = 0; i < KS_COUNT_OF(vector_puts); i++)
        is_read_whole_only(3013, vector_puts[i].payload_hex);
    for (size_t i = 0; i < KS_COUNT_OF(vector_coming); i++)
        is_read_whole_only(4011, vector_coming[i].payload_hex);
    for (size_t i = 0; i < KS_COUNT_OF(vector_opened); i++)
        is_read_whole_only(4013, vector_opened[i].payload_hex);
}

static void a_page_that_is_cut_inside_a_file_is_none(void **state)
{
    static const struct ks_wire_text names[] = {{.bytes = "a", .size = 1}, {.bytes = "long name", .size = 9}};
    const struct ks_file_facts facts = {.size = 5};
    struct piece page = {.size = 1};
    size_t ends[KS_COUNT_OF(names) + 1] = {1};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        assert_int_equal(ks_file_entry_add(page.bytes, BYTES_LIMIT, &page.size, &facts, &names[i]), KS_OK);
        ends[i + 1] = page.size;
    }
    size_t whole = page.size, end = 0;
    for (page.size = 1; page.size <= whole; page.size++) {
        assert_int_equal(parse(4010, &page), page.size == ends[end] ? KS_OK : KS_INVALID);
        end += page.size == ends[end];
    }
    assert_int_equal(end, KS_COUNT_OF(ends));
}

static void an_offset_behind_the_end_of_a_page_reads_nothing(void **state)
{
    const uint8_t bytes[] = {0};
    size_t offset = sizeof bytes + 1;
    struct ks_file_facts facts;
    struct ks_wire_text name;
    (void)state;
    assert_int_equal(ks_file_entry_next(bytes, sizeof bytes, &offset, &facts, &name), KS_INVALID);
}

/* ---- the largest ---- */

static void sizes_and_offsets_are_at_most_2_to_the_63_less_1(void **state)
{
    (void)state;
    assert_true(KS_FILE_LARGEST == UINT64_C(0x7fffffffffffffff));
    for (unsigned bit = 0; bit < 64; bit++) {
        struct ks_get_file get = {.offset = UINT64_C(1) << bit, .name = {.bytes = "x", .size = 1}};
        struct ks_put_file put = {.size = UINT64_C(1) << bit, .name = {.bytes = "x", .size = 1}};
        struct ks_put_open open = {.offset = UINT64_C(1) << bit};
        enum ks_result wanted = bit < 63 ? KS_OK : KS_INVALID;
        struct piece bytes = {.size = 0};
        assert_int_equal(ks_get_file_encode(&get, bytes.bytes, BYTES_LIMIT, &bytes.size), KS_OK);
        assert_int_equal(parse(3011, &bytes), wanted);
        assert_int_equal(ks_put_file_encode(&put, bytes.bytes, BYTES_LIMIT, &bytes.size), KS_OK);
        assert_int_equal(parse(3013, &bytes), wanted);
        bytes.size = KS_PUT_OPEN_SIZE;
        ks_put_open_encode(&open, bytes.bytes);
        assert_int_equal(parse(4013, &bytes), wanted);
    }
}

static void a_put_has_no_flags_but_the_two(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
        struct piece payload = from_hex(vector_puts[0].payload_hex);
        payload.bytes[KS_PUT_ID_SIZE] = (uint8_t)flags;
        assert_int_equal(parse(3013, &payload), flags <= (KS_PUT_REPLACE | KS_PUT_ANEW) ? KS_OK : KS_INVALID);
    }
}

/* ---- room ---- */

static void what_does_not_fit_is_not_written(void **state)
{
    const struct ks_get_file get = {.name = {.bytes = "name", .size = 4}};
    const struct ks_put_file put = {.name = {.bytes = "name", .size = 4}};
    (void)state;
    for (size_t room = 0; room <= KS_PUT_FILE_FIXED_SIZE + 4; room++) {
        uint8_t *bytes = malloc(room + 1); /* as much as there is room for, guarded but for one */
        size_t size = 0;
        assert_non_null(bytes);
        bytes[room] = 0xa5;
        enum ks_result result = ks_put_file_encode(&put, bytes, room, &size);
        assert_int_equal(result, room >= KS_PUT_FILE_FIXED_SIZE + 4 ? KS_OK : KS_TOO_LARGE);
        result = ks_get_file_encode(&get, bytes, room, &size);
        assert_int_equal(result, room >= KS_GET_FILE_FIXED_SIZE + 4 ? KS_OK : KS_TOO_LARGE);
        assert_int_equal(bytes[room], 0xa5);
        free(bytes);
    }
}

static void a_file_for_which_there_is_no_room_leaves_the_page_as_it_is(void **state)
{
    static const char long_name[KS_FILE_NAME_LIMIT] = "n";
    const struct ks_wire_text name = {.bytes = long_name, .size = sizeof long_name};
    const struct ks_file_facts facts = {.size = 1};
    struct piece page = {.size = 1};
    (void)state;
    memset(page.bytes, 0xa5, sizeof page.bytes);
    const size_t full = 1 + KS_FILE_ENTRY_LIMIT;
    assert_int_equal(ks_file_entry_add(page.bytes, full, &page.size, &facts, &name), KS_OK);
    assert_int_equal(page.size, full);
    for (size_t room = full; room < full + KS_FILE_ENTRY_LIMIT; room++) {
        assert_int_equal(ks_file_entry_add(page.bytes, room, &page.size, &facts, &name), KS_TOO_LARGE);
        assert_int_equal(page.size, full);
        assert_int_equal(page.bytes[room], 0xa5);
    }
    assert_int_equal(ks_file_entry_add(page.bytes, full + KS_FILE_ENTRY_LIMIT, &page.size, &facts, &name),
                     KS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_that_files_may_have_are_valid_and_no_others),
        cmocka_unit_test(no_control_byte_and_no_backslash_is_in_a_name),
        cmocka_unit_test(a_name_has_1_to_254_bytes),
        cmocka_unit_test(a_name_alone_is_read_and_written_as_the_peer_writes_it),
        cmocka_unit_test(a_get_is_read_and_written_as_the_peer_writes_it),
        cmocka_unit_test(a_put_is_read_and_written_as_the_peer_writes_it),
        cmocka_unit_test(pages_of_a_list_are_read_and_written_as_the_peer_writes_them),
        cmocka_unit_test(what_comes_is_read_and_written_as_the_peer_writes_it),
        cmocka_unit_test(what_the_server_has_is_read_and_written_as_the_peer_writes_it),
        cmocka_unit_test(what_is_not_known_is_written_as_zeros),
        cmocka_unit_test(what_is_malformed_is_none),
        cmocka_unit_test(all_but_pages_are_read_whole_only),
        cmocka_unit_test(a_page_that_is_cut_inside_a_file_is_none),
        cmocka_unit_test(an_offset_behind_the_end_of_a_page_reads_nothing),
        cmocka_unit_test(sizes_and_offsets_are_at_most_2_to_the_63_less_1),
        cmocka_unit_test(a_put_has_no_flags_but_the_two),
        cmocka_unit_test(what_does_not_fit_is_not_written),
        cmocka_unit_test(a_file_for_which_there_is_no_room_leaves_the_page_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
