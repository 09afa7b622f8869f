"""Ask stands up to shocks: floods, halves, silence, resets at any byte; everyone else is served."""

import os
import threading

import pytest
from peer.ask import BANNER, AskClient, greeted, replies_in
from peer.fixtures import in_threads, run_module_server
from peer.memory import MemoryWatch, hold_back_little_freed_memory

SLOW = os.environ.get("KESHER_SLOW") == "1"
FLOOD = 2_000_000 if SLOW else 100_000
MIB = 1 << 20
SESSION = b"HiTIME\nNAME\r\nRANDSTATXXXXAB\nEXIT"


def assert_served(server) -> None:
    with greeted(server.ask_address) as client:
        assert client.ask("NAME") == "kesher"
        client.send(b"EXIT")
        client.expect_end()


def receive_all(client: AskClient) -> list[bytes]:
    """Every reply until the server closes."""
    data = bytearray()
    while part := client.socket.recv(1 << 18):
        data += part
    return replies_in(bytes(data))


# -- floods


def test_a_flood_is_answered_while_it_is_read(talker):
    with greeted(talker.ask_address) as client, MemoryWatch(talker) as watch:
        flood = threading.Thread(target=client.send, args=(b"NAME" * FLOOD + b"EXIT",))
        flood.start()
        assert receive_all(client) == [b"kesher"] * FLOOD
        flood.join()
    assert watch.growth < 64 * MIB, f"{watch.growth >> 20} MiB"


@pytest.mark.parametrize("wanted", [b"NAME", b"STAT", b"XXXX"])
def test_a_flood_that_is_not_read_waits_and_nobody_else_does(make_talker, monkeypatch, wanted):
    """Its replies wait, so its requests do; when it reads, all of them come, then the end."""
    hold_back_little_freed_memory(monkeypatch)
    server = make_talker(log_level="info")
    client = greeted(server.ask_address, receive_buffer=4096)
    with client, MemoryWatch(server) as watch:
        flood = threading.Thread(target=client.send, args=(wanted * FLOOD + b"EXIT",))
        flood.start()
        for _ in range(50):
            assert_served(server)
        replies = receive_all(client)
        flood.join()
    assert len(replies) == FLOOD
    assert watch.growth < 64 * MIB, f"{watch.growth >> 20} MiB"


def test_many_floods_at_once(make_talker, monkeypatch):
    hold_back_little_freed_memory(monkeypatch)
    server = make_talker(log_level="info")
    each = FLOOD // 10

    def flood(number: int) -> int:
        with greeted(server.ask_address) as client:
            thread = threading.Thread(target=client.send, args=(b"NAME" * each + b"EXIT",))
            thread.start()
            count = len(receive_all(client))
            thread.join()
            return count

    with MemoryWatch(server) as watch:
        assert in_threads(flood, range(10)) == [each] * 10
    assert watch.growth < 64 * MIB, f"{watch.growth >> 20} MiB"


def test_a_flood_of_line_ends_is_nothing(talker):
    with greeted(talker.ask_address) as client:
        client.send(b"\r\n" * 500_000 + b"NAME")
        assert client.receive_reply() == "kesher"


def test_a_flood_of_short_requests(talker):
    with greeted(talker.ask_address) as client:
        flood = threading.Thread(target=client.send, args=(b"A\nBC\nDEF\n" * 10_000 + b"EXIT",))
        flood.start()
        replies = receive_all(client)
        flood.join()
    assert len(replies) == 30_000 and all(b"unknown" in reply.lower() for reply in replies)


def test_floods_that_are_reset(talker):
    for _ in range(20):
        client = greeted(talker.ask_address, timeout=1)
        client.send_as_far_as_taken(b"STAT" * 10_000)
        client.reset()
    assert_served(talker)


def test_an_exit_behind_a_flood_comes_after_all_replies(talker):
    with greeted(talker.ask_address) as client:
        client.send(b"NAMETIME" * 1000 + b"EXIT")
        replies = receive_all(client)
    assert [len(reply) for reply in replies] == [6, 19] * 1000


