"""Deleted when delivered, and nothing lost: leases, broken connections, receivers that stall, and those that
die with their answer unread.

The unit is the 2104: it settles once its last byte has been acknowledged by the receiver's TCP, and is gone when
the receiver ends its side after that, or some time later; until then it waits again whenever its connection
ends. A receiver here takes little (a small receive buffer), so that most of an answer cannot have been
acknowledged before it is read. What shall settle by time settles fast here; what shall not, not at all
(`patient`). What waits again was given back: leases expire only where that is tested.
"""

import os
import socket
import threading
import time

import pytest
from peer.conversation import send_all, two_users, wait_until
from peer.fixtures import in_threads, run_module_server
from peer.frames import RESPONSE_HEADER, ConnectionEnded
from peer.messages import WAITING_FIXED, Message, MessagesClient, Type, message_frame, pull_frame

SMALL_BUFFER = 4096
SETTLE_MS = 200
SETTLE_LONG_MS = 2000  # longer than a machine that has much to do takes to look
CLOCK_SECONDS = 0.01  # the server's clock counts milliseconds
NEVER_MS = 3600_000
CONTENTS = [f"{number} ".encode() * 5000 for number in range(35)]  # 475 KB: one answer
SMALL_CONTENTS = [f"{number}".encode() for number in range(100)]
SIZE = sum(WAITING_FIXED.size + len(content) for content in CONTENTS)


class Scene:
    """A server, a receiver, and messages that wait for it."""

    def __init__(self, server, new_user, contents=CONTENTS):
        self.server = server
        self.contents = contents
        with server.connect() as client:
            self.sender, self.receiver, self.alias = two_users(client, new_user)
            self.ids = send_all(client, self.sender, self.alias, contents)
            self.senders_alias = client.alias_of(self.sender, asking=self.receiver)

    @property
    def messages(self) -> list[Message]:
        return [
            Message(self.senders_alias, number, Type.TEXT, content)
            for number, content in zip(self.ids, self.contents)
        ]

    def send(self, content: bytes) -> Message:
        with self.server.connect() as client:
            number = client.send_message(self.sender, self.alias, content)
        return Message(self.senders_alias, number, Type.TEXT, content)

    def begin_to_pull(self) -> MessagesClient:
        """A connection that has asked, has got the header of the answer, and has most of it still to take."""
        client = self.server.connect(receive_buffer=SMALL_BUFFER)
        client.send(pull_frame(self.receiver.id))
        assert client.receive_waiting_header() == SIZE
        self.assert_unacknowledged(client)
        return client

    def assert_unacknowledged(self, client: MessagesClient) -> None:
        """What the tests of broken connections rest on."""
        wait_until(lambda: self.server.unacknowledged_bytes(client) > 0, "something that is not acknowledged")

    def wait_for_acknowledgement(self, client: MessagesClient, answers: int = 0) -> None:
        """Until so many answers wait to be read, the messages in the first, and all of it is acknowledged."""
        size = answers * RESPONSE_HEADER.size
        if answers > 0:
            size += sum(WAITING_FIXED.size + len(content) for content in self.contents)
        wait_until(
            lambda: size == 0 or len(client.socket.recv(size, socket.MSG_PEEK)) == size, "all of the answers"
        )
        wait_until(lambda: self.server.unacknowledged_bytes(client) == 0, "the last acknowledgement")

    def pull(self) -> list[Message]:
        with self.server.connect() as client:
            return client.pull(self.receiver)

    def pull_once_free(self, client: MessagesClient | None = None) -> list[Message]:
        """Pulls, on a connection of its own where none is given, until the lease of another one has ended."""
        found: list[Message] = []

        def something_came() -> bool:
            found.extend(client.pull(self.receiver) if client else self.pull())
            return bool(found)

        wait_until(something_came, "the messages again")
        return found

    def wait_until_gone(self) -> None:
        wait_until(
            lambda: self.server.waiting_ids(self.receiver.id) == [], "the deletion of what was delivered"
        )
        assert self.pull() == []


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    yield from run_module_server(tmp_path_factory, settle_time_ms=SETTLE_MS, lease_lifetime_ms=NEVER_MS)


