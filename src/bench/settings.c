/* settings.c — see settings.h. One table of modes and one of options; parsing and help come from both. */
#include "bench/settings.h"

#include "base/text.h"
#include "bench/chat_lines.h"

#include <errno.h>
#include <stdlib.h>
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
    USERS = MODE(KS_BENCH_USERS),
    ECHO = MODE(KS_BENCH_ECHO),
    CLIENTS = ALL & ~ECHO, /* modes that connect to a server; echo is one */
};

enum value_kind { TEXT, PROTOCOL, REQUEST, NUMBER, SIZE, SECONDS, SWITCH };

struct option_kind {
    const char *name;
    const char *value; /* what the help calls its value; NULL for a switch */
    enum value_kind kind;
    unsigned modes;
    size_t offset; /* of its member in struct ks_settings */
    uint64_t least;
    uint64_t most;
    const char *help;
};

#define MEMBER(name) offsetof(struct ks_settings, name)

static const struct option_kind kinds[] = {
    {"server", "HOST:PORT", TEXT, ALL, MEMBER(server), 0, 0, "what is loaded; echo: where to listen"},
    {"protocol", "NAME", PROTOCOL, SEND | CHAT | ASK | IDLE, MEMBER(protocol), 0, 0,
     "kesher, or the protocol of a server of another kind, to compare with"},
    {"connections", "N", NUMBER, CLIENTS & ~CHAT, MEMBER(connections), 1, 1000000, "connections at a time"},
    {"depth", "N", NUMBER, UPLOAD | SEND | ASK | USERS, MEMBER(depth), 1, 4096,
     "requests on their way on each connection"},
    {"size", "BYTES", SIZE, UPLOAD | SEND | PULL | CHAT, MEMBER(size), 1, UINT64_C(4294967023),
     "of a file, a message, a line; K, M and G are powers of 1024"},
    {"files", "N", NUMBER, UPLOAD, MEMBER(files), 1, 100000000, "files of each connection"},
    {"one-user", NULL, SWITCH, UPLOAD, MEMBER(one_user), 0, 0, "all connections are sessions of one user"},
    {"messages", "N", NUMBER, SEND | PULL, MEMBER(messages), 0, 100000000,
     "send: in all, 0 for as many as fit the duration; pull: waiting for each receiver"},
    {"receivers", "N", NUMBER, SEND, MEMBER(receivers), 0, 1000000,
     "users that are sent to; 0 for one per sender"},
    {"keep", NULL, SWITCH, SEND, MEMBER(keep), 0, 0,
     "leave the messages on the server, and do not verify them"},
    {"members", "N", NUMBER, CHAT, MEMBER(members), 2, 100000, "of the group"},
    {"writers", "N", NUMBER, CHAT, MEMBER(writers), 1, 100000, "members who write"},
    {"window", "N", NUMBER, CHAT, MEMBER(window), 1, 65536,
     "lines of a writer that not everybody has heard yet"},
    {"request", "NAME", REQUEST, ASK, MEMBER(request), 0, 0, "TIME, NAME, RAND or STAT"},
    {"threads", "N", NUMBER, ECHO, MEMBER(threads), 1, 256, "that echo, each on its own"},
    {"count", "N", NUMBER, USERS, MEMBER(count), 1, 10000000, "users to register"},
    {"duration", "SECONDS", SECONDS, SEND | CHAT | ASK | IDLE, MEMBER(duration_ms), 1, 86400000,
     "of the measurement"},
    {"warm-up", "SECONDS", SECONDS, SEND | CHAT | ASK, MEMBER(warm_up_ms), 0, 3600000, "before it"},
    {"source", "ADDR", TEXT, CLIENTS, MEMBER(source), 0, 0, "the first address to connect from"},
    {"sources", "N", NUMBER, CLIENTS, MEMBER(sources), 0, 65536,
     "addresses in a row to connect from; 0 for as many as ports need"},
    {"pid", "PID", NUMBER, CLIENTS, MEMBER(pid), 0, INT32_MAX,
     "of the server: tells its CPU time and memory"},
    {"json", NULL, SWITCH, ALL, MEMBER(json), 0, 0, "print the result as one JSON object on one line"},
    {"quiet", NULL, SWITCH, ALL, MEMBER(quiet), 0, 0, "show no progress"},
    {"help", NULL, SWITCH, ALL, MEMBER(help), 0, 0, "show help and exit"},
    {"version", NULL, SWITCH, ALL, MEMBER(version), 0, 0, "show the version and exit"},
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

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
         {.connections = 1, .depth = 1, .size = UINT64_C(1) << 20, .files = 100},
         NULL},
    [KS_BENCH_SEND] = {"send",
                       "durable messages",
                       {.connections = 50, .depth = 1, .size = 64, .duration_ms = 5000, .warm_up_ms = 500},
                       "kesher redis mqtt"},
    [KS_BENCH_PULL] = {"pull", "waiting messages", {.connections = 1, .size = 64, .messages = 100000}, NULL},
    [KS_BENCH_CHAT] =
        {"chat",
         "a group that talks",
         {.members = 100, .writers = 1, .window = 1, .size = 64, .duration_ms = 5000, .warm_up_ms = 500},
         "kesher redis nats irc mqtt"},
    [KS_BENCH_ASK] =
        {"ask",
         "requests of four letters",
         {.connections = 50, .depth = 1, .request = "NAME", .duration_ms = 5000, .warm_up_ms = 500},
         "kesher redis memcached echo"},
    [KS_BENCH_IDLE] = {"idle",
                       "connections that do nothing",
                       {.connections = 10000, .duration_ms = 2000},
                       "kesher ask chat mqtt plain"},
    [KS_BENCH_USERS] = {"users",
                        "registrations, and the list",
                        {.connections = 256, .depth = 4, .count = 10000},
                        NULL},
    [KS_BENCH_ECHO] = {"echo",
                       "no load: a server that sends back what comes, to compare others with",
                       {.protocol = "echo", .threads = 1},
                       NULL},
};

