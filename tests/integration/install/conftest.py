"""What `make install` installs, once for all tests here, below a directory of its own."""

import fcntl
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from peer.kesherd import program


@dataclass(frozen=True)
class Installation:
    """The build under test, installed with DESTDIR."""

    build: Path
    destination: Path
    prefix: str

    def path(self, name: str) -> Path:
        """Of what was installed as `name`, which begins with / or is below the prefix."""
        return self.destination / os.path.join(self.prefix, name).lstrip("/")

    def text(self, name: str) -> str:
        return self.path(name).read_text(encoding="utf-8")

    @contextmanager
    def alone(self):
        """Nobody else installs from the build meanwhile. Meson keeps a log there of what it installed last, for
        `uninstall`, and tests run in several processes."""
        with (self.build / "installing").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def install(self) -> None:
        with self.alone():
            self.install_unguarded()

    def install_unguarded(self) -> None:
        """To be called only by who is `alone`."""
        subprocess.run(
            ["meson", "install", "-C", str(self.build), "--no-rebuild", "--quiet"],
            env={**os.environ, "DESTDIR": str(self.destination)},
            check=True,
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture(scope="session")
def installation(tmp_path_factory) -> Installation:
    build = program("KESHERD", "kesherd").parent
    if not (build / "build.ninja").exists():
        pytest.skip("the programs under test are not in their build directory")
    # What meson set up by default; the Makefile's prefix is tested by its paths in another build directory.
    made = Installation(build, tmp_path_factory.mktemp("installation"), "/usr/local")
    made.install()
    return made