@pytest.fixture
def scene(server, new_user) -> Scene:
    return Scene(server, new_user)


@pytest.fixture(scope="module")
def patient_server(tmp_path_factory):
    """A server for which nothing settles by time alone."""
    yield from run_module_server(tmp_path_factory, settle_time_ms=NEVER_MS, lease_lifetime_ms=NEVER_MS)


@pytest.fixture
def patient(patient_server, new_user) -> Scene:
    """A scene there, of messages for which a receiver's system has room though its program reads nothing."""
    return Scene(patient_server, new_user, SMALL_CONTENTS)


# -- delivered


def test_what_was_read_is_deleted_while_the_connection_is_silent(scene):
    with scene.server.connect() as client:
        assert client.pull(scene.receiver) == scene.messages
        scene.wait_until_gone()


def test_what_was_read_is_deleted_by_the_time_its_connection_has_ended(scene):
    assert scene.pull() == scene.messages
    scene.wait_until_gone()


def test_what_was_read_in_little_pieces_is_deleted(scene):
    with scene.begin_to_pull() as client:
        left = SIZE
        while left > 0:
            left -= len(client.receive_exactly(min(left, 5000)))
        scene.wait_until_gone()


def test_what_was_read_is_deleted_at_the_end_of_its_connection(patient):
    assert patient.pull() == patient.messages
    patient.wait_until_gone()


def test_what_was_read_is_deleted_at_a_half_close_after_it(patient):
    with patient.server.connect() as client:
        assert client.pull(patient.receiver) == patient.messages
        patient.wait_for_acknowledgement(client)
        client.finish_sending()
        assert client.has_ended()
    patient.wait_until_gone()


# -- acknowledged, and not delivered


def test_what_was_acknowledged_settles_for_as_long_as_it_is_said(make_server, new_user):
    scene = Scene(make_server(settle_time_ms=SETTLE_LONG_MS), new_user)
    with scene.server.connect() as client:
        before = time.monotonic()
        assert client.pull(scene.receiver) == scene.messages
        scene.wait_until_gone()
        assert time.monotonic() - before >= SETTLE_LONG_MS / 1000 - CLOCK_SECONDS


def test_what_was_acknowledged_before_a_reset_waits_again(patient):
    client = patient.server.connect()
    assert client.pull(patient.receiver) == patient.messages
    patient.wait_for_acknowledgement(client)
    client.reset()
    assert patient.pull_once_free() == patient.messages


def test_a_receiver_that_dies_with_its_answer_unread_loses_nothing(patient):
    client = patient.server.connect()
    client.send(pull_frame(patient.receiver.id))
    patient.wait_for_acknowledgement(client, answers=1)
    client.close()  # as for a program that was killed: its system resets what nobody has read
    assert patient.pull_once_free() == patient.messages
    patient.wait_until_gone()


def test_a_later_request_proves_nothing(patient):
    client = patient.server.connect()
    client.send(pull_frame(patient.receiver.id) * 3)
    patient.wait_for_acknowledgement(client, answers=3)
    client.close()
    assert patient.pull_once_free() == patient.messages


def test_what_settles_is_hidden_and_holds_nothing_back(patient):
    with patient.server.connect() as client:
        assert client.pull(patient.receiver) == patient.messages
        patient.wait_for_acknowledgement(client)
        late = patient.send(b"late")
        assert patient.pull_once_free() == [late]
        assert patient.server.waiting_ids(patient.receiver.id)[: len(patient.ids)] == patient.ids
        client.reset()
    assert patient.pull_once_free() == patient.messages


def test_a_connection_that_breaks_gives_back_only_what_it_has_taken_itself(patient):
    with patient.server.connect() as client:
        assert client.pull(patient.receiver) == patient.messages
        patient.wait_for_acknowledgement(client)
        late = patient.send(b"late")
        for _ in range(3):
            other = patient.server.connect()
            assert patient.pull_once_free(other) == [late]
            other.reset()
        assert patient.pull_once_free() == [late]
        client.reset()
    assert patient.pull_once_free() == patient.messages


