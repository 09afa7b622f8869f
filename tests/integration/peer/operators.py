"""What an operator does: `kesherd user …` and `kesherd group …`, and the control socket behind them by hand."""

import json
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .kesherd import environment, program, sanitizer_report

RUN_SECONDS = 60


@dataclass
class Outcome:
    """How a command ended."""

    status: int
    out: str
    err: str

    def lines(self) -> list[list[str]]:
        """The fields of its lines, as they come in a pipe."""
        return [line.split("\t") for line in self.out.splitlines()]

    def objects(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    def fields(self) -> dict[str, str]:
        """Of `user show`."""
        return dict(self.lines())


class Operator:
    """Commands on one data directory, or, without one, on what they find themselves."""

    def __init__(self, data: Path | None = None):
        self.data = data

    def command(self, noun: str, *words: str) -> list[str]:
        where = () if self.data is None else ("--data", str(self.data))
        return [str(program("KESHERD", "kesherd")), noun, *where, *words]

    def run(self, *words: str, **options) -> Outcome:
        done = subprocess.run(
            self.command(*words),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment(),
            timeout=RUN_SECONDS,
            check=False,
            **options,
        )
        outcome = Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert not sanitizer_report(outcome.err), outcome.err
        return outcome

    def succeed(self, *words: str, **options) -> Outcome:
        outcome = self.run(*words, **options)
        assert (outcome.status, outcome.err) == (0, ""), outcome
        return outcome

    def fail(self, *words: str, status: int = 1, **options) -> str:
        """The one line that says why."""
        outcome = self.run(*words, **options)
        assert (outcome.status, outcome.out) == (status, ""), outcome
        assert outcome.err.startswith("kesherd: ") and outcome.err.count("\n") == 1, outcome.err
        return outcome.err

    def users(self) -> dict[str, dict]:
        return {user["name"]: user for user in self.succeed("user", "list", "--json").objects()}


class ControlClient:
    """A connection to the control socket."""

    def __init__(self, data: Path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(RUN_SECONDS)
        self.socket.bind("")  # a name that the system chooses: it tells one client from another
        self.socket.connect(str(data / "control"))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        self.file.close()
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def receive_line(self) -> dict:
        return json.loads(self.file.readline())

    def receive_answer(self) -> list[dict]:
        """Every line of it, the last one included."""
        lines = [self.receive_line()]
        while "result" not in lines[-1]:
            lines.append(self.receive_line())
        return lines

    def ask(self, request: str) -> list[dict]:
        self.send(request + "\n")
        return self.receive_answer()
