"""kill -9 under load, while starting, and while stopping: several lives on one data directory."""

import signal
import time
from collections.abc import Callable

from harness.campaign import Trial
from powerloss.clients import Run
from powerloss.loads import LOADS, Workload

from .past import Clients, Past, Victim
from .traffic import Conversations, repeated_uploads

LIVES = (3, 5)
SETTLE_MS = 60_000  # what a client's system has taken and the client has not yet, must not be gone when it dies
LONGEST_AFTER_NOTES = 0.03  # seconds
SOME_NOTES = 300
NOTES = {  # about as many as a life of this load brings
    "registrations": 60,
    "small-uploads": 180,
    "large-uploads": 20,
    "replacements": 110,
    "tiny-messages": 1600,
    "small-messages": 900,
    "journal-segments": 6000,
    "own-files": 500,
    "broken-off-puts": 60,
    "large-own-files": 15,
    "quiet-moments": 1500,
    "large-messages": 50,
    "pulls": 700,
    "checkpoints": 150,
    "mixtures": 800,
    "uploads": 150,
    "messages": 2000,
}


def start(past: Past) -> None:
    """Kills it some times on the way, then lets it become ready."""
    trial, server = past.trial, past.server
    for _ in range(trial.chance.choice((0, 0, 1, 2, 4))):
        server.begin()
        time.sleep(trial.chance.uniform(0, 1.2 * server.start_seconds))
        past.kill()
        trial.count("kills while starting")
    server.start()


def kill_while_stopping(past: Past, clients: Clients) -> None:
    """Shortly after SIGTERM; it may have ended by then, in order."""
    trial, process = past.trial, past.server.process
    past.expect_alive()
    clients.may_fail.set()
    past.server.signal(signal.SIGTERM)
    time.sleep(trial.chance.uniform(0, 0.05))
    past.server.kill()
    if process.returncode not in (0, -signal.SIGKILL):
        trial.problem(f"stop failed: status {process.returncode}\n{past.server.log()[-3000:]}")
    trial.count("kills while stopping")
    trial.count("kills")
    clients.join()


def live_until_killed(past: Past, load: Callable[[Run], None], notes: int) -> None:
    """A life that ends when its clients have noted so many things, or soon after. Now and then it has been told to
    stop in order just before."""
    trial, run = past.trial, past.new_run()
    clients = Clients(trial, lambda: load(run))
    while clients.is_busy() and len(run.notes.all) < notes:
        time.sleep(0.001)
    time.sleep(trial.chance.uniform(0, LONGEST_AFTER_NOTES))
    if trial.chance.random() < 0.2:
        kill_while_stopping(past, clients)
    else:
        past.kill(clients)
    past.take(run)


def kill_rounds(name: str, new_load: Callable[[], Workload]) -> Callable[[Trial], None]:
    def round(trial: Trial) -> None:
        load = new_load()
        server = Victim(trial.folder, **{**load.settings, "settle_time_ms": SETTLE_MS})
        past = Past(trial, server, may_be_refused=load.may_be_refused)
        try:
            for _ in range(trial.chance.randint(*LIVES)):
                start(past)
                past.settle()
                live_until_killed(past, load.act, trial.chance.randint(0, NOTES.get(name, SOME_NOTES)))
            start(past)
            past.use(past.settle())
            past.end()
        finally:
            past.server.kill()

    return round


KILLS = {
    **{name: kill_rounds(name, lambda load=load: load) for name, load in LOADS.items() if load.before is None},
    "uploads": kill_rounds("uploads", lambda: Workload(repeated_uploads)),
    "messages": kill_rounds("messages", lambda: Workload(Conversations().run)),
}
