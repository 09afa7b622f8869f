"""What one address may do, and all of them together: connections, registrations, keys."""

import re
import signal

import pytest
from peer.ask import AskClient
from peer.chat import MENU, ChunkClient, LineClient, said
from peer.conversation import UNKNOWN_CODE, assert_served, taken, wait_until
from peer.drop import User, public_key_frame, reconnect_frame, register_for_messages_frame, register_frame
from peer.frames import (
    DROP_ERROR,
    DROP_VERSION,
    MESSAGES_ERROR,
    NO_ID,
    Answer,
    ConnectionEnded,
    Reply,
    Request,
    request,
    text_field,
)
from peer.kesherd import Kesherd
from peer.messages import MessagesClient, Type, message_frame
from peer.metrics import HttpClient

LIMIT = 3
HERE, ELSEWHERE = "127.0.0.2", "127.0.0.3"
TAKEN = Reply(DROP_VERSION, Answer.REGISTER_REFUSED, b"")


def is_served(client: MessagesClient) -> bool:
    """Whether the server answers on this connection, or has closed it."""
    try:
        client.send(request(NO_ID, UNKNOWN_CODE))
        return client.receive() == MESSAGES_ERROR
    except (ConnectionEnded, ConnectionError):
        return False


def may_connect(server: Kesherd, **options) -> bool:
    with server.connect(**options) as client:
        return is_served(client)


def connect_served(server: Kesherd, count: int, **options) -> list[MessagesClient]:
    clients = [server.connect(**options) for _ in range(count)]
    assert all(is_served(client) for client in clients)
    return clients


def close_all(clients: list) -> None:
    for client in clients:
        client.close()


# -- connections of all


def make_busy(client: MessagesClient, user: User) -> bytes:
    """Brings it into the middle of a message, and returns the rest: the server knows that by the time of the
    answer before."""
    rest = begin_message(client, user)
    assert client.receive() == TAKEN
    return rest


def begin_message(client: MessagesClient, user: User) -> bytes:
    message = message_frame(user.id, user.id, Type.TEXT, b"busy" * 100)
    client.send(taken(user) + message[:100])
    return message[100:]


def is_answered(client: MessagesClient) -> bool:
    """Whether what it has sent is answered as by `make_busy`; else the server has closed it."""
    try:
        return client.receive() == TAKEN
    except (ConnectionEnded, ConnectionError):
        return False


def test_where_nobody_is_idle_a_connection_too_many_is_closed_until_there_is_room(make_server, new_user):
    server = make_server(connections=LIMIT)
    busy = [server.connect() for _ in range(LIMIT)]
    user = busy[0].register(new_user())
    for client in busy:
        rest = make_busy(client, user)
    assert not any(may_connect(server) for _ in range(10))
    told = r"127\.0\.0\.1:\d+: refused: the limit of connections is reached and nobody makes room \(connections\)"
    assert len(re.findall(told, server.log())) == 10
    busy.pop().close()
    wait_until(lambda: may_connect(server), "room where one has gone")
    for client in busy:
        client.send(rest)
        client.expect_stored(user.id)
        client.close()


def test_a_burst_for_the_place_of_one_is_served_in_that_place_alone(make_server, new_user):
    """All of it may find the same one idle, which makes room for one of them; nobody passes the limit. Who is
    refused then was counted among the connections, and is no more. Who gets the place may have to give it to
    another one of the burst before it is served; nobody goes uncounted."""
    address = "127.0.0.1:0"
    server = make_server(connections=20, workers=2, metrics=address)
    with server.connect() as client:
        user = client.register(new_user())
    busy = [server.connect() for _ in range(19)]
    for client in busy:
        make_busy(client, user)
    idle = connect_served(server, 1)
    server.process.send_signal(signal.SIGSTOP)
    burst = [server.connect() for _ in range(200)]
    for client in burst:
        begin_message(client, user)
    server.process.send_signal(signal.SIGCONT)
    served = sum(1 for client in burst if is_answered(client))
    assert served <= 1
    server.reload(connections=40, metrics=address)  # a place for the monitor, which nobody leaves for it
    close_all(busy + idle + burst)
    with HttpClient(server.metrics_address) as client:
        wait_until(lambda: client.scrape().value("kesher_connections", listener="binary") == 0, "the end of all")
        scrape = client.scrape()
    refused = scrape.value("kesher_connections_refused_total", listener="binary", reason="full")
    evicted = scrape.value("kesher_connections_evicted_total")
    assert refused + evicted + served == len(burst) + len(idle)
    server.reload(connections=20, metrics=address)
    close_all(connect_served(server, 19))


