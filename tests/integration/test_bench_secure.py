"""kesher-bench over TLS: handshakes, groups and idle connections on the secure port and with servers of other kinds;
and a server that is not what it should be is found out."""

import re
import socket
import ssl
import threading
from contextlib import contextmanager

import pytest
from peer import tls
from peer.bench_stores import bench, bench_fails, bench_refuses
from peer.talking import IrcRoom, MqttRoom, NatsRoom, RedisRoom, honest

SHORT = ("--duration", "0.3", "--warm-up", "0.05")
IDLE = ("--secure", "--duration", "0.1")
ROOMS = {"redis": RedisRoom, "nats": NatsRoom, "irc": IrcRoom, "mqtt": MqttRoom}


@pytest.fixture(scope="module")
def server_tls(tmp_path_factory) -> ssl.SSLContext:
    """TLS 1.3 of a server that knows no ALPN."""
    identity, path = tls.Identity.generate("bench.example"), tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(identity.key_pem() + identity.certificate_pem())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(path)
    return context


@pytest.fixture
def make_room(server_tls):
    rooms = []

    def make(kind, *arguments):
        rooms.append(kind(*arguments, tls=server_tls))
        return rooms[-1]

    yield make
    for room in rooms:
        room.stop()
    assert [problem for room in rooms for problem in room.problems] == []


class Counter:
    """A TLS server that counts who has shaken hands to the end and said all."""

    def __init__(self):
        self.ciphers: list[tuple] = []
        self.heard_out = 0

    def serve(self, accepted: socket.socket, context: ssl.SSLContext) -> None:
        with context.wrap_socket(accepted, server_side=True, suppress_ragged_eofs=False) as stream:
            self.ciphers.append(stream.cipher())
            assert stream.recv(1) == b""  # an end without close_notify is an error here
            self.heard_out += 1


@contextmanager
def listening(serve):
    """Calls `serve` with each connection that comes, one after the other; what it raises is raised in the end."""
    problems = []

    def accept() -> None:
        while True:
            try:
                accepted, _ = listener.accept()
            except OSError:
                return
            try:
                with accepted:
                    serve(accepted)
            except (ConnectionError, ssl.SSLError, OSError) as problem:
                problems.append(problem)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield listener.getsockname(), problems
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


# ---- handshakes ----


@pytest.mark.parametrize(("protocol", "threads"), [("kesher", 1), ("kesher", 3), ("plain", 1)])
def test_shakes_hands_with_the_secure_port(secure, protocol, threads):
    options = ("--protocol", protocol, "--connections", 8, "--threads", threads)
    told = bench("handshake", secure.secure_address, *SHORT, *options, "--pid", secure.process.pid)
    assert (told["connections"], told["threads"]) == (8, threads)
    assert told["handshakes"] > 0
    assert told["handshakes_per_second"] == pytest.approx(told["handshakes"] / told["seconds"], rel=1e-6)
    percentiles = [told[f"latency_{which}_us"] for which in ("p50", "p99", "p999", "max")]
    assert 0 < percentiles[0] and percentiles == sorted(percentiles)
    assert told["server_cpu_us_per_handshake"] > 0


def test_every_handshake_that_counts_was_done_by_the_server_too(server_tls):
    counter = Counter()
    with listening(lambda accepted: counter.serve(accepted, server_tls)) as (address, problems):
        # Of several, one may be done before the last has opened, which is when counting begins.
        options = ("--protocol", "plain", "--connections", 1, "--warm-up", 0, "--duration", "0.5")
        told = bench("handshake", address, *options)
    assert problems == []
    assert 0 < told["handshakes"] <= counter.heard_out
    assert counter.heard_out - told["handshakes"] <= 1, "what was on its way in the end"
    assert {cipher[0] for cipher in counter.ciphers} == {"TLS_AES_128_GCM_SHA256"}


def test_a_server_that_does_not_speak_kesher_is_found_out(server_tls):
    counter = Counter()
    with listening(lambda accepted: counter.serve(accepted, server_tls)) as (address, _):
        assert "not kesher/1" in bench_fails("handshake", address, *SHORT, "--connections", 1)
        assert "not kesher/1" in bench_fails("idle", address, *IDLE, "--connections", 1)


def test_a_server_that_speaks_no_tls_is_found_out():
    def serve(accepted: socket.socket) -> None:
        accepted.sendall(b"220 mail.example ready\r\n")
        accepted.recv(65536)

    with listening(serve) as (address, _):
        line = bench_fails("handshake", address, *SHORT, "--connections", 1)
    assert re.search(r": shaking hands: [a-z]", line)


