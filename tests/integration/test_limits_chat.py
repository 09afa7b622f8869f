"""Limits of the group chat, beside those that the tests of groups, members and passwords see to: the memory of
all queues together, and that who is refused takes no place."""

import pytest
from peer.chat import (
    CREATE,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    FULL,
    MARK,
    MENU,
    NO_PASSWORD,
    ChunkClient,
    Ear,
    LineClient,
    Listening,
    said,
    talk,
    talked_about,
)
from peer.conversation import wait_until
from peer.kesherd import Kesherd
from peer.memory import MemoryWatch, hold_back_little_freed_memory

MIB = 1 << 20
SMALL_BUFFER = 4096
CUT_OFF = '"{}" does not read what is said, and is cut off'


def create_with(server: Kesherd, open_chat, count: int, **options) -> tuple[LineClient, list[LineClient]]:
    """A new group's first member, and `count` more."""
    host = open_chat(LineClient, server)
    group = host.create("host")
    guests = [open_chat(LineClient, server, **options) for _ in range(count)]
    for number, guest in enumerate(guests):
        guest.join(f"guest {group}.{number}", group)
    return host, guests


def cut_off(server: Kesherd, clients: list[LineClient]) -> int:
    log = server.log()
    return sum(CUT_OFF.format(client.name) in log for client in clients)


def test_over_the_limit_of_all_queues_members_that_do_not_read_are_cut_off_and_nobody_else(
    make_talker, open_chat, monkeypatch
):
    """Each could have much more for itself. Those of another group, who read, miss nothing; and once the queues
    are gone there is room for others."""
    hold_back_little_freed_memory(monkeypatch)
    server = make_talker(chat_queues=1, member_queue=64 * 1024, log_level="info")
    host, deaf = create_with(server, open_chat, 8, receive_buffer=SMALL_BUFFER)
    other, friends = create_with(server, open_chat, 2)
    listener = Ear(open_chat(LineClient, server))
    listener.client.join("listener", host.group)
    beside = [Ear(friend) for friend in friends]
    with Listening([listener, *beside]), MemoryWatch(server) as watch:
        count = talk(host, listener, lambda _: cut_off(server, deaf) == len(deaf))
        other.write(f"beside{MARK}")
        for ear in beside:
            wait_until(lambda ear=ear: ear.last_is(f"beside{MARK}"), "what is said beside")
        texts = [message for message in listener.messages() if message.startswith("host: ")]
        assert texts == [said("host", talked_about(number)) for number in range(count)]
    assert watch.growth < 24 * MIB, f"{watch.growth >> 20} MiB"
    late = open_chat(LineClient, server, receive_buffer=SMALL_BUFFER)
    late.join("late", host.group)
    with Listening([listener]):
        for number in range(100):
            host.write(talked_about(number))
        wait_until(lambda: listener.last_is(talked_about(99)), "the last text")
    ear = Ear(late)
    ear.listen_for(talked_about(99))
    assert len(ear.messages()) == 100


def test_while_all_queues_are_within_their_limit_each_may_have_its_own(make_talker, open_chat):
    """Of eight MiB the system itself takes some for who does not read; the rest is far above a share of 256 KiB."""
    server = make_talker(chat_queues=16, member_queue=16384, log_level="info")
    host, (late, *guests) = create_with(server, open_chat, 2, receive_buffer=SMALL_BUFFER)
    listener = Ear(guests[0])
    with Listening([listener]):
        talk(host, listener, lambda count: count == 2048)
    ear = Ear(late)
    ear.listen_for(talked_about(2047))
    assert len(ear.messages()) == 2048
    assert cut_off(server, [late, *guests]) == 0


@pytest.mark.parametrize("kind", [ChunkClient, LineClient])
def test_who_is_refused_takes_no_place(make_talker, open_chat, kind):
    server = make_talker(groups=1, group_members=2, wrong_passwords=1)
    host = open_chat(kind, server)
    host.create("host")
    for _ in range(3):
        guesser = open_chat(kind, server)
        guesser.come_to_password("guesser", 1)
        guesser.write("wrong")
        assert guesser.receive_rest() in (b"", guesser.due(NO_PASSWORD))
        late = open_chat(kind, server)
        late.expect(MENU)
        late.answer(CREATE, ENTER_NAME)
        late.answer("late", ENTER_NEW_PASSWORD)
        late.answer("12345", FULL)
        late.expect_end()
    waiting = open_chat(kind, server)
    waiting.come_to_password("waiting", 1)
    guest = open_chat(kind, server)
    guest.join("guest", 1)
    waiting.answer("12345", FULL)
    waiting.expect_end()
    guest.write("hello")
    host.expect(said("guest", "hello"))
