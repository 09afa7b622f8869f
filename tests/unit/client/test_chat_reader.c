/* Unit tests of client/chat/chat_reader.h: what a chat server says, however it is cut. */
#include "unit/unit.h"

#include "client/chat/chat_reader.h"
#include "wire/chat_codec.h"

#include <stdio.h>
#include <string.h>

enum { RECORD_SIZE = 16 * 1024 };

/* What was given, one after the other: "kind group [name] text". A line that came unfinished, however often,
 * is noted with its end. */
struct record {
    char text[RECORD_SIZE];
    size_t size;
    char part[RECORD_SIZE]; /* of an unfinished line */
    size_t part_size;
};

static void note(struct record *record, const struct ks_chat_said *said)
{
    assert_true(said->size < sizeof record->part - record->part_size);
    memcpy(record->part + record->part_size, said->text, said->size);
    record->part_size += said->size;
    if (said->unfinished)
        return;
    int size = snprintf(record->text + record->size, sizeof record->text - record->size,
                        "%d %u [%.*s] %.*s\n", (int)said->kind, said->group, (int)said->name_size,
                        (const char *)said->name, (int)record->part_size, record->part);
    assert_true(size > 0 && (size_t)size < sizeof record->text - record->size);
    record->size += (size_t)size;
    record->part_size = 0;
}

static void take_all(struct ks_chat_reader *reader, struct record *record)
{
    struct ks_chat_said said;
    while (ks_chat_reader_next(reader, &said))
        note(record, &said);
}

/* One read that returned `bytes`. */
static void feed(struct ks_chat_reader *reader, const void *bytes, size_t size, struct record *record)
{
    size_t room = 0;
    uint8_t *place = ks_chat_reader_room(reader, &room);
    assert_true(room >= size);
    memcpy(place, bytes, size);
    ks_chat_reader_add(reader, size);
    take_all(reader, record);
}

static struct ks_chat_reader *new_reader(bool chunk_mode)
{
    struct ks_chat_reader *reader = malloc(sizeof *reader);
    assert_non_null(reader);
    ks_chat_reader_init(reader, chunk_mode);
    return reader;
}

#define TEXT(kind, group, name, text) (kind), (group), (name), (text)

static void expect(struct record *wanted, enum ks_chat_text kind, unsigned group, const char *name,
                   const char *text)
{
    const struct ks_chat_said said = {
        .kind = kind,
        .group = group,
        .name = (const uint8_t *)name,
        .name_size = strlen(name),
        .text = (const uint8_t *)text,
        .size = strlen(text),
    };
    note(wanted, &said);
}

/* All that a server in line mode may say, and to whom it says it. */
static const char line_mode[] =
    "Hello client, please choose an option: \n 1. Connect to a group chat. \n 2. Create a group chat. \n "
    "3. Exit the server. \n "
    "Enter your name: \n"
    "Enter group ID: \n"
    "There is no group id like this,try again\nEnter group ID: \n"
    "Enter password: \n"
    "There is no group password like this,try again\nEnter password: \n"
    "You chose an invalid option... \n"
    "Hello client, please choose an option: \n 1. Connect to a group chat. \n 2. Create a group chat. \n "
    "3. Exit the server. \n \n"
    "something else: \r\n"
    "Enter password for the group: \n"
    "The id of the group is:12\nYou're connected to group chat #12\nYou can start to talk!\n"
    "Hadas: shalom: \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80\n"
    ": \n"
    "Enter your name: \n"
    "Bar has removed from the group \n"
    " has removed from the group \n"
    "You chose exit so you removed from the group. \n";

static void expect_line_mode(struct record *wanted)
{
    static const char menu[] = KS_CHAT_MENU;
    expect(wanted, TEXT(KS_CHAT_TEXT_MENU, 0, "", menu));
    expect(wanted, TEXT(KS_CHAT_TEXT_ASK_NAME, 0, "", "Enter your name: "));
    expect(wanted, TEXT(KS_CHAT_TEXT_ASK_GROUP, 0, "", "Enter group ID: "));
    expect(wanted, TEXT(KS_CHAT_TEXT_NO_GROUP, 0, "", "There is no group id like this,try again"));
    expect(wanted, TEXT(KS_CHAT_TEXT_ASK_GROUP, 0, "", "Enter group ID: "));
    expect(wanted, TEXT(KS_CHAT_TEXT_ASK_PASSWORD, 0, "", "Enter password: "));
    expect(wanted,
           TEXT(KS_CHAT_TEXT_WRONG_PASSWORD, 0, "", "There is no group password like this,try again"));
    expect(wanted, TEXT(KS_CHAT_TEXT_ASK_PASSWORD, 0, "", "Enter password: "));
    expect(wanted, TEXT(KS_CHAT_TEXT_INVALID_OPTION, 0, "", "You chose an invalid option... "));
    expect(wanted, TEXT(KS_CHAT_TEXT_MENU, 0, "", menu));
    expect(wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", "something else: "));
    expect(wanted, TEXT(KS_CHAT_TEXT_ASK_NEW_PASSWORD, 0, "", "Enter password for the group: "));
    expect(wanted,
           TEXT(KS_CHAT_TEXT_CREATED, 12, "",
                "The id of the group is:12\nYou're connected to group chat #12\nYou can start to talk!"));
    expect(wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "Hadas",
                        "shalom: \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d \xf0\x9f\x98\x80"));
    expect(wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "", ""));
    expect(wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "Enter your name", ""));
    expect(wanted, TEXT(KS_CHAT_TEXT_HAS_LEFT, 0, "Bar", " has removed from the group "));
    expect(wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", " has removed from the group "));
    expect(wanted, TEXT(KS_CHAT_TEXT_LEFT, 0, "", "You chose exit so you removed from the group. "));
}

