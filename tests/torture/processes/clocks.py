"""The time of day jumps, both ways and far, while the server runs and while it does not. Time itself goes on as ever,
so nobody may lose anything by it, nothing grow old, no allowance come back, and nobody be busy with it."""

import struct
import time
from datetime import datetime, timedelta
from pathlib import Path

from harness.campaign import Trial
from peer.ask import greeted
from peer.chat import LineClient, said
from peer.drop import User, named_frame, register_frame
from peer.frames import Answer, Request
from peer.operators import Operator
from powerloss.ledger import digest
from powerloss.loads import LOADS
from powerloss.keys import KEY
from powerloss.server import build_directory
from .descriptors import work_of

from .past import CLIENT_SECONDS, Clients, Past, Victim

HOUR, DAY, YEAR = 3600, 86_400, 31_557_600
JUMPS = (HOUR, -HOUR, 10 * HOUR, -10 * HOUR, 3 * DAY, -3 * DAY, 5 * YEAR, -5 * YEAR, 0)
MOMENTS = (
    -1,
    0,
    1,
    -(2**31) - 10,  # 1901
    2**31 - 2,  # 2038, on its way into what 32 bits with a sign do not hold
    2**32 - 2,  # 2106, and without one
    253_402_300_799 - 2,  # the end of the year 9999
    -62_135_596_800 - 10,  # the year 0
)
LOADS_OF_CLOCK = ("mixtures", "pulls", "small-uploads", "large-messages", "registrations")
LOCAL = "127.0.0.1"
ELSEWHERE = "127.9.0.1"  # whose registrations are counted
REGISTRATIONS = 5
IDLE_SECONDS = 1.2
IDLE_TICKS = 30  # of 120 that a thread which spins would take
CLOCK_DIFFERS = timedelta(seconds=CLIENT_SECONDS)


class Clocked(Victim):
    """A server whose time of day is set from here."""

    def __init__(self, folder: Path, **options):
        super().__init__(folder, **options)
        self.page = folder / "clock"
        self.offset = 0
        self.page.write_bytes(bytes(8))
        self.variables = {
            "LD_PRELOAD": str(build_directory() / "tests/torture/processes/torture-clock.so"),
            "KESHER_CLOCK_PAGE": str(self.page),
            "TZ": "UTC",
        }

    def jump_by(self, seconds: int) -> None:
        self.offset += seconds
        with self.page.open("r+b") as page:
            page.write(struct.pack("=q", self.offset))

    def jump_to(self, moment: int) -> None:
        self.jump_by(moment - int(time.time()) - self.offset)

    def now(self) -> float:
        return time.time() + self.offset


def jump(trial: Trial, server: Clocked) -> None:
    if trial.chance.random() < 0.5:
        server.jump_to(trial.chance.choice(MOMENTS))
    else:
        server.jump_to(int(time.time()) + trial.chance.choice(JUMPS))
    trial.count("jumps")


class Keeper:
    """Somebody who has begun things that the server forgets after a while."""

    def __init__(self, past: Past, number: int):
        self.past = past
        self.server = past.server
        self.number = number
        notes = past.new_run().notes
        with self.server.connect() as client:
            self.user = client.introduce(User(f"keeper {number}", KEY))
            self.keyless = client.register(User(f"keeper without a key {number}", KEY))
            client.send_file(self.user, "staged", b"content")
        for user, has_key in ((self.user, True), (self.keyless, False)):
            notes.add("registering", None, user.name)
            notes.add("registered", None, user.name, user.id, has_key)
        past.ledger = past.ledger.at([(0, note.what, note.values) for note in notes.all], 0)
        self.use_up_registrations()

    def use_up_registrations(self) -> None:
        """Of an address; their names begin with a number of the round's."""
        with self.server.connect(source=f"127.9.0.{self.number + 1}") as client:
            for number in range(REGISTRATIONS):
                user = User(f"counted {self.number} {number}", KEY)
                client.register(user)
                self.past.ledger.users[user.name] = (user.id, False)

    def expect_all_refused(self) -> None:
        with self.server.connect(source=f"127.9.0.{self.number + 1}") as client:
            client.send(register_frame(f"one too many {self.number}"))
            client.expect(Answer.REGISTER_REFUSED)

    def confirm_staged(self) -> None:
        with self.server.connect() as client:
            client.send(named_frame(self.user.id, Request.CRC_OK, "staged"))
            client.expect(Answer.THANKS)
        self._owe_file("staged", b"content")

    def upload_with_old_key(self) -> None:
        with self.server.connect() as client:
            client.put(self.user, "later", b"later")
        self._owe_file("later", b"later")

    def _owe_file(self, name: str, plain: bytes) -> None:
        run = self.past.new_run()
        run.notes.add("upload", None, self.user.id, name, digest(plain))
        run.notes.add("verified", None, self.user.id, name, digest(plain))
        self.past.take(run)

    def send_late_key(self) -> None:
        with self.server.connect() as client:
            client.send_public_key(self.keyless)
        self.past.ledger.users[self.keyless.name] = (self.keyless.id, True)


