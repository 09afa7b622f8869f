"""`kesher chat` between pipes on other servers: the course's own one, and such that lie, break off or never end."""

import json
import os
import re
import signal
import socket
import struct
import threading
from pathlib import Path

import pytest
from peer.chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    FULL,
    INVALID,
    JOIN,
    LEAVE,
    LEFT,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
    created,
    data_segments,
    has_left,
    joined,
    said,
)
from peer.chat_fixtures import PASSWORD, create_group, join_group, spoken
from peer.chat_server import CourseChatServer
from peer.memory import hold_back_little_freed_memory
from peer.message_fixtures import assert_one_line
from peer.scripted import Line

MIB = 1 << 20


# -- the course's own server


@pytest.fixture(params=["'", "\u2019"], ids=["", "typeset"])
def course_chat(request):
    """In both of its spellings."""
    server = CourseChatServer(request.param)
    yield server
    server.stop()


def test_creating_a_group_on_the_courses_server(course_chat, start_chat, open_chat):
    run, group = create_group(start_chat, course_chat)
    assert group == 1
    guest = open_chat(server=course_chat)
    guest.join("guest", 1)
    run.write("hello\n")
    guest.expect("kate: hello")
    for text in ("hello kate", "שלום", "a: b"):
        guest.write(text)
        run.hear(said("guest", text))
    guest.leave()
    assert run.output.next_line().rstrip() == has_left("guest").rstrip()
    assert run.finish().status == 0


def test_joining_a_group_on_the_courses_server(course_chat, start_chat, open_chat):
    host = open_chat(server=course_chat)
    host.create("host", PASSWORD)
    run = join_group(start_chat, course_chat, 1)
    run.write("hello\n")
    host.expect("kate: hello")
    result = run.finish()
    assert (result.status, spoken(result)) == (0, "")
    host.expect(has_left("kate"))


def test_lines_come_whole_and_in_their_order_on_the_courses_server(course_chat, start_chat, open_chat):
    """It takes what one recv gives it for one message: two lines, where it was late to read."""
    host = open_chat(server=course_chat)
    host.create("host", PASSWORD)
    run = join_group(start_chat, course_chat, 1)
    run.write("".join(f"line {number}\n" for number in range(10)))
    result = run.finish()
    assert result.status == 0
    heard = ""
    while not heard.endswith(has_left("kate")):
        heard += host.receive_line() + "\n"
    lines = "".join(f"line {number}" for number in range(10))
    assert heard.startswith("kate: ")
    assert heard.replace("kate: ", "") == lines + has_left("kate")


def test_lines_are_sends_of_their_own_to_a_server_like_the_courses(make_scripted, start_chat):
    """So that it can take each for one message: they must not be joined on the way."""
    lines = [f"line {number}" for number in range(10)]

    def call_a_line_invalid(line: Line) -> None:
        line.send(MENU)
        assert line.receive_line() == JOIN
        line.send(INVALID)
        line.wait_for_end()

    def take_chunks(line: Line) -> None:
        for text, answer in [(MENU, JOIN), (ENTER_NAME, "kate"), (ENTER_GROUP, "1"), (ENTER_PASSWORD, PASSWORD)]:
            line.send(text)
            assert line.receive_exactly(len(answer)) == answer.encode()
        line.send(joined(1))
        before = data_segments(line.socket)
        written = "".join([*lines, LEAVE]).encode()
        assert line.receive_exactly(len(written)) == written
        assert data_segments(line.socket) - before == len(lines) + 1
        line.send(LEFT)

    run = join_group(start_chat, make_scripted(call_a_line_invalid, take_chunks), 1)
    run.write("".join(f"{text}\n" for text in lines))
    assert run.finish().status == 0


@pytest.mark.parametrize(
    "group, password, told", [("7", PASSWORD, "7"), ("1", "54321", "password")], ids=["id", "password"]
)
def test_wrong_answers_on_the_courses_server(course_chat, run_chat, open_chat, group, password, told):
    open_chat(server=course_chat).create("host", PASSWORD)
    result = run_chat(course_chat, "join", group, "--as", "kate", password=password)
    assert (result.status, result.stdout) == (1, "")
    assert told in assert_one_line(result.stderr)


def test_a_client_leaves_although_the_courses_server_does_not_close(course_chat, start_chat, open_chat):
    """With two groups two of its threads read each connection, and the one that closes it closes it for itself."""
    open_chat(server=course_chat).create("other", PASSWORD)
    host = open_chat(server=course_chat)
    host.create("host", PASSWORD)
    run = join_group(start_chat, course_chat, 2)
    run.write("hello\n")
    host.expect("kate: hello")
    assert run.finish().status == 0
    host.expect(has_left("kate"))


# -- passwords that the course's server dies of


