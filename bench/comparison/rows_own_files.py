"""Rows of own files over the secure port: put and got, one large one and many small ones.

The programs themselves are measured, as people use them, from their start to their end. All encrypt with AES-128-GCM, and
all read what is in the page cache.
"""

import os

from model import LIMIT, OURS, Contender, Row, Target
from peers import Sshd
from rows_files import MIB, check, files, metrics, rsync_ssh, sample_of, scp, sftp, timed
from secure_peers import SecureKesherd, SecureNginx
from workspace import find_program

_SYNCED = "acknowledged = synced"
_CIPHER = "aes128-gcm"
_DISK = f"{_CIPHER}; does not wait for the disk"
_WHAT = ("The programs are measured from their start to their end; all of them encrypt with AES-128-GCM, and read what is "
         "in the page cache.")


class FileNginx(SecureNginx):
    """It serves the workspace, with as many workers as cores."""

    def __init__(self, workspace):
        super().__init__(workspace, workers="auto")

    def _text(self):
        return super()._text().replace("return 204;", f"root {self.workspace.path};")


# ---- put ----

def _kesher(measurement):
    workspace = measurement.workspace
    command = [workspace.build / "kesher", "--home", workspace.directory("home")]
    workspace.run([*command, "--server", f"kesher://{measurement.peer.address}/", "register", "bench"], is_told=False)
    return command


def _kesher_put(measurement):
    paths, command = files(measurement), _kesher(measurement)
    sample = timed(measurement, [*command, "put", "--quiet", *paths])
    check(measurement, measurement.peer.data / "files", paths)
    return sample


def _encryption(measurement):
    """What the cores encrypt and decrypt, both ends together: records of TLS have up to 16 KiB."""
    seconds = max(1, round(measurement.seconds / 2))
    outcome = measurement.workspace.run([find_program("openssl"), "speed", "-mr", "-elapsed", "-seconds", seconds,
                                         "-bytes", "16384", "-aead", "-evp", "aes-128-gcm"])
    rates = [float(line.rpartition(":")[2]) for line in outcome.output.splitlines() if line.startswith("+F:")]
    both_ends = 2 / len(os.sched_getaffinity(0))
    return sample_of(measurement.load, measurement.load["size"] / rates[0] * both_ends)


_LIMIT = Contender("AES-128-GCM, both ends", None, _encryption, LIMIT,
                   "openssl speed: what all cores encrypt and decrypt who do nothing else")


def _disk(measurement):
    """What it takes to have as many bytes on the disk, with nothing else to do."""
    path, target = files(measurement)[0], measurement.workspace.path / "on-disk"
    os.sync()
    outcome = measurement.workspace.run([find_program("dd"), f"if={path}", f"of={target}", "bs=1M", "oflag=direct",
                                         "conv=fsync", "status=none"])
    target.unlink()
    return sample_of(measurement.load, outcome.seconds)


_DISK_LIMIT = Contender("dd to the disk", None, _disk, LIMIT,
                        "the file is written past the page cache, and synced: the ceiling of whoever waits for the disk")


# ---- get ----

def _warm(directory):
    """Everything in a directory is in the page cache, and nothing is left to be written."""
    os.sync()
    for path in directory.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                while file.read(MIB):
                    pass


def _target(measurement):
    return measurement.workspace.directory("got")


def _got(measurement, paths, sample):
    target = measurement.workspace.path / "got"
    check(measurement, target, paths)
    measurement.workspace.discard(target)
    return sample


def _kesher_get(measurement):
    paths, command = files(measurement), _kesher(measurement)
    measurement.workspace.run([*command, "put", "--quiet", *paths], is_told=False)
    _warm(measurement.peer.data / "files")
    return _got(measurement, paths, timed(
        measurement, [*command, "get", "--quiet", "--save-to", _target(measurement), "file*"]))


def _remote(measurement):
    """The files, and the directory that has them, as ssh and its kin name it."""
    paths = files(measurement)
    _warm(paths[0].parent)
    return paths, f"127.0.0.1:{paths[0].parent}"


def _scp_get(measurement):
    (paths, source), peer = _remote(measurement), measurement.peer
    return _got(measurement, paths, timed(
        measurement, [find_program("scp"), "-q", "-r", "-P", peer.port, *peer.options(), f"{source}/.",
                      _target(measurement)]))


