"""`kesherd check`, on running servers and on the data of stopped ones; and what becomes of damaged messages."""

import os
import sqlite3
import threading

import pytest
from peer.conversation import two_users, wait_until
from peer.frames import ConnectionEnded
from peer.messages import SPOOL_THRESHOLD
from peer.operators import Operator

LARGE = b"l" * (SPOOL_THRESHOLD + 200_000)


@pytest.fixture
def operator(own_server) -> Operator:
    return Operator(own_server.data)


@pytest.fixture
def people(own_server, new_user):
    """Two users; the first has a file, the second three messages, the second of them a large one."""
    with own_server.connect() as connection:
        alice, bob, alias = two_users(connection, new_user)
        connection.reconnect(alice)
        connection.put(alice, "letter", b"dear all")
        ids = [connection.send_message(alice, alias, content) for content in (b"first", LARGE, b"third")]
    return alice, bob, ids


def rot(path, offset: int) -> None:
    """Changes a byte and not the file's times, as a disk does."""
    times = os.stat(path)
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def change(server, statement: str) -> None:
    database = sqlite3.connect(server.data / "kesher.db", timeout=30)
    try:
        database.execute(statement)
        database.commit()
    finally:
        database.close()


def pull_all(server, user) -> list[bytes]:
    """Pulls until a 604 is answered; a connection that ends in its answer is opened again."""
    for _ in range(3):
        with server.connect() as connection:
            try:
                return [message.content for message in connection.pull(user)]
            except ConnectionEnded:
                continue
    raise AssertionError("every pull was broken off")


def wrong(outcome) -> list[dict]:
    return [found for found in outcome.objects() if found.get("wrong")]


def test_a_sound_directory_is_sound_in_both_lives(own_server, operator, people):
    assert operator.succeed("check").lines() == [["sums", "1", "3", "0"]]
    assert operator.succeed("check", "--json").objects() == [{"files": 1, "messages": 3, "wrong_things": 0}]
    own_server.stop()
    assert operator.succeed("check").lines() == [["sums", "1", "3", "0"]]


@pytest.mark.parametrize("running", [True, False], ids=["running", "stopped"])
def test_what_has_rotted_is_told_and_put_aside(own_server, operator, people, running):
    alice, bob, _ = people
    letter = own_server.directory_of(alice.id) / "letter"
    rot(letter, 3)
    (content,) = (own_server.data / "messages").iterdir()
    rot(content, 150_000)
    if not running:
        own_server.stop()
    for words in (["--json"], ["--json", "--repair"]):
        outcome = operator.run("check", *words)
        assert outcome.status == 1
        about_file, about_message = wrong(outcome)
        assert f"letter of {alice.name}" in about_file["what"]
        assert "message 2 is damaged" in about_message["what"]
        assert f'delivered to "{bob.name}" (' in about_message["means"]
        assert f'; "{alice.name}" (' in about_message["means"]
    assert about_file["done"].startswith("put aside: damaged/")
    assert not letter.exists() and not content.exists()
    aside = sorted(path.name for path in (own_server.data / "damaged").iterdir())
    stem = f"file-{own_server.alias_of(alice.id).hex()}-letter"
    assert aside == [stem, f"{stem}.txt", "message-2", "message-2.txt"]
    assert operator.run("check").status == 0
    if not running:
        own_server.start()
    assert pull_all(own_server, bob) == [b"first", b"third"]


def test_a_running_server_under_load_has_nothing_wrong(own_server, operator, people, new_user):
    alice, bob, _ = people
    stop = threading.Event()

    def live():
        with own_server.connect() as connection:
            other, third, alias = two_users(connection, new_user)
            while not stop.is_set():
                connection.reconnect(other)
                connection.put(other, "replaced", os.urandom(1000))
                connection.send_message(other, alias, LARGE)
                connection.pull(third)

    threads = [threading.Thread(target=live) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            operator.succeed("check")
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_damaged_message_does_not_stop_those_behind_it(own_server, people):
    alice, bob, _ = people
    wait_until(lambda: len(own_server.waiting_ids(bob.id)) == 3, "the rows")
    change(own_server, "UPDATE messages SET Content = CAST('f1rst' AS BLOB) WHERE ID = 1")
    assert pull_all(own_server, bob) == [LARGE, b"third"]
    log = own_server.log()
    assert f'message 1 to "{bob.name}"' in log and f'from "{alice.name}"' in log
    assert "put aside: damaged/message-1" in log
    assert (own_server.data / "damaged" / "message-1").read_bytes() == b"f1rst"
    assert alice.id.hex() not in log and alice.id.hex() not in (
        own_server.data / "damaged" / "message-1.txt"
    ).read_text()


def test_damage_in_the_middle_of_a_large_message_ends_the_connection_once(own_server, people):
    _, bob, _ = people
    (content,) = (own_server.data / "messages").iterdir()
    rot(content, len(LARGE) - 10)
    assert pull_all(own_server, bob) == [b"first", b"third"]


def test_repair_goes_with_check_alone(operator, people):
    operator.fail("user", "list", "--repair", status=2)
    operator.fail("check", "all", status=2)
