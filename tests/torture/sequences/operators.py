"""What operators ask through the control socket while all goes on, and whether the answers can be true."""

import json
import random
import time
from typing import TYPE_CHECKING

from .link import Talk
from .model import Person

if TYPE_CHECKING:
    from .life import Life

RUDE = ("2 users", "1", "", "1 nothing", "1 user", "x" * 600, "1 remove nobody has this name", "\x01")
RESULTS = {"ok", "not found", "invalid", "busy", "failed"}


class OperatorTalk(Talk):
    def __init__(self, life: "Life", number: int, chance: random.Random):
        self.life = life
        self.number = number
        self.chance = chance
        self.steps = chance.choice((1, 4, 15, 150))
        self.patience = chance.choice((1, 1, 100))
        self.is_harmful = chance.random() < 0.5
        self.due: list[tuple[str, Person | None, float]] = []
        self.lines: list[dict] = []
        self.held = b""

    def next(self) -> bytes | None:
        if self.steps <= 0:
            return None
        if len(self.due) >= self.patience:
            return b""
        self.steps -= 1
        request, person = self._request()
        self.life.trace(f"o{self.number}", request)
        self.due.append((request, person, time.monotonic()))
        return request.encode("latin-1") + b"\n"

    def _request(self) -> tuple[str, Person | None]:
        luck = self.chance.random()
        person = self.chance.choice(self.life.people) if self.life.people else None
        if luck < 0.1:
            return self.chance.choice(RUDE), None
        if luck < 0.6 or person is None:
            return self.chance.choice(("1 users", "1 groups", "1 check", "1 repair")), None
        if luck < 0.8 or not self.is_harmful:
            return f"1 user {person.name}", person
        if luck < 0.9:
            person.resetting = True
            return f"1 reset-key {person.name}", person
        person.removing = True
        self.life.forget_people()
        return f"1 remove {person.name}", person

    def received(self, data: bytes) -> None:
        *lines, self.held = (self.held + data).split(b"\n")
        for raw in lines:
            try:
                line = json.loads(raw)
            except ValueError:
                self.life.problem(f"control wrong: {raw[:200]!r} is no JSON (connection {self.number})")
                continue
            self.lines.append(line)
            if "result" in line:
                self._answered()

    def _answered(self) -> None:
        lines, self.lines = self.lines, []
        self.life.counts["operators' commands"] += 1
        if not self.due:
            if lines[-1]["result"] != "busy":
                self.life.problem(f"control wrong: {lines[-1]} to nothing (connection {self.number})")
            return
        request, person, began = self.due.pop(0)
        if problem := self._judge(request, person, began, lines[:-1], lines[-1]["result"]):
            self.life.problem(f"control wrong: {request[:60]!r} is answered {lines[-1]}: {problem}")

    def _judge(self, request: str, person: Person | None, began: float, lines: list[dict], result: str) -> str:
        if result not in RESULTS:
            return "no such result"
        if result == "busy":
            return ""
        if request in RUDE:
            return "" if result in ("invalid", "not found") else "it makes no sense"
        if result == "failed":
            return "" if request in ("1 check", "1 repair") else "nothing should fail"
        if request == "1 users":
            return self._judge_users(lines, began)
        if request in ("1 check", "1 repair"):
            wrong = lines[-1].get("wrong_things") if lines else None
            return "" if wrong == 0 and result == "ok" else f"something is wrong: {lines[-5:]}"
        if request.startswith("1 remove") and result == "ok":
            person.removed = person.removed or time.monotonic()
        is_owed = person is not None and not person.removing
        return "the user is there" if is_owed and result != "ok" else ""

    def _judge_users(self, lines: list[dict], began: float) -> str:
        names = {line.get("name") for line in lines}
        for person in self.life.model.people.values():
            if person.registered < began and not person.removing and person.name not in names:
                return f"{person.name!r} is not in it"
        return ""

    @property
    def is_served(self) -> bool:
        return not self.due