# -- who makes room


def test_silent_strangers_throw_out_neither_users_nor_members(make_talker, new_user, open_chat):
    server = make_talker(connections=20)
    with server.connect() as client:
        user = client.register_for_messages(new_user())
        host, guest = open_chat(LineClient, server), open_chat(LineClient, server)
        guest.join("guest", host.create("host"))
        crowd = [server.connect() for _ in range(100)]
        wait_until(lambda: sum(1 for one in crowd if not one.is_silent_for(0)) >= 80, "room made by strangers")
        assert client.pull(user) == []
        guest.write("still here")
        host.expect(said("guest", "still here"))
        close_all(crowd)


def test_the_silent_make_room_first_then_half_headers_then_strangers(make_server, new_user):
    server = make_server(connections=4, workers=1)
    user_client, stranger, half, silent = (server.connect() for _ in range(4))
    user = user_client.register_for_messages(new_user())
    assert is_served(stranger)
    half.send(request(NO_ID, UNKNOWN_CODE)[:10])
    assert is_served(stranger)  # the half header has come before
    newcomers = []
    for leaving in (silent, half, stranger):
        newcomers.append(server.connect())
        assert leaving.has_ended()
        assert is_served(newcomers[-1])
    assert user_client.pull(user) == []
    close_all([user_client, stranger, half, silent, *newcomers])


def test_users_make_room_while_they_have_more_than_their_share(make_server, new_user):
    server = make_server(connections=4)
    clients = [server.connect() for _ in range(4)]
    for client in clients:
        client.register_for_messages(new_user())
    with server.connect() as newcomer:
        assert clients[0].has_ended()
        assert is_served(newcomer)
        with server.connect() as other:
            assert newcomer.has_ended()
            assert is_served(other)
    close_all(clients)


def test_nobody_leaves_for_who_finds_room_because_others_have_gone(make_server):
    server = make_server(connections=2, workers=2)
    clients = connect_served(server, 2)
    for _ in range(30):
        server.process.send_signal(signal.SIGSTOP)
        close_all(clients)
        newcomer = server.connect()
        server.process.send_signal(signal.SIGCONT)
        if not is_served(newcomer):  # nobody was idle when it came, and those that left had not quite gone
            wait_until(lambda: may_connect(server), "room where both have gone")
            clients = connect_served(server, 2)
            continue
        assert newcomer.is_silent_for(0.02)
        clients = [newcomer, *connect_served(server, 1)]


def test_a_burst_of_newcomers_leaves_users_what_is_reserved_for_them(make_server, new_user):
    server = make_server(connections=16, workers=2)
    clients = [server.connect() for _ in range(16)]
    for client in clients:
        client.register_for_messages(new_user())
    server.process.send_signal(signal.SIGSTOP)
    burst = [server.connect() for _ in range(60)]
    server.process.send_signal(signal.SIGCONT)
    everybody = clients + burst
    wait_until(lambda: sum(1 for one in everybody if one.is_silent_for(0)) <= 16, "room for the burst")
    # 12 of 16 are reserved; both workers may find the 13th.
    assert sum(1 for client in clients if client.is_silent_for(0)) >= 11
    close_all(everybody)


def test_payload_that_is_skipped_keeps_nobody_from_making_room(make_server):
    server = make_server(connections=LIMIT)
    clients = [server.connect() for _ in range(LIMIT)]
    for client in clients:
        client.send(request(NO_ID, UNKNOWN_CODE, bytes(1000))[:-1])
        assert client.receive() == MESSAGES_ERROR
    assert may_connect(server)
    close_all(clients)


# -- connections of an address


