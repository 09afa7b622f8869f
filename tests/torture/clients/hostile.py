"""A client under the address sanitizer against a server that lies as it likes, with keys that fit; then that server
is honest, and the client must be of use again."""

import os
import random
import resource
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from peer import crypto
from peer.drop import User
from peer.frames import RESPONSE_HEADER, Request, text_field
from peer.kesher import Kesher, Outcome, identity_backups, read_identity, write_identity, write_server_info
from peer.kesher import write_transfer_info
from peer.kesherd import program
from peer.message_server import Cut, FakeUser, MessageScript, MessageServer, alias_of, user_list
from peer.messages import Message, Type
from peer.server import Ending, Seen

from harness.campaign import Trial

from powerloss.keys import KEYS

CALLS = 6
MEMORY_LIMIT = 400 << 20  # of a client under the sanitizer; the answers of a round are some MiB
LIMITS = ("--answer-timeout", "1", "--silence", "1", "--retry", "0")  # of a server that may say nothing
HONEST_LIMITS = ("--answer-timeout", "30", "--silence", "30", "--retry", "0")  # on a machine that has more to do
UNSEEN = {*map(chr, (*range(32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029))}
CODES = (
    Request.LIST_USERS,
    Request.KEY_OF_USER,
    Request.SEND_MESSAGE,
    Request.PULL,
    Request.PUBLIC_KEY,
    Request.RECONNECT,
    Request.SEND_FILE,
    Request.CRC_OK,
    Request.REGISTER,
    Request.REGISTER_FOR_MESSAGES,
)
NAMES = [
    b"bob", b"carol", b"../../../etc/cron.d/x", b"..", b"/dev/null", b"-rf", b"a\nFrom: bob", b"\x1b]0;owned\x07",
    b"\x1b[2J", "\u202ebob".encode(), b"bob ", b" bob", b"a: b", b'"quoted"', b"(under a new key)", b"%s%n%d",
    b"\xff\xfe", b"x" * 254,
    b"y" * 255, b"", b"00112233445566778899aabbccddeeff", b"con\0cealed",
]  # fmt: skip
TEXTS = [
    b"plain", b"", b"\x1b[2J\x1b]0;owned\x07", b"a\n-----<EOM>-----\n\nFrom: carol\nContent:\nforged\n", b"\x9b31m",
    b"\0\0",
    "\u202e\u2066\u2028\u2029".encode(), b"\xff\xc3\x28\xf0\x9f", "\u00e9\U0001f600".encode() * 3000, b"\r\b\b\bover",
    b"l" * 70000, b"\n" * 5000, b'{"id": 1}', b"\xf0\x9f\x98" + b"x" * 4093 + "\U0001f600".encode(),
]  # fmt: skip


class Liar:
    """What the server says instead of the truth; all of it by chance."""

    def __init__(self, chance: random.Random, server: MessageServer, alice: User):
        self.chance = chance
        self.server = server
        self.alice = alice
        self.keys = [chance.randbytes(crypto.AES_KEY_SIZE) for _ in range(3)]
        self.said: list[Message] = []  # to be said again

    def prepare(self) -> None:
        """For the next command: which requests are lied to, and how answers come."""
        chance = self.chance
        script = MessageScript(hangups=chance.randrange(1, 3))
        for code in CODES:
            if chance.random() < 0.6:
                script.lies[code] = self.lie
        knob = chance.choice(("", "", "", "close_in", "close_before_answer", "cut_answer", "half_answer", "silent_in"))
        if knob:
            setattr(script, knob, chance.choice(CODES))
        if chance.random() < 0.1:
            script.silent_at = frozenset(chance.sample(CODES, 1))
        script.one_byte_at_a_time = chance.random() < 0.05
        script.blocks = chance.random() < 0.2
        script.ending = chance.choice((*Ending, *(None,) * 6))
        script.keeps_delivered = chance.random() < 0.2
        script.greeting = chance.choice((b"",) * 12 + (b"\0" * 7, b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x02\x34\x08"))
        self.server.script = script

    def lie(self, seen: Seen, honest: bytes) -> bytes:
        answers = {
            Request.LIST_USERS: self._users,
            Request.KEY_OF_USER: self._public_key,
            Request.SEND_MESSAGE: self._receipt,
            Request.PULL: self._messages,
            Request.PUBLIC_KEY: self._content_key,
            Request.RECONNECT: self._content_key,
            Request.SEND_FILE: self._file,
        }
        if seen.code in answers and self.chance.random() < 0.75:
            honest = answers[seen.code](seen, honest)
        return honest if self.chance.random() < 0.7 else self._distort(honest)

    def _distort(self, answer: bytes) -> bytes:
        """Of any answer."""
        chance = self.chance
        has_header = len(answer) >= RESPONSE_HEADER.size
        version, code, size = RESPONSE_HEADER.unpack_from(answer) if has_header else (3, 2107, 0)
        payload = answer[RESPONSE_HEADER.size :]
        match chance.randrange(9):
            case 0:
                return Cut(answer[: chance.randrange(len(answer) + 1)])
            case 1:
                code = chance.choice((*range(2100, 2108), 9000, 0, 65535))
            case 2:
                size = max(0, min(0xFFFFFFFF, size + chance.choice((-1, 1, 16, -16, 1 << 20, 0xFFFFFFFF))))
            case 3:
                return answer + answer
            case 4:
                return chance.randbytes(chance.randrange(1, 300))
            case 5:
                version = chance.randrange(256)
            case 6 if payload:
                place = chance.randrange(len(payload))
                payload = payload[:place] + bytes([payload[place] ^ (1 << chance.randrange(8))]) + payload[place + 1 :]
            case 7:
                payload = payload[: chance.randrange(len(payload) + 1)]
                size = len(payload)
            case _:
                return answer + chance.randbytes(chance.randrange(20))
        return RESPONSE_HEADER.pack(version, code, size) + payload

    @staticmethod
    def _frame(honest: bytes, code: int, payload: bytes) -> bytes:
        return RESPONSE_HEADER.pack(honest[0] if honest else 2, code, len(payload)) + payload

    def _someone(self) -> bytes:
        known = [alias_of(client_id) for client_id in self.server.accounts]
        return self.chance.choice((*known, self.chance.randbytes(16), bytes(16), self.alice.id))

    def _users(self, seen: Seen, honest: bytes) -> bytes:
        chance = self.chance
        count = chance.choice((1, 2, 5, 30, 3000))
        users = [(self._someone(), chance.choice(NAMES)) for _ in range(count)]
        odd = bytes(chance.choice((0, 0, 0, 1, 270)))
        return self._frame(honest, 2101, b"".join(_user(*user) for user in users) + odd)

    def _public_key(self, seen: Seen, honest: bytes) -> bytes:
        key = self.chance.choice(
            (*map(crypto.public_key_der, KEYS[:2]), self.chance.randbytes(160), bytes(160), b"", b"short")
        )
        target = self.chance.choice((seen.payload[:16], self._someone()))
        return self._frame(honest, 2102, target + key)

    def _receipt(self, seen: Seen, honest: bytes) -> bytes:
        target = self.chance.choice((seen.payload[:16], self._someone()))
        receipt = target + struct.pack("<I", self.chance.getrandbits(32))
        return self._frame(honest, 2103, self.chance.choice((receipt, b"", target)))

    def _content_key(self, seen: Seen, honest: bytes) -> bytes:
        key = self.chance.choice((*self.keys, b"", b"k" * 15, b"k" * 86))
        sealed = crypto.rsa_encrypt(self.chance.choice((KEYS[0], KEYS[0], KEYS[1])), key)
        code = self.chance.choice((2102, 2105, 2105, 2106))
        return self._frame(honest, code, self.chance.choice((seen.client_id, self._someone())) + sealed)

    def _file(self, seen: Seen, honest: bytes) -> bytes:
        name = self.chance.choice((seen.name_field, text_field("other")))
        size, cksum = self.chance.choice((16, 32, 0, 0xFFFFFFFF)), self.chance.getrandbits(32)
        return self._frame(honest, 2103, struct.pack("<16sI255sI", seen.client_id, size, name, cksum))

    # -- messages

    def _messages(self, seen: Seen, honest: bytes) -> bytes:
        chance = self.chance
        payload = b"".join(self._message().encode() for _ in range(chance.choice((0, 1, 3, 8, 40))))
        if chance.random() < 0.05:
            payload = Message(self._someone(), 1, Type.KEY_REQUEST, b"").encode() * 5000
        if chance.random() < 0.1:  # sizes that do not add up
            payload += struct.pack("<16sIBI", self._someone(), 1, 3, chance.choice((1, 1000, 0xFFFFFFFF)))
        return self._frame(honest, 2104, payload)

    def _message(self) -> Message:
        chance = self.chance
        if self.said and chance.random() < 0.25:
            again = chance.choice(self.said)
            return again if chance.random() < 0.5 else Message(self._someone(), again.id, again.type, again.content)
        kind = chance.choice((1, 2, 2, 2, 3, 3, 3, 3, 4, 4, 0, 5, 255))
        message = Message(self._someone(), chance.choice((0, 1, 2, 7, 0xFFFFFFFF)), kind, self._content(kind))
        self.said.append(message)
        return message

    def _content(self, kind: int) -> bytes:
        chance = self.chance
        if chance.random() < 0.1:
            return chance.randbytes(chance.choice((0, 1, 15, 16, 17, 127, 128, 129, 5000)))
        if kind == Type.KEY:
            key = chance.choice((*self.keys, *self.keys, b"", b"k" * 15, b"k" * 86))
            content = crypto.rsa_encrypt(KEYS[0], key)
        else:
            content = crypto.aes_encrypt(chance.choice(self.keys), chance.choice(TEXTS))
        if chance.random() < 0.15 and content:
            place = chance.randrange(len(content))
            content = content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
        return content[: chance.randrange(len(content) + 1)] if chance.random() < 0.1 else content


def _user(alias: bytes, name: bytes) -> bytes:
    return user_list([(alias, name)]) if b"\0" not in name and len(name) < 255 else alias + name.ljust(255, b"\0")


# -- the client


def unseen_in(text: str, allowed: str) -> list[str]:
    """What a terminal would obey; of a sender's name not even what is allowed in texts."""
    found = UNSEEN.intersection(text).difference(allowed)
    for line in text.split("\n"):
        if line.startswith("From: "):
            found |= UNSEEN.intersection(line)
    return sorted(found)


@dataclass
class Place:
    """Where it all happens."""

    trial: Trial
    folder: Path
    client: Kesher
    limits: tuple[str, ...] = LIMITS

    def problem(self, text: str) -> None:
        self.trial.problem(text)

    def run(self, *arguments: str, input: bytes = b"") -> Outcome | None:
        try:
            outcome = self.client.run(*arguments, *self.limits, input=input)
        except subprocess.TimeoutExpired:
            self.problem(f"client hangs: {arguments}")
            return None
        except AssertionError as failure:
            self.problem(f"client breaks: {arguments} {str(failure)[-3000:]}")
            return None
        self.trial.count("commands")
        self.trial.count("refused" if outcome.status else "done")
        if outcome.status == 2:
            self.problem(f"wrong exit status: 2 for {arguments}, {outcome.stderr[-300:]!r}")
        if outcome.status == 1 and not outcome.stderr:
            self.problem(f"silent failure: {arguments}")
        has_texts = arguments[0] in ("inbox", "menu") and "--json" not in arguments
        for stream, text in (("out", outcome.stdout), ("err", outcome.stderr)):
            found = unseen_in(text, "\n\t" if has_texts and stream == "out" else "\n")
            if found:
                self.problem(f"bytes for the terminal: {found} on std{stream} of {arguments}")
        return outcome


def _calls(place: Place) -> list[tuple[tuple[str, ...], bytes]]:
    """What the client may be asked to do, and its standard input."""
    source, big, save = (str(place.folder / name) for name in ("source", "big", "save"))
    return [
        (("users",), b""),
        (("users", "--json"), b""),
        (("key", "bob"), b""),
        (("key", "bob", "--forget"), b""),
        (("key", "bob", "--accept-key"), b""),
        (("send", "bob"), b"hello"),
        (("send", "carol", "--file", big), b""),
        (("share-key", "bob"), b""),
        (("request-key", "bob"), b""),
        (("inbox",), b""),
        (("inbox", "--json"), b""),
        (("inbox", "--discard"), b""),
        (("inbox", "--save-to", save), b""),
        (("inbox", "--json", "--save-to", save), b""),
        (("put", source), b""),
        (("put", "--pipeline", source, big), b""),
        (("transfer",), b""),
        (("register", "alice", "--again"), b""),
        (("menu",), b"120\n140\n150\nbob\nhello\n151\nbob\n152\nbob\n0\n"),
    ]


def _watched(folder: Path) -> dict[str, bytes]:
    """Everything that no client has to change."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path.relative_to(folder).parts[0] not in ("home", "save", "temporary")
    }


def _check_files(place: Place) -> None:
    for folder in (place.folder / "home" / "received", place.folder / "save", place.folder / "temporary"):
        for path in folder.iterdir() if folder.is_dir() else ():
            is_harmless = path.name.isascii() and path.name.isprintable() and path.name[0] not in ".-"
            if not is_harmless or not path.is_file() or path.is_symlink() or path.stat().st_mode & 0o077:
                place.problem(f"odd file: {path}")


def _check_identity(place: Place, server: MessageServer, alice: User) -> None:
    """A server may say that it knows alice no more, and give her another id: then what she was is kept. Or it knows her
    by her id with its bytes in reverse order: then that is put right at one that does not."""
    home = place.folder / "home"
    server.script = MessageScript()
    if read_identity(home).id == alice.id[::-1]:
        place.trial.count("ids turned round")
        place.run("register", "alice", "--again")
    now = read_identity(home)
    if now.private_key != alice.private_key:
        place.problem("key lost: the home has another one")
    if now.id == alice.id:
        return
    kept = [(home / name).read_text().splitlines()[1] for name in identity_backups(home)]
    if alice.id.hex() not in kept:
        place.problem(f"id lost: {kept}")
    place.trial.count("registered anew")
    write_identity(home, alice)


def _check_honest(place: Place, server: MessageServer, bob: FakeUser, alice: User) -> None:
    """Of a server that is honest from now on."""
    server.waiting.clear()
    bob.take()
    users = place.run("users")
    if users is None or users.status or "bob" not in users.stdout:
        place.problem(f"home of no use: users, {users}")
    place.run("key", "bob", "--forget")  # the key that the server told first may have been false
    place.run("inbox")
    sent = place.run("send", "bob", input=b"honest")
    texts = []
    for message in bob.take():
        if message.type == Type.KEY:
            bob.take_key(message)
        elif message.type == Type.TEXT:
            texts.append(bob.open(message))
    if sent is None or sent.status or texts != [b"honest"]:
        place.problem(f"home of no use: send, {sent}, bob got {texts}")
    bob.share_key(alice)
    bob.write(alice, "honest answer")
    told = place.run("inbox", "--json")
    if told is None or "honest answer" not in told.stdout:
        place.problem(f"home of no use: inbox, {told}")


def why_not() -> str:
    """Why no client can be lied to here; empty when one can be."""
    path = program("KESHER", "kesher")
    return "" if path.exists() else f"{path} is not built"


def hostile_round(trial: Trial) -> None:
    folder = trial.folder / "folder"
    for name in ("home", "save", "temporary"):
        (folder / name).mkdir(parents=True, mode=0o700)
    (folder / "source").write_bytes(b"content")
    (folder / "big").write_bytes(b"big content" * 20000)
    os.environ["TMPDIR"] = str(folder / "temporary")  # this is the process of the round
    server = MessageServer()
    try:
        alice = server.add_user("alice", KEYS[0])
        bob = FakeUser(server, "bob", KEYS[1])
        FakeUser(server, "carol", KEYS[1])
        write_identity(folder / "home", alice)
        (folder / "home" / "priv.key").write_text((folder / "home" / "me.info").read_text().splitlines()[2] + "\n")
        (folder / "home" / "priv.key").chmod(0o600)
        write_server_info(folder / "home", server.address)
        write_transfer_info(folder / "home", server.address, "alice", folder / "source")
        place = Place(trial, folder, Kesher(folder / "home", server.address))
        _lie_to(place, Liar(trial.chance, server, alice))
        place.limits = HONEST_LIMITS
        _check_identity(place, server, alice)
        _check_honest(place, server, bob, alice)
        _check_files(place)
    finally:
        server.stop()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    if peak > MEMORY_LIMIT:
        trial.problem(f"memory: a client grew to {peak >> 20} MiB")


def _lie_to(place: Place, liar: Liar) -> None:
    before = _watched(place.folder)
    for _ in range(CALLS):
        liar.prepare()
        arguments, input = place.trial.chance.choice(_calls(place))
        place.run(*arguments, input=input)
    if _watched(place.folder) != before:
        place.problem("written elsewhere: something beside the home has changed")
