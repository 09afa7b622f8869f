"""tests/vectors-secure.json, against which kesher's own code is tested, is what this peer says."""

import json
import subprocess

import pytest
from peer import accounts, crypto, links
from peer.kesherd import REPOSITORY


@pytest.fixture(scope="module")
def secure_vectors() -> dict:
    return json.loads((REPOSITORY / "tests" / "vectors-secure.json").read_text())


def test_the_file_is_what_its_script_makes(secure_vectors):
    made = subprocess.run([REPOSITORY / "tests" / "make_vectors_secure.py"], capture_output=True, check=True)
    assert json.loads(made.stdout) == secure_vectors


def test_keys_and_signatures_are_those_of_the_rfc(secure_vectors):
    for row in secure_vectors["ed25519"]:
        secret, key, message, signature = (
            bytes.fromhex(row[name]) for name in ("secret_hex", "key_hex", "message_hex", "signature_hex")
        )
        account = accounts.Account(secret)
        assert (account.key, account.sign(message)) == (key, signature)


def test_each_signature_holds_for_its_own_bytes_alone(secure_vectors):
    key = bytes.fromhex(secure_vectors["account"]["key_hex"])
    rows = secure_vectors["signed"]
    for one in rows:
        for other in rows:
            signed, signature = bytes.fromhex(other["signed_hex"]), bytes.fromhex(one["signature_hex"])
            assert accounts.signature_holds(key, signed, signature) == (one is other)


def test_the_challenge_opens_under_its_label_alone(secure_vectors, private_keys):
    adoption = {name: value for name, value in secure_vectors["adoption"].items() if name.endswith("_hex")}
    values = {name: bytes.fromhex(value) for name, value in adoption.items()}
    key = private_keys[0]
    assert accounts.challenge_decrypt(key, values["challenge_hex"]) == values["secret_hex"]
    assert crypto.rsa_decrypt(key, values["not_a_challenge_hex"]) == values["secret_hex"]
    for decrypt, encrypted in (
        (accounts.challenge_decrypt, values["not_a_challenge_hex"]),
        (crypto.rsa_decrypt, values["challenge_hex"]),
    ):
        with pytest.raises(ValueError):
            decrypt(key, encrypted)


def test_no_links_are_none(secure_vectors):
    for link in secure_vectors["no_links"]:
        with pytest.raises(links.NoLink):
            links.parse_link(link)
