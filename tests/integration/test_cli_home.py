"""The home: whose server may be told its id, what a server that has lost its data is answered with, who may
read its files, and what makes its directory."""

import socket
import stat
import subprocess

import pytest
from peer.console import screen_of
from peer.drop import User
from peer.frames import Request
from peer.kesher import (
    identity_backups,
    read_identity,
    write_identity,
    write_server_info,
    write_transfer_info,
)
from peer.message_fixtures import assert_one_line
from peer.ports import free_address

# What each command that tells the server an id is called with; put needs a file.
IDENTIFIED = {
    "put": ["put", "/etc/hostname"],
    "put from the standard input": ["put", "-", "--as", "x"],
    "users": ["users"],
    "key": ["key", "bob"],
    "request-key": ["request-key", "bob"],
    "share-key": ["share-key", "bob"],
    "send": ["send", "bob", "hello"],
    "inbox": ["inbox"],
    "inbox --follow": ["inbox", "--follow"],
    "register --again": ["register", "Anna", "--again"],
}

NOWHERE = ("127.0.0.1", 1)


class Witness:
    """Listens, and knows whether anybody has come."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)
        self.address = self.listener.getsockname()

    def saw_nobody(self) -> bool:
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return True
        return False


@pytest.fixture
def witness():
    made = Witness()
    yield made
    made.listener.close()


def shown(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


def files_of(home) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}


@pytest.fixture
def anna(private_keys) -> User:
    """A user whose id no server has issued."""
    return User("Anna", private_keys[0], bytes(range(16)))


# -- the id goes to the home's own server only


@pytest.mark.parametrize("command", IDENTIFIED)
@pytest.mark.parametrize("file", ["server.info", "transfer.info"])
def test_another_server_than_the_homes_is_not_connected_to(
    make_kesher, home, anna, witness, command, file
):
    write_identity(home, anna)
    if file == "server.info":
        write_server_info(home, NOWHERE)
    else:
        write_transfer_info(home, NOWHERE, "Anna", "/etc/hostname")
    before = files_of(home)
    result = make_kesher(witness).fail(*IDENTIFIED[command])
    line = assert_one_line(result.stderr)
    assert shown(NOWHERE) in line and shown(witness.address) in line and "--moved" in line
    assert "Fatal" not in line
    assert witness.saw_nobody()
    assert files_of(home) == before


def test_the_console_does_not_connect_to_another_server_than_the_homes(make_kesher, home, anna, witness):
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    assert "--moved" in screen_of(make_kesher(witness), "120", "140")
    assert witness.saw_nobody()


def test_transfer_does_not_connect_where_transfer_info_says_another_server_than_server_info(
    make_kesher, home, anna, witness
):
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    write_transfer_info(home, witness.address, "Anna", "/etc/hostname")
    assert "--moved" in make_kesher().fail("transfer").stderr
    assert witness.saw_nobody()


def test_json_tells_of_the_refusal_too(make_kesher, home, anna, witness):
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    result = make_kesher(witness).run("put", "--json", "/etc/hostname")
    assert result.status == 1 and "--moved" in result.stderr
    assert result.objects()[0]["result"] == "invalid"
    assert witness.saw_nobody()


@pytest.mark.parametrize("written", ["LocalHost:{port}", "localhost.:{port}", " localhost : {port}\r"])
def test_the_same_server_may_be_written_in_another_way(alice, messages, written):
    port = messages.address[1]
    (alice.home / "server.info").write_text(written.format(port=port) + "\n")
    alice.address = ("localhost", port)
    alice.succeed("users")


def test_a_senseless_server_info_tells_nobody_the_id(make_kesher, home, anna, witness):
    write_identity(home, anna)
    (home / "server.info").write_text("nonsense:\n")
    assert "server.info" in assert_one_line(make_kesher(witness).fail("users").stderr)
    assert witness.saw_nobody()


# -- a server that has moved


@pytest.mark.parametrize("command", [["users"], ["inbox"], ["put", "/etc/hostname"]], ids=lambda words: words[0])
def test_moved_writes_the_address_once_the_server_there_knows_the_home(alice, messages, command):
    write_server_info(alice.home, NOWHERE)
    alice.succeed(*command, "--moved")
    assert (alice.home / "server.info").read_text() == shown(messages.address) + "\n"
    alice.address = None
    alice.succeed(*command)


def test_transfer_follows_an_edited_transfer_info_with_moved(make_fake, make_kesher, home, new_user):
    fake, user = make_fake(), new_user()
    user.id = fake.add_account(user.name, user.public_key).id
    write_identity(home, user)
    write_server_info(home, NOWHERE)
    write_transfer_info(home, fake.address, user.name, "/etc/hostname")
    make_kesher().succeed("transfer", "--moved")
    make_kesher().succeed("transfer")
    assert fake.codes == [Request.RECONNECT, Request.SEND_FILE, Request.CRC_OK] * 2


@pytest.mark.parametrize("command", [name for name in IDENTIFIED if name != "register --again"])
def test_moved_changes_nothing_where_the_server_does_not_know_the_home(
    messages, make_kesher, home, anna, command
):
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    identity = (home / "me.info").read_bytes()
    line = make_kesher(messages).fail(*IDENTIFIED[command], "--moved").stderr.splitlines()[-1]
    assert f"{shown(messages.address)} does not know this home" in line
    assert "kesher register Anna --again --moved --server" in line
    assert (home / "server.info").read_text() == shown(NOWHERE) + "\n"
    assert (home / "me.info").read_bytes() == identity and identity_backups(home) == []
    assert Request.REGISTER not in messages.codes


def test_moved_writes_nothing_where_nobody_answers(make_kesher, home, anna):
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    make_kesher().fail("users", "--moved", "--server", "127.0.0.1:2")
    assert (home / "server.info").read_text() == shown(NOWHERE) + "\n"


def test_moved_without_again_is_wrong_usage_of_register(make_kesher, home):
    assert make_kesher().run("register", "Anna", "--moved").status == 2
    assert not home.exists()


# -- a home that says nothing of its server


@pytest.mark.parametrize("command", [["users"], ["put", "/etc/hostname"]], ids=lambda words: words[0])
def test_a_home_that_says_nothing_adopts_the_first_server_that_knows_it(alice, messages, witness, command):
    alice.succeed(*command)
    assert (alice.home / "server.info").read_text() == shown(messages.address) + "\n"
    alice.address = witness.address
    alice.fail(*command)
    assert witness.saw_nobody()


@pytest.mark.parametrize("command", [["users"], ["put", "/etc/hostname"]], ids=lambda words: words[0])
def test_a_home_that_says_nothing_is_not_replaced_at_a_server_that_does_not_know_it(
    messages, make_kesher, home, anna, command
):
    """It may be the home of the server at the usual address, which older versions did not write down."""
    write_identity(home, anna)
    assert "does not know this home" in make_kesher(messages).fail(*command).stderr
    assert set(files_of(home)) >= {"me.info"} and "server.info" not in files_of(home)
    assert identity_backups(home) == []


def test_register_writes_its_server_over_that_of_another(messages, make_kesher, home):
    home.mkdir()
    write_server_info(home, NOWHERE)
    make_kesher(messages).succeed("register", "Anna")
    assert (home / "server.info").read_text() == shown(messages.address) + "\n"
    make_kesher().succeed("users")


def test_the_console_writes_down_where_it_has_registered(messages, make_kesher, home):
    screen_of(make_kesher(messages), "110", "Anna")
    assert (home / "server.info").read_text() == shown(messages.address) + "\n"


def test_the_course_s_flow_of_editing_transfer_info_goes_where_it_says(make_fake, make_kesher, home):
    first, second = make_fake(), make_fake()
    write_transfer_info(home, first.address, "Anna", "/etc/hostname")
    make_kesher().succeed("transfer")
    assert not (home / "server.info").exists()
    write_transfer_info(home, second.address, "Anna", "/etc/hostname")
    assert "registered anew" in make_kesher().succeed("transfer").stderr
    assert (len(first.files), len(second.files)) == (1, 1)
    assert len(identity_backups(home)) == 1


def test_ask_sends_no_id_and_may_go_anywhere(talker, make_kesher, home, anna):
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    kesher = make_kesher()
    kesher.succeed("ask", "--server", shown(talker.ask_address), "NAME")
    assert (home / "server.info").read_text() == shown(NOWHERE) + "\n"


# -- a server that has lost its data


@pytest.fixture
def forgotten(make_server, make_kesher, home):
    """A client whose server knew it, and bob, and has lost its data."""
    old, new = make_server(), make_server()
    make_kesher(old).succeed("register", "alice in chains")
    make_kesher(old, home.parent / "bob").succeed("register", "bob")
    make_kesher(old).succeed("send", "bob", "hello")
    write_server_info(home, new.address)
    return new, make_kesher()


FORGOTTEN = {name: words for name, words in IDENTIFIED.items() if words[0] not in ("put", "register")}


@pytest.mark.parametrize("command", FORGOTTEN)
def test_a_server_that_has_lost_its_data_is_told_as_such(forgotten, home, command):
    server, kesher = forgotten
    before = read_identity(home)
    line = assert_one_line(kesher.fail(*FORGOTTEN[command]).stderr)
    assert f"{shown(server.address)} does not know this home any more" in line
    assert "kesher register 'alice in chains' --again" in line
    assert read_identity(home) == before


def test_put_registers_anew_by_itself_at_the_homes_own_server_and_says_so(forgotten, home):
    server, kesher = forgotten
    before = read_identity(home)
    result = kesher.succeed("put", "/etc/hostname")
    assert "registered anew" in result.stderr
    now = read_identity(home)
    assert (now.name, now.private_key) == (before.name, before.private_key) and now.id != before.id
    kesher.succeed("users")


def test_register_again_makes_the_home_known_with_the_same_key_and_keeps_the_old_files(forgotten, home):
    server, kesher = forgotten
    before, old = read_identity(home), (home / "me.info").read_bytes()
    result = kesher.succeed("register", "alice in chains", "--again")
    assert "registered alice in chains" in result.stdout
    now = read_identity(home)
    assert (now.name, now.private_key) == (before.name, before.private_key) and now.id != before.id
    assert [(home / name).read_bytes() for name in identity_backups(home)] == [old]
    assert (home / "server.info").read_text() == shown(server.address) + "\n"
    kesher.succeed("users")


def test_a_key_that_was_lost_with_the_servers_data_is_shared_again(forgotten, make_kesher, home):
    _, alice = forgotten
    write_server_info(home.parent / "bob", forgotten[0].address)
    bob = make_kesher(None, home.parent / "bob")
    alice.succeed("register", "alice", "--again")
    bob.succeed("register", "bob", "--again")
    alice.succeed("send", "bob", "Are you there?")
    assert "\nAre you there?\n" in bob.succeed("inbox").stdout


def test_register_again_may_take_another_name(forgotten, home):
    _, kesher = forgotten
    kesher.succeed("register", "Alice", "--again")
    assert read_identity(home).name == "Alice"


def test_register_again_makes_the_home_known_where_its_server_has_moved_without_its_data(
    make_fake, make_kesher, home, anna
):
    fake = make_fake()
    write_identity(home, anna)
    write_server_info(home, NOWHERE)
    make_kesher(fake).succeed("register", "Anna", "--again", "--moved")
    assert fake.codes[-2:] == [Request.REGISTER, Request.PUBLIC_KEY]
    assert fake.requests[-2].client_id == bytes(16) and fake.codes.count(Request.REGISTER) == 1
    assert read_identity(home).id in fake.accounts
    assert (home / "server.info").read_text() == shown(fake.address) + "\n"


def test_register_again_changes_nothing_where_the_server_knows_the_home(messages, alice):
    alice.succeed("users")  # writes down whose home it is
    before = files_of(alice.home)
    line = assert_one_line(alice.fail("register", "alice2", "--again").stderr)
    assert "knows this home" in line
    assert files_of(alice.home) == before
    assert Request.REGISTER not in messages.codes


def test_register_again_needs_an_identity(messages, make_kesher, home):
    assert_one_line(make_kesher(messages).fail("register", "Anna", "--again").stderr)
    assert messages.requests == [] and not home.exists()


def test_a_refused_register_again_keeps_everything_as_it_was(make_fake, make_kesher, home, anna):
    fake = make_fake(errors={Request.REGISTER: 4, Request.REGISTER_FOR_MESSAGES: 4})
    write_identity(home, anna)
    before = files_of(home)
    make_kesher(fake).fail("register", "Anna", "--again")
    assert files_of(home) == before


def test_a_refused_pull_of_a_user_whom_the_server_knows_is_no_lost_home(alice, messages):
    messages.script.errors[Request.PULL] = 1
    line = assert_one_line(alice.fail("inbox").stderr)
    assert "--again" not in line


# -- directories


READING = {**IDENTIFIED, "own key": ["key"], "accept": ["key", "bob", "--accept-key"], "transfer": ["transfer"]}


@pytest.mark.parametrize("command", READING)
def test_a_command_that_fails_for_want_of_a_home_makes_none(make_kesher, tmp_path, witness, command):
    typo = tmp_path / "deep" / "typo"
    line = assert_one_line(make_kesher(None, typo).fail(*READING[command]).stderr)
    assert str(typo) in line
    assert not typo.parent.exists()


def test_questions_need_no_home_and_make_none(talker, make_kesher, home):
    make_kesher().succeed("ask", "--server", shown(talker.ask_address), "NAME")
    assert not home.exists()


def test_the_console_makes_no_home_before_it_has_registered(messages, make_kesher, home):
    screen_of(make_kesher(messages), "120", "140")
    assert not home.exists()


def test_a_registration_that_reaches_nobody_makes_no_home(make_kesher, home):
    make_kesher().fail("register", "Anna", "--server", shown(free_address()))
    assert not home.exists()


def test_a_name_that_cannot_be_makes_no_home(messages, make_kesher, home):
    make_kesher(messages).fail("register", " Anna")
    assert not home.exists()


# -- who may read the home


@pytest.fixture
def registered_anna(messages, make_kesher, home):
    kesher = make_kesher(messages)
    kesher.succeed("register", "Anna")
    return kesher


@pytest.mark.parametrize("command", [name for name in READING if name != "transfer"])
def test_a_home_that_others_can_read_is_refused(registered_anna, messages, home, command):
    seen = len(messages.requests)
    (home / "me.info").chmod(0o640)
    line = assert_one_line(registered_anna.fail(*READING[command]).stderr)
    assert f"chmod 600 {home}/me.info" in line
    assert len(messages.requests) == seen


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o644, 0o777], ids=oct)
@pytest.mark.parametrize("file", ["me.info", "priv.key"])
def test_any_right_of_others_to_the_files_is_one_too_many(registered_anna, home, file, mode):
    (home / file).chmod(mode)
    assert f"{home}/{file}" in assert_one_line(registered_anna.fail("users").stderr)


@pytest.mark.parametrize("mode", [0o770, 0o702, 0o1777], ids=oct)
def test_a_home_in_which_others_can_put_files_is_refused(registered_anna, home, mode):
    home.chmod(mode)
    assert f"chmod go-w {home}" in assert_one_line(registered_anna.fail("users").stderr)


def test_a_home_that_others_can_only_look_into_is_fine(registered_anna, home):
    home.chmod(0o755)
    registered_anna.succeed("users")


def test_the_command_that_is_shown_mends_it(messages, make_kesher, tmp_path):
    home = tmp_path / "Anna's home"
    kesher = make_kesher(messages, home)
    kesher.succeed("register", "Anna")
    home.chmod(0o777)
    (home / "me.info").chmod(0o644)
    (home / "priv.key").chmod(0o644)
    line = assert_one_line(kesher.fail("users").stderr)
    subprocess.run(["sh", "-c", line[line.index("chmod ") :]], check=True)
    kesher.succeed("users")
    assert stat.S_IMODE((home / "priv.key").stat().st_mode) == 0o600


def test_transfer_warns_of_what_the_courses_clients_leave_open_and_goes_on(make_fake, make_kesher, home, new_user):
    fake, user = make_fake(), new_user()
    user.id = fake.add_account(user.name, user.public_key).id
    write_identity(home, user)
    (home / "me.info").chmod(0o644)
    write_transfer_info(home, fake.address, user.name, "/etc/hostname")
    result = make_kesher().succeed("transfer")
    assert f"chmod 600 {home}/me.info" in assert_one_line(result.stderr)
    assert len(fake.files) == 1


def test_the_console_warns_beside_its_screen_and_goes_on(alice, messages):
    (alice.home / "me.info").chmod(0o644)
    result = alice.run("menu", input=b"120\n0\n")
    assert result.status == 0 and "chmod 600" in assert_one_line(result.stderr)
    assert "chmod" not in result.stdout
    assert messages.codes == [Request.LIST_USERS]
