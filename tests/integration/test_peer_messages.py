"""The peer's client of messages: on the fake server, and on answers made by hand."""

import os
import socket

import pytest
from peer.drop import Refused, User
from peer.frames import NO_ID, Connection, MessageAnswer, Request, reply
from peer.message_server import MessageScript, MessageServer
from peer.messages import (
    WAITING_FIXED,
    CannotDecrypt,
    Correspondent,
    Malformed,
    Message,
    MessagesClient,
    Type,
    message_frame,
    parse_messages,
    read_messages,
    waiting,
)

MESSAGES = [
    Message(b"a" * 16, 1, Type.KEY_REQUEST, b""),
    Message(b"b" * 16, 0xFFFFFFFF, Type.TEXT, b"x"),
    Message(b"a" * 16, 3, Type.FILE, bytes(range(256)) * 10),
]
PAYLOAD = waiting(*MESSAGES).payload


@pytest.fixture
def ends():
    """A connection of the peer whose other end is a plain socket, and that socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with MessagesClient(listener.getsockname()) as client:
            other, _ = listener.accept()
            with other:
                yield client, other


@pytest.fixture
def talk():
    """Makes a fake server from a script and a client connected to it."""
    made = []

    def make(**script) -> tuple[MessageServer, MessagesClient]:
        fake = MessageServer(MessageScript(**script))
        made.append((fake, MessagesClient(fake.address)))
        return made[-1]

    yield make
    for fake, client in made:
        client.close()
        fake.stop()
        assert fake.problems == []


# -- layouts


def test_a_603_is_a_header_a_target_a_type_a_size_and_the_content():
    frame = message_frame(b"i" * 16, b"t" * 16, Type.TEXT, b"content")
    assert frame == (
        b"i" * 16 + b"\x02" + b"\x5b\x02" + b"\x1c\0\0\0" + b"t" * 16 + b"\x03" + b"\x07\0\0\0" + b"content"
    )


def test_a_603_may_lie_about_both_of_its_sizes():
    frame = message_frame(NO_ID, NO_ID, Type.TEXT, b"abc", content_size=1000, declared=2000)
    assert (frame[19:23], frame[40:44]) == ((2000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert len(frame) == 23 + 21 + 3


def test_messages_of_an_answer_are_parsed_to_what_they_were():
    assert parse_messages(PAYLOAD) == MESSAGES
    assert parse_messages(b"") == []


def test_an_answer_that_is_cut_anywhere_but_between_messages_is_malformed():
    boundaries = {0, 25, 25 + 26, len(PAYLOAD)}
    for size in range(len(PAYLOAD)):
        if size not in boundaries:
            with pytest.raises(Malformed):
                parse_messages(PAYLOAD[:size])


# -- streaming


def test_messages_are_read_from_a_stream_one_by_one(ends):
    client, other = ends
    other.sendall(reply(MessageAnswer.WAITING, PAYLOAD, version=2)[: 7 + 25 + 26])
    messages = client.stream_messages()
    assert [next(messages), next(messages)] == MESSAGES[:2]
    other.sendall(PAYLOAD[25 + 26 :])
    assert list(messages) == MESSAGES[2:]


@pytest.mark.parametrize("size", [1, 24, 26, len(PAYLOAD) - 1])
def test_a_stream_that_does_not_add_up_is_malformed(ends, size):
    client, other = ends
    other.sendall(PAYLOAD)
    with pytest.raises(Malformed):
        list(read_messages(client, size))


@pytest.mark.parametrize("version, code", [(3, MessageAnswer.WAITING), (2, MessageAnswer.STORED), (2, 9000)])
def test_an_answer_of_another_version_or_code_is_no_pull(ends, version, code):
    client, other = ends
    other.sendall(reply(code, b"x", version=version))
    with pytest.raises(Refused):
        client.receive_messages()


def test_a_receive_buffer_may_be_small(ends):
    _, other = ends
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with Connection(listener.getsockname(), receive_buffer=4096) as small:
            default = other.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
            assert small.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < default


# -- requests on the fake server


def test_a_message_goes_from_one_user_to_another(talk, new_user):
    fake, client = talk()
    one, two = (fake.add_user(name, new_user().private_key) for name in ("one", "two"))
    alias = client.alias_of(two, asking=one)
    assert client.key_of(one, alias) == two.public_key
    number = client.send_message(one, alias, b"content", Type.FILE)
    assert client.pull(two) == [Message(client.alias_of(one, asking=two), number, Type.FILE, b"content")]
    assert client.pull(two) == []


def test_answers_of_one_byte_at_a_time_are_understood(talk, new_user):
    _, client = talk(one_byte_at_a_time=True)
    user = client.register_for_messages(new_user())
    client.send_message(user, user.id, b"content")
    assert [message.content for message in client.pull(user)] == [b"content"]


def test_parts_are_pulled_until_nothing_is_left(talk, new_user):
    _, client = talk(messages_per_answer=2)
    user = client.register_for_messages(new_user())
    numbers = [client.send_message(user, user.id, b"x") for _ in range(5)]
    assert [message.id for message in client.pull_until_empty(user)] == numbers


def test_an_error_is_told_with_its_answer(talk, new_user):
    _, client = talk(errors={Request.SEND_MESSAGE: 1})
    user = client.register_for_messages(new_user())
    with pytest.raises(Refused) as refusal:
        client.send_message(user, user.id, b"x")
    assert refusal.value.answer.code == MessageAnswer.ERROR
    client.send_message(user, user.id, b"x")


# -- end to end


@pytest.fixture
def correspondents(talk, private_keys):
    """A client, two users with keys of their own, and how each knows the other."""
    fake, client = talk()
    one, two = (Correspondent(fake.add_user(name, key)) for name, key in zip(("one", "two"), private_keys))
    return (
        client,
        one,
        two,
        client.alias_of(two.user, asking=one.user),
        client.alias_of(one.user, asking=two.user),
    )


def test_a_key_is_asked_for_and_shared_and_used_both_ways(correspondents):
    client, one, two, alias_of_two, alias_of_one = correspondents
    one.ask_for_key(client, alias_of_two)
    assert [two.read(message) for message in client.pull(two.user)] == [b""]
    two.share_key(client, alias_of_one)
    assert [one.read(message) for message in client.pull(one.user)] == [b""]
    assert one.keys[alias_of_two] == two.keys[alias_of_one]
    plain = os.urandom(1000)
    one.write(client, alias_of_two, plain, Type.FILE)
    two.write(client, alias_of_one, b"")
    assert [two.read(message) for message in client.pull(two.user)] == [plain]
    assert [one.read(message) for message in client.pull(one.user)] == [b""]


def test_what_is_not_under_the_shared_key_cannot_be_decrypted(correspondents):
    client, one, two, alias_of_two, alias_of_one = correspondents
    # A key under which the last content is wrongly padded: with any key it may be right by chance.
    two.keys[alias_of_one] = one.keys[alias_of_two] = bytes(16)
    for content in (b"", b"x", bytes(15), bytes(16)):
        client.send_message(one.user, alias_of_two, content)
    client.send_message(one.user, alias_of_two, bytes(128), Type.KEY)
    for message in client.pull(two.user):
        with pytest.raises(CannotDecrypt):
            two.read(message)


def test_a_text_before_any_key_cannot_be_decrypted():
    with pytest.raises(CannotDecrypt):
        Correspondent(User("x", None)).read(Message(b"a" * 16, 1, Type.TEXT, bytes(WAITING_FIXED.size)))
