"""Own files of an account: put, list, get, remove, and their SHA-256."""

import hashlib
import os
import time

import pytest
from peer import accounts, own_files
from peer.accounts import Entry, Reason, Request
from peer.crypto import cksum
from peer.own_files import Ended, Facts, Put, end_frame, new_put_id, put_frame, put_frames

MIB = 1024 * 1024
SIZES = [0, 1, 2, 4095, 4096, 65536, MIB - 1, MIB, MIB + 1, 3 * MIB + 17]


def kept(client) -> tuple[int, int]:
    """How many files the account keeps, and bytes, as it is told itself."""
    told = client.account()
    return accounts.number(told[Entry.FILES]), accounts.number(told[Entry.BYTES])


@pytest.mark.parametrize("size", SIZES)
def test_what_was_put_is_listed_and_got(keeper, size):
    content = os.urandom(size)
    before = time.time_ns()
    assert keeper.put_file("hello.txt", content) == Ended(0)
    ((name, facts),) = [(file.name, file.facts) for file in keeper.list_files()]
    assert (name, facts.size, facts.cksum) == ("hello.txt", size, cksum(content))
    assert before - 10**9 <= facts.time <= time.time_ns() + 10**9
    got = keeper.get_file("hello.txt")
    assert got.content == content
    assert (got.coming.facts.size, got.coming.facts.cksum) == (size, cksum(content))
    assert kept(keeper) == (1, size)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_pieces_may_have_any_size(keeper, piece):
    content = os.urandom(5000)
    keeper.put_file("x", content, piece=piece)
    assert keeper.content_of("x") == content


def test_each_piece_is_answered_with_how_much_there_is(keeper):
    keeper.open_put("x", 10)
    assert [keeper.put_piece(piece) for piece in (b"0", b"1234", b"56789")] == [1, 5, 10]
    assert keeper.end_put(cksum(b"0123456789")) == Ended(0)


def test_an_account_without_files_has_an_empty_list(keeper):
    assert keeper.list_page() == (False, [])
    assert keeper.list_page("behind everything") == (False, [])


def test_the_list_comes_in_pages_in_the_order_of_the_bytes_of_names(keeper):
    names = [f"{os.urandom(3).hex()} {number} {'n' * (number % 240)}" for number in range(1500)]
    names += ["Z", "a", "a/b", "a b", "é", "\udcff", "ア"]
    for start in range(0, len(names), 250):
        some = names[start : start + 250]
        keeper.send(b"".join(put_frames(name, b"", flags=Put.ANEW) for name in some))
        for _ in some:
            keeper.hear_opened()
            keeper.hear_put_ended()
    more, page = keeper.list_page()
    assert more and 0 < len(page) < len(names)
    assert keeper.file_names() == sorted(names, key=own_files.name_bytes)
    assert kept(keeper) == (len(names), 0)


def test_a_list_goes_on_behind_any_name(keeper):
    for name in ("b", "d", "d/e"):
        keeper.put_file(name, b"")
    after = {"": "b d d/e", "a": "b d d/e", "b": "d d/e", "c": "d d/e", "d": "d/e", "d/": "d/e", "d/e": "", "e": ""}
    for name, rest in after.items():
        more, files = keeper.list_page(name)
        assert (more, [file.name for file in files]) == (False, rest.split())


# -- removing


def test_what_was_removed_is_neither_listed_nor_got(keeper):
    for name in ("a", "b", "c"):
        keeper.put_file(name, b"content of " + name.encode())
    keeper.remove_file("b")
    assert keeper.file_names() == ["a", "c"]
    for code in (Request.REMOVE_FILE, Request.DIGEST_FILE):
        assert keeper.refusal(code, own_files.name_payload("b")) == Reason.NO_FILE
    assert keeper.refusal(Request.GET_FILE, own_files.get_payload("b")) == Reason.NO_FILE
    assert kept(keeper) == (2, 2 * len("content of a"))
    keeper.put_file("b", b"again")
    assert keeper.content_of("b") == b"again"


