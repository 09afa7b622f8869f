"""Those who hold the server's memory and make little use of it: everybody else is served all the same."""

import os
import threading
from contextlib import contextmanager

import pytest
from peer.conversation import wait_until
from peer.drop import User, file_frame
from peer.frames import REQUEST_HEADER
from peer.kesherd import Kesherd
from peer.memory import MemoryWatch, hold_back_little_freed_memory
from peer.messages import SEND_FIXED, MessagesClient, Type, message_frame, pull_frame

MIB = 1 << 20
HOLDERS = 60
DECLARED = 256 * 1024  # the largest message that is taken into memory
MESSAGE_HEAD = REQUEST_HEADER.size + SEND_FIXED.size
TRICKLE_SECONDS = 0.2
CUT = "others wait for memory"


class Holders:
    """Connections that begin something, send a byte of it now and then, and never end it."""

    def __init__(self):
        self._connections: list[tuple[MessagesClient, bytes]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._trickle)

    def begin(self, server: Kesherd, frame: bytes, at_once: int, source: str | None = None) -> None:
        client = server.connect(source=source)
        client.socket.setblocking(False)
        try:
            sent = client.socket.send(frame[:at_once])
        except BlockingIOError:
            sent = 0
        self._connections.append((client, frame[sent:]))

    def _trickle(self) -> None:
        place = 0
        while not self._stop.wait(TRICKLE_SECONDS):
            for client, rest in self._connections:
                client.send_as_far_as_taken(rest[place : place + 1])
            place += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        for client, _ in self._connections:
            client.reset()


@contextmanager
def holding(server: Kesherd, frames: list[bytes], at_once: int, sources: list[str | None]):
    with Holders() as holders:
        for frame, source in zip(frames, sources, strict=True):
            holders.begin(server, frame, at_once, source)
        yield holders


class Others:
    """Two honest users on a connection of their own, who do everything that the port offers."""

    def __init__(self, server: Kesherd, new_user):
        self.client = server.connect(timeout=90)
        self.sender, self.receiver = (self.client.introduce(new_user()) for _ in range(2))
        self.alias = self.client.alias_of(self.receiver, asking=self.sender)

    def assert_served(self) -> None:
        client, small, large = self.client, b"to you", os.urandom(100_000)
        assert (self.alias, self.receiver.name) in client.list_users(self.sender)
        client.key_of(self.sender, self.alias)
        for content in (small, large):
            client.send_message(self.sender, self.alias, content)
        assert [message.content for message in client.pull_until_empty(self.receiver)] == [small, large]
        client.reconnect(self.sender)
        client.put(self.sender, "file", os.urandom(300_000))


def unanswered(users: list[User], target: bytes, size: int = DECLARED) -> list[bytes]:
    return [message_frame(user.id, target, Type.TEXT, bytes(size)) for user in users]


@pytest.fixture
def tight_server(make_server, monkeypatch):
    """One with next to no buffers, and no exceptions for anybody's address."""
    hold_back_little_freed_memory(monkeypatch)
    return make_server(
        buffers=1,
        unlimited_networks="none",
        registrations_per_hour=0,
        keys_per_hour=0,
        log_level="info",
    )


def addresses(count: int) -> list[str]:
    return [f"127.21.0.{number + 1}" for number in range(count)]


def register_all(server: Kesherd, new_user, count: int) -> list[User]:
    with server.connect() as client:
        return [client.register_for_messages(new_user()) for _ in range(count)]


def test_messages_that_are_declared_and_do_not_come_take_no_memory(tight_server, new_user):
    """Each says how large it will be, and sends 600 bytes of it: one user, and one address, with 15 MiB in all."""
    others = Others(tight_server, new_user)
    (attacker,) = register_all(tight_server, new_user, 1)
    frames = unanswered([attacker] * HOLDERS, others.alias)
    with holding(tight_server, frames, MESSAGE_HEAD + 600, ["127.9.9.9"] * HOLDERS):
        others.assert_served()


@pytest.mark.parametrize("sources", [addresses(HOLDERS), ["127.9.9.9"] * HOLDERS])
def test_one_user_holds_its_share_and_no_more(tight_server, new_user, sources):
    """All but the end of messages and files, of one user from many addresses and from one."""
    others = Others(tight_server, new_user)
    with tight_server.connect() as client:
        attacker = client.introduce(new_user())
    frames = unanswered([attacker] * (HOLDERS // 2), others.alias)
    frames += [file_frame(attacker.id, f"file {n}", bytes(DECLARED)) for n in range(HOLDERS // 2)]
    with holding(tight_server, frames, DECLARED - 1000, sources):
        others.assert_served()
    assert CUT not in tight_server.log()


def test_one_address_holds_its_share_and_no_more(tight_server, new_user):
    others = Others(tight_server, new_user)
    users = register_all(tight_server, new_user, HOLDERS)
    frames = unanswered(users, others.alias)
    with holding(tight_server, frames, MESSAGE_HEAD + 20_000, ["127.9.9.9"] * HOLDERS):
        others.assert_served()


def test_where_all_shares_are_too_much_the_slowest_are_refused(tight_server, new_user):
    """Many users from many addresses, each within its share. Who waits for them is not told that it is too slow,
    and the server holds what it may."""
    others = Others(tight_server, new_user)
    others.assert_served()
    users = register_all(tight_server, new_user, HOLDERS)
    frames = unanswered(users, others.alias)
    with (
        MemoryWatch(tight_server) as watch,
        holding(tight_server, frames, MESSAGE_HEAD + 20_000, addresses(HOLDERS)),
    ):
        others.assert_served()
    assert watch.growth < 48 * MIB, f"{watch.growth >> 20} MiB"  # most of it is the sanitizer's
    assert CUT in tight_server.log()
    assert "127.0.0.1" not in [line for line in tight_server.log().splitlines() if "closed:" in line]


def test_answers_that_nobody_takes_do_not_hold_up_those_of_others(tight_server, new_user):
    """Three large pulls, from three addresses, that are not read, and then one of somebody else."""
    others = Others(tight_server, new_user)
    users = register_all(tight_server, new_user, 3)
    for user in users:
        others.client.send_message(others.sender, user.id, bytes(8 * MIB))  # more than sockets take
    lazy = []
    for user, source in zip(users, addresses(3), strict=True):
        client = tight_server.connect(source=source, receive_buffer=4096)
        client.send(pull_frame(user.id))
        client.receive_header()
        lazy.append(client)
    others.assert_served()
    wait_until(lambda: CUT in tight_server.log(), "the end of an answer that nobody takes")
    for client in lazy:
        client.close()
    for user in users:  # and nothing is lost by that
        assert len(others.client.pull_until_empty(user)) == 1


def test_a_content_that_was_cut_is_refused_and_its_connection_in_step(tight_server, new_user):
    others = Others(tight_server, new_user)
    users = register_all(tight_server, new_user, 40)
    frames = unanswered(users, others.alias)
    slow = [tight_server.connect(source=source, timeout=90) for source in addresses(40)]
    for client, frame in zip(slow, frames, strict=True):
        client.send(frame[: MESSAGE_HEAD + 20_000])
    others.assert_served()
    for client, frame, user in zip(slow, frames, users, strict=True):
        client.send(frame[MESSAGE_HEAD + 20_000 :] + pull_frame(user.id))
    codes = [client.receive().code for client in slow]
    assert set(codes) == {2103, 9000}, codes
    for client in slow:
        assert client.receive_messages() == []
        client.close()
