"""The rules of the frames themselves: how they arrive, sizes, codes, versions, text fields.

Everything here holds for every request; the meaning of each is in the other files.
"""

import os
import threading

import pytest
from peer import crypto
from peer.conversation import UNKNOWN_CODE, assert_served, conversation, taken
from peer.drop import (
    User,
    file_frame,
    named_frame,
    public_key_frame,
    reconnect_frame,
    register_for_messages_frame,
    register_frame,
)
from peer.frames import (
    DROP_ERROR,
    DROP_VERSION,
    MESSAGES_ERROR,
    MESSAGES_VERSION,
    NO_ID,
    SKIPPED_PAYLOAD_LIMIT,
    Answer,
    Reply,
    Request,
    request,
    text_field,
)

HUGE = 0xFFFFFFFF

# code -> (payload size that fits, answer to one that does not)
FIXED_SIZES = {
    Request.REGISTER: (255, Reply(DROP_VERSION, Answer.REGISTER_REFUSED, b"")),
    Request.REGISTER_FOR_MESSAGES: (415, MESSAGES_ERROR),
    Request.PUBLIC_KEY: (415, DROP_ERROR),
    Request.RECONNECT: (255, DROP_ERROR),
    Request.CRC_OK: (255, DROP_ERROR),
    Request.CRC_WRONG: (255, DROP_ERROR),
    Request.GIVE_UP: (255, DROP_ERROR),
}
CODES = list(FIXED_SIZES)


# -- how frames arrive


def test_a_conversation_that_arrives_one_byte_at_a_time_is_answered(connection, user):
    data, codes = conversation(user)
    connection.send_bytewise(data)
    assert [connection.receive().code for _ in codes] == codes


def test_a_conversation_split_anywhere_is_answered(server, user):
    data, codes = conversation(user)
    for split in range(1, len(data)):
        with server.connect() as connection:
            connection.send(data[:split])
            connection.send(data[split:])
            assert [connection.receive().code for _ in codes] == codes, split


def test_a_hundred_frames_in_one_segment_are_answered_in_order(connection, user):
    plain = [f"text {number}".encode() for number in range(50)]
    connection.send(
        b"".join(
            file_frame(user.id, f"file {number}", user.encrypt(text))
            + named_frame(user.id, Request.CRC_OK, f"file {number}")
            for number, text in enumerate(plain)
        )
    )
    for number, text in enumerate(plain):
        received = connection.expect(Answer.FILE_RECEIVED).payload
        assert received[20:275] == text_field(f"file {number}")
        assert int.from_bytes(received[275:], "little") == crypto.cksum(text)
        assert connection.expect(Answer.THANKS).payload == user.id


def test_pipelined_requests_of_all_kinds_are_answered_in_order(connection, user, fresh_name):
    connection.send(
        taken(user)
        + register_frame(fresh_name())
        + request(user.id, UNKNOWN_CODE)
        + reconnect_frame(user)
        + named_frame(user.id, Request.CRC_OK, "none")
        + public_key_frame(user)
        + named_frame(user.id, Request.GIVE_UP, "none")
        + taken(user)
    )
    codes = [connection.receive().code for _ in range(8)]
    assert codes == [
        Answer.REGISTER_REFUSED,
        Answer.REGISTERED,
        Answer.MESSAGES_ERROR,
        Answer.KEY_AGAIN,
        Answer.ERROR,
        Answer.KEY,
        Answer.THANKS,
        Answer.REGISTER_REFUSED,
    ]


def test_pipelined_requests_take_effect_in_order(connection, registered, fresh_name):
    """Each of these would get another answer if it overtook the one before it."""
    name = fresh_name()
    connection.send(
        reconnect_frame(registered)
        + public_key_frame(registered)
        + reconnect_frame(registered)
        + register_frame(name)
        + register_frame(name)
    )
    codes = [connection.receive().code for _ in range(5)]
    assert codes == [
        Answer.RECONNECT_REFUSED,
        Answer.KEY,
        Answer.KEY_AGAIN,
        Answer.REGISTERED,
        Answer.REGISTER_REFUSED,
    ]


def test_a_connection_carries_any_number_of_requests(connection, user):
    for _ in range(500):
        assert_served(connection, user)


