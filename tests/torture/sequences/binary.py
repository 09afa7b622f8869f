"""What is said on a connection to the binary port: requests of all codes, sound and unsound, and others."""

import random
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from peer.blocks import BLOCK_SIZE, key_of_user_frame, padded
from peer.crypto import aes_encrypt, aes_encrypt_unpadded
from peer.drop import file_frame, named_frame, register_for_messages_frame, register_frame
from peer.frames import MESSAGES_VERSION, TEXT_FIELD_SIZE, Request, request, text_field
from peer.messages import key_of_user_frame as key_frame
from peer.messages import list_users_frame, message_frame, pull_frame

from .framing import FIXED_SIZES, HEADER_SIZE, SEND_FIXED_SIZE, Exchange
from .judge import Judge
from .link import Talk
from .model import Person

if TYPE_CHECKING:
    from .life import Life

FILE_SIZES = (0, 1, 15, 16, 100, 1000, 1000, 5000, 5000, 30_000)
LARGE_FILE_SIZES = (70_000, 300_000, 1_100_000, 3_200_000)
LETTER_SIZES = (0, 8, 8, 46, 46, 100, 1000, 20_000)
LARGE_LETTER_SIZES = (100_000, 262_144, 262_145, 700_000)
LARGE = 0.02  # of the contents are
PEOPLE = 60  # more would make long lists of users
ODD_NAMES = (b"", b".", b"..", b"a/b", b"c:\\d", b"x/", b"\x01", b"n" * 254, "\u00e4\u00f6".encode() * 60, b"\xff\xfe")
SEPARATOR = 7  # no request's code
FOREIGN = (
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
    b"Hi\nTIME\nNAME\n",
    b"1\nsomebody\n1\nsecret\n",
    bytes.fromhex("16030100f8010000f403035c") + b"x" * 240,
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"1 users\n",
    b"\n" * 300,
)