static void line_mode_does_not_depend_on_how_it_is_cut(void **state)
{
    (void)state;
    const size_t size = sizeof line_mode - 1;
    struct record *wanted = calloc(1, sizeof *wanted);
    struct record *got = calloc(1, sizeof *got);
    assert_non_null(wanted);
    assert_non_null(got);
    expect_line_mode(wanted);
    for (size_t cut = 0; cut <= size; cut++) {
        struct ks_chat_reader *reader = new_reader(false);
        memset(got, 0, sizeof *got);
        feed(reader, line_mode, cut, got);
        feed(reader, line_mode + cut, size - cut, got);
        assert_string_equal(got->text, wanted->text);
        free(reader);
    }
    free(wanted);
    free(got);
}

static void line_mode_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct record *wanted = calloc(1, sizeof *wanted);
    struct record *got = calloc(1, sizeof *got);
    struct ks_chat_reader *reader = new_reader(false);
    assert_non_null(wanted);
    assert_non_null(got);
    expect_line_mode(wanted);
    for (size_t i = 0; i < sizeof line_mode - 1; i++)
        feed(reader, line_mode + i, 1, got);
    assert_string_equal(got->text, wanted->text);
    free(reader);
    free(wanted);
    free(got);
}

/* The course's own server, as it is published, has U+2019 there, which bytes may cut as well. */
static void the_welcome_may_be_typeset(void **state)
{
    (void)state;
    static const char *const welcomes[] = {
        "The id of the group is:3\nYou\u2019re connected to group chat #3\nYou can start to talk!",
        "You\u2019re connected to group chat #3",
    };
    static const enum ks_chat_text kinds[] = {KS_CHAT_TEXT_CREATED, KS_CHAT_TEXT_JOINED};
    for (size_t i = 0; i < KS_COUNT_OF(welcomes); i++) {
        size_t size = strlen(welcomes[i]);
        for (size_t cut = 0; cut <= size; cut++) {
            struct ks_chat_reader *reader = new_reader(true);
            struct record got = {.size = 0};
            struct record wanted = {.size = 0};
            expect(&wanted, TEXT(kinds[i], 3, "", welcomes[i]));
            feed(reader, welcomes[i], cut, &got);
            feed(reader, welcomes[i] + cut, size - cut, &got);
            feed(reader, "\n", 1, &got);
            assert_string_equal(got.text, wanted.text);
            assert_true(reader->member);
            free(reader);
        }
    }
}

static void an_invalid_option_may_be_typeset(void **state)
{
    (void)state;
    struct record wanted = {.size = 0};
    struct record got = {.size = 0};
    struct ks_chat_reader *reader = new_reader(false);
    expect(&wanted, TEXT(KS_CHAT_TEXT_INVALID_OPTION, 0, "", "You chose an invalid option\u2026 "));
    feed(reader, "You chose an invalid option\u2026 \n", strlen("You chose an invalid option\u2026 \n"),
         &got);
    assert_string_equal(got.text, wanted.text);
    free(reader);
}

/* Feeds reads that a server in chunk mode made, and compares. */
static void check_chunks(const char *const *reads, const struct record *wanted)
{
    struct record *got = calloc(1, sizeof *got);
    struct ks_chat_reader *reader = new_reader(true);
    assert_non_null(got);
    for (; *reads != NULL; reads++)
        feed(reader, *reads, strlen(*reads), got);
    assert_string_equal(got->text, wanted->text);
    free(reader);
    free(got);
}

#define CHECK_CHUNKS(wanted, ...) check_chunks((const char *const[]){__VA_ARGS__, NULL}, wanted)

static void texts_without_an_end_are_known_when_they_come_joined(void **state)
{
    (void)state;
    struct record wanted = {.size = 0};
    expect(&wanted, TEXT(KS_CHAT_TEXT_NO_GROUP, 0, "", "There is no group id like this,try again"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_ASK_GROUP, 0, "", "Enter group ID: "));
    CHECK_CHUNKS(&wanted, "There is no group id like this,try againEnter group ID: \n");
    CHECK_CHUNKS(&wanted, "There is no group id like this,try again", "Enter group ID: \n");
    CHECK_CHUNKS(&wanted, "There is no group id like this,try ag", "ainEnter group ID: ", "\n");
}

