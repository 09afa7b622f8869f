"""`kesher register`, the identity files that it writes, usage errors and exit statuses."""

import os
import stat
from base64 import b64encode

import pytest
from peer import crypto
from peer.frames import DROP_VERSION, MESSAGES_VERSION, PUBLIC_KEY_SIZE, Request
from peer.kesher import base64_of, read_identity, write_identity, write_secret
from peer.ports import free_port
from peer.server import FakeServer

REGISTRATIONS = {Request.REGISTER: DROP_VERSION, Request.REGISTER_FOR_MESSAGES: MESSAGES_VERSION}
ERROR_LINE = "server responded with an error"


def registrations(fake: FakeServer) -> list:
    """The registrations that a fake server saw, through either service."""
    return [seen for seen in fake.requests if seen.code in REGISTRATIONS]


def failing(times: int) -> dict[int, int]:
    """A script's errors for both kinds of registration."""
    return dict.fromkeys(REGISTRATIONS, times)


# -- against the real server


def test_register_makes_an_identity_that_the_server_knows(server, make_kesher, home, fresh_name):
    name = fresh_name()
    make_kesher(server).succeed("register", name)
    user = read_identity(home)
    assert user.name == name
    assert server.rows("SELECT Name FROM clients WHERE ID = ?", user.id) == [(name,)]


def test_register_makes_a_key_that_fits_the_protocol(server, make_kesher, home, fresh_name):
    make_kesher(server).succeed("register", fresh_name())
    user = read_identity(home)
    assert (user.private_key.size_in_bits(), user.private_key.e) == (crypto.RSA_BITS, crypto.RSA_EXPONENT)
    assert len(user.public_key) == PUBLIC_KEY_SIZE
    with server.connect() as client:
        client.send_public_key(user)


def test_register_creates_its_home_for_its_owner_only(server, make_kesher, home, fresh_name):
    make_kesher(server).succeed("register", fresh_name())
    assert stat.S_IMODE(home.stat().st_mode) & 0o077 == 0


def test_identity_files_are_for_their_owner_only_even_under_an_open_umask(
    server, make_kesher, home, fresh_name
):
    make_kesher(server).succeed("register", fresh_name(), umask=0)
    read_identity(home)
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in home.iterdir())


def test_register_leaves_no_temporary_files(server, make_kesher, home, fresh_name):
    make_kesher(server).succeed("register", fresh_name())
    assert set(os.listdir(home)) <= {"me.info", "priv.key", "server.info"}


def test_two_homes_get_two_identities(server, make_kesher, tmp_path, fresh_name):
    homes = [tmp_path / "one", tmp_path / "two"]
    for home in homes:
        make_kesher(server, home).succeed("register", fresh_name())
    first, second = map(read_identity, homes)
    assert first.id != second.id
    assert first.private_key != second.private_key


def test_a_taken_name_is_one_plain_line(server, make_kesher, tmp_path, fresh_name):
    name = fresh_name()
    make_kesher(server).succeed("register", name)
    other = tmp_path / "other"
    (line,) = make_kesher(server, other).fail("register", name).stderr.splitlines()
    assert name in line and "taken" in line and "choose another" in line
    assert ERROR_LINE not in line and "Fatal:" not in line and "2101" not in line
    assert not (other / "me.info").exists()


def test_a_second_register_in_one_home_fails_and_changes_nothing(server, make_kesher, home, fresh_name):
    kesher = make_kesher(server)
    kesher.succeed("register", fresh_name())
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    kesher.fail("register", fresh_name())
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


# -- against the fake server


def test_registration_requests_have_their_services_version_and_zeros_after_the_name(make_fake, make_kesher):
    fake = make_fake()
    make_kesher(fake).succeed("register", "Anna")
    (seen,) = registrations(fake)
    assert seen.version == REGISTRATIONS[seen.code]
    assert seen.name_field == b"Anna".ljust(255, b"\0")
    assert all(other.version == DROP_VERSION for other in fake.requests if other is not seen)


