/* Unit tests of client/home/account_file.h, account_text.h and <kesher/passphrase.h>. scrypt is a cheap one
 * here, and calls that write to the disk end the program, or fail, where a test wants it. */
#include "unit/client/ending_disk.h"
#include "unit/client/home_fixture.h"

#include "client/home/account_file.h"
#include "crypto/base64.h"
#include "crypto/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>

/* ---- passphrases ---- */

/* Answers in turn; the last one again and again. */
struct answers {
    const char *opening[3];
    const char *fresh;
    unsigned asked;
    unsigned asked_for_new;
    enum kesher_status status;
};

static enum kesher_status answer(void *context, enum kesher_passphrase_question question,
                                 char bytes[KESHER_PASSPHRASE_SIZE], size_t *size, struct kesher_error *error)
{
    struct answers *answers = context;
    (void)error;
    const char *given = answers->fresh;
    if (question == KESHER_PASSPHRASE_NEW) {
        answers->asked_for_new++;
    } else {
        assert_int_equal(question, answers->asked == 0 ? KESHER_PASSPHRASE_OPEN : KESHER_PASSPHRASE_AGAIN);
        assert_true(answers->asked < 3);
        given = answers->opening[answers->asked++];
    }
    if (given == NULL)
        return answers->status;
    *size = strlen(given);
    memcpy(bytes, given, *size);
    return KESHER_OK;
}

static struct kesher_passphrase from(struct answers *answers)
{
    return (struct kesher_passphrase){.context = answers, .ask = answer};
}

static enum kesher_status open_with(const struct fixture *fixture, const char *passphrase,
                                    struct ks_own_account *account)
{
    struct answers answers = {.opening = {passphrase, NULL, NULL}, .status = KESHER_PASSPHRASE};
    const struct kesher_passphrase source = from(&answers);
    return ks_account_file_open(fixture->home, &source, account, NULL);
}

static enum kesher_status set_passphrase(const struct fixture *fixture, const char *old, const char *fresh)
{
    struct answers answers = {.opening = {old, NULL, NULL}, .fresh = fresh, .status = KESHER_PASSPHRASE};
    const struct kesher_passphrase source = from(&answers);
    return kesher_home_set_passphrase(fixture->home, &source, NULL);
}

static enum kesher_status remove_passphrase(const struct fixture *fixture, const char *old)
{
    struct answers answers = {.opening = {old, NULL, NULL}, .status = KESHER_PASSPHRASE};
    const struct kesher_passphrase source = from(&answers);
    return kesher_home_remove_passphrase(fixture->home, &source, NULL);
}

/* ---- fixtures ---- */

static struct ks_own_account make_account(const struct fixture *fixture)
{
    struct ks_own_account account;
    struct kesher_error error = {.sentence = ""};
    if (ks_account_file_prepare(fixture->home, NULL, false, &account, &error) != KESHER_OK)
        fail_msg("%s", error.sentence);
    return account;
}

static void assert_same(const struct ks_own_account *account, const struct ks_own_account *expected)
{
    assert_memory_equal(account->key, expected->key, sizeof account->key);
    assert_memory_equal(account->secret, expected->secret, sizeof account->secret);
    assert_string_equal(account->name, expected->name);
    assert_int_equal(account->has_public_id, expected->has_public_id);
    assert_memory_equal(account->public_id, expected->public_id, sizeof account->public_id);
}

static void put_file(const struct fixture *fixture, const char *name, const void *bytes, size_t size)
{
    const struct ks_buffer buffer = {.bytes = (uint8_t *)bytes, .size = size};
    assert_int_equal(ks_home_files_write(fixture->home, name, &buffer, NULL), KESHER_OK);
}

static struct ks_buffer file_bytes(const struct fixture *fixture)
{
    struct ks_buffer bytes = ks_buffer_empty(KS_ACCOUNT_TEXT_LIMIT);
    assert_int_equal(ks_home_files_read(fixture->home, "account.key", &bytes, NULL), KESHER_OK);
    return bytes;
}

