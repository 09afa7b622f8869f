"""A final no: asked once, told in one line for people; and what a server that refused a file is asked next."""

import os

import pytest
from peer.frames import Request
from peer.kesher import write_transfer_info
from peer.message_fixtures import assert_plain_failure
from peer.message_server import Cut
from peer.messages import Type
from peer.server import READ_ONCE_SIZE, Ending

REGISTER, RECONNECT, FILE, OK = Request.REGISTER, Request.RECONNECT, Request.SEND_FILE, Request.CRC_OK
REGISTER_FOR_MESSAGES, SEND = Request.REGISTER_FOR_MESSAGES, Request.SEND_MESSAGE
DROP = frozenset(code for code in Request if code >= REGISTER)
ALWAYS = 1_000_000
ERROR_LINE = "server responded with an error"
HEADER_SIZE = 23
FIXED_SIZE = 282
SMALL_REQUEST = 1024


# -- a name that is taken


def test_a_taken_name_is_asked_for_once_and_told(make_messages, make_kesher, home):
    server = make_messages()
    server.add_account("Anna")
    result = make_kesher(server).run("register", "Anna")
    assert_plain_failure(result, "Anna", f"127.0.0.1:{server.address[1]}", "choose another")
    assert server.codes == [REGISTER]
    assert not (home / "me.info").exists()


@pytest.mark.parametrize("ending", [None, *Ending])
def test_a_taken_name_is_asked_for_once_at_each_service_of_a_server_of_messages(
    make_messages, make_kesher, ending
):
    server = make_messages(unknown=DROP, ending=ending)
    server.add_account("Anna")
    assert_plain_failure(make_kesher(server).run("register", "Anna"), "Anna", "choose another")
    assert server.codes.count(REGISTER) <= 2  # the second where the first was lost
    assert server.codes.count(REGISTER_FOR_MESSAGES) == 1


def test_a_registration_that_is_refused_as_a_file_would_be_is_told_once(make_messages, make_kesher, home):
    """There are servers with one error for everything."""
    server = make_messages(errors={REGISTER: ALWAYS}, error_code=2107)
    assert_plain_failure(make_kesher(server).run("register", "Anna"), "Anna")
    assert server.codes.count(REGISTER) == 1
    assert not (home / "me.info").exists()


def test_a_name_that_a_lost_registration_may_have_taken_is_told_as_such(make_messages, make_kesher, home):
    """The server had registered it, and ended before it said so: nobody else has the name."""
    server = make_messages(close_before_answer=Request.REGISTER)
    result = make_kesher(server).run("register", "Anna")
    assert_plain_failure(result, "Anna", "while it registered", "operator")
    assert server.codes == [Request.REGISTER, Request.REGISTER_FOR_MESSAGES]


def test_a_name_that_is_taken_at_the_real_server_is_told(server, make_kesher, tmp_path, fresh_name):
    name = fresh_name()
    make_kesher(server).succeed("register", name)
    result = make_kesher(server, tmp_path / "other").run("register", name)
    assert_plain_failure(result, name, f"127.0.0.1:{server.address[1]}", "choose another")
    assert not (tmp_path / "other" / "me.info").exists()


# -- a file that the server does not take


@pytest.mark.parametrize("size", [100, 5 << 20])
def test_a_file_that_is_refused_is_sent_once_and_told(make_alice, source, size):
    server, alice = make_alice(errors={FILE: ALWAYS})
    assert_plain_failure(alice.run("put", source("report.pdf", bytes(size))), "report.pdf")
    assert server.codes == [RECONNECT, FILE]


def test_a_large_file_that_is_refused_before_its_content_is_told(make_alice, source):
    server, alice = make_alice(refuses_content=ALWAYS)
    assert_plain_failure(alice.run("put", source("report.pdf", bytes(64 << 20))), "report.pdf")
    assert server.codes == [RECONNECT, FILE]


def test_a_refused_file_of_several_is_told_with_its_name(make_alice, source):
    server, alice = make_alice(errors={FILE: ALWAYS})
    result = alice.run("put", "--pipeline", source("report.pdf", b"content"))
    assert_plain_failure(result, "report.pdf")
    assert server.codes.count(FILE) <= 2  # ahead, and once more by itself at most


def test_a_refused_confirmation_is_told(make_alice, source):
    server, alice = make_alice(errors={OK: ALWAYS})
    assert_plain_failure(alice.run("put", source("report.pdf", b"content")), "report.pdf")


def test_a_file_that_is_too_much_for_the_real_server_is_told(make_server, make_kesher, source, fresh_name):
    kesher = make_kesher(make_server(user_bytes=1))
    kesher.succeed("register", fresh_name())
    assert_plain_failure(kesher.run("put", source("report.pdf", os.urandom(3 << 20))), "report.pdf")
    kesher.succeed("put", source("small", b"fits"))


def test_a_server_of_messages_takes_no_files_and_that_is_no_reason_to_register_anew(make_alice, source):
    """It says 9000 to everything that it does not know, whoever asks."""
    server, alice = make_alice(unknown=DROP)
    before = (alice.home / "me.info").read_bytes()
    assert_plain_failure(alice.run("put", source("x", b"content")), "file")
    assert server.codes == [RECONNECT]
    assert (alice.home / "me.info").read_bytes() == before


# -- what follows a refused file