@pytest.mark.parametrize("requests", [1, 2])
def test_an_end_of_input_before_the_acknowledgement_deletes_nothing_yet(make_server, new_user, requests):
    """The end comes with the requests, so it says nothing of the answers; all the same they end with ours."""
    scene = Scene(make_server(settle_time_ms=NEVER_MS), new_user)
    client = scene.server.connect()
    client.send(pull_frame(scene.receiver.id) * requests)
    client.finish_sending()
    assert client.receive_messages() == scene.messages
    for _ in range(requests - 1):
        assert client.receive_messages() == []
    assert client.has_ended()
    assert scene.server.waiting_ids(scene.receiver.id) == scene.ids
    assert scene.pull() == []
    scene.server.restart()
    assert scene.pull() == scene.messages


@pytest.mark.parametrize("end", ["restart", "restart_after_kill"])
def test_what_settles_when_the_server_ends_waits_again(make_server, new_user, end):
    scene = Scene(make_server(settle_time_ms=NEVER_MS), new_user)
    client = scene.server.connect()
    assert client.pull(scene.receiver) == scene.messages
    scene.wait_for_acknowledgement(client)
    getattr(scene.server, end)()
    assert scene.pull() == scene.messages
    client.close()


def test_a_receiver_that_ends_while_the_server_stops_has_been_served(make_server, new_user):
    scene = Scene(make_server(settle_time_ms=NEVER_MS), new_user)

    def receive(client: MessagesClient) -> None:
        assert client.has_ended()  # the server's end
        client.close()

    client = scene.server.connect()
    assert client.pull(scene.receiver) == scene.messages
    scene.wait_for_acknowledgement(client)
    receiver = threading.Thread(target=receive, args=(client,))
    receiver.start()
    scene.server.restart()
    receiver.join()
    assert scene.pull() == []


# -- deleted for good


def test_what_was_delivered_stays_deleted_after_kill_9(make_server, new_user):
    scene = Scene(make_server(), new_user)
    with scene.server.connect() as client:
        assert client.pull(scene.receiver) == scene.messages
        scene.wait_until_gone()
    scene.server.restart_after_kill()
    assert scene.pull() == []


def test_half_close_after_a_pull_still_gets_the_whole_answer(scene):
    with scene.server.connect(receive_buffer=SMALL_BUFFER) as client:
        client.send(pull_frame(scene.receiver.id))
        client.finish_sending()
        assert client.receive_messages() == scene.messages
        assert client.has_ended()
    scene.wait_until_gone()


def test_half_close_after_many_pulls_gets_every_answer(scene):
    with scene.server.connect() as client:
        client.send(pull_frame(scene.receiver.id) * 20)
        client.finish_sending()
        assert client.receive_messages() == scene.messages
        assert [client.receive_messages() for _ in range(19)] == [[]] * 19
        assert client.has_ended()
    scene.wait_until_gone()


def test_a_receiver_that_goes_away_while_nothing_waits_leaves_no_lease(server, new_user):
    with server.connect() as client:
        sender, receiver, alias = two_users(client, new_user)
        for _ in range(20):
            other = server.connect()
            other.send(pull_frame(receiver.id))
            other.reset()
        client.send_message(sender, alias, b"text")
        found: list[Message] = []
        wait_until(lambda: found.extend(client.pull(receiver)) or found != [], "the message")
        assert [message.content for message in found] == [b"text"]


# -- not delivered

STAGES = {
    "nothing": 0,
    "half a header": RESPONSE_HEADER.size // 2,
    "the header": RESPONSE_HEADER.size,
    "half the header of a message": RESPONSE_HEADER.size + WAITING_FIXED.size // 2,
    "the first message": RESPONSE_HEADER.size + WAITING_FIXED.size + len(CONTENTS[0]),
    "half a message": RESPONSE_HEADER.size + 3 * WAITING_FIXED.size + len(CONTENTS[0]) + 1000,
    "half of everything": SIZE // 2,
    "most of it": SIZE - 200_000,
}


