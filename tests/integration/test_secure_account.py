"""What an account may ask on the secure port: about itself, its settings, others, and its own removal."""

import os
import time

import pytest
from peer import accounts
from peer.accounts import Account, Answer, Entry, Reason, Request, list_payload
from peer.conversation import wait_until
from peer.drop import User
from peer.frames import MESSAGES_ERROR, PUBLIC_KEY_SIZE
from peer.messages import key_of_user_frame, message_frame, pull_frame
from peer.operators import Operator
from peer.secure import SecureClient, frame

NUMBERS = [Entry.FILES, Entry.BYTES, Entry.WAITING, Entry.WAITING_BYTES]


def test_a_new_account_has_nothing(new_account):
    client, account = new_account()
    told = client.account()
    assert (told[Entry.PUBLIC_ID], told[Entry.NAME]) == (account.public_id, account.name.encode())
    assert [accounts.number(told[key]) for key in NUMBERS] == [0, 0, 0, 0]
    assert abs(accounts.number(told[Entry.REGISTERED]) - time.time()) < 3600
    assert accounts.number(told[Entry.CLASSIC]) == 0
    assert Entry.CLASSIC_ID not in told and Entry.CLASSIC_KEY not in told


def test_limits_are_those_of_the_settings(make_secure, new_account):
    server = make_secure(message_limit="1MiB", user_files=7, user_bytes="5MiB")
    client, account = new_account(server)
    for told in (account.told, client.account()):
        assert accounts.number(told[Entry.MESSAGE_LIMIT]) == 1 << 20
        assert accounts.number(told[Entry.FILES_LIMIT]) == 7
        assert accounts.number(told[Entry.BYTES_LIMIT]) == 5 << 20


@pytest.mark.parametrize(
    "payload",
    [
        b"\1",
        b"\1\0\1",
        list_payload((12, b"\1"))[:-1],
        list_payload((12, b"\2")),
        list_payload((12, b"")),
        list_payload((12, b"\1\0")),
    ],
)
def test_what_is_no_list_of_settings_makes_no_sense(new_account, payload):
    client, _ = new_account()
    assert client.refusal(Request.ACCOUNT, payload) == Reason.NO_SENSE
    assert accounts.number(client.account()[Entry.CLASSIC]) == 0


def test_unknown_settings_are_skipped_and_what_cannot_be_set_stays(new_account):
    client, account = new_account()
    told = client.account((999, b"of later"), (0, b""), (65535, bytes(100)), (Entry.NAME, b"another"))
    assert told[Entry.NAME] == account.name.encode()
    assert client.account((Entry.FILES_LIMIT, bytes(8)))[Entry.PUBLIC_ID] == account.public_id


# -- the classic ports


def classic_user(account: Account, classic_id: bytes, key) -> User:
    return User(account.name, key, classic_id)


def test_an_account_does_not_exist_on_the_classic_port(secure, new_account, new_classic):
    _, account = new_account()
    asking = new_classic(secure)
    with secure.connect() as classic:
        assert account.name not in [name for _, name in classic.list_users(asking)]
        for frame_of in (key_of_user_frame(asking.id, account.public_id), pull_frame(account.public_id)):
            classic.send(frame_of)
            assert classic.receive() == MESSAGES_ERROR
        classic.send(message_frame(asking.id, account.public_id, 3, b"hello"))
        assert classic.receive() == MESSAGES_ERROR


def test_switched_on_it_is_a_classic_user_with_an_id_of_its_own(
    secure, new_account, new_classic, private_keys, classic_key
):
    client, account = new_account()
    asking = new_classic(secure)
    user = classic_user(account, client.classic_on(classic_key), private_keys[0])
    assert user.id != account.public_id
    told = client.account()
    assert accounts.number(told[Entry.CLASSIC]) == 1
    assert Entry.CLASSIC_ID not in told, "it is told once"
    with secure.connect() as classic:
        alias = classic.alias_of(user, asking)
        assert alias == account.public_id
        assert classic.key_of(asking, alias) == classic_key
        classic.send_message(asking, alias, b"hello")
        classic.reconnect(user)
        assert [message.content for message in classic.pull(user)] == [b"hello"]


