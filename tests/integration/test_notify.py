"""What kesherd tells its service manager, as systemd's Type=notify hears it."""

import os
import signal
import socket
import subprocess

import pytest
from peer.kesherd import environment, program

PATIENCE = 60  # seconds


@pytest.fixture
def manager(tmp_path):
    """The manager's end of $NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "notify"))
        end.settimeout(PATIENCE)
        yield end


@pytest.fixture
def start(tmp_path, manager):
    """Starts servers that know the manager, with more environment; they are gone at the end."""
    started = []

    def start(**more):
        listen = ["--listen", "127.0.0.1:0", "--chat", "off", "--ask", "off", "--secure", "off"]
        process = subprocess.Popen(
            [str(program("KESHERD", "kesherd")), "--data", str(tmp_path / "data"), *listen],
            env={**environment(), "NOTIFY_SOCKET": manager.getsockname(), **more},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()


def told(manager):
    """The next thing that is told."""
    return dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())


def test_a_server_tells_when_it_is_ready_and_when_it_stops(manager, start):
    server = start()
    ready = told(manager)
    assert ready["READY"] == "1"
    host, port = ready["STATUS"].removeprefix("drop and messages on ").rsplit(":", 1)
    socket.create_connection((host, int(port)), PATIENCE).close()
    server.send_signal(signal.SIGTERM)
    assert told(manager) == {"STOPPING": "1"}
    assert server.wait(PATIENCE) == 0


def test_after_a_reload_the_addresses_are_told_again(manager, start):
    server = start()
    ready = told(manager)
    for _ in range(2):
        server.send_signal(signal.SIGHUP)
        assert told(manager)["RELOADING"] == "1"
        assert told(manager) == ready
    assert ready["STATUS"].startswith("drop and messages on 127.0.0.1:")


def test_the_watchdog_is_told_again_and_again(manager, start):
    start(WATCHDOG_USEC="100000")
    assert told(manager)["READY"] == "1"
    for _ in range(3):
        assert told(manager) == {"WATCHDOG": "1"}


def test_a_watchdog_of_another_process_is_told_nothing(manager, start):
    server = start(WATCHDOG_USEC="2000", WATCHDOG_PID=str(os.getpid()))
    assert told(manager)["READY"] == "1"
    server.send_signal(signal.SIGTERM)
    assert told(manager) == {"STOPPING": "1"}


def test_a_manager_that_cannot_be_told_does_not_stop_the_server(tmp_path):
    data = tmp_path / "data"
    listen = ["--listen", "127.0.0.1:0", "--chat", "off", "--ask", "off", "--secure", "off"]
    with subprocess.Popen(
        [str(program("KESHERD", "kesherd")), "--data", str(data), *listen],
        env={**environment(), "NOTIFY_SOCKET": str(tmp_path / "nobody")},
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as server:
        log = ""
        while "cannot tell the service manager" not in log:
            line = server.stderr.readline()
            assert line, log
            log += line
        assert " ready: " in log
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