static bool file_holds_secret(const struct fixture *fixture, const struct ks_own_account *account)
{
    struct ks_buffer bytes = file_bytes(fixture);
    struct ks_buffer secret = ks_buffer_empty(0);
    assert_int_equal(ks_base64_encode(account->secret, sizeof account->secret, &secret), KS_OK);
    bool found = memmem(bytes.bytes, bytes.size, secret.bytes, secret.size - 1) != NULL;
    ks_buffer_wipe(&bytes);
    ks_buffer_wipe(&secret);
    return found;
}

/* ---- the key ---- */

static void key_is_on_disk_and_private_before_anybody_hears_of_it(void **state)
{
    const struct fixture *fixture = *state;
    struct stat status;
    struct ks_own_account again;
    uint8_t public[KS_ED25519_PUBLIC_SIZE];
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &again, NULL), KESHER_NOT_FOUND);
    const struct ks_own_account account = make_account(fixture);
    assert_int_equal(ks_account_key_public(account.secret, public), KS_OK);
    assert_memory_equal(public, account.key, sizeof public);
    assert_int_equal(fstatat(fixture->home->directory_fd, "account.key", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_true(file_holds_secret(fixture, &account));
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &again, NULL), KESHER_OK);
    assert_same(&again, &account);
    again = make_account(fixture);
    assert_same(&again, &account);
}

static void two_homes_have_two_keys(void **state)
{
    const struct fixture *fixture = *state;
    const struct ks_own_account first = make_account(fixture);
    assert_int_equal(ks_account_file_retire(fixture->home, NULL), KESHER_OK);
    const struct ks_own_account second = make_account(fixture);
    assert_memory_not_equal(first.key, second.key, sizeof first.key);
    assert_memory_not_equal(first.secret, second.secret, sizeof first.secret);
}

static void home_is_made_for_its_account(void **state)
{
    const struct fixture *fixture = *state;
    char path[128];
    struct kesher_home *home = NULL;
    struct ks_own_account account;
    assert_true(snprintf(path, sizeof path, "%s/a/b", fixture->path) > 0);
    assert_int_equal(kesher_home_open(path, &home, NULL), KESHER_OK);
    assert_int_equal(ks_account_file_prepare(home, NULL, false, &account, NULL), KESHER_OK);
    assert_true(ks_account_file_exists(home));
    kesher_home_close(home);
}

static void programs_at_once_make_one_key(void **state)
{
    const struct fixture *fixture = *state;
    int ends[2];
    uint8_t keys[4][KS_ED25519_PUBLIC_SIZE];
    assert_int_equal(pipe(ends), 0);
    for (size_t i = 0; i < KS_COUNT_OF(keys); i++) {
        pid_t child = fork();
        if (child == 0) {
            struct kesher_home *home = NULL;
            struct ks_own_account account;
            bool done = kesher_home_open(fixture->path, &home, NULL) == KESHER_OK &&
                        ks_account_file_prepare(home, NULL, false, &account, NULL) == KESHER_OK &&
                        write(ends[1], account.key, sizeof account.key) == (ssize_t)sizeof account.key;
            _exit(done ? 0 : 1);
        }
        assert_true(child > 0);
    }
    for (size_t i = 0; i < KS_COUNT_OF(keys); i++) {
        int status = 0;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], keys[i], sizeof keys[i]), sizeof keys[i]);
        assert_memory_equal(keys[i], keys[0], sizeof keys[0]);
    }
    close(ends[0]);
    close(ends[1]);
}

/* ---- who else can read it ---- */

static void assert_refused_for_its_mode(const struct fixture *fixture, const char *command)
{
    struct ks_own_account account;
    struct kesher_error error;
    uint8_t id[KS_CLIENT_ID_SIZE] = {1};
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &account, &error), KESHER_INVALID);
    assert_non_null(strstr(error.sentence, command));
    assert_int_equal(ks_account_file_look(fixture->home, &account, NULL), KESHER_INVALID);
    assert_int_equal(ks_account_file_prepare(fixture->home, NULL, false, &account, NULL), KESHER_INVALID);
    assert_int_equal(ks_account_file_confirm(fixture->home, account.key, "a", id, NULL), KESHER_INVALID);
    assert_int_equal(set_passphrase(fixture, NULL, "x"), KESHER_INVALID);
    assert_int_equal(kesher_home_check_modes(fixture->home, NULL), KESHER_INVALID);
}