def test_each_request_may_come_on_a_connection_of_its_own(server, new_user):
    user, plain = new_user(), b"one connection for each request"
    for step in (
        lambda client: client.register(user),
        lambda client: client.send_public_key(user),
        lambda client: client.send_file(user, "x", plain),
        lambda client: client.confirm(user, "x"),
    ):
        with server.connect() as client:
            step(client)
    assert server.stored(user.id, "x") == plain


def test_old_connections_may_stay_open_beside_new_ones(server, new_user):
    user, plain = new_user(), b"the old connections stay open"
    clients = [server.connect() for _ in range(4)]
    clients[0].register(user)
    clients[1].send_public_key(user)
    clients[2].send_file(user, "x", plain)
    clients[3].confirm(user, "x")
    for client in clients:
        assert_served(client, user)
        client.close()


# -- unknown codes


@pytest.mark.parametrize("code", [0, 1, 599, 605, UNKNOWN_CODE, 1024, 1032, 2100, 9000, 65535])
def test_an_unknown_code_gets_9000_of_version_2_without_payload(connection, user, code):
    assert connection.ask(user.id, code) == MESSAGES_ERROR
    assert_served(connection, user)


@pytest.mark.parametrize("size", [1, 255, 4096, SKIPPED_PAYLOAD_LIMIT - 1, SKIPPED_PAYLOAD_LIMIT])
def test_the_payload_of_an_unknown_code_is_skipped(connection, user, size):
    assert connection.ask(user.id, UNKNOWN_CODE, taken(user)[:1] * size) == MESSAGES_ERROR
    assert_served(connection, user)


def test_an_unknown_code_needs_no_registered_id(connection, user):
    assert connection.ask(os.urandom(16), UNKNOWN_CODE, b"x") == MESSAGES_ERROR
    assert_served(connection, user)


def test_a_longer_payload_of_an_unknown_code_ends_the_connection_after_the_answer(connection, user):
    connection.send(request(user.id, UNKNOWN_CODE, bytes(SKIPPED_PAYLOAD_LIMIT + 1)))
    assert connection.receive_until_end() == [MESSAGES_ERROR]


def test_the_last_answer_arrives_although_unread_data_is_on_its_way(server, user):
    """A close with unread data would send a reset, and a reset would overtake the answer in the client."""
    data = request(user.id, UNKNOWN_CODE, bytes(8 << 20))
    for _ in range(10):
        with server.connect() as connection:
            sender = threading.Thread(target=connection.send_as_far_as_taken, args=(data,))
            sender.start()
            assert connection.receive() == MESSAGES_ERROR
            sender.join()
            assert connection.has_ended()


def test_the_answers_before_the_last_one_arrive_too(connection, user):
    connection.send_as_far_as_taken(
        taken(user) * 20 + request(user.id, UNKNOWN_CODE, bytes(1 << 20)) + taken(user)
    )
    codes = [answer.code for answer in connection.receive_until_end()]
    assert codes == [Answer.REGISTER_REFUSED] * 20 + [Answer.MESSAGES_ERROR]


# -- payload sizes that do not fit


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("difference", [-1, 1])
def test_a_size_that_is_off_by_one_gets_the_services_error_and_is_skipped(connection, user, code, difference):
    fits, error = FIXED_SIZES[code]
    assert connection.ask(user.id, code, bytes(fits + difference)) == error
    assert_served(connection, user)


@pytest.mark.parametrize("code", CODES)
def test_a_request_without_its_payload_gets_the_services_error(connection, user, code):
    assert connection.ask(user.id, code) == FIXED_SIZES[code][1]
    assert_served(connection, user)


@pytest.mark.parametrize("code", CODES)
def test_a_wrong_size_of_64_kib_is_skipped(connection, user, code):
    assert connection.ask(user.id, code, bytes(SKIPPED_PAYLOAD_LIMIT)) == FIXED_SIZES[code][1]
    assert_served(connection, user)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("size", [SKIPPED_PAYLOAD_LIMIT + 1, HUGE])
def test_a_wrong_size_over_64_kib_ends_the_connection_after_the_answer(connection, user, code, size):
    connection.send(request(user.id, code, bytes(300), declared=size))
    assert connection.receive_until_end() == [FIXED_SIZES[code][1]]


