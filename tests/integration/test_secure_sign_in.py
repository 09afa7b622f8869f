"""Sign-in on the secure port: who gets in, why others do not, and what a connection may ask before."""

import os
import socket
import struct

import pytest
from peer import accounts, tls
from peer.accounts import Account, Answer, Entry, Reason, Request, sign_in_payload, text
from peer.conversation import wait_until
from peer.frames import NO_ID, ConnectionEnded, request, text_field
from peer.frames import Request as Classic
from peer.secure import PROBE, Refused, frame

FAILED_SIGN_INS = 600  # in an hour, from one network
CONNECTIONS_OF_AN_ACCOUNT = 256
SIGNING = [Request.SIGN_IN, Request.REGISTER, Request.ADOPT]
AFTERWARDS = [Request.ACCOUNT, Request.REMOVE, Request.TALK, Request.LIST_USERS, Request.KEY_OF_USER]


def test_an_account_signs_in_as_often_as_it_likes_and_always_as_the_same(secure, new_account, open_secure):
    _, account = new_account()
    for _ in range(3):
        again = open_secure().sign_in(Account(account.secret))
        assert (again.public_id, again.name) == (account.public_id, account.name)


def test_an_account_is_there_after_a_crash(make_secure, new_account, open_secure):
    server = make_secure()
    _, account = new_account(server)
    server.restart_after_kill()
    again = open_secure(server).sign_in(Account(account.secret))
    assert (again.public_id, again.name) == (account.public_id, account.name)


def test_what_is_told_at_a_sign_in(secure, new_account):
    _, account = new_account()
    assert account.told[Entry.NAME] == account.name.encode()
    assert accounts.number(account.told[Entry.MESSAGE_LIMIT]) == 64 << 20
    assert Entry.NEXT_KEY not in account.told and Entry.CLASSIC_ID not in account.told
    for limit in (Entry.FILES_LIMIT, Entry.BYTES_LIMIT):
        assert len(account.told[limit]) == 8


def test_a_stranger_is_told_that_nobody_has_this_key(client):
    assert client.refusal(Request.SIGN_IN, client.sign_in_payload(Account())) == Reason.UNKNOWN_ACCOUNT


def test_a_stranger_may_register_afterwards(client, fresh_name):
    account = Account()
    assert client.refusal(Request.SIGN_IN, client.sign_in_payload(account)) == Reason.UNKNOWN_ACCOUNT
    client.register(account, fresh_name())


@pytest.mark.parametrize("second", SIGNING)
def test_a_second_sign_in_is_refused_whatever_it_says(new_account, second):
    client, account = new_account()
    for payload in (client.sign_in_payload(account), b"", bytes(97)):
        assert client.refusal(second, payload) == Reason.SIGNED_IN
    assert client.account()[Entry.NAME] == account.name.encode()


def test_the_client_id_of_a_request_means_nothing(new_account):
    client, account = new_account()
    client.send(request(os.urandom(16), Request.ACCOUNT, version=accounts.VERSION))
    assert accounts.parse_list(client.hear(Answer.ACCOUNT))[Entry.PUBLIC_ID] == account.public_id


def test_every_version_of_a_request_is_taken_and_answered_with_4(client):
    for version in (0, 2, 3, 4, 255):
        client.send(request(NO_ID, PROBE, version=version))
        assert client.hear_refusal() == Reason.SIGN_IN_FIRST


def test_each_connection_has_a_nonce_of_its_own_and_one_only(open_secure):
    clients = [open_secure() for _ in range(4)]
    assert len({client.nonce() for client in clients}) == 4
    assert {client.refusal(Request.NONCE) for client in clients} == {Reason.NO_SENSE}


# -- before sign-in


@pytest.mark.parametrize("code", AFTERWARDS)
def test_who_has_not_signed_in_is_told_to(client, code):
    assert client.refusal(code) == Reason.SIGN_IN_FIRST
    assert client.is_served()


@pytest.mark.parametrize("code", [603, 604, 600, 1025, 1026, 1027, 1028, 1029, 3005, 3031, 3999, 0, 65535])
def test_what_there_is_not_is_refused_before_sign_in(client, code):
    assert client.refusal(code, bytes(20)) == Reason.UNKNOWN_REQUEST
    assert client.is_served()


def assert_refused_and_ended(client) -> None:
    assert client.hear_refusal() == Reason.NO_SENSE
    assert client.has_ended()


