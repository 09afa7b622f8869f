"""Who pretends to be somebody else on the secure port: signatures of elsewhere, relays, oracles, forgetful servers."""

import os
import shutil

import pytest
from peer import accounts, crypto, tls
from peer.accounts import Account, Reason, Request, sign_in_payload, text
from peer.drop import Refused as DropRefused
from peer.frames import Answer as Classic
from peer.secure import NotThisServer, Refused, SecureClient, frame

# -- signatures of elsewhere


def signed_otherwise(client, other, account: Account) -> dict[str, bytes]:
    """Signatures that the account really made, none of them for a sign-in on `client`."""
    key, channel = account.key, client.channel
    another_certificate = os.urandom(32) + client.exporter
    another_exporter = client.fingerprint + other.exporter
    return {
        "another connection": accounts.sign_in_signed(other.channel, key),
        "another exporter": accounts.sign_in_signed(another_exporter, key),
        "another server": accounts.sign_in_signed(another_certificate, key),
        "no channel": accounts.SIGN_IN + key,
        "zeros for a channel": accounts.sign_in_signed(bytes(64), key),
        "halves exchanged": accounts.sign_in_signed(channel[32:] + channel[:32], key),
        "another key": accounts.sign_in_signed(channel, Account().key),
        "registration": accounts.register_signed(channel, key, account.name),
        "adoption": accounts.adopt_signed(channel, key, bytes(16), account.name),
        "removal": accounts.remove_signed(channel, key),
        "label without its zero": accounts.SIGN_IN[:-1] + channel + key,
        "label of a version 2": accounts.SIGN_IN.replace(b"1", b"2") + channel + key,
        "key before channel": accounts.SIGN_IN + key + channel,
        "something behind it": accounts.sign_in_signed(channel, key) + b"\0",
        "a nonce": accounts.SIGN_IN + client.nonce() + key,
    }


WRONG = [
    "another connection",
    "another exporter",
    "another server",
    "no channel",
    "zeros for a channel",
    "halves exchanged",
    "another key",
    "registration",
    "adoption",
    "removal",
    "label without its zero",
    "label of a version 2",
    "key before channel",
    "something behind it",
    "a nonce",
]


@pytest.mark.parametrize("what", WRONG)
def test_a_signature_for_something_else_signs_nobody_in(new_account, open_secure, other, what):
    _, account = new_account()
    client = open_secure()
    signature = account.sign(signed_otherwise(client, other, account)[what])
    assert client.refusal(Request.SIGN_IN, sign_in_payload(account.key, signature)) == Reason.SIGNATURE
    client.sign_in(account)


def test_a_signature_changed_at_any_byte_does_not_hold(new_account, open_secure):
    _, account = new_account()
    for place in (*range(0, 97, 6), 32):
        client = open_secure()
        payload = bytearray(client.sign_in_payload(account))
        payload[place] ^= 0x10
        reason = client.refusal(Request.SIGN_IN, bytes(payload))
        assert reason == (Reason.NO_SENSE if place == 32 else Reason.SIGNATURE), place


def test_a_signature_has_one_form(new_account, open_secure):
    _, account = new_account()
    client = open_secure()
    signature = account.sign(accounts.sign_in_signed(client.channel, account.key))
    other_form = accounts.same_signature_written_otherwise(signature)
    assert client.refusal(Request.SIGN_IN, sign_in_payload(account.key, other_form)) == Reason.SIGNATURE
    client.sign_in(account)


def test_a_sign_in_that_somebody_recorded_signs_nobody_in(secure, new_account, open_secure):
    _, account = new_account()
    client = open_secure()
    recorded = client.sign_in_payload(account)
    client.sign_in(account)
    client.close()
    for _ in range(3):
        assert open_secure().refusal(Request.SIGN_IN, recorded) == Reason.SIGNATURE


def test_a_signature_for_one_request_does_for_no_other(open_secure, fresh_name, new_classic, secure):
    """Each request with the signature of each other one, on the same channel."""
    user = new_classic(secure)
    name = user.name
    for used, behind in (
        (Request.SIGN_IN, b""),
        (Request.REGISTER, text(name) + text("")),
        (Request.ADOPT, user.id + text(name)),
    ):
        for signed_for in (Request.SIGN_IN, Request.REGISTER, Request.ADOPT, Request.REMOVE):
            if signed_for == used:
                continue
            client, account = open_secure(), Account()
            signed = {
                Request.SIGN_IN: accounts.sign_in_signed(client.channel, account.key),
                Request.REGISTER: accounts.register_signed(client.channel, account.key, name),
                Request.ADOPT: accounts.adopt_signed(client.channel, account.key, user.id, name),
                Request.REMOVE: accounts.remove_signed(client.channel, account.key),
            }[signed_for]
            payload = sign_in_payload(account.key, account.sign(signed)) + behind
            assert client.refusal(used, payload) == Reason.SIGNATURE, (used, signed_for)


