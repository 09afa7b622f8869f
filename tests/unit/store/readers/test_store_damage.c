/* Unit tests of src/store/embedded/readers/damage.c, src/store/embedded/vault/contents.c and
 * src/store/embedded/disk/damaged.c: a message that is damaged is put aside, and its receiver gets what
 * follows. */
#include "unit/store/messages_fixture.h"

#include "store/embedded/disk/sums.h"

enum { LARGE = 3 * KS_SUMS_PIECE + 100 };

/* ---- tools ---- */

static void damaged_path(const struct house *house, const char *name, char path[static 512])
{
    snprintf(path, 512, "%s/damaged/%s", house->directory, name);
}

/* Whether the note of that name has this text. */
static bool note_says(const struct house *house, const char *name, const char *text)
{
    char path[512];
    char note[4096] = "";
    damaged_path(house, name, path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t size = fread(note, 1, sizeof note - 1, file);
    fclose(file);
    note[size] = '\0';
    return strstr(note, text) != NULL;
}

static int count_damaged(const struct house *house)
{
    return fixture_count_entries(house->directory, "damaged");
}

static const char *place_of(const struct house *house, uint64_t id, char path[static 512])
{
    char place[256];
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT Place FROM messages WHERE ID=%d", (int)id);
    ask_database(house, sql, place);
    snprintf(path, 512, "%s/%s", house->directory, place);
    return path;
}

static void flip(const char *path, long offset)
{
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    int byte = fgetc(file);
    assert_int_not_equal(byte, EOF);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 0x10, file), byte ^ 0x10);
    assert_int_equal(fclose(file), 0);
}

/* A content of LARGE bytes in a file, written in chunks that fit no piece. */
static uint64_t append_large(struct house *house, const struct pair *users)
{
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = users->alice, .purpose = KS_STAGE_MESSAGE};
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    uint8_t *bytes = malloc(LARGE);
    assert_non_null(bytes);
    for (size_t done = 0, size = 0; done < LARGE; done += size) {
        size = LARGE - done < 50 * 1000 ? LARGE - done : 50 * 1000;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)((done + i) * 7 / 3);
        struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                               .stage = opening.stage,
                                               .bytes = bytes,
                                               .size = size,
                                               .last = done + size == LARGE};
        ks_store_stage_write(house->store, &writing);
        assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    }
    free(bytes);
    uint64_t id = 0;
    assert_int_equal(append_stage(house, &users->bob, &users->alice, opening.stage, LARGE, &id), KS_OK);
    return id;
}

/* Reads a part with pages of that size up to the first error; how many bytes came before it. */
static enum ks_result read_part(struct house *house, const struct pair *users,
                                const struct ks_store_lease_waiting *part, size_t capacity, size_t *size)
{
    unsigned calls = 0;
    uint8_t *bytes = malloc(part->size + 1);
    assert_non_null(bytes);
    enum ks_result result = read_bytes(house, &users->bob, part, capacity, bytes, size, &calls);
    free(bytes);
    return result;
}

/* What is damaged is the second of three messages: bob's next parts have the others, over restarts, too. */
static void assert_the_others_come(struct house *house, const struct pair *users)
{
    struct ks_store_lease_waiting part = lease(house, &users->bob, 7);
    assert_int_equal(try_to_read(house, &users->bob, &part), KS_NOT_FOUND);
    assert_waiting(house, &users->bob, "one three");
    uint64_t count = 0;
    uint64_t bytes = 0;
    ks_inboxes_waiting(ks_engine_of(house->store)->inboxes, &users->bob, &count, &bytes);
    assert_int_equal(count, 2);
    assert_int_equal(bytes, 8);
    assert_database(house, "SELECT count(*) FROM waiting", "2");
    house_restart(house);
    assert_waiting(house, &users->bob, "one three");
    part = lease(house, &users->bob, 7);
    assert_int_equal(delivered(house, &users->bob, 7, part.last), KS_OK);
    assert_waiting(house, &users->bob, "");
    append(house, &users->bob, &users->alice, "four");
    assert_waiting(house, &users->bob, "four");
}

static struct pair three_messages(struct house *house)
{
    struct pair users = two_users(house);
    append(house, &users.bob, &users.alice, "one");
    append(house, &users.bob, &users.alice, "two");
    append(house, &users.bob, &users.alice, "three");
    assert_waiting(house, &users.bob, "one two three");
    return users;
}

