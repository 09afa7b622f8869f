"""`make install`: which files there are, with which modes, and that each can be used."""

import json
import os
import re
import stat
import subprocess
from dataclasses import replace

import pytest
from peer.kesherd import REPOSITORY, environment

HEADERS = sorted(path.name for path in (REPOSITORY / "include/kesher").glob("*.h"))

FILES = {
    "bin/kesher": 0o755,
    "bin/kesher-bench": 0o755,
    "bin/kesherd": 0o755,
    "etc/kesher/kesherd.conf": 0o644,
    "lib/systemd/system/kesherd.service": 0o644,
    "lib/sysusers.d/kesher.conf": 0o644,
    "share/bash-completion/completions/kesher": 0o644,
    "share/bash-completion/completions/kesher-bench": 0o644,
    "share/bash-completion/completions/kesherd": 0o644,
    "share/doc/kesher/examples/fail2ban/filter.conf": 0o644,
    "share/doc/kesher/examples/fail2ban/jail.conf": 0o644,
    "share/doc/kesher/examples/kesherd.conf": 0o644,
    "share/fish/vendor_completions.d/kesher-bench.fish": 0o644,
    "share/fish/vendor_completions.d/kesher.fish": 0o644,
    "share/fish/vendor_completions.d/kesherd.fish": 0o644,
    "share/man/man1/kesher.1": 0o644,
    "share/man/man1/kesher-bench.1": 0o644,
    "share/man/man5/kesherd.conf.5": 0o644,
    "share/man/man7/kesher-protocol.7": 0o644,
    "share/man/man8/kesherd.8": 0o644,
    "share/zsh/site-functions/_kesher": 0o644,
    "share/zsh/site-functions/_kesher-bench": 0o644,
    "share/zsh/site-functions/_kesherd": 0o644,
    **{f"include/kesher/{header}": 0o644 for header in HEADERS},
}


