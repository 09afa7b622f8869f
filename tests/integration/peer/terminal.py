"""Runs a program on a pseudo-terminal, as a person would use it, and keeps what would be on the screen."""

import fcntl
import os
import pty
import select
import subprocess
import termios
import time

from .kesherd import environment, sanitizer_report

WAIT_SECONDS = 60
READ_SIZE = 65536


def _take_terminal() -> None:
    """Makes it the controlling terminal of the new session: its keys send signals, and it is /dev/tty."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """One program on a terminal of its own. `screen` is everything that it showed, with what was typed where
    the terminal echoed it, lines ended by LF. Type only after `wait_for` what the program says before it
    reads: then the echo stands where a person would see it."""

    def __init__(self, command: list[str], **variables: str):
        self.screen = ""
        self._looked_at = 0  # how far wait_for has come
        self._raw = b""
        self._fd, slave = pty.openpty()
        # The width of a terminal must not fold lines, whatever the program makes of it.
        termios.tcsetwinsize(slave, (50, 500))
        self.modes = termios.tcgetattr(slave)  # what the program must leave behind
        try:
            self.process = subprocess.Popen(
                command,
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env={**environment(), **variables},
                start_new_session=True,
                preexec_fn=_take_terminal,
            )
        finally:
            os.close(slave)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._fd)

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def type_line(self, text: str) -> None:
        self.type(text + "\n")

    def wait_for(self, text: str) -> str:
        """Waits for `text` behind what was waited for last; what was shown since then, with it."""
        deadline = time.monotonic() + WAIT_SECONDS
        while text not in self.screen[self._looked_at :]:
            assert self._read(deadline), f"{text!r} did not come; the screen is\n{self.screen}"
        end = self.screen.index(text, self._looked_at) + len(text)
        shown, self._looked_at = self.screen[self._looked_at : end], end
        return shown

    def wait_for_end(self) -> int:
        """Reads until the program closes the terminal; its exit status."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self._read(deadline):
            pass
        status = self.process.wait(WAIT_SECONDS)
        assert not sanitizer_report(self.screen), self.screen
        return status

    def _read(self, deadline: float) -> bool:
        """Takes what comes next; False at the end of the program's output."""
        left = deadline - time.monotonic()
        ready, _, _ = select.select([self._fd], [], [], max(0.0, left))
        assert ready, f"nothing came any more; the screen is\n{self.screen}"
        try:
            data = os.read(self._fd, READ_SIZE)
        except OSError:  # EIO: nobody has the other side open any more
            return False
        self._raw += data
        self.screen = self._raw.decode(errors="replace").replace("\r\n", "\n")
        return data != b""
