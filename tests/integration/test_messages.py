"""Requests 600-604 one by one: layouts to the byte, targets, types, sizes, versions, order of answers."""

import os

import pytest
from peer.conversation import send_all, two_users
from peer.drop import UNKNOWN_ID, User, register_for_messages_frame
from peer.frames import MESSAGES_ERROR, MESSAGES_VERSION, NO_ID, SKIPPED_PAYLOAD_LIMIT, MessageAnswer, Request
from peer.messages import (
    LISTED_USER,
    NOTHING_WAITS,
    SEND_FIXED,
    SPOOL_THRESHOLD,
    Correspondent,
    Message,
    Type,
    key_of_user_frame,
    list_users_frame,
    message_frame,
    parse_messages,
    pull_frame,
    waiting,
)


TYPES = list(Type)


def ask_bytes(connection, frame: bytes, size: int) -> bytes:
    """Sends a request; that many bytes of what comes back, which must be all."""
    connection.send(frame)
    answer = connection.receive_exactly(size)
    assert connection.is_silent_for(0)
    return answer


# -- every answer, to the byte


def test_600_to_the_byte(server, connection, new_user):
    user = new_user()
    answer = ask_bytes(connection, register_for_messages_frame(user.name, user.public_key), 7 + 16)
    assert answer[:7] == bytes.fromhex("02 3408 10000000")
    assert server.rows("SELECT Name, PublicKey FROM clients WHERE ID = ?", answer[7:]) == [
        (user.name, user.public_key)
    ]


def test_601_to_the_byte(own_server, new_user):
    with own_server.connect() as connection:
        sender, receiver, alias = two_users(connection, new_user)
        answer = ask_bytes(connection, list_users_frame(sender.id), 7 + 271)
    name = receiver.name.encode()
    assert answer == bytes.fromhex("02 3508 0f010000") + alias + name + bytes(255 - len(name))


def test_602_to_the_byte(connection, people):
    sender, receiver, alias = people
    answer = ask_bytes(connection, key_of_user_frame(sender.id, alias), 7 + 176)
    assert answer == bytes.fromhex("02 3608 b0000000") + alias + receiver.public_key


def test_603_to_the_byte(own_server, new_user):
    with own_server.connect() as connection:
        sender, _, alias = two_users(connection, new_user)
        answer = ask_bytes(connection, message_frame(sender.id, alias, Type.TEXT, b"text"), 7 + 20)
    assert answer == bytes.fromhex("02 3708 14000000") + alias + bytes.fromhex("01000000")


def test_604_to_the_byte(own_server, new_user):
    with own_server.connect() as connection:
        sender, receiver, alias = two_users(connection, new_user)
        connection.send_message(sender, alias, b"text")
        connection.send_message(sender, alias, b"", Type.KEY_REQUEST)
        senders_alias = connection.alias_of(sender, asking=receiver)
        answer = ask_bytes(connection, pull_frame(receiver.id), 7 + 25 + 4 + 25)
    assert answer == (
        bytes.fromhex("02 3808 36000000")
        + senders_alias
        + bytes.fromhex("01000000 03 04000000")
        + b"text"
        + senders_alias
        + bytes.fromhex("02000000 01 00000000")
    )


def test_604_when_nothing_waits_to_the_byte(connection, people):
    assert ask_bytes(connection, pull_frame(people[1].id), 7) == bytes.fromhex("02 3808 00000000")


def test_9000_to_the_byte(connection, people):
    assert ask_bytes(connection, key_of_user_frame(people[0].id, UNKNOWN_ID), 7) == bytes.fromhex(
        "02 2823 00000000"
    )


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 255])
def test_any_version_of_a_request_is_answered_with_version_2(connection, people, version):
    sender, receiver, alias = people
    answers = [
        connection.ask(client_id, code, payload, version=version)
        for client_id, code, payload in (
            (sender.id, Request.LIST_USERS, b""),
            (sender.id, Request.KEY_OF_USER, alias),
            (sender.id, Request.SEND_MESSAGE, SEND_FIXED.pack(alias, Type.TEXT, 0)),
            (receiver.id, Request.PULL, b""),
            (UNKNOWN_ID, Request.PULL, b""),
        )
    ]
    assert [(answer.version, answer.code) for answer in answers] == [
        (MESSAGES_VERSION, code)
        for code in (
            MessageAnswer.USERS,
            MessageAnswer.KEY_OF_USER,
            MessageAnswer.STORED,
            MessageAnswer.WAITING,
            MessageAnswer.ERROR,
        )
    ]


