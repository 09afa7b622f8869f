"""What the messages service refuses, what it then skips, and what nobody finds stored afterwards."""

import os
import threading

import pytest
from peer.conversation import assert_served, two_users
from peer.drop import UNKNOWN_ID, register_for_messages_frame
from peer.fixtures import run_module_server
from peer.frames import (
    MESSAGES_ERROR,
    MESSAGES_VERSION,
    NO_ID,
    SKIPPED_PAYLOAD_LIMIT,
    MessageAnswer,
    Request,
    request,
)
from peer.messages import (
    DEFAULT_MESSAGE_LIMIT,
    SEND_FIXED,
    SPOOL_THRESHOLD,
    Type,
    key_of_user_frame,
    list_users_frame,
    message_frame,
    pull_frame,
)


HUGE = 0xFFFFFFFF


# -- who may ask


def requests_of(client_id: bytes, target: bytes) -> dict[int, bytes]:
    """Each request that needs a registered id, in order in every other way."""
    return {
        Request.LIST_USERS: list_users_frame(client_id),
        Request.KEY_OF_USER: key_of_user_frame(client_id, target),
        Request.SEND_MESSAGE: message_frame(client_id, target, Type.TEXT, b"from nobody"),
        Request.PULL: pull_frame(client_id),
    }


CODES = list(requests_of(NO_ID, NO_ID))


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("client_id", [NO_ID, UNKNOWN_ID, b"\xff" * 16], ids=["zero", "unknown", "ones"])
def test_an_id_that_is_not_registered_gets_9000(connection, people, code, client_id):
    connection.send(requests_of(client_id, people[2])[code])
    assert connection.receive() == MESSAGES_ERROR
    assert connection.pull(people[1]) == []


@pytest.mark.parametrize("code", CODES)
def test_an_alias_is_no_client_id(connection, people, code):
    sender, receiver, alias = people
    connection.send_message(sender, alias, b"not for thieves")
    senders_alias = connection.alias_of(sender, asking=receiver)
    connection.send(requests_of(alias, senders_alias)[code])
    assert connection.receive() == MESSAGES_ERROR
    assert [message.content for message in connection.pull(receiver)] == [b"not for thieves"]
    assert connection.pull(sender) == []


def test_a_registration_for_messages_ignores_the_client_id(connection, new_user, people):
    for client_id in (NO_ID, UNKNOWN_ID, people[0].id):
        user = new_user()
        connection.send(register_for_messages_frame(user.name, user.public_key, client_id))
        assert len(connection.expect_message_answer(MessageAnswer.REGISTERED)) == 16


# -- what is refused


def assert_refused(connection, people, frame: bytes) -> None:
    """9000, nothing stored, and the connection in step."""
    connection.send(frame)
    assert connection.receive() == MESSAGES_ERROR
    assert connection.pull(people[1]) == []
    assert_served(connection, people[0])


@pytest.mark.parametrize("content", [b"", b"text", bytes(60_000)], ids=["empty", "short", "long"])
@pytest.mark.parametrize("target", [NO_ID, UNKNOWN_ID], ids=["zero", "unknown"])
def test_a_message_to_an_unknown_target_is_refused(connection, people, target, content):
    assert_refused(connection, people, message_frame(people[0].id, target, Type.TEXT, content))


@pytest.mark.parametrize("content", [b"", b"text", bytes(60_000)], ids=["empty", "short", "long"])
@pytest.mark.parametrize("message_type", [0, 5, 6, 127, 128, 129, 255])
def test_a_message_of_another_type_is_refused(connection, people, message_type, content):
    assert_refused(connection, people, message_frame(people[0].id, people[2], message_type, content))


@pytest.mark.parametrize("size", [0, 1, 99, 101, 121, 256, 1 << 20, HUGE - 20, HUGE])
def test_a_content_size_that_is_not_that_of_the_payload_is_refused(connection, people, size):
    frame = message_frame(people[0].id, people[2], Type.TEXT, bytes(100), content_size=size)
    assert_refused(connection, people, frame)


@pytest.mark.parametrize("size", [1, HUGE])
def test_an_empty_payload_with_a_content_size_is_refused(connection, people, size):
    assert_refused(
        connection, people, message_frame(people[0].id, people[2], Type.TEXT, b"", content_size=size)
    )


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 20])
def test_a_message_too_short_for_its_fixed_fields_is_refused(connection, people, size):
    payload = SEND_FIXED.pack(people[2], Type.TEXT, 0)[:size]
    assert_refused(
        connection, people, request(people[0].id, Request.SEND_MESSAGE, payload, version=MESSAGES_VERSION)
    )


