"""Ends of connections, half frames, resets, silence: nobody else notices, and no answer is lost."""

import os

import pytest
from peer.conversation import UNKNOWN_CODE, assert_served, conversation, taken
from peer.drop import User, file_frame, named_frame
from peer.fixtures import run_module_server
from peer.frames import DROP_ERROR, Answer, ConnectionEnded, Request, request


def test_half_close_after_requests_still_gets_every_answer_and_then_the_end(connection, user):
    data, codes = conversation(user)
    connection.send(data)
    connection.finish_sending()
    assert [answer.code for answer in connection.receive_until_end()] == codes


def test_half_close_after_a_hundred_uploads_still_gets_every_answer(connection, user):
    upload = file_frame(user.id, "x", user.encrypt(bytes(10_000))) + named_frame(user.id, Request.CRC_OK, "x")
    connection.send(upload * 50)
    connection.finish_sending()
    codes = [answer.code for answer in connection.receive_until_end()]
    assert codes == [Answer.FILE_RECEIVED, Answer.THANKS] * 50


def test_half_close_in_the_middle_of_a_frame_ends_the_connection_after_the_answers_before(connection, user):
    connection.send(taken(user) + taken(user)[:100])
    connection.finish_sending()
    assert [answer.code for answer in connection.receive_until_end()] == [Answer.REGISTER_REFUSED]


def test_half_close_without_any_request_ends_the_connection(connection):
    connection.finish_sending()
    assert connection.receive_until_end() == []


def halves(user: User) -> list[bytes]:
    whole_upload = file_frame(user.id, "half", user.encrypt(bytes(100_000)))
    return [
        b"",
        b"\0",
        taken(user)[:22],
        taken(user)[:23],
        taken(user)[:100],
        whole_upload[:23],
        whole_upload[:200],
        whole_upload[:282],
        whole_upload[:50_000],
        whole_upload[:-1],
    ]


def test_half_frames_leave_everyone_else_served(server, user, new_user):
    clients = [server.connect() for _ in halves(user)]
    for client, half in zip(clients, halves(user)):
        client.send(half)
    with server.connect() as connection:
        other = connection.register(new_user())
        connection.send_public_key(other)
        connection.put(other, "x", b"served all the same")
    for client in clients:
        client.close()
    assert server.stored(other.id, "x") == b"served all the same"


def test_resets_in_the_middle_of_frames_leave_everyone_else_served(server, connection, user):
    for _ in range(5):
        for half in halves(user):
            client = server.connect()
            client.send(half)
            client.reset()
    connection.put(user, "x", b"served all the same")
    assert server.stored(user.id, "x") == b"served all the same"


def test_resets_with_answers_on_their_way_leave_everyone_else_served(server, connection, user):
    for _ in range(50):
        client = server.connect()
        client.send(taken(user) * 100)
        client.reset()
    connection.put(user, "x", b"served all the same")


def test_a_half_upload_that_is_reset_leaves_nothing_staged(server, user):
    client = server.connect()
    client.send(file_frame(user.id, "never completed", user.encrypt(bytes(1 << 20)))[:500_000])
    client.reset()
    with server.connect() as connection:
        connection.send(named_frame(user.id, Request.CRC_OK, "never completed"))
        assert connection.receive() == DROP_ERROR


def test_a_client_that_never_reads_does_not_hold_up_others(server, connection, user):
    """Its answers fill every buffer on the way; the server must neither wait for it nor fall."""
    deaf = server.connect(timeout=1)
    try:
        for _ in range(200):
            deaf.send(request(user.id, UNKNOWN_CODE) * 5000)
    except (TimeoutError, ConnectionError):
        pass  # not taken any more, or cut off: both are fair
    connection.put(user, "x", b"served all the same")
    deaf.close()


def test_random_bytes_leave_everyone_else_served(server, connection, user):
    for size in (1, 22, 23, 24, 300, 5000, 100_000):
        with server.connect() as client:
            client.send_as_far_as_taken(os.urandom(size), finish=True)
    assert_served(connection, user)


@pytest.fixture(scope="module")
def hasty_server(tmp_path_factory):
    """A server whose time limits are as short as they get."""
    yield from run_module_server(tmp_path_factory, header_timeout=1, payload_timeout=1)


def test_silence_between_requests_does_not_close_a_connection(hasty_server, new_user):
    with hasty_server.connect() as before_any, hasty_server.connect() as after_some:
        user = after_some.register(new_user())
        assert after_some.is_silent_for(4)
        assert before_any.is_silent_for(0)
        assert_served(after_some, user)
        assert_served(before_any, user)


def test_silence_inside_a_header_ends_the_connection(hasty_server, new_user):
    with hasty_server.connect() as connection:
        connection.send(taken(new_user())[:10])
        assert connection.has_ended()


def test_silence_inside_a_payload_ends_the_connection(hasty_server, new_user):
    with hasty_server.connect() as connection:
        connection.send(taken(new_user())[:100])
        with pytest.raises(ConnectionEnded):
            connection.receive()


def test_silence_inside_the_content_of_a_file_ends_the_connection(hasty_server, new_user):
    with hasty_server.connect() as connection:
        user = connection.register(new_user())
        connection.send_public_key(user)
        connection.send(file_frame(user.id, "x", user.encrypt(bytes(1000)))[:-1])
        with pytest.raises(ConnectionEnded):
            connection.receive()


# -- the limit of connections

LIMIT = 10


@pytest.fixture(scope="module")
def small_server(tmp_path_factory):
    """A server that takes few connections at a time."""
    yield from run_module_server(tmp_path_factory, connections=LIMIT)


def idle_connections(server, count: int, user: User) -> list:
    """Connections that were used once, one after the other, and are silent since."""
    clients = []
    for _ in range(count):
        clients.append(server.connect())
        assert_served(clients[-1], user)
        assert clients[-1].is_silent_for(0.02)  # so that no two are idle since the same instant
    return clients


def test_at_the_limit_the_longest_idle_connection_makes_room(small_server, new_user):
    with small_server.connect() as client:
        user = client.register(new_user())
    clients = idle_connections(small_server, LIMIT, user)
    assert_served(clients[0], user)
    clients += idle_connections(small_server, 1, user)
    assert clients[1].has_ended()
    for client in clients[:1] + clients[2:]:
        assert_served(client, user)
        client.close()


def test_at_the_limit_connections_with_something_in_flight_stay(small_server, new_user):
    with small_server.connect() as busy:
        user = busy.introduce(new_user())
        upload = file_frame(user.id, "x", user.encrypt(b"slow, but under way"))
        busy.send(upload[:-1])
        assert busy.is_silent_for(0.2)
        for _ in range(3):
            for client in idle_connections(small_server, LIMIT, user):
                client.close()
        crowd = idle_connections(small_server, 2 * LIMIT, user)
        busy.send(upload[-1:])
        assert busy.receive().code == Answer.FILE_RECEIVED
        for client in crowd:
            client.close()


def test_connections_that_made_room_do_not_count_although_their_clients_keep_them_open(
    small_server, new_user
):
    with small_server.connect() as client:
        user = client.register(new_user())
    cut_off = idle_connections(small_server, LIMIT, user)
    for _ in range(3):
        for client in idle_connections(small_server, LIMIT, user):
            client.close()
    for client in cut_off:
        client.close()
