/* Unit tests of bench/load/settings.h: what a command line of kesher-bench says. */
#include "unit/unit.h"

#include "bench/load/settings.h"

enum { ARGUMENTS_LIMIT = 12 };

struct line {
    char *argv[ARGUMENTS_LIMIT];
    struct ks_settings settings;
};

/* Parses "kesher-bench" and `arguments`, which end in NULL. */
static bool parse(struct line *line, const char *const *arguments)
{
    int argc = 1;
    memset(line, 0, sizeof *line);
    line->argv[0] = (char *)"kesher-bench";
    for (; arguments[argc - 1] != NULL; argc++) {
        assert_true(argc < ARGUMENTS_LIMIT - 1);
        line->argv[argc] = (char *)arguments[argc - 1];
    }
    return ks_settings_parse(argc, line->argv, &line->settings);
}

#define PARSE(line, ...) parse(line, (const char *const[]){__VA_ARGS__, NULL})

static void assert_refused(const char *const *arguments, const char *reason)
{
    struct line line;
    assert_false(parse(&line, arguments));
    assert_string_equal(line.settings.reader.why, reason);
}

#define ASSERT_REFUSED(reason, ...) assert_refused((const char *const[]){__VA_ARGS__, NULL}, reason)

static void a_mode_alone_has_its_defaults(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "ask"));
    assert_int_equal(line.settings.mode, KS_BENCH_ASK);
    assert_string_equal(line.settings.server, "127.0.0.1:1729");
    assert_string_equal(line.settings.protocol, "kesher");
    assert_string_equal(line.settings.request, "NAME");
    assert_int_equal(line.settings.connections, 50);
    assert_int_equal(line.settings.depth, 1);
    assert_int_equal(line.settings.duration_ms, 5000);
    assert_null(line.settings.source);
    assert_false(line.settings.json || line.settings.quiet || line.settings.help);
    assert_int_equal(line.settings.pid, 0);
}

static void each_mode_is_known_by_its_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < KS_BENCH_MODES; i++) {
        struct line line;
        assert_true(PARSE(&line, ks_settings_mode_name((enum ks_bench_mode)i)));
        assert_int_equal(line.settings.mode, i);
        assert_non_null(line.settings.server);
    }
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "--connections", "7", "ask", "--depth=9", "--json", "--pid", "1"));
    assert_int_equal(line.settings.mode, KS_BENCH_ASK);
    assert_int_equal(line.settings.connections, 7);
    assert_int_equal(line.settings.depth, 9);
    assert_int_equal(line.settings.pid, 1);
    assert_true(line.settings.json);
}

static void the_last_of_two_wins(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "ask", "--depth", "2", "--depth", "3"));
    assert_int_equal(line.settings.depth, 3);
}

static void sizes_have_units_and_seconds_decimals(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "upload", "--size", "3K"));
    assert_int_equal(line.settings.size, 3072);
    assert_true(PARSE(&line, "upload", "--size", "2M"));
    assert_int_equal(line.settings.size, 2 << 20);
    assert_true(PARSE(&line, "upload", "--size", "3G"));
    assert_true(line.settings.size == UINT64_C(3) << 30);
    assert_true(PARSE(&line, "ask", "--duration", "0.25", "--warm-up", "0"));
    assert_int_equal(line.settings.duration_ms, 250);
    assert_int_equal(line.settings.warm_up_ms, 0);
}

#define TAKES_CONNECTIONS(value) "--connections: \"" value "\" does not fit; write a number from 1 to 1000000"
#define TAKES_DURATION(value)                                                                                \
    "--duration: \"" value "\" does not fit; write a time from 1ms to 1d, as in 90s, 10m or 1h; a number "   \
    "alone counts seconds"
#define TAKES_REQUEST(value) "--request: \"" value "\" does not fit; write one of: TIME, NAME, RAND, STAT"
#define TAKES_PROTOCOL(value)                                                                                \
    "--protocol: \"" value "\" does not fit; write one of: kesher redis memcached echo"
#define TAKES_SIZE(value)                                                                                    \
    "--size: \"" value                                                                                       \
    "\" does not fit; write a size from 1 to 4294967023, as in 512K, 64M or 1G; a number "                   \
    "alone counts bytes"