static const char default_binary_server[] = "127.0.0.1:1357";
static const char requests[] = "TIME NAME RAND STAT";

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

static const char *default_server(enum ks_bench_mode mode)
{
    if (mode == KS_BENCH_CHAT)
        return "127.0.0.1:5555";
    if (mode == KS_BENCH_ECHO)
        return "127.0.0.1:7777";
    return mode == KS_BENCH_ASK ? "127.0.0.1:1729" : default_binary_server;
}

/* idle fills any port. */
static const char *default_server_of_protocol(enum ks_bench_mode mode, const char *protocol)
{
    if (mode == KS_BENCH_IDLE && strcmp(protocol, "chat") == 0)
        return default_server(KS_BENCH_CHAT);
    if (mode == KS_BENCH_IDLE && strcmp(protocol, "ask") == 0)
        return default_server(KS_BENCH_ASK);
    return default_server(mode);
}

static bool fail(char *reason, size_t capacity, const char *what, const char *name)
{
    char shown[100];
    ks_text_escape(name, strlen(name), shown, sizeof shown);
    (void)snprintf(reason, capacity, "'%s' %s", shown, what);
    return false;
}

/* ---- values ---- */

/* A whole number, with K, M or G behind it where `sizes` says so. */
static bool parse_whole(const char *text, bool sizes, uint64_t *value)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    unsigned shift = 0;
    if (sizes && *end != '\0' && end[1] == '\0') {
        const char *unit = strchr("KMG", *end);
        if (unit == NULL)
            return false;
        shift = 10 * (*end == 'K' ? 1u : *end == 'M' ? 2u : 3u);
        end++;
    }
    if (errno != 0 || *end != '\0' || number > UINT64_MAX >> shift)
        return false;
    *value = (uint64_t)number << shift;
    return true;
}

/* "1.5" seconds to 1500. */
static bool parse_seconds(const char *text, uint64_t *milliseconds)
{
    char *end = NULL;
    if (text[0] < '0' || text[0] > '9')
        return false;
    double seconds = strtod(text, &end);
    if (*end != '\0' || !(seconds <= 1e6))
        return false;
    *milliseconds = (uint64_t)(seconds * 1000 + 0.5);
    return true;
}

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

