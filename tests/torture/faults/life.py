"""Lives of a server on one data directory in which things fail, and what it owes to its clients over all of them."""

import random
import re
import time
from collections.abc import Callable
from pathlib import Path

from powerloss.guest import NOT_SERVED, PATIENCE, Course, Lost
from powerloss.ledger import Found, Ledger, Notes
from powerloss.clients import Run, in_threads
from powerloss.keys import KEY
from powerloss.own_files import use_own_files
from powerloss.server import FullServer, in_use, look, use

from .standard import LEAVER, Standard

GAUGES = ("kesher_uploads", "kesher_waiting_messages", "kesher_waiting_bytes", "process_open_fds")
SETTLE_MILLISECONDS = 100
LEASE_MILLISECONDS = 2000


class StandardServer(FullServer):
    """What a run has begun is soon over."""

    def __init__(self, root: Path, **options):
        times = {"settle_time_ms": SETTLE_MILLISECONDS, "lease_lifetime_ms": LEASE_MILLISECONDS}
        super().__init__(root, log_rate=0, **times, **options)

    def held(self) -> dict[str, float]:
        """What it holds now, of that which must go when nobody is there."""
        metrics = self.metrics()
        return in_use(metrics) | {name: metrics.value(name) for name in GAUGES}


class Life:
    """One server and what it owes. What was wrong is in `problems`; the server dies once at most, as a problem.

    start()                    looks at what came out of the life before, if there was one
    run()                      the standard run, in which things may fail
    serves_again()             when nothing fails any more
    die(), stop()              kill -9, SIGTERM
    """

    def __init__(self, server: StandardServer):
        self.server = server
        self.problems: list[str] = []
        self.runs = 0
        self.begun_log = 0  # where that of this life begins
        self._ledger = Ledger()
        self._leavers: set[bytes] = set()  # whom no ledger knows
        self._standards: list[Standard] = []  # that may have left something
        self._looked_for: set = set()  # labels of messages that are not there any more
        self._notes = Notes()
        self._descriptors = 0  # when it was quiet for the first time in its life
        self._is_known_dead = False

    # -- one life

    def start(self, ready: Callable[[], None] = lambda: None) -> None:
        """`ready` is called when it is."""
        log = self.server.log_path
        self.begun_log = log.stat().st_size if log.exists() else 0
        self._is_known_dead = False
        self.server.start()
        ready()
        found, problems = look(self.server)
        self.problems += problems + self._ledger.settle(self._without_leavers(found))
        self.problems += use(self.server, found, KEY)
        self.problems += use_own_files(self.server, found, self._ledger, is_all_there=True)
        for letter in self._ledger.letters.values():  # they have just been taken
            letter.state = "taken" if letter.state == "acknowledged" else letter.state
        self._descriptors = 0

    def run(self, *, is_strict: bool = False, threads: int = 1) -> Course:
        """The standard run, by so many at once."""
        course = Course(self.server, is_strict=is_strict)
        runs = [self.new_standard(course) for _ in range(threads)]
        in_threads(*(lambda standard=standard: self._go_through(standard) for standard in runs))
        self.problems += course.problems
        self._leavers |= course.leavers
        return course

    def serves_again(self) -> bool:
        """Everything is served, all that is owed comes out, nothing is held that nobody uses. False: it is dead."""
        if self.is_dead():
            return False
        self._wait_until_served()
        self._discard_what_is_staged()
        self._take_what_waits()
        if not self.is_dead():
            self._wait_until_quiet()
        return not self.is_dead()

    def die(self) -> None:
        self.is_dead()
        try:
            self.server.kill()
        except AssertionError as report:
            self.problems.append(f"sanitizer: {report}")
        self._is_over()

    def stop(self) -> None:
        """SIGTERM, which must be obeyed."""
        try:
            self.server.stop()
        except AssertionError as failure:
            self.problems.append(f"stop failed: {str(failure)[-600:]}")
        self._is_over()

    def is_dead(self) -> bool:
        """It ended by itself, which is a problem."""
        process = self.server.process
        if process is None or process.poll() is None:
            return False
        if not self._is_known_dead:
            self._is_known_dead = True
            self.problems.append(f"server died: status {process.returncode}, {self.server.log()[-600:]}")
        return True

    def judge_refused_start(self, begun_log: int, *, statuses: tuple[int, ...] = (1, 2), is_mute: bool = False) -> None:
        """It must have ended by itself, with one of these statuses and a word; but for that, it is over."""
        process, log = self.server.process, self.server.log(begun_log)
        if process.poll() is None:
            self.problems.append(f"start hangs: {log[-600:]}")
        elif process.returncode not in statuses:
            self.problems.append(f"start died: status {process.returncode}, {log[-600:]}")
        elif not is_mute and not re.search(r"\b(error|kesherd:)", log):
            self.problems.append(f"start without a word: status {process.returncode}, {log[-600:]!r}")
        self.server.kill()

    # -- its parts

    def _is_over(self) -> None:
        self._standards = []
        self._ledger = self._owed()
        self._notes = Notes()

    def new_standard(self, course: Course) -> Standard:
        self.runs += 1
        run = Run(self.server, self.runs, random.Random(self.runs), KEY, [], notes=self._notes)
        self._standards.append(Standard(run, course))
        return self._standards[-1]

    def _go_through(self, standard: Standard) -> None:
        try:
            standard.all()
        except Lost:
            self.is_dead()

    def _owed(self) -> Ledger:
        return self._ledger.at([(0, note.what, note.values) for note in self._notes.all], 0)

    def _without_leavers(self, found: Found) -> Found:
        self._leavers |= {known[0] for name, known in found.users.items() if name.startswith(LEAVER)}
        return Found(
            {name: known for name, known in found.users.items() if known[0] not in self._leavers},
            {key: content for key, content in found.files.items() if key[0] not in self._leavers},
            found.messages,
        )

    def _wait_until_served(self) -> None:
        """What has failed may be looked at again only after some time: the room on the disk, once a second."""
        end = time.monotonic() + PATIENCE
        while not self.is_dead():
            before = len(self.problems)
            self.run(is_strict=True)
            if len(self.problems) == before or time.monotonic() > end:
                return
            self.problems[before:] = [text for text in self.problems[before:] if not text.startswith(NOT_SERVED)]
            time.sleep(0.1)

    def _discard_what_is_staged(self) -> None:
        """What runs have left, since their clients were refused or lost."""
        course = Course(self.server, is_strict=True)
        for standard in self._standards:
            standard.course = course
            try:
                standard.discard()
            except Lost:
                self.is_dead()
                return
        self._standards = [standard for standard in self._standards if standard.staged]
        self.problems += course.problems

    def _take_what_waits(self) -> None:
        """What was acknowledged comes out, even if leases have to end before."""
        course = Course(self.server, is_strict=True)
        standard = self.new_standard(course)
        end = time.monotonic() + PATIENCE
        states = ("sent", "acknowledged", "taken")  # what was refused may be there, and what never looked delivered
        while waiting := self._letters(states):
            if time.monotonic() > end:
                self.problems.append(f"messages held back: {sorted(waiting)[:5]} of {len(waiting)}")
                break
            try:
                for receiver in {letter.receiver_id for letter in waiting.values()}:
                    standard.pull_all_of(receiver)
            except Lost:
                self.is_dead()
                return
            if course.problems:
                break
            states = ("acknowledged",)
        self.problems += course.problems
        self._looked_for |= self._letters(("sent", "taken")).keys()

    def _letters(self, states: tuple[str, ...]) -> dict:
        return {
            label: letter
            for label, letter in self._owed().letters.items()
            if letter.state in states and label not in self._looked_for
        }

    def _wait_until_quiet(self) -> None:
        """It holds nothing when it has come to rest, and no more descriptors than the first time."""
        end = time.monotonic() + PATIENCE
        while True:
            held = self.server.held()
            descriptors = held.pop("process_open_fds")
            self._descriptors = self._descriptors or descriptors
            busy = {name: value for name, value in held.items() if value}
            if descriptors > self._descriptors:
                busy["descriptors"] = descriptors - self._descriptors
            if not busy:
                return
            if time.monotonic() > end:
                self.problems.append(f"held: {busy}, with nobody there")
                return
            time.sleep(0.02)
