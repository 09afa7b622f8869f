/* stream.h — an answer that is longer than anyone wants to hold: written page by page, as fast as the peer
 * takes it. Private to src/service.
 *
 * A stream is part of an object of its source, which fills the pages. The memory of a page, and as much again
 * for the output that waits, comes from the budget of answers; without room the stream waits, and no time
 * runs against its peer. When a page cannot be had in the middle of the answer, the connection ends: the size
 * was promised in the header. So it does where others wait for memory and no peer takes its answer more
 * slowly, and where one acknowledges nothing for the stall timeout (session.c).
 *
 * An answer may also be several frames, whose headers the source writes into its pages: it may end early
 * then, with a last frame that says why.
 *
 * Everything runs on the connection's loop.
 */
#ifndef KS_SERVICE_CORE_STREAM_H
#define KS_SERVICE_CORE_STREAM_H

#include "service/core/session.h"

struct ks_stream;

struct ks_stream_source {
    /* Puts the next bytes into stream->page, at most stream->page_size, and calls ks_stream_page, in the call
     * or later. */
    void (*fill)(struct ks_stream *stream);
    /* Optional: takes the turn for the next page, and returns in how many milliseconds it comes. Until then
     * no memory is held. */
    uint64_t (*take_turn)(struct ks_stream *stream);
    /* The next page is filled while the peer takes the last one; without turns. */
    bool reads_ahead;
    /* The stream is over, complete or not: its last call. The object may go. */
    void (*ended)(struct ks_stream *stream);
};

struct ks_stream {
    const struct ks_stream_source *source;
    struct ks_exchange *exchange;
    struct ks_holder holder;
    uint64_t left;            /* bytes of the answer that are not written yet */
    uint64_t taken;           /* bytes of all output that the peer had taken, when we last looked */
    uint8_t *page;            /* NULL while there is none */
    struct ks_shared *shared; /* whose bytes the page is */
    size_t page_size;
    size_t filled; /* bytes of the page that wait to be written */
    bool has_room; /* in the budget, for a page and the output */
    bool filling;  /* the source has the page */
    bool pumping;  /* the loop over the pages is running further up the stack */
    bool has_turn; /* for the next page … */
    bool pausing;  /* … which is still to come */
    bool orphaned; /* the connection is gone, or about to go */
    bool is_over;  /* ended, but for the budget's last call */
};

/* Answers `exchange` with `code` and a payload of `payload_size` bytes from pages of at most `page_size`. The
 * exchange must be the session's oldest: its rule has KS_OVERLAP_NONE. The caller leaves the object alone
 * afterwards: it may be gone. */
void ks_stream_begin(struct ks_stream *stream, const struct ks_stream_source *source,
                     struct ks_exchange *exchange, uint16_t code, uint32_t payload_size, size_t page_size);

/* The same with frames that the source writes, of `size` bytes at most, headers included; it counts the
 * exchange (ks_exchange_count) before the first one. The pages are at most `page_size`. */
void ks_stream_begin_frames(struct ks_stream *stream, const struct ks_stream_source *source,
                            struct ks_exchange *exchange, uint64_t size, size_t page_size);

/* The source has filled `size` bytes of the page, or failed. KS_OK with 0, or with more than was promised, is
 * a failure. The object may be gone afterwards. */
void ks_stream_page(struct ks_stream *stream, enum ks_result result, size_t size);

/* The same, with KS_OK, of an answer in frames, which ends with this page. */
void ks_stream_last_page(struct ks_stream *stream, size_t size);

/* For frames.c: the peer has taken something; the output has room again; the turn for the next page has come;
 * the connection is gone. */
void ks_stream_look(struct ks_stream *stream);
void ks_stream_go_on(struct ks_stream *stream);
void ks_stream_turn_has_come(struct ks_stream *stream);
void ks_stream_orphan(struct ks_stream *stream);

#endif
