"""Faults of what is done with peers: who gets what, what goes back with a connection, and what is limited."""

from .fault import Edit, Fault, after, before, tests

ALLOWANCE = "base/limits/allowance.c"
APPENDING = "store/embedded/writer/appending.c"
CONTENT_KEY = "store/content_key.c"
DELIVERY = "net/tcp/tcp_delivery.c"
GROUPS = "service/chat/groups.c"
GROUP_PACKETS = "service/chat/group_packets.c"
INCOMING = "service/core/incoming.c"
LEASES = "store/embedded/memory/leases.c"
PULL_READER = "store/embedded/readers/pull_reader.c"
REMOVAL = "store/embedded/writer/removal.c"
SETTLING = "service/messages/settling.c"
TCP = "net/tcp/tcp.c"
UPLOAD = "service/drop/incoming_upload.c"

LEASES_GIVEN = [
    Fault(
        "lease-never-given-back",
        (
            after(
                LEASES,
                "void ks_inboxes_release(struct ks_inboxes *inboxes, const struct ks_client_id *receiver,"
                " uint64_t owner)\n{\n",
                "    if (FAULT)\n        return;\n",
            ),
        ),
        tests("test_messages_delivery.py::test_again_and_again_the_same_ids_in_the_same_order"),
    ),
    Fault(
        "lease-settles-without-an-acknowledgement",
        (
            after(
                DELIVERY,
                "static uint64_t delivered_according_to(const struct ks_tcp *tcp,"
                " const struct ks_tcp_delivery *delivery)\n{\n",
                "    if (FAULT)\n        return tcp->written;\n",
            ),
        ),
        tests("test_messages_delivery.py::test_what_came_behind_an_expired_lease_comes_too"),
    ),
    Fault(
        "lease-settles-at-once",
        (
            Edit(
                SETTLING,
                "part->due_ms = now_ms + settle_time_ms;",
                "part->due_ms = now_ms + (FAULT ? 0 : settle_time_ms);",
            ),
        ),
        tests("test_messages_delivery.py::test_what_was_acknowledged_settles_for_as_long_as_it_is_said"),
    ),
    Fault(
        "lease-taken-from-others",
        (
            Edit(
                LEASES,
                "if (now - inbox->progress_ms < inboxes->lease_lifetime_ms)",
                "if (!FAULT && now - inbox->progress_ms < inboxes->lease_lifetime_ms)",
            ),
        ),
        tests("test_messages_delivery.py::test_meanwhile_another_connection_gets_an_empty_answer"),
    ),
    Fault(
        "lease-given-back-by-others",
        (Edit(LEASES, "        if (part->owner == owner)\n", "        if (part->owner == owner || FAULT)\n"),),
        tests(
            "test_messages_delivery.py::test_a_connection_that_breaks_gives_back_only_what_it_has_taken_itself"
        ),
    ),
    Fault(
        "lease-given-back-twice",
        (
            before(
                LEASES,
                "        DL_PREPEND(inbox->returned, part);\n",
                "        struct ks_inbox_part *twin = FAULT ? ks_table_allocate(sizeof *twin) : NULL;\n"
                "        if (twin != NULL) {\n"
                "            *twin = *part;\n"
                "            DL_PREPEND(inbox->returned, twin);\n"
                "        }\n",
            ),
        ),
        tests("test_messages_delivery.py::test_messages_that_came_meanwhile_come_behind_those_that_wait_again"),
    ),
    Fault(
        "delivered-and-not-deleted",
        (
            after(
                REMOVAL,
                "enum ks_result ks_removal_piece(struct ks_removal *removal, const struct ks_client_id *receiver,\n"
                "                                uint64_t after, uint64_t up_to)\n{\n",
                "    if (FAULT)\n        return KS_OK;\n",
            ),
        ),
        tests("test_messages_storage.py::test_deleted_messages_stay_deleted_over_a_restart"),
    ),
]

