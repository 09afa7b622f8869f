"""TLS 1.3 on pyOpenSSL, both sides: an engine without a socket, a socket that encrypts, and channel bindings.

Python's own `ssl` has no exporter, to which sign-ins are bound. The engine has its bytes in memory, so that a test can
cut and change what goes over the wire.
"""

import datetime
import hashlib
import socket
from contextlib import suppress
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto

ALPN = b"kesher/1"
HTTP_ALPN = b"http/1.1"
EXPORTER_LABEL = b"EXPORTER-Channel-Binding"
EXPORTER_SIZE = 32

_AT_ONCE = 1 << 16


class TlsFailed(Exception):
    """The handshake or the connection ended with an error of TLS: `str` has OpenSSL's words, an alert's name too."""


def client_context(
    alpn: tuple[bytes, ...] = (ALPN,),
    *,
    least: int = SSL.TLS1_3_VERSION,
    most: int = SSL.TLS1_3_VERSION,
    secrets: list[bytes] | None = None,
) -> SSL.Context:
    """One that believes any certificate: who the server is, is judged by its fingerprint. `secrets` gets the lines
    of a key log."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(least)
    context.set_max_proto_version(most)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")  # as old as anybody may offer; of TLS 1.3 it says nothing
    if alpn:
        context.set_alpn_protos(list(alpn))
    if secrets is not None:
        context.set_keylog_callback(lambda _, line: secrets.append(line))
    return context


def prefer(context: SSL.Context, suites: bytes) -> None:
    """The cipher suites of TLS 1.3, with colons; pyOpenSSL has the call, but no name for it."""
    assert SSL._lib.SSL_CTX_set_ciphersuites(context._context, suites) == 1


@cache
def usual_context() -> SSL.Context:
    return client_context()


# -- servers' certificates


class Identity:
    """A key and a certificate, as a server has them."""

    def __init__(self, key, names: tuple[str, ...] = (), days: int = 30, issuer: "Identity | None" = None):
        """Self-signed, unless an `issuer` signs it."""
        self.key = key
        self.issuer = issuer
        self.certificate = self._certificate(names, days)

    @classmethod
    def generate(cls, *names: str, **options) -> "Identity":
        return cls(ec.generate_private_key(ec.SECP256R1()), names, **options)

    def _certificate(self, names: tuple[str, ...], days: int) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0] if names else "kesher")])
        issuer = self.issuer.certificate.subject if self.issuer else subject
        now = datetime.datetime.utcnow()
        builder = (
            x509.CertificateBuilder(issuer, subject, self.key.public_key(), x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=days))
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign((self.issuer or self).key, hashes.SHA256())

    @property
    def fingerprint(self) -> bytes:
        return fingerprint_of(self.certificate)

    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        return crypto.dump_privatekey(crypto.FILETYPE_PEM, crypto.PKey.from_cryptography_key(self.key))


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(key).digest()


def server_context(identity: Identity, alpn: bytes | None = ALPN) -> SSL.Context:
    """`alpn` is what it selects whatever is offered; None for a server that knows no ALPN."""
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    prefer(context, b"TLS_AES_128_GCM_SHA256")
    context.use_privatekey(crypto.PKey.from_cryptography_key(identity.key))
    context.use_certificate(crypto.X509.from_cryptography(identity.certificate))
    if alpn is not None:
        context.set_alpn_select_callback(lambda _, offered: alpn if alpn in offered else b"")
    return context


# -- the engine


class Engine:
    """One side of one connection, in memory."""

    def __init__(self, context: SSL.Context, *, is_server: bool = False, host: str | None = None):
        self.connection = SSL.Connection(context, None)
        self.is_server = is_server
        if is_server:
            self.connection.set_accept_state()
        else:
            self.connection.set_connect_state()
        if host is not None:
            self.connection.set_tlsext_host_name(host.encode())

    def take(self) -> bytes:
        """What is to go to the peer."""
        data = b""
        try:
            while True:
                data += self.connection.bio_read(_AT_ONCE)
        except SSL.WantReadError:
            return data

    def give(self, data: bytes) -> None:
        """What came from the peer; nothing is its end."""
        while data:
            data = data[self.connection.bio_write(data) :]

    def give_end(self) -> None:
        self.connection.bio_shutdown()

    def handshake(self) -> bool:
        """A step; True when it is done."""
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as problem:
            raise TlsFailed(_words(problem)) from None
        return True

    def hello(self) -> bytes:
        """The bytes of the ClientHello, with the record's header."""
        assert not self.handshake()
        return self.take()

    def read(self, size: int, *flags: int) -> bytes | None:
        """Plaintext; nothing for the peer's close_notify; None when more has to come first."""
        try:
            return self.connection.recv(size, *flags)
        except SSL.WantReadError:
            return None
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as problem:
            raise TlsFailed(_words(problem)) from None

    def write(self, data: bytes) -> None:
        while data:
            data = data[self.connection.send(data[:_AT_ONCE]) :]

    def say_all(self) -> None:
        """close_notify."""
        self.connection.shutdown()

    @property
    def alpn(self) -> bytes:
        return self.connection.get_alpn_proto_negotiated()

    def exporter(self) -> bytes:
        return self.connection.export_keying_material(EXPORTER_LABEL, EXPORTER_SIZE, b"")

    def peer_fingerprint(self) -> bytes:
        return fingerprint_of(self.connection.get_peer_certificate().to_cryptography())


