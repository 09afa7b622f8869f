"""Groups of the chat while the server stops and goes on, has no descriptors, and others come, fall silent, and reset:
all who stay hear the same lines in the same order, each once and whole, and the other services go on."""

import itertools
import re
import signal
import threading
import time

from harness.campaign import Trial
from peer.ask import greeted
from peer.chat import LEAVE, Ear, LineClient, Listening
from peer.conversation import wait_until
from peer.frames import ConnectionEnded
from peer.load import Load, stop_all
from powerloss.guest import Course

from .descriptors import give_back_descriptors
from .past import CLIENT_SECONDS, Clients, Past, Victim
from .patient import begin_all, crowd
from .shortages import await_all, starve

GROUPS, TALKERS = 2, 3
AHEAD = 16  # lines that a talker says before they are heard
FAULTS = (3, 6)
MEMBER_QUEUE = "64K"
SMALL_BUFFER = 4096
LINE = re.compile(r"(?P<name>[a-z]+ \d+): (?P<again>[a-z]+ \d+) (?P<number>\d+) (?P<rest>\.*)$")
NOTICE = re.compile(r"(?P<name>[a-z]+ \d+) has removed from the group $")


def line_of(name: str, number: int) -> str:
    return f"{name} {number} {'.' * (number * 37 % 300)}"


class Group:
    """Those who stay: one who only listens, and some who talk."""

    def __init__(self, server: Victim, numbers):
        def member(kind: str) -> LineClient:
            client = LineClient(server.chat_address, timeout=CLIENT_SECONDS)
            client.name = f"{kind} {next(numbers)}"
            return client

        scribe = member("scribe")
        self.id = scribe.create(scribe.name)
        talkers = [member("talker") for _ in range(TALKERS)]
        for talker in talkers:
            talker.join(talker.name, self.id)
        self.scribe = Ear(scribe)
        self.talkers = [Ear(talker) for talker in talkers]
        self.said = {talker.name: 0 for talker in talkers}
        self._heard_to = {talker.name: 0 for talker in talkers}  # where in the scribe's data their next line may stand
        self.visitors: list[str] = []  # who have been let in

    @property
    def ears(self) -> list[Ear]:
        return [self.scribe, *self.talkers]

    def talk(self, ear: Ear) -> None:
        """A line, not far ahead of what the scribe has heard."""
        name = ear.client.name
        number = self.said[name]
        if number >= AHEAD:
            behind = number - AHEAD
            wait_until(lambda: self.scribe.ended or self._has_heard(name, behind), f"line {behind} of {name}")
        ear.client.write(line_of(name, number))
        self.said[name] += 1

    def _has_heard(self, name: str, number: int) -> bool:
        """Whether the scribe has heard that line; asked for a talker's lines in their order."""
        line = f": {line_of(name, number)}\n".encode()
        place = self.scribe.data.find(line, self._heard_to[name])
        if place < 0:
            return False
        self._heard_to[name] = place + len(line)
        return True

    def problems(self, is_whole: bool) -> list[str]:
        """What was heard amiss; to the end of all, if that was waited for."""
        reference = lines_of(self.scribe)
        problems = [f"line broken: {line!r}" for line in reference if not is_sound(line)]
        if len(set(reference)) != len(reference):
            twice = [line for line in set(reference) if reference.count(line) > 1]
            problems.append(f"line twice: {twice[:3]}")
        for ear in self.talkers:
            wanted = [line for line in reference if not line.startswith(f"{ear.client.name}: ")]
            heard = lines_of(ear)
            if not is_whole:
                common = min(len(heard), len(wanted))
                heard, wanted = heard[:common], wanted[:common]
            if heard != wanted:
                place = next((n for n, pair in enumerate(zip(heard, wanted)) if pair[0] != pair[1]), -1)
                problems.append(
                    f"lines differ: {ear.client.name} heard {len(heard)}, the scribe {len(wanted)}, from {place} on"
                )
        for ear in self.talkers:
            name = ear.client.name
            numbers = [int(match["number"]) for match in map(LINE.match, reference) if match and match["name"] == name]
            if numbers != list(range(self.said[name] if is_whole else len(numbers))):
                problems.append(f"line lost: of {name} {len(numbers)} came of {self.said[name]}, or out of order")
        return problems


def lines_of(ear: Ear) -> list[str]:
    """Whole ones: a server that was killed ends in the middle of one."""
    return ear.data.decode().split("\n")[:-1]


def is_sound(line: str) -> bool:
    said = LINE.match(line)
    if said is None:
        return NOTICE.match(line) is not None
    whole = line_of(said["name"], int(said["number"]))
    return said["again"] == said["name"] and line == f"{said['name']}: {whole}"


