"""SIGSTOP and SIGCONT: short ones under load, and one that is longer than all of the server's patience.

To a server that stood still everything happens at once when it goes on: its deadlines have passed, and what its peers
did in time lies in its sockets. Nobody who was in time may be turned away, nothing be taken for delivered that was not.
"""

import itertools
import os
import signal
import time

from harness.campaign import Trial
from peer.ask import AskClient, greeted
from peer.chat import ENTER_GROUP, ENTER_NAME, JOIN, MENU, LineClient, said
from peer.conversation import taken, wait_until
from peer.drop import User, file_frame
from peer.frames import NO_ID, Answer, request
from peer.messages import WAITING_FIXED, Type, message_frame, pull_frame
from powerloss.loads import LOADS
from powerloss.keys import KEY
from powerloss.server import CountingClient

from .past import CLIENT_SECONDS, Clients, Past, Victim

SHORT_LOADS = ("mixtures", "pulls", "small-uploads", "large-uploads", "large-messages")
PATIENCE = (3, 8, 20)  # seconds: all of the server's; more where this machine is too slow for less
LONGER = 1
SMALL_BUFFER = 4096
UNKNOWN_CODE = 777
LARGE = 3 << 20

_numbers = itertools.count(1)


class Scene:
    """Somebody in the middle of something when the server stops: what is done before, meanwhile, and found after."""

    def __init__(self, server: Victim):
        self.server = server
        self.client = server.connect()

    def new_user(self) -> User:
        return self.client.register_for_messages(User(f"{type(self).__name__} {next(_numbers)}", KEY))

    def send_half(self, frame: bytes, size: int) -> None:
        """The server has this beginning when this returns: it came with a request that was answered."""
        self.client.send(taken(self.user) + frame[:size])
        self.client.expect(Answer.REGISTER_REFUSED)
        self.rest = frame[size:]

    def prepare(self) -> None:
        """What may take a while."""
        self.user = self.new_user()

    def begin(self) -> None:
        pass

    def meanwhile(self) -> None:
        pass

    def after(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        self.client.close()


class HalfHeader(Scene):
    def begin(self):
        self.send_half(request(NO_ID, UNKNOWN_CODE), 11)

    def meanwhile(self):
        self.client.send(self.rest)

    def after(self):
        self.client.expect(Answer.MESSAGES_ERROR)


class HalfUpload(Scene):
    def prepare(self):
        super().prepare()
        self.client.reconnect(self.user)
        self.plain = os.urandom(100_000)

    def begin(self):
        self.send_half(file_frame(self.user.id, "file", self.user.encrypt(self.plain)), 50_000)

    def meanwhile(self):
        self.client.send(self.rest)

    def after(self):
        self.client.expect(Answer.FILE_RECEIVED)
        self.client.confirm(self.user, "file")
        assert self.server.stored(self.user.id, "file") == self.plain


class HalfMessage(Scene):
    def begin(self):
        self.send_half(message_frame(self.user.id, self.user.id, Type.TEXT, bytes(1000)), 500)

    def meanwhile(self):
        self.client.send(self.rest)

    def after(self):
        self.client.expect_stored(self.user.id)


class SlowTaker(Scene):
    """Its pull is larger than the buffers on the way; it takes what is there, all the time."""

    def prepare(self):
        super().prepare()
        self.ids = [self.client.send_message(self.user, self.user.id, bytes(LARGE))]

    def begin(self):
        self.taker = self.server.connect(receive_buffer=SMALL_BUFFER)
        self.taker.send(pull_frame(self.user.id))
        assert self.taker.receive_waiting_header() == WAITING_FIXED.size + LARGE
        self.left = WAITING_FIXED.size + LARGE

    def meanwhile(self):
        while not self.taker.is_silent_for(0.3):
            self.left -= len(self.taker.socket.recv(min(self.left, 65536)))

    def after(self):
        self.taker.receive_exactly(self.left)
        self.taker.close()
        wait_until(lambda: self.server.waiting_ids(self.user.id) == [], "the deletion of what a slow one has taken")


class Pulled(Scene):
    """Its system has acknowledged all of an answer, which settles."""

    def prepare(self):
        super().prepare()
        self.ids = [self.client.send_message(self.user, self.user.id, b"%d" % number) for number in range(3)]

    def begin(self):
        self.taker = self.server.connect()
        self.taker.send(pull_frame(self.user.id))
        self.taker.socket.recv(1)
        wait_until(lambda: self.server.unacknowledged_bytes(self.taker) == 0, "the acknowledgement")

    def take(self) -> None:
        """All of it; a byte is taken already."""
        self.taker.receive_exactly(6 + len(self.ids) * (WAITING_FIXED.size + 1))

    def expect_again(self) -> None:
        came: list[int] = []

        def all_came() -> bool:
            came.extend(message.id for message in self.client.pull(self.user))
            return len(came) >= len(self.ids)

        wait_until(all_came, f"messages {self.ids} of one whose receiver died unread; {came} came")
        assert came == self.ids, (came, self.ids)


class DiedUnread(Pulled):
    """It resets while the server stands still: nothing was read."""

    def meanwhile(self):
        self.taker.reset()

    after = Pulled.expect_again


class DiedHalfRead(Pulled):
    """The message is too large for its system to take it all; who would have taken it all settles meanwhile, and others
    get what came later."""

    def prepare(self):
        Scene.prepare(self)
        self.ids = [self.client.send_message(self.user, self.user.id, bytes(size)) for size in (LARGE, 1, 2)]

    def begin(self):
        self.taker = self.server.connect(receive_buffer=SMALL_BUFFER)
        self.taker.send(pull_frame(self.user.id))
        self.taker.receive_waiting_header()
        self.taker.receive_exactly(WAITING_FIXED.size + 1)

    def meanwhile(self):
        self.taker.reset()

    after = Pulled.expect_again


class Ended(Pulled):
    """It reads all, and closes."""

    def meanwhile(self):
        self.take()
        self.taker.close()

    def after(self):
        wait_until(lambda: self.server.waiting_ids(self.user.id) == [], "the deletion of what was taken")
        assert self.client.pull(self.user) == []


class Stayed(Pulled):
    """It reads all, says nothing, and can go on afterwards."""

    def meanwhile(self):
        self.take()

    def after(self):
        wait_until(lambda: self.server.waiting_ids(self.user.id) == [], "the deletion of what has settled")
        assert self.taker.pull(self.user) == []
        self.taker.close()


class Talk(Scene):
    """Two members of a group, and one who is asked for a name."""

    LINES = 40

    def prepare(self):
        address = self.server.chat_address
        self.host, self.guest, self.comer = (LineClient(address, timeout=CLIENT_SECONDS) for _ in range(3))
        self.guest.join("guest", self.host.create("host"))

    def begin(self):
        self.comer.expect(MENU)
        self.comer.answer(JOIN, ENTER_NAME)

    def meanwhile(self):
        for number in range(self.LINES):
            self.host.write(f"h{number}")
            self.guest.write(f"g{number}")
        self.comer.write("comer")

    def after(self):
        for number in range(self.LINES):
            self.host.expect(said("guest", f"g{number}"))
            self.guest.expect(said("host", f"h{number}"))
        self.comer.expect(ENTER_GROUP)

    def end(self):
        super().end()
        for client in (self.host, self.guest, self.comer):
            client.close()


class Asked(Scene):
    def prepare(self):
        self.asker: AskClient = greeted(self.server.ask_address, timeout=CLIENT_SECONDS)

    def meanwhile(self):
        self.asker.send(b"RANDTIME")

    def after(self):
        assert 1 <= int(self.asker.receive_reply()) <= 10
        self.asker.receive_reply()
        self.asker.close()


class Newcomer(Scene):
    """It comes while nobody takes it in."""

    def prepare(self):
        pass

    def meanwhile(self):
        self.newcomers: list[CountingClient] = [self.server.connect() for _ in range(20)]
        for client in self.newcomers:
            client.send(request(NO_ID, UNKNOWN_CODE))

    def after(self):
        for client in self.newcomers:
            client.expect(Answer.MESSAGES_ERROR)
            client.close()


SCENES = (
    HalfHeader, HalfUpload, HalfMessage, SlowTaker, DiedUnread, DiedHalfRead, Ended, Stayed, Talk, Asked, Newcomer
)  # fmt: skip


def pause_under_load(past: Past) -> None:
    """Stops and goes on, over and over, while clients work: none of them notices but by its pace."""
    trial, run = past.trial, past.new_run()
    load = LOADS[trial.chance.choice(SHORT_LOADS)].act
    clients = Clients(trial, lambda: load(run))
    while clients.is_busy():
        time.sleep(trial.chance.uniform(0, 0.1))
        past.server.signal(signal.SIGSTOP)
        time.sleep(trial.chance.choice((0, 0.01, 0.1, 0.3)))
        past.server.signal(signal.SIGCONT)
        trial.count("pauses")
    clients.join()
    past.take(run)


def with_patience(seconds: int) -> dict[str, int]:
    return {
        "payload_timeout": seconds,
        "header_timeout": seconds,
        "prompt_timeout": seconds,
        "lease_lifetime_ms": seconds * 1000,
        "settle_time_ms": seconds * 1000,
    }


def pause_for_long(trial: Trial, server: Victim, patience: int) -> bool:
    """Longer than the server's patience, in the middle of everything. False when that was over before."""
    scenes = [kind(server) for kind in SCENES * 2]
    trial.chance.shuffle(scenes)
    for scene in scenes:
        scene.prepare()
    began = time.monotonic()
    for scene in scenes:
        scene.begin()
    server.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    if stopped - began > patience / 2:
        server.signal(signal.SIGCONT)
        for scene in scenes:
            scene.end()
        return False
    for scene in scenes:
        scene.meanwhile()
    time.sleep(max(0.0, stopped + patience + LONGER - time.monotonic()))
    server.signal(signal.SIGCONT)
    trial.count("long pauses")
    for scene in scenes:
        try:
            scene.after()
        except Exception as failure:  # others may take as long to fail
            trial.problem(f"after a pause, {type(scene).__name__}: {type(failure).__name__} {failure}")
            break
        scene.end()
        trial.count("scenes")
    return True


def pause(trial: Trial) -> None:
    past = Past(trial, Victim(trial.folder))
    server = past.server
    try:
        server.start()
        pause_under_load(past)
        past.kill()
        server.start()
        past.use(past.settle())
        past.end()
        for patience in PATIENCE:
            server.configure(public_ids="plain", **with_patience(patience))
            server.start()
            is_done = pause_for_long(trial, server, patience)
            past.end()
            if is_done:
                break
            trial.count("long pauses that came too late")
    finally:
        server.kill()