def test_the_public_key_that_was_sent_is_that_of_the_files(make_fake, make_kesher, home):
    fake = make_fake()
    make_kesher(fake).succeed("register", "Anna")
    user = read_identity(home)
    sent = fake.accounts[user.id].public_key
    assert sent in (None, user.public_key)


def test_a_name_of_254_bytes_is_sent_whole(make_fake, make_kesher):
    fake = make_fake()
    make_kesher(fake).succeed("register", "n" * 254)
    assert registrations(fake)[0].name == "n" * 254


@pytest.mark.parametrize("name", ["", "   ", " n", "n ", "n" * 255, "new\nline", "שרה"], ids=repr)
def test_a_forbidden_name_fails_and_nothing_is_sent(make_fake, make_kesher, home, name):
    fake = make_fake()
    result = make_kesher(fake).run("register", name)
    assert result.status in (1, 2) and result.stdout == "" and result.stderr.strip()
    assert fake.requests == []
    assert not (home / "me.info").exists()


def test_a_no_is_asked_once(make_fake, make_kesher, home):
    fake = make_fake(errors=failing(4))
    assert len(make_kesher(fake).fail("register", "Anna").stderr.splitlines()) == 1
    assert len(registrations(fake)) == 1
    assert not (home / "me.info").exists()


def test_a_server_that_knows_neither_registration_is_asked_for_each_once(make_fake, make_kesher, home):
    fake = make_fake(errors=failing(4), error_code=9000)
    assert len(make_kesher(fake).fail("register", "Anna").stderr.splitlines()) == 1
    assert fake.codes == [Request.REGISTER, Request.REGISTER_FOR_MESSAGES]


@pytest.mark.parametrize("code", [2104, 1, 65535])
def test_an_unexpected_code_comes_from_no_kesher_server(make_fake, make_kesher, code):
    fake = make_fake(errors=failing(4), error_code=code)
    (line,) = make_kesher(fake).fail("register", "Anna").stderr.splitlines()
    assert "no kesher server" in line and "code" not in line
    assert len(registrations(fake)) == 1


def test_the_key_is_on_disk_before_the_registration_is_sent(make_fake, make_kesher, home):
    fake = make_fake(close_before_answer=Request.REGISTER)
    fake.script.errors = failing(4)
    make_kesher(fake).fail("register", "Anna")
    assert (home / "priv.key").exists()
    assert not (home / "me.info").exists()


def test_a_registration_after_a_failed_one_uses_the_key_of_the_first_try(make_fake, make_kesher, home):
    fake = make_fake(errors=failing(1))
    make_kesher(fake).fail("register", "Anna")
    kept = (home / "priv.key").read_bytes()
    make_kesher(fake).succeed("register", "Anna")
    assert (home / "priv.key").read_bytes() == kept
    read_identity(home)


def wrapped(text: str, end: str) -> str:
    return end.join(text[start : start + 64] for start in range(0, len(text), 64)) + end


KEY_FORMS = {
    "one line": lambda key: base64_of(key) + "\n",
    "one line without its end": base64_of,
    "wrapped": lambda key: wrapped(base64_of(key), "\n"),
    "wrapped with CRLF": lambda key: wrapped(base64_of(key), "\r\n"),
    "blank lines around": lambda key: "\n\r\n" + base64_of(key) + "\n\n",
    "raw DER": crypto.private_key_der,
}


@pytest.mark.parametrize("form", KEY_FORMS)
def test_a_key_that_is_there_already_is_used_whatever_its_form(
    server, make_kesher, home, private_keys, fresh_name, form
):
    write_secret(home / "priv.key", KEY_FORMS[form](private_keys[1]))
    make_kesher(server).succeed("register", fresh_name())
    (_, _, line) = (home / "me.info").read_text().splitlines()
    assert line == base64_of(private_keys[1])


def test_a_damaged_key_fails_and_is_not_overwritten(make_fake, make_kesher, home):
    fake = make_fake()
    damaged = b64encode(b"this is no private key")
    write_secret(home / "priv.key", damaged)
    assert "priv.key" in make_kesher(fake).fail("register", "Anna").stderr
    assert (home / "priv.key").read_bytes() == damaged
    assert registrations(fake) == []


