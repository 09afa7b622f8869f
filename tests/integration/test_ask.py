"""Ask as single clients see it: the greeting, each request, where a request ends, the end."""

import datetime
import re
import subprocess

import pytest
from peer.ask import BANNER, REQUESTS, AskClient, greeted
from peer.chat import LineClient
from peer.drop import User
from peer.kesherd import environment, program

UNKNOWN = "unknown"


@pytest.fixture
def caller(talker):
    """A connection that has not been greeted yet."""
    with AskClient(talker.ask_address) as client:
        yield client


@pytest.fixture
def client(talker):
    with greeted(talker.ask_address) as client:
        yield client


def assert_in_step(client: AskClient) -> None:
    """The next request gets its answer and nothing else comes before it."""
    assert client.ask("NAME") == "kesher"


# -- the greeting


def test_the_banner_is_exactly_these_48_bytes(caller):
    caller.greet()
    assert len(BANNER) == 48
    caller.send(b"EXIT")
    caller.expect_end()


def test_the_server_says_nothing_before_it_is_greeted(caller):
    assert caller.is_silent_for(0.3)
    caller.greet()


@pytest.mark.parametrize(
    "greeting",
    [b"Hi", b"Hi\n", b"Hi\r\n", b"Hi\r", b"Hi\n\n\r\n"],
    ids=["Hi", "LF", "CRLF", "CR", "several"],
)
def test_newlines_after_the_greeting_belong_to_nothing(caller, greeting):
    caller.greet(greeting)
    assert_in_step(caller)


