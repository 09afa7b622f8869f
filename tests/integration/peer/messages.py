"""The client side of the messages service: requests 601–604, and what two users say through them end to end."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from Cryptodome.PublicKey import RSA

from . import crypto
from .drop import DropClient, Refused, User
from .frames import (
    MESSAGES_VERSION,
    PUBLIC_KEY_SIZE,
    Connection,
    MessageAnswer,
    Reply,
    Request,
    request,
)

LISTED_USER = struct.Struct("<16s255s")
USER_KEY = struct.Struct(f"<16s{PUBLIC_KEY_SIZE}s")
SEND_FIXED = struct.Struct("<16sBI")
STORED = struct.Struct("<16sI")
WAITING_FIXED = struct.Struct("<16sIBI")

DEFAULT_MESSAGE_LIMIT = 64 << 20
SPOOL_THRESHOLD = 256 << 10  # of kesherd: contents above it go to the disk while they arrive
NOTHING_WAITS = Reply(MESSAGES_VERSION, MessageAnswer.WAITING, b"")


class Type(IntEnum):
    KEY_REQUEST = 1
    KEY = 2
    TEXT = 3
    FILE = 4


@dataclass(frozen=True)
class Message:
    """One message of a 2104."""

    sender: bytes
    id: int
    type: int
    content: bytes

    def encode(self) -> bytes:
        return WAITING_FIXED.pack(self.sender, self.id, self.type, len(self.content)) + self.content


# -- requests


def list_users_frame(client_id: bytes) -> bytes:
    return request(client_id, Request.LIST_USERS, version=MESSAGES_VERSION)


def key_of_user_frame(client_id: bytes, target: bytes) -> bytes:
    return request(client_id, Request.KEY_OF_USER, target, version=MESSAGES_VERSION)


def message_frame(
    client_id: bytes,
    target: bytes,
    message_type: int,
    content: bytes = b"",
    *,
    content_size: int | None = None,
    declared: int | None = None,
) -> bytes:
    """A 603; `content_size` and `declared` (the payload size) replace the true values."""
    size = len(content) if content_size is None else content_size
    payload = SEND_FIXED.pack(target, message_type, size) + content
    return request(client_id, Request.SEND_MESSAGE, payload, version=MESSAGES_VERSION, declared=declared)


def pull_frame(client_id: bytes) -> bytes:
    return request(client_id, Request.PULL, version=MESSAGES_VERSION)


# -- answers


def stored(target: bytes, message_id: int) -> Reply:
    return Reply(MESSAGES_VERSION, MessageAnswer.STORED, STORED.pack(target, message_id))


def waiting(*messages: Message) -> Reply:
    payload = b"".join(message.encode() for message in messages)
    return Reply(MESSAGES_VERSION, MessageAnswer.WAITING, payload)


class Malformed(Exception):
    """A 2104 whose messages do not add up to its payload."""


def read_messages(connection: Connection, size: int) -> Iterator[Message]:
    """The messages of a 2104 with that payload size, each as soon as it is there."""
    while size > 0:
        if size < WAITING_FIXED.size:
            raise Malformed(f"{size} bytes are left over")
        sender, number, message_type, content_size = WAITING_FIXED.unpack(
            connection.receive_exactly(WAITING_FIXED.size)
        )
        size -= WAITING_FIXED.size + content_size
        if size < 0:
            raise Malformed(f"message {number} is {-size} bytes longer than the answer")
        yield Message(sender, number, message_type, connection.receive_exactly(content_size))


def parse_messages(payload: bytes) -> list[Message]:
    """The messages of a whole 2104."""
    messages, place = [], 0
    while place < len(payload):
        if place + WAITING_FIXED.size > len(payload):
            raise Malformed(f"{len(payload) - place} bytes are left over")
        sender, number, message_type, size = WAITING_FIXED.unpack_from(payload, place)
        place += WAITING_FIXED.size + size
        if place > len(payload):
            raise Malformed(f"message {number} is longer than the answer")
        messages.append(Message(sender, number, message_type, payload[place - size : place]))
    return messages


class MessagesClient(DropClient):
    """One connection that speaks messages, and the drop, whose registration it shares."""

    def expect_message_answer(self, code: int) -> bytes:
        """The payload of an answer of the messages service, which must have that code and version 2."""
        answer = self.receive()
        if (answer.version, answer.code) != (MESSAGES_VERSION, code):
            raise Refused(answer)
        return answer.payload

    def list_users(self, user: User) -> list[tuple[bytes, str]]:
        """(alias, name) of everybody else, in the server's order."""
        self.send(list_users_frame(user.id))
        payload = self.expect_message_answer(MessageAnswer.USERS)
        return [(alias, name.split(b"\0")[0].decode()) for alias, name in LISTED_USER.iter_unpack(payload)]

    def alias_of(self, other: User, asking: User) -> bytes:
        """By what `asking` knows `other`."""
        (alias,) = [alias for alias, name in self.list_users(asking) if name == other.name]
        return alias

    def key_of(self, user: User, target: bytes) -> bytes:
        self.send(key_of_user_frame(user.id, target))
        echoed, public_key = USER_KEY.unpack(self.expect_message_answer(MessageAnswer.KEY_OF_USER))
        assert echoed == target
        return public_key

    def send_message(self, user: User, target: bytes, content: bytes, message_type: int = Type.TEXT) -> int:
        """Sends a 603, checks the echo of its target; the message's id."""
        self.send(message_frame(user.id, target, message_type, content))
        return self.expect_stored(target)

    def expect_stored(self, target: bytes) -> int:
        echoed, number = STORED.unpack(self.expect_message_answer(MessageAnswer.STORED))
        assert echoed == target
        return number

    def pull(self, user: User) -> list[Message]:
        self.send(pull_frame(user.id))
        return self.receive_messages()

    def receive_messages(self) -> list[Message]:
        """The messages of the 2104 that is due."""
        return list(self.stream_messages())

    def stream_messages(self) -> Iterator[Message]:
        """The same, each as soon as it is there."""
        return read_messages(self, self.receive_waiting_header())

    def receive_waiting_header(self) -> int:
        """The payload size of the 2104 that is due, whose messages are left to be received."""
        version, code, size = self.receive_header()
        if (version, code) != (MESSAGES_VERSION, MessageAnswer.WAITING):
            raise Refused(Reply(version, code, self.receive_exactly(size)))
        return size

    def pull_until_empty(self, user: User) -> list[Message]:
        """Everything that waits, in as many parts as the server makes of it."""
        messages = []
        while part := self.pull(user):
            messages += part
        return messages


