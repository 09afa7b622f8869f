"""Own files of accounts, over the secure port of a recorded server: what their owners do, the loads that are made of
it, and what has to hold on an image.

An owner's name tells its key, and a put its content: so any later life can go on with either. All requests of one
connection take effect in their order, so what it has sent tells what has to be there.
"""

import contextlib
import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from peer.accounts import Account, Reason
from peer.crypto import cksum
from peer.frames import ConnectionEnded
from peer.own_files import Put as Flag
from peer.own_files import PIECE_LIMIT, end_frame, piece_frame, pieces_of, put_frame, remove_frame
from peer.secure import Refused
from peer.tls import TlsFailed

from .clients import KIB, MIB, Run, in_threads
from .ledger import LABEL, Found, Ledger, Put, content_of, digest
from .server import CountingSecureClient, Server

NAMES = (*(f"file {number}" for number in range(6)), "a/b", "a/b/c", "b", "a b", "long/" * 40 + "name", "n" * 254)
RELEASE_SECONDS = 60  # until the server has noticed the end of a connection that was cut
RESUMED = 4  # puts of an image that are gone on with
TRIES = 4  # of one put


def account_of(name: str) -> Account:
    return Account(hashlib.sha256(b"torture " + name.encode()).digest(), name)


@dataclass
class Owner:
    """An account, and what it keeps as far as it was told."""

    account: Account
    id: bytes
    kept: set[str] = field(default_factory=set)


def owners_of(run: Run, count: int) -> list[Owner]:
    """Known ones, and new ones where not so many are known."""
    known = run.chance.sample(run.accounts, min(count, len(run.accounts)))
    owners = [_known_owner(run, name) for name in known]
    return owners + [new_owner(run) for _ in range(count - len(owners))]


def _known_owner(run: Run, name: str) -> Owner:
    account = account_of(name)
    with run.server.sign_in(account) as client:
        return Owner(account, run.server.id_of(account), set(client.file_names()))


def new_owner(run: Run) -> Owner:
    account = account_of(f"owner {run.life} {next(run.registered)}")
    run.notes.add("registering", None, account.name)
    run.notes.add("account", None, account.name)
    with CountingSecureClient(run.server.secure_address, 60) as client:
        client.register(account, account.name)
        owner = Owner(account, run.server.id_of(account))
        run.notes.add("registered", client.answered(), account.name, owner.id, False)
        run.notes.add("fingerprint", client.answered(), client.fingerprint)
    return owner


# -- what one owner does


def new_put(run: Run, owner: Owner, name: str, size: int, chance: random.Random) -> Put:
    put = Put(owner.id, name, chance.randbytes(16), (run.new_sender(), 0), max(size, LABEL.size))
    run.notes.add("putting", None, put)
    return put


def put_and_remove(
    run: Run, client: CountingSecureClient, owner: bytes, steps: Sequence[tuple[str, int | None]], chance
) -> None:
    """Sends all before it reads an answer: for each name a put of that size in place of what is there, or a removal.
    The answers are small enough to wait in the system."""
    frames, due = b"", []
    for name, size in steps:
        if size is None:
            run.notes.add("removing file", run.begins(), owner, name)
            frames, due = frames + remove_frame(name), [*due, (name, None, 0)]
            continue
        content = content_of(run.new_sender(), 0, max(size, LABEL.size))
        pieces = list(pieces_of(content, chance.choice((700, 64 * KIB, PIECE_LIMIT)) if size < MIB else PIECE_LIMIT))
        run.notes.add("upload", None, owner, name, digest(content))
        frames += put_frame(chance.randbytes(16), name, len(content), Flag.REPLACE | Flag.ANEW)
        frames += b"".join(map(piece_frame, pieces)) + end_frame(cksum(content))
        due.append((name, digest(content), len(pieces)))
    client.send(frames)
    for name, content, pieces in due:
        take_answers(run, client, owner, name, content, pieces)


def take_answers(
    run: Run, client: CountingSecureClient, owner: bytes, name: str, content: str | None, pieces: int
) -> None:
    if content is None:
        client.hear_removed()
        run.notes.add("removed file", client.answered(), owner, name)
        return
    assert client.hear_opened().offset == 0
    for _ in range(pieces):
        client.hear_position()
    client.hear_put_ended()
    run.notes.add("verified", client.answered(), owner, name, content)


def keep_changing(run: Run, owner: Owner, *, batches: int, longest: int, sizes: Sequence[int]) -> None:
    """Puts and removals in pipelines; now and then the same name twice in one."""
    chance = run.new_chance()
    with run.server.sign_in(owner.account) as client:
        for _ in range(batches):
            steps = []
            for name in chance.choices(NAMES, k=chance.randint(1, longest)):
                is_removed = name in owner.kept and chance.random() < 0.4
                (owner.kept.discard if is_removed else owner.kept.add)(name)
                steps.append((name, None if is_removed else chance.choice(sizes)))
            put_and_remove(run, client, owner.id, steps, chance)


