"""What a server owes to its clients at some moment, and whether what is found after a crash is that.

A run notes what its clients sent and which answers they got (`Notes`). `Ledger.at` makes of it what was
acknowledged at a moment of the recording; `Ledger.settle` compares that with what a server has found on an image,
and becomes what it owes from then on: what came out of a crash must stay, and what did not must never come back.
"""

import copy
import functools
import hashlib
import random
import struct
from dataclasses import dataclass, field

from peer.drop import STORED_NAME_LIMIT, stored_name

from .recording import Streams

LABEL = struct.Struct("<II")  # of a message: number of its sender, its number there; the rest follows from it

LARGE = 1 << 20  # of a content, from which few are remembered

Answered = tuple[int, int]  # the client's port, and how many bytes it had received with the answer
Label = tuple[int, int]
FileKey = tuple[bytes, str]  # user's id, name


def content_of(sender: int, number: int, size: int) -> bytes:
    """The one content of that message of that sender; at least a label's size."""
    return (_small_content if size < LARGE else _large_content)(sender, number, size)


@functools.lru_cache(maxsize=20_000)
def _small_content(sender: int, number: int, size: int) -> bytes:
    return _new_content(sender, number, size)


@functools.lru_cache(maxsize=6)
def _large_content(sender: int, number: int, size: int) -> bytes:
    return _new_content(sender, number, size)


def _new_content(sender: int, number: int, size: int) -> bytes:
    return LABEL.pack(sender, number) + random.Random(sender << 32 | number).randbytes(size - LABEL.size)


def label_of(content: bytes) -> Label:
    """Whose message that is; what came must be that, whole."""
    label = LABEL.unpack_from(content)
    assert content == content_of(*label, len(content)), f"message {label} is damaged"
    return label


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def own_stored_name(name: str) -> str:
    """What an own file is called whose row is gone: the server has no folders, so there its name has a \\ for each /."""
    if len(name.encode()) <= STORED_NAME_LIMIT:
        return name
    tail = "~" + hashlib.sha256(name.encode()).hexdigest()[:16]
    return name.encode()[: STORED_NAME_LIMIT - len(tail)].decode(errors="ignore") + tail


@dataclass
class Letter:
    """A message that was sent at some time."""

    sender_id: bytes
    receiver_id: bytes
    type: int
    size: int
    state: str = "sent"  # "acknowledged", "taken" (it was sent to its receiver), "refused", "gone"
    id: int | None = None  # as it was told


@dataclass
class Upload:
    """What may be found under one name: the first, or any that was sent later. None is no file."""

    allowed: list[str | None] = field(default_factory=lambda: [None])


@dataclass(frozen=True)
class Put:
    """An own file that was begun, and may have broken off: the same again must end right."""

    owner: bytes
    name: str
    id: bytes
    label: Label
    size: int

    @property
    def content(self) -> bytes:
        return content_of(*self.label, self.size)


@dataclass(frozen=True)
class Damage:
    """What the disk has changed: served by nobody, and put aside one day, but never deleted."""

    there: str  # its digest where it lies, or "missing"
    whole: str | None  # that of its file, which must be there or put aside; None when the disk has lost it


@dataclass
class Note:
    """One thing that a client did, or was answered."""

    what: str
    when: Answered | int | None  # answered; begun at that size of the log; sent at any time
    values: tuple


class Notes:
    """What the clients of one run have noted, in the order in which each of them did."""

    def __init__(self):
        self.all: list[Note] = []  # appending is atomic

    def add(self, what: str, when: Answered | int | None, *values) -> None:
        self.all.append(Note(what, when, values))

    def timed(self, streams: Streams) -> list[tuple[int, str, tuple]]:
        """(moment, what, values): of an answer, when it may have arrived; of what was sent, the beginning, or when
        it was begun."""
        return [(_moment_of(note.when, streams), note.what, note.values) for note in self.all]


