"""Receivers that die unread or half read, stall, compete, reset at any byte, shut down half, while senders go on: in
the end everything acknowledged has come out, the same under each id, in order, and nobody holds anything of it.

What a system has acknowledged for a program that lives on and never reads is gone when it has settled, as protocol.md
says. So either nothing settles by time here, and receivers may do as they like; or it does so fast, and a receiver that
breaks off leaves more unread than its system can have taken. Only then some shut down their half before the answer
comes: the server's end follows the answer, and once a system has both ends it resets nothing, whatever was not read.
"""

import random
import threading
import time
from collections import defaultdict

from harness.campaign import Trial
from peer.conversation import wait_until
from peer.drop import User
from peer.frames import RESPONSE_HEADER, ConnectionEnded
from peer.messages import WAITING_FIXED, Message, pull_frame
from powerloss.ledger import Label, label_of
from powerloss.clients import Run, in_threads
from powerloss.server import CountingClient

from .past import Clients, Past, Victim
from .shortages import expect_no_leak
from .traffic import SMALL_BUFFER, SURELY_UNREAD, send_groups

SENDERS, RECEIVERS, CONNECTIONS = 3, 2, 3  # and so many connections for each receiver
PAUSES = (0, 0.05, 0.1)  # seconds between the groups of a sender
SIZES = [8] * 20 + [100] * 20 + [3000] * 20 + [60_000] * 6 + [300_000] * 2 + [5_000_000]
LATE_MS, SOON_MS = 30_000, 150
LEASE_MS = 300
STALLS = (0, 0, 0, 0.01, 0.2, 1.5 * LEASE_MS / 1000)


class Inboxes:
    """What came out of all connections of each receiver, whether it was kept or broken off."""

    def __init__(self, trial: Trial, run: Run):
        self.trial = trial
        self.run = run
        self._lock = threading.Lock()
        self.seen: dict[bytes, dict[int, Label]] = defaultdict(dict)

    def take(self, user: User, messages: list[Message], is_whole: bool) -> None:
        """Of one answer. Between answers, what somebody else has broken off may come back."""
        labels, newest = [], 0
        for message in messages:
            assert message.id > newest, f"message {message.id} behind {newest} in one answer"
            newest = message.id
            labels.append((message.id, label_of(message.content)))
        with self._lock:
            for message_id, label in labels:
                known = self.seen[user.id].setdefault(message_id, label)
                assert known == label, f"message {message_id} was {known}, comes again as {label}"
        self.run.notes.add("delivered" if is_whole else "seen", None, labels)
        self.trial.count("messages taken", len(labels))


class Broken(Exception):
    """This receiver has broken off."""


class Receiver:
    """One connection after the other of one user, each with manners of its own."""

    def __init__(self, inboxes: Inboxes, user: User, chance: random.Random, may_die_anywhere: bool):
        self.inboxes = inboxes
        self.user = user
        self.chance = chance
        self.may_die_anywhere = may_die_anywhere

    def run(self, is_over: threading.Event) -> None:
        while not is_over.is_set():
            buffer = self.chance.choice((None, SMALL_BUFFER, SMALL_BUFFER))
            client = self.inboxes.run.server.connect(receive_buffer=buffer)
            try:
                self._visit(client, buffer is not None)
                client.close()
            except Broken:
                self.inboxes.trial.count("broken off")
                client.reset()
            except (ConnectionEnded, ConnectionError):  # it has stalled for too long
                self.inboxes.trial.count("cut off")
                client.close()

    def _visit(self, client: CountingClient, is_small: bool) -> None:
        pulls = self.chance.choice((1, 1, 2, 4))
        client.send(pull_frame(self.user.id) * pulls)
        if not self.may_die_anywhere and self.chance.random() < 0.2:
            client.finish_sending()
        if self.may_die_anywhere and self.chance.random() < 0.15:
            time.sleep(self.chance.choice(STALLS))
            raise Broken  # with all unread
        for _ in range(pulls):
            self._take_answer(client, is_small)

    def _take_answer(self, client: CountingClient, is_small: bool) -> None:
        _, _, size = RESPONSE_HEADER.unpack(client.receive_exactly(RESPONSE_HEADER.size))
        taken = self._how_far(size, is_small)
        before = self.chance.randint(0, taken)
        data = client.receive_exactly(before)
        time.sleep(self.chance.choice(STALLS))
        try:
            data += client.receive_exactly(taken - before)
        finally:
            self.inboxes.take(self.user, whole_messages(data), len(data) == size)
        if taken < size:
            raise Broken

    def _how_far(self, size: int, is_small: bool) -> int:
        """How much of an answer it reads before it breaks off; all, and it does not."""
        if size == 0 or self.chance.random() < 0.4:
            return size
        if self.may_die_anywhere:
            return self.chance.choice((0, size - 1, self.chance.randrange(size)))
        return self.chance.randrange(size - SURELY_UNREAD) if is_small and size > SURELY_UNREAD else size


def whole_messages(data: bytes) -> list[Message]:
    """Those of an answer that are there to their ends."""
    messages, place = [], 0
    while place + WAITING_FIXED.size <= len(data):
        sender, number, kind, size = WAITING_FIXED.unpack_from(data, place)
        place += WAITING_FIXED.size + size
        if place <= len(data):
            messages.append(Message(sender, number, kind, data[place - size : place]))
    return messages


def converse(inboxes: Inboxes, run: Run, people: list[User], may_die_anywhere: bool) -> None:
    receivers, senders = people[:RECEIVERS], people[RECEIVERS:]
    takers = [
        Receiver(inboxes, user, run.new_chance(), may_die_anywhere) for user in receivers for _ in range(CONNECTIONS)
    ]
    in_threads(
        *(lambda user=user: send_groups(run, user, receivers, sizes=SIZES, pauses=PAUSES) for user in senders),
        beside=[taker.run for taker in takers],
    )


def take_the_rest(inboxes: Inboxes, server: Victim, user: User) -> None:
    """All others are gone: whatever is left comes now, and then nothing more."""

    def nothing_is_left() -> bool:
        with server.connect() as client:
            while messages := client.pull(user):
                inboxes.take(user, messages, True)
        return server.waiting_ids(user.id) == []

    wait_until(nothing_is_left, f"the last messages of {user.name}")
    with server.connect() as client:
        assert client.pull(user) == []


def receivers(trial: Trial) -> None:
    may_die_anywhere = trial.chance.random() < 0.6
    server = Victim(
        trial.folder, settle_time_ms=LATE_MS if may_die_anywhere else SOON_MS, lease_lifetime_ms=LEASE_MS
    )
    past = Past(trial, server)
    try:
        server.start()
        run = past.new_run()
        inboxes, people = Inboxes(trial, run), run.people(SENDERS + RECEIVERS)
        clients = Clients(trial, lambda: converse(inboxes, run, people, may_die_anywhere))
        clients.join()
        for user in people[:RECEIVERS]:
            take_the_rest(inboxes, server, user)
        past.take(run)
        expect_all_came(trial, past, inboxes)
        expect_no_leak(trial, server)
        past.kill()
        server.start()
        if found := past.settle().messages:
            trial.problem(f"message came back: {[message[0] for message in found]}, which were taken")
        past.end()
    finally:
        server.kill()


def expect_all_came(trial: Trial, past: Past, inboxes: Inboxes) -> None:
    came = {label for seen in inboxes.seen.values() for label in seen.values()}
    for label, letter in past.ledger.letters.items():
        if letter.id is not None and label not in came:
            trial.problem(f"message lost: {label}, acknowledged as {letter.id}, never came out")