one_course_chat = pytest.mark.parametrize("course_chat", ["\u2019"], indirect=True, ids=["typeset"])


@one_course_chat
@pytest.mark.parametrize("way", ["create", "join"])
def test_a_password_that_kills_the_courses_server_is_told(course_chat, run_chat, open_chat, way):
    """It says nothing more, and does not close."""
    open_chat(server=course_chat).create("host", PASSWORD)
    arguments = ("create",) if way == "create" else ("join", "1")
    result = run_chat(course_chat, *arguments, "--as", "kate", password="no digits")
    assert (result.status, result.stdout) == (1, "")
    told = assert_one_line(result.stderr)
    assert "password" in told and "digits" in told and "no digits" not in told


def test_a_server_that_closes_at_a_password_that_is_not_digits(make_scripted, run_chat):
    def script(line: Line) -> None:
        line.come_to_password()
        assert line.receive_line() == "no digits"

    result = run_chat(make_scripted(script), "join", "1", "--as", "kate", password="no digits")
    assert (result.status, result.stdout) == (1, "")
    assert "of digits only" in assert_one_line(result.stderr)


@pytest.mark.parametrize("json_option", [(), ("--json",)], ids=["plain", "json"])
def test_a_server_that_is_slow_with_a_password_is_told_and_waited_for(make_scripted, start_chat, json_option):
    """As one is that slows down guesses: no failure yet."""
    told = threading.Event()

    def script(line: Line) -> None:
        line.come_to_password()
        assert line.receive_line() == PASSWORD
        told.wait()
        line.send(joined(1))
        assert line.receive_line() == LEAVE

    run = start_chat(make_scripted(script), "join", "1", "--as", "kate", *json_option)
    line = run.errors.next_line()
    told.set()
    assert "has not answered the password" in (json.loads(line)["notice"] if json_option else line)
    run.told('{"notice": "joined group 1"}' if json_option else "joined group 1")
    assert run.finish().status == 0


@one_course_chat
def test_a_silent_server_behind_the_menu_that_is_passed_through_is_told(course_chat, start_chat):
    run = start_chat(course_chat, password=None)
    run.write("2\nkate\nno digits\n")
    assert "digits" in run.errors.next_line()
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(60) == -signal.SIGTERM


# -- servers that break off

CREATING = [MENU, CREATE, ENTER_NAME, "kate", ENTER_NEW_PASSWORD, PASSWORD]
JOINING = [MENU, JOIN, ENTER_NAME, "kate", ENTER_GROUP, "1", ENTER_PASSWORD, PASSWORD]
WAYS = {"create": (CREATING, ("create",)), "join": (JOINING, ("join", "1"))}


def play(steps: list[str], line: Line) -> None:
    """Says the texts with even numbers and hears the ones with odd ones."""
    for number, text in enumerate(steps):
        if number % 2 == 0:
            line.send(text)
        else:
            assert line.receive_line() == text


def at_each_step() -> list:
    return [
        pytest.param(way, count, id=f"{way} {count}")
        for way, (steps, _) in WAYS.items()
        for count in range(len(steps) + 1)
    ]


def reset(line: Line) -> None:
    line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("end", [lambda line: None, reset], ids=["closes", "resets"])
