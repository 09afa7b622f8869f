"""What one user may store, and what stays free on the disk: on the wire, at a reload, when there is room again."""

import os
import re

import pytest
from peer.conversation import two_users
from peer.drop import User, file_frame, named_frame
from peer.frames import DROP_ERROR, MESSAGES_ERROR, Request
from peer.kesherd import Kesherd
from peer.messages import SPOOL_THRESHOLD, MessagesClient, Type, message_frame
from peer.operators import Operator

MIB = 1024 * 1024
BLOCK = 16


def refuses_message(client: MessagesClient, sender: User, target: bytes, content: bytes) -> bool:
    """Whether the answer is 9000; the connection is in step in any case."""
    client.send(message_frame(sender.id, target, Type.TEXT, content))
    return client.receive() == MESSAGES_ERROR


def refuses_file(client: MessagesClient, user: User, name: str, plain: bytes) -> bool:
    """Whether the answer is 2107, though the content was sent; what is accepted is given up again."""
    client.send(file_frame(user.id, name, user.encrypt(plain)))
    if client.receive() == DROP_ERROR:
        return True
    client.give_up(user, name)
    return False


def refuses_confirmation(client: MessagesClient, user: User, name: str) -> bool:
    client.send(named_frame(user.id, Request.CRC_OK, name))
    return client.receive() == DROP_ERROR


def contents(messages) -> list[bytes]:
    return [message.content for message in messages]


def content(size: int) -> bytes:
    return os.urandom(size)


# -- what waits for a receiver


def test_a_message_too_many_gets_9000_until_the_receiver_has_taken_some(make_server, new_user):
    server = make_server(waiting_messages=5)  # of which one sender fills half
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        for number in range(3):
            client.send_message(sender, target, b"%d" % number)
        assert refuses_message(client, sender, target, b"3")
        assert len(server.waiting_ids(receiver.id)) == 3
        client.send_message(receiver, client.alias_of(sender, asking=receiver), b"the way back")
        assert contents(client.pull(receiver)) == [b"0", b"1", b"2"]
        client.send_message(sender, target, b"4")
        assert contents(client.pull(receiver)) == [b"4"]


@pytest.mark.parametrize(
    "limit, value, stored, why",
    [
        ("waiting_messages", 1, 1, r" \(waiting-messages\)"),
        ("waiting_messages", 3, 2, r", the sender's share is full \(waiting-messages\)"),
    ],
)
def test_the_log_tells_who_was_refused_a_message_to_whom_and_at_which_limit(
    make_server, new_user, limit, value, stored, why
):
    server = make_server(**{limit: value})
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        for _ in range(stored):
            client.send_message(sender, target, b"stored")
        assert refuses_message(client, sender, target, b"refused")
    who = rf'127\.0\.0\.1:\d+: "{sender.name}" to "{receiver.name}"'
    assert re.search(rf"{who}: cannot take a message: [a-z ]+{why}\n", server.log())


def test_of_pipelined_messages_exactly_those_that_fit_are_stored(make_server, new_user):
    server = make_server(waiting_messages=40)  # likewise
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        texts = [b"%d" % number for number in range(100)]
        client.send(b"".join(message_frame(sender.id, target, Type.TEXT, text) for text in texts))
        answers = [client.receive() for _ in texts]
        assert [answer == MESSAGES_ERROR for answer in answers] == [False] * 20 + [True] * 80
        assert contents(client.pull_until_empty(receiver)) == texts[:20]