@pytest.mark.parametrize("fault", ["nobody sends it", "to nobody", "of no type"])
def test_a_large_message_that_is_refused_is_answered_and_not_stored(server, connection, people, fault):
    """Whether the connection goes on behind it is the server's choice; it must not be out of step."""
    sender, receiver, alias = people
    frame = message_frame(
        UNKNOWN_ID if fault == "nobody sends it" else sender.id,
        UNKNOWN_ID if fault == "to nobody" else alias,
        0 if fault == "of no type" else Type.FILE,
        bytes(2 << 20),
    )
    connection.send_as_far_as_taken(frame)
    assert connection.receive() == MESSAGES_ERROR
    connection.send_as_far_as_taken(list_users_frame(sender.id))
    if not connection.has_ended():
        connection.expect_message_answer(MessageAnswer.USERS)
    with server.connect() as other:
        assert other.pull(receiver) == []


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_large_message_with_a_content_size_that_lies_is_refused_and_ends_the_connection(
    server, connection, people, difference
):
    content = bytes(SPOOL_THRESHOLD)
    frame = message_frame(people[0].id, people[2], Type.FILE, content, content_size=len(content) + difference)
    connection.send_as_far_as_taken(frame)
    assert connection.receive_until_end() == [MESSAGES_ERROR]
    with server.connect() as other:
        assert other.pull(people[1]) == []


@pytest.mark.parametrize(
    "code, fits, sizes",
    [
        (Request.LIST_USERS, 0, (1, 16, SKIPPED_PAYLOAD_LIMIT)),
        (Request.KEY_OF_USER, 16, (1, 15, 17, 32, SKIPPED_PAYLOAD_LIMIT)),
        (Request.PULL, 0, (1, 16, SKIPPED_PAYLOAD_LIMIT)),
    ],
)
def test_a_payload_size_that_does_not_fit_is_an_error_and_skipped(connection, people, code, fits, sizes):
    sender, receiver, alias = people
    connection.send_message(sender, alias, b"still waiting")
    for size in sizes:
        payload = (alias * (size // 16 + 1))[:size]
        assert connection.ask(receiver.id, code, payload) == MESSAGES_ERROR, size
    assert connection.ask(receiver.id, code, alias[:fits]).code != MessageAnswer.ERROR
    if code != Request.PULL:
        assert [message.content for message in connection.pull(receiver)] == [b"still waiting"]


@pytest.mark.parametrize("code", [Request.LIST_USERS, Request.KEY_OF_USER, Request.PULL])
@pytest.mark.parametrize("size", [SKIPPED_PAYLOAD_LIMIT + 1, HUGE])
def test_a_wrong_payload_size_over_64_kib_ends_the_connection_after_the_answer(
    connection, people, code, size
):
    connection.send(request(people[0].id, code, bytes(300), declared=size))
    assert connection.receive_until_end() == [MESSAGES_ERROR]


# -- the limit of a message

LIMIT = 10_000


@pytest.fixture(scope="module")
def strict_server(tmp_path_factory):
    """A server that takes short messages only."""
    yield from run_module_server(tmp_path_factory, message_limit=LIMIT)


def test_a_content_at_the_limit_is_taken(strict_server, new_user):
    with strict_server.connect() as connection:
        sender, receiver, alias = two_users(connection, new_user)
        connection.send_message(sender, alias, bytes(LIMIT))
        assert [message.content for message in connection.pull(receiver)] == [bytes(LIMIT)]


@pytest.mark.parametrize("size", [LIMIT + 1, SKIPPED_PAYLOAD_LIMIT - SEND_FIXED.size])
def test_a_content_over_the_limit_is_refused_and_skipped(strict_server, new_user, size):
    with strict_server.connect() as connection:
        people = two_users(connection, new_user)
        assert_refused(connection, people, message_frame(people[0].id, people[2], Type.TEXT, bytes(size)))


@pytest.mark.parametrize("size", [SKIPPED_PAYLOAD_LIMIT - SEND_FIXED.size + 1, 1 << 20, HUGE - 21])
def test_a_long_content_over_the_limit_is_refused_before_it_comes_and_ends_the_connection(
    strict_server, new_user, size
):
    with strict_server.connect() as connection:
        people = two_users(connection, new_user)
        frame = message_frame(
            people[0].id, people[2], Type.TEXT, content_size=size, declared=SEND_FIXED.size + size
        )
        connection.send(frame)
        assert connection.receive_until_end() == [MESSAGES_ERROR]
    with strict_server.connect() as connection:
        assert connection.pull(people[1]) == []


def test_the_answer_to_a_content_over_the_limit_arrives_although_the_content_is_on_its_way(
    strict_server, new_user
):
    with strict_server.connect() as connection:
        sender, _, alias = two_users(connection, new_user)
        frame = message_frame(sender.id, alias, Type.TEXT, bytes(8 << 20))
        thread = threading.Thread(target=connection.send_as_far_as_taken, args=(frame,))
        thread.start()
        assert connection.receive_until_end() == [MESSAGES_ERROR]
        thread.join()


def test_the_limit_is_64_mib_where_nothing_else_is_said(server, connection, people):
    sender, receiver, alias = people
    content = os.urandom(1 << 20) * (DEFAULT_MESSAGE_LIMIT >> 20)
    connection.send_message(sender, alias, content, Type.FILE)
    assert [message.content == content for message in connection.pull(receiver)] == [True]
    with server.connect() as other:
        size = DEFAULT_MESSAGE_LIMIT + 1
        frame = message_frame(sender.id, alias, Type.FILE, content_size=size, declared=SEND_FIXED.size + size)
        other.send(frame)
        assert other.receive_until_end() == [MESSAGES_ERROR]