@pytest.mark.parametrize(
    "greeting",
    [
        b"Hello",
        b"hello there",
        b"x",
        b"\n",
        b"\0",
        b"\xff\xfe",
        b"Hi there",
        b"Hix",
        b"HiFOOBTIME",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
def test_anything_else_that_the_first_read_returns_is_the_greeting(caller, greeting):
    caller.greet(greeting)
    assert_in_step(caller)


@pytest.mark.parametrize("request_", ["NAME", "name", "nAmE"])
@pytest.mark.parametrize(
    "between", [b"", b"\n", b"\r\n", b"\n\r\n\r"], ids=["nothing", "LF", "CRLF", "several"]
)
def test_a_request_may_come_with_the_greeting(caller, between, request_):
    caller.greet(b"Hi" + between + request_.encode())
    assert caller.receive_reply() == "kesher"
    assert_in_step(caller)


def test_several_requests_may_come_with_the_greeting(caller):
    caller.greet(b"HiNAMENAME\nname\r\nXXXXEXIT")
    assert [caller.receive_reply() for _ in range(3)] == ["kesher"] * 3
    caller.expect_unknown()
    caller.expect_end()


def test_an_exit_may_come_with_the_greeting(caller):
    caller.greet(b"HiEXIT")
    caller.expect_end()


def test_a_lone_h_waits_for_more(caller):
    caller.send(b"H")
    assert caller.is_silent_for(0.3)
    caller.greet(b"i")
    assert_in_step(caller)


def test_a_lone_h_and_something_else_are_a_greeting(caller):
    caller.send(b"H")
    assert caller.is_silent_for(0.3)
    caller.greet(b"ello")
    assert_in_step(caller)


# -- requests


@pytest.fixture
def in_a_zone_of_its_own(monkeypatch):
    """5:45 east, where nobody who runs these tests is likely to be; given as a rule, so that no table is needed."""
    monkeypatch.setenv("TZ", "XYZ-05:45")
    return datetime.timedelta(hours=5, minutes=45)


def test_time_is_the_servers_local_time(in_a_zone_of_its_own, make_talker):
    server = make_talker()
    with greeted(server.ask_address) as client:
        before = datetime.datetime.utcnow().replace(microsecond=0)
        text = client.ask("TIME")
        after = datetime.datetime.utcnow()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text)
    time = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S") - in_a_zone_of_its_own
    assert before <= time <= after


@pytest.mark.parametrize("name", ["kesher of the corner", "קשר", "x", "n" * 100])
def test_name_is_what_the_server_is_configured_to_be(make_talker, name):
    with greeted(make_talker(name=name).ask_address) as client:
        assert client.ask("NAME") == name


def test_rand_is_each_number_from_1_to_10(client):
    """A number that does not come in a thousand turns is not among them."""
    client.send(b"RAND" * 1000)
    numbers = [client.receive_reply() for _ in range(1000)]
    assert set(numbers) == {str(number) for number in range(1, 11)}
    assert numbers[:500] != numbers[500:]


def test_stat_is_one_line_with_version_uptime_and_connections(talker, client):
    run = subprocess.run(
        [program("KESHERD", "kesherd"), "--version"], capture_output=True, text=True, env=environment()
    )
    (version,) = re.findall(r"\d+\.\d+\.\d+", run.stdout)
    line = client.ask("STAT")
    assert line.isprintable() and version in line
    with greeted(talker.ask_address), greeted(talker.ask_address):
        more = client.ask("STAT")
    before, after = (connections_in(text) for text in (line, more))
    assert after == before + 2


def connections_in(line: str) -> int:
    return int(re.search(r"(\d+) connection", line)[1])


@pytest.mark.parametrize("told", [False, True], ids=["plain", "full"])
def test_stat_tells_of_users_and_groups_only_if_configured(make_talker, open_chat, private_keys, told):
    server = make_talker(stat="full" if told else "plain")
    with server.connect() as connection:
        for number in range(3):
            connection.register(User(f"user {number}", private_keys[0]))
    for number in range(5):
        open_chat(LineClient, server).create("host")
    with greeted(server.ask_address) as client:
        line = client.ask("STAT")
    assert ("user" in line.lower()) == told and ("group" in line.lower()) == told
    if told:
        assert re.search(r"\b3\b\W+users", line) and re.search(r"\b5\b\W+groups", line), line


@pytest.mark.parametrize("name", REQUESTS[:4])
def test_requests_count_in_any_case(client, name):
    known = client.ask(name)
    for form in (name.lower(), name.capitalize(), name.swapcase(), name[:2] + name[2:].lower()):
        reply = client.ask(form)
        assert UNKNOWN not in reply.lower()
        assert len(reply) in range(len(known) - 2, len(known) + 3)


@pytest.mark.parametrize("form", ["EXIT", "exit", "Exit", "eXiT"])
def test_exit_ends_the_connection_without_an_answer(client, form):
    client.send(form.encode())
    client.expect_end()


def test_what_follows_an_exit_is_not_answered(client):
    client.send(b"NAMEEXITNAME\nTIME")
    assert client.receive_reply() == "kesher"
    client.expect_end()


@pytest.mark.parametrize(
    "unknown",
    [b"HELP", b"    ", b"TIM ", b"1234", b"\0\0\0\0", b"\xff\xfe\xfd\xfc", b"Hi  ", "קשר".encode()[:4]],
)
def test_an_unknown_request_is_told_which_there_are(client, unknown):
    client.send(unknown)
    client.expect_unknown()
    assert_in_step(client)


def test_replies_hold_nothing_of_what_was_sent_that_could_harm(client):
    client.send(b"\x1b[2J")
    assert client.receive_reply().isprintable()


# -- where a request ends


@pytest.mark.parametrize(
    "between", [b"", b"\n", b"\r\n", b"\r", b"\n\n\r\r\n"], ids=lambda data: data.hex() or "nothing"
)
def test_line_ends_between_requests_are_ignored(client, between):
    client.send(between + between.join([b"NAME"] * 10) + between)
    for _ in range(10):
        assert client.receive_reply() == "kesher"
    assert client.is_silent_for(0.1)
    assert_in_step(client)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"], ids=["LF", "CR", "CRLF"])
@pytest.mark.parametrize("short", [b"T", b"TI", b"TIM", b"EXI", b"\xff"])
def test_a_line_end_ends_a_shorter_request(client, short, end):
    client.send(short + end + b"NAME")
    client.expect_unknown()
    assert client.receive_reply() == "kesher"


def test_a_longer_line_is_several_requests(client):
    client.send(b"NAMENAMEN\nHELLO\n")
    for _ in range(2):
        assert client.receive_reply() == "kesher"
    for _ in range(3):  # "N", "HELL", "O"
        client.expect_unknown()
    assert_in_step(client)


def test_a_shorter_request_without_an_end_is_complete_when_nothing_more_comes(talker):
    clients = [greeted(talker.ask_address) for _ in range(3)]
    for client, short in zip(clients, (b"T", b"NA", b"NAM")):
        client.send(short)
    for client in clients:
        assert client.is_silent_for(0.1)
    for client in clients:
        client.expect_unknown()
        assert_in_step(client)
        client.close()


def test_a_request_may_be_cut_at_every_byte(client):
    for cut in range(1, 4):
        client.send(b"NAME"[:cut])
        assert client.is_silent_for(0.05)
        client.send(b"NAME"[cut:])
        assert client.receive_reply() == "kesher"


def test_a_session_byte_by_byte(caller):
    caller.send_bytewise(b"Hi")
    caller.expect_banner()
    caller.send_bytewise(b"NAME\r\nname\nXX\nEXIT")
    assert [caller.receive_reply() for _ in range(2)] == ["kesher"] * 2
    caller.expect_unknown()
    caller.expect_end()


# -- the end of the input


def test_after_the_end_of_the_input_what_is_due_comes(client):
    client.send(b"NAME" * 100)
    client.finish_sending()
    assert [client.receive_reply() for _ in range(100)] == ["kesher"] * 100
    client.expect_end()


def test_the_end_of_the_input_at_once(caller):
    caller.finish_sending()
    caller.expect_end()


def test_the_end_of_the_input_after_the_greeting(caller):
    caller.send(b"Hi")
    caller.finish_sending()
    caller.expect_banner()
    caller.expect_end()


def test_the_end_of_the_input_inside_a_request(client):
    """It may be told that this is no request, or not; the connection ends in any case."""
    client.send(b"NAMENA")
    client.finish_sending()
    assert client.receive_reply() == "kesher"
    if not client.has_ended():
        client.expect_unknown()
    client.expect_end()
