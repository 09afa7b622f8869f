"""kesher-bench send: what was acknowledged is found again, and a server that loses a message is found out."""

import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from peer.bench_stores import Broker, ListServer, bench, bench_fails, bench_refuses
from peer.frames import MESSAGES_VERSION, MessageAnswer, Request, reply
from peer.message_server import MessageScript, MessageServer
from peer.messages import STORED, WAITING_FIXED, Message
from peer.ports import free_port

FEW = ("--connections", 2, "--messages", 20, "--depth", 4)


def waiting(server) -> int:
    ((count,),) = server.rows("SELECT count(*) FROM messages")
    return count


@contextmanager
def fake(**script):
    server = MessageServer(MessageScript(**script))
    try:
        yield server
    finally:
        server.stop()
    assert not server.problems, server.problems


# -- kesherd


@pytest.mark.parametrize(
    "more",
    [
        ("--connections", 10),
        ("--connections", 3, "--depth", 100),
        ("--connections", 2, "--receivers", 5, "--depth", 7),
        ("--connections", 5, "--receivers", 2, "--size", 1),
        ("--connections", 2, "--size", 16384),
        ("--connections", 2, "--size", 16385, "--depth", 3),
        ("--connections", 1, "--size", "300K", "--depth", 2),
    ],
)
def test_each_message_is_found_again(server, more):
    before = waiting(server)
    told = bench("send", server.address, "--messages", 51, *more)
    assert told["messages"] == told["acknowledged_in_all"] == 51
    assert told["verified"].startswith("each message once, in order")
    server.restart()  # what was taken is deleted, now at the latest
    assert waiting(server) == before


def test_for_a_time(server):
    told = bench("send", server.address, "--duration", 0.3, "--warm-up", 0.1, "--pid", server.process.pid)
    assert told["seconds"] >= 0.3
    assert 0 < told["messages"] < told["acknowledged_in_all"]
    assert 0 < told["latency_p50_us"] <= told["latency_p99_us"] <= told["latency_max_us"]
    assert told["server_cpu_us_per_message"] > 0


def test_what_is_kept_is_on_the_server(own_server):
    told = bench("send", own_server.address, *FEW, "--size", 10, "--keep")
    assert told["verified"] == "each message acknowledged"
    assert waiting(own_server) == 20
    assert own_server.rows("SELECT DISTINCT length(Content) FROM messages") == [(10,)]
    assert len(own_server.rows("SELECT DISTINCT Content FROM messages")) == 20


def test_plain_ids(make_server):
    bench("send", make_server(public_ids="plain").address, *FEW)


def test_small_answers_to_pulls(make_server):
    assert bench("send", make_server(pull_limit=100).address, *FEW)["messages"] == 20


def test_a_limit_of_what_waits(make_server):
    line = bench_fails("send", make_server(waiting_messages=5).address, *FEW)
    assert "refused message 3" in line and "--waiting-messages" in line


# -- servers that are wrong


def test_an_honest_fake_server_satisfies_it():
    with fake(one_byte_at_a_time=True, messages_per_answer=3) as server:
        bench("send", server.address, *FEW)


def answer_to(change):
    """A lie about what waits: `change` is given the messages, of one or more, and returns others."""

    def lie(seen, honest):
        payload = honest[7:]
        messages = []
        while payload:
            sender, number, kind, size = WAITING_FIXED.unpack_from(payload)
            content = payload[WAITING_FIXED.size : WAITING_FIXED.size + size]
            messages.append(Message(sender, number, kind, content))
            payload = payload[WAITING_FIXED.size + size :]
        changed = change(messages) if messages else messages
        return reply(
            MessageAnswer.WAITING, b"".join(it.encode() for it in changed), version=MESSAGES_VERSION
        )

    return lie


