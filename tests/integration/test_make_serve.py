"""What somebody sees who builds with the scripts behind `make serve`, and follows README.md in the source tree."""

import os
import pty
import re
import shutil
import subprocess

import pytest
from peer.kesherd import REPOSITORY

RULES = """
rule copy
  command = cp $in $out
build copied: copy original
build other: copy original
"""


@pytest.fixture
def directory(tmp_path):
    """A build directory with two targets, and nothing built."""
    if shutil.which("ninja") is None:
        pytest.skip("ninja is not installed")
    (tmp_path / "build.ninja").write_text(RULES)
    (tmp_path / "original").write_text("content")
    return tmp_path


def build(directory, *targets: str) -> str:
    """What is printed where no terminal is."""
    command = [REPOSITORY / "scripts/build", directory, *targets]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return run.stdout.decode()


def build_on_a_terminal(directory, *targets: str) -> str:
    ours, theirs = pty.openpty()
    command = [REPOSITORY / "scripts/build", directory, *targets]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            shown += piece
        assert process.wait(60) == 0, shown
    os.close(ours)
    return shown.decode()


def test_a_build_on_a_terminal_says_what_it_does_and_how_far_it_is(directory):
    shown = build_on_a_terminal(directory)
    assert shown.startswith("Building ")
    assert "2 of 2" in shown


def test_a_build_elsewhere_says_nothing(directory):
    assert build(directory) == ""
    assert (directory / "copied").exists() and (directory / "other").exists()


def test_a_build_with_nothing_to_do_says_nothing(directory):
    build(directory)
    assert build_on_a_terminal(directory) == ""


def test_only_the_targets_that_are_asked_for_are_built(directory):
    build(directory, "copied")
    assert (directory / "copied").exists() and not (directory / "other").exists()


def test_a_build_that_fails_says_why(directory):
    (directory / "original").unlink()
    command = [REPOSITORY / "scripts/build", directory]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    assert run.returncode != 0 and b"original" in run.stdout


def served(tmp_path, *options: str) -> list[str]:
    """The lines that a server's caller is told to try; the server is `true`."""
    (tmp_path / "kesherd").symlink_to(shutil.which("true"))
    command = [REPOSITORY / "scripts/serve", str(tmp_path), *options]
    run = subprocess.run(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=60
    )
    return [line.split("/kesher ", 1)[1] for line in run.stdout.decode().splitlines() if "/kesher --home" in line]


@pytest.mark.parametrize(
    "options, address",
    [
        ([], "127.0.0.1:1357"),
        (["--listen", "127.0.0.1:1400"], "127.0.0.1:1400"),
        (["--listen=:1400", "--log-level", "debug"], "127.0.0.1:1400"),
        (["--listen", "0.0.0.0:1357"], "127.0.0.1:1357"),
        (["--listen", "[::]:1357"], "[::1]:1357"),
        (["--listen", "10.0.0.7:1357"], "10.0.0.7:1357"),
        (["--data", "elsewhere"], "127.0.0.1:1500"),
        (["--config", "my.conf"], "127.0.0.1:1600"),
        (["--config", "my.conf", "--listen", "127.0.0.1:1357"], "127.0.0.1:1357"),
    ],
)
def test_what_is_to_be_tried_names_the_servers_classic_address(tmp_path, options, address):
    """Only to register: the home knows its server then."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/myport.info").write_text("1500\n")
    (tmp_path / "my.conf").write_text("log-level = debug\nlisten = 127.0.0.1:1600\n")
    assert served(tmp_path, *options) == [
        f"--home homes/alice --server {address} register alice",
        f"--home homes/bob --server {address} register bob",
        "--home homes/alice send bob 'Lunch at one?'",
        "--home homes/bob inbox",
    ]


@pytest.mark.parametrize("address", ["off", "127.0.0.1:0"])
def test_nothing_is_to_be_tried_where_the_address_is_unknown(tmp_path, address):
    assert served(tmp_path, "--listen", address) == []


@pytest.mark.parametrize("page", ["README.md", "scripts/serve"])
def test_homes_in_the_source_tree_are_unknown_to_git(page):
    """They hold private keys."""
    homes = set(re.findall(r"--home (\S+)", (REPOSITORY / page).read_text()))
    assert homes
    if shutil.which("git") is None or not (REPOSITORY / ".git").exists():
        pytest.skip("this is no checkout of git")
    paths = [f"{home}/{name}" for home in homes for name in ("me.info", "priv.key", "contacts/x", "inbox/x")]
    command = ["git", "-C", REPOSITORY, "check-ignore", "--no-index", *paths]
    ignored = subprocess.run(command, stdout=subprocess.PIPE, timeout=60).stdout.decode().split()
    assert sorted(ignored) == sorted(paths)
