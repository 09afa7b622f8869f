"""Overload as tests: small always, with ten thousand connections only with KESHER_SLOW=1.

Under each attack honest users get on, counted in bytes, messages and lines, and the server's memory stays what it is.
"""

import os

import pytest
from peer.frames import Answer
from peer.load import FILE_SIZE, TEXTS
from torture_overload import (
    FULL,
    GROWTH_LIMIT,
    HELD_BY_HONEST_ONES,
    LIMITS_FOR_ONE,
    ROUNDS,
    SMALL,
    STEPS_PER_ROUND,
    Progress,
    Result,
    Scenario,
    attack,
    goal_of,
    settings,
    sources_of,
)


def check(result: Result, goal: int) -> None:
    """What holds for all of them. That honest users did not get on would have ended it before."""
    before = Progress(0, 0, 0)
    assert len(result.progress) == len(result.resident) == ROUNDS
    for progress in result.progress:
        assert progress.uploaded_bytes >= before.uploaded_bytes + STEPS_PER_ROUND * FILE_SIZE
        assert progress.messages >= before.messages + STEPS_PER_ROUND * TEXTS
        assert progress.lines >= before.lines + STEPS_PER_ROUND
        before = progress
    assert result.counts["done"] >= ROUNDS * goal
    assert result.growth <= GROWTH_LIMIT, str(result)


def hold_back_no_freed_memory(monkeypatch) -> None:
    """An address sanitizer's quarantine and its second stacks, which grow to their sizes in any case, are not the
    server's memory."""
    options = (
        f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        ":detect_stack_use_after_return=0"
    )
    monkeypatch.setenv("ASAN_OPTIONS", options.lstrip(":"))


@pytest.fixture
def run(make_talker, new_user, monkeypatch, capsys):
    """Runs a scenario and checks what holds for all; slow ones tell their figures."""

    def run(name: str, kind: str, size: str) -> Result:
        hold_back_no_freed_memory(monkeypatch)
        scenario = (FULL if size == "full" else SMALL)[name]
        sources = sources_of(scenario, kind)
        server = make_talker(log_level="info", **settings(scenario, sources, size))
        result = attack(server, scenario, sources, new_user)
        if size == "full":
            with capsys.disabled():
                print(f"\n{name} from {kind}\n{result}")
        check(result, goal_of(scenario, sources))
        return result

    return run


def check_of_many(result: Result, scenario: Scenario) -> None:
    """Nothing by address held these up: the attack was what it was meant to be."""
    counts = result.counts
    if scenario.attack in ("idle", "trickle"):
        few = HELD_BY_HONEST_ONES
        assert result.most_sockets >= result.sockets_before - few + scenario.connections
    if scenario.attack == "registrations":
        limit = dict(scenario.settings)["registrations_per_hour"]
        assert result.flooded_names >= limit * scenario.addresses
    if scenario.attack == "unknown codes":
        assert counts[f"answered {Answer.MESSAGES_ERROR}"] == counts["done"]
    if scenario.attack == "wrong passwords":
        assert counts["wrong passwords"] >= scenario.addresses


def check_of_one(result: Result, scenario: Scenario, size: str) -> None:
    """One address gets what one may have, and no more."""
    connections = LIMITS_FOR_ONE[size]["connections_per_address"]
    registrations = LIMITS_FOR_ONE[size]["registrations_per_hour"]
    assert result.most_sockets <= result.sockets_before + HELD_BY_HONEST_ONES + connections
    if scenario.attack == "registrations":
        # Some come back, but in ten minutes no more than a fifth of an hour's worth.
        assert registrations <= result.flooded_names <= registrations * 1.2
        assert result.counts[f"answered {Answer.REGISTER_REFUSED}"] > 0
    if scenario.attack == "wrong passwords":
        assert result.counts.get("wrong passwords", 0) < result.counts["done"], "guesses wait for their turn"
    if scenario.connections > connections:
        assert result.counts["ended by the server"] >= scenario.connections - connections


@pytest.mark.parametrize("name", SMALL)
def test_honest_users_get_on_and_memory_stays_under_attack_from_many_addresses(run, name):
    check_of_many(run(name, "many", "small"), SMALL[name])


@pytest.mark.parametrize("name", ["idle", "registrations", "wrong passwords"])
def test_honest_users_get_on_and_memory_stays_under_attack_from_one_address_that_is_limited(run, name):
    check_of_one(run(name, "one", "small"), SMALL[name], "small")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FULL)
def test_honest_users_get_on_and_memory_stays_under_a_large_attack_from_many_addresses(run, name):
    check_of_many(run(name, "many", "full"), FULL[name])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FULL)
def test_honest_users_get_on_and_memory_stays_under_a_large_attack_from_one_address(run, name):
    check_of_one(run(name, "one", "full"), FULL[name], "full")
