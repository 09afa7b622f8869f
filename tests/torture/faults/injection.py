"""Makes calls of a running server fail: the other side of injector.h, whose structures and names these are.

    injection = Injection(folder / "faults")
    server = StandardServer(folder / "root", variables=injection.variables(folder / "root"))
    injection.arm(Fault("fsync", errno.EIO, start=3))     # the third from now on, before the start or while it runs
    injection.relieve()
    injection.faults()                                    # which failed
"""

import ctypes
import errno
import mmap
from dataclasses import dataclass
from pathlib import Path

from powerloss.places import Modules, functions_at
from powerloss.server import build_directory

MAGIC = b"kesher faults 1"
FRAMES, PLACES, FAULTS = 24, 1 << 14, 1 << 14
ALWAYS = 0xFFFFFFFF
FOR_EVER = 1 << 62
SHORT = 0
NO_PLACE = 0xFFFFFFFF

# What calls may answer, the likeliest first. Only what Linux may do: so an epoll_wait has nothing but EINTR. No error
# is a short count.
KINDS: dict[str, tuple[int, ...]] = {
    "open": (errno.EMFILE, errno.EIO, errno.ENOSPC, errno.ENOMEM, errno.EINTR, errno.ENFILE),
    "open other": (errno.EMFILE, errno.ENOENT),
    "close": (errno.EIO, errno.EINTR),
    "read": (errno.EIO, errno.EINTR, SHORT),
    "read other": (errno.EINTR,),
    "write": (errno.ENOSPC, errno.EIO, errno.EINTR, SHORT),
    "write other": (errno.EINTR,),
    "write log": (errno.ENOSPC, errno.EIO, errno.EINTR, SHORT),
    "fsync": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "fdatasync": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "syncfs": (errno.EIO, errno.ENOSPC, errno.EINTR),
    "sync_file_range": (errno.EIO, errno.ENOSPC),
    "truncate": (errno.EIO, errno.EINTR),
    "allocate": (errno.ENOSPC, errno.EIO, errno.EINTR, errno.EOPNOTSUPP),
    "rename": (errno.ENOSPC, errno.EIO),
    "link": (errno.ENOSPC, errno.EIO),
    "unlink": (errno.EIO, errno.ENOSPC),
    "mkdir": (errno.ENOSPC, errno.EIO),
    "stat": (errno.EIO, errno.ENOMEM),
    "statvfs": (errno.EIO, errno.EINTR),
    "readdir": (errno.EIO, errno.ENOMEM),
    "chmod": (errno.EIO, errno.EPERM),
    "access": (errno.EIO,),
    "lock": (errno.ENOLCK, errno.EINTR),
    "mmap": (errno.ENOMEM, errno.EAGAIN),
    "socket": (errno.EMFILE, errno.ENOBUFS),
    "bind": (errno.EADDRINUSE, errno.ENOMEM),
    "listen": (errno.EADDRINUSE,),
    "accept": (errno.EMFILE, errno.ECONNABORTED, errno.ENOBUFS, errno.EINTR, errno.EAGAIN, errno.EPERM),
    "receive": (errno.ECONNRESET, errno.EINTR, errno.EAGAIN, errno.ENOMEM, errno.ETIMEDOUT, SHORT),
    "send": (errno.EPIPE, errno.EINTR, errno.EAGAIN, errno.ENOBUFS, errno.ECONNRESET, SHORT),
    "setsockopt": (errno.ENOBUFS, errno.EINVAL),
    "getsockopt": (errno.ENOBUFS,),
    "socket names": (errno.ENOTCONN, errno.ENOBUFS),
    "shutdown": (errno.ENOTCONN,),
    "epoll_create": (errno.EMFILE,),
    "epoll_ctl": (errno.ENOMEM, errno.ENOSPC),
    "epoll_wait": (errno.EINTR,),
    "eventfd": (errno.EMFILE,),
    "pipe": (errno.EMFILE,),
    "thread": (errno.EAGAIN,),
    "scheduler": (errno.EPERM,),
    "semaphore": (errno.EINTR,),
    "sleep": (errno.EINTR,),
    "entropy": (errno.EIO, errno.ENOSYS),
    "resolve": (errno.EAGAIN,),
    "memory kesherd": (errno.ENOMEM,),
    "memory sqlite": (errno.ENOMEM,),
    "memory openssl": (errno.ENOMEM,),
    "memory libuv": (errno.ENOMEM,),
    "memory other": (errno.ENOMEM,),
}
NUMBERS = {kind: number for number, kind in enumerate(KINDS)}


class _Row(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char * 24),
        ("calls", ctypes.c_uint64),
        ("failed", ctypes.c_uint64),
        ("is_armed", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("is_torn", ctypes.c_uint32),
        ("chance", ctypes.c_uint32),
        ("start", ctypes.c_uint64),  # "from" there
        ("in_a_row", ctypes.c_uint64),
        ("every", ctypes.c_uint64),
    ]


class _Place(ctypes.Structure):
    _fields_ = [
        ("hash", ctypes.c_uint64),
        ("kind", ctypes.c_uint32),
        ("depth", ctypes.c_uint32),
        ("calls", ctypes.c_uint64),
        ("failed", ctypes.c_uint64),
        ("frames", ctypes.c_uint64 * FRAMES),
    ]


