"""Own files: what makes no sense, comes at the wrong place, or from somebody who has not signed in."""

import json
import struct

import pytest
from peer import own_files
from peer.accounts import Reason, Request
from peer.crypto import cksum
from peer.frames import ConnectionEnded
from peer.kesherd import REPOSITORY
from peer.own_files import Ended, Put, end_frame, new_put_id, piece_frame, put_frame, put_frames
from peer.secure import ended, frame

MIB = 1024 * 1024
VECTORS = json.loads((REPOSITORY / "tests" / "vectors-secure.json").read_text())["own_files"]

GOOD = {
    Request.LIST_FILES: own_files.name_payload(""),
    Request.GET_FILE: own_files.get_payload("x"),
    Request.REMOVE_FILE: own_files.name_payload("x"),
    Request.PUT_FILE: own_files.put_payload(bytes(16), "x", 5),
    Request.PUT_PIECE: b"piece",
    Request.PUT_END: bytes(4),
    Request.DIGEST_FILE: own_files.name_payload("x"),
}


@pytest.mark.parametrize("code", GOOD)
def test_a_stranger_is_told_to_sign_in_first(client, code):
    assert client.refusal(code, GOOD[code]) == Reason.SIGN_IN_FIRST
    assert client.is_served()


def test_a_stranger_sends_no_piece(client):
    """A request of more than 1024 bytes ends the connection before sign-in."""
    client.send(piece_frame(bytes(MIB))[: 64 * 1024])
    assert client.hear_refusal() in (Reason.NO_SENSE, Reason.SIGN_IN_FIRST)
    assert ended(client)


@pytest.mark.parametrize("code", [code for code in GOOD if code != Request.PUT_PIECE])
def test_what_is_cut_or_too_long_makes_no_sense(keeper, code):
    good = GOOD[code]
    for payload in [good[:size] for size in range(len(good))] + [good + b"\0", good + bytes(300)]:
        assert keeper.refusal(code, payload) == Reason.NO_SENSE
    assert keeper.list_files() == []


def test_what_the_page_calls_malformed_makes_no_sense(keeper):
    rows = [row for row in VECTORS["malformed"] if row["code"] in GOOD]
    assert rows
    for row in rows:
        assert keeper.refusal(row["code"], bytes.fromhex(row["payload_hex"])) == Reason.NO_SENSE, row
    assert keeper.list_files() == []


def test_pieces_and_ends_without_a_put_are_refused(keeper):
    for _ in range(2):
        assert keeper.refusal(Request.PUT_PIECE, b"piece") == Reason.NO_PUT
        assert keeper.refusal(Request.PUT_END, bytes(4)) == Reason.NO_PUT
    assert keeper.refusal(Request.PUT_PIECE, bytes(MIB)) == Reason.NO_PUT
    keeper.put_file("x", b"content")
    assert keeper.refusal(Request.PUT_PIECE, b"piece") == Reason.NO_PUT
    assert keeper.refusal(Request.PUT_END, struct.pack("<I", cksum(b"content"))) == Reason.NO_PUT
    assert keeper.content_of("x") == b"content"


def test_an_empty_piece_ends_the_put(keeper):
    put_id = new_put_id()
    keeper.open_put("x", 5, put_id=put_id)
    keeper.put_piece(b"12")
    assert keeper.refusal(Request.PUT_PIECE, b"") == Reason.NO_SENSE
    assert keeper.refusal(Request.PUT_PIECE, b"345") == Reason.NO_PUT
    assert keeper.open_put("x", 5, put_id=put_id).offset == 2


def test_a_piece_of_more_than_1_mib_is_none(new_account, sign_in):
    """It is longer than what is skipped, so the connection ends; what came before it stays."""
    client, account = new_account()
    put_id = new_put_id()
    client.open_put("x", 3 * MIB, put_id=put_id)
    client.put_piece(b"12")
    client.send_as_far_as_taken(piece_frame(bytes(MIB + 1)))
    assert client.hear_refusal() == Reason.NO_SENSE
    assert ended(client)
    client = sign_in(account)
    assert client.open_put("x", 3 * MIB, put_id=put_id).offset == 2


def test_a_piece_that_says_to_be_4_gib_takes_no_memory_and_ends_the_connection(new_account, secure):
    client, _ = new_account()
    client.open_put("x", 5 << 30)
    client.send(piece_frame(b"", declared=(1 << 32) - 1))
    assert client.hear_refusal() == Reason.NO_SENSE
    assert ended(client)


