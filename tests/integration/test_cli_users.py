"""`kesher users` and `kesher key`: who is there, whose key is remembered, and what a lying server gets."""

import hashlib
import json
import re

import pytest
from peer import crypto
from peer.frames import (
    LIST_OF_USERS,
    MESSAGES_VERSION,
    PUBLIC_KEY_SIZE,
    TEXT_FIELD_SIZE,
    MessageAnswer,
    Request,
    reply,
)
from peer.message_fixtures import Member, assert_one_line
from peer.message_server import Cut, FakeUser, alias_of, user_list

LIST, KEY = Request.LIST_USERS, Request.KEY_OF_USER


def fingerprint_of(public_key: bytes) -> str:
    digest = hashlib.sha256(public_key).hexdigest()
    return " ".join(digest[start : start + 4] for start in range(0, len(digest), 4))


def list_reply(*users: tuple[bytes, str | bytes]) -> bytes:
    return reply(LIST_OF_USERS, user_list(users), version=MESSAGES_VERSION)


def key_reply(target: bytes, public_key: bytes) -> bytes:
    return reply(MessageAnswer.KEY_OF_USER, target + public_key, version=MESSAGES_VERSION)


# -- users


def test_users_prints_one_name_a_line_in_the_servers_order(messages, alice):
    for name in ("zoe", "bob", "Anna Maria", "bob 2"):
        messages.add_account(name)
    result = alice.succeed("users")
    assert (result.stdout, result.stderr) == ("zoe\nbob\nAnna Maria\nbob 2\n", "")


def test_users_as_json_is_one_object_a_line_with_name_and_id(messages, alice):
    accounts = [messages.add_account(name) for name in ("zoe", 'the "other" \\ one')]
    lines = alice.succeed("users", "--json").stdout.splitlines()
    wanted = [{"name": account.name, "id": alias_of(account.id).hex()} for account in accounts]
    assert [json.loads(line) for line in lines] == wanted


@pytest.mark.parametrize("option", [[], ["--json"]], ids=repr)
def test_users_of_an_empty_server_prints_nothing(alice, option):
    assert alice.succeed("users", *option).text == ""


def test_users_asks_with_version_2_its_id_and_no_payload_in_one_send(messages, alice):
    alice.succeed("users")
    (seen,) = messages.requests
    assert (seen.client_id, seen.version, seen.code) == (alice.user.id, MESSAGES_VERSION, LIST)
    assert (seen.payload, seen.came_together) == (b"", 23)


def test_users_of_the_real_server_are_all_others(server, pair, connection, new_user):
    first, second = pair
    keyless = connection.register(new_user())
    names = first.succeed("users").stdout.splitlines()
    assert names[-2:] == [second.name, keyless.name]
    assert first.name not in names


def test_ids_of_the_real_server_are_those_that_it_tells(server, pair, connection):
    first, second = pair
    (told,) = [
        entry["id"] for entry in first.succeed("users", "--json").objects() if entry["name"] == second.name
    ]
    assert told == connection.alias_of(second.user, first.user).hex()
    assert told != second.user.id.hex()


def test_ten_thousand_users_are_listed(messages, alice):
    entries = [(number.to_bytes(16, "big"), f"user {number}") for number in range(10_000)]
    messages.script.lies[LIST] = lambda seen, honest: list_reply(*entries)
    assert alice.succeed("users").stdout.splitlines() == [name for _, name in entries]


@pytest.mark.parametrize("version", [0, 1, 3, 255])
def test_answers_of_any_version_are_accepted(messages, alice, bob, version):
    messages.script.version = version
    assert alice.succeed("users").stdout == "bob\n"


def test_answers_that_arrive_one_byte_at_a_time_are_understood(messages, alice, bob):
    messages.script.one_byte_at_a_time = True
    assert alice.succeed("users").stdout == "bob\n"
    assert alice.succeed("key", "bob").stdout.splitlines()[0] == "bob"


def test_what_follows_the_nul_of_a_name_is_ignored(messages, alice):
    field = b"bob\0" + b"garbage\n" * 32
    messages.script.lies[LIST] = lambda seen, honest: list_reply((bytes(16), field[:TEXT_FIELD_SIZE]))
    assert alice.succeed("users").stdout == "bob\n"


