/* write_turn.h — whose turn it is to write to the database. SQLite lets one connection write at a time; the
 * one that may not would poll. Two threads of ours write: the writer, for whom requests wait, is in a hurry;
 * the filer (filing.h), who has much to do and nobody who waits, is not: it looks now and then whether the
 * turn is wanted, and lets the other one go first.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_WRITE_TURN_H
#define KS_STORE_EMBEDDED_WRITER_WRITE_TURN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct ks_write_turn {
    pthread_mutex_t lock;
    pthread_cond_t given;
    bool is_taken;
    _Atomic unsigned hurried; /* who are in a hurry and wait */
};

void ks_write_turn_init(struct ks_write_turn *turn);
void ks_write_turn_destroy(struct ks_write_turn *turn);

/* Waits for the turn and takes it. Not twice. */
void ks_write_turn_take(struct ks_write_turn *turn, bool in_a_hurry);

/* Gives it to the next. */
void ks_write_turn_give(struct ks_write_turn *turn);

/* Whether somebody in a hurry waits. Any thread. */
bool ks_write_turn_is_wanted(struct ks_write_turn *turn);

#endif
