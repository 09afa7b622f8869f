/* sealing.c — see sealing.h. */
#include "bench/load/sealing.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_CAPACITY = 1024 }; /* a ClientHello and what ends a handshake */

/* ---- the queue ---- */

static bool make_room(struct ks_sealing *sealing, size_t size)
{
    size_t capacity = sealing->capacity == 0 ? LEAST_CAPACITY : sealing->capacity;
    if (sealing->start == sealing->size)
        sealing->start = sealing->size = 0;
    while (capacity - sealing->size < size)
        capacity *= 2;
    if (capacity == sealing->capacity)
        return true;
    uint8_t *grown = realloc(sealing->bytes, capacity);
    if (grown == NULL)
        return false;
    sealing->bytes = grown;
    sealing->capacity = capacity;
    return true;
}

static void queue(void *owner, const uint8_t *bytes, size_t size)
{
    struct ks_sealing *sealing = owner;
    if (sealing->is_lost || size == 0)
        return;
    if (!make_room(sealing, size)) {
        sealing->is_lost = true;
        return;
    }
    memcpy(sealing->bytes + sealing->size, bytes, size);
    sealing->size += size;
}

const uint8_t *ks_sealing_queued(const struct ks_sealing *sealing, size_t *size)
{
    *size = sealing->size - sealing->start;
    return sealing->bytes + sealing->start;
}

void ks_sealing_sent(struct ks_sealing *sealing, size_t size)
{
    sealing->start += size;
}

/* ---- a connection ---- */

enum ks_result ks_sealing_new(struct ks_tls_context *context, struct ks_sealing **sealing)
{
    struct ks_sealing *made = calloc(1, sizeof *made);
    if (made == NULL)
        return KS_NO_MEMORY;
    enum ks_result result = ks_tls_new(context, NULL, queue, made, &made->tls);
    if (result != KS_OK) {
        free(made);
        return result;
    }
    *sealing = made;
    return KS_OK;
}

void ks_sealing_free(struct ks_sealing *sealing)
{
    if (sealing == NULL)
        return;
    ks_tls_free(sealing->tls);
    free(sealing->bytes);
    free(sealing);
}

static enum ks_result judge(const struct ks_sealing *sealing, enum ks_result result)
{
    return sealing->is_lost ? KS_NO_MEMORY : result;
}

enum ks_result ks_sealing_shake_hands(struct ks_sealing *sealing, const uint8_t *bytes, size_t size)
{
    if (size > 0)
        ks_tls_feed(sealing->tls, bytes, size);
    enum ks_result result = judge(sealing, ks_tls_handshake(sealing->tls));
    sealing->is_done = result == KS_OK;
    return result;
}

void ks_sealing_feed(struct ks_sealing *sealing, const uint8_t *bytes, size_t size)
{
    ks_tls_feed(sealing->tls, bytes, size);
}

enum ks_result ks_sealing_open(struct ks_sealing *sealing, uint8_t *bytes, size_t capacity, size_t *got)
{
    enum ks_result result = KS_OK;
    *got = 0;
    while (result == KS_OK && *got < capacity) {
        size_t some = 0;
        result = ks_tls_read(sealing->tls, bytes + *got, capacity - *got, &some);
        *got += result == KS_OK ? some : 0;
        /* Most often one record came: to ask for another costs as much again. */
        if (result == KS_OK && ks_tls_unread(sealing->tls) == 0 && !ks_tls_has_pending(sealing->tls))
            result = KS_MORE;
    }
    return judge(sealing, result);
}

enum ks_result ks_sealing_seal(struct ks_sealing *sealing, const uint8_t *bytes, size_t size)
{
    return judge(sealing, ks_tls_write(sealing->tls, bytes, size));
}

enum ks_result ks_sealing_end(struct ks_sealing *sealing)
{
    ks_tls_end(sealing->tls);
    return judge(sealing, KS_OK);
}
