"""Campaigns of sequences: rounds of some lives of a server, one after the other on the same data."""

import subprocess
import traceback
from functools import partial

from harness.campaign import Campaign, Trial
from peer.kesherd import environment
from powerloss.keys import KEY, KEYS
from powerloss.ledger import Found
from powerloss.server import look, use

from .life import Life
from .model import Model
from .server import PROGRAMS, SequencesServer
from .trace import Trace

LIVES = (1, 2, 2, 3)


def play(build: str, trial: Trial) -> None:
    trace = Trace(trial.folder / "trace")
    model = Model(partial(_note, trial, trace), KEYS)
    server = SequencesServer(trial.folder / "data", build)
    public_ids = "plain" if trial.chance.random() < 0.1 else "alias"
    try:
        for number in range(trial.chance.choice(LIVES)):
            life = Life(trial, model, server, trace, number)
            server.start_with(public_ids=public_ids, workers=trial.chance.randint(1, 4), **life.options)
            _look(server, model, public_ids)
            life.run()
        _look_at_the_end(server, model)
    except Exception:
        trace("FAILURE", traceback.format_exc())
        raise
    finally:
        _end(server, trial)
        trace.flush()


def _note(trial: Trial, trace: Trace, text: str) -> None:
    trace("PROBLEM", text)
    trial.problem(text)


def _look(server: SequencesServer, model: Model, public_ids: str) -> Found:
    """What the server has after its start."""
    found, problems = look(server)
    for problem in problems:
        model.problem(problem)
    alias_key = server.rows("SELECT Value FROM settings WHERE Name = 'alias key'")
    model.learn_alias_key(None if public_ids == "plain" else alias_key[0][0])
    model.settle(found, dict(server.rows("SELECT ID, PublicKey FROM clients")))
    return found


def _look_at_the_end(server: SequencesServer, model: Model) -> None:
    server.start_with(public_ids="plain", workers=1)
    found = _look(server, model, "plain")
    for problem in use(server, found, KEY):
        model.problem(problem)
    server.stop()
    checked = subprocess.run(
        server.operator_command("check"),
        capture_output=True,
        env={**environment(), **server.variables},
        timeout=300,
        check=False,
    )
    if checked.returncode != 0:
        model.problem(f"check finds: status {checked.returncode}: {checked.stdout[-2000:]} {checked.stderr[-3000:]}")


def _end(server: SequencesServer, trial: Trial) -> None:
    try:
        server.kill()
    except AssertionError as failure:
        trial.problem(f"sanitizer: {failure}")


def _needs(build: str) -> str:
    path = PROGRAMS[build]()
    return "" if path.exists() else f"{path} is not built"


def _campaign(build: str, about: str, **amounts) -> Campaign:
    return Campaign(
        name=f"sequences/{build}",
        about=about,
        round=partial(play, build),
        needs=partial(_needs, build),
        **amounts,
    )


CAMPAIGNS = [
    _campaign("asan", "random sequences, under the address sanitizer", sample=2, share=8, full_minutes=20),
    _campaign("tsan", "the same, under the thread sanitizer", sample=1, share=8, full_minutes=20),
    _campaign("release", "the same, to the server as it is released", sample=1, share=4, full_minutes=5),
]
