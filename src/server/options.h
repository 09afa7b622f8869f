/* options.h — what the operator can set: one table for the command line, the configuration file and --help.
 *
 * Every option is `--name VALUE` on the command line and `name = value` in the file; the command line wins.
 * Main thread, before anything is started.
 */
#ifndef KS_SERVER_OPTIONS_H
#define KS_SERVER_OPTIONS_H

#include "base/log.h"
#include "base/result.h"

#include <stdint.h>
#include <stdio.h>

enum { KS_OPTION_TEXT_SIZE = 4096, KS_OPTIONS_LIMIT = 32 };

struct ks_options {
    char data[KS_OPTION_TEXT_SIZE];   /* "": $STATE_DIRECTORY, else ./kesher-data */
    char listen[KS_OPTION_TEXT_SIZE]; /* "": 127.0.0.1 and the port of myport.info; "off" for not at all */
    enum ks_log_level log_level;
    unsigned workers;     /* 0: one per core */
    unsigned connections; /* 0: what the system allows, at most 20000 */
    unsigned buffers;     /* MiB; 0: 256 */
    unsigned header_timeout;
    unsigned payload_timeout;
    unsigned stage_lifetime;
    unsigned crc_wrong_delay_ms;
    /* Which options were given on the command line; the file leaves those alone. By place in the table. */
    uint32_t given;
};

enum ks_options_outcome {
    KS_OPTIONS_RUN,   /* go on with these */
    KS_OPTIONS_DONE,  /* --help or --version: printed, exit 0 */
    KS_OPTIONS_WRONG, /* a sentence is on stderr, exit 2 */
};

/* Fills *options with defaults, then the command line, then the file named by --config. */
enum ks_options_outcome ks_options_read(struct ks_options *options, int argc, char **argv);

#endif
