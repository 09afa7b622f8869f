"""What one account may keep, and put at a time; what stays free on the disk; and how much memory puts take."""

import os

import pytest
from peer import own_files
from peer.accounts import Answer, Reason, Request, parse_refusal
from peer.conversation import wait_until
from peer.crypto import cksum
from peer.drop import User
from peer.frames import Reply
from peer.memory import MemoryWatch, hold_back_little_freed_memory
from peer.own_files import Ended, Put, end_frame, new_put_id, piece_frame, put_payload

MIB = 1024 * 1024


def reasons(answers: list[Reply]) -> list[Reason]:
    """Of those that are refusals."""
    refused = [answer for answer in answers if answer.code == Answer.REFUSED]
    return [Reason(parse_refusal(answer.payload)[0]) for answer in refused]


def why_not(client, name: str, content: bytes, *, put_id: bytes | None = None, flags: int = 0) -> Reason | None:
    """Why this is not kept: at the beginning, on the way or at the end."""
    put_id = put_id or new_put_id()
    frames = [own_files.put_frame(put_id, name, len(content), flags)]
    frames += map(piece_frame, own_files.pieces_of(content))
    frames.append(end_frame(cksum(content)))
    client.send(b"".join(frames))
    refused = reasons([client.receive() for _ in frames])
    return refused[0] if refused else None


# -- files and their bytes


def test_a_file_too_many_is_refused_and_one_in_the_place_of_another_is_not(make_secure, new_account):
    server = make_secure(user_files=2)
    client, _ = new_account(server)
    other, _ = new_account(server)
    for name in ("a", "b"):
        client.put_file(name, b"content")
    assert client.refusal(Request.PUT_FILE, put_payload(new_put_id(), "c", 7)) == Reason.QUOTA
    client.put_file("b", b"another", flags=Put.REPLACE)
    other.put_file("c", b"another's")
    client.remove_file("a")
    client.put_file("c", b"content")
    assert client.file_names() == ["b", "c"]


def test_of_many_in_one_send_as_many_are_kept_as_fit(make_secure, new_account):
    server = make_secure(user_files=5)
    client, _ = new_account(server)
    names = [f"file {number}" for number in range(20)]
    answers = [why_not(client, name, b"x") for name in names]
    assert answers == [None] * 5 + [Reason.QUOTA] * 15
    for name in names[:5]:
        client.remove_file(name)
    frames = [own_files.put_frames(name, b"x") for name in names]
    client.send(b"".join(frames))
    codes = [client.receive().code for _ in range(3 * len(names))]
    assert codes.count(Answer.PUT_ENDED) == 5
    assert len(client.list_files()) == 5
    wait_until(lambda: len(server.stored_paths()) == 5, "the others have left nothing in files/")


def test_the_last_bytes_fit_and_one_more_does_not(make_secure, new_account):
    server = make_secure(user_bytes="1M")
    client, _ = new_account(server)
    client.put_file("a", os.urandom(MIB - 1000))
    assert client.refusal(Request.PUT_FILE, put_payload(new_put_id(), "b", 1001)) == Reason.QUOTA
    assert client.refusal(Request.PUT_FILE, put_payload(new_put_id(), "b", own_files.LARGEST)) == Reason.QUOTA
    client.put_file("b", os.urandom(1000))
    assert why_not(client, "c", b"x") == Reason.QUOTA
    client.put_file("c", b"")
    client.remove_file("b")
    client.put_file("c", os.urandom(1000), flags=Put.REPLACE)


def test_a_size_beside_which_nothing_fits_a_number_is_refused(make_secure, new_account):
    server = make_secure(user_bytes=0, free_space=0)
    client, _ = new_account(server)
    client.put_file("a", b"content")
    opened = client.open_put("b", own_files.LARGEST)
    assert opened.offset == 0
    client.put_piece(b"12")
    client.put_file("c", b"content")
    assert client.file_names() == ["a", "c"]


@pytest.mark.parametrize("limit", [{"user_bytes": "4K"}, {"user_files": 1}])
def test_a_limit_that_was_lowered_in_the_middle_of_a_put_holds_at_its_end(make_secure, new_account, limit):
    server = make_secure(user_bytes="1M", user_files=10)
    client, _ = new_account(server)
    client.put_file("there", b"is one")
    put_id, content = new_put_id(), os.urandom(5000)
    client.open_put("x", 5000, put_id=put_id)
    client.put_piece(content[:2500])
    server.reload(**limit)
    client.send(piece_frame(content[2500:]) + end_frame(cksum(content)))
    assert reasons([client.receive() for _ in range(2)])[0] == Reason.QUOTA
    assert client.file_names() == ["there"]
    server.reload(user_bytes="1M", user_files=10)
    opened = client.open_put("x", 5000, put_id=put_id)
    assert opened.offset >= 2500 and opened.cksum == cksum(content[: opened.offset])
    client.put_pieces([content[opened.offset :]] if opened.offset < 5000 else [], opened.offset)
    assert client.end_put(cksum(content)) == Ended(0)
    assert client.content_of("x") == content


