/* hand_socket.h — the socket of a client whose server is a script: send(2), recv(2) and poll(2) of this
 * program go to it, so there is no second thread, no waiting, and what the client sees depends on nothing but
 * the input.
 *
 * The server says the next frame of the script whenever the client has sent something and waits for an
 * answer, the last one cut short or not, and ends its side behind it. A frame that was said before it was
 * asked for would end the connection at once. Zeros behind a frame go with it: by themselves they may be
 * padding, behind which the client waits for the answer. A server that has nothing to say is silent, and a
 * wait for it is over at once.
 *
 * So are pauses, and what makes a file durable, or makes room for it: none of that is what a fuzzer is for.
 * One thread.
 */
#ifndef KS_FUZZ_HAND_SOCKET_H
#define KS_FUZZ_HAND_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hand_socket {
    const uint8_t *bytes; /* of the script; what has been said is in front of it */
    size_t size;          /* what is left to say */
    size_t said;          /* and was not received yet */
    bool asked;           /* since it spoke last */
    bool in_crumbs;       /* it is received in small pieces */
    /* How much of the script is said at once, where that is not a frame; never 0. */
    size_t (*next)(const uint8_t *bytes, size_t size);
};

/* From now on `socket`, whose script is set, is the one that a client gets who opens one; it is connected at
 * once. */
void hand_socket_take(struct hand_socket *socket);

/* The same, opened already: its descriptor, which is the client's. */
int hand_socket_open(struct hand_socket *socket);

#endif
