/* Unit tests of client/home/trust.h and trust_judgement.h: whom a home takes for its server, and how it
 * remembers that. */
#include "unit/client/home_fixture.h"

#include "base/text.h"
#include "client/home/trust_judgement.h"

#include <fcntl.h>

/* ---- fixed keys, by a letter ---- */

static void key_of(char letter, uint8_t key[static KS_TLS_FINGERPRINT_SIZE])
{
    memset(key, letter, KS_TLS_FINGERPRINT_SIZE);
}

static const char *text_of(char letter)
{
    static char texts[128][KS_TLS_FINGERPRINT_TEXT_SIZE];
    uint8_t key[KS_TLS_FINGERPRINT_SIZE];
    key_of(letter, key);
    ks_tls_fingerprint_text(key, texts[(unsigned char)letter]);
    return texts[(unsigned char)letter];
}

static struct ks_address address_of(const char *text)
{
    struct ks_address address;
    assert_int_equal(ks_address_parse_for(text, strlen(text), KS_TRUST_DEFAULT_PORT, &address), KS_OK);
    return address;
}

/* "": nothing; "K": that key; "KN": and the next one; "ca". */
static struct ks_trust trust_of(const char *kept, const char *server)
{
    struct ks_trust trust = {.mode = KS_TRUST_NONE};
    if (kept[0] == '\0')
        return trust;
    trust.server = address_of(server);
    trust.mode = strcmp(kept, "ca") == 0 ? KS_TRUST_CA : KS_TRUST_KEY;
    if (trust.mode == KS_TRUST_CA)
        return trust;
    key_of(kept[0], trust.key);
    trust.has_next = kept[1] != '\0';
    if (trust.has_next)
        key_of(kept[1], trust.next);
    return trust;
}

static void assert_trust(const struct ks_trust *trust, const char *kept, const char *server)
{
    const struct ks_trust expected = trust_of(kept, server);
    assert_int_equal(trust->mode, expected.mode);
    assert_true(ks_address_is_same(&trust->server, &expected.server));
    assert_memory_equal(trust->key, expected.key, sizeof expected.key);
    assert_int_equal(trust->has_next, expected.has_next);
    assert_memory_equal(trust->next, expected.next, sizeof expected.next);
}

/* ---- the judgement ---- */

enum { VOUCHED = 1, LOOPBACK = 2, CAN_ASK = 4, MOVED = 8, ALL_FLAGS = 16 };

static const char own[] = "example.org:1358";

/* What is judged in one go. */
struct judged {
    struct ks_trust trust;
    struct ks_address server;
    struct ks_tls_peer peer;
    uint8_t linked[KS_TLS_FINGERPRINT_SIZE];
    struct ks_trust_judgement judgement;
};

/* `linked` is 0 for no fingerprint. */
static void judge(struct judged *judged, const char *kept, char linked, char shown, unsigned flags,
                  const char *server)
{
    memset(judged, 0, sizeof *judged);
    judged->trust = trust_of(kept, own);
    judged->server = address_of(server);
    key_of(shown, judged->peer.fingerprint);
    judged->peer.is_vouched_for = (flags & VOUCHED) != 0;
    if (!judged->peer.is_vouched_for)
        strcpy(judged->peer.why_not, "the certificate has expired");
    key_of(linked, judged->linked);
    const struct ks_trust_question question = {.trust = &judged->trust,
                                               .server = &judged->server,
                                               .linked = linked == 0 ? NULL : judged->linked,
                                               .peer = &judged->peer,
                                               .moved = (flags & MOVED) != 0,
                                               .is_loopback = (flags & LOOPBACK) != 0,
                                               .can_ask = (flags & CAN_ASK) != 0};
    ks_trust_judge(&question, &judged->judgement);
}

