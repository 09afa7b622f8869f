"""Fixtures for tests of `kesher chat`: runs between pipes, servers by script, a group on the real one."""

import json
import re
import shlex

import pytest

from .chat import LEFT, LineClient
from .kesher import Kesher, Outcome
from .piped import Piped
from .scripted import ScriptedServer


PASSWORD = "12345"


@pytest.fixture
def start_chat(home):
    """Starts `kesher chat` between pipes on a server, with a password in its environment."""
    runs = []

    def start(
        server, *arguments: str, password: str | None = PASSWORD, through: str = "", **variables
    ) -> Piped:
        """`through` is a command of the shell that gets its output instead of the test."""
        command = Kesher(home, server.chat_address if server else None).command("chat", *arguments)
        variables = {"KESHER_CHAT_PASSWORD": password, "USER": "tester", **variables}
        if through:
            command = ["sh", "-c", f"{shlex.join(command)} | {through}"]
        runs.append(Piped(command, **variables))
        return runs[-1]

    yield start
    for run in runs:
        run.close()


@pytest.fixture
def run_chat(start_chat):
    """The same with no input, to its end."""

    def run(*arguments, **options) -> Outcome:
        return start_chat(*arguments, **options).finish()

    return run


@pytest.fixture
def make_scripted():
    """Makes servers that follow a script for each connection; what goes wrong in a script fails the test."""
    servers = []

    def make(*scripts, **options) -> ScriptedServer:
        servers.append(ScriptedServer(*scripts, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
    assert [problem for server in servers for problem in server.problems] == []


@pytest.fixture
def host(open_chat):
    """The only member of its group on the shared server."""
    client = open_chat(LineClient)
    client.create("host", PASSWORD)
    return client


def create_group(start_chat, server, *options: str, name: str = "kate", **variables) -> tuple[Piped, int]:
    """A `chat create`, and its group."""
    run = start_chat(server, "create", "--as", name, *options, **variables)
    line = run.errors.next_line()
    if "--json" in options:
        line = json.loads(line)["notice"] + "\n"
    group = int(re.fullmatch(r"created group (\d+)\n", line)[1])
    return run, group


def join_group(start_chat, server, group: int, *options: str, name: str = "kate", **variables) -> Piped:
    run = start_chat(server, "join", str(group), "--as", name, *options, **variables)
    notice = f"joined group {group}"
    run.told(json.dumps({"notice": notice}) if "--json" in options else notice)
    return run


def spoken(result: Outcome) -> str:
    """What was printed of the others. The server's farewell may stand behind it, being what still comes."""
    return result.stdout.removesuffix(LEFT)
