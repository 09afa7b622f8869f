/* Unit tests of kesher_files_get with connections that are cut anywhere, files that change meanwhile, and
 * pipes instead of files. */
#include "unit/client/files/get_server.h"

#include <pthread.h>
#include <signal.h>

/* ---- connections ---- */

enum { SIZE = 100, PIECE = 32, PIECES = 4, FACTS_FRAME = KS_RESPONSE_HEADER_SIZE + KS_GOT_FILE_SIZE };

/* How much of the content has come before a cut. */
static uint64_t content_before(size_t cut)
{
    size_t size = 0;
    for (size_t at = FACTS_FRAME + KS_RESPONSE_HEADER_SIZE; at < cut && size < SIZE;
         at += PIECE + KS_RESPONSE_HEADER_SIZE) {
        size_t piece = SIZE - size < PIECE ? SIZE - size : PIECE;
        size += cut - at < piece ? cut - at : piece;
    }
    return size;
}

enum { ALL = FACTS_FRAME + PIECES * KS_RESPONSE_HEADER_SIZE + SIZE + KS_RESPONSE_HEADER_SIZE + 4 };

static void begin_cut(struct get_fixture *fixture, size_t cut)
{
    fixture->server->gets = 0;
    fixture->account->server->writing = (struct secure_cut){.is_set = true, .left = cut};
}

static void connection_that_is_cut_anywhere_goes_on_there(void **state)
{
    struct get_fixture *fixture = *state;
    fixture->server->piece = PIECE;
    get_keep(fixture, "name", content_of(fixture), SIZE);
    get_want(fixture, "name", "target");
    for (size_t cut = 0; cut < ALL; cut++) {
        get_fixture_reopen(fixture);
        begin_cut(fixture, cut);
        assert_int_equal(get_run(fixture), KESHER_OK);
        assert_false(fixture->account->server->writing.is_set); /* it was cut */
        assert_int_equal(fixture->server->gets, 2);
        assert_int_equal(fixture->server->offsets[1], content_before(cut)); /* nothing comes twice */
        assert_int_equal(get_result_of(fixture, "name")->resumed_at, 0);
        expect_content(fixture, "target", SIZE);
        assert_int_equal(unlinkat(fixture->target->directory, "target", 0), 0);
    }
}

static void program_that_comes_again_goes_on_there(void **state)
{
    struct get_fixture *fixture = *state;
    fixture->server->piece = PIECE;
    get_keep(fixture, "name", content_of(fixture), SIZE);
    get_want(fixture, "name", "target");
    fixture->account->options.retry_ms = 1;
    fixture->account->options.backoff_ms = 2; /* nothing is made again */
    for (size_t cut = 0; cut < ALL; cut++) {
        get_fixture_reopen(fixture);
        begin_cut(fixture, cut);
        assert_int_equal(get_run(fixture), KESHER_CONNECTION);
        assert_int_equal(get_result_of(fixture, "name")->status, KESHER_CONNECTION);
        assert_false(get_has(fixture, "target"));
        get_fixture_reopen(fixture);
        assert_int_equal(get_run(fixture), KESHER_OK);
        assert_int_equal(fixture->server->offsets[1], content_before(cut));
        assert_int_equal(get_result_of(fixture, "name")->resumed_at, content_before(cut));
        expect_content(fixture, "target", SIZE);
        assert_int_equal(unlinkat(fixture->target->directory, "target", 0), 0);
    }
}

/* Each time a little more comes. */
static bool give_little(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct ks_got_file got = get_judge(&server->files[0], get);
    const uint8_t *bytes = server->files[0].bytes + got.offset;
    if (got.length <= 10)
        return get_serve_honestly(connection, get);
    (void)(get_say_facts(connection, &got) && get_say_piece(connection, bytes, 10));
    return false;
}

