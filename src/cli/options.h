/* options.h — the command line of kesher: options anywhere, a command, its operands. Pure; main thread. */
#ifndef KS_CLI_OPTIONS_H
#define KS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Which commands take an option: a command names the groups that it takes. */
enum ks_options_group {
    KS_OPTIONS_ANY = 1u << 0,    /* every command, and no command */
    KS_OPTIONS_SERVER = 1u << 1, /* speaks to a server */
    KS_OPTIONS_DATA = 1u << 2,   /* has output that is data */
    KS_OPTIONS_UPLOAD = 1u << 3, /* sends files */
    KS_OPTIONS_NAMES = 1u << 4,  /* gives files other names */
    KS_OPTIONS_KEYS = 1u << 5,   /* can accept and forget a user's keys */
    KS_OPTIONS_FILE = 1u << 6,   /* sends a text or a file */
    KS_OPTIONS_INBOX = 1u << 7,  /* receives messages */
};

struct ks_options {
    const char *home;
    const char *server;
    const char *as;
    const char *file;
    const char *save_to;
    bool accept_key;
    bool forget;
    bool follow;
    bool json;
    bool quiet;
    bool pipeline;
    bool help;
    bool version;
    const char *command;   /* NULL when there is none */
    const char **operands; /* what follows the command; points into argv */
    size_t operand_count;
};

/* Reads argv, whose elements are moved. False for an option that does not exist or lacks its value: then the
 * reason, one line, is in `reason`. Whether the command takes the options is ks_options_unwelcome's question.
 */
bool ks_options_parse(int argc, char **argv, struct ks_options *options, char *reason,
                      size_t reason_capacity);

/* The name of an option that was given and is in none of `groups`, or NULL. */
const char *ks_options_unwelcome(const struct ks_options *options, unsigned groups);

/* One line of help for every option of `groups`. */
void ks_options_print(FILE *stream, unsigned groups);

/* A row of the table, for whatever describes it: manual pages, completions, tests. */
struct ks_option_row {
    const char *name;
    const char *value; /* what the help calls its value; NULL for a switch */
    const char *help;
    unsigned groups; /* of commands that take it */
};

size_t ks_options_count(void);
struct ks_option_row ks_options_row(size_t index); /* index < ks_options_count() */

#endif