/* Every row of the table in the header, and what it does not say aloud. */
static void every_row_is_judged_as_it_is_written_down(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        const char *kept;
        char linked;
        char shown;
        unsigned flags;
        enum ks_trust_verdict verdict;
        const char *then; /* what is kept; NULL: the same */
    } rows[] = {
        {"its key", "K", 0, 'K', 0, KS_TRUST_ACCEPT, NULL},
        {"its key, vouched for", "K", 0, 'K', VOUCHED, KS_TRUST_ACCEPT, NULL},
        {"its key, and a link", "K", 'K', 'K', 0, KS_TRUST_ACCEPT, NULL},
        {"its key while another is announced", "KN", 0, 'K', 0, KS_TRUST_ACCEPT, NULL},
        {"a changed key", "K", 0, 'X', 0, KS_TRUST_REFUSE, NULL},
        {"a changed key on loopback", "K", 0, 'X', LOOPBACK, KS_TRUST_REFUSE, NULL},
        {"a changed key at a terminal", "K", 0, 'X', CAN_ASK, KS_TRUST_REFUSE, NULL},
        {"that key or nothing, whatever a CA says", "K", 0, 'X', VOUCHED, KS_TRUST_REFUSE, NULL},
        {"a changed key that the link has", "K", 'X', 'X', 0, KS_TRUST_REFUSE, NULL},
        {"a changed key, and an old link", "K", 'K', 'X', 0, KS_TRUST_REFUSE, NULL},
        {"its key, and a link to another", "K", 'X', 'K', 0, KS_TRUST_REFUSE, NULL},
        {"the next key", "KN", 0, 'N', 0, KS_TRUST_ACCEPT_AND_TELL, "N"},
        {"the next key, and an old link", "KN", 'K', 'N', 0, KS_TRUST_ACCEPT_AND_TELL, "N"},
        {"the next key, and a new link", "KN", 'N', 'N', 0, KS_TRUST_ACCEPT_AND_TELL, "N"},
        {"the old key, and a new link", "KN", 'N', 'K', 0, KS_TRUST_REFUSE, NULL},
        {"the next key, and another link", "KN", 'X', 'N', 0, KS_TRUST_REFUSE, NULL},
        {"neither key", "KN", 0, 'X', VOUCHED, KS_TRUST_REFUSE, NULL},
        {"the old key after the next", "N", 0, 'K', 0, KS_TRUST_REFUSE, NULL},
        {"a certificate", "ca", 0, 'X', VOUCHED, KS_TRUST_ACCEPT, NULL},
        {"a certificate, and its link", "ca", 'X', 'X', VOUCHED, KS_TRUST_ACCEPT, NULL},
        {"a certificate, and another link", "ca", 'K', 'X', VOUCHED, KS_TRUST_REFUSE, NULL},
        {"expired, self-signed or of another name", "ca", 0, 'X', 0, KS_TRUST_REFUSE, NULL},
        {"expired on loopback at a terminal", "ca", 0, 'X', LOOPBACK | CAN_ASK, KS_TRUST_REFUSE, NULL},
        {"self-signed with its link", "ca", 'X', 'X', 0, KS_TRUST_REFUSE, NULL},
        {"first, as linked", "", 'X', 'X', 0, KS_TRUST_ACCEPT, "X"},
        {"first, as linked and vouched for", "", 'X', 'X', VOUCHED, KS_TRUST_ACCEPT, "X"},
        {"first, not as linked", "", 'K', 'X', CAN_ASK, KS_TRUST_REFUSE, NULL},
        {"first, not as linked, vouched for", "", 'K', 'X', VOUCHED, KS_TRUST_REFUSE, NULL},
        {"first, not as linked, loopback", "", 'K', 'X', LOOPBACK, KS_TRUST_REFUSE, NULL},
        {"first, vouched for", "", 0, 'X', VOUCHED, KS_TRUST_ACCEPT_AND_TELL, "ca"},
        {"first, loopback", "", 0, 'X', LOOPBACK, KS_TRUST_ACCEPT_AND_TELL, "X"},
        {"first, loopback at a terminal", "", 0, 'X', LOOPBACK | CAN_ASK, KS_TRUST_ACCEPT_AND_TELL, "X"},
        {"first, at a terminal", "", 0, 'X', CAN_ASK, KS_TRUST_ASK, "X"},
        {"first, without a terminal", "", 0, 'X', 0, KS_TRUST_REFUSE, NULL},
    };
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct judged judged;
        judge(&judged, rows[i].kept, rows[i].linked, rows[i].shown, rows[i].flags, own);
        if (judged.judgement.verdict != rows[i].verdict)
            fail_msg("%s: %d: %s", rows[i].what, judged.judgement.verdict, judged.judgement.sentence);
        assert_trust(&judged.judgement.trust, rows[i].then == NULL ? rows[i].kept : rows[i].then, own);
    }
}

