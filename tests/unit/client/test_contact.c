/* Unit tests of what a home remembers of other users: client/people/contact.h and client/people/contacts.h.
 */
#include "unit/client/home_fixture.h"
#include "unit/client/key_ring_fixture.h"

#include "client/inbound/saved_file.h"
#include "client/people/contacts.h"

#include <fcntl.h>

/* ---- the bytes of a contact ---- */

static struct ks_contact full_contact(void)
{
    struct ks_contact contact = {.has_id = true, .has_public_key = true};
    strcpy(contact.name, " alice  of / \\ .. x ");
    for (size_t i = 0; i < sizeof contact.public_key; i++)
        contact.public_key[i] = (uint8_t)(i * 7);
    memset(contact.id.bytes, 0xA5, sizeof contact.id.bytes);
    for (int letter = 'A'; letter <= 'D'; letter++)
        share(&contact.ring, (char)letter);
    for (int letter = 'u'; letter <= 'w'; letter++)
        receive(&contact.ring, (char)letter);
    assert_true(ks_key_ring_accept(&contact.ring));
    show(&contact.ring, 'v');
    show(&contact.ring, 'A');
    return contact;
}

static void format(const struct ks_contact *contact, struct ks_buffer *text)
{
    *text = ks_buffer_empty(KS_CONTACT_TEXT_LIMIT);
    assert_int_equal(ks_contact_format(contact, text), KS_OK);
}

static void contact_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct ks_contact contacts[] = {full_contact(), full_contact(), full_contact(), full_contact()};
    contacts[1].ring = (struct ks_key_ring){.ours_count = 0};
    contacts[2].has_public_key = false;
    memset(contacts[2].public_key, 0, sizeof contacts[2].public_key);
    contacts[3] = (struct ks_contact){.name = "x"};
    for (size_t i = 0; i < KS_COUNT_OF(contacts); i++) {
        struct ks_buffer text;
        struct ks_contact parsed;
        format(&contacts[i], &text);
        assert_int_equal(ks_contact_parse(text.bytes, text.size, &parsed), KS_OK);
        assert_memory_equal(&parsed, &contacts[i], sizeof parsed);
        ks_buffer_wipe(&text);
    }
}

static void contact_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    const struct ks_contact contact = full_contact();
    struct ks_buffer text;
    format(&contact, &text);
    for (size_t size = 0; size < text.size; size++) {
        struct ks_contact parsed;
        uint8_t *cut = unit_exact_copy(text.bytes, size);
        assert_int_equal(ks_contact_parse(cut, size, &parsed), KS_INVALID);
        free(cut);
    }
    ks_buffer_wipe(&text);
}

static void contact_with_strange_lines_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "kesher contact 3\nname x\nend\n",
        "kesher contact 0\nname x\nend\n",
        "name x\nend\n",
        "kesher contact 1\nend\n",
        "kesher contact 1\nname \nend\n",
        "kesher contact 1\nname x\nname y\nend\n",
        "kesher contact 1\nname x\nend\nid 00112233445566778899aabbccddeeff\n",
        "kesher contact 1\nname x\nid 0011\nend\n",
        "kesher contact 1\nname x\nid 00112233445566778899aabbccddeegg\nend\n",
        "kesher contact 1\nname x\npublic-key AAAA\nend\n",
        "kesher contact 1\nname x\nsecret 1\nend\n",
        "kesher contact 1\nname x\nwaiting 00112233445566778899aabbccddeeff\nend\n",
        "kesher contact 1\nname x\nold 00112233445566778899aabbccddeef\nend\n",
        "kesher contact 1\nname x\nours 00112233445566778899aabbccddeeff\nend\n",
        "kesher contact 2\nname x\nold 00112233445566778899aabbccddeeff\nend\n",
        "kesher contact 2\nname x\ntold 00112233445566778899aabbccddeef\nend\n",
        "kesher contact 2\nname x\nshare again\nend\n", /* nothing to share */
        "kesher contact 2\nname x\nreads\nend\n",
        "kesher contact 2\nname x\nreads ours\nreads ours\nend\n",
        "kesher contact 1\nname x\x7f\nend\n",
    };
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        struct ks_contact parsed;
        assert_int_equal(ks_contact_parse((const uint8_t *)texts[i], strlen(texts[i]), &parsed), KS_INVALID);
    }
}

