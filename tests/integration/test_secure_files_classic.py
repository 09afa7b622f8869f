"""Files of the classic port and own files are the same files."""

import os

import pytest
from peer import own_files
from peer.accounts import Account, Entry, Reason, Request
from peer.crypto import cksum
from peer.drop import User
from peer.own_files import Ended, Put


@pytest.fixture
def both(secure, new_account, private_keys, classic_key):
    """A connection to the secure port, one to the classic port, and who the account is there."""
    client, account = new_account()
    user = User(account.name, private_keys[0], client.classic_on(classic_key))
    with secure.connect() as classic:
        classic.reconnect(user)
        yield client, classic, user


def test_what_was_uploaded_is_listed_got_and_removed(both):
    client, classic, user = both
    content = os.urandom(100_000)
    classic.put(user, "folder/hello.txt", content)
    (file,) = client.list_files()
    assert (file.name, file.facts.size, file.facts.cksum) == ("hello.txt", len(content), cksum(content))
    assert client.content_of("hello.txt") == content
    client.remove_file("hello.txt")
    assert client.list_files() == []
    classic.expect_nothing_staged(user, "hello.txt")


def test_a_put_is_replaced_by_an_upload_of_its_name(both):
    client, classic, user = both
    client.put_file("x", b"put")
    client.digest_file("x")
    classic.put(user, "x", b"uploaded")
    (file,) = client.list_files()
    assert (file.name, file.facts.size, file.facts.cksum) == ("x", 8, cksum(b"uploaded"))
    assert client.content_of("x") == b"uploaded"


def test_an_upload_is_replaced_by_a_put_of_its_kept_name(both, secure):
    client, classic, user = both
    classic.put(user, "folder/x", b"uploaded")
    payload = own_files.put_payload(own_files.new_put_id(), "x", 3)
    assert client.refusal(Request.PUT_FILE, payload) == Reason.FILE_EXISTS
    assert client.put_file("x", b"put", flags=Put.REPLACE) == Ended.REPLACED
    assert client.file_names() == ["x"]
    assert client.content_of("x") == b"put"
    directory = secure.data / "files" / client.account()[Entry.PUBLIC_ID].hex()
    assert [path.parent for path in secure.stored_paths() if path.parent == directory] == [directory]


def test_what_was_uploaded_is_kept_already_for_a_put_of_the_same(both):
    client, classic, user = both
    content = os.urandom(5000)
    classic.put(user, "x", content)
    opened = client.open_put("x", len(content))
    assert (opened.is_kept, opened.cksum) == (True, cksum(content))
    assert client.end_put(opened.cksum) == Ended.WAS_KEPT


def test_a_name_with_a_slash_is_no_name_of_the_classic_port(both):
    """There it would be a path to `b`; and what looks like a path on the secure port is a file of its own."""
    client, classic, user = both
    client.put_file("a/b", b"put")
    classic.put(user, "a/b", b"uploaded")
    classic.put(user, "a\\b", b"uploaded again")
    assert client.file_names() == ["a/b", "b"]
    assert client.content_of("a/b") == b"put"
    assert client.content_of("b") == b"uploaded again"
    client.remove_file("b")
    assert client.content_of("a/b") == b"put"


def test_an_upload_that_is_staged_is_nobodys_file_yet(both):
    client, classic, user = both
    classic.send_file(user, "x", b"uploaded")
    assert client.list_files() == []
    client.put_file("x", b"put")
    classic.confirm(user, "x")
    assert client.content_of("x") == b"uploaded"


def test_a_file_that_was_removed_while_it_was_uploaded_again_is_there_again(both):
    client, classic, user = both
    classic.put(user, "x", b"first")
    classic.send_file(user, "x", b"second")
    client.remove_file("x")
    classic.confirm(user, "x")
    assert client.content_of("x") == b"second"


def test_the_files_of_a_classic_user_are_those_of_the_account_that_it_becomes(
    secure, new_user, open_secure, sign_in, private_keys
):
    with secure.connect() as classic:
        user = classic.register_for_messages(new_user())
        classic.reconnect(user)
        classic.put(user, "folder/x", b"uploaded")
        classic.put(user, "y", b"")
    client, account = open_secure(), Account()
    client.adopt(account, user.id, user.name, private_keys[0])
    assert client.file_names() == ["x", "y"]
    assert client.content_of("x") == b"uploaded"
    client.put_file("x", b"put", flags=Put.REPLACE)
    assert sign_in(account).content_of("x") == b"put"
