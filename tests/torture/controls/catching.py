"""Whether what looks for a fault of kesherd-faulty finds it: tests that exist, or power cuts."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.campaign import Trial
from peer.kesherd import REPOSITORY
from powerloss.disk import ALL_KEPT
from powerloss.recording import Incomplete
from powerloss.rounds import Image, Round, check_images, record, second_life
from powerloss.server import build_directory

from .fault import Fault, IntegrationTests, PowerCuts, UnitTests

FOLDER = Path("tests", "torture", "controls")
TEST_SECONDS = 300
PATIENCE = 12  # seconds that a test waits for what does not come
RECORDINGS = 8
IMAGES = 30  # of each
IMAGES_AT_ONCE = 5
_FAILED_UNIT = re.compile(r"^\[ +FAILED +\] (\w+)$", re.MULTILINE)
_FAILED = re.compile(r"^(?:FAILED|ERROR) \S*::(\S+)(?: - (.*))?$", re.MULTILINE)


def faulty_program() -> Path:
    return build_directory() / FOLDER / "kesherd-faulty"


@dataclass
class Finding:
    """What was found wrong first, after so many tests or images; nothing is an empty text."""

    text: str
    tried: int
    happened: bool  # the broken place was reached


def environment(fault: str, happened: Path) -> dict[str, str]:
    return {"KESHER_FAULT": fault, "KESHER_FAULT_HAPPENED": str(happened)}


# -- tests


def find_by_tests(fault: Fault, trial: Trial) -> Finding:
    happened = trial.folder / "happened"
    variables = {"KESHER_PATIENCE": str(PATIENCE), **environment(fault.name, happened)}
    text = run_tests(fault.caught_by, trial.folder / "broken", variables)
    trial.count("tests")
    return Finding(text, 1, happened.exists())


def run_tests(tests: IntegrationTests | UnitTests, folder: Path, variables: dict[str, str]) -> str:
    """What failed; empty: nothing."""
    folder.mkdir()
    variables = {**os.environ, "KESHERD": str(faulty_program()), "COLUMNS": "300", **variables}
    command, pattern = _pytest(tests, folder) if isinstance(tests, IntegrationTests) else _cmocka(tests)
    try:
        done = subprocess.run(
            command, cwd=REPOSITORY, env=variables, capture_output=True, text=True, timeout=TEST_SECONDS
        )
    except subprocess.TimeoutExpired:
        return "hangs"
    if done.returncode == 0:
        return ""
    failed = pattern.search(done.stdout)
    if failed is None:  # it did not come as far as a test
        raise AssertionError(f"exit status {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
    return ": ".join(part for part in failed.groups() if part)


def _pytest(tests: IntegrationTests, folder: Path) -> tuple[list[str], re.Pattern]:
    where = REPOSITORY / "tests" / "integration"
    command = [sys.executable, "-B", "-m", "pytest", "-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider"]
    command += ["--timeout", str(TEST_SECONDS), "--basetemp", str(folder / "pytest")]
    return [*command, *(str(where / name) for name in tests.names)], _FAILED


def _cmocka(tests: UnitTests) -> tuple[list[str], re.Pattern]:
    return [str(build_directory() / FOLDER / f"{tests.program}-faulty"), str(REPOSITORY)], _FAILED_UNIT


def why_worthless(tests: IntegrationTests | UnitTests, trial: Trial) -> str:
    """What the same tests say of the same program without a fault: nothing, else they prove nothing."""
    return run_tests(tests, trial.folder / "whole", {"KESHER_FAULT": ""})


# -- power cuts


@contextmanager
def chosen(fault: str, happened: Path):
    """Recorded servers, and those that start on images, have that fault meanwhile."""
    variables = {"KESHERD_RELEASE": str(faulty_program()), **environment(fault, happened)}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def find_by_power_cuts(fault: Fault, trial: Trial) -> Finding:
    """On images of recordings, and of second lives that begin on one of them."""
    happened = trial.folder / "happened"
    tried = 0
    with chosen(fault.name, happened):
        for number in range(RECORDINGS):
            seed = f"{trial.seed} {fault.name} {number}"
            for made in lives(fault.caught_by, seed, trial.folder / str(number)):
                if isinstance(made, str):
                    return Finding(made, tried, happened.exists())
                looked_at, text = look_at_images(made, trial.folder / "image")
                tried += looked_at
                if text:
                    return Finding(text, tried, happened.exists())
            shutil.rmtree(trial.folder / str(number))
    return Finding("", tried, happened.exists())


def lives(cuts: PowerCuts, seed: str, folder: Path) -> Iterator[Round | str]:
    """Two recordings, the second one on an image of the first; or what clients, or a start, found wrong at once."""
    try:
        first = record(folder / "first", cuts.load, seed)
        yield first
        entries = first.entries()
        image = first.image(IMAGES, entries, is_first_of_two=True)
        if cuts.after_all:
            image = Image(IMAGES, len(entries), ALL_KEPT)
        second = second_life(first, image, folder / "second")
    except Incomplete:  # the recorder's, of which no server is to blame
        raise
    except Exception as failure:  # whatever else it is, it is the server's answer
        yield f"answers wrong: {type(failure).__name__} {str(failure)[-300:]}"
        return
    yield second if not second.problems else second.problems[0]


def look_at_images(made: Round, scratch: Path) -> tuple[int, str]:
    """How many images were looked at until something was wrong, and what."""
    entries = made.entries()
    for start in range(0, IMAGES, IMAGES_AT_ONCE):
        some = [made.image(number, entries) for number in range(start, start + IMAGES_AT_ONCE)]
        problems = check_images(made, some, scratch, stop_at_first=True)
        if problems:
            return start + IMAGES_AT_ONCE, problems[0].text
    return IMAGES, ""
