"""Allocations that fail inside a running server: each one of the standard run once, many at once, and each one of a
start. After every one the server is alive, serves all and holds nothing that nobody uses; after kill -9 all that was
acknowledged is there.
"""

import errno
import signal
import threading

from harness.campaign import Campaign, Trial
from powerloss.guest import Course

from .failing import NO_OPERATORS, FailingServer, needs
from .injection import FOR_EVER, KINDS, Fault, Maps

MEMORY = [kind for kind in KINDS if kind.startswith("memory")]
ONCE_ROUNDS = 1000  # each has every 1000th allocation
START_ROUNDS = 1500
MORE = 1.05  # runs differ a little in how many there are
GROUP = 4  # faults, one behind the other, before everything is looked at
EPISODES = 8
LIVES = 4  # of a round in which things are wrong


class FailingAllocations(FailingServer):
    def __init__(self, trial: Trial, *, workers: int = 1):
        super().__init__(trial.folder, workers=workers)
        self.trial = trial
        self.reported = 0  # of the life's problems
        self.lives = LIVES

    def begin(self) -> None:
        """A start and a run in which nothing fails: what is allocated once and for all, is."""
        self.life.start()
        self.maps = Maps(self.server.process.pid)
        self.life.serves_again()

    def count_suffering(self, course: Course) -> None:
        for what in ("refusals", "connections lost"):
            self.trial.count(what, course.counts[what])

    def attribute(self, *what: str, begun: int = 0) -> bool:
        """The problems that came since the last time are told with what has failed then. False: there were some."""
        problems, self.reported = self.life.problems[self.reported :], len(self.life.problems)
        if problems:
            failed = self.injection.faults(self.maps)[begun:]
            more = [f"and {len(failed) - 5} more"] if failed[5:] else []
            described = "\n    failed: ".join(["", *failed[:5], *more])
            for problem in problems:
                self.trial.problem(f"{problem} [{', '.join(what)}]{described}")
        return not problems

    def begin_again(self) -> bool:
        """Something was wrong: another life begins. False: it was the last one."""
        self.lives -= 1
        self.life.die()
        if self.lives == 0:
            return False
        self.begin()
        self.attribute("after kill -9")
        return True

    def end(self) -> None:
        """kill -9, and what was acknowledged."""
        self.injection.relieve()
        self.life.die()
        self.life.start()
        self.trial.count("kills")
        self.attribute("after kill -9")
        self.life.die()


def fail_once(trial: Trial) -> None:
    """Of every kind, each allocation whose number in the run leaves the round's as the rest."""
    failing = FailingAllocations(trial)
    failing.begin()
    counts = failing.count(lambda: failing.life.run(is_strict=True), MEMORY)
    faults = [
        Fault(kind, errno.ENOMEM, start=start)
        for kind, count in counts.items()
        for start in range(trial.number % ONCE_ROUNDS + 1, int(count * MORE) + 1, ONCE_ROUNDS)
    ]
    while faults:
        group, faults = faults[:GROUP], faults[GROUP:]
        begun = failing.injection.failed()
        for fault in group:
            failing.injection.arm(fault)
            failing.count_suffering(failing.life.run())
            failing.injection.relieve()
        trial.count("allocations failed", failing.injection.failed() - begun)
        failing.life.serves_again()
        if not failing.attribute(*map(str, group), begun=begun) and not failing.begin_again():
            break
    failing.end()


def fail_start(trial: Trial) -> None:
    """Of every kind, each allocation of a start whose number leaves the round's as the rest: it fails once, or it
    and all behind it do. The start ends with a word and a status, or is a whole one; the next one is as ever."""
    failing = FailingAllocations(trial)
    failing.begin()  # with something to be loaded
    failing.life.die()
    counts = failing.count(failing.life.start, MEMORY)
    failing.life.die()
    for kind, count in counts.items():
        for start in range(trial.number % START_ROUNDS + 1, int(count * MORE) + 1, START_ROUNDS):
            for in_a_row in (1, FOR_EVER):
                fail_one_start(failing, Fault(kind, errno.ENOMEM, start=start, in_a_row=in_a_row))


def fail_one_start(failing: FailingAllocations, fault: Fault) -> None:
    trial, life = failing.trial, failing.life
    begun = failing.injection.failed()
    failing.injection.arm(fault)
    try:
        life.start(ready=failing.injection.relieve)
    except AssertionError:
        judge_no_start(failing, fault)
        failing.injection.relieve()
        life.start()  # as ever
    else:
        go_on(failing)
    failing.attribute(str(fault), begun=begun)
    trial.count("allocations failed", failing.injection.failed() - begun)
    life.die()


def go_on(failing: FailingAllocations) -> None:
    if NO_OPERATORS in failing.server.log(failing.life.begun_log):
        failing.trial.count("starts without operators")
        return
    failing.life.run(is_strict=True)
    failing.trial.count("starts in spite of it")


