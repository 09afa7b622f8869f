"""`kesher chat` on pseudo-terminals, as a person uses it."""

import re
import shlex
import signal
import termios

import pytest
from peer.chat import ENTER_GROUP, ENTER_NAME, ENTER_PASSWORD, LEAVE, LEFT, LineClient, has_left, said
from peer.chat_fixtures import PASSWORD, ChatTerminal
from peer.kesher import Kesher
from peer.scripted import Line

PROMPT = "> "
CONTROL_C, CONTROL_D, LEFT_ARROW, BACKSPACE = "\x03", "\x04", "\x1b[D", "\x7f"


# -- passwords


def test_a_typed_password_is_not_shown(member, host):
    terminal = member()
    terminal.type_line("/quit")
    assert not any(PASSWORD in line for line in terminal.end())
    host.expect(has_left("kate"))


def test_creating_asks_for_the_password_twice(talker, open_terminal, open_chat):
    terminal = open_terminal(talker, "create", "--as", "kate")
    terminal.answer_password("one")
    terminal.answer(": ", "another")
    terminal.answer_password("a new one")
    terminal.answer(": ", "a new one")
    group = int(re.search(r"created group (\d+)\n", terminal.wait_for(PROMPT))[1])
    open_chat().join("guest", group, "a new one")
    terminal.type(CONTROL_D)
    assert not any("new one" in line for line in terminal.end())


def test_a_wrong_password_is_asked_for_again(talker, open_terminal, host):
    terminal = open_terminal(talker, "join", str(host.group), "--as", "kate")
    terminal.answer_password("wrong one")
    assert "wrong" in terminal.wait_for("assword: ")
    terminal.type_line(PASSWORD)
    terminal.wait_for(PROMPT)
    terminal.type_line("hello")
    host.expect("kate: hello")
    terminal.type_line("/quit")
    assert not any("wrong one" in line for line in terminal.end())


def test_a_wrong_id_is_asked_for_again(talker, open_terminal, host):
    terminal = open_terminal(talker, "join", "4000000", "--as", "kate")
    assert "4000000" in terminal.wait_for("ID: ")
    terminal.type_line(str(host.group))
    terminal.answer_password(PASSWORD)
    terminal.wait_for(f"joined group {host.group}\n")
    terminal.wait_for(PROMPT)
    terminal.type(CONTROL_D)
    terminal.end()


def test_a_password_in_the_environment_is_not_asked_for(talker, open_terminal, host):
    terminal = open_terminal(talker, "join", str(host.group), "--as", "kate", KESHER_CHAT_PASSWORD=PASSWORD)
    assert "assword" not in terminal.wait_for(PROMPT)
    terminal.type(CONTROL_D)
    terminal.end()


def test_a_wrong_password_in_the_environment_is_not_asked_for_again(talker, open_terminal, host):
    terminal = open_terminal(
        talker, "join", str(host.group), "--as", "kate", KESHER_CHAT_PASSWORD="wrong one"
    )
    (told,) = [line for line in terminal.end(1) if line]
    assert told.startswith("kesher: ") and "password" in told and "wrong one" not in told


@pytest.mark.parametrize("key", [CONTROL_C, CONTROL_D], ids=["Ctrl-C", "Ctrl-D"])
def test_giving_up_at_the_password_leaves_the_terminal_as_it_was(talker, open_terminal, host, key):
    """Above all, what is typed is shown again."""
    terminal = open_terminal(talker, "join", str(host.group), "--as", "kate")
    terminal.wait_for("assword: ")
    terminal.type(key)
    assert terminal.wait_for_end() == (-signal.SIGINT if key == CONTROL_C else 1)
    assert termios.tcgetattr(terminal._fd) == terminal.modes
    assert host.is_silent_for(0.1)


def test_a_terminal_is_asked_even_when_the_messages_come_from_a_pipe(talker, open_terminal, home, host):
    """The password is the terminal's, the input the pipe's."""
    client = Kesher(home, talker.chat_address)
    command = shlex.join(client.command("chat", "join", str(host.group), "--as", "kate"))
    terminal = ChatTerminal(["sh", "-c", f"printf 'one\\ntwo\\n' | {command} | cat"], TERM="xterm")
    try:
        terminal.answer_password(PASSWORD)
        lines = terminal.end()
    finally:
        terminal.close()
    host.expect("kate: one", "kate: two", has_left("kate"))
    assert not any(PASSWORD in line for line in lines)


