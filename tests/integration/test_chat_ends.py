"""Ends of connections, half input, resets, silence, wrong passwords: what others hear of it, and who is served on."""

import os

import pytest
from peer.chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    EXIT_CHAT,
    INVALID,
    JOIN,
    LEAVE,
    LEFT,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
    ChunkClient,
    LineClient,
    has_left,
    joined,
    said,
)
from peer.fixtures import run_module_server

STAGES = ["menu", "name", "group", "password", "new name", "new password", "member"]


def come_to(client: ChunkClient, stage: str, group: int) -> None:
    """From the connection to that stage."""
    if stage == "group":
        client.come_to_group("bob")
    elif stage == "password":
        client.come_to_password("bob", group)
    elif stage == "member":
        client.join("bob", group)
    else:
        client.expect(MENU)
        if stage in ("name", "new name", "new password"):
            client.answer(JOIN if stage == "name" else CREATE, ENTER_NAME)
        if stage == "new password":
            client.answer("bob", ENTER_NEW_PASSWORD)


@pytest.fixture
def host(open_chat):
    """The only member of its group, which hears what others hear."""
    client = open_chat(LineClient)
    client.create("host")
    return client


def assert_served(open_chat, host: LineClient) -> None:
    """A newcomer gets in, is heard, and leaves."""
    guest = open_chat()
    guest.join("guest", host.group)
    guest.write("served all the same")
    host.expect("guest: served all the same")
    host.write("indeed")
    guest.expect("host: indeed")
    guest.leave()
    host.expect(has_left("guest"))


# -- members


@pytest.mark.parametrize("end", ["close", "reset", "finish_sending"])
@pytest.mark.parametrize("kind", [ChunkClient, LineClient])
def test_when_a_members_connection_ends_the_others_hear_what_an_exit_tells_them(open_chat, host, kind, end):
    guest, other = open_chat(kind), open_chat(kind)
    guest.join("guest", host.group)
    other.join("other", host.group)
    getattr(guest, end)()
    for reader in (host, other):
        reader.expect(has_left("guest"))
    if end == "finish_sending":
        guest.expect_end()
    other.write("alone")
    host.expect("other: alone")


def test_what_a_member_wrote_before_its_connection_ended_is_heard(open_chat, host):
    guest = open_chat(LineClient)
    guest.join("guest", host.group)
    for number in range(100):
        guest.write(f"text {number}")
    guest.finish_sending()
    host.expect(*[said("guest", f"text {number}") for number in range(100)], has_left("guest"))


def test_a_line_without_an_end_counts_at_the_end_of_the_input(open_chat, host):
    """`printf 'one\\ntwo' | nc`"""
    guest = open_chat(LineClient)
    guest.join("guest", host.group)
    guest.send("one\ntwo é".encode())
    guest.finish_sending()
    host.expect("guest: one", "guest: two é", has_left("guest"))
    guest.expect_end()


def test_an_exit_without_a_line_end_counts_at_the_end_of_the_input(open_chat, host):
    guest = open_chat(LineClient)
    guest.join("guest", host.group)
    guest.send(LEAVE.encode())
    guest.finish_sending()
    guest.expect(LEFT)
    guest.expect_end()
    host.expect(has_left("guest"))
    assert_served(open_chat, host)


def test_a_choice_without_a_line_end_counts_at_the_end_of_the_input(open_chat):
    client = open_chat(LineClient)
    client.expect(MENU)
    client.answer("nonsense", INVALID, MENU)
    client.send(b"3")
    client.finish_sending()
    client.expect(EXIT_CHAT)
    client.expect_end()


def test_half_a_character_at_the_end_of_the_input_is_replaced(open_chat, host):
    guest = open_chat(LineClient)
    guest.join("guest", host.group)
    guest.send("half €".encode()[:-1])
    guest.finish_sending()
    host.expect("guest: half \ufffd", has_left("guest"))


def test_what_follows_an_exit_is_not_heard(open_chat, host):
    guest = open_chat(LineClient)
    guest.join("guest", host.group)
    guest.send(b"before\nExit\nafter\nExit\n")
    host.expect("guest: before", has_left("guest"))
    guest.expect(LEFT)
    guest.expect_end()
    assert_served(open_chat, host)


