"""The server under test: the one that is recorded, the one that starts on an image; and what it has found."""

import contextlib
import json
import os
import re
import sqlite3
import struct
import time
from pathlib import Path

from Cryptodome.Cipher import AES
from peer.accounts import Account
from peer.drop import User, reconnect_frame
from peer.frames import Answer, ConnectionEnded
from peer.kesherd import Kesherd, program
from peer.messages import MessagesClient
from peer.metrics import HttpClient, Metrics
from peer.operators import ControlClient
from peer.secure import SecureClient
from peer.tls import TlsSocket

from .ledger import Answered, Found, digest

SYNC_DELAY = 300  # microseconds; a memory disk syncs in none, and then nothing would ever be a group
FIRST_OPERATOR = 1 << 16  # of the numbers of operators, in place of ports
REMOVAL_SECONDS = 60
RECORD_HEAD = struct.Struct(">3sH")  # of TLS
PARKED = re.compile(r"put-[0-9a-f]{32}-[0-9a-f]{32}")  # in staging/, over starts
METRICS_SECONDS = 60
LISTENERS = ("binary", "chat", "ask", "secure", "control")
GAUGES = (
    "kesher_buffers_used_bytes",
    "kesher_buffers_waiting",
    "kesher_answer_buffers_used_bytes",
    "kesher_answer_buffers_waiting",
    "kesher_output_bytes",
    "kesher_chat_groups",
    "kesher_chat_members",
    "kesher_chat_queued_bytes",
)
FOLDER = Path("tests", "torture", "powerloss")


def build_directory() -> Path:
    """Where the programs under test were built."""
    return program("KESHERD", "kesherd").parent


def release_program() -> Path:
    """$KESHERD_RELEASE, for a server of another build, else the one that is built with the tests."""
    return Path(os.environ.get("KESHERD_RELEASE") or build_directory() / FOLDER / "kesherd-release")


def recorder_library() -> Path:
    return build_directory() / FOLDER / "powerloss-recorder.so"


def recorded(root: Path, log: Path, delay: int = SYNC_DELAY) -> dict[str, str]:
    """What a program that is to be recorded needs in its environment."""
    return {
        "LD_PRELOAD": str(recorder_library()),
        "KESHER_RECORDER_LOG": str(log),
        "KESHER_RECORDER_ROOT": str(root.resolve()),
        "KESHER_RECORDER_DELAY": str(delay),
    }


def is_built() -> bool:
    return release_program().exists() and recorder_library().exists()


class CountingClient(MessagesClient):
    """A client that knows how many bytes of the server's it has read."""

    received = 0

    def receive_exactly(self, size: int) -> bytes:
        data = super().receive_exactly(size)
        self.received += size
        return data

    def answered(self) -> Answered:
        """The place of the last answer in what the server sent."""
        return self.socket.getsockname()[1], self.received


class CountingTls(TlsSocket):
    """Reads one record at a time, so that it knows in how many of the server's bytes an answer was."""

    received = 0

    def _fill(self) -> bool:
        record = self._exactly(RECORD_HEAD.size)
        if record:
            record += self._exactly(RECORD_HEAD.unpack(record)[1])
        self.received += len(record)
        self.engine.give(record)
        if not record:
            self.engine.give_end()
        return bool(record)

    def _exactly(self, size: int) -> bytes:
        """Nothing when the connection ends before."""
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while len(data) < size and (part := self.raw.recv(size - len(data))):
                data += part
        return data if len(data) == size else b""


class CountingSecureClient(SecureClient):
    """A client of the secure port that knows it of what is encrypted."""

    carrier = CountingTls

    def answered(self) -> Answered:
        return self.socket.getsockname()[1], self.socket.received


class CountingOperator(ControlClient):
    """An operator who knows that, too. The system gives the socket a name, by which the recorder tells it."""

    received = 0

    def receive_line(self) -> dict:
        line = self.file.readline()
        self.received += len(line)
        if not line.endswith(b"\n"):
            raise ConnectionEnded(f"an answer to an operator ends after {line!r}")
        return json.loads(line)

    def answered(self) -> Answered:
        return FIRST_OPERATOR + int(self.socket.getsockname()[1:], 16), self.received

    def succeed(self, request: str) -> list[dict]:
        answer = self.ask(request)
        if answer[-1] != {"result": "ok"}:
            raise AssertionError(f"{request}: {answer[-1]}")
        return answer[:-1]