/* What is under the key that was used for sending was agreed on with nobody knows whom. */
static void keys_of_older_homes_count_as_received(void **state)
{
    (void)state;
    const char *text = "kesher contact 1\nname alice\n"
                       "sending 61616161616161616161616161616161\n"
                       "waiting 62626262626262626262626262626262\n"
                       "old 63636363636363636363636363636363\n"
                       "old 64646464646464646464646464646464\nend\n";
    struct ks_contact parsed;
    struct ks_buffer written;
    assert_int_equal(ks_contact_parse((const uint8_t *)text, strlen(text), &parsed), KS_OK);
    assert_false(parsed.ring.has_sending);
    assert_int_equal(parsed.ring.ours_count, 0);
    assert_int_equal(parsed.ring.received_count, 4);
    assert_string_equal(letters_of(&parsed.ring), "bacd");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(parsed.ring.received[i].standing, KS_KEY_STANDING_NEW);
    format(&parsed, &written);
    assert_memory_equal(written.bytes, "kesher contact 2\n", 17);
    ks_buffer_wipe(&written);
}

/* They had room for two more. */
static void many_keys_of_an_older_home_are_read_as_far_as_there_is_room(void **state)
{
    (void)state;
    char text[KS_CONTACT_TEXT_LIMIT];
    size_t size = (size_t)snprintf(text, sizeof text,
                                   "kesher contact 1\nname alice\nsending %032d\nwaiting %032d\n", 1, 2);
    for (int i = 3; i < 67; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "old %032d\n", i);
    size += (size_t)snprintf(text + size, sizeof text - size, "end\n");
    struct ks_contact parsed;
    assert_int_equal(ks_contact_parse((const uint8_t *)text, size, &parsed), KS_OK);
    assert_int_equal(parsed.ring.received_count, KS_KEY_RING_RECEIVED);
    assert_int_equal(parsed.ring.received[0].key.bytes[15], 2);
}

static void contact_survives_an_editor(void **state)
{
    (void)state;
    const char *text = "kesher contact 1\r\n\r\nname alice\r\nid 00112233445566778899AABBCCDDEEFF\r\nend\r\n";
    struct ks_contact parsed;
    assert_int_equal(ks_contact_parse((const uint8_t *)text, strlen(text), &parsed), KS_OK);
    assert_string_equal(parsed.name, "alice");
    assert_int_equal(parsed.id.bytes[15], 0xff);
}

static void file_names_are_safe_and_differ(void **state)
{
    (void)state;
    static const char *const names[] = {"alice", "Alice", "alice ", "../../etc/passwd", ".", "..",       "/",
                                        "a/b",   "a_b",   "-rf",    "\\\\host",         "~", "a\"b'c$d", "*"};
    char file_names[KS_COUNT_OF(names) + 1][KS_CONTACT_FILE_NAME_SIZE];
    char long_name[KS_TEXT_FIELD_SIZE];
    memset(long_name, 'n', sizeof long_name);
    long_name[sizeof long_name - 1] = '\0';
    for (size_t i = 0; i <= KS_COUNT_OF(names); i++) {
        const char *name = i < KS_COUNT_OF(names) ? names[i] : long_name;
        assert_int_equal(ks_contact_file_name(name, file_names[i]), KS_OK);
        assert_true(ks_contact_is_file_name(file_names[i]));
        assert_int_equal(
            strspn(file_names[i], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."),
            strlen(file_names[i]));
        assert_true(file_names[i][0] != '.' && file_names[i][0] != '-');
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(file_names[i], file_names[j]);
    }
    assert_false(ks_contact_is_file_name("lock"));
    assert_false(ks_contact_is_file_name(".contact"));
    assert_false(ks_contact_is_file_name(".x.contact"));
}

/* ---- the directory ---- */

static enum kesher_status put_id(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)error;
    contact->has_id = true;
    memset(contact->id.bytes, *(const char *)context, sizeof contact->id.bytes);
    return KESHER_OK;
}

static enum kesher_status put_key(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    struct ks_symmetric_key key = key_of(*(const char *)context);
    (void)error;
    ks_key_ring_receive(&contact->ring, &key);
    return KESHER_OK;
}

static enum kesher_status pin(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)error;
    contact->has_public_key = true;
    memset(contact->public_key, *(const char *)context, sizeof contact->public_key);
    return KESHER_OK;
}

static enum kesher_status refuse(struct ks_contact *contact, void *context, struct kesher_error *error)
{
    (void)context;
    (void)error;
    contact->has_id = true;
    return KESHER_REFUSED;
}

static struct ks_contacts contacts_of(const struct fixture *fixture, bool keep_keys)
{
    struct ks_contacts contacts;
    assert_int_equal(ks_contacts_open(&contacts, fixture->home, keep_keys, NULL), KESHER_OK);
    return contacts;
}

