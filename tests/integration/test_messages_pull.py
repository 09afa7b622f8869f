"""What a 604 brings: order, ids, parts, several 604s on one connection, and many messages at once."""

import os
import threading

import pytest
from peer.conversation import send_all, send_while_receiving, two_users
from peer.fixtures import run_module_server
from peer.frames import MessageAnswer
from peer.messages import (
    SPOOL_THRESHOLD,
    WAITING_FIXED,
    Message,
    Type,
    list_users_frame,
    message_frame,
    parse_messages,
    pull_frame,
)

MIB = 1 << 20


def contents_of(messages: list[Message]) -> list[bytes]:
    return [message.content for message in messages]


def numbered(count: int, size: int = 0) -> list[bytes]:
    """Contents that differ, of about that size."""
    return [f"{number} ".encode().ljust(size, b"x") for number in range(count)]


# -- order


def test_a_thousand_pipelined_messages_come_in_the_order_in_which_they_were_sent(connection, people):
    sender, receiver, alias = people
    contents = numbered(1000)
    numbers = send_all(connection, sender, alias, contents)
    assert numbers == sorted(set(numbers))
    messages = connection.pull(receiver)
    assert contents_of(messages) == contents
    assert [message.id for message in messages] == numbers


def test_a_short_message_does_not_overtake_a_spooled_one_before_it(connection, people):
    sender, receiver, alias = people
    large, spooled = os.urandom(SPOOL_THRESHOLD), os.urandom(3 * MIB)
    contents = [spooled, b"short", large, b"", spooled, large, b"last"]
    data = b"".join(message_frame(sender.id, alias, Type.FILE, content) for content in contents)
    thread = send_while_receiving(connection, data)
    numbers = [connection.expect_stored(alias) for _ in contents]
    thread.join()
    assert numbers == sorted(set(numbers))
    messages = connection.pull_until_empty(receiver)  # the first answers are short
    assert contents_of(messages) == contents
    assert [message.id for message in messages] == numbers


def test_other_requests_do_not_overtake_a_spooled_message(connection, people):
    sender, receiver, alias = people
    large = os.urandom(2 * MIB)
    thread = send_while_receiving(
        connection,
        message_frame(sender.id, alias, Type.FILE, large)
        + list_users_frame(sender.id)
        + message_frame(sender.id, alias, Type.TEXT, b"short")
        + pull_frame(receiver.id),
    )
    codes = [connection.receive().code for _ in range(3)]
    assert codes == [MessageAnswer.STORED, MessageAnswer.USERS, MessageAnswer.STORED]
    assert contents_of(connection.receive_messages()) == [large]
    assert contents_of(connection.pull(receiver)) == [b"short"]
    thread.join()


