"""Kills under messages as tests, with sanitizers: few always, many with KESHER_SLOW=1; and what only large answers
show."""

import hashlib
import os
import struct
import threading

import pytest
from peer.conversation import two_users, wait_until
from peer.memory import MemoryWatch, hold_back_little_freed_memory
from peer.messages import (
    SEND_FIXED,
    WAITING_FIXED,
    MessagesClient,
    Type,
    message_frame,
    parse_messages,
    pull_frame,
)

MIB = 1 << 20


def test_no_acknowledged_message_is_lost_by_kills(run_kills):
    run_kills("kill/messages", rounds=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_no_acknowledged_message_of_a_hundred_thousand_is_lost_by_kills(run_kills):
    assert run_kills("kill/messages", rounds=60)["answers"] >= 100_000


# -- many senders, one receiver

LABEL = struct.Struct("<II")  # sender, number


def send_numbered(server, new_user, receiver, number: int, count: int) -> list[int]:
    """The ids of that many pipelined messages of one new sender."""
    with server.connect(timeout=120) as client:
        sender = client.register_for_messages(new_user())
        frames = [
            message_frame(sender.id, receiver.id, Type.TEXT, LABEL.pack(number, step))
            for step in range(count)
        ]
        thread = threading.Thread(target=client.send_as_far_as_taken, args=(b"".join(frames),))
        thread.start()
        ids = [client.expect_stored(receiver.id) for _ in range(count)]
        thread.join()
    return ids


def run_fifty_senders(server, new_user, total: int) -> None:
    with server.connect(timeout=120) as client:
        receiver = client.register_for_messages(new_user())
        told: dict[int, list[int]] = {}

        def run(number: int) -> None:
            told[number] = send_numbered(server, new_user, receiver, number, total // 50)

        threads = [threading.Thread(target=run, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        messages = []
        while any(thread.is_alive() for thread in threads):
            messages += client.pull(receiver)
        messages += client.pull_until_empty(receiver)
    came: dict[int, list[int]] = {number: [] for number in range(50)}
    for message in messages:
        number, step = LABEL.unpack(message.content)
        assert step == len(came[number]), f"sender {number}"
        came[number].append(message.id)
    assert came == told
    assert [message.id for message in messages] == list(range(1, total + 1))


def test_five_thousand_messages_of_fifty_senders_come_complete_and_in_order(own_server, new_user):
    run_fifty_senders(own_server, new_user, 5000)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_hundred_thousand_messages_of_fifty_senders_come_complete_and_in_order(own_server, new_user):
    run_fifty_senders(own_server, new_user, 100_000)


# -- memory


def send_in_pieces(client: MessagesClient, sender, target: bytes, block: bytes, times: int) -> None:
    """Sends one message whose content is a block many times over."""
    size = len(block) * times
    client.send(
        message_frame(sender.id, target, Type.FILE, content_size=size, declared=SEND_FIXED.size + size)
    )
    for _ in range(times):
        client.send(block)
    client.expect_stored(target)


def digest_of(client: MessagesClient, size: int) -> str:
    """What the next bytes of an answer are, without keeping them."""
    digest = hashlib.sha256()
    while size > 0:
        piece = client.receive_exactly(min(size, MIB))
        digest.update(piece)
        size -= len(piece)
    return digest.hexdigest()


def digest_of_repeated(block: bytes, times: int) -> str:
    digest = hashlib.sha256()
    for _ in range(times):
        digest.update(block)
    return digest.hexdigest()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_sending_and_pulling_a_message_of_100_mib_takes_less_than_32_mib_of_memory(
    make_server, new_user, monkeypatch
):
    hold_back_little_freed_memory(monkeypatch)
    server, block = make_server(message_limit=200 * MIB), os.urandom(MIB)
    with server.connect(timeout=300) as client:
        sender, receiver, alias = two_users(client, new_user)
        send_in_pieces(client, sender, alias, block, 10)
        assert len(client.pull(receiver)) == 1  # what is taken once and kept is taken now
        with MemoryWatch(server) as watch:
            send_in_pieces(client, sender, alias, block, 100)
            client.send(pull_frame(receiver.id))
            assert client.receive_waiting_header() == WAITING_FIXED.size + 100 * MIB
            client.receive_exactly(WAITING_FIXED.size)
            assert digest_of(client, 100 * MIB) == digest_of_repeated(block, 100)
    assert watch.growth < 32 * MIB


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", [10_000, 200_000, 2 * MIB])
def test_pulling_100_mib_of_messages_slowly_takes_less_than_32_mib_of_memory(
    make_server, new_user, monkeypatch, size
):
    hold_back_little_freed_memory(monkeypatch)
    server, content = make_server(), os.urandom(size)
    count = 100 * MIB // size
    with server.connect(timeout=300) as client, server.connect(timeout=300, receive_buffer=65_536) as slow:
        sender, receiver, alias = two_users(client, new_user)
        for number in range(count):
            client.send_message(sender, alias, content)
        with MemoryWatch(server) as watch:
            slow.send(pull_frame(receiver.id))
            assert slow.receive_waiting_header() == count * (WAITING_FIXED.size + size)
            wait_until(lambda: server.unacknowledged_bytes(slow) > 0, "an answer that waits for its receiver")
            for _ in range(count):
                (message,) = parse_messages(slow.receive_exactly(WAITING_FIXED.size + size))
                assert message.content == content
        wait_until(lambda: server.waiting_ids(receiver.id) == [], "the deletion")
    assert watch.growth < 32 * MIB


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_receivers_that_do_not_read_take_less_than_a_mebibyte_of_memory_each(
    make_server, new_user, monkeypatch
):
    """Each has 10 MiB waiting: the server must not hold it for them."""
    hold_back_little_freed_memory(monkeypatch)
    server, content = make_server(), os.urandom(MIB)
    with server.connect(timeout=300) as client:
        sender = client.register_for_messages(new_user())
        receivers = [client.register_for_messages(new_user()) for _ in range(100)]
        for receiver in receivers:
            for _ in range(10):
                client.send_message(sender, receiver.id, content)
        with MemoryWatch(server) as watch:
            deaf = [server.connect(receive_buffer=4096) for _ in receivers]
            for connection, receiver in zip(deaf, receivers):
                connection.send(pull_frame(receiver.id))
                assert connection.receive_waiting_header() == 10 * (WAITING_FIXED.size + MIB)
            for connection in deaf:
                connection.reset()
    assert watch.growth < len(receivers) * MIB
