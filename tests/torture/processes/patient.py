"""Users who do their own over and over while the server is short of something: a step may be refused, or its connection
end, but what was answered is owed; and once the server has all again, each gets on."""

import threading
from collections.abc import Callable

from peer.drop import Refused, User, file_frame, named_frame
from peer.frames import Answer, ConnectionEnded, Request
from peer.load import Load
from peer.messages import Type, message_frame, pull_frame, read_messages
from powerloss.clients import Run
from powerloss.guest import Course, Guest
from powerloss.ledger import content_of, digest, label_of
from powerloss.server import CountingClient

from .past import Past

UPLOAD_SIZES = (0, 1000, 60_000, 300_000, 2_000_000)
LETTER_SIZES = (8, 8, 100, 5000, 200_000, 300_000, 1_000_000)
PAUSE_SECONDS = 0.002  # between the steps of one user


class Patient:
    """One user. `done` counts steps that were neither refused nor lost."""

    def __init__(self, past: Past, run: Run, user: User, others: list[User], course: Course):
        self.past = past
        self.run = run
        self.user = user
        self.others = others
        self.guest = Guest(course, run.server.connect)
        self.chance = run.new_chance()
        self.done = 0
        self.client: CountingClient | None = None

    def step(self, act: Callable[["Patient"], None]) -> None:
        def take(client: CountingClient) -> bool:
            if client is not self.client:  # another one: what was not answered tells nothing of what follows
                self.client, self.has_key = client, False
                self.sender, self.number = self.run.new_sender(), 0
            act(self)
            return True

        take.__name__ = act.__name__
        if self.guest.take(take, legal=(Answer.REGISTER_REFUSED,)):
            self.done += 1
        threading.Event().wait(PAUSE_SECONDS)

    def close(self) -> None:
        self.guest.leave()

    # -- steps

    def upload(self) -> None:
        if not self.has_key:
            self.client.reconnect(self.user)
            self.has_key = True
        name, plain = f"file {self.chance.randrange(5)}", self.chance.randbytes(self.chance.choice(UPLOAD_SIZES))
        self.client.send(file_frame(self.user.id, name, self.user.encrypt(plain)))
        self.client.expect(Answer.FILE_RECEIVED)
        self.run.notes.add("upload", None, self.user.id, name, digest(plain))
        self.client.send(named_frame(self.user.id, Request.CRC_OK, name))
        self.client.expect(Answer.THANKS)
        self.run.notes.add("verified", self.client.answered(), self.user.id, name, digest(plain))

    def write(self) -> None:
        """To anybody of the others. One that was refused is another one than the next."""
        label, self.number = (self.sender, self.number), self.number + 1
        size, receiver = self.chance.choice(LETTER_SIZES), self.chance.choice(self.others).id
        self.run.notes.add("letter", None, label, self.user.id, receiver, int(Type.TEXT), size)
        self.client.send(message_frame(self.user.id, receiver, Type.TEXT, content_of(*label, size)))
        try:
            message_id = self.client.expect_stored(receiver)
        except Refused:
            self.past.refused.add(label)
            raise
        self.run.notes.add("stored", self.client.answered(), label, message_id)

    def pull(self) -> None:
        self.client.send(pull_frame(self.user.id))
        size, taken = self.client.receive_waiting_header(), []
        try:
            for message in read_messages(self.client, size):
                taken.append((message.id, label_of(message.content)))
        except (ConnectionEnded, ConnectionError):
            self.run.notes.add("seen", None, taken)
            raise
        self.run.notes.add("delivered", self.client.answered(), taken)

    def register(self) -> None:
        self.run.register(self.client)


def crowd(past: Past, run: Run, course: Course, count: int = 6) -> list[Patient]:
    people = run.people(count)
    return [Patient(past, run, user, people, course) for user in people]


def begin_all(patients: list[Patient]) -> list[Load]:
    """One of each kind, again and again, each in a thread of its own."""
    kinds = (Patient.upload, Patient.write, Patient.pull, Patient.write, Patient.upload, Patient.register)
    return [
        Load(lambda number, patient=patient, act=act: patient.step(act))
        for patient, act in zip(patients, kinds)
    ]
