"""Negative controls: each place from which the server syncs is left out in turn, and has to be missed."""

import random
from dataclasses import dataclass
from pathlib import Path

from .disk import ALL_KEPT, ALL_LOST, Style
from .loads import LOADS
from .places import Places
from .recording import Kind
from .rounds import Image, Round, check_images, record, second_life
from .server import release_program

CONTROL_MOMENTS = (3, 6, 60, 10**9)  # entries of the recording behind a sync that is left out
HARSH = (ALL_LOST, *(Style(*both) for both in (("drop", "all"), ("keep", "none"), ("zeros", "all"), ("garbage", "all"))))


@dataclass
class Control:
    """One place from which the server syncs, left out."""

    place: str
    syncs: int = 0  # that were recorded
    tried: int = 0  # images
    caught: str = ""  # what was found, and under which load


def control_images(
    made: Round, calls: set[int], chance: random.Random, count: int, style: Style | None
) -> list[Image]:
    """Power cuts soon after syncs that are left out, most of them harsh ones, or all in this style."""
    entries = made.entries()
    ends = [index for index, entry in enumerate(entries) if entry.kind == Kind.SYNC_END and entry.call in calls]
    images = []
    for number in range(count if ends else 0):
        end = chance.choice(ends)
        moment = end + chance.randint(1, min(chance.choice(CONTROL_MOMENTS), len(entries) - end))
        harsh_or_any = chance.choice(HARSH) if chance.random() < 0.6 else Style.choose(chance)
        images.append(Image(number, moment, style or harsh_or_any))
    return images


def try_control(
    control: Control, made: Round, calls: set[int], scratch: Path, count: int, style: Style | None = None
) -> None:
    """Until something is found. The order of moments is that of the recording, so this takes few at a time."""
    chance = random.Random(f"{made.seed} without {control.place}")
    control.syncs += len(calls)
    images = control_images(made, calls, chance, count, style)
    while images and not control.caught:
        some, images = images[:5], images[5:]
        control.tried += len(some)
        problems = check_images(made, some, scratch, ignored=calls, stop_at_first=True)
        if problems:
            control.caught = f"{problems[0].kind} ({made.load})"


def run_controls(
    folder: Path,
    *,
    loads: tuple[str, ...] = tuple(LOADS),
    seed: int = 1,
    images: int = 60,
    words: str = "",
    one_is_enough: bool = False,
) -> list[Control]:
    """Leaves out each place in turn whose name has these words, in recordings of these loads, and in second lives;
    where one is enough, until one was caught."""
    controls: dict[str, Control] = {}
    for load in loads:
        first = record(folder / load, load, f"control {seed}", orderly=True)
        entries = first.entries()
        # A life after a power cut, and one after an orderly end.
        cut, whole = first.image(0, entries), Image(1, len(entries), ALL_KEPT)
        lives = [first, *(second_life(first, image, folder / f"{load}-{image.number}") for image in (cut, whole))]
        for made in lives:
            calls_of = Places(made.entries(), made.before, release_program()).calls(made.entries())
            for place, calls in calls_of.items():
                if words in place:
                    control = controls.setdefault(place, Control(place))
                    try_control(control, made, calls, folder / "image", images)
                    if one_is_enough and control.caught:
                        return [control]
            made.forget()
    return sorted(controls.values(), key=lambda control: control.place)


# Words in the names of places whose sync may be left out, and why nobody can tell. Of several places with the same
# words those that are missed all the same do not need it.
REDUNDANT = {
    "SQLite: fdatasync of data,": "at the first start the directory is synced again when the journal is there",
    "SQLite: fdatasync of kesher.db-journal,": "of the first transaction of a new database, which promises nothing",
    "SQLite: fdatasync of kesher.db-wal,": "the log's head goes with the commit's sync; before a checkpoint every "
    "commit was synced",
    "fsync of data, ks_store_directory_fill": "the directory is synced again when the journal is there; alone where "
    "the disk is too full for one",
    "fdatasync of a user's file,": "what is kept already was synced before it got its name",
    "fdatasync of a put, sync_parked": "of a put nobody is promised anything before its end, when it is synced again",
    "of certificate.pem,": "a certificate that is missing or broken is made anew for the same key",
    "of shown,": "each start writes it anew",
    "of tls, sync_directory": "of the two, that behind the host key keeps its certificate from being there without "
    "it, which few cuts tell, and that behind what is shown nobody needs",
    "fsync of files, sync_files": "the removal is noted until a start has removed what is back again, and a minute "
    "longer: no recording is so long",
    "fsync of messages, finish": "what is in messages/ without a row the next start removes",
    "ks_moving_sync": "a directory that is under its user's id again is moved again by the next start",
}


def why_redundant(place: str) -> str:
    """Empty where it is not known to be."""
    return next((why for words, why in REDUNDANT.items() if words in place), "")


def control_table(controls: list[Control]) -> str:
    lines = [f"{'a sync left out':<78}{'syncs':>6}{'images':>8}  found"]
    for control in controls:
        found = control.caught or f"nothing: {why_redundant(control.place) or 'WHY?'}"
        lines.append(f"{control.place:<78}{control.syncs:>6}{control.tried:>8}  {found}")
    return "\n".join(lines)
