"""Rows of the secure port: handshakes, group chat and idle connections over TLS."""

import os

from limits import signatures
from model import LIMIT, OURS, Contender, Curve, Metric, Row, Target, rate_metrics
from secure_peers import SecureKesherd, SecureMosquitto, SecureNats, SecureNginx, SecureNgircd, SecureRedis

_TLS = "Over TLS 1.3: TLS_AES_128_GCM_SHA256, X25519, one ECDSA P-256 key and certificate for all."


# ---- handshakes ----

def _handshakes(protocol):
    """The server's CPU is that of all its processes, from the first connection to the last: there is no warm-up."""
    def measure(measurement):
        load = measurement.load
        before = measurement.peer.cpu_seconds()
        found = measurement.generator("handshake", protocol=protocol, connections=load["connections"],
                                      threads=load["threads"], duration=measurement.seconds, warm_up=0)
        cpu = measurement.peer.cpu_seconds() - before
        sample = {name: found[name] for name in found if name.startswith("latency_")}
        return {**sample, "value": found["handshakes_per_second"],
                "server_cpu_us": cpu * 1e6 / found["handshakes"], "per_core": found["handshakes"] / cpu}
    return measure


def _signatures(measurement):
    rate = signatures(measurement.workspace)
    return {"value": rate, "per_core": rate}


def handshakes(workspace):
    cores = len(os.sched_getaffinity(0))
    contenders = [
        Contender("kesher", SecureKesherd(workspace), _handshakes("kesher"), OURS,
                  "the secure port: one worker fewer than cores, and threads for handshakes"),
        Contender("nginx", SecureNginx(workspace, workers="auto"), _handshakes("plain"),
                  note="as many workers as cores; no session cache, no tickets"),
        Contender("openssl speed", None, _signatures, LIMIT,
                  "`openssl speed ecdsap256` on one core: signatures a second, of which a handshake needs one"),
    ]
    # From 128 handshakes at a time on kesherd drops some by chance, whoever asks.
    return Row(
        "handshakes", "TLS handshakes",
        f"64 connections at a time, each of which shakes hands in full, without resumption, and ends. {_TLS} Server and "
        "generator share all cores, and a client's part costs more than a server's: so the generator has as many "
        "threads as there are cores, and what tells how much the server does is the rate for each second of its CPU.",
        [Metric("value", "handshakes", "1/s", "more"),
         Metric("latency_p50_us", "latency, median", "µs", kind="microseconds"),
         Metric("latency_p99_us", "latency, 99th percentile", "µs", kind="microseconds"),
         Metric("server_cpu_us", "server's CPU per handshake", "µs"),
         Metric("per_core", "for a second of the server's CPU", "1/s", "more")],
        contenders, {"connections": 64, "threads": cores},
        [Target("at least nginx", ("nginx",), 1.0)],
        [Curve("connections", "connections at a time", [cores, 16, 64, 112], heading="TLS handshakes, by connections",
               without=("openssl speed",))],
        panels=("value", "latency_p99_us", "per_core"))


# ---- group chat ----

def _chat(protocol):
    def measure(measurement):
        load = measurement.load
        return measurement.rate("chat", "deliveries", protocol=protocol, secure=True, members=load["members"],
                                writers=load["writers"], window=load["window"], size=load["size"],
                                duration=measurement.seconds)
    return measure


_RIVALS = ("NATS", "Mosquitto", "ngIRCd")


def _group(name, title, what, members, window, target, pinned):
    """A row of a group of so many; `what` says what its writer does."""
    def row(workspace):
        contenders = [
            Contender("kesher", SecureKesherd(workspace), _chat("kesher"), OURS,
                      "the secure port: every member has signed in, and gets the same order"),
            Contender("NATS", SecureNats(workspace), _chat("nats"), note="PUB; no order over all writers is promised"),
            Contender("Mosquitto", SecureMosquitto(workspace), _chat("mqtt"), note="QoS 0"),
            Contender("ngIRCd", SecureNgircd(workspace), _chat("irc"),
                      note="PRIVMSG to a channel; no penalty for the talkative"),
        ]
        return Row(
            name, title, f"{what} {_TLS}", rate_metrics("deliveries/s", "delivery"), contenders,
            {"members": members, "writers": 1, "window": window, "size": 64}, [target],
            rivals=_RIVALS, is_pinned=pinned, can_be_pinned=True, rounds=3 if members > 100 else None,
            quick={"members": members // 5})
    return row


def _group_1(name, members):
    return _group(name, f"Secure group of {members}, one line at a time",
                  "One member writes lines of 64 bytes; the next one when all others have the line before. "
                  "Deliveries count.",
                  members, 1, Target("at least the best", _RIVALS, 1.0), True)


def _group_wide(name, members):
    return _group(name, f"Secure group of {members}, 256 lines on their way",
                  "One member writes lines of 64 bytes, and is up to 256 lines ahead of the slowest of the others.",
                  members, 256, Target("at least 1.5 × the best", _RIVALS, 1.5), False)


# ---- idle connections ----

def _idle(protocol):
    def measure(measurement):
        found = measurement.generator("idle", protocol=protocol, secure=True,
                                      connections=measurement.load["connections"],
                                      duration=min(1.0, measurement.seconds))
        return {"value": found["server_resident_bytes_per_connection"]}
    return measure


def idle(workspace):
    contenders = [
        Contender("kesher", SecureKesherd(workspace), _idle("kesher"), OURS,
                  "every connection has signed in; 200 accounts, 50 connections each"),
        Contender("nginx", SecureNginx(workspace), _idle("plain"),
                  note="growth only: what it allots for connections at its start is not counted"),
        Contender("Mosquitto", SecureMosquitto(workspace), _idle("mqtt"), note="with a session"),
        Contender("Redis", SecureRedis(workspace), _idle("plain")),
    ]
    return Row(
        "secure-idle", "10 000 idle secure connections",
        f"Connections that have shaken hands and do nothing: how much the server's resident memory grows, for each. "
        f"{_TLS}",
        [Metric("value", "memory of the server per connection", "bytes", kind="count")],
        contenders, {"connections": 10000}, [Target("below the best", ("nginx", "Mosquitto", "Redis"), 1.0)],
        [Curve("connections", "connections", [100, 1000, 10000], [20000], heading="Idle secure connections")],
        panels=("value",), rounds=3, quick={"connections": 500})


_SMALL_1, _SMALL_WIDE = "secure-group-1", "secure-group-wide"
_LARGE_1, _LARGE_WIDE = "secure-group-1-1000", "secure-group-wide-1000"
ROWS = {
    "handshakes": handshakes,
    _SMALL_1: _group_1(_SMALL_1, 100), _SMALL_WIDE: _group_wide(_SMALL_WIDE, 100),
    _LARGE_1: _group_1(_LARGE_1, 1000), _LARGE_WIDE: _group_wide(_LARGE_WIDE, 1000),
    "secure-idle": idle,
}
