"""The unit and the packages: what can be said of them without installing them."""

import re
import shutil
import socket
import struct
import subprocess

import pytest
from peer.kesherd import REPOSITORY, Kesherd

DEBIAN = REPOSITORY / "packaging/debian"
UNIT = "lib/systemd/system/kesherd.service"

# Of 10; below 2 is what systemd calls OK. The unit's is 1.1 with systemd 252.
EXPOSURE = 15  # tenths


def run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, encoding="utf-8", **more).stdout


def needs(program):
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")


# -- systemd


def test_systemd_understands_the_unit(installation, tmp_path):
    needs("systemd-analyze")
    # The programs that it names are not installed on this system.
    text = re.sub(r"^(Exec\w+=)\S+", r"\1/bin/true", installation.text(UNIT), flags=re.M)
    unit = tmp_path / "kesherd.service"
    unit.write_text(text, encoding="utf-8")
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if "No such file or directory" in result.stderr and "kesherd" not in result.stderr:
        pytest.skip("systemd's own units are not installed")
    assert [line for line in result.stderr.splitlines() if "kesherd" in line] == []


def test_the_sandbox_is_tight(installation):
    needs("systemd-analyze")
    path = installation.path(UNIT)
    run("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(path))


def test_the_unit_keeps_keys_off_the_disk(installation):
    unit = installation.text(UNIT)
    assert "\nLimitCORE=0\n" in unit and "\nMemorySwapMax=0\n" in unit


def test_the_unit_and_the_user_agree(installation):
    unit = installation.text(UNIT)
    users = installation.text("lib/sysusers.d/kesher.conf")
    user = re.search(r"^u\s+(\S+)\s+-\s+\"[^\"]+\"\s+(\S+)\s+(\S+)$", users, re.M)
    assert f"\nUser={user[1]}\n" in unit
    state = re.search(r"^StateDirectory=(\S+)$", unit, re.M)[1]
    assert user[2] == f"/var/lib/{state}"
    assert user[3] == "/usr/sbin/nologin"


# -- Debian


def control_field(text, name):
    """The packages that a field lists, without versions and conditions."""
    field = re.search(rf"^{name}:((?:.|\n(?=[ \t]))*)", text, re.M)[1]
    return {re.match(r"\s*([a-z0-9.+-]+)", entry)[1] for entry in field.split(",") if entry.strip()}


def test_the_changelog_has_the_projects_version():
    project = re.search(r"^  version: '([^']+)'", (REPOSITORY / "meson.build").read_text(), re.M)[1]
    assert (DEBIAN / "changelog").read_text(encoding="utf-8").startswith(f"kesher ({project}-1) ")


def test_the_packages_build_depends_on_what_the_build_needs():
    """What scripts/deps installs for building, without what every Debian build has or comes with meson."""
    deps = (REPOSITORY / "scripts/deps").read_text(encoding="utf-8")
    group = re.search(r"^    build\)\n.*?<<'END'\n(.*?)^END$", deps, re.M | re.S)[1]
    wanted = {line.split()[0] for line in group.splitlines()} - {"gcc", "libc6-dev", "ninja-build"}
    declared = control_field((DEBIAN / "control").read_text(encoding="utf-8"), "Build-Depends")
    assert wanted - declared == set()
    assert declared - wanted == {"debhelper-compat", "dh-sequence-installsysusers", "libcmocka-dev"}


def declared_functions():
    """The functions that the public headers mark with KESHER_API."""
    found = set()
    for header in (REPOSITORY / "include/kesher").glob("*.h"):
        text = re.sub(r"/\*.*?\*/", "", header.read_text(encoding="utf-8"), flags=re.S)
        for declaration in re.findall(r"^KESHER_API\b([^;]*);", text, re.M):
            found.add(re.search(r"\b(kesher_\w+)\s*\(", declaration)[1])
    assert len(found) > 20
    return found


def test_the_library_exports_what_the_headers_declare(installation):
    needs("nm")
    (library,) = installation.destination.rglob("libkesher.so.0")
    exported = {line.split()[-1] for line in run("nm", "-D", "--defined-only", str(library)).splitlines()}
    assert {name for name in exported if name.startswith("kesher_")} == declared_functions()
    assert [name for name in exported if name.startswith("ks_")] == []


def test_the_symbols_file_has_what_the_headers_declare():
    """A new function of libkesher is added to that file, with the version that brings it."""
    text = (DEBIAN / "libkesher0.symbols").read_text(encoding="utf-8")
    assert set(re.findall(r"^ (\w+)@Base \d", text, re.M)) == declared_functions()


def test_every_installed_file_is_in_one_package(installation):
    lines = [line for listing in DEBIAN.glob("*.install") for line in listing.read_text().splitlines()]
    patterns = [line.split()[0] for line in lines if line.strip()]

    # Debian builds with the prefix /usr, and libraries in a directory of the architecture.
    def packaged_name(path):
        name = str(path.relative_to(installation.path("")))
        return name if name.startswith("etc/") else re.sub(r"^usr/lib/systemd", "lib/systemd", f"usr/{name}")

    for path in installation.destination.rglob("*"):
        if path.is_dir():
            continue
        name = packaged_name(path)
        regular = [re.escape(pattern).replace(r"\*", "[^/]*") for pattern in patterns]
        takers = [one for one in regular if re.fullmatch(rf"{one}(?:/.*)?", name)]
        if "usr/lib/" in name and "sysusers" not in name and not re.match(r"usr/lib/[^/]+-linux-", name):
            continue  # a library where the architecture has no directory of its own
        assert len(takers) == 1, name


# -- fail2ban


def failregexes():
    """The filter's expressions, with something for <ADDR> that names the address."""
    text = (REPOSITORY / "packaging/fail2ban/filter.conf").read_text(encoding="utf-8")
    address = r"(?P<address>[0-9a-fA-F.:]+?)"
    prefix = re.search(r"^prefregex = (.*)$", text, re.M)[1]
    prefix = prefix.replace("<F-CONTENT>", "(?P<content>").replace("</F-CONTENT>", ")")
    block = re.search(r"^failregex = ((?:.*\n)(?: +.*\n)*)", text, re.M)[1]
    return prefix, [line.strip().replace("<ADDR>", address) for line in block.splitlines()]


def accused(line):
    """The address that a line of a log, whose date was cut off as fail2ban does, counts against; or None."""
    prefix, expressions = failregexes()
    content = re.match(prefix, line)
    if content is None:
        return None
    matches = [re.search(expression, content["content"]) for expression in expressions]
    return next((match["address"] for match in matches if match), None)


@pytest.fixture
def chat_server(tmp_path):
    server = Kesherd(tmp_path / "data", log_level="info", also=("chat",)).start()
    yield server
    server.stop()


def test_the_filter_accuses_who_guesses_a_password(chat_server):
    with socket.create_connection(chat_server.chat_address, 60) as owner:
        owner.sendall(b"2\nowner\nright\n")
        receive_until(owner, b"You can start to talk!")
        with socket.create_connection(chat_server.chat_address, 60) as guest:
            guest.sendall(b"1\nguest\n1\nwrong\n")
            receive_until(guest, b"no group password like this")
    lines = [re.sub(r"^\S+ [\d:.]+[+-]\d{4}", "", line) for line in chat_server.log().splitlines()]
    assert [accused(line) for line in lines if accused(line)] == ["127.0.0.1"]


def receive_until(connection, text):
    received = b""
    while text not in received:
        more = connection.recv(4096)
        assert more, received
        received += more


@pytest.mark.parametrize("behind", ["", "; 480 times since the last such line"])
@pytest.mark.parametrize(
    "text",
    [
        'refused: too many registrations from this address in an hour (registrations-per-hour): "carol"',
        '"alice": refused: too many registrations from this address in an hour (registrations-per-hour): "carol"',
        '"alice": refused: too many keys from this address in an hour (keys-per-hour)',
        'chat: "guest" gave a wrong password for group 1',
    ],
)
def test_the_filter_accuses_who_floods(text, behind):
    text += behind
    assert accused(f" warning 192.0.2.7:4711: {text}") == "192.0.2.7"
    assert accused(f" warning [2001:db8::1]:4711: {text}") == "2001:db8::1"
    assert accused(f"host kesherd[99]: 192.0.2.7:4711: {text}") == "192.0.2.7"


@pytest.mark.parametrize(
    "name",
    [
        '10.0.0.1:1: refused: too many registrations from this address in an hour (registrations-per-hour): "x',
        'x": refused: too many keys from this address in an hour (keys-per-hour)',
        'x": refused: too many registrations from this address in an hour (registrations-per-hour): "y',
        'x" gave a wrong password for group 1',
        'x" gave a wrong password for group 1; 480 times since the last such line',
        'kesherd[1]: 10.0.0.1:1: chat: "x" gave a wrong password for group 1',
    ],
)
def test_a_name_accuses_nobody(name):
    assert accused(f' info    192.0.2.7:4711: chat: "{name}" has joined group 1') is None
    assert accused(f'host kesherd[99]: 192.0.2.7:4711: registered "{name}"') is None
    assert accused(f' info    192.0.2.7:4711: "alice": kept "{name}"') is None
    assert accused(f' warning 192.0.2.7:4711: "{name}" to "bob": cannot take a message: refused') is None


@pytest.fixture
def limited_server(tmp_path):
    """Each address registers one user, and gets one key."""
    limits = {"registrations_per_hour": 1, "keys_per_hour": 1, "unlimited_networks": "none"}
    server = Kesherd(tmp_path / "data", log_level="info", **limits).start()
    yield server
    server.stop()


def test_the_filter_accuses_who_registers_and_asks_for_keys_beyond_the_limit(limited_server):
    """With the lines that the server does write, of which there are 20 in an hour, as many as the jail counts."""
    with socket.create_connection(limited_server.address, 60) as guest:
        for number in range(31):
            guest.sendall(frame(bytes(16), 1025, field(f"guest {number}")))
            receive_until_size(guest, 23 if number == 0 else 7)
    lines = [re.sub(r"^\S+ [\d:.+-]+", "", line) for line in limited_server.log().splitlines()]
    assert [accused(line) for line in lines if accused(line)] == ["127.0.0.1"] * 20


def field(text):
    return text.encode().ljust(255, b"\0")


def frame(client_id, code, payload):
    return struct.pack("<16sBHI", client_id, 3, code, len(payload)) + payload


def receive_until_size(connection, size):
    while size > 0:
        more = connection.recv(size)
        assert more
        size -= len(more)
