"""The client side of the file drop, and the registration that it shares with the messages service."""

import hashlib
import struct
from dataclasses import dataclass

from Cryptodome.PublicKey import RSA

from . import crypto
from .frames import (
    DROP_ERROR,
    DROP_VERSION,
    MESSAGES_VERSION,
    NO_ID,
    TEXT_FIELD_SIZE,
    Answer,
    Connection,
    Reply,
    Request,
    request,
    text_field,
)

SEND_FILE_FIXED_SIZE = 4 + TEXT_FIELD_SIZE
LARGEST_CONTENT = 4_294_967_024
CONTENTS_PER_KEY = 16
UNKNOWN_ID = b"nobody has this!"
STORED_PATH_LIMIT = 159
STORED_NAME_LIMIT = STORED_PATH_LIMIT - len("files/") - 32 - len("/")


def stored_name(name: str) -> str:
    """The name under which a server keeps a file: without folders, cut where its path would be too long."""
    kept = name.replace("\\", "/").rpartition("/")[2].encode()
    if len(kept) <= STORED_NAME_LIMIT:
        return kept.decode()
    tail = "~" + hashlib.sha256(kept).hexdigest()[:16]
    return kept[: STORED_NAME_LIMIT - len(tail)].decode(errors="ignore") + tail


class Refused(Exception):
    """The server's answer was another than the one that the step wants."""

    def __init__(self, answer: Reply):
        super().__init__(f"code {answer.code}, {len(answer.payload)} bytes")
        self.answer = answer


@dataclass
class User:
    """Who a client is: what it would keep in its home, and the AES key that it was given last."""

    name: str
    private_key: RSA.RsaKey
    id: bytes = NO_ID
    aes_key: bytes = b""

    @property
    def public_key(self) -> bytes:
        return crypto.public_key_der(self.private_key)

    def take_key(self, answer: Reply) -> bytes:
        """Keeps the AES key of a 2102 or 2105, after checking its layout."""
        client_id, encrypted = answer.payload[:16], answer.payload[16:]
        if client_id != self.id or len(encrypted) != crypto.RSA_BITS // 8:
            raise Refused(answer)
        self.aes_key = crypto.rsa_decrypt(self.private_key, encrypted)
        return self.aes_key

    def encrypt(self, plain: bytes) -> bytes:
        return crypto.aes_encrypt(self.aes_key, plain)


@dataclass
class Received:
    """The fields of a 2103."""

    client_id: bytes
    content_size: int
    name_field: bytes
    cksum: int

    @classmethod
    def parse(cls, payload: bytes) -> "Received":
        return cls(*struct.unpack(f"<16sI{TEXT_FIELD_SIZE}sI", payload))


def _name_field(name: str | bytes) -> bytes:
    """A name as a text field; 255 bytes are taken as a field made by hand."""
    return name if isinstance(name, bytes) and len(name) == TEXT_FIELD_SIZE else text_field(name)


def register_frame(name: str | bytes, client_id: bytes = NO_ID) -> bytes:
    return request(client_id, Request.REGISTER, _name_field(name))


def register_for_messages_frame(name: str | bytes, public_key: bytes, client_id: bytes = NO_ID) -> bytes:
    return request(
        client_id, Request.REGISTER_FOR_MESSAGES, _name_field(name) + public_key, version=MESSAGES_VERSION
    )


def public_key_frame(user: User, public_key: bytes | None = None, name: str | bytes | None = None) -> bytes:
    payload = _name_field(user.name if name is None else name) + (public_key or user.public_key)
    return request(user.id, Request.PUBLIC_KEY, payload)


def reconnect_frame(user: User, name: str | bytes | None = None) -> bytes:
    return request(user.id, Request.RECONNECT, _name_field(user.name if name is None else name))


def file_frame(
    client_id: bytes,
    name: str | bytes,
    content: bytes,
    *,
    content_size: int | None = None,
    declared: int | None = None,
) -> bytes:
    """A 1028; `content_size` and `declared` (the payload size) replace the true values."""
    size = len(content) if content_size is None else content_size
    payload = struct.pack("<I", size) + _name_field(name) + content
    return request(client_id, Request.SEND_FILE, payload, declared=declared)


def named_frame(client_id: bytes, code: int, name: str | bytes) -> bytes:
    """A 1029, 1030 or 1031."""
    return request(client_id, code, _name_field(name))


def thanks(client_id: bytes) -> Reply:
    return Reply(DROP_VERSION, Answer.THANKS, client_id)


class DropClient(Connection):
    """One connection that takes the steps of the drop, each with the answer that it should have."""

    def expect(self, *codes: int) -> Reply:
        answer = self.receive()
        if answer.code not in codes:
            raise Refused(answer)
        return answer

    def register(self, user: User) -> User:
        self.send(register_frame(user.name))
        user.id = self.expect(Answer.REGISTERED).payload
        return user

    def register_for_messages(self, user: User) -> User:
        self.send(register_for_messages_frame(user.name, user.public_key))
        user.id = self.expect(Answer.REGISTERED).payload
        return user

    def send_public_key(self, user: User) -> bytes:
        self.send(public_key_frame(user))
        return user.take_key(self.expect(Answer.KEY))

    def introduce(self, user: User) -> User:
        """Registers and sends the public key: the user of the classic client's first run."""
        self.register(user)
        self.send_public_key(user)
        return user

    def reconnect(self, user: User) -> bytes:
        self.send(reconnect_frame(user))
        return user.take_key(self.expect(Answer.KEY_AGAIN))

    def send_content(self, user: User, name: str | bytes, content: bytes, **options) -> Received:
        self.send(file_frame(user.id, name, content, **options))
        return Received.parse(self.expect(Answer.FILE_RECEIVED).payload)

    def send_file(self, user: User, name: str | bytes, plain: bytes) -> Received:
        """Encrypts, sends, and checks every field of the 2103."""
        content = user.encrypt(plain)
        received = self.send_content(user, name, content)
        assert received == Received(user.id, len(content), _name_field(name), crypto.cksum(plain))
        return received

    def confirm(self, user: User, name: str | bytes) -> None:
        self.named(user, Request.CRC_OK, name)

    def give_up(self, user: User, name: str | bytes) -> None:
        self.named(user, Request.GIVE_UP, name)

    def expect_nothing_staged(self, user: User, name: str | bytes) -> None:
        self.send(named_frame(user.id, Request.CRC_OK, name))
        assert self.receive() == DROP_ERROR

    def named(self, user: User, code: int, name: str | bytes) -> None:
        self.send(named_frame(user.id, code, name))
        assert self.receive() == thanks(user.id)

    def crc_wrong(self, user: User, name: str | bytes) -> None:
        """Sends a 1030, whose answer is deferred, and reads nothing."""
        self.send(named_frame(user.id, Request.CRC_WRONG, name))

    def put(self, user: User, name: str | bytes, plain: bytes) -> None:
        self.send_file(user, name, plain)
        self.confirm(user, name)
