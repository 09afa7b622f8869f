/* environment.h — what every service of a server is given: the seams and the settings.
 *
 * One per server, filled before the first connection; any thread. Afterwards only settings change, each by
 * itself, when the operator has them read again, and sessions are counted. What services share among
 * themselves is only handed through: the core (service/core) does not look into it.
 */
#ifndef KS_SERVICE_CORE_ENVIRONMENT_H
#define KS_SERVICE_CORE_ENVIRONMENT_H

#include "base/clock.h"
#include "base/log.h"
#include "crypto/random.h"
#include "store/store.h"

struct ks_account_names;
struct ks_alias_key;
struct ks_allowance;
struct ks_networks_current;
struct ks_pacing;
struct ks_staged;
struct ks_store_door;
struct ks_tally;

enum { KS_MESSAGE_LIMIT_LARGEST = INT32_MAX };

/* Of settings that nobody is asked about. */
enum {
    KS_CONTENT_KEY_LIFETIME = 24 * 3600, /* seconds */
    KS_SPOOL_THRESHOLD = 256 * 1024,     /* bytes */
};

/* Who may register (protocol.md §8.2). */
enum ks_registration_policy {
    KS_REGISTRATION_OPEN,
    KS_REGISTRATION_INVITED, /* with an invitation */
    KS_REGISTRATION_CLOSED,
};

struct ks_service_settings {
    _Atomic bool plain_public_ids; /* others are shown the ids themselves: insecure (protocol.md §1.1) */
    _Atomic uint64_t header_timeout_ms;  /* from the first byte of a request to the last of its fixed part */
    _Atomic uint64_t payload_timeout_ms; /* inside a payload, since its last byte */
    _Atomic uint64_t crc_wrong_delay_ms; /* silence before the deferred answer to a 1030 (protocol.md §1.2) */
    _Atomic int64_t content_key_lifetime; /* seconds without use after which a session forgets an AES key */
    _Atomic int64_t stage_lifetime;       /* seconds after which an unconfirmed upload is forgotten */
    _Atomic unsigned payload_rate;        /* bytes a second, at least, inside a payload; 0: no limit */
    _Atomic unsigned registrations_per_hour; /* from one address; 0: no limit */
    _Atomic unsigned keys_per_hour;          /* likewise: 1026, 1027 and 600, which cost us RSA */
    _Atomic unsigned uploads_per_user;       /* on their way, or waiting for their confirmation */
    _Atomic unsigned uploads;                /* of all users */
    _Atomic uint64_t list_budget;      /* bytes of lists of users for one user in an hour; 0: no limit */
    _Atomic unsigned list_rate;        /* bytes a second of those above it, at least 1 */
    _Atomic uint64_t stall_timeout_ms; /* in which a peer must take some of a long answer */
    _Atomic uint64_t settle_time_ms;   /* after its acknowledgement, in which a reset takes a message back */
    _Atomic uint32_t message_limit;    /* bytes of a message's content, at most KS_MESSAGE_LIMIT_LARGEST */
    _Atomic uint32_t spool_threshold;  /* bytes; larger contents of messages go to disk while they arrive */
    _Atomic uint64_t pull_limit; /* bytes of an answer to 604 at most, unless its first message is larger */
    _Atomic(enum ks_registration_policy) registration; /* on the secure port, … */
    _Atomic bool registration_is_for_all;      /* … and on the classic one, which knows no invitations */
    _Atomic uint64_t sign_in_timeout_ms;       /* from the opening of a connection to the secure port */
    _Atomic unsigned failed_sign_ins_per_hour; /* from one address; 0: no limit */
    _Atomic unsigned connections_per_account;  /* that are signed in at a time; 0: no limit */
};

struct ks_service_environment {
    struct ks_store *store;
    struct ks_store_door *store_door; /* for who may find the store closed (store_door.h) */
    const struct ks_random *random;
    const struct ks_clock *clock;
    const struct ks_log *log;
    const struct ks_alias_key *alias_key;       /* of users' public aliases */
    const struct ks_account_names *names;       /* what makes names alike; NULL: only what the store knows */
    struct ks_staged *staged;                   /* uploads that wait for their 1029 (staged.h) */
    struct ks_allowance *registrations;         /* by address; NULL: no limit */
    struct ks_allowance *keys;                  /* likewise */
    struct ks_networks_current *unlimited;      /* networks without limits by address; NULL: none */
    struct ks_pacing *pacing;                   /* of lists of users; NULL: as fast as they can */
    struct ks_tally *tally;                     /* of requests (tally.h); NULL: nobody counts */
    const struct ks_store_limits *store_limits; /* to tell accounts; NULL: none */
    struct ks_service_settings settings;
    _Atomic uint64_t sessions; /* that there have been on all ports of frames: the number of the last one */
};

#endif