static void key_that_others_can_read_is_refused_with_what_mends_it(void **state)
{
    const struct fixture *fixture = *state;
    static const mode_t modes[] = {0640, 0604, 0620, 0602, 0601};
    struct ks_own_account account = make_account(fixture);
    char command[128];
    assert_true(snprintf(command, sizeof command, "type: chmod 600 %s/account.key", fixture->path) > 0);
    for (size_t i = 0; i < KS_COUNT_OF(modes); i++) {
        assert_int_equal(fchmodat(fixture->home->directory_fd, "account.key", modes[i], 0), 0);
        assert_refused_for_its_mode(fixture, command);
    }
    assert_int_equal(fchmodat(fixture->home->directory_fd, "account.key", 0600, 0), 0);
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &account, NULL), KESHER_OK);
}

static void key_that_others_can_replace_is_refused(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_own_account account = make_account(fixture);
    assert_int_equal(chmod(fixture->path, 0730), 0);
    assert_refused_for_its_mode(fixture, "type: chmod go-w /tmp");
    assert_int_equal(chmod(fixture->path, 0755), 0);
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &account, NULL), KESHER_OK);
}

/* ---- damage ---- */

static void assert_damage_is_seen(const struct fixture *fixture, const char *passphrase)
{
    struct ks_own_account whole;
    struct ks_buffer bytes = file_bytes(fixture);
    assert_int_equal(open_with(fixture, passphrase, &whole), KESHER_OK);
    for (size_t i = 0; i < bytes.size; i++) {
        struct ks_own_account account;
        bytes.bytes[i] ^= 1;
        put_file(fixture, "account.key", bytes.bytes, bytes.size);
        bytes.bytes[i] ^= 1;
        enum kesher_status status = open_with(fixture, passphrase, &account);
        if (status == KESHER_OK) /* bits of base64 that stand for nothing */
            assert_same(&account, &whole);
        else
            assert_int_equal(status, KESHER_INVALID);
    }
    for (size_t size = 0; size + 1 < bytes.size; size++) {
        struct ks_own_account account;
        put_file(fixture, "account.key", bytes.bytes, size);
        assert_int_equal(open_with(fixture, passphrase, &account), KESHER_INVALID);
    }
    ks_buffer_wipe(&bytes);
}

static void damaged_key_is_refused_and_not_taken_for_another(void **state)
{
    const struct fixture *fixture = *state;
    (void)make_account(fixture);
    assert_damage_is_seen(fixture, NULL);
}

/* Which is not to be taken for a wrong passphrase. */
static void damaged_key_under_a_passphrase_is_refused_as_damaged(void **state)
{
    const struct fixture *fixture = *state;
    (void)make_account(fixture);
    assert_int_equal(set_passphrase(fixture, NULL, "x"), KESHER_OK);
    assert_damage_is_seen(fixture, "x");
}

static void damaged_key_is_not_made_anew(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_own_account account;
    put_file(fixture, "account.key", "nonsense\n", 9);
    assert_int_equal(ks_account_file_prepare(fixture->home, NULL, false, &account, NULL), KESHER_INVALID);
    struct ks_buffer bytes = file_bytes(fixture);
    assert_memory_equal(bytes.bytes, "nonsense\n", bytes.size);
    ks_buffer_free(&bytes);
}

