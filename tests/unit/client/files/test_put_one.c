/* Unit tests of kesher_files_put with one file (client/files/put_one.h): what is sent, what is not sent
 * again, and what every answer leads to. Nonsense is in test_put_lies.c, cuts are in test_put_cuts.c, many
 * files in test_put_list.c. */
#include "unit/client/files/put_one_fixture.h"

#include <sys/stat.h>

/* ---- what arrives ---- */

static void file_of_any_size_arrives_whole(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {
        0, 1, 256 * 1024, 256 * 1024 + 1, 1024 * 1024, 1024 * 1024 + 1, 2 * 1024 * 1024, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(sizes[i], 1);
        put_server_clear(&fixture->server);
        assert_int_equal(put(fixture, "dir/file", false, bytes, sizes[i], &result, NULL), KESHER_OK);
        assert_kept(fixture, "dir/file", bytes, sizes[i]);
        assert_int_equal(result.size, sizes[i]);
        assert_int_equal(result.cksum, put_server_sum(bytes, sizes[i]));
        assert_int_equal(result.resumed_at, 0);
        assert_false(result.replaced || result.unchanged);
        assert_int_equal(fixture->server.piece_bytes, sizes[i]);
        assert_int_equal(fixture->sent, sizes[i]);
        assert_int_equal(fixture->size, sizes[i]);
        free(bytes);
    }
    assert_int_equal(fixture->account->server->connections, 2); /* with the one that registered */
}

static void file_that_is_replaced_is_told(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(sizes[i], 1);
        put_server_clear(&fixture->server);
        put_server_add(&fixture->server, "file", bytes, 10);
        assert_int_equal(put(fixture, "file", true, bytes, sizes[i], &result, NULL), KESHER_OK);
        assert_true(result.replaced);
        assert_kept(fixture, "file", bytes, sizes[i]);
        free(bytes);
    }
}

static void other_file_of_that_name_is_left_alone(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct {
        size_t size;
        size_t kept;
    } rows[] = {{SMALL, SMALL}, {SMALL, 10}, {LARGE, LARGE}, {LARGE, 10}};
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct kesher_put_result result;
        struct kesher_error error;
        uint8_t *bytes = put_content(rows[i].size, 1);
        uint8_t *other = put_content(rows[i].kept, 2);
        put_server_clear(&fixture->server);
        put_server_add(&fixture->server, "file", other, rows[i].kept);
        assert_int_equal(put(fixture, "file", false, bytes, rows[i].size, &result, &error), KESHER_EXISTS);
        assert_non_null(strstr(error.sentence, "--replace"));
        assert_kept(fixture, "file", other, rows[i].kept);
        free(bytes);
        free(other);
    }
}

static void what_is_kept_already_is_not_sent(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {0, SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(sizes[i], 1);
        put_server_clear(&fixture->server);
        put_server_add(&fixture->server, "file", bytes, sizes[i]);
        assert_int_equal(put(fixture, "file", false, bytes, sizes[i], &result, NULL), KESHER_OK);
        assert_true(result.unchanged);
        assert_false(result.replaced);
        assert_int_equal(result.resumed_at, sizes[i]);
        assert_int_equal(result.cksum, put_server_sum(bytes, sizes[i]));
        assert_int_equal(fixture->server.piece_bytes, 0);
        assert_true(fixture->server.ends >= 1); /* it is made sure that it is durable */
        free(bytes);
    }
}

static void other_content_of_the_same_size_is_replaced(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    uint8_t *other = put_content(LARGE, 2);
    put_server_add(&fixture->server, "file", other, LARGE);
    assert_int_equal(put(fixture, "file", true, bytes, LARGE, &result, NULL), KESHER_OK);
    assert_true(result.replaced);
    assert_false(result.unchanged);
    assert_int_equal(result.resumed_at, 0);
    assert_kept(fixture, "file", bytes, LARGE);
    free(bytes);
    free(other);
}

/* Puts, and breaks off behind so many bytes for good: the next call finds them at the server. */
static void break_off(struct put_fixture *fixture, struct kesher_put *one, size_t behind)
{
    struct kesher_put_result result;
    const uint32_t reconnects = fixture->account->options.reconnects;
    fixture->account->options.retry_ms = 1; /* less than a pause: nothing is made again */
    fixture->account->options.backoff_ms = 2;
    put_fixture_reopen(fixture);
    fixture->server.cuts_always = true;
    fixture->server.cut_behind = behind;
    assert_int_equal(put_bytes(fixture, one, NULL, 0, &result, NULL), KESHER_CONNECTION);
    fixture->server.cuts_always = false;
    fixture->account->options.retry_ms = 0;
    fixture->account->options.backoff_ms = 1;
    fixture->account->options.reconnects = reconnects;
    put_fixture_reopen(fixture);
}

