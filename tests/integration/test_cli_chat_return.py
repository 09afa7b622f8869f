"""`kesher chat` whose connection is lost: it comes back to its group, with what was said meanwhile, or says why not."""

import os
import re
import signal
import socket
import struct
import threading
import time

import pytest
from peer.chat import ENTER_PASSWORD, FULL, LEAVE, LEFT, MENU, NO_PASSWORD, LineClient, has_left
from peer.chat_fixtures import PASSWORD, create_group, join_group, spoken
from peer.piped import Piped
from peer.scripted import Line

LOST = re.compile(r'(kesher: |{"error": "connection failed", "message": ").*; connecting again, Ctrl-C ends("})?\n')


def hear_of_loss(run: Piped) -> None:
    line = run.errors.next_line()
    assert LOST.fullmatch(line), line


def hear_of_return(run: Piped, group: int) -> None:
    run.told(f"joined group {group} again; lines may be missing or doubled")


def close_after_joining(line: Line) -> None:
    line.let_create()


def say_nothing(line: Line) -> None:
    line.wait_for_end()


def last_told(errors: str) -> str:
    return errors.splitlines()[-1]


@pytest.fixture
def restarted(make_talker, relay):
    """Makes a server that is new where there was another one: its groups are gone with it."""

    def restart() -> None:
        relay.cut(passes=False)
        relay.target = make_talker().chat_address
        relay.pass_again()

    return restart


# -- in a pipe


def test_a_lost_connection_is_made_again(relay, start_chat, host):
    run = join_group(start_chat, relay, host.group)
    run.write("one\n")
    host.expect("kate: one")
    relay.cut()
    hear_of_loss(run)
    host.expect(has_left("kate"))
    hear_of_return(run, host.group)
    run.write("two\n")
    host.expect("kate: two")
    host.write("three")
    run.hear("host: three")
    result = run.finish()
    assert (result.status, spoken(result)) == (0, "host: three\n")
    host.expect(has_left("kate"))


def test_a_connection_may_be_lost_again_and_again(relay, start_chat, host):
    run = join_group(start_chat, relay, host.group)
    for turn in range(2):
        relay.cut()
        hear_of_loss(run)
        host.expect(has_left("kate"))
        hear_of_return(run, host.group)
        run.write(f"turn {turn}\n")
        host.expect(f"kate: turn {turn}")
    assert run.finish().status == 0


def test_who_created_a_group_comes_back_to_it_as_a_member(relay, start_chat, open_chat):
    run, group = create_group(start_chat, relay, password="a secret")
    guest = open_chat(LineClient)
    guest.join("guest", group, "a secret")
    relay.cut()
    hear_of_loss(run)
    hear_of_return(run, group)
    guest.expect(has_left("kate"))
    run.write("here again\n")
    guest.expect("kate: here again")
    assert run.finish().status == 0


def test_what_is_said_without_a_connection_is_sent_after_it(relay, start_chat, host):
    run = join_group(start_chat, relay, host.group)
    relay.cut(passes=False)
    hear_of_loss(run)
    host.expect(has_left("kate"))
    lines = [f"line {number}" for number in range(100)]
    run.write("".join(f"{line}\n" for line in lines))
    relay.pass_again()
    hear_of_return(run, host.group)
    host.expect(*[f"kate: {line}" for line in lines])
    assert run.finish().status == 0
    host.expect(has_left("kate"))


def test_the_end_of_the_input_waits_until_all_of_it_is_sent(relay, start_chat, host):
    run = join_group(start_chat, relay, host.group)
    relay.cut(passes=False)
    hear_of_loss(run)
    host.expect(has_left("kate"))
    run.write("one\ntwo")
    run.end_input()
    relay.pass_again()
    hear_of_return(run, host.group)
    host.expect("kate: one", "kate: two", has_left("kate"))
    assert run.wait().status == 0


def reset(line: Line) -> None:
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def numbered(number: int) -> str:
    return f"{number:06d} {'x' * 993}"


def write_until_it_takes_no_more(run: Piped) -> int:
    """How many lines, each of which a pipe takes whole or not at all, it was until nothing moved for a while."""
    written, refused = 0, 0
    os.set_blocking(run.process.stdin.fileno(), False)
    while refused < 50:
        if run.process.stdin.write(f"{numbered(written)}\n".encode()) is None:
            refused += 1
            time.sleep(0.02)
        else:
            written, refused = written + 1, 0
    os.set_blocking(run.process.stdin.fileno(), True)
    return written


