/* mode_chat.c — one group that talks: writers write lines, each with at most --window of them on their way
 * that not all others have heard. What is counted is deliveries: each line to each other member.
 *
 * The latency of a line is the time from its writing until the last member has heard it. One clock call
 * serves everything that one recv(2) brought, and none is made where no line was done by it.
 *
 * At the end each writer writes one more line when everything else is heard: whoever is told anything twice
 * has heard it before that.
 */
#include "base/clock.h"
#include "bench/dialects/chat_dialect.h"
#include "bench/modes/modes.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum stage {
    ENTERING,
    TALKING,
    FINISHING, /* nothing new is written; what is on its way is heard */
    CLOSING,   /* the last line of each writer */
};

struct chat {
    struct ks_chat_room room;
    struct ks_run *run;
    struct ks_fleet *fleet;
    struct ks_chat_lines *lines;
    enum stage stage;
    uint64_t lines_done;     /* while measuring */
    uint64_t lines_verified; /* of the whole run: heard by all */
    uint64_t moved;          /* lines done while finishing */
    uint32_t *ready;         /* writers who may write more, after what is being heard */
    uint32_t ready_count;
    bool *is_ready; /* by writer: it is in `ready` */
};

static const struct ks_chat_dialect *const dialects[] = {
    &ks_chat_kesher, &ks_chat_redis, &ks_chat_nats, &ks_chat_irc, &ks_chat_mqtt,
};

_Static_assert(KS_SETTINGS_LEAST_LINE == KS_CHAT_LEAST_TEXT + 1, "a text and its LF");

/* ---- writing ---- */

static bool write_lines(struct chat *chat, uint32_t writer, uint32_t count, uint64_t now_ns)
{
    const struct ks_chat_room *room = &chat->room;
    const struct ks_chat_frame *frame = &room->said;
    size_t size = frame->before_size + room->text_size + frame->after_size;
    uint8_t *place = ks_load_link_reserve(room->people[writer].link, count * size);
    if (place == NULL) {
        ks_run_fail(chat->run, "no memory for %u lines", count);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy(place, frame->before, frame->before_size);
        place += frame->before_size;
        ks_chat_lines_write(chat->lines, writer, now_ns, place);
        place += room->text_size;
        memcpy(place, frame->after, frame->after_size);
        place += frame->after_size;
    }
    return true;
}

/* All writers, `count` lines each, or as many as they may. */
static void write_all(struct chat *chat, uint32_t count)
{
    uint64_t now = ks_clock_stopwatch_ns();
    for (uint32_t writer = 0; writer < chat->room.writers; writer++) {
        uint32_t room = ks_chat_lines_room(chat->lines, writer);
        if (!write_lines(chat, writer, room < count ? room : count, now))
            return;
    }
}

static void begin_talking(struct ks_chat_room *room)
{
    struct chat *chat = (struct chat *)(void *)room; /* its first member */
    chat->stage = TALKING;
    ks_run_measure(chat->run, false);
    write_all(chat, UINT32_MAX);
}

/* ---- the end ---- */

static void end_run(struct chat *chat)
{
    if (ks_chat_lines_have_one_order(chat->lines))
        ks_reactor_stop(chat->run->reactor);
    else
        ks_run_fail(chat->run, "%s", ks_chat_lines_reason(chat->lines));
}

/* While finishing: what comes when all is heard. */
static void settle(struct chat *chat)
{
    if (ks_chat_lines_on_way(chat->lines) > 0)
        return;
    if (chat->stage == CLOSING) {
        end_run(chat);
        return;
    }
    chat->stage = CLOSING;
    write_all(chat, 1);
}

static void finish(void *context)
{
    struct chat *chat = context;
    chat->stage = FINISHING;
    settle(chat);
}

/* ---- hearing ---- */

static void note_done(struct chat *chat, uint32_t writer, uint64_t waited_ns)
{
    chat->lines_verified++;
    if (chat->run->measuring) {
        chat->lines_done++;
        ks_percentiles_add(&chat->run->latency, waited_ns);
    }
    if (chat->is_ready[writer])
        return;
    chat->is_ready[writer] = true;
    chat->ready[chat->ready_count++] = writer;
}

/* Whoever was done with a line writes the next. */
static void answer(struct chat *chat, uint64_t now_ns)
{
    for (uint32_t i = 0; i < chat->ready_count; i++) {
        uint32_t writer = chat->ready[i];
        chat->is_ready[writer] = false;
        if (chat->stage == TALKING &&
            !write_lines(chat, writer, ks_chat_lines_room(chat->lines, writer), now_ns))
            break;
    }
    chat->ready_count = 0;
    if (chat->stage == TALKING)
        return;
    ks_run_phase(chat->run, "finishing", ++chat->moved, 0); /* for the guard against a standstill */
    settle(chat);
}

