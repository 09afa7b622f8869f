/* damage.h — waiting messages that are damaged: found, put aside into damaged/
 * (store/embedded/disk/damaged.h), and gone from their receiver's inbox, so that what follows is delivered.
 * Nothing is deleted: what of a message can be read lies in damaged/, with a note that says whose it is; and
 * a row that SQLite cannot read stays where it is, but is not listed for its receiver any more.
 *
 * The pull thread finds out when a part cannot be read: it looks for the first message of it that is damaged,
 * puts its content aside, and has the writer remove the rows, in a transaction of their own, between batches:
 * where SQLite refuses that, nobody else's request fails with it. The asker is answered when all is done.
 *
 * Damaged is: a row that is missing, that SQLite calls corrupt, of another size than was counted, or with
 * another sum, when it is read once more by a new connection; and a file of which ks_contents_read says so.
 * What cannot be read (no memory, no descriptor, a disk that says EIO) may be the next time, for the bytes
 * may be there: it is left alone, and waits.
 */
#ifndef KS_STORE_EMBEDDED_READERS_DAMAGE_H
#define KS_STORE_EMBEDDED_READERS_DAMAGE_H

#include "crypto/alias.h"
#include "store/embedded/memory/inboxes.h"
#include "store/embedded/memory/users.h"
#include "store/embedded/readers/database_reader.h"
#include "store/embedded/writer/writer.h"
#include "store/store.h"

struct ks_damage {
    /* Set before anything else is called; all of it outlives the damage. */
    struct ks_database_writer *writer;
    struct ks_database_reader *reader; /* the pull reader's */
    struct ks_users *users;
    struct ks_inboxes *inboxes;
    const struct ks_alias_key *aliases;
    const struct ks_clock *clock;
    const struct ks_log *log;
    int directory_fd; /* the data directory */

    _Atomic uint64_t count; /* messages that were put aside since the start */
    _Atomic bool stopped;   /* the writer is about to stop: nothing is posted to it */
};

/* What a message's row says, while the statement stands on it. */
struct ks_damage_row {
    uint64_t message_id;
    struct ks_client_id receiver;
    struct ks_client_id sender;
    uint8_t type;
    uint32_t content_size;
    const char *place;   /* NULL: `content` is here */
    const void *content; /* content_bytes of it */
    size_t content_bytes;
    bool has_sum;
    uint32_t sum;
};

/* The columns that ks_damage_read_row wants, from `m`, in this order, as the first ones. */
#define KS_DAMAGE_COLUMNS     KS_DAMAGE_OWN_COLUMNS ", m.ToClient"
#define KS_DAMAGE_OWN_COLUMNS "m.ID, m.FromClient, m.Type, m.ContentSize, m.Place, m.Content, m.Sum"

/* Reads and judges a row; what lies in a file is not looked at. NULL when it is sound, else what is wrong.
 * With `receiver`, KS_DAMAGE_OWN_COLUMNS are enough: the sum tells whether it is that one's. */
const char *ks_damage_read_row(sqlite3_stmt *statement, const struct ks_client_id *receiver,
                               struct ks_damage_row *row);

/* A message that is damaged, and what of it can be told. */
struct ks_damage_finding {
    struct ks_damage_row row; /* the receiver and the id are always known */
    bool has_row;
    uint64_t counted_size; /* of the content, in the receiver's sums */
    const char *why;
};

enum { KS_DAMAGE_WHO_SIZE = 640 };

/* For people: the user's name, escaped, if it is still there, and its public id. Writes and returns `who`.
 * Any thread. */
const char *ks_damage_describe_user(const struct ks_damage *damage, const struct ks_client_id *id,
                                    char who[static KS_DAMAGE_WHO_SIZE]);

/* Judges the row that the statement stands on, and what lies in its file. finding->row has the receiver, and
 * counted_size is set. `scratch` has KS_SUMS_PIECE bytes. KS_OK; KS_INVALID with the finding, which points
 * into the row; KS_NO_MEMORY, KS_IO: nobody knows. The thread that has the statement. */
enum ks_result ks_damage_judge(const struct ks_damage *damage, sqlite3_stmt *statement, uint8_t *scratch,
                               struct ks_damage_finding *finding);

/* Puts a message aside, and waits until its rows are gone. KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO. Neither
 * the writer's thread nor the pull thread; before the writer stops. */
enum ks_result ks_damage_take_out(struct ks_damage *damage, const struct ks_damage_finding *finding);

/* The pull thread: the part of `request` could not be read, behind the cursor. Finds what is damaged, and
 * answers: KS_IO; when a message was put aside, and nothing of this part was given yet, KS_NOT_FOUND: its
 * lease is over, and a new one leads past that message. `scratch` as above. */
void ks_damage_look(struct ks_damage *damage, struct ks_store_lease_read *request, uint8_t *scratch);

/* The opener's thread, with the writer's connection, before there are inboxes: puts a message of a sound row
 * aside, for its content in a file is not what it should be. KS_OK; KS_NO_SPACE, KS_NO_MEMORY, KS_IO. */
enum ks_result ks_damage_put_aside(struct ks_damage *damage, const struct ks_damage_row *row,
                                   const char *why);

/* Before the writer stops: when it returns, what was put aside so far is with the writer, and nothing more
 * will come. Threads that were not started are fine. */
void ks_damage_stop(struct ks_damage *damage);

#endif
