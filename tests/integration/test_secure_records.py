"""What comes after the handshake on the secure port: records of any size, new keys, what has no place, and ends."""

import pytest
from peer import accounts
from peer.accounts import Account, Answer, Request
from peer.frames import RESPONSE_HEADER
from peer.memory import MemoryWatch
from peer.secure import PROBE, SecureClient, frame
from peer.tls_records import (
    ALERT,
    APPLICATION,
    CHANGE_CIPHER_SPEC,
    CLIENT_HELLO,
    CLOSE_NOTIFY,
    HANDSHAKE,
    LARGEST_CONTENT,
    NEW_SESSION_TICKET,
    RECORD_HEADER,
    UNEXPECTED_MESSAGE,
    RecordClient,
    handshake_message,
    record,
)

FLOOD = 5000


@pytest.fixture
def records(secure):
    with RecordClient(secure.secure_address) as client:
        yield client


def assert_answered(records: RecordClient, times: int = 1) -> None:
    """So many requests that anybody may make were refused."""
    for _ in range(times):
        version, code, size = RESPONSE_HEADER.unpack(records.receive(RESPONSE_HEADER.size))
        assert (version, code) == (accounts.VERSION, Answer.REFUSED)
        records.receive(size)


def assert_served(records: RecordClient, **options) -> None:
    records.send(frame(PROBE), **options)
    assert_answered(records)


def alerts(came: list[tuple[int, bytes]]) -> list[int]:
    return [content[1] for kind, content in came if kind == ALERT]


def send_as_far_as_taken(records: RecordClient, data: bytes) -> None:
    try:
        records.raw.sendall(data)
    except OSError:
        pass  # the server has ended the connection


def test_a_request_in_records_of_single_bytes_is_one(records):
    for byte in frame(PROBE):
        records.send(bytes([byte]))
    assert_answered(records)


def test_a_hundred_requests_in_one_record_are_a_hundred(records):
    records.send(frame(PROBE) * 100)
    assert_answered(records, 100)


def test_a_record_of_the_largest_size_and_padding_are_taken(records):
    assert_served(records, padding=LARGEST_CONTENT - len(frame(PROBE)))
    assert_served(records, padding=1)


def test_records_cut_at_every_byte_are_whole_when_the_rest_comes(records):
    sealed = records.seal(APPLICATION, frame(PROBE))
    for byte in sealed:
        records.raw.sendall(bytes([byte]))
    assert_answered(records)


@pytest.mark.parametrize("requested", [False, True])
def test_new_keys_are_followed(records, requested):
    for count in range(1, 6):
        records.raw.sendall(records.key_update(requested))
        assert_served(records)
        assert records.key_updates == (count if requested else 0)


def test_new_keys_of_somebody_who_signed_in_change_nothing(secure, records, fresh_name):
    with secure.connect_secure() as client:
        account = client.register(Account(), fresh_name())
    records.raw.sendall(records.key_update(requested=True))
    sign_in(records, account)


def sign_in(records: RecordClient, account: Account) -> None:
    """From then on nothing ends the connection but what it does."""
    engine = records.tls.engine
    channel = engine.peer_fingerprint() + engine.exporter()
    signature = account.sign(accounts.sign_in_signed(channel, account.key))
    records.send(frame(Request.SIGN_IN, accounts.sign_in_payload(account.key, signature)))
    _, code, size = RESPONSE_HEADER.unpack(records.receive(RESPONSE_HEADER.size))
    assert code == Answer.SIGNED_IN
    records.receive(size)


@pytest.mark.parametrize("requested", [False, True])
def test_a_flood_of_new_keys_ends_the_connection(secure, records, new_account, requested):
    """Of somebody who signed in, too, and whether the answers are read or not."""
    client, account = new_account()
    sign_in(records, account)
    flood = b"".join(records.key_update(requested) for _ in range(FLOOD))
    with MemoryWatch(secure) as memory:
        send_as_far_as_taken(records, flood)
        records.receive_end()
    assert records.key_updates < FLOOD / 10
    assert memory.growth < 16 << 20
    client.account()


def test_a_flood_of_empty_records_ends_the_connection(records, client):
    send_as_far_as_taken(records, b"".join(records.seal(APPLICATION, b"") for _ in range(FLOOD)))
    send_as_far_as_taken(records, records.seal(APPLICATION, frame(PROBE)))
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]
    assert client.is_served()


@pytest.mark.parametrize("kind", [CLIENT_HELLO, NEW_SESSION_TICKET, 20, 11, 0, 255])
def test_there_is_no_handshake_after_the_handshake(records, kind):
    """No renegotiation either, which a ClientHello here would ask for."""
    body = records.tls.engine.connection.client_random()
    records.raw.sendall(records.seal(HANDSHAKE, handshake_message(kind, b"\3\3" + body)))
    assert alerts(records.receive_end()) == [UNEXPECTED_MESSAGE]


