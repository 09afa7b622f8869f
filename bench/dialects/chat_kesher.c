/* chat_kesher.c — group chat of kesherd (protocol.md §2), in line mode: what we send first ends in LF, and
 * from then on so does everything on both sides. The first member makes the group; the others wait at the
 * menu until its number is known. Every step waits for the prompt before it. Names are the members' numbers.
 *
 * Over the secure port (§9) each signs in and asks to talk before the menu comes, and those inside are told
 * who joins.
 */
#include "bench/dialects/chat_dialect.h"
#include "wire/chat_codec.h"

#include <stdio.h>
#include <stdlib.h>

#define PASSWORD   "kesher-bench"
#define HAS_JOINED " has joined the group \n"

enum { NAME_SIZE = KS_CHAT_NUMBER_SIZE, TEXT_SIZE = 256 };

enum kesher_step {
    SIGNING_IN,
    TALKING,
    MENU,
    WAITING,
    NAME,
    GROUP,
    PASSWORD_OF_GROUP,
    JOINED,
    NEW_PASSWORD,
    CREATED
};

static void describe(struct ks_chat_room *room)
{
    room->said = (struct ks_chat_frame){.after = "\n", .after_size = 1};
}

/* The server speaks first, but to whom it does not know. */
static void greet(struct ks_chat_room *room, struct ks_chat_person *person)
{
    person->step = room->signers != NULL ? SIGNING_IN : MENU;
    if (room->signers != NULL)
        (void)ks_signers_sign_in(room->signers, room->run, person->index, person->link);
}

/* ---- entering ---- */

/* Size of the text when `bytes` begin with it; 0 when they may come to, and, the run having failed, when not.
 */
static size_t expect(struct ks_chat_room *room, const struct ks_chat_person *person, const uint8_t *bytes,
                     size_t size, const char *text)
{
    size_t text_size = strlen(text);
    size_t compared = size < text_size ? size : text_size;
    if (memcmp(bytes, text, compared) != 0) {
        ks_chat_dialect_unexpected(room, person, bytes, size);
        return 0;
    }
    return size < text_size ? 0 : text_size;
}

static size_t answer_prompt(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                            size_t size, const char *prompt, const char *answer, enum kesher_step next)
{
    size_t taken = expect(room, person, bytes, size, prompt);
    if (taken == 0)
        return 0;
    ks_chat_dialect_tell(room, person, "%s\n", answer);
    person->step = (uint8_t)next;
    return taken;
}

static size_t take_signed_in(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                             size_t size)
{
    size_t taken = ks_signers_expect(room->run, person->index, KS_RESPONSE_SIGNED_IN, bytes, size);
    if (taken > 0 && ks_signers_ask(room->run, person->link, KS_REQUEST_TALK))
        person->step = TALKING;
    return taken;
}

static size_t take_talk(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                        size_t size)
{
    size_t taken = ks_signers_expect(room->run, person->index, KS_RESPONSE_TALK, bytes, size);
    if (taken > 0)
        person->step = MENU;
    return taken;
}

static void choose_to_join(struct ks_chat_room *room, struct ks_chat_person *person)
{
    ks_chat_dialect_tell(room, person, "1\n");
    person->step = NAME;
}

static size_t take_menu(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                        size_t size)
{
    /* Over the secure port lines are what is spoken from the beginning. */
    const char *menu = room->signers != NULL ? KS_CHAT_MENU "\n" : KS_CHAT_MENU;
    size_t taken = expect(room, person, bytes, size, menu);
    if (taken == 0)
        return 0;
    if (person->index == 0) {
        ks_chat_dialect_tell(room, person, "2\n");
        person->step = NAME;
    } else if (room->group != 0) {
        choose_to_join(room, person);
    } else {
        person->step = WAITING;
    }
    return taken;
}

static size_t take_name(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                        size_t size)
{
    char name[NAME_SIZE + 1] = "";
    ks_chat_put_number((uint8_t *)name, person->index);
    return answer_prompt(room, person, bytes, size, KS_CHAT_ASK_NAME, name,
                         person->index == 0 ? NEW_PASSWORD : GROUP);
}

static size_t take_group(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                         size_t size)
{
    char number[16];
    (void)snprintf(number, sizeof number, "%u", room->group);
    return answer_prompt(room, person, bytes, size, KS_CHAT_ASK_GROUP, number, PASSWORD_OF_GROUP);
}