/* ---- rows ---- */

static void a_changed_content_is_put_aside_and_the_rest_comes(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET Content=CAST('tvo' AS BLOB) WHERE ID=2");
    assert_the_others_come(house, &users);
    assert_int_equal(count_damaged(house), 2);
    assert_true(fixture_file_is(house->directory, "damaged/message-2", "tvo"));
    assert_true(note_says(house, "message-2.txt", "to    \"bob\" (public id "));
    assert_true(note_says(house, "message-2.txt", "from  \"alice\" (public id "));
    assert_true(note_says(house, "message-2.txt", "type  3\nsize  3 bytes"));
    assert_true(note_says(house, "message-2.txt", "it is not what was stored"));
}

static void a_changed_sender_is_damage(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET FromClient=ToClient WHERE ID=2");
    assert_the_others_come(house, &users);
}

static void a_changed_type_is_damage(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID=2");
    assert_the_others_come(house, &users);
}

static void a_changed_receiver_leads_no_message_astray(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET ToClient=FromClient WHERE ID=2");
    assert_waiting(house, &users.bob, "one two three");
    assert_waiting(house, &users.alice, "");
    assert_int_equal(count_damaged(house), 0);
}

static void a_message_that_is_listed_for_another_receiver_is_damage(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE waiting SET ToClient=(SELECT FromClient FROM messages) WHERE ID=2");
    house_restart(house);
    struct ks_store_lease_waiting part = lease(house, &users.alice, 7);
    assert_int_equal(part.count, 1);
    assert_int_equal(try_to_read(house, &users.alice, &part), KS_NOT_FOUND);
    assert_waiting(house, &users.alice, "");
    assert_waiting(house, &users.bob, "one three");
    assert_int_equal(count_damaged(house), 2);
}

static void a_size_that_disagrees_is_damage(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "PRAGMA ignore_check_constraints=ON;"
                           "UPDATE messages SET ContentSize=1000000 WHERE ID=2");
    assert_the_others_come(house, &users);
    assert_true(fixture_file_is(house->directory, "damaged/message-2", "two"));
}

static void a_missing_row_leaves_a_note(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "DELETE FROM messages WHERE ID=2");
    assert_the_others_come(house, &users);
    assert_int_equal(count_damaged(house), 1);
    assert_true(note_says(house, "message-2.txt", "missing from the database"));
}

static void rows_of_an_older_kesher_have_no_sum_and_are_delivered(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET Sum=NULL; UPDATE messages SET Type=4 WHERE ID=2");
    assert_waiting(house, &users.bob, "one two three");
}

static void several_damaged_messages_go_one_after_the_other(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID<3");
    for (int i = 0; i < 2; i++) {
        struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
        assert_int_equal(try_to_read(house, &users.bob, &part), KS_NOT_FOUND);
    }
    assert_waiting(house, &users.bob, "three");
    assert_int_equal(count_damaged(house), 4);
}

static void parts_before_the_damaged_one_stay_leased(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    struct ks_store_lease_waiting first = lease_within(house, &users.bob, 7, 1);
    struct ks_store_lease_waiting second = lease_within(house, &users.bob, 7, 1);
    struct ks_store_lease_waiting third = lease_within(house, &users.bob, 7, 1);
    assert_int_equal(third.count, 1);
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID=2");
    assert_int_equal(try_to_read(house, &users.bob, &second), KS_NOT_FOUND);
    assert_int_equal(try_to_read(house, &users.bob, &third), KS_NOT_FOUND);
    assert_int_equal(delivered(house, &users.bob, 7, first.last), KS_OK);
    assert_waiting(house, &users.bob, "three");
}

/* One page of SQLite is overwritten: all that it holds is put aside, what others hold is delivered. */
/* As the check does at a running server, and by what the damaged row says of its size. */
static void take_out(struct house *house, const struct ks_client_id *receiver, uint64_t id)
{
    const struct ks_damage_finding finding = {
        .row = {.message_id = id, .receiver = *receiver}, .counted_size = 1000, .why = "the test says so"};
    assert_int_equal(ks_damage_take_out(&ks_engine_of(house->store)->damage, &finding), KS_OK);
}