class BinaryTalk(Talk):
    def __init__(self, life: "Life", number: int, chance: random.Random):
        self.life = life
        self.number = number
        self.chance = chance
        self.judge = Judge(life.model, number, life.is_generous_now, life.settle_seconds, self._tell)
        self.steps = chance.choice((3, 20, 60, 200, 600))
        self.window = chance.choice((1, 1, 3, 20, 200))
        self.burst = chance.choice((1, 1, 5, 40))
        self.rudeness = chance.choice((0, 0, 0, 0.02, 0.1, 0.6))
        self.is_padded = chance.random() < 0.06
        self.loves = chance.choice(list(MOODS.values()))
        self.me: Person | None = None
        self.made = 0
        self.unsent = 0
        self.is_hushed = False

    # -- a Talk

    def next(self) -> bytes | None:
        if self.steps <= 0 or self.judge.is_lost or self.judge.framing.has_ended:
            return None
        if len(self.judge.due) >= self.window or self._awaits_silence():
            return b""
        said = b""
        for _ in range(self.chance.randint(1, self.burst)):
            if self.steps > 0 and not self.is_hushed:
                said += self._step()
        self.unsent += len(said)
        return said

    def _awaits_silence(self) -> bool:
        """The answer to a 1030 only comes when nothing follows."""
        is_due = self.unsent > 0 or any(one.code == Request.CRC_WRONG for one in self.judge.due)
        self.is_hushed = self.is_hushed and is_due
        return self.is_hushed

    def sent(self, data: bytes) -> None:
        self.unsent -= len(data)
        self.judge.sent(data)

    def received(self, data: bytes) -> None:
        self.judge.received(data)

    def shut(self) -> None:
        self.judge.has_shut = True

    def ended(self, by_peer: bool) -> None:
        self.life.counts["answers"] += self.judge.answers
        self.life.counts["refusals"] += self.judge.refusals
        if by_peer and self.life.is_generous_now() and self.is_owed_more:
            self.life.problem(f"closed for nothing: connection {self.number}, {len(self.judge.due)} answers are due")
        self.judge.ended()

    @property
    def is_owed_more(self) -> bool:
        """The server had no reason to end this connection."""
        judge = self.judge
        if judge.framing.has_ended or judge.is_lost or judge.may_be_closed or self.life.is_stopping:
            return False
        if any(self._may_be_broken_off(one) for one in judge.due):
            return False
        return not judge.has_shut or not judge.is_served

    def _may_be_broken_off(self, exchange: Exchange) -> bool:
        """Of a list, when somebody in it is removed meanwhile; of what waits, when its receiver is."""
        people = self.life.model.people
        if exchange.code == Request.LIST_USERS:
            return any(person.removing for person in people.values())
        return exchange.code == Request.PULL and exchange.client_id in people and people[exchange.client_id].removing

    @property
    def is_served(self) -> bool:
        return self.judge.is_served or self.judge.is_lost

    @property
    def may_be_left(self) -> bool:
        return self.judge.framing.is_between

    def _tell(self, line: str) -> None:
        self.life.write_trace(f"b{self.number}", line)

    # -- steps

    def _step(self) -> bytes:
        self.steps -= 1
        self.made += 1
        people = self.life.people
        if people and (self.me is None or self.me.removing or self.chance.random() < 0.03):
            self.me = self.chance.choice(people)
        if self.me is None or self.chance.random() < 0.02:
            make = self.chance.choice((BinaryTalk.register, BinaryTalk.register_for_messages))
        else:
            (make,) = self.chance.choices(list(self.loves), list(self.loves.values()))
        frame = make(self)
        if self.chance.random() < self.rudeness:
            frame = self._spoil(frame)
        if self.is_padded:
            frame = padded(frame)
        self.life.trace(f"b{self.number}", f"{make.__name__} {len(frame)} {frame[16:23].hex()}")
        return frame

    def _spoil(self, frame: bytes) -> bytes:
        return self.chance.choice(SPOILERS)(self.chance, frame) if len(frame) > 23 else frame

    def _somebody(self) -> bytes:
        """An id or alias, mostly of somebody."""
        luck = self.chance.random()
        if luck < 0.04:
            return self.chance.randbytes(16)
        if luck < 0.08:
            return self.me.id
        person = self.chance.choice(self.life.people or [self.me])
        return person.alias if luck < 0.8 else person.id

    def _name(self) -> bytes:
        luck = self.chance.random()
        if luck < 0.7:
            return b"file %d.%d" % (self.number, self.chance.randrange(6))
        if luck < 0.95:
            return b"shared %d" % self.chance.randrange(4)
        return self.chance.choice(ODD_NAMES)

    def _field(self, text: bytes) -> bytes:
        """As a text field, with anything behind its end."""
        return text_field(text, self.chance.choice((b"\0", b"\0", b"\xcc", b"a")))

    def _new_name(self) -> bytes:
        luck = self.chance.uniform(0 if len(self.life.people) < PEOPLE else 0.85, 1)
        if luck < 0.85:
            return b"user %d.%d.%d" % (self.life.number, self.number, self.made)
        if luck < 0.95 and self.life.people:
            name = self.chance.choice(self.life.people).name
            return self.chance.choice((name, name.upper())).encode("latin-1")
        return self.chance.choice((b"", b" x", b"x ", b"\x7f", b"\xc3\xa4", b"n" * 254))

    def _any_id(self) -> bytes:
        """For requests in which it counts for nothing. It does not begin with a zero, or it would look like padding."""
        return b"\1" + self.chance.randbytes(15)

    def register(self) -> bytes:
        return register_frame(self._field(self._new_name()), self._any_id())

    def register_for_messages(self) -> bytes:
        key = self.chance.choice([*self.life.model.rsa_keys] * 4 + [self.chance.randbytes(160)])
        return register_for_messages_frame(self._field(self._new_name()), key, self._any_id())

    def public_key(self) -> bytes:
        known = [*(self.me.keys or self.life.model.rsa_keys)] * 6
        key = self.chance.choice([*known, *self.life.model.rsa_keys, self.chance.randbytes(160)])
        return request(self.me.id, Request.PUBLIC_KEY, self._field(self.me.name.encode("latin-1")) + key)

    def reconnect(self) -> bytes:
        name = self.me.name if self.chance.random() < 0.95 else self.me.name.upper()
        return request(self.me.id, Request.RECONNECT, self._field(name.encode("latin-1")))

    def upload(self) -> bytes:
        key = next(iter(self.life.model.aes_keys(self.me)), None)
        if key is None and self.chance.random() < 0.8:
            return self.reconnect() if self.me.keys else self.public_key()
        key = key if key and self.chance.random() < 0.95 else self.chance.randbytes(16)
        plain = self._content(FILE_SIZES, LARGE_FILE_SIZES)
        luck = self.chance.random()
        if luck < 0.92:
            content = aes_encrypt(key, plain)
        elif luck < 0.96:
            content = aes_encrypt_unpadded(key, self.chance.randbytes(16 * self.chance.randint(1, 20)))
        else:
            content = self.chance.randbytes(self.chance.choice((0, 1, 17, 100)))
        left_out = {"declared": FIXED_SIZES[Request.SEND_FILE]} if self.chance.random() < 0.05 else {}
        return file_frame(self.me.id, self._field(self._name()), content, **left_out)

    def confirm(self) -> bytes:
        code = self.chance.choice((Request.CRC_OK,) * 8 + (Request.CRC_WRONG, Request.GIVE_UP))
        frame = named_frame(self.me.id, code, self._field(self._name()))
        if code != Request.CRC_WRONG:
            return frame
        # What comes next has an answer that cannot be taken for that of the 1030.
        return frame + request(self.me.id, SEPARATOR, version=MESSAGES_VERSION)

    def hush(self) -> bytes:
        """A 1030 that is answered, since nothing follows until it is."""
        self.is_hushed = True
        return named_frame(self.me.id, Request.CRC_WRONG, self._field(self._name()))

    def upload_and_confirm(self) -> bytes:
        """All pipelined, under a few names."""
        frames = [self.upload() for _ in range(self.chance.randint(1, 4))]
        return b"".join(frames + [self.confirm() for _ in frames])

    def list_users(self) -> bytes:
        return list_users_frame(self.me.id)

    def key_of_user(self) -> bytes:
        make = key_of_user_frame if self.is_padded else key_frame
        return make(self.me.id, self._somebody())

    def send(self) -> bytes:
        size = self.chance.choice(LARGE_LETTER_SIZES if self.chance.random() < LARGE else LETTER_SIZES)
        label = struct.pack("<II", self.number, self.made)
        content = label + self.chance.randbytes(size - 8) if size >= 8 else b""
        kind = self.chance.choice((1, 2, 3, 3, 3, 4) if self.chance.random() < 0.98 else (0, 5, 255))
        return message_frame(self.me.id, self._somebody(), kind, content)

    def send_much(self) -> bytes:
        """To few, so that much waits for them."""
        size = self.chance.choice(LARGE_LETTER_SIZES)
        content = struct.pack("<II", self.number, self.made) + self.chance.randbytes(size)
        return message_frame(self.me.id, self._favourite().id, 3, content)

    def _favourite(self) -> Person:
        """The same for all; whoever is left, when everybody else was removed."""
        return next(iter(self.life.people), self.me)

    def pull_much(self) -> bytes:
        return pull_frame(self._favourite().id) * self.chance.randint(1, 3)

    def pull(self) -> bytes:
        return pull_frame(self.me.id)

    def end_in_padding(self) -> bytes:
        """Less of it than a header has, and nothing behind: only the silence, or our end, tells what it is."""
        self.steps = 0
        zeros = self.chance.randint(1, 22)
        content = self.chance.randbytes(3 * BLOCK_SIZE - zeros - HEADER_SIZE - SEND_FIXED_SIZE)
        return message_frame(self.me.id, self._somebody(), 3, content) + bytes(zeros)

    def nonsense(self) -> bytes:
        luck = self.chance.random()
        if luck < 0.4:
            code = self.chance.choice((0, 1, 599, 605, 1024, 1032, 2100, 9000, self.chance.randrange(65536)))
            size = self.chance.choice((0, 0, 1, 23, 1000, 65_536, 65_537))
            return request(self.me.id, code, self.chance.randbytes(size), version=self.chance.randrange(256))
        if luck < 0.7:
            return self._wrong_size()
        self.steps = 0  # what would follow is lost
        if luck < 0.8:
            return bytes(self.chance.choice((1, 22, 23, 24, 100, 1024, 5000)))
        if luck < 0.9:
            return self.chance.choice(FOREIGN)
        return self.chance.randbytes(self.chance.randint(1, 3000))

    def _wrong_size(self) -> bytes:
        code = self.chance.choice(list(FIXED_SIZES))
        size = max(0, FIXED_SIZES[code] + self.chance.choice((-1, 1, 16, 300)))
        return request(self.me.id, code, self.chance.randbytes(size), version=MESSAGES_VERSION)

    def _content(self, sizes, large_sizes) -> bytes:
        return self.chance.randbytes(self.chance.choice(large_sizes if self.chance.random() < LARGE else sizes))


