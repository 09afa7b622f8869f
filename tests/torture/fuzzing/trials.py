"""Fuzz targets as campaigns: a round is a minute of libFuzzer on one target, or less, in the build of `make fuzz`.

What a round learns goes to corpus/ in that build, where the next ones, and `make fuzz`, begin with it. A finding's
input stays in the folder of the round, and the command that repeats it is the target with this input.

KESHER_FUZZ is the build's directory, where it isn't build-fuzz.
"""

import math
import os
import re
import subprocess
from functools import partial
from pathlib import Path

from harness.campaign import Campaign, Trial

REPOSITORY = Path(__file__).resolve().parents[3]
SECONDS = (10, 30, 60)  # of a round: short ones begin more often with what others have learned
PATIENCE = 600  # and then it hangs; scripts/fuzz says so much earlier
FULL_MINUTES = math.ceil(10 / (os.cpu_count() or 1))  # ten of each target, on all cores
EXECUTED = re.compile(r"^(?:stat::number_of_executed_units: |#)(\d+)", re.MULTILINE)
FOUND = re.compile(r": (found .*); repeat: (.*)")


def build() -> Path:
    return Path(os.environ.get("KESHER_FUZZ", REPOSITORY / "build-fuzz"))


def targets() -> list[str]:
    return sorted(path.stem.removeprefix("fuzz_") for path in (REPOSITORY / "fuzz").glob("fuzz_*.c"))


def why_not(target: str) -> str:
    program = build() / "fuzz" / f"fuzz_{target}"
    return "" if program.is_file() else f"{program} is not there; make torture and make fuzz build it"


def fuzz(target: str, trial: Trial) -> None:
    seconds = trial.chance.choice(SECONDS)
    command = ["scripts/fuzz", "--run", build(), str(seconds), target, trial.folder]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    log = (trial.folder / f"{target}.log").read_text(errors="replace")
    inputs = max(map(int, EXECUTED.findall(log)), default=0)
    trial.count("inputs", inputs)
    if done.returncode != 0:
        found = FOUND.search(done.stdout)
        what, repeat = found.groups() if found else (f"ended with status {done.returncode}: {done.stdout}", None)
        trial.problem(f"{target} {what}", repeat)
    elif inputs == 0:
        trial.problem(f"{target} did nothing: no input in {seconds} seconds")


CAMPAIGNS = [
    Campaign(
        name=f"fuzz/{target}",
        about=f"fuzz/fuzz_{target}.c, with what it has learned so far",
        round=partial(fuzz, target),
        sample=0,  # `make test` replays the corpora, and .ci/run runs `make fuzz`
        share=1,
        full_minutes=FULL_MINUTES,
        seconds=PATIENCE,
        needs=partial(why_not, target),
    )
    for target in targets()
]