static void note_hearing(struct chat *chat, enum ks_chat_heard heard, const struct ks_chat_hearing *hearing,
                         uint64_t *now_ns)
{
    if (heard != KS_CHAT_BY_ALL)
        return;
    if (*now_ns == 0)
        *now_ns = ks_clock_stopwatch_ns();
    note_done(chat, hearing->writer, *now_ns - hearing->written_ns);
}

/* The next piece. Returns how many bytes that was: 0 when more has to come first, or the run has failed. */
static size_t hear_piece(struct chat *chat, struct ks_chat_person *person, uint32_t hearer,
                         const uint8_t *bytes, size_t size, struct ks_chat_hearing *hearing, uint64_t *now_ns)
{
    struct ks_chat_room *room = &chat->room;
    struct ks_chat_piece piece = {0};
    switch (room->dialect->hear(room, person, bytes, size, &piece)) {
    case KS_CHAT_PIECE_MORE:
        return 0;
    case KS_CHAT_PIECE_OTHER:
        return piece.size;
    case KS_CHAT_PIECE_TEXT:
        break;
    case KS_CHAT_PIECE_WRONG:
        ks_chat_dialect_unexpected(room, person, bytes, size);
        return 0;
    }
    enum ks_chat_heard heard =
        ks_chat_lines_hear(chat->lines, hearer, piece.text, bytes, piece.size, hearing);
    if (heard == KS_CHAT_WRONG) {
        ks_run_fail(chat->run, "%s", ks_chat_lines_reason(chat->lines));
        return 0;
    }
    note_hearing(chat, heard, hearing, now_ns);
    return piece.size;
}

static size_t hear(struct chat *chat, struct ks_chat_person *person, const uint8_t *bytes, size_t size)
{
    struct ks_chat_room *room = &chat->room;
    bool listens = !room->dialect->writers_apart || person->index >= room->writers;
    uint32_t hearer = person->index - (room->dialect->writers_apart ? room->writers : 0);
    struct ks_chat_hearing hearing = {0};
    uint64_t now_ns = 0; /* since the first line that was done */
    size_t taken = 0;
    while (taken < size) {
        size_t some = 0;
        if (listens)
            note_hearing(
                chat,
                ks_chat_lines_hear_known(chat->lines, hearer, bytes + taken, size - taken, &hearing, &some),
                &hearing, &now_ns);
        if (some == 0)
            some = hear_piece(chat, person, hearer, bytes + taken, size - taken, &hearing, &now_ns);
        if (some == 0)
            break;
        taken += some;
    }
    if (chat->run->measuring)
        chat->run->operations += hearing.count;
    if (chat->ready_count > 0)
        answer(chat, now_ns);
    return taken;
}

/* ---- links ---- */

static void opened(void *context, uint32_t index, struct ks_load_link *link)
{
    struct chat *chat = context;
    struct ks_chat_person *person = &chat->room.people[index];
    person->link = link;
    chat->room.dialect->greet(&chat->room, person);
}

static size_t received(void *context, uint32_t index, struct ks_load_link *link, const uint8_t *bytes,
                       size_t size)
{
    struct chat *chat = context;
    struct ks_chat_person *person = &chat->room.people[index];
    size_t taken = 0;
    (void)link;
    while (!person->entered && taken < size && !chat->run->failed) {
        size_t some = chat->room.dialect->enter(&chat->room, person, bytes + taken, size - taken);
        if (some == 0)
            return taken;
        taken += some;
    }
    if (taken < size && !chat->run->failed)
        taken += hear(chat, person, bytes + taken, size - taken);
    return taken;
}

static void ended(void *context, uint32_t index, struct ks_load_link *link, int error)
{
    struct chat *chat = context;
    char text[100];
    (void)link;
    ks_run_fail(chat->run, "the connection of member %u %s%s; %s", index,
                error == 0 ? "was ended by the server" : "failed: ",
                error == 0 ? "" : ks_run_why(chat->run, error, text, sizeof text), chat->room.dialect->hint);
}

static const struct ks_fleet_events fleet_events = {.opened = opened, .received = received, .ended = ended};

/* ---- a run ---- */

static const struct ks_chat_dialect *find_dialect(const char *name)
{
    for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
        if (strcmp(dialects[i]->name, name) == 0)
            return dialects[i];
    return NULL;
}

static bool prepare_lines(struct chat *chat)
{
    const struct ks_settings *settings = chat->run->settings;
    const struct ks_chat_dialect *dialect = chat->room.dialect;
    char reason[KS_CHAT_REASON_SIZE];
    uint32_t members = (uint32_t)settings->members;
    const struct ks_chat_plan plan = {
        .hearers = dialect->writers_apart ? members - 1 : members,
        .writers = (uint32_t)settings->writers,
        .writers_hear = !dialect->writers_apart,
        .one_order = dialect->one_order,
        .window = (uint32_t)settings->window,
        .text_size = chat->room.text_size,
    };
    chat->lines = ks_chat_lines_new(&plan, reason, sizeof reason);
    if (chat->lines == NULL)
        ks_run_fail(chat->run, "%s", reason);
    return chat->lines != NULL;
}