def _words(problem: SSL.Error) -> str:
    queue = problem.args[0] if problem.args else ()
    return "; ".join(entry[-1] for entry in queue) if isinstance(queue, list) else str(problem.args)


# -- a socket


class TlsSocket:
    """As much of a socket as the peer's connections use, over TLS. An end without close_notify is an end like any;
    `was_cut` tells it."""

    def __init__(self, raw: socket.socket, context: SSL.Context, **options):
        self.raw = raw
        self.engine = Engine(context, **options)
        self.was_cut = False

    def handshake(self) -> "TlsSocket":
        try:
            while not self.engine.handshake():
                self._flush()
                if not self._fill():
                    raise TlsFailed("ended in the handshake")
        finally:
            self._flush()
        return self

    def _flush(self) -> None:
        if data := self.engine.take():
            with suppress(OSError):  # a peer that takes no more: why, is seen when it is read
                self.raw.sendall(data)

    def _fill(self) -> bool:
        try:
            data = self.raw.recv(_AT_ONCE)
        except ConnectionResetError:
            data = b""
        self.engine.give(data)
        if not data:
            self.engine.give_end()
        return bool(data)

    def recv(self, size: int, flags: int = 0) -> bytes:
        if self.was_cut:
            return b""
        while (data := self.engine.read(size, flags)) is None:
            self._flush()  # an answer to a KeyUpdate
            if not self._fill():
                self.was_cut = True
                return b""
        return data

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        for start in range(0, len(data), _AT_ONCE):
            self.engine.write(data[start : start + _AT_ONCE])
            self.raw.sendall(self.engine.take())

    def shutdown(self, how: int) -> None:
        """close_notify for SHUT_WR, the connection's end for SHUT_RDWR."""
        if how == socket.SHUT_WR:
            self.engine.say_all()
            self._flush()
        else:
            self.raw.shutdown(how)

    def close(self) -> None:
        self.raw.close()

    def fileno(self) -> int:
        return self.raw.fileno()

    def settimeout(self, seconds: float | None) -> None:
        self.raw.settimeout(seconds)

    def getsockname(self):
        return self.raw.getsockname()

    def setsockopt(self, *arguments) -> None:
        self.raw.setsockopt(*arguments)

    def getsockopt(self, *arguments):
        return self.raw.getsockopt(*arguments)
