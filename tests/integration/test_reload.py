"""SIGHUP: what is under way goes on, what is wrong changes nothing, what takes a new start is told."""

import os
import signal
import subprocess

import pytest
from peer.chat import LineClient, said
from peer.conversation import taken, two_users, wait_until
from peer.crypto import cksum
from peer.drop import Received, User, file_frame, named_frame, thanks
from peer.frames import MESSAGES_ERROR, Answer, Request
from peer.kesherd import Kesherd, environment, program
from peer.load import Load, await_progress, chatting, conversing, stop_all, uploading
from peer.messages import WAITING_FIXED, MessagesClient, Type, message_frame, parse_messages, pull_frame
from peer.ports import free_port

SLOW = os.environ.get("KESHER_SLOW") == "1"
RELOADS = 1000 if SLOW else 100
MIB = 1 << 20
EVERYTHING = {
    "stat": "full",
    "connections": 5,
    "header-timeout": 29,
    "payload-timeout": 59,
    "message-limit": 1,
    "pull-limit": 1,
    "groups": 1,
    "group-members": 1,
    "member-queue": 64,
    "chat-queues": 1,
    "wrong-passwords": 1,
    "prompt-timeout": 60,
    "log-rate": 100,
    "connections-per-address": 1,
    "unlimited-networks": "none",
    "registrations-per-hour": 1,
    "keys-per-hour": 1,
    "payload-rate": 1,
    "uploads-per-user": 1,
    "uploads": 1,
    "waiting-messages": 1,
    "waiting-bytes": 1,
    "user-files": 1,
    "users": 1,
    "sign-in-timeout": 1,
    "proxy-networks": "192.0.2.0/24",
    "registration": "closed",
    "crc-wrong-delay-ms": 1,
}


# -- what is under way


class HalfDone:
    """An upload, a pull and a talk, each in its middle."""

    def __init__(self, server: Kesherd, new_user, open_chat):
        self.content = [os.urandom(20 * MIB)]  # one message comes whole, however short the first answers are
        self.uploader = server.connect()
        self.user = self.uploader.introduce(new_user())
        self.plain = os.urandom(3 * MIB)
        frame = file_frame(self.user.id, "half", self.user.encrypt(self.plain))
        self.uploader.send(frame[: MIB + 7])
        self.rest = frame[MIB + 7 :]
        self.puller = server.connect(receive_buffer=65_536)
        sender, receiver, alias = two_users(self.puller, new_user)
        for content in self.content:
            self.puller.send_message(sender, alias, content, Type.FILE)
        self.puller.send(pull_frame(receiver.id))
        self.due = self.puller.receive_waiting_header()
        self.host, self.guest = open_chat(LineClient, server), open_chat(LineClient, server)
        self.guest.join("guest", self.host.create("host"))

    def finish(self, server: Kesherd) -> None:
        self.uploader.send(self.rest)
        received = Received.parse(self.uploader.expect(Answer.FILE_RECEIVED).payload)
        assert received.cksum == cksum(self.plain)
        self.uploader.confirm(self.user, "half")
        assert server.stored(self.user.id, "half") == self.plain
        assert self.due == WAITING_FIXED.size + 20 * MIB
        messages = parse_messages(self.puller.receive_exactly(self.due))
        assert [message.content for message in messages] == self.content
        self.guest.write("still here")
        self.host.expect(said("guest", "still here"))
        self.uploader.close()
        self.puller.close()


@pytest.mark.parametrize("changed", [EVERYTHING, {}], ids=["everything", "nothing"])
def test_what_is_under_way_goes_on(make_talker, new_user, open_chat, changed):
    """Whatever the new limits would say of it, had it begun later. (What a user may store is judged at the end.)"""
    server = make_talker()
    half_done = HalfDone(server, new_user, open_chat)
    assert "the configuration was read again" in server.reload(**changed)
    half_done.finish(server)


