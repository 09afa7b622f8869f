"""What may be on the disk when the power goes: a model of it that follows a recording, and makes images.

The rules, none of them kinder than what disks and file systems do (README.md tells them for people):

- What is written to a file is pending until a sync of that file that began after it has ended well, or a syncfs.
  Pending writes are there, are not, or are torn at 512 or 4096 bytes, in any combination; a file may be as long as
  one that did not arrive would have made it, and have zeros there, or what its new blocks had when they were another
  file's.
- A write that is its own sync (RWF_DSYNC) makes durable the bytes that it wrote. What else is pending of the file stays
  pending.
- A change of names is pending until an fsync of the directory (of each of the two, for a rename), or a syncfs. A
  file's fsync does nothing for its name. Pending changes are there as a prefix of all, as a prefix for each
  directory by itself (a rename between two may then be half done), each name by itself, or not at all.
- A truncation that did not arrive takes with it what was written to that file later.
- After a write-back that failed, what was pending of the file never arrives; a later sync makes its size durable.
"""

import itertools
import os
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .recording import Entry, Incomplete, Kind, Sync

SECTOR, PAGE = 512, 4096
SHARED_MEMORY = "-shm"  # of SQLite: worth nothing after a crash, whatever is in it


@dataclass(eq=False)
class Change:
    """A pending change of a file: a write, or a truncation when there are no bytes."""

    moment: int
    offset: int
    data: bytes | None
    lost: bool = False


@dataclass(eq=False)
class File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)
    written: int | None = None  # when, in nanoseconds, if that was before the recording

    def settle(self, before: int) -> None:
        """A sync that began at that moment has ended well."""
        for change in self.pending:
            if change.moment < before:
                _arrive(self.durable, change)
        self.pending = [change for change in self.pending if change.moment >= before]

    def settle_range(self, before: int, start: int, end: int) -> None:
        """The same of a sync of these bytes only."""
        self.pending = list(_parted(self.pending, start, end))
        left = []
        for change in self.pending:
            if change.moment < before and _is_within(change, start, end):
                _arrive(self.durable, change)
            else:
                left.append(change)
        self.pending = left

    def lose(self) -> None:
        for change in self.pending:
            change.lost = True

    def lose_range(self, start: int, end: int) -> None:
        self.pending = list(_parted(self.pending, start, end))
        for change in self.pending:
            change.lost = change.lost or _is_within(change, start, end)


@dataclass(eq=False)
class Directory:
    entries: dict[str, "Node"] = field(default_factory=dict)
    durable: dict[str, "Node"] = field(default_factory=dict)


Node = File | Directory


@dataclass(eq=False)
class Naming:
    """A pending change of one name in one directory. A rename is two of the same moment."""

    moment: int
    directory: Directory
    name: str
    node: Node | None  # None: the name goes


def _is_within(change: Change, start: int, end: int) -> bool:
    return start <= change.offset and change.offset + len(change.data) <= end


def _parted(changes: list[Change], start: int, end: int) -> Iterator[Change]:
    """The same changes, those that reach over an edge of the range in two or three."""
    for change in changes:
        if change.data is None:  # of which nobody here can tell what it leaves there
            raise Incomplete("a write that is its own sync, behind a truncation of its file that is not synced")
        size = len(change.data)
        edges = (0, *(min(max(edge - change.offset, 0), size) for edge in (start, end)), size)
        for first, last in itertools.pairwise(edges):
            if first < last:
                yield Change(change.moment, change.offset + first, change.data[first:last], change.lost)


def _grow(data: bytearray, size: int) -> None:
    if len(data) < size:
        data.extend(bytes(size - len(data)))


def _arrive(data: bytearray, change: Change) -> None:
    """The whole change, or of one that was lost the size."""
    if change.data is None:
        del data[change.offset :]
        _grow(data, change.offset)
        return
    _grow(data, change.offset + len(change.data))
    if not change.lost:
        data[change.offset : change.offset + len(change.data)] = change.data


@dataclass(frozen=True)
class Snapshot:
    """What was on the disk before a recording, with the numbers of inodes by which the recording knows it."""

    number: int
    content: "bytes | dict[str, Snapshot]"
    written: int | None = None  # a file, in nanoseconds

    @classmethod
    def of(cls, path: Path) -> "Snapshot":
        if path.is_dir():
            names = {name: cls.of(path / name) for name in os.listdir(path)}
            return cls(path.lstat().st_ino, names)
        return cls(path.lstat().st_ino, path.read_bytes(), path.lstat().st_mtime_ns)


