"""fuzzing/trials.py: what a round counts, and what it says of a finding. The target is made up."""

import pytest
from fuzzing import trials
from harness.runner import run_campaign

GOOD = "echo 'stat::number_of_executed_units: 1234' >&2"
CRASHES = """
for argument; do case $argument in -artifact_prefix=*) prefix=${argument#*=} ;; esac; done
echo bad >"${prefix}crash-0123"
echo '#77 NEW cov: 1' >&2
echo "artifact_prefix='$prefix'; Test unit written to ${prefix}crash-0123" >&2
exit 77
"""
TEXT = next(campaign for campaign in trials.CAMPAIGNS if campaign.name == "fuzz/text")


@pytest.fixture
def fuzz(tmp_path, monkeypatch):
    """Rounds of one target whose program is a shell script."""
    monkeypatch.setenv("KESHER_FUZZ", str(tmp_path / "build"))

    def run(program, rounds=1):
        (tmp_path / "build/fuzz").mkdir(parents=True)
        (tmp_path / "build/fuzz/fuzz_text").write_text(f"#!/bin/sh\n{program}\n")
        (tmp_path / "build/fuzz/fuzz_text").chmod(0o755)
        return run_campaign(TEXT, tmp_path / "rounds", seed=1, rounds=rounds, processes=2)

    return run


def test_rounds_count_inputs(fuzz):
    result = fuzz(GOOD, rounds=3)
    assert not result.problems and result.counts == {"inputs": 3 * 1234}


def test_a_finding_is_told_with_the_command_that_repeats_it(fuzz, tmp_path):
    result = fuzz(CRASHES)
    assert result.counts == {"inputs": 77}
    [(text, repeat)] = result.problems
    assert text.startswith("text found a crash, see ")
    program, crash = repeat.split()
    assert program == str(tmp_path / "build/fuzz/fuzz_text")
    assert open(crash).read() == "bad\n"


def test_a_target_that_is_not_built_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("KESHER_FUZZ", str(tmp_path))
    assert "make fuzz" in run_campaign(TEXT, tmp_path / "rounds", seed=1, rounds=1).skipped


def test_every_target_is_a_campaign():
    names = {campaign.name for campaign in trials.CAMPAIGNS}
    sources = (trials.REPOSITORY / "fuzz").glob("fuzz_*.c")
    assert {f"fuzz/{path.stem.removeprefix('fuzz_')}" for path in sources} == names
