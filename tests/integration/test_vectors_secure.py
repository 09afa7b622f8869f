"""tests/vectors-secure.json, against which kesher's own code is tested, is what this peer says."""

import contextlib
import json
import subprocess

import pytest
from peer import accounts, crypto, links, own_files
from peer.kesherd import REPOSITORY
from peer.own_files import Facts


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


# -- own files


@pytest.fixture(scope="module")
def own(secure_vectors) -> dict:
    return secure_vectors["own_files"]


def facts_of(row: dict) -> Facts:
    sha256 = row["sha256_hex"]
    return Facts(row["size"], row["time"], row["cksum"], None if sha256 is None else bytes.fromhex(sha256))


def test_answers_are_read_as_they_were_written(own):
    for row in own["pages"]:
        more, files = own_files.parse_files(bytes.fromhex(row["payload_hex"]))
        assert more == bool(row["more"])
        expected = [(bytes.fromhex(file["name_hex"]), facts_of(file)) for file in row["files"]]
        assert [(own_files.name_bytes(file.name), file.facts) for file in files] == expected
    for row in own["coming"]:
        coming = own_files.parse_coming(bytes.fromhex(row["payload_hex"]))
        assert coming == own_files.Coming(row["offset"], row["length"], facts_of(row))
    for row in own["opened"]:
        opened = own_files.parse_opened(bytes.fromhex(row["payload_hex"]))
        assert opened == own_files.Opened(bool(row["is_kept"]), row["offset"], row["cksum"])


PARSERS = {
    accounts.Answer.FILES: own_files.parse_files,
    accounts.Answer.FILE_COMES: own_files.parse_coming,
    accounts.Answer.PUT_OPEN: own_files.parse_opened,
}


def test_malformed_answers_are_none(own):
    judged = [row for row in own["malformed"] if row["code"] in PARSERS]
    assert judged
    for row in judged:
        with pytest.raises(accounts.Malformed):
            PARSERS[row["code"]](bytes.fromhex(row["payload_hex"]))


@pytest.mark.parametrize(("rows", "parse"), [("coming", own_files.parse_coming), ("opened", own_files.parse_opened)])
def test_an_answer_that_is_cut_or_too_long_is_none(own, rows, parse):
    payload = bytes.fromhex(own[rows][0]["payload_hex"])
    for wrong in (*(payload[:size] for size in range(len(payload))), payload + b"\0"):
        with pytest.raises(accounts.Malformed):
            parse(wrong)


def test_a_page_ends_between_files_only(own):
    payload = bytes.fromhex(own["pages"][-1]["payload_hex"])
    readable = []
    for size in range(len(payload) + 1):
        with contextlib.suppress(accounts.Malformed):
            readable.append(len(own_files.parse_files(payload[:size])[1]))
    assert readable == list(range(len(own["pages"][-1]["files"]) + 1))


def test_cksums_are_those_of_the_command(own):
    for row in own["sums"]:
        said = subprocess.run(["cksum"], input=bytes.fromhex(row["content_hex"]), capture_output=True, check=True)
        assert int(said.stdout.split()[0]) == row["cksum"]
