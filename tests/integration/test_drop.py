"""The file drop's exchange: contents, sums, confirmations, keys, and what a connection's own state means.

What is kept where, under which name, and over restarts is in test_drop_storage.py.
"""

import os
import subprocess
from dataclasses import replace

import pytest
from peer import crypto
from peer.drop import (
    CONTENTS_PER_KEY,
    LARGEST_CONTENT,
    SEND_FILE_FIXED_SIZE,
    UNKNOWN_ID,
    Received,
    User,
    file_frame,
    named_frame,
    reconnect_frame,
    thanks,
)
from peer.fixtures import in_threads
from peer.frames import DROP_ERROR, DROP_VERSION, Answer, Reply, Request, text_field

KIB, MIB = 1 << 10, 1 << 20
SIZES = [
    0,
    1,
    15,
    16,
    17,
    4095,
    4096,
    4097,
    64 * KIB - 1,
    64 * KIB,
    64 * KIB + 1,
    256 * KIB - 1,
    256 * KIB,
    256 * KIB + 1,
    MIB + 3,
]


def copy_of(user: User) -> User:
    """The same user, to be given a key of its own."""
    return replace(user)


# -- the plain way


def test_the_plain_way_from_registering_to_a_verified_file(server, connection, new_user):
    user, plain = new_user(), os.urandom(10_000)
    connection.register(user)
    connection.send_public_key(user)
    connection.send_file(user, "report.pdf", plain)
    connection.confirm(user, "report.pdf")
    ((file_name, path, verified),) = server.file_rows(user.id)
    assert (file_name, verified) == ("report.pdf", 1)
    assert (server.data / path).read_bytes() == plain


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_this_size_is_summed_as_cksum_does_and_stored_byte_by_byte(server, connection, user, size):
    plain = os.urandom(size)
    printed = subprocess.run(["cksum"], input=plain, capture_output=True, check=True).stdout
    assert connection.send_file(user, "sized", plain).cksum == int(printed.split()[0])
    connection.confirm(user, "sized")
    assert server.stored(user.id, "sized") == plain


def test_the_sum_of_hello_is_the_number_of_the_specification(connection, user):
    assert connection.send_file(user, "hello", b"hello").cksum == 3287646509


def test_an_upload_that_arrives_in_small_pieces_is_stored_whole(server, connection, user):
    plain = os.urandom(100_001)
    frame = file_frame(user.id, "pieces", user.encrypt(plain))
    step = 1 + 23 + SEND_FILE_FIXED_SIZE
    start = 0
    while start < len(frame):
        connection.send(frame[start : start + step])
        start += step
        step = step % 997 + 1
    assert Received.parse(connection.expect(Answer.FILE_RECEIVED).payload).cksum == crypto.cksum(plain)
    connection.confirm(user, "pieces")
    assert server.stored(user.id, "pieces") == plain


@pytest.mark.parametrize("filler", [b"\0", b"\xcd", b"\xff\0\x01"])
def test_a_2103_echoes_id_size_and_name_field_as_received(connection, user, filler):
    field, content = text_field("dir/sub\\name.txt", filler), user.encrypt(b"x" * 100)
    received = connection.send_content(user, field, content)
    assert received == Received(user.id, len(content), field, crypto.cksum(b"x" * 100))


def test_a_2104_carries_the_id(connection, user):
    connection.send_file(user, "x", b"")
    assert connection.ask(user.id, Request.CRC_OK, text_field("x")) == thanks(user.id)
    assert connection.ask(user.id, Request.GIVE_UP, text_field("x")) == thanks(user.id)


# -- content size and payload size


def test_a_payload_size_without_the_content_means_that_the_content_follows_all_the_same(
    server, connection, user
):
    plain = os.urandom(70_000)
    received = connection.send_content(user, "x", user.encrypt(plain), declared=SEND_FILE_FIXED_SIZE)
    assert received.cksum == crypto.cksum(plain)
    connection.confirm(user, "x")
    assert server.stored(user.id, "x") == plain


