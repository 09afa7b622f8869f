"""Many members: one order for all, nothing lost and nothing twice, while others come and go or do not read."""

import os
import threading

import pytest
from peer.chat import (
    LEAVE,
    LEFT,
    MARK,
    ByteTelnetClient,
    ChunkClient,
    Ear,
    LineClient,
    Listening,
    TelnetClient,
    gather,
    has_left,
    said,
)
from peer.conversation import wait_until
from peer.fixtures import in_threads
from peer.memory import MemoryWatch, hold_back_little_freed_memory

SLOW = os.environ.get("KESHER_SLOW") == "1"
MEMBERS = 200
SMALL_BUFFER = 4096
MIB = 1 << 20


class Hall:
    """A group whose host speaks last, and members who listen; they are of lines and of chunks by turns."""

    LAST = said("host", f"end{MARK}")

    def __init__(self, server, open_chat):
        self.server = server
        self._open_chat = open_chat
        self.host = open_chat(LineClient, server)
        self.host.create("host")
        self.ears: list[Ear] = []

    def enter(self, name: str, kind: type[ChunkClient] = LineClient, **options) -> ChunkClient:
        client = self._open_chat(kind, self.server, **options)
        client.join(name, self.host.group)
        return client

    def seat(self, count: int) -> list[Ear]:
        kinds = (LineClient, ChunkClient)
        added = [Ear(self.enter(f"listener {number}", kinds[number % 2])) for number in range(count)]
        self.ears += added
        return added

    def end(self) -> list[list[str]]:
        """Has the host say the last thing; what each listener heard before it."""
        self.host.write(f"end{MARK}")
        gather(self.ears, self.LAST)
        return [ear.messages()[:-1] for ear in self.ears]


def marked(name: str, number: int) -> str:
    return said(name, f"{number:06}{MARK}")


def wait_for_message(ear: Ear, message: str) -> None:
    """Waits for a message that comes once, while another thread listens."""
    wait_until(lambda: message.encode() in ear.data or ear.ended, message)
    assert not ear.ended, f"{ear.client.name} was cut off"


