/* Unit tests of wire/link.h: what is a link, what of it is wrong, and how one is written. */
#include "unit/unit.h"

#include "wire/link.h"

#include <stdio.h>

#define CODE        "AAECAwQFBgcICQoLDA0ODw"
#define FINGERPRINT "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"

/* Texts of 63 characters, and one of 61. */
#define LABEL_63 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-012345678"
#define LABEL_61 "abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-0123456"
#define NAME_253 LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_61

static enum ks_result parse(const char *text, struct ks_link *link, const char **why)
{
    size_t size = strlen(text);
    char *copy = (char *)unit_exact_copy(text, size);
    enum ks_result result = ks_link_parse(copy, size, link, why);
    free(copy);
    return result;
}

static struct ks_link parsed(const char *text)
{
    struct ks_link link;
    const char *why = NULL;
    enum ks_result result = parse(text, &link, &why);
    if (result != KS_OK)
        fail_msg("%s: %s", text, why);
    return link;
}

static void the_code_is_read(const struct ks_link *link)
{
    assert_true(link->has_code);
    for (unsigned i = 0; i < sizeof link->code; i++)
        assert_int_equal(link->code[i], i);
}

static void the_fingerprint_is_read(const struct ks_link *link)
{
    assert_true(link->has_fingerprint);
    for (unsigned i = 0; i < sizeof link->fingerprint; i++)
        assert_int_equal(link->fingerprint[i], 0x20 + i);
}

/* ---- the forms ---- */

static void a_server_has_the_port_of_its_scheme(void **state)
{
    struct ks_link link = parsed("kesher://example.org/");
    (void)state;
    assert_int_equal(link.scheme, KS_LINK_KESHER);
    assert_string_equal(link.host, "example.org");
    assert_int_equal(link.port, 1358);
    assert_false(link.has_code);
    assert_false(link.has_fingerprint);
    link = parsed("https://example.org/");
    assert_int_equal(link.scheme, KS_LINK_HTTPS);
    assert_int_equal(link.port, 443);
    assert_false(link.has_code);
    assert_false(link.has_fingerprint);
}

static void a_server_may_have_its_own_port_and_a_fingerprint(void **state)
{
    struct ks_link link = parsed("kesher://example.org:65535/#" FINGERPRINT);
    (void)state;
    assert_int_equal(link.port, 65535);
    assert_false(link.has_code);
    the_fingerprint_is_read(&link);
    link = parsed("https://example.org:1/#" FINGERPRINT);
    assert_int_equal(link.port, 1);
    the_fingerprint_is_read(&link);
}

static void an_invitation_has_a_code_and_may_have_a_fingerprint(void **state)
{
    static const char *const beginnings[] = {"kesher://example.org", "https://example.org"};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(beginnings); i++) {
        char text[KS_LINK_SIZE];
        snprintf(text, sizeof text, "%s/join#%s", beginnings[i], CODE);
        struct ks_link link = parsed(text);
        the_code_is_read(&link);
        assert_false(link.has_fingerprint);
        assert_int_equal(link.port, i == 0 ? 1358 : 443);
        snprintf(text, sizeof text, "%s:7/join#%s.%s", beginnings[i], CODE, FINGERPRINT);
        link = parsed(text);
        the_code_is_read(&link);
        the_fingerprint_is_read(&link);
        assert_int_equal(link.port, 7);
    }
}

static void the_slash_may_be_missing_where_it_is_all(void **state)
{
    struct ks_link link = parsed("kesher://example.org");
    (void)state;
    assert_string_equal(link.host, "example.org");
    link = parsed("kesher://example.org:99#" FINGERPRINT);
    assert_int_equal(link.port, 99);
    the_fingerprint_is_read(&link);
}

static void scheme_and_host_count_in_any_case_and_blanks_around_do_not(void **state)
{
    struct ks_link link = parsed(" \tKesher://EXAMPLE.Org/join#" CODE "\r\n");
    (void)state;
    assert_int_equal(link.scheme, KS_LINK_KESHER);
    assert_string_equal(link.host, "example.org");
    the_code_is_read(&link);
}

struct host_case {
    const char *written;
    const char *host;
};

