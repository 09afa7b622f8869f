"""Servers that are silent, and such as are none: the client ends soon, once, and says what it may be."""

import socket

import pytest
from peer.chat import MENU
from peer.frames import Request
from peer.kesher import write_server_info, write_transfer_info
from peer.message_fixtures import assert_one_line, assert_plain_failure
from peer.server import ANY

SOON = ("--answer-timeout", "1")
SILENCE = ("--silence", "1")
NO_SERVER = ("no kesher server", "chat port")

COMMANDS = {
    "users": ["users"],
    "inbox": ["inbox"],
    "send": ["send", "bob", "hello"],
    "register --again": ["register", "alice", "--again"],
}


# -- from the beginning


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_server_that_never_answers_is_asked_once_and_called_none(make_alice, command):
    server, alice = make_alice(silent_at=ANY)
    assert_plain_failure(alice.run(*SOON, *command), *NO_SERVER)
    assert (server.connections, len(server.requests)) == (1, 1)


@pytest.mark.parametrize("option", [[], ["--pipeline"]], ids=repr)
def test_a_server_that_never_answers_is_not_sent_a_file(make_alice, source, option):
    server, alice = make_alice(silent_at=ANY)
    result = alice.run(*SOON, "put", *option, source("x", b"one"), source("y", b"two"))
    assert result.status == 1 and NO_SERVER[0] in result.stderr and "Fatal:" not in result.stderr
    assert (server.connections, server.codes) == (1, [Request.RECONNECT])


def test_a_server_that_never_answers_is_not_registered_with(make_messages, make_kesher, home):
    server = make_messages(silent_at=ANY)
    assert_plain_failure(make_kesher(server).run(*SOON, "register", "Anna"), *NO_SERVER)
    assert (server.connections, server.codes) == (1, [Request.REGISTER])
    assert not (home / "me.info").exists()


def test_a_transfer_to_a_server_that_never_answers_is_fatal_and_not_repeated(
    make_messages, make_kesher, home, source
):
    server = make_messages(silent_at=ANY)
    write_transfer_info(home, server.address, "Anna", source("x", b"content"))
    assert "Fatal:" in make_kesher().fail(*SOON, "transfer").stderr
    assert (server.connections, server.codes) == (1, [Request.REGISTER])


GREETINGS = {
    "the chat's menu": MENU.encode(),
    "SSH": b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
    "SMTP": b"220 mail.example.org ESMTP Postfix\r\n",
}


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_a_server_that_speaks_first_is_none(make_alice, greeting):
    server, alice = make_alice(greeting=greeting, silent_at=ANY)
    assert_plain_failure(alice.run(*SOON, "users"), *NO_SERVER)
    assert server.connections == 1 and len(server.requests) <= 1


def test_a_server_that_speaks_first_is_not_registered_with(make_messages, make_kesher, home):
    server = make_messages(greeting=MENU.encode(), silent_at=ANY)
    assert_plain_failure(make_kesher(server).run(*SOON, "register", "Anna"), *NO_SERVER)
    assert server.connections == 1 and not (home / "me.info").exists()


def test_a_server_of_http_is_none(make_alice):
    """It answers what it does not understand in words, and ends the connection."""
    answer = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<h1>400</h1>\n"
    server, alice = make_alice(lies={Request.LIST_USERS: lambda seen, honest: answer})
    assert_plain_failure(alice.run(*SOON, "users"), NO_SERVER[0])
    assert server.connections == 1


@pytest.mark.parametrize("service", ["chat", "ask"])
@pytest.mark.parametrize("command", ["users", "put"])
def test_kesherds_own_other_ports_are_called_none(
    talker, make_kesher, home, source, fresh_name, service, command
):
    make_kesher(talker).succeed("register", fresh_name())
    write_server_info(home, getattr(talker, f"{service}_address"))
    operands = [source("x", b"content")] if command == "put" else []
    assert_plain_failure(make_kesher().run(*SOON, command, *operands), NO_SERVER[0])


def test_the_courses_chat_server_is_not_registered_with(course_chat, make_kesher, home):
    address = f"{course_chat.chat_address[0]}:{course_chat.chat_address[1]}"
    assert_plain_failure(make_kesher().run(*SOON, "--server", address, "register", "Anna"), *NO_SERVER)
    assert not (home / "me.info").exists()


