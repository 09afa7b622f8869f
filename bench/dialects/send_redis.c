/* send_redis.c — Redis' protocol (RESP) for mode `send`: LPUSH to the list of a receiver, answered with its
 * length; found again by RPOP, which takes the oldest first, as a 604 does. */
#include "base/bytes.h"
#include "base/text.h"
#include "bench/dialects/send_dialects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LINE_LIMIT = 512, /* of an answer; an error message may be long */
    KEY_SIZE = 48,
    TAKEN_AT_A_TIME = 1000, /* elements of one RPOP, */
    TAKEN_BYTES = 1 << 20,  /* or as many as make up this */
};

/* ---- lines ---- */

/* The line at the beginning: KS_OK with its end, CR LF, in *taken; KS_MORE; KS_INVALID. */
static enum ks_result take_line(const uint8_t *bytes, size_t size, size_t *taken)
{
    size_t searched = size < LINE_LIMIT ? size : LINE_LIMIT;
    const uint8_t *end = memchr(bytes, '\n', searched);
    if (end == NULL)
        return searched < LINE_LIMIT ? KS_MORE : KS_INVALID;
    *taken = (size_t)(end - bytes) + 1;
    return *taken >= 3 && end[-1] == '\r' ? KS_OK : KS_INVALID;
}

/* The number in a line of `type` that take_line found; -1, too, for no such line. */
static int64_t number_in(const uint8_t *line, size_t size, char type)
{
    int64_t number = 0;
    if (line[0] != (uint8_t)type || size < 4 || size > 21)
        return -1;
    for (size_t i = 1; i < size - 2; i++) {
        if (line[i] < '0' || line[i] > '9')
            return -1;
        number = number * 10 + (line[i] - '0');
    }
    return number;
}

static void tell_line(struct ks_run *run, const char *of_what, const uint8_t *line, size_t size)
{
    char shown[160];
    ks_text_escape((const char *)line, size > 2 ? size - 2 : size, shown, sizeof shown);
    ks_run_fail(run, "%s was answered with '%s'", of_what, shown);
}

static int key_of(const struct ks_senders *senders, uint32_t receiver, char key[static KEY_SIZE])
{
    return snprintf(key, KEY_SIZE, "kesher-bench:%08" PRIx32 ":%" PRIu32, senders->tag, receiver);
}

static bool has_own_list(const struct ks_lanes *lanes) /* each sender, or each of its lanes */
{
    return lanes->receivers >= lanes->senders;
}

/* ---- sending ---- */

static bool prepare(struct ks_senders *senders)
{
    if (has_own_list(&senders->lanes) || senders->lanes.size >= KS_LANES_MARK_SIZE)
        return true;
    ks_run_fail(senders->run, "several senders to one list need a --size of %d at least, to be told apart",
                KS_LANES_MARK_SIZE);
    return false;
}

static size_t head(const struct ks_senders *senders, const struct ks_sent *sent,
                   uint8_t bytes[KS_SEND_HEAD_LIMIT])
{
    char key[KEY_SIZE];
    int key_size = key_of(senders, sent->lane % senders->lanes.receivers, key);
    int size =
        snprintf((char *)bytes, KS_SEND_HEAD_LIMIT, "*3\r\n$5\r\nLPUSH\r\n$%d\r\n%s\r\n$%" PRIu32 "\r\n",
                 key_size, key, senders->lanes.size);
    return (size_t)size;
}

static enum ks_result answer(struct ks_senders *senders, const struct ks_sent *sent, const uint8_t *bytes,
                             size_t size, size_t *taken, uint32_t *id)
{
    enum ks_result result = take_line(bytes, size, taken);
    if (result == KS_MORE)
        return KS_MORE;
    int64_t length = result == KS_OK ? number_in(bytes, *taken, ':') : -1;
    if (length < 0) {
        tell_line(senders->run, "LPUSH", bytes, result == KS_OK ? *taken : size);
        return KS_INVALID;
    }
    if (has_own_list(&senders->lanes) && (uint64_t)length != sent->number + 1) {
        ks_run_fail(senders->run,
                    "LPUSH of message %" PRIu64 " of sender %" PRIu32
                    " was answered with a length of %" PRId64,
                    sent->number, sent->sender, length);
        return KS_INVALID;
    }
    *id = (uint32_t)length;
    return KS_OK;
}

/* ---- taking again ---- */

enum expected { EXPECTED_ARRAY, EXPECTED_BULK, EXPECTED_CONTENT, EXPECTED_END_OF_BULK };

