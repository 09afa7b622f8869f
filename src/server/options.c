/* options.c — see options.h. */
#include "server/options.h"

#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_LOG_LEVEL };

struct option_rule {
    const char *name;
    const char *value; /* how --help calls it */
    enum option_type type;
    size_t offset;
    unsigned smallest;
    unsigned largest;
    const char *help;
};

#define FIELD(name) offsetof(struct ks_options, name)

static const struct option_rule option_rules[] = {
    {"data", "DIR", OPTION_TEXT, FIELD(data), 0, 0,
     "where everything is kept (default: $STATE_DIRECTORY, else ./kesher-data)"},
    {"listen", "ADDR:PORT", OPTION_TEXT, FIELD(listen), 0, 0,
     "file drop and messages, or off (default: 127.0.0.1 and the port in myport.info, else 1357)"},
    {"workers", "N", OPTION_NUMBER, FIELD(workers), 0, 64,
     "threads for connections (default 0: one per core)"},
    {"log-level", "LEVEL", OPTION_LOG_LEVEL, FIELD(log_level), 0, 0,
     "error, warning, notice, info or debug (default info)"},
    {"connections", "N", OPTION_NUMBER, FIELD(connections), 0, 1000000,
     "at a time; at the limit the longest-idle one makes room (default 0: 20000, or what the system allows)"},
    {"buffers", "MIB", OPTION_NUMBER, FIELD(buffers), 0, 1048576,
     "memory for data on its way, of all connections together (default 0: 256)"},
    {"header-timeout", "SECONDS", OPTION_NUMBER, FIELD(header_timeout), 1, 86400,
     "for a request's header, from its first byte on (default 30)"},
    {"payload-timeout", "SECONDS", OPTION_NUMBER, FIELD(payload_timeout), 1, 86400,
     "of silence inside a payload (default 60)"},
    {"stage-lifetime", "SECONDS", OPTION_NUMBER, FIELD(stage_lifetime), 1, 31536000,
     "that an uploaded file waits for its confirmation (default 3600)"},
    {"crc-wrong-delay-ms", "MS", OPTION_NUMBER, FIELD(crc_wrong_delay_ms), 1, 86400000,
     "of silence before a request 1030 is answered (default 2000)"},
};

#define OPTION_COUNT (sizeof option_rules / sizeof option_rules[0])
_Static_assert(OPTION_COUNT <= KS_OPTIONS_LIMIT, "ks_options.given has a bit for every option");

static void *field_of(struct ks_options *options, const struct option_rule *rule)
{
    return (char *)options + rule->offset;
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

static bool set_option(struct ks_options *options, const struct option_rule *rule, const char *value)
{
    switch (rule->type) {
    case OPTION_TEXT:
        return set_text(options, rule, value);
    case OPTION_NUMBER:
        return set_number(options, rule, value);
    case OPTION_LOG_LEVEL:
        return ks_log_level_parse(value, field_of(options, rule));
    }
    return false;
}

static void print_help(void)
{
    printf("usage: kesherd [--config FILE] [--OPTION VALUE]...\n\n"
           "Serves encrypted file drop and messages. Every option may also stand in FILE, as \"name = "
           "value\".\n\n"
           "  %-28s  %s\n",
           "--config FILE", "read options from FILE; the command line wins");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s %s", option_rules[i].name, option_rules[i].value);
        printf("  %-28s  %s\n", left, option_rules[i].help);
    }
    printf("  %-28s  %s\n  %-28s  %s\n", "--version", "print the version", "--help", "print this");
}

/* ---- the command line ---- */

static enum ks_options_outcome read_argument(struct ks_options *options, const char *name, const char *value,
                                             const char **config)
{
    if (value == NULL) {
        fprintf(stderr, "kesherd: --%s needs a value, see kesherd --help\n", name);
        return KS_OPTIONS_WRONG;
    }
    if (strcmp(name, "config") == 0) {
        *config = value;
        return KS_OPTIONS_RUN;
    }
    const struct option_rule *rule = rule_named(name);
    if (rule == NULL) {
        fprintf(stderr, "kesherd: there is no option --%s, see kesherd --help\n", name);
        return KS_OPTIONS_WRONG;
    }
    if (!set_option(options, rule, value)) {
        fprintf(stderr, "kesherd: \"%s\" is no value for --%s: %s\n", value, name, rule->help);
        return KS_OPTIONS_WRONG;
    }
    options->given |= UINT32_C(1) << (rule - option_rules);
    return KS_OPTIONS_RUN;
}

static enum ks_options_outcome read_command_line(struct ks_options *options, int argc, char **argv,
                                                 const char **config)
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
        size_t size = strncmp(argv[i], "--", 2) == 0 ? strcspn(argv[i] + 2, "=") : 0;
        if (size == 0 || size >= sizeof name) {
            fprintf(stderr, "kesherd: \"%s\" is no option, see kesherd --help\n", argv[i]);
            return KS_OPTIONS_WRONG;
        }
        memcpy(name, argv[i] + 2, size);
        name[size] = '\0';
        const char *value = argv[i][2 + size] == '=' ? argv[i] + 3 + size : argv[i + 1];
        if (argv[i][2 + size] != '=' && value != NULL)
            i++;
        outcome = read_argument(options, name, value, config);
    }
    return outcome;
}

/* ---- the configuration file ---- */

struct file_reading {
    struct ks_options *options;
    char complaint[512];
};

/* inih's handler: 1 is success, 0 stops with the line's number. */
static int file_line(void *context, const char *section, const char *name, const char *value)
{
    struct file_reading *reading = context;
    const struct option_rule *rule = section[0] == '\0' ? rule_named(name) : NULL;
    if (rule == NULL) {
        snprintf(reading->complaint, sizeof reading->complaint, "there is no option \"%s\"", name);
        return 0;
    }
    if ((reading->options->given >> (rule - option_rules) & 1) != 0)
        return 1;
    if (set_option(reading->options, rule, value))
        return 1;
    snprintf(reading->complaint, sizeof reading->complaint, "\"%s\" is no value for %s: %s", value, name,
             rule->help);
    return 0;
}

static enum ks_options_outcome read_file(struct ks_options *options, const char *path)
{
    struct file_reading reading = {.options = options};
    int line = ini_parse(path, file_line, &reading);
    if (line == 0)
        return KS_OPTIONS_RUN;
    if (line < 0)
        fprintf(stderr, "kesherd: cannot read the configuration %s\n", path);
    else
        fprintf(stderr, "kesherd: %s:%d: %s\n", path, line,
                reading.complaint[0] != '\0' ? reading.complaint : "not of the form name = value");
    return KS_OPTIONS_WRONG;
}

enum ks_options_outcome ks_options_read(struct ks_options *options, int argc, char **argv)
{
    const char *config = NULL;
    *options = (struct ks_options){
        .log_level = KS_LOG_INFO,
        .header_timeout = 30,
        .payload_timeout = 60,
        .stage_lifetime = 3600,
        .crc_wrong_delay_ms = 2000,
    };
    enum ks_options_outcome outcome = read_command_line(options, argc, argv, &config);
    if (outcome == KS_OPTIONS_RUN && config != NULL)
        outcome = read_file(options, config);
    return outcome;
}
