"""A directory for one run, and the programs that run in it.

Everything lies below one temporary directory on the disk that is meant, and every program that was started is
stopped by its process id when the workspace is closed, whatever the reason: the end, an error, Ctrl-C.
"""

import ctypes
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

WANTED_FILES = 65536  # open at a time, of one process
WANTED_CONNECTIONS = 30000
STOP_SECONDS = 30
LARGE_BYTES = 64 << 20  # more is not kept until the end
CLIENT_SECONDS = 900
_TICKS = os.sysconf("SC_CLK_TCK")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class Failed(Exception):
    """A program did not do what it should; the text says which and what."""


@dataclass
class Outcome:
    """What a client did: its wall clock, CPU seconds of it and its children, and its standard output."""

    seconds: float
    cpu_seconds: float
    output: str


@dataclass
class Process:
    """A server that runs."""

    name: str
    popen: subprocess.Popen
    log: Path

    @property
    def pid(self):
        return self.popen.pid

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def has_ended(self):
        return self.popen.poll() is not None


def connection_limit():
    """How many connections a process may have here, beside what else it has open."""
    return min(WANTED_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)


def load_limit():
    """How many of them a load takes: servers and generators have a few connections besides."""
    return connection_limit() * 9 // 10


def raise_limits():
    """As many open files as the system lets us have: each connection is one, on either side."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((max(hard, WANTED_FILES),) * 2, (hard, hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            return
        except (ValueError, OSError):
            continue


def _die_with_parent():
    """Runs in the child: should this program be killed outright, its servers end too."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _yield_session(pid):
    """Gives the session of a process the least priority, where the kernel schedules whole sessions (sched(7)).

    There, `nice` only counts within a session; between them, a busy loop in one of its own would get half of a core.
    """
    file = Path(f"/proc/{pid}/autogroup")
    while file.exists():
        try:
            file.write_text("19")
            return
        except BlockingIOError:  # only once in a tenth of a second, for those who are not root
            time.sleep(0.1)


def _group_of(user):
    return pwd.getpwnam(user).pw_gid if user else None


def _stat_fields():
    """pid -> (parent, its ticks, those of its children that it has waited for)."""
    processes = {}
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            text = Path(entry.path, "stat").read_text()
        except OSError:
            continue  # it has just ended
        fields = text[text.rindex(")") + 2 :].split()
        own, ended = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
        processes[int(entry.name)] = (int(fields[1]), own, ended)
    return processes


def _precise_seconds(pid):
    """CPU time of the threads that a process has now, in nanoseconds where ticks are of 10 ms."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            total += int(path.read_text().split()[0])
        except (OSError, IndexError):
            continue  # it has just ended
    return total / 1e9


def family(root):
    """The process and all its descendants."""
    processes = _stat_fields()
    members, found = set(), {root} & processes.keys()
    while found:
        members |= found
        found = {pid for pid, (parent, _, _) in processes.items() if parent in found} - members
    return members


def cpu_seconds(root):
    """CPU time of a process, its descendants, and those of them that ended and were waited for."""
    processes = _stat_fields()
    total = 0.0
    for pid in family(root) & processes.keys():
        _, own, ended = processes[pid]
        total += max(own / _TICKS, _precise_seconds(pid)) + ended / _TICKS
    return total


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_program(name):
    """The path of an installed program; servers are often not in the PATH of people."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise Failed(f"{name} is not installed")
    return path


