"""The secure port behind proxies: the PROXY protocol, version 2, from those alone who are listed."""

import socket

import pytest
from peer import proxy, tls
from peer.accounts import Account
from peer.conversation import wait_until
from peer.hellos import SlowHandshake
from peer.kesherd import Kesherd
from peer.proxy import SIGNATURE, header
from peer.secure import SecureClient

PROXY = "127.9.9.9"
CLIENT = "203.0.113.77"


@pytest.fixture
def behind(make_secure) -> Kesherd:
    """Listens to one proxy, and lets each address in twice."""
    return make_secure(proxy_networks=f"{PROXY},2001:db8::/32", connections_per_address=2, unlimited_networks="none")


def through(server: Kesherd, before: bytes, source: str = PROXY) -> SecureClient:
    return SecureClient(server.secure_address, source=source, before=before)


def says(server: Kesherd, sent: bytes, source: str = PROXY, *, finish: bool = False) -> bytes:
    """What the server says to that until it ends the connection."""
    with socket.socket() as raw:
        raw.settimeout(60)
        raw.bind((source, 0))
        raw.connect(server.secure_address)
        data = b""
        try:
            raw.sendall(sent)
            if finish:
                raw.shutdown(socket.SHUT_WR)
            while part := raw.recv(65536):
                data += part
        except ConnectionError:
            pass
        return data


def hello() -> bytes:
    return tls.Engine(tls.usual_context()).hello()


def assert_refused(said: bytes) -> None:
    """Nothing, or the one line; never a step of a handshake."""
    assert said == b"" or (said.isascii() and said.count(b"\n") == 1), said


@pytest.mark.parametrize("address", [CLIENT, "2001:db8::77"])
def test_the_address_in_the_header_is_the_one_that_is_logged(behind, address, fresh_name):
    with through(behind, header(address)) as client:
        client.register(Account(), fresh_name())
        wait_until(lambda: address in behind.log(), "the address is logged")


def test_the_address_in_the_header_is_the_one_that_counts(behind):
    first, second = through(behind, header(CLIENT)), through(behind, header(CLIENT))
    with first, second:
        assert first.is_served() and second.is_served()
        assert_refused(says(behind, header(CLIENT) + hello()))
        with through(behind, header("203.0.113.78")) as another:
            assert another.is_served()
        assert first.is_served() and second.is_served()


def test_a_header_may_come_byte_by_byte_and_in_one_piece_with_the_hello(behind):
    slow = SlowHandshake(behind, source=PROXY)
    slow.send_bytewise(header(CLIENT))
    slow.send_bytewise(slow.hello)
    slow.finish()
    slow.raw.close()
    slow = SlowHandshake(behind, source=PROXY)
    slow.send(header(CLIENT) + slow.hello)
    slow.finish()
    slow.raw.close()


def test_what_stands_behind_the_addresses_is_skipped(behind):
    extras = b"\x04\x00\x10" + bytes(16) + b"\x20\x00\x05" + bytes(5)
    with through(behind, header(CLIENT, more=extras)) as client:
        assert client.is_served()


def test_a_check_of_the_proxys_own_counts_as_the_proxy(behind):
    with through(behind, header(command=proxy.LOCAL)) as client:
        assert client.is_served()
    assert PROXY in behind.log()


def test_a_header_from_somebody_who_is_not_listed_is_rubbish(behind, fresh_source):
    said = says(behind, header(CLIENT) + hello(), fresh_source())
    assert said.count(b"\n") == 1 and said.endswith(b"\n") and said.isascii()
    assert CLIENT not in behind.log()


def test_without_a_list_every_header_is_rubbish(secure):
    assert says(secure, header(CLIENT) + hello(), "127.0.0.1").count(b"\n") == 1


def test_who_is_not_listed_needs_no_header(behind, fresh_source):
    with SecureClient(behind.secure_address, source=fresh_source()) as client:
        assert client.is_served()


def test_a_proxy_without_a_header_is_refused(behind):
    assert_refused(says(behind, hello()))


BAD_HEADERS = {
    "version 1": b"PROXY TCP4 203.0.113.77 127.0.0.1 40000 1358\r\n",
    "another signature": b"\r\n\r\n\0\r\nQUIT\r" + header(CLIENT)[12:],
    "version 3": SIGNATURE + b"\x31" + header(CLIENT)[13:],
    "unknown command": header(CLIENT, command=0x22),
    "short for IPv4": header("", command=proxy.PROXY, family=proxy.TCP4, more=bytes(11)),
    "short for IPv6": header("", command=proxy.PROXY, family=proxy.TCP6, more=bytes(35)),
    "addresses of IPv4 as IPv6": header(CLIENT, family=proxy.TCP6),
    "larger than there is sense in": header(CLIENT, declared=65535) + bytes(65536),
    "a second one": header(CLIENT) + header("203.0.113.78"),
    "UDP": header(CLIENT, family=0x12),
    "a path": header("", family=0x31, more=bytes(216)),
}


@pytest.mark.parametrize("bad", BAD_HEADERS.values(), ids=BAD_HEADERS.keys())
def test_headers_that_are_none_are_refused(behind, bad):
    assert_refused(says(behind, bad + hello()))


def test_a_header_that_ends_early_is_refused(behind):
    whole = header(CLIENT)
    for size in range(1, len(whole)):
        assert_refused(says(behind, whole[:size], finish=True))


def test_a_proxy_cannot_smuggle_frames_past_tls(behind):
    with pytest.raises((tls.TlsFailed, OSError)):
        through(behind, header(CLIENT) + b"GET / HTTP/1.1\r\n\r\n")


def test_a_reload_changes_whom_the_server_listens_to(behind):
    behind.reload(connections_per_address=2, unlimited_networks="none")
    assert says(behind, header(CLIENT) + hello()).count(b"\n") == 1
    behind.reload(proxy_networks=PROXY, connections_per_address=2, unlimited_networks="none")
    with through(behind, header(CLIENT)) as client:
        assert client.is_served()


def test_the_signature_is_bound_to_the_channel_through_a_proxy(behind, fresh_name, open_secure):
    with through(behind, header(CLIENT)) as client:
        account = client.register(Account(), fresh_name())
    with SecureClient(behind.secure_address, source="127.0.0.1") as direct:
        assert direct.sign_in(account).name == account.name
