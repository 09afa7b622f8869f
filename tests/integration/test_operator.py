"""`kesherd user …` and `kesherd group …`, on running servers and on the data of stopped ones."""

import hashlib
import time

import pytest
from peer.conversation import two_users
from peer.drop import User, file_frame, named_frame, public_key_frame, reconnect_frame
from peer.fixtures import in_threads
from peer.frames import Answer, Request
from peer.messages import key_of_user_frame, list_users_frame, message_frame, pull_frame
from peer.operators import ControlClient, Operator
from peer.terminal import Terminal

WAIT_SECONDS = 60
NO_SERVER = "kesherd: no server runs here, and groups live only as long as one does\n"


@pytest.fixture
def operator(own_server) -> Operator:
    return Operator(own_server.data)


@pytest.fixture
def users(own_server, new_user):
    """Two users with keys; the second has two files and two messages."""
    with own_server.connect() as connection:
        alice, bob, alias = two_users(connection, new_user)
        connection.reconnect(bob)
        connection.put(bob, "one.txt", b"12345")
        connection.put(bob, "two.txt", b"1234567")
        connection.send_message(alice, alias, b"waits")
        connection.send_message(alice, alias, b"waits, too")
    return alice, bob, alias


def fingerprint(public_key: bytes) -> str:
    digits = hashlib.sha256(public_key).hexdigest()
    return " ".join(digits[i : i + 4] for i in range(0, 64, 4))


def as_object(fields: list[str]) -> dict:
    """A line of a list in a pipe as --json has it."""
    name, registered, last_seen, has_key, *numbers = fields
    names = ("files", "file_bytes", "messages", "message_bytes")
    return {
        "name": name,
        "registered": registered,
        "last_seen": last_seen,
        "has_key": has_key == "yes",
        **dict(zip(names, map(int, numbers), strict=True)),
    }


def in_both_lives(server, operator, look):
    """What `look` finds while the server runs, and then on its data alone: the same."""
    running = look(operator)
    server.stop()
    assert look(operator) == running
    return running


# -- list and show


def test_a_list_tells_what_is_kept_of_each_user(own_server, operator, users):
    alice, bob, _ = users
    objects = in_both_lives(
        own_server, operator, lambda them: them.succeed("user", "list", "--json").objects()
    )
    assert [user["name"] for user in objects] == [alice.name, bob.name]
    told = {key: value for key, value in objects[1].items() if key not in ("registered", "last_seen")}
    assert told == {
        "name": bob.name,
        "has_key": True,
        "files": 2,
        "file_bytes": 12,
        "messages": 2,
        "message_bytes": 15,
    }
    registered = time.strptime(objects[1]["registered"], "%Y-%m-%dT%H:%M:%SZ")
    assert registered <= time.strptime(objects[1]["last_seen"], "%Y-%m-%dT%H:%M:%SZ") <= time.gmtime()


def test_in_a_pipe_fields_are_separated_by_tabs(operator, users):
    plain = [as_object(fields) for fields in operator.succeed("user", "list").lines()]
    assert plain == operator.succeed("user", "list", "--json").objects()


def test_on_a_terminal_columns_are_aligned_below_their_names(operator, users):
    terminal = Terminal(operator.command("user", "list"))
    assert terminal.wait_for_end() == 0
    terminal.close()
    header, *rows = terminal.screen.splitlines()
    assert header.split() == "NAME REGISTERED LAST SEEN KEY FILES BYTES MESSAGES BYTES".split()
    assert [row.split()[-4:] for row in rows] == [["0"] * 4, ["2", "12", "2", "15"]]
    assert {len(row) for row in rows} == {len(header)}
    assert all(row[header.index("KEY") :].startswith("yes") for row in rows)


