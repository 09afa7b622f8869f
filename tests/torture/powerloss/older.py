"""Data directories as older versions have left them: what the first start of this one upgrades."""

import re
import sqlite3
import struct
import zlib
from collections.abc import Sequence
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
MAGIC, HEAD_SIZE, SECOND_HEAD, SEGMENT, SEGMENTS = b"kesher journal\n\0", 4096, 2048, 1 << 20, 2  # of a journal then
RECORD = struct.Struct("<IQ16s16sIBBBx")  # behind its sum: size, id, receiver, sender, size, type, no place, header
SALT_AND_BATCH = struct.Struct("<QQ")  # not in version 1


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
    database.create_function("skeleton_of", 1, str.lower)
    for number, statements in enumerate(steps[:version]):
        database.executescript(f"BEGIN; {statements}; PRAGMA user_version = {number + 1}; COMMIT")
        database.execute("BEGIN")
        if number == 0:
            _add_users(database, data, chance, owed)
        if number == 1:
            _add_letters(database, data, chance, owed)
        database.execute("COMMIT")
    (with_inboxes,) = [number for number, step in enumerate(steps) if "TABLE waiting" in step]
    (with_both_rows,) = [number for number, step in enumerate(steps) if "DELETE FROM settings" in step]
    if with_inboxes < version <= with_both_rows and chance.random() < 0.7:
        _leave_some_unlisted(database, chance)
    if version > steps.index("") and chance.random() < 0.7:
        _add_journal(database, data, chance, owed)
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


def _leave_some_unlisted(database: sqlite3.Connection, chance: Random) -> None:
    """Rows that no inbox had yet when the power went, or ids that one has seen and no row has."""
    ((last,),) = database.execute("SELECT max(ID) FROM messages")
    filed = chance.randint(0, last + 2)
    database.execute("DELETE FROM waiting WHERE ID > ?", (filed,))
    database.execute("UPDATE settings SET Value = ? WHERE Name = 'messages filed'", (filed,))


def _add_journal(database: sqlite3.Connection, data: Path, chance: Random, owed: Ledger) -> None:
    """With letters that are nowhere else, and perhaps some before them that are in the database, too."""
    ((last,),) = database.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'")
    for (filed,) in database.execute("SELECT Value FROM settings WHERE Name = 'messages filed'"):
        last = max(last, filed)
    taken = [letter for letter in owed.letters.values() if letter.size < SPOOLED]
    taken = taken[-chance.randrange(len(taken) + 1) :] if chance.random() < 0.5 else []
    new = _new_letters(chance, owed, last)
    labels = {letter.id: label for label, letter in owed.letters.items()}
    letters = [(letter, content_of(*labels[letter.id], letter.size)) for letter in (*taken, *new)]
    salt = chance.getrandbits(64) if chance.random() < 0.7 else None
    (data / "journal").write_bytes(_journal_of(chance, letters, salt))


def _new_letters(chance: Random, owed: Ledger, last_id: int) -> list[Letter]:
    ids = [client_id for client_id, _ in owed.users.values()]
    letters = []
    for number in range(LETTERS):
        sender, receiver = chance.sample(ids, 2)
        label = (ids.index(sender) + 1, LETTERS + number)
        letter = Letter(sender, receiver, 3, chance.choice((8, 500, 20_000)), "acknowledged", last_id + 1 + number)
        owed.letters[label] = letter
        owed.ids[letter.id] = label
        letters.append(letter)
    return letters


def _journal_of(chance: Random, letters: Sequence[tuple[Letter, bytes]], salt: int | None) -> bytes:
    """Version 2, or 1 where it has no salt: its second filling may be the last one, and is where the first was not."""
    head = MAGIC + struct.pack("<II", 1 if salt is None else 2, SEGMENT) + struct.pack("<Q", salt or 0)
    head += struct.pack("<I", zlib.crc32(head))
    first = chance.randrange(SEGMENTS)
    middle = chance.randrange(len(letters) + 1)
    journal = bytearray(HEAD_SIZE + SEGMENTS * SEGMENT)
    for place in (0, SECOND_HEAD):
        journal[place : place + len(head)] = head
    for filling, some in enumerate((letters[:middle], letters[middle:]), 1):
        at = HEAD_SIZE + (first + filling) % SEGMENTS * SEGMENT
        records = _batch_of(some, salt, filling * SEGMENT)
        journal[at : at + len(records)] = records
    return bytes(journal)


def _batch_of(letters: Sequence[tuple[Letter, bytes]], salt: int | None, batch: int) -> bytes:
    behind = b"" if salt is None else SALT_AND_BATCH.pack(salt, batch)
    header_size = 4 + RECORD.size + len(behind)
    records = b""
    for letter, content in letters:
        size = (header_size + len(content) + 7) // 8 * 8
        told = header_size if behind else 0
        fields = (letter.id, letter.receiver_id, letter.sender_id, len(content), letter.type, 0, told)
        record = RECORD.pack(size, *fields) + behind + content
        record = record.ljust(size - 4, b"\0")
        records += struct.pack("<I", zlib.crc32(record)) + record
    return records
