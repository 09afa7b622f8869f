/* chat_lines.c — see chat_lines.h.
 *
 * What a hearer must hear next of a writer is a number in a table; a line that is on its way has a place in
 * its writer's ring, with the number of those who have not heard it. Both are found by index.
 *
 * Most deliveries are repetitions: the frame in which a line came to its first hearer is kept in a second
 * ring, and who gets the same bytes after what it has heard so far has heard the right line. One comparison
 * and one count are all that such a delivery takes.
 *
 * Orders are compared by a running hash for each hearer. A writer does not hear its own lines, so its hash
 * differs from a listener's; the first member who only listens therefore keeps, besides its own, the hash
 * that each writer must have: all lines but that writer's. That takes as many steps for a line as there are
 * writers, which is fewer than there are hearers of it.
 */
#include "bench/traffic/chat_lines.h"

#include "base/text.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPECTED_LIMIT = 64 * 1024 * 1024, /* hearers * writers, four bytes each */
    RING_LIMIT = 4 * 1024 * 1024,      /* places of all writers, 24 bytes each */
    BYTES_LIMIT = 256 * 1024 * 1024,   /* of lines on their way, which are kept twice at worst */
};

struct line {
    uint64_t digits; /* of its number */
    uint64_t written_ns;
    uint32_t left; /* who have not heard it */
};

struct writer {
    uint64_t digits;   /* of its number */
    uint32_t written;  /* lines; these counts wrap round, and so do the numbers of lines */
    uint32_t done;     /* of them, heard by all */
    uint32_t known;    /* lines that somebody has heard */
    uint64_t order;    /* hash of all lines but its own, as the first listener heard them */
    size_t frame_size; /* 0: there are none that are remembered, */
    bool is_forgotten; /* and there will be none */
};

struct ks_chat_lines {
    struct ks_chat_plan plan;
    uint32_t hearers_of_line;
    uint64_t on_way;
    uint32_t mask;   /* places of a ring - 1 */
    unsigned shift;  /* places of a ring = 1 << shift */
    bool tell_order; /* there is a first listener: hearer `plan.writers` */
    bool note_order; /* likewise, and with one writer there is nothing to note */
    uint8_t *padding;
    uint32_t *expected; /* [hearer * writers + writer]: number of the line that comes next */
    uint64_t *orders;   /* of each hearer */
    struct line *rings; /* [writer << shift | number & mask] */
    uint8_t *frames;    /* in which they came to their first hearers */
    struct writer *writers;
    char reason[KS_CHAT_REASON_SIZE];
};

/* ---- numbers ---- */

/* The digits as they lie in memory. */
static uint64_t digits_of(uint32_t number)
{
    uint64_t nibbles = number;
    nibbles = (nibbles & 0xFFFF0000) << 16 | (nibbles & 0xFFFF);
    nibbles = (nibbles << 8 | nibbles) & UINT64_C(0x00FF00FF00FF00FF);
    nibbles = (nibbles << 4 | nibbles) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    uint64_t letters = (nibbles + UINT64_C(0x0606060606060606)) >> 4 & UINT64_C(0x0101010101010101);
    return htobe64(nibbles + UINT64_C(0x3030303030303030) + letters * ('a' - '0' - 10));
}

/* Of eight bytes that are not digits, some number. */
static uint32_t number_of(uint64_t digits)
{
    uint64_t characters = be64toh(digits);
    uint64_t letters = characters >> 6 & UINT64_C(0x0101010101010101);
    uint64_t nibbles = (characters + letters * 9) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    nibbles = (nibbles >> 4 | nibbles) & UINT64_C(0x00FF00FF00FF00FF);
    nibbles = (nibbles >> 8 | nibbles) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(nibbles >> 16 | nibbles);
}

void ks_chat_put_number(uint8_t *digits, uint32_t number)
{
    uint64_t all = digits_of(number);
    memcpy(digits, &all, sizeof all);
}

/* ---- making ---- */

