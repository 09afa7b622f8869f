"""`kesher menu`: the console of the course, compared as whole screens, from a pipe."""

import hashlib
import os
from pathlib import Path

import pytest
from peer.console import (
    ERROR,
    INVALID,
    MENU,
    NAME,
    NO_FILE,
    NO_KEY,
    NOT_REGISTERED,
    OWN_NAME,
    PATH,
    SENT,
    TEXT,
    no_user,
    screen,
    screen_of,
)
from peer.frames import LIST_OF_USERS, MESSAGES_VERSION, PUBLIC_KEY_SIZE, TEXT_FIELD_SIZE, Request, reply
from peer.kesher import read_identity
from peer.message_fixtures import CANNOT_DECRYPT, KEY_RECEIVED, KEY_REQUESTED, Member, saved_path, shown
from peer.message_server import FakeUser, user_list
from peer.messages import Type

REGISTER, LIST, KEY = Request.REGISTER_FOR_MESSAGES, Request.LIST_USERS, Request.KEY_OF_USER
SEND, PULL = Request.SEND_MESSAGE, Request.PULL


@pytest.fixture
def stranger(messages, make_kesher):
    """A client without an identity."""
    return make_kesher(messages)


# -- the menu


def test_the_menu_is_that_of_the_course_line_by_line(stranger):
    assert screen_of(stranger) == (
        "MessageU client at your service.\n"
        "\n"
        "110) Register\n"
        "120) Request for clients list\n"
        "130) Request for public key\n"
        "140) Request for waiting messages\n"
        "150) Send a text message\n"
        "151) Send a request for symmetric key\n"
        "152) Send your symmetric key\n"
        "153) Send a file\n"
        " 0) Exit client\n"
        "?\n"
    )


@pytest.mark.parametrize("end", ["", "0", "0\n", " 0 \r\n", "0\n120\n"], ids=repr)
def test_zero_and_the_end_of_input_end_it_with_0(messages, alice, end):
    assert screen_of(alice, end=end) == screen()
    assert messages.requests == []


WRONG_CHOICES = {
    "nothing": "",
    "blanks": "  \t ",
    "a word": "register",
    "no choice of the menu": "111",
    "too long": "1200",
    "too short": "12",
    "negative": "-120",
    "signed": "+120",
    "broken": "120.0",
    "behind a letter": "x120",
    "before a letter": "120x",
    "two in one line": "120 130",
    "hexadecimal": "0x78",
    "more than an integer holds": "4294967416",
    "much more than an integer holds": "9" * 400,
    "NUL": "12\0000",
    "NUL behind it": "120\0",
    "digits of another script": "١٢٠",
    "escape sequence": "\x1b[A120",
    "very long": "x" * 1_000_000,
}


@pytest.mark.parametrize("line", WRONG_CHOICES.values(), ids=WRONG_CHOICES)
def test_a_wrong_choice_is_told_and_the_menu_comes_again(messages, alice, line):
    assert screen_of(alice, line) == screen(INVALID)
    assert messages.requests == []


def test_a_wrong_choice_does_not_harm_what_follows(alice, bob):
    assert screen_of(alice, "?", "120", "x" * 100_000, "120") == screen(INVALID, "bob\n", INVALID, "bob\n")


def test_bytes_that_are_no_text_are_wrong_choices(messages, alice):
    result = alice.succeed("menu", input=bytes(range(256)) + b"\n0\n")
    assert result.stdout == screen(INVALID, INVALID) and messages.requests == []


@pytest.mark.parametrize("line", [" 120", "120 ", "\t120\t", "120\r", "  120 \r"], ids=repr)
def test_blanks_and_a_carriage_return_around_a_choice_are_ignored(alice, bob, line):
    assert screen_of(alice, line) == screen("bob\n")


def test_a_last_line_without_its_newline_counts(alice, bob):
    assert screen_of(alice, end="120") == screen("bob\n")


PROMPTS = {
    "130": (["130"], NAME),
    "150 name": (["150"], NAME),
    "150 text": (["152", "bob", "150", "bob"], NAME + SENT + MENU + NAME + TEXT),
    "151": (["151"], NAME),
    "152": (["152"], NAME),
    "153 name": (["153"], NAME),
    "153 path": (["152", "bob", "153", "bob"], NAME + SENT + MENU + NAME + PATH),
}


@pytest.mark.parametrize("lines, wanted", PROMPTS.values(), ids=PROMPTS)
def test_the_end_of_input_at_a_prompt_ends_it_with_0(alice, bob, lines, wanted):
    assert screen_of(alice, *lines, end="") == MENU + wanted


