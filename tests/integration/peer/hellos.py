"""A handshake whose every byte is sent when a test says so, and what a server's system has not handed on yet."""

import socket
import struct
import time
from pathlib import Path

from OpenSSL import SSL

from . import tls
from .accounts import VERSION, Answer
from .conversation import EVENT_SECONDS
from .frames import RESPONSE_HEADER
from .kesherd import Kesherd
from .secure import PROBE, frame
from .tls_records import HANDSHAKE, RECORD_HEADER

BYTEWISE_SECONDS = 1
HELLO_LIMIT = 16384  # bytes, with the headers of its records


def _proc_address(host: str, port: int) -> str:
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"


class SlowHandshake:
    """A client before and in its handshake, in memory, and the socket beside it."""

    def __init__(self, server: Kesherd, *, source: str | None = None, context: SSL.Context | None = None):
        self.server = server
        self.raw = socket.socket()
        if source:
            self.raw.bind((source, 0))
        self.raw.settimeout(60)
        self.raw.connect(server.secure_address)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.engine = tls.Engine(context or tls.usual_context())
        self.hello = self.engine.hello()
        self._here = _proc_address(*self.raw.getsockname())
        self._there = _proc_address(*server.secure_address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def send(self, data: bytes) -> None:
        self.raw.sendall(data)

    def has_been_taken(self) -> bool:
        """The server has read all that was sent, or has ended the connection."""
        for line in Path("/proc/net/tcp").read_text().splitlines():
            if f" {self._there} {self._here} " in line:
                return line.split()[4].split(":")[1] == "00000000"
        return True

    def send_and_wait(self, data: bytes) -> None:
        self.send(data)
        end = time.monotonic() + EVENT_SECONDS
        while not self.has_been_taken():
            assert time.monotonic() < end, "the server never took it"

    def send_bytewise(self, data: bytes) -> None:
        """Each byte is taken before the next goes out: while there is time, for there are ten seconds for all."""
        end = time.monotonic() + BYTEWISE_SECONDS
        for index in range(len(data)):
            self.send(data[index : index + 1])
            while time.monotonic() < end and not self.has_been_taken():
                pass

    def receive_flight(self) -> None:
        """What the server says after the hello; then the handshake is done on this side."""
        while not self.engine.handshake():
            data = self.raw.recv(65536)
            assert data, "the server ended the connection"
            self.engine.give(data)

    def rest(self) -> bytes:
        """The client's last flight, with a request behind it."""
        self.engine.write(frame(PROBE))
        return self.engine.take()

    def receive_answer(self) -> None:
        """That of the request: its header is enough."""
        data = b""
        while len(data) < RESPONSE_HEADER.size:
            part = self.engine.read(RESPONSE_HEADER.size - len(data))
            if part is None:
                raw = self.raw.recv(65536)
                assert raw, "the server ended the connection"
                self.engine.give(raw)
            else:
                assert part, "the server has said all"
                data += part
        assert RESPONSE_HEADER.unpack(data)[:2] == (VERSION, Answer.REFUSED)

    def finish(self) -> None:
        """The rest of an ordinary handshake, and a request with its answer."""
        self.receive_flight()
        self.send(self.rest())
        self.receive_answer()

    def everything(self) -> bytes:
        """All that the server says until it ends the connection."""
        data = b""
        try:
            while part := self.raw.recv(65536):
                data += part
        except ConnectionResetError:
            pass
        return data


def has_server_hello(said: bytes) -> bool:
    return len(said) > RECORD_HEADER.size and said[0] == HANDSHAKE