static bool is_affordable(const struct ks_chat_plan *plan, uint64_t places, char *reason, size_t capacity)
{
    if ((uint64_t)plan->hearers * plan->writers > EXPECTED_LIMIT) {
        (void)snprintf(reason, capacity, "%u members and %u writers are too many to keep count of",
                       plan->hearers, plan->writers);
        return false;
    }
    if (plan->writers * places > RING_LIMIT ||
        plan->text_size + KS_CHAT_AROUND_LIMIT > BYTES_LIMIT / (plan->writers * places)) {
        (void)snprintf(
            reason, capacity,
            "%u writers with %u lines of %zu bytes each on their way are too many to keep count of",
            plan->writers, plan->window, plan->text_size);
        return false;
    }
    return true;
}

static bool allocate(struct ks_chat_lines *lines, size_t padding_size)
{
    const struct ks_chat_plan *plan = &lines->plan;
    lines->padding = malloc(padding_size + 1);
    lines->expected = calloc((size_t)plan->hearers * plan->writers, sizeof *lines->expected);
    lines->orders = calloc(plan->hearers, sizeof *lines->orders);
    lines->rings = calloc((size_t)plan->writers << lines->shift, sizeof *lines->rings);
    lines->frames = malloc((plan->text_size + KS_CHAT_AROUND_LIMIT) * plan->writers << lines->shift);
    lines->writers = calloc(plan->writers, sizeof *lines->writers);
    if (lines->padding == NULL || lines->expected == NULL || lines->orders == NULL || lines->rings == NULL ||
        lines->frames == NULL || lines->writers == NULL)
        return false;
    for (uint32_t i = 0; i < plan->writers; i++)
        lines->writers[i].digits = digits_of(i);
    for (size_t i = 0; i < padding_size; i++)
        lines->padding[i] = (uint8_t)('a' + i % 26);
    return true;
}

struct ks_chat_lines *ks_chat_lines_new(const struct ks_chat_plan *plan, char *reason, size_t reason_capacity)
{
    unsigned shift = 0;
    while (UINT64_C(1) << shift < plan->window)
        shift++;
    if (!is_affordable(plan, UINT64_C(1) << shift, reason, reason_capacity))
        return NULL;
    struct ks_chat_lines *lines = calloc(1, sizeof *lines);
    if (lines != NULL) {
        lines->plan = *plan;
        lines->hearers_of_line = plan->writers_hear ? plan->hearers - 1 : plan->hearers;
        lines->shift = shift;
        lines->mask = (UINT32_C(1) << shift) - 1;
        lines->tell_order = plan->one_order && plan->writers_hear && plan->hearers > plan->writers;
        lines->note_order = lines->tell_order && plan->writers > 1;
        if (allocate(lines, plan->text_size - KS_CHAT_LEAST_TEXT))
            return lines;
        ks_chat_lines_free(lines);
    }
    (void)snprintf(reason, reason_capacity, "no memory to keep count of %u members", plan->hearers);
    return NULL;
}

void ks_chat_lines_free(struct ks_chat_lines *lines)
{
    if (lines == NULL)
        return;
    free(lines->padding);
    free(lines->expected);
    free(lines->orders);
    free(lines->rings);
    free(lines->frames);
    free(lines->writers);
    free(lines);
}

/* ---- writing ---- */

uint32_t ks_chat_lines_hearers(const struct ks_chat_lines *lines)
{
    return lines->hearers_of_line;
}

uint32_t ks_chat_lines_room(const struct ks_chat_lines *lines, uint32_t writer)
{
    return lines->plan.window - (lines->writers[writer].written - lines->writers[writer].done);
}

uint64_t ks_chat_lines_on_way(const struct ks_chat_lines *lines)
{
    return lines->on_way;
}

static struct line *place_of(struct ks_chat_lines *lines, uint32_t writer, uint32_t number)
{
    return &lines->rings[(size_t)writer << lines->shift | (number & lines->mask)];
}