static bool is_text(enum value_kind kind)
{
    return kind == TEXT || kind == PROTOCOL || kind == REQUEST;
}

static bool text_makes_sense(enum ks_bench_mode mode, enum value_kind kind, const char *text)
{
    if (kind == PROTOCOL && mode < KS_BENCH_MODES && modes[mode].protocols != NULL)
        return has_word(modes[mode].protocols, text);
    if (kind == REQUEST)
        return has_word(requests, text);
    return text[0] != '\0';
}

static bool set_value(struct ks_settings *settings, const struct option_kind *kind, const char *value)
{
    uint64_t number = 0;
    if (is_text(kind->kind)) {
        memcpy((char *)settings + kind->offset, (const void *)&value, sizeof value);
        return text_makes_sense(settings->mode, kind->kind, value);
    }
    if (kind->kind == SECONDS ? !parse_seconds(value, &number)
                              : !parse_whole(value, kind->kind == SIZE, &number))
        return false;
    memcpy((char *)settings + kind->offset, &number, sizeof number);
    return number >= kind->least && number <= kind->most;
}

/* Says which values an option takes, after one that it does not. */
static bool fail_for_value(enum ks_bench_mode mode, const struct option_kind *kind, char *reason,
                           size_t capacity)
{
    unsigned long long least = kind->least;
    unsigned long long most = kind->most;
    if (kind->kind == PROTOCOL && mode < KS_BENCH_MODES && modes[mode].protocols != NULL)
        (void)snprintf(reason, capacity, "'--%s' takes one of: %s", kind->name, modes[mode].protocols);
    else if (kind->kind == REQUEST)
        (void)snprintf(reason, capacity, "'--%s' takes one of: %s", kind->name, requests);
    else if (is_text(kind->kind))
        (void)snprintf(reason, capacity, "'--%s' takes a value that is not empty", kind->name);
    else if (kind->kind == SECONDS)
        (void)snprintf(reason, capacity, "'--%s' takes %g to %g seconds", kind->name, (double)least / 1000,
                       (double)most / 1000);
    else if (kind->kind == SIZE)
        (void)snprintf(reason, capacity, "'--%s' takes %llu to %llu bytes, or so many K, M or G", kind->name,
                       least, most);
    else
        (void)snprintf(reason, capacity, "'--%s' takes %llu to %llu", kind->name, least, most);
    return false;
}

/* ---- the line ---- */

static const struct option_kind *find_kind(const char *name, size_t size)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strlen(kinds[i].name) == size && memcmp(kinds[i].name, name, size) == 0)
            return &kinds[i];
    return NULL;
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

static bool is_option(const char *text)
{
    return text[0] == '-' && text[1] != '\0';
}

/* The first word that is neither an option nor an option's value is the mode. */
static bool parse_mode(int argc, char **argv, struct ks_settings *settings, char *reason, size_t capacity)
{
    for (int i = 1; i < argc; i++) {
        if (!is_option(argv[i]))
            return find_mode(argv[i], &settings->mode) ||
                   fail(reason, capacity, "is no mode; see kesher-bench --help", argv[i]);
        const char *name = argv[i] + (argv[i][1] == '-' ? 2 : 1);
        const struct option_kind *kind = find_kind(name, strlen(name));
        if (kind != NULL && kind->kind != SWITCH)
            i++;
        else if (kind != NULL && (kind->offset == MEMBER(help) || kind->offset == MEMBER(version)))
            return true;
    }
    (void)snprintf(reason, capacity, "a mode is missing; see kesher-bench --help");
    return false;
}

