/* Unit tests of kesher_files_get with a server that is honest, and files, directories and disks that are not
 * what one would wish. Connections and pipes are in test_files_get_cuts.c, what a server may lie about in
 * test_files_get_lies.c.
 */
#include "unit/client/files/get_server.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

/* ---- whole files ---- */

static void file_comes_whole_and_gets_its_name(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 123456);
    get_want(fixture, "name", "some/where");
    fixture->account->options.observer = (struct kesher_observer){
        .context = fixture, .progress = get_fixture_progress, .file = get_fixture_file};
    get_fixture_reopen(fixture);
    assert_int_equal(get_run(fixture), KESHER_OK);
    const struct kesher_get_result *result = get_result_of(fixture, "name");
    assert_int_equal(result->size, 123456);
    assert_int_equal(result->cksum, get_cksum(content_of(fixture), 123456));
    assert_int_equal(result->resumed_at, 0);
    assert_false(result->replaced);
    assert_false(result->unchanged);
    expect_content(fixture, "some/where", 123456);
    assert_false(get_has(fixture, "some/where.part"));
    assert_int_equal(fixture->progress, 123456);
    assert_int_equal(fixture->progress_size, 123456);
    assert_ptr_equal(fixture->progress_tag, fixture->wanted);
}

static void pieces_may_have_any_size(void **state)
{
    static const size_t pieces[] = {1, 7, 4096, 65536, 262144, 262145, GET_CONTENT};
    struct get_fixture *fixture = *state;
    for (size_t i = 0; i < KS_COUNT_OF(pieces); i++) {
        size_t size = pieces[i] == 1 ? 2000 : GET_CONTENT;
        fixture->server->count = fixture->wanted_count = 0;
        fixture->server->piece = pieces[i];
        get_keep(fixture, "name", content_of(fixture), size);
        get_want(fixture, "name", "target");
        assert_int_equal(get_run(fixture), KESHER_OK);
        expect_content(fixture, "target", size);
        assert_int_equal(unlinkat(fixture->target->directory, "target", 0), 0);
    }
}

static void empty_file_is_a_file(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 0);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_OK);
    expect_content(fixture, "target", 0);
    assert_false(get_has(fixture, "target.part"));
}

static void nothing_is_wanted_and_nothing_is_asked(void **state)
{
    struct get_fixture *fixture = *state;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_int_equal(fixture->server->gets, 0);
}

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
}

static unsigned most_descriptors;

static bool count_and_serve(struct secure_connection *connection, const struct ks_get_file *get)
{
    unsigned count = count_descriptors();
    most_descriptors = count > most_descriptors ? count : most_descriptors;
    return get_serve_honestly(connection, get);
}

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = count < limit.rlim_max ? count : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Fetches many files, and tells how many descriptors that took. */
static unsigned fetch_many(struct get_fixture *fixture)
{
    static char names[GET_FILES][16];
    for (size_t i = 0; i < GET_FILES; i++) {
        assert_true(snprintf(names[i], sizeof names[i], "dir%zu/%02zu", i / 10, i) > 0);
        get_keep(fixture, names[i], content_of(fixture), 100 * i);
        get_want(fixture, names[i], names[i]);
    }
    most_descriptors = 0;
    unsigned before = count_descriptors();
    fixture->server->answer = count_and_serve;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_true(most_descriptors > before);
    assert_int_equal(count_descriptors(), before);
    for (size_t i = 0; i < GET_FILES; i++) {
        assert_int_equal(get_result_of(fixture, names[i])->status, KESHER_OK);
        expect_content(fixture, names[i], 100 * i);
    }
    assert_int_equal(fixture->server->gets, GET_FILES);
    return most_descriptors - before;
}

static void many_files_come_with_few_descriptors(void **state)
{
    assert_in_range(fetch_many(*state), 100, 160);
}

static void where_few_descriptors_are_allowed_a_quarter_is_used(void **state)
{
    limit_descriptors(256);
    unsigned used = fetch_many(*state);
    limit_descriptors(1024);
    assert_in_range(used, 32, 64);
}

