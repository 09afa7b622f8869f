/* chat_entry.c — see <kesher/chat.h>: the way from the menu to a group, question by question. */
#include "client/chat/chat_internal.h"

#include "base/clock.h"
#include "base/text.h"
#include "client/failure.h"
#include "wire/chat_codec.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
    PASSWORD_MS = 10 * 1000, /* for an answer to a password */
    SLOWED_MS = 20 * 1000,   /* more, where wrong ones may have been given before */
};

/* ---- a question and its answer ---- */

static enum kesher_status fail_silence(const struct kesher_chat *chat, uint32_t limit_ms,
                                       struct kesher_error *error)
{
    return ks_failure(error, KESHER_TIMEOUT,
                      "%s has said nothing for %u s; check that a chat server runs there", chat->shown,
                      limit_ms / 1000);
}

/* Waits for the next text of the server. Its end is an error here. */
static enum kesher_status hear(struct kesher_chat *chat, uint32_t limit_ms, struct ks_chat_said *said,
                               struct kesher_error *error)
{
    const struct ks_clock *clock = ks_clock_system();
    uint64_t deadline = ks_clock_monotonic_ms(clock) + limit_ms;
    for (;;) {
        bool any = false;
        enum kesher_status status = ks_chat_next(chat, said, &any, error);
        if (status != KESHER_OK || any)
            return status;
        if (chat->ended)
            return ks_chat_fail_lost(chat, chat->output_errno, error);
        struct pollfd watched;
        bool is_there = kesher_chat_watch(chat, &watched) == 0; /* a pause is for members */
        uint64_t now = ks_clock_monotonic_ms(clock);
        if (now >= deadline)
            return fail_silence(chat, limit_ms, error);
        if (!is_there && poll(&watched, 1, (int)(deadline - now)) < 0 && errno != EINTR)
            return ks_chat_fail_lost(chat, errno, error);
    }
}

/* What a secure server says of a name that somebody else has; the end of its line is gone. */
static bool is_taken(const struct ks_chat_said *said)
{
    static const char taken[] = KS_CHAT_NAME_TAKEN;
    const size_t size = sizeof taken - sizeof " \n";
    return said->kind == KS_CHAT_TEXT_OTHER && said->size >= size && memcmp(said->text, taken, size) == 0;
}

/* What was said is not what the protocol has there. */
static enum kesher_status fail_text(struct kesher_chat *chat, const struct ks_chat_said *said,
                                    struct kesher_error *error)
{
    char shown[200];
    chat->step = KS_CHAT_STEP_DONE;
    if (is_taken(said))
        return ks_failure(
            error, KESHER_EXISTS,
            "the name is taken at %s: in this group, or by another user; give another with --as",
            chat->shown);
    if (said->kind == KS_CHAT_TEXT_FULL)
        return ks_failure(error, KESHER_FULL, "the chat server %s is full; try again later", chat->shown);
    return ks_failure(error, KESHER_PROTOCOL,
                      "%s sent what no chat server sends there: '%s'; check the address and the port",
                      chat->shown, ks_text_escape(said->text, said->size, shown, sizeof shown));
}

static enum kesher_status expect(struct kesher_chat *chat, enum ks_chat_text wanted,
                                 struct kesher_error *error)
{
    struct ks_chat_said said;
    uint32_t limit_ms = wanted == KS_CHAT_TEXT_MENU ? chat->options.answer_ms : chat->options.progress_ms;
    enum kesher_status status = hear(chat, limit_ms, &said, error);
    return status == KESHER_OK && said.kind != wanted ? fail_text(chat, &said, error) : status;
}

/* Says something and hears what the server says to that. */
static enum kesher_status exchange(struct kesher_chat *chat, const void *text, size_t size,
                                   struct ks_chat_said *said, struct kesher_error *error)
{
    enum kesher_status status = kesher_chat_say(chat, text, size, error);
    return status == KESHER_OK ? hear(chat, chat->options.progress_ms, said, error) : status;
}

/* ---- an answer to a password ---- */

static bool is_number(const uint8_t *text, size_t size)
{
    size_t digits = 0;
    while (digits < size && text[digits] >= '0' && text[digits] <= '9')
        digits++;
    return digits == size;
}

/* What may be the matter with a server that took a password and did no more. */
static const char *advice(const uint8_t *password, size_t size)
{
    return is_number(password, size) ? "its log may tell why"
                                     : "old servers take a password of digits only: try one of those";
}

