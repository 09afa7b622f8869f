/* cli_options.h — the command line of kesher (base/options.h): a command, its operands, options anywhere.
 * Pure; main thread. */
#ifndef KS_CLI_COMMANDS_CLI_OPTIONS_H
#define KS_CLI_COMMANDS_CLI_OPTIONS_H

#include "base/options.h"

/* Which commands take an option: bits of ks_option.uses. A command names the groups that it takes. */
enum ks_cli_options_group {
    KS_CLI_OPTIONS_ANY = 1u << 0,            /* every command, and no command */
    KS_CLI_OPTIONS_SERVER = 1u << 1,         /* speaks to a server */
    KS_CLI_OPTIONS_DATA = 1u << 2,           /* has output that is data */
    KS_CLI_OPTIONS_UPLOAD = 1u << 3,         /* sends files */
    KS_CLI_OPTIONS_NAMES = 1u << 4,          /* gives files other names */
    KS_CLI_OPTIONS_KEYS = 1u << 5,           /* can accept and forget a user's keys */
    KS_CLI_OPTIONS_FILE = 1u << 6,           /* sends a text or a file */
    KS_CLI_OPTIONS_INBOX = 1u << 7,          /* receives messages */
    KS_CLI_OPTIONS_IDENTITY = 1u << 8,       /* tells the server who the home's user is */
    KS_CLI_OPTIONS_REGISTER = 1u << 9,       /* registers a name */
    KS_CLI_OPTIONS_ACCOUNT = 1u << 10,       /* may need the key of the home's account */
    KS_CLI_OPTIONS_NEW_KEY = 1u << 11,       /* may make one */
    KS_CLI_OPTIONS_TRUST = 1u << 12,         /* is about how the home trusts its server */
    KS_CLI_OPTIONS_FINAL = 1u << 13,         /* does what cannot be undone, and asks before */
    KS_CLI_OPTIONS_QUIET = 1u << 14,         /* has a line for each of many things */
    KS_CLI_OPTIONS_SAVE = 1u << 15,          /* saves files */
    KS_CLI_OPTIONS_TREES = 1u << 16,         /* can take directories with all that is in them */
    KS_CLI_OPTIONS_REPLACE = 1u << 17,       /* can put files in the place of others */
    KS_CLI_OPTIONS_SECURE_UPLOAD = 1u << 18, /* sends files to a secure server */
};

struct ks_cli_options {
    const char *home;
    const char *server;
    const char *as;
    const char *file;
    const char *save_to;
    const char *invitation;
    const char *passphrase_file;
    unsigned answer_timeout; /* ms, here and below */
    unsigned silence;
    unsigned retry;
    bool moved;
    bool again;
    bool adopt;
    bool passphrase;
    bool yes;
    bool accept_key;
    bool forget;
    bool follow;
    bool discard;
    bool json;
    bool quiet;
    bool recursive;
    bool replace;
    bool sha256;
    bool pipeline;
    bool help;
    bool version;
    const char *command;   /* NULL when there is none */
    const char **operands; /* what follows the command; points into argv */
    size_t operand_count;
    struct ks_option_reader reader; /* what was given, and why it is wrong */
};

extern const struct ks_option_table ks_cli_options_table;
extern const struct ks_cli_options ks_cli_options_defaults;

/* Reads argv, whose elements are moved. False when it makes no sense: then options->reader.why is a line that
 * says why. Whether the command takes the options is ks_option_unwelcome's question. */
bool ks_cli_options_parse(int argc, char **argv, struct ks_cli_options *options);

#endif
