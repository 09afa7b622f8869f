"""The peer's two sides of the secure port against each other: the client of secure.py on the server of
secure_server.py."""

import os

import pytest
from peer import accounts, crypto, tls
from peer.accounts import Account, Entry, Reason, Request
from peer.chat import ENTER_NAME, JOIN, MENU
from peer.links import Link, NoLink, base64url, parse_link
from peer.man_in_the_middle import ManInTheMiddle
from peer.secure import NotThisServer, Refused, SecureClient, ended, frame
from peer.secure_server import SecureServer
from peer.tls_records import APPLICATION, RecordClient, hello_in_records, hello_with_padding


@pytest.fixture
def fake():
    server = SecureServer()
    yield server
    server.stop()
    assert server.problems == []


@pytest.fixture
def client(fake):
    with SecureClient.at(fake.link) as client:
        yield client


@pytest.fixture
def other(fake):
    with SecureClient.at(fake.link) as client:
        yield client


@pytest.fixture
def account(client) -> Account:
    """Registered, on `client`."""
    return client.register(Account(), "alice")


def refusal_of(step, *arguments) -> Reason:
    with pytest.raises(Refused) as refused:
        step(*arguments)
    return refused.value.reason


def test_both_sides_have_the_same_channel_and_each_connection_another(fake, client, other):
    client.nonce()
    other.nonce()
    assert [seen.channel for seen in fake.requests] == [client.channel, other.channel]
    assert client.fingerprint == other.fingerprint == fake.identity.fingerprint
    assert client.exporter != other.exporter


def test_an_account_registers_and_signs_in_on_another_connection(client, other, account):
    again = other.sign_in(Account(account.secret))
    assert (again.name, again.public_id) == ("alice", account.public_id)


def test_a_registration_that_was_answered_is_answered_again(other, account):
    again = other.register(Account(account.secret), "alice")
    assert again.public_id == account.public_id


def test_a_key_registers_one_name_only(other, account):
    assert refusal_of(other.register, account, "bob") == Reason.KEY_TAKEN


def test_a_name_is_one_accounts_only(other, account):
    assert refusal_of(other.register, Account(), "alice") == Reason.NAME_TAKEN


def test_a_signature_of_another_connection_does_not_hold(client, other, account):
    payload = client.sign_in_payload(account)
    assert other.refusal(Request.SIGN_IN, payload) == Reason.SIGNATURE


def test_the_third_signature_that_does_not_hold_ends_the_connection(client):
    wrong = accounts.sign_in_payload(Account().key, bytes(64))
    reasons = [client.refusal(Request.SIGN_IN, wrong) for _ in range(3)]
    assert reasons == [Reason.SIGNATURE, Reason.SIGNATURE, Reason.SIGNATURES]
    assert client.has_ended()


def test_a_classic_identity_is_adopted_by_whoever_has_its_key(fake, client, private_keys):
    user = fake.add_classic("bob", crypto.public_key_der(private_keys[0]))
    account = client.adopt(Account(), user.classic_id, "bob", private_keys[0])
    assert (account.name, account.public_id) == ("bob", user.public_id)
    assert user.classic_id is None


def test_a_wrong_proof_uses_the_challenge_up(fake, client, private_keys):
    user, account = fake.add_classic("bob", crypto.public_key_der(private_keys[0])), Account()
    old_id = user.classic_id
    encrypted = client.challenge(account, old_id, "bob")
    assert client.refusal(Request.PROOF, bytes(32)) == Reason.PROOF
    right = client.proof(account, old_id, "bob", private_keys[0], encrypted)
    assert client.refusal(Request.PROOF, right) == Reason.PROOF


def test_an_adoption_opens_no_classic_ciphertext(client, private_keys):
    classic = crypto.rsa_encrypt(private_keys[0], os.urandom(16))
    with pytest.raises(ValueError):
        client.proof(Account(), bytes(16), "bob", private_keys[0], classic)


def test_settings_lists_and_a_removal(fake, client, other, account, private_keys):
    public_key = crypto.public_key_der(private_keys[0])
    classic_id = client.classic_on(public_key)
    assert classic_id not in (account.public_id, bytes(16))
    bob = other.register(Account(), "bob")
    assert other.list_users() == [(account.public_id, "alice")]
    assert other.key_of(account.public_id) == public_key
    client.classic_off()
    client.remove(account)
    assert other.list_users() == []
    assert other.account()[Entry.NAME] == b"bob" == bob.name.encode()
    with SecureClient.at(fake.link) as late:
        assert refusal_of(late.sign_in, account) == Reason.UNKNOWN_ACCOUNT