static void another_address_is_refused_unless_the_server_proves_that_it_moved(void **state)
{
    (void)state;
    static const struct {
        const char *kept;
        const char *server;
        char shown;
        unsigned flags;
        enum ks_trust_verdict verdict;
    } rows[] = {
        {"K", "other.org:1358", 'K', 0, KS_TRUST_REFUSE},
        {"K", "example.org:1359", 'K', 0, KS_TRUST_REFUSE},
        {"K", "EXAMPLE.org.:1358", 'K', 0, KS_TRUST_ACCEPT},
        {"K", "other.org:1358", 'K', MOVED, KS_TRUST_ACCEPT},
        {"K", "other.org:1358", 'X', MOVED | VOUCHED, KS_TRUST_REFUSE},
        {"K", "127.0.0.1:1358", 'X', MOVED | LOOPBACK | CAN_ASK, KS_TRUST_REFUSE},
        {"KN", "other.org:1", 'N', MOVED, KS_TRUST_ACCEPT_AND_TELL},
        {"ca", "other.org:1358", 'X', VOUCHED, KS_TRUST_REFUSE},
        {"ca", "other.org:1358", 'X', VOUCHED | MOVED, KS_TRUST_REFUSE},
        {"ca", "example.org:1", 'X', VOUCHED, KS_TRUST_REFUSE},
        {"ca", "example.org:1", 'X', VOUCHED | MOVED, KS_TRUST_ACCEPT},
        {"ca", "example.org:1", 'X', MOVED, KS_TRUST_REFUSE},
    };
    for (size_t i = 0; i < KS_COUNT_OF(rows); i++) {
        struct judged judged;
        judge(&judged, rows[i].kept, 0, rows[i].shown, rows[i].flags, rows[i].server);
        assert_int_equal(judged.judgement.verdict, rows[i].verdict);
        const bool refused = rows[i].verdict == KS_TRUST_REFUSE;
        const char *then = strcmp(rows[i].kept, "KN") == 0 && !refused ? "N" : rows[i].kept;
        assert_trust(&judged.judgement.trust, then, refused ? own : rows[i].server);
    }
}

static bool is_accepted(enum ks_trust_verdict verdict)
{
    return verdict == KS_TRUST_ACCEPT || verdict == KS_TRUST_ACCEPT_AND_TELL;
}

static void assert_rules(const char *kept, char linked, char shown, unsigned flags, const char *server)
{
    struct judged judged;
    judge(&judged, kept, linked, shown, flags, server);
    const struct ks_trust_judgement *judgement = &judged.judgement;
    const bool accepted = is_accepted(judgement->verdict);
    const bool by_key = judged.trust.mode == KS_TRUST_KEY;
    if (judged.trust.mode != KS_TRUST_NONE)
        assert_int_equal(judgement->trust.mode, judged.trust.mode);
    if (accepted && by_key)
        assert_true(strchr(kept, shown) != NULL);
    if (accepted && judged.trust.mode == KS_TRUST_CA)
        assert_true((flags & VOUCHED) != 0);
    if (accepted && linked != 0)
        assert_true(shown == linked || (by_key && linked == kept[0] && shown == kept[1]));
    if (judgement->verdict == KS_TRUST_ASK)
        assert_true(kept[0] == '\0' && linked == 0 && (flags & CAN_ASK) != 0 && (flags & VOUCHED) == 0);
    assert_int_equal(judgement->sentence[0] == '\0', judgement->verdict == KS_TRUST_ACCEPT);
    if (judgement->verdict == KS_TRUST_REFUSE) {
        assert_memory_equal(&judgement->trust, &judged.trust, sizeof judged.trust);
        assert_non_null(strstr(judgement->sentence, text_of(shown)));
        if (by_key)
            assert_non_null(strstr(judgement->sentence, text_of(kept[0])));
        if (by_key)
            assert_non_null(strstr(judgement->sentence, "kesher server --forget"));
    }
}

