#!/usr/bin/python3
"""Breaks disks, memory, networks, clocks and processes under kesher, and checks what clients were told.

tests/torture/README.md says what each campaign does. Without arguments all of them share an hour.

Usage: torture.py [--minutes N | --rounds N | --full] [--seed N] [--keep DIR] [CAMPAIGN...]
           campaigns, or all whose name begins so: "power" is all power cuts
       torture.py CAMPAIGN --seed N --round N
           one round once more, as it is printed with each problem
       torture.py --list
"""

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from campaigns import CAMPAIGNS  # noqa: E402
from harness.campaign import Campaign  # noqa: E402
from harness.runner import Result, describe, run_campaign  # noqa: E402

MEMORY_DISK = Path("/dev/shm")
ROOM = 8 << 30
SHOWN_PROBLEMS = 20


def scratch_parent() -> Path | None:
    """A memory disk with room for all, or where temporary files are otherwise."""
    if MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > ROOM:
        return MEMORY_DISK
    return None


def chosen(names: list[str]) -> list[Campaign]:
    for name in names:
        if not any(campaign.name.startswith(name) for campaign in CAMPAIGNS):
            raise SystemExit(f"torture.py: there is no campaign {name}; --list has them all")
    return [c for c in CAMPAIGNS if not names or any(c.name.startswith(name) for name in names)]


def one_of_the_round(names: list[str]) -> list[Campaign]:
    """A round has a number in one campaign, whose name has to be whole."""
    campaigns = [campaign for campaign in CAMPAIGNS if [campaign.name] == names]
    if not campaigns:
        raise SystemExit("torture.py: --round needs the whole name of one campaign; --list has them all")
    return campaigns


def amounts(options: argparse.Namespace, campaigns: list[Campaign]) -> dict[str, dict]:
    """Of each campaign, what run_campaign takes; None where it depends on the time that is left then."""
    if options.rounds is not None:
        return {c.name: {"rounds": options.rounds} for c in campaigns}
    if options.full:
        return {
            c.name: {"seconds": c.full_minutes * 60} if c.full_minutes is not None else {"rounds": c.full}
            for c in campaigns
        }
    return {}


def run_all(options: argparse.Namespace, campaigns: list[Campaign], folder: Path) -> Iterator[Result]:
    """What one campaign leaves of its time is the next ones'."""
    fixed = amounts(options, campaigns)
    end = time.monotonic() + options.minutes * 60
    for place, campaign in enumerate(campaigns):
        left = max(0.0, end - time.monotonic())
        share = campaign.share / sum(c.share for c in campaigns[place:])
        amount = fixed.get(campaign.name, {"seconds": left * share})
        result = run_campaign(
            campaign, folder, seed=options.seed, only=options.round, processes=options.processes, tell=tell, **amount
        )
        tell(f"{campaign.name}: " + (f"skipped: {result.skipped}" if result.skipped else describe(result)))
        for text, repeat in result.problems[:SHOWN_PROBLEMS]:
            print(f"{text}\n    repeat: {repeat}", flush=True)
        yield result


def tell(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def width_of(campaigns: Iterable[Campaign]) -> int:
    return max(len(campaign.name) for campaign in campaigns) + 2


def table(results: list[Result]) -> str:
    width = width_of(result.campaign for result in results)
    lines = [f"{'campaign':<{width}}{'rounds':>8}{'problems':>10}{'minutes':>9}  done"]
    for result in results:
        done = result.skipped or ", ".join(f"{number} {what}" for what, number in sorted(result.counts.items()))
        lines.append(
            f"{result.campaign.name:<{width}}{result.rounds:>8}{len(result.problems):>10}"
            f"{result.seconds / 60:>9.1f}  {'skipped: ' if result.skipped else ''}{done}"
        )
        lines += [f"{'':<{width}}{number:>8} × {kind}" for kind, number in result.kinds().most_common()]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help="these, or those that begin so; all")
    amount = parser.add_mutually_exclusive_group()
    amount.add_argument("--minutes", type=float, default=60, help="for all together (60); a round of each takes some 15")
    amount.add_argument("--rounds", type=int, help="of each, however long it takes")
    amount.add_argument("--full", action="store_true", help="what docs/reliability.md tells of: hours")
    parser.add_argument("--round", type=int, metavar="N", help="only the one of this number")
    parser.add_argument("--seed", type=int, default=None, help="by default another one each time")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="rounds at the same time")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to keep what problems leave")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        width = width_of(CAMPAIGNS)
        print("\n".join(f"{campaign.name:<{width}}{campaign.about}" for campaign in CAMPAIGNS))
        return 0
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    campaigns = one_of_the_round(options.campaigns) if options.round is not None else chosen(options.campaigns)
    made = None if options.keep else Path(tempfile.mkdtemp(prefix="kesher-torture-", dir=scratch_parent()))
    folder = made or options.keep.resolve()  # some rounds work elsewhere
    tell(f"seed {options.seed}; what problems leave is in {folder}")
    results: list[Result] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the rounds would go on without us
    try:
        results.extend(run_all(options, campaigns, folder))
    except KeyboardInterrupt:
        tell("interrupted")
    if results:
        print(table(results))
    is_good = not any(result.problems for result in results)
    if is_good and made is not None:  # what --keep names is somebody's, and may hold more
        shutil.rmtree(made, ignore_errors=True)
    return 0 if is_good and len(results) == len(campaigns) else 1


if __name__ == "__main__":
    sys.exit(main())
