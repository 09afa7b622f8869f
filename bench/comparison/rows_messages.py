"""Rows of small requests: durable messages, group chat, ask."""

import re

import summary
from model import LIMIT, OURS, Contender, Curve, Metric, Row, Target, rate_metrics, tail_target
from peers import Echo, Kesherd, Memcached, Mosquitto, Nats, Ngircd, Postgres, Redis
from workspace import Failed


_LOADS, _FAR = [1, 16, 50, 200, 1000], [5000, 20000]  # connections
_MEMBERS = [2, 10, 50, 100, 200, 1000]  # of a group
_TURNS = 3  # of everybody at each load
_NO_LATER = "99th percentile not above the best peer's"


def _send(protocol):
    def measure(measurement):
        load = measurement.load
        return measurement.rate("send", "messages", protocol=protocol, connections=load["connections"],
                                depth=load["depth"], size=load["size"], duration=measurement.seconds)
    return measure


def _pgbench(measurement):
    """One insert is one transaction; of its log, which has every twentieth, come the percentiles."""
    peer, workspace, load = measurement.peer, measurement.workspace, measurement.load
    logs = workspace.directory("pgbench")
    threads = min(peer.cores, load["connections"])
    seconds = max(1, round(measurement.seconds), load["connections"] // 200)  # many take a while to be ready
    outcome, server_seconds = measurement.client(
        [peer.programs / "pgbench", "-n", "-M", "prepared", "-c", load["connections"], "-j", threads,
         "-T", seconds, "-f", workspace.path / peer.name / "insert.sql",
         "--log", "--sampling-rate=0.05", f"--log-prefix={logs}/log", "-h", "127.0.0.1", "-p", peer.port,
         "-U", "bench", "postgres"])
    found = re.search(r"^tps = ([\d.]+)", outcome.output, re.M)
    done = re.search(r"^number of transactions actually processed: (\d+)", outcome.output, re.M)
    failed = re.search(r"^number of failed transactions: (\d+)", outcome.output, re.M)
    if not found or not done or (failed and int(failed[1])):
        raise Failed(f"pgbench: {outcome.output.splitlines()[-1:]}")
    times = sorted(int(line.split()[2]) for path in logs.iterdir() for line in path.read_text().splitlines())
    sample = {"value": float(found[1]), "server_cpu_us": server_seconds * 1e6 / int(done[1])}
    if times:
        sample.update(latency_p50_us=summary.median(times), latency_p99_us=times[len(times) * 99 // 100])
    return sample


def messages(workspace):
    contenders = [
        Contender("kesher", Kesherd(workspace), _send("kesher"), OURS, "acknowledged = on the disk"),
        Contender("Redis", Redis(workspace, durable=True), _send("redis"),
                  note="LPUSH; appendfsync always: acknowledged = on the disk"),
        Contender("PostgreSQL", Postgres(workspace), _pgbench,
                  note="pgbench, one insert is one transaction; acknowledged = on the disk",
                  most={"connections": 1000}),
        Contender("Mosquitto", Mosquitto(workspace), _send("mqtt"),
                  note="QoS 1; acknowledged from memory: a power cut loses it"),
    ]
    durable = ("Redis", "PostgreSQL")  # who promises as much
    return Row(
        "messages", "Small durable messages",
        "50 connections send messages of 64 bytes, each waiting for the acknowledgement before it sends the next.",
        rate_metrics("messages/s", "message"), contenders, {"connections": 50, "depth": 1, "size": 64},
        [Target("at least 1.5 × Redis", ("Redis",), 1.5), Target("above Mosquitto", ("Mosquitto",), 1.0),
         tail_target("99th percentile not above the best durable peer's", durable)],
        [Curve("connections", "connections", _LOADS, _FAR, heading="Durable messages, by connections",
               rounds=_TURNS)],
        rivals=durable, can_be_pinned=True)


# ---- group chat ----

def _chat(protocol):
    def measure(measurement):
        load = measurement.load
        return measurement.rate("chat", "deliveries", protocol=protocol, members=load["members"],
                                writers=load["writers"], window=load["window"], size=load["size"],
                                duration=measurement.seconds)
    return measure


def _chatters(workspace):
    return [
        Contender("kesher", Kesherd(workspace, service="chat"), _chat("kesher"), OURS,
                  "line mode; every member gets the same order"),
        Contender("Redis", Redis(workspace), _chat("redis"), note="PUBLISH"),
        Contender("NATS", Nats(workspace), _chat("nats"), note="PUB; no order over all writers is promised"),
        Contender("ngIRCd", Ngircd(workspace), _chat("irc"), note="PRIVMSG to a channel; no penalty for the talkative",
                  most={"members": 1000}),
        Contender("Mosquitto", Mosquitto(workspace), _chat("mqtt"), note="QoS 0"),
    ]


_CHAT_RIVALS = ("Redis", "NATS", "ngIRCd", "Mosquitto")
_CHAT_TARGETS = [Target("at least 1.5 × the best", _CHAT_RIVALS, 1.5), tail_target(_NO_LATER, _CHAT_RIVALS)]


def group_1(workspace):
    return Row(
        "group-1", "Group of 100, one line at a time",
        "One member writes lines of 64 bytes; the next one when all 99 others have the line before. Deliveries count.",
        rate_metrics("deliveries/s", "delivery"), _chatters(workspace),
        {"members": 100, "writers": 1, "window": 1, "size": 64}, _CHAT_TARGETS,
        [Curve("members", "members", _MEMBERS, [5000], heading="Group, one line at a time, by members",
               rounds=_TURNS)],
        rivals=_CHAT_RIVALS, is_pinned=True, can_be_pinned=True, quick={"members": 20})


def group_wide(workspace):
    return Row(
        "group-wide", "Group of 100, 256 lines on their way",
        "One member writes lines of 64 bytes, and is up to 256 lines ahead of the slowest of the 99 others.",
        rate_metrics("deliveries/s", "delivery"), _chatters(workspace),
        {"members": 100, "writers": 1, "window": 256, "size": 64}, _CHAT_TARGETS,
        [Curve("window", "lines on their way", [1, 4, 16, 64, 256, 1024],
               heading="Group of 100, by lines on their way"),
         Curve("members", "members", _MEMBERS, [5000], heading="Group, 256 lines on their way, by members",
               rounds=_TURNS)],
        rivals=_CHAT_RIVALS, can_be_pinned=True, quick={"members": 20})


# ---- ask ----

def _ask(protocol):
    def measure(measurement):
        load = measurement.load
        return measurement.rate("ask", "requests", protocol=protocol, connections=load["connections"],
                                depth=load["depth"], duration=measurement.seconds)
    return measure


def _answerers(workspace):
    return [
        Contender("kesher", Kesherd(workspace, service="ask"), _ask("kesher"), OURS, "NAME"),
        Contender("Redis", Redis(workspace), _ask("redis"), note="PING"),
        Contender("memcached", Memcached(workspace), _ask("memcached"), note="mn"),
        Contender("bare echo", Echo(workspace), _ask("echo"), LIMIT,
                  "sends back what comes, with as many threads as kesherd has workers: what the kernel allows"),
    ]


_ASK_RIVALS = ("Redis", "memcached")
_ASK_TARGETS = [
    Target("at least the best", _ASK_RIVALS, 1.0),
    Target("at least 0.95 × the bare echo", ("bare echo",), 0.95),
    tail_target(_NO_LATER, _ASK_RIVALS),
]


def ask_1(workspace):
    return Row(
        "ask-1", "Ask, one request at a time",
        "50 connections, each with one request on its way.",
        rate_metrics("requests/s", "request"), _answerers(workspace), {"connections": 50, "depth": 1}, _ASK_TARGETS,
        [Curve("connections", "connections", _LOADS, _FAR, heading="Ask, one request at a time, by connections",
               rounds=_TURNS)],
        rivals=_ASK_RIVALS, is_pinned=True, can_be_pinned=True)


def ask_16(workspace):
    return Row(
        "ask-16", "Ask, 16 requests at a time",
        "50 connections, each with 16 requests on their way.",
        rate_metrics("requests/s", "request"), _answerers(workspace), {"connections": 50, "depth": 16}, _ASK_TARGETS,
        [Curve("connections", "connections", _LOADS, heading="Ask, 16 requests at a time, by connections",
               rounds=_TURNS),
         Curve("depth", "requests on their way, each connection", [1, 4, 16, 64, 256],
               heading="Ask on 50 connections, by requests on their way")],
        rivals=_ASK_RIVALS, can_be_pinned=True)


# ---- waiting messages ----

def _pull(measurement):
    load = measurement.load
    found = measurement.generator("pull", connections=load["connections"], messages=load["messages"],
                                  size=load["size"])
    sample = {"value": found["messages_per_second"], "server_cpu_us": found["server_cpu_us_per_message"]}
    if "first_message_p50_us" in found:
        sample["first_us"] = found["first_message_p50_us"]
    return sample


def waiting(workspace):
    return Row(
        "waiting", "Pull of 100 000 waiting messages",
        "One receiver fetches all messages of 64 bytes that wait for it, in order. No peer has this very operation.",
        [Metric("value", "throughput", "messages/s", "more"),
         Metric("first_us", "until the first message", "µs", kind="microseconds"),
         Metric("server_cpu_us", "server's CPU per message", "µs")],
        [Contender("kesher", Kesherd(workspace), _pull, OURS, "each deleted only when its receiver has it")],
        {"connections": 1, "messages": 100000, "size": 64}, [],
        [Curve("messages", "waiting messages", [1, 100, 10000, 100000], [1000000],
               heading="Pull, by waiting messages")],
        panels=("value", "first_us", "server_cpu_us"), rounds=3, quick={"messages": 1000})


ROWS = {"messages": messages, "waiting": waiting, "group-1": group_1, "group-wide": group_wide, "ask-1": ask_1,
        "ask-16": ask_16}