static void put_that_broke_off_goes_on_there(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t behind[] = {1, KS_REQUEST_HEADER_SIZE, 300000,
                                    KS_FILE_PIECE_LIMIT + 2 * KS_REQUEST_HEADER_SIZE,
                                    LARGE + 3 * KS_REQUEST_HEADER_SIZE};
    for (size_t i = 0; i < KS_COUNT_OF(behind); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(LARGE, 1);
        struct kesher_put one = {.fd = put_file_of(bytes, LARGE), .name = "file"};
        put_server_clear(&fixture->server);
        break_off(fixture, &one, behind[i]);
        uint64_t there = fixture->server.piece_bytes;
        assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, NULL), KESHER_OK);
        assert_int_equal(result.resumed_at, there);
        assert_int_equal(fixture->server.piece_bytes, LARGE);
        assert_false(result.unchanged);
        assert_kept(fixture, "file", bytes, LARGE);
        close(one.fd);
        free(bytes);
    }
}

/* The same time and size, so the same put id: only the cksum tells. */
static void put_that_goes_on_with_other_bytes_begins_anew(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    uint8_t *other = put_content(LARGE, 2);
    struct kesher_put one = {.fd = put_file_of(bytes, LARGE), .name = "file"};
    struct stat before;
    assert_int_equal(fstat(one.fd, &before), 0);
    break_off(fixture, &one, 300000);
    assert_int_equal(pwrite(one.fd, other, LARGE, 0), LARGE);
    assert_int_equal(futimens(one.fd, (const struct timespec[]){before.st_atim, before.st_mtim}), 0);
    assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, NULL), KESHER_OK);
    assert_int_equal(result.resumed_at, 0);
    assert_int_equal(fixture->server.anews, 1);
    assert_kept(fixture, "file", other, LARGE);
    close(one.fd);
    free(bytes);
    free(other);
}

static void file_that_was_written_to_since_is_another_put(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    struct kesher_put one = {.fd = put_file_of(bytes, LARGE), .name = "file"};
    break_off(fixture, &one, 300000);
    const struct timespec long_ago = {.tv_sec = 1000};
    assert_int_equal(futimens(one.fd, (const struct timespec[]){long_ago, long_ago}), 0);
    assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, NULL), KESHER_OK);
    assert_int_equal(result.resumed_at, 0);
    assert_int_equal(fixture->server.anews, 0);
    assert_kept(fixture, "file", bytes, LARGE);
    close(one.fd);
    free(bytes);
}

/* Bytes of SHA-256("kesher put 1\0", device, inode, size, time, name), made here once more. */
static void put_id_is_what_the_protocol_says(void **state)
{
    struct put_fixture *fixture = *state;
    uint8_t *bytes = put_content(LARGE, 1);
    struct kesher_put one = {.fd = put_file_of(bytes, LARGE), .name = "file"};
    struct stat found;
    uint8_t hashed[13 + 32 + 4];
    uint8_t digest[KS_SHA256_SIZE];
    break_off(fixture, &one, 300000);
    assert_int_equal(fstat(one.fd, &found), 0);
    memcpy(hashed, "kesher put 1", 13);
    ks_store_u64(hashed + 13, found.st_dev);
    ks_store_u64(hashed + 21, found.st_ino);
    ks_store_u64(hashed + 29, LARGE);
    ks_store_u64(hashed + 37, (uint64_t)found.st_mtim.tv_sec * 1000000000U + (uint64_t)found.st_mtim.tv_nsec);
    memcpy(hashed + 45, "file", 4);
    assert_int_equal(ks_sha256(hashed, sizeof hashed, digest), KS_OK);
    assert_int_equal(fixture->server.put_count, 1);
    assert_memory_equal(fixture->server.puts[0].put_id, digest, KS_PUT_ID_SIZE);
    close(one.fd);
    free(bytes);
}

static void digest_is_waited_for(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {0, SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(sizes[i], 1);
        uint8_t digest[KS_SHA256_SIZE];
        struct kesher_put one = {.fd = -1, .name = "file", .digest = true, .replace = true};
        assert_int_equal(put_bytes(fixture, &one, bytes, sizes[i], &result, NULL), KESHER_OK);
        assert_int_equal(ks_sha256(bytes, sizes[i], digest), KS_OK);
        assert_memory_equal(result.sha256, digest, sizeof digest);
        free(bytes);
    }
}

