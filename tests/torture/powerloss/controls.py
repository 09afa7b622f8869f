"""Many rounds, two at a time, and what came of them, as a person would want to read it."""

import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from .disk import ALL_KEPT, ALL_LOST, Style
from .loads import LOADS
from .places import Places
from .recording import Kind
from .rounds import Image, Problem, Round, check_images, record, second_life
from .server import release_program

IMAGES_OF_A_RECORDING = 25
PAIRS_OF_A_SECOND_LIFE = 5
PROCESSES = 2
CONTROL_MOMENTS = (6, 60, 10**9)  # entries of the recording behind a sync that is left out
HARSH = (ALL_LOST, Style("drop", "all"), Style("keep", "none"), Style("zeros", "all"))


@dataclass
class Counts:
    """What was done for one kind of load."""

    recordings: int = 0
    images: int = 0
    pairs: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        self.recordings += other.recordings
        self.images += other.images
        self.pairs += other.pairs
        self.problems += other.problems

    def note(self, problems: list[Problem]) -> None:
        self.problems += [str(problem) for problem in problems]

    def kinds(self) -> Counter:
        return Counter(problem.partition(":")[0] for problem in self.problems)


# -- rounds


def run_round(load: str, seed: str, folder: Path, images: int, lives: int) -> Counts:
    """One recorded run and so many images of it; of that many of them a second life, with some images each.
    Recordings of which nothing was wrong are not kept."""
    made = record(folder / "first", load, seed)
    entries = made.entries()
    counts = Counts(recordings=1, images=images)
    found = check_images(made, [made.image(number, entries) for number in range(images)], folder / "image")
    counts.note(found)
    is_kept = keep(made, found)
    for number in range(images, images + lives):
        image = made.image(number, entries, is_first_of_two=True)
        try:
            second = second_life(made, image, folder / f"second-{number}")
        except AssertionError as failure:  # the server did not start, or not answer
            counts.note([Problem(f"start failed: {str(failure)[-600:]}", made, image)])
            is_kept = keep(made, counts.problems)
            continue
        counts.recordings += 1
        counts.pairs += PAIRS_OF_A_SECOND_LIFE
        counts.note([Problem(text, made, image) for text in second.problems])
        is_kept = keep(made, second.problems) or is_kept
        its = second.entries()
        found = check_images(
            second, [second.image(n, its) for n in range(PAIRS_OF_A_SECOND_LIFE)], folder / "image"
        )
        counts.note(found)
        if not keep(second, found):
            second.forget()
    if not is_kept:
        made.forget()
    return counts


def keep(made: Round, problems: list) -> bool:
    if problems:
        made.save()
        shutil.rmtree(made.folder / "root", ignore_errors=True)
    return bool(problems)


@dataclass(frozen=True)
class Plan:
    loads: tuple[str, ...] = tuple(LOADS)
    images: int = 1000  # of each kind of load
    pairs: int = 300  # of all together
    seed: int = 1

    def rounds(self) -> Iterator[tuple[str, str, int, int]]:
        """(load, seed, images, second lives) of each."""
        recordings = -(-self.images // IMAGES_OF_A_RECORDING)
        lives = -(-self.pairs // PAIRS_OF_A_SECOND_LIFE)
        for number in range(recordings):
            for place, load in enumerate(self.loads):
                # Evenly to all loads, and then to their recordings.
                of_load = lives * (place + 1) // len(self.loads) - lives * place // len(self.loads)
                its = of_load * (number + 1) // recordings - of_load * number // recordings
                images = min(IMAGES_OF_A_RECORDING, self.images - number * IMAGES_OF_A_RECORDING)
                yield load, f"{self.seed}-{number}", images, its


def run_plan(plan: Plan, folder: Path, tell: Callable[[str], None]) -> dict[str, Counts]:
    """All rounds of the plan; `tell` is given a line now and then."""
    totals = {load: Counts() for load in plan.loads}
    rounds = list(plan.rounds())
    told = time.monotonic()
    with ProcessPoolExecutor(PROCESSES) as pool:
        running = {
            pool.submit(run_round, load, seed, folder / f"{load}-{seed}", images, lives): (load, seed)
            for load, seed, images, lives in rounds
        }
        for done, future in enumerate(as_completed(running), 1):
            load, seed = running[future]
            try:
                totals[load].add(future.result())
            except Exception as failure:
                text = f"run failed: {load}, seed {seed}: {type(failure).__name__} {failure}"
                totals[load].problems.append(text)
            if time.monotonic() - told > 10:
                told = time.monotonic()
                tell(f"{done} of {len(rounds)} rounds, {sum(len(c.problems) for c in totals.values())} problems")
    return totals


def table(totals: dict[str, Counts]) -> str:
    lines = [f"{'load':<18}{'recordings':>11}{'images':>9}{'pairs':>8}{'problems':>10}"]
    whole = Counts()
    for load, counts in totals.items():
        whole.add(counts)
        lines.append(row(load, counts))
    lines.append(row("all", whole))
    lines += [f"  {number:>6} × {kind}" for kind, number in whole.kinds().most_common()]
    return "\n".join(lines)


def row(name: str, counts: Counts) -> str:
    return f"{name:<18}{counts.recordings:>11}{counts.images:>9}{counts.pairs:>8}{len(counts.problems):>10}"


# -- negative controls


@dataclass
class Control:
    """One place from which the server syncs, left out."""

    place: str
    syncs: int = 0  # that were recorded
    tried: int = 0  # images
    caught: str = ""  # what was found, and under which load


def control_images(made: Round, calls: set[int], chance: random.Random, count: int) -> list[Image]:
    """Power cuts soon after syncs that are left out, most of them harsh ones."""
    entries = made.entries()
    ends = [index for index, entry in enumerate(entries) if entry.kind == Kind.SYNC_END and entry.call in calls]
    images = []
    for number in range(count if ends else 0):
        end = chance.choice(ends)
        moment = end + chance.randint(1, min(chance.choice(CONTROL_MOMENTS), len(entries) - end))
        style = chance.choice(HARSH) if chance.random() < 0.6 else Style.choose(chance)
        images.append(Image(number, moment, style))
    return images


def try_control(control: Control, made: Round, calls: set[int], scratch: Path, count: int) -> None:
    """Until something is found. The order of moments is that of the recording, so this takes few at a time."""
    chance = random.Random(f"{made.seed} without {control.place}")
    control.syncs += len(calls)
    images = control_images(made, calls, chance, count)
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
    "fdatasync of journal, sync_file": "a new head goes with the sync of the first batch behind it",
    "fsync of journal, write_new": "a new head goes with the sync of the first batch behind it",
    "fsync of data, create_inside": "the directory is synced again when the journal is there; alone where the disk "
    "is too full for one",
    "ks_moving_sync": "no load has directories of an older kesher",
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


def tell_on_screen(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
