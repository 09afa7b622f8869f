"""The campaigns of failing calls, disks and allocations."""

from . import calls, disks, memory_trials, syncs

CAMPAIGNS = [*calls.CAMPAIGNS, *syncs.CAMPAIGNS, *disks.CAMPAIGNS, *memory_trials.CAMPAIGNS]
