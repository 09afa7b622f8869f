/* options.c — see options.h. */
#include "server/options.h"

#include "base/networks.h"
#include "service/environment.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_type {
    OPTION_TEXT,
    OPTION_NETWORKS, /* a text, too */
    OPTION_NUMBER,
    OPTION_LOG_LEVEL,
    OPTION_PUBLIC_IDS,
    OPTION_STAT,
};

struct option_rule {
    const char *name;
    const char *value; /* how --help calls it */
    enum option_type type;
    unsigned offset;
    unsigned smallest;
    unsigned largest;
    bool reloads; /* a SIGHUP changes it; else only a new start does */
    const char *help;
};

#define FIELD(name) (unsigned)offsetof(struct ks_options, name)

enum { FIXED = false, RELOADS = true };

static const struct option_rule option_rules[] = {
    {"data", "DIR", OPTION_TEXT, FIELD(data), 0, 0, FIXED,
     "where everything is kept (default: $STATE_DIRECTORY, else ./kesher-data)"},
    {"listen", "ADDR:PORT", OPTION_TEXT, FIELD(listen), 0, 0, FIXED,
     "file drop and messages, or off (default: 127.0.0.1 and the port in myport.info, else 1357)"},
    {"chat", "ADDR:PORT", OPTION_TEXT, FIELD(chat), 0, 0, FIXED,
     "group chat, or off (default: 127.0.0.1:5555)"},
    {"ask", "ADDR:PORT", OPTION_TEXT, FIELD(ask), 0, 0, FIXED, "ask, or off (default: 127.0.0.1:1729)"},
    {"metrics", "ADDR:PORT", OPTION_TEXT, FIELD(metrics), 0, 0, FIXED,
     "metrics and health for monitors; only a port means 127.0.0.1 (default: off)"},
    {"name", "NAME", OPTION_TEXT, FIELD(name), 0, 0, FIXED,
     "what ask tells as the server's name (default kesher)"},
    {"stat", "HOW", OPTION_STAT, FIELD(stat), 0, 0, RELOADS,
     "what ask tells strangers: plain, or full with the numbers of users and groups (default plain)"},
    {"workers", "N", OPTION_NUMBER, FIELD(workers), 0, 64, FIXED,
     "threads for connections (default 0: one per core)"},
    {"log-level", "LEVEL", OPTION_LOG_LEVEL, FIELD(log_level), 0, 0, RELOADS,
     "error, warning, notice, info or debug (default info)"},
    {"connections", "N", OPTION_NUMBER, FIELD(connections), 0, 1000000, RELOADS,
     "at a time; at the limit the longest-idle one makes room (default 0: 20000, or what the system allows)"},
    {"buffers", "MIB", OPTION_NUMBER, FIELD(buffers), 0, 1048576, FIXED,
     "memory for data on its way, of all connections together (default 0: 256)"},
    {"header-timeout", "SECONDS", OPTION_NUMBER, FIELD(header_timeout), 1, 86400, RELOADS,
     "for a request's header, from its first byte on (default 30)"},
    {"payload-timeout", "SECONDS", OPTION_NUMBER, FIELD(payload_timeout), 1, 86400, RELOADS,
     "of silence inside a payload (default 60)"},
    {"stage-lifetime", "SECONDS", OPTION_NUMBER, FIELD(stage_lifetime), 1, 31536000, FIXED,
     "that an uploaded file waits for its confirmation (default 3600)"},
    {"message-limit", "BYTES", OPTION_NUMBER, FIELD(message_limit), 1, KS_MESSAGE_LIMIT_LARGEST, RELOADS,
     "of a message's content (default 67108864)"},
    {"pull-limit", "BYTES", OPTION_NUMBER, FIELD(pull_limit), 1, KS_MESSAGE_LIMIT_LARGEST, RELOADS,
     "of waiting messages in one answer, unless the first alone is larger (default 268435456)"},
    {"lease-lifetime-ms", "MS", OPTION_NUMBER, FIELD(lease_lifetime_ms), 1, 86400000, FIXED,
     "without an acknowledgement, then messages on their way may go to another connection (default 30000)"},
    {"settle-time-ms", "MS", OPTION_NUMBER, FIELD(settle_time_ms), 1, 86400000, FIXED,
     "after their acknowledgement, then messages are deleted without an end of input (default 5000)"},
    {"groups", "N", OPTION_NUMBER, FIELD(groups), 1, 1000000, RELOADS, "groups of the chat (default 1000)"},
    {"group-members", "N", OPTION_NUMBER, FIELD(group_members), 1, 1000000, RELOADS,
     "members of one group (default 5000)"},
    {"member-queue", "KIB", OPTION_NUMBER, FIELD(member_queue), 64, 1048576, RELOADS,
     "that wait for a member who does not read; then it is cut off (default 4096)"},
    {"chat-queues", "MIB", OPTION_NUMBER, FIELD(chat_queues), 1, 1048576, RELOADS,
     "the same of all members together; then each may have 256 KiB (default 64)"},
    {"wrong-passwords", "N", OPTION_NUMBER, FIELD(wrong_passwords), 1, 1000000, RELOADS,
     "of groups on one connection; the last one ends it (default 10)"},
    {"prompt-timeout", "SECONDS", OPTION_NUMBER, FIELD(prompt_timeout), 1, 86400, RELOADS,
     "of silence at a prompt of the chat; nobody is hurried at its menu (default 600)"},
    {"log-rate", "LINES", OPTION_NUMBER, FIELD(log_rate), 0, 1000000, RELOADS,
     "a second; the rest is counted (default 1000, 0: no limit)"},
    {"connections-per-address", "N", OPTION_NUMBER, FIELD(connections_per_address), 0, 1000000, RELOADS,
     "at a time; an IPv6 address counts by its /64 (default 1000, 0: no limit)"},
    {"unlimited-networks", "LIST", OPTION_NETWORKS, FIELD(unlimited_networks), 0, 0, RELOADS,
     "to whose addresses no limit per address applies, as in \"10.0.0.0/8, fd00::/8\", or none (default "
     "127.0.0.0/8, ::1)"},
    {"registrations-per-hour", "N", OPTION_NUMBER, FIELD(registrations_per_hour), 0, 1000000000, RELOADS,
     "of new users, from one address (default 1000, 0: no limit)"},
    {"keys-per-hour", "N", OPTION_NUMBER, FIELD(keys_per_hour), 0, 1000000000, RELOADS,
     "of requests that cost us RSA, from one address (default 36000, 0: no limit)"},
    {"payload-rate", "BYTES", OPTION_NUMBER, FIELD(payload_rate), 0, 1000000000, RELOADS,
     "a second, at least, inside a payload (default 100, 0: no limit)"},
    {"uploads-per-user", "N", OPTION_NUMBER, FIELD(uploads_per_user), 1, 1000000, RELOADS,
     "that arrive or wait for their confirmation (default 256)"},
    {"uploads", "N", OPTION_NUMBER, FIELD(uploads), 1, 10000000, RELOADS,
     "the same of all users together (default 20000)"},
    {"list-budget", "MIB", OPTION_NUMBER, FIELD(list_budget), 0, 1048576, RELOADS,
     "of lists of users, for one user in an hour, at any speed (default 128, 0: no limit)"},
    {"list-rate", "KIB", OPTION_NUMBER, FIELD(list_rate), 1, 1048576, RELOADS,
     "a second, of lists beyond that (default 256)"},
    {"waiting-messages", "N", OPTION_NUMBER, FIELD(waiting_messages), 0, 1000000000, RELOADS,
     "that wait for one receiver (default 1000000, 0: no limit)"},
    {"waiting-bytes", "MIB", OPTION_NUMBER, FIELD(waiting_bytes), 0, 1073741824, RELOADS,
     "of their contents (default 4096, 0: no limit)"},
    {"user-files", "N", OPTION_NUMBER, FIELD(user_files), 0, 1000000000, RELOADS,
     "that one user keeps (default 100000, 0: no limit)"},
    {"user-bytes", "MIB", OPTION_NUMBER, FIELD(user_bytes), 0, 1073741824, RELOADS,
     "of these (default 0: no limit)"},
    {"free-space", "MIB", OPTION_NUMBER, FIELD(free_space), 0, 1073741824, RELOADS,
     "that are left to others on the data directory's disk (default 64)"},
    {"public-ids", "HOW", OPTION_PUBLIC_IDS, FIELD(public_ids), 0, 0, FIXED,
     "what others see of a user: alias, or plain for the secret id itself, which is insecure (default "
     "alias)"},
    {"crc-wrong-delay-ms", "MS", OPTION_NUMBER, FIELD(crc_wrong_delay_ms), 1, 86400000, RELOADS,
     "of silence before a request 1030 is answered (default 2000)"},
};

