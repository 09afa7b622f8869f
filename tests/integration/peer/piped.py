"""Runs the client under test between pipes, while a test talks to it and listens."""

import os
import subprocess
import threading
import time

from .kesher import RUN_SECONDS, Outcome, outcome
from .kesherd import environment

_READ_SIZE = 65536


class _Stream:
    """One output of the program, taken as it comes."""

    def __init__(self, pipe):
        self.data = bytearray()
        self.ended = False
        self.seen = 0  # how far it was looked at
        self._pipe = pipe
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while part := os.read(self._pipe.fileno(), _READ_SIZE):
            with self._changed:
                self.data += part
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def next_line(self) -> str:
        """The next line, with its end; what is left when the program ended counts as one."""
        limit = time.monotonic() + RUN_SECONDS
        with self._changed:
            while (end := self.data.find(b"\n", self.seen)) < 0 and not self.ended:
                assert self._changed.wait(limit - time.monotonic()), f"no line came after {self.text!r}"
            stop = len(self.data) if end < 0 else end + 1
            line, self.seen = bytes(self.data[self.seen : stop]), stop
            return line.decode(errors="replace")

    def join(self) -> None:
        self._thread.join()
        self._pipe.close()

    @property
    def text(self) -> str:
        return self.data.decode(errors="replace")


class Piped:
    """One run of the client. It has no terminal, not even a controlling one."""

    def __init__(self, command: list[str], **variables: str | None):
        """Variables of the environment that are None are taken out of it."""
        merged = {**environment(), **variables}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={name: value for name, value in merged.items() if value is not None},
            start_new_session=True,
            bufsize=0,
        )
        self.output = _Stream(self.process.stdout)
        self.errors = _Stream(self.process.stderr)

    def write(self, text: str | bytes) -> None:
        self.process.stdin.write(text.encode() if isinstance(text, str) else text)

    def hear(self, *lines: str) -> None:
        """Waits for these lines of its standard output, and no others."""
        for line in lines:
            assert self.output.next_line() == line + "\n"

    def told(self, *lines: str) -> None:
        """The same of its standard error."""
        for line in lines:
            assert self.errors.next_line() == line + "\n"

    def end_input(self) -> None:
        if not self.process.stdin.closed:
            self.process.stdin.close()

    def finish(self) -> Outcome:
        """Ends its input and waits for its end; all that it wrote."""
        self.end_input()
        return self.wait()

    def wait(self) -> Outcome:
        """Waits for it to end by itself."""
        status = self.process.wait(RUN_SECONDS)
        self.end_input()
        for stream in (self.output, self.errors):
            stream.join()
        return outcome(status, bytes(self.output.data), bytes(self.errors.data))

    def close(self) -> None:
        """For the end of a test, however it went."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self.output._pipe.closed:
            self.wait_quietly()

    def wait_quietly(self) -> None:
        self.end_input()
        for stream in (self.output, self.errors):
            stream.join()
