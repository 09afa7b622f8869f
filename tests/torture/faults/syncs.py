"""A sync fails once, and what it was for is lost although later ones succeed, as Linux has it. Then the power goes: at
moments behind that, nothing acknowledged may be missing. For each sync of a run, by the recorder of the power cuts.
"""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from harness.campaign import Campaign, Trial
from powerloss.disk import ALL_KEPT, Style
from powerloss.clients import Run
from powerloss.guest import Course, Lost
from powerloss.recording import Entry, Kind, Sync
from powerloss.rounds import Image, Round, check_images, record
from powerloss.server import is_built

from .standard import Standard

MOST_SYNCS = 1000  # of a kind
MARGIN = 1.2  # a run makes a few more or less
IMAGES = 5
REFUSED = re.compile(r"did not become ready, status [12]:.*\b(error|kesherd:)", re.DOTALL)  # it said why


def needs() -> str:
    return "" if is_built() else "the recorder or its server is not built"


def run_twice(run: Run, problems: list[str]) -> None:
    """What keeps something: in the second run, of those who were there in the first."""
    course = Course(run.server, is_strict=False)
    try:
        for _ in range(2):
            standard = Standard(run, course)
            for act in (standard.register, standard.upload, standard.send, standard.pull, standard.send):
                act()
    except Lost as lost:
        problems.append(f"server died: {lost}, {run.server.log()[-600:]}")
    problems += course.problems


def syncs_of(entries: list[Entry]) -> Iterator[Sync]:
    return (Sync(entry.length) for entry in entries if entry.kind == Kind.SYNC_BEGIN)


def count_syncs(seed: int, folder: Path) -> list[int]:
    made = record(folder, "syncs", str(seed), act=lambda run: run_twice(run, []), orderly=False)
    counts = Counter(syncs_of(made.entries()))
    return [
        kind * MOST_SYNCS + place for kind in Sync for place in range(1, int(counts[kind] * MARGIN) + 1)
    ]


def images_of(trial: Trial, made: Round, failed: int) -> list[Image]:
    """Moments at which an answer may have arrived, and the end."""
    entries = made.entries()
    answers = [place + 1 for place, entry in enumerate(entries) if entry.kind == Kind.SEND_END and place > failed]
    chosen = trial.chance.sample(answers, min(IMAGES, len(answers)))
    images = [Image(number, moment, Style.choose(trial.chance)) for number, moment in enumerate(chosen)]
    end = len(entries)
    return [*images, Image(IMAGES, end, ALL_KEPT), Image(IMAGES + 1, end, Style.choose(trial.chance))]


def sync_fails(trial: Trial) -> None:
    kind, place = Sync(trial.number // MOST_SYNCS), trial.number % MOST_SYNCS
    problems: list[str] = []
    try:
        made = record(
            trial.folder / "life",
            "syncs",
            f"{trial.seed} {trial.number}",
            act=lambda run: run_twice(run, problems),
            orderly=False,
            fail=f"{kind.name.lower()}:{place}",
        )
    except AssertionError as failure:
        if not REFUSED.search(str(failure)):
            raise
        trial.count("starts refused")
        return
    failed = [
        place
        for place, entry in enumerate(made.entries())
        if entry.kind == Kind.SYNC_END and entry.error
    ]
    if not failed:
        trial.count("not reached")
        return
    images = images_of(trial, made, failed[0])
    problems += [found.text for found in check_images(made, images, trial.folder / "image")]
    trial.count("syncs failed", len(failed))
    trial.count("images", len(images))
    for problem in problems:
        trial.problem(f"{problem}\n    behind {kind.name.lower()} {place}")


CAMPAIGNS = [
    Campaign(
        "calls/sync",
        "each sync of a run fails once, then the power goes",
        sync_fails,
        sample=2,
        share=2,
        rounds=count_syncs,
        needs=needs,
    )
]
