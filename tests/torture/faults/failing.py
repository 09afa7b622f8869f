"""A server in which calls fail when they are told to: what failing system calls and failing allocations share."""

from collections.abc import Callable, Sequence
from pathlib import Path

from powerloss.server import release_program

from .injection import Injection, injector_library
from .life import Life, StandardServer

NO_OPERATORS = "operators cannot speak to this server"  # which starts all the same


def needs() -> str:
    missing = [str(path) for path in (release_program(), injector_library()) if not path.exists()]
    return f"{missing[0]} is not built" if missing else ""


class FailingServer:
    """The server, what fails in it, and its lives."""

    def __init__(self, folder: Path, *, workers: int = 1):
        self.injection = Injection(folder / "faults")
        root = folder / "root"
        self.server = StandardServer(root, workers=workers, variables=self.injection.variables(root))
        self.life = Life(self.server)

    def count(self, act: Callable[[], object], kinds: Sequence[str]) -> dict[str, int]:
        """How many calls of these kinds there are meanwhile."""
        before = self.injection.calls()
        act()
        after = self.injection.calls()
        return {kind: after[kind] - before[kind] for kind in kinds}
