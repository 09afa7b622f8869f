"""Accounts of the secure port: keys, what is signed, proofs of an adoption, texts and lists, short fingerprints.

Written from docs/protocol.md, part two, alone. Ed25519 is that of python3-cryptography (Debian's PyCryptodome has none
yet), all else PyCryptodome's; nothing here is shared with the programs under test but what OpenSSL does below.
"""

import enum
import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, field

from Cryptodome.Cipher import PKCS1_OAEP
from Cryptodome.Hash import SHA1
from Cryptodome.PublicKey import RSA
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

VERSION = 4
ACCOUNT_KEY_SIZE = 32
SIGNATURE_SIZE = 64
CHANNEL_SIZE = 64
NONCE_SIZE = 32
SECRET_SIZE = 32
POOR_PAYLOAD_LIMIT = 1024  # of a request before sign-in
SIGNATURES_PER_CONNECTION = 3
NAME_LIMIT = 64
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493  # of Ed25519 (RFC 8032, 5.1)

SIGN_IN = b"kesher sign-in 1\0"
REGISTER = b"kesher register 1\0"
ADOPT = b"kesher adopt 1\0"
REMOVE = b"kesher remove 1\0"
FINGERPRINT = b"kesher account 1\0"
OAEP_LABEL = b"kesher adopt 1"

CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"



class Request(enum.IntEnum):
    NONCE = 3000
    SIGN_IN = 3001
    REGISTER = 3002
    ADOPT = 3003
    PROOF = 3004
    ACCOUNT = 3007
    REMOVE = 3008
    LIST_FILES = 3010
    GET_FILE = 3011
    REMOVE_FILE = 3012
    PUT_FILE = 3013
    PUT_PIECE = 3014
    PUT_END = 3015
    DIGEST_FILE = 3016
    TALK = 3030
    LIST_USERS = 601
    KEY_OF_USER = 602


class Answer(enum.IntEnum):
    NONCE = 4000
    SIGNED_IN = 4001
    CHALLENGE = 4003
    ACCOUNT = 4007
    REMOVED = 4008
    FILES = 4010
    FILE_COMES = 4011
    FILE_REMOVED = 4012
    PUT_OPEN = 4013
    PUT_POSITION = 4014
    PUT_ENDED = 4015
    FILE_DIGEST = 4016
    FILE_PIECE = 4017
    FILE_END = 4018
    TALK = 4030
    REFUSED = 4999
    USERS = 2101
    KEY_OF_USER = 2102


class Reason(enum.IntEnum):
    NO_SENSE = 1
    SIGN_IN_FIRST = 2
    UNKNOWN_ACCOUNT = 3
    SIGNATURE = 4
    SIGNED_IN = 5
    SIGNATURES = 6
    NAME = 7
    NAME_TAKEN = 8
    KEY_TAKEN = 9
    CLOSED = 10
    INVITATION_NEEDED = 11
    INVITATION = 12
    TOO_MANY = 13
    FULL = 14
    NO_IDENTITY = 15
    PROOF = 16
    TROUBLE = 17
    CARRIER = 18
    UNKNOWN_REQUEST = 19
    NO_SPACE = 20
    NO_FILE = 21
    FILE_EXISTS = 22
    PUT_IN_USE = 23
    CKSUM = 24
    FILE_NAME = 25
    NO_PUT = 26
    DAMAGED = 27
    QUOTA = 28


class Kind(enum.IntEnum):
    CHANNEL = 1
    BROWSER = 2


class Entry(enum.IntEnum):
    """Keys of the lists of a 4001, 4007 and 3007."""

    PUBLIC_ID = 1
    NAME = 2
    NEXT_KEY = 3
    MESSAGE_LIMIT = 4
    FILES_LIMIT = 5
    BYTES_LIMIT = 6
    FILES = 7
    BYTES = 8
    WAITING = 9
    WAITING_BYTES = 10
    REGISTERED = 11
    CLASSIC = 12
    CLASSIC_KEY = 13
    CLASSIC_ID = 14


@dataclass
class Account:
    """Who signs in: an Ed25519 key, and what the server told about it last."""

    secret: bytes = field(default_factory=lambda: os.urandom(ACCOUNT_KEY_SIZE), repr=False)
    name: str = ""
    told: dict[int, bytes] = field(default_factory=dict)

    @property
    def key(self) -> bytes:
        public = Ed25519PrivateKey.from_private_bytes(self.secret).public_key()
        return public.public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def public_id(self) -> bytes:
        return self.told[Entry.PUBLIC_ID]

    def sign(self, data: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.secret).sign(data)