def test_without_any_name_one_is_asked_for(talker, open_terminal, host):
    terminal = open_terminal(
        talker, "join", str(host.group), USER="", LOGNAME="", KESHER_CHAT_PASSWORD=PASSWORD
    )
    terminal.answer("name: ", "typed name")
    terminal.wait_for(PROMPT)
    terminal.type_line("hello")
    host.expect("typed name: hello")
    terminal.type(CONTROL_D)
    terminal.end()


# -- talking


def test_a_conversation(member, host):
    terminal = member()
    terminal.type_line("hello")
    host.expect("kate: hello")
    host.write("hello kate")
    terminal.wait_for("hello kate\n")
    terminal.type_line("שלום é 😀")
    host.expect("kate: שלום é 😀")
    host.write("ברוך הבא")
    terminal.wait_for("ברוך הבא\n")
    terminal.type_line("/quit")
    lines = terminal.end()
    host.expect(has_left("kate"))
    talk = [line for line in lines if line.startswith((PROMPT, "host: "))]
    assert talk[:4] == ["> hello", "host: hello kate", "> שלום é 😀", "host: ברוך הבא"]


def test_the_line_being_typed_stays_whole_while_messages_arrive(member, host):
    terminal = member()
    terminal.type("half a ")
    terminal.wait_for("half a ")
    for number in range(20):
        host.write(f"text {number}")
        terminal.wait_for(f"text {number}\n")
        terminal.wait_for("half a ")
        screen = terminal.shown
        assert screen.lines[-2:] == [f"host: text {number}", "> half a "]
        assert screen.column == len("> half a ")
    assert host.is_silent_for(0.1)
    terminal.type_line("line")
    host.expect("kate: half a line")
    assert terminal.shown.lines.count("> half a ") <= 1
    terminal.type(CONTROL_D)
    terminal.end()


def test_the_cursor_stays_where_it_was(member, host):
    """Two characters are corrected in the middle of the line, with a message in between."""
    terminal = member()
    terminal.type("one twx three")
    terminal.wait_for("three")
    terminal.type(LEFT_ARROW * len(" three") + BACKSPACE)
    host.write("interrupting")
    terminal.wait_for("interrupting\n")
    terminal.type_line("o")
    host.expect("kate: one two three")
    terminal.type(CONTROL_D)
    assert "host: interrupting" in terminal.end()


def test_messages_that_come_at_once_are_all_shown(member, host):
    terminal = member()
    terminal.type("being typed")
    terminal.wait_for("being typed")
    host.send("".join(f"text {number}\n" for number in range(300)).encode())
    terminal.wait_for("text 299\n")
    terminal.wait_for("being typed")
    shown = [line for line in terminal.shown.lines if line.startswith("host: ")]
    assert shown == [f"host: text {number}" for number in range(300)]
    assert terminal.shown.line == "> being typed"
    terminal.type_line("")
    host.expect("kate: being typed")
    terminal.type(CONTROL_D)
    terminal.end()


def test_others_leaving_is_shown(member, host, open_chat):
    terminal = member()
    guest = open_chat()
    guest.join("guest", host.group)
    guest.leave()
    terminal.wait_for("guest")
    terminal.wait_for("has removed from the group")
    terminal.type(CONTROL_D)
    terminal.end()


def test_what_others_send_cannot_move_the_cursor(make_scripted, open_terminal):
    """The screen of these tests fails on sequences that it does not know, and on control bytes."""

    def script(line: Line) -> None:
        line.let_create()
        for text in (
            "\x1b[2J\x1b[H",
            "\x1b]0;title\x07",
            "\x08\x08\x08",
            "\r overwritten",
            "\u009b2J",
            "\x1b[5A",
        ):
            line.send(f"bob: before {text} after\n")
        line.send(b"bob: \xff\xfe\n\x1b[2J: name\nbob: the last\n")
        assert line.receive_line() == LEAVE

    terminal = open_terminal(make_scripted(script), "create", "--as", "kate", KESHER_CHAT_PASSWORD=PASSWORD)
    terminal.wait_for("the last\n")
    terminal.type(CONTROL_D)
    lines = terminal.end()
    said_by_bob = [line for line in lines if line.startswith("bob: before")]
    assert len(said_by_bob) == 6 and all("after" in line or "overwritten" in line for line in said_by_bob)


