/* Unit tests of wire/json.h and wire/control_codec.h: requests of operators and the lines of their answers.
 */
#include "unit/unit.h"

#include "wire/control_codec.h"
#include "wire/json.h"

#include <stdio.h>

/* ---- JSON ---- */

static void an_object_is_written_with_its_escapes(void **state)
{
    char line[256];
    (void)state;
    struct ks_json_writer writer = ks_json_begin(line, sizeof line);
    ks_json_text(&writer, "text", "a\"b\\c\n\x7f", 7);
    ks_json_number(&writer, "number", UINT64_MAX);
    ks_json_flag(&writer, "yes", true);
    ks_json_flag(&writer, "no", false);
    ks_json_null(&writer, "nothing");
    size_t size = ks_json_end(&writer);
    const char *expected =
        "{\"text\":\"a\\\"b\\\\c\\u000a\\u007f\",\"number\":18446744073709551615,\"yes\":true,"
        "\"no\":false,\"nothing\":null}\n";
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(line, expected, size);
    for (size_t room = 0; room < size; room++) {
        writer = ks_json_begin(line, room);
        ks_json_text(&writer, "text", "a\"b\\c\n\x7f", 7);
        ks_json_number(&writer, "number", UINT64_MAX);
        ks_json_flag(&writer, "yes", true);
        ks_json_flag(&writer, "no", false);
        ks_json_null(&writer, "nothing");
        assert_int_equal(ks_json_end(&writer), 0);
    }
}

/* The result of the last ks_json_next; *count members were sound before. */
static enum ks_result read_all(const char *text, size_t size, unsigned *count, struct ks_json_member *last)
{
    char *copy = (char *)unit_exact_copy(text, size);
    struct ks_json_reader reader = ks_json_read(copy, size);
    struct ks_json_member member;
    enum ks_result result = KS_OK;
    *count = 0;
    while ((result = ks_json_next(&reader, &member)) == KS_OK) {
        *last = member;
        ++*count;
    }
    free(copy);
    return result;
}

static void sound_objects_are_read(void **state)
{
    struct ks_json_member last;
    unsigned count = 0;
    (void)state;
    assert_int_equal(read_all("{}", 2, &count, &last), KS_NOT_FOUND);
    assert_int_equal(count, 0);
    const char *text = " { \"a\" : 0 , \"b\":\"\\u0041\\n\\/\\\"\",\"c\":null}\r\n";
    assert_int_equal(read_all(text, strlen(text), &count, &last), KS_NOT_FOUND);
    assert_int_equal(count, 3);
    assert_string_equal(last.name, "c");
    assert_int_equal(last.kind, KS_JSON_NULL);
    text = "{\"b\":\"\\u0041\\n\\/\\\"\"}";
    assert_int_equal(read_all(text, strlen(text), &count, &last), KS_NOT_FOUND);
    assert_string_equal(last.text, "A\n/\"");
    text = "{\"n\":18446744073709551615}";
    assert_int_equal(read_all(text, strlen(text), &count, &last), KS_NOT_FOUND);
    assert_true(last.number == UINT64_MAX);
}

static void an_object_that_is_cut_short_is_never_whole(void **state)
{
    const char *text = "{\"name\":\"a\\u0041\\\"\",\"files\":120,\"has\":true,\"none\":null}";
    struct ks_json_member last;
    unsigned count = 0;
    (void)state;
    for (size_t size = 0; size < strlen(text); size++)
        assert_int_equal(read_all(text, size, &count, &last), KS_INVALID);
    assert_int_equal(read_all(text, strlen(text), &count, &last), KS_NOT_FOUND);
}

static void what_is_no_flat_object_is_refused(void **state)
{
    static const char *const texts[] = {
        "[]",
        "1",
        "{\"a\":[]}",
        "{\"a\":{}}",
        "{\"a\":-1}",
        "{\"a\":1.5}",
        "{\"a\":01}",
        "{\"a\":1}x",
        "{\"a\":1}{",
        "{\"a\":18446744073709551616}",
        "{\"a\":\"\\u0080\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":tru}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":\"\n\"}",
    };
    struct ks_json_member last;
    unsigned count = 0;
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(texts); i++)
        assert_int_equal(read_all(texts[i], strlen(texts[i]), &count, &last), KS_INVALID);
    char text[KS_JSON_TEXT_LIMIT + 64];
    int size = snprintf(text, sizeof text, "{\"a\":\"%0*d\"}", KS_JSON_TEXT_LIMIT, 7);
    assert_int_equal(read_all(text, (size_t)size, &count, &last), KS_NOT_FOUND);
    size = snprintf(text, sizeof text, "{\"a\":\"%0*d\"}", KS_JSON_TEXT_LIMIT + 1, 7);
    assert_int_equal(read_all(text, (size_t)size, &count, &last), KS_TOO_LARGE);
}

