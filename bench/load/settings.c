/* settings.c — see settings.h. One table of modes and one of options. */
#include "bench/load/settings.h"

#include "base/text.h"

#include <stdarg.h>
#include <string.h>

#define MODE(mode) (1u << (mode))

enum {
    ALL = (1u << KS_BENCH_MODES) - 1,
    UPLOAD = MODE(KS_BENCH_UPLOAD),
    SEND = MODE(KS_BENCH_SEND),
    PULL = MODE(KS_BENCH_PULL),
    CHAT = MODE(KS_BENCH_CHAT),
    ASK = MODE(KS_BENCH_ASK),
    IDLE = MODE(KS_BENCH_IDLE),
    HANDSHAKE = MODE(KS_BENCH_HANDSHAKE),
    USERS = MODE(KS_BENCH_USERS),
    ECHO = MODE(KS_BENCH_ECHO),
    CLIENTS = ALL & ~ECHO, /* modes that connect to a server; echo is one */
};

#define SECURE_SERVER "127.0.0.1:1358"

static const char requests[] = "TIME NAME RAND STAT";

/* Whether `list`, words with a blank between them, has this one. */
static bool has_word(const char *list, const char *word)
{
    size_t size = strlen(word);
    for (const char *next = list; *next != '\0'; next += strspn(next, " ")) {
        size_t next_size = strcspn(next, " ");
        if (next_size == size && memcmp(next, word, size) == 0)
            return true;
        next += next_size;
    }
    return false;
}

static const char *judge_request(const char *text)
{
    return has_word(requests, text) ? NULL : "one of: TIME, NAME, RAND, STAT";
}

#define MEMBER(name) KS_OPTION_MEMBER(struct ks_settings, name)

static const struct ks_option rows[] = {
    {"server", "HOST:PORT", KS_OPTION_TEXT, ALL, MEMBER(server),
     .help = "what is loaded; echo: where to listen"},
    {"protocol", "NAME", KS_OPTION_TEXT, SEND | CHAT | ASK | IDLE | HANDSHAKE, MEMBER(protocol),
     .help = "kesher, or the protocol of a server of another kind, to compare with"},
    {"secure", NULL, KS_OPTION_FLAG, CHAT | IDLE, MEMBER(secure),
     .help = "over TLS 1.3; of kesher, over its secure port, signed in"},
    {"connections", "N", KS_OPTION_COUNT, CLIENTS & ~CHAT, MEMBER(connections),
     .help = "connections at a time", .least = 1, .most = 1000000},
    {"depth", "N", KS_OPTION_COUNT, UPLOAD | SEND | ASK | USERS, MEMBER(depth),
     .help = "requests on their way on each connection", .least = 1, .most = 4096},
    {"size", "SIZE", KS_OPTION_SIZE, UPLOAD | SEND | PULL | CHAT, MEMBER(size),
     .help = "of a file, a message, a line", .unit = 1, .least = 1, .most = UINT64_C(4294967023)},
    {"files", "N", KS_OPTION_COUNT, UPLOAD, MEMBER(files), .help = "files of each connection", .least = 1,
     .most = 100000000},
    {"one-user", NULL, KS_OPTION_FLAG, UPLOAD, MEMBER(one_user),
     .help = "all connections are sessions of one user"},
    {"messages", "N", KS_OPTION_COUNT, SEND | PULL, MEMBER(messages),
     .help = "send: in all, 0 for as many as fit the duration; pull: waiting for each receiver", .least = 0,
     .most = 100000000},
    {"receivers", "N", KS_OPTION_COUNT, SEND, MEMBER(receivers),
     .help = "users that are sent to; 0 for one per sender", .least = 0, .most = 1000000},
    {"keep", NULL, KS_OPTION_FLAG, SEND, MEMBER(keep),
     .help = "leave the messages on the server, and do not verify them"},
    {"members", "N", KS_OPTION_COUNT, CHAT, MEMBER(members), .help = "of the group", .least = 2,
     .most = 100000},
    {"writers", "N", KS_OPTION_COUNT, CHAT, MEMBER(writers), .help = "members who write", .least = 1,
     .most = 100000},
    {"window", "N", KS_OPTION_COUNT, CHAT, MEMBER(window),
     .help = "lines of a writer that not everybody has heard yet", .least = 1, .most = 65536},
    {"request", "NAME", KS_OPTION_TEXT, ASK, MEMBER(request), .help = "TIME, NAME, RAND or STAT",
     .judge = judge_request},
    {"threads", "N", KS_OPTION_COUNT, ECHO | HANDSHAKE, MEMBER(threads),
     .help = "that echo, or share the connections", .least = 1, .most = 256},
    {"count", "N", KS_OPTION_COUNT, USERS, MEMBER(count), .help = "users to register", .least = 1,
     .most = 10000000},
    {"duration", "TIME", KS_OPTION_DURATION, SEND | CHAT | ASK | IDLE | HANDSHAKE, MEMBER(duration_ms),
     .help = "of the measurement", .unit = KS_OPTION_SECOND, .least = 1, .most = 86400000},
    {"warm-up", "TIME", KS_OPTION_DURATION, SEND | CHAT | ASK | HANDSHAKE, MEMBER(warm_up_ms),
     .help = "before it", .unit = KS_OPTION_SECOND, .least = 0, .most = 3600000},
    {"awake", NULL, KS_OPTION_FLAG, SEND | CHAT | ASK | HANDSHAKE, MEMBER(awake),
     .help = "look for answers without sleeping, on a core of one's own: the server wakes nobody"},
    {"source", "ADDR", KS_OPTION_TEXT, CLIENTS, MEMBER(source), .help = "the first address to connect from"},
    {"sources", "N", KS_OPTION_COUNT, CLIENTS, MEMBER(sources),
     .help = "addresses in a row to connect from; 0 for as many as ports need", .least = 0, .most = 65536},
    {"pid", "PID", KS_OPTION_COUNT, CLIENTS, MEMBER(pid),
     .help = "of the server: tells its CPU time and memory", .least = 0, .most = INT32_MAX},
    {"json", NULL, KS_OPTION_FLAG, ALL, MEMBER(json),
     .help = "print the result as one JSON object on one line"},
    {"quiet", NULL, KS_OPTION_FLAG, ALL, MEMBER(quiet), .help = "show no progress"},
    {"help", NULL, KS_OPTION_FLAG, ALL, MEMBER(help), .help = "show help and exit"},
    {"version", NULL, KS_OPTION_FLAG, ALL, MEMBER(version), .help = "show the version and exit"},
};