def test_a_crc_wrong_that_waits_for_its_answer_still_gets_it(make_server, new_user):
    server = make_server(crc_wrong_delay_ms=1000)
    with server.connect() as client:
        user = client.introduce(new_user())
        client.send(taken(user) + named_frame(user.id, Request.CRC_WRONG, "nothing"))
        assert client.receive().code == Answer.REGISTER_REFUSED  # and from then on the other waits
        server.reload(crc_wrong_delay_ms=86_400_000)
        assert client.receive() == thanks(user.id)


# -- many reloads under load


def test_a_hundred_reloads_under_load_and_nobody_notices(make_talker, new_user, open_chat):
    """Every second one is refused; the others change limits to and fro that are never reached."""
    server = make_talker(log_level="info", log_rate=0)
    with server.connect() as first, server.connect() as second:
        host, guest = open_chat(LineClient, server), open_chat(LineClient, server)
        loads = [
            Load(uploading(first, new_user)),
            Load(conversing(second, new_user)),
            Load(chatting(host, guest)),
        ]
        start = len(server.log())
        for number in range(RELOADS // 2):
            limit = 100_000 + number
            server.reload(message_limit=limit, pull_limit=limit, groups=limit, connections=1000 + number)
            server.reload(message_limit=limit, nonsense=1)
        await_progress(loads)
        stop_all(loads)
    assert server.log()[start:].count("was read again") == RELOADS // 2
    assert server.log()[start:].count(" error ") == RELOADS // 2
    assert " warning " not in server.log()[start:]


def test_signals_in_a_burst_are_one_reload_at_least(own_server):
    start = len(own_server.log())
    own_server.configure(message_limit=77)
    for _ in range(100):
        own_server.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "was read again" in own_server.log()[start:], "a reload")
    own_server.stop()
    assert " error " not in own_server.log()


# -- what is wrong

WRONG = {
    "no option": "nonsense = 1",
    "a section": "[limits]",
    "twice": "groups = 1\ngroups = 2",
    "no number": "groups = many",
    "nothing": "groups =",
    "too small": "groups = 0",
    "too large": "message-limit = 2147483648",
    "negative": "groups = -1",
    "no word": "stat = some",
    "no networks": "unlimited-networks = 10.0.0.0/33",
    "no line": "groups",
}


def takes_a_message(client: MessagesClient, user: User, size: int) -> bool:
    client.send(message_frame(user.id, user.id, Type.TEXT, bytes(size)))
    return client.receive() != MESSAGES_ERROR


@pytest.fixture(scope="module")
def limited_server(tmp_path_factory):
    """Its limits are seen by whoever sends a message to itself."""
    server = Kesherd(tmp_path_factory.mktemp("server") / "data", message_limit=100).start()
    yield server
    server.stop()


@pytest.fixture
def sender(limited_server, new_user):
    limited_server.reload(message_limit=100)
    with limited_server.connect() as client:
        yield client, client.register_for_messages(new_user())


def assert_stayed_as_it_was(server: Kesherd, sender, told: str) -> str:
    """The one line that a reload was worth."""
    client, user = sender
    lines = told.splitlines()
    assert len(lines) == 1 and " error " in lines[0] and "the configuration stays as it was" in lines[0], told
    assert takes_a_message(client, user, 100) and not takes_a_message(client, user, 101)
    return lines[0]


RIGHT = ["message-limit = 200", "stat = full"]


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("place", [1, 3], ids=["first", "last"])
def test_a_wrong_file_changes_nothing_and_is_one_line(limited_server, sender, wrong, place):
    lines = RIGHT[: place - 1] + wrong.splitlines() + RIGHT[place - 1 :]
    limited_server.configuration.write_text("\n".join(lines) + "\n")
    line = assert_stayed_as_it_was(limited_server, sender, limited_server.read_again())
    assert f"{limited_server.configuration}:{lines.index(wrong.splitlines()[-1]) + 1}: " in line


