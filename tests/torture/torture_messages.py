#!/usr/bin/python3
"""Kills the server with `kill -9` while messages come and go, and compares what came out with what was said.

One data directory lives through all rounds. Senders are threads with a user each: they send messages in
pipelined batches to receivers by chance, and note what they sent and what was acknowledged, with its id. Each
receiver is a thread, too: it pulls, and reads its answers to the end, or breaks off on the way. What has to
hold, over all lives of the server:

- every acknowledged message comes out under the id that was told, with the content that was sent;
- a message that comes again (its receiver broke off, or the server died) comes with the same id;
- what was sent and never acknowledged comes out once or not at all, and of one life only a beginning of it;
- what a receiver has not seen before comes oldest first: ids of new messages count up, so each sender's
  messages come in the order in which they were sent.

Usage: torture_messages.py [--rounds N] [--messages N] [--seed N] [--senders N] [--receivers N] [--data DIR]
"""

import argparse
import random
import struct
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from peer import crypto  # noqa: E402
from peer.conversation import wait_until  # noqa: E402
from peer.drop import User  # noqa: E402
from peer.frames import ConnectionEnded  # noqa: E402
from peer.kesherd import Kesherd  # noqa: E402
from peer.messages import (
    WAITING_FIXED,
    Message,
    MessagesClient,
    Type,
    message_frame,
    pull_frame,
    read_messages,
)  # noqa: E402

LONGEST_BATCH = 40
LONGEST_LIFE_SECONDS = 1.5
SMALL_BUFFER = 4096
SURELY_NOT_ACKNOWLEDGED = 64 * 1024
SIZES = [0] * 20 + [100] * 20 + [5000] * 8 + [100_000, 300_000]
LABEL = struct.Struct("<II")  # sender's number, number of the message; the rest of a content follows from it


def content_of(sender: int, number: int, size: int) -> bytes:
    """The one content that this sender's message of that number and size has."""
    return LABEL.pack(sender, number) + random.Random(sender << 32 | number).randbytes(size)


@dataclass
class Sender:
    """One user that sends. What it noted is for others once its thread has ended."""

    number: int
    user: User
    chance: random.Random
    receivers: list["Receiver"]
    sizes: list[int] = field(default_factory=list)  # by number: the size of each message that was sent
    acknowledged: dict[int, tuple[int, bytes]] = field(default_factory=dict)  # number -> message id, receiver
    lives: list[tuple[int, int]] = field(default_factory=list)  # numbers sent in each life: from, up to
    surprise: BaseException | None = None

    def run(self, server: Kesherd, quota: int | None) -> None:
        """Sends until the server dies, or until that many were acknowledged in this life."""
        first, before = len(self.sizes), len(self.acknowledged)
        try:
            with server.connect() as client:
                while quota is None or len(self.acknowledged) - before < quota:
                    self._send_batch(client)
        except (ConnectionEnded, ConnectionError):
            pass  # the kill
        except BaseException as surprise:  # kept for the main thread, which reports it
            self.surprise = surprise
        self.lives.append((first, len(self.sizes)))

    def _send_batch(self, client: MessagesClient) -> None:
        batch = []
        frames = []
        for _ in range(self.chance.randint(1, LONGEST_BATCH)):
            number, size = len(self.sizes), self.chance.choice(SIZES)
            receiver = self.chance.choice(self.receivers).user.id
            self.sizes.append(size)
            batch.append((number, receiver))
            frames.append(
                message_frame(self.user.id, receiver, Type.TEXT, content_of(self.number, number, size))
            )
        thread = threading.Thread(target=client.send_as_far_as_taken, args=(b"".join(frames),))
        thread.start()
        try:
            for number, receiver in batch:
                self.acknowledged[number] = (client.expect_stored(receiver), receiver)
        finally:
            thread.join()


@dataclass
class Receiver:
    """One user that pulls. What it has got is for others once its thread has ended."""

    user: User
    chance: random.Random
    got: dict[int, tuple[int, int]] = field(default_factory=dict)  # message id -> sender, number
    repeated: int = 0
    surprise: BaseException | None = None

    def run(self, server: Kesherd, stop: threading.Event) -> None:
        try:
            while not stop.is_set():
                with server.connect(receive_buffer=SMALL_BUFFER) as client:
                    for _ in range(self.chance.randint(1, 5)):
                        if not self._pull(client):
                            break
        except (ConnectionEnded, ConnectionError):
            pass  # the kill
        except BaseException as surprise:  # kept for the main thread, which reports it
            self.surprise = surprise

    def _pull(self, client: MessagesClient) -> bool:
        """A few pipelined 604s with their answers; False when the connection was broken off."""
        count = self.chance.choice([1, 1, 2])
        client.send(pull_frame(self.user.id) * count)
        return all(self._take_answer(client) for _ in range(count))

    def _take_answer(self, client: MessagesClient) -> bool:
        """Reads one answer, or breaks off on the way; False for that.

        What the receiver's system acknowledges counts as delivered, although nobody reads it: so this breaks
        off only where more is left than its small buffer can hold.
        """
        left = client.receive_waiting_header()
        patience = self.chance.choice([0, 1, 3, 10**9, 10**9, 10**9])
        for message in read_messages(client, left):
            self.take(message)
            left -= WAITING_FIXED.size + len(message.content)
            patience -= 1
            if patience < 0 and left > SURELY_NOT_ACKNOWLEDGED:
                client.reset()
                return False
        return True

    def take(self, message: Message) -> None:
        sender, number = LABEL.unpack_from(message.content)
        size = len(message.content) - LABEL.size
        assert message.content == content_of(sender, number, size), f"message {message.id} is damaged"
        if message.id in self.got:
            assert self.got[message.id] == (sender, number), f"id {message.id} was given twice"
            self.repeated += 1
            return
        newest = next(reversed(self.got), 0)
        assert message.id > newest, f"message {message.id} comes for the first time behind {newest}"
        self.got[message.id] = (sender, number)

    def take_the_rest(self, server: Kesherd) -> None:
        """Pulls until the server has nothing left for this user, and knows that it was taken."""
        with server.connect() as client:

            def nothing_is_left() -> bool:
                for message in client.pull_until_empty(self.user):
                    self.take(message)
                return server.waiting_ids(self.user.id) == []

            wait_until(nothing_is_left, f"the deletion of everything of {self.user.name}")


