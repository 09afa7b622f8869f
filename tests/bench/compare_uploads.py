#!/usr/bin/python3
"""Uploads, side by side: kesher against scp, sftp -f and rsync --fsync, on this machine, in one run.

    compare_uploads.py BUILD_DIRECTORY [--rounds N] [--size MIB] [--files N] [--directory DIR]

Every contender gets the same files on the same disk over the loopback interface, in turn, for several rounds; printed
are medians, the spread and the ratio to kesher. What is acknowledged differs: kesher, sftp -f and rsync --fsync answer
when the data is synced, scp does not wait for the disk. Needs openssh-server, openssh-client and rsync.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

SSH_OPTIONS = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
               "-o", "Compression=no"]
CIPHER = "aes128-gcm@openssh.com"  # the fastest that OpenSSH has with AES-NI


class Ssh:
    """An sshd of our own on the loopback interface."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.port = 22022
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.directory / name], check=True)
        shutil.copy(self.directory / "user.pub", self.directory / "authorized")
        os.makedirs("/run/sshd", exist_ok=True)
        configuration = self.directory / "sshd_config"
        configuration.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.directory}/host\n"
            f"AuthorizedKeysFile {self.directory}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n"
            "PermitRootLogin yes\nSubsystem sftp internal-sftp\n")
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", configuration], stderr=subprocess.DEVNULL)
        time.sleep(1)

    def options(self):
        return [*SSH_OPTIONS, "-i", str(self.directory / "user"), "-c", CIPHER]

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Kesherd:
    """A fresh server with a registered user."""

    def __init__(self, build, directory):
        self.build = pathlib.Path(build)
        self.home = pathlib.Path(directory) / "home"
        self.files = pathlib.Path(directory) / "data" / "files"
        self.process = subprocess.Popen(
            [self.build / "kesherd", "--data", pathlib.Path(directory) / "data", "--listen", "127.0.0.1:0",
             "--log-level", "notice"], stderr=subprocess.PIPE, text=True)
        line = ""
        while "ready" not in line:
            line = self.process.stderr.readline()
            if not line:
                raise SystemExit("kesherd did not start")
        self.address = line.split(" on ")[1].split(",")[0].strip()
        self.run("register", "bench")

    def run(self, *arguments):
        quiet([self.build / "kesher", "--home", self.home, "--server", self.address, *arguments])

    def stop(self):
        self.process.terminate()
        self.process.wait()


def timed(action):
    os.sync()
    start = time.monotonic()
    action()
    return time.monotonic() - start


def quiet(command, **options):
    command = [str(part) for part in command]
    if subprocess.run(command, check=False, stdout=subprocess.DEVNULL, **options).returncode != 0:
        raise SystemExit(f"failed: {' '.join(command)[:200]}")


def contenders(ssh, kesherd, files, target):
    """name -> a function that uploads `files`."""
    port = str(ssh.port)
    batch = "".join(f"put -f {path} {target}/\n" for path in files)
    shell = " ".join(["ssh", "-p", port, *ssh.options()])
    return {
        "kesher": lambda: kesherd.run("put", "--quiet", *(["--pipeline"] if len(files) > 1 else []), *files),
        "scp": lambda: quiet(["scp", "-q", "-P", port, *ssh.options(), *files, f"127.0.0.1:{target}/"]),
        "sftp -f": lambda: quiet(["sftp", "-q", "-P", port, *ssh.options(), "-b", "-", "127.0.0.1"],
                                 input=batch.encode()),
        "rsync --fsync": lambda: quiet(["rsync", "--whole-file", "--fsync", "-e", shell, *files,
                                        f"127.0.0.1:{target}/"]),
    }


def compare(title, unit, amount, entries, places, rounds):
    print(f"\n{title}, {rounds} rounds")
    seconds = {name: [] for name in entries}
    for _ in range(rounds):
        for name, action in entries.items():
            for place in places:  # nobody pays for the removal of the round before
                for left_over in place.glob("**/*"):
                    if left_over.is_file():
                        left_over.unlink()
            seconds[name].append(timed(action))
    best = statistics.median(seconds["kesher"])
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"  {name:14} {amount / median:10.0f} {unit}   ({amount / max(values):.0f}–{amount / min(values):.0f})"
              f"   kesher is {median / best:.2f} times as fast")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--files", type=int, default=1000, help="number of 10 KiB files")
    parser.add_argument("--directory", default=None, help="where everything is put: on the disk that is meant")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        base = pathlib.Path(directory)
        target = base / "target"
        target.mkdir()
        large = base / "large.bin"
        block = os.urandom(1 << 20)
        with open(large, "wb") as file:
            for i in range(arguments.size):
                file.write(i.to_bytes(8, "little") + block[8:])
        small = [base / "small" / f"file{i:05}" for i in range(arguments.files)]
        small[0].parent.mkdir()
        for path in small:
            path.write_bytes(os.urandom(10240))
        ssh = Ssh(base)
        kesherd = Kesherd(arguments.build, base)
        try:
            compare(f"one file of {arguments.size} MiB", "MiB/s", arguments.size,
                    contenders(ssh, kesherd, [large], target), [target, kesherd.files], arguments.rounds)
            compare(f"{arguments.files} files of 10 KiB", "files/s", arguments.files,
                    contenders(ssh, kesherd, small, target), [target, kesherd.files], arguments.rounds)
        finally:
            kesherd.stop()
            ssh.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
