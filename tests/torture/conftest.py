"""Fixtures of the torture suite: those of the integration suite, whose peer it uses."""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

import pytest  # noqa: E402

pytest.register_assert_rewrite("peer")

from peer.fixtures import *  # noqa: E402, F401, F403
from campaigns import CAMPAIGNS  # noqa: E402
from harness.runner import run_campaign  # noqa: E402
from peer.kesherd import program  # noqa: E402


@pytest.fixture
def run_kills(tmp_path, monkeypatch):
    """Runs rounds of a campaign on the server that the tests are for, under its sanitizers; what they counted."""

    def run(name: str, rounds: int):
        monkeypatch.setenv("KESHERD_RELEASE", str(program("KESHERD", "kesherd")))
        (campaign,) = [campaign for campaign in CAMPAIGNS if campaign.name == name]
        seed = random.SystemRandom().randrange(1 << 32)
        result = run_campaign(campaign, tmp_path / "rounds", seed=seed, rounds=rounds, processes=1)
        if result.skipped:
            pytest.skip(result.skipped)
        assert not result.problems, result.problems
        assert result.counts["kills"] > 0
        return result.counts

    return run