static void tell_that_it_is_slow(const struct kesher_chat *chat, const char *advised)
{
    struct kesher_error line;
    (void)ks_failure(&line, KESHER_TIMEOUT,
                     "%s has not answered the password for %d s: it slows down guesses, or is stuck (%s)",
                     chat->shown, PASSWORD_MS / 1000, advised);
    if (chat->options.observer.notice != NULL)
        chat->options.observer.notice(chat->options.observer.context, line.sentence);
}

/* Says the password. `slows`: the server may make it wait. */
static enum kesher_status give_password(struct kesher_chat *chat, const void *password, size_t size,
                                        bool slows, struct ks_chat_said *said, struct kesher_error *error)
{
    const char *advised = advice(password, size);
    uint32_t limit_ms = chat->options.progress_ms < PASSWORD_MS ? chat->options.progress_ms : PASSWORD_MS;
    *said = (struct ks_chat_said){.kind = KS_CHAT_TEXT_OTHER};
    enum kesher_status status = kesher_chat_say(chat, password, size, error);
    if (status == KESHER_OK)
        status = hear(chat, limit_ms, said, error);
    if (status == KESHER_TIMEOUT && slows) {
        tell_that_it_is_slow(chat, advised);
        limit_ms += SLOWED_MS;
        status = hear(chat, SLOWED_MS, said, error);
    }
    if (status == KESHER_TIMEOUT)
        return ks_failure(error, status, "%s has not answered the password for %u s; %s", chat->shown,
                          limit_ms / 1000, advised);
    if (status == KESHER_CONNECTION)
        return ks_failure(error, status, "%s closed the connection at the password; %s", chat->shown,
                          advised);
    return status;
}

/* ---- what is asked for ---- */

/* A name as a server would keep it; one of which nothing is left would never be answered. */
static enum kesher_status clean_name(const char *name, uint8_t clean[static KS_CHAT_NAME_LIMIT],
                                     size_t *clean_size, struct kesher_error *error)
{
    uint8_t whole[KS_CHAT_CLEAN_FACTOR * KESHER_CHAT_INPUT_LIMIT];
    size_t start = 0;
    size_t size = strnlen(name, KESHER_CHAT_INPUT_LIMIT + 1);
    if (size > KESHER_CHAT_INPUT_LIMIT)
        return ks_failure(error, KESHER_INVALID, "a name in a chat has at most %d bytes", KS_CHAT_NAME_LIMIT);
    size = ks_chat_clean((const uint8_t *)name, size, whole);
    if (ks_chat_trim(whole, size, &start) == 0)
        return ks_failure(error, KESHER_INVALID, "a name in a chat needs at least one letter");
    *clean_size = ks_text_cut(whole, size, KS_CHAT_NAME_LIMIT);
    memcpy(clean, whole, *clean_size);
    return KESHER_OK;
}

static enum kesher_status check_password(const void *password, size_t size, struct kesher_error *error)
{
    if (size == 0 || size > KESHER_CHAT_INPUT_LIMIT)
        return ks_failure(error, KESHER_INVALID, "a password of a group has 1 to %d bytes",
                          KESHER_CHAT_INPUT_LIMIT);
    if (memchr(password, '\n', size) != NULL || memchr(password, '\r', size) != NULL)
        return ks_failure(error, KESHER_INVALID, "a password of a group has no line ends in it");
    return KESHER_OK;
}

static enum kesher_status fail_turn(struct kesher_error *error)
{
    return ks_failure(error, KESHER_INVALID, "the chat is beyond that question; open another");
}

/* From the menu to the question after the name. */
static enum kesher_status choose(struct kesher_chat *chat, const char *choice, const char *name,
                                 enum ks_chat_text next, struct kesher_error *error)
{
    uint8_t clean[KS_CHAT_NAME_LIMIT];
    size_t size = 0;
    enum kesher_status status = clean_name(name, clean, &size, error);
    if (status != KESHER_OK)
        return status;
    chat->step = KS_CHAT_STEP_DONE; /* until the next question has come */
    status = expect(chat, KS_CHAT_TEXT_MENU, error);
    if (status == KESHER_OK)
        status = kesher_chat_say(chat, choice, 1, error);
    if (status == KESHER_OK)
        status = expect(chat, KS_CHAT_TEXT_ASK_NAME, error);
    if (status == KESHER_OK)
        status = kesher_chat_say(chat, clean, size, error);
    return status == KESHER_OK ? expect(chat, next, error) : status;
}

