"""Rows of memory: idle connections, messages that wait, and registered users."""

import time
from pathlib import Path

from model import OURS, Contender, Curve, Metric, Row, Target
from peers import Kesherd, Memcached, Mosquitto, Nginx, Redis
from workspace import Failed


def _idle(protocol):
    def measure(measurement):
        found = measurement.generator("idle", protocol=protocol, connections=measurement.load["connections"],
                                      duration=min(1.0, measurement.seconds))
        return {"value": found["server_resident_bytes_per_connection"]}
    return measure


def idle(workspace):
    contenders = [
        Contender("kesher", Kesherd(workspace), _idle("kesher"), OURS, "connections to the port of files and messages"),
        Contender("nginx", Nginx(workspace), _idle("plain"),
                  note="growth only: what it allots for connections at its start is not counted"),
        Contender("memcached", Memcached(workspace), _idle("plain")),
        Contender("Mosquitto", Mosquitto(workspace), _idle("mqtt"), note="with a session"),
        Contender("Redis", Redis(workspace), _idle("plain")),
    ]
    return Row(
        "idle", "10 000 idle connections",
        "Connections that were accepted and do nothing: how much the server's resident memory grows, for each.",
        [Metric("value", "memory of the server per connection", "bytes", kind="count")],
        contenders, {"connections": 10000}, [Target("at most 512 bytes", bound=512)],
        [Curve("connections", "connections", [100, 1000, 10000], [20000], heading="Idle connections")],
        panels=("value",), rounds=3, quick={"connections": 500})


# ---- what /proc tells ----

def _memory(pid, name):
    """A line of /proc's status, in bytes: VmRSS, VmHWM."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"no {name} of process {pid}")


def _resident(pid):
    """Exact, where VmRSS may lag behind."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise Failed(f"no Rss of process {pid}")


# ---- waiting messages ----

_SENDERS, _DEPTH = 64, 256  # enough that filling does not take for ever


def _waiting(protocol):
    def measure(measurement):
        peer, load = measurement.peer, measurement.load
        time.sleep(0.2)
        empty = _resident(peer.pid)
        filled = measurement.generator("send", protocol=protocol, connections=_SENDERS, depth=_DEPTH,
                                       messages=load["messages"], size=load["size"], keep=True)
        time.sleep(1)  # what is still being filed
        full = _resident(peer.pid)
        return {"value": full / (1 << 20), "growth_bytes": max(0, full - empty) / load["messages"],
                "messages_per_second": filled["messages_per_second"]}
    return measure


def memory_waiting(workspace):
    contenders = [
        Contender("kesher", Kesherd(workspace), _waiting("kesher"), OURS, "they wait on the disk"),
        Contender("Redis", Redis(workspace), _waiting("redis"),
                  note="LPUSH; all in memory and nowhere else (appendonly no), so it is filled faster than durably"),
    ]
    return Row(
        "memory-waiting", "Memory with 10 000 000 waiting messages",
        f"{_SENDERS} connections send messages of 64 bytes to as many receivers, who never fetch them: the resident "
        "memory of the server when all of them wait.",
        [Metric("value", "resident memory", "MiB"),
         Metric("growth_bytes", "growth per message", "bytes"),
         Metric("messages_per_second", "filled with", "messages/s", "more")],
        contenders, {"messages": 10_000_000, "size": 64}, [Target("not above Redis", ("Redis",), 1.0)],
        [Curve("messages", "waiting messages", [100_000, 1_000_000, 10_000_000],
               heading="Memory, by waiting messages")],
        panels=("value", "growth_bytes"), rounds=1, quick={"messages": 20_000})


# ---- users ----

def _users(measurement):
    """Registers them, starts the server again, and then lists them all."""
    peer, count = measurement.peer, measurement.load["count"]
    time.sleep(0.2)
    empty = _resident(peer.pid)
    registered = measurement.generator("users", count=count)
    peer.keep_data = True
    try:
        peer.stop()
        peer.start()
        time.sleep(0.2)
        full = _resident(peer.pid)
        Path(f"/proc/{peer.pid}/clear_refs").write_text("5")  # the high-water mark begins anew
        listed = measurement.generator("users", count=1)
        peak = _memory(peer.pid, "VmHWM")
    finally:
        peer.keep_data = False
    sample = {
        "value": max(0, full - empty) / count,
        "start_seconds": peer.start_seconds,
        "registrations_per_second": registered["users_per_second"],
        "list_growth": max(0, peak - full) / (1 << 20),
    }
    for name in ("list_seconds", "listed_users_per_second"):
        if name in listed:
            sample[name] = listed[name]
    return sample


def users(workspace):
    return Row(
        "users", "1 000 000 registered users",
        "Users are registered; the server is stopped and started on its data, which is timed; then a newcomer lists "
        "them all. Memory per user is what the restarted server has more than an empty one.",
        [Metric("value", "memory per user", "bytes"),
         Metric("start_seconds", "start of the server", "s"),
         Metric("registrations_per_second", "registrations", "users/s", "more"),
         Metric("list_seconds", "list of all users", "s"),
         Metric("list_growth", "memory that the list takes", "MiB")],
        [Contender("kesher", Kesherd(workspace), _users, OURS, "registered = on the disk")],
        {"count": 1000000},
        [Target("start-up at most 2 s", bound=2.0, metric="start_seconds"),
         Target("at most 300 bytes each", bound=300),
         Target("list streamed in constant memory: at most 8 MiB more", bound=8, metric="list_growth")],
        [Curve("count", "registered users", [1000, 10000, 100000, 1000000], [1], heading="Registered users")],
        panels=("value", "start_seconds", "registrations_per_second", "list_seconds"), rounds=1, quick={"count": 2000})


ROWS = {"idle": idle, "memory-waiting": memory_waiting, "users": users}