static void no_combination_breaks_the_rules(void **state)
{
    (void)state;
    static const char *const kept[] = {"", "K", "KN", "ca"};
    static const char *const servers[] = {own, "example.org:9", "other.org:1358"};
    static const char links[] = {0, 'K', 'N', 'X'};
    static const char shown[] = {'K', 'N', 'X', 'Y'};
    for (size_t i = 0; i < KS_COUNT_OF(kept); i++)
        for (size_t link = 0; link < sizeof links; link++)
            for (size_t peer = 0; peer < sizeof shown; peer++)
                for (unsigned flags = 0; flags < ALL_FLAGS; flags++)
                    for (size_t at = 0; at < KS_COUNT_OF(servers); at++)
                        assert_rules(kept[i], links[link], shown[peer], flags, servers[at]);
}

static void refusal_says_what_to_do_however_long_the_names_are(void **state)
{
    (void)state;
    static const char *const kept[] = {"K", "ca", ""};
    char host[300] = "";
    struct judged judged;
    memset(host, 'a', 250);
    strcat(host, ":65535");
    for (size_t i = 0; i < KS_COUNT_OF(kept); i++) {
        judge(&judged, kept[i], 0, 'X', 0, own);
        memset(judged.peer.why_not, 'w', sizeof judged.peer.why_not - 1);
        for (int other = 0; other < 2; other++) {
            const struct ks_address longest = address_of(host);
            struct ks_trust trust = judged.trust;
            trust.server = longest;
            if (other == 1)
                trust.server.host[0] = 'b';
            const struct ks_trust_question question = {
                .trust = &trust, .server = &longest, .peer = &judged.peer};
            ks_trust_judge(&question, &judged.judgement);
            assert_int_equal(judged.judgement.verdict, KS_TRUST_REFUSE);
            const char *way_out = kept[i][0] == '\0' ? "(kesherd address)" : "kesher server --forget";
            const char *found = strstr(judged.judgement.sentence, way_out);
            assert_non_null(found);
            assert_string_equal(found, way_out);
        }
    }
}

static void what_the_peer_says_cannot_write_on_the_terminal(void **state)
{
    (void)state;
    struct judged judged;
    judge(&judged, "ca", 0, 'X', 0, own);
    strcpy(judged.peer.why_not, "for \x1b[2J\n evil");
    const struct ks_trust_question question = {
        .trust = &judged.trust, .server = &judged.server, .peer = &judged.peer};
    ks_trust_judge(&question, &judged.judgement);
    assert_non_null(strstr(judged.judgement.sentence, "\\x1b[2J\\x0a evil"));
}

/* ---- the file ---- */

static void put_file(const struct fixture *fixture, const char *name, const char *text)
{
    const struct ks_buffer bytes = {.bytes = (uint8_t *)text, .size = strlen(text)};
    assert_int_equal(ks_home_files_write(fixture->home, name, &bytes, NULL), KESHER_OK);
}

static void save(const struct fixture *fixture, const struct ks_trust *trust)
{
    struct ks_trust before;
    assert_int_equal(ks_trust_load(fixture->home, &before, NULL), KESHER_OK);
    assert_int_equal(ks_trust_save(fixture->home, &before, trust, NULL), KESHER_OK);
}

static void trust_is_read_as_it_was_written(void **state)
{
    const struct fixture *fixture = *state;
    static const char *const kept[] = {"K", "KN", "ca", "N"};
    struct ks_trust trust;
    assert_int_equal(ks_trust_load(fixture->home, &trust, NULL), KESHER_OK);
    assert_int_equal(trust.mode, KS_TRUST_NONE);
    for (size_t i = 0; i < KS_COUNT_OF(kept); i++) {
        const struct ks_trust written = trust_of(kept[i], "[2001:db8::1]:77");
        save(fixture, &written);
        assert_int_equal(ks_trust_load(fixture->home, &trust, NULL), KESHER_OK);
        assert_memory_equal(&trust, &written, sizeof trust);
    }
    assert_int_equal(ks_trust_forget(fixture->home, NULL), KESHER_OK);
    assert_int_equal(ks_trust_load(fixture->home, &trust, NULL), KESHER_OK);
    assert_int_equal(trust.mode, KS_TRUST_NONE);
    assert_int_equal(ks_trust_forget(fixture->home, NULL), KESHER_NOT_FOUND);
}

