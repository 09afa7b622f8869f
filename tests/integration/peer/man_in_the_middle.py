"""Somebody on the way who ends TLS with a certificate of their own and passes frames on: what a relay attack does."""

import socket
import threading
from collections.abc import Callable

from . import tls
from .frames import REQUEST_HEADER, RESPONSE_HEADER, connections_to


class Gone(Exception):
    """One of the two sides has ended."""


class ManInTheMiddle:
    """Answers each client with what `target` answers to the same frame. `requests` and `answers` are all that it
    read on its way; `rewrite` may change a request (header and payload) before it goes on."""

    def __init__(self, target: tuple[str, int], rewrite: Callable[[bytes], bytes] = lambda frame: frame):
        self.target = target
        self.rewrite = rewrite
        self.identity = tls.Identity.generate()
        self.requests: list[bytes] = []
        self.answers: list[bytes] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.secure_address = self._listener.getsockname()
        self._start(self._accept)

    def stop(self) -> None:
        for open_socket in (self._listener, *self._sockets):
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended by itself
        for thread in self._threads:
            thread.join(30)
        for open_socket in (self._listener, *self._sockets):
            open_socket.close()

    def _start(self, work, *arguments) -> None:
        self._threads.append(threading.Thread(target=work, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        for accepted in connections_to(self._listener):
            accepted.settimeout(60)
            try:
                onwards = socket.create_connection(self.target, 60)
            except OSError:  # nobody is there just now
                accepted.close()
                continue
            self._sockets += [accepted, onwards]
            self._start(self._relay, accepted, onwards)

    def _relay(self, accepted: socket.socket, onwards: socket.socket) -> None:
        try:
            client = tls.TlsSocket(accepted, tls.server_context(self.identity), is_server=True).handshake()
            server = tls.TlsSocket(onwards, tls.usual_context()).handshake()
            while True:
                frame = self.rewrite(_receive_frame(client, REQUEST_HEADER))
                self.requests.append(frame)
                server.sendall(frame)
                self.answers.append(_receive_frame(server, RESPONSE_HEADER))
                client.sendall(self.answers[-1])
        except (Gone, OSError, tls.TlsFailed):
            pass
        finally:
            for end in (accepted, onwards):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # it has ended by itself


def _receive_frame(source: tls.TlsSocket, header) -> bytes:
    head = _receive_exactly(source, header.size)
    return head + _receive_exactly(source, header.unpack(head)[-1])


def _receive_exactly(source: tls.TlsSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = source.recv(size - len(data))
        if not part:
            raise Gone
        data += part
    return data
