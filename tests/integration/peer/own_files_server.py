"""The server's side of own files, in memory, for peer/secure_server.py: from docs/protocol.md, section 10, alone.

What one account keeps is an OwnFiles; a connection has a FileService. Puts that broke off stay with the account.
"""

import hashlib
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from . import own_files
from .accounts import Answer, Malformed, Reason, Request
from .crypto import cksum
from .own_files import PIECE_LIMIT, PUT_ID_SIZE, Ended, Facts, File, Put, exactly, name_bytes

FILES_PER_PAGE = 3
PIECE = 64 * 1024

_GET = struct.Struct("<QIQ")
_PUT = struct.Struct(f"<{PUT_ID_SIZE}sBQ")


class RefusedRequest(Exception):
    def __init__(self, reason: Reason):
        super().__init__(reason)
        self.reason = reason


@dataclass
class Kept:
    content: bytes
    time: int = field(default_factory=time.time_ns)
    digest: bytes | None = None

    @property
    def facts(self) -> Facts:
        return Facts(len(self.content), self.time, cksum(self.content), self.digest)


@dataclass
class OwnFiles:
    """Of one account."""

    kept: dict[str, Kept] = field(default_factory=dict)
    parked: dict[bytes, bytes] = field(default_factory=dict)
    open: set[bytes] = field(default_factory=set)


@dataclass
class OpenPut:
    put_id: bytes
    name: str
    size: int
    flags: Put
    content: bytearray
    is_kept: bool


Frames = list[tuple[int, bytes]]


class FileService:
    """One connection's. Handlers give the frames of an answer."""

    def __init__(self, files: OwnFiles):
        self.files = files
        self.put: OpenPut | None = None
        self.handlers: dict[int, Callable[[bytes], Frames]] = {
            Request.LIST_FILES: self._list,
            Request.GET_FILE: self._get,
            Request.REMOVE_FILE: self._remove,
            Request.PUT_FILE: self._open,
            Request.PUT_PIECE: self._piece,
            Request.PUT_END: self._end,
            Request.DIGEST_FILE: self._digest,
        }

    def park(self) -> None:
        """Whatever ended it: what came stays."""
        put, self.put = self.put, None
        if put is None:
            return
        self.files.open.discard(put.put_id)
        if not put.is_kept and put.content:
            self.files.parked[put.put_id] = bytes(put.content)

    # -- names

    @staticmethod
    def _text(payload: bytes, place: int = 0) -> bytes:
        (size,) = exactly(struct.Struct("<H"), payload[place : place + 2])
        if len(payload) != place + 2 + size:
            raise Malformed(f"a name of {size} bytes in {len(payload) - place}")
        return payload[place + 2 :]

    @classmethod
    def _name(cls, payload: bytes, place: int = 0) -> str:
        name = cls._text(payload, place)
        forbidden = any(byte < 0x20 or byte in b"\x7f\\" for byte in name)
        if forbidden or len(name) > own_files.NAME_LIMIT or set(name.split(b"/")) & {b"", b".", b".."}:
            raise RefusedRequest(Reason.FILE_NAME)
        return name.decode(errors="surrogateescape")

    def _kept(self, name: str) -> Kept:
        if name not in self.files.kept:
            raise RefusedRequest(Reason.NO_FILE)
        return self.files.kept[name]

    # -- list, get, remove, digest

    def _list(self, payload: bytes) -> Frames:
        after = self._text(payload)
        names = sorted((name for name in self.files.kept if name_bytes(name) > after), key=name_bytes)
        page = [File(name, self.files.kept[name].facts) for name in names[:FILES_PER_PAGE]]
        return [(Answer.FILES, own_files.files_payload(len(names) > len(page), page))]

    def _get(self, payload: bytes) -> Frames:
        offset, prefix_cksum, length = exactly(_GET, payload[: _GET.size])
        if offset > own_files.LARGEST:
            raise Malformed(offset)
        kept = self._kept(self._name(payload, _GET.size))
        begins = offset <= len(kept.content) and (offset == 0 or cksum(kept.content[:offset]) == prefix_cksum)
        offset = offset if begins else 0
        content = kept.content[offset:][:length]
        frames = [(Answer.FILE_COMES, own_files.coming_payload(own_files.Coming(offset, len(content), kept.facts)))]
        frames += [(Answer.FILE_PIECE, piece) for piece in own_files.pieces_of(content, PIECE)]
        return [*frames, (Answer.FILE_END, struct.pack("<I", cksum(kept.content[: offset + len(content)])))]

    def _remove(self, payload: bytes) -> Frames:
        name = self._name(payload)
        self._kept(name)
        del self.files.kept[name]
        return [(Answer.FILE_REMOVED, b"")]

    def _digest(self, payload: bytes) -> Frames:
        kept = self._kept(self._name(payload))
        kept.digest = hashlib.sha256(kept.content).digest()
        return [(Answer.FILE_DIGEST, kept.digest)]

    # -- put

    def _open(self, payload: bytes) -> Frames:
        self.park()
        put_id, flags, size = exactly(_PUT, payload[: _PUT.size])
        if flags > Put.REPLACE | Put.ANEW or size > own_files.LARGEST:
            raise Malformed(f"flags {flags}, size {size}")
        name = self._name(payload, _PUT.size)
        there = self.files.kept.get(name)
        is_anew = bool(flags & Put.ANEW)
        is_same = there is not None and len(there.content) == size and not is_anew
        if put_id in self.files.open:
            raise RefusedRequest(Reason.PUT_IN_USE)
        if there is not None and not is_same and not flags & Put.REPLACE:
            raise RefusedRequest(Reason.FILE_EXISTS)
        came = self.files.parked.pop(put_id, b"")
        came = b"" if is_anew or len(came) > size else came
        is_kept = is_same and not came
        content = there.content if is_kept else came
        self.put = OpenPut(put_id, name, size, Put(flags), bytearray(content), is_kept)
        self.files.open.add(put_id)
        return [(Answer.PUT_OPEN, own_files.opened_payload(own_files.Opened(is_kept, len(content), cksum(content))))]

    def _piece(self, payload: bytes) -> Frames:
        if not 1 <= len(payload) <= PIECE_LIMIT:
            self.park()
            raise RefusedRequest(Reason.NO_SENSE)
        if self.put is None:
            raise RefusedRequest(Reason.NO_PUT)
        if len(self.put.content) + len(payload) > self.put.size:
            self.park()
            raise RefusedRequest(Reason.NO_SENSE)
        self.put.content += payload
        return [(Answer.PUT_POSITION, struct.pack("<Q", len(self.put.content)))]

    def _end(self, payload: bytes) -> Frames:
        (sum_of_all,) = exactly(struct.Struct("<I"), payload)
        put = self.put
        if put is None or len(put.content) < put.size:
            self.park()
            raise RefusedRequest(Reason.NO_PUT)
        there = self.files.kept.get(put.name)
        changed = there is None or there.content != bytes(put.content) if put.is_kept else False
        if changed or (there is not None and not put.is_kept and not put.flags & Put.REPLACE):
            self.park()
            raise RefusedRequest(Reason.FILE_EXISTS)
        self.put = None
        self.files.open.discard(put.put_id)
        if cksum(put.content) != sum_of_all:
            raise RefusedRequest(Reason.CKSUM)
        if put.is_kept:
            return [(Answer.PUT_ENDED, bytes([Ended.WAS_KEPT]))]
        self.files.kept[put.name] = Kept(bytes(put.content))
        return [(Answer.PUT_ENDED, bytes([Ended.REPLACED if there is not None else 0]))]
