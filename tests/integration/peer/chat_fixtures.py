"""Fixtures for tests of `kesher chat`: runs between pipes, servers by script, a group on the real one."""

import json
import re
import shlex
import termios

import pytest

from .chat import LEFT, LineClient
from .kesher import Kesher, Outcome
from .piped import Piped
from .relay import Relay
from .screen import Screen
from .scripted import ScriptedServer
from .terminal import Terminal


PASSWORD = "12345"


class ChatTerminal(Terminal):
    """A `kesher chat` on a terminal of its own."""

    def answer(self, prompt: str, text: str) -> None:
        self.wait_for(prompt)
        self.type_line(text)

    def answer_password(self, text: str) -> None:
        self.wait_for("assword")
        self.answer(": ", text)

    @property
    def shown(self) -> Screen:
        return Screen(self.screen)

    def end(self, status: int = 0) -> list[str]:
        """Waits for the program's end, which leaves the terminal as it was; all lines that were shown."""
        assert self.wait_for_end() == status, self.screen
        assert termios.tcgetattr(self._fd) == self.modes
        return self.shown.lines


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
def relay(talker):
    """The shared server, over connections that can be cut."""
    between = Relay(talker.chat_address)
    yield between
    between.stop()


@pytest.fixture
def host(open_chat):
    """The only member of its group on the shared server."""
    client = open_chat(LineClient)
    client.create("host", PASSWORD)
    return client


@pytest.fixture
def open_terminal(home):
    terminals = []

    def open_for(server, *arguments: str, **variables: str) -> ChatTerminal:
        command = Kesher(home, server.chat_address).command("chat", *arguments)
        variables = {"TERM": "xterm", "USER": "tester", **variables}
        terminals.append(ChatTerminal(command, **variables))
        return terminals[-1]

    yield open_for
    for terminal in terminals:
        terminal.close()


@pytest.fixture
def member_at(open_terminal, host):
    """Someone at a terminal who has joined the host's group as kate, over that address."""

    def join(server, **variables: str) -> ChatTerminal:
        terminal = open_terminal(server, "join", str(host.group), "--as", "kate", **variables)
        terminal.answer_password(PASSWORD)
        terminal.wait_for(f"joined group {host.group}\n")
        terminal.wait_for("> ")
        return terminal

    return join


@pytest.fixture
def member(talker, member_at):
    return lambda **variables: member_at(talker, **variables)


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
