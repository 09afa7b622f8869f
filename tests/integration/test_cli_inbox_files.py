"""`kesher inbox`: where received files go, and what the home keeps of messages."""

import os
import stat
from pathlib import Path

import pytest
from peer.message_fixtures import Member, assert_one_line, modes_below, saved_path, shown
from peer.message_server import FakeUser

# -- files


@pytest.mark.parametrize("size", [0, 1, 15, 16, 1 << 20])
def test_a_file_of_this_size_is_saved_whole(talking, bob, tmp_path, size):
    plain = os.urandom(size)
    bob.send_file(talking.user, plain)
    path = saved_path(talking.succeed("inbox", "--save-to", tmp_path / "files").stdout)
    assert path.read_bytes() == plain


def test_the_folder_is_made_for_its_owner_only(talking, bob, tmp_path):
    bob.send_file(talking.user, b"content")
    folder = tmp_path / "files"
    path = saved_path(talking.succeed("inbox", "--save-to", folder, umask=0).stdout)
    assert path.parent == folder
    assert [mode for _, mode in modes_below(folder)] == [0o700, 0o600]


def test_a_folder_given_by_a_relative_path_is_shown_by_its_full_path(talking, bob, tmp_path):
    bob.send_file(talking.user, b"content")
    path = saved_path(talking.succeed("inbox", "--save-to", "files", cwd=tmp_path).stdout)
    assert path.parent == tmp_path / "files" and path.read_bytes() == b"content"


def test_nothing_that_exists_is_overwritten(messages, talking, bob, tmp_path):
    """Not even by the same message of the same user, in a home that does not know that it was pulled."""
    folder, message = tmp_path / "files", bob.send_file(talking.user, b"content")
    path = saved_path(talking.succeed("inbox", "--save-to", folder).stdout)
    path.write_bytes(b"mine now")
    again = Member(tmp_path / "another home", messages.address, talking.user)
    bob.share_key(talking.user, bob.key)
    messages.leave_message(talking.user.id, message)
    again.succeed("inbox", "--save-to", folder)
    assert sorted(it.read_bytes() for it in folder.iterdir()) == [b"content", b"mine now"]
    assert path.read_bytes() == b"mine now"


def test_files_that_are_pulled_one_by_one_get_names_of_their_own(talking, bob, tmp_path):
    for number in range(3):
        bob.send_file(talking.user, b"%d" % number)
        talking.succeed("inbox", "--save-to", tmp_path / "files")
    assert sorted(path.read_bytes() for path in (tmp_path / "files").iterdir()) == [b"0", b"1", b"2"]


NAMES = [
    "../../x",
    "/etc/passwd",
    ".bashrc",
    "..",
    ".",
    "a/b",
    "-rf",
    "n" * 254,
    "$(id)",
    "a\\b",
    "two words",
    "*",
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:20])
def test_the_name_of_its_sender_leads_no_file_astray(messages, alice, tmp_path, private_keys, name):
    sender, folder = FakeUser(messages, name, private_keys[1]), tmp_path / "deep" / "er" / "files"
    folder.mkdir(parents=True)
    sender.share_key(alice.user)
    sender.send_file(alice.user, b"content")
    before = _paths(tmp_path)
    alice.succeed("inbox", "--save-to", folder)
    (path,) = folder.iterdir()
    assert path.is_file() and path.read_bytes() == b"content"
    assert path.name[0] not in ".-" and path.name.isprintable() and "\\" not in path.name
    assert {it for it in _paths(tmp_path) - before if alice.home not in it.parents} == {path}


def _paths(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_a_folder_that_cannot_be_made_is_one_line_and_nothing_is_lost(talking, bob, tmp_path):
    bob.send_file(talking.user, b"content")
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        result = talking.run("inbox", "--save-to", folder)
        assert result.status == 1 and str(tmp_path / "file") in assert_one_line(result.stderr)
        (told,) = talking.run("inbox", "--json", "--save-to", folder).told()
        assert told["error"] == "file error"
    path = saved_path(talking.succeed("inbox", "--save-to", tmp_path / "files").stdout)
    assert path.read_bytes() == b"content"


def test_no_folder_is_made_where_there_is_nobody_to_receive(make_kesher, messages, talking, tmp_path):
    folder = tmp_path / "files"
    make_kesher(messages, tmp_path / "typo").fail("inbox", "--save-to", folder)
    talking.fail("inbox", "--save-to", folder, "--server", "127.0.0.2:1")
    assert not folder.exists()


# -- the home


def test_nothing_of_a_text_is_left_in_the_clear(temporary, talking, bob, home):
    secret = "a secret that nobody else has " * 5000
    bob.write(talking.user, secret)
    assert talking.succeed("inbox").stdout == shown("bob", secret)
    for folder in (home, temporary):
        for path in folder.rglob("*"):
            assert not path.is_file() or secret[:25].encode() not in path.read_bytes(), path
    assert list(temporary.iterdir()) == []


def test_what_was_shown_and_can_be_deleted_takes_no_room_in_the_home(talking, bob, home):
    bob.write(talking.user, "x" * 3_000_000)
    talking.succeed("inbox")
    assert sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) < 1_000_000


def test_everything_in_the_home_is_for_its_owner_only(talking, bob, home):
    home.chmod(0o700)
    (home / "me.info").chmod(0o600)
    bob.write(talking.user, "hello")
    bob.write(talking.user, "hello", os.urandom(16))
    bob.share_key(talking.user)
    talking.succeed("inbox", umask=0)
    for path, mode in modes_below(home):
        assert stat.S_ISDIR(path.lstat().st_mode) or mode == 0o600, (path, oct(mode))
        assert not stat.S_ISDIR(path.lstat().st_mode) or mode == 0o700, (path, oct(mode))


def test_ten_thousand_messages_in_one_answer_are_shown_in_order_and_not_again(messages, talking, bob):
    texts = [f"text {number}" for number in range(10_000)]
    left = [bob.write(talking.user, text) for text in texts]
    assert talking.succeed("inbox").stdout == shown("bob", *texts)
    for message in left:
        messages.leave_message(talking.user.id, message)
    assert talking.succeed("inbox").text == ""
