"""Own files are one account's: no other sees them, a removed one leaves nothing, the log has nothing of them."""

import os

import pytest
from peer import own_files
from peer.accounts import Reason, Request
from peer.conversation import wait_until
from peer.crypto import cksum
from peer.operators import Operator
from peer.own_files import Ended, Put, new_put_id
from peer.secure import ended

MIB = 1024 * 1024


def test_no_account_sees_or_takes_anothers_files(new_account):
    owner, _ = new_account()
    other, _ = new_account()
    owner.put_file("mine", b"the owner's")
    assert other.list_files() == []
    for code, payload in (
        (Request.GET_FILE, own_files.get_payload("mine")),
        (Request.REMOVE_FILE, own_files.name_payload("mine")),
        (Request.DIGEST_FILE, own_files.name_payload("mine")),
    ):
        assert other.refusal(code, payload) == Reason.NO_FILE
    assert owner.content_of("mine") == b"the owner's"


def test_one_name_in_two_accounts_is_two_files(new_account):
    first, _ = new_account()
    second, _ = new_account()
    first.put_file("x", b"the first one's")
    assert not second.open_put("x", len(b"the first one's")).is_kept
    assert second.put_file("x", b"the second one's") == Ended(0)
    first.remove_file("x")
    assert second.content_of("x") == b"the second one's"


def test_one_put_id_in_two_accounts_is_two_puts(new_account):
    """It is made of facts that others may guess; it is no secret, and gives nobody anything."""
    first, _ = new_account()
    second, _ = new_account()
    put_id = new_put_id()
    first.open_put("x", 10, put_id=put_id)
    first.put_piece(b"first")
    opened = second.open_put("x", 10, put_id=put_id, flags=Put.ANEW)
    assert opened.offset == 0
    assert second.put_piece(b"2nd") == 3
    assert first.put_piece(b" part") == 10
    assert first.end_put(cksum(b"first part")) == Ended(0)
    assert second.put_piece(b" secret") == 10
    assert second.end_put(cksum(b"2nd secret")) == Ended(0)
    assert (first.content_of("x"), second.content_of("x")) == (b"first part", b"2nd secret")


def test_a_put_that_broke_off_is_not_found_by_another_account(new_account):
    first, _ = new_account()
    second, _ = new_account()
    put_id = new_put_id()
    first.open_put("x", 10, put_id=put_id)
    first.put_piece(b"first")
    first.put_file("y", b"ends it")
    assert second.open_put("x", 10, put_id=put_id).offset == 0
    assert first.open_put("x", 10, put_id=put_id).offset == 5


def test_a_removed_account_is_cut_in_the_middle_of_a_put_and_leaves_nothing(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    client.put_file("kept", os.urandom(100_000))
    client.open_put("parked", 10)
    client.put_piece(b"12345")
    client.open_put("x", 2 * MIB)
    client.put_piece(os.urandom(MIB))
    second = sign_in(account, server)
    second.open_put("y", 2 * MIB)
    second.send(own_files.piece_frame(bytes(MIB))[:1000])
    Operator(server.data).succeed("user", "remove", "--yes", account.name)
    assert ended(client) and ended(second)
    wait_until(lambda: server.staged_paths() == [], "nothing is left in staging")
    wait_until(lambda: server.stored_paths() == [], "nothing is left in files")
    server.restart()
    assert (server.staged_paths(), server.stored_paths()) == ([], [])


def test_an_account_that_removes_itself_leaves_nothing(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    client.put_file("kept", b"content")
    other = sign_in(account, server)
    other.open_put("x", 10)
    other.put_piece(b"12345")
    client.remove(account)
    assert ended(other)
    wait_until(lambda: server.staged_paths() + server.stored_paths() == [], "nothing is left")


def test_a_removed_account_is_cut_in_the_middle_of_a_get(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    client.put_file("x", os.urandom(MIB) * 32)
    slow = sign_in(account, server, receive_buffer=64 * 1024)
    slow.say_get("x")
    slow.hear_coming()
    Operator(server.data).succeed("user", "remove", "--yes", account.name)
    assert ended(client)
    wait_until(lambda: server.stored_paths() == [], "nothing is left")


def test_who_gets_the_name_of_a_removed_account_finds_no_files(make_secure, new_account, open_secure):
    server = make_secure()
    client, account = new_account(server)
    put_id = new_put_id()
    client.put_file("x", b"of the first")
    client.open_put("y", 10, put_id=put_id)
    client.put_piece(b"12345")
    name = account.name
    operator = Operator(server.data)
    operator.succeed("user", "remove", "--yes", name)
    link = operator.succeed("invite", "--for", name).out
    invitation = link.strip().splitlines()[-1].rpartition("#")[2].partition(".")[0]
    heir = open_secure(server)
    heir.register(type(account)(), name, invitation)
    assert heir.list_files() == []
    assert heir.open_put("y", 10, put_id=put_id).offset == 0


@pytest.mark.parametrize("level", ["info", "debug"])
def test_the_log_has_no_contents_and_at_info_no_put_ids(make_secure, new_account, level):
    """Names it has where a file was kept, as of those of the classic port."""
    server = make_secure(log_level=level)
    client, _ = new_account(server)
    put_id = bytes(range(0xA0, 0xB0))
    client.put_file("Folder/name", b"secret content", put_id=put_id)
    client.get_file("Folder/name")
    client.list_files()
    client.digest_file("Folder/name")
    client.open_put("x", 50, put_id=put_id)
    client.put_piece(b"secret piece")
    client.remove_file("Folder/name")
    client.refusal(Request.GET_FILE, own_files.get_payload("secret name that there is not"))
    client.refusal(Request.PUT_FILE, own_files.put_payload(put_id, "secret name/../x", 5))
    server.stop()
    log = server.log()
    assert 'kept "Folder/name"' in log
    assert "secret" not in log
    assert level == "debug" or put_id.hex() not in log.lower()
