"""Own files on the secure port: every request of docs/protocol.md, section 10, from that page alone.

Names are text with surrogates for bytes that are no UTF-8, as Python's file names are. `FileRequests` is what a
SecureClient can do once it has signed in: whole steps, and the frames and answers of each by hand.
"""

import enum
import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .accounts import VERSION, Answer, Malformed, Reason, Request, parse_refusal
from .crypto import Cksum, cksum
from .frames import NO_ID, request

NAME_LIMIT = 254
PUT_ID_SIZE = 16
SHA256_SIZE = 32
PIECE_LIMIT = 1024 * 1024
LARGEST = (1 << 63) - 1
ALL = LARGEST  # of a file: as much as there is

_GET = struct.Struct("<QIQ")
_PUT = struct.Struct(f"<{PUT_ID_SIZE}sBQ")
_FACTS = struct.Struct(f"<QQBI{SHA256_SIZE}s")
_GOT = struct.Struct("<QQ")
_OPENED = struct.Struct("<BQI")
_U16, _U32, _U64 = (struct.Struct(kind) for kind in ("<H", "<I", "<Q"))
_IN_FLIGHT = 8  # pieces whose answers have not been read


class Put(enum.IntFlag):
    """Flags of a 3013."""

    REPLACE = 1
    ANEW = 2


class Known(enum.IntFlag):
    """Of a file, in 4010 and 4011."""

    CKSUM = 1
    SHA256 = 2


class Ended(enum.IntFlag):
    """Flags of a 4015."""

    REPLACED = 1
    WAS_KEPT = 2


@dataclass(frozen=True)
class Facts:
    """What the server says about a file; None for what is not known yet."""

    size: int
    time: int  # nanoseconds since 1970
    cksum: int | None
    sha256: bytes | None


@dataclass(frozen=True)
class File:
    """One of a 4010."""

    name: str
    facts: Facts


@dataclass(frozen=True)
class Opened:
    """A 4013."""

    is_kept: bool
    offset: int
    cksum: int


@dataclass(frozen=True)
class Coming:
    """A 4011."""

    offset: int
    length: int
    facts: Facts


@dataclass(frozen=True)
class Got:
    """A get whose cksum was right: what came, and from which offset on."""

    coming: Coming
    content: bytes


class WrongSum(Exception):
    """A 4018 with another cksum than that of what came."""


# -- payloads


def name_bytes(name: str | bytes) -> bytes:
    return name.encode(errors="surrogateescape") if isinstance(name, str) else name


def name_payload(name: str | bytes) -> bytes:
    """All of a 3010, 3012 and 3016, and the end of a 3011 and 3013."""
    data = name_bytes(name)
    return _U16.pack(len(data)) + data


def get_payload(name: str | bytes, offset: int = 0, prefix_cksum: int = 0, length: int = ALL) -> bytes:
    return _GET.pack(offset, prefix_cksum, length) + name_payload(name)


def put_payload(put_id: bytes, name: str | bytes, size: int, flags: int = 0) -> bytes:
    return _PUT.pack(put_id, flags, size) + name_payload(name)


def kesher_put_id(status: os.stat_result, name: str | bytes) -> bytes:
    """The one that `kesher` takes for a file on disk."""
    numbers = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    what = b"kesher put 1\0" + b"".join(map(_U64.pack, numbers)) + name_bytes(name)
    return hashlib.sha256(what).digest()[:PUT_ID_SIZE]


def exactly(layout: struct.Struct, payload: bytes) -> tuple:
    if len(payload) != layout.size:
        raise Malformed(f"{len(payload)} bytes instead of {layout.size}")
    return layout.unpack(payload)


def _bounded(number: int) -> int:
    if number > LARGEST:
        raise Malformed(f"{number} is more than a size may be")
    return number


