"""Attacks of torture_overload.py, a few rounds of one at a time: honest users get on, and when the attackers are gone
the server is what it was."""

import itertools

from harness.campaign import Trial
from peer.drop import User
from powerloss.keys import KEY
from torture_overload import GROWTH_LIMIT, SMALL, attack, settings, sources_of

from .past import Victim
from .shortages import expect_no_leak

ROUNDS = 3


def overload(trial: Trial) -> None:
    scenario, kind = SMALL[trial.chance.choice(list(SMALL))], trial.chance.choice(("one", "many"))
    sources, numbers = sources_of(scenario, kind), itertools.count(1)
    server = Victim(trial.folder, **settings(scenario, sources, "small"))
    try:
        server.start()
        result = attack(server, scenario, sources, lambda: User(f"honest {next(numbers)}", KEY), ROUNDS)
        trial.count("attacks")
        trial.count("things attackers did", result.counts["done"])
        if result.growth > GROWTH_LIMIT:
            trial.problem(f"memory grows: {scenario.attack} from {kind}\n{result}")
        expect_no_leak(trial, server)
        server.stop()
    finally:
        server.kill()
