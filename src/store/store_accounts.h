/* store_accounts.h — requests to a store about accounts and invitations (protocol.md §8); store.h has the
 * rules for all requests, and the functions that ask.
 *
 * An *account* is a user that signs in with an Ed25519 key. Its `id` is what everything of the user is kept
 * under, as of any user, but it proves nothing and nobody outside is told it: who shows it on a classic port
 * is unknown (ks_store_classic_id). The *classic id* of an account, if its owner has switched that on, is
 * another one. Others see the alias of the id (crypto/alias.h). The alias is a permutation, so the id stands
 * for it: it is chosen once, never used again by anybody else, and stays when the account is removed.
 *
 * A *skeleton* is what makes names alike (service/accounts/account_names.h). Everybody has one; that of an
 * account is nobody else's when it registers. An empty one in a request stands for the name in ASCII's lower
 * case.
 */
#ifndef KS_STORE_STORE_ACCOUNTS_H
#define KS_STORE_STORE_ACCOUNTS_H

#include "store/store_request.h"
#include "wire/accounts_codec.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    KS_SKELETON_SIZE = 1024,       /* with its NUL */
    KS_INVITATION_HASH_SIZE = 32,  /* SHA-256 of the 16 bytes */
    KS_INVITATIONS_LIMIT = 100000, /* that can be open at a time */
    KS_INVITATION_USES_LIMIT = 100000,
};

struct ks_account {
    struct ks_client_id id;
    uint8_t key[KS_ACCOUNT_KEY_SIZE];
    char name[KS_TEXT_FIELD_SIZE];
    bool has_classic_id;
    int64_t registered; /* wall seconds */
};

/* 3001: who has this key. KS_OK; KS_NOT_FOUND. */
struct ks_store_sign_in {
    struct ks_store_request request;
    uint8_t key[KS_ACCOUNT_KEY_SIZE]; /* in */
    struct ks_account account;        /* out */
};

/* 3002. KS_OK with `account`, durable, and the invitation has one use less; KS_OK, too, and nothing changes,
 * when exactly this key and name are an account already, whatever the invitation. Else nothing changes:
 * KS_INVALID when the key is an account of another name; KS_REFUSED when the invitation is unknown, used up,
 * over, or for another name; KS_EXISTS when the name or its skeleton is somebody's, or was an account's that
 * was removed; KS_TOO_LARGE when there are as many users as there may be (ks_store_limits.users);
 * KS_NO_SPACE, KS_IO, KS_NO_MEMORY, KS_CRYPTO. An invitation for exactly this name makes the account that has
 * it, or had it before it was removed, one of this key: its id, and what there is of files and waiting
 * messages, stay; the key that it had is no account any more, which `replaced` tells, and its classic id and
 * classic keys are void. Of one that was removed, all must be gone from the disk first: until then KS_IO. A
 * classic user's name is given to nobody: KS_EXISTS. The name has been judged. Of two requests with one
 * use of an invitation, or for one name, at the same instant exactly one gets KS_OK. */
struct ks_store_register_account {
    struct ks_store_request request;
    uint8_t key[KS_ACCOUNT_KEY_SIZE];            /* in */
    char name[KS_TEXT_FIELD_SIZE];               /* in */
    char skeleton[KS_SKELETON_SIZE];             /* in */
    bool has_invitation;                         /* in */
    uint8_t invitation[KS_INVITATION_HASH_SIZE]; /* in, if has_invitation */
    struct ks_account account;                   /* out */
    bool replaced;                               /* out: an account that there was has this key now */
};

/* 3004: the classic user `id` becomes an account; its classic id, public key and content key are void from
 * the commit on. KS_OK with `account`; KS_OK, too, when it is one with this key already; KS_NOT_FOUND when
 * there is no such user, or it is an account with another key; KS_EXISTS when the key is another account's;
 * KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
struct ks_store_adopt {
    struct ks_store_request request;
    struct ks_client_id id;           /* in */
    uint8_t key[KS_ACCOUNT_KEY_SIZE]; /* in */
    struct ks_account account;        /* out */
};

/* Switches the classic ports on for an account: a fresh classic id, which is told this once, and a public
 * key, in one commit; what there was before is void. Or off. KS_OK; KS_NOT_FOUND; KS_NO_SPACE, KS_IO,
 * KS_NO_MEMORY, KS_CRYPTO. */
struct ks_store_set_classic {
    struct ks_store_request request;
    struct ks_client_id id;                 /* in: the account's */
    bool on;                                /* in */
    uint8_t public_key[KS_PUBLIC_KEY_SIZE]; /* in, if on; judged with ks_public_key_parse */
    struct ks_client_id classic_id;         /* out, if on */
};

/* Adds an invitation. KS_OK, durable; KS_EXISTS; KS_TOO_LARGE with KS_INVITATIONS_LIMIT that are open;
 * KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
struct ks_store_invite {
    struct ks_store_request request;
    uint8_t invitation[KS_INVITATION_HASH_SIZE]; /* in */
    unsigned uses;                               /* in: 1 to KS_INVITATION_USES_LIMIT */
    int64_t until;                               /* in: wall seconds; 0: for ever */
    char name[KS_TEXT_FIELD_SIZE];               /* in: for whom alone; "": for anybody */
};

/* Whether a name with this skeleton is anybody's: KS_NOT_FOUND when it is nobody's; KS_OK with `id`, zeros
 * for a name that was removed; of classic users with one skeleton it is any, unless an account has it, too;
 * KS_IO, KS_NO_MEMORY. What was answered before counts. */
struct ks_store_name_holder {
    struct ks_store_request request;
    char skeleton[KS_SKELETON_SIZE]; /* in */
    struct ks_client_id id;          /* out */
};

#endif