# -- 602


def test_the_key_of_a_user_of_the_drop_is_told(connection, people, user):
    assert connection.key_of(people[0], connection.alias_of(user, asking=people[0])) == user.public_key


def test_the_target_of_a_602_is_echoed_as_sent_be_it_alias_or_id(connection, people):
    sender, receiver, alias = people
    assert connection.key_of(sender, alias) == receiver.public_key
    assert connection.key_of(sender, receiver.id) == receiver.public_key


def test_users_have_keys_of_their_own(connection, people, new_user, private_keys):
    other = connection.register_for_messages(User(new_user().name, private_keys[1]))
    sender, receiver, alias = people
    assert connection.key_of(sender, connection.alias_of(other, asking=sender)) == other.public_key
    assert connection.key_of(sender, alias) == receiver.public_key


def test_ones_own_key_is_told_too(connection, people):
    assert connection.key_of(people[0], people[0].id) == people[0].public_key


def test_the_key_of_a_user_without_one_is_an_error_until_it_is_sent(connection, people, registered):
    alias = connection.alias_of(registered, asking=people[0])
    for target in (alias, registered.id):
        assert connection.ask(people[0].id, Request.KEY_OF_USER, target) == MESSAGES_ERROR
    connection.send_public_key(registered)
    assert connection.key_of(people[0], alias) == registered.public_key


def test_the_key_of_an_unknown_user_is_an_error(connection, people):
    for target in (UNKNOWN_ID, NO_ID, b"\xff" * 16, people[1].name.encode().ljust(16, b"\0")[:16]):
        assert connection.ask(people[0].id, Request.KEY_OF_USER, target) == MESSAGES_ERROR
    assert connection.key_of(*people[::2]) == people[1].public_key


def test_a_key_is_told_after_kill_9(own_server, new_user):
    with own_server.connect() as connection:
        sender, receiver, alias = two_users(connection, new_user)
    own_server.restart_after_kill()
    with own_server.connect() as connection:
        assert connection.key_of(sender, alias) == receiver.public_key
        assert connection.key_of(sender, receiver.id) == receiver.public_key


# -- 603 and 604


def test_a_message_arrives_as_it_was_sent(connection, people):
    sender, receiver, alias = people
    content = bytes(range(256))
    number = connection.send_message(sender, alias, content, Type.FILE)
    senders_alias = connection.alias_of(sender, asking=receiver)
    assert connection.pull(receiver) == [Message(senders_alias, number, Type.FILE, content)]


def test_the_target_of_a_603_is_echoed_as_sent_be_it_alias_or_id(connection, people):
    sender, receiver, alias = people
    connection.send(message_frame(sender.id, alias, Type.TEXT, b"to the alias"))
    connection.send(message_frame(sender.id, receiver.id, Type.TEXT, b"to the id"))
    numbers = [connection.expect_stored(target) for target in (alias, receiver.id)]
    assert [(message.id, message.content) for message in connection.pull(receiver)] == list(
        zip(numbers, [b"to the alias", b"to the id"])
    )


def test_a_message_waits_for_a_user_without_a_key(connection, people, registered):
    connection.send_message(people[0], connection.alias_of(registered, asking=people[0]), b"text")
    assert [message.content for message in connection.pull(registered)] == [b"text"]


def test_a_user_without_a_key_may_send(connection, people, registered):
    connection.send_message(registered, people[1].id, b"text")
    (message,) = connection.pull(people[1])
    assert message.sender == connection.alias_of(registered, asking=people[1])


def test_a_message_to_oneself_comes_from_the_alias_that_others_know(connection, people):
    sender, receiver, alias = people
    for target in (alias, receiver.id):
        connection.send_message(receiver, target, b"note to self")
    assert [(message.sender, message.content) for message in connection.pull(receiver)] == [
        (alias, b"note to self")
    ] * 2