def _moment_of(when: Answered | int | None, streams: Streams) -> int:
    if when is None:
        return 0
    return streams.moment_of(when) if isinstance(when, int) else streams.moment(*when)


@dataclass
class Found:
    """What a server has after a start."""

    users: dict[str, tuple[bytes, bool]]  # name -> id, has a key
    files: dict[FileKey, str]  # digest of the content; its absence is told by "missing"
    messages: list[tuple[int, bytes, bytes, int, bytes]]  # id, receiver, sender, type, content; by id
    content_keys: dict[bytes, bytes | None] = field(default_factory=dict)  # of each user's id
    aside: dict[str, bool] = field(default_factory=dict)  # digests of what is in damaged/: whether it has a note
    accounts: set[str] = field(default_factory=set)  # the names of those users who sign in


class Ledger:
    def __init__(self):
        self.users: dict[str, tuple[bytes | None, bool]] = {}  # id, when acknowledged; whether its key was
        self.keyless: set[str] = set()  # whose key was reset, and not sent again
        self.leaving: set[bytes] = set()  # ids of users who are being removed …
        self.removed: set[bytes] = set()  # … and who were
        self.spoilt: dict[bytes, bytes] = {}  # content keys that must not come back
        self.gone_users: set[str] = set()
        self.files: dict[FileKey, Upload] = {}
        self.letters: dict[Label, Letter] = {}
        self.ids: dict[int, Label] = {}
        self.damaged: dict[int | FileKey, Damage] = {}  # by the message's id; in none of the others
        self.is_repaired = False
        self.accounts: set[str] = set()  # names of users who sign in, if they are there
        self.puts: dict[bytes, Put] = {}  # by their ids
        self.fingerprint: bytes | None = None  # of the host key, once somebody knows it

    def copy(self) -> "Ledger":
        other = Ledger()
        other.users = dict(self.users)
        other.keyless = set(self.keyless)
        other.leaving = set(self.leaving)
        other.removed = set(self.removed)
        other.spoilt = dict(self.spoilt)
        other.gone_users = set(self.gone_users)
        other.files = {key: Upload(list(upload.allowed)) for key, upload in self.files.items()}
        other.letters = {label: copy.copy(letter) for label, letter in self.letters.items()}
        other.ids = dict(self.ids)
        other.damaged, other.is_repaired = dict(self.damaged), self.is_repaired
        other.accounts, other.puts = set(self.accounts), dict(self.puts)
        other.fingerprint = self.fingerprint
        return other

    # -- what clients noted

    def at(self, notes: list[tuple[int, str, tuple]], moment: int) -> "Ledger":
        """What is owed at that moment of the run that began with this ledger and had these notes."""
        ledger = self.copy()
        for answered, what, values in notes:
            if answered <= moment:
                getattr(ledger, "_note_" + what.replace(" ", "_"))(*values)
        return ledger

    def _note_registering(self, name: str) -> None:
        self.users.setdefault(name, (None, False))

    def _note_registered(self, name: str, client_id: bytes, has_key: bool) -> None:
        self.users[name] = (client_id, has_key)

    def _note_removing(self, name: str, client_id: bytes) -> None:
        self.leaving.add(client_id)

    def _note_removed(self, name: str, client_id: bytes) -> None:
        self.removed.add(client_id)
        del self.users[name]

    def _note_resetting(self, name: str) -> None:
        self.users[name] = (self.users[name][0], False)

    def _note_reset(self, name: str) -> None:
        self.keyless.add(name)

    def _note_key(self, name: str) -> None:
        self.keyless.discard(name)

    def _note_spoilt(self, client_id: bytes, key: bytes) -> None:
        self.spoilt[client_id] = key

    def _note_upload(self, client_id: bytes, name: str, content: str) -> None:
        self.files.setdefault((client_id, name), Upload()).allowed.append(content)

    def _note_verified(self, client_id: bytes, name: str, content: str) -> None:
        allowed = self.files[client_id, name].allowed
        del allowed[: allowed.index(content)]

    def _note_refused(self, client_id: bytes, name: str, content: str) -> None:
        self.files[client_id, name].allowed.remove(content)

    def _note_removing_file(self, client_id: bytes, name: str) -> None:
        self.files[client_id, name].allowed.append(None)

    def _note_removed_file(self, client_id: bytes, name: str) -> None:
        allowed = self.files[client_id, name].allowed
        del allowed[: allowed.index(None)]

    def _note_account(self, name: str) -> None:
        self.accounts.add(name)

    def _note_fingerprint(self, fingerprint: bytes) -> None:
        self.fingerprint = fingerprint

    def _note_putting(self, put: Put) -> None:
        self.puts[put.id] = put

    def _note_letter(self, label: Label, sender: bytes, receiver: bytes, kind: int, size: int) -> None:
        self.letters[label] = Letter(sender, receiver, kind, size)

    def _note_stored(self, label: Label, message_id: int) -> None:
        letter = self.letters[label]
        letter.id = message_id
        if letter.state == "sent":
            letter.state = "acknowledged"
        self._claim(message_id, label)

    def _note_not_stored(self, label: Label) -> None:
        self.letters[label].state = "refused"

    def _note_delivered(self, labels: list[tuple[int, Label]]) -> None:
        for message_id, label in labels:
            self.letters[label].state = "taken"
            self._claim(message_id, label)

    def _note_repaired(self) -> None:
        self.is_repaired = True

    def _note_seen(self, labels: list[tuple[int, Label]]) -> None:
        """Of a 2104 that was broken off: nothing of it is delivered."""
        for message_id, label in labels:
            self._claim(message_id, label)

    def _claim(self, message_id: int, label: Label) -> None:
        """An id that anybody was told is that message's for ever."""
        if self.ids.setdefault(message_id, label) != label:
            raise AssertionError(f"id given twice: {message_id} is {self.ids[message_id]} and {label}")

    # -- who goes on

    def known_accounts(self) -> list[str]:
        return sorted(self.accounts & self.users.keys())

    def known_puts(self) -> list[Put]:
        """Of owners who are there, in the order in which they were begun."""
        there = {self.users[name][0] for name in self.known_accounts()}
        return [put for put in self.puts.values() if put.owner in there]

    # -- what was found

    def settle(self, found: Found) -> list[str]:
        """What is wrong, each problem beginning with its kind. The ledger is then what is owed from now on."""
        problems: list[str] = []
        self._settle_damaged(found, problems)
        self._settle_users(found, problems)
        self._settle_files(found, problems)
        self._settle_messages(found, problems)
        return problems

    def _settle_damaged(self, found: Found, problems: list[str]) -> None:
        """Takes them out of what was found."""
        there = {key: found.files.pop(key) for key in self.damaged if key in found.files}
        there |= {
            message[0]: digest(message[4]) if message[4] else "missing"
            for message in found.messages
            if message[0] in self.damaged
        }
        found.messages = [message for message in found.messages if message[0] not in self.damaged]
        for key, damage in self.damaged.items():
            now = there.get(key)
            if now is not None and self.is_repaired:
                problems.append(f"repair undone: {key} is {now}")
            if now in (None, "missing") and damage.whole is not None and damage.whole not in found.aside:
                problems.append(f"damaged thing lost: {key} is neither there nor put aside")
            if self.is_repaired and not found.aside.get(damage.whole, True):
                problems.append(f"note lost: of {key}")
            if now not in (None, "missing", damage.there):
                problems.append(f"damaged thing changed: {key} is {now}")

    def _settle_users(self, found: Found, problems: list[str]) -> None:
        for name, (client_id, has_key) in list(self.users.items()):
            there = found.users.get(name)
            if there is None:
                self._settle_gone_user(name, client_id, problems)
                continue
            if there[0] in self.removed:
                problems.append(f"removed user came back: {name}")
            elif client_id is not None and there[0] != client_id:
                problems.append(f"user changed: {name} has another id")
            if has_key and not there[1]:
                problems.append(f"key lost: of {name}")
            if there[1] and name in self.keyless:
                problems.append(f"reset key came back: of {name}")
            self.users[name] = there
        for name in found.users.keys() - self.users.keys():
            came_back = name in self.gone_users or found.users[name][0] in self.removed
            problems.append(f"user unknown: {name}{' came back' if came_back else ''}")
        for client_id, key in self.spoilt.items():
            if found.content_keys.get(client_id) == key:
                problems.append(f"spoilt key came back: of {client_id.hex()}")
        self.leaving.clear()  # whoever is there then stays

    def _settle_gone_user(self, name: str, client_id: bytes | None, problems: list[str]) -> None:
        del self.users[name]
        if client_id is None:
            self.gone_users.add(name)
        elif client_id in self.leaving:
            self.removed.add(client_id)
        else:
            problems.append(f"user lost: {name}")

    def _settle_files(self, found: Found, problems: list[str]) -> None:
        for key, upload in self.files.items():
            content = found.files.get(key)
            allowed = [None] if key[0] in self.removed else upload.allowed
            if content not in allowed:
                kind = "file lost" if content in (None, "missing") else "file wrong"
                problems.append(f"{kind}: {key[1]} is {content}, not one of {allowed}")
            upload.allowed = [content]
        # Without a row, a file is taken for one of the name that it has on disk: without folders, and cut.
        adopted = {(client_id, stored(name)) for client_id, name in self.files for stored in (stored_name, own_stored_name)}
        for key in found.files.keys() - self.files.keys() - adopted:
            problems.append(f"file unknown: {key[1]} of {key[0].hex()} was never confirmed")

    def _settle_messages(self, found: Found, problems: list[str]) -> None:
        there: dict[Label, int] = {}
        last: dict[int, int] = {}
        for message_id, receiver, sender, kind, content in found.messages:
            label = self._label_of(message_id, receiver, sender, kind, content, problems)
            if label is None:
                continue
            if label in there:
                problems.append(f"message twice: {label} under {there[label]} and {message_id}")
            if last.get(label[0], -1) > label[1]:
                problems.append(f"messages disordered: {label} behind {last[label[0]]}")
            there[label] = message_id
            last[label[0]] = label[1]
        for label, letter in self.letters.items():
            self._settle_letter(label, letter, there.get(label), problems)

    def _label_of(self, message_id, receiver, sender, kind, content, problems: list[str]) -> Label | None:
        """Whose message that is; None, with a problem, when it is nobody's."""
        label = LABEL.unpack_from(content) if len(content) >= LABEL.size else None
        letter = self.letters.get(label)
        if letter is None:
            problems.append(f"message unknown: {message_id} was never sent, {len(content)} bytes")
            return None
        if (receiver, sender, kind) != (letter.receiver_id, letter.sender_id, letter.type):
            problems.append(f"message wrong: {label} has another sender, receiver or type")
        if content != content_of(*label, letter.size):
            problems.append(f"message wrong: {label} has another content")
        return label

    def _settle_letter(self, label: Label, letter: Letter, found_id: int | None, problems: list[str]) -> None:
        if found_id is None:
            if letter.state == "acknowledged" and letter.receiver_id not in self.removed:
                problems.append(f"message lost: {label}, acknowledged as {letter.id}")
            letter.state = "gone"
            return
        if letter.state == "gone":
            problems.append(f"message came back: {label} as {found_id}, which was not there after a crash")
        if letter.state == "refused":
            problems.append(f"message was refused: {label}, and is {found_id}")
        if letter.receiver_id in self.removed:
            problems.append(f"message of a removed user: {label} as {found_id}")
        owner = self.ids.setdefault(found_id, label)
        if owner != label or (letter.id is not None and letter.id != found_id):
            problems.append(f"message id given twice: {found_id} is {label}, and was told for {owner}")
        letter.state, letter.id = "acknowledged", found_id
