"""Fixtures and hooks shared by the integration and the torture suite (each conftest.py imports them)."""

import itertools
import json
import os
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import pytest

from .chat import ChunkClient
from .chat_server import CourseChatServer
from .conversation import two_users
from .crypto import private_key
from .drop import User
from .kesher import Kesher, write_identity
from .kesherd import REPOSITORY, Kesherd, program
from .messages import MessagesClient
from .server import FakeServer, Script

HANG_GUARD_SECONDS = 120

_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: runs only with KESHER_SLOW=1")


def pytest_collection_modifyitems(items):
    skip_slow = pytest.mark.skip(reason="slow: set KESHER_SLOW=1")
    for item in items:
        if item.get_closest_marker("slow") and os.environ.get("KESHER_SLOW") != "1":
            item.add_marker(skip_slow)
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(HANG_GUARD_SECONDS))


@pytest.fixture(scope="session")
def vectors() -> dict:
    return json.loads((REPOSITORY / "tests" / "vectors.json").read_text())


@pytest.fixture(scope="session")
def private_keys(vectors) -> list:
    """Two RSA keys; any number of users may share one."""
    return [private_key(b64decode(entry["private_pkcs8_base64"])) for entry in vectors["keys"]]


def in_threads(run, arguments) -> list:
    """run(argument) for each argument, each in a thread of its own; the results in order."""
    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(run, arguments))


def _need(variable: str, name: str) -> None:
    if not program(variable, name).exists():
        pytest.skip(f"{program(variable, name)} is not built (set {variable})")


@pytest.fixture
def make_server(tmp_path):
    """Makes servers with data directories of their own; stops each after the test and checks its end."""
    _need("KESHERD", "kesherd")
    servers = []

    def make(**options) -> Kesherd:
        servers.append(Kesherd(tmp_path / f"data-{len(servers)}", **options).start())
        return servers[-1]

    yield make
    _stop_all(servers)


def _stop_all(servers: list[Kesherd]) -> None:
    problems = []
    for server in servers:
        try:
            server.stop()
        except AssertionError as problem:
            problems.append(str(problem))
    assert not problems, "\n".join(problems)


@pytest.fixture
def own_server(make_server) -> Kesherd:
    """A server for one test alone."""
    return make_server()


def run_module_server(tmp_path_factory, **options):
    """The body of a module's fixture: one server for all of its tests, its end checked after the last."""
    _need("KESHERD", "kesherd")
    server = Kesherd(tmp_path_factory.mktemp("server") / "data", **options).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory):
    yield from run_module_server(tmp_path_factory)


@pytest.fixture
def server(shared_server) -> Kesherd:
    """The server that a module's tests share. A test that brings it down fails; the next one gets it anew."""
    if not shared_server.is_running():
        shared_server.start()
    yield shared_server
    assert shared_server.is_running(), f"the server is gone:\n{shared_server.log()[-8000:]}"


@pytest.fixture(scope="module")
def shared_talker(tmp_path_factory):
    yield from run_module_server(tmp_path_factory, also=("chat", "ask"))


@pytest.fixture
def talker(shared_talker) -> Kesherd:
    """The same with all of its services."""
    if not shared_talker.is_running():
        shared_talker.start()
    yield shared_talker
    assert shared_talker.is_running(), f"the server is gone:\n{shared_talker.log()[-8000:]}"


@pytest.fixture
def make_talker(make_server):
    """Makes servers for one test alone, with all of their services."""
    return lambda **options: make_server(also=("chat", "ask"), **options)


@pytest.fixture
def fresh_source():
    """Gives addresses of the loopback from which no other test connects: wrong passwords of one test are no
    reason to be slow to another."""

    def give() -> str:
        number = next(_numbers)
        return f"127.1.{number // 250}.{number % 250 + 1}"

    return give


@pytest.fixture
def open_chat(request, fresh_source):
    """Makes chat clients, of the kind of the course's unless told otherwise, on the shared server or on another
    one, all from an address of this test; closes them after it."""
    clients = []
    source = fresh_source()

    def open_on(
        kind: type[ChunkClient] = ChunkClient, server: Kesherd | CourseChatServer | None = None, **options
    ):
        server = server or request.getfixturevalue("talker")
        if isinstance(server, CourseChatServer):
            options["apostrophe"] = server.apostrophe
        clients.append(kind(server.chat_address, **{"source": source, **options}))
        return clients[-1]

    yield open_on
    for client in clients:
        client.close()


@pytest.fixture
def course_chat():
    """The course's own server of group chat."""
    server = CourseChatServer()
    yield server
    server.stop()


@pytest.fixture
def connection(server) -> MessagesClient:
    with server.connect() as client:
        yield client


@pytest.fixture
def fresh_name():
    """Gives names that no other test of this run uses."""
    return lambda: f"user {next(_numbers)}"


@pytest.fixture
def new_user(private_keys, fresh_name):
    """Makes users that no server knows yet."""
    return lambda: User(fresh_name(), private_keys[0])


@pytest.fixture
def registered(connection, new_user) -> User:
    """A user without a public key, on the shared server."""
    return connection.register(new_user())


@pytest.fixture
def people(connection, new_user) -> tuple[User, User, bytes]:
    """A sender and a receiver of messages on the shared server, and the alias by which the first knows the second."""
    return two_users(connection, new_user)


@pytest.fixture
def user(connection, registered) -> User:
    """A user with a public key and an AES key, which `connection` got."""
    connection.send_public_key(registered)
    return registered


@pytest.fixture
def home(tmp_path):
    """The path of a home that does not exist yet."""
    return tmp_path / "home"


@pytest.fixture
def make_kesher(home):
    """Makes clients for a server (real or fake) or for none; all with the same home unless told otherwise."""
    _need("KESHER", "kesher")
    return lambda server=None, at=home: Kesher(at, server.address if server else None)


@pytest.fixture
def make_fake():
    """Makes fake servers. What they could not understand of the client's requests fails the test."""
    fakes = []

    def make(**script) -> FakeServer:
        fakes.append(FakeServer(Script(**script)))
        return fakes[-1]

    yield make
    for fake in fakes:
        fake.stop()
    assert [problem for fake in fakes for problem in fake.problems] == []


@pytest.fixture
def make_pair(make_fake, make_kesher, home, new_user):
    """Makes a fake server and a client whose home holds an identity that the fake server knows."""

    def make(**script):
        fake, user = make_fake(**script), new_user()
        user.id = fake.add_account(user.name, user.public_key).id
        write_identity(home, user)
        return fake, make_kesher(fake)

    return make
