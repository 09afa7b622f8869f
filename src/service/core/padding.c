/* padding.c — see padding.h. */
#include "service/core/padding.h"

#include "service/core/session_internal.h"

/* ---- answers ---- */

void ks_padding_answer_begins(struct ks_session *session)
{
    session->padding.answer = 0;
}

void ks_padding_answer_adds(struct ks_session *session, size_t size)
{
    session->padding.answer = (uint16_t)((session->padding.answer + size) % KS_BLOCK_SIZE);
}

void ks_padding_answer_ends(struct ks_session *session)
{
    size_t rest = ks_blocks_rest(session->padding.answer);
    if (!session->padding.requests.on || rest == 0)
        return;
    ks_connection_write(session->connection, ks_blocks_zeros, rest);
    session->padding.answer = 0;
}

/* The last answer has left without its padding, unless it is still on its way. */
void ks_padding_is_the_custom(struct ks_session *session)
{
    if (session->padding.requests.on)
        return;
    session->padding.requests.on = true;
    if (session->stream == NULL)
        ks_padding_answer_ends(session);
}

/* ---- requests ---- */

static enum ks_blocks_verdict judge(const struct ks_session *session, const uint8_t *bytes, size_t size)
{
    if (session->port->access != NULL || session->state != KS_SESSION_HEAD ||
        session->head_size >= KS_REQUEST_HEADER_SIZE)
        return KS_BLOCKS_FRAME;
    size_t looked_at = KS_REQUEST_HEADER_SIZE - (size_t)session->head_size;
    if (looked_at > size)
        looked_at = size;
    size_t zeros = ks_blocks_count_zeros(session->head, session->head_size);
    if (zeros == session->head_size)
        zeros += ks_blocks_count_zeros(bytes, looked_at);
    return ks_blocks_judge(&session->padding.requests, KS_REQUEST_HEADER_SIZE, zeros,
                           session->head_size + looked_at);
}

static void recognise(struct ks_session *session)
{
    ks_padding_is_the_custom(session);
    ks_blocks_recognise(&session->padding.requests, session->head_size);
    ks_session_forget_head(session);
}

bool ks_padding_take(struct ks_session *session, const uint8_t *bytes, size_t size, size_t *taken,
                     bool *is_broken)
{
    if (session->padding.requests.padding == 0) {
        if (size == 0 || judge(session, bytes, size) != KS_BLOCKS_PADDING)
            return false;
        recognise(session);
    }
    *taken = ks_blocks_take(&session->padding.requests, bytes, size, is_broken);
    return true;
}

bool ks_padding_is_possible(const struct ks_session *session, const uint8_t *bytes, size_t size)
{
    if (session->padding.requests.padding > 0)
        return size == 0 || bytes[0] == 0;
    return judge(session, bytes, size) != KS_BLOCKS_FRAME;
}

bool ks_padding_needs_silence(const struct ks_session *session)
{
    return session->head_size > 0 && judge(session, NULL, 0) == KS_BLOCKS_EXACT;
}

void ks_padding_had_silence(struct ks_session *session)
{
    recognise(session);
}
