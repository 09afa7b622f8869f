"""Users who do their own over and over while the server is short of something: a step may be refused, or its connection
end, but what was answered is owed; and once the server has all again, each gets on."""

import threading
from collections.abc import Callable

from peer.drop import Refused, User, file_frame, named_frame
from peer.frames import Answer, ConnectionEnded, Request
from peer.load import Load
from peer.messages import Type, message_frame, pull_frame, read_messages
from powerloss.ledger import content_of, digest, label_of
from powerloss.clients import Run

from .past import Past

REFUSALS = (Answer.ERROR, Answer.MESSAGES_ERROR, Answer.REGISTER_REFUSED)
UPLOAD_SIZES = (0, 1000, 60_000, 300_000, 2_000_000)
LETTER_SIZES = (8, 8, 100, 5000, 200_000, 300_000, 1_000_000)
PAUSE_SECONDS = 0.002  # between the steps of one user


class Patient:
    """One user, with one connection at a time; a new one where that has ended. `done` counts steps that were not
    refused."""

    def __init__(self, past: Past, run: Run, user: User, others: list[User]):
        self.past = past
        self.run = run
        self.user = user
        self.others = others
        self.chance = run.new_chance()
        self.sender = run.new_sender()
        self.number = 0
        self.done = 0
        self.refused = 0
        self.client = None
        self.has_key = False  # from this connection

    def step(self, act: Callable[[], None]) -> None:
        try:
            if self.client is None:
                self.client, self.has_key = self.run.server.connect(), False
            act()
            self.done += 1
        except Refused as refused:
            if refused.answer.code not in REFUSALS:
                raise
            self.refused += 1
        except (ConnectionEnded, ConnectionError):
            self.past.expect_alive()
            self.refused += 1
            self.close()
        threading.Event().wait(PAUSE_SECONDS)

    def close(self) -> None:
        if self.client is not None:
            self.client.close()
            self.client = None
            self.sender, self.number = self.run.new_sender(), 0  # what was not answered tells nothing of what follows

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


def crowd(past: Past, run: Run, count: int = 6) -> list[Patient]:
    people = run.people(count)
    return [Patient(past, run, user, people) for user in people]


def begin_all(patients: list[Patient]) -> list[Load]:
    """One of each kind, again and again, each in a thread of its own."""
    kinds = (Patient.upload, Patient.write, Patient.pull, Patient.write, Patient.upload, Patient.register)
    return [
        Load(lambda number, patient=patient, act=act: patient.step(lambda: act(patient)))
        for patient, act in zip(patients, kinds)
    ]