def test_a_server_that_hangs_up_in_the_handshake_is_found_out():
    def serve(accepted: socket.socket) -> None:
        accepted.recv(65536)

    with listening(serve) as (address, _):
        line = bench_fails("handshake", address, *SHORT, "--connections", 1)
    assert "shaking hands: the server has ended the connection" in line


# ---- groups ----


@pytest.mark.parametrize(("members", "writers", "window"), [(2, 1, 1), (20, 3, 16), (60, 1, 100)])
def test_a_group_on_the_secure_port(secure, members, writers, window):
    """Sixty members are two accounts."""
    options = ("--secure", "--members", members, "--writers", writers, "--window", window)
    told = bench("chat", secure.secure_address, *SHORT, *options)
    assert (told["deliveries_of_a_line"], told["order_verified"]) == (members - 1, "one for all")
    assert told["lines_verified"] >= writers * (window + 1)
    assert 0 < told["deliveries"] <= (members - 1) * told["lines_verified"]


def test_groups_of_two_runs_do_not_mix(secure):
    """Names of members are the same in each run, and accounts are not."""
    for _ in range(2):
        told = bench("chat", secure.secure_address, *SHORT, "--secure", "--members", 3)
        assert told["deliveries"] > 0


def test_who_may_not_register_is_told_why(make_secure):
    server = make_secure(registration="closed")
    line = bench_fails("chat", server.secure_address, *SHORT, "--secure", "--members", 3)
    assert "the server refuses (10): " in line


@pytest.mark.parametrize("protocol", ROOMS)
@pytest.mark.parametrize(("writers", "window"), [(1, 1), (3, 50)])
def test_groups_of_other_protocols_over_tls(make_room, protocol, writers, window):
    room = make_room(ROOMS[protocol])
    options = ("--protocol", protocol, "--members", 5, "--writers", writers, "--window", window)
    told = bench("chat", room.chat_address, *SHORT, "--secure", *options)
    assert told["protocol"] == protocol and told["lines_verified"] >= writers * (window + 1)
    assert told["deliveries"] > 0


@pytest.mark.parametrize("protocol", ROOMS)
def test_a_changed_line_is_found_out_over_tls(make_room, protocol):
    def change(hearer, writer, number, text):
        texts = honest(hearer, writer, number, text)
        return [text[:-1] + b"!" for text in texts] if number == 1 else texts

    room = make_room(ROOMS[protocol], change)
    options = ("--protocol", protocol, "--members", 4, "--window", 4)
    assert "heard what nobody wrote" in bench_fails("chat", room.chat_address, *SHORT, "--secure", *options)


def test_lines_that_fill_many_records(make_room):
    room = make_room(MqttRoom)
    options = ("--protocol", "mqtt", "--members", 3, "--size", 3000, "--window", 64)
    told = bench("chat", room.chat_address, *SHORT, "--secure", *options)
    assert told["deliveries"] > 0


def test_a_server_without_tls_is_no_room(make_server):
    server = make_server(also=("chat",))
    line = bench_fails("chat", server.chat_address, *SHORT, "--secure", "--members", 2)
    assert re.search(r": registering: [a-z]", line)


# ---- idle ----


def test_idle_connections_sign_in_and_are_asked_in_the_end(secure):
    """Sixty of them are two accounts."""
    told = bench("idle", secure.secure_address, *IDLE, "--connections", 60, "--pid", secure.process.pid)
    before, held = told["server_resident_bytes_before"], told["server_resident_bytes"]
    assert told["connections"] == 60
    assert told["server_resident_bytes_per_connection"] == pytest.approx((held - before) / 60, abs=0.01)


def test_a_plain_idle_connection_has_shaken_hands(server_tls):
    counter = Counter()
    with listening(lambda accepted: counter.serve(accepted, server_tls)) as (address, _):
        bench("idle", address, *IDLE, "--protocol", "plain", "--connections", 1)
    assert len(counter.ciphers) == 1


def test_senseless_options_are_refused(secure):
    assert "--secure" in bench_refuses("idle", secure.secure_address, "--secure", "--protocol", "ask")
    assert "--secure" in bench_refuses("ask", secure.secure_address, "--secure")
    assert "--threads" in bench_refuses("handshake", secure.secure_address, "--connections", 2, "--threads", 3)
