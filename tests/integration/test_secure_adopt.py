"""Adopting a classic identity: who may, what stays, what is void afterwards, and whom it tells nothing."""

import os

import pytest
from peer import accounts, crypto
from peer.accounts import Account, Answer, Reason, Request
from peer.conversation import two_users
from peer.drop import Refused as DropRefused
from peer.drop import named_frame, reconnect_frame
from peer.frames import DROP_ERROR, MESSAGES_ERROR
from peer.frames import Request as Classic
from peer.messages import key_of_user_frame, message_frame, pull_frame
from peer.secure import Refused


def adopt(client, user) -> Account:
    return client.adopt(Account(), user.id, user.name, user.private_key)


def test_an_adopted_user_keeps_its_name_and_its_public_id(secure, new_classic, client, open_secure):
    user = new_classic(secure)
    account = adopt(client, user)
    assert (account.name, account.public_id) == (user.name, secure.alias_of(user.id))
    again = open_secure().sign_in(Account(account.secret))
    assert (again.name, again.public_id) == (account.name, account.public_id)


def test_files_and_waiting_messages_stay(make_secure, new_user, open_secure):
    server = make_secure()
    with server.connect() as classic:
        sender, receiver, alias = two_users(classic, new_user)
        classic.reconnect(receiver)
        classic.put(receiver, "kept.txt", b"of the old times")
        classic.send_message(sender, alias, b"waits")
    client = open_secure(server)
    account = adopt(client, receiver)
    told = client.account()
    assert account.public_id == alias
    assert accounts.number(told[accounts.Entry.FILES]) == 1
    assert accounts.number(told[accounts.Entry.BYTES]) == len(b"of the old times")
    assert accounts.number(told[accounts.Entry.WAITING]) == 1
    assert accounts.number(told[accounts.Entry.WAITING_BYTES]) >= len(b"waits")
    server.restart_after_kill()
    client = open_secure(server)
    client.sign_in(account)
    assert accounts.number(client.account()[accounts.Entry.FILES]) == 1


def test_the_old_id_is_void_on_the_classic_port(secure, new_classic, client):
    user = new_classic(secure)
    with secure.connect() as before:
        before.reconnect(user)
        adopt(client, user)
        for classic in (before, secure.connect()):
            classic.send(pull_frame(user.id))
            assert classic.receive() == MESSAGES_ERROR
            classic.send(reconnect_frame(user))
            assert classic.receive().code == 2106
            with pytest.raises(DropRefused, match="2107"):
                classic.send_content(user, "late", user.encrypt(b"late"))


def test_the_old_id_is_no_target_any_more_and_the_user_in_no_classic_list(secure, new_classic, client):
    user, asking = new_classic(secure), new_classic(secure)
    account = adopt(client, user)
    with secure.connect() as classic:
        for target in (user.id, account.public_id):
            classic.send(message_frame(asking.id, target, 3, b"to whom?"))
            assert classic.receive() == MESSAGES_ERROR
            classic.send(key_of_user_frame(asking.id, target))
            assert classic.receive() == MESSAGES_ERROR
        assert user.name not in [name for _, name in classic.list_users(asking)]


def test_an_upload_that_began_before_the_adoption_does_not_survive_it_as_somebody_elses(
    secure, new_user, client
):
    """Whoever goes on under the old id is refused, in the middle too."""
    with secure.connect() as classic:
        user = classic.introduce(new_user())
        classic.send_content(user, "half", user.encrypt(b"staged"))
        adopt(client, user)
        classic.send(named_frame(user.id, Classic.CRC_OK, "half"))
        assert classic.receive() == DROP_ERROR
    assert accounts.number(client.account()[accounts.Entry.FILES]) == 0


# -- who may not


def reason_of(client, account: Account, classic_id: bytes, name: str) -> Reason:
    return client.refusal(Request.ADOPT, client.adopt_payload(account, classic_id, name))


def test_an_id_that_nobody_has_is_none(client):
    assert reason_of(client, Account(), os.urandom(16), "alice") == Reason.NO_IDENTITY


def test_the_public_id_is_no_proof_of_anything(secure, new_classic, client):
    user = new_classic(secure)
    assert reason_of(client, Account(), secure.alias_of(user.id), user.name) == Reason.NO_IDENTITY


def test_an_identity_of_another_name_is_none(secure, new_classic, client, fresh_name):
    user = new_classic(secure)
    assert reason_of(client, Account(), user.id, fresh_name()) == Reason.NO_IDENTITY
    assert reason_of(client, Account(), user.id, user.name.upper()) == Reason.NO_IDENTITY


def test_a_user_without_a_public_key_cannot_be_adopted(secure, new_user, client):
    with secure.connect() as classic:
        user = classic.register(new_user())
    assert reason_of(client, Account(), user.id, user.name) == Reason.NO_IDENTITY