@pytest.mark.parametrize("file", ["gone", "a folder", "bytes"])
def test_a_file_that_cannot_be_read_changes_nothing_and_is_one_line(limited_server, sender, file):
    path = limited_server.configuration
    path.unlink()
    if file == "a folder":
        path.mkdir()
    elif file == "bytes":
        path.write_bytes(b"\0\xff\x1b[2J" * 1000)
    try:
        line = assert_stayed_as_it_was(limited_server, sender, limited_server.read_again())
    finally:
        if path.is_dir():
            path.rmdir()
    assert str(path) in line
    assert line.isprintable()


def test_after_a_wrong_file_the_next_right_one_counts(limited_server, sender):
    client, user = sender
    assert "stays as it was" in limited_server.reload(nonsense=1)
    assert "was read again" in limited_server.reload(message_limit=300)
    assert takes_a_message(client, user, 300) and not takes_a_message(client, user, 301)


def test_what_is_no_longer_in_the_file_is_the_default_again(limited_server, sender):
    client, user = sender
    limited_server.reload()
    assert takes_a_message(client, user, 100_000)


# -- the command line


class FromFile(Kesherd):
    """A server that is told all by its configuration, and perhaps some on its command line."""

    whole: dict
    arguments: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [str(program("KESHERD", "kesherd")), "--config", str(self.configuration), *self.arguments]


FIXED = {
    "data": "other-data",
    "listen": "127.0.0.1:0",
    "chat": "127.0.0.1:0",
    "ask": "127.0.0.1:0",
    "secure": "127.0.0.1:0",
    "name": "another",
    "workers": "1",
    "buffers": "7",
    "stage-lifetime": "7",
    "lease-lifetime-ms": "7",
    "settle-time-ms": "7",
    "public-ids": "plain",
}


@pytest.fixture
def from_file(tmp_path):
    """A server that is told all by its configuration; stopped and checked afterwards."""
    server = FromFile(tmp_path / "data")
    listen = f"127.0.0.1:{free_port()}"
    server.whole = {"data": server.data, "listen": listen, "chat": "off", "ask": "off", "secure": "off", "workers": 2}
    server.configure(**server.whole)
    yield server
    server.stop()


@pytest.mark.parametrize("name", FIXED)
def test_what_takes_a_new_start_is_told_and_the_rest_counts(from_file, new_user, name):
    from_file.start()
    told = from_file.reload(**{**from_file.whole, name: FIXED[name], "message-limit": 100})
    warnings = [line for line in told.splitlines() if " warning " in line]
    assert len(warnings) == 1 and f" {name} " in warnings[0] and "new start" in warnings[0], told
    with from_file.connect() as client:
        user = client.register_for_messages(new_user())
        assert takes_a_message(client, user, 100) and not takes_a_message(client, user, 101)
    assert not (from_file.data.parent / "other-data").exists()
    told = from_file.reload(**from_file.whole)
    assert " warning " not in told, "what stands there as it did is no change"


def test_the_command_line_still_wins(from_file, new_user):
    from_file.arguments = ("--message-limit", "100", "--name=mine")
    from_file.start()
    told = from_file.reload(**from_file.whole, message_limit=500, name="the file's", pull_limit=1)
    assert " warning " not in told and "was read again" in told
    with from_file.connect() as client:
        user = client.register_for_messages(new_user())
        assert takes_a_message(client, user, 100) and not takes_a_message(client, user, 101)
        assert takes_a_message(client, user, 1)
        assert len(client.pull(user)) == 1, "the file's other settings count"


def test_without_a_file_a_reload_is_nothing(tmp_path, new_user):
    log = tmp_path / "log"
    command = [program("KESHERD", "kesherd"), "--data", tmp_path / "data", "--listen", "127.0.0.1:0"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            [*command, "--chat", "off", "--ask", "off", "--secure", "off"], stderr=out, env=environment(), cwd=tmp_path
        )
    try:
        wait_until(lambda: " ready: " in log.read_text(), "a server")
        server.send_signal(signal.SIGHUP)
        wait_until(lambda: "the configuration was read again" in log.read_text(), "a reload")
    finally:
        server.terminate()
        assert server.wait(60) == 0
    assert " warning " not in log.read_text() and " error " not in log.read_text()
