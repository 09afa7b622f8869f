"""Campaigns that break kesherd on purpose: each fault has to be caught, or to be known as one that nobody can tell.

Without them nobody would know what the silence of the other campaigns, and of the tests, is worth.
"""

from harness.campaign import Campaign, Trial
from powerloss.server import is_built

from .catching import Finding, faulty_program, find_by_power_cuts, find_by_tests, why_worthless
from .fault import Fault, PowerCuts
from .faults import FAULTS
from .syncs import SYNCED_PLACES, sync_is_missed

HANG_SECONDS = 900
CATCHABLE = [fault for fault in FAULTS if not fault.redundant]


def find(fault: Fault, trial: Trial) -> Finding:
    if not isinstance(fault.caught_by, PowerCuts):
        return find_by_tests(fault, trial)
    finding = find_by_power_cuts(fault, trial)
    trial.count("images", finding.tried)
    return finding


def fault_is_caught(trial: Trial) -> None:
    """The faults in their order."""
    fault = CATCHABLE[trial.number % len(CATCHABLE)]
    finding = find(fault, trial)
    if not finding.text:
        reached = "its place was reached" if finding.happened else "its place was never reached"
        trial.problem(f"not caught: {fault.name}, by {fault.caught_by}; {reached}, {finding.tried} tried")
        return
    if not finding.happened:
        trial.problem(f"control worthless: {fault.name} is caught, and its place was never reached: {finding.text}")
        return
    worthless = "" if isinstance(fault.caught_by, PowerCuts) else why_worthless(fault.caught_by, trial)
    if worthless:
        trial.problem(f"control worthless: {fault.name} is caught without it, too: {worthless}")
    else:
        trial.count("faults caught")


def why_not() -> str:
    return "" if faulty_program().exists() and is_built() else f"{faulty_program()} is not built"


CAMPAIGNS = [
    Campaign(
        "controls/faults",
        "kesherd broken on purpose in one place: a test or a power cut has to tell",
        fault_is_caught,
        sample=2,
        share=3,
        rounds=lambda seed, folder: len(CATCHABLE),
        seconds=HANG_SECONDS,
        needs=why_not,
    ),
    Campaign(
        "controls/syncs",
        "the syncs of one place left out: power cuts have to miss them",
        sync_is_missed,
        sample=1,
        share=3,
        rounds=lambda seed, folder: len(SYNCED_PLACES),
        seconds=HANG_SECONDS,
        needs=why_not,
    ),
]
