"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from clients import trials as client_trials
from harness.campaign import Campaign

CAMPAIGNS: list[Campaign] = [*client_trials.CAMPAIGNS]
