"""`kesher chat` between pipes, on the real server: groups, names, passwords, lines, JSON, errors."""

import json
import signal
import subprocess

import pytest
from peer.chat import (
    EXIT_CHAT,
    LEAVE,
    MENU,
    LineClient,
    has_left,
    said,
)
from peer.chat_fixtures import PASSWORD, create_group, join_group, spoken
from peer.drop import User
from peer.kesher import Kesher, write_identity, write_transfer_info
from peer.kesherd import environment
from peer.message_fixtures import assert_one_line
from peer.scripted import Line

# -- in and out


def test_create_makes_a_group_that_others_join_with_its_password(talker, start_chat, open_chat):
    run, group = create_group(start_chat, talker, password="a secret wörd")
    guest = open_chat()
    guest.join("guest", group, "a secret wörd")
    guest.write("hello")
    run.hear("guest: hello")
    run.write("hello guest\n")
    guest.expect("kate: hello guest")
    result = run.finish()
    assert (result.status, spoken(result)) == (0, "guest: hello\n")
    assert result.stderr == f"created group {group}\n"
    guest.expect(has_left("kate"))


def test_join_enters_a_group(talker, start_chat, host):
    run = join_group(start_chat, talker, host.group)
    run.write("one\ntwo\n")
    host.expect("kate: one", "kate: two")
    host.write("three")
    run.hear("host: three")
    result = run.finish()
    assert (result.status, spoken(result)) == (0, "host: three\n")
    assert result.stderr == f"joined group {host.group}\n"
    host.expect(has_left("kate"))


def test_without_input_it_leaves_at_once(talker, run_chat, host):
    result = run_chat(talker, "join", str(host.group), "--as", "kate")
    assert (result.status, spoken(result), result.stderr) == (0, "", f"joined group {host.group}\n")
    host.expect(has_left("kate"))


def test_all_of_the_input_is_sent_before_it_leaves(talker, start_chat, host):
    run = start_chat(talker, "join", str(host.group), "--as", "kate")
    lines = [f"line {number}" for number in range(2000)]
    run.write("".join(f"{line}\n" for line in lines))
    result = run.finish()
    assert result.status == 0
    host.expect(*[said("kate", line) for line in lines], has_left("kate"))


def test_a_last_line_without_an_end_is_sent(talker, start_chat, host):
    run = start_chat(talker, "join", str(host.group), "--as", "kate")
    run.write("one\ntwo")
    assert run.finish().status == 0
    host.expect("kate: one", "kate: two", has_left("kate"))


def test_exit_as_a_line_leaves(talker, start_chat, host):
    run = join_group(start_chat, talker, host.group)
    run.write(f"one\n{LEAVE}\nnever heard\n")
    result = run.wait()
    assert (result.status, spoken(result)) == (0, "")
    host.expect("kate: one", has_left("kate"))
    assert host.is_silent_for(0.1)


def test_every_message_is_a_line_at_once(talker, start_chat, host):
    """Flushed: each is there before the next is said."""
    run = join_group(start_chat, talker, host.group)
    for number in range(20):
        host.write(f"text {number}")
        run.hear(f"host: text {number}")
    run.finish()


def test_messages_that_come_together_are_lines_of_their_own(talker, start_chat, host):
    run = join_group(start_chat, talker, host.group)
    host.send("".join(f"text {number}\n" for number in range(500)).encode())
    run.hear(*[f"host: text {number}" for number in range(500)])
    run.finish()


def test_what_still_comes_is_printed_until_the_server_closes(talker, start_chat, host, open_chat):
    """Whatever was said before its Exit reached the server is heard."""
    run = join_group(start_chat, talker, host.group)
    other = open_chat(LineClient)
    other.join("other", host.group)
    lines = [f"text {number} " + "x" * 200 for number in range(300)]
    for line in lines:
        host.write(line)
    other.expect(*[said("host", line) for line in lines])
    result = run.finish()
    assert spoken(result) == "".join(f"host: {line}\n" for line in lines)
    assert result.status == 0


