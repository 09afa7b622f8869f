"""The cryptography of the protocol, on PyCryptodome: RSA keys, OAEP, AES-CBC, and the POSIX cksum."""

import zlib

from Cryptodome.Cipher import AES, PKCS1_OAEP
from Cryptodome.Hash import SHA1
from Cryptodome.PublicKey import RSA
from Cryptodome.Util.Padding import pad, unpad

RSA_BITS = 1024
RSA_EXPONENT = 17
AES_KEY_SIZE = 16
BLOCK = 16

_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Cksum:
    """The POSIX cksum of bytes that come in pieces.

    zlib's CRC has the same polynomial with every bit order turned round, so it runs on the mirrored bytes and
    its result is mirrored back. Seed 0xffffffff is a register of 0; zlib's last step is the complement.
    """

    def __init__(self):
        self.size = 0
        self._register = 0xFFFFFFFF

    def update(self, data: bytes) -> None:
        self.size += len(data)
        self._register = zlib.crc32(data.translate(_BITS_REVERSED), self._register)

    def value(self) -> int:
        length = self.size.to_bytes((self.size.bit_length() + 7) // 8, "little")
        register = zlib.crc32(length.translate(_BITS_REVERSED), self._register)
        return int(f"{register:032b}"[::-1], 2)


def cksum(data: bytes) -> int:
    """What `cksum` prints for these bytes."""
    whole = Cksum()
    whole.update(data)
    return whole.value()


def new_private_key() -> RSA.RsaKey:
    return RSA.generate(RSA_BITS, e=RSA_EXPONENT)


def private_key(pkcs8: bytes) -> RSA.RsaKey:
    return RSA.import_key(pkcs8)


def private_key_der(key: RSA.RsaKey) -> bytes:
    return key.export_key("DER", pkcs=8)


def public_key_der(key: RSA.RsaKey) -> bytes:
    """X.509 SubjectPublicKeyInfo: 160 bytes for RSA-1024 with e = 17."""
    return key.public_key().export_key("DER")


def rsa_encrypt(key: RSA.RsaKey, data: bytes) -> bytes:
    return PKCS1_OAEP.new(key, hashAlgo=SHA1).encrypt(data)


def rsa_decrypt(key: RSA.RsaKey, data: bytes) -> bytes:
    return PKCS1_OAEP.new(key, hashAlgo=SHA1).decrypt(data)


def aes_stream(key: bytes):
    """A cipher object for a content that is encrypted in pieces; the padding is the caller's."""
    return AES.new(key, AES.MODE_CBC, iv=bytes(BLOCK))


def aes_encrypt(key: bytes, plain: bytes) -> bytes:
    return aes_stream(key).encrypt(pad(plain, BLOCK))


def aes_encrypt_unpadded(key: bytes, blocks: bytes) -> bytes:
    return aes_stream(key).encrypt(blocks)


def aes_decrypt(key: bytes, cipher: bytes) -> bytes:
    return unpad(aes_stream(key).decrypt(cipher), BLOCK)


def aes_decrypt_as_server(key: bytes, cipher: bytes) -> bytes:
    """What a server makes of a content: text with bad padding counts as a whole."""
    whole = aes_stream(key).decrypt(cipher)
    try:
        return unpad(whole, BLOCK)
    except ValueError:
        return whole
