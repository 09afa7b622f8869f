/* contract_cases.h — what the cases of connection_contract.h are written with: one file for each subject. All
 * on the test's thread. */
#ifndef KS_TESTS_UNIT_NET_CONTRACT_CONTRACT_CASES_H
#define KS_TESTS_UNIT_NET_CONTRACT_CONTRACT_CASES_H

#include "unit/net/contract/connection_contract.h"

enum { MUCH = 4 * 1024 * 1024, LONG_MS = 60000 };

/* ---- subjects ---- */

struct contract_case {
    const char *name;
    void (*run)(void **state); /* *state is the line, which is not open yet */
};

#define CASE(function)                                                                                       \
    {                                                                                                        \
#function, function                                                                                  \
    }

struct contract_subject {
    const char *name;
    const struct contract_case *cases;
    size_t count;
};

extern const struct contract_subject contract_input;
extern const struct contract_subject contract_output;
extern const struct contract_subject contract_endings;
extern const struct contract_subject contract_time;

/* ---- the line ---- */

/* A service with all events, and one with those alone that must be there. */
extern const struct ks_connection_events line_events;
extern const struct ks_connection_events line_least_events;

void line_turn(struct contract_line *line);  /* the loop does what is at hand */
void line_turns(struct contract_line *line); /* several, to see that something does not come */
void line_open(struct contract_line *line);  /* until `opened` was written down */

/* Turns until as many events were written down, which must be these. */
void line_await(struct contract_line *line, const char *events);

/* The peer sends, and the service must have received exactly this in all. */
void line_send(struct contract_line *line, const char *text);
void line_assert_input(struct contract_line *line, const char *text);

/* The service writes, and the peer must have taken exactly this in all. */
void line_write(struct contract_line *line, const char *text);
void line_write_much(struct contract_line *line, size_t size);
void line_assert_got(struct contract_line *line, const char *text);

uint8_t *line_pattern(size_t size); /* bytes that tell where they stand; for free() */
struct ks_shared *line_shared_text(const char *text);

/* What the service may do inside an event. */
void line_finish(struct contract_line *line);
void line_abort(struct contract_line *line);
void line_pause(struct contract_line *line);

#endif
