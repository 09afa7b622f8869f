"""`kesher ask`: requests as arguments, from pipes and terminals, JSON, and servers that lie or break off."""

import json
import re
import threading

import pytest
from peer.ask import BANNER, BANNER_SIZE
from peer.kesher import Kesher, Outcome, write_transfer_info
from peer.message_fixtures import assert_one_line
from peer.piped import Piped
from peer.screen import Screen
from peer.scripted import Line
from peer.terminal import Terminal

BANNER_LINE = BANNER.decode() + "\n"
NAME = "kesher\n"
PROMPT = "> "
CONTROL_D = "\x04"


@pytest.fixture
def ask(home):
    """Runs `kesher ask` on a server, with these requests as arguments, else with these lines as input."""

    def run(server, *arguments: str, lines: str | bytes = "") -> Outcome:
        data = lines.encode() if isinstance(lines, str) else lines
        return Kesher(home, server.ask_address).run("ask", *arguments, input=data)

    return run


def assert_unknown(line: str) -> None:
    assert "unknown" in line and "TIME" in line and line.isprintable(), line


# -- requests as arguments


def test_each_argument_is_a_request_and_each_reply_a_line(talker, ask):
    result = ask(talker, "TIME", "NAME", "RAND", "STAT")
    time, name, number, status = result.stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", time)
    assert name == "kesher"
    assert number in [str(number) for number in range(1, 11)]
    assert "kesherd" in status
    assert (result.status, result.stderr) == (0, "")


@pytest.mark.parametrize("request_", ["name", "Name", "nAmE", "NAMES", "name please"])
def test_requests_are_upper_cased_and_cut_to_four_letters(talker, ask, request_):
    assert ask(talker, request_) == Outcome(0, NAME, "")


def test_shorter_requests_are_padded_with_blanks(make_scripted, ask):
    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        for number, wanted in enumerate([b"A   ", b"XY  ", b"ABC ", b"ABCD"]):
            assert line.receive_exactly(4) == wanted
            line.send(f"0001{number}")

    assert ask(make_scripted(script), "a", "xy", "abc", "abcdefg") == Outcome(0, "0\n1\n2\n3\n", "")


def test_only_ascii_is_upper_cased(make_scripted, ask):
    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        assert line.receive_exactly(4) == "éA ".encode()
        line.send("0001x")

    assert ask(make_scripted(script), "éa") == Outcome(0, "x\n", "")


@pytest.mark.parametrize("request_", ["HELP", "foo", "é", "NAM", "a b", ""])
def test_an_unknown_request_is_answered_and_fails(talker, ask, request_):
    result = ask(talker, request_, "NAME")
    unknown, name = result.stdout.splitlines()
    assert_unknown(unknown)
    assert (name, result.status) == ("kesher", 1)
    assert f"'{request_}'" in assert_one_line(result.stderr)


def test_an_exit_after_an_unknown_request_does_not_mend_it(talker, ask):
    assert ask(talker, "HELP", "EXIT").status == 1


def test_a_known_request_may_be_answered_with_the_word_unknown(make_talker, ask):
    """The name of a server is its operator's affair."""
    server = make_talker(name="unknown")
    assert ask(server, "NAME") == Outcome(0, "unknown\n", "")


def test_another_servers_unknown_request(make_scripted, ask):
    """What it offers stands in its banner; what it says of other requests is in words."""
    banner = b"GAME DATE EXIT".center(BANNER_SIZE)

    def script(line: Line) -> None:
        line.receive_exactly(2)
        line.send(banner)
        assert line.receive_exactly(4) == b"DATE"
        line.send("0012Unknown date")
        assert line.receive_exactly(4) == b"NAME"
        line.send("0015Unknown request")

    result = ask(make_scripted(script), "date", "name")
    assert (result.status, result.stdout) == (1, "Unknown date\nUnknown request\n")
    assert "'name'" in assert_one_line(result.stderr)


