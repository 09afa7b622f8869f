"""Servers that end the connection after each answer, or lose a request: what is asked again and what never."""

import os

import pytest
from peer.crypto import AES_KEY_SIZE, aes_encrypt
from peer.drop import SEND_FILE_FIXED_SIZE
from peer.frames import Request
from peer.kesher import read_identity, write_transfer_info
from peer.message_fixtures import assert_one_line, told_by
from peer.messages import Type
from peer.server import ANY, NONE, Ending

DROP = frozenset(code for code in Request if code >= Request.REGISTER)
MESSAGES = ANY - DROP
SEND = Request.SEND_MESSAGE
ONE_BY_ONE = pytest.mark.parametrize("ending", Ending)


def count(server, *codes: int) -> int:
    return len(server.requests_of(*codes))


# -- every command, one connection for each request


@ONE_BY_ONE
@pytest.mark.parametrize("unknown", [NONE, MESSAGES, DROP], ids=["both", "drop only", "messages only"])
def test_register_works(make_messages, make_kesher, home, ending, unknown):
    """A server of messages only says 9000 to a 1025; the 600 that follows needs a connection of its own."""
    server = make_messages(ending=ending, unknown=unknown)
    make_kesher(server).succeed("register", "Anna")
    user = read_identity(home)
    assert server.accounts[user.id].public_key == user.public_key
    assert len(server.accounts) == 1 and server.connections > 1


@ONE_BY_ONE
@pytest.mark.parametrize("option", [[], ["--pipeline"]], ids=repr)
def test_put_of_several_files_works(make_alice, source, ending, option):
    """The key of one connection is good for a 1028 on the next: with a server that answers once for each, a
    client that begins every connection with a 1027 gets no further than that."""
    server, alice = make_alice(ending=ending)
    plain = {f"file {number}": os.urandom(1000 * number) for number in range(5)}
    alice.succeed("put", *option, *[source(name, content) for name, content in plain.items()])
    assert server.files == plain


@ONE_BY_ONE
def test_put_of_a_large_file_works(make_alice, source, ending):
    server, alice = make_alice(ending=ending)
    plain = os.urandom(3 << 20)
    alice.succeed("put", source("large", plain))
    assert server.files == {"large": plain}


@ONE_BY_ONE
def test_put_sends_again_after_a_wrong_sum(make_alice, source, ending):
    server, alice = make_alice(ending=ending, wrong_sums=2)
    alice.succeed("put", source("x", b"content"))
    assert server.files == {"x": b"content"}
    assert count(server, Request.CRC_WRONG) == 2


@ONE_BY_ONE
def test_put_tells_that_it_gives_up(make_alice, source, ending):
    server, alice = make_alice(ending=ending, wrong_sums=4)
    assert "4 times" in alice.fail("put", source("x", b"content")).stderr
    assert [count(server, code) for code in (Request.CRC_WRONG, Request.GIVE_UP)] == [3, 1]


@ONE_BY_ONE
def test_users_works(make_alice, make_bob, ending):
    server, alice = make_alice(ending=ending)
    make_bob(server)
    assert alice.succeed("users").stdout == "bob\n"


@ONE_BY_ONE
def test_key_works(make_alice, make_bob, ending):
    server, alice = make_alice(ending=ending)
    make_bob(server)
    assert alice.succeed("key", "bob", "--json").objects()[0]["name"] == "bob"


@ONE_BY_ONE
def test_send_works_and_sends_nothing_twice(make_alice, make_bob, ending):
    server, alice = make_alice(ending=ending)
    bob = make_bob(server)
    for text in (b"one", b"two"):
        alice.succeed("send", "bob", text.decode())
    key, *texts = bob.take()
    bob.take_key(key)
    assert [bob.open(text) for text in texts] == [b"one", b"two"]
    assert count(server, SEND) == 3


@ONE_BY_ONE
@pytest.mark.parametrize(
    "command, wanted", [("request-key", Type.KEY_REQUEST), ("share-key", Type.KEY)], ids=lambda it: str(it)
)
def test_asking_for_and_sharing_a_key_work(make_alice, make_bob, ending, command, wanted):
    server, alice = make_alice(ending=ending)
    bob = make_bob(server)
    alice.succeed(command, "bob")
    assert [message.type for message in bob.take()] == [wanted]


@ONE_BY_ONE
def test_inbox_works(make_alice, make_bob, ending):
    server, alice = make_alice(ending=ending, messages_per_answer=1)
    bob = make_bob(server)
    bob.share_key(alice.user)
    for text in ("one", "two"):
        bob.write(alice.user, text)
    assert [told["text"] for told in told_by(alice) if "text" in told] == ["one", "two"]
    assert server.waiting_for(alice.user) == []


