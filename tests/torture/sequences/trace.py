"""The last word on what was done: one line for each event of a round, in the order in which they happened."""

import time
from pathlib import Path

LINE_LIMIT = 1000


class Trace:
    """Written to the disk once a second, and at the end."""

    def __init__(self, path: Path):
        self._file = path.open("w", buffering=1 << 20)
        self._began = self._flushed = time.monotonic()

    def __call__(self, who: str, what: str) -> None:
        now = time.monotonic()
        self._file.write(f"{now - self._began:9.4f} {who} {what[-LINE_LIMIT:]}\n")
        if now - self._flushed > 1:
            self.flush(now)

    def flush(self, now: float = 0.0) -> None:
        self._file.flush()
        self._flushed = now