static const struct {
    const char *mode;
    const char *option;
    const char *value;
    const char *reason;
} senseless[] = {
    {"ask", "--connections", "0", TAKES_CONNECTIONS("0")},
    {"ask", "--connections", "-1", TAKES_CONNECTIONS("-1")},
    {"ask", "--connections", "1K", TAKES_CONNECTIONS("1K")},
    {"ask", "--connections", "1x", TAKES_CONNECTIONS("1x")},
    {"ask", "--connections", "", TAKES_CONNECTIONS("")},
    {"ask", "--connections", "1000001", TAKES_CONNECTIONS("1000001")},
    {"ask", "--connections", "99999999999999999999", TAKES_CONNECTIONS("99999999999999999999")},
    {"ask", "--depth", "4097", "--depth: \"4097\" does not fit; write a number from 1 to 4096"},
    {"ask", "--duration", "0", TAKES_DURATION("0")},
    {"ask", "--duration", "1y", TAKES_DURATION("1y")},
    {"ask", "--duration", "nan", TAKES_DURATION("nan")},
    {"ask", "--duration", "1e9", TAKES_DURATION("1e9")},
    {"ask", "--warm-up", "3601",
     "--warm-up: \"3601\" does not fit; write a time from 0 to 1h, as in 90s, 10m or 1h; a number alone "
     "counts "
     "seconds"},
    {"ask", "--request", "EXIT", TAKES_REQUEST("EXIT")},
    {"ask", "--request", "NAME TIME", TAKES_REQUEST("NAME TIME")},
    {"ask", "--request", "", TAKES_REQUEST("")},
    {"ask", "--protocol", "mqtt", TAKES_PROTOCOL("mqtt")},
    {"ask", "--protocol", "kes", TAKES_PROTOCOL("kes")},
    {"ask", "--protocol", "", "--protocol: \"\" does not fit; write a value that is not empty"},
    {"ask", "--server", "", "--server: \"\" does not fit; write a value that is not empty"},
    {"idle", "--protocol", "redis",
     "--protocol: \"redis\" does not fit; write one of: kesher ask chat mqtt plain"},
    {"upload", "--size", "0", TAKES_SIZE("0")},
    {"upload", "--size", "1KB", TAKES_SIZE("1KB")},
    {"upload", "--size", "4G", TAKES_SIZE("4G")},
    {"upload", "--size", "99999999999G", TAKES_SIZE("99999999999G")},
    {"echo", "--threads", "0", "--threads: \"0\" does not fit; write a number from 1 to 256"},
};

static void values_that_make_no_sense_are_refused_and_those_that_do_are_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < KS_COUNT_OF(senseless); i++) {
        struct line line;
        assert_false(PARSE(&line, senseless[i].mode, senseless[i].option, senseless[i].value));
        assert_string_equal(line.settings.reader.why, senseless[i].reason);
    }
    ASSERT_REFUSED("--depth: \"x\" does not fit; write a number from 1 to 4096", "ask", "--depth=x");
}

static void lines_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct line line;
    assert_false(parse(&line, (const char *const[]){NULL}));
    assert_string_equal(line.settings.reader.why, "a mode is missing; see kesher-bench --help");
    ASSERT_REFUSED("a mode is missing; see kesher-bench --help", "--json");
    ASSERT_REFUSED("\"asks\" is no mode; see kesher-bench --help", "asks");
    ASSERT_REFUSED("\"more\" is one word too many", "ask", "more");
    ASSERT_REFUSED("there is no option --depths; see kesher-bench --help", "ask", "--depths", "1");
    ASSERT_REFUSED("there is no option -depth; see kesher-bench --help", "ask", "-depth");
    ASSERT_REFUSED("--depth needs a value: --depth N", "ask", "--depth");
    ASSERT_REFUSED("--json takes no value", "ask", "--json=yes");
    ASSERT_REFUSED("idle does not take --depth; see kesher-bench idle --help", "idle", "--depth", "1");
    ASSERT_REFUSED("echo does not take --pid; see kesher-bench echo --help", "echo", "--pid", "1");
    ASSERT_REFUSED("\"\\x1b[31m\" is no mode; see kesher-bench --help", "\x1b[31m");
}

