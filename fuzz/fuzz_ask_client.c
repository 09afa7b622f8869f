/* fuzz_ask_client.c — whatever an ask server may say to the client.
 *
 * The first byte of the input says how its answers arrive, and whether the client says goodbye. The rest is
 * all that the server ever says; then it ends its side. The client asks for one thing after the other. The
 * properties: every call ends, every failure has a sentence, and a reply is no longer than one may be.
 */
#include "hand_socket.h"
#include "wire/ask_codec.h"

#include <kesher/ask.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { IN_CRUMBS = 1, WITHOUT_EXIT = 2 };

static void require(bool holds)
{
    if (!holds)
        abort();
}

static size_t all_at_once(const uint8_t *bytes, size_t size)
{
    (void)bytes;
    return size;
}

static bool request(struct kesher_ask *ask, const char *text)
{
    struct kesher_ask_reply reply;
    struct kesher_error error = {.sentence = ""};
    enum kesher_status status = kesher_ask_request(ask, text, strlen(text), &reply, &error);
    require(strlen(reply.request) == KESHER_ASK_REQUEST_SIZE);
    require(reply.size <= KESHER_ASK_REPLY_LIMIT);
    require(status == KESHER_OK || (error.status == status && error.sentence[0] != '\0'));
    require(status == KESHER_OK || !reply.ended);
    return status == KESHER_OK && !reply.ended;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const requests[] = {"NAME", "stat\n", "x", "RANDOM", "TIME", "exit"};
    struct kesher_error error = {.sentence = ""};
    struct kesher_ask *ask = NULL;
    if (size < 1)
        return 0;
    struct hand_socket server = {
        .bytes = bytes + 1, .size = size - 1, .in_crumbs = (bytes[0] & IN_CRUMBS) != 0, .next = all_at_once};
    hand_socket_take(&server);
    enum kesher_status status = kesher_ask_open("127.0.0.1", NULL, &ask, &error);
    if (status != KESHER_OK) {
        require(error.status == status && error.sentence[0] != '\0');
        return 0;
    }
    require(memcmp(kesher_ask_banner(ask), bytes + 1, KESHER_ASK_BANNER_SIZE) == 0);
    bool goes_on = true;
    size_t count = sizeof requests / sizeof requests[0] - ((bytes[0] & WITHOUT_EXIT) != 0 ? 1 : 0);
    require(kesher_ask_descriptor(ask) >= 0);
    for (size_t i = 0; i < count && goes_on; i++)
        goes_on = request(ask, requests[i]);
    kesher_ask_close(ask);
    return 0;
}
