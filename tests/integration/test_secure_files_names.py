"""Names of own files: which there may be, which not, and that each is the name of one file."""

import json
import sqlite3

import pytest
from peer import own_files
from peer.accounts import Reason, Request
from peer.conversation import wait_until
from peer.drop import stored_name
from peer.kesherd import REPOSITORY
from peer.own_files import Ended, Put

VECTORS = json.loads((REPOSITORY / "tests" / "vectors-secure.json").read_text())["own_files"]
NAMES = [bytes.fromhex(name) for name in VECTORS["names_hex"]]
NO_NAMES = [bytes.fromhex(name) for name in VECTORS["no_names_hex"]]


def text_of(name: bytes) -> str:
    return name.decode(errors="surrogateescape")


def test_every_name_that_is_allowed_is_a_file_of_its_own(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    for name in NAMES:
        assert client.put_file(name, b"content of " + name) == Ended(0)
    for restart in (lambda: None, server.restart_after_kill):
        restart()
        client = sign_in(account, server)
        assert client.file_names() == [text_of(name) for name in sorted(NAMES)]
        for name in NAMES:
            assert client.content_of(name) == b"content of " + name
    for name in NAMES:
        client.remove_file(name)
    assert client.list_files() == []
    wait_until(lambda: server.stored_paths() == [], "they are freed, behind the answers")


@pytest.mark.parametrize("name", NO_NAMES, ids=repr)
def test_no_request_takes_a_name_that_is_none(keeper, name):
    for code in (Request.REMOVE_FILE, Request.DIGEST_FILE):
        assert keeper.refusal(code, own_files.name_payload(name)) == Reason.FILE_NAME
    assert keeper.refusal(Request.GET_FILE, own_files.get_payload(name)) == Reason.FILE_NAME
    for flags in (0, Put.REPLACE | Put.ANEW):
        payload = own_files.put_payload(own_files.new_put_id(), name, 5, flags)
        assert keeper.refusal(Request.PUT_FILE, payload) == Reason.FILE_NAME
    assert keeper.refusal(Request.PUT_PIECE, b"12345") == Reason.NO_PUT
    assert keeper.list_files() == []


def test_the_largest_name_may_have_any_bytes_in_it(keeper):
    """Long ones are stored under a name that is cut: two that differ at the end only are two files."""
    longest = ["é" * 126 + "ab", "é" * 126 + "ac", "x" * 253 + "a", "x" * 253 + "b"]
    longest += ["\udcff" * 254, "\udcff" * 253 + "\udcfe"]
    for name in longest:
        assert len(own_files.name_bytes(name)) == 254
        keeper.put_file(name, own_files.name_bytes(name)[-40:])
    assert sorted(keeper.file_names()) == sorted(longest)
    for name in longest:
        assert keeper.content_of(name) == own_files.name_bytes(name)[-40:]


def test_names_that_could_be_stored_under_one_name_are_several_files(keeper):
    """A name as long as may be, what is made of it when it is cut, and the same with '/'."""
    long = "n" * 254
    names = [long, stored_name(long), "d/" + "n" * 252, "d/" + stored_name("n" * 252), "d", "d/d", "d/d/d", "d d"]
    for name in names:
        keeper.put_file(name, name.encode())
    assert sorted(keeper.file_names()) == sorted(names)
    for name in names:
        assert keeper.content_of(name) == name.encode()


def test_a_name_and_one_below_it_are_two_files_in_either_order(keeper):
    keeper.put_file("a", b"file")
    keeper.put_file("a/b", b"below")
    keeper.put_file("c/d", b"below")
    keeper.put_file("c", b"file")
    keeper.remove_file("a")
    keeper.remove_file("c/d")
    assert {name: keeper.content_of(name) for name in keeper.file_names()} == {"a/b": b"below", "c": b"file"}


def test_nothing_is_ever_stored_outside_of_the_accounts_directory(make_secure, new_account):
    server = make_secure()
    client, account = new_account(server)
    for name in ("a/b/c", "...", "\udcff/x", "n" * 254):
        client.put_file(name, b"x")
    directory = server.data / "files" / account.public_id.hex()
    assert {path.parent for path in server.stored_paths()} == {directory}


def test_names_without_a_row_are_adopted_at_a_start_as_they_were(make_secure, new_account, sign_in):
    """A file whose row was lost comes back under its name, with its '/', too."""
    server = make_secure()
    client, account = new_account(server)
    for name in ("plain", "a/b/c", "ä/ö"):
        client.put_file(name, name.encode())
    server.stop()
    database = sqlite3.connect(server.data / "kesher.db")
    with database:
        assert database.execute("DELETE FROM files").rowcount == 3
    database.close()
    server.start()
    client = sign_in(account, server)
    assert {name: client.content_of(name) for name in client.file_names()} == {
        name: name.encode() for name in ("plain", "a/b/c", "ä/ö")
    }