static void there_are_no_more_writers_than_members(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "chat", "--members", "3", "--writers", "3"));
    assert_false(PARSE(&line, "chat", "--members", "3", "--writers", "4"));
}

static void idle_goes_where_its_protocol_is_spoken(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "idle", "--protocol", "chat"));
    assert_string_equal(line.settings.server, "127.0.0.1:5555");
    assert_true(PARSE(&line, "idle", "--protocol", "ask"));
    assert_string_equal(line.settings.server, "127.0.0.1:1729");
    assert_true(PARSE(&line, "idle", "--protocol", "plain"));
    assert_string_equal(line.settings.server, "127.0.0.1:1357");
    assert_true(PARSE(&line, "idle", "--protocol", "chat", "--server", "h:1"));
    assert_string_equal(line.settings.server, "h:1");
}

static void what_is_secure_goes_to_the_secure_port(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "chat"));
    assert_false(line.settings.secure);
    assert_true(PARSE(&line, "chat", "--secure"));
    assert_true(line.settings.secure);
    assert_string_equal(line.settings.server, "127.0.0.1:1358");
    assert_true(PARSE(&line, "chat", "--secure", "--protocol", "nats", "--server", "[::1]:4222"));
    assert_string_equal(line.settings.server, "[::1]:4222");
    assert_true(PARSE(&line, "handshake"));
    assert_true(line.settings.secure);
    assert_string_equal(line.settings.server, "127.0.0.1:1358");
    assert_int_equal(line.settings.threads, 1);
    ASSERT_REFUSED("ask does not take --secure; see kesher-bench ask --help", "ask", "--secure");
    ASSERT_REFUSED("--secure: kesherd serves no ask over TLS; write --protocol kesher", "idle", "--secure",
                   "--protocol", "ask");
}

static void each_thread_has_a_connection(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "handshake", "--connections", "3", "--threads", "3"));
    ASSERT_REFUSED("--threads is more than there are connections", "handshake", "--connections", "3",
                   "--threads", "4");
}

static void help_needs_nothing_else(void **state)
{
    (void)state;
    struct line line;
    assert_true(PARSE(&line, "--help"));
    assert_true(line.settings.help);
    assert_int_equal(line.settings.mode, KS_BENCH_MODES);
    assert_true(PARSE(&line, "--version"));
    assert_true(line.settings.version);
    assert_true(PARSE(&line, "chat", "--help"));
    assert_true(line.settings.help);
    assert_int_equal(line.settings.mode, KS_BENCH_CHAT);
}

/* Each option is in the help of exactly the modes that take it. */
static void help_has_the_options_of_its_mode(void **state)
{
    (void)state;
    for (unsigned mode = 0; mode < KS_BENCH_MODES; mode++) {
        char *text = NULL;
        size_t size = 0;
        FILE *stream = open_memstream(&text, &size);
        assert_non_null(stream);
        ks_settings_print(stream, (enum ks_bench_mode)mode);
        assert_int_equal(fclose(stream), 0);
        for (size_t i = 0; i < ks_settings_table.count; i++) {
            const struct ks_option *option = &ks_settings_table.options[i];
            char name[40];
            (void)snprintf(name, sizeof name, "\n  --%s ", option->name);
            assert_int_equal(strstr(text, name) != NULL, (option->uses >> mode & 1) != 0);
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mode_alone_has_its_defaults),
        cmocka_unit_test(each_mode_is_known_by_its_name),
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(the_last_of_two_wins),
        cmocka_unit_test(sizes_have_units_and_seconds_decimals),
        cmocka_unit_test(values_that_make_no_sense_are_refused_and_those_that_do_are_told),
        cmocka_unit_test(lines_that_make_no_sense_are_refused),
        cmocka_unit_test(there_are_no_more_writers_than_members),
        cmocka_unit_test(idle_goes_where_its_protocol_is_spoken),
        cmocka_unit_test(what_is_secure_goes_to_the_secure_port),
        cmocka_unit_test(each_thread_has_a_connection),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(help_has_the_options_of_its_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
