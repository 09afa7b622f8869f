"""What attackers of the server do on one connection after the other: trickle, say nothing, flood, guess, reset.

An attack knows no sockets. It is told that a connection was opened, what came on it, and that its time has come,
and says what is sent next, or that the connection is reset. `done` counts what the attack is about, `counts` what
else is worth telling.
"""

import random
from collections import Counter
from dataclasses import dataclass, field

from peer.chat import ENTER_GROUP, ENTER_NAME, ENTER_PASSWORD, JOIN, MENU, NO_PASSWORD
from peer.drop import SEND_FILE_FIXED_SIZE, file_frame, register_frame
from peer.frames import NO_ID, RESPONSE_HEADER, Answer, request
from peer.messages import SEND_FIXED, Type, message_frame

BATCH = 20
DECLARED = 1 << 20
UNKNOWN_CODES = (0, 1, 599, 605, 777, 1024, 1032, 2100, 9000, 65535)


class Reset:
    """Instead of bytes: the connection is reset, and another one takes its place."""


RESET = Reset()
Next = bytes | Reset


@dataclass(eq=False)
class Slot:
    """The place of one connection at a time."""

    number: int
    service: str  # drop, chat or ask
    opened: int = 0  # connections that it had
    step: int = 0  # for the attack
    heard: bytearray = field(default_factory=bytearray)


@dataclass
class Target:
    """What an attacker knows: a user's id, and a group whose password it lacks."""

    user: bytes
    group: int


class Attack:
    services: tuple[str, ...] = ("drop",)
    pause = 0.0  # seconds until a connection's time comes, over and over; 0: never

    def __init__(self, target: Target, pause: float):
        self.target = target
        self.pause = pause if self.pause else 0.0
        self.done = 0
        self.counts: Counter[str] = Counter()
        self.chance = random.Random(1)

    def opened(self, slot: Slot) -> Next:
        return b""

    def heard(self, slot: Slot, data: bytes) -> Next:
        return b""

    def tick(self, slot: Slot) -> Next:
        return b""


class Idle(Attack):
    services = ("drop", "chat", "ask")

    def opened(self, slot: Slot) -> Next:
        self.done += 1
        return b""


class Trickle(Attack):
    """A byte at a time: of a registration, of a name in the chat, of a request of ask."""

    services = ("drop", "chat", "ask")
    pause = 1.0

    _texts = {
        "drop": register_frame("slow " * 40),
        "chat": b"1\n" + b"slow " * 40,
        "ask": b"Hello, this is a very slow one. " * 10,
    }

    def opened(self, slot: Slot) -> Next:
        slot.step = 0
        return b""

    def tick(self, slot: Slot) -> Next:
        text = self._texts[slot.service]
        slot.step += 1
        self.done += 1
        return text[slot.step - 1 : slot.step] if slot.step <= len(text) else RESET


class Answered(Attack):
    """Requests in batches, each sent when the one before is answered; what is done are answers."""

    def request(self, slot: Slot) -> bytes:
        raise NotImplementedError

    def _batch(self, slot: Slot) -> bytes:
        slot.step = BATCH
        return b"".join(self.request(slot) for _ in range(BATCH))

    def opened(self, slot: Slot) -> Next:
        return self._batch(slot)

    def heard(self, slot: Slot, data: bytes) -> Next:
        slot.heard += data
        while len(slot.heard) >= RESPONSE_HEADER.size:
            _, code, size = RESPONSE_HEADER.unpack_from(slot.heard)
            if len(slot.heard) < RESPONSE_HEADER.size + size:
                break
            del slot.heard[: RESPONSE_HEADER.size + size]
            self.done += 1
            self.counts[f"answered {code}"] += 1
            slot.step -= 1
        return self._batch(slot) if slot.step == 0 else b""


class Registrations(Answered):
    """Each of a name that nobody has."""

    _number = 0

    def request(self, slot: Slot) -> bytes:
        self._number += 1
        return register_frame(f"flood {self._number}")

    @property
    def registered(self) -> int:
        return self.counts[f"answered {Answer.REGISTERED}"]


class UnknownCodes(Answered):
    def request(self, slot: Slot) -> bytes:
        payload = bytes(self.chance.choice((0, 0, 5, 255, 2000)))
        return request(NO_ID, self.chance.choice(UNKNOWN_CODES), payload)


class HalfFrames(Attack):
    """Some are reset at once, others after a while, when the server has waited for the rest."""

    pause = 1.0

    def __init__(self, target: Target, pause: float):
        super().__init__(target, pause)
        user, content = target.user, bytes(50_000)
        sizes = {"content_size": DECLARED, "declared": SEND_FILE_FIXED_SIZE + DECLARED}
        upload = file_frame(user, "half", content, **sizes)
        sizes["declared"] = SEND_FIXED.size + DECLARED
        message = message_frame(user, user, Type.TEXT, content, **sizes)
        name = register_frame("half a name")
        self._halves = [upload, upload[:282], upload[:22], message, message[:44], message[:30]]
        self._halves += [name[:100], name[:1]]

    def opened(self, slot: Slot) -> Next:
        return self._halves[(slot.number + slot.opened) % len(self._halves)]

    def tick(self, slot: Slot) -> Next:
        self.done += 1
        return RESET


class Passwords(Attack):
    """Guesses the password of a group; what is done are guesses."""

    services = ("chat",)
    _inputs = ((MENU, JOIN), (ENTER_NAME, "mallory"), (ENTER_PASSWORD, "wrong"))

    def heard(self, slot: Slot, data: bytes) -> Next:
        slot.heard += data
        self.counts["wrong passwords"] += data.count(NO_PASSWORD.encode())
        if len(slot.heard) > 10_000:
            del slot.heard[:-1000]
        text = bytes(slot.heard).rstrip(b"\n ")
        if text.endswith(ENTER_GROUP.encode().rstrip()):
            slot.heard.clear()
            return b"%d\n" % self.target.group
        for prompt, typed in self._inputs:
            if text.endswith(prompt.encode().rstrip()):
                slot.heard.clear()
                self.done += prompt is ENTER_PASSWORD
                return typed.encode() + b"\n"
        return b""


class Resets(Attack):
    """Some have said something before."""

    services = ("drop", "chat", "ask")
    pause = 1.0

    def opened(self, slot: Slot) -> Next:
        self.done += 1
        return RESET if slot.opened % 2 else b"\0" * 30

    def tick(self, slot: Slot) -> Next:
        return RESET

    def heard(self, slot: Slot, data: bytes) -> Next:
        return RESET


ATTACKS: dict[str, type[Attack]] = {
    "trickle": Trickle,
    "idle": Idle,
    "registrations": Registrations,
    "unknown codes": UnknownCodes,
    "half frames": HalfFrames,
    "wrong passwords": Passwords,
    "resets": Resets,
}