/* ---- requests ---- */

static enum ks_result parse_request(const char *line, struct ks_control_request *request)
{
    char *copy = (char *)unit_exact_copy(line, strlen(line));
    enum ks_result result = ks_control_request_parse(copy, strlen(line), request);
    free(copy);
    return result;
}

static void requests_come_back_as_they_were_written(void **state)
{
    static const struct ks_control_request requests[] = {
        {.verb = KS_CONTROL_USERS},
        {.verb = KS_CONTROL_USER, .name = "Alice in \"Wonderland\""},
        {.verb = KS_CONTROL_RESET_KEY, .name = " a"},
        {.verb = KS_CONTROL_REMOVE, .name = "b "},
        {.verb = KS_CONTROL_GROUPS},
        {.verb = KS_CONTROL_USER, .name = "\xd7\x93\xd7\xa0\xd7\x94"},
        {.verb = KS_CONTROL_INVITE, .invite = {.uses = 1}},
        {.verb = KS_CONTROL_INVITE, .invite = {.uses = UINT32_MAX, .until = INT64_MAX}},
        {.verb = KS_CONTROL_INVITE, .invite = {.uses = 3, .until = 7}, .name = "4 \xd7\x93\xd7\xa0\xd7\x94"},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(requests); i++) {
        char line[KS_CONTROL_REQUEST_LIMIT];
        struct ks_control_request request;
        size_t size = ks_control_request_encode(&requests[i], line);
        assert_int_equal(line[size - 1], '\n');
        line[size - 1] = '\0';
        assert_int_equal(parse_request(line, &request), KS_OK);
        assert_int_equal(request.verb, requests[i].verb);
        assert_string_equal(request.name, requests[i].name);
        assert_int_equal(request.invite.uses, requests[i].invite.uses);
        assert_true(request.invite.until == requests[i].invite.until);
    }
}

static void other_requests_are_refused(void **state)
{
    static const char *const lines[] = {"1",
                                        "1 ",
                                        "1 user",
                                        "1 user ",
                                        "1 users x",
                                        "1 Users",
                                        "1 user\t",
                                        "1 remove",
                                        "1 groups ",
                                        "1 user \x01",
                                        "1 drop x",
                                        "1 user   ",
                                        "1 user \xff",
                                        "1 user \xe2\x80\xae",
                                        "1 invite",
                                        "1 invite ",
                                        "1 invite 1",
                                        "1 invite 1 ",
                                        "1 invite 0 0",
                                        "1 invite x 0",
                                        "1 invite 1 x",
                                        "1 invite -1 0",
                                        "1 invite 1  0",
                                        "1 invite 1 0 ",
                                        "1 invite 1 0  ",
                                        "1 invite 4294967296 0",
                                        "1 invite 1 9223372036854775808",
                                        "1 invite 1 0 \xff"};
    struct ks_control_request request;
    char line[512];
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(lines); i++)
        assert_int_equal(parse_request(lines[i], &request), KS_INVALID);
    assert_int_equal(parse_request("", &request), KS_REFUSED);
    assert_int_equal(parse_request("2 users", &request), KS_REFUSED);
    assert_int_equal(parse_request("11 users", &request), KS_REFUSED);
    snprintf(line, sizeof line, "1 user %0254d", 7);
    assert_int_equal(parse_request(line, &request), KS_OK);
    snprintf(line, sizeof line, "1 user %0255d", 7);
    assert_int_equal(parse_request(line, &request), KS_INVALID);
}

/* ---- answers ---- */

