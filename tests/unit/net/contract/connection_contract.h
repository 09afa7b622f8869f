/* connection_contract.h — what net/connection.h promises, as cases that hold for every carrier: for the
 * connection by hand (test_connection_fake.c), for TCP (test_connection_tcp.c), and for whatever comes beside
 * them. A carrier brings a harness, and calls connection_contract_run.
 *
 * All happens on the test's thread, which is the loop's. What a carrier does on its own takes its time: so
 * cases wait for what must come, and never for a time.
 */
#ifndef KS_TESTS_UNIT_NET_CONTRACT_CONNECTION_CONTRACT_H
#define KS_TESTS_UNIT_NET_CONTRACT_CONNECTION_CONTRACT_H

#include "unit/unit.h"

#include "base/buffer.h"
#include "net/connection.h"

/* One connection between a service that writes down what happens to it, and a peer in the case's hand. */
struct contract_line {
    const struct contract_harness *harness;
    void *carrier;                    /* the harness's own */
    struct ks_connection *connection; /* NULL before `opened` and after `closed` */
    /* A letter for each event: Opened, Received (one for several in a row), Ended, Drained, deaDline as T for
     * time, deliVered as V, reMinded as M, tUrn, Closed. */
    char events[64];
    struct ks_buffer input; /* what was received and consumed */
    struct ks_buffer got;   /* what the peer has taken */
    unsigned inside;        /* events that run now */
    bool refuses;           /* the service wants no connection */
    size_t appetite;        /* how much the service consumes before it leaves the rest */
    uint8_t *room;          /* where it wants input to go, NULL: anywhere */
    size_t room_size;
    /* What the service does inside an event, after it was written down; NULL: nothing. */
    void (*on_opened)(struct contract_line *line);
    void (*on_received)(struct contract_line *line);
    void (*on_ended)(struct contract_line *line);
    void (*on_drained)(struct contract_line *line);
    void (*on_deadline)(struct contract_line *line);
    void (*on_turn)(struct contract_line *line);
};

struct contract_harness {
    /* Makes a carrier; a connection comes with `open`, by way of these events and with the line as service.
     * The first turn may be needed until `opened`. */
    void (*set_up)(struct contract_line *line);
    void (*tear_down)(struct contract_line *line); /* closes and frees everything */
    void (*open)(struct contract_line *line, const struct ks_connection_events *events);

    /* The loop does what is at hand. */
    void (*turn)(struct contract_line *line);

    /* So many milliseconds pass, and what is due then happens. */
    void (*pass)(struct contract_line *line, uint64_t ms);

    /* What the peer does. What it sends, its end and its reset have come to the connection's door when these
     * return, so that the next turn lets them in. */
    void (*send)(struct contract_line *line, const void *bytes, size_t size);
    void (*end)(struct contract_line *line);
    void (*reset)(struct contract_line *line);
    void (*stall)(struct contract_line *line); /* from now on it takes no more than a megabyte by itself */
    void (*take)(struct contract_line *line, size_t total); /* until it has so many bytes in `got` */
    void (*await_our_end)(struct contract_line *line);      /* takes the rest, and sees our end of stream */
};

/* Runs all cases. 0 when none has failed, else not: the exit status of the program. */
int connection_contract_run(const char *name, const struct contract_harness *harness);

#endif
