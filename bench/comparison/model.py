"""Rows of the comparison: a kind of work, who does it, and how it grows; and how they are measured.

A measurement starts one server with an empty directory, loads it once, and stops it, so that no two are measured at
a time and none inherits the state of another. Contenders take turns within a round, and rounds follow each other:
what changes on the machine meanwhile meets them all.
"""

import json
import os
import sys
import time
from dataclasses import dataclass, field
from typing import Callable

import summary
from workspace import Failed, load_limit, own_cores

OURS, PEER, LIMIT = "ours", "peer", "limit"  # a limit is what the machine allows, not a competitor


SECONDS, CURVE_SECONDS, QUICK_SECONDS = 3.0, 1.5, 0.5  # of a measurement that has no end of its own
TURN_SECONDS = 1.0  # of one of several rounds of a point of a curve
_SINGULAR = {"messages": "message", "deliveries": "delivery", "requests": "request"}


@dataclass
class Metric:
    """A quantity of a sample. `kind`: count, bytes or microseconds, for ticks of plots."""

    key: str
    title: str
    unit: str
    better: str = "less"  # or more
    kind: str = "count"


@dataclass
class Contender:
    name: str
    peer: object  # a server of peers.py, or None where the client does it all
    measure: Callable  # (Measurement) -> sample: a dictionary of numbers, its headline under "value"
    kind: str = PEER
    note: str = ""  # what its acknowledgement means, and what else one must know to compare
    most: dict = field(default_factory=dict)  # parameter -> the largest load that it is asked to carry


@dataclass
class Curve:
    """One parameter of the load varies, the others stay."""

    parameter: str
    title: str  # of the axis, with its unit
    loads: list
    growth: list = field(default_factory=list)  # added by --growth
    kind: str = "count"
    heading: str = ""  # of the plot
    rounds: int = 1  # of each of its loads, but for growth: one; those of the row's own load are more
    without: tuple = ()  # contenders that do not take part


@dataclass
class Target:
    """`factor` times as good as the best of `against`; or, without them, at most (at least) `bound`."""

    text: str
    against: tuple = ()
    factor: float = 1.0
    bound: float | None = None
    metric: str = "value"


@dataclass
class Row:
    name: str
    title: str
    what: str  # for people: what is done, and what is counted
    metrics: list  # the first is the headline, under "value"
    contenders: list
    load: dict
    targets: list = field(default_factory=list)
    curves: list = field(default_factory=list)
    panels: tuple = ("value", "latency_p50_us", "latency_p99_us")
    rivals: tuple = ()  # whom kesher is compared with at each load of the curves, throughput and tail
    is_pinned: bool = False  # server and load on cores of their own, where nothing else is asked for
    can_be_pinned: bool = False  # requests and answers: it may be asked for
    rounds: int | None = None  # fewer than asked for, where one takes long
    quick: dict = field(default_factory=dict)  # loads for --quick

    @property
    def ours(self):
        """The contender that is compared with the others."""
        return next(contender for contender in self.contenders if contender.kind == OURS)


def rate_metrics(unit, operation):
    """What rows of requests and their answers have."""
    return [
        Metric("value", "throughput", unit, "more"),
        Metric("latency_p50_us", "latency, median", "µs", kind="microseconds"),
        Metric("latency_p99_us", "latency, 99th percentile", "µs", kind="microseconds"),
        Metric("server_cpu_us", f"server's CPU per {operation}", "µs"),
    ]


def tail_target(text, rivals):
    """A late answer of ours is no later than one of the best of them."""
    return Target(text, tuple(rivals), 1.0, metric="latency_p99_us")


@dataclass
class Measurement:
    """One contender under one load."""

    workspace: object
    peer: object
    load: dict
    seconds: float  # to measure for, where the work has no end of its own
    cpus: list | None  # of the client
    awake: bool  # it has a core of its own, and may spend it on not sleeping

    def client(self, command, **options):
        """Runs a client; its outcome, and the CPU seconds of the server meanwhile."""
        before = self.peer.cpu_seconds()
        outcome = self.workspace.run(command, cpus=self.cpus, **options)
        return outcome, self.peer.cpu_seconds() - before

    def generator(self, mode, **options):
        """Runs kesher-bench on the peer; what it found. Options are named with `_` for `-`; None: leave it out,
        True: a switch."""
        command = [self.workspace.build / "kesher-bench", mode, "--server", self.peer.address,
                   "--pid", self.peer.pid, "--json"]
        for name, value in options.items():
            if value is not None:
                command += [f"--{name.replace('_', '-')}", *([] if value is True else [value])]
        return json.loads(self.workspace.run(command, cpus=self.cpus).output)

    def rate(self, mode, operations, **options):
        """The sample of a mode that counts operations: "requests", in the plural."""
        found = self.generator(mode, **options, awake=self.awake or None)
        sample = {name: found[name] for name in found if name.startswith("latency_")}
        return {**sample, "value": found[f"{operations}_per_second"],
                "server_cpu_us": found[f"server_cpu_us_per_{_SINGULAR[operations]}"]}


