"""The campaigns of failing calls."""

from . import calls

CAMPAIGNS = [*calls.CAMPAIGNS]