def without(name: str, messages: list[str]) -> list[str]:
    return [message for message in messages if not message.startswith(f"{name}: ")]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_four_write_at_once_and_all_hear_the_same(make_talker, open_chat, workers):
    """One sequence for every listener; a writer hears it without what it said itself."""
    count = 1000 if SLOW else 100
    hall = Hall(make_talker(workers=workers, log_level="info"), open_chat)
    hall.seat(MEMBERS - 5)
    kinds = {"anna": LineClient, "boris": TelnetClient, "clara": ByteTelnetClient, "dora": ChunkClient}
    writers = [hall.enter(name, kind) for name, kind in kinds.items()]
    hall.ears += [Ear(writer) for writer in writers]
    reference = hall.ears[0]

    def write(writer: ChunkClient) -> None:
        for number in range(count):
            writer.write(f"{number:06}{MARK}")
            if writer.name == "dora":  # two of its sends might be taken for one
                wait_for_message(reference, marked(writer.name, number))
        wait_for_message(reference, marked(writer.name, count - 1))

    with Listening(hall.ears):
        in_threads(write, writers)
    *heard, at_anna, at_boris, at_clara, at_dora = hall.end()
    everything = heard[0]
    assert len(everything) == len(writers) * count
    for name in kinds:
        own = [message for message in everything if message.startswith(f"{name}: ")]
        assert own == [marked(name, number) for number in range(count)]
    for messages in heard:
        assert messages == everything
    for name, messages in zip(kinds, (at_anna, at_boris, at_clara, at_dora)):
        assert messages == without(name, everything)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_who_comes_and_goes_hears_a_part_without_a_gap(make_talker, open_chat, workers):
    """While three talk, eight others join and leave in every way, over and over."""
    rounds = 100 if SLOW else 15
    hall = Hall(make_talker(workers=workers, log_level="info"), open_chat)
    reference, *_ = hall.seat(4)
    writers = [hall.enter(name) for name in ("anna", "boris", "clara")]
    hall.ears += [Ear(writer) for writer in writers]
    done = threading.Event()

    def write(writer: ChunkClient) -> None:
        number = 0
        while not done.is_set():
            for _ in range(20):
                writer.write(f"{number:06}{MARK}")
                number += 1
            wait_for_message(reference, marked(writer.name, number - 1))

    def come_and_go(visitor: int) -> list[tuple[str, list[str]]]:
        return [visit(f"visitor {visitor} {turn}", visitor + turn) for turn in range(rounds)]

    def visit(name: str, number: int) -> tuple[str, list[str]]:
        kind = (LineClient, ChunkClient)[number % 2]
        ear = Ear(hall.enter(name, kind))
        while len(ear.messages()) < 30:
            ear.take()
            assert not ear.ended, f"{name} was cut off"
        if number % 3 == 0:
            ear.client.write(LEAVE)
            ear.listen_to_the_end()
            *heard, farewell = ear.messages()
            assert farewell == LEFT
            return name, heard
        if number % 3 == 1:
            ear.client.close()
        else:
            ear.client.reset()
        return name, ear.messages()

    with Listening(hall.ears):
        talk = threading.Thread(target=in_threads, args=(write, writers))
        talk.start()
        try:
            visits = [visit for part in in_threads(come_and_go, range(8)) for visit in part]
        finally:
            done.set()
            talk.join()
        for name, _ in visits:
            wait_for_message(reference, has_left(name))
    everything, *others = hall.end()
    assert len(everything) == len(set(everything)), "something was heard twice"
    for writer in writers:
        own = [message for message in everything if message.startswith(f"{writer.name}: ")]
        assert own == [marked(writer.name, number) for number in range(len(own))]
    for messages in others[:3]:
        assert messages == everything
    for writer, messages in zip(writers, others[3:]):
        assert messages == without(writer.name, everything)
    for name, messages in visits:
        start = everything.index(messages[0])
        assert everything[start : start + len(messages)] == messages, name
        assert has_left(name) not in everything[:start]


# -- members who do not read

TEXT = "x" * 4000


def talk_until_cut_off(hall: Hall, reference: Ear, names: list[str]) -> int:
    """The host speaks, each time the reference has heard the last, until those members are gone; how often."""
    number = 0
    missing = {has_left(name).encode() for name in names}
    while missing:
        assert number < 20_000, f"still there: {missing}"
        for _ in range(16):
            hall.host.write(f"{number:06}{TEXT}{MARK}")
            number += 1
        wait_for_message(reference, f"{number - 1:06}{TEXT}{MARK}")
        missing = {notice for notice in missing if notice not in reference.data}
    return number


@pytest.mark.parametrize("kind", [LineClient, ChunkClient])
def test_members_that_do_not_read_are_cut_off_and_nobody_else_misses_anything(
    make_talker, open_chat, monkeypatch, kind
):
    hold_back_little_freed_memory(monkeypatch)
    hall = Hall(make_talker(member_queue=256, log_level="info"), open_chat)
    reference, *_ = hall.seat(4)
    deaf = [hall.enter(f"deaf {number}", kind, receive_buffer=SMALL_BUFFER) for number in range(8)]
    with Listening(hall.ears), MemoryWatch(hall.server) as watch:
        number = talk_until_cut_off(hall, reference, [client.name for client in deaf])
    everything, *others = hall.end()
    texts = [message for message in everything if message.startswith("host: ")]
    assert texts == [f"host: {index:06}{TEXT}{MARK}" for index in range(number)]
    assert sorted(set(everything) - set(texts)) == sorted(has_left(client.name) for client in deaf)
    for messages in others:
        assert messages == everything
    assert watch.growth < 40 * MIB, f"{watch.growth >> 20} MiB for 8 queues of 256 KiB"
    for client in deaf:
        ear = Ear(client)
        ear.listen_to_the_end()
        heard = ear.messages()
        assert heard == everything[: len(heard)], "a gap in what was sent before the cut"