static void text_with_lines_that_do_not_belong_together_is_refused(void **state)
{
    (void)state;
    static const char key[] = "key AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    static const char secret[] = "secret AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    static const char sealed[] = "home-key x\nsealed y\n";
    static const struct {
        const char *lines[4];
        enum ks_result result;
    } cases[] = {
        {{key, secret}, KS_OK},
        {{key, sealed}, KS_OK},
        {{"name a\n", "public-id 00112233445566778899aabbccddeeff\n", key, secret}, KS_OK},
        {{key}, KS_INVALID},
        {{secret}, KS_INVALID},
        {{key, secret, sealed}, KS_INVALID},
        {{key, "sealed y\n"}, KS_INVALID},
        {{key, "home-key x\n"}, KS_INVALID},
        {{key, key, secret}, KS_INVALID},
        {{key, secret, secret}, KS_INVALID},
        {{key, sealed, "sealed y\n"}, KS_INVALID},
        {{"name a\n", key, secret}, KS_INVALID},
        {{"public-id 00112233445566778899aabbccddeeff\n", key, secret}, KS_INVALID},
        {{"name a\n", "name b\n", key, secret}, KS_INVALID},
        {{"more\n", key, secret}, KS_INVALID},
        {{"key AAEC\n", secret}, KS_INVALID},
    };
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        char text[1024] = "kesher account key 1\n";
        struct ks_account_text account;
        for (size_t line = 0; line < 4 && cases[i].lines[line] != NULL; line++)
            strcat(text, cases[i].lines[line]);
        strcat(text, "end\n");
        uint8_t *copy = unit_exact_copy(text, strlen(text));
        if (ks_account_text_parse(copy, strlen(text), &account) != cases[i].result)
            fail_msg("case %zu:\n%s", i, text);
        free(copy);
    }
}

/* ---- the passphrase ---- */

static void passphrase_is_put_on_changed_and_taken_away(void **state)
{
    const struct fixture *fixture = *state;
    const struct ks_own_account account = make_account(fixture);
    struct ks_own_account opened;
    bool has = true;
    assert_int_equal(kesher_home_has_passphrase(fixture->home, &has, NULL), KESHER_OK);
    assert_false(has);
    assert_int_equal(set_passphrase(fixture, NULL, "first"), KESHER_OK);
    assert_int_equal(kesher_home_has_passphrase(fixture->home, &has, NULL), KESHER_OK);
    assert_true(has);
    assert_false(file_holds_secret(fixture, &account));
    assert_int_equal(open_with(fixture, "first", &opened), KESHER_OK);
    assert_same(&opened, &account);

    const struct ks_own_account under_first = opened;
    assert_int_equal(set_passphrase(fixture, "second", "third"), KESHER_PASSPHRASE);
    assert_int_equal(set_passphrase(fixture, "first", "second"), KESHER_OK);
    assert_int_equal(open_with(fixture, "first", &opened), KESHER_PASSPHRASE);
    assert_int_equal(open_with(fixture, "second", &opened), KESHER_OK);
    assert_same(&opened, &account);
    assert_memory_equal(opened.home_key, under_first.home_key, sizeof opened.home_key);

    assert_int_equal(remove_passphrase(fixture, "first"), KESHER_PASSPHRASE);
    assert_int_equal(remove_passphrase(fixture, "second"), KESHER_OK);
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &opened, NULL), KESHER_OK);
    assert_same(&opened, &account);
    assert_int_equal(remove_passphrase(fixture, NULL), KESHER_OK);
}

static void new_account_is_never_written_without_its_passphrase(void **state)
{
    const struct fixture *fixture = *state;
    struct answers answers = {.fresh = "x"};
    const struct kesher_passphrase source = from(&answers);
    struct ks_own_account account;
    struct ks_own_account opened;
    assert_int_equal(ks_account_file_prepare(fixture->home, NULL, true, &account, NULL), KESHER_PASSPHRASE);
    assert_false(ks_account_file_exists(fixture->home));
    assert_int_equal(ks_account_file_prepare(fixture->home, &source, true, &account, NULL), KESHER_OK);
    assert_int_equal(answers.asked_for_new, 1);
    assert_false(file_holds_secret(fixture, &account));
    assert_int_equal(open_with(fixture, "x", &opened), KESHER_OK);
    assert_same(&opened, &account);
}

static void wrong_passphrase_is_asked_for_three_times(void **state)
{
    const struct fixture *fixture = *state;
    struct answers right = {.opening = {"a", "b", "right"}};
    struct answers wrong = {.opening = {"a", "", "right "}};
    struct answers gone = {.opening = {"a"}, .status = KESHER_TIMEOUT};
    const struct kesher_passphrase right_source = from(&right);
    const struct kesher_passphrase wrong_source = from(&wrong);
    const struct kesher_passphrase gone_source = from(&gone);
    struct ks_own_account account;
    (void)make_account(fixture);
    assert_int_equal(set_passphrase(fixture, NULL, "right"), KESHER_OK);
    assert_int_equal(ks_account_file_open(fixture->home, &right_source, &account, NULL), KESHER_OK);
    assert_int_equal(ks_account_file_open(fixture->home, &wrong_source, &account, NULL), KESHER_PASSPHRASE);
    assert_int_equal(wrong.asked, 3);
    assert_int_equal(ks_account_file_open(fixture->home, &gone_source, &account, NULL), KESHER_TIMEOUT);
}