/* ---- files that are none, and that change ---- */

static void what_cannot_be_put_is_told_before_anything_is_sent(void **state)
{
    struct put_fixture *fixture = *state;
    static const char *const names[] = {"", ".", "a/../b", "a//b", "/a", "a\\b", "a\nb"};
    struct kesher_put_result result;
    struct kesher_error error;
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        assert_int_equal(put(fixture, names[i], false, NULL, 0, &result, &error), KESHER_INVALID);
        assert_int_equal(kesher_file_name_check(names[i], NULL), KESHER_INVALID);
    }
    char name[KESHER_FILE_NAME_SIZE + 1];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(put(fixture, name, false, NULL, 0, &result, &error), KESHER_INVALID);
    assert_non_null(strstr(error.sentence, "255 bytes"));
    name[sizeof name - 2] = '\0';
    assert_int_equal(kesher_file_name_check(name, NULL), KESHER_OK);
    struct kesher_put one = {.fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .name = "file"};
    assert_true(one.fd >= 0);
    assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, &error), KESHER_FILE);
    close(one.fd);
    one.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, &error), KESHER_FILE);
    close(one.fd);
    assert_int_equal(fixture->server.opens, 0);
}

static void file_that_cannot_be_read_is_told(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    static const size_t sizes[] = {SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        char path[64];
        int fd = put_file_of(bytes, sizes[i]);
        assert_true(snprintf(path, sizeof path, "/proc/self/fd/%d", fd) > 0);
        struct kesher_put one = {.fd = open(path, O_WRONLY | O_CLOEXEC), .name = "file"};
        assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, NULL), KESHER_FILE);
        close(one.fd);
        close(fd);
    }
    put_fixture_close(fixture);
    assert_int_equal(fixture->server.ends, 0);
    free(bytes);
}

static void shrink(struct put_fixture *fixture, uint64_t sent, uint64_t size)
{
    (void)size;
    if (sent > 0)
        assert_int_equal(ftruncate(fixture->fd, (off_t)sent + 5), 0);
}

static void grow(struct put_fixture *fixture, uint64_t sent, uint64_t size)
{
    if (sent > 0)
        assert_int_equal(ftruncate(fixture->fd, (off_t)size + 5), 0);
}

static void change(struct put_fixture *fixture, uint64_t sent, uint64_t size)
{
    const struct timespec times[] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    (void)size;
    if (sent > 0)
        assert_int_equal(futimens(fixture->fd, times), 0);
}

/* So late that only the look behind the last byte can find it. */
static void change_at_the_end(struct put_fixture *fixture, uint64_t sent, uint64_t size)
{
    if (sent == size)
        change(fixture, sent, size);
}

static void file_that_changes_while_it_is_sent_is_never_ended(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct {
        void (*spoil)(struct put_fixture *fixture, uint64_t sent, uint64_t size);
        const char *said;
    } rows[] = {{shrink, "became shorter"},
                {grow, "became longer"},
                {change, "changed"},
                {change_at_the_end, "changed"}};
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct kesher_put_result result;
        struct kesher_error error;
        uint8_t *bytes = put_content(LARGE, 1);
        struct kesher_put one = {.fd = put_file_of(bytes, LARGE), .name = "file"};
        fixture->fd = one.fd;
        fixture->on_progress = rows[i].spoil;
        assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, &error), KESHER_FILE);
        assert_non_null(strstr(error.sentence, rows[i].said));
        put_fixture_close(fixture);
        assert_int_equal(fixture->server.ends, 0);
        assert_int_equal(fixture->server.file_count, 0);
        fixture->on_progress = NULL;
        close(one.fd);
        put_fixture_clear(fixture);
        free(bytes);
    }
}

static void session_goes_on_behind_a_file_that_has_changed(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    struct kesher_put one = {.fd = put_file_of(bytes, LARGE), .name = "file"};
    fixture->fd = one.fd;
    fixture->on_progress = shrink;
    assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, NULL), KESHER_FILE);
    fixture->on_progress = NULL;
    assert_int_equal(put(fixture, "other", true, bytes, SMALL, &result, NULL), KESHER_OK);
    assert_kept(fixture, "other", bytes, SMALL);
    close(one.fd);
    free(bytes);
}

/* ---- refusals ---- */

