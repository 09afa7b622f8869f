"""The file drop's storage: names and paths, tables, atomic replacement, restarts, staging and adoption."""

import os
import sqlite3
import time

import pytest
from peer.drop import STORED_NAME_LIMIT, STORED_PATH_LIMIT, User, file_frame, named_frame, stored_name
from peer.frames import DROP_ERROR, Answer, Request


@pytest.fixture
def own_user(own_server, new_user):
    """A user with a key, on a server for one test alone."""
    with own_server.connect() as client:
        return client.introduce(new_user())


def put(server, user: User, name: str, plain: bytes) -> None:
    with server.connect() as client:
        client.put(user, name, plain)


def path_of(server, user: User, name: str) -> str:
    ((path,),) = server.rows("SELECT PathName FROM files WHERE ID = ? AND FileName = ?", user.id, name)
    return path


def assert_nothing_staged(server, user: User, name: str) -> None:
    with server.connect() as client:
        client.expect_nothing_staged(user, name)


# -- tables and paths


def test_the_files_table_has_the_documented_columns(server):
    columns = {row[1]: row[2].upper() for row in server.rows("PRAGMA table_info(files)")}
    assert {"ID", "FileName", "PathName", "Verified"} <= set(columns)
    assert [columns[name][:4] for name in ("FileName", "PathName", "Verified")] == ["TEXT", "TEXT", "INTE"]


def test_a_stored_path_is_files_id_name_below_the_data_directory(server, connection, user):
    connection.put(user, "report.pdf", b"content")
    assert server.file_rows(user.id) == [("report.pdf", server.path_of(user.id, "report.pdf"), 1)]
    assert (server.directory_of(user.id) / "report.pdf").read_bytes() == b"content"


def test_equal_names_of_two_users_are_two_files(server, connection, user, new_user):
    other = connection.register_for_messages(new_user())
    connection.reconnect(other)
    connection.put(user, "x", b"one")
    connection.put(other, "x", b"two")
    assert (server.stored(user.id, "x"), server.stored(other.id, "x")) == (b"one", b"two")


def test_only_what_follows_the_last_separator_is_kept_and_the_row_has_the_name_as_last_sent(
    server, connection, user
):
    for name, plain in (
        ("a/x", b"first"),
        ("b\\x", b"second"),
        ("/etc/c\\d/x", b"third"),
        ("\\\\host/x", b"fourth"),
        ("../../x", b"fifth"),
        ("x", b"sixth"),
        ("a/b/c/x", b"seventh"),
    ):
        connection.put(user, name, plain)
        assert server.file_rows(user.id) == [(name, server.path_of(user.id, "x"), 1)]
        assert server.stored(user.id, name) == plain


def test_a_confirmation_may_name_the_kept_name_with_other_folders(server, connection, user):
    connection.send_file(user, "a/x", b"content")
    connection.confirm(user, "b\\x")
    ((_, path, verified),) = server.file_rows(user.id)
    assert (path, verified) == (server.path_of(user.id, "x"), 1)
    assert (server.data / path).read_bytes() == b"content"


NAMES_REFUSED = [
    "",
    ".",
    "..",
    "/",
    "a/",
    "a\\",
    "a/.",
    "a/..",
    "..\\..",
    "../..",
    "a\\.",
    "line\nfeed",
    "tab\there",
    "\x01",
    "bell\x07",
    "escape\x1b[31m",
    "delete\x7f",
    "folder/with\rreturn",
]


@pytest.mark.parametrize("name", NAMES_REFUSED, ids=repr)
def test_a_name_that_is_no_file_name_is_refused_and_its_content_skipped(server, connection, user, name):
    connection.send(file_frame(user.id, name, user.encrypt(b"content")))
    assert connection.receive() == DROP_ERROR
    connection.send(named_frame(user.id, Request.CRC_OK, name))
    assert connection.receive() == DROP_ERROR
    connection.put(user, "x", b"in step")
    assert [row[0] for row in server.file_rows(user.id)] == ["x"]


NAMES_KEPT = [
    "a",
    "...",
    ".hidden",
    "..x",
    "x.",
    "two words",
    " blank before",
    "trailing blank ",
    "-rf",
    "~",
    "a:b",
    "quote'\"",
    "100%",
    "*?",
    "con",
    "שלום.txt",
    "naïve café",
    "日本語",
    "🙂",
]


