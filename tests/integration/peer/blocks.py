"""The family that pads every request and every answer with zeros to a multiple of 1024 bytes, and waits for as
much (protocol.md, "Blocks")."""

from .frames import MESSAGES_VERSION, RESPONSE_HEADER, Connection, Reply, Request, request
from .messages import Message, MessagesClient

BLOCK_SIZE = 1024


def rest(size: int) -> int:
    """How many zeros fill that many bytes up to a multiple of a block."""
    return -size % BLOCK_SIZE


def padded(frame: bytes) -> bytes:
    return frame + bytes(rest(len(frame)))


def key_of_user_frame(client_id: bytes, target: bytes) -> bytes:
    """A 602 as this family sends it: the payload size says nothing of the target behind the header."""
    return request(client_id, Request.KEY_OF_USER, version=MESSAGES_VERSION) + target


def receive_padding(connection: Connection, answer_size: int) -> None:
    zeros = connection.receive_exactly(rest(answer_size))
    assert zeros == bytes(len(zeros)), "something stands inside the padding"


class BlocksClient(MessagesClient):
    """One connection of this family: sends whole requests, one at a time."""

    def send(self, data: bytes) -> None:
        super().send(padded(data))

    def receive(self) -> Reply:
        answer = super().receive()
        receive_padding(self, RESPONSE_HEADER.size + len(answer.payload))
        return answer

    def receive_messages(self) -> list[Message]:
        messages = super().receive_messages()
        receive_padding(self, RESPONSE_HEADER.size + sum(len(message.encode()) for message in messages))
        return messages

    def key_of(self, user, target: bytes) -> bytes:
        self.send(key_of_user_frame(user.id, target))
        return self.receive().payload[len(target) :]
