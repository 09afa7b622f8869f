"""What clients do to a recorded server. Each kind of load is a function of a `Run`; what its clients send and are
answered goes into the notes."""

import itertools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from peer.crypto import aes_encrypt
from peer.drop import User, file_frame, named_frame
from peer.frames import Answer, Request
from peer.messages import Type, message_frame

from .ledger import LABEL, Notes, content_of, digest
from .server import CountingClient, Server

KIB, MIB = 1 << 10, 1 << 20
TYPES = (Type.KEY, Type.TEXT, Type.FILE)


@dataclass
class Run:
    """One life of a recorded server, and those who use it."""

    server: Server
    life: int
    chance: random.Random
    private_key: object
    users: list[User]  # who are known from earlier lives, and have a key
    notes: Notes = field(default_factory=Notes)
    # Counted by many threads, which `next` of a counter is safe for.
    senders: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    registered: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def register(self, client: CountingClient, *, drop: bool = False) -> User:
        """A new user, by the messages service, or by the drop and then with a key."""
        user = User(f"user {self.life} {next(self.registered)}", self.private_key)
        self.notes.add("registering", None, user.name)
        if not drop:
            client.register_for_messages(user)
            self.notes.add("registered", client.answered(), user.name, user.id, True)
            return user
        client.register(user)
        self.notes.add("registered", client.answered(), user.name, user.id, False)
        client.send_public_key(user)
        self.notes.add("registered", client.answered(), user.name, user.id, True)
        return user

    def people(self, count: int) -> list[User]:
        """That many users, new ones where not so many are known."""
        known = self.chance.sample(self.users, min(count, len(self.users)))
        with self.server.connect() as client:
            return known + [self.register(client) for _ in range(count - len(known))]

    def new_sender(self) -> int:
        """A number for labels that no sender of any life has."""
        return self.life * 1000 + next(self.senders)

    def new_chance(self) -> random.Random:
        """For one thread: what it does must not depend on how fast others are."""
        return random.Random(self.chance.random())


def in_threads(*actions: Callable[[], None]) -> None:
    """Runs all at once; the first failure is raised."""
    failures: list[BaseException] = []

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def pipelined(client: CountingClient, frames: Sequence[bytes], take: Callable[[], None]) -> None:
    """Sends all while `take` takes the answers."""
    sender = threading.Thread(target=client.send_as_far_as_taken, args=(b"".join(frames),))
    sender.start()
    try:
        take()
    finally:
        sender.join()


# -- what one client does


def upload_batch(
    run: Run, client: CountingClient, user: User, files: list[tuple[str, bytes]], unconfirmed: int = 0
) -> None:
    """Pipelines 1028s and then their 1029s; as many of the last ones as are `unconfirmed` have none."""
    confirmed = files[: len(files) - unconfirmed]
    frames = [file_frame(user.id, name, aes_encrypt(user.aes_key, plain)) for name, plain in files]
    frames += [named_frame(user.id, Request.CRC_OK, name) for name, _ in confirmed]
    for name, plain in confirmed:
        run.notes.add("upload", None, user.id, name, digest(plain))

    def take() -> None:
        for _ in files:
            client.expect(Answer.FILE_RECEIVED)
        for name, plain in confirmed:
            client.expect(Answer.THANKS)
            run.notes.add("verified", client.answered(), user.id, name, digest(plain))

    pipelined(client, frames, take)


def upload(run: Run, user: User, *, batches: int, longest: int, names: int, sizes: Sequence[int]) -> None:
    """Batches of files with different names in each; some are never confirmed."""
    chance = run.new_chance()
    with run.server.connect() as client:
        client.reconnect(user)
        for _ in range(batches):
            count = chance.randint(1, min(longest, names))
            files = [
                (f"file {number}", chance.randbytes(chance.choice(sizes)))
                for number in chance.sample(range(names), count)
            ]
            upload_batch(run, client, user, files, unconfirmed=chance.choice((0, 0, 0, 1)) if count > 1 else 0)


@dataclass
class Letters:
    """Messages of one sender that are ready to be sent."""

    sender: User
    sent: list[tuple[tuple[int, int], User, int, int]]  # label, receiver, type, size
    frames: list[bytes]