def test_switched_off_its_id_is_void_and_switched_on_again_it_has_another(
    secure, new_account, new_classic, private_keys, classic_key
):
    client, account = new_account()
    asking = new_classic(secure)
    ids = set()
    for _ in range(3):
        user = classic_user(account, client.classic_on(classic_key), private_keys[0])
        with secure.connect() as classic:
            classic.reconnect(user)
            client.classic_off()
            to_id, to_alias = (message_frame(asking.id, target, 3) for target in (user.id, account.public_id))
            for void in (pull_frame(user.id), to_id, to_alias):
                classic.send(void)
                assert classic.receive() == MESSAGES_ERROR
        ids.add(user.id)
    assert len(ids) == 3


def test_switched_on_while_it_is_on_it_gets_another_id_and_the_old_one_is_void(
    secure, new_account, private_keys, classic_key
):
    client, account = new_account()
    first, second = (classic_user(account, client.classic_on(classic_key), private_keys[0]) for _ in range(2))
    assert first.id != second.id
    with secure.connect() as classic:
        classic.send(pull_frame(first.id))
        assert classic.receive() == MESSAGES_ERROR
        classic.reconnect(second)


def test_the_classic_id_outlives_a_crash_and_so_does_its_end(
    make_secure, new_account, open_secure, private_keys, classic_key
):
    server = make_secure()
    client, account = new_account(server)
    user = classic_user(account, client.classic_on(classic_key), private_keys[0])
    server.restart_after_kill()
    with server.connect() as classic:
        classic.reconnect(user)
    client = open_secure(server)
    client.sign_in(account)
    client.classic_off()
    server.restart_after_kill()
    with server.connect() as classic:
        classic.send(pull_frame(user.id))
        assert classic.receive() == MESSAGES_ERROR


@pytest.mark.parametrize(
    "key",
    [b"", bytes(PUBLIC_KEY_SIZE), b"\x30" * PUBLIC_KEY_SIZE, bytes(PUBLIC_KEY_SIZE - 1), bytes(PUBLIC_KEY_SIZE + 1)],
    ids=["none", "zeros", "rubbish", "short", "long"],
)
def test_a_classic_key_that_is_none_switches_nothing_on(new_account, key):
    client, _ = new_account()
    changes = [(Entry.CLASSIC, b"\1"), (Entry.CLASSIC_KEY, key)]
    assert client.refusal(Request.ACCOUNT, list_payload(*changes)) == Reason.NO_SENSE
    assert client.refusal(Request.ACCOUNT, list_payload(changes[0])) == Reason.NO_SENSE
    assert accounts.number(client.account()[Entry.CLASSIC]) == 0


def test_the_last_of_two_values_counts(new_account, classic_key):
    client, _ = new_account()
    both = [(Entry.CLASSIC, b"\1"), (Entry.CLASSIC_KEY, classic_key), (Entry.CLASSIC, b"\0")]
    assert accounts.number(client.account(*both)[Entry.CLASSIC]) == 0


# -- the others


def test_the_list_has_everybody_else_with_their_public_ids(make_secure, new_account, new_classic):
    server = make_secure()
    clients = [new_account(server) for _ in range(3)]
    user = new_classic(server)
    wanted = {(account.public_id, account.name) for _, account in clients} | {(server.alias_of(user.id), user.name)}
    for client, account in clients:
        assert set(client.list_users()) == wanted - {(account.public_id, account.name)}


def test_the_classic_key_of_another_is_told_where_there_is_one(secure, new_account, new_classic, classic_key):
    client, account = new_account()
    other, _ = new_account()
    user = new_classic(secure)
    assert other.key_of(secure.alias_of(user.id)) == user.public_key
    for target in (account.public_id, os.urandom(16)):
        assert other.refusal(Request.KEY_OF_USER, target) == Reason.NO_IDENTITY
    assert other.refusal(Request.KEY_OF_USER, user.id) == Reason.NO_IDENTITY  # a secret, which is no target here
    client.classic_on(classic_key)
    assert other.key_of(account.public_id) == classic_key


@pytest.mark.parametrize("code, sizes", [(601, [1, 16]), (602, [0, 15, 17])])
def test_lists_and_keys_with_another_payload_make_no_sense(new_account, code, sizes):
    client, _ = new_account()
    for size in sizes:
        assert client.refusal(code, bytes(size)) == Reason.NO_SENSE


# -- removal


def test_a_removed_account_is_none_any_more(secure, new_account, open_secure):
    client, account = new_account()
    other, _ = new_account()
    client.remove(account)
    assert not client.was_cut
    late = open_secure()
    assert late.refusal(Request.SIGN_IN, late.sign_in_payload(account)) == Reason.UNKNOWN_ACCOUNT
    assert account.name not in [name for _, name in other.list_users()]