@pytest.mark.parametrize("end", ["reset", "close"])
@pytest.mark.parametrize("stage", STAGES)
def test_an_answer_that_was_not_taken_to_its_end_waits_again(scene, stage, end):
    client = scene.server.connect(receive_buffer=SMALL_BUFFER)
    client.send(pull_frame(scene.receiver.id))
    client.receive_exactly(STAGES[stage])
    assert not client.has_ended()  # more of the answer is there
    scene.assert_unacknowledged(client)
    getattr(client, end)()
    assert scene.pull_once_free() == scene.messages
    scene.wait_until_gone()


def test_an_answer_whose_last_bytes_nobody_read_is_either_gone_or_waits_again_whole(scene):
    """The receiver's system acknowledges what its program may never read: the frame is the unit all the same."""
    client = scene.server.connect(receive_buffer=SMALL_BUFFER)
    client.send(pull_frame(scene.receiver.id))
    client.receive_exactly(RESPONSE_HEADER.size + SIZE - 1)
    client.reset()
    ids = scene.server.waiting_ids(scene.receiver.id)
    if ids:
        wait_until(
            lambda: scene.server.waiting_ids(scene.receiver.id) == [] or scene.pull() == scene.messages,
            "everything again, or nothing",
        )
    scene.wait_until_gone()
    assert ids in ([], scene.ids)


def test_again_and_again_the_same_ids_in_the_same_order(scene):
    for _ in range(10):
        client = scene.server.connect(receive_buffer=SMALL_BUFFER)
        client.send(pull_frame(scene.receiver.id))
        messages = client.stream_messages()  # reads the header only; the rest as it is wanted
        if not (first := next(messages, None)):
            client.close()
            continue  # the lease of the connection before has not ended yet
        assert first == scene.messages[0]
        client.reset()
    assert scene.pull_once_free() == scene.messages


def test_messages_that_came_meanwhile_come_behind_those_that_wait_again(scene):
    client = scene.begin_to_pull()
    late = scene.send(b"late")
    client.reset()
    assert scene.pull_once_free() == [*scene.messages, late]


def test_a_half_read_answer_is_not_proved_by_another_request(scene):
    """Only TCP's acknowledgements count: whoever asks for more may still not have read what came before."""
    client = scene.begin_to_pull()
    client.send(message_frame(scene.receiver.id, scene.alias, Type.TEXT, b"from the receiver"))
    client.send(pull_frame(scene.receiver.id) * 3)
    scene.assert_unacknowledged(client)
    client.reset()
    messages = scene.pull_once_free()
    assert messages[: len(CONTENTS)] == scene.messages
    assert [message.content for message in messages[len(CONTENTS) :]] in ([], [b"from the receiver"])


@pytest.mark.parametrize("end", ["restart", "restart_after_kill"])
def test_an_answer_that_is_on_its_way_when_the_server_ends_waits_again(make_server, new_user, end):
    """Its receiver is told nothing more; what the system still sends for a dead server proves nothing."""
    scene = Scene(make_server(), new_user)
    client = scene.begin_to_pull()
    getattr(scene.server, end)()
    client.reset()
    assert scene.pull() == scene.messages


# -- leases


def test_meanwhile_another_connection_gets_an_empty_answer(scene):
    with scene.begin_to_pull() as client:
        for _ in range(3):
            assert scene.pull() == []
        scene.send(b"late")
        assert scene.pull() == []
        scene.assert_unacknowledged(client)


def test_the_same_connection_goes_on_behind_what_it_has_not_read(scene):
    with scene.begin_to_pull() as client:
        late = scene.send(b"late")
        client.send(pull_frame(scene.receiver.id) * 2)
        client.receive_exactly(SIZE)
        assert client.receive_messages() == [late]
        assert client.receive_messages() == []
        scene.wait_until_gone()


