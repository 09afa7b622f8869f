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


def cksum(data: bytes) -> int:
    """What `cksum` prints for these bytes.

    zlib's CRC has the same polynomial with every bit order turned round, so it runs on the mirrored bytes and its
    result is mirrored back. Seed 0xffffffff stands for a register of 0, and its last step is the complement.
    """
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "little")
    register = zlib.crc32(data.translate(_BITS_REVERSED), 0xFFFFFFFF)
    register = zlib.crc32(length.translate(_BITS_REVERSED), register)
    return int(f"{register:032b}"[::-1], 2)


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


def _aes(key: bytes):
    return AES.new(key, AES.MODE_CBC, iv=bytes(BLOCK))


def aes_encrypt(key: bytes, plain: bytes) -> bytes:
    return _aes(key).encrypt(pad(plain, BLOCK))


def aes_encrypt_unpadded(key: bytes, blocks: bytes) -> bytes:
    return _aes(key).encrypt(blocks)


def aes_decrypt(key: bytes, cipher: bytes) -> bytes:
    return unpad(_aes(key).decrypt(cipher), BLOCK)


def aes_decrypt_as_server(key: bytes, cipher: bytes) -> bytes:
    """What a server makes of a content: text with bad padding counts as a whole."""
    whole = _aes(key).decrypt(cipher)
    try:
        return unpad(whole, BLOCK)
    except ValueError:
        return whole