@pytest.mark.parametrize("form", ["EXIT", "exit", "exit now"])
def test_exit_as_an_argument_ends_it(talker, ask, form):
    assert ask(talker, "name", form, "name") == Outcome(0, NAME, "")
    assert ask(talker, form) == Outcome(0, "", "")


def test_many_requests(talker, ask):
    assert ask(talker, *["NAME"] * 1000) == Outcome(0, NAME * 1000, "")


# -- requests from a pipe


def test_without_arguments_the_banner_comes_first(talker, ask):
    assert ask(talker, lines="") == Outcome(0, BANNER_LINE, "")
    assert ask(talker, lines="name\nNAME\nexit\n") == Outcome(0, BANNER_LINE + NAME * 2, "")


def test_the_end_of_the_input_is_an_exit(talker, ask):
    assert ask(talker, lines="name\nname") == Outcome(0, BANNER_LINE + NAME * 2, "")


def test_what_follows_an_exit_is_not_asked(talker, ask):
    assert ask(talker, lines="name\nexit\nname\n") == Outcome(0, BANNER_LINE + NAME, "")


def test_lines_may_end_as_on_other_systems(talker, ask):
    assert ask(talker, lines="name\r\nname\r\n") == Outcome(0, BANNER_LINE + NAME * 2, "")


def test_a_line_is_one_request_however_long_it_is(talker, ask):
    assert ask(talker, lines="name " * 100_000 + "\nname\n") == Outcome(0, BANNER_LINE + NAME * 2, "")


def test_any_bytes_as_requests(talker, ask):
    result = ask(talker, lines=bytes(range(256)).replace(b"\n", b"") + b"\n\xff\xff\nname\n")
    lines = result.stdout.splitlines()
    assert (result.status, result.stderr, lines[-1]) == (0, "", "kesher")
    for line in lines[1:-1]:
        assert_unknown(line)


def test_replies_come_one_by_one(talker, home):
    """Each is there before the next request is written."""
    run = Piped(Kesher(home, talker.ask_address).command("ask"))
    try:
        run.hear(BANNER.decode())
        for _ in range(10):
            run.write("name\n")
            run.hear("kesher")
        assert run.finish().status == 0
    finally:
        run.close()


# -- JSON


def test_replies_as_json(talker, ask):
    result = ask(talker, "--json", "name", "HELP", "stat")
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert [told["request"].strip() for told in objects] == ["NAME", "HELP", "STAT"]
    assert objects[0]["reply"] == "kesher"
    assert all(set(told) == {"request", "reply"} for told in objects)
    assert result.status == 1
    assert "'HELP'" in assert_one_line(result.stderr)


def test_json_from_a_pipe_is_nothing_but_json(talker, ask):
    result = ask(talker, "--json", lines="name\nexit\n")
    objects = [json.loads(line) for line in result.stdout.splitlines()]
    assert objects == [{"request": "NAME", "reply": "kesher"}]


def test_harmful_replies_are_sound_json(make_scripted, ask):
    reply = b'"\\\x1b[2J\xff\n\x00\t\xc2\x9b'

    def script(line: Line) -> None:
        line.receive_exactly(2)
        line.send(BANNER)
        line.receive_exactly(4)
        line.send(b"%04d" % len(reply) + reply)

    result = ask(make_scripted(script), "--json", "name")
    assert result.stdout.count("\n") == 1 and result.stdout[:-1].isprintable()
    assert json.loads(result.stdout)["reply"].startswith('"\\')


# -- which server


@pytest.mark.parametrize("file", ["server.info", "transfer.info"])
def test_without_an_address_it_is_that_of_the_homes_server_with_the_port_of_ask(
    home, make_scripted, fresh_source, file
):
    host = fresh_source()

    def script(line: Line) -> None:
        line.receive_exactly(2)
        line.send(BANNER)
        assert line.receive_exactly(4) == b"NAME"
        line.send("0004mine")

    home.mkdir()
    if file == "server.info":
        (home / file).write_text(f"{host}:4711\n")
    else:
        write_transfer_info(home, (host, 1357), "bob", "x")
    make_scripted(script, at=(host, 1729))
    assert Kesher(home).run("ask", "name") == Outcome(0, "mine\n", "")


