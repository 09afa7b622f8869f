"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from faults import trials as faults_trials
from harness.campaign import Campaign

CAMPAIGNS: list[Campaign] = [*faults_trials.CAMPAIGNS]
