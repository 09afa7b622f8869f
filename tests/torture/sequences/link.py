"""Connections that one loop drives: what they have to say goes out whole, in pieces or slowly, and what comes is read
at once, in small bites or not at all. What is said, and what is made of the answers, is the business of a `Talk`.
"""

import random
import selectors
import socket
import struct
import time
from collections.abc import Callable

from .trace import Trace

RESET_AT_CLOSE = struct.pack("ii", 1, 0)
RECEIVED_AT_ONCE = 1 << 16
TICK_SECONDS = 0.005
SMALL_BITE = 200
BITE_SECONDS = 0.03
WRITE_STYLES = ("whole", "whole", "whole", "pieces", "bytes", "slow")
READ_STYLES = ("at once", "at once", "at once", "at once", "bites", "never")
CONGESTED = 1 << 18  # waiting to be sent; then nothing more is made
ENDINGS = ("wait", "wait", "wait", "close", "reset", "shut", "stay")


class Talk:
    """What is said on a connection, and what is thought of the answers."""

    def next(self) -> bytes | None:
        """What to say now; b"" to wait for answers first, None when all is said."""
        raise NotImplementedError

    def sent(self, data: bytes) -> None:
        pass

    def received(self, data: bytes) -> None:
        pass

    def shut(self) -> None:
        """We say nothing more, and read on."""

    def ended(self, by_peer: bool) -> None:
        pass

    @property
    def is_served(self) -> bool:
        """All that is owed to us has come."""
        return True

    @property
    def may_be_left(self) -> bool:
        """Nothing is half said: whoever waits for an answer will get it."""
        return True


class Link:
    """One connection. How it behaves follows from its own chance, so from its number."""

    def __init__(self, loop: "Loop", name: str, talk: Talk, chance: random.Random, address, source: str | None):
        self.loop = loop
        self.name = name
        self.talk = talk
        self.chance = chance
        self.out = bytearray()
        self.write_style = chance.choice(WRITE_STYLES)
        self.read_style = chance.choice(READ_STYLES)
        self.ending = chance.choice(ENDINGS)
        self.paused_until = 0.0
        self.reads_again = 0.0
        self.heard = 0.0  # when, the last time
        self.is_calm = False
        self.has_said_all = False
        self.has_shut = False
        self.is_over = False
        self._events = 0
        self.socket = self._connect(address, source)
        loop.trace(name, f"connects; writes {self.write_style}, reads {self.read_style}, ends by {self.ending}")

    def _connect(self, address, source: str | None) -> socket.socket:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setblocking(False)
        try:
            if source is not None and family == socket.AF_INET:
                made.bind((source, 0))
            if family == socket.AF_INET:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.connect(address)
        except BlockingIOError:
            pass
        except OSError:
            made.close()
            raise
        return made

    # -- what the loop calls

    def tick(self, now: float) -> None:
        if now < self.paused_until:
            self._wait_for(0)
            return
        if not self.has_said_all and not self.is_calm and len(self.out) < CONGESTED:
            self._make()
        if self.has_said_all and not self.out and not self.is_calm:
            self._end_as_meant()
        if not self.is_over:
            self._wait_for(self._wanted(now))

    def _make(self) -> None:
        data = self.talk.next()
        if data is None:
            self.has_said_all = True
        else:
            self.out += data

    def _wanted(self, now: float) -> int:
        reads = self.is_calm or (self.read_style != "never" and now >= self.reads_again)
        return (selectors.EVENT_READ if reads else 0) | (selectors.EVENT_WRITE if self.out else 0)

    def _wait_for(self, events: int) -> None:
        if events == self._events:
            return
        if self._events == 0:
            self.loop.selector.register(self.socket, events, self)
        elif events == 0:
            self.loop.selector.unregister(self.socket)
        else:
            self.loop.selector.modify(self.socket, events, self)
        self._events = events

    def ready(self, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                self._read()
            if events & selectors.EVENT_WRITE and not self.is_over:
                self._write()
        except BlockingIOError:
            pass
        except OSError as failure:
            self.loop.trace(self.name, f"fails: {failure}")
            self.end(by_peer=True)

    def _read(self) -> None:
        is_slow = self.read_style == "bites" and not self.is_calm
        data = self.socket.recv(self.chance.randint(1, SMALL_BITE) if is_slow else RECEIVED_AT_ONCE)
        if is_slow:
            self.reads_again = time.monotonic() + BITE_SECONDS
        if not data:
            self.loop.trace(self.name, "its peer has closed")
            self.end(by_peer=True)
            return
        self.loop.bytes_received += len(data)
        self.heard = time.monotonic()
        self.talk.received(data)

    def _write(self) -> None:
        size = self._piece()
        taken = self.socket.send(bytes(self.out[:size]))
        self.talk.sent(bytes(self.out[:taken]))
        del self.out[:taken]
        self.loop.bytes_sent += taken
        if self.write_style == "slow" and not self.is_calm:
            self.paused_until = time.monotonic() + self.chance.random() * 0.1

    def _piece(self) -> int:
        if self.is_calm or self.write_style == "whole":
            return min(len(self.out), CONGESTED)
        return self.chance.randint(1, 9 if self.write_style == "bytes" else 3000)

    # -- the end

    def _end_as_meant(self) -> None:
        match self.ending:
            case "close":
                self.end()
            case "reset":
                self.reset()
            case "shut":
                self.shut()
            case "wait" if self.talk.is_served:
                self.end()

    def shut(self) -> None:
        if self.has_shut:
            return
        self.loop.trace(self.name, "shuts its side")
        self.has_shut = True
        self.talk.shut()
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.end(by_peer=True)

    def reset(self) -> None:
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        except OSError:
            pass
        self.loop.trace(self.name, "resets")
        self.end()

    def end(self, by_peer: bool = False) -> None:
        if self.is_over:
            return
        self.is_over = True
        self._wait_for(0)
        self.socket.close()
        self.loop.trace(self.name, "is over")
        self.talk.ended(by_peer)
        self.loop.links.pop(self, None)

    def calm(self) -> None:
        """From now on it only sends what it has begun, and reads."""
        self.is_calm = True
        self.paused_until = 0.0


class Loop:
    """All connections of a server's life."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.selector = selectors.DefaultSelector()
        self.links: dict[Link, None] = {}
        self.bytes_sent = self.bytes_received = 0

    def add(self, name: str, talk: Talk, chance: random.Random, address, source: str | None = None) -> Link | None:
        """None when the server does not take it."""
        try:
            link = Link(self, name, talk, chance, address, source)
        except OSError as failure:
            self.trace(name, f"cannot connect: {failure}")
            return None
        self.links[link] = None
        return link

    def turn(self) -> None:
        now = time.monotonic()
        for link in list(self.links):
            link.tick(now)
        for key, events in self.selector.select(TICK_SECONDS):
            if not key.data.is_over:
                key.data.ready(events)

    def run(self, seconds: float, each_turn: Callable[[], bool]) -> bool:
        """Until `each_turn` says that it is enough; False when that took too long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if each_turn():
                return True
            self.turn()
        return False

    def close(self) -> None:
        for link in list(self.links):
            link.reset()
        self.selector.close()
