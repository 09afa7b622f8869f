"""`kesher` and clients that treat symmetric keys in other ways, as public ones do: whoever begins, and whatever
they lose, both can read what the other writes."""

import os

import pytest
from peer import crypto
from peer.console import MENU, NAME, SENT, TEXT, screen_of
from peer.message_fixtures import KEY_RECEIVED, Member, shown, told_by
from peer.message_server import FakeUser
from peer.messages import Type


class Client:
    """A client whose user the test plays. It has one key for each other, and the newest counts: what it received
    replaces what it made, and the other way about. Most public clients are so."""

    def __init__(self, user: FakeUser, other: Member):
        self.user = user
        self.other = other.user
        self.restart()

    def restart(self) -> None:
        """Its keys live as long as it does."""
        self.key = b""

    def share(self) -> None:
        self.key = os.urandom(crypto.AES_KEY_SIZE)
        self.user.share_key(self.other, self.key)

    def ask(self) -> None:
        self.user.ask_for_key(self.other)

    def write(self, text: str) -> None:
        if not self.key:
            self.share()
        self.user.write(self.other, text, self.key)

    def take(self) -> list[str]:
        """The texts that came; one that cannot be read fails."""
        texts = []
        for message in self.user.take():
            if message.type == Type.KEY:
                self.receive(crypto.rsa_decrypt(self.user.user.private_key, message.content))
            elif message.type == Type.TEXT:
                texts.append(self.read(message.content).decode())
        return texts

    def receive(self, key: bytes) -> None:
        self.key = key

    def read(self, content: bytes) -> bytes:
        return crypto.aes_decrypt(self.key, content)


class SharesAgain(Client):
    """Makes a key only where there is none, and sends the one that it has when it is told to share."""

    def share(self) -> None:
        self.key = self.key or os.urandom(crypto.AES_KEY_SIZE)
        self.user.share_key(self.other, self.key)


class TwoKeys(Client):
    """Writes under its own key and reads under the one that it received last."""

    def restart(self) -> None:
        super().restart()
        self.received = b""

    def receive(self, key: bytes) -> None:
        self.received = key

    def read(self, content: bytes) -> bytes:
        return crypto.aes_decrypt(self.received, content)


class ManyKeys(Client):
    """Reads under every key that it has had, and writes under the newest."""

    def restart(self) -> None:
        super().restart()
        self.all = []

    def share(self) -> None:
        super().share()
        self.all.append(self.key)

    def receive(self, key: bytes) -> None:
        super().receive(key)
        self.all.append(key)

    def read(self, content: bytes) -> bytes:
        for key in self.all:
            try:
                plain = crypto.aes_decrypt(key, content)
                if plain.isascii():
                    return plain
            except ValueError:
                pass
        raise ValueError("no key fits")


class KeepsTheFirst(Client):
    """Does not replace a key that it has by one that comes (a map's insert, for instance)."""

    def receive(self, key: bytes) -> None:
        self.key = self.key or key


OPENINGS = {
    "it shares": lambda client: client.share(),
    "it shares twice": lambda client: (client.share(), client.share()),
    "it writes": lambda client: client.write("first"),
    "it asks": lambda client: client.ask(),
    "nothing": lambda client: None,
}
LOSSES = {
    "shares": lambda client: (client.restart(), client.share()),
    "asks": lambda client: (client.restart(), client.ask()),
    "writes": lambda client: (client.restart(), client.write("after the loss")),
}


def readable(alice: Member) -> list[str]:
    """The texts that alice reads; one that she cannot read fails."""
    told = told_by(alice)
    assert all(entry.get("readable", True) for entry in told), told
    return [entry["text"] for entry in told if "text" in entry]


def talk(alice: Member, client: Client) -> None:
    """Both write, each twice, and both read all of it."""
    for number in range(2):
        alice.succeed("send", "bob", f"from alice {number}")
        assert client.take() == [f"from alice {number}"]
        client.write(f"from bob {number}")
        assert readable(alice) == [f"from bob {number}"]


KINDS = [Client, SharesAgain, TwoKeys, ManyKeys]


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_both_can_read_whoever_began(alice, bob, kind, opening):
    client = kind(bob, alice)
    opening(client)
    readable(alice)
    talk(alice, client)


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_both_can_read_when_both_began_at_once(alice, bob, kind, opening):
    client = kind(bob, alice)
    opening(client)
    alice.succeed("send", "bob", "at once")
    assert client.take() == ["at once"]
    readable(alice)
    talk(alice, client)


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("kind", KINDS)
def test_both_can_read_after_it_has_lost_its_keys(alice, bob, kind, loss):
    client = kind(bob, alice)
    alice.succeed("send", "bob", "first")
    assert client.take() == ["first"]
    for _ in range(3):
        loss(client)
        readable(alice)
        talk(alice, client)


def test_no_key_goes_out_for_nothing(messages, alice, bob):
    client = Client(bob, alice)
    client.share()
    readable(alice)
    talk(alice, client)
    before = len(messages.sent_by(alice.user, Type.KEY))
    for _ in range(3):
        talk(alice, client)
    assert len(messages.sent_by(alice.user, Type.KEY)) == before


# -- the one kind that cannot read all of it


def test_a_client_that_keeps_the_first_key_reads_what_is_sent_under_it(alice, bob):
    """When alice began, or it asked, her key is the first."""
    client = KeepsTheFirst(bob, alice)
    client.ask()
    readable(alice)
    talk(alice, client)


def test_a_client_that_keeps_the_first_key_can_be_written_to_by_the_console(alice, bob):
    """`send` never writes under a key that somebody else made, so it reads nothing of that; the console does."""
    client = KeepsTheFirst(bob, alice)
    client.share()
    wanted = MENU + shown("bob", KEY_RECEIVED) + MENU + NAME + TEXT + SENT + MENU
    assert screen_of(alice, "140", "150", "bob", "hello") == wanted
    assert client.take() == ["hello"]
