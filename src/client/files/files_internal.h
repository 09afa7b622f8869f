/* files_internal.h — the inside of a kesher_files, for the files that make it up: files.c (opening it, and
 * how the others talk to the server), put*.c, remove.c, list.c and get*.c. One thread at a time.
 *
 * Whatever is asked goes through ks_files_run: it comes back on a new connection after a lost one, and waits
 * for a server that restarts. What `perform` has done already it keeps in its own context, so that it goes on
 * there; inside it, requests go out with ks_request_send, and answers come in with ks_files_take_….
 */
#ifndef KS_CLIENT_FILES_FILES_INTERNAL_H
#define KS_CLIENT_FILES_FILES_INTERNAL_H

#include "client/transport/client_session.h"
#include "client/transport/request.h"
#include "wire/files_codec.h"

#include <kesher/files.h>

enum {
    KS_FILES_SHOWN_SIZE = 200, /* of a name in a sentence */
    KS_FILES_DOING_SIZE = KS_FILES_SHOWN_SIZE + 32,
};

struct ks_put_buffer;

struct kesher_files {
    struct ks_client_session session; /* with an access */
    struct ks_put_buffer *put_buffer; /* owned; made for the first put */
};

/* Something that is asked, from its first try to its last. */
struct ks_files_request {
    char doing[KS_FILES_DOING_SIZE]; /* for sentences: "put 'notes.txt'" */
    uint16_t reason;                 /* of the refusal that came last; 0 for none */
    /* By `perform`: something came of this try that the next one need not do again. So the connections that
     * were lost before do not count. */
    bool progressed;
    /* By `perform`, with KESHER_REFUSED: it is asked again a little later, `retry_ms` long. */
    bool later;
};

/* A request to `verb` ("put") the file `name`, which may be anything; NULL for none. */
struct ks_files_request ks_files_request(const char *verb, const char *name);

/* A file's name, or a path, safe for sentences. Returns `shown`. */
const char *ks_files_show(const char *name, char shown[static KS_FILES_SHOWN_SIZE]);

/* Whether what befell one file of a list says nothing of the others. */
bool ks_files_others_go_on(enum kesher_status status);

/* Tells the observer, if it wants to know, how much of the file with this tag is on its way. */
void ks_files_progress(const struct ks_client_session *session, void *tag, uint64_t moved, uint64_t size);

/* Connects and signs in where that is needed, and performs until it is done, or has failed for good: again
 * after KESHER_CONNECTION, and for `later`. Errors as ks_request_run and of `perform`. */
enum kesher_status ks_files_run(struct kesher_files *files, struct ks_files_request *request,
                                enum kesher_status (*perform)(struct ks_client_session *session,
                                                              void *context, struct kesher_error *error),
                                void *context, struct kesher_error *error);

/* ---- for `perform` ---- */

/* Before an answer for which the server may have to read, or to sync, `size` bytes of its disk: it is waited
 * for as long as a slow disk takes. */
void ks_files_be_patient(struct ks_client_session *session, uint64_t size);

/* Sends a request whose payload is the name. Errors as ks_channel_send; the name was checked. */
enum kesher_status ks_files_send_name(struct ks_client_session *session, enum ks_request_code code,
                                      const char *name, struct kesher_error *error);

/* Takes the header of an answer. KESHER_OK, and it is the expected one: *payload_size bytes are still to
 * come. For a refusal (4999), which was taken, the status and the sentence of its reason, and
 * request->reason: KESHER_NOT_FOUND, KESHER_EXISTS, KESHER_INVALID, KESHER_MISMATCH, KESHER_FULL,
 * KESHER_REFUSED…; the channel goes on. Anything else is KESHER_PROTOCOL, and the channel is broken. Other
 * errors as ks_request_take_header. */
enum kesher_status ks_files_take_header(struct ks_client_session *session, struct ks_files_request *request,
                                        uint16_t expected, uint32_t *payload_size,
                                        struct kesher_error *error);

/* The same for an answer whose payload has exactly `size` bytes, which are taken, too. */
enum kesher_status ks_files_take_answer(struct ks_client_session *session, struct ks_files_request *request,
                                        uint16_t expected, void *payload, size_t size,
                                        struct kesher_error *error);

/* KESHER_PROTOCOL, and the channel is broken: "HOST sent <what>". */
enum kesher_status ks_files_fail_answer(struct ks_client_session *session, struct kesher_error *error,
                                        const char *what);

#endif
