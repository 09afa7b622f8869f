/* fake_store.h — storage in a test's hand: users, files and messages in memory, answers at once or later,
 * failures on demand.
 *
 * It keeps the contract of store.h, as tests/unit/store/contract says it, but for what only a disk can do.
 * One thread. What a test may look at, or set up by hand, are the fields of these structures.
 */
#ifndef KS_TESTS_SUPPORT_FAKE_STORE_H
#define KS_TESTS_SUPPORT_FAKE_STORE_H

#include "base/buffer.h"
#include "base/clock.h"
#include "store/store.h"

enum {
    FAKE_USERS_LIMIT = 1024,
    FAKE_FILES_LIMIT = 1024,    /* ever */
    FAKE_SETTLING_LIMIT = 1024, /* parts of a receiver */
    FAKE_RETIRED_LIMIT = 64,
    FAKE_INVITATIONS_LIMIT = 256,
    FAKE_WALL_START = 1767225600,
};

#define FAKE_DISK_SIZE (UINT64_C(1) << 40) /* what is free, whatever is stored */

struct fake_message {
    struct fake_message *next;
    struct ks_client_id receiver;
    struct ks_stored_message head;
    struct ks_buffer content;
    uint64_t owner;       /* who has it on lease; 0: nobody */
    uint64_t part;        /* the last message of the part */
    uint64_t progress_ms; /* when the owner last came on */
    bool settles;         /* hidden, and nobody waits for it */
};

struct fake_user {
    struct ks_user user;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_content_key *content_key;
    bool key_is_off_disk; /* a restart would not find it */
    uint64_t place;       /* in the order of registration, from 1; 0: put there by hand, and on no page */
    int64_t registered;   /* wall seconds */
    int64_t last_seen;
    char *skeleton; /* allocated; NULL: the name in lower case */
    /* If user.is_account. */
    uint8_t account_key[KS_ACCOUNT_KEY_SIZE];
    int64_t account_registered;
    struct ks_client_id classic_id; /* if user.has_classic_id */
};

/* An account that was removed. */
struct fake_retired {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
    char *skeleton; /* as above */
};

struct fake_invitation {
    uint8_t hash[KS_INVITATION_HASH_SIZE];
    unsigned uses; /* that are left */
    int64_t until;
    char name[KS_TEXT_FIELD_SIZE];
};

struct fake_file {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE]; /* the kept name */
    struct ks_buffer content;
    struct ks_file_facts facts; /* but for the size, which is that of the content */
    bool is_gone; /* replaced, removed, or its user was: here for the test, and for whoever reads it still */
    bool is_damaged; /* it is not opened, nor read any further */
};

struct fake_store {
    struct ks_store store;
    const struct ks_store_limits *limits; /* NULL: none */
    const struct ks_clock *clock;         /* NULL: no time passes */
    struct fake_user users[FAKE_USERS_LIMIT];
    unsigned user_count;
    uint64_t registered;   /* users, ever */
    uint64_t removed;      /* likewise */
    uint64_t list_changes; /* how often one came to the classic ports, or left them */
    struct fake_retired retired[FAKE_RETIRED_LIMIT];
    unsigned retired_count;
    struct fake_invitation invitations[FAKE_INVITATIONS_LIMIT];
    unsigned invitation_count;
    struct fake_file files[FAKE_FILES_LIMIT]; /* verified, in the order of their confirmation */
    unsigned file_count;
    struct fake_message *messages; /* oldest first */
    struct fake_message **end;     /* where the next one is linked */
    uint64_t last_message_id;
    unsigned renewals;    /* of leases */
    bool settles_no_more; /* as an engine at its limit */
    unsigned open_stages;
    struct ks_stage *stages;
    struct ks_stage *parked;     /* puts that broke off, the newest first */
    unsigned open_files;         /* for reading */
    bool fail_drops;             /* of content keys */
    bool later_appends;          /* answers to append_message are posted, all others given inside the call */
    bool later_ends;             /* likewise, those to confirm and remove_file */
    bool later;                  /* answers are posted instead of given inside the call */
    enum ks_result next_failure; /* of the next write, commit, or request of own files; KS_OK for none */
};

/* How many messages of a user are there, how many of them are on lease, and how many settle. */
unsigned fake_store_waiting(const struct fake_store *store, const struct ks_client_id *receiver);
unsigned fake_store_leased(const struct fake_store *store, const struct ks_client_id *receiver);
unsigned fake_store_settling(const struct fake_store *store, const struct ks_client_id *receiver);

/* The user's verified file of this kept name; NULL for none. */
struct fake_file *fake_store_find_file(struct fake_store *store, const struct ks_client_id *id,
                                       const char *name);

/* ks_store_close leaves what a restart would find; it may be asked again, until this. */
void fake_store_init(struct fake_store *store);
void fake_store_destroy(struct fake_store *store);

#endif
