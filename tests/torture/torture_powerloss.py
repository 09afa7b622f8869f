#!/usr/bin/python3
"""Cuts the power of a server at thousands of moments, once and twice in a row, and compares what comes out of it
with what its clients had been told. tests/torture/powerloss/README.md says how it works.

Usage: torture_powerloss.py [--images N] [--pairs N] [--load NAME]... [--seed N] [--keep DIR]
           images of each kind of load, and pairs of power cuts
       torture_powerloss.py --controls [--place WORDS]
           each place from which the server syncs is left out, and has to be missed
       torture_powerloss.py --scenarios
           the courses of events that once lost something
       torture_powerloss.py --repeat FOLDER --image N
           one image of a recording that was kept; with --show DIR it is left there instead
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from powerloss import campaign, scenarios, server  # noqa: E402
from powerloss.loads import LOADS  # noqa: E402
from powerloss.rounds import Round, check_images, image_of, write_image  # noqa: E402

MEMORY_DISK = Path("/dev/shm")
ROOM = 8 << 30


def scratch_parent() -> Path | None:
    """A memory disk with room for all, or where temporary files are otherwise."""
    if MEMORY_DISK.is_dir() and shutil.disk_usage(MEMORY_DISK).free > ROOM:
        return MEMORY_DISK
    return None


def run_campaign(options: argparse.Namespace, folder: Path) -> bool:
    plan = campaign.Plan(tuple(options.load or LOADS), options.images, options.pairs, options.seed)
    print(f"seed {plan.seed}; recordings of problems are kept in {folder}")
    began = time.monotonic()
    totals = campaign.run_plan(plan, folder, campaign.tell_on_screen)
    problems = [problem for counts in totals.values() for problem in counts.problems]
    for problem in problems[: options.show_problems]:
        print(problem)
    print(campaign.table(totals))
    print(f"{time.monotonic() - began:.0f} seconds")
    return not problems


def run_controls(options: argparse.Namespace, folder: Path) -> bool:
    loads = tuple(options.load or LOADS)
    controls = campaign.run_controls(
        folder, loads=loads, seed=options.seed, images=options.images, words=options.place
    )
    print(campaign.control_table(controls))
    return all(control.caught or campaign.why_redundant(control.place) for control in controls)


def run_scenarios(folder: Path) -> bool:
    is_good = True
    for scenario in scenarios.SCENARIOS:
        try:
            problems = scenarios.run_scenario(scenario, folder / scenario.__name__)
        except scenarios.NotReached as reason:
            print(f"{scenario.__name__}: not reached: {reason}")
            is_good = False
            continue
        kinds = campaign.Counts(problems=[problem.text for problem in problems]).kinds()
        print(f"{scenario.__name__}: " + (", ".join(f"{n} × {kind}" for kind, n in kinds.items()) or "good"))
        is_good = is_good and not problems
    return is_good


def repeat(options: argparse.Namespace, folder: Path) -> bool:
    made = Round.kept_in(options.repeat)
    image = image_of(made, options.image)
    print(f"{made.what}: moment {image.moment} of {len(made.entries())}, {image.style}")
    if options.show is not None:
        write_image(made, image, options.show)
        print(f"the image is in {options.show}")
        return True
    problems = check_images(made, [image], folder / "image")
    for problem in problems:
        print(problem.text)
    print(f"{len(problems)} problems")
    return not problems


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0], formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, help="of each kind of load (1000), or of each place (60)")
    parser.add_argument("--pairs", type=int, default=300, help="of power cuts, of all loads together (300)")
    parser.add_argument("--load", action="append", choices=list(LOADS), help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new directory for recordings of problems")
    parser.add_argument("--show-problems", type=int, default=20, metavar="N", help="print the first N (20)")
    parser.add_argument("--controls", action="store_true", help="leave out syncs")
    parser.add_argument("--place", default="", metavar="WORDS", help="with --controls: only places with them")
    parser.add_argument("--scenarios", action="store_true")
    parser.add_argument("--repeat", type=Path, metavar="FOLDER")
    parser.add_argument("--image", type=int, metavar="N")
    parser.add_argument("--show", type=Path, metavar="DIR", help="with --repeat: leave the image there")
    options = parser.parse_args()
    if not server.is_built():
        parser.error(f"{server.release_program()} is not built: ninja -C build-test")
    options.images = options.images or (60 if options.controls else 1000)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="kesher-powerloss-", dir=scratch_parent()))
    folder.mkdir(parents=True, exist_ok=True)
    if options.repeat is not None:
        is_good = repeat(options, folder)
    elif options.scenarios:
        is_good = run_scenarios(folder)
    elif options.controls:
        is_good = run_controls(options, folder)
    else:
        is_good = run_campaign(options, folder)
    if is_good or options.repeat or options.controls:
        shutil.rmtree(folder)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
