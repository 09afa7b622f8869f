"""A server that runs out of descriptors, and what it does meanwhile: who is there, who waits, how busy it is."""

import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from peer.conversation import wait_until
from peer.frames import NO_ID, Answer, request
from peer.kesherd import Kesherd, open_descriptors, open_files_of_users
from peer.messages import MessagesClient

WATCH_SECONDS = 2
UNKNOWN_CODE = 777

Clients = list[MessagesClient]


class LimitedKesherd(Kesherd):
    """Started with a limit of open files, soft and hard."""

    def __init__(self, data: Path, *, soft: int, hard: int, **options):
        self.limit = f"{soft}:{hard}"
        super().__init__(data, **options)

    def command(self) -> list[str]:
        return ["prlimit", f"--nofile={self.limit}", *super().command()]


def descriptor_limits(server: Kesherd) -> tuple[int, int]:
    """The soft and the hard one that it has now."""
    return resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)


def open_numbers(server: Kesherd) -> list[int]:
    return sorted(int(path.name) for path in open_descriptors(server))


def has_summed_files(server: Kesherd) -> bool:
    """It does not come to open a file, or close one, that nobody has asked for."""
    return server.rows("SELECT count(*) FROM files WHERE SHA256 IS NULL") == [(0,)] and not open_files_of_users(server)


def take_away_descriptors(server: Kesherd) -> None:
    """From now on it gets no descriptor whose number is higher than those that it has."""
    wait_until(lambda: has_summed_files(server), "the SHA-256 of all files")
    set_soft_limit(server, open_numbers(server)[-1] + 1)


def give_back_descriptors(server: Kesherd) -> None:
    set_soft_limit(server, descriptor_limits(server)[1])


def set_soft_limit(server: Kesherd, limit: int) -> None:
    _, hard = descriptor_limits(server)
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (min(limit, hard), hard))


def ask(client: MessagesClient) -> None:
    """Asks for something that every server answers with an error."""
    client.send(request(NO_ID, UNKNOWN_CODE))


def expect_answer(client: MessagesClient) -> None:
    assert client.receive().code == Answer.MESSAGES_ERROR


def is_answered(client: MessagesClient) -> bool:
    """Whether the answer is there now."""
    return not client.is_silent_for(0)


def fill_up(server: Kesherd) -> list[MessagesClient]:
    """Connects until the server has no descriptor left, and takes nobody any more."""
    limit, _ = descriptor_limits(server)
    clients = []
    while len(open_numbers(server)) < limit:
        clients.append(server.connect())
        ask(clients[-1])
        expect_answer(clients[-1])
    return clients


@dataclass
class Work:
    """What a process has used so far."""

    ticks: int  # of its processor time, all threads
    switches: int  # voluntary context switches, all threads

    def __sub__(self, before: "Work") -> "Work":
        return Work(self.ticks - before.ticks, self.switches - before.switches)


def work_of(server: Kesherd) -> Work:
    place = Path(f"/proc/{server.process.pid}")
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    switches = 0
    for thread in (place / "task").iterdir():
        status = (thread / "status").read_text()
        switches += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)$", status, re.M)[1])
    return Work(int(fields[11]) + int(fields[12]), switches)


def work_while_watched(server: Kesherd) -> Work:
    before = work_of(server)
    time.sleep(WATCH_SECONDS)
    return work_of(server) - before


def complaints(server: Kesherd) -> int:
    return server.log().count("cannot accept connections for the moment: Too many open files")


@contextmanager
def out_of_descriptors(server: Kesherd, strangers: int) -> Iterator[tuple[Clients, Clients]]:
    """While it lasts, the server has none left: those who took the last ones, and those who wait, unheard."""
    take_away_descriptors(server)
    inside = fill_up(server)
    waiting = [server.connect() for _ in range(strangers)]
    for client in waiting:
        ask(client)
    try:
        wait_until(lambda: complaints(server) > 0, "the log's word about it")
        assert not any(is_answered(client) for client in waiting)
        yield inside, waiting
    finally:
        give_back_descriptors(server)
        for client in inside + waiting:
            client.close()