def test_the_end_of_input_at_the_prompt_for_ones_own_name_ends_it_with_0(messages, stranger):
    assert screen_of(stranger, "110", end="") == MENU + OWN_NAME
    assert messages.requests == []


# -- 110


def test_110_registers_with_600_and_writes_the_identity(messages, stranger, home):
    assert screen_of(stranger, "110", "Anna") == screen(OWN_NAME + "registered as Anna\n")
    (seen,) = messages.requests
    assert (seen.code, seen.version) == (REGISTER, MESSAGES_VERSION)
    assert seen.payload[:TEXT_FIELD_SIZE] == b"Anna".ljust(TEXT_FIELD_SIZE, b"\0")
    assert seen.came_together == 23 + TEXT_FIELD_SIZE + PUBLIC_KEY_SIZE
    user = read_identity(home)
    assert user.name == "Anna" and user.id in messages.accounts
    assert messages.accounts[user.id].public_key == user.public_key


def test_110_twice_sends_nothing_the_second_time(messages, stranger):
    wanted = screen(OWN_NAME + "registered as Anna\n", "you are registered already as Anna\n")
    assert screen_of(stranger, "110", "Anna", "110") == wanted
    assert messages.codes == [REGISTER]


def test_110_with_an_identity_on_disk_sends_nothing(messages, alice, home):
    before = (home / "me.info").read_bytes()
    assert screen_of(alice, "110") == screen("you are registered already as alice\n")
    assert messages.requests == [] and (home / "me.info").read_bytes() == before


def test_110_with_a_taken_name_is_an_error_and_another_name_can_be_tried(messages, stranger, home):
    messages.add_account("Anna")
    wanted = screen(OWN_NAME + ERROR, OWN_NAME + "registered as Anna 2\n")
    assert screen_of(stranger, "110", "Anna", "110", "Anna 2") == wanted
    assert read_identity(home).name == "Anna 2"


@pytest.mark.parametrize("name", ["", "n" * 255, "שרה", "x\x1b[2J", "n" * 100_000], ids=lambda name: name[:9])
def test_110_with_a_name_that_is_none_sends_nothing(messages, stranger, home, name):
    output = screen_of(stranger, "110", name)
    told = output.removeprefix(MENU + OWN_NAME).removesuffix(MENU)
    assert told.count("\n") == 1 and told[:-1].isprintable() and len(told) < 1000
    assert messages.requests == [] and not (home / "me.info").exists()


def test_the_other_choices_work_right_after_110(messages, stranger, private_keys):
    FakeUser(messages, "bob", private_keys[1])
    wanted = screen(OWN_NAME + "registered as Anna\n", "bob\n", NAME + SENT, "")
    assert screen_of(stranger, "110", "Anna", "120", "151", "bob", "140") == wanted


@pytest.mark.parametrize("choice", ["120", "130", "140", "150", "151", "152", "153"])
def test_before_110_every_other_choice_says_to_register(messages, stranger, choice):
    assert screen_of(stranger, choice) == screen(NOT_REGISTERED)
    assert messages.requests == []


# -- 120 and 130


def test_120_prints_the_names_in_the_servers_order(messages, alice):
    for name in ("zoe", "bob", "Anna Maria"):
        messages.add_account(name)
    assert screen_of(alice, "120") == screen("zoe\nbob\nAnna Maria\n")


def test_120_without_other_users_prints_nothing(alice):
    assert screen_of(alice, "120") == screen("")


def test_120_escapes_names(messages, alice):
    lie = reply(LIST_OF_USERS, user_list([(bytes(16), "b\x1b[2Jo\nb")]), version=MESSAGES_VERSION)
    messages.script.lies[LIST] = lambda seen, honest: lie
    told = screen_of(alice, "120").removeprefix(MENU).removesuffix(MENU)
    assert told.count("\n") == 1 and told[:-1].isprintable()


def test_130_prints_the_fingerprint(alice, bob):
    digest = hashlib.sha256(bob.user.public_key).hexdigest()
    groups = " ".join(digest[start : start + 4] for start in range(0, 64, 4))
    assert screen_of(alice, "130", "bob") == screen(f"{NAME}key fingerprint {groups}\n")


def test_130_of_a_user_without_a_key_is_an_error_of_the_server(messages, alice):
    messages.add_account("keyless")
    assert screen_of(alice, "130", "keyless") == screen(NAME + ERROR)