def test_files_of_the_classic_port_and_own_files_count_together(make_secure, new_account, private_keys, classic_key):
    server = make_secure(user_files=2)
    client, account = new_account(server)
    user = User(account.name, private_keys[0], client.classic_on(classic_key))
    with server.connect() as classic:
        classic.reconnect(user)
        classic.put(user, "a", b"uploaded")
        client.put_file("b", b"put")
        assert why_not(client, "c", b"x") == Reason.QUOTA
        client.remove_file("a")
        classic.put(user, "d", b"uploaded")
        assert why_not(client, "c", b"x") == Reason.QUOTA


def test_what_is_kept_counts_after_a_crash(make_secure, new_account, sign_in):
    server = make_secure(user_files=2)
    client, account = new_account(server)
    for name in ("a", "b", "c"):
        assert (why_not(client, name, b"x") is None) == (name != "c")
    client.remove_file("a")
    server.restart_after_kill()
    client = sign_in(account, server)
    client.put_file("c", b"x")
    assert why_not(client, "d", b"x") == Reason.QUOTA


# -- puts


def test_an_account_has_so_many_puts_open_at_a_time(make_secure, new_account, sign_in):
    server = make_secure(uploads_per_user=2)
    first, account = new_account(server)
    others = [sign_in(account, server) for _ in range(2)]
    first.open_put("first", 5)
    others[0].open_put("second", 5)
    assert others[1].refusal(Request.PUT_FILE, put_payload(new_put_id(), "third", 5)) == Reason.QUOTA
    first.put_piece(b"first")
    first.end_put(cksum(b"first"))
    others[1].put_file("third", b"third")
    another, _ = new_account(server)
    another.put_file("another's", b"x")


def test_the_oldest_that_broke_off_makes_room(make_secure, new_account):
    server = make_secure(uploads_per_user=3)
    client, _ = new_account(server)
    ids = {name: new_put_id() for name in "abcde"}
    for name, put_id in ids.items():
        client.open_put(name, 10, put_id=put_id)
        client.put_piece(b"12345")
    assert len(server.staged_paths()) == 3
    assert [client.open_put(name, 10, put_id=ids[name]).offset for name in "edc"] == [5, 5, 5]
    assert client.open_put("a", 10, put_id=ids["a"]).offset == 0


def test_parked_puts_hold_no_more_bytes_than_the_account_may_keep(make_secure, new_account):
    server = make_secure(user_bytes="1M")
    client, _ = new_account(server)
    for number in range(8):
        client.open_put(f"file {number}", 300_000)
        client.put_pieces([os.urandom(299_999)])
    client.list_files()
    wait_until(
        lambda: sum(path.stat().st_size for path in server.staged_paths()) <= MIB, "no more than it may keep is there"
    )


# -- the disk


def test_without_room_puts_are_refused_and_what_is_there_is_served(make_secure, new_account):
    server = make_secure(free_space=0)
    client, _ = new_account(server)
    client.put_file("before", b"before")
    put_id, content = new_put_id(), os.urandom(100_000)
    client.open_put("x", len(content), put_id=put_id)
    client.put_piece(content[:50_000])
    server.reload(free_space=1 << 30)
    for _ in range(3):
        assert why_not(client, "late", b"late") == Reason.NO_SPACE
    assert client.content_of("before") == b"before"
    client.remove_file("before")
    server.reload(free_space=0)
    opened = client.open_put("x", len(content), put_id=put_id)
    assert opened.offset == 50_000
    client.put_file("x", content, put_id=put_id)
    assert client.content_of("x") == content


# -- memory


def test_200_connections_with_half_a_piece_each_take_no_more_than_the_buffers(
    make_secure, new_account, sign_in, monkeypatch
):
    hold_back_little_freed_memory(monkeypatch)
    server = make_secure(buffers="8M")
    client, _ = new_account(server)
    accounts = [new_account(server)[1] for _ in range(20)]
    many = [sign_in(account, server) for account in accounts for _ in range(10)]
    with MemoryWatch(server) as memory:
        for number, one in enumerate(many):
            one.send(own_files.put_frame(new_put_id(), f"file {number}", 10 * MIB))
            one.socket.settimeout(1)
            one.send_as_far_as_taken(piece_frame(bytes(MIB))[: MIB // 2])
        client.put_file("another", b"is served meanwhile")
        assert client.content_of("another") == b"is served meanwhile"
    assert memory.growth < 80 * MIB  # 100 MiB were sent
