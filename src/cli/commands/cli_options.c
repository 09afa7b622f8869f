/* cli_options.c — see cli_options.h. */
#include "cli/commands/cli_options.h"

#include <kesher/options.h>

#define MEMBER(name) KS_OPTION_MEMBER(struct ks_cli_options, name)

#define LONGEST (UINT64_C(24) * 60 * 60 * KS_OPTION_SECOND)

static const struct ks_option rows[] = {
    {"home", "DIR", KS_OPTION_TEXT, KS_CLI_OPTIONS_ANY, MEMBER(home),
     .help = "directory with account.key, me.info and the like [$KESHER_HOME, else ~/.config/kesher]"},
    {"server", "SERVER", KS_OPTION_TEXT, KS_CLI_OPTIONS_SERVER, MEMBER(server),
     .help = "kesher://HOST[:PORT]/[#FINGERPRINT], or ADDR:PORT of a classic one [the home's, else "
             "kesher://127.0.0.1/]"},
    {"answer-timeout", "TIME", KS_OPTION_DURATION, KS_CLI_OPTIONS_SERVER, MEMBER(answer_timeout),
     .help = "how long the server has for its first answer", .unit = KS_OPTION_SECOND, .least = 1,
     .most = LONGEST},
    {"silence", "TIME", KS_OPTION_DURATION, KS_CLI_OPTIONS_SERVER, MEMBER(silence),
     .help = "how long nothing may move after that", .unit = KS_OPTION_SECOND, .least = 1, .most = LONGEST},
    {"retry", "TIME", KS_OPTION_DURATION, KS_CLI_OPTIONS_IDENTITY, MEMBER(retry),
     .help = "how long to wait for a server that is restarting; 0: not at all", .unit = KS_OPTION_SECOND,
     .least = 0, .most = LONGEST},
    {"moved", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_IDENTITY, MEMBER(moved),
     .help = "the home's server has moved to the address after --server, or in transfer.info"},
    {"again", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_REGISTER, MEMBER(again),
     .help = "register the home anew, with the same key pair, where its server does not know it any more"},
    {"adopt", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_REGISTER, MEMBER(adopt),
     .help = "make the home's classic identity an account of the secure server, with all that it has there"},
    {"invitation", "CODE", KS_OPTION_TEXT, KS_CLI_OPTIONS_REGISTER, MEMBER(invitation),
     .help = "the invitation, where registration is by one; - reads it from the standard input"},
    {"passphrase", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_NEW_KEY, MEMBER(passphrase),
     .help = "put the key of a new account under a passphrase"},
    {"passphrase-file", "FILE", KS_OPTION_TEXT, KS_CLI_OPTIONS_ACCOUNT, MEMBER(passphrase_file),
     .help = "the passphrase is the first line of FILE [asked for on the terminal]"},
    {"yes", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_FINAL, MEMBER(yes),
     .help = "do not ask whether it is meant"},
    {"as", "NAME", KS_OPTION_TEXT, KS_CLI_OPTIONS_NAMES, MEMBER(as),
     .help =
         "the name to appear under [put, get: the last part of what is named; chat: that of the identity]"},
    {"recursive", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_TREES, MEMBER(recursive),
     .help = "all that is in a directory, too; get and rm: all files whose names begin with NAME/",
     .letter = 'r'},
    {"replace", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_REPLACE, MEMBER(replace),
     .help = "take the place of files that are there already"},
    {"sha256", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_SECURE_UPLOAD, MEMBER(sha256),
     .help = "wait until the server has computed the SHA-256 of each file, and print it"},
    {"pipeline", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_UPLOAD, MEMBER(pipeline),
     .help = "send small files without waiting for each confirmation (kesherd understands it)"},
    {"file", "FILE", KS_OPTION_TEXT, KS_CLI_OPTIONS_FILE, MEMBER(file),
     .help = "send a file instead of a text; - is the standard input"},
    {"accept-key", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_KEYS, MEMBER(accept_key),
     .help = "accept the newest key that USER sent: what comes under it has no mark from now on"},
    {"forget", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_KEYS | KS_CLI_OPTIONS_TRUST, MEMBER(forget),
     .help = "key: forget the keys of USER, who really has a new one; server: forget how it is trusted"},
    {"follow", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_INBOX, MEMBER(follow),
     .help = "go on with messages as they come, until Ctrl-C"},
    {"discard", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_INBOX, MEMBER(discard),
     .help = "show what waits, then discard what cannot be decrypted"},
    {"save-to", "DIR", KS_OPTION_TEXT, KS_CLI_OPTIONS_SAVE, MEMBER(save_to),
     .help = "directory for files that come [inbox: received/ in the home; get: the working directory]"},
    {"json", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_DATA, MEMBER(json),
     .help = "print data and errors as JSON, one object per line"},
    {"quiet", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_QUIET, MEMBER(quiet),
     .help = "print only errors, and data with --json"},
    {"help", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_ANY, MEMBER(help), .help = "show help and exit"},
    {"version", NULL, KS_OPTION_FLAG, KS_CLI_OPTIONS_ANY, MEMBER(version),
     .help = "show the version and exit"},
};

const struct ks_option_table ks_cli_options_table = {
    .manual = "kesher --help", .options = rows, .count = sizeof rows / sizeof rows[0]};

const struct ks_cli_options ks_cli_options_defaults = {
    .answer_timeout = KESHER_DEFAULT_ANSWER_MS,
    .silence = KESHER_DEFAULT_PROGRESS_MS,
    .retry = KESHER_DEFAULT_RETRY_MS,
};

bool ks_cli_options_parse(int argc, char **argv, struct ks_cli_options *options)
{
    const char *operand = NULL;
    *options = ks_cli_options_defaults;
    options->operands = (const char **)argv;
    options->reader = ks_option_reader_on(&ks_cli_options_table, options, argc, argv);
    while (ks_option_next_operand(&options->reader, &operand)) {
        if (options->command == NULL)
            options->command = operand;
        else
            options->operands[options->operand_count++] = operand;
    }
    return options->reader.why[0] == '\0';
}
