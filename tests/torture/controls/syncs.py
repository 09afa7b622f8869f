"""Leaves out the syncs of one place at a time: power cuts have to miss them, or nobody needs them.

The server is kesherd-release as it is. It is the disk that makes nothing durable by these syncs (powerloss/disk.py).
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.campaign import Trial
from powerloss.controls import Control, try_control
from powerloss.disk import ALL_KEPT, Style
from powerloss.places import Places
from powerloss.rounds import Image, Round, record, second_life
from powerloss.server import release_program

TRIES = 4  # recordings, each with two second lives


@dataclass(frozen=True)
class SyncedPlace:
    """All places whose names (places.py) have these words, and a load that needs them."""

    words: tuple[str, ...]
    load: str
    redundant: str = ""  # why nobody can tell
    images: int = 30  # of each life
    style: Style | None = None  # the one that tells, where hardly any other does

    def has(self, place: str) -> bool:
        return all(words in place for words in self.words)


SYNCED_PLACES = [
    SyncedPlace(("SQLite: fdatasync of kesher.db-wal,",), "registrations"),
    SyncedPlace(("SQLite: fdatasync of kesher.db,",), "checkpoints"),
    # Missed only where the first page of a new database comes out as zeros, and the power fails before the next call.
    SyncedPlace(("SQLite: fdatasync of kesher.db-journal,",), "registrations", images=120),
    SyncedPlace(("SQLite: fdatasync of data,",), "registrations"),
    SyncedPlace(("fdatasync of journal,", "ks_journal_begin"), "tiny-messages"),
    SyncedPlace(("dsync of journal,", "ks_journal_commit"), "tiny-messages"),
    SyncedPlace(("fdatasync of journal,", "ks_journal_commit"), "quiet-moments"),  # behind a new head
    SyncedPlace(("fsync of data,", "make_whole"), "tiny-messages"),
    SyncedPlace(("fdatasync of something of a user's,", "sync_data"), "replacements"),
    SyncedPlace(("syncfs", "< sync_data <"), "small-uploads"),
    SyncedPlace(("syncfs", "< sync_directories <"), "quotas"),
    SyncedPlace(("fsync of something of a user's,", "sync_directory_of"), "replacements"),
    SyncedPlace(("fsync of files,", "sync_if_dirty"), "small-uploads"),
    SyncedPlace(("fsync of messages,", "sync_if_dirty"), "large-messages"),
    SyncedPlace(("fsync of the root,", "sync_parent"), "registrations"),
    SyncedPlace(("ks_damaged_move",), "repairs"),
    SyncedPlace(("finish:",), "repairs"),
    SyncedPlace(("ks_moving_",), "upgrades"),
    SyncedPlace(
        ("fsync of files,", "ks_sweep_remove_user"),
        "removals",
        redundant="the note of the removal stays for a minute, and longer than any load lasts",
    ),
    SyncedPlace(("fdatasync of a put,", "sync_data"), "own-files"),
    SyncedPlace(("fsync of key.pem,", "write_and_sync"), "own-files"),
    SyncedPlace(("fsync of data,", "ks_host_key_directory_open"), "own-files"),
    # Missed where the certificate's name arrives and the key's, which is older, does not: then the key counts as lost.
    SyncedPlace(
        ("fsync of tls,", "ks_host_key_file_write_identity"), "own-files", images=60, style=Style("keep", "names")
    ),
    SyncedPlace(("fsync of tls,", "ks_host_key_shown_write"), "own-files", redundant="so it is behind the host key"),
    SyncedPlace(("fsync of shown,",), "own-files", redundant="each start writes it anew"),
    SyncedPlace(
        ("fsync of certificate.pem,",), "own-files", redundant="one that is broken is made anew for the same key"
    ),
    SyncedPlace(
        ("fdatasync of a user's file,", "sync_data"),
        "broken-off-puts",
        redundant="what is kept already was synced before it got its name",
    ),
    SyncedPlace(
        ("fdatasync of a put,", "sync_parked"),
        "broken-off-puts",
        redundant="nobody is promised anything of a put before its end, and then it is synced again; this one is to "
        "hear of write-back that has failed",
    ),
    SyncedPlace(
        ("fsync of data,", "ks_store_directory_fill"),
        "registrations",
        redundant="the directory is synced again when the journal is there",
    ),
]


def lives_of(load: str, seed: str, folder: Path) -> Iterator[Round]:
    """A recording, a life behind a power cut and one behind an orderly end."""
    first = record(folder / "first", load, seed, orderly=True)
    yield first
    entries = first.entries()
    for image in (first.image(0, entries), Image(1, len(entries), ALL_KEPT)):
        yield second_life(first, image, folder / f"second-{image.number}")


def sync_is_missed(trial: Trial) -> None:
    """The places of the table, in its order."""
    synced = SYNCED_PLACES[trial.number % len(SYNCED_PLACES)]
    control = Control(" … ".join(synced.words))
    unknown: set[str] = set()
    for number in range(1 if synced.redundant else TRIES):
        for made in lives_of(synced.load, f"{trial.seed} {number}", trial.folder / str(number)):
            calls_of = Places(made.entries(), made.before, release_program()).calls(made.entries())
            unknown |= {place for place in calls_of if not any(known.has(place) for known in SYNCED_PLACES)}
            calls = set().union(*(calls for place, calls in calls_of.items() if synced.has(place)))
            if calls and not control.caught:
                try_control(control, made, calls, trial.folder / "image", synced.images, synced.style)
        shutil.rmtree(trial.folder / str(number))
        if control.caught:
            break
    judge(trial, synced, control, unknown)


def judge(trial: Trial, synced: SyncedPlace, control: Control, unknown: set[str]) -> None:
    trial.count("images", control.tried)
    trial.count("syncs left out", control.syncs)
    trial.count("redundant" if synced.redundant else "places missed", 1 if synced.redundant or control.caught else 0)
    for place in sorted(unknown):
        trial.problem(f"sync without a control: {place}")
    if control.syncs == 0:
        trial.problem(f"never synced: {control.place}, by {synced.load}")
    elif synced.redundant and control.caught:
        trial.problem(f"not redundant: {control.place}: {control.caught}")
    elif not synced.redundant and not control.caught:
        trial.problem(f"not caught: {control.place} left out of {control.syncs} syncs, {control.tried} images")
