"""The messages' storage: table, restarts, ids that are used once, and what must not be left on the disk."""

import os
import stat

import pytest
from peer import crypto
from peer.conversation import send_all, two_users, wait_until
from peer.drop import User
from peer.frames import MESSAGES_ERROR, ConnectionEnded
from peer.messages import SPOOL_THRESHOLD, Correspondent, Type, message_frame

MIB = 1 << 20
ENDS = ["restart", "restart_after_kill"]
MIXED_SIZES = [10, 0, SPOOL_THRESHOLD + 1, 100, SPOOL_THRESHOLD, 2 * MIB, 1]


class Post:
    """A server of one's own with a sender and a receiver, each request on a connection of its own."""

    def __init__(self, server, new_user):
        self.server = server
        with server.connect() as client:
            self.sender, self.receiver, self.alias = two_users(client, new_user)

    def send(self, content: bytes, message_type: int = Type.TEXT) -> int:
        with self.server.connect() as client:
            return client.send_message(self.sender, self.alias, content, message_type)

    def pull(self) -> list[tuple[int, bytes]]:
        """(id, content) of what waits."""
        with self.server.connect() as client:
            return [(message.id, message.content) for message in client.pull_until_empty(self.receiver)]

    def pull_for_good(self) -> list[tuple[int, bytes]]:
        """The same, until the server has deleted it."""
        found = self.pull()
        wait_until(lambda: self.server.waiting_ids(self.receiver.id) == [], "the deletion")
        return found

    def files(self) -> set[str]:
        """Every file of the data directory but those of the database and of users."""
        paths = [path for path in self.server.data.rglob("*") if path.is_file()]
        names = {str(path.relative_to(self.server.data)) for path in paths}
        return {name for name in names if not name.startswith(("kesher.db", "files/"))}


@pytest.fixture
def post(own_server, new_user) -> Post:
    return Post(own_server, new_user)


# -- the table


def test_the_messages_table_has_the_documented_columns(server):
    columns = {row[1]: row[2].upper() for row in server.rows("PRAGMA table_info(messages)")}
    assert {"ID", "ToClient", "FromClient", "Type", "Content"} <= set(columns)
    assert [columns[name][:4] for name in ("ID", "ToClient", "FromClient", "Type", "Content")] == [
        "INTE",
        "BLOB",
        "BLOB",
        "INTE",
        "BLOB",
    ]


@pytest.mark.parametrize("message_type", list(Type))
def test_the_row_of_a_message_holds_what_was_sent_and_the_ids_of_both(post, message_type):
    number = post.send(b"content", message_type)
    assert post.server.rows("SELECT ID, ToClient, FromClient, Type, Content FROM messages") == [
        (number, post.receiver.id, post.sender.id, message_type, b"content")
    ]


def test_an_answered_message_is_committed(post):
    for count in range(1, 20):
        number = post.send(b"content")
        assert post.server.waiting_ids(post.receiver.id)[-1] == number
        assert len(post.server.waiting_ids(post.receiver.id)) == count


