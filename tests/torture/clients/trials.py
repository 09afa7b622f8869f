"""Campaigns that break clients: killed behind, and failing in, each system call of each command."""

import functools
from collections.abc import Callable
from pathlib import Path

from harness.campaign import Campaign, Trial

from . import hostile
from .breaking import Break, Ended, failures, kills, kills_between, why_not
from .commands import COMMANDS, Command
from .power import run_recorded, run_until_cut
from .world import World

Plan = Callable[[list[str]], list[Break]]

_calls: dict[tuple[str, bool], list[str]] = {}  # filled before the rounds are forked


def calls_of(command: Command, folder: Path, *, is_recorded: bool = False) -> list[str]:
    """The system calls of a run of this command that is not broken."""
    known = (command.name, is_recorded)
    if known not in _calls:
        folder.mkdir()
        world = World(folder)
        try:
            command.prepare(world)
            whole = (run_recorded if is_recorded else run_broken)(world, command, Break())
            assert whole.status == 0 and not world.problems, (whole.stderr, world.problems)
        finally:
            world.close()
        _calls[known] = whole.calls
    return _calls[known]


def run_broken(world: World, command: Command, broken: Break) -> Ended:
    return world.kesher(*command.arguments(world), broken=broken, input=command.input)


def broken_round(command: Command, plan: Plan, trial: Trial) -> None:
    breaks = plan(calls_of(command, trial.folder / "whole"))
    broken = breaks[trial.number % len(breaks)]
    world = World(make(trial.folder / "world"))
    try:
        command.prepare(world)
        ended = run_broken(world, command, broken)
        for text in ended.problems():
            trial.problem(text)
        trial.count("kills" if ended.was_killed else "failed" if ended.status else "finished")
        world.check_home()
        command.check(world, ended)
        world.check_home()
        world.check_rubbish()
    finally:
        world.close()
    for text in world.problems:
        trial.problem(f"{text}; {broken}" if str(broken) not in text else text)


def cut_round(command: Command, trial: Trial) -> None:
    calls = calls_of(command, trial.folder / "whole", is_recorded=True)
    breaks = cuts(calls)
    broken = breaks[trial.number % len(breaks)]
    # What a kill leaves undone the next run has to make good.
    is_second = command.is_repeatable and trial.chance.random() < 0.4
    first = [trial.chance.choice(kills_between(calls))] if is_second else []
    world = World(make(trial.folder / "world"))
    try:
        command.prepare(world)
        ended, style = run_until_cut(world, command, [*first, broken], trial.chance)
        trial.count("power cuts")
        command.check(world, ended)
        world.check_rubbish()
    finally:
        world.close()
    for text in world.problems:
        trial.problem(f"{text}; power cut behind {', '.join(one.call for one in [*first, broken])}, {style}")


def cuts(calls: list[str]) -> list[Break]:
    """Behind each call behind which a kill makes a difference, and behind the last one."""
    return [*kills(calls), Break()]


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def campaign(kind: str, about: str, command: Command, plan: Plan) -> Campaign:
    return Campaign(
        f"client/{kind}/{command.name}",
        f"kesher {command.name}, {about}",
        functools.partial(broken_round, command, plan),
        sample=1,
        share=1,
        rounds=lambda seed, folder: len(plan(calls_of(command, folder / "whole"))),
        needs=why_not,
    )


def power_campaign(command: Command) -> Campaign:
    return Campaign(
        f"client/power/{command.name}",
        f"kesher {command.name}, power cuts of its machine behind each of its system calls",
        functools.partial(cut_round, command),
        sample=1,
        share=1,
        rounds=lambda seed, folder: len(cuts(calls_of(command, folder / "whole", is_recorded=True))),
        needs=why_not,
    )


CAMPAIGNS = [
    *(campaign("killed", "killed behind each of its system calls", command, kills) for command in COMMANDS),
    Campaign(
        "client/hostile",
        "a client against a server that lies as it likes, with keys that fit",
        hostile.hostile_round,
        sample=2,
        share=4,
        full_minutes=10,
        needs=hostile.why_not,
    ),
    *(power_campaign(command) for command in COMMANDS),
    *(campaign("failing", "each of its system calls failing", command, failures) for command in COMMANDS),
]
