#!/usr/bin/python3
"""Attacks the server in rounds while honest users work, and watches their progress and the server's memory.

A scenario is an attack (overload_attacks.py), from one address or from many, that a process of its own carries out
(overload_attackers.py). In every round all attacking connections are opened, the attack does its work, and meanwhile
an upload, a conversation and a chat take some steps each, every answer of which is checked. Then the attackers are
reset, the server lets their sockets go, gives back what a crowd of them has used, and its resident set size is noted.
The exit status is 1 where that grows.

Usage: torture_overload.py [--full] [--rounds N] [--from one|many] [SCENARIO...]
"""

import argparse
import itertools
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from peer import crypto  # noqa: E402
from peer.chat import LineClient  # noqa: E402
from peer.conversation import wait_until  # noqa: E402
from peer.drop import User  # noqa: E402
from peer.kesherd import Kesherd, open_descriptors  # noqa: E402
from peer.load import FILE_SIZE, TEXTS, Load, Step, chatting, conversing, stop_all  # noqa: E402
from peer.messages import MessagesClient  # noqa: E402

MIB = 1 << 20
ROUNDS = 10
GROWTH_LIMIT = 8 * MIB
STEPS_PER_ROUND = 2
PATIENCE_SECONDS = 120
HELD_BY_HONEST_ONES = 8  # sockets that may come and go with what honest users do
CROWD = 1000  # connections, after which the server gives memory back (src/net/housekeeping.h),
CROWD_GOES_SECONDS = 8  # and how long that takes it at most, with some to spare
ONE_ADDRESS = ["127.9.9.9"]


def many_addresses(count: int) -> list[str]:
    return [f"127.20.{number // 250}.{number % 250 + 1}" for number in range(count)]


@dataclass(frozen=True)
class Scenario:
    """An attack in one size. `goal` is how much of its work it does in each round at least, from many addresses or,
    where another number stands for that, from one, whose limits are in its way."""

    attack: str
    connections: int
    goal: int
    pause: float = 0.0  # seconds
    addresses: int = 250  # where it comes from many
    goal_from_one: int | None = None
    settings: tuple[tuple[str, object], ...] = ()


def scenarios(*entries: Scenario) -> dict[str, Scenario]:
    return {entry.attack: entry for entry in entries}


# Registrations come to an end in the first round: after that they are refused, as they would be for the rest of an
# hour, and memory has no reason to grow.
SMALL = scenarios(
    Scenario("trickle", 150, 300, 0.1, settings=(("header_timeout", 1),)),
    Scenario("idle", 300, 300),
    Scenario("registrations", 20, 2000, addresses=20, settings=(("registrations_per_hour", 50),)),
    Scenario("unknown codes", 20, 2000),
    Scenario("half frames", 60, 60, 0.1),
    Scenario("wrong passwords", 60, 60, addresses=60, goal_from_one=20),
    Scenario("resets", 60, 500, 0.1),
)
FULL = scenarios(
    Scenario("trickle", 10_000, 50_000, 2.0, goal_from_one=2000, settings=(("header_timeout", 5),)),
    Scenario("idle", 10_000, 10_000),
    Scenario("registrations", 500, 50_000, settings=(("registrations_per_hour", 100),)),
    Scenario("unknown codes", 1000, 200_000),
    Scenario("half frames", 2000, 6000, 1.0, goal_from_one=2000),
    Scenario("wrong passwords", 2000, 4000, addresses=1000, goal_from_one=500),
    Scenario("resets", 500, 20_000, 0.5),
)
LIMITS_FOR_ONE = {
    "small": {"connections_per_address": 40, "registrations_per_hour": 50},
    "full": {"connections_per_address": 1000, "registrations_per_hour": 1000},  # what a server has anyway
}