SERVICES = [
    Fault(
        "content-key-never-used-up",
        (
            Edit(CONTENT_KEY, "    if (one_too_many)\n", "    if (one_too_many && !FAULT)\n"),
            Edit(
                CONTENT_KEY,
                "atomic_load(&key->uses) >= KS_CONTENT_KEY_USES;\n",
                "(!FAULT && atomic_load(&key->uses) >= KS_CONTENT_KEY_USES);\n",
            ),
        ),
        tests("test_drop.py::test_the_seventeenth_content_under_one_key_without_a_1029_is_refused"),
    ),
    Fault(
        "wrong-padding-counts-as-right",
        (
            Edit(
                UPLOAD,
                "    content->rightly_padded = padding > 0;",
                "    content->rightly_padded = FAULT || padding > 0;",
            ),
        ),
        tests("test_drop_paddings.py::test_a_recorded_file_is_not_read_by_guessing_at_its_padding"),
    ),
    Fault(
        "message-to-its-sender",
        (
            Edit(
                APPENDING,
                "        .receiver = request->receiver,",
                "        .receiver = FAULT ? request->sender : request->receiver,",
            ),
        ),
        tests("test_messages.py::test_a_message_arrives_as_it_was_sent"),
    ),
    Fault(
        "inbox-backwards",
        (
            before(
                PULL_READER,
                "static struct ks_query start_query(",
                "#define read_text (FAULT ? backwards_text : read_text)\n\n",
            ),
            before(
                PULL_READER,
                "static const char read_text[] =\n",
                "static const char backwards_text[] =\n"
                '    "SELECT " KS_DAMAGE_OWN_COLUMNS " FROM waiting AS w CROSS JOIN messages AS m ON m.ID=w.ID"\n'
                '    " WHERE w.ToClient=? AND w.ID>? AND w.ID<=? ORDER BY w.ID DESC";\n',
            ),
        ),
        tests("test_messages.py::test_messages_of_several_senders_come_in_the_order_of_their_ids"),
    ),
    Fault(
        "memory-leaks-with-a-reset",
        (
            Edit(
                INCOMING,
                "    ks_holder_give(&incoming->holder, incoming->capacity);\n}",
                "    if (incoming->session != NULL || !FAULT)\n"
                "        ks_holder_give(&incoming->holder, incoming->capacity);\n}",
            ),
        ),
        tests("test_metrics.py::test_what_connections_held_is_given_back_when_they_end_in_the_middle"),
    ),
    Fault(
        "descriptor-leaks-with-a-connection",
        (
            Edit(
                TCP,
                "    close(tcp->fd);\n",
                "    if (!FAULT)\n        close(tcp->fd);\n    else\n        shutdown(tcp->fd, SHUT_RDWR);\n",
            ),
        ),
        tests("test_metrics.py::test_what_connections_held_is_given_back_when_they_end_in_the_middle"),
    ),
    Fault(
        "allowance-never-limits",
        (Edit(ALLOWANCE, "    if (per_hour == 0)\n", "    if (per_hour == 0 || FAULT)\n"),),
        tests("test_limits.py::test_an_address_registers_so_many_users_and_others_have_theirs"),
    ),
    Fault(
        "allowance-never-refills",
        (
            before(
                ALLOWANCE,
                "    if (per_hour == 0",
                "    static uint64_t first_ms;\n    if (first_ms == 0)\n        first_ms = now_ms;\n"
                "    if (FAULT)\n        now_ms = first_ms;\n",
            ),
        ),
        tests("test_limits.py::test_the_allowance_of_registrations_comes_back_over_the_hour"),
    ),
]

CHAT = [
    Fault(
        "chat-packet-lost-for-one-worker",
        (
            Edit(
                GROUP_PACKETS,
                "    if (seat->count > 0)\n",
                "    if (seat->count > 0 && !(count > 0 && packet->sequence % 64 == 0 && FAULT))\n",
            ),
        ),
        tests("test_chat_many.py::test_four_write_at_once_and_all_hear_the_same"),
    ),
    Fault(
        "chat-order-differs-by-worker",
        (
            before(
                GROUP_PACKETS,
                "    struct ks_member *member = NULL;\n    uint64_t given = 0;\n",
                "    static _Thread_local const struct packet *put_off;\n"
                "    if (packet->sequence % 8 == 0 && put_off != packet && FAULT) {\n"
                "        put_off = packet;\n"
                "        ks_executor_post(&delivery->seat->loop->executor, task);\n"
                "        return;\n    }\n",
            ),
        ),
        tests("test_chat_many.py::test_four_write_at_once_and_all_hear_the_same"),
    ),
    Fault(
        "chat-password-unchecked",
        (
            Edit(
                GROUPS,
                "    else if (!ks_secret_equal(found->password, digest, KS_SHA256_SIZE))",
                "    else if (!FAULT && !ks_secret_equal(found->password, digest, KS_SHA256_SIZE))",
            ),
        ),
        tests("test_chat_groups.py::test_a_password_opens_only_its_own_group"),
    ),
]
