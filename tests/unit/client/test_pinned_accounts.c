/* Unit tests of client/people/pinned_accounts.h and pinned_account.h: what a home remembers of other
 * accounts, and that nobody gets another key into it unnoticed. */
#include "unit/client/home_fixture.h"

#include "client/people/pinned_accounts.h"

#include <fcntl.h>

/* A key by a letter. */
static const uint8_t *key_of(char letter)
{
    static uint8_t keys[128][KS_ED25519_PUBLIC_SIZE];
    memset(keys[(unsigned char)letter], letter, KS_ED25519_PUBLIC_SIZE);
    return keys[(unsigned char)letter];
}

struct pins {
    struct ks_pinned_accounts accounts;
    struct ks_pinned_account account;
    struct kesher_error error;
    bool is_new;
};

static void open_pins(const struct fixture *fixture, struct pins *pins)
{
    memset(pins, 0, sizeof *pins);
    assert_int_equal(ks_pinned_accounts_open(&pins->accounts, fixture->home, NULL), KESHER_OK);
}

static enum kesher_status see(struct pins *pins, const char *name, char key)
{
    return ks_pinned_accounts_see(&pins->accounts, name, key_of(key), &pins->account, &pins->is_new,
                                  &pins->error);
}

/* Which key is pinned, whether it is verified, and which is offered (0 for none). */
static void assert_pinned(struct pins *pins, const char *name, char key, bool verified, char offered)
{
    struct ks_pinned_account account;
    assert_int_equal(ks_pinned_accounts_load(&pins->accounts, name, &account, NULL), KESHER_OK);
    assert_string_equal(account.name, name);
    assert_memory_equal(account.key, key_of(key), sizeof account.key);
    assert_int_equal(account.is_verified, verified);
    assert_int_equal(account.has_offered, offered != 0);
    assert_memory_equal(account.offered, key_of(offered), sizeof account.offered);
}

static void key_is_pinned_at_first_sight(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(ks_pinned_accounts_load(&pins.accounts, "alice", &pins.account, NULL), KESHER_NOT_FOUND);
    assert_string_equal(pins.account.name, "alice");
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_true(pins.is_new);
    assert_pinned(&pins, "alice", 'A', false, 0);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_false(pins.is_new);
    assert_memory_equal(pins.account.key, key_of('A'), sizeof pins.account.key);
    ks_pinned_accounts_close(&pins.accounts);
}

static void names_are_known_apart(void **state)
{
    static const char *const names[] = {"alice",        "Alice",  "alic\xc3\xa9",
                                        "alic\xc3\xa8", "al ice", "../alice"};
    struct pins pins;
    open_pins(*state, &pins);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_int_equal(see(&pins, names[i], (char)('A' + i)), KESHER_OK);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_pinned(&pins, names[i], (char)('A' + i), false, 0);
    ks_pinned_accounts_close(&pins.accounts);
}

static void changed_key_is_told_and_refused_until_it_is_accepted(void **state)
{
    char pinned[KS_SHORT_FINGERPRINT_SIZE];
    char given[KS_SHORT_FINGERPRINT_SIZE];
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(ks_account_key_short_fingerprint(key_of('A'), pinned), KS_OK);
    assert_int_equal(ks_account_key_short_fingerprint(key_of('X'), given), KS_OK);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(see(&pins, "alice", 'X'), KESHER_CHANGED);
        assert_non_null(strstr(pins.error.sentence, pinned));
        assert_non_null(strstr(pins.error.sentence, given));
        assert_true(pins.account.has_offered && !pins.is_new);
        assert_pinned(&pins, "alice", 'A', false, 'X');
    }
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('X'), false, NULL), KESHER_OK);
    assert_pinned(&pins, "alice", 'X', false, 0);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_OK);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_CHANGED);
    ks_pinned_accounts_close(&pins.accounts);
}

/* The server changes the key between the look of a person and the yes. */
static void only_the_key_that_was_shown_is_accepted(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('A'), true, NULL),
                     KESHER_NOT_FOUND);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('X'), true, NULL),
                     KESHER_CHANGED);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_CHANGED);
    assert_int_equal(see(&pins, "alice", 'Y'), KESHER_CHANGED);
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('X'), true, NULL),
                     KESHER_CHANGED);
    assert_pinned(&pins, "alice", 'A', false, 'Y');
    ks_pinned_accounts_close(&pins.accounts);
}