static void refusals_say_what_to_do(void **state)
{
    struct put_fixture *fixture = *state;
    static const struct {
        uint16_t reason;
        enum kesher_status status;
        const char *advice;
    } rows[] = {
        {KS_REFUSAL_MALFORMED, KESHER_REFUSED, "too old"},
        {KS_REFUSAL_TROUBLE, KESHER_REFUSED, "later"},
        {KS_REFUSAL_NO_SPACE, KESHER_REFUSED, "later"},
        {KS_REFUSAL_FILE_NAME, KESHER_INVALID, "choose another"},
        {KS_REFUSAL_QUOTA, KESHER_FULL, "kesher rm"},
        {4711, KESHER_REFUSED, "newer kesher"},
    };
    static const uint16_t requests[] = {KS_REQUEST_PUT_FILE, KS_REQUEST_PUT_PIECE, KS_REQUEST_PUT_END};
    for (size_t i = 0; i < KS_COUNT_OF(rows) * KS_COUNT_OF(requests); i++) {
        struct kesher_put_result result;
        struct kesher_error error;
        uint8_t *bytes = put_content(LARGE, 1);
        size_t row = i / KS_COUNT_OF(requests);
        put_server_clear(&fixture->server);
        put_server_refuse(&fixture->server, requests[i % KS_COUNT_OF(requests)], rows[row].reason);
        assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, &error), rows[row].status);
        assert_non_null(strstr(error.sentence, rows[row].advice));
        assert_non_null(strstr(error.sentence, "put 'file'"));
        assert_int_equal(fixture->server.file_count, 0);
        free(bytes);
    }
}

/* What was refused in the middle leaves a connection that still does. */
static void refusal_in_the_middle_leaves_the_connection_in_order(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(5 * LARGE, 1);
    put_server_refuse(&fixture->server, KS_REQUEST_PUT_PIECE, KS_REFUSAL_NO_SPACE);
    assert_int_equal(put(fixture, "file", false, bytes, 5 * LARGE, &result, NULL), KESHER_REFUSED);
    assert_int_equal(put(fixture, "other", false, bytes, LARGE, &result, NULL), KESHER_OK);
    assert_int_equal(fixture->account->server->connections, 2);
    free(bytes);
}

static void put_that_is_open_elsewhere_is_waited_for(void **state)
{
    struct put_fixture *fixture = *state;
    static const size_t sizes[] = {SMALL, LARGE};
    for (size_t i = 0; i < KS_COUNT_OF(sizes); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(sizes[i], 1);
        put_server_clear(&fixture->server);
        for (int times = 0; times < 3; times++)
            put_server_refuse(&fixture->server, KS_REQUEST_PUT_FILE, KS_REFUSAL_PUT_IN_USE);
        assert_int_equal(put(fixture, "file", false, bytes, sizes[i], &result, NULL), KESHER_OK);
        assert_kept(fixture, "file", bytes, sizes[i]);
        assert_int_equal(fixture->account->notices, i + 1); /* that it waits is said once */
        free(bytes);
    }
}

static void put_that_stays_open_elsewhere_is_refused(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    struct kesher_error error;
    uint8_t *bytes = put_content(LARGE, 1);
    fixture->account->options.retry_ms = 3;
    put_fixture_reopen(fixture);
    for (int times = 0; times < PUT_SERVER_REFUSALS; times++)
        put_server_refuse(&fixture->server, KS_REQUEST_PUT_FILE, KS_REFUSAL_PUT_IN_USE);
    assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, &error), KESHER_REFUSED);
    assert_non_null(strstr(error.sentence, "another connection"));
    free(bytes);
}

static void put_that_the_server_has_dropped_is_begun_again(void **state)
{
    struct put_fixture *fixture = *state;
    static const uint16_t requests[] = {KS_REQUEST_PUT_PIECE, KS_REQUEST_PUT_END};
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        struct kesher_put_result result;
        uint8_t *bytes = put_content(LARGE, 1);
        put_server_clear(&fixture->server);
        put_server_refuse(&fixture->server, requests[i], KS_REFUSAL_NO_PUT);
        assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, NULL), KESHER_OK);
        assert_kept(fixture, "file", bytes, LARGE);
        free(bytes);
    }
}

static void what_arrived_changed_is_sent_anew(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    struct kesher_error error;
    uint8_t *bytes = put_content(LARGE, 1);
    for (int times = 0; times < 3; times++)
        put_server_refuse(&fixture->server, KS_REQUEST_PUT_END, KS_REFUSAL_CKSUM);
    assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, NULL), KESHER_OK);
    assert_int_equal(fixture->server.anews, 3);
    assert_kept(fixture, "file", bytes, LARGE);
    put_server_clear(&fixture->server);
    for (int times = 0; times < 4; times++)
        put_server_refuse(&fixture->server, KS_REQUEST_PUT_END, KS_REFUSAL_CKSUM);
    assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, &error), KESHER_MISMATCH);
    assert_int_equal(fixture->server.file_count, 0);
    free(bytes);
}

