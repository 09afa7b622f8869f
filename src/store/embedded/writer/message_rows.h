/* message_rows.h — messages as rows, inside a transaction that its caller ends: a row of `messages`, and one
 * of `waiting`, by which its receiver finds it. One without the other is never committed. The thread of the
 * transaction.
 */
#ifndef KS_STORE_EMBEDDED_WRITER_MESSAGE_ROWS_H
#define KS_STORE_EMBEDDED_WRITER_MESSAGE_ROWS_H

#include "store/embedded/journal/journal_record.h"
#include "store/embedded/writer/writer.h"

/* The rows of `messages` of at most KS_INSERTED_TOGETHER records, with ids above all that were inserted
 * before: so `sqlite_sequence`, which changes in the same transaction, tells up to where they are. KS_OK;
 * else the transaction has failed. */
enum ks_result ks_message_rows_insert(struct ks_database_writer *writer,
                                      const struct ks_journal_record *records, size_t count);

/* The rows of `waiting` of what was inserted with ids above `after` and up to `last`: by receiver, so each
 * page of the table is looked for once. KS_OK; else the transaction has failed. */
enum ks_result ks_message_rows_index(struct ks_database_writer *writer, uint64_t after, uint64_t last);

#endif