HOSTILE_NAMES = {
    "escape sequence": b"\x1b[2Jbob",
    "newline": b"bob\nalice",
    "carriage return": b"alice\rbob",
    "bell and backspace": b"bo\x07\x08b",
    "C1": "bob\x9b31m".encode(),
    "no UTF-8": b"bob\xff\xfe",
    "bidi override": "\u202ebob".encode(),
    "delete": b"bob\x7f",
}


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_name_that_could_move_the_cursor_is_escaped(messages, alice, name):
    messages.script.lies[LIST] = lambda seen, honest: list_reply((bytes(16), name), (b"C" * 16, "carol"))
    result = alice.succeed("users")
    assert result.stdout.count("\n") == 2 and result.stdout.endswith("\ncarol\n")
    assert result.stdout.replace("\n", "").isprintable(), result


@pytest.mark.parametrize("name", HOSTILE_NAMES.values(), ids=HOSTILE_NAMES)
def test_a_hostile_name_is_plain_json(messages, alice, name):
    messages.script.lies[LIST] = lambda seen, honest: list_reply((bytes(16), name))
    (line,) = alice.succeed("users", "--json").stdout.splitlines()
    assert not any(ord(character) < 0x20 for character in line)
    told = json.loads(line)["name"]
    assert told == name.decode(errors="replace") or b"\xff" in name and told.startswith("bob\ufffd")


# -- lists that lie

BOB = (b"B" * 16, "bob")
WHOLE_LIST = list_reply(BOB)

LYING_LISTS = {
    "no multiple of 271": reply(LIST_OF_USERS, user_list([BOB]) + b"x", version=2),
    "one byte": reply(LIST_OF_USERS, b"x", version=2),
    "a name without NUL": list_reply((b"B" * 16, b"n" * TEXT_FIELD_SIZE)),
    "one id for two names": list_reply(BOB, (b"C" * 16, "carol"), (b"B" * 16, "dave")),
    "zeros": reply(LIST_OF_USERS, bytes(2 * 271), version=2),
    "one entry of zeros": reply(LIST_OF_USERS, user_list([BOB]) + bytes(271), version=2),
    "no text": list_reply(BOB, (b"C" * 16, bytes(range(255, 1, -1)))),
    "another code": reply(2102, user_list([BOB]), version=2),
    "a code that nobody has": reply(0, b"", version=2),
    "a size that is never reached": Cut(WHOLE_LIST[:3] + b"\xff\xff\xff\xff" + WHOLE_LIST[7:]),
    "an error": reply(9000, b"", version=2),
    "an error with a payload": reply(9000, b"no\x1b[2Jsuch thing" * 50, version=2),
}


@pytest.mark.parametrize("lie", LYING_LISTS.values(), ids=LYING_LISTS)
@pytest.mark.parametrize("option", [[], ["--json"]], ids=repr)
def test_a_list_that_makes_no_sense_is_one_line_on_standard_error(messages, alice, lie, option):
    messages.script.lies[LIST] = lambda seen, honest: lie
    assert_one_line(alice.fail("users", *option).stderr)


SENSELESS = ["no multiple of 271", "a name without NUL", "one id for two names", "zeros", "no text"]


@pytest.mark.parametrize("kind", SENSELESS)
@pytest.mark.parametrize("option", [[], ["--json"]], ids=repr)
def test_such_a_list_is_said_to_make_no_sense_and_nothing_of_it_is_shown(messages, alice, kind, option):
    messages.script.lies[LIST] = lambda seen, honest: LYING_LISTS[kind]
    result = alice.fail("users", *option)
    assert result.stdout == "" and "makes no sense" in assert_one_line(result.stderr)
    assert messages.codes == [LIST]


def test_nobody_is_found_in_a_list_whose_end_makes_no_sense(messages, alice, bob):
    """Though bob stands before that."""
    whole = user_list([(bob.alias, "bob"), (b"C" * 16, b"n" * TEXT_FIELD_SIZE)])
    messages.script.lies[LIST] = lambda seen, honest: reply(LIST_OF_USERS, whole, version=MESSAGES_VERSION)
    assert "makes no sense" in assert_one_line(alice.fail("send", "bob", "hello").stderr)
    assert messages.codes == [LIST]


@pytest.mark.parametrize("name", ["caf\xe9".encode("latin-1"), "שרה".encode("cp1255"), b"bob\r"])
def test_a_strange_name_is_no_reason_to_refuse_a_list(messages, alice, name):
    messages.script.lies[LIST] = lambda seen, honest: list_reply((b"S" * 16, name), BOB)
    assert alice.succeed("users").stdout.splitlines()[1:] == ["bob"]


@pytest.mark.parametrize("size", [0, 4, 7, 100, 7 + 271, 7 + 2 * 271 - 1])
def test_a_connection_that_ends_in_the_list_is_made_again_and_nobody_is_listed_twice(
    messages, alice, bob, size
):
    messages.add_account("carol")
    messages.lie_once(LIST, lambda seen, honest: Cut(honest[:size]))
    assert alice.succeed("users").stdout == "bob\ncarol\n"


