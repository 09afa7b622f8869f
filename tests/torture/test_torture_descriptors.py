"""Out of file descriptors: who is there is served, who waits is taken when some are free, and nothing spins."""

import os

import pytest
from peer.chat import LineClient
from peer.conversation import taken
from peer.drop import Refused, User, file_frame
from peer.frames import Answer
from peer.load import Load, await_progress, chatting, conversing, stop_all
from peer.messages import MessagesClient, Type, message_frame
from processes.descriptors import (
    LimitedKesherd,
    ask,
    complaints,
    descriptor_limits,
    expect_answer,
    give_back_descriptors,
    is_answered,
    out_of_descriptors,
    work_while_watched,
)

STRANGERS = 20
MORE_TICKS = 20  # of 200 or more that a thread that spins would take
MORE_SWITCHES = 200  # a try each 100 ms, and a log's line, are 25 or so


@pytest.fixture
def make_limited(tmp_path):
    """Makes one server with that limit of open files."""
    servers = []

    def make(**options) -> LimitedKesherd:
        servers.append(LimitedKesherd(tmp_path / "limited", log_level="info", **options))
        return servers[-1].start()

    yield make
    for server in servers:
        server.stop()


def test_the_server_raises_its_own_limit_of_open_files(make_limited):
    server = make_limited(soft=100, hard=4096)
    assert descriptor_limits(server) == (4096, 4096)
    clients = [server.connect() for _ in range(300)]
    for client in clients:
        ask(client)
    for client in clients:
        expect_answer(client)
        client.close()


def begin(client: MessagesClient, user: User, half: bytes) -> None:
    """Sends half a request; the server has it when this returns, for it came with one that was answered."""
    client.send(taken(user) + half)
    client.expect(Answer.REGISTER_REFUSED)


def test_with_as_many_connections_as_descriptors_allow_uploads_still_have_theirs(make_limited, new_user):
    """A limit of 600 allows 300 connections. All of them are in the middle of a content: nobody makes room."""
    server, content = make_limited(soft=600, hard=600), os.urandom(300_000)
    with server.connect() as honest:
        user = honest.introduce(new_user())
        upload = file_frame(user.id, "during", user.encrypt(content))
        begin(honest, user, upload[:1000])
        message = message_frame(user.id, user.id, Type.TEXT, b"to oneself")
        busy = [server.connect() for _ in range(299)]
        for client in busy:
            begin(client, user, message[:-1])
        for _ in range(20):
            with server.connect() as late:
                assert late.has_ended()
        honest.send(upload[1000:])
        honest.expect(Answer.FILE_RECEIVED)
        honest.confirm(user, "during")
        honest.put(user, "again", content)
    assert server.stored(user.id, "during") == server.stored(user.id, "again") == content
    for client in busy:
        client.send(message[-1:])
        client.expect_stored(user.id)
        client.close()


@pytest.fixture
def talkers(make_talker, new_user):
    """A server, and who talks there: in messages and in a chat."""
    server = make_talker(log_level="info")
    client = server.connect()
    chatters = [LineClient(server.chat_address) for _ in range(2)]
    yield server, [conversing(client, new_user), chatting(*chatters)]
    for each in (client, *chatters):
        each.close()


def test_out_of_descriptors_those_who_are_there_are_served_and_those_who_wait_later(talkers):
    server, steps = talkers
    with out_of_descriptors(server, STRANGERS) as (inside, waiting):
        loads = [Load(step) for step in steps]
        await_progress(loads)
        for client in inside:
            ask(client)
            expect_answer(client)
        assert not any(is_answered(client) for client in waiting)
        give_back_descriptors(server)
        for client in waiting:
            expect_answer(client)
        await_progress(loads)
        stop_all(loads)


def test_out_of_descriptors_each_one_who_leaves_lets_one_in_who_waits(make_server):
    server = make_server(log_level="info")
    leaving = [server.connect() for _ in range(STRANGERS // 2)]
    for client in leaving:
        ask(client)
        expect_answer(client)
    with out_of_descriptors(server, STRANGERS) as (_, waiting):
        let_in, outside = waiting[: len(leaving)], waiting[len(leaving) :]
        for one_leaves, one_comes in zip(leaving, let_in):
            one_leaves.close()
            expect_answer(one_comes)
        assert not any(is_answered(client) for client in outside)


def test_an_upload_without_a_descriptor_is_refused_and_the_next_one_is_taken(make_talker, new_user):
    server = make_talker(log_level="info")
    with server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "before", b"content")
        with out_of_descriptors(server, 1):
            with pytest.raises(Refused) as refused:
                client.send_file(user, "during", b"content")
            assert refused.value.answer.code == Answer.ERROR
        client.put(user, "after", b"content")
        assert [name for name, _, _ in server.file_rows(user.id)] == ["after", "before"]


def test_out_of_descriptors_the_server_does_not_spin(talkers):
    server, _ = talkers
    before = work_while_watched(server)
    with out_of_descriptors(server, STRANGERS) as (_, waiting):
        meanwhile = work_while_watched(server)
        assert not any(is_answered(client) for client in waiting)
        assert complaints(server) == 1
    assert meanwhile.ticks <= before.ticks + MORE_TICKS, (before, meanwhile)
    assert meanwhile.switches <= before.switches + MORE_SWITCHES, (before, meanwhile)