static void change(struct ks_contacts *contacts, const char *name,
                   enum kesher_status (*how)(struct ks_contact *, void *, struct kesher_error *), char letter)
{
    assert_int_equal(ks_contacts_change(contacts, name, how, &letter, NULL), KESHER_OK);
}

/* The letters of the keys with `name`. */
static const char *keys_with(const struct ks_contacts *contacts, const char *name)
{
    struct ks_contact contact;
    enum kesher_status status = ks_contacts_load(contacts, name, &contact, NULL);
    assert_true(status == KESHER_OK || status == KESHER_NOT_FOUND);
    assert_string_equal(contact.name, name);
    return letters_of(&contact.ring);
}

static void assert_name_of(struct ks_contacts *contacts, char letter, const char *expected)
{
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
    memset(id.bytes, letter, sizeof id.bytes);
    enum kesher_status status = ks_contacts_name_of(contacts, &id, name, NULL);
    assert_int_equal(status, expected == NULL ? KESHER_NOT_FOUND : KESHER_OK);
    if (expected != NULL)
        assert_string_equal(name, expected);
}

static void changes_are_seen_by_other_programs(void **state)
{
    struct ks_contacts here = contacts_of(*state, true);
    struct ks_contacts there = contacts_of(*state, true);
    assert_name_of(&there, 'i', NULL);
    uint64_t stamp = ks_contacts_stamp(&there);
    change(&here, "alice", put_id, 'i');
    assert_int_not_equal(ks_contacts_stamp(&there), stamp);
    change(&there, "alice", put_key, 'k');
    change(&here, "bob", put_id, 'j');
    change(&here, "carol", put_key, 'c'); /* has no id */
    assert_name_of(&here, 'i', "alice");
    assert_name_of(&there, 'i', "alice");
    assert_name_of(&there, 'j', "bob");
    change(&here, "alice", put_id, 'x');
    assert_name_of(&here, 'i', NULL);
    assert_name_of(&here, 'x', "alice");
    assert_name_of(&there, 'x', "alice");
    assert_string_equal(keys_with(&here, "alice"), "k");
    assert_int_equal(ks_contacts_forget(&there, "alice", NULL), KESHER_OK);
    assert_name_of(&here, 'x', NULL);
    assert_string_equal(keys_with(&here, "alice"), "");
    ks_contacts_close(&here);
    ks_contacts_close(&there);
}

static void refused_change_is_not_saved(void **state)
{
    struct ks_contacts contacts = contacts_of(*state, true);
    struct ks_contact contact;
    assert_int_equal(ks_contacts_change(&contacts, "alice", refuse, NULL, NULL), KESHER_REFUSED);
    assert_int_equal(ks_contacts_load(&contacts, "alice", &contact, NULL), KESHER_NOT_FOUND);
    ks_contacts_close(&contacts);
}

static void broken_contact_is_told_and_not_overwritten(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_contacts contacts = contacts_of(fixture, true);
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    struct ks_contact contact;
    struct kesher_error error;
    char letter = 'k';
    change(&contacts, "alice", pin, 'p');
    change(&contacts, "bob", put_id, 'b');
    assert_int_equal(ks_contact_file_name("alice", file_name), KS_OK);
    int fd = openat(contacts.directory->directory_fd, file_name, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ks_contacts_load(&contacts, "alice", &contact, &error), KESHER_INVALID);
    assert_non_null(strstr(error.sentence, file_name));
    assert_int_equal(ks_contacts_change(&contacts, "alice", put_key, &letter, NULL), KESHER_INVALID);
    assert_name_of(&contacts, 'b', "bob");
    assert_int_equal(ks_contacts_forget(&contacts, "alice", NULL), KESHER_OK);
    change(&contacts, "alice", put_key, 'k');
    ks_contacts_close(&contacts);
}

static void keys_in_memory_leave_the_disk_alone(void **state)
{
    struct ks_contacts keeping = contacts_of(*state, true);
    struct ks_contacts forgetting = contacts_of(*state, false);
    change(&keeping, "alice", put_key, 'd');
    assert_string_equal(keys_with(&forgetting, "alice"), "");
    change(&forgetting, "alice", put_key, 'm');
    change(&forgetting, "alice", pin, 'p');
    assert_string_equal(keys_with(&forgetting, "alice"), "m");
    assert_string_equal(keys_with(&keeping, "alice"), "d");
    ks_contacts_close(&forgetting);
    forgetting = contacts_of(*state, false);
    assert_string_equal(keys_with(&forgetting, "alice"), "");
    ks_contacts_close(&forgetting);
    ks_contacts_close(&keeping);
}

