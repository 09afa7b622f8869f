"""A fake server for `kesher` to talk to: plain by default, and as odd as its script tells it to be.

It keeps everything in RAM. One thread accepts and one runs per connection; one lock guards what they share.
A test reads `requests`, `files` and `problems` after the client has ended.
"""

import os
import socket
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from Cryptodome.PublicKey import RSA

from . import crypto
from .blocks import padded, rest
from .drop import SEND_FILE_FIXED_SIZE
from .frames import (
    DROP_VERSION,
    MESSAGES_VERSION,
    REQUEST_HEADER,
    TEXT_FIELD_SIZE,
    Answer,
    Request,
    connections_to,
    reply,
)
from .ports import free_port

READ_ONCE_SIZE = 1024
LOOK_AHEAD = 64 * 1024
MOMENT = 0.05
HANG_GUARD_SECONDS = 60
ANY = frozenset(Request)
NONE: frozenset[int] = frozenset()


class AnswerToCrcWrong(Enum):
    NEVER = "never"
    AT_ONCE = "at once"
    LATE = "after the client has gone on"


class Ending(Enum):
    """How a server ends a connection after an answer."""

    WITH_ANSWER = "in the answer's last segment"
    LATER = "a moment later, with a reset when more came meanwhile"
    AT_MORE = "by a reset, once more comes"


@dataclass
class Script:
    """What this server does differently from a plain one. Sets are of request codes."""

    wrong_sums: int = 0
    errors: dict[int, int] = field(default_factory=dict)  # request code -> how many of them get an error
    honest_before: dict[int, int] = field(default_factory=dict)  # request code -> how many before those errors
    refused_files: set[str] = field(default_factory=set)  # names whose 1028 always gets one
    error_code: int | None = None  # instead of the service's own error
    answer_to_crc_wrong: AnswerToCrcWrong = AnswerToCrcWrong.NEVER
    refuse_reconnect: bool = False
    refuse_public_key: bool = False
    close_in: int | None = None  # ends the connection in the middle of every request with this code
    close_before_answer: int | None = None
    cut_answer: int | None = None  # ends the connection in the middle of every answer to this code
    hangups: int = 1_000_000  # how often those three end a connection before this server behaves
    read_once: bool = False
    blocks: bool = False  # pads its answers, and from the first one on waits for requests that are padded
    one_byte_at_a_time: bool = False
    plaintext_size_in_answer: bool = False
    version: int = DROP_VERSION
    pause_in_content: threading.Event | None = None  # waited for between the name of a 1028 and its content
    ending: Ending | None = None  # how it ends the connection after each answer
    ending_after: frozenset[int] = ANY  # or only after those to these requests
    one_at_a_time: bool = False  # hears nobody else until a connection has ended
    unknown: frozenset[int] = NONE  # answered 9000, whatever they ask for
    refuses_content: int = 0  # 1028s answered 2107 before their content, behind which it loses its place
    ends_at_unknown_id: frozenset[int] = NONE  # from an id that it does not know: end the connection unanswered
    greeting: bytes = b""  # said first, to whoever connects
    silent_at: frozenset[int] = NONE  # read, and never answered
    silent_in: int | None = None  # neither reads on nor answers, from the middle of every such request
    half_answer: int | None = None  # says nothing more, from the middle of every answer to such a request
    pause_in_answer: float = 0  # seconds between the bytes of an answer
    away_at: int | None = None  # at the first such request every connection ends, and nobody listens ...
    away_seconds: float = 0  # ... for so long; what was staged and the AES keys are forgotten


@dataclass
class Account:
    id: bytes
    name: str
    public_key: bytes | None = None
    aes_key: bytes | None = None


@dataclass
class Seen:
    """One request as it came, and the number of its connection."""

    connection: int
    client_id: bytes
    version: int
    code: int
    payload: bytes
    came_together: int = 0  # how many bytes were there when the first of them was

    @property
    def name_field(self) -> bytes:
        start = 4 if self.code == Request.SEND_FILE else 0
        return self.payload[start : start + TEXT_FIELD_SIZE]

    @property
    def name(self) -> str:
        return self.name_field.split(b"\0")[0].decode()


class Hangup(Exception):
    """The script wants this connection ended here."""


