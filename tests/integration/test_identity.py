"""Registration, public keys, reconnecting: one name space, durable before it is answered."""

import os
import re
import sqlite3
import stat
import struct
import subprocess
import threading
from itertools import pairwise

import pytest
from Cryptodome.PublicKey import RSA
from Cryptodome.Util.asn1 import DerBitString, DerInteger, DerNull, DerObjectId, DerSequence
from peer.drop import (
    UNKNOWN_ID,
    User,
    file_frame,
    named_frame,
    public_key_frame,
    reconnect_frame,
    register_for_messages_frame,
    register_frame,
)
from peer.fixtures import in_threads
from peer.frames import (
    DROP_ERROR,
    DROP_VERSION,
    LIST_OF_USERS,
    MESSAGES_ERROR,
    MESSAGES_VERSION,
    PUBLIC_KEY_SIZE,
    Answer,
    Reply,
    Request,
    text_field,
)
from peer.kesherd import Kesherd, environment

USER_ENTRY = struct.Struct("16s255s")


def refused_reconnect(client_id: bytes) -> Reply:
    return Reply(DROP_VERSION, Answer.RECONNECT_REFUSED, client_id)


@pytest.fixture
def other_key(private_keys) -> RSA.RsaKey:
    """A key that is not the one of the users that `new_user` makes."""
    return private_keys[1]


def race(server, frames: list[bytes]) -> list[int]:
    """Sends each frame on a connection and a thread of its own, all at once; the codes of the answers."""
    line = threading.Barrier(len(frames))

    def run(frame: bytes) -> int:
        with server.connect() as client:
            line.wait()
            client.send(frame)
            return client.receive().code

    return in_threads(run, frames)


# -- registering


def test_a_registration_gives_an_id_of_16_bytes(connection, new_user):
    assert len(connection.register(new_user()).id) == 16
    assert len(connection.register_for_messages(new_user()).id) == 16


