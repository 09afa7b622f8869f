"""Peers that pad requests to blocks of 1024 bytes, and wait for answers that are padded, too."""

import os

import pytest
from peer import crypto
from peer.blocks import BLOCK_SIZE, BlocksClient, key_of_user_frame, padded, receive_padding
from peer.conversation import UNKNOWN_CODE, assert_served, taken
from peer.drop import file_frame, named_frame
from peer.frames import RESPONSE_HEADER, Answer, Request, request
from peer.messages import message_frame


@pytest.fixture
def blocks(server):
    with BlocksClient(server.address) as client:
        yield client


def test_the_steps_of_the_drop_work_in_blocks(blocks, server, new_user):
    user = blocks.introduce(new_user())
    for size in (0, 5, 1000, 300_000, 3_000_000):
        blocks.put(user, f"of {size} bytes", os.urandom(size))
    blocks.send_file(user, "given up", b"x")
    blocks.give_up(user, "given up")
    assert len(server.file_rows(user.id)) == 5


def test_the_answer_to_a_1030_comes_although_the_request_is_padded(blocks, new_user):
    user = blocks.introduce(new_user())
    blocks.send_file(user, "wrong", b"x")
    blocks.named(user, Request.CRC_WRONG, "wrong")


def test_messages_are_sent_and_pulled_in_blocks(blocks, new_user):
    alice, bob = (blocks.register_for_messages(new_user()) for _ in range(2))
    target = blocks.alias_of(bob, asking=alice)
    assert blocks.key_of(alice, target) == bob.public_key
    contents = [os.urandom(size) for size in (0, 5, 960, 979, 980, 981, 300_000)]
    for content in contents:
        blocks.send_message(alice, target, content)
    assert [message.content for message in blocks.pull_until_empty(bob)] == contents


def test_a_conversation_in_blocks_split_anywhere_is_answered(server, user):
    frames = [
        taken(user),
        request(user.id, UNKNOWN_CODE, b"five!"),
        message_frame(user.id, user.id, 3, bytes(BLOCK_SIZE - 44 - 7)),
        key_of_user_frame(user.id, user.id),
        file_frame(user.id, "split", user.encrypt(b"some text")),
        named_frame(user.id, Request.CRC_OK, "split"),
    ]
    codes = [Answer.REGISTER_REFUSED, 9000, 2103, 2102, Answer.FILE_RECEIVED, Answer.THANKS]
    data = b"".join(map(padded, frames))
    for split in range(1, len(data), 23):
        with BlocksClient(server.address) as client:
            client.socket.sendall(data[:split])
            client.socket.sendall(data[split:])
            assert [client.receive().code for _ in codes] == codes, split


def test_an_answer_that_was_sent_gets_its_padding_with_the_requests(connection, user):
    connection.send(taken(user))
    assert connection.receive().code == Answer.REGISTER_REFUSED
    connection.send(padded(taken(user))[len(taken(user)) :])
    receive_padding(connection, RESPONSE_HEADER.size)
    connection.send(padded(taken(user)))
    assert connection.receive().code == Answer.REGISTER_REFUSED
    receive_padding(connection, RESPONSE_HEADER.size)


def test_a_byte_inside_the_padding_ends_that_connection_alone(server, user, connection):
    with server.connect() as other:
        other.send(taken(user) + bytes(100) + b"\1")
        assert other.receive().code == Answer.REGISTER_REFUSED
        receive_padding(other, RESPONSE_HEADER.size)
        assert other.has_ended()
    assert_served(connection, user)


# -- kesher, and a server of this family


def test_kesher_puts_files_at_a_server_that_wants_blocks(make_pair, tmp_path):
    fake, kesher = make_pair(blocks=True)
    contents = {f"of {size} bytes": os.urandom(size) for size in (0, 700, 741, 5000, 300_000, 2_000_000)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    kesher.succeed("put", *(str(tmp_path / name) for name in contents))
    assert fake.files == contents


def test_kesher_sends_such_a_file_again_after_a_wrong_sum(make_pair, tmp_path):
    fake, kesher = make_pair(blocks=True, wrong_sums=2)
    (tmp_path / "file").write_bytes(b"content")
    kesher.succeed("put", str(tmp_path / "file"))
    assert fake.files == {"file": b"content"}


def test_kesher_talks_through_a_server_that_wants_blocks(messages, alice, bob):
    messages.script.blocks = True
    long = "long " * 30_000
    assert alice.succeed("users").stdout.endswith("bob\n")
    alice.succeed("send", "bob", "short")
    alice.succeed("send", "bob", input=long.encode())
    key, *texts = bob.take()
    assert len(bob.take_key(key)) == crypto.AES_KEY_SIZE
    assert [bob.open(text).decode() for text in texts] == ["short", long]
    bob.write(alice.user, "an answer")
    assert "an answer" in alice.succeed("inbox").stdout
