"""Rows of files: one large one, and many small ones."""

import os
import time

from model import LIMIT, OURS, Contender, Curve, Metric, Row, Target
from peers import Kesherd, RsyncDaemon, Sshd
from workspace import Failed, find_program

MIB = 1 << 20
LARGEST = 4294967023  # bytes: what fits the protocol's 32 bits
_BLOCK = os.urandom(MIB)  # what files are made of: no two blocks of a file are the same


def _make_file(path, size):
    with path.open("wb") as file:
        for offset in range(0, size, MIB):
            block = offset.to_bytes(8, "little") + _BLOCK[8:]
            file.write(block[: min(MIB, size - offset)])


def files(measurement):
    """The files to send: `files` of `size` bytes, made once and kept until another load."""
    load = measurement.load
    directory = measurement.workspace.path / f"source-{load['files']}-{load['size']}"
    paths = [directory / f"file{i:06}" for i in range(load["files"])]
    if not directory.exists():
        for other in measurement.workspace.path.glob("source-*"):
            measurement.workspace.discard(other)
        directory.mkdir()
        for path in paths:
            _make_file(path, load["size"])
    os.sync()  # nobody pays for what another has left to write
    return paths


def sample_of(load, seconds, server_seconds=None, client_seconds=None):
    """One number for both rows: MiB/s for one file, files/s for many. CPU is per MiB, or per file."""
    amount = load["size"] / MIB if load["files"] == 1 else load["files"]
    if load.get("per_file"):
        amount = load["files"]
    sample = {"value": amount / seconds, "file_us": seconds * 1e6 / load["files"]}
    if server_seconds is not None:
        sample["server_cpu_us"] = server_seconds * 1e6 / amount
    if client_seconds is not None:
        sample["client_cpu_us"] = client_seconds * 1e6 / amount
    return sample


def timed(measurement, command, **options):
    outcome, server_seconds = measurement.client(command, **options)
    return sample_of(measurement.load, outcome.seconds, server_seconds, outcome.cpu_seconds)


def check(measurement, directory, paths):
    """All files arrived, with the size they should have."""
    arrived = [path for path in directory.rglob("*") if path.is_file()]
    sizes = {path.stat().st_size for path in arrived}
    if len(arrived) != len(paths) or sizes != {measurement.load["size"]}:
        raise Failed(f"{len(arrived)} of {len(paths)} files arrived, with {sorted(sizes)[:3]} bytes")


# ---- contenders ----

def _kesher_put(measurement):
    paths = files(measurement)
    workspace, peer = measurement.workspace, measurement.peer
    home = workspace.directory("home")
    kesher = [workspace.build / "kesher", "--home", home, "--server", peer.address]
    workspace.run([*kesher, "register", "bench"])
    pipeline = ["--pipeline"] if len(paths) > 1 else []
    sample = timed(measurement, [*kesher, "put", "--quiet", *pipeline, *paths])
    check(measurement, peer.data / "files", paths)
    return sample


def _kesher_bench(measurement):
    load = measurement.load
    depth = min(64, load["files"])
    os.sync()
    found = measurement.generator("upload", size=load["size"], files=load["files"], connections=1, depth=depth)
    return sample_of(load, found["files"] / found["files_per_second"], found["server_cpu_seconds"])


def scp(measurement):
    paths, peer = files(measurement), measurement.peer
    sample = timed(measurement, [find_program("scp"), "-q", "-P", peer.port, *peer.options(), *paths,
                                  f"127.0.0.1:{peer.target}/"])
    check(measurement, peer.target, paths)
    return sample


def sftp(measurement):
    paths, peer = files(measurement), measurement.peer
    batch = "".join(f"put -f {path} {peer.target}/\n" for path in paths)
    sample = timed(measurement, [find_program("sftp"), "-q", "-P", peer.port, *peer.options(), "-b", "-",
                                  "127.0.0.1"], text=batch)
    check(measurement, peer.target, paths)
    return sample


def rsync_ssh(measurement):
    paths, peer = files(measurement), measurement.peer
    shell = " ".join(str(word) for word in ["ssh", "-p", peer.port, *peer.options()])
    sample = timed(measurement, [find_program("rsync"), "--whole-file", "--fsync", "-e", shell, *paths,
                                  f"127.0.0.1:{peer.target}/"])
    check(measurement, peer.target, paths)
    return sample


def _rsync_daemon(measurement):
    paths, peer = files(measurement), measurement.peer
    sample = timed(measurement, [find_program("rsync"), "--whole-file", "--fsync", *paths,
                                  f"rsync://127.0.0.1:{peer.port}/drop/"])
    check(measurement, measurement.workspace.path / "rsync-target", paths)
    return sample