/* ---- the calls ---- */

enum kesher_status kesher_chat_create(struct kesher_chat *chat, const char *name, const void *password,
                                      size_t password_size, unsigned *group, struct kesher_error *error)
{
    struct ks_chat_said said;
    if (chat->step != KS_CHAT_STEP_MENU)
        return fail_turn(error);
    enum kesher_status status = check_password(password, password_size, error);
    if (status == KESHER_OK)
        status = choose(chat, "2", name, KS_CHAT_TEXT_ASK_NEW_PASSWORD, error);
    if (status == KESHER_OK)
        status = give_password(chat, password, password_size, false, &said, error);
    if (status != KESHER_OK)
        return status;
    if (said.kind != KS_CHAT_TEXT_CREATED)
        return fail_text(chat, &said, error);
    *group = said.group;
    return KESHER_OK;
}

/* The server asks for a group again. */
static enum kesher_status refuse_group(struct kesher_chat *chat, struct kesher_error *error)
{
    chat->step = KS_CHAT_STEP_DONE;
    enum kesher_status status = expect(chat, KS_CHAT_TEXT_ASK_GROUP, error);
    if (status != KESHER_OK)
        return status;
    chat->step = KS_CHAT_STEP_GROUP;
    return ks_failure(error, KESHER_NOT_FOUND, "there is no group %u at %s; ask a member for the ID",
                      chat->group, chat->shown);
}

enum kesher_status kesher_chat_find(struct kesher_chat *chat, const char *name, unsigned group,
                                    struct kesher_error *error)
{
    struct ks_chat_said said;
    char number[16];
    int size = snprintf(number, sizeof number, "%u", group);
    if (chat->step != KS_CHAT_STEP_MENU && chat->step != KS_CHAT_STEP_GROUP)
        return fail_turn(error);
    chat->group = group;
    enum kesher_status status = KESHER_OK;
    if (chat->step == KS_CHAT_STEP_MENU)
        status = choose(chat, "1", name, KS_CHAT_TEXT_ASK_GROUP, error);
    if (status == KESHER_OK)
        status = exchange(chat, number, (size_t)size, &said, error);
    if (status != KESHER_OK)
        return status;
    if (said.kind == KS_CHAT_TEXT_NO_GROUP)
        return refuse_group(chat, error);
    if (said.kind != KS_CHAT_TEXT_ASK_PASSWORD)
        return fail_text(chat, &said, error);
    chat->step = KS_CHAT_STEP_PASSWORD;
    return KESHER_OK;
}

/* The server asks for the password again, or has had enough. */
static enum kesher_status refuse_password(struct kesher_chat *chat, struct kesher_error *error)
{
    chat->step = KS_CHAT_STEP_DONE;
    enum kesher_status status = expect(chat, KS_CHAT_TEXT_ASK_PASSWORD, error);
    if (status == KESHER_CONNECTION)
        return ks_failure(error, KESHER_CONNECTION,
                          "the password is wrong, and %s closed the connection after too many wrong ones",
                          chat->shown);
    if (status != KESHER_OK)
        return status;
    chat->step = KS_CHAT_STEP_PASSWORD;
    return ks_failure(error, KESHER_REFUSED, "the password of group %u is wrong; ask a member for it",
                      chat->group);
}

enum kesher_status kesher_chat_join(struct kesher_chat *chat, const void *password, size_t password_size,
                                    struct kesher_error *error)
{
    struct ks_chat_said said;
    if (chat->step != KS_CHAT_STEP_PASSWORD)
        return fail_turn(error);
    enum kesher_status status = check_password(password, password_size, error);
    if (status == KESHER_OK)
        status = give_password(chat, password, password_size, !chat->reader.chunk_mode, &said, error);
    if (status != KESHER_OK)
        return status;
    switch (said.kind) {
    case KS_CHAT_TEXT_JOINED:
        chat->step = KS_CHAT_STEP_DONE;
        return said.group == chat->group ? KESHER_OK : fail_text(chat, &said, error);
    case KS_CHAT_TEXT_NO_GROUP:
        return refuse_group(chat, error);
    case KS_CHAT_TEXT_WRONG_PASSWORD:
        return refuse_password(chat, error);
    default:
        return fail_text(chat, &said, error);
    }
}
