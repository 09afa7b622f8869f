"""Frames of the binary port: packing, parsing, and a blocking connection that speaks them.

Knows layouts, not meanings: what a code asks for is in drop.py (client side) and server.py (server side).
A connection belongs to the thread that uses it.
"""

import enum
import select
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

REQUEST_HEADER = struct.Struct("<16sBHI")
RESPONSE_HEADER = struct.Struct("<BHI")
TEXT_FIELD_SIZE = 255
PUBLIC_KEY_SIZE = 160
SKIPPED_PAYLOAD_LIMIT = 64 * 1024
RECEIVED_AT_ONCE = 1 << 20
NO_ID = bytes(16)

DROP_VERSION = 3
MESSAGES_VERSION = 2


class Request(enum.IntEnum):
    REGISTER_FOR_MESSAGES = 600
    LIST_USERS = 601
    KEY_OF_USER = 602
    SEND_MESSAGE = 603
    PULL = 604
    REGISTER = 1025
    PUBLIC_KEY = 1026
    RECONNECT = 1027
    SEND_FILE = 1028
    CRC_OK = 1029
    CRC_WRONG = 1030
    GIVE_UP = 1031


class Answer(enum.IntEnum):
    REGISTERED = 2100
    REGISTER_REFUSED = 2101
    KEY = 2102
    FILE_RECEIVED = 2103
    THANKS = 2104
    KEY_AGAIN = 2105
    RECONNECT_REFUSED = 2106
    ERROR = 2107
    MESSAGES_ERROR = 9000


class MessageAnswer(enum.IntEnum):
    """The numbers of the drop with another meaning each: the request tells which is meant."""

    REGISTERED = 2100
    USERS = 2101
    KEY_OF_USER = 2102
    STORED = 2103
    WAITING = 2104
    ERROR = 9000


LIST_OF_USERS = MessageAnswer.USERS


class Reply(NamedTuple):
    version: int
    code: int
    payload: bytes


DROP_ERROR = Reply(DROP_VERSION, Answer.ERROR, b"")
MESSAGES_ERROR = Reply(MESSAGES_VERSION, Answer.MESSAGES_ERROR, b"")


def request(
    client_id: bytes,
    code: int,
    payload: bytes = b"",
    *,
    version: int = DROP_VERSION,
    declared: int | None = None,
) -> bytes:
    """One request frame; `declared` puts another payload size into the header than the true one."""
    size = len(payload) if declared is None else declared
    return REQUEST_HEADER.pack(client_id, version, code, size) + payload


def reply(code: int, payload: bytes = b"", *, version: int = DROP_VERSION) -> bytes:
    return RESPONSE_HEADER.pack(version, code, len(payload)) + payload


def text_field(text: str | bytes, filler: bytes = b"\0") -> bytes:
    """A text field of 255 bytes: the text, a NUL, then `filler` repeated to the end."""
    data = text.encode() if isinstance(text, str) else text
    if len(data) >= TEXT_FIELD_SIZE:
        raise ValueError(f"{len(data)} bytes leave no room for the NUL")
    return (data + b"\0" + filler * TEXT_FIELD_SIZE)[:TEXT_FIELD_SIZE]


def connections_to(listener: socket.socket) -> Iterator[socket.socket]:
    """Accepts until the listener is shut down."""
    while True:
        try:
            accepted, _ = listener.accept()
        except OSError:
            return
        yield accepted


class ConnectionEnded(Exception):
    """The peer closed or reset the connection where an answer was due."""


class Connection:
    """A blocking client connection. The timeout is a guard against hanging, never a measurement."""

    def __init__(
        self,
        address: tuple[str, int],
        timeout: float = 30,
        *,
        receive_buffer: int | None = None,
        source: str | None = None,
    ):
        """`receive_buffer` is for a peer that takes little: it must be known before the connection is made.
        `source` is the address, one of the loopback's 16 million, from which the server sees it come."""
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if source is not None:
            self.socket.bind((source, 0))
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(timeout)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.socket.close()

    def reset(self) -> None:
        """Ends the connection with a RST instead of a FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def finish_sending(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send_bytewise(self, data: bytes) -> None:
        for index in range(len(data)):
            self.socket.send(data[index : index + 1])

    def send_as_far_as_taken(self, data: bytes, *, finish: bool = False) -> None:
        """Sends; a peer that stops listening on the way is not an error."""
        try:
            self.socket.sendall(data)
            if finish:
                self.finish_sending()
        except OSError:
            pass

    def receive_exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                part = self.socket.recv(min(size - len(data), RECEIVED_AT_ONCE))
            except ConnectionResetError:
                part = b""
            if not part:
                raise ConnectionEnded(f"after {len(data)} of {size} bytes")
            data += part
        return bytes(data)

    def receive_header(self) -> tuple[int, int, int]:
        """(version, code, payload size) of the next reply, whose payload is left to be received."""
        return RESPONSE_HEADER.unpack(self.receive_exactly(RESPONSE_HEADER.size))

    def receive(self) -> Reply:
        version, code, size = self.receive_header()
        return Reply(version, code, self.receive_exactly(size))

    def receive_until_end(self) -> list[Reply]:
        """Every reply until the peer ends the connection."""
        replies = []
        while not self.has_ended():
            replies.append(self.receive())
        return replies

    def has_ended(self) -> bool:
        """Waits for the next byte or the end; True for the end."""
        try:
            return self.socket.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True

    def is_silent_for(self, seconds: float) -> bool:
        """True when neither a byte nor the end arrives in that time."""
        return not select.select([self.socket], [], [], seconds)[0]

    def ask(self, client_id: bytes, code: int, payload: bytes = b"", **options) -> Reply:
        self.send(request(client_id, code, payload, **options))
        return self.receive()