def test_a_member_that_does_not_read_may_still_be_heard_until_it_is_cut_off(make_talker, open_chat):
    """Until its queue is full it is a member like others."""
    hall = Hall(make_talker(member_queue=256, log_level="info"), open_chat)
    reference, *_ = hall.seat(1)
    deaf = hall.enter("deaf", receive_buffer=SMALL_BUFFER)
    with Listening(hall.ears):
        for number in range(20):
            hall.host.write(f"{number:06}{MARK}")
            deaf.write(f"{number:06}{MARK}")
            wait_for_message(reference, marked("deaf", number))
        talk_until_cut_off(hall, reference, ["deaf"])
    hall.end()


def test_who_reads_late_but_within_its_queue_misses_nothing(make_talker, open_chat):
    """Two MiB wait for a member under the default limit."""
    hall = Hall(make_talker(log_level="info"), open_chat)
    reference, *_ = hall.seat(1)
    late = Ear(hall.enter("late", receive_buffer=SMALL_BUFFER))
    with Listening(hall.ears):
        for number in range(512):
            hall.host.write(f"{number:06}{TEXT}{MARK}")
            if number % 16 == 15:
                wait_for_message(reference, f"{number:06}{TEXT}{MARK}")
    hall.ears.append(late)
    at_reference, at_late = hall.end()
    assert len(at_late) == 512 and at_late == at_reference


@pytest.mark.parametrize("workers", [1, 4])
def test_a_flood_of_one_member_grows_no_memory_and_leaves_other_groups_served(
    make_talker, open_chat, monkeypatch, workers
):
    """It writes as fast as the server takes it, to members of whom one does not read."""
    hold_back_little_freed_memory(monkeypatch)
    size = 400 * MIB if SLOW else 24 * MIB
    server = make_talker(member_queue=256, workers=workers, log_level="info")
    hall = Hall(server, open_chat)
    listeners = hall.seat(3)
    hall.enter("deaf", receive_buffer=SMALL_BUFFER)
    other = open_chat(LineClient, server)
    other.create("other")
    friend = open_chat(server=server)
    friend.join("friend", other.group)
    flood = threading.Thread(
        target=hall.host.send_as_far_as_taken, args=((TEXT + "\n").encode() * (size // 4001),)
    )
    with Listening(listeners), MemoryWatch(server) as watch:
        flood.start()
        said_beside = 0
        while flood.is_alive() or said_beside < 20:
            friend.write(f"beside {said_beside}")
            other.expect(f"friend: beside {said_beside}")
            said_beside += 1
        flood.join()
    late = Ear(hall.enter("late"))
    hall.host.write(f"end{MARK}")
    late.listen_for(f"end{MARK}")
    assert watch.growth < 64 * MIB, f"{watch.growth >> 20} MiB"


def test_many_groups_at_once(make_talker, open_chat):
    """Each hears its own, in order, and nothing else."""
    count = 100
    server = make_talker(log_level="info")
    pairs = []
    for number in range(count):
        host, guest = open_chat(LineClient, server), open_chat(LineClient, server)
        assert host.create("host") == number + 1
        guest.join(f"guest {number}", number + 1)
        pairs.append((host, guest))
    for number in range(20):
        for _, guest in pairs:
            guest.write(f"text {number}")
    for host, guest in pairs:
        host.expect(*[said(guest.name, f"text {number}") for number in range(20)])
    for _, guest in pairs:
        guest.close()
    for host, guest in pairs:
        host.expect(has_left(guest.name))
        host.leave()
    assert open_chat(server=server).create("again") == 1


@pytest.mark.slow
def test_a_thousand_members(make_talker, open_chat):
    hall = Hall(make_talker(log_level="info"), open_chat)
    hall.seat(1000)
    with Listening(hall.ears):
        for number in range(200):
            hall.host.write(f"{number:06}{MARK}")
    for messages in hall.end():
        assert messages == [marked("host", number) for number in range(200)]
