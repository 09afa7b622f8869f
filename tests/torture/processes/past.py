"""A server that lives many times on one data directory, and what it owes from all its lives.

What clients note while it lives (powerloss/clients.py) is what they were answered: a killed process keeps what the
system has of it, so an answer counts from the moment at which a client has read it.
"""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from harness.campaign import Trial
from peer.drop import Refused, User
from peer.frames import ConnectionEnded
from peer.secure import Refused as RefusedRequest
from peer.tls import TlsFailed
from powerloss.ledger import Found, Label, Ledger
from powerloss.clients import Run
from powerloss.keys import KEY
from powerloss.own_files import use_own_files
from powerloss.server import CountingClient, FullServer, look, use

CLIENT_SECONDS = 120  # nothing takes so long; a guard against hanging
END_SECONDS = 200


class Victim(FullServer):
    """The server that suffers."""

    def __init__(self, folder: Path, **settings):
        super().__init__(folder / "server", workers=2, **settings)
        self.log_level = "info"
        self.start_seconds = 0.05  # what its last start took

    def start(self) -> "Victim":
        began = time.monotonic()
        super().start()
        self.start_seconds = time.monotonic() - began
        return self

    def connect(self, timeout: float = CLIENT_SECONDS, **options) -> CountingClient:
        return super().connect(timeout, **options)

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)


class Clients:
    """Something that clients do, in a thread; until `may_fail` is set, whatever goes wrong is a problem."""

    def __init__(self, trial: Trial, act: Callable[[], None]):
        self.trial = trial
        self.may_fail = threading.Event()
        self._act = act
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._act()
        except (ConnectionEnded, Refused, RefusedRequest, TlsFailed, OSError) as failure:
            if not self.may_fail.is_set():
                self.trial.problem(f"client failed: {type(failure).__name__} {failure}, and nothing was wrong")
        except Exception as failure:
            self.trial.problem(f"client surprised: {type(failure).__name__} {failure}")

    def is_busy(self) -> bool:
        return self._thread.is_alive()

    def join(self) -> None:
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            self.trial.problem("client hangs: its server is gone or idle, and it still waits")


class Past:
    """All lives of one server so far."""

    def __init__(self, trial: Trial, server: Victim, *, may_be_refused: bool = False):
        self.trial = trial
        self.server = server
        self.may_be_refused = may_be_refused
        self.ledger = Ledger()
        self.refused: set[Label] = set()  # messages that were answered, and are not owed
        self.life = 0

    def new_run(self) -> Run:
        """One life more, for those who are known."""
        self.life += 1
        users = [
            User(name, KEY, client_id)
            for name, (client_id, has_key) in self.ledger.users.items()
            if has_key and client_id
        ]
        accounts, puts = self.ledger.known_accounts(), self.ledger.known_puts()
        return Run(self.server, self.life, self.trial.chance, KEY, users, accounts=accounts, puts=puts)

    def take(self, run: Run) -> None:
        """What its clients have noted is owed from now on."""
        notes = [(0, note.what, note.values) for note in run.notes.all]
        self.ledger = self.ledger.at(notes, 0)
        self.trial.count("answers", sum(isinstance(note.when, tuple) for note in run.notes.all))

    def settle(self) -> Found:
        """After a start: compares what is there with what is owed."""
        found, problems = look(self.server)
        problems += self.ledger.settle(found)
        problems += [] if self.may_be_refused else self.gaps()
        for problem in problems:
            self.trial.problem(problem)
        return found

    def gaps(self) -> list[str]:
        """Requests of one connection take effect in their order, so what has not taken effect is the end of them."""
        stored = set(self.ledger.ids.values())
        first_missing: dict[int, int] = {}
        problems = []
        for sender, number in sorted(self.ledger.letters):
            if (sender, number) in self.refused:
                continue
            if (sender, number) not in stored:
                first_missing.setdefault(sender, number)
            elif sender in first_missing:
                problems.append(f"message skipped: {(sender, first_missing[sender])}, {number} behind it is stored")
        return problems

    def use(self, found: Found) -> None:
        """After `settle`: everybody logs in, and takes what waits."""
        problems = use(self.server, found, KEY)
        problems += use_own_files(self.server, found, self.ledger, is_all_there=True)
        for problem in problems:
            self.trial.problem(problem)

    def kill(self, clients: Clients | None = None) -> None:
        """kill -9. That the server was still there is a part of the check."""
        if clients is not None:
            clients.may_fail.set()
        self.expect_alive()
        self.server.kill()
        self.trial.count("kills")
        if clients is not None:
            clients.join()

    def expect_alive(self) -> None:
        process = self.server.process
        if process is None or process.poll() is not None:
            status = process.returncode if process else "?"
            self.trial.problem(f"server died: of itself, with {status}\n{self.server.log()[-3000:]}")

    def end(self) -> None:
        """An orderly end."""
        self.expect_alive()
        self.server.stop()