@pytest.mark.parametrize("size", [16, 160, 60_000 // 16 * 16])
def test_the_content_of_a_refused_request_with_that_payload_size_is_skipped_too(connection, user, size):
    connection.send(file_frame(UNKNOWN_ID, "x", bytes(size), declared=SEND_FILE_FIXED_SIZE))
    assert connection.receive() == DROP_ERROR
    connection.put(user, "x", b"in step")


def test_the_content_of_a_refused_name_with_that_payload_size_is_skipped_too(connection, user):
    connection.send(file_frame(user.id, "..", user.encrypt(b"content"), declared=SEND_FILE_FIXED_SIZE))
    assert connection.receive() == DROP_ERROR
    connection.put(user, "x", b"in step")


@pytest.mark.parametrize("size", [16, 64 * KIB])
def test_the_content_of_a_refused_request_that_fits_its_size_is_skipped(connection, user, size):
    connection.send(file_frame(UNKNOWN_ID, "x", bytes(size)))
    assert connection.receive() == DROP_ERROR
    connection.put(user, "x", b"in step")


def test_a_content_size_of_zero_is_an_error(connection, user):
    connection.send(file_frame(user.id, "x", b""))
    assert connection.receive() == DROP_ERROR
    connection.put(user, "x", b"in step")


@pytest.mark.parametrize("size", [1, 15, 17, 100, 4095])
def test_a_content_size_that_is_no_multiple_of_16_is_an_error(connection, user, size):
    connection.send(file_frame(user.id, "x", bytes(size)))
    assert connection.receive() == DROP_ERROR
    connection.expect_nothing_staged(user, "x")
    connection.put(user, "x", b"in step")


@pytest.mark.parametrize("size", [1, 17])
def test_such_a_size_is_skipped_in_the_form_without_the_content_too(connection, user, size):
    connection.send(file_frame(user.id, "x", bytes(size), declared=SEND_FILE_FIXED_SIZE))
    assert connection.receive() == DROP_ERROR
    connection.put(user, "x", b"in step")


@pytest.mark.parametrize("declared", [SEND_FILE_FIXED_SIZE, SEND_FILE_FIXED_SIZE + LARGEST_CONTENT])
def test_the_largest_content_with_nothing_behind_it_takes_no_memory_and_leaves_nothing(
    server, connection, user, declared
):
    before = server.resident_bytes()
    clients = [server.connect() for _ in range(20)]
    for client in clients:
        client.send(file_frame(user.id, "huge", bytes(1000), content_size=LARGEST_CONTENT, declared=declared))
    connection.put(user, "x", b"served all the same")
    assert server.resident_bytes() - before < 64 * MIB
    for client in clients:
        client.finish_sending()
        assert client.receive_until_end() == []
        client.close()
    connection.expect_nothing_staged(user, "huge")


# -- padding


def badly_padded() -> dict[str, bytes]:
    block = bytes(range(100, 116))
    return {
        "a last byte of 0": block + block[:15] + b"\0",
        "a last byte of 17": block + block[:15] + b"\x11",
        "a last byte of 255": block[:15] + b"\xff",
        "two, after a one": block + block[:14] + b"\1\2",
        "sixteen, after fifteens": block + b"\x0f" * 15 + b"\x10",
        "three, with a wrong first byte": block + block[:13] + b"\2\3\3",
    }


@pytest.mark.parametrize("kind", badly_padded())
def test_bad_padding_counts_as_content_and_has_no_answer_of_its_own(server, connection, user, kind):
    text = badly_padded()[kind]
    content = crypto.aes_encrypt_unpadded(user.aes_key, text)
    answers = [connection.send_content(user, "padding", content) for _ in range(3)]
    assert answers == [Received(user.id, len(content), text_field("padding"), crypto.cksum(text))] * 3
    connection.confirm(user, "padding")
    assert server.stored(user.id, "padding") == text


@pytest.mark.parametrize("length", range(1, 17))
def test_good_padding_of_every_length_is_stripped(connection, user, length):
    plain = b"\x10" * (32 - length)
    content = crypto.aes_encrypt_unpadded(user.aes_key, plain + bytes([length]) * length)
    assert connection.send_content(user, "padding", content).cksum == crypto.cksum(plain)


def test_content_under_a_wrong_key_is_summed_like_any_other(server, connection, user):
    stranger = copy_of(user)
    stranger.aes_key = bytes(16)
    content = stranger.encrypt(bytes(100))
    answers = {connection.send_content(user, "x", content).cksum for _ in range(3)}
    assert len(answers) == 1


# -- which key


def test_a_file_before_any_key_is_an_error(connection, registered):
    connection.send(file_frame(registered.id, "x", bytes(32)))
    assert connection.receive() == DROP_ERROR


def test_a_file_of_a_user_of_messages_before_any_aes_key_is_an_error(connection, new_user):
    user = connection.register_for_messages(new_user())
    connection.send(file_frame(user.id, "x", bytes(32)))
    assert connection.receive() == DROP_ERROR


def test_a_connection_without_a_key_of_its_own_uses_the_last_one_issued_anywhere(server, connection, user):
    with server.connect() as other:
        other.put(user, "x", b"under the last key")
    connection.reconnect(user)
    with server.connect() as other:
        other.put(user, "x", b"under the newer key")


@pytest.mark.parametrize("step", ["reconnect", "send_public_key"])
def test_each_connection_prefers_the_key_that_it_was_given(server, connection, user, step):
    with server.connect() as other:
        elsewhere = copy_of(user)
        getattr(other, step)(elsewhere)
        assert elsewhere.aes_key != user.aes_key
        connection.put(user, "x", b"under the older key of its own connection")
        other.put(elsewhere, "x", b"under the newer key of its own connection")
        connection.put(user, "x", b"still under the older one")
    connection.reconnect(user)
    connection.put(user, "x", b"under the newest")


def test_a_connections_own_key_is_that_of_one_user_only(connection, user, new_user):
    other = connection.register_for_messages(new_user())
    connection.reconnect(other)
    connection.put(user, "x", b"of the first user")
    connection.put(other, "x", b"of the other user")


@pytest.mark.parametrize("step", ["reconnect", "send_public_key"])
def test_the_key_of_an_upload_is_fixed_when_it_begins(server, connection, user, step):
    plain = os.urandom(100_000)
    upload = file_frame(user.id, "x", user.encrypt(plain))
    with server.connect() as other:
        other.send(upload[:50_000])
        wait_until_taken_in(other)
        getattr(connection, step)(user)
        other.send(upload[50_000:])
        received = Received.parse(other.expect(Answer.FILE_RECEIVED).payload)
        assert received.cksum == crypto.cksum(plain)
        other.confirm(user, "x")
    assert server.stored(user.id, "x") == plain


def wait_until_taken_in(connection) -> None:
    """Gives the server time to read what was sent: no answer tells of half a frame."""
    assert connection.is_silent_for(0.5)


# -- sixteen contents under one key


def test_the_seventeenth_content_under_one_key_without_a_1029_is_refused(connection, user):
    for _ in range(CONTENTS_PER_KEY):
        connection.send_file(user, "x", b"content")
    connection.send(file_frame(user.id, "x", user.encrypt(b"content")))
    assert connection.receive() == DROP_ERROR


def test_contents_under_one_key_are_counted_over_all_connections(server, connection, user):
    for _ in range(CONTENTS_PER_KEY):
        with server.connect() as other:
            other.send_file(user, "x", b"content")
    with server.connect() as other:
        other.send(file_frame(user.id, "x", user.encrypt(b"content")))
        assert other.receive() == DROP_ERROR
    connection.send(file_frame(user.id, "x", user.encrypt(b"content")))
    assert connection.receive() == DROP_ERROR


def test_a_dropped_key_is_followed_by_a_fresh_one(connection, user):
    for _ in range(CONTENTS_PER_KEY):
        connection.send_file(user, "x", b"content")
    connection.send(file_frame(user.id, "x", user.encrypt(b"content")))
    assert connection.receive() == DROP_ERROR
    connection.reconnect(user)
    connection.put(user, "x", b"under a fresh key")


def test_a_1029_starts_the_count_again(connection, user):
    for _ in range(4):
        for _ in range(CONTENTS_PER_KEY - 1):
            connection.send_file(user, "x", b"content")
        connection.put(user, "x", b"content")


def test_pipelined_contents_are_counted_like_any_others(connection, user):
    connection.send(file_frame(user.id, "x", user.encrypt(b"content")) * (CONTENTS_PER_KEY + 4))
    codes = [connection.receive().code for _ in range(CONTENTS_PER_KEY + 4)]
    assert codes == [Answer.FILE_RECEIVED] * CONTENTS_PER_KEY + [Answer.ERROR] * 4


# -- ids that nobody has


@pytest.mark.parametrize("code", [Request.CRC_OK, Request.GIVE_UP])
def test_a_confirmation_from_an_unknown_id_is_an_error(connection, code):
    assert connection.ask(UNKNOWN_ID, code, text_field("x")) == DROP_ERROR


def test_a_1030_from_an_unknown_id_gets_one_answer_and_leaves_the_connection_in_step(connection):
    connection.send(named_frame(UNKNOWN_ID, Request.CRC_WRONG, "x"))
    connection.finish_sending()
    answers = connection.receive_until_end()
    assert answers in ([DROP_ERROR], [Reply(DROP_VERSION, Answer.THANKS, UNKNOWN_ID)])


def test_a_file_from_an_unknown_id_is_an_error_and_stores_nothing(server, connection):
    connection.send(file_frame(UNKNOWN_ID, "x", bytes(32)))
    assert connection.receive() == DROP_ERROR
    assert server.rows("SELECT * FROM files WHERE ID = ?", UNKNOWN_ID) == []
    assert not server.directory_of(UNKNOWN_ID).exists()


# -- many at once


def test_fifty_clients_at_once_each_get_their_file_through(server, new_user):
    users = [new_user() for _ in range(50)]

    def run(user: User) -> bytes:
        plain = os.urandom(64 * KIB)
        with server.connect() as client:
            client.introduce(user)
            client.put(user, "mine", plain)
        return plain

    for user, plain in zip(users, in_threads(run, users)):
        assert server.stored(user.id, "mine") == plain


def test_fifty_connections_of_one_user_each_get_their_file_through(server, connection, user):
    def run(number: int) -> None:
        with server.connect() as client:
            own = copy_of(user)
            client.reconnect(own)
            for round_number in range(5):
                client.put(own, f"file {number}", f"{number} in round {round_number}".encode() * 100)

    in_threads(run, list(range(50)))
    stored = {name: (server.data / path).read_bytes() for name, path, _ in server.file_rows(user.id)}
    assert stored == {f"file {number}": f"{number} in round 4".encode() * 100 for number in range(50)}


def test_a_hundred_small_files_go_through_pipelined(server, connection, user):
    plain = {f"small {number}": os.urandom(number * 37) for number in range(100)}
    connection.send(
        b"".join(
            file_frame(user.id, name, user.encrypt(text)) + named_frame(user.id, Request.CRC_OK, name)
            for name, text in plain.items()
        )
    )
    for name, text in plain.items():
        assert Received.parse(connection.expect(Answer.FILE_RECEIVED).payload).cksum == crypto.cksum(text)
        assert connection.receive() == thanks(user.id)
    assert {name: server.stored(user.id, name) for name in plain} == plain


def test_a_pipelined_reconnect_changes_the_key_of_the_1028_behind_it(connection, user):
    """The 1028 was encrypted under the old key: it must be read under the new one, which nobody knows yet."""
    content = user.encrypt(b"under the old key")
    connection.send(reconnect_frame(user) + file_frame(user.id, "x", content))
    user.take_key(connection.expect(Answer.KEY_AGAIN))
    received = Received.parse(connection.expect(Answer.FILE_RECEIVED).payload)
    assert received.cksum == crypto.cksum(crypto.aes_decrypt_as_server(user.aes_key, content))
