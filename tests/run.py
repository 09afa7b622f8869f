#!/usr/bin/python3
"""Runs the tests of one build and counts them.

    tests/run.py BUILD-DIRECTORY [--unit] [-k WORDS]

The unit test programs that Meson knows, several at a time; each prints cmocka's report. At the same time pytest over
tests/torture and tests/integration, file by file on several workers (python3-pytest-xdist), with the programs of the
build in $KESHERD and $KESHER: most of its tests wait most of the time, and the unit tests use what is left. What
pytest says is shown when the unit tests are done. The report of whatever failed is shown. $KESHER_WORKERS says how
many workers pytest has, when it isn't twice the cores. The last line is `N passed, M failed`; the exit status is 0
only when something ran and nothing failed. A program that crashes, leaks, is reported by a sanitizer or ends without
cmocka's summary counts as a failure, whatever its tests said.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UNIT_TIMEOUT = 900  # seconds; a program that takes longer hangs, as meson.build has it
SANITIZER_STATUS = 99


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def environment(build):
    """The environment of every test: sanitizers that stop at the first finding and say where."""
    variables = dict(os.environ)
    common = f"halt_on_error=1:allocator_may_return_null=1:exitcode={SANITIZER_STATUS}"
    variables["ASAN_OPTIONS"] = (
        f"{common}:detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:"
        "check_initialization_order=1:"
        # cmocka catches signals to go on with the next test; the sanitizer's report is worth more.
        "allow_user_segv_handler=0:handle_abort=2:handle_segv=2:handle_sigbus=2:handle_sigfpe=2"
    )
    variables["UBSAN_OPTIONS"] = f"{common}:print_stacktrace=1"
    variables["LSAN_OPTIONS"] = f"exitcode={SANITIZER_STATUS}"
    variables["TSAN_OPTIONS"] = f"{common}:second_deadlock_stack=1"
    variables["KESHERD"] = str(build / "kesherd")
    variables["KESHER"] = str(build / "kesher")
    variables["KESHER_BENCH"] = str(build / "kesher-bench")
    variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables


def judge(output, status):
    """What cmocka's report and the exit status of one program amount to, and what is odd about it."""
    announced = sum(int(number) for number in re.findall(r"^\[=+\] Running (\d+) test", output, re.M))
    count = Count(
        passed=len(re.findall(r"^\[ +OK +\] ", output, re.M)),
        failed=len(re.findall(r"^\[ +FAILED +\] (?!\d+ test)(?!.*listed below)\S+$", output, re.M)),
        skipped=len(re.findall(r"^\[ +SKIPPED +\] (?!\d+ test)\S+$", output, re.M)),
    )
    # cmocka names each failed test once when it fails and once more in its summary.
    summary = re.findall(r"^\[ +FAILED +\] (\d+) test\(s\), listed below:$", output, re.M)
    skipped = re.findall(r"^\[ +SKIPPED +\] (\d+) test\(s\), listed below:$", output, re.M)
    count.failed -= sum(int(number) for number in summary)
    count.skipped -= sum(int(number) for number in skipped)
    reported = sum(int(number) for number in re.findall(r"^\[=+\] .*?(\d+) test\(s\) run\.", output, re.M))
    oddity = None
    if status == SANITIZER_STATUS:
        oddity = "stopped by a sanitizer"
    elif status is None:
        oddity = f"still running after {UNIT_TIMEOUT} seconds"
    elif status < 0:
        oddity = f"died of signal {-status}"
    elif announced == 0:
        oddity = "ran no tests"
    elif reported != announced or count.passed + count.failed + count.skipped != announced:
        oddity = f"announced {announced} tests and reported {reported}"
    elif (status != 0) != (count.failed != 0):
        oddity = f"ended with exit status {status}"
    if oddity is not None:
        count.failed += 1
    return count, oddity


