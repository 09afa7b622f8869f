"""Rounds: a recorded run of a load, images of it, a start on each; and a second run that begins on an image.

A recorded run is as its threads happened to run, whatever the seed; an image of a recording is the same each time.
So the recording of a round in which something was wrong is kept, with all that is needed to repeat its images.
"""

import pickle
import random
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from peer.drop import User

from .clients import Run
from .damaged import VICTIM
from .disk import Disk, Snapshot, Style
from .keys import KEY
from .ledger import Ledger
from .loads import LOADS
from .own_files import use_own_files
from .recording import Entry, Kind, Streams, new_log, read_log, shorten_log
from .server import Server, look, use

KEPT = "round.pickle"
SCRIPT = "tests/torture/torture_powerloss.py"


@dataclass(frozen=True)
class Image:
    """A number gives, for one recording, a moment and a style; both may be told instead."""

    number: int
    moment: int
    style: Style


@dataclass
class Problem:
    """What was found wrong on one image."""

    text: str
    round: "Round"
    image: Image

    @property
    def kind(self) -> str:
        return self.text.partition(":")[0]

    def __str__(self) -> str:
        return f"{self.text}\n    {self.round.what}, moment {self.image.moment}, {self.image.style}"

    @property
    def repeat(self) -> str:
        """The command, once the round is saved."""
        return f"{SCRIPT} --repeat {self.round.folder} --image {self.image.number}"


@dataclass
class Round:
    """A recorded run, with all that is needed to make images of it and to judge them."""

    folder: Path
    load: str
    seed: str
    before: Snapshot
    owed_before: Ledger
    owed_when_ready: Ledger  # what came out of the crash before is owed, once the server was ready
    life: int = 1
    ready: int = 0  # the moment at which it was
    notes: list = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # of its own start on an image
    images: dict[int, Image] = field(default_factory=dict)  # that were made of it, by number

    @property
    def what(self) -> str:
        return f"{self.load}, seed {self.seed}, {'first' if self.life == 1 else 'second'} life"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def entries(self) -> list[Entry]:
        return read_log(self.log)

    def owed(self, moment: int) -> Ledger:
        if moment < self.ready:
            return self.owed_before.copy()
        return self.owed_when_ready.at(self.notes, moment)

    def image(self, number: int, entries: list[Entry], *, is_first_of_two: bool = False) -> Image:
        """Of two cuts in a row the first one is made while a sync is on its way: what it leaves half done is what
        the second life has to live with."""
        chance = random.Random(f"{self.seed} image {number}")
        moment = choose_moment(chance, entries)
        syncs = [index + 1 for index, entry in enumerate(entries) if entry.kind == Kind.SYNC_BEGIN]
        if is_first_of_two and syncs and chance.random() < 0.7:
            moment = chance.choice(syncs)
        return Image(number, moment, Style.choose(chance))

    def save(self) -> None:
        """Keeps what its images are made of, without the directory that the server left."""
        (self.folder / KEPT).write_bytes(pickle.dumps(self))
        shutil.rmtree(self.folder / "root", ignore_errors=True)

    @classmethod
    def kept_in(cls, folder: Path) -> "Round":
        kept = pickle.loads((folder / KEPT).read_bytes())
        kept.folder = folder
        return kept

    def forget(self) -> None:
        shutil.rmtree(self.folder)


def choose_moment(chance: random.Random, entries: list[Entry]) -> int:
    """Any moment; those when a send begins, or a sync begins or has ended, are chosen as often as all others."""
    if chance.random() < 0.5:
        kinds = (Kind.SEND_BEGIN, Kind.SYNC_BEGIN, Kind.SYNC_END)
        marked = [index + 1 for index, entry in enumerate(entries) if entry.kind in kinds]
        if marked:
            return chance.choice(marked)
    return chance.randint(0, len(entries))


# -- recording