class _Entry(ctypes.Structure):
    _fields_ = [
        ("call", ctypes.c_uint64),
        ("kind", ctypes.c_uint32),
        ("error", ctypes.c_int32),
        ("place", ctypes.c_uint32),
        ("unused", ctypes.c_uint32),
    ]


class _Map(ctypes.Structure):
    _fields_ = [
        ("magic", ctypes.c_char * 24),
        ("notes_places", ctypes.c_uint64),
        ("fault_count", ctypes.c_uint64),
        ("rows", _Row * len(KINDS)),
        ("places", _Place * PLACES),
        ("faults", _Entry * FAULTS),
        ("least_size", ctypes.c_uint64),
        ("blocks", ctypes.c_int64),
        ("bytes", ctypes.c_int64),
    ]


def injector_library() -> Path:
    return build_directory() / "tests" / "torture" / "faults" / "faults-injector.so"


def name_of(error: int) -> str:
    return errno.errorcode[error] if error else "short"


@dataclass(frozen=True)
class Fault:
    """What is to fail, from the `start`-th call of that kind on, counted from when it is armed."""

    kind: str
    error: int  # SHORT: only a part is done, and told
    start: int = 1
    in_a_row: int = 1
    every: int = 0  # so many calls behind the first one it begins again
    chance: float = 1  # that a call fails that may
    is_torn: bool = False  # a part is done, of a file, and an error told

    def __str__(self) -> str:
        how = f"{name_of(self.error)}{' torn' if self.is_torn else ''} of {self.kind} from {self.start} on"
        how += f", {'for ever' if self.in_a_row == FOR_EVER else f'{self.in_a_row} in a row'}"
        how += f", every {self.every}" if self.every else ""
        return how + (f", one of {1 / self.chance:.0f}" if self.chance < 1 else "")


class Injection:
    def __init__(self, path: Path):
        self.path = path
        with path.open("wb+") as file:
            file.truncate(ctypes.sizeof(_Map))
            self._memory = mmap.mmap(file.fileno(), ctypes.sizeof(_Map))
        self._map = _Map.from_buffer(self._memory)
        self._map.magic = MAGIC
        for number, kind in enumerate(KINDS):
            self._map.rows[number].name = kind.encode()

    def variables(self, root: Path) -> dict[str, str]:
        root.mkdir(parents=True, exist_ok=True)
        return {
            "LD_PRELOAD": str(injector_library()),
            "KESHER_FAULTS": str(self.path),
            "KESHER_FAULTS_ROOT": str(root.resolve()),
        }

    def note_places(self) -> None:
        """Of all calls from now on, not only of those that fail."""
        self._map.notes_places = 1

    def arm(self, fault: Fault) -> None:
        row = self._map.rows[NUMBERS[fault.kind]]
        row.is_armed = 0
        row.error, row.is_torn = fault.error, fault.is_torn
        row.chance = ALWAYS if fault.chance >= 1 else int(fault.chance * ALWAYS)
        row.start, row.in_a_row, row.every = row.calls + fault.start, fault.in_a_row, fault.every
        row.is_armed = 1

    def relieve(self) -> None:
        for row in self._map.rows:
            row.is_armed = 0

    def calls(self) -> dict[str, int]:
        """How many there were of each kind, whoever failed."""
        return {kind: self._map.rows[number].calls for number, kind in enumerate(KINDS)}

    def live_blocks(self) -> int:
        """Allocated since the start, and not freed."""
        return self._map.blocks

    def spare_below(self, size: int) -> None:
        """Smaller allocations neither fail nor count."""
        self._map.least_size = size

    def failed(self) -> int:
        return self._map.fault_count

    def faults(self, program_maps: "Maps | None" = None, limit: int = FAULTS) -> list[str]:
        """Those that failed, in order: what, the how manieth of its kind, and from where it was called."""
        kinds = list(KINDS)
        told = []
        for entry in self._map.faults[: min(self._map.fault_count, limit)]:
            told.append(f"{name_of(entry.error)} of {kinds[entry.kind]} {entry.call}")
            if program_maps and entry.place != NO_PLACE:
                told[-1] += f" in {program_maps.place(self._frames(entry.place))}"
        return told

    def _frames(self, number: int) -> tuple[int, ...]:
        place = self._map.places[number]
        return tuple(place.frames[: place.depth])

    def places(self, program_maps: "Maps") -> dict[tuple[str, str], list[int]]:
        """(kind, place) -> how often it was called, how often that failed; since the start."""
        kinds = list(KINDS)
        found: dict[tuple[str, str], list[int]] = {}
        for place in self._map.places:
            if place.hash:
                name = kinds[place.kind], program_maps.place(tuple(place.frames[: place.depth]))
                row = found.setdefault(name, [0, 0])
                row[0] += place.calls
                row[1] += place.failed
        return found


class Maps:
    """The places of a process that runs."""

    def __init__(self, pid: int):
        self._modules = Modules(Path(f"/proc/{pid}/maps").read_text())

    def place(self, frames: tuple[int, ...]) -> str:
        """The functions that led there, the innermost first; of libraries, which and where in it."""
        names: list[str] = []
        for address in frames:
            path, offset = self._modules.find(address)
            if path is None or path.name.startswith(("faults-injector", "libc.so")):
                continue
            if "kesherd" in path.name:
                names.append(functions_at(path, offset - 1)[0])
            elif not names or not names[-1].startswith(path.name):
                names.append(f"{path.name}+{offset:x}")
        return " < ".join(names[:6])