def test_a_removal_outlives_a_crash(make_secure, new_account, open_secure):
    server = make_secure()
    client, account = new_account(server)
    client.remove(account)
    server.restart_after_kill()
    late = open_secure(server)
    assert late.refusal(Request.SIGN_IN, late.sign_in_payload(account)) == Reason.UNKNOWN_ACCOUNT


@pytest.mark.parametrize("classic", [False, True])
def test_files_and_messages_go_with_the_account(
    make_secure, new_account, new_classic, private_keys, classic_key, classic
):
    server = make_secure()
    client, account = new_account(server)
    user = classic_user(account, client.classic_on(classic_key), private_keys[0])
    sender = new_classic(server)
    with server.connect() as connection:
        connection.reconnect(user)
        connection.put(user, "mine", b"12345")
        connection.send_message(sender, account.public_id, b"waits")
        if not classic:
            client.classic_off()
        assert len(server.stored_paths()) == 1
        client.remove(account)
        wait_until(lambda: server.stored_paths() == [], "its files go")
        connection.send(pull_frame(user.id))
        assert connection.receive() == MESSAGES_ERROR
        connection.send(message_frame(sender.id, account.public_id, 3, b"late"))
        assert connection.receive() == MESSAGES_ERROR


def other_connections(open_secure, account: Account, count: int) -> list[SecureClient]:
    clients = [open_secure() for _ in range(count)]
    for client in clients:
        client.sign_in(account)
    return clients


def test_all_connections_of_a_removed_account_are_cut_at_once(new_account, open_secure):
    client, account = new_account()
    others = other_connections(open_secure, account, 5)
    bystander, _ = new_account()
    client.remove(account)
    for one in others:
        assert one.has_ended()
    bystander.account()


def test_an_operator_removes_an_account_and_its_connections(secure, new_account, open_secure):
    client, account = new_account()
    others = other_connections(open_secure, account, 3)
    Operator(secure.data).succeed("user", "remove", account.name, "--yes")
    for one in (client, *others):
        assert one.has_ended()


def test_what_a_removed_account_asked_just_before_changes_nothing(new_account, open_secure, classic_key):
    """Requests that are on their way while the account goes are refused, or never answered."""
    for _ in range(5):
        client, account = new_account()
        (other,) = other_connections(open_secure, account, 1)
        switch = list_payload((Entry.CLASSIC, b"\1"), (Entry.CLASSIC_KEY, classic_key))
        client.say(Request.REMOVE, client.removal(account))
        other.send_as_far_as_taken(frame(Request.ACCOUNT, switch) * 3)
        assert client.hear(Answer.REMOVED) == b""
        late = open_secure()
        assert late.refusal(Request.SIGN_IN, late.sign_in_payload(account)) == Reason.UNKNOWN_ACCOUNT


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_removal_of_another_size_makes_no_sense(new_account, size):
    client, _ = new_account()
    assert client.refusal(Request.REMOVE, bytes(size)) == Reason.NO_SENSE


def test_a_removal_wants_a_signature_of_its_own(new_account, other):
    client, account = new_account()
    signed_for = [
        accounts.sign_in_signed(client.channel, account.key),
        accounts.remove_signed(other.channel, account.key),
    ]
    for signed in signed_for[:2]:
        assert client.refusal(Request.REMOVE, account.sign(signed)) in (Reason.SIGNATURE, Reason.SIGNATURES)
    late_client, late = other, Account(account.secret)
    assert late_client.sign_in(late).name == account.name


def test_nobody_removes_somebody_else(new_account, open_secure):
    client, _ = new_account()
    _, victim = new_account()
    signature = Account().sign(accounts.remove_signed(client.channel, victim.key))
    assert client.refusal(Request.REMOVE, signature) == Reason.SIGNATURE
    open_secure().sign_in(victim)


def test_the_third_wrong_signature_of_a_removal_ends_the_connection(new_account, open_secure):
    client, account = new_account()
    reasons = [client.refusal(Request.REMOVE, bytes(64)) for _ in range(2)]
    assert reasons == [Reason.SIGNATURE, Reason.SIGNATURES], "the registration was the first"
    assert client.has_ended()
    open_secure().sign_in(account)
