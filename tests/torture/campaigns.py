"""All campaigns, in the order in which they run. Each folder beside this file has those of one kind of damage."""

from clients import trials as clients
from controls import trials as controls
from faults import trials as faults
from fuzzing import trials as fuzzing
from harness.campaign import Campaign
from powerloss import trials as powerloss
from processes import trials as processes
from sequences import trials as sequences

FOLDERS = (powerloss, faults, processes, clients, sequences, fuzzing, controls)
CAMPAIGNS: list[Campaign] = [campaign for folder in FOLDERS for campaign in folder.CAMPAIGNS]
