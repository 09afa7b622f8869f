"""Loads beside those of powerloss/loads.py, finer in what their clients look at. They end with their server, or after
a while."""

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from peer import crypto
from peer.drop import User, file_frame, named_frame
from peer.frames import Answer, Request
from peer.messages import WAITING_FIXED, Message, pull_frame, read_messages
from powerloss.ledger import Label, digest, label_of
from powerloss.clients import Run, in_threads, new_letters, pipelined, send_group
from powerloss.server import CountingClient

# -- uploads

NAMES = ["a", "b", "folder/c", "שלום.txt", "n" * 254]
SIZES = [0, 1, 16, 1000, 10_000, 65_536, 300_000, 2_000_000]
UPLOADERS, BATCHES, LONGEST_BATCH = 6, 8, 8


def repeated_uploads(run: Run) -> None:
    """The same names over and over in one pipeline, each 1028 with its 1029: which content is there tells how far
    the server has come."""
    in_threads(*(lambda user=user: _upload_over_and_over(run, user) for user in run.people(UPLOADERS)))


def _upload_over_and_over(run: Run, user: User) -> None:
    chance = run.new_chance()
    with run.server.connect() as client:
        client.reconnect(user)
        for _ in range(BATCHES):
            files = [
                (chance.choice(NAMES), chance.randbytes(chance.choice(SIZES)))
                for _ in range(chance.randint(1, LONGEST_BATCH))
            ]
            _upload_batch(run, client, user, files)


def _upload_batch(run: Run, client: CountingClient, user: User, files: list[tuple[str, bytes]]) -> None:
    frames = []
    for name, plain in files:
        frames.append(file_frame(user.id, name, user.encrypt(plain)))
        frames.append(named_frame(user.id, Request.CRC_OK, name))
        run.notes.add("upload", None, user.id, name, digest(plain))

    def take() -> None:
        for name, plain in files:
            received = client.expect(Answer.FILE_RECEIVED).payload
            assert int.from_bytes(received[-4:], "little") == crypto.cksum(plain), "a wrong sum"
            client.expect(Answer.THANKS)
            run.notes.add("verified", client.answered(), user.id, name, digest(plain))

    pipelined(client, frames, take)


# -- messages

SENDERS, RECEIVERS, GROUPS, LONGEST_GROUP = 8, 3, 12, 40
MESSAGE_SIZES = [0] * 20 + [100] * 20 + [5000] * 8 + [100_000, 300_000]
SMALL_BUFFER = 4096
SURELY_UNREAD = 64 * 1024


@dataclass
class Inbox:
    """What one receiver has got, in all lives of the server."""

    got: dict[int, Label] = field(default_factory=dict)

    def take(self, message: Message) -> tuple[int, Label]:
        """New ones come oldest first, and one that comes again is the same."""
        label = label_of(message.content)
        if message.id in self.got:
            assert self.got[message.id] == label, f"id {message.id} was given twice"
            return message.id, label
        newest = next(reversed(self.got), 0)
        assert message.id > newest, f"message {message.id} comes for the first time behind {newest}"
        self.got[message.id] = label
        return message.id, label


class Conversations:
    """Many who send, a few who pull with little room: now and then these reset their connection in the middle of an
    answer. One receiver has one connection at a time."""

    def __init__(self):
        self.inboxes: dict[bytes, Inbox] = defaultdict(Inbox)

    def run(self, run: Run) -> None:
        people = run.people(SENDERS + RECEIVERS)
        receivers, senders = people[:RECEIVERS], people[RECEIVERS:]
        in_threads(
            *(lambda user=user: send_groups(run, user, receivers, sizes=MESSAGE_SIZES) for user in senders),
            beside=[lambda is_over, user=user: self._receive(run, user, is_over) for user in receivers],
        )

    def _receive(self, run: Run, user: User, is_over: threading.Event) -> None:
        chance, inbox = run.new_chance(), self.inboxes[user.id]
        while not is_over.is_set():
            with run.server.connect(receive_buffer=SMALL_BUFFER) as client:
                for _ in range(chance.randint(1, 5)):
                    count = chance.choice((1, 1, 2))
                    client.send(pull_frame(user.id) * count)
                    if not all(take_answer(run, client, inbox, chance) for _ in range(count)):
                        break


def take_answer(run: Run, client: CountingClient, inbox: Inbox, chance) -> bool:
    """Reads one answer, or breaks off on the way; False for that.

    What the receiver's system acknowledges counts as delivered, although nobody reads it: so this breaks off only
    where more is left than its small buffer can hold.
    """
    left = client.receive_waiting_header()
    patience = chance.choice((0, 1, 3, 10**9, 10**9, 10**9))
    taken = []
    try:
        for message in read_messages(client, left):
            taken.append(inbox.take(message))
            left -= WAITING_FIXED.size + len(message.content)
            patience -= 1
            if patience < 0 and left > SURELY_UNREAD:
                client.reset()
                return False
    finally:
        run.notes.add("delivered" if left == 0 else "seen", client.answered(), taken)
    return True


def send_groups(
    run: Run, user: User, receivers: list[User], *, sizes: Sequence[int], pauses: Sequence[float] = (0,)
) -> None:
    """Groups of messages, each pipelined."""
    chance = run.new_chance()
    with run.server.connect() as client:
        for _ in range(GROUPS):
            count = chance.randint(1, LONGEST_GROUP)
            letters = new_letters(run, user, receivers, [chance.choice(sizes) for _ in range(count)])
            send_group(run, client, letters, count)
            time.sleep(chance.choice(pauses))
