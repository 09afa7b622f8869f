/* schema.h — the tables, and how a database of an older kesher becomes one of this kesher.
 *
 * Tables and columns are those of protocol.md §1.2, "Names and tables", with some of our own:
 *   clients.Registered  wall seconds, for users that never send a public key
 *   clients.AESKeyUsed  wall seconds of the last use of AESKey
 *   files.KeptName      what is kept of FileName; (ID, KeptName) is a file
 *   settings            the key of the public aliases
 * The rowid of clients ascends in the order of registration.
 */
#ifndef KS_STORE_SQLITE_SCHEMA_H
#define KS_STORE_SQLITE_SCHEMA_H

#include "crypto/alias.h"
#include "crypto/random.h"
#include "store/sqlite/database.h"

/* Creates or upgrades, step by step, each step in one transaction. KS_OK; KS_INVALID for a database of a
 * newer kesher or of another program; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. `why` then holds a sentence. */
enum ks_result ks_schema_upgrade(sqlite3 *database, char *why, size_t why_size);

/* Reads the key of the aliases, or makes and stores one. KS_OK; KS_CRYPTO, KS_INVALID when it has the wrong
 * size; KS_NO_SPACE, KS_IO, KS_NO_MEMORY. */
enum ks_result ks_schema_alias_key(sqlite3 *database, const struct ks_random *random,
                                   uint8_t key[static KS_ALIAS_KEY_SIZE]);

#endif
