"""`kesher inbox`: what is shown of what arrived, as text and as JSON."""

import json
import os
from pathlib import Path

import pytest
from peer.frames import MESSAGES_VERSION, Request, reply
from peer.message_fixtures import (
    CANNOT_DECRYPT,
    END_OF_MESSAGE,
    KEY_RECEIVED,
    KEY_REQUESTED,
    assert_tells,
    new_key,
    saved_path,
    shown,
    told_by,
    without_times,
)
from peer.message_server import FakeUser, user_list
from peer.messages import Type

PULL = Request.PULL

# -- what is printed


def test_an_empty_inbox_prints_nothing(messages, alice):
    assert alice.succeed("inbox").text == ""
    assert messages.codes == [PULL, Request.KEY_OF_USER]  # the second asks for alice's own


def test_a_request_for_a_key_is_shown(alice, bob):
    bob.ask_for_key(alice.user)
    result = alice.succeed("inbox")
    assert (result.stdout, result.stderr) == (shown("bob", KEY_REQUESTED), "")


def test_a_request_for_a_key_may_have_a_content(alice, bob):
    bob.ask_for_key(alice.user, b"please\x1b[2J")
    assert alice.succeed("inbox").stdout == shown("bob", KEY_REQUESTED)


def test_a_key_is_shown(alice, bob):
    bob.share_key(alice.user)
    result = alice.succeed("inbox")
    assert (result.stdout, result.stderr) == (shown("bob", KEY_RECEIVED), "")


def test_a_text_is_shown(talking, bob):
    bob.write(talking.user, "hello")
    result = talking.succeed("inbox")
    assert (result.stdout, result.stderr) == (shown("bob", "hello"), "")


def test_a_file_is_shown_as_the_full_path_under_which_it_was_saved(talking, bob, temporary, home):
    bob.send_file(talking.user, b"content")
    result = talking.succeed("inbox")
    path = saved_path(result.stdout)
    assert result.stdout == shown("bob", str(path)) and result.stderr == ""
    assert (path.parent, path.read_bytes()) == (home / "received", b"content")
    assert list(temporary.iterdir()) == []


def test_the_layout_is_that_of_the_console(talking, bob):
    bob.write(talking.user, "hello")
    assert talking.succeed("inbox").stdout == "From: bob\nContent:\nhello\n-----<EOM>-----\n\n"


def test_messages_of_several_users_are_shown_in_their_order(messages, talking, bob, private_keys):
    carol = FakeUser(messages, "carol", private_keys[0])
    bob.write(talking.user, "one")
    carol.ask_for_key(talking.user)
    carol.share_key(talking.user)
    bob.write(talking.user, "two")
    carol.write(talking.user, "three")
    wanted = [
        ("bob", "one"),
        ("carol", KEY_REQUESTED),
        ("carol", KEY_RECEIVED),
        ("bob", "two"),
        ("carol", "three"),
    ]
    *told, last = [shown(*entry) for entry in wanted]
    assert talking.succeed("inbox").stdout == "".join(told) + new_key("carol") + last


def test_a_key_and_what_was_written_under_it_may_come_together(alice, bob):
    bob.share_key(alice.user)
    bob.write(alice.user, "hello")
    wanted = shown("bob", KEY_RECEIVED) + new_key("bob") + shown("bob", "hello")
    assert alice.succeed("inbox").stdout == wanted


def test_what_was_shown_is_not_shown_again(talking, bob):
    bob.write(talking.user, "hello")
    talking.succeed("inbox")
    assert talking.succeed("inbox").text == ""


def test_an_unknown_sender_is_shown_as_its_id(messages, alice):
    stranger = os.urandom(16)
    messages.leave(stranger, alice.user.id, Type.KEY_REQUEST, b"")
    assert alice.succeed("inbox").stdout == shown(stranger.hex(), KEY_REQUESTED)


def test_a_text_of_an_unknown_sender_cannot_be_decrypted(messages, alice):
    stranger = os.urandom(16)
    messages.leave(stranger, alice.user.id, Type.TEXT, bytes(16))
    assert alice.succeed("inbox").stdout == shown(stranger.hex(), CANNOT_DECRYPT)


def test_messages_are_shown_with_ids_for_names_when_the_list_cannot_be_had(messages, talking, bob):
    messages.script.errors[Request.LIST_USERS] = 1000
    bob.ask_for_key(talking.user)
    result = talking.succeed("inbox")
    assert result.stdout in (shown("bob", KEY_REQUESTED), shown(bob.alias.hex(), KEY_REQUESTED))


