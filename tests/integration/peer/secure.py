"""A client of the secure port: every request of docs/protocol.md, section 8, the chat behind a 3030, and own files."""

import socket
import struct

from Cryptodome.PublicKey import RSA
from OpenSSL import SSL

from . import accounts, tls
from .accounts import Account, Answer, Entry, Reason, Request, list_payload, sign_in_payload, text
from .chat import LineClient
from .frames import NO_ID, Connection, ConnectionEnded, Reply, request
from .links import Link
from .messages import LISTED_USER, USER_KEY
from .own_files import FileRequests


PROBE = Request.ACCOUNT  # before sign-in: refused, as often as one likes


class Refused(Exception):
    """A 4999 where something else was due."""

    def __init__(self, payload: bytes):
        self.reason, self.sentence = accounts.parse_refusal(payload)
        super().__init__(f"reason {self.reason}: {self.sentence}")


class Unexpected(Exception):
    """An answer of another code, or version, than the one that is due."""


class NotThisServer(Exception):
    """Another fingerprint than the one that is pinned, or a server that does not speak kesher/1."""


def frame(code: int, payload: bytes = b"", **options) -> bytes:
    return request(NO_ID, code, payload, version=accounts.VERSION, **options)


class SecureClient(FileRequests, Connection):
    """One connection to the secure port, after the handshake."""

    carrier = tls.TlsSocket

    def __init__(
        self,
        address: tuple[str, int],
        timeout: float = 30,
        *,
        fingerprint: bytes | None = None,
        context: SSL.Context | None = None,
        before: bytes = b"",
        **options,
    ):
        """`fingerprint`: the only one that the server may have. `before`: what is sent before TLS begins."""
        super().__init__(address, timeout, **options)
        if before:
            self.socket.sendall(before)
        self.tcp: socket.socket = self.socket
        self.socket = self.carrier(self.tcp, context or tls.usual_context())
        try:
            self.socket.handshake()
            self.fingerprint = self.socket.engine.peer_fingerprint()
            if self.socket.engine.alpn != tls.ALPN or fingerprint not in (None, self.fingerprint):
                raise NotThisServer
        except BaseException:
            self.tcp.close()
            raise
        self.exporter = self.socket.engine.exporter()

    @classmethod
    def at(cls, link: Link, **options) -> "SecureClient":
        return cls(link.address, fingerprint=link.fingerprint, **options)

    @property
    def channel(self) -> bytes:
        return self.fingerprint + self.exporter

    @property
    def was_cut(self) -> bool:
        """It has ended, and without close_notify."""
        return self.socket.was_cut

    def close_at_once(self) -> None:
        """A TCP end without close_notify."""
        self.tcp.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.tcp.close()

    def is_silent_for(self, seconds: float) -> bool:
        return not self.socket.engine.connection.pending() and super().is_silent_for(seconds)

    # -- requests and their answers

    def say(self, code: int, payload: bytes = b"", **options) -> None:
        self.send(frame(code, payload, **options))

    def hear(self, code: int) -> bytes:
        """The payload of the answer that is due, which must have that code."""
        answer = self.receive()
        if answer.version != accounts.VERSION:
            raise Unexpected(answer)
        if answer.code == Answer.REFUSED:
            raise Refused(answer.payload)
        if answer.code != code:
            raise Unexpected(answer)
        return answer.payload

    def hear_refusal(self) -> Reason:
        answer: Reply = self.receive()
        if (answer.version, answer.code) != (accounts.VERSION, Answer.REFUSED):
            raise Unexpected(answer)
        reason, sentence = accounts.parse_refusal(answer.payload)
        assert sentence, "a text for people"
        return Reason(reason)

    def refusal(self, code: int, payload: bytes = b"", **options) -> Reason:
        """Why this is refused."""
        self.say(code, payload, **options)
        return self.hear_refusal()

    def is_served(self) -> bool:
        """Before sign-in: whether it is in step, and answered."""
        return self.refusal(PROBE) == Reason.SIGN_IN_FIRST

    def nonce(self) -> bytes:
        """Once for each connection."""
        self.say(Request.NONCE)
        return self.hear(Answer.NONCE)

    # -- payloads, signed for this channel

    def sign_in_payload(self, account: Account) -> bytes:
        return sign_in_payload(
            account.key, account.sign(accounts.sign_in_signed(self.channel, account.key))
        )

    def register_payload(self, account: Account, name: str | bytes, invitation: str | bytes = "") -> bytes:
        signed = accounts.register_signed(self.channel, account.key, name, invitation)
        return sign_in_payload(account.key, account.sign(signed)) + text(name) + text(invitation)

    def adopt_payload(self, account: Account, classic_id: bytes, name: str | bytes) -> bytes:
        signed = accounts.adopt_signed(self.channel, account.key, classic_id, name)
        return sign_in_payload(account.key, account.sign(signed)) + classic_id + text(name)

    def removal(self, account: Account) -> bytes:
        return account.sign(accounts.remove_signed(self.channel, account.key))

    # -- what the requests do

    def _take(self, account: Account, payload: bytes) -> Account:
        account.told = accounts.parse_list(payload)
        account.name = account.told[Entry.NAME].decode()
        assert len(account.public_id) == 16
        return account

    def sign_in(self, account: Account) -> Account:
        self.say(Request.SIGN_IN, self.sign_in_payload(account))
        return self._take(account, self.hear(Answer.SIGNED_IN))

    def register(self, account: Account, name: str | bytes, invitation: str = "") -> Account:
        self.say(Request.REGISTER, self.register_payload(account, name, invitation))
        return self._take(account, self.hear(Answer.SIGNED_IN))

    def challenge(self, account: Account, classic_id: bytes, name: str | bytes) -> bytes:
        """The 4003 of an adoption, encrypted."""
        self.say(Request.ADOPT, self.adopt_payload(account, classic_id, name))
        encrypted = self.hear(Answer.CHALLENGE)
        assert len(encrypted) == 128
        return encrypted

    def proof(
        self, account: Account, classic_id: bytes, name: str | bytes, key: RSA.RsaKey, encrypted: bytes
    ) -> bytes:
        secret = accounts.challenge_decrypt(key, encrypted)
        assert len(secret) == accounts.SECRET_SIZE
        return accounts.adoption_proof(secret, self.channel, account.key, classic_id, name)

    def adopt(self, account: Account, classic_id: bytes, name: str | bytes, key: RSA.RsaKey) -> Account:
        encrypted = self.challenge(account, classic_id, name)
        self.say(Request.PROOF, self.proof(account, classic_id, name, key, encrypted))
        return self._take(account, self.hear(Answer.SIGNED_IN))

    def account(self, *changes: tuple[int, bytes]) -> dict[int, bytes]:
        """A 3007 with these settings to change."""
        self.say(Request.ACCOUNT, list_payload(*changes))
        return accounts.parse_list(self.hear(Answer.ACCOUNT))

    def classic_on(self, public_key: bytes) -> bytes:
        """The classic id, which is told this once."""
        told = self.account((Entry.CLASSIC, b"\1"), (Entry.CLASSIC_KEY, public_key))
        assert accounts.number(told[Entry.CLASSIC]) == 1
        return told[Entry.CLASSIC_ID]

    def classic_off(self) -> None:
        told = self.account((Entry.CLASSIC, b"\0"))
        assert accounts.number(told[Entry.CLASSIC]) == 0 and Entry.CLASSIC_ID not in told

    def remove(self, account: Account) -> None:
        """Removes it, and hears the connection end."""
        self.say(Request.REMOVE, self.removal(account))
        assert self.hear(Answer.REMOVED) == b""
        assert self.has_ended()

    def list_users(self) -> list[tuple[bytes, str]]:
        self.say(Request.LIST_USERS)
        payload = self.hear(Answer.USERS)
        return [(alias, name[: name.index(b"\0")].decode()) for alias, name in LISTED_USER.iter_unpack(payload)]

    def key_of(self, target: bytes) -> bytes:
        self.say(Request.KEY_OF_USER, target)
        echoed, public_key = USER_KEY.unpack(self.hear(Answer.KEY_OF_USER))
        assert echoed == target
        return public_key

    def talk(self) -> "SecureTalker":
        """From now on this connection is that of a chat; the menu has not been read yet."""
        self.say(Request.TALK)
        name, end = accounts.parse_text(payload := self.hear(Answer.TALK))
        assert end == len(payload)
        return SecureTalker(self, name)


class SecureTalker(LineClient):
    """Group chat after a 4030: lines from the server's first text on."""

    def __init__(self, client: SecureClient, name: str):
        self.socket = client.socket
        self.client = client  # keeps it open
        self.apostrophe = "'"
        self.proposed = name
        self.name = ""
        self.group = 0
        self._wrote_a_line = True

    def create(self, name: str = "", password: str = "12345") -> int:
        """An empty name takes the one that was proposed."""
        group = super().create(name, password)
        self.name = name or self.proposed
        return group

    def join(self, name: str, group: int, password: str = "12345") -> None:
        super().join(name, group, password)
        self.name = name or self.proposed


def ended(connection: Connection) -> bool:
    """Whether the connection ends without another answer."""
    try:
        connection.receive()
    except (ConnectionEnded, tls.TlsFailed, ConnectionError):
        return True
    return False


