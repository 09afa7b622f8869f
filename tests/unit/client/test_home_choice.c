/* Unit tests of kesher_home_choose_server (<kesher/home.h>) and client/home/home_standing.h: to which server
 * a home goes, and that neither kind becomes the other by itself. */
#include "unit/client/home_fixture.h"

#include "client/home/account_file.h"
#include "client/home/home_server.h"
#include "client/home/trust.h"
#include "wire/link.h"

#include <fcntl.h>

static const char link_with_key[] = "kesher://secure.org/#S0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0s";

static void put_file(const struct fixture *fixture, const char *name, const char *text)
{
    const struct ks_buffer bytes = {.bytes = (uint8_t *)text, .size = strlen(text)};
    assert_int_equal(ks_home_files_write(fixture->home, name, &bytes, NULL), KESHER_OK);
}

static void trust_server(const struct fixture *fixture, const char *address)
{
    const struct ks_trust nothing = {.mode = KS_TRUST_NONE};
    struct ks_trust trust = {.mode = KS_TRUST_KEY};
    memset(trust.key, 'K', sizeof trust.key);
    assert_int_equal(ks_address_parse(address, strlen(address), &trust.server), KS_OK);
    assert_int_equal(ks_trust_save(fixture->home, &nothing, &trust, NULL), KESHER_OK);
}

static void make_account(const struct fixture *fixture, bool confirmed)
{
    struct ks_own_account account;
    const uint8_t id[KS_CLIENT_ID_SIZE] = {1};
    assert_int_equal(ks_account_file_prepare(fixture->home, NULL, false, &account, NULL), KESHER_OK);
    if (confirmed)
        assert_int_equal(ks_account_file_confirm(fixture->home, account.key, "alice", id, NULL), KESHER_OK);
}

/* What a home may be made of, in letters: i a server.info, t a transfer.info, m a me.info, y a my.info, b a
 * key whose account was begun, a an account that was confirmed, s a server.trust. */
static void furnish(const struct fixture *fixture, const char *letters)
{
    for (; *letters != '\0'; letters++) {
        switch (*letters) {
        case 'i':
            put_file(fixture, "server.info", "info.org:1111\n");
            break;
        case 't':
            put_file(fixture, "transfer.info", "transfer.org:2222\nAlice\nfile\n");
            break;
        case 'm':
            put_file(fixture, "me.info", "alice\n00112233445566778899aabbccddeeff\n");
            break;
        case 'y':
            put_file(fixture, "my.info", "alice\n00112233445566778899aabbccddeeff\n");
            break;
        case 's':
            trust_server(fixture, "secure.org:1358");
            break;
        default:
            make_account(fixture, *letters == 'a');
            break;
        }
    }
}

static void strip(const struct fixture *fixture)
{
    static const char *const names[] = {"server.info", "transfer.info", "me.info",
                                        "my.info",     "account.key",   "server.trust"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++)
        (void)unlinkat(fixture->home->directory_fd, names[i], 0);
}

enum { ADOPT = 1, MOVED = 2 };

static enum kesher_status choose(const struct fixture *fixture, const char *given, int flags,
                                 struct kesher_server *server, struct kesher_error *error)
{
    return kesher_home_choose_server(fixture->home, given, (flags & ADOPT) != 0, (flags & MOVED) != 0, server,
                                     error);
}

static const char *shown(const struct kesher_server *server)
{
    static char text[KESHER_ADDRESS_SIZE + 16];
    const char *kind = server->kind == KESHER_SERVER_SECURE ? "secure" : "classic";
    assert_true(snprintf(text, sizeof text, "%s %s", kind, server->address) > 0);
    return text;
}

