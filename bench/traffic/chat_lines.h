/* chat_lines.h — the lines of a group that talks: who wrote how many, who has heard which, and whether all
 * was as it must be. Every hearing costs the same, whatever the number of members. No I/O; one owner, any
 * thread.
 *
 * A line's text begins with the number of its writer and its own number, eight hexadecimal digits each; the
 * rest is the same in all of them. Verified: each hearer hears each line of each writer once, whole and in
 * order, and none that was not written; and, where a protocol promises it, all hear the same order.
 */
#ifndef KS_BENCH_TRAFFIC_CHAT_LINES_H
#define KS_BENCH_TRAFFIC_CHAT_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KS_CHAT_NUMBER_SIZE = 8,
    KS_CHAT_LEAST_TEXT = 2 * KS_CHAT_NUMBER_SIZE,
    KS_CHAT_REASON_SIZE = 200,
    KS_CHAT_AROUND_LIMIT = 128, /* bytes of a frame around the text; a longer one is not remembered */
};

struct ks_chat_plan {
    uint32_t hearers;
    uint32_t writers;
    bool writers_hear; /* hearers 0..writers-1 are the writers, and hear all lines but their own */
    bool one_order;    /* all hear the lines of all writers in one order */
    uint32_t window;   /* lines of one writer that not all have heard yet, at most */
    size_t text_size;  /* at least KS_CHAT_LEAST_TEXT */
};

enum ks_chat_heard {
    KS_CHAT_BY_SOME, /* others will hear it, too */
    KS_CHAT_BY_ALL,  /* this was the last */
    KS_CHAT_WRONG,   /* ks_chat_lines_reason */
};

struct ks_chat_lines;

/* For ks_chat_lines_free; NULL, with one line for people in `reason`, when it would take too much memory. */
struct ks_chat_lines *ks_chat_lines_new(const struct ks_chat_plan *plan, char *reason,
                                        size_t reason_capacity);
void ks_chat_lines_free(struct ks_chat_lines *lines); /* NULL is allowed */

/* How many hear each line. */
uint32_t ks_chat_lines_hearers(const struct ks_chat_lines *lines);

/* How many lines the writer may write now. */
uint32_t ks_chat_lines_room(const struct ks_chat_lines *lines, uint32_t writer);

/* Lines of all writers that not all have heard. */
uint64_t ks_chat_lines_on_way(const struct ks_chat_lines *lines);

/* Writes the text (plan.text_size bytes) of the writer's next line, for which there must be room, and counts
 * it as written at that time. */
void ks_chat_lines_write(struct ks_chat_lines *lines, uint32_t writer, uint64_t now_ns, uint8_t *text);

/* What was heard. */
struct ks_chat_hearing {
    uint32_t writer;     /* whose line it was; set unless it is wrong */
    uint64_t written_ns; /* when; set with KS_CHAT_BY_ALL */
    uint32_t count;      /* of lines */
};

/* A hearer hears a text of plan.text_size bytes, which came within a frame: the bytes of the line as the
 * protocol delivers it, which are remembered for ks_chat_lines_hear_known. */
enum ks_chat_heard ks_chat_lines_hear(struct ks_chat_lines *lines, uint32_t hearer, const uint8_t *text,
                                      const uint8_t *frame, size_t frame_size,
                                      struct ks_chat_hearing *hearing);

/* The short way: hears lines of hearing->writer from `bytes` for as long as they are, byte for byte, the
 * frames that came to another hearer already. Stops behind a line that is KS_CHAT_BY_ALL. Never wrong; *taken
 * is how many bytes were lines, 0 when the long way has to be gone. */
enum ks_chat_heard ks_chat_lines_hear_known(struct ks_chat_lines *lines, uint32_t hearer,
                                            const uint8_t *bytes, size_t size,
                                            struct ks_chat_hearing *hearing, size_t *taken);

/* Whether the plan has an order for all that can be told: some member only listens. */
bool ks_chat_lines_tell_order(const struct ks_chat_lines *lines);

/* With nothing on its way: false when some have heard another order than others. True when that cannot be
 * told. */
bool ks_chat_lines_have_one_order(struct ks_chat_lines *lines);

/* What was wrong: one line. */
const char *ks_chat_lines_reason(const struct ks_chat_lines *lines);

/* The eight digits of a number. */
void ks_chat_put_number(uint8_t *digits, uint32_t number);

#endif
