"""Cuts what was sent into requests, as the server has to: the framing of protocol.md §1 a second time.

What is expected of the server follows from the bytes that were sent, never from what whoever made them had in mind:
so a frame may be cut, lengthened or changed at any place, and what comes of it is still known.
"""

import struct
import time
from collections.abc import Callable

from peer.blocks import rest
from peer.drop import LARGEST_CONTENT, SEND_FILE_FIXED_SIZE
from peer.frames import (
    DROP_VERSION,
    MESSAGES_VERSION,
    PUBLIC_KEY_SIZE,
    REQUEST_HEADER,
    SKIPPED_PAYLOAD_LIMIT,
    TEXT_FIELD_SIZE,
    Request,
)

HEADER_SIZE = REQUEST_HEADER.size
SEND_FIXED_SIZE = 21
FIXED_SIZES = {
    Request.REGISTER: TEXT_FIELD_SIZE,
    Request.PUBLIC_KEY: TEXT_FIELD_SIZE + PUBLIC_KEY_SIZE,
    Request.RECONNECT: TEXT_FIELD_SIZE,
    Request.SEND_FILE: SEND_FILE_FIXED_SIZE,
    Request.CRC_OK: TEXT_FIELD_SIZE,
    Request.CRC_WRONG: TEXT_FIELD_SIZE,
    Request.GIVE_UP: TEXT_FIELD_SIZE,
    Request.REGISTER_FOR_MESSAGES: TEXT_FIELD_SIZE + PUBLIC_KEY_SIZE,
    Request.LIST_USERS: 0,
    Request.KEY_OF_USER: 16,
    Request.SEND_MESSAGE: SEND_FIXED_SIZE,
    Request.PULL: 0,
}
DROP = frozenset(code for code in Request if code >= Request.REGISTER)
WITH_CONTENT = frozenset((Request.SEND_FILE, Request.SEND_MESSAGE))
KNOWN_TYPES = range(1, 5)


class Exchange:
    """One request whose fixed part was sent, and what was noted about it while its answer was due."""

    __slots__ = ("code", "client_id", "fixed", "content", "began", "is_complete", "is_refused", "may_be_silent", "note")

    def __init__(self, code: int, client_id: bytes, fixed: bytes | None):
        self.code = code
        self.client_id = client_id
        self.fixed = fixed  # None: its size does not fit, or nobody knows its code
        self.content = bytearray()
        self.began = time.monotonic()
        self.is_complete = False
        self.is_refused = fixed is None  # whatever else is true, the answer is an error
        self.may_be_silent = False
        self.note: object = None

    @property
    def is_drop(self) -> bool:
        return self.code in DROP

    @property
    def version(self) -> int:
        return DROP_VERSION if self.is_drop else MESSAGES_VERSION

    @property
    def text(self) -> bytes | None:
        """Of its text field; None when nothing ends it, or there is none."""
        if self.fixed is None:
            return None
        start = 4 if self.code == Request.SEND_FILE else 0
        text, end, _ = self.fixed[start : start + TEXT_FIELD_SIZE].partition(b"\0")
        return text if end else None


