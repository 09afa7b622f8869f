"""`kesher inbox`: messages that come again, and answers that do not add up."""

import os

import pytest
from peer.frames import MESSAGES_VERSION, MessageAnswer, Request, reply
from peer.message_fixtures import KEY_REQUESTED, assert_one_line, shown, told_by
from peer.message_server import Cut
from peer.messages import WAITING_FIXED, Message, Type

PULL = Request.PULL

# -- messages that come again


def test_a_message_that_is_delivered_twice_is_shown_once(messages, talking, bob):
    message = bob.write(talking.user, "hello")
    messages.leave_message(talking.user.id, message)
    assert talking.succeed("inbox").stdout == shown("bob", "hello")
    messages.leave_message(talking.user.id, message)
    assert talking.succeed("inbox").text == ""


def test_messages_that_are_delivered_again_do_not_hide_new_ones(messages, talking, bob):
    old = [bob.write(talking.user, text) for text in ("one", "two")]
    talking.succeed("inbox")
    for message in old:
        messages.leave_message(talking.user.id, message)
    bob.write(talking.user, "three")
    assert talking.succeed("inbox").stdout == shown("bob", "three")


def test_a_server_that_never_deletes_is_not_asked_for_ever(messages, talking, bob):
    messages.script.keeps_delivered = True
    bob.write(talking.user, "hello")
    assert talking.succeed("inbox").stdout == shown("bob", "hello")
    assert talking.succeed("inbox").text == ""
    bob.write(talking.user, "more")
    assert talking.succeed("inbox").stdout == shown("bob", "more")


def test_a_file_that_is_delivered_twice_is_saved_once(messages, talking, bob, tmp_path):
    message = bob.send_file(talking.user, b"content")
    for _ in range(2):
        talking.succeed("inbox", "--save-to", tmp_path / "files")
        messages.leave_message(talking.user.id, message)
    assert len(list((tmp_path / "files").iterdir())) == 1


def test_what_cannot_be_decrypted_is_kept_once_when_it_is_delivered_twice(messages, alice, bob):
    key = os.urandom(16)
    message = bob.write(alice.user, "hello", key)
    alice.succeed("inbox")
    messages.leave_message(alice.user.id, message)
    assert alice.succeed("inbox").text == ""
    bob.share_key(alice.user, key)
    assert alice.succeed("inbox").stdout.count("hello") == 1


def test_a_server_that_counts_from_1_again_loses_nothing(messages, talking, bob):
    for text in ("one", "two", "three"):
        bob.write(talking.user, text)
    talking.succeed("inbox")
    messages.next_message_id = 1
    for text in ("four", "five", "six", "seven"):
        bob.write(talking.user, text)
    assert talking.succeed("inbox").stdout == shown("bob", "four", "five", "six", "seven")


def test_a_request_for_a_key_is_shown_each_time_also_under_the_same_id(messages, talking, bob):
    """A server that counts from 1 again gives a second request, which has no content, the id of the first."""
    for _ in range(3):
        messages.next_message_id = 1
        bob.ask_for_key(talking.user)
        assert talking.succeed("inbox").stdout == shown("bob", KEY_REQUESTED)


def test_a_key_is_shared_again_after_each_request_also_under_the_same_id(messages, talking, bob):
    for _ in range(2):
        messages.next_message_id = 1
        bob.ask_for_key(talking.user)
        talking.succeed("inbox")
        talking.succeed("send", "bob", "hello")
        assert [message.type for message in bob.take()] == [Type.KEY, Type.TEXT]


def test_two_requests_for_a_key_in_one_answer_are_both_shown(messages, talking, bob):
    for _ in range(2):
        messages.next_message_id = 1
        bob.ask_for_key(talking.user)
    assert talking.succeed("inbox").stdout == shown("bob", KEY_REQUESTED, KEY_REQUESTED)


