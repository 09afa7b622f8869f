"""Kinds of load: what many clients do together to a recorded server."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from peer.crypto import aes_encrypt_unpadded
from peer.drop import Refused, User, file_frame
from peer.frames import Answer

from .clients import (
    KIB,
    MIB,
    Run,
    in_threads,
    new_letters,
    pull,
    remove,
    repair,
    reset_key,
    send_key_again,
    send_letters,
    send_letters_in_pairs,
    take_and_close,
    take_and_reset,
    take_beside_damage,
    upload,
    upload_if_taken,
)
from .damaged import VICTIM, make_damaged_directory
from .ledger import LABEL, Ledger
from .own_files import broken_off_puts, large_own_files, own_files
from .older import make_older_directory
from .server import SYNC_DELAY

JOURNAL, SEGMENTS = 1 << 20, 16  # a segment of it, and how many it has
HEAD_SIZE = 4096
QUIET_SECONDS = 5  # at the longest, until the journal is marked empty
SLOW_SYNC = 12_000  # microseconds, in which whoever sends has a turn, and which are no quiet moment


@dataclass(frozen=True)
class Workload:
    """What clients do in one life, and how a round of it is made."""

    act: Callable[[Run], None]
    images: int = 10  # of a recording
    settings: Mapping[str, object] = field(default_factory=dict)  # of the recorded server
    delay: int = SYNC_DELAY
    before: Callable[[Path, Random], Ledger] | None = None  # makes what is there before the first life
    may_be_refused: bool = False  # some of what it sends
    also: tuple[str, ...] = ()  # services that the server has beside drop and messages

    @property
    def about(self) -> str:
        """In some words."""
        return self.act.__doc__.split(". ")[0].rstrip(".").replace("\n   ", "")


# -- uploads, users


def registrations(run: Run) -> None:
    """users register, by either way"""

    def register(drop: bool) -> Callable[[], None]:
        def act() -> None:
            with run.server.connect() as client:
                for _ in range(8):
                    run.register(client, drop=drop)

        return act

    in_threads(register(False), register(True), register(False), register(True))


def small_uploads(run: Run) -> None:
    """batches of small files, some never confirmed"""
    sizes = (0, 1, 15, 16, 511, 1000, 4096, 10_000, 60_000)
    in_threads(
        *(
            lambda user=user: upload(run, user, batches=4, longest=12, names=40, sizes=sizes)
            for user in run.people(4)
        )
    )


def large_uploads(run: Run) -> None:
    """files of some mebibytes, past the page cache from the second one on"""
    sizes = (MIB + 1, 2 * MIB, 3 * MIB + 4096, 4 * MIB + 17)
    first, second = run.people(2)
    in_threads(
        lambda: upload(run, first, batches=2, longest=1, names=2, sizes=sizes),
        lambda: upload(run, second, batches=3, longest=2, names=3, sizes=(1000, 600 * KIB, 2 * MIB)),
    )


def replacements(run: Run) -> None:
    """files that replace each other"""
    sizes = (1, 512, 5000, 30_000)
    in_threads(
        *(
            lambda user=user: upload(run, user, batches=10, longest=3, names=3, sizes=sizes)
            for user in run.people(3)
        )
    )


def past_cache_uploads(run: Run) -> None:
    """files up to 64 MiB, past the page cache, and their replacement"""
    first, second = run.people(2)
    sizes = (run.chance.randint(8 * MIB, 24 * MIB), run.chance.choice((5 * MIB, 16 * MIB + 1, 64 * MIB)))
    in_threads(
        lambda: upload(run, first, batches=3, longest=1, names=1, sizes=sizes),
        lambda: upload(run, second, batches=3, longest=2, names=2, sizes=(1000, 3 * MIB)),
    )


def quotas(run: Run) -> None:
    """uploads and messages at the limits of their users, many of them refused"""
    people = run.people(3)

    def upload_all(user: User, letter: str) -> None:
        user, chance = replace(user), run.new_chance()  # each connection has an AES key of its own
        with run.server.connect() as client:
            client.reconnect(user)
            for _ in range(15):
                name, size = f"{letter} {chance.randrange(5)}", chance.choice((100, 9000, 30_000, 70_000))
                upload_if_taken(run, client, user, name, chance.randbytes(size))

    in_threads(
        lambda: upload_all(people[0], "a"),
        lambda: upload_all(people[0], "b"),
        lambda: upload_all(people[1], "a"),
        *(  # to one receiver each: a message that waits for what another inbox has may be overtaken
            lambda user=user, receiver=receiver: send_letters(
                run, user, (receiver,), batches=(5, 15, 50), sizes=(8, 3000, 300 * KIB), may_be_refused=True
            )
            for user in people[:2]
            for receiver in people[:2]
        ),
        lambda: in_turn(lambda: take_and_close(run, people[1], "closed") for _ in range(4)),
    )


def wrong_paddings(run: Run) -> None:
    """contents with a wrong padding, after which their AES key must not come back"""

    def spoil(user: User) -> None:
        chance = run.new_chance()
        with run.server.connect() as client:
            for number in range(5):
                client.reconnect(user)
                upload_if_taken(run, client, user, f"file {number}", chance.randbytes(500))
                client.send(file_frame(user.id, "guess", aes_encrypt_unpadded(user.aes_key, bytes(32))))
                client.expect(Answer.FILE_RECEIVED, Answer.ERROR)
                run.notes.add("spoilt", client.answered(), user.id, user.aes_key)

    in_threads(*(lambda user=user: spoil(user) for user in run.people(4)))


# -- operators


def removals(run: Run) -> None:
    """users are removed while they upload, write, and are written to"""
    people = run.people(9)
    stay, go = people[:4], people[4:]
    chance = run.new_chance()

    def upload_all(user: User) -> None:
        its = run.new_chance()
        with run.server.connect() as client:
            try:
                client.reconnect(user)
            except Refused:
                return  # removed already
            for number in range(12):
                upload_if_taken(run, client, user, f"file {number % 7}", its.randbytes(its.choice((10, 20_000))))

    def remove_all() -> None:
        with run.server.operator() as operator, run.server.connect() as client:
            for user in go:
                remove(run, operator, user)
                if chance.random() < 0.4:  # the name is free
                    run.register(client, name=user.name)

    upload_all(go[0])
    in_threads(
        remove_all,
        *(lambda user=user: upload_all(user) for user in (stay[0], *go[1:4])),
        *(
            lambda user=user: send_letters(
                run, user, people, batches=(3, 15, 80), sizes=(8, 300, 300 * KIB, 46), may_be_refused=True
            )
            for user in (stay[1], stay[2], go[4])
        ),
    )


def key_resets(run: Run) -> None:
    """an operator resets keys, and their users send new ones or not"""
    people = run.people(6)
    chance = run.new_chance()

    def reset_all() -> None:
        with run.server.operator() as operator, run.server.connect() as client:
            for user in people[:4] * 2:
                reset_key(run, operator, user)
                if chance.random() < 0.6:
                    send_key_again(run, client, user)

    in_threads(
        reset_all,
        lambda: upload(run, people[4], batches=4, longest=3, names=5, sizes=(1, 5000)),
        lambda: send_letters(run, people[5], people, batches=(3, 20), sizes=(8, 300)),
    )


def repairs(run: Run) -> None:
    """what the disk has damaged is put aside, by an operator or when it is asked for"""
    victim = next(user for user in run.users if user.name == VICTIM)
    run.users.clear()  # what others do must not sync the directories of those who have something damaged
    writer, reader = run.people(2)

    def put_aside() -> None:
        if run.chance.random() < 0.5:
            take_beside_damage(run, victim)
        with run.server.operator() as operator:
            repair(run, operator)

    in_threads(
        put_aside,
        lambda: upload(run, writer, batches=3, longest=2, names=3, sizes=(1, 5000)),
        lambda: send_letters(run, reader, (writer, reader), batches=(3, 4), sizes=(8, 300 * KIB)),
    )


# -- messages


def small_messages(run: Run) -> None:
    """small messages, enough at once that the journal is used"""
    people = run.people(6)
    sizes = run.chance.choice(((8,), (8, 40, 100), (46, 300, 1000), (2000, 4000)))
    batches = [run.chance.choice((3, 60, 120)) for _ in range(3)]
    in_threads(
        *(lambda user=user: send_letters(run, user, people, batches=batches, sizes=sizes) for user in people[:4])
    )


def tiny_messages(run: Run) -> None:
    """messages of one size: what is in the journal has the same edges in each round"""
    people = run.people(4)
    size = run.chance.choice((LABEL.size, LABEL.size, LABEL.size + 64, LABEL.size + 448))
    in_threads(
        *(
            lambda user=user: send_letters(run, user, people, batches=(150, 50), sizes=(size,))
            for user in people
        )
    )


def journal_segments(run: Run) -> None:
    """messages that fill the segments of the journal, one after the other and the first one again"""
    (user,) = run.people(1)
    size = run.chance.choice((3000, 7000, 14_000))
    small, middle, others = 70, 100, (SEGMENTS + 1) * JOURNAL // size
    together = 100_000 // size  # of more bytes, the database would take them at once
    # First what is a load, and more bytes than are taken into the database at once: then there is no quiet moment.
    sizes = [LABEL.size] * small + [1000] * middle + [size] * others
    groups = [small, middle] + [together] * (others // together)
    letters = new_letters(run, user, [user], sizes[: sum(groups)])
    with run.server.connect() as client:
        send_letters_in_pairs(run, client, letters, groups, threading.Event())


def quiet_moments(run: Run) -> None:
    """messages under load, and moments between in which the journal is marked empty"""
    people = run.people(3)
    for number in range(3):
        if number > 0:
            wait_for_new_head(run.server.data / "journal")
        in_threads(
            *(
                lambda user=user: send_letters(run, user, people, batches=(150, 20, 20), sizes=(8, 100))
                for user in people
            )
        )


def wait_for_new_head(journal: Path) -> None:
    """Or for so long, where messages went another way at last."""
    limit = time.monotonic() + QUIET_SECONDS
    before = head_of(journal)
    while head_of(journal) == before and time.monotonic() < limit:
        time.sleep(0.01)


def head_of(journal: Path) -> bytes:
    with journal.open("rb") as file:
        return file.read(HEAD_SIZE)


def large_messages(run: Run) -> None:
    """contents that go to messages/, with small ones between them"""
    people = run.people(3)
    sizes = (300 * KIB, 256 * KIB + 1, 1000, 20_000, 8)
    in_threads(
        *(lambda user=user: send_letters(run, user, people, batches=(4, 2, 4), sizes=sizes) for user in people)
    )


def pulls(run: Run) -> None:
    """messages that are taken while others come"""
    people = run.people(5)
    sizes = (*(8, 100, 3000) * 12, 300 * KIB)
    in_threads(
        *(
            lambda user=user: send_letters(run, user, people, batches=(10, 50, 80), sizes=sizes)
            for user in people[:3]
        ),
        beside=[lambda is_over, user=user: pull(run, user, is_over) for user in people[2:4]],
    )


def largest_messages(run: Run) -> None:
    """messages up to the limit of 64 MiB"""
    first, second = run.people(2)
    sizes = (run.chance.randint(4 * MIB, 20 * MIB), run.chance.choice((MIB, 9 * MIB, 64 * MIB)))
    in_threads(
        lambda: send_letters(run, first, (second,), batches=(1, 1), sizes=sizes),
        lambda: send_letters(run, second, (first,), batches=(2, 3), sizes=(8, 300 * KIB, 2 * MIB)),
    )


def settling(run: Run) -> None:
    """answers whose receivers close, end their input, or wait until what they took is gone"""
    receive_while_others_send(run, take_and_close, ("closed", "half closed", "left"))


def resets(run: Run) -> None:
    """receivers that reset their connections: everything waits again"""
    receive_while_others_send(run, take_and_reset, ("unread", "half read", "read"))


def receive_while_others_send(
    run: Run, take: Callable[[Run, User, str], None], ways: tuple[str, ...]
) -> None:
    people = run.people(4)
    chances = [run.new_chance() for _ in people]

    def receive(user: User, chance: Random) -> None:
        in_turn(lambda: take(run, user, chance.choice(ways)) for _ in range(5))

    in_threads(
        *(
            lambda user=user: send_letters(
                run, user, people, batches=(10, 50, 20), sizes=(8, 100, 3000, 46, 300 * KIB)
            )
            for user in people[:2]
        ),
        *(lambda user=user, chance=chance: receive(user, chance) for user, chance in zip(people, chances)),
    )


def checkpoints(run: Run) -> None:
    """contents so large for the database that its log is taken into it"""
    people = run.people(3)
    in_threads(
        *(
            lambda user=user: send_letters(run, user, people, batches=(15, 15), sizes=(200 * KIB, 250 * KIB))
            for user in people
        )
    )


def mixtures(run: Run) -> None:
    """all of it at once"""
    people = run.people(6)

    def register() -> None:
        with run.server.connect() as client:
            for number in range(6):
                run.register(client, drop=number % 2 == 1)

    in_threads(
        register,
        lambda: upload(run, people[0], batches=4, longest=6, names=8, sizes=(1, 5000, 70_000)),
        lambda: upload(run, people[1], batches=2, longest=3, names=3, sizes=(100, MIB + 100)),
        lambda: send_letters(run, people[2], people, batches=(5, 80, 80), sizes=(8, 46, 400)),
        lambda: send_letters(run, people[3], people, batches=(80, 5, 80), sizes=(8, 46, 400)),
        lambda: send_letters(run, people[4], people, batches=(3, 3), sizes=(8, 300 * KIB)),
        beside=[lambda is_over: pull(run, people[5], is_over)],
    )


def upgrades(run: Run) -> None:
    """the first start on a directory of an older version"""
    user, other = run.people(2)
    upload(run, user, batches=1, longest=2, names=3, sizes=(1, 5000))
    send_letters(run, user, (user, other), batches=(3,), sizes=(8, 300 * KIB))


def in_turn(actions: Iterable[Callable[[], None]]) -> None:
    for action in actions:
        action()


LOADS: dict[str, Workload] = {
    "registrations": Workload(registrations),
    "small-uploads": Workload(small_uploads),
    "large-uploads": Workload(large_uploads),
    "past-cache-uploads": Workload(past_cache_uploads, images=5),
    "replacements": Workload(replacements),
    "quotas": Workload(
        quotas,
        settings={"user_files": 5, "user_bytes": "150K", "waiting_messages": 60, "waiting_bytes": "2M"},
        may_be_refused=True,
    ),
    "own-files": Workload(own_files, also=("secure",)),
    "broken-off-puts": Workload(broken_off_puts, also=("secure",)),
    "large-own-files": Workload(large_own_files, images=5, also=("secure",)),
    "wrong-paddings": Workload(wrong_paddings),
    "removals": Workload(removals, may_be_refused=True),
    "key-resets": Workload(key_resets),
    "repairs": Workload(repairs, before=make_damaged_directory),
    "tiny-messages": Workload(tiny_messages),
    "small-messages": Workload(small_messages),
    "journal-segments": Workload(journal_segments, images=5, delay=SLOW_SYNC),
    "quiet-moments": Workload(quiet_moments),
    "large-messages": Workload(large_messages),
    "largest-messages": Workload(largest_messages, images=5),
    "pulls": Workload(pulls),
    "settling": Workload(settling, settings={"settle_time_ms": 300}),
    "resets": Workload(resets, settings={"settle_time_ms": 60_000}),
    "checkpoints": Workload(checkpoints),
    "mixtures": Workload(mixtures),
    "upgrades": Workload(upgrades, before=make_older_directory),
}
