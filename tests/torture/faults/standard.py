"""The standard run: every service of a server, once, by one client after the other, so that the n-th call of anything
is at about the same place each time. What is acknowledged in it is noted for the ledger.

    course = Course(server, is_strict=False)
    Standard(run, course).all()        # run: a powerloss Run, whose notes are the ledger's
"""

import json
import signal
import time
from collections.abc import Callable

from peer.ask import AskClient
from peer.chat import (
    ENTER_GROUP,
    FULL,
    JOIN,
    LEAVE,
    LEFT,
    MENU,
    NO_GROUP,
    NO_PASSWORD,
    ChunkClient,
    LineClient,
    has_left,
    said,
)
from peer.crypto import aes_encrypt, aes_encrypt_unpadded, cksum
from peer.drop import UNKNOWN_ID, Received, Refused, User, file_frame, named_frame, register_for_messages_frame
from peer.frames import Answer, ConnectionEnded, Reply, Request, text_field
from peer.messages import Type, key_of_user_frame, message_frame, pull_frame
from peer.metrics import HttpClient
from peer.operators import ControlClient

from powerloss.guest import PATIENCE, Course, Guest
from powerloss.ledger import LABEL, digest, label_of
from powerloss.clients import KIB, Run, new_letters, send_group
from powerloss.server import CountingClient

from .standard_files import OwnFiles

LEAVER = "leaver"  # how the names of users begin who are removed, and whom no ledger knows
LATER = "; the next start "  # adopts or removes it: what check says of a file whose row or removal has failed
MOST_OF_ONE_NAME = 6
LARGE_FILE = 300 * KIB
LARGE_MESSAGE = 260 * KIB
UNDONE_SECONDS = 0.3  # for a reload that may have failed without a word