/* What an option of words may be, in the order of its enumeration. */
static const char *const option_words[][KS_OPTION_WORDS_LIMIT] = {
    [OPTION_LOG_LEVEL] = {"error", "warning", "notice", "info", "debug"},
    [OPTION_PUBLIC_IDS] = {"alias", "plain"},
    [OPTION_STAT] = {"plain", "full"},
};

static const struct ks_options option_defaults = {
    .log_level = KS_LOG_INFO,
    .header_timeout = 30,
    .payload_timeout = 60,
    .stage_lifetime = 3600,
    .crc_wrong_delay_ms = 2000,
    .message_limit = 64 * 1024 * 1024,
    .pull_limit = 256 * 1024 * 1024,
    .lease_lifetime_ms = KS_LEASE_LIFETIME_MS,
    .settle_time_ms = 5000,
    .groups = 1000,
    .group_members = 5000,
    .member_queue = 4096,
    .chat_queues = 64,
    .wrong_passwords = 10,
    .prompt_timeout = 600,
    .log_rate = 1000,
    .connections_per_address = 1000,
    .unlimited_networks = "127.0.0.0/8, ::1",
    .registrations_per_hour = 1000,
    .keys_per_hour = 36000,
    .payload_rate = 100,
    .uploads_per_user = 256,
    .uploads = 20000,
    .list_budget = 128,
    .list_rate = 256,
    .waiting_messages = 1000000,
    .waiting_bytes = 4096,
    .user_files = 100000,
    .free_space = 64,
};