static void keys_in_memory_end_with_the_pin_that_they_hang_on(void **state)
{
    struct ks_contacts here = contacts_of(*state, false);
    struct ks_contacts there = contacts_of(*state, true);
    change(&here, "alice", pin, 'p');
    change(&here, "alice", put_key, 'm');
    assert_int_equal(ks_contacts_forget(&there, "alice", NULL), KESHER_OK);
    assert_string_equal(keys_with(&here, "alice"), "");
    change(&there, "alice", pin, 'q');
    assert_string_equal(keys_with(&here, "alice"), "");
    assert_int_equal(ks_contacts_forget(&here, "alice", NULL), KESHER_OK);
    assert_int_equal(ks_contacts_forget(&here, "alice", NULL), KESHER_NOT_FOUND);
    ks_contacts_close(&here);
    ks_contacts_close(&there);
}

static void contact_files_are_private_and_leftovers_are_swept(void **state)
{
    struct ks_contacts contacts = contacts_of(*state, true);
    char file_name[KS_CONTACT_FILE_NAME_SIZE];
    struct stat status;
    const char *leftover = ".alice-0011223344556677.contact.4711.tmp";
    change(&contacts, "alice", put_key, 'k');
    assert_int_equal(ks_contact_file_name("alice", file_name), KS_OK);
    assert_int_equal(fstatat(contacts.directory->directory_fd, file_name, &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(fstat(contacts.directory->directory_fd, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    int fd = openat(contacts.directory->directory_fd, leftover, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    close(fd);
    ks_contacts_close(&contacts);
    contacts = contacts_of(*state, true);
    assert_false(ks_home_files_exists(contacts.directory, leftover));
    assert_string_equal(keys_with(&contacts, "alice"), "k");
    ks_contacts_close(&contacts);
}

static void names_that_are_none_are_refused(void **state)
{
    struct ks_contacts contacts = contacts_of(*state, true);
    struct ks_contact contact;
    static const char *const names[] = {"", " ", "a\nb", "\x1b[2J", "\xc3\xa9"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        assert_int_equal(ks_contacts_load(&contacts, names[i], &contact, NULL), KESHER_INVALID);
        assert_int_equal(ks_contacts_forget(&contacts, names[i], NULL), KESHER_INVALID);
    }
    ks_contacts_close(&contacts);
}

/* ---- names of saved files ---- */

static void saved_names_are_safe(void **state)
{
    (void)state;
    static const struct {
        const char *sender;
        unsigned attempt;
        const char *name;
    } cases[] = {
        {"alice", 1, "alice-7"},        {"alice", 2, "alice-7-2"},   {"", 1, "unknown-7"},
        {"../../x", 1, "_._.._x-7"},    {".bashrc", 1, "_bashrc-7"}, {"-rf", 1, "_rf-7"},
        {"a b/c\\d", 3, "a_b_c_d-7-3"}, {"\x1b[2J", 1, "__2J-7"},    {"\xc3\xa9", 1, "__-7"},
    };
    char name[KS_SAVED_FILE_NAME_SIZE];
    char sender[KS_TEXT_FIELD_SIZE];
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        ks_saved_file_name(cases[i].sender, 7, cases[i].attempt, name);
        assert_string_equal(name, cases[i].name);
    }
    memset(sender, 'x', sizeof sender);
    sender[sizeof sender - 1] = '\0';
    ks_saved_file_name(sender, UINT32_MAX, 100000, name);
    assert_int_equal(strlen(name), 64 + 1 + 10 + 1 + 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contact_is_read_as_it_was_written),
        cmocka_unit_test(contact_cut_short_anywhere_is_refused),
        cmocka_unit_test(contact_with_strange_lines_is_refused),
        cmocka_unit_test(keys_of_older_homes_count_as_received),
        cmocka_unit_test(many_keys_of_an_older_home_are_read_as_far_as_there_is_room),
        cmocka_unit_test(contact_survives_an_editor),
        cmocka_unit_test(file_names_are_safe_and_differ),
        HOME_TEST(changes_are_seen_by_other_programs),
        HOME_TEST(refused_change_is_not_saved),
        HOME_TEST(broken_contact_is_told_and_not_overwritten),
        HOME_TEST(keys_in_memory_leave_the_disk_alone),
        HOME_TEST(keys_in_memory_end_with_the_pin_that_they_hang_on),
        HOME_TEST(contact_files_are_private_and_leftovers_are_swept),
        HOME_TEST(names_that_are_none_are_refused),
        cmocka_unit_test(saved_names_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