static void passphrase_that_nobody_can_be_asked_for_is_said(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_own_account account;
    struct ks_own_account looked;
    struct kesher_error error;
    const struct ks_own_account zeros = {.is_sealed = false};
    const struct ks_own_account made = make_account(fixture);
    assert_int_equal(set_passphrase(fixture, NULL, "x"), KESHER_OK);
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &account, &error), KESHER_PASSPHRASE);
    assert_non_null(strstr(error.sentence, "--passphrase-file"));
    assert_memory_equal(account.secret, zeros.secret, sizeof account.secret);
    assert_int_equal(ks_account_file_look(fixture->home, &looked, NULL), KESHER_OK);
    assert_true(looked.is_sealed);
    assert_memory_equal(looked.key, made.key, sizeof looked.key);
    assert_memory_equal(looked.secret, zeros.secret, sizeof looked.secret);
}

static void empty_passphrase_is_none_to_be_set(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_own_account account = make_account(fixture);
    assert_int_equal(set_passphrase(fixture, NULL, ""), KESHER_INVALID);
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &account, NULL), KESHER_OK);
    assert_false(account.is_sealed);
}

/* ---- crashes ---- */

/* One change of the home, by a program that may die. */
typedef enum kesher_status change_home(const struct fixture *fixture);

static enum kesher_status put_on(const struct fixture *fixture)
{
    enum kesher_status status = set_passphrase(fixture, "old", "new");
    return status == KESHER_PASSPHRASE ? set_passphrase(fixture, "new", "new") : status;
}

static enum kesher_status take_away(const struct fixture *fixture)
{
    return remove_passphrase(fixture, "old");
}

static enum kesher_status confirm(const struct fixture *fixture)
{
    struct ks_own_account account;
    uint8_t id[KS_CLIENT_ID_SIZE] = {7};
    enum kesher_status status = ks_account_file_look(fixture->home, &account, NULL);
    return status == KESHER_OK ? ks_account_file_confirm(fixture->home, account.key, "alice", id, NULL)
                               : status;
}

/* True when it came to its end before it would have died. */
static bool dies_at(const struct fixture *fixture, change_home *change, int calls)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        calls_until_end = calls;
        _exit(change(fixture) == KESHER_OK ? 0 : 1);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DIED);
    return WEXITSTATUS(status) == 0;
}

/* With the old passphrase, the new one, or none. */
static void assert_readable(const struct fixture *fixture, const struct ks_own_account *expected)
{
    struct ks_own_account opened;
    bool readable =
        open_with(fixture, "old", &opened) == KESHER_OK || open_with(fixture, "new", &opened) == KESHER_OK;
    assert_true(readable);
    assert_memory_equal(opened.key, expected->key, sizeof opened.key);
    assert_memory_equal(opened.secret, expected->secret, sizeof opened.secret);
}

/* The change dies before its call number `first`, and the one who tries it again before call `second`. True
 * when the first came to its end. */
static bool dies_twice(const struct fixture *fixture, change_home *change, const struct ks_buffer *before,
                       const int calls[static 2])
{
    put_file(fixture, "account.key", before->bytes, before->size);
    return dies_at(fixture, change, calls[0]) || (dies_at(fixture, change, calls[1]), false);
}

static void key_can_be_read_wherever_a_program_dies_twice(void **state)
{
    const struct fixture *fixture = *state;
    static change_home *const changes[] = {put_on, take_away, confirm};
    enum { CALLS = 8 }; /* more than a change has */
    const struct ks_own_account account = make_account(fixture);
    assert_int_equal(set_passphrase(fixture, NULL, "old"), KESHER_OK);
    struct ks_buffer before = file_bytes(fixture);
    for (size_t i = 0; i < KS_COUNT_OF(changes); i++) {
        unsigned ended = 0;
        for (int calls = 0; calls < CALLS * CALLS; calls++) {
            const int both[] = {calls / CALLS, calls % CALLS};
            ended += dies_twice(fixture, changes[i], &before, both) ? 1 : 0;
            assert_readable(fixture, &account);
        }
        assert_in_range(ended, CALLS, (CALLS - 3) * CALLS); /* some died, and some did not */
    }
    ks_buffer_wipe(&before);
}

