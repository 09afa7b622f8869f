"""Faults of what is kept: when it is answered, under which ids and names, and how it comes out of a crash."""

from .fault import Edit, Fault, PowerCuts, UnitTests, after, before, tests

CHANGES = "store/embedded/changes.c"
NEWCOMERS = "store/embedded/newcomers.c"
CONFIRM = "store/embedded/vault/confirm.c"
CONTENTS = "store/embedded/vault/contents.c"
DAMAGE = "store/embedded/readers/damage.c"
FILING = "store/embedded/writer/filing.c"
JOURNAL = "store/embedded/journal/journal.c"
JOURNAL_FILE = "store/embedded/journal/journal_file.c"
QUOTAS = "store/embedded/memory/quotas.c"
RECORD = "store/embedded/journal/journal_record.c"
RECOVERY = "store/embedded/journal/journal_recovery.c"
REGISTRATION = "service/users/registration.c"
SCHEMA = "store/embedded/database/schema.c"
STAGING = "store/embedded/vault/staging.c"
SWEEP = "store/embedded/vault/sweep.c"
WRITER = "store/embedded/writer/writer.c"


def answered_early(settle: str) -> Edit:
    """Settles, and with it answers, while the transaction is still open."""
    later = f"    ks_database_writer_settle_later(&engine->writer, task, {settle});"
    return Edit(CHANGES, later, f"    if (FAULT)\n        {settle}(task);\n    else\n    {later}")


ANSWERS = [
    Fault(
        "registration-answered-before-the-commit",
        (answered_early("settle_register"),),
        PowerCuts("registrations"),
    ),
    Fault("key-answered-before-the-commit", (answered_early("settle_set_keys"),), PowerCuts("registrations")),
    Fault(
        "upload-answered-before-the-commit",
        (
            Edit(
                CHANGES,
                "    ks_database_writer_settle_later(&engine->writer, task, settle_put_rows);",
                "    if (rows->first->message == NULL && FAULT)\n        settle_put_rows(task);\n    else\n"
                "        ks_database_writer_settle_later(&engine->writer, task, settle_put_rows);",
            ),
        ),
        PowerCuts("small-uploads"),
    ),
    Fault(
        "message-answered-before-the-commit",
        (
            Edit(
                WRITER,
                "    ks_database_writer_finish(writer);\n    struct ks_task *task = writer->first_to_settle;",
                "    bool is_late = FAULT;\n    if (!is_late)\n        ks_database_writer_finish(writer);\n"
                "    struct ks_task *task = writer->first_to_settle;",
            ),
            before(
                WRITER,
                "    ks_database_writer_forget_failure(writer);\n    writer->hooks.batch_over(",
                "    if (is_late)\n        ks_database_writer_finish(writer);\n",
            ),
        ),
        PowerCuts("large-messages"),
    ),
    Fault(
        "message-answered-before-the-journals-sync",
        (
            Edit(
                JOURNAL,
                "    enum ks_result result = write_durably(journal, segment->bytes + synced, size, offset);",
                "    enum ks_result result =\n"
                "        FAULT ? ks_file_write_all_at(journal->fd, segment->bytes + synced, size, offset)\n"
                "              : write_durably(journal, segment->bytes + synced, size, offset);",
            ),
            after(  # what the writer asks when the answers have left
                JOURNAL,
                "uint64_t ks_journal_pending(const struct ks_journal *journal)\n{\n",
                "    if (FAULT && journal->fd >= 0)\n        (void)sync_file(journal);\n",
            ),
        ),
        PowerCuts("small-messages"),
    ),
    Fault(  # the write's own sync makes the messages durable, and not the salt by which they are known
        "journals-new-head-not-synced",
        (Edit(JOURNAL, "    journal->has_new_head = true;", "    journal->has_new_head = !FAULT;"),),
        PowerCuts("quiet-moments"),
    ),
    Fault(
        "rename-before-the-sync",
        (
            Edit(
                CONFIRM,
                "    sync_data(vault, group, count);\n",
                "    bool is_late = FAULT;\n    if (!is_late)\n        sync_data(vault, group, count);\n",
            ),
            before(
                CONFIRM,
                "    if (group != NULL)\n        sync_directories(vault, group);",
                "    if (is_late)\n        sync_data(vault, group, count);\n",
            ),
        ),
        PowerCuts("replacements"),
    ),
]