def judge_no_start(failing: FailingAllocations, fault: Fault) -> None:
    """The first tables of its loops libuv allocates in one step with what needs them: without, it aborts."""
    if fault.kind == "memory libuv" and failing.server.process.poll() == -signal.SIGABRT:
        failing.server.kill()
        failing.trial.count("starts that libuv has ended")
        return
    failing.life.judge_refused_start(failing.life.begun_log)
    failing.trial.count("starts refused")


def fail_some(trial: Trial) -> None:
    """Several at once: each by chance, or some in a row now and then, of all who ask or of some; with some clients
    at the same time."""
    failing = FailingAllocations(trial, workers=2)
    failing.begin()
    chance = trial.chance
    for _ in range(EPISODES):
        kinds = MEMORY if chance.random() < 0.4 else chance.sample(MEMORY, chance.randint(1, 2))
        if chance.random() < 0.5:
            how = {"in_a_row": FOR_EVER, "chance": 10 ** -chance.uniform(0.7, 3.5)}
        else:
            how = {"in_a_row": chance.choice((2, 5, 20, 200)), "every": chance.choice((500, 2000, 10_000))}
        faults = [Fault(kind, errno.ENOMEM, start=chance.randint(1, 300), **how) for kind in kinds]
        least_size = chance.choice((0, 0, 0, 64, 1000, 4096))
        if not go_through(failing, faults, least_size=least_size) and not failing.begin_again():
            break
    failing.end()


def fail_all(trial: Trial) -> None:
    """There is no memory for a while, or none for more than a little."""
    failing = FailingAllocations(trial, workers=2)
    failing.begin()
    for _ in range(EPISODES):
        faults = [Fault(kind, errno.ENOMEM, start=1, in_a_row=FOR_EVER) for kind in MEMORY]
        least_size = trial.chance.choice((0, 16, 256, 1024, 16_384, 100_000))
        after = trial.chance.uniform(0, 0.1)
        if not go_through(failing, faults, least_size=least_size, after=after) and not failing.begin_again():
            break
    failing.end()


def go_through(failing: FailingAllocations, faults: list[Fault], *, least_size: int, after: float = 0) -> bool:
    """Standard runs under these faults, and one without. False: something was wrong."""
    trial, injection = failing.trial, failing.injection
    begun = injection.failed()
    injection.spare_below(least_size)
    timer = threading.Timer(after, lambda: [injection.arm(fault) for fault in faults])
    timer.start()
    try:
        course = failing.life.run(threads=trial.chance.randint(1, 3))
    finally:
        timer.join()
        injection.relieve()
    trial.count("allocations failed", injection.failed() - begun)
    failing.count_suffering(course)
    failing.life.serves_again()
    return failing.attribute(*map(str, faults), f"not below {least_size} bytes", begun=begun)


def fail_stop(trial: Trial) -> None:
    """An orderly end for which there is no memory: it comes, and nothing is lost."""
    failing = FailingAllocations(trial)
    failing.begin()
    for _ in range(EPISODES):
        kinds = MEMORY if trial.chance.random() < 0.5 else trial.chance.sample(MEMORY, 1)
        faults = [
            Fault(kind, errno.ENOMEM, start=trial.chance.randint(1, 10), in_a_row=FOR_EVER) for kind in kinds
        ]
        begun = failing.injection.failed()
        failing.life.run()
        for fault in faults:
            failing.injection.arm(fault)
        failing.life.stop()
        trial.count("stops")
        trial.count("allocations failed", failing.injection.failed() - begun)
        failing.injection.relieve()
        failing.life.start()
        failing.attribute(*map(str, faults), begun=begun)
    failing.end()


CAMPAIGNS = [
    Campaign(
        "memory/once",
        "each allocation of a standard run fails once; the server serves on",
        fail_once,
        sample=1,
        share=5,
        rounds=lambda seed, folder: ONCE_ROUNDS,
        needs=needs,
    ),
    Campaign(
        "memory/start",
        "each allocation of a start fails, once or for good: a whole start, or a word and a status",
        fail_start,
        sample=1,
        share=4,
        rounds=lambda seed, folder: START_ROUNDS,
        needs=needs,
    ),
    Campaign(
        "memory/some",
        "allocations fail by chance, or some in a row, with several clients",
        fail_some,
        sample=1,
        share=3,
        full=300,
        needs=needs,
    ),
    Campaign(
        "memory/none",
        "there is no memory at all for a while, or none for more than a little",
        fail_all,
        sample=1,
        share=2,
        full=300,
        needs=needs,
    ),
    Campaign(
        "memory/stop",
        "there is no memory from the order to stop on",
        fail_stop,
        sample=1,
        share=1,
        full=100,
        needs=needs,
    ),
]