def _flags(kind: type[enum.IntFlag], flags: int) -> enum.IntFlag:
    if flags & ~sum(kind):
        raise Malformed(f"flags {flags} of {kind.__name__}")
    return kind(flags)


def facts_bytes(facts: Facts) -> bytes:
    known = (Known.CKSUM if facts.cksum is not None else 0) | (Known.SHA256 if facts.sha256 is not None else 0)
    return _FACTS.pack(facts.size, facts.time, known, facts.cksum or 0, facts.sha256 or bytes(SHA256_SIZE))


def parse_facts(data: bytes) -> Facts:
    size, time, flags, sum_of_it, sha256 = exactly(_FACTS, data)
    known = _flags(Known, flags)
    if (not known & Known.CKSUM and sum_of_it) or (not known & Known.SHA256 and any(sha256)):
        raise Malformed("something where nothing is known")
    return Facts(
        _bounded(size), time, sum_of_it if known & Known.CKSUM else None, sha256 if known & Known.SHA256 else None
    )


def files_payload(more: bool, files: Iterable[File]) -> bytes:
    """A 4010."""
    return bytes([more]) + b"".join(facts_bytes(file.facts) + name_payload(file.name) for file in files)


def parse_files(payload: bytes) -> tuple[bool, list[File]]:
    """(whether others follow, those of this page)."""
    if not payload or payload[0] > 1:
        raise Malformed("a page that does not say whether others follow")
    files, place = [], 1
    while place < len(payload):
        facts = parse_facts(payload[place : place + _FACTS.size])
        place += _FACTS.size
        (size,) = exactly(_U16, payload[place : place + _U16.size])
        name = payload[place + _U16.size : place + _U16.size + size]
        if len(name) != size:
            raise Malformed(f"a name of {size} bytes in {len(name)}")
        files.append(File(name.decode(errors="surrogateescape"), facts))
        place += _U16.size + size
    return bool(payload[0]), files


def coming_payload(coming: Coming) -> bytes:
    """A 4011."""
    return _GOT.pack(coming.offset, coming.length) + facts_bytes(coming.facts)


def parse_coming(payload: bytes) -> Coming:
    offset, length = exactly(_GOT, payload[: _GOT.size])
    facts = parse_facts(payload[_GOT.size :])
    if _bounded(offset) + _bounded(length) > facts.size:
        raise Malformed(f"{length} bytes from {offset} on of a file of {facts.size}")
    return Coming(offset, length, facts)


def opened_payload(opened: Opened) -> bytes:
    """A 4013."""
    return _OPENED.pack(opened.is_kept, opened.offset, opened.cksum)


def parse_opened(payload: bytes) -> Opened:
    kept, offset, sum_of_it = exactly(_OPENED, payload)
    if kept > 1:
        raise Malformed(f"flags {kept}")
    return Opened(bool(kept), _bounded(offset), sum_of_it)


# -- frames, to be sent ahead of answers


def _frame(code: int, payload: bytes = b"", **options) -> bytes:
    return request(NO_ID, code, payload, version=VERSION, **options)


def list_frame(after: str | bytes = "") -> bytes:
    return _frame(Request.LIST_FILES, name_payload(after))


def get_frame(name: str | bytes, *arguments: int) -> bytes:
    return _frame(Request.GET_FILE, get_payload(name, *arguments))


def remove_frame(name: str | bytes) -> bytes:
    return _frame(Request.REMOVE_FILE, name_payload(name))


def put_frame(put_id: bytes, name: str | bytes, size: int, flags: int = 0) -> bytes:
    return _frame(Request.PUT_FILE, put_payload(put_id, name, size, flags))


def piece_frame(data: bytes, **options) -> bytes:
    return _frame(Request.PUT_PIECE, data, **options)


def end_frame(sum_of_all: int) -> bytes:
    return _frame(Request.PUT_END, _U32.pack(sum_of_all))


def digest_frame(name: str | bytes) -> bytes:
    return _frame(Request.DIGEST_FILE, name_payload(name))