# -- halves, silence, resets


@pytest.mark.parametrize("end", ["close", "reset", "finish_sending"])
def test_an_end_at_any_byte_leaves_everyone_else_served(talker, end):
    for cut in range(len(SESSION) + 1):
        client = AskClient(talker.ask_address)
        client.send(SESSION[:cut])
        getattr(client, end)()
        if end == "finish_sending":
            assert_is_beginning_of_session(client, cut)
            client.close()
    assert_served(talker)


def assert_is_beginning_of_session(client: AskClient, cut: int) -> None:
    """What comes back for the first bytes of the session: the banner if it was greeted at all, whole replies."""
    data = bytearray()
    while part := client.socket.recv(1 << 16):
        data += part
    assert data.startswith(BANNER) or (cut <= 1 and not data), data
    assert len(replies_in(bytes(data[len(BANNER) :]))) <= 7


def test_resets_while_replies_are_on_their_way(talker):
    for cut in range(len(SESSION) + 1):
        client = AskClient(talker.ask_address)
        client.send(SESSION[:cut])
        if cut > 2:
            client.expect_banner()
        client.reset()
    assert_served(talker)


def test_silent_clients_do_not_hold_up_others(talker):
    silent = [AskClient(talker.ask_address) for _ in range(100)]
    halves = [greeted(talker.ask_address) for _ in range(100)]
    for client in halves:
        client.send(b"NAM")
    for _ in range(10):
        assert_served(talker)
    for client in halves:
        client.expect_unknown()
        client.close()
    for client in silent:
        client.greet()
        client.close()


@pytest.fixture(scope="module")
def hasty_talker(tmp_path_factory):
    """A server whose time limits are as short as they get."""
    yield from run_module_server(
        tmp_path_factory, also=("ask",), prompt_timeout=1, header_timeout=1, payload_timeout=1
    )


def test_silence_between_requests_does_not_end_a_connection(hasty_talker):
    with greeted(hasty_talker.ask_address) as client, AskClient(hasty_talker.ask_address) as other:
        assert client.ask("NAME") == "kesher"
        assert client.is_silent_for(1.5) and other.is_silent_for(0)
        assert client.ask("NAME") == "kesher"
        other.greet()


def test_random_bytes_leave_everyone_else_served(talker):
    for size in (1, 2, 3, 4, 5, 1000, 300_000):
        for greeting in (b"", b"Hi"):
            client = AskClient(talker.ask_address, timeout=5)
            client.send_as_far_as_taken(greeting + os.urandom(size), finish=True)
            client.close()
    assert_served(talker)


def test_many_come_and_go_at_once(talker):
    def come_and_go(number: int) -> int:
        for _ in range(50):
            assert_served(talker)
        return number

    assert in_threads(come_and_go, range(8)) == list(range(8))


def test_the_server_ends_with_clients_at_every_stage(make_talker):
    server = make_talker()
    clients = [AskClient(server.ask_address) for _ in range(2)]
    clients += [greeted(server.ask_address) for _ in range(2)]
    clients[1].send(b"H")
    clients[3].send(b"NA")
    server.stop()
    for client in clients[:3]:
        client.expect_end()
    if not clients[3].has_ended():
        clients[3].expect_unknown()
    clients[3].expect_end()


@pytest.mark.parametrize("half", [b"", b"H", b"Hi", b"HiNA"], ids=lambda half: half.decode() or "nothing")
def test_at_the_limit_of_connections_silent_ones_make_room(make_talker, half):
    """Whatever they began with; half a request is complete after a while, and then nothing is under way."""
    limit = 10
    server = make_talker(connections=limit)
    silent = [AskClient(server.ask_address) for _ in range(limit)]
    for client in silent:
        client.send(half[:2])
    for client in silent:
        if half.startswith(b"Hi"):
            client.expect_banner()
        client.send(half[2:])
    for client in silent:
        if half == b"HiNA":
            client.expect_unknown()
        assert client.is_silent_for(0.02)
    for _ in range(limit // 2):
        assert_served(server)
    for client in silent:
        client.close()