def _encryption(measurement):
    """What one core encrypts: nobody who encrypts on one core can send faster."""
    seconds = max(1, round(measurement.seconds / 2))
    outcome = measurement.workspace.run([find_program("openssl"), "speed", "-mr", "-elapsed", "-seconds", seconds,
                                         "-bytes", "65536", "-evp", "aes-128-cbc"])
    rates = [float(line.rpartition(":")[2]) for line in outcome.output.splitlines() if line.startswith("+F:")]
    return sample_of(measurement.load, measurement.load["size"] / rates[0])


def _one_by_one(measurement):
    """Files made safe one after the other: written, synced, renamed, and the directory synced."""
    directory = measurement.workspace.directory("one-by-one")
    content = os.urandom(measurement.load["size"])
    os.sync()
    folder = os.open(directory, os.O_RDONLY)
    begin = time.monotonic()
    for i in range(measurement.load["files"]):
        staged = directory / "staged"
        file = os.open(staged, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(file, content)
        os.fsync(file)
        os.close(file)
        os.rename(staged, directory / f"file{i:06}")
        os.fsync(folder)
    seconds = time.monotonic() - begin
    os.close(folder)
    measurement.workspace.discard(directory)
    return sample_of(measurement.load, seconds)


def _contenders(workspace, is_large):
    kesherd, sshd, rsyncd = Kesherd(workspace), Sshd(workspace), RsyncDaemon(workspace)
    synced = "acknowledged = synced"
    pipeline = "" if is_large else "--pipeline; "
    contenders = [
        Contender("kesher put", kesherd, _kesher_put, OURS,
                  f"{pipeline}encrypted (AES-128-CBC), checksum compared, {synced}; start of the client included"),
        Contender("kesher-bench upload", kesherd, _kesher_bench, OURS,
                  f"the same from the load generator, without starting a program and reading a file; {synced}"),
        Contender("scp", sshd, scp, note="aes128-gcm, its fastest cipher; does not wait for the disk"),
        Contender("sftp -f", sshd, sftp, note=f"aes128-gcm; {synced}, file by file"),
        Contender("rsync --fsync, ssh", sshd, rsync_ssh, note=f"aes128-gcm; {synced}, file by file"),
        Contender("rsync --fsync, daemon", rsyncd, _rsync_daemon, note=f"not encrypted; {synced}, file by file"),
    ]
    if is_large:
        contenders.append(Contender("AES-128-CBC, one core", None, _encryption, LIMIT,
                                    "openssl speed: the ceiling of whoever encrypts so on one core"))
    else:
        contenders.append(Contender("one by one", None, _one_by_one, LIMIT,
                                    "create, sync, rename, sync the directory: what the disk lets do in turn"))
    return contenders


def metrics(unit, of):
    return [
        Metric("value", "throughput", unit, "more"),
        Metric("file_us", "time for a file", "µs", kind="microseconds"),
        Metric("server_cpu_us", f"server's CPU per {of}", "µs", kind="microseconds"),
        Metric("client_cpu_us", f"client's CPU per {of}", "µs", kind="microseconds"),
    ]


def upload_large(workspace):
    sizes = [1 << 10, 16 << 10, 256 << 10, 4 << 20, 64 << 20, 1 << 30]
    return Row(
        "upload-large", "Upload of 1 GiB",
        "One client sends one file over the loopback interface. The clock runs from the start of the client program "
        "until its end, for every contender but kesher-bench.",
        metrics("MiB/s", "MiB"), _contenders(workspace, True), {"files": 1, "size": 1 << 30},
        [Target("at least 2 × scp", ("scp",), 2.0),
         Target("at least 0.75 × what one core encrypts", ("AES-128-CBC, one core",), 0.75)],
        [Curve("size", "size of the file", sizes, [LARGEST], "bytes", "Upload of one file, by its size",
               3, ("AES-128-CBC, one core",))],
        panels=("value", "file_us", "server_cpu_us"), quick={"size": 16 << 20})


def upload_many(workspace):
    return Row(
        "upload-many", "Upload of 1000 files of 10 KiB",
        "One client sends 1000 files on one connection, each of them acknowledged; the clock runs as for one file.",
        metrics("files/s", "file"), _contenders(workspace, False),
        {"files": 1000, "size": 10 << 10, "per_file": 1},
        [Target("at least 2 × the best of sftp -f and rsync --fsync",
                ("sftp -f", "rsync --fsync, ssh", "rsync --fsync, daemon"), 2.0),
         Target("above what the disk lets do one by one", ("one by one",), 1.0)],
        [Curve("files", "files of 10 KiB", [1, 10, 100, 1000], [10000],
               heading="Upload of files of 10 KiB, by number", rounds=3)],
        panels=("value", "file_us", "server_cpu_us"), quick={"files": 50})


ROWS = {"upload-large": upload_large, "upload-many": upload_many}