def test_an_exit_behind_much_that_the_member_has_not_read(open_chat, host):
    """It gets all that came before, then its farewell."""
    guest, other = open_chat(receive_buffer=4096), open_chat(LineClient)
    guest.join("guest", host.group)
    other.join("other", host.group)
    texts = [said("host", f"{number:4} " + "x" * 1000) for number in range(200)]
    for text in texts:
        host.write(text.removeprefix("host: "))
    other.expect(*texts)
    guest.write(LEAVE)
    host.expect(has_left("guest"))
    assert guest.receive_rest().decode() == "".join(texts) + LEFT


# -- any stage


@pytest.mark.parametrize("end", ["close", "reset", "finish_sending"])
@pytest.mark.parametrize("stage", STAGES)
def test_an_end_at_any_stage_leaves_everyone_else_served(open_chat, host, stage, end):
    for kind in (ChunkClient, LineClient):
        client = open_chat(kind)
        come_to(client, stage, host.group)
        getattr(client, end)()
        if stage == "member":
            host.expect(has_left("bob"))
        elif end == "finish_sending":
            client.expect_end()
    assert_served(open_chat, host)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_half_a_line_at_any_stage_is_no_input_yet(open_chat, host, stage):
    client = open_chat(LineClient)
    come_to(client, stage, host.group)
    client.send(b"half a li")
    assert client.is_silent_for(0.1) and host.is_silent_for(0)
    if stage != "member":
        assert_served(open_chat, host)
    assert client.is_silent_for(0)


def test_resets_with_texts_on_their_way_leave_everyone_else_served(open_chat, host):
    for _ in range(30):
        client = open_chat(LineClient)
        client.send(f"x\n1\nbob\n{host.group}\n12345\nhello\n".encode())
        client.reset()
    late = open_chat(LineClient)
    late.join("late", host.group)
    late.write("last")
    heard = ""
    while "late: last\n" not in heard:
        heard += host.receive_exactly(1).decode()
    lines = heard.splitlines()[:-1]
    for line in lines:
        assert line in ("bob: hello", has_left("bob").rstrip("\n")), line
    assert lines.count("bob: hello") <= lines.count(has_left("bob").rstrip("\n")) <= 30


def test_random_bytes_leave_everyone_else_served(open_chat, host):
    for size in (1, 100, 5000, 300_000):
        for ending in (b"", b"\n"):
            client = open_chat()
            client.send_as_far_as_taken(os.urandom(size) + ending, finish=True)
            client.close()
    assert_served(open_chat, host)


def test_a_flood_at_a_prompt_does_not_hold_up_others(open_chat, host):
    """Nobody reads the answers to a hundred thousand wrong choices."""
    flood = open_chat(LineClient, timeout=1)
    flood.send_as_far_as_taken(b"nonsense\n" * 100_000)
    assert_served(open_chat, host)


# -- silence


@pytest.fixture(scope="module")
def hasty_talker(tmp_path_factory):
    """A server whose time limits are short."""
    yield from run_module_server(
        tmp_path_factory, also=("chat",), prompt_timeout=2, header_timeout=1, payload_timeout=1
    )


def test_prompts_time_out_and_members_do_not(hasty_talker, open_chat):
    """Whether they are silent or write half a line, which ends when it likes."""
    host, guest = open_chat(LineClient, hasty_talker), open_chat(LineClient, hasty_talker)
    group = host.create("host")
    guest.join("guest", group)
    guest.send(b"still ")
    stages = STAGES[1:-1] * 2
    clients = [open_chat(LineClient, hasty_talker) for _ in stages]
    for number, (client, stage) in enumerate(zip(clients, stages)):
        come_to(client, stage, group)
        if number >= len(STAGES[1:-1]):
            client.send(b"half a li")
    for client in clients:
        client.receive_rest()
        client.close()
    assert host.is_silent_for(1) and guest.is_silent_for(0)
    guest.write("here")
    host.expect("guest: still here")


@pytest.mark.slow
def test_an_answer_gives_the_next_prompt_its_own_time(make_talker, open_chat):
    """Whoever answers each prompt in time gets in, however long it takes in all."""
    server = make_talker(prompt_timeout=5)
    assert open_chat(server=server).create("host") == 1
    client = open_chat(server=server)
    client.expect(MENU)
    for answer, *texts in [
        (JOIN, ENTER_NAME),
        ("bob", ENTER_GROUP),
        ("2", NO_GROUP, ENTER_GROUP),
        ("1", ENTER_PASSWORD),
        ("12345", joined(1)),
    ]:
        assert client.is_silent_for(1.5)
        client.answer(answer, *texts)


# -- wrong passwords