def test_a_first_answer_that_takes_its_time_is_waited_for(make_alice, make_bob):
    """Ten seconds, unless told otherwise."""
    server, alice = make_alice(pause_in_answer=0.25)
    assert alice.succeed("users").text == ""
    assert server.connections == 1


# -- in the middle


@pytest.mark.parametrize("code", [Request.LIST_USERS, Request.KEY_OF_USER])
def test_silence_in_an_answer_is_not_repeated(make_alice, make_bob, code):
    server, alice = make_alice(half_answer=code)
    make_bob(server)
    assert_plain_failure(alice.run(*SILENCE, *SOON, "key", "bob"))
    assert (server.connections, server.codes.count(code)) == (1, 1)


@pytest.mark.parametrize("code", [Request.SEND_FILE, Request.CRC_OK])
def test_silence_after_a_file_is_not_repeated(make_alice, source, code):
    server, alice = make_alice(silent_at=frozenset({code}))
    result = alice.run(*SILENCE, *SOON, "put", source("x", b"one"), source("y", b"two"))
    assert result.status == 1 and "Fatal:" not in result.stderr
    assert (server.connections, server.codes.count(code)) == (1, 1)


@pytest.mark.parametrize("code", [Request.SEND_FILE, Request.CRC_OK])
def test_silence_after_files_that_were_sent_ahead_is_told_once_and_each_file_by_name(
    make_alice, source, code
):
    server, alice = make_alice(silent_at=frozenset({code}))
    names = [f"file {number}" for number in range(20)]
    told = alice.fail(*SILENCE, *SOON, "put", "--pipeline", *[source(name, b"content") for name in names])
    lines = told.stderr.splitlines()
    assert len(lines) == len(names) and sum("neither took nor sent" in line for line in lines) == 1
    assert all(f"'{name}'" in line for name, line in zip(names, lines, strict=True))
    assert server.connections == 1


def test_silence_in_the_content_of_a_file_is_not_repeated(make_alice, source):
    server, alice = make_alice(silent_in=Request.SEND_FILE)
    assert_plain_failure(alice.run(*SILENCE, *SOON, "put", source("x", bytes(64 << 20))))
    assert (server.connections, server.codes.count(Request.SEND_FILE)) == (1, 1)


def test_silence_after_a_message_is_not_repeated(make_alice, make_bob):
    server, alice = make_alice(silent_at=frozenset({Request.SEND_MESSAGE}))
    make_bob(server)
    assert_plain_failure(alice.run(*SILENCE, *SOON, "send", "bob", "hello"))
    assert server.codes.count(Request.SEND_MESSAGE) == 1


def test_what_comes_slowly_is_no_silence(make_alice, make_bob):
    """Longer than the limit in all, but never so long without a byte."""
    server, alice = make_alice()
    make_bob(server)
    server.script.pause_in_answer = 0.01  # times 278 bytes
    assert alice.succeed(*SILENCE, "users").stdout == "bob\n"
    assert server.connections == 1


@pytest.mark.parametrize("option", ["--answer-timeout", "--silence"])
@pytest.mark.parametrize("value", ["-1", "soon", "", "1e400"])
def test_a_time_that_is_none_is_wrong_usage(make_alice, option, value):
    server, alice = make_alice()
    result = alice.run(option, value, "users")
    assert (result.status, result.stdout) == (2, "") and option.strip("-") in result.stderr
    assert "there is no option" not in result.stderr
    assert server.connections == 0


@pytest.mark.parametrize("command", [["ask", "time"], ["chat", "join", "1", "--as", "Anna"]], ids=repr)
def test_chat_and_ask_have_a_limit_for_the_first_answer_too(make_kesher, monkeypatch, command):
    monkeypatch.setenv("KESHER_CHAT_PASSWORD", "secret")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        result = make_kesher().run(*command, "--server", address, *SOON)
    assert result.status == 1 and " for 1 s;" in assert_one_line(result.stderr)


@pytest.mark.parametrize("command", ["ask", "chat"])
def test_who_waits_for_no_restart_has_no_option_for_it(make_kesher, command):
    result = make_kesher().run(command, "--retry", "1")
    assert (result.status, result.stdout) == (2, "") and "--retry" in assert_one_line(result.stderr)
    assert "--retry" not in make_kesher().succeed(command, "--help").text
