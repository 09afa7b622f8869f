"""scripts/fuzz: what it says of targets that find something, hang, or cannot start. The targets are made up."""

import os
import shutil
import subprocess

import pytest
from peer.kesherd import REPOSITORY

GOOD = "echo 'stat::number_of_executed_units: 1234' >&2"
CRASHES = """
for argument; do case $argument in -artifact_prefix=*) prefix=${argument#*=} ;; esac; done
echo bad >"${prefix}crash-0123"
echo "artifact_prefix='$prefix'; Test unit written to ${prefix}crash-0123" >&2
exit 77
"""
HANGS = "while :; do sleep 1; done"
CANNOT_START = "exit 3"


@pytest.fixture
def fuzz(tmp_path):
    """Runs the script over targets of these names, whose programs are shell scripts."""
    if shutil.which("ninja") is None:
        pytest.skip("Ninja is not installed")

    def run(targets, *arguments):
        build = tmp_path / "build"
        build.mkdir()
        rules = ["rule copy\n command = cp $in $out && chmod 755 $out"]
        for name, text in targets.items():
            (tmp_path / f"{name}.sh").write_text(f"#!/bin/sh\n{text}\n")
            rules.append(f"build fuzz/fuzz_{name}: copy {tmp_path / name}.sh")
        (build / "build.ninja").write_text("\n".join(rules) + "\n")
        environment = {**os.environ, "KESHER_FUZZ_PATIENCE": "4"}
        command = [REPOSITORY / "scripts/fuzz", "build", "1", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return run


def test_targets_that_find_nothing_are_told_with_their_inputs(fuzz):
    done = fuzz({"one": GOOD, "two": GOOD})
    assert done.returncode == 0, done.stderr
    lines = sorted(line for line in done.stdout.splitlines() if "inputs" in line)
    assert lines == [f"{name}: 1234 inputs in 1 seconds, nothing found" for name in ("one", "two")]


def test_all_run_whatever_one_does_and_all_findings_are_told_at_the_end(fuzz, tmp_path):
    done = fuzz({"a_hang": HANGS, "broken": CANNOT_START, "crash": CRASHES, "fine": GOOD, "fine_too": GOOD})
    assert done.returncode == 1
    assert "fine: 1234 inputs" in done.stdout and "fine_too: 1234 inputs" in done.stdout
    told = sorted(done.stderr.partition("findings:\n")[2].splitlines())
    assert [line.partition(", see")[0] for line in told] == [
        "a_hang: found a hang",
        "broken: found status 3",
        "crash: found a crash",
    ]
    assert told[0].endswith("repeat: timeout 4 build/fuzz/fuzz_a_hang -runs=0 build/corpus/a_hang fuzz/corpus/a_hang")
    assert told[2].endswith("repeat: build/fuzz/fuzz_crash build/crash-crash-0123")
    assert (tmp_path / "build/crash-crash-0123").read_text() == "bad\n"


def test_only_the_targets_that_are_named_run_and_with_their_options(fuzz, tmp_path):
    (tmp_path / "fuzz").mkdir()
    (tmp_path / "fuzz/one.options").write_text("-max_len=7\n")
    (tmp_path / "fuzz/one.dict").write_text('"word"\n')
    done = fuzz({"one": 'echo "$@" >&2\n' + GOOD, "two": CRASHES}, "one")
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "build/one.log").read_text()
    assert "-max_len=7" in told and "-dict=fuzz/one.dict" in told
    assert not (tmp_path / "build/two.log").exists()
