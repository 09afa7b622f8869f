/* Unit tests of server/host_key.h and server/host_key_shown.h: a key that is there is never lost, made anew
 * or shown to others, whatever became of the start or the command that wrote it. */
#include "unit/unit.h"

#include "server/host_key.h"
#include "server/host_key_shown.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_LIMIT = 65536 };

/* A data directory of its own. */
struct fixture {
    char data[64];
    struct ks_host_key_place place;
    char why[KS_HOST_KEY_WHY_SIZE];
};

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    unsetenv("CREDENTIALS_DIRECTORY");
    (void)snprintf(fixture->data, sizeof fixture->data, "/tmp/kesher-key-XXXXXX");
    assert_non_null(mkdtemp(fixture->data));
    assert_int_equal(ks_host_key_find(fixture->data, NULL, NULL, &fixture->place, fixture->why), KS_OK);
    *state = fixture;
    return 0;
}

static void empty_directory(const char *path)
{
    char name[PATH_MAX + 300];
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        (void)snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' || strlen(entry->d_name) > 2)
            (void)unlink(name);
    }
    closedir(directory);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    empty_directory(fixture->place.directory);
    (void)rmdir(fixture->place.directory);
    empty_directory(fixture->data);
    assert_int_equal(rmdir(fixture->data), 0);
    free(fixture);
    return 0;
}

static const char *path_of(const struct fixture *fixture, const char *name)
{
    static char path[PATH_MAX + 64];
    (void)snprintf(path, sizeof path, "%s/%s", fixture->place.directory, name);
    return path;
}

static bool is_there(const struct fixture *fixture, const char *name)
{
    return access(path_of(fixture, name), F_OK) == 0;
}

static unsigned mode_of(const struct fixture *fixture, const char *name)
{
    struct stat status;
    assert_int_equal(stat(name[0] != '\0' ? path_of(fixture, name) : fixture->place.directory, &status), 0);
    return status.st_mode & 07777;
}

/* A start; the fingerprint that it shows. */
static enum ks_result start(struct fixture *fixture, bool *made,
                            uint8_t shown[static KS_TLS_FINGERPRINT_SIZE])
{
    struct ks_tls_identity *identity = NULL;
    enum ks_result result = ks_host_key_open(&fixture->place, &identity, made, fixture->why);
    if (result == KS_OK)
        ks_tls_identity_fingerprint(identity, shown);
    ks_tls_identity_free(identity);
    return result;
}

static void assert_starts_with(struct fixture *fixture, const uint8_t key[static KS_TLS_FINGERPRINT_SIZE])
{
    bool made = true;
    uint8_t shown[KS_TLS_FINGERPRINT_SIZE] = {0};
    assert_int_equal(start(fixture, &made, shown), KS_OK);
    assert_false(made);
    assert_memory_equal(shown, key, sizeof shown);
}

static void begin(struct fixture *fixture, uint8_t key[static KS_TLS_FINGERPRINT_SIZE])
{
    bool made = false;
    assert_int_equal(start(fixture, &made, key), KS_OK);
    assert_true(made);
}

static size_t content_of(const char *path, char bytes[static FILE_LIMIT])
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    size_t size = fread(bytes, 1, FILE_LIMIT, file);
    fclose(file);
    return size;
}