struct popper {
    enum expected expected;
    uint64_t elements; /* of the array that are still to come */
    uint32_t offset;   /* in the element's content */
    uint32_t lane;     /* of the element */
    bool done;
};

struct popping {
    struct ks_senders *senders;
    struct popper *poppers; /* one per list */
    struct ks_lane *counts; /* what has come */
    uint64_t come;
    uint32_t done;
};

static void pop(struct popping *popping, uint32_t index, struct ks_load_link *link)
{
    char request[KS_SEND_HEAD_LIMIT];
    char key[KEY_SIZE];
    char count[16];
    uint32_t elements = TAKEN_BYTES / popping->senders->lanes.size;
    elements = elements < 1 ? 1 : elements > TAKEN_AT_A_TIME ? TAKEN_AT_A_TIME : elements;
    int key_size = key_of(popping->senders, index, key);
    int count_size = snprintf(count, sizeof count, "%" PRIu32, elements);
    int size = snprintf(request, sizeof request, "*3\r\n$4\r\nRPOP\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", key_size,
                        key, count_size, count);
    if (ks_load_link_write(link, request, (size_t)size) != KS_OK)
        ks_run_fail(popping->senders->run, "verifying: no memory");
}

static void popper_opened(void *context, uint32_t index, struct ks_load_link *link)
{
    pop(context, index, link);
}

static void end_of_list(struct popping *popping, struct popper *popper)
{
    popper->done = true;
    if (++popping->done == popping->senders->lanes.receivers)
        ks_reactor_stop(popping->senders->run->reactor);
}

/* "*3", or "*-1": there is no such list any more. */
static bool take_array_line(struct popping *popping, uint32_t index, const uint8_t *line, size_t size)
{
    struct popper *popper = &popping->poppers[index];
    bool is_nil = size == 5 && memcmp(line, "*-1", 3) == 0;
    int64_t count = is_nil ? 0 : number_in(line, size, '*');
    if (popper->done || count < 0 || count > TAKEN_AT_A_TIME) {
        tell_line(popping->senders->run, "RPOP", line, size);
        return false;
    }
    popper->elements = (uint64_t)count;
    if (count == 0)
        end_of_list(popping, popper);
    else
        popper->expected = EXPECTED_BULK;
    return true;
}

static bool take_bulk_line(struct popping *popping, uint32_t index, const uint8_t *line, size_t size)
{
    struct popper *popper = &popping->poppers[index];
    if (number_in(line, size, '$') != (int64_t)popping->senders->lanes.size) {
        tell_line(popping->senders->run, "RPOP, for an element,", line, size);
        return false;
    }
    popper->expected = EXPECTED_CONTENT;
    popper->offset = 0;
    return true;
}

/* Finds the lane of the element that begins with these bytes. KS_MORE when they do not tell yet. */
static enum ks_result find_lane(struct popping *popping, uint32_t index, const uint8_t *bytes, size_t size)
{
    const struct ks_lanes *lanes = &popping->senders->lanes;
    struct popper *popper = &popping->poppers[index];
    if (!has_own_list(lanes) && size < KS_LANES_MARK_SIZE)
        return KS_MORE;
    popper->lane = has_own_list(lanes) ? index : ks_load_u32(bytes + 4);
    if (popper->lane < lanes->count && popper->lane % lanes->receivers == index &&
        popping->counts[popper->lane].count < popping->senders->counts[popper->lane].count)
        return KS_OK;
    ks_run_fail(popping->senders->run, "list %" PRIu32 " has an element that nobody sent, or one twice",
                index);
    return KS_INVALID;
}

static enum ks_result take_content(struct popping *popping, uint32_t index, const uint8_t *bytes, size_t size,
                                   size_t *taken)
{
    const struct ks_lanes *lanes = &popping->senders->lanes;
    struct popper *popper = &popping->poppers[index];
    enum ks_result result = popper->offset > 0 ? KS_OK : find_lane(popping, index, bytes, size);
    if (result != KS_OK)
        return result;
    struct ks_lane *lane = &popping->counts[popper->lane];
    *taken = lanes->size - popper->offset < size ? lanes->size - popper->offset : size;
    if (!ks_lanes_match(lanes, popper->lane, lane->count, popper->offset, bytes, *taken)) {
        ks_run_fail(popping->senders->run,
                    "message %" PRIu64 " of sender %" PRIu32 " in list %" PRIu32
                    " is lost, in another order or changed",
                    lane->count, popper->lane % lanes->senders, index);
        return KS_INVALID;
    }
    popper->offset += (uint32_t)*taken;
    if (popper->offset < lanes->size)
        return KS_OK;
    lane->count++;
    popping->come++;
    popper->expected = EXPECTED_END_OF_BULK;
    return KS_OK;
}

