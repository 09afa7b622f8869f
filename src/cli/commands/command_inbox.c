/* command_inbox.c — `kesher inbox`. Main thread. */
#include "cli/commands/messaging.h"
#include "cli/commands/showing.h"
#include "cli/terminal/output.h"
#include "cli/terminal/stop.h"

#include <signal.h>

enum { SHORTEST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 5000, GRACE_SECONDS = 2 };

static bool printed(void *context)
{
    const struct ks_cli_options *options = context;
    return !options->follow || !ks_stop_is_requested();
}

/* A lost connection is said once, until there is one again. True when that is all that happened. */
static bool is_loss(enum ks_showing_end end, const struct kesher_error *error, bool *said)
{
    bool lost =
        end == KS_SHOWING_FAILED && (error->status == KESHER_CONNECTION || error->status == KESHER_TIMEOUT);
    if (lost && !*said && !ks_stop_is_requested())
        ks_output_failed(error->status, "%s; trying again until it answers", error->sentence);
    *said = lost;
    return lost;
}

/* Files that wait to be saved are told, unless the reason was told before. True when there are none. */
static bool told_unsaved(const struct kesher_messenger *messenger, bool was_told)
{
    struct kesher_error error = {.sentence = ""};
    size_t count = kesher_messenger_unsaved(messenger, &error);
    if (count > 0 && !was_told)
        ks_output_failed(error.status, "%zu received %s in the home: %s", count,
                         count == 1 ? "file waits" : "files wait", error.sentence);
    return count == 0;
}

/* Until a signal, or a failure that waiting does not mend. */
static enum ks_showing_end follow(const struct ks_showing *showing, bool can_save, struct kesher_error *error)
{
    uint64_t pause_ms = SHORTEST_PAUSE_MS;
    bool loss_was_said = false;
    bool published = false;
    enum ks_showing_end end = ks_showing_kept(showing, error);
    (void)told_unsaved(showing->messenger, !can_save);
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

/* All that waits; then, with --discard, what cannot be decrypted goes. */
static enum ks_showing_end show(const struct ks_showing *showing, bool discard, struct kesher_error *error)
{
    enum ks_showing_end end = ks_showing_all(showing, error);
    return end == KS_SHOWING_DONE && discard ? ks_showing_discard(showing, error) : end;
}

static enum ks_exit receive(const struct ks_cli_options *options, struct kesher_messenger *messenger,
                            bool can_save)
{
    struct kesher_error error;
    struct ks_cli_options own = *options;
    const struct ks_showing showing = {
        .messenger = messenger, .json = options->json, .printed = printed, .context = &own};
    enum ks_showing_end end =
        options->follow ? follow(&showing, can_save, &error) : show(&showing, options->discard, &error);
    if (end == KS_SHOWING_DONE && !options->follow)
        ks_messaging_publish_key(messenger);
    if (end == KS_SHOWING_FAILED)
        ks_output_failure(&error);
    if (end != KS_SHOWING_DONE && end != KS_SHOWING_STOPPED)
        return KS_EXIT_FAILED;
    if (options->follow) /* until a signal, of which it dies */
        return KS_EXIT_DONE;
    return told_unsaved(messenger, !can_save) && can_save ? KS_EXIT_DONE : KS_EXIT_FAILED;
}

enum ks_exit ks_command_inbox(struct ks_context *context)
{
    const struct ks_cli_options *options = context->options;
    struct kesher_options patient = context->limits;
    /* Who follows tries again for ever, and wants no line for every time. */
    patient.reconnects = 1;
    patient.retry_ms = 1;
    if (options->follow && options->discard) {
        ks_output_usage("--discard comes to an end, --follow does not: give one of them");
        return KS_EXIT_USAGE;
    }
    if (options->follow && !ks_stop_prepare(GRACE_SECONDS))
        return KS_EXIT_FAILED;
    (void)signal(SIGPIPE, SIG_IGN);
    struct kesher_messenger *messenger =
        ks_messaging_open(context, "messages", options->follow ? &patient : NULL);
    if (messenger == NULL)
        return KS_EXIT_FAILED;
    bool can_save = ks_messaging_prepare_directory(context); /* texts come all the same */
    enum ks_exit status = receive(options, messenger, can_save);
    kesher_messenger_close(messenger);
    return status;
}
