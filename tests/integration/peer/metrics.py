"""Reads metrics as Prometheus does, and more strictly: what its parser would forgive is an error here."""

import math
import re
import shutil
import subprocess
from dataclasses import dataclass, field

from .frames import Connection

_NAME = r"[a-zA-Z_][a-zA-Z0-9_]*"
_LABELS = rf'\{{({_NAME}="[^"\\\n]*"(?:,{_NAME}="[^"\\\n]*")*)\}}'
_SAMPLE = re.compile(rf"({_NAME})(?:{_LABELS})? (\d+(?:\.\d+)?)")
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    type: str
    help: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


class Metrics:
    """The families of one scrape, by name."""

    def __init__(self, text: str):
        self.families: dict[str, Family] = {}
        assert text.endswith("\n") and "\r" not in text
        lines = text[:-1].split("\n")
        family = ""
        while lines:
            line = lines.pop(0)
            if line.startswith("# "):
                family = self._begin(line, lines.pop(0))
            else:
                self._add(family, line)
        for name, kept in self.families.items():
            self._check(name, kept)

    def _begin(self, help_line: str, type_line: str) -> str:
        mark, name, text = re.fullmatch(rf"# (HELP) ({_NAME}) (.+)", help_line).groups()
        kind = re.fullmatch(rf"# TYPE {name} (counter|gauge|histogram)", type_line)[1]
        assert mark == "HELP" and text.endswith("."), help_line
        assert name not in self.families, f"{name} comes twice"
        self.families[name] = Family(kind, text)
        return name

    def _add(self, family: str, line: str) -> None:
        name, labels, value = re.fullmatch(_SAMPLE, line).groups()
        kept = self.families[family]
        allowed = [family + suffix for suffix in _SUFFIXES.get(kept.type, ("",))]
        assert name in allowed, f"{name} in the family {family}"
        pairs = tuple(re.findall(rf'({_NAME})="([^"]*)"', labels or ""))
        assert len(dict(pairs)) == len(pairs), line
        assert (name, pairs) not in kept.samples, f"{line} comes twice"
        kept.samples[name, pairs] = float(value)

    def _check(self, name: str, family: Family) -> None:
        """Conventions: https://prometheus.io/docs/practices/naming/"""
        assert (family.type == "counter") == name.endswith("_total"), name
        assert re.match(r"kesher_|process_", name), name
        if family.type == "histogram":
            self._check_histogram(name, family)

    def _check_histogram(self, name: str, family: Family) -> None:
        buckets = [(pairs[0][1], value) for (sample, pairs), value in family.samples.items() if pairs]
        bounds = [math.inf if bound == "+Inf" else float(bound) for bound, _ in buckets]
        counts = [count for _, count in buckets]
        assert bounds == sorted(set(bounds)) and bounds[-1] == math.inf, name
        assert counts == sorted(counts) and counts[-1] == family.samples[f"{name}_count", ()], name
        assert (f"{name}_sum", ()) in family.samples

    def value(self, name: str, **labels: str) -> float:
        """One sample; 0 when there is none with these labels."""
        family = next(kept for kept in (name, name.rsplit("_", 1)[0]) if kept in self.families)
        return self.families[family].samples.get((name, tuple(labels.items())), 0)


def check_with_promtool(text: str) -> None:
    """Where it is installed."""
    if promtool := shutil.which("promtool"):
        run = subprocess.run(
            [promtool, "check", "metrics"], input=text.encode(), capture_output=True, check=False
        )
        assert (run.returncode, run.stdout, run.stderr) == (0, b"", b"")


@dataclass
class HttpAnswer:
    status: int
    fields: dict[str, str]
    content: bytes


class HttpClient(Connection):
    """A connection of a monitor."""

    def get(self, path: str, method: str = "GET", *fields: str) -> HttpAnswer:
        self.request(path, method, *fields)
        return self.receive_answer(with_content=method != "HEAD")

    def request(self, path: str, method: str = "GET", *fields: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: test", *fields, "", ""]
        self.send("\r\n".join(lines).encode())

    def receive_answer(self, with_content: bool = True) -> HttpAnswer:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive_exactly(1)
        first, *lines = head.decode()[:-4].split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Z][A-Za-z ]+", first)[1])
        fields = dict(line.split(": ", 1) for line in lines)
        size = int(fields["Content-Length"])
        return HttpAnswer(status, fields, self.receive_exactly(size) if with_content else b"")

    def scrape(self) -> Metrics:
        answer = self.get("/metrics")
        assert answer.status == 200
        return Metrics(answer.content.decode())