def test_a_registration_of_the_wrong_size_registers_nobody(connection, fresh_name):
    name = fresh_name()
    connection.ask(NO_ID, Request.REGISTER, text_field(name) + b"\0")
    connection.send(register_frame(name))
    connection.expect(Answer.REGISTERED)


@pytest.mark.parametrize("size", [0, 1, 4, 258])
def test_a_file_request_too_short_for_its_fixed_fields_is_an_error_and_skipped(connection, user, size):
    assert connection.ask(user.id, Request.SEND_FILE, bytes(size)) == DROP_ERROR
    assert_served(connection, user)


@pytest.mark.parametrize("difference", [-16, -1, 1, 16])
def test_a_file_request_whose_two_sizes_disagree_is_an_error_and_skipped(connection, user, difference):
    content = bytes(64)
    connection.send(file_frame(user.id, "x", content, content_size=len(content) + difference))
    assert connection.receive() == DROP_ERROR
    assert_served(connection, user)


def test_a_long_file_request_whose_two_sizes_disagree_ends_the_connection_after_the_answer(connection, user):
    connection.send_as_far_as_taken(file_frame(user.id, "x", bytes(SKIPPED_PAYLOAD_LIMIT), content_size=16))
    assert connection.receive_until_end() == [DROP_ERROR]


# -- versions


def test_drop_answers_have_version_3(connection, new_user):
    user = new_user()
    connection.send(register_frame(user.name))
    registered = connection.receive()
    user.id = registered.payload
    connection.send(
        register_frame(user.name)
        + public_key_frame(user)
        + reconnect_frame(user)
        + reconnect_frame(user, "another name")
    )
    answers = [registered] + [connection.receive() for _ in range(4)]
    user.take_key(answers[3])
    connection.send(
        file_frame(user.id, "x", user.encrypt(b""))
        + named_frame(user.id, Request.CRC_OK, "x")
        + named_frame(user.id, Request.CRC_OK, "x")
    )
    answers += [connection.receive() for _ in range(3)]
    assert [(answer.code, answer.version) for answer in answers] == [
        (code, DROP_VERSION)
        for code in (
            Answer.REGISTERED,
            Answer.REGISTER_REFUSED,
            Answer.KEY,
            Answer.KEY_AGAIN,
            Answer.RECONNECT_REFUSED,
            Answer.FILE_RECEIVED,
            Answer.THANKS,
            Answer.ERROR,
        )
    ]


def test_messages_answers_have_version_2(connection, new_user):
    user = new_user()
    connection.send(register_for_messages_frame(user.name, user.public_key) * 2)
    answers = [connection.receive() for _ in range(2)]
    assert [(answer.code, answer.version) for answer in answers] == [
        (Answer.REGISTERED, MESSAGES_VERSION),
        (Answer.MESSAGES_ERROR, MESSAGES_VERSION),
    ]


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 255])
def test_any_version_of_a_request_is_accepted_and_does_not_change_the_answers(connection, new_user, version):
    for code, payload, answer_version in (
        (Request.REGISTER, text_field(new_user().name), DROP_VERSION),
        (
            Request.REGISTER_FOR_MESSAGES,
            text_field(new_user().name) + new_user().public_key,
            MESSAGES_VERSION,
        ),
    ):
        answer = connection.ask(NO_ID, code, payload, version=version)
        assert (answer.version, answer.code, len(answer.payload)) == (answer_version, Answer.REGISTERED, 16)


# -- text fields and user names


def test_garbage_after_the_nul_is_ignored_in_user_names(connection, new_user):
    user = new_user()
    connection.send(register_frame(text_field(user.name, b"\xcd\xff\0garbage")))
    user.id = connection.expect(Answer.REGISTERED).payload
    connection.send(register_frame(text_field(user.name, b"\xfe")))
    connection.expect(Answer.REGISTER_REFUSED)
    connection.send(public_key_frame(user, name=text_field(user.name, b"\x80")))
    user.take_key(connection.expect(Answer.KEY))
    connection.send(reconnect_frame(user, text_field(user.name, b"something else")))
    user.take_key(connection.expect(Answer.KEY_AGAIN))