def test_what_a_name_and_an_invitation_share_cannot_be_moved_between_them(client, fresh_name):
    """The lengths are signed, too."""
    name, account = fresh_name(), Account()
    signature = account.sign(accounts.register_signed(client.channel, account.key, name + "A", "A" * 21))
    payload = sign_in_payload(account.key, signature) + text(name) + text("A" * 22)
    assert client.refusal(Request.REGISTER, payload) == Reason.SIGNATURE


def test_nothing_of_a_refused_sign_in_stays(new_account, open_secure):
    _, account = new_account()
    client = open_secure()
    assert client.refusal(Request.SIGN_IN, sign_in_payload(account.key, bytes(64))) == Reason.SIGNATURE
    for code in (Request.ACCOUNT, Request.LIST_USERS, Request.TALK):
        assert client.refusal(code) == Reason.SIGN_IN_FIRST


# -- somebody in the middle


def test_a_relayed_sign_in_is_refused(secure, new_account, make_man_in_the_middle, open_secure):
    _, account = new_account()
    relay = make_man_in_the_middle(secure)
    victim = open_secure(relay)
    assert victim.refusal(Request.SIGN_IN, victim.sign_in_payload(account)) == Reason.SIGNATURE
    assert len(relay.requests) == 1


def test_a_relayed_registration_is_refused_and_leaves_the_name_free(
    secure, make_man_in_the_middle, open_secure, fresh_name
):
    name, account = fresh_name(), Account()
    victim = open_secure(make_man_in_the_middle(secure))
    assert victim.refusal(Request.REGISTER, victim.register_payload(account, name)) == Reason.SIGNATURE
    open_secure().register(account, name)


def test_a_relayed_adoption_is_refused_before_any_challenge(
    secure, new_classic, make_man_in_the_middle, open_secure
):
    user = new_classic(secure)
    relay = make_man_in_the_middle(secure)
    victim = open_secure(relay)
    payload = victim.adopt_payload(Account(), user.id, user.name)
    assert victim.refusal(Request.ADOPT, payload) == Reason.SIGNATURE
    with secure.connect() as classic:
        classic.reconnect(user)


def test_somebody_in_the_middle_who_asks_for_the_challenge_himself_gets_a_proof_that_is_worth_nothing(
    secure, new_classic, make_man_in_the_middle, open_secure
):
    """He signs a 3003 with a key of his own on his own channel and hands the victim the 4003 that he gets."""
    user, mine, client = new_classic(secure), Account(), open_secure()
    encrypted = client.challenge(mine, user.id, user.name)
    victims_channel, victims_account = os.urandom(64), Account()
    secret = accounts.challenge_decrypt(user.private_key, encrypted)
    proof = accounts.adoption_proof(secret, victims_channel, victims_account.key, user.id, user.name)
    assert client.refusal(Request.PROOF, proof) == Reason.PROOF
    with secure.connect() as classic:
        classic.reconnect(user)


def test_a_relay_that_puts_its_own_key_into_the_requests_gets_nothing(
    secure, new_account, make_man_in_the_middle, open_secure
):
    _, account = new_account()
    thief = Account()

    def rewrite(sent: bytes) -> bytes:
        return sent[:23] + thief.key + sent[55:]

    victim = open_secure(make_man_in_the_middle(secure, rewrite=rewrite))
    assert victim.refusal(Request.SIGN_IN, victim.sign_in_payload(account)) == Reason.SIGNATURE


def test_a_client_that_knows_the_fingerprint_says_nothing_to_a_relay(secure, make_man_in_the_middle):
    with secure.connect_secure() as client:
        known = client.fingerprint
    relay = make_man_in_the_middle(secure)
    with pytest.raises(NotThisServer):
        SecureClient(relay.secure_address, fingerprint=known)
    assert relay.requests == []


# -- a client as an oracle: what a server that lies can learn from the answers of this peer's client


def classic_ciphertexts(user) -> dict[str, bytes]:
    """What a thief of recordings has: a 2102 or 2105, and a type 2, all for the user's key."""
    return {
        "an AES key": crypto.rsa_encrypt(user.private_key, os.urandom(16)),
        "32 bytes under the empty label": crypto.rsa_encrypt(user.private_key, os.urandom(32)),
        "another label": accounts.challenge_encrypt(user.private_key, os.urandom(32), b"kesher adopt 2"),
        "the label with its zero": accounts.challenge_encrypt(user.private_key, os.urandom(32), b"kesher adopt 1\0"),
        "rubbish": os.urandom(128),
    }