static void where_hardly_any_are_allowed_files_come_still(void **state)
{
    limit_descriptors(64);
    unsigned used = fetch_many(*state);
    limit_descriptors(1024);
    assert_in_range(used, 20, 42);
}

/* ---- names ---- */

static void unknown_file_leaves_nothing_and_others_go_on(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "known", content_of(fixture), 10);
    get_want(fixture, "unknown", "one");
    get_want(fixture, "known", "two");
    assert_int_equal(get_run(fixture), KESHER_NOT_FOUND);
    assert_int_equal(get_result_of(fixture, "unknown")->status, KESHER_NOT_FOUND);
    assert_non_null(strstr(get_told_of(fixture, "unknown")->sentence, "unknown"));
    assert_false(get_has(fixture, "one"));
    assert_false(get_has(fixture, "one.part"));
    expect_content(fixture, "two", 10);
    assert_int_equal(fixture->account->server->connections, 2); /* with that of the registration */
}

static void names_and_targets_that_cannot_be_are_not_asked_for(void **state)
{
    static const char *const names[] = {"", "..", "a//b", "a\\b", "/etc/passwd", "a\nb"};
    static const char *const targets[] = {"", "..", "../escaped", "/tmp/kesher-escaped", "a/../../b", "a//b"};
    struct get_fixture *fixture = *state;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        get_want(fixture, names[i], "target");
    for (size_t i = 0; i < KS_COUNT_OF(targets); i++)
        get_want(fixture, "name", targets[i]);
    assert_int_equal(get_run(fixture), KESHER_INVALID);
    for (size_t i = 0; i < fixture->told_count; i++)
        assert_int_equal(fixture->told[i].result.status, KESHER_INVALID);
    assert_int_equal(fixture->server->gets, 0);
    assert_false(get_has(fixture, "../escaped"));
}

static void target_that_is_no_file_is_refused_and_others_go_on(void **state)
{
    struct get_fixture *fixture = *state;
    int directory = fixture->target->directory;
    assert_int_equal(mkdirat(directory, "directory", 0755), 0);
    assert_int_equal(mkfifoat(directory, "fifo", 0644), 0);
    assert_int_equal(symlinkat("/tmp", directory, "link"), 0);
    get_keep(fixture, "name", content_of(fixture), 10);
    get_want(fixture, "name", "directory")->replace = true;
    get_want(fixture, "name", "fifo")->replace = true;
    get_want(fixture, "name", "link/escaped")->replace = true;
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_INVALID);
    assert_int_equal(fixture->told[0].result.status, KESHER_FILE);
    assert_int_equal(fixture->told[1].result.status, KESHER_FILE);
    assert_int_equal(fixture->told[2].result.status, KESHER_INVALID);
    assert_int_equal(fixture->told[3].result.status, KESHER_OK);
    assert_int_not_equal(access("/tmp/escaped", F_OK), 0);
}

static void two_gets_of_one_target_do_not_mix(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "one", content_of(fixture), 1000);
    get_keep(fixture, "two", content_of(fixture) + 1, 1000);
    get_want(fixture, "one", "target")->replace = true;
    get_want(fixture, "two", "target")->replace = true;
    assert_int_equal(get_run(fixture), KESHER_FILE);
    assert_int_equal(get_result_of(fixture, "one")->status, KESHER_OK);
    assert_int_equal(get_result_of(fixture, "two")->status, KESHER_FILE);
    assert_non_null(strstr(get_told_of(fixture, "two")->sentence, "already"));
    expect_content(fixture, "target", 1000);
}

/* ---- what is there ---- */

static void target_that_is_there_is_not_replaced_unasked(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10);
    directory_write(fixture->target->directory, "target", "mine", 0644);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_EXISTS);
    assert_non_null(strstr(fixture->error.sentence, "target"));
    assert_true(directory_says(fixture->target->directory, "target", "mine"));
    assert_int_equal(fixture->server->lengths[0], 0); /* nothing of it was asked for */
    assert_false(get_has(fixture, "target.part"));
}

