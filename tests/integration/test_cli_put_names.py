"""The names under which a server keeps what `kesher put` sends: no two files of one, none that it must refuse, and
what is said when one takes the place of another."""

import os
import stat

import pytest
from peer.kesher import write_identity, write_transfer_info


@pytest.fixture
def pair(make_pair):
    """A fake server, and a client whose home holds an identity that it knows."""
    return make_pair()


@pytest.fixture
def folder(tmp_path):
    """Makes files of these paths, each with its own path in it, and returns their folder."""

    def make(*paths: str):
        for path in paths:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(os.fsencode(path))
        return tmp_path

    return make


# -- two files of one name

SAME = [("d1/report.txt", "d2/report.txt"), ("d1/x\\report.txt", "report.txt"), ("d1/a\\b", "d1/c\\b")]


@pytest.mark.parametrize("option", [[], ["--pipeline"]], ids=repr)
@pytest.mark.parametrize("paths", SAME, ids=repr)
def test_two_files_that_would_be_one_are_refused_before_anything_is_sent(pair, folder, paths, option):
    fake, kesher = pair
    result = kesher.run("put", *option, "other", *paths, cwd=folder("other", *paths))
    assert (result.status, result.stdout, fake.requests) == (2, "", [])
    (line,) = result.stderr.splitlines()
    assert all(path.replace("\\", "\\x5c") in line for path in paths) and "--as" in line


def test_the_first_pair_of_several_is_named(pair, folder):
    fake, kesher = pair
    paths = ["d1/b", "d1/a", "d2/a", "d2/b"]
    result = kesher.run("put", *paths, cwd=folder(*paths))
    assert result.status == 2 and "'d1/a' and 'd2/a'" in result.stderr and "d1/b" not in result.stderr


def test_a_file_that_is_named_twice_is_refused(pair, folder):
    fake, kesher = pair
    result = kesher.run("put", "x", "x", cwd=folder("x"))
    assert (result.status, result.stdout, fake.requests) == (2, "", [])
    assert "'x'" in result.stderr and "twice" in result.stderr


def test_names_that_differ_only_in_case_are_two(pair, folder):
    fake, kesher = pair
    kesher.succeed("put", "d1/Report", "d2/report", cwd=folder("d1/Report", "d2/report"))
    assert fake.files == {"Report": b"d1/Report", "report": b"d2/report"}


# -- the name that is kept

KEPT = [("../../x", "x"), ("a\\b", "b"), ("a/b\\c", "c"), ("plain", "plain")]


@pytest.mark.parametrize("name, kept", KEPT)
def test_the_name_that_is_kept_is_printed(server, make_kesher, home, user, folder, name, kept):
    write_identity(home, user)
    kesher, cwd = make_kesher(server), folder("source")
    line = kesher.succeed("put", "source", "--as", name, cwd=cwd).stdout
    (told,) = kesher.succeed("put", "--json", "source", "--as", name, cwd=cwd).objects()
    assert line.startswith(f"{kept}: ") and told["name"] == kept
    (stored,) = server.directory_of(user.id).iterdir()
    assert (stored.name, stored.read_bytes()) == (kept, b"source")


def test_the_name_is_sent_as_it_was_given(pair, folder):
    fake, kesher = pair
    kesher.succeed("put", "x", "--as", "../../x", cwd=folder("x"))
    assert list(fake.files) == ["../../x"]


# -- names that no server keeps


@pytest.mark.parametrize("name", [".", "..", "a/", "a\\", "a/..", "a\\.", "new\nline", "\x7f"], ids=repr)
def test_a_name_that_a_server_must_refuse_is_refused_here(pair, folder, name):
    fake, kesher = pair
    result = kesher.run("put", "x", "--as", name, cwd=folder("x"))
    assert (result.status, result.stdout, fake.requests) == (2, "", [])
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", ["back\\", "back\\..", "new\nline"], ids=repr)
def test_a_file_of_such_a_name_wants_another_one_before_anything_is_sent(pair, folder, name):
    fake, kesher = pair
    result = kesher.run("put", "x", name, cwd=folder("x", name))
    assert (result.status, result.stdout, fake.requests) == (2, "", [])
    (line,) = result.stderr.splitlines()
    assert "--as" in line


@pytest.mark.parametrize("path", ["d1/", ".", "..", "d1/.", "missing/"])
def test_what_is_no_file_is_told_as_that(pair, folder, path):
    fake, kesher = pair
    result = kesher.run("put", path, "x", cwd=folder("d1/y", "x"))
    assert result.status == 1 and f"cannot send '{path}'" in result.stderr
    assert list(fake.files) == ["x"]


# -- replaced


@pytest.mark.parametrize("option", [[], ["--pipeline"]], ids=repr)
def test_what_this_home_has_put_before_is_replaced(pair, folder, option):
    fake, kesher = pair
    cwd = folder("one", "two")
    first = kesher.succeed("put", *option, "one", cwd=cwd).stdout
    (one, two) = kesher.succeed("put", *option, "one", "two", cwd=cwd).stdout.splitlines()
    assert "replaced" not in first and "confirmed" in first
    assert one.endswith("confirmed, replaced") and two.endswith("confirmed")


def test_json_says_replaced_or_nothing_of_it(pair, folder):
    fake, kesher = pair
    cwd = folder("x")
    told = [kesher.succeed("put", "--json", "x", cwd=cwd).objects()[0] for _ in range(2)]
    assert "replaced" not in told[0] and told[1]["replaced"] is True


def test_the_kept_name_is_what_is_replaced(pair, folder):
    fake, kesher = pair
    cwd = folder("x", "y")
    kesher.succeed("put", "x", cwd=cwd)
    assert "replaced" in kesher.succeed("put", "y", "--as", "elsewhere/x", cwd=cwd).stdout


def test_nothing_is_said_of_what_another_program_has_put(server, make_kesher, home, user, folder):
    with server.connect() as client:
        client.reconnect(user)
        client.put(user, "x", b"by another program")
    write_identity(home, user)
    line = make_kesher(server).succeed("put", "x", cwd=folder("x")).stdout
    assert "confirmed" in line and "replaced" not in line
    assert server.stored(user.id, "x") == b"x"


def test_a_file_that_was_not_confirmed_was_not_put(pair, folder):
    fake, kesher = pair
    fake.script.wrong_sums = 4
    cwd = folder("x")
    kesher.fail("put", "x", cwd=cwd)
    assert "replaced" not in kesher.succeed("put", "x", cwd=cwd).stdout


def test_at_a_server_that_was_wiped_nothing_is_replaced(make_fake, make_kesher, home, folder):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", folder("x") / "x")
    make_kesher().succeed("transfer")
    assert "replaced" in make_kesher().succeed("transfer").stdout
    fake.accounts.clear()
    assert "replaced" not in make_kesher().succeed("transfer").stdout


def test_what_the_home_notes_is_for_its_owner_only_and_holds_no_names(pair, folder, home):
    fake, kesher = pair
    kesher.succeed("put", "secret-plan.txt", cwd=folder("secret-plan.txt"), umask=0)
    (note,) = (home / "put").iterdir()
    assert "secret" not in note.name and note.read_bytes() == b""
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (home / "put", note))


def test_a_home_that_cannot_note_anything_puts_all_the_same(pair, folder, home):
    fake, kesher = pair
    (home / "put").write_bytes(b"in the way")
    cwd = folder("x")
    for _ in range(2):
        result = kesher.succeed("put", "x", cwd=cwd)
        assert "replaced" not in result.stdout and result.stderr == ""