/* Somebody removes what was kept between the two requests: it is sent. */
static void kept_file_that_goes_meanwhile_is_sent(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    uint8_t open[KS_PUT_OPEN_SIZE];
    const struct ks_put_open kept = {
        .flags = KS_PUT_IS_KEPT, .offset = LARGE, .cksum = put_server_sum(bytes, LARGE)};
    ks_put_open_encode(&kept, open);
    put_server_answer(&fixture->server, KS_REQUEST_PUT_FILE, KS_RESPONSE_PUT_OPEN, open, sizeof open);
    put_server_refuse(&fixture->server, KS_REQUEST_PUT_END, KS_REFUSAL_FILE_EXISTS);
    assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, NULL), KESHER_OK);
    assert_false(result.unchanged);
    assert_int_equal(result.resumed_at, 0);
    assert_kept(fixture, "file", bytes, LARGE);
    free(bytes);
}

static void name_that_is_taken_at_the_end_is_told(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    uint8_t *bytes = put_content(LARGE, 1);
    put_server_refuse(&fixture->server, KS_REQUEST_PUT_END, KS_REFUSAL_FILE_EXISTS);
    assert_int_equal(put(fixture, "file", false, bytes, LARGE, &result, NULL), KESHER_EXISTS);
    free(bytes);
}

static void digest_of_a_file_that_has_gone_is_told(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_put_result result;
    struct kesher_put one = {.fd = -1, .name = "file", .digest = true};
    put_server_refuse(&fixture->server, KS_REQUEST_FILE_DIGEST, KS_REFUSAL_NO_FILE);
    assert_int_equal(put_bytes(fixture, &one, NULL, 0, &result, NULL), KESHER_NOT_FOUND);
}

/* ---- opening ---- */

static void classic_address_has_no_own_files(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_files *files = NULL;
    struct kesher_error error;
    assert_int_equal(kesher_files_open(fixture->account->home, fixture->account->server->address,
                                       &fixture->account->options, &files, &error),
                     KESHER_INVALID);
    assert_non_null(strstr(error.sentence, "kesher://"));
    assert_null(files);
}

static void account_that_the_server_does_not_know_opens_nothing(void **state)
{
    struct put_fixture *fixture = *state;
    struct kesher_files *files = NULL;
    kesher_files_close(fixture->files);
    fixture->files = NULL;
    fixture->account->server->has_account = false;
    assert_int_equal(kesher_files_open(fixture->account->home, fixture->account->server->link,
                                       &fixture->account->options, &files, NULL),
                     KESHER_UNKNOWN);
    assert_null(files);
    kesher_files_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PUT_TEST(file_of_any_size_arrives_whole),
        PUT_TEST(file_that_is_replaced_is_told),
        PUT_TEST(other_file_of_that_name_is_left_alone),
        PUT_TEST(what_is_kept_already_is_not_sent),
        PUT_TEST(other_content_of_the_same_size_is_replaced),
        PUT_TEST(put_that_broke_off_goes_on_there),
        PUT_TEST(put_that_goes_on_with_other_bytes_begins_anew),
        PUT_TEST(file_that_was_written_to_since_is_another_put),
        PUT_TEST(put_id_is_what_the_protocol_says),
        PUT_TEST(digest_is_waited_for),
        PUT_TEST(what_cannot_be_put_is_told_before_anything_is_sent),
        PUT_TEST(file_that_cannot_be_read_is_told),
        PUT_TEST(file_that_changes_while_it_is_sent_is_never_ended),
        PUT_TEST(session_goes_on_behind_a_file_that_has_changed),
        PUT_TEST(refusals_say_what_to_do),
        PUT_TEST(refusal_in_the_middle_leaves_the_connection_in_order),
        PUT_TEST(put_that_is_open_elsewhere_is_waited_for),
        PUT_TEST(put_that_stays_open_elsewhere_is_refused),
        PUT_TEST(put_that_the_server_has_dropped_is_begun_again),
        PUT_TEST(what_arrived_changed_is_sent_anew),
        PUT_TEST(kept_file_that_goes_meanwhile_is_sent),
        PUT_TEST(name_that_is_taken_at_the_end_is_told),
        PUT_TEST(digest_of_a_file_that_has_gone_is_told),
        PUT_TEST(classic_address_has_no_own_files),
        PUT_TEST(account_that_the_server_does_not_know_opens_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
