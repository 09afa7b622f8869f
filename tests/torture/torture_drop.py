#!/usr/bin/python3
"""Kills the server with `kill -9` under upload load, and compares what is there with what was said.

One data directory lives through all rounds. Each worker is one thread with one user: it sends files in
pipelined batches and notes what it sent and what was acknowledged. After each kill the server is started
again, and for every file name the content must be the one acknowledged last, or one whose 1029 went out after
that; nothing else may be there, nothing may stay in staging, and every acknowledged registration must hold.

Usage: torture_drop.py [--rounds N] [--seed N] [--workers N] [--data DIR]
"""

import argparse
import hashlib
import random
import sys
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

from peer import crypto  # noqa: E402
from peer.drop import DropClient, User, file_frame, named_frame, stored_name  # noqa: E402
from peer.frames import NO_ID, Answer, ConnectionEnded, Request  # noqa: E402
from peer.kesherd import Kesherd  # noqa: E402

NAMES = ["a", "b", "folder/c", "שלום.txt", "n" * 254]
LONGEST_BATCH = 8
LONGEST_LIFE_SECONDS = 1.0


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class FileHistory:
    """What the server may hold under one name: what it acknowledged last, or anything sent since."""

    acknowledged: str | None = None
    sent: list[str] = field(default_factory=list)

    def acknowledge(self) -> None:
        self.acknowledged = self.sent.pop(0)

    def settle(self, found: str | None, where: str) -> None:
        """Checks what was found after a crash; from then on it is what must stay."""
        allowed = [self.acknowledged, *self.sent]
        assert found in allowed, f"{where}: found {found}, acknowledged {self.acknowledged}, sent {self.sent}"
        self.acknowledged, self.sent = found, []


class Worker:
    """One user that uploads until the server dies. Its history is for others once its thread has ended."""

    def __init__(self, user: User, chance: random.Random):
        self.user = user
        self.chance = chance
        self.history = {stored_name(name): FileHistory() for name in NAMES}
        self.acknowledgements = 0
        self.surprise: BaseException | None = None

    def run(self, server: Kesherd) -> None:
        try:
            with server.connect() as client:
                self._introduce(client)
                while True:
                    self._send_batch(client)
        except (ConnectionEnded, ConnectionError):
            pass  # the kill
        except BaseException as surprise:  # kept for the main thread, which reports it
            self.surprise = surprise

    def _introduce(self, client: DropClient) -> None:
        if self.user.id == NO_ID:
            self.user.name += (
                "'"  # the last one may have been registered by a request that was never answered
            )
            client.register_for_messages(self.user)
        client.reconnect(self.user)

    def _send_batch(self, client: DropClient) -> None:
        batch = [
            (self.chance.choice(NAMES), self._content()) for _ in range(self.chance.randint(1, LONGEST_BATCH))
        ]
        frames = []
        for name, plain in batch:
            frames += [
                file_frame(self.user.id, name, self.user.encrypt(plain)),
                named_frame(self.user.id, Request.CRC_OK, name),
            ]
            self.history[stored_name(name)].sent.append(digest(plain))
        sender = threading.Thread(target=client.send_as_far_as_taken, args=(b"".join(frames),))
        sender.start()
        try:
            self._take_answers(client, batch)
        finally:
            sender.join()

    def _take_answers(self, client: DropClient, batch: list[tuple[str, bytes]]) -> None:
        for name, plain in batch:
            received = client.expect(Answer.FILE_RECEIVED).payload
            assert int.from_bytes(received[-4:], "little") == crypto.cksum(plain), "a wrong sum"
            client.expect(Answer.THANKS)
            self.history[stored_name(name)].acknowledge()
            self.acknowledgements += 1

    def _content(self) -> bytes:
        size = self.chance.choice([0, 1, 16, 1000, 10_000, 65_536, 300_000, 2_000_000])
        return self.chance.randbytes(size)

    def check(self, server: Kesherd) -> None:
        if self.surprise:
            raise self.surprise
        found = {
            Path(path).name: digest((server.data / path).read_bytes())
            for _, path, verified in server.file_rows(self.user.id)
            if verified
        }
        for name, history in self.history.items():
            history.settle(found.pop(name, None), f"{self.user.name}, file {name}")
        assert not found, f"{self.user.name}: files that were never sent: {found}"


def check_server(server: Kesherd, workers: list[Worker]) -> None:
    """Everything that holds after a restart, whatever was under way when the server died."""
    assert server.rows("PRAGMA integrity_check") == [("ok",)]
    assert server.staged_paths() == [], "staged files are left"
    registered = dict(server.rows("SELECT Name, ID FROM clients"))
    for worker in workers:
        if worker.user.id != NO_ID:
            assert registered.get(worker.user.name) == worker.user.id, f"{worker.user.name} is forgotten"
        worker.check(server)
    rows = server.rows("SELECT PathName FROM files WHERE Verified = 1")
    assert (
        sorted(server.data / path for path, in rows) == server.stored_paths()
    ), "files and rows do not match"


def new_worker(number: int, chance: random.Random, private_key) -> Worker:
    return Worker(User(f"worker {number}", private_key), random.Random(chance.random()))


def acknowledgements(workers: list[Worker]) -> int:
    return sum(worker.acknowledgements for worker in workers)


def run_until_killed(
    server: Kesherd, workers: list[Worker], chance: random.Random, after_an_acknowledgement: bool
) -> None:
    """One life of the server, of a length by chance; it goes on until one of these workers has, over all lives, had
    something acknowledged, if that is asked for."""
    threads = [threading.Thread(target=worker.run, args=(server,)) for worker in workers]
    for thread in threads:
        thread.start()
    never = threading.Event()
    never.wait(chance.uniform(0, LONGEST_LIFE_SECONDS))
    while after_an_acknowledgement and acknowledgements(workers) == 0 and any(map(threading.Thread.is_alive, threads)):
        never.wait(0.01)
    server.kill()
    for thread in threads:
        thread.join()


def torture(data: Path, *, rounds: int, seed: int, workers: int) -> int:
    """Runs all rounds; returns how many files were acknowledged. AssertionError says what went wrong."""
    chance, private_key = random.Random(seed), crypto.new_private_key()
    server = Kesherd(data, log_level="info").start()
    team = [new_worker(number, chance, private_key) for number in range(workers)]
    for round_number in range(rounds):
        team.append(new_worker(len(team), chance, private_key))
        # On a machine that has more to do, lives may be too short for anything: the last one is then not.
        is_last = round_number == rounds - 1 and acknowledgements(team) == 0
        run_until_killed(server, chance.sample(team, min(len(team), workers)), chance, is_last)
        server.start()
        try:
            check_server(server, team)
        except AssertionError as problem:
            server.kill()
            raise AssertionError(f"round {round_number} of seed {seed}: {problem}") from problem
    server.stop()
    return acknowledgements(team)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--data", type=Path, help="a directory that is kept; by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data = options.data or Path(temporary, "data")
        print(f"{options.rounds} rounds, seed {options.seed}, data in {data}")
        acknowledged = torture(data, rounds=options.rounds, seed=options.seed, workers=options.workers)
    print(f"nothing lost: {acknowledged} files were acknowledged in {options.rounds} lives")
    return 0


if __name__ == "__main__":
    sys.exit(main())
