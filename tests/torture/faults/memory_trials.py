"""Allocations that fail inside a running server: each one of the standard run once, many at once, and each one of a
start. After every one the server is alive, serves all and holds nothing that nobody uses; after kill -9 all that was
acknowledged is there.
"""

import errno

from harness.campaign import Campaign, Trial

from .injection import FOR_EVER, KINDS, Fault, Injection, Maps
from .life import Life, StandardServer, needs

MEMORY = [kind for kind in KINDS if kind.startswith("memory")]
ONCE_ROUNDS = 500  # each has every 500th allocation
START_ROUNDS = 300
MORE = 1.05  # runs differ a little in how many there are
DEATHS = 3  # then the rest of a round is left out


class Failing:
    """A life of a server whose allocations fail when they are told to."""

    def __init__(self, trial: Trial, *, workers: int = 1):
        self.trial = trial
        self.injection = Injection(trial.folder / "faults")
        root = trial.folder / "root"
        self.server = StandardServer(root, workers=workers, variables=self.injection.variables(root))
        self.life = Life(self.server)
        self.told = 0

    def begin(self) -> None:
        """A start and a run in which nothing fails: what is allocated once and for all, is."""
        self.life.start()
        self.maps = Maps(self.server.process.pid)
        self.life.run(is_strict=True)

    def count(self) -> dict[str, int]:
        """The allocations of a run, by who asks for them."""
        before = self.injection.calls()
        self.life.run(is_strict=True)
        after = self.injection.calls()
        return {kind: after[kind] - before[kind] for kind in MEMORY}

    def attribute(self, *what: str, begun: int = 0) -> None:
        """The problems that came since the last time are told with what has failed then."""
        problems, self.told = self.life.problems[self.told :], len(self.life.problems)
        if problems:
            failed = self.injection.faults(self.maps)[begun:]
            described = "\n    failed: ".join(["", *failed[:5], *([f"and {len(failed) - 5} more"] if failed[5:] else [])])
            for problem in problems:
                self.trial.problem(f"{problem} [{', '.join(what)}]{described}")

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
    failing = Failing(trial)
    failing.begin()
    numbers = {kind: int(count * MORE) for kind, count in failing.count().items()}
    faults = [
        Fault(kind, errno.ENOMEM, start=start)
        for kind, count in numbers.items()
        for start in range(trial.number % ONCE_ROUNDS + 1, count + 1, ONCE_ROUNDS)
    ]
    deaths = 0
    for fault in faults:
        begun = failing.injection.failed()
        failing.injection.arm(fault)
        course = failing.life.run()
        failing.injection.relieve()
        trial.count("allocations failed", failing.injection.failed() - begun)
        trial.count("refusals", course.counts["refusals"])
        trial.count("connections lost", course.counts["connections lost"])
        alive = failing.life.serves_again()
        failing.attribute(str(fault), begun=begun)
        if not alive:
            deaths += 1
            failing.life.die()
            if deaths == DEATHS:
                break
            failing.begin()
            failing.attribute("the next start")
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
]
