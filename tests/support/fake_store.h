/* fake_store.h — storage in a test's hand: a few users and stages in memory, answers at once or later,
 * failures on demand. */
#ifndef KS_TESTS_FAKE_STORE_H
#define KS_TESTS_FAKE_STORE_H

#include "base/buffer.h"
#include "store/store.h"

enum { FAKE_USERS_LIMIT = 1024, FAKE_FILES_LIMIT = 256 };

struct fake_message {
    struct fake_message *next;
    struct ks_client_id receiver;
    struct ks_stored_message head;
    struct ks_buffer content;
    uint64_t owner; /* who has it on lease; 0: nobody */
    uint64_t part;  /* the last message of the part */
    bool settles;   /* hidden, and nobody waits for it */
};

struct fake_user {
    struct ks_user user;
    uint8_t public_key[KS_PUBLIC_KEY_SIZE];
    struct ks_content_key *content_key;
    bool key_is_off_disk; /* a restart would not find it */
};

struct fake_file {
    struct ks_client_id id;
    char name[KS_TEXT_FIELD_SIZE];
    struct ks_buffer content;
};

struct fake_store {
    struct ks_store store;
    struct fake_user users[FAKE_USERS_LIMIT];
    unsigned user_count;
    struct fake_file files[FAKE_FILES_LIMIT]; /* verified, in the order of their confirmation */
    unsigned file_count;
    struct fake_message *messages; /* oldest first */
    uint64_t last_message_id;
    unsigned renewals;    /* of leases */
    bool settles_no_more; /* as an engine at its limit */
    unsigned open_stages;
    struct ks_stage *stages;
    bool fail_drops;             /* of content keys */
    bool later_appends;          /* answers to append_message are posted, all others given inside the call */
    bool later;                  /* answers are posted instead of given inside the call */
    enum ks_result next_failure; /* of the next write or commit; KS_OK for none */
};

/* How many messages of a user are there, how many of them are on lease, and how many settle. */
unsigned fake_store_waiting(const struct fake_store *store, const struct ks_client_id *receiver);
unsigned fake_store_leased(const struct fake_store *store, const struct ks_client_id *receiver);
unsigned fake_store_settling(const struct fake_store *store, const struct ks_client_id *receiver);

void fake_store_init(struct fake_store *store);
void fake_store_destroy(struct fake_store *store);

#endif
