"""The peer's own cryptography against vectors made with Crypto++ and coreutils."""

import os
import subprocess
from base64 import b64decode

import pytest
from peer import crypto


def cksum_program(data: bytes) -> int:
    run = subprocess.run(["cksum"], input=data, capture_output=True, check=True)
    return int(run.stdout.split()[0])


def test_private_keys_of_the_vectors_give_their_public_keys(vectors):
    for entry in vectors["keys"]:
        key = crypto.private_key(b64decode(entry["private_pkcs8_base64"]))
        assert key.e == entry["exponent"]
        assert crypto.public_key_der(key).hex() == entry["public_spki_hex"]
        assert len(crypto.public_key_der(key)) == entry["public_size"]


def test_oaep_of_the_vectors_decrypts(vectors):
    for entry in vectors["keys"]:
        key = crypto.private_key(b64decode(entry["private_pkcs8_base64"]))
        for pair in entry["oaep_sha1"]:
            assert crypto.rsa_decrypt(key, bytes.fromhex(pair["cipher_hex"])).hex() == pair["plain_hex"]


def test_aes_of_the_vectors_matches_both_ways(vectors):
    for entry in vectors["aes_128_cbc_zero_iv_pkcs7"]:
        key, plain, cipher = (bytes.fromhex(entry[name]) for name in ("key_hex", "plain_hex", "cipher_hex"))
        assert crypto.aes_encrypt(key, plain) == cipher
        assert crypto.aes_decrypt(key, cipher) == plain


def test_cksum_of_the_vectors_matches(vectors):
    for entry in vectors["cksum_of_bytes_j_times_31_plus_n"]:
        data = bytes((j * 31 + entry["n"]) % 256 for j in range(entry["n"]))
        assert crypto.cksum(data) == entry["cksum"], entry["n"]


def test_cksum_of_hello_is_the_number_of_the_specification():
    assert crypto.cksum(b"hello") == 3287646509


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65536, 1_000_003])
def test_cksum_is_what_the_program_prints(size):
    data = os.urandom(size)
    assert crypto.cksum(data) == cksum_program(data)


def test_a_new_key_has_a_public_key_of_160_bytes_and_survives_its_own_encoding():
    key = crypto.new_private_key()
    assert len(crypto.public_key_der(key)) == 160
    assert crypto.private_key(crypto.private_key_der(key)) == key
    assert crypto.rsa_decrypt(key, crypto.rsa_encrypt(key, b"sixteen bytes ok")) == b"sixteen bytes ok"
