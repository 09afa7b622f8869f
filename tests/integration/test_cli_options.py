"""The options of kesher: which command takes which, what is said of a wrong one, and the settings of a home."""

import re

import pytest
from peer.kesher import Outcome

OF_ALL = {"--home", "--server", "--answer-timeout", "--silence", "--help", "--version"}
OWN = {
    "register": {"--server", "--json"},
    "users": {"--server", "--json"},
    "send": {"--server", "--json", "--file"},
    "menu": {"--server"},
}


def assert_wrong_usage(outcome: Outcome, *parts: str) -> None:
    assert (outcome.status, outcome.stdout) == (2, ""), outcome
    assert outcome.stderr.startswith("kesher: ") and outcome.stderr.count("\n") == 1, outcome
    assert [part for part in parts if part not in outcome.stderr] == []


def options_in(text: str) -> set[str]:
    return set(re.findall(r"^  (--[a-z0-9-]+)", text, re.M))


def test_the_help_of_a_command_has_its_own_options_only(make_kesher):
    for command, own in OWN.items():
        assert own | OF_ALL <= options_in(make_kesher().run(command, "--help").stdout)
    told = {command: options_in(make_kesher().run(command, "--help").stdout) for command in OWN}
    assert not {"--file", "--as", "--follow", "--pipeline", "--forget"} & told["users"]
    assert not {"--json", "--file"} & told["menu"]


def test_help_tells_the_options_of_all_commands_from_those_of_some(make_kesher):
    text = make_kesher().run("--help").stdout
    every, some = text.split("\nOptions of every command:\n")[1].split("\nOptions of some commands")
    assert options_in(every) == OF_ALL
    assert OWN["send"] - OF_ALL <= options_in(some) and not OF_ALL & options_in(some)
    commands = re.findall(r"^  ([a-z-]+) ", text.split("\nOptions of every command:\n")[0], re.M)
    taken = [options_in(make_kesher().run(command, "--help").stdout) for command in commands]
    assert len(taken) == 19 and set.intersection(*taken) == OF_ALL


@pytest.mark.parametrize(
    "arguments, parts",
    [
        (["inbox", "--file", "x"], ["'inbox' does not take --file", "goes with send"]),
        (["--pipeline", "users"], ["'users' does not take --pipeline", "put", "transfer"]),
        (["send", "--folow", "bob"], ["there is no option --folow", "kesher --help"]),
        (["inbox", "--follow=yes"], ["--follow takes no value"]),
        (["inbox", "--save-to"], ["--save-to needs a value: --save-to DIR"]),
        (["users", "-x"], ["there is no option -x"]),
    ],
)
def test_an_option_that_makes_no_sense_is_one_line_and_status_2(make_kesher, home, arguments, parts):
    assert_wrong_usage(make_kesher().run(*arguments), *parts)
    assert not home.exists()


@pytest.mark.parametrize(
    "line, told",
    [
        ("pipelin = yes", 'there is no setting "pipelin"; see man kesher'),
        ("pipeline = perhaps", 'pipeline: "perhaps" does not fit; write yes or no'),
        ("pipeline", "not of the form name = value"),
    ],
)
def test_a_wrong_line_in_the_settings_of_a_home_is_told(make_kesher, home, line, told):
    home.mkdir(mode=0o700)
    (home / "kesher.conf").write_text(f"# settings\n{line}\n")
    outcome = make_kesher().run("users")
    assert (outcome.status, outcome.stdout) == (1, "")
    assert outcome.stderr == f"kesher: {home}/kesher.conf:2: {told}\n"
