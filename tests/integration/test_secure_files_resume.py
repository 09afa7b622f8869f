"""A put that broke off goes on where it was: over connections, crashes and restarts of the server."""

import os
import time
from functools import partial

import pytest
from peer import own_files
from peer.accounts import Reason, Request
from peer.conversation import wait_until
from peer.crypto import cksum
from peer.drop import User
from peer.own_files import Ended, Put, end_frame, is_in_use, new_put_id, piece_frame, put_frame, put_frames
from peer.secure import Refused, SecureClient

MIB = 1024 * 1024
CONTENT = os.urandom(3 * MIB + 5)


def go_on(client: SecureClient, put_id: bytes, name: str, content: bytes) -> Ended:
    """As a client does whose connection was lost: as soon as the server knows that it was. What was sent over the lost
    one may be read even after the put was found to be free, so it is asked for until it was put."""
    ended = []

    def is_put() -> bool:
        try:
            ended.append(client.put_file(name, content, put_id=put_id))
        except Refused as refused:
            assert refused.reason == Reason.PUT_IN_USE, refused
        return ended != []

    wait_until(is_put, "the put is free again")
    return ended[0]


def begin(client: SecureClient, put_id: bytes, name: str, content: bytes, sent: int) -> None:
    opened = client.open_put(name, len(content), put_id=put_id)
    assert (opened.is_kept, opened.offset) == (False, 0)
    assert client.put_pieces(own_files.pieces_of(content[:sent])) == sent


def expect_offset(client: SecureClient, put_id: bytes, name: str, content: bytes, offset: int) -> None:
    wait_until(lambda: not is_in_use(client, put_id, name, len(content)), "the put is free again")
    opened = client.open_put(name, len(content), put_id=put_id)
    assert (opened.is_kept, opened.offset, opened.cksum) == (False, offset, cksum(content[:offset]))


def staged_bytes(server) -> int:
    return sum(path.stat().st_size for path in server.staged_paths())


@pytest.mark.parametrize("sent", [0, 1, MIB - 1, MIB, 2 * MIB + 3, len(CONTENT)])
@pytest.mark.parametrize("end", ["close", "close_at_once", "reset"])
def test_what_came_before_the_end_of_a_connection_is_not_sent_again(new_account, sign_in, sent, end):
    client, account = new_account()
    put_id = new_put_id()
    begin(client, put_id, "x", CONTENT, sent)
    getattr(client, end)()
    client = sign_in(account)
    expect_offset(client, put_id, "x", CONTENT, sent)
    client.put_pieces(own_files.pieces_of(CONTENT[sent:]), sent)
    assert client.end_put(cksum(CONTENT)) == Ended(0)
    assert client.content_of("x") == CONTENT


def test_it_goes_on_on_the_same_connection_too(keeper):
    put_id = new_put_id()
    begin(keeper, put_id, "x", CONTENT, MIB)
    keeper.put_file("another", b"meanwhile")
    expect_offset(keeper, put_id, "x", CONTENT, MIB)
    assert keeper.put_file("x", CONTENT, put_id=put_id) == Ended(0)
    assert keeper.file_names() == ["another", "x"]
    assert keeper.content_of("x") == CONTENT


def test_several_that_broke_off_go_on_each_for_itself(keeper):
    parts = {f"file {number}": (new_put_id(), os.urandom(1000), number * 100) for number in range(10)}
    for name, (put_id, content, sent) in parts.items():
        begin(keeper, put_id, name, content, sent)
    for name, (put_id, content, sent) in reversed(parts.items()):
        expect_offset(keeper, put_id, name, content, sent)
        keeper.put_file(name, content, put_id=put_id)
        assert keeper.content_of(name) == content


def test_cut_at_every_byte_it_goes_on_and_ends_right(new_account, sign_in, secure):
    """Each time the connection ends with so many bytes of a whole put sent, once with an end and once with a reset."""
    client, account = new_account()
    content = b"the content"
    frames = put_frames("file 000", content, put_id=bytes(16), piece=4)
    for cut in range(len(frames) + 1):
        name, put_id = f"file {cut:03}", new_put_id()
        broken = sign_in(account)
        broken.send(put_frames(name, content, put_id=put_id, piece=4)[:cut])
        broken.reset() if cut % 2 else broken.close()
        go_on(client, put_id, name, content)
        assert client.content_of(name) == content
    assert client.file_names() == [f"file {cut:03}" for cut in range(len(frames) + 1)]
    wait_until(lambda: secure.staged_paths() == [], "nothing is left over")


