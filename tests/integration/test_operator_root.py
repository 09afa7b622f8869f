"""Operators' commands run by root on the data of another user: everything there stays that user's."""

import os
import shutil
from pathlib import Path

import pytest
from peer.operators import Operator

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def everything(data: Path) -> list[Path]:
    return [data, *sorted(data.rglob("*"))]


def give_away(data: Path) -> None:
    """To nobody, who may also reach it."""
    for path in everything(data):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    for path in data.parents:
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o011)


def owners(data: Path) -> set[tuple[int, int]]:
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in everything(data)}


@pytest.fixture
def data(make_server, new_user) -> Path:
    """Of nobody, after a crash: with a WAL, an upload in staging/ and a verified file."""
    server = make_server()
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "kept", b"content")
        client.send_file(user, "staged", bytes(100_000))
        server.kill()
    assert (server.data / "kesher.db-wal").exists()
    give_away(server.data)
    return server.data


def test_what_root_opens_stays_its_owners(data):
    operator = Operator(data)
    (name,) = operator.users()
    assert owners(data) == {(NOBODY, NOBODY)}
    operator.succeed("user", "reset-key", name)
    assert owners(data) == {(NOBODY, NOBODY)}
    operator.succeed("user", "remove", name, "--yes")
    assert owners(data) == {(NOBODY, NOBODY)}
    assert operator.users() == {}


def test_what_root_has_to_make_anew_is_its_owners(data):
    (data / "lock").unlink()
    shutil.rmtree(data / "staging")
    (data / "messages").rmdir()
    assert len(Operator(data).users()) == 1
    assert (data / "lock").exists() and (data / "staging").exists() and (data / "messages").exists()
    assert owners(data) == {(NOBODY, NOBODY)}


@pytest.mark.parametrize("roots", ["", "kesher.db"], ids=["the directory", "the database"])
def test_data_of_two_users_is_left_alone(data, roots):
    os.chown(data / roots, 0, 0)
    before = {path: (path.lstat().st_mtime_ns, path.lstat().st_uid) for path in everything(data)}
    assert f"{NOBODY}" in Operator(data).fail("user", "list")
    assert {path: (path.lstat().st_mtime_ns, path.lstat().st_uid) for path in everything(data)} == before


def test_who_may_not_look_into_the_directory_is_told_who_may(make_server):
    server = make_server()
    for path in server.data.parents:
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o011)
    told = Operator(server.data).fail("user", "list", user=NOBODY)
    assert "only root and the user that the server runs as may" in told
