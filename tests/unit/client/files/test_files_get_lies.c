/* Unit tests of kesher_files_get with servers that lie: sums that are not those of what came, answers in the
 * middle of which a refusal stands, and frames that no server sends. Whatever it does, a call comes to an end
 * with a sentence, and what is not right gets no name.
 */
#include "unit/client/files/get_server.h"

enum { SIZE = 10000 };

/* One file that is lied about, and another one behind it. */
static void want_two(struct get_fixture *fixture)
{
    get_keep(fixture, "name", content_of(fixture), SIZE);
    get_keep(fixture, "other", content_of(fixture), 20);
    get_want(fixture, "name", "target");
    get_want(fixture, "other", "other");
}

static bool is_about(const struct ks_get_file *get, const char *name)
{
    return get->name.size == strlen(name) && memcmp(get->name.bytes, name, get->name.size) == 0;
}

/* The honest answer, with another byte in the middle, and the cksum of what it should have been. */
static bool give_damaged(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct get_file *file = get_server_find(server, get->name.bytes, get->name.size);
    struct ks_got_file got = get_judge(file, get);
    size_t size = (size_t)got.length;
    uint8_t *damaged = malloc(size + 1);
    if (damaged == NULL)
        return false;
    memcpy(damaged, file->bytes + got.offset, size);
    damaged[size / 2] ^= 1;
    bool goes_on = get_say_facts(connection, &got) && get_say_content(connection, damaged, size) &&
                   get_say_end(connection, get_cksum(file->bytes, file->size));
    free(damaged);
    return goes_on;
}

static bool damage_one(struct secure_connection *connection, const struct ks_get_file *get)
{
    return is_about(get, "name") ? give_damaged(connection, get) : get_serve_honestly(connection, get);
}

static bool damage_first(struct secure_connection *connection, const struct ks_get_file *get)
{
    return get_server_of(connection)->answers == 1 ? give_damaged(connection, get)
                                                   : get_serve_honestly(connection, get);
}

/* ---- sums ---- */

static void file_that_arrives_changed_gets_no_name(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    fixture->server->answer = damage_one;
    assert_int_equal(get_run(fixture), KESHER_MISMATCH);
    assert_int_equal(get_result_of(fixture, "name")->status, KESHER_MISMATCH);
    assert_non_null(strstr(get_told_of(fixture, "name")->sentence, "arrived changed"));
    assert_int_equal(get_result_of(fixture, "other")->status, KESHER_OK);
    assert_false(get_has(fixture, "target"));
    assert_false(get_has(fixture, "target.part")); /* of no use */
}

/* What was there may be wrong, though its cksum says that it fits. */
static void resumed_file_that_is_wrong_comes_once_more_from_the_beginning(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    get_leave_part(fixture, "target.part", content_of(fixture), 4000);
    fixture->server->answer = damage_first;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_int_equal(fixture->server->gets, 3);
    assert_int_equal(fixture->server->offsets[0], 4000);
    assert_int_equal(fixture->server->offsets[2], 0);
    assert_int_equal(get_result_of(fixture, "name")->resumed_at, 0);
    assert_true(directory_holds(fixture->target->directory, "target", content_of(fixture), SIZE));
}

static void file_that_is_wrong_again_is_given_up(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    get_leave_part(fixture, "target.part", content_of(fixture), 4000);
    fixture->server->answer = damage_one;
    assert_int_equal(get_run(fixture), KESHER_MISMATCH);
    assert_int_equal(fixture->server->gets, 3);
    assert_false(get_has(fixture, "target"));
    assert_false(get_has(fixture, "target.part"));
}

static bool give_two_sums(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct ks_got_file got = get_judge(&server->files[0], get);
    got.facts.cksum ^= 1;
    return get_say_facts(connection, &got) &&
           get_say_content(connection, server->files[0].bytes, server->files[0].size) &&
           get_say_end(connection, get_cksum(server->files[0].bytes, server->files[0].size));
}

static void two_cksums_of_one_file_are_no_answer(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    fixture->server->answer = give_two_sums;
    assert_int_equal(get_run(fixture), KESHER_PROTOCOL);
    assert_false(get_has(fixture, "target"));
}

/* ---- refusals ---- */

static bool refuse_in_the_middle(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct ks_got_file got = get_judge(&server->files[0], get);
    if (!is_about(get, "name"))
        return get_serve_honestly(connection, get);
    return get_say_facts(connection, &got) &&
           get_say_piece(connection, server->files[0].bytes + got.offset, 1000) &&
           secure_refuse(connection, KS_REFUSAL_DAMAGED, "rust");
}

