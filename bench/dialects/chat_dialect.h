/* chat_dialect.h — what the mode `chat` asks of a protocol: how to enter a room, what a line looks like when
 * it is said and when it is heard. Main thread.
 *
 * Fair means: every protocol has the same number of lines, and of deliveries of each line. Of M members W
 * write, and each line is delivered to M - 1. Where members hear the others but not themselves (kesher, IRC,
 * NATS with echo off), there are M connections, W of which write. Where whoever writes either cannot listen
 * on that connection (Redis) or would hear itself (MQTT), there are M - 1 connections that listen, and W more
 * that write (`writers_apart`).
 *
 * The line of --size bytes is a text and an LF, and is carried as that, with the LF, where texts are of any
 * bytes; IRC, whose lines end in CRLF, takes it as the end of the line.
 */
#ifndef KS_BENCH_DIALECTS_CHAT_DIALECT_H
#define KS_BENCH_DIALECTS_CHAT_DIALECT_H

#include "bench/load/load_link.h"
#include "bench/load/run.h"
#include "bench/traffic/chat_lines.h"
#include "bench/traffic/signers.h"

#include <string.h>

enum {
    KS_CHAT_BEFORE_CAPACITY = 96,
    KS_CHAT_AFTER_CAPACITY = 4,
    KS_CHAT_TOPIC_SIZE = 24,
};

/* Somebody in the room, or on the way into it: a connection. The first `writers` of them write. */
struct ks_chat_person {
    struct ks_load_link *link;
    uint32_t index;
    uint8_t step; /* of the dialect's way into the room; begins as 0 */
    bool entered;
};

/* What stands around a text. */
struct ks_chat_frame {
    uint8_t before[KS_CHAT_BEFORE_CAPACITY];
    size_t before_size;
    uint8_t after[KS_CHAT_AFTER_CAPACITY];
    size_t after_size;
};

struct ks_chat_dialect;

struct ks_chat_room {
    struct ks_run *run;
    void (*all_entered)(struct ks_chat_room *room); /* the mode's; called once */
    const struct ks_chat_dialect *dialect;
    struct ks_chat_person *people;
    uint32_t people_count;
    uint32_t writers;
    uint32_t entered;               /* of the people */
    uint32_t hearers;               /* of each line */
    size_t text_size;               /* without the LF */
    char topic[KS_CHAT_TOPIC_SIZE]; /* of this run alone: letters and digits */
    struct ks_chat_frame said;
    struct ks_chat_frame heard; /* for ks_chat_dialect_hear_frame */
    unsigned group;             /* kesher: its number, 0 until it is known */
    struct ks_signers *signers; /* whoever enters has to sign in; else NULL */
};

enum ks_chat_piece_kind {
    KS_CHAT_PIECE_TEXT,
    KS_CHAT_PIECE_OTHER, /* nothing of interest */
    KS_CHAT_PIECE_MORE,  /* more has to come first */
    KS_CHAT_PIECE_WRONG, /* must not be; told with ks_run_fail already, or nothing needs saying but itself */
};

struct ks_chat_piece {
    const uint8_t *text; /* room->text_size bytes */
    size_t size;         /* of all of the piece; set but for MORE and WRONG */
};

struct ks_chat_dialect {
    const char *name; /* of the protocol */
    bool writers_apart;
    bool one_order;      /* it promises that all hear all lines in one order */
    bool signs_in;       /* over TLS, into room->signers */
    bool secures_itself; /* with --secure: the connection begins without TLS */
    uint32_t at_a_time;  /* connections that are being opened (fleet.h); 0: as many as usual */
    size_t record_limit; /* of TLS (load_link.h); 0: none */
    size_t size_limit;   /* of a line, with its LF */
    const char *hint;    /* what to look at when the server turns us away */

    /* Fills in room->said and room->heard; before any connection. */
    void (*describe)(struct ks_chat_room *room);

    /* The person's link stands. */
    void (*greet)(struct ks_chat_room *room, struct ks_chat_person *person);

    /* What comes before the person has entered; ks_chat_dialect_entered when that is done. Returns how many
     * bytes it took, 0 when more has to come first. What is wrong is told with ks_chat_dialect_unexpected or
     * ks_run_fail. */
    size_t (*enter)(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                    size_t size);

    /* The first piece of what comes afterwards. `size` is not 0. */
    enum ks_chat_piece_kind (*hear)(struct ks_chat_room *room, struct ks_chat_person *person,
                                    const uint8_t *bytes, size_t size, struct ks_chat_piece *piece);
};

extern const struct ks_chat_dialect ks_chat_kesher;
extern const struct ks_chat_dialect ks_chat_redis;
extern const struct ks_chat_dialect ks_chat_nats;
extern const struct ks_chat_dialect ks_chat_irc;
extern const struct ks_chat_dialect ks_chat_mqtt;

/* ---- for dialects ---- */

/* The person is in the room. */
void ks_chat_dialect_entered(struct ks_chat_room *room, struct ks_chat_person *person);

/* Queues text for the person's server; the run fails without memory. */
void ks_chat_dialect_tell(struct ks_chat_room *room, struct ks_chat_person *person, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Fails the run: the server said something else than was due. */
void ks_chat_dialect_unexpected(struct ks_chat_room *room, const struct ks_chat_person *person,
                                const uint8_t *bytes, size_t size);

/* Size of the line that `bytes` begins with, with its LF; 0 when it has no end yet. */
static inline size_t ks_chat_dialect_line_size(const uint8_t *bytes, size_t size)
{
    const uint8_t *end = memchr(bytes, '\n', size);
    return end == NULL ? 0 : (size_t)(end - bytes) + 1;
}

static inline bool ks_chat_dialect_begins_with(const uint8_t *bytes, size_t size, const char *word)
{
    size_t word_size = strlen(word);
    return size >= word_size && memcmp(bytes, word, word_size) == 0;
}

/* A piece that is either a text in room->heard or, when it begins otherwise, WRONG. */
static inline enum ks_chat_piece_kind ks_chat_dialect_hear_frame(const struct ks_chat_room *room,
                                                                 const uint8_t *bytes, size_t size,
                                                                 struct ks_chat_piece *piece)
{
    const struct ks_chat_frame *frame = &room->heard;
    size_t begun = size < frame->before_size ? size : frame->before_size;
    if (memcmp(bytes, frame->before, begun) != 0)
        return KS_CHAT_PIECE_WRONG;
    size_t whole = frame->before_size + room->text_size + frame->after_size;
    if (size < whole)
        return KS_CHAT_PIECE_MORE;
    if (memcmp(bytes + whole - frame->after_size, frame->after, frame->after_size) != 0)
        return KS_CHAT_PIECE_WRONG;
    *piece = (struct ks_chat_piece){.text = bytes + frame->before_size, .size = whole};
    return KS_CHAT_PIECE_TEXT;
}

#endif