def test_what_a_connection_got_in_two_answers_waits_again_in_order_when_it_ends(scene):
    client = scene.begin_to_pull()
    late = scene.send(os.urandom(20_000))
    client.send(pull_frame(scene.receiver.id))
    client.receive_exactly(SIZE // 2)
    client.reset()
    assert scene.pull_once_free() == [*scene.messages, late]


def test_of_two_answers_the_one_that_was_taken_is_gone_and_the_other_waits_again(scene):
    with scene.begin_to_pull() as client:
        late = scene.send(os.urandom(500_000))
        client.send(pull_frame(scene.receiver.id))
        client.receive_exactly(SIZE + RESPONSE_HEADER.size + WAITING_FIXED.size)
        wait_until(
            lambda: scene.server.waiting_ids(scene.receiver.id) == [late.id],
            "the deletion of the first answer",
        )
        scene.assert_unacknowledged(client)
        client.reset()
    assert scene.pull_once_free() == [late]
    scene.wait_until_gone()


def test_a_lease_is_of_one_receiver_only(scene, new_user):
    with scene.begin_to_pull(), scene.server.connect() as client:
        other = client.register_for_messages(new_user())
        client.send_message(scene.sender, other.id, b"for another")
        assert [message.content for message in client.pull(other)] == [b"for another"]


def test_a_receiver_that_stalls_may_still_send(scene):
    with scene.begin_to_pull() as client:
        client.send(message_frame(scene.receiver.id, scene.alias, Type.TEXT, b"to myself"))
        client.receive_exactly(SIZE)
        client.expect_stored(scene.alias)
        assert [message.content for message in client.pull(scene.receiver)] == [b"to myself"]


def test_many_connections_that_pull_at_once_get_each_message_once(scene):
    """However the race ends: nothing comes twice while no connection breaks, and nothing stays."""

    def run(_: int) -> list[Message]:
        with scene.server.connect() as client:
            return client.pull_until_empty(scene.receiver)

    answers = [messages for messages in in_threads(run, range(10)) if messages]
    assert answers == [scene.messages]
    scene.wait_until_gone()


def test_senders_go_on_while_the_receiver_stalls(scene):
    with scene.begin_to_pull() as client, scene.server.connect() as other:
        numbers = send_all(other, scene.sender, scene.alias, [b"meanwhile"] * 200)
        assert numbers == sorted(set(numbers))
        client.receive_exactly(SIZE)
        assert [message.id for message in client.pull(scene.receiver)] == numbers


# -- leases that expire


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory):
    """A server that waits for an acknowledgement only half a second."""
    yield from run_module_server(tmp_path_factory, lease_lifetime_ms=500)


def test_a_lease_without_acknowledgements_expires_and_another_connection_gets_everything(
    impatient_server, new_user
):
    scene = Scene(impatient_server, new_user)
    with scene.begin_to_pull():
        assert scene.pull_once_free() == scene.messages
        scene.wait_until_gone()


def test_who_lost_its_lease_does_not_delete_what_another_connection_has(impatient_server, new_user):
    scene = Scene(impatient_server, new_user)
    with scene.begin_to_pull() as first, impatient_server.connect(receive_buffer=SMALL_BUFFER) as second:

        def second_gets_something() -> bool:
            second.send(pull_frame(scene.receiver.id))
            return second.receive_waiting_header() > 0

        wait_until(second_gets_something, "the end of the first lease")
        try:
            first.receive_exactly(SIZE)
        except ConnectionEnded:
            pass  # ended by the server, or read to its end: both are fair
        assert scene.server.waiting_ids(scene.receiver.id) == scene.ids
        assert second.receive_exactly(SIZE) == b"".join(message.encode() for message in scene.messages)
        scene.wait_until_gone()


def test_what_came_behind_an_expired_lease_comes_too(impatient_server, new_user):
    scene = Scene(impatient_server, new_user)
    with scene.begin_to_pull():
        late = scene.send(b"late")
        assert scene.pull_once_free() == [*scene.messages, late]


@pytest.mark.slow
def test_a_slow_receiver_that_acknowledges_something_keeps_its_lease(make_server, new_user):
    scene = Scene(make_server(lease_lifetime_ms=3000), new_user)
    with scene.begin_to_pull() as client:
        for _ in range(40):
            client.receive_exactly(8192)
            assert not client.is_silent_for(0)
            assert scene.pull() == []
            time.sleep(0.2)  # slower than the lease lives, faster than it dies
        client.receive_exactly(SIZE - 40 * 8192)
        scene.wait_until_gone()