def test_what_was_removed_does_not_come_back_after_a_crash(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    client.put_file("stays", b"stays")
    client.put_file("goes", b"goes")
    client.put_file("goes, and comes", b"goes")
    client.remove_file("goes")
    client.remove_file("goes, and comes")
    client.put_file("goes, and comes", b"comes")
    for restart in (server.restart_after_kill, server.restart):
        restart()
        client = sign_in(account, server)
        assert client.file_names() == ["goes, and comes", "stays"]
        assert client.content_of("goes, and comes") == b"comes"
        assert len(server.stored_paths()) == 2
    assert server.staged_paths() == []


def test_many_are_removed_in_one_send(keeper):
    names = [f"file {number}" for number in range(100)]
    keeper.send(b"".join(put_frames(name, b"x") for name in names))
    for _ in names:
        keeper.hear_opened(), keeper.hear_position(), keeper.hear_put_ended()
    keeper.send(b"".join(map(own_files.remove_frame, names)) + own_files.remove_frame("file 0"))
    for _ in names:
        keeper.hear_removed()
    assert keeper.hear_refusal() == Reason.NO_FILE
    assert keeper.list_files() == []


# -- replacing


def test_a_file_is_replaced_only_by_who_says_so(keeper):
    keeper.put_file("x", b"first")
    put_id = new_put_id()
    for size in (0, 4, 6, MIB):
        assert keeper.refusal(Request.PUT_FILE, own_files.put_payload(put_id, "x", size)) == Reason.FILE_EXISTS
    assert keeper.put_file("x", b"another", flags=Put.REPLACE) == Ended.REPLACED
    assert keeper.content_of("x") == b"another"
    assert kept(keeper) == (1, len(b"another"))
    assert keeper.put_file("y", b"new", flags=Put.REPLACE) == Ended(0)


def test_a_name_that_was_taken_meanwhile_is_not_replaced_at_the_end(keeper, new_account, sign_in):
    first, account = new_account()
    second = sign_in(account)
    first.open_put("x", 5)
    first.put_piece(b"first")
    second.put_file("x", b"the second")
    assert first.refusal(Request.PUT_END, end_frame(cksum(b"first"))[-4:]) == Reason.FILE_EXISTS
    assert first.content_of("x") == b"the second"


def test_of_two_puts_of_one_name_the_last_that_ends_is_the_file(new_account, sign_in):
    first, account = new_account()
    second = sign_in(account)
    for client, content in ((first, b"first"), (second, b"the second")):
        client.open_put("x", len(content), flags=Put.REPLACE)
        client.put_piece(content)
    assert second.end_put(cksum(b"the second")) == Ended(0)
    assert first.end_put(cksum(b"first")) == Ended.REPLACED
    assert second.content_of("x") == b"first"
    assert second.file_names() == ["x"]


# -- what is kept already


def test_the_same_again_is_found_and_changes_nothing(keeper):
    content = os.urandom(100_000)
    keeper.put_file("x", content)
    before = keeper.facts_of("x")
    for flags in (Put(0), Put.REPLACE):
        opened = keeper.open_put("x", len(content), flags=flags)
        assert (opened.is_kept, opened.offset, opened.cksum) == (True, len(content), cksum(content))
        assert keeper.end_put(opened.cksum) == Ended.WAS_KEPT
    assert keeper.facts_of("x") == before
    assert keeper.content_of("x") == content


def test_the_cksum_that_is_wrong_of_what_is_kept_takes_nothing_away(keeper):
    keeper.put_file("x", b"kept")
    opened = keeper.open_put("x", 4)
    assert opened.is_kept
    assert keeper.refusal(Request.PUT_END, end_frame(opened.cksum ^ 1)[-4:]) == Reason.CKSUM
    assert keeper.content_of("x") == b"kept"
    assert keeper.open_put("x", 4).is_kept


def test_pieces_of_what_is_kept_are_beyond_its_size(keeper):
    keeper.put_file("x", b"kept")
    assert keeper.open_put("x", 4).is_kept
    assert keeper.refusal(Request.PUT_PIECE, b"!") == Reason.NO_SENSE
    assert keeper.content_of("x") == b"kept"


def test_what_is_kept_and_goes_before_the_end_is_not_said_to_be_kept(new_account, sign_in):
    client, account = new_account()
    other = sign_in(account)
    for change in (lambda: other.remove_file("x"), lambda: other.put_file("x", b"else", flags=Put.REPLACE)):
        client.put_file("x", b"kept")
        opened = client.open_put("x", 4)
        assert opened.is_kept
        change()
        assert client.refusal(Request.PUT_END, end_frame(opened.cksum)[-4:]) == Reason.FILE_EXISTS
    assert client.content_of("x") == b"else"


def test_another_content_of_the_same_size_takes_its_place_only_anew_and_with_replace(keeper):
    keeper.put_file("x", b"first")
    put_id = new_put_id()
    opened = keeper.open_put("x", 5, put_id=put_id, flags=Put.REPLACE)
    assert opened.is_kept and opened.cksum != cksum(b"other")
    assert (
        keeper.refusal(Request.PUT_FILE, own_files.put_payload(put_id, "x", 5, Put.ANEW)) == Reason.FILE_EXISTS
    )
    opened = keeper.open_put("x", 5, put_id=put_id, flags=Put.REPLACE | Put.ANEW)
    assert (opened.is_kept, opened.offset) == (False, 0)
    keeper.put_piece(b"other")
    assert keeper.end_put(cksum(b"other")) == Ended.REPLACED
    assert keeper.content_of("x") == b"other"


def test_an_empty_file_that_is_kept_is_found(keeper):
    keeper.put_file("x", b"")
    opened = keeper.open_put("x", 0)
    assert (opened.is_kept, opened.offset, opened.cksum) == (True, 0, cksum(b""))
    assert keeper.end_put(cksum(b"")) == Ended.WAS_KEPT


# -- the cksum


def test_a_wrong_cksum_leaves_nothing(make_secure, new_account):
    server = make_secure()
    client, _ = new_account(server)
    client.put_file("x", b"the older one")
    put_id = new_put_id()
    for content in (b"", b"content", os.urandom(2 * MIB)):
        client.open_put("x", len(content), put_id=put_id, flags=Put.REPLACE)
        client.put_pieces(own_files.pieces_of(content))
        assert client.refusal(Request.PUT_END, end_frame(cksum(content) ^ 1)[-4:]) == Reason.CKSUM
        assert client.refusal(Request.PUT_END, end_frame(cksum(content))[-4:]) == Reason.NO_PUT
        assert client.content_of("x") == b"the older one"
        assert server.staged_paths() == []
        assert client.open_put("x", len(content), put_id=put_id, flags=Put.REPLACE).offset == 0
    assert client.file_names() == ["x"]


# -- many in one send


def test_300_small_files_in_one_send_are_all_kept(keeper):
    files = {f"folder/file {number}": os.urandom(number * 10) for number in range(300)}
    keeper.send(b"".join(put_frames(name, content, flags=Put.ANEW) for name, content in files.items()))
    for content in files.values():
        opened = keeper.hear_opened()
        assert (opened.is_kept, opened.offset, opened.cksum) == (False, 0, cksum(b""))
        if content:
            assert keeper.hear_position() == len(content)
        assert keeper.hear_put_ended() == Ended(0)
    assert {file.name: file.facts.cksum for file in keeper.list_files()} == {
        name: cksum(content) for name, content in files.items()
    }
    for name, content in files.items():
        assert keeper.content_of(name) == content


def test_what_is_asked_behind_a_put_sees_it(keeper):
    keeper.send(
        put_frames("a", b"content")
        + own_files.list_frame()
        + own_files.get_frame("a")
        + own_files.digest_frame("a")
        + own_files.remove_frame("a")
        + own_files.list_frame()
        + own_files.get_frame("a")
    )
    keeper.hear_opened(), keeper.hear_position(), keeper.hear_put_ended()
    _, (listed,) = keeper.hear_page()
    assert listed.name == "a"
    assert keeper.hear_file().content == b"content"
    assert keeper.hear_digest() == hashlib.sha256(b"content").digest()
    keeper.hear_removed()
    assert keeper.hear_page() == (False, [])
    assert keeper.hear_refusal() == Reason.NO_FILE


def test_a_remove_right_behind_a_put_removes_it(keeper):
    flags = Put.REPLACE | Put.ANEW  # what is there may be there still when the next one begins
    frames = [put_frames("a", b"content", flags=flags) + own_files.remove_frame("a") for _ in range(50)]
    keeper.send(b"".join(frames))
    for _ in frames:
        keeper.hear_opened(), keeper.hear_position(), keeper.hear_put_ended(), keeper.hear_removed()
    assert keeper.list_files() == []


def test_a_put_that_is_refused_takes_its_pieces_with_it_and_nothing_else(keeper):
    keeper.put_file("there", b"is one")
    put_id = new_put_id()
    keeper.send(
        put_frames("there", b"another", flags=Put.ANEW)
        + put_frames("a/../b", b"x")
        + put_frame(put_id, "next", 4)
        + own_files.piece_frame(b"next")
        + end_frame(cksum(b"next"))
    )
    refused = [keeper.hear_refusal() for _ in range(6)]
    assert refused == [Reason.FILE_EXISTS, Reason.NO_PUT, Reason.NO_PUT, Reason.FILE_NAME, Reason.NO_PUT, Reason.NO_PUT]
    keeper.hear_opened(), keeper.hear_position()
    assert keeper.hear_put_ended() == Ended(0)
    assert keeper.content_of("there") == b"is one"
    assert keeper.content_of("next") == b"next"


# -- SHA-256


@pytest.mark.parametrize("size", [0, 1, 3 * MIB + 17])
def test_the_digest_is_the_files_and_known_afterwards(keeper, size):
    content = os.urandom(size)
    keeper.put_file("x", content)
    digest = hashlib.sha256(content).digest()
    assert keeper.digest_file("x") == digest
    assert keeper.facts_of("x").sha256 == digest
    assert keeper.get_file("x").coming.facts == keeper.facts_of("x")
    assert keeper.digest_file("x") == digest


def test_the_digest_of_what_was_replaced_is_that_of_the_new_one(keeper):
    keeper.put_file("x", b"old")
    keeper.digest_file("x")
    keeper.put_file("x", b"newer", flags=Put.REPLACE)
    assert keeper.digest_file("x") == hashlib.sha256(b"newer").digest()
    assert keeper.get_file("x").coming.facts.sha256 == hashlib.sha256(b"newer").digest()


def test_digests_are_known_after_a_restart(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    client.put_file("asked", b"asked")
    client.put_file("not asked", b"not asked")
    client.digest_file("asked")
    before = client.facts_of("asked")
    for restart in (server.restart_after_kill, server.restart):
        restart()
        client = sign_in(account, server)
        assert client.facts_of("asked") == before
        assert client.digest_file("not asked") == hashlib.sha256(b"not asked").digest()


def test_what_is_known_of_a_file_is_the_same_everywhere(keeper):
    keeper.put_file("x", b"content")
    keeper.digest_file("x")
    facts = keeper.facts_of("x")
    assert facts == Facts(7, facts.time, cksum(b"content"), hashlib.sha256(b"content").digest())
    assert keeper.get_file("x").coming.facts == facts
