"""The harness of the campaigns itself: what it counts, what it tells, and that nothing gets lost in it."""

import os
import subprocess
import time
from pathlib import Path

from harness.campaign import Campaign, Trial
from harness.runner import run_campaign


def campaign_of(action, **options) -> Campaign:
    return Campaign("some", "for a test", action, **{"sample": 1, "share": 1, **options})


def run(tmp_path, action, *, rounds=4, only=None, seed=7, **options):
    return run_campaign(campaign_of(action, **options), tmp_path / "rounds", seed=seed, rounds=rounds, only=only)


def counting(trial: Trial) -> None:
    trial.count("things", trial.number + 1)


def test_what_rounds_count_is_added_up(tmp_path):
    result = run(tmp_path, counting)
    assert (result.rounds, result.counts, result.problems) == (4, {"things": 1 + 2 + 3 + 4}, [])


def test_a_problem_is_told_with_the_command_that_repeats_it(tmp_path):
    def round(trial: Trial) -> None:
        trial.count("things")
        if trial.number == 2:
            trial.problem("file lost: a")

    result = run(tmp_path, round)
    assert result.problems == [("file lost: a", "tests/torture/torture.py some --seed 7 --round 2")]
    assert result.kinds() == {"file lost": 1}
    assert [path.name for path in (tmp_path / "rounds").iterdir()] == ["some-2"], "its folder is kept"


def test_a_round_is_repeated_by_its_seed_and_number(tmp_path):
    def round(trial: Trial) -> None:
        trial.problem(f"chance: {trial.chance.random()}")

    first = run(tmp_path, round)
    again = run(tmp_path, round, only=3)
    other = run(tmp_path, round, only=3, seed=8)
    assert len({text for text, _ in first.problems}) == 4
    assert again.rounds == 1 and again.problems[0] in first.problems
    assert other.problems[0][0] != again.problems[0][0]


def test_an_exception_is_a_problem_and_so_is_a_round_that_dies(tmp_path):
    def failing(trial: Trial) -> None:
        raise AssertionError("not so")

    def dying(trial: Trial) -> None:
        os._exit(3)

    assert run(tmp_path, failing, rounds=1).kinds() == {"round failed": 1}
    assert run(tmp_path, dying, rounds=1).kinds() == {"round died": 1}


def test_a_round_that_does_nothing_is_a_problem(tmp_path):
    assert run(tmp_path, lambda trial: None, rounds=2).kinds() == {"round empty": 2}


def test_a_campaign_whose_rounds_cannot_be_counted_is_a_problem(tmp_path):
    def fail(seed: int, folder: Path) -> int:
        raise AssertionError("no server")

    result = run_campaign(campaign_of(counting, rounds=fail), tmp_path / "rounds", seed=7)
    assert (result.rounds, result.kinds()) == (0, {"rounds not counted": 1})


def test_a_round_that_hangs_is_killed_with_all_that_it_has_started(tmp_path):
    def hanging(trial: Trial) -> None:
        process = subprocess.Popen(["sleep", "600"])
        (tmp_path / "pid").write_text(str(process.pid))
        time.sleep(600)

    assert run(tmp_path, hanging, rounds=1, seconds=1).kinds() == {"round hangs": 1}
    pid = (tmp_path / "pid").read_text()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/status").exists() and "zombie" not in Path(f"/proc/{pid}/status").read_text():
        assert time.monotonic() < deadline, "it is still running"
        time.sleep(0.01)


def test_of_a_campaign_with_an_end_each_round_is_run_once(tmp_path):
    def round(trial: Trial) -> None:
        trial.count(f"number {trial.number}")

    whole = run_campaign(campaign_of(round, rounds=lambda seed, folder: 6), tmp_path / "rounds", seed=7)
    assert whole.counts == {f"number {number}": 1 for number in range(6)}
    some = run_campaign(campaign_of(round, rounds=lambda seed, folder: 600), tmp_path / "rounds", seed=7, rounds=3)
    assert some.rounds == 3 and set(some.counts) != {"number 0", "number 1", "number 2"}


def test_however_little_time_there_is_one_round_is_run(tmp_path):
    assert run_campaign(campaign_of(counting), tmp_path / "rounds", seed=7, seconds=0).rounds > 0


def test_a_campaign_that_cannot_run_here_says_why(tmp_path):
    result = run(tmp_path, counting, needs=lambda: "no loop device")
    assert (result.skipped, result.rounds) == ("no loop device", 0)
