/* Unit tests of kesher_files_remove. */
#include "unit/client/files/put_server.h"

enum { REMOVALS = 300 };

struct removals {
    const char *names[REMOVALS];
    size_t count;
    size_t told;
    enum kesher_status outcomes[REMOVALS];
    struct kesher_error errors[REMOVALS];
    struct kesher_error error;
};

static void removal_told(void *context, size_t index, enum kesher_status status,
                         const struct kesher_error *error)
{
    struct removals *removals = context;
    assert_int_equal(index, removals->told); /* in order, and once */
    assert_int_equal((status == KESHER_OK), (error == NULL));
    removals->outcomes[index] = status;
    if (error != NULL)
        removals->errors[index] = *error;
    removals->told++;
}

static enum kesher_status remove_all(struct put_fixture *fixture, struct removals *removals)
{
    removals->told = 0;
    enum kesher_status status = kesher_files_remove(fixture->files, removals->names, removals->count,
                                                    removal_told, removals, &removals->error);
    assert_int_equal(removals->told, removals->count);
    return status;
}

static struct removals *new_removals(struct put_fixture *fixture, size_t count)
{
    static char names[REMOVALS][16];
    struct removals *removals = calloc(1, sizeof *removals);
    assert_non_null(removals);
    removals->count = count;
    for (size_t i = 0; i < count; i++) {
        assert_true(snprintf(names[i], sizeof names[i], "file %03zu", i) > 0);
        removals->names[i] = names[i];
        put_server_add(&fixture->server, names[i], NULL, 0);
    }
    return removals;
}

static void files_are_removed_in_order(void **state)
{
    struct put_fixture *fixture = *state;
    struct removals *removals = new_removals(fixture, REMOVALS);
    put_server_add(&fixture->server, "stays", NULL, 0);
    assert_int_equal(remove_all(fixture, removals), KESHER_OK);
    assert_int_equal(fixture->server.file_count, 1);
    assert_int_equal(fixture->server.removals, REMOVALS);
    assert_int_equal(fixture->account->server->connections, 2);
    free(removals);
}

static void nothing_is_removed_at_once(void **state)
{
    struct put_fixture *fixture = *state;
    assert_int_equal(kesher_files_remove(fixture->files, NULL, 0, removal_told, NULL, NULL), KESHER_OK);
    assert_int_equal(fixture->server.removals, 0);
}

static void file_that_is_not_there_leaves_the_others_alone(void **state)
{
    struct put_fixture *fixture = *state;
    struct removals *removals = new_removals(fixture, 10);
    removals->names[3] = "who";
    removals->names[7] = removals->names[6]; /* twice */
    assert_int_equal(remove_all(fixture, removals), KESHER_NOT_FOUND);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(removals->outcomes[i], i == 3 || i == 7 ? KESHER_NOT_FOUND : KESHER_OK);
    assert_non_null(strstr(removals->errors[3].sentence, "'who'"));
    assert_non_null(strstr(removals->errors[3].sentence, "kesher files"));
    assert_int_equal(fixture->server.file_count, 2);
    free(removals);
}

static void name_that_no_file_has_is_never_asked_for(void **state)
{
    struct put_fixture *fixture = *state;
    struct removals *removals = new_removals(fixture, 5);
    removals->names[0] = "";
    removals->names[2] = "a/../b";
    removals->names[4] = "a\nb";
    assert_int_equal(remove_all(fixture, removals), KESHER_INVALID);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(removals->outcomes[i], i % 2 == 0 ? KESHER_INVALID : KESHER_OK);
    assert_int_equal(fixture->server.removals, 2);
    free(removals);
}

static void refusal_that_is_about_one_leaves_the_others_alone(void **state)
{
    struct put_fixture *fixture = *state;
    static const uint16_t reasons[] = {KS_REFUSAL_NO_SPACE, KS_REFUSAL_TROUBLE, KS_REFUSAL_FILE_NAME};
    for (size_t i = 0; i < KS_COUNT_OF(reasons); i++) {
        struct removals *removals = new_removals(fixture, 3);
        put_server_refuse(&fixture->server, KS_REQUEST_REMOVE_FILE, reasons[i]);
        assert_true(remove_all(fixture, removals) != KESHER_OK);
        assert_true(removals->outcomes[0] != KESHER_OK);
        assert_int_equal(removals->outcomes[1], KESHER_OK);
        assert_int_equal(removals->outcomes[2], KESHER_OK);
        put_server_clear(&fixture->server);
        free(removals);
    }
}