def test_ids_differ_and_show_no_pattern(connection, new_user):
    ids = [connection.register(new_user()).id for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(
        len({client_id[place] for client_id in ids}) > 10 for place in range(16) if place not in (6, 8)
    )
    assert all(len(set(client_id)) > 6 for client_id in ids), "bytes repeat within an id"
    differences = {int.from_bytes(later) - int.from_bytes(former) for former, later in pairwise(ids)}
    assert len(differences) == 99, "ids are counted"


def test_a_taken_name_is_refused_in_the_drop(connection, registered):
    assert connection.ask(bytes(16), Request.REGISTER, text_field(registered.name)) == Reply(
        DROP_VERSION, Answer.REGISTER_REFUSED, b""
    )


def test_a_taken_name_is_refused_in_messages(connection, new_user):
    user = connection.register_for_messages(new_user())
    connection.send(register_for_messages_frame(user.name, user.public_key))
    assert connection.receive() == MESSAGES_ERROR


def test_a_name_of_the_drop_is_taken_in_messages(connection, registered):
    connection.send(register_for_messages_frame(registered.name, registered.public_key))
    assert connection.receive() == MESSAGES_ERROR


def test_a_name_of_messages_is_taken_in_the_drop(connection, new_user):
    user = connection.register_for_messages(new_user())
    assert connection.ask(bytes(16), Request.REGISTER, text_field(user.name)).code == Answer.REGISTER_REFUSED


def test_a_name_is_taken_in_every_case_of_its_letters(connection, user):
    for name in (user.name.upper(), user.name.title()):
        assert name != user.name
        connection.send(register_frame(name) + register_for_messages_frame(name, user.public_key))
        assert connection.receive().code == Answer.REGISTER_REFUSED
        assert connection.receive() == MESSAGES_ERROR


def test_a_reconnect_wants_the_exact_name(connection, user):
    shouting = User(user.name.upper(), user.private_key, user.id)
    for frame, refusal in ((reconnect_frame, refused_reconnect(user.id)), (public_key_frame, DROP_ERROR)):
        connection.send(frame(shouting))
        assert connection.receive() == refusal
    connection.reconnect(user)


def test_users_whose_old_names_would_not_be_registered_now_still_log_in(own_server, new_user):
    with own_server.connect() as client:
        users = [client.introduce(new_user()) for _ in range(3)]
    own_server.stop()
    database = sqlite3.connect(own_server.data / "kesher.db")
    for user, name in zip(users, ("alice", "Alice", " alice "), strict=True):
        database.execute("UPDATE clients SET Name = ? WHERE ID = ?", (name, user.id))
        user.name = name
    database.commit()
    database.close()
    own_server.start()
    with own_server.connect() as client:
        for user in users:
            client.reconnect(user)
            client.send_public_key(user)
            client.put(user, "x", user.name.encode())
        client.send(register_frame("ALICE"))
        assert client.receive().code == Answer.REGISTER_REFUSED
    assert [own_server.stored(user.id, "x") for user in users] == [b"alice", b"Alice", b" alice "]


def test_no_half_of_an_id_begins_or_ends_with_a_zero_digit(connection, new_user):
    ids = [connection.register(new_user()).id for _ in range(100)]
    assert all(client_id[place] >= 0x10 for client_id in ids for place in (0, 7, 8, 15))


def test_a_refused_registration_leaves_the_owner_of_the_name_alone(connection, user):
    connection.ask(bytes(16), Request.REGISTER, text_field(user.name))
    connection.send(register_for_messages_frame(user.name, user.public_key))
    assert connection.receive() == MESSAGES_ERROR
    connection.reconnect(user)


def test_a_user_of_messages_reconnects_in_the_drop_and_uploads(server, connection, new_user):
    user = connection.register_for_messages(new_user())
    connection.reconnect(user)
    connection.put(user, "x", b"from a user of messages")
    assert server.stored(user.id, "x") == b"from a user of messages"


def test_a_user_of_messages_may_send_its_key_again_in_the_drop(connection, new_user):
    user = connection.register_for_messages(new_user())
    connection.send_public_key(user)
    connection.put(user, "x", b"content")


def test_of_twenty_registrations_of_one_name_at_once_exactly_one_wins(server, new_user):
    for _ in range(5):
        user = new_user()
        ways = [
            register_frame(user.name),
            register_for_messages_frame(user.name, user.public_key),
            register_frame(user.name.upper()),
            register_for_messages_frame(user.name.title(), user.public_key),
        ]
        codes = race(server, ways * 5)
        assert codes.count(Answer.REGISTERED) == 1
        assert set(codes) <= {Answer.REGISTERED, Answer.REGISTER_REFUSED, Answer.MESSAGES_ERROR}
        assert len(server.rows("SELECT ID FROM clients WHERE lower(Name) = ?", user.name)) == 1


@pytest.mark.parametrize("way", ["drop", "messages"])
def test_an_answered_registration_survives_kill_9(make_server, new_user, way):
    server = make_server()
    for _ in range(3):
        user = new_user()
        with server.connect() as client:
            (client.register if way == "drop" else client.register_for_messages)(user)
        server.restart_after_kill()
        with server.connect() as client:
            assert (
                client.ask(bytes(16), Request.REGISTER, text_field(user.name)).code == Answer.REGISTER_REFUSED
            )
            client.send_public_key(user)


def test_many_registrations_at_once_survive_kill_9(own_server, private_keys):
    users = [User(f"user {number}", private_keys[0]) for number in range(200)]
    with own_server.connect() as client:
        client.send(b"".join(register_frame(user.name) for user in users))
        for user in users:
            user.id = client.expect(Answer.REGISTERED).payload
    own_server.restart_after_kill()
    assert dict(own_server.rows("SELECT Name, ID FROM clients")) == {user.name: user.id for user in users}
    with own_server.connect() as client:
        for user in users:
            client.send_public_key(user)


# -- public keys


def test_a_public_key_is_answered_with_the_id_and_an_aes_key_for_it(connection, registered):
    connection.send(public_key_frame(registered))
    answer = connection.receive()
    assert (answer.version, answer.code, len(answer.payload)) == (DROP_VERSION, Answer.KEY, 16 + 128)
    assert answer.payload[:16] == registered.id
    assert len(registered.take_key(answer)) == 16


def test_a_public_key_survives_kill_9(own_server, new_user):
    with own_server.connect() as client:
        user = client.register(new_user())
        client.send_public_key(user)
    own_server.restart_after_kill()
    with own_server.connect() as client:
        client.reconnect(user)


def test_a_public_key_of_an_unknown_id_is_refused(connection, new_user):
    user = new_user()
    user.id = UNKNOWN_ID
    connection.send(public_key_frame(user))
    assert connection.receive() == DROP_ERROR


def test_the_same_public_key_again_is_answered_with_a_fresh_aes_key(connection, user):
    keys = {user.aes_key} | {connection.send_public_key(user) for _ in range(5)}
    assert len(keys) == 6


def test_another_public_key_is_refused_and_the_first_one_stays(connection, user, other_key):
    connection.send(public_key_frame(User(user.name, other_key, user.id)))
    assert connection.receive() == DROP_ERROR
    connection.reconnect(user)
    connection.send_public_key(user)


def test_another_public_key_than_that_of_a_registration_for_messages_is_refused(
    connection, new_user, other_key
):
    user = connection.register_for_messages(new_user())
    connection.send(public_key_frame(User(user.name, other_key, user.id)))
    assert connection.receive() == DROP_ERROR
    connection.reconnect(user)


def test_of_two_public_keys_at_once_exactly_one_wins(server, new_user, other_key):
    for _ in range(5):
        with server.connect() as client:
            user = client.register(new_user())
        rival = User(user.name, other_key, user.id)
        codes = race(server, [public_key_frame(user), public_key_frame(rival)] * 5)
        assert sorted(codes) == [Answer.KEY] * 5 + [Answer.ERROR] * 5


def test_one_public_key_may_belong_to_several_users(connection, new_user):
    for _ in range(3):
        user = connection.register(new_user())
        connection.send_public_key(user)


# -- bad public keys


def subject_public_key_info(modulus: int, exponent: int) -> bytes:
    """The DER of any two numbers, sensible as a key or not."""
    algorithm = DerSequence([DerObjectId("1.2.840.113549.1.1.1").encode(), DerNull().encode()])
    numbers = DerSequence([DerInteger(modulus).encode(), DerInteger(exponent).encode()])
    return DerSequence([algorithm.encode(), DerBitString(numbers.encode()).encode()]).encode()


def padded(der: bytes) -> bytes:
    return der.ljust(PUBLIC_KEY_SIZE, b"\0")


def odd_number(bits: int) -> int:
    return (1 << (bits - 1)) + 0x1234567


def bad_public_keys() -> dict[str, bytes]:
    """Keys of exactly 160 bytes, each with one thing wrong."""
    modulus = odd_number(1024)
    der = subject_public_key_info(modulus, 17)
    without_parameters = der.replace(b"\x30\x0d\x06", b"\x30\x0b\x06").replace(b"\x05\x00\x03", b"\x03")
    return {
        "not DER": b"\xa5" * PUBLIC_KEY_SIZE,
        "zeros": bytes(PUBLIC_KEY_SIZE),
        "the first 160 bytes of a 2048-bit key": subject_public_key_info(odd_number(2048), 17)[
            :PUBLIC_KEY_SIZE
        ],
        "512 bits, padded with zeros": padded(subject_public_key_info(odd_number(512), 17)),
        "1016 bits, padded with zeros": padded(subject_public_key_info(odd_number(1016), 17)),
        "1016 bits": subject_public_key_info(odd_number(1016), 257),
        "1023 bits": subject_public_key_info(odd_number(1023), 257),
        "even modulus": subject_public_key_info(modulus - 1, 17),
        "negative modulus": subject_public_key_info(modulus - (1 << 1024), 257),
        "even exponent": subject_public_key_info(modulus, 18),
        "exponent 0": subject_public_key_info(modulus, 0),
        "exponent 1": subject_public_key_info(modulus, 1),
        "exponent 2": subject_public_key_info(modulus, 2),
        "negative exponent": subject_public_key_info(modulus, -17),
        "PKCS#1 without its wrapping": padded(DerSequence([modulus, 17]).encode()),
        "another algorithm": der.replace(b"\x86\xf7\x0d\x01\x01\x01", b"\x86\xf7\x0d\x01\x01\x02"),
        "trailing bytes": padded(b"\x30\x81\x9b" + without_parameters[3:]),
        "an indefinite length": b"\x30\x80" + der[3:] + b"\0",
    }


BAD_KEYS = bad_public_keys()


def test_the_builder_of_bad_keys_builds_good_ones_too(private_keys):
    good = private_keys[0].public_key()
    assert subject_public_key_info(good.n, good.e) == good.export_key("DER")


@pytest.mark.parametrize("kind", BAD_KEYS)
def test_a_bad_public_key_is_refused_in_the_drop_and_a_good_one_taken_after_it(connection, registered, kind):
    assert len(BAD_KEYS[kind]) == PUBLIC_KEY_SIZE
    connection.send(public_key_frame(registered, BAD_KEYS[kind]))
    assert connection.receive() == DROP_ERROR
    connection.send_public_key(registered)


@pytest.mark.parametrize("kind", BAD_KEYS)
def test_a_registration_for_messages_with_a_bad_key_is_refused_and_its_name_stays_free(
    connection, new_user, kind
):
    user = new_user()
    connection.send(register_for_messages_frame(user.name, BAD_KEYS[kind]))
    assert connection.receive() == MESSAGES_ERROR
    connection.register_for_messages(user)


def test_an_exponent_of_three_is_accepted(connection, registered, private_keys):
    connection.send(public_key_frame(registered, subject_public_key_info(private_keys[0].n, 3)))
    assert connection.receive().code == Answer.KEY


# -- reconnecting


def test_a_reconnect_is_answered_with_the_id_and_a_fresh_aes_key(connection, user):
    connection.send(reconnect_frame(user))
    answer = connection.receive()
    assert (answer.version, answer.code, len(answer.payload)) == (DROP_VERSION, Answer.KEY_AGAIN, 16 + 128)
    keys = {user.aes_key, user.take_key(answer)} | {connection.reconnect(user) for _ in range(5)}
    assert len(keys) == 7


def test_a_reconnect_with_an_unknown_id_is_refused_with_the_id_as_sent(connection, user):
    connection.send(reconnect_frame(User(user.name, user.private_key, UNKNOWN_ID)))
    assert connection.receive() == refused_reconnect(UNKNOWN_ID)


def test_a_reconnect_under_another_name_is_refused_with_the_id_as_sent(connection, user, new_user):
    other = connection.register_for_messages(new_user())
    for name in ("no such name", other.name, user.name + "x", user.name[:-1], user.name.upper()):
        connection.send(reconnect_frame(user, name))
        assert connection.receive() == refused_reconnect(user.id), name


def test_a_reconnect_without_a_public_key_is_refused_with_the_id_as_sent(connection, registered):
    connection.send(reconnect_frame(registered))
    assert connection.receive() == refused_reconnect(registered.id)


def test_registering_on_the_connection_that_just_got_a_2106_is_fine(server, connection, new_user):
    user = new_user()
    user.id = UNKNOWN_ID
    connection.send(reconnect_frame(user))
    assert connection.receive() == refused_reconnect(UNKNOWN_ID)
    connection.register(user)
    connection.send_public_key(user)
    connection.put(user, "x", b"after a 2106")
    assert server.stored(user.id, "x") == b"after a 2106"


def test_sending_the_key_on_the_connection_that_just_got_a_2106_is_fine(connection, registered):
    connection.send(reconnect_frame(registered))
    assert connection.receive() == refused_reconnect(registered.id)
    connection.send_public_key(registered)
    connection.put(registered, "x", b"content")


# -- the AES key


@pytest.mark.parametrize("step", ["send_public_key", "reconnect"])
@pytest.mark.parametrize("end", ["restart", "restart_after_kill"])
def test_an_aes_key_survives_a_restart(own_server, new_user, step, end):
    with own_server.connect() as client:
        user = client.register_for_messages(new_user())
        getattr(client, step)(user)
    getattr(own_server, end)()
    with own_server.connect() as client:
        client.put(user, "x", b"under the key from before")
    assert own_server.stored(user.id, "x") == b"under the key from before"


# -- the alias


def users_listed(client, user: User) -> list[tuple[bytes, str]]:
    """The (alias, name) pairs of a 601."""
    answer = client.ask(user.id, Request.LIST_USERS, version=MESSAGES_VERSION)
    assert answer.code == LIST_OF_USERS
    return [(alias, name.split(b"\0")[0].decode()) for alias, name in USER_ENTRY.iter_unpack(answer.payload)]


def test_another_users_id_is_never_told(connection, user, new_user):
    other = connection.register(new_user())
    told = {name: alias for alias, name in users_listed(connection, user)}
    assert told[other.name] != other.id
    assert user.name not in told


def test_an_alias_is_stable_over_a_restart(own_server, new_user):
    with own_server.connect() as client:
        user, _ = client.register_for_messages(new_user()), client.register(new_user())
        before = users_listed(client, user)
    own_server.restart_after_kill()
    with own_server.connect() as client:
        assert users_listed(client, user) == before


def test_each_server_has_aliases_of_its_own(make_server):
    """Else whoever knows the ids of one server's users could make those of another's from what everybody sees."""
    statement = "SELECT Value FROM settings WHERE Name = 'alias key'"
    keys = {bytes(make_server().rows(statement)[0][0]) for _ in range(2)}
    assert len(keys) == 2 and {len(key) for key in keys} == {16}


def test_an_alias_is_not_an_id(connection, user, new_user):
    """Whoever knows only the alias can neither reconnect, nor send a key, nor touch a file."""
    other = connection.register_for_messages(new_user())
    connection.reconnect(other)
    alias = {name: alias for alias, name in users_listed(connection, user)}[other.name]
    thief = User(other.name, other.private_key, alias, other.aes_key)
    connection.send(
        reconnect_frame(thief)
        + public_key_frame(thief)
        + file_frame(alias, "x", other.encrypt(b"stolen"))
        + named_frame(alias, Request.CRC_OK, "x")
        + named_frame(alias, Request.GIVE_UP, "x")
    )
    assert connection.receive() == refused_reconnect(alias)
    assert [connection.receive() for _ in range(4)] == [DROP_ERROR] * 4


def test_public_ids_plain_shows_the_ids_themselves_and_warns(make_server, new_user):
    plain_server = make_server(public_ids="plain")
    assert re.search("insecure", plain_server.log(), re.IGNORECASE)
    with plain_server.connect() as client:
        asking, other = client.register(new_user()), client.register(new_user())
        assert users_listed(client, asking) == [(other.id, other.name)]


# -- what is on disk


def test_the_clients_table_has_the_documented_columns(server):
    columns = {row[1]: row[2].upper() for row in server.rows("PRAGMA table_info(clients)")}
    assert {"ID", "Name", "PublicKey", "LastSeen", "AESKey"} <= set(columns)
    assert [columns[name][:4] for name in ("ID", "Name", "PublicKey", "LastSeen", "AESKey")] == [
        "BLOB",
        "TEXT",
        "BLOB",
        "TEXT",
        "BLOB",
    ]


def test_the_row_of_a_user_holds_what_was_sent_and_issued(server, connection, user):
    ((name, public_key, last_seen, aes_key),) = server.rows(
        "SELECT Name, PublicKey, LastSeen, AESKey FROM clients WHERE ID = ?", user.id
    )
    assert (name, public_key, aes_key) == (user.name, user.public_key, user.aes_key)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", last_seen)
    connection.reconnect(user)
    assert server.rows("SELECT AESKey FROM clients WHERE ID = ?", user.id) == [(user.aes_key,)]


def test_the_row_of_a_user_without_a_key_has_none(server, registered):
    assert server.rows("SELECT Name, PublicKey, AESKey FROM clients WHERE ID = ?", registered.id) == [
        (registered.name, None, None)
    ]


def test_the_data_directory_is_for_its_owner_only(server, connection, user):
    connection.put(user, "x", b"content")
    connection.send_file(user, "staged", b"content")
    for path in [server.data, *server.data.rglob("*")]:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_the_data_directory_is_for_its_owner_only_even_under_an_open_umask(make_server):
    before = os.umask(0)
    try:
        server = make_server()
    finally:
        os.umask(before)
    for path in [server.data, *server.data.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_second_server_on_the_same_data_is_refused_with_one_clear_line(server, connection, registered):
    second = Kesherd(server.data, log_level="error")
    run = subprocess.run(second.command(), capture_output=True, text=True, timeout=60, env=environment())
    assert run.returncode == 1
    lines = (run.stdout + run.stderr).splitlines()
    assert len(lines) == 1, lines
    assert str(server.data) in lines[0]
    connection.send_public_key(registered)


def test_a_stopped_server_leaves_an_intact_database(own_server, new_user):
    with own_server.connect() as client:
        user = client.register(new_user())
        client.send_public_key(user)
        client.put(user, "x", b"content")
    own_server.stop()
    database = sqlite3.connect(own_server.data / "kesher.db")
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert database.execute("SELECT Name FROM clients").fetchall() == [(user.name,)]
    database.close()
