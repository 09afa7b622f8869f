"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from faults import trials as faults
from fuzzing import trials as fuzzing
from harness.campaign import Campaign
from powerloss import trials as powerloss
from processes import trials as processes

CAMPAIGNS: list[Campaign] = [
    *powerloss.CAMPAIGNS,
    *faults.CAMPAIGNS,
    *processes.CAMPAIGNS,
    *fuzzing.CAMPAIGNS,
]
