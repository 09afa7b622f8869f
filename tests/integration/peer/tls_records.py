"""Records of TLS 1.3 made by hand (RFC 8446, 5 and 7), for what no library sends: KeyUpdates at will, messages of a
handshake where none belong, records of any type and size. A library shakes hands and tells the secrets by its key log.
"""

import hashlib
import hmac
import socket
import struct
from contextlib import suppress

from Cryptodome.Cipher import AES

from . import tls

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
CLIENT_HELLO, NEW_SESSION_TICKET, KEY_UPDATE = 1, 4, 24
CLOSE_NOTIFY, UNEXPECTED_MESSAGE, NO_APPLICATION_PROTOCOL, PROTOCOL_VERSION = 0, 10, 120, 70
RECORD_HEADER = struct.Struct(">BHH")
LARGEST_CONTENT = 1 << 14
TAG_SIZE = 16


def record(kind: int, content: bytes, version: int = 0x0303) -> bytes:
    """One in the clear."""
    return RECORD_HEADER.pack(kind, version, len(content)) + content


def handshake_message(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def hello_in_records(hello: bytes, size: int) -> bytes:
    """The same ClientHello, in records of at most `size` bytes of content."""
    content = hello[RECORD_HEADER.size :]
    return b"".join(
        record(HANDSHAKE, content[start : start + size], 0x0301) for start in range(0, len(content), size)
    )


def hello_with_padding(hello: bytes, size: int) -> bytes:
    """The same ClientHello, made `size` bytes long by an extension of padding (RFC 7685), without records."""
    content = hello[RECORD_HEADER.size :]
    place = 4 + 2 + 32  # the message's head, version, random
    place += 1 + content[place]  # session id
    place += 2 + struct.unpack_from(">H", content, place)[0]  # cipher suites
    place += 1 + content[place]  # compression
    (extensions,) = struct.unpack_from(">H", content, place)
    missing = size - len(content) - 4
    extended = content[place + 2 :] + struct.pack(">HH", 21, missing) + bytes(missing)
    body = content[4:place] + struct.pack(">H", extensions + 4 + missing) + extended
    return handshake_message(CLIENT_HELLO, body)


def _expand_label(secret: bytes, label: bytes, size: int) -> bytes:
    full = b"tls13 " + label
    information = struct.pack(">HB", size, len(full)) + full + b"\0\1"
    return hmac.digest(secret, information, "sha256")[:size]


class _Direction:
    """Keys of one direction: TLS_AES_128_GCM_SHA256, which the server prefers."""

    def __init__(self, secret: bytes):
        self._use(secret)

    def _use(self, secret: bytes) -> None:
        assert len(secret) == hashlib.sha256().digest_size, "not the cipher suite that the server prefers"
        self.secret = secret
        self.key = _expand_label(secret, b"key", 16)
        self.iv = int.from_bytes(_expand_label(secret, b"iv", 12), "big")
        self.count = 0

    def update(self) -> None:
        self._use(_expand_label(self.secret, b"traffic upd", len(self.secret)))

    def cipher(self, header: bytes):
        nonce = (self.iv ^ self.count).to_bytes(12, "big")
        self.count += 1
        cipher = AES.new(self.key, AES.MODE_GCM, nonce=nonce, mac_len=TAG_SIZE)
        cipher.update(header)
        return cipher


class RecordClient:
    """A client whose records after the handshake are made here."""

    def __init__(self, address: tuple[str, int], timeout: float = 30):
        lines: list[bytes] = []
        self.raw = socket.create_connection(address, timeout)
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = tls.TlsSocket(self.raw, tls.client_context(secrets=lines)).handshake()
        secrets = {label: bytes.fromhex(value.decode()) for label, _, value in map(bytes.split, lines)}
        self.outgoing = _Direction(secrets[b"CLIENT_TRAFFIC_SECRET_0"])
        self.incoming = _Direction(secrets[b"SERVER_TRAFFIC_SECRET_0"])
        self._data = b""  # that came and was not asked for yet
        self.key_updates = 0  # of the server's
        self.kinds: list[int] = []  # of the records that came

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.raw.close()

    def seal(self, kind: int, content: bytes, padding: int = 0) -> bytes:
        inner = content + bytes([kind]) + bytes(padding)
        header = RECORD_HEADER.pack(APPLICATION, 0x0303, len(inner) + TAG_SIZE)
        sealed, tag = self.outgoing.cipher(header).encrypt_and_digest(inner)
        return header + sealed + tag

    def key_update(self, requested: bool) -> bytes:
        sealed = self.seal(HANDSHAKE, handshake_message(KEY_UPDATE, bytes([requested])))
        self.outgoing.update()
        return sealed

    def send(self, data: bytes, **options) -> None:
        """Application data, in one record."""
        self.raw.sendall(self.seal(APPLICATION, data, **options))

    def _receive_exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = b""
            with suppress(ConnectionResetError):
                part = self.raw.recv(size - len(data))
            if not part:
                raise EOFError(f"after {len(data)} of {size} bytes")
            data += part
        return data

    def receive_record(self) -> tuple[int, bytes]:
        """The next one, opened; EOFError at the end. Keys that the server updates are followed."""
        header = self._receive_exactly(RECORD_HEADER.size)
        kind, _, size = RECORD_HEADER.unpack(header)
        assert kind == APPLICATION, "after the handshake all records are protected"
        sealed = self._receive_exactly(size)
        inner = self.incoming.cipher(header).decrypt_and_verify(sealed[:-TAG_SIZE], sealed[-TAG_SIZE:])
        inner = inner.rstrip(b"\0")
        kind, content = inner[-1], inner[:-1]
        self.kinds.append(kind)
        if kind == HANDSHAKE and content[0] == KEY_UPDATE:
            self.key_updates += 1
            self.incoming.update()
        return kind, content

    def receive(self, size: int) -> bytes:
        """Application data, whatever else comes."""
        while len(self._data) < size:
            kind, content = self.receive_record()
            assert kind in (APPLICATION, HANDSHAKE), f"a record of type {kind}: {content.hex()}"
            self._data += content if kind == APPLICATION else b""
        data, self._data = self._data[:size], self._data[size:]
        return data

    def receive_end(self) -> list[tuple[int, bytes]]:
        """All records until the server ends the connection."""
        records = []
        with suppress(EOFError):
            while True:
                records.append(self.receive_record())
        return records
