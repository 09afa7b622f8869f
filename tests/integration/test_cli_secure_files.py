"""`kesher put`, `files`, `get` and `rm` at a secure server: what they do, and what they print."""

import hashlib
import json
import os
import re
import socket
import subprocess
import threading

import pytest
from peer import crypto
from peer.file_fixtures import Folder
from peer.kesher import Kesher, outcome_of, write_identity

ROOT_WRITES_EVERYWHERE = os.geteuid() == 0
SIZES = [0, 1, 255, 65_536, 262_144, 262_145, (1 << 20) + 3, 5_000_001]


def one_line(text: str) -> str:
    assert text.startswith("kesher: ") and text.count("\n") == 1, text
    return text


# -- there and back


@pytest.mark.parametrize("size", SIZES)
def test_a_file_of_this_size_comes_back_as_it_was(folder, size):
    content = os.urandom(size)
    folder.write("sized", content)
    told = f"sized: {size} bytes, cksum {crypto.cksum(content)}, "
    assert folder.succeed("put", "sized").stdout == told + "confirmed\n"
    (folder.directory / "sized").unlink()
    assert folder.succeed("get", "sized").stdout == told + "saved\n"
    assert folder.trees() == {"sized": content}


def test_several_files_are_told_in_the_order_in_which_they_were_named(folder):
    content = {f"file {number}": os.urandom(number * 40_000 % 700_000) for number in (7, 3, 19, 1, 16, 0)}
    for name, text in content.items():
        folder.write(name, text)
    lines = folder.succeed("put", *content).stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(content)
    assert folder.names() == sorted(content)
    lines = folder.succeed("get", *reversed(content), "--save-to", "restored").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == list(reversed(content))
    assert {name: folder.read(f"restored/{name}") for name in content} == content


def test_a_thousand_small_files_go_there_and_back(folder):
    content = {f"many/{number % 10}/{number:04}": os.urandom(number) for number in range(1000)}
    for name, text in content.items():
        folder.write(name, text)
    assert folder.succeed("put", "-r", "many").stdout.count(", confirmed\n") == 1000
    assert folder.names() == sorted(content)
    assert folder.succeed("get", "-r", "many", "--save-to", "restored").stdout.count(", saved as ") == 1000
    assert {name: folder.read(f"restored/{name}") for name in content} == content
    assert folder.succeed("rm", "-r", "many").stdout.count(": removed\n") == 1000
    assert folder.names() == []


def test_files_of_others_are_not_mine(folder, secure, make_folder):
    folder.write("mine", b"mine")
    folder.succeed("put", "mine")
    other = make_folder(secure.secure_address, "other")
    assert other.names() == []
    assert "mine" in one_line(other.fail("get", "mine").stderr)
    assert "mine" in one_line(other.fail("rm", "mine").stderr)
    assert folder.names() == ["mine"]


# -- what is there already


def test_the_same_again_is_unchanged(folder):
    folder.write("small", b"content")
    folder.write("large", os.urandom(3_000_000))
    folder.succeed("put", "small", "large")
    again = folder.succeed("put", "small", "large").stdout.splitlines()
    assert [line.endswith("confirmed, unchanged") for line in again] == [True, True]
    got = folder.succeed("get", "small", "large").stdout.splitlines()
    assert [line.endswith("saved, unchanged") for line in got] == [True, True]


@pytest.mark.parametrize("size", [7, 3_000_000])
def test_another_content_of_the_same_name_is_refused_unless_it_replaces(folder, size):
    before, after = os.urandom(size), os.urandom(size)
    folder.write("a", before)
    folder.succeed("put", "a")
    folder.write("a", after)
    assert "--replace" in one_line(folder.fail("put", "a").stderr)
    folder.fail("get", "a")
    assert folder.read("a") == after
    assert folder.succeed("put", "a", "--replace").stdout.endswith("confirmed, replaced\n")
    folder.write("a", before)
    assert folder.succeed("get", "a", "--replace").stdout.endswith("saved, replaced\n")
    assert folder.read("a") == after


