"""Small talk with sure answers, for tests of frames and connections rather than of what is said."""

import os
import threading
import time
from collections.abc import Callable

from Cryptodome.PublicKey import RSA

from .drop import User, file_frame, named_frame, register_frame
from .frames import DROP_VERSION, Answer, Reply, Request, request
from .messages import MessagesClient, Type, message_frame

UNKNOWN_CODE = 777
# Seconds; a failing test waits so long, and where tests are to fail there are many (tests/torture/controls).
EVENT_SECONDS = float(os.environ.get("KESHER_PATIENCE") or 90)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Waits for something that the server does when it finds the time; the limit only ends a failing test."""
    limit = time.monotonic() + EVENT_SECONDS
    while not condition():
        assert time.monotonic() < limit, f"never came: {what}"
        time.sleep(0.01)


def taken(user: User) -> bytes:
    """A cheap request with a sure answer: a registration of a name that is taken."""
    return register_frame(user.name)


def assert_served(connection, user: User) -> None:
    """The connection is in step: a request with a known answer gets it."""
    connection.send(taken(user))
    assert connection.receive() == Reply(DROP_VERSION, Answer.REGISTER_REFUSED, b"")


def conversation(user: User) -> tuple[bytes, list[int]]:
    """A short conversation that needs no key of its own connection, and the codes of its answers."""
    frames = [
        taken(user),
        request(user.id, UNKNOWN_CODE, b"five!"),
        file_frame(user.id, "split", user.encrypt(b"some text")),
        named_frame(user.id, Request.CRC_OK, "split"),
        named_frame(user.id, Request.CRC_OK, "split"),
    ]
    return b"".join(frames), [
        Answer.REGISTER_REFUSED,
        Answer.MESSAGES_ERROR,
        Answer.FILE_RECEIVED,
        Answer.THANKS,
        Answer.ERROR,
    ]


def two_users(client: MessagesClient, new_user) -> tuple[User, User, bytes]:
    """Two new users of messages, and the alias by which the first knows the second."""
    sender, receiver = (client.register_for_messages(new_user()) for _ in range(2))
    return sender, receiver, client.alias_of(receiver, asking=sender)


def send_all(client: MessagesClient, sender: User, target: bytes, contents: list[bytes]) -> list[int]:
    """Sends texts, pipelined; their ids. For as much as the buffers on the way take: nothing is read meanwhile."""
    client.send(b"".join(message_frame(sender.id, target, Type.TEXT, content) for content in contents))
    return [client.expect_stored(target) for _ in contents]


def send_while_receiving(connection: MessagesClient, data: bytes) -> threading.Thread:
    """Sends more than the buffers on the way take; whoever calls reads the answers, then joins."""
    thread = threading.Thread(target=connection.send_as_far_as_taken, args=(data,))
    thread.start()
    return thread


def register_many(connection: MessagesClient, private_key: RSA.RsaKey, count: int) -> list[User]:
    """That many users of the drop, who have not sent a key."""
    users = [User(f"listed {number}", private_key) for number in range(count)]
    thread = send_while_receiving(connection, b"".join(register_frame(user.name) for user in users))
    for user in users:
        user.id = connection.expect(Answer.REGISTERED).payload
    thread.join()
    return users
