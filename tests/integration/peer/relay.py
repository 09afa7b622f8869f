"""A relay between clients and a server, which loses connections when it is told to: what a network does."""

import socket
import struct
import threading

from .frames import connections_to


class Relay:
    """Passes connections on to `target`, which may be changed, for those that come later."""

    def __init__(self, target: tuple[str, int]):
        self.target = target
        self._passes = True
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.chat_address = self._listener.getsockname()
        self._start(self._accept)

    def cut(self, passes: bool = True) -> None:
        """Resets all connections; where it then does not pass, those that come are closed at once."""
        with self._lock:
            self._passes = passes
            for end in self._sockets:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it has ended by itself
            self._sockets.clear()

    def pass_again(self) -> None:
        self._passes = True

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()

    def _start(self, work, *arguments) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments))
        self._threads[-1].start()

    def _accept(self) -> None:
        for accepted in connections_to(self._listener):
            with self._lock:
                if not self._passes:
                    accepted.close()
                    continue
                try:
                    passed_on = socket.create_connection(self.target)
                except OSError:  # nobody is there just now
                    accepted.close()
                    continue
                self._sockets += [accepted, passed_on]
            self._start(self._pump, accepted, passed_on)
            self._start(self._pump, passed_on, accepted)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # cut, or the other side has gone
