"""Limits of what is on its way: uploads, their memory, and how slowly anything may come."""

import os

import pytest
from peer.conversation import UNKNOWN_CODE, assert_served, taken, two_users, wait_until
from peer.crypto import cksum
from peer.drop import Received, User, file_frame, named_frame
from peer.fixtures import in_threads, run_module_server
from peer.frames import (
    DROP_ERROR,
    MESSAGES_ERROR,
    NO_ID,
    REQUEST_HEADER,
    Answer,
    ConnectionEnded,
    Request,
    request,
)
from peer.kesherd import Kesherd
from peer.memory import MemoryWatch, hold_back_little_freed_memory
from peer.messages import MessagesClient, Type, message_frame

MIB = 1 << 20
TRICKLE_SECONDS = 0.2


def introduce(server: Kesherd, new_user) -> tuple[MessagesClient, User]:
    client = server.connect()
    return client, client.introduce(new_user())


def assert_refused(client: MessagesClient, user: User, name: str, size: int = 1000) -> None:
    """An upload gets 2107, its content is skipped, and the connection is in step."""
    client.send(file_frame(user.id, name, user.encrypt(bytes(size))))
    assert client.receive() == DROP_ERROR
    assert_served(client, user)


def begin_upload(client: MessagesClient, user: User, name: str, size: int) -> bytes:
    """Sends all of an upload but its end, which is returned. The server has begun it by the time of the answer to
    the request before."""
    frame = file_frame(user.id, name, user.encrypt(bytes(size)))
    client.send(request(NO_ID, UNKNOWN_CODE) + frame[:-16])
    assert client.receive() == MESSAGES_ERROR
    return frame[-16:]


# -- how many uploads


def test_a_user_has_so_many_uploads_and_others_have_theirs(make_server, new_user):
    server = make_server(uploads_per_user=2)
    (client, user), (other_client, other) = (introduce(server, new_user) for _ in range(2))
    client.send_file(user, "a", b"one")
    client.send_file(user, "b", b"two")
    for size in (1, 70_000, 3 * MIB):
        assert_refused(client, user, "c", size)
    with server.connect() as second:
        assert_refused(second, user, "c")
    assert "an upload is refused: there are too many that wait" in server.log()
    other_client.put(other, "a", b"served all the same")
    client.confirm(user, "a")
    client.send_file(user, "c", b"three")
    assert_refused(client, user, "d")
    client.give_up(user, "b")
    client.send_file(user, "d", b"four")
    for name in ("c", "d"):
        client.confirm(user, name)
    assert [name for name, _, _ in server.file_rows(user.id)] == ["a", "c", "d"]


def test_uploads_that_are_arriving_count_until_they_break_off(make_server, new_user):
    server = make_server(uploads_per_user=2)
    client, user = introduce(server, new_user)
    arriving = [server.connect() for _ in range(2)]
    ends = [begin_upload(one, user, "arriving", 100_000) for one in arriving]
    assert_refused(client, user, "x")
    arriving[0].reset()
    wait_until(lambda: upload_is_taken(client, user), "room where an upload broke off")
    assert_refused(client, user, "y")
    arriving[1].send(ends[1])
    assert arriving[1].expect(Answer.FILE_RECEIVED)
    arriving[1].confirm(user, "arriving")
    client.send_file(user, "y", b"room where one was confirmed")


def upload_is_taken(client: MessagesClient, user: User) -> bool:
    client.send(file_frame(user.id, "x", user.encrypt(b"small")))
    return client.receive().code == Answer.FILE_RECEIVED


def test_a_file_that_is_sent_again_before_its_confirmation_counts_once(make_server, new_user):
    server = make_server(uploads_per_user=2)
    client, user = introduce(server, new_user)
    for number in range(10):
        client.send_file(user, "again", b"%d" % number)
    client.confirm(user, "again")
    assert server.stored(user.id, "again") == b"9"


def test_when_all_places_are_taken_whoever_has_most_makes_room(make_server, new_user):
    """Users who throw many files in and confirm none, from one address, and somebody with one file, from another."""
    server = make_server(uploads=6)
    greedy = [introduce(server, new_user) for _ in range(2)]
    with server.connect(source="127.0.0.77") as modest:
        user = modest.introduce(new_user())
        modest.send_file(user, "mine", b"one")
        for number in range(10):
            for client, other in greedy:
                client.send_file(other, f"{number}", b"many")
        sender, receiver, alias = two_users(modest, new_user)
        modest.send_message(sender, alias, b"messages are no uploads")
        assert len(modest.pull(receiver)) == 1
        modest.confirm(user, "mine")
    assert "whoever has most makes room" in server.log()
    client, other = greedy[0]
    client.expect_nothing_staged(other, "0")
    client.confirm(other, "9")


def test_uploads_of_nobody_take_no_place(make_server, new_user):
    server = make_server(uploads=1, uploads_per_user=1)
    client, user = introduce(server, new_user)
    for _ in range(20):
        client.send(file_frame(os.urandom(16), "x", bytes(160)))
        assert client.receive() == DROP_ERROR
    client.put(user, "x", b"mine")


# -- memory

HALVES = 100