def test_an_address_has_so_many_connections_and_others_have_theirs(make_server):
    server = make_server(connections_per_address=LIMIT, unlimited_networks="none")
    here = connect_served(server, LIMIT, source=HERE)
    assert not any(may_connect(server, source=HERE) for _ in range(10))
    told = rf"{HERE}:\d+: refused: this address has as many connections as it may \(connections-per-address\)"
    assert len(re.findall(told, server.log())) == 10
    elsewhere = connect_served(server, LIMIT, source=ELSEWHERE)
    assert not may_connect(server, source=ELSEWHERE)
    assert all(is_served(client) for client in here + elsewhere)
    here.pop().close()
    wait_until(lambda: may_connect(server, source=HERE), "room where one has gone")
    assert not may_connect(server, source=ELSEWHERE)
    close_all(here + elsewhere)


def test_connections_that_are_reset_make_room(make_server):
    server = make_server(connections_per_address=LIMIT, unlimited_networks="none")
    for _ in range(5):
        wait_until(lambda: all_get_in_and_are_reset(server), "room after resets")


def all_get_in_and_are_reset(server: Kesherd) -> bool:
    clients = [server.connect(source=HERE) for _ in range(LIMIT)]
    all_are_in = all([is_served(client) for client in clients])
    for client in clients:
        client.reset()
    return all_are_in


def test_an_address_has_its_connections_on_all_ports_together(make_talker):
    server = make_talker(connections_per_address=LIMIT, unlimited_networks="none")
    with server.connect(source=HERE) as client, ChunkClient(server.chat_address, source=HERE) as chat:
        assert is_served(client)
        chat.expect(MENU)
        with AskClient(server.ask_address, source=HERE) as ask:
            ask.greet()
            for address in (server.address, server.chat_address, server.ask_address):
                with MessagesClient(address, source=HERE) as late:
                    assert late.has_ended()
            assert may_connect(server, source=ELSEWHERE)


def test_connections_refused_to_one_address_make_nobody_else_leave(make_server):
    server = make_server(connections=2 * LIMIT, connections_per_address=LIMIT, unlimited_networks="none")
    clients = connect_served(server, LIMIT, source=HERE) + connect_served(server, LIMIT, source=ELSEWHERE)
    assert not any(may_connect(server, source=HERE) for _ in range(20))
    assert all(is_served(client) for client in clients)
    close_all(clients)


def is_limited(server: Kesherd, **options) -> bool:
    """Whether an address gets LIMIT connections and no more."""
    clients = connect_served(server, LIMIT, **options)
    more = may_connect(server, **options)
    close_all(clients)
    return not more


def test_this_machine_has_no_limit_by_address_where_nothing_is_said(make_server):
    server = make_server(connections_per_address=LIMIT)
    assert not is_limited(server) and not is_limited(server, source=HERE)


@pytest.mark.parametrize("networks", ["127.0.0.8/29,127.0.1.1", "127.0.0.8/29 127.0.1.1/32 10.0.0.0/8"])
def test_addresses_in_unlimited_networks_have_no_limit_and_those_beside_have(make_server, networks):
    server = make_server(connections_per_address=LIMIT, unlimited_networks=networks)
    for source in ("127.0.0.8", "127.0.0.15", "127.0.1.1"):
        assert not is_limited(server, source=source)
    for source in ("127.0.0.7", "127.0.0.16", "127.0.1.2"):
        assert is_limited(server, source=source)


def test_without_a_number_there_is_no_limit_by_address(make_server):
    assert not is_limited(make_server(connections_per_address=0, unlimited_networks="none"))


@pytest.mark.parametrize(
    "networks, limited", [("none", True), ("127.0.0.0/8", True), ("::1", False), ("::/64", False)]
)
def test_addresses_of_ipv6_have_limits_and_networks_too(make_server, networks, limited):
    server = make_server(host="::1", connections_per_address=LIMIT, unlimited_networks=networks)
    assert is_limited(server) == limited


@pytest.mark.parametrize("host", ["", "::"], ids=["all interfaces", "those of IPv6"])
def test_a_listener_for_both_knows_the_addresses_of_ipv4(make_server, host):
    """They come mapped into IPv6 there, where a whole /64 counts as one."""
    server = make_server(host=host, connections_per_address=LIMIT, unlimited_networks="127.0.0.9")
    _, port = server.address
    at_v4 = [MessagesClient(("127.0.0.1", port), source=HERE) for _ in range(LIMIT + 1)]
    assert [is_served(client) for client in at_v4] == [True] * LIMIT + [False]
    for address, source in (("127.0.0.1", ELSEWHERE), ("127.0.0.1", "127.0.0.9"), ("::1", None)):
        with MessagesClient((address, port), source=source) as client:
            assert is_served(client)
    close_all(at_v4)


