"""Conversations of two homes, through the real server and through the fake one."""

import os
import signal
from pathlib import Path

import pytest
from peer.kesher import Kesher
from peer.message_fixtures import (
    KEY_RECEIVED,
    KEY_REQUESTED,
    NOT_ACCEPTED,
    Member,
    assert_one_line,
    new_key,
    shown,
    told_by,
    without_times,
)
from peer.messages import Correspondent


@pytest.fixture(params=["kesherd", "fake server"])
def two(request, tmp_path, private_keys) -> tuple[Member, Member]:
    """Two clients of one server, of either kind."""
    if request.param == "kesherd":
        return request.getfixturevalue("pair")
    fake = request.getfixturevalue("messages")
    names = ("anna", "boris")
    return tuple(
        Member(tmp_path / name, fake.address, fake.add_user(name, key))
        for name, key in zip(names, private_keys)
    )


def first(name: str, content: str) -> str:
    """The first text under the key that comes with it."""
    return shown(name, KEY_RECEIVED) + new_key(name) + shown(name, content)


def later(name: str, *contents: str) -> str:
    return "".join(NOT_ACCEPTED + shown(name, content) for content in contents)


def test_a_first_text_can_be_read_and_answered_each_under_a_key_of_its_senders(two):
    anna, boris = two
    anna.succeed("send", boris.name, "hello")
    assert boris.succeed("inbox").stdout == first(anna.name, "hello")
    boris.succeed("send", anna.name, "hello yourself")
    assert anna.succeed("inbox").stdout == first(boris.name, "hello yourself")
    anna.succeed("send", boris.name, "how are you?")
    told = boris.succeed("inbox").stdout
    assert told == shown(anna.name, KEY_RECEIVED) + later(anna.name, "how are you?")


def test_two_come_to_rest_after_one_exchange(two):
    """Both look and write in turns; no key goes out any more."""
    anna, boris = two
    for text in ("one", "two"):
        for sender, receiver in (two, two[::-1]):
            sender.succeed("send", receiver.name, text)
            receiver.succeed("inbox")
    for number in range(4):
        for sender, receiver in (two, two[::-1]):
            sender.succeed("send", receiver.name, f"text {number}")
            assert [told["type"] for told in told_by(receiver)] == ["text"]


def test_accepted_keys_end_the_marks_for_both(two):
    for sender, receiver in (two, two[::-1]):
        sender.succeed("send", receiver.name, "hello")
        receiver.succeed("inbox")
        receiver.succeed("key", sender.name, "--accept-key")
    for sender, receiver in (two, two[::-1]):
        sender.succeed("send", receiver.name, "hello")
        assert [told.get("key") for told in told_by(receiver) if told["type"] == "text"] == [None]


@pytest.mark.parametrize("asked", [True, False], ids=["asked for", "given unasked"])
def test_a_key_that_was_shared_serves_its_maker(two, asked):
    anna, boris = two
    if asked:
        anna.succeed("request-key", boris.name)
        assert boris.succeed("inbox").stdout == shown(anna.name, KEY_REQUESTED)
    boris.succeed("share-key", anna.name)
    assert anna.succeed("inbox").stdout == shown(boris.name, KEY_RECEIVED)
    anna.succeed("send", boris.name, "from anna")
    boris.succeed("send", anna.name, "from boris")
    assert boris.succeed("inbox").stdout == first(anna.name, "from anna")
    assert anna.succeed("inbox").stdout == new_key(boris.name) + shown(boris.name, "from boris")


def test_a_renewed_key_is_accepted_by_the_other_side(two):
    anna, boris = two
    anna.succeed("send", boris.name, "one")
    boris.succeed("inbox")
    anna.succeed("share-key", boris.name)
    assert boris.succeed("inbox").text == shown(anna.name, KEY_RECEIVED)
    accepted = boris.succeed("key", anna.name, "--accept-key")
    assert accepted.stdout == f"accepted the newest key of {anna.name}\n"
    anna.succeed("send", boris.name, "two")
    assert boris.succeed("inbox").stdout == shown(anna.name, "two")


@pytest.mark.parametrize("size", [0, 1, 16, 1 << 20])
def test_files_go_both_ways(two, tmp_path, size):
    anna, boris = two
    anna.succeed("share-key", boris.name)
    boris.succeed("inbox")
    for sender, receiver in (two, two[::-1]):
        source, plain = tmp_path / "source", os.urandom(size)
        source.write_bytes(plain)
        sender.succeed("send", receiver.name, "--file", source)
        *_, told = told_by(receiver, "--save-to", str(tmp_path / "files"))
        path = Path(told["path"])
        assert path.parent == tmp_path / "files" and path.read_bytes() == plain


def test_the_id_that_the_sender_is_told_is_that_which_the_receiver_sees(two):
    anna, boris = two
    (sent,) = anna.succeed("send", boris.name, "hello", "--json").objects()
    assert [told["id"] for told in told_by(boris) if told["type"] == "text"] == [sent["id"]]


def test_one_that_follows_sees_what_another_sends(two):
    anna, boris = two
    run = boris.start("inbox", "--follow")
    for text in ("one", "two"):
        anna.succeed("send", boris.name, text)
    wanted = first(anna.name, "one") + later(anna.name, "two")
    seen = ""
    while len(without_times(seen)) < len(wanted):
        line = run.stdout.readline().decode()
        assert line, seen
        seen += line
    assert without_times(seen) == wanted
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60) == (b"", b"") and run.returncode == -signal.SIGINT


def test_whoever_writes_to_oneself_at_the_real_server_is_told_so(pair):
    anna, _ = pair
    told = assert_one_line(anna.fail("send", anna.name, "hello").stderr)
    assert f"'{anna.name}' is this home's own name" in told


def test_nothing_waits_at_the_real_server_after_it_was_pulled(server, pair):
    anna, boris = pair
    anna.succeed("send", boris.name, "hello")
    boris.succeed("inbox")
    assert boris.succeed("inbox").text == ""
    with server.connect() as connection:
        assert connection.pull(boris.user) == []


def test_a_conversation_survives_a_kill_of_the_server(own_server, tmp_path):
    members = []
    for name in ("anna", "boris"):
        member = Kesher(tmp_path / name, own_server.address)
        member.succeed("register", name)
        members.append(member)
    anna, boris = members
    anna.succeed("send", "boris", "before")
    own_server.restart_after_kill()
    anna.address = boris.address = own_server.address  # another port, so the homes are told that it moved
    anna.succeed("send", "--moved", "boris", "after")
    told = without_times(boris.succeed("inbox", "--moved").stdout)
    assert told == first("anna", "before") + later("anna", "after")


def test_a_client_and_the_python_peer_understand_each_other_through_the_real_server(server, pair, connection):
    anna, boris = pair
    played = Correspondent(boris.user)
    anna.succeed("send", boris.name, "from anna")
    key, text = connection.pull(boris.user)
    played.read(key)
    assert played.read(text) == b"from anna"
    played.write(connection, text.sender, b"from boris")
    assert anna.succeed("inbox").stdout == shown(boris.name, "from boris")