def test_nothing_of_a_list_that_makes_no_sense_is_used_for_names(messages, alice, bob):
    """Though bob stands in it."""
    whole = user_list([(bob.alias, "bob")]) + bytes(271)
    messages.script.lies[Request.LIST_USERS] = lambda seen, honest: reply(2101, whole, version=MESSAGES_VERSION)
    for _ in range(2):
        bob.ask_for_key(alice.user)
        assert alice.succeed("inbox").stdout == shown(bob.alias.hex(), KEY_REQUESTED)
    messages.script.lies.clear()
    bob.ask_for_key(alice.user)
    assert alice.succeed("inbox").stdout == shown("bob", KEY_REQUESTED)


@pytest.mark.parametrize("message_type", [0, 5, 77, 255])
def test_a_message_of_an_unknown_type_does_no_harm_and_is_told_by_its_number(
    messages, talking, bob, message_type
):
    bob.write(talking.user, "before")
    messages.leave(bob.alias, talking.user.id, message_type, b"\x1b[2Jwhat is this?")
    bob.write(talking.user, "after")
    told = talking.succeed("inbox", "--json").objects()
    assert [entry["type"] for entry in told] == ["text", message_type, "text"]
    assert [entry["text"] for entry in told if "text" in entry] == ["before", "after"]


def test_a_message_of_an_unknown_type_is_shown_without_control_bytes(messages, alice, bob):
    messages.leave(bob.alias, alice.user.id, 77, b"\x1b[2Jwhat is this?")
    output = alice.succeed("inbox").stdout
    assert output.startswith("From: bob\nContent:\n") and output.endswith(f"\n{END_OF_MESSAGE}\n\n")
    assert output.replace("\n", "").isprintable()


def test_a_senders_name_that_could_move_the_cursor_is_escaped(messages, alice, private_keys):
    FakeUser(messages, "bob\x1b[2J\nFrom: carol", private_keys[1]).ask_for_key(alice.user)
    lines = alice.succeed("inbox").stdout.splitlines()
    assert lines[1:] == ["Content:", KEY_REQUESTED, END_OF_MESSAGE, ""]
    assert lines[0].startswith('From: "bob') and lines[0].endswith('"') and lines[0].isprintable()


# -- texts of every kind

HOSTILE_TEXTS = {
    "escape sequence": b"one\x1b[2Jtwo",
    "carriage return": b"one\rtwo",
    "NUL": b"one\0two",
    "backspace": b"one\b\b\btwo",
    "C1": "one\x9btwo".encode(),
    "raw C1 byte": b"one\x9btwo",
    "delete": b"one\x7ftwo",
    "bidi override": "one\u202etwo".encode(),
    "bidi isolate": "one\u2066two".encode(),
}


@pytest.mark.parametrize("plain", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS)
def test_what_could_move_the_cursor_is_made_visible(talking, bob, plain):
    bob.write(talking.user, plain)
    first, label, content, *rest = talking.succeed("inbox").stdout.splitlines()
    assert (first, label, rest) == ("From: bob", "Content:", [END_OF_MESSAGE, ""])
    assert content.startswith("one") and content.endswith("two") and len(content) > len("onetwo")
    assert content.isprintable()


@pytest.mark.parametrize(
    "text", ["one\ntwo", "one\n\n\ntwo", "\nhello", "one\ttwo", "שלום, 日本語 🙂", "back\\slash", ""], ids=repr
)
def test_newlines_tabs_and_characters_of_every_language_are_kept(talking, bob, text):
    bob.write(talking.user, text)
    assert talking.succeed("inbox").stdout.replace("\\\\", "\\").replace("\\x5c", "\\") == shown("bob", text)


def test_what_is_no_utf8_is_replaced(talking, bob):
    bob.write(talking.user, b"caf\xe9 \xff.")
    run = talking.start("inbox")
    stdout, _ = run.communicate(timeout=60)
    assert without_times(stdout.decode()) == shown("bob", "caf\ufffd \ufffd.")


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_no_character_of_a_long_text_is_torn(talking, bob, shift):
    text = "x" * shift + "日" * 100_000
    bob.write(talking.user, text)
    assert talking.succeed("inbox").stdout == shown("bob", text)


def test_five_megabytes_of_text_are_shown_whole(talking, bob):
    text = "all work and no play\n" * (5 << 20 >> 4)
    bob.write(talking.user, text + "end")
    assert talking.succeed("inbox").stdout == shown("bob", text + "end")


