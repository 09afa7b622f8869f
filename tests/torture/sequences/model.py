"""What has to hold, whatever clients do: who is registered, whose messages wait, and what each file may contain.

The model outlives servers. It learns what was sent from `framing.py`, what was answered from `judge.py`, and what is
stored from each start. Whoever reads this needs the words of powerloss/ledger.py: acknowledged, taken.
"""

import math
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import blake2b

from Cryptodome.Cipher import AES

from peer.crypto import RSA_BITS, rsa_decrypt
from powerloss.ledger import Found

NEVER = math.inf
UNKNOWN_CONTENT = "?"  # under a key that nobody was told
_KEPT = re.compile(rb"[^/\\]*\Z")


def kept_name(text: bytes) -> bytes:
    return _KEPT.search(text)[0]


def content_mark(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def is_kept(text: bytes | None) -> bool:
    """Whether it can be a file's name."""
    if text is None or any(byte < 0x20 or byte == 0x7F for byte in text):
        return False
    return kept_name(text) not in (b"", b".", b"..")


@dataclass(eq=False)
class Person:
    """A registered user."""

    name: str
    id: bytes
    alias: bytes
    keys: set[bytes]  # one of these is the public key, unless there is none yet
    began: float  # when the registration was sent,
    registered: float  # and answered
    key_since: float = NEVER  # when it was known that there is one
    keys_sent: list[bytes] = field(default_factory=list)  # as ciphertexts, or decrypted
    keys_unanswered: int = 0
    removing: bool = False  # an operator has asked for it
    removed: float | None = None  # and was answered
    resetting: bool = False  # an operator has asked for its key to go, in this life
    keys_offered: set[bytes] = field(default_factory=set)

    def had_key(self, moment: float) -> bool:
        return self.key_since < moment and not self.resetting

    def know_key(self, key: bytes | None) -> None:
        self.keys = set() if key is None else {key}
        self.key_since = NEVER if key is None else 0.0

    @property
    def possible_keys(self) -> set[bytes]:
        return self.keys | self.keys_offered if self.resetting else self.keys


@dataclass(eq=False)
class Letter:
    """A message that was sent with all of its content."""

    sender: Person
    receiver: Person
    type: int
    mark: bytes
    size: int
    began: float
    id: int | None = None
    is_acknowledged: bool = False
    is_taken: bool = False
    may_be_taken: bool = False  # it was perhaps in an answer that nobody has read
    is_gone: bool = False  # it was not there after a start

    @property
    def identity(self) -> tuple:
        return (self.receiver.id, self.sender.id, self.type, self.mark)

    @property
    def is_owed(self) -> bool:
        is_uncertain = self.is_taken or self.may_be_taken or self.receiver.removing or self.sender.removing
        return self.is_acknowledged and not is_uncertain

    def __str__(self) -> str:
        return f"{self.id} from {self.sender.name!r} to {self.receiver.name!r}, {self.size} bytes"


@dataclass
class Shelf:
    """What may be verified under one name of one user."""

    certain: set[str | None] = field(default_factory=lambda: {None})  # one of these, if nothing is pending
    pending: set[object] = field(default_factory=set)  # each a 1029 without an answer
    uploads: list[str] = field(default_factory=list)  # in this life of the server: later ones than a 1029, too
    connections: set[int] = field(default_factory=set)  # that have named it, in this life
    confirmed: list[tuple[float, str]] = field(default_factory=list)

    @property
    def allowed(self) -> set[str | None]:
        return self.certain.union(self.uploads if self.pending else ())


class Model:
    def __init__(self, problem: Callable[[str], None], keys: Iterable):
        self.problem = problem
        self.rsa_keys = {key.public_key().export_key("DER"): key for key in keys}
        self._cipher = None
        self.people: dict[bytes, Person] = {}  # those removed, too
        self.by_alias: dict[bytes, Person] = {}
        self.names: set[str] = set()  # that anybody has tried to register
        self.letters: dict[int, Letter] = {}
        self.unbound: dict[tuple, list[Letter]] = defaultdict(list)  # of which nobody was told an id
        self.sent_to: dict[bytes, list[Letter]] = defaultdict(list)
        self.shelves: dict[tuple[bytes, bytes], Shelf] = {}

    # -- people

    def learn_alias_key(self, key: bytes | None) -> None:
        """None: ids are shown as they are."""
        self._cipher = AES.new(key, AES.MODE_ECB) if key else None
        for person in self.people.values():
            person.alias = self.alias_of(person.id)
        self.by_alias = {person.alias: person for person in self.people.values()}

    def alias_of(self, client_id: bytes) -> bytes:
        return self._cipher.encrypt(client_id) if self._cipher else client_id

    def alive(self) -> list[Person]:
        return [person for person in self.people.values() if not person.removing]

    def register(self, name: str, client_id: bytes, key: bytes | None, began: float) -> Person | None:
        if client_id in self.people:
            self.problem(f"id given twice: {name!r} has that of {self.people[client_id].name!r}")
            return None
        for other in self.people.values():
            if other.name.lower() == name.lower() and not other.removing:
                self.problem(f"name given twice: {name!r} and {other.name!r}")
        keys = {key} if key else set()
        now = time.monotonic()
        person = Person(name, client_id, self.alias_of(client_id), keys, began, now, now if key else NEVER)
        self.people[client_id] = self.by_alias[person.alias] = person
        return person

    def target(self, sent: bytes) -> Person | None:
        return self.people.get(sent) or self.by_alias.get(sent)

    def aes_keys(self, person: Person) -> Iterable[bytes]:
        """Those that it was given, the newest first."""
        for place in reversed(range(len(person.keys_sent))):
            key = person.keys_sent[place]
            if len(key) == RSA_BITS // 8:
                key = person.keys_sent[place] = self._decrypt(person, key)
            if key:
                yield key

    def _decrypt(self, person: Person, sent: bytes) -> bytes:
        for public_key in person.keys:
            if public_key in self.rsa_keys:
                try:
                    return rsa_decrypt(self.rsa_keys[public_key], sent)
                except ValueError:
                    continue
        person.keys_unanswered += 1  # it is as if nobody had been told
        return b""

    # -- messages

    def send(self, sender: Person, receiver: Person, kind: int, content: bytes, began: float) -> Letter:
        letter = Letter(sender, receiver, kind, content_mark(content), len(content), began)
        self.unbound[letter.identity].append(letter)
        self.sent_to[receiver.id].append(letter)
        return letter

    def acknowledge(self, letter: Letter, message_id: int) -> None:
        letter.is_acknowledged = True
        if letter.id == message_id:
            return
        holder = self.letters.get(message_id)
        if holder is None and letter.id is None:
            self._bind(letter, message_id)
        elif holder is not None and holder.identity == letter.identity and not holder.is_acknowledged:
            self._swap(holder, letter)
        elif holder is None and self.unbound[letter.identity]:
            self._give_up(letter, self.unbound[letter.identity][0])
            self._bind(letter, message_id)
        else:
            self.problem(f"message id given twice: {message_id} is {holder}, and was told for {letter}")

    def _bind(self, letter: Letter, message_id: int) -> None:
        letter.id = message_id
        self.letters[message_id] = letter
        self.unbound[letter.identity].remove(letter)

    def _give_up(self, letter: Letter, twin: Letter) -> None:
        """What came out before it was answered was the other one, of two that nobody can tell apart."""
        self._bind(twin, letter.id)
        twin.is_taken, letter.is_taken = letter.is_taken, False
        self.unbound[letter.identity].append(letter)

    def _swap(self, holder: Letter, letter: Letter) -> None:
        """Of two that nobody can tell apart the other one came out before it was answered."""
        if letter.id is None:
            self.unbound[letter.identity].remove(letter)
            self.unbound[letter.identity].append(holder)
        else:
            self.letters[letter.id] = holder
        holder.id, letter.id = letter.id, holder.id
        self.letters[letter.id] = letter
        holder.is_taken, letter.is_taken = letter.is_taken, holder.is_taken

    def deliver(self, receiver: Person, sender: Person | None, message_id: int, kind: int, content: bytes) -> None:
        """It came out of a 604 of that receiver."""
        letter = self.find(receiver.id, sender.id if sender else b"", message_id, kind, content)
        if letter is None:
            return
        if letter.is_gone:
            self.problem(f"message came back: {letter}, which was not there after a start")
        letter.is_taken = True

    def find(self, receiver: bytes, sender: bytes, message_id: int, kind: int, content: bytes) -> Letter | None:
        """Which message that is; None, and a problem, when it is nobody's, or another one."""
        identity = (receiver, sender, kind, content_mark(content))
        letter = self.letters.get(message_id)
        if letter is None and self.unbound.get(identity):
            letter = self.unbound[identity][0]
            self._bind(letter, message_id)
        if letter is None:
            self.problem(f"message unknown: {message_id} was never sent, {len(content)} bytes of type {kind}")
        elif letter.identity != identity:
            names = ("receiver", "sender", "type", "content")
            wrong = [name for name, one, other in zip(names, letter.identity, identity) if one != other]
            self.problem(f"message wrong: {letter} came with another {', '.join(wrong)}")
        return letter

    def may_have_taken(self, receiver: Person) -> None:
        """Whatever was sent to it was perhaps delivered to somebody who did not read it."""
        for letter in self.sent_to[receiver.id]:
            letter.may_be_taken = True

    def owed(self) -> list[Letter]:
        return [letter for letter in self.letters.values() if letter.is_owed]

    # -- files

    def shelf(self, client_id: bytes, text: bytes, connection: int) -> Shelf:
        shelf = self.shelves.setdefault((client_id, kept_name(text)), Shelf())
        shelf.connections.add(connection)
        return shelf

    # -- a start

    def settle(self, found: Found, keys: dict[bytes, bytes | None]) -> None:
        """Compares with what a server has after a start, which is what it owes from then on. `keys` are the public
        keys of all users."""
        self._settle_people(found, keys)
        self._settle_files(found)
        self._settle_messages(found)

    def _settle_people(self, found: Found, keys: dict[bytes, bytes | None]) -> None:
        names = {client_id: name for name, (client_id, _) in found.users.items()}
        for person in self.people.values():
            name = names.pop(person.id, None)
            if name is not None:
                self._settle_person(person, name, keys[person.id])
                continue
            if not person.removing:
                self.problem(f"user lost: {person.name!r}")
            person.removing = True
            person.removed = person.removed or time.monotonic()
        for client_id, name in names.items():
            if name not in self.names:
                self.problem(f"user unknown: {name!r}")
            person = self.register(name, client_id, None, 0.0)  # nobody knows when
            person.keys_unanswered = 1
            person.know_key(keys[client_id])

    def _settle_person(self, person: Person, name: str, key: bytes | None) -> None:
        if person.removed is not None:
            self.problem(f"user came back: {person.name!r}")
        if name != person.name:
            self.problem(f"user changed: {person.name!r} is {name!r}")
        if key is None and person.key_since != NEVER and not person.resetting:
            self.problem(f"key lost: of {person.name!r}")
        if key is not None and key not in person.possible_keys:
            self.problem(f"key changed: of {person.name!r}")
        person.removing = person.resetting = False
        person.know_key(key)

    def _settle_files(self, found: Found) -> None:
        there: dict[tuple[bytes, bytes], str] = {}
        for (client_id, name), content in found.files.items():
            there[client_id, kept_name(name.encode(errors="surrogateescape"))] = content
        for key, shelf in self.shelves.items():
            content = there.pop(key, None)
            owner = self.people.get(key[0])
            if owner is None or owner.removing:
                if owner is not None and owner.removed is not None and content is not None:
                    self.problem(f"file of nobody: {key[1]!r} of {owner.name!r}, who was removed")
                continue
            allowed = shelf.allowed
            if content not in allowed and (UNKNOWN_CONTENT not in allowed or content in (None, "missing")):
                kind = "file lost" if content in (None, "missing") else "file wrong"
                self.problem(f"{kind}: {key[1]!r} of {owner.name!r} is {content}, not one of {allowed}")
            self.shelves[key] = Shelf(certain={content})
        for client_id, name in there:
            self.problem(f"file unknown: {name!r} of {client_id.hex()} was never confirmed")

    def _settle_messages(self, found: Found) -> None:
        there = set()
        for message_id, receiver, sender, kind, content in found.messages:
            letter = self.find(receiver, sender, message_id, kind, content)
            if letter is None:
                continue
            if letter.is_gone:
                self.problem(f"message came back: {letter}, which was not there after a start")
            there.add(letter)
            letter.is_acknowledged, letter.is_taken, letter.may_be_taken = True, False, False
        for letter in self.letters.values():
            if letter in there or letter.is_gone:
                continue
            if letter.is_owed:
                self.problem(f"message lost: {letter}")
            letter.is_gone = True
        self.unbound.clear()  # what has no id by now is not there
        self.sent_to.clear()
        for letter in there:
            self.sent_to[letter.receiver.id].append(letter)