def test_others_leaving_is_told(talker, start_chat, host, open_chat):
    run = join_group(start_chat, talker, host.group)
    guest = open_chat()
    guest.join("guest", host.group)
    guest.leave()
    assert run.output.next_line().rstrip() == has_left("guest").rstrip()
    run.finish()


def test_two_clients_talk(talker, start_chat):
    first, group = create_group(start_chat, talker, name="anna")
    second = join_group(start_chat, talker, group, name="boris")
    for text in ("hello", "שלום לכולם", "😀 é", "  blanks  ", "a: b", "/quit", "//x", "%s%n"):
        second.write(f"{text}\n")
        first.hear(f"boris: {text}")
        first.write(f"{text}\n")
        second.hear(f"anna: {text}")
    assert second.finish().status == 0
    assert first.output.next_line().rstrip() == has_left("boris").rstrip()
    assert first.finish().status == 0


def test_empty_lines_are_nothing(talker, start_chat, host):
    run = join_group(start_chat, talker, host.group)
    run.write("\n\n\none\n\n")
    host.expect("kate: one")
    run.finish()
    host.expect(has_left("kate"))


def test_long_lines_are_sent_as_they_are(talker, start_chat, host):
    """The server splits them."""
    run = join_group(start_chat, talker, host.group)
    text = "0123456789abcde\t" * 5000
    run.write(f"{text}\nend\n")
    heard = ""
    while heard != text:
        part = host.receive_said("kate")
        heard += part
        assert text.startswith(heard)
    host.expect("kate: end")
    run.finish()


# -- names


def test_the_name_is_that_of_the_identity(talker, start_chat, host, home, private_keys):
    write_identity(home, User("identified", private_keys[0], bytes(16)))
    run = start_chat(talker, "join", str(host.group))
    run.write("hello\n")
    host.expect("identified: hello")
    run.finish()


def test_a_name_given_counts_more_than_the_identity(talker, start_chat, host, home, private_keys):
    write_identity(home, User("identified", private_keys[0], bytes(16)))
    run = start_chat(talker, "join", str(host.group), "--as", "given name")
    run.write("hello\n")
    host.expect("given name: hello")
    run.finish()


def test_without_an_identity_the_name_is_the_users(talker, start_chat, host):
    run = start_chat(talker, "join", str(host.group), USER="sysname")
    run.write("hello\n")
    host.expect("sysname: hello")
    run.finish()


def test_without_any_name_and_a_terminal_it_says_so(talker, run_chat, host):
    result = run_chat(talker, "join", str(host.group), USER=None, LOGNAME=None)
    assert result.status in (1, 2) and result.stdout == ""
    assert "name" in assert_one_line(result.stderr)


@pytest.mark.parametrize("name", ["", "\n", "\x1b[31m"])
def test_a_name_that_is_none_is_refused(talker, run_chat, host, name):
    result = run_chat(talker, "join", str(host.group), "--as", name)
    assert result.status in (1, 2) and result.stdout == ""
    assert_one_line(result.stderr)


@pytest.mark.parametrize("name", ["kate\nExit", "kate\r\n1", "ka\x1b[31mte"])
def test_a_name_is_one_input_whatever_is_in_it(talker, start_chat, host, name):
    """A newline that went to the server would answer the next prompt."""
    run = start_chat(talker, "join", str(host.group), "--as", name)
    run.told(f"joined group {host.group}")
    run.write("hello\n")
    heard = host.receive_line()
    assert heard.startswith("kate") and heard.endswith(": hello")
    assert run.finish().status == 0


# -- passwords


@pytest.mark.parametrize("arguments", [("create",), ("join", "1")], ids=["create", "join"])
def test_without_a_password_and_a_terminal_it_is_a_usage_error(talker, run_chat, arguments):
    result = run_chat(talker, *arguments, password=None)
    assert (result.status, result.stdout) == (2, "")
    assert "KESHER_CHAT_PASSWORD" in result.stderr or "password" in result.stderr


def test_a_password_is_never_an_argument(talker, run_chat, host):
    for option in ("--password", "-p"):
        result = run_chat(talker, "join", str(host.group), option, PASSWORD, password=None)
        assert (result.status, result.stdout) == (2, "")