def record(
    folder: Path,
    load: str,
    seed: str,
    *,
    owed: Ledger | None = None,
    act: Callable[[Run], None] | None = None,
    orderly: bool | None = None,
    **options,
) -> Round:
    """Runs a load (or `act` in its place) on what is in `folder`/root, a new directory or an image. The server
    ends in order, is killed, or either by chance. `options` are the recorded server's."""
    root = folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    life = 1 if owed is None else 2
    chance = random.Random(f"{seed} life {life}")
    of_load = LOADS.get(load)
    if owed is None:
        owed = of_load.before(root, chance) if of_load and of_load.before else Ledger()
    made = Round(folder, load, seed, Snapshot.of(root), owed, owed.copy(), life)
    new_log(made.log)
    if of_load is not None:
        options = {"settings": of_load.settings, "delay": of_load.delay, "also": of_load.also, **options}
    server = Server(root, log=made.log, **options)
    try:
        server.start()
        if owed.users:
            found, made.problems = look(server)
            made.problems += made.owed_when_ready.settle(found)
            made.ready = len(made.entries())
        users = [
            User(name, KEY, client_id)
            for name, (client_id, has_key) in made.owed_when_ready.users.items()
            if has_key and client_id
        ]
        owed_now = made.owed_when_ready
        run = Run(server, life, chance, KEY, users, made.log, owed_now.known_accounts(), owed_now.known_puts())
        (act or of_load.act)(run)
        if chance.random() < 0.4 if orderly is None else orderly:
            server.stop()  # an orderly end has moments of its own
    finally:
        server.kill()
    shorten_log(made.log)
    made.notes = run.notes.timed(Streams(made.entries()))
    return made


def differences(made: Round) -> list[str]:
    """How the real directory differs from what the whole recording makes of it: nothing may have escaped."""
    disk = Disk(made.before)
    entries = made.entries()
    disk.follow(entries, len(entries))
    whole = made.folder / "whole"
    disk.write_image(random.Random(0), Style("keep", "all"), whole)
    differing = list(_compare(made.folder / "root", whole, ""))
    shutil.rmtree(whole)
    return differing


def _compare(real: Path, replayed: Path, where: str) -> Iterator[str]:
    if real.is_socket() or real.name.endswith("-shm"):
        return
    if real.is_dir() and replayed.is_dir():
        names = {path.name for path in real.iterdir() if not path.is_socket()}
        others = {path.name for path in replayed.iterdir()}
        yield from (f"{where}/{name} is on one side only" for name in names ^ others)
        for name in sorted(names & others):
            yield from _compare(real / name, replayed / name, f"{where}/{name}")
    elif real.is_dir() or replayed.is_dir() or real.read_bytes() != replayed.read_bytes():
        yield f"{where} differs"


# -- images


def judge(root: Path, owed: Ledger) -> list[str]:
    """Starts a server on the image in `root`, and says what is wrong. The image is gone afterwards."""
    server = Server(root, also=("secure",) if owed.accounts else ())
    try:
        server.start()
        found, problems = look(server)
        problems += owed.settle(found)
        problems += use(server, found, KEY, but=VICTIM if owed.damaged else "")
        problems += use_own_files(server, found, owed)
    except AssertionError as failure:
        problems = [f"start failed: {str(failure)[-600:]}"]
    except Exception as failure:  # whatever it is, it is the server's answer
        problems = [f"answers wrong: {type(failure).__name__} {failure}"]
    finally:
        try:
            server.kill()
        except AssertionError as failure:
            problems.append(f"sanitizer: {failure}")
        shutil.rmtree(root, ignore_errors=True)
        server.log_path.unlink(missing_ok=True)
        server.configuration.unlink(missing_ok=True)
    return problems


def check_images(
    made: Round, images: list[Image], scratch: Path, *, ignored: Collection[int] = (), stop_at_first: bool = False
) -> list[Problem]:
    """A start on each image of a recording; what was wrong."""
    entries = made.entries()
    disk = Disk(made.before, ignored)
    problems: list[Problem] = []
    for image in sorted(images, key=lambda image: image.moment):
        made.images[image.number] = image
        disk.follow(entries, image.moment)
        disk.write_image(image_chance(made, image), image.style, scratch)
        problems += [Problem(text, made, image) for text in judge(scratch, made.owed(image.moment))]
        if problems and stop_at_first:
            break
    return problems


def image_chance(made: Round, image: Image) -> random.Random:
    return random.Random(f"{made.seed} content of {image.number}")


def write_image(made: Round, image: Image, root: Path) -> None:
    disk = Disk(made.before)
    disk.follow(made.entries(), image.moment)
    disk.write_image(image_chance(made, image), image.style, root)


def second_life(made: Round, image: Image, folder: Path, **options) -> Round:
    """A recorded run that begins on an image of another one."""
    folder.mkdir(parents=True)
    made.images[image.number] = image
    write_image(made, image, folder / "root")
    return record(folder, made.load, f"{made.seed} {image.number}", owed=made.owed(image.moment), **options)
