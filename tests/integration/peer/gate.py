"""A relay that lets so many bytes through and then holds the rest back: what a test needs to meet a program in the
middle of a transfer, however fast the machine is."""

import math
import socket
import threading

from .relay import Relay


class Gate(Relay):
    """Lets everything through until told otherwise. `up` is towards the server, `down` towards the clients."""

    def __init__(self, target: tuple[str, int]):
        self._changed = threading.Condition()
        self._left = {"up": math.inf, "down": math.inf}
        super().__init__(target)

    def hold(self, up: float = math.inf, down: float = math.inf) -> None:
        """From now on so many bytes go through, over all connections."""
        with self._changed:
            self._left = {"up": up, "down": down}
            self._changed.notify_all()

    def release(self) -> None:
        self.hold()

    def is_held(self, direction: str) -> bool:
        """Whether all that may go through has."""
        with self._changed:
            return self._left[direction] == 0

    def cut(self, passes: bool = True) -> None:
        super().cut(passes)
        with self._changed:
            self._changed.notify_all()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        direction = "up" if source.getsockname() == self.address else "down"
        try:
            while data := source.recv(65536):
                while data:
                    size = self._take(direction, len(data), source)
                    sink.sendall(data[:size])
                    data = data[size:]
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut, or the other side has gone

    def _take(self, direction: str, wanted: int, source: socket.socket) -> int:
        """Waits until something may go through; how much of it."""
        with self._changed:
            while self._left[direction] == 0:
                if source not in self._sockets:
                    raise OSError("cut")
                self._changed.wait()
            size = int(min(wanted, self._left[direction]))
            self._left[direction] -= size
            return size