@pytest.mark.parametrize("file_name", ["me.info", "my.info"])
def test_register_with_an_identity_on_disk_sends_nothing(make_fake, make_kesher, home, new_user, file_name):
    fake, user = make_fake(), new_user()
    user.id = bytes(range(16))
    write_identity(home, user, file_name)
    make_kesher(fake).fail("register", "Anna")
    assert fake.requests == []


def test_a_server_that_reads_only_once_can_be_registered_with(make_fake, make_kesher, home):
    fake = make_fake(read_once=True)
    make_kesher(fake).succeed("register", "Anna")
    assert read_identity(home).id in fake.accounts


def test_answers_that_arrive_one_byte_at_a_time_are_understood(make_fake, make_kesher, home):
    fake = make_fake(one_byte_at_a_time=True)
    make_kesher(fake).succeed("register", "Anna")
    assert read_identity(home).id in fake.accounts


@pytest.mark.parametrize("version", [0, 1, 2, 4, 255])
def test_answers_of_any_version_are_accepted(make_fake, make_kesher, home, version):
    fake = make_fake(version=version)
    make_kesher(fake).succeed("register", "Anna")
    assert read_identity(home).id in fake.accounts


@pytest.mark.parametrize("where", ["close_before_answer", "cut_answer"])
def test_a_server_that_ends_the_connection_is_one_clear_failure(make_fake, make_kesher, home, where):
    """Whichever registration is used, the other script does no harm."""
    for code in REGISTRATIONS:
        fake = make_fake(**{where: code})
        result = make_kesher(fake).run("register", "Anna")
        if registrations(fake)[0].code == code:
            assert result.status == 1 and result.stdout == "" and result.stderr.strip()
            assert not (home / "me.info").exists()
            return
    raise AssertionError("no registration was sent")


# -- where the server is


def test_the_address_may_stand_in_server_info(make_fake, make_kesher, home):
    fake = make_fake()
    home.mkdir()
    (home / "server.info").write_text(f"127.0.0.1:{fake.address[1]}\r\n")
    make_kesher().succeed("register", "Anna")
    assert len(registrations(fake)) == 1


def test_the_option_goes_before_server_info(make_fake, make_kesher, home):
    wanted, other = make_fake(), make_fake()
    home.mkdir()
    (home / "server.info").write_text(f"127.0.0.1:{other.address[1]}\n")
    make_kesher(wanted).succeed("register", "Anna")
    assert (len(registrations(wanted)), other.requests) == (1, [])


def test_a_server_that_is_not_there_is_one_clear_line_with_its_address(make_kesher):
    free = f"127.0.0.1:{free_port()}"
    result = make_kesher().fail("--server", free, "register", "Anna")
    assert len(result.stderr.splitlines()) == 1 and free in result.stderr


@pytest.mark.parametrize(
    "address",
    ["nonsense", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:12x", ":1357x"],
)
def test_an_address_that_is_none_is_one_clear_line(make_kesher, home, address):
    result = make_kesher().run("--server", address, "register", "Anna")
    assert result.status in (1, 2)
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1


# -- usage


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["register"],
        ["register", "two", "names"],
        ["register", "--no-such-option", "Anna"],
        ["--no-such-option"],
        ["put"],
        ["--server"],
        ["transfer", "what?"],
    ],
    ids=repr,
)
def test_wrong_usage_has_exit_status_2_and_prints_on_standard_error_only(make_kesher, home, arguments):
    result = make_kesher().run(*arguments)
    assert result.status == 2
    assert result.stdout == "" and result.stderr.strip()
    assert not home.exists()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["register", "--help"], ["put", "--help"], ["transfer", "--help"]], ids=repr
)
def test_help_has_exit_status_0_and_prints_on_standard_output(make_kesher, arguments):
    result = make_kesher().succeed(*arguments)
    assert "kesher" in result.stdout and result.stderr == ""
