"""A sample of the campaigns: of each kind of damage some, by chance, a few rounds of each, each time of other seeds."""

import random

import pytest
from campaigns import CAMPAIGNS
from harness.campaign import Campaign
from harness.runner import describe, run_campaign

CAMPAIGNS_OF_A_KIND = 4
SECONDS_OF_A_CAMPAIGN = 10  # in which rounds begin; a slow machine does fewer, one at least


def kind_of(campaign: Campaign) -> str:
    """`power` of power/pulls, `client/killed` of client/killed/put."""
    return campaign.name.rpartition("/")[0] or campaign.name


SAMPLED = [campaign for campaign in CAMPAIGNS if campaign.sample > 0]
KINDS = list(dict.fromkeys(map(kind_of, SAMPLED)))


@pytest.mark.timeout(600)  # a round that hangs is told by the runner, before that
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_finds_nothing_wrong(scratch, kind):
    chance = random.SystemRandom()
    of_kind = [campaign for campaign in SAMPLED if kind_of(campaign) == kind]
    results = [
        run_campaign(
            campaign,
            scratch / "rounds",
            seed=chance.randrange(1 << 32),
            rounds=campaign.sample,
            seconds=SECONDS_OF_A_CAMPAIGN,
            processes=1,
        )
        for campaign in chance.sample(of_kind, min(CAMPAIGNS_OF_A_KIND, len(of_kind)))
    ]
    told = [f"{text}\n    repeat: {repeat}" for result in results for text, repeat in result.problems]
    assert not told, "\n".join(told[:10])
    for result in results:
        assert result.skipped or (result.rounds > 0 and result.counts), describe(result)
    if all(result.skipped for result in results):
        pytest.skip("; ".join(sorted({result.skipped for result in results})))
