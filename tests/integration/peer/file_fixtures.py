"""Fixtures of own files at a secure server, as the program kesher has them."""

import os
from pathlib import Path

import pytest

from .gate import Gate
from .kesher import Kesher, Outcome

ALONE = {"start_new_session": True}  # without a terminal


def link_to(address: tuple[str, int]) -> str:
    return f"kesher://{address[0]}:{address[1]}/"


class Folder(Kesher):
    """A kesher that works in a directory of its own, in which files can be made."""

    def __init__(self, home: Path, directory: Path):
        super().__init__(home)
        self.directory = directory

    def write(self, name: str | bytes, content: bytes = b"") -> Path:
        path = Path(os.fsdecode(os.path.join(os.fsencode(self.directory), os.fsencode(name))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def read(self, name: str) -> bytes:
        return (self.directory / name).read_bytes()

    def run(self, *arguments, **options) -> Outcome:
        return super().run(*arguments, **{**ALONE, "cwd": self.directory, **options})

    def start(self, *arguments, **options):
        return super().start(*arguments, **{**ALONE, "cwd": self.directory, **options})

    def names(self) -> list[str]:
        """Of the files at the server."""
        return [file["name"] for file in self.succeed("files", "--json").objects()]

    def trees(self) -> dict[str, bytes]:
        """All that is in the directory, by its path there."""
        return {
            str(path.relative_to(self.directory)): path.read_bytes()
            for path in sorted(self.directory.rglob("*"))
            if path.is_file()
        }


@pytest.fixture
def make_folder(tmp_path, fresh_name):
    """Registers accounts at a server; each has a home and a directory to work in."""

    def make(address: tuple[str, int], home: str = "home", *options: str) -> Folder:
        directory = tmp_path / f"{home}-folder"
        directory.mkdir(exist_ok=True)
        folder = Folder(tmp_path / home, directory)
        folder.succeed("register", fresh_name(), "--server", link_to(address), *options)
        return folder

    return make


@pytest.fixture
def folder(secure, make_folder) -> Folder:
    """Somebody at the shared server."""
    return make_folder(secure.secure_address)


@pytest.fixture
def make_gate():
    """Gates before servers (peer/gate.py)."""
    gates = []

    def make(server) -> Gate:
        gates.append(Gate(server.secure_address))
        return gates[-1]

    yield make
    for gate in gates:
        gate.release()
        gate.stop()
