"""Campaigns that break kesherd on purpose: each fault has to be caught, or to be known as one that nobody can tell.
Without that, nobody would know what the silence of the other campaigns and of the tests is worth."""

from harness.campaign import Campaign, Trial

from .catching import Finding, faulty_program, find_by_power_cuts, find_by_tests, why_worthless
from .fault import Fault, PowerCuts
from .faults import FAULTS


def find(fault: Fault, trial: Trial) -> Finding:
    if not isinstance(fault.caught_by, PowerCuts):
        return find_by_tests(fault, trial)
    finding = find_by_power_cuts(fault, trial)
    trial.count("images", finding.tried)
    return finding


def fault_is_caught(trial: Trial) -> None:
    """The faults that can be caught, in their order."""
    fault = CATCHABLE[trial.number % len(CATCHABLE)]
    finding = find(fault, trial)
    if finding.text and not isinstance(fault.caught_by, PowerCuts):
        worthless = why_worthless(fault.caught_by, trial)
        if worthless:
            trial.problem(f"control worthless: {fault.name} is caught without it, too: {worthless}")
    if finding.text:
        trial.count("faults caught")
        return
    reached = "its place was reached" if finding.happened else "its place was never reached"
    trial.problem(f"not caught: {fault.name}, by {fault.caught_by}; {reached}, {finding.tried} tried")


CATCHABLE = [fault for fault in FAULTS if fault.caught_by is not None]


def why_not() -> str:
    return "" if faulty_program().exists() else f"{faulty_program()} is not built"


CAMPAIGNS = [
    Campaign(
        "controls/faults",
        "kesherd broken on purpose in one place: a test or a power cut has to tell",
        fault_is_caught,
        sample=4,
        share=4,
        rounds=lambda seed, folder: len(CATCHABLE),
        needs=why_not,
    ),
]
