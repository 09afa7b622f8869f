"""Group chat from the client's side: its texts, clients that speak as the programs do that people use, and crowds.

A client reads exactly what is due: `expect` fails on the first byte that is another one. What comes too much is
found by whatever is expected next, or by the end of the connection.
"""

import re
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable

from .conversation import EVENT_SECONDS, wait_until
from .frames import Connection, ConnectionEnded

MENU = (
    "Hello client, please choose an option: \n"
    " 1. Connect to a group chat. \n"
    " 2. Create a group chat. \n"
    " 3. Exit the server. \n "
)
ENTER_NAME = "Enter your name: \n"
ENTER_GROUP = "Enter group ID: \n"
NO_GROUP = "There is no group id like this,try again"
ENTER_PASSWORD = "Enter password: \n"
NO_PASSWORD = "There is no group password like this,try again"
ENTER_NEW_PASSWORD = "Enter password for the group: \n"
EXIT_CHAT = "Exit the chat \n"
INVALID = "You chose an invalid option... \n"
LEFT = "You chose exit so you removed from the group. \n"
FULL = "The server is full, try again later. \n"

JOIN, CREATE, QUIT = "1", "2", "3"
LEAVE = "Exit"

MESSAGE_LIMIT = 4096
SEND_LIMIT = 1024
NAME_LIMIT = 64

GATHER_SECONDS = EVENT_SECONDS
_RECEIVED_AT_ONCE = 1 << 18
_DATA_SEGMENTS_RECEIVED = 152  # where tcpi_data_segs_in is in Linux's struct tcp_info


def joined(group: int, apostrophe: str = "'") -> str:
    return f"You{apostrophe}re connected to group chat #{group}\n"


def created(group: int, apostrophe: str = "'") -> str:
    return f"The id of the group is:{group}\n{joined(group, apostrophe)}You can start to talk!"


def said(name: str, text: str) -> str:
    return f"{name}: {text}"


def has_left(name: str) -> str:
    return f"{name} has removed from the group \n"


def data_segments(connection: socket.socket) -> int:
    """How many segments with data this system has received on it."""
    information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    (count,) = struct.unpack_from("=I", information, _DATA_SEGMENTS_RECEIVED)
    return count


class ChunkClient(Connection):
    """Behaves as the course's client: every input is one send without a newline. The server's texts reach it as
    they stand in the protocol."""

    def __init__(self, address: tuple[str, int], apostrophe: str = "'", **options):
        """`apostrophe` is what the server has for one."""
        super().__init__(address, **options)
        self.apostrophe = apostrophe
        self.name = ""
        self.group = 0

    # -- one input and what comes of it

    def write(self, text: str) -> None:
        """Sends what a person typed before the return key, as this kind of client does."""
        self.send(text.encode())

    def due(self, text: str) -> bytes:
        """The bytes in which this text of the server reaches a client of this kind."""
        return text.encode()

    def expect(self, *texts: str) -> None:
        """Receives these texts and not a byte more."""
        self.expect_bytes(b"".join(self.due(text) for text in texts))

    def expect_bytes(self, wanted: bytes) -> None:
        got = b""
        while len(got) < len(wanted):
            got += self._receive_some(len(wanted) - len(got), got)
            assert wanted.startswith(got), f"{got!r} came for {wanted!r}"

    def expect_end(self) -> None:
        """The server closes, without another byte."""
        rest = self.receive_rest()
        assert rest == b"", rest

    def answer(self, text: str, *texts: str) -> None:
        self.write(text)
        self.expect(*texts)

    def receive_rest(self) -> bytes:
        """Everything until the server closes."""
        data = b""
        while True:
            try:
                data += self._receive_some(_RECEIVED_AT_ONCE, data)
            except ConnectionEnded:
                return data

    def receive_line(self) -> str:
        """The next line, whatever it is, without its end."""
        line = b""
        while not line.endswith(b"\n"):
            waiting = self.socket.recv(_RECEIVED_AT_ONCE, socket.MSG_PEEK)
            line += self._receive_some(waiting.find(b"\n") + 1 or len(waiting) or 1, line)
        return line[:-1].decode()

    def receive_said(self, name: str) -> str:
        """The text of the next message, which must be that member's."""
        line = self.receive_line()
        assert line.startswith(f"{name}: "), line
        return line.removeprefix(f"{name}: ")

    def _receive_some(self, most: int, before: bytes) -> bytes:
        try:
            part = self.socket.recv(most)
        except ConnectionResetError:
            part = b""
        except TimeoutError:
            raise AssertionError(f"nothing came any more after {before!r}") from None
        if not part:
            raise ConnectionEnded(f"after {before!r}")
        return part

    # -- the way into a group and out of it

    def create(self, name: str, password: str = "12345") -> int:
        """From the menu, which has not been read yet, to a member of a new group; its id."""
        self.expect(MENU)
        self.answer(CREATE, ENTER_NAME)
        self.answer(name, ENTER_NEW_PASSWORD)
        self.write(password)
        self.expect_bytes(b"The id of the group is:")
        digits = b""
        while not digits.endswith(b"\n"):
            digits += self.receive_exactly(1)
        self.name, self.group = name, int(digits)
        assert digits == b"%d\n" % self.group
        _, _, rest = created(self.group, self.apostrophe).partition("\n")
        self.expect(rest)
        return self.group

    def join(self, name: str, group: int, password: str = "12345") -> None:
        """From the menu, which has not been read yet, to a member of that group."""
        self.come_to_password(name, group)
        self.answer(password, joined(group, self.apostrophe))
        self.name, self.group = name, group

    def come_to_password(self, name: str, group: int) -> None:
        self.come_to_group(name)
        self.answer(str(group), ENTER_PASSWORD)

    def come_to_group(self, name: str) -> None:
        self.expect(MENU)
        self.answer(JOIN, ENTER_NAME)
        self.answer(name, ENTER_GROUP)

    def leave(self) -> None:
        self.answer(LEAVE, LEFT)
        self.expect_end()
        self.close()

    def data_segments(self) -> int:
        """How many segments with data its system has received on this connection: one for each send of a server
        that does not let TCP gather them, and whose sends are small."""
        return data_segments(self.socket)