class Workspace:
    def __init__(self, parent, build, repository):
        parent.mkdir(parents=True, exist_ok=True)
        self.path = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
        self.path.chmod(0o711)  # PostgreSQL runs as a user of its own
        self.build = build
        self.repository = repository
        self.processes = []
        self.commands = []  # of the measurement under way, as people would type them

    def directory(self, name):
        """A new, empty directory."""
        path = self.path / name
        self.discard(path)
        path.mkdir(mode=0o700, parents=True)  # kesher takes no home that a group may write to
        return path

    def discard(self, path):
        """Takes away what a measurement has left: what is large at once, files that are many only at the end.

        An ext4 without a journal passes over inodes that were deleted in the last minutes, one by one, whenever
        it looks for a free one. A thousand files of one contender that are deleted would make the next thousand,
        whoever writes them, several times as slow.
        """
        if not path.exists():
            return
        if sum(file.lstat().st_size for file in path.rglob("*")) > LARGE_BYTES:
            shutil.rmtree(path, ignore_errors=True)
            return
        trash = self.path / "trash"
        trash.mkdir(exist_ok=True)
        path.rename(tempfile.mkdtemp(dir=trash) + "/discarded")

    def shown(self, command):
        """A command for people: nothing in it that is only true of this machine."""
        words = [str(word) for word in command]
        text = " ".join(f"'{word}'" if any(c in word for c in " ;|&*$") or not word else word for word in words)
        return self.without_paths(text)

    def without_paths(self, text):
        for path, name in ((self.path, "WORK"), (self.build, "build"), (self.repository, ".")):
            text = text.replace(str(path), name)
        for folder in ("/usr/bin/", "/usr/sbin/"):
            text = text.replace(f" {folder}", " ").removeprefix(folder)
        return text

    # ---- servers ----

    def start(self, name, command, *, cpus=None, user=None):
        """Starts a server; its output goes to a log."""
        log = self.path / f"{name}.log"
        command = [str(word) for word in command]
        self.commands.append(self.shown(command))
        with log.open("wb") as output:
            popen = subprocess.Popen(
                pinned(command, cpus),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.path,
                user=user,
                group=_group_of(user),
                extra_groups=[] if user else None,
                start_new_session=True,  # Ctrl-C is for us; we stop it
                preexec_fn=_die_with_parent,
            )
        process = Process(name, popen, log)
        self.processes.append(process)
        return process

    def wait_for_port(self, process, port, seconds=30):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if process.has_ended():
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{process.name} did not start: {self.last_words(process)}")

    def last_words(self, process):
        lines = [line for line in process.log_text().splitlines() if line.strip()]
        return self.without_paths(lines[-1])[:300] if lines else "it said nothing"

    def stop(self, process, signal_number=signal.SIGTERM):
        if process not in self.processes:
            return
        self.processes.remove(process)
        if not process.has_ended():
            process.popen.send_signal(signal_number)
        try:
            process.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.popen.kill()
            process.popen.wait()

    def start_neighbours(self):
        """A busy loop on every core, with the least priority, until the workspace is closed."""
        for cpu in sorted(os.sched_getaffinity(0)):
            loop = [sys.executable, "-c", "while True: pass"]
            _yield_session(self.start(f"neighbour-{cpu}", ["nice", "-n", "19", *loop], cpus=[cpu]).pid)

    # ---- clients ----

    def run(self, command, *, cpus=None, text=None, user=None, is_told=True):
        """Runs a client to its end. It failing is ours. Commands that are not told are no part of the work."""
        command = [str(word) for word in command]
        if is_told:
            self.commands.append(self.shown(command))
        with tempfile.TemporaryFile(dir=self.path) as output, tempfile.TemporaryFile(dir=self.path) as errors:
            start = time.monotonic()
            popen = subprocess.Popen(
                pinned(command, cpus),
                stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
                stdout=output,
                stderr=errors,
                cwd=self.path,
                user=user,
                group=_group_of(user),
                extra_groups=[] if user else None,
                preexec_fn=_die_with_parent,
            )
            process = Process(Path(command[0]).name, popen, self.path / "none")
            self.processes.append(process)
            try:
                usage = _wait(popen, text)
            except BaseException:
                self.stop(process, signal.SIGKILL)
                raise
            seconds = time.monotonic() - start
            self.processes.remove(process)
            output.seek(0)
            errors.seek(0)
            said = errors.read().decode(errors="replace").strip()
            if popen.returncode != 0:
                why = self.without_paths(said.splitlines()[-1])[:300] if said else "it said nothing"
                raise Failed(f"{process.name} ended with status {popen.returncode}: {why}")
            return Outcome(seconds, usage.ru_utime + usage.ru_stime, output.read().decode(errors="replace"))

    def close(self):
        """Ends what still runs, and removes the directory."""
        while self.processes:
            self.stop(self.processes[-1])
        shutil.rmtree(self.path, ignore_errors=True)


def _wait(popen, text):
    """Writes `text` to the client, waits for it, and returns what it used."""
    if text is not None:
        try:
            popen.stdin.write(text.encode())
            popen.stdin.close()
        except BrokenPipeError:
            pass  # its exit status tells why
    signal.alarm(CLIENT_SECONDS)
    try:
        _, status, usage = os.wait4(popen.pid, 0)
    finally:
        signal.alarm(0)
    popen.returncode = os.waitstatus_to_exitcode(status)
    return usage


def pinned(command, cpus):
    """The command, on these cores only; None for wherever the system puts it."""
    if cpus is None:
        return command
    return ["taskset", "--cpu-list", ",".join(str(cpu) for cpu in cpus), *command]


def own_cores():
    """Two disjoint lists of cores, for a server and for what loads it; the same one where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    half = max(1, len(cores) // 2)
    return cores[:half], cores[half:] or cores
