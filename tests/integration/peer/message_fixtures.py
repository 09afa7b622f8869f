"""Fixtures for tests of the client's messages: fake servers, and clients whose homes hold an identity."""

import dataclasses
import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from .drop import User
from .kesher import Kesher, Outcome, write_identity, write_server_info
from .kesherd import Kesherd
from .message_server import FakeUser, MessageScript, MessageServer

END_OF_MESSAGE = "-----<EOM>-----"
CANNOT_DECRYPT = "can't decrypt message"
KEY_REQUESTED = "Request for symmetric key"
KEY_RECEIVED = "symmetric key received"


FORGOTTEN_ID = bytes(range(16))
NOT_ACCEPTED = "(key not accepted)\n"


def new_key(name: str) -> str:
    """The line before the first message under a key that was only received."""
    return (
        f"(under a new key, which anyone holding {name}'s id could have sent; see kesher key --help)\n"
    )


TIME_LINE = re.compile(
    r"^\(received (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4})\)\n(?=From: |\()", re.MULTILINE
)


def without_times(text: str) -> str:
    """What `inbox` prints, but for the line before each message that says when it came."""
    return TIME_LINE.sub("", text)


class Member(Kesher):
    """A client whose home holds the identity of `user`. Its `inbox` is shown without times."""

    def run(self, *arguments: str | Path, **options) -> Outcome:
        result = super().run(*arguments, **options)
        if "inbox" not in arguments or "--json" in arguments:
            return result
        return dataclasses.replace(result, stdout=without_times(result.stdout))

    def __init__(self, home: Path, address: tuple[str, int], user: User):
        super().__init__(home, address)
        self.user = user
        write_identity(home, user)

    @property
    def name(self) -> str:
        return self.user.name


def shown(sender: str, *contents: str) -> str:
    """What `inbox` and the console print for messages with these contents, all of one sender."""
    return "".join(f"From: {sender}\nContent:\n{content}\n{END_OF_MESSAGE}\n\n" for content in contents)


def assert_one_line(text: str) -> str:
    """An error: one line, told as the client's or as JSON, without control bytes."""
    if text.startswith("{"):
        error = json.loads(text)
        assert list(error) == ["error", "message"], text
        text = f"kesher: {error['message']}\n"
    assert text.startswith("kesher: ") and text.endswith("\n") and text.count("\n") == 1, text
    assert text[:-1].isprintable(), text
    return text


CODES = re.compile(r"\b(10(2[5-9]|3[01])|60[0-4]|21\d\d|9000)\b")  # of requests and answers


def assert_plain_failure(result: Outcome, *words: str) -> str:
    """Failed with one line for people, without codes and the course's words; all of `words`, in any case, stand
    in it. The line."""
    assert (result.status, result.stdout) == (1, ""), result
    line = assert_one_line(result.stderr)
    assert not CODES.search(line.replace("127.0.0.1:", "")), line
    assert "fatal" not in line.lower() and "responded with an error" not in line, line
    for word in words:
        assert word.lower() in line.lower(), line
    return line


def saved_path(output: str) -> Path:
    """The path that is the content of the one message in this output."""
    lines = output.splitlines()
    assert (lines[1], lines[3:]) == ("Content:", [END_OF_MESSAGE, ""]), output
    return Path(lines[2])


def told_by(member: Member, *options: str) -> list[dict]:
    return member.succeed("inbox", "--json", *options).objects()


def assert_tells(told: dict, wanted: dict) -> None:
    """`told` has all that is wanted, and claims nothing that a plain message does not have."""
    assert told.items() >= wanted.items(), told
    assert wanted.get("again", False) == told.get("again", False), told
    assert wanted.get("key") == told.get("key"), told
    assert wanted.get("readable", True) == told.get("readable", True), told


def modes_below(folder: Path) -> Iterator[tuple[Path, int]]:
    """Everything below that folder and itself, with the bits of its mode."""
    for path in (folder, *sorted(folder.rglob("*"))):
        yield path, stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def make_messages():
    """Makes fake servers of messages. What they could not understand of requests fails the test."""
    servers = []

    def make(**script) -> MessageServer:
        servers.append(MessageServer(MessageScript(**script)))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
    assert [problem for server in servers for problem in server.problems] == []


@pytest.fixture
def messages(make_messages) -> MessageServer:
    """A fake server, honest until the test changes its script."""
    return make_messages()


@pytest.fixture
def alice(messages, make_kesher, home, private_keys) -> Member:
    """A client that the fake server knows as alice."""
    return Member(home, messages.address, messages.add_user("alice", private_keys[0]))


def member_of(server: MessageServer, home: Path, user: User) -> Member:
    """A client whose home is at home at that server."""
    member = Member(home, server.address, user)
    write_server_info(home, server.address)
    return member


@pytest.fixture
def make_alice(make_messages, make_kesher, home, private_keys):
    """Makes an odd server and alice, who is at home there; `knows` tells whether it knows her."""

    def make(knows: bool = True, **script) -> tuple[MessageServer, Member]:
        server = make_messages(**script)
        user = User("alice", private_keys[0], FORGOTTEN_ID)
        return server, member_of(server, home, server.add_user(user.name, user.private_key) if knows else user)

    return make


@pytest.fixture
def make_bob(private_keys):
    """Makes a user of a fake server whom the test plays."""
    return lambda server: FakeUser(server, "bob", private_keys[1])


@pytest.fixture
def source(tmp_path):
    """Makes files to be sent."""
    folder = tmp_path / "source"
    folder.mkdir()

    def make(name: str, content: bytes) -> Path:
        path = folder / name
        path.write_bytes(content)
        return path

    return make


@pytest.fixture
def bob(messages, alice, private_keys) -> FakeUser:
    """A user of the same fake server whom the test plays."""
    return FakeUser(messages, "bob", private_keys[1])


@pytest.fixture
def talking(alice, bob):
    """alice, when she and bob have a symmetric key, which bob made and alice has taken in and accepted."""
    bob.share_key(alice.user)
    alice.succeed("inbox")
    alice.succeed("key", "bob", "--accept-key")
    return alice


@pytest.fixture
def temporary(tmp_path, monkeypatch) -> Path:
    """The directory for temporary files of every program that the test runs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def pair(server: Kesherd, make_kesher, tmp_path, private_keys, fresh_name) -> tuple[Member, Member]:
    """Two clients that the real server knows."""
    members = []
    with server.connect() as connection:
        for number, key in enumerate(private_keys):
            user = connection.register_for_messages(User(fresh_name(), key))
            members.append(Member(tmp_path / f"member {number}", server.address, user))
    return members[0], members[1]