static bool refuse_at_the_end(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct ks_got_file got = get_judge(&server->files[0], get);
    if (!is_about(get, "name"))
        return get_serve_honestly(connection, get);
    return get_say_facts(connection, &got) &&
           get_say_content(connection, server->files[0].bytes + got.offset, (size_t)got.length) &&
           secure_refuse(connection, KS_REFUSAL_DAMAGED, "rust");
}

static void damage_that_the_server_tells_of_ends_the_file_only(void **state)
{
    struct get_fixture *fixture = *state;
    unsigned connections = fixture->account->server->connections;
    want_two(fixture);
    for (unsigned i = 0; i < 2; i++) {
        fixture->server->answer = i == 0 ? refuse_in_the_middle : refuse_at_the_end;
        assert_int_equal(get_run(fixture), KESHER_MISMATCH);
        assert_non_null(strstr(get_told_of(fixture, "name")->sentence, "damaged"));
        assert_int_equal(get_result_of(fixture, "other")->status, KESHER_OK);
        assert_false(get_has(fixture, "target"));
        assert_true(get_has(fixture, "target.part")); /* its operator may mend it */
    }
    assert_int_equal(fixture->account->server->connections, connections);
    fixture->server->answer = NULL;
    assert_int_equal(get_run(fixture), KESHER_OK);
    assert_int_equal(get_result_of(fixture, "name")->resumed_at, SIZE);
}

/* ---- frames ---- */

/* Which lie is told next. */
static atomic_uint lie_number;

enum { FACT_LIES = 8, LIES = 18 };

static struct ks_got_file lie_about_facts(unsigned number, struct ks_got_file got)
{
    switch (number) {
    case 0:
        got.offset = 1; /* that nobody asked for */
        got.length--;
        break;
    case 1:
        got.length--;
        break;
    case 2:
        got.length = 0;
        break;
    case 3:
        got.length++;
        break;
    case 4:
        got.facts.size = UINT64_MAX;
        got.length = UINT64_MAX;
        break;
    case 5:
        got.offset = UINT64_MAX;
        break;
    case 6:
        got.facts.size = got.length - 1;
        break;
    case 7:
        got.offset = got.facts.size;
        got.length = 0;
        break;
    default:
        break;
    }
    return got;
}

static bool lie_about_content(struct secure_connection *connection, unsigned number, const uint8_t *bytes)
{
    static const uint8_t large[KS_FILE_PIECE_LIMIT + 1];
    uint8_t sum[8] = {0};
    ks_store_u32(sum, get_cksum(bytes, SIZE));
    switch (number) {
    case 8:
        return get_say_piece(connection, bytes, 0);
    case 9:
        return get_say_piece(connection, bytes, SIZE + 1);
    case 10:
        return get_say_piece(connection, large, sizeof large);
    case 11:
        return get_say_end(connection, get_cksum(bytes, SIZE)); /* too early */
    case 12:
        return get_say_content(connection, bytes, SIZE - 1) &&
               get_say_end(connection, get_cksum(bytes, SIZE));
    case 13:
        return get_say_content(connection, bytes, SIZE) && get_say_piece(connection, bytes, 1);
    case 14:
        return get_say_content(connection, bytes, SIZE) &&
               secure_answer(connection, KS_RESPONSE_FILE_END, 5, sum, 5);
    case 15:
        return get_say_content(connection, bytes, SIZE) &&
               secure_answer(connection, KS_RESPONSE_FILE_END, 0, NULL, 0);
    case 16:
        return secure_answer(connection, KS_RESPONSE_FILE, sizeof sum, sum, sizeof sum);
    default:
        return secure_answer(connection, KS_RESPONSE_FILES, 1, sum, 1);
    }
}

static bool lie_in_frames(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    unsigned number = lie_number; /* the next one, as soon as the client has had enough */
    struct ks_got_file got = lie_about_facts(number, get_judge(&server->files[0], get));
    if (!get_say_facts(connection, &got) || !lie_about_content(connection, number, server->files[0].bytes))
        return false;
    return get_say_end(connection, get_cksum(server->files[0].bytes, SIZE));
}