@pytest.mark.parametrize("choice", ["130", "150", "151", "152"])
@pytest.mark.parametrize("name", ["nobody", "Bob", "alice"])
def test_a_user_who_is_not_listed_is_told_at_once(messages, alice, bob, choice, name):
    assert screen_of(alice, choice, name) == screen(NAME + no_user(name))
    assert messages.sent == []


def test_153_to_a_user_who_is_not_listed_sends_nothing(messages, alice, bob, home):
    assert no_user("nobody") in screen_of(alice, "153", "nobody", str(home / "me.info"))
    assert messages.sent == []


def test_blanks_around_a_name_are_ignored(alice, bob):
    assert screen_of(alice, "151", " bob \r") == screen(NAME + SENT)


# -- 140


def test_140_prints_nothing_when_nothing_waits(messages, alice):
    assert screen_of(alice, "140") == screen("")
    assert messages.codes == [PULL]


def test_140_prints_each_type_as_the_course_has_it(alice, bob, temporary):
    bob.ask_for_key(alice.user)
    bob.share_key(alice.user)
    bob.write(alice.user, "hello")
    output = screen_of(alice, "140").removeprefix(MENU).removesuffix(MENU)
    assert output == (
        "From: bob\nContent:\nRequest for symmetric key\n-----<EOM>-----\n\n"
        "From: bob\nContent:\nsymmetric key received\n-----<EOM>-----\n\n"
        "From: bob\nContent:\nhello\n-----<EOM>-----\n\n"
    )


def test_140_saves_a_file_under_a_new_name_and_prints_its_full_path(alice, bob, temporary):
    bob.share_key(alice.user)
    bob.send_file(alice.user, b"content")
    output = screen_of(alice, "140").removeprefix(MENU + shown("bob", KEY_RECEIVED)).removesuffix(MENU)
    path = saved_path(output)
    assert output == shown("bob", str(path))
    assert (path.parent, path.read_bytes()) == (temporary, b"content")
    assert list(temporary.iterdir()) == [path]


def test_140_without_a_key_cannot_decrypt(alice, bob, temporary):
    bob.write(alice.user, "hello", os.urandom(16))
    bob.send_file(alice.user, b"content", os.urandom(16))
    assert screen_of(alice, "140") == screen(shown("bob", CANNOT_DECRYPT, CANNOT_DECRYPT))
    assert list(temporary.iterdir()) == []


def test_140_asks_until_nothing_waits(messages, alice, bob):
    messages.script.messages_per_answer = 1
    for _ in range(3):
        bob.ask_for_key(alice.user)
    assert screen_of(alice, "140") == screen(shown("bob", *[KEY_REQUESTED] * 3))
    assert messages.codes.count(PULL) == 4


def test_140_shows_nothing_twice(alice, bob):
    bob.ask_for_key(alice.user)
    assert screen_of(alice, "140", "140") == screen(shown("bob", KEY_REQUESTED), "")


def test_140_makes_escape_sequences_visible(alice, bob):
    bob.share_key(alice.user)
    bob.write(alice.user, "one\x1b[2Jtwo")
    output = screen_of(alice, "140")
    assert output.replace("\n", "").isprintable()


# -- a key that arrives while one is in use


def test_the_newest_key_is_used_without_a_question(alice, bob):
    bob.share_key(alice.user)
    bob.share_key(alice.user)
    wanted = screen(shown("bob", KEY_RECEIVED, KEY_RECEIVED), NAME + TEXT + SENT)
    assert screen_of(alice, "140", "150", "bob", "hello") == wanted
    assert bob.open(bob.take()[0]) == b"hello"


def test_a_script_loses_no_line_to_a_second_key(messages, alice, bob):
    """The course's console asks nothing of it, so what drives that has no answer for a question."""
    for _ in range(3):
        bob.share_key(alice.user)
    output = screen_of(alice, "140", "150", "bob", "140", "150", "bob", "152", "120", "150", "bob", "last")
    assert output == screen(
        shown("bob", *[KEY_RECEIVED] * 3), NAME + TEXT + SENT, NAME + TEXT + SENT, "bob\n", NAME + TEXT + SENT
    )
    assert [bob.open(message) for message in bob.take()] == [b"140", b"152", b"last"]


def test_a_key_that_comes_after_ones_own_is_the_newest(alice, bob):
    lines = ["152", "bob", "140", "150", "bob", "hello"]
    bob.share_key(alice.user)
    wanted = screen(NAME + SENT, shown("bob", KEY_RECEIVED), NAME + TEXT + SENT)
    assert screen_of(alice, *lines) == wanted
    assert bob.open(bob.take()[1]) == b"hello"


