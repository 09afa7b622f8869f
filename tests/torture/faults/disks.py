"""A real file system that is full, has no inodes left, breaks down, or whose device fails, under load: for a moment,
several times. What can be done meanwhile is done, and afterwards all that was acknowledged is there.
"""

import shutil
import time
from collections.abc import Callable

from harness.campaign import Campaign, Trial
from powerloss.clients import in_threads
from powerloss.guest import PATIENCE, Course
from powerloss.server import release_program

from . import volume
from .life import Life, StandardServer
from .standard import Standard
from .volume import Volume

MIB = 1 << 20
SIZE = 128 * MIB  # with less, there is no journal: it wants four times its size
STORE_SIZE = 96 * MIB
SPARES = (0, 0, 4096, 65536, MIB)
EPISODES = 3
QUIET_SECONDS = 0.3  # in which the journal's messages go to the database


def needs() -> str:
    return volume.needs() if release_program().exists() else f"{release_program()} is not built"


class Case:
    """A server on a volume, and its lives."""

    def __init__(self, trial: Trial, **options):
        self.trial = trial
        self.chance = trial.chance
        self.disk = Volume(trial.folder, size=SIZE, **options)
        self.problems: list[str] = []  # of lives before this one
        self.begin()

    def begin(self) -> None:
        self.life = Life(StandardServer(self.disk.path, free_space=0))  # its log is elsewhere
        self.life.start()
        self.life.run()

    def run_meanwhile(self, damage: Callable[[], None], mend: Callable[[], None]) -> None:
        """Runs, and in the middle of them the damage for a while."""
        count, seconds = self.chance.randint(1, 3), (self.chance.uniform(0, 0.2), self.chance.uniform(0, 0.5))

        def run() -> None:
            for _ in range(count):
                self.life.run(threads=2)

        def damage_for_a_while() -> None:
            time.sleep(seconds[0])
            damage()
            time.sleep(seconds[1])
            mend()

        in_threads(run, damage_for_a_while)
        self.trial.count("damages")

    def start_meanwhile(self) -> None:
        """A start while there is damage: it succeeds, or ends with a word."""
        server = self.life.server
        size = server.log_path.stat().st_size
        try:
            server.start()
        except AssertionError:
            self.life.judge_refused_start(size, statuses=(1,))
            self.trial.count("starts refused")
            return
        server.kill()
        self.trial.count("starts with damage")

    def end(self) -> None:
        """It serves, dies, starts, and serves."""
        self.life.serves_again()
        self.life.die()
        self.life.start()
        self.life.serves_again()
        self.life.die()
        self.disk.close()
        for problem in self.problems + self.life.problems:
            self.trial.problem(problem)


def full(trial: Trial) -> None:
    """Others fill it. What waits can be taken meanwhile, and goes; then it is served again, as it was."""
    case = Case(trial)
    for _ in range(EPISODES):
        spare = case.chance.choice(SPARES)
        case.run_meanwhile(lambda: volume.fill(case.disk.path, spare), lambda: volume.relieve(case.disk.path))
        case.life.serves_again()
        if case.life.problems or case.chance.random() < 0.5:
            continue
        take_while_full(case)
    case.life.die()
    volume.fill(case.disk.path, case.chance.choice(SPARES))
    case.start_meanwhile()
    volume.relieve(case.disk.path)
    case.life.start()
    case.end()


def messages_that_stay(server: StandardServer, standard: Standard) -> float:
    """What waits although it was delivered, after some time. What somebody had when he reset comes again, perhaps only
    now: the server sees his reset when it does."""
    end = time.monotonic() + PATIENCE
    while (waiting := server.held()["kesher_waiting_messages"]) and time.monotonic() < end:
        time.sleep(0.02)
        standard.pull_again()
    return waiting


def take_while_full(case: Case) -> None:
    """Messages that wait are delivered and deleted on a disk that is full to the last byte."""
    life = case.life
    standard = life.new_standard(Course(life.server, is_strict=True))
    standard.register()
    standard.send()
    volume.fill(case.disk.path)
    standard.pull()
    waiting = messages_that_stay(life.server, standard)
    volume.relieve(case.disk.path)
    if waiting:
        life.problems.append(f"messages stay: {waiting} that were taken from a full disk")
    life.problems += standard.course.problems
    case.trial.count("deliveries while full")


def without_inodes(trial: Trial) -> None:
    case = Case(trial, inodes=4096)
    for _ in range(EPISODES):
        case.run_meanwhile(case.disk.take_inodes, case.disk.give_inodes)
        case.life.serves_again()
    case.life.die()
    case.disk.take_inodes()
    case.start_meanwhile()
    case.disk.give_inodes()
    case.life.start()
    case.end()


def mend(case: Case) -> None:
    """The file system takes nothing any more: an operator stops the server, mends that, and starts it."""
    case.life.die()
    case.start_meanwhile()
    case.disk.mend()
    case.life.start()
    case.trial.count("repairs")


def broken(trial: Trial) -> None:
    """It breaks down while the server has nothing to do: to an fdatasync that is on its way then, Linux says that it
    has succeeded, whatever program it is, and the error that sysfs makes has taken it."""
    case = Case(trial)
    for _ in range(2):
        case.life.serves_again()
        time.sleep(QUIET_SECONDS)
        case.disk.break_down()
        case.life.run(threads=2)
        trial.count("damages")
        if case.life.is_dead():
            break
        mend(case)
    case.end()


def begin_anew(case: Case) -> None:
    """With an empty directory. On such a device Linux takes back what an fdatasync had acknowledged, to any program
    and even if nothing has failed for it (one that writes, syncs and writes again what failed found that in one of
    twenty such rounds): what is there once it is mounted again says nothing. calls/sync is what judges that."""
    case.life.die()
    case.start_meanwhile()
    case.disk.mend()
    shutil.rmtree(case.disk.path / "data")
    case.problems += case.life.problems
    case.begin()
    case.trial.count("begun anew")


def failing_device(trial: Trial) -> None:
    """The image's store is full, so the device fails: writes that were cached are lost behind a sync that says so, and
    the file system may break down."""
    case = Case(trial, store_size=STORE_SIZE)
    for _ in range(EPISODES):
        case.run_meanwhile(lambda: volume.fill(case.disk.store), lambda: volume.relieve(case.disk.store))
        if case.life.is_dead():
            break
        if case.disk.is_writable():
            case.life.serves_again()
        else:
            begin_anew(case)
    case.end()


def campaign(name: str, about: str, act: Callable[[Trial], None], **options) -> Campaign:
    return Campaign(name=f"disk/{name}", about=about, round=act, needs=needs, **options)


CAMPAIGNS = [
    campaign("full", "a file system that is full for a moment", full, sample=1, share=1, full=60),
    campaign("inodes", "a file system without inodes for a moment", without_inodes, sample=1, share=1, full=40),
    campaign("broken", "a file system that can only be read, and is repaired", broken, sample=1, share=1, full=40),
    campaign("device", "a device that fails for a moment", failing_device, sample=1, share=1, full=40),
]