static void assert_sums(struct house *house, const struct ks_client_id *receiver, uint64_t count,
                        uint64_t bytes)
{
    uint64_t counted = 0;
    uint64_t size = 0;
    ks_inboxes_waiting(ks_engine_of(house->store)->inboxes, receiver, &counted, &size);
    assert_int_equal(counted, count);
    assert_int_equal(size, bytes);
}

static void what_two_have_found_is_taken_out_once(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    take_out(house, &users.bob, 2);
    take_out(house, &users.bob, 2);
    assert_sums(house, &users.bob, 2, 8);
    assert_waiting(house, &users.bob, "one three");
}

static void what_is_not_listed_for_a_receiver_was_not_counted_for_it(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    append(house, &users.alice, &users.bob, "hers");
    assert_waiting(house, &users.alice, "hers");
    take_out(house, &users.alice, 2);
    assert_sums(house, &users.alice, 1, 4);
    assert_waiting(house, &users.alice, "hers");
}

static void what_settles_comes_back_without_what_was_put_aside(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    take_out(house, &users.bob, 2);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_sums(house, &users.bob, 2, 8);
    assert_waiting(house, &users.bob, "one three");
    part = lease(house, &users.bob, 7);
    assert_int_equal(settle(house, &users.bob, 7, part.last), KS_OK);
    append(house, &users.bob, &users.alice, "four");
    take_out(house, &users.bob, 1);
    take_out(house, &users.bob, 3);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_waiting(house, &users.bob, "four");
}

static void a_page_that_is_corrupt_stops_nobody_else(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char text[TEXT_LIMIT];
    char page[256];
    char path[512];
    memset(text, 'x', sizeof text);
    text[100] = '\0';
    for (int i = 0; i < 60; i++)
        append(house, i % 2 == 0 ? &users.bob : &users.alice, &users.alice, text);
    assert_int_equal(lease(house, &users.bob, 7).count, 30);
    house_close(house);
    ask_database(house, "SELECT pageno FROM dbstat WHERE name='messages' AND pagetype='leaf' LIMIT 1", page);
    if (strcmp(page, "no row") == 0)
        skip();
    snprintf(path, sizeof path, "%s/kesher.db", house->directory);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, (atol(page) - 1) * 4096L, SEEK_SET), 0);
    for (int i = 0; i < 4096; i++)
        assert_int_equal(fputc(0xee, file), 0xee);
    assert_int_equal(fclose(file), 0);
    house_open(house);
    size_t seen = 0;
    unsigned rounds = 0;
    for (const struct ks_client_id *who = &users.bob; who != NULL;
         who = who == &users.bob ? &users.alice : NULL) {
        enum ks_result result = KS_NOT_FOUND;
        while (result == KS_NOT_FOUND) {
            struct ks_store_lease_waiting part = lease(house, who, 7);
            size_t size = 0;
            unsigned calls = 0;
            uint8_t bytes[64 * 1024];
            if (part.count == 0)
                break;
            result = read_bytes(house, who, &part, sizeof bytes, bytes, &size, &calls);
            assert_true(++rounds < 100);
            if (result == KS_OK)
                seen += part.count;
        }
        ks_store_lease_release(house->store, who, 7);
    }
    assert_true(seen > 0 && seen < 60);
    assert_int_equal(count_damaged(house), 60 - seen);
    append(house, &users.bob, &users.alice, "and on it goes");
}

/* ---- contents in files ---- */

static void large_contents_are_read_with_pages_of_any_size(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const size_t capacities[] = {1000, KS_SUMS_PIECE, KS_SUMS_PIECE + 1, 256 * 1024};
    append_large(house, &users);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    for (size_t i = 0; i < KS_COUNT_OF(capacities); i++) {
        unsigned calls = 0;
        size_t size = 0;
        uint8_t *bytes = malloc(part.size);
        assert_non_null(bytes);
        assert_int_equal(read_bytes(house, &users.bob, &part, capacities[i], bytes, &size, &calls), KS_OK);
        assert_int_equal(size, HEAD_SIZE + LARGE);
        for (size_t at = 0; at < LARGE; at++)
            assert_int_equal(bytes[HEAD_SIZE + at], (uint8_t)(at * 7 / 3));
        free(bytes);
    }
}

