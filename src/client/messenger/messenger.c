/* messenger.c — see <kesher/messages.h> and messenger_internal.h. */
#include "client/messenger/messenger_internal.h"

#include "client/failure.h"
#include "client/inbound/arrival.h"
#include "client/people/user_list.h"
#include "client/transport/login.h"
#include "crypto/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kesher_status kesher_register_messages(struct kesher_home *home, const char *address, const char *name,
                                            const struct kesher_options *options,
                                            struct kesher_identity **identity, struct kesher_error *error)
{
    struct ks_client_session session;
    enum kesher_status status = ks_client_session_init_classic(&session, home, address, options, NULL, error);
    if (status != KESHER_OK)
        return status;
    status = ks_login_prepare(&session, home, name, error);
    if (status == KESHER_OK)
        status = ks_login_register_messages(&session, error);
    return ks_client_session_hand_over(&session, status, identity);
}

/* $TMPDIR, as the course has it. */
static const char *temporary_directory(void)
{
    const char *directory =
        getenv("TMPDIR"); /* NOLINT(concurrency-mt-unsafe): nobody changes the environment */
    return directory != NULL && directory[0] != '\0' ? directory : "/tmp";
}

/* Where received files go. What the server has handed over is nowhere else: so not where a reboot or a sweep
 * deletes it. */
static enum kesher_status choose_directory(struct kesher_messenger *messenger, const struct kesher_home *home,
                                           const struct kesher_messenger_settings *settings,
                                           struct kesher_error *error)
{
    const char *given = settings->file_directory;
    if (given == NULL && settings->classic)
        given = temporary_directory();
    messenger->saves_at_home = given == NULL;
    if (given != NULL)
        messenger->file_directory = strdup(given);
    else if (asprintf(&messenger->file_directory, "%s/" KS_RECEIVED_DIRECTORY, home->path) < 0)
        messenger->file_directory = NULL;
    return messenger->file_directory != NULL ? KESHER_OK : ks_failure_no_memory(error);
}

/* Fills a messenger that holds nothing yet; what it came to hold is the caller's to close. */
static enum kesher_status fill(struct kesher_messenger *messenger, const struct kesher_home *home,
                               const struct kesher_messenger_settings *settings, struct kesher_error *error)
{
    enum kesher_status status = ks_client_session_load(&messenger->session, error);
    if (status != KESHER_OK)
        return status;
    messenger->classic = settings->classic;
    status = choose_directory(messenger, home, settings, error);
    if (status == KESHER_OK)
        status = ks_contacts_open(&messenger->contacts, home, !settings->classic, error);
    if (status == KESHER_OK)
        status = ks_client_inbox_open(&messenger->inbox, home, error);
    if (status != KESHER_OK)
        return status;
    ks_kept_init(&messenger->kept, &messenger->inbox);
    /* What does not work now is tried again, and told, by the next pull. */
    (void)ks_arrival_recover(&messenger->inbox, NULL);
    return KESHER_OK;
}

enum kesher_status kesher_messenger_open(const struct kesher_home *home, const char *address,
                                         const struct kesher_messenger_settings *settings,
                                         const struct kesher_options *options,
                                         struct kesher_messenger **messenger, struct kesher_error *error)
{
    struct kesher_messenger *created = calloc(1, sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    enum kesher_status status = ks_client_session_init(&created->session, home, address, options, error);
    if (status != KESHER_OK) {
        free(created);
        return status;
    }
    status = fill(created, home, settings, error);
    if (status == KESHER_OK)
        *messenger = created;
    else
        kesher_messenger_close(created);
    return status;
}

void kesher_messenger_close(struct kesher_messenger *messenger)
{
    if (messenger == NULL)
        return;
    ks_in_hand_drop(messenger);
    ks_kept_free(&messenger->kept);
    ks_client_inbox_close(&messenger->inbox);
    ks_contacts_close(&messenger->contacts);
    ks_client_session_destroy(&messenger->session);
    free(messenger->file_directory);
    ks_secret_wipe(messenger, sizeof *messenger);
    free(messenger);
}

enum kesher_status kesher_messenger_users(struct kesher_messenger *messenger,
                                          bool (*visit)(void *context, const struct kesher_user *user),
                                          void *context, struct kesher_error *error)
{
    return ks_user_list_each(&messenger->session, KS_REQUEST_UNTIL_ANSWERED, visit, context, error);
}

enum kesher_status kesher_messenger_publish_key(struct kesher_messenger *messenger, bool *published,
                                                struct kesher_error *error)
{
    bool unwanted = false;
    enum kesher_status status = ks_client_session_is_classic(&messenger->session, "keys of messages", error);
    if (status != KESHER_OK)
        return status;
    return ks_login_publish_key(&messenger->session, published != NULL ? published : &unwanted, error);
}