@pytest.mark.parametrize("name", NAMES_KEPT)
def test_a_name_with_any_other_characters_is_a_file_name(server, connection, user, name):
    connection.put(user, name, name.encode())
    ((file_name, path, verified),) = server.file_rows(user.id)
    assert (file_name, verified) == (name, 1)
    assert (server.data / path).read_bytes() == name.encode()
    assert (server.data / path).parent == server.directory_of(user.id)


LONG_NAMES = {
    "254 bytes of ASCII": "n" * 250 + ".txt",
    "254 bytes of Hebrew": "ש" * 127,
    "254 bytes of three each": "日" * 84 + "xx",
    "253 bytes of four each": "x" + "🙂" * 63,
    "one byte over the limit": "n" * (STORED_NAME_LIMIT + 1),
}


@pytest.mark.parametrize("kind", LONG_NAMES)
def test_a_long_name_is_cut_at_a_character_and_gets_a_tilde_and_its_digest(server, connection, user, kind):
    name = LONG_NAMES[kind]
    connection.put(user, name, b"content")
    assert server.stored(user.id, name) == b"content"
    path = path_of(server, user, name)
    assert len(path.encode()) <= STORED_PATH_LIMIT
    assert path == server.path_of(user.id, stored_name(name))


def test_a_name_just_short_enough_is_stored_as_it_is(server, connection, user):
    for name in ("n" * STORED_NAME_LIMIT, "ש" * (STORED_NAME_LIMIT // 2)):
        connection.put(user, name, b"content")
        assert path_of(server, user, name) == server.path_of(user.id, name)


def test_long_names_that_differ_at_the_end_are_two_files(server, connection, user):
    connection.put(user, "n" * 253 + "a", b"one")
    connection.put(user, "n" * 253 + "b", b"two")
    assert server.stored(user.id, "n" * 253 + "a") == b"one"
    assert server.stored(user.id, "n" * 253 + "b") == b"two"


def test_a_long_folder_does_not_count(server, connection, user):
    name = "folder/" * 35 + "x"
    connection.put(user, name, b"content")
    assert path_of(server, user, name) == server.path_of(user.id, "x")


# -- replacement


def test_the_verified_file_stays_readable_until_it_is_replaced(server, connection, user):
    connection.put(user, "x", b"old")
    upload = file_frame(user.id, "x", user.encrypt(b"new"))
    connection.send(upload[:-1])
    assert connection.is_silent_for(0.2)
    assert server.stored(user.id, "x") == b"old"
    connection.send(upload[-1:])
    connection.expect(Answer.FILE_RECEIVED)
    assert server.stored(user.id, "x") == b"old"
    connection.confirm(user, "x")
    assert server.stored(user.id, "x") == b"new"
    assert len(server.file_rows(user.id)) == 1


def test_a_reader_of_the_old_file_keeps_the_old_file(server, connection, user):
    connection.put(user, "x", b"old" * 1000)
    with open(server.data / path_of(server, user, "x"), "rb") as old:
        connection.put(user, "x", b"new" * 2000)
        assert old.read() == b"old" * 1000


def test_replacing_a_file_again_and_again_leaves_one_file_and_one_row(server, connection, user):
    for number in range(50):
        connection.put(user, "x", str(number).encode())
    assert server.stored(user.id, "x") == b"49"
    assert len(server.file_rows(user.id)) == 1
    assert os.listdir(server.directory_of(user.id)) == ["x"]


def test_nothing_stays_in_staging_after_a_confirmation(own_server, own_user):
    with own_server.connect() as client:
        for number in range(20):
            client.put(own_user, f"file {number}", b"content")
    assert own_server.staged_paths() == []
    assert len(own_server.stored_paths()) == 20


# -- restarts


@pytest.mark.parametrize("end", ["restart", "restart_after_kill"])
def test_a_verified_file_survives_a_restart(own_server, own_user, end):
    plain = os.urandom(300_000)
    put(own_server, own_user, "x", plain)
    getattr(own_server, end)()
    assert own_server.stored(own_user.id, "x") == plain
    put(own_server, own_user, "x", b"replaced")
    assert own_server.stored(own_user.id, "x") == b"replaced"


@pytest.mark.parametrize("end", ["restart", "restart_after_kill"])
def test_a_restart_between_2103_and_1029_makes_the_1029_an_error(own_server, own_user, end):
    put(own_server, own_user, "x", b"verified before")
    with own_server.connect() as client:
        client.send_file(own_user, "x", b"never confirmed")
    getattr(own_server, end)()
    assert own_server.staged_paths() == []
    assert_nothing_staged(own_server, own_user, "x")
    assert own_server.stored(own_user.id, "x") == b"verified before"


def test_staging_is_emptied_at_start(own_server, own_user):
    own_server.stop()
    (own_server.data / "staging" / "left over").write_bytes(b"from another life")
    own_server.start()
    assert own_server.staged_paths() == []


def test_a_hundred_pipelined_files_survive_kill_9(own_server, own_user):
    with own_server.connect() as client:
        client.send(
            b"".join(
                file_frame(own_user.id, f"file {number}", own_user.encrypt(str(number).encode()))
                + named_frame(own_user.id, Request.CRC_OK, f"file {number}")
                for number in range(100)
            )
        )
        for _ in range(100):
            client.expect(Answer.FILE_RECEIVED)
            client.expect(Answer.THANKS)
    own_server.restart_after_kill()
    assert [own_server.stored(own_user.id, f"file {number}") for number in range(100)] == [
        str(number).encode() for number in range(100)
    ]


def test_a_stop_in_the_middle_of_an_upload_is_clean(own_server, own_user):
    with own_server.connect() as client:
        client.send(file_frame(own_user.id, "x", own_user.encrypt(bytes(1 << 20)))[:500_000])
        assert client.is_silent_for(0.2)
        own_server.restart()
    assert own_server.staged_paths() == []
    assert_nothing_staged(own_server, own_user, "x")


# -- adoption


def forget_row(server, user: User, name: str) -> None:
    """Takes a file's row out of the database of a stopped server."""
    database = sqlite3.connect(server.data / "kesher.db")
    with database:
        assert (
            database.execute("DELETE FROM files WHERE ID = ? AND FileName = ?", (user.id, name)).rowcount == 1
        )
    database.close()


@pytest.mark.parametrize("name", ["x", "שלום"])
def test_a_file_without_a_row_is_adopted_at_start(own_server, own_user, name):
    put(own_server, own_user, name, b"content")
    own_server.stop()
    forget_row(own_server, own_user, name)
    own_server.start()
    assert own_server.file_rows(own_user.id) == [(name, own_server.path_of(own_user.id, name), 1)]
    assert own_server.stored(own_user.id, name) == b"content"


def test_an_adopted_file_is_replaced_like_any_other(own_server, own_user):
    put(own_server, own_user, "x", b"old")
    own_server.stop()
    forget_row(own_server, own_user, "x")
    own_server.start()
    put(own_server, own_user, "folder/x", b"new")
    assert [row[2] for row in own_server.file_rows(own_user.id)] == [1]
    assert own_server.stored(own_user.id, "folder/x") == b"new"


def test_a_long_named_file_without_a_row_is_kept_and_replaced_at_the_next_upload(own_server, own_user):
    name = "n" * 254
    put(own_server, own_user, name, b"old")
    own_server.stop()
    forget_row(own_server, own_user, name)
    own_server.start()
    (stored,) = own_server.stored_paths()
    assert stored.read_bytes() == b"old"
    put(own_server, own_user, name, b"new")
    assert stored.read_bytes() == b"new"
    assert own_server.stored_paths() == [stored]
    assert len(own_server.file_rows(own_user.id)) == 1


def test_a_file_of_nobody_is_never_deleted(own_server):
    own_server.stop()
    stray = own_server.data / "files" / os.urandom(16).hex() / "stray"
    other = own_server.data / "files" / "not an id"
    stray.parent.mkdir()
    stray.write_bytes(b"whose?")
    other.write_bytes(b"what is this?")
    own_server.start().restart()
    assert stray.read_bytes() == b"whose?"
    assert other.read_bytes() == b"what is this?"


# -- lifetime of staged files


def test_staged_files_are_discarded_after_their_lifetime(make_server, new_user):
    server = make_server(stage_lifetime=1)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "x", b"verified")
        client.send_file(user, "x", b"never confirmed")
        wait_until_empty(server)
        client.send(named_frame(user.id, Request.CRC_OK, "x"))
        assert client.receive() == DROP_ERROR
    assert server.stored(user.id, "x") == b"verified"


def wait_until_empty(server) -> None:
    """Waits for staging to be swept; the limit only keeps a failing test from hanging."""
    limit = time.monotonic() + 90
    while server.staged_paths() and time.monotonic() < limit:
        time.sleep(0.1)
    assert server.staged_paths() == []


def test_staged_files_stay_within_their_lifetime(own_server, own_user):
    with own_server.connect() as client:
        client.send_file(own_user, "x", b"content")
        assert client.is_silent_for(2)
    with own_server.connect() as client:
        client.confirm(own_user, "x")
    assert own_server.stored(own_user.id, "x") == b"content"
