"""Data directories as older versions have left them: what the first start of this one upgrades."""

import re
import sqlite3
from pathlib import Path
from random import Random

from Cryptodome.Cipher import AES
from peer.crypto import public_key_der
from peer.kesherd import REPOSITORY

from .keys import KEY
from .ledger import Ledger, Letter, Upload, content_of, digest

SCHEMA = REPOSITORY / "src" / "store" / "embedded" / "database" / "schema.c"
USERS, FILES_OF_A_USER, LETTERS = 5, 4, 12
SPOOLED = 300 << 10


def migrations() -> list[str]:
    """The statements that led from each version to the next: what was released never changes."""
    source = SCHEMA.read_text()
    (table,) = re.findall(r"migrations\[\] = \{\n(.*?)\n\};", source, re.DOTALL)
    table = re.sub(r"/\*.*?\*/", "", table, flags=re.DOTALL)
    for name, value in re.findall(r'#define (\w+) (".*?")', source):
        table = table.replace(name, value)
    return ["".join(re.findall(r'"(.*?)"', entry)) for entry in re.split(r'(?<=")\s*,\s*\n', table)]


def make_older_directory(root: Path, chance: Random) -> Ledger:
    """One that every version before this one went over, up to one by chance; what its server owes."""
    data, owed, steps = root / "data", Ledger(), migrations()
    version = chance.randint(1, len(steps) - 1)
    data.mkdir(parents=True, mode=0o700)
    for name in ("files", "messages", "staging"):
        (data / name).mkdir(mode=0o700)
    (data / "staging" / "rubbish").write_bytes(b"never confirmed")
    database = sqlite3.connect(data / "kesher.db", isolation_level=None)
    database.execute("PRAGMA journal_mode = WAL")
    for number, statements in enumerate(steps[:version]):
        database.executescript(f"BEGIN; {statements}; PRAGMA user_version = {number + 1}; COMMIT")
        database.execute("BEGIN")
        if number == 0:
            _add_users(database, data, chance, owed)
        if number == 1:
            _add_letters(database, data, chance, owed)
        database.execute("COMMIT")
    database.close()
    return owed


def _add_users(database: sqlite3.Connection, data: Path, chance: Random, owed: Ledger) -> None:
    key, alias_key = public_key_der(KEY), chance.randbytes(16)
    database.execute("INSERT INTO settings(Name, Value) VALUES('alias key', ?)", (alias_key,))
    for number in range(USERS):
        name, client_id = f"older {number}", chance.randbytes(16)
        owed.users[name] = (client_id, True)
        database.execute(
            "INSERT INTO clients(ID, Name, PublicKey, LastSeen, Registered) VALUES(?, ?, ?, ?, ?)",
            (client_id, name, key, "2026-01-01 00:00:00", 1_767_225_600),
        )
        for place in range(chance.randrange(FILES_OF_A_USER + 1)):
            _add_file(database, data, owed, client_id, f"file {place}", chance.randbytes(chance.choice((0, 9, 9000))))
        if chance.random() < 0.3:
            _add_newer_file(data, owed, client_id, alias_key)


def _add_file(
    database: sqlite3.Connection, data: Path, owed: Ledger, client_id: bytes, name: str, content: bytes
) -> None:
    """Under the secret id, as it was."""
    place = f"files/{client_id.hex()}/{name}"
    (data / place).parent.mkdir(exist_ok=True, mode=0o700)
    (data / place).write_bytes(content)
    database.execute(
        "INSERT INTO files(ID, FileName, PathName, Verified, KeptName) VALUES(?, ?, ?, 1, ?)",
        (client_id, name, place, name),
    )
    owed.files[client_id, name] = Upload([digest(content)])


def _add_newer_file(data: Path, owed: Ledger, client_id: bytes, alias_key: bytes) -> None:
    """Under the public id, without a row: the backup of an older version was put back over it."""
    folder, content = data / "files" / AES.new(alias_key, AES.MODE_ECB).encrypt(client_id).hex(), b"newer"
    folder.mkdir(mode=0o700)
    (folder / "newer").write_bytes(content)
    owed.files[client_id, "newer"] = Upload([digest(content)])


def _add_letters(database: sqlite3.Connection, data: Path, chance: Random, owed: Ledger) -> None:
    ids = [client_id for client_id, _ in owed.users.values()]
    for number in range(LETTERS):
        sender, receiver = chance.sample(ids, 2)
        label, size = (ids.index(sender) + 1, number), chance.choice((8, 8, 500, 20_000, SPOOLED))
        content, place = content_of(*label, size), None
        if size == SPOOLED:
            place = f"messages/{chance.randbytes(16).hex()}"
            (data / place).write_bytes(content)
        row = (receiver, sender, 3, size, place, content if place is None else None)
        message_id = database.execute(
            "INSERT INTO messages(ToClient, FromClient, Type, ContentSize, Place, Content) VALUES(?, ?, ?, ?, ?, ?)",
            row,
        ).lastrowid
        owed.letters[label] = Letter(sender, receiver, 3, size, "acknowledged", message_id)
        owed.ids[message_id] = label
