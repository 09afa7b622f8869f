/* settings.h — the command line of kesher-bench: a mode, and options that the mode takes. Pure; main thread.
 */
#ifndef KS_BENCH_SETTINGS_H
#define KS_BENCH_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum ks_bench_mode {
    KS_BENCH_UPLOAD,
    KS_BENCH_SEND,
    KS_BENCH_PULL,
    KS_BENCH_CHAT,
    KS_BENCH_ASK,
    KS_BENCH_IDLE,
    KS_BENCH_USERS,
    KS_BENCH_ECHO,
    KS_BENCH_MODES,
};

/* What a mode's option was not given for has the mode's default. */
struct ks_settings {
    enum ks_bench_mode mode;
    const char *server;   /* HOST:PORT */
    const char *protocol; /* "kesher", or the peer's that is loaded instead */
    const char *source;   /* first source address, or NULL */
    uint64_t sources;     /* 0: as many as ports need */
    uint64_t duration_ms; /* of the measurement; modes with a count end when it is reached */
    uint64_t warm_up_ms;  /* before it */
    uint64_t connections; /* or users, where each has one */
    uint64_t depth;       /* requests on their way per connection */
    uint64_t size;        /* bytes of a file, a message, a line */
    uint64_t files;       /* upload: per connection */
    uint64_t messages;    /* send: in all, 0 for duration_ms; pull: waiting per receiver */
    uint64_t receivers;   /* send: 0 for one per sender */
    uint64_t members;     /* chat */
    uint64_t writers;     /* chat: of the members */
    uint64_t window;      /* chat: lines of a writer that not all have heard yet */
    uint64_t count;       /* users: to register */
    const char *request;  /* ask: TIME, NAME, RAND or STAT */
    uint64_t threads;     /* echo */
    uint64_t pid;         /* of the server; 0 for none */
    bool json;
    bool quiet;    /* no progress */
    bool keep;     /* send: leave the messages on the server, unverified */
    bool one_user; /* upload: all connections are sessions of one user */
    bool help;
    bool version;
};

/* Reads argv. False when it makes no sense: then the reason, one line, is in `reason`. With --help or
 * --version the rest need not make sense; `mode` is KS_BENCH_MODES then if there was none. */
bool ks_settings_parse(int argc, char **argv, struct ks_settings *settings, char *reason,
                       size_t reason_capacity);

const char *ks_settings_mode_name(enum ks_bench_mode mode);
const char *ks_settings_mode_help(enum ks_bench_mode mode);
const char *ks_settings_mode_protocols(
    enum ks_bench_mode mode); /* blanks between them; NULL: only kesher's */

/* Help: of all, or of one mode. */
void ks_settings_print(FILE *stream, enum ks_bench_mode mode);

/* A row of the table, for whatever describes it: manual page, completions, tests. */
struct ks_settings_row {
    const char *name;
    const char *value; /* what the help calls its value; NULL for a switch */
    const char *help;
    unsigned modes; /* bit (1u << mode) of each that takes it */
};

size_t ks_settings_count(void);
struct ks_settings_row ks_settings_row(size_t index); /* index < ks_settings_count() */

#endif
