"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from harness.campaign import Campaign
from sequences import trials as sequences_trials

CAMPAIGNS: list[Campaign] = [*sequences_trials.CAMPAIGNS]
