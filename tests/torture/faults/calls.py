"""System calls that fail: each call of a standard run once, some by chance, one for ever, short ones, and those of a
start. A life of a server in each round, and a second one behind kill -9, in which nothing fails.

The number of a round says what fails, where all are gone through: `number_of`.
"""

import errno
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from harness.campaign import Campaign, Trial
from peer.kesherd import open_descriptors, open_files_of_users
from powerloss.guest import PATIENCE
from powerloss.server import Server

from .failing import NO_OPERATORS, FailingServer, needs
from .injection import FOR_EVER, KINDS, NUMBERS, SHORT, Fault, Maps

MOST_CALLS = 100_000  # of a kind
ERRORS = 10  # of a kind
MARGIN = 1.1  # a run makes a few calls more or less
MANY = 60  # a fault for ever begins at one of so many calls
SHOWN_FAULTS = 6

CALLS = [kind for kind in KINDS if not kind.startswith("memory")]


def number_of(fault: Fault) -> int:
    """Of its kind, its error and its call, in decimal places of their own."""
    return (NUMBERS[fault.kind] * ERRORS + KINDS[fault.kind].index(fault.error)) * MOST_CALLS + fault.start


def fault_of(number: int) -> Fault:
    rest, call = divmod(number, MOST_CALLS)
    kind = list(KINDS)[rest // ERRORS]
    return Fault(kind, KINDS[kind][rest % ERRORS], start=call)


def numbers_of(calls: dict[str, int]) -> Iterator[int]:
    """All calls of a run with each of their errors."""
    for kind, count in calls.items():
        for error in KINDS[kind]:
            for call in range(1, int(count * MARGIN) + 1 if count else 0):
                yield number_of(Fault(kind, error, start=call))


NAMELESS = "socket names"  # a listener whose address the server cannot tell serves, but nobody here finds it


class FailingCalls(FailingServer):
    told: list[str] = []  # what has failed, with its place

    def relieve(self) -> None:
        """Nothing fails any more."""
        self.injection.relieve()
        if self.server.is_running():
            self.told = self.injection.faults(Maps(self.server.process.pid), SHOWN_FAULTS)
        else:
            self.told = self.injection.faults(None, SHOWN_FAULTS)

    def descriptors(self) -> tuple[float, Counter]:
        """How many it has, and the files among them; but for the database itself: where opening it has failed, SQLite
        keeps the descriptor for the next connection, since to close it would give up the locks of all others. A file that
        is just summed is closed soon, when nobody else wants a core."""
        end = time.monotonic() + PATIENCE
        while open_files_of_users(self.server) and time.monotonic() < end:
            time.sleep(0.02)
        files = Counter()
        for path in open_descriptors(self.server):
            with suppress(FileNotFoundError):  # one that has just been closed
                files[path.readlink()] += 1
        database = files.pop(self.server.data / "kesher.db", 0)
        named = Counter({path.name: count for path, count in files.items() if path.is_absolute()})
        return self.server.held()["process_open_fds"] - database, named

    def live_on(self, trial: Trial) -> None:
        """Behind the faults: it serves, dies, starts, and serves with no more descriptors than before."""
        held, files = self.descriptors() if self.life.serves_again() else (0, Counter())
        self.life.die()
        self.life.start()
        if self.life.serves_again() and held > (usual := self.descriptors())[0]:
            self.life.problems.append(f"descriptors leaked: {held} instead of {usual[0]}, {files - usual[1]}")
        self.life.die()
        failed = self.injection.failed()
        trial.count("faults" if failed else "rounds without one", failed or 1)
        self.tell(trial)

    def tell(self, trial: Trial) -> None:
        for problem in self.life.problems:
            trial.problem(f"{problem}\n    behind {self.told or 'no fault'}")


# -- one fault


def count_run(seed: int, folder: Path) -> list[int]:
    victim = FailingCalls(folder)
    try:
        victim.life.start()
        return list(numbers_of(victim.count(victim.life.run, CALLS)))
    finally:
        victim.server.kill()


def once(trial: Trial) -> None:
    victim = FailingCalls(trial.folder)
    victim.life.start()
    victim.injection.arm(fault_of(trial.number))
    victim.life.run()
    victim.relieve()
    victim.live_on(trial)


# -- many faults


def any_fault(dice: random.Random, calls: dict[str, int], **options) -> Fault:
    """Of a kind of which a run makes calls, so many."""
    kind = dice.choice([kind for kind, count in calls.items() if count > 0])
    return Fault(kind, dice.choice(KINDS[kind]), start=dice.randint(1, min(calls[kind], MANY)), **options)


def some(trial: Trial) -> None:
    """Calls of some kinds fail now and then, some times in a row, under two runs at once; several times."""
    victim = FailingCalls(trial.folder)
    chance = trial.chance
    victim.life.start()
    calls = victim.count(victim.life.run, CALLS)
    for _ in range(3):
        for _ in range(chance.randint(1, 4)):
            often = chance.choice((0.02, 0.1, 0.5, 1))
            row = {"in_a_row": chance.choice((1, 2, 5)), "every": chance.choice((7, 30))}
            victim.injection.arm(any_fault(chance, calls, chance=often, **row, is_torn=chance.random() < 0.3))
        victim.life.run(threads=2)
        victim.relieve()
        if victim.life.is_dead():
            break
    victim.live_on(trial)


def for_ever(trial: Trial) -> None:
    """All calls of a kind, until somebody mends it: in the middle of the run, for whom nothing is served waits."""
    victim = FailingCalls(trial.folder)
    victim.life.start()
    calls = victim.count(victim.life.run, CALLS)
    victim.injection.arm(any_fault(trial.chance, calls, in_a_row=FOR_EVER))
    mended = threading.Timer(trial.chance.uniform(0.1, 0.6), victim.injection.relieve)
    mended.start()
    victim.life.run()
    mended.join()
    victim.relieve()
    victim.live_on(trial)


def short(trial: Trial) -> None:
    """Whatever can be short is, now and then or always, and interrupted; from the start on."""
    victim = FailingCalls(trial.folder)
    for kind, errors in KINDS.items():
        often = trial.chance.choice((0, 0.2, 1))
        if SHORT in errors and often:
            interrupted = trial.chance.random() < 0.3
            often = min(often, 0.3) if interrupted else often
            error = errno.EINTR if interrupted else SHORT
            victim.injection.arm(Fault(kind, error, in_a_row=FOR_EVER, chance=often))
    start_with_faults(victim, trial)
    if victim.server.is_running():
        victim.life.run(threads=2)
    victim.relieve()
    victim.live_on(trial)


# -- the start


def start_with_faults(victim: FailingCalls, trial: Trial) -> None:
    """It starts, or ends with a status and a word. Where the log has lost the word of a start, nobody knows its ports."""
    server = victim.server
    size = server.log_path.stat().st_size if server.log_path.exists() else 0
    try:
        server.start()
        trial.count("starts")
        return
    except AssertionError:
        if is_log_broken(victim) and serves_operators(server):
            trial.count("starts that the log has lost")
            server.kill()
            return
        victim.life.judge_refused_start(size, is_mute=is_log_broken(victim))
        trial.count("starts refused")


def serves_operators(server: Server) -> bool:
    if not server.is_running():
        return False
    try:
        with server.operator() as operator:
            operator.succeed("1 groups")
            return True
    except (OSError, ValueError, AssertionError):
        return False


def is_log_broken(victim: FailingCalls) -> bool:
    return any("write log" in fault for fault in victim.injection.faults(None))


def begin(victim: FailingCalls) -> None:
    """What the start is to find: a life that ended in the middle."""
    victim.life.start()
    victim.life.run()
    victim.life.die()


def count_start(seed: int, folder: Path) -> list[int]:
    victim = FailingCalls(folder)
    try:
        begin(victim)
        return list(numbers_of(victim.count(victim.server.start, [kind for kind in CALLS if kind != NAMELESS])))
    finally:
        victim.server.kill()


def start(trial: Trial) -> None:
    victim = FailingCalls(trial.folder)
    begin(victim)
    victim.injection.arm(fault_of(trial.number))
    size = victim.server.log_path.stat().st_size
    start_with_faults(victim, trial)
    victim.relieve()
    if NO_OPERATORS in victim.server.log(size):
        trial.count("starts without operators")
        victim.life.die()
    if not victim.server.is_running():
        victim.life.start()
    victim.live_on(trial)


def campaign(name: str, about: str, act: Callable[[Trial], None], **options) -> Campaign:
    return Campaign(name=f"calls/{name}", about=about, round=act, needs=needs, **options)


CAMPAIGNS = [
    campaign("once", "each system call of a standard run fails once", once, sample=3, share=4, rounds=count_run),
    campaign("start", "each system call of a start fails once", start, sample=2, share=2, rounds=count_start),
    campaign("some", "system calls fail now and then", some, sample=1, share=2, full=300),
    campaign("forever", "a system call fails until it is mended", for_ever, sample=2, share=1, full=300),
    campaign("short", "reads and writes are short or interrupted", short, sample=1, share=1, full=200),
]
