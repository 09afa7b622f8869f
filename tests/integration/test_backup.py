"""A backup that was made while the server ran, as docs/operations.md tells: the journal, the database, the files."""

import shutil
import sqlite3
import threading

import pytest
from peer.conversation import send_all, two_users, wait_until
from peer.kesherd import Kesherd
from peer.messages import SPOOL_THRESHOLD

LARGE = b"l" * (SPOOL_THRESHOLD + 16)


@pytest.fixture
def restored(tmp_path):
    """The server on the backup; the test fills the directory."""
    server = Kesherd(tmp_path / "restored")
    yield server
    server.stop()


def back_up_database(server, copy):
    copy.data.mkdir(mode=0o700)
    shutil.copy(server.data / "journal", copy.data / "journal")
    source = sqlite3.connect(server.data / "kesher.db")
    target = sqlite3.connect(copy.data / "kesher.db")
    try:
        source.backup(target)
    finally:
        source.close()
        target.close()


def back_up_files(server, copy):
    for name in ("files", "messages"):
        shutil.copytree(server.data / name, copy.data / name)


def test_a_backup_holds_users_files_and_messages(own_server, restored, new_user):
    with own_server.connect() as client:
        sender, receiver, alias = two_users(client, new_user)
        client.reconnect(sender)
        client.put(sender, "kept.txt", b"kept")
        sent = [client.send_message(sender, alias, content) for content in (b"small", LARGE)]
    back_up_database(own_server, restored)
    back_up_files(own_server, restored)
    restored.start()
    assert restored.stored(sender.id, "kept.txt") == b"kept"
    with restored.connect() as client:
        client.reconnect(sender)
        waiting = client.pull(receiver)
    assert [(message.id, message.content) for message in waiting] == [(sent[0], b"small"), (sent[1], LARGE)]


def test_what_happens_between_database_and_files_leaves_no_trouble(own_server, restored, new_user):
    with own_server.connect() as client:
        sender, receiver, alias = two_users(client, new_user)
        client.reconnect(sender)
        client.put(sender, "kept.txt", b"old")
        client.send_message(sender, alias, LARGE)
        client.send_message(sender, alias, b"small")
        back_up_database(own_server, restored)
        client.put(sender, "kept.txt", b"new")
        client.put(sender, "added.txt", b"added")
        client.pull(receiver)
    messages = own_server.data / "messages"
    wait_until(lambda: own_server.waiting_ids(receiver.id) == [], "the deletion of the rows")
    wait_until(lambda: not any(path.is_file() for path in messages.rglob("*")), "the deletion of the file")
    back_up_files(own_server, restored)
    restored.start()
    assert restored.stored(sender.id, "kept.txt") == b"new"
    adopted = [path.name for path in restored.stored_paths()]
    assert sorted(adopted) == ["added.txt", "kept.txt"]
    with restored.connect() as client:
        # The small one had its content in the database; the large one was delivered, and its file is gone.
        assert [message.content for message in client.pull(receiver)] == [b"small"]
        client.reconnect(sender)
        client.put(sender, "later.txt", b"later")
        assert client.send_message(sender, alias, b"later") > 0


def test_a_backup_under_load_holds_all_that_was_acknowledged_before(own_server, restored, new_user):
    """Batches of many messages are in the journal for a moment, and nowhere else."""
    acknowledged = []
    stop = threading.Event()
    with own_server.connect() as client:
        sender, receiver, alias = two_users(client, new_user)

        def send_all_the_time():
            while not stop.is_set():
                acknowledged.extend(send_all(client, sender, alias, [b"text"] * 200))

        thread = threading.Thread(target=send_all_the_time)
        thread.start()
        try:
            wait_until(lambda: len(acknowledged) >= 2000, "the load")
            before = set(acknowledged)
            back_up_database(own_server, restored)
            back_up_files(own_server, restored)
        finally:
            stop.set()
            thread.join()
    restored.start()
    with restored.connect() as client:
        kept = [message.id for message in client.pull(receiver)]
    assert kept == sorted(set(kept))
    assert before <= set(kept)
