"""Operators' commands on the directory itself, while no server runs: the command is what is recorded then."""

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from .damaged import OTHER, VICTIM, make_damaged_directory, make_directory
from .disk import Snapshot
from .ledger import Ledger
from .recording import new_log, shorten_log
from .rounds import Round
from .server import recorded, release_program

COMMAND_SECONDS = 60

Notes = list[tuple[str, tuple]]


@dataclass(frozen=True)
class Command:
    words: tuple[str, ...]
    notes: Callable[[Ledger], tuple[Notes, Notes]]  # when it begins, and when it says that it is done
    before: Callable[[Path, Random], Ledger] = make_directory
    status: int = 0


def _removal(name: str) -> Command:
    def notes(owed: Ledger) -> tuple[Notes, Notes]:
        user = (name, owed.users[name][0])
        return [("removing", user)], [("removed", user)]

    return Command(("user", "remove", "--yes", name), notes)


COMMANDS = (
    _removal(VICTIM),  # for whom messages wait
    _removal(OTHER),  # who has files
    Command(("user", "reset-key", OTHER), lambda owed: ([("resetting", (OTHER,))], [("reset", (OTHER,))])),
    Command(
        ("check", "--repair"),
        lambda owed: ([], [("repaired", ())] if owed.damaged else []),
        make_damaged_directory,
        status=1,  # something was wrong
    ),
)


def record_command(folder: Path, seed: str, command: Command) -> Round:
    root, chance = folder / "root", Random(seed)
    root.mkdir(parents=True)
    owed = command.before(root, chance)
    made = Round(folder, " ".join(command.words), seed, Snapshot.of(root), owed, owed.copy())
    new_log(made.log)
    done = subprocess.run(
        [str(release_program()), *command.words, "--data", str(root / "data")],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **recorded(root, made.log)},
        timeout=COMMAND_SECONDS,
        check=False,
    )
    if done.returncode != command.status:
        raise AssertionError(f"{made.load}: status {done.returncode}, {done.stdout + done.stderr}")
    shorten_log(made.log)
    begun, ended = command.notes(owed)
    made.notes = [(0, *note) for note in begun] + [(len(made.entries()), *note) for note in ended]
    return made