const struct ks_option_table ks_settings_table = {
    .manual = "kesher-bench --help", .options = rows, .count = sizeof rows / sizeof rows[0]};

static const struct {
    const char *name;
    const char *help;
    struct ks_settings defaults;
    const char *protocols; /* that it speaks, with blanks between them; NULL: it does not ask here */
} modes[KS_BENCH_MODES] = {
    [KS_BENCH_UPLOAD] =
        {"upload",
         "encrypted files, each confirmed; contents up to 4 MiB are encrypted once per connection "
         "and sent again under other names",
         {.server = "127.0.0.1:1357", .connections = 1, .depth = 1, .size = UINT64_C(1) << 20, .files = 100},
         NULL},
    [KS_BENCH_SEND] = {"send",
                       "durable messages",
                       {.server = "127.0.0.1:1357",
                        .connections = 50,
                        .depth = 1,
                        .size = 64,
                        .duration_ms = 5000,
                        .warm_up_ms = 500},
                       "kesher redis mqtt"},
    [KS_BENCH_PULL] = {"pull",
                       "waiting messages",
                       {.server = "127.0.0.1:1357", .connections = 1, .size = 64, .messages = 100000},
                       NULL},
    [KS_BENCH_CHAT] = {"chat",
                       "a group that talks",
                       {.server = "127.0.0.1:5555",
                        .members = 100,
                        .writers = 1,
                        .window = 1,
                        .size = 64,
                        .duration_ms = 5000,
                        .warm_up_ms = 500},
                       "kesher redis nats irc mqtt"},
    [KS_BENCH_ASK] = {"ask",
                      "requests of four letters",
                      {.server = "127.0.0.1:1729",
                       .connections = 50,
                       .depth = 1,
                       .request = "NAME",
                       .duration_ms = 5000,
                       .warm_up_ms = 500},
                      "kesher redis memcached echo"},
    [KS_BENCH_IDLE] = {"idle",
                       "connections that do nothing",
                       {.server = "127.0.0.1:1357", .connections = 10000, .duration_ms = 2000},
                       "kesher ask chat mqtt plain"},
    [KS_BENCH_HANDSHAKE] = {"handshake",
                            "TLS 1.3 connections that are made and ended, without resumption",
                            {.server = SECURE_SERVER,
                             .connections = 64,
                             .duration_ms = 5000,
                             .warm_up_ms = 500,
                             .threads = 1,
                             .secure = true},
                            "kesher plain"},
    [KS_BENCH_USERS] = {"users",
                        "registrations, and the list",
                        {.server = "127.0.0.1:1357", .connections = 256, .depth = 4, .count = 10000},
                        NULL},
    [KS_BENCH_ECHO] = {"echo",
                       "no load: a server that sends back what comes, to compare others with",
                       {.server = "127.0.0.1:7777", .protocol = "echo", .threads = 1},
                       NULL},
};

const char *ks_settings_mode_name(enum ks_bench_mode mode)
{
    return modes[mode].name;
}

const char *ks_settings_mode_help(enum ks_bench_mode mode)
{
    return modes[mode].help;
}

const char *ks_settings_mode_protocols(enum ks_bench_mode mode)
{
    return modes[mode].protocols;
}

/* idle fills any port. */
static const char *default_server(enum ks_bench_mode mode, const char *protocol, bool secure)
{
    if (secure)
        return SECURE_SERVER;
    if (mode == KS_BENCH_IDLE && strcmp(protocol, "chat") == 0)
        return modes[KS_BENCH_CHAT].defaults.server;
    if (mode == KS_BENCH_IDLE && strcmp(protocol, "ask") == 0)
        return modes[KS_BENCH_ASK].defaults.server;
    return modes[mode].defaults.server;
}