def library_directory(installation):
    (found,) = installation.destination.rglob("libkesher.so.0")
    return found.parent


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_installed_with_its_mode(installation, name):
    status = installation.path(name).lstat()
    assert stat.S_ISREG(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == FILES[name]
    assert status.st_size > 0


def test_nothing_else_is_installed(installation):
    libraries = library_directory(installation)
    found = {
        str(path.relative_to(installation.path("")))
        for path in installation.destination.rglob("*")
        if not path.is_dir() and libraries not in path.parents
    }
    assert found == set(FILES)


def test_the_load_generator_is_left_out_unless_it_is_asked_for(tmp_path):
    """What is installed without the option is all of the above but kesher-bench; with tests it is built, too."""
    subprocess.run(["meson", "setup", tmp_path / "build", REPOSITORY], check=True, stdout=subprocess.DEVNULL)
    told = subprocess.run(
        ["meson", "introspect", "--installed", tmp_path / "build"], check=True, stdout=subprocess.PIPE
    ).stdout
    found = {os.path.relpath(path, "/usr/local") for path in json.loads(told).values()}
    wanted = {name for name in FILES if "kesher-bench" not in name}
    assert not [name for name in found if "bench" in name]
    assert wanted - found == {"etc/kesher/kesherd.conf"}  # a script installs it, if there is none


def test_the_library_is_installed_with_its_links(installation):
    libraries = library_directory(installation)
    assert os.readlink(libraries / "libkesher.so") == "libkesher.so.0"
    version = os.readlink(libraries / "libkesher.so.0")
    names = [path.name for path in libraries.glob("libkesher*")]
    assert sorted(names) == sorted(["libkesher.a", "libkesher.so", "libkesher.so.0", version])
    assert (libraries / "pkgconfig/kesher.pc").is_file()


def test_installing_again_keeps_what_the_operator_wrote(installation):
    configuration = installation.path("etc/kesher/kesherd.conf")
    original = configuration.read_bytes()
    try:
        configuration.write_text("listen = off\n", encoding="utf-8")
        installation.install()
        assert configuration.read_text(encoding="utf-8") == "listen = off\n"
    finally:
        configuration.write_bytes(original)


def pkg_config(installation, *options):
    return subprocess.run(
        ["pkg-config", f"--define-variable=prefix={installation.path('')}", *options, "kesher"],
        env={**os.environ, "PKG_CONFIG_PATH": str(library_directory(installation) / "pkgconfig")},
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ).stdout.split()


def test_pkg_config_tells_how_to_build_with_the_library(installation):
    told = pkg_config(installation, "--cflags", "--libs")
    assert f"-I{installation.path('include')}" in told
    assert f"-L{library_directory(installation)}" in told
    assert "-lkesher" in told


def sanitizers(installation):
    """What a program must be built with, too, when the library was."""
    told = subprocess.run(
        ["meson", "introspect", "--buildoptions", str(installation.build)], check=True, stdout=subprocess.PIPE
    ).stdout
    (value,) = [option["value"] for option in json.loads(told) if option["name"] == "b_sanitize"]
    return [] if value == "none" else [f"-fsanitize={value}"]


@pytest.mark.parametrize("static", [False, True], ids=["shared", "static"])
def test_the_program_of_the_document_runs_with_the_library(installation, tmp_path, static):
    """docs/client.md: its program, built as it says there."""
    document = (REPOSITORY / "docs/client.md").read_text(encoding="utf-8")
    source = tmp_path / "program.c"
    source.write_text(re.search(r"^```c\n(.*?)^```$", document, re.M | re.S)[1], encoding="utf-8")
    built = tmp_path / "program"
    told = pkg_config(installation, "--cflags", "--libs", *(["--static"] if static else []))
    if static:
        told = ["-l:libkesher.a" if word == "-lkesher" else word for word in told]
    warnings = ["-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        ["cc", *warnings, *sanitizers(installation), "-o", str(built), str(source), *told], check=True
    )

    dynamic = subprocess.run(["readelf", "-d", str(built)], check=True, stdout=subprocess.PIPE).stdout
    assert (b"[libkesher.so.0]" in dynamic) != static
    libraries = {} if static else {"LD_LIBRARY_PATH": str(library_directory(installation))}
    subprocess.run([str(built)], cwd=tmp_path, env={**environment(), **libraries}, check=True)
    assert not (tmp_path / "alice").exists()  # opening a home makes none


@pytest.mark.parametrize("header", HEADERS)
def test_every_header_stands_alone(installation, header):
    subprocess.run(
        ["cc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-x", "c", "-"]
        + [f"-I{installation.path('include')}"],
        input=f"#include <kesher/{header}>\n",
        encoding="utf-8",
        check=True,
    )


@pytest.mark.parametrize("prefix, configuration", [("/usr", "/etc"), ("/usr/local", "/usr/local/etc")])
def test_paths_follow_the_prefix(tmp_path, prefix, configuration):
    build = tmp_path / "build"
    subprocess.run(
        ["meson", "setup", str(build), str(REPOSITORY), f"--prefix={prefix}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    unit = (build / "packaging/kesherd.service").read_text(encoding="utf-8")
    assert f"ExecStart={prefix}/bin/kesherd --config {configuration}/kesher/kesherd.conf\n" in unit
    plan = json.loads(
        subprocess.run(
            ["meson", "introspect", "--install-plan", str(build)], check=True, stdout=subprocess.PIPE
        ).stdout
    )
    unit_place = [entry["destination"] for entry in plan["configure"].values()]
    assert unit_place == ["{prefix}/lib/systemd/system/kesherd.service"]
    assert "{prefix}/lib/sysusers.d/kesher.conf" in [entry["destination"] for entry in plan["data"].values()]


def test_the_installed_programs_run(installation):
    for name in ("kesher", "kesherd"):
        told = subprocess.run(
            [installation.path(f"bin/{name}"), "--version"],
            env=environment(),
            check=True,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        ).stdout
        assert told.startswith(f"{name} ")


def test_the_installed_configuration_is_fine(installation):
    told = subprocess.run(
        [installation.path("bin/kesherd"), "--check-config"]
        + ["--config", installation.path("etc/kesher/kesherd.conf")],
        env=environment(),
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ).stdout
    assert told == "the configuration is fine\n"


def test_uninstalling_leaves_only_the_configuration(installation, tmp_path):
    """Meson takes away what it installed last, so this is another place than that of the other tests."""
    other = replace(installation, destination=tmp_path / "other")
    with other.alone():
        other.install_unguarded()
        assert other.path("bin/kesherd").exists()
        subprocess.run(["ninja", "-C", str(other.build), "uninstall"], check=True, stdout=subprocess.DEVNULL)
    left = [path for path in other.destination.rglob("*") if not path.is_dir()]
    assert left == [other.path("etc/kesher/kesherd.conf")]
    assert installation.path("bin/kesherd").exists()