static void the_end_of_a_read_ends_a_line_in_chunk_mode(void **state)
{
    (void)state;
    struct record wanted = {.size = 0};
    expect(&wanted, TEXT(KS_CHAT_TEXT_JOINED, 1, "", "You're connected to group chat #1"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "a", "one"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "b", "two"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_HAS_LEFT, 0, "a", " has removed from the group "));
    expect(&wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "b", "three"));
    CHECK_CHUNKS(&wanted, "You're connected to group chat #1\n", "a: one", "b: two",
                 "a has removed from the group \nb: three");
}

static void a_message_right_behind_the_welcome_is_not_part_of_it(void **state)
{
    (void)state;
    struct record wanted = {.size = 0};
    expect(&wanted,
           TEXT(KS_CHAT_TEXT_CREATED, 3, "",
                "The id of the group is:3\nYou're connected to group chat #3\nYou can start to talk!"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "a", "hi"));
    CHECK_CHUNKS(&wanted,
                 "The id of the group is:3\nYou're connected to group chat #3\nYou can start to talk!a: hi");
}

static void a_character_that_a_read_cuts_is_waited_for(void **state)
{
    (void)state;
    struct record wanted = {.size = 0};
    expect(&wanted, TEXT(KS_CHAT_TEXT_JOINED, 1, "", "You're connected to group chat #1"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "a", "x"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", "\xd7\xa9y"));
    CHECK_CHUNKS(&wanted, "You're connected to group chat #1\n", "a: x\xd7", "\xa9y");
}

static void what_looks_like_a_number_of_a_group_and_is_none_is_no_welcome(void **state)
{
    (void)state;
    struct record wanted = {.size = 0};
    expect(&wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", "You're connected to group chat #0"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", "You're connected to group chat #99999999999"));
    expect(&wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", "You're connected to group chat #"));
    CHECK_CHUNKS(&wanted, "You're connected to group chat #0\n",
                 "You're connected to group chat #99999999999\n", "You're connected to group chat #\n");
}

static void an_endless_line_comes_in_pieces_of_whole_characters(void **state)
{
    (void)state;
    enum { CHARACTERS = 3 * KS_CHAT_READER_SIZE };
    static const uint8_t character[] = {0xe2, 0x82, 0xac};
    struct ks_chat_reader *reader = new_reader(false);
    struct ks_chat_said said;
    size_t given = 0;
    reader->member = true;
    for (size_t sent = 0; sent < CHARACTERS;) {
        size_t room = 0;
        uint8_t *place = ks_chat_reader_room(reader, &room);
        assert_true(room > 0);
        for (size_t i = 0; i < room; i++, sent++)
            place[i] = character[sent % sizeof character];
        ks_chat_reader_add(reader, room);
        while (ks_chat_reader_next(reader, &said)) {
            assert_int_equal(said.size % sizeof character, 0);
            assert_memory_equal(said.text, character, sizeof character);
            given += said.size;
        }
    }
    assert_true(given >= CHARACTERS - KS_CHAT_READER_SIZE);
    free(reader);
}

static void at_the_end_nothing_is_held_back(void **state)
{
    (void)state;
    static const char *const rests[] = {"half a line", "a: x\xd7", "Enter your na"};
    for (size_t i = 0; i < KS_COUNT_OF(rests); i++) {
        struct ks_chat_reader *reader = new_reader(false);
        struct record got = {.size = 0};
        struct record wanted = {.size = 0};
        reader->member = i < 2;
        feed(reader, rests[i], strlen(rests[i]), &got);
        assert_int_equal(got.size, 0);
        ks_chat_reader_end(reader);
        take_all(reader, &got);
        if (i == 1)
            expect(&wanted, TEXT(KS_CHAT_TEXT_MESSAGE, 0, "a", "x\xd7"));
        else if (i == 0)
            expect(&wanted, TEXT(KS_CHAT_TEXT_OTHER, 0, "", rests[i]));
        else
            assert_memory_equal(got.part, rests[i], strlen(rests[i]));
        assert_string_equal(got.text, wanted.text);
        free(reader);
    }
}

static void empty_lines_are_nothing(void **state)
{
    (void)state;
    struct ks_chat_reader *reader = new_reader(false);
    struct record got = {.size = 0};
    feed(reader, "\n\r\n", 3, &got);
    reader->member = true;
    feed(reader, "\n\n\r\n", 4, &got);
    assert_int_equal(got.size, 0);
    free(reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_mode_does_not_depend_on_how_it_is_cut),
        cmocka_unit_test(line_mode_may_come_byte_by_byte),
        cmocka_unit_test(the_welcome_may_be_typeset),
        cmocka_unit_test(an_invalid_option_may_be_typeset),
        cmocka_unit_test(texts_without_an_end_are_known_when_they_come_joined),
        cmocka_unit_test(the_end_of_a_read_ends_a_line_in_chunk_mode),
        cmocka_unit_test(a_message_right_behind_the_welcome_is_not_part_of_it),
        cmocka_unit_test(a_character_that_a_read_cuts_is_waited_for),
        cmocka_unit_test(what_looks_like_a_number_of_a_group_and_is_none_is_no_welcome),
        cmocka_unit_test(an_endless_line_comes_in_pieces_of_whole_characters),
        cmocka_unit_test(at_the_end_nothing_is_held_back),
        cmocka_unit_test(empty_lines_are_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