class Visitors:
    """Some come and fall silent, without ever reading; some talk and go, in order or by a reset."""

    def __init__(self, trial: Trial, server: Victim, groups: list[Group], numbers):
        self.trial = trial
        self.server = server
        self.groups = groups
        self.numbers = numbers
        self.silent: list[LineClient] = []

    def visit(self, _: int) -> None:
        chance = self.trial.chance
        group = chance.choice(self.groups)
        client = LineClient(self.server.chat_address, timeout=CLIENT_SECONDS, receive_buffer=SMALL_BUFFER)
        name = f"visitor {next(self.numbers)}"
        client.join(name, group.id)
        group.visitors.append(name)
        for number in range(chance.randint(0, 5)):
            client.write(line_of(name, number))
        self.trial.count("visitors")
        manner = chance.choice(("silent", "reset", "reset", "close", "leave"))
        if manner == "silent":
            self.silent.append(client)
        elif manner == "reset":
            client.reset()
        elif manner == "leave":
            client.write(LEAVE)
            client.receive_rest()
            client.close()
        else:
            client.close()

    def leave(self) -> None:
        for client in self.silent:
            client.reset()


def trouble(trial: Trial, server: Victim) -> None:
    """A pause or a shortage, or neither for a while."""
    match trial.chance.choice(("pause", "shortage", "peace")):
        case "pause":
            server.signal(signal.SIGSTOP)
            time.sleep(trial.chance.choice((0.01, 0.1, 0.5)))
            server.signal(signal.SIGCONT)
            trial.count("pauses")
        case "shortage":
            starve(trial, server)
            time.sleep(trial.chance.uniform(0.02, 0.3))
            give_back_descriptors(server)
            trial.count("shortages")
        case "peace":
            time.sleep(trial.chance.uniform(0.02, 0.2))


def talks(trial: Trial) -> None:
    server = Victim(trial.folder, member_queue=MEMBER_QUEUE)
    past = Past(trial, server)
    try:
        server.start()
        for _ in range(trial.chance.randint(1, 2)):
            talk_until_killed(past)
            server.start()
            past.settle()
        with greeted(server.ask_address) as asker:
            asker.ask("STAT")
        past.end()
    finally:
        server.kill()


def talk_until_killed(past: Past) -> None:
    trial, server, run, numbers = past.trial, past.server, past.new_run(), itertools.count(1)
    groups = [Group(server, numbers) for _ in range(GROUPS)]
    visitors = Visitors(trial, server, groups, numbers)
    patients = crowd(past, run, Course(server, is_strict=False, tell=trial.problem), 3)
    is_killed_talking = trial.chance.random() < 0.5
    is_over = threading.Event()

    def chatter(group: Group, ear: Ear) -> Clients:
        def go_on() -> None:
            while not is_over.is_set():
                group.talk(ear)

        return Clients(trial, go_on)

    with Listening([ear for group in groups for ear in group.ears]):
        loads = begin_all(patients)
        talking = [chatter(group, ear) for group in groups for ear in group.talkers]
        visiting = Load(visitors.visit)
        for _ in range(trial.chance.randint(*FAULTS)):
            trouble(trial, server)
            await_all(patients, loads)
        stop_all([*loads, visiting])
        past.take(run)
        if is_killed_talking:
            for clients in talking:
                clients.may_fail.set()
            past.kill()
        is_over.set()
        for clients in talking:
            clients.join()
        visitors.leave()
        if not is_killed_talking:
            for group in groups:
                await_all_heard(group)
        wait_until_quiet(groups, is_killed_talking)
    for group in groups:
        for problem in group.problems(is_whole=not is_killed_talking):
            trial.problem(problem)
        trial.count("lines heard", sum(len(lines_of(ear)) for ear in group.ears))
        for ear in group.ears:
            ear.client.close()
    for patient in patients:
        patient.close()
    if not is_killed_talking:
        past.kill()


def await_all_heard(group: Group) -> None:
    """Every line, and of everybody who has come that they have gone: each is told once."""

    def is_all_heard() -> bool:
        reference = lines_of(group.scribe)
        gone = sorted(match["name"] for match in map(NOTICE.match, reference) if match)
        own = {ear.client.name: 0 for ear in group.talkers}
        for line in reference:
            name = line.partition(":")[0]
            if name in own:
                own[name] += 1
        is_complete = own == group.said and gone == sorted(group.visitors)
        return is_complete and all(
            len(lines_of(ear)) == len(reference) - own[ear.client.name] for ear in group.talkers
        )

    wait_until(is_all_heard, f"all lines of group {group.id}, and the leaves of {len(group.visitors)} visitors")


def wait_until_quiet(groups: list[Group], is_killed: bool) -> None:
    """After a kill, until each ear has heard its end."""
    ears = [ear for group in groups for ear in group.ears]
    if is_killed:
        wait_until(lambda: all(ear.ended for ear in ears), "the ends of all members")
    elif any(ear.ended for ear in ears):
        raise ConnectionEnded("somebody who stayed was cut off")
