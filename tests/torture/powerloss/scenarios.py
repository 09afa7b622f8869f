"""Courses of events that once lost what had been acknowledged, each told step by step. A scenario returns what is
wrong on its images: nothing, of a server that is sound."""

import contextlib
import functools
import random
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from peer.conversation import wait_until
from peer.crypto import aes_encrypt
from peer.drop import User, file_frame, named_frame
from peer.frames import Answer, MessageAnswer, Request
from peer.messages import STORED, Type, message_frame

from .clients import KIB, Letters, Run, in_threads, new_letters, send_group, send_letters_in_pairs
from .disk import ALL_KEPT, SECTOR, Change, File, Style, _units
from .ledger import LABEL, content_of, digest
from .loads import SLOW_SYNC
from .recording import Entry, Kind
from .rounds import Image, Problem, Round, check_images, record, second_life
from .server import CountingClient

JOURNAL_HEAD = 4096
JOURNAL_SEGMENT = 1 << 20
SIZE_OF_RECORD = slice(4, 8)  # where a record has it
ATTEMPTS = 12
UNDER_LOAD = 70  # messages after which they go to the journal


class NotReached(Exception):
    """The course of events did not come as far as the scenario needs."""


@dataclass(frozen=True)
class FirstSectorLost(Style):
    """All that was written is there, but for the first sector of one write."""

    write: int = 0  # its place in the recording

    def choose_damaged(self, chance: random.Random, pending: list[File]) -> Change | None:
        (change,) = [change for file in pending for change in file.pending if change.moment == self.write]
        return change

    def _parts(self, chance, change, share, behind_torn, goes_on, damaged) -> Iterator[tuple[int, int]]:
        parts = list(_units(change, SECTOR))
        yield from parts[1:] if change is damaged else parts


# -- stale records of the journal


def journal_of(made: Round, entries: list[Entry]) -> int:
    """The journal's inode."""
    data = made.before.content.get("data")
    if data is not None and "journal" in data.content:
        return data.content["journal"].number
    return next(entry.inode for entry in entries if entry.kind == Kind.CREATE and entry.name == "journal.new")


def journal_batches(made: Round, entries: list[Entry]) -> list[tuple[int, int, int]]:
    """(place in the recording, offset in the journal behind its head, size) of each batch that was written."""
    journal = journal_of(made, entries)
    return [
        (index, entry.offset - JOURNAL_HEAD, entry.length)
        for index, entry in enumerate(entries)
        if entry.kind == Kind.WRITE
        and entry.inode == journal
        and entry.offset >= JOURNAL_HEAD
        and any(entry.payload[SIZE_OF_RECORD])  # zeros mark a segment empty
    ]


@functools.cache
def smallest_record() -> int:
    """What a record of a message takes that has nothing but a label, in this version of the journal."""
    with tempfile.TemporaryDirectory() as folder:
        act = lambda run: write_letters(run, [0] * (2 * UNDER_LOAD))
        made = record(Path(folder, "probe"), "probe", "1", act=act, orderly=False, delay=SLOW_SYNC)
        entries = made.entries()
        for place, _, _ in journal_batches(made, entries):
            return int.from_bytes(entries[place].payload[SIZE_OF_RECORD], "little")
    raise NotReached("nothing was journalled")


def content_size(record_size: int) -> int:
    """Of the message whose record has that size; of none, the smallest."""
    return LABEL.size + (record_size - smallest_record() if record_size > 0 else 0)


def write_letters(run: Run, *groups: list[int], then: tuple[list[int], ...] = ()) -> None:
    """Messages whose records in the journal have these sizes, in groups; those of `then` at last, all at once.
    There is no quiet moment, in which the journal would be emptied."""
    users = run.people(1 + len(then))
    letters = [
        new_letters(run, user, [user], [content_size(size) for size in sizes])
        for user, sizes in zip(users, [sum(groups, []), *then])
    ]
    sent = threading.Event()

    def send_last(client: CountingClient, its: Letters) -> None:
        sent.wait()
        send_group(run, client, its, len(its.sent))

    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(run.server.connect()) for _ in users]
        in_threads(
            lambda: send_letters_in_pairs(run, clients[0], letters[0], [len(group) for group in groups], sent),
            *(
                lambda client=client, its=its: send_last(client, its)
                for client, its in zip(clients[1:], letters[1:])
            ),
        )


