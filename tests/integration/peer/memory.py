"""Watches how much memory the server has while something is under way."""

import os
import threading

import pytest

from .kesherd import Kesherd


class MemoryWatch:
    """Samples the server's resident set until it is stopped."""

    def __init__(self, server: Kesherd):
        self.server = server
        self.before = self.highest = server.resident_bytes()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.01):
            self.highest = max(self.highest, self.server.resident_bytes())

    @property
    def growth(self) -> int:
        return self.highest - self.before


def hold_back_little_freed_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """For servers that are started from now on: an address sanitizer keeps freed memory for a while, hundreds of
    MiB by default, which are not the server's."""
    options = f"{os.environ.get('ASAN_OPTIONS', '')}:quarantine_size_mb=8".lstrip(":")
    monkeypatch.setenv("ASAN_OPTIONS", options)