/* A byte in its middle: what came before is given, then the part breaks off, and the message is gone. */
static void damage_that_is_found_on_the_way_ends_the_part_and_not_the_inbox(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[512];
    size_t size = 0;
    uint64_t id = append_large(house, &users);
    append(house, &users.bob, &users.alice, "next");
    flip(place_of(house, id, path), 2 * KS_SUMS_PIECE + 17);
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(read_part(house, &users, &part, 1000, &size), KS_IO);
    assert_true(size > KS_SUMS_PIECE && size <= HEAD_SIZE + 2 * KS_SUMS_PIECE);
    assert_waiting(house, &users.bob, "next");
    assert_int_equal(count_damaged(house), 2);
    assert_true(note_says(house, "message-1.txt", "its content is not what was stored"));
    assert_spooled(house, 0);
    house_restart(house);
    assert_waiting(house, &users.bob, "next");
}

static void every_byte_of_a_large_content_counts(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const long offsets[] = {0,     KS_SUMS_PIECE - 1, KS_SUMS_PIECE, 3 * KS_SUMS_PIECE, LARGE - 1,
                                   LARGE, LARGE + 15};
    char path[512];
    size_t size = 0;
    for (size_t i = 0; i < KS_COUNT_OF(offsets); i++) {
        uint64_t id = append_large(house, &users);
        flip(place_of(house, id, path), offsets[i]);
        struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
        assert_int_not_equal(read_part(house, &users, &part, 256 * 1024, &size), KS_OK);
        assert_waiting(house, &users.bob, "");
    }
    assert_int_equal(count_damaged(house), 2 * KS_COUNT_OF(offsets));
}

static void a_file_that_is_missing_short_or_long_is_damage(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    static const char *const why[] = {"its file is missing", "its file is too short", "its file is too long"};
    for (size_t i = 0; i < KS_COUNT_OF(why); i++) {
        char path[512];
        char name[64];
        uint64_t id = append_spooled(house, &users.bob, &users.alice, "large");
        append(house, &users.bob, &users.alice, "next");
        struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
        place_of(house, id, path);
        assert_int_equal(i == 0 ? unlink(path) : truncate(path, i == 1 ? 4 : 100), 0);
        assert_int_equal(try_to_read(house, &users.bob, &part), KS_NOT_FOUND);
        snprintf(name, sizeof name, "message-%d.txt", (int)id);
        assert_true(note_says(house, name, why[i]));
        part = lease(house, &users.bob, 7);
        assert_int_equal(part.count, 1);
        assert_int_equal(delivered(house, &users.bob, 7, part.last), KS_OK);
    }
    assert_int_equal(count_damaged(house), 5);
}

static void contents_of_an_older_kesher_end_without_sums(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[512];
    uint64_t id = append_spooled(house, &users.bob, &users.alice, "large");
    run_on_database(house, "UPDATE messages SET Sum=NULL");
    assert_int_equal(truncate(place_of(house, id, path), 5), 0);
    assert_waiting(house, &users.bob, "large");
    house_restart(house);
    assert_waiting(house, &users.bob, "large");
}

/* ---- what goes wrong ---- */

/* What cannot be put aside stays, and is tried again. */
static void without_room_for_it_nothing_is_removed(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID=2");
    fixture_write_file(house->directory, "damaged", "not a directory");
    struct ks_store_lease_waiting part = lease(house, &users.bob, 7);
    assert_int_equal(try_to_read(house, &users.bob, &part), KS_IO);
    assert_database(house, "SELECT count(*) FROM waiting", "3");
    char path[512];
    snprintf(path, sizeof path, "%s/damaged", house->directory);
    assert_int_equal(unlink(path), 0);
    ks_store_lease_release(house->store, &users.bob, 7);
    assert_the_others_come(house, &users);
}

/* A database that was put back gives ids out again. */
static void two_damaged_messages_of_one_id_are_both_kept(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    char path[512];
    snprintf(path, sizeof path, "%s/damaged", house->directory);
    assert_int_equal(mkdir(path, 0700), 0);
    fixture_write_file(house->directory, "damaged/message-2", "an older one");
    fixture_write_file(house->directory, "damaged/message-2-2.txt", "a note alone");
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID=2");
    assert_the_others_come(house, &users);
    assert_true(fixture_file_is(house->directory, "damaged/message-2", "an older one"));
    assert_true(fixture_file_is(house->directory, "damaged/message-2-2.txt", "a note alone"));
    assert_true(fixture_file_is(house->directory, "damaged/message-2-3", "two"));
}