def test_garbage_after_the_nul_is_ignored_in_file_names(server, connection, user):
    connection.send_file(user, text_field("a file", b"\xcd"), b"first")
    connection.confirm(user, text_field("a file", b"other garbage"))
    assert server.stored(user.id, "a file") == b"first"


@pytest.mark.parametrize(
    "code, error",
    [(Request.REGISTER, Answer.REGISTER_REFUSED), (Request.REGISTER_FOR_MESSAGES, Answer.MESSAGES_ERROR)],
)
def test_a_user_name_without_a_nul_is_invalid_at_registration(connection, user, code, error):
    key = user.public_key if code == Request.REGISTER_FOR_MESSAGES else b""
    assert connection.ask(NO_ID, code, b"n" * 255 + key).code == error
    assert_served(connection, user)


def test_a_user_name_without_a_nul_is_refused_with_a_public_key(connection, registered):
    connection.send(public_key_frame(registered, name=b"n" * 255))
    assert connection.receive() == DROP_ERROR
    assert_served(connection, registered)


def test_a_user_name_without_a_nul_is_refused_at_a_reconnect(connection, user):
    connection.send(reconnect_frame(user, b"n" * 255))
    assert connection.receive().code in (Answer.RECONNECT_REFUSED, Answer.ERROR)
    assert_served(connection, user)


def test_a_file_name_without_a_nul_is_refused_and_its_content_skipped(connection, user):
    connection.send(file_frame(user.id, b"n" * 255, user.encrypt(b"content")))
    assert connection.receive() == DROP_ERROR
    assert_served(connection, user)


@pytest.mark.parametrize("code", [Request.CRC_OK, Request.GIVE_UP])
def test_a_confirmation_without_a_nul_is_refused(connection, user, code):
    assert connection.ask(user.id, code, b"n" * 255) == DROP_ERROR
    assert_served(connection, user)


NAMES_ALLOWED = {
    "one letter": "a",
    "254 bytes": "m" * 254,
    "inner blanks": "Anna Maria",
    "first and last printable": "!~",
    "looks like a path": "../../etc/passwd",
    "looks like SQL": "'; DROP TABLE clients; --",
}


@pytest.mark.parametrize("way", ["register", "register_for_messages"])
def test_printable_user_names_are_accepted(own_server, private_keys, way):
    with own_server.connect() as connection:
        for kind, name in NAMES_ALLOWED.items():
            user = User(name, private_keys[0])
            getattr(connection, way)(user)
            assert own_server.rows("SELECT Name FROM clients WHERE ID = ?", user.id) == [(name,)], kind


NAMES_FORBIDDEN = {
    "empty": b"",
    "one blank": b" ",
    "only blanks": b" " * 254,
    "blank before": b" Anna",
    "blank behind": b"Anna ",
    "newline": b"Anna\n",
    "tab": b"An\tna",
    "control byte": b"\x01Anna",
    "highest control byte": b"An\x1fna",
    "delete": b"Anna\x7f",
    "first byte over ASCII": b"Anna\x80",
    "UTF-8": "שרה".encode(),
    "0xff": b"\xff",
}


@pytest.mark.parametrize("kind", NAMES_FORBIDDEN)
def test_a_forbidden_user_name_is_refused_by_both_registrations(connection, user, kind):
    name = NAMES_FORBIDDEN[kind]
    connection.send(register_frame(name))
    assert connection.receive() == Reply(DROP_VERSION, Answer.REGISTER_REFUSED, b"")
    connection.send(register_for_messages_frame(name, user.public_key))
    assert connection.receive() == MESSAGES_ERROR
    assert_served(connection, user)


@pytest.mark.parametrize("client_id", [NO_ID, b"\xff" * 16, b"any bytes at all"])
def test_registrations_ignore_the_client_id(connection, new_user, client_id):
    connection.send(register_frame(new_user().name, client_id))
    first = connection.expect(Answer.REGISTERED).payload
    connection.send(register_for_messages_frame(new_user().name, new_user().public_key, client_id))
    second = connection.expect(Answer.REGISTERED).payload
    assert len({client_id, first, second}) == 3


def test_a_registration_with_the_id_of_a_user_leaves_that_user_alone(server, connection, user, fresh_name):
    connection.send(register_frame(fresh_name(), user.id))
    assert connection.expect(Answer.REGISTERED).payload != user.id
    connection.reconnect(user)
