"""A small server of the secure port, in Python: what a client can be tested against, honest unless told otherwise.

Keeps everything in memory. Written from docs/protocol.md, part two, alone.
"""

import os
import socket
import struct
import threading
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from Cryptodome.PublicKey import RSA
from OpenSSL import SSL

from . import accounts, chat, tls
from .accounts import Answer, Entry, Reason, Request, list_payload, text
from .frames import PUBLIC_KEY_SIZE, REQUEST_HEADER, connections_to, reply, text_field
from .links import Link, base64url, from_base64url
from .own_files_server import FileService, OwnFiles, RefusedRequest

LARGEST_PAYLOAD = 1024 * 1024  # of a piece of a file


@dataclass
class User:
    """A classic user, with an id and no account key; or an account."""

    name: str
    public_id: bytes = field(default_factory=lambda: os.urandom(16))
    key: bytes | None = None
    classic_id: bytes | None = None
    classic_key: bytes | None = None
    registered: int = field(default_factory=lambda: int(time.time()))
    files: OwnFiles = field(default_factory=OwnFiles)


@dataclass(frozen=True)
class Seen:
    """One request, and the channel that the server has with whom it came from."""

    code: int
    payload: bytes
    channel: bytes


class Ended(Exception):
    """The connection ends."""


class SecureServer:
    """Listens on the loopback, unless told another `host`. `identity` may be replaced between connections; `challenge` is what a 4003 holds."""

    def __init__(
        self,
        *,
        identity: tls.Identity | None = None,
        alpn: bytes | None = tls.ALPN,
        host: str = "127.0.0.1",
    ):
        self.identity = identity or tls.Identity.generate()
        self.alpn = alpn
        self.is_open = True
        self.next_key: bytes | None = None
        self.users: list[User] = []
        self.invitations: dict[bytes, str] = {}  # code: for whom alone, "" for anybody
        self.instead: dict[int, bytes] = {}  # a request's code: what is sent instead of an honest answer
        self.cuts: dict[int, int] = {}  # a request's code: so many are answered, the next one cuts the connection, once
        self.chat: list[str] = []  # after the menu, what is said after each line of the client
        self.cuts_chat = True  # after the last of them; else it says that it has said all
        self.requests: list[Seen] = []
        self.problems: list[str] = []
        self.challenge: Callable[[User, bytes], bytes] = self._honest_challenge
        self.lock = threading.RLock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0), backlog=64)
        self.address = self.secure_address = self._listener.getsockname()
        self._start(self._accept)

    @property
    def link(self) -> Link:
        return Link(self.address[0], self.address[1], self.identity.fingerprint)

    @property
    def codes(self) -> list[int]:
        return [seen.code for seen in self.requests]

    def add_classic(self, name: str, public_key: bytes) -> User:
        self.users.append(User(name, classic_id=os.urandom(16), classic_key=public_key))
        return self.users[-1]

    def invite(self, name: str = "") -> str:
        code = os.urandom(16)
        self.invitations[code] = name
        return base64url(code)

    def forget(self) -> None:
        """As a server whose data is gone, but for its key."""
        with self.lock:
            self.users.clear()

    def stop(self) -> None:
        for open_socket in (self._listener, *self._sockets):
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself
        for thread in self._threads:
            thread.join(30)
        for open_socket in (self._listener, *self._sockets):
            open_socket.close()

    @staticmethod
    def _honest_challenge(user: User, secret: bytes) -> bytes:
        return accounts.challenge_encrypt(RSA.import_key(user.classic_key), secret)

    def _start(self, work, *arguments) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        for accepted in connections_to(self._listener):
            accepted.settimeout(60)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(accepted)
            self._start(self._serve, accepted, tls.server_context(self.identity, self.alpn))

    def _serve(self, accepted: socket.socket, context: SSL.Context) -> None:
        try:
            with_tls = tls.TlsSocket(accepted, context, is_server=True).handshake()
            session = Session(self, with_tls)
            try:
                while session.serve_one():
                    pass
            finally:
                session.end()
            with_tls.shutdown(socket.SHUT_WR)
        except (Ended, ConnectionError, TimeoutError, tls.TlsFailed):
            pass
        except Exception as problem:  # whatever it is, the test must see it
            self.problems.append(repr(problem))
        finally:
            try:
                accepted.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # already ended by the client


