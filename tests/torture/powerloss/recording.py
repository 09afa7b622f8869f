"""Reads the log of recorder.c (recording.h has its layout), and tells when an answer left the server."""

import bisect
import struct
from collections import defaultdict
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

HEAD = struct.Struct("<24sQQ")
ENTRY = struct.Struct("<IIIiQQQQQ")
MAGIC = b"kesher powerloss 1"
LOG_ROOM = 2 << 30  # a hole in a file of a memory disk costs nothing


class Kind(IntEnum):
    MAPS = 1
    CREATE = 2
    MKDIR = 3
    WRITE = 4
    TRUNCATE = 5
    UNLINK = 6
    RMDIR = 7
    RENAME = 8
    LINK = 9
    SYNC_BEGIN = 10
    SYNC_END = 11
    LOST = 12
    SEND_BEGIN = 13
    SEND_END = 14
    UNKNOWN = 15


class Sync(IntEnum):
    FSYNC = 1
    FDATASYNC = 2
    SYNCFS = 3
    DSYNC = 4  # a write's own: of `other` bytes from `offset` on


class Entry(NamedTuple):
    kind: int
    error: int
    inode: int
    other: int
    offset: int
    length: int
    call: int
    payload: bytes
    end: int = 0  # its place in the log

    @property
    def name(self) -> str:
        return self.payload.decode(errors="surrogateescape")


class Incomplete(Exception):
    """The recording does not have all that happened."""


def new_log(path: Path) -> None:
    """An empty log for the recorder to map."""
    with path.open("wb") as file:
        file.truncate(LOG_ROOM)


def size_of_log(path: Path) -> int:
    """Of what has been entered, while it is written."""
    with path.open("rb") as file:
        return HEAD.unpack(file.read(HEAD.size))[1]


def shorten_log(path: Path) -> None:
    """Cuts off what was not used of its room."""
    with path.open("r+b") as file:
        _, size, _ = HEAD.unpack(file.read(HEAD.size))
        file.truncate(size)


def read_log(path: Path) -> list[Entry]:
    """All entries in their order. A moment is a number of entries: those before it have happened."""
    entries = []
    with path.open("rb") as file:
        magic, size, full = HEAD.unpack(file.read(HEAD.size))
        if not magic.startswith(MAGIC) or full:
            raise Incomplete("no recording, or one that had no room for all")
        log = file.read(size - HEAD.size)
    place = 0
    while place < len(log):
        whole, kind, _, error, inode, other, offset, length, call = ENTRY.unpack_from(log, place)
        end = place + whole
        start = place + ENTRY.size
        if kind == Kind.WRITE:
            end_of_payload = start + length
        elif kind in (Kind.SYNC_BEGIN, Kind.MAPS):
            end_of_payload = end
        else:  # a name, padded with zeros
            end_of_payload = start + len(log[start:end].rstrip(b"\0"))
        payload = log[start:end_of_payload]
        entries.append(Entry(kind, error, inode, other, offset, length, call, payload, HEAD.size + end))
        if kind == Kind.UNKNOWN:
            raise Incomplete(f"the recorder cannot follow {entries[-1].name}")
        place = end
    return entries


class Streams:
    """When each byte that the server sent to a client may have arrived."""

    def __init__(self, entries: list[Entry]):
        self._places = [entry.end for entry in entries]
        begun: dict[int, tuple[int, int]] = {}  # call -> port, moment
        self._ends: dict[int, list[int]] = defaultdict(list)
        self._moments: dict[int, list[int]] = defaultdict(list)
        for index, entry in enumerate(entries):
            if entry.kind == Kind.SEND_BEGIN:
                begun[entry.call] = (entry.offset, index + 1)
            elif entry.kind == Kind.SEND_END:
                self._sent(*begun.pop(entry.call), entry.length)
        # The server was killed before it could say how much was sent.
        for port, moment in begun.values():
            self._sent(port, moment, 1 << 62)

    def _sent(self, port: int, moment: int, size: int) -> None:
        ends = self._ends[port]
        ends.append((ends[-1] if ends else 0) + size)
        self._moments[port].append(moment)

    def moment(self, port: int, received: int) -> int:
        """From when on the first `received` bytes to the client on that port may have arrived."""
        ends = self._ends[port]
        place = bisect.bisect_left(ends, received)
        if place == len(ends):
            raise Incomplete(f"{received} bytes came on port {port}, of {ends[-1] if ends else 0} recorded")
        return self._moments[port][place]

    def moment_of(self, size: int) -> int:
        """The moment at which the log had that size."""
        return bisect.bisect_right(self._places, size)