class Attackers:
    """The process that attacks, from here."""

    def __init__(self, server: Kesherd, scenario: Scenario, sources: list[str], user: bytes, group: int):
        options = {
            "attack": scenario.attack,
            "addresses": {
                "drop": server.address,
                "chat": server.chat_address,
                "ask": server.ask_address,
            },
            "sources": sources,
            "connections": scenario.connections,
            "pause": scenario.pause,
            "user": user.hex(),
            "group": group,
        }
        program = Path(__file__).with_name("overload_attackers.py")
        self.process = subprocess.Popen(
            [sys.executable, str(program), json.dumps(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # what select tells must not wait in a buffer already
        )

    def begin(self, goal: int) -> None:
        self._say(f"begin {goal}")
        self.expect("up")

    def expect(self, wanted: str) -> None:
        line = self._hear()
        assert line == wanted, f"the attackers said {line!r} instead of {wanted!r}"

    def end(self) -> dict[str, int]:
        """Resets all connections; what was counted since the first round."""
        self._say("end")
        return json.loads(self._hear())

    def close(self) -> None:
        self.process.stdin.close()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()

    def _say(self, line: str) -> None:
        self.process.stdin.write(line.encode() + b"\n")

    def _hear(self) -> str:
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            assert selector.select(PATIENCE_SECONDS), "the attackers do not get on"
        line = self.process.stdout.readline()
        assert line, f"the attackers are gone, exit status {self.process.wait()}"
        return line.decode().rstrip("\n")


def uploading_anew(server: Kesherd, user: User) -> Step:
    """Connects, gets a key, replaces a file; the connection is a new one each time."""
    plain = os.urandom(FILE_SIZE)

    def step(number: int) -> None:
        with server.connect(PATIENCE_SECONDS) as client:
            client.reconnect(user)
            client.put(user, f"file {number % 5}", plain)

    return step


@dataclass
class Progress:
    """What honest users have got done."""

    uploaded_bytes: int
    messages: int
    lines: int

    def __str__(self) -> str:
        return f"{self.uploaded_bytes / 1e6:.1f} MB, {self.messages} messages, {self.lines} lines"


class Honest:
    """The honest users of one server, from before the attack on."""

    def __init__(self, server: Kesherd, new_user: Callable[[], User]):
        self.server = server
        self.client: MessagesClient = server.connect(PATIENCE_SECONDS)
        self.host = LineClient(server.chat_address, timeout=PATIENCE_SECONDS)
        self.guest = LineClient(server.chat_address, timeout=PATIENCE_SECONDS)
        uploader = self.client.introduce(new_user())
        self.victim = self.client.introduce(new_user())  # whose id attackers have
        self._steps = (
            uploading_anew(server, uploader),
            conversing(self.client, new_user),
            chatting(self.host, self.guest),
        )
        self.group = self.host.group
        self.loads: list[Load] = []

    def start(self) -> None:
        self.loads = [Load(step) for step in self._steps]

    def progress(self) -> Progress:
        uploads, conversations, lines = (load.count for load in self.loads)
        return Progress(uploads * FILE_SIZE, conversations * TEXTS, lines)

    def await_steps(self, count: int) -> None:
        """Until each has begun and ended so many more."""
        wanted = [(load, load.count + count + 1) for load in self.loads]
        for load, to in wanted:
            wait_until(lambda load=load, to=to: load.has_got_to(to), "progress of honest users")

    def stop(self) -> None:
        try:
            stop_all(self.loads)
        finally:
            for client in (self.client, self.host, self.guest):
                client.close()


def open_sockets(server: Kesherd) -> int:
    """How many descriptors of the server are sockets."""
    count = 0
    for descriptor in open_descriptors(server):
        with suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(descriptor).startswith("socket:")
    return count


@dataclass
class Result:
    """What one scenario came to."""

    resident: list[int] = field(default_factory=list)  # bytes after each round
    under_attack: list[int] = field(default_factory=list)  # bytes while all attackers were there
    sockets_before: int = 0
    most_sockets: int = 0
    progress: list[Progress] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    flooded_names: int = 0  # users that the attack registered, whether it heard so or not

    @property
    def growth(self) -> int:
        """From the second round to the last: in the first ones buffers and pools get their size."""
        return self.resident[-1] - self.resident[:2][-1]

    def __str__(self) -> str:
        resident = " ".join(f"{size / MIB:.1f}" for size in self.resident)
        return (
            f"  RSS after rounds, MiB: {resident}; growth {self.growth / MIB:+.1f}; "
            f"under attack at most {max(self.under_attack) / MIB:.1f}\n"
            f"  honest: {self.progress[-1]}; most sockets: {self.most_sockets}\n"
            f"  attackers: {self.counts}, registered: {self.flooded_names}"
        )


def _round(result: Result, honest: Honest, attackers: Attackers, goal: int) -> None:
    server = honest.server
    attackers.begin(goal)
    honest.await_steps(STEPS_PER_ROUND)
    attackers.expect("done")
    result.most_sockets = max(result.most_sockets, open_sockets(server))
    result.under_attack.append(server.resident_bytes())
    result.counts = attackers.end()
    most = result.sockets_before + HELD_BY_HONEST_ONES
    wait_until(lambda: open_sockets(server) <= most, "the end of the attackers' connections")
    if result.most_sockets >= CROWD:
        time.sleep(CROWD_GOES_SECONDS)
    result.resident.append(server.resident_bytes())
    result.progress.append(honest.progress())


@contextmanager
def _under_way(honest: Honest) -> Iterator[None]:
    honest.start()
    try:
        yield
    finally:
        honest.stop()


def goal_of(scenario: Scenario, sources: list[str]) -> int:
    from_one = sources == ONE_ADDRESS and scenario.goal_from_one is not None
    return scenario.goal_from_one if from_one else scenario.goal


def attack(
    server: Kesherd,
    scenario: Scenario,
    sources: list[str],
    new_user: Callable[[], User],
    rounds: int = ROUNDS,
) -> Result:
    """Runs all rounds. AssertionError, or what surprised an honest user, where somebody does not get on."""
    honest, result = Honest(server, new_user), Result()
    with _under_way(honest):
        honest.await_steps(1)
        result.sockets_before = open_sockets(server)
        attackers = Attackers(server, scenario, sources, honest.victim.id, honest.group)
        try:
            for _ in range(rounds):
                _round(result, honest, attackers, goal_of(scenario, sources))
        finally:
            attackers.close()
    ((result.flooded_names,),) = server.rows("SELECT COUNT(*) FROM clients WHERE Name LIKE 'flood %'")
    return result


def settings(scenario: Scenario, sources: list[str], size: str) -> dict[str, object]:
    """The options of a server for that scenario. Nobody is exempt from limits by address."""
    limits = LIMITS_FOR_ONE[size] if sources == ONE_ADDRESS else {}
    return {"unlimited_networks": "none", **dict(scenario.settings), **limits}


def sources_of(scenario: Scenario, kind: str) -> list[str]:
    return ONE_ADDRESS if kind == "one" else many_addresses(scenario.addresses)


def run_alone(scenario: Scenario, kind: str, size: str, rounds: int) -> Result:
    """On a server of its own, outside of the tests."""
    key, numbers, sources = crypto.new_private_key(), itertools.count(), sources_of(scenario, kind)
    options = {"log_level": "info", "also": ("chat", "ask"), **settings(scenario, sources, size)}
    with tempfile.TemporaryDirectory() as temporary:
        server = Kesherd(Path(temporary, "data"), **options).start()
        try:
            return attack(server, scenario, sources, lambda: User(f"honest {next(numbers)}", key), rounds)
        finally:
            server.stop()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(FULL)}; by default all")
    parser.add_argument("--full", action="store_true", help="ten thousand connections, not hundreds")
    parser.add_argument("--from", dest="kinds", action="append", choices=("one", "many"))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    size, table = ("full", FULL) if options.full else ("small", SMALL)
    is_good = True
    for name in options.scenario or table:
        for kind in options.kinds or ("many", "one"):
            print(f"{name} from {kind}", flush=True)
            result = run_alone(table[name], kind, size, options.rounds)
            print(result, flush=True)
            is_good = is_good and result.growth <= GROWTH_LIMIT
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
