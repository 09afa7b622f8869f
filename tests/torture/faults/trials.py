"""The campaigns of failing calls and allocations."""

from . import calls, memory_trials

CAMPAIGNS = [*calls.CAMPAIGNS, *memory_trials.CAMPAIGNS]
