"""Where clients are broken: a released kesherd, alice's home that is broken, and bob, whom Python plays."""

import json
import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from peer.drop import User
from peer.kesher import write_identity, write_server_info
from peer.messages import CannotDecrypt, Correspondent, Message, MessagesClient, Type
from powerloss.keys import KEYS
from powerloss.server import Server

from .breaking import Break, Ended, run

REUSED = ("kept.tmp", "seen.tmp")  # there is one of each, which the next use overwrites
TEMPORARY = re.compile(r"\.tmp$|\.part$|\.incoming$|\.new$|^kesher-")
LIMITS = ("--answer-timeout", "5", "--silence", "5", "--retry", "1")  # of a command that is broken
WHOLE_LIMITS = ("--answer-timeout", "60", "--silence", "60", "--retry", "1")  # on a machine that has more to do


class World:
    """One round's: everything is below `folder`."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.disk = folder / "disk"  # what a power cut takes from
        self.disk.mkdir(mode=0o700)
        self.home = self.disk / "alice"
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.server = Server(folder / "server")
        self.server.start()
        self.link: MessagesClient = self.server.connect()
        self.bob = self._register("bob", KEYS[1])
        self.voice = Correspondent(self.bob)
        self.later_key = b""  # of bob's, for a text that comes before it
        self.alice: User | None = None
        self.saved = self.home / "received"  # where files that come are saved
        self.problems: list[str] = []
        self.was_cut = False  # the power went: what was shown may be shown again

    def close(self) -> None:
        self.link.close()
        self.server.kill()

    def _register(self, name: str, key) -> User:
        return self.link.register_for_messages(User(name, key))

    def problem(self, text: str) -> None:
        self.problems.append(text)

    # -- alice

    def settle_alice(self) -> None:
        """A home that is registered."""
        self.alice = self._register("alice", KEYS[0])
        write_identity(self.home, self.alice)
        write_server_info(self.home, self.server.address)
        self.home.chmod(0o700)

    def kesher(
        self, *arguments: str, broken: Break = Break(), input: bytes = b"", variables: dict[str, str] | None = None
    ) -> Ended:
        host, port = self.server.address
        command, *rest = map(str, arguments)
        limits = WHOLE_LIMITS if broken == Break() else LIMITS
        return run(
            broken,
            [command, "--home", str(self.home), "--server", f"{host}:{port}", *limits, *rest],
            self.folder / "calls",
            input=input,
            variables={"TMPDIR": str(self.temporary), **(variables or {})},
        )

    def succeed(self, *arguments: str, input: bytes = b"") -> Ended:
        """What must work, whatever was broken before."""
        ended = self.kesher(*arguments, input=input)
        if ended.status != 0:
            self.problem(f"{arguments[0]} fails afterwards: {ended.status}, {ended.stderr[-500:]!r}")
        return ended

    def objects(self, ended: Ended) -> list[dict]:
        """What was printed with --json; a line that a kill cut short is none."""
        objects = []
        for line in ended.stdout.splitlines():
            try:
                objects.append(json.loads(line))
            except json.JSONDecodeError:
                if not ended.was_killed or line != ended.stdout.splitlines()[-1]:
                    self.problem(f"odd output: {line[:200]!r}")
        return objects

    # -- bob

    def alias_of_alice(self) -> bytes:
        (alias,) = [alias for alias, name in self.link.list_users(self.bob) if name == "alice"]
        return alias

    def bob_takes(self) -> tuple[list[Message], list[bytes]]:
        """All that waits for bob, and the texts and files in it; what he cannot read is a problem."""
        messages = self.link.pull_until_empty(self.bob)
        plain = []
        for message in messages:
            try:
                content = self.voice.read(message)
            except CannotDecrypt as failure:
                self.problem(f"bob cannot read: {failure}")
                continue
            if message.type in (Type.TEXT, Type.FILE):
                plain.append(content)
        return messages, plain

    # -- the home

    def check_home(self) -> None:
        """Nobody else may read or change what is in it."""
        for path in below(self.home):
            mode = stat.S_IMODE(path.lstat().st_mode)
            is_plain = path.name == "server.info"
            if mode & 0o077 and not (is_plain and not mode & 0o022):
                self.problem(f"wrong mode: {oct(mode)} of {path.relative_to(self.folder)}")

    def check_rubbish(self) -> None:
        """What no later command needs must not stay. Temporary files of the home itself may, for an hour."""
        long_ago = time.time() - 2 * 60 * 60
        for path in self.home.glob(".*.tmp"):
            os.utime(path, (long_ago, long_ago))
        self.kesher("key")
        for path in (*below(self.home), *below(self.temporary)):
            if TEMPORARY.search(path.name) and path.name not in REUSED and path != self.temporary:
                self.problem(f"rubbish: {re.sub('[0-9]+', 'N', str(path.relative_to(self.folder)))}")


def below(folder: Path) -> Iterator[Path]:
    if folder.exists():
        yield folder
        yield from folder.rglob("*")
