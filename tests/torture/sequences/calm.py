"""When all have gone: what the server counts is back at nothing, what was promised comes out, and it serves on."""

import time
from typing import TYPE_CHECKING

from peer.ask import greeted
from peer.drop import User
from peer.messages import MessagesClient, Type
from peer.metrics import HttpClient, Metrics
from powerloss.ledger import digest
from powerloss.server import in_use

if TYPE_CHECKING:
    from .life import Life

PATIENCE_SECONDS = 60
DRAINED = 12  # users
LARGEST_MEMORY = {"release": 512 << 20, "asan": 2 << 30, "tsan": 4 << 30}
QUEUES = ("writer", "reader", "pull", "vault", "confirm")


def back_to_nothing(life: "Life") -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while left := _what_is_left(life):
        if time.monotonic() > end:
            life.problem(f"gauge stays: {left}")
            return
        time.sleep(0.05)


def _what_is_left(life: "Life") -> dict[str, float]:
    server = life.server
    with HttpClient(server.metrics_address, PATIENCE_SECONDS) as monitor:
        metrics = monitor.scrape()
    left = in_use(metrics) | {thread: metrics.value("kesher_store_queue", thread=thread) for thread in QUEUES}
    left |= _differences(life, metrics)
    return {name: value for name, value in left.items() if value}


def _differences(life: "Life", metrics: Metrics) -> dict[str, float]:
    """Between what is counted, and what is there."""
    server = life.server
    ((users,),) = server.rows("SELECT count(*) FROM clients")
    ((files,),) = server.rows("SELECT count(*) FROM files WHERE Verified = 1")
    ((messages, message_bytes),) = server.rows("SELECT count(*), coalesce(sum(ContentSize), 0) FROM messages")
    file_bytes = sum(path.stat().st_size for path in server.stored_paths())
    there = {
        "kesher_users": users,
        "kesher_files": files,
        "kesher_file_bytes": file_bytes,
        "kesher_waiting_messages": messages,
        "kesher_waiting_bytes": message_bytes,
    }
    return {name: metrics.value(name) - value for name, value in there.items()}


def memory_is_bounded(life: "Life") -> None:
    """Far above what the server's own limits come to, and what a sanitizer keeps beside."""
    used = life.server.resident_bytes()
    if used > LARGEST_MEMORY[life.server.build]:
        life.problem(f"memory grows: {used >> 20} MiB are resident")


def drain(life: "Life") -> None:
    """Whatever waits for some users comes out, and nothing that is owed to them stays behind."""
    model = life.model
    people = life.chance.sample(model.alive(), min(DRAINED, len(model.alive())))
    for number, person in enumerate(people):
        user = User(person.name, None, person.id)
        with MessagesClient(life.server.address, PATIENCE_SECONDS, source=f"127.0.8.{number + 1}") as client:
            for message in client.pull_until_empty(user):
                sender = model.by_alias.get(message.sender)
                model.deliver(person, sender, message.id, message.type, message.content)
    life.counts["drained"] += len(people)
    for letter in model.owed():
        if letter.receiver in people:
            life.problem(f"message withheld: {letter}")


def serve_honestly(life: "Life") -> None:
    """Somebody new, from an address that has asked for nothing yet, uses all that there is."""
    key = life.model.rsa_keys and next(iter(life.model.rsa_keys.values()))
    user = User(f"honest {life.number}", key)
    source = f"127.0.9.{life.number + 1}"
    with MessagesClient(life.server.address, PATIENCE_SECONDS, source=source) as client:
        began = time.monotonic()
        life.model.names.add(user.name)
        client.register_for_messages(user)
        person = life.model.register(user.name, user.id, user.public_key, began)
        if person is None:
            return
        person.keys_unanswered += 1
        client.reconnect(user)
        client.put(user, "honest", b"all of it")
        life.model.shelf(user.id, b"honest", 0).certain = {digest(b"all of it")}
        _write_to_itself(life, client, user)
        _check_uploads(life)
    with greeted(life.server.ask_address, source=source) as asker:
        assert asker.ask("RAND").isdigit()


def _check_uploads(life: "Life") -> None:
    """A file goes a moment before or after it is not counted any more."""
    end = time.monotonic() + PATIENCE_SECONDS
    with HttpClient(life.server.metrics_address, PATIENCE_SECONDS) as monitor:
        while True:
            counted = monitor.scrape().value("kesher_uploads")
            there = len(life.server.staged_paths())
            if counted == there:
                return
            if time.monotonic() > end:
                break
            time.sleep(0.05)
    life.problem(f"gauge stays: kesher_uploads is {counted}, {there} are staged")


def _write_to_itself(life: "Life", client: MessagesClient, user: User) -> None:
    person = life.model.people[user.id]
    letter = life.model.send(person, person, Type.TEXT, b"!", time.monotonic())
    if "waiting_messages" in life.options:
        return  # it may have no room even for one
    life.model.acknowledge(letter, client.send_message(user, user.id, b"!"))
    for message in client.pull_until_empty(user):
        life.model.deliver(person, person, message.id, message.type, message.content)
    if not letter.is_taken:
        life.problem("message withheld: from an honest user to itself")
