"""How much strangers can make the server write into its log."""

import re

from peer.conversation import send_while_receiving, taken, wait_until
from peer.frames import Answer
from peer.kesherd import Kesherd

FLOOD = 3000
RATE = 5
LEFT_OUT = re.compile(r"(\d+) lines were left out: more than log-rate allows\n")


def refused_lines(log: str) -> int:
    return len(re.findall(r"registration of .* refused", log))


def left_out(log: str) -> int:
    return sum(int(number) for number in LEFT_OUT.findall(log))


def flood(server: Kesherd, client, user) -> None:
    """Each of these requests is worth a line, and all of them are answered."""
    sender = send_while_receiving(client, taken(user) * FLOOD)
    for _ in range(FLOOD):
        client.expect(Answer.REGISTER_REFUSED)
    sender.join()


def test_a_flood_writes_no_more_than_so_many_lines_a_second_and_the_rest_is_counted(make_server, new_user):
    """Every line is written or counted: after the flood a line now and then brings the count to light."""
    server = make_server(log_rate=RATE, log_level="info")
    with server.connect() as client:
        user = client.register(new_user())
        flood(server, client, user)
        refused = FLOOD

        def all_are_told() -> bool:
            nonlocal refused
            client.send(taken(user))
            client.expect(Answer.REGISTER_REFUSED)
            refused += 1
            log = server.log()
            return refused_lines(log) + left_out(log) == refused

        wait_until(all_are_told, "what was left out")
    log = server.log()
    assert left_out(log) > 0
    for _, lines in lines_of_seconds(log):
        assert lines <= 2 * RATE  # the seconds of the clock on the wall and ours begin at different times


def lines_of_seconds(log: str) -> list[tuple[str, int]]:
    """For each second in the log, how many of its lines are strangers'."""
    seconds: dict[str, int] = {}
    for line in log.splitlines():
        if " info " in line or ("warning" in line and "left out" not in line):
            second = line.split(".")[0]
            seconds[second] = seconds.get(second, 0) + 1
    return list(seconds.items())


def test_without_a_rate_every_line_is_written(make_server, new_user):
    server = make_server(log_rate=0, log_level="info")
    with server.connect() as client:
        flood(server, client, client.register(new_user()))
    assert refused_lines(server.log()) == FLOOD and left_out(server.log()) == 0


def test_in_a_flood_errors_and_what_the_server_says_of_itself_are_written(make_server, new_user):
    """Each of the reloads is told, and so is each that is refused."""
    server = make_server(log_rate=1, log_level="info")
    with server.connect() as client:
        user = client.register(new_user())
        for _ in range(5):
            flood(server, client, user)
            assert "the configuration was read again" in server.reload(log_rate=1)
            assert " error " in server.reload(nonsense=1)
        server.reload(log_rate=1)
    log = server.log()
    assert log.count("the configuration was read again") == 6
    assert log.count(" error ") == 5
    server.stop()
    assert "SIGTERM: stopping" in server.log() and server.log().endswith(" stopped\n")