void ks_chat_lines_write(struct ks_chat_lines *lines, uint32_t writer, uint64_t now_ns, uint8_t *text)
{
    uint32_t number = lines->writers[writer].written++;
    struct line *line = place_of(lines, writer, number);
    *line = (struct line){.digits = digits_of(number), .written_ns = now_ns, .left = lines->hearers_of_line};
    lines->on_way++;
    memcpy(text, &lines->writers[writer].digits, KS_CHAT_NUMBER_SIZE);
    memcpy(text + KS_CHAT_NUMBER_SIZE, &line->digits, KS_CHAT_NUMBER_SIZE);
    memcpy(text + KS_CHAT_LEAST_TEXT, lines->padding, lines->plan.text_size - KS_CHAT_LEAST_TEXT);
}

/* ---- hearing ---- */

/* What is wrong with it; called only when something is. */
static enum ks_chat_heard explain(struct ks_chat_lines *lines, uint32_t hearer, const uint8_t *text)
{
    uint64_t digits[2];
    char shown[80];
    char *reason = lines->reason;
    const size_t capacity = sizeof lines->reason;
    memcpy(digits, text, sizeof digits);
    uint32_t writer = number_of(digits[0]);
    uint32_t number = number_of(digits[1]);
    if (digits[0] != digits_of(writer) || digits[1] != digits_of(number) || writer >= lines->plan.writers ||
        memcmp(text + KS_CHAT_LEAST_TEXT, lines->padding, lines->plan.text_size - KS_CHAT_LEAST_TEXT) != 0) {
        ks_text_escape(text, lines->plan.text_size, shown, sizeof shown);
        (void)snprintf(reason, capacity, "member %u heard what nobody wrote: \"%s\"", hearer, shown);
        return KS_CHAT_WRONG;
    }
    uint32_t expected = lines->expected[(size_t)hearer * lines->plan.writers + writer];
    if (lines->plan.writers_hear && writer == hearer)
        (void)snprintf(reason, capacity, "member %u heard its own line %u", hearer, number);
    else if (number == expected)
        (void)snprintf(reason, capacity, "member %u heard line %u of writer %u before it was written", hearer,
                       number, writer);
    else if (number - expected > UINT32_MAX / 2)
        (void)snprintf(reason, capacity, "member %u heard line %u of writer %u again", hearer, number,
                       writer);
    else
        (void)snprintf(reason, capacity,
                       "member %u heard line %u of writer %u, but not line %u, which comes before it", hearer,
                       number, writer, expected);
    return KS_CHAT_WRONG;
}

static uint64_t mix(uint64_t order, uint64_t writer, uint64_t number)
{
    uint64_t mixed = (order ^ (writer << 32 | number)) * UINT64_C(0x9E3779B97F4A7C15);
    return mixed ^ mixed >> 29;
}

static void note_order(struct ks_chat_lines *lines, uint32_t hearer, uint32_t writer, uint32_t number)
{
    lines->orders[hearer] = mix(lines->orders[hearer], writer, number);
    if (hearer != lines->plan.writers)
        return;
    for (uint32_t i = 0; i < lines->plan.writers; i++)
        if (i != writer)
            lines->writers[i].order = mix(lines->writers[i].order, writer, number);
}

/* The line is right: counts it. */
static enum ks_chat_heard count(struct ks_chat_lines *lines, uint32_t hearer, uint32_t number,
                                struct line *line, struct ks_chat_hearing *hearing)
{
    hearing->count++;
    if (lines->note_order)
        note_order(lines, hearer, hearing->writer, number);
    if (--line->left > 0)
        return KS_CHAT_BY_SOME;
    /* Everybody hears a writer's lines in order, so they are done in order, too. */
    lines->writers[hearing->writer].done++;
    lines->on_way--;
    hearing->written_ns = line->written_ns;
    return KS_CHAT_BY_ALL;
}

/* Of all the writer's lines that are on their way: frame_size bytes each. */
static uint8_t *frames_of(struct ks_chat_lines *lines, uint32_t writer)
{
    return lines->frames + ((lines->plan.text_size + KS_CHAT_AROUND_LIMIT) * writer << lines->shift);
}

/* The line was heard for the first time. Where frames are too long, or of changing size, the others have to
 * go the long way. */
