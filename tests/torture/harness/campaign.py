"""What a campaign is: one way to break kesher, as rounds that are independent of each other and have numbers.

A round is a function of a `Trial`. It does its damage, looks at what came of it, counts what it did, and tells what
was wrong. What it does by chance it takes from `trial.chance`, so that seed and number repeat it, as far as threads
and networks take the same turns. It may run in parallel with others, in a process of its own, which is killed with all
that it has started when it takes too long.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROUND_SECONDS = 300


@dataclass
class Trial:
    """One round of a campaign, and what came of it."""

    campaign: str
    seed: int
    number: int
    folder: Path  # empty and its own; gone afterwards, unless something was wrong
    counts: Counter = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self):
        self.chance = random.Random(f"{self.seed} {self.campaign} {self.number}")

    def count(self, what: str, number: int = 1) -> None:
        """What was done, in words that make a column of the table: "images", "kills"."""
        self.counts[what] += number

    def problem(self, text: str, repeat: str | None = None) -> None:
        """What was wrong, its kind before a colon; and the command that repeats it, where that is not the round's."""
        self.problems.append((text, repeat or self.repeat))

    @property
    def repeat(self) -> str:
        return f"tests/torture/torture.py {self.campaign} --seed {self.seed} --round {self.number}"


@dataclass(frozen=True)
class Campaign:
    """`full` rounds, or minutes of them, are what docs/reliability.md tells of; where `rounds` says how many there
    are, or which numbers they have (it is given the seed and an empty folder), less than all of them are chosen by
    chance."""

    name: str
    about: str
    round: Callable[[Trial], None]
    sample: int  # rounds in `make test`; 0: none, it has another place there
    share: int  # minutes of the hour that `make torture` takes
    full: int | None = None  # rounds; None: all that there are, or `full_minutes`
    full_minutes: int | None = None
    rounds: Callable[[int, Path], int | Sequence[int]] | None = None
    seconds: int = ROUND_SECONDS  # a round that takes longer hangs
    needs: Callable[[], str] = lambda: ""  # why it cannot run here; empty: it can