static void file_is_as_it_is_documented(void **state)
{
    const struct fixture *fixture = *state;
    char expected[300];
    struct ks_buffer text = ks_buffer_empty(KS_TRUST_TEXT_LIMIT);
    const struct ks_trust trust = trust_of("KN", own);
    save(fixture, &trust);
    assert_int_equal(ks_home_files_read(fixture->home, "server.trust", &text, NULL), KESHER_OK);
    assert_true(snprintf(expected, sizeof expected,
                         "kesher trust 1\nserver example.org:1358\nkey %s\nnext %s\nend\n", text_of('K'),
                         text_of('N')) > 0);
    assert_int_equal(text.size, strlen(expected));
    assert_memory_equal(text.bytes, expected, text.size);
    ks_buffer_free(&text);
}

/* A lost file would be a first contact: whoever can damage it must not get one. */
static void file_that_makes_no_sense_is_no_first_contact(void **state)
{
    const struct fixture *fixture = *state;
    static const char key[] = "key S0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0s\n";
    static const char *const bodies[] = {
        "",
        "server a:1\nend\n",
        "key K\nend\n",
        "server a:1\nca b\nend\n",
        "server a:1\nca a\nnext S0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0tLS0s\nend\n",
        "server a:1\nca a\n",
        "ca a\nserver a:1\nend\n",
        "server a:0\nca a\nend\n",
        "server a:1\nserver a:1\nca a\nend\n",
        "server a:1\nca a\nca a\nend\n",
        "server a:1\nca a\nmore\nend\n",
        "server a:1\nca a\nend\nca a\n",
    };
    struct ks_trust trust;
    struct kesher_error error;
    char text[300];
    assert_true(snprintf(text, sizeof text, "kesher trust 1\nserver a:1\n%send\n", key) > 0);
    put_file(fixture, "server.trust", text);
    assert_int_equal(ks_trust_load(fixture->home, &trust, NULL), KESHER_OK);
    for (size_t i = 0; i < KS_COUNT_OF(bodies); i++) {
        assert_true(snprintf(text, sizeof text, "kesher trust 1\n%s", bodies[i]) > 0);
        put_file(fixture, "server.trust", text);
        if (ks_trust_load(fixture->home, &trust, &error) != KESHER_INVALID)
            fail_msg("taken: %s", text);
        assert_non_null(strstr(error.sentence, "server --forget"));
        assert_int_equal(trust.mode, KS_TRUST_NONE);
    }
    put_file(fixture, "server.trust", "kesher trust 2\nserver a:1\nca a\nend\n");
    assert_int_equal(ks_trust_load(fixture->home, &trust, NULL), KESHER_INVALID);
    assert_int_equal(ks_trust_forget(fixture->home, NULL), KESHER_OK);
}

static void file_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    struct ks_buffer text = ks_buffer_empty(KS_TRUST_TEXT_LIMIT);
    struct ks_trust trust = trust_of("KN", own);
    assert_int_equal(ks_trust_format(&trust, &text), KS_OK);
    for (size_t size = 0; size + 1 < text.size; size++) { /* its last newline may be missing */
        uint8_t *cut = unit_exact_copy(text.bytes, size);
        assert_int_equal(ks_trust_parse(cut, size, &trust), KS_INVALID);
        free(cut);
    }
    ks_buffer_free(&text);
}

