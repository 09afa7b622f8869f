"""The secure port's TLS: which versions and protocols it speaks, what it tells everybody else, and who it is."""

import re
import shutil
import socket

import pytest
from OpenSSL import SSL
from peer import tls
from peer.accounts import Request
from peer.conversation import wait_until
from peer.frames import RESPONSE_HEADER
from peer.kesherd import Kesherd
from peer.links import base64url, parse_link
from peer.openssl import SClient, SServer, run_s_client
from peer.operators import Operator
from peer.secure import PROBE, SecureClient, frame
from peer.tls_records import ALERT, HANDSHAKE, NO_APPLICATION_PROTOCOL, PROTOCOL_VERSION, RecordClient

OLD_VERSIONS = [SSL.TLS1_VERSION, SSL.TLS1_1_VERSION, SSL.TLS1_2_VERSION]
SUITES = [b"TLS_AES_128_GCM_SHA256", b"TLS_AES_256_GCM_SHA384", b"TLS_CHACHA20_POLY1305_SHA256"]
NOT_TLS = [
    b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    b"Hi",
    b"\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    frame(Request.NONCE),
    bytes(1),
    bytes(100),
    b"\x80\x2e\x01\x03\x01",  # SSLv2
    b"\x17\x03\x03\x00\x05hello",  # a record that is none of a handshake
    b"\x16\x03\x01\x00\x06\x02\x00\x00\x02\x03\x03",  # a handshake that begins with another message
    b"\x16\x47\x45\x00\x06",
]


def everything_after(server: Kesherd, sent: bytes) -> bytes:
    """What the port says to that, to its end."""
    with socket.create_connection(server.secure_address, 30) as raw:
        raw.sendall(sent)
        data = b""
        try:
            while part := raw.recv(65536):
                data += part
        except ConnectionResetError:
            pass
        return data


def handshake(server: Kesherd, context: SSL.Context) -> tls.TlsSocket:
    return tls.TlsSocket(socket.create_connection(server.secure_address, 30), context).handshake()


def alert(number: int) -> bytes:
    return bytes([ALERT, 3, 3, 0, 2, 2, number])


@pytest.mark.parametrize("version", OLD_VERSIONS)
def test_older_versions_are_told_that_they_are(secure, version):
    hello = tls.Engine(tls.client_context(least=version, most=version)).hello()
    assert everything_after(secure, hello)[-2:] == bytes([2, PROTOCOL_VERSION])


def test_a_client_of_all_versions_gets_the_newest(secure):
    end = handshake(secure, tls.client_context(least=SSL.TLS1_VERSION))
    assert end.engine.connection.get_protocol_version_name() == "TLSv1.3"
    end.close()


@pytest.mark.parametrize("sent", NOT_TLS, ids=range(len(NOT_TLS)))
def test_what_is_no_hello_gets_one_line_and_the_end(secure, sent):
    said = everything_after(secure, sent)
    line = said.removesuffix(b"\r\n") if sent.startswith(b"GET") else said  # HTTP ends with an empty one
    assert line.isascii() and line.count(b"\n") == 1 and line.endswith(b"\n"), said
    assert b"TLS" in said


def test_other_protocols_are_refused(secure):
    for offered in ((b"h2",), (b"kesher/2", b"kesher"), (b"kesher/1 ",), (b"KESHER/1",)):
        hello = tls.Engine(tls.client_context(offered)).hello()
        assert everything_after(secure, hello) == alert(NO_APPLICATION_PROTOCOL), offered


def test_kesher_is_selected_where_it_is_offered(secure):
    for offered in ((b"h2", b"kesher/1"), (b"http/1.1", b"kesher/1"), (b"kesher/1",)):
        end = handshake(secure, tls.client_context(offered))
        assert end.engine.alpn == tls.ALPN
        end.close()


@pytest.mark.parametrize("offered", [(), (b"http/1.1",), (b"h2", b"http/1.1")])
def test_no_protocol_and_http_are_http(secure, offered):
    end = handshake(secure, tls.client_context(offered))
    assert end.engine.alpn == (b"http/1.1" if offered else b"")
    end.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert end.recv(65536).startswith(b"HTTP/1.1 ")
    end.close()


