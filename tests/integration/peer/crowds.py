"""Many strangers at the secure port who stop at some stage, and one thread that holds all of them."""

import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from . import tls
from .hellos import SlowHandshake
from .kesherd import Kesherd
from .secure import SecureClient

STAGES = ["nothing", "half a hello", "hello", "after ServerHello", "unsigned"]
NOTHING, HALF_A_HELLO, HELLO, SERVER_HELLO, UNSIGNED = STAGES
TRICKLE_SECONDS = 0.02


def source_of(number: int) -> str:
    """Addresses of the loopback, as if they came from many networks."""
    return f"127.{100 + number % 100}.{number // 100 % 2}.1"


class Crowd:
    """Connections that come to a stage and stay there. Refused and ended ones are as good as others: the crowd does
    not come again."""

    def __init__(self, server: Kesherd, stage: str, source: Callable[[int], str | None] = source_of):
        self.server = server
        self.stage = stage
        self.source = source
        self.connections: list[tuple[socket.socket, bytes]] = []  # and what each sends byte by byte
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop.set()
        if self._thread:
            self._thread.join()
        for raw, _ in self.connections:
            raw.close()

    def come(self, count: int) -> None:
        hello = tls.Engine(tls.usual_context()).hello()
        for number in range(count):
            with suppress(OSError, AssertionError, tls.TlsFailed):  # it was not let in
                self._begin(number, hello)

    def _begin(self, number: int, hello: bytes) -> None:
        if self.stage == UNSIGNED:
            client = SecureClient(self.server.secure_address, source=self.source(number))
            self.connections.append((client.tcp, b""))
            return
        if self.stage == SERVER_HELLO:
            slow = SlowHandshake(self.server, source=self.source(number))
            self.connections.append((slow.raw, b""))
            slow.send(slow.hello)
            slow.receive_flight()
            return
        raw = socket.socket()
        raw.settimeout(30)
        if source := self.source(number):
            raw.bind((source, 0))
        raw.connect(self.server.secure_address)
        sent = {NOTHING: 0, HALF_A_HELLO: len(hello) // 2, HELLO: len(hello)}[self.stage]
        self.connections.append((raw, hello[sent:]))
        raw.sendall(hello[:sent])

    def trickle(self) -> None:
        """From now on they send a byte of what is left now and then, each in its turn."""
        self._thread = threading.Thread(target=self._trickle)
        self._thread.start()

    def _trickle(self) -> None:
        place = 0
        while not self._stop.wait(TRICKLE_SECONDS):
            for raw, rest in self.connections:
                if self._stop.is_set():
                    return
                with suppress(OSError):
                    raw.send(rest[place : place + 1] or b"\0")
            place += 1

    def alive(self) -> int:
        """How many of them the server has not ended."""
        count, poll = 0, select.poll()
        for raw, _ in self.connections:
            poll.register(raw, select.POLLIN | select.POLLRDHUP)
        ended = {fd for fd, event in poll.poll(0) if event & (select.POLLRDHUP | select.POLLHUP | select.POLLERR)}
        for raw, _ in self.connections:
            count += raw.fileno() not in ended
        return count


class Served:
    """Somebody who signed in, and asks again and again."""

    def __init__(self, client: SecureClient):
        self.client = client
        self.count = 0
        self._stop = threading.Event()
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        if self._problem:
            raise self._problem

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.005):
                self.client.account()
                self.count += 1
        except BaseException as problem:  # the test must see it
            self._problem = problem