def test_details_have_the_public_id_and_the_fingerprint(own_server, operator, users):
    _, bob, alias = users
    fields = in_both_lives(own_server, operator, lambda them: them.succeed("user", "show", bob.name).fields())
    assert fields["name"] == bob.name
    assert fields["public id"] == alias.hex()
    assert fields["key fingerprint"] == fingerprint(bob.public_key)
    assert (fields["files"], fields["bytes of files"]) == ("2", "12")
    shown = operator.succeed("user", "show", bob.name, "--json").objects()[0]
    assert (shown["public_id"], shown["key_fingerprint"]) == (alias.hex(), fingerprint(bob.public_key))


def test_a_user_without_a_key_has_no_fingerprint(own_server, operator, new_user):
    with own_server.connect() as connection:
        user = connection.register(new_user())
    assert operator.succeed("user", "show", user.name).fields()["key fingerprint"].startswith("none")
    (shown,) = operator.succeed("user", "show", user.name, "--json").objects()
    assert (shown["has_key"], shown["key_fingerprint"]) == (False, None)


def test_the_secret_id_is_never_told(own_server, operator, users):
    for user in users[:2]:
        for words in (("user", "list"), ("user", "show", user.name)):
            for option in ((), ("--json",)):
                assert user.id.hex() not in operator.succeed(*words, *option).out
        assert user.id.hex() not in own_server.log()


def test_plain_public_ids_are_told_as_everybody_sees_them(make_server, new_user):
    server = make_server(public_ids="plain")
    with server.connect() as connection:
        user = connection.introduce(new_user())
    operator = Operator(server.data)
    assert operator.succeed("user", "show", user.name).fields()["public id"] == user.id.hex()
    server.stop()
    options = ("--config", str(server.configuration))
    assert operator.succeed("user", "show", user.name, *options).fields()["public id"] == user.id.hex()


def test_a_name_of_any_printable_characters_can_be_asked_for(own_server, operator, new_user):
    with own_server.connect() as connection:
        for name in ('a "quoted" \\ name', "--json", "two  blanks", "~" * 254):
            user = new_user()
            user.name = name
            connection.register(user)
            assert operator.succeed("user", "show", "--", name).fields()["name"] == name


def test_a_list_of_nobody_is_empty(own_server, operator):
    assert in_both_lives(own_server, operator, lambda them: them.succeed("user", "list").out) == ""


# -- reset-key


@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
def test_after_a_reset_another_key_is_taken(own_server, operator, users, private_keys, runs):
    _, bob, _ = users
    if not runs:
        own_server.stop()
    told = operator.succeed("user", "reset-key", bob.name).out.splitlines()
    assert told[0] == f"key reset: {bob.name}" and "kesher put" in told[1]
    if not runs:
        own_server.start()
    assert operator.users()[bob.name]["has_key"] is False
    bob.private_key = private_keys[1]
    with own_server.connect() as connection:
        connection.send(reconnect_frame(bob))
        assert connection.receive().code == Answer.RECONNECT_REFUSED
        connection.send_public_key(bob)
        connection.put(bob, "three.txt", b"123")
    assert operator.succeed("user", "show", bob.name).fields()["key fingerprint"] == fingerprint(
        bob.public_key
    )
    assert operator.users()[bob.name]["files"] == 3


# -- remove


@pytest.mark.parametrize("runs", [True, False], ids=["running", "stopped"])
def test_a_removed_user_is_gone_with_all_that_was_kept(own_server, operator, users, new_user, runs):
    alice, bob, _ = users
    if not runs:
        own_server.stop()
    assert operator.succeed("user", "remove", bob.name, "--yes", "--json").objects() == [
        {"removed": bob.name}
    ]
    assert list(operator.users()) == [alice.name]
    assert own_server.stored_paths() == []
    assert own_server.rows("SELECT count(*) FROM files") == [(0,)]
    assert own_server.rows("SELECT count(*) FROM messages") == [(0,)]
    if not runs:
        own_server.start()
    assert "no user" in operator.fail("user", "remove", bob.name, "--yes")
    with own_server.connect() as connection:
        connection.send(reconnect_frame(bob))
        assert connection.receive().code == Answer.RECONNECT_REFUSED
        assert connection.list_users(alice) == []
        other = new_user()
        other.name = bob.name
        connection.introduce(other)
        assert connection.pull(other) == []
        assert other.id != bob.id


