"""A fake server for the messages of `kesher`: faithful by default, and a liar as its script tells it to be.

It is the fake server of the drop, whose registrations it shares, with requests 601–604 added. Nobody is told
an id but its owner: others know a user by an alias. Everything is in RAM. `FakeUser` is a user whom the
test plays, without a connection: it leaves messages at the server and takes what it was sent.
"""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from Cryptodome.PublicKey import RSA

from . import crypto
from .drop import User
from .frames import (
    MESSAGES_VERSION,
    RESPONSE_HEADER,
    TEXT_FIELD_SIZE,
    MessageAnswer,
    Request,
    text_field,
)
from .messages import LISTED_USER, SEND_FIXED, STORED, USER_KEY, Message, Type
from .server import Account, FakeServer, Hangup, Script, Seen, Session

MESSAGE_CODES = (
    Request.REGISTER_FOR_MESSAGES,
    Request.LIST_USERS,
    Request.KEY_OF_USER,
    Request.SEND_MESSAGE,
    Request.PULL,
)
WAIT_SECONDS = 60


class Cut(bytes):
    """An answer after whose bytes the connection ends."""

    def __bool__(self) -> bool:
        return True


Lie = Callable[[Seen, bytes], bytes]


@dataclass
class MessageScript(Script):
    """What this server does differently from a plain one."""

    version: int = MESSAGES_VERSION
    # Request code -> what is sent instead of the honest answer, which the lie is given. What a 604 is answered
    # with a lie goes on waiting. A lie must not call the server: its lock is taken.
    lies: dict[int, Lie] = field(default_factory=dict)
    messages_per_answer: int | None = None
    keeps_delivered: bool = False


@dataclass
class Sent:
    """A 603 that was accepted: by whom, to whom (their true ids), and the message that it became."""

    sender: bytes
    target: bytes
    message: Message

    @property
    def type(self) -> int:
        return self.message.type

    @property
    def content(self) -> bytes:
        return self.message.content


def alias_of(client_id: bytes) -> bytes:
    return hashlib.sha256(b"alias of " + client_id).digest()[: len(client_id)]


class MessageServer(FakeServer):
    def __init__(self, script: MessageScript | None = None):
        self.waiting: dict[bytes, list[Message]] = {}
        self.sent: list[Sent] = []
        self.next_message_id = 1
        self.answered: list[int] = []  # codes of requests whose answers are sent
        self.news = threading.Condition()
        super().__init__(script or MessageScript())

    def new_session(self, client, number: int) -> Session:
        return _MessageSession(self, client, number)

    def add_user(self, name: str, private_key) -> User:
        user = User(name, private_key)
        user.id = self.add_account(name, user.public_key).id
        return user

    def requests_of(self, *codes: int) -> list[Seen]:
        return [seen for seen in self.requests if seen.code in codes]

    def leave(self, sender: bytes, target: bytes, message_type: int, content: bytes) -> Message:
        """Makes a message of the user with the alias `sender` wait for the user with the id `target`."""
        with self.lock:
            return self.accept(sender, target, message_type, content)

    def leave_message(self, target: bytes, message: Message) -> None:
        """Makes that very message wait, whether it did before or not."""
        with self.lock:
            self.waiting.setdefault(target, []).append(message)

    def accept(self, sender: bytes, target: bytes, message_type: int, content: bytes) -> Message:
        """`leave`, for who holds the lock."""
        message = Message(sender, self.next_message_id, message_type, content)
        self.next_message_id += 1
        self.waiting.setdefault(target, []).append(message)
        return message

    def lie_once(self, code: int, lie: Lie) -> None:
        """The next answer to a request with that code is a lie, those after it are honest."""

        def once(seen: Seen, honest: bytes) -> bytes:
            del self.script.lies[code]
            return lie(seen, honest)

        self.script.lies[code] = once

    def waiting_for(self, user: User) -> list[Message]:
        with self.lock:
            return list(self.waiting.get(user.id, []))

    def sent_by(self, user: User, *types: int) -> list[Sent]:
        """What was accepted from that user, of these types or of any."""
        with self.lock:
            mine = [sent for sent in self.sent if sent.sender == user.id]
        return [sent for sent in mine if not types or sent.type in types]

    def account_of_target(self, target: bytes) -> Account | None:
        for account in self.accounts.values():
            if target in (account.id, alias_of(account.id)):
                return account
        return None

    def wait_for_answers(self, code: int, count: int) -> None:
        """Waits until that many answers to requests with that code have been sent since the server began."""
        with self.news:
            told = self.news.wait_for(lambda: self.answered.count(code) >= count, WAIT_SECONDS)
        assert told, f"no answer to {code}; requests were {self.codes}"

    def restart(self) -> None:
        """Ends every connection and serves again at the same address."""
        self.stop()
        self.listen(self.address[1])