def test_the_end_of_the_input_does_not_wait_when_nothing_is_to_be_sent(relay, start_chat, host):
    run = join_group(start_chat, relay, host.group)
    relay.cut(passes=False)
    hear_of_loss(run)
    result = run.finish()
    assert (result.status, spoken(result)) == (0, "")


def test_a_line_of_which_a_part_was_sent_is_sent_whole(make_scripted, start_chat):
    """The first server takes half a line and no more; the other one gets all that the system had not taken."""
    full, heard, done = threading.Event(), [], threading.Event()

    def stuck(line: Line) -> None:
        line.let_create()
        line.receive_exactly(100)
        full.wait()
        reset(line)

    def good(line: Line) -> None:
        line.let_join()
        while (text := line.receive_line()) != LEAVE:
            heard.append(text)
        line.send(LEFT)
        done.set()

    run, _ = create_group(start_chat, make_scripted(stuck, good))
    written = write_until_it_takes_no_more(run)
    full.set()
    hear_of_loss(run)
    hear_of_return(run, 1)
    assert run.finish().status == 0
    assert done.is_set()
    first = int(heard[0][:6])
    assert heard == [numbered(number) for number in range(first, written)]


def test_a_line_that_has_no_end_yet_is_sent_whole(make_scripted, start_chat):
    def first(line: Line) -> None:
        line.let_create()
        assert line.receive_exactly(6) == b"half a"

    def second(line: Line) -> None:
        line.let_join()
        assert line.receive_line() == "half a line"
        assert line.receive_line() == LEAVE

    run, _ = create_group(start_chat, make_scripted(first, second))
    run.write("half a")
    hear_of_loss(run)
    run.write(" line\n")
    hear_of_return(run, 1)
    assert run.finish().status == 0


def test_a_server_that_was_full_is_asked_again(make_scripted, start_chat):
    def refuse(line: Line) -> None:
        line.come_to_password()
        assert line.receive_line() == PASSWORD
        line.send(FULL)

    def take(line: Line) -> None:
        line.let_join()
        assert line.receive_line() == LEAVE

    run, _ = create_group(start_chat, make_scripted(close_after_joining, refuse, take))
    hear_of_loss(run)
    hear_of_return(run, 1)
    assert run.finish().status == 0


@pytest.mark.parametrize("option", ["--answer-timeout", "--silence"])
def test_the_way_back_waits_as_long_as_the_way_in(make_scripted, start_chat, option):
    """Without the option it would be 10 s for the menu, and 30 for the question after it."""

    def stick(line: Line) -> None:
        if option == "--silence":
            line.send(MENU)
        line.wait_for_end()

    def take(line: Line) -> None:
        line.let_join()
        assert line.receive_line() == LEAVE

    run, _ = create_group(start_chat, make_scripted(close_after_joining, stick, take), option, "1")
    hear_of_loss(run)
    begun = time.monotonic()
    hear_of_return(run, 1)
    assert time.monotonic() - begun < 9
    assert run.finish().status == 0


def test_nothing_of_the_loss_is_on_the_standard_output(relay, start_chat, host):
    run = join_group(start_chat, relay, host.group, "--json")
    relay.cut()
    hear_of_loss(run)
    run.told(f'{{"notice": "joined group {host.group} again; lines may be missing or doubled"}}')
    host.expect(has_left("kate"))
    host.write("hello")
    run.hear('{"from": "host", "text": "hello"}')
    assert run.finish().status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_waiting(relay, start_chat, host, number):
    run = join_group(start_chat, relay, host.group)
    relay.cut(passes=False)
    hear_of_loss(run)
    run.process.send_signal(number)
    assert run.process.wait(60) == -number


def test_a_signal_ends_an_attempt_at_a_server_that_says_nothing(make_scripted, start_chat):
    server = make_scripted(close_after_joining, say_nothing)
    run, _ = create_group(start_chat, server)
    hear_of_loss(run)
    server.wait_for_connections(2)
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(60) == -signal.SIGINT


# -- a group that is gone


def test_a_group_that_is_gone_with_its_server_ends_all_its_members(restarted, relay, start_chat):
    """Neither makes a new one: each would sit in one of its own."""
    first, group = create_group(start_chat, relay, name="anna")
    second = join_group(start_chat, relay, group, name="boris")
    restarted()
    for run in (first, second):
        hear_of_loss(run)
        result = run.wait()
        assert result.status == 1
        told = last_told(result.stderr)
        assert told.startswith(f"kesher: group {group} is gone") and "chat create" in told