def test_texts_and_files_under_an_id_that_was_seen_are_shown_where_they_differ(
    messages, talking, bob, tmp_path
):
    for number in range(3):
        messages.next_message_id = 1
        bob.write(talking.user, f"text {number}")
        messages.next_message_id = 1
        bob.send_file(talking.user, b"text %d" % number)
        told = told_by(talking, "--save-to", tmp_path / "files")
        assert [entry["type"] for entry in told] == ["text", "file"]
    assert len(list((tmp_path / "files").iterdir())) == 3


def test_ids_that_all_are_the_same_lose_nothing(messages, talking, bob):
    texts = ["one", "two", "three"]
    for text in texts:
        messages.next_message_id = 7
        bob.write(talking.user, text)
    assert talking.succeed("inbox").stdout == shown("bob", *texts)


# -- answers that lie


def pull_reply(payload: bytes) -> bytes:
    return reply(MessageAnswer.WAITING, payload, version=MESSAGES_VERSION)


def resized(message: Message, difference: int) -> bytes:
    """The message, its content of the true size, its size field not."""
    fields = (message.sender, message.id, message.type, len(message.content) + difference)
    return WAITING_FIXED.pack(*fields) + message.content


HUGE = b"\xff\xff\xff\xff"

LYING_ANSWERS = {
    "the last content is one byte too long": lambda first, last: pull_reply(
        first.encode() + resized(last, 1)
    ),
    "the last content is huge": lambda first, last: pull_reply(first.encode() + last.encode()[:21] + HUGE),
    "one byte is left over": lambda first, last: pull_reply(first.encode() + resized(last, -1)),
    "a fixed part is cut": lambda first, last: pull_reply(first.encode() + last.encode()[:24]),
    "one byte": lambda first, last: pull_reply(b"x"),
    "a size that is never reached": lambda first, last: Cut(b"\2\x38\x08" + HUGE + first.encode()),
    "another code": lambda first, last: reply(2103, first.encode(), version=2),
    "an error": lambda first, last: reply(9000, b"", version=2),
    "an error with a payload": lambda first, last: reply(9000, first.encode() * 50, version=2),
}


@pytest.mark.parametrize("lie", LYING_ANSWERS.values(), ids=LYING_ANSWERS)
def test_an_answer_that_does_not_add_up_is_one_line_and_the_next_inbox_shows_all_that_was_not_shown(
    messages, talking, bob, lie
):
    first, last = bob.write(talking.user, "first"), bob.write(talking.user, "the last one of these")
    messages.script.lies[PULL] = lambda seen, honest: lie(first, last)
    lied_to = talking.run("inbox")
    assert lied_to.status == 1
    assert_one_line(lied_to.stderr)
    messages.script.lies.clear()
    then = talking.succeed("inbox")
    assert lied_to.stdout + then.stdout == shown("bob", "first", "the last one of these")


@pytest.mark.parametrize("size", [0, 5, 7, 20, 31, 32, 60, -45, -1])
def test_a_connection_that_ends_in_an_answer_is_told_or_made_again_and_loses_and_repeats_nothing(
    messages, talking, bob, size
):
    for text in ("first", "the last one of these"):
        bob.write(talking.user, text)
    messages.lie_once(PULL, lambda seen, honest: Cut(honest[:size]))
    result = talking.run("inbox")
    if result.status != 0:
        assert_one_line(result.stderr)
    assert result.stdout + talking.succeed("inbox").stdout == shown("bob", "first", "the last one of these")


def test_messages_before_a_server_fails_are_shown_all_the_same(messages, talking, bob):
    """What came is safe; it does not have to wait for what did not."""
    messages.script.messages_per_answer = 1
    for text in ("one", "two"):
        bob.write(talking.user, text)
    answers = []

    def fail_from_the_third_on(seen, honest):
        answers.append(honest)
        return honest if len(answers) < 2 else reply(9000, version=MESSAGES_VERSION)

    messages.script.lies[PULL] = fail_from_the_third_on
    first = talking.run("inbox")
    messages.script.lies.clear()
    assert first.status == 1
    assert first.stdout + talking.succeed("inbox").stdout == shown("bob", "one", "two")