static void hosts_are_names_and_addresses_in_one_form(void **state)
{
    static const struct host_case cases[] = {
        {"localhost", "localhost"},
        {"xn--bcher-kva.example", "xn--bcher-kva.example"},
        {"_kesher.a-b.1a.de", "_kesher.a-b.1a.de"},
        {"127.0.0.1", "127.0.0.1"},
        {"255.255.255.255", "255.255.255.255"},
        {"1.2.3.4a", "1.2.3.4a"},
        {"0xa.example", "0xa.example"},
        {"[::1]", "::1"},
        {"[2001:DB8:0:0:0:0:0:1]", "2001:db8::1"},
        {"[::ffff:192.0.2.1]", "::ffff:192.0.2.1"},
        {NAME_253, NAME_253},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        char text[KS_LINK_SIZE];
        snprintf(text, sizeof text, "kesher://%s:1/", cases[i].written);
        struct ks_link link = parsed(text);
        assert_string_equal(link.host, cases[i].host);
        assert_int_equal(link.port, 1);
        snprintf(text, sizeof text, "kesher://%s/", cases[i].written);
        link = parsed(text);
        assert_string_equal(link.host, cases[i].host);
        assert_int_equal(link.port, 1358);
    }
}

/* ---- complaints ---- */

struct complaint {
    const char *text;
    const char *words; /* of the complaint */
};

static void what_is_wrong_is_told_exactly(void **state)
{
    static const struct complaint complaints[] = {
        {"", "begins with kesher://"},
        {"://", "begins with kesher://"},
        {"example.org:1358", "begins with kesher://"},
        {"http://example.org/", "begins with kesher://"},
        {"xkesher://example.org/", "begins with kesher://"},
        {"kesher:/example.org/", "begins with kesher://"},
        {"kesher://", "host is missing"},
        {"kesher:///", "host is missing"},
        {"kesher://:1358/", "host is missing"},
        {"kesher://#" FINGERPRINT, "host is missing"},
        {"kesher://a" NAME_253 "/", "253 characters at most"},
        {"kesher://a" LABEL_63 ".org/", "between the dots"},
        {"kesher://example..org/", "between the dots"},
        {"kesher://.example.org/", "between the dots"},
        {"kesher://example.org./", "between the dots"},
        {"kesher://-example.org/", "begins or ends with -"},
        {"kesher://example-.org/", "begins or ends with -"},
        {"kesher://b\xc3\xbc"
         "cher.example/",
         "xn--"},
        {"kesher://exam\x7f"
         "ple.org/",
         "xn--"},
        {"kesher://exam ple.org/", "letters, digits, dots"},
        {"kesher://exam\tple.org/", "letters, digits, dots"},
        {"kesher://example.org%2f/", "letters, digits, dots"},
        {"kesher://a\\b/", "letters, digits, dots"},
        {"kesher://127.1/", "four numbers"},
        {"kesher://2130706433/", "four numbers"},
        {"kesher://0x7f000001/", "four numbers"},
        {"kesher://a.0x/", "four numbers"},
        {"kesher://127.0.0.256/", "four numbers"},
        {"kesher://127.0.0.01/", "four numbers"},
        {"kesher://example.1/", "four numbers"},
        {"kesher://alice@example.org/", "before the host"},
        {"kesher://alice:secret@example.org/", "before the host"},
        {"kesher://good.example:1358@bad.example/", "before the host"},
        {"kesher://::1/", "in brackets"},
        {"kesher://2001:db8::1:1358/", "in brackets"},
        {"kesher://a:1:2/", "in brackets"},
        {"kesher://[::1/", "] behind the IPv6 address is missing"},
        {"kesher://[::1]1358/", "stands :PORT or /"},
        {"kesher://[]/", "no IPv6 address"},
        {"kesher://[1.2.3.4]/", "no IPv6 address"},
        {"kesher://[example.org]/", "no IPv6 address"},
        {"kesher://[fe80::1%25eth0]/", "no IPv6 address"},
        {"kesher://[fe80::1%eth0]/", "no IPv6 address"},
        {"kesher://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/", "no IPv6 address"},
        {"kesher://example.org:/", "from 1 to 65535"},
        {"kesher://example.org:0/", "from 1 to 65535"},
        {"kesher://example.org:65536/", "from 1 to 65535"},
        {"kesher://example.org:123456/", "from 1 to 65535"},
        {"kesher://example.org:+1/", "from 1 to 65535"},
        {"kesher://example.org:1a/", "from 1 to 65535"},
        {"kesher://[::1]:/", "from 1 to 65535"},
        {"kesher://example.org/join", "behind /join#"},
        {"kesher://example.org/join#", "22 characters"},
        {"kesher://example.org/join#." FINGERPRINT, "22 characters"},
        {"kesher://example.org/join#" FINGERPRINT, "22 characters"},
        {"kesher://example.org/join#" CODE "A", "22 characters"},
        {"kesher://example.org/join#AAECAwQFBgcICQoLDA0OD+", "invitation has a wrong character"},
        {"kesher://example.org/join#AAECAwQFBgcICQoLDA0ODx", "invitation has a wrong character"},
        {"kesher://example.org/join#" CODE ".", "43 characters"},
        {"kesher://example.org/join#" CODE "." CODE, "43 characters"},
        {"kesher://example.org/join#" CODE "." FINGERPRINT ".", "more stands behind"},
        {"kesher://example.org/join#" CODE "." FINGERPRINT "." CODE, "more stands behind"},
        {"kesher://example.org/#", "43 characters"},
        {"kesher://example.org/#" FINGERPRINT "=", "43 characters"},
        {"kesher://example.org/#ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj9", "fingerprint has a wrong"},
        {"kesher://example.org/#ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9P 8", "fingerprint has a wrong"},
        {"kesher://example.org/#" CODE "." FINGERPRINT, "more stands behind"},
        {"kesher://example.org/join/#" CODE, "/ or /join#"},
        {"kesher://example.org/Join#" CODE, "/ or /join#"},
        {"kesher://example.org//", "/ or /join#"},
        {"kesher://example.org/p/abc#" CODE, "/ or /join#"},
        {"kesher://example.org?a=b", "/ or /join#"},
        {"kesher://example.org/?a=b#" FINGERPRINT, "/ or /join#"},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(complaints); i++) {
        struct ks_link link;
        const char *why = NULL;
        if (parse(complaints[i].text, &link, &why) != KS_INVALID)
            fail_msg("taken: %s", complaints[i].text);
        if (strstr(why, complaints[i].words) == NULL)
            fail_msg("%s: %s", complaints[i].text, why);
    }
}