@pytest.mark.parametrize("size", [SPOOL_THRESHOLD // 2, SPOOL_THRESHOLD + 1], ids=["in memory", "on disk"])
def test_bytes_too_many_get_9000_and_leave_nothing(make_server, new_user, size):
    server = make_server(waiting_bytes=1)
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        first = content(MIB - size + 1)
        client.send_message(sender, target, first)
        assert refuses_message(client, sender, target, content(size))
        assert len(server.waiting_ids(receiver.id)) == 1
        assert server.staged_paths() == []
        assert len(list((server.data / "messages").iterdir())) == 1
        last = content(size - 1)
        client.send_message(client.register(new_user()), target, last)
        assert contents(client.pull_until_empty(receiver)) == [first, last]


def test_what_waits_counts_after_a_restart_and_a_reload_raises_the_limit(make_server, new_user):
    server = make_server(waiting_messages=1)
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        client.send_message(sender, target, b"one")
    server.restart()
    with server.connect() as client:
        assert refuses_message(client, sender, target, b"two")
        server.reload(waiting_messages=3)
        client.send_message(sender, target, b"two")
        assert refuses_message(client, sender, target, b"three")
        server.reload(waiting_messages=0)
        client.send_message(sender, target, b"three")
        assert contents(client.pull(receiver)) == [b"one", b"two", b"three"]


def test_a_flood_leaves_half_of_an_inbox_to_others(make_server, new_user):
    server = make_server(waiting_messages=1000)
    with server.connect() as client, server.connect() as other:
        flooder, receiver, target = two_users(client, new_user)
        friend = other.register(new_user())
        frame = message_frame(flooder.id, target, Type.TEXT, b"flood")
        for _ in range(12):
            client.send(frame * 100)
            answers = [client.receive() for _ in range(100)]
        assert answers == [MESSAGES_ERROR] * 100
        assert len(server.waiting_ids(receiver.id)) == 500
        for number in range(250):
            other.send_message(friend, target, b"%d" % number)
        assert refuses_message(other, friend, target, b"now as many as there is room for others")
        other.send_message(other.register(new_user()), target, b"a first message")
        server.restart_after_kill()
    with server.connect() as client:
        assert refuses_message(client, flooder, target, b"flood")
        texts = contents(client.pull_until_empty(receiver))
        assert texts[500:] == [b"%d" % number for number in range(250)] + [b"a first message"]
        client.send_message(flooder, target, b"welcome again")


# -- what a user keeps


def test_a_file_too_many_gets_2107_and_others_have_their_own(make_server, new_user):
    server = make_server(user_files=2)
    with server.connect() as client:
        user, other = client.introduce(new_user()), client.introduce(new_user())
        client.put(user, "a", b"one")
        client.put(user, "b", b"two")
        assert refuses_file(client, user, "c", content(100_000))
        client.put(user, "folder/b", b"a third under the second's name")
        client.put(other, "c", b"another's")
        assert [row[0] for row in server.file_rows(user.id)] == ["a", "folder/b"]
        assert server.staged_paths() == []


def test_a_file_of_exactly_the_last_bytes_fits_and_one_more_does_not(make_server, new_user):
    server = make_server(user_bytes=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "half", content(MIB // 2))
        assert refuses_file(client, user, "rest", content(MIB // 2 + BLOCK))
        rest = content(MIB // 2)
        client.put(user, "rest", rest)
        assert refuses_file(client, user, "empty but for a block", content(BLOCK))
        assert server.stored(user.id, "rest") == rest


def test_bytes_come_back_with_a_smaller_file_of_that_name(make_server, new_user):
    server = make_server(user_bytes=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "a", content(MIB))
        assert refuses_file(client, user, "b", content(1000))
        client.put(user, "a", content(MIB - 1000))
        client.put(user, "b", content(1000))


def test_a_confirmation_over_the_limit_gets_2107_and_the_older_file_stays(make_server, new_user):
    server = make_server(user_bytes=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        older = content(1000)
        client.put(user, "a", older)
        client.send_file(user, "a", content(MIB * 3 // 4))
        client.send_file(user, "b", content(MIB * 3 // 4))
        client.confirm(user, "b")
        assert refuses_confirmation(client, user, "a")
        assert server.stored(user.id, "a") == older
        assert server.staged_paths() == []
        assert len(server.stored_paths()) == 2
        newer = content(MIB // 4)
        client.put(user, "a", newer)
        assert server.stored(user.id, "a") == newer


def test_of_pipelined_confirmations_exactly_those_that_fit_are_kept(make_server, new_user):
    server = make_server(user_files=5)
    names = [f"file {number}" for number in range(12)]
    with server.connect() as client:
        user = client.introduce(new_user())
        for name in names:
            client.send_file(user, name, name.encode())
        client.send(b"".join(named_frame(user.id, Request.CRC_OK, name) for name in names))
        refused = [client.receive() == DROP_ERROR for _ in names]
        assert refused == [False] * 5 + [True] * 7
        assert sorted(row[0] for row in server.file_rows(user.id)) == names[:5]
        assert server.staged_paths() == []


def test_files_count_after_a_restart_and_a_reload_raises_the_limit(make_server, new_user):
    server = make_server(user_files=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "a", b"one")
    server.restart()
    with server.connect() as client:
        client.reconnect(user)
        assert refuses_file(client, user, "b", b"two")
        server.reload(user_files=2)
        client.put(user, "b", b"two")
        assert refuses_file(client, user, "c", b"three")


def test_files_that_the_operator_deletes_make_room_at_the_next_start(make_server, new_user):
    server = make_server(user_files=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "a", b"one")
    server.stop()
    (path,) = server.stored_paths()
    path.unlink()
    server.start()
    with server.connect() as client:
        client.reconnect(user)
        client.put(user, "b", b"two")
        assert refuses_file(client, user, "c", b"three")


def test_whom_the_operator_removes_leaves_room_to_who_comes_under_that_name(make_server, new_user):
    server = make_server(user_files=1, waiting_messages=1)
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        client.reconnect(receiver)
        client.put(receiver, "a", b"one")
        client.send_message(sender, target, b"one")
    Operator(server.data).succeed("user", "remove", "--yes", receiver.name)
    with server.connect() as client:
        client.introduce(receiver)
        target = client.alias_of(receiver, asking=sender)
        client.put(receiver, "b", b"two")
        client.send_message(sender, target, b"two")
        assert refuses_file(client, receiver, "c", b"three")
        assert refuses_message(client, sender, target, b"three")
        assert [row[0] for row in server.file_rows(receiver.id)] == ["b"]


# -- what stays free


def test_without_room_uploads_and_messages_are_refused_and_what_is_there_is_served(make_server, new_user):
    server: Kesherd = make_server(free_space=0)
    with server.connect() as client:
        sender, receiver, target = two_users(client, new_user)
        client.reconnect(sender)
        client.send_message(sender, target, b"before")
        client.send_file(sender, "staged", b"before")
        server.reload(free_space=1 << 30)
        for _ in range(3):
            assert refuses_file(client, sender, "late", content(1000))
            assert refuses_message(client, sender, target, b"small")
            assert refuses_message(client, sender, target, content(SPOOL_THRESHOLD + 1))
        client.confirm(sender, "staged")
        assert server.stored(sender.id, "staged") == b"before"
        assert contents(client.pull(receiver)) == [b"before"]
        server.reload(free_space=0)
        client.put(sender, "late", b"after")
        client.send_message(sender, target, b"after")
        assert contents(client.pull(receiver)) == [b"after"]
    assert server.log().count("are to stay free: uploads and messages are refused") == 1
    assert server.log().count("has room again") == 1