class Standard:
    """One run of it, with users of its own. Belongs to one thread."""

    def __init__(self, run: Run, course: Course):
        self.run = run
        self.course = course
        self.chance = run.new_chance()
        self.users: list[User] = []
        self.staged: set[tuple[bytes, str]] = set()  # what may wait for its confirmation
        self.own_files = OwnFiles(run, course, run.new_chance())

    def all(self) -> None:
        for act in self.acts():
            act()

    def acts(self) -> list[Callable[[], None]]:
        return [
            self.register,
            self.list_users,
            self.upload,
            self.upload_wrongly,
            self.send,
            self.pull,
            self.own_files.all,
            self.operate,
            self.chat,
            self.ask,
            self.monitor,
            self.reload,
            self.discard,
        ]

    def guest(self) -> Guest:
        return Guest(self.course, lambda: self.run.server.connect(timeout=PATIENCE))

    def expect_refusal(self, guest: Guest, frame: bytes, *codes: int) -> None:
        """Of what is refused whatever fails."""

        def refused(client: CountingClient) -> None:
            client.send(frame)
            answer = client.receive()
            assert answer.code in codes and answer.payload in (b"", frame[:16]), answer

        guest.take(refused)

    # -- users

    def register(self) -> None:
        legal = (Answer.REGISTER_REFUSED,)
        with self.guest() as guest:
            for drop in (True, False, False):
                guest.take(lambda client, drop=drop: self._add_user(client, drop), legal=legal)
            for user in self.users[:1]:
                self._log_in(guest, user)
                frame = register_for_messages_frame(user.name.upper(), user.public_key)
                self.expect_refusal(guest, frame, Answer.MESSAGES_ERROR)
            stranger = User("stranger", self.run.private_key)
            frame = register_for_messages_frame(stranger.name, b"\x30" * 160)
            self.expect_refusal(guest, frame, Answer.MESSAGES_ERROR)

    def _add_user(self, client: CountingClient, drop: bool) -> None:
        self.users.append(self.run.register(client, drop=drop))

    def list_users(self) -> None:
        with self.guest() as guest:
            for user in self.users[:1]:
                listed = guest.take(lambda client: client.list_users(user))
                for other in self.users[1:]:
                    if listed is not None and [name for _, name in listed].count(other.name) != 1:
                        self.course.problem(f"answer wrong: {other.name} is not in the list once")
                    self._check_key(guest, user, other)
                self.expect_refusal(guest, key_of_user_frame(user.id, UNKNOWN_ID), Answer.MESSAGES_ERROR)

    def _check_key(self, guest: Guest, user: User, other: User) -> None:
        key = guest.take(lambda client: client.key_of(user, other.id))
        if key is not None and key != other.public_key:
            self.course.problem(f"answer wrong: the key of {other.name} is another one")

    # -- uploads

    def upload(self) -> None:
        for user in self.users[:1]:
            with self.guest() as guest:
                self._log_in(guest, user)
                for name, size in (("first", 5000), ("first", 700), ("empty", 0), ("large", LARGE_FILE)):
                    self._put(guest, user, name, self.chance.randbytes(size))
                self._put_many(guest, user, [(f"of many {n}", self.chance.randbytes(100 * n)) for n in range(6)])
                self._put_at_second_attempt(guest, user, "second", self.chance.randbytes(3000))
                self._send_content(guest, user, "given up", b"nobody wants this")
                self._give_up(guest, user, "given up")

    def _log_in(self, guest: Guest, user: User) -> None:
        user.aes_key = b""  # who was refused does not know which one counts
        guest.take(lambda client: client.reconnect(user))

    def _send_content(self, guest: Guest, user: User, name: str, plain: bytes) -> bool:
        """Up to the 2103, which must be right."""
        if guest.connection is None:  # the last one was lost
            self._log_in(guest, user)
        self.staged.add((user.id, name))
        content = user.encrypt(plain) if user.aes_key else aes_encrypt(bytes(16), plain)

        def send(client: CountingClient) -> bool:
            received = client.send_content(user, name, content)
            wanted = Received(user.id, len(content), text_field(name), cksum(plain))
            assert received == wanted or not user.aes_key, (received, wanted)
            return received == wanted

        return guest.take(send) is True

    def _confirm(self, guest: Guest, user: User, name: str, plain: bytes) -> None:
        self.run.notes.add("upload", None, user.id, name, digest(plain))
        if self._named(guest, user, Request.CRC_OK, name):
            self.run.notes.add("verified", guest.connection.answered(), user.id, name, digest(plain))

    def _give_up(self, guest: Guest, user: User, name: str) -> None:
        if self._named(guest, user, Request.GIVE_UP, name) and self.course.is_strict:
            self.staged.discard((user.id, name))  # else an upload may yet be on its way there

    def _named(self, guest: Guest, user: User, code: int, name: str) -> bool:
        def ask(client: CountingClient) -> bool:
            client.send(named_frame(user.id, code, name))
            return client.expect(Answer.THANKS).payload == user.id

        return guest.take(ask) is True

    def _put(self, guest: Guest, user: User, name: str, plain: bytes) -> None:
        if self._send_content(guest, user, name, plain):
            self._confirm(guest, user, name, plain)

    def _put_many(self, guest: Guest, user: User, files: list[tuple[str, bytes]]) -> None:
        """Pipelined."""
        if guest.connection is None:
            self._log_in(guest, user)
        if not user.aes_key:
            return
        self.staged.update((user.id, name) for name, _ in files)
        for name, plain in files:
            self.run.notes.add("upload", None, user.id, name, digest(plain))

        def put_many(client: CountingClient) -> None:
            frames = [file_frame(user.id, name, user.encrypt(plain)) for name, plain in files]
            frames += [named_frame(user.id, Request.CRC_OK, name) for name, _ in files]
            client.send(b"".join(frames))
            received = [client.receive() for _ in files]
            for (name, plain), answer in zip(files, [client.receive() for _ in files]):
                if answer.code == Answer.THANKS:
                    self.run.notes.add("verified", client.answered(), user.id, name, digest(plain))
                elif answer.code != Answer.ERROR:
                    raise Refused(answer)
                else:
                    self.course.suffered("refusals", Refused(answer), "put_many")
            assert {answer.code for answer in received} <= {Answer.FILE_RECEIVED, Answer.ERROR}, received

        guest.take(put_many)

    def _put_at_second_attempt(self, guest: Guest, user: User, name: str, plain: bytes) -> None:
        """1028, 1030, and at once the next 1028, so that there is no answer to the 1030."""
        if self._send_content(guest, user, name, plain):
            guest.take(lambda client: client.crc_wrong(user, name))
            if self._send_content(guest, user, name, plain):
                self._confirm(guest, user, name, plain)
            else:
                guest.leave()  # it may be the 1030 that was refused, and the other answer is on its way

    def upload_wrongly(self) -> None:
        """Paddings, sizes and ids that are refused; and an upload whose client goes in its middle."""
        for user in self.users[1:2]:
            with self.guest() as guest:
                self._log_in(guest, user)
                if user.aes_key:
                    self._pad_wrongly(guest, user)
                self.expect_refusal(guest, file_frame(user.id, "odd", b"0123456789"), Answer.ERROR)
                self.expect_refusal(guest, named_frame(user.id, Request.CRC_OK, "nothing"), Answer.ERROR)
                self.expect_refusal(guest, file_frame(UNKNOWN_ID, "nobody's", bytes(32)), Answer.ERROR)
                guest.leave()
                frame = file_frame(user.id, "half", bytes(200 * KIB))
                guest.take(lambda client: client.send(frame[: 150 * KIB]))
                guest.reset()

    def _pad_wrongly(self, guest: Guest, user: User) -> None:
        name = "badly padded"
        self.staged.add((user.id, name))

        def send(client: CountingClient) -> bool:
            client.send_content(user, name, aes_encrypt_unpadded(user.aes_key, bytes(64)))
            return True

        if guest.take(send):
            self._give_up(guest, user, name)

    # -- messages

    def send(self) -> None:
        if len(self.users) < 2:
            return
        sender, *receivers = self.users
        for sizes in ([LABEL.size, 46, 300], [100] * 40, [LARGE_MESSAGE, 20_000]):
            with self.guest() as guest:  # one of its own: what comes of an earlier one's would not be in order
                letters = new_letters(self.run, sender, receivers, sizes)
                guest.take_all(lambda client: send_group(self.run, client, letters, len(sizes)))
        with self.guest() as guest:
            wrong = (message_frame(sender.id, UNKNOWN_ID, Type.TEXT, b"nobody's"),)
            wrong += (message_frame(sender.id, receivers[0].id, 9, b"of no type"),)
            wrong += (message_frame(UNKNOWN_ID, receivers[0].id, Type.TEXT, b"of nobody"),)
            for frame in wrong:
                self.expect_refusal(guest, frame, Answer.MESSAGES_ERROR)

    def pull(self) -> None:
        """One pull that is broken off, then all that waits."""
        for user in self.users:
            with self.guest() as guest:

                def break_off(client: CountingClient) -> None:
                    client.send(pull_frame(user.id))
                    client.receive_waiting_header()

                guest.take(break_off)
                guest.reset()
                self._pull_all(guest, user)

    def pull_again(self) -> None:
        for user in self.users:
            with self.guest() as guest:
                self._pull_all(guest, user)

    def pull_all_of(self, client_id: bytes) -> None:
        with self.guest() as guest:
            self._pull_all(guest, User("receiver", self.run.private_key, client_id))

    def _pull_all(self, guest: Guest, user: User) -> None:
        """Until nothing more comes."""

        def pull(client: CountingClient) -> bool:
            messages = client.pull(user)
            labels = [(message.id, label_of(message.content)) for message in messages]
            self.run.notes.add("delivered", client.answered(), labels)
            return bool(messages)

        while guest.take(pull):
            pass

    # -- operators, chat, ask, monitors

    def operate(self) -> None:
        with self.guest() as guest:
            leaver = User(f"{LEAVER} {self.run.life} {next(self.run.registered)}", self.run.private_key)
            known = guest.take(lambda client: client.introduce(leaver), legal=(Answer.REGISTER_REFUSED,))
            self.course.leavers.add(leaver.id)
            if known and self._send_content(guest, leaver, "to be removed", b"with its user"):
                self._named(guest, leaver, Request.CRC_OK, "to be removed")
        control = Guest(self.course, lambda: ControlClient(self.run.server.data))
        with control:
            self._command(control, "users")
            if known:
                self._command(control, f"user {leaver.name}")
                self._command(control, f"reset-key {leaver.name}")
                self._command(control, f"remove {leaver.name}")
            self._command(control, "groups")
            self._command(control, "check")

    def _command(self, control: Guest, words: str) -> None:
        def command(client: ControlClient) -> None:
            client.send(f"1 {words}\n")
            lines = []
            while "result" not in (lines or [{}])[-1]:
                line = client.file.readline()
                if not line.endswith(b"\n"):
                    raise ConnectionEnded(f"{words} after {line!r}")
                lines.append(json.loads(line))
            result = lines[-1]["result"]
            wrong = [line for line in lines if line.get("wrong")]
            if wrong and all(LATER in line["means"] for line in wrong):
                return
            if result in ("failed", "busy"):
                raise Refused(Reply(0, Answer.ERROR, json.dumps(lines).encode()))
            assert result == "ok", (words, lines[-1])

        control.take(command)

    def chat(self) -> None:
        source = f"127.1.{self.run.life // 250 % 250}.{self.run.life % 250 + 1}"  # else its wrong password slows others
        options = {"timeout": PATIENCE, "source": source}
        host = Guest(self.course, lambda: ChunkClient(self.run.server.chat_address, **options))
        other = Guest(self.course, lambda: LineClient(self.run.server.chat_address, **options))
        with host, other:
            group = host.take(_talking(lambda client: client.create("host")))
            if group is None:
                return
            other.take(_talking(lambda client: _join_slowly(client, group)))
            talk = ((host, other, "hello"), (other, host, "good\tday"), (host, other, "x" * 999))
            for speaker, listener, text in talk:
                if speaker.connection is None or listener.connection is None:
                    return
                said_then = said(speaker.connection.name, text)
                speaker.take(lambda client, text=text: client.write(text))
                listener.take(_talking(lambda client: _hear(client, speaker.connection, said_then)))
            if host.connection is not None and other.connection is not None:
                other.take(_talking(lambda client: client.leave()))
                host.take(_talking(self._leave_last))

    def _leave_last(self, client: ChunkClient) -> None:
        """Whoever is left is told of the others, if there was memory for that."""
        if self.course.is_strict:
            client.expect(has_left("other"))
            client.leave()
            return
        client.write(LEAVE)
        rest = client.receive_rest().decode()
        assert rest in ("", LEFT, has_left("other"), has_left("other") + LEFT), rest

    def ask(self) -> None:
        with Guest(self.course, lambda: AskClient(self.run.server.ask_address, timeout=PATIENCE)) as guest:

            def ask(client: AskClient) -> None:
                client.greet()
                for request in ("TIME", "NAME", "RAND", "STAT"):
                    client.ask(request)
                client.send(b"WHAT")
                client.expect_unknown()
                client.send(b"EXIT")
                client.expect_end()

            guest.take(ask)

    def monitor(self) -> None:
        with Guest(self.course, lambda: HttpClient(self.run.server.metrics_address, timeout=PATIENCE)) as guest:
            for path, wanted in (("/metrics", 200), ("/healthz", 200), ("/nothing", 404)):

                def get(client: HttpClient, path=path, wanted=wanted) -> None:
                    status = client.get(path).status
                    if status == 503:
                        raise Refused(Reply(0, Answer.ERROR, b""))
                    assert status == wanted, status

                guest.take(get)

    def reload(self) -> None:
        server = self.run.server
        if self.course.is_strict:
            said_then = server.read_again()
            if "was read again" not in said_then:
                self.course.problem(f"not served again: reload: {said_then}")
            return
        start = server.log_path.stat().st_size
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + UNDONE_SECONDS
        while time.monotonic() < end and "the configuration" not in server.log(start):
            time.sleep(0.002)

    # -- in the end

    def discard(self) -> None:
        """What is staged and was not confirmed goes, so that nothing stays behind that somebody has to wait for. Of
        one name each connection that was lost may have left one, of which a 1031 takes the last."""
        self.own_files.course = self.course
        self.own_files.discard()
        users = {user.id: user for user in self.users}
        with self.guest() as guest:
            for client_id, name in sorted(self.staged) * MOST_OF_ONE_NAME:
                if client_id in users:
                    self._give_up(guest, users[client_id], name)
                elif guest.take(lambda client: self._give_up_if_known(client, client_id, name)):
                    self.staged.discard((client_id, name))

    def _give_up_if_known(self, client: CountingClient, client_id: bytes, name: str) -> bool:
        """Of somebody who may have been removed: then a refusal tells so, if nothing fails."""
        client.send(named_frame(client_id, Request.GIVE_UP, name))
        code = client.receive().code
        return code == Answer.THANKS or (code == Answer.ERROR and self.course.is_strict)