def test_an_invitation_is_used_once(fake, client, other):
    fake.is_open = False
    assert client.refusal(Request.REGISTER, client.register_payload(Account(), "ann")) == Reason.INVITATION_NEEDED
    code = fake.invite()
    client.register(Account(), "ann", code)
    assert refusal_of(other.register, Account(), "ben", code) == Reason.INVITATION


def test_before_sign_in_only_signing_in_is_answered(client):
    assert client.refusal(Request.ACCOUNT) == Reason.SIGN_IN_FIRST
    assert client.refusal(Request.NONCE, bytes(accounts.POOR_PAYLOAD_LIMIT + 1)) == Reason.NO_SENSE
    assert ended(client)


def test_a_talk_begins_with_the_menu_as_a_line(client, account):
    talker = client.talk()
    assert talker.proposed == "alice"
    talker.expect(MENU)


def test_a_chat_that_was_written_beforehand_is_said_and_cut(fake, client, account):
    fake.chat = [ENTER_NAME, "half a line"]
    talker = client.talk()
    talker.expect(MENU)
    talker.answer(JOIN, ENTER_NAME)
    talker.write("alice")
    assert talker.receive_rest() == b"half a line" and client.was_cut


def test_another_server_than_the_pinned_one_is_refused(fake):
    with pytest.raises(NotThisServer):
        SecureClient(fake.address, fingerprint=bytes(32))


def test_a_server_that_selects_no_kesher_is_refused():
    server = SecureServer(alpn=None)
    with pytest.raises(NotThisServer):
        SecureClient(server.address, fingerprint=server.identity.fingerprint)
    server.stop()


def test_a_relayed_sign_in_is_worth_nothing(fake, account):
    relay = ManInTheMiddle(fake.address)
    with SecureClient(relay.address) as victim:
        assert refusal_of(victim.sign_in, Account(account.secret)) == Reason.SIGNATURE
    relay.stop()


def test_an_end_with_close_notify_is_told_from_one_without(fake, client, other, account):
    client.remove(account)
    assert not client.was_cut
    other.close_at_once()
    assert other.has_ended() and other.was_cut


def test_records_by_hand_are_understood_by_a_library(fake):
    with RecordClient(fake.address) as client:
        client.send(frame(Request.NONCE), padding=100)
        assert len(client.receive(7 + 32)) == 39
        client.raw.sendall(client.key_update(requested=True))
        client.send(frame(Request.NONCE))
        assert len(client.receive(7 + 32)) == 39
        assert client.key_updates == 1
        assert APPLICATION in client.kinds


@pytest.mark.parametrize("size", [1, 100])
def test_a_hello_in_many_records_is_one(fake, size):
    engine = tls.Engine(tls.usual_context())
    server = tls.Engine(tls.server_context(fake.identity), is_server=True)
    server.give(hello_in_records(engine.hello(), size))
    server.handshake()
    engine.give(server.take())
    assert engine.handshake()


def test_a_padded_hello_has_the_size_that_was_asked_for():
    hello = tls.Engine(tls.usual_context()).hello()
    assert len(hello_with_padding(hello, 5000)) == 5000


@pytest.mark.parametrize(
    "link, wanted",
    [
        ("kesher://example.org/", Link("example.org", 1358)),
        ("kesher://example.org", Link("example.org", 1358)),
        ("https://example.org/", Link("example.org", 443)),
        ("kesher://[::1]:99/#" + "A" * 43, Link("::1", 99, bytes(32))),
        ("https://example.org/join#" + "A" * 22, Link("example.org", 443, None, bytes(16))),
        ("kesher://h/join#" + "A" * 22 + "." + "A" * 43, Link("h", 1358, bytes(32), bytes(16))),
    ],
)
def test_links_are_read(link, wanted):
    assert parse_link(link) == wanted


@pytest.mark.parametrize(
    "link",
    [
        "example.org:1357",
        "kesher:///",
        "kesher://h:0/",
        "kesher://h:65536/",
        "kesher://h/#" + "A" * 42,
        "kesher://h/#" + "A" * 42 + "B",
        "https://h/join",
        "https://h/join#" + "A" * 21,
        "https://h/join#" + "A" * 22 + ".",
        "https://user@h/join#" + "A" * 22,
    ],
)
def test_what_is_no_link_is_none(link):
    with pytest.raises(NoLink):
        parse_link(link)


def test_a_list_counts_the_last_of_two_and_skips_nothing_that_it_knows():
    payload = accounts.list_payload((1, b"a"), (999, b""), (1, b"b"))
    assert accounts.parse_list(payload) == {1: b"b", 999: b""}
    for cut in range(1, len(payload)):
        if cut not in (5, 9):
            with pytest.raises(accounts.Malformed):
                accounts.parse_list(payload[:cut])
