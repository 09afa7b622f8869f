"""`kesher inbox`: what cannot be decrypted, and which keys are taken in and used."""

import os

import pytest
from peer import crypto
from peer.message_fixtures import (
    CANNOT_DECRYPT,
    KEY_RECEIVED,
    KEY_REQUESTED,
    NOT_ACCEPTED,
    assert_tells,
    new_key,
    shown,
    told_by,
)
from peer.message_server import FakeUser
from peer.messages import Type

# -- what cannot be decrypted


def test_a_text_without_a_key_cannot_be_decrypted(alice, bob):
    bob.write(alice.user, "hello", os.urandom(16))
    result = alice.succeed("inbox")
    assert (result.stdout, result.stderr) == (shown("bob", CANNOT_DECRYPT), "")


def test_a_file_without_a_key_cannot_be_decrypted_and_none_is_saved(alice, bob, tmp_path):
    bob.send_file(alice.user, b"content", os.urandom(16))
    folder = tmp_path / "files"
    assert alice.succeed("inbox", "--save-to", folder).stdout == shown("bob", CANNOT_DECRYPT)
    assert not folder.exists() or list(folder.iterdir()) == []


def under_another_key(plain: bytes, key: bytes) -> bytes:
    """Such a content whose padding is wrong under `key`, which it is nearly always."""
    while True:
        content = crypto.aes_encrypt(os.urandom(16), plain)
        try:
            crypto.aes_decrypt(key, content)
        except ValueError:
            return content


BROKEN_CONTENTS = {
    "empty": lambda key: b"",
    "15 bytes": lambda key: bytes(15),
    "17 bytes": lambda key: bytes(17),
    "wrong padding": lambda key: crypto.aes_encrypt_unpadded(key, b"sixteen bytes..\0"),
    "padding of 17": lambda key: crypto.aes_encrypt_unpadded(key, b"\x11" * 32),
    "padding that differs": lambda key: crypto.aes_encrypt_unpadded(key, bytes(14) + b"\1\2"),
    "another key": lambda key: under_another_key(b"hello", key),
    "cut short": lambda key: crypto.aes_encrypt(key, bytes(31))[:-1],
}


@pytest.mark.parametrize("message_type", [Type.TEXT, Type.FILE])
@pytest.mark.parametrize("content", BROKEN_CONTENTS.values(), ids=BROKEN_CONTENTS)
def test_a_broken_content_cannot_be_decrypted_and_hinders_nothing(
    messages, talking, bob, temporary, content, message_type
):
    messages.leave(bob.alias, talking.user.id, message_type, content(bob.key))
    bob.write(talking.user, "after")
    assert talking.succeed("inbox").stdout == shown("bob", CANNOT_DECRYPT, "after")
    assert list(temporary.iterdir()) == []


def test_what_cannot_be_decrypted_is_shown_only_once_while_no_key_comes(alice, bob):
    bob.write(alice.user, "hello", os.urandom(16))
    alice.succeed("inbox")
    bob.ask_for_key(alice.user)
    assert alice.succeed("inbox").stdout == shown("bob", KEY_REQUESTED)


def test_what_could_not_be_decrypted_comes_again_with_its_key(alice, bob, tmp_path):
    key = os.urandom(16)
    bob.write(alice.user, "hello", key)
    bob.send_file(alice.user, b"content", key)
    assert alice.succeed("inbox").stdout == shown("bob", CANNOT_DECRYPT, CANNOT_DECRYPT)
    bob.share_key(alice.user, key)
    output = alice.succeed("inbox", "--save-to", tmp_path / "files").stdout
    (path,) = (tmp_path / "files").iterdir()
    wanted = [new_key("bob") + shown("bob", "hello"), NOT_ACCEPTED + shown("bob", str(path))]
    assert output == shown("bob", KEY_RECEIVED) + "".join(wanted)
    assert path.read_bytes() == b"content"
    assert alice.succeed("inbox").text == ""


def test_a_text_that_comes_before_its_key_in_one_answer_is_readable_in_the_end(alice, bob):
    key = os.urandom(16)
    bob.write(alice.user, "hello", key)
    bob.share_key(alice.user, key)
    assert alice.succeed("inbox").stdout.count(shown("bob", "hello")) == 1
    assert alice.succeed("inbox").text == ""


def test_what_another_users_key_does_not_open_stays_unreadable(messages, alice, bob, private_keys):
    key = os.urandom(16)
    bob.write(alice.user, "hello", key)
    alice.succeed("inbox")
    FakeUser(messages, "carol", private_keys[0]).share_key(alice.user, key)
    assert alice.succeed("inbox").stdout == shown("carol", KEY_RECEIVED)


# -- keys


def only_under(key: bytes, others: list[bytes], text: str) -> str:
    """`text` with a number behind it with which no other key gives its content a right padding by chance."""
    number = 0
    while any(
        _padding_is_right(crypto.aes_encrypt(key, f"{text} {number}".encode()), other) for other in others
    ):
        number += 1
    return f"{text} {number}"


def _padding_is_right(content: bytes, key: bytes) -> bool:
    try:
        crypto.aes_decrypt(key, content)
        return True
    except ValueError:
        return False


