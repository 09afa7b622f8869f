#!/usr/bin/python3
"""Measures kesher beside servers that people know, and writes docs/performance.md.

    bench.py [--rounds N] [--row NAME]... [--quick] [--growth] [--pin WHERE] [--neighbour]
             [--output FILE] [--json FILE]
    bench.py --from FILE [--output FILE]      writes the page again, without measuring

`make bench ARGS='...'` builds, installs the peers and calls this. Results are kept as JSON. The exit status is 0
only when everything could be measured; a target that is not met is no failure, it is in the page.
"""

import argparse
import datetime
import json
import signal
import sys
import time
from pathlib import Path

import document
import limits
import machine
import rows_files
import rows_memory
import rows_messages
import rows_own_files
import rows_secure
from model import Runner
from summary import digits
from workspace import Failed, Workspace, raise_limits

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 5
ROWS = {**rows_files.ROWS, **rows_messages.ROWS, **rows_memory.ROWS, **rows_secure.ROWS,
        **rows_own_files.ROWS}


def parse_arguments(words):
    parser = argparse.ArgumentParser(description="measure kesher beside its peers",
                                     epilog=f"Rows: {', '.join(ROWS)}.")
    parser.add_argument("--rounds", type=int, default=ROUNDS,
                        help=f"of every contender of a row [{ROUNDS}]")
    parser.add_argument("--row", action="append", choices=list(ROWS), metavar="NAME",
                        help="only this row; may be given again")
    parser.add_argument("--quick", action="store_true", help="one short round of little work: only shows that it works")
    parser.add_argument("--growth", action="store_true",
                        help="go to the far ends of the plots: 4 GiB, 20 000 connections …")
    parser.add_argument("--pin", choices=["none", "apart", "together"],
                        help="messages, group-* and ask-*: server and generator wherever the system puts them, on "
                             "cores of their own, or on one core [apart where one request or line goes at a time, "
                             "else none]")
    parser.add_argument("--neighbour", action="store_true",
                        help="beside all of it, a busy loop of the least priority on every core")
    parser.add_argument("--output", type=Path, help="the page [docs/performance.md; with --neighbour docs/performance-busy.md; "
                             "with --row or --quick none]")
    parser.add_argument("--json", type=Path,
                        help="what was found [BUILD/bench.json; with --neighbour BUILD/bench-busy.json; "
                             "with --row or --quick BUILD/bench-part.json]")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE",
                        help="write the page from this JSON, measure nothing")
    parser.add_argument("--build", type=Path, default=REPOSITORY / "build", help="directory of the programs [build]")
    parser.add_argument("--directory", type=Path,
                        help="where the temporary directory is made: on the disk that is meant [BUILD]")
    arguments = parser.parse_args(words)
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1")
    arguments.build = arguments.build.resolve()
    is_part = bool(arguments.row or arguments.quick)
    kind = "-busy" if arguments.neighbour else ""
    if arguments.output is None and not is_part:
        arguments.output = REPOSITORY / "docs" / f"performance{kind}.md"
    if arguments.json is None:
        arguments.json = arguments.build / ("bench-part.json" if is_part else f"bench{kind}.json")
    if arguments.source is not None and arguments.output is None:
        parser.error("--from writes a page: where to, --output?")
    return arguments


def _end(number, _frame):
    raise SystemExit(128 + number)


def _too_long(_number, _frame):
    raise Failed("a client took too long")


def _check_build(build):
    for name in ("kesherd", "kesher", "kesher-bench"):
        if not (build / name).is_file():
            raise SystemExit(f"bench: {name} is not built; run make bench")


def _repeatable(arguments):
    """The options that decide what is measured, without places on this machine."""
    words = [] if arguments.rounds == ROUNDS or arguments.quick else ["--rounds", str(arguments.rounds)]
    for name in arguments.row or ():
        words += ["--row", name]
    words += ["--pin", arguments.pin] if arguments.pin else []
    words += [f"--{name}" for name in ("quick", "growth", "neighbour") if getattr(arguments, name)]
    return " ".join(words)


def measure(arguments):
    """All rows that were asked for, as data, which is kept after every row: an interrupt loses one."""
    _check_build(arguments.build)
    raise_limits()
    begin = time.monotonic()
    workspace = Workspace((arguments.directory or arguments.build).resolve(), arguments.build, REPOSITORY)
    try:
        if arguments.neighbour:
            workspace.start_neighbours()
        runner = Runner(workspace, rounds=arguments.rounds, quick=arguments.quick, growth=arguments.growth,
                        pin=arguments.pin, gauge=limits.measure)
        result = {
            "rows": [], "machine": machine.describe(workspace.path), "versions": runner.versions,
            "configurations": runner.configurations, "failures": runner.failures,
            "arguments": _repeatable(arguments), "quick": arguments.quick, "neighbour": arguments.neighbour,
            "rounds": 1 if arguments.quick else arguments.rounds, "date": datetime.date.today().isoformat(),
        }
        for name in arguments.row or ROWS:
            result["rows"].append(runner.run(ROWS[name](workspace)))
            result["minutes"] = (time.monotonic() - begin) / 60
            arguments.json.write_text(json.dumps(result, indent=1) + "\n")
            _print_row(result["rows"][-1])
        return result
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # who presses Ctrl-C twice shall not cut the clean-up short
        workspace.close()


def _print_row(row):
    print(f"  limits: {limits.summed_up(row['limits'])}", flush=True)
    if limits.changed(row["limits"]):
        print(f"  {limits.complaint(row['limits'])}", flush=True)
    for target in row["targets"]:
        verdict = {True: "met", False: "NOT MET", None: "not measured"}[target["met"]]
        measured = digits(target["ratio"] if target["ratio"] is not None else target["ours"])
        against = f" × {target['best']}" if target["best"] else ""
        print(f"  target {target['text']}: {verdict} ({measured}{against})", flush=True)


def _print_speed(rows):
    """How fast the machine was, and in how many rows it was not the same throughout."""
    marked = [row["name"] for row in rows if limits.changed(row["limits"])]
    print(f"\nlimits of this run: {limits.summed_up([figures for row in rows for figures in row['limits']])}")
    if marked:
        print(f"the machine was not the same throughout in {len(marked)} of {len(rows)} rows: {', '.join(marked)}")


def main():
    arguments = parse_arguments(sys.argv[1:])
    if arguments.source is not None:
        result = json.loads(arguments.source.read_text())
        document.write(result, arguments.output)
        print(f"wrote {arguments.output}")
        return 0
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGHUP, _end)
    signal.signal(signal.SIGALRM, _too_long)
    try:
        result = measure(arguments)
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    _print_speed(result["rows"])
    if arguments.output is not None:
        document.write(result, arguments.output)
        print(f"wrote {arguments.output}")
    for failure in result["failures"]:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
