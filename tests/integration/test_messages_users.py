"""Who is told of whom: the list of users, aliases, and the ids that stay secret."""


import pytest
from peer.conversation import register_many, two_users
from peer.drop import User, register_for_messages_frame
from peer.fixtures import run_module_server
from peer.frames import MESSAGES_VERSION, MessageAnswer, Reply, text_field
from peer.messages import (
    LISTED_USER,
    Message,
    Type,
    key_of_user_frame,
    list_users_frame,
    message_frame,
    pull_frame,
)


# -- the list of users


def test_the_list_has_everybody_else_in_the_order_of_registration(own_server, new_user):
    with own_server.connect() as connection:
        users = []
        for number in range(12):
            way = (connection.register, connection.register_for_messages, connection.introduce)[number % 3]
            users.append(way(new_user()))
        for asking in users:
            names = [name for _, name in connection.list_users(asking)]
            assert names == [user.name for user in users if user is not asking]


def test_the_list_of_a_single_user_is_empty(own_server, new_user):
    with own_server.connect() as connection:
        user = connection.register_for_messages(new_user())
        connection.send(list_users_frame(user.id))
        assert connection.receive() == Reply(MESSAGES_VERSION, MessageAnswer.USERS, b"")


def test_a_user_who_has_just_registered_is_in_the_next_list(connection, people, new_user):
    for _ in range(3):
        other = connection.register_for_messages(new_user())
        assert connection.list_users(people[0])[-1][1] == other.name


def test_garbage_after_the_nul_of_a_name_is_told_to_nobody(connection, people, new_user):
    user = new_user()
    connection.send(
        register_for_messages_frame(text_field(user.name, b"\xcd"), user.public_key)
        + list_users_frame(people[0].id)
    )
    connection.expect_message_answer(MessageAnswer.REGISTERED)
    listed = list(LISTED_USER.iter_unpack(connection.expect_message_answer(MessageAnswer.USERS)))
    assert listed[-1][1] == text_field(user.name)


def test_the_longest_name_is_listed_whole(connection, people, private_keys):
    user = connection.register_for_messages(User("n" * 254, private_keys[0]))
    assert connection.list_users(people[0])[-1][1] == user.name


@pytest.mark.parametrize("end", ["restart", "restart_after_kill"])
def test_the_list_is_the_same_after_a_restart(own_server, new_user, end):
    with own_server.connect() as connection:
        users = [connection.register_for_messages(new_user()) for _ in range(10)]
        before = connection.list_users(users[3])
    getattr(own_server, end)()
    with own_server.connect() as connection:
        assert connection.list_users(users[3]) == before
        assert len(before) == 9


# -- lists longer than any buffer


def test_thousands_of_users_are_listed_in_order_also_pipelined(own_server, private_keys):
    with own_server.connect() as connection:
        users = register_many(connection, private_keys[0], 3000)
        connection.send(list_users_frame(users[0].id) * 3)
        lists = [connection.expect_message_answer(MessageAnswer.USERS) for _ in range(3)]
        assert lists[0] == lists[1] == lists[2]
        listed = list(LISTED_USER.iter_unpack(lists[0]))
        assert [name.split(b"\0")[0].decode() for _, name in listed] == [user.name for user in users[1:]]
        assert len({alias for alias, _ in listed}) == 2999


def test_a_list_is_as_it_was_when_it_began(own_server, private_keys, new_user):
    """Whoever reads slowly gets as many users as the header says, although others register meanwhile."""
    with own_server.connect() as connection, own_server.connect(receive_buffer=4096) as slow:
        users = register_many(connection, private_keys[0], 3000)
        slow.send(list_users_frame(users[0].id))
        _, code, size = slow.receive_header()
        late = connection.register_for_messages(new_user())
        assert connection.list_users(users[0])[-1][1] == late.name
        payload = slow.receive_exactly(size)
        assert (code, size) == (MessageAnswer.USERS, 2999 * LISTED_USER.size)
        names = [name.split(b"\0")[0].decode() for _, name in LISTED_USER.iter_unpack(payload)]
        assert names == [user.name for user in users[1:]]
        assert slow.list_users(users[0])[-1][1] == late.name


# -- the secret ids


def everything_told(connection, asking: User, targets: list[bytes]) -> bytes:
    """All that the server answers to this user, in one string of bytes."""
    connection.send(list_users_frame(asking.id))
    answers = [connection.receive().payload]
    for target in targets:
        connection.send(key_of_user_frame(asking.id, target))
        answers.append(connection.receive().payload)
        connection.send(message_frame(asking.id, target, Type.TEXT, b"text"))
        answers.append(connection.receive().payload)
    connection.send(pull_frame(asking.id))
    answers.append(connection.receive().payload)
    return b"".join(answers)


def test_nobody_is_told_the_id_of_another(connection, new_user):
    users = [connection.register_for_messages(new_user()) for _ in range(5)]
    aliases = {user.name: connection.alias_of(user, users[user is users[0]]) for user in users}
    for sender in users:
        for receiver in users:
            connection.send_message(sender, aliases[receiver.name], b"text")
    for asking in users:
        told = everything_told(connection, asking, list(aliases.values()))
        assert all(user.id not in told for user in users if user is not asking)
        assert all(alias in told for alias in aliases.values())


def test_aliases_differ_and_are_no_ids(connection, new_user):
    users = [connection.register_for_messages(new_user()) for _ in range(50)]
    listed = connection.list_users(users[0])
    aliases = [alias for alias, _ in listed]
    assert len(set(aliases)) == len(aliases)
    assert not set(aliases) & {user.id for user in users}


def test_everybody_knows_a_user_by_the_same_alias(connection, people, new_user):
    others = [connection.register_for_messages(new_user()) for _ in range(3)]
    assert {connection.alias_of(people[1], asking=other) for other in others} == {people[2]}


# -- public-ids = plain


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory):
    """A server that shows the ids themselves."""
    yield from run_module_server(tmp_path_factory, public_ids="plain")


def test_public_ids_plain_shows_the_ids_wherever_an_alias_would_stand(plain_server, new_user):
    with plain_server.connect() as connection:
        sender, receiver = (connection.register_for_messages(new_user()) for _ in range(2))
        assert (receiver.id, receiver.name) in connection.list_users(sender)
        assert connection.key_of(sender, receiver.id) == receiver.public_key
        number = connection.send_message(sender, receiver.id, b"text")
        assert connection.pull(receiver) == [Message(sender.id, number, Type.TEXT, b"text")]


def test_public_ids_plain_is_called_insecure_in_the_log_and_the_default_is_not(plain_server, server):
    assert "insecure" in plain_server.log().lower()
    assert "insecure" not in server.log().lower()


def test_an_alias_learnt_before_public_ids_plain_still_names_its_user(make_server, new_user):
    server = make_server()
    with server.connect() as connection:
        sender, receiver, alias = two_users(connection, new_user)
    server.configure(public_ids="plain")
    server.restart()
    with server.connect() as connection:
        connection.send_message(sender, alias, b"to the alias")
        assert [(message.sender, message.content) for message in connection.pull(receiver)] == [
            (sender.id, b"to the alias")
        ]


def test_public_ids_alias_is_the_default(make_server, new_user):
    with make_server(public_ids="alias").connect() as connection:
        sender, receiver, alias = two_users(connection, new_user)
        assert alias != receiver.id