@pytest.mark.parametrize("size", [10, 2 * MIB])
def test_files_of_messages_are_for_their_owner_only(post, size):
    post.send(os.urandom(size))
    for path in [post.server.data, *post.server.data.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


# -- nothing readable, nothing left


def everything_stored(server) -> bytes:
    return b"".join(path.read_bytes() for path in server.data.rglob("*") if path.is_file())


def test_nothing_of_a_conversation_can_be_read_on_the_disk(post, private_keys):
    marker = b"the quick brown fox jumps over the lazy dog"
    with post.server.connect() as client:
        one = Correspondent(post.sender)
        one.share_key(client, post.alias)
        one.write(client, post.alias, marker)
        one.write(client, post.alias, marker * 20_000, Type.FILE)
        stored = everything_stored(post.server)
        assert one.keys[post.alias] not in stored
        assert marker[:16] not in stored
        two = Correspondent(post.receiver)
        _, text, file = [two.read(message) for message in client.pull_until_empty(post.receiver)]
    assert (text, file) == (marker, marker * 20_000)


def test_contents_are_stored_as_they_were_sent(post):
    """Whether in a row or in a file of its own: the server neither wraps nor changes what it does not own."""
    small, large = os.urandom(1000), os.urandom(2 * MIB)
    post.send(small)
    post.send(large)
    stored = everything_stored(post.server)
    assert small in stored
    assert large[: 64 * 1024] in stored


def test_the_file_of_a_spooled_message_goes_with_it(post):
    before = post.files()
    for _ in range(3):
        post.send(os.urandom(2 * MIB))
    assert len(post.pull_for_good()) == 3
    wait_until(lambda: post.files() == before, "the removal of the files")


def test_a_spooled_message_that_breaks_off_leaves_nothing(post):
    before = post.files()
    frame = message_frame(post.sender.id, post.alias, Type.FILE, os.urandom(2 * MIB))
    for size in (23 + 21, 100, SPOOL_THRESHOLD + 44, MIB, len(frame) - 1):
        for end in ("reset", "close"):
            client = post.server.connect()
            client.send(frame[:size])
            getattr(client, end)()
    assert post.send(b"behind them") == 1
    wait_until(lambda: post.files() == before, "the removal of what was spooled")
    assert post.pull() == [(1, b"behind them")]


def test_a_message_that_breaks_off_is_not_stored(post):
    frame = message_frame(post.sender.id, post.alias, Type.TEXT, b"half")
    for size in range(1, len(frame)):
        with post.server.connect() as client:
            client.send(frame[:size])
            client.finish_sending()
            assert client.has_ended()
    assert post.server.waiting_ids(post.receiver.id) == []


def test_what_was_spooled_when_the_server_died_is_swept_at_the_next_start(post):
    post.send(os.urandom(2 * MIB))
    before = post.files()
    with post.server.connect() as client:
        client.send(message_frame(post.sender.id, post.alias, Type.FILE, os.urandom(4 * MIB))[: 3 * MIB])
        wait_until(lambda: post.files() != before, "a spooled file")
        post.server.restart_after_kill()
        with pytest.raises(ConnectionEnded):
            client.receive()
    wait_until(lambda: post.files() == before, "the sweep")
    assert [len(content) for _, content in post.pull()] == [2 * MIB]


def test_a_refused_message_leaves_nothing(post):
    before = post.files()
    with post.server.connect() as client:
        for message_type in (0, 5):
            client.send(message_frame(post.sender.id, post.alias, message_type, bytes(1000)))
            assert client.receive() == MESSAGES_ERROR
    with post.server.connect() as client:
        frame = message_frame(post.sender.id, post.alias, Type.FILE, bytes(2 * MIB), content_size=2 * MIB - 1)
        client.send_as_far_as_taken(frame)
        assert client.receive_until_end() == [MESSAGES_ERROR]
    assert post.files() == before
    assert post.server.rows("SELECT COUNT(*) FROM messages") == [(0,)]


# -- restarts


@pytest.mark.parametrize("end", ENDS)
def test_everything_that_waits_survives_a_restart_in_order(post, end):
    contents = [os.urandom(size) for size in MIXED_SIZES]
    expected = [(post.send(content), content) for content in contents]
    getattr(post.server, end)()
    assert post.pull() == expected


@pytest.mark.parametrize("end", ENDS)
def test_what_came_before_a_restart_stands_before_what_came_behind_it(post, end):
    numbers = []
    for life in range(3):
        numbers += [post.send(f"{life}.{number}".encode()) for number in range(3)]
        getattr(post.server, end)()
    assert numbers == list(range(1, 10))
    assert [content for _, content in post.pull()] == [
        f"{life}.{number}".encode() for life in range(3) for number in range(3)
    ]


def test_pipelined_messages_survive_kill_9_once_they_are_answered(post):
    contents = [str(number).encode() for number in range(500)]
    with post.server.connect() as client:
        numbers = send_all(client, post.sender, post.alias, contents)
        post.server.kill()
    post.server.start()
    assert post.pull() == list(zip(numbers, contents))


@pytest.mark.parametrize("size", [100, 2 * MIB])
def test_a_message_survives_kill_9_at_the_instant_of_its_answer(post, size):
    for life in range(5):
        content = os.urandom(size)
        with post.server.connect() as client:
            number = client.send_message(post.sender, post.alias, content)
            post.server.kill()
        post.server.start()
        assert number == life + 1
        assert post.pull_for_good() == [(number, content)]


@pytest.mark.parametrize("end", ENDS)
def test_deleted_messages_stay_deleted_over_a_restart(post, end):
    for size in MIXED_SIZES:
        post.send(os.urandom(size))
    assert len(post.pull_for_good()) == len(MIXED_SIZES)
    getattr(post.server, end)()
    assert post.pull() == []
    assert post.server.rows("SELECT COUNT(*) FROM messages") == [(0,)]


@pytest.mark.parametrize("end", ENDS)
def test_ids_are_not_used_again_after_everything_was_deleted(post, end):
    for life in range(3):
        assert post.send(b"content") == 2 * life + 1
        assert post.pull_for_good() == [(2 * life + 1, b"content")]
        assert post.send(b"content") == 2 * life + 2
        assert post.pull_for_good() == [(2 * life + 2, b"content")]
        getattr(post.server, end)()


def test_ids_of_messages_that_broke_off_before_a_crash_are_not_given_twice(post):
    first = post.send(b"content")
    with post.server.connect() as client:
        client.send(message_frame(post.sender.id, post.alias, Type.FILE, bytes(2 * MIB))[:MIB])
        post.server.restart_after_kill()
    second = post.send(b"content")
    assert post.pull() == [(first, b"content"), (second, b"content")]
    assert second > first


def test_a_stopped_server_leaves_an_intact_database(post):
    for size in MIXED_SIZES:
        post.send(os.urandom(size))
    post.server.restart()
    assert post.server.rows("PRAGMA integrity_check") == [("ok",)]
    assert len(post.server.waiting_ids(post.receiver.id)) == len(MIXED_SIZES)


def test_messages_and_files_of_one_user_do_not_touch_each_other(post):
    user = User(post.receiver.name, post.receiver.private_key, post.receiver.id)
    plain = os.urandom(MIB)
    with post.server.connect() as client:
        client.reconnect(user)
        post.send(os.urandom(2 * MIB))
        client.put(user, "x", plain)
        assert len(post.pull_for_good()) == 1
    post.server.restart_after_kill()
    assert post.server.stored(user.id, "x") == plain
    assert crypto.cksum(post.server.stored(user.id, "x")) == crypto.cksum(plain)
