/* Unit tests of server/public_link.h: what is handed out names a host that others may reach, and the key only
 * where no authority vouches for it. */
#include "unit/unit.h"

#include "server/public_link.h"

static struct ks_host_key_shown shown_at(const char *address, const char *name)
{
    struct ks_host_key_shown shown = {.is_self_signed = name[0] == '\0'};
    memset(shown.fingerprint, 0, sizeof shown.fingerprint);
    strcpy(shown.address, address);
    strcpy(shown.name, name);
    return shown;
}

#define ZEROS "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

struct expected {
    const char *address; /* as the server has bound it; "": not known */
    const char *option;
    const char *name; /* of the certificate */
    const char *host; /* that is given */
    const char *link;
    bool is_doubted;
};

static void hosts_are_chosen_in_their_order(void **state)
{
    static const struct expected cases[] = {
        {"0.0.0.0:1358", ":1358", "", "chat.example.org", "kesher://chat.example.org/#" ZEROS, false},
        {"0.0.0.0:1358", ":1358", "", "chat.example.org:443", "kesher://chat.example.org:443/#" ZEROS, false},
        {"0.0.0.0:7000", ":0", "", "2001:db8::1", "kesher://[2001:db8::1]:7000/#" ZEROS, false},
        {"[::]:1358", ":1358", "named.example.org", NULL, "kesher://named.example.org/", false},
        {"[::]:1358", ":1358", "named.example.org", "other.example.org", "kesher://other.example.org/",
         false},
        {"192.0.2.7:1358", "192.0.2.7:1358", "", NULL, "kesher://192.0.2.7/#" ZEROS, false},
        {"[2001:db8::2]:99", "[2001:db8::2]:99", "", NULL, "kesher://[2001:db8::2]:99/#" ZEROS, false},
        {"[::]:1358", ":1358", "", NULL, "kesher://machine/#" ZEROS, true},
        {"0.0.0.0:1358", "0.0.0.0:1358", "", NULL, "kesher://machine/#" ZEROS, true},
        {"127.0.0.1:1358", "1358", "", NULL, "kesher://127.0.0.1/#" ZEROS, false},
        {"127.0.0.1:1358", "1358", "", "chat.example.org", "kesher://chat.example.org/#" ZEROS, false},
        {"", "1358", "", NULL, "kesher://127.0.0.1/#" ZEROS, false},
        {"", "192.0.2.7:444", "", NULL, "kesher://192.0.2.7:444/#" ZEROS, false},
    };
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(cases); i++) {
        const struct ks_host_key_shown shown = shown_at(cases[i].address, cases[i].name);
        struct ks_public_link made;
        char why[KS_HOST_KEY_WHY_SIZE] = "";
        char text[KS_LINK_SIZE];
        assert_int_equal(ks_public_link_make(&shown, cases[i].option, cases[i].host, "machine", &made, why),
                         KS_OK);
        ks_link_format(&made.link, text);
        assert_string_equal(text, cases[i].link);
        assert_int_equal(made.doubt[0] != '\0', cases[i].is_doubted);
    }
}

static void a_link_that_nobody_could_use_is_refused(void **state)
{
    struct ks_public_link made;
    char why[KS_HOST_KEY_WHY_SIZE] = "";
    const struct ks_host_key_shown unknown = shown_at("", "");
    const struct ks_host_key_shown everywhere = shown_at("0.0.0.0:1358", "");
    (void)state;
    assert_int_equal(ks_public_link_make(&unknown, ":0", NULL, "machine", &made, why), KS_INVALID);
    assert_non_null(strstr(why, "before the server was started"));
    assert_int_equal(ks_public_link_make(&everywhere, ":1358", NULL, "un der", &made, why), KS_INVALID);
    assert_non_null(strstr(why, "--host"));
    assert_int_equal(ks_public_link_make(&everywhere, ":1358", "a:b:c:d:x", "machine", &made, why),
                     KS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_chosen_in_their_order),
        cmocka_unit_test(a_link_that_nobody_could_use_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