static void what_is_put_aside_is_for_the_owner_only(void **state)
{
    struct house *house = *state;
    struct pair users = three_messages(house);
    struct stat status;
    char path[512];
    mode_t before = umask(0);
    run_on_database(house, "UPDATE messages SET Type=4 WHERE ID=2");
    assert_the_others_come(house, &users);
    umask(before);
    snprintf(path, sizeof path, "%s/damaged", house->directory);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0700);
    damaged_path(house, "message-2", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
}

/* ---- cksums of files ---- */

static void keep(struct house *house, const struct ks_client_id *id, const char *text, uint32_t cksum)
{
    struct ks_store_stage_open opening = {
        .request = fixture_request(&house->waiter), .id = *id, .file_name = "letter"};
    char bytes[64];
    snprintf(bytes, sizeof bytes, "%s", text);
    ks_store_stage_open(house->store, &opening);
    assert_int_equal(fixture_wait(&house->waiter, &opening.request), KS_OK);
    struct ks_store_stage_write writing = {.request = fixture_request(&house->waiter),
                                           .stage = opening.stage,
                                           .bytes = (uint8_t *)bytes,
                                           .size = strlen(text),
                                           .last = true};
    ks_store_stage_write(house->store, &writing);
    assert_int_equal(fixture_wait(&house->waiter, &writing.request), KS_OK);
    struct ks_store_confirm confirm = {.request = fixture_request(&house->waiter),
                                       .stage = opening.stage,
                                       .has_cksum = true,
                                       .cksum = cksum};
    ks_store_confirm(house->store, &confirm);
    assert_int_equal(fixture_wait(&house->waiter, &confirm.request), KS_OK);
}

static void the_cksum_of_a_file_is_kept_until_the_file_is_another(void **state)
{
    struct house *house = *state;
    struct pair users = two_users(house);
    char path[256];
    keep(house, &users.alice, "hello", 3287646509U);
    assert_database(house, "SELECT Cksum FROM files", "3287646509");
    house_restart(house);
    assert_database(house, "SELECT Cksum FROM files", "3287646509");
    house_close(house);
    /* A later file, of which no row could be had. */
    fixture_write_file(house->directory, path_of(&users.alice, "letter", path), "other");
    house_open(house);
    assert_database(house, "SELECT Cksum FROM files", "NULL");
    assert_database(house, "SELECT Size FROM files", "5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_changed_content_is_put_aside_and_the_rest_comes),
        HOUSE_TEST(a_changed_sender_is_damage),
        HOUSE_TEST(a_changed_type_is_damage),
        HOUSE_TEST(a_changed_receiver_leads_no_message_astray),
        HOUSE_TEST(a_message_that_is_listed_for_another_receiver_is_damage),
        HOUSE_TEST(a_size_that_disagrees_is_damage),
        HOUSE_TEST(a_missing_row_leaves_a_note),
        HOUSE_TEST(rows_of_an_older_kesher_have_no_sum_and_are_delivered),
        HOUSE_TEST(several_damaged_messages_go_one_after_the_other),
        HOUSE_TEST(parts_before_the_damaged_one_stay_leased),
        HOUSE_TEST(what_two_have_found_is_taken_out_once),
        HOUSE_TEST(what_is_not_listed_for_a_receiver_was_not_counted_for_it),
        HOUSE_TEST(what_settles_comes_back_without_what_was_put_aside),
        HOUSE_TEST(a_page_that_is_corrupt_stops_nobody_else),
        HOUSE_TEST(large_contents_are_read_with_pages_of_any_size),
        HOUSE_TEST(damage_that_is_found_on_the_way_ends_the_part_and_not_the_inbox),
        HOUSE_TEST(every_byte_of_a_large_content_counts),
        HOUSE_TEST(a_file_that_is_missing_short_or_long_is_damage),
        HOUSE_TEST(contents_of_an_older_kesher_end_without_sums),
        HOUSE_TEST(without_room_for_it_nothing_is_removed),
        HOUSE_TEST(two_damaged_messages_of_one_id_are_both_kept),
        HOUSE_TEST(what_is_put_aside_is_for_the_owner_only),
        HOUSE_TEST(the_cksum_of_a_file_is_kept_until_the_file_is_another),
    };
    return cmocka_run_group_tests_name("store_damage", tests, NULL, NULL);
}