# -- JSON


def test_json_of_each_type(alice, bob, tmp_path):
    left = [bob.ask_for_key(alice.user), bob.share_key(alice.user)]
    left += [bob.write(alice.user, "hello"), bob.send_file(alice.user, b"content")]
    request, key, text, file = told_by(alice, "--save-to", tmp_path / "files")
    common = [{"id": message.id, "from": "bob"} for message in left]
    assert_tells(request, {**common[0], "type": "key-request"})
    assert_tells(key, {**common[1], "type": "key"})
    assert_tells(text, {**common[2], "type": "text", "text": "hello", "key": "new"})
    assert_tells(file, {**common[3], "type": "file", "size": 7, "path": file["path"], "key": "unaccepted"})
    assert Path(file["path"]).read_bytes() == b"content"


def test_json_of_what_cannot_be_decrypted_has_neither_text_nor_path(alice, bob):
    bob.write(alice.user, "hello", os.urandom(16))
    bob.send_file(alice.user, b"content", os.urandom(16))
    for told, message_type in zip(told_by(alice), ("text", "file"), strict=True):
        assert_tells(told, {"from": "bob", "type": message_type, "readable": False})
        assert "text" not in told and "path" not in told


def test_json_has_no_mark_under_an_accepted_key(talking, bob):
    bob.share_key(talking.user)
    bob.write(talking.user, "one")
    bob.write(talking.user, "two")
    key, *marked = told_by(talking)
    assert_tells(key, {"from": "bob", "type": "key"})
    assert [told["key"] for told in marked] == ["new", "unaccepted"]
    talking.succeed("key", "bob", "--accept-key")
    bob.write(talking.user, "three")
    assert_tells(told_by(talking)[0], {"text": "three"})


def test_json_says_that_a_message_comes_again(alice, bob):
    key = os.urandom(16)
    message = bob.write(alice.user, "hello", key)
    told_by(alice)
    bob.share_key(alice.user, key)
    again = [told for told in told_by(alice) if told["type"] == "text"]
    assert len(again) == 1
    assert_tells(again[0], {"id": message.id, "from": "bob", "text": "hello", "again": True, "key": "new"})


def test_json_of_an_unknown_sender_has_its_id(messages, alice):
    messages.leave(b"S" * 16, alice.user.id, Type.KEY_REQUEST, b"")
    assert told_by(alice)[0]["from"] == (b"S" * 16).hex()


@pytest.mark.parametrize(
    "plain", [*HOSTILE_TEXTS.values(), b'"\\\n\t', "שלום 🙂".encode(), b"\xff", b""], ids=repr
)
def test_json_has_any_text_in_one_line(talking, bob, plain):
    bob.write(talking.user, plain)
    output = talking.succeed("inbox", "--json").stdout
    assert output.endswith("\n") and not any(ord(character) < 0x20 for character in output[:-1])
    assert json.loads(output)["text"] == plain.decode(errors="replace")


def test_json_of_a_long_text_tears_no_character(talking, bob):
    text = "x" + "日\x1b" * 100_000
    bob.write(talking.user, text)
    (told,) = told_by(talking)
    assert told["text"] == text


# -- what goes over the wire


def test_a_604_has_version_2_the_id_and_no_payload_in_one_send(messages, alice):
    alice.succeed("inbox")
    seen, _ = messages.requests
    assert (seen.client_id, seen.version, seen.payload) == (alice.user.id, MESSAGES_VERSION, b"")
    assert seen.came_together == 23


def test_it_asks_until_an_answer_is_empty(messages, talking, bob):
    messages.script.messages_per_answer = 1
    for text in ("one", "two", "three"):
        bob.write(talking.user, text)
    before = messages.codes.count(PULL)
    assert talking.succeed("inbox").stdout == shown("bob", "one", "two", "three")
    assert messages.codes.count(PULL) == before + 4


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_answers_of_any_version_are_accepted(messages, talking, bob, version):
    messages.script.version = version
    bob.write(talking.user, "hello")
    assert talking.succeed("inbox").stdout == shown("bob", "hello")


def test_answers_that_arrive_one_byte_at_a_time_are_understood(messages, alice, bob):
    messages.script.one_byte_at_a_time = True
    bob.share_key(alice.user)
    bob.write(alice.user, "hello")
    wanted = shown("bob", KEY_RECEIVED) + new_key("bob") + shown("bob", "hello")
    assert alice.succeed("inbox").stdout == wanted