static void pinned_key_again_takes_the_offer_back(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('A'), NULL), KESHER_OK);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_CHANGED);
    assert_pinned(&pins, "alice", 'A', true, 'X');
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_pinned(&pins, "alice", 'A', true, 0);
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('X'), false, NULL),
                     KESHER_CHANGED);
    ks_pinned_accounts_close(&pins.accounts);
}

static void verified_mark_is_lost_with_the_key_that_it_was_for(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('A'), NULL), KESHER_OK);
    assert_pinned(&pins, "alice", 'A', true, 0);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_CHANGED);
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('X'), false, NULL), KESHER_OK);
    assert_pinned(&pins, "alice", 'X', false, 0);
    assert_int_equal(see(&pins, "alice", 'Y'), KESHER_CHANGED);
    assert_int_equal(ks_pinned_accounts_accept(&pins.accounts, "alice", key_of('Y'), true, NULL), KESHER_OK);
    assert_pinned(&pins, "alice", 'Y', true, 0);
    ks_pinned_accounts_close(&pins.accounts);
}

static void what_is_not_the_pinned_key_cannot_be_verified(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('A'), NULL), KESHER_NOT_FOUND);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('X'), NULL), KESHER_CHANGED);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_CHANGED);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('A'), NULL), KESHER_CHANGED);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('X'), NULL), KESHER_CHANGED);
    assert_pinned(&pins, "alice", 'A', false, 'X');
    ks_pinned_accounts_close(&pins.accounts);
}

static void forgotten_account_is_pinned_anew(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(ks_pinned_accounts_forget(&pins.accounts, "alice", NULL), KESHER_NOT_FOUND);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_int_equal(ks_pinned_accounts_forget(&pins.accounts, "alice", NULL), KESHER_OK);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_OK);
    assert_true(pins.is_new);
    ks_pinned_accounts_close(&pins.accounts);
}

static void two_programs_see_each_others_pins(void **state)
{
    struct pins one;
    struct pins other;
    open_pins(*state, &one);
    open_pins(*state, &other);
    assert_int_equal(see(&one, "alice", 'A'), KESHER_OK);
    assert_int_equal(see(&other, "alice", 'X'), KESHER_CHANGED);
    assert_pinned(&one, "alice", 'A', false, 'X');
    ks_pinned_accounts_close(&one.accounts);
    ks_pinned_accounts_close(&other.accounts);
}

/* ---- files ---- */

static const char *only_file(const struct pins *pins)
{
    static char name[256];
    DIR *entries = NULL;
    const struct dirent *entry = NULL;
    name[0] = '\0';
    assert_int_equal(ks_home_files_list(pins->accounts.directory, &entries, NULL), KESHER_OK);
    while ((entry = readdir(entries)) != NULL)
        if (entry->d_name[0] != '.' && strcmp(entry->d_name, "lock") != 0)
            assert_true(snprintf(name, sizeof name, "%s", entry->d_name) > 0);
    closedir(entries);
    return name;
}

static void put_file(const struct pins *pins, const char *name, const void *bytes, size_t size)
{
    const struct ks_buffer buffer = {.bytes = (uint8_t *)bytes, .size = size};
    assert_int_equal(ks_home_files_write(pins->accounts.directory, name, &buffer, NULL), KESHER_OK);
}

/* Else whoever breaks a file has a first sight again. */
static void broken_file_is_no_first_sight(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    const char *file = only_file(&pins);
    struct ks_buffer bytes = ks_buffer_empty(0);
    assert_int_equal(ks_home_files_read(pins.accounts.directory, file, &bytes, NULL), KESHER_OK);
    for (size_t size = 0; size + 1 < bytes.size; size++) {
        put_file(&pins, file, bytes.bytes, size);
        assert_int_equal(see(&pins, "alice", 'X'), KESHER_INVALID);
        assert_int_equal(see(&pins, "alice", 'A'), KESHER_INVALID);
    }
    assert_non_null(strstr(pins.error.sentence, file));
    assert_int_equal(ks_pinned_accounts_forget(&pins.accounts, "alice", NULL), KESHER_OK);
    ks_buffer_free(&bytes);
    ks_pinned_accounts_close(&pins.accounts);
}

static void file_of_another_account_is_refused(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    struct ks_buffer text = ks_buffer_empty(KS_PINNED_ACCOUNT_TEXT_LIMIT);
    struct ks_pinned_account mallory = {.name = "mallory"};
    assert_int_equal(ks_pinned_account_format(&mallory, &text), KS_OK);
    put_file(&pins, only_file(&pins), text.bytes, text.size);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_INVALID);
    ks_buffer_free(&text);
    ks_pinned_accounts_close(&pins.accounts);
}

