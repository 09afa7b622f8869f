"""`kesher inbox`: files that cannot be saved, which hold nothing up, and messages that nobody can read."""

import os
import signal

import pytest
from peer.frames import MESSAGES_VERSION, Request, reply
from peer.message_fixtures import (
    CANNOT_DECRYPT,
    KEY_RECEIVED,
    assert_one_line,
    assert_tells,
    modes_below,
    saved_path,
    shown,
    told_by,
    without_times,
)
from peer.messages import Type


@pytest.fixture
def no_folder(tmp_path):
    """A path where nothing can be saved, whoever runs the tests: a file stands there."""
    path = tmp_path / "in the way"
    path.write_bytes(b"")
    return path


# -- where files go


def test_files_go_to_the_home(talking, bob, home, temporary):
    bob.send_file(talking.user, b"content")
    path = saved_path(talking.succeed("inbox", umask=0).stdout)
    assert path.parent == home / "received" and path.read_bytes() == b"content"
    assert [mode for _, mode in modes_below(home / "received")] == [0o700, 0o600]
    assert list(temporary.iterdir()) == []


def test_the_folder_in_the_home_is_made_for_the_first_file_and_not_before(talking, bob, home):
    bob.write(talking.user, "hello")
    talking.succeed("inbox")
    assert not (home / "received").exists()
    bob.send_file(talking.user, b"content")
    talking.succeed("inbox")
    assert (home / "received").is_dir()


def test_the_path_is_shown_in_full_for_a_home_that_is_given_by_a_relative_one(talking, bob, home):
    bob.send_file(talking.user, b"content")
    talking.home = home.relative_to(home.parent)
    assert saved_path(talking.succeed("inbox", cwd=home.parent).stdout).parent == home / "received"


def test_save_to_leaves_the_home_alone(talking, bob, home, tmp_path):
    bob.send_file(talking.user, b"content")
    talking.succeed("inbox", "--save-to", tmp_path / "files")
    assert not (home / "received").exists()


# -- files that cannot be saved


def test_texts_behind_a_file_that_cannot_be_saved_are_shown(talking, bob, no_folder):
    bob.write(talking.user, "before")
    bob.send_file(talking.user, b"content")
    bob.write(talking.user, "after")
    result = talking.run("inbox", "--save-to", no_folder)
    assert result.status == 1 and str(no_folder) in assert_one_line(result.stderr)
    assert result.stdout.startswith(shown("bob", "before")) and result.stdout.endswith(shown("bob", "after"))
    told = result.stdout.removeprefix(shown("bob", "before")).removesuffix(shown("bob", "after"))
    assert told.splitlines()[0] == "From: bob" and str(no_folder) in told.splitlines()[2]


def test_such_a_file_is_saved_by_the_next_inbox_that_can(talking, bob, no_folder, home):
    bob.write(talking.user, "before")
    bob.send_file(talking.user, b"content")
    bob.write(talking.user, "after")
    talking.run("inbox", "--save-to", no_folder)
    path = saved_path(talking.succeed("inbox").stdout)
    assert path.parent == home / "received" and path.read_bytes() == b"content"
    assert talking.succeed("inbox").text == ""
    assert list((home / "inbox").glob("*.unsaved")) == []


def test_it_is_told_by_every_inbox_as_long_as_it_waits_and_shown_once(talking, bob, home):
    (home / "received").write_bytes(b"in the way")
    bob.send_file(talking.user, b"content")
    first = talking.run("inbox")
    assert first.status == 1 and first.stdout.count("From: ") == 1
    assert "1 received file waits" in assert_one_line(first.stderr)
    bob.write(talking.user, "hello")
    then = talking.run("inbox")
    assert (then.status, then.stdout) == (1, shown("bob", "hello"))
    assert str(home) in assert_one_line(then.stderr)
    assert [error["error"] for error in talking.run("inbox", "--json").told()] == ["file error"]
    (home / "received").unlink()
    assert saved_path(talking.succeed("inbox").stdout).read_bytes() == b"content"


def test_json_of_a_file_that_waits(talking, bob, home):
    (home / "received").write_bytes(b"in the way")
    bob.send_file(talking.user, b"content")
    (told,) = talking.run("inbox", "--json").told()
    assert told["error"] == "file error" and "1 received file waits" in told["message"]


def test_json_of_such_a_file(talking, bob, no_folder, tmp_path):
    message = bob.send_file(talking.user, b"content")
    result = talking.run("inbox", "--json", "--save-to", no_folder)
    (told,) = result.objects()
    assert_tells(told, {"id": message.id, "from": "bob", "type": "file", "size": 7, "saved": False})
    assert str(no_folder) in told["reason"] and "path" not in told
    (again,) = told_by(talking, "--save-to", tmp_path / "files")
    assert_tells(again, {"id": message.id, "type": "file", "size": 7, "path": again["path"], "again": True})
    assert again["received"] == told["received"]