static void target_that_is_there_is_replaced(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10);
    directory_write(fixture->target->directory, "target", "0123456789", 0600); /* of the same size */
    get_want(fixture, "name", "target")->replace = true;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_true(get_result_of(fixture, "name")->replaced);
    expect_content(fixture, "target", 10);
    assert_int_equal(directory_mode(fixture->target->directory, "target"), S_IFREG | 0600);
}

static void target_that_is_the_same_is_not_fetched_again(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 5000);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_OK);
    for (unsigned replace = 0; replace < 2; replace++) {
        fixture->wanted[0].replace = replace == 1;
        fixture->server->gets = 0;
        assert_int_equal(get_run(fixture), KESHER_OK);
        const struct kesher_get_result *result = get_result_of(fixture, "name");
        assert_true(result->unchanged);
        assert_false(result->replaced);
        assert_int_equal(result->size, 5000);
        assert_int_equal(result->cksum, get_cksum(content_of(fixture), 5000));
        assert_int_equal(fixture->server->gets, 1);
        assert_int_equal(fixture->server->lengths[0], 0);
    }
}

/* Nobody can say that it is the same. */
static void target_whose_cksum_the_server_does_not_know_counts_as_another(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 0);
    fixture->server->files[0].is_unsummed = true;
    directory_write(fixture->target->directory, "target", "", 0644);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_EXISTS);
    fixture->wanted[0].replace = true;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_true(get_result_of(fixture, "name")->replaced);
}

/* ---- partial files ---- */

static void partial_file_that_fits_goes_on(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10000);
    get_leave_part(fixture, "target.part", content_of(fixture), 6000);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_int_equal(get_result_of(fixture, "name")->resumed_at, 6000);
    assert_int_equal(fixture->server->offsets[0], 6000);
    expect_content(fixture, "target", 10000);
    assert_false(get_has(fixture, "target.part"));
}

static void partial_file_that_is_complete_needs_nothing(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10000);
    get_leave_part(fixture, "target.part", content_of(fixture), 10000);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_int_equal(get_result_of(fixture, "name")->resumed_at, 10000);
    expect_content(fixture, "target", 10000);
}

static void partial_file_of_something_else_begins_again(void **state)
{
    static const size_t sizes[] = {100, 10000, 20000}; /* shorter, as long, longer */
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10000);
    get_want(fixture, "name", "target")->replace = true;
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        get_leave_part(fixture, "target.part", content_of(fixture) + 1, sizes[i]);
        assert_int_equal(get_run(fixture), KESHER_OK);
        assert_int_equal(get_result_of(fixture, "name")->resumed_at, 0);
        expect_content(fixture, "target", 10000);
        assert_int_equal(unlinkat(fixture->target->directory, "target", 0), 0);
    }
}

/* It has what the file begins with, and more. */
static void partial_file_that_is_longer_begins_again(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10000);
    get_leave_part(fixture, "target.part", content_of(fixture), 10001);
    get_want(fixture, "name", "target");
    assert_int_equal(get_run(fixture), KESHER_OK);
    expect_content(fixture, "target", 10000);
}

static void file_of_ones_own_in_the_place_of_the_partial_one_stays(void **state)
{
    struct get_fixture *fixture = *state;
    directory_write(fixture->target->directory, "target.part", "mine", 0644);
    get_keep(fixture, "name", content_of(fixture), 10);
    get_keep(fixture, "other", content_of(fixture), 20);
    get_want(fixture, "name", "target");
    get_want(fixture, "other", "other");
    assert_int_equal(get_run(fixture), KESHER_FILE);
    assert_true(directory_says(fixture->target->directory, "target.part", "mine"));
    assert_false(get_has(fixture, "target"));
    expect_content(fixture, "other", 20);
}