static size_t take_joined(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                          size_t size)
{
    char text[TEXT_SIZE];
    (void)snprintf(text, sizeof text, KS_CHAT_JOINED, room->group);
    size_t taken = expect(room, person, bytes, size, text);
    if (taken > 0)
        ks_chat_dialect_entered(room, person);
    return taken;
}

/* The number is in the first line. */
static size_t take_created(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                           size_t size)
{
    static const char first_words[] = "The id of the group is:";
    const size_t words = sizeof first_words - 1;
    char text[TEXT_SIZE];
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    unsigned group = 0;
    if (expect(room, person, bytes, size, first_words) == 0 || line_size == 0)
        return 0;
    if (line_size <= words + 1 || !ks_chat_group_number(bytes + words, line_size - words - 1, &group)) {
        ks_chat_dialect_unexpected(room, person, bytes, size);
        return 0;
    }
    (void)snprintf(text, sizeof text, KS_CHAT_CREATED "\n", group, group);
    size_t taken = expect(room, person, bytes, size, text);
    if (taken == 0)
        return 0;
    room->group = group;
    ks_chat_dialect_entered(room, person);
    for (uint32_t i = 1; i < room->people_count; i++)
        if (room->people[i].step == WAITING)
            choose_to_join(room, &room->people[i]);
    return taken;
}

static size_t enter(struct ks_chat_room *room, struct ks_chat_person *person, const uint8_t *bytes,
                    size_t size)
{
    switch ((enum kesher_step)person->step) {
    case SIGNING_IN:
        return take_signed_in(room, person, bytes, size);
    case TALKING:
        return take_talk(room, person, bytes, size);
    case MENU:
        return take_menu(room, person, bytes, size);
    case WAITING:
        ks_chat_dialect_unexpected(room, person, bytes, size);
        return 0;
    case NAME:
        return take_name(room, person, bytes, size);
    case GROUP:
        return take_group(room, person, bytes, size);
    case PASSWORD_OF_GROUP:
        return answer_prompt(room, person, bytes, size, KS_CHAT_ASK_PASSWORD, PASSWORD, JOINED);
    case JOINED:
        return take_joined(room, person, bytes, size);
    case NEW_PASSWORD:
        return answer_prompt(room, person, bytes, size, KS_CHAT_ASK_NEW_PASSWORD, PASSWORD, CREATED);
    case CREATED:
        break;
    }
    return take_created(room, person, bytes, size);
}

/* ---- hearing ---- */

/* What is no line of a member: over the secure port it may be that somebody joined. */
static enum ks_chat_piece_kind hear_aside(const struct ks_chat_room *room, const uint8_t *bytes, size_t size,
                                          size_t whole, struct ks_chat_piece *piece)
{
    size_t line_size = ks_chat_dialect_line_size(bytes, size);
    if (line_size == 0)
        return size < whole ? KS_CHAT_PIECE_MORE : KS_CHAT_PIECE_WRONG;
    if (room->signers == NULL || line_size != NAME_SIZE + sizeof HAS_JOINED - 1 ||
        memcmp(bytes + NAME_SIZE, HAS_JOINED, sizeof HAS_JOINED - 1) != 0)
        return KS_CHAT_PIECE_WRONG;
    piece->size = line_size;
    return KS_CHAT_PIECE_OTHER;
}

/* "NAME: TEXT", where the text begins with the name. */
static enum ks_chat_piece_kind hear(struct ks_chat_room *room, struct ks_chat_person *person,
                                    const uint8_t *bytes, size_t size, struct ks_chat_piece *piece)
{
    const size_t before = NAME_SIZE + 2;
    const size_t whole = before + room->text_size + 1;
    (void)person;
    if (size < whole || bytes[whole - 1] != '\n' || memcmp(bytes + NAME_SIZE, ": ", 2) != 0 ||
        memcmp(bytes, bytes + before, NAME_SIZE) != 0)
        return hear_aside(room, bytes, size, whole, piece);
    *piece = (struct ks_chat_piece){.text = bytes + before, .size = whole};
    return KS_CHAT_PIECE_TEXT;
}

const struct ks_chat_dialect ks_chat_kesher = {
    .name = "kesher",
    .signs_in = true,
    .one_order = true,
    .size_limit = KS_CHAT_MESSAGE_LIMIT,
    .hint = "see kesherd's --group-members, --groups, --connections and --unlimited-networks",
    .describe = describe,
    .greet = greet,
    .enter = enter,
    .hear = hear,
};