def test_others_go_on_after_one_that_is_refused(folder):
    folder.write("b", b"before")
    folder.succeed("put", "b")
    for name in "abc":
        folder.write(name, b"after " + name.encode())
    outcome = folder.run("put", "a", "b", "c", "--json")
    assert outcome.status == 1 and [told["error"] for told in outcome.told()] == ["already exists"]
    assert [(file["name"], file["result"]) for file in outcome.objects()] == [
        ("a", "confirmed"),
        ("b", "already exists"),
        ("c", "confirmed"),
    ]


# -- directories


@pytest.fixture
def photos(folder) -> Folder:
    """Somebody with photos/a, photos/2026/b and photos/2026/c, and one beside them."""
    for name in ("photos/a", "photos/2026/b", "photos/2026/c", "photos2/d"):
        folder.write(name, name.encode())
    return folder


@pytest.mark.parametrize("form", ["photos", "photos/", "./photos", "{}/photos", "photos2/../photos//"])
def test_a_directory_gives_its_files_its_name(photos, form):
    photos.succeed("put", "-r", form.format(photos.directory))
    assert photos.names() == ["photos/2026/b", "photos/2026/c", "photos/a"]


@pytest.mark.parametrize("form", ["photos/.", "{}/photos/2026/.."])
def test_a_directory_without_a_name_gives_none(photos, form):
    photos.succeed("put", "--recursive", form.format(photos.directory))
    assert photos.names() == ["2026/b", "2026/c", "a"]


def test_the_working_directory_gives_no_name(photos):
    photos.succeed("put", "-r", ".")
    assert photos.names() == ["photos/2026/b", "photos/2026/c", "photos/a", "photos2/d"]


@pytest.mark.parametrize("name", ["backup", "backup/", "backup/of/mine"])
def test_as_stands_in_the_place_of_the_directorys_name(photos, name):
    photos.succeed("put", "-r", "photos", "--as", name)
    begin = name.rstrip("/")
    assert photos.names() == [f"{begin}/2026/b", f"{begin}/2026/c", f"{begin}/a"]


def test_a_directory_needs_the_option(photos):
    outcome = photos.run("put", "photos2/d", "photos")
    assert outcome.status == 1 and "--recursive" in one_line(outcome.stderr)
    assert photos.names() == ["d"]


