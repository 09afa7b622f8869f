/* settings.h — the command line of kesher-bench: a mode, and options that the mode takes. Pure; main thread.
 */
#ifndef KS_BENCH_LOAD_SETTINGS_H
#define KS_BENCH_LOAD_SETTINGS_H

#include "base/options.h"

enum ks_bench_mode {
    KS_BENCH_UPLOAD,
    KS_BENCH_SEND,
    KS_BENCH_PULL,
    KS_BENCH_CHAT,
    KS_BENCH_ASK,
    KS_BENCH_IDLE,
    KS_BENCH_HANDSHAKE,
    KS_BENCH_USERS,
    KS_BENCH_ECHO,
    KS_BENCH_MODES,
};

/* Bytes of a line of the chat, with its LF: the text of a shorter one has no room for what tells lines apart.
 */
enum { KS_SETTINGS_LEAST_LINE = 17 };

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
    uint64_t threads;     /* echo, handshake */
    uint64_t pid;         /* of the server; 0 for none */
    bool secure;          /* over TLS; kesher's own protocols: over the secure port, signed in */
    bool json;
    bool quiet;    /* no progress */
    bool awake;    /* no sleep between answers */
    bool keep;     /* send: leave the messages on the server, unverified */
    bool one_user; /* upload: all connections are sessions of one user */
    bool help;
    bool version;
    struct ks_option_reader reader; /* what was given, and why it is wrong */
};

/* Whose `uses` have the bit (1u << mode) of each mode that takes an option. */
extern const struct ks_option_table ks_settings_table;

/* Reads argv. False when it makes no sense: then settings->reader.why is a line that says why. With --help or
 * --version the rest need not make sense; `mode` is KS_BENCH_MODES then if there was none. */
bool ks_settings_parse(int argc, char **argv, struct ks_settings *settings);

const char *ks_settings_mode_name(enum ks_bench_mode mode);
const char *ks_settings_mode_help(enum ks_bench_mode mode);
const char *ks_settings_mode_protocols(
    enum ks_bench_mode mode); /* blanks between them; NULL: only kesher's */

/* Help: of all, or of one mode. */
void ks_settings_print(FILE *stream, enum ks_bench_mode mode);

#endif
