/* ask.c — see <kesher/ask.h>. */
#include "wire/ask_codec.h"

#include "base/address.h"
#include "base/text.h"
#include "client/failure.h"
#include "client/transport/channel.h"
#include "client/transport/client_session.h"

#include <kesher/ask.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_PORT "1729"
#define GREETING     "Hi"
#define EXIT_REQUEST "EXIT"

_Static_assert((int)KESHER_ASK_BANNER_SIZE == (int)KS_ASK_BANNER_SIZE, "the wire's");
_Static_assert((int)KESHER_ASK_REQUEST_SIZE == (int)KS_ASK_REQUEST_SIZE, "the wire's");
_Static_assert((int)KESHER_ASK_REPLY_LIMIT == (int)KS_ASK_ANSWER_LIMIT, "the wire's");

struct kesher_ask {
    struct ks_channel *channel;
    bool over; /* EXIT was said, or something failed */
    char shown[KESHER_ADDRESS_SIZE];
    char banner[KESHER_ASK_BANNER_SIZE];
    char reply[KESHER_ASK_REPLY_LIMIT];
};

/* ---- opening and closing ---- */

static enum kesher_status connect_to(struct kesher_ask *ask, const char *address,
                                     const struct kesher_options *limits, struct kesher_error *error)
{
    struct ks_address parsed;
    char whole[KESHER_ADDRESS_SIZE];
    size_t size = strlen(address);
    ks_text_escape(address, size, ask->shown, sizeof ask->shown);
    if (ks_address_parse_for(address, size, DEFAULT_PORT, &parsed) != KS_OK)
        return ks_failure(error, KESHER_INVALID,
                          "'%s' is no server address; give it as address:port, such as 127.0.0.1:1729",
                          ask->shown);
    ks_address_format(&parsed, whole, sizeof whole);
    ks_text_escape(whole, strlen(whole), ask->shown, sizeof ask->shown);
    return ks_channel_open(whole, limits->connect_ms, limits->answer_ms, &ask->channel, error);
}

static enum kesher_status greet(struct kesher_ask *ask, uint32_t answer_ms, struct kesher_error *error)
{
    enum kesher_status status = ks_channel_send(ask->channel, GREETING, strlen(GREETING), error);
    if (status == KESHER_OK)
        status = ks_channel_receive(ask->channel, ask->banner, sizeof ask->banner, error);
    if (status == KESHER_TIMEOUT)
        return ks_failure(error, status,
                          "%s did not answer as an ask server does, for %u s; check the address and the port "
                          "(usually 1729)",
                          ask->shown, (unsigned)((answer_ms + 999) / 1000));
    if (status == KESHER_CONNECTION)
        return ks_failure(error, status,
                          "%s did not answer as an ask server does; check the address and the port (usually "
                          "1729)",
                          ask->shown);
    return status;
}

enum kesher_status kesher_ask_open(const char *address, const struct kesher_options *options,
                                   struct kesher_ask **ask, struct kesher_error *error)
{
    struct kesher_options limits = ks_client_session_limits(options);
    struct kesher_ask *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return ks_failure_no_memory(error);
    opened->over = true; /* until there is a conversation */
    enum kesher_status status = connect_to(opened, address, &limits, error);
    if (status == KESHER_OK)
        status = greet(opened, limits.answer_ms, error);
    if (status != KESHER_OK) {
        kesher_ask_close(opened);
        return status;
    }
    ks_channel_limit(opened->channel, limits.progress_ms);
    opened->over = false;
    *ask = opened;
    return KESHER_OK;
}

void kesher_ask_close(struct kesher_ask *ask)
{
    struct kesher_error error;
    if (ask == NULL)
        return;
    /* A courtesy to servers that serve one at a time and wait for it. */
    if (!ask->over)
        (void)ks_channel_send(ask->channel, EXIT_REQUEST, KESHER_ASK_REQUEST_SIZE, &error);
    ks_channel_close(ask->channel);
    free(ask);
}

