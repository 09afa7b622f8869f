/* drop.c — see <kesher/drop.h>: the public calls, over session, login and upload. */
#include "client/failure.h"
#include "client/login.h"
#include "client/upload.h"

#include "crypto/secret.h"

#include <stdlib.h>
#include <string.h>

enum kesher_status kesher_register(const struct kesher_home *home, const char *address, const char *name,
                                   const struct kesher_options *options, struct kesher_identity **identity,
                                   struct kesher_error *error)
{
    if (kesher_identity_exists(home))
        return ks_failure(error, KESHER_EXISTS,
                          "this home already holds an identity (me.info or my.info); use another home for "
                          "another user");
    struct ks_session session;
    enum kesher_status status = ks_session_init(&session, home, address, options, error);
    if (status != KESHER_OK)
        return status;
    status = ks_identity_prepare(home, name, &session.identity, error);
    if (status == KESHER_OK)
        status = ks_login_register(&session, error);
    if (status == KESHER_OK) {
        *identity = session.identity;
        session.identity = NULL;
    }
    ks_session_destroy(&session);
    return status;
}

enum kesher_status kesher_drop_open(const struct kesher_home *home, const char *address,
                                    const struct kesher_options *options, struct kesher_drop **drop,
                                    struct kesher_error *error)
{
    struct kesher_drop *created = malloc(sizeof *created);
    if (created == NULL)
        return ks_failure_no_memory(error);
    created->pipeline = NULL;
    enum kesher_status status = ks_session_init(&created->session, home, address, options, error);
    if (status != KESHER_OK) {
        free(created);
        return status;
    }
    status = kesher_identity_load(home, &created->session.identity, error);
    if (status == KESHER_OK)
        status = ks_login_ensure(&created->session, error);
    if (status != KESHER_OK) {
        kesher_drop_close(created);
        return status;
    }
    *drop = created;
    return KESHER_OK;
}

void kesher_drop_close(struct kesher_drop *drop)
{
    if (drop == NULL)
        return;
    ks_pipeline_free(drop->pipeline);
    ks_session_destroy(&drop->session);
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
