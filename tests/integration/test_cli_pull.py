"""`kesher inbox`: how the end of an answer is taken, and what an answer may cost that never comes."""

import resource
import signal
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from peer.conversation import wait_until
from peer.frames import MESSAGES_VERSION, REQUEST_HEADER, RESPONSE_HEADER, MessageAnswer, Request, reply
from peer.message_fixtures import Member, assert_one_line
from peer.messages import Message

FOREIGN_TYPE = 5
END_SECONDS = 60
MEBIBYTE = 1 << 20


class Pulled:
    """A server of one connection, which the test plays."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(END_SECONDS)
        self.address = self._listener.getsockname()
        self._client: socket.socket | None = None

    def accept(self) -> None:
        self._client, _ = self._listener.accept()
        self._client.settimeout(END_SECONDS)

    def request(self) -> int:
        """The code of the next request; 0 at the end of the connection. The question for one's own key, which
        comes last, is answered here: there is none, and this server takes none."""
        while header := self._client.recv(REQUEST_HEADER.size, socket.MSG_WAITALL):
            _, _, code, payload_size = REQUEST_HEADER.unpack(header)
            self._client.recv(payload_size, socket.MSG_WAITALL)
            if code not in (Request.KEY_OF_USER, Request.PUBLIC_KEY):
                return code
            self.send(reply(9000, b"", version=MESSAGES_VERSION))
        return 0

    def send(self, data: bytes) -> None:
        self._client.sendall(data)

    def close(self) -> None:
        self._listener.close()
        if self._client:
            self._client.close()


@pytest.fixture
def pulled() -> Iterator[Pulled]:
    server = Pulled()
    yield server
    server.close()


@pytest.fixture
def member(pulled, tmp_path, private_keys, messages) -> Member:
    return Member(tmp_path / "home", pulled.address, messages.add_user("alice", private_keys[0]))


def answer(*sizes: int) -> bytes:
    """A 2104 with messages of these sizes."""
    messages = [Message(bytes(16), number, FOREIGN_TYPE, bytes(size)) for number, size in enumerate(sizes, 1)]
    payload = b"".join(message.encode() for message in messages)
    return reply(MessageAnswer.WAITING, payload, version=MESSAGES_VERSION)


EMPTY = answer()
NO_USERS = reply(MessageAnswer.USERS, b"", version=MESSAGES_VERSION)


def shown_in(output: str) -> int:
    return output.count("Content:\n")


# -- the last byte


def limit_files(size: int):
    """For the child: a write beyond that size kills it, as `kill -9` would at that very place."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


DEATHS = {
    "while it writes the answer": (20_000, 8_000),
    "in the last write of the answer": (8_000, 8_000),
    "when all of it is on the disk, and not visible yet": (1_000, 8_000),
}


@pytest.mark.parametrize("size, limit", DEATHS.values(), ids=DEATHS)
def test_a_death_before_an_answer_is_stored_is_a_reset(pulled, member, size, limit):
    """So the server knows that what it sent did not arrive, though the kernel had acknowledged all of it."""
    run = member.start("inbox", preexec_fn=limit_files(limit))
    pulled.accept()
    assert pulled.request() == Request.PULL
    pulled.send(answer(size))
    run.communicate(timeout=END_SECONDS)
    assert run.returncode == -signal.SIGXFSZ
    with pytest.raises(ConnectionResetError):
        pulled.request()


def test_an_answer_that_cannot_be_stored_is_a_reset(pulled, member):
    """The table of what came before is no file: nothing can be taken in."""
    (member.home / "inbox").mkdir(mode=0o700)
    (member.home / "inbox" / "seen").mkdir()
    run = member.start("inbox")
    pulled.accept()
    assert pulled.request() == Request.PULL
    pulled.send(answer(100))
    stdout, stderr = run.communicate(timeout=END_SECONDS)
    assert (run.returncode, stdout) == (1, b"")
    assert_one_line(stderr.decode())
    with pytest.raises(ConnectionResetError):
        pulled.request()


@pytest.mark.parametrize("sizes", [[0], [1], [100, 0], [200_000], [0] * 300], ids=len)
def test_an_answer_that_was_stored_is_taken_to_its_end(pulled, member, sizes):
    """The connection serves on, and its end is none but an end."""
    run = member.start("inbox")
    pulled.accept()
    answers = [answer(*sizes), EMPTY]
    while (code := pulled.request()) != 0:
        pulled.send(NO_USERS if code == Request.LIST_USERS else answers.pop(0))
    stdout, stderr = run.communicate(timeout=END_SECONDS)
    assert (run.returncode, stderr, answers) == (0, b"", [])
    assert shown_in(stdout.decode()) == len(sizes)


@pytest.mark.parametrize("place", [1, 7, 8, 30, -1])
def test_an_answer_may_come_in_two_parts(pulled, member, place):
    run = member.start("inbox")
    pulled.accept()
    assert pulled.request() == Request.PULL
    whole = answer(100, 5)
    pulled.send(whole[:place])
    pulled.send(whole[place:])
    while (code := pulled.request()) != 0:
        pulled.send(NO_USERS if code == Request.LIST_USERS else EMPTY)
    stdout, _ = run.communicate(timeout=END_SECONDS)
    assert run.returncode == 0 and shown_in(stdout.decode()) == 2


# -- an answer that never comes


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def blocks_below(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))


def test_the_size_of_an_answer_costs_nothing_before_its_bytes_come(pulled, member):
    run = member.start("inbox")
    pulled.accept()
    assert pulled.request() == Request.PULL
    pulled.send(RESPONSE_HEADER.pack(MESSAGES_VERSION, MessageAnswer.WAITING, 0xFFFFFFFF))
    pulled.send(struct.pack("<16sIBI", bytes(16), 1, FOREIGN_TYPE, 0xFFFFFF00) + bytes(2 * MEBIBYTE))
    incoming = member.home / "inbox" / f"{1:016x}.incoming"
    wait_until(lambda: incoming.exists() and incoming.stat().st_size >= 2 * MEBIBYTE, "the first bytes on disk")
    assert blocks_below(member.home) < 8 * MEBIBYTE
    assert resident_bytes(run.pid) < 300 * MEBIBYTE
    run.kill()
    run.communicate(timeout=END_SECONDS)
