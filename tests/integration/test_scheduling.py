"""How kesherd asks the kernel to share the cores (docs/profiles.md, "Scheduling")."""

import os
from pathlib import Path

from peer.kesherd import Kesherd

NAMED = {"worker-0", "worker-1", "store-writer", "store-reader", "store-pull"}


class ChosenForIt(Kesherd):
    """A server for which whoever starts it has chosen a policy."""

    def command(self) -> list[str]:
        return ["chrt", "--idle", "0", *super().command()]


def policies(server: Kesherd) -> dict[str, int]:
    """Of the server's threads, by their names."""
    tasks = Path(f"/proc/{server.process.pid}/task").iterdir()
    return {(task / "comm").read_text().strip(): os.sched_getscheduler(int(task.name)) for task in tasks}


def test_all_threads_let_others_finish(make_server):
    found = policies(make_server())
    assert found.keys() >= NAMED
    assert {found[name] for name in NAMED} == {os.SCHED_BATCH}


def test_a_policy_that_was_chosen_stays(tmp_path):
    server = ChosenForIt(tmp_path / "data").start()
    try:
        found = policies(server)
        assert found.keys() >= NAMED
        assert set(found.values()) == {os.SCHED_IDLE}
    finally:
        server.stop()
