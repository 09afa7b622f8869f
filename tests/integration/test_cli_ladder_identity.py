"""A server that does not know the home's id, or not in that form: how `kesher` gets on, and what it tells where
it cannot."""

import resource
import signal

import pytest
from peer.frames import Request, reply
from peer.kesher import identity_backups, read_identity, write_server_info, write_transfer_info
from peer.message_fixtures import assert_plain_failure, member_of
from peer.server import ANY, Ending

REGISTER, KEY, RECONNECT, FILE = (
    Request.REGISTER,
    Request.PUBLIC_KEY,
    Request.RECONNECT,
    Request.SEND_FILE,
)
ALWAYS = 1_000_000
IMPATIENT = ("--answer-timeout", "1", "--silence", "1")
AFTER_RECONNECT = frozenset({RECONNECT})


def assert_registered_anew(server, alice, before: bytes) -> None:
    """Once, with the old key pair, and the old identity is kept."""
    now = read_identity(alice.home)
    assert (now.name, now.private_key) == (alice.name, alice.user.private_key)
    assert now.id != alice.user.id
    assert server.accounts[now.id].public_key == alice.user.public_key
    assert len(server.accounts) == 1 and server.codes.count(REGISTER) == 1
    assert [(alice.home / name).read_bytes() for name in identity_backups(alice.home)] == [before]


def reversed_home(server, home, private_keys, knows: bool = True):
    """alice, whose home has her id with its bytes the other way round."""
    user = server.add_user("alice", private_keys[0])
    right = user.id
    user.id = right[::-1]
    if not knows:
        del server.accounts[right]
    return member_of(server, home, user), right


# -- an id that the server does not know


@pytest.mark.parametrize("after", [ANY, AFTER_RECONNECT], ids=["every answer", "a 2106"])
@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("command", ["put", "transfer"])
def test_a_server_that_answers_2106_and_closes_registers_anew(make_alice, source, ending, after, command):
    server, alice = make_alice(knows=False, ending=ending, ending_after=after)
    before = (alice.home / "me.info").read_bytes()
    give(alice, server, command, source("x", b"content"))
    assert_registered_anew(server, alice, before)
    assert server.files == {"x": b"content"}


@pytest.mark.parametrize("ending", [None, *Ending])
@pytest.mark.parametrize("command", ["put", "transfer"])
def test_a_key_that_is_lost_after_a_2106_is_followed_by_a_registration(make_alice, source, ending, command):
    """Such a server ends the connection at a 1026 from an id that it does not know: that is its no."""
    server, alice = make_alice(
        knows=False, ends_at_unknown_id=frozenset({KEY}), ending=ending, ending_after=AFTER_RECONNECT
    )
    before = (alice.home / "me.info").read_bytes()
    give(alice, server, command, source("x", b"content"))
    assert_registered_anew(server, alice, before)
    assert server.files == {"x": b"content"}
    assert server.codes.count(RECONNECT) <= 3 and server.codes.count(KEY) <= 3
    keys = {seen.payload[255:] for seen in server.requests_of(KEY)}
    assert keys == {alice.user.public_key}


def give(alice, server, command: str, path) -> None:
    """Sends that file in either way."""
    if command == "put":
        alice.succeed("put", path)
    else:
        write_transfer_info(alice.home, server.address, "alice", path)
        alice.succeed("transfer")


def test_a_2107_to_a_1027_is_taken_for_an_unknown_id(make_alice, source):
    server, alice = make_alice(knows=False, errors={RECONNECT: 1})
    before = (alice.home / "me.info").read_bytes()
    alice.succeed("put", source("x", b"content"))
    assert_registered_anew(server, alice, before)


DEAD_ENDS = {"2106 to the 1027": {}, "2107 to the 1027": {"errors": {RECONNECT: ALWAYS}}}


@pytest.mark.parametrize("script", DEAD_ENDS.values(), ids=DEAD_ENDS)
def test_a_dead_end_tells_how_to_get_out(make_alice, source, script):
    """The id is unknown, and the name belongs to somebody with another key."""
    server, alice = make_alice(knows=False, **script)
    server.add_account("alice")
    before = {path.name: path.read_bytes() for path in alice.home.iterdir()}
    assert_plain_failure(alice.run("put", source("x", b"content")), "alice", "kesher register")
    assert server.codes.count(REGISTER) == 1 and server.codes.count(RECONNECT) <= 2
    assert {path.name: path.read_bytes() for path in alice.home.iterdir()} == before