# -- registrations


def test_an_address_registers_so_many_users_and_others_have_theirs(make_server, new_user):
    server = make_server(registrations_per_hour=LIMIT, unlimited_networks="none")
    with server.connect(source=HERE) as here, server.connect(source=ELSEWHERE) as elsewhere:
        user = here.register(new_user())
        here.register_for_messages(new_user())
        here.introduce(new_user())
        refused = new_user()
        assert here.ask(NO_ID, Request.REGISTER, text_field(refused.name)) == TAKEN
        here.send(register_for_messages_frame(refused.name, refused.public_key))
        assert here.receive() == MESSAGES_ERROR
        told = "refused: too many registrations from this address in an hour (registrations-per-hour)"
        assert f'{told}: "{refused.name}"\n' in server.log() and f" {HERE}:" in server.log()
        elsewhere.introduce(refused)
        elsewhere.put(refused, "x", b"served all the same")
        here.send_public_key(user)
        here.put(user, "x", b"known users are served")
    with server.connect(source=HERE) as again:
        again.send(register_frame(new_user().name))
        assert again.receive() == TAKEN


def test_addresses_in_unlimited_networks_register_and_get_keys_without_a_limit(make_server, new_user):
    server = make_server(registrations_per_hour=1, keys_per_hour=1)
    with server.connect() as client:
        for _ in range(5):
            client.introduce(new_user())


def test_the_allowance_of_registrations_comes_back_over_the_hour(make_server):
    """One of 1800 comes back every two seconds."""
    server = make_server(registrations_per_hour=1800, unlimited_networks="none", log_level="notice")
    frames = [register_frame(f"one of many {number}") for number in range(2500)]
    with server.connect() as client:
        codes = []
        for start in range(0, len(frames), 250):
            client.send(b"".join(frames[start : start + 250]))
            codes += [client.receive().code for _ in range(250)]
        assert codes[:1800] == [Answer.REGISTERED] * 1800
        assert Answer.REGISTER_REFUSED in codes[1800:]
        names = iter(range(10_000))

        def is_registered() -> bool:
            client.send(register_frame(f"later {next(names)}"))
            return client.receive().code == Answer.REGISTERED

        wait_until(is_registered, "a registration that is allowed again")


# -- keys


def test_an_address_gets_so_many_keys_and_others_have_theirs(make_server, new_user):
    server = make_server(keys_per_hour=LIMIT, unlimited_networks="none")
    with server.connect(source=HERE) as here, server.connect(source=ELSEWHERE) as elsewhere:
        user, other = here.introduce(new_user()), elsewhere.introduce(new_user())
        for _ in range(LIMIT - 1):
            here.reconnect(user)
        for frame in (reconnect_frame(user), public_key_frame(user)):
            here.send(frame)
            assert here.receive() == DROP_ERROR
        told = rf'{HERE}:\d+: "{user.name}": refused: too many keys from this address in an hour \(keys-per-hour\)\n'
        assert re.search(told, server.log())
        here.put(user, "x", b"the key that it has still counts")
        assert_served(here, user)
        elsewhere.reconnect(other)
        elsewhere.reconnect(user)
    with server.connect(source=HERE) as again:
        again.send(reconnect_frame(user))
        assert again.receive() == DROP_ERROR


@pytest.mark.slow
def test_the_allowance_of_keys_comes_back_over_the_hour(make_server, new_user):
    """One of 1200 comes back every three seconds."""
    server = make_server(keys_per_hour=1200, unlimited_networks="none", log_level="notice")
    with server.connect() as client:
        user = client.introduce(new_user())
        codes = []
        while DROP_ERROR.code not in codes:
            assert len(codes) < 100_000
            client.send(reconnect_frame(user) * 100)
            codes += [client.receive().code for _ in range(100)]
        assert codes[:1199] == [Answer.KEY_AGAIN] * 1199

        def is_answered() -> bool:
            client.send(reconnect_frame(user))
            return client.receive().code == Answer.KEY_AGAIN

        wait_until(is_answered, "a key that is allowed again")