@pytest.mark.parametrize("arguments", [(), ("name",)], ids=["pipe", "argument"])
def test_no_server_is_one_line(home, arguments):
    result = Kesher(home, ("127.0.0.1", 1)).run("ask", *arguments)
    assert (result.status, result.stdout) == (1, "")
    assert "127.0.0.1:1" in assert_one_line(result.stderr)


# -- servers that lie or break off


def session(*steps: bytes | int):
    """A script: bytes to send, and how many to receive before."""

    def script(line: Line) -> None:
        for step in steps:
            if isinstance(step, int):
                line.receive_exactly(step)
            else:
                line.send(step)

    return script


@pytest.mark.parametrize("size", [0, 1, BANNER_SIZE - 1])
def test_a_greeting_that_is_cut_short_is_one_line(make_scripted, ask, size):
    for arguments in ((), ("name",)):
        result = ask(make_scripted(session(2, BANNER[:size])), *arguments)
        assert (result.status, result.stdout) == (1, "")
        assert_one_line(result.stderr)


def test_a_server_that_does_not_even_accept_the_greeting(make_scripted, ask):
    result = ask(make_scripted(session()), "name")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)


def test_another_banner_of_48_bytes_is_as_good(make_scripted, ask):
    """That it is 48 bytes is all that the protocol's client relies on."""
    banner = b"TIME, NAME, RAND, EXIT: what would you like? \x1b[2m"
    assert len(banner) == BANNER_SIZE + 1
    result = ask(make_scripted(session(2, banner[:BANNER_SIZE], 4, b"0002ok", 4)), lines="name\n")
    assert result.status == 0
    first, second = result.stdout.splitlines()
    assert first.startswith("TIME, NAME") and first.isprintable() and second == "ok"


@pytest.mark.parametrize(
    "length", [b"00x6", b"    ", b"-001", b"+001", b"6\0\0\0", b"\xff" * 4, b"0x06", b"  12"]
)
def test_a_length_that_is_no_number_is_one_line(make_scripted, ask, length):
    result = ask(make_scripted(session(2, BANNER, 4, length + b"kesher")), "name")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)


@pytest.mark.parametrize("sent", [b"", b"0", b"000", b"0006", b"0006keshe", b"9999" + b"x" * 9998])
def test_a_reply_that_ends_early_is_one_line(make_scripted, ask, sent):
    result = ask(make_scripted(session(2, BANNER, 4, sent)), "name")
    assert (result.status, result.stdout) == (1, "")
    assert_one_line(result.stderr)


def test_replies_before_the_one_that_ends_early_are_printed(make_scripted, ask):
    result = ask(make_scripted(session(2, BANNER, 4, b"0003one", 4, b"0003tw")), "name", "name")
    assert (result.status, result.stdout) == (1, "one\n")
    assert_one_line(result.stderr)


def test_an_empty_and_a_longest_reply(make_scripted, ask):
    longest = b"x" * 9999
    result = ask(make_scripted(session(2, BANNER, 4, b"0000", 4, b"9999" + longest)), "name", "name")
    assert result == Outcome(0, "\n" + "x" * 9999 + "\n", "")


def test_replies_byte_by_byte(make_scripted, ask):
    banner, reply = ([bytes([byte]) for byte in data] for data in (BANNER, b"0006kesher"))
    script = session(2, *banner, 4, *reply)
    assert ask(make_scripted(script), "name") == Outcome(0, NAME, "")