def without_room() -> None:
    """For the child before it becomes kesher: a disk that has no room for an identity."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))


@pytest.mark.parametrize("command", ["put", "register"])
def test_no_name_is_registered_when_its_id_could_not_be_written_down(make_alice, source, command):
    """The server would have given the name to an id that nobody knows."""
    server, alice = make_alice(knows=False)
    before = {path.name: path.read_bytes() for path in alice.home.iterdir()}
    arguments = ["put", source("x", b"content")] if command == "put" else ["register", "alice", "--again"]
    assert_plain_failure(alice.run(*arguments, preexec_fn=without_room), "cannot write", str(alice.home))
    assert REGISTER not in server.codes
    assert {path.name: path.read_bytes() for path in alice.home.iterdir()} == before


# -- an id with its bytes reversed, as one public client writes it


def test_an_id_that_stands_reversed_is_tried_and_the_home_is_mended(
    make_messages, home, private_keys, source
):
    server = make_messages()
    alice, right = reversed_home(server, home, private_keys)
    alice.succeed("put", source("x", b"content"))
    assert server.files == {"x": b"content"}
    assert read_identity(home).id == right
    assert list(server.accounts) == [right] and REGISTER not in server.codes


def test_a_mended_home_is_right_for_every_command(make_messages, home, private_keys, source):
    server = make_messages()
    alice, right = reversed_home(server, home, private_keys)
    alice.succeed("put", source("x", b"content"))
    server.requests.clear()
    alice.succeed("put", source("x", b"again"))
    alice.succeed("users")
    assert {seen.client_id for seen in server.requests} == {right}


@pytest.mark.parametrize("ending", Ending)
def test_an_id_that_stands_reversed_is_tried_on_a_server_that_closes(
    make_messages, home, private_keys, source, ending
):
    server = make_messages(ending=ending)
    alice, right = reversed_home(server, home, private_keys)
    alice.succeed("put", source("x", b"content"))
    assert (read_identity(home).id, server.files) == (right, {"x": b"content"})


def test_an_id_that_is_unknown_either_way_is_tried_reversed_once_and_kept_as_it_was(
    make_messages, home, private_keys, source
):
    server = make_messages()
    alice, right = reversed_home(server, home, private_keys, knows=False)
    before = (home / "me.info").read_bytes()
    alice.succeed("put", source("x", b"content"))
    assert_registered_anew(server, alice, before)
    assert [seen.client_id for seen in server.requests_of(RECONNECT)].count(right) == 1


def test_an_id_that_is_right_is_never_sent_reversed(make_alice, source):
    """Not even after a 2106 that only asks for the public key."""
    server, alice = make_alice()
    server.accounts[alice.user.id].public_key = None
    alice.succeed("put", source("x", b"content"))
    assert server.accounts[alice.user.id].public_key == alice.user.public_key
    assert server.files == {"x": b"content"} and REGISTER not in server.codes


# -- commands of messages have no way to register anew: they tell it


@pytest.mark.parametrize(
    "command", ["users", "inbox", "key bob", "send bob hello", "request-key bob", "share-key bob"]
)
def test_an_id_that_the_server_does_not_know_is_told_with_the_way_out(make_alice, command):
    server, alice = make_alice(knows=False)
    before = (alice.home / "me.info").read_bytes()
    assert_plain_failure(alice.run(*command.split()), "home", "kesher register", "--again")
    assert len(server.requests) <= 2  # the request, and at most one that looks into it
    assert REGISTER not in server.codes and (alice.home / "me.info").read_bytes() == before


def test_the_way_out_that_is_told_is_one(make_alice):
    server, alice = make_alice(knows=False)
    before = (alice.home / "me.info").read_bytes()
    alice.succeed("register", "alice", "--again")
    now = read_identity(alice.home)
    assert now.id in server.accounts and now.name == "alice"
    assert before in [(alice.home / name).read_bytes() for name in identity_backups(alice.home)]
    alice.succeed("users")


def test_registering_again_under_a_taken_name_leaves_the_home_as_it_was(make_alice):
    server, alice = make_alice(knows=False)
    server.add_account("Anna")
    before = {path.name: path.read_bytes() for path in alice.home.iterdir()}
    assert_plain_failure(alice.run("register", "Anna", "--again"), "Anna", "taken")
    assert {name: (alice.home / name).read_bytes() for name in before} == before
    assert identity_backups(alice.home) == []


def test_registering_again_finds_the_name_taken_by_the_home_itself_when_only_the_key_is_missing(make_alice):
    """A registration that was cut off between 1025 and 1026: the key is sent, and the name is the home's still."""
    server, alice = make_alice()
    server.accounts[alice.user.id].public_key = None
    before = (alice.home / "me.info").read_bytes()
    assert_plain_failure(alice.run("register", "alice", "--again"), "alice", "nothing to register")
    assert server.accounts[alice.user.id].public_key == alice.user.public_key
    assert REGISTER not in server.codes and (alice.home / "me.info").read_bytes() == before


def test_registering_again_mends_an_id_that_stands_reversed(make_messages, home, private_keys):
    """To which `users` has nothing better to say than that the home is not known."""
    server = make_messages()
    alice, right = reversed_home(server, home, private_keys)
    assert "nothing to register" in alice.fail("register", "alice", "--again").stderr
    assert read_identity(home).id == right and REGISTER not in server.codes
    alice.succeed("users")


UNTOLD = {
    "silence in the answer": {"half_answer": RECONNECT},
    "an answer without a meaning": {"lies": {RECONNECT: lambda seen, honest: reply(2199)}},
}


@pytest.mark.parametrize("script", UNTOLD.values(), ids=UNTOLD)
def test_nothing_is_registered_again_when_it_is_not_told_whether_the_home_is_known(make_alice, script):
    """What waits there for the old id could not be reached any more."""
    server, alice = make_alice(**script)
    before = (alice.home / "me.info").read_bytes()
    assert_plain_failure(alice.run(*IMPATIENT, "register", "Anna", "--again"))
    assert REGISTER not in server.codes and (alice.home / "me.info").read_bytes() == before


def test_an_identity_of_the_real_server_that_was_wiped_is_told_with_the_way_out(
    make_server, make_kesher, home, fresh_name
):
    """At the same address, as if the data directory had been deleted."""
    first, second, name = make_server(), make_server(), fresh_name()
    kesher = make_kesher(first)
    kesher.succeed("register", name)
    write_server_info(home, second.address)
    assert_plain_failure(make_kesher().run("users"), name, "kesher register", "--again")
