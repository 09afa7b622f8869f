/* options.h — what the operator can set: one table for the command line, the configuration file and --help.
 *
 * Every option is `--name VALUE` on the command line and `name = value` in the file; the command line wins.
 * Main thread: before anything is started, and again when a SIGHUP comes.
 */
#ifndef KS_SERVER_OPTIONS_H
#define KS_SERVER_OPTIONS_H

#include "base/log.h"
#include "base/result.h"

#include <stdint.h>
#include <stdio.h>

enum {
    KS_OPTION_TEXT_SIZE = 4096,
    KS_OPTIONS_LIMIT = 64,
    KS_OPTIONS_WHY_SIZE = 1024,
    KS_OPTION_WORDS_LIMIT = 6
};

enum ks_public_ids {
    KS_PUBLIC_IDS_ALIAS, /* users see an alias of each other's id */
    KS_PUBLIC_IDS_PLAIN, /* users see each other's ids, which are their only proof of identity: insecure */
};

enum ks_stat {
    KS_STAT_PLAIN, /* version, uptime, connections */
    KS_STAT_FULL,  /* users and groups as well */
};

struct ks_options {
    char data[KS_OPTION_TEXT_SIZE];    /* "": $STATE_DIRECTORY, else ./kesher-data */
    char listen[KS_OPTION_TEXT_SIZE];  /* "": 127.0.0.1 and the port of myport.info; "off" for not at all */
    char chat[KS_OPTION_TEXT_SIZE];    /* "": 127.0.0.1:5555 */
    char ask[KS_OPTION_TEXT_SIZE];     /* "": 127.0.0.1:1729 */
    char metrics[KS_OPTION_TEXT_SIZE]; /* "": off; a port alone is one of 127.0.0.1 */
    char name[KS_OPTION_TEXT_SIZE];    /* "": "kesher"; what ask tells as NAME */
    enum ks_log_level log_level;
    enum ks_stat stat;
    unsigned workers;     /* 0: one per core */
    unsigned connections; /* 0: what the system allows, at most 20000 */
    unsigned buffers;     /* MiB; 0: 256 */
    unsigned header_timeout;
    unsigned payload_timeout;
    unsigned stage_lifetime;
    unsigned crc_wrong_delay_ms;
    unsigned message_limit; /* bytes */
    unsigned pull_limit;    /* bytes */
    unsigned groups;
    unsigned group_members;
    unsigned member_queue; /* KiB */
    unsigned chat_queues;  /* MiB */
    unsigned wrong_passwords;
    unsigned prompt_timeout;
    unsigned log_rate; /* lines a second; 0: no limit */
    unsigned connections_per_address;
    char unlimited_networks[KS_OPTION_TEXT_SIZE];
    unsigned registrations_per_hour; /* from one address */
    unsigned keys_per_hour;
    unsigned payload_rate; /* bytes a second */
    unsigned uploads_per_user;
    unsigned uploads;
    unsigned list_budget;      /* MiB an hour, of one user; 0: no limit */
    unsigned list_rate;        /* KiB a second */
    unsigned waiting_messages; /* of one receiver; 0, here and in the next four: no limit */
    unsigned waiting_bytes;    /* MiB */
    unsigned user_files;
    unsigned user_bytes; /* MiB */
    unsigned free_space; /* MiB */
    bool check_only;     /* --check-config */
    unsigned lease_lifetime_ms;
    unsigned settle_time_ms;
    enum ks_public_ids public_ids;
    /* Which options were given on the command line; the file leaves those alone. By place in the table. */
    uint64_t given;
};

enum ks_options_outcome {
    KS_OPTIONS_RUN,   /* go on with these */
    KS_OPTIONS_DONE,  /* --help or --version: printed, exit 0 */
    KS_OPTIONS_WRONG, /* exit 2 */
};

/* Fills *options with defaults, then the command line, then the file named by --config. KS_OPTIONS_WRONG with
 * a sentence in `why`. Main thread. */
enum ks_options_outcome ks_options_read(struct ks_options *options, int argc, char **argv,
                                        char why[static KS_OPTIONS_WHY_SIZE]);

/* Fills in where the data is when no option says so: $STATE_DIRECTORY, else ./kesher-data. Before other
 * threads. */
void ks_options_choose_data(struct ks_options *options);

/* Whether all options that only a new start changes are the same in both; else *changed is the first that is
 * not. */
bool ks_options_unchanged(const struct ks_options *left, const struct ks_options *right,
                          const char **changed);

/* A row of the table, for whatever describes it: manual pages, completions, tests. */
struct ks_option_row {
    const char *name;
    const char *value; /* what --help calls it; NULL for a switch */
    const char *help;
    const char *words[KS_OPTION_WORDS_LIMIT]; /* all that it may be, then NULL; none where that is free */
    bool is_number;
    bool reloads;      /* a SIGHUP changes it */
    unsigned smallest; /* of a number */
    unsigned largest;
    unsigned standard; /* the default: a number, or which of the words */
};

size_t ks_options_count(void);
struct ks_option_row ks_options_row(size_t index); /* index < ks_options_count() */

/* The same of what is only on the command line: --config, --help and the like. */
size_t ks_options_special_count(void);
struct ks_option_row ks_options_special_row(size_t index); /* index < ks_options_special_count() */

#endif
