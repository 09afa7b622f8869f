"""Honest users under whom something else happens: each does its own over and over, and everything that it gets is
checked."""

import os
import threading
from collections.abc import Callable

from .chat import MARK, Ear, LineClient
from .conversation import send_all, two_users, wait_until
from .messages import MessagesClient

FILE_SIZE = 300_000
TEXTS = 10

Step = Callable[[int], None]


class Load:
    """Takes one step after the other, in a thread of its own, until it is told to stop; keeps what surprised it."""

    def __init__(self, step: Step):
        self.count = 0
        self.surprise: BaseException | None = None
        self._stop = threading.Event()
        self._step = step
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                self._step(self.count)
                self.count += 1
        except BaseException as surprise:  # kept for whoever looks or stops
            self.surprise = surprise

    def has_got_to(self, count: int) -> bool:
        if self.surprise:
            raise self.surprise
        return self.count >= count

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def await_progress(loads: list[Load], steps: int = 2) -> None:
    """Waits until each has begun a step and ended it. (With one step more it might have begun before.)"""
    wanted = [(load, load.count + steps) for load in loads]
    wait_until(lambda: all(load.has_got_to(count) for load, count in wanted), "progress")


def stop_all(loads: list[Load]) -> None:
    for load in loads:
        load.stop()
    for load in loads:
        load.has_got_to(0)


def uploading(client: MessagesClient, new_user) -> Step:
    """Replaces a few files of one user again and again."""
    user, plain = client.introduce(new_user()), os.urandom(FILE_SIZE)
    return lambda number: client.put(user, f"file {number % 5}", plain)


def conversing(client: MessagesClient, new_user) -> Step:
    """Sends messages, and pulls them."""
    sender, receiver, alias = two_users(client, new_user)

    def step(number: int) -> None:
        texts = [b"%d.%d" % (number, part) for part in range(TEXTS)]
        send_all(client, sender, alias, texts)
        assert [message.content for message in client.pull_until_empty(receiver)] == texts

    return step


def chatting(host: LineClient, guest: LineClient) -> Step:
    """A guest talks, and the host hears it."""
    guest.join("guest", host.create("host"))
    ear = Ear(host)

    def step(number: int) -> None:
        guest.write(f"text {number}{MARK}")
        ear.listen_for(f"text {number}{MARK}")
        ear.data.clear()

    return step