CIPHERTEXTS = ["an AES key", "32 bytes under the empty label", "another label", "the label with its zero", "rubbish"]


@pytest.mark.parametrize("what", CIPHERTEXTS)
def test_a_client_opens_no_classic_ciphertext_that_comes_as_a_challenge(
    make_secure_fake, open_secure, new_user, what
):
    fake, user = make_secure_fake(), new_user()
    user.id = fake.add_classic(user.name, user.public_key).classic_id
    fake.challenge = lambda *_: classic_ciphertexts(user)[what]
    with pytest.raises(ValueError):
        open_secure(fake).adopt(Account(), user.id, user.name, user.private_key)
    assert Request.PROOF not in fake.codes


def test_what_a_proof_tells_is_nothing_that_a_classic_port_takes(secure, new_classic, client):
    """The challenge's bytes never leave the client, and they are no key of the classic port's."""
    user = new_classic(secure)
    encrypted = client.challenge(Account(), user.id, user.name)
    with secure.connect() as classic:
        user.aes_key = accounts.challenge_decrypt(user.private_key, encrypted)[:16]
        with pytest.raises(DropRefused, match="2107"):
            classic.send_content(user, "x", user.encrypt(b"text"))


# -- a server that forgot, or has become younger


def test_a_server_that_lost_its_users_says_so_and_takes_them_again(make_secure, new_account, open_secure):
    server = make_secure()
    _, account = new_account(server)
    before = account.public_id
    server.stop()
    for path in server.data.iterdir():
        if path.name != "tls":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    server.start()
    client = open_secure(server)
    assert client.refusal(Request.SIGN_IN, client.sign_in_payload(account)) == Reason.UNKNOWN_ACCOUNT
    again = client.register(account, account.name)
    assert again.public_id != before


def test_a_server_with_an_old_backup_knows_who_was_there_and_not_who_came_later(
    make_secure, new_account, open_secure, tmp_path
):
    server = make_secure()
    _, early = new_account(server)
    server.stop()
    shutil.copytree(server.data, tmp_path / "backup")
    server.start()
    _, late = new_account(server)
    removing = open_secure(server)
    removing.sign_in(early)
    removing.remove(early)
    server.stop()
    shutil.rmtree(server.data)
    shutil.copytree(tmp_path / "backup", server.data)
    server.start()
    client = open_secure(server)
    assert client.refusal(Request.SIGN_IN, client.sign_in_payload(late)) == Reason.UNKNOWN_ACCOUNT
    client.register(late, late.name)
    assert open_secure(server).sign_in(Account(early.secret)).public_id == early.public_id


def test_a_server_that_lost_its_key_is_another_one(make_secure, new_account, open_secure):
    server = make_secure()
    client, account = new_account(server)
    known = client.fingerprint
    server.stop()
    shutil.rmtree(server.data / "tls")
    server.start()
    with pytest.raises(NotThisServer):
        server.connect_secure(fingerprint=known)
    open_secure(server).sign_in(account)


# -- downgrades


def test_the_secure_port_speaks_no_classic_protocol_behind_tls(client, new_user):
    user = new_user()
    for code, payload in ((1025, user.name.encode().ljust(255, b"\0")), (600, bytes(415)), (1027, bytes(255))):
        assert client.refusal(code, payload) == Reason.UNKNOWN_REQUEST


def test_the_classic_port_knows_no_request_of_the_secure_one(secure, new_account):
    _, account = new_account()
    with secure.connect() as classic:
        for code in (*range(3000, 3009), 3030):
            classic.send(frame(code, sign_in_payload(account.key, bytes(64))))
            assert classic.receive().code == Classic.MESSAGES_ERROR


def test_a_hello_to_the_classic_port_does_not_become_tls(secure):
    with secure.connect() as classic:
        classic.send(tls.Engine(tls.usual_context()).hello())
        classic.finish_sending()
        assert all(answer.code == Classic.MESSAGES_ERROR for answer in classic.receive_until_end())


def test_what_a_refusal_says_holds_nothing_of_the_request(secure, new_account, open_secure):
    """Neither to the client nor in the log: an invitation is a secret, too."""
    _, account = new_account()
    client = open_secure()
    secret_code = "B" * 21 + "A"
    with pytest.raises(Refused) as refused:
        client.register(Account(), account.name, secret_code)
    assert secret_code not in refused.value.sentence and secret_code not in secure.log()
