"""Errors and notices with `--json`: an object in a line of standard error; exit statuses are as without it."""

import re
import socket
from pathlib import Path

import pytest
from peer.kesher import write_identity, write_transfer_info


@pytest.fixture
def dead_address():
    """Nobody answers there."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()


def the_error(result) -> dict:
    (told,) = result.told()
    assert list(told) == ["error", "message"]
    assert told["message"] and not told["message"].startswith(("kesher:", "Fatal:"))
    return told


WRONG = [
    ["--bogus"],
    ["put", "--bogus"],
    ["nonsense"],
    [],
    ["put"],
    ["users", "nobody"],
    ["menu"],
    ["send", "bob", "text", "--file", "x"],
    ["send", "bob", ""],
    ["put", "x", "y", "--as", "z"],
    ["put", "-"],
    ["put", "d1/x", "d2/x"],
    ["key", "--forget"],
    ["key", "bob", "--forget", "--accept-key"],
    ["chat", "join"],
]


@pytest.mark.parametrize("arguments", WRONG, ids=repr)
@pytest.mark.parametrize("place", ["first", "last"])
def test_wrong_usage_is_an_object(make_kesher, arguments, place):
    arguments = ["--json", *arguments] if place == "first" else [*arguments, "--json"]
    result = make_kesher().run(*arguments)
    assert (result.status, result.stdout) == (2, "")
    assert the_error(result)["error"] == "usage"


FAILING = [
    (["put", "/etc/hostname"], "connection failed"),
    (["users"], "connection failed"),
    (["inbox"], "connection failed"),
    (["send", "bob", "text"], "connection failed"),
    (["request-key", "bob"], "connection failed"),
    (["ask", "time"], "connection failed"),
    (["chat", "join", "1"], "connection failed"),
]


@pytest.mark.parametrize("arguments, word", FAILING, ids=lambda value: value[0] if isinstance(value, list) else None)
def test_a_failure_is_an_object_with_its_word(
    make_kesher, home, user_of_nowhere, dead_address, monkeypatch, arguments, word
):
    write_identity(home, user_of_nowhere)
    monkeypatch.setenv("KESHER_CHAT_PASSWORD", "secret")
    kesher = make_kesher()
    kesher.address = dead_address
    result = kesher.run("--json", *arguments)
    assert result.status == 1
    assert the_error(result)["error"] == word


def test_input_that_cannot_be_spooled_is_a_file_error_on_both(make_kesher, user_of_nowhere, home, monkeypatch):
    write_identity(home, user_of_nowhere)
    monkeypatch.setenv("TMPDIR", str(home / "nowhere"))
    result = make_kesher().run("put", "-", "--as", "x", "--json", input=b"content")
    assert result.status == 1
    (told,) = result.objects()
    assert the_error(result)["error"] == told["result"] == "file error"


@pytest.fixture
def user_of_nowhere(new_user):
    user = new_user()
    user.id = bytes(range(16))
    return user


def test_a_home_without_an_identity_is_not_found(make_kesher):
    result = make_kesher().fail("users", "--json")
    assert the_error(result)["error"] == "not found"


def test_a_taken_name_is_refused(server, make_kesher, tmp_path, fresh_name):
    name = fresh_name()
    make_kesher(server, tmp_path / "one").succeed("register", name)
    result = make_kesher(server, tmp_path / "two").fail("register", name, "--json")
    errors = [told for told in result.told() if "error" in told]
    assert [told["error"] for told in errors] == ["refused"]


def test_a_registration_tells_who_where_and_which_key(server, make_kesher, home, fresh_name):
    name = fresh_name()
    (told,) = make_kesher(server).succeed("register", name, "--json").objects()
    assert list(told) == ["name", "server", "home", "fingerprint"]
    assert (told["name"], told["home"]) == (name, str(home))
    assert told["server"] == f"{server.address[0]}:{server.address[1]}"
    (own,) = make_kesher().succeed("key", "--json").objects()
    assert told["fingerprint"] == own["fingerprint"]


def test_a_registration_tells_the_server_as_the_home_remembers_it(server, make_kesher, home, fresh_name):
    host, port = server.address
    run = make_kesher().succeed("register", fresh_name(), "--json", "--server", f" {host}:{port} ")
    assert run.objects()[0]["server"] == f"{host}:{port}" == (home / "server.info").read_text().strip()


def test_a_notice_is_an_object_too(make_fake, make_kesher, home):
    fake = make_fake(errors={1028: 1})
    write_transfer_info(home, fake.address, "Anna", "/etc/hostname")
    result = make_kesher().succeed("transfer", "--json")
    assert result.told() == [{"notice": "server responded with an error"}]


def test_a_warning_is_a_notice(make_fake, make_kesher, home):
    fake = make_fake()
    write_transfer_info(home, fake.address, "Anna", "/etc/hostname")
    home.chmod(0o777)
    (told,) = make_kesher().succeed("transfer", "--json").told()
    assert list(told) == ["notice"] and told["notice"].startswith("warning: ")


def test_without_json_an_error_is_a_line_as_ever(make_kesher):
    assert make_kesher().fail("users").stderr.startswith("kesher: ")


def test_an_operand_that_looks_like_the_option_is_none(make_kesher):
    result = make_kesher().run("put", "--", "--json", "x", "x")
    assert result.status == 2 and result.stderr.startswith("kesher: ")


def test_the_client_manual_has_every_word_of_an_error():
    repository = Path(__file__).resolve().parents[2]
    source = (repository / "src/client/failure.c").read_text(encoding="utf-8")
    words = set(re.findall(r'return "(.*)";', source)) - {"done", "unknown status"}
    manual = (repository / "docs/client.md").read_text(encoding="utf-8")
    table = re.search(r"^\| `error` \| \|\n(.*?)\n\n", manual, re.MULTILINE | re.DOTALL)[1]
    rows = [line.split("|")[1] for line in table.splitlines()[1:]]
    told = {word for row in rows for word in re.findall("`(.*?)`", row)}
    assert told == words | {"usage", "failed"}


def test_an_address_without_a_server_is_told_with_its_reason_and_then_what_to_do(make_kesher, dead_address):
    kesher = make_kesher()
    kesher.address = dead_address
    host, port = dead_address
    sentence = "check the address, and that a server runs there"
    assert kesher.fail("register", "Anna").stderr == (
        f"kesher: cannot connect to {host}:{port}: Connection refused; {sentence}\n"
    )
