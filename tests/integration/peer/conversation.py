"""Small talk with sure answers, for tests of frames and connections rather than of what is said."""

from .drop import User, file_frame, named_frame, register_frame
from .frames import DROP_VERSION, Answer, Reply, Request, request

UNKNOWN_CODE = 777


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
