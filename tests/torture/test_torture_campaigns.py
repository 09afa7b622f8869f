"""A sample of each campaign: a few rounds, of another seed each time."""

import random

import pytest
from campaigns import CAMPAIGNS
from harness.runner import describe, run_campaign


@pytest.mark.parametrize("campaign", [c for c in CAMPAIGNS if c.sample > 0], ids=lambda campaign: campaign.name)
def test_a_sample_finds_nothing_wrong(tmp_path, campaign):
    seed = random.SystemRandom().randrange(1 << 32)
    result = run_campaign(campaign, tmp_path / "rounds", seed=seed, rounds=campaign.sample, processes=1)
    if result.skipped:
        pytest.skip(result.skipped)
    told = [f"{text}\n    repeat: {repeat}" for text, repeat in result.problems]
    assert not told, "\n".join(told[:10])
    assert result.rounds > 0 and result.counts, describe(result)