def _talking(step: Callable[[ChunkClient], object]) -> Callable[[ChunkClient], object]:
    """The chat refuses and breaks off in words."""

    def talk(client: ChunkClient) -> object:
        try:
            return step(client)
        except AssertionError as failure:
            text = str(failure)
            if "nothing came any more" in text:
                raise TimeoutError(text) from None
            if any(repr(words.encode())[2:12] in text for words in (FULL, has_left("host"), has_left("other"))):
                raise ConnectionEnded(text) from None
            raise

    return talk


def _hear(listener: ChunkClient, speaker: ChunkClient | None, text: str) -> None:
    """A speaker who was cut off may not be heard any more."""
    end = time.monotonic() + PATIENCE
    while listener.is_silent_for(0.05):
        if speaker is None or (not speaker.is_silent_for(0) and speaker.has_ended()):
            raise ConnectionEnded("the speaker's")
        if time.monotonic() > end:
            raise TimeoutError(f"nobody heard {text}")
    listener.expect(text)


def _join_slowly(client: LineClient, group: int) -> None:
    """Errs twice on the way."""
    client.expect(MENU)
    client.answer(JOIN, "Enter your name: \n")
    client.answer("other", ENTER_GROUP)
    client.answer(str(group + 1000), NO_GROUP, ENTER_GROUP)
    client.answer(str(group), "Enter password: \n")
    client.answer("wrong", NO_PASSWORD, "Enter password: \n")
    client.answer("12345", f"You're connected to group chat #{group}\n")
    client.name = "other"
