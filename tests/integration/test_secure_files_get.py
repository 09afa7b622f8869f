"""Getting own files: from where the client is, whole whatever happens meanwhile, and never a damaged one unnoticed."""

import contextlib
import os
from pathlib import Path

import pytest
from peer import own_files
from peer.accounts import Account, Reason, Request
from peer.conversation import wait_until
from peer.crypto import Cksum, cksum
from peer.own_files import LARGEST, PIECE_LIMIT, Put, get_frame
from peer.secure import Refused, SecureClient

MIB = 1024 * 1024
CONTENT = os.urandom(3 * MIB + 5)
SLOW = 32 * MIB  # more than the buffers between two programs take


# -- where it goes on


@pytest.mark.parametrize("have", [0, 1, MIB, MIB + 7, len(CONTENT) - 1, len(CONTENT)])
def test_it_goes_on_where_the_client_is(keeper, have):
    keeper.put_file("x", CONTENT)
    got = keeper.get_file("x", CONTENT[:have])
    assert (got.coming.offset, got.coming.length) == (have, len(CONTENT) - have)
    assert CONTENT[:have] + got.content == CONTENT


@pytest.mark.parametrize("have", [1, 1000, len(CONTENT)])
def test_what_the_client_has_of_another_content_is_sent_again(keeper, have):
    keeper.put_file("x", CONTENT)
    got = keeper.get_file("x", os.urandom(have))
    assert (got.coming.offset, got.content) == (0, CONTENT)


@pytest.mark.parametrize("offset", [len(CONTENT) + 1, 5 << 30, LARGEST])
def test_more_than_the_file_has_is_no_beginning_of_it(keeper, offset):
    keeper.put_file("x", CONTENT)
    keeper.say_get("x", offset, cksum(CONTENT))
    got = keeper.hear_file()
    assert (got.coming.offset, got.content) == (0, CONTENT)


def test_of_nothing_any_cksum_is_right(keeper):
    keeper.put_file("x", b"content")
    for sum_of_nothing in (0, cksum(b""), 12345):
        keeper.say_get("x", 0, sum_of_nothing)
        assert keeper.hear_file().content == b"content"


def test_a_client_gets_no_more_than_it_wants(keeper):
    keeper.put_file("x", CONTENT)
    for have, length in ((0, 0), (0, 1), (5, MIB), (MIB, MIB + 1), (MIB, len(CONTENT)), (len(CONTENT), 5)):
        got = keeper.get_file("x", CONTENT[:have], length)
        assert got.coming.offset == have
        assert got.content == CONTENT[have : have + length]
        assert got.coming.facts.size == len(CONTENT)


def test_the_length_may_be_any_number(keeper):
    keeper.put_file("x", b"content")
    for length in (LARGEST, LARGEST + 1, (1 << 64) - 1):
        assert keeper.get_file("x", length=length).content == b"content"


def test_an_empty_file_is_got(keeper):
    keeper.put_file("x", b"")
    for prefix in (b"", b"something"):
        got = keeper.get_file("x", prefix)
        assert (got.coming.offset, got.coming.length, got.content) == (0, 0, b"")


def test_gets_in_one_send_are_answered_in_their_order(keeper):
    contents = {f"file {number}": os.urandom(number * 100_000) for number in range(10)}
    for name, content in contents.items():
        keeper.put_file(name, content)
    keeper.send(b"".join(map(get_frame, contents)) + get_frame("none") + get_frame("file 3"))
    for content in contents.values():
        assert keeper.hear_file().content == content
    assert keeper.hear_refusal() == Reason.NO_FILE
    assert keeper.hear_file().content == contents["file 3"]


def test_a_get_that_makes_no_sense_is_refused_and_the_connection_goes_on(keeper):
    keeper.put_file("x", b"content")
    good = own_files.get_payload("x")
    wrong = [good[:size] for size in range(len(good))] + [good + b"\0", own_files.get_payload("x", LARGEST + 1)]
    for payload in wrong:
        assert keeper.refusal(Request.GET_FILE, payload) == Reason.NO_SENSE
    assert keeper.content_of("x") == b"content"


# -- what happens meanwhile