static void a_nul_anywhere_is_no_part_of_a_link(void **state)
{
    static const char sound[] = "kesher://[::1]:1358/join#" CODE "." FINGERPRINT;
    (void)state;
    for (size_t place = 0; place < sizeof sound - 1; place++) {
        struct ks_link link;
        const char *why = NULL;
        char text[sizeof sound];
        memcpy(text, sound, sizeof sound);
        text[place] = '\0';
        assert_int_equal(ks_link_parse(text, sizeof sound - 1, &link, &why), KS_INVALID);
    }
}

/* Two of the cuts are links, for what is missing then may be. */
static void a_link_that_is_cut_short_is_not_taken_for_another_invitation(void **state)
{
    static const char whole[] = "https://example.org:8443/join#" CODE "." FINGERPRINT;
    const size_t without_fingerprint = strlen("https://example.org:8443/join#" CODE);
    (void)state;
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        struct ks_link link;
        const char *why = NULL;
        char *copy = (char *)unit_exact_copy(whole, size);
        enum ks_result result = ks_link_parse(copy, size, &link, &why);
        assert_true(size == without_fingerprint || result == KS_INVALID || !link.has_code);
        assert_true(result == KS_INVALID || !link.has_fingerprint);
        free(copy);
    }
}

/* ---- writing ---- */

