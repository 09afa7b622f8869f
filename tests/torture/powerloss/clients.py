"""What one client does to a recorded server. What clients send and are answered goes into the notes of a `Run`."""

import contextlib
import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from peer.crypto import aes_encrypt
from peer.drop import Refused, User, file_frame, named_frame
from peer.frames import DROP_ERROR, MESSAGES_ERROR, Answer, ConnectionEnded, Request
from peer.messages import Type, message_frame, pull_frame

from .ledger import LABEL, Notes, Put, content_of, digest, label_of
from .recording import size_of_log
from .server import CountingClient, CountingOperator, Server

KIB, MIB = 1 << 10, 1 << 20
LONG_NAME = 200  # what is kept of it on disk is shorter
SETTLED_SECONDS = 1.5  # more than the settle time of loads in which a receiver only waits
TYPES = (Type.KEY, Type.TEXT, Type.FILE)


@dataclass
class Run:
    """One life of a recorded server, and those who use it."""

    server: Server
    life: int
    chance: random.Random
    private_key: object
    users: list[User]  # who are known from earlier lives, and have a key
    log: Path | None = None  # of the recorder, where there is one
    accounts: list[str] = field(default_factory=list)  # names of those who are known
    puts: list[Put] = field(default_factory=list)  # that were begun in earlier lives
    notes: Notes = field(default_factory=Notes)
    # Counted by many threads, which `next` of a counter is safe for.
    senders: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    registered: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def begins(self) -> int:
        """The place in the recording before which what is done next cannot have an effect."""
        return size_of_log(self.log) if self.log is not None else 0

    def register(self, client: CountingClient, *, drop: bool = False, name: str = "") -> User:
        """A new user, by the messages service, or by the drop and then with a key."""
        user = User(name or f"user {self.life} {next(self.registered)}", self.private_key)
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


def in_threads(*actions: Callable[[], None], beside: Sequence[Callable[[threading.Event], None]] = ()) -> None:
    """Runs all at once, and `beside` them others, whose event is set when `actions` are over. The first failure is
    raised."""
    is_over, failures = threading.Event(), []

    def guarded(action: Callable[[], None]) -> None:
        try:
            action()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(action,)) for action in actions]
    others = [threading.Thread(target=guarded, args=(lambda act=act: act(is_over),)) for act in beside]
    for thread in (*threads, *others):
        thread.start()
    for thread in threads:
        thread.join()
    is_over.set()
    for thread in others:
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


def file_name(number: int) -> str:
    """Every third one is so long that only its row tells it: without that, no start finds the file again."""
    return f"file {number}" if number % 3 < 2 else f"file {number} ".ljust(LONG_NAME, "+")


