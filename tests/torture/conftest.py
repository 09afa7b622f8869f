"""Fixtures of the torture suite: those of the integration suite, whose peer it uses; a folder for many syncs, and
rounds of kills under sanitizers."""

import random
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

import pytest  # noqa: E402

pytest.register_assert_rewrite("peer")

from peer.fixtures import *  # noqa: E402, F401, F403
from campaigns import CAMPAIGNS  # noqa: E402
from harness.runner import run_campaign  # noqa: E402
from peer.kesherd import program  # noqa: E402
from torture import scratch_parent  # noqa: E402


@pytest.fixture
def run_kills(scratch, monkeypatch):
    """Runs rounds of a campaign on the server that the tests are for, under its sanitizers; what they counted."""

    def run(name: str, rounds: int):
        monkeypatch.setenv("KESHERD_RELEASE", str(program("KESHERD", "kesherd")))
        (campaign,) = [campaign for campaign in CAMPAIGNS if campaign.name == name]
        seed = random.SystemRandom().randrange(1 << 32)
        result = run_campaign(campaign, scratch / "rounds", seed=seed, rounds=rounds, processes=1)
        if result.skipped:
            pytest.skip(result.skipped)
        assert not result.problems, result.problems
        assert result.counts["kills"] > 0
        return result.counts

    return run


@pytest.fixture
def scratch():
    """A folder on a memory disk, where syncs cost nothing; it is gone after the test."""
    with tempfile.TemporaryDirectory(prefix="kesher-torture-", dir=scratch_parent()) as folder:
        yield Path(folder)