def test_messages_of_several_senders_come_in_the_order_of_their_ids(connection, people, new_user):
    _, receiver, _ = people
    senders = [connection.register_for_messages(new_user()) for _ in range(3)]
    numbers = [
        connection.send_message(senders[step % 3], receiver.id, str(step).encode()) for step in range(12)
    ]
    messages = connection.pull(receiver)
    assert [(message.id, message.content) for message in messages] == [
        (number, str(step).encode()) for step, number in enumerate(numbers)
    ]
    assert numbers == sorted(numbers)
    aliases = [connection.alias_of(sender, asking=receiver) for sender in senders]
    assert [message.sender for message in messages] == aliases * 4


def test_everybody_gets_their_own_messages_only(connection, people, new_user):
    receivers = [connection.register_for_messages(new_user()) for _ in range(5)]
    for receiver in receivers:
        connection.send_message(people[0], receiver.id, receiver.name.encode())
    for receiver in receivers:
        assert [message.content for message in connection.pull(receiver)] == [receiver.name.encode()]
    assert connection.pull(people[0]) == []


@pytest.mark.parametrize("message_type", TYPES)
def test_content_of_any_type_may_be_empty(connection, people, message_type):
    sender, receiver, alias = people
    connection.send_message(sender, alias, b"", message_type)
    assert [(message.type, message.content) for message in connection.pull(receiver)] == [(message_type, b"")]


@pytest.mark.parametrize("message_type", TYPES)
def test_the_server_does_not_look_into_contents(connection, people, message_type):
    """No type has a size of its own, and no content has to be a block, a key, or text."""
    sender, receiver, alias = people
    contents = [b"\0", b"x", b"\xff" * 15, b"\0" * 128, os.urandom(129), b"\r\n", b"a\0b"]
    for content in contents:
        connection.send_message(sender, alias, content, message_type)
    assert [(message.type, message.content) for message in connection.pull(receiver)] == [
        (message_type, content) for content in contents
    ]


SIZES = [
    0,
    1,
    1000,
    SKIPPED_PAYLOAD_LIMIT - 22,
    SKIPPED_PAYLOAD_LIMIT,
    SPOOL_THRESHOLD - 21,
    SPOOL_THRESHOLD - 1,
    SPOOL_THRESHOLD,
    SPOOL_THRESHOLD + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    5_000_011,
]


@pytest.mark.parametrize("size", SIZES)
def test_content_of_any_size_arrives_whole(connection, people, size):
    sender, receiver, alias = people
    content = os.urandom(size)
    connection.send_message(sender, alias, content, Type.FILE)
    assert [message.content for message in connection.pull(receiver)] == [content]


def test_contents_of_all_sizes_arrive_in_one_answer(connection, people):
    sender, receiver, alias = people
    contents = [os.urandom(size) for size in SIZES]
    for content in contents:
        connection.send_message(sender, alias, content, Type.FILE)
    assert [message.content for message in connection.pull_until_empty(receiver)] == contents


def test_two_users_converse_end_to_end(connection, new_user, private_keys):
    one = Correspondent(connection.register_for_messages(new_user()))
    two = Correspondent(connection.register_for_messages(User(new_user().name, private_keys[1])))
    to_two = connection.alias_of(two.user, asking=one.user)
    one.ask_for_key(connection, to_two)
    (asked,) = connection.pull(two.user)
    assert (asked.type, asked.content) == (Type.KEY_REQUEST, b"")
    two.share_key(connection, asked.sender)
    (key,) = connection.pull(one.user)
    assert (key.sender, key.type, len(key.content)) == (to_two, Type.KEY, 128)
    one.read(key)
    one.write(connection, to_two, "שלום".encode())
    one.write(connection, to_two, bytes(100_000), Type.FILE)
    two.write(connection, asked.sender, b"and back")
    assert [two.read(message) for message in connection.pull(two.user)] == [
        "שלום".encode(),
        bytes(100_000),
    ]
    assert [one.read(message) for message in connection.pull(one.user)] == [b"and back"]


# -- many at once on one connection