def test_half_a_piece_that_was_cut_is_not_counted_wrongly(new_account, sign_in):
    """Whether any of it counts is the server's affair; what it says that it has, is the beginning of the content."""
    client, account = new_account()
    put_id = new_put_id()
    begin(client, put_id, "x", CONTENT, MIB)
    client.send(piece_frame(CONTENT[MIB : 2 * MIB])[: MIB // 2])
    client.close()
    client = sign_in(account)
    wait_until(lambda: not is_in_use(client, put_id, "x", len(CONTENT)), "the put is free again")
    opened = client.open_put("x", len(CONTENT), put_id=put_id)
    assert MIB <= opened.offset < 2 * MIB
    assert opened.cksum == cksum(CONTENT[: opened.offset])
    client.put_file("x", CONTENT, put_id=put_id)
    assert client.content_of("x") == CONTENT


# -- the server


def test_what_was_written_before_a_crash_is_not_sent_again(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    put_id = new_put_id()
    begin(client, put_id, "x", CONTENT, 2 * MIB + 3)
    wait_until(lambda: staged_bytes(server) >= MIB, "all of it is written but for what waits for more")
    server.kill()
    written = staged_bytes(server)
    server.start()
    client = sign_in(account, server)
    expect_offset(client, put_id, "x", CONTENT, written)
    client.put_pieces(own_files.pieces_of(CONTENT[written:]), written)
    assert client.end_put(cksum(CONTENT)) == Ended(0)
    assert client.content_of("x") == CONTENT


def test_what_was_acknowledged_before_a_clean_end_is_not_sent_again(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    open_one, parked = new_put_id(), new_put_id()
    begin(client, parked, "parked", CONTENT, 5)
    begin(client, open_one, "open", CONTENT, 2 * MIB + 3)
    server.restart()
    client = sign_in(account, server)
    expect_offset(client, parked, "parked", CONTENT, 5)
    expect_offset(client, open_one, "open", CONTENT, 2 * MIB + 3)
    client.put_file("open", CONTENT, put_id=open_one)
    client.put_file("parked", CONTENT, put_id=parked)
    assert [client.content_of(name) for name in client.file_names()] == [CONTENT, CONTENT]


def test_killed_at_any_moment_it_ends_right(make_secure, new_account, sign_in):
    """Pieces are on their way each time; what the server has after it, is the beginning of the content."""
    server = make_secure()
    client, account = new_account(server)
    put_id = new_put_id()
    for round_number in range(4):
        opened = client.open_put("x", len(CONTENT), put_id=put_id)
        assert opened.cksum == cksum(CONTENT[: opened.offset])
        rest = CONTENT[opened.offset :][: (round_number + 1) * 400_000]
        client.send(b"".join(map(piece_frame, own_files.pieces_of(rest, 100_000))))
        if round_number % 2:
            client.hear_position()
        server.restart_after_kill()
        client = sign_in(account, server)
    client.put_file("x", CONTENT, put_id=put_id)
    assert client.content_of("x") == CONTENT
    assert client.file_names() == ["x"]


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "a little later"])
def test_killed_between_the_end_of_a_put_and_its_answer_the_same_again_is_right(
    make_secure, new_account, sign_in, waits
):
    server = make_secure()
    client, account = new_account(server)
    names = [f"file {number}" for number in range(6)]
    for number, name in enumerate(names):
        put_id = new_put_id()
        begin(client, put_id, name, CONTENT, len(CONTENT))
        client.send(end_frame(cksum(CONTENT)))
        if waits:
            time.sleep(0.002 * number)  # wherever that comes: each moment is one that there is
        server.restart_after_kill()
        client = sign_in(account, server)
        opened = client.open_put(name, len(CONTENT), put_id=put_id)
        assert opened.cksum == cksum(CONTENT[: opened.offset])
        if opened.is_kept:
            assert client.end_put(cksum(CONTENT)) == Ended.WAS_KEPT
        else:
            assert client.put_file(name, CONTENT, put_id=put_id) == Ended(0)
    assert client.file_names() == names
    assert all(client.content_of(name) == CONTENT for name in names)
    assert server.staged_paths() == []


def test_what_was_answered_is_there_after_a_crash_and_found_again(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    put_id = new_put_id()
    client.put_file("x", CONTENT, put_id=put_id)
    before = client.facts_of("x")
    server.restart_after_kill()
    client = sign_in(account, server)
    opened = client.open_put("x", len(CONTENT), put_id=put_id)
    assert (opened.is_kept, opened.offset, opened.cksum) == (True, len(CONTENT), cksum(CONTENT))
    assert client.end_put(cksum(CONTENT)) == Ended.WAS_KEPT
    after = client.facts_of("x")
    assert (after.size, after.time, after.cksum) == (before.size, before.time, before.cksum)


# -- put ids


def test_a_put_that_is_open_elsewhere_is_refused_until_that_has_gone(new_account, sign_in):
    first, account = new_account()
    second = sign_in(account)
    put_id = new_put_id()
    begin(first, put_id, "x", CONTENT, MIB)
    payload = partial(own_files.put_payload, put_id, "x", len(CONTENT))
    for flags in (0, Put.REPLACE, Put.ANEW, Put.ANEW | Put.REPLACE):
        assert second.refusal(Request.PUT_FILE, payload(flags)) == Reason.PUT_IN_USE
    assert first.put_piece(CONTENT[MIB : 2 * MIB]) == 2 * MIB
    first.put_file("another", b"ends the first one")
    expect_offset(second, put_id, "x", CONTENT, 2 * MIB)
    assert first.refusal(Request.PUT_FILE, payload()) == Reason.PUT_IN_USE
    second.close()
    go_on(first, put_id, "x", CONTENT)
    assert first.content_of("x") == CONTENT


def test_anew_forgets_what_came_before(keeper, secure):
    put_id = new_put_id()
    begin(keeper, put_id, "x", CONTENT, MIB)
    for _ in range(2):
        opened = keeper.open_put("x", len(CONTENT), put_id=put_id, flags=Put.ANEW)
        assert (opened.is_kept, opened.offset, opened.cksum) == (False, 0, cksum(b""))
    other = os.urandom(1000)
    assert keeper.put_file("x", other, put_id=put_id) == Ended(0)
    assert keeper.content_of("x") == other


def test_another_content_under_a_put_id_is_seen_by_its_cksum(keeper):
    """A file that changed under a client that makes its put ids badly."""
    put_id = new_put_id()
    begin(keeper, put_id, "x", CONTENT, MIB)
    other = os.urandom(len(CONTENT))
    assert keeper.put_file("x", other, put_id=put_id) == Ended(0)
    assert keeper.content_of("x") == other


def test_a_smaller_size_under_a_put_id_does_not_begin_beyond_its_end(keeper):
    put_id = new_put_id()
    begin(keeper, put_id, "x", CONTENT, MIB)
    opened = keeper.open_put("x", MIB - 1, put_id=put_id)
    assert opened.offset <= MIB - 1
    assert keeper.put_file("x", CONTENT[: MIB - 1], put_id=put_id) == Ended(0)
    assert keeper.content_of("x") == CONTENT[: MIB - 1]


def test_a_piece_beyond_the_size_ends_the_put_and_what_came_stays(keeper):
    put_id = new_put_id()
    content = b"0123456789"
    begin(keeper, put_id, "x", content, 6)
    keeper.send(piece_frame(b"6789!") + piece_frame(b"6789") + end_frame(cksum(content)))
    assert [keeper.hear_refusal() for _ in range(3)] == [Reason.NO_SENSE, Reason.NO_PUT, Reason.NO_PUT]
    expect_offset(keeper, put_id, "x", content, 6)
    assert keeper.put_file("x", content, put_id=put_id) == Ended(0)


def test_an_end_where_pieces_are_missing_keeps_what_came(keeper):
    put_id = new_put_id()
    begin(keeper, put_id, "x", CONTENT, MIB)
    assert keeper.refusal(Request.PUT_END, end_frame(cksum(CONTENT))[-4:]) == Reason.NO_PUT
    assert keeper.list_files() == []
    expect_offset(keeper, put_id, "x", CONTENT, MIB)
    keeper.put_file("x", CONTENT, put_id=put_id)
    assert keeper.content_of("x") == CONTENT


def test_a_put_whose_name_was_taken_meanwhile_goes_on_with_replace(new_account, sign_in):
    first, account = new_account()
    put_id = new_put_id()
    begin(first, put_id, "x", CONTENT, MIB)
    sign_in(account).put_file("x", b"meanwhile")
    rest = own_files.pieces_of(CONTENT[MIB:])
    first.put_pieces(rest, MIB)
    assert first.refusal(Request.PUT_END, end_frame(cksum(CONTENT))[-4:]) == Reason.FILE_EXISTS
    opened = first.open_put("x", len(CONTENT), put_id=put_id, flags=Put.REPLACE)
    assert (opened.offset, opened.cksum) == (len(CONTENT), cksum(CONTENT))
    assert first.end_put(cksum(CONTENT)) == Ended.REPLACED
    assert first.content_of("x") == CONTENT


# -- its lifetime


def test_what_broke_off_is_discarded_after_its_lifetime(make_secure, new_account):
    server = make_secure(stage_lifetime=1)
    client, _ = new_account(server)
    client.put_file("kept", b"kept")
    put_id = new_put_id()
    begin(client, put_id, "x", CONTENT, MIB)
    client.put_file("another", b"ends it")
    wait_until(lambda: server.staged_paths() == [], "staging is swept")
    assert client.open_put("x", len(CONTENT), put_id=put_id).offset == 0
    assert client.file_names() == ["another", "kept"]


def test_at_a_start_what_is_old_goes_and_what_is_young_stays(make_secure, new_account, sign_in):
    server = make_secure(stage_lifetime=600)
    client, account = new_account(server)
    old, young = new_put_id(), new_put_id()
    begin(client, old, "old", CONTENT, 5)
    begin(client, young, "young", CONTENT, 6)
    server.stop()
    for path in server.staged_paths():
        if path.stat().st_size == 5:
            os.utime(path, (time.time() - 700, time.time() - 700))
    server.start()
    client = sign_in(account, server)
    expect_offset(client, young, "young", CONTENT, 6)
    expect_offset(client, old, "old", CONTENT, 0)


def test_uploads_of_the_classic_port_go_at_a_start_and_puts_stay(
    make_secure, new_account, sign_in, private_keys, classic_key
):
    server = make_secure()
    client, account = new_account(server)
    user = User(account.name, private_keys[0], client.classic_on(classic_key))
    put_id = new_put_id()
    begin(client, put_id, "x", CONTENT, 1000)
    with server.connect() as classic:
        classic.reconnect(user)
        classic.send_file(user, "uploaded", b"never confirmed")
    assert len(server.staged_paths()) == 2
    server.restart()
    assert [path.stat().st_size for path in server.staged_paths()] == [1000]
    expect_offset(sign_in(account, server), put_id, "x", CONTENT, 1000)


def test_rubbish_in_staging_is_no_put_and_goes_at_a_start(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    put_id = new_put_id()
    begin(client, put_id, "x", CONTENT, 7)
    server.stop()
    (path,) = server.staged_paths()
    names = [path.name[:-1], path.name + "0", path.name.upper(), "put-", f"put-{'0' * 32}-{put_id.hex()}", "left over"]
    for name in names:
        path.with_name(name).write_bytes(b"?")
    server.start()
    assert server.staged_paths() == [path]
    expect_offset(sign_in(account, server), put_id, "x", CONTENT, 7)


def test_a_put_that_never_ends_leaves_nothing_but_its_stage(make_secure, new_account):
    server = make_secure()
    client, _ = new_account(server)
    client.send(b"".join(put_frame(new_put_id(), f"file {number}", 10) for number in range(50)))
    for _ in range(50):
        client.hear_opened()
    assert client.list_files() == []
    assert server.stored_paths() == []