# -- end to end


class CannotDecrypt(Exception):
    pass


@dataclass
class Correspondent:
    """One user's side of conversations: the symmetric key that it shares with each other, by their alias."""

    user: User
    keys: dict[bytes, bytes] = field(default_factory=dict)

    def ask_for_key(self, client: MessagesClient, target: bytes) -> int:
        return client.send_message(self.user, target, b"", Type.KEY_REQUEST)

    def share_key(self, client: MessagesClient, target: bytes, key: bytes | None = None) -> int:
        """Sends a key under the target's public one, a fresh one unless it is given."""
        self.keys[target] = key or os.urandom(crypto.AES_KEY_SIZE)
        public_key = RSA.import_key(client.key_of(self.user, target))
        wrapped = crypto.rsa_encrypt(public_key, self.keys[target])
        return client.send_message(self.user, target, wrapped, Type.KEY)

    def write(
        self, client: MessagesClient, target: bytes, plain: bytes, message_type: int = Type.TEXT
    ) -> int:
        content = crypto.aes_encrypt(self.keys[target], plain)
        return client.send_message(self.user, target, content, message_type)

    def read(self, message: Message) -> bytes:
        """The plaintext of a text or a file; a key is taken and gives nothing, and so does a request for one."""
        if message.type == Type.KEY_REQUEST:
            return b""
        try:
            if message.type == Type.KEY:
                self._take_key(message)
                return b""
            return crypto.aes_decrypt(self.keys[message.sender], message.content)
        except (KeyError, ValueError) as problem:
            raise CannotDecrypt(f"message {message.id} of type {message.type}") from problem

    def _take_key(self, message: Message) -> None:
        key = crypto.rsa_decrypt(self.user.private_key, message.content)
        if len(key) != crypto.AES_KEY_SIZE:
            raise ValueError(f"a key of {len(key)} bytes")
        self.keys[message.sender] = key