IDS_AND_SALTS = [
    Fault(
        "ids-start-again",
        (
            Edit(
                FILING,
                "\"SELECT seq FROM sqlite_sequence WHERE name='messages'\"",
                "FAULT ? \"SELECT coalesce(max(ID), 0) FROM messages\""
                " : \"SELECT seq FROM sqlite_sequence WHERE name='messages'\"",
            ),
        ),
        tests("test_messages_storage.py::test_ids_are_not_used_again_after_everything_was_deleted"),
    ),
    Fault(
        "ids-of-the-journal-given-again",
        (
            Edit(
                FILING,
                "    const uint64_t last = filing->filed_in_transaction + KS_JOURNAL_RECORD_LIMIT;",
                "    const uint64_t last = filing->filed_in_transaction + (FAULT ? 0 : KS_JOURNAL_RECORD_LIMIT);",
            ),
        ),
        UnitTests("test_store_journal_crashes"),
    ),
    Fault(
        "journals-salt-stays",
        (
            Edit(JOURNAL, "    journal->salt++;", "    journal->salt += FAULT ? 0 : 1;"),
            before(
                JOURNAL,
                '    journal->fd = openat(options->directory_fd, "journal",',
                "    if (FAULT)\n        journal->salt = 1;\n",
            ),
        ),
        UnitTests("test_store_journal"),
    ),
    Fault(
        "journal-not-wiped",
        (
            after(
                JOURNAL_FILE,
                "enum ks_result ks_journal_file_wipe_segments(int fd)\n{\n",
                "    struct stat status;\n"
                "    if (FAULT && fstat(fd, &status) == 0 && status.st_size == FILE_SIZE)\n"
                "        return KS_OK;\n",
            ),
        ),
        redundant="what an older round has left has another salt",
    ),
    # Where the ring has come round, what it has tells of later fillings than those of a new round.
    Fault("journals-salt-stays+journal-not-wiped", (), PowerCuts("journal-segments", after_all=True)),
    Fault(
        "alias-key-changes",
        (
            Edit(
                SCHEMA,
                "    if (result != KS_NOT_FOUND)\n        return result;\n    result = ks_random_fill(",
                "    if (FAULT)\n        return ks_random_fill(random, key, KS_ALIAS_KEY_SIZE);\n"
                "    if (result != KS_NOT_FOUND)\n        return result;\n    result = ks_random_fill(",
            ),
        ),
        tests("test_identity.py::test_an_alias_is_stable_over_a_restart"),
    ),
    Fault(
        "alias-key-is-the-same-everywhere",
        (
            Edit(
                SCHEMA,
                "    return result == KS_OK ? write_alias_key(database, key) : result;",
                "    if (FAULT)\n        memset(key, 0, KS_ALIAS_KEY_SIZE);\n"
                "    return result == KS_OK ? write_alias_key(database, key) : result;",
            ),
        ),
        tests("test_identity.py::test_each_server_has_aliases_of_its_own"),
    ),
    Fault(
        "content-key-stays",
        (
            after(
                REGISTRATION,
                "    issue->work_result = ks_random_fill(environment->random, key, sizeof key);\n",
                "    if (FAULT)\n        memset(key, 7, sizeof key);\n",
            ),
        ),
        tests("test_identity.py::test_a_reconnect_is_answered_with_the_id_and_a_fresh_aes_key"),
    ),
    Fault(
        "client-ids-are-counted",
        (
            after(
                NEWCOMERS,
                "    enum ks_result result = ks_random_fill(random, id->bytes, sizeof id->bytes);\n",
                "    static uint8_t last_id;\n    if (FAULT)\n"
                "        memset(id->bytes, ++last_id, sizeof id->bytes);\n",
            ),
        ),
        tests("test_identity.py::test_ids_differ_and_show_no_pattern"),
    ),
    Fault(
        "numbers-of-message-files-stay",
        (
            after(
                STAGING,
                "    enum ks_result result = ks_random_fill(vault->options.random, number, sizeof number);\n",
                "    if (FAULT)\n        memset(number, 0, sizeof number);\n",
            ),
        ),
        PowerCuts("large-messages"),
    ),
]

JOURNAL_READING = [
    Fault(
        "journal-replayed-twice",
        (
            Edit(
                RECOVERY,
                "    return ks_journal_record_id(walk->bytes + at) > walk->in_database;",
                "    return FAULT || ks_journal_record_id(walk->bytes + at) > walk->in_database;",
            ),
        ),
        PowerCuts("small-messages"),
    ),
    Fault(
        "journals-checksum-unchecked",
        (
            Edit(
                RECORD,
                "        ks_load_u32(bytes + OFFSET_CRC) != checksum(bytes, size))",
                "        (!FAULT && ks_load_u32(bytes + OFFSET_CRC) != checksum(bytes, size)))",
            ),
        ),
        PowerCuts("small-messages"),
    ),
    Fault(
        "journals-filling-unchecked",
        (
            Edit(
                RECOVERY,
                "batch_at(walk, at) / KS_JOURNAL_SEGMENT_SIZE == walk->filling &&",
                "(FAULT || batch_at(walk, at) / KS_JOURNAL_SEGMENT_SIZE == walk->filling) &&",
            ),
        ),
        UnitTests("test_store_journal"),
    ),
]

KEPT = [
    Fault(
        "sum-of-a-row-unchecked",
        (
            Edit(
                DAMAGE,
                "    if (row->has_sum && row->sum != sum_of(row))",
                "    if (row->has_sum && !FAULT && row->sum != sum_of(row))",
            ),
        ),
        tests("test_check.py::test_a_damaged_message_does_not_stop_those_behind_it"),
    ),
    Fault(
        "sum-of-a-large-message-unchecked",
        (
            Edit(
                CONTENTS,
                "    if (result == KS_OK && ks_load_u32(sum) != ks_crc32(bytes, size))",
                "    if (result == KS_OK && !FAULT && ks_load_u32(sum) != ks_crc32(bytes, size))",
            ),
        ),
        tests("test_check.py::test_damage_in_the_middle_of_a_large_message_ends_the_connection_once"),
    ),
    Fault(
        "staging-not-swept",
        (
            after(
                SWEEP,
                "enum ks_result ks_sweep_clear_staging(int directory_fd, int64_t oldest)\n{\n",
                "    if (FAULT)\n        return KS_OK;\n",
            ),
        ),
        tests("test_drop_storage.py::test_staging_is_emptied_at_start"),
    ),
    Fault(
        "removed-users-files-stay",
        (
            after(
                SWEEP,
                "                                    const struct ks_client_id *id, size_t limit)\n{\n",
                "    if (FAULT)\n        return KS_OK;\n",
            ),
        ),
        tests("test_operator.py::test_a_removed_user_is_gone_with_all_that_was_kept"),
    ),
    Fault(
        "quota-not-given-back-on-replacement",
        (
            Edit(
                QUOTAS,
                "less(quota->bytes, change->before) + change->after);",
                "less(quota->bytes, FAULT ? 0 : change->before) + change->after);",
            ),
        ),
        tests("test_quota.py::test_bytes_come_back_with_a_smaller_file_of_that_name"),
    ),
]