def put_and_remove_one_by_one(run: Run, owner: Owner, *, count: int) -> None:
    """So that a removal is a group of its own, which has fewer syncs."""
    chance = run.new_chance()
    with run.server.sign_in(owner.account) as client:
        for name in chance.choices(NAMES, k=count):
            put_and_remove(run, client, owner.id, [(name, chance.choice((8, 5000)))], chance)
            put_and_remove(run, client, owner.id, [(name, None)], chance)


def open_again(
    client: CountingSecureClient, put: Put, flags: int = 0, *, is_all_there: bool = True
) -> tuple[int, bool]:
    """How much of it the server has, and whether it is kept already. Begins anew where that is something else: an
    older file, or what a power cut has left. Waits where the put is still open on a connection that has gone."""
    deadline = time.monotonic() + RELEASE_SECONDS
    while True:
        try:
            opened = client.open_put(put.name, put.size, put_id=put.id, flags=Flag.REPLACE | flags)
        except Refused as refused:
            if refused.reason != Reason.PUT_IN_USE or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
            continue
        if opened.cksum == cksum(put.content[: opened.offset]):
            return opened.offset, opened.is_kept
        assert opened.is_kept or not is_all_there, f"put damaged: {opened.offset} bytes of something else"
        flags |= Flag.ANEW


def end(run: Run, client: CountingSecureClient, put: Put, offset: int, piece: int = PIECE_LIMIT) -> None:
    """Sends what is missing from there on, and ends the put."""
    run.notes.add("upload", None, put.owner, put.name, digest(put.content))
    client.put_pieces(pieces_of(put.content[offset:], piece), offset)
    client.end_put(cksum(put.content))
    run.notes.add("verified", client.answered(), put.owner, put.name, digest(put.content))


def break_off(client: CountingSecureClient, put: Put, offset: int, chance: random.Random) -> None:
    """After some of what is missing, in the middle of a piece or between two; the connection is gone then."""
    rest = put.content[offset:]
    sent = b"".join(map(piece_frame, pieces_of(rest[: chance.randint(0, len(rest))], 64 * KIB)))
    client.send_as_far_as_taken(sent[: len(sent) - chance.choice((0, 0, 1, 30))])
    if chance.random() < 0.5:
        client.reset()
    else:
        client.close()


def put_in_tries(run: Run, owner: Owner, put: Put, *, is_all_there: bool = True) -> None:
    """Breaks off some times, then ends; what was told as the last position may still be missing."""
    chance = run.new_chance()
    for _ in range(chance.randint(0, TRIES - 1)):
        client = run.server.sign_in(owner.account)
        offset, is_kept = open_again(client, put, is_all_there=is_all_there)
        if is_kept:
            client.close()
            break
        break_off(client, put, offset, chance)
    with run.server.sign_in(owner.account) as client:
        offset, _ = open_again(client, put, is_all_there=is_all_there)
        end(run, client, put, offset, chance.choice((5000, 300 * KIB, PIECE_LIMIT)))
        look_again(run, client, put, chance)


def look_again(run: Run, client: CountingSecureClient, put: Put, chance: random.Random) -> None:
    """What was just put is there, and is kept already; now and then it is removed."""
    known = chance.randint(0, put.size)
    assert client.get_file(put.name, put.content[:known]).content == put.content[known:], "another content"
    if chance.random() < 0.3:
        assert open_again(client, put) == (put.size, True), "not kept"
        end(run, client, put, put.size)
    if chance.random() < 0.3:
        run.notes.add("removing file", run.begins(), put.owner, put.name)
        client.remove_file(put.name)
        run.notes.add("removed file", client.answered(), put.owner, put.name)


def spoil(run: Run, owner: Owner, put: Put) -> None:
    """A wrong cksum: what came is forgotten, and what was there stays."""
    with run.server.sign_in(owner.account) as client:
        offset, _ = open_again(client, put, Flag.ANEW)
        client.put_pieces(pieces_of(put.content), offset)
        try:
            client.end_put(cksum(put.content) ^ 1)
        except Refused as refused:
            assert refused.reason == Reason.CKSUM, refused
        else:
            raise AssertionError("a wrong cksum is taken")
        assert client.open_put(put.name, put.size, put_id=put.id, flags=Flag.REPLACE).offset in (0, put.size)


def put_over_and_over(run: Run, owner: Owner, *, count: int, sizes: Sequence[int]) -> None:
    """First what broke off in an earlier life, then new ones, each of a name of its own at a time."""
    chance = run.new_chance()
    before = [put for put in run.puts if put.owner == owner.id][-RESUMED:]
    for put in before:
        put_in_tries(run, owner, put, is_all_there=run.log is None)  # where nothing is recorded, no power is cut
    for number in range(count):
        put = new_put(run, owner, chance.choice(NAMES), chance.choice(sizes), chance)
        if number == 1:
            spoil(run, owner, put)
        put_in_tries(run, owner, put)


