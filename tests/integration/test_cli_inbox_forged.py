"""Texts, names and files that pretend to be more than they are, in `inbox`, `users` and the console."""

import os

import pytest
from peer import crypto
from peer.console import MENU, screen_of
from peer.message_fixtures import (
    CANNOT_DECRYPT,
    END_OF_MESSAGE,
    KEY_RECEIVED,
    KEY_REQUESTED,
    NOT_ACCEPTED,
    new_key,
    shown,
    told_by,
)
from peer.message_server import FakeUser

# -- texts with lines like those around them

FORGED = f"see you\n{END_OF_MESSAGE}\n\nFrom: carol\nContent:\nI am carol\n{END_OF_MESSAGE}\n"
MARKED = f"see you\n> {END_OF_MESSAGE}\n\n> From: carol\n> Content:\nI am carol\n> {END_OF_MESSAGE}"


def test_lines_like_those_around_a_text_are_marked(talking, bob):
    bob.write(talking.user, FORGED)
    assert talking.succeed("inbox").stdout == shown("bob", MARKED)


def test_they_are_marked_in_the_console_too(alice, bob):
    bob.share_key(alice.user)
    bob.write(alice.user, FORGED)
    assert screen_of(alice, "140") == MENU + shown("bob", KEY_RECEIVED, MARKED) + MENU


def test_they_are_as_they_were_written_in_json(talking, bob):
    bob.write(talking.user, FORGED)
    assert [told["text"] for told in told_by(talking)] == [FORGED]


@pytest.mark.parametrize(
    "beginning", ["\ufeff", "\u200b", "\u200e\u200f", "\u2060" * 100, "\u00ad"], ids=ascii
)
def test_what_nobody_sees_does_not_hide_them(talking, bob, beginning):
    bob.write(talking.user, f"x\n{beginning}From: carol")
    *_, line, end, empty = talking.succeed("inbox").stdout.splitlines()
    assert line.startswith("> ") and (end, empty) == (END_OF_MESSAGE, "")


@pytest.mark.parametrize("text", ["x\x85From: carol", "x\vFrom: carol", "x\fFrom: carol"])
def test_no_other_end_of_a_line_comes_out(talking, bob, text):
    bob.write(talking.user, text)
    content = talking.succeed("inbox").stdout.removeprefix("From: bob\nContent:\n")
    assert content.splitlines()[0].endswith("From: carol")
    assert content.splitlines()[0].startswith("x\\x")


# -- texts under keys that nobody accepted


def test_a_text_under_a_key_that_anyone_could_have_sent_is_marked(messages, talking, bob):
    """Whoever has sniffed bob's id sends a key of his own, and a text under it."""
    bobs = bob.key
    foreign = os.urandom(16)
    bob.share_key(talking.user, foreign)
    bob.write(talking.user, "pay carol", foreign)
    bob.write(talking.user, "at once", foreign)
    bob.write(talking.user, "hello", bobs)
    wanted = shown("bob", KEY_RECEIVED) + new_key("bob") + shown("bob", "pay carol")
    wanted += NOT_ACCEPTED + shown("bob", "at once") + shown("bob", "hello")
    assert talking.succeed("inbox").stdout == wanted
    talking.succeed("send", "bob", "a secret")
    *_, text = bob.take()
    with pytest.raises((ValueError, AssertionError)):
        assert crypto.aes_decrypt(foreign, text.content) == b"a secret"


def test_a_text_cannot_look_as_if_it_had_no_mark(alice, bob):
    """The mark stands before everything of which a text is a part."""
    bob.share_key(alice.user)
    bob.write(alice.user, f"x\n{END_OF_MESSAGE}\n\nFrom: bob\nContent:\ntrue")
    output = alice.succeed("inbox").stdout.removeprefix(shown("bob", KEY_RECEIVED))
    assert output.startswith(new_key("bob")) and output.count("\nFrom: ") == 1


def test_what_cannot_be_decrypted_has_no_mark(alice, bob):
    bob.write(alice.user, "hello", os.urandom(16))
    assert alice.succeed("inbox").stdout == shown("bob", CANNOT_DECRYPT)


# -- names

DECEIVING = [
    "bob ",
    " bob",
    "bob  smith",
    "bob: hi",
    "From: bob",
    "(key not accepted)",
    'a "name"',
    "0123456789abcdef" * 2,
]


@pytest.mark.parametrize("name", DECEIVING)
def test_a_name_that_could_deceive_is_quoted(messages, alice, private_keys, name):
    """Servers of others, and old databases, have names that kesherd does not let in."""
    FakeUser(messages, name, private_keys[1]).ask_for_key(alice.user)
    quoted = '"' + name.replace('"', "\\x22") + '"'
    assert alice.succeed("users").stdout == quoted + "\n"
    assert alice.succeed("inbox").stdout == shown(quoted, KEY_REQUESTED)
    assert alice.succeed("request-key", name).stdout == f"asked {quoted} for a key\n"
    assert alice.succeed("send", name, "x").stdout.startswith(f"sent to {quoted}, message ")
    assert alice.succeed("key", name).stdout.startswith(quoted + "\n")
    assert alice.succeed("users", "--json").objects()[0]["name"] == name


def test_the_console_shows_names_as_the_course_does(messages, alice, private_keys):
    FakeUser(messages, "bob: hi", private_keys[1]).ask_for_key(alice.user)
    assert screen_of(alice, "120", "140") == MENU + "bob: hi\n" + MENU + shown("bob: hi", KEY_REQUESTED) + MENU


# -- files


@pytest.mark.parametrize("name", ["b\x9bo\u202eb", "b\u2028o\u2066b", "../\x1b[2J"], ids=ascii)
def test_a_saved_file_has_a_plain_name(messages, alice, private_keys, tmp_path, name):
    """Whatever its sender is called: only the name can bring in what a file name should not have."""
    bob = FakeUser(messages, name, private_keys[1])
    bob.share_key(alice.user)
    bob.send_file(alice.user, b"content")
    alice.succeed("inbox", "--save-to", tmp_path / "files")
    for path in (tmp_path / "files").iterdir():
        assert path.name.isascii() and path.name.isprintable()


def test_the_path_of_a_saved_file_is_shown_without_what_turns_it(talking, bob, tmp_path):
    bob.send_file(talking.user, b"content")
    folder = tmp_path / "a\u202eb\x9bc\u2066d"
    output = talking.succeed("inbox", "--save-to", folder).stdout
    assert len(list(folder.iterdir())) == 1
    assert len(output.splitlines()) == 5 and output.replace("\n", "").isprintable()
