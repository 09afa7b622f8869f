"""`kesher send`, `request-key` and `share-key`: what goes over the wire, what the other side can read."""

import os
import socket
import threading

import pytest
from peer import crypto
from peer.frames import MESSAGES_VERSION, MessageAnswer, Request, reply
from peer.message_fixtures import assert_one_line, modes_below, told_by
from peer.message_server import Cut, FakeUser, alias_of
from peer.messages import SEND_FIXED, STORED, Type

LIST, KEY, SEND = Request.LIST_USERS, Request.KEY_OF_USER, Request.SEND_MESSAGE
HEADER_SIZE = 23
SMALL_REQUEST = 1024


@pytest.fixture
def sharing(alice, bob):
    """alice and bob have a symmetric key that alice made; bob holds it."""
    alice.succeed("share-key", "bob")
    bob.take_key(bob.take()[0])
    return alice


# -- the first message


def test_the_first_text_sends_a_key_before_it(messages, alice, bob):
    result = alice.succeed("send", "bob", "hello")
    assert (result.stdout, result.stderr) == ("sent to bob, message 2\n", "")
    assert messages.codes == [LIST, KEY, SEND, SEND, KEY]  # the last asks for alice's own
    key, text = bob.take()
    assert len(bob.take_key(key)) == crypto.AES_KEY_SIZE
    assert (text.type, bob.open(text)) == (Type.TEXT, b"hello")


def test_the_next_command_goes_on_under_the_same_key(messages, alice, bob):
    for text in ("one", "two", "three"):
        alice.succeed("send", "bob", text)
    key, *texts = bob.take()
    bob.take_key(key)
    assert [bob.open(text) for text in texts] == [b"one", b"two", b"three"]


def test_a_key_that_the_other_side_sent_is_not_answered_under(messages, alice, bob):
    """Whoever has bob's id could have sent it."""
    bob.share_key(alice.user)
    received = bob.key
    alice.succeed("inbox")
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    assert bob.take_key(key) != received
    assert bob.open(text) == b"hello"


def test_every_user_gets_a_key_of_its_own(messages, alice, bob, private_keys):
    carol = FakeUser(messages, "carol", private_keys[0])
    for other in (bob, carol):
        alice.succeed("send", other.name, "hello")
        key, text = other.take()
        other.take_key(key)
        assert other.open(text) == b"hello"
    assert bob.key != carol.key


def test_the_same_text_gives_the_same_content_under_one_key_and_another_under_the_next(
    sharing, messages, bob
):
    """The IV is zeros by the protocol."""
    sharing.succeed("send", "bob", "hello")
    sharing.succeed("send", "bob", "hello")
    sharing.succeed("share-key", "bob")
    sharing.succeed("send", "bob", "hello")
    first, second, _, third = [message.content for message in bob.take()]
    assert first == second != third


def test_json_tells_receiver_type_and_message_id(messages, alice, bob, source):
    messages.next_message_id = 4_000_000_000
    assert alice.succeed("send", "bob", "hello", "--json").objects() == [
        {"to": "bob", "type": "text", "id": 4_000_000_001}
    ]
    assert alice.succeed("send", "bob", "--file", source("x", b"x"), "--json").objects() == [
        {"to": "bob", "type": "file", "id": 4_000_000_002}
    ]


# -- what goes over the wire


def test_a_603_has_version_2_the_id_and_sizes_that_add_up(sharing, messages, bob):
    sharing.succeed("send", "bob", "hello")
    for seen in messages.requests_of(SEND):
        assert (seen.version, seen.client_id) == (MESSAGES_VERSION, sharing.user.id)
        target, _, size = SEND_FIXED.unpack_from(seen.payload)
        assert (target, size) == (bob.alias, len(seen.payload) - SEND_FIXED.size)


def test_a_type_2_is_128_bytes_of_oaep_around_16(messages, alice, bob):
    alice.succeed("share-key", "bob")
    (key,) = bob.take()
    assert (key.type, len(key.content)) == (Type.KEY, 128)
    assert len(crypto.rsa_decrypt(bob.user.private_key, key.content)) == 16


