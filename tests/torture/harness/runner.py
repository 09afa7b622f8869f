"""Runs rounds of campaigns, several at a time, each in a process of its own, and counts what came of them."""

import itertools
import multiprocessing
import multiprocessing.connection
import os
import random
import shutil
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .campaign import Campaign, Trial

TELL_SECONDS = 10
TOLD_PROBLEMS = 20  # at once; the others at the end
KEPT_FOLDERS = 20  # of rounds in which something was wrong
_FORK = multiprocessing.get_context("fork")


@dataclass
class Result:
    """What was done of one campaign."""

    campaign: Campaign
    rounds: int = 0
    seconds: float = 0
    counts: Counter = field(default_factory=Counter)
    problems: list[tuple[str, str]] = field(default_factory=list)  # what, and the command that repeats it
    skipped: str = ""

    def kinds(self) -> Counter:
        return Counter(text.partition(":")[0] for text, _ in self.problems)


@dataclass
class _Running:
    trial: Trial
    process: multiprocessing.Process
    answer: object
    began: float


def numbers_of_rounds(campaign: Campaign, seed: int, limit: int | None, folder: Path) -> Iterator[int]:
    """The rounds to run: from 0 on, or some by chance of those that there are. There is no end without a limit."""
    if campaign.rounds is None:
        yield from itertools.count() if limit is None else range(limit)
        return
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    folder.mkdir(parents=True)
    there_are = campaign.rounds(seed, folder)
    shutil.rmtree(folder)
    chosen = list(range(there_are) if isinstance(there_are, int) else there_are)
    random.Random(seed).shuffle(chosen)
    yield from chosen if limit is None else chosen[:limit]


def run_campaign(
    campaign: Campaign,
    folder: Path,
    *,
    seed: int,
    rounds: int | None = None,
    seconds: float | None = None,
    only: int | None = None,
    processes: int = os.cpu_count() or 1,
    tell: Callable[[str], None] = lambda line: None,
) -> Result:
    """So many rounds, or as many as begin in so many seconds, one at least, or the one of that number. `tell` is given
    a line now and then."""
    result = Result(campaign, skipped=campaign.needs())
    if result.skipped:
        return result
    began = told = time.monotonic()
    numbers = iter([only]) if only is not None else numbers_of_rounds(campaign, seed, rounds, folder / "count")
    running: list[_Running] = []
    is_over = False
    try:
        while True:
            is_late = seconds is not None and time.monotonic() - began > seconds
            is_over = is_over or (is_late and (result.rounds > 0 or running != []))
            while not is_over and len(running) < processes:
                number = _next(numbers, result, seed)
                is_over = number is None
                if not is_over:
                    running.append(_start(campaign, seed, number, folder))
            if not running:
                break
            before = len(result.problems)
            _take_ended(campaign, running, result)
            for text, repeat in result.problems[before:TOLD_PROBLEMS]:
                tell(f"{text.splitlines()[0][:200]} ({repeat})")
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                tell(f"{campaign.name}: {describe(result)} in {told - began:.0f} s")
    finally:
        for one in running:
            _end(one)
    result.seconds = time.monotonic() - began
    return result


def describe(result: Result) -> str:
    done = ", ".join(f"{number} {what}" for what, number in result.counts.items())
    problems = f"{len(result.problems)} problems" if result.problems else "nothing wrong"
    return f"{result.rounds} rounds{': ' if done else ''}{done}; {problems}"


def _next(numbers: Iterator[int], result: Result, seed: int) -> int | None:
    """None when there are no more, or nobody can tell: that is a problem of this campaign, and the next ones go on."""
    try:
        return next(numbers, None)
    except Exception as failure:
        name = result.campaign.name
        text = f"rounds not counted: {type(failure).__name__} {str(failure)[-3000:]}"
        result.problems.append((text, f"tests/torture/torture.py {name} --seed {seed}"))
        return None


def _start(campaign: Campaign, seed: int, number: int, parent: Path) -> _Running:
    trial = Trial(campaign.name, seed, number, parent / f"{campaign.name}-{number}")
    shutil.rmtree(trial.folder, ignore_errors=True)  # a round that is repeated
    trial.folder.mkdir(parents=True)
    answer, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_run, args=(campaign, trial, theirs))
    process.start()
    theirs.close()
    return _Running(trial, process, answer, time.monotonic())


def _run(campaign: Campaign, trial: Trial, answer) -> None:
    """In the process of the round."""
    os.setsid()  # so that it can be ended with all that it started
    try:
        campaign.round(trial)
        if not trial.counts and not trial.problems:
            trial.problem("round empty: it has done nothing that it counts")
    except Exception as failure:
        where = traceback.format_exc(limit=-3)
        trial.problem(f"round failed: {type(failure).__name__} {str(failure)[-3000:]}\n{where}")
    answer.send((trial.counts, trial.problems))


def _take_ended(campaign: Campaign, running: list[_Running], result: Result) -> None:
    """Waits a little for rounds to end, and notes what came of those that did."""
    multiprocessing.connection.wait([one.answer for one in running], timeout=0.5)
    for one in list(running):
        trial = one.trial
        if one.answer.poll():
            try:
                trial.counts, trial.problems = one.answer.recv()
            except EOFError:
                trial.problem("round died: its process ended without a word")
        elif time.monotonic() - one.began > campaign.seconds:
            trial.problem(f"round hangs: it is not over after {campaign.seconds} seconds")
        else:
            continue
        running.remove(one)
        _end(one)
        result.rounds += 1
        result.counts += trial.counts
        if not trial.problems or len(result.problems) >= KEPT_FOLDERS:
            shutil.rmtree(trial.folder, ignore_errors=True)
        result.problems += trial.problems


def _end(one: _Running) -> None:
    """The process of a round, and what it has left running."""
    try:
        os.killpg(one.process.pid, signal.SIGKILL)
    except ProcessLookupError:
        one.process.kill()
    one.process.join()
    one.answer.close()
