"""The part of a standard run that is about own files: an account's, over the secure port, each request once and more."""

import contextlib
import random
from collections.abc import Callable, Iterator

from peer.accounts import Account, Reason
from peer.crypto import cksum
from peer.drop import Refused
from peer.frames import Answer, ConnectionEnded, Reply
from peer.own_files import Put as Flag
from peer.own_files import File, WrongSum, pieces_of
from peer.secure import Refused as Refusal
from peer.secure import Unexpected
from peer.tls import TlsFailed
from powerloss.clients import KIB, Run
from powerloss.guest import PATIENCE, Course, Guest
from powerloss.ledger import Put
from powerloss.own_files import account_of, end, open_again, put_and_remove
from powerloss.server import CountingSecureClient

TROUBLE = {Reason.TROUBLE, Reason.NO_SPACE, Reason.TOO_MANY, Reason.CARRIER}  # what a fault may lead to
SIZES = (5000, 700, 8)
LARGE = 300 * KIB + 1
PIECE = 64 * KIB
TRIES = 3
NOT_BROUGHT_BACK = "cannot bring a file back"  # in the log

Step = Callable[[CountingSecureClient], object]


def _on_secure_port(step: Step) -> Step:
    """What goes wrong there, in the words of the other ports."""

    def secure(client: CountingSecureClient) -> object:
        try:
            return step(client)
        except Refusal as refused:
            if refused.reason not in TROUBLE:
                raise AssertionError(str(refused)) from None
            raise Refused(Reply(0, Answer.ERROR, str(refused).encode())) from None
        except TlsFailed as failure:
            raise ConnectionEnded(str(failure)) from None
        except (Unexpected, WrongSum) as wrong:
            raise AssertionError(f"{type(wrong).__name__} {wrong}") from None

    secure.__name__ = getattr(step, "__name__", "step")
    return secure


class OwnFiles:
    """One account, and what it does. Belongs to one thread."""

    def __init__(self, run: Run, course: Course, chance: random.Random):
        self.run = run
        self.course = course
        self.chance = chance
        self.account: Account | None = None  # once it was told that it is registered
        self.id = b""
        self.broken_off: list[Put] = []
        self.was_refused = False  # some change of its files: what is there then, only the next start says

    def all(self) -> None:
        self._register()
        if self.account is None:
            return
        with Guest(self.course, self._sign_in) as guest:
            for name in ("a/b", "b"):
                for size in SIZES:
                    self._change(guest, [(name, size)])
            self._change(guest, [(f"of many/{number}", 100 * number) for number in range(6)])
            self._change(guest, [("b", 100), ("b", None), ("b", 200)])
            self._put_in_two_tries(guest, self._new_put("large"))
            self._take(guest, self._look)
            self._take(guest, self._sum)

    def discard(self) -> None:
        """What broke off is put to its end, so that nothing stays behind that somebody has to wait for."""
        if self.account is not None:
            with Guest(self.course, self._sign_in) as guest:
                for put in list(self.broken_off):
                    self._put_to_its_end(guest, put)

    # -- steps

    def _connect(self) -> CountingSecureClient:
        try:
            return CountingSecureClient(self.run.server.secure_address, PATIENCE)
        except TlsFailed as failure:
            raise ConnectionEnded(str(failure)) from None

    def _sign_in(self) -> CountingSecureClient:
        client = self._connect()
        _on_secure_port(lambda client: client.sign_in(self.account))(client)
        return client

    def _take(self, guest: Guest, step: Step) -> None:
        """After a refusal, answers to what was sent behind it are on their way: the next step has another
        connection."""
        guest.take_all(_on_secure_port(step))

    def _register(self) -> None:
        account = account_of(f"owner {self.run.life} {next(self.run.registered)}")
        self.run.notes.add("account", None, account.name)
        self.run.notes.add("registering", None, account.name)

        def register(client: CountingSecureClient) -> None:
            client.register(account, account.name)
            self.id = self.run.server.id_of(account)
            self.run.notes.add("registered", client.answered(), account.name, self.id, False)
            self.run.notes.add("fingerprint", client.answered(), client.fingerprint)
            self.account = account

        with Guest(self.course, self._connect) as guest:
            self._take(guest, register)

    def _change(self, guest: Guest, steps: list[tuple[str, int | None]]) -> None:
        done = []

        def change(client: CountingSecureClient) -> None:
            put_and_remove(self.run, client, self.id, steps, self.chance)
            done.append(steps)

        self._take(guest, change)
        self.was_refused = self.was_refused or not done

    def _new_put(self, name: str) -> Put:
        put = Put(self.id, name, self.chance.randbytes(16), (self.run.new_sender(), 0), LARGE)
        self.run.notes.add("putting", None, put)
        return put

    def _put_in_two_tries(self, guest: Guest, put: Put) -> None:
        self.broken_off.append(put)

        def break_off(client: CountingSecureClient) -> None:
            client.open_put(put.name, put.size, put_id=put.id, flags=Flag.REPLACE)
            client.put_pieces(pieces_of(put.content[: 2 * PIECE + 77], PIECE))

        self._take(guest, break_off)
        guest.leave()
        self._put_to_its_end(guest, put)

    def _put_to_its_end(self, guest: Guest, put: Put) -> None:
        def put_all(client: CountingSecureClient) -> None:
            offset, _ = open_again(client, put)
            end(self.run, client, put, offset, PIECE)
            self.broken_off.remove(put)

        for _ in range(TRIES):
            if put in self.broken_off:
                self._take(guest, put_all)

    @contextlib.contextmanager
    def _may_be_refused(self, *reasons: Reason) -> Iterator[None]:
        """Only where something was refused before, as faults have it. Even then what is there is not damaged; but
        while things fail, or where what was replaced could not be brought back: that is so until the next start."""
        try:
            yield
        except Refusal as refused:
            if not self.was_refused or refused.reason not in reasons:
                raise
            is_excused = not self.course.is_strict or NOT_BROUGHT_BACK in self.run.server.log()
            if refused.reason == Reason.DAMAGED and not is_excused:
                raise

    def _sum(self, client: CountingSecureClient) -> None:
        """Where its puts were refused, it may not be there. While things fail, a file that the disk does not give counts
        as damaged until the next start, too."""
        try:
            with self._may_be_refused(Reason.NO_FILE, Reason.DAMAGED):
                client.digest_file("b")
        except Refusal as refused:
            if self.course.is_strict or refused.reason != Reason.DAMAGED:
                raise

    def _look(self, client: CountingSecureClient) -> None:
        """What is listed can be got, as it is listed, as a whole and from its middle on. What was asked behind a
        refusal, on a connection that was left, may be done meanwhile: what it has removed is not listed again."""
        for file in client.list_files():
            try:
                with self._may_be_refused(Reason.DAMAGED):
                    self._get(client, file)
            except Refusal as refused:
                if not self.was_refused or refused.reason != Reason.NO_FILE:
                    raise
                assert file.name not in [other.name for other in client.list_files()], file

    def _get(self, client: CountingSecureClient, file: File) -> None:
        content = client.content_of(file.name)
        assert len(content) == file.facts.size and file.facts.cksum in (None, cksum(content)), file
        half = content[: len(content) // 2]
        assert client.get_file(file.name, half).content == content[len(half) :], file
