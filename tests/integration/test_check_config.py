"""kesherd --check-config: tells whether options and configuration make sense, and does nothing else."""

import os
import subprocess
from pathlib import Path

import pytest
from peer.kesherd import Kesherd, environment, program, sanitizer_report

RUN_SECONDS = 20
FINE = "the configuration is fine\n"
WHOLE = """\
# A comment, and an empty line:

data = never-made
listen = 127.0.0.1:1357
chat = off
ask = [::1]:1729
name = a server ; with a comment
stat = full
workers = 3
log-level = debug
connections = 100
buffers = 64
header-timeout = 1
payload-timeout = 86400
stage-lifetime = 1
message-limit = 2147483647
pull-limit = 1
lease-lifetime-ms = 1
groups = 1
group-members = 1000000
member-queue = 64
chat-queues = 1
wrong-passwords = 1
prompt-timeout = 1
log-rate = 0
connections-per-address = 0
unlimited-networks = 10.0.0.0/8, fd00::/8 192.0.2.1
registrations-per-hour = 0
keys-per-hour = 0
payload-rate = 0
uploads-per-user = 1
uploads = 1
public-ids = alias
crc-wrong-delay-ms = 1
"""


def check(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    run = subprocess.run(
        [program("KESHERD", "kesherd"), "--check-config", *arguments],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env=environment(),
        cwd=folder,
    )
    assert not sanitizer_report(run.stderr), run.stderr
    return run


def configuration(folder: Path, text: str) -> str:
    (folder / "kesherd.conf").write_text(text)
    return str(folder / "kesherd.conf")


def below(folder: Path) -> dict[Path, bytes]:
    """Every file there with its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def assert_wrong(run: subprocess.CompletedProcess, *parts: str) -> None:
    """Exit status 2, and one line that says what is wrong."""
    assert (run.returncode, run.stdout) == (2, ""), run
    assert run.stderr.startswith("kesherd: ") and run.stderr.count("\n") == 1, run
    assert run.stderr.endswith("\n") and run.stderr[:-1].isprintable(), run
    for part in parts:
        assert part in run.stderr


def test_what_makes_sense_is_fine_and_nothing_is_started(tmp_path):
    file = configuration(tmp_path, WHOLE)
    before = below(tmp_path)
    run = check(tmp_path, "--config", file)
    assert (run.returncode, run.stdout, run.stderr) == (0, FINE, "")
    assert below(tmp_path) == before and list(tmp_path.iterdir()) == [Path(file)]


def test_no_configuration_is_fine(tmp_path):
    run = check(tmp_path)
    assert (run.returncode, run.stdout, run.stderr) == (0, FINE, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_switch_may_stand_anywhere(tmp_path, place):
    arguments = ["--groups", "7"]
    run = subprocess.run(
        [program("KESHERD", "kesherd")]
        + (["--check-config", *arguments] if place == "before" else [*arguments, "--check-config"]),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env=environment(),
        cwd=tmp_path,
    )
    assert (run.returncode, run.stdout) == (0, FINE)


@pytest.mark.parametrize(
    "line, part",
    [
        ("nonsense = 1", "nonsense"),
        ("groups = 0", "groups"),
        ("groups = 1000001", "groups"),
        ("groups = 1x", "1x"),
        ("groups =", "groups"),
        ("stat = some", "some"),
        ("log-level = loud", "loud"),
        ("data =", "data"),
        ("unlimited-networks = 10.0.0.0/33", "unlimited-networks"),
        ("unlimited-networks = everybody", "everybody"),
        ("just words", "name = value"),
        ("[section]", "sections"),
        ("groups = 2", "keep one"),
        ("listen = abc", "ADDR:PORT"),
        ("metrics = 127.0.0.1", "ADDR:PORT"),
        ("name = a\\b", "a name"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_status_2(tmp_path, line, part):
    file = configuration(tmp_path, f"{WHOLE}{line}\n")
    assert_wrong(check(tmp_path, "--config", file), part)
    assert list(tmp_path.iterdir()) == [Path(file)]


NO_LINE = "not of the form name = value"
LONG = "unlimited-networks = " + ", ".join(f"10.0.{number}.0/24" for number in range(100))


@pytest.mark.parametrize(
    "mistakes, told",
    [
        ("groups = x\ngroups = y", '"x"'),
        ("just words\ngroups = y", NO_LINE),
        ("groups = x\njust words", '"x"'),
        ("groups =\n    7", '""'),
        (f"{LONG}\ngroups = y", '"y"'),
        ("unlimited-networks = 10.0.0.0/8\ngroups = y", '"y"'),
    ],
    ids=["two values", "no value first", "no value last", "an indented line", "a long line", "a list"],
)
def test_the_first_mistake_is_told_with_its_line(tmp_path, mistakes, told):
    file = configuration(tmp_path, f"groups = 1\n\n# comment\n{mistakes}\n")
    line = 5 if "unlimited" in mistakes else 4
    assert_wrong(check(tmp_path, "--config", file), f"{file}:{line}: ", told)


def test_a_setting_that_stands_twice_is_an_error_that_names_both_lines(tmp_path):
    file = configuration(tmp_path, "groups = 1\n\nname = x\ngroups = 1\n")
    assert_wrong(check(tmp_path, "--config", file), f"{file}:4: groups", "line 1 ")


def test_a_list_may_stand_in_several_lines_which_add_up(tmp_path):
    file = configuration(tmp_path, "unlimited-networks = 10.0.0.0/8\nunlimited-networks = ::1\n")
    assert check(tmp_path, "--config", file).returncode == 0
    file = configuration(tmp_path, "unlimited-networks = 10.0.0.0/8\nunlimited-networks = none\n")
    assert_wrong(check(tmp_path, "--config", file), f"{file}:2: unlimited-networks")


@pytest.mark.parametrize(
    "setting",
    ["message-limit = 64M", "message-limit = 64 MiB", "user-bytes = 1.5g", "list-rate = 2048B"]
    + ["header-timeout = 90s", "stage-lifetime = 7d", "prompt-timeout = 2 h", "settle-time-ms = 1500ms"],
)
def test_sizes_and_times_may_have_units(tmp_path, setting):
    assert check(tmp_path, "--config", configuration(tmp_path, f"{setting}\n")).returncode == 0


@pytest.mark.parametrize(
    "setting, told",
    [
        ("message-limit = 64MB", "as in 512K, 64M or 1G; a number alone counts bytes"),
        ("user-bytes = -1", "a number alone counts MiB"),
        ("message-limit = 4G", "from 1 to 2147483647"),
        ("header-timeout = 500ms", "a time from 1s to 1d"),
        ("stage-lifetime = 7 weeks", "as in 90s, 10m or 1h; a number alone counts seconds"),
        ("groups = 1K", "a number from 1 to 1000000"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_would(tmp_path, setting, told):
    assert_wrong(check(tmp_path, "--config", configuration(tmp_path, f"{setting}\n")), told)


def test_an_empty_list_is_told_with_what_would_fit(tmp_path):
    for lines in ("unlimited-networks =\n", "unlimited-networks = ::1\nunlimited-networks =\n"):
        file = configuration(tmp_path, lines)
        assert_wrong(check(tmp_path, "--config", file), "write networks and addresses with commas between")
    assert_wrong(check(tmp_path, "--unlimited-networks", "::1", "--unlimited-networks="), "write networks")
    file = configuration(tmp_path, "unlimited-networks = ::1\nunlimited-networks = none\n")
    assert_wrong(check(tmp_path, "--config", file), "write networks and addresses with commas between")


def test_a_file_of_more_than_a_mebibyte_is_too_large(tmp_path):
    for size, told in ((1024 * 1024 - 1, None), (1024 * 1024, "too large"), (1024 * 1024 + 1, "too large")):
        run = check(tmp_path, "--config", configuration(tmp_path, "#" * size))
        if told is None:
            assert run.returncode == 0
        else:
            assert_wrong(run, told)


ADDRESSES = ["abc", ":", "1357", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", ":1357x"]
ADDRESSES += ["256.0.0.1:1", "1.2.3:1", "::1:1", "[::1:1", "[::g]:1", "[]:1", "[127.0.0.1]:1", "a b:1", "-a:1", "a..b:1"]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("option", ["listen", "chat", "ask"])
def test_what_cannot_be_listened_on_is_found_without_listening(tmp_path, option, address):
    assert_wrong(check(tmp_path, f"--{option}", address), f"--{option}: ", f'"{address}"', "ADDR:PORT")


@pytest.mark.parametrize("address", [":0", "0.0.0.0:1", "[::]:65535", "[fe80::1%lo]:1", "a-b.example:1", "off"])
def test_what_can_be_listened_on_is_fine(tmp_path, address):
    assert check(tmp_path, "--listen", address).returncode == 0


def test_two_listeners_on_one_port_are_found(tmp_path):
    assert_wrong(check(tmp_path, "--chat", ":1729"), "chat = :1729", "ask = 127.0.0.1:1729")
    assert_wrong(check(tmp_path, "--chat", "127.0.0.1:5", "--metrics", "5"), "chat", "metrics = 5")
    for everywhere in (":5", "[::]:5", "0.0.0.0:05"):
        assert_wrong(check(tmp_path, "--ask", "127.0.0.2:5", "--chat", everywhere), "the same port")
    assert check(tmp_path, "--chat", "0.0.0.0:5", "--ask", "[::1]:5").returncode == 0
    assert check(tmp_path, "--chat", "127.0.0.1:5", "--ask", "127.0.0.2:5").returncode == 0
    assert check(tmp_path, "--chat", ":0", "--ask", ":0").returncode == 0


def test_a_server_without_a_listener_is_found(tmp_path):
    assert_wrong(check(tmp_path, "--listen", "off", "--chat", "off", "--ask", "off", "--secure", "off"), "nothing to serve")


def test_a_wrong_configuration_ends_a_start_with_the_status_that_the_unit_does_not_restart(tmp_path):
    run = subprocess.run(
        [program("KESHERD", "kesherd"), "--data", tmp_path / "data", "--listen", "abc"],
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env=environment(),
    )
    assert_wrong(run, '"abc"')
    assert not (tmp_path / "data").exists()
    unit = (Path(__file__).parents[2] / "packaging/kesherd.service.in").read_text(encoding="utf-8")
    assert "RestartPreventExitStatus=2\n" in unit


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--json"], "--json goes with a command for operators"),
        (["--check-config=yes"], "--check-config takes no value"),
        (["-x"], "no option -x"),
        (["--groups", "7", "--", "--json"], 'no command "--json"'),
    ],
)
def test_what_is_for_others_is_told(tmp_path, arguments, told):
    assert_wrong(check(tmp_path, *arguments), told)


def test_lines_may_be_indented(tmp_path):
    """None goes on with the one before: a list that did would be its last line only."""
    file = configuration(tmp_path, "  groups = 1\n\tunlimited-networks = 10.0.0.0/8,\n  192.0.2.1\n")
    assert_wrong(check(tmp_path, "--config", file), f"{file}:3: {NO_LINE}")
    file = configuration(tmp_path, "  groups = 1\n\tunlimited-networks = 10.0.0.0/8,\n")
    assert check(tmp_path, "--config", file).returncode == 0


@pytest.mark.parametrize(
    "arguments, part",
    [
        (["--nonsense", "1"], "--nonsense"),
        (["--groups"], "--groups"),
        (["--groups="], "--groups"),
        (["--groups", "0"], "--groups"),
        (["--config", "nowhere.conf"], "nowhere.conf"),
        (["--config", "."], "."),
        (["groups"], '"groups"'),
        (["--unlimited-networks", "::1/129"], "::1/129"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_status_2(tmp_path, arguments, part):
    assert_wrong(check(tmp_path, *arguments), part)
    assert list(tmp_path.iterdir()) == []


def test_what_stands_on_the_command_line_does_not_excuse_the_file(tmp_path):
    """A file is fine or not by itself: without the command line it must do as well."""
    file = configuration(tmp_path, "groups = x\n")
    run = check(tmp_path, "--groups", "7", "--config", file)
    assert run.returncode in (0, 2)
    assert_wrong(check(tmp_path, "--config", file), "groups")


def test_a_server_that_runs_is_not_disturbed(own_server, new_user):
    """Neither its data nor its port are touched."""
    with own_server.connect() as client:
        user = client.introduce(new_user())
        client.put(user, "x", b"content")
        before = {path: stat_of(path) for path in own_server.data.rglob("*")}
        run = check(
            own_server.data.parent,
            *("--data", str(own_server.data), "--config", str(own_server.configuration)),
            *("--listen", "%s:%d" % own_server.address),
        )
        assert (run.returncode, run.stdout) == (0, FINE)
        assert {path: stat_of(path) for path in own_server.data.rglob("*")} == before
        client.put(user, "x", b"served all the same")


def stat_of(path: Path) -> tuple[int, int, int]:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def test_data_of_a_server_that_is_down_is_not_touched(own_server, new_user):
    with own_server.connect() as client:
        client.introduce(new_user())
    own_server.stop()
    before = below(own_server.data)
    assert check(own_server.data.parent, "--data", str(own_server.data)).returncode == 0
    assert below(own_server.data) == before


def test_a_configuration_that_is_fine_starts_a_server(tmp_path, new_user):
    file = Path(configuration(tmp_path, "message-limit = 100\nunlimited-networks = none\n"))
    assert check(tmp_path, "--config", str(file)).returncode == 0
    server = Kesherd(tmp_path / "data")
    server.configuration.write_bytes(file.read_bytes())
    server.start()
    server.stop()


@pytest.mark.parametrize("theirs", [False, True], ids=["to the journal", "elsewhere"])
def test_in_the_journal_a_mistake_is_an_error(tmp_path, theirs):
    """$JOURNAL_STREAM names the file that systemd connected; here it is one of ours."""
    file = configuration(tmp_path, "nonsense = 1\n")
    with open(tmp_path / "stderr", "w", encoding="utf-8") as stderr:
        status = os.fstat(stderr.fileno())
        stream = f"{status.st_dev}:{status.st_ino + theirs}"
        run = subprocess.run(
            [program("KESHERD", "kesherd"), "--check-config", "--config", file],
            stderr=stderr,
            timeout=RUN_SECONDS,
            env={**environment(), "JOURNAL_STREAM": stream},
            cwd=tmp_path,
        )
    assert run.returncode == 2
    prefix = "kesherd: " if theirs else "<3>"
    assert (tmp_path / "stderr").read_text(encoding="utf-8").startswith(f"{prefix}{file}:1: ")