def damage_batch(made: Round, is_right: Callable[[int, int], bool]) -> Image:
    """The power goes when a batch was written that has the right offset and size, and takes its first sector."""
    batches = journal_batches(made, made.entries())
    for write, offset, size in batches:
        if is_right(offset, size):
            return Image(0, write + 1, FirstSectorLost("one sector", "all", write))
    raise NotReached(f"no batch was right: {[batch[1:] for batch in batches]}")


def after_each_sync(made: Round) -> list[Image]:
    """Power cuts that lose nothing, one after each sync of the journal once the server was ready, and after the
    answers behind it."""
    entries = made.entries()
    journal = journal_of(made, entries)
    moments = [
        index + 1
        for index, entry in enumerate(entries)
        if index >= made.ready
        and (entry.kind == Kind.SEND_END or (entry.kind == Kind.SYNC_END and entry.inode == journal))
    ]
    return [Image(number, moment, ALL_KEPT) for number, moment in enumerate(moments)]


def stale_records_come_alive(folder: Path) -> list[Problem]:
    """A cut takes the first sector of a batch of small messages and leaves the others. Ids are given out again;
    where new messages end at the edge of a stale record with a higher id, a second cut brings that alive."""
    small = smallest_record()
    first = record(
        folder / "first",
        "stale records",
        "1",
        act=lambda run: write_letters(run, [small] * 600),
        orderly=False,
        delay=5000,
    )
    second = second_life(
        first,
        damage_batch(first, lambda offset, size: offset == 0 and size > 2 * UNDER_LOAD * small),
        folder / "second",
        act=lambda run: write_letters(run, [small] * UNDER_LOAD, *[[8 * small] * 4] * 4),
        orderly=False,
        delay=1000,
    )
    if not journal_batches(second, second.entries()):
        raise NotReached("nothing was journalled in the second life")
    return check_images(second, after_each_sync(second), folder / "image")


