/* showing.c — see showing.h. */
#include "cli/commands/showing.h"

#include "base/text.h"
#include "cli/terminal/output.h"
#include "cli/terminal/shown_name.h"
#include "cli/terminal/shown_time.h"

#include <string.h>

enum { PIECE_SIZE = 64 * 1024 };

/* The sender's name; what no list has is known by its id. */
static const char *name_of(const struct kesher_user *sender, char id[2 * KESHER_ID_SIZE + 1])
{
    if (sender->name[0] != '\0')
        return sender->name;
    ks_text_to_hex(sender->id, sizeof sender->id, id);
    return id;
}

/* The text of the message in hand; KESHER_OK also when nobody reads it any more. */
static enum kesher_status print_text(const struct ks_showing *showing, struct ks_text_stream *text,
                                     struct kesher_error *error)
{
    uint8_t piece[PIECE_SIZE];
    size_t size = 0;
    do {
        enum kesher_status status =
            kesher_messenger_read(showing->messenger, piece, sizeof piece, &size, error);
        if (status != KESHER_OK)
            return status;
    } while (size > 0 && ks_output_text(text, piece, size));
    (void)ks_output_text_end(text);
    return KESHER_OK;
}

/* ---- as the classic console has it ---- */

static enum kesher_status print_plain_text(const struct ks_showing *showing, struct kesher_error *error)
{
    struct ks_text_stream text = ks_text_stream_begin(KS_TEXT_FOR_MESSAGE);
    enum kesher_status status = print_text(showing, &text, error);
    if (!text.at_line_start)
        (void)fputc('\n', stdout);
    return status;
}

static void print_plain_path(const char *path)
{
    char shown[4 * KESHER_PATH_SIZE];
    (void)puts(ks_text_escape(path, strlen(path), shown, sizeof shown));
}

static enum kesher_status print_plain_content(const struct ks_showing *showing,
                                              const struct kesher_message *message,
                                              struct kesher_error *error)
{
    switch (message->content) {
    case KESHER_CONTENT_TEXT:
        return print_plain_text(showing, error);
    case KESHER_CONTENT_FILE:
        print_plain_path(message->path);
        return KESHER_OK;
    case KESHER_CONTENT_UNSAVED:
        (void)puts(message->reason);
        return KESHER_OK;
    case KESHER_CONTENT_NONE:
        (void)puts(message->type == KESHER_MESSAGE_KEY ? "symmetric key received"
                                                       : "Request for symmetric key");
        return KESHER_OK;
    case KESHER_CONTENT_UNREADABLE:
        break;
    }
    (void)puts("can't decrypt message");
    return KESHER_OK;
}

/* Before the lines of its message, where no text can be: what comes from the other side cannot look like it.
 */
static void print_mark(enum kesher_key_mark mark, const char *name)
{
    if (mark == KESHER_KEY_MARK_NEW)
        (void)printf(
            "(under a new key, which anyone holding %s's id could have sent; see kesher key --help)\n", name);
    else if (mark == KESHER_KEY_MARK_UNACCEPTED)
        (void)puts("(key not accepted)");
}

/* The name of the sender, as it is printed. */
static const char *shown_name_of(const struct ks_showing *showing, const struct kesher_user *sender,
                                 char shown[static KS_SHOWN_NAME_SIZE])
{
    if (sender->name[0] == '\0')
        return name_of(sender, shown);
    return showing->course ? ks_text_escape(sender->name, strlen(sender->name), shown, KS_SHOWN_NAME_SIZE)
                           : ks_output_name(sender->name, shown);
}

static enum kesher_status print_plain(const struct ks_showing *showing, const struct kesher_message *message,
                                      struct kesher_error *error)
{
    char shown[KS_SHOWN_NAME_SIZE];
    char time[KS_SHOWN_TIME_SIZE];
    const char *name = shown_name_of(showing, &message->sender, shown);
    if (!showing->course)
        (void)printf("(received %s)\n", ks_shown_time(message->received, time));
    print_mark(message->mark, name);
    (void)printf("From: %s\nContent:\n", name);
    enum kesher_status status = print_plain_content(showing, message, error);
    if (status == KESHER_OK)
        (void)fputs("-----<EOM>-----\n\n", stdout);
    return status;
}

/* ---- JSON ---- */

static void print_json_type(uint8_t type)
{
    static const char *const names[] = {
        [KESHER_MESSAGE_KEY_REQUEST] = "key-request",
        [KESHER_MESSAGE_KEY] = "key",
        [KESHER_MESSAGE_TEXT] = "text",
        [KESHER_MESSAGE_FILE] = "file",
    };
    if (type < sizeof names / sizeof names[0] && names[type] != NULL)
        (void)printf(", \"type\": \"%s\"", names[type]);
    else
        (void)printf(", \"type\": %u", (unsigned)type);
}