class Server(Kesherd):
    """kesherd as it is released, on the data directory in `root`; recorded into `log` if there is one."""

    def __init__(
        self,
        root: Path,
        *,
        log: Path | None = None,
        delay: int = SYNC_DELAY,
        fail: str | None = None,
        workers: int = 0,  # two where it is recorded, else one
        also: tuple[str, ...] = (),  # services beside drop and messages
        settings: dict[str, object] | None = None,
    ):
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(
            root / "data",
            workers=workers or (2 if log else 1),
            log_level=None,
            also=also,
            **{"public_ids": "plain", **(settings or {})},
        )
        self.log_path = root.with_name(root.name + ".log")
        if log is not None:
            self.variables = recorded(root, log, delay) | ({"KESHER_RECORDER_FAIL": fail} if fail else {})

    def command(self) -> list[str]:
        return [str(release_program()), *super().command()[1:]]

    def configure(self, **options) -> None:
        self.configuration = self.data.parent.with_name(self.data.parent.name + ".ini")
        super().configure(**options)

    def connect(self, timeout: float = 60, **options) -> CountingClient:
        return CountingClient(self.address, timeout, **options)

    def sign_in(self, account: Account, timeout: float = 60) -> CountingSecureClient:
        client = CountingSecureClient(self.secure_address, timeout)
        client.sign_in(account)
        return client

    def id_of(self, account: Account) -> bytes:
        """The secret one, of an account that was told its public id."""
        ((key,),) = self.rows("SELECT Value FROM settings WHERE Name = 'alias key'")
        return AES.new(key, AES.MODE_ECB).decrypt(account.public_id)

    def operator(self) -> CountingOperator:
        return CountingOperator(self.data)


class FullServer(Server):
    """The same with all of its services, not recorded."""

    def __init__(self, root: Path, *, workers: int = 1, variables: dict[str, str] | None = None, **settings):
        super().__init__(root, workers=workers, settings={"metrics": "127.0.0.1:0", **settings})
        self.also = ("chat", "ask", "secure")
        self.variables = variables or {}

    def metrics(self) -> Metrics:
        with HttpClient(self.metrics_address, timeout=METRICS_SECONDS) as monitor:
            return monitor.scrape()


# -- what is there


def in_use(metrics: Metrics) -> dict[str, float]:
    """What a server holds for its clients, of which nothing is left when they have gone."""
    used = {name: metrics.value(name) for name in GAUGES}
    return used | {name: metrics.value("kesher_connections", listener=name) for name in LISTENERS}


def look(server: Server) -> tuple[Found, list[str]]:
    """What the server has, read from its directory while it runs; and what is wrong whatever was promised."""
    problems: list[str] = []
    database = sqlite3.connect(f"file:{server.data / 'kesher.db'}?mode=ro", uri=True, timeout=30)
    database.text_factory = lambda text: text.decode(errors="surrogateescape")  # names of files may be any bytes
    try:
        _wait_for_removals(server, database, problems)
        state = [row[0] for row in database.execute("PRAGMA integrity_check")]
        clients = database.execute("SELECT Name, ID, PublicKey IS NOT NULL, AESKey FROM clients").fetchall()
        accounts = database.execute("SELECT Name FROM clients WHERE ID IN (SELECT ID FROM accounts)").fetchall()
        files = database.execute("SELECT ID, FileName, PathName, Verified FROM files").fetchall()
        messages = database.execute(
            "SELECT ID, ToClient, FromClient, Type, ContentSize, Content, Place FROM messages ORDER BY ID"
        ).fetchall()
    finally:
        database.close()
    if state != ["ok"]:
        problems.append(f"database corrupt: {state[:3]}")
    found = Found(
        {name: (client_id, bool(has_key)) for name, client_id, has_key, _ in clients},
        {
            (client_id, name): _digest_of(server.data / path)
            for client_id, name, path, verified in files
            if verified == 1
        },
        [
            (number, receiver, sender, kind, content if place is None else _content_of(server.data / place, size))
            for number, receiver, sender, kind, size, content, place in messages
        ],
        {client_id: key for _, client_id, _, key in clients},
        {_digest_of(path): _has_note(path) for path in (server.data / "damaged").glob("*")},
        {name for (name,) in accounts},
    )
    _check_folders(server, [path for *_, path, _ in files], [place for *_, place in messages if place], problems)
    return found, problems