def check_came_out(sender: Sender, receivers: list[Receiver]) -> None:
    """Everything that this sender was promised, and nothing more than it sent."""
    came: dict[int, tuple[int, bytes]] = {}
    for receiver in receivers:
        newest = -1
        for message_id, (number_of_sender, number) in receiver.got.items():
            if number_of_sender != sender.number:
                continue
            assert number > newest, f"{sender.user.name}: {number} comes behind {newest}"
            assert number not in came, f"{sender.user.name}: {number} has two ids"
            came[number] = (message_id, receiver.user.id)
            newest = number
    for number, told in sender.acknowledged.items():
        assert (
            came.get(number) == told
        ), f"{sender.user.name}: {number} was told as {told}, came as {came.get(number)}"
    for first, behind in sender.lives:
        stored = [number for number in range(first, behind) if number in came]
        assert stored == list(range(first, first + len(stored))), f"{sender.user.name}: a gap in {stored}"
    ids = [came[number][0] for number in sorted(came)]
    assert ids == sorted(ids), f"{sender.user.name}: ids do not count up"


class Torture:
    def __init__(self, data: Path, *, seed: int, senders: int, receivers: int):
        self.chance = random.Random(seed)
        self.server = Kesherd(data, log_level="info", pull_limit=1_000_000).start()
        key = crypto.new_private_key()
        with self.server.connect() as client:
            self.receivers = [
                Receiver(client.register_for_messages(User(f"receiver {number}", key)), self._new_chance())
                for number in range(receivers)
            ]
            self.senders = [
                Sender(
                    number,
                    client.register_for_messages(User(f"sender {number}", key)),
                    self._new_chance(),
                    self.receivers,
                )
                for number in range(senders)
            ]

    def _new_chance(self) -> random.Random:
        return random.Random(self.chance.random())

    def live(self, *, quota: int | None) -> None:
        """One life of the server: with a quota to the end of everybody's, else until it is killed."""
        stop = threading.Event()
        sending = [threading.Thread(target=each.run, args=(self.server, quota)) for each in self.senders]
        pulling = [threading.Thread(target=each.run, args=(self.server, stop)) for each in self.receivers]
        for thread in sending + pulling:
            thread.start()
        if quota is None:
            stop.wait(self.chance.uniform(0, LONGEST_LIFE_SECONDS))
            self.server.kill()
        for thread in sending:
            thread.join()
        stop.set()
        for thread in pulling:
            thread.join()
        for each in [*self.senders, *self.receivers]:
            if each.surprise:
                raise each.surprise

    @property
    def acknowledged(self) -> int:
        return sum(len(sender.acknowledged) for sender in self.senders)

    def run(self, *, rounds: int, messages: int) -> None:
        for _ in range(rounds):
            self.live(quota=None)
            self.server.start()
            assert self.server.rows("PRAGMA integrity_check") == [("ok",)]
        missing = messages - self.acknowledged
        if missing > 0:
            self.live(quota=missing // len(self.senders) + 1)

    def check(self) -> None:
        for receiver in self.receivers:
            receiver.take_the_rest(self.server)
        for sender in self.senders:
            check_came_out(sender, self.receivers)
        assert self.server.rows("SELECT COUNT(*) FROM messages") == [(0,)]


def torture(data: Path, *, rounds: int, messages: int, seed: int, senders: int, receivers: int) -> int:
    """Runs all rounds, then goes on until that many messages were acknowledged; how many were.

    AssertionError says what went wrong.
    """
    run = Torture(data, seed=seed, senders=senders, receivers=receivers)
    try:
        run.run(rounds=rounds, messages=messages)
        run.check()
    except BaseException as problem:
        run.server.kill()
        raise AssertionError(f"seed {seed}: {problem!r}") from problem
    run.server.stop()
    return run.acknowledged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--messages", type=int, default=0, help="at least so many are sent altogether")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--senders", type=int, default=50)
    parser.add_argument("--receivers", type=int, default=5)
    parser.add_argument("--data", type=Path, help="a directory that is kept; by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary, "data")
        print(f"{options.rounds} rounds, seed {options.seed}, data in {data}")
        acknowledged = torture(
            data,
            rounds=options.rounds,
            messages=options.messages,
            seed=options.seed,
            senders=options.senders,
            receivers=options.receivers,
        )
    print(f"nothing lost: {acknowledged} messages were acknowledged in {options.rounds + 1} lives")
    return 0


if __name__ == "__main__":
    sys.exit(main())