class Disk:
    """Everything below one directory, as it was before a recording and is after so many of its entries."""

    def __init__(self, before: Snapshot, ignored: Collection[int] = ()):
        """What was there before is durable. Syncs of the `ignored` calls do not count."""
        self.moment = 0
        self._ignored = ignored
        self._nodes: dict[int, Node] = {}
        self._namings: list[Naming] = []
        self._begun: dict[int, int] = {}
        self.root = self._load(before)

    def _load(self, before: Snapshot) -> Node:
        if isinstance(before.content, dict):
            node = Directory({name: self._load(inside) for name, inside in before.content.items()})
            node.durable = dict(node.entries)
        else:
            node = File(bytearray(before.content), written=before.written)
        self._nodes[before.number] = node
        return node

    # -- following a recording

    def follow(self, entries: list[Entry], moment: int) -> None:
        """Up to that moment, which is not before the one that was reached."""
        assert moment >= self.moment
        for index in range(self.moment, moment):
            self._take(index, entries[index])
        self.moment = moment

    def _take(self, index: int, entry: Entry) -> None:
        match entry.kind:
            case Kind.CREATE | Kind.MKDIR:
                node = File() if entry.kind == Kind.CREATE else Directory()
                self._nodes[entry.inode] = node
                if entry.name:  # a file without one may be linked later
                    self._name(index, entry.other, entry.name, node)
            case Kind.LINK:
                self._name(index, entry.other, entry.name, self._nodes[entry.inode])
            case Kind.UNLINK | Kind.RMDIR:
                self._name(index, entry.other, entry.name, None)
            case Kind.RENAME:
                old, new = entry.name.split("\0")
                node = self._directory(entry.other).entries[old]
                self._name(index, entry.other, old, None)
                self._name(index, entry.inode, new, node)
            case Kind.WRITE:
                self._change(entry.inode, Change(index, entry.offset, entry.payload))
            case Kind.TRUNCATE:
                self._change(entry.inode, Change(index, entry.length, None))
            case Kind.LOST if entry.length > 0:
                self._nodes[entry.inode].lose_range(entry.offset, entry.offset + entry.length)
            case Kind.LOST:
                self._nodes[entry.inode].lose()
            case Kind.SYNC_BEGIN:
                self._begun[entry.call] = index
            case Kind.SYNC_END if entry.error == 0 and entry.call not in self._ignored:
                self._sync(self._begun[entry.call], entry)

    def _change(self, number: int, change: Change) -> None:
        file = self._nodes[number]
        file.pending.append(change)
        file.written = None

    def _directory(self, number: int) -> Directory:
        node = self._nodes.get(number)
        if not isinstance(node, Directory):
            raise Incomplete(f"nobody knows directory {number}")
        return node

    def _name(self, index: int, directory: int, name: str, node: Node | None) -> None:
        parent = self._directory(directory)
        if node is None:
            del parent.entries[name]
        else:
            parent.entries[name] = node
        self._namings.append(Naming(index, parent, name, node))

    def _sync(self, begun: int, entry: Entry) -> None:
        node = self._nodes[entry.inode]
        if entry.length == Sync.SYNCFS:
            for other in self._nodes.values():
                if isinstance(other, File) and other.pending:
                    other.settle(begun)
            self._settle_names(begun, None)
        elif entry.length == Sync.DSYNC:
            node.settle_range(begun, entry.offset, entry.offset + entry.other)
        elif isinstance(node, File):
            node.settle(begun)
        else:
            self._settle_names(begun, node)

    def _settle_names(self, before: int, directory: Directory | None) -> None:
        left = []
        for naming in self._namings:
            if naming.moment >= before or (directory is not None and naming.directory is not directory):
                left.append(naming)
            else:
                _give_name(naming.directory.durable, naming)
        self._namings = left

    # -- images

    def write_image(self, chance: random.Random, style: "Style", root: Path) -> None:
        """Makes `root`, which is not there, hold what this style leaves on the disk at this moment."""
        chosen = style.choose_namings(chance, self._namings)
        entries: dict[int, dict[str, Node]] = {}
        for naming in chosen:
            names = entries.setdefault(id(naming.directory), dict(naming.directory.durable))
            _give_name(names, naming)
        damaged = style.choose_damaged(chance, self._pending_files())
        written: dict[int, Path] = {}

        def put(node: Node, path: Path) -> None:
            if isinstance(node, Directory):
                path.mkdir(mode=0o700)
                names = entries.get(id(node), node.durable)
                for name in sorted(names):
                    put(names[name], path / name)
            elif id(node) in written:
                os.link(written[id(node)], path)
            else:
                written[id(node)] = path
                is_garbage = path.name.endswith(SHARED_MEMORY)
                path.write_bytes(
                    chance.randbytes(32768) if is_garbage else style.content(chance, node, damaged)
                )
                path.chmod(0o600)
                if node.written is not None:
                    os.utime(path, ns=(node.written, node.written))

        put(self.root, root)

    def _pending_files(self) -> list[File]:
        return [node for node in self._nodes.values() if isinstance(node, File) and node.pending]


def _give_name(names: dict[str, Node], naming: Naming) -> None:
    if naming.node is None:
        names.pop(naming.name, None)
    else:
        names[naming.name] = naming.node


