"""Crowds of strangers at the secure port: who has signed in is served, memory is bounded, and new ones come in."""

import os

import pytest
from peer.accounts import Account
from peer.conversation import wait_until
from peer.crowds import HALF_A_HELLO, HELLO, SERVER_HELLO, STAGES, UNSIGNED, Crowd, Served
from peer.frames import ConnectionEnded
from peer.kesherd import Kesherd
from peer.memory import MemoryWatch, hold_back_little_freed_memory
from peer.metrics import HttpClient, Metrics
from peer.secure import SecureClient
from peer.tls import TlsFailed

MIB = 1 << 20
HANDSHAKES = 256  # that there may be at a time
UNSIGNED_LIMIT = 1024  # connections that have not signed in
SLOW = os.environ.get("KESHER_SLOW") == "1"
COUNT = 10_000 if SLOW else 2_000
# What the server may hold for as many strangers as it lets in, sanitized: it is some 32 MiB for those who shook hands,
# 5 for others.
GROWTH = 96 * MIB


@pytest.fixture
def crowd_server(make_secure, monkeypatch) -> Kesherd:
    """With room for all, so that the limits of the secure port count, and none of the classic ones."""
    hold_back_little_freed_memory(monkeypatch)
    return make_secure(connections=12_000, connections_per_address=0, log_level=None, metrics="127.0.0.1:0")


def metrics_of(server: Kesherd) -> Metrics:
    with HttpClient(server.metrics_address) as monitor:
        return monitor.scrape()


def sign_in_anew(server: Kesherd, account: Account) -> bool:
    """One try of somebody who has been here; strangers may be dropped by chance, and come again."""
    try:
        with server.connect_secure() as client:
            client.sign_in(Account(account.secret))
    except (TlsFailed, OSError, ConnectionEnded):
        return False
    return True


def comes_in(server: Kesherd, source: str) -> bool:
    try:
        with server.connect_secure(source=source) as client:
            return client.is_served()
    except (TlsFailed, OSError, ConnectionEnded):
        return False


@pytest.mark.parametrize("stage", STAGES)
def test_a_crowd_that_stops_somewhere_leaves_others_served(crowd_server, new_account, stage, record_property):
    client, account = new_account(crowd_server)
    with MemoryWatch(crowd_server) as memory, Crowd(crowd_server, stage) as crowd, Served(client) as served:
        crowd.come(COUNT)
        metrics = metrics_of(crowd_server)
        ended = (metrics.value("kesher_strangers_ended_total", reason=why) for why in ("dropped", "late", "broken"))
        assert sum(ended) >= COUNT - UNSIGNED_LIMIT
        assert metrics.value("kesher_strangers") <= UNSIGNED_LIMIT
        assert metrics.value("kesher_tls_handshaking") <= HANDSHAKES
        before = served.count
        wait_until(lambda: served.count >= before + 20, "somebody who had signed in is answered")
        wait_until(lambda: sign_in_anew(crowd_server, account), "somebody who was here signs in anew")
    record_property("MiB for a crowd", memory.growth // MIB)
    assert memory.growth < GROWTH, f"{memory.growth // MIB} MiB"


def test_a_crowd_that_sends_a_byte_now_and_then_leaves_others_served(crowd_server, new_account):
    client, account = new_account(crowd_server)
    with MemoryWatch(crowd_server) as memory, Crowd(crowd_server, HALF_A_HELLO) as crowd, Served(client) as served:
        crowd.come(COUNT // 4)
        crowd.trickle()
        before = served.count
        wait_until(lambda: served.count >= before + 50, "somebody who had signed in is answered")
        wait_until(lambda: sign_in_anew(crowd_server, account), "somebody who was here signs in anew")
    assert memory.growth < GROWTH, f"{memory.growth // MIB} MiB"


def test_strangers_go_when_their_time_is_over_and_others_come(crowd_server, new_account):
    """Ten seconds for a handshake, however far it came, and whatever they send meanwhile."""
    with Crowd(crowd_server, HALF_A_HELLO) as half, Crowd(crowd_server, SERVER_HELLO) as begun:
        half.come(30)
        begun.come(30)
        half.trickle()
        wait_until(lambda: half.alive() + begun.alive() == 0, "all of them are gone")
    new_account(crowd_server)


def test_from_half_of_the_limit_on_some_are_dropped_by_chance_and_some_let_in(crowd_server):
    """Neither all of those who were there first, nor all who come: a crowd cannot keep everybody else out."""
    with Crowd(crowd_server, UNSIGNED) as crowd:
        crowd.come(UNSIGNED_LIMIT // 2 - 20)
        assert crowd.alive() == UNSIGNED_LIMIT // 2 - 20, "below half nobody is dropped"
        with Crowd(crowd_server, UNSIGNED, lambda number: f"127.201.{number % 200}.1") as late:
            late.come(400)
            gone = UNSIGNED_LIMIT // 2 - 20 + 400 - crowd.alive() - late.alive()
            assert 0 < gone and 0 < late.alive()


def test_networks_that_signed_in_lately_have_a_quarter_to_themselves(crowd_server, new_account, fresh_source):
    source = fresh_source()
    _, account = new_account(crowd_server, source=source)
    with Crowd(crowd_server, UNSIGNED) as crowd:
        crowd.come(COUNT // 2)
        for _ in range(20):
            with crowd_server.connect_secure(source=source) as client:
                client.sign_in(Account(account.secret))


def test_hellos_without_number_from_one_address_hold_up_nobody_from_another(
    crowd_server, new_account, fresh_source
):
    source = fresh_source()
    client, _ = new_account(crowd_server)
    with Crowd(crowd_server, HELLO, lambda _: source) as crowd, Served(client) as served:
        crowd.come(COUNT // 2)
        wait_until(lambda: served.count >= 20, "somebody who had signed in is answered")
        other = fresh_source()
        wait_until(lambda: comes_in(crowd_server, other), "somebody from elsewhere comes in")


def test_the_log_does_not_grow_with_the_crowd(make_secure):
    server = make_secure(connections=12_000, connections_per_address=0, log_level=None, log_rate=2)
    with Crowd(server, HELLO) as crowd:
        crowd.come(COUNT // 2)
    lines = server.log().count("\n")
    assert lines < COUNT // 10, f"{lines} lines"


def test_a_flood_of_connections_that_come_and_go_leaves_nothing_behind(crowd_server, new_account):
    with Crowd(crowd_server, HALF_A_HELLO) as crowd:
        crowd.come(200)
    before = crowd_server.resident_bytes()
    for _ in range(4):
        with Crowd(crowd_server, SERVER_HELLO) as crowd:
            crowd.come(100)
    client, _ = new_account(crowd_server)
    client.account()
    assert crowd_server.resident_bytes() - before < 60 * MIB


def test_one_who_signed_in_may_be_silent_while_a_crowd_comes(crowd_server, new_account):
    client: SecureClient
    client, _ = new_account(crowd_server)
    with Crowd(crowd_server, UNSIGNED) as crowd:
        crowd.come(COUNT // 2)
    client.account()
