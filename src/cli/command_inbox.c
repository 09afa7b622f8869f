/* command_inbox.c — `kesher inbox`. Main thread. */
#include "cli/messaging.h"
#include "cli/output.h"
#include "cli/showing.h"
#include "cli/stop.h"

#include <signal.h>
#include <stdio.h>

enum { SHORTEST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 5000, GRACE_SECONDS = 2 };

static bool printed(void *context)
{
    const struct ks_options *options = context;
    return !options->follow || !ks_stop_is_requested();
}

static void say_loss(const struct kesher_error *error)
{
    struct kesher_error said = {.status = error->status};
    (void)snprintf(said.sentence, sizeof said.sentence, "%.700s; trying again until it answers",
                   error->sentence);
    ks_output_failure(&said);
}

/* A lost connection is said once, until there is one again. True when that is all that happened. */
static bool is_loss(enum ks_showing_end end, const struct kesher_error *error, bool *said)
{
    bool lost =
        end == KS_SHOWING_FAILED && (error->status == KESHER_CONNECTION || error->status == KESHER_TIMEOUT);
    if (lost && !*said && !ks_stop_is_requested())
        say_loss(error);
    *said = lost;
    return lost;
}

/* Until a signal, or a failure that waiting does not mend. */
static enum ks_showing_end follow(const struct ks_showing *showing, struct kesher_error *error)
{
    uint64_t pause_ms = SHORTEST_PAUSE_MS;
    bool loss_was_said = false;
    bool published = false;
    enum ks_showing_end end = ks_showing_kept(showing, error);
    while (end == KS_SHOWING_DONE && !ks_stop_is_requested()) {
        bool more = false;
        end = ks_showing_pull(showing, &more, error);
        if (end == KS_SHOWING_DONE && !published)
            ks_messaging_publish_key(showing->messenger);
        published |= end == KS_SHOWING_DONE;
        if (is_loss(end, error, &loss_was_said))
            end = KS_SHOWING_DONE;
        else if (more)
            pause_ms = SHORTEST_PAUSE_MS;
        if (end != KS_SHOWING_DONE || (more && !loss_was_said))
            continue;
        if (!ks_stop_sleep(pause_ms)) {
            ks_output_error("nobody reads the standard output any more");
            return KS_SHOWING_CLOSED;
        }
        pause_ms = pause_ms * 2 < LONGEST_PAUSE_MS ? pause_ms * 2 : LONGEST_PAUSE_MS;
    }
    return end;
}

enum ks_exit ks_command_inbox(struct ks_context *context)
{
    struct kesher_error error;
    struct ks_options options = *context->options;
    struct kesher_options patient = context->limits;
    /* Who follows tries again for ever, and wants no line for every time. */
    patient.reconnects = 1;
    patient.retry_ms = 1;
    if (options.follow && !ks_stop_prepare(GRACE_SECONDS))
        return KS_EXIT_FAILED;
    (void)signal(SIGPIPE, SIG_IGN);
    struct kesher_messenger *messenger = ks_messaging_open(context, options.follow ? &patient : NULL);
    if (messenger == NULL)
        return KS_EXIT_FAILED;
    const struct ks_showing showing = {
        .messenger = messenger, .json = options.json, .printed = printed, .context = &options};
    enum ks_showing_end end = options.follow ? follow(&showing, &error) : ks_showing_all(&showing, &error);
    if (end == KS_SHOWING_DONE && !options.follow)
        ks_messaging_publish_key(messenger);
    kesher_messenger_close(messenger);
    if (end == KS_SHOWING_FAILED)
        ks_output_failure(&error);
    return end == KS_SHOWING_DONE || end == KS_SHOWING_STOPPED ? KS_EXIT_DONE : KS_EXIT_FAILED;
}
