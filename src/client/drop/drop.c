/* drop.c — see <kesher/drop.h>: the public calls, over session, login and upload. */
#include "client/drop/upload.h"
#include "client/failure.h"
#include "client/transport/login.h"

#include "crypto/secret.h"

#include <stdlib.h>

/* A session whose identity is registered and saved; the caller destroys it, whatever the outcome. */
static enum kesher_status register_in_session(struct ks_client_session *session, struct kesher_home *home,
                                              const char *name, struct kesher_error *error)
{
    enum kesher_status status = ks_login_prepare(session, home, name, error);
    return status == KESHER_OK ? ks_login_register(session, error) : status;
}

enum kesher_status kesher_register(struct kesher_home *home, const char *address, const char *name,
                                   const struct kesher_options *options, struct kesher_identity **identity,
                                   struct kesher_error *error)
{
    struct ks_client_session session;
    enum kesher_status status = ks_client_session_init_classic(&session, home, address, options, NULL, error);
    if (status != KESHER_OK)
        return status;
    status = register_in_session(&session, home, name, error);
    return ks_client_session_hand_over(&session, status, identity);
}

enum kesher_status kesher_register_again(const struct kesher_home *home, const char *address,
                                         const char *name, const struct kesher_options *options,
                                         struct kesher_identity **identity, struct kesher_error *error)
{
    struct ks_client_session session;
    enum kesher_status status = ks_client_session_init_classic(&session, home, address, options, NULL, error);
    if (status != KESHER_OK)
        return status;
    status = ks_client_session_load(&session, error);
    if (status == KESHER_OK)
        status = ks_login_register_again(&session, name, error);
    return ks_client_session_hand_over(&session, status, identity);
}

static enum kesher_status drop_new(const struct kesher_home *home, const char *address,
                                   const struct kesher_options *options, struct kesher_drop **drop,
                                   struct kesher_error *error)
{
    struct kesher_drop *created = malloc(sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    created->pipeline = NULL;
    created->confirmed = (struct ks_confirmed_names){.directory = NULL};
    enum kesher_status status =
        ks_client_session_init_classic(&created->session, home, address, options, "files", error);
    if (status != KESHER_OK)
        free(created);
    else
        *drop = created;
    return status;
}

/* Hands a drop that is logged in to the caller, or closes it. */
static enum kesher_status drop_ready(struct kesher_drop *created, enum kesher_status status,
                                     struct kesher_drop **drop, struct kesher_error *error)
{
    if (status == KESHER_OK)
        status = ks_login_ensure(&created->session, error);
    if (status == KESHER_OK)
        *drop = created;
    else
        kesher_drop_close(created);
    return status;
}

enum kesher_status kesher_drop_open(const struct kesher_home *home, const char *address,
                                    const struct kesher_options *options, struct kesher_drop **drop,
                                    struct kesher_error *error)
{
    struct kesher_drop *created = NULL;
    enum kesher_status status = drop_new(home, address, options, &created, error);
    if (status != KESHER_OK)
        return status;
    status = ks_client_session_load(&created->session, error);
    return drop_ready(created, status, drop, error);
}

enum kesher_status kesher_drop_register(struct kesher_home *home, const char *address, const char *name,
                                        const struct kesher_options *options, struct kesher_drop **drop,
                                        struct kesher_error *error)
{
    struct kesher_drop *created = NULL;
    enum kesher_status status = drop_new(home, address, options, &created, error);
    if (status != KESHER_OK)
        return status;
    status = register_in_session(&created->session, home, name, error);
    return drop_ready(created, status, drop, error);
}

void kesher_drop_close(struct kesher_drop *drop)
{
    if (drop == NULL)
        return;
    ks_pipeline_free(drop->pipeline);
    ks_confirmed_names_close(&drop->confirmed);
    ks_client_session_destroy(&drop->session);
    ks_secret_wipe(drop->small, KS_REQUEST_HEADER_SIZE);
    free(drop);
}

enum kesher_status kesher_drop_put(struct kesher_drop *drop, const struct kesher_upload *upload,
                                   uint32_t *cksum, struct kesher_error *error)
{
    struct ks_upload_counts counts = {0};
    uint32_t sum = 0;
    enum kesher_status status = ks_upload_put(drop, upload, &counts, &sum, error);
    if (status == KESHER_OK && cksum != NULL)
        *cksum = sum;
    return status;
}

bool kesher_drop_note_confirmed(struct kesher_drop *drop, const char *name)
{
    return ks_confirmed_names_add(&drop->confirmed, drop->session.home, &drop->session.identity->id, name);
}