@pytest.fixture
def slow_get(new_account, sign_in):
    """A get whose end cannot have been read by the server yet, another connection of the account, and the content."""
    other, account = new_account()
    content = os.urandom(MIB) * (SLOW // MIB)
    other.put_file("x", content)
    client = sign_in(account, receive_buffer=64 * 1024)
    client.say_get("x")
    coming = client.hear_coming()
    first = client.hear_file_piece()
    return client, other, coming, first, content


def finish(client: SecureClient, coming, first: bytes) -> bytes:
    received = bytearray(first)
    while len(received) < coming.length:
        received += client.hear_file_piece()
    assert client.hear_file_end() == cksum(received)
    return bytes(received)


def test_the_old_content_comes_whole_while_the_file_is_replaced(slow_get):
    client, other, coming, first, content = slow_get
    other.put_file("x", b"the new one", flags=Put.REPLACE)
    assert other.content_of("x") == b"the new one"
    assert finish(client, coming, first) == content
    assert client.content_of("x") == b"the new one"


def test_the_old_content_comes_whole_while_the_file_is_removed(slow_get):
    client, other, coming, first, content = slow_get
    other.remove_file("x")
    assert other.list_files() == []
    assert finish(client, coming, first) == content
    with pytest.raises(Refused):
        client.content_of("x")


def test_a_get_that_nobody_reads_keeps_nobody_else_waiting(slow_get):
    client, other, coming, first, content = slow_get
    for number in range(20):
        other.put_file(f"file {number}", b"x")
    assert other.content_of("x") == content
    assert finish(client, coming, first) == content


def test_a_get_that_was_broken_off_leaves_nothing_open(make_secure, new_account, sign_in):
    server = make_secure()
    client, account = new_account(server)
    client.put_file("x", os.urandom(MIB) * (SLOW // MIB))
    for end in ("close", "reset") * 5:
        broken = sign_in(account, server, receive_buffer=64 * 1024)
        broken.say_get("x")
        broken.hear_coming()
        getattr(broken, end)()
    path = server.stored_paths()[0]
    client.remove_file("x")
    wait_until(lambda: server.stored_paths() == [], "it is freed, behind the answer")

    def still_open() -> list[str]:
        links = []
        for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
            try:
                links.append(os.readlink(descriptor))
            except FileNotFoundError:
                pass
        return [link for link in links if path.name in Path(link).name]

    if os.geteuid() == 0:
        wait_until(lambda: not still_open(), "nobody has it open any more")


# -- damage on the server's disk


@pytest.fixture
def damaged(make_secure, new_account):
    """An account with a file of three pieces, on a server of its own, and where it lies."""
    server = make_secure()
    client, account = new_account(server)
    client.put_file("x", CONTENT)
    (path,) = server.stored_paths()
    return server, client, account, path


@contextlib.contextmanager
def keeping_times(path: Path):
    """What happens to the file is what a disk does to it: somebody who writes to it makes it another file."""
    before = path.stat()
    yield
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def flip(path: Path, place: int) -> None:
    with keeping_times(path), path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)
        file.seek(place)
        file.write(bytes([byte[0] ^ 1]))


def refusal_in_the_middle(client: SecureClient) -> tuple[Reason, bytes]:
    """Of a get of all: why it ended, and what came before that."""
    client.say_get("x")
    received = bytearray()
    try:
        coming = client.hear_coming()
        while len(received) < coming.length:
            received += client.hear_file_piece()
        client.hear_file_end()
    except Refused as refused:
        return Reason(refused.reason), bytes(received)
    raise AssertionError("it passed for whole")


@pytest.mark.parametrize("place", [0, MIB, len(CONTENT) - 1])
def test_a_file_with_a_flipped_bit_is_said_to_be_damaged(damaged, place):
    _, client, _, path = damaged
    flip(path, place)
    reason, _ = refusal_in_the_middle(client)
    assert reason == Reason.DAMAGED
    client.put_file("another", b"in step")
    assert client.content_of("another") == b"in step"


def test_of_a_part_the_cksum_tells_what_is_not_right(damaged):
    """The client has a right beginning: that of the file on disk is another one, so it gets it from the start."""
    _, client, _, path = damaged
    flip(path, 5)
    client.say_get("x", MIB, cksum(CONTENT[:MIB]))
    assert client.hear_coming().offset == 0


def test_a_file_that_was_cut_is_said_to_be_damaged(damaged, sign_in):
    server, client, account, path = damaged
    with keeping_times(path):
        os.truncate(path, 2 * MIB)
    reason, received = refusal_in_the_middle(client)
    assert reason == Reason.DAMAGED and received == CONTENT[: len(received)]
    assert client.refusal(Request.DIGEST_FILE, own_files.name_payload("x")) == Reason.DAMAGED
    server.restart()
    reason, _ = refusal_in_the_middle(sign_in(account, server))
    assert reason in (Reason.DAMAGED, Reason.NO_FILE)


def test_a_file_that_grew_is_said_to_be_damaged(damaged):
    _, client, _, path = damaged
    with keeping_times(path), path.open("ab") as file:
        file.write(b"more")
    assert refusal_in_the_middle(client)[0] == Reason.DAMAGED


def test_a_file_that_is_gone_from_the_disk_is_damaged_or_none(damaged):
    _, client, _, path = damaged
    path.unlink()
    assert client.refusal(Request.GET_FILE, own_files.get_payload("x")) in (Reason.DAMAGED, Reason.NO_FILE)
    client.put_file("x", b"again", flags=Put.REPLACE)
    assert client.content_of("x") == b"again"


def test_a_damaged_file_is_put_again(damaged):
    """What is kept already has another cksum than what the client has: it puts it anew."""
    _, client, _, path = damaged
    flip(path, MIB)
    client.put_file("x", CONTENT, flags=Put.REPLACE)
    assert client.content_of("x") == CONTENT


# -- what is too large for the test to hold


def pieces_of_zeros(size: int):
    while size > 0:
        yield bytes(min(size, PIECE_LIMIT))
        size -= PIECE_LIMIT


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_file_of_more_than_4_gib_is_put_and_got_in_two_parts_each(make_secure, new_account, sign_in):
    size = (4 << 30) + 3 * MIB + 1
    server = make_secure(user_bytes=0)
    client, account = new_account(server)
    put_id = own_files.new_put_id()
    client.open_put("large", size, put_id=put_id)
    client.put_pieces(pieces_of_zeros((4 << 30) + MIB))
    server.restart_after_kill()
    client = sign_in(account, server, timeout=600)
    opened = client.open_put("large", size, put_id=put_id)
    assert opened.offset > 3 << 30
    client.put_pieces(pieces_of_zeros(size - opened.offset), opened.offset)
    whole = Cksum()
    for piece in pieces_of_zeros(size):
        whole.update(piece)
    client.end_put(whole.value())
    assert client.facts_of("large").size == size
    have = (4 << 30) + 5
    prefix = Cksum()
    for piece in pieces_of_zeros(have):
        prefix.update(piece)
    client.say_get("large", have, prefix.value())
    coming = client.hear_coming()
    assert (coming.offset, coming.length, coming.facts.cksum) == (have, size - have, whole.value())
    received = 0
    while received < coming.length:
        received += len(client.hear_file_piece())
    assert client.hear_file_end() == whole.value()


def test_a_put_of_5_gib_is_parked_and_goes_on(make_secure, new_account, sign_in):
    server = make_secure(user_bytes=0, free_space=0)
    client, account = new_account(server)
    put_id = own_files.new_put_id()
    for number in range(3):
        opened = client.open_put("large", 5 << 30, put_id=put_id)
        assert (opened.offset, opened.cksum) == (number * MIB, cksum(CONTENT[: number * MIB]))
        assert client.put_piece(CONTENT[number * MIB : (number + 1) * MIB]) == (number + 1) * MIB
        server.restart()
        client = sign_in(account, server)


@pytest.fixture
def sparse(make_secure, sign_in, open_secure, fresh_name):
    """A server that adopts a file of 5 GiB, most of which is a hole."""
    server = make_secure(user_bytes=0)
    account = open_secure(server).register(Account(), fresh_name())
    directory = server.data / "files" / account.public_id.hex()
    server.stop()
    directory.mkdir(exist_ok=True)
    with (directory / "large").open("wb") as file:
        file.seek(5 << 30)
        file.write(b"the end")
    server.start()
    return sign_in(account, server)


def test_the_end_of_a_file_beyond_4_gib_is_got(sparse):
    """Nothing is known of its cksum: it came to be without one."""
    ((name, facts),) = [(file.name, file.facts) for file in sparse.list_files()]
    assert (name, facts.size) == ("large", (5 << 30) + 7)
    sparse.say_get("large", 0, 0, 5)
    assert sparse.hear_file().content == bytes(5)
