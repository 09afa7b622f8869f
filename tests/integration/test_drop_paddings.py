"""Somebody who has recorded an upload and its id, and asks the server about it: the checksums of 2103 tell whether
a padding was right, so answers to wrong ones are few for each key, whichever the connection, and over a kill -9. So
are those to contents that nobody confirms."""

import threading
from collections import Counter

import pytest
from peer import crypto
from peer.drop import CONTENTS_PER_KEY, UNKNOWN_ID, User, file_frame
from peer.fixtures import in_threads
from peer.frames import DROP_ERROR, Answer, ConnectionEnded, Reply, text_field

KIB = 1 << 10
BLOCK = 16
WRONG_PADDINGS = 3
SECRET = b"the number of the account is 4711-0815, the word: swan!"
PADDING = BLOCK - len(SECRET) % BLOCK


@pytest.fixture
def victim(own_server, new_user) -> User:
    """Has sent the secret, and is gone."""
    with own_server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "secret", SECRET)
    return user


def bad(user: User) -> bytes:
    return crypto.aes_encrypt_unpadded(user.aes_key, bytes(2 * BLOCK))


# -- the attack


def _register_table() -> list[int]:
    table = []
    for byte in range(256):
        register = byte << 24
        for _ in range(8):
            register = (register << 1) ^ (0x04C11DB7 if register & 0x80000000 else 0)
        table.append(register & 0xFFFFFFFF)
    return table


_TABLE = _register_table()
_BY_LOW_BYTE = {entry & 0xFF: byte for byte, entry in enumerate(_TABLE)}


def _feed(register: int, data: bytes) -> int:
    for byte in data:
        register = (register << 8) & 0xFFFFFFFF ^ _TABLE[register >> 24 ^ byte]
    return register