/* Those that are out are still heard of. */
static void refusal_that_is_about_all_ends_it(void **state)
{
    struct put_fixture *fixture = *state;
    struct removals *removals = new_removals(fixture, REMOVALS);
    put_server_refuse(&fixture->server, KS_REQUEST_REMOVE_FILE, KS_REFUSAL_QUOTA);
    assert_int_equal(remove_all(fixture, removals), KESHER_FULL);
    assert_int_equal(removals->outcomes[0], KESHER_FULL);
    assert_int_equal(removals->outcomes[1], KESHER_OK);
    assert_int_equal(removals->outcomes[REMOVALS - 1], KESHER_NOT_SENT);
    size_t removed = 0;
    for (size_t i = 0; i < REMOVALS; i++)
        removed += removals->outcomes[i] == KESHER_OK;
    assert_int_equal(fixture->server.file_count, REMOVALS - removed);
    free(removals);
}

static void lie_ends_it(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct {
        uint16_t code;
        size_t size;
    } lies[] = {{KS_RESPONSE_FILE_REMOVED, 1}, {KS_RESPONSE_PUT_END, 0}, {KS_RESPONSE_REFUSED, 1}};
    for (size_t i = 0; i < KS_COUNT_OF(lies); i++) {
        struct removals *removals = new_removals(fixture, 3);
        put_server_answer(&fixture->server, KS_REQUEST_REMOVE_FILE, lies[i].code, "?", lies[i].size);
        assert_int_equal(remove_all(fixture, removals), KESHER_PROTOCOL);
        assert_int_equal(removals->outcomes[0], KESHER_PROTOCOL);
        assert_non_null(strstr(removals->errors[0].sentence, "'file 000'"));
        assert_int_equal(removals->outcomes[1], KESHER_NOT_SENT);
        assert_non_null(strstr(removals->errors[1].sentence, "as far as is known"));
        put_fixture_clear(fixture);
        free(removals);
    }
}

/* The server has removed more than it could say. */
static void lost_answers_are_asked_for_again(void **state)
{
    struct put_fixture *fixture = *state;
    enum { COUNT = 5 };
    for (size_t behind = 0; behind < COUNT * KS_RESPONSE_HEADER_SIZE; behind++) {
        struct removals *removals = new_removals(fixture, COUNT);
        put_fixture_close(fixture);
        fixture->account->server->writing = (struct secure_cut){.is_set = true, .left = behind};
        put_fixture_reopen(fixture);
        assert_int_equal(remove_all(fixture, removals), KESHER_OK);
        assert_int_equal(fixture->server.file_count, 0);
        put_server_clear(&fixture->server);
        free(removals);
    }
}

static void lost_requests_are_asked_again(void **state)
{
    struct put_fixture *fixture = *state;
    enum { COUNT = 3 };
    for (size_t behind = 0; behind < COUNT * (KS_REQUEST_HEADER_SIZE + 2 + 8); behind++) {
        struct removals *removals = new_removals(fixture, COUNT);
        put_fixture_close(fixture);
        fixture->account->server->reading = (struct secure_cut){.is_set = true, .left = behind};
        put_fixture_reopen(fixture);
        assert_int_equal(remove_all(fixture, removals), KESHER_OK);
        assert_int_equal(fixture->server.file_count, 0);
        put_server_clear(&fixture->server);
        free(removals);
    }
}

static void connection_that_is_lost_for_good_ends_it(void **state)
{
    struct put_fixture *fixture = *state;
    struct removals *removals = new_removals(fixture, 3);
    const struct secure_lie lie = {.request = KS_REQUEST_REMOVE_FILE, .end = SECURE_CUTS};
    secure_tell_lie(fixture->account->server, &lie);
    secure_tell_lie(fixture->account->server, &lie);
    assert_int_equal(remove_all(fixture, removals), KESHER_CONNECTION);
    assert_int_equal(removals->outcomes[0], KESHER_CONNECTION);
    assert_int_equal(removals->outcomes[1], KESHER_NOT_SENT);
    assert_int_equal(removals->outcomes[2], KESHER_NOT_SENT);
    free(removals);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(files_are_removed_in_order),
        PUT_TEST(nothing_is_removed_at_once),
        PUT_TEST(file_that_is_not_there_leaves_the_others_alone),
        PUT_TEST(name_that_no_file_has_is_never_asked_for),
        PUT_TEST(refusal_that_is_about_one_leaves_the_others_alone),
        PUT_TEST(refusal_that_is_about_all_ends_it),
        PUT_TEST(lie_ends_it),
        PUT_TEST(lost_answers_are_asked_for_again),
        PUT_TEST(lost_requests_are_asked_again),
        PUT_TEST(connection_that_is_lost_for_good_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
