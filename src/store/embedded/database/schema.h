/* schema.h — the tables, and how a database of an older kesher becomes one of this kesher.
 *
 * Tables and columns are those of protocol.md §1.2, "Names and tables", with some of our own:
 *   clients.Registered  wall seconds
 *   clients.AESKeyUsed  when AESKey was used last and, before there is a public key, when the user
 *                       registered: in the data directory's own time (age.h)
 *   clients.KeyReset    wall seconds when an operator took the public key away, while there is none again
 *   clients.Skeleton    what makes names alike (store/store_accounts.h)
 *   accounts            users that sign in: their keys, their classic ids, if they have one, and their
 *                       skeletons: so who asks for one of an account never meets the many that others may
 *                       have alike
 *   invitations         that are open: the uses that are left, wall seconds when they end (0: never)
 *   retired             accounts that were removed: nobody else gets their names and ids
 *   files.KeptName      what is kept of FileName; (ID, KeptName) is a file
 *   files.Size          bytes
 *   files.Cksum         the cksum that its 2103 told; NULL for files of an older kesher, and adopted ones
 *   files.SHA256        computed afterwards (readers/digests.h); NULL before; empty when it cannot be, for
 * the file is damaged or gone. files_without_sha256 is the index of those that have none files.Written with
 * either: nanoseconds, when the file was last written (st_mtim). A file that was written at another time is
 * another one, of which no row could be had: the next start forgets both. What the disk does to a file does
 * not change it removals            users that an operator has removed and of whom something may be left in
 * files/: it is nobody's, and is not adopted settings            the key of the public aliases; whether all
 * files lie under aliases (relocation.h); the data directory's own time (age.h) messages.Sum        CRC-32 of
 * the row and its Content (sums.h); NULL for those of older kesher messages            what waits: Content
 * or, for a large one, Place: its path in the data directory waiting             messages by receiver
 * (message_rows.h) The rowid of clients ascends in the order of registration, the ID of messages in that of
 * the commits.
 *
 * Content is the last column of messages, so that reading the others touches none of its pages. What is asked
 * of all messages of a receiver (sums, a run that fits a limit) stands in waiting alone.
 */
#ifndef KS_STORE_EMBEDDED_DATABASE_SCHEMA_H
#define KS_STORE_EMBEDDED_DATABASE_SCHEMA_H

#include "crypto/alias.h"
#include "crypto/random.h"
#include "store/embedded/database/database.h"
#include "store/store_accounts.h"

/* The skeleton of a name (embedded.h). */
typedef enum ks_result (*ks_schema_skeleton)(const char *name, size_t size, char skeleton[KS_SKELETON_SIZE]);

/* Creates or upgrades, step by step, each step in one transaction; `skeleton` is for the users of databases
 * that have none (NULL: their names in lower case). KS_OK; KS_INVALID for a database of a newer kesher or of
 * another program; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. `why` then holds a sentence. */
enum ks_result ks_schema_upgrade(sqlite3 *database, ks_schema_skeleton skeleton, char *why, size_t why_size);

/* Reads the key of the aliases, or makes and stores one. KS_OK; KS_CRYPTO, KS_INVALID when it has the wrong
 * size; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
enum ks_result ks_schema_alias_key(sqlite3 *database, const struct ks_random *random,
                                   uint8_t key[static KS_ALIAS_KEY_SIZE]);

#endif
