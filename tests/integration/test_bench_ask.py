"""kesher-bench ask and echo: every kind of request, honest servers of three kinds, and such as answer wrongly."""

import json
import queue
import signal
import subprocess

import pytest
from peer.ask import BANNER
from peer.bench_stores import bench, bench_fails, bench_refuses
from peer.conversation import wait_until
from peer.kesherd import environment, program, sanitizer_report
from peer.scripted import Line

SHORT = ("--duration", "0.1", "--warm-up", "0.02")
ONE = (*SHORT, "--connections", 1)
PING = b"*1\r\n$4\r\nPING\r\n"


@pytest.mark.parametrize("request_", ["TIME", "NAME", "RAND", "STAT"])
def test_each_request_is_answered(talker, request_):
    told = bench("ask", talker.ask_address, *SHORT, "--request", request_, "--connections", 3, "--depth", 5)
    assert (told["request"], told["connections"], told["depth"]) == (request_, 3, 5)
    assert told["requests"] > 0 and told["requests_per_second"] > 0 and told["seconds"] > 0
    assert 0 < told["latency_p50_us"] <= told["latency_p99_us"] <= told["latency_max_us"]


def test_it_tells_what_the_server_used(talker):
    told = bench("ask", talker.ask_address, *SHORT, "--pid", talker.process.pid)
    assert told["server_cpu_us_per_request"] > 0
    assert told["server_resident_bytes"] > 0


def test_many_requests_are_on_their_way_at_once(make_scripted):
    """None of them is answered before all have come."""

    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        assert line.receive_exactly(4 * 100) == b"NAME" * 100
        line.send("0002me" * 100)
        while True:
            assert line.receive_exactly(4) == b"NAME"
            line.send("0002me")

    bench("ask", make_scripted(script).ask_address, *ONE, "--depth", 100)


def test_answers_may_come_in_any_pieces(make_scripted):
    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        for byte in BANNER:
            line.send(bytes([byte]))
        while True:
            line.receive_exactly(4)
            for byte in b"0002me":
                line.send(bytes([byte]))

    bench("ask", make_scripted(script).ask_address, *ONE)


def answering(*answers: str):
    """A script of ask that gives these answers, the last one again and again."""

    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        for number in range(1_000_000):
            line.receive_exactly(4)
            line.send(answers[min(number, len(answers) - 1)])

    return script


@pytest.mark.parametrize(
    ("request_", "answers"),
    [
        ("NAME", ["0002me", "0002me", "0002it"]),
        ("NAME", ["0002me", "0003me "]),
        ("NAME", ["0002me", "0002me0002me"]),
        ("NAME", ["0002me", "0002me0"]),
        ("NAME", ["me!!"]),
        ("NAME", ["0000"]),
        ("TIME", ["0007unknown"]),
        ("RAND", ["00015", "000211"]),
        ("STAT", ["0004a\n\rb"]),
    ],
)
def test_a_wrong_answer_is_found_out(make_scripted, request_, answers):
    address = make_scripted(answering(*answers)).ask_address
    line = bench_fails("ask", address, *ONE, "--duration", "30", "--request", request_)
    assert "connection 0: a wrong answer" in line


def test_a_wrong_banner_is_found_out(make_scripted):
    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER.replace(b"STAT", b"STOP"))
        line.wait_for_end()

    assert "greeting" in bench_fails("ask", make_scripted(script).ask_address, *ONE)


def test_a_server_that_breaks_off_is_a_failure(make_scripted):
    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        line.receive_exactly(4)
        line.send("0002me")
        line.receive_exactly(4)

    line = bench_fails("ask", make_scripted(script).ask_address, *ONE, "--duration", "30")
    assert "asking: the server has ended the connection" in line


def test_a_server_that_is_not_there_is_a_failure(make_scripted):
    server = make_scripted(lambda line: None)
    server.stop()
    try:
        assert "Connection refused" in bench_fails("ask", server.ask_address, *ONE)
    finally:
        server.stop = lambda: None


def state_of(pid: int) -> str:
    """R: it runs, or could; S: it sleeps."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0]


@pytest.mark.parametrize("awake", [True, False])
def test_who_stays_awake_does_not_sleep_until_an_answer_comes(make_scripted, awake):
    pid = queue.Queue()
    states = set()

    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        generator = pid.get()
        assert line.receive_exactly(4) == b"NAME"
        if awake:
            states.update(state_of(generator) for _ in range(300))
        else:
            wait_until(lambda: states.add(state_of(generator)) or "S" in states, "it sleeps")
        line.send("0002me")
        while True:
            assert line.receive_exactly(4) == b"NAME"
            line.send("0002me")

    host, port = make_scripted(script).ask_address
    command = [program("KESHER_BENCH", "kesher-bench"), "ask", "--server", f"{host}:{port}", *map(str, ONE), "--quiet"]
    with subprocess.Popen(
        command + ["--awake"] * awake, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        pid.put(process.pid)
        _, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert states and ("S" in states) != awake


# -- servers of other kinds


def loop(request: bytes, answers: list[bytes]):
    def script(line: Line) -> None:
        for number in range(1_000_000):
            assert line.receive_exactly(len(request)) == request
            line.send(answers[min(number, len(answers) - 1)])

    return script


@pytest.mark.parametrize(
    ("protocol", "request_", "answer", "wrong"),
    [
        ("redis", PING, b"+PONG\r\n", b"-NOAUTH Authentication required.\r\n"),
        ("memcached", b"version\r\n", b"VERSION 1.6.18\r\n", b"VERSION 1.6.19\r\n"),
        ("echo", b"PING", b"PING", b"PONG"),
    ],
)
def test_other_protocols(make_scripted, protocol, request_, answer, wrong):
    right = make_scripted(loop(request_, [answer])).address
    told = bench("ask", right, *ONE, "--protocol", protocol)
    assert told["protocol"] == protocol and told["requests"] > 0
    liar = make_scripted(loop(request_, [answer, answer, wrong])).address
    assert "a wrong answer" in bench_fails("ask", liar, *ONE, "--protocol", protocol, "--duration", "30")


def test_senseless_options_are_refused(talker):
    assert "--protocol" in bench_refuses("ask", talker.ask_address, "--protocol", "gopher")
    assert "--request" in bench_refuses("ask", talker.ask_address, "--request", "EXIT")


# -- the echo server


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_echo_server_echoes_until_it_is_stopped(threads, stop):
    command = [program("KESHER_BENCH", "kesher-bench"), "echo", "--server", "127.0.0.1:0", "--json"]
    command += ["--threads", str(threads)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            port = int(process.stderr.readline().split("ready on port ")[1])
            options = (*SHORT, "--protocol", "echo", "--depth", 4, "--connections", 5)
            loaded = bench("ask", ("127.0.0.1", port), *options, "--pid", process.pid)
        finally:
            process.send_signal(stop)
            output, complaints = process.communicate(timeout=60)
    assert not sanitizer_report(complaints), complaints
    assert (process.returncode, complaints) == (0, "")
    told = json.loads(output)
    assert (told["mode"], told["threads"], told["connections"]) == ("echo", threads, 5)
    assert told["bytes"] >= 4 * loaded["requests"]


def test_an_echo_server_needs_a_free_port(talker):
    assert "Address already in use" in bench_fails("echo", talker.ask_address)
