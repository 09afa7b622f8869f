#!/usr/bin/python3
"""Attacks a server from many connections, as a process of its own that `torture_overload.py` starts and leads.

The only argument is an object in JSON: attack, addresses (of the services), sources (addresses of the loopback),
connections, pause (seconds), user (an id in hexadecimal digits), group. It reads lines: `begin N` opens all
connections; it answers `up` when all were tried, and `done` when the attack has done N things more. `end` resets all
of them, and is answered with what was counted so far. The end of its input ends it.
"""

import errno
import heapq
import itertools
import json
import os
import resource
import select
import socket
import struct
import sys
import time
from collections import deque
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from overload_attacks import ATTACKS, Attack, Reset, Slot, Target  # noqa: E402

IP_BIND_ADDRESS_NO_PORT = 24
RETRY_SECONDS = 0.5
OPENED_AT_ONCE = 100
RECEIVED_AT_ONCE = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
POLL_SECONDS = 0.02


class Swarm:
    """All connections of an attack; one thread."""

    def __init__(self, attack: Attack, addresses: dict[str, tuple], sources: list[str], connections: int):
        self.attack = attack
        self.addresses = {name: tuple(address) for name, address in addresses.items()}
        self.sources = sources
        self.slots = [
            Slot(number, attack.services[number % len(attack.services)]) for number in range(connections)
        ]
        self.epoll = select.epoll()
        self.open: dict[int, tuple[socket.socket, Slot]] = {}
        self.connecting: set[int] = set()
        self.unsent: dict[int, bytes] = {}
        self.to_open: deque[Slot] = deque()
        self.retries: deque[tuple[float, Slot]] = deque()
        self.ticks: list[tuple[float, int, int, int, Slot]] = []
        self.turns = itertools.count()
        self.tried = 0

    # -- rounds

    def begin(self) -> None:
        self.tried = 0
        self.to_open.extend(self.slots)

    def is_up(self) -> bool:
        return self.tried >= len(self.slots)

    def end(self) -> None:
        self.to_open.clear()
        self.retries.clear()
        self.ticks.clear()
        for descriptor in list(self.open):
            self._drop(descriptor)

    def turn(self) -> None:
        """Does what there is to do, and waits a moment where that is nothing."""
        now = time.monotonic()
        while self.retries and self.retries[0][0] <= now:
            self.to_open.append(self.retries.popleft()[1])
        for _ in range(min(OPENED_AT_ONCE, len(self.to_open))):
            self._connect(self.to_open.popleft())
        while self.ticks and self.ticks[0][0] <= now:
            self._tick(*heapq.heappop(self.ticks)[2:])
        for descriptor, events in self.epoll.poll(0 if self.to_open else POLL_SECONDS):
            if descriptor in self.open:
                self._event(descriptor, events)

    # -- connections

    def _connect(self, slot: Slot) -> None:
        self.tried += 1
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((self.sources[slot.number % len(self.sources)], 0))
        error = client.connect_ex(self.addresses[slot.service])
        if error not in (0, errno.EINPROGRESS):
            self.attack.counts[errno.errorcode[error]] += 1
            client.close()
            self._retry(slot)
            return
        self.open[client.fileno()] = client, slot
        self.connecting.add(client.fileno())
        self.epoll.register(client.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _retry(self, slot: Slot) -> None:
        self.retries.append((time.monotonic() + RETRY_SECONDS, slot))

    def _drop(self, descriptor: int) -> Slot:
        client, slot = self.open.pop(descriptor)
        self.connecting.discard(descriptor)
        self.unsent.pop(descriptor, None)
        self.epoll.unregister(descriptor)
        client.close()
        slot.heard.clear()
        return slot

    def _ended(self, descriptor: int) -> None:
        self.attack.counts["ended by the server"] += 1
        self._retry(self._drop(descriptor))

    def _event(self, descriptor: int, events: int) -> None:
        if descriptor in self.connecting:
            self._opened(descriptor)
        elif events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._receive(descriptor)
        elif events & select.EPOLLOUT:
            self._send(descriptor, self.unsent.pop(descriptor, b""))

    def _opened(self, descriptor: int) -> None:
        client, slot = self.open[descriptor]
        self.connecting.remove(descriptor)
        if client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0:
            self.attack.counts["not connected"] += 1
            self._retry(self._drop(descriptor))
            return
        slot.opened += 1
        self.attack.counts["connections"] += 1
        self.epoll.modify(descriptor, select.EPOLLIN)
        self._schedule(descriptor, slot)
        self._follow(descriptor, self.attack.opened(slot))

    def _receive(self, descriptor: int) -> None:
        client, slot = self.open[descriptor]
        try:
            data = client.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended(descriptor)
            return
        self._follow(descriptor, self.attack.heard(slot, data))

    def _follow(self, descriptor: int, what: bytes | Reset) -> None:
        if isinstance(what, Reset):
            self.to_open.append(self._drop(descriptor))
        elif what:
            self._send(descriptor, self.unsent.pop(descriptor, b"") + what)

    def _send(self, descriptor: int, data: bytes) -> None:
        client, _ = self.open[descriptor]
        try:
            sent = client.send(data) if data else 0
        except BlockingIOError:
            sent = 0
        except OSError:
            self._ended(descriptor)
            return
        if sent < len(data):
            self.unsent[descriptor] = data[sent:]
        self.epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if sent < len(data) else 0))

    # -- what comes of its own

    def _schedule(self, descriptor: int, slot: Slot) -> None:
        if self.attack.pause > 0:
            at = time.monotonic() + self.attack.pause
            heapq.heappush(self.ticks, (at, next(self.turns), descriptor, slot.opened, slot))

    def _tick(self, descriptor: int, opened: int, slot: Slot) -> None:
        """Of that connection of the slot, if it still has it."""
        if self.open.get(descriptor, (None, None))[1] is not slot or slot.opened != opened:
            return
        self._schedule(descriptor, slot)
        self._follow(descriptor, self.attack.tick(slot))


def say(line: str) -> None:
    print(line, flush=True)


class Leader:
    """The lines on standard input."""

    def __init__(self, swarm: Swarm):
        self.swarm = swarm
        self.waiting = b""
        self.goal: int | None = None
        self.has_said_up = True

    def run(self) -> None:
        while self._take_lines():
            self.swarm.turn()
            if not self.has_said_up and self.swarm.is_up():
                self.has_said_up = True
                say("up")
            if self.has_said_up and self.goal is not None and self.swarm.attack.done >= self.goal:
                self.goal = None
                say("done")

    def _take_lines(self) -> bool:
        """False at the end of the input."""
        if select.select([0], [], [], 0)[0]:
            data = os.read(0, 1000)
            if not data:
                return False
            self.waiting += data
        while b"\n" in self.waiting:
            line, self.waiting = self.waiting.split(b"\n", 1)
            self._obey(*line.decode().split())
        return True

    def _obey(self, word: str, count: str = "0") -> None:
        if word == "begin":
            self.goal = self.swarm.attack.done + int(count)
            self.has_said_up = False
            self.swarm.begin()
        else:
            self.goal = None
            self.swarm.end()
            say(json.dumps({"done": self.swarm.attack.done, **self.swarm.attack.counts}))


def main() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    options = json.loads(sys.argv[1])
    attack = ATTACKS[options["attack"]](
        Target(bytes.fromhex(options["user"]), options["group"]), options["pause"]
    )
    Leader(Swarm(attack, options["addresses"], options["sources"], options["connections"])).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