def fill_segment(run: Run, end: int) -> None:
    """Large records to some way before `end`, then many of the smallest, to behind it."""
    small = smallest_record()
    large = 4096 // small * small
    begin = beginning()
    rest = (end - 46_400 - sum(begin[1]) - 216 * large) // small * small
    last = [small] * (16_000 // small)
    write_letters(run, *begin, *[[large] * 12] * 18, [rest], then=(last, last, last))


def beginning() -> list[list[int]]:
    """What makes the server journal whatever comes then, however long it waits for it: a lot that is a load by
    itself, and more bytes than may be taken into the database at once."""
    small = smallest_record()
    return [[small] * UNDER_LOAD, [1024 // small * small] * 100]


def newer_segment_is_skipped(folder: Path) -> list[Problem]:
    """The same near the end of a segment, which larger messages of the second life fill up to the edge of a stale
    record. It is the older segment then, and the ids of its stale tail are higher than those of the newer one,
    whose acknowledged messages look as if they were in the database."""
    small = smallest_record()
    large = 14_400 // small * small  # 72 of them fill a segment, to the edge of a small one and nearly to the end
    end = 72 * large
    first = record(
        folder / "first",
        "skipped segment",
        "1",
        act=lambda run: fill_segment(run, end),
        orderly=False,
        delay=SLOW_SYNC,
    )
    second = second_life(
        first,
        damage_batch(first, lambda offset, size: offset + 26_000 < end < offset + size < JOURNAL_SEGMENT),
        folder / "second",
        act=lambda run: write_letters(run, *beginning(), *[[large] * 4] * 75),
        orderly=False,
        delay=SLOW_SYNC,
    )
    batches = journal_batches(second, second.entries())
    turns = [
        place
        for place, (before, after) in enumerate(zip(batches, batches[1:]), 1)
        if before[1] < JOURNAL_SEGMENT <= after[1]
    ]
    if not turns:
        raise NotReached(f"the segments were not filled one after the other: {[batch[1] for batch in batches]}")
    turn = batches[turns[0]][0]
    images = [image for image in after_each_sync(second) if turn < image.moment < turn + 40]
    if not images:
        raise NotReached("nothing was synced soon after the segments took turns")
    return check_images(second, images, folder / "image")


# -- a write-back error that somebody else was told


def confirm_together(
    run: Run,
    client: CountingClient,
    user: User,
    files: list[tuple[str, bytes]],
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Sends the 1029s of staged files, of which each may be refused: the first one alone, then what is done
    meanwhile, then all others, which are a group when the first one is safe."""
    for name, plain in files:
        run.notes.add("upload", None, user.id, name, digest(plain))
    frames = [named_frame(user.id, Request.CRC_OK, name) for name, _ in files]
    client.send(frames[0])
    meanwhile()
    client.send(b"".join(frames[1:]))
    for name, plain in files:
        if client.expect(Answer.THANKS, Answer.ERROR).code == Answer.THANKS:
            run.notes.add("verified", client.answered(), user.id, name, digest(plain))


def stage(client: CountingClient, user: User, files: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    for name, plain in files:
        client.send(file_frame(user.id, name, aes_encrypt(user.aes_key, plain)))
        client.expect(Answer.FILE_RECEIVED)
    return files


def some_files(run: Run, word: str, count: int) -> list[tuple[str, bytes]]:
    return [(f"{word} {number}", run.chance.randbytes(5000)) for number in range(count)]


def error_is_told_to_a_group(run: Run) -> None:
    """A file is staged, and a message half sent, when the sync of a group fails; they are confirmed in the next
    one. Before, that one's sync was told of no error, for the error had been told."""
    user, writer = run.people(2)
    label, size = (run.new_sender(), 0), 900 * KIB
    frame = message_frame(writer.id, user.id, Type.TEXT, content_of(*label, size))
    with run.server.connect() as client, run.server.connect() as sender:
        client.reconnect(user)
        waiting = stage(client, user, some_files(run, "waiting", 1))
        sender.send(frame[: 700 * KIB])
        wait_until(
            lambda: any(path.stat().st_size >= 256 * KIB for path in run.server.staged_paths()),
            "the first part of a large message",
        )
        confirm_together(run, client, user, stage(client, user, some_files(run, "group", 6)))
        others = stage(client, user, some_files(run, "later", 6))
        run.notes.add("letter", None, label, writer.id, user.id, int(Type.TEXT), size)
        confirm_together(
            run, client, user, others[:3] + waiting + others[3:], lambda: sender.send(frame[700 * KIB :])
        )
        answer = sender.receive()
        if answer.code == MessageAnswer.STORED:
            _, message_id = STORED.unpack(answer.payload)
            run.notes.add("stored", sender.answered(), label, message_id)


def failed_sync_is_told_once(folder: Path) -> list[Problem]:
    made = record(
        folder / "first",
        "failed sync",
        "1",
        act=error_is_told_to_a_group,
        orderly=False,
        delay=5000,
        fail="syncfs:1",
    )
    entries = made.entries()
    if not any(entry.kind == Kind.LOST for entry in entries):
        raise NotReached("no sync of a group failed")
    return check_images(made, [Image(0, len(entries), ALL_KEPT)], folder / "image")


def run_scenario(scenario: Callable[[Path], list[Problem]], folder: Path) -> list[Problem]:
    """Threads may take another course; then it is tried again."""
    for attempt in range(ATTEMPTS):
        try:
            return scenario(folder / str(attempt))
        except NotReached as reason:
            last = reason
    raise last


SCENARIOS = (stale_records_come_alive, newer_segment_is_skipped, failed_sync_is_told_once)