def expect_served(server: Clocked) -> None:
    """Each service, and operators: none of them minds what time it is."""
    with greeted(server.ask_address, timeout=CLIENT_SECONDS) as asker:
        told = asker.ask("TIME")
        if 0 <= server.now() < 253_402_300_000:
            shown = datetime.strptime(told, "%Y-%m-%d %H:%M:%S")
            wanted = datetime(1970, 1, 1) + timedelta(seconds=server.now())
            assert abs(shown - wanted) < CLOCK_DIFFERS, f"TIME says {told}, and it is {wanted}"
        assert asker.ask("STAT")
    with LineClient(server.chat_address, timeout=CLIENT_SECONDS) as host:
        with LineClient(server.chat_address, timeout=CLIENT_SECONDS) as guest:
            guest.join("guest", host.create("host"))
            guest.write("hello")
            host.expect(said("guest", "hello"))
            operator = Operator(server.data)
            assert operator.succeed("user", "list", "--json").objects()
            assert operator.succeed("group", "list", "--json").objects()
            operator.succeed("check")
    started = server.metrics().value("process_start_time_seconds")
    assert started < 1e12, f"it says that it began at {started}"


def expect_idle(trial: Trial, server: Clocked) -> None:
    before = work_of(server)
    time.sleep(IDLE_SECONDS)
    ticks = (work_of(server) - before).ticks
    if ticks > IDLE_TICKS:
        trial.problem(f"busy after a jump: {ticks} ticks of its processor time in {IDLE_SECONDS} s")


def work_while_it_jumps(past: Past, server: Clocked) -> None:
    trial, run = past.trial, past.new_run()
    run.users = [user for user in run.users if not user.name.startswith("keep")]  # whose keys stay
    load = LOADS[trial.chance.choice(LOADS_OF_CLOCK)].act
    clients = Clients(trial, lambda: load(run))
    jump(trial, server)
    while clients.is_busy():
        time.sleep(trial.chance.uniform(0, 0.1))
        jump(trial, server)
    clients.join()
    past.take(run)


def clock(trial: Trial) -> None:
    server = Clocked(
        trial.folder,
        unlimited_networks=LOCAL,
        registrations_per_hour=REGISTRATIONS,
    )
    past = Past(trial, server)
    jump(trial, server)
    try:
        server.start()
        keeper = Keeper(past, 0)
        sleeper = Keeper(past, 1)
        work_while_it_jumps(past, server)
        expect_idle(trial, server)
        expect_served(server)
        keeper.confirm_staged()
        keeper.upload_with_old_key()
        keeper.expect_all_refused()
        keeper.send_late_key()
        if trial.chance.random() < 0.5:
            past.kill()
        else:
            past.end()
        jump(trial, server)
        server.start()
        sleeper.upload_with_old_key()
        sleeper.send_late_key()
        work_while_it_jumps(past, server)
        expect_served(server)
        past.kill()
        jump(trial, server)
        server.start()
        past.use(past.settle())
        past.end()
    finally:
        server.kill()
