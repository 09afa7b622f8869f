"""Fixtures of the secure port, for the integration and the torture suite."""

import pytest

from . import crypto
from .accounts import Account
from .drop import User
from .fixtures import run_module_server
from .kesherd import Kesherd
from .man_in_the_middle import ManInTheMiddle
from .secure import SecureClient
from .secure_server import SecureServer


@pytest.fixture(scope="module")
def shared_secure(tmp_path_factory):
    yield from run_module_server(tmp_path_factory, also=("secure",))


@pytest.fixture
def secure(shared_secure) -> Kesherd:
    """The server that a module's tests share, with the classic port and the secure one."""
    if not shared_secure.is_running():
        shared_secure.start()
    yield shared_secure
    assert shared_secure.is_running(), f"the server is gone:\n{shared_secure.log()[-8000:]}"


@pytest.fixture
def make_secure(make_server):
    """Makes servers for one test alone, with the classic port and the secure one."""
    return lambda **options: make_server(also=("secure",), **options)


@pytest.fixture
def open_secure(request):
    """Makes clients of the secure port, of the shared server unless told otherwise; closes them after the test."""
    clients = []

    def open_on(server: Kesherd | None = None, **options) -> SecureClient:
        server = server or request.getfixturevalue("secure")
        clients.append(SecureClient(server.secure_address, **options))
        return clients[-1]

    yield open_on
    for client in clients:
        client.close()


@pytest.fixture
def client(open_secure) -> SecureClient:
    """A connection to the shared server that has not signed in."""
    return open_secure()


@pytest.fixture
def other(open_secure) -> SecureClient:
    """Another one."""
    return open_secure()


@pytest.fixture
def new_account(open_secure, fresh_name):
    """Registers accounts, each on a connection that goes on."""

    def make(
        server: Kesherd | None = None, name: str | None = None, **options
    ) -> tuple[SecureClient, Account]:
        client = open_secure(server, **options)
        return client, client.register(Account(), name or fresh_name())

    return make


@pytest.fixture
def keeper(new_account) -> SecureClient:
    """The connection of an account that keeps nothing yet, to the shared server."""
    client, _ = new_account()
    return client


@pytest.fixture
def sign_in(open_secure):
    """Opens further connections of an account."""

    def open_for(account: Account, server: Kesherd | None = None, **options) -> SecureClient:
        client = open_secure(server, **options)
        client.sign_in(account)
        return client

    return open_for


@pytest.fixture
def new_classic(new_user):
    """Registers classic users with a public key; the server's, and the connection that did it."""

    def make(server: Kesherd) -> User:
        with server.connect() as connection:
            return connection.register_for_messages(new_user())

    return make


@pytest.fixture
def make_secure_fake():
    """Makes small servers in Python. What they could not understand of the client's requests fails the test."""
    fakes = []

    def make(**options) -> SecureServer:
        fakes.append(SecureServer(**options))
        return fakes[-1]

    yield make
    for fake in fakes:
        fake.stop()
    assert [problem for fake in fakes for problem in fake.problems] == []


@pytest.fixture
def make_man_in_the_middle():
    """Puts somebody before a server, with a certificate of their own."""
    between = []

    def make(server, **options) -> ManInTheMiddle:
        between.append(ManInTheMiddle(server.secure_address, **options))
        return between[-1]

    yield make
    for one in between:
        one.stop()


@pytest.fixture
def classic_key(private_keys) -> bytes:
    """A public key for the classic ports."""
    return crypto.public_key_der(private_keys[0])