def test_links_and_what_is_no_file_are_left_out_and_said(photos):
    (photos.directory / "photos/link").symlink_to("a")
    (photos.directory / "photos/tree").symlink_to("2026")
    (photos.directory / "photos/nowhere").symlink_to("nothing")
    os.mkfifo(photos.directory / "photos/pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(os.path.relpath(photos.directory / "photos/socket"))
        outcome = photos.succeed("put", "-r", "photos")
    assert photos.names() == ["photos/2026/b", "photos/2026/c", "photos/a"]
    lines = outcome.stderr.splitlines()
    assert len(lines) == 5 and all("left out" in line for line in lines), lines
    assert photos.succeed("put", "-r", "photos", "--quiet").text == ""


def test_what_is_named_may_be_a_link(photos):
    (photos.directory / "link").symlink_to("photos/a")
    (photos.directory / "tree").symlink_to("photos/2026")
    photos.succeed("put", "-r", "link", "tree")
    assert photos.names() == ["link", "tree/b", "tree/c"]


def test_an_empty_directory_is_said_and_no_failure(folder):
    (folder.directory / "empty/inside").mkdir(parents=True)
    outcome = folder.succeed("put", "-r", "empty")
    assert "no file" in outcome.stderr and outcome.stdout == ""


def test_two_files_of_one_name_are_refused_before_anything_is_sent(photos):
    photos.write("elsewhere/photos/a", b"another")
    for arguments in (["photos/a", "elsewhere/photos/a"], ["-r", "photos", "elsewhere/photos"], ["photos/a"] * 2):
        outcome = photos.run("put", *arguments)
        assert (outcome.status, outcome.stdout) == (2, ""), outcome
        one_line(outcome.stderr)
    assert photos.names() == []


@pytest.mark.parametrize("name", [b"back\\slash", b"control\x07", b"new\nline", b"del\x7f"], ids=repr)
def test_a_name_that_the_server_cannot_have_is_said_and_the_others_go_on(folder, name):
    folder.write(b"tree/" + name, b"content")
    folder.write("tree/z", b"z")
    outcome = folder.run("put", "-r", "tree")
    assert outcome.status == 1 and outcome.stdout.startswith("tree/z: ")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", one_line(outcome.stderr))
    assert folder.names() == ["tree/z"]


def test_a_name_that_is_too_long_is_said_and_as_mends_it(folder):
    name = "n" * 200
    folder.write(f"{name}/{name}", b"content")
    outcome = folder.fail("put", "-r", name)
    assert "254" in one_line(outcome.stderr)
    folder.succeed("put", "-r", name, "--as", "short")
    assert folder.names() == [f"short/{name}"]


@pytest.mark.parametrize("name", ["a/../b", "/a", "a//b", "a/", ".", "..", "x" * 255, "a\\b", "a\nb"], ids=repr)
def test_a_name_that_nobody_can_have_is_refused_by_as(folder, name):
    folder.write("a", b"content")
    one_line(folder.fail("put", "a", "--as", name).stderr)
    assert folder.names() == []


@pytest.mark.parametrize(
    "name",
    [b"two words", b"-r", "שלום".encode(), "日本語/🙂".encode(), b"\xff\xfe", b"a: 5 bytes", b"n" * 254],
    ids=repr,
)
def test_a_name_of_any_other_bytes_goes_there_and_back(folder, name):
    folder.write(name, b"content")
    folder.succeed("put", "-r", ".")
    (folder.directory / os.fsdecode(name)).unlink()
    folder.succeed("get", "-r", "*")
    assert list(folder.trees().values()) == [b"content"] and (folder.directory / os.fsdecode(name)).exists()


def test_a_file_that_cannot_be_read_is_left_out(folder):
    folder.write("a", b"a")
    os.mkfifo(folder.directory / "pipe")
    outcome = folder.run("put", "missing", "pipe", "a")
    assert outcome.status == 1 and outcome.stdout.startswith("a: 1 bytes")
    first, second = outcome.stderr.splitlines()
    assert "missing" in first and "pipe" in second


@pytest.mark.skipif(ROOT_WRITES_EVERYWHERE, reason="root reads and writes everywhere")
def test_a_directory_that_cannot_be_read_is_told(photos):
    (photos.directory / "photos/2026").chmod(0)
    outcome = photos.run("put", "-r", "photos")
    (photos.directory / "photos/2026").chmod(0o755)
    assert outcome.status == 1 and "photos/2026" in one_line(outcome.stderr)
    assert photos.names() == ["photos/a"]


# -- pipes


def test_the_standard_input_is_put(folder):
    content = os.urandom(3_000_001)
    folder.succeed("put", "-", "--as", "from/a pipe", input=content)
    folder.succeed("get", "from/a pipe", "--as", "here")
    assert folder.trees() == {"here": content}


def test_an_empty_standard_input_is_an_empty_file(folder):
    folder.succeed("put", "-", "--as", "empty")
    assert folder.succeed("files").stdout.split()[:2] == ["0", "B"]


def test_the_standard_input_needs_a_name(folder):
    assert folder.run("put", "-").status == 2


def test_files_are_written_to_the_standard_output_one_after_another(folder):
    content = {name: os.urandom(size) for name, size in [("a", 700_000), ("b", 3), ("c", 1_200_000)]}
    for name, text in content.items():
        folder.write(name, text)
    folder.succeed("put", *content)
    run = subprocess.run(folder.command("get", "-", "c", "a", "b"), capture_output=True, start_new_session=True)
    assert (run.returncode, run.stdout) == (0, content["c"] + content["a"] + content["b"])
    told = [line.partition(":")[0] for line in run.stderr.decode().splitlines()]
    assert told == ["c", "a", "b"]


def test_what_fails_on_the_way_to_the_standard_output_is_on_stderr_and_in_the_status(folder):
    folder.write("a", b"content of a")
    folder.succeed("put", "a")
    outcome = folder.run("get", "-", "missing", "a", "--json")
    assert (outcome.status, outcome.stdout) == (1, "content of a")
    told = outcome.told()
    assert [one.get("error", one.get("result")) for one in told] == ["not found", "not found", "written"]


def test_a_pipe_that_nobody_reads_any_more_ends_it_quietly(folder):
    folder.write("a", bytes(8_000_000))
    folder.succeed("put", "a")
    script = subprocess.run(
        ["bash", "-c", 'set -o pipefail; "$@" | head -c 10 | wc -c', "-", *folder.command("get", "-", "a")],
        capture_output=True,
        start_new_session=True,
    )
    assert script.stdout.strip() == b"10" and b"Sanitizer" not in script.stderr


# -- files


def test_files_are_listed_in_columns(folder):
    for name, size in [("b", 12_345), ("a/c", 1_500_000), ("d", 5)]:
        folder.write(name, bytes(size))
    folder.succeed("put", "-r", ".")
    lines = folder.succeed("files").stdout.splitlines()
    assert [re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", line) for line in lines] == [
        "  1.5 MB  WHEN  a/c",
        " 12.3 kB  WHEN  b",
        "     5 B  WHEN  d",
    ]


def test_files_for_programs_have_everything_exactly(folder):
    content = os.urandom(12_345)
    folder.write("a", content)
    folder.succeed("put", "a", "--sha256")
    (file,) = folder.succeed("files", "--json").objects()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", file.pop("time"))
    assert file == {
        "name": "a",
        "size": 12_345,
        "cksum": crypto.cksum(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_sha256_is_waited_for_and_printed(folder):
    content = os.urandom(1_000_000)
    folder.write("a", content)
    digest = hashlib.sha256(content).hexdigest()
    assert f", sha256 {digest}, confirmed" in folder.succeed("put", "a", "--sha256").stdout
    (told,) = folder.succeed("put", "a", "--sha256", "--json").objects()
    assert (told["sha256"], told["unchanged"]) == (digest, True)


def test_without_files_nothing_is_listed(folder):
    assert folder.succeed("files").text == ""


@pytest.mark.parametrize(
    "patterns, listed",
    [
        (["photos"], ["photos/2026/b", "photos/2026/c", "photos/a"]),
        (["photos/2026/"], ["photos/2026/b", "photos/2026/c"]),
        (["*/a"], ["photos/a"]),
        (["photos/202?/[bx]"], ["photos/2026/b"]),
        (["photos2/d", "photos/a"], ["photos/a", "photos2/d"]),
        (["photos/a", "*/a"], ["photos/a"]),
        (["*"], ["photos/2026/b", "photos/2026/c", "photos/a", "photos2/d"]),
    ],
)
def test_patterns_choose_what_is_listed(photos, patterns, listed):
    photos.succeed("put", "-r", ".")
    assert [file["name"] for file in photos.succeed("files", "--json", *patterns).objects()] == listed


@pytest.mark.parametrize("command", [["files"], ["get"], ["get", "-r"], ["rm"], ["rm", "-r"]], ids=" ".join)
def test_what_means_nothing_is_a_failure_and_the_others_go_on(photos, command):
    photos.succeed("put", "-r", ".")
    outcome = photos.run(*command, "x*", "photos2/d", "--json")
    assert outcome.status == 1 and [one["error"] for one in outcome.told()] == ["not found"]
    assert [file["name"] for file in outcome.objects()] == ["photos2/d"]


# -- get


def test_without_the_option_a_file_is_saved_under_the_last_part_of_its_name(photos):
    photos.succeed("put", "-r", "photos")
    outcome = photos.succeed("get", "photos/2026/*", "--save-to", "here")
    assert sorted(os.listdir(photos.directory / "here")) == ["b", "c"]
    assert outcome.stdout.splitlines()[0].endswith("saved as here/b")


def test_with_it_directories_are_made(photos):
    photos.succeed("put", "-r", ".")
    before = photos.trees()
    photos.succeed("get", "-r", "photos", "--save-to", "here/there")
    made = {name: text for name, text in photos.trees().items() if name.startswith("here/")}
    assert made == {f"here/there/{name}": text for name, text in before.items() if name.startswith("photos/")}


def test_two_files_of_one_target_are_refused_before_anything_comes(photos):
    photos.write("photos2/a", b"another")
    photos.succeed("put", "-r", ".")
    outcome = photos.run("get", "*/a", "--save-to", "here")
    assert (outcome.status, outcome.stdout) == (2, "") and "--recursive" in one_line(outcome.stderr)
    assert list((photos.directory / "here").iterdir()) == []


def test_as_names_the_target_of_one(photos):
    photos.succeed("put", "-r", "photos")
    (photos.directory / "there").mkdir()
    photos.succeed("get", "photos/a", "--as", "there/it is")
    photos.succeed("get", "photos/?", "--as", photos.directory / "absolute")
    photos.succeed("get", "photos/a", "--save-to", "there", "--as", "too")
    assert [photos.read(name) for name in ("there/it is", "absolute", "there/too")] == [b"photos/a"] * 3
    for arguments in (["photos/2026/*", "--as", "x"], ["photos/a", "photos/2026/b", "--as", "x"]):
        assert photos.run("get", *arguments).status == 2
    for name in ("", ".", "..", "there/", "-"):
        assert photos.run("get", "photos/a", "--as", name).status == 2
    assert "missing" in one_line(photos.fail("get", "photos/a", "--as", "missing/x").stderr)


def test_a_link_in_the_way_leads_nowhere(photos, tmp_path):
    photos.succeed("put", "-r", "photos")
    (photos.directory / "here").mkdir()
    (photos.directory / "here/photos").symlink_to(tmp_path)
    outcome = photos.run("get", "-r", "photos", "--save-to", "here")
    assert outcome.status == 1 and outcome.stdout == ""
    assert not (tmp_path / "a").exists() and not (tmp_path / "2026").exists()


@pytest.mark.skipif(ROOT_WRITES_EVERYWHERE, reason="root reads and writes everywhere")
def test_a_directory_that_cannot_be_written_to_is_told(photos):
    photos.succeed("put", "-r", "photos")
    here = photos.directory / "here"
    here.mkdir(mode=0o500)
    assert "here" in one_line(photos.fail("get", "photos/a", "--save-to", "here").stderr)
    assert list(here.iterdir()) == []


def test_a_place_where_nothing_can_be_saved_is_told(photos):
    photos.succeed("put", "-r", "photos")
    assert "a" in one_line(photos.fail("get", "photos/a", "--save-to", "/proc").stderr)
    photos.write("file", b"a file")
    assert "file" in one_line(photos.fail("get", "photos/a", "--save-to", "file").stderr)


def test_a_file_that_is_called_like_the_partial_one_of_another_stays_what_it_is(folder):
    content = {"a": b"a" * 2_000_000, "a.part": b"my own part", "a.part.part": b"and its part"}
    for name, text in content.items():
        folder.write(name, text)
    folder.succeed("put", *content)
    for names in (list(content), list(reversed(content))):
        there = f"there-{names[0]}"
        outcomes = [folder.run("get", *names, "--save-to", there) for _ in range(3)]
        assert outcomes[-1].status == 0, outcomes  # what is in the way goes away; nothing is written over
        assert {name: folder.read(f"{there}/{name}") for name in os.listdir(folder.directory / there)} == content
    folder.write("own/a.part", b"not of kesher")
    assert "a.part" in one_line(folder.fail("get", "a", "--save-to", "own").stderr)
    assert folder.read("own/a.part") == b"not of kesher"


def test_a_file_in_the_place_of_a_directory_is_told(photos):
    photos.succeed("put", "-r", "photos")
    photos.write("here/photos/2026", b"a file")
    outcome = photos.run("get", "-r", "photos", "--save-to", "here")
    assert outcome.status == 1 and len(outcome.stderr.splitlines()) == 2, outcome
    assert photos.read("here/photos/a") == b"photos/a" and photos.read("here/photos/2026") == b"a file"


def test_a_get_for_programs_has_everything(photos):
    photos.succeed("put", "-r", "photos")
    outcome = photos.run("get", "photos/a", "missing", "--save-to", "here", "--json")
    assert outcome.objects() == [
        {
            "name": "photos/a",
            "path": "here/a",
            "size": 8,
            "cksum": crypto.cksum(b"photos/a"),
            "resumed_at": 0,
            "replaced": False,
            "unchanged": False,
            "result": "saved",
        },
        {
            "name": "missing",
            "path": None,
            "size": None,
            "cksum": None,
            "resumed_at": 0,
            "replaced": False,
            "unchanged": False,
            "result": "not found",
        },
    ]


# -- rm


def test_files_are_removed(photos):
    photos.succeed("put", "-r", ".")
    assert photos.succeed("rm", "photos/a", "photos2/*").stdout == "photos/a: removed\nphotos2/d: removed\n"
    assert photos.names() == ["photos/2026/b", "photos/2026/c"]
    assert photos.succeed("rm", "-r", "photos", "--quiet").text == ""
    assert photos.names() == []


def test_without_the_option_nothing_below_is_removed(photos):
    photos.succeed("put", "-r", ".")
    outcome = photos.run("rm", "photos", "missing", "photos2/d", "--json")
    assert outcome.status == 1
    assert [(file["name"], file["result"]) for file in outcome.objects()] == [
        ("photos", "not found"),
        ("missing", "not found"),
        ("photos2/d", "removed"),
    ]
    assert photos.names() == ["photos/2026/b", "photos/2026/c", "photos/a"]


def test_a_pattern_that_is_the_name_of_a_file_means_that_one_alone(folder):
    for name in ("a[1]", "a1", "a*", "ab"):
        folder.write(name, name.encode())
    folder.succeed("put", "-r", ".")
    folder.succeed("rm", "a[1]")
    assert folder.names() == ["a*", "a1", "ab"]
    folder.succeed("rm", "a*")
    assert folder.names() == ["a1", "ab"]
    folder.succeed("rm", "a*")
    assert folder.names() == []


def test_a_file_that_two_operands_mean_is_taken_once(photos):
    photos.succeed("put", "-r", ".")
    assert photos.succeed("rm", "photos/a", "photos/?", "photos/a").stdout == "photos/a: removed\n"


# -- where it is said


ODD = ['quote"', "colon: x", "שלום", "🙂", "tab-less", "ends in blank "]


def test_output_for_programs_is_one_object_in_each_line_whatever_the_names_are(folder):
    for name in ODD:
        folder.write(name, b"x")
    folder.write(b"\xff", b"x")
    for arguments in (["put", "-r", "."], ["files"], ["get", "-r", "*", "--save-to", "here"], ["rm", "*"]):
        told = [json.loads(line) for line in folder.succeed(*arguments, "--json").stdout.splitlines()]
        assert {one["name"] for one in told} == {*ODD, "\ufffd"}


def test_quiet_prints_nothing_at_all(folder):
    folder.write("a", b"x")
    for arguments in (["put", "a"], ["get", "a", "--as", "b"], ["rm", "a"]):
        assert folder.succeed(*arguments, "--quiet").text == ""


def test_no_control_sequences_go_to_a_pipe(folder):
    folder.write("a", bytes(3_000_000))
    for arguments in (["put", "a"], ["files"], ["get", "a", "--as", "b"]):
        assert not re.search("[\r\x1b\b]", folder.succeed(*arguments).text)


@pytest.mark.parametrize("command", [["files"], ["get", "a"], ["rm", "a"]], ids=" ".join)
def test_a_classic_server_gives_no_files_back_and_that_is_said(server, make_kesher, user, home, command):
    write_identity(home, user)
    assert "classic" in one_line(make_kesher(server).fail(*command).stderr)


@pytest.mark.parametrize("option", ["-r", "--replace", "--sha256"])
def test_what_only_secure_servers_can_is_wrong_usage_at_a_classic_one(server, make_kesher, user, home, source, option):
    write_identity(home, user)
    outcome = make_kesher(server).run("put", option, source("a", b"x"))
    assert (outcome.status, outcome.stdout) == (2, "") and "secure" in one_line(outcome.stderr)
    assert server.file_rows(user.id) == []


@pytest.mark.parametrize(
    "arguments", [["get"], ["rm"], ["get", "-"], ["get", "-", "a", "--save-to", "x"]], ids=" ".join
)
def test_what_makes_no_sense_is_wrong_usage(folder, arguments):
    outcome = folder.run(*arguments)
    assert (outcome.status, outcome.stdout) == (2, "")
    one_line(outcome.stderr)


def test_nothing_is_sent_to_a_classic_server_that_is_given(secure, folder):
    folder.write("a", b"content")
    host, port = secure.address
    for command in (["put", "a"], ["files"], ["get", "a"], ["rm", "a"]):
        one_line(folder.fail(*command, "--server", f"{host}:{port}").stderr)
    assert folder.names() == [] and secure.staged_paths() == []


def test_a_home_without_an_account_is_told_to_register(secure, tmp_path):
    host, port = secure.secure_address
    link = f"kesher://{host}:{port}/"
    for command in (["files"], ["put", "/etc/hostname"], ["get", "a"], ["rm", "a"]):
        outcome = Kesher(tmp_path / "nobody").fail(*command, "--server", link, start_new_session=True)
        assert "register" in one_line(outcome.stderr)


def test_a_home_under_a_passphrase(secure, make_folder, tmp_path):
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse\n")
    folder = make_folder(secure.secure_address, "home", "--passphrase", "--passphrase-file", str(passphrase))
    folder.write("a", b"content")
    assert "passphrase" in one_line(folder.fail("put", "a").stderr)
    folder.succeed("put", "a", "--passphrase-file", passphrase)
    (folder.directory / "a").unlink()
    folder.succeed("get", "a", "--passphrase-file", passphrase)
    assert folder.read("a") == b"content"


def test_two_programs_may_put_the_same_at_once(folder):
    folder.write("a", os.urandom(20_000_000))
    runs = [folder.start("put", "a") for _ in range(2)]
    outcomes = [outcome_of(run) for run in runs]
    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    (file,) = folder.succeed("files", "--json").objects()
    assert file["cksum"] == crypto.cksum(folder.read("a"))


def test_a_named_pipe_can_be_the_standard_input(folder, tmp_path):
    pipe, content = tmp_path / "pipe", os.urandom(200_000)
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,), daemon=True)
    writer.start()
    with open(pipe, "rb") as standard_input:
        folder.succeed("put", "-", "--as", "piped", input=None, stdin=standard_input)
    writer.join()
    folder.succeed("get", "piped")
    assert folder.read("piped") == content
