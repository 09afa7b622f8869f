/* showing.h — messages from the server to stdout, for `inbox` and `menu`. Main thread.
 *
 * Each message is printed, flushed, and only then done with (kesher_messenger_done): a crash between the two
 * prints it again, and none loses it. SIGPIPE must be ignored, so that a closed stdout ends the printing
 * before the message that nobody saw is done with.
 */
#ifndef KS_CLI_COMMANDS_SHOWING_H
#define KS_CLI_COMMANDS_SHOWING_H

#include <kesher/kesher.h>

#include <stdbool.h>

struct ks_showing {
    struct kesher_messenger *messenger;
    bool json;   /* one object per line, else as the classic console has it */
    bool course; /* as the course's console: names without quotes, and no word of when a message came */
    /* Called after each message that is done with; false stops. NULL: all are printed. */
    bool (*printed)(void *context);
    void *context;
};

enum ks_showing_end {
    KS_SHOWING_DONE,    /* all was printed */
    KS_SHOWING_STOPPED, /* by `printed` */
    KS_SHOWING_FAILED,  /* with `error` */
    KS_SHOWING_CLOSED,  /* stdout cannot be written to, and that was said */
};

/* Prints what is on disk. */
enum ks_showing_end ks_showing_kept(const struct ks_showing *showing, struct kesher_error *error);

/* Asks the server once and prints what came, also when the connection was lost on the way. *more (may be
 * NULL) as from kesher_messenger_pull. */
enum ks_showing_end ks_showing_pull(const struct ks_showing *showing, bool *more, struct kesher_error *error);

/* Prints what is on disk, then asks the server until it has no more. */
enum ks_showing_end ks_showing_all(const struct ks_showing *showing, struct kesher_error *error);

/* Discards what cannot be decrypted, and prints which messages those were. */
enum ks_showing_end ks_showing_discard(const struct ks_showing *showing, struct kesher_error *error);

#endif