# -- what can be wrong with a frame


def _flip(chance: random.Random, frame: bytes) -> bytes:
    spoilt = bytearray(frame)
    for _ in range(chance.choice((1, 1, 1, 3, 20))):
        spoilt[chance.randrange(min(len(spoilt), 400))] ^= 1 << chance.randrange(8)
    return bytes(spoilt)


def _cut(chance: random.Random, frame: bytes) -> bytes:
    return frame[: chance.randrange(len(frame))]


def _lengthen(chance: random.Random, frame: bytes) -> bytes:
    place = chance.randrange(len(frame) + 1)
    return frame[:place] + chance.randbytes(chance.choice((1, 2, 16, 300))) + frame[place:]


def _other_size(chance: random.Random, frame: bytes) -> bytes:
    (size,) = struct.unpack_from("<I", frame, 19)
    size = chance.choice((0, 1, size - 1, size + 1, 65_536, 65_537, 1 << 31, 0xFFFFFFFF)) & 0xFFFFFFFF
    return frame[:19] + struct.pack("<I", size) + frame[23:]


def _other_code(chance: random.Random, frame: bytes) -> bytes:
    return frame[:17] + struct.pack("<H", chance.choice(list(FIXED_SIZES))) + frame[19:]


def _other_id(chance: random.Random, frame: bytes) -> bytes:
    return chance.choice((bytes(16), chance.randbytes(16), b"\xff" * 16)) + frame[16:]


