"""Runs the server under test: starts it on a data directory, stops or kills it, looks at what it stored."""

import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from Cryptodome.Cipher import AES

from .messages import MessagesClient
from .secure import SecureClient

REPOSITORY = Path(__file__).resolve().parents[3]
START_SECONDS = 60
STOP_SECONDS = 60

_READY = re.compile(r"\bready\b.*\n")
_LISTENER = re.compile(r"(drop and messages|chat|ask|secure port|metrics) on \[?((?:\d+\.){3}\d+|[\da-f:]+)\]?:(\d+)")
_READ_AGAIN = re.compile(r"^.*the configuration (?:was read again|stays as it was).*\n", re.MULTILINE)
_SANITIZER = re.compile(r"(Address|Leak|Memory|Thread)Sanitizer|runtime error:")


def program(variable: str, name: str) -> Path:
    """The path of a program under test: from the environment, else from the default build directory."""
    return Path(os.environ.get(variable) or REPOSITORY / "build-test" / name)


def sanitizer_report(text: str) -> str:
    """The part of a log that starts with a sanitizer's complaint; empty when there is none."""
    found = _SANITIZER.search(text)
    return text[found.start() : found.start() + 8000] if found else ""


def environment() -> dict[str, str]:
    """The environment of programs under test: undefined behaviour ends them instead of only being logged."""
    return {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1", **os.environ}


class Kesherd:
    """One server on one data directory. Its log is kept in one file over all its lives."""

    def __init__(
        self,
        data: Path,
        *,
        workers: int = 2,
        log_level: str | None = "debug",
        also: tuple[str, ...] = (),
        host: str = "127.0.0.1",
        **options,
    ):
        """`also` names the services, chat, ask and secure, that listen besides drop and messages. `options` go to the
        configuration file, with `-` for `_` in their names; so may the log level, where it is None here."""
        self.data = data
        self.workers = workers
        self.host = host
        self.also = also
        self.log_level = log_level
        self.log_path = data.with_name(data.name + ".log")
        self.configuration = data.with_name(data.name + ".ini")
        self.address: tuple[str, int] | None = None
        self.port = 0  # for drop and messages at the next start; 0 is any
        self.chat_address: tuple[str, int] | None = None
        self.ask_address: tuple[str, int] | None = None
        self.secure_address: tuple[str, int] | None = None
        self.metrics_address: tuple[str, int] | None = None
        self.process: subprocess.Popen | None = None
        self.variables: dict[str, str] = {}  # more of the environment
        self.configure(**options)

    def configure(self, **options) -> None:
        """Takes effect at the next start, or reload."""
        lines = [f"{name.replace('_', '-')} = {value}\n" for name, value in options.items()]
        self.configuration.write_text("".join(lines))

    def command(self) -> list[str]:
        return [
            str(program("KESHERD", "kesherd")),
            "--data",
            str(self.data),
            "--listen",
            self._at_port(self.port),
            "--config",
            str(self.configuration),
            "--workers",
            str(self.workers),
            *(() if self.log_level is None else ("--log-level", self.log_level)),
            *self._other_listeners(),
        ]

    def _at_port(self, port: int) -> str:
        return f"[{self.host}]:{port}" if ":" in self.host else f"{self.host}:{port}"

    def _other_listeners(self) -> list[str]:
        return [
            part
            for service in ("chat", "ask", "secure")
            for part in (f"--{service}", self._at_port(0) if service in self.also else "off")
        ]

    def start(self) -> "Kesherd":
        start_of_log = self.begin()
        listeners = self._wait_until_ready(start_of_log)
        self.address = listeners.get("drop and messages")
        self.chat_address = listeners.get("chat")
        self.ask_address = listeners.get("ask")
        self.secure_address = listeners.get("secure port")
        self.metrics_address = listeners.get("metrics")
        return self

    def begin(self) -> int:
        """Starts, and waits for nothing; where the log of this life begins."""
        start_of_log = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment(), **self.variables},
            )
        return start_of_log

    def _wait_until_ready(self, start_of_log: int) -> dict[str, tuple[str, int]]:
        """The addresses of the services that listen, by the names that the log has for them."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            found = _READY.search(self.log(start_of_log))
            if found:
                return {name: (host, int(port)) for name, host, port in _LISTENER.findall(found[0])}
            if ended:
                break
            time.sleep(0.003)
        raise AssertionError(f"kesherd did not become ready, status {self.process.poll()}:\n{self.log(start_of_log)}")

    def reload(self, **options) -> str:
        """SIGHUP, with these options in the configuration file; what was logged when it was done or refused."""
        self.configure(**options)
        return self.read_again()

    def read_again(self) -> str:
        """SIGHUP alone."""
        start = self.log_path.stat().st_size
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + START_SECONDS
        while not (found := _READ_AGAIN.search(self.log(start))):
            assert self.is_running() and time.monotonic() < deadline, f"no reload:\n{self.log(start)}"
            time.sleep(0.01)
        return self.log(start)[: found.end()]

    def log(self, start: int = 0) -> str:
        """What the server logged from that byte on."""
        return self.log_path.read_bytes()[start:].decode(errors="replace")

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """SIGTERM; the server must end with 0, and no sanitizer may have complained in any of its lives."""
        if self.process is None:
            return
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            status = process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("kesherd did not end after SIGTERM") from None
        self.check_log()
        assert status == 0, f"exit status {status}; end of log:\n{self.log()[-4000:]}"

    def kill(self) -> None:
        """`kill -9`."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        self.process = None
        self.check_log()

    def check_log(self) -> None:
        log = self.log()
        report = sanitizer_report(log)
        assert not report, report
        assert "a fault of kesherd's" not in log  # a state machine that went a way that there is not

    def restart(self) -> "Kesherd":
        self.stop()
        return self.start()

    def restart_after_kill(self) -> "Kesherd":
        self.kill()
        return self.start()

    def connect(self, timeout: float = 30, **options) -> MessagesClient:
        """A connection that speaks both services, as their port does."""
        return MessagesClient(self.address, timeout, **options)

    def connect_secure(self, timeout: float = 30, **options) -> SecureClient:
        return SecureClient(self.secure_address, timeout, **options)

    def rows(self, statement: str, *values) -> list[tuple]:
        """Runs one query on the server's database, opened read-only."""
        database = sqlite3.connect(f"file:{self.data / 'kesher.db'}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(statement, values).fetchall()
        finally:
            database.close()

    def alias_of(self, client_id: bytes) -> bytes:
        """The public id of a user: AES-128 of the secret one, under a key in the database."""
        ((key,),) = self.rows("SELECT Value FROM settings WHERE Name = 'alias key'")
        return AES.new(key, AES.MODE_ECB).encrypt(client_id)

    def path_of(self, client_id: bytes, stored_name: str) -> str:
        """Where a file of a user lies, relative to the data directory."""
        return f"files/{self.alias_of(client_id).hex()}/{stored_name}"

    def directory_of(self, client_id: bytes) -> Path:
        return self.data / "files" / self.alias_of(client_id).hex()

    def file_rows(self, client_id: bytes) -> list[tuple[str, str, int]]:
        """(FileName, PathName, Verified) of one user, ordered by name."""
        return self.rows(
            "SELECT FileName, PathName, Verified FROM files WHERE ID = ? ORDER BY FileName", client_id
        )

    def stored(self, client_id: bytes, name: str) -> bytes:
        """The content of a verified file, found by its row."""
        ((path,),) = self.rows(
            "SELECT PathName FROM files WHERE ID = ? AND FileName = ? AND Verified = 1", client_id, name
        )
        return (self.data / path).read_bytes()

    def waiting_ids(self, client_id: bytes) -> list[int]:
        """Ids of the messages that are stored for one user."""
        return [
            row[0] for row in self.rows("SELECT ID FROM messages WHERE ToClient = ? ORDER BY ID", client_id)
        ]

    def staged_paths(self) -> list[Path]:
        return _files_below(self.data / "staging")

    def stored_paths(self) -> list[Path]:
        """While the server runs, what was removed or replaced goes soon, behind the answer: without it."""
        end = time.monotonic() + 60
        while True:
            paths = _files_below(self.data / "files")
            leaving = any(path.name.startswith("\\removed-") for path in paths)
            if not leaving or self.process is None or self.process.poll() is not None or time.monotonic() > end:
                return paths
            time.sleep(0.01)

    def unacknowledged_bytes(self, connection: MessagesClient) -> int:
        """What the server's system sent, or holds to be sent, on that connection, and the peer's has not taken."""
        host, port = connection.socket.getsockname()
        ends = f"{_proc_address(*self.address)} {_proc_address(host, port)} "
        for _ in range(20):  # while others come and go, the system may leave it out of its list, or have it there twice
            lines = [line for line in Path("/proc/net/tcp").read_text().splitlines() if ends in line]
            if lines:
                return int(lines[-1].split()[4].split(":")[0], 16)
        raise AssertionError("the server has no such connection")

    def resident_bytes(self) -> int:
        """The server's resident set size now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def _proc_address(host: str, port: int) -> str:
    """An address as /proc/net/tcp writes it."""
    (number,) = struct.unpack("=I", socket.inet_aton(host))
    return f"{number:08X}:{port:04X}"


def _files_below(directory: Path) -> list[Path]:
    found = []
    for folder, _, names in os.walk(directory):
        found += [Path(folder, name) for name in names]
    return sorted(found)


def open_descriptors(server: Kesherd) -> list[Path]:
    """The server hides its memory, and with it these, from all programs but root's: others skip the test."""
    try:
        return list(Path(f"/proc/{server.process.pid}/fd").iterdir())
    except PermissionError:
        pytest.skip("only root sees the descriptors of a program that hides its memory")


def open_files_of_users(server: Kesherd) -> list[Path]:
    """Those that it has open: a file that was put is summed when nobody else wants a core."""
    opened = []
    for descriptor in open_descriptors(server):
        with suppress(FileNotFoundError):  # one that has just been closed
            path = descriptor.readlink()
            if server.data / "files" in path.parents:
                opened.append(path)
    return opened
