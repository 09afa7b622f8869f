"""The control socket of a server: who may use it, how it comes and goes, and that nobody else suffers."""

import os
import select
import socket
import sqlite3
import stat
import subprocess
import sys
import time

import pytest
from peer.conversation import wait_until
from peer.operators import ControlClient, Operator

OK = {"result": "ok"}
MANY = 60_000


def test_only_its_owner_may_open_it_and_it_goes_with_the_server(own_server):
    path = own_server.data / "control"
    status = path.lstat()
    assert stat.S_ISSOCK(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o600
    own_server.stop()
    assert not path.exists()


def test_what_a_killed_server_left_is_replaced(own_server):
    own_server.kill()
    assert (own_server.data / "control").exists()
    assert Operator(own_server.data).succeed("user", "list").out == ""
    own_server.start()
    with ControlClient(own_server.data) as control:
        assert control.ask("1 users") == [OK]


def test_a_command_waits_for_a_server_that_starts(own_server):
    """It holds the lock, and its socket is not there yet."""
    os.rename(own_server.data / "control", own_server.data / "elsewhere")
    command = Operator(own_server.data).command("group", "list")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as waiting:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.3)
        os.rename(own_server.data / "elsewhere", own_server.data / "control")
        assert waiting.communicate(timeout=60) == (b"", b"")
        assert waiting.returncode == 0


def test_something_else_in_its_place_stays_and_the_server_serves(make_server, new_user):
    server = make_server()
    server.stop()
    (server.data / "control").write_text("not a socket")
    server.start()
    assert (server.data / "control").read_text() == "not a socket"
    assert "operators cannot speak to this server" in server.log()
    with server.connect() as connection:
        connection.register(new_user())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_programs_of_other_users_are_turned_away(own_server):
    server = own_server
    for path in (server.data, *server.data.parents):
        if path.owner() == "root" and path != path.parent and str(path).startswith("/tmp"):
            path.chmod(path.stat().st_mode | 0o011)
    (server.data / "control").chmod(0o666)
    script = (
        "import socket,sys\n"
        "s=socket.socket(socket.AF_UNIX)\n"
        "s.connect(sys.argv[1])\n"
        "try:\n s.sendall(b'1 users\\n'); print(s.recv(100))\n"
        "except OSError as e:\n print(b'')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(server.data / "control")],
        capture_output=True,
        user=65534,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"b''\n"
    wait_until(lambda: "another user was turned away" in server.log(), "the log's line")
    with ControlClient(server.data) as control:
        assert control.ask("1 users") == [OK]


def test_requests_are_answered_in_their_order(own_server, new_user):
    with own_server.connect() as connection, ControlClient(own_server.data) as control:
        user = connection.register(new_user())
        control.send(f"1 users\n1 user {user.name}\n1 nonsense\n1 groups\n2 users\n")
        (listed, end) = control.receive_answer()
        assert (listed["name"], end) == (user.name, OK)
        (shown, end) = control.receive_answer()
        assert (shown["name"], end) == (user.name, OK)
        assert control.receive_answer()[0]["result"] == "invalid"
        assert control.receive_answer() == [OK]
        assert control.receive_answer()[0]["result"] == "invalid"


def test_half_a_line_and_a_flood_of_bytes_leave_everyone_served(own_server, new_user):
    with own_server.connect() as connection, ControlClient(own_server.data) as control:
        control.send("1 us")
        with ControlClient(own_server.data) as other:
            other.send("x" * 100_000)
            assert other.receive_line()["result"] == "invalid"
            assert other.file.read() == b""
        control.send("ers\n")
        assert control.receive_answer() == [OK]
        connection.register(new_user())


def test_an_operator_gets_into_a_full_server(make_server, new_user):
    server = make_server(connections=2)
    with server.connect() as first, server.connect() as second:
        user = first.register(new_user())
        for client in (first, second):
            client.send(b"\0" * 5)  # a header begins: they are not idle
        assert Operator(server.data).users()[user.name]["files"] == 0


def with_many_users(server, count: int) -> None:
    """Puts users into the data of a server that does not run."""
    server.stop()
    database = sqlite3.connect(server.data / "kesher.db")
    with database:
        database.executemany(
            "INSERT INTO clients(ID, Name, PublicKey, LastSeen, Registered)"
            " VALUES(?, ?, zeroblob(160), '2026-01-01 00:00:00', 1767225600)",
            ((os.urandom(16), f"user {number:07}") for number in range(count)),
        )
    database.close()
    server.start()


def test_a_long_list_is_streamed_and_waits_for_its_reader(own_server, new_user):
    own_server.log_level = "info"  # what lines have used at debug, a sanitizer keeps for long
    with_many_users(own_server, MANY)
    with ControlClient(own_server.data) as control, own_server.connect() as connection:
        user = connection.introduce(new_user())  # what OpenSSL needs from its first use on is not the lists'
        before = own_server.resident_bytes()
        control.send("1 users\n" * 20)
        for number in range(50):  # meanwhile the lists have come as far as they may
            connection.put(user, f"file {number}", b"content")
        assert own_server.resident_bytes() - before < 16 << 20
        for _ in range(2):
            *users, end = control.receive_answer()
            assert end == OK and [line["name"] for line in users[:MANY]] == names(MANY)
    assert list(Operator(own_server.data).users())[:MANY] == names(MANY)


def names(count: int) -> list[str]:
    return [f"user {number:07}" for number in range(count)]


def test_a_list_that_is_cut_off_by_its_reader_ends(own_server):
    with_many_users(own_server, 5000)
    for runs in (True, False):
        if not runs:
            own_server.stop()
        command = " ".join(map(str, Operator(own_server.data).command("user", "list")))
        done = subprocess.run(f"{command} | head -1", shell=True, capture_output=True, timeout=60, check=True)
        assert done.stdout.startswith(b"user 0000000\t")


def test_a_server_stops_while_a_list_waits_for_its_reader(own_server):
    with_many_users(own_server, 20_000)
    control = ControlClient(own_server.data)
    control.send("1 users\n")
    control.receive_line()
    started = time.monotonic()
    own_server.stop()
    assert time.monotonic() - started < 30
    control.close()


def test_one_more_than_the_limit_is_told_that_the_server_is_busy(own_server):
    clients = [ControlClient(own_server.data) for _ in range(17)]
    (told,), _, _ = select.select([client.socket for client in clients], [], [], 60)
    (busy,) = [client for client in clients if client.socket is told]
    assert busy.receive_line()["result"] == "busy"
    for client in clients:
        assert client is busy or client.ask("1 users") == [OK]
        client.close()
    deadline = time.monotonic() + 60
    while Operator(own_server.data).run("user", "list").status != 0:
        assert time.monotonic() < deadline


def test_ends_of_connections_at_any_byte_leave_nothing_behind(own_server, new_user):
    with own_server.connect() as connection:
        user = connection.register(new_user())
        line = f"1 user {user.name}\n"
        for size in range(len(line) + 1):
            with ControlClient(own_server.data) as control:
                control.send(line[:size])
                if size % 2 == 0:
                    control.socket.shutdown(socket.SHUT_WR)
                    rest = control.file.read()
                    assert (rest == b"") == (size < len(line))
        with ControlClient(own_server.data) as control:
            assert control.ask("1 groups") == [OK]
        connection.register(new_user())
