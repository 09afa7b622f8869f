"""Runs the client under test, and writes and reads the classic files of its home."""

import json
import os
import stat
import subprocess
import time
from base64 import b64decode, b64encode
from dataclasses import dataclass
from pathlib import Path

from Cryptodome.PublicKey import RSA

from . import crypto
from .drop import User
from .kesherd import Kesherd, environment, program, sanitizer_report

RUN_SECONDS = 60


@dataclass
class Outcome:
    status: int
    stdout: str
    stderr: str

    @property
    def text(self) -> str:
        return self.stdout + self.stderr

    def objects(self) -> list[dict]:
        """What `--json` printed: one document, or one for each line."""
        try:
            whole = json.loads(self.stdout)
            return whole if isinstance(whole, list) else [whole]
        except json.JSONDecodeError:
            return [json.loads(line) for line in self.stdout.splitlines() if line.strip()]

    def told(self) -> list[dict]:
        """What `--json` printed on standard error: an object in each line."""
        return [json.loads(line) for line in self.stderr.splitlines()]


class Kesher:
    """The client with one home; with an address, every run names it by --server."""

    def __init__(self, home: Path, address: tuple[str, int] | None = None):
        self.home = home
        self.address = address

    def command(self, *arguments: str | Path) -> list[str]:
        server = ["--server", f"{self.address[0]}:{self.address[1]}"] if self.address else []
        return [str(program("KESHER", "kesher")), "--home", str(self.home), *server, *map(str, arguments)]

    def start(self, *arguments: str | Path, **options) -> subprocess.Popen:
        return subprocess.Popen(
            self.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
            **options,
        )

    def run(self, *arguments: str | Path, input: bytes | None = b"", **options) -> Outcome:
        """Runs the client to its end; with None as `input`, `stdin` may be given."""
        run = subprocess.run(
            self.command(*arguments),
            input=input,
            capture_output=True,
            timeout=RUN_SECONDS,
            env=environment(),
            **options,
        )
        return outcome(run.returncode, run.stdout, run.stderr)

    def succeed(self, *arguments: str | Path, **options) -> Outcome:
        result = self.run(*arguments, **options)
        assert result.status == 0, result
        return result

    def fail(self, *arguments: str | Path, **options) -> Outcome:
        """Exit status 1, nothing on standard output, something on standard error."""
        result = self.run(*arguments, **options)
        assert result.status == 1, result
        assert result.stdout == "" and result.stderr.strip(), result
        return result


def outcome(status: int, stdout: bytes, stderr: bytes) -> Outcome:
    result = Outcome(status, stdout.decode(errors="replace"), stderr.decode(errors="replace"))
    assert not sanitizer_report(result.stderr), result.stderr
    assert status in (0, 1, 2), result
    return result


def base64_of(key: RSA.RsaKey) -> str:
    return b64encode(crypto.private_key_der(key)).decode()


def outcome_of(run: subprocess.Popen) -> Outcome:
    """Waits for the end of what `start` began."""
    stdout, stderr = run.communicate(timeout=RUN_SECONDS)
    return outcome(run.returncode, stdout, stderr)


def wait_for_staged_bytes(server: Kesherd, run: subprocess.Popen) -> None:
    """Until the server has some of what this run uploads."""
    while run.poll() is None and not any(path.stat().st_size for path in server.staged_paths()):
        time.sleep(0.01)
    assert run.poll() is None, "the upload ended before it could be disturbed"


def write_secret(path: Path, content: bytes | str) -> None:
    """A file of a home that nobody but its owner can read, which kesher insists on."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)


def write_identity(home: Path, user: User, file_name: str = "me.info") -> None:
    """Writes what a registered user's home holds, plainly: name, id and key in one file, for its owner only."""
    write_secret(home / file_name, f"{user.name}\n{user.id.hex()}\n{base64_of(user.private_key)}\n")


def write_server_info(home: Path, address: tuple[str, int]) -> None:
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / "server.info").write_text(f"{address[0]}:{address[1]}\n")


def write_transfer_info(home: Path, address: tuple[str, int], name: str, path: str | Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    (home / "transfer.info").write_text(f"{address[0]}:{address[1]}\n{name}\n{path}\n")


def read_identity(home: Path) -> User:
    """Reads me.info and priv.key and insists on the exact form in which kesher writes them."""
    name, hexadecimal, key = exact_lines(home / "me.info", 3)
    assert hexadecimal == hexadecimal.lower() and len(hexadecimal) == 32
    (alone,) = exact_lines(home / "priv.key", 1)
    assert alone == key
    return User(name, crypto.private_key(b64decode(key, validate=True)), bytes.fromhex(hexadecimal))


def exact_lines(path: Path, count: int) -> list[str]:
    """That many lines, each ended by LF, in a file of mode 0600."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600, oct(path.stat().st_mode)
    *lines, after = path.read_bytes().decode().split("\n")
    assert (len(lines), after) == (count, ""), lines
    return lines


def identity_backups(home: Path) -> list[str]:
    """Names of identity files that kesher put aside."""
    return [name for name in sorted(os.listdir(home)) if "me.info" in name and name != "me.info"]