class Framing:
    """What one peer has sent. `begun` is told of each request with its fixed part, `completed` when all is there."""

    def __init__(self, begun: Callable[[Exchange], None], completed: Callable[[Exchange], None]):
        self._begun = begun
        self._completed = completed
        self._tail = bytearray()  # what is no whole head yet
        self._is_head = False  # and no padding, whatever is learned from it
        self._current: Exchange | None = None  # whose payload comes
        self._left = 0
        self._size = 0  # of the last request so far
        self._padding = 0  # that is still to come
        self.is_padded = False
        self.has_ended = False  # the server ends the connection behind the last of these requests
        self.is_ambiguous = False  # what the last bytes mean depends on whether more follows soon

    @property
    def is_between(self) -> bool:
        """Nothing is half sent."""
        return not (self._tail or self._left)

    def feed(self, data: bytes) -> None:
        self._tail += data
        self.is_ambiguous = False
        while not self.has_ended and self._step():
            pass

    def _step(self) -> bool:
        """One step over what is there; whether there may be another one."""
        if self._left:
            return self._take_payload()
        if self._padding:
            return self._take_padding()
        if not self._tail:
            return False
        if not self._is_head:
            verdict = self._judge(bytes(self._tail[:HEADER_SIZE]))
            if verdict == "padding":
                self.is_padded = True
                self._padding = rest(self._size)
                self._size = 0
                return True
            self.is_ambiguous = verdict == "exact"
            self._is_head = verdict == "frame"
        return self._is_head and self._take_head()

    def _judge(self, start: bytes) -> str:
        room = rest(self._size)
        zeros = len(start) - len(start.lstrip(b"\0"))
        if room == 0 or zeros == 0:
            return "frame"
        if self.is_padded or (zeros >= HEADER_SIZE and room >= HEADER_SIZE):
            return "padding"
        if zeros < len(start) or len(start) > room:
            return "frame"
        return "exact" if len(start) == room else "undecided"

    def _take_padding(self) -> bool:
        taken = self._tail[: self._padding]
        zeros = len(taken) - len(taken.lstrip(b"\0"))
        self.has_ended = zeros < len(taken)
        self._padding -= zeros
        del self._tail[:zeros]
        return bool(self._tail)

    def _take_payload(self) -> bool:
        if not self._tail:
            return False
        taken = bytes(self._tail[: self._left])
        del self._tail[: self._left]
        self._left -= len(taken)
        self._size += len(taken)
        if self._current is not None:
            if self._current.code in WITH_CONTENT and not self._current.is_refused:
                self._current.content += taken
            if self._left == 0:
                self._complete()
        return True

    def _complete(self) -> None:
        done, self._current = self._current, None
        done.is_complete = True
        self._completed(done)

    def _take_head(self) -> bool:
        if len(self._tail) < HEADER_SIZE:
            return False
        client_id, _, code, size = REQUEST_HEADER.unpack_from(self._tail)
        if code == Request.KEY_OF_USER and size == 0:
            size = 16
            self.is_padded = True
        fixed_size = FIXED_SIZES.get(code)
        fits = fixed_size is not None and (
            size >= fixed_size if code in WITH_CONTENT else size == fixed_size
        )
        head_size = HEADER_SIZE + (fixed_size if fits else 0)
        if len(self._tail) < head_size:
            return False
        fixed = bytes(self._tail[HEADER_SIZE:head_size]) if fits else None
        del self._tail[:head_size]
        self._begin(Exchange(code, client_id, fixed), head_size, size)
        return True

    def _begin(self, exchange: Exchange, head_size: int, size: int) -> None:
        self._is_head = False
        self._size = head_size
        self._current = exchange
        self._left = self._payload_behind(exchange, size)
        self._begun(exchange)
        if self._left == 0 and not self.has_ended:
            self._complete()

    def _payload_behind(self, exchange: Exchange, size: int) -> int:
        taken = len(exchange.fixed or b"")
        follows = size - taken
        if exchange.code == Request.SEND_FILE and not exchange.is_refused:
            (follows,) = struct.unpack_from("<I", exchange.fixed)
            fits = follows <= LARGEST_CONTENT and size in (SEND_FILE_FIXED_SIZE + follows, SEND_FILE_FIXED_SIZE)
            exchange.is_refused = not fits or follows == 0 or follows % 16 != 0
            if fits:
                return follows
            follows = size - taken
        elif exchange.code == Request.SEND_MESSAGE and not exchange.is_refused:
            kind, content_size = struct.unpack_from("<BI", exchange.fixed, 16)
            exchange.is_refused = content_size != follows or kind not in KNOWN_TYPES
            if content_size == follows:
                return follows  # a type that nobody knows: skipped, however long
        if exchange.is_refused and size > SKIPPED_PAYLOAD_LIMIT:
            self.has_ended = True
            return 0
        return follows
