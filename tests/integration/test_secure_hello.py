"""Hellos and handshakes on the secure port that come in pieces, in records of any size, too long, or never whole."""

import os
import socket
import struct
import threading
from contextlib import suppress

import pytest
from peer import tls
from peer.accounts import VERSION, Answer
from peer.hellos import HELLO_LIMIT, SlowHandshake, has_server_hello
from peer.openssl import SClient
from peer.secure import PROBE, frame
from peer.tls_records import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    RECORD_HEADER,
    hello_in_records,
    hello_with_padding,
    record,
)

LARGEST_RECORD = 1 << 14
CUTS = 1 if os.environ.get("KESHER_SLOW") == "1" else 7  # a prime: every place within a field is cut somewhere


@pytest.fixture
def start(secure):
    """Begins handshakes with the shared server."""
    begun = []

    def begin(**options) -> SlowHandshake:
        begun.append(SlowHandshake(secure, **options))
        return begun[-1]

    yield begin
    for one in begun:
        one.raw.close()


def records_of(hello: bytes, size: int = LARGEST_RECORD) -> bytes:
    """A message of the handshake in records."""
    return b"".join(record(HANDSHAKE, hello[at : at + size], 0x0301) for at in range(0, len(hello), size))


def test_a_handshake_of_single_bytes_is_one(start):
    slow = start()
    slow.send_bytewise(slow.hello)
    slow.receive_flight()
    slow.send_bytewise(slow.rest())
    slow.receive_answer()


def test_a_hello_that_is_cut_anywhere_goes_on(start):
    for cut in range(1, len(start().hello), CUTS):
        slow = start()
        slow.send_and_wait(slow.hello[:cut])
        slow.send(slow.hello[cut:])
        slow.finish()
        slow.raw.close()


def test_a_last_flight_that_is_cut_anywhere_goes_on(start):
    slow = start()
    slow.send(slow.hello)
    slow.receive_flight()
    for cut in range(1, len(slow.rest()), CUTS):
        slow = start()
        slow.send(slow.hello)
        slow.receive_flight()
        rest = slow.rest()
        slow.send_and_wait(rest[:cut])
        slow.send(rest[cut:])
        slow.receive_answer()
        slow.raw.close()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 100])
def test_a_hello_in_many_records_is_one(start, size):
    slow = start()
    slow.send(hello_in_records(slow.hello, size))
    slow.finish()


def test_a_hello_in_many_records_may_come_byte_by_byte(start):
    slow = start()
    slow.send_bytewise(hello_in_records(slow.hello, 40))
    slow.finish()


def test_a_hello_of_as_many_bytes_as_there_may_be_is_answered(start):
    slow = start()
    slow.send(records_of(hello_with_padding(slow.hello, HELLO_LIMIT - RECORD_HEADER.size)))
    assert slow.raw.recv(1) == bytes([HANDSHAKE])


@pytest.mark.parametrize("size", [HELLO_LIMIT - RECORD_HEADER.size + 1, HELLO_LIMIT, HELLO_LIMIT + 1, 65000])
def test_a_longer_hello_is_refused(start, size):
    slow = start()
    slow.send(records_of(hello_with_padding(slow.hello, size)))
    assert not has_server_hello(slow.everything())


def test_a_hello_that_its_records_make_too_long_is_refused(start):
    slow = start()
    hello = hello_with_padding(slow.hello, 3000)
    slow.send(records_of(hello, 1))
    assert not has_server_hello(slow.everything())


def test_a_hello_that_announces_131000_bytes_ends_with_its_first_ones(start):
    """No more is needed to know: nothing of it is kept, and nobody waits for it."""
    slow = start()
    slow.send(record(HANDSHAKE, b"\1" + (131_000).to_bytes(3, "big") + b"\3\3", 0x0301))
    assert not has_server_hello(slow.everything())


def test_a_hello_of_131000_bytes_is_refused(start):
    slow = start()
    try:
        slow.send(records_of(b"\1" + (131_000).to_bytes(3, "big") + slow.hello[9:] + bytes(131_000), 16000))
    except (BrokenPipeError, ConnectionResetError):
        pass  # it has been refused on the way
    assert not has_server_hello(slow.everything())