def test_several_are_saved_in_their_order_with_their_own_contents(messages, talking, bob, no_folder):
    messages.script.messages_per_answer = 3
    contents = [os.urandom(size) for size in (100_000, 0, 15, 16, 17, 40_000)]
    for number, content in enumerate(contents):
        bob.send_file(talking.user, content)
        bob.write(talking.user, f"text {number}")
    result = talking.run("inbox", "--json", "--save-to", no_folder)
    told = [entry["text"] for entry in result.objects() if entry["type"] == "text"]
    assert told == [f"text {number}" for number in range(len(contents))]
    assert str(no_folder) in assert_one_line(result.stderr)
    saved = told_by(talking)
    assert [open(entry["path"], "rb").read() for entry in saved] == contents


def test_it_takes_no_room_of_its_own_while_it_waits(talking, bob, no_folder, home):
    """The disk may be full: what waits is what came, not a copy of it."""
    bob.send_file(talking.user, bytes(3_000_000))
    bob.write(talking.user, "hello")
    talking.run("inbox", "--save-to", no_folder)
    used = {path.stat().st_ino: path.stat().st_size for path in (home / "inbox").iterdir()}
    assert 3_000_000 < sum(used.values()) < 3_500_000
    talking.succeed("inbox")
    used = {path.stat().st_ino: path.stat().st_size for path in (home / "inbox").iterdir()}
    assert sum(used.values()) < 500_000


def test_a_file_whose_key_comes_later_and_that_cannot_be_saved_then_is_kept_on(alice, bob, no_folder):
    key = os.urandom(16)
    bob.send_file(alice.user, b"content", key)
    alice.succeed("inbox")
    bob.share_key(alice.user, key)
    unsaved = alice.run("inbox", "--json", "--save-to", no_folder)
    assert [entry.get("saved") for entry in unsaved.objects()] == [None, False]
    (saved,) = told_by(alice)
    assert open(saved["path"], "rb").read() == b"content"


def test_the_console_tells_it_and_saves_it_when_it_can(talking, bob, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "nowhere"))
    bob.share_key(talking.user)
    bob.send_file(talking.user, b"content")
    bob.write(talking.user, "after")
    output = talking.succeed("menu", input=b"140\n0\n").stdout
    assert str(tmp_path / "nowhere") in output and shown("bob", "after") in output
    (tmp_path / "nowhere").mkdir()
    bob.share_key(talking.user, bob.key)
    output = talking.succeed("menu", input=b"140\n0\n").stdout
    (path,) = (tmp_path / "nowhere").iterdir()
    assert str(path) in output and path.read_bytes() == b"content"


def test_one_that_follows_tells_what_waits_and_saves_it_when_it_can(talking, bob, home):
    (home / "received").write_bytes(b"in the way")
    bob.send_file(talking.user, b"content")
    talking.run("inbox")
    run = talking.start("inbox", "--follow")
    assert "1 received file waits" in run.stderr.readline().decode()
    (home / "received").unlink()
    lines = [run.stdout.readline().decode() for _ in range(5)]
    run.send_signal(signal.SIGINT)
    assert run.communicate(timeout=60)[1] == b"" and run.returncode == -signal.SIGINT
    assert saved_path(without_times("".join(lines)) + "\n").read_bytes() == b"content"


# -- what nobody can read


def discarded(member, *options: str) -> list[dict]:
    """What `--discard` gave up, as it tells it."""
    return [told for told in told_by(member, "--discard", *options) if told.get("discarded")]


def test_what_cannot_be_decrypted_is_discarded_with_a_line_for_each(alice, bob, home):
    left = [bob.write(alice.user, text, os.urandom(16)) for text in ("one", "two")]
    alice.succeed("inbox")
    lines = alice.succeed("inbox", "--discard").stdout.splitlines()
    for line, message in zip(lines, left, strict=True):
        assert line.startswith(f"discarded message {message.id} from bob, received 2")
    assert list((home / "inbox").glob("*.kept")) == []
    assert alice.succeed("inbox", "--discard").text == ""


def test_what_was_discarded_does_not_come_with_its_key(alice, bob):
    key = os.urandom(16)
    bob.write(alice.user, "hello", key)
    alice.succeed("inbox", "--discard")
    bob.share_key(alice.user, key)
    assert alice.succeed("inbox").stdout == shown("bob", KEY_RECEIVED)