@pytest.mark.slow
def test_a_server_that_ends_every_connection_is_one_line_with_its_address(messages, alice):
    messages.script.close_before_answer = LIST
    assert f"127.0.0.1:{messages.address[1]}" in assert_one_line(alice.fail("users").stderr)


@pytest.mark.parametrize(
    "command", [["key", "bob"], ["send", "bob", "text"], ["request-key", "bob"]], ids=repr
)
@pytest.mark.parametrize("kind", ["no multiple of 271", "a name without NUL", "an error with a payload"])
def test_whoever_needs_the_list_fails_with_it(messages, alice, command, kind):
    messages.script.lies[LIST] = lambda seen, honest: LYING_LISTS[kind]
    assert_one_line(alice.fail(*command).stderr)
    assert messages.sent == []


# -- key


def test_key_prints_name_id_and_fingerprint(alice, bob):
    wanted = f"bob\nid {bob.alias.hex()}\nkey fingerprint {fingerprint_of(bob.user.public_key)}\n"
    result = alice.succeed("key", "bob")
    assert (result.stdout, result.stderr) == (wanted, "")


def test_key_as_json_tells_whether_it_was_pinned_just_now(alice, bob):
    wanted = {"name": "bob", "id": bob.alias.hex(), "fingerprint": fingerprint_of(bob.user.public_key)}
    assert alice.succeed("key", "bob", "--json").objects() == [{**wanted, "new": True}]
    assert alice.succeed("key", "bob", "--json").objects() == [{**wanted, "new": False}]


def test_key_asks_for_the_id_that_the_list_told(messages, alice, bob):
    alice.succeed("key", "bob")
    assert messages.codes == [LIST, KEY]
    seen = messages.requests[1]
    assert (seen.client_id, seen.version, seen.payload) == (alice.user.id, MESSAGES_VERSION, bob.alias)
    assert seen.came_together == 23 + 16


@pytest.mark.parametrize("name", ["bo", "bobb", "Bob", "bob ", " bob", "nobody", "alice"])
def test_a_user_whom_the_list_does_not_have_is_one_line_that_names_it(messages, alice, bob, name):
    result = alice.fail("key", name)
    assert name in assert_one_line(result.stderr)
    assert KEY not in messages.codes


@pytest.mark.parametrize("name", ["", "   ", "n" * 255, "new\nline", "שרה"], ids=repr)
def test_a_user_whose_name_can_be_none_is_refused_without_a_request(messages, alice, name):
    result = alice.run("key", name)
    assert result.status in (1, 2) and result.stdout == ""
    assert_one_line(result.stderr)
    assert messages.requests == []


def test_a_user_without_a_public_key_is_one_line(messages, alice):
    messages.add_account("keyless")
    assert_one_line(alice.fail("key", "keyless").stderr)


def test_the_longest_name_is_found(messages, alice, private_keys):
    FakeUser(messages, "n" * 254, private_keys[1])
    assert alice.succeed("key", "n" * 254).stdout.splitlines()[0] == "n" * 254


def test_key_alone_shows_ones_own_and_asks_nobody(messages, alice):
    fingerprint = fingerprint_of(alice.user.public_key)
    assert alice.succeed("key").stdout == f"alice\nkey fingerprint {fingerprint}\n"
    assert alice.succeed("key", "--json").objects() == [{"name": "alice", "fingerprint": fingerprint}]
    assert messages.requests == []


def test_key_alone_never_shows_the_id(alice):
    """Whoever has it is that user; what others call the id of alice is an alias, which only the server knows."""
    for command in (["key"], ["key", "--json"]):
        assert alice.user.id.hex() not in alice.succeed(*command).text


@pytest.mark.parametrize("option", ["--forget", "--accept-key"])
def test_without_a_user_there_is_nothing_to_forget_or_to_accept(alice, option):
    result = alice.run("key", option)
    assert (result.status, result.stdout) == (2, "")
    assert_one_line(result.stderr)


def test_key_alone_without_an_identity_is_one_line(make_kesher, server):
    assert_one_line(make_kesher(server).fail("key").stderr)


def test_what_two_people_compare_is_the_same(pair):
    first, second = pair
    (own,) = second.succeed("key", "--json").objects()
    (seen,) = first.succeed("key", second.user.name, "--json").objects()
    assert (own["name"], own["fingerprint"]) == (seen["name"], seen["fingerprint"])


