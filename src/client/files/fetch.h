/* fetch.h — one file of kesher_files_get: what is asked for, and what becomes of the answer. It goes on, on a
 * new connection, behind what it has. One thread at a time.
 */
#ifndef KS_CLIENT_FILES_FETCH_H
#define KS_CLIENT_FILES_FETCH_H

#include "client/files/landing.h"

struct ks_fetch {
    struct kesher_get get;
    struct ks_files_request request; /* for sentences; `progressed` when something came that was not there */
    struct ks_landing landing;       /* unless it goes to a descriptor */
    struct ks_cksum output;          /* if it does: what it got */
    bool is_inquiry;                 /* the target is there: the server is only asked what it has */
    bool has_begun;                  /* with an answer */
    bool is_resumed;                 /* it has bytes that did not come with the last answer */
    bool is_repeated;                /* it was wrong at the end, and is fetched once more */
    bool is_answered;                /* no answer is in hand */
    uint64_t left;                   /* of the one in hand */
    uint32_t piece_left;             /* of the piece in hand */
    uint64_t told;                   /* the last progress */
    uint64_t best;                   /* the most that it ever had */
    struct kesher_get_result result;
};

/* Where bytes are collected before they are written, one for all files of a call. */
struct ks_fetch_buffer {
    uint8_t bytes[256 * 1024];
    size_t size;
};

enum ks_fetch_outcome {
    KS_FETCH_COMPLETE, /* all of it came, and is right */
    KS_FETCH_AGAIN,    /* it has to be asked for once more */
    KS_FETCH_UNCHANGED /* the target is what the server has */
};

/* Judges it, and opens its target and its partial file. KESHER_OK, and ks_fetch_end is due, as after an
 * error; errors as ks_destination_open and ks_partial_file_open. */
enum kesher_status ks_fetch_begin(struct ks_fetch *fetch, const struct kesher_get *get,
                                  struct kesher_error *error);

/* Closes what it has open. `forget`: its partial file goes. */
void ks_fetch_end(struct ks_fetch *fetch, bool forget);

/* How many bytes it has. */
uint64_t ks_fetch_size(const struct ks_fetch *fetch);

/* Sends the 3011 for what it does not have. Errors as ks_channel_send. */
enum kesher_status ks_fetch_ask(struct ks_client_session *session, const struct ks_fetch *fetch,
                                struct kesher_error *error);

/* Takes the first frame of the answer. KESHER_OK with *got, which was judged, and fetch->result.size. Errors
 * of the file, as what the server says: KESHER_NOT_FOUND, KESHER_INVALID, KESHER_REFUSED, KESHER_MISMATCH.
 * Errors of the connection; KESHER_PROTOCOL. */
enum kesher_status ks_fetch_take_facts(struct ks_client_session *session, struct ks_fetch *fetch,
                                       struct ks_got_file *got, struct kesher_error *error);

/* Takes the rest of it. KESHER_OK and *outcome. Errors as above, further KESHER_EXISTS, KESHER_FILE and
 * KESHER_NO_MEMORY. After an error of the file fetch->is_answered tells whether the answer was taken to its
 * end; after one of the connection what had come is kept. */
enum kesher_status ks_fetch_take_content(struct ks_client_session *session, struct ks_fetch *fetch,
                                         const struct ks_got_file *got, struct ks_fetch_buffer *buffer,
                                         enum ks_fetch_outcome *outcome, struct kesher_error *error);

/* After an error of the file: takes the rest of the answer, if that is not much; else the connection is given
 * up. Errors as ks_channel_receive_header. */
enum kesher_status ks_fetch_drop_rest(struct ks_client_session *session, struct ks_fetch *fetch,
                                      struct kesher_error *error);

#endif