def begin_as_far_as_taken(server: Kesherd, user: User, plain: bytes) -> tuple[MessagesClient, bytes]:
    """Sends as much of half of an upload, under a key of its own, as the server and the buffers on the way take at
    once; and the rest."""
    client = server.connect(timeout=90)
    client.reconnect(user)
    frame, sent = file_frame(user.id, "half", user.encrypt(plain)), 0
    client.socket.setblocking(False)
    try:
        while sent < len(frame) // 2:
            sent += client.socket.send(frame[sent : len(frame) // 2])
    except BlockingIOError:
        pass
    client.socket.settimeout(90)
    return client, frame[sent:]


def end_upload(client: MessagesClient, rest: bytes) -> int:
    """The sum that the server has for it."""
    with client:
        client.send(rest)
        return Received.parse(client.expect(Answer.FILE_RECEIVED).payload).cksum


def test_with_few_buffers_uploads_wait_and_all_go_through(make_server, new_user, monkeypatch):
    """A hundred half uploads would hold 25 MiB. They get one, and when the other halves come, all are complete."""
    hold_back_little_freed_memory(monkeypatch)
    server, plain = make_server(buffers=1, log_level="info"), os.urandom(MIB)
    client, user = introduce(server, new_user)
    client.put(user, "warm-up", plain)
    with MemoryWatch(server) as watch:
        halves = [begin_as_far_as_taken(server, user, plain) for _ in range(HALVES)]
        client.register(new_user())
        assert in_threads(lambda half: end_upload(*half), halves) == [cksum(plain)] * HALVES
    assert watch.growth < 64 * MIB, f"{watch.growth >> 20} MiB"  # half of it is the sanitizer's
    client.confirm(user, "half")
    assert server.stored(user.id, "half") == plain


def put_large(server: Kesherd, user: User, number: int, plain: bytes) -> Received:
    """An upload on a connection of its own, under the key that the user has."""
    with server.connect(timeout=90) as client:
        name = f"large {number}"
        client.send(file_frame(user.id, name, user.encrypt(plain)))
        received = Received.parse(client.expect(Answer.FILE_RECEIVED).payload)
        client.confirm(user, name)
    return received


def test_an_upload_that_waits_for_memory_is_not_too_slow(make_server, new_user):
    """Time does not run against a peer from which nothing is read."""
    server = make_server(buffers=1, payload_timeout=2, payload_rate=1_000_000)
    client, user = introduce(server, new_user)
    plain = os.urandom(8 * MIB)
    received = in_threads(lambda number: put_large(server, user, number, plain), range(6))
    assert [one.cksum for one in received] == [cksum(plain)] * 6


# -- time


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory):
    """A server whose time limits are as short as they get."""
    yield from run_module_server(tmp_path_factory, header_timeout=1, payload_timeout=1, uploads_per_user=1)


def trickle_until_end(client: MessagesClient, data: bytes) -> int:
    """Sends byte by byte, with pauses, until the server has closed; how many bytes it got."""
    for index in range(len(data)):
        if not client.is_silent_for(TRICKLE_SECONDS):
            assert client.has_ended()
            return index
        client.send_as_far_as_taken(data[index : index + 1])
    raise AssertionError("all of it was taken")


@pytest.mark.parametrize("there", [0, REQUEST_HEADER.size])
def test_a_request_that_trickles_is_cut_off_and_others_are_served(hasty_server, new_user, there):
    """Every byte is in time, all of them are not: the time runs from the first on."""
    with hasty_server.connect() as before, hasty_server.connect() as client:
        user = before.register(new_user())
        client.send(taken(user)[:there])
        assert trickle_until_end(client, taken(user)[there:]) < 200
        assert_served(before, user)
    with hasty_server.connect() as again:
        assert_served(again, user)


def test_an_upload_that_falls_silent_is_dropped_and_makes_room(hasty_server, new_user):
    with hasty_server.connect() as client, hasty_server.connect() as silent:
        user = client.introduce(new_user())
        begin_upload(silent, user, "silent", 100_000)
        assert_refused(client, user, "x")
        with pytest.raises(ConnectionEnded):
            silent.receive()
        wait_until(lambda: upload_is_taken(client, user), "room where an upload fell silent")
        client.confirm(user, "x")
        client.send(named_frame(user.id, Request.CRC_OK, "silent"))
        assert client.receive() == DROP_ERROR
    assert hasty_server.staged_paths() == []


def test_a_message_that_falls_silent_is_dropped(hasty_server, new_user):
    with hasty_server.connect() as client, hasty_server.connect() as silent:
        sender, receiver, alias = two_users(client, new_user)
        silent.send(message_frame(sender.id, alias, Type.TEXT, bytes(500_000))[:-1])
        with pytest.raises(ConnectionEnded):
            silent.receive()
        assert client.pull(receiver) == []
    wait_until(lambda: hasty_server.staged_paths() == [], "the end of the half message")


@pytest.mark.slow
@pytest.mark.parametrize("rate, stays", [(50, False), (1, True)])
def test_a_payload_must_come_at_the_least_rate(make_server, new_user, rate, stays):
    """Five bytes a second, for longer than it takes to look at them twice."""
    server = make_server(payload_rate=rate)
    client, user = introduce(server, new_user)
    frame = file_frame(user.id, "slow", user.encrypt(bytes(100_000)))
    with server.connect() as slow:
        slow.send(frame[:1000])
        ended = False
        for index in range(1000, 1250):
            ended = ended or not slow.is_silent_for(TRICKLE_SECONDS)
            slow.send_as_far_as_taken(frame[index : index + 1])
            client.put(user, "meanwhile", b"served all the same")
        assert ended != stays
        if stays:
            slow.send(frame[1250:])
            slow.expect(Answer.FILE_RECEIVED)
            slow.confirm(user, "slow")
    wait_until(lambda: server.staged_paths() == [], "the end of what came")
    assert ("a payload comes too slowly" in server.log()) != stays