@pytest.mark.parametrize("code", [3017, 3018, 3029])
def test_codes_that_are_kept_for_later_are_unknown(keeper, code):
    assert keeper.refusal(code, b"something") == Reason.UNKNOWN_REQUEST
    assert keeper.list_files() == []


@pytest.mark.parametrize("flags", [4, 8, 0x80, 0xFF])
def test_a_flag_that_there_is_not_is_refused(keeper, flags):
    assert keeper.refusal(Request.PUT_FILE, own_files.put_payload(new_put_id(), "x", 0, flags)) == Reason.NO_SENSE


def test_every_byte_of_a_put_may_come_alone(keeper):
    keeper.send_bytewise(put_frames("x", b"content", piece=3) + own_files.list_frame())
    keeper.hear_opened()
    assert [keeper.hear_position() for _ in range(3)] == [3, 6, 7]
    assert keeper.hear_put_ended() == Ended(0)
    assert [file.name for file in keeper.hear_page()[1]] == ["x"]


def test_another_put_ends_the_first_one_without_a_word(keeper):
    first = new_put_id()
    keeper.send(
        put_frame(first, "first", 10)
        + piece_frame(b"01234")
        + put_frames("second", b"second")
        + piece_frame(b"56789")
        + put_frame(first, "first", 10)
        + piece_frame(b"56789")
        + end_frame(cksum(b"0123456789"))
    )
    assert keeper.hear_opened().offset == 0
    assert keeper.hear_position() == 5
    keeper.hear_opened()
    assert keeper.hear_position() == 6
    assert keeper.hear_put_ended() == Ended(0)
    assert keeper.hear_refusal() == Reason.NO_PUT
    opened = keeper.hear_opened()
    assert (opened.offset, opened.cksum) == (5, cksum(b"01234"))
    assert keeper.hear_position() == 10
    assert keeper.hear_put_ended() == Ended(0)
    assert keeper.content_of("first") == b"0123456789"


def test_other_requests_may_stand_between_the_pieces_of_a_put(keeper):
    keeper.put_file("there", b"is one")
    keeper.open_put("x", 4)
    keeper.put_piece(b"12")
    assert keeper.file_names() == ["there"]
    assert keeper.content_of("there") == b"is one"
    assert keeper.refusal(Request.GET_FILE, own_files.get_payload("x")) == Reason.NO_FILE
    keeper.remove_file("there")
    keeper.account()
    assert keeper.put_piece(b"34") == 4
    assert keeper.end_put(cksum(b"1234")) == Ended(0)
    assert keeper.content_of("x") == b"1234"


def test_a_connection_that_goes_over_to_the_chat_has_parked_its_put(new_account, sign_in):
    client, account = new_account()
    put_id = new_put_id()
    client.open_put("x", 4, put_id=put_id)
    client.put_piece(b"12")
    client.talk()
    second = sign_in(account)
    opened = second.open_put("x", 4, put_id=put_id)
    assert opened.offset == 2
    second.put_piece(b"34")
    second.end_put(cksum(b"1234"))
    assert second.content_of("x") == b"1234"


def test_a_client_that_reads_no_answers_is_not_answered_without_end(new_account):
    """A list is long, its request short: the server reads on only when its answers were taken."""
    client, _ = new_account()
    for number in range(50):
        client.put_file(f"{number} {'n' * 200}", b"")
    client.socket.settimeout(5)
    with pytest.raises((TimeoutError, ConnectionEnded, OSError)):
        for _ in range(100_000):
            client.send(own_files.list_frame() * 50)


def test_the_client_id_of_a_request_chooses_nobody_elses_files(new_account):
    owner, account = new_account()
    owner.put_file("x", b"the owner's")
    other, _ = new_account()
    request = bytearray(own_files.list_frame())
    request[:16] = account.public_id
    other.send(bytes(request))
    assert other.hear_page() == (False, [])


def test_a_version_4_frame_is_what_the_answers_are(keeper):
    keeper.send(frame(Request.LIST_FILES, own_files.name_payload("")))
    assert keeper.receive().version == 4


def test_replace_and_anew_are_allowed_together_and_alone(keeper):
    for flags in (Put(0), Put.REPLACE, Put.REPLACE | Put.ANEW):
        keeper.put_file("x", b"content", flags=flags)
    assert keeper.refusal(
        Request.PUT_FILE, own_files.put_payload(new_put_id(), "x", 7, Put.ANEW)
    ) == Reason.FILE_EXISTS