# -- what of the pending is there


@dataclass(frozen=True)
class Style:
    """How cruel a power cut is: to data, and to names."""

    data: str
    names: str

    DATA = ("keep", "drop", "zeros", "writes", "sectors", "pages", "torn", "torn page", "one sector", "garbage")
    NAMES = ("all", "none", "prefix", "directories", "names")

    @classmethod
    def choose(cls, chance: random.Random) -> "Style":
        return cls(chance.choice(cls.DATA), chance.choice(cls.NAMES))

    def __str__(self) -> str:
        return f"data: {self.data}, names: {self.names}"

    def choose_namings(self, chance: random.Random, pending: list[Naming]) -> list[Naming]:
        if self.names == "all" or not pending:
            return pending
        if self.names == "none":
            return []
        if self.names == "prefix":
            last = chance.choice(pending).moment
            return [naming for naming in pending if naming.moment <= last]
        if self.names == "names":
            return _choose_each_name(chance, pending)
        lasts: dict[int, int] = {}
        for naming in chance.sample(pending, len(pending)):
            lasts.setdefault(id(naming.directory), naming.moment - chance.randrange(2))
        return [naming for naming in pending if naming.moment <= lasts[id(naming.directory)]]

    def choose_damaged(self, chance: random.Random, pending: list[File]) -> Change | None:
        """The one write that loses a sector, where only one does."""
        writes = [change for file in pending for change in file.pending if change.data]
        return chance.choice(writes) if writes and self.data == "one sector" else None

    def content(self, chance: random.Random, file: File, damaged: Change | None) -> bytearray:
        if not file.pending:
            return file.durable
        data = bytearray(file.durable)
        grows = self.data == "zeros" or (self.data not in ("keep", "drop") and chance.random() < 0.3)
        share = chance.choice((0.1, 0.5, 0.9, 0.98))
        torn = chance.randrange(len(file.pending))
        goes_on = chance.random() < 0.5
        for number, change in enumerate(file.pending):
            if change.data is None:
                if self.data in ("drop", "zeros") or (self.data != "keep" and chance.random() < 0.3):
                    break
                _arrive(data, change)
                continue
            for start, end in self._parts(chance, change, share, number - torn, goes_on, damaged):
                _grow(data, change.offset + end)
                data[change.offset + start : change.offset + end] = change.data[start:end]
                if self.data == "garbage" and change.offset + start >= len(file.durable) and chance.random() < 0.3:
                    data[change.offset + start : change.offset + end] = chance.randbytes(end - start)
            if grows:
                _grow(data, change.offset + len(change.data))
        return data

    def _parts(
        self,
        chance: random.Random,
        change: Change,
        share: float,
        behind_torn: int,
        goes_on: bool,
        damaged: Change | None,
    ) -> Iterator[tuple[int, int]]:
        """What of a write arrives, as ranges of its bytes."""
        whole = (0, len(change.data))
        if change.lost:
            return
        if self.data == "keep" or (self.data == "one sector" and change is not damaged):
            yield whole
        elif self.data == "one sector":
            units = list(_units(change, SECTOR))
            units.pop(chance.randrange(len(units)))
            yield from units
        elif self.data == "writes":
            if chance.random() < share:
                yield whole
        elif self.data in ("sectors", "pages", "garbage"):
            for unit in _units(change, PAGE if self.data == "pages" else SECTOR):
                if chance.random() < share:
                    yield unit
        elif self.data in ("torn", "torn page"):
            if behind_torn < 0 or (behind_torn > 0 and goes_on):
                yield whole
            elif behind_torn == 0:
                units = list(_units(change, SECTOR if self.data == "torn" else PAGE))
                cut = chance.randrange(len(units) + 1)
                yield from chance.choice((units[:cut], units[cut:]))


def _units(change: Change, size: int) -> Iterator[tuple[int, int]]:
    """The ranges of a write that lie in one sector, or page, of the file each."""
    start = 0
    while start < len(change.data):
        end = min(len(change.data), (change.offset + start) // size * size + size - change.offset)
        yield start, end
        start = end


def _choose_each_name(chance: random.Random, pending: list[Naming]) -> list[Naming]:
    """As file systems do that log what was synced and its name, and leave out what was not: of each name the changes
    up to one, but the two of a rename in one directory together."""
    share = chance.choice((0.1, 0.5, 0.9))
    ended: set[tuple[int, str]] = set()  # names of which a change did not arrive
    chosen = []
    for _, turn in itertools.groupby(pending, key=lambda naming: (naming.moment, id(naming.directory))):
        together = list(turn)
        names = {(id(naming.directory), naming.name) for naming in together}
        if chance.random() < share and not names & ended:
            chosen += together
        else:
            ended |= names
    return chosen


ALL_KEPT = Style("keep", "all")
ALL_LOST = Style("drop", "none")
