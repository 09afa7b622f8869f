"""`kesherd --metrics`: every metric in strict form, as docs/metrics.md has it, and true; HTTP only as far as it goes."""

import re
import threading
import time

import pytest
from peer.ask import AskClient
from peer.conversation import EVENT_SECONDS, UNKNOWN_CODE, two_users
from peer.drop import file_frame, named_frame
from peer.frames import NO_ID, Answer, ConnectionEnded, Request, request
from peer.kesherd import REPOSITORY
from peer.messages import MessagesClient, Type, message_frame, pull_frame
from peer.metrics import HttpClient, Metrics, check_with_promtool
from peer.operators import ControlClient
from peer.ports import free_port


@pytest.fixture
def server(make_talker):
    return make_talker(metrics="127.0.0.1:0")


@pytest.fixture
def monitor(server):
    with HttpClient(server.metrics_address) as client:
        yield client


def wait_for(monitor, is_so) -> Metrics:
    """Scrapes until it is so: what is counted by one thread is seen by another a moment later."""
    deadline = time.monotonic() + EVENT_SECONDS
    while not is_so(metrics := monitor.scrape()):
        assert time.monotonic() < deadline, {name: kept.samples for name, kept in metrics.families.items()}
    return metrics


# -- form


def test_the_text_is_what_prometheus_reads(monitor):
    answer = monitor.get("/metrics")
    assert answer.fields["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    Metrics(answer.content.decode())
    check_with_promtool(answer.content.decode())


def test_every_metric_is_in_the_manual_and_the_other_way_round(make_server, new_user, new_account):
    server = make_server(also=("chat", "ask", "secure"), metrics="127.0.0.1:0")
    with server.connect() as connection, HttpClient(server.metrics_address) as monitor:
        connection.register(new_user())
        new_account(server)
        metrics = monitor.scrape()
    manual = (REPOSITORY / "docs" / "metrics.md").read_text()
    documented = {}
    for cell, kind in re.findall(r"^\| (`.*?`) \| (\w+) \|", manual, re.MULTILINE):
        for name, labels in re.findall(r"`(\w+)(?:\{([\w, ]+)\})?`", cell):
            documented[name] = (kind, tuple(labels.split(", ")) if labels else ())
    told = {}
    for name, family in metrics.families.items():
        labels = {tuple(label for label, _ in pairs) for _, pairs in family.samples}
        told[name] = (family.type, labels.pop() if family.type != "histogram" else ())
    assert told == documented


def test_a_port_alone_is_one_of_this_machine(make_server):
    port = free_port()
    server = make_server(metrics=port)
    with HttpClient(("127.0.0.1", port)) as monitor:
        assert monitor.get("/healthz").content == b"ok\n"
    assert f"metrics on 127.0.0.1:{port}" in server.log()


def test_without_the_option_nobody_listens(own_server):
    assert "metrics" not in own_server.log()


# -- truth


HELD = ("kesher_buffers_used_bytes", "kesher_answer_buffers_used_bytes", "kesher_buffers_waiting", "kesher_uploads")
SPARE_DESCRIPTORS = 8  # what the server may have opened meanwhile for its own ends


def begin_something(server, user, frame: bytes) -> MessagesClient:
    """A connection of which the server has read as much as there is. What was asked before is answered."""
    client = server.connect(receive_buffer=4096)
    client.send(request(NO_ID, UNKNOWN_CODE) + frame)
    client.expect(Answer.MESSAGES_ERROR)
    return client


@pytest.mark.parametrize("end", ["reset", "close"])
def test_what_connections_held_is_given_back_when_they_end_in_the_middle(server, monitor, new_user, end):
    with server.connect() as client:
        sender, receiver, alias = two_users(client, new_user)
        client.reconnect(sender)
        client.send_message(sender, alias, bytes(4 << 20))
    halves = [
        message_frame(sender.id, alias, Type.TEXT, bytes(100_000))[:-1],
        message_frame(sender.id, alias, Type.TEXT, bytes(1 << 20))[:-1],
        file_frame(sender.id, "file", bytes(320_000))[:-1],
        pull_frame(receiver.id),
        request(sender.id, Request.LIST_USERS)[:-1],
    ]

    def begin_and_end(times: int) -> None:
        for _ in range(times):
            for half in halves:
                getattr(begin_something(server, sender, half), end)()

    begin_and_end(2)
    metrics = wait_for(monitor, lambda metrics: not any(map(metrics.value, HELD)))
    descriptors = metrics.value("process_open_fds") + SPARE_DESCRIPTORS
    begin_and_end(10)
    wait_for(
        monitor,
        lambda metrics: not any(map(metrics.value, HELD)) and metrics.value("process_open_fds") <= descriptors,
    )


def test_requests_are_counted_by_code_and_answer(server, monitor, new_user):
    with server.connect() as connection:
        user = connection.introduce(new_user())
        connection.put(user, "a file", b"content")
        connection.expect_nothing_staged(user, "a file")
        connection.list_users(user)
        connection.send(request(user.id, 999))
        assert connection.receive().code == 9000
        connection.crc_wrong(user, "a file")  # overtaken by the next, so it gets no answer
        connection.give_up(user, "a file")
    metrics = wait_for(
        monitor, lambda now: now.value("kesher_requests_total", request="1031", answer="2104") == 1
    )
    counted = {
        pairs[0][1] + " " + pairs[1][1]: value
        for (_, pairs), value in metrics.families["kesher_requests_total"].samples.items()
    }
    assert counted == {
        "1025 2100": 1,
        "1026 2102": 1,
        "1028 2103": 1,
        "1029 2104": 1,
        "1029 2107": 1,
        "601 2101": 1,
        "other 9000": 1,
        "1030 none": 1,
        "1031 2104": 1,
    }


def test_what_is_pulled_is_counted_once(server, monitor, new_user):
    with server.connect() as connection:
        alice, bob, alias = two_users(connection, new_user)
        for _ in range(3):
            connection.send_message(alice, alias, b"four")
        metrics = monitor.scrape()
        assert metrics.value("kesher_users") == 2
        assert metrics.value("kesher_waiting_messages") == 3
        assert metrics.value("kesher_waiting_bytes") == 12
        assert len(connection.pull(bob)) == 3
        connection.pull(bob)
        wait_for(monitor, lambda now: now.value("kesher_waiting_messages") == 0)
    metrics = wait_for(
        monitor, lambda now: now.value("kesher_requests_total", request="604", answer="2104") == 2
    )
    assert metrics.value("kesher_requests_total", request="603", answer="2103") == 3
    assert metrics.value("kesher_requests_total", request="604", answer="none") == 0


def test_commits_are_counted_with_what_shared_them(server, monitor, new_user):
    with server.connect() as connection:
        user = connection.introduce(new_user())
        content = user.encrypt(b"x")
        names = [f"file {number}" for number in range(40)]
        connection.send(
            b"".join(
                file_frame(user.id, name, content) + named_frame(user.id, Request.CRC_OK, name)
                for name in names
            )
        )
        for _ in range(2 * len(names)):
            connection.receive()
    metrics = monitor.scrape()
    count = metrics.value("kesher_commit_requests_count")
    assert count == metrics.value("kesher_commit_seconds_count") > 0
    assert metrics.value("kesher_commit_requests_sum") >= 3
    assert metrics.value("kesher_commit_seconds_sum") > 0
    assert metrics.value("kesher_commits_failed_total") == 0


def test_connections_are_counted_by_their_listener(server, monitor):
    clients = [server.connect() for _ in range(3)]
    asking = AskClient(server.ask_address)
    with ControlClient(server.data) as control:
        control.ask("1 users")
        metrics = wait_for(monitor, lambda now: now.value("kesher_connections", listener="binary") == 3)
        assert metrics.value("kesher_connections", listener="control") == 1
        assert metrics.value("kesher_connections", listener="metrics") == 1
        assert metrics.value("kesher_connections", listener="ask") == 1
    for client in (*clients, asking):
        client.close()
    metrics = wait_for(monitor, lambda now: now.value("kesher_connections", listener="binary") == 0)
    assert metrics.value("kesher_connections_accepted_total", listener="binary") == 3
    assert metrics.value("kesher_connections_accepted_total", listener="control") == 1


def test_connections_that_are_refused_are_counted_with_the_reason(make_server):
    server = make_server(metrics="127.0.0.1:0", connections_per_address=2, unlimited_networks="none")
    with HttpClient(server.metrics_address) as monitor, server.connect() as client:
        client.send(b"\0")  # not idle
        monitor.scrape()
        with server.connect() as third, pytest.raises(ConnectionEnded):
            third.receive()
        metrics = monitor.scrape()
    assert metrics.value("kesher_connections_refused_total", listener="binary", reason="address") == 1


def test_bytes_are_counted(server, monitor, new_user):
    before = monitor.scrape()
    with server.connect() as connection:
        user = connection.introduce(new_user())
        connection.send_file(user, "a file", b"x" * 1_000_000)
        for _ in range(100):
            connection.list_users(user)
    after = monitor.scrape()
    received = after.value("kesher_received_bytes_total") - before.value("kesher_received_bytes_total")
    assert 1_000_000 < received < 1_020_000
    assert after.value("kesher_sent_bytes_total") - before.value("kesher_sent_bytes_total") > 5000


def test_the_chat_is_counted(server, monitor, open_chat):
    members = [open_chat(server=server) for _ in range(4)]
    members[0].create("ann")
    for number, member in enumerate(members[1:]):
        member.join(f"member {number}", 1)
    for text in ("one", "two"):
        members[0].write(text)
        for member in members[1:]:
            member.expect(f"ann: {text}")
    metrics = wait_for(monitor, lambda now: now.value("kesher_chat_deliveries_total") == 6)
    assert metrics.value("kesher_chat_messages_total") == metrics.value("kesher_chat_packets_total") == 2
    assert (metrics.value("kesher_chat_groups"), metrics.value("kesher_chat_members")) == (1, 4)
    members[3].leave()
    wait_for(monitor, lambda now: now.value("kesher_chat_members") == 3)
    for member in members[:3]:
        member.close()
    wait_for(monitor, lambda now: now.value("kesher_chat_groups") == 0 == now.value("kesher_chat_members"))


def test_asks_are_counted_whatever_their_case(server, monitor):
    with AskClient(server.ask_address) as client:
        client.greet()
        for asked in ("time", "TIME", "name", "????"):
            client.ask(asked)
        client.send(b"EXIT")
        client.expect_end()
    metrics = wait_for(monitor, lambda now: now.value("kesher_ask_requests_total", request="EXIT") == 1)
    counts = {
        name: metrics.value("kesher_ask_requests_total", request=name) for name in ("TIME", "NAME", "other")
    }
    assert counts == {"TIME": 2, "NAME": 1, "other": 1}


def test_the_process_is_told_as_the_system_has_it(server, monitor):
    metrics = monitor.scrape()
    assert abs(metrics.value("process_resident_memory_bytes") - server.resident_bytes()) < 16 << 20
    assert abs(metrics.value("process_start_time_seconds") - time.time()) < 60
    opened = metrics.value("process_open_fds")
    clients = [server.connect() for _ in range(10)]
    wait_for(monitor, lambda now: now.value("process_open_fds") >= opened + 10)
    for client in clients:
        client.close()


def test_counters_never_go_back_while_much_is_going_on(server, monitor, new_user):
    stop = threading.Event()

    def be_busy():
        with server.connect() as connection:
            user = connection.introduce(new_user())
            while not stop.is_set():
                connection.put(user, "busy", b"x" * 1000)

    threads = [threading.Thread(target=be_busy) for _ in range(3)]
    for thread in threads:
        thread.start()
    before: dict = {}
    for _ in range(50):
        metrics = monitor.scrape()
        now = {
            key: value
            for family in metrics.families.values()
            if family.type != "gauge"
            for key, value in family.samples.items()
        }
        assert all(now.get(key, 0) >= value for key, value in before.items())
        before = now
    stop.set()
    for thread in threads:
        thread.join()


# -- HTTP


def test_a_connection_serves_any_number_of_requests(monitor):
    for _ in range(20):
        assert monitor.get("/healthz").content == b"ok\n"
        assert monitor.get("/metrics", "HEAD").content == b""
        assert monitor.get("/").status == 404
        assert monitor.get("/metrics", "DELETE").status == 405
    for _ in range(20):
        monitor.request("/metrics?name[]=x")
        monitor.request("/healthz")
    for _ in range(20):
        assert monitor.receive_answer().status == 200
        assert monitor.receive_answer().content == b"ok\n"


def test_a_request_may_come_byte_by_byte(monitor):
    monitor.send_bytewise(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
    assert monitor.receive_answer().content == b"ok\n"


@pytest.mark.parametrize(
    "text, status",
    [
        (b"GET /metrics HTTP/1.0\r\n\r\n", 200),
        (b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", 200),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"\x16\x03\x01\x02\x00\x01\x00\n", 400),
        (b"GET /metrics\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 8192, 431),
    ],
    ids=["1.0", "close", "content", "TLS", "no version", "long"],
)
def test_what_ends_a_connection_is_answered_first(monitor, text, status):
    monitor.send(text)
    assert monitor.receive_answer().status == status
    with pytest.raises(ConnectionEnded):
        monitor.receive_exactly(1)


def test_floods_and_halves_leave_the_server_serving(server, new_user):
    clients = [HttpClient(server.metrics_address) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send_as_far_as_taken(
            b"GET /metrics HTTP/1.1\r\n\r\n"[: number + 6] * (1 if number < 19 else 10_000)
        )
    with server.connect() as connection, HttpClient(server.metrics_address) as monitor:
        connection.introduce(new_user())
        assert monitor.get("/healthz").status == 200
    for client in clients:
        client.close()