static void creation_that_died_is_made_up_for(void **state)
{
    const struct fixture *fixture = *state;
    for (int calls = 0; calls < 20; calls++) {
        int status = 0;
        struct ks_own_account account;
        (void)unlinkat(fixture->home->directory_fd, "account.key", 0);
        pid_t child = fork();
        if (child == 0) {
            calls_until_end = calls;
            _exit(ks_account_file_prepare(fixture->home, NULL, false, &account, NULL) == KESHER_OK ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        const bool existed = ks_account_file_exists(fixture->home);
        account = make_account(fixture);
        assert_true(existed || WEXITSTATUS(status) == DIED);
    }
}

static void full_disk_leaves_the_key_as_it_was(void **state)
{
    const struct fixture *fixture = *state;
    const struct ks_own_account account = make_account(fixture);
    struct ks_own_account opened;
    assert_int_equal(set_passphrase(fixture, NULL, "old"), KESHER_OK);
    for (int calls = 0; calls < 3; calls++) { /* writing, its mode, its sync */
        end_is_failure = true;
        calls_until_end = calls;
        enum kesher_status status = put_on(fixture);
        calls_until_end = NEVER;
        end_is_failure = false;
        assert_int_equal(status, KESHER_FILE);
        assert_int_equal(open_with(fixture, "old", &opened), KESHER_OK);
        assert_same(&opened, &account);
    }
}

/* Else a passphrase would be put on a key that lies beside it without one. */
static void leftovers_of_the_key_go_when_it_changes(void **state)
{
    const struct fixture *fixture = *state;
    (void)make_account(fixture);
    put_file(fixture, ".account.key.4711.tmp", "key", 3);
    put_file(fixture, ".priv.key.4711.tmp", "key", 3);
    assert_int_equal(set_passphrase(fixture, NULL, "x"), KESHER_OK);
    assert_false(ks_home_files_exists(fixture->home, ".account.key.4711.tmp"));
    assert_true(ks_home_files_exists(fixture->home, ".priv.key.4711.tmp")); /* somebody may be writing it */
}

/* ---- what the server confirmed ---- */

static void name_and_public_id_are_remembered_without_the_passphrase(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_own_account expected = make_account(fixture);
    struct ks_own_account opened;
    uint8_t id[KS_CLIENT_ID_SIZE] = {1, 2, 3};
    assert_int_equal(set_passphrase(fixture, NULL, "x"), KESHER_OK);
    assert_int_equal(ks_account_file_confirm(fixture->home, expected.key, "J\xc3\xbcrgen K", id, NULL),
                     KESHER_OK);
    strcpy(expected.name, "J\xc3\xbcrgen K");
    expected.has_public_id = true;
    memcpy(expected.public_id, id, sizeof id);
    assert_int_equal(open_with(fixture, "x", &opened), KESHER_OK);
    assert_same(&opened, &expected);
    assert_int_equal(set_passphrase(fixture, "x", "y"), KESHER_OK);
    assert_int_equal(open_with(fixture, "y", &opened), KESHER_OK);
    assert_same(&opened, &expected);
    assert_int_equal(remove_passphrase(fixture, "y"), KESHER_OK);
    assert_int_equal(ks_account_file_open(fixture->home, NULL, &opened, NULL), KESHER_OK);
    assert_same(&opened, &expected);
}

static void what_is_known_already_is_not_written_again(void **state)
{
    const struct fixture *fixture = *state;
    const struct ks_own_account account = make_account(fixture);
    uint8_t id[KS_CLIENT_ID_SIZE] = {1};
    struct stat before;
    struct stat after;
    assert_int_equal(ks_account_file_confirm(fixture->home, account.key, "alice", id, NULL), KESHER_OK);
    assert_int_equal(fstatat(fixture->home->directory_fd, "account.key", &before, 0), 0);
    assert_int_equal(ks_account_file_confirm(fixture->home, account.key, "alice", id, NULL), KESHER_OK);
    assert_int_equal(fstatat(fixture->home->directory_fd, "account.key", &after, 0), 0);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

static void names_that_could_break_the_file_or_a_terminal_are_refused(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const names[] = {
        "", " ", "a\nsecret x", "a\r", "\x1b[2J", "a\342\200\256b", "\xff", "a\xe2\x80\x8e", "\xc2\x85"};
    const struct ks_own_account account = make_account(fixture);
    uint8_t id[KS_CLIENT_ID_SIZE] = {1};
    char longest[300] = "";
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        if (ks_account_file_confirm(fixture->home, account.key, names[i], id, NULL) != KESHER_INVALID)
            fail_msg("name %zu was taken", i);
    memset(longest, 'a', 255);
    assert_int_equal(ks_account_file_confirm(fixture->home, account.key, longest, id, NULL), KESHER_INVALID);
    longest[254] = '\0';
    assert_int_equal(ks_account_file_confirm(fixture->home, account.key, longest, id, NULL), KESHER_OK);
}

static void confirmation_of_another_key_changes_nothing(void **state)
{
    const struct fixture *fixture = *state;
    struct ks_own_account account = make_account(fixture);
    uint8_t id[KS_CLIENT_ID_SIZE] = {1};
    account.key[0] ^= 1;
    assert_int_equal(ks_account_file_confirm(fixture->home, account.key, "alice", id, NULL), KESHER_INVALID);
    assert_int_equal(ks_account_file_look(fixture->home, &account, NULL), KESHER_OK);
    assert_false(account.has_public_id);
}

/* ---- the end ---- */

static void retired_keys_are_kept_under_other_names(void **state)
{
    const struct fixture *fixture = *state;
    struct stat status;
    assert_int_equal(ks_account_file_retire(fixture->home, NULL), KESHER_NOT_FOUND);
    for (int i = 0; i < 2; i++) {
        (void)make_account(fixture);
        assert_int_equal(ks_account_file_retire(fixture->home, NULL), KESHER_OK);
        assert_false(ks_account_file_exists(fixture->home));
    }
    assert_int_equal(fstatat(fixture->home->directory_fd, "account.key.old.2", &status, 0), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOME_TEST(key_is_on_disk_and_private_before_anybody_hears_of_it),
        HOME_TEST(two_homes_have_two_keys),
        HOME_TEST(home_is_made_for_its_account),
        HOME_TEST(programs_at_once_make_one_key),
        HOME_TEST(key_that_others_can_read_is_refused_with_what_mends_it),
        HOME_TEST(key_that_others_can_replace_is_refused),
        HOME_TEST(damaged_key_is_refused_and_not_taken_for_another),
        HOME_TEST(damaged_key_under_a_passphrase_is_refused_as_damaged),
        HOME_TEST(damaged_key_is_not_made_anew),
        cmocka_unit_test(text_with_lines_that_do_not_belong_together_is_refused),
        HOME_TEST(passphrase_is_put_on_changed_and_taken_away),
        HOME_TEST(new_account_is_never_written_without_its_passphrase),
        HOME_TEST(wrong_passphrase_is_asked_for_three_times),
        HOME_TEST(passphrase_that_nobody_can_be_asked_for_is_said),
        HOME_TEST(empty_passphrase_is_none_to_be_set),
        HOME_TEST(key_can_be_read_wherever_a_program_dies_twice),
        HOME_TEST(creation_that_died_is_made_up_for),
        HOME_TEST(full_disk_leaves_the_key_as_it_was),
        HOME_TEST(leftovers_of_the_key_go_when_it_changes),
        HOME_TEST(name_and_public_id_are_remembered_without_the_passphrase),
        HOME_TEST(what_is_known_already_is_not_written_again),
        HOME_TEST(names_that_could_break_the_file_or_a_terminal_are_refused),
        HOME_TEST(confirmation_of_another_key_changes_nothing),
        HOME_TEST(retired_keys_are_kept_under_other_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