@pytest.mark.parametrize(
    "reply", ["\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "two\nlines", "\r over", "\x00", "\u009b2J", "a\x08b"]
)
def test_replies_are_made_harmless(make_scripted, ask, reply):
    data = reply.encode()
    result = ask(make_scripted(session(2, BANNER, 4, b"%04d" % len(data) + data)), "name")
    assert result.status == 0
    assert all(line.isprintable() for line in result.stdout.splitlines()), result.stdout


def test_a_reply_that_is_no_utf8_is_printed_as_text(make_scripted, ask):
    result = ask(make_scripted(session(2, BANNER, 4, b"0005a\xff\xfe\xc3b")), "name")
    assert result.status == 0
    assert re.fullmatch("a.+b\n", result.stdout)


def test_a_server_that_closes_ends_the_asking(make_scripted, ask):
    """Between two requests of a person it is the end; after a request it is a reply that did not come."""
    result = ask(make_scripted(session(2, BANNER, 4, b"0003one")), lines="name\nname\n")
    assert result.stdout == BANNER_LINE + "one\n"
    assert result.status in (0, 1)
    assert (result.status == 0) == (result.stderr == "")


def test_endless_replies_are_only_read_as_far_as_asked(make_scripted, ask):
    def script(line: Line) -> None:
        line.receive_exactly(2)
        line.send(BANNER)
        line.receive_exactly(4)
        while True:
            line.send(b"0003one" * 1000)

    assert ask(make_scripted(script), "name") == Outcome(0, "one\n", "")


def test_a_server_that_goes_while_nobody_asks(make_scripted, home):
    """The end of the connection is not waited for until the next line."""
    go = threading.Event()

    def script(line: Line) -> None:
        line.receive_exactly(2)
        line.send(BANNER)
        go.wait()

    run = Piped(Kesher(home, make_scripted(script).ask_address).command("ask"))
    try:
        run.hear(BANNER.decode())
        go.set()
        result = run.wait()
    finally:
        run.close()
    assert result.status in (0, 1) and result.stdout == BANNER_LINE


# -- on a terminal


@pytest.fixture
def open_ask(home):
    terminals = []

    def open_for(server, *arguments: str) -> Terminal:
        client = Kesher(home, server.ask_address)
        terminals.append(Terminal(client.command("ask", *arguments), TERM="xterm"))
        return terminals[-1]

    yield open_for
    for terminal in terminals:
        terminal.close()


def test_a_person_is_prompted_for_each_request(talker, open_ask):
    terminal = open_ask(talker)
    assert terminal.wait_for(PROMPT).endswith(BANNER_LINE + PROMPT)
    for _ in range(3):
        terminal.type_line("name")
        terminal.wait_for(NAME)
        terminal.wait_for(PROMPT)
    terminal.type_line("nonsense")
    assert_unknown(terminal.wait_for("EXIT").splitlines()[-1])
    terminal.wait_for(PROMPT)
    terminal.type_line("exit")
    assert terminal.wait_for_end() == 0
    lines = Screen(terminal.screen).lines
    assert lines[:3] == [BANNER.decode(), "> name", "kesher"]
    assert lines[-2:] in (["> exit", ""], ["> exit"])


def test_the_end_of_file_character_ends_it(talker, open_ask):
    terminal = open_ask(talker)
    terminal.wait_for(PROMPT)
    terminal.type(CONTROL_D)
    assert terminal.wait_for_end() == 0


def test_arguments_are_not_prompted_for(talker, open_ask):
    terminal = open_ask(talker, "name")
    assert terminal.wait_for_end() == 0
    assert terminal.screen == NAME


def test_a_server_that_stops_ends_it_for_a_person_too(make_talker, open_ask):
    server = make_talker()
    terminal = open_ask(server)
    terminal.wait_for(PROMPT)
    server.kill()
    terminal.wait_for_end()
    assert terminal.screen.startswith(BANNER_LINE)


def test_a_server_that_closes_instead_of_replying_was_lost(make_scripted, ask):
    result = ask(make_scripted(session(2, BANNER, 4)), "--json", "name")
    (told,) = result.told()
    assert (result.status, told["error"]) == (1, "connection failed")
