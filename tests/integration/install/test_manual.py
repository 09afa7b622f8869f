"""Every option and command is in every manual, and the manuals are well-formed.

What there is, is taken from --help, so the way by which the manuals are made is not trusted.
"""

import re
import shutil
import subprocess
import sys

import pytest
from peer.kesherd import REPOSITORY, environment, program

PAGES = ["man1/kesher.1", "man1/kesher-bench.1", "man5/kesherd.conf.5", "man7/kesher-protocol.7", "man8/kesherd.8"]
OPERATIONS = REPOSITORY / "docs/operations.md"
TEXTS = REPOSITORY / "man/options.txt"


def help_of(variable, name):
    command = [str(program(variable, name)), "--help"]
    return subprocess.run(
        command, env=environment(), check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout


@pytest.fixture(scope="module")
def server_help():
    return help_of("KESHERD", "kesherd")


@pytest.fixture(scope="module")
def client_help():
    return help_of("KESHER", "kesher")


def options_in(text):
    """[(name, value, help)] of the lines that begin with an option."""
    found = re.findall(r"^ +--([a-z-]+)(?: (\S+))? {2,}(.*)$|^ +--([a-z-]+)(?: (\S+))? (\S.*)$", text, re.M)
    options = [(a or d, b or e, c or f) for a, b, c, d, e, f in found]
    assert len(options) > 5
    return options


def keys_in(server_help):
    """What may stand in the configuration: all that is not only on the command line."""
    return [name for name, _, _ in options_in(server_help.split("Only on the command line")[0])]


def commands_in(client_help):
    part = client_help.split("Commands:\n")[1].split("\nOptions:")[0]
    commands = re.findall(r"^  ([a-z][a-z-]*)", part, re.M)
    assert "send" in commands
    return commands


def rendered(installation, page):
    """What a reader sees, in one line."""
    tool = ["mandoc"] if shutil.which("mandoc") else ["groff", "-mandoc", "-K", "utf8"]
    if not shutil.which(tool[0]):
        pytest.skip("neither mandoc nor groff is installed")
    text = subprocess.run(
        [*tool, "-T", "utf8", str(installation.path(f"share/man/{page}"))],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    ).stdout
    text = re.sub(r".\x08|\x1b\[[0-9;]*m", "", text)
    return " ".join(text.replace("\u2010", "-").replace("\u2212", "-").split())


# -- completeness


def test_the_servers_manual_has_every_option(installation, server_help):
    text = rendered(installation, "man8/kesherd.8")
    assert [name for name, _, _ in options_in(server_help) if f" --{name} " not in text] == []


def test_the_servers_manual_has_every_command_of_operators(installation):
    command = [str(program("KESHERD", "kesherd")), "user", "--help"]
    told = subprocess.run(
        command, env=environment(), check=True, stdout=subprocess.PIPE, encoding="utf-8"
    ).stdout
    commands = re.findall(r"^  ((?:user|group) [a-z-]+(?: NAME)?) {2,}", told, re.M)
    text = rendered(installation, "man8/kesherd.8")
    assert "user remove NAME" in commands
    assert [each for each in commands + re.findall(r"^  (--[a-z]+)", told, re.M) if each not in text] == []


def test_the_configurations_manual_has_every_key(installation, server_help):
    text = rendered(installation, "man5/kesherd.conf.5")
    assert [name for name in keys_in(server_help) if f" {name} = " not in text] == []


def test_the_example_has_every_key(installation, server_help):
    text = installation.text("etc/kesher/kesherd.conf")
    assert re.findall(r"^#?([a-z-]+) = \S", text, re.M) != []
    assert sorted(re.findall(r"^#?([a-z-]+) = \S", text, re.M)) == sorted(keys_in(server_help))


def test_the_clients_manual_has_every_command_and_option(installation, client_help):
    text = rendered(installation, "man1/kesher.1")
    assert [name for name in commands_in(client_help) if f" {name} " not in text] == []
    assert [name for name, _, _ in options_in(client_help) if f" --{name} " not in text] == []


def test_the_generators_manual_has_every_mode_and_option(installation):
    told = help_of("KESHER_BENCH", "kesher-bench")
    modes = re.findall(r"^  ([a-z]+) {2,}", told.split("Modes:\n")[1].split("\nOptions")[0], re.M)
    text = rendered(installation, "man1/kesher-bench.1")
    assert "upload" in modes
    assert [name for name in modes if f" {name} " not in text] == []
    assert [name for name, _, _ in options_in(told) if f" --{name} " not in text] == []


def test_every_option_has_a_text_and_every_text_an_option(server_help):
    """A new option of kesherd is described in man/options.txt, too."""
    texts = re.findall(r"^([a-z][a-z-]*)$", TEXTS.read_text(encoding="utf-8"), re.M)
    assert sorted(texts) == sorted(keys_in(server_help))


def test_operations_md_is_up_to_date(installation, tmp_path):
    """`make manual` brings it up to date."""
    made = tmp_path / "operations.md"
    subprocess.run(
        [sys.executable, "-B", str(REPOSITORY / "scripts/generate/generate.py")]
        + ["--server", str(installation.build / "man/kesherd.tables"), "--texts", str(TEXTS)]
        + ["--output", str(made), "operations", str(OPERATIONS)],
        check=True,
    )
    assert made.read_text(encoding="utf-8") == OPERATIONS.read_text(encoding="utf-8")


def test_operations_md_has_every_key(server_help):
    text = OPERATIONS.read_text(encoding="utf-8")
    table = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| (?:yes|no) \| ", text, re.M)
    assert sorted(table) == sorted(keys_in(server_help))


# -- truth


def test_the_defaults_that_help_tells_are_those_of_the_tables(installation, server_help):
    """Of every number, word and list; those of some texts depend on where the server runs."""
    rows = (installation.build / "man/kesherd.tables").read_text(encoding="utf-8").splitlines()
    options = [row.split("\t")[1:] for row in rows if row.startswith("option\t")]
    told = {name: help_ for name, _, help_ in options_in(server_help)}
    wrong = [name for name, _, kind, *_, default, _, _, _ in options if f"(default: {default})" not in told[name]]
    assert len(options) > 30
    assert wrong == ["data", "listen", "certificate", "private-key", "registration"]


def test_the_examples_settings_are_accepted_when_they_are_uncommented(installation, tmp_path):
    text = installation.text("etc/kesher/kesherd.conf")
    configuration = tmp_path / "kesherd.conf"
    text = re.sub(r"^#([a-z-]+ = )", r"\1", text, flags=re.M)
    there_is_none = re.compile(r"^(certificate|private-key) = .*\n", re.M)  # files, which are looked at
    assert len(there_is_none.findall(text)) == 2
    configuration.write_text(there_is_none.sub("", text), encoding="utf-8")
    command = [str(installation.path("bin/kesherd")), "--config", str(configuration), "--check-config"]
    subprocess.run(command, env=environment(), check=True, stdout=subprocess.DEVNULL)


def test_the_protocols_manual_has_every_code(installation):
    """The codes of requests and answers of docs/protocol.md."""
    document = (REPOSITORY / "docs/protocol.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"^\| (\d{3,4}) \|", document, re.M))
    codes |= set(re.findall(r"\*\*(\d{4})\*\*", document))
    text = rendered(installation, "man7/kesher-protocol.7")
    assert len(codes) > 15
    assert sorted(code for code in codes if not re.search(rf"\b{code}\b", text)) == []


# -- form


@pytest.mark.parametrize("page", PAGES)
def test_mandoc_has_nothing_to_say(installation, page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    path = installation.path(f"share/man/{page}")
    lint = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", str(path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
    )
    assert lint.stdout == ""
    assert lint.returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_groff_has_nothing_to_say(installation, page):
    if not shutil.which("groff"):
        pytest.skip("groff is not installed")
    path = installation.path(f"share/man/{page}")
    result = subprocess.run(
        ["groff", "-mandoc", "-ww", "-z", "-T", "utf8", "-K", "utf8", "-rLL=80n", str(path)],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=True,
    )
    assert result.stderr == ""


@pytest.mark.parametrize("page", PAGES)
def test_no_marker_is_left(installation, page):
    assert re.findall(r"@[A-Z_]+@", installation.text(f"share/man/{page}")) == []