#define OPTION_COUNT (sizeof option_rules / sizeof option_rules[0])
_Static_assert(OPTION_COUNT <= KS_OPTIONS_LIMIT, "ks_options.given has a bit for every option");

static void *field_of(struct ks_options *options, const struct option_rule *rule)
{
    return (char *)options + rule->offset;
}

static bool is_text(const struct option_rule *rule)
{
    return rule->type == OPTION_TEXT || rule->type == OPTION_NETWORKS;
}

static const struct option_rule *rule_named(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (strcmp(option_rules[i].name, name) == 0)
            return &option_rules[i];
    return NULL;
}

static bool set_text(struct ks_options *options, const struct option_rule *rule, const char *value)
{
    size_t size = strlen(value);
    if (size == 0 || size >= KS_OPTION_TEXT_SIZE)
        return false;
    memcpy(field_of(options, rule), value, size + 1);
    return true;
}

static bool set_networks(struct ks_options *options, const struct option_rule *rule, const char *value)
{
    struct ks_networks *networks = NULL;
    if (ks_networks_parse(value, &networks) != KS_OK)
        return false;
    ks_networks_free(networks);
    return set_text(options, rule, value);
}

static bool set_number(struct ks_options *options, const struct option_rule *rule, const char *value)
{
    char *end = NULL;
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (errno != 0 || end == value || *end != '\0' || value[0] == '-' || number < rule->smallest ||
        number > rule->largest)
        return false;
    *(unsigned *)field_of(options, rule) = (unsigned)number;
    return true;
}

static bool set_word(struct ks_options *options, const struct option_rule *rule, const char *value)
{
    const char *const *words = option_words[rule->type];
    for (unsigned i = 0; i < KS_OPTION_WORDS_LIMIT && words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            *(unsigned *)field_of(options, rule) = i;
            return true;
        }
    }
    return false;
}

static bool set_option(struct ks_options *options, const struct option_rule *rule, const char *value)
{
    switch (rule->type) {
    case OPTION_TEXT:
        return set_text(options, rule, value);
    case OPTION_NETWORKS:
        return set_networks(options, rule, value);
    case OPTION_NUMBER:
        return set_number(options, rule, value);
    case OPTION_LOG_LEVEL:
    case OPTION_PUBLIC_IDS:
    case OPTION_STAT:
        return set_word(options, rule, value);
    }
    return false;
}

/* What is only on the command line. */
static const struct ks_option_row special_options[] = {
    {.name = "config", .value = "FILE", .help = "read options from FILE; the command line wins"},
    {.name = "check-config", .help = "only tell whether the options and FILE make sense"},
    {.name = "version", .help = "print the version"},
    {.name = "help", .help = "print this"},
};

#define SPECIAL_COUNT (sizeof special_options / sizeof special_options[0])

static void print_option(const char *name, const char *value, const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", name, value != NULL ? " " : "", value != NULL ? value : "");
    printf("  %-28s  %s\n", left, help);
}

static void print_help(void)
{
    printf("usage: kesherd [--config FILE] [--OPTION VALUE]...\n"
           "       kesherd user list | show NAME | reset-key NAME | remove NAME\n"
           "       kesherd group list\n"
           "       kesherd check [--repair]\n\n"
           "Serves encrypted file drop, messages, group chat and ask. Every option may also stand in FILE, "
           "as \"name = value\". Commands for operators: kesherd user --help.\n\n");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        print_option(option_rules[i].name, option_rules[i].value, option_rules[i].help);
    printf("\nOnly on the command line:\n\n");
    for (size_t i = 0; i < SPECIAL_COUNT; i++)
        print_option(special_options[i].name, special_options[i].value, special_options[i].help);
}

