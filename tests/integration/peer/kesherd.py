"""Runs the server under test: starts it on a data directory, stops or kills it, looks at what it stored."""

import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from .drop import DropClient

REPOSITORY = Path(__file__).resolve().parents[3]
START_SECONDS = 60
STOP_SECONDS = 60

_READY = re.compile(r"\bready\b.*?((?:\d+\.){3}\d+):(\d+)")
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

    def __init__(self, data: Path, *, workers: int = 2, log_level: str = "debug", **options):
        """`options` go to the configuration file, with `-` for `_` in their names."""
        self.data = data
        self.workers = workers
        self.log_level = log_level
        self.log_path = data.with_name(data.name + ".log")
        self.configuration = data.with_name(data.name + ".ini")
        self.address: tuple[str, int] | None = None
        self.process: subprocess.Popen | None = None
        self.configure(**options)

    def configure(self, **options) -> None:
        """Takes effect at the next start."""
        lines = [f"{name.replace('_', '-')} = {value}\n" for name, value in options.items()]
        self.configuration.write_text("".join(lines))

    def command(self) -> list[str]:
        return [
            str(program("KESHERD", "kesherd")),
            "--data",
            str(self.data),
            "--listen",
            "127.0.0.1:0",
            "--config",
            str(self.configuration),
            "--workers",
            str(self.workers),
            "--log-level",
            self.log_level,
            *_other_listeners_off(),
        ]

    def start(self) -> "Kesherd":
        start_of_log = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        self.address = self._wait_until_ready(start_of_log)
        return self

    def _wait_until_ready(self, start_of_log: int) -> tuple[str, int]:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            found = _READY.search(self.log(start_of_log))
            if found:
                return found[1], int(found[2])
            if ended:
                break
            time.sleep(0.01)
        raise AssertionError(f"kesherd did not become ready:\n{self.log(start_of_log)}")

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
        report = sanitizer_report(self.log())
        assert not report, report

    def restart(self) -> "Kesherd":
        self.stop()
        return self.start()

    def restart_after_kill(self) -> "Kesherd":
        self.kill()
        return self.start()

    def connect(self, timeout: float = 30) -> DropClient:
        return DropClient(self.address, timeout)

    def rows(self, statement: str, *values) -> list[tuple]:
        """Runs one query on the server's database, opened read-only."""
        database = sqlite3.connect(f"file:{self.data / 'kesher.db'}?mode=ro", uri=True, timeout=30)
        try:
            return database.execute(statement, values).fetchall()
        finally:
            database.close()

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

    def staged_paths(self) -> list[Path]:
        return _files_below(self.data / "staging")

    def stored_paths(self) -> list[Path]:
        return _files_below(self.data / "files")

    def resident_bytes(self) -> int:
        """The server's resident set size now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


def _files_below(directory: Path) -> list[Path]:
    found = []
    for folder, _, names in os.walk(directory):
        found += [Path(folder, name) for name in names]
    return sorted(found)


_help_text: str | None = None


def _other_listeners_off() -> list[str]:
    """Options that switch off the services that are not under test, where this server knows them."""
    global _help_text
    if _help_text is None:
        run = subprocess.run(
            [program("KESHERD", "kesherd"), "--help"],
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            env=environment(),
        )
        _help_text = run.stdout + run.stderr
    return [part for option in ("--chat", "--ask") if option in _help_text for part in (option, "off")]