static void strange_lines_are_refused(void **state)
{
    (void)state;
    static const char key[] = "key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    static const char offered[] = "offered AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    static const struct {
        const char *lines[4];
        enum ks_result result;
    } cases[] = {
        {{"name a\n", key}, KS_OK},
        {{"name a\n", key, "verified yes\n", offered}, KS_OK},
        {{"name a\n"}, KS_INVALID},
        {{key}, KS_INVALID},
        {{"name a\n", key, "verified no\n"}, KS_INVALID},
        {{"name a\n", key, "verified yes\n", "verified yes\n"}, KS_INVALID},
        {{"name a\n", key, key}, KS_INVALID},
        {{"name a\n", key, offered, offered}, KS_INVALID},
        {{"name a\n", "name a\n", key}, KS_INVALID},
        {{"name \x1b\n", key}, KS_INVALID},
        {{"name a\n", key, "more\n"}, KS_INVALID},
        {{"name a\n", key, "end\n"}, KS_INVALID},
        {{"name a\n", "key AAEC\n"}, KS_INVALID},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        char text[1024] = "kesher pinned account 1\n";
        struct ks_pinned_account account;
        for (size_t line = 0; line < 4 && cases[i].lines[line] != NULL; line++)
            strcat(text, cases[i].lines[line]);
        strcat(text, "end\n");
        uint8_t *copy = unit_exact_copy(text, strlen(text));
        if (ks_pinned_account_parse(copy, strlen(text), &account) != cases[i].result)
            fail_msg("case %zu:\n%s", i, text);
        free(copy);
    }
}

static void names_that_are_none_are_refused(void **state)
{
    static const char *const names[] = {"", " ", "a\nb", "\x1b[2J", "\xff"};
    struct pins pins;
    open_pins(*state, &pins);
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        assert_int_equal(see(&pins, names[i], 'A'), KESHER_INVALID);
    assert_string_equal(only_file(&pins), "");
    ks_pinned_accounts_close(&pins.accounts);
}

/* A name cannot end the quotation that it stands in, nor write on the terminal. */
static void sentences_about_names_are_safe(void **state)
{
    struct pins pins;
    open_pins(*state, &pins);
    assert_int_equal(see(&pins, "a\" is fine", 'A'), KESHER_OK);
    assert_int_equal(see(&pins, "a\" is fine", 'X'), KESHER_CHANGED);
    assert_null(strstr(pins.error.sentence, "a\" is fine"));
    ks_pinned_accounts_close(&pins.accounts);
}

/* The news is that it changed, whatever the disk says. */
static void changed_key_is_told_where_nothing_can_be_written(void **state)
{
    struct pins pins;
    char temporary[300];
    open_pins(*state, &pins);
    assert_int_equal(see(&pins, "alice", 'A'), KESHER_OK);
    assert_true(snprintf(temporary, sizeof temporary, ".%s.%ld.tmp", only_file(&pins), (long)getpid()) > 0);
    assert_int_equal(mkdirat(pins.accounts.directory->directory_fd, temporary, 0700), 0);
    assert_int_equal(see(&pins, "alice", 'X'), KESHER_CHANGED);
    assert_non_null(strstr(pins.error.sentence, "CHANGED"));
    assert_pinned(&pins, "alice", 'A', false, 0);
    assert_int_equal(ks_pinned_accounts_verify(&pins.accounts, "alice", key_of('A'), NULL), KESHER_FILE);
    ks_pinned_accounts_close(&pins.accounts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOME_TEST(key_is_pinned_at_first_sight),
        HOME_TEST(names_are_known_apart),
        HOME_TEST(changed_key_is_told_and_refused_until_it_is_accepted),
        HOME_TEST(only_the_key_that_was_shown_is_accepted),
        HOME_TEST(pinned_key_again_takes_the_offer_back),
        HOME_TEST(verified_mark_is_lost_with_the_key_that_it_was_for),
        HOME_TEST(what_is_not_the_pinned_key_cannot_be_verified),
        HOME_TEST(forgotten_account_is_pinned_anew),
        HOME_TEST(two_programs_see_each_others_pins),
        HOME_TEST(broken_file_is_no_first_sight),
        HOME_TEST(file_of_another_account_is_refused),
        cmocka_unit_test(strange_lines_are_refused),
        HOME_TEST(names_that_are_none_are_refused),
        HOME_TEST(sentences_about_names_are_safe),
        HOME_TEST(changed_key_is_told_where_nothing_can_be_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