def _text_without_end(chance: random.Random, frame: bytes) -> bytes:
    return frame[:23] + b"e" * TEXT_FIELD_SIZE + frame[23 + TEXT_FIELD_SIZE :]


def _twice(chance: random.Random, frame: bytes) -> bytes:
    return frame + frame


SPOILERS = (_flip, _flip, _cut, _lengthen, _other_size, _other_code, _other_id, _text_without_end, _twice)

# -- what somebody likes to do, and how much

Mood = dict[Callable[[BinaryTalk], bytes], float]
_ALL: Mood = {
    BinaryTalk.register: 1,
    BinaryTalk.register_for_messages: 1,
    BinaryTalk.public_key: 2,
    BinaryTalk.reconnect: 2,
    BinaryTalk.upload: 6,
    BinaryTalk.confirm: 6,
    BinaryTalk.upload_and_confirm: 3,
    BinaryTalk.hush: 0.2,
    BinaryTalk.list_users: 2,
    BinaryTalk.key_of_user: 5,
    BinaryTalk.send: 25,
    BinaryTalk.pull: 15,
    BinaryTalk.end_in_padding: 0.3,
    BinaryTalk.nonsense: 1,
}
MOODS: dict[str, Mood] = {
    "anything": _ALL,
    "anything else": _ALL,
    "sends": {BinaryTalk.send: 1},
    "pulls": {BinaryTalk.pull: 9, BinaryTalk.send: 1},
    "converses": {BinaryTalk.pull: 2, BinaryTalk.send: 5, BinaryTalk.key_of_user: 1, BinaryTalk.list_users: 0.3},
    "uploads": {BinaryTalk.upload: 3, BinaryTalk.confirm: 4, BinaryTalk.upload_and_confirm: 3, BinaryTalk.hush: 0.2},
    "registers": {BinaryTalk.register: 3, BinaryTalk.register_for_messages: 2, BinaryTalk.public_key: 2},
    "hoards": {BinaryTalk.send_much: 4, BinaryTalk.pull_much: 1},
    "does not get enough": {BinaryTalk.pull_much: 9, BinaryTalk.send_much: 1},
    "reads lists": {BinaryTalk.list_users: 1},
    "asks": {BinaryTalk.list_users: 1, BinaryTalk.key_of_user: 6},
    "talks nonsense": {BinaryTalk.nonsense: 3, BinaryTalk.send: 1, BinaryTalk.reconnect: 1},
}
