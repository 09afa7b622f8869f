"""The peer's two sides of own files against each other: peer/own_files.py and peer/own_files_server.py."""

import hashlib
import os

import pytest
from peer import own_files
from peer.accounts import Account, Reason, Request
from peer.crypto import cksum
from peer.frames import ConnectionEnded, reply
from peer.own_files import Ended, Put, WrongSum, new_put_id
from peer.secure import Refused, SecureClient, Unexpected
from peer.secure_server import SecureServer, refusal

CONTENT = os.urandom(200_000)


@pytest.fixture
def fake():
    server = SecureServer()
    yield server
    server.stop()
    assert server.problems == []


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def client(fake, account):
    with SecureClient.at(fake.link) as client:
        client.register(account, "alice")
        yield client


def test_what_was_put_is_listed_got_and_removed(client):
    for name in ("b", "a/b", "a", "c", "\udcff"):
        assert client.put_file(name, CONTENT) == Ended(0)
    assert client.file_names() == ["a", "a/b", "b", "c", "\udcff"]
    assert client.get_file("a/b", CONTENT[:5]).content == CONTENT[5:]
    assert client.content_of("\udcff") == CONTENT
    assert client.digest_file("a") == hashlib.sha256(CONTENT).digest() == client.facts_of("a").sha256
    for name in client.file_names():
        client.remove_file(name)
    assert client.list_files() == []


def test_a_put_goes_on_over_connections(fake, client, account):
    put_id = new_put_id()
    client.open_put("x", len(CONTENT), put_id=put_id)
    client.put_pieces(own_files.pieces_of(CONTENT[:70_000], 30_000))
    with SecureClient.at(fake.link) as other:
        other.sign_in(account)
        assert own_files.is_in_use(other, put_id, "x", len(CONTENT))
        client.talk()
        assert not own_files.is_in_use(other, put_id, "x", len(CONTENT))
        assert other.open_put("x", len(CONTENT), put_id=put_id).offset == 70_000
        assert other.put_file("x", CONTENT, put_id=put_id) == Ended(0)
        assert other.put_file("x", CONTENT, put_id=put_id) == Ended.WAS_KEPT
        assert other.put_file("x", CONTENT[1:] + b"!", flags=Put.REPLACE) == Ended.REPLACED


def test_a_connection_is_cut_where_the_test_says(fake, client, account):
    fake.cuts[Request.PUT_PIECE] = 2
    put_id = new_put_id()
    with pytest.raises(ConnectionEnded):
        client.put_file("x", CONTENT, put_id=put_id, piece=50_000)
    with SecureClient.at(fake.link) as other:
        other.sign_in(account)
        assert other.open_put("x", len(CONTENT), put_id=put_id).offset == 100_000
        assert other.put_file("x", CONTENT, put_id=put_id) == Ended(0)


def test_lies_are_seen(fake, client):
    client.put_file("x", CONTENT)
    coming = own_files.coming_payload(own_files.Coming(0, 5, client.facts_of("x")))
    five = reply(4011, coming, version=4) + reply(4017, b"12345", version=4)
    fake.instead[Request.GET_FILE] = five + reply(4018, b"sum!", version=4)
    with pytest.raises(WrongSum):
        client.get_file("x", length=5)
    fake.instead[Request.GET_FILE] = five + refusal(Reason.DAMAGED)
    with pytest.raises(Refused, match="27"):
        client.get_file("x", length=5)
    fake.instead[Request.GET_FILE] = reply(4018, bytes(4), version=4)
    with pytest.raises(Unexpected):
        client.get_file("x")


def test_a_wrong_cksum_is_refused_and_what_came_forgotten(client):
    put_id = new_put_id()
    client.open_put("x", 5, put_id=put_id)
    client.put_piece(b"12345")
    assert client.refusal(Request.PUT_END, own_files.end_frame(cksum(b"12345") ^ 1)[-4:]) == Reason.CKSUM
    assert client.open_put("x", 5, put_id=put_id).offset == 0
