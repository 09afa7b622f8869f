"""Lists of users beyond the budget of an hour: slower, never refused."""

from peer.fixtures import in_threads
from peer.frames import MessageAnswer
from peer.messages import list_users_frame

MIB = 1 << 20
USERS = 40


def test_lists_beyond_the_budget_are_slowed_and_come_whole(make_server, new_user):
    server = make_server(list_budget=1, list_rate=64)
    with server.connect() as client:
        users = [client.register(new_user()) for _ in range(USERS)]
        greedy = users[0]
        expected = client.list_users(greedy)
        assert len(expected) == USERS - 1
        for _ in range(MIB // (271 * len(expected)) + 1):
            assert client.list_users(greedy) == expected
        assert "a list is slowed" in server.log()

        def ask(_):
            with server.connect() as other:
                return other.list_users(greedy)

        assert in_threads(ask, range(5)) == [expected] * 5
        start = len(server.log())
        assert len(client.list_users(users[1])) == USERS - 1
        assert "a list is slowed" not in server.log()[start:]


def test_the_rate_of_slow_lists_can_be_changed(make_server, new_user):
    """Two hundred such lists would take minutes at the first rate."""
    server = make_server(list_budget=1, list_rate=1)
    with server.connect() as client:
        users = [client.register(new_user()) for _ in range(9)]
        for _ in range(MIB // (271 * 8) + 1):
            assert len(client.list_users(users[0])) == 8
        server.reload(list_budget=1, list_rate=1024)
        client.send(list_users_frame(users[0].id) * 200)
        assert {client.receive().code for _ in range(200)} == {MessageAnswer.USERS}
    assert "a list is slowed" in server.log()
