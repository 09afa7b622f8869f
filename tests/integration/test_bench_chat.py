"""kesher-bench chat: it loads, it tells what it found, and it finds out whoever tells members anything wrong."""

import json
import subprocess
from types import SimpleNamespace

import pytest
from peer.chat import FULL, MENU, has_left
from peer.kesherd import environment, program, sanitizer_report
from peer.ports import free_address
from peer.talking import (
    ForgetfulRedisRoom,
    IrcRoom,
    KesherRoom,
    MqttRoom,
    NatsRoom,
    RedisRoom,
    honest,
)

NUMBER = 1  # of the line about which most lies are told: a window of 4 has it, however short the run
FOUR = ("--members", 4, "--window", 4)
SHORT = ("--duration", "0.05", "--warm-up", "0.01")
ROOMS = {"kesher": KesherRoom, "redis": RedisRoom, "nats": NatsRoom, "irc": IrcRoom, "mqtt": MqttRoom}


def run(server, *options) -> subprocess.CompletedProcess:
    host, port = server.chat_address[:2]
    command = [program("KESHER_BENCH", "kesher-bench"), "chat", "--server", f"{host}:{port}", "--json", *SHORT]
    done = subprocess.run(
        command + [str(option) for option in options],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert not sanitizer_report(done.stderr), done.stderr
    return done


def result(server, *options) -> dict:
    done = run(server, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def failure(server, *options, status: int = 1) -> str:
    """The one line that says why it failed."""
    done = run(server, *options)
    assert (done.returncode, done.stdout) == (status, ""), done
    assert done.stderr.startswith("kesher-bench: ") and done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture
def make_room():
    rooms = []

    def make(kind=KesherRoom, *arguments):
        rooms.append(kind(*arguments))
        return rooms[-1]

    yield make
    for room in rooms:
        room.stop()
    assert [problem for room in rooms for problem in room.problems] == []


def check(found: dict, members: int, writers: int = 1, window: int = 1) -> None:
    """The first lines and the last ones are written in any run; how many are measured is a matter of time."""
    assert found["deliveries_of_a_line"] == members - 1
    assert found["lines_verified"] >= writers * (window + 1)
    assert found["lines"] < found["lines_verified"]
    assert found["deliveries"] <= (members - 1) * found["lines_verified"]
    assert found["deliveries_per_second"] == pytest.approx(found["deliveries"] / found["seconds"], rel=1e-6)
    assert found["lines_per_second"] == pytest.approx(found["lines"] / found["seconds"], rel=1e-6)
    if found["lines"] > 0:
        percentiles = [found[f"latency_{which}_us"] for which in ("p50", "p99", "p999", "max")]
        assert 0 < percentiles[0] and percentiles == sorted(percentiles)


# ---- the real one ----


@pytest.mark.parametrize(
    ("members", "writers", "window", "order"),
    [
        (2, 1, 1, "one for all"),
        (20, 1, 1, "one for all"),
        (20, 1, 1000, "one for all"),
        (20, 7, 16, "one for all"),
        (10, 10, 4, "of each writer's lines"),
    ],
)
def test_loads_kesherd(talker, members, writers, window, order):
    found = result(talker, "--members", members, "--writers", writers, "--window", window)
    check(found, members, writers, window)
    assert (found["mode"], found["protocol"], found["order_verified"]) == ("chat", "kesher", order)


def test_tells_what_the_server_used(talker):
    found = result(talker, "--members", 5, "--pid", talker.process.pid)
    assert found["server_cpu_us_per_delivery"] >= 0 and found["server_cpu_seconds"] >= 0
    assert found["server_resident_bytes"] > 1 << 20


@pytest.mark.parametrize("size", [17, 4096])
def test_lines_of_any_size(talker, size):
    check(result(talker, "--members", 3, "--size", size, "--window", 8), 3, window=8)


def test_says_which_limit_refuses_members(make_talker):
    told = failure(make_talker(group_members=3), "--members", 4)
    assert FULL.strip() in told and "--group-members" in told


# ---- every protocol, and nothing is wrong ----


@pytest.mark.parametrize("protocol", ROOMS)
@pytest.mark.parametrize(("writers", "window"), [(1, 1), (3, 50)])
def test_speaks(make_room, protocol, writers, window):
    room = make_room(ROOMS[protocol])
    found = result(room, "--protocol", protocol, "--members", 5, "--writers", writers, "--window", window)
    check(found, 5, writers, window)
    assert found["protocol"] == protocol


@pytest.mark.parametrize("protocol", ["redis", "nats", "mqtt"])
def test_long_lines_of_other_protocols(make_room, protocol):
    check(result(make_room(ROOMS[protocol]), "--protocol", protocol, "--members", 3, "--size", 3000), 3)


# ---- lies ----


def lost(hearer, writer, number, text):
    return [] if (hearer, number) == (2, NUMBER) else honest(hearer, writer, number, text)


def twice(hearer, writer, number, text):
    return honest(hearer, writer, number, text) * (2 if (hearer, number) == (2, NUMBER) else 1)


def every_line_twice_to_one(hearer, writer, number, text):
    return honest(hearer, writer, number, text) * (2 if hearer == 2 else 1)


def changed(hearer, writer, number, text):
    texts = honest(hearer, writer, number, text)
    return [text[:-1] + b"!" for text in texts] if (hearer, number) == (2, NUMBER) else texts


def swapped(hearer, writer, number, text):
    if hearer != 2 or number not in (NUMBER, NUMBER + 1):
        return honest(hearer, writer, number, text)
    return [] if number == NUMBER else [text, text[:8] + b"%08x" % NUMBER + text[16:]]


def foretold(hearer, writer, number, text):
    """The second line together with the first, and nobody writes more before that is heard."""
    texts = honest(hearer, writer, number, text)
    return [*texts, text[:8] + b"00000001" + text[16:]] if (hearer, number) == (1, 0) else texts


def repeated_to_its_writer(hearer, writer, number, text):
    return [text] if number == 0 else honest(hearer, writer, number, text)


def of_nobody(hearer, writer, number, text):
    texts = honest(hearer, writer, number, text)
    return [b"0000abcd" + text[8:] for text in texts] if (hearer, number) == (2, NUMBER) else texts


def of_no_number(hearer, writer, number, text):
    """Bytes that are read as 0 by whoever takes them for hexadecimal digits unseen."""
    texts = honest(hearer, writer, number, text)
    return [b"gggggggg" + text[8:] for text in texts] if (hearer, number) == (2, NUMBER) else texts


@pytest.mark.parametrize(
    ("lie", "window", "words"),
    [
        (lost, 4, f"member 2 heard line {NUMBER + 1} of writer 0, but not line {NUMBER}"),
        (swapped, 4, f"member 2 heard line {NUMBER + 1} of writer 0, but not line {NUMBER}"),
        (twice, 4, f"member 2 heard line {NUMBER} of writer 0 again"),
        (every_line_twice_to_one, 4, "member 2 heard line 0 of writer 0 again"),
        (changed, 4, 'member 2 heard what nobody wrote: "00000000'),
        (of_nobody, 4, 'member 2 heard what nobody wrote: "0000abcd'),
        (of_no_number, 4, 'member 2 heard what nobody wrote: "gggggggg'),
        (foretold, 1, "member 1 heard line 1 of writer 0 before it was written"),
        (repeated_to_its_writer, 4, "member 0 heard its own line 0"),
    ],
)
def test_finds_out_lies(make_room, lie, window, words):
    assert words in failure(make_room(KesherRoom, lie), "--members", 4, "--window", window)


@pytest.mark.parametrize("misled", [1, 3])
def test_finds_out_two_orders(make_room, misled):
    """One hears the first lines of two writers the other way round than the rest of the group does; each
    writer's are in order. It is a writer, who does not hear its own lines, or it only listens."""
    writers = 3 if misled == 1 else 2
    pair = (0, writers - 1)
    held = []

    def out_of_order(hearer, writer, number, text):
        if hearer != misled or number != 0 or writer not in pair:
            return honest(hearer, writer, number, text)
        held.append(text)
        return [] if len(held) == 1 else held[::-1]

    told = failure(make_room(KesherRoom, out_of_order), "--members", 5, "--writers", writers)
    assert f"member {misled} heard the lines of the writers in another order than member {writers}" in told


@pytest.mark.parametrize("protocol", ROOMS)
def test_finds_out_a_changed_line_in_any_protocol(make_room, protocol):
    def change(hearer, writer, number, text):
        texts = honest(hearer, writer, number, text)
        return [text[:-1] + b"!" for text in texts] if number == NUMBER else texts

    assert "heard what nobody wrote" in failure(
        make_room(ROOMS[protocol], change), "--protocol", protocol, *FOUR
    )


def test_finds_out_a_count_that_redis_gives(make_room):
    told = failure(make_room(ForgetfulRedisRoom), "--protocol", "redis", "--members", 4)
    assert "a line of writer 0 went to 2 members instead of 3" in told


# ---- what else goes wrong ----


def test_a_member_who_leaves(make_room):
    class Deserted(KesherRoom):
        def frame(self, text):
            return has_left("somebody").encode() if int(text[8:16], 16) == NUMBER else super().frame(text)

    assert 'was told "somebody has removed from the group ' in failure(make_room(Deserted), *FOUR)


def test_another_name_before_a_line(make_room):
    class Misnaming(KesherRoom):
        def frame(self, text):
            return b"00000001" + super().frame(text)[8:]

    assert 'was told "00000001: 00000000' in failure(make_room(Misnaming), *FOUR)


def test_a_server_that_hangs_up(make_room):
    class Silent(KesherRoom):
        async def converse(self, reader, writer):
            writer.write(MENU.encode())
            await reader.readuntil(b"\n")

    told = failure(make_room(Silent), "--members", 3)
    assert "connection of member 0 was ended by the server" in told and "--unlimited-networks" in told


def test_a_server_of_another_kind(make_room):
    assert "was told" in failure(make_room(NatsRoom), "--members", 2)


def test_nobody_listens():
    assert "Connection refused" in failure(SimpleNamespace(chat_address=free_address()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--writers", 5, "--members", 4), "--writers"),
        (("--size", 16), "--size"),
        (("--protocol", "smoke-signals"), "--protocol"),
        (("--depth", 2), "--depth"),
    ],
)
def test_usage(make_room, options, words):
    assert words in failure(make_room(), *options, status=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--size", 4097), "at most"),
        (("--protocol", "irc", "--size", 500), "at most"),
        (("--members", 100000, "--writers", 100000), "too many to keep count of"),
        (("--writers", 100, "--window", 65536), "too many to keep count of"),
    ],
)
def test_refuses_what_would_take_too_much(make_room, options, words):
    assert words in failure(make_room(), *options)