def test_key_of_the_real_server_is_the_key_of_that_user(pair):
    first, second = pair
    told = first.succeed("key", second.name).stdout.splitlines()
    assert told[0] == second.name
    assert told[2] == f"key fingerprint {fingerprint_of(second.user.public_key)}"


LYING_KEYS = {
    "of nobody": lambda good: key_reply(bytes(16), good),
    "without a target": lambda good: key_reply(b"", good),
    "one byte of a target": lambda good: key_reply(bytes(1), good),
    "empty": lambda good: key_reply(b"", b""),
    "another code": lambda good: reply(2104, bytes(16) + good, version=2),
    "an error": lambda good: reply(9000, version=2),
    "an error with a payload": lambda good: reply(9000, bytes(3000), version=2),
}

BAD_KEYS = {
    "zeros": lambda good: bytes(PUBLIC_KEY_SIZE),
    "no DER": lambda good: b"\xff" * PUBLIC_KEY_SIZE,
    "an even modulus": lambda good: good[:-4] + bytes([good[-4] & 0xFE]) + good[-3:],
    "an exponent of 1": lambda good: good[:-1] + b"\x01",
    "an even exponent": lambda good: good[:-1] + b"\x10",
    "one byte more": lambda good: good + b"\0",
    "one byte less": lambda good: good[:-1],
}


def assert_fails_and_pins_nothing(messages, alice, lie) -> None:
    messages.script.lies[KEY] = lie
    assert_one_line(alice.fail("key", "bob").stderr)
    messages.script.lies.clear()
    (told,) = alice.succeed("key", "bob", "--json").objects()
    assert told["new"] is True


@pytest.mark.parametrize("lie", LYING_KEYS.values(), ids=LYING_KEYS)
def test_an_answer_that_is_no_key_of_this_user_is_one_line_and_pins_nothing(messages, alice, bob, lie):
    good = bob.user.public_key
    assert_fails_and_pins_nothing(messages, alice, lambda seen, honest: lie(good))


@pytest.mark.parametrize("size", [0, 6, 100, 7 + 175])
def test_a_connection_that_ends_in_the_key_is_made_again(messages, alice, bob, size):
    messages.lie_once(KEY, lambda seen, honest: Cut(honest[:size]))
    assert alice.succeed("key", "bob").stdout.endswith(fingerprint_of(bob.user.public_key) + "\n")