class FakeServer:
    def __init__(self, script: Script | None = None):
        self.script = script or Script()
        self.accounts: dict[bytes, Account] = {}
        self.staged: dict[tuple[bytes, str], bytes] = {}
        self.files: dict[str, bytes] = {}
        self.requests: list[Seen] = []
        self.problems: list[str] = []
        self.lock = threading.Lock()
        self.content_reached = threading.Event()
        self.stopping = threading.Event()
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.listen(free_port())

    def listen(self, port: int) -> None:
        """Begins to serve there, also again after `stop`, with everything that it knew."""
        self.stopping.clear()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._threads.append(threading.Thread(target=self._accept, args=(self._listener,), daemon=True))
        self._threads[-1].start()

    @property
    def codes(self) -> list[int]:
        return [seen.code for seen in self.requests]

    @property
    def connections(self) -> int:
        return len(self._connections)

    def go_away(self, seconds: float) -> None:
        """As a server that is started again: gone for so long, and then with nothing but its accounts. For a
        session of this server."""
        self._end((self._listener, *self._connections))
        self._listener.close()
        with self.lock:
            self.staged.clear()
            for account in self.accounts.values():
                account.aes_key = None
        self._threads.append(threading.Thread(target=self._come_back, args=(seconds,), daemon=True))
        self._threads[-1].start()

    def _come_back(self, seconds: float) -> None:
        if not self.stopping.wait(seconds):
            self.listen(self.address[1])

    @staticmethod
    def _end(sockets: Iterable[socket.socket]) -> None:
        for open_socket in sockets:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # already ended by the other side, or closed

    def stop(self) -> None:
        self.stopping.set()
        self._end((self._listener, *self._connections))
        for thread in self._threads:
            thread.join(30)
        for open_socket in (self._listener, *self._connections):
            open_socket.close()

    def add_account(self, name: str, public_key: bytes | None = None) -> Account:
        account = Account(os.urandom(16), name, public_key)
        self.accounts[account.id] = account
        return account

    def _accept(self, listener: socket.socket) -> None:
        for client in connections_to(listener):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = len(self._connections)
            self._connections.append(client)
            if self.script.one_at_a_time:
                self._serve(client, number)
                continue
            thread = threading.Thread(target=self._serve, args=(client, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def new_session(self, client: socket.socket, number: int) -> "Session":
        return Session(self, client, number)

    def _serve(self, client: socket.socket, number: int) -> None:
        session = self.new_session(client, number)
        try:
            client.sendall(self.script.greeting)
            while session.serve_one():
                pass
        except (Hangup, ConnectionError):
            pass
        except Exception as problem:  # whatever it is, the test must see it
            self.problems.append(f"connection {number}: {problem!r}")
        finally:
            try:
                client.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # already ended by the client


class Session:
    """One connection. The handlers return the answer's frame, or nothing where there is no answer."""

    def __init__(self, server: FakeServer, client: socket.socket, number: int):
        self.server = server
        self.script = server.script
        self.client = client
        self.number = number
        self.waits_for_padding = False
        self.due: bytes = b""  # a late 2104 that goes out before the next answer
        self.handlers = {
            Request.REGISTER: self._register,
            Request.REGISTER_FOR_MESSAGES: self._register_for_messages,
            Request.PUBLIC_KEY: self._public_key,
            Request.RECONNECT: self._reconnect,
            Request.SEND_FILE: self._send_file,
            Request.CRC_OK: self._crc_ok,
            Request.CRC_WRONG: self._crc_wrong,
            Request.GIVE_UP: self._give_up,
        }

    def serve_one(self) -> bool:
        together = len(self.client.recv(LOOK_AHEAD, socket.MSG_PEEK))
        seen = self._read_once() if self.script.read_once else self._read_plainly()
        if seen is None:
            return False
        seen.came_together = together
        with self.server.lock:
            self.server.requests.append(seen)
            if seen.code in self.script.silent_at:
                return True
            if seen.code in self.script.ends_at_unknown_id and seen.client_id not in self.server.accounts:
                raise Hangup
            answer = self._error_by_script(seen.code) or self._handle(seen)
        if self._is_to_end(self.script.close_before_answer, seen.code):
            raise Hangup
        if answer:
            self._answer(seen.code, answer)
        return self._goes_on_after(seen.code)

    def _goes_on_after(self, code: int) -> bool:
        if self.script.ending is None or code not in self.script.ending_after:
            return True
        if self.script.ending is Ending.LATER:
            self.server.stopping.wait(MOMENT)
            self.client.close()
        elif self.script.ending is Ending.AT_MORE and self.client.recv(1, socket.MSG_PEEK):
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.client.close()
        return False

    def _fall_silent(self) -> None:
        """Until the test is over: the client's end would not be seen behind what is not read."""
        self.server.stopping.wait(HANG_GUARD_SECONDS)
        raise Hangup

    def _is_to_end(self, code_to_end: int | None, code: int) -> bool:
        if code_to_end != code or self.script.hangups == 0:
            return False
        self.script.hangups -= 1
        return True

    def _handle(self, seen: Seen) -> bytes:
        handler = None if seen.code in self.script.unknown else self.handlers.get(seen.code)
        if handler is None:
            return reply(Answer.MESSAGES_ERROR, version=MESSAGES_VERSION)
        return handler(seen)

    # -- bytes in and out

    def _receive(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            part = self.client.recv(size - len(data))
            if not part:
                raise Hangup
            data += part
        return bytes(data)

    def _read_plainly(self) -> Seen | None:
        first = self.client.recv(REQUEST_HEADER.size)
        if not first:
            return None
        header = first + self._receive(REQUEST_HEADER.size - len(first))
        client_id, version, code, size = REQUEST_HEADER.unpack(header)
        if self._is_to_end(self.script.close_in, code):
            self._receive(size // 2)
            raise Hangup
        if self.script.away_at == code:
            self.script.away_at = None
            self.server.go_away(self.script.away_seconds)
            raise Hangup
        if code == self.script.silent_in:
            self._note(Seen(self.number, client_id, version, code, self._receive(size // 2)))
            self._fall_silent()
        if code == Request.SEND_FILE and self.script.refuses_content > 0:
            self.script.refuses_content -= 1
            self._note(Seen(self.number, client_id, version, code, self._receive(SEND_FILE_FIXED_SIZE)))
            self.client.sendall(self._reply(Answer.ERROR))
            self._take_for_content()
            return None
        if code == Request.SEND_FILE and self.script.pause_in_content:
            payload = self._receive(SEND_FILE_FIXED_SIZE)
            self.server.content_reached.set()
            self.script.pause_in_content.wait(30)
            payload += self._receive(size - SEND_FILE_FIXED_SIZE)
        else:
            payload = self._receive(size)
        if self.waits_for_padding and any(self._receive(rest(len(header) + size))):
            self.server.problems.append(f"something stood inside the padding of a {code}")
        return Seen(self.number, client_id, version, code, payload)

    def _note(self, seen: Seen) -> None:
        """One that is not answered as others are."""
        with self.server.lock:
            self.server.requests.append(seen)

    def _take_for_content(self) -> None:
        """A server that has lost its place: whatever comes still belongs to what it refused."""
        while self.client.recv(LOOK_AHEAD):
            pass

    def _read_once(self) -> Seen | None:
        """Takes what the first read gives for header and fixed fields; waits only for a file's content."""
        data = self.client.recv(READ_ONCE_SIZE)
        if not data:
            return None
        client_id, version, code, size = REQUEST_HEADER.unpack_from(data)
        payload = data[REQUEST_HEADER.size :]
        whole = code != Request.SEND_FILE or REQUEST_HEADER.size + size <= READ_ONCE_SIZE
        wanted = size if whole else SEND_FILE_FIXED_SIZE
        if len(payload) < wanted or len(payload) > size:
            self.server.problems.append(f"one read of a {code} gave {len(payload)} of {size} payload bytes")
        payload += self._receive(max(0, size - len(payload)))
        return Seen(self.number, client_id, version, code, payload)

    def _answer(self, code: int, answer: bytes) -> None:
        data, self.due = self.due + answer, b""
        if self.script.blocks:
            data = padded(data)
            self.waits_for_padding = True
        if self._is_to_end(self.script.cut_answer, code):
            self.client.sendall(data[: len(data) // 2])
            raise Hangup
        if self.script.half_answer == code:
            self.client.sendall(data[: len(data) // 2])
            self._fall_silent()
        if self.script.one_byte_at_a_time or self.script.pause_in_answer > 0:
            for index in range(len(data)):
                self.client.sendall(data[index : index + 1])
                self.server.stopping.wait(self.script.pause_in_answer)
        elif self.script.ending is Ending.WITH_ANSWER and code in self.script.ending_after:
            self.client.sendall(data, socket.MSG_MORE)
            self.client.shutdown(socket.SHUT_WR)  # sends the rest and the end in one segment
        else:
            self.client.sendall(data)

    def _reply(self, code: int, payload: bytes = b"") -> bytes:
        return reply(code, payload, version=self.script.version)

    def _error_by_script(self, code: int) -> bytes:
        if self.script.errors.get(code, 0) == 0:
            return b""
        if self.script.honest_before.get(code, 0) > 0:
            self.script.honest_before[code] -= 1
            return b""
        self.script.errors[code] -= 1
        own = Answer.REGISTER_REFUSED if code == Request.REGISTER else Answer.ERROR
        return self._reply(self.script.error_code or own)

    # -- meaning

    def _account(self, seen: Seen) -> Account:
        account = self.server.accounts.get(seen.client_id)
        if account is None:
            raise ValueError(f"a {seen.code} from the unknown id {seen.client_id.hex()}")
        return account

    def _new_account(self, seen: Seen, public_key: bytes | None = None) -> bytes:
        if any(account.name == seen.name for account in self.server.accounts.values()):
            return self._reply(Answer.REGISTER_REFUSED)
        return self._reply(Answer.REGISTERED, self.server.add_account(seen.name, public_key).id)

    def _register(self, seen: Seen) -> bytes:
        return self._new_account(seen)

    def _register_for_messages(self, seen: Seen) -> bytes:
        return self._new_account(seen, seen.payload[TEXT_FIELD_SIZE:])

    def _fresh_key(self, account: Account, code: int) -> bytes:
        account.aes_key = os.urandom(crypto.AES_KEY_SIZE)
        encrypted = crypto.rsa_encrypt(RSA.import_key(account.public_key), account.aes_key)
        return self._reply(code, account.id + encrypted)

    def _public_key(self, seen: Seen) -> bytes:
        if self.script.refuse_public_key or seen.client_id not in self.server.accounts:
            self.script.refuse_public_key = False
            return self._reply(Answer.ERROR)
        account = self._account(seen)
        account.public_key = seen.payload[TEXT_FIELD_SIZE:]
        return self._fresh_key(account, Answer.KEY)

    def _reconnect(self, seen: Seen) -> bytes:
        account = self.server.accounts.get(seen.client_id)
        known = account is not None and account.name == seen.name and account.public_key is not None
        if self.script.refuse_reconnect or not known:
            self.script.refuse_reconnect = False
            return self._reply(Answer.RECONNECT_REFUSED, seen.client_id)
        return self._fresh_key(account, Answer.KEY_AGAIN)

    def _send_file(self, seen: Seen) -> bytes:
        if seen.name in self.script.refused_files:
            return self._reply(Answer.ERROR)
        account = self._account(seen)
        if account.aes_key is None:
            return self._reply(Answer.ERROR)
        (size,) = struct.unpack_from("<I", seen.payload)
        content = seen.payload[SEND_FILE_FIXED_SIZE:]
        if size != len(content):
            raise ValueError(f"content size {size}, and {len(content)} bytes came")
        plain = crypto.aes_decrypt(account.aes_key, content)
        self.server.staged[account.id, seen.name] = plain
        cksum = crypto.cksum(plain)
        if self.script.wrong_sums > 0:
            self.script.wrong_sums -= 1
            cksum ^= 1
        told = len(plain) if self.script.plaintext_size_in_answer else size
        fields = struct.pack("<16sI255sI", account.id, told, seen.name_field, cksum)
        return self._reply(Answer.FILE_RECEIVED, fields)

    def _crc_ok(self, seen: Seen) -> bytes:
        plain = self.server.staged.pop((seen.client_id, seen.name), None)
        if plain is None:
            return self._reply(Answer.ERROR)
        self.server.files[seen.name] = plain
        return self._reply(Answer.THANKS, seen.client_id)

    def _crc_wrong(self, seen: Seen) -> bytes:
        self.server.staged.pop((seen.client_id, seen.name), None)
        thanks = self._reply(Answer.THANKS, seen.client_id)
        if self.script.answer_to_crc_wrong is AnswerToCrcWrong.AT_ONCE:
            return thanks
        if self.script.answer_to_crc_wrong is AnswerToCrcWrong.LATE:
            self.due = thanks
        return b""

    def _give_up(self, seen: Seen) -> bytes:
        self.server.staged.pop((seen.client_id, seen.name), None)
        return self._reply(Answer.THANKS, seen.client_id)