static void every_row_is_chosen_as_it_is_written_down(void **state)
{
    const struct fixture *fixture = *state;
    static const char other[] = "kesher://other.org:99/";
    static const char classic[] = "classic.org";
    static const struct {
        const char *home;
        const char *given;
        int flags;
        const char *expected; /* what is said, for a refusal: after "! " */
    } rows[] = {
        /* new */
        {"", NULL, 0, "secure 127.0.0.1:1358"},
        {"", link_with_key, 0, "secure secure.org:1358"},
        {"", "https://secure.org/join#AAAAAAAAAAAAAAAAAAAAAA", 0, "secure secure.org:443"},
        {"", classic, 0, "classic classic.org:1357"},
        {"", classic, ADOPT, "! --adopt"},
        {"b", NULL, 0, "secure 127.0.0.1:1358"},
        {"b", classic, 0, "classic classic.org:1357"},
        /* a server.info or a transfer.info */
        {"i", NULL, 0, "classic info.org:1111"},
        {"t", NULL, 0, "classic transfer.org:2222"},
        {"it", NULL, 0, "classic info.org:1111"},
        {"bt", NULL, 0, "classic transfer.org:2222"},
        {"i", other, 0, "secure other.org:99"},
        {"i", classic, 0, "classic classic.org:1357"},
        /* a classic identity */
        {"m", NULL, 0, "classic 127.0.0.1:1357"},
        {"y", NULL, 0, "classic 127.0.0.1:1357"},
        {"mi", NULL, 0, "classic info.org:1111"},
        {"m", classic, 0, "classic classic.org:1357"},
        {"m", other, 0, "! kesher register --adopt"},
        {"y", other, MOVED, "! kesher register --adopt"},
        {"mb", NULL, 0, "classic 127.0.0.1:1357"},
        {"mb", other, 0, "! kesher register --adopt"},
        {"mbs", NULL, 0, "classic 127.0.0.1:1357"},
        {"mbs", link_with_key, 0, "! kesher register --adopt"},
        {"mbs", classic, 0, "classic classic.org:1357"},
        /* which is to be adopted */
        {"m", NULL, ADOPT, "! its link is needed"},
        {"m", other, ADOPT, "secure other.org:99"},
        {"m", classic, ADOPT, "! give the server's link"},
        {"mbs", NULL, ADOPT, "secure secure.org:1358"},
        {"mbs", link_with_key, ADOPT, "secure secure.org:1358"},
        {"mbs", other, ADOPT, "! kesher server --forget"},
        {"mbs", other, ADOPT | MOVED, "secure other.org:99"},
        /* a secure server */
        {"s", NULL, 0, "secure secure.org:1358"},
        {"bs", NULL, 0, "secure secure.org:1358"},
        {"as", NULL, 0, "secure secure.org:1358"},
        {"asmit", NULL, 0, "secure secure.org:1358"},
        {"as", NULL, ADOPT, "secure secure.org:1358"},
        {"as", "kesher://SECURE.org", 0, "secure secure.org:1358"},
        {"as", other, 0, "! add --moved"},
        {"as", "kesher://secure.org:1359/", 0, "! add --moved"},
        {"as", other, MOVED, "secure other.org:99"},
        {"as", classic, 0, "! nothing falls back"},
        {"as", classic, MOVED, "! nothing falls back"},
        {"as", classic, ADOPT, "! nothing falls back"},
        {"as", "secure.org:1358", 0, "! kesher://secure.org:1358/"},
        {"asm", classic, 0, "! nothing falls back"},
        {"s", classic, 0, "! nothing falls back"},
        /* an account that trusts no server */
        {"a", NULL, 0, "! give the server's link"},
        {"ami", NULL, 0, "! give the server's link"},
        {"a", other, 0, "secure other.org:99"},
        {"a", classic, 0, "! nothing falls back"},
        {"ami", classic, 0, "! nothing falls back"},
        /* what is neither */
        {"", "kesher://", 0, "! neither a link nor an address"},
        {"", "kesher://h/#short", 0, "! neither a link nor an address"},
        {"", "ftp://h/", 0, "! neither a link nor an address"},
        {"", "h:0", 0, "! neither a link nor an address"},
        {"", "", 0, "! neither a link nor an address"},
    };
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct kesher_server server;
        struct kesher_error error = {.sentence = ""};
        furnish(fixture, rows[i].home);
        enum kesher_status status = choose(fixture, rows[i].given, rows[i].flags, &server, &error);
        const bool refused = rows[i].expected[0] == '!';
        if (status != (refused ? KESHER_INVALID : KESHER_OK) ||
            (refused ? strstr(error.sentence, rows[i].expected + 2) == NULL
                     : strcmp(shown(&server), rows[i].expected) != 0))
            fail_msg("row %zu (%s): %s: %s", i, rows[i].home,
                     status == KESHER_OK ? shown(&server) : "refused", error.sentence);
        strip(fixture);
    }
}