def new_letters(run: Run, user: User, receivers: Sequence[User], sizes: Sequence[int]) -> Letters:
    """One of each size, to receivers and of types by chance."""
    chance, sender = run.new_chance(), run.new_sender()
    letters = Letters(user, [], [])
    for number, size in enumerate(sizes):
        receiver, kind, label = chance.choice(receivers), chance.choice(TYPES), (sender, number)
        size = max(LABEL.size, size)
        letters.sent.append((label, receiver, int(kind), size))
        letters.frames.append(message_frame(user.id, receiver.id, kind, content_of(*label, size)))
    return letters


def send_group(run: Run, client: CountingClient, letters: Letters, count: int) -> None:
    """Pipelines so many of them."""
    sent, frames = letters.sent[:count], letters.frames[:count]
    del letters.sent[:count], letters.frames[:count]
    for label, receiver, kind, size in sent:
        run.notes.add("letter", None, label, letters.sender.id, receiver.id, kind, size)

    def take() -> None:
        for label, receiver, _, _ in sent:
            message_id = client.expect_stored(receiver.id)
            run.notes.add("stored", client.answered(), label, message_id)

    pipelined(client, frames, take)


def send_letters_in_pairs(
    run: Run, client: CountingClient, letters: Letters, groups: Sequence[int], sent: threading.Event
) -> None:
    """Groups of so many, two of them unanswered at any time: so there is no moment at which the server has nothing
    to do. `sent` is set when the last one is on its way."""
    answered = [threading.Event() for _ in groups]
    sender = threading.Thread(target=_send_paced, args=(client, letters.frames, groups, answered, sent))
    for label, receiver, kind, size in letters.sent:
        run.notes.add("letter", None, label, letters.sender.id, receiver.id, kind, size)
    sender.start()
    try:
        rest = iter(letters.sent)
        for count, event in zip(groups, answered):
            for label, receiver, _, _ in itertools.islice(rest, count):
                message_id = client.expect_stored(receiver.id)
                run.notes.add("stored", client.answered(), label, message_id)
            event.set()
    finally:
        for event in answered:
            event.set()
        sender.join()


def _send_paced(client, frames, groups, answered, sent) -> None:
    place = 0
    for number, count in enumerate(groups):
        if number >= 2:
            answered[number - 2].wait()
        client.send_as_far_as_taken(b"".join(frames[place : place + count]))
        place += count
    sent.set()


def send_letters(
    run: Run, user: User, receivers: Sequence[User], *, batches: Sequence[int], sizes: Sequence[int]
) -> None:
    """Messages of sizes by chance, so many of them pipelined at a time."""
    chance = run.new_chance()
    letters = new_letters(run, user, receivers, [chance.choice(sizes) for _ in range(sum(batches))])
    with run.server.connect() as client:
        for batch in batches:
            send_group(run, client, letters, batch)


def pull(run: Run, user: User, is_over: threading.Event) -> None:
    """Takes what waits, until nothing more comes."""
    with run.server.connect() as client:
        while True:
            last = is_over.is_set()
            messages = client.pull(user)
            if messages:
                labels = [(message.id, LABEL.unpack_from(message.content)) for message in messages]
                run.notes.add("delivered", client.answered(), labels)
            elif last:
                return
            else:
                is_over.wait(0.005)


# -- kinds of load


def registrations(run: Run) -> None:
    def register(drop: bool) -> Callable[[], None]:
        def act() -> None:
            with run.server.connect() as client:
                for _ in range(8):
                    run.register(client, drop=drop)

        return act

    in_threads(register(False), register(True), register(False), register(True))


def small_uploads(run: Run) -> None:
    sizes = (0, 1, 15, 16, 511, 1000, 4096, 10_000, 60_000)
    in_threads(
        *(
            lambda user=user: upload(run, user, batches=4, longest=12, names=40, sizes=sizes)
            for user in run.people(4)
        )
    )


def large_uploads(run: Run) -> None:
    """Past the page cache from the second mebibyte on, where the file system can."""
    sizes = (MIB + 1, 2 * MIB, 3 * MIB + 4096, 4 * MIB + 17)
    first, second = run.people(2)
    in_threads(
        lambda: upload(run, first, batches=2, longest=1, names=2, sizes=sizes),
        lambda: upload(run, second, batches=3, longest=2, names=3, sizes=(1000, 600 * KIB, 2 * MIB)),
    )