/* ---- the command line ---- */

static void complain(char why[static KS_OPTIONS_WHY_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain(char why[static KS_OPTIONS_WHY_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(why, KS_OPTIONS_WHY_SIZE, format, arguments);
    va_end(arguments);
}

static enum ks_options_outcome read_argument(struct ks_options *options, const char *name, const char *value,
                                             const char **config, char why[static KS_OPTIONS_WHY_SIZE])
{
    if (value == NULL) {
        complain(why, "--%s needs a value, see kesherd --help", name);
        return KS_OPTIONS_WRONG;
    }
    if (strcmp(name, "config") == 0) {
        *config = value;
        return KS_OPTIONS_RUN;
    }
    const struct option_rule *rule = rule_named(name);
    if (rule == NULL) {
        complain(why, "there is no option --%s, see kesherd --help", name);
        return KS_OPTIONS_WRONG;
    }
    if (!set_option(options, rule, value)) {
        complain(why, "\"%s\" is no value for --%s: %s", value, name, rule->help);
        return KS_OPTIONS_WRONG;
    }
    options->given |= UINT64_C(1) << (rule - option_rules);
    return KS_OPTIONS_RUN;
}

static enum ks_options_outcome read_command_line(struct ks_options *options, int argc, char **argv,
                                                 const char **config, char why[static KS_OPTIONS_WHY_SIZE])
{
    enum ks_options_outcome outcome = KS_OPTIONS_RUN;
    for (int i = 1; i < argc && outcome == KS_OPTIONS_RUN; i++) {
        char name[64];
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_help();
            return KS_OPTIONS_DONE;
        }
        if (strcmp(argv[i], "--version") == 0) {
            printf("kesherd %s\n", KESHER_VERSION);
            return KS_OPTIONS_DONE;
        }
        if (strcmp(argv[i], "--check-config") == 0) {
            options->check_only = true;
            continue;
        }
        size_t size = strncmp(argv[i], "--", 2) == 0 ? strcspn(argv[i] + 2, "=") : 0;
        if (size == 0 || size >= sizeof name) {
            complain(why, "\"%s\" is no option, see kesherd --help", argv[i]);
            return KS_OPTIONS_WRONG;
        }
        memcpy(name, argv[i] + 2, size);
        name[size] = '\0';
        const char *value = argv[i][2 + size] == '=' ? argv[i] + 3 + size : argv[i + 1];
        if (argv[i][2 + size] != '=' && value != NULL)
            i++;
        outcome = read_argument(options, name, value, config, why);
    }
    return outcome;
}

/* ---- the configuration file ---- */

struct file_reading {
    struct ks_options *options;
    FILE *file;
    int line;           /* that was read last */
    int complaint_line; /* the first that is wrong; 0: none yet */
    char complaint[512];
};

static void complain_of_line(struct file_reading *reading, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void complain_of_line(struct file_reading *reading, const char *format, ...)
{
    va_list arguments;
    if (reading->complaint_line != 0)
        return;
    reading->complaint_line = reading->line;
    va_start(arguments, format);
    vsnprintf(reading->complaint, sizeof reading->complaint, format, arguments);
    va_end(arguments);
}

/* inih's reader. What it would not tell: a line too long for it, of which it would take the rest for another
 * one; and one that begins with blanks, which it would take for more of the line before. */
static char *next_line(char *text, int size, void *context)
{
    struct file_reading *reading = context;
    if (fgets(text, size, reading->file) == NULL)
        return NULL;
    reading->line++;
    size_t blanks = strspn(text, " \t");
    size_t length = strlen(text);
    if (length == (size_t)size - 1 && text[length - 1] != '\n' && !feof(reading->file)) {
        complain_of_line(reading, "the line is longer than %d bytes", size - 2);
        for (int next = 0; next != EOF && next != '\n';)
            next = getc(reading->file);
        text[0] = '\0';
        return text;
    }
    memmove(text, text + blanks, length - blanks + 1);
    return text;
}

/* inih's handler: 1 is success. */
static int file_line(void *context, const char *section, const char *name, const char *value)
{
    struct file_reading *reading = context;
    const struct option_rule *rule = section[0] == '\0' ? rule_named(name) : NULL;
    if (rule == NULL) {
        complain_of_line(reading, "there is no option \"%s\"", name);
        return 0;
    }
    if ((reading->options->given >> (rule - option_rules) & 1) != 0)
        return 1;
    if (set_option(reading->options, rule, value))
        return 1;
    complain_of_line(reading, "\"%s\" is no value for %s: %s", value, name, rule->help);
    return 0;
}

/* Judges what was read; `wrong_line` is inih's first, which ours is unless only inih knows what is wrong. */
static enum ks_options_outcome judge_file(const struct file_reading *reading, int wrong_line,
                                          const char *path, char why[static KS_OPTIONS_WHY_SIZE])
{
    if (ferror(reading->file) || wrong_line < 0) {
        complain(why, "cannot read the configuration %s", path);
        return KS_OPTIONS_WRONG;
    }
    bool ours = reading->complaint_line != 0 && (wrong_line == 0 || reading->complaint_line <= wrong_line);
    if (ours)
        complain(why, "%s:%d: %s", path, reading->complaint_line, reading->complaint);
    else if (wrong_line > 0)
        complain(why, "%s:%d: not of the form name = value", path, wrong_line);
    return ours || wrong_line > 0 ? KS_OPTIONS_WRONG : KS_OPTIONS_RUN;
}

static enum ks_options_outcome read_file(struct ks_options *options, const char *path,
                                         char why[static KS_OPTIONS_WHY_SIZE])
{
    struct file_reading reading = {.options = options, .file = fopen(path, "re")};
    if (reading.file == NULL) {
        complain(why, "cannot read the configuration %s", path);
        return KS_OPTIONS_WRONG;
    }
    int wrong_line = ini_parse_stream(next_line, &reading, file_line, &reading);
    enum ks_options_outcome outcome = judge_file(&reading, wrong_line, path, why);
    fclose(reading.file);
    return outcome;
}

enum ks_options_outcome ks_options_read(struct ks_options *options, int argc, char **argv,
                                        char why[static KS_OPTIONS_WHY_SIZE])
{
    const char *config = NULL;
    *options = option_defaults;
    enum ks_options_outcome outcome = read_command_line(options, argc, argv, &config, why);
    if (outcome == KS_OPTIONS_RUN && config != NULL)
        outcome = read_file(options, config, why);
    return outcome;
}

void ks_options_choose_data(struct ks_options *options)
{
    if (options->data[0] != '\0')
        return;
    const char *state = getenv("STATE_DIRECTORY"); // NOLINT(concurrency-mt-unsafe): no other thread yet
    snprintf(options->data, sizeof options->data, "%s",
             state != NULL && state[0] != '\0' ? state : "kesher-data");
}

/* ---- what describes the table ---- */

size_t ks_options_count(void)
{
    return OPTION_COUNT;
}

struct ks_option_row ks_options_row(size_t index)
{
    const struct option_rule *rule = &option_rules[index];
    struct ks_option_row row = {.name = rule->name,
                                .value = rule->value,
                                .help = rule->help,
                                .is_number = rule->type == OPTION_NUMBER,
                                .reloads = rule->reloads,
                                .smallest = rule->smallest,
                                .largest = rule->largest};
    if (is_text(rule))
        return row;
    row.standard = *(const unsigned *)((const char *)&option_defaults + rule->offset);
    if (!row.is_number)
        memcpy((void *)row.words, (const void *)option_words[rule->type], sizeof row.words);
    return row;
}

size_t ks_options_special_count(void)
{
    return SPECIAL_COUNT;
}

struct ks_option_row ks_options_special_row(size_t index)
{
    return special_options[index];
}

bool ks_options_unchanged(const struct ks_options *left, const struct ks_options *right, const char **changed)
{
    static const size_t sizes[] = {[OPTION_TEXT] = KS_OPTION_TEXT_SIZE,
                                   [OPTION_NETWORKS] = KS_OPTION_TEXT_SIZE,
                                   [OPTION_NUMBER] = sizeof(unsigned),
                                   [OPTION_LOG_LEVEL] = sizeof(enum ks_log_level),
                                   [OPTION_PUBLIC_IDS] = sizeof(enum ks_public_ids),
                                   [OPTION_STAT] = sizeof(enum ks_stat)};
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_rule *rule = &option_rules[i];
        const char *before = (const char *)left + rule->offset;
        const char *after = (const char *)right + rule->offset;
        bool same =
            is_text(rule) ? strcmp(before, after) == 0 : memcmp(before, after, sizes[rule->type]) == 0;
        if (same || rule->reloads)
            continue;
        *changed = rule->name;
        return false;
    }
    return true;
}