def test_half_a_message_of_a_handshake_lets_nothing_pass(records):
    records.raw.sendall(records.seal(HANDSHAKE, handshake_message(24, b"\0")[:3]))
    records.send(frame(PROBE))
    assert alerts(records.receive_end()) != []


@pytest.mark.parametrize(
    "sent",
    [
        record(APPLICATION, bytes(100)),
        record(HANDSHAKE, handshake_message(CLIENT_HELLO, bytes(40))),
        record(ALERT, b"\1\0"),  # close_notify in the clear, as anybody on the way could write it
        RECORD_HEADER.pack(APPLICATION, 0x0303, LARGEST_CONTENT + 257) + bytes(LARGEST_CONTENT + 257),
        RECORD_HEADER.pack(APPLICATION, 0x0303, 0),
    ],
    ids=["sealed with nothing", "hello", "close_notify", "too large", "empty"],
)
def test_records_of_somebody_on_the_way_end_the_connection(records, sent):
    send_as_far_as_taken(records, sent)
    send_as_far_as_taken(records, records.seal(APPLICATION, frame(PROBE)))
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]


def test_a_record_that_is_sent_again_ends_the_connection(records):
    sealed = records.seal(APPLICATION, frame(PROBE))
    records.raw.sendall(sealed)
    assert_answered(records)
    records.raw.sendall(sealed)
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]


def test_a_change_of_ciphers_in_the_clear_is_taken_once_at_most_after_the_handshake(records):
    send_as_far_as_taken(records, record(CHANGE_CIPHER_SPEC, b"\1"))
    send_as_far_as_taken(records, record(CHANGE_CIPHER_SPEC, b"\2"))
    send_as_far_as_taken(records, records.seal(APPLICATION, frame(PROBE)))
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]


# -- ends


def registration(records: RecordClient, name: str) -> bytes:
    engine = records.tls.engine
    channel = engine.peer_fingerprint() + engine.exporter()
    account = Account()
    signature = account.sign(accounts.register_signed(channel, account.key, name))
    payload = accounts.sign_in_payload(account.key, signature) + accounts.text(name) + accounts.text("")
    return frame(Request.REGISTER, payload)


def assert_free(secure, name: str) -> None:
    with secure.connect_secure() as client:
        client.register(Account(), name)


def test_a_request_that_a_cut_connection_left_incomplete_was_not_sent(secure, records, fresh_name):
    name = fresh_name()
    records.send(registration(records, name)[:-1])
    records.raw.shutdown(1)
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]
    assert_free(secure, name)


def test_a_record_that_a_cut_connection_left_incomplete_was_not_sent(secure, records, fresh_name):
    name = fresh_name()
    records.raw.sendall(records.seal(APPLICATION, registration(records, name))[:-1])
    records.raw.shutdown(1)
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]
    assert_free(secure, name)


def test_an_incomplete_request_before_close_notify_was_not_sent_either(secure, records, fresh_name):
    name = fresh_name()
    records.send(registration(records, name)[:-1])
    records.raw.sendall(records.seal(ALERT, bytes([1, CLOSE_NOTIFY])))
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]
    assert_free(secure, name)


def test_who_has_said_all_gets_all_answers_and_then_the_servers_end(secure, fresh_name):
    with secure.connect_secure() as client:
        client.send(frame(PROBE) * 50)
        client.finish_sending()
        assert [answer.code for answer in client.receive_until_end()] == [Answer.REFUSED] * 50
        assert not client.was_cut


def test_what_is_sent_after_close_notify_is_not_heard(secure, records, fresh_name):
    name = fresh_name()
    closing = records.seal(ALERT, bytes([1, CLOSE_NOTIFY]))
    records.raw.sendall(closing + records.seal(APPLICATION, registration(records, name)))
    assert APPLICATION not in [kind for kind, _ in records.receive_end()]
    assert_free(secure, name)


def test_a_complete_request_of_a_connection_that_was_cut_behind_it_counts(secure, fresh_name):
    name, account = fresh_name(), Account()
    with secure.connect_secure() as client:
        client.say(Request.REGISTER, client.register_payload(account, name))
        client.hear(Answer.SIGNED_IN)
        client.close_at_once()
    with secure.connect_secure() as client:
        assert client.sign_in(account).name == name


def test_resets_at_any_time_leave_everybody_else_served(secure, client):
    for sent in (b"", frame(PROBE), frame(PROBE)[:10], frame(Request.REGISTER, bytes(500))):
        for _ in range(5):
            one: SecureClient = secure.connect_secure()
            one.send(sent)
            one.reset()
    assert client.is_served()