def pieces_of(content: bytes, piece: int = PIECE_LIMIT) -> Iterator[bytes]:
    return (content[start : start + piece] for start in range(0, len(content), piece))


def put_frames(
    name: str | bytes, content: bytes, *, put_id: bytes | None = None, flags: int = 0, piece: int = PIECE_LIMIT
) -> bytes:
    """A whole put that waits for no answer: right only where nothing has come under its put id before."""
    first = put_frame(put_id or new_put_id(), name, len(content), flags)
    return first + b"".join(map(piece_frame, pieces_of(content, piece))) + end_frame(cksum(content))


def new_put_id() -> bytes:
    return os.urandom(PUT_ID_SIZE)


def is_in_use(client: "FileRequests", put_id: bytes, name: str, size: int) -> bool:
    """Opens the put, unless the server still takes it for open elsewhere (23): it learns of an end when it reads it."""
    client.send(put_frame(put_id, name, size))
    answer = client.receive()
    if answer.code == Answer.REFUSED and parse_refusal(answer.payload)[0] == Reason.PUT_IN_USE:
        return True
    parse_opened(answer.payload)
    return False


# -- what a client does


class FileRequests:
    """The part of a SecureClient that has `say`, `send` and `hear` from there."""

    # -- list, remove, digest

    def list_page(self, after: str | bytes = "") -> tuple[bool, list[File]]:
        self.say(Request.LIST_FILES, name_payload(after))
        return self.hear_page()

    def hear_page(self) -> tuple[bool, list[File]]:
        return parse_files(self.hear(Answer.FILES))

    def list_files(self) -> list[File]:
        """All of them, page by page, in the order that there has to be."""
        files: list[File] = []
        more = True
        while more:
            more, page = self.list_page(files[-1].name if files else "")
            assert page or not more, "a page without a file says that others follow"
            files += page
        names = [name_bytes(file.name) for file in files]
        assert names == sorted(set(names))
        return files

    def file_names(self) -> list[str]:
        return [file.name for file in self.list_files()]

    def facts_of(self, name: str) -> Facts:
        (facts,) = [file.facts for file in self.list_files() if file.name == name]
        return facts

    def remove_file(self, name: str | bytes) -> None:
        self.say(Request.REMOVE_FILE, name_payload(name))
        self.hear_removed()

    def hear_removed(self) -> None:
        assert self.hear(Answer.FILE_REMOVED) == b""

    def digest_file(self, name: str | bytes) -> bytes:
        self.say(Request.DIGEST_FILE, name_payload(name))
        return self.hear_digest()

    def hear_digest(self) -> bytes:
        digest = self.hear(Answer.FILE_DIGEST)
        if len(digest) != SHA256_SIZE:
            raise Malformed(f"a SHA-256 of {len(digest)} bytes")
        return digest

    # -- get

    def say_get(self, name: str | bytes, offset: int = 0, prefix_cksum: int = 0, length: int = ALL) -> None:
        self.say(Request.GET_FILE, get_payload(name, offset, prefix_cksum, length))

    def hear_coming(self) -> Coming:
        return parse_coming(self.hear(Answer.FILE_COMES))

    def hear_file_piece(self) -> bytes:
        piece = self.hear(Answer.FILE_PIECE)
        if not 1 <= len(piece) <= PIECE_LIMIT:
            raise Malformed(f"a piece of {len(piece)} bytes")
        return piece

    def hear_file_end(self) -> int:
        """The cksum of the first offset + length bytes."""
        (sum_of_it,) = exactly(_U32, self.hear(Answer.FILE_END))
        return sum_of_it

    def hear_file(self, prefix: bytes = b"") -> Got:
        """The rest of an answer to a 3011 with this prefix, from its 4011 on."""
        coming = self.hear_coming()
        assert coming.offset in (0, len(prefix))
        content = bytearray()
        while len(content) < coming.length:
            content += self.hear_file_piece()
        if len(content) > coming.length:
            raise Malformed(f"{len(content)} bytes of {coming.length}")
        self._judge(coming, prefix[: coming.offset] + content)
        return Got(coming, bytes(content))

    def _judge(self, coming: Coming, whole: bytes) -> None:
        sum_of_it = self.hear_file_end()
        if sum_of_it != cksum(whole):
            raise WrongSum
        if len(whole) == coming.facts.size:
            assert coming.facts.cksum in (None, sum_of_it)

    def get_file(self, name: str | bytes, prefix: bytes = b"", length: int = ALL) -> Got:
        """What is behind the prefix, if the file begins with that, else from the beginning."""
        self.say_get(name, len(prefix), cksum(prefix), length)
        return self.hear_file(prefix)

    def content_of(self, name: str | bytes) -> bytes:
        """All of a file."""
        got = self.get_file(name)
        assert (got.coming.offset, got.coming.length) == (0, got.coming.facts.size)
        return got.content

    # -- put, step by step

    def open_put(self, name: str | bytes, size: int, *, put_id: bytes | None = None, flags: int = 0) -> Opened:
        self.send(put_frame(put_id or new_put_id(), name, size, flags))
        opened = self.hear_opened()
        assert opened.offset <= size and (opened.offset == size or not opened.is_kept)
        return opened

    def hear_opened(self) -> Opened:
        return parse_opened(self.hear(Answer.PUT_OPEN))

    def put_piece(self, data: bytes) -> int:
        """How much the server has then."""
        self.say(Request.PUT_PIECE, data)
        return self.hear_position()

    def hear_position(self) -> int:
        (position,) = exactly(_U64, self.hear(Answer.PUT_POSITION))
        return _bounded(position)

    def put_pieces(self, pieces: Iterable[bytes], position: int = 0) -> int:
        """Sends them some ahead of their answers, each of which has to have the position behind its piece."""
        due: list[int] = []
        for piece in pieces:
            self.say(Request.PUT_PIECE, piece)
            position += len(piece)
            due.append(position)
            if len(due) == _IN_FLIGHT:
                assert self.hear_position() == due.pop(0)
        for expected in due:
            assert self.hear_position() == expected
        return position

    def end_put(self, sum_of_all: int) -> Ended:
        self.send(end_frame(sum_of_all))
        return self.hear_put_ended()

    def hear_put_ended(self) -> Ended:
        (flags,) = exactly(struct.Struct("B"), self.hear(Answer.PUT_ENDED))
        return _flags(Ended, flags)

    # -- put as a whole

    def put_file(
        self,
        name: str | bytes,
        content: bytes,
        *,
        put_id: bytes | None = None,
        flags: int = 0,
        piece: int = PIECE_LIMIT,
    ) -> Ended:
        """Goes on where the server is, if that has the beginning of this content; else it begins anew."""
        put_id = put_id or new_put_id()
        opened = self.open_put(name, len(content), put_id=put_id, flags=flags)
        if opened.cksum != cksum(content[: opened.offset]):
            opened = self.open_put(name, len(content), put_id=put_id, flags=flags | Put.ANEW)
            assert (opened.is_kept, opened.offset) == (False, 0)
        self.put_pieces(pieces_of(content[opened.offset :], piece), opened.offset)
        return self.end_put(cksum(content))

    def put_stream(self, name: str | bytes, size: int, pieces: Iterable[bytes], *, flags: int = 0) -> Ended:
        """A new put of what is too long to be held."""
        opened = self.open_put(name, size, flags=flags)
        assert (opened.is_kept, opened.offset) == (False, 0)
        whole = Cksum()

        def summed() -> Iterator[bytes]:
            for piece in pieces:
                whole.update(piece)
                yield piece

        assert self.put_pieces(summed()) == size
        return self.end_put(whole.value())
