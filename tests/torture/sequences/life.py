"""One life of a server: a crowd of connections for some seconds, operators and reloads beside them, and an end.

The end is a kill, a stop in the middle of all, or a calm one: everybody gets what is due and goes, what the server
counts has to go back to nothing, and an honest client is served.
"""

import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from typing import ClassVar

from harness.campaign import Trial
from peer.kesherd import environment, sanitizer_report

from . import settings
from .binary import BinaryTalk
from .calm import back_to_nothing, drain, memory_is_bounded, serve_honestly
from .link import Link, Loop, Talk
from .model import Model, Person
from .operators import OperatorTalk
from .server import SequencesServer
from .texts import AskTalk, ChatTalk, ChunkTalk, Group, MonitorTalk, RudeTalk
from .trace import Trace

PATIENCE_SECONDS = 120
SILENCE_SECONDS = 20  # at least, and nothing comes any more
STOP_SECONDS = 120
LONG_SECONDS = 9  # so that who is slow for 5, and others wait for its memory, is cut
NEW_AT_ONCE = 8
MADE_ROOM = "the server ended the connection"  # for others (connections), before the program had asked


class Life:
    SERVICES: ClassVar[dict[str, float]] = {
        "binary": 70,
        "chat": 18,
        "ask": 5,
        "monitor": 2,
        "operator": 3,
        "rude": 3,
    }

    def __init__(self, trial: Trial, model: Model, server: SequencesServer, trace: Trace, number: int):
        self.trial = trial
        self.model = model
        self.server = server
        self.number = number
        self.write_trace = trace
        self.chance = random.Random(trial.chance.random())
        self.is_generous = self.chance.random() < 0.4
        self.options = (settings.far if self.is_generous else settings.near)(self.chance)
        self.settle_seconds = settings.settle_seconds(self.options)
        self.crowd = self.chance.choice((3, 10, 30, 80))
        is_long = self.chance.random() < (0.25 if "buffers" in self.options else 0.03)
        self.seconds = LONG_SECONDS if is_long else self.chance.uniform(0.5, 3)
        self.counts: Counter = Counter()
        self.people: list[Person] = []
        self.groups: dict[int, Group] = {}
        self.group_tokens = 0
        self.untidy: set[int] = set()  # members who may be in another group than they think
        self.is_stopping = False
        self.loop = Loop(trace)
        self._made = number * 100_000  # connections
        self._links: dict[Talk, Link] = {}
        self._known = -1
        self._next_event = 0.0
        self._program: subprocess.Popen | None = None

    # -- for those who talk

    def problem(self, text: str) -> None:
        self.model.problem(text)

    def trace(self, who: str, what: str) -> None:
        self.write_trace(who, what)
        self.counts["steps"] += 1

    def is_generous_now(self) -> bool:
        return self.is_generous

    def say(self, talk: Talk, data: bytes) -> None:
        link = self._links[talk]
        if not link.has_shut and not link.is_over:
            link.out += data

    def forget_people(self) -> None:
        self._known = -1

    # -- the course of it

    def run(self) -> None:
        self.write_trace("life", f"{self.number}: {self.options}, {self.crowd} links, generous {self.is_generous}")
        try:
            self.loop.run(self.seconds, self._turn)
            end = self.chance.choice((self._kill, self._stop, self._calm, self._calm))
            self.write_trace("life", end.__name__)
            end()
        finally:
            self._end()
        for group in self.groups.values():
            if disorder := group.disorder():
                self.problem(f"chat disordered: {disorder}")

    def _end(self) -> None:
        self.is_stopping = True
        self.loop.close()
        self.counts["bytes"] = self.loop.bytes_sent + self.loop.bytes_received
        self.counts["connections"] = self._made - self.number * 100_000
        for what, number in self.counts.items():
            self.trial.count(what, number)
        self.trial.count("lives")

    def _turn(self) -> bool:
        if not self.server.is_running():
            self.problem(f"server died: status {self.server.process.poll()}")
            return True
        if len(self.model.people) != self._known:
            self.people = self.model.alive()
            self._known = len(self.model.people)
        for _ in range(NEW_AT_ONCE):
            if len(self.loop.links) < self.crowd:
                self._connect()
        now = time.monotonic()
        if now > self._next_event:
            self._event()
            self._next_event = now + self.chance.uniform(0.2, 1)
        return False

    def _connect(self) -> None:
        (service,) = self.chance.choices(list(self.SERVICES), list(self.SERVICES.values()))
        self._made += 1
        chance = random.Random(f"{self.trial.seed} {self.trial.number} {self._made}")
        server = self.server
        make, address = {
            "binary": (BinaryTalk, server.address),
            "chat": (chance.choice((ChatTalk, ChatTalk, ChunkTalk)), server.chat_address),
            "ask": (AskTalk, server.ask_address),
            "monitor": (MonitorTalk, server.metrics_address),
            "operator": (OperatorTalk, str(server.data / "control")),
            "rude": (RudeTalk, chance.choice((server.chat_address, server.ask_address, server.metrics_address))),
        }[service]
        talk = make(self, self._made, chance)
        source = f"127.0.{chance.randrange(2)}.{chance.randrange(1, 5)}"
        link = self.loop.add(f"{service[0]}{self._made}", talk, chance, address, source)
        if link is not None:
            self._links[talk] = link

    def _event(self) -> None:
        luck = self.chance.random()
        if luck < 0.25:
            options = (settings.far if self.is_generous else settings.near)(self.chance)
            self.write_trace("life", f"reload {options}")
            self.server.configure_again(**options)
            self.server.process.send_signal(signal.SIGHUP)
            self.counts["reloads"] += 1
        elif luck < 0.35:
            self._run_program()
        elif luck < 0.5 and self.loop.links:
            for link in self.chance.sample(list(self.loop.links), len(self.loop.links) // 2):
                link.reset()

    def _run_program(self) -> None:
        """What an operator runs, beside the server."""
        if self._program is None:
            words = self.chance.choice((("user", "list"), ("group", "list"), ("check",), ("check", "--repair")))
            self._program = subprocess.Popen(
                self.server.operator_command(*words),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**environment(), **self.server.variables},
            )

    def _end_program(self, is_judged: bool) -> None:
        if self._program is None:
            return
        said = self._program.communicate(timeout=PATIENCE_SECONDS)[0].decode(errors="replace")
        is_turned_away = "busy" in said or (not self.is_generous and MADE_ROOM in said)
        if sanitizer_report(said) or (is_judged and self._program.returncode != 0 and not is_turned_away):
            self.problem(f"operator's program: status {self._program.returncode}\n{said[-3000:]}")
        self._program = None

    # -- ends

    def _kill(self) -> None:
        self.is_stopping = True
        self.counts["kills"] += 1
        self._turn_some()
        if not self.server.is_running():
            self.problem(f"server died: status {self.server.process.poll()}")
        self.server.kill()
        self._end_program(False)

    def _stop(self) -> None:
        """SIGTERM, and all go on as if nothing were."""
        self.is_stopping = True
        self.counts["stops"] += 1
        self._turn_some()
        process = self.server.process
        process.send_signal(signal.SIGTERM)
        if not self.loop.run(STOP_SECONDS, lambda: process.poll() is not None):
            self.problem("stop hangs: kesherd does not end after SIGTERM")
            self.server.kill()
        self._end_program(False)
        self.server.check_stopped()

    def _turn_some(self) -> None:
        for _ in range(self.chance.randrange(20)):
            self.loop.turn()

    def _calm(self) -> None:
        for link in list(self.loop.links):
            link.calm()
        if not self.loop.run(PATIENCE_SECONDS, self._all_have_gone):
            self._judge_who_waits()
        self.loop.close()
        self._end_program(True)
        self._look_when_calm(back_to_nothing)
        self._look_when_calm(memory_is_bounded)
        if self.chance.random() < 0.5:
            self._look_when_calm(drain)
        self._look_when_calm(serve_honestly)
        self.is_stopping = True
        self.server.stop()

    def _judge_who_waits(self) -> None:
        """Who has asked for many lists gets them slowly, but gets them."""
        since = time.monotonic() - SILENCE_SECONDS
        names = [link.name for link in self.loop.links if link.heard < since]
        if names:
            self.problem(f"no answer: {names[:10]} wait after {PATIENCE_SECONDS} s")

    def _look_when_calm(self, look: Callable[["Life"], None]) -> None:
        if self.server.is_running():
            self.write_trace("life", look.__name__)
            look(self)

    def _all_have_gone(self) -> bool:
        for link in list(self.loop.links):
            if not link.out and link.talk.is_served:
                link.end()
        return not self.loop.links
