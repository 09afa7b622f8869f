"""How much strangers can make the server write into its log."""

import re

from peer.conversation import UNKNOWN_CODE, send_while_receiving, taken, wait_until
from peer.frames import MESSAGES_ERROR, NO_ID, Answer, request
from peer.kesherd import Kesherd
from peer.metrics import HttpClient

FLOOD = 3000
RATE = 5
AN_HOURS_WORTH = 20  # of refusals of one kind from one address
LEFT_OUT = re.compile(r"(\d+) lines were left out: more than log-rate allows\n")
REQUEST = request(NO_ID, UNKNOWN_CODE)


def debug_lines(log: str) -> int:
    """At debug a request of an unknown code is worth two: itself and its answer."""
    return len(re.findall(rf" debug .* request {UNKNOWN_CODE}\b", log))


def left_out(log: str) -> int:
    return sum(int(number) for number in LEFT_OUT.findall(log))


def flood(client) -> None:
    sender = send_while_receiving(client, REQUEST * FLOOD)
    for _ in range(FLOOD):
        assert client.receive() == MESSAGES_ERROR
    sender.join()


def test_a_flood_writes_no_more_than_so_many_lines_a_second_and_the_rest_is_counted(make_server):
    """Every line is written or counted: after the flood a line now and then brings the count to light."""
    server = make_server(log_rate=RATE, log_level="debug")
    with server.connect() as client:
        flood(client)
        sent = FLOOD

        def all_are_told() -> bool:
            nonlocal sent
            client.send(REQUEST)
            assert client.receive() == MESSAGES_ERROR
            sent += 1
            log = server.log()
            return debug_lines(log) + left_out(log) == 2 * sent

        wait_until(all_are_told, "what was left out")
    log = server.log()
    assert left_out(log) > 0
    for _, lines in lines_of_seconds(log):
        assert lines <= 2 * RATE  # the seconds of the clock on the wall and ours begin at different times


def lines_of_seconds(log: str) -> list[tuple[str, int]]:
    """For each second in the log, how many of its lines are strangers'."""
    seconds: dict[str, int] = {}
    for line in log.splitlines():
        if " debug " in line:
            second = line.split(".")[0]
            seconds[second] = seconds.get(second, 0) + 1
    return list(seconds.items())


def test_without_a_rate_every_line_is_written(make_server):
    server = make_server(log_rate=0, log_level="debug")
    with server.connect() as client:
        flood(client)
    assert debug_lines(server.log()) == 2 * FLOOD and left_out(server.log()) == 0


def test_in_a_flood_errors_and_what_the_server_says_of_itself_are_written(make_server):
    """Each of the reloads is told, and so is each that is refused."""
    server = make_server(log_rate=1, log_level="debug")
    with server.connect() as client:
        for _ in range(5):
            flood(client)
            assert "the configuration was read again" in server.reload(log_rate=1)
            assert " error " in server.reload(nonsense=1)
        server.reload(log_rate=1)
    log = server.log()
    assert debug_lines(log) < 5 * 2 * FLOOD
    assert log.count("the configuration was read again") == 6
    assert log.count(" error ") == 5
    server.stop()
    assert "SIGTERM: stopping" in server.log() and server.log().endswith(" stopped\n")


def test_requests_at_debug_push_out_no_refusals(make_server, new_user):
    server = make_server(log_rate=5, log_level="debug", registrations_per_hour=1, unlimited_networks="none")
    with server.connect() as client:
        client.register(new_user())
        flood(client)
        client.send(taken(new_user()))
        client.expect(Answer.REGISTER_REFUSED)
    assert "(registrations-per-hour)" in server.log() and debug_lines(server.log()) < 2 * FLOOD


# -- refusals


def refusals(log: str) -> list[str]:
    return [line for line in log.splitlines() if "refused: already exists" in line]


def refuse_many(server: Kesherd, user, count: int, source: str) -> None:
    with server.connect(source=source) as client:
        sender = send_while_receiving(client, taken(user) * count)
        for _ in range(count):
            client.expect(Answer.REGISTER_REFUSED)
        sender.join()


def test_a_flood_of_refusals_is_summed_up_for_each_address(make_server, new_user):
    server = make_server(log_rate=0, log_level="info")
    with server.connect() as client:
        user = client.register(new_user())
    for source in ("127.0.0.2", "127.0.0.3"):
        refuse_many(server, user, FLOOD, source)
        assert sum(f" {source}:" in line for line in refusals(server.log())) == AN_HOURS_WORTH
    server.stop()
    for source in ("127.0.0.2", "127.0.0.3"):
        *_, told = (line for line in refusals(server.log()) if f" {source}:" in line)
        assert told.endswith(f"; {FLOOD - AN_HOURS_WORTH} times since the last such line")


def test_lines_that_were_summed_up_are_counted(make_server, new_user):
    server = make_server(log_rate=0, log_level="info", metrics="127.0.0.1:0")
    with server.connect() as client:
        user = client.register(new_user())
    refuse_many(server, user, FLOOD, "127.0.0.2")
    with HttpClient(server.metrics_address) as client:
        assert client.scrape().value("kesher_log_lines_suppressed_total") == FLOOD - AN_HOURS_WORTH