def test_sessions_of_a_removed_user_get_errors_from_then_on(own_server, operator, users):
    _, bob, _ = users
    with own_server.connect() as connection:
        connection.reconnect(bob)
        connection.send_file(bob, "staged", b"x" * 1000)
        operator.succeed("user", "remove", bob.name, "--yes")
        assert own_server.staged_paths() == []
        connection.expect_nothing_staged(bob, "staged")
        connection.send(b"".join(requests_of_every_kind(bob)))
        codes = [connection.receive().code for _ in requests_of_every_kind(bob)]
    assert codes == [2107, 2107, 2107, 2107, 2106, 9000, 9000, 9000, 9000]
    assert own_server.stored_paths() == []


def requests_of_every_kind(user: User) -> list[bytes]:
    return [
        file_frame(user.id, "late", user.encrypt(b"late")),
        named_frame(user.id, Request.CRC_OK, "late"),
        named_frame(user.id, Request.GIVE_UP, "late"),
        public_key_frame(user),
        reconnect_frame(user),
        list_users_frame(user.id),
        key_of_user_frame(user.id, user.id),
        message_frame(user.id, user.id, 3, b"late"),
        pull_frame(user.id),
    ]


def test_an_upload_in_progress_fails_when_its_user_is_removed(own_server, operator, users):
    alice, bob, _ = users
    with own_server.connect() as connection, own_server.connect() as other:
        connection.reconnect(bob)
        other.reconnect(alice)
        frame = file_frame(bob.id, "large", bob.encrypt(b"x" * 3_000_000))
        connection.send(frame[:2_000_000])
        wait_for_staged(own_server)
        operator.succeed("user", "remove", bob.name, "--yes")
        connection.send(frame[2_000_000:])
        assert connection.receive().code == 2107
        other.put(alice, "goes on", b"as before")
    assert own_server.staged_paths() == []


def wait_for_staged(server) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not server.staged_paths():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_removal_asks_on_a_terminal(operator, users):
    _, bob, _ = users
    for answer, remains in (("n", True), ("", True), ("y", False)):
        terminal = Terminal(operator.command("user", "remove", bob.name))
        assert bob.name in terminal.wait_for("[y/N] ")
        terminal.type_line(answer)
        assert terminal.wait_for_end() == (1 if remains else 0)
        terminal.close()
        assert (bob.name in operator.users()) == remains


def test_without_a_terminal_a_removal_wants_to_be_meant(operator, users):
    _, bob, _ = users
    assert "--yes" in operator.fail("user", "remove", bob.name, status=2)
    assert bob.name in operator.users()


def test_a_removal_is_whole_or_none_whenever_the_server_dies(own_server, operator, new_user):
    for delay in (0, 0.001, 0.003, 0.01, 0.03):
        with own_server.connect() as connection:
            user = connection.introduce(new_user())
            connection.send(b"".join(upload(user, f"file {number}") for number in range(40)))
            for _ in range(80):
                connection.receive()
        with ControlClient(own_server.data) as control:
            control.send(f"1 remove {user.name}\n")
            time.sleep(delay)
            own_server.restart_after_kill()
        details = operator.users().get(user.name)
        if details is not None:
            assert details["files"] == 40
            operator.succeed("user", "remove", user.name, "--yes")
        wait_until_nothing_is_stored(own_server)
        assert own_server.rows("SELECT count(*) FROM files") == [(0,)]


def upload(user: User, name: str) -> bytes:
    return file_frame(user.id, name, user.encrypt(b"some bytes")) + named_frame(user.id, Request.CRC_OK, name)


def wait_until_nothing_is_stored(server) -> None:
    """What a removal that was cut short has left goes within seconds of the start."""
    deadline = time.monotonic() + WAIT_SECONDS
    while server.stored_paths() or server.rows("SELECT count(*) FROM files") != [(0,)]:
        assert time.monotonic() < deadline, server.stored_paths()
        time.sleep(0.05)


# -- groups