def replacements(run: Run) -> None:
    sizes = (1, 512, 5000, 30_000)
    in_threads(
        *(
            lambda user=user: upload(run, user, batches=10, longest=3, names=3, sizes=sizes)
            for user in run.people(3)
        )
    )


def small_messages(run: Run) -> None:
    """Enough at once that the journal is used."""
    people = run.people(6)
    sizes = run.chance.choice(((8,), (8, 40, 100), (46, 300, 1000), (2000, 4000)))
    batches = [run.chance.choice((3, 60, 120)) for _ in range(3)]
    in_threads(
        *(lambda user=user: send_letters(run, user, people, batches=batches, sizes=sizes) for user in people[:4])
    )


def tiny_messages(run: Run) -> None:
    """All of one size, a multiple of the smallest: what is in the journal has the same edges in each round."""
    people = run.people(4)
    size = run.chance.choice((LABEL.size, LABEL.size, LABEL.size + 64, LABEL.size + 448))
    in_threads(
        *(
            lambda user=user: send_letters(run, user, people, batches=(150, 50), sizes=(size,))
            for user in people
        )
    )


def journal_segments(run: Run) -> None:
    """More than a segment of the journal."""
    people = run.people(4)
    in_threads(
        *(
            lambda user=user: send_letters(run, user, people, batches=(70, 300, 300), sizes=(500, 900))
            for user in people
        )
    )


def large_messages(run: Run) -> None:
    """Contents that go to messages/, with small ones between them."""
    people = run.people(3)
    sizes = (300 * KIB, 256 * KIB + 1, 1000, 20_000, 8)
    in_threads(
        *(lambda user=user: send_letters(run, user, people, batches=(4, 2, 4), sizes=sizes) for user in people)
    )


def pulls(run: Run) -> None:
    """Messages that are taken while others come."""
    people = run.people(5)
    is_over = threading.Event()
    sizes = (8, 100, 3000, 300 * KIB)

    def send_all() -> None:
        try:
            in_threads(
                *(
                    lambda user=user: send_letters(
                        run, user, people, batches=(10, 50, 80), sizes=sizes[:3] * 12 + sizes[3:]
                    )
                    for user in people[:3]
                )
            )
        finally:
            is_over.set()

    in_threads(send_all, *(lambda user=user: pull(run, user, is_over) for user in people[2:4]))


def checkpoints(run: Run) -> None:
    """Contents that are large for the database: its log grows until it is taken into it."""
    people = run.people(3)
    in_threads(
        *(
            lambda user=user: send_letters(run, user, people, batches=(15, 15), sizes=(200 * KIB, 250 * KIB))
            for user in people
        )
    )


def mixtures(run: Run) -> None:
    people = run.people(6)
    is_over = threading.Event()

    def register() -> None:
        with run.server.connect() as client:
            for number in range(6):
                run.register(client, drop=number % 2 == 1)

    def change() -> None:
        try:
            in_threads(
                register,
                lambda: upload(run, people[0], batches=4, longest=6, names=8, sizes=(1, 5000, 70_000)),
                lambda: upload(run, people[1], batches=2, longest=3, names=3, sizes=(100, MIB + 100)),
                lambda: send_letters(run, people[2], people, batches=(5, 80, 80), sizes=(8, 46, 400)),
                lambda: send_letters(run, people[3], people, batches=(80, 5, 80), sizes=(8, 46, 400)),
                lambda: send_letters(run, people[4], people, batches=(3, 3), sizes=(8, 300 * KIB)),
            )
        finally:
            is_over.set()

    in_threads(change, lambda: pull(run, people[5], is_over))


LOADS: dict[str, Callable[[Run], None]] = {
    "registrations": registrations,
    "small-uploads": small_uploads,
    "large-uploads": large_uploads,
    "replacements": replacements,
    "tiny-messages": tiny_messages,
    "small-messages": small_messages,
    "journal-segments": journal_segments,
    "large-messages": large_messages,
    "pulls": pulls,
    "checkpoints": checkpoints,
    "mixtures": mixtures,
}
