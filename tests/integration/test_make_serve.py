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
