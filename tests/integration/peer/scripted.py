"""A server that does to each connection what its script says, for clients that must stand up to any server."""

import socket
import threading
from collections.abc import Callable

from .chat import (
    CREATE,
    ENTER_GROUP,
    ENTER_NAME,
    ENTER_NEW_PASSWORD,
    ENTER_PASSWORD,
    JOIN,
    MENU,
    created,
    joined,
)
from .frames import connections_to


class Line:
    """The server's end of one connection."""

    def __init__(self, accepted: socket.socket):
        self.socket = accepted
        self.socket.settimeout(30)
        self._waiting = b""

    def send(self, data: str | bytes) -> None:
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def receive_line(self) -> str:
        """The next line without its end; what is left at the end of the input counts as one."""
        while b"\n" not in self._waiting:
            part = self.socket.recv(65536)
            if not part:
                break
            self._waiting += part
        line, _, self._waiting = self._waiting.partition(b"\n")
        return line.decode()

    def receive_exactly(self, size: int) -> bytes:
        while len(self._waiting) < size:
            part = self.socket.recv(65536)
            assert part, f"the client ended after {self._waiting!r}"
            self._waiting += part
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken

    def wait_for_end(self) -> bytes:
        """What the client still sends until it closes or resets."""
        rest = self._waiting
        try:
            while part := self.socket.recv(65536):
                rest += part
        except ConnectionResetError:
            pass
        return rest

    def let_create(self, password: str = "12345") -> str:
        """Plays a server of group chat until the client is the first member of group 1; its name."""
        self.send(MENU)
        assert self.receive_line() == CREATE
        self.send(ENTER_NAME)
        name = self.receive_line()
        self.send(ENTER_NEW_PASSWORD)
        assert self.receive_line() == password
        self.send(created(1) + "\n")
        return name

    def let_join(self, password: str = "12345") -> str:
        """The same for a client that joins group 1."""
        name = self.come_to_password()
        assert self.receive_line() == password
        self.send(joined(1))
        return name

    def come_to_password(self) -> str:
        """From the menu to the question for the password of group 1; the client's name."""
        self.send(MENU)
        assert self.receive_line() == JOIN
        self.send(ENTER_NAME)
        name = self.receive_line()
        self.send(ENTER_GROUP)
        assert self.receive_line() == "1"
        self.send(ENTER_PASSWORD)
        return name


class ScriptedServer:
    """The first connection gets the first script, and so on; the last is for all that follow. A connection ends
    with its script. A client that goes before its script expects it is no problem; everything else that a script
    raises is."""

    def __init__(self, *scripts: Callable[[Line], None], at: tuple[str, int] = ("127.0.0.1", 0)):
        self.problems: list[BaseException] = []
        self.connections = 0
        self._connected = threading.Condition()
        self._scripts = scripts
        self._listener = socket.create_server(at)
        self.address = self.chat_address = self.ask_address = self._listener.getsockname()
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        for accepted in connections_to(self._listener):
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            with self._connected:
                self.connections += 1
                self._connected.notify_all()
            with accepted:
                self._play(script, accepted)

    def _play(self, script: Callable[[Line], None], accepted: socket.socket) -> None:
        try:
            script(Line(accepted))
        except ConnectionError:
            pass
        except BaseException as problem:
            self.problems.append(problem)

    def wait_for_connections(self, count: int) -> None:
        with self._connected:
            assert self._connected.wait_for(lambda: self.connections >= count, 60), self.connections

    def stop(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