def run_program(test, variables):
    """Runs one unit test program; its count, and the text to show if something failed."""
    variables = {**variables, **test["env"]}
    with subprocess.Popen(
        test["cmd"],
        cwd=test["workdir"] or ROOT,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="backslashreplace",
    ) as process:
        try:
            output, _ = process.communicate(timeout=UNIT_TIMEOUT)
            status = process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            status = None
    count, oddity = judge(output, status)
    if count.failed == 0:
        return count, None
    # Of the tests that went well nothing needs to be seen.
    report = re.sub(r"^\[ RUN +\] (\S+)\n\[ +OK +\] \1\n", "", output, flags=re.M).rstrip()
    if oddity is not None:
        report += f"\n{test['name']} {oddity}"
    return count, report


def run_unit_tests(build, words, without, variables):
    listing = subprocess.run(
        ["meson", "introspect", "--tests", str(build)], check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    tests = [
        test
        for test in json.loads(listing.stdout)
        if (words is None or words in test["name"])
        and not any(fnmatch.fnmatchcase(test["name"], pattern) for pattern in without)
    ]
    total = Count()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda test: run_program(test, variables), tests)
        for test, (count, report) in zip(tests, results):
            total.add(count)
            if report is not None:
                print(f"---- {test['name']}\n{report}\n----")
            print(f"{test['name']}: {count.passed} passed, {count.failed} failed", flush=True)
    return total


class Pytest:
    """A run of the integration and torture suite in the background; what it says is kept until it is asked for."""

    def __init__(self, build, words, variables):
        self._words = words
        self._report = build / "pytest.xml"
        self._report.unlink(missing_ok=True)
        self._output = tempfile.TemporaryFile()
        # The torture suite first: it has the longest tests, and what begins last should not take longest.
        folders = [str(ROOT / "tests" / name) for name in ("torture", "integration")]
        # Two workers for each core: they wait for clocks, disks and each other's servers. The tests of a file share
        # a server, so a file stays with its worker.
        workers = os.environ.get("KESHER_WORKERS") or str(2 * os.cpu_count())
        command = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=180"]
        command += ["-n", workers, "--dist", "loadfile"]
        command += [f"--junitxml={self._report}", "--rootdir", str(ROOT / "tests")]
        command += ["-k", words] if words is not None else []
        self._process = subprocess.Popen(
            command + folders, cwd=ROOT, env=variables, stdout=self._output, stderr=subprocess.STDOUT
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """When the run is given up, its programs shall end, too: the interrupt lets pytest stop them."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait()
        self._output.close()

    def finish(self):
        """Waits for its end and shows what it said; its count."""
        status = self._process.wait()
        self._output.seek(0)
        sys.stdout.flush()
        shutil.copyfileobj(self._output, sys.stdout.buffer)
        sys.stdout.flush()
        total = Count()
        if self._report.exists():
            for suite in ElementTree.parse(self._report).getroot().iter("testsuite"):
                failed = int(suite.get("failures")) + int(suite.get("errors"))
                skipped = int(suite.get("skipped"))
                total.add(Count(max(0, int(suite.get("tests")) - failed - skipped), failed, skipped))
        nothing_chosen = status == 5 and self._words is not None
        if status != 0 and total.failed == 0 and not nothing_chosen:
            print(f"pytest ended with exit status {status}")
            total.failed += 1
        return total


def main():
    parser = argparse.ArgumentParser(description="run the tests of one build and count them")
    parser.add_argument("build", type=Path)
    parser.add_argument("--unit", action="store_true", help="only the unit tests")
    parser.add_argument(
        "--without", nargs="+", default=(), metavar="TEST", help="unit tests to leave out: names, or patterns"
    )
    parser.add_argument("-k", dest="words", help="only tests with this in their name")
    arguments = parser.parse_args()
    build = arguments.build.resolve()
    variables = environment(build)
    if arguments.unit:
        total = run_unit_tests(build, arguments.words, arguments.without, variables)
    else:
        with Pytest(build, arguments.words, variables) as pytest:
            total = run_unit_tests(build, arguments.words, arguments.without, variables)
            total.add(pytest.finish())
    if total.skipped > 0:
        print(f"{total.skipped} skipped")
    print(f"{total.passed} passed, {total.failed} failed")
    return 0 if total.passed > 0 and total.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