def test_an_adopted_identity_is_adopted_by_nobody_else(secure, new_classic, client, other):
    user = new_classic(secure)
    adopt(client, user)
    assert reason_of(other, Account(), user.id, user.name) == Reason.NO_IDENTITY


def test_a_key_of_an_account_adopts_nobody(secure, new_classic, new_account, other):
    user = new_classic(secure)
    _, account = new_account()
    with pytest.raises(Refused) as refused:
        other.adopt(Account(account.secret), user.id, user.name, user.private_key)
    assert refused.value.reason == Reason.KEY_TAKEN
    with secure.connect() as classic:
        classic.reconnect(user)


def test_a_wrong_proof_is_refused_and_needs_a_new_challenge(secure, new_classic, client):
    user, account = new_classic(secure), Account()
    encrypted = client.challenge(account, user.id, user.name)
    right = client.proof(account, user.id, user.name, user.private_key, encrypted)
    assert client.refusal(Request.PROOF, bytes(32)) == Reason.PROOF
    assert client.refusal(Request.PROOF, right) == Reason.PROOF
    client.adopt(account, user.id, user.name, user.private_key)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 1000])
def test_a_proof_of_another_size_is_none(secure, new_classic, client, size):
    user = new_classic(secure)
    client.challenge(Account(), user.id, user.name)
    assert client.refusal(Request.PROOF, bytes(size)) == Reason.NO_SENSE


def test_a_proof_without_a_challenge_is_refused(client):
    assert client.refusal(Request.PROOF, bytes(32)) == Reason.PROOF


def test_a_proof_answers_the_last_challenge_alone(secure, new_classic, client):
    user, account = new_classic(secure), Account()
    first = client.challenge(account, user.id, user.name)
    second = client.challenge(account, user.id, user.name)
    assert first != second
    stale = client.proof(account, user.id, user.name, user.private_key, first)
    assert client.refusal(Request.PROOF, stale) == Reason.PROOF


def test_a_proof_for_another_channel_key_id_or_name_is_none(secure, new_classic, open_secure):
    user = new_classic(secure)
    changes = {
        "channel": lambda parts: parts | {"channel": bytes(64)},
        "key": lambda parts: parts | {"key": Account().key},
        "id": lambda parts: parts | {"classic_id": bytes(16)},
        "name": lambda parts: parts | {"name": user.name + "x"},
        "secret": lambda parts: parts | {"secret": bytes(32)},
    }
    for change in changes.values():
        client, account = open_secure(), Account()
        secret = accounts.challenge_decrypt(user.private_key, client.challenge(account, user.id, user.name))
        right = {
            "secret": secret,
            "channel": client.channel,
            "key": account.key,
            "classic_id": user.id,
            "name": user.name,
        }
        assert client.refusal(Request.PROOF, accounts.adoption_proof(**change(right))) == Reason.PROOF
    with secure.connect() as classic:
        classic.reconnect(user)


def test_challenges_are_signatures_and_so_three_are_all(secure, new_classic, client):
    user, account = new_classic(secure), Account()
    for _ in range(3):
        client.challenge(account, user.id, user.name)
    assert reason_of(client, account, user.id, user.name) == Reason.SIGNATURES
    assert client.has_ended()


def test_two_adopt_the_same_identity_at_once_and_one_gets_it(secure, new_classic, open_secure):
    user = new_classic(secure)
    clients, keys = [open_secure() for _ in range(4)], [Account() for _ in range(4)]
    proofs = []
    for client, account in zip(clients, keys):
        encrypted = client.challenge(account, user.id, user.name)
        proofs.append(client.proof(account, user.id, user.name, user.private_key, encrypted))
    for client, proof in zip(clients, proofs):
        client.say(Request.PROOF, proof)
    codes = sorted(client.receive().code for client in clients)
    assert codes == [Answer.SIGNED_IN] + [Answer.REFUSED] * 3


def test_an_adoption_is_one_where_registration_is_closed(make_secure, new_classic, open_secure):
    """Nobody new comes in by it."""
    server = make_secure()
    user = new_classic(server)
    server.reload(registration="closed")
    adopt(open_secure(server), user)


def test_a_user_with_a_name_that_no_account_could_have_keeps_it(secure, new_user, client, open_secure):
    with secure.connect() as classic:
        user = new_user()
        user.name = "-" + "x" * 200 + user.name
        classic.register_for_messages(user)
    account = adopt(client, user)
    assert account.name == user.name
    open_secure().sign_in(account)


def test_no_challenge_is_a_classic_ciphertext(secure, new_classic, client):
    user = new_classic(secure)
    encrypted = client.challenge(Account(), user.id, user.name)
    with pytest.raises(ValueError):
        crypto.rsa_decrypt(user.private_key, encrypted)
