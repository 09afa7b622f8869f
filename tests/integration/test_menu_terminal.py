"""`kesher menu` on pseudo-terminals: the screen that a person sees, what is typed included."""

import hashlib
import re

import pytest
from peer.console import MENU, NAME, OWN_NAME, PATH, TEXT
from peer.kesher import Kesher, read_identity
from peer.message_fixtures import KEY_RECEIVED, KEY_REQUESTED, shown
from peer.terminal import Terminal

READY = "?\n"


class Console(Terminal):
    """A `kesher menu` on a terminal, which must show the menu first."""

    def __init__(self, client: Kesher):
        super().__init__(client.command("menu"))
        assert self.wait_for(READY) == MENU

    def choose(self, choice: str, *answers: tuple[str, str]) -> str:
        """Types a choice, then to each prompt its answer; what came of it, from the choice's echo to the menu
        that follows."""
        self.type_line(choice)
        shown_so_far = ""
        for prompt, answer in answers:
            shown_so_far += self.wait_for(prompt)
            self.type_line(answer)
        return shown_so_far + self.wait_for(READY)

    def leave(self) -> None:
        self.type_line("0")
        assert self.wait_for_end() == 0


def typed(*parts: str) -> str:
    """A part of the screen: lines typed and shown, and the menu after them."""
    return "".join(parts) + MENU


@pytest.fixture
def open_console():
    consoles = []

    def open_for(client: Kesher) -> Console:
        consoles.append(Console(client))
        return consoles[-1]

    yield open_for
    for console in consoles:
        console.close()


def test_the_screen_of_a_choice_is_its_echo_its_outcome_and_the_menu(open_console, alice, bob):
    console = open_console(alice)
    assert console.choose("120") == typed("120\n", "bob\n")
    assert console.choose("nonsense") == typed("nonsense\n", "invalid choice\n")
    assert console.choose("151", (NAME, "bob")) == typed("151\n", NAME, "bob\n", "sent\n")
    console.leave()
    assert (
        console.screen
        == MENU
        + typed("120\nbob\n")
        + typed("nonsense\ninvalid choice\n")
        + typed("151\n", NAME, "bob\nsent\n")
        + "0\n"
    )


def test_no_colours_and_no_control_sequences_go_to_a_terminal(open_console, alice, bob):
    bob.share_key(alice.user)
    bob.write(alice.user, "one\x1b[31mtwo")
    console = open_console(alice)
    console.choose("120")
    console.choose("140")
    console.leave()
    assert console.screen.replace("\n", "").isprintable()


def test_the_end_of_file_character_ends_it(open_console, alice):
    console = open_console(alice)
    console.type("\x04")
    assert console.wait_for_end() == 0
    assert console.screen == MENU


def test_the_end_of_file_character_at_a_prompt_ends_it(open_console, alice, bob):
    console = open_console(alice)
    console.type_line("151")
    assert console.wait_for(NAME) == "151\n" + NAME
    console.type("\x04")
    assert console.wait_for_end() == 0


def test_the_menu_goes_on_when_the_server_comes_back(open_console, messages, alice, bob):
    console = open_console(alice)
    assert console.choose("120") == typed("120\n", "bob\n")
    messages.stop()
    told = console.choose("120").removeprefix("120\n").removesuffix(MENU)
    assert told.count("\n") == 1 and f"127.0.0.1:{messages.address[1]}" in told
    messages.listen(messages.address[1])
    assert console.choose("120") == typed("120\n", "bob\n")
    console.leave()


def test_registering_twice_on_a_terminal_sends_nothing_the_second_time(open_console, messages, make_kesher):
    console = open_console(make_kesher(messages))
    assert console.choose("110", (OWN_NAME, "Anna")) == typed(
        "110\n", OWN_NAME, "Anna\n", "registered as Anna\n"
    )
    assert console.choose("110") == typed("110\n", "you are registered already as Anna\n")
    console.leave()
    assert len(messages.requests) == 1


def test_a_newer_key_is_used_without_a_question(open_console, alice, bob):
    console = open_console(alice)
    for _ in range(2):
        bob.share_key(alice.user)
        assert console.choose("140") == typed("140\n", shown("bob", KEY_RECEIVED))
    console.choose("150", (NAME, "bob"), (TEXT, "hello"))
    assert bob.open(bob.take()[0]) == b"hello"
    console.leave()


def test_two_consoles_talk_through_the_real_server(own_server, open_console, temporary, tmp_path):
    clients = {name: Kesher(tmp_path / name, own_server.address) for name in ("anna", "boris")}
    anna, boris = (open_console(client) for client in clients.values())
    source = tmp_path / "a file"
    source.write_bytes(b"content\n")

    for name, console in zip(clients, (anna, boris)):
        wanted = typed("110\n", OWN_NAME, f"{name}\n", f"registered as {name}\n")
        assert console.choose("110", (OWN_NAME, name)) == wanted
    assert anna.choose("120") == typed("120\n", "boris\n")
    assert boris.choose("120") == typed("120\n", "anna\n")

    digest = hashlib.sha256(read_identity(tmp_path / "boris").public_key).hexdigest()
    fingerprint = "key fingerprint " + " ".join(re.findall("....", digest)) + "\n"
    assert anna.choose("130", (NAME, "boris")) == typed("130\n", NAME, "boris\n", fingerprint)

    assert anna.choose("151", (NAME, "boris")) == typed("151\n", NAME, "boris\n", "sent\n")
    assert boris.choose("140") == typed("140\n", shown("anna", KEY_REQUESTED))
    assert boris.choose("152", (NAME, "anna")) == typed("152\n", NAME, "anna\n", "sent\n")
    assert anna.choose("140") == typed("140\n", shown("boris", KEY_RECEIVED))

    text = "hello, boris: שלום"
    wanted = typed("150\n", NAME, "boris\n", TEXT, f"{text}\n", "sent\n")
    assert anna.choose("150", (NAME, "boris"), (TEXT, text)) == wanted
    assert boris.choose("140") == typed("140\n", shown("anna", text))

    wanted = typed("153\n", NAME, "anna\n", PATH, f"{source}\n", "sent\n")
    assert boris.choose("153", (NAME, "anna"), (PATH, str(source))) == wanted
    told = anna.choose("140")
    (path,) = temporary.iterdir()
    assert told == typed("140\n", shown("boris", str(path)))
    assert path.read_bytes() == b"content\n"

    assert anna.choose("140") == typed("140\n")
    for console in (anna, boris):
        console.leave()
