/* Unit tests of bench/load/resolve.h, with a resolver that answers as the test says, and of the words for a
 * lost connection of bench/load/run.h. */
#include "unit/unit.h"

#include "bench/load/resolve.h"
#include "bench/load/run.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>

enum { REASON_SIZE = 200, LAST_BYTE_V6 = 66, LAST_BYTE_V4 = 44 };

static struct sockaddr_in6 sixth = {.sin6_family = AF_INET6};
static struct sockaddr_in fourth = {.sin_family = AF_INET};
static struct addrinfo answer_v4, answer_v6;
static struct addrinfo *answers; /* NULL: the name is not known */
static char asked_host[100], asked_port[20];

/* In the place of the C library's, whose parameters have names that are reserved for it.
 * NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **found)
{
    assert_int_equal(hints->ai_socktype, SOCK_STREAM);
    (void)snprintf(asked_host, sizeof asked_host, "%s", host);
    (void)snprintf(asked_port, sizeof asked_port, "%s", port);
    *found = answers;
    return answers != NULL ? 0 : EAI_NONAME;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): likewise */
void freeaddrinfo(struct addrinfo *found)
{
    assert_ptr_equal(found, answers);
}

static int set_up(void **state)
{
    (void)state;
    sixth.sin6_addr.s6_addr[15] = LAST_BYTE_V6;
    fourth.sin_addr.s_addr = htonl(LAST_BYTE_V4);
    answer_v4 = (struct addrinfo){
        .ai_family = AF_INET, .ai_addr = (struct sockaddr *)&fourth, .ai_addrlen = sizeof fourth};
    answer_v6 = (struct addrinfo){
        .ai_family = AF_INET6, .ai_addr = (struct sockaddr *)&sixth, .ai_addrlen = sizeof sixth};
    answers = NULL;
    return 0;
}

/* Resolves, and tells which of the two came of it. */
static int resolve(const char *text)
{
    struct sockaddr_storage address = {0};
    socklen_t size = 0;
    char reason[REASON_SIZE] = "";
    assert_int_equal(ks_resolve_address(text, &address, &size, reason, sizeof reason), KS_OK);
    assert_int_equal(size, address.ss_family == AF_INET ? sizeof fourth : sizeof sixth);
    assert_memory_equal(&address, address.ss_family == AF_INET ? (void *)&fourth : (void *)&sixth, size);
    return address.ss_family;
}

static void of_several_addresses_the_one_of_ipv4_is_taken(void **state)
{
    (void)state;
    answers = &answer_v6;
    answer_v6.ai_next = &answer_v4;
    assert_int_equal(resolve("localhost:1357"), AF_INET);
    answers = &answer_v4;
    answer_v6.ai_next = NULL;
    answer_v4.ai_next = &answer_v6;
    assert_int_equal(resolve("localhost:1357"), AF_INET);
}

static void a_name_without_one_of_ipv4_has_its_first(void **state)
{
    (void)state;
    answers = &answer_v6;
    assert_int_equal(resolve("[::42]:80"), AF_INET6);
    assert_string_equal(asked_host, "::42");
    assert_string_equal(asked_port, "80");
}

static void what_is_no_address_or_not_known_is_told(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "host", "host:", ":1", "[]:1"};
    struct sockaddr_storage address;
    socklen_t size = 0;
    char reason[REASON_SIZE];
    for (size_t i = 0; i < KS_COUNT_OF(wrong); i++) {
        char expected[REASON_SIZE];
        (void)snprintf(expected, sizeof expected, "'%s' is not HOST:PORT", wrong[i]);
        assert_int_equal(ks_resolve_address(wrong[i], &address, &size, reason, sizeof reason), KS_INVALID);
        assert_string_equal(reason, expected);
    }
    assert_int_equal(ks_resolve_address("nobody:1", &address, &size, reason, sizeof reason), KS_NOT_FOUND);
    assert_non_null(strstr(reason, "cannot resolve 'nobody:1': "));
}

/* What a run says that has lost a connection to a server of this protocol. */
static void assert_lost(const char *protocol, int error, const char *reason)
{
    const struct ks_settings settings = {.protocol = protocol};
    struct ks_run *run = calloc(1, sizeof *run);
    assert_non_null(run);
    run->settings = &settings;
    ks_run_lost(run, "asking", error);
    assert_true(run->failed);
    assert_string_equal(run->reason, reason);
    free(run);
}

#define OURS                                                                                                 \
    "asking: the server has ended the connection; of kesherd, see its log, --connections and "               \
    "--unlimited-networks"

static void only_of_our_own_server_options_are_named(void **state)
{
    (void)state;
    assert_lost("kesher", 0, OURS);
    assert_lost("chat", 0, OURS); /* of idle */
    assert_lost("ask", 0, OURS);
    assert_lost("redis", 0, "asking: the server has ended the connection");
    assert_lost("plain", 0, "asking: the server has ended the connection");
    assert_lost("kesher", ECONNREFUSED, "asking: Connection refused");
    assert_lost("redis", ECONNRESET, "asking: Connection reset by peer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(of_several_addresses_the_one_of_ipv4_is_taken, set_up),
        cmocka_unit_test_setup(a_name_without_one_of_ipv4_has_its_first, set_up),
        cmocka_unit_test_setup(what_is_no_address_or_not_known_is_told, set_up),
        cmocka_unit_test(only_of_our_own_server_options_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
