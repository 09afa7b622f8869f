"""A server that is started again in the middle of an upload, and one that is not there."""

import os

import pytest
from peer.drop import User
from peer.frames import Request
from peer.kesher import outcome_of, wait_for_staged_bytes, write_identity, write_server_info
from peer.message_fixtures import assert_one_line
from peer.operators import Operator
from peer.ports import free_address, free_port
from peer.server import Ending

LONG = 9  # longer than the attempts that follow a lost connection at once
SHORT = 0.6
UPLOAD = [Request.RECONNECT, Request.SEND_FILE, Request.CRC_OK]


@pytest.fixture
def files(source):
    """Two of them: name -> content, and their paths."""
    plain = {"one": os.urandom(300_000), "two": os.urandom(1000)}
    return plain, [source(name, content) for name, content in plain.items()]


# -- it comes back


def test_put_waits_for_a_server_that_is_started_again(make_alice, files):
    """A minute, unless told otherwise."""
    server, alice = make_alice(away_at=Request.CRC_OK, away_seconds=LONG)
    plain, paths = files
    assert alice.succeed("put", *paths).stdout.count("\n") == 2
    assert server.files == plain


@pytest.mark.parametrize("code", UPLOAD)
def test_put_goes_on_whatever_was_asked_when_the_server_went(make_alice, files, code):
    server, alice = make_alice(away_at=code, away_seconds=SHORT)
    plain, paths = files
    alice.succeed("--retry", "30", "put", *paths)
    assert server.files == plain


@pytest.mark.parametrize("code", [Request.SEND_FILE, Request.CRC_OK])
def test_put_goes_on_after_what_it_sent_ahead_was_lost(make_alice, files, code):
    server, alice = make_alice(away_at=code, away_seconds=SHORT)
    plain, paths = files
    alice.succeed("--retry", "30", "put", "--pipeline", *paths)
    assert server.files == plain


def test_the_standard_input_goes_on_too(make_alice):
    server, alice = make_alice(away_at=Request.CRC_OK, away_seconds=SHORT)
    plain = os.urandom(100_000)
    alice.succeed("put", "-", "--as", "x", input=plain)
    assert server.files == {"x": plain}


def forgetful(make_alice, refusals: int):
    """A server that ends the connection behind a 2103 and then refuses the 1029: it has been started again."""
    return make_alice(
        ending=Ending.WITH_ANSWER,
        ending_after=frozenset({Request.SEND_FILE}),
        errors={Request.CRC_OK: refusals},
    )


@pytest.mark.parametrize("size", [0, 1000, 1 << 20])
def test_a_file_that_the_server_forgot_before_it_was_confirmed_is_sent_again(make_alice, source, size):
    server, alice = forgetful(make_alice, 1)
    plain = os.urandom(size)
    alice.succeed("put", source("x", plain))
    assert server.files == {"x": plain}


def test_a_file_that_the_server_does_not_keep_is_sent_twice_at_most(make_alice, source):
    server, alice = forgetful(make_alice, 1_000_000)
    told = alice.fail("put", source("x", b"content")).stderr
    assert "did not keep it" in told.splitlines()[-1]
    assert server.codes.count(Request.SEND_FILE) == 2 and server.files == {}


def test_put_waits_for_the_real_server(own_server, make_kesher, home, source, fresh_name):
    """It is stopped while the client sends, and comes back at the same port."""
    own_server.stop()
    own_server.port = free_port()
    own_server.start()
    kesher = make_kesher(own_server)
    kesher.succeed("register", fresh_name())
    plain = os.urandom(1 << 20) * 256
    run = kesher.start("put", source("x", plain), source("y", b"second"))
    wait_for_staged_bytes(own_server, run)
    own_server.kill()
    own_server.start()
    assert outcome_of(run).status == 0
    (user_id,) = own_server.rows("SELECT ID FROM clients")[0]
    assert own_server.stored(user_id, "x") == plain and own_server.stored(user_id, "y") == b"second"


# -- it does not


@pytest.mark.parametrize("code", UPLOAD)
def test_put_without_retries_fails_at_once(make_alice, files, code):
    server, alice = make_alice(away_at=code, away_seconds=3600)
    plain, paths = files
    result = alice.run("--retry", "0", "put", *paths)
    assert result.status == 1 and f"127.0.0.1:{server.address[1]}" in result.stderr, result
    assert "connecting again" not in result.stderr and "Fatal:" not in result.stderr
    assert server.files == {}


@pytest.mark.parametrize("option", [[], ["--retry", "30"]], ids=repr)
def test_put_does_not_wait_for_a_server_that_was_never_there(make_kesher, home, new_user, source, option):
    """The first connection has nothing to lose: a mistyped address is told at once."""
    address = free_address()
    user = new_user()
    user.id = bytes(range(16))
    write_identity(home, user)
    write_server_info(home, address)
    line = assert_one_line(make_kesher().fail(*option, "put", source("x", b"content")).stderr)
    assert f"127.0.0.1:{address[1]}" in line


@pytest.mark.parametrize("value", ["-1", "soon", "", "1e400"])
def test_a_time_that_is_none_is_wrong_usage(make_alice, source, value):
    server, alice = make_alice()
    result = alice.run("--retry", value, "put", source("x", b"content"))
    assert (result.status, result.stdout) == (2, "") and "retry" in result.stderr
    assert "there is no option" not in result.stderr
    assert server.connections == 0


# -- a key that the operator has reset


@pytest.fixture
def reset(own_server, make_kesher, tmp_path, private_keys):
    """alice, whose home has a new key pair under her old id, when the operator has reset the old one; and what
    asks the server for her public key."""
    member = make_kesher(own_server, tmp_path / "alice")
    member.succeed("register", "alice")
    make_kesher(own_server, tmp_path / "bob").succeed("register", "bob")
    Operator(own_server.data).succeed("user", "reset-key", "alice")
    _, id_line, *_ = (member.home / "me.info").read_text().splitlines()
    user = User("alice", private_keys[1], bytes.fromhex(id_line))
    (member.home / "priv.key").unlink()
    write_identity(member.home, user)
    key = lambda: own_server.rows("SELECT PublicKey FROM clients WHERE Name = 'alice'")[0][0]  # noqa: E731
    assert not key()
    return member, user, key


@pytest.mark.parametrize("command", ["put", "inbox", "send"])
def test_a_new_key_is_published_by(reset, source, command):
    member, user, key = reset
    operands = {"put": [source("x", b"content")], "inbox": [], "send": ["bob", "hello"]}
    member.succeed(command, *operands[command])
    assert key() == user.public_key


@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
def test_reset_key_says_which_commands_publish_the_new_one(make_server, make_kesher, runs):
    server = make_server()
    make_kesher(server).succeed("register", "alice")
    if not runs:
        server.stop()
    told = Operator(server.data).run("user", "reset-key", "alice")
    assert told.status == 0 and "alice" in told.out
    for command in ("put", "inbox", "send"):
        assert command in told.out + told.err
    if not runs:
        server.start()


def test_reset_key_prints_nothing_but_json_when_asked_for_it(make_server, make_kesher):
    server = make_server()
    make_kesher(server).succeed("register", "alice")
    (told,) = Operator(server.data).succeed("user", "reset-key", "alice", "--json").objects()
    assert "alice" in told.values()
