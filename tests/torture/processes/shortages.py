"""Descriptors run out in the middle of everything, and are there again: what could not be done was refused, what was
answered is owed, nothing was taken for damaged, and nothing leaks."""

import time

from harness.campaign import Trial
from peer.chat import LineClient
from peer.conversation import wait_until
from peer.kesherd import open_descriptors
from peer.load import Load, chatting, stop_all
from powerloss.guest import Course

from .descriptors import ask, expect_answer, give_back_descriptors, open_numbers, set_soft_limit
from .past import CLIENT_SECONDS, Past, Victim
from .patient import Patient, begin_all, crowd

SHORTAGES = (2, 4)
STRANGERS = 10


def await_all(patients: list[Patient], loads: list[Load]) -> None:
    """Until each has done something more than what was under way."""
    wanted = [(patient, patient.done + 2) for patient in patients]

    def got_on() -> bool:
        for load in loads:
            load.has_got_to(0)
        return all(patient.done >= count for patient, count in wanted)

    wait_until(got_on, f"progress of {[(patient.done, count) for patient, count in wanted]}")


def starve(trial: Trial, server: Victim) -> None:
    """From now on there are some descriptors at most, or none."""
    set_soft_limit(server, open_numbers(server)[-1] + 1 + trial.chance.choice((0, 0, 1, 2, 5)))


def run_short(trial: Trial, server: Victim) -> None:
    """For a while, and some strangers want one."""
    starve(trial, server)
    strangers = [server.connect() for _ in range(trial.chance.randint(0, STRANGERS))]
    for stranger in strangers:
        ask(stranger)
    for leaving in strangers[: trial.chance.randint(0, len(strangers))]:
        leaving.reset()
        strangers.remove(leaving)
    time.sleep(trial.chance.uniform(0.02, 0.4))
    give_back_descriptors(server)
    for stranger in strangers:
        expect_answer(stranger)
        stranger.close()
    trial.count("shortages")


def shortage(trial: Trial) -> None:
    server = Victim(trial.folder)
    past = Past(trial, server)
    try:
        server.start()
        run = past.new_run()
        course = Course(server, is_strict=False, tell=trial.problem)
        patients = crowd(past, run, course)
        chatters = [LineClient(server.chat_address, timeout=CLIENT_SECONDS) for _ in range(2)]
        loads = begin_all(patients)
        loads.append(Load(chatting(*chatters)))
        await_all(patients, loads)
        for _ in range(trial.chance.randint(*SHORTAGES)):
            run_short(trial, server)
            await_all(patients, loads)
        stop_all(loads)
        for client in [*chatters, *patients]:
            client.close()
        trial.count("refused", sum(course.counts.values()))
        expect_no_leak(trial, server)
        past.take(run)
        past.kill()
        server.start()
        past.use(past.settle())
        if (server.data / "damaged").exists():
            trial.problem(f"taken for damaged: {[path.name for path in (server.data / 'damaged').iterdir()]}")
        past.end()
    finally:
        server.kill()


def expect_no_leak(trial: Trial, server: Victim) -> None:
    """All are gone: it has what a server has on which nobody ever was."""
    fresh = Victim(trial.folder / "fresh").start()
    try:
        idle = len(open_descriptors(fresh))
    finally:
        fresh.stop()
    wait_until(lambda: len(open_descriptors(server)) <= idle, f"an end of descriptors beyond {idle}")
