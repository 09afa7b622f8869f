"""What other programs of the same user can see of kesher's: not the memory, where the keys are."""

import os
import socket
import subprocess
from pathlib import Path

import pytest
from peer.conversation import wait_until
from peer.kesherd import environment, program

NOBODY = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Nobody's, who can also reach it."""
    path = tmp_path / "folder"
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)
    for parent in path.parents:
        if parent != Path("/tmp") and parent.is_relative_to("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return path


@pytest.fixture
def start():
    """Starts programs of nobody's, as ordinary as any other user's."""
    processes = []

    def run(name: str, *arguments: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [program(name.upper(), name), *arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            cwd="/",
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.terminate()
        process.communicate(timeout=60)


def can_be_read_by_its_user(process: subprocess.Popen) -> bool:
    """Asks the kernel as the same user would: opening the memory wants the right to trace."""
    reader = subprocess.run(
        ["/usr/bin/python3", "-c", f"open('/proc/{process.pid}/mem', 'rb').close()"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return reader.returncode == 0


def test_the_memory_of_an_ordinary_program_can_be_read():
    process = subprocess.Popen(["/bin/sleep", "60"], user=NOBODY, group=NOBODY, extra_groups=[])
    try:
        assert can_be_read_by_its_user(process)
    finally:
        process.kill()
        process.wait()


def test_the_memory_of_kesherd_cannot(start, folder):
    server = start("kesherd", "--data", str(folder), "--listen", "127.0.0.1:0", "--chat", "off", "--ask", "off", "--secure", "off")
    wait_until(lambda: b"ready" in server.stdout.readline(), "the server is ready")
    assert not can_be_read_by_its_user(server)


def test_the_memory_of_kesher_cannot(start, folder):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = "{}:{}".format(*silent.getsockname())
        client = start("kesher", "--home", str(folder), "--server", address, "ask", "TIME")
        silent.settimeout(60)
        connection, _ = silent.accept()  # so far has it come
        with connection:
            assert not can_be_read_by_its_user(client)