@pytest.mark.parametrize("size", [0, 100, 5 << 20])
def test_a_transfer_sends_a_refused_file_again_on_a_new_connection(make_alice, source, size):
    """A server that counts wrongly has lost its place in the old one."""
    server, alice = make_alice(refuses_content=1)
    plain = os.urandom(size)
    write_transfer_info(alice.home, server.address, "alice", source("x", plain))
    assert alice.succeed("transfer").text.count(ERROR_LINE) == 1
    assert server.files == {"x": plain}
    assert server.codes == [RECONNECT, FILE, RECONNECT, FILE, OK]
    first, second = server.requests_of(FILE)
    assert {seen.connection for seen in server.requests[2:]} == {second.connection} != {first.connection}


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize("code", [FILE, OK])
def test_a_transfer_goes_on_with_a_server_that_closes_after_an_error(make_alice, source, code, ending):
    server, alice = make_alice(errors={code: 2}, ending=ending, ending_after=frozenset({code}))
    write_transfer_info(alice.home, server.address, "alice", source("x", b"content"))
    assert alice.succeed("transfer").text.count(ERROR_LINE) == 2
    assert server.files == {"x": b"content"}


def test_a_transfer_that_is_refused_four_times_ends_with_the_courses_words(make_alice, source):
    server, alice = make_alice(refuses_content=ALWAYS)
    write_transfer_info(alice.home, server.address, "alice", source("x", b"content"))
    result = alice.fail("transfer")
    assert "Fatal:" in result.stderr and ERROR_LINE in result.text
    assert server.codes.count(FILE) == 4
    assert len({seen.connection for seen in server.requests_of(FILE)}) == 4


def test_a_transfer_under_a_taken_name_ends_with_the_courses_words(make_messages, make_kesher, home, source):
    server = make_messages()
    server.add_account("Anna")
    write_transfer_info(home, server.address, "Anna", source("x", b"content"))
    result = make_kesher().fail("transfer")
    assert "Fatal:" in result.stderr and ERROR_LINE in result.text
    assert server.codes == [REGISTER] * 4


# -- one send for what a server may read only once


@pytest.mark.parametrize("size", [300_000, 5 << 20])
@pytest.mark.parametrize("command", ["put", "transfer"])
def test_the_fixed_fields_of_a_large_file_come_with_its_first_piece(make_alice, source, size, command):
    server, alice = make_alice()
    path = source("x", os.urandom(size))
    if command == "transfer":
        write_transfer_info(alice.home, server.address, "alice", path)
    alice.succeed(command, *([path] if command == "put" else []))
    (seen,) = server.requests_of(FILE)
    assert seen.came_together > FIXED_SIZE


@pytest.mark.parametrize("size", [0, SMALL_REQUEST - FIXED_SIZE - 16])
def test_small_requests_come_as_a_whole(make_alice, make_bob, source, size):
    server, alice = make_alice()
    make_bob(server)
    alice.succeed("put", source("x", bytes(size)))
    alice.succeed("send", "bob", "hello")
    alice.succeed("inbox")
    assert set(server.codes) >= {RECONNECT, FILE, OK, SEND, Request.PULL}
    for seen in server.requests:
        assert HEADER_SIZE + len(seen.payload) <= SMALL_REQUEST
        assert seen.came_together == HEADER_SIZE + len(seen.payload), seen.code


# -- a message that the server does not take


@pytest.mark.parametrize("command", ["send bob hello", "share-key bob", "request-key bob"])
def test_a_full_inbox_is_told_and_asked_once(make_alice, make_bob, command):
    server, alice = make_alice(errors={SEND: ALWAYS})
    make_bob(server)
    assert_plain_failure(alice.run(*command.split()), "bob", "inbox", "full")
    assert (server.codes.count(Request.LIST_USERS), server.codes.count(SEND)) == (1, 1)


def test_a_full_inbox_at_the_real_server_is_told(make_server, make_kesher, tmp_path):
    server = make_server(waiting_messages=2)
    alice, other = make_kesher(server, tmp_path / "alice"), make_kesher(server, tmp_path / "bob")
    alice.succeed("register", "alice")
    other.succeed("register", "bob")
    alice.succeed("request-key", "bob")
    for _ in range(2):
        result = alice.run("request-key", "bob")
    assert_plain_failure(result, "bob", "inbox", "full")


def test_a_text_that_is_perhaps_too_long_for_an_old_server_is_told(make_alice, make_bob):
    """It reads once, 1024 bytes, and refuses what has another size than it says."""
    server, alice = make_alice()
    make_bob(server)
    alice.succeed("send", "bob", "short")
    server.script.lies[SEND] = lambda seen, honest: (
        honest if HEADER_SIZE + len(seen.payload) <= READ_ONCE_SIZE else Cut(refusal())
    )
    assert_plain_failure(alice.run("send", "bob", input=b"long " * 400), "bob", "too long")
    assert len(server.sent_by(alice.user, Type.TEXT)) == 2  # it counts the refused one, too
    alice.succeed("send", "bob", "short again")


def refusal() -> bytes:
    return bytes([2]) + (9000).to_bytes(2, "little") + bytes(4)


def test_a_user_without_a_key_is_told(make_alice):
    server, alice = make_alice()
    server.add_account("keyless")
    assert_plain_failure(alice.run("key", "keyless"), "keyless")
    assert server.codes == [Request.LIST_USERS, Request.KEY_OF_USER]


@pytest.mark.parametrize("code", [2, 2107, 9001, 65535])
def test_an_answer_of_a_code_that_makes_no_sense_is_told_without_it(make_alice, code):
    answer = bytes([2]) + code.to_bytes(2, "little") + bytes(4)
    server, alice = make_alice(lies={Request.LIST_USERS: lambda seen, honest: answer})
    assert_plain_failure(alice.run("users"), "kesher server")
    assert server.codes == [Request.LIST_USERS]
