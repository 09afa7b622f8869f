"""Own files at a secure server, as a person at a terminal sees them."""

import fcntl
import os
import re
import struct
import termios
import time

import pytest
from peer.kesher import wait_for_staged_bytes
from peer.screen import Screen
from peer.terminal import Terminal

LARGE = 24_000_000
ENOUGH = 6_000_000
CONTROL_C = "\x03"
GOES_ON = "stopped; the same command again goes on where this one was stopped"


@pytest.fixture
def at_a_gate(make_secure, make_gate, make_folder):
    server = make_secure()
    gate = make_gate(server)
    return server, gate, make_folder(gate.address)


@pytest.fixture
def run_in_shell(monkeypatch):
    """Runs a command at a terminal, in a shell that goes on after a Ctrl-C, in the directory of `folder`."""
    terminals = []

    def run(folder, *arguments, columns: int = 80) -> Terminal:
        monkeypatch.chdir(folder.directory)
        # Once it has read a line, the terminal has its width.
        script = 'trap : INT; read _; "$@"; echo status $?'
        terminals.append(Terminal(["sh", "-c", script, "-", *folder.command(*arguments)]))
        fcntl.ioctl(terminals[-1]._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        terminals[-1].type("\n")
        return terminals[-1]

    yield run
    for terminal in terminals:
        terminal.close()


def seen_lines(terminal: Terminal) -> list[str]:
    """What is on the screen in the end, without the line that was typed, and blanks."""
    return [line.rstrip() for line in Screen(terminal.screen).lines if line.strip()]


def wait_for_partial_bytes(path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists() or path.stat().st_size == 0:
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.01)


def status_of(terminal: Terminal) -> int:
    terminal.wait_for("status ")
    terminal.wait_for_end()
    return int(terminal.screen.rpartition("status ")[2])


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_progress_fits_and_leaves_nothing_behind(at_a_gate, run_in_shell, columns):
    server, gate, folder = at_a_gate
    folder.write("a-name-of-some-length/large", os.urandom(1 << 20) * 24)
    gate.hold(up=ENOUGH)
    terminal = run_in_shell(folder, "put", "-r", "a-name-of-some-length", columns=columns)
    terminal.wait_for("%")
    gate.release()
    assert status_of(terminal) == 0
    drawn = re.findall(r"\r\x1b\[K( *\d+%[^\r\n]*)", terminal.screen)
    assert drawn and all(len(line) <= columns - 3 for line in drawn), drawn
    if columns >= 80:
        assert any("large" in line and "B/s" in line and "left" in line for line in drawn)
    first, second = seen_lines(terminal)
    assert re.fullmatch(r"a-name-of-some-length/large: \d+ bytes, cksum \d+, confirmed", first)
    assert second == "status 0"


def test_progress_tells_of_all_files(at_a_gate, run_in_shell):
    server, gate, folder = at_a_gate
    for name in "abc":
        folder.write(name, os.urandom(1 << 20) * 10)
    gate.hold(up=15_000_000)
    terminal = run_in_shell(folder, "put", "a", "b", "c", columns=120)
    terminal.wait_for("2 of 3")
    gate.release()
    assert status_of(terminal) == 0
    percents = [int(percent) for percent in re.findall(r"\r\x1b\[K *(\d+)%", terminal.screen)]
    assert percents == sorted(percents) and percents[-1] <= 100
    assert [line.partition(":")[0] for line in seen_lines(terminal)] == ["a", "b", "c", "status 0"]


@pytest.mark.parametrize("command", ["put", "get"])
def test_ctrl_c_says_that_it_goes_on_and_leaves_no_bar(at_a_gate, run_in_shell, command):
    server, gate, folder = at_a_gate
    folder.write("large", os.urandom(1 << 20) * 24)
    if command == "get":
        folder.succeed("put", "large")
        (folder.directory / "large").unlink()
    gate.hold(**{"up" if command == "put" else "down": ENOUGH})
    terminal = run_in_shell(folder, command, "large")
    terminal.wait_for("%")
    if command == "put":
        wait_for_staged_bytes(server, terminal.process)
    else:
        wait_for_partial_bytes(folder.directory / "large.part")
    terminal.type(CONTROL_C)
    assert status_of(terminal) == 130
    assert seen_lines(terminal) == [GOES_ON, "status 130"]
    gate.cut()
    gate.release()
    again = run_in_shell(folder, command, "large")
    assert status_of(again) == 0 and "went on at " in again.screen


def test_ctrl_c_says_nothing_of_the_standard_input(at_a_gate, run_in_shell):
    server, gate, folder = at_a_gate
    folder.write("large", os.urandom(1 << 20) * 24)
    gate.hold(up=ENOUGH)
    script = ["sh", "-c", 'trap : INT; "$@" < large; echo status $?', "-", *folder.command("put", "-", "--as", "x")]
    os.chdir(folder.directory)
    terminal = Terminal(script)
    terminal.wait_for("%")
    terminal.type(CONTROL_C)
    assert status_of(terminal) == 130
    terminal.close()
    assert seen_lines(terminal) == ["status 130"]


def test_quiet_draws_nothing(at_a_gate, run_in_shell):
    server, gate, folder = at_a_gate
    folder.write("large", os.urandom(1 << 20) * 24)
    terminal = run_in_shell(folder, "put", "large", "--quiet")
    assert status_of(terminal) == 0
    assert seen_lines(terminal) == ["status 0"] and "%" not in terminal.screen


def test_files_have_a_last_line_with_their_sum(folder, run_in_shell):
    for name, size in [("a", 1_500_000), ("b", 5)]:
        folder.write(name, bytes(size))
    folder.succeed("put", "a", "b")
    terminal = run_in_shell(folder, "files")
    assert status_of(terminal) == 0
    assert seen_lines(terminal)[-2:] == ["2 files, 1.5 MB", "status 0"]
    folder.succeed("rm", "a", "b")
    terminal = run_in_shell(folder, "files")
    assert status_of(terminal) == 0
    assert seen_lines(terminal) == ["0 files, 0 B", "status 0"]


@pytest.mark.parametrize("name", ["gpj.\u202efdp", "sh\u2066ow", "first\u2028second", "mark\u200e"])
def test_a_name_cannot_turn_the_screen_round(folder, run_in_shell, name):
    folder.write(name, b"content")
    for arguments in (["put", "-r", "."], ["files"], ["get", "-r", "*", "--save-to", "here"], ["rm", "*"]):
        terminal = run_in_shell(folder, *arguments)
        assert status_of(terminal) == 0
        assert not re.search("[\u202a-\u202e\u2028\u2029\u200e\u200f]", terminal.screen)
        assert terminal.screen.count("\u2066") == 0


def test_a_name_from_right_to_left_keeps_that_to_itself(folder, run_in_shell):
    folder.write("דנה", b"content")
    for arguments in (["put", "דנה"], ["files"], ["rm", "דנה"]):
        terminal = run_in_shell(folder, *arguments)
        assert status_of(terminal) == 0
        assert "\u2068דנה\u2069" in terminal.screen
