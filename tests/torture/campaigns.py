"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from controls import trials as controls
from harness.campaign import Campaign
from powerloss import trials as power

CAMPAIGNS: list[Campaign] = [*power.CAMPAIGNS, *controls.CAMPAIGNS]
