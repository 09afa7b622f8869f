"""Ask from the client's side: greeting, requests of four letters, replies with their length in four digits."""

from .frames import Connection

BANNER = b"kesher at your service: TIME NAME RAND STAT EXIT"
BANNER_SIZE = 48
REQUESTS = ["TIME", "NAME", "RAND", "STAT", "EXIT"]
LENGTH_SIZE = 4


class AskClient(Connection):
    """Behaves as the course's client where nothing else is asked of it."""

    def greet(self, greeting: bytes = b"Hi") -> None:
        self.send(greeting)
        self.expect_banner()

    def expect_banner(self) -> None:
        assert self.receive_exactly(BANNER_SIZE) == BANNER

    def ask(self, request: str | bytes) -> str:
        self.send(request.encode() if isinstance(request, str) else request)
        return self.receive_reply()

    def receive_reply(self) -> str:
        """The text of the next reply, whose length must be four ASCII digits."""
        length = self.receive_exactly(LENGTH_SIZE)
        assert all(digit in b"0123456789" for digit in length), length
        return self.receive_exactly(int(length)).decode()

    def expect_unknown(self) -> None:
        """The next reply says that the request is unknown, and which ones there are."""
        reply = self.receive_reply()
        assert "unknown" in reply.lower(), reply
        assert [name for name in REQUESTS if name not in reply] == [], reply

    def expect_end(self) -> None:
        """The server closes, without another byte."""
        assert self.has_ended(), self.socket.recv(1000)


def greeted(address: tuple[str, int], **options) -> AskClient:
    """A connection that has been greeted."""
    client = AskClient(address, **options)
    client.greet()
    return client


def replies_in(data: bytes) -> list[bytes]:
    """Cuts what was received into the texts of replies; there must be nothing beside them."""
    texts = []
    at = 0
    while at < len(data):
        length = data[at : at + LENGTH_SIZE]
        assert len(length) == LENGTH_SIZE and length.isdigit(), data[at : at + 20]
        end = at + LENGTH_SIZE + int(length)
        assert end <= len(data), "a reply that is cut short"
        texts.append(data[at + LENGTH_SIZE : end])
        at = end
    return texts