def test_a_wrong_password_ends_it_with_a_line_that_says_so(talker, run_chat, host):
    result = run_chat(talker, "join", str(host.group), "--as", "kate", password="wrong one")
    assert (result.status, result.stdout) == (1, "")
    told = assert_one_line(result.stderr)
    assert "password" in told and "wrong one" not in told
    assert host.is_silent_for(0.1)


@pytest.mark.parametrize("password", ["", "a\nb"], ids=["empty", "two lines"])
def test_a_password_that_is_none_is_refused(talker, run_chat, host, password):
    """It would leave the prompt unanswered, or be two answers."""
    result = run_chat(talker, "join", str(host.group), password=password)
    assert result.status in (1, 2) and result.stdout == ""
    assert "password" in result.stderr.lower()


def test_a_wrong_id_ends_it_with_a_line_that_says_so(talker, run_chat):
    result = run_chat(talker, "join", "4000000", "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert "4000000" in assert_one_line(result.stderr)


@pytest.mark.parametrize("group", ["x", "", "0", "-1", "1x", "99999999999999999999"])
def test_what_is_no_id_is_an_error(talker, run_chat, group):
    result = run_chat(talker, "join", group, "--as", "kate")
    assert result.status in (1, 2) and result.stdout == ""
    assert result.stderr.startswith("kesher: ")


@pytest.mark.parametrize(
    "arguments",
    [("join",), ("join", "1", "2"), ("create", "1"), ("nonsense",), ("join", "1", "--as"), ("--nonsense",)],
)
def test_what_makes_no_sense_is_a_usage_error(talker, run_chat, arguments):
    result = run_chat(talker, *arguments)
    assert (result.status, result.stdout) == (2, "")
    assert result.stderr.startswith("kesher: ")


# -- JSON


def test_messages_as_json(talker, start_chat, host, open_chat):
    run = join_group(start_chat, talker, host.group, "--json")
    guest = open_chat()
    guest.join('gu"est', host.group)
    for text in ("hello", 'quoted "so" \\ and so', "tab\tbed", "שלום 😀"):
        host.write(text)
        assert json.loads(run.output.next_line()) == {"from": "host", "text": text}
        guest.expect(said("host", text))
    guest.leave()
    assert json.loads(run.output.next_line()) == {"left": 'gu"est'}
    run.write("hello\n")
    host.expect(has_left('gu"est'), "kate: hello")
    assert run.finish().status == 0


def test_a_text_that_looks_like_a_leave_is_one_only_without_a_speaker(talker, start_chat, host):
    run = join_group(start_chat, talker, host.group, "--json")
    host.write("bob has removed from the group ")
    assert json.loads(run.output.next_line()) == {"from": "host", "text": "bob has removed from the group "}
    run.finish()


def test_json_is_as_good_for_creating(talker, start_chat, open_chat):
    run, group = create_group(start_chat, talker, "--json")
    guest = open_chat()
    guest.join("guest", group)
    guest.write("hello")
    assert json.loads(run.output.next_line()) == {"from": "guest", "text": "hello"}
    assert run.finish().status == 0


# -- limits, and connections that end


def test_a_server_that_is_full_is_told(make_talker, run_chat, open_chat):
    server = make_talker(groups=1, group_members=1)
    open_chat(server=server).create("host")
    for arguments in (("create",), ("join", "1")):
        result = run_chat(server, *arguments, "--as", "kate")
        assert (result.status, result.stdout) == (1, "")
        assert "full" in assert_one_line(result.stderr)


@pytest.mark.parametrize("arguments", [("create",), ("join", "1"), ()], ids=["create", "join", "menu"])
def test_no_server_is_one_line(run_chat, arguments):
    result = run_chat(Nobody, *arguments)
    assert (result.status, result.stdout) == (1, "")
    assert "127.0.0.1:1" in assert_one_line(result.stderr)


class Nobody:
    chat_address = ("127.0.0.1", 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_end_leaves_the_group(talker, start_chat, host, number):
    run = join_group(start_chat, talker, host.group)
    run.write("hello\n")
    host.expect("kate: hello")
    run.process.send_signal(number)
    assert run.process.wait(60) == -number  # which a shell shows as 128 and the number
    host.expect(has_left("kate"))


def test_when_nobody_reads_its_output_any_more_it_leaves(talker, start_chat, host):
    """`kesher chat join 3 | head -1`"""
    run = start_chat(talker, "join", str(host.group), "--as", "kate", through="head -1")
    run.told(f"joined group {host.group}")
    host.write("the first")
    run.hear("host: the first")
    heard = b""
    while has_left("kate").encode() not in heard:
        host.write("another")
        if not host.is_silent_for(0.05):
            heard += host.socket.recv(1000)


def test_a_full_disk_behind_the_output_is_told_as_such(talker, home):
    command = Kesher(home, talker.chat_address).command("chat", "create", "--as", "kate")
    variables = {**environment(), "KESHER_CHAT_PASSWORD": PASSWORD}
    with open("/dev/full", "wb") as full:
        run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, env=variables)
    assert run.returncode == 1
    notice, told = run.stderr.decode().splitlines()
    assert notice.startswith("created group")
    assert told == "kesher: cannot write to the standard output: No space left on device"


# -- which server


@pytest.fixture
def elsewhere(fresh_source):
    """An address of the loopback on which port 5555 is nobody's."""
    return fresh_source()


def serve_exit(line: Line) -> None:
    line.send(MENU)
    assert line.receive_line() == "3"
    line.send(EXIT_CHAT)


@pytest.mark.parametrize("file", ["server.info", "transfer.info", "both"])
def test_without_an_address_it_is_that_of_the_homes_server_with_the_chats_port(
    home, elsewhere, start_chat, make_scripted, file
):
    home.mkdir()
    if file != "server.info":
        write_transfer_info(home, (elsewhere if file == "transfer.info" else "127.9.9.9", 1357), "bob", "x")
    if file != "transfer.info":
        (home / "server.info").write_text(f"{elsewhere}:4711\n")
    server = make_scripted(serve_exit, at=(elsewhere, 5555))
    run = start_chat(None)
    run.write("3\n")
    result = run.wait()
    assert server.connections == 1
    assert result.status == 0 and "Exit the chat" in result.stdout


# -- the server's own menu


def test_without_arguments_the_servers_menu_is_passed_through(talker, start_chat, host):
    run = start_chat(talker, password=None)
    run.write("nonsense\n1\nkate\n")
    run.write(f"{host.group}\n{PASSWORD}\nhello\n")
    host.expect("kate: hello")
    host.write("hello kate")
    while run.output.next_line() != "host: hello kate\n":
        pass
    run.write(f"{LEAVE}\n")
    result = run.wait()
    assert (result.status, result.stderr) == (0, "")
    shown = [
        "Hello client, please choose an option:",
        "1. Connect to a group chat.",
        "2. Create a group chat.",
        "3. Exit the server.",
        "You chose an invalid option...",
        "Enter your name:",
        "Enter group ID:",
        "Enter password:",
        f"You're connected to group chat #{host.group}",
        "host: hello kate",
        "You chose exit so you removed from the group.",
    ]
    at = 0
    for text in shown:
        at = result.stdout.index(text, at) + len(text)


def test_the_menu_passed_through_ends_with_the_input(talker, start_chat, host):
    """At a prompt or as a member, it leaves the server."""
    run = start_chat(talker, password=None)
    run.write(f"1\nkate\n{host.group}\n{PASSWORD}\nhello\n")
    host.expect("kate: hello")
    run.finish()
    host.expect(has_left("kate"))


def test_what_others_write_is_harmless_in_the_menu_too(talker, start_chat, host):
    """kesherd cleans it already; another server may not."""
    run = start_chat(talker, password=None)
    run.write(f"1\nkate\n{host.group}\n{PASSWORD}\nhello\n")
    host.expect("kate: hello")
    host.write("red \x1b[31mtext")
    while "red" not in (line := run.output.next_line()):
        pass
    assert "\x1b" not in line
    run.finish()