def test_frames_are_no_http(secure):
    end = handshake(secure, tls.client_context(()))
    end.sendall(frame(Request.NONCE))
    said = b""
    while part := end.recv(65536):
        said += part
    assert b"\xa0\x0f" not in said[:3]  # 4000
    end.close()


@pytest.mark.parametrize("suite", SUITES)
def test_each_cipher_suite_of_the_page_is_taken(secure, suite):
    context = tls.client_context()
    tls.prefer(context, suite)
    with SecureClient(secure.secure_address, context=context) as client:
        assert client.is_served()


def test_the_first_suite_of_the_page_wins_whatever_the_client_prefers(secure):
    context = tls.client_context()
    tls.prefer(context, b":".join(reversed(SUITES)))
    with SecureClient(secure.secure_address, context=context) as client:
        assert client.socket.engine.connection.get_cipher_name() == "TLS_AES_128_GCM_SHA256"


@pytest.mark.parametrize("group", ["X25519", "P-256", "P-384"])
def test_each_group_of_the_page_is_taken(secure, group):
    assert "New, TLSv1.3" in run_s_client(secure.secure_address, "-groups", group)


@pytest.mark.parametrize("group", ["P-521", "ffdhe2048"])
def test_other_groups_are_not(secure, group):
    assert "handshake failure" in run_s_client(secure.secure_address, "-groups", group)


@pytest.mark.parametrize("groups", ["P-521:X25519", "X448:P-384"])
def test_a_client_that_guesses_the_group_wrongly_is_asked_again(secure, groups):
    with SClient(secure.secure_address, "-groups", groups, "-msg", "-quiet") as client:
        client.type(frame(Request.NONCE))
        printed = client.wait_for(bytes([4]) + (4000).to_bytes(2, "little"))
    assert printed.count(b"ClientHello") == 2 and printed.count(b"ServerHello") == 2


def test_the_server_gives_no_tickets(secure):
    with RecordClient(secure.secure_address) as client:
        for _ in range(3):
            client.send(frame(PROBE))
            client.receive(RESPONSE_HEADER.size)
        assert HANDSHAKE not in client.kinds


def test_early_data_is_not_taken_and_the_session_of_another_server_is_none(secure, tmp_path):
    """A ticket that allows early data is that of a server of the tests' own."""
    session, early = tmp_path / "session", tmp_path / "early"
    early.write_bytes(frame(Request.NONCE))
    with SServer(tmp_path, "-max_early_data", "16384") as server:
        with SClient(server.address, "-sess_out", str(session)):
            wait_until(lambda: session.exists() and session.read_text().endswith("-----\n"), "a ticket")
    printed = run_s_client(secure.secure_address, "-sess_in", str(session), "-early_data", str(early))
    assert "Early data was rejected" in printed
    assert "New, TLSv1.3" in printed and "Reused" not in printed


def test_the_certificate_is_the_one_whose_fingerprint_is_handed_out(secure):
    link = parse_link(Operator(secure.data).run("address").out.strip())
    with secure.connect_secure(fingerprint=link.fingerprint) as client:
        assert client.fingerprint == link.fingerprint
    assert link.port == secure.secure_address[1]


def fingerprint_of(server: Kesherd) -> bytes:
    with server.connect_secure() as client:
        return client.fingerprint


def test_the_fingerprint_stays_over_restarts_and_goes_with_the_key(make_secure):
    server = make_secure()
    first = fingerprint_of(server)
    assert fingerprint_of(server.restart_after_kill()) == first
    server.stop()
    shutil.rmtree(server.data / "tls")
    assert fingerprint_of(server.start()) != first


def test_the_log_tells_the_fingerprint_when_the_server_is_ready(secure):
    with secure.connect_secure() as client:
        assert base64url(client.fingerprint) in secure.log()


def test_the_key_of_the_server_is_its_owners_alone(secure):
    keys = [path for path in (secure.data / "tls").rglob("*") if b"PRIVATE KEY" in path.read_bytes()]
    assert keys and all(path.stat().st_mode & 0o777 == 0o600 for path in keys)
    assert not re.search(r"PRIVATE KEY", secure.log())
