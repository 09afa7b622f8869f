"""kesher-bench upload: what it sends is stored, and what a server does wrong is found."""

import socket
import struct
import threading
from contextlib import contextmanager

import pytest

from peer.bench_stores import bench, bench_fails
from peer.drop import SEND_FILE_FIXED_SIZE
from peer.frames import Answer, Request, text_field
from peer.server import FakeServer, Script, Session

KEPT_LIMIT = 4 << 20  # contents up to it, encrypted, are made once per connection
SMALL = ("--connections", 2, "--files", 3, "--size", 100)


@contextmanager
def fake(script=None, session=Session):
    """A fake server whose connections are of the class `session`."""
    server = FakeServer(script)
    server.new_session = lambda client, number: session(server, client, number)
    try:
        yield server
    finally:
        server.stop()
    assert not server.problems, server.problems


@pytest.mark.parametrize(
    ("connections", "files", "size", "more"),
    [
        (1, 2, 1, ()),
        (3, 20, 4096, ("--depth", 16)),
        (2, 3, 16, ("--depth", 500)),
        (2, 20, 20000, ("--depth", 4)),
        (3, 20, 100, ("--depth", 64, "--one-user")),
        (2, 2, "1M", ()),
        (2, 2, KEPT_LIMIT, ("--depth", 2)),
    ],
)
def test_each_file_is_stored(server, connections, files, size, more):
    query = "SELECT count(*) FROM files WHERE Verified = 1"
    ((before,),) = server.rows(query)
    paths = set(server.stored_paths())
    options = ("--connections", connections, "--files", files, "--size", size, *more)
    told = bench("upload", server.address, *options)
    size_in_bytes = 1 << 20 if size == "1M" else size
    assert (told["files"], told["file_bytes"]) == (connections * files, size_in_bytes)
    assert told["users"] == (1 if "--one-user" in more else connections)
    ((after,),) = server.rows(query)
    assert after - before == connections * files
    stored = set(server.stored_paths()) - paths
    assert [path.stat().st_size for path in stored] == [size_in_bytes] * (connections * files)
    assert not server.staged_paths()


@pytest.mark.parametrize(("size", "contents"), [(70_000, 1), (KEPT_LIMIT + 5, 2)])
def test_large_contents_differ_and_small_ones_are_sent_again(own_server, size, contents):
    told = bench("upload", own_server.address, "--files", 2, "--size", size)
    assert told["contents"] == (
        "encrypted once per connection" if contents == 1 else "encrypted while they are sent"
    )
    stored = {path.read_bytes() for path in own_server.stored_paths()}
    assert len(stored) == contents
    assert all(len(set(content[:4096])) > 200 for content in stored)


def test_latency_and_the_servers_cpu_are_told(server):
    told = bench("upload", server.address, *SMALL, "--pid", server.process.pid)
    assert 0 < told["latency_p50_us"] <= told["latency_p99_us"] <= told["latency_max_us"]
    assert told["files_per_second"] > 0 and told["mebibytes_per_second"] > 0
    assert told["server_cpu_us_per_file"] >= 0 and told["server_resident_bytes"] > 0


def test_an_honest_fake_server_satisfies_it():
    with fake(Script(one_byte_at_a_time=True)) as server:
        assert bench("upload", server.address, *SMALL)["files"] == 6
        assert len(server.files) == 6


def test_a_wrong_checksum():
    with fake(Script(wrong_sums=1)) as server:
        assert "the checksum of file 0" in bench_fails("upload", server.address, *SMALL)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (Request.REGISTER, "refused to register"),
        (Request.PUBLIC_KEY, "answered a public key with 2107"),
        (Request.SEND_FILE, "content of file 0"),
        (Request.CRC_OK, "confirmation of file 0"),
    ],
)
def test_an_error(code, words):
    with fake(Script(errors={code: 1})) as server:
        assert words in bench_fails("upload", server.address, *SMALL)


def test_another_size():
    with fake(Script(plaintext_size_in_answer=True)) as server:
        assert "names another size" in bench_fails("upload", server.address, *SMALL)


@pytest.mark.parametrize("code", [Request.REGISTER, Request.PUBLIC_KEY, Request.SEND_FILE, Request.CRC_OK])
def test_an_answer_that_does_not_come(code):
    with fake(Script(close_before_answer=code)) as server:
        assert "the server has ended the connection" in bench_fails("upload", server.address, *SMALL)


class Renaming(Session):
    def _send_file(self, seen):
        honest = super()._send_file(seen)
        return honest[:27] + text_field("another.bin") + honest[-4:]


class OfAnother(Session):
    def _send_file(self, seen):
        honest = super()._send_file(seen)
        return honest[:7] + bytes(16) + honest[23:]


class ThankingAnother(Session):
    def _crc_ok(self, seen):
        super()._crc_ok(seen)
        return self._reply(Answer.THANKS, bytes(16))


class ThankingTwice(Session):
    def _crc_ok(self, seen):
        return 2 * super()._crc_ok(seen)


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (Renaming, "names another file"),
        (OfAnother, "names another user"),
        (ThankingAnother, "confirmation of file 0"),
        (ThankingTwice, "answer"),
    ],
)
def test_an_answer_for_something_else(session, words):
    with fake(session=session) as server:
        assert words in bench_fails("upload", server.address, *SMALL)


class Hasty(Session):
    """Sums a content that it does not read, and never will."""

    def _read_plainly(self):
        (code,) = struct.unpack_from("<H", self.client.recv(23, socket.MSG_PEEK | socket.MSG_WAITALL), 17)
        if code != Request.SEND_FILE:
            return super()._read_plainly()
        head = self._receive(23 + SEND_FILE_FIXED_SIZE)
        answer = head[:16] + head[23:] + bytes(4)
        self.client.sendall(self._reply(Answer.FILE_RECEIVED, answer))
        self.client.recv(1, socket.MSG_PEEK)
        self.server.ended.wait(30)
        return None


def test_a_sum_before_the_content():
    with fake(session=Hasty) as server:
        server.ended = threading.Event()
        line = bench_fails("upload", server.address, "--files", 1, "--size", "64M")
        server.ended.set()
        assert "comes before all of it was sent" in line


def test_a_server_that_limits_registrations(make_server):
    server = make_server(registrations_per_hour=2, unlimited_networks="none")
    line = bench_fails("upload", server.address, "--connections", 5, "--files", 1, "--size", 1)
    assert "refused to register user" in line and "--unlimited-networks" in line


def test_a_server_that_is_not_there(server):
    with fake() as gone:
        address = gone.address
    assert "Connection refused" in bench_fails("upload", address, *SMALL)


def test_a_process_that_is_not_there(server):
    users = server.rows("SELECT count(*) FROM clients")
    assert "cannot measure process" in bench_fails("upload", server.address, *SMALL, "--pid", 2**31 - 1)
    assert server.rows("SELECT count(*) FROM clients") == users