static void frames_that_make_no_sense_end_the_connection(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    fixture->server->answer = lie_in_frames;
    for (lie_number = 0; lie_number < LIES; lie_number++) {
        get_fixture_reopen(fixture);
        assert_int_equal(get_run(fixture), KESHER_PROTOCOL);
        assert_int_equal(get_result_of(fixture, "name")->status, KESHER_PROTOCOL);
        assert_int_equal(get_result_of(fixture, "other")->status, KESHER_NOT_SENT);
        assert_false(get_has(fixture, "target"));
        assert_false(get_has(fixture, "other"));
        (void)unlinkat(fixture->target->directory, "target.part", 0);
    }
}

static void answers_that_are_none_end_the_connection(void **state)
{
    static const struct {
        uint16_t code;
        uint32_t told;
        size_t size;
    } lies[] = {{KS_RESPONSE_FILE, 0, 0},
                {KS_RESPONSE_FILE, KS_GOT_FILE_SIZE - 1, KS_GOT_FILE_SIZE - 1},
                {KS_RESPONSE_FILE, KS_GOT_FILE_SIZE + 1, KS_GOT_FILE_SIZE + 1},
                {KS_RESPONSE_FILE, UINT32_MAX, 100},
                {KS_RESPONSE_FILE_PIECE, 10, 10},
                {KS_RESPONSE_FILE_END, 4, 4},
                {KS_RESPONSE_ERROR, 0, 0},
                {KS_RESPONSE_REFUSED, 1, 1},
                {0, 0, 0}};
    struct get_fixture *fixture = *state;
    want_two(fixture);
    for (size_t i = 0; i < KS_COUNT_OF(lies); i++) {
        struct secure_lie lie = {.request = KS_REQUEST_GET_FILE,
                                 .code = lies[i].code == 0 ? 9999 : lies[i].code,
                                 .told_size = lies[i].told,
                                 .size = lies[i].size};
        get_fixture_reopen(fixture);
        secure_tell_lie(fixture->account->server, &lie);
        assert_int_equal(get_run(fixture), KESHER_PROTOCOL);
        assert_false(get_has(fixture, "target"));
        assert_false(get_has(fixture, "target.part"));
    }
}

/* With an offset there are two places where it may begin. */
static bool begin_in_between(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    struct ks_got_file got = get_judge(&server->files[0], get);
    got.offset -= 1;
    got.length += 1;
    return get_say_facts(connection, &got) &&
           get_say_content(connection, server->files[0].bytes + got.offset, (size_t)got.length) &&
           get_say_end(connection, get_cksum(server->files[0].bytes, SIZE));
}

static void file_that_begins_where_nobody_asked_is_refused(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    get_leave_part(fixture, "target.part", content_of(fixture), 4000);
    fixture->server->answer = begin_in_between;
    assert_int_equal(get_run(fixture), KESHER_PROTOCOL);
    assert_true(directory_holds(fixture->target->directory, "target.part", content_of(fixture), 4000));
}

/* It was only asked what the server has. */
static bool give_unasked(struct secure_connection *connection, const struct ks_get_file *get)
{
    struct get_server *server = get_server_of(connection);
    const struct ks_get_file all = {.length = UINT64_MAX, .name = get->name};
    struct ks_got_file got = get_judge(&server->files[0], &all);
    return get_say_facts(connection, &got) && get_say_content(connection, server->files[0].bytes, SIZE) &&
           get_say_end(connection, get_cksum(server->files[0].bytes, SIZE));
}

static void content_that_nobody_asked_for_is_refused(void **state)
{
    struct get_fixture *fixture = *state;
    want_two(fixture);
    directory_write(fixture->target->directory, "target", "mine", 0644);
    fixture->server->answer = give_unasked;
    assert_int_equal(get_run(fixture), KESHER_PROTOCOL);
    assert_true(directory_says(fixture->target->directory, "target", "mine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GET_TEST(file_that_arrives_changed_gets_no_name),
        GET_TEST(resumed_file_that_is_wrong_comes_once_more_from_the_beginning),
        GET_TEST(file_that_is_wrong_again_is_given_up),
        GET_TEST(two_cksums_of_one_file_are_no_answer),
        GET_TEST(damage_that_the_server_tells_of_ends_the_file_only),
        GET_TEST(frames_that_make_no_sense_end_the_connection),
        GET_TEST(answers_that_are_none_end_the_connection),
        GET_TEST(file_that_begins_where_nobody_asked_is_refused),
        GET_TEST(content_that_nobody_asked_for_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