static void write_file(const char *path, const char *bytes, size_t size, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void copy(struct fixture *fixture, const char *from, const char *to, mode_t mode)
{
    static char bytes[FILE_LIMIT];
    size_t size = content_of(path_of(fixture, from), bytes);
    write_file(path_of(fixture, to), bytes, size, mode);
}

/* ---- a key of its own ---- */

static void the_first_start_makes_a_key_that_later_ones_show(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
    assert_int_equal(mode_of(fixture, ""), 0700);
    assert_int_equal(mode_of(fixture, "key.pem"), 0600);
    assert_true(is_there(fixture, "certificate.pem"));
    assert_starts_with(fixture, key);
}

static void the_copy_of_the_certificate_has_no_key_in_it(void **state)
{
    static char bytes[FILE_LIMIT];
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
    size_t size = content_of(path_of(fixture, "certificate.pem"), bytes);
    assert_non_null(memmem(bytes, size, "BEGIN CERTIFICATE", 17));
    assert_null(memmem(bytes, size, "PRIVATE", 7));
    size = content_of(path_of(fixture, "key.pem"), bytes);
    assert_non_null(memmem(bytes, size, "PRIVATE", 7));
}

static void a_start_that_died_before_the_key_was_there_leaves_nothing_in_the_way(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    assert_int_equal(mkdir(fixture->place.directory, 0700), 0);
    write_file(path_of(fixture, ".key.pem.1.tmp"), "half of a key", 13, 0600);
    begin(fixture, key);
    assert_false(is_there(fixture, ".key.pem.1.tmp"));
    assert_starts_with(fixture, key);
}

static void a_start_that_died_behind_the_key_has_made_the_one_that_counts(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
    assert_int_equal(unlink(path_of(fixture, "certificate.pem")), 0);
    assert_starts_with(fixture, key);
    assert_true(is_there(fixture, "certificate.pem"));
}

static void a_copy_that_cannot_be_written_keeps_nobody_from_starting(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
    assert_int_equal(unlink(path_of(fixture, "certificate.pem")), 0);
    assert_int_equal(mkdir(path_of(fixture, "certificate.pem"), 0700), 0);
    assert_starts_with(fixture, key);
    assert_int_equal(rmdir(path_of(fixture, "certificate.pem")), 0);
}

static void a_directory_that_somebody_holds_is_not_waited_for_for_ever(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    int held = open(fixture->place.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(held >= 0);
    assert_int_equal(flock(held, LOCK_EX), 0);
    assert_int_equal(start(fixture, &made, key), KS_IO);
    assert_non_null(strstr(fixture->why, "cannot lock"));
    close(held);
    assert_starts_with(fixture, key);
}

static void where_a_key_was_none_is_made_silently(void **state)
{
    static const char *const traces[] = {"certificate.pem", "previous.pem", "next.pem"};
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    uint8_t other[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
    assert_int_equal(unlink(path_of(fixture, "key.pem")), 0);
    assert_int_equal(unlink(path_of(fixture, "certificate.pem")), 0);
    for (size_t i = 0; i < KS_COUNT_OF(traces); i++) {
        bool made = false;
        write_file(path_of(fixture, traces[i]), "", 0, 0600);
        assert_int_equal(start(fixture, &made, other), KS_REFUSED);
        assert_false(made);
        assert_non_null(strstr(fixture->why, "backup"));
        assert_non_null(strstr(fixture->why, traces[i]));
        assert_false(is_there(fixture, "key.pem"));
        assert_int_equal(unlink(path_of(fixture, traces[i])), 0);
    }
    assert_int_equal(start(fixture, &(bool){false}, other), KS_OK);
}

static void a_broken_key_is_told_and_kept(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    write_file(path_of(fixture, "key.pem"), "", 0, 0600);
    assert_int_equal(start(fixture, &made, key), KS_INVALID);
    assert_non_null(strstr(fixture->why, "key.pem"));
    assert_false(made);
    write_file(path_of(fixture, "key.pem"), "\0\0\0\0", 4, 0600);
    assert_int_equal(start(fixture, &made, key), KS_INVALID);
}

/* ---- who may read it ---- */

static void a_key_that_others_can_read_is_refused_with_the_command_that_mends_it(void **state)
{
    static const mode_t modes[] = {0640, 0604, 0660, 0644, 0601};
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    for (size_t i = 0; i < KS_COUNT_OF(modes); i++) {
        char command[PATH_MAX];
        assert_int_equal(chmod(path_of(fixture, "key.pem"), modes[i]), 0);
        assert_int_equal(start(fixture, &made, key), KS_REFUSED);
        (void)snprintf(command, sizeof command, "chmod 600 %.1024s", path_of(fixture, "key.pem"));
        assert_non_null(strstr(fixture->why, command));
    }
    assert_int_equal(chmod(path_of(fixture, "key.pem"), 0600), 0);
    assert_starts_with(fixture, key);
}

static void a_directory_that_others_can_look_into_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    assert_int_equal(chmod(fixture->place.directory, 0750), 0);
    assert_int_equal(start(fixture, &made, key), KS_REFUSED);
    assert_non_null(strstr(fixture->why, "chmod 700"));
    assert_int_equal(chmod(fixture->place.directory, 0700), 0);
}

static void a_key_of_somebody_else_is_refused(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    if (geteuid() != 0)
        skip();
    begin(fixture, key);
    assert_int_equal(chown(path_of(fixture, "key.pem"), 4242, 4242), 0);
    assert_int_equal(start(fixture, &made, key), KS_REFUSED);
    assert_non_null(strstr(fixture->why, "belongs to user 4242"));
    assert_non_null(strstr(fixture->why, "chown"));
}

static void what_is_no_file_is_no_key(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    assert_int_equal(unlink(path_of(fixture, "key.pem")), 0);
    assert_int_equal(mkfifo(path_of(fixture, "key.pem"), 0600), 0); /* nobody writes: it must not wait */
    assert_int_equal(start(fixture, &made, key), KS_INVALID);
}

/* ---- the operator's ---- */

/* Files with the key and the certificate that were made, beside the directory. */
static void give(struct fixture *fixture, mode_t mode)
{
    static char bytes[FILE_LIMIT];
    char path[PATH_MAX];
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
    size_t size = content_of(path_of(fixture, "key.pem"), bytes);
    (void)snprintf(path, sizeof path, "%s/private-key", fixture->data);
    write_file(path, bytes, size, mode);
    size = content_of(path_of(fixture, "certificate.pem"), bytes);
    (void)snprintf(path, sizeof path, "%s/certificate", fixture->data);
    write_file(path, bytes, size, 0644);
}

static enum ks_result read_place(struct fixture *fixture, const struct ks_host_key_place *place)
{
    struct ks_tls_identity *identity = NULL;
    enum ks_result result = ks_host_key_read(place, &identity, fixture->why);
    ks_tls_identity_free(identity);
    return result;
}

static void given_files_take_the_place_of_its_own(void **state)
{
    struct fixture *fixture = *state;
    char certificate[PATH_MAX];
    char key[PATH_MAX];
    struct ks_host_key_place place;
    give(fixture, 0600);
    (void)snprintf(certificate, sizeof certificate, "%s/certificate", fixture->data);
    (void)snprintf(key, sizeof key, "%s/private-key", fixture->data);
    assert_int_equal(ks_host_key_find(fixture->data, certificate, key, &place, fixture->why), KS_OK);
    assert_true(place.is_given);
    assert_int_equal(read_place(fixture, &place), KS_OK);
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(read_place(fixture, &place), KS_REFUSED);
    assert_non_null(strstr(fixture->why, "chmod 600"));
    assert_int_equal(unlink(key), 0);
    assert_int_equal(read_place(fixture, &place), KS_NOT_FOUND);
    assert_non_null(strstr(fixture->why, key));
}

static void a_key_that_root_keeps_for_a_group_is_taken(void **state)
{
    struct fixture *fixture = *state;
    struct ks_host_key_place place;
    if (geteuid() != 0)
        skip();
    give(fixture, 0640);
    setenv("CREDENTIALS_DIRECTORY", fixture->data, 1);
    assert_int_equal(ks_host_key_find(fixture->data, NULL, NULL, &place, fixture->why), KS_OK);
    assert_int_equal(read_place(fixture, &place), KS_OK);
    char key[PATH_MAX];
    (void)snprintf(key, sizeof key, "%s/private-key", fixture->data);
    assert_int_equal(chmod(key, 0644), 0);
    assert_int_equal(read_place(fixture, &place), KS_REFUSED);
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void credentials_are_found_and_options_win(void **state)
{
    struct fixture *fixture = *state;
    struct ks_host_key_place place;
    setenv("CREDENTIALS_DIRECTORY", fixture->data, 1);
    assert_int_equal(ks_host_key_find(fixture->data, NULL, NULL, &place, fixture->why), KS_OK);
    assert_false(place.is_given); /* for there are none of these names */
    give(fixture, 0600);
    assert_int_equal(ks_host_key_find(fixture->data, NULL, NULL, &place, fixture->why), KS_OK);
    assert_true(place.is_given);
    assert_int_equal(read_place(fixture, &place), KS_OK);
    assert_int_equal(ks_host_key_find(fixture->data, "/c", "/k", &place, fixture->why), KS_OK);
    assert_string_equal(place.certificate, "/c");
    assert_string_equal(place.private_key, "/k");
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void one_credential_alone_is_a_mistake_not_a_reason_for_another_key(void **state)
{
    struct fixture *fixture = *state;
    struct ks_host_key_place place;
    char key[PATH_MAX];
    give(fixture, 0600);
    (void)snprintf(key, sizeof key, "%s/private-key", fixture->data);
    assert_int_equal(unlink(key), 0);
    setenv("CREDENTIALS_DIRECTORY", fixture->data, 1);
    assert_int_equal(ks_host_key_find(fixture->data, NULL, NULL, &place, fixture->why), KS_OK);
    assert_true(place.is_given);
    assert_int_equal(read_place(fixture, &place), KS_NOT_FOUND);
    unsetenv("CREDENTIALS_DIRECTORY");
}

/* ---- the key that follows ---- */

static void a_next_key_is_prepared_once_and_used_once(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    uint8_t told[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    assert_int_equal(ks_host_key_next(&fixture->place, told, fixture->why), KS_NOT_FOUND);
    assert_int_equal(ks_host_key_use_next(&fixture->place, told, fixture->why), KS_NOT_FOUND);
    assert_non_null(strstr(fixture->why, "key next"));
    assert_int_equal(ks_host_key_prepare_next(&fixture->place, &made, next, fixture->why), KS_OK);
    assert_true(made);
    assert_int_equal(ks_host_key_prepare_next(&fixture->place, &made, told, fixture->why), KS_OK);
    assert_false(made);
    assert_memory_equal(told, next, sizeof next);
    assert_int_equal(ks_host_key_next(&fixture->place, told, fixture->why), KS_OK);
    assert_memory_equal(told, next, sizeof next);
    assert_memory_not_equal(next, key, sizeof next);
    assert_int_equal(mode_of(fixture, "next.pem"), 0600);
    assert_starts_with(fixture, key);
    assert_int_equal(ks_host_key_use_next(&fixture->place, told, fixture->why), KS_OK);
    assert_memory_equal(told, next, sizeof next);
    assert_starts_with(fixture, next);
    assert_int_equal(mode_of(fixture, "previous.pem"), 0600);
    assert_int_equal(ks_host_key_next(&fixture->place, told, fixture->why), KS_NOT_FOUND);
    assert_int_equal(ks_host_key_use_next(&fixture->place, told, fixture->why), KS_NOT_FOUND);
    assert_starts_with(fixture, next);
    /* What was the key is not gone: it can be put back. */
    copy(fixture, "previous.pem", "key.pem", 0600);
    assert_starts_with(fixture, key);
}

static void a_change_of_keys_that_died_anywhere_leaves_one_key_and_can_be_done_again(void **state)
{
    struct fixture *fixture = *state;
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    uint8_t told[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    begin(fixture, key);
    assert_int_equal(ks_host_key_prepare_next(&fixture->place, &made, next, fixture->why), KS_OK);
    /* Behind the copy of the old one. */
    copy(fixture, "key.pem", "previous.pem", 0600);
    assert_starts_with(fixture, key);
    assert_int_equal(ks_host_key_next(&fixture->place, told, fixture->why), KS_OK);
    /* Behind the rename: the copy of the certificate is the old one's. */
    assert_int_equal(ks_host_key_use_next(&fixture->place, told, fixture->why), KS_OK);
    copy(fixture, "previous.pem", "certificate.pem", 0644);
    assert_starts_with(fixture, next);
    static char bytes[FILE_LIMIT];
    size_t size = content_of(path_of(fixture, "certificate.pem"), bytes);
    assert_null(memmem(bytes, size, "PRIVATE", 7)); /* it was written anew */
}

static void a_next_key_without_a_key_is_not_made(void **state)
{
    struct fixture *fixture = *state;
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    assert_int_equal(ks_host_key_prepare_next(&fixture->place, &made, next, fixture->why), KS_NOT_FOUND);
    assert_false(made);
    assert_int_equal(mkdir(fixture->place.directory, 0700), 0);
    assert_int_equal(ks_host_key_prepare_next(&fixture->place, &made, next, fixture->why), KS_NOT_FOUND);
    assert_false(is_there(fixture, "next.pem"));
}

static void a_given_key_has_no_next_one(void **state)
{
    struct fixture *fixture = *state;
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    bool made = false;
    struct ks_host_key_place place;
    assert_int_equal(ks_host_key_find(fixture->data, "/c.pem", "/k.pem", &place, fixture->why), KS_OK);
    assert_int_equal(ks_host_key_next(&place, next, fixture->why), KS_NOT_FOUND);
    assert_int_equal(ks_host_key_prepare_next(&place, &made, next, fixture->why), KS_REFUSED);
    assert_non_null(strstr(fixture->why, "/k.pem"));
    assert_int_equal(ks_host_key_use_next(&place, next, fixture->why), KS_REFUSED);
}

/* ---- what is shown ---- */

static void what_is_shown_is_read_as_it_was_written(void **state)
{
    struct fixture *fixture = *state;
    struct ks_host_key_shown written = {
        .is_self_signed = false, .is_given = true, .name = "chat.example.org", .address = "[::]:1358"};
    struct ks_host_key_shown shown;
    memset(written.fingerprint, 0xa5, sizeof written.fingerprint);
    assert_int_equal(ks_host_key_shown_read(&fixture->place, &shown, fixture->why), KS_NOT_FOUND);
    assert_int_equal(ks_host_key_shown_write(&fixture->place, &written, fixture->why), KS_OK);
    assert_int_equal(ks_host_key_shown_read(&fixture->place, &shown, fixture->why), KS_OK);
    assert_memory_equal(shown.fingerprint, written.fingerprint, sizeof shown.fingerprint);
    assert_true(shown.is_given);
    assert_false(shown.is_self_signed);
    assert_string_equal(shown.name, written.name);
    assert_string_equal(shown.address, written.address);
    /* It is no trace of a key: with it alone, one is made. */
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    begin(fixture, key);
}

static void what_makes_no_sense_is_not_shown(void **state)
{
    static const char *const texts[] = {
        "",
        "{}\n",
        "{\"fingerprint\":\"short\"}\n",
        "{\"fingerprint\":7}\n",
        "{\"name\":\"a\"}\n",
        "{\"fingerprint\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"given\":1}\n"};
    struct fixture *fixture = *state;
    struct ks_host_key_shown shown;
    assert_int_equal(mkdir(fixture->place.directory, 0700), 0);
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++) {
        write_file(path_of(fixture, "shown"), texts[i], strlen(texts[i]), 0600);
        assert_int_equal(ks_host_key_shown_read(&fixture->place, &shown, fixture->why), KS_INVALID);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_start_makes_a_key_that_later_ones_show),
        TEST(the_copy_of_the_certificate_has_no_key_in_it),
        TEST(a_start_that_died_before_the_key_was_there_leaves_nothing_in_the_way),
        TEST(a_start_that_died_behind_the_key_has_made_the_one_that_counts),
        TEST(a_copy_that_cannot_be_written_keeps_nobody_from_starting),
        TEST(a_directory_that_somebody_holds_is_not_waited_for_for_ever),
        TEST(where_a_key_was_none_is_made_silently),
        TEST(a_broken_key_is_told_and_kept),
        TEST(a_key_that_others_can_read_is_refused_with_the_command_that_mends_it),
        TEST(a_directory_that_others_can_look_into_is_refused),
        TEST(a_key_of_somebody_else_is_refused),
        TEST(what_is_no_file_is_no_key),
        TEST(given_files_take_the_place_of_its_own),
        TEST(a_key_that_root_keeps_for_a_group_is_taken),
        TEST(credentials_are_found_and_options_win),
        TEST(one_credential_alone_is_a_mistake_not_a_reason_for_another_key),
        TEST(a_next_key_is_prepared_once_and_used_once),
        TEST(a_change_of_keys_that_died_anywhere_leaves_one_key_and_can_be_done_again),
        TEST(a_next_key_without_a_key_is_not_made),
        TEST(a_given_key_has_no_next_one),
        TEST(what_is_shown_is_read_as_it_was_written),
        TEST(what_makes_no_sense_is_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