class Runner:
    """Measures rows, and keeps what it finds as plain data for JSON.

    `pin` is none, apart or together, for all rows that can be pinned; or None: as each row has it. `gauge` tells what
    the machine allows just now, as `limits.measure` does; or None."""

    def __init__(self, workspace, *, rounds, quick, growth, pin=None, gauge=None):
        self.workspace = workspace
        self.rounds = rounds
        self.quick = quick
        self.growth = growth
        self.pin = pin
        self.gauge = gauge
        self.prepared = set()
        self.failures = []
        self.configurations = {}
        self.versions = {}

    # ---- one measurement ----

    def pinning(self, row):
        """none, apart or together."""
        return self.pin if self.pin and row.can_be_pinned else "apart" if row.is_pinned else "none"

    def _cores(self, row):
        """On which the server and the client run; None for all."""
        server, client = own_cores()
        return {"none": (None, None), "apart": (server, client),
                "together": (server[:1], server[:1])}[self.pinning(row)]

    def _prepare(self, peer, server_cpus):
        peer.cores = len(server_cpus or os.sched_getaffinity(0))
        if peer not in self.prepared:
            peer.prepare()
            self.prepared.add(peer)

    def _measure(self, row, contender, load, seconds):
        peer = contender.peer
        server_cpus, client_cpus = self._cores(row)
        measurement = Measurement(self.workspace, peer, load, seconds, client_cpus, self.pinning(row) == "apart")
        if peer is None:
            self.workspace.commands = []
            return contender.measure(measurement)
        self._prepare(peer, server_cpus)
        self.workspace.commands = []
        try:
            peer.start(server_cpus)
            self.configurations.setdefault(f"{peer.title}, {row.title[0].lower()}{row.title[1:]}", peer.configuration())
            self.versions.setdefault(peer.title, peer.version())
            sample = contender.measure(measurement)
            if peer.process is not None and peer.process.has_ended():
                raise Failed(f"{peer.name} has ended: {self.workspace.last_words(peer.process)}")
            return sample
        finally:
            peer.stop()
            peer.discard()

    def _try(self, row, contender, load, seconds, shown):
        """A sample, or None when it failed; then the reason is kept."""
        begin = time.monotonic()
        try:
            sample = self._measure(row, contender, load, seconds)
        except (Failed, OSError, LookupError, ValueError) as error:
            reason = self.workspace.without_paths(str(error) or type(error).__name__)
            if contender.kind == OURS or shown.startswith("round"):  # a peer may have its limits
                self.failures.append(f"{row.name}, {contender.name}, {shown}: {reason}")
            print(f"  {contender.name:22} failed, {shown}: {reason}", file=sys.stderr, flush=True)
            return None, reason
        unit = row.metrics[0].unit
        print(f"  {contender.name:22} {summary.digits(sample['value'], 4):>11} {unit:14} {shown}"
              f"  [{time.monotonic() - begin:.1f} s]", flush=True)
        return sample, None

    # ---- a row ----

    def run(self, row):
        """Everything about one row, as data."""
        print(f"\n{row.title}", flush=True)
        load = {**row.load, **(row.quick if self.quick else {})}
        found = {contender.name: self._head(row, contender) for contender in row.contenders}
        gauged = []
        self._rounds(row, load, found, gauged)
        curves = [self._curve(row, curve, load, found, gauged) for curve in row.curves] if not self.quick else []
        self._gauge(row, "the end", gauged)
        result = {
            "name": row.name, "title": row.title, "what": row.what, "load": load, "pinned": self.pinning(row),
            "metrics": [vars(metric) for metric in row.metrics], "panels": list(row.panels),
            "rivals": list(row.rivals), "contenders": list(found.values()), "curves": curves, "limits": gauged,
        }
        result["targets"] = [judge(row, target, found) for target in row.targets]
        return result

    def _gauge(self, row, shown, gauged):
        """What the machine allows just now."""
        if self.gauge is None:
            return
        figures, reasons = self.gauge(self.workspace)
        gauged.append({"round": shown, **figures})
        self.failures += [f"{row.name}, {shown}: {reason}" for reason in reasons]

    def _rounds(self, row, load, found, gauged):
        for number in range(1 if self.quick else min(self.rounds, row.rounds or self.rounds)):
            shown = f"round {number + 1}"
            self._gauge(row, shown, gauged)
            for contender in row.contenders:
                self._head_round(row, contender, load, found[contender.name], shown)
        for entry in found.values():
            entry["summary"] = summary.summarize(entry["samples"]) if entry["samples"] else None

    @staticmethod
    def _head(row, contender):
        return {"name": contender.name, "kind": contender.kind, "note": contender.note, "samples": [],
                "commands": [], "error": None}

    def _head_round(self, row, contender, load, entry, shown):
        if entry["error"] is not None:
            return  # it will not get better, and the others have waited long enough
        sample, entry["error"] = self._try(row, contender, load, QUICK_SECONDS if self.quick else SECONDS, shown)
        if sample is not None:
            entry["samples"].append(sample)
        entry["commands"] = list(self.workspace.commands)

    def _curve(self, row, curve, load, found, gauged):
        """Each contender at each load, in turn; at the load of the row itself, what its own rounds found."""
        points, lost = {}, {}
        loads = self._loads(curve)
        for number in range(max(loads.values())):
            self._gauge(row, f"{curve.parameter}, round {number + 1}", gauged)
            for value in [value for value, rounds in loads.items() if number < rounds]:
                if value != load.get(curve.parameter):
                    shown = self._shown(curve, value, number, loads[value])
                    self._points(row, curve, {**load, curve.parameter: value}, shown, found, points, lost)
        lines = {}
        for contender in row.contenders:
            for value in self._carried(contender, curve, loads, found, lost):
                sample = found[contender.name]["summary"]
                if value != load.get(curve.parameter):
                    sample = summary.summarize(points[contender.name, value])
                lines.setdefault(contender.name, []).append([value, sample])
        return {"parameter": curve.parameter, "title": curve.title, "kind": curve.kind,
                "heading": curve.heading or row.title, "lines": lines, "lost": lost}

    def _loads(self, curve):
        """Each load of a curve, and how many rounds it takes."""
        rounds = {value: 1 for value in (curve.growth if self.growth else ())}
        rounds.update({value: min(curve.rounds, self.rounds) for value in curve.loads})
        if curve.parameter in ("connections", "members"):  # no more than this machine lets a process have
            rounds = {min(value, load_limit()): count for value, count in rounds.items()}
        return dict(sorted(rounds.items()))

    @staticmethod
    def _shown(curve, value, number, rounds):
        shown = f"{curve.parameter} {summary.short(value, curve.kind == 'bytes')}"
        return shown if rounds == 1 else f"{shown}, round {number + 1}"

    @staticmethod
    def _carried(contender, curve, loads, found, lost):
        """The loads of a curve that a contender is asked to carry, as far as it has."""
        if contender.name in curve.without or found[contender.name]["summary"] is None:
            return []
        end = lost.get(contender.name, [float("inf")])[0]  # more load would not help
        return [value for value in loads
                if value < end and value <= contender.most.get(curve.parameter, float("inf"))]

    def _points(self, row, curve, load, shown, found, points, lost):
        """One round at one load: everybody's sample goes to `points`, who fails to `lost`."""
        value = load[curve.parameter]
        seconds = CURVE_SECONDS if curve.rounds == 1 else TURN_SECONDS
        for contender in row.contenders:
            if not self._carried(contender, curve, [value], found, lost):
                continue
            sample, error = self._try(row, contender, load, seconds, shown)
            if error is not None:
                lost[contender.name] = [value, error]
            else:
                points.setdefault((contender.name, value), []).append(sample)


def judge(row, target, found):
    """Whether a target was met: None when something that it needs was not measured."""
    metric = next(metric for metric in row.metrics if metric.key == target.metric)
    result = {"text": target.text, "metric": target.metric, "met": None, "ratio": None, "best": None, "ours": None,
              "theirs": None}
    ours = _value(found, row.ours.name, target.metric)
    result["ours"] = ours
    if ours is None:
        return result
    if not target.against:
        result["met"] = ours >= target.bound if metric.better == "more" else ours <= target.bound
        return result
    rivals = {name: _value(found, name, target.metric) for name in target.against}
    if None in rivals.values():
        return result
    choose = max if metric.better == "more" else min
    result["best"] = choose(rivals, key=rivals.get)
    result["theirs"] = rivals[result["best"]]
    result["ratio"] = summary.ratio(ours, result["theirs"], metric.better)
    result["met"] = result["ratio"] is not None and result["ratio"] >= target.factor
    return result


def _value(found, name, metric):
    entry = found.get(name)
    return entry["summary"].get(metric) if entry and entry["summary"] else None
