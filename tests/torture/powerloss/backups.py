"""Backups of a server that is busy, made as docs/operations.md tells, each of which must be whole and start.

What was acknowledged when a backup began must be in it. What came later may be, and what receivers took meanwhile may
be missing. A snapshot of the file system needs no look of its own: it is a power cut that loses nothing.
"""

import shutil
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .clients import Run, in_threads
from .ledger import Ledger
from .loads import LOADS
from .recording import Streams
from .rounds import Round, judge, record
from .server import Server

AT_MOST = 5  # in a round


@dataclass(frozen=True)
class Backup:
    root: Path
    began: int  # sizes of the recording
    ended: int


def back_up(server: Server, data: Path) -> None:
    """The journal, the database, the files: in this order."""
    data.mkdir(parents=True, mode=0o700)
    shutil.copy(server.data / "journal", data / "journal")
    source, target = sqlite3.connect(server.data / "kesher.db"), sqlite3.connect(data / "kesher.db")
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()
    for name in ("files", "messages"):
        _copy_what_stays(server.data / name, data / name)


def _copy_what_stays(source: Path, target: Path) -> None:
    """As rsync does: what goes before its turn is left out."""
    target.mkdir(mode=0o700)
    for path in source.iterdir():
        try:
            if path.is_dir():
                _copy_what_stays(path, target / path.name)
            else:
                shutil.copy(path, target / path.name)
        except FileNotFoundError:
            continue


def backups_under(load: str, folder: Path, made: list[Backup]) -> Callable[[Run], None]:
    """That load, and beside it backups until it is over."""

    def act(run: Run) -> None:
        is_over = threading.Event()

        def use() -> None:
            try:
                LOADS[load].act(run)
            finally:
                is_over.set()

        def back_up_again() -> None:
            while not is_over.is_set() and len(made) < AT_MOST:
                root, began = folder / f"backup-{len(made)}", run.begins()
                back_up(run.server, root / "data")
                made.append(Backup(root, began, run.begins()))
                is_over.wait(run.chance.uniform(0, 0.2))

        in_threads(use, back_up_again)

    return act


def owed_by(backup: Backup, made: Round, streams: Streams) -> Ledger:
    began, ended = streams.moment_of(backup.began), streams.moment_of(backup.ended)
    meanwhile = [
        (moment, what, values)
        for moment, what, values in made.notes
        if what == "delivered" and began < moment <= ended
    ]
    return made.owed(began).at(meanwhile, ended)


def check_backups(load: str, seed: str, folder: Path) -> tuple[int, list[str]]:
    """How many were made, and what is wrong with them."""
    backups: list[Backup] = []
    made = record(folder / "first", load, seed, act=backups_under(load, folder, backups))
    streams = Streams(made.entries())
    problems = []
    for backup in backups:
        problems += [f"{text}, in {backup.root.name}" for text in judge(backup.root, owed_by(backup, made, streams))]
    return len(backups), problems
