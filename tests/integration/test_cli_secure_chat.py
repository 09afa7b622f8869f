"""`kesher chat` at a secure server: with an account, and in groups in which everybody has one."""

import re

import pytest
from peer.kesher import Kesher
from peer.piped import Piped
from peer.relay import Relay

PASSWORD = "not a secret"


def link_of(server) -> str:
    host, port = server.secure_address
    return f"kesher://{host}:{port}/"


@pytest.fixture
def talk(tmp_path):
    """Starts a chat in a pipe, in a home by name."""
    runs = []

    def start(home: str, *arguments) -> Piped:
        runs.append(Piped(Kesher(tmp_path / home).command("chat", *arguments), KESHER_CHAT_PASSWORD=PASSWORD))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def people(make_secure, tmp_path):
    """A server, and homes with accounts: alice, bob."""
    server = make_secure()
    for name in ("alice", "bob"):
        Kesher(tmp_path / name).succeed("register", name, "--server", link_of(server), start_new_session=True)
    return server


@pytest.fixture
def between(people):
    """A relay before the server, which can cut connections."""
    relay = Relay(people.secure_address)
    yield relay
    relay.stop()


def create(talk, home: str, *arguments) -> tuple[Piped, str]:
    run = talk(home, "create", *arguments)
    return run, re.search(r"created group (\d+)", run.errors.next_line())[1]


def test_members_hear_who_joins_and_each_other_under_their_names(people, talk):
    alice, group = create(talk, "alice")
    bob = talk("bob", "join", group)
    bob.told(f"joined group {group}")
    alice.hear("bob has joined the group ")
    bob.write("hello\n")
    alice.hear("bob: hello")
    alice.write("/who\n")
    alice.hear("In the group: alice, bob ")
    bob.end_input()
    alice.hear("bob has removed from the group ")
    assert bob.wait().status == 0
    assert alice.finish().status == 0


def test_output_for_programs_is_as_at_a_classic_server(people, talk):
    alice, group = create(talk, "alice", "--json")
    bob = talk("bob", "join", group)
    bob.told(f"joined group {group}")
    alice.hear('{"server": "bob has joined the group "}')
    bob.write("hello\n")
    alice.hear('{"from": "bob", "text": "hello"}')
    bob.finish()
    alice.hear('{"left": "bob"}')


def test_nobody_talks_under_the_name_of_somebody_else(people, talk):
    _, group = create(talk, "alice")
    for name in ("alice", "ALICE"):
        outcome = talk("bob", "join", group, "--as", name).wait()
        assert outcome.status == 1
        assert outcome.stderr.startswith("kesher: ") and "taken" in outcome.stderr, outcome
    free = talk("bob", "join", group, "--as", "somebody else")
    free.told(f"joined group {group}")


def test_a_connection_that_is_lost_is_made_again_as_the_same_account(people, between, talk, tmp_path):
    carol = Kesher(tmp_path / "carol")
    host, port = between.address
    carol.succeed("register", "carol", "--server", f"kesher://{host}:{port}/", start_new_session=True)
    alice, group = create(talk, "alice")
    lost = talk("carol", "join", group)
    lost.told(f"joined group {group}")
    alice.hear("carol has joined the group ")
    between.cut()
    assert "the connection to" in lost.errors.next_line()
    line = lost.errors.next_line()
    while "again" not in line:  # the server may not have noticed yet that she has gone
        line = lost.errors.next_line()
    assert line == f"joined group {group} again; lines may be missing or doubled\n"
    lost.write("here I am\n")
    heard = alice.output.next_line()
    while "here I am" not in heard:
        heard = alice.output.next_line()
    assert heard == "carol: here I am\n"


def test_a_group_that_is_gone_with_its_server_is_told(people, between, talk, tmp_path):
    Kesher(tmp_path / "carol").succeed(
        "register", "carol", "--server", "kesher://%s:%s/" % between.address, start_new_session=True
    )
    carol, group = create(talk, "carol")
    people.restart()
    between.target = people.secure_address
    assert "kesher: " in carol.errors.next_line()
    outcome = carol.wait()
    assert outcome.status == 1 and f"group {group} is gone" in outcome.stderr


def test_the_menu_of_the_server_is_passed_through(people, talk):
    run = talk("alice")
    assert "please choose an option" in run.output.next_line()
    run.write("3\n")
    assert run.wait().status == 0


def test_a_home_without_an_account_does_not_talk(people, talk):
    outcome = talk("nobody", "create", "--server", link_of(people)).wait()
    assert outcome.status == 1 and "register" in outcome.stderr