@pytest.mark.parametrize("lie", BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_that_is_none_is_one_line_and_pins_nothing(messages, alice, bob, lie):
    bad = lie(bob.user.public_key)
    assert_fails_and_pins_nothing(messages, alice, lambda seen, honest: key_reply(seen.payload, bad))


# -- the remembered key


@pytest.fixture
def changed(messages, alice, bob):
    """Pins bob's key, then gives bob another; the new key pair."""
    alice.succeed("key", "bob")
    return give_new_key(messages, bob)


def give_new_key(messages, fake_user: FakeUser):
    fake_user.user.private_key = crypto.new_private_key()
    messages.accounts[fake_user.user.id].public_key = fake_user.user.public_key
    return fake_user.user.private_key


@pytest.mark.parametrize(
    "command",
    [["key", "bob"], ["key", "bob", "--json"], ["send", "bob", "text"], ["share-key", "bob"]],
    ids=repr,
)
def test_a_changed_key_is_refused_loudly_and_nothing_is_sent(messages, alice, changed, command):
    told = assert_one_line(alice.fail(*command).stderr)
    assert re.search("kesher key (bob|USER) --forget", told)
    assert messages.sent == []


def test_the_refusal_of_a_changed_key_shows_both_fingerprints(messages, alice, private_keys, changed):
    told = alice.fail("key", "bob").stderr
    for key in (private_keys[1], changed):
        assert fingerprint_of(crypto.public_key_der(key)) in told


def test_a_changed_key_is_refused_as_often_as_it_is_asked_for(alice, changed):
    for _ in range(3):
        alice.fail("key", "bob")


def test_a_user_who_registered_anew_with_another_key_is_refused_as_well(messages, alice, bob, private_keys):
    alice.succeed("key", "bob")
    del messages.accounts[bob.user.id]
    anew = FakeUser(messages, "bob", crypto.new_private_key())
    assert anew.alias != bob.alias
    assert "--forget" in assert_one_line(alice.fail("key", "bob").stderr)


def test_the_old_key_is_still_good_after_a_changed_one_was_refused(
    messages, alice, bob, private_keys, changed
):
    alice.fail("key", "bob")
    messages.accounts[bob.user.id].public_key = crypto.public_key_der(private_keys[1])
    (told,) = alice.succeed("key", "bob", "--json").objects()
    assert told["new"] is False


def test_forget_makes_room_for_the_new_key(alice, bob, changed):
    assert alice.succeed("key", "bob", "--forget").text == "forgot the key of bob\n"
    (told,) = alice.succeed("key", "bob", "--json").objects()
    assert (told["fingerprint"], told["new"]) == (fingerprint_of(bob.user.public_key), True)
    alice.succeed("send", "bob", "text")
    assert bob.take_key(bob.take()[0])


def test_forget_as_json(alice, bob):
    alice.succeed("key", "bob")
    told = alice.succeed("key", "bob", "--forget", "--json").objects()
    assert told == [{"name": "bob", "forgotten": True}]


def test_forget_does_not_connect(messages, alice, bob):
    alice.succeed("key", "bob")
    before = list(messages.codes)
    messages.stop()
    alice.succeed("key", "bob", "--forget")
    assert messages.codes == before


def test_forgetting_a_user_of_whom_nothing_is_known_fails_in_one_line(messages, alice, bob):
    assert "bob" in assert_one_line(alice.fail("key", "bob", "--forget").stderr)
    assert messages.requests == []


def test_a_key_is_forgotten_only_once(alice, bob):
    alice.succeed("key", "bob")
    alice.succeed("key", "bob", "--forget")
    alice.fail("key", "bob", "--forget")


def test_forget_leaves_the_keys_of_others(messages, alice, bob, private_keys):
    FakeUser(messages, "carol", private_keys[0])
    for name in ("bob", "carol"):
        alice.succeed("key", name)
    alice.succeed("key", "bob", "--forget")
    (told,) = alice.succeed("key", "carol", "--json").objects()
    assert told["new"] is False


def test_accepting_where_no_key_waits_fails_in_one_line_without_a_request(messages, alice, bob):
    assert "bob" in assert_one_line(alice.fail("key", "bob", "--accept-key").stderr)
    assert messages.requests == []


def test_keys_are_pinned_for_each_home(messages, make_kesher, alice, bob, tmp_path, private_keys):
    alice.succeed("key", "bob")
    carol = Member(tmp_path / "carol", messages.address, messages.add_user("carol", private_keys[0]))
    (told,) = carol.succeed("key", "bob", "--json").objects()
    assert told["new"] is True


# -- without an identity, without a server, without sense

COMMANDS = [
    ["users"],
    ["key", "bob"],
    ["send", "bob", "text"],
    ["request-key", "bob"],
    ["share-key", "bob"],
    ["inbox"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_home_without_an_identity_is_one_line_that_says_what_to_do(messages, make_kesher, command):
    result = make_kesher(messages).fail(*command)
    assert "register" in assert_one_line(result.stderr)
    assert messages.requests == []


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_an_identity_that_the_server_does_not_know_is_one_line(messages, alice, bob, command):
    del messages.accounts[alice.user.id]
    assert_one_line(alice.fail(*command).stderr)


@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_a_server_that_is_not_there_is_one_line_with_its_address(messages, alice, command):
    messages.stop()
    told = assert_one_line(alice.fail(*command).stderr)
    assert f"127.0.0.1:{messages.address[1]}" in told


@pytest.mark.parametrize(
    "arguments",
    [
        ["users", "bob"],
        ["users", "--forget"],
        ["users", "--file", "x"],
        ["key", "bob", "carol"],
        ["key", "bob", "--follow"],
        ["send"],
        ["send", "bob", "two", "texts"],
        ["send", "bob", "text", "--file", "x"],
        ["send", "bob", "--file"],
        ["send", "bob", "text", "--forget"],
        ["request-key"],
        ["request-key", "bob", "text"],
        ["share-key"],
        ["share-key", "bob", "text"],
        ["inbox", "bob"],
        ["inbox", "--save-to"],
        ["inbox", "--accept-key"],
        ["menu", "110"],
        ["menu", "--json"],
    ],
    ids=repr,
)
def test_wrong_usage_has_exit_status_2_and_prints_on_standard_error_only(messages, alice, arguments):
    result = alice.run(*arguments)
    assert result.status == 2 and result.stdout == ""
    assert_one_line(result.stderr)
    assert messages.requests == []


@pytest.mark.parametrize("command", ["users", "key", "send", "request-key", "share-key", "inbox", "menu"])
def test_help_has_exit_status_0_and_names_the_command(make_kesher, command):
    result = make_kesher().succeed(command, "--help")
    assert f"kesher [OPTIONS] {command}" in result.stdout and result.stderr == ""
    assert f"  {command} " in make_kesher().succeed("--help").stdout