const char *kesher_ask_banner(const struct kesher_ask *ask)
{
    return ask->banner;
}

int kesher_ask_descriptor(const struct kesher_ask *ask)
{
    return ks_channel_descriptor(ask->channel);
}

/* ---- requests ---- */

static void make_request(const char *text, size_t size, char request[static KESHER_ASK_REQUEST_SIZE + 1])
{
    memset(request, ' ', KESHER_ASK_REQUEST_SIZE);
    request[KESHER_ASK_REQUEST_SIZE] = '\0';
    for (size_t i = 0; i < size && i < KESHER_ASK_REQUEST_SIZE; i++) {
        if (text[i] >= 'a' && text[i] <= 'z')
            request[i] = (char)(text[i] - 'a' + 'A');
        else if (text[i] != '\n' && text[i] != '\r')
            request[i] = text[i];
    }
}

/* The rest of a reply, of which `taken` bytes of the length have come. */
static enum kesher_status take_reply(struct kesher_ask *ask, uint8_t digits[static KS_ASK_LENGTH_SIZE],
                                     size_t taken, size_t *size, struct kesher_error *error)
{
    enum kesher_status status =
        ks_channel_receive(ask->channel, digits + taken, KS_ASK_LENGTH_SIZE - taken, error);
    if (status == KESHER_OK && ks_ask_length_parse(digits, size) != KS_OK)
        return ks_channel_fail_protocol(ask->channel, error, "no four digits before a reply");
    if (status == KESHER_OK)
        status = ks_channel_receive(ask->channel, ask->reply, *size, error);
    if (status == KESHER_CONNECTION && ks_channel_has_ended(ask->channel))
        return ks_channel_fail_protocol(ask->channel, error, "only a part of a reply and closed");
    return status;
}

/* As a word of its own. */
static bool is_named(const char *banner, const char *name, size_t size)
{
    const char *separators = " ,;:.-/|";
    for (const char *word = banner; *word != '\0'; word += strcspn(word, separators)) {
        word += strspn(word, separators);
        if (strcspn(word, separators) == size && memcmp(word, name, size) == 0)
            return true;
    }
    return false;
}

/* Nothing but the words tells (protocol.md §3). A reply to what the server offers may have any words. */
static bool is_unknown(const struct kesher_ask *ask, const struct kesher_ask_reply *reply)
{
    static const char word[] = "unknown";
    const size_t word_size = sizeof word - 1;
    size_t size = strcspn(reply->request, " ");
    char banner[sizeof ask->banner + 1] = "";
    memcpy(banner, ask->banner, sizeof ask->banner);
    if (size > 0 && is_named(banner, reply->request, size))
        return false;
    for (size_t at = 0; at + word_size <= reply->size; at++)
        if (strncasecmp(reply->bytes + at, word, word_size) == 0)
            return true;
    return false;
}

enum kesher_status kesher_ask_request(struct kesher_ask *ask, const char *text, size_t size,
                                      struct kesher_ask_reply *reply, struct kesher_error *error)
{
    uint8_t digits[KS_ASK_LENGTH_SIZE];
    *reply = (struct kesher_ask_reply){.bytes = ask->reply};
    make_request(text, size, reply->request);
    bool is_exit = strcmp(reply->request, EXIT_REQUEST) == 0;
    enum kesher_status status = ks_channel_send(ask->channel, reply->request, KESHER_ASK_REQUEST_SIZE, error);
    if (status == KESHER_OK && !is_exit)
        status = ks_channel_receive(ask->channel, digits, 1, error);
    reply->ended = is_exit || (status == KESHER_CONNECTION && ks_channel_has_ended(ask->channel));
    if (reply->ended)
        status = KESHER_OK;
    else if (status == KESHER_OK)
        status = take_reply(ask, digits, 1, &reply->size, error);
    reply->unknown = status == KESHER_OK && !reply->ended && is_unknown(ask, reply);
    ask->over = reply->ended || status != KESHER_OK;
    return status;
}