static void users_come_back_as_they_were_written(void **state)
{
    struct ks_control_user user = {.registered = 1767225600,
                                   .last_seen = 1767225661,
                                   .has_key = true,
                                   .files = 1,
                                   .file_bytes = UINT64_MAX,
                                   .messages = 3,
                                   .message_bytes = 4};
    struct ks_control_user read;
    char line[KS_CONTROL_LINE_LIMIT];
    (void)state;
    memset(user.name, '"', sizeof user.name - 1);
    size_t size = ks_control_user_encode(&user, line);
    assert_true(size > 0);
    assert_int_equal(ks_control_user_parse(line, size, &read), KS_OK);
    assert_memory_equal(&read, &user, sizeof user);
    user.is_detailed = true;
    strcpy(user.public_id, "00112233445566778899aabbccddeeff");
    assert_int_equal(ks_control_user_parse(line, ks_control_user_encode(&user, line), &read), KS_OK);
    assert_memory_equal(&read, &user, sizeof user);
    strcpy(user.key_fingerprint, "0123 4567");
    assert_int_equal(ks_control_user_parse(line, ks_control_user_encode(&user, line), &read), KS_OK);
    assert_memory_equal(&read, &user, sizeof user);
    user.puts = 5;
    user.put_bytes = UINT64_MAX - 1;
    assert_int_equal(ks_control_user_parse(line, ks_control_user_encode(&user, line), &read), KS_OK);
    assert_memory_equal(&read, &user, sizeof user);
    user.is_account = true;
    strcpy(user.short_fingerprint, "8k2d-0000-0000-0000-zzzz");
    assert_int_equal(ks_control_user_parse(line, ks_control_user_encode(&user, line), &read), KS_OK);
    assert_memory_equal(&read, &user, sizeof user);
    user.is_classic = true;
    assert_int_equal(ks_control_user_parse(line, ks_control_user_encode(&user, line), &read), KS_OK);
    assert_memory_equal(&read, &user, sizeof user);
}

static void times_are_written_for_people_and_machines(void **state)
{
    struct ks_control_user user = {.name = "alice", .registered = 1767225600, .last_seen = 1767225661};
    char line[KS_CONTROL_LINE_LIMIT + 1];
    (void)state;
    line[ks_control_user_encode(&user, line)] = '\0';
    assert_string_equal(line, "{\"name\":\"alice\",\"registered\":\"2026-01-01T00:00:00Z\",\"last_seen\":"
                              "\"2026-01-01T00:01:01Z\",\"has_key\":false,\"files\":0,\"file_bytes\":0,"
                              "\"messages\":0,\"message_bytes\":0}\n");
}

static void groups_and_ends_come_back_as_they_were_written(void **state)
{
    const struct ks_control_group group = {.number = 7, .members = 2, .since = 1767225600, .messages = 9};
    struct ks_control_group read;
    struct ks_control_end end = {.result = KS_NOT_FOUND, .message = "there is no user \"x\""};
    struct ks_control_end read_end;
    char line[KS_CONTROL_LINE_LIMIT];
    (void)state;
    size_t size = ks_control_group_encode(&group, line);
    assert_int_equal(ks_control_group_parse(line, size, &read), KS_OK);
    assert_memory_equal(&read, &group, sizeof group);
    assert_int_equal(ks_control_end_parse(line, size, &read_end), KS_NOT_FOUND);
    const struct ks_control_group secure = {.number = 7, .is_secure = true};
    assert_int_equal(ks_control_group_parse(line, ks_control_group_encode(&secure, line), &read), KS_OK);
    assert_memory_equal(&read, &secure, sizeof secure);
    size = ks_control_end_encode(&end, line);
    assert_int_equal(ks_control_end_parse(line, size, &read_end), KS_OK);
    assert_memory_equal(&read_end, &end, sizeof end);
    assert_int_equal(ks_control_user_parse(line, size, &(struct ks_control_user){.files = 0}), KS_INVALID);
    end = (struct ks_control_end){.result = KS_NO_SPACE};
    size = ks_control_end_encode(&end, line);
    assert_int_equal(ks_control_end_parse(line, size, &read_end), KS_OK);
    assert_int_equal(read_end.result, KS_IO); /* all failures are one */
}

static void an_invitation_comes_back_as_it_was_written(void **state)
{
    static const char *const wrong[] = {"{}", "{\"invitation\":7}",
                                        "{\"invitation\":\"AAAAAAAAAAAAAAAAAAAAA\"}",
                                        "{\"invitation\":\"AAAAAAAAAAAAAAAAAAAAAB\"}", "{\"result\":\"ok\"}"};
    struct ks_control_invitation invitation;
    struct ks_control_invitation read;
    char line[KS_CONTROL_LINE_LIMIT];
    (void)state;
    for (size_t i = 0; i < sizeof invitation.code; i++)
        invitation.code[i] = (uint8_t)(0xf0 + i);
    size_t size = ks_control_invitation_encode(&invitation, line);
    assert_int_equal(ks_control_invitation_parse(line, size, &read), KS_OK);
    assert_memory_equal(&read, &invitation, sizeof invitation);
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++)
        assert_int_equal(ks_control_invitation_parse(wrong[i], strlen(wrong[i]), &read), KS_INVALID);
}

