"""The completions of the shells: that they load, and what they offer."""

import re
import shutil
import subprocess

import pytest
from peer.kesherd import environment, program

BASH = "share/bash-completion/completions"
ZSH = "share/zsh/site-functions"
FISH = "share/fish/vendor_completions.d"


def run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8", **more).stdout


def help_of(name):
    return run(str(program(name.upper().replace("-", "_"), name)), "--help", env=environment())


def options_of(name):
    options = sorted(set(re.findall(r"^ +(--[a-z0-9-]+)", help_of(name), re.M)))
    assert len(options) > 5
    return options


def commands_of_kesher():
    part = help_of("kesher").split("Commands:\n")[1].split("\nOptions:")[0]
    return sorted(re.findall(r"^  ([a-z][a-z-]*)", part, re.M))


# -- bash

BASH_CALL = """
source "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
complete -p "$1" >/dev/null || exit
${FUNCTION} "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


def offered(installation, *words, cwd=None):
    """What bash is offered for the last of the words."""
    script = BASH_CALL.replace("${FUNCTION}", "_" + words[0].replace("-", "_"))
    path = str(installation.path(f"{BASH}/{words[0]}"))
    return sorted(run("bash", "--norc", "-c", script, "bash", path, *words, cwd=cwd).split("\n")[:-1])


@pytest.mark.parametrize("name", ["kesher", "kesherd", "kesher-bench"])
def test_bash_offers_every_option(installation, name):
    assert offered(installation, name, "--") == options_of(name)


def test_bash_offers_every_command(installation):
    assert offered(installation, "kesher", "") == commands_of_kesher()
    assert offered(installation, "kesher", "--home", "x", "in") == ["inbox"]
    assert offered(installation, "kesher", "--home", "=", "x", "in") == ["inbox"]


def test_bash_offers_only_options_that_the_command_takes(installation):
    own = offered(installation, "kesher", "inbox", "--")
    assert "--follow" in own
    assert "--as" not in own
    for command in commands_of_kesher():
        text = run(str(program("KESHER", "kesher")), command, "--help", env=environment())
        expected = sorted(set(re.findall(r"^ +(--[a-z0-9-]+)", text.split("Options:")[1], re.M)))
        assert offered(installation, "kesher", command, "--") == expected


def test_bash_offers_commands_for_operators(installation):
    assert offered(installation, "kesherd", "") == ["address", "check", "group", "invite", "key", "user"]
    assert offered(installation, "kesherd", "key", "") == ["next", "use"]
    assert offered(installation, "kesherd", "user", "re") == ["remove", "reset-key"]
    assert offered(installation, "kesherd", "user", "remove", "--") == [
        "--config",
        "--data",
        "--help",
        "--json",
        "--version",
        "--yes",
    ]


def test_bash_offers_words_where_an_option_has_some(installation):
    assert offered(installation, "kesherd", "--stat", "") == ["full", "plain"]
    assert offered(installation, "kesherd", "--log-level", "=", "de") == ["debug"]
    levels = ["debug", "error", "info", "notice", "warning"]
    assert offered(installation, "kesherd", "--log-level", "=") == levels
    assert offered(installation, "kesherd", "--listen", "") == [""]


def test_bash_offers_files_and_directories(installation, tmp_path):
    (tmp_path / "two words").mkdir()
    (tmp_path / "two.txt").touch()
    assert offered(installation, "kesher", "put", "tw", cwd=tmp_path) == ["two words", "two.txt"]
    assert offered(installation, "kesherd", "--config", "tw", cwd=tmp_path) == ["two words", "two.txt"]
    assert offered(installation, "kesherd", "--data", "tw", cwd=tmp_path) == ["two words"]


@pytest.mark.parametrize("name", ["kesher", "kesherd", "kesher-bench"])
def test_bash_finds_nothing_wrong_with_it(installation, name):
    result = subprocess.run(
        ["bash", "-n", str(installation.path(f"{BASH}/{name}"))], stderr=subprocess.PIPE, check=True
    )
    assert result.stderr == b""


# -- zsh


@pytest.mark.parametrize("name", ["kesher", "kesherd", "kesher-bench"])
def test_zsh_reads_it_and_it_names_every_option(installation, name):
    text = installation.text(f"{ZSH}/_{name}")
    assert text.startswith(f"#compdef {name}\n")
    named = re.findall(r"'(--[a-z0-9-]+)=?\[", text) + re.findall(r"\{-\w,(--[a-z0-9-]+)\}'\[", text)
    assert [option for option in options_of(name) if option not in named] == []
    if not shutil.which("zsh"):
        pytest.skip("zsh is not installed")
    run("zsh", "-f", "-n", str(installation.path(f"{ZSH}/_{name}")))


# -- fish


@pytest.mark.parametrize("name", ["kesher", "kesherd", "kesher-bench"])
def test_fish_offers_every_option(installation, tmp_path, name):
    if not shutil.which("fish"):
        pytest.skip("fish is not installed")
    path = installation.path(f"{FISH}/{name}.fish")
    home = {**environment(), **{name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}}
    told = run("fish", "--no-config", "-c", f"source {path}; complete -C '{name} --'", env=home)
    assert sorted(line.split("\t")[0] for line in told.splitlines()) == options_of(name)
    if name == "kesher":
        told = run("fish", "--no-config", "-c", f"source {path}; complete -C 'kesher '", env=home)
        assert sorted(line.split("\t")[0] for line in told.splitlines()) == commands_of_kesher()
        told = run("fish", "--no-config", "-c", f"source {path}; complete -C 'kesher inbox --f'", env=home)
        assert [line.split("\t")[0] for line in told.splitlines()] == ["--follow"]
