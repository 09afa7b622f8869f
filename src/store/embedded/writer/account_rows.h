/* account_rows.h — rows of accounts, invitations and names of removed accounts, read and changed inside the
 * batch's transaction: so what is asked here sees what the same batch did before, and of two that want the
 * same the first gets it. The writer's thread.
 *
 * Whatever is not said of a function is a failure of the database, which fails the batch.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_ACCOUNT_ROWS_H
#define KS_STORE_EMBEDDED_WRITER_ACCOUNT_ROWS_H

#include "store/embedded/writer/writer.h"
#include "store/store_accounts.h"

struct ks_account_row {
    struct ks_client_id id;
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    int64_t registered;
    bool has_classic_id;
};

/* KS_OK with *row; KS_NOT_FOUND. */
enum ks_result ks_account_rows_by_key(struct ks_database_writer *writer,
                                      const uint8_t key[static KS_ACCOUNT_KEY_SIZE],
                                      struct ks_account_row *row);
enum ks_result ks_account_rows_by_id(struct ks_database_writer *writer, const struct ks_client_id *id,
                                     struct ks_account_row *row);

/* The user, whose row is there, becomes an account, with the skeleton of that row. */
enum ks_result ks_account_rows_insert(struct ks_database_writer *writer, const struct ks_account_row *row);

/* The account has another key; its classic id is void. */
enum ks_result ks_account_rows_set_key(struct ks_database_writer *writer, const struct ks_account_row *row);

/* The account's classic id; NULL for none. */
enum ks_result ks_account_rows_set_classic_id(struct ks_database_writer *writer,
                                              const struct ks_client_id *id,
                                              const struct ks_client_id *classic_id);

/* The classic keys of a user: this public key (NULL for none), and no content key. */
enum ks_result ks_account_rows_set_classic_key(struct ks_database_writer *writer, int64_t number,
                                               const uint8_t *public_key);

/* ---- names ---- */

/* KS_EXISTS when the skeleton is an account's, or was that of one that was removed; when it is any user's,
 * too, with `of_anybody`; KS_OK when it is not. */
enum ks_result ks_account_rows_judge_skeleton(struct ks_database_writer *writer, const char *skeleton,
                                              bool of_anybody);

/* The user is about to be removed: if it is an account, it is none any more, and nobody else gets its name
 * and id. Before the row of the user goes. */
enum ks_result ks_account_rows_retire(struct ks_database_writer *writer, const struct ks_client_id *id);

/* Who had exactly this name until it was removed: KS_OK with *id; KS_NOT_FOUND. */
enum ks_result ks_account_rows_retired(struct ks_database_writer *writer, const char *name,
                                       struct ks_client_id *id);

/* It comes back: nothing says any more that it was removed. */
enum ks_result ks_account_rows_bring_back(struct ks_database_writer *writer, const struct ks_client_id *id);

/* ---- invitations ---- */

struct ks_invitation_row {
    unsigned uses; /* that are left */
    int64_t until; /* wall seconds; 0: for ever */
    char name[KS_TEXT_FIELD_SIZE];
};

/* KS_OK with *row; KS_NOT_FOUND. */
enum ks_result ks_account_rows_invitation(struct ks_database_writer *writer,
                                          const uint8_t hash[static KS_INVITATION_HASH_SIZE],
                                          struct ks_invitation_row *row);

/* One of the uses that are left is used up. */
enum ks_result ks_account_rows_use(struct ks_database_writer *writer,
                                   const uint8_t hash[static KS_INVITATION_HASH_SIZE], unsigned uses);

/* KS_OK; KS_EXISTS. */
enum ks_result ks_account_rows_invite(struct ks_database_writer *writer,
                                      const uint8_t hash[static KS_INVITATION_HASH_SIZE],
                                      const struct ks_invitation_row *row);

/* How many there are, over ones included. */
enum ks_result ks_account_rows_count_invitations(struct ks_database_writer *writer, int64_t *count);

/* Deletes those that are over. */
enum ks_result ks_account_rows_delete_over(struct ks_database_writer *writer, int64_t now);

/* Whether an invitation that ends then is over. Pure. */
static inline bool ks_invitation_is_over(int64_t until, int64_t now)
{
    return until != 0 && now >= until;
}

#endif