/* One option at argv[*index]; moves *index over a value of its own. */
static bool parse_option(int argc, char **argv, int *index, struct ks_settings *settings, char *reason,
                         size_t capacity)
{
    const char *text = argv[*index];
    const char *name = strncmp(text, "--", 2) == 0 ? text + 2 : "";
    size_t size = strcspn(name, "=");
    const struct option_kind *kind = find_kind(name, size);
    const bool on = true;
    if (kind == NULL)
        return fail(reason, capacity, "is no option; see kesher-bench --help", text);
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    if (settings->mode < KS_BENCH_MODES && (kind->modes & MODE(settings->mode)) == 0)
        return fail(reason, capacity, "is no option of this mode", text);
    if (kind->kind == SWITCH) {
        if (value != NULL)
            return fail(reason, capacity, "takes no value", text);
        memcpy((char *)settings + kind->offset, &on, sizeof on);
        return true;
    }
    if (value == NULL && *index + 1 < argc)
        value = argv[++*index];
    if (value == NULL)
        return fail(reason, capacity, "needs a value", text);
    return set_value(settings, kind, value) || fail_for_value(settings->mode, kind, reason, capacity);
}

bool ks_settings_parse(int argc, char **argv, struct ks_settings *settings, char *reason,
                       size_t reason_capacity)
{
    bool mode_seen = false;
    *settings = (struct ks_settings){.mode = KS_BENCH_MODES};
    if (!parse_mode(argc, argv, settings, reason, reason_capacity))
        return false;
    enum ks_bench_mode mode = settings->mode;
    if (mode < KS_BENCH_MODES)
        *settings = modes[mode].defaults;
    settings->mode = mode;
    if (settings->protocol == NULL)
        settings->protocol = "kesher";
    for (int i = 1; i < argc; i++) {
        if (is_option(argv[i])) {
            if (!parse_option(argc, argv, &i, settings, reason, reason_capacity))
                return false;
        } else if (mode_seen) {
            return fail(reason, reason_capacity, "is one word too many", argv[i]);
        } else {
            mode_seen = true;
        }
    }
    if (settings->server == NULL && mode < KS_BENCH_MODES)
        settings->server = default_server_of_protocol(mode, settings->protocol);
    if (mode == KS_BENCH_CHAT && settings->writers > settings->members)
        return fail(reason, reason_capacity, "is more than there are members", "--writers");
    if (mode == KS_BENCH_CHAT && settings->size <= KS_CHAT_LEAST_TEXT)
        return fail(reason, reason_capacity, "is too small to tell lines apart", "--size");
    return true;
}

/* ---- help ---- */

static void print_default(FILE *stream, const struct option_kind *kind, enum ks_bench_mode mode)
{
    uint64_t number = 0;
    if (mode == KS_BENCH_MODES)
        return;
    if (kind->offset == MEMBER(server))
        (void)fprintf(stream, " [%s]", default_server(mode));
    if (kind->kind == PROTOCOL && modes[mode].protocols != NULL)
        (void)fprintf(stream, ": %s", modes[mode].protocols);
    if (kind->kind == REQUEST)
        (void)fprintf(stream, " [%s]", modes[mode].defaults.request);
    if (is_text(kind->kind) || kind->kind == SWITCH)
        return;
    memcpy(&number, (const char *)&modes[mode].defaults + kind->offset, sizeof number);
    if (kind->kind == SECONDS)
        (void)fprintf(stream, " [%g]", (double)number / 1000);
    else if (number != 0)
        (void)fprintf(stream, " [%llu]", (unsigned long long)number);
}

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
        (void)fprintf(stream, "Load: %s.\n\nOptions:\n", modes[mode].help);
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        char form[40];
        if ((kinds[i].modes & wanted) == 0)
            continue;
        (void)snprintf(form, sizeof form, "--%s%s%s", kinds[i].name, kinds[i].value != NULL ? " " : "",
                       kinds[i].value != NULL ? kinds[i].value : "");
        (void)fprintf(stream, "  %-22s %s", form, kinds[i].help);
        print_default(stream, &kinds[i], mode);
        (void)fputc('\n', stream);
    }
}

size_t ks_settings_count(void)
{
    return KIND_COUNT;
}

struct ks_settings_row ks_settings_row(size_t index)
{
    const struct option_kind *kind = &kinds[index];
    return (struct ks_settings_row){
        .name = kind->name, .value = kind->value, .help = kind->help, .modes = kind->modes};
}