static void connections_that_are_lost_count_only_without_progress(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 200);
    get_want(fixture, "name", "target");
    fixture->server->answer = give_little;
    assert_int_equal(get_run(fixture), KESHER_OK); /* reconnects: 1 */
    assert_int_equal(fixture->server->answers, 20);
    expect_content(fixture, "target", 200);
}

static bool give_nothing(struct secure_connection *connection, const struct ks_get_file *get)
{
    (void)connection;
    (void)get;
    return false;
}

static void server_that_gives_nothing_is_given_up(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 200);
    get_want(fixture, "name", "one");
    get_want(fixture, "name", "two");
    fixture->server->answer = give_nothing;
    assert_int_equal(get_run(fixture), KESHER_CONNECTION);
    assert_int_equal(fixture->server->answers, 2);
    assert_int_equal(fixture->told[0].result.status, KESHER_CONNECTION);
    assert_int_equal(fixture->told[1].result.status, KESHER_NOT_SENT);
    assert_false(get_has(fixture, "one.part"));
}

/* Replaced while it comes: cut after half of it, and then there is another one. */
static bool replace_and_cut(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct ks_got_file got = get_judge(&server->files[0], get);
    if (server->answers > 1)
        return get_serve_honestly(connection, get);
    (void)(get_say_facts(connection, &got) && get_say_content(connection, server->files[0].bytes, 3000));
    server->files[0].bytes = server->content + 5;
    server->files[0].size = 4000;
    return false;
}

static void file_that_is_replaced_meanwhile_comes_whole(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10000);
    get_leave_part(fixture, "target.part", content_of(fixture), 100);
    get_want(fixture, "name", "target");
    fixture->server->answer = replace_and_cut;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_int_equal(get_result_of(fixture, "name")->size, 4000);
    assert_int_equal(get_result_of(fixture, "name")->resumed_at, 0);
    assert_true(directory_holds(fixture->target->directory, "target", content_of(fixture) + 5, 4000));
}

static bool remove_and_cut(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    (void)replace_and_cut(connection, get);
    server->count = 0;
    return server->answers > 1;
}

static void file_that_is_removed_meanwhile_is_told(void **state)
{
    struct get_fixture *fixture = *state;
    get_keep(fixture, "name", content_of(fixture), 10000);
    get_want(fixture, "name", "target");
    fixture->server->answer = remove_and_cut;
    assert_int_equal(get_run(fixture), KESHER_NOT_FOUND);
    assert_false(get_has(fixture, "target"));
    expect_content(fixture, "target.part", 3000); /* somebody may put it again */
}

static void silence_ends_it(void **state)
{
    struct get_fixture *fixture = *state;
    struct secure_lie lie = {.request = KS_REQUEST_GET_FILE, .end = SECURE_STAYS_MUTE};
    get_keep(fixture, "name", content_of(fixture), 100);
    get_want(fixture, "name", "one");
    get_want(fixture, "name", "two");
    fixture->account->options.progress_ms = QUIET_MS;
    get_fixture_reopen(fixture);
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(get_run(fixture), KESHER_TIMEOUT);
    assert_int_equal(fixture->told[0].result.status, KESHER_TIMEOUT);
    assert_int_equal(fixture->told[1].result.status, KESHER_NOT_SENT);
    assert_int_equal(get_run(fixture), KESHER_OK); /* the object goes on */
}

/* ---- descriptors ---- */

struct drain {
    int fd;
    uint8_t *bytes;
    size_t size;
};

static void *drain_pipe(void *context)
{
    struct drain *drain = context;
    ssize_t got = 1;
    while (got > 0) {
        got = read(drain->fd, drain->bytes + drain->size, GET_CONTENT - drain->size);
        drain->size += got > 0 ? (size_t)got : 0;
    }
    return NULL;
}