/* "a.part" is a file of the server's, and the partial file of "a". */
static void files_that_are_called_like_partial_ones_do_not_mix(void **state)
{
    struct get_fixture *fixture = *state;
    int directory = fixture->target->directory;
    get_keep(fixture, "a", content_of(fixture), 5000);
    get_keep(fixture, "a.part", content_of(fixture) + 1, 7000);
    get_want(fixture, "a", "a")->replace = true;
    get_want(fixture, "a.part", "a.part")->replace = true;
    (void)get_run(fixture);
    assert_true(!get_has(fixture, "a") || directory_holds(directory, "a", content_of(fixture), 5000));
    assert_int_equal(get_run(fixture), KESHER_OK);
    expect_content(fixture, "a", 5000);
    assert_true(directory_holds(directory, "a.part", content_of(fixture) + 1, 7000));
}

/* ---- a full disk ---- */

static enum kesher_status get_with_limit(struct get_fixture *fixture, rlim_t limit)
{
    struct rlimit before;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = limit, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum kesher_status status = get_run(fixture);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    return status;
}

static void full_disk_is_told_and_goes_on_later(void **state)
{
    struct get_fixture *fixture = *state;
    enum { LIMIT = 300 * 1024 };
    get_keep(fixture, "long", content_of(fixture), GET_CONTENT);
    get_keep(fixture, "short", content_of(fixture), 10);
    get_want(fixture, "long", "long");
    get_want(fixture, "short", "short");
    assert_int_equal(get_with_limit(fixture, LIMIT), KESHER_FILE);
    assert_int_equal(get_result_of(fixture, "long")->status, KESHER_FILE);
    assert_non_null(strstr(get_told_of(fixture, "long")->sentence, "are kept beside it"));
    expect_content(fixture, "short", 10); /* over another connection */
    assert_false(get_has(fixture, "long"));
    fixture->wanted_count = 1;
    fixture->server->gets = 0;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_true(fixture->server->offsets[0] >= 256 * 1024);
    expect_content(fixture, "long", GET_CONTENT);
}

/* What is left of the answer is taken, and thrown away. */
static void small_file_that_cannot_be_written_costs_no_connection(void **state)
{
    struct get_fixture *fixture = *state;
    unsigned connections = fixture->account->server->connections;
    get_keep(fixture, "name", content_of(fixture), 20000);
    get_keep(fixture, "short", content_of(fixture), 10);
    get_want(fixture, "name", "target");
    get_want(fixture, "short", "short");
    assert_int_equal(get_with_limit(fixture, 15000), KESHER_FILE);
    assert_int_equal(get_result_of(fixture, "short")->status, KESHER_OK);
    assert_int_equal(fixture->account->server->connections, connections);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GET_TEST(file_comes_whole_and_gets_its_name),
        GET_TEST(pieces_may_have_any_size),
        GET_TEST(empty_file_is_a_file),
        GET_TEST(nothing_is_wanted_and_nothing_is_asked),
        GET_TEST(many_files_come_with_few_descriptors),
        GET_TEST(where_few_descriptors_are_allowed_a_quarter_is_used),
        GET_TEST(where_hardly_any_are_allowed_files_come_still),
        GET_TEST(unknown_file_leaves_nothing_and_others_go_on),
        GET_TEST(names_and_targets_that_cannot_be_are_not_asked_for),
        GET_TEST(target_that_is_no_file_is_refused_and_others_go_on),
        GET_TEST(two_gets_of_one_target_do_not_mix),
        GET_TEST(target_that_is_there_is_not_replaced_unasked),
        GET_TEST(target_that_is_there_is_replaced),
        GET_TEST(target_that_is_the_same_is_not_fetched_again),
        GET_TEST(target_whose_cksum_the_server_does_not_know_counts_as_another),
        GET_TEST(partial_file_that_fits_goes_on),
        GET_TEST(partial_file_that_is_complete_needs_nothing),
        GET_TEST(partial_file_of_something_else_begins_again),
        GET_TEST(partial_file_that_is_longer_begins_again),
        GET_TEST(file_of_ones_own_in_the_place_of_the_partial_one_stays),
        GET_TEST(files_that_are_called_like_partial_ones_do_not_mix),
        GET_TEST(full_disk_is_told_and_goes_on_later),
        GET_TEST(small_file_that_cannot_be_written_costs_no_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
