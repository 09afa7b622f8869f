"""The addresses of chat and ask beside that of drop and messages: defaults, off, what cannot be."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest
from peer.ask import greeted
from peer.chat import MENU, ChunkClient
from peer.kesherd import Kesherd, environment, open_descriptors, program, sanitizer_report
from peer.ports import free_port

pytestmark = pytest.mark.usefixtures("make_server")  # which skips them where there is no kesherd

RUN_SECONDS = 20
SERVICES = ["listen", "chat", "ask"]


def run_kesherd(*arguments: str) -> subprocess.CompletedProcess:
    run = subprocess.run(
        [program("KESHERD", "kesherd"), *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env=environment(),
    )
    assert not sanitizer_report(run.stderr), run.stderr
    return run


def listening(tmp_path, **addresses: str) -> list[str]:
    """The arguments of a server that listens at these addresses, and nowhere else."""
    options = {"data": str(tmp_path / "data"), **{service: "off" for service in (*SERVICES, "secure")}, **addresses}
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def assert_one_line(run: subprocess.CompletedProcess, status: int, *parts: str) -> None:
    """An error: one line that says what is wrong."""
    told = run.stdout + run.stderr
    assert run.returncode == status, run
    assert told.count("\n") == 1 and told.endswith("\n"), told
    for part in parts:
        assert part in told


def test_the_help_names_the_default_addresses():
    text = run_kesherd("--help").stdout
    assert re.search(r"--chat .*127\.0\.0\.1:5555", text)
    assert re.search(r"--ask .*127\.0\.0\.1:1729", text)
    assert all(re.search(rf"--{service} .*\boff\b", text) for service in SERVICES)


def test_each_service_speaks_its_own_protocol_on_its_own_port(make_talker, new_user):
    server = make_talker()
    addresses = {server.address, server.chat_address, server.ask_address}
    assert len(addresses) == 3 and None not in addresses
    with ChunkClient(server.chat_address) as chat, greeted(server.ask_address) as ask:
        chat.expect(MENU)
        assert ask.ask("NAME") == "kesher"
    with server.connect() as connection:
        assert connection.register_for_messages(new_user()).id is not None


@pytest.mark.parametrize("also", [(), ("chat",), ("ask",)], ids=["neither", "chat", "ask"])
def test_what_is_off_does_not_listen(make_server, also):
    server = make_server(also=also)
    assert (server.chat_address is not None) == ("chat" in also)
    assert (server.ask_address is not None) == ("ask" in also)
    assert listening_sockets(server) == 1 + len(also)


def listening_sockets(server: Kesherd) -> int:
    """How many sockets of that process wait for connections."""
    waiting = {
        fields[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if (fields := line.split())[3] == "0A"
    }
    links = [os.readlink(path) for path in open_descriptors(server)]
    return sum(link == f"socket:[{inode}]" for link in links for inode in waiting)


def test_all_off_is_an_error(tmp_path):
    run = run_kesherd(*listening(tmp_path))
    assert run.returncode == 2
    assert (run.stdout + run.stderr).count("\n") == 1, run


@pytest.mark.parametrize("service", SERVICES)
def test_an_address_in_use_is_one_clear_line(tmp_path, service):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        others = {name: "127.0.0.1:0" for name in SERVICES if name != service}
        assert_one_line(run_kesherd(*listening(tmp_path, **{service: address}, **others)), 1, address)


def test_two_services_cannot_share_an_address(tmp_path):
    address = f"127.0.0.1:{free_port()}"
    assert_one_line(run_kesherd(*listening(tmp_path, chat=address, ask=address)), 2, address)


NO_ADDRESSES = ["nonsense", "127.0.0.1", "127.0.0.1:", "127.0.0.1:1x", "127.0.0.1:-1", "127.0.0.1:+0", ""]
TOO_LARGE = ["127.0.0.1:65536", "127.0.0.1:4294967296", "127.0.0.1:18446744073709551616"]


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("address", NO_ADDRESSES + TOO_LARGE)
def test_what_is_no_address_is_one_clear_line(tmp_path, service, address):
    run = run_kesherd(*listening(tmp_path, **{service: address}))
    assert run.returncode == 2, run
    told = run.stdout + run.stderr
    assert told.count("\n") == 1 and f'"{address}"' in told, told


def test_addresses_may_stand_in_the_configuration(tmp_path):
    configuration = tmp_path / "kesherd.ini"
    configuration.write_text("listen = off\nchat = off\nask = off\nsecure = off\n")
    run = run_kesherd("--data", str(tmp_path / "data"), "--config", str(configuration))
    assert run.returncode == 2
    assert (run.stdout + run.stderr).count("\n") == 1, run


@pytest.mark.parametrize(
    "option, value",
    [
        ("groups", "x"),
        ("group-members", "-1"),
        ("member-queue", ""),
        ("prompt-timeout", "1x"),
        ("stat", "some"),
    ],
)
def test_options_of_chat_and_ask_that_make_no_sense_are_told(tmp_path, option, value):
    run = run_kesherd(*listening(tmp_path, chat="127.0.0.1:0"), f"--{option}", value)
    assert run.returncode == 2, run
    told = run.stdout + run.stderr
    assert told.count("\n") == 1 and option in told, told
