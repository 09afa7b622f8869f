"""kesher-bench pull: what waits is taken, counted and compared."""

import pytest

from peer.bench_stores import bench, bench_fails
from peer.frames import MESSAGES_VERSION, MessageAnswer, Request, reply
from peer.message_server import MessageScript, MessageServer


@pytest.fixture
def fake():
    server = MessageServer(MessageScript())
    yield server
    server.stop()
    assert not server.problems, server.problems


@pytest.mark.parametrize(
    ("connections", "messages", "size"), [(1, 1000, 64), (5, 30, 1), (2, 5, 100_000), (1, 2, "1M")]
)
def test_each_receiver_takes_what_waits(server, connections, messages, size):
    told = bench("pull", server.address, "--connections", connections, "--messages", messages, "--size", size)
    assert told["messages"] == connections * messages
    assert 0 < told["first_message_p50_us"] <= told["first_message_max_us"] <= told["latency_max_us"]
    assert told["latency_p50_us"] <= told["latency_p99_us"] <= told["latency_max_us"]
    server.restart()  # what was taken is deleted, now at the latest
    assert server.rows("SELECT count(*) FROM messages") == [(0,)]


def test_the_servers_cpu_is_told(server):
    told = bench("pull", server.address, "--messages", 50, "--pid", server.process.pid)
    assert told["server_cpu_us_per_message"] >= 0 and told["server_resident_bytes"] > 0


def test_several_answers(make_server):
    server = make_server(pull_limit=1000)
    assert bench("pull", server.address, "--messages", 100)["messages"] == 100


def test_an_honest_fake_server_satisfies_it(fake):
    fake.script.one_byte_at_a_time = True
    fake.script.messages_per_answer = 3
    assert bench("pull", fake.address, "--connections", 2, "--messages", 10)["messages"] == 20


def test_nothing_to_pull(server):
    assert "at least 1" in bench_fails("pull", server.address, "--messages", 0)


def test_a_lost_message(fake):
    def lie(seen, honest):
        if len(fake.sent) == 7:
            fake.waiting[fake.account_of_target(seen.payload[:16]).id].pop(3)
        return honest

    fake.script.lies[Request.SEND_MESSAGE] = lie
    line = bench_fails("pull", fake.address, "--messages", 10)
    assert "message 3 of sender 0 to receiver 0 is lost" in line


def test_a_list_that_ends_too_early(fake):
    fake.script.lies[Request.PULL] = lambda seen, honest: reply(
        MessageAnswer.WAITING, version=MESSAGES_VERSION
    )
    line = bench_fails("pull", fake.address, "--messages", 10)
    assert "of 10 messages" in line and "has got 0" in line


def test_a_message_of_someone_else(fake):
    def lie(seen, honest):
        receiver = fake.account_of_target(seen.payload[:16]).id
        fake.waiting[receiver][-1] = type(fake.waiting[receiver][-1])(bytes(16), 99, 3, bytes(64))
        return honest

    fake.script.lies[Request.SEND_MESSAGE] = lie
    assert "none of its senders sent" in bench_fails("pull", fake.address, "--messages", 10)


@pytest.mark.parametrize("code", [Request.SEND_MESSAGE, Request.PULL, Request.LIST_USERS])
def test_a_connection_that_ends(fake, code):
    fake.script.close_before_answer = code
    assert "the server has ended the connection" in bench_fails("pull", fake.address, "--messages", 3)


def test_a_refusal(fake):
    fake.script.errors[Request.PULL] = 1
    assert "answered with 9000 where 2104 was due" in bench_fails("pull", fake.address, "--messages", 3)