def _sftp_get(measurement):
    (paths, _source), peer = _remote(measurement), measurement.peer
    target = _target(measurement)
    batch = "".join(f"get -f {path} {target}/\n" for path in paths)
    return _got(measurement, paths, timed(
        measurement, [find_program("sftp"), "-q", "-P", peer.port, *peer.options(), "-b", "-", "127.0.0.1"], text=batch))


def _rsync_get(measurement):
    (paths, source), peer = _remote(measurement), measurement.peer
    shell = " ".join(str(word) for word in ["ssh", "-p", peer.port, *peer.options()])
    return _got(measurement, paths, timed(
        measurement, [find_program("rsync"), "-r", "--whole-file", "--fsync", "-e", shell, f"{source}/",
                      f"{_target(measurement)}/"]))


def _curl(measurement):
    (paths, _source), target = _remote(measurement), _target(measurement)
    url = f"https://{measurement.peer.address}/{paths[0].parent.name}/{paths[0].name}"
    return _got(measurement, paths, timed(
        measurement, [find_program("curl"), "--silent", "--fail", "--insecure", "--http1.1", "--tls13-ciphers",
                      "TLS_AES_128_GCM_SHA256", "--tlsv1.3", "--output", target / paths[0].name, url]))


# ---- the rows ----

def _row(name, title, what, contenders, load, targets, quick):
    def row(_workspace):
        unit, of = ("MiB/s", "MiB") if load["files"] == 1 else ("files/s", "file")
        return Row(name, title, f"{what} {_WHAT}", metrics(unit, of), contenders(_workspace), load, targets,
                   panels=("value", "server_cpu_us", "client_cpu_us"), quick=quick)
    return row


def _putters(workspace, last=()):
    sshd = Sshd(workspace)
    return [
        Contender("kesher put", SecureKesherd(workspace), _kesher_put, OURS, f"checksum compared, {_SYNCED}"),
        Contender("scp", sshd, scp, note=_DISK),
        Contender("sftp -f", sshd, sftp, note=f"{_CIPHER}; {_SYNCED}, file by file"),
        Contender("rsync --fsync, ssh", sshd, rsync_ssh, note=f"{_CIPHER}; {_SYNCED}, file by file"),
        *last,
    ]


def _getters(workspace, last=()):
    sshd = Sshd(workspace)
    return [
        Contender("kesher get", SecureKesherd(workspace), _kesher_get, OURS,
                  "checksum compared, synced before it has its name"),
        Contender("scp", sshd, _scp_get, note=_DISK),
        Contender("sftp -f", sshd, _sftp_get, note=f"{_CIPHER}; synced, file by file"),
        Contender("rsync --fsync, ssh", sshd, _rsync_get, note=f"{_CIPHER}; synced, file by file"),
        *last,
    ]


def _getters_of_one(workspace):
    return _getters(workspace, [Contender("curl, nginx", FileNginx(workspace), _curl,
                                          note="TLS 1.3; does not wait for the disk"), _LIMIT, _DISK_LIMIT])


def _putters_of_one(workspace):
    return _putters(workspace, [_LIMIT, _DISK_LIMIT])


_ONE = {"files": 1, "size": 1 << 30}
_MANY = {"files": 1000, "size": 10 << 10, "per_file": 1}
_SYNCING = ("sftp -f", "rsync --fsync, ssh")
_LARGE, _SMALL = {"size": 16 << 20}, {"files": 50}

ROWS = {
    "put-large": _row("put-large", "Put of 1 GiB over the secure port", "One file is sent over the loopback interface.",
                      _putters_of_one, _ONE,
                      [Target("at least 1.5 × scp", ("scp",), 1.5),
                       Target("at least 0.8 × what two cores encrypt and decrypt", (_LIMIT.name,), 0.8)], _LARGE),
    "get-large": _row("get-large", "Get of 1 GiB over the secure port", "One file is fetched over the loopback interface.",
                      _getters_of_one, _ONE,
                      [Target("at least 1.5 × scp", ("scp",), 1.5),
                       Target("at least curl from nginx", ("curl, nginx",), 1.0)], _LARGE),
    "put-many": _row("put-many", "Put of 1000 files of 10 KiB over the secure port",
                     "1000 files are sent by one program, each of them acknowledged.", _putters, _MANY,
                     [Target("at least 2 × the best of sftp -f and rsync --fsync", _SYNCING, 2.0)], _SMALL),
    "get-many": _row("get-many", "Get of 1000 files of 10 KiB over the secure port",
                     "1000 files are fetched by one program, each of them synced.", _getters, _MANY,
                     [Target("at least 2 × the best of sftp -f and rsync --fsync", _SYNCING, 2.0)], _SMALL),
}
