"""scripts/configure: what `make` and `make bench` do to the same build directory."""

import os
import shutil
import subprocess

import pytest
from peer.kesherd import REPOSITORY

PROJECT = """
project('small', 'c')
executable('always', 'main.c')
if get_option('bench')
  executable('sometimes', 'main.c')
endif
"""


@pytest.fixture
def tree(tmp_path):
    """A project with a part that -Dbench adds."""
    if shutil.which("meson") is None or shutil.which("ninja") is None:
        pytest.skip("Meson or Ninja is not installed")
    (tmp_path / "meson.build").write_text(PROJECT)
    (tmp_path / "meson_options.txt").write_text(
        "option('bench', type: 'boolean', value: false)\noption('other', type: 'boolean', value: false)\n"
    )
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    return tmp_path


def configure(tree, *options):
    """What is printed; the targets are built then."""
    environment = {name: value for name, value in os.environ.items() if name != "CC"}
    command = [REPOSITORY / "scripts/configure", "build", "gcc", *options]
    said = subprocess.run(command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE, timeout=120).stdout
    subprocess.run(["ninja", "-C", "build"], cwd=tree, check=True, stdout=subprocess.DEVNULL, timeout=120)
    return said.decode()


def test_bench_is_added_and_left_out_without_building_the_rest_again(tree):
    assert configure(tree, "-Dbench=false", "-Dother=true") == "Configuring build/\n"
    program, part = tree / "build/always", tree / "build/sometimes"
    assert program.exists() and not part.exists()
    (tree / "build/result").write_text("kept")
    built = program.stat().st_mtime_ns

    assert configure(tree, "-Dbench=true", "-Dother=true") == ""
    assert part.exists()
    assert configure(tree, "-Dbench=true", "-Dother=true") == ""
    part.unlink()
    assert configure(tree, "-Dbench=false", "-Dother=true") == ""
    assert not part.exists()
    assert program.stat().st_mtime_ns == built and (tree / "build/result").exists()


def test_other_options_begin_from_nothing(tree):
    configure(tree, "-Dbench=false", "-Dother=true")
    (tree / "build/result").write_text("gone")
    assert configure(tree, "-Dbench=true", "-Dother=false") == "Configuring build/\n"
    assert (tree / "build/sometimes").exists() and not (tree / "build/result").exists()