static bool prepare_people(struct chat *chat)
{
    struct ks_chat_room *room = &chat->room;
    uint32_t members = (uint32_t)chat->run->settings->members;
    room->writers = (uint32_t)chat->run->settings->writers;
    room->people_count = room->dialect->writers_apart ? members - 1 + room->writers : members;
    room->hearers = ks_chat_lines_hearers(chat->lines);
    room->people = calloc(room->people_count, sizeof *room->people);
    chat->ready = calloc(room->writers, sizeof *chat->ready);
    chat->is_ready = calloc(room->writers, sizeof *chat->is_ready);
    if (room->people == NULL || chat->ready == NULL || chat->is_ready == NULL) {
        ks_run_fail(chat->run, "no memory for %u members", members);
        return false;
    }
    for (uint32_t i = 0; i < room->people_count; i++)
        room->people[i].index = i;
    return true;
}

static bool prepare(struct chat *chat)
{
    const struct ks_settings *settings = chat->run->settings;
    struct ks_chat_room *room = &chat->room;
    room->run = chat->run;
    room->all_entered = begin_talking;
    room->dialect = find_dialect(settings->protocol);
    if (room->dialect == NULL) {
        ks_run_fail(chat->run, "there is no chat over '%s'", settings->protocol);
        return false;
    }
    if (settings->size > room->dialect->size_limit) {
        ks_run_fail(chat->run, "a line over %s has %zu bytes at most", settings->protocol,
                    room->dialect->size_limit);
        return false;
    }
    room->text_size = (size_t)settings->size - 1;
    (void)snprintf(room->topic, sizeof room->topic, "bench%ld", (long)getpid());
    if (!prepare_lines(chat) || !prepare_people(chat))
        return false;
    room->dialect->describe(room);
    return true;
}

/* Whoever signs in needs an account first. */
static bool prepare_signers(struct chat *chat)
{
    struct ks_chat_room *room = &chat->room;
    if (chat->run->tls == NULL || !room->dialect->signs_in)
        return true;
    return ks_signers_register(chat->run, room->people_count, &room->signers);
}

static bool open_links(struct chat *chat)
{
    const struct ks_settings *settings = chat->run->settings;
    char reason[KS_RUN_REASON_SIZE];
    const struct ks_fleet_plan plan = {.count = chat->room.people_count,
                                       .source = settings->source,
                                       .sources = (uint32_t)settings->sources,
                                       .tls = chat->room.dialect->secures_itself ? NULL : chat->run->tls,
                                       .at_a_time = chat->room.dialect->at_a_time,
                                       .record_limit = chat->room.dialect->record_limit};
    ks_run_phase(chat->run, "entering", 0, chat->room.people_count);
    if (ks_fleet_open(chat->run->reactor, settings->server, &plan, &fleet_events, chat, &chat->fleet, reason,
                      sizeof reason) == KS_OK)
        return true;
    ks_run_fail(chat->run, "%s", reason);
    return false;
}

static void report(struct chat *chat)
{
    struct ks_run *run = chat->run;
    const struct ks_settings *settings = run->settings;
    double seconds = (double)run->measured_ns / 1e9;
    ks_findings_number(&run->findings, "members", (double)settings->members);
    ks_findings_number(&run->findings, "writers", (double)settings->writers);
    ks_findings_number(&run->findings, "window", (double)settings->window);
    ks_findings_number(&run->findings, "line_bytes", (double)settings->size);
    ks_findings_number(&run->findings, "deliveries_of_a_line", chat->room.hearers);
    ks_findings_text(&run->findings, "order_verified",
                     ks_chat_lines_tell_order(chat->lines) ? "one for all" : "of each writer's lines");
    ks_run_add_findings(run, "deliveries");
    ks_findings_number(&run->findings, "lines", (double)chat->lines_done);
    ks_findings_number(&run->findings, "lines_per_second",
                       seconds > 0 ? (double)chat->lines_done / seconds : 0);
    ks_findings_number(&run->findings, "lines_verified", (double)chat->lines_verified);
}

bool ks_mode_chat(struct ks_run *run)
{
    bool right = false;
    struct chat *chat = calloc(1, sizeof *chat);
    if (chat == NULL) {
        ks_run_fail(run, "no memory");
        return false;
    }
    chat->run = run;
    run->finish = finish;
    run->context = chat;
    if (prepare(chat) && prepare_signers(chat) && open_links(chat) && ks_run_loop(run)) {
        report(chat);
        right = true;
    }
    ks_fleet_free(chat->fleet);
    ks_chat_lines_free(chat->lines);
    ks_signers_free(chat->room.signers);
    free(chat->room.people);
    free(chat->ready);
    free(chat->is_ready);
    free(chat);
    return right;
}