def skeleton(name: str) -> str:
    """As much of one as these tests need."""
    return unicodedata.normalize("NFKC", name).casefold().replace("1", "l")


def refusal_payload(reason: Reason) -> bytes:
    return struct.pack("<H", reason) + text("It is refused.")


def refusal(reason: Reason) -> bytes:
    """The whole frame, for `instead`."""
    return reply(Answer.REFUSED, refusal_payload(reason), version=accounts.VERSION)


class Session:
    def __init__(self, server: SecureServer, client: tls.TlsSocket):
        self.server = server
        self.client = client
        self.channel = server.identity.fingerprint + client.engine.exporter()
        self.user: User | None = None
        self.signatures = 0
        self.adoption: tuple[User, bytes, bytes, str, bytes] | None = None
        self.files: FileService | None = None
        self.handlers = {
            Request.NONCE: self._nonce,
            Request.SIGN_IN: self._sign_in,
            Request.REGISTER: self._register,
            Request.ADOPT: self._adopt,
            Request.PROOF: self._proof,
            Request.ACCOUNT: self._account,
            Request.REMOVE: self._remove,
            Request.TALK: self._talk,
            Request.LIST_USERS: self._list_users,
            Request.KEY_OF_USER: self._key_of_user,
        }

    # -- frames

    def _receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.client.recv(size - len(data))
            if not part:
                raise Ended
            data += part
        return data

    def end(self) -> None:
        if self.files is not None:
            with self.server.lock:
                self.files.park()

    def _must_cut(self, code: int) -> bool:
        if code not in self.server.cuts:
            return False
        self.server.cuts[code] -= 1
        if self.server.cuts[code] >= 0:
            return False
        del self.server.cuts[code]
        return True

    def serve_one(self) -> bool:
        _, version, code, size = REQUEST_HEADER.unpack(self._receive(REQUEST_HEADER.size))
        if version != accounts.VERSION:
            self.server.problems.append(f"version {version} in a {code}")
        if size > (accounts.POOR_PAYLOAD_LIMIT if self.user is None else LARGEST_PAYLOAD):
            self.client.sendall(refusal(Reason.NO_SENSE))
            return False
        payload = self._receive(size)
        with self.server.lock:
            self.server.requests.append(Seen(code, payload, self.channel))
        if code in self.server.instead:
            self.client.sendall(self.server.instead[code])
            return True
        with self.server.lock:
            if self._must_cut(code):
                raise Ended
            try:
                frames = self._answers(code, payload)
            except RefusedRequest as refused:
                frames = [(Answer.REFUSED, refusal_payload(refused.reason))]
        for answer, answer_payload in frames:
            self.client.sendall(reply(answer, answer_payload, version=accounts.VERSION))
        if answer == Answer.TALK:
            return self._chat()
        return answer != Answer.REMOVED and not self._has_judged_enough(answer, answer_payload)

    def _chat(self) -> bool:
        self.client.sendall(chat.MENU.encode() + b"\n")
        for said in self.server.chat:
            while self._receive(1) != b"\n":
                pass
            self.client.sendall(said.encode())
        if not self.server.chat:  # until the client ends it
            self._receive(1 << 16)
        if self.server.cuts_chat:
            raise Ended
        return False

    @staticmethod
    def _has_judged_enough(answer: int, payload: bytes) -> bool:
        return answer == Answer.REFUSED and accounts.parse_refusal(payload)[0] == Reason.SIGNATURES

    def _answers(self, code: int, payload: bytes) -> list[tuple[int, bytes]]:
        """The frames of an answer."""
        if self.user is None and code not in range(Request.NONCE, Request.PROOF + 1):
            raise RefusedRequest(Reason.SIGN_IN_FIRST)
        of_files = self.files.handlers if self.files else {}
        if code not in self.handlers and code not in of_files:
            raise RefusedRequest(Reason.UNKNOWN_REQUEST)
        if self.user is not None and code in range(Request.SIGN_IN, Request.PROOF + 1):
            raise RefusedRequest(Reason.SIGNED_IN)
        try:
            return of_files[code](payload) if code in of_files else [self.handlers[code](payload)]
        except (accounts.Malformed, UnicodeDecodeError):
            raise RefusedRequest(Reason.NO_SENSE) from None

    # -- signing in

    def _nonce(self, _: bytes) -> tuple[int, bytes]:
        return Answer.NONCE, os.urandom(accounts.NONCE_SIZE)

    def _judge(self, key: bytes, signed: bytes, signature: bytes) -> None:
        self.signatures += 1
        holds = accounts.signature_holds(key, signed, signature)
        if self.signatures > accounts.SIGNATURES_PER_CONNECTION or (
            not holds and self.signatures == accounts.SIGNATURES_PER_CONNECTION
        ):
            raise RefusedRequest(Reason.SIGNATURES)
        if not holds:
            raise RefusedRequest(Reason.SIGNATURE)

    @staticmethod
    def _split(payload: bytes) -> tuple[bytes, bytes, bytes]:
        """(key, signature, what stands behind)."""
        if len(payload) < 97:
            raise RefusedRequest(Reason.NO_SENSE)
        if payload[32] != accounts.Kind.CHANNEL:
            raise RefusedRequest(Reason.CARRIER)
        return payload[:32], payload[33:97], payload[97:]

    def _by_key(self, key: bytes) -> User | None:
        return next((user for user in self.server.users if user.key == key), None)

    def _signed_in(self, user: User) -> tuple[int, bytes]:
        self.user = user
        self.files = FileService(user.files)
        entries = [
            (Entry.PUBLIC_ID, user.public_id),
            (Entry.NAME, user.name.encode()),
            (Entry.MESSAGE_LIMIT, struct.pack("<Q", 64 << 20)),
        ]
        if self.server.next_key:
            entries.append((Entry.NEXT_KEY, self.server.next_key))
        return Answer.SIGNED_IN, list_payload(*entries)

    def _sign_in(self, payload: bytes) -> tuple[int, bytes]:
        key, signature, rest = self._split(payload)
        if rest:
            raise RefusedRequest(Reason.NO_SENSE)
        self._judge(key, accounts.sign_in_signed(self.channel, key), signature)
        user = self._by_key(key)
        if user is None:
            raise RefusedRequest(Reason.UNKNOWN_ACCOUNT)
        return self._signed_in(user)

    def _register(self, payload: bytes) -> tuple[int, bytes]:
        key, signature, rest = self._split(payload)
        name, place = accounts.parse_text(rest)
        invitation, place = accounts.parse_text(rest, place)
        if place != len(rest):
            raise RefusedRequest(Reason.NO_SENSE)
        self._judge(key, accounts.register_signed(self.channel, key, name, invitation), signature)
        user = self._by_key(key)
        if user is None:
            user = self._new_account(key, name, invitation)
        elif user.name != name:
            raise RefusedRequest(Reason.KEY_TAKEN)
        return self._signed_in(user)

    def _new_account(self, key: bytes, name: str, invitation: str) -> User:
        if not name or len(name.encode()) > accounts.NAME_LIMIT or not name[0].isalnum():
            raise RefusedRequest(Reason.NAME)
        if not self.server.is_open and not invitation:
            raise RefusedRequest(Reason.INVITATION_NEEDED)
        code = from_base64url(invitation) if invitation else b""
        if invitation and self.server.invitations.get(code) not in ("", name):
            raise RefusedRequest(Reason.INVITATION)
        holder = next((user for user in self.server.users if skeleton(user.name) == skeleton(name)), None)
        if holder and self.server.invitations.get(code) != name:
            raise RefusedRequest(Reason.NAME_TAKEN)
        self.server.invitations.pop(code, None)
        if holder is None:
            self.server.users.append(holder := User(name))
        holder.key = key
        return holder

    # -- adopting

    def _adopt(self, payload: bytes) -> tuple[int, bytes]:
        key, signature, rest = self._split(payload)
        classic_id = rest[:16]
        name, place = accounts.parse_text(rest, 16)
        if place != len(rest):
            raise RefusedRequest(Reason.NO_SENSE)
        self._judge(key, accounts.adopt_signed(self.channel, key, classic_id, name), signature)
        for user in self.server.users:
            if user.key is None and user.classic_id == classic_id and user.name == name:
                secret = os.urandom(accounts.SECRET_SIZE)
                self.adoption = user, key, classic_id, name, secret
                return Answer.CHALLENGE, self.server.challenge(user, secret)
        raise RefusedRequest(Reason.NO_IDENTITY)

    def _proof(self, payload: bytes) -> tuple[int, bytes]:
        if self.adoption is None:
            raise RefusedRequest(Reason.PROOF)
        (user, key, classic_id, name, secret), self.adoption = self.adoption, None
        if payload != accounts.adoption_proof(secret, self.channel, key, classic_id, name):
            raise RefusedRequest(Reason.PROOF)
        user.key, user.classic_id, user.classic_key = key, None, None
        return self._signed_in(user)

    # -- signed in

    def _account(self, payload: bytes) -> tuple[int, bytes]:
        changes = accounts.parse_list(payload)
        told = []
        if Entry.CLASSIC in changes:
            told = self._switch_classic(accounts.number(changes[Entry.CLASSIC]), changes.get(Entry.CLASSIC_KEY))
        return Answer.ACCOUNT, list_payload(
            (Entry.PUBLIC_ID, self.user.public_id),
            (Entry.NAME, self.user.name.encode()),
            (Entry.REGISTERED, struct.pack("<Q", self.user.registered)),
            (Entry.CLASSIC, bytes([self.user.classic_id is not None])),
            (Entry.FILES, struct.pack("<Q", len(self.user.files.kept))),
            (Entry.BYTES, struct.pack("<Q", sum(len(kept.content) for kept in self.user.files.kept.values()))),
            *told,
        )

    def _switch_classic(self, on: int, key: bytes | None) -> list[tuple[int, bytes]]:
        if on not in (0, 1) or (on and len(key or b"") != PUBLIC_KEY_SIZE):
            raise RefusedRequest(Reason.NO_SENSE)
        self.user.classic_id, self.user.classic_key = (os.urandom(16), key) if on else (None, None)
        return [(Entry.CLASSIC_ID, self.user.classic_id)] if on else []

    def _remove(self, payload: bytes) -> tuple[int, bytes]:
        self._judge(self.user.key, accounts.remove_signed(self.channel, self.user.key), payload)
        self.server.users.remove(self.user)
        return Answer.REMOVED, b""

    def _talk(self, _: bytes) -> tuple[int, bytes]:
        self.files.park()
        return Answer.TALK, text(self.user.name)

    def _list_users(self, _: bytes) -> tuple[int, bytes]:
        others = (user for user in self.server.users if user is not self.user)
        return Answer.USERS, b"".join(user.public_id + text_field(user.name) for user in others)

    def _key_of_user(self, payload: bytes) -> tuple[int, bytes]:
        for user in self.server.users:
            if user.public_id == payload and user.classic_key:
                return Answer.KEY_OF_USER, payload + user.classic_key
        raise RefusedRequest(Reason.NO_IDENTITY)
