"""The campaigns of power cuts: of each load some images of a recording in each round, two cuts in a row, scenarios."""

from collections.abc import Callable

from harness.campaign import Campaign, Trial

from .backups import check_backups
from .commands import COMMANDS, record_command
from .loads import LOADS, Workload
from .rounds import Problem, Round, check_images, record, second_life
from .scenarios import SCENARIOS, NotReached, run_scenario
from .server import is_built

FULL = 1000  # images of each load, pairs of cuts
LOADS_WITH_BACKUPS = ("mixtures", "pulls", "replacements", "journal-segments", "large-messages")
SECOND_LIVES = 2  # of a recording, on one image each
IMAGES_OF_A_SECOND_LIFE = 4
IMAGES_OF_A_COMMAND = 10


def needs() -> str:
    return "" if is_built() else "kesherd-release and its recorder are not built"


def tell(trial: Trial, problems: list[Problem]) -> None:
    """What is wrong, and keeps the recording, from which the very image can be made again."""
    for problem in problems:
        problem.round.save()
        trial.problem(str(problem), problem.repeat)


def try_images(trial: Trial, made: Round, count: int, what: str = "images") -> None:
    entries = made.entries()
    trial.count("recordings")
    trial.count(what, count)
    tell(trial, check_images(made, [made.image(n, entries) for n in range(count)], trial.folder / "image"))


def cut_once(load: str) -> Callable[[Trial], None]:
    def run(trial: Trial) -> None:
        made = record(trial.folder / "first", load, seed_of(trial))
        try_images(trial, made, LOADS[load].images)

    return run


def cut_a_command(trial: Trial) -> None:
    command = COMMANDS[trial.number % len(COMMANDS)]
    try_images(trial, record_command(trial.folder / "first", seed_of(trial), command), IMAGES_OF_A_COMMAND)


def seed_of(trial: Trial) -> str:
    return f"{trial.seed}-{trial.number}"


def cut_twice(trial: Trial) -> None:
    """Lives that begin on images of another one, and images of them."""
    load = list(LOADS)[trial.number % len(LOADS)]
    first = record(trial.folder / "first", load, seed_of(trial))
    entries = first.entries()
    trial.count("recordings")
    for number in range(SECOND_LIVES):
        image = first.image(number, entries, is_first_of_two=True)
        try:
            second = second_life(first, image, trial.folder / f"second-{number}")
        except AssertionError as failure:  # the server did not start, or not answer
            tell(trial, [Problem(f"start failed: {str(failure)[-600:]}", first, image)])
            continue
        tell(trial, [Problem(text, first, image) for text in second.problems])
        try_images(trial, second, IMAGES_OF_A_SECOND_LIFE, "pairs")


def back_up(trial: Trial) -> None:
    load = LOADS_WITH_BACKUPS[trial.number % len(LOADS_WITH_BACKUPS)]
    made, problems = check_backups(load, seed_of(trial), trial.folder)
    trial.count("backups", made)
    for problem in problems:
        trial.problem(problem)


def play_scenario(trial: Trial) -> None:
    scenario = SCENARIOS[trial.number % len(SCENARIOS)]
    trial.count("scenarios")
    try:
        tell(trial, run_scenario(scenario, trial.folder))
    except NotReached as reason:  # in all attempts: then its silence would mean nothing
        trial.problem(f"scenario not reached: {scenario.__name__}, {reason}")


def campaign_of(name: str, load: Workload) -> Campaign:
    return Campaign(
        f"power/{name}",
        f"a power cut: {load.about}",
        cut_once(name),
        sample=1,
        share=1,
        full=-(-FULL // load.images),
        needs=needs,
    )


CAMPAIGNS = [
    *(campaign_of(name, load) for name, load in LOADS.items()),
    Campaign(
        "power/commands",
        "a power cut: operators' commands while no server runs",
        cut_a_command,
        sample=2,
        share=1,
        full=FULL // IMAGES_OF_A_COMMAND,
        needs=needs,
    ),
    Campaign(
        "power/pairs",
        "two power cuts in a row, under all loads by turns",
        cut_twice,
        sample=2,
        share=4,
        full=-(-FULL // (SECOND_LIVES * IMAGES_OF_A_SECOND_LIFE)),
        needs=needs,
    ),
    Campaign(
        "power/backups",
        "backups of a busy server, made as docs/operations.md tells",
        back_up,
        sample=2,
        share=1,
        full=FULL // 2,
        needs=needs,
    ),
    Campaign(
        "power/scenarios",
        "courses of events that once lost something",
        play_scenario,
        sample=len(SCENARIOS),
        share=1,
        full=3 * len(SCENARIOS),
        needs=needs,
    ),
]
