/* Unit tests of what a home remembers of other users: client/key_ring.h, client/contact.h and
 * client/contacts.h. */
#include "home_fixture.h"

#include "client/contacts.h"
#include "client/saved_file.h"

#include <fcntl.h>

static struct ks_symmetric_key key_of(char letter)
{
    struct ks_symmetric_key key;
    memset(key.bytes, letter, sizeof key.bytes);
    return key;
}

/* The letters of the ring's candidates, in their order. */
static const char *letters_of(const struct ks_key_ring *ring)
{
    static char letters[KS_KEY_RING_OLD + 3];
    const struct ks_symmetric_key *key = NULL;
    size_t i = 0;
    for (; (key = ks_key_ring_candidate(ring, i)) != NULL; i++)
        letters[i] = (char)key->bytes[0];
    letters[i] = '\0';
    return letters;
}

static void receive(struct ks_key_ring *ring, char letter, bool waits)
{
    struct ks_symmetric_key key = key_of(letter);
    assert_int_equal(ks_key_ring_receive(ring, &key), waits);
}

static void share(struct ks_key_ring *ring, char letter)
{
    struct ks_symmetric_key key = key_of(letter);
    ks_key_ring_offer(ring, &key);
    ks_key_ring_use(ring, &key);
}

/* ---- key_ring ---- */

static void first_received_key_is_used_the_next_one_waits(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.old_count = 0};
    receive(&ring, 'a', false);
    assert_true(ring.has_sending && !ring.has_waiting);
    receive(&ring, 'b', true);
    assert_int_equal(ring.sending.bytes[0], 'a');
    assert_string_equal(letters_of(&ring), "ba");
    receive(&ring, 'c', true);
    assert_string_equal(letters_of(&ring), "cab");
    assert_true(ks_key_ring_accept(&ring));
    assert_int_equal(ring.sending.bytes[0], 'c');
    assert_string_equal(letters_of(&ring), "cab");
    assert_false(ring.has_waiting);
    assert_false(ks_key_ring_accept(&ring));
}

static void known_key_received_again_changes_nothing(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.old_count = 0};
    receive(&ring, 'a', false);
    receive(&ring, 'b', true);
    receive(&ring, 'c', true);
    struct ks_key_ring before = ring;
    receive(&ring, 'a', false);
    receive(&ring, 'b', false);
    receive(&ring, 'c', true); /* it still waits */
    assert_memory_equal(&ring, &before, sizeof ring);
}

static void offered_key_only_decrypts_until_it_arrived(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.old_count = 0};
    struct ks_symmetric_key mine = key_of('m');
    receive(&ring, 'a', false);
    receive(&ring, 'b', true);
    ks_key_ring_offer(&ring, &mine);
    assert_int_equal(ring.sending.bytes[0], 'a');
    assert_string_equal(letters_of(&ring), "bam");
    ks_key_ring_use(&ring, &mine);
    assert_false(ring.has_waiting); /* ours is newer */
    assert_string_equal(letters_of(&ring), "mba");
}

static void withdrawn_key_is_forgotten(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.old_count = 0};
    struct ks_symmetric_key mine = key_of('m');
    share(&ring, 'a');
    share(&ring, 'b');
    struct ks_key_ring before = ring;
    ks_key_ring_offer(&ring, &mine);
    ks_key_ring_withdraw(&ring, &mine);
    assert_memory_equal(&ring, &before, sizeof ring);
}

static void oldest_keys_are_forgotten(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.old_count = 0};
    for (int letter = 1; letter <= KS_KEY_RING_OLD + 10; letter++)
        share(&ring, (char)letter);
    assert_int_equal(ring.old_count, KS_KEY_RING_OLD);
    assert_int_equal(ring.sending.bytes[0], KS_KEY_RING_OLD + 10);
    assert_int_equal(ring.old[0].bytes[0], KS_KEY_RING_OLD + 9);
    assert_int_equal(ring.old[KS_KEY_RING_OLD - 1].bytes[0], 10);
}

static void retired_keys_decrypt_still(void **state)
{
    (void)state;
    struct ks_key_ring ring = {.old_count = 0};
    receive(&ring, 'a', false);
    receive(&ring, 'b', true);
    ks_key_ring_retire(&ring);
    assert_true(!ring.has_sending && !ring.has_waiting);
    assert_string_equal(letters_of(&ring), "ba");
}

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
    receive(&contact.ring, 'w', true);
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
    contacts[1].ring = (struct ks_key_ring){.old_count = 0};
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
        "kesher contact 2\nname x\nend\n",
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
        "kesher contact 1\nname x\x7f\nend\n",
    };
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        struct ks_contact parsed;
        assert_int_equal(ks_contact_parse((const uint8_t *)texts[i], strlen(texts[i]), &parsed), KS_INVALID);
    }
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
    (void)ks_key_ring_receive(&contact->ring, &key);
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
        cmocka_unit_test(first_received_key_is_used_the_next_one_waits),
        cmocka_unit_test(known_key_received_again_changes_nothing),
        cmocka_unit_test(offered_key_only_decrypts_until_it_arrived),
        cmocka_unit_test(withdrawn_key_is_forgotten),
        cmocka_unit_test(oldest_keys_are_forgotten),
        cmocka_unit_test(retired_keys_decrypt_still),
        cmocka_unit_test(contact_is_read_as_it_was_written),
        cmocka_unit_test(contact_cut_short_anywhere_is_refused),
        cmocka_unit_test(contact_with_strange_lines_is_refused),
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