static enum kesher_status print_json_content(const struct ks_showing *showing,
                                             const struct kesher_message *message, struct kesher_error *error)
{
    struct ks_text_stream text = ks_text_stream_begin(KS_TEXT_FOR_JSON);
    enum kesher_status status = KESHER_OK;
    switch (message->content) {
    case KESHER_CONTENT_TEXT:
        (void)fputs(", \"text\": \"", stdout);
        status = print_text(showing, &text, error);
        (void)fputc('"', stdout);
        break;
    case KESHER_CONTENT_FILE:
        (void)fputs(", \"path\": ", stdout);
        ks_output_json_string(stdout, message->path);
        (void)printf(", \"size\": %llu", (unsigned long long)message->content_size);
        break;
    case KESHER_CONTENT_UNREADABLE:
        (void)fputs(", \"readable\": false", stdout);
        break;
    case KESHER_CONTENT_UNSAVED:
        (void)printf(", \"size\": %llu, \"saved\": false, \"reason\": ",
                     (unsigned long long)message->content_size);
        ks_output_json_string(stdout, message->reason);
        break;
    case KESHER_CONTENT_NONE:
        break;
    }
    return status;
}

/* What every message has; the object stays open. */
static void print_json_head(const struct kesher_message *message)
{
    char id[2 * KESHER_ID_SIZE + 1];
    char time[KS_SHOWN_TIME_SIZE];
    (void)printf("{\"id\": %lu, \"from\": ", (unsigned long)message->message_id);
    ks_output_json_string(stdout, name_of(&message->sender, id));
    (void)printf(", \"received\": \"%s\"", ks_shown_time_rfc3339(message->received, time));
    print_json_type(message->type);
}

static enum kesher_status print_json(const struct ks_showing *showing, const struct kesher_message *message,
                                     struct kesher_error *error)
{
    print_json_head(message);
    if (message->again)
        (void)fputs(", \"again\": true", stdout);
    if (message->mark != KESHER_KEY_MARK_NONE)
        (void)printf(", \"key\": \"%s\"", message->mark == KESHER_KEY_MARK_NEW ? "new" : "unaccepted");
    enum kesher_status status = print_json_content(showing, message, error);
    (void)fputs("}\n", stdout);
    return status;
}

/* ---- one after the other ---- */

static enum ks_showing_end print_one(const struct ks_showing *showing, const struct kesher_message *message,
                                     struct kesher_error *error)
{
    enum kesher_status status =
        showing->json ? print_json(showing, message, error) : print_plain(showing, message, error);
    if (!ks_output_flush())
        return KS_SHOWING_CLOSED;
    if (status != KESHER_OK || kesher_messenger_done(showing->messenger, error) != KESHER_OK)
        return KS_SHOWING_FAILED;
    bool goes_on = showing->printed == NULL || showing->printed(showing->context);
    return goes_on ? KS_SHOWING_DONE : KS_SHOWING_STOPPED;
}

enum ks_showing_end ks_showing_kept(const struct ks_showing *showing, struct kesher_error *error)
{
    enum ks_showing_end end = KS_SHOWING_DONE;
    while (end == KS_SHOWING_DONE) {
        struct kesher_message message;
        enum kesher_status status = kesher_messenger_next(showing->messenger, &message, error);
        if (status == KESHER_NOT_FOUND)
            return KS_SHOWING_DONE;
        end = status == KESHER_OK ? print_one(showing, &message, error) : KS_SHOWING_FAILED;
    }
    return end;
}

enum ks_showing_end ks_showing_pull(const struct ks_showing *showing, bool *more, struct kesher_error *error)
{
    struct kesher_error of_printing;
    bool pulled = kesher_messenger_pull(showing->messenger, more, error) == KESHER_OK;
    enum ks_showing_end end = ks_showing_kept(showing, pulled ? error : &of_printing);
    return pulled || end == KS_SHOWING_CLOSED ? end : KS_SHOWING_FAILED;
}

enum ks_showing_end ks_showing_all(const struct ks_showing *showing, struct kesher_error *error)
{
    bool more = true;
    enum ks_showing_end end = ks_showing_kept(showing, error);
    while (end == KS_SHOWING_DONE && more)
        end = ks_showing_pull(showing, &more, error);
    return end;
}

/* ---- what nobody can read ---- */

static void print_discarded(const struct ks_showing *showing, const struct kesher_message *message)
{
    char shown[KS_SHOWN_NAME_SIZE];
    char time[KS_SHOWN_TIME_SIZE];
    if (showing->json) {
        print_json_head(message);
        (void)fputs(", \"discarded\": true}\n", stdout);
        return;
    }
    (void)printf("discarded message %lu from %s, received %s\n", (unsigned long)message->message_id,
                 shown_name_of(showing, &message->sender, shown), ks_shown_time(message->received, time));
}

enum ks_showing_end ks_showing_discard(const struct ks_showing *showing, struct kesher_error *error)
{
    for (;;) {
        struct kesher_message message;
        enum kesher_status status = kesher_messenger_discard(showing->messenger, &message, error);
        if (status == KESHER_NOT_FOUND)
            return KS_SHOWING_DONE;
        if (status != KESHER_OK)
            return KS_SHOWING_FAILED;
        print_discarded(showing, &message);
        if (!ks_output_flush())
            return KS_SHOWING_CLOSED;
    }
}