static void file_that_others_can_change_is_not_used(void **state)
{
    const struct fixture *fixture = *state;
    struct kesher_error error;
    struct ks_trust trust = trust_of("K", own);
    save(fixture, &trust);
    assert_int_equal(fchmodat(fixture->home->directory_fd, "server.trust", 0644, 0), 0);
    assert_int_equal(ks_trust_load(fixture->home, &trust, NULL), KESHER_OK);
    assert_int_equal(fchmodat(fixture->home->directory_fd, "server.trust", 0664, 0), 0);
    assert_int_equal(ks_trust_load(fixture->home, &trust, &error), KESHER_INVALID);
    assert_non_null(strstr(error.sentence, "chmod go-w"));
    assert_int_equal(fchmodat(fixture->home->directory_fd, "server.trust", 0600, 0), 0);
    assert_int_equal(chmod(fixture->path, 0777), 0);
    assert_int_equal(ks_trust_load(fixture->home, &trust, &error), KESHER_INVALID);
    assert_int_equal(chmod(fixture->path, 0700), 0);
}

/* A program that read the file before must not bring back what was forgotten since. */
static void trust_that_another_program_changed_is_not_overwritten(void **state)
{
    const struct fixture *fixture = *state;
    const struct ks_trust nothing = trust_of("", own);
    const struct ks_trust first = trust_of("K", own);
    const struct ks_trust announced = trust_of("KN", own);
    const struct ks_trust other = trust_of("X", own);
    struct ks_trust now;
    save(fixture, &first);
    assert_int_equal(ks_trust_save(fixture->home, &nothing, &first, NULL), KESHER_OK); /* both say so */
    assert_int_equal(ks_trust_save(fixture->home, &nothing, &other, NULL), KESHER_INVALID);
    assert_int_equal(ks_trust_forget(fixture->home, NULL), KESHER_OK);
    assert_int_equal(ks_trust_save(fixture->home, &first, &announced, NULL), KESHER_INVALID);
    assert_int_equal(ks_trust_load(fixture->home, &now, NULL), KESHER_OK);
    assert_int_equal(now.mode, KS_TRUST_NONE);
    save(fixture, &other);
    assert_int_equal(ks_trust_save(fixture->home, &first, &announced, NULL), KESHER_INVALID);
    assert_int_equal(ks_trust_load(fixture->home, &now, NULL), KESHER_OK);
    assert_trust(&now, "X", own);
}

/* ---- announcements ---- */

static void announced_key_is_kept_until_it_is_taken_back(void **state)
{
    (void)state;
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    struct ks_trust trust = trust_of("K", own);
    key_of('N', next);
    assert_false(ks_trust_note_next(&trust, NULL));
    assert_true(ks_trust_note_next(&trust, next));
    assert_trust(&trust, "KN", own);
    assert_false(ks_trust_note_next(&trust, next));
    key_of('M', next);
    assert_true(ks_trust_note_next(&trust, next));
    assert_trust(&trust, "KM", own);
    assert_true(ks_trust_note_next(&trust, NULL));
    assert_trust(&trust, "K", own);
    key_of('K', next);
    assert_false(ks_trust_note_next(&trust, next));
    assert_trust(&trust, "K", own);
}

static void announced_key_changes_nothing_where_an_authority_is_trusted(void **state)
{
    (void)state;
    uint8_t next[KS_TLS_FINGERPRINT_SIZE];
    struct ks_trust trust = trust_of("ca", own);
    key_of('N', next);
    assert_false(ks_trust_note_next(&trust, next));
    assert_trust(&trust, "ca", own);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_judged_as_it_is_written_down),
        cmocka_unit_test(another_address_is_refused_unless_the_server_proves_that_it_moved),
        cmocka_unit_test(no_combination_breaks_the_rules),
        cmocka_unit_test(refusal_says_what_to_do_however_long_the_names_are),
        cmocka_unit_test(what_the_peer_says_cannot_write_on_the_terminal),
        HOME_TEST(trust_is_read_as_it_was_written),
        HOME_TEST(file_is_as_it_is_documented),
        HOME_TEST(file_that_makes_no_sense_is_no_first_contact),
        cmocka_unit_test(file_cut_short_anywhere_is_refused),
        HOME_TEST(file_that_others_can_change_is_not_used),
        HOME_TEST(trust_that_another_program_changed_is_not_overwritten),
        cmocka_unit_test(announced_key_is_kept_until_it_is_taken_back),
        cmocka_unit_test(announced_key_changes_nothing_where_an_authority_is_trusted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
