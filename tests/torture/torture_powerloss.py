#!/usr/bin/python3
"""What is beside the campaigns of power cuts (torture.py power): one image once more, and the negative controls.
tests/torture/powerloss/README.md says how it works.

Usage: torture_powerloss.py --repeat FOLDER --image N
           one image of a recording that was kept; with --show DIR it is left there instead
       torture_powerloss.py --controls [--place WORDS] [--load NAME]... [--images N] [--seed N]
           each place from which the server syncs is left out, and has to be missed
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from powerloss import controls, server  # noqa: E402
from powerloss.loads import LOADS  # noqa: E402
from powerloss.rounds import Round, check_images, write_image  # noqa: E402
from torture import scratch_parent  # noqa: E402


def run_controls(options: argparse.Namespace, folder: Path) -> bool:
    loads = tuple(options.load or LOADS)
    found = controls.run_controls(
        folder, loads=loads, seed=options.seed, images=options.images, words=options.place
    )
    print(controls.control_table(found))
    return all(control.caught or controls.why_redundant(control.place) for control in found)


def repeat(options: argparse.Namespace, folder: Path) -> bool:
    made = Round.kept_in(options.repeat)
    image = made.images[options.image]
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
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--repeat", type=Path, metavar="FOLDER")
    what.add_argument("--controls", action="store_true", help="leave out syncs")
    parser.add_argument("--image", type=int, metavar="N", help="with --repeat: which one")
    parser.add_argument("--show", type=Path, metavar="DIR", help="with --repeat: leave the image there")
    parser.add_argument("--place", default="", metavar="WORDS", help="with --controls: only places with them")
    parser.add_argument("--load", action="append", choices=list(LOADS), help="only this one; may be repeated")
    parser.add_argument("--images", type=int, default=60, help="with --controls: of each place (60)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if not server.is_built():
        parser.error(f"{server.release_program()} is not built: ninja -C build-test")
    with tempfile.TemporaryDirectory(prefix="kesher-powerloss-", dir=scratch_parent()) as folder:
        is_good = (repeat if options.repeat else run_controls)(options, Path(folder))
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
