"""Which addresses kesherd listens on, and what it says of them."""

import platform
import re
import socket
import sys

import pytest
from peer.kesherd import Kesherd
from peer.messages import MessagesClient

SOCKET_CALL = {"x86_64": 41, "aarch64": 198}.get(platform.machine())

# A program of seccomp(2) that refuses sockets of IPv6 as a kernel does that has none; then the rest of the arguments.
WITHOUT_IPV6 = f"""
import ctypes, os, struct, sys
def instruction(code, jump_if, jump_else, value): return struct.pack("=HBBI", code, jump_if, jump_else, value)
filter = b"".join([
    instruction(0x20, 0, 0, 0), instruction(0x15, 0, 3, {SOCKET_CALL}),
    instruction(0x20, 0, 0, 16), instruction(0x15, 0, 1, 10),
    instruction(0x06, 0, 0, 0x50000 | 97), instruction(0x06, 0, 0, 0x7fff0000)])
class Program(ctypes.Structure): _fields_ = [("size", ctypes.c_ushort), ("filter", ctypes.c_char_p)]
program, libc = Program(len(filter) // 8, filter), ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(program), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
"""


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


def ready_line(server: Kesherd) -> str:
    return re.search(r".*\bready\b.*", server.log())[0]


def local_address(client: MessagesClient) -> str:
    host, port = client.socket.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 here")
@pytest.mark.parametrize("host", ["", "::"])
def test_all_interfaces_are_those_of_ipv4_and_ipv6(make_server, new_user, host):
    server = make_server(host=host)
    _, port = server.address
    assert f" on [::]:{port} (IPv4 and IPv6)" in ready_line(server)
    told = []
    for address in ("127.0.0.1", "::1"):
        with MessagesClient((address, port)) as client:
            client.register(new_user())
            told.append(local_address(client))
    server.stop()
    assert [address for address in told if address not in server.log()] == []
    assert "::ffff:" not in server.log()


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
def test_an_address_of_ipv4_is_ipv4_only_and_said_to_be_where_it_is_all(make_server, host):
    server = make_server(host=host)
    _, port = server.address
    assert (f" on 0.0.0.0:{port} (IPv4 only)" in ready_line(server)) == (host == "0.0.0.0")
    assert " (IPv4 and IPv6)" not in ready_line(server)
    with pytest.raises(OSError):
        MessagesClient(("::1", port))


@pytest.mark.skipif(SOCKET_CALL is None, reason="the number of socket(2) is not known for this machine")
def test_where_the_kernel_has_no_ipv6_all_interfaces_are_those_of_ipv4_and_the_log_says_so(tmp_path, new_user):
    class Crippled(Kesherd):
        def command(self):
            return [sys.executable, "-c", WITHOUT_IPV6, *super().command()]

    server = Crippled(tmp_path / "data", host="").start()
    try:
        assert f" on 0.0.0.0:{server.address[1]} (IPv4 only)" in ready_line(server)
        assert "notice  this system has no IPv6: :0 is IPv4 only\n" in server.log()
        with MessagesClient(("127.0.0.1", server.address[1])) as client:
            client.register(new_user())
    finally:
        server.stop()


def test_a_host_that_is_not_known_may_be_later_so_the_status_is_1(tmp_path):
    server = Kesherd(tmp_path / "data")
    server.host = "no-such-host.invalid"
    with pytest.raises(AssertionError, match="cannot find the address \"no-such-host.invalid\""):
        server.start()
    assert server.process.wait() == 1