@pytest.mark.parametrize(
    "sent",
    [
        record(HANDSHAKE, b"", 0x0301) * 3000,  # records of nothing, without end
        record(ALERT, b"\2\50"),
        record(CHANGE_CIPHER_SPEC, b"\1"),
        b"\x16\x03\x01\xff\xff\1",  # a record larger than there are
        b"\x16\x02\x01\x00\x10\1",  # of no version of TLS
    ],
    ids=["nothing", "alert", "change", "large", "version"],
)
def test_what_no_hello_begins_with_ends_the_connection(start, sent):
    slow = start()
    try:
        slow.send(sent)
    except (BrokenPipeError, ConnectionResetError):
        pass
    assert not has_server_hello(slow.everything())


def test_rubbish_in_a_hello_is_told_so_and_nobody_else_notices(start, client):
    slow = start()
    for place in range(5, len(slow.hello), 3):
        one = start()
        changed = bytearray(one.hello)
        changed[place] ^= 0xFF
        one.send(bytes(changed))
        one.raw.shutdown(1)
        one.everything()
        one.raw.close()
    assert client.is_served()


def test_a_wrong_last_flight_ends_the_connection(start, client):
    for place in range(0, 90, 7):
        slow = start()
        slow.send(slow.hello)
        slow.receive_flight()
        rest = bytearray(slow.rest())
        rest[place] ^= 1
        slow.send(bytes(rest))
        slow.raw.shutdown(1)
        with pytest.raises((AssertionError, tls.TlsFailed, ConnectionResetError)):
            slow.receive_answer()
        slow.raw.close()
    assert client.is_served()


def test_a_second_hello_instead_of_the_last_flight_ends_the_connection(start):
    slow = start()
    slow.send(slow.hello)
    slow.receive_flight()
    slow.send(slow.hello)
    slow.everything()


def test_data_before_the_last_flight_is_not_heard(start):
    slow = start()
    slow.send(slow.hello + record(23, bytes(60)))
    slow.everything()


def test_a_client_that_ends_after_its_hello_is_forgotten(start, secure, client):
    for _ in range(20):
        slow = start()
        slow.send(slow.hello)
        slow.raw.shutdown(1)
        slow.everything()
    assert client.is_served()


# -- a second hello, which the server asks for


class Between:
    """Passes one connection on to a server, what the client sends by way of `pass_on`."""

    def __init__(self, target: tuple[str, int], pass_on):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self._listener.getsockname()
        self._target = target
        self._pass_on = pass_on
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._listener.close()
        self._thread.join()

    def _run(self) -> None:
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target, 60)
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        back = threading.Thread(target=self._pump, args=(server, client, lambda data, to: to.sendall(data)))
        back.start()
        self._pump(client, server, self._pass_on)
        back.join()
        client.close()
        server.close()

    @staticmethod
    def _pump(source: socket.socket, sink: socket.socket, pass_on) -> None:
        try:
            while data := source.recv(65536):
                pass_on(data, sink)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for end in (source, sink):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)


def byte_by_byte(data: bytes, to: socket.socket) -> None:
    for byte in data:
        to.sendall(bytes([byte]))


def test_a_second_hello_of_single_bytes_is_one(secure):
    with Between(secure.secure_address, byte_by_byte) as between:
        with SClient(between.address, "-groups", "P-521:X25519", "-quiet") as client:
            client.type(frame(PROBE))
            client.wait_for(struct.pack("<BH", VERSION, Answer.REFUSED))


@pytest.mark.parametrize("size", [20_000, 60_000])
def test_a_second_hello_that_is_too_long_ends_the_connection(secure, client, size):
    """As long as the first may not be."""
    hellos = []

    def lengthen_the_second(data: bytes, to: socket.socket) -> None:
        if HANDSHAKE in (data[0], data[6:7] and data[6]):
            hellos.append(data)
        if len(hellos) == 2:
            data = records_of(b"\1" + size.to_bytes(3, "big") + bytes(size))
        to.sendall(data)

    with Between(secure.secure_address, lengthen_the_second) as between:
        with SClient(between.address, "-groups", "P-521:X25519", "-quiet") as openssl:
            openssl.wait_for(b"(ended)")
    assert len(hellos) == 2
    assert client.is_served()
