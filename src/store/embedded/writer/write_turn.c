/* write_turn.c — see write_turn.h. */
#include "store/embedded/writer/write_turn.h"

/* None of these can fail with what they are given. */
void ks_write_turn_init(struct ks_write_turn *turn)
{
    pthread_mutex_init(&turn->lock, NULL);
    pthread_cond_init(&turn->given, NULL);
    turn->is_taken = false;
    atomic_init(&turn->hurried, 0);
}

void ks_write_turn_destroy(struct ks_write_turn *turn)
{
    pthread_cond_destroy(&turn->given);
    pthread_mutex_destroy(&turn->lock);
}

void ks_write_turn_take(struct ks_write_turn *turn, bool in_a_hurry)
{
    pthread_mutex_lock(&turn->lock);
    if (in_a_hurry)
        atomic_fetch_add(&turn->hurried, 1);
    while (turn->is_taken || (!in_a_hurry && atomic_load(&turn->hurried) > 0))
        pthread_cond_wait(&turn->given, &turn->lock);
    if (in_a_hurry)
        atomic_fetch_sub(&turn->hurried, 1);
    turn->is_taken = true;
    pthread_mutex_unlock(&turn->lock);
}

void ks_write_turn_give(struct ks_write_turn *turn)
{
    pthread_mutex_lock(&turn->lock);
    turn->is_taken = false;
    pthread_cond_broadcast(&turn->given);
    pthread_mutex_unlock(&turn->lock);
}

bool ks_write_turn_is_wanted(struct ks_write_turn *turn)
{
    return atomic_load(&turn->hurried) > 0;
}