@pytest.mark.parametrize("size", [1, 15, 16, 17, 975, 976, 977, 5000, 300_000])
def test_a_text_of_this_size_is_cbc_with_a_zero_iv_and_pkcs7(sharing, messages, bob, size):
    plain = os.urandom(size)
    sharing.succeed("send", "bob", input=plain)
    (text,) = bob.take()
    assert len(text.content) == (size // 16 + 1) * 16
    assert bob.open(text) == plain


@pytest.mark.parametrize("size", [1, 500, 900, 964])
def test_a_small_603_comes_whole_in_one_send(sharing, messages, size):
    sharing.succeed("send", "bob", input=bytes(size))
    seen = messages.requests_of(SEND)[-1]
    assert HEADER_SIZE + len(seen.payload) <= SMALL_REQUEST
    assert seen.came_together >= HEADER_SIZE + len(seen.payload)


@pytest.mark.parametrize("size", [2000, 100_000])
def test_header_and_fixed_fields_of_a_large_603_come_in_one_send(sharing, messages, size):
    sharing.succeed("send", "bob", input=bytes(size))
    assert messages.requests_of(SEND)[-1].came_together >= HEADER_SIZE + SEND_FIXED.size


def test_key_messages_come_whole_in_one_send(messages, alice, bob):
    alice.succeed("request-key", "bob")
    alice.succeed("share-key", "bob")
    for seen in messages.requests_of(SEND):
        assert seen.came_together >= HEADER_SIZE + len(seen.payload)


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_answers_of_any_version_are_accepted(messages, alice, bob, version):
    messages.script.version = version
    assert alice.succeed("send", "bob", "hello").stdout == "sent to bob, message 2\n"


def test_answers_that_arrive_one_byte_at_a_time_are_understood(messages, alice, bob):
    messages.script.one_byte_at_a_time = True
    assert alice.succeed("send", "bob", "hello").stdout == "sent to bob, message 2\n"


# -- where the text comes from


TEXTS = {
    "one word": b"hello",
    "newline at the end": b"hello\n",
    "only a newline": b"\n",
    "lines": b"one\ntwo\n\nthree",
    "UTF-8": "שלום, 日本語 🙂".encode(),
    "no UTF-8": b"caf\xe9 \xff\xfe",
    "NUL bytes": b"one\0two\0",
    "escape sequence": b"\x1b[2J\x1b]0;title\x07",
    "every byte": bytes(range(256)),
}


@pytest.mark.parametrize("plain", TEXTS.values(), ids=TEXTS)
def test_standard_input_is_sent_as_it_is(sharing, bob, plain):
    sharing.succeed("send", "bob", input=plain)
    assert bob.open(bob.take()[0]) == plain


@pytest.mark.parametrize(
    "text", ["hello", "two words", "two\nlines", "-", "--", "--json", "שלום", "\x1b[2J"], ids=repr
)
def test_an_operand_is_sent_as_it_is(sharing, bob, text):
    sharing.succeed("send", "--", "bob", text, input=b"not this")
    assert bob.open(bob.take()[0]) == text.encode()


def test_an_operand_that_is_no_utf8_is_sent_as_it_is(sharing, bob):
    sharing.succeed("send", "bob", os.fsdecode(b"caf\xe9"))
    assert bob.open(bob.take()[0]) == b"caf\xe9"


@pytest.mark.parametrize("arguments, status", [([""], 2), ([], 1)], ids=["operand", "standard input"])
def test_an_empty_text_is_refused_in_one_line(sharing, messages, arguments, status):
    """A variable that was not set, or a program that failed: nobody means it."""
    before = list(messages.codes)
    result = sharing.run("send", "bob", *arguments)
    assert (result.status, result.stdout) == (status, "")
    assert "empty" in assert_one_line(result.stderr)
    assert messages.codes == before


@pytest.mark.parametrize("from_standard_input", [False, True])
def test_an_empty_file_is_sent(sharing, bob, source, from_standard_input):
    path = "-" if from_standard_input else source("empty", b"")
    sharing.succeed("send", "bob", "--file", path)
    (message,) = bob.take()
    assert (message.type, bob.open(message)) == (Type.FILE, b"")


def test_five_megabytes_of_standard_input_are_one_message(sharing, bob):
    plain = os.urandom(5 << 20)
    sharing.succeed("send", "bob", input=plain)
    assert bob.open(bob.take()[0]) == plain


def test_standard_input_may_come_in_pieces_from_a_pipe(sharing, bob, tmp_path):
    pipe, pieces = tmp_path / "pipe", [b"one ", b"two ", os.urandom(100_000)]
    os.mkfifo(pipe)

    def write():
        with open(pipe, "wb", buffering=0) as end:
            for piece in pieces:
                end.write(piece)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    with open(pipe, "rb") as standard_input:
        sharing.succeed("send", "bob", input=None, stdin=standard_input)
    writer.join()
    assert bob.open(bob.take()[0]) == b"".join(pieces)


def test_standard_input_leaves_no_plaintext_behind(temporary, sharing, bob, home):
    secret = b"a secret that nobody else has " * 100
    sharing.succeed("send", "bob", input=secret)
    assert list(temporary.iterdir()) == []
    assert all(secret[:25] not in path.read_bytes() for path in home.rglob("*") if path.is_file())


# -- files


@pytest.mark.parametrize("size", [0, 1, 15, 16, 1 << 20])
def test_a_file_is_sent_as_type_4(sharing, bob, source, size):
    plain = os.urandom(size)
    result = sharing.succeed("send", "bob", "--file", source("x", plain))
    assert result.stdout == "sent to bob, message 2\n"
    (message,) = bob.take()
    assert (message.type, bob.open(message)) == (Type.FILE, plain)


def test_the_first_file_sends_a_key_before_it(alice, bob, source):
    alice.succeed("send", "bob", "--file", source("x", b"content"))
    key, file = bob.take()
    bob.take_key(key)
    assert (file.type, bob.open(file)) == (Type.FILE, b"content")


def test_standard_input_may_be_the_file(sharing, bob):
    plain = os.urandom(70_000)
    sharing.succeed("send", "bob", "--file", "-", input=plain)
    (message,) = bob.take()
    assert (message.type, bob.open(message)) == (Type.FILE, plain)


def test_a_link_to_a_file_is_followed(sharing, bob, source, tmp_path):
    link = tmp_path / "link"
    link.symlink_to(source("x", b"content"))
    sharing.succeed("send", "bob", "--file", link)
    assert bob.open(bob.take()[0]) == b"content"


def make_socket(path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_FILES = {
    "missing": lambda path: None,
    "folder": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "socket": make_socket,
    "link to nothing": lambda path: path.symlink_to("nothing"),
}


@pytest.mark.parametrize("make", NO_FILES.values(), ids=NO_FILES)
def test_what_is_no_regular_file_is_one_line_that_names_it_and_nothing_is_sent(
    messages, alice, bob, tmp_path, make
):
    path = tmp_path / "no file"
    make(path)
    assert str(path) in assert_one_line(alice.fail("send", "bob", "--file", path).stderr)
    assert messages.sent == []


def test_a_device_is_no_file_to_be_sent(messages, alice, bob):
    assert "/dev/zero" in assert_one_line(alice.fail("send", "bob", "--file", "/dev/zero").stderr)
    assert messages.sent == []


def test_a_file_larger_than_the_protocol_carries_is_one_line(sharing, messages, source):
    before = list(messages.sent)
    path = source("large", b"")
    os.truncate(path, 1 << 32)
    assert_one_line(sharing.fail("send", "bob", "--file", path).stderr)
    assert messages.sent == before


# -- request-key and share-key


def test_request_key_sends_an_empty_type_1(messages, alice, bob):
    result = alice.succeed("request-key", "bob")
    assert (result.stdout, result.stderr) == ("asked bob for a key\n", "")
    (message,) = bob.take()
    assert (message.type, message.content, message.sender) == (Type.KEY_REQUEST, b"", alias_of(alice.user.id))


def test_share_key_sends_a_key_and_is_used_from_then_on(messages, alice, bob):
    result = alice.succeed("share-key", "bob")
    assert (result.stdout, result.stderr) == ("sent bob a new key\n", "")
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    bob.take_key(key)
    assert bob.open(text) == b"hello"


def test_request_key_and_share_key_as_json(alice, bob):
    assert alice.succeed("request-key", "bob", "--json").objects() == [{"to": "bob", "type": "key-request"}]
    assert alice.succeed("share-key", "bob", "--json").objects() == [{"to": "bob", "type": "key"}]


def test_share_key_makes_another_key_each_time(alice, bob):
    keys = set()
    for _ in range(3):
        alice.succeed("share-key", "bob")
        keys.add(bob.take_key(bob.take()[0]))
    assert len(keys) == 3


def test_the_key_of_another_user_is_left_alone_by_share_key(messages, sharing, bob, private_keys):
    FakeUser(messages, "carol", private_keys[0])
    sharing.succeed("share-key", "carol")
    sharing.succeed("send", "bob", "hello")
    assert bob.open(bob.take()[0]) == b"hello"


# -- keys that came from the other side


@pytest.fixture
def newer_key(sharing, bob) -> tuple[bytes, bytes]:
    """The key in use, which alice made, and one that bob has sent since, which she has pulled."""
    own = bob.key
    bob.share_key(sharing.user)
    sharing.succeed("inbox")
    return own, bob.key


def test_a_newer_key_is_not_used_for_sending_and_ones_own_is_shared_again(alice, bob, newer_key):
    result = alice.succeed("send", "bob", "hello")
    assert (result.stdout, result.stderr) == ("sent to bob, message 4\n", "")
    key, text = bob.take()
    assert bob.take_key(key) == newer_key[0]
    assert bob.open(text) == b"hello"
    alice.succeed("send", "bob", "again")
    assert [bob.open(message) for message in bob.take()] == [b"again"]


def test_an_accepted_key_is_not_used_for_sending_either(messages, alice, bob, newer_key):
    before = list(messages.codes)
    assert alice.succeed("key", "bob", "--accept-key").text == "accepted the newest key of bob\n"
    assert messages.codes == before
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    assert bob.take_key(key) == newer_key[0] and bob.open(text) == b"hello"


def test_send_takes_no_accept_key(messages, sharing, bob):
    """It concerns reading only."""
    assert sharing.run("send", "bob", "hello", "--accept-key").status == 2
    assert bob.take() == []


def test_key_with_accept_key_as_json(alice, newer_key):
    told = alice.succeed("key", "bob", "--accept-key", "--json").objects()
    assert told == [{"name": "bob", "accepted": True}]


def test_a_key_is_accepted_only_once(alice, newer_key):
    alice.succeed("key", "bob", "--accept-key")
    assert "bob" in assert_one_line(alice.fail("key", "bob", "--accept-key").stderr)


def test_the_newest_of_several_keys_is_accepted_first(alice, bob, newer_key):
    bob.share_key(alice.user)
    alice.succeed("inbox")
    alice.succeed("key", "bob", "--accept-key")
    for key, marks in ((bob.key, [None]), (newer_key[1], ["new"])):
        bob.write(alice.user, "hello", key)
        assert [told.get("key") for told in told_by(alice)] == marks


def test_forget_forgets_the_symmetric_keys_too(alice, bob, newer_key):
    alice.succeed("key", "bob", "--forget")
    alice.fail("key", "bob", "--accept-key")
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    assert bob.take_key(key) not in newer_key
    assert bob.open(text) == b"hello"


# -- servers that lie, and connections that end


def stored_reply(target: bytes, number: int) -> bytes:
    return reply(MessageAnswer.STORED, STORED.pack(target, number), version=MESSAGES_VERSION)


LYING_ANSWERS = {
    "another target": lambda honest: stored_reply(bytes(16), 7),
    "too short": lambda honest: reply(MessageAnswer.STORED, honest[7:-1], version=2),
    "too long": lambda honest: reply(MessageAnswer.STORED, honest[7:] + b"x", version=2),
    "huge": lambda honest: Cut(honest[:3] + b"\xff\xff\xff\xff" + honest[7:]),
    "another code": lambda honest: reply(2104, honest[7:], version=2),
    "an error": lambda honest: reply(9000, b"", version=2),
    "an error with a payload": lambda honest: reply(9000, b"\x1b[2J" * 500, version=2),
    "the end before the answer": lambda honest: Cut(),
    "the end in the header": lambda honest: Cut(honest[:3]),
    "the end in the payload": lambda honest: Cut(honest[:-1]),
}


@pytest.mark.parametrize("lie", LYING_ANSWERS.values(), ids=LYING_ANSWERS)
def test_an_answer_that_is_no_receipt_is_one_line_and_the_text_is_not_sent_twice(sharing, messages, lie):
    messages.script.lies[SEND] = lambda seen, honest: lie(honest)
    before = len(messages.requests_of(SEND))
    assert_one_line(sharing.fail("send", "bob", "hello").stderr)
    assert len(messages.requests_of(SEND)) == before + 1


@pytest.mark.parametrize("lie", LYING_ANSWERS.values(), ids=LYING_ANSWERS)
def test_a_key_without_a_receipt_is_not_used(messages, alice, bob, lie):
    messages.script.lies[SEND] = lambda seen, honest: lie(honest)
    assert_one_line(alice.fail("send", "bob", "hello").stderr)
    assert {sent.type for sent in messages.sent} == {Type.KEY}
    messages.script.lies.clear()
    lost = [bob.take_key(message) for message in bob.take()]
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    assert bob.take_key(key) not in lost
    assert bob.open(text) == b"hello"


def test_a_connection_that_ends_in_the_content_is_one_line_and_nothing_is_sent_again(sharing, messages):
    messages.script.close_in = SEND
    before = len(messages.sent)
    assert_one_line(sharing.fail("send", "bob", input=bytes(8 << 20)).stderr)
    assert len(messages.sent) == before


def test_an_error_does_not_make_a_later_command_fail(sharing, messages, bob):
    messages.script.errors[SEND] = 1
    assert_one_line(sharing.fail("send", "bob", "one").stderr)
    sharing.succeed("send", "bob", "two")
    assert [bob.open(message) for message in bob.take()] == [b"two"]


def test_an_error_to_the_list_or_the_key_fails_at_once(messages, alice, bob):
    for code in (LIST, KEY):
        messages.script.errors = {code: 1}
        assert_one_line(alice.fail("send", "bob", "hello").stderr)
        assert messages.script.errors == {code: 0}
    assert messages.sent == []


# -- a server that says only that it has the message


@pytest.fixture
def curt(messages):
    """Its 2103 has no payload."""
    messages.script.lies[SEND] = lambda seen, honest: (
        reply(MessageAnswer.STORED, b"", version=MESSAGES_VERSION)
        if honest[1:3] == MessageAnswer.STORED.to_bytes(2, "little")
        else honest
    )
    return messages


def test_a_receipt_without_an_id_is_a_receipt(curt, alice, bob):
    result = alice.succeed("send", "bob", "hello")
    assert (result.stdout, result.stderr) == ("sent to bob\n", "")
    key, text = bob.take()
    bob.take_key(key)
    assert bob.open(text) == b"hello"


def test_a_receipt_without_an_id_has_none_in_json(curt, alice, bob):
    assert alice.succeed("send", "bob", "hello", "--json").objects() == [{"to": "bob", "type": "text"}]


def test_a_key_with_a_receipt_without_an_id_is_used(curt, alice, bob):
    alice.succeed("share-key", "bob")
    alice.succeed("send", "bob", "hello")
    key, text = bob.take()
    bob.take_key(key)
    assert bob.open(text) == b"hello"


# -- whom


@pytest.mark.parametrize(
    "command", [["send", "alice", "hello"], ["request-key", "alice"], ["share-key", "alice"]], ids=repr
)
def test_whoever_writes_to_oneself_is_told_so(messages, alice, bob, command):
    told = assert_one_line(alice.fail(*command).stderr)
    assert "'alice' is this home's own name" in told
    assert messages.sent == []


def test_nobody_can_be_written_to_who_is_not_listed(messages, alice, bob):
    for command in (["send", "carol", "x"], ["request-key", "carol"], ["share-key", "carol"]):
        assert "carol" in assert_one_line(alice.fail(*command).stderr)
    assert messages.sent == []


def test_a_user_without_a_public_key_cannot_be_sent_a_key(messages, alice):
    messages.add_account("keyless")
    for command in (["send", "keyless", "x"], ["share-key", "keyless"]):
        assert_one_line(alice.fail(*command).stderr)
    assert messages.sent == []


# -- the home


def test_what_the_home_keeps_of_a_conversation_is_for_its_owner_only(sharing, bob, home):
    """Also under an open umask."""
    sharing.succeed("send", "bob", "hello", umask=0)
    bob.write(sharing.user, "answer")
    bob.write(sharing.user, "unreadable", os.urandom(16))
    sharing.succeed("inbox", umask=0)
    for path, mode in modes_below(home):
        if path.name != "me.info":  # written by the test
            assert mode == (0o700 if path.is_dir() else 0o600) or path == home, (path, oct(mode))


def test_two_sends_at_once_of_one_home_agree_on_one_key_or_bob_can_read_both(alice, bob):
    runs = [alice.start("send", "bob", text) for text in ("one", "two")]
    for run in runs:
        stdout, stderr = run.communicate(timeout=60)
        assert (run.returncode, stderr) == (0, b""), stdout
    texts, keys = [], []
    for message in bob.take():
        if message.type == Type.KEY:
            keys.append(bob.take_key(message))
        else:
            texts.append(message.content)
    assert len(texts) == 2
    opened = [plain for content in texts for plain in opened_by_any(content, keys)]
    assert b"one" in opened and b"two" in opened
    alice.succeed("send", "bob", "three")
    assert b"three" in opened_by_any(bob.take()[0].content, keys)


def opened_by_any(content: bytes, keys: list[bytes]) -> list[bytes]:
    """What comes out under each key under which the padding is right, which may be so by chance."""
    opened = []
    for key in keys:
        try:
            opened.append(crypto.aes_decrypt(key, content))
        except ValueError:
            pass  # made under another
    return opened