static void members_of_newer_servers_are_passed_over_and_wrong_ones_refused(void **state)
{
    static const char *const wrong[] = {
        "{\"name\":\"\"}",
        "{\"name\":7}",
        "{}",
        "{\"name\":\"a\",\"files\":\"1\"}",
        "{\"name\":\"a\",\"has_key\":1}",
        "{\"name\":\"a\",\"registered\":\"2026-01-01\"}",
        "{\"name\":\"a\",\"public_id\":\"00112233445566778899aabbccddeeff0\"}",
    };
    struct ks_control_user user;
    struct ks_control_end end;
    const char *newer = "{\"name\":\"a\",\"shoe_size\":43,\"files\":2}";
    (void)state;
    assert_int_equal(ks_control_user_parse(newer, strlen(newer), &user), KS_OK);
    assert_int_equal(user.files, 2);
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++)
        assert_int_equal(ks_control_user_parse(wrong[i], strlen(wrong[i]), &user), KS_INVALID);
    assert_int_equal(ks_control_end_parse("{\"result\":\"fine\"}", 17, &end), KS_INVALID);
    assert_int_equal(ks_control_end_parse("{\"result\":7}", 12, &end), KS_INVALID);
}

static void findings_and_sums_come_back_as_they_were(void **state)
{
    (void)state;
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_finding finding = {
        .is_wrong = true, .what = "a \\x00 file", .meaning = "it is \"lost\""};
    struct ks_control_finding found;
    struct ks_control_sums sums = {.files = 12, .messages = 0, .wrong = 3};
    struct ks_control_sums read;
    size_t size = ks_control_finding_encode(&finding, line);
    assert_int_equal(ks_control_finding_parse(line, size, &found), KS_OK);
    assert_true(found.is_wrong);
    assert_string_equal(found.what, finding.what);
    assert_string_equal(found.meaning, finding.meaning);
    assert_string_equal(found.done, "");
    assert_int_equal(ks_control_sums_parse(line, size, &read), KS_INVALID);
    size = ks_control_sums_encode(&sums, line);
    assert_int_equal(ks_control_sums_parse(line, size, &read), KS_OK);
    assert_memory_equal(&read, &sums, sizeof sums);
    assert_int_equal(ks_control_finding_parse(line, size, &found), KS_INVALID);
}

/* Whatever stands in them. */
static void the_longest_finding_is_a_whole_line(void **state)
{
    (void)state;
    char line[KS_CONTROL_LINE_LIMIT];
    struct ks_control_finding finding = {.is_wrong = true};
    struct ks_control_finding found;
    memset(finding.what, '\\', sizeof finding.what - 1);
    memset(finding.meaning, '\\', sizeof finding.meaning - 1);
    memset(finding.done, '\\', sizeof finding.done - 1);
    size_t size = ks_control_finding_encode(&finding, line);
    assert_true(size < KS_CONTROL_LINE_LIMIT && line[size - 1] == '\n');
    assert_int_equal(ks_control_finding_parse(line, size, &found), KS_OK);
    assert_true(strlen(found.what) > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object_is_written_with_its_escapes),
        cmocka_unit_test(sound_objects_are_read),
        cmocka_unit_test(an_object_that_is_cut_short_is_never_whole),
        cmocka_unit_test(what_is_no_flat_object_is_refused),
        cmocka_unit_test(requests_come_back_as_they_were_written),
        cmocka_unit_test(other_requests_are_refused),
        cmocka_unit_test(users_come_back_as_they_were_written),
        cmocka_unit_test(times_are_written_for_people_and_machines),
        cmocka_unit_test(groups_and_ends_come_back_as_they_were_written),
        cmocka_unit_test(an_invitation_comes_back_as_it_was_written),
        cmocka_unit_test(members_of_newer_servers_are_passed_over_and_wrong_ones_refused),
        cmocka_unit_test(findings_and_sums_come_back_as_they_were),
        cmocka_unit_test(the_longest_finding_is_a_whole_line),
    };
    return cmocka_run_group_tests_name("control_codec", tests, NULL, NULL);
}