# -- 150 to 153


def test_151_sends_an_empty_type_1(alice, bob):
    assert screen_of(alice, "151", "bob") == screen(NAME + SENT)
    (message,) = bob.take()
    assert (message.type, message.content) == (Type.KEY_REQUEST, b"")


def test_152_sends_a_key_that_150_and_153_use(alice, bob, tmp_path):
    (tmp_path / "a file").write_bytes(b"content")
    wanted = screen(NAME + SENT, NAME + TEXT + SENT, NAME + PATH + SENT)
    lines = ["152", "bob", "150", "bob", "hello", "153", "bob", str(tmp_path / "a file")]
    assert screen_of(alice, *lines) == wanted
    key, text, file = bob.take()
    bob.take_key(key)
    assert (text.type, bob.open(text)) == (Type.TEXT, b"hello")
    assert (file.type, bob.open(file)) == (Type.FILE, b"content")


def test_a_key_that_was_pulled_is_used_for_sending(alice, bob):
    bob.share_key(alice.user)
    wanted = screen(shown("bob", KEY_RECEIVED), NAME + TEXT + SENT)
    assert screen_of(alice, "140", "150", "bob", "hello") == wanted
    assert bob.open(bob.take()[0]) == b"hello"


@pytest.mark.parametrize(
    "text", ["hello", "two words", "שלום 🙂", "x" * 100_000, "120"], ids=lambda text: text[:9]
)
def test_150_sends_the_line_as_it_is(alice, bob, text):
    assert screen_of(alice, "152", "bob", "150", "bob", text) == screen(NAME + SENT, NAME + TEXT + SENT)
    key, message = bob.take()
    bob.take_key(key)
    assert bob.open(message) == text.encode()


def test_150_without_a_symmetric_key_says_how_to_get_one(messages, alice, bob):
    assert NO_KEY in screen_of(alice, "150", "bob", "hello")
    assert messages.sent == []


def test_153_without_a_symmetric_key_says_how_to_get_one(messages, alice, bob, tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert NO_KEY in screen_of(alice, "153", "bob", str(tmp_path / "file"))
    assert messages.sent == []


def test_symmetric_keys_live_as_long_as_the_console(messages, alice, bob, home):
    screen_of(alice, "152", "bob")
    key = bob.take_key(bob.take()[0])
    assert all(key not in path.read_bytes() for path in home.rglob("*") if path.is_file())
    assert NO_KEY in screen_of(alice, "150", "bob", "hello")
    bob.write(alice.user, "hello")
    assert screen_of(alice, "140") == screen(shown("bob", CANNOT_DECRYPT))


def make_missing(path: Path) -> None:
    pass


@pytest.mark.parametrize("make", [make_missing, Path.mkdir])
def test_153_of_what_is_no_file_says_so_and_sends_nothing(messages, alice, bob, tmp_path, make):
    make(tmp_path / "no file")
    wanted = screen(NAME + SENT, NAME + PATH + NO_FILE)
    assert screen_of(alice, "152", "bob", "153", "bob", str(tmp_path / "no file")) == wanted
    assert [sent.type for sent in messages.sent] == [Type.KEY]


@pytest.mark.parametrize("path", ["", "x" * 10_000, "no\0file"], ids=lambda path: path[:9])
def test_153_of_what_can_be_no_path_says_so_and_sends_nothing(messages, alice, bob, path):
    wanted = screen(NAME + SENT, NAME + PATH + NO_FILE)
    assert screen_of(alice, "152", "bob", "153", "bob", path) == wanted
    assert [sent.type for sent in messages.sent] == [Type.KEY]


# -- two of them


def test_two_homes_talk_through_their_consoles_one_after_the_other(messages, tmp_path, private_keys):
    anna, boris = (
        Member(tmp_path / name, messages.address, messages.add_user(name, key))
        for name, key in zip(("anna", "boris"), private_keys)
    )
    assert screen_of(anna, "151", "boris") == screen(NAME + SENT)
    wanted = screen(shown("anna", KEY_REQUESTED), NAME + SENT, NAME + TEXT + SENT)
    assert screen_of(boris, "140", "152", "anna", "150", "anna", "hello") == wanted
    assert screen_of(anna, "140") == screen(shown("boris", KEY_RECEIVED, "hello"))
