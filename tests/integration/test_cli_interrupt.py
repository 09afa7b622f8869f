"""Commands that Ctrl-C ends: a shell sees 130, and a script that was meant as well ends with them."""

import shlex

import pytest
from peer.chat_fixtures import PASSWORD
from peer.drop import User
from peer.kesher import Kesher, write_identity
from peer.scripted import Line
from peer.terminal import Terminal

CONTROL_C = "\x03"


def say_nothing(line: Line) -> None:
    line.wait_for_end()


@pytest.fixture
def run_in_shell():
    """Runs a script at a terminal, in a shell that goes on after a Ctrl-C."""
    terminals = []

    def run(script: str, **variables: str) -> Terminal:
        terminals.append(Terminal(["sh", "-c", f"trap : INT; {script}"], TERM="xterm", **variables))
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


def status_after_control_c(terminal: Terminal) -> int:
    terminal.type(CONTROL_C)
    terminal.wait_for("status ")
    terminal.wait_for_end()
    return int(terminal.screen.rpartition("status ")[2])


@pytest.mark.parametrize(
    "arguments",
    [("inbox",), ("inbox", "--follow"), ("users",), ("send", "bob", "hello"), ("put", "/etc/hostname"), ("ask",)],
    ids=" ".join,
)
def test_a_command_that_waits_for_a_server(make_scripted, run_in_shell, home, private_keys, arguments):
    write_identity(home, User("alice", private_keys[0], bytes(16)))
    server = make_scripted(say_nothing)
    command = shlex.join(Kesher(home, server.address).command(*arguments))
    terminal = run_in_shell(f"echo begins; {command}; echo status $?")
    terminal.wait_for("begins")
    server.wait_for_connections(1)
    assert status_after_control_c(terminal) == 130


def test_a_question_for_a_password(talker, run_in_shell, home):
    command = shlex.join(Kesher(home, talker.chat_address).command("chat", "create", "--as", "kate"))
    terminal = run_in_shell(f"{command}; echo status $?")
    terminal.wait_for("assword for the group: ")
    assert status_after_control_c(terminal) == 130


def test_a_chat_whose_input_is_a_pipe(talker, run_in_shell, home, host):
    join = Kesher(home, talker.chat_address).command("chat", "join", str(host.group), "--as", "kate")
    terminal = run_in_shell(
        f"mkfifo {home}.fifo; {shlex.join(join)} <> {home}.fifo; echo status $?", KESHER_CHAT_PASSWORD=PASSWORD
    )
    terminal.wait_for("joined group")
    assert status_after_control_c(terminal) == 130


def test_a_chat_at_a_terminal_which_ctrl_c_leaves_as_quit_does(talker, run_in_shell, home, host):
    join = Kesher(home, talker.chat_address).command("chat", "join", str(host.group), "--as", "kate")
    terminal = run_in_shell(f"{shlex.join(join)}; echo status $?", KESHER_CHAT_PASSWORD=PASSWORD)
    terminal.wait_for("> ")
    assert status_after_control_c(terminal) == 0