static enum ks_result take_end_of_bulk(struct popping *popping, uint32_t index, const uint8_t *bytes,
                                       size_t size, size_t *taken, struct ks_load_link *link)
{
    struct popper *popper = &popping->poppers[index];
    *taken = 2;
    if (size < 2)
        return KS_MORE;
    if (memcmp(bytes, "\r\n", 2) != 0) {
        tell_line(popping->senders->run, "the end of an element", bytes, 2);
        return KS_INVALID;
    }
    popper->elements--;
    popper->expected = popper->elements > 0 ? EXPECTED_BULK : EXPECTED_ARRAY;
    if (popper->elements == 0)
        pop(popping, index, link);
    return KS_OK;
}

static enum ks_result take_next(struct popping *popping, uint32_t index, const uint8_t *bytes, size_t size,
                                size_t *taken, struct ks_load_link *link)
{
    struct popper *popper = &popping->poppers[index];
    if (popper->expected == EXPECTED_CONTENT)
        return take_content(popping, index, bytes, size, taken);
    if (popper->expected == EXPECTED_END_OF_BULK)
        return take_end_of_bulk(popping, index, bytes, size, taken, link);
    enum ks_result result = take_line(bytes, size, taken);
    if (result == KS_INVALID)
        tell_line(popping->senders->run, "RPOP", bytes, size);
    if (result != KS_OK)
        return result;
    bool is_right = popper->expected == EXPECTED_ARRAY ? take_array_line(popping, index, bytes, *taken)
                                                       : take_bulk_line(popping, index, bytes, *taken);
    return is_right ? KS_OK : KS_INVALID;
}

static size_t popper_received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                              size_t size)
{
    struct popping *popping = context;
    size_t all_taken = 0;
    size_t taken = 0;
    while (all_taken < size &&
           take_next(popping, index, bytes + all_taken, size - all_taken, &taken, link) == KS_OK)
        all_taken += taken;
    ks_run_phase(popping->senders->run, "verifying", popping->come, popping->senders->acknowledged);
    return all_taken;
}

static void popper_ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct popping *popping = context;
    (void)link;
    if (!popping->poppers[index].done)
        ks_run_lost(popping->senders->run, "verifying", error);
}

static void compare(const struct popping *popping)
{
    const struct ks_lanes *lanes = &popping->senders->lanes;
    for (uint32_t i = 0; i < lanes->count; i++)
        if (popping->counts[i].count != popping->senders->counts[i].count)
            ks_run_fail(popping->senders->run,
                        "of %" PRIu64 " messages of sender %" PRIu32 ", list %" PRIu32 " has %" PRIu64,
                        popping->senders->counts[i].count, i % lanes->senders, i % lanes->receivers,
                        popping->counts[i].count);
}

static void run_loop(struct popping *popping)
{
    static const struct ks_fleet_events events = {popper_opened, popper_received, NULL, popper_ended};
    struct ks_run *run = popping->senders->run;
    struct ks_fleet *fleet = NULL;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = popping->senders->lanes.receivers,
                                       .source = run->settings->source,
                                       .sources = (uint32_t)run->settings->sources};
    ks_run_phase(run, "verifying", 0, popping->senders->acknowledged);
    if (ks_fleet_open(run->reactor, run->settings->server, &plan, &events, popping, &fleet, reason,
                      sizeof reason) != KS_OK)
        ks_run_fail(run, "%s", reason);
    if (ks_run_loop(run))
        compare(popping);
    ks_fleet_free(fleet);
    ks_run_phase(run, NULL, 0, 0);
}

static bool verify(struct ks_senders *senders)
{
    struct popping popping = {.senders = senders};
    ks_senders_close(senders);
    popping.poppers = calloc(senders->lanes.receivers, sizeof *popping.poppers);
    popping.counts = calloc(senders->lanes.count, sizeof *popping.counts);
    if (popping.poppers == NULL || popping.counts == NULL)
        ks_run_fail(senders->run, "no memory for %" PRIu32 " lists", senders->lanes.receivers);
    else
        run_loop(&popping);
    free(popping.poppers);
    free(popping.counts);
    return !senders->run->failed;
}

const struct ks_send_dialect ks_send_redis = {
    .protocol = "redis",
    .verified = "each message once, in order, by content",
    .prepare = prepare,
    .head = head,
    .tail = "\r\n",
    .answer = answer,
    .verify = verify,
};
