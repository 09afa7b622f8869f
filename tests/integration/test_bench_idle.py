"""kesher-bench idle: connections of every kind are held and counted, and a server that drops one is found out."""

import socket
import threading

import pytest
from peer.ask import BANNER
from peer.bench_stores import bench, bench_fails, bench_refuses
from peer.ports import free_port
from peer.scripted import Line

SHORT = ("--duration", "0.1")
ONE = (*SHORT, "--connections", 1)
ANSWER = b"\2\x28\x23\0\0\0\0"
CONNACK = b"\x20\2\0\0"


@pytest.mark.parametrize("protocol", ["kesher", "ask", "chat", "plain"])
def test_connections_of_every_kind_are_held(talker, protocol):
    addresses = {"ask": talker.ask_address, "chat": talker.chat_address}
    address = addresses.get(protocol, talker.address)
    told = bench("idle", address, *SHORT, "--protocol", protocol, "--connections", 60)
    assert (told["protocol"], told["connections"]) == (protocol, 60)
    assert told["seconds"] >= 0.1 and told["connections_per_second"] > 0
    assert not [name for name in told if name.startswith("server_")]


def test_it_tells_the_memory_of_each(talker):
    told = bench("idle", talker.address, *ONE, "--pid", talker.process.pid, "--connections", 200)
    before, held = told["server_resident_bytes_before"], told["server_resident_bytes"]
    assert min(before, held, told["server_resident_bytes_after"]) > 0
    assert told["server_resident_bytes_per_connection"] == pytest.approx((held - before) / 200, abs=0.01)
    assert "server_private_bytes_per_connection" in told and told["server_cpu_seconds"] >= 0


def test_several_addresses_are_used():
    accepted = []

    def accept() -> None:
        while True:
            try:
                accepted.append(listener.accept())
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        options = ("--protocol", "plain", "--connections", 8, "--sources", 4, "--source", "127.9.9.7")
        bench("idle", listener.getsockname(), *SHORT, *options)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection, _ in accepted:
        connection.close()
    assert sorted(host for _, (host, _) in accepted) == 2 * ["127.9.9.10"] + [
        f"127.9.9.{number}" for number in (7, 7, 8, 8, 9, 9)
    ]


def test_whom_a_server_has_no_room_for_is_found_out(make_server):
    """The longest idle one makes room."""
    server = make_server(connections=20)
    line = bench_fails("idle", server.address, *SHORT, "--connections", 40)
    assert "the server has ended the connection" in line and "--connections" in line


@pytest.mark.parametrize("protocol", ["plain", "kesher"])
def test_whom_a_server_drops_is_found_out(make_scripted, protocol):
    def script(line: Line) -> None:
        line.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            line.socket.recv(1)

    line = bench_fails("idle", make_scripted(script).address, *ONE, "--duration", 30, "--protocol", protocol)
    assert "a silent connection" in line and "the server has ended the connection" in line


def test_a_wrong_answer_in_the_end_is_found_out(make_scripted):
    def script(line: Line) -> None:
        line.receive_exactly(23)
        line.send(ANSWER[:-1] + b"\1")
        line.wait_for_end()

    assert "no answer" in bench_fails("idle", make_scripted(script).address, *ONE)


def test_who_is_not_asked_shall_not_speak(make_scripted):
    def script(line: Line) -> None:
        line.send(ANSWER)
        line.wait_for_end()

    line = bench_fails("idle", make_scripted(script).address, *ONE, "--duration", 30)
    assert "what nobody asked for" in line


def test_a_plain_server_may_speak(make_scripted):
    def script(line: Line) -> None:
        line.send("220 mail.example ready\r\n")
        assert line.wait_for_end() == b""

    bench("idle", make_scripted(script).address, *ONE, "--protocol", "plain")


def test_ask_is_asked_in_the_end(make_scripted):
    def script(line: Line) -> None:
        assert line.receive_exactly(2) == b"Hi"
        line.send(BANNER)
        assert line.receive_exactly(4) == b"NAME"
        line.send("0002m")
        line.send("e")
        assert line.wait_for_end() == b""

    bench("idle", make_scripted(script).address, *ONE, "--protocol", "ask")


def test_mqtt(make_scripted):
    def script(line: Line) -> None:
        assert line.receive_exactly(24) == b"\x10\x16\0\4MQTT\4\2\0\0\0\x0akb00000000"
        line.send(CONNACK)
        assert line.receive_exactly(2) == b"\xc0\0"
        line.send(b"\xd0\0")
        assert line.wait_for_end() == b""

    bench("idle", make_scripted(script).address, *ONE, "--protocol", "mqtt")


def test_mqtt_that_refuses_is_found_out(make_scripted):
    def script(line: Line) -> None:
        line.receive_exactly(24)
        line.send(b"\x20\2\0\5")
        line.wait_for_end()

    assert "no answer" in bench_fails("idle", make_scripted(script).address, *ONE, "--protocol", "mqtt")


def test_a_process_that_is_not_there_is_a_failure(talker):
    line = bench_fails("idle", talker.address, *ONE, "--pid", 2**31 - 1)
    assert "cannot measure process" in line


def test_one_address_has_not_ports_enough_for_all():
    """Beyond the loopback only the user can know further addresses."""
    line = bench_fails("idle", ("192.0.2.1", free_port()), "--connections", 30_000)
    assert "--source" in line


def test_senseless_options_are_refused(talker):
    assert "--protocol" in bench_refuses("idle", talker.address, "--protocol", "redis")