@pytest.mark.parametrize("way, count", at_each_step())
def test_a_server_that_goes_at_any_step_is_one_line(make_scripted, run_chat, way, count, end):
    steps, arguments = WAYS[way]

    def script(line: Line) -> None:
        play(steps[:count], line)
        end(line)

    result = run_chat(make_scripted(script), *arguments, "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)


@pytest.mark.parametrize("way, count", [step for step in at_each_step() if step.values[1] % 2 == 0])
def test_a_server_that_is_full_at_any_step_is_told(make_scripted, run_chat, way, count):
    steps, arguments = WAYS[way]

    def script(line: Line) -> None:
        play(steps[:count], line)
        line.send(FULL)

    result = run_chat(make_scripted(script), *arguments, "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert "full" in assert_one_line(result.stderr)


NONSENSE = {
    "text": b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n",
    "bytes": bytes(range(256)) * 4,
    "nothing but newlines": b"\n" * 1000,
    "a prompt of another step": b"Enter your age: \n",
    "escapes": b"\x1b[2J\x1b]0;title\x07\n",
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE.keys())
@pytest.mark.parametrize("way, count", [step for step in at_each_step() if step.values[1] % 2 == 0])
def test_nonsense_at_any_step_is_one_line(make_scripted, run_chat, way, count, nonsense):
    steps, arguments = WAYS[way]

    def script(line: Line) -> None:
        play(steps[:count], line)
        line.send(nonsense)

    result = run_chat(make_scripted(script), *arguments, "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "99999999999999999999", "1\x1b[31m"])
def test_an_id_that_is_none_is_not_told_as_one(make_scripted, run_chat, number):
    def script(line: Line) -> None:
        play(CREATING, line)
        line.send(created(1).replace("1", number) + "\n")

    result = run_chat(make_scripted(script), "create", "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert "\x1b" not in assert_one_line(result.stderr)


def test_a_server_that_calls_every_choice_invalid_is_asked_twice_and_no_more(make_scripted, run_chat):
    def script(line: Line) -> None:
        line.send(MENU + INVALID)
        line.wait_for_end()

    server = make_scripted(script)
    result = run_chat(server, "create", "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)
    assert server.connections == 2


def test_a_server_that_calls_invalid_what_was_not_said_is_asked_twice_and_no_more(make_scripted, run_chat):
    def call_invalid(line: Line) -> None:
        line.send(INVALID)
        line.wait_for_end()

    server = make_scripted(lambda line: (line.send(MENU), call_invalid(line)), call_invalid)
    result = run_chat(server, "create", "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)
    assert server.connections == 2


def test_a_group_other_than_the_one_that_was_asked_for_is_not_entered(make_scripted, run_chat):
    def script(line: Line) -> None:
        play(JOINING, line)
        line.send(joined(7))
        line.wait_for_end()

    result = run_chat(make_scripted(script), "join", "1", "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert "7" in assert_one_line(result.stderr)


@pytest.mark.parametrize(
    "texts, told", [(NO_GROUP + ENTER_GROUP, "1"), (NO_PASSWORD + ENTER_PASSWORD, "password")]
)
def test_answers_that_are_always_wrong(make_scripted, run_chat, texts, told):
    steps = JOINING if texts.startswith(NO_PASSWORD) else JOINING[:6]

    def script(line: Line) -> None:
        play(steps, line)
        for _ in range(1000):
            line.send(texts)
        line.wait_for_end()

    result = run_chat(make_scripted(script), "join", "1", "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert told in assert_one_line(result.stderr)


def test_texts_in_one_byte_sends_and_with_carriage_returns(make_scripted, start_chat):
    """How the server cuts its texts, and how it ends its lines, is its own affair."""

    def dribble(line: Line, text: str) -> None:
        for byte in text.encode():
            line.send(bytes([byte]))

    def script(line: Line) -> None:
        for number, text in enumerate(CREATING):
            if number % 2 == 0:
                dribble(line, text)
            else:
                assert line.receive_line() == text
        dribble(line, created(1) + "\n")
        dribble(line, "bob: שלום\r\nbob has removed from the group \r\n")
        assert line.receive_line() == LEAVE
        dribble(line, LEFT)

    run, _ = create_group(start_chat, make_scripted(script))
    run.hear("bob: שלום")
    assert run.output.next_line().rstrip() == "bob has removed from the group"
    assert run.finish().status == 0


@pytest.mark.parametrize("farewell", ["", LEFT, LEFT + "bob: too late\n"], ids=["none", "one", "more"])
def test_however_the_server_says_farewell_leaving_is_no_error(make_scripted, start_chat, farewell):
    def script(line: Line) -> None:
        line.let_create()
        assert line.receive_line() == LEAVE
        line.send(farewell)

    run, _ = create_group(start_chat, make_scripted(script))
    result = run.finish()
    assert (result.status, result.stderr) == (0, "created group 1\n")


@pytest.mark.parametrize("last", ["", "bob: half a li"], ids=["after a line", "inside a line"])
def test_what_came_before_a_connection_was_lost_is_printed(make_scripted, start_chat, last):
    def script(line: Line) -> None:
        line.let_create()
        line.send(f"bob: hello\n{last}")

    def again(line: Line) -> None:
        line.let_join()
        line.send("bob: here again\n")
        assert line.receive_line() == LEAVE

    run, _ = create_group(start_chat, make_scripted(script, again))
    run.hear("bob: hello", *[last] * bool(last), "bob: here again")
    assert run.finish().status == 0


# -- servers whose members lie

HARMFUL = [
    "bob: \x1b[31mred\x1b[0m",
    "bob: \x1b]0;title\x07bell\x07",
    "bob: nul\x00nul \x7f \x08\x08\x08",
    "bob: \u009b31m \u0085",
    "\x1b[2Jbob: name",
    "bob: \r overwritten",
    "bob\x1b[31m has removed from the group ",
]
INVALID_UTF8 = [b"bob: \xff\xfe", b"bob: \xc3", b"\xed\xa0\x80: x", b"bob: \xf4\x90\x80\x80", b"\xff"]


def hostile(line: Line) -> None:
    line.let_create()
    for text in HARMFUL:
        line.send(text + "\n")
    for data in INVALID_UTF8:
        line.send(data + b"\n")
    line.send("bob: the last\n")
    assert line.receive_line() == LEAVE


def is_harmless(text: str) -> bool:
    return not any(
        character < " " and character not in "\t\n" or "\x7f" <= character <= "\x9f" for character in text
    )


def test_what_others_say_is_made_harmless(make_scripted, start_chat):
    run, _ = create_group(start_chat, make_scripted(hostile))
    while "the last" not in run.output.next_line():
        pass
    result = run.finish()
    assert result.status == 0
    assert is_harmless(bytes(run.output.data).decode()), result.stdout
    assert "red" in result.stdout and "overwritten" in result.stdout


def test_what_others_say_is_sound_json(make_scripted, start_chat):
    run, _ = create_group(start_chat, make_scripted(hostile), "--json")
    while "the last" not in run.output.next_line():
        pass
    run.finish()
    printed = bytes(run.output.data).decode()
    assert is_harmless(printed)
    objects = [json.loads(line) for line in printed.splitlines()]
    assert len(objects) >= len(HARMFUL) + len(INVALID_UTF8)
    for told in objects:
        assert set(told) in ({"from", "text"}, {"left"}, {"server"}), told
    assert {"from": "bob", "text": "the last"} in objects


def test_lines_of_no_member_are_told_as_the_servers(make_scripted, start_chat):
    def script(line: Line) -> None:
        line.let_create()
        line.send("maintenance at noon\nbob: hello\n")
        assert line.receive_line() == LEAVE

    run, _ = create_group(start_chat, make_scripted(script), "--json")
    assert json.loads(run.output.next_line()) == {"server": "maintenance at noon"}
    assert json.loads(run.output.next_line()) == {"from": "bob", "text": "hello"}
    run.finish()


# -- servers that never end


def highest_resident(process) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["plain", "json"])
@pytest.mark.parametrize(
    "unit", ["x", "שלום ", "\x9b", "\x1b["], ids=["letters", "utf8", "controls", "escapes"]
)
def test_a_line_without_an_end_needs_no_memory(make_scripted, start_chat, monkeypatch, options, unit):
    hold_back_little_freed_memory(monkeypatch)
    piece = unit.encode() * (65536 // len(unit.encode()))
    go = threading.Event()

    def script(line: Line) -> None:
        line.let_create()
        go.wait()
        for _ in range(16 * MIB // len(piece)):
            line.send(piece)
        line.send("\nbob: the last\n")
        assert line.receive_line() == LEAVE

    server = make_scripted(script)
    run, _ = create_group(start_chat, server, *options)
    before = highest_resident(run.process)
    go.set()
    while "the last" not in run.output.next_line():
        pass
    after = highest_resident(run.process)
    assert after - before < 8 * MIB, f"{(after - before) >> 20} MiB"
    assert run.finish().status == 0


@pytest.mark.parametrize("way, count", [step for step in at_each_step() if step.values[1] % 2 == 0])
def test_endless_text_instead_of_a_prompt_is_given_up(make_scripted, run_chat, way, count):
    steps, arguments = WAYS[way]

    def script(line: Line) -> None:
        play(steps[:count], line)
        while True:
            line.send(b"x" * 65536)

    result = run_chat(make_scripted(script), *arguments, "--as", "kate")
    assert (result.status, result.stdout) == (1, "")
    assert len(assert_one_line(result.stderr)) < 2000


def test_endless_text_in_the_menu_that_is_passed_through_flows(make_scripted, start_chat, monkeypatch):
    hold_back_little_freed_memory(monkeypatch)
    go, done = threading.Event(), threading.Event()

    def script(line: Line) -> None:
        line.send(MENU)
        go.wait()
        for _ in range(256):
            line.send(b"x" * 65536)
        line.send("\nthe last\n")
        done.wait()

    run = start_chat(make_scripted(script))
    run.output.next_line()
    before = highest_resident(run.process)
    go.set()
    while run.output.next_line() != "the last\n":
        pass
    after = highest_resident(run.process)
    done.set()
    assert after - before < 8 * MIB, f"{(after - before) >> 20} MiB"
    assert run.wait().status == 0
    assert len(run.output.data) > 256 * 65536


def test_a_server_that_does_not_read_does_not_stop_the_listening(make_scripted, start_chat):
    """The input waits, what others say is printed."""
    full, heard = threading.Event(), threading.Event()

    def script(line: Line) -> None:
        line.let_create()
        full.wait()
        line.send("bob: are you there\n")
        heard.wait()
        while line.receive_line() != LEAVE:
            pass

    run, _ = create_group(start_chat, make_scripted(script))
    os.set_blocking(run.process.stdin.fileno(), False)
    while run.process.stdin.write(b"x" * 1000 + b"\n") is not None:
        pass
    full.set()
    run.hear("bob: are you there")
    heard.set()
    os.set_blocking(run.process.stdin.fileno(), True)
    run.write("\n")
    assert run.finish().status == 0
