"""The instruments that break clients: they do what they say, what they are to find is found, and what they have found
stays mended.
"""

import random
import stat
from collections import Counter

import pytest
from clients.breaking import Break, why_not
from clients.commands import COMMANDS
from clients.hostile import Place
from clients.power import run_until_cut
from clients.trials import broken_round
from clients.world import World
from harness.campaign import Trial
from peer.kesher import Kesher

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.settle_alice()
    yield made
    made.close()


def test_a_client_is_killed_behind_a_call(world):
    ended = world.kesher("send", "bob", broken=Break("sendto:1"), input=b"hello")
    assert ended.status == -9 and ended.calls[-1].startswith("sendto ")
    assert Counter(line.split()[0] for line in ended.calls)["sendto"] == 1


def test_a_call_fails_and_the_client_says_so(world):
    ended = world.kesher("send", "bob", broken=Break("fsync:1", "fail:28"), input=b"hello")
    assert ended.status == 1 and "No space left on device" in ended.stderr and not ended.problems()


def test_calls_that_take_one_byte_only_are_gone_on_with(world):
    assert world.kesher("send", "bob", broken=Break("sendto:2", "short"), input=b"hello").status == 0
    assert world.bob_takes()[1] == [b"hello"]


def refused_random_numbers(calls: list[str]) -> list[Break]:
    count = sum(line.startswith("getrandom ") for line in calls)
    assert count > 0
    return [Break(f"getrandom:{number + 1}", "fail:5") for number in range(count)]


@pytest.mark.parametrize("number", range(4))
def test_keys_that_could_not_be_decrypted_for_want_of_random_numbers_are_decrypted_later(tmp_path, number):
    (command,) = (command for command in COMMANDS if command.name == "inbox")
    trial = Trial("client/failing/inbox", 1, number, tmp_path)
    broken_round(command, refused_random_numbers, trial)
    assert not trial.problems


@pytest.mark.parametrize("name", ["register", "share-key", "key", "key-forget", "key-accept", "inbox", "inbox-save"])
def test_it_is_noticed_when_nothing_is_synced(tmp_path, name):
    (command,) = (command for command in COMMANDS if command.name == name)
    world = World(tmp_path)
    try:
        command.prepare(world)
        ended, _ = run_until_cut(world, command, [Break()], random.Random(1), without_syncs=True)
        assert ended.status == 0
        command.check(world, ended)
    except FileNotFoundError:
        world.problem("registration lost: there is no home")
    finally:
        world.close()
    assert any("lost" in text or "unreadable" in text for text in world.problems), world.problems


@pytest.mark.parametrize(
    "command, printed, is_noticed",
    [
        (("users",), "\\033[2J", True),
        (("users",), "a\\tb", True),
        (("inbox",), "From: bob\\na\\tb", False),
        (("inbox",), "From: b\\tb\\na", True),
        (("inbox", "--json"), "a\\tb", True),
    ],
    ids=["an escape sequence", "a tab", "a tab in a text", "a tab in a name", "a tab in JSON"],
)
def test_bytes_for_the_terminal_are_noticed(tmp_path, monkeypatch, command, printed, is_noticed):
    program = tmp_path / "kesher"
    program.write_text(f"#!/bin/sh\nprintf '{printed}'\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("KESHER", str(program))
    trial = Trial("client/hostile", 1, 0, tmp_path)
    Place(trial, tmp_path, Kesher(tmp_path / "home")).run(*command)
    assert [text.partition(":")[0] for text, _ in trial.problems] == ["bytes for the terminal"] * is_noticed