def test_another_group_of_the_same_number_is_not_entered(make_scripted, start_chat):
    def other(line: Line) -> None:
        line.come_to_password()
        assert line.receive_line() == PASSWORD
        line.send(NO_PASSWORD + ENTER_PASSWORD)
        line.wait_for_end()

    run, _ = create_group(start_chat, make_scripted(close_after_joining, other))
    hear_of_loss(run)
    result = run.wait()
    assert result.status == 1
    assert "another group" in last_told(result.stderr)


def test_lines_that_find_no_group_any_more_are_counted(restarted, relay, start_chat):
    run, _ = create_group(start_chat, relay)
    relay.cut(passes=False)
    hear_of_loss(run)
    run.write("one\ntwo\nthree\n")
    run.end_input()
    restarted()
    result = run.wait()
    assert result.status == 1
    assert "not sent: 3" in last_told(result.stderr)


# -- at a terminal


def test_the_line_being_typed_survives(relay, member_at, host):
    terminal = member_at(relay)
    terminal.type("half a")
    terminal.wait_for("half a")
    relay.cut()
    host.expect(has_left("kate"))
    terminal.wait_for("connecting again")
    terminal.wait_for("half a")
    terminal.wait_for(f"joined group {host.group} again; lines may be missing or doubled\n")
    terminal.wait_for("half a")
    assert terminal.shown.line == "> half a"
    terminal.type_line(" line")
    host.expect("kate: half a line")
    terminal.type_line("/quit")
    terminal.end()
    host.expect(has_left("kate"))


def test_lines_that_are_entered_without_a_connection_are_sent_after_it(relay, member_at, host):
    terminal = member_at(relay)
    relay.cut(passes=False)
    terminal.wait_for("connecting again")
    host.expect(has_left("kate"))
    terminal.type_line("one")
    terminal.wait_for("one\n")
    terminal.type_line("two")
    terminal.wait_for("two\n")
    relay.pass_again()
    host.expect("kate: one", "kate: two")
    terminal.type_line("/quit")
    terminal.end()


def test_control_c_ends_the_waiting(relay, member_at, host):
    terminal = member_at(relay)
    relay.cut(passes=False)
    terminal.wait_for("connecting again")
    terminal.wait_for("> ")
    terminal.type("\x03")
    terminal.end(-signal.SIGINT)


def test_control_c_ends_an_attempt_at_a_server_that_says_nothing(make_scripted, open_terminal):
    server = make_scripted(close_after_joining, say_nothing)
    terminal = open_terminal(server, "create", "--as", "kate", KESHER_CHAT_PASSWORD=PASSWORD)
    terminal.wait_for("connecting again")
    server.wait_for_connections(2)
    terminal.type("\x03")
    terminal.end(-signal.SIGINT)


def test_leaving_without_a_connection_tells_what_was_not_sent(relay, member_at, host):
    terminal = member_at(relay)
    relay.cut(passes=False)
    terminal.wait_for("connecting again")
    terminal.type_line("one")
    terminal.wait_for("one\n")
    terminal.type_line("/quit")
    assert any("not sent: 1" in line for line in terminal.end(1))


def test_leaving_without_a_connection_is_no_failure(relay, member_at, host):
    terminal = member_at(relay)
    relay.cut(passes=False)
    terminal.wait_for("connecting again")
    terminal.type_line("/quit")
    terminal.end()


def test_what_was_typed_stays_on_the_screen_when_the_group_is_gone(restarted, relay, member_at, host):
    terminal = member_at(relay)
    terminal.type("half a line")
    terminal.wait_for("half a line")
    restarted()
    lines = terminal.end(1)
    assert "> half a line" in lines
    assert any("is gone" in line for line in lines[lines.index("> half a line") :])


def test_who_says_exit_is_not_brought_back(make_scripted, open_terminal):
    """Also where the server closes without a word."""

    def script(line: Line) -> None:
        line.let_create()
        assert line.receive_line() == LEAVE

    server = make_scripted(script)
    terminal = open_terminal(server, "create", "--as", "kate", KESHER_CHAT_PASSWORD=PASSWORD)
    terminal.wait_for("> ")
    terminal.type_line(LEAVE)
    terminal.end()
    assert server.connections == 1