def test_a_large_message_that_arrives_in_pieces_holds_up_nobody_else(server, connection, people):
    sender, receiver, alias = people
    frame = message_frame(sender.id, alias, Type.FILE, os.urandom(MIB))
    with server.connect() as slow:
        slow.send(frame[: len(frame) // 2])
        connection.send_message(sender, alias, b"meanwhile")
        assert contents_of(connection.pull(receiver)) == [b"meanwhile"]
        slow.send(frame[len(frame) // 2 :])
        slow.expect_stored(alias)
    assert contents_of(connection.pull(receiver)) == [frame[-MIB:]]


def test_the_pull_behind_a_message_on_the_same_connection_has_it(connection, people):
    sender, receiver, alias = people
    for number in range(20):
        content = str(number).encode()
        connection.send(message_frame(sender.id, alias, Type.TEXT, content) + pull_frame(receiver.id))
        connection.expect_stored(alias)
        assert contents_of(connection.receive_messages()) == [content]


def test_the_pull_before_a_message_on_the_same_connection_does_not_have_it(connection, people):
    sender, receiver, alias = people
    connection.send(pull_frame(receiver.id) + message_frame(sender.id, alias, Type.TEXT, b"later"))
    assert connection.receive_messages() == []
    connection.expect_stored(alias)
    assert contents_of(connection.pull(receiver)) == [b"later"]


# -- ids


def test_ids_count_up_from_one_over_all_receivers(own_server, new_user):
    with own_server.connect() as connection:
        users = [connection.register_for_messages(new_user()) for _ in range(4)]
        numbers = [
            connection.send_message(users[0], users[step % 4].id, b"", 1 + step % 4) for step in range(12)
        ]
    assert numbers == list(range(1, 13))


def test_a_refused_message_takes_no_id_from_the_others_order(connection, people):
    sender, receiver, alias = people
    first = connection.send_message(sender, alias, b"first")
    connection.send(message_frame(sender.id, alias, 0, b"refused"))
    assert connection.receive().code == MessageAnswer.ERROR
    assert connection.send_message(sender, alias, b"second") > first
    assert contents_of(connection.pull(receiver)) == [b"first", b"second"]


def test_ids_of_concurrent_senders_differ_and_each_senders_count_up(server, connection, people, new_user):
    _, receiver, _ = people
    numbers: dict[int, list[int]] = {}

    def run(number: int) -> None:
        with server.connect() as client:
            sender = client.register_for_messages(new_user())
            numbers[number] = send_all(client, sender, receiver.id, [b"x"] * 50)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found == sorted(found) for found in numbers.values())
    told = sorted(number for found in numbers.values() for number in found)
    assert len(set(told)) == 400
    assert [message.id for message in connection.pull(receiver)] == told


# -- several pulls on one connection


def test_a_second_pull_has_nothing_of_the_first(connection, people):
    sender, receiver, alias = people
    send_all(connection, sender, alias, numbered(10))
    assert contents_of(connection.pull(receiver)) == numbered(10)
    assert connection.pull(receiver) == []


def test_two_pipelined_pulls_never_have_the_same_messages(connection, people):
    sender, receiver, alias = people
    contents = numbered(50, 10_000)
    send_all(connection, sender, alias, contents)
    connection.send(pull_frame(receiver.id) * 2)
    assert contents_of(connection.receive_messages() + connection.receive_messages()) == contents
    assert connection.pull(receiver) == []


def test_a_message_between_two_pipelined_pulls_is_in_the_second(connection, people):
    _, receiver, alias = people
    send_all(connection, receiver, alias, numbered(3))
    connection.send(
        pull_frame(receiver.id)
        + message_frame(receiver.id, alias, Type.TEXT, b"in between")
        + pull_frame(receiver.id)
    )
    assert contents_of(connection.receive_messages()) == numbered(3)
    connection.expect_stored(alias)
    assert contents_of(connection.receive_messages()) == [b"in between"]


def test_a_hundred_pipelined_pulls_and_messages_give_each_message_once(connection, people):
    sender, receiver, alias = people
    contents = numbered(100)
    connection.send(
        b"".join(
            message_frame(sender.id, alias, Type.TEXT, content) + pull_frame(receiver.id)
            for content in contents
        )
    )
    for content in contents:
        connection.expect_stored(alias)
        assert contents_of(connection.receive_messages()) == [content]


def test_one_connection_pulls_for_several_users(connection, people, new_user):
    sender, *_ = people
    receivers = [connection.register_for_messages(new_user()) for _ in range(10)]
    for receiver in receivers:
        connection.send_message(sender, receiver.id, receiver.name.encode())
    connection.send(b"".join(pull_frame(receiver.id) for receiver in receivers * 2))
    for receiver in receivers:
        assert contents_of(connection.receive_messages()) == [receiver.name.encode()]
    assert [connection.receive_messages() for _ in receivers] == [[]] * 10


# -- parts

PART = 100_000


@pytest.fixture(scope="module")
def sparing_server(tmp_path_factory):
    """A server that gives little at a time."""
    yield from run_module_server(tmp_path_factory, pull_limit=PART)


@pytest.fixture
def sparing(sparing_server):
    with sparing_server.connect() as client:
        yield client


def receive_parts(connection) -> list[list[Message]]:
    """The parts of the answers that are due, up to an empty one. None is over the limit, unless it is a single
    message."""
    parts = []
    while payload := connection.expect_message_answer(MessageAnswer.WAITING):
        parts.append(parse_messages(payload))
        assert len(payload) <= PART or len(parts[-1]) == 1
    return parts


def flattened(parts: list[list[Message]]) -> list[Message]:
    return [message for part in parts for message in part]


@pytest.mark.parametrize("pipelined", [True, False])
def test_what_is_over_the_limit_of_a_part_comes_with_the_next_pulls(sparing, new_user, pipelined):
    sender, receiver, alias = two_users(sparing, new_user)
    contents = numbered(50, 10_000)
    numbers = send_all(sparing, sender, alias, contents)
    if pipelined:
        sparing.send(pull_frame(receiver.id) * 51)
        parts = receive_parts(sparing)
    else:
        parts = []
        while part := sparing.pull(receiver):
            parts.append(part)
    assert contents_of(flattened(parts)) == contents
    assert [message.id for message in flattened(parts)] == numbers
    assert len(parts) == 6  # nine messages with their headers fit


def test_the_limit_of_a_part_is_used_to_the_byte(sparing, new_user):
    sender, receiver, alias = two_users(sparing, new_user)
    whole = bytes(PART - 2 * WAITING_FIXED.size - 1)
    for last, parts in ((b"1", [2]), (b"12", [1, 1])):
        send_all(sparing, sender, alias, [whole, last])
        sparing.send(pull_frame(receiver.id) * 3)
        assert [len(sparing.receive_messages()) for _ in range(3)] == [*parts, 0, 0][:3]


@pytest.mark.parametrize("size", [PART, 3 * PART, 10 * MIB])
def test_a_message_longer_than_a_part_comes_alone(sparing, new_user, size):
    sender, receiver, alias = two_users(sparing, new_user)
    contents = [b"before", os.urandom(size), b"behind"]
    for content in contents:
        sparing.send_message(sender, alias, content)
    sparing.send(pull_frame(receiver.id) * 4)
    assert [contents_of(part) for part in receive_parts(sparing)] == [[content] for content in contents]


def test_parts_that_are_pulled_on_connections_of_their_own_come_in_order(sparing_server, sparing, new_user):
    sender, receiver, alias = two_users(sparing, new_user)
    contents = numbered(30, 10_000)
    send_all(sparing, sender, alias, contents)
    messages = []
    while len(messages) < 30:
        with sparing_server.connect() as client:  # an empty answer: the last part is not known to be taken yet
            messages += client.pull(receiver)
    assert contents_of(messages) == contents


def test_messages_that_arrive_between_parts_come_last(sparing, new_user):
    sender, receiver, alias = two_users(sparing, new_user)
    contents = numbered(20, 10_000)
    send_all(sparing, sender, alias, contents)
    messages = sparing.pull(receiver)
    sparing.send_message(sender, alias, b"late")
    messages += sparing.pull_until_empty(receiver)
    assert contents_of(messages) == [*contents, b"late"]


# -- many


def test_five_thousand_waiting_messages_come_in_one_answer(connection, people):
    sender, receiver, alias = people
    contents = numbered(5000)
    frames = b"".join(message_frame(sender.id, alias, Type.TEXT, content) for content in contents)
    thread = send_while_receiving(connection, frames)
    for _ in contents:
        connection.expect_stored(alias)
    thread.join()
    assert contents_of(connection.pull(receiver)) == contents