def test_the_largest_request_before_sign_in_is_answered_and_a_larger_one_ends_the_connection(client):
    assert client.refusal(Request.REGISTER, bytes(accounts.POOR_PAYLOAD_LIMIT)) == Reason.NO_SENSE
    client.say(Request.REGISTER, bytes(accounts.POOR_PAYLOAD_LIMIT + 1))
    assert_refused_and_ended(client)


@pytest.mark.parametrize("size", [1025, 65536, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_size_that_only_a_header_claims_ends_the_connection(client, size):
    client.send(frame(Request.SIGN_IN, declared=size))
    assert_refused_and_ended(client)


# -- what a 3001 may look like


@pytest.mark.parametrize("size", [0, 1, 96, 98, 1000])
def test_a_sign_in_of_another_size_makes_no_sense(client, size):
    assert client.refusal(Request.SIGN_IN, bytes(size)) == Reason.NO_SENSE


@pytest.mark.parametrize("kind", [accounts.Kind.BROWSER])
def test_the_browsers_kind_of_signature_does_not_go_over_tls(client, kind):
    account = Account()
    signed = accounts.sign_in_signed(client.channel, account.key)
    assert client.refusal(Request.SIGN_IN, sign_in_payload(account.key, account.sign(signed), kind)) == Reason.CARRIER


@pytest.mark.parametrize("kind", [0, 3, 255])
def test_other_kinds_of_signature_are_none(client, kind):
    account = Account()
    signed = accounts.sign_in_signed(client.channel, account.key)
    payload = sign_in_payload(account.key, account.sign(signed), kind)
    assert client.refusal(Request.SIGN_IN, payload) == Reason.NO_SENSE


@pytest.mark.parametrize("key", [bytes(32), b"\xff" * 32, b"\1" + bytes(31), bytes(31) + b"\x80"])
def test_keys_that_are_none_sign_nobody_in(open_secure, key):
    """Among them points of a small order, under which one signature holds for half of all texts, or for all."""
    for signature in (bytes(64), b"\1" + bytes(63), key + bytes(32)):
        reason = open_secure().refusal(Request.SIGN_IN, sign_in_payload(key, signature))
        assert reason in (Reason.SIGNATURE, Reason.UNKNOWN_ACCOUNT)


# -- three signatures


def wrong(account: Account) -> bytes:
    return sign_in_payload(account.key, bytes(64))


def test_the_third_wrong_signature_ends_the_connection(new_account, open_secure):
    _, account = new_account()
    client = open_secure()
    reasons = [client.refusal(Request.SIGN_IN, wrong(account)) for _ in range(3)]
    assert reasons == [Reason.SIGNATURE, Reason.SIGNATURE, Reason.SIGNATURES]
    assert client.has_ended()


def test_after_two_wrong_signatures_the_right_one_counts(new_account, open_secure):
    _, account = new_account()
    client = open_secure()
    for _ in range(2):
        assert client.refusal(Request.SIGN_IN, wrong(account)) == Reason.SIGNATURE
    client.sign_in(account)


def test_a_fourth_signature_is_refused_although_all_hold(client):
    for _ in range(3):
        assert client.refusal(Request.SIGN_IN, client.sign_in_payload(Account())) == Reason.UNKNOWN_ACCOUNT
    assert client.refusal(Request.SIGN_IN, client.sign_in_payload(Account())) == Reason.SIGNATURES
    assert client.has_ended()


def test_what_is_behind_the_last_signature_is_not_answered(client, fresh_name):
    account = Account()
    register = frame(Request.REGISTER, client.register_payload(account, fresh_name()))
    client.send(frame(Request.SIGN_IN, wrong(account)) * 3 + register)
    answers = client.receive_until_end()
    assert [struct.unpack_from("<H", answer.payload)[0] for answer in answers] == [4, 4, 6]


def test_requests_behind_a_sign_in_that_are_sent_at_once_are_answered_in_order(new_account, open_secure):
    _, account = new_account()
    client = open_secure()
    sign_in = frame(Request.SIGN_IN, client.sign_in_payload(account))
    client.send(frame(Request.NONCE) + sign_in + frame(Request.ACCOUNT) * 3 + frame(Request.LIST_USERS))
    codes = [client.receive().code for _ in range(6)]
    assert codes == [Answer.NONCE, Answer.SIGNED_IN, *[Answer.ACCOUNT] * 3, Answer.USERS]


# -- after sign-in


@pytest.mark.parametrize("code", [600, 603, 604, 1025, 1027, 1028, 3005, 3006, 3009, 3029, 3031, 3999, 0, 4001, 9000])
def test_requests_that_there_are_not_are_refused_and_skipped(new_account, code):
    client, account = new_account()
    for size in (0, 255, 5000, 60_000):
        assert client.refusal(code, bytes(size)) == Reason.UNKNOWN_REQUEST
    assert client.account()[Entry.NAME] == account.name.encode()


def test_a_classic_registration_on_the_secure_port_registers_nobody(secure, new_account, fresh_name):
    client, _ = new_account()
    name = fresh_name()
    assert client.refusal(Classic.REGISTER, text_field(name)) == Reason.UNKNOWN_REQUEST
    assert name not in [listed for _, listed in client.list_users()]


def test_a_request_of_a_byte_at_a_time_is_one(client, fresh_name):
    account = Account()
    client.send_bytewise(frame(Request.REGISTER, client.register_payload(account, name := fresh_name())))
    assert accounts.parse_list(client.hear(Answer.SIGNED_IN))[Entry.NAME] == name.encode()


def test_a_short_time_is_all_there_is_before_sign_in(make_secure, open_secure, new_account):
    """Also for somebody who asks all the time; who has signed in may be silent."""
    server = make_secure(sign_in_timeout="1s")
    signed_in, _ = new_account(server)
    silent, asking = open_secure(server), open_secure(server)
    try:
        while asking.is_served():
            pass
    except ConnectionEnded:
        pass
    assert asking.has_ended() and silent.has_ended()
    signed_in.account()


@pytest.mark.parametrize("code, size", [(3999, 65537), (Request.ACCOUNT, 70_000)])
def test_a_payload_that_is_too_large_to_be_skipped_ends_the_connection(new_account, code, size):
    client, account = new_account()
    client.say(code, bytes(size))
    assert [answer.code for answer in client.receive_until_end()] == [Answer.REFUSED]


def test_a_connection_of_http_has_no_more_time_than_others(make_secure):
    """However often it asks."""
    server = make_secure(sign_in_timeout="1s")
    web = tls.TlsSocket(socket.create_connection(server.secure_address, 60), tls.client_context(())).handshake()
    try:
        while True:
            web.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            if not web.recv(65536):
                break
    except OSError:
        pass
    web.close()


def test_a_refused_client_hears_a_sentence(client):
    client.say(Request.SIGN_IN, client.sign_in_payload(Account()))
    with pytest.raises(Refused) as refused:
        client.hear(Answer.SIGNED_IN)
    assert refused.value.sentence.strip() and refused.value.sentence.isprintable()


def test_texts_that_end_behind_their_payload_make_no_sense(client):
    account = Account()
    too_short, none, too_much = struct.pack("<H", 5) + b"four", struct.pack("<H", 1), text("n") + text("") + b"x"
    for behind in (b"", b"\5", too_short, text("name"), text("name") + none, too_much):
        payload = sign_in_payload(account.key, bytes(64)) + behind
        assert client.refusal(Request.REGISTER, payload) == Reason.NO_SENSE


# -- limits


def failures(open_secure, server, source: str, count: int) -> list[Reason]:
    """Of strangers of one address who try one key after the other."""
    reasons = []
    while len(reasons) < count:
        client = open_secure(server, source=source)
        reasons += [client.refusal(Request.SIGN_IN, client.sign_in_payload(Account())) for _ in range(3)]
        client.close()
    return reasons


def test_a_network_whose_sign_ins_fail_is_told_to_come_later_and_others_are_not(
    make_secure, open_secure, new_account, fresh_source
):
    server = make_secure(unlimited_networks="none", connections_per_address=0, log_level="notice")
    _, account = new_account(server)
    source = fresh_source()
    reasons = failures(open_secure, server, source, FAILED_SIGN_INS + 3)
    assert set(reasons[:FAILED_SIGN_INS]) == {Reason.UNKNOWN_ACCOUNT}
    assert reasons[-1] == Reason.TOO_MANY
    open_secure(server, source=fresh_source()).sign_in(account)


def test_an_account_has_so_many_connections_and_no_more(make_secure, new_account, open_secure):
    server = make_secure(log_level="notice")
    _, account = new_account(server)
    others = [open_secure(server) for _ in range(CONNECTIONS_OF_AN_ACCOUNT)]
    for one in others[:-1]:
        one.sign_in(account)
    assert others[-1].refusal(Request.SIGN_IN, others[-1].sign_in_payload(account)) == Reason.TOO_MANY
    new_account(server)
    others[0].close()
    wait_until(lambda: signs_in(open_secure(server), account), "another one has its place")


def signs_in(client, account: Account) -> bool:
    try:
        client.sign_in(account)
    except Refused as refused:
        assert refused.reason == Reason.TOO_MANY
        return False
    return True
