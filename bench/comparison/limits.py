"""What the machine allows while a row is measured: three small pieces of work, done in every round of every row.

They are no competitors. They tell how fast the machine was, and whether it was the same throughout: where the largest
and the smallest figure of one of them lie more than a fifth apart, the row is marked. All but `measure` is pure.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass

import summary
from machine import sync_microseconds
from peers import Echo
from workspace import Failed, own_cores

MOST_CHANGE = 1.2  # times the smallest figure
ECHO_CONNECTIONS, ECHO_SECONDS, ECHO_WARM_UP = 50, 0.5, 0.1
SYNC_SECONDS = 0.3
HASHED_BYTES, HASHES = 64 << 10, 2000


@dataclass(frozen=True)
class Limit:
    key: str
    name: str  # in a sentence
    title: str  # of a column; all are per second


LIMITS = (
    Limit("echo", "bare echo", "round trips of a bare echo"),
    Limit("sync", "write and sync", "write and sync of 4 KiB"),
    Limit("compute", "computation", "SHA-256 of 64 KiB, one core"),
)


# ---- measuring ----

def _echo(workspace):
    """Round trips of 50 connections, server and load on cores of their own: the steadiest there is."""
    server_cpus, client_cpus = own_cores()
    peer = Echo(workspace)
    peer.name, peer.cores = "limit", len(server_cpus)
    try:
        peer.start(server_cpus)
        found = workspace.run(
            [workspace.build / "kesher-bench", "ask", "--server", peer.address, "--json", "--protocol", "echo",
             "--connections", ECHO_CONNECTIONS, "--duration", ECHO_SECONDS, "--warm-up", ECHO_WARM_UP],
            cpus=client_cpus, is_told=False)
        return json.loads(found.output)["requests_per_second"]
    finally:
        peer.stop()


def _sync(workspace):
    return 1e6 / sync_microseconds(workspace.path, SYNC_SECONDS)[0]


def _compute(_workspace):
    content = bytes(HASHED_BYTES)
    begin = time.monotonic()
    for _ in range(HASHES):
        hashlib.sha256(content).digest()
    return HASHES / (time.monotonic() - begin)


_MEASURES = {"echo": _echo, "sync": _sync, "compute": _compute}


def measure(workspace):
    """Each limit's figure, and why there is none of some."""
    figures, reasons = {}, []
    for key, function in _MEASURES.items():
        try:
            figures[key] = function(workspace)
        except (Failed, OSError, LookupError, ValueError) as error:
            reasons.append(f"limit {key}: {workspace.without_paths(str(error) or type(error).__name__)}")
    return figures, reasons


def signatures(workspace):
    """How many ECDSA P-256 signatures one core makes in a second. Told beside handshakes alone, each of which needs one;
    so it is not measured in every row."""
    told = workspace.run(["openssl", "speed", "-seconds", "1", "-mr", "ecdsap256"]).output
    return float(re.search(r"^\+F4:\d+:256:([\d.]+):", told, re.M)[1])


# ---- telling ----

def ranges(rounds):
    """key -> (median, least, most) of what the rounds found."""
    found = {}
    for limit in LIMITS:
        figures = [figures[limit.key] for figures in rounds if limit.key in figures]
        if figures:
            found[limit.key] = (summary.median(figures), min(figures), max(figures))
    return found


def changed(rounds):
    """The limits whose largest and smallest figure lie more than a fifth apart."""
    found = ranges(rounds)
    return [limit for limit in LIMITS if limit.key in found
            and found[limit.key][2] > MOST_CHANGE * found[limit.key][1]]


def complaint(rounds):
    """Says that the machine was not the same throughout, and in what; empty when it was."""
    found = ranges(rounds)
    told = [f"{limit.name} {summary.span(*found[limit.key][1:])}/s" for limit in changed(rounds)]
    return f"the machine was not the same throughout: {', '.join(told)}" if told else ""


def summed_up(rounds):
    """All limits in one sentence; empty when none was measured."""
    return ", ".join(f"{limit.name} {described(rounds, limit.key)}/s" for limit in LIMITS
                     if limit.key in ranges(rounds))


def described(rounds, key):
    """Median and range, for a table or a sentence: "140 k (88–150 k)"."""
    if key not in ranges(rounds):
        return "–"
    middle, least, most = ranges(rounds)[key]
    return f"{summary.short(middle)} ({summary.span(least, most)})"