def test_json_of_what_was_discarded(alice, bob):
    message = bob.send_file(alice.user, b"content", os.urandom(16))
    (first,) = told_by(alice)
    assert discarded(alice) == [
        {"id": message.id, "from": "bob", "received": first["received"], "type": "file", "discarded": True}
    ]


def test_it_takes_in_first_what_waits(alice, bob):
    """The key may be among it."""
    key = os.urandom(16)
    bob.write(alice.user, "hello", key)
    alice.succeed("inbox")
    bob.share_key(alice.user, key)
    told = told_by(alice, "--discard")
    assert [entry["text"] for entry in told if "text" in entry] == ["hello"]
    assert not any(entry.get("discarded") for entry in told)


def test_what_can_be_read_is_not_discarded(alice, bob, no_folder):
    """Nor a file that only could not be saved."""
    bob.share_key(alice.user)
    bob.send_file(alice.user, b"content")
    bob.write(alice.user, "lost", os.urandom(16))
    result = alice.run("inbox", "--discard", "--json", "--save-to", no_folder)
    assert [entry["type"] for entry in result.objects() if entry.get("discarded")] == ["text"]
    (saved,) = told_by(alice)
    assert open(saved["path"], "rb").read() == b"content"


def test_what_comes_unreadable_with_it_is_shown_and_then_discarded(alice, bob):
    bob.write(alice.user, "hello", os.urandom(16))
    output = alice.succeed("inbox", "--discard").stdout
    assert output.startswith(shown("bob", CANNOT_DECRYPT) + "discarded message 1 from bob")


def test_nothing_is_discarded_when_the_server_cannot_be_asked(messages, alice, bob, home):
    bob.write(alice.user, "hello", os.urandom(16))
    alice.succeed("inbox")
    messages.stop()
    assert_one_line(alice.fail("inbox", "--discard").stderr)
    assert len(list((home / "inbox").glob("*.kept"))) == 1


def test_what_only_a_name_is_missing_for_is_not_discarded(messages, alice, bob, home):
    """Without the list of users it is not known whose keys to try."""
    messages.leave(os.urandom(16), alice.user.id, Type.TEXT, bytes(16))
    alice.succeed("inbox")
    messages.script.lies[Request.LIST_USERS] = lambda seen, honest: reply(9000, version=MESSAGES_VERSION)
    assert_one_line(alice.fail("inbox", "--discard").stderr)
    assert len(list((home / "inbox").glob("*.kept"))) == 1
    messages.script.lies.clear()
    assert alice.succeed("inbox", "--discard").stdout.count("discarded") == 1


def test_discard_does_not_go_with_follow(messages, alice):
    result = alice.run("inbox", "--discard", "--follow")
    assert (result.status, result.stdout, messages.requests) == (2, "", [])
    assert_one_line(result.stderr)


def test_what_waits_for_a_key_that_only_a_name_is_missing_for_is_not_discarded(messages, alice, bob):
    """The list of users fails until the last moment; the key is in the home, behind the text."""
    key, fails = os.urandom(16), [True]
    bob.write(alice.user, "hello", key)
    bob.share_key(alice.user, key)
    messages.script.lies[Request.LIST_USERS] = lambda seen, honest: (
        reply(9000, version=MESSAGES_VERSION) if fails else honest
    )
    alice.succeed("inbox")

    def fail_once(seen, honest):
        return reply(9000, version=MESSAGES_VERSION) if fails and fails.pop() else honest

    messages.script.lies[Request.LIST_USERS] = fail_once
    told = told_by(alice, "--discard")
    assert not any(entry.get("discarded") for entry in told)
    assert [entry["text"] for entry in told if "text" in entry] == ["hello"]


# -- after a power cut, which takes what was written last


def lose_progress(home) -> None:
    """How far the messages are done with is not synced each time."""
    (home / "inbox" / "progress").write_bytes(b"")


def test_messages_that_are_kept_stay_when_it_is_lost_how_far_the_others_were_shown(alice, bob, home):
    key = os.urandom(16)
    texts = ["one", "two"]
    for text in texts:
        bob.write(alice.user, text, key)
        alice.succeed("inbox")
        lose_progress(home)
    bob.share_key(alice.user, key)
    assert [entry["text"] for entry in told_by(alice) if "text" in entry] == texts


def test_a_file_that_waits_beside_the_answer_it_came_with_is_saved_once(talking, bob, no_folder, home):
    bob.send_file(talking.user, b"content")
    talking.run("inbox", "--save-to", no_folder)
    (waiting,) = (home / "inbox").glob("*.unsaved")
    os.link(waiting, home / "inbox" / f"{waiting.name.partition('-')[0]}.messages")
    lose_progress(home)
    talking.succeed("inbox")
    assert [path.read_bytes() for path in (home / "received").iterdir()] == [b"content"]
