"""From which place of the server each sync of a recording was called, by name, so that it can be left out."""

import functools
import re
import struct
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from .disk import Snapshot
from .recording import Entry, Kind, Sync

_MAP = re.compile(r"^([\da-f]+)-([\da-f]+) \S+ ([\da-f]+) \S+ \S+ +(/.*)$", re.MULTILINE)
_HEX = re.compile(r"[\da-f]{16,}")
_PUT = re.compile(r"put-[\da-f]{32}-[\da-f]{32}")
_TEMPORARY = re.compile(r"\.(.+)\.\d+\.tmp")
_LEVELS = 3  # of callers that make a name


class Modules:
    """Where programs and libraries are in a process: what its addresses mean."""

    def __init__(self, maps: str):
        """Of its /proc/.../maps."""
        self._rows = [
            (int(start, 16), int(end, 16), int(offset, 16), Path(path))
            for start, end, offset, path in _MAP.findall(maps)
        ]

    def find(self, address: int) -> tuple[Path | None, int]:
        for start, end, offset, path in self._rows:
            if start <= address < end:
                return path, address - start + offset
        return None, 0


class Places:
    def __init__(self, entries: list[Entry], before: Snapshot, program: Path):
        (maps,) = [entry.payload for entry in entries if entry.kind == Kind.MAPS]
        self._program = program
        self._modules = Modules(maps.decode())
        self._files = dict(_names(before)) | {number: "a user's file" for number in _files_of_users(before)}
        self._files |= {
            entry.inode: entry.name for entry in entries if entry.kind in (Kind.CREATE, Kind.MKDIR)
        }

    def calls(self, entries: list[Entry]) -> dict[str, set[int]]:
        """For each place, the syncs that were called there."""
        found: dict[str, set[int]] = defaultdict(set)
        for entry in entries:
            if entry.kind == Kind.SYNC_BEGIN:
                found[self.name(entry)].add(entry.call)
        return found

    def name(self, entry: Entry) -> str:
        addresses = struct.unpack(f"<{len(entry.payload) // 8}Q", entry.payload)
        names: list[str] = []
        in_sqlite: list[str] = []
        for address in addresses:
            module, offset = self._modules.find(address)
            if module is not None and module.name == self._program.name:
                names += functions_at(self._program, offset - 1)
            elif module is not None and "sqlite" in module.name:
                in_sqlite.append(f"+{offset:x}")
        call = f"{Sync(entry.length).name.lower()} of {self._kind_of(entry.inode)}"
        if in_sqlite:  # whose functions have no names: the innermost ones are the system's calls
            return f"SQLite: {call}, {' < '.join(in_sqlite[1:3])}"
        return f"{call}, {' < '.join(names[:_LEVELS])}"

    def _kind_of(self, inode: int) -> str:
        name = self._files.get(inode, "the root").removesuffix(".new")  # a file's name until it is whole
        if name.endswith(".txt"):
            return "a note"
        if _PUT.fullmatch(name):
            return "a put"
        if temporary := _TEMPORARY.fullmatch(name):
            return temporary[1]
        return "something of a user's" if _HEX.fullmatch(name) else name


def _names(before: Snapshot) -> Iterator[tuple[int, str]]:
    """The name of each inode that was there."""
    if isinstance(before.content, dict):
        for name, inside in before.content.items():
            yield inside.number, name
            yield from _names(inside)


def _files_of_users(before: Snapshot) -> Iterator[int]:
    """Those in files/, whose names are their users'."""
    for part in ("data", "files"):
        before = before.content.get(part) if before is not None else None
    if before is not None:
        for directory in before.content.values():
            yield from (file.number for file in directory.content.values())


@functools.lru_cache(maxsize=None)
def functions_at(program: Path, offset: int) -> tuple[str, ...]:
    """The functions at an address, the innermost first: some may be inlined. That one has its line, too."""
    done = subprocess.run(
        ["addr2line", "-f", "-i", "-e", str(program), hex(offset)], capture_output=True, text=True, check=True
    )
    names, lines = done.stdout.splitlines()[::2], done.stdout.splitlines()[1::2]
    return (f"{names[0]}:{lines[0].rpartition(':')[2].split()[0]}", *names[1:])