/* Gets "name" through a pipe. */
static enum kesher_status get_piped(struct get_fixture *fixture, struct drain *drain)
{
    int ends[2];
    pthread_t reader;
    struct kesher_get *get = get_want(fixture, "name", NULL);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    get->directory = -1;
    get->to_descriptor = true;
    get->fd = ends[1];
    *drain = (struct drain){.fd = ends[0], .bytes = malloc(GET_CONTENT)};
    assert_non_null(drain->bytes);
    assert_int_equal(pthread_create(&reader, NULL, drain_pipe, drain), 0);
    enum kesher_status status = get_run(fixture);
    close(ends[1]);
    assert_int_equal(pthread_join(reader, NULL), 0);
    close(ends[0]);
    return status;
}

static void pipe_gets_all_of_it(void **state)
{
    struct get_fixture *fixture = *state;
    struct drain drain;
    get_keep(fixture, "name", content_of(fixture), GET_CONTENT - 1);
    assert_int_equal(get_piped(fixture, &drain), KESHER_OK);
    assert_int_equal(drain.size, GET_CONTENT - 1);
    assert_memory_equal(drain.bytes, content_of(fixture), drain.size);
    free(drain.bytes);
}

static void pipe_gets_every_byte_once_when_the_connection_is_cut(void **state)
{
    struct get_fixture *fixture = *state;
    fixture->server->piece = PIECE;
    get_keep(fixture, "name", content_of(fixture), SIZE);
    for (size_t cut = 0; cut < ALL; cut += 3) {
        struct drain drain;
        get_fixture_reopen(fixture);
        begin_cut(fixture, cut);
        fixture->wanted_count = 0;
        assert_int_equal(get_piped(fixture, &drain), KESHER_OK);
        assert_int_equal(drain.size, SIZE);
        assert_memory_equal(drain.bytes, content_of(fixture), SIZE);
        free(drain.bytes);
    }
}

static void pipe_cannot_take_back_what_was_replaced(void **state)
{
    struct get_fixture *fixture = *state;
    struct drain drain;
    get_keep(fixture, "name", content_of(fixture), 10000);
    fixture->server->answer = replace_and_cut;
    assert_int_equal(get_piped(fixture, &drain), KESHER_MISMATCH);
    assert_non_null(strstr(fixture->error.sentence, "replaced at the server"));
    assert_int_equal(drain.size, 3000);
    free(drain.bytes);
}

static void pipe_that_nobody_reads_is_told_and_others_go_on(void **state)
{
    struct get_fixture *fixture = *state;
    int ends[2];
    get_keep(fixture, "long", content_of(fixture), GET_CONTENT);
    get_keep(fixture, "short", content_of(fixture), 10);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    for (unsigned i = 0; i < 2; i++) {
        struct kesher_get *get = get_want(fixture, i == 0 ? "long" : "short", NULL);
        get->to_descriptor = true;
        get->fd = ends[1];
    }
    get_want(fixture, "short", "target");
    assert_int_equal(get_run(fixture), KESHER_FILE);
    assert_int_equal(fixture->told[0].result.status, KESHER_FILE);
    assert_int_equal(fixture->told[1].result.status, KESHER_FILE);
    assert_int_equal(fixture->told[2].result.status, KESHER_OK);
    expect_content(fixture, "target", 10);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GET_TEST(connection_that_is_cut_anywhere_goes_on_there),
        GET_TEST(program_that_comes_again_goes_on_there),
        GET_TEST(connections_that_are_lost_count_only_without_progress),
        GET_TEST(server_that_gives_nothing_is_given_up),
        GET_TEST(file_that_is_replaced_meanwhile_comes_whole),
        GET_TEST(file_that_is_removed_meanwhile_is_told),
        GET_TEST(silence_ends_it),
        GET_TEST(pipe_gets_all_of_it),
        GET_TEST(pipe_gets_every_byte_once_when_the_connection_is_cut),
        GET_TEST(pipe_cannot_take_back_what_was_replaced),
        GET_TEST(pipe_that_nobody_reads_is_told_and_others_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