static void a_link_is_written_as_it_is_read(void **state)
{
    static const char *const links[] = {
        "kesher://example.org/",
        "kesher://example.org:443/",
        "kesher://example.org/#" FINGERPRINT,
        "kesher://[2001:db8::1]:1/#" FINGERPRINT,
        "kesher://127.0.0.1/join#" CODE,
        "kesher://example.org:65535/join#" CODE "." FINGERPRINT,
        "https://example.org/",
        "https://example.org:1358/join#" CODE "." FINGERPRINT,
        "https://[::1]/join#" CODE,
        "https://" NAME_253 ":65535/join#" CODE "." FINGERPRINT,
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(links); i++) {
        char text[KS_LINK_SIZE];
        struct ks_link link = parsed(links[i]);
        ks_link_format(&link, text);
        assert_string_equal(text, links[i]);
    }
}

static void what_may_be_left_out_is_left_out(void **state)
{
    char text[KS_LINK_SIZE];
    struct ks_link link = parsed("KESHER://[0:0::1]:01358#" FINGERPRINT);
    (void)state;
    ks_link_format(&link, text);
    assert_string_equal(text, "kesher://[::1]/#" FINGERPRINT);
}

static void a_link_leads_to_an_address(void **state)
{
    struct ks_address address;
    struct ks_link link = parsed("kesher://[::1]/");
    (void)state;
    ks_link_address(&link, &address);
    assert_string_equal(address.host, "::1");
    assert_string_equal(address.port, "1358");
    link = parsed("https://example.org:65535/");
    ks_link_address(&link, &address);
    assert_string_equal(address.host, "example.org");
    assert_string_equal(address.port, "65535");
}

/* ---- hosts alone, and what is meant ---- */

static void a_host_alone_needs_no_brackets(void **state)
{
    char host[KS_LINK_HOST_SIZE];
    const char *why = NULL;
    (void)state;
    assert_int_equal(ks_link_host_parse("2001:DB8::1", 11, host, &why), KS_OK);
    assert_string_equal(host, "2001:db8::1");
    assert_int_equal(ks_link_host_parse("[2001:DB8::1]", 13, host, &why), KS_OK);
    assert_string_equal(host, "2001:db8::1");
    assert_int_equal(ks_link_host_parse("Example.ORG", 11, host, &why), KS_OK);
    assert_string_equal(host, "example.org");
    assert_int_equal(ks_link_host_parse("example.org:1", 13, host, &why), KS_INVALID);
    assert_int_equal(ks_link_host_parse(NULL, 0, host, &why), KS_INVALID);
    assert_non_null(strstr(why, "missing"));
}

static void only_what_has_a_scheme_is_meant_as_a_link(void **state)
{
    static const char *const links[] = {"kesher://example.org/", " https://x", "http://x", "://", "a://"};
    static const char *const addresses[] = {"",    "example.org", "example.org:1358", "[::1]:1357",
                                            "::1", "kesher:",     "kesher:/x",        "a:/b"};
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(links); i++)
        assert_true(ks_link_is_meant(links[i], strlen(links[i])));
    for (size_t i = 0; i < KS_COUNT_OF(addresses); i++)
        assert_false(ks_link_is_meant(addresses[i], strlen(addresses[i])));
    assert_false(ks_link_is_meant(NULL, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_has_the_port_of_its_scheme),
        cmocka_unit_test(a_server_may_have_its_own_port_and_a_fingerprint),
        cmocka_unit_test(an_invitation_has_a_code_and_may_have_a_fingerprint),
        cmocka_unit_test(the_slash_may_be_missing_where_it_is_all),
        cmocka_unit_test(scheme_and_host_count_in_any_case_and_blanks_around_do_not),
        cmocka_unit_test(hosts_are_names_and_addresses_in_one_form),
        cmocka_unit_test(what_is_wrong_is_told_exactly),
        cmocka_unit_test(a_nul_anywhere_is_no_part_of_a_link),
        cmocka_unit_test(a_link_that_is_cut_short_is_not_taken_for_another_invitation),
        cmocka_unit_test(a_link_is_written_as_it_is_read),
        cmocka_unit_test(what_may_be_left_out_is_left_out),
        cmocka_unit_test(a_link_leads_to_an_address),
        cmocka_unit_test(a_host_alone_needs_no_brackets),
        cmocka_unit_test(only_what_has_a_scheme_is_meant_as_a_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
