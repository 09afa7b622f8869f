"""The host key of the secure port: the server's own, one that the operator gives, and the next one."""

import pytest
from peer import tls
from peer.accounts import Account, Entry
from peer.kesherd import Kesherd
from peer.links import base64url, from_base64url, parse_link
from peer.operators import Operator


@pytest.fixture
def give(tmp_path):
    """Writes an identity into files, as an operator does; the options that name them."""

    def write(identity: tls.Identity, chain: bytes = b"") -> dict[str, str]:
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        certificate.write_bytes(identity.certificate_pem() + chain)
        key.touch(mode=0o600)
        key.write_bytes(identity.key_pem())
        return {"certificate": str(certificate), "private_key": str(key)}

    return write


def shown(server: Kesherd) -> bytes:
    """The fingerprint of who answers now."""
    with server.connect_secure() as client:
        return client.fingerprint


def test_an_operators_certificate_is_shown(make_secure, give):
    identity = tls.Identity.generate("chat.example.org")
    server = make_secure(**give(identity))
    assert shown(server) == identity.fingerprint


def test_an_authoritys_certificate_comes_with_what_leads_to_it(make_secure, give):
    authority = tls.Identity.generate("authority of the tests")
    identity = tls.Identity.generate("chat.example.org", issuer=authority)
    server = make_secure(**give(identity, authority.certificate_pem()))
    with server.connect_secure() as client:
        chain = client.socket.engine.connection.get_peer_cert_chain()
        shown_chain = [tls.fingerprint_of(one.to_cryptography()) for one in chain]
        assert shown_chain == [identity.fingerprint, authority.fingerprint]


def test_a_reload_shows_the_new_certificate_to_new_connections_and_drops_none(make_secure, give, new_account):
    first, second = tls.Identity.generate("a.example.org"), tls.Identity.generate("b.example.org")
    options = give(first)
    server = make_secure(**options)
    client, account = new_account(server)
    give(second)
    server.read_again()
    assert shown(server) == second.fingerprint
    client.account()
    with server.connect_secure() as late:
        late.sign_in(Account(account.secret))


NO_CERTIFICATES = [b"", b"no PEM", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]


@pytest.mark.parametrize("broken", NO_CERTIFICATES)
def test_a_certificate_that_is_none_leaves_the_old_one(make_secure, give, broken):
    identity = tls.Identity.generate("a.example.org")
    options = give(identity)
    server = make_secure(**options)
    with open(options["certificate"], "wb") as file:
        file.write(broken)
    server.read_again()
    assert shown(server) == identity.fingerprint


def test_a_key_of_another_certificate_leaves_the_old_one(make_secure, give):
    identity, other = tls.Identity.generate("a.example.org"), tls.Identity.generate("b.example.org")
    options = give(identity)
    server = make_secure(**options)
    with open(options["private_key"], "wb") as file:
        file.write(other.key_pem())
    log = server.read_again()
    assert shown(server) == identity.fingerprint
    assert "PRIVATE KEY" not in log


def test_a_sign_in_is_bound_to_the_certificate_of_its_own_handshake(make_secure, give, new_account):
    """A connection from before the reload signs for the certificate that it saw."""
    first, second = tls.Identity.generate("a.example.org"), tls.Identity.generate("b.example.org")
    server = make_secure(**give(first))
    _, account = new_account(server)
    with server.connect_secure() as early:
        give(second)
        server.read_again()
        assert early.fingerprint == first.fingerprint
        early.sign_in(Account(account.secret))


# -- the next key


def next_key(server: Kesherd) -> bytes:
    """Prepared by the operator, whose command prints its fingerprint."""
    out = Operator(server.data).succeed("key", "next").out
    words = [word.strip(".,:()") for word in out.split()]
    (fingerprint,) = {word for word in words if len(word) == 43}
    return from_base64url(fingerprint)


def test_the_next_key_is_told_to_who_signs_in_and_then_is_the_key(make_secure, new_account):
    server = make_secure()
    _, account = new_account(server)
    before = shown(server)
    prepared = next_key(server)
    server.read_again()
    assert shown(server) == before != prepared
    with server.connect_secure() as client:
        assert client.sign_in(Account(account.secret)).told[Entry.NEXT_KEY] == prepared
        assert client.account()[Entry.NEXT_KEY] == prepared
    Operator(server.data).succeed("key", "use")
    server.read_again()
    assert shown(server) == prepared
    with server.connect_secure(fingerprint=prepared) as client:
        assert Entry.NEXT_KEY not in client.sign_in(Account(account.secret)).told
    link = parse_link(Operator(server.data).run("address").out.strip())
    assert link.fingerprint == prepared


def test_a_next_key_is_there_after_a_restart(make_secure, new_account):
    server = make_secure()
    _, account = new_account(server)
    prepared = next_key(server)
    server.restart()
    with server.connect_secure() as client:
        assert client.sign_in(Account(account.secret)).told[Entry.NEXT_KEY] == prepared


def test_a_next_key_is_no_secret_and_its_private_half_is_one(make_secure):
    server = make_secure()
    prepared = next_key(server)
    server.read_again()
    for path in (server.data / "tls").iterdir():
        if b"PRIVATE KEY" in path.read_bytes():
            assert path.stat().st_mode & 0o777 == 0o600
    assert base64url(prepared) != base64url(shown(server))
