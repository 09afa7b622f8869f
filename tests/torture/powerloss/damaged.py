"""A data directory on which the disk has changed bytes and lost files: what a repair, and a pull, put aside."""

import os
from pathlib import Path
from random import Random

from peer.drop import User

from .keys import KEY
from .ledger import Damage, Ledger, Letter, Upload, content_of, digest
from .server import CountingClient, Server

VICTIM, OTHER = "victim", "other"  # who has damaged messages; who has damaged files, and sent them
LARGE = 300 << 10
FILES, DAMAGED_FILES = 6, 3
LETTERS, DAMAGED_LETTERS = 6, 4
SENDER = 1


def make_damaged_directory(root: Path, chance: Random) -> Ledger:
    return make_directory(root, chance, damaged_letters=DAMAGED_LETTERS, damaged_files=DAMAGED_FILES)


def make_directory(root: Path, chance: Random, *, damaged_letters: int = 0, damaged_files: int = 0) -> Ledger:
    """Two users, files of the one, and messages to the other."""
    owed = Ledger()
    server = Server(root).start()
    try:
        with server.connect() as client:
            victim, other = (client.register_for_messages(User(name, KEY)) for name in (VICTIM, OTHER))
            owed.users = {user.name: (user.id, True) for user in (victim, other)}
            _keep_files(client, other, chance, owed)
            _send_letters(client, other, victim, owed)
        places = {number: server.data / place for number, place in server.rows("SELECT ID, Place FROM messages")}
        paths = {name: server.data / path for name, path, _ in server.file_rows(other.id)}
    finally:
        server.stop()
    lost = chance.choice((0, 0.3))  # what is missing a start notes already
    for label in chance.sample(list(owed.letters), damaged_letters):
        letter = owed.letters.pop(label)
        owed.damaged[letter.id] = _damage(places[letter.id], letter.size, lost, chance)
    for key in chance.sample(list(owed.files), damaged_files):
        del owed.files[key]
        owed.damaged[key] = _damage(paths[key[1]], None, lost, chance)
    return owed


def _keep_files(client: CountingClient, user: User, chance: Random, owed: Ledger) -> None:
    client.reconnect(user)
    for number in range(FILES):
        name, plain = f"old {number}", chance.randbytes(20_000)
        client.put(user, name, plain)
        owed.files[user.id, name] = Upload([digest(plain)])


def _send_letters(client: CountingClient, sender: User, receiver: User, owed: Ledger) -> None:
    for number in range(LETTERS):
        label = (SENDER, number)
        message_id = client.send_message(sender, receiver.id, content_of(*label, LARGE))
        owed.letters[label] = Letter(sender.id, receiver.id, 3, LARGE, "acknowledged", message_id)
        owed.ids[message_id] = label


def _damage(path: Path, size: int | None, lost: float, chance: Random) -> Damage:
    """Changes a byte of the content, and no time, as a disk does; or takes the file."""
    if chance.random() < lost:
        path.unlink()
        return Damage("missing", None)
    times = os.stat(path)
    content = bytearray(path.read_bytes())
    content[chance.randrange(size or len(content))] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    return Damage(digest(bytes(content[:size])), digest(bytes(content)))