def test_groups_are_listed_with_their_members_and_messages(make_talker, open_chat):
    server = make_talker()
    operator = Operator(server.data)
    assert operator.succeed("group", "list").out == ""
    ann, ben = open_chat(server=server), open_chat(server=server)
    ann.create("ann")
    ben.join("ben", 1)
    ann.write("hello")
    ben.expect("ann: hello")
    (group,) = operator.succeed("group", "list", "--json").objects()
    since = time.strptime(group.pop("since"), "%Y-%m-%dT%H:%M:%SZ")
    assert group == {"group": 1, "members": 2, "messages": 1, "secure": False}
    assert since <= time.gmtime()
    ((number, members, _, messages, port),) = operator.succeed("group", "list").lines()
    assert (number, members, messages, port) == ("1", "2", "1", "classic")


def test_without_a_server_there_are_no_groups_and_a_line_says_so(own_server, operator):
    own_server.stop()
    outcome = operator.run("group", "list")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", NO_SERVER)
    outcome = operator.run("group", "list", "--json")
    assert (outcome.status, outcome.out, outcome.err) == (0, "", NO_SERVER)


# -- command lines and directories that make no sense


@pytest.mark.parametrize(
    "words",
    [
        ("user",),
        ("group",),
        ("user", "rm"),
        ("group", "show", "1"),
        ("user", "list", "bob"),
        ("user", "show"),
        ("user", "show", "a", "b"),
        ("user", "show", ""),
        ("user", "show", "  "),
        ("user", "show", "a\u202eb"),
        ("user", "list", "--secret"),
        ("user", "list", "--yes=1"),
        ("user", "list", "--data"),
        ("user", "list", "--config"),
        ("user", "list", "--config", "/no/such/file"),
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_told_in_a_line(words):
    Operator().fail(*words, status=2)


def test_help_is_for_people():
    for noun in ("user", "group"):
        text = Operator().succeed(noun, "--help").out
        for command in (
            "user list",
            "user show NAME",
            "user reset-key NAME",
            "user remove NAME",
            "group list",
        ):
            assert command in text


def test_a_directory_without_data_is_left_alone(tmp_path):
    for data in (tmp_path, tmp_path / "missing"):
        assert "no data" in Operator(data).fail("user", "list")
    assert list(tmp_path.iterdir()) == []


def test_the_directory_is_found_as_the_server_finds_it(own_server, operator, users, tmp_path):
    configuration = tmp_path / "kesherd.ini"
    configuration.write_text(f"data = {own_server.data}\n")
    plain = operator.succeed("user", "list").out
    elsewhere = Operator()
    assert elsewhere.succeed("user", "list", f"--config={configuration}").out == plain
    own_server.stop()
    operator.data.rename(tmp_path / "kesher-data")
    assert elsewhere.succeed("user", "list", cwd=tmp_path).out == plain
    (tmp_path / "kesher-data").rename(operator.data)
    own_server.start()


def test_options_stand_before_the_command_or_behind(own_server, operator, users):
    plain = operator.succeed("user", "list").out
    for words in (
        ("--data", str(own_server.data), "user", "list"),
        ("--data", str(own_server.data), "user", "--", "list"),
        ("user", f"--data={own_server.data}", "list"),
    ):
        assert Operator().succeed(*words).out == plain


@pytest.mark.parametrize(
    "words, told",
    [
        (("user", "list", "--repair"), "user list does not take --repair"),
        (("user", "show", "alice", "--yes"), "user show does not take --yes"),
        (("--listen", ":1357", "check"), "check does not take --listen"),
        (("group", "list", "--check-config"), "group list does not take --check-config"),
        (("users",), 'there is no command "users"'),
    ],
)
def test_what_a_command_does_not_take_is_told(words, told):
    assert told in Operator().fail(*words, status=2)


def test_two_commands_at_once_both_get_their_answer(own_server, operator, users):
    own_server.stop()
    outcomes = in_threads(lambda _: operator.succeed("user", "list").out, range(4))
    assert len(set(outcomes)) == 1 and outcomes[0] != ""