# -- letters of all the world


@pytest.fixture(params=[{"LC_ALL": "C"}, {"LC_ALL": "POSIX"}, {"LC_CTYPE": "C"}, {"LANG": "xx_XX"}, {}], ids=str)
def member_without_utf8(request, member, monkeypatch):
    """Someone whose locale is none of UTF-8, or who has none."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return member(**request.param)


def test_a_locale_without_utf8_loses_no_letters(member_without_utf8, host):
    terminal = member_without_utf8
    for text in ("שלום לכולם", "😀 👍🏽 é", "日本語 ąß"):
        terminal.type(text)
        terminal.wait_for(text)  # as it was typed, so it is echoed
        terminal.type_line("")
        host.expect(said("kate", text))
    host.write("ברוך הבא 😀")
    terminal.wait_for("ברוך הבא 😀\n")
    terminal.type(CONTROL_D)
    terminal.end()


def test_backspace_takes_whole_letters_in_a_locale_without_utf8(member_without_utf8, host):
    terminal = member_without_utf8
    terminal.type(f"שלומ{BACKSPACE}ם 😀{BACKSPACE * 2}!")
    terminal.wait_for("!")
    terminal.type_line("")
    host.expect("kate: שלום!")
    terminal.type(CONTROL_D)
    terminal.end()


# -- commands


def test_help_lists_the_commands(member, host):
    terminal = member()
    terminal.type_line("/help")
    terminal.wait_for("/quit")
    terminal.wait_for(PROMPT)
    assert host.is_silent_for(0.1)
    terminal.type_line("/quit")
    terminal.end()
    host.expect(has_left("kate"))


@pytest.mark.parametrize("command", ["/nonsense", "/", "/Quit", "/quit now", "/helpme"])
def test_an_unknown_command_is_told_and_not_sent(member, host, command):
    terminal = member()
    terminal.type_line(command)
    terminal.wait_for(command + "\n")
    told = terminal.wait_for(PROMPT)
    assert told.count("\n") == 1 and "/help" in told
    terminal.type_line("hello")
    host.expect("kate: hello")
    terminal.type(CONTROL_D)
    terminal.end()


@pytest.mark.parametrize(
    "typed, sent", [("//x", "/x"), ("//quit", "/quit"), ("///", "//"), (" /quit", " /quit")]
)
def test_a_text_may_begin_with_a_slash(member, host, typed, sent):
    terminal = member()
    terminal.type_line(typed)
    host.expect(said("kate", sent))
    terminal.type(CONTROL_D)
    terminal.end()


@pytest.mark.parametrize("keys", ["/quit\n", CONTROL_D, CONTROL_C, "Exit\n", f"half a line{CONTROL_C}"])
def test_ways_to_leave(member, host, keys):
    terminal = member()
    terminal.type(keys)
    terminal.end()
    host.expect(has_left("kate"))


def test_the_end_of_file_character_leaves_only_from_an_empty_line(member, host):
    terminal = member()
    terminal.type("not empty")
    terminal.wait_for("not empty")
    terminal.type(CONTROL_D)
    assert host.is_silent_for(0.2)
    terminal.type_line("")
    host.expect("kate: not empty")
    terminal.type(CONTROL_D)
    terminal.end()
    host.expect(has_left("kate"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_leaves_the_terminal_as_it_was(member, host, number):
    terminal = member()
    terminal.type("half a line")
    terminal.wait_for("half a line")
    terminal.process.send_signal(number)
    terminal.end(-number)
    host.expect(has_left("kate"))


def test_leaving_a_server_that_does_not_answer(make_scripted, open_terminal):
    """It is waited for, but not for ever."""

    def script(line: Line) -> None:
        line.let_create()
        assert line.receive_line() == LEAVE
        line.wait_for_end()

    terminal = open_terminal(make_scripted(script), "create", "--as", "kate", KESHER_CHAT_PASSWORD=PASSWORD)
    terminal.wait_for(PROMPT)
    terminal.type_line("/quit")
    terminal.wait_for_end()
    assert termios.tcgetattr(terminal._fd) == terminal.modes


# -- colours


def colours_of(terminal: ChatTerminal, name: str) -> set[str]:
    """The sequences that stand before this name where it speaks."""
    return set(re.findall(rf"(\x1b\[[\d;]*m){name}", terminal.screen))


def test_names_have_stable_colours(member, host, open_chat):
    terminal = member()
    guests = [open_chat() for _ in range(6)]
    for number, guest in enumerate(guests):
        guest.join(f"guest{number}", host.group)
    for turn in range(2):
        for number, guest in enumerate(guests):
            guest.write(f"turn {turn}")
            terminal.wait_for(f"guest{number}")
            terminal.wait_for(f"turn {turn}\n")
    terminal.type(CONTROL_D)
    terminal.end()
    colours = [colours_of(terminal, guest.name) for guest in guests]
    assert all(len(each) == 1 for each in colours), colours
    assert len(set.union(*colours)) > 1, "all names have one colour"


@pytest.mark.parametrize("variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_without_colours(member, host, variables):
    terminal = member(**variables)
    host.write("hello")
    terminal.wait_for("hello\n")
    terminal.type_line("hello host")
    host.expect("kate: hello host")
    terminal.type_line("/quit")
    terminal.end()
    assert not re.search(r"\x1b\[[\d;]*m", terminal.screen)
    if variables.get("TERM") == "dumb":
        assert "\x1b" not in terminal.screen


# -- the server's own menu


def test_the_servers_menu_on_a_terminal(talker, open_terminal, host):
    """What is typed is shown, but for what answers the question for a password."""
    terminal = open_terminal(talker)
    for text, typed in [
        ("3. Exit the server.", "nonsense"),
        ("You chose an invalid option...", ""),
        ("3. Exit the server.", "1"),
        (ENTER_NAME.strip(), "kate"),
        (ENTER_GROUP.strip(), str(host.group)),
        (ENTER_PASSWORD.strip(), PASSWORD),
        (f"You're connected to group chat #{host.group}", "hello"),
    ]:
        terminal.wait_for(text)
        if typed:
            terminal.answer(" " if typed == PASSWORD else PROMPT, typed)
    host.expect("kate: hello")
    host.write("hello kate")
    terminal.wait_for("hello kate")
    terminal.answer(PROMPT, LEAVE)
    lines = terminal.end()
    host.expect(has_left("kate"))
    assert "> kate" in lines and "> hello" in lines
    assert not any(PASSWORD in line for line in lines)
    assert LEFT.strip() in " ".join(lines)


def test_the_servers_menu_ends_with_the_end_of_file_character(talker, open_terminal):
    terminal = open_terminal(talker)
    terminal.wait_for("3. Exit the server.")
    terminal.type(CONTROL_D)
    terminal.end()


def test_two_people_at_terminals(talker, open_terminal):
    anna = open_terminal(talker, "create", "--as", "anna")
    anna.answer_password("a secret")
    anna.answer(": ", "a secret")
    group = re.search(r"created group (\d+)\n", anna.wait_for(PROMPT))[1]
    boris = open_terminal(talker, "join", group, "--as", "boris")
    boris.answer_password("a secret")
    boris.wait_for(PROMPT)
    for turn in range(5):
        boris.type_line(f"turn {turn} of boris")
        anna.wait_for(f"turn {turn} of boris\n")
        anna.type_line(f"turn {turn} of anna")
        boris.wait_for(f"turn {turn} of anna\n")
    boris.type_line("/quit")
    boris.end()
    anna.wait_for("boris")
    anna.wait_for("has removed from the group")
    anna.type_line("/quit")
    anna.end()


def test_line_clients_of_any_kind_are_heard(member, host, open_chat):
    """A multi-line paste of someone with `nc` is shown as lines of its own."""
    terminal = member()
    guest = open_chat(LineClient)
    guest.join("guest", host.group)
    guest.send(b"one\ntwo\nthree\n")
    terminal.wait_for("three\n")
    lines = terminal.shown.lines
    assert [line for line in lines if line.startswith("guest: ")] == [
        "guest: one",
        "guest: two",
        "guest: three",
    ]
    terminal.type(CONTROL_D)
    terminal.end()