def _register_before_the_length(cksum: int, size: int) -> int:
    """Takes the length of a text back out of its sum."""
    register = cksum ^ 0xFFFFFFFF
    for byte in reversed(size.to_bytes((size.bit_length() + 7) // 8, "little")):
        index = _BY_LOW_BYTE[register & 0xFF]
        register = (register ^ _TABLE[index]) >> 8 | (index ^ byte) << 24
    return register


class Guesser:
    """Knows an id and a recorded content, no key."""

    def __init__(self, server, client_id: bytes, content: bytes):
        self.server = server
        self.nobody = User("nobody", None, client_id)
        self.blocks = [content[at : at + BLOCK] for at in range(0, len(content), BLOCK)]
        self.answers = Counter()

    def ask(self, content: bytes) -> int | None:
        """The sum that the server tells of it; None when it tells nothing."""
        with self.server.connect() as client:
            client.send(file_frame(self.nobody.id, "guess", content))
            answer = client.receive()
            self.answers[answer.code] += 1
            if answer.code != Answer.FILE_RECEIVED:
                return None
            client.confirm(self.nobody, "guess")
            return int.from_bytes(answer.payload[-4:], "little")

    def last_byte_of_the_text(self) -> int | None:
        """Tries to make the padding one byte longer: the sum of a wrong guess is that of the whole text. What a
        whole text sums to, another content tells, which is rightly padded in any case: the same two blocks, and
        the recorded end behind them. Whatever these add is the same for each guess, as long as guesses are
        wrong."""
        before_last, last = self.blocks[-2:]
        added = {}
        for guess in range(256):
            mask = bytes(BLOCK - PADDING - 1) + bytes([guess ^ PADDING + 1]) + bytes([PADDING ^ PADDING + 1]) * PADDING
            changed = bytes(a ^ b for a, b in zip(before_last, mask))
            sum_of_guess = self.ask(changed + last)
            sum_of_longer = self.ask(changed + last + before_last + last)
            if sum_of_guess is None or sum_of_longer is None:
                return None
            whole = _register_before_the_length(sum_of_guess, 2 * BLOCK)
            longer = _register_before_the_length(sum_of_longer, 4 * BLOCK - PADDING)
            added[guess] = _feed(whole, bytes(2 * BLOCK - PADDING)) ^ longer
        usual, _ = Counter(added.values()).most_common(1)[0]
        return next(guess for guess, value in added.items() if value != usual)


def test_a_recorded_file_is_not_read_by_guessing_at_its_padding(own_server, victim):
    guesser = Guesser(own_server, victim.id, victim.encrypt(SECRET))
    assert guesser.last_byte_of_the_text() is None
    assert guesser.answers[Answer.ERROR] == 2
    assert guesser.ask(victim.encrypt(SECRET)) is None
    with own_server.connect() as client:
        client.reconnect(victim)
        client.put(victim, "next", b"with a key of today")


def test_wrong_paddings_that_arrive_at_once_on_many_connections_get_three_answers(own_server, victim):
    frame = file_frame(victim.id, "guess", bad(victim))
    ready = threading.Barrier(12)

    def guess(_) -> int:
        with own_server.connect() as client:
            client.send(frame[:-1])
            ready.wait()
            client.send(frame[-1:])
            return client.receive().code

    assert Counter(in_threads(guess, range(12)))[Answer.FILE_RECEIVED] == WRONG_PADDINGS


@pytest.mark.parametrize("restart", ["restart", "restart_after_kill"])
def test_after_a_wrong_padding_no_restart_gives_the_key_new_answers(own_server, victim, restart):
    with own_server.connect() as client:
        client.send_content(victim, "guess", bad(victim))
    getattr(own_server, restart)()
    with own_server.connect() as client:
        for content in (bad(victim), victim.encrypt(SECRET)):
            client.send(file_frame(victim.id, "guess", content))
            assert client.receive() == DROP_ERROR
        client.reconnect(victim)
        client.put(victim, "next", b"with a key of today")


def test_without_a_wrong_padding_a_key_outlives_a_kill(own_server, victim):
    own_server.restart_after_kill()
    with own_server.connect() as client:
        client.put(victim, "next", b"with the same key")


def test_a_fresh_key_gives_an_old_one_no_new_answers(own_server, victim):
    """On the connection that the old one was issued on, which goes on using it."""
    with own_server.connect() as client, own_server.connect() as other:
        client.reconnect(victim)
        for _ in range(WRONG_PADDINGS):
            client.send_content(victim, "guess", bad(victim))
        fresh = User(victim.name, victim.private_key, victim.id)
        other.reconnect(fresh)
        client.send(file_frame(victim.id, "guess", bad(victim)))
        assert client.receive() == DROP_ERROR
        other.put(fresh, "mine", b"under the fresh one")


# -- contents that nobody confirms


def refuses_contents_of(server, user: User) -> bool:
    with server.connect() as client:
        client.send(file_frame(user.id, "x", user.encrypt(b"content")))
        return client.receive() == DROP_ERROR


@pytest.mark.parametrize("renew", ["send_public_key", "reconnect"])
def test_a_key_that_other_connections_have_used_up_is_gone_over_a_kill(own_server, victim, renew):
    """The one that it was issued on is closed, so whoever finds it used up was given it as the user's current one. The
    second refusal comes behind the commit of what the first one dropped."""
    for _ in range(CONTENTS_PER_KEY):
        with own_server.connect() as client:
            client.send_file(victim, "x", b"content")
    assert refuses_contents_of(own_server, victim)
    assert "too many contents came under its AES key without a confirmation" in own_server.log()
    assert refuses_contents_of(own_server, victim)
    own_server.restart_after_kill()
    assert refuses_contents_of(own_server, victim)
    with own_server.connect() as client:
        getattr(client, renew)(victim)
        client.put(victim, "next", b"with a key of today")


# -- contents of strangers


def test_a_strangers_content_ends_the_connection_after_64_kib(own_server, new_user):
    with own_server.connect() as client:
        client.send(file_frame(UNKNOWN_ID, "x", b"", content_size=1 << 30, declared=259 + (1 << 30)))
        assert client.receive() == DROP_ERROR
        client.send(bytes(64 * KIB - 1))
        assert client.is_silent_for(0.2)
        client.send(bytes(1))
        assert client.has_ended()


def test_the_content_of_a_stranger_that_is_sent_in_one_go_gets_its_answer(own_server):
    with own_server.connect() as client:
        client.send_as_far_as_taken(file_frame(UNKNOWN_ID, "x", bytes(1024 * KIB)))
        assert client.receive() == DROP_ERROR
        with pytest.raises(ConnectionEnded):
            client.receive()


def test_a_users_refused_content_is_skipped_whole(own_server, victim):
    with own_server.connect() as client:
        client.send(file_frame(victim.id, "..", victim.encrypt(bytes(1024 * KIB))))
        assert client.receive() == DROP_ERROR
        assert client.ask(UNKNOWN_ID, 1031, text_field("x")) == Reply(*DROP_ERROR)
