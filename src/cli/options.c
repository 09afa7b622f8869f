/* options.c — see options.h. One table; help and parsing both come from it. */
#include "cli/options.h"

#include "base/text.h"

#include <string.h>

struct option_kind {
    const char *name;
    const char *value; /* what the help calls its value; NULL for a switch */
    unsigned groups;
    size_t offset; /* of its member in struct ks_options: const char * or bool */
    const char *help;
};

static const struct option_kind kinds[] = {
    {"home", "DIR", KS_OPTIONS_ANY, offsetof(struct ks_options, home),
     "directory with me.info and the like [$KESHER_HOME, else ~/.config/kesher]"},
    {"server", "ADDR:PORT", KS_OPTIONS_SERVER, offsetof(struct ks_options, server),
     "the server [server.info, else transfer.info, else 127.0.0.1:1357]"},
    {"as", "NAME", KS_OPTIONS_NAMES, offsetof(struct ks_options, as),
     "the name of one file on the server [its base name], or yours in a chat [the identity's]"},
    {"pipeline", NULL, KS_OPTIONS_UPLOAD, offsetof(struct ks_options, pipeline),
     "send small files without waiting for each confirmation (kesherd understands it)"},
    {"file", "FILE", KS_OPTIONS_FILE, offsetof(struct ks_options, file),
     "send a file instead of a text; - is the standard input"},
    {"accept-key", NULL, KS_OPTIONS_KEYS, offsetof(struct ks_options, accept_key),
     "accept the newest key that USER sent: what comes under it has no mark from now on"},
    {"forget", NULL, KS_OPTIONS_KEYS, offsetof(struct ks_options, forget),
     "forget the keys of USER, who really has a new one"},
    {"follow", NULL, KS_OPTIONS_INBOX, offsetof(struct ks_options, follow),
     "go on with messages as they come, until Ctrl-C"},
    {"save-to", "DIR", KS_OPTIONS_INBOX, offsetof(struct ks_options, save_to),
     "directory for received files [$TMPDIR, else /tmp]"},
    {"json", NULL, KS_OPTIONS_DATA, offsetof(struct ks_options, json),
     "print data as JSON, one object per line"},
    {"quiet", NULL, KS_OPTIONS_UPLOAD, offsetof(struct ks_options, quiet),
     "print only errors, and data with --json"},
    {"help", NULL, KS_OPTIONS_ANY, offsetof(struct ks_options, help), "show help and exit"},
    {"version", NULL, KS_OPTIONS_ANY, offsetof(struct ks_options, version), "show the version and exit"},
};

enum { KIND_COUNT = sizeof kinds / sizeof kinds[0] };

static const struct option_kind *find_kind(const char *name, size_t size)
{
    if (size == 1 && name[0] == 'h')
        return find_kind("help", 4);
    for (size_t i = 0; i < KIND_COUNT; i++)
        if (strlen(kinds[i].name) == size && memcmp(kinds[i].name, name, size) == 0)
            return &kinds[i];
    return NULL;
}

static void set_switch(struct ks_options *options, const struct option_kind *kind)
{
    const bool on = true;
    memcpy((char *)options + kind->offset, &on, sizeof on);
}

static void set_value(struct ks_options *options, const struct option_kind *kind, const char *value)
{
    memcpy((char *)options + kind->offset, &value, sizeof value);
}

static bool fail(char *reason, size_t capacity, const char *what, const char *name)
{
    char shown[100];
    ks_text_escape(name, strlen(name), shown, sizeof shown);
    (void)snprintf(reason, capacity, "option '%s' %s", shown, what);
    return false;
}

/* One option at argv[*index]; moves *index over a value of its own. */
static bool parse_one(int argc, char **argv, int *index, struct ks_options *options, char *reason,
                      size_t reason_capacity)
{
    const char *text = argv[*index];
    const char *name = text + (text[1] == '-' ? 2 : 1);
    size_t size = strcspn(name, "=");
    const char *value = name[size] == '=' ? name + size + 1 : NULL;
    const struct option_kind *kind = find_kind(name, size);
    if (kind == NULL || (text[1] != '-' && strcmp(text, "-h") != 0))
        return fail(reason, reason_capacity, "does not exist", text);
    if (kind->value == NULL) {
        if (value != NULL)
            return fail(reason, reason_capacity, "takes no value", text);
        set_switch(options, kind);
        return true;
    }
    if (value == NULL && *index + 1 < argc)
        value = argv[++*index];
    if (value == NULL || value[0] == '\0')
        return fail(reason, reason_capacity, "needs a value", text);
    set_value(options, kind, value);
    return true;
}

bool ks_options_parse(int argc, char **argv, struct ks_options *options, char *reason, size_t reason_capacity)
{
    bool only_operands = false;
    *options = (struct ks_options){.operands = (const char **)argv};
    for (int i = 1; i < argc; i++) {
        bool is_option = !only_operands && argv[i][0] == '-' && argv[i][1] != '\0';
        if (is_option && strcmp(argv[i], "--") == 0)
            only_operands = true;
        else if (is_option && !parse_one(argc, argv, &i, options, reason, reason_capacity))
            return false;
        else if (!is_option && options->command == NULL)
            options->command = argv[i];
        else if (!is_option)
            options->operands[options->operand_count++] = argv[i];
    }
    return true;
}

static bool was_given(const struct ks_options *options, const struct option_kind *kind)
{
    if (kind->value != NULL) {
        const char *value = NULL;
        memcpy((void *)&value, (const char *)options + kind->offset, sizeof value);
        return value != NULL;
    }
    bool on = false;
    memcpy(&on, (const char *)options + kind->offset, sizeof on);
    return on;
}

const char *ks_options_unwelcome(const struct ks_options *options, unsigned groups)
{
    for (size_t i = 0; i < KIND_COUNT; i++)
        if ((kinds[i].groups & groups) == 0 && was_given(options, &kinds[i]))
            return kinds[i].name;
    return NULL;
}

void ks_options_print(FILE *stream, unsigned groups)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        char form[40];
        if ((kinds[i].groups & groups) == 0)
            continue;
        (void)snprintf(form, sizeof form, "--%s%s%s", kinds[i].name, kinds[i].value != NULL ? " " : "",
                       kinds[i].value != NULL ? kinds[i].value : "");
        (void)fprintf(stream, "  %-20s %s\n", form, kinds[i].help);
    }
}

size_t ks_options_count(void)
{
    return KIND_COUNT;
}

struct ks_option_row ks_options_row(size_t index)
{
    const struct option_kind *kind = &kinds[index];
    return (struct ks_option_row){
        .name = kind->name, .value = kind->value, .help = kind->help, .groups = kind->groups};
}