static bool fail(struct ks_settings *settings, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(struct ks_settings *settings, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(settings->reader.why, sizeof settings->reader.why, format, arguments);
    va_end(arguments);
    return false;
}

static bool fail_for_word(struct ks_settings *settings, const char *what, const char *word)
{
    char shown[100];
    return fail(settings, "\"%s\" %s", ks_text_escape(word, strlen(word), shown, sizeof shown), what);
}

/* ---- the line ---- */

/* Reads all into `settings`, over what is there. The only operand is *mode, NULL when there is none. */
static bool parse_into(int argc, char **argv, struct ks_settings *settings, const char **mode)
{
    const char *operand = NULL;
    *mode = NULL;
    settings->reader = ks_option_reader_on(&ks_settings_table, settings, argc, argv);
    while (ks_option_next_operand(&settings->reader, &operand)) {
        if (*mode != NULL)
            return fail_for_word(settings, "is one word too many", operand);
        *mode = operand;
    }
    return settings->reader.why[0] == '\0';
}

static bool find_mode(const char *name, enum ks_bench_mode *mode)
{
    for (unsigned i = 0; i < KS_BENCH_MODES; i++)
        if (strcmp(modes[i].name, name) == 0) {
            *mode = (enum ks_bench_mode)i;
            return true;
        }
    return false;
}

/* What only the mode knows to be wrong. */
static bool judge(struct ks_settings *settings)
{
    const char *protocols = modes[settings->mode].protocols;
    const struct ks_option *unwelcome = ks_option_unwelcome(&settings->reader, MODE(settings->mode));
    if (unwelcome != NULL)
        return fail(settings, "%s does not take --%s; see kesher-bench %s --help", modes[settings->mode].name,
                    unwelcome->name, modes[settings->mode].name);
    if (protocols != NULL && !has_word(protocols, settings->protocol))
        return fail(settings, "--protocol: \"%s\" does not fit; write one of: %s", settings->protocol,
                    protocols);
    if (settings->mode == KS_BENCH_HANDSHAKE && settings->threads > settings->connections)
        return fail(settings, "--threads is more than there are connections");
    if (settings->secure && has_word("ask chat", settings->protocol))
        return fail(settings, "--secure: kesherd serves no %s over TLS; write --protocol kesher",
                    settings->protocol);
    if (settings->mode == KS_BENCH_CHAT && settings->writers > settings->members)
        return fail(settings, "--writers is more than there are members");
    if (settings->mode == KS_BENCH_CHAT && settings->size < KS_SETTINGS_LEAST_LINE)
        return fail(settings, "--size is too small to tell lines apart");
    return true;
}

bool ks_settings_parse(int argc, char **argv, struct ks_settings *settings)
{
    const char *mode = NULL;
    *settings = (struct ks_settings){.mode = KS_BENCH_MODES};
    if (!parse_into(argc, argv, settings, &mode))
        return false;
    if (mode == NULL)
        return settings->help || settings->version ||
               fail(settings, "a mode is missing; see kesher-bench --help");
    enum ks_bench_mode found = KS_BENCH_MODES;
    if (!find_mode(mode, &found))
        return fail_for_word(settings, "is no mode; see kesher-bench --help", mode);
    /* Once more, over the defaults of the mode. */
    *settings = modes[found].defaults;
    settings->mode = found;
    if (settings->protocol == NULL)
        settings->protocol = "kesher";
    (void)parse_into(argc, argv, settings, &mode);
    if (!ks_option_was_given(&settings->reader, &settings->server))
        settings->server = default_server(found, settings->protocol, settings->secure);
    return settings->help || judge(settings);
}

/* ---- help ---- */

void ks_settings_print(FILE *stream, enum ks_bench_mode mode)
{
    unsigned wanted = mode == KS_BENCH_MODES ? ALL : MODE(mode);
    (void)fprintf(stream, "usage: kesher-bench %s [--OPTION VALUE]...\n\n",
                  mode == KS_BENCH_MODES ? "MODE" : modes[mode].name);
    if (mode == KS_BENCH_MODES) {
        (void)fputs("Loads a kesher server, verifies what it does, and tells how fast it was.\n\nModes:\n",
                    stream);
        for (size_t i = 0; i < KS_BENCH_MODES; i++)
            (void)fprintf(stream, "  %-22s %s\n", modes[i].name, modes[i].help);
        (void)fputs("\nOptions (kesher-bench MODE --help: those of a mode, with its defaults):\n", stream);
    } else {
        (void)fprintf(stream, "Load: %s.\n", modes[mode].help);
        if (modes[mode].protocols != NULL)
            (void)fprintf(stream, "Protocols: %s.\n", modes[mode].protocols);
        (void)fputs("\nOptions:\n", stream);
    }
    ks_option_print(stream, &ks_settings_table, wanted,
                    mode == KS_BENCH_MODES ? NULL : &modes[mode].defaults);
}
