"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from harness.campaign import Campaign
from processes import trials as processes_trials

CAMPAIGNS: list[Campaign] = [*processes_trials.CAMPAIGNS]
