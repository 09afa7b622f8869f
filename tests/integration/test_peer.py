"""The peer's two sides against each other: the client of drop.py on the fake server of server.py."""

import os

import pytest
from peer.drop import DropClient, Refused
from peer.frames import Answer, ConnectionEnded, Request
from peer.server import AnswerToCrcWrong


@pytest.fixture
def talk(make_fake):
    """Makes a fake server from a script and a client connected to it."""
    clients = []

    def make(**script):
        fake = make_fake(**script)
        clients.append(DropClient(fake.address))
        return fake, clients[-1]

    yield make
    for client in clients:
        client.close()


def introduce(client, user):
    client.register(user)
    client.send_public_key(user)


def test_a_file_goes_from_the_client_to_the_fake_server(talk, new_user):
    fake, client = talk()
    user, plain = new_user(), os.urandom(5000)
    introduce(client, user)
    client.put(user, "a file", plain)
    assert fake.files == {"a file": plain}
    assert fake.codes == [Request.REGISTER, Request.PUBLIC_KEY, Request.SEND_FILE, Request.CRC_OK]


def test_answers_of_one_byte_at_a_time_are_understood(talk, new_user):
    fake, client = talk(one_byte_at_a_time=True)
    user = new_user()
    introduce(client, user)
    client.put(user, "x", b"content")
    assert fake.files == {"x": b"content"}


def test_a_fake_server_that_reads_once_takes_whole_requests(talk, new_user):
    fake, client = talk(read_once=True)
    user = new_user()
    introduce(client, user)
    client.put(user, "large", bytes(100_000))
    assert fake.files == {"large": bytes(100_000)}


def test_a_reconnect_brings_a_fresh_key(talk, new_user):
    _, client = talk()
    user = new_user()
    introduce(client, user)
    first = user.aes_key
    assert client.reconnect(user) != first


def test_wrong_sums_are_seen_and_given_up(talk, new_user):
    _, client = talk(wrong_sums=1)
    user = new_user()
    introduce(client, user)
    with pytest.raises(AssertionError):
        client.send_file(user, "x", b"content")
    client.give_up(user, "x")


def test_an_early_answer_to_a_1030_arrives(talk, new_user):
    _, client = talk(answer_to_crc_wrong=AnswerToCrcWrong.AT_ONCE)
    user = new_user()
    introduce(client, user)
    client.crc_wrong(user, "x")
    assert client.receive().code == Answer.THANKS


def test_a_late_answer_to_a_1030_comes_before_the_next_2103(talk, new_user):
    _, client = talk(answer_to_crc_wrong=AnswerToCrcWrong.LATE)
    user = new_user()
    introduce(client, user)
    client.crc_wrong(user, "x")
    with pytest.raises(Refused):
        client.send_file(user, "x", b"content")
    assert client.receive().code == Answer.FILE_RECEIVED


def test_scripted_errors_come_as_often_as_told(talk, new_user):
    _, client = talk(errors={Request.REGISTER: 2})
    user = new_user()
    for _ in range(2):
        with pytest.raises(Refused) as refusal:
            client.register(user)
        assert refusal.value.answer.code == Answer.REGISTER_REFUSED
    client.register(user)


def test_a_scripted_end_comes_in_the_middle(talk, new_user):
    _, client = talk(close_in=Request.PUBLIC_KEY)
    user = client.register(new_user())
    with pytest.raises(ConnectionEnded):
        client.send_public_key(user)