def test_a_key_that_arrives_is_told_and_asks_for_nothing(talking, bob):
    bob.share_key(talking.user)
    result = talking.succeed("inbox")
    assert (result.stdout, result.stderr) == (shown("bob", KEY_RECEIVED), "")


def test_a_newer_key_decrypts_at_once_and_older_ones_still_do(talking, bob):
    old = bob.key
    bob.share_key(talking.user)
    new_text, old_text = only_under(bob.key, [old], "new"), only_under(old, [bob.key], "old")
    bob.write(talking.user, new_text)
    bob.write(talking.user, old_text, old)
    wanted = shown("bob", KEY_RECEIVED) + new_key("bob") + shown("bob", new_text, old_text)
    assert talking.succeed("inbox").stdout == wanted


def test_the_oldest_of_many_keys_still_decrypts(talking, bob):
    keys = [bob.key]
    for _ in range(9):
        bob.share_key(talking.user)
        keys.append(bob.key)
    texts = [only_under(key, [it for it in keys if it != key], "text") for key in keys]
    for key, text in zip(keys, texts):
        bob.write(talking.user, text, key)
    wanted = [shown("bob", *[KEY_RECEIVED] * 9, texts[0])]
    wanted += [new_key("bob") + shown("bob", text) for text in texts[1:]]
    assert talking.succeed("inbox").stdout == "".join(wanted)


def test_an_older_key_still_decrypts_after_a_newer_one_was_accepted(talking, bob):
    old = bob.key
    bob.share_key(talking.user)
    talking.succeed("inbox")
    talking.succeed("key", "bob", "--accept-key")
    text = only_under(old, [bob.key], "old")
    bob.write(talking.user, text, old)
    assert talking.succeed("inbox").stdout == shown("bob", text)


def test_a_key_of_ones_own_decrypts_the_answer(alice, bob):
    alice.succeed("send", "bob", "hello")
    bob.take_key(bob.take()[0])
    bob.write(alice.user, "hello yourself")
    assert alice.succeed("inbox").stdout == shown("bob", "hello yourself")


def test_when_both_begin_with_a_key_both_can_read_everything(alice, bob):
    """Each goes on under its own key, and understands the other's."""
    alice.succeed("send", "bob", "from alice")
    key, text = bob.take()
    bob.share_key(alice.user)
    mine, hers = bob.key, crypto.rsa_decrypt(bob.user.private_key, key.content)
    assert crypto.aes_decrypt(hers, text.content) == b"from alice"
    answer = only_under(mine, [hers], "from bob")
    bob.write(alice.user, answer)
    wanted = shown("bob", KEY_RECEIVED) + new_key("bob") + shown("bob", answer)
    assert alice.succeed("inbox").stdout == wanted
    alice.succeed("send", "bob", "again")
    key, text = bob.take()  # he may have lost hers, since he made one
    assert crypto.rsa_decrypt(bob.user.private_key, key.content) == hers
    assert crypto.aes_decrypt(hers, text.content) == b"again"


FORGED_KEYS = {
    "empty": lambda public: b"",
    "16 bytes in the clear": lambda public: bytes(16),
    "127 bytes": lambda public: crypto.rsa_encrypt(public, bytes(16))[:-1],
    "129 bytes": lambda public: crypto.rsa_encrypt(public, bytes(16)) + b"\0",
    "zeros": lambda public: bytes(128),
    "larger than the modulus": lambda public: b"\xff" * 128,
    "random": lambda public: b"\0" + os.urandom(127),
    "a key of 15 bytes": lambda public: crypto.rsa_encrypt(public, bytes(15)),
    "a key of 17 bytes": lambda public: crypto.rsa_encrypt(public, bytes(17)),
    "a key of 0 bytes": lambda public: crypto.rsa_encrypt(public, b""),
    "a key of 32 bytes": lambda public: crypto.rsa_encrypt(public, bytes(32)),
    "for somebody else": lambda public: crypto.rsa_encrypt(crypto.new_private_key(), bytes(16)),
}


@pytest.mark.parametrize("forge", FORGED_KEYS.values(), ids=FORGED_KEYS)
def test_a_forged_key_cannot_be_decrypted_and_changes_nothing(talking, bob, forge):
    bob.send_raw_key(talking.user, forge(talking.user.private_key.public_key()))
    result = talking.succeed("inbox")
    assert (result.stdout, result.stderr) == (shown("bob", CANNOT_DECRYPT), "")
    talking.fail("key", "bob", "--accept-key")
    bob.write(talking.user, "hello")
    assert talking.succeed("inbox").stdout == shown("bob", "hello")


def test_a_forged_key_is_no_key_to_begin_with(alice, bob):
    bob.send_raw_key(alice.user, crypto.rsa_encrypt(alice.user.private_key, bytes(15)))
    (told,) = told_by(alice)
    assert_tells(told, {"from": "bob", "type": "key", "readable": False})
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    bob.take_key(key)
    assert bob.open(text) == b"hello"


def test_a_forged_key_does_not_come_again_with_a_real_one(alice, bob):
    bob.send_raw_key(alice.user, bytes(128))
    alice.succeed("inbox")
    bob.share_key(alice.user)
    assert alice.succeed("inbox").stdout == shown("bob", KEY_RECEIVED)