def _wait_for_removals(server: Server, database: sqlite3.Connection, problems: list[str]) -> None:
    """A start goes on with removals some moments later."""
    deadline = time.monotonic() + REMOVAL_SECONDS
    while rests := _rests_of_removed(server, database):
        if time.monotonic() > deadline:
            problems.append(f"removed user has something: {rests[:3]}")
            return
        time.sleep(0.02)


def _rests_of_removed(server: Server, database: sqlite3.Connection) -> list[str]:
    """What is still there of users who are noted in `removals`."""
    (of_files,), (of_messages,) = (
        database.execute(f"SELECT count(*) FROM {table} WHERE {column} IN (SELECT ID FROM removals)").fetchone()
        for table, column in (("files", "ID"), ("messages", "ToClient"))
    )
    removed = [client_id for (client_id,) in database.execute("SELECT ID FROM removals")]
    rests = [str(path) for path in map(server.directory_of, removed) if path.exists()]
    if removed:  # contents go right behind their rows
        places = {place for (place,) in database.execute("SELECT Place FROM messages WHERE Place IS NOT NULL")}
        rests += [path.name for path in (server.data / "messages").iterdir() if f"messages/{path.name}" not in places]
    return rests + [f"{count} rows" for count in (of_files, of_messages) if count]


def _content_of(path: Path, size: int) -> bytes:
    """What a file of messages/ has before its sums."""
    return path.read_bytes()[:size] if path.exists() else b""


def _digest_of(path: Path) -> str:
    return digest(path.read_bytes()) if path.exists() else "missing"


def _has_note(path: Path) -> bool:
    note = path.with_name(f"{path.name}.txt")
    return note.exists() and note.read_bytes().strip(b"\0").endswith(b"\n")


def _check_folders(server: Server, paths: list[str], places: list[str], problems: list[str]) -> None:
    """A row without its file is the ledger's to find."""
    rubbish = [path.name for path in server.staged_paths() if not PARKED.fullmatch(path.name)]
    if rubbish:
        problems.append(f"rubbish: {len(rubbish)} files are left in staging/: {rubbish[:3]}")
    rowless = {*server.stored_paths(), *(server.data / "messages").iterdir()}
    rowless -= {server.data / path for path in (*paths, *places)}
    if rowless:
        problems.append(f"files without rows: {sorted(str(path) for path in rowless)[:3]}")


def use(server: Server, found: Found, private_key, but: str = "") -> list[str]:
    """What is wrong for those who ask the server itself: each user, but for one, logs in and takes what waits."""
    problems: list[str] = []
    with server.connect() as client:
        for name, (client_id, has_key) in found.users.items():
            user = User(name, private_key, client_id)
            client.send(reconnect_frame(user))
            code = client.receive().code
            if code != (Answer.KEY_AGAIN if has_key else Answer.RECONNECT_REFUSED):
                problems.append(f"log-in refused: {name} is answered {code}")
            if name in found.accounts:
                continue  # whom the classic port does not know
            waiting = [
                (number, sender, kind, content)
                for number, receiver, sender, kind, content in found.messages
                if receiver == client_id
            ]
            if name == but or (not waiting and len(found.users) > 12):
                continue
            pulled = [
                (message.id, message.sender, message.type, message.content)
                for message in client.pull_until_empty(user)
            ]
            if pulled != waiting:
                problems.append(
                    f"delivery wrong: {name} got {[m[0] for m in pulled][:40]}, "
                    f"{[m[0] for m in waiting][:40]} are stored"
                )
    return problems