def changed(messages: list[Message], index: int, **fields) -> list[Message]:
    return [*messages[:index], replace(messages[index], **fields), *messages[index + 1 :]]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda them: them[1:], "is lost, in another order or changed"),
        (lambda them: [them[1], them[0], *them[2:]], "is lost, in another order or changed"),
        (lambda them: [them[0], *them], "is lost, in another order or changed"),
        (lambda them: changed(them, 3, content=them[3].content[:-1] + b"!"), "or changed: in its place"),
        (lambda them: changed(them, 3, content=them[3].content[:-1]), "was sent as type 3 with 64"),
        (lambda them: changed(them, 3, type=4), "is of type 4"),
        (lambda them: changed(them, 3, sender=bytes(16)), "none of its senders sent"),
        (lambda them: changed(them, 3, id=them[2].id), "do not ascend"),
        (lambda them: changed(them, 9, id=them[9].id + 1000), "other ids than were acknowledged"),
        (lambda them: [*them, replace(them[9], id=them[9].id + 1000)], "more than the 10 messages"),
    ],
)
def test_what_is_pulled_is_wrong(change, words):
    with fake() as server:
        server.script.lies[Request.PULL] = _once_then_empty(
            answer_to(change)
        )
        assert words in bench_fails("send", server.address, *FEW)


def _once_then_empty(lie):
    """The first answer to each user is the lie; then nothing waits."""
    asked = set()

    def lies(seen, honest):
        if seen.client_id in asked:
            return reply(MessageAnswer.WAITING, version=MESSAGES_VERSION)
        asked.add(seen.client_id)
        return lie(seen, honest)

    return lies


def test_a_message_that_was_acknowledged_and_lost():
    def lie(seen, honest):
        if len(server.sent) == 20:
            server.waiting[server.account_of_target(seen.payload[:16]).id].pop()
        return honest

    with fake() as server:
        server.script.lies[Request.SEND_MESSAGE] = lie
        line = bench_fails("send", server.address, *FEW)
        assert "of 10 messages that were acknowledged" in line and "has got 9" in line


def test_an_answer_that_ends_within_a_message():
    with fake() as server:
        server.script.lies[Request.PULL] = lambda seen, honest: reply(
            MessageAnswer.WAITING, honest[7:-1], version=MESSAGES_VERSION
        )
        assert "ends within a message" in bench_fails("send", server.address, *FEW)


def stored(target: bytes, number: int) -> bytes:
    return reply(MessageAnswer.STORED, STORED.pack(target, number), version=MESSAGES_VERSION)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (lambda seen, honest: stored(bytes(16), 1), "names another receiver"),
        (lambda seen, honest: stored(seen.payload[:16], 0), "has the id 0"),
        (lambda seen, honest: stored(seen.payload[:16], 7), "does not lie above"),
        (lambda seen, honest: reply(MessageAnswer.ERROR, b"because"), "refused message 0"),
        (lambda seen, honest: reply(MessageAnswer.KEY_OF_USER, honest[7:]), "answered with 2102"),
        (lambda seen, honest: reply(MessageAnswer.STORED, honest[7:] + b"!"), "21 bytes, and not with 2103"),
        (lambda seen, honest: honest * 5, "who waits for nothing"),
    ],
)
def test_what_is_acknowledged_is_wrong(lie, words):
    with fake() as server:
        server.script.lies[Request.SEND_MESSAGE] = lie
        line = bench_fails("send", server.address, "--connections", 1, "--messages", 2)
        assert words in line


def test_a_user_who_is_not_listed():
    with fake() as server:
        server.script.lies[Request.LIST_USERS] = lambda seen, honest: reply(
            MessageAnswer.USERS, honest[7 : 7 + 2 * 271]
        )
        assert "has 2 of our 3 users" in bench_fails("send", server.address, *FEW)


def test_a_user_who_is_listed_twice():
    with fake() as server:
        server.script.lies[Request.LIST_USERS] = lambda seen, honest: reply(
            MessageAnswer.USERS, honest[7 : 7 + 271] + honest[7:]
        )
        assert "twice" in bench_fails("send", server.address, *FEW)


def test_a_connection_that_ends():
    with fake(close_before_answer=Request.SEND_MESSAGE) as server:
        assert "the server has ended the connection" in bench_fails("send", server.address, *FEW)


def test_no_such_protocol(server):
    assert "--protocol" in bench_refuses("send", server.address, "--protocol", "smtp")


# -- lists


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--receivers", 5),
        ("--connections", 5, "--receivers", 2),
        ("--size", 20000),
        ("--size", "300K", "--messages", 9),
        ("--size", 1),
    ],
)
def test_lists_hold_each_message(more):
    with ListServer() as server:
        told = bench("send", server.address, "--protocol", "redis", *FEW, *more)
        assert told["verified"] == "each message once, in order, by content"
        assert not any(server.lists.values())


def test_lists_byte_by_byte():
    with ListServer(one_byte_at_a_time=True) as server:
        bench("send", server.address, "--protocol", "redis", *FEW, "--size", 30)


