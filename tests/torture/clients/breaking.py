"""Runs the released client under breaker.c, and plans what can be broken of a run."""

import errno
import os
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from peer.kesherd import environment
from powerloss.server import build_directory

FOLDER = Path("tests", "torture", "clients")
RUN_SECONDS = 100  # breaking may make it wait, but not longer than its own limits, which the command line sets
CANNOT_RUN = 125  # the breaker itself failed

# They say nothing to anybody outside of the process, so a kill behind one is a kill behind the call before.
SILENT = frozenset(
    "access brk clock_nanosleep close exit_group faccessat faccessat2 fadvise64 fcntl fstat fstatfs futex "
    "getpeername getpid getrandom getsockname getsockopt gettid ioctl lseek lstat madvise mmap mprotect mremap munmap "
    "newfstatat poll ppoll prctl readlink readlinkat rt_sigaction rt_sigprocmask setsockopt stat statx uname".split()
)

FAULTS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("brk", "mmap", "mremap", "memfd_create"), ("fail:12",)),
    **dict.fromkeys(("read", "pread64", "getrandom"), ("fail:5", "fail:4", "short")),
    **dict.fromkeys(("write", "pwrite64"), ("fail:5", "fail:28", "fail-on:28", "fail:4", "short")),
    **dict.fromkeys(
        ("rename", "renameat", "renameat2", "unlink", "unlinkat", "linkat", "mkdir", "mkdirat", "ftruncate"),
        ("fail:5", "fail:28", "fail-on:30"),
    ),
    **dict.fromkeys(("fsync", "fdatasync", "syncfs"), ("fail:5", "fail-on:28")),
    **dict.fromkeys(("open", "openat"), ("fail:24", "fail-on:24", "fail:5", "fail:13", "fail:28", "fail:4")),
    **dict.fromkeys(("sendto", "sendmsg"), ("fail:104", "fail:32", "fail:4", "fail:105", "short")),
    **dict.fromkeys(("recvfrom", "recvmsg"), ("fail:104", "fail:110", "fail:4", "short")),
    **dict.fromkeys(("poll", "ppoll"), ("fail:4", "fail:12")),
    "connect": ("fail:111", "fail:110", "fail:4", "fail-on:111"),
    "socket": ("fail:24", "fail-on:24", "fail:105"),
    "fallocate": ("fail:28", "fail:95", "fail:4", "fail-on:28"),
    "flock": ("fail:4", "fail:37", "fail:11"),
    "close": ("fail:5", "fail:4"),
    "getdents64": ("fail:5", "fail:12"),
    **dict.fromkeys(("fstat", "newfstatat", "fchmod", "faccessat", "faccessat2", "lseek"), ("fail:5", "fail:13")),
    "setsockopt": ("fail:105",),
    "getsockopt": ("fail:105",),
}


def breaker_program() -> Path:
    return build_directory() / FOLDER / "breaker"


def client_program() -> Path:
    """$KESHER_RELEASE, for a client of another build, else the one that is built with the tests."""
    return Path(os.environ.get("KESHER_RELEASE") or build_directory() / FOLDER / "kesher-release")


def why_not() -> str:
    """Why no client can be broken here; empty when one can be."""
    if not breaker_program().exists() or not client_program().exists():
        return "the breaker and the released client are not built here (x86-64 only)"
    command = [breaker_program(), os.devnull, "-", "kill", client_program(), "--version"]
    probe = subprocess.run(command, capture_output=True)
    return "" if probe.returncode == 0 else "this system allows no ptrace"


@dataclass(frozen=True)
class Break:
    """What is broken: the call, as `openat:17`, and how, as breaker.c has it."""

    call: str = "-"
    action: str = "kill"

    def __str__(self) -> str:
        kind, _, number = self.action.partition(":")
        return f"{self.call} {kind}{' ' + errno.errorcode[int(number)] if number else ''}"


@dataclass
class Ended:
    """A run of the client, broken or not."""

    broken: Break
    status: int  # -9 when it was killed
    stdout: str
    stderr: str
    calls: list[str]

    @property
    def was_killed(self) -> bool:
        return self.status < 0

    @property
    def said_done(self) -> bool:
        return self.status == 0

    def problems(self) -> list[str]:
        """What is wrong with how it ended, whatever it did."""
        told = f"{self.broken}; {self.stderr[-500:]!r}"
        if self.was_killed:
            was_meant = self.broken.action == "kill" and self.status == -9
            return [] if was_meant else [f"crash: signal {-self.status}, {told}"]
        if self.status not in (0, 1):
            return [f"wrong exit status: {self.status}, {told}"]
        lines = self.stderr.splitlines()
        if self.status == 1 and not lines and not self.broken.call.startswith("write"):  # it could not say anything
            return [f"silent failure: no word, {told}"]
        odd = [line for line in lines if not line.isprintable()]
        if self.status == 1 and lines and not lines[-1].startswith(("kesher: ", '{"error": ')):
            odd.append(lines[-1])
        return [f"odd words: {odd[0]!r}, {told}"] if odd else []


def run(
    broken: Break, arguments: list[str], log: Path, *, input: bytes = b"", variables: dict[str, str] | None = None
) -> Ended:
    """The client with these arguments to its end."""
    command = [breaker_program(), log, broken.call, broken.action, client_program(), *arguments]
    done = subprocess.run(
        list(map(str, command)),
        input=input,
        capture_output=True,
        timeout=RUN_SECONDS,
        env={**environment(), **(variables or {})},
        cwd=log.parent,
    )
    assert done.returncode != CANNOT_RUN, done.stderr
    *calls, end = log.read_text().splitlines()
    log.unlink()
    word, number = end.split()
    return Ended(
        broken,
        -int(number) if word == "died" else int(number),
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
        calls,
    )


def _numbered(calls: list[str]) -> list[tuple[str, str, int]]:
    """(name, line, how many of this name so far)"""
    counts: Counter = Counter()
    numbered = []
    for line in calls:
        name = line.partition(" ")[0]
        counts[name] += 1
        numbered.append((name, line, counts[name]))
    return numbered


def kills(calls: list[str]) -> list[Break]:
    """A kill behind each call that somebody outside of the process may notice."""
    return [
        Break(f"{name}:{number}")
        for name, line, number in _numbered(calls)
        if name not in SILENT and not _only_looks(name, line)
    ]


def kills_between(calls: list[str]) -> list[Break]:
    """Kills where the recorder has entered all that was changed before."""
    names = ("close", "fsync", "fdatasync", "flock", "getdents64", "poll", "pread64", "recvfrom", "sendto")
    return [Break(f"{name}:{number}") for name, _, number in _numbered(calls) if name in names]


def _only_looks(name: str, line: str) -> bool:
    """It opens or reads what stays as it is."""
    if name in ("open", "openat"):
        return not int(line.split()[2]) & (os.O_CREAT | os.O_TRUNC)
    return name in ("read", "pread64", "getdents64", "dup", "socket", "call-318")


def failures(calls: list[str]) -> list[Break]:
    """Each call failing in each of the ways that there are for it."""
    return [
        Break(f"{name}:{number}", action)
        for name, line, number in _numbered(calls)
        for action in FAULTS.get(name, ())
    ]