def leave_with_all(run: Run, owner: Owner) -> None:
    """Some files, and a put that broke off; then the account removes itself."""
    chance = run.new_chance()
    with run.server.sign_in(owner.account) as client:
        put_and_remove(run, client, owner.id, [("a/b", 5000), ("b", 8)], chance)
        put = new_put(run, owner, "never ended", 200 * KIB, chance)
        break_off(client, put, open_again(client, put)[0], chance)
    with run.server.sign_in(owner.account) as client:
        run.notes.add("removing", run.begins(), owner.account.name, owner.id)
        client.remove(owner.account)
        run.notes.add("removed", client.answered(), owner.account.name, owner.id)


# -- loads


def own_files(run: Run) -> None:
    """own files that replace each other and are removed, many in one pipeline"""
    owners = owners_of(run, 5)
    sizes = (8, 9, 511, 4096, 10_000, 60_000)
    in_threads(
        *(lambda owner=owner: keep_changing(run, owner, batches=6, longest=10, sizes=sizes) for owner in owners[:3]),
        lambda: keep_changing(run, owners[3], batches=3, longest=3, sizes=(100, MIB + 100)),
        lambda: put_and_remove_one_by_one(run, owners[4], count=8),
        lambda: leave_with_all(run, new_owner(run)),
    )


def broken_off_puts(run: Run) -> None:
    """own files that break off and go on"""
    sizes = (8, 4096, 70_000, 300 * KIB + 1, MIB, 2 * MIB + 17)
    in_threads(
        *(lambda owner=owner: put_over_and_over(run, owner, count=4, sizes=sizes) for owner in owners_of(run, 3))
    )


def large_own_files(run: Run) -> None:
    """own files up to 48 MiB, past the page cache, that break off and go on"""
    first, second = owners_of(run, 2)
    sizes = (run.chance.randint(5 * MIB, 20 * MIB), run.chance.choice((5 * MIB, 16 * MIB + 1, 48 * MIB)))
    in_threads(
        lambda: put_over_and_over(run, first, count=2, sizes=sizes),
        lambda: put_over_and_over(run, second, count=3, sizes=(1000, 3 * MIB)),
    )


# -- on an image


def use_own_files(server: Server, found: Found, owed: Ledger, *, is_all_there: bool = False) -> list[str]:
    """What is wrong for owners who sign in: the host key, the list, what they get, and where puts go on that broke
    off. *is_all_there*: the server was killed, and no power lost, so what a put has is what was sent."""
    problems: list[str] = []
    for name in sorted(found.accounts):
        owner, _ = found.users[name]
        kept = {key[1]: content for key, content in found.files.items() if key[0] == owner}
        try:
            with server.sign_in(account_of(name)) as client:
                if owed.fingerprint not in (None, client.fingerprint):
                    problems.append(f"host key changed: {name} does not know it")
                problems += _look_at_files(client, name, kept)
                for put in [put for put in owed.known_puts() if put.owner == owner][-RESUMED:]:
                    problems += _go_on(client, put, is_all_there)
        except (Refused, ConnectionEnded, TlsFailed, OSError) as failure:
            problems.append(f"own files refused: {name}: {type(failure).__name__} {failure}")
    return problems


def _look_at_files(client: CountingSecureClient, owner: str, kept: dict[str, str]) -> list[str]:
    listed = {file.name: file.facts for file in client.list_files()}
    if listed.keys() != kept.keys():
        return [f"list wrong: {owner} has {sorted(kept)}, the server says {sorted(listed)}"]
    problems = []
    for name, content in kept.items():
        got = client.content_of(name)
        if digest(got) != content:
            problems.append(f"get wrong: {name} of {owner} is {digest(got)}, not {content}")
        if listed[name].cksum not in (None, cksum(got)):
            problems.append(f"cksum wrong: {name} of {owner}")
        half = got[: len(got) // 2]
        if client.get_file(name, half).coming.offset != len(half):
            problems.append(f"get begins again: {name} of {owner}")
    return problems


def _go_on(client: CountingSecureClient, put: Put, is_all_there: bool) -> list[str]:
    """The same put again, which must end right wherever it broke off."""
    opened = client.open_put(put.name, put.size, put_id=put.id, flags=Flag.REPLACE)
    is_same = opened.cksum == cksum(put.content[: opened.offset])
    problems = []
    if is_all_there and not is_same and not opened.is_kept:
        problems.append(f"put damaged: {put.name} has {opened.offset} bytes of something else")
    client.put_file(put.name, put.content, put_id=put.id, flags=Flag.REPLACE)
    with contextlib.suppress(Refused):
        if client.content_of(put.name) == put.content:
            return problems
    return [*problems, f"put ends wrong: {put.name}, which went on at {opened.offset}"]