def test_lists_that_are_kept():
    with ListServer() as server:
        bench("send", server.address, "--protocol", "redis", *FEW, "--keep")
        assert [len(held) for held in server.lists.values()] == [10, 10]


def test_lists_of_several_senders_need_a_mark():
    with ListServer() as server:
        line = bench_fails("send", server.address, "--protocol", "redis", *FEW, "--receivers", 1, "--size", 7)
        assert "--size of 8" in line


def at_twenty(change):
    """Changes one list when the last message has been pushed."""

    def pushed(lists):
        if sum(map(len, lists.values())) == 20:
            change(next(iter(lists.values())))

    return pushed


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda held: held.pop(), "list 0 has 9"),
        (lambda held: held.pop(0), "is lost, in another order or changed"),
        (lambda held: held.reverse(), "is lost, in another order or changed"),
        (lambda held: held.append(held[9]), "nobody sent, or one twice"),
        (lambda held: held.__setitem__(5, held[5][:-1] + b"!"), "is lost, in another order or changed"),
        (lambda held: held.__setitem__(5, held[5] + b"!"), "was answered with '$65'"),
    ],
)
def test_a_list_that_is_wrong(change, words):
    with ListServer(pushed=at_twenty(change)) as server:
        line = bench_fails("send", server.address, "--protocol", "redis", *FEW)
        assert words in line or words.replace("list 0", "list 1") in line


@pytest.mark.parametrize(
    ("command", "answer", "words"),
    [
        (b"LPUSH", b":7\r\n", "a length of 7"),
        (b"LPUSH", b"-ERR \x1b[2J full\r\n", "LPUSH was answered with"),
        (b"LPUSH", b"x" * 600, "LPUSH was answered with"),
        (b"LPUSH", b":-1\r\n", "LPUSH was answered with ':-1'"),
        (b"RPOP", b"-ERR wrong number of arguments\r\n", "RPOP was answered with '-ERR wrong"),
        (b"RPOP", b"*99999\r\n", "RPOP was answered with '*99999'"),
        (b"RPOP", b"*-1\r\n", "has 0"),
    ],
)
def test_an_answer_about_lists_that_is_wrong(command, answer, words):
    with ListServer(lie=lambda asked, honest: answer if asked[0] == command else honest) as server:
        line = bench_fails("send", server.address, "--protocol", "redis", *FEW)
        assert words in line and line[:-1].isprintable()


# -- brokers


@pytest.mark.parametrize("more", [(), ("--size", 100), ("--size", 20000), ("--receivers", 5, "--depth", 1)])
def test_a_broker_gets_each_message(more):
    with Broker() as broker:
        told = bench("send", broker.address, "--protocol", "mqtt", *FEW, *more)
        assert told["verified"] == "each message acknowledged"
        assert len(set(broker.clients)) == 2
        assert len(broker.published) == (5 if "--receivers" in more else 2)
        contents = [content for held in broker.published.values() for content in held]
        assert len(set(contents)) == 20 and {len(it) for it in contents} == {told["message_bytes"]}


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        (lambda packet_id: b"\x40\2\0\x63", "not with PUBACK for 1"),
        (lambda packet_id: b"\x50\2\0" + bytes([packet_id]), "packet 0x50"),
    ],
)
def test_a_broker_that_is_wrong(lie, words):
    with Broker(lie=lie) as broker:
        assert words in bench_fails("send", broker.address, "--protocol", "mqtt", *FEW)


def test_a_broker_that_refuses():
    with Broker(refuses=True) as broker:
        assert "code 5" in bench_fails("send", broker.address, "--protocol", "mqtt", *FEW)


# -- the real thing


@contextmanager
def redis_server(folder):
    """A Redis on a port that was free a moment ago; another one where somebody was faster."""
    for _ in range(5):
        port, log = free_port(), folder / "redis.log"
        words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
        with log.open("wb") as output:
            process = subprocess.Popen(words, stdout=output, stderr=output)
        while "Ready to accept" not in log.read_text() and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is None:
            break
    assert process.poll() is None, log.read_text()
    try:
        yield "127.0.0.1", port
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed")
def test_redis(tmp_path):
    with redis_server(tmp_path) as address:
        for more in (("--receivers", 5), ("--receivers", 1), ("--size", "1M")):
            bench("send", address, "--protocol", "redis", *FEW, *more)