def upload(run: Run, user: User, *, batches: int, longest: int, names: int, sizes: Sequence[int]) -> None:
    """Batches of files with different names in each; some are never confirmed."""
    chance = run.new_chance()
    with run.server.connect() as client:
        client.reconnect(user)
        for _ in range(batches):
            count = chance.randint(1, min(longest, names))
            files = [
                (file_name(number), chance.randbytes(chance.choice(sizes)))
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


def upload_if_taken(run: Run, client: CountingClient, user: User, name: str, plain: bytes) -> None:
    """One file, where the server may refuse it at either step: then nobody may find it."""
    client.send(file_frame(user.id, name, aes_encrypt(user.aes_key, plain)))
    if client.receive() == DROP_ERROR:
        return
    run.notes.add("upload", None, user.id, name, digest(plain))
    client.send(named_frame(user.id, Request.CRC_OK, name))
    is_taken = client.expect(Answer.THANKS, Answer.ERROR) != DROP_ERROR
    run.notes.add("verified" if is_taken else "refused", client.answered(), user.id, name, digest(plain))


def send_group(
    run: Run, client: CountingClient, letters: Letters, count: int, *, may_be_refused: bool = False
) -> None:
    """Pipelines so many of them. Those that are refused nobody may find."""
    sent, frames = letters.sent[:count], letters.frames[:count]
    del letters.sent[:count], letters.frames[:count]
    for label, receiver, kind, size in sent:
        run.notes.add("letter", None, label, letters.sender.id, receiver.id, kind, size)

    def take() -> None:
        for label, receiver, _, _ in sent:
            try:
                message_id = client.expect_stored(receiver.id)
                run.notes.add("stored", client.answered(), label, message_id)
            except Refused as refusal:
                if not may_be_refused or refusal.answer != MESSAGES_ERROR:
                    raise
                run.notes.add("not stored", client.answered(), label)

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
    run: Run,
    user: User,
    receivers: Sequence[User],
    *,
    batches: Sequence[int],
    sizes: Sequence[int],
    may_be_refused: bool = False,
) -> None:
    """Messages of sizes by chance, so many of them pipelined at a time."""
    chance = run.new_chance()
    letters = new_letters(run, user, receivers, [chance.choice(sizes) for _ in range(sum(batches))])
    with run.server.connect() as client:
        for batch in batches:
            send_group(run, client, letters, batch, may_be_refused=may_be_refused)


# -- receivers


def take(run: Run, client: CountingClient, user: User) -> bool:
    """What waits, or a part of it; False when nothing did."""
    messages = client.pull(user)
    if messages:
        labels = [(message.id, label_of(message.content)) for message in messages]
        run.notes.add("delivered", client.answered(), labels)
    return bool(messages)


def pull(run: Run, user: User, is_over: threading.Event) -> None:
    """Takes what waits, until nothing more comes."""
    with run.server.connect() as client:
        while True:
            last = is_over.is_set()
            if take(run, client, user):
                continue
            if last:
                return
            is_over.wait(0.005)


def take_and_reset(run: Run, user: User, way: str) -> None:
    """Of an answer nothing is read, one message, or all; then the connection is reset before it has settled, so
    everything waits again."""
    with run.server.connect() as client:
        client.send(pull_frame(user.id))
        if way != "unread":
            messages = client.stream_messages()
            next(messages, None)
            if way == "read":
                list(messages)
        client.reset()


def take_and_close(run: Run, user: User, way: str) -> None:
    """One answer on a connection of its own, which then ends, or is left until it has settled."""
    with run.server.connect() as client:
        take(run, client, user)
        if way == "half closed":
            client.finish_sending()
            client.receive_until_end()
        elif way == "left":
            time.sleep(SETTLED_SECONDS)


def take_beside_damage(run: Run, user: User) -> None:
    """What waits, of which something is damaged: it is put aside, and where part of an answer was sent already, the
    connection ends."""
    is_over = False
    while not is_over:
        with run.server.connect() as client, contextlib.suppress(ConnectionEnded):
            while take(run, client, user):
                pass
            is_over = True


# -- operators


def remove(run: Run, operator: CountingOperator, user: User) -> None:
    run.notes.add("removing", run.begins(), user.name, user.id)
    operator.succeed(f"1 remove {user.name}")
    run.notes.add("removed", operator.answered(), user.name, user.id)


def reset_key(run: Run, operator: CountingOperator, user: User) -> None:
    run.notes.add("resetting", run.begins(), user.name)
    operator.succeed(f"1 reset-key {user.name}")
    run.notes.add("reset", operator.answered(), user.name)


def send_key_again(run: Run, client: CountingClient, user: User) -> None:
    run.notes.add("key", run.begins(), user.name)
    client.send_public_key(user)
    run.notes.add("registered", client.answered(), user.name, user.id, True)


def repair(run: Run, operator: CountingOperator) -> None:
    """It says so when something was wrong, though it is put aside; then nothing is any more."""
    operator.ask("1 repair")
    run.notes.add("repaired", operator.answered())
    operator.succeed("1 check")