static void remember(struct ks_chat_lines *lines, uint32_t from, const uint8_t *frame, size_t size)
{
    struct writer *writer = &lines->writers[from];
    uint32_t number = writer->known++;
    if (number == 0 && !writer->is_forgotten && size <= lines->plan.text_size + KS_CHAT_AROUND_LIMIT)
        writer->frame_size = size;
    if (size == writer->frame_size) {
        memcpy(frames_of(lines, from) + (number & lines->mask) * size, frame, size);
        return;
    }
    writer->is_forgotten = true;
    writer->frame_size = 0;
}

static uint32_t *expected_of(struct ks_chat_lines *lines, uint32_t hearer, uint32_t writer)
{
    return &lines->expected[(size_t)hearer * lines->plan.writers + writer];
}

enum ks_chat_heard ks_chat_lines_hear(struct ks_chat_lines *lines, uint32_t hearer, const uint8_t *text,
                                      const uint8_t *frame, size_t frame_size,
                                      struct ks_chat_hearing *hearing)
{
    uint64_t digits[2];
    memcpy(digits, text, sizeof digits);
    uint32_t from = number_of(digits[0]);
    if (from >= lines->plan.writers || digits[0] != lines->writers[from].digits ||
        memcmp(text + KS_CHAT_LEAST_TEXT, lines->padding, lines->plan.text_size - KS_CHAT_LEAST_TEXT) != 0)
        return explain(lines, hearer, text);
    struct writer *writer = &lines->writers[from];
    uint32_t *expected = expected_of(lines, hearer, from);
    uint32_t number = *expected;
    struct line *line = place_of(lines, from, number);
    /* A place holds another number as long as the line is not written. */
    if (digits[1] != line->digits || (lines->plan.writers_hear && from == hearer))
        return explain(lines, hearer, text);
    *expected = number + 1;
    hearing->writer = from;
    if (number == writer->known && lines->hearers_of_line > 1)
        remember(lines, from, frame, frame_size);
    return count(lines, hearer, number, line, hearing);
}

enum ks_chat_heard ks_chat_lines_hear_known(struct ks_chat_lines *lines, uint32_t hearer,
                                            const uint8_t *bytes, size_t size,
                                            struct ks_chat_hearing *hearing, size_t *taken)
{
    const struct writer *writer = &lines->writers[hearing->writer];
    const size_t frame_size = writer->frame_size;
    enum ks_chat_heard heard = KS_CHAT_BY_SOME;
    *taken = 0;
    if (frame_size == 0 || (lines->plan.writers_hear && hearing->writer == hearer))
        return KS_CHAT_BY_SOME;
    const uint8_t *frames = frames_of(lines, hearing->writer);
    uint32_t *expected = expected_of(lines, hearer, hearing->writer);
    while (heard == KS_CHAT_BY_SOME && *expected != writer->known && size - *taken >= frame_size) {
        uint32_t number = *expected;
        if (memcmp(bytes + *taken, frames + (number & lines->mask) * frame_size, frame_size) != 0)
            break;
        *taken += frame_size;
        *expected = number + 1;
        heard = count(lines, hearer, number, place_of(lines, hearing->writer, number), hearing);
    }
    return heard;
}

/* ---- orders ---- */

bool ks_chat_lines_tell_order(const struct ks_chat_lines *lines)
{
    return lines->tell_order;
}

bool ks_chat_lines_have_one_order(struct ks_chat_lines *lines)
{
    const uint32_t first_listener = lines->plan.writers;
    if (!lines->note_order)
        return true;
    for (uint32_t i = 0; i < lines->plan.hearers; i++) {
        uint64_t right = i < first_listener ? lines->writers[i].order : lines->orders[first_listener];
        if (lines->orders[i] == right)
            continue;
        (void)snprintf(lines->reason, sizeof lines->reason,
                       "member %u heard the lines of the writers in another order than member %u", i,
                       first_listener);
        return false;
    }
    return true;
}

const char *ks_chat_lines_reason(const struct ks_chat_lines *lines)
{
    return lines->reason;
}