static void what_a_link_says_is_handed_on(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_server server;
    uint8_t key[32];
    const uint8_t code[16] = {0};
    memset(key, 'K', sizeof key);
    assert_int_equal(choose(fixture, link_with_key, 0, &server, NULL), KESHER_OK);
    assert_true(server.has_fingerprint && !server.has_invitation);
    assert_memory_equal(server.fingerprint, key, sizeof key);
    assert_int_equal(choose(fixture, "kesher://h/join#AAAAAAAAAAAAAAAAAAAAAA", 0, &server, NULL), KESHER_OK);
    assert_true(!server.has_fingerprint && server.has_invitation);
    assert_memory_equal(server.invitation, code, sizeof code);
    assert_int_equal(choose(fixture, NULL, 0, &server, NULL), KESHER_OK);
    assert_true(!server.has_fingerprint && !server.has_invitation);
}

static void refusal_does_not_repeat_an_invitation(void **state)
{
    const struct fixture *fixture = *state;
    static const char secret[] = "AbCdEfGhIjKlMnOpQrStUw";
    static const char *const links[] = {"kesher://h/join#AbCdEfGhIjKlMnOpQrStUw",
                                        "kesher://h/join#AbCdEfGhIjKlMnOpQrStUw.short"};
    furnish(fixture, "as");
    for (size_t i = 0; i < KS_COUNT_OF(links); i++) {
        struct kesher_server server;
        struct kesher_error error;
        assert_int_equal(choose(fixture, links[i], 0, &server, &error), KESHER_INVALID);
        assert_null(strstr(error.sentence, secret));
        assert_false(server.has_invitation);
    }
}

/* Else whoever breaks a file of a secure home has a client that speaks in the clear. */
static void home_with_broken_secure_files_is_no_classic_one(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const names[] = {"account.key", "server.trust"};
    for (size_t i = 0; i < KS_COUNT_OF(names); i++) {
        struct kesher_server server;
        struct ks_home_server own;
        char address[KESHER_ADDRESS_SIZE];
        furnish(fixture, "mi");
        put_file(fixture, names[i], "nonsense\n");
        assert_int_equal(choose(fixture, NULL, 0, &server, NULL), KESHER_INVALID);
        assert_int_equal(choose(fixture, "info.org:1111", 0, &server, NULL), KESHER_INVALID);
        assert_int_equal(kesher_home_server(fixture->home, address, NULL), KESHER_INVALID);
        assert_int_equal(ks_home_server_check(fixture->home, "info.org:1111", true, &own, NULL),
                         KESHER_INVALID);
        strip(fixture);
    }
}

static void classic_calls_get_no_address_and_no_leave_in_a_secure_home(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const homes[] = {"as", "asmi", "a", "am", "s"};
    for (size_t i = 0; i < KS_COUNT_OF(homes); i++) {
        struct ks_home_server own;
        char address[KESHER_ADDRESS_SIZE];
        furnish(fixture, homes[i]);
        assert_int_equal(kesher_home_server(fixture->home, address, NULL), KESHER_INVALID);
        assert_int_equal(kesher_home_service(fixture->home, 1359, address, NULL), KESHER_INVALID);
        assert_int_equal(ks_home_server_check(fixture->home, "info.org:1111", true, &own, NULL),
                         KESHER_INVALID);
        strip(fixture);
    }
    furnish(fixture, "mbs"); /* begun, and not confirmed: still classic */
    struct ks_home_server own;
    assert_int_equal(ks_home_server_check(fixture->home, "info.org:1111", false, &own, NULL), KESHER_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOME_TEST(every_row_is_chosen_as_it_is_written_down),
        HOME_TEST(what_a_link_says_is_handed_on),
        HOME_TEST(refusal_does_not_repeat_an_invitation),
        HOME_TEST(home_with_broken_secure_files_is_no_classic_one),
        HOME_TEST(classic_calls_get_no_address_and_no_leave_in_a_secure_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