@ONE_BY_ONE
def test_transfer_works(make_messages, make_kesher, home, source, ending):
    """The first registers, the second reconnects."""
    server = make_messages(ending=ending)
    plain = os.urandom(10_000)
    write_transfer_info(home, server.address, "Anna", source("x", plain))
    for _ in range(2):
        assert "Fatal:" not in make_kesher().succeed("transfer").text
        assert server.files == {"x": plain}
        server.files.clear()
    assert count(server, Request.REGISTER) == 1


@ONE_BY_ONE
def test_the_console_works(make_alice, make_bob, ending):
    server, alice = make_alice(ending=ending)
    make_bob(server)
    shown = alice.succeed("menu", input=b"120\n120\n0\n").stdout
    assert shown.count("bob") == 2 and "esponded with an error" not in shown


# -- a server that says more than it was asked


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_nothing_is_encrypted_without_a_key_behind_a_server_that_says_too_much(make_alice, source, size):
    """What stands behind its answer ends the connection, and the key with it."""
    server, alice = make_alice()
    server.script.lies[Request.RECONNECT] = lambda seen, honest: honest + b"\1" * 40
    plain = bytes(size)
    assert_one_line(alice.fail("put", source("x", plain)).stderr)
    without_key = aes_encrypt(bytes(AES_KEY_SIZE), plain)
    for seen in server.requests_of(Request.SEND_FILE):
        assert seen.payload[SEND_FILE_FIXED_SIZE:] != without_key


# -- a connection that is given up is closed before the next one


def test_register_works_with_a_server_that_hears_one_client_at_a_time(make_messages, make_kesher, home):
    """The new connection for the 600 would wait for the end of the old one for ever."""
    server = make_messages(one_at_a_time=True, unknown=DROP)
    make_kesher(server).succeed("register", "Anna")
    assert read_identity(home).id in server.accounts


@pytest.mark.parametrize("ending", [None, Ending.AT_MORE])
def test_send_works_with_a_server_that_hears_one_client_at_a_time(make_alice, make_bob, ending):
    server, alice = make_alice(one_at_a_time=True, ending=ending)
    bob = make_bob(server)
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    bob.take_key(key)
    assert bob.open(text) == b"hello"


def test_put_works_with_a_server_that_hears_one_client_at_a_time(make_alice, source):
    server, alice = make_alice(one_at_a_time=True, close_before_answer=Request.SEND_FILE, hangups=1)
    alice.succeed("put", source("x", b"content"))
    assert server.files == {"x": b"content"}


# -- what is asked again


@pytest.mark.parametrize("where", ["close_in", "close_before_answer", "cut_answer"])
@pytest.mark.parametrize("command", [["users"], ["key", "bob"]], ids=repr)
def test_a_question_that_was_lost_once_is_asked_again(make_alice, make_bob, where, command):
    code = {"users": Request.LIST_USERS, "key": Request.KEY_OF_USER}[command[0]]
    server, alice = make_alice(**{where: code}, hangups=1)
    make_bob(server)
    assert "bob" in alice.succeed(*command).stdout


@pytest.mark.parametrize("where", ["close_in", "close_before_answer"])
def test_a_pull_that_was_lost_once_is_asked_again(make_alice, make_bob, where):
    server, alice = make_alice(**{where: Request.PULL}, hangups=1)
    make_bob(server).ask_for_key(alice.user)
    assert [told["type"] for told in told_by(alice)] == ["key-request"]


def test_a_question_that_is_lost_every_time_is_asked_six_times_at_most(make_alice):
    server, alice = make_alice(close_before_answer=Request.LIST_USERS)
    assert_one_line(alice.fail("users").stderr)
    assert count(server, Request.LIST_USERS) == 6


@pytest.mark.parametrize("where", ["close_before_answer", "cut_answer"])
@ONE_BY_ONE
def test_a_message_that_was_sent_in_full_is_not_sent_twice(make_alice, make_bob, where, ending):
    """Nobody knows whether it arrived, not even on a server that is known to end connections."""
    server, alice = make_alice()
    bob = make_bob(server)
    alice.succeed("share-key", "bob")
    server.script.ending = ending
    setattr(server.script, where, SEND)
    before = count(server, SEND)
    assert "may have arrived" in assert_one_line(alice.fail("send", "bob", "hello").stderr)
    assert count(server, SEND) == before + 1
    assert [message.type for message in bob.take()] == [Type.KEY, Type.TEXT]


def test_a_connection_that_ended_between_two_answers_costs_one_connection(make_alice, make_bob):
    """One that ended in good order is no loss of which anybody need hear."""
    server, alice = make_alice(ending=Ending.WITH_ANSWER)
    make_bob(server)
    assert alice.succeed("key", "bob").stderr == ""
    assert (server.codes, server.connections) == ([Request.LIST_USERS, Request.KEY_OF_USER], 2)