def test_pipelined_requests_of_all_kinds_are_answered_in_order(connection, people, new_user):
    sender, receiver, alias = people
    other = new_user()
    connection.send(
        message_frame(sender.id, alias, Type.TEXT, b"first")
        + key_of_user_frame(sender.id, alias)
        + message_frame(sender.id, alias, 0, b"of no type")
        + list_users_frame(sender.id)
        + pull_frame(receiver.id)
        + register_for_messages_frame(other.name, other.public_key)
        + list_users_frame(sender.id)
        + message_frame(sender.id, alias, Type.TEXT, b"second")
        + pull_frame(receiver.id)
        + pull_frame(UNKNOWN_ID)
        + pull_frame(sender.id)
    )
    answers = [connection.receive() for _ in range(11)]
    assert [answer.code for answer in answers] == [
        MessageAnswer.STORED,
        MessageAnswer.KEY_OF_USER,
        MessageAnswer.ERROR,
        MessageAnswer.USERS,
        MessageAnswer.WAITING,
        MessageAnswer.REGISTERED,
        MessageAnswer.USERS,
        MessageAnswer.STORED,
        MessageAnswer.WAITING,
        MessageAnswer.ERROR,
        MessageAnswer.WAITING,
    ]
    assert len(answers[6].payload) == len(answers[3].payload) + LISTED_USER.size
    assert [message.content for message in parse_messages(answers[4].payload)] == [b"first"]
    assert [message.content for message in parse_messages(answers[8].payload)] == [b"second"]
    assert answers[10] == NOTHING_WAITS


def small_talk(people) -> tuple[bytes, list[int]]:
    """A conversation whose last answer has the one message that it sent."""
    sender, receiver, alias = people
    frames = [
        key_of_user_frame(sender.id, alias),
        message_frame(sender.id, alias, 0, b"bad"),
        message_frame(sender.id, alias, Type.TEXT, b"good"),
        list_users_frame(UNKNOWN_ID),
        pull_frame(receiver.id),
    ]
    return b"".join(frames), [
        MessageAnswer.KEY_OF_USER,
        MessageAnswer.ERROR,
        MessageAnswer.STORED,
        MessageAnswer.ERROR,
        MessageAnswer.WAITING,
    ]


def assert_small_talk_answered(connection, codes: list[int]) -> None:
    answers = [connection.receive() for _ in codes]
    assert [answer.code for answer in answers] == codes
    assert [message.content for message in parse_messages(answers[-1].payload)] == [b"good"]


def test_requests_that_arrive_one_byte_at_a_time_are_answered(connection, people):
    data, codes = small_talk(people)
    connection.send_bytewise(data)
    assert_small_talk_answered(connection, codes)


def test_requests_split_anywhere_are_answered(connection, people):
    data, codes = small_talk(people)
    for split in range(1, len(data)):
        connection.send(data[:split])
        connection.send(data[split:])
        assert_small_talk_answered(connection, codes)


def test_a_hundred_requests_in_one_segment_are_answered_in_order(connection, people):
    data, codes = small_talk(people)
    connection.send(data * 20)
    for _ in range(20):
        assert_small_talk_answered(connection, codes)


def test_messages_and_uploads_share_a_connection(server, connection, user, people):
    sender, receiver, alias = people
    for number in range(5):
        connection.send_message(sender, alias, str(number).encode())
        connection.put(user, f"file {number}", b"content")
    assert [message.content for message in connection.pull(receiver)] == [b"0", b"1", b"2", b"3", b"4"]
    assert len(server.file_rows(user.id)) == 5


def test_an_answer_equals_what_the_messages_encode_to(connection, people):
    """The server pads nothing and leaves nothing out."""
    sender, receiver, alias = people
    senders_alias = connection.alias_of(sender, asking=receiver)
    contents = [b"", b"a", bytes(300_000), b"b"]
    numbers = [connection.send_message(sender, alias, content) for content in contents]
    connection.send(pull_frame(receiver.id))
    assert connection.receive() == waiting(
        *[Message(senders_alias, number, Type.TEXT, content) for number, content in zip(numbers, contents)]
    )


def test_each_answer_to_a_603_tells_the_id_under_which_the_message_comes(connection, people):
    sender, receiver, alias = people
    contents = [str(number).encode() for number in range(100)]
    numbers = send_all(connection, sender, alias, contents)
    assert [(message.id, message.content) for message in connection.pull(receiver)] == list(
        zip(numbers, contents)
    )