@pytest.mark.parametrize("kind", [ChunkClient, LineClient])
def test_the_last_of_the_wrong_passwords_ends_the_connection(make_talker, open_chat, fresh_source, kind):
    server = make_talker(wrong_passwords=3)
    host = open_chat(LineClient, server)
    host.create("host")
    guesser = open_chat(kind, server)
    guesser.come_to_password("guesser", 1)
    for _ in range(2):
        guesser.answer("wrong", NO_PASSWORD, ENTER_PASSWORD)
    guesser.write("wrong")
    assert guesser.receive_rest() in (b"", guesser.due(NO_PASSWORD))
    assert_served(lambda: open_chat(server=server, source=fresh_source()), host)


def test_the_tenth_wrong_password_ends_the_connection_by_default(open_chat, host):
    """Wherever they were given: another id in between is no new beginning."""
    guesser = open_chat()
    guesser.come_to_password("guesser", host.group)
    for _ in range(9):
        guesser.answer("wrong", NO_PASSWORD, ENTER_PASSWORD)
    guesser.write("wrong")
    assert guesser.receive_rest() in (b"", guesser.due(NO_PASSWORD))


def test_guesses_of_one_address_wait_and_nobody_else_does(make_talker, open_chat, fresh_source):
    """Fifty connections guess at once. While they wait for their turns, members of the same address talk, and a
    newcomer from another address gets in."""
    server = make_talker()
    host, guest = open_chat(LineClient, server), open_chat(LineClient, server)
    host.create("host")
    guest.join("guest", 1)
    guessers = [open_chat(LineClient, server) for _ in range(50)]
    for number, guesser in enumerate(guessers):
        guesser.come_to_password(f"guesser {number}", 1)
    for guesser in guessers:
        guesser.write("wrong")
    for number in range(20):
        guest.write(f"text {number}")
        host.expect(f"guest: text {number}")
    newcomer = open_chat(server=server, source=fresh_source())
    newcomer.join("newcomer", 1)
    newcomer.write("hello")
    host.expect("newcomer: hello")
    waiting = [guesser for guesser in guessers if guesser.is_silent_for(0)]
    assert waiting, "all guesses were answered at once"
    for guesser in waiting:
        guesser.reset()
    guest.expect("newcomer: hello")
    guest.write("still here")
    host.expect("guest: still here")


def test_a_guess_that_waits_for_its_turn_is_answered_in_order(make_talker, open_chat):
    """What was typed ahead is taken after it."""
    server = make_talker(wrong_passwords=100)
    host = open_chat(LineClient, server)
    host.create("host")
    guesser = open_chat(LineClient, server)
    guesser.come_to_password("guesser", 1)
    guesser.send(b"wrong\n" * 7 + b"12345\nhello\n")
    guesser.expect(*[NO_PASSWORD, ENTER_PASSWORD] * 7, joined(1))
    host.expect("guesser: hello")


def test_a_guesser_that_goes_while_its_turn_is_awaited(make_talker, open_chat, fresh_source):
    server = make_talker(wrong_passwords=100)
    host = open_chat(LineClient, server)
    host.create("host")
    for end in ("close", "reset", "finish_sending"):
        guesser = open_chat(LineClient, server)
        guesser.come_to_password("guesser", 1)
        guesser.send(b"wrong\n" * 6)
        guesser.expect(NO_PASSWORD)
        getattr(guesser, end)()
    assert_served(lambda: open_chat(server=server, source=fresh_source()), host)


# -- the log


def test_the_log_tells_who_came_and_went_and_no_password(make_talker, open_chat):
    server = make_talker()
    host, guest = open_chat(server=server), open_chat(server=server)
    host.create("the host", "S3cret of host")
    guest.come_to_password("the\x1b[31mguest", 1)
    guest.answer("S3cret guess", NO_PASSWORD, ENTER_PASSWORD)
    guest.answer("S3cret of host", joined(1))
    guest.write("S3cret text")
    host.expect("theguest: S3cret text")
    guest.leave()
    host.expect(has_left("theguest"))
    host.leave()
    server.stop()
    log = server.log()
    assert "S3cret" not in log
    assert "the host" in log and "theguest" in log and "\x1b" not in log
    assert log.count("chat") >= 4, log


def test_the_server_ends_with_members_at_every_stage(make_talker, open_chat):
    server = make_talker()
    host = open_chat(server=server)
    host.create("host")
    clients = [open_chat(server=server) for _ in STAGES]
    for client, stage in zip(clients, STAGES):
        come_to(client, stage, 1)
    server.stop()
    for client in clients:
        client.receive_rest()