class _MessageSession(Session):
    server: MessageServer
    script: MessageScript

    def __init__(self, server: MessageServer, client: socket.socket, number: int):
        super().__init__(server, client, number)
        self.delivering: tuple[
            bytes, bytes, int
        ] | None = None  # answer, id of the receiver, how many messages
        self.handlers |= {
            Request.LIST_USERS: self._list_users,
            Request.KEY_OF_USER: self._key_of_user,
            Request.SEND_MESSAGE: self._send_message,
            Request.PULL: self._pull,
        }

    def _handle(self, seen: Seen) -> bytes:
        known = seen.client_id in self.server.accounts or seen.code == Request.REGISTER_FOR_MESSAGES
        refused = seen.code in MESSAGE_CODES and not known
        honest = self._refusal() if refused else super()._handle(seen)
        lie = self.script.lies.get(seen.code)
        return lie(seen, honest) if lie else honest

    def _error_by_script(self, code: int) -> bytes:
        if code not in MESSAGE_CODES or self.script.errors.get(code, 0) == 0:
            return super()._error_by_script(code)
        self.script.errors[code] -= 1
        return self._reply(self.script.error_code or MessageAnswer.ERROR)

    def _answer(self, code: int, answer: bytes) -> None:
        super()._answer(code, answer)
        if isinstance(answer, Cut):
            raise Hangup
        self._delete_delivered(answer)
        with self.server.news:
            self.server.answered.append(code)
            self.server.news.notify_all()

    def _delete_delivered(self, answer: bytes) -> None:
        delivering, self.delivering = self.delivering, None
        if delivering and answer is delivering[0] and not self.server.script.keeps_delivered:
            with self.server.lock:
                del self.server.waiting[delivering[1]][: delivering[2]]

    def _refusal(self) -> bytes:
        return self._reply(MessageAnswer.ERROR)

    # -- meaning

    def _register_for_messages(self, seen: Seen) -> bytes:
        answer = super()._register_for_messages(seen)
        (_, code, _) = RESPONSE_HEADER.unpack_from(answer)
        return answer if code == MessageAnswer.REGISTERED else self._refusal()

    def _list_users(self, seen: Seen) -> bytes:
        others = [account for account in self.server.accounts.values() if account.id != seen.client_id]
        return self._reply(MessageAnswer.USERS, user_list((alias_of(it.id), it.name) for it in others))

    def _key_of_user(self, seen: Seen) -> bytes:
        account = self.server.account_of_target(seen.payload)
        if account is None or account.public_key is None:
            return self._refusal()
        return self._reply(MessageAnswer.KEY_OF_USER, USER_KEY.pack(seen.payload, account.public_key))

    def _send_message(self, seen: Seen) -> bytes:
        target, message_type, size = SEND_FIXED.unpack_from(seen.payload)
        content = seen.payload[SEND_FIXED.size :]
        account = self.server.account_of_target(target)
        if account is None or size != len(content) or message_type not in tuple(Type):
            return self._refusal()
        message = self.server.accept(alias_of(seen.client_id), account.id, message_type, content)
        self.server.sent.append(Sent(seen.client_id, account.id, message))
        return self._reply(MessageAnswer.STORED, STORED.pack(target, message.id))

    def _pull(self, seen: Seen) -> bytes:
        if seen.payload:
            raise ValueError(f"a 604 with {len(seen.payload)} bytes of payload")
        messages = self.server.waiting.get(seen.client_id, [])[: self.script.messages_per_answer]
        answer = self._reply(MessageAnswer.WAITING, b"".join(message.encode() for message in messages))
        if messages:
            self.delivering = (answer, seen.client_id, len(messages))
        return answer


def user_list(users: Iterable[tuple[bytes, str | bytes]]) -> bytes:
    """The payload of a list of users; a name of 255 bytes is taken as a field made by hand."""
    return b"".join(
        LISTED_USER.pack(alias, name if len(name) == TEXT_FIELD_SIZE else text_field(name))
        for alias, name in users
    )


class FakeUser:
    """A user of a fake server whom the test plays. `key` is the symmetric key that was shared last."""

    def __init__(self, server: MessageServer, name: str, private_key: RSA.RsaKey):
        self.server = server
        self.user = server.add_user(name, private_key)
        self.key = b""

    @property
    def name(self) -> str:
        return self.user.name

    @property
    def alias(self) -> bytes:
        return alias_of(self.user.id)

    def _leave(self, receiver: User, message_type: int, content: bytes) -> Message:
        return self.server.leave(self.alias, receiver.id, message_type, content)

    def ask_for_key(self, receiver: User, content: bytes = b"") -> Message:
        return self._leave(receiver, Type.KEY_REQUEST, content)

    def share_key(self, receiver: User, key: bytes | None = None) -> Message:
        """Sends a key, a fresh one unless it is given, and goes on under it."""
        self.key = key or os.urandom(crypto.AES_KEY_SIZE)
        return self.send_raw_key(receiver, crypto.rsa_encrypt(receiver.private_key, self.key))

    def send_raw_key(self, receiver: User, content: bytes) -> Message:
        return self._leave(receiver, Type.KEY, content)

    def write(self, receiver: User, text: str | bytes, key: bytes | None = None) -> Message:
        return self._encrypted(receiver, Type.TEXT, text.encode() if isinstance(text, str) else text, key)

    def send_file(self, receiver: User, content: bytes, key: bytes | None = None) -> Message:
        return self._encrypted(receiver, Type.FILE, content, key)

    def _encrypted(self, receiver: User, message_type: int, plain: bytes, key: bytes | None) -> Message:
        return self._leave(receiver, message_type, crypto.aes_encrypt(key or self.key, plain))

    def take(self) -> list[Message]:
        """Everything that waits for this user, which is deleted."""
        with self.server.lock:
            return self.server.waiting.pop(self.user.id, [])

    def take_key(self, message: Message) -> bytes:
        """Opens a type 2 of the exact form, and goes on under its key."""
        assert (message.type, len(message.content)) == (Type.KEY, crypto.RSA_BITS // 8)
        self.key = crypto.rsa_decrypt(self.user.private_key, message.content)
        assert len(self.key) == crypto.AES_KEY_SIZE
        return self.key

    def open(self, message: Message) -> bytes:
        """The content of a text or a file under the key shared last; fails when the padding is wrong."""
        assert message.type in (Type.TEXT, Type.FILE)
        return crypto.aes_decrypt(self.key, message.content)