def signature_holds(key: bytes, data: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, data)
    except Exception:  # one of the library's own, or a ValueError for a key that is none
        return False
    return True


def same_signature_written_otherwise(signature: bytes) -> bytes:
    """R and S plus the order of the group: the equation holds for it, RFC 8032 forbids it."""
    s = int.from_bytes(signature[32:], "little") + GROUP_ORDER
    return signature[:32] + s.to_bytes(32, "little")


# -- what is signed, and what is proven


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<H", len(data)) + data


def sign_in_signed(channel: bytes, key: bytes) -> bytes:
    return SIGN_IN + channel + key


def register_signed(channel: bytes, key: bytes, name: str | bytes, invitation: str | bytes = "") -> bytes:
    return REGISTER + channel + key + text(name) + text(invitation)


def adopt_signed(channel: bytes, key: bytes, classic_id: bytes, name: str | bytes) -> bytes:
    return ADOPT + channel + key + classic_id + text(name)


def remove_signed(channel: bytes, key: bytes) -> bytes:
    return REMOVE + channel + key


def adoption_proof(secret: bytes, channel: bytes, key: bytes, classic_id: bytes, name: str | bytes) -> bytes:
    """The HMAC of a 3004: over the same bytes as the signature of the 3003, under what the 4003 held."""
    return hmac.digest(secret, adopt_signed(channel, key, classic_id, name), "sha256")


def challenge_encrypt(public_key: RSA.RsaKey, secret: bytes, label: bytes = OAEP_LABEL) -> bytes:
    return PKCS1_OAEP.new(public_key, hashAlgo=SHA1, label=label).encrypt(secret)


def challenge_decrypt(private_key: RSA.RsaKey, encrypted: bytes, label: bytes = OAEP_LABEL) -> bytes:
    """ValueError for one that has another label."""
    return PKCS1_OAEP.new(private_key, hashAlgo=SHA1, label=label).decrypt(encrypted)


def short_fingerprint(key: bytes) -> str:
    """What people compare."""
    bits = int.from_bytes(hashlib.sha256(FINGERPRINT + key).digest(), "big") >> (256 - 100)
    letters = "".join(CROCKFORD[bits >> shift & 31] for shift in range(95, -1, -5))
    return "-".join(letters[start : start + 4] for start in range(0, 20, 4))


# -- payloads


class Malformed(Exception):
    """A payload that is not what its code says."""


def sign_in_payload(key: bytes, signature: bytes, kind: int = Kind.CHANNEL) -> bytes:
    return key + bytes([kind]) + signature


def list_payload(*entries: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", key, len(value)) + value for key, value in entries)


def parse_list(payload: bytes) -> dict[int, bytes]:
    """Of a key that occurs twice the last value; unknown ones, too."""
    entries, place = {}, 0
    while place < len(payload):
        if place + 4 > len(payload):
            raise Malformed(f"{len(payload) - place} bytes where an entry of a list begins")
        key, size = struct.unpack_from("<HH", payload, place)
        place += 4 + size
        if place > len(payload):
            raise Malformed(f"entry {key} is {place - len(payload)} bytes longer than its list")
        entries[key] = payload[place - size : place]
    return entries


def number(value: bytes) -> int:
    """Of an entry of one byte or of eight."""
    if len(value) not in (1, 8):
        raise Malformed(f"a number of {len(value)} bytes")
    return int.from_bytes(value, "little")


def parse_text(payload: bytes, place: int = 0) -> tuple[str, int]:
    """The text there, and where what follows it begins."""
    if place + 2 > len(payload):
        raise Malformed("no text")
    (size,) = struct.unpack_from("<H", payload, place)
    end = place + 2 + size
    if end > len(payload):
        raise Malformed(f"a text of {size} bytes in {len(payload)}")
    return payload[place + 2 : end].decode(), end


def parse_refusal(payload: bytes) -> tuple[int, str]:
    """The reason of a 4999, and its sentence."""
    if len(payload) < 4:
        raise Malformed(f"a refusal of {len(payload)} bytes")
    sentence, end = parse_text(payload, 2)
    if end != len(payload):
        raise Malformed("a refusal with something behind it")
    return struct.unpack_from("<H", payload)[0], sentence