class LineClient(ChunkClient):
    """Behaves as `nc`: every input ends with a newline, and so does every text of the server after the first."""

    end = "\n"

    def __init__(self, address: tuple[str, int], **options):
        super().__init__(address, **options)
        self._wrote_a_line = False

    def write(self, text: str) -> None:
        self.write_bytes(text.encode())

    def write_bytes(self, line: bytes) -> None:
        """A line of any bytes, without its end."""
        self._wrote_a_line = True
        self.send(line + self.end.encode())

    def due(self, text: str) -> bytes:
        missing = "" if text.endswith("\n") or not self._wrote_a_line else "\n"
        return (text + missing).encode()


class TelnetClient(LineClient):
    """Its lines end with CR and LF."""

    end = "\r\n"


class ByteClient(LineClient):
    """Sends every byte apart, after a first line that goes out whole: before a line has ended, every byte would be
    an input."""

    def write(self, text: str) -> None:
        line = (text + self.end).encode()
        if self._wrote_a_line:
            self.send_bytewise(line)
        else:
            super().write(text)


class ByteTelnetClient(ByteClient):
    end = "\r\n"


KINDS = [ChunkClient, LineClient, TelnetClient, ByteClient, ByteTelnetClient]


# -- crowds: what many members hear, taken while it comes

MARK = "|"


class Ear:
    """What one member hears, in messages that their writers ended with MARK. Notices of the server, which end
    with a newline, count as messages, too. Only one thread may listen for it at a time; others may look."""

    _MESSAGE = re.compile(rb"[^|\n]*[|\n]")

    def __init__(self, client: ChunkClient):
        self.client = client
        self.data = bytearray()
        self.ended = False

    def messages(self) -> list[str]:
        """In order, whole ones only. Line ends that only a client of lines gets are not told."""
        found = (match.decode() for match in self._MESSAGE.findall(bytes(self.data)))
        return [message for message in found if message != "\n"]

    def take(self) -> None:
        """Takes what is there, at least a byte or the end."""
        try:
            part = self.client.socket.recv(_RECEIVED_AT_ONCE)
        except ConnectionResetError:
            part = b""
        self.data += part
        self.ended = self.ended or not part

    def last_is(self, text: str) -> bool:
        """Whether this is the last thing that it heard."""
        wanted = text.encode()
        return self.data[-len(wanted) - 1 :].rstrip(b"\n").endswith(wanted.rstrip(b"\n"))

    def listen_for(self, text: str) -> None:
        """Takes what comes until it ends with `text`."""
        gather([self], text)

    def listen_to_the_end(self) -> None:
        while not self.ended:
            self.take()


def gather(ears: list[Ear], last: str) -> None:
    """Listens for all of them at once until the last thing that each has heard is `last`."""
    limit = time.monotonic() + GATHER_SECONDS
    with selectors.DefaultSelector() as selector:
        for ear in ears:
            if not ear.last_is(last):
                selector.register(ear.client.socket, selectors.EVENT_READ, ear)
        while selector.get_map():
            ready = selector.select(max(0.0, limit - time.monotonic()))
            assert ready, f"{len(selector.get_map())} members never heard {last!r}"
            for key, _ in ready:
                key.data.take()
                assert not key.data.ended, f"{key.data.client.name} was cut off"
                if key.data.last_is(last):
                    selector.unregister(key.fileobj)


class Listening:
    """Listens for some members in a thread of its own, until it is left."""

    def __init__(self, ears: list[Ear]):
        self.ears = ears
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for ear in self.ears:
                selector.register(ear.client.socket, selectors.EVENT_READ, ear)
            while not self._stop.is_set():
                for key, _ in selector.select(0.02):
                    key.data.take()
                    if key.data.ended:
                        selector.unregister(key.fileobj)


# -- talking at length

TALK = "." * 4000
_TALKED_AHEAD = 16
_TALK_LIMIT = 20_000
_RECENT = 100_000


def talked_about(number: int) -> str:
    """The text of that number in a talk."""
    return f"{number:06}{TALK}{MARK}"


def talk(speaker: ChunkClient, listener: Ear, is_enough: Callable[[int], bool]) -> int:
    """Writes texts until that many are enough, never far ahead of what the listener, for whom somebody must
    listen, has heard: nobody who reads has much waiting. How many texts it took."""
    for number in range(_TALK_LIMIT):
        speaker.write(talked_about(number))
        if (number + 1) % _TALKED_AHEAD == 0:
            heard = talked_about(number).encode()
            wait_until(lambda heard=heard: heard in listener.data[-_RECENT:], "what was said")
            if is_enough(number + 1):
                return number + 1
    raise AssertionError("talked for nothing")
